//! Whether the `keyframes` property says the truth.

use crate::{Kind, Role, amf0::Value, flv::scan::Tag};

/// What the check of an index gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IndexCheck {
    /// There is no index.
    #[default]
    None,
    /// Every entry is the first byte of a tag at which one can start, with its time.
    True {
        /// How many.
        entries: usize,
    },
    /// Some are not.
    Wrong {
        /// How many there are.
        entries: usize,
        /// How many are wrong.
        wrong: usize,
    },
}

/// An index as the file has it, checked as the tags come by.
#[derive(Debug)]
pub(super) struct Declared {
    /// Position and time in ms, by position; the last is the next to be looked for.
    left: Vec<(f64, f64)>,
    entries: usize,
    /// Entries at which video, and audio, can be started.
    video: usize,
    audio: usize,
}

/// A configuration belongs to the key frame that follows it within this time (ms), whose time the
/// entry has.
const TIME_MAX_MS: f64 = 1_000.0;

impl Declared {
    /// Reads `times` (seconds) and `filepositions`; `None` when they are not two arrays of numbers.
    pub(super) fn new(keyframes: &Value) -> Option<Self> {
        let numbers = |name| match keyframes.property(name) {
            Some(Value::StrictArray(values)) => {
                values.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        let (times, positions) = (numbers("times")?, numbers("filepositions")?);
        let entries = times.len().max(positions.len());
        let times_ms = times.into_iter().map(|time_s| time_s * 1000.0);
        let mut left: Vec<_> = positions.into_iter().zip(times_ms).collect();
        left.sort_by(|a, b| b.0.total_cmp(&a.0));
        Some(Self { left, entries, video: 0, audio: 0 })
    }

    /// Looks whether an entry is that of `tag`; tags come in the order of the file.
    #[expect(clippy::cast_precision_loss, reason = "the index has no other numbers")]
    pub(super) fn check(&mut self, tag: &Tag) {
        while let Some(&(position, time_ms)) = self.left.last() {
            if position > tag.offset as f64 {
                return;
            }
            self.left.pop();
            let is_near = (time_ms - f64::from(tag.header.timestamp_ms)).abs() <= TIME_MAX_MS;
            if position == tag.offset as f64 && is_near {
                match (tag.packet.kind, tag.packet.role) {
                    (Kind::Video, Role::Key | Role::Config | Role::Metadata) => self.video += 1,
                    (Kind::Audio, _) => self.audio += 1,
                    _ => {}
                }
            }
        }
    }

    pub(super) fn finish(self, has_video: bool) -> IndexCheck {
        let right = if has_video { self.video } else { self.video + self.audio };
        let (entries, wrong) = (self.entries, self.entries.saturating_sub(right));
        if wrong == 0 { IndexCheck::True { entries } } else { IndexCheck::Wrong { entries, wrong } }
    }
}
