//! Messages to chunks.
//!
//! The format of each header is the shortest that *all* readers understand alike. They do not agree
//! on a format 3 that starts a message after a format 0 (some add the absolute time, some nothing),
//! nor on extended deltas; so neither is written. Payloads are shared with the output, never copied
//! but when they are tiny.

use bytes::Bytes;
use media::Chunks;

use super::header::{self, EXTENDED, Fields, Format};
use super::{CHUNK_SIZE_MAX, DEFAULT_CHUNK_SIZE, MESSAGE_BYTES_MAX, Slots};
use crate::Error;

/// Cuts the messages of one direction of a connection into chunks.
#[derive(Debug, Clone)]
pub struct ChunkWriter {
    chunk_size: usize,
    slots: Slots,
    sent: Vec<Sent>,
}

/// The last message of a chunk stream.
#[derive(Debug, Clone, Copy)]
struct Sent {
    timestamp: u32,
    length: u32,
    message_type: u8,
    message_stream_id: u32,
    /// What its header added to the time before it; `None` if it carried the time itself.
    delta: Option<u32>,
}

impl ChunkWriter {
    /// A writer for a connection whose handshake is done, with the default chunk size.
    pub fn new() -> Self {
        let chunk_size = usize::try_from(DEFAULT_CHUNK_SIZE).unwrap_or(usize::MAX);
        Self { chunk_size, slots: Slots::new(), sent: Vec::new() }
    }

    /// Sets the size of the chunks that follow. The message that tells the peer is the caller's,
    /// and goes before. A `size` outside of 1 to [`CHUNK_SIZE_MAX`] is brought into it.
    pub fn set_chunk_size(&mut self, size: u32) {
        let size = size.clamp(1, CHUNK_SIZE_MAX);
        self.chunk_size = usize::try_from(size).unwrap_or(usize::MAX);
    }

    /// The next message of each chunk stream has a full header: somebody else has written meanwhile.
    pub fn begin_anew(&mut self) {
        self.slots.clear();
        self.sent.clear();
    }

    /// Appends a message to `out`. `chunk_stream_id` is from 2 to 65,599; `timestamp` is in
    /// milliseconds modulo 2^32 and may go in either direction.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`], and nothing written, if `body` is longer than [`MESSAGE_BYTES_MAX`] or if
    /// more than 65,536 chunk streams are in use.
    pub fn write(
        &mut self,
        out: &mut Chunks,
        chunk_stream_id: u32,
        message_stream_id: u32,
        message_type: u8,
        timestamp: u32,
        body: &Bytes,
    ) -> Result<(), Error> {
        let length = match u32::try_from(body.len()) {
            Ok(length) if body.len() <= MESSAGE_BYTES_MAX => length,
            _ => return Err(too_long(body.len())),
        };
        let message = Sent { timestamp, length, message_type, message_stream_id, delta: None };
        let (format, field) = self.remember(chunk_stream_id, message)?;
        let fields = Fields {
            timestamp: field,
            extended: field >= EXTENDED,
            length,
            message_type,
            message_stream_id,
        };
        out.put_slice(header::encode(format, chunk_stream_id, &fields).as_slice());
        if body.len() <= self.chunk_size {
            out.put(body.clone());
            return Ok(());
        }
        let next = header::encode(Format::Same, chunk_stream_id, &fields);
        let mut start = 0;
        while start < body.len() {
            if start > 0 {
                out.put_slice(next.as_slice());
            }
            let end = body.len().min(start.saturating_add(self.chunk_size));
            out.put(body.slice(start..end));
            start = end;
        }
        Ok(())
    }

    /// Chooses the format of a message's first header and its timestamp field.
    fn remember(&mut self, chunk_stream_id: u32, message: Sent) -> Result<(Format, u32), Error> {
        let slot = self.slots.find(chunk_stream_id);
        let Some(last) = slot.and_then(|slot| self.sent.get_mut(slot)) else {
            self.slots.insert(chunk_stream_id, self.sent.len())?;
            self.sent.push(message);
            return Ok((Format::Full, message.timestamp));
        };
        let format = choose(last, &message);
        let delta = message.timestamp.wrapping_sub(last.timestamp);
        *last = Sent { delta: (format != Format::Full).then_some(delta), ..message };
        Ok((format, if format == Format::Full { message.timestamp } else { delta }))
    }
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self::new()
    }
}

fn choose(last: &Sent, message: &Sent) -> Format {
    let delta = message.timestamp.wrapping_sub(last.timestamp);
    // A time that goes backwards is a huge delta.
    if last.message_stream_id != message.message_stream_id || delta >= EXTENDED {
        Format::Full
    } else if last.length != message.length || last.message_type != message.message_type {
        Format::SameStream
    } else if last.delta != Some(delta) {
        Format::SameLength
    } else {
        Format::Same
    }
}

fn too_long(length: usize) -> Error {
    Error::Limit {
        what: "bytes in a message to be sent",
        limit: u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX),
        got: u64::try_from(length).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests;
