//! How long disks take to write: a histogram that recorders add to and others read, without waiting
//! on either side.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets, in ms; what takes longer is in one more.
pub const LATENCY_BOUNDS_MS: [u64; 14] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];
const BUCKETS: usize = LATENCY_BOUNDS_MS.len() + 1;

/// How long appends and syncs took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// Calls by how long they took: at most so many ms as [`LATENCY_BOUNDS_MS`] says and more than
    /// the bound before; the last are those that took longer than all bounds.
    pub counts: [u64; BUCKETS],
    /// All of them together.
    pub sum: Duration,
}

impl Latency {
    /// All calls.
    pub fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A [`Latency`] that grows.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Stopwatch {
    pub(crate) fn add(&self, took: Duration) {
        let within = |bound_ms: &u64| took <= Duration::from_millis(*bound_ms);
        let bucket = LATENCY_BOUNDS_MS.iter().position(within).unwrap_or(BUCKETS - 1);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Latency {
        let mut counts = [0; BUCKETS];
        for (count, now) in counts.iter_mut().zip(&self.counts) {
            *count = now.load(Ordering::Relaxed);
        }
        Latency { counts, sum: Duration::from_micros(self.sum_us.load(Ordering::Relaxed)) }
    }
}

#[cfg(test)]
mod tests;
