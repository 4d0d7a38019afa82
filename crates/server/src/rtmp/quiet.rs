//! When a publisher's socket is read by the clock instead of at once.
//!
//! Of a stream that nobody watches no frame is urgent: what arrives is only recorded, a batch at a time. So its
//! socket is left alone and read when some tens of KiB should be in it, at moments that all such connections share: one
//! wake-up serves many of them. What is fast wakes the task, for the socket's buffer would fill up; what is slow does too.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The time between two reads, and that of the grid earlier at the earliest.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(200);
const GRID: Duration = Duration::from_millis(10);
/// How often a watched socket is asked about, and how many reads are then too few.
const LOOK: Duration = Duration::from_millis(500);
const LOOK_READS: usize = 10;
/// More than this in the shortest time, in bytes, is fast: half of what any system keeps for a socket.
const FAST: u64 = 64 << 10;
/// So many bytes are waited for: a key frame may be among them.
const AWAITED: u64 = 48 << 10;

/// The clock of one connection.
#[derive(Debug)]
pub(super) struct Quiet {
    /// When it was looked at, and when it is next.
    since: Instant,
    due: Instant,
    /// Bytes read since it was looked at, and reads.
    bytes: u64,
    reads: usize,
    /// Of what a killed process may cost, so much is allowed to be in a socket.
    longest: Duration,
}

impl Quiet {
    /// `flush` is the longest that a packet may wait before the system has it.
    pub(super) fn new(now: Instant, flush: Duration) -> Self {
        Self { since: now, due: now + LOOK, bytes: 0, reads: 0, longest: LONGEST.min(flush / 4) }
    }

    /// Counts what was read.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.reads = self.reads.saturating_add(1);
    }

    /// Whether the next decision is due: after a read, where that is by the clock.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.longest >= SHORTEST && now >= self.due
    }

    /// When a quiet socket is to be read.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Decides for the time to come. `was` and `may_be` are whether the socket is quiet, and may be but for its rate.
    pub(super) fn decide(&mut self, now: Instant, was: bool, may_be: bool) -> bool {
        let passed = now.saturating_duration_since(std::mem::replace(&mut self.since, now));
        let (bytes, reads) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.reads));
        // Where little comes, being woken costs less.
        let is_slow = reads < if was { 1 } else { LOOK_READS };
        // How long `of` bytes take.
        let time = |of: u64| passed.as_secs_f64() * of as f64 / bytes.max(1) as f64;
        let quiet = may_be && !is_slow && time(FAST) >= SHORTEST.as_secs_f64();
        let longest = self.longest.max(SHORTEST);
        let awaited = Duration::try_from_secs_f64(time(AWAITED)).unwrap_or(longest);
        self.due = if quiet { next(now, awaited.clamp(SHORTEST, longest)) } else { now + LOOK };
        quiet
    }
}

/// The last moment of the grid within a period from `now`.
fn next(now: Instant, period: Duration) -> Instant {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = *BEGAN.get_or_init(Instant::now);
    let at = now.saturating_duration_since(began) + period;
    let over = at.as_nanos() % GRID.as_nanos();
    now + period - Duration::from_nanos(u64::try_from(over).unwrap_or(0))
}

#[cfg(test)]
mod tests;
