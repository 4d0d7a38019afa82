//! What a connection has carried.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that one task at a time adds to and others read.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    packets_in: AtomicU64,
    packets_out: AtomicU64,
}

/// What they say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// Media and data messages of publishers.
    pub(crate) packets_in: u64,
    /// The same to players.
    pub(crate) packets_out: u64,
}

impl std::ops::Add for Amounts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            bytes_in: self.bytes_in + more.bytes_in,
            bytes_out: self.bytes_out + more.bytes_out,
            packets_in: self.packets_in + more.packets_in,
            packets_out: self.packets_out + more.packets_out,
        }
    }
}

impl Traffic {
    /// Bytes were read.
    pub(crate) fn read_bytes(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes were written.
    pub(crate) fn write_bytes(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Packets came.
    pub(crate) fn receive(&self, packets: usize) {
        self.packets_in.fetch_add(packets as u64, Ordering::Relaxed);
    }

    /// Packets were sent.
    pub(crate) fn send(&self, packets: usize) {
        self.packets_out.fetch_add(packets as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Amounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Amounts {
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            packets_in: read(&self.packets_in),
            packets_out: read(&self.packets_out),
        }
    }

    pub(crate) fn add(&self, more: Amounts) {
        self.bytes_in.fetch_add(more.bytes_in, Ordering::Relaxed);
        self.bytes_out.fetch_add(more.bytes_out, Ordering::Relaxed);
        self.packets_in.fetch_add(more.packets_in, Ordering::Relaxed);
        self.packets_out.fetch_add(more.packets_out, Ordering::Relaxed);
    }
}
