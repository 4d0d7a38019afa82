//! When a publisher's socket is read by the clock instead of at once.
//!
//! Of a stream that nobody watches no frame is urgent: what arrives is only recorded, a batch at a time. So its
//! socket is left alone and read every [`PERIOD`], at moments that all such connections share: one wake-up serves
//! many of them. What is fast wakes the task, for the socket's buffer would fill up; what is slow does too.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The longest between two reads, and that much earlier at the earliest.
const PERIOD: Duration = Duration::from_millis(50);
const GRID: Duration = Duration::from_millis(10);
/// How often a watched socket is asked about.
const LOOK_PERIODS: usize = 10;
const LOOK: Duration = Duration::from_millis(500);
/// More than this in one period, in bytes, is fast: half of what any system keeps for a socket.
const FAST: usize = 64 << 10;

/// The clock of one connection.
#[derive(Debug)]
pub(super) struct Quiet {
    /// When it is looked at next.
    due: Instant,
    /// Bytes read since it was looked at, and reads.
    bytes: usize,
    reads: usize,
    /// Of what a killed process may cost, this is allowed to be in a socket.
    is_allowed: bool,
}

impl Quiet {
    /// `flush` is the longest that a packet may wait before the system has it.
    pub(super) fn new(now: Instant, flush: Duration) -> Self {
        Self { due: now + LOOK, bytes: 0, reads: 0, is_allowed: flush >= PERIOD * 4 }
    }

    /// Counts what was read.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.reads = self.reads.saturating_add(1);
    }

    /// Whether the next decision is due: after a read, where that is by the clock.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.is_allowed && now >= self.due
    }

    /// When a quiet socket is to be read.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Decides for the time to come. `was` and `may_be` are whether the socket is quiet, and may be but for its rate.
    pub(super) fn decide(&mut self, now: Instant, was: bool, may_be: bool) -> bool {
        let periods = if was { 1 } else { LOOK_PERIODS };
        let (bytes, reads) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.reads));
        // Where little comes, being woken costs less.
        let quiet = may_be && reads >= periods && bytes <= FAST * periods;
        self.due = if quiet { next(now) } else { now + LOOK };
        quiet
    }
}

/// The last moment of the grid within a period from `now`.
fn next(now: Instant) -> Instant {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = *BEGAN.get_or_init(Instant::now);
    let at = now.saturating_duration_since(began) + PERIOD;
    let over = at.as_nanos() % GRID.as_nanos();
    now + PERIOD - Duration::from_nanos(u64::try_from(over).unwrap_or(0))
}

#[cfg(test)]
mod tests;
