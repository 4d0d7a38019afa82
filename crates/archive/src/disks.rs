//! What is known of the disks that are recorded to, without asking them: the watcher writes here
//! what it sees.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::DiskState;

/// A call of a disk that has not come back for so long hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A disk that is recorded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskStatus {
    /// A directory on it: the record directory, or a further one; one that is not made yet counts
    /// as being where it will be.
    pub dir: PathBuf,
    /// Tells file systems apart; this and all numbers are 0 while the disk has not answered once.
    pub device: u64,
    /// Bytes of the whole file system.
    pub total_bytes: u64,
    /// Bytes that recordings and others may still write.
    pub free_bytes: u64,
    /// Bytes that recording leaves free.
    pub min_free_bytes: u64,
    /// What it is like.
    pub state: DiskState,
    /// What recordings write to it, in bytes a second.
    pub write_bytes_per_second: u64,
    /// When recording stops for want of room, if it gets less as fast as it does now.
    pub full_in: Option<Duration>,
    /// Why no file can be made in `dir`, and where: of [`DiskState::Unwritable`].
    pub obstacle: Option<String>,
}

impl DiskStatus {
    /// One that has never said anything.
    pub(crate) fn unanswered(dir: &Path) -> Self {
        let (device, total_bytes, free_bytes, min_free_bytes) = Default::default();
        let (write_bytes_per_second, full_in, obstacle) = Default::default();
        Self {
            dir: dir.to_owned(),
            device,
            total_bytes,
            free_bytes,
            min_free_bytes,
            state: DiskState::Hanging,
            write_bytes_per_second,
            full_in,
            obstacle,
        }
    }
}

/// What the watcher saw last.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    rows: Vec<DiskStatus>,
    /// The directory that is being asked, and since when.
    asking: Option<(PathBuf, Duration)>,
}

impl Disks {
    /// A disk is asked, `age` after the archive was opened.
    pub(crate) fn ask(&self, dir: &Path, age: Duration) {
        self.lock().asking = Some((dir.to_owned(), age));
    }

    /// It has answered, or cannot.
    pub(crate) fn answered(&self) {
        self.lock().asking = None;
    }

    /// All that was seen in one round.
    pub(crate) fn set(&self, rows: Vec<DiskStatus>) {
        self.lock().rows = rows;
    }

    /// What is known. A disk that one of the directories `hanging` is on, or that has not answered
    /// the watcher, hangs.
    pub(crate) fn read(&self, age: Duration, hanging: &[PathBuf]) -> Vec<DiskStatus> {
        let seen = self.lock();
        let is_asked = |dir: &Path| {
            let asking = seen.asking.as_ref();
            asking.is_some_and(|(asked, since)| {
                asked.starts_with(dir) && age.saturating_sub(*since) >= PATIENCE
            })
        };
        let state = |row: &DiskStatus| {
            let hangs = is_asked(&row.dir) || hanging.iter().any(|dir| dir.starts_with(&row.dir));
            if hangs { DiskState::Hanging } else { row.state }
        };
        let known = seen.rows.iter().map(|row| DiskStatus { state: state(row), ..row.clone() });
        let mut rows: Vec<_> = known.collect();
        if let Some((dir, _)) = &seen.asking
            && is_asked(dir)
            && !rows.iter().any(|row| dir.starts_with(&row.dir))
        {
            rows.push(DiskStatus::unanswered(dir));
        }
        rows
    }

    /// What the disk of `dir` was like when it answered last.
    pub(crate) fn state_of(&self, dir: &Path) -> DiskState {
        state_of(&self.lock().rows, dir)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the disk of `dir` is like, by the nearest directory that is known.
pub(crate) fn state_of(rows: &[DiskStatus], dir: &Path) -> DiskState {
    let of_dir = rows.iter().filter(|row| dir.starts_with(&row.dir));
    let nearest = of_dir.max_by_key(|row| row.dir.as_os_str().len());
    nearest.map_or(DiskState::Good, |row| row.state)
}

#[cfg(test)]
mod tests;
