//! What an interrupted recording left behind, made whole.
//!
//! [`run`] looks at every file below the record directory at the start, [`mend`] at one whose disk
//! works again. A file of this program that is not complete is cut after its last whole tag, or part, gets
//! its metadata, its index and its books, and is said to be complete. How one file is read and
//! completed is in `file`.
//!
//! Invariants:
//! - Nothing is deleted: whole tags and parts behind a damaged place are copied to `….tail` before they
//!   are cut off; what cannot be understood only gets another name.
//! - A file that is locked, complete, or not of this program is not touched.
//! - Interrupted anywhere, it does the same again the next time.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::{Disk, beside, write_new};
use crate::events::{Event, Events, Finished};
use crate::path::CANDIDATES;
use crate::segment::{Whole, sync_parent};
use crate::{Clock, Format, Notice, Observer, digest, telemetry, words};

mod file;
mod parts;

pub(crate) use file::complete_cut;
use file::{BARE, Found};

/// Folders inside folders that are looked into.
const DEPTH_MAX: usize = 16;
/// Files that are looked at.
const FILES_MAX: u64 = 1_000_000;

/// What recovery works with.
pub(crate) struct Recovery<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) events: &'a Events,
    pub(crate) observer: &'a Observer,
    /// Where recordings are.
    pub(crate) dir: &'a Path,
    /// Files changed between this time and now are not left from before: ms since 1970. A file
    /// from the future is: the clock of a machine without one starts in the past.
    pub(crate) started_ms: i64,
    /// Whether the hash of each file is also to be in a file beside it.
    pub(crate) checksum_files: bool,
    /// Ends it before the next file.
    pub(crate) stop: &'a AtomicBool,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Files looked at.
    pub(crate) files: u64,
    /// Files that are whole now.
    pub(crate) recovered: u64,
    /// Files that could not be understood.
    pub(crate) set_aside: u64,
}

/// Recovers all files of a directory. What fails is logged and does not stop the rest.
///
/// All files are made whole before the first is hashed, which takes reading it.
pub(crate) fn run(recovery: &Recovery<'_>) -> Summary {
    let begun = recovery.clock.instant();
    let mut work = Work { recovery, summary: Summary::default(), whole: Vec::new() };
    work.walk();
    for whole in std::mem::take(&mut work.whole) {
        if work.is_stopped() {
            break;
        }
        work.hash(whole);
    }
    let Summary { files, recovered, set_aside } = work.summary;
    if recovered + set_aside > 0 {
        let seconds = recovery.clock.instant().saturating_duration_since(begun).as_secs_f64();
        telemetry::recovery_finished(files, recovered, set_aside, seconds);
    }
    work.summary
}

/// What has become of a file that was to be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mended {
    /// It is whole.
    Whole(Box<Finished>),
    /// Nothing can be made of what is left of it, for this reason: it is for [`set_aside`].
    Nothing(&'static str),
}

/// Completes one file that was left unfinished, and hashes it, which takes reading it. One that is
/// complete already is only hashed.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] while somebody has the file open;
/// [`io::ErrorKind::InvalidData`] for a file that is not of this program; those of the disk. The
/// file then is as [`run`] would find it.
pub(crate) fn mend(disk: &dyn Disk, path: &Path, checksum_files: bool) -> io::Result<Mended> {
    let mut file = disk.open(path)?;
    let whole = match file::examine(&mut *file)? {
        Found::Foreign => return Err(invalid("not a recording of this program")),
        Found::Broken(reason) => return Ok(Mended::Nothing(reason)),
        Found::Complete(known) => known.whole(path),
        Found::Unfinished(unfinished) => {
            unfinished.write_again(disk, &mut *file, path)?;
            let completed = unfinished.complete(disk, &mut *file, path, false)?;
            let Some((whole, cut_bytes)) = completed else { return Ok(Mended::Nothing(BARE)) };
            telemetry::recovered(&whole, cut_bytes);
            whole
        }
    };
    let finished = whole.hashed(digest::read(&mut *file)?);
    digest::write_checksums(disk, &finished, checksum_files);
    Ok(Mended::Whole(Box::new(finished)))
}

