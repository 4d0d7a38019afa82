//! From RTMP's 32-bit wrapping clock to times that only grow.

use bytes::Bytes;

use crate::{Kind, Packet};

/// Continues a 32-bit ms clock past its wrap, by serial-number arithmetic (RTMP 5.3.1.1: two adjacent timestamps
/// are less than 2^31 apart).
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwrap {
    last_ms: Option<i64>,
}

impl Unwrap {
    /// The unwrapped time of `timestamp`, next to the newest time that [`Unwrap::advance`] was told.
    pub fn peek(&self, timestamp: u32) -> i64 {
        let Some(last_ms) = self.last_ms else { return i64::from(timestamp) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "low 32 bits")]
        let last = last_ms as u32;
        #[expect(clippy::cast_possible_wrap, reason = "serial-number arithmetic")]
        let delta = timestamp.wrapping_sub(last) as i32;
        last_ms + i64::from(delta)
    }

    /// The packet of an RTMP message, its time unwrapped. Messages are to be given in the order they arrived.
    pub fn packet(&mut self, kind: Kind, timestamp: u32, body: Bytes) -> Packet {
        let packet = Packet::new(kind, self.peek(timestamp), body);
        if packet.is_media() {
            self.advance(packet.dts_ms);
        }
        packet
    }

    /// Sets the newest time. Only coded media moves it: headers and metadata often carry 0.
    pub fn advance(&mut self, dts_ms: i64) {
        self.last_ms = Some(dts_ms);
    }
}

/// File times: one base for all tracks, starting at 0, never going back within a track.
///
/// - The base is the first coded packet; whatever comes before it, or is a little older, is at 0.
/// - A header carries an arbitrary time, so it gets that of the packet before it.
/// - Within a track a step back of less than [`Rebase::STEP_MS`] is held at the newest time. A larger one, or one
///   forward of more than [`Rebase::GAP_MAX_MS`], is a new clock of the encoder: its times go on where the file is.
#[derive(Debug, Clone, Default)]
pub struct Rebase {
    /// What is taken off a track's times; `None` until its first coded packet.
    audio: Track,
    video: Track,
    newest_ms: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Track {
    base_ms: Option<i64>,
    newest_ms: u64,
}

impl Rebase {
    /// Steps back from here on (ms) are a new clock, not jitter.
    pub const STEP_MS: i64 = 1_000;
    /// Steps forward beyond this (ms) are a new clock, not a pause.
    pub const GAP_MAX_MS: i64 = 3_600_000;

    /// The file time of `packet` in ms.
    pub fn map(&mut self, packet: &Packet) -> u64 {
        let (track, other) = match packet.kind {
            _ if !packet.is_media() => return self.newest_ms,
            Kind::Audio => (self.audio, self.video),
            _ => (self.video, self.audio),
        };
        let dts_ms = packet.dts_ms;
        let newest_ms = i64::try_from(self.newest_ms).unwrap_or(i64::MAX);
        // How far the packet is from the newest packet of its own clock; None when that clock cannot be right.
        let fits = |base_ms: i64, from_ms: u64| {
            let at_ms = dts_ms.saturating_sub(base_ms);
            let step_ms = at_ms.saturating_sub(i64::try_from(from_ms).unwrap_or(i64::MAX));
            (step_ms > -Self::STEP_MS && step_ms <= Self::GAP_MAX_MS).then_some(base_ms)
        };
        let base_ms = track
            .base_ms
            .and_then(|base_ms| fits(base_ms, track.newest_ms))
            .or_else(|| other.base_ms.and_then(|base_ms| fits(base_ms, other.newest_ms)))
            .unwrap_or_else(|| dts_ms.saturating_sub(newest_ms));
        let at_ms = u64::try_from(dts_ms.saturating_sub(base_ms)).unwrap_or(0).max(track.newest_ms);
        let moved = Track { base_ms: Some(base_ms), newest_ms: at_ms };
        match packet.kind {
            Kind::Audio => self.audio = moved,
            _ => self.video = moved,
        }
        self.newest_ms = self.newest_ms.max(at_ms);
        at_ms
    }

    /// The newest file time handed out, in ms.
    pub fn newest_ms(&self) -> u64 {
        self.newest_ms
    }
}

#[cfg(test)]
mod tests;
