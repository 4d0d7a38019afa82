//! From RTMP's 32-bit wrapping clock to times that only grow.

use bytes::Bytes;

use crate::{Kind, Packet, Role};

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
/// - The base is the first coded packet, or what [`Rebase::from_ms`] says; whatever comes before it, or is a
///   little older, is at 0.
/// - A header carries an arbitrary time, so it gets that of the packet before it.
/// - What happens once at its time (a cue point, the end of a sequence) keeps that, where it is within
///   [`Rebase::STEP_MS`] of a clock's newest packet; else it gets the time of the packet before it. No
///   clock follows it.
/// - Within a track a step back of less than [`Rebase::STEP_MS`] is held at the newest time. A larger
///   one, or one forward of more than [`Rebase::GAP_MAX_MS`], is a new clock of the encoder: its
///   times go on where the file is.
/// - Tracks stay in step: a packet that does not fit its own track's clock may fit that of another,
///   which was the first to change.
#[derive(Debug, Clone, Default)]
pub struct Rebase {
    /// At most one for each of two kinds and 256 ids.
    tracks: Vec<Track>,
    newest_ms: u64,
    /// What is taken off the times of the first packet, if not its own.
    origin_ms: Option<i64>,
}

/// Where a packet is put, and what that does to its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placed {
    /// Time in the file, ms.
    pub time_ms: u64,
    /// It is later than the packet's own time says: the track's clock went back a little.
    pub is_late: bool,
    /// The encoder has a new clock: neither the track's nor that of another track fits. Told of the
    /// first packet of the new clock alone.
    pub is_jump: bool,
}

/// The clock of a track that has had coded packets.
#[derive(Debug, Clone, Copy)]
struct Track {
    kind: Kind,
    id: u8,
    /// What is taken off its times.
    base_ms: i64,
    /// The newest of its times, less the base: negative before the file's first packet.
    newest_ms: i64,
}

impl Track {
    /// The packet's time by this clock; `None` when that is too far from the clock's newest packet.
    fn fit(&self, dts_ms: i64) -> Option<i64> {
        let at_ms = dts_ms.saturating_sub(self.base_ms);
        let step_ms = at_ms.saturating_sub(self.newest_ms);
        (step_ms > -Rebase::STEP_MS && step_ms <= Rebase::GAP_MAX_MS).then_some(at_ms)
    }
}

impl Rebase {
    /// Steps back from here on (ms) are a new clock, not jitter.
    pub const STEP_MS: i64 = 1_000;
    /// Steps forward beyond this (ms) are a new clock, not a pause.
    pub const GAP_MAX_MS: i64 = 3_600_000;

    /// Times that begin at 0 with a packet of `origin_ms`, which need not be the first: sound that was sent a
    /// little late keeps its place.
    pub fn from_ms(origin_ms: i64) -> Self {
        Self { origin_ms: Some(origin_ms), ..Self::default() }
    }

    /// The file time of `packet` in ms.
    pub fn map(&mut self, packet: &Packet) -> u64 {
        self.place(packet).time_ms
    }

    /// The file time of `packet`, and what happened to it.
    pub fn place(&mut self, packet: &Packet) -> Placed {
        if packet.role == Role::Event {
            return self.place_event(packet);
        }
        if !packet.is_media() {
            return Placed { time_ms: self.newest_ms, ..Placed::default() };
        }
        let dts_ms = packet.dts_ms;
        let known = self.position_of(packet);
        let own = known.and_then(|at| self.tracks.get(at)).copied();
        // Of the clocks that fit the one that is the furthest: the newest, when one has jumped.
        let other_ms = || {
            let fits = self.tracks.iter().filter_map(|t| Some((t.newest_ms, t.fit(dts_ms)?)));
            fits.max_by_key(|(newest_ms, _)| *newest_ms).map(|(_, at_ms)| at_ms)
        };
        let fit_ms = own.and_then(|own| own.fit(dts_ms)).or_else(other_ms);
        let first_ms = || self.origin_ms.take().map(|origin_ms| dts_ms.saturating_sub(origin_ms));
        let carried_ms =
            fit_ms.or_else(first_ms).unwrap_or(i64::try_from(self.newest_ms).unwrap_or(i64::MAX));
        let newest_ms = own.map_or(carried_ms, |own| own.newest_ms.max(carried_ms));
        let time_ms = u64::try_from(newest_ms).unwrap_or(0);
        let moved = Track {
            kind: packet.kind,
            id: packet.track,
            base_ms: dts_ms.saturating_sub(carried_ms),
            newest_ms,
        };
        match known.and_then(|at| self.tracks.get_mut(at)) {
            Some(track) => *track = moved,
            None => self.tracks.push(moved),
        }
        self.newest_ms = self.newest_ms.max(time_ms);
        Placed {
            time_ms,
            is_late: carried_ms < newest_ms,
            is_jump: own.is_some() && fit_ms.is_none(),
        }
    }

    /// The time of an event by its own track's clock, or by the one that is the furthest of those that fit.
    fn place_event(&self, packet: &Packet) -> Placed {
        let fits = |track: &Track| {
            track.fit(packet.dts_ms).filter(|at_ms| at_ms - track.newest_ms <= Self::STEP_MS)
        };
        let own = self.position_of(packet).and_then(|at| self.tracks.get(at));
        let furthest = || {
            let clocks =
                self.tracks.iter().filter_map(|track| Some((track.newest_ms, fits(track)?)));
            clocks.max_by_key(|(newest_ms, _)| *newest_ms).map(|(_, at_ms)| at_ms)
        };
        let Some(at_ms) = own.and_then(fits).or_else(furthest) else {
            return Placed { time_ms: self.newest_ms, ..Placed::default() };
        };
        let held_ms = own.map_or(at_ms, |own| own.newest_ms.max(at_ms));
        let time_ms = u64::try_from(held_ms).unwrap_or(0);
        Placed { time_ms, is_late: at_ms < held_ms, is_jump: false }
    }

    fn position_of(&self, packet: &Packet) -> Option<usize> {
        self.tracks.iter().position(|t| (t.kind, t.id) == (packet.kind, packet.track))
    }

    /// The newest file time of coded packets, in ms.
    pub fn newest_ms(&self) -> u64 {
        self.newest_ms
    }
}

#[cfg(test)]
mod tests;
