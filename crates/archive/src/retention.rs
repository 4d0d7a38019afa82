//! What may be deleted to make room, and why.
//!
//! Only finished segments that the catalog knows, oldest end first, and never one that a [`Keep`]
//! protects. The decision is pure (`Planner`); `delete` carries it out for one file. When that
//! happens stands in `keeper`, what would happen now in [`Outlook`].

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Policy;
use crate::catalog::{self, Segment};
use crate::disk::{Disk, DiskFile, beside};
use crate::sidecar::{self, COPIED, FOLLOWERS};
use crate::space::{minimum, retained_free};

mod outlook;

pub use outlook::{Doomed, Forecast, Kept, Outlook};
pub(crate) use outlook::{bytes, rooms};

/// What goes when. Without rules nothing is ever deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Segments whose last packet is older than this go.
    pub age: Option<Duration>,
    /// While all segments together, those in the bin among them, have more bytes than this, the
    /// oldest goes that is not in the bin.
    pub total_bytes: Option<u64>,
    /// While their file system has less room than this, the oldest on it go. Taken as at least 2.5
    /// times the room that recording leaves, so that it never has to stop.
    pub free_bytes: Option<u64>,
    /// Only what was copied goes: a file `NAME.flv.copied` beside `NAME.flv`, made by whatever
    /// copies, says so.
    pub copied_only: bool,
}

impl Rules {
    /// Whether anything can ever go.
    pub fn is_some(&self) -> bool {
        self.age.is_some() || self.total_bytes.is_some() || self.free_bytes.is_some()
    }
}

/// Which rule a segment goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// [`Rules::age`]
    Age,
    /// [`Rules::total_bytes`]
    Total,
    /// [`Rules::free_bytes`]
    Free,
    /// None: somebody asked for it.
    Request,
    /// None: its time in the bin is over.
    Bin,
}

impl Cause {
    /// The word in logs, in the catalog and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Total => "total size",
            Self::Free => "free space",
            Self::Request => "request",
            Self::Bin => "bin",
        }
    }
}

/// Why a segment stays that a rule would delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Somebody wants it: a file `NAME.flv.hold` is beside it.
    Held,
    /// It is not copied yet ([`Rules::copied_only`]).
    NotCopied,
}

impl Keep {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotCopied => "not copied",
        }
    }
}

/// What protects a segment, as far as that shows without touching its file.
pub(crate) struct Guard<'a> {
    disk: &'a dyn Disk,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(disk: &'a dyn Disk) -> Self {
        Self { disk }
    }

    /// Why the file at `path` stays although these rules would delete it. What cannot be found out
    /// protects it as well.
    pub(crate) fn keep(&self, path: &Path, rules: &Rules) -> Option<Keep> {
        if sidecar::is_held(self.disk, path).unwrap_or(true) {
            return Some(Keep::Held);
        }
        let is_copied = || self.disk.entry(&beside(path, COPIED)).is_ok();
        (rules.copied_only && !is_copied()).then_some(Keep::NotCopied)
    }
}

/// How much room file systems have, as deletions go on.
pub(crate) struct Rooms<'a> {
    disk: &'a dyn Disk,
    /// Room that recording leaves, of [`crate::Config::min_free`].
    min_free: Option<u64>,
    /// The file systems of directories, where they are known.
    devices: BTreeMap<PathBuf, Option<u64>>,
    /// Bytes free, and those that recording leaves, by file system.
    rooms: BTreeMap<u64, (u64, u64)>,
}

impl<'a> Rooms<'a> {
    pub(crate) fn new(disk: &'a dyn Disk, min_free: Option<u64>) -> Self {
        let (devices, rooms) = Default::default();
        Self { disk, min_free, devices, rooms }
    }

    /// The file system of the file at `path`; `None` where it does not say how much room it has.
    pub(crate) fn device(&mut self, path: &Path) -> Option<u64> {
        self.learn(path.parent().unwrap_or(path))
    }

    /// The file system of a directory, whose room is counted from now on.
    pub(crate) fn learn(&mut self, dir: &Path) -> Option<u64> {
        if let Some(device) = self.devices.get(dir) {
            return *device;
        }
        let space = self.disk.space(dir).ok();
        let device = space.map(|space| space.device);
        self.devices.insert(dir.to_owned(), device);
        if let Some(space) = space {
            let least = minimum(self.min_free, &space);
            self.rooms.entry(space.device).or_insert((space.free_bytes, least));
        }
        device
    }

    /// Whether a file system has less room than rules want.
    fn lacks(&self, device: Option<u64>, rules: &Rules) -> bool {
        let room = device.and_then(|device| self.rooms.get(&device));
        room.is_some_and(|(free, least)| {
            retained_free(rules.free_bytes, *least).is_some_and(|wanted| *free < wanted)
        })
    }

    /// Notes that a file of so many bytes was deleted.
    fn deleted(&mut self, device: Option<u64>, size_bytes: u64) {
        let room = device.and_then(|device| self.rooms.get_mut(&device));
        room.into_iter().for_each(|(free, _)| *free = free.saturating_add(size_bytes));
    }
}

/// Which segments go, asked of each, the oldest first. Those of recorders with rules of their own
/// are counted each for itself, all others together.
pub(crate) struct Planner<'a> {
    policy: &'a Policy,
    now_unix_ms: i64,
    rooms: Rooms<'a>,
    /// Bytes of all segments, by the recorders whose rules they are under; `None` for the others.
    totals: BTreeMap<Option<&'a str>, u64>,
}

