//! The `keyframes` property of a file, where one can start reading, and `trackPlaces`, where its tracks are.

use media::Kind;
use media::amf0::Value;
use media::hls::TrackName;

use crate::ledger::{millis, whole};

/// A place to start at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// On the file's clock, in ms.
    pub(super) time_ms: i64,
    /// First byte of the tag.
    pub(super) position: u64,
}

/// The places of a file, by time; thinned in long files. What it says is to be checked: it may have
/// been read while it was overwritten.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
}

impl Index {
    /// Reads the property; empty when it is none.
    pub(super) fn of_property(value: &Value) -> Self {
        let numbers = |name: &str| match value.property(name) {
            Some(Value::StrictArray(values)) => values.iter().filter_map(Value::as_f64).collect(),
            _ => Vec::new(),
        };
        let (times, positions): (Vec<f64>, Vec<f64>) = (numbers("times"), numbers("filepositions"));
        let entry = |(time, at): (f64, f64)| Entry { time_ms: millis(time), position: whole(at) };
        let mut entries: Vec<_> = times.into_iter().zip(positions).map(entry).collect();
        // In a list that was torn both are in order but for the seam.
        entries.sort_by_key(|entry| entry.time_ms);
        let mut end = 0;
        entries.retain(|entry| entry.position >= std::mem::replace(&mut end, entry.position));
        Self { entries }
    }

    /// The last place at or before `time_ms`.
    pub(super) fn last_at(&self, time_ms: i64) -> Option<Entry> {
        let after = self.entries.partition_point(|entry| entry.time_ms <= time_ms);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// The places from `from` to before `to`, which are bytes of the file.
    pub(super) fn between(&self, from: u64, to: u64) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.position < from);
        let last = self.entries.partition_point(|entry| entry.position < to);
        self.entries.get(first..last).unwrap_or_default()
    }
}

/// Most tracks that a file tells of.
const TRACKS_MAX: usize = 32;

/// Where a track is in a file: the first bytes of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrackPlaces {
    pub(super) name: TrackName,
    /// Its first message, which may be a configuration.
    pub(super) message: u64,
    /// Its first frame, and its newest.
    pub(super) first: u64,
    pub(super) newest: u64,
}

impl TrackPlaces {
    /// Reads the property; none of them when it was read while it was overwritten.
    pub(super) fn of_property(value: &Value) -> Vec<Self> {
        let Value::StrictArray(values) = value else { return Vec::new() };
        let numbers: Vec<_> = values.iter().filter_map(Value::as_f64).map(whole).collect();
        let (tracks, rest) = numbers.as_chunks();
        let read: Option<Vec<_>> = tracks.iter().take(TRACKS_MAX).map(Self::read).collect();
        read.filter(|_| rest.is_empty()).unwrap_or_default()
    }

    fn read(&[kind, id, message, first, newest]: &[u64; 5]) -> Option<Self> {
        let kinds = [Kind::Video, Kind::Audio];
        let kind = kinds.into_iter().find(|known| u64::from(known.number()) == kind)?;
        let name = TrackName { kind, id: u8::try_from(id).ok()? };
        let is_in_order = message <= first && first <= newest && newest < u64::MAX;
        is_in_order.then_some(Self { name, message, first, newest })
    }
}

#[cfg(test)]
mod tests;
