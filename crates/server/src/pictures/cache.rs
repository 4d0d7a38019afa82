//! What was made, as far as there is room: the least recently asked for goes first.

use std::collections::HashMap;
use std::time::Instant;

use super::{Of, Outcome};

/// What an entry costs beside its bytes.
const ENTRY_BYTES: usize = 512;

/// Outcomes by what they are of.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Of, Entry>,
    size_bytes: usize,
    /// Grows with each use.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    outcome: Outcome,
    made: Instant,
    used: u64,
}

impl Entry {
    fn size_bytes(&self) -> usize {
        ENTRY_BYTES + self.outcome.as_ref().map_or(0, |jpeg| jpeg.bytes.len())
    }
}

impl Cache {
    /// What is kept, and when it was made.
    pub(super) fn get(&mut self, of: &Of) -> Option<(Instant, Outcome)> {
        self.clock += 1;
        let entry = self.entries.get_mut(of)?;
        entry.used = self.clock;
        Some((entry.made, entry.outcome.clone()))
    }

    /// Keeps an outcome, within `room` bytes.
    pub(super) fn put(&mut self, of: Of, outcome: Outcome, room: usize) {
        self.clock += 1;
        self.remove(&of);
        let entry = Entry { outcome, made: Instant::now(), used: self.clock };
        self.size_bytes += entry.size_bytes();
        self.entries.insert(of, entry);
        // Some hundred entries or thousand: a walk costs less than a picture by far.
        while self.size_bytes > room
            && let Some((of, _)) = self.entries.iter().min_by_key(|(_, entry)| entry.used)
        {
            let of = of.clone();
            self.remove(&of);
        }
    }

    /// Keeps only these.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&Of) -> bool) {
        self.entries.retain(|of, _| keeps(of));
        self.size_bytes = self.entries.values().map(Entry::size_bytes).sum();
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    fn remove(&mut self, of: &Of) {
        if let Some(entry) = self.entries.remove(of) {
            self.size_bytes -= entry.size_bytes();
        }
    }
}