impl<'a> Planner<'a> {
    /// `bytes` are those of each recorder's segments.
    pub(crate) fn new(
        policy: &'a Policy,
        now_unix_ms: i64,
        bytes: &BTreeMap<String, u64>,
        rooms: Rooms<'a>,
    ) -> Self {
        let mut totals = BTreeMap::new();
        for (recorder, bytes) in bytes {
            let total: &mut u64 = totals.entry(group(policy, recorder)).or_default();
            *total = total.saturating_add(*bytes);
        }
        Self { policy, now_unix_ms, rooms, totals }
    }

    /// Why `segment`, the oldest that is left, has to go, if nothing protects it.
    pub(crate) fn judge(&mut self, segment: &Segment) -> Option<Cause> {
        let rules = self.policy.rules(&segment.recorder);
        if rules.age.is_some_and(|limit| self.age(segment) > limit) {
            Some(Cause::Age)
        } else if self.is_above(group(self.policy, &segment.recorder)) {
            Some(Cause::Total)
        } else {
            rules.free_bytes?;
            let device = self.rooms.device(&segment.path);
            self.rooms.lacks(device, rules).then_some(Cause::Free)
        }
    }

    /// Whether no segment that is as young as this one, or younger, can have to go.
    pub(crate) fn is_done(&self, segment: &Segment) -> bool {
        let rules = || self.policy.by_recorder.values().chain([&self.policy.retention]);
        let is_old = |rules: &Rules| rules.age.is_some_and(|limit| self.age(segment) > limit);
        let lacks = |rules: &Rules| {
            self.rooms.rooms.keys().any(|device| self.rooms.lacks(Some(*device), rules))
        };
        let is_above = self.totals.keys().any(|group| self.is_above(*group));
        !rules().any(is_old) && !is_above && !rules().any(lacks)
    }

    fn is_above(&self, group: Option<&str>) -> bool {
        let rules = group.map_or(&self.policy.retention, |recorder| self.policy.rules(recorder));
        let total = self.totals.get(&group).copied().unwrap_or_default();
        rules.total_bytes.is_some_and(|limit| total > limit)
    }

    /// Notes that a segment was deleted.
    pub(crate) fn deleted(&mut self, segment: &Segment) {
        self.missing(segment);
        let device = self.rooms.device(&segment.path);
        self.rooms.deleted(device, segment.size_bytes);
    }

    /// Notes that a segment was not there.
    pub(crate) fn missing(&mut self, segment: &Segment) {
        if let Some(total) = self.totals.get_mut(&group(self.policy, &segment.recorder)) {
            *total = total.saturating_sub(segment.size_bytes);
        }
    }

    /// How long ago a segment's last packet came.
    pub(crate) fn age(&self, segment: &Segment) -> Duration {
        age(self.now_unix_ms, segment)
    }
}

/// How long ago a segment's last packet came; nothing where the clock was set back.
pub(crate) fn age(now_unix_ms: i64, segment: &Segment) -> Duration {
    let age_ms = now_unix_ms.saturating_sub(segment.end_unix_ms);
    Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
}

/// The recorder, if it has rules of its own.
fn group<'a>(policy: &'a Policy, recorder: &str) -> Option<&'a str> {
    policy.by_recorder.get_key_value(recorder).map(|(name, _)| name.as_str())
}

/// What became of an attempt to delete.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The file is gone, with what belongs to it.
    Deleted,
    /// It was gone already.
    Missing,
    /// It stays: another program has it locked, it is not this program's to write or not the file
    /// that was recorded, or it is protected since just now.
    Kept,
    /// The disk could not do it.
    Failed(io::Error),
}

/// Deletes the file of a segment, wherever it is: only when nobody else has it, and when it is
/// still the file that was recorded.
pub(crate) fn delete(disk: &dyn Disk, rules: &Rules, segment: &Segment) -> Outcome {
    let path = segment.file();
    let file = match claim(disk, segment) {
        Ok(file) => file,
        Err(outcome) => return outcome,
    };
    // Once more, now that nobody else comes between.
    if Guard::new(disk).keep(path, rules).is_some() {
        return Outcome::Kept;
    }
    if let Err(error) = disk.remove(path) {
        return Outcome::Failed(error);
    }
    drop(file);
    for end in FOLLOWERS {
        // One that is left says nothing any more.
        let _ = disk.remove(&beside(path, end));
    }
    Outcome::Deleted
}

/// Opens the file of a segment, so that nobody else has it.
///
/// # Errors
/// What becomes of it otherwise.
pub(crate) fn claim(disk: &dyn Disk, segment: &Segment) -> Result<Box<dyn DiskFile>, Outcome> {
    let mut file = disk.open(segment.file()).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Outcome::Missing,
        io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied => Outcome::Kept,
        _ => Outcome::Failed(error),
    })?;
    match catalog::identity(&mut *file) {
        Ok(identity) if identity == Some((segment.recording, segment.number)) => Ok(file),
        Ok(_) => Err(Outcome::Kept),
        Err(error) => Err(Outcome::Failed(error)),
    }
}

/// Makes the deletion of files in `dir` survive a power cut, and removes `dir` and its parents, up
/// to the one of `roots` that it is in, as far as they are empty.
pub(crate) fn tidy(disk: &dyn Disk, roots: &[PathBuf], dir: &Path) -> io::Result<()> {
    let is_root = |dir: &Path| roots.iter().any(|root| dir == root);
    let is_inside = |dir: &Path| roots.iter().any(|root| dir.starts_with(root));
    let is_away = |synced: &io::Result<()>| {
        synced.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    // A folder that is gone already was taken out of the one above it.
    let folders = dir.ancestors().take_while(|dir| is_inside(dir)).map(|dir| disk.sync_dir(dir));
    folders.into_iter().find(|synced| !is_away(synced)).unwrap_or_else(|| disk.sync_dir(dir))?;
    for dir in dir.ancestors().take_while(|dir| !is_root(dir) && is_inside(dir)) {
        if disk.remove_dir(dir).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
