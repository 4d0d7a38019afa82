//! When a file system has too little room: pure; who asks it and who is told stands in `keeper`.
//!
//! In order, as the room gets less: a warning below twice the minimum, where retention makes room
//! if it may; below the minimum no recording goes on. From 1.25 times the minimum on they do again,
//! and the warning comes again only after there were 2.5 times.

use std::time::{Duration, Instant};

use crate::disk::Space;

/// The default minimum is at most this, in bytes, …
const MIN_FREE_MAX: u64 = 1 << 30;
/// … and this part of the file system.
const MIN_FREE_PART: u64 = 100;

/// How often a file system is asked, …
pub(crate) const SLOW: Duration = Duration::from_secs(5);
/// … and how often when there is little room, or soon will be.
pub(crate) const FAST: Duration = Duration::from_secs(1);
/// What "soon" is.
const SOON: Duration = Duration::from_secs(60);

/// Bytes that recording leaves free: what was asked for, or the smaller of 1 GiB and 1 % of the
/// file system.
pub(crate) fn minimum(asked: Option<u64>, space: &Space) -> u64 {
    asked.unwrap_or_else(|| MIN_FREE_MAX.min(space.total_bytes / MIN_FREE_PART))
}

/// Bytes that retention by free space keeps: enough for recording to go on without a warning.
pub(crate) fn retained_free(asked: Option<u64>, minimum: u64) -> Option<u64> {
    asked.map(|asked| asked.max(minimum.saturating_mul(5) / 2))
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Plenty,
    /// Less than twice the minimum.
    Low,
    /// Less than the minimum: nothing is recorded.
    Full,
}

/// What a person is to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// There is little room left. `full_in` is when none is at the present rate.
    Low { full_in: Option<Duration> },
    /// Recording stops.
    Full,
    /// Recording goes on.
    Again,
}

/// One file system.
#[derive(Debug)]
pub(crate) struct Watch {
    level: Level,
    last: Option<(Instant, u64)>,
    /// Bytes that went in a second, smoothed; 0 while it gets more.
    fall: u64,
    /// Bytes that recorders wrote in a second, smoothed, and when that was measured.
    rate: u64,
    written: Option<Instant>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { level: Level::Plenty, last: None, fall: 0, rate: 0, written: None }
    }

    /// Takes a look at the file system.
    pub(crate) fn look(&mut self, now: Instant, free: u64, minimum: u64) -> Option<Change> {
        self.measure(now, free);
        let was = self.level;
        self.level = next(was, free, minimum);
        match (was, self.level) {
            (Level::Plenty, Level::Low) => Some(Change::Low { full_in: self.full_in(minimum) }),
            (Level::Plenty | Level::Low, Level::Full) => Some(Change::Full),
            (Level::Full, Level::Plenty | Level::Low) => Some(Change::Again),
            _ => None,
        }
    }

    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// Recorders have written so much since the last time; returns how much that is in a second.
    pub(crate) fn wrote(&mut self, now: Instant, bytes: u64) -> u64 {
        if let Some(then) = self.written.replace(now) {
            self.rate = per_second(bytes, now.saturating_duration_since(then)) / 2 + self.rate / 2;
        }
        self.rate
    }

    /// How soon to look again.
    pub(crate) fn pause(&self, minimum: u64) -> Duration {
        let is_soon = self.full_in(minimum).is_some_and(|full_in| full_in <= SOON);
        if self.level != Level::Plenty || is_soon { FAST } else { SLOW }
    }

    /// When the minimum is reached if it goes on like this.
    pub(crate) fn full_in(&self, minimum: u64) -> Option<Duration> {
        let (_, free) = self.last?;
        free.saturating_sub(minimum).checked_div(self.fall).map(Duration::from_secs)
    }

    fn measure(&mut self, now: Instant, free: u64) {
        if let Some((then, before)) = self.last {
            let time = now.saturating_duration_since(then);
            let went = per_second(before.saturating_sub(free), time);
            // Half of it at once: a disk that begins to fill fast is to be noticed.
            self.fall = went / 2 + self.fall / 2;
        }
        self.last = Some((now, free));
    }
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000 / time.as_millis().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

fn next(level: Level, free: u64, minimum: u64) -> Level {
    let (free, minimum) = (u128::from(free), u128::from(minimum));
    // In quarters of the minimum.
    let has = |quarters: u128| free * 4 >= minimum * quarters;
    match level {
        _ if !has(4) => Level::Full,
        Level::Full if !has(5) => Level::Full,
        Level::Plenty if has(8) => Level::Plenty,
        _ if has(10) => Level::Plenty,
        _ => Level::Low,
    }
}

#[cfg(test)]
mod tests;
