//! The layout of chunk headers (RTMP 5.3.1): bytes to fields and back. What the fields of earlier
//! chunks mean for this one is known to the reader and the writer.

/// Longest chunk header: basic header, message header and extended timestamp.
pub(super) const HEADER_BYTES_MAX: usize = 3 + 11 + 4;
/// Value of the 24-bit timestamp field that says "look in the extended timestamp" (RTMP 5.3.1.3).
pub(super) const EXTENDED: u32 = 0xFF_FFFF;
/// The largest id that a basic header can carry (RTMP 5.3.1.1).
pub(super) const CHUNK_STREAM_ID_MAX: u32 = 65_599;

/// The `fmt` of a chunk: which fields its header carries. The others are those of the chunk
/// stream's last header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// 0: all fields, with an absolute timestamp.
    Full,
    /// 1: timestamp delta, length and type.
    SameStream,
    /// 2: timestamp delta.
    SameLength,
    /// 3: nothing: goes on with a message, or starts one that differs from the last in its time
    /// alone.
    Same,
}

impl Format {
    /// The number on the wire.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::SameStream => 1,
            Self::SameLength => 2,
            Self::Same => 3,
        }
    }
}

/// The fields of a message header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// Milliseconds, all 32 bits: a time in format 0, else what is added to the last message's
    /// time.
    pub(super) timestamp: u32,
    /// Whether the timestamp stood in the extended field.
    pub(super) extended: bool,
    /// Length of the message in bytes, 24 bits.
    pub(super) length: u32,
    /// Type of the message.
    pub(super) message_type: u8,
    /// The message stream.
    pub(super) message_stream_id: u32,
}

/// Reads a basic header: format, chunk stream id and length in bytes. `None`: more bytes are
/// needed.
pub(super) fn decode_basic(bytes: &[u8]) -> Option<(Format, u32, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let format = match first >> 6 {
        0 => Format::Full,
        1 => Format::SameStream,
        2 => Format::SameLength,
        _ => Format::Same,
    };
    Some(match first & 0x3F {
        0 => (format, 64 + u32::from(*rest.first()?), 2),
        1 => (format, 64 + u32::from(u16::from_le_bytes(*rest.first_chunk()?)), 3),
        id => (format, u32::from(id), 1),
    })
}

/// Reads what follows the basic header: the fields, `earlier` ones where the format has none, and
/// the length in bytes. `None`: more bytes are needed.
///
/// For [`Format::Same`] that is nothing; whether an extended timestamp follows there is for the
/// reader to find out.
pub(super) fn decode_fields(
    format: Format,
    bytes: &[u8],
    earlier: Fields,
) -> Option<(Fields, usize)> {
    let mut fields = earlier;
    let (time, rest) = match format {
        Format::Same => return Some((earlier, 0)),
        Format::SameLength => bytes.split_first_chunk::<3>()?,
        Format::SameStream | Format::Full => {
            let (&[t0, t1, t2, l0, l1, l2, message_type], mut rest) = bytes.split_first_chunk()?;
            fields.length = u32::from_be_bytes([0, l0, l1, l2]);
            fields.message_type = message_type;
            if format == Format::Full {
                let (id, after) = rest.split_first_chunk()?;
                fields.message_stream_id = u32::from_le_bytes(*id);
                rest = after;
            }
            (&[t0, t1, t2], rest)
        }
    };
    let &[t0, t1, t2] = time;
    let mut rest = rest;
    fields.timestamp = u32::from_be_bytes([0, t0, t1, t2]);
    fields.extended = fields.timestamp == EXTENDED;
    if fields.extended {
        let (timestamp, after) = rest.split_first_chunk()?;
        fields.timestamp = u32::from_be_bytes(*timestamp);
        rest = after;
    }
    Some((fields, bytes.len() - rest.len()))
}

/// Writes a chunk header, with the extended timestamp if `fields` say so, in [`Format::Same`] too.
pub(super) fn encode(format: Format, chunk_stream_id: u32, fields: &Fields) -> HeaderBytes {
    let mut out = HeaderBytes::default();
    debug_assert!((2..=CHUNK_STREAM_ID_MAX).contains(&chunk_stream_id), "{chunk_stream_id}");
    encode_basic(format, chunk_stream_id, &mut out);
    if format != Format::Same {
        let short = if fields.extended { EXTENDED } else { fields.timestamp };
        let [_, time @ ..] = short.to_be_bytes();
        out.put(&time);
    }
    if matches!(format, Format::Full | Format::SameStream) {
        let [_, length @ ..] = fields.length.to_be_bytes();
        out.put(&length);
        out.put(&[fields.message_type]);
    }
    if format == Format::Full {
        out.put(&fields.message_stream_id.to_le_bytes());
    }
    if fields.extended {
        out.put(&fields.timestamp.to_be_bytes());
    }
    out
}

/// A few bytes without an allocation: room for one chunk header.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HeaderBytes {
    bytes: [u8; HEADER_BYTES_MAX],
    len: usize,
}

impl HeaderBytes {
    /// The bytes.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends as many of `bytes` as there is room for, and returns how many.
    pub(super) fn put(&mut self, bytes: &[u8]) -> usize {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let mut count = 0;
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
            count += 1;
        }
        self.len += count;
        count
    }

    /// Drops the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.len);
        self.bytes.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

fn encode_basic(format: Format, chunk_stream_id: u32, out: &mut HeaderBytes) {
    let high = format.number() << 6;
    let beyond = chunk_stream_id.saturating_sub(64).to_le_bytes();
    match chunk_stream_id {
        0..64 => {
            let [id, ..] = chunk_stream_id.to_le_bytes();
            out.put(&[high | id])
        }
        64..320 => {
            let [id, ..] = beyond;
            out.put(&[high, id])
        }
        _ => {
            let [low, middle, ..] = beyond;
            out.put(&[high | 1, low, middle])
        }
    };
}

#[cfg(test)]
mod tests;
