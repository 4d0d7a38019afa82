//! What retention would do now, and when the disk will be full: read-only.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Cause, Guard, Keep, Planner, Rooms, Rules};
use crate::Policy;
use crate::catalog::{Deletion, Error, Reader, Segment};
use crate::disk::{Disk, Space};
use crate::space::minimum;

/// The rate of writing is that of so long a time, or of the catalog's where that is younger.
const RATE_OVER: Duration = Duration::from_secs(24 * 3_600);

/// A segment that would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// Which.
    pub segment: Segment,
    /// How long ago its last packet came.
    pub age: Duration,
    /// By which rule.
    pub cause: Cause,
}

/// A segment that would go if nothing protected it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub segment: Segment,
    /// How long ago its last packet came.
    pub age: Duration,
    /// What protects it.
    pub keep: Keep,
}

/// When something happens if all goes on as in the last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// It does not.
    Never,
    /// After this time.
    In(Duration),
    /// Nobody can tell: the disk does not say how much room it has.
    Unknown,
}

/// The state of a record directory, and what retention would do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// What would go, oldest first.
    pub doomed: Vec<Doomed>,
    /// What would go as well if nothing protected it, oldest first.
    pub kept: Vec<Kept>,
    /// The newest deletions, newest first.
    pub deletions: Vec<Deletion>,
    /// Segments: finished, and being written.
    pub segments: u64,
    /// Bytes of their files.
    pub total_bytes: u64,
    /// Segments in the bin, which are none of those.
    pub bin_segments: u64,
    /// Bytes of their files, which count for limits of size.
    pub bin_bytes: u64,
    /// The file system; `None` where it does not say.
    pub space: Option<Space>,
    /// Room that recording leaves, in bytes.
    pub min_free_bytes: u64,
    /// What was written in a second, over the last day or since the oldest recording.
    pub bytes_per_second: u64,
    /// When recording has to stop for want of room if nothing is deleted.
    pub full: Forecast,
    /// When it has to although the rules are in force.
    pub full_with_rules: Forecast,
}

impl Outlook {
    /// Looks at the record directory of `reader` and what else it knows. `deletions` bounds those
    /// that are listed.
    ///
    /// # Errors
    /// Those of the catalog. What the disk does not say is unknown.
    pub fn new(
        reader: &Reader,
        disk: &dyn Disk,
        policy: &Policy,
        now_unix_ms: i64,
        deletions: usize,
    ) -> Result<Self, Error> {
        let unfinished = reader.unfinished()?;
        let growing = growing_bytes(disk, &unfinished);
        let bytes = bytes(reader, disk, &unfinished)?;
        let (finished, finished_bytes) = reader.finished_total()?;
        let (bin_segments, bin_bytes) = reader.binned_total()?;
        let space = disk.space(reader.record_dir()).ok();
        let min_free = policy.min_free;
        let min_free_bytes = space.map_or(min_free.unwrap_or(0), |space| minimum(min_free, &space));
        let rooms = rooms(reader, disk, policy)?;
        let mut planner = Planner::new(policy, now_unix_ms, &bytes, rooms);
        let guard = Guard::new(disk);
        let (mut doomed, mut kept) = (Vec::new(), Vec::new());
        for segment in reader.oldest_first() {
            let segment = segment?;
            let Some(cause) = planner.judge(&segment) else {
                if planner.is_done(&segment) {
                    break;
                }
                continue;
            };
            let age = planner.age(&segment);
            match guard.keep(&segment.path, policy.rules(&segment.recorder)) {
                Some(keep) => kept.push(Kept { segment, age, keep }),
                None => {
                    planner.deleted(&segment);
                    doomed.push(Doomed { segment, age, cause });
                }
            }
        }
        let bytes_per_second = rate(reader, now_unix_ms, growing)?;
        let room = space.map(|space| space.free_bytes.saturating_sub(min_free_bytes));
        let full = room.map_or(Forecast::Unknown, |room| full_in(room, bytes_per_second));
        let rules = || policy.by_recorder.values().chain([&policy.retention]);
        // Each as if all that comes were its own: who writes how much tomorrow nobody knows.
        let total = |rules: &Rules| {
            let under = bytes.iter().filter(|(name, _)| policy.rules(name) == rules);
            under.map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
        };
        let growths = rules().map(|rules| growth(rules, bytes_per_second, total(rules)));
        let most = growths.fold(0, u64::saturating_add);
        // What is kept cannot make room.
        let is_bounded = kept.is_empty() && rules().all(|rules| rules.free_bytes.is_some())
            || room.is_some_and(|room| most <= room);
        Ok(Self {
            doomed,
            kept,
            deletions: reader.deletions(deletions)?,
            segments: finished.saturating_add(unfinished.len() as u64),
            total_bytes: finished_bytes.saturating_add(growing),
            bin_segments,
            bin_bytes,
            space,
            min_free_bytes,
            bytes_per_second,
            full,
            full_with_rules: if is_bounded { Forecast::Never } else { full },
        })
    }

