//! What can be asked of a catalog.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Params, Row, params};

use super::{BUSY, Error, file, schema, stored};
use crate::{Hash, RecordingId};

/// Rows that are read at once, so that no statement stays open while others write.
const PAGE: usize = 256;

/// What has become of a segment's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being written, or was left unfinished and waits for recovery.
    Open,
    /// It is whole.
    Finished,
    /// It is not where it was.
    Missing,
    /// It is in the bin.
    Binned,
    /// It was deleted.
    Deleted,
}

impl State {
    const ALL: [Self; 5] = [Self::Open, Self::Finished, Self::Missing, Self::Binned, Self::Deleted];

    /// The word in the catalog and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Missing => "missing",
            Self::Binned => "binned",
            Self::Deleted => "deleted",
        }
    }
}

/// A segment as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number in the catalog, which changes when that is rebuilt.
    pub id: i64,
    /// Its file: below the record directory as that was given to [`Reader::open`], or absolute. Of
    /// one that is in the bin what it was called and will be again.
    pub path: PathBuf,
    /// Its file in the bin, if it is there.
    pub bin_path: Option<PathBuf>,
    /// The recording that it is part of.
    pub recording: RecordingId,
    /// Its number in the recording, from 1.
    pub number: u32,
    /// The stream, `app/name`.
    pub stream_key: String,
    /// The name of the recorder that made it.
    pub recorder: String,
    /// Whether it is a clip.
    pub is_clip: bool,
    /// What has become of its file.
    pub state: State,
    /// Whether it is held.
    pub held: bool,
    /// When it begins, by the clock on the wall, in ms since 1970.
    pub start_unix_ms: i64,
    /// When its last packet came; its start while it is open.
    pub end_unix_ms: i64,
    /// When it begins on the recording clock, in ms.
    pub start_ms: u64,
    /// Its length, in ms; 0 while it is open.
    pub length_ms: u64,
    /// Bytes of the file when it was last looked at.
    pub size_bytes: u64,
    /// When the file was changed last, in ms since 1970.
    pub modified_ms: i64,
    /// Of the whole file. `None` while it is open, and in a catalog that was rebuilt.
    pub hash: Option<Hash>,
    /// Over the recording up to and with this file; as `hash`.
    pub chain: Option<Hash>,
}

impl Segment {
    /// Where its file is now.
    pub fn file(&self) -> &Path {
        self.bin_path.as_ref().unwrap_or(&self.path)
    }
}

/// A file that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// What was deleted.
    pub path: PathBuf,
    /// The stream that it was of.
    pub stream_key: String,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// When, in ms since 1970.
    pub deleted_unix_ms: i64,
    /// Why: a word of [`crate::retention::Cause`].
    pub reason: String,
}

/// The catalog of a record directory, for reading; a server may be writing it.
pub struct Reader {
    pub(super) db: Connection,
    pub(super) record_dir: PathBuf,
}

pub(super) const COLUMNS: &str = "id, path, recording, number, stream_key, state, start_unix_ms, \
    coalesce(end_unix_ms, start_unix_ms), start_ms, length_ms, size_bytes, modified_ms, hash, \
    chain, recorder, held, bin_path, is_clip";

impl Reader {
    /// Opens the catalog in `record_dir`. While a server writes it, an answer takes 5 s at most.
    ///
    /// # Errors
    /// [`Error::None`] when there is none, [`Error::Newer`] or [`Error::Older`] when another version
    /// of the program wrote it; those of the database.
    pub fn open(record_dir: &Path) -> Result<Self, Error> {
        Self::open_with(record_dir, BUSY)
    }

    /// The same for those who wait no longer than `busy` for a server that is writing.
    ///
    /// # Errors
    /// Those of [`Reader::open`].
    pub fn open_with(record_dir: &Path, busy: Duration) -> Result<Self, Error> {
        let path = file(record_dir);
        if !path.exists() {
            return Err(Error::None);
        }
        // So that what a killed server was writing can be taken back; else it is only read.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags)?;
        db.busy_timeout(busy)?;
        db.pragma_update(None, "query_only", true)?;
        match schema::version(&db)? {
            0 => return Err(Error::None),
            found if found < schema::VERSION => {
                return Err(Error::Older { found, known: schema::VERSION });
            }
            _ => {}
        }
        Ok(Self { db, record_dir: record_dir.to_owned() })
    }

    /// The record directory, as it was given to [`Reader::open`].
    pub fn record_dir(&self) -> &Path {
        &self.record_dir
    }

    /// Directories that were recorded to, beside the record directory: absolute.
    ///
    /// # Errors
    /// Those of the database.
    pub fn dirs(&self) -> Result<Vec<PathBuf>, Error> {
        let mut statement = self.db.prepare_cached("SELECT path FROM dirs ORDER BY path")?;
        let dirs = statement.query_map([], |row| Ok(row.get::<_, String>(0)?.into()))?;
        Ok(dirs.collect::<Result<_, _>>()?)
    }

    /// The newest segment that the file at `path` is or was; `path` begins with the record
    /// directory as that was given to [`Reader::open`].
    ///
    /// # Errors
    /// Those of the database.
    pub fn by_path(&self, path: &Path) -> Result<Option<Segment>, Error> {
        let Some(path) = stored(&self.record_dir, path) else { return Ok(None) };
        let sql = format!("SELECT {COLUMNS} FROM segments WHERE path = ?1 ORDER BY id DESC");
        let mut statement = self.db.prepare_cached(&sql)?;
        Ok(statement.query_row([path], |row| self.segment(row)).optional()?)
    }

