//! The body of a frame: FLV header, stamp, noise.

use bytes::Bytes;
use media::Kind;

use super::Slot;
use super::stamp::{self, Stamp};
use crate::noise::Noise;

/// A frame's body, to be stamped any number of times.
#[derive(Debug, Clone)]
pub struct Frame {
    body: Vec<u8>,
    stamp_at: usize,
    /// Of all bytes but the stamp.
    sum: u64,
}

impl Frame {
    /// The frame for a slot, its noise made of `seed`.
    pub fn new(slot: &Slot, seed: u64) -> Self {
        let mut body = Vec::with_capacity(slot.size);
        match slot.kind {
            Kind::Video => {
                let [_, c0, c1, c2] = slot.composition_ms.to_be_bytes();
                body.extend([if slot.key { 0x17 } else { 0x27 }, 0x01, c0, c1, c2]);
                let nal_bytes = slot.size.saturating_sub(body.len() + 4);
                body.extend(u32::try_from(nal_bytes).unwrap_or(u32::MAX).to_be_bytes());
                // A slice of an IDR picture, or of any other.
                body.push(if slot.key { 0x65 } else { 0x41 });
            }
            _ => body.extend([0xaf, 0x01]),
        }
        let stamp_at = body.len();
        body.resize(stamp_at + Stamp::BYTES, 0);
        let mut noise = Noise::new(seed);
        while body.len() < slot.size {
            let word = noise.next_u64().to_le_bytes();
            let left = slot.size - body.len();
            body.extend(word.iter().take(left));
        }
        let sum = stamp::sum(&body, stamp_at);
        Self { body, stamp_at, sum }
    }

    /// A copy of the body with this stamp.
    pub fn stamped(&self, stamp: &Stamp) -> Bytes {
        let mut body = self.body.clone();
        self.stamp(stamp, &mut body);
        body.into()
    }

    /// Writes a stamp into `body`, which begins as the frame does and has at least
    /// [`Frame::head_bytes`].
    pub fn stamp(&self, stamp: &Stamp, body: &mut [u8]) {
        if let Some(place) = body.get_mut(self.stamp_at..self.head_bytes()) {
            place.copy_from_slice(&stamp.encode(self.sum));
        }
    }

    /// The body, without a stamp.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Where the stamp ends; what follows is the same whatever the stamp.
    pub fn head_bytes(&self) -> usize {
        self.stamp_at + Stamp::BYTES
    }

    /// Whether `body` is this frame with an intact stamp; returns the stamp.
    pub fn read(&self, body: &[u8]) -> Option<Stamp> {
        let before = body.get(..self.stamp_at)? == self.body.get(..self.stamp_at)?;
        let after = body.get(self.head_bytes()..)? == self.body.get(self.head_bytes()..)?;
        let stamp = body.get(self.stamp_at..)?.first_chunk()?;
        Stamp::decode(stamp, self.sum).filter(|_| before && after)
    }
}
