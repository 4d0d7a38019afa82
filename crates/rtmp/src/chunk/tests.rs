//! Reader and writer together, and the reader against streams and a second reader that share no
//! code with it.

mod generator;

use bytes::Bytes;
use media::Chunks;
use proptest::prelude::*;

use super::*;
use crate::{Error, Limits};
use generator::{Random, Recorded, record};

/// Limits that let every message through.
pub(super) fn open_limits() -> Limits {
    let limits = Limits::default();
    Limits { message_bytes_before_publish: limits.message_bytes, ..limits }
}

/// What a session does with the messages that concern the chunk stream.
pub(super) fn obey(reader: &mut ChunkReader, message: &Message) -> Result<(), Error> {
    let value = message.body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    match (message.message_type, value) {
        (1, Some(size)) => reader.set_chunk_size(size),
        (2, Some(id)) => {
            reader.abort(id);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Feeds one input and takes all messages that are complete then.
pub(super) fn drain(reader: &mut ChunkReader, mut input: &[u8]) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        obey(reader, &message)?;
        messages.push(message);
    }
    assert!(input.is_empty(), "no message and yet input left");
    Ok(messages)
}

fn read_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Message>, Error> {
    let mut reader = ChunkReader::new(&open_limits());
    let mut messages = Vec::new();
    for piece in pieces {
        messages.extend(drain(&mut reader, piece)?);
    }
    Ok(messages)
}

fn read_whole(bytes: &[u8]) -> Result<Vec<Message>, Error> {
    read_in_pieces([bytes])
}

fn write_all(chunk_size: u32, messages: &[Message]) -> Vec<u8> {
    let mut writer = ChunkWriter::new();
    let mut out = Chunks::new();
    let control = Bytes::copy_from_slice(&chunk_size.to_be_bytes());
    writer.write(&mut out, 2, 0, 1, 0, &control).unwrap();
    writer.set_chunk_size(chunk_size);
    for m in messages {
        let (id, stream) = (m.chunk_stream_id, m.message_stream_id);
        writer.write(&mut out, id, stream, m.message_type, m.timestamp, &m.body).unwrap();
    }
    out.to_vec()
}

fn message(id: u32, kind: u8, stream: u32, timestamp: u32, body: Vec<u8>) -> Message {
    Message {
        chunk_stream_id: id,
        message_stream_id: stream,
        message_type: kind,
        timestamp,
        body: Bytes::from(body),
    }
}

/// RTMP 5.3.2.1: four audio messages of 32 bytes, 20 ms apart.
fn spec_example_1() -> (Vec<Message>, Vec<u8>) {
    let messages: Vec<_> =
        (0..4).map(|i| message(3, 8, 12_345, 1_000 + 20 * i, vec![0xAA; 32])).collect();
    let payload = [0xAA; 32];
    let mut bytes = vec![0x03, 0x00, 0x03, 0xE8, 0, 0, 32, 8, 0x39, 0x30, 0, 0];
    bytes.extend(payload);
    bytes.extend([0x83, 0, 0, 20]);
    bytes.extend(payload);
    bytes.push(0xC3);
    bytes.extend(payload);
    bytes.push(0xC3);
    bytes.extend(payload);
    (messages, bytes)
}

/// RTMP 5.3.2.2: a video message of 307 bytes in three chunks.
fn spec_example_2() -> (Vec<Message>, Vec<u8>) {
    let payload: Vec<u8> = (0..307_u32).map(|i| i.to_le_bytes()[0]).collect();
    let mut bytes = vec![0x04, 0x00, 0x03, 0xE8, 0, 1, 0x33, 9, 0x3A, 0x30, 0, 0];
    bytes.extend(&payload[..128]);
    bytes.push(0xC4);
    bytes.extend(&payload[128..256]);
    bytes.push(0xC4);
    bytes.extend(&payload[256..]);
    (vec![message(4, 9, 12_346, 1_000, payload)], bytes)
}

#[test]
fn examples_of_the_specification_are_read_and_written_byte_for_byte() {
    let sizes = [(spec_example_1(), 44 + 36 + 33 + 33), (spec_example_2(), 140 + 129 + 52)];
    for ((messages, bytes), size) in sizes {
        assert_eq!(bytes.len(), size);
        assert_eq!(read_whole(&bytes).unwrap(), messages);
        let mut writer = ChunkWriter::new();
        let mut out = Chunks::new();
        for m in &messages {
            let (id, stream) = (m.chunk_stream_id, m.message_stream_id);
            writer.write(&mut out, id, stream, m.message_type, m.timestamp, &m.body).unwrap();
        }
        assert_eq!(out.to_vec(), bytes);
    }
}

/// A publish as FFmpeg sends it: everything on a few chunk streams, format 3 for a new message
/// whenever its delta equals the last timestamp field, the server's chunk size echoed.
fn ffmpeg_like() -> (Vec<u8>, Vec<(u32, usize)>) {
    let mut bytes = vec![0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 200];
    // Audio starts at 21 ms and goes on every 21 ms: format 0, then nothing but format 3.
    bytes.extend([0x04, 0, 0, 21, 0, 0, 6, 8, 1, 0, 0, 0]);
    bytes.extend([0xAF; 6]);
    // A picture of 450 bytes with the next audio messages in between.
    bytes.extend([0x06, 0, 0, 33, 0, 1, 0xC2, 9, 1, 0, 0, 0]);
    bytes.extend([0x17; 200]);
    for rest in [200, 50] {
        bytes.push(0xC4);
        bytes.extend([0xAF; 6]);
        bytes.push(0xC6);
        bytes.extend(vec![0x17; rest]);
    }
    bytes.push(0xC4);
    bytes.extend([0xAF; 6]);
    (bytes, vec![(0, 4), (21, 6), (42, 6), (63, 6), (33, 450), (84, 6)])
}

#[test]
fn ffmpegs_format_3_after_format_0_keeps_the_time_of_interleaved_audio() {
    let (bytes, expected) = ffmpeg_like();
    let got = read_whole(&bytes).unwrap();
    let got: Vec<_> = got.iter().map(|m| (m.timestamp, m.body.len())).collect();
    assert_eq!(got, expected);
}

#[test]
fn every_split_of_a_recorded_stream_gives_the_same_messages() {
    let (ffmpeg, _) = ffmpeg_like();
    let mut streams = vec![spec_example_1().1, spec_example_2().1, ffmpeg];
    streams.extend((0..12).map(|seed| record(seed, 12, 90).bytes));
    for bytes in streams {
        let expected = read_whole(&bytes).unwrap();
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(read_in_pieces([head, tail]).unwrap(), expected, "cut at {cut}");
        }
        for size in [1, 2, 3, 5, 7, 19] {
            assert_eq!(read_in_pieces(bytes.chunks(size)).unwrap(), expected, "pieces of {size}");
        }
    }
}

