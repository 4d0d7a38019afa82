//! The catalog: which segments there are, when they begin and end, what they lack, what was
//! deleted.
//!
//! SQLite in `RECORD_DIR/.rtmp-server/catalog.sqlite`. It is derived: `Catalog::reconcile` makes
//! it from the files, which always win; only the hashes and what was deleted are nowhere else. One
//! thread writes it (`keeper`), from `events`; whoever wants to know something opens a
//! [`Reader`]. A segment is known by its recording and number, so a file that was renamed or moved
//! inside the record directory is the same segment.
//!
//! The tables stand in `schema`, the reading of files in `scan` and `head`.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, named_params, params};

use crate::disk::Disk;
use crate::events::{Event, Finished};
use crate::retention::Cause;
use crate::{About, Gap, Hash, Ledger};

mod head;
mod reader;
mod scan;
mod schema;

pub(crate) use head::identity;
pub use reader::{Deletion, Reader, Segment, State};
pub use scan::rebuild;

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
    /// A later version of the program wrote it.
    #[error("the catalog has version {found}, and this program knows {known}: use a newer one")]
    Newer {
        /// The version it has.
        found: usize,
        /// The newest version that is known.
        known: usize,
    },
    /// The database could not do it.
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
    /// The disk could not do it.
    #[error("{}", crate::words(.0))]
    Disk(#[from] io::Error),
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

/// A path as the catalog has it; `None` for one that is not below the record directory, or that
/// cannot be written as text, which no path of ours is.
fn relative(record_dir: &Path, path: &Path) -> Option<String> {
    let parts = path.strip_prefix(record_dir).ok()?.components();
    let parts: Option<Vec<_>> = parts
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty())
}

