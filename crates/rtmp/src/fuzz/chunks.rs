//! The chunk stream, against a second reader that shares no code with the first.

use bytes::Bytes;
use media::Chunks;

use super::{Source, pieces};
use crate::chunk::{ChunkReader, ChunkWriter, Message, reference};
use crate::message::message_type::{ABORT, SET_CHUNK_SIZE};
use crate::{Error, Limits};

/// Any bytes behind a handshake.
pub fn chunk_reader(data: &[u8]) {
    let open = Limits { message_bytes_before_publish: 0xFF_FFFF, ..Limits::default() };
    let whole = read(&open, [data]);
    assert_eq!(read(&open, pieces(data)), whole, "it depends on the pieces");
    let (messages, end) = whole;
    let reference = reference::read(data);
    let same = reference.get(..messages.len());
    assert_eq!(same, Some(messages.as_slice()), "the second reader reads other messages");
    if end.is_ok() {
        assert_eq!(reference.len(), messages.len(), "the second reader reads further ones");
    }
    let small = Limits {
        message_bytes_before_publish: 600,
        partial_bytes: 1_000,
        chunk_streams: 3,
        ..Limits::default()
    };
    let (few, _) = read(&small, pieces(data));
    assert_eq!(messages.get(..few.len()), Some(few.as_slice()), "limits change messages");
    write_again(&messages);
}

fn read<'a>(
    limits: &Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Message>, Result<(), Error>) {
    let mut reader = ChunkReader::new(limits);
    let mut messages = Vec::new();
    let (mut received, mut largest) = (0, 0);
    for mut piece in pieces {
        received += piece.len();
        largest = largest.max(piece.len());
        loop {
            let message = match reader.read(&mut piece) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) => return (messages, Err(error)),
            };
            assert!(message.body.len() <= limits.message_bytes_before_publish);
            let obeyed = obey(&mut reader, &message);
            messages.push(message);
            if let Err(error) = obeyed {
                return (messages, Err(error));
            }
        }
        assert!(piece.is_empty(), "no message and yet input left");
        // What has arrived may be reserved twice; and for each chunk stream, as if all of the
        // newest input were its own.
        let earned = 2 * received + limits.chunk_streams * largest;
        let few = 4 * limits.message_bytes_before_publish;
        assert!(reader.partial_bytes() <= limits.partial_bytes.min(earned).min(few));
    }
    (messages, Ok(()))
}

/// What a session does with the messages that concern the chunk stream.
fn obey(reader: &mut ChunkReader, message: &Message) -> Result<(), Error> {
    let value = message.body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    match (message.message_type, value) {
        (SET_CHUNK_SIZE, Some(size)) => reader.set_chunk_size(size),
        (ABORT, Some(id)) => {
            reader.abort(id);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What was read can be written and read again.
fn write_again(messages: &[Message]) {
    // What concerns the chunk stream would be obeyed.
    let is_plain = |m: &&Message| !matches!(m.message_type, SET_CHUNK_SIZE | ABORT);
    let messages: Vec<_> = messages.iter().filter(is_plain).cloned().collect();
    let bytes = write(&messages, 128);
    let limits = Limits {
        message_bytes_before_publish: 0xFF_FFFF,
        chunk_streams: 65_536,
        ..Limits::default()
    };
    assert_eq!(read(&limits, pieces(&bytes)), (messages, Ok(())));
}

fn write(messages: &[Message], chunk_size: usize) -> Vec<u8> {
    let mut writer = ChunkWriter::new();
    let mut out = Chunks::new();
    let mut most = 0;
    for m in messages {
        let (id, stream) = (m.chunk_stream_id, m.message_stream_id);
        let written = writer.write(&mut out, id, stream, m.message_type, m.timestamp, &m.body);
        assert_eq!(written, Ok(()));
        let chunks = m.body.len() / chunk_size + 1;
        most += m.body.len() + 11 + chunks * (3 + 4);
        assert!(out.len() <= most, "headers take too much");
    }
    out.to_vec()
}

/// Any messages, written and read by both readers. Each takes a byte that says what it is, then as
/// many as that needs.
pub fn chunk_writer(data: &[u8]) {
    let mut source = Source(data);
    let mut writer = ChunkWriter::new();
    let mut out = Chunks::new();
    let mut sent = Vec::new();
    let mut timestamp = 0_u32;
    let (mut chunk_size, mut most) = (128, 0);
    while !source.is_empty() && out.len() < 1 << 16 {
        let form = source.u8();
        let size = match form & 3 {
            0 => source.usize() + 1,
            1 => (source.usize() << 8) + 1,
            _ => 0,
        };
        let chunk_stream_id = match (size, form >> 2 & 7) {
            (1.., _) => 2,
            (_, 0) => 64 + u32::from(source.u8()),
            (_, 1) => 320 + (source.u32() >> 16).min(65_279),
            (_, n) => 1 + u32::from(n),
        };
        let (message_type, stream) = match size {
            0 => (source.one(&[8, 9, 18, 20]), u32::from(form >> 6)),
            _ => (SET_CHUNK_SIZE, 0),
        };
        timestamp = match form >> 5 & 3 {
            0 => source.u32(),
            n => timestamp.wrapping_add(u32::from(n) * 20),
        };
        let body = match size {
            0 => body(&mut source),
            _ => Bytes::from(u32::try_from(size).unwrap_or(1).to_be_bytes().to_vec()),
        };
        let before = out.len();
        let result =
            writer.write(&mut out, chunk_stream_id, stream, message_type, timestamp, &body);
        assert_eq!(result, Ok(()));
        most += body.len() + 11 + (body.len() / chunk_size + 1) * (3 + 4);
        assert!(before < out.len() && out.len() <= most, "headers take too much");
        if size > 0 {
            chunk_size = size;
            writer.set_chunk_size(u32::try_from(size).unwrap_or(1));
        }
        sent.push(Message {
            chunk_stream_id,
            message_stream_id: stream,
            message_type,
            timestamp,
            body,
        });
    }
    let bytes = out.to_vec();
    let limits = Limits {
        message_bytes_before_publish: 0xFF_FFFF,
        chunk_streams: 65_536,
        ..Limits::default()
    };
    assert_eq!(read(&limits, [bytes.as_slice()]), (sent.clone(), Ok(())));
    assert_eq!(read(&limits, pieces(&bytes)).0, sent);
    assert_eq!(reference::read(&bytes), sent);
}

/// A few bytes as they are, or many that repeat them.
fn body(source: &mut Source<'_>) -> Bytes {
    let len = source.usize();
    let pattern = source.take(len % 16);
    let len = if len >= 128 { (len - 127) * 97 } else { pattern.len() };
    pattern.iter().chain(&[0xA5]).copied().cycle().take(len).collect()
}
