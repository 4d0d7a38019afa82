//! The file header and the tag header (FLV E.2, E.4.1).
//!
//! A tag is 11 bytes of header, the body, and 4 bytes of `PreviousTagSize`: 11 + the body's size,
//! big-endian, after every tag, the last one too.

use crate::{Chunks, Packet};

/// The first 13 bytes of a file: signature, version 1, "has audio and video", header size 9, and
/// `PreviousTagSize0`.
pub const FILE_HEADER: [u8; 13] = *b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

/// The same with flags for what there is (FLV E.2).
pub fn file_header(has_audio: bool, has_video: bool) -> [u8; 13] {
    let mut header = FILE_HEADER;
    header[4] = u8::from(has_audio) << 2 | u8::from(has_video);
    header
}

/// The largest body (bytes): its size has 24 bits.
pub const BODY_MAX: usize = 0xFF_FFFF;

/// Bytes of a tag beside its body: the header and `PreviousTagSize`.
pub const OVERHEAD: u64 = TagHeader::SIZE as u64 + 4;

/// The 11 bytes before a tag's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagHeader {
    /// Tag type: 8 audio, 9 video, 18 script; the five low bits of the first byte.
    pub kind: u8,
    /// Filter bit: the body is encrypted (FLV annex F). Never set when writing.
    pub encrypted: bool,
    /// The two reserved bits, which are zero in a valid file.
    pub reserved: u8,
    /// Bytes of the body, 24 bits. When writing, the higher bits are lost: check against
    /// [`BODY_MAX`] first.
    pub size: u32,
    /// Decoding time in ms: 24 low bits, then the high byte.
    pub timestamp_ms: u32,
    /// Stream id, 24 bits; always 0 in a valid file.
    pub stream_id: u32,
}

impl TagHeader {
    /// Bytes of a tag header.
    pub const SIZE: usize = 11;

    /// A valid header: not encrypted, stream id 0.
    pub fn new(kind: u8, size: u32, timestamp_ms: u32) -> Self {
        Self { kind, encrypted: false, reserved: 0, size, timestamp_ms, stream_id: 0 }
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let first =
            (self.reserved & 0x03) << 6 | u8::from(self.encrypted) << 5 | (self.kind & 0x1f);
        let [_, s0, s1, s2] = self.size.to_be_bytes();
        let [t_high, t0, t1, t2] = self.timestamp_ms.to_be_bytes();
        let [_, i0, i1, i2] = self.stream_id.to_be_bytes();
        [first, s0, s1, s2, t0, t1, t2, t_high, i0, i1, i2]
    }

    /// Reads a header; any 11 bytes are one.
    pub fn decode(bytes: [u8; Self::SIZE]) -> Self {
        let [first, s0, s1, s2, t0, t1, t2, t_high, i0, i1, i2] = bytes;
        Self {
            kind: first & 0x1f,
            encrypted: first & 0x20 != 0,
            reserved: first >> 6,
            size: u32::from_be_bytes([0, s0, s1, s2]),
            timestamp_ms: u32::from_be_bytes([t_high, t0, t1, t2]),
            stream_id: u32::from_be_bytes([0, i0, i1, i2]),
        }
    }

    /// What `PreviousTagSize` after this tag must say.
    pub fn tag_size(&self) -> u32 {
        self.size.saturating_add(11)
    }
}

/// Puts out a packet as a tag, of a body of `body_size` bytes.
pub(super) fn put(packet: &Packet, body_size: u32, time_ms: u32, out: &mut Chunks) {
    let header = TagHeader::new(packet.kind.number(), body_size, time_ms);
    out.put_slice(&header.encode());
    out.put(packet.body.clone());
    out.put_slice(&header.tag_size().to_be_bytes());
}

#[cfg(test)]
mod tests;
