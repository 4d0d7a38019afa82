//! Chunks to messages.
//!
//! A message that lies whole in one chunk of one input is copied once, into a buffer of exactly its
//! size. Any other is gathered in a buffer that grows with what has arrived, never with what a
//! header claims, and ends at exactly the message's size: a `Vec` without spare capacity becomes
//! `Bytes` without a copy or a second allocation, which a `BytesMut` with its own growth would not
//! promise.
//!
//! Invariants: between calls of [`ChunkReader::read`] either all input was consumed or a message
//! was returned; the buffers of half-read messages hold at most [`Limits::partial_bytes`].

use bytes::Bytes;

use super::header::{self, Fields, Format, HeaderBytes};
use super::{CHUNK_SIZE_MAX, DEFAULT_CHUNK_SIZE, Message, Slots};
use crate::{Error, Limits, Protocol};

/// So many of the longest messages may be half read at once, within [`Limits::partial_bytes`]: audio,
/// video, data and a command.
const PARTIAL_MESSAGES: usize = 4;

/// Puts the messages of one direction of a connection together.
#[derive(Debug)]
pub struct ChunkReader {
    chunk_size: usize,
    message_bytes_max: usize,
    partial_bytes_max: usize,
    chunk_streams_max: usize,
    slots: Slots,
    streams: Vec<Stream>,
    /// The chunk whose payload comes next.
    open: Option<Chunk>,
    /// Bytes of earlier inputs that could not be understood yet: most of a header, or the first
    /// bytes of a payload that may be an extended timestamp.
    carry: HeaderBytes,
    /// Whether the peer was seen to leave the extended timestamp out of a continuation.
    omits_extended: bool,
    /// Capacity of all half-read messages.
    partial_bytes: usize,
    /// Bytes consumed, those in `carry` included.
    consumed: u64,
}

/// Payload of a chunk that is still to come.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    slot: usize,
    left: usize,
}

/// A chunk stream: its last header and the message that it is in.
#[derive(Debug)]
struct Stream {
    id: u32,
    fields: Fields,
    /// Time of the message, modulo 2^32.
    timestamp: u32,
    /// Payload bytes of the message that are still to come; 0 between messages.
    missing: usize,
    body: Vec<u8>,
}

/// A chunk header that was read but not yet acted upon.
struct Parsed {
    format: Format,
    chunk_stream_id: u32,
    slot: Option<usize>,
    fields: Fields,
    len: usize,
    /// It continues a message and lacks the extended timestamp that its message's first header had.
    omits_extended: bool,
}

impl ChunkReader {
    /// A reader for a connection whose handshake is done, with the default chunk size. It starts
    /// with [`Limits::message_bytes_before_publish`]; see
    /// [`set_message_bytes`](Self::set_message_bytes).
    pub fn new(limits: &Limits) -> Self {
        Self {
            chunk_size: to_usize(DEFAULT_CHUNK_SIZE),
            message_bytes_max: limits.message_bytes_before_publish,
            partial_bytes_max: limits.partial_bytes,
            chunk_streams_max: limits.chunk_streams,
            slots: Slots::new(),
            streams: Vec::new(),
            open: None,
            carry: HeaderBytes::default(),
            omits_extended: false,
            partial_bytes: 0,
            consumed: 0,
        }
    }

