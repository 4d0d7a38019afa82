//! Segments that have left memory, as far back as a playlist may rewind: what is told of them in playlists, and the
//! [`Trace`] by which their packets are found in a recording. Bounded in number and in time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Init, Segment, Trace};

/// Segments that are known, at most.
const ENTRIES: usize = 50_000;
/// How long they are together, in ms: what a playlist may reach back, and what is in memory beside.
const LONGEST_MS: u64 = 25 * 3_600_000;
/// Bytes of the initializations: one has some hundred, unless somebody sends others all the time.
const INIT_BYTES: usize = 8 << 20;

/// A segment that was live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    /// Its number among all segments.
    pub number: u64,
    /// The number of its initialization.
    pub init: u64,
    /// When it began by the clock on the wall, in ms since 1970.
    pub unix_ms: i64,
    /// Its length.
    pub duration_ms: u64,
    /// Whether it does not go on where the one before it ended.
    pub is_discontinuous: bool,
    /// Whether there was nothing in it.
    pub is_gap: bool,
    /// Discontinuities before it.
    pub discontinuities: u64,
    /// What it was made of, where that is known.
    pub trace: Option<Trace>,
}

impl From<&Segment> for Logged {
    fn from(segment: &Segment) -> Self {
        Self {
            number: segment.number,
            init: segment.init,
            unix_ms: segment.begin.unix_ms,
            duration_ms: segment.duration_ms(),
            is_discontinuous: segment.begin.is_discontinuous,
            is_gap: segment.is_gap(),
            discontinuities: segment.discontinuities,
            trace: segment.trace,
        }
    }
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<Logged>,
    inits: VecDeque<(u64, Arc<Init>)>,
    init_bytes: usize,
    length_ms: u64,
}

impl Log {
    /// A segment leaves memory.
    pub(super) fn push(&mut self, segment: &Segment) {
        let entry = Logged::from(segment);
        self.length_ms += entry.duration_ms;
        self.entries.push_back(entry);
        if self.inits.back().is_none_or(|(number, _)| *number != entry.init) {
            self.init_bytes += segment.begin.init.bytes.len();
            self.inits.push_back((entry.init, segment.begin.init.clone()));
        }
        let is_over = |log: &Self| {
            let is_long = log.entries.len() > ENTRIES || log.length_ms > LONGEST_MS;
            is_long || log.init_bytes > INIT_BYTES && log.inits.len() > 1
        };
        while is_over(self) {
            let Some(gone) = self.entries.pop_front() else { return };
            self.length_ms -= gone.duration_ms;
            let oldest = self.entries.front().map_or(u64::MAX, |oldest| oldest.init);
            while let Some((_, init)) = self.inits.pop_front_if(|(number, _)| *number < oldest) {
                self.init_bytes -= init.bytes.len();
            }
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Logged> {
        self.entries.iter()
    }

    /// Those from a number on.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = &Logged> {
        let first = self.entries.front().map_or(0, |oldest| oldest.number);
        let at = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        self.entries.range(at.min(self.entries.len())..)
    }

    pub(super) fn at(&self, number: u64) -> Option<&Logged> {
        let first = self.entries.front()?.number;
        self.entries.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    pub(super) fn init(&self, number: u64) -> Option<&Arc<Init>> {
        let at = self.inits.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.inits.get(at).map(|(_, init)| init)
    }

    /// Bytes that it takes.
    pub(super) fn size_bytes(&self) -> u64 {
        (self.entries.len() * size_of::<Logged>() + self.init_bytes) as u64
    }
}