    /// The segments of a recording, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn of_recording(&self, recording: RecordingId) -> Result<Vec<Segment>, Error> {
        self.segments("WHERE recording = ?1 ORDER BY number", [recording.to_string()])
    }

    /// The finished segments, oldest end first. Read in pages: what is written meanwhile may or may
    /// not be among them.
    pub fn oldest_first(&self) -> impl Iterator<Item = Result<Segment, Error>> {
        let mut page = Vec::new().into_iter();
        let mut after = Some((i64::MIN, i64::MIN));
        std::iter::from_fn(move || {
            if let Some(segment) = page.next() {
                return Some(Ok(segment));
            }
            let (end, id) = after.take()?;
            let sql = "WHERE state = 'finished' AND (end_unix_ms, id) > (?1, ?2) \
                       ORDER BY end_unix_ms, id LIMIT ?3";
            match self.segments(sql, params![end, id, PAGE]) {
                Ok(segments) => {
                    after = segments.last().map(|last| (last.end_unix_ms, last.id));
                    page = segments.into_iter();
                    page.next().map(Ok)
                }
                Err(error) => Some(Err(error)),
            }
        })
    }

    /// The segments that are being written or were left unfinished.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unfinished(&self) -> Result<Vec<Segment>, Error> {
        self.segments("WHERE state = 'open' ORDER BY id", [])
    }

    /// How many segments are finished, and the bytes of their files together.
    ///
    /// # Errors
    /// Those of the database.
    pub fn finished_total(&self) -> Result<(u64, u64), Error> {
        let sql = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM segments \
                   WHERE state = 'finished'";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Bytes of the finished segments and those in the bin, by recorder.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn bytes_by_recorder(&self) -> Result<BTreeMap<String, u64>, Error> {
        let mut bytes = BTreeMap::new();
        for state in ["finished", "binned"] {
            let sql = format!(
                "SELECT recorder, sum(size_bytes) FROM segments WHERE state = '{state}' \
                 GROUP BY recorder"
            );
            let mut statement = self.db.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let total: &mut u64 = bytes.entry(row.get(0)?).or_default();
                *total = total.saturating_add(row.get(1)?);
            }
        }
        Ok(bytes)
    }

    /// Bytes that finished segments got from `since_unix_ms` on, whatever became of them; of one
    /// that began before that the part by time.
    ///
    /// # Errors
    /// Those of the database.
    pub fn written_since(&self, since_unix_ms: i64) -> Result<u64, Error> {
        let sql = "SELECT coalesce(sum(CASE WHEN start_unix_ms >= ?1 THEN size_bytes ELSE \
                   CAST(1.0 * size_bytes * (end_unix_ms - ?1) / (end_unix_ms - start_unix_ms) \
                   AS INTEGER) END), 0) FROM segments WHERE end_unix_ms > ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row([since_unix_ms], |row| row.get(0))?)
    }

    /// When the oldest recording that is known began, in ms since 1970.
    ///
    /// # Errors
    /// Those of the database.
    pub fn oldest_start(&self) -> Result<Option<i64>, Error> {
        let mut statement = self.db.prepare_cached("SELECT min(start_unix_ms) FROM recordings")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The newest `limit` deletions, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn deletions(&self, limit: usize) -> Result<Vec<Deletion>, Error> {
        let mut statement = self.db.prepare_cached(
            "SELECT d.path, s.stream_key, d.size_bytes, d.deleted_unix_ms, d.reason \
             FROM deletions d JOIN segments s ON s.id = d.segment ORDER BY d.id DESC LIMIT ?1",
        )?;
        let deletions = statement.query_map([limit], |row| {
            Ok(Deletion {
                path: self.record_dir.join(row.get::<_, String>(0)?),
                stream_key: row.get(1)?,
                size_bytes: row.get(2)?,
                deleted_unix_ms: row.get(3)?,
                reason: row.get(4)?,
            })
        })?;
        Ok(deletions.collect::<Result<_, _>>()?)
    }

    pub(super) fn segments(&self, which: &str, params: impl Params) -> Result<Vec<Segment>, Error> {
        let mut statement =
            self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM segments {which}"))?;
        let segments = statement.query_map(params, |row| self.segment(row))?;
        Ok(segments.collect::<Result<_, _>>()?)
    }

    pub(super) fn segment(&self, row: &Row<'_>) -> rusqlite::Result<Segment> {
        let state: String = row.get(5)?;
        let state = State::ALL.into_iter().find(|known| known.name() == state);
        let recording: Result<RecordingId, _> = row.get::<_, String>(2)?.parse();
        Ok(Segment {
            id: row.get(0)?,
            path: self.record_dir.join(row.get::<_, String>(1)?),
            recording: recording.map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(2, Type::Text, Box::new(error))
            })?,
            number: row.get(3)?,
            stream_key: row.get(4)?,
            // The column has a check.
            state: state.unwrap_or(State::Missing),
            recorder: row.get(14)?,
            is_clip: row.get(17)?,
            held: row.get(15)?,
            bin_path: row.get::<_, Option<String>>(16)?.map(|path| self.record_dir.join(path)),
            start_unix_ms: row.get(6)?,
            end_unix_ms: row.get(7)?,
            start_ms: row.get(8)?,
            length_ms: row.get(9)?,
            size_bytes: row.get(10)?,
            modified_ms: row.get(11)?,
            hash: row.get::<_, Option<_>>(12)?.map(Hash),
            chain: row.get::<_, Option<_>>(13)?.map(Hash),
        })
    }
}
