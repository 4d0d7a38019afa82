//! The chunk stream: messages cut into chunks and put together again.
//!
//! [`ChunkReader`] is the way in, [`ChunkWriter`] the way out; `header` is the layout that both
//! share. What a message means, control messages among them, is not known here: who reads a Set
//! Chunk Size or an Abort calls [`ChunkReader::set_chunk_size`] or [`ChunkReader::abort`] before
//! reading on.
//!
//! Source: RTMP 5.3.

mod header;
mod reader;
#[cfg(any(test, fuzzing))]
pub(crate) mod reference;
mod writer;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::Error;

pub use reader::ChunkReader;
pub use writer::ChunkWriter;

/// Chunk size of either direction until its sender sets another (RTMP 5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;
/// Largest chunk size that can be set (RTMP 5.4.1); sizes above the longest message are all alike.
pub const CHUNK_SIZE_MAX: u32 = 0x7FFF_FFFF;
/// Longest message that its 24-bit length can describe, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 0xFF_FFFF;

/// A whole message as it was on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The chunk stream that carried it.
    pub chunk_stream_id: u32,
    /// The message stream that it belongs to; 0 is the connection itself.
    pub message_stream_id: u32,
    /// The message type (RTMP 5.4, 7.1).
    pub message_type: u8,
    /// Milliseconds since an epoch of the sender's choice, modulo 2^32.
    pub timestamp: u32,
    /// The payload.
    pub body: Bytes,
}

/// Finds the slot of a chunk stream: the ids that fit in one byte by array, the others by map.
#[derive(Debug, Clone)]
struct Slots {
    small: [Option<u16>; 64],
    large: BTreeMap<u32, u16>,
}

impl Slots {
    fn new() -> Self {
        Self { small: [None; 64], large: BTreeMap::new() }
    }

    fn clear(&mut self) {
        self.small = [None; 64];
        self.large.clear();
    }

    fn find(&self, chunk_stream_id: u32) -> Option<usize> {
        let small = usize::try_from(chunk_stream_id).ok().and_then(|id| self.small.get(id));
        match small {
            Some(slot) => slot.map(usize::from),
            None => self.large.get(&chunk_stream_id).copied().map(usize::from),
        }
    }

    fn insert(&mut self, chunk_stream_id: u32, slot: usize) -> Result<(), Error> {
        let Ok(slot) = u16::try_from(slot) else {
            let got = u64::try_from(slot).unwrap_or(u64::MAX).saturating_add(1);
            return Err(Error::Limit { what: "chunk streams", limit: 65_536, got });
        };
        let small = usize::try_from(chunk_stream_id).ok().and_then(|id| self.small.get_mut(id));
        match small {
            Some(known) => *known = Some(slot),
            None => {
                self.large.insert(chunk_stream_id, slot);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
