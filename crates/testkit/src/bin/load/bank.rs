//! Frames as they go over the wire, made once and shared by all publishers.
//!
//! All streams send the same pictures and sounds; only the head of a frame, with its times and its
//! stamp, is made anew for each. So the generator costs little more than its system calls.

use bytes::Bytes;
use media::{Chunks, Kind};
use testkit::source::{Frame, Schedule, Slot};
use testkit::{SourceConfig, Stamp};

/// How a frame is put on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// As an RTMP message in chunks of this size.
    Rtmp {
        /// Bytes of a chunk.
        chunk_size: usize,
    },
    /// After its length in 32 bits.
    Length,
}

/// The frames that streams are made of.
#[derive(Debug)]
pub(crate) struct Bank {
    pictures: Vec<Entry>,
    sounds: Vec<Entry>,
    framing: Framing,
}

#[derive(Debug)]
struct Entry {
    frame: Frame,
    /// The framing's header and the frame as far as the stamp's end.
    head: [u8; HEAD_MAX],
    head_bytes: usize,
    /// The rest of the frame, with the framing between.
    rest: Bytes,
}

/// Room for a header of RTMP or of a length, of FLV, and a stamp.
const HEAD_MAX: usize = 64;
/// A chunk header with everything in it (RTMP 5.3.1.2.1) on a chunk stream below 64.
const RTMP_HEADER: usize = 12;
const LENGTH_HEADER: usize = 4;
/// Sounds that differ.
const SOUNDS: usize = 64;
/// Of their own, so that the session of the set-up knows nothing of them.
const VIDEO_CHUNK_STREAM: u8 = 10;
const AUDIO_CHUNK_STREAM: u8 = 11;

impl Bank {
    /// The frames of one group of pictures and some sounds.
    pub(crate) fn new(config: &SourceConfig, framing: Framing) -> Self {
        let entries = |config: &SourceConfig, count: usize| {
            let slots = Schedule::new(config).take(count);
            slots.zip(0..).map(|(slot, seed)| Entry::new(&slot, seed, framing)).collect()
        };
        let group = usize::try_from(config.key_interval).unwrap_or(usize::MAX);
        let pictures = SourceConfig { audio_kbps: 0, ..config.clone() };
        let sounds = SourceConfig { video_kbps: 0, ..config.clone() };
        let (pictures, sounds) = (entries(&pictures, group), entries(&sounds, SOUNDS));
        Self { pictures, sounds, framing }
    }

    /// Appends a frame to what a publisher sends.
    pub(crate) fn put(&self, slot: &Slot, stamp: &Stamp, message_stream: u32, out: &mut Chunks) {
        let Some(entry) = self.entry(slot) else { return };
        let mut head = entry.head;
        let body_at = match self.framing {
            Framing::Length => LENGTH_HEADER,
            Framing::Rtmp { .. } => {
                let [_, time @ ..] = timestamp(slot).to_be_bytes();
                let stream = message_stream.to_le_bytes();
                // Basic header, time, and behind length and type the message stream.
                head.iter_mut().skip(1).zip(time).for_each(|(place, byte)| *place = byte);
                head.iter_mut().skip(8).zip(stream).for_each(|(place, byte)| *place = byte);
                RTMP_HEADER
            }
        };
        if let Some(body) = head.get_mut(body_at..) {
            entry.frame.stamp(stamp, body);
        }
        out.put_slice(head.get(..entry.head_bytes).unwrap_or_default());
        out.put(entry.rest.clone());
    }

    /// Whether a recorded body is this slot's frame, bit for bit; returns its stamp.
    pub(crate) fn read(&self, slot: &Slot, body: &[u8]) -> Option<Stamp> {
        self.entry(slot)?.frame.read(body)
    }

    fn entry(&self, slot: &Slot) -> Option<&Entry> {
        let list = if slot.kind == Kind::Video { &self.pictures } else { &self.sounds };
        let count = u64::try_from(list.len()).ok().filter(|count| *count > 0)?;
        list.get(usize::try_from(slot.index % count).ok()?)
    }
}

/// The time on the wire; see [`is_over`].
fn timestamp(slot: &Slot) -> u32 {
    u32::try_from(slot.dts_ms()).unwrap_or(u32::MAX)
}

/// Whether the time of a slot needs more than 24 bits, which the headers here have no room for.
pub(crate) fn is_over(slot: &Slot) -> bool {
    slot.dts_ms() >= 0xFF_FFFF
}

impl Entry {
    fn new(slot: &Slot, seed: u64, framing: Framing) -> Self {
        let frame = Frame::new(slot, seed);
        let (first, rest) = frame.body().split_at(frame.head_bytes().min(frame.body().len()));
        let (header, rest) = match framing {
            Framing::Length => {
                let length = u32::try_from(slot.size).unwrap_or(u32::MAX);
                (length.to_be_bytes().to_vec(), rest.to_vec())
            }
            Framing::Rtmp { chunk_size } => {
                let chunk_stream = match slot.kind {
                    Kind::Video => VIDEO_CHUNK_STREAM,
                    _ => AUDIO_CHUNK_STREAM,
                };
                (rtmp_header(slot, chunk_stream), chunks(first, rest, chunk_size, chunk_stream))
            }
        };
        let mut head = [0; HEAD_MAX];
        head.iter_mut().zip(header.iter().chain(first)).for_each(|(place, byte)| *place = *byte);
        Self { head, head_bytes: header.len() + first.len(), rest: rest.into(), frame }
    }
}

/// Format 0 with the time and the message stream left open.
fn rtmp_header(slot: &Slot, chunk_stream: u8) -> Vec<u8> {
    let [_, l0, l1, l2] = u32::try_from(slot.size).unwrap_or(u32::MAX).to_be_bytes();
    vec![chunk_stream, 0, 0, 0, l0, l1, l2, slot.kind.number(), 0, 0, 0, 0]
}

/// What follows `first`, with a format 3 header before each further chunk.
fn chunks(first: &[u8], rest: &[u8], chunk_size: usize, chunk_stream: u8) -> Vec<u8> {
    let (begun, others) = rest.split_at(rest.len().min(chunk_size.saturating_sub(first.len())));
    let mut out = begun.to_vec();
    for chunk in others.chunks(chunk_size.max(1)) {
        out.push(0xc0 | chunk_stream);
        out.extend_from_slice(chunk);
    }
    out
}

#[cfg(test)]
mod tests;