#[test]
fn reader_agrees_with_the_sender_and_with_a_simple_reader_on_random_streams() {
    let mut formats = [0; 4];
    for seed in 0..1_500 {
        let Recorded { bytes, messages, formats: used } = record(seed, 60, 700);
        formats.iter_mut().zip(used).for_each(|(all, used)| *all += used);
        assert_eq!(read_whole(&bytes).as_ref(), Ok(&messages), "seed {seed}");
        assert_eq!(reference::read(&bytes), messages, "seed {seed}");
        let mut random = Random::new(seed);
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.range(0, 40.min(rest.len()) + 1));
            pieces.push(piece);
            rest = after;
        }
        assert_eq!(read_in_pieces(pieces).unwrap(), messages, "seed {seed} in pieces");
    }
    assert!(formats.iter().all(|count| *count > 1_000), "{formats:?}");
}

#[test]
fn reader_agrees_with_a_simple_reader_on_every_prefix() {
    for seed in 0..10 {
        let bytes = record(seed, 8, 60).bytes;
        for end in 0..=bytes.len() {
            let prefix = &bytes[..end];
            assert_eq!(read_whole(prefix).unwrap(), reference::read(prefix), "seed {seed}, {end}");
        }
    }
}

#[test]
fn mutated_streams_never_panic_and_stay_within_the_bounds() {
    let limits = Limits {
        message_bytes_before_publish: 5_000,
        partial_bytes: 12_000,
        chunk_streams: 6,
        ..Limits::default()
    };
    let (mut failed, mut passed) = (0, 0);
    for seed in 0..3_000 {
        let mut bytes = record(seed % 40, 40, 300).bytes;
        let mut random = Random::new(seed);
        for _ in 0..random.range(1, 6) {
            let at = random.range(0, bytes.len());
            bytes[at] ^= 1 << random.range(0, 8);
        }
        bytes.truncate(random.range(0, bytes.len() + 1));
        match check_bounds(&limits, &bytes, &mut random) {
            Ok(()) => passed += 1,
            Err(_) => failed += 1,
        }
    }
    assert!(failed > 100 && passed > 100, "{failed} {passed}");
}