    /// Consumes input up to and including the next complete message. `None`: all input was consumed
    /// and no message is complete.
    ///
    /// Control messages are returned like any other; those that concern the chunk stream are to be
    /// acted upon before the next call.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if a header needs an earlier one that there was not, [`Error::Limit`] if
    /// a message, the sum of half-read ones or the number of chunk streams is too large. After an
    /// error the reader has lost its place: it must not be used again.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            let chunk = match self.open.take() {
                Some(chunk) => chunk,
                None => match self.next_chunk(input)? {
                    Some(chunk) => chunk,
                    None => return Ok(None),
                },
            };
            if let Some(message) = self.read_payload(chunk, input)? {
                return Ok(Some(message));
            }
            if self.open.is_some() && input.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Sets the size of the chunks that follow, those of half-read messages included (RTMP 5.4.1).
    ///
    /// # Errors
    ///
    /// [`Protocol::ChunkSize`] if `size` is 0 or has its highest bit set.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), Error> {
        if size == 0 || size > CHUNK_SIZE_MAX {
            return Err(Protocol::ChunkSize { got: size }.into());
        }
        self.chunk_size = to_usize(size);
        Ok(())
    }

    /// Drops the half-read message of a chunk stream (RTMP 5.4.2); the fields of its header still
    /// stand for those that refer to them. Does nothing if there is none, or if it is in the middle
    /// of a chunk, where no Abort can come from.
    pub fn abort(&mut self, chunk_stream_id: u32) {
        if let Some(slot) = self.slots.find(chunk_stream_id)
            && self.open.is_none_or(|chunk| chunk.slot != slot)
        {
            self.drop_partial(slot);
        }
    }

    /// Sets the length of the longest message that may begin from now on, in bytes.
    pub fn set_message_bytes(&mut self, limit: usize) {
        self.message_bytes_max = limit;
    }

    /// Bytes of memory that half-read messages occupy.
    pub fn partial_bytes(&self) -> usize {
        self.partial_bytes
    }

    /// Reads a chunk header. `None`: there is no whole one, and all input was consumed.
    fn next_chunk(&mut self, input: &mut &[u8]) -> Result<Option<Chunk>, Error> {
        let carried = self.carry.as_slice().len();
        let parsed = if carried == 0 {
            self.parse(input)?
        } else {
            // Not yet taken from the input: what is beyond the header stays there.
            let mut joined = self.carry;
            joined.put(input);
            self.parse(joined.as_slice())?
        };
        let Some(parsed) = parsed else {
            let count = self.carry.put(input);
            self.advance(input, count);
            return Ok(None);
        };
        // A header is shorter than what was carried if the rest turned out to be payload.
        self.carry.consume(parsed.len);
        self.advance(input, parsed.len.saturating_sub(carried));
        self.begin_chunk(&parsed).map(Some)
    }

    /// Reads the header at the start of `bytes`. `None`: more bytes are needed; never for a full
    /// [`HeaderBytes`].
    fn parse(&self, bytes: &[u8]) -> Result<Option<Parsed>, Error> {
        let Some((format, chunk_stream_id, basic_len)) = header::decode_basic(bytes) else {
            return Ok(None);
        };
        let slot = self.slots.find(chunk_stream_id);
        let stream = slot.and_then(|slot| self.streams.get(slot));
        let rest = bytes.get(basic_len..).unwrap_or_default();
        let (earlier, extended) = match (stream, format) {
            (Some(stream), Format::Same) => {
                let Some(extended) = self.repeated_extended(stream, rest) else {
                    return Ok(None);
                };
                (stream.fields, extended)
            }
            (Some(stream), _) => (stream.fields, 0),
            // Format 1 without a format 0 before it, as librtmp sends after a reconnect: message
            // stream 0.
            (None, Format::Full | Format::SameStream) => (Fields::default(), 0),
            (None, Format::SameLength | Format::Same) => {
                let offset = self.consumed.saturating_sub(to_u64(self.carry.as_slice().len()));
                let format = format.number();
                return Err(Protocol::NoEarlierHeader { offset, format, chunk_stream_id }.into());
            }
        };
        let Some((fields, fields_len)) = header::decode_fields(format, rest, earlier) else {
            return Ok(None);
        };
        let continues = format == Format::Same && stream.is_some_and(|stream| stream.missing > 0);
        Ok(Some(Parsed {
            format,
            chunk_stream_id,
            slot,
            fields,
            len: basic_len + fields_len + extended,
            omits_extended: continues && fields.extended && extended == 0,
        }))
    }

    /// How many bytes of extended timestamp follow a format 3 basic header: 0 or 4. `None`: more
    /// bytes are needed to tell.
    ///
    /// RTMP 5.3.1.3 has them repeated; some old encoders leave them out. So they are taken for a
    /// timestamp only if they are the one expected. Payload that looks like it is told from it by a
    /// sender's habit, once it is known: who left the timestamp out of one continuation leaves it
    /// out of all.
    fn repeated_extended(&self, stream: &Stream, bytes: &[u8]) -> Option<usize> {
        if !stream.fields.extended || (stream.missing > 0 && self.omits_extended) {
            return Some(0);
        }
        let expected = stream.fields.timestamp.to_be_bytes();
        match bytes.first_chunk() {
            Some(found) if *found == expected => Some(expected.len()),
            None if expected.starts_with(bytes) => None,
            _ => Some(0),
        }
    }

    fn begin_chunk(&mut self, parsed: &Parsed) -> Result<Chunk, Error> {
        self.omits_extended |= parsed.omits_extended;
        let slot = match parsed.slot {
            Some(slot) => slot,
            None => self.add_stream(parsed.chunk_stream_id)?,
        };
        if parsed.format != Format::Same || self.stream(slot).missing == 0 {
            self.begin_message(slot, parsed)?;
        }
        let left = self.stream(slot).missing.min(self.chunk_size);
        Ok(Chunk { slot, left })
    }

    fn begin_message(&mut self, slot: usize, parsed: &Parsed) -> Result<(), Error> {
        let length = to_usize(parsed.fields.length);
        if length > self.message_bytes_max {
            return Err(over("bytes in a message", self.message_bytes_max, length));
        }
        // Encoders that drop a frame start the next one in the middle of it.
        self.drop_partial(slot);
        let stream = self.stream(slot);
        stream.timestamp = match parsed.format {
            Format::Full => parsed.fields.timestamp,
            // Format 3 adds what the last header had, after a format 0 too (RTMP 5.3.1.2.4): FFmpeg
            // relies on it.
            _ => stream.timestamp.wrapping_add(parsed.fields.timestamp),
        };
        stream.fields = parsed.fields;
        stream.missing = length;
        Ok(())
    }

    fn add_stream(&mut self, id: u32) -> Result<usize, Error> {
        let slot = self.streams.len();
        if slot >= self.chunk_streams_max {
            return Err(over("chunk streams", self.chunk_streams_max, slot.saturating_add(1)));
        }
        self.slots.insert(id, slot)?;
        let fields = Fields::default();
        self.streams.push(Stream { id, fields, timestamp: 0, missing: 0, body: Vec::new() });
        Ok(slot)
    }

    /// Reads what there is of a chunk's payload; the rest of the chunk, if any, becomes `open`.
    fn read_payload(&mut self, chunk: Chunk, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        let carry = self.carry;
        let from_input = carry.as_slice().is_empty();
        let source = if from_input { *input } else { carry.as_slice() };
        let piece = source.get(..chunk.left).unwrap_or(source);
        let body = self.append(chunk.slot, piece, source.len())?;
        if from_input {
            self.advance(input, piece.len());
        } else {
            self.carry.consume(piece.len());
        }
        if piece.len() < chunk.left {
            self.open = Some(Chunk { left: chunk.left - piece.len(), ..chunk });
        }
        let stream = self.stream(chunk.slot);
        Ok(body.map(|body| Message {
            chunk_stream_id: stream.id,
            message_stream_id: stream.fields.message_stream_id,
            message_type: stream.fields.message_type,
            timestamp: stream.timestamp,
            body,
        }))
    }

    /// Appends to a message, and returns it when it is complete. `arrived` bytes are there, `piece`
    /// among them.
    fn append(
        &mut self,
        slot: usize,
        piece: &[u8],
        arrived: usize,
    ) -> Result<Option<Bytes>, Error> {
        let stream = self.stream(slot);
        if stream.body.is_empty() && piece.len() == stream.missing {
            stream.missing = 0;
            return Ok(Some(Bytes::copy_from_slice(piece)));
        }
        let spare = stream.body.capacity() - stream.body.len();
        if piece.len() > spare {
            self.grow(slot, arrived)?;
        }
        let stream = self.stream(slot);
        stream.body.extend_from_slice(piece);
        stream.missing -= piece.len();
        if stream.missing > 0 {
            return Ok(None);
        }
        let body = std::mem::take(&mut stream.body);
        self.partial_bytes -= body.capacity();
        Ok(Some(Bytes::from(body)))
    }

    /// Makes room for all of the message that may have arrived, or twice what there was, whichever
    /// is more, and never for more than the message.
    fn grow(&mut self, slot: usize, arrived: usize) -> Result<(), Error> {
        // Who may not send long messages yet has no use for many half-read ones either.
        let few = self.message_bytes_max.saturating_mul(PARTIAL_MESSAGES);
        let partial_bytes_max = self.partial_bytes_max.min(few);
        let partial_bytes = self.partial_bytes;
        let stream = self.stream(slot);
        let (len, old) = (stream.body.len(), stream.body.capacity());
        let new = len.saturating_add(arrived).max(old.saturating_mul(2)).min(len + stream.missing);
        let total = (partial_bytes - old).saturating_add(new);
        if total > partial_bytes_max {
            return Err(over("bytes of half-read messages", partial_bytes_max, total));
        }
        stream.body.reserve_exact(new - len);
        self.partial_bytes = partial_bytes - old + self.stream(slot).body.capacity();
        Ok(())
    }

    fn drop_partial(&mut self, slot: usize) {
        let stream = self.stream(slot);
        stream.missing = 0;
        let body = std::mem::take(&mut stream.body);
        self.partial_bytes -= body.capacity();
    }

    fn advance(&mut self, input: &mut &[u8], count: usize) {
        *input = input.get(count..).unwrap_or_default();
        self.consumed = self.consumed.wrapping_add(to_u64(count));
    }

    #[expect(clippy::indexing_slicing, reason = "`Slots` hands out indices of `streams` alone")]
    fn stream(&mut self, slot: usize) -> &mut Stream {
        &mut self.streams[slot]
    }
}

fn over(what: &'static str, limit: usize, got: usize) -> Error {
    Error::Limit { what, limit: to_u64(limit), got: to_u64(got) }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn to_usize(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
