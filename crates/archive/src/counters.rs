//! What a recording has done so far, readable at any time without waiting for it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one recording, or of all since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes in the files.
    pub bytes: u64,
    /// Packets in the files.
    pub packets: u64,
    /// Length of the media in the files, in ms.
    pub duration_ms: u64,
    /// Packets that came while recording and are in no file: the lost, the refused, and those that
    /// came while the disk was in trouble.
    pub dropped_packets: u64,
    /// Bytes of their bodies.
    pub dropped_bytes: u64,
    /// Stretches that the recorder did not get because it was too slow.
    pub gaps: u64,
    /// Packets in the gaps.
    pub lost_packets: u64,
    /// Bytes of the bodies in the gaps.
    pub lost_bytes: u64,
    /// Packets that the container cannot hold.
    pub refused_packets: u64,
    /// Times that the disk got into trouble, or spoilt the end of a file.
    pub errors: u64,
}

/// [`Counters`] that one thread adds to and others read.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes: AtomicU64,
    packets: AtomicU64,
    duration_ms: AtomicU64,
    dropped_packets: AtomicU64,
    dropped_bytes: AtomicU64,
    gaps: AtomicU64,
    lost_packets: AtomicU64,
    lost_bytes: AtomicU64,
    refused_packets: AtomicU64,
    errors: AtomicU64,
}

impl Meter {
    pub(crate) fn add(&self, more: &Counters) {
        let pairs = [
            (&self.bytes, more.bytes),
            (&self.packets, more.packets),
            (&self.duration_ms, more.duration_ms),
            (&self.dropped_packets, more.dropped_packets),
            (&self.dropped_bytes, more.dropped_bytes),
            (&self.gaps, more.gaps),
            (&self.lost_packets, more.lost_packets),
            (&self.lost_bytes, more.lost_bytes),
            (&self.refused_packets, more.refused_packets),
            (&self.errors, more.errors),
        ];
        for (counter, more) in pairs {
            if more > 0 {
                counter.fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            bytes: read(&self.bytes),
            packets: read(&self.packets),
            duration_ms: read(&self.duration_ms),
            dropped_packets: read(&self.dropped_packets),
            dropped_bytes: read(&self.dropped_bytes),
            gaps: read(&self.gaps),
            lost_packets: read(&self.lost_packets),
            lost_bytes: read(&self.lost_bytes),
            refused_packets: read(&self.refused_packets),
            errors: read(&self.errors),
        }
    }
}