/// Feeds random pieces; the error, if there is one.
fn check_bounds(limits: &Limits, bytes: &[u8], random: &mut Random) -> Result<(), Error> {
    let mut reader = ChunkReader::new(limits);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.range(1, rest.len() + 1));
        rest = after;
        for message in drain(&mut reader, piece)? {
            assert!(message.body.len() <= limits.message_bytes_before_publish);
        }
        assert!(reader.partial_bytes() <= limits.partial_bytes);
    }
    Ok(())
}

fn any_message() -> impl Strategy<Value = Message> {
    let id = prop_oneof![4 => 3_u32..6, 1 => 60_u32..70, 1 => 315_u32..325, 1 => Just(65_599)];
    let time = prop_oneof![4 => 0_u32..100, 1 => 0xFF_FFF0_u32..0x100_0010, 1 => any::<u32>()];
    let length = prop_oneof![4 => 0_usize..300, 1 => 0_usize..5_000, 1 => Just(70_000)];
    let kind = prop_oneof![Just(8_u8), Just(9), Just(18)];
    (id, kind, 0_u32..3, time, length, any::<u8>()).prop_map(
        |(id, kind, stream, time, len, fill)| {
            let body = (0..len).map(|i| fill.wrapping_add(i.to_le_bytes()[0])).collect();
            message(id, kind, stream, time, body)
        },
    )
}

fn any_chunk_size() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1_u32), 1_u32..300, 1_u32..70_000, Just(70_000), Just(CHUNK_SIZE_MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_the_writer_writes_both_readers_read(
        messages in prop::collection::vec(any_message(), 0..20),
        chunk_size in any_chunk_size(),
        piece in 1_usize..100_000,
    ) {
        let bytes = write_all(chunk_size, &messages);
        let read = read_in_pieces(bytes.chunks(piece)).unwrap();
        prop_assert_eq!(&read[1..], &messages);
        let reference = reference::read(&bytes);
        prop_assert_eq!(&reference[1..], &messages);
    }

    #[test]
    fn steady_streams_keep_their_times_through_short_headers(
        start in any::<u32>(),
        deltas in prop::collection::vec(0_u32..3, 1..60),
        chunk_size in any_chunk_size(),
    ) {
        let mut timestamp = start;
        let messages: Vec<_> = deltas.iter().map(|step| {
            timestamp = timestamp.wrapping_add(20 + step);
            message(4, 8, 1, timestamp, vec![0xAF; 9])
        }).collect();
        let read = read_whole(&write_all(chunk_size, &messages)).unwrap();
        prop_assert_eq!(&read[1..], &messages);
    }

    #[test]
    fn random_bytes_never_panic_and_stay_within_the_bounds(
        bytes in prop::collection::vec(any::<u8>(), 0..4_000),
        seed in any::<u64>(),
    ) {
        let limits = Limits { partial_bytes: 3_000, chunk_streams: 4, ..Limits::default() };
        // Whether it ends in an error is chance; the bounds are checked on the way.
        let _ = check_bounds(&limits, &bytes, &mut Random::new(seed));
    }
}
