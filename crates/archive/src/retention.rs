//! What may be deleted to make room, and why.
//!
//! Only finished segments that the catalog knows, oldest end first, and never one that a [`Keep`]
//! protects. The decision is pure (`Planner`); `delete` carries it out for one file. When that
//! happens stands in `keeper`, what would happen now in [`Outlook`].

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::catalog::{self, Segment};
use crate::disk::Disk;

mod outlook;

pub(crate) use outlook::growing_bytes;
pub use outlook::{Doomed, Forecast, Kept, Outlook};

/// What goes when. Without rules nothing is ever deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Segments whose last packet is older than this go.
    pub age: Option<Duration>,
    /// While all segments together have more bytes than this, the oldest goes.
    pub total_bytes: Option<u64>,
    /// While the record directory's file system has less room than this, the oldest goes. Taken as
    /// at least 2.5 times the room that recording leaves, so that it never has to stop.
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
}

impl Cause {
    /// The word in logs, in the catalog and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Total => "total size",
            Self::Free => "free space",
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
    /// It is on another file system than the one that lacks room.
    Elsewhere,
}

impl Keep {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotCopied => "not copied",
            Self::Elsewhere => "on another disk",
        }
    }
}

/// Beside a segment that nobody may delete.
const HOLD: &str = ".hold";
/// Beside a segment that was copied elsewhere.
const COPIED: &str = ".copied";
/// What goes with a segment.
const SIDECARS: [&str; 2] = [".b3", COPIED];

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// What protects a segment, as far as that shows without touching its file.
pub(crate) struct Guard<'a> {
    disk: &'a dyn Disk,
    rules: Rules,
    /// The file system of the record directory.
    device: Option<u64>,
    /// Those of the directories in it.
    devices: BTreeMap<PathBuf, Option<u64>>,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(disk: &'a dyn Disk, rules: Rules, device: Option<u64>) -> Self {
        Self { disk, rules, device, devices: BTreeMap::new() }
    }

    /// Why the file at `path` stays although there is a `cause`. What cannot be found out protects
    /// it as well.
    pub(crate) fn keep(&mut self, path: &Path, cause: Cause) -> Option<Keep> {
        if cause == Cause::Free && !self.is_here(path) {
            return Some(Keep::Elsewhere);
        }
        self.protection(path)
    }

    fn protection(&self, path: &Path) -> Option<Keep> {
        let has = |end| self.disk.entry(&beside(path, end)).map_err(|error| error.kind());
        if !matches!(has(HOLD), Err(io::ErrorKind::NotFound)) {
            return Some(Keep::Held);
        }
        (self.rules.copied_only && has(COPIED).is_err()).then_some(Keep::NotCopied)
    }

    fn is_here(&mut self, path: &Path) -> bool {
        let dir = path.parent().unwrap_or(path);
        let device = match self.devices.get(dir) {
            Some(device) => *device,
            None => {
                let device = self.disk.space(dir).ok().map(|space| space.device);
                self.devices.insert(dir.to_owned(), device);
                device
            }
        };
        device.is_some() && device == self.device
    }
}

/// How much there is, as deletions go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planner {
    rules: Rules,
    now_unix_ms: i64,
    /// Bytes of all segments.
    total_bytes: u64,
    /// Bytes free on the record directory's file system; `None` where it does not say.
    free_bytes: Option<u64>,
}

impl Planner {
    pub(crate) fn new(
        rules: Rules,
        now_unix_ms: i64,
        total_bytes: u64,
        free_bytes: Option<u64>,
    ) -> Self {
        Self { rules, now_unix_ms, total_bytes, free_bytes }
    }

    /// Why `segment`, the oldest that is left, has to go. `None` when nothing has to any more.
    pub(crate) fn judge(&self, segment: &Segment) -> Option<Cause> {
        let Rules { age, total_bytes, free_bytes, copied_only: _ } = self.rules;
        let is_above = |limit: Option<u64>| limit.is_some_and(|limit| self.total_bytes > limit);
        let is_old = |limit: Duration| self.age(segment) > limit;
        let lacks = |wanted: u64| self.free_bytes.is_some_and(|free| free < wanted);
        if age.is_some_and(is_old) {
            Some(Cause::Age)
        } else if is_above(total_bytes) {
            Some(Cause::Total)
        } else {
            free_bytes.is_some_and(lacks).then_some(Cause::Free)
        }
    }

    /// Notes that a segment of so many bytes was deleted.
    pub(crate) fn deleted(&mut self, size_bytes: u64) {
        self.missing(size_bytes);
        self.free_bytes = self.free_bytes.map(|free| free.saturating_add(size_bytes));
    }

    /// Notes that a segment of so many bytes was not there.
    pub(crate) fn missing(&mut self, size_bytes: u64) {
        self.total_bytes = self.total_bytes.saturating_sub(size_bytes);
    }

    /// How long ago a segment's last packet came; nothing where the clock was set back.
    pub(crate) fn age(&self, segment: &Segment) -> Duration {
        let age_ms = self.now_unix_ms.saturating_sub(segment.end_unix_ms);
        Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
    }
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

/// Deletes the file of a segment: only when nobody else has it, and when it is still the file that
/// was recorded.
pub(crate) fn delete(disk: &dyn Disk, guard: &Guard<'_>, segment: &Segment) -> Outcome {
    let path = &segment.path;
    let mut file = match disk.open(path) {
        Ok(file) => file,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound => Outcome::Missing,
                io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied => Outcome::Kept,
                _ => Outcome::Failed(error),
            };
        }
    };
    match catalog::identity(&mut *file) {
        Ok(identity) if identity == Some((segment.recording, segment.number)) => {}
        Ok(_) => return Outcome::Kept,
        Err(error) => return Outcome::Failed(error),
    }
    // Once more, now that nobody else comes between.
    if guard.protection(path).is_some() {
        return Outcome::Kept;
    }
    if let Err(error) = disk.remove(path) {
        return Outcome::Failed(error);
    }
    for end in SIDECARS {
        // One that is left says nothing any more.
        let _ = disk.remove(&beside(path, end));
    }
    Outcome::Deleted
}

/// Makes the deletion of files in `dir` survive a power cut, and removes `dir` and its parents, up
/// to the record directory, as far as they are empty.
pub(crate) fn tidy(disk: &dyn Disk, record_dir: &Path, dir: &Path) -> io::Result<()> {
    let synced = disk.sync_dir(dir);
    for dir in dir.ancestors().take_while(|dir| *dir != record_dir && dir.starts_with(record_dir)) {
        if disk.remove_dir(dir).is_err() {
            break;
        }
    }
    synced
}

#[cfg(test)]
mod tests;