/// A time of ours; `None` for what is no time.
fn unix_ms(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// A count as the database takes it.
fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The catalog of a record directory, for writing.
pub(crate) struct Catalog {
    reader: Reader,
}

/// What is known of a segment.
struct Entry<'a> {
    path: String,
    about: &'a About,
    ledger: Option<&'a Ledger>,
    state: State,
    is_recovered: bool,
    end_time: Option<&'a str>,
    length_ms: u64,
    size_bytes: u64,
    modified_ms: i64,
    hashes: Option<(Hash, Hash)>,
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
        db.pragma_update(None, "foreign_keys", true)?;
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
                Event::Opened { path, about } => self.opened(path, about)?,
                Event::Finished(finished) => self.finished(disk, finished, false)?,
                Event::Recovered(finished) => self.finished(disk, finished, true)?,
                Event::SetAside { from, to, reason } => {
                    self.was_set_aside(from, to, reason, now_unix_ms)?;
                }
                Event::Wake => {}
            }
        }
        whole.commit()?;
        Ok(())
    }

    /// Enters that retention deleted segments.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn deleted(
        &self,
        segments: &[(Segment, Cause)],
        now_unix_ms: i64,
    ) -> Result<(), Error> {
        let whole = self.reader.db.unchecked_transaction()?;
        for (segment, cause) in segments {
            whole.execute("UPDATE segments SET state = 'deleted' WHERE id = ?1", [segment.id])?;
            whole.execute(
                "INSERT INTO deletions (segment, path, size_bytes, deleted_unix_ms, reason) \
                 SELECT id, path, ?2, ?3, ?4 FROM segments WHERE id = ?1",
                params![segment.id, int(segment.size_bytes), now_unix_ms, cause.name()],
            )?;
        }
        whole.commit()?;
        Ok(())
    }

    /// Enters that a segment's file is not where it was.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn missing(&self, segment: &Segment) -> Result<(), Error> {
        let sql = "UPDATE segments SET state = 'missing' WHERE id = ?1";
        self.reader.db.execute(sql, [segment.id])?;
        Ok(())
    }

    fn opened(&self, path: &Path, about: &About) -> Result<(), Error> {
        let Some(path) = relative(&self.reader.record_dir, path) else { return Ok(()) };
        self.enter(&Entry {
            path,
            about,
            ledger: None,
            state: State::Open,
            is_recovered: false,
            end_time: None,
            length_ms: 0,
            size_bytes: 0,
            modified_ms: 0,
            hashes: None,
        })
    }

    fn finished(
        &self,
        disk: &dyn Disk,
        finished: &Finished,
        is_recovered: bool,
    ) -> Result<(), Error> {
        let Some(path) = relative(&self.reader.record_dir, &finished.path) else { return Ok(()) };
        // Where the file cannot be looked at now it is at the next start.
        let on_disk = disk.entry(&finished.path).ok();
        self.enter(&Entry {
            path,
            about: &finished.about,
            ledger: Some(&finished.ledger),
            state: State::Finished,
            is_recovered,
            end_time: Some(&finished.end_time),
            length_ms: finished.length_ms,
            size_bytes: on_disk.as_ref().map_or(finished.size_bytes, |entry| entry.size_bytes),
            modified_ms: on_disk.map_or(0, |entry| entry.modified_ms),
            hashes: Some((finished.hash, finished.chain)),
        })
    }

    fn was_set_aside(
        &self,
        from: &Path,
        to: &Path,
        reason: &str,
        now_unix_ms: i64,
    ) -> Result<(), Error> {
        let dir = &self.reader.record_dir;
        let (Some(from), Some(to)) = (relative(dir, from), relative(dir, to)) else {
            return Ok(());
        };
        let db = &self.reader.db;
        let is_here = "path = ?1 AND state IN ('open', 'finished')";
        db.execute(&format!("UPDATE segments SET state = 'missing' WHERE {is_here}"), [&from])?;
        db.execute(
            "INSERT INTO set_aside (from_path, to_path, reason, seen_unix_ms) \
             VALUES (?1, ?2, ?3, ?4)",
            params![from, to, reason, now_unix_ms],
        )?;
        Ok(())
    }

    /// Enters a segment, or what is new of it.
    fn enter(&self, entry: &Entry<'_>) -> Result<(), Error> {
        let db = &self.reader.db;
        let about = entry.about;
        let recording = about.recording.to_string();
        let start_unix_ms = unix_ms(&about.start_time).unwrap_or(entry.modified_ms);
        db.prepare_cached(
            "INSERT INTO recordings (id, stream_key, start_time, start_unix_ms) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET \
             start_time = excluded.start_time, start_unix_ms = excluded.start_unix_ms \
             WHERE excluded.start_unix_ms < start_unix_ms",
        )?
        .execute(params![recording, about.stream_key, about.start_time, start_unix_ms])?;
        // A name is free again when its file is gone.
        db.prepare_cached(
            "UPDATE segments SET state = 'missing' WHERE path = ?1 \
             AND state IN ('open', 'finished') AND (recording, number) <> (?2, ?3)",
        )?
        .execute(params![entry.path, recording, about.segment])?;
        let ends = (entry.state == State::Finished).then(|| {
            let by_length = start_unix_ms.saturating_add(int(entry.length_ms));
            entry.end_time.and_then(unix_ms).unwrap_or(by_length)
        });
        let (hash, chain) = entry.hashes.unzip();
        let id: i64 = db.prepare_cached(ENTER)?.query_row(
            named_params! {
                ":recording": recording,
                ":number": about.segment,
                ":stream_key": about.stream_key,
                ":path": entry.path,
                ":state": entry.state.name(),
                ":recovered": entry.is_recovered,
                ":cut": about.cut.name(),
                ":start_time": about.start_time,
                ":start_unix_ms": start_unix_ms,
                ":end_time": entry.end_time,
                ":end_unix_ms": ends,
                ":start_ms": int(about.start_ms),
                ":length_ms": int(entry.length_ms),
                ":size_bytes": int(entry.size_bytes),
                ":modified_ms": entry.modified_ms,
                ":first_packet": int(about.first_packet),
                ":server": about.server,
                ":hash": hash.map(|hash| hash.0),
                ":chain": chain.map(|hash| hash.0),
                ":chain_before": about.chain_before.map(|hash| hash.0),
            },
            |row| row.get(0),
        )?;
        if let Some(ledger) = entry.ledger {
            self.enter_ledger(id, ledger)?;
        }
        self.enter_gaps(id, about.gap_before, entry.ledger)
    }

    fn enter_ledger(&self, id: i64, ledger: &Ledger) -> Result<(), Error> {
        let mut statement = self.reader.db.prepare_cached(
            "UPDATE segments SET received_packets = ?2, received_bytes = ?3, \
             written_packets = ?4, written_bytes = ?5, dropped_packets = ?6, dropped_bytes = ?7, \
             late_packets = ?8, repeated_packets = ?9, gaps_total = ?10, skew_ms = ?11, \
             skew_max_ms = ?12 WHERE id = ?1",
        )?;
        statement.execute(params![
            id,
            int(ledger.received.packets),
            int(ledger.received.bytes),
            int(ledger.written.packets),
            int(ledger.written.bytes),
            int(ledger.dropped.packets),
            int(ledger.dropped.bytes),
            int(ledger.late_packets),
            int(ledger.repeated_packets),
            int(ledger.gaps_total),
            ledger.skew_ms,
            int(ledger.skew_max_ms),
        ])?;
        Ok(())
    }

    fn enter_gaps(
        &self,
        id: i64,
        before: Option<Gap>,
        ledger: Option<&Ledger>,
    ) -> Result<(), Error> {
        let mut statement = self.reader.db.prepare_cached(
            "INSERT OR REPLACE INTO gaps (segment, number, at_ms, length_ms, reason, \
             dropped_packets, dropped_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let inside = ledger.map(|ledger| ledger.gaps.as_slice()).unwrap_or_default();
        let before = before.iter().map(|gap| (0, gap));
        for (number, gap) in before.chain((1_i64..).zip(inside)) {
            statement.execute(params![
                id,
                number,
                int(gap.at_ms),
                int(gap.length_ms),
                gap.reason.name(),
                int(gap.dropped.packets),
                int(gap.dropped.bytes),
            ])?;
        }
        Ok(())
    }
}

/// What is known stays where there is nothing newer: a hash that was computed while the file was
/// written must not be lost because the file was looked at again.
const ENTER: &str = "
INSERT INTO segments (recording, number, stream_key, path, state, recovered, cut, start_time,
    start_unix_ms, end_time, end_unix_ms, start_ms, length_ms, size_bytes, modified_ms,
    first_packet, server, hash, chain, chain_before)
VALUES (:recording, :number, :stream_key, :path, :state, :recovered, :cut, :start_time,
    :start_unix_ms, :end_time, :end_unix_ms, :start_ms, :length_ms, :size_bytes, :modified_ms,
    :first_packet, :server, :hash, :chain, :chain_before)
ON CONFLICT (recording, number) DO UPDATE SET
    path = excluded.path, state = excluded.state, recovered = max(recovered, excluded.recovered),
    end_time = coalesce(excluded.end_time, end_time),
    end_unix_ms = CASE WHEN excluded.end_time IS NULL AND end_time IS NOT NULL
        THEN end_unix_ms ELSE excluded.end_unix_ms END,
    length_ms = excluded.length_ms, size_bytes = excluded.size_bytes,
    modified_ms = excluded.modified_ms, hash = coalesce(excluded.hash, hash),
    chain = coalesce(excluded.chain, chain), chain_before = excluded.chain_before
RETURNING id";

#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod tests;
