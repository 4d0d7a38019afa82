//! The catalog: which segments there are, when they begin and end, what they lack, what was
//! deleted.
//!
//! SQLite in `RECORD_DIR/.rtmp-server/catalog.sqlite`. It is derived: `Catalog::reconcile` makes
//! it from the files, which always win; only hashes, why a recording ended and what was deleted are
//! nowhere else. One thread writes it (`keeper`), from `events`; whoever wants to know something
//! opens a [`Reader`]. A segment is known by its recording and number, so a file that was renamed or
//! moved inside the record directory is the same segment.
//!
//! The tables stand in `schema`, what is entered in `enter` and `mark`, the reading of files in
//! `scan` and `head`, the search in `query`, `index` and `search`.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode};

use crate::disk::Disk;
use crate::events::Event;

mod enter;
mod head;
mod index;
mod lock;
mod mark;
mod query;
mod reader;
mod recordings;
mod scan;
mod schema;
mod search;

pub(crate) use head::identity;
pub(crate) use index::STALE_MAX;
pub(crate) use lock::{Lock, Presence};
pub use query::{Glob, GlobError, Mark, Order, Page, Query, QueryError, Recording, RecordingState};
pub use reader::{Deletion, Reader, Segment, State};
pub use recordings::{SegmentGap, UnknownRecorder, WhoseError, check_recorder, of_recorder};
pub use scan::{Progress, index, rebuild};

/// Where the program keeps what is its own, in the record directory.
pub(crate) const DIR: &str = ".rtmp-server";
const NAME: &str = "catalog.sqlite";

/// Longest wait for another process that has the catalog locked.
const BUSY: Duration = Duration::from_secs(5);

/// Most damaged catalogs that are kept beside the one in use.
const BROKEN_MAX: u32 = 1_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no catalog.
    #[error("there is no catalog")]
    None,
    /// Somebody else works on it.
    #[error("another program uses the catalog: a server, or one that makes it anew")]
    InUse,
    /// Another server runs for the record directory.
    #[error("another server uses the record directory")]
    Served,
    /// A later version of the program wrote it.
    #[error("the catalog has version {found}, and this program knows {known}: use a newer one")]
    Newer {
        /// The version it has.
        found: usize,
        /// The newest version that is known.
        known: usize,
    },
    /// It was not asked in the right way.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// An earlier version of the program wrote it.
    #[error(
        "the catalog has version {found}, and this program reads {known}: the next start of a \
         server brings it there, or rtmp-server catalog rebuild"
    )]
    Older {
        /// The version it has.
        found: usize,
        /// The only version that is read.
        known: usize,
    },
    /// The database could not do it.
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
    /// The disk could not do it.
    #[error("{}", crate::words(.0))]
    Disk(#[from] io::Error),
}

impl From<rusqlite::types::FromSqlError> for Error {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Database(error.into())
    }
}

impl Error {
    /// Whether the file is no catalog any more, so that a new one is to take its place.
    pub(crate) fn is_damage(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let damage = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase];
        error.sqlite_error_code().is_some_and(|code| damage.contains(&code))
    }
}

/// The file of a record directory's catalog.
fn file(record_dir: &Path) -> PathBuf {
    record_dir.join(DIR).join(NAME)
}

/// A path as the catalog has it: below the record directory relative to that, else absolute. `None`
/// for one that cannot be written as text, which no path of ours is.
fn stored(record_dir: &Path, path: &Path) -> Option<String> {
    let below = |dir: &Path, path: &Path| -> Option<String> {
        let parts = path.strip_prefix(dir).ok()?.components().map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        let parts: Option<Vec<_>> = parts.collect();
        parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty())
    };
    if let Some(path) = below(record_dir, path) {
        return Some(path);
    }
    let absolute = std::path::absolute(path).ok()?;
    below(&std::path::absolute(record_dir).ok()?, &absolute)
        .or_else(|| absolute.to_str().map(ToOwned::to_owned))
}

/// A time of ours; `None` for what is no time.
pub(crate) fn unix_ms(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The largest count that is taken for true, so that sums of them are numbers too.
const COUNT_MAX: i64 = 1 << 50;

/// A count as the database takes it.
fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(COUNT_MAX).min(COUNT_MAX)
}

/// The catalog of a record directory, for writing.
pub(crate) struct Catalog {
    reader: Reader,
}

impl Catalog {
    /// Opens the catalog of `record_dir`, which must exist; makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Newer`] for one that a later version of the program wrote; those of disk and
    /// database, [among them](Error::is_damage) that it is none.
    pub(crate) fn open(disk: &dyn Disk, record_dir: &Path) -> Result<Self, Error> {
        disk.create_dir_all(&record_dir.join(DIR))?;
        let mut db = Connection::open(file(record_dir))?;
        db.busy_timeout(BUSY)?;
        // Not WAL: that maps a file into memory, and a disk that goes away would end the process
        // (SIGBUS) instead of a call.
        db.pragma_update(None, "journal_mode", "TRUNCATE")?;
        // What a power cut costs the catalog the files still have.
        db.pragma_update(None, "synchronous", "NORMAL")?;
        // Nor is a change to be written before it is whole: that would keep readers out for its time.
        db.pragma_update(None, "cache_spill", false)?;
        schema::migrate(&mut db)?;
        Ok(Self { reader: Reader { db, record_dir: record_dir.to_owned() } })
    }

    /// Whether there is one, of whatever kind.
    pub(crate) fn exists(disk: &dyn Disk, record_dir: &Path) -> bool {
        disk.entry(&file(record_dir)).is_ok()
    }

    /// Gives a damaged catalog, which must be closed, another name and returns that.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn set_aside(disk: &dyn Disk, record_dir: &Path) -> io::Result<PathBuf> {
        let damaged = file(record_dir);
        disk.entry(&damaged)?;
        let named = |end: &str| {
            let mut name = damaged.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        let is_free = |number: &u32| {
            let taken = disk.entry(&named(&format!(".broken-{number}")));
            taken.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        let number = (1..=BROKEN_MAX).find(is_free).ok_or(io::ErrorKind::AlreadyExists)?;
        let broken = format!(".broken-{number}");
        let if_there = |done: io::Result<()>| match done {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        // First, for a new catalog would take it for its own.
        if_there(disk.rename_new(&named("-journal"), &named(&format!("{broken}-journal"))))?;
        disk.rename_new(&damaged, &named(&broken))?;
        Ok(named(&broken))
    }

    /// For asking.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Enters what happened: all of it or nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn apply(
        &self,
        disk: &dyn Disk,
        events: &[Event],
        now_unix_ms: i64,
    ) -> Result<(), Error> {
        let whole = self.reader.db.unchecked_transaction()?;
        for event in events {
            match event {
                Event::Started(started) => self.started(started)?,
                Event::Completed(completed) => self.completed(completed)?,
                Event::Opened { path, about } => self.opened(disk, path, about)?,
                Event::Finished(finished) => self.finished(disk, finished, false)?,
                Event::Recovered(finished) => self.finished(disk, finished, true)?,
                Event::SetAside { from, to, reason } => {
                    self.was_set_aside(from, to, reason, now_unix_ms)?;
                }
                Event::Gone(path) => self.gone(path)?,
                Event::Wake => {}
            }
        }
        whole.commit()?;
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod tests;