    /// Bytes of what would go.
    pub fn doomed_bytes(&self) -> u64 {
        self.doomed.iter().map(|doomed| doomed.segment.size_bytes).sum()
    }
}

/// Bytes of each recorder's segments, those that grow and those in the bin among them.
pub(crate) fn bytes(
    reader: &Reader,
    disk: &dyn Disk,
    unfinished: &[Segment],
) -> Result<BTreeMap<String, u64>, Error> {
    let mut bytes = reader.bytes_by_recorder()?;
    for segment in unfinished {
        let total: &mut u64 = bytes.entry(segment.recorder.clone()).or_default();
        *total = total.saturating_add(growing_bytes(disk, std::slice::from_ref(segment)));
    }
    Ok(bytes)
}

/// The file systems of what is recorded to.
pub(crate) fn rooms<'a>(
    reader: &Reader,
    disk: &'a dyn Disk,
    policy: &Policy,
) -> Result<Rooms<'a>, Error> {
    let mut rooms = Rooms::new(disk, policy.min_free);
    rooms.learn(reader.record_dir());
    for dir in reader.dirs()? {
        rooms.learn(&dir);
    }
    Ok(rooms)
}

/// Bytes of the files that grow, as they are now.
fn growing_bytes(disk: &dyn Disk, unfinished: &[Segment]) -> u64 {
    let size = |segment: &Segment| disk.entry(&segment.path).map_or(0, |entry| entry.size_bytes);
    unfinished.iter().map(size).fold(0, u64::saturating_add)
}

fn rate(reader: &Reader, now_unix_ms: i64, growing: u64) -> Result<u64, Error> {
    let Some(oldest) = reader.oldest_start()? else { return Ok(0) };
    let day = i64::try_from(RATE_OVER.as_millis()).unwrap_or(i64::MAX);
    let since = oldest.max(now_unix_ms.saturating_sub(day));
    let seconds = u64::try_from(now_unix_ms.saturating_sub(since) / 1_000).unwrap_or(0).max(1);
    Ok(reader.written_since(since)?.saturating_add(growing) / seconds)
}

fn full_in(room: u64, bytes_per_second: u64) -> Forecast {
    match room.checked_div(bytes_per_second) {
        Some(seconds) => Forecast::In(Duration::from_secs(seconds)),
        None if room == 0 => Forecast::In(Duration::ZERO),
        None => Forecast::Never,
    }
}

/// How many bytes more than now age and total size let there be at this rate.
fn growth(rules: &Rules, bytes_per_second: u64, total_bytes: u64) -> u64 {
    let by_age = rules.age.map(|age| bytes_per_second.saturating_mul(age.as_secs()));
    let most = by_age.into_iter().chain(rules.total_bytes).min();
    most.map_or(u64::MAX, |most| most.saturating_sub(total_bytes))
}

#[cfg(test)]
mod tests;
