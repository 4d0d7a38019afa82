//! What a part's messages were: a box of ours before each part of a recording, by which the packets
//! come out of the file as they went in, bit for bit.
//!
//! It has every message in its order, with its time, and all of its bytes that are not in samples:
//! the head of audio and video, and the whole of metadata, configurations and ends. After 16 bytes
//! of [`ID`] and a byte for the version, each message is
//!
//! - a byte: its kind as FLV numbers it (8, 9, 18);
//! - its time in ms, less that of the message before, zigzag;
//! - the number of its samples;
//! - for each sample the number of bytes before it, those bytes, and the place of its track in the
//!   movie: it is the next sample of that track in the part;
//! - the number of bytes after the last sample, and those.
//!
//! Numbers are of seven bits a byte, the lowest first, the top bit set in all but the last.

use super::parse::Fields;
use super::sample::Sample;
use crate::{Kind, Packet};

/// The user type of the box (ISO 14496-12 11.1).
pub(super) const ID: [u8; 16] =
    *b"\x9a\x4e\x2d\x8c\x6b\x1f\x4b\x1e\xa3\x0d\x6d\x65\x73\x73\x61\x67";

/// What each part of a recording ends with, an empty box: where it is not there, the end of the
/// part's samples may have been lost.
pub(super) const END: [u8; 8] = *b"\0\0\0\x08free";

/// The version of the layout above.
const VERSION: u8 = 1;

/// The messages of one part.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// The content of the box; empty while there is no message.
    pub(super) bytes: Vec<u8>,
    last_ms: i64,
}

impl Log {
    /// Appends a message, of which these are the samples, with the places of their tracks, in the
    /// order of the message.
    pub(super) fn push(&mut self, packet: &Packet, time_ms: u64, samples: &[(usize, Sample)]) {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&ID);
            self.bytes.push(VERSION);
        }
        let time_ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
        let step_ms = time_ms - self.last_ms;
        self.last_ms = time_ms;
        self.bytes.push(packet.kind.number());
        self.number(((step_ms << 1) ^ (step_ms >> 63)).cast_unsigned());
        self.number(super::size(samples.len()));
        let mut at = 0;
        for (track, sample) in samples {
            self.literal(packet.body.get(at..sample.at).unwrap_or_default());
            self.number(super::size(*track));
            at = sample.at + sample.data.len();
        }
        self.literal(packet.body.get(at..).unwrap_or_default());
    }

    fn literal(&mut self, bytes: &[u8]) {
        self.number(super::size(bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }

    fn number(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.bytes.push(low & 0x7F);
                return;
            }
            self.bytes.push(low | 0x80);
        }
    }
}

/// A message as the log has it.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    pub(super) time_ms: i64,
    /// Its body, in its order.
    pub(super) pieces: Vec<Piece<'a>>,
}

/// A stretch of a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    /// These bytes, of which there may be none.
    Literal(&'a [u8]),
    /// The next sample of this track.
    Sample(usize),
}

/// The messages of a part; what cannot be read is `None`, and the last.
pub(super) fn messages(log: &[u8]) -> impl Iterator<Item = Option<Message<'_>>> {
    let mut log = Fields(log);
    let mut is_readable = log.take() == Some(&[VERSION]);
    let (mut is_over, mut time_ms) = (false, 0);
    std::iter::from_fn(move || {
        if is_over || is_readable && log.0.is_empty() {
            return None;
        }
        let message = if is_readable { message(&mut log, &mut time_ms) } else { None };
        is_readable = message.is_some();
        is_over = !is_readable;
        Some(message)
    })
}

fn message<'a>(log: &mut Fields<'a>, time_ms: &mut i64) -> Option<Message<'a>> {
    let kind = match log.take()? {
        [8] => Kind::Audio,
        [9] => Kind::Video,
        [18] => Kind::Data,
        [15] => Kind::DataAmf3,
        _ => return None,
    };
    let step = log.number()?;
    *time_ms = time_ms.checked_add((step >> 1).cast_signed() ^ -(step & 1).cast_signed())?;
    let mut pieces = Vec::new();
    for _ in 0..log.number()? {
        pieces.push(Piece::Literal(log.literal()?));
        pieces.push(Piece::Sample(usize::try_from(log.number()?).ok()?));
    }
    pieces.push(Piece::Literal(log.literal()?));
    Some(Message { kind, time_ms: *time_ms, pieces })
}

/// Reads the messages of a part: `sample` gives the next one of a track, of a message of a time in
/// ms; `take` takes each message. `None` when they cannot be read, or when there is no such sample.
pub(super) fn read<'a>(
    log: &'a [u8],
    mut sample: impl FnMut(usize, i64) -> Option<&'a [u8]>,
    mut take: impl FnMut(Packet),
) -> Option<()> {
    for message in messages(log) {
        let Message { kind, time_ms, pieces } = message?;
        let mut body = Vec::new();
        for piece in pieces {
            body.extend_from_slice(match piece {
                Piece::Literal(bytes) => bytes,
                Piece::Sample(track) => sample(track, time_ms)?,
            });
        }
        take(Packet::new(kind, time_ms, body.into()));
    }
    Some(())
}