/// Gives a file of which nothing can be made the name `….broken`, and says beside it why.
///
/// # Errors
/// Those of the disk; the file may have its new name all the same.
pub(crate) fn set_aside(
    disk: &dyn Disk,
    path: &Path,
    reason: &str,
    observer: &Observer,
    events: &Events,
) -> io::Result<()> {
    let to = free_beside(path, ".broken", |to| disk.rename_new(path, to))?;
    telemetry::set_aside(path, reason);
    let text = format!("{}\n{reason}\n", path.display());
    let note = beside(&to, ".txt");
    if let Err(error) = write_new(disk, &note, &text) {
        telemetry::not_recovered(&note, &words(&error));
    }
    let reason = reason.to_owned();
    observer.tell(|| Notice::SetAside {
        from: path.to_owned(),
        to: to.clone(),
        reason: reason.clone(),
    });
    let synced = sync_parent(disk, &to);
    events.send(Event::SetAside { from: path.to_owned(), to, reason });
    synced
}

/// What those are told who watch.
pub(crate) fn recovered(finished: &Finished) -> Notice {
    Notice::Recovered {
        id: finished.about.recording,
        key: finished.about.stream_key.clone(),
        segment: finished.about.segment,
        file: finished.path.clone(),
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

struct Work<'a> {
    recovery: &'a Recovery<'a>,
    summary: Summary,
    /// Files to be hashed.
    whole: Vec<Whole>,
}

impl Work<'_> {
    fn is_stopped(&self) -> bool {
        self.recovery.stop.load(Ordering::Relaxed)
    }

    /// Goes over all files, those of a folder before its folders.
    fn walk(&mut self) {
        let mut dirs = vec![(self.recovery.dir.to_owned(), 0)];
        while let Some((dir, depth)) = dirs.pop() {
            let mut entries = match self.recovery.disk.list(&dir) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) if depth == 0 => {
                    return telemetry::directory_unreadable(&dir, &words(&error));
                }
                Err(error) => {
                    telemetry::not_recovered(&dir, &words(&error));
                    continue;
                }
            };
            entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            let now_ms = self.recovery.clock.now().timestamp().as_millisecond();
            let since = self.recovery.started_ms..=now_ms;
            for entry in entries {
                let is_left = !since.contains(&entry.modified_ms);
                if entry.is_dir {
                    if depth < DEPTH_MAX && !is_hidden(&entry.path) {
                        dirs.push((entry.path, depth + 1));
                    }
                } else if is_left && Format::of(&entry.path).is_some() {
                    if self.is_stopped() {
                        return;
                    }
                    if self.summary.files == FILES_MAX {
                        telemetry::not_recovered(&entry.path, &"too many files");
                        return;
                    }
                    self.summary.files += 1;
                    self.recover(&entry.path);
                }
            }
        }
    }

    fn recover(&mut self, path: &Path) {
        match self.try_recover(path) {
            Ok(()) => {}
            // It is being written; or somebody took it away.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotFound) => {}
            Err(error) => telemetry::not_recovered(path, &words(&error)),
        }
    }

    fn try_recover(&mut self, path: &Path) -> io::Result<()> {
        let disk = self.recovery.disk;
        let mut file = disk.open(path)?;
        match file::examine(&mut *file)? {
            Found::Foreign | Found::Complete(_) => Ok(()),
            Found::Unfinished(unfinished) => {
                let completed = unfinished.complete(disk, &mut *file, path, true)?;
                let Some((whole, cut_bytes)) = completed else {
                    return self.set_aside(path, BARE);
                };
                telemetry::recovered(&whole, cut_bytes);
                self.summary.recovered += 1;
                self.whole.push(whole);
                Ok(())
            }
            Found::Broken(reason) => self.set_aside(path, reason),
        }
    }

    fn set_aside(&mut self, path: &Path, reason: &str) -> io::Result<()> {
        let Recovery { disk, observer, events, .. } = *self.recovery;
        let result = set_aside(disk, path, reason, observer, events);
        self.summary.set_aside += 1;
        result
    }

    fn hash(&self, whole: Whole) {
        let disk = self.recovery.disk;
        let hash = disk.open(&whole.path).and_then(|mut file| digest::read(&mut *file));
        match hash {
            Ok(hash) => {
                let finished = whole.hashed(hash);
                self.recovery.observer.tell(|| recovered(&finished));
                digest::write_checksums(disk, &finished, self.recovery.checksum_files);
                self.recovery.events.send(Event::Recovered(finished));
            }
            Err(error) => telemetry::not_recovered(&whole.path, &words(&error)),
        }
    }
}

/// Tries `….suffix`, `….suffix.2`, … beside a file until one is free.
fn free_beside(
    path: &Path,
    suffix: &str,
    mut take: impl FnMut(&Path) -> io::Result<()>,
) -> io::Result<std::path::PathBuf> {
    for number in 1..=CANDIDATES {
        let to = match number {
            1 => beside(path, suffix),
            n => beside(path, &format!("{suffix}.{n}")),
        };
        match take(&to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| to),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn is_hidden(dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests;
