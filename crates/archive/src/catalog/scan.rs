//! The catalog from the files.

use std::io;
use std::path::Path;

use rusqlite::params;

use super::head::{self, HEAD_BYTES};
use super::{Catalog, DIR, Entry, Error, State, int, relative};
use crate::disk::Disk;

/// Files that are looked at in one transaction, between two looks at whether to go on.
const PAGE: usize = 256;

/// How deep directories may lie below the record directory: more is somebody's mistake.
const DEPTH: usize = 64;

/// What a comparison of catalog and directory found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reconciled {
    /// Recorded files that the catalog did not know as they are.
    pub(crate) entered: u64,
    /// Files that were opened for that.
    pub(crate) opened: u64,
    /// Segments whose file is not where it was.
    pub(crate) missing: u64,
}

impl Catalog {
    /// Compares the catalog with the directory: the files win. A file is opened, and its first
    /// bytes read, only where its size or time of change is not that of the catalog. `go_on` is
    /// asked now and then; when it says no, the rest is left for the next time.
    ///
    /// # Errors
    /// Those of disk and database. A file that cannot be read is left out.
    pub(crate) fn reconcile(
        &self,
        disk: &dyn Disk,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Reconciled, Error> {
        let db = &self.reader.db;
        db.execute_batch(
            "DROP TABLE IF EXISTS temp.seen;
             CREATE TEMP TABLE seen (path TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL,
                 modified_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
        )?;
        let mut found = Reconciled::default();
        if self.list(disk, go_on)? && self.enter_changed(disk, go_on, &mut found)? {
            // After the files were entered: one that was renamed is not missing.
            let missing = db.execute(
                "UPDATE segments SET state = 'missing' WHERE state IN ('open', 'finished') \
                 AND path NOT IN (SELECT path FROM seen)",
                [],
            )?;
            found.missing = u64::try_from(missing).unwrap_or(u64::MAX);
        }
        db.execute_batch("DROP TABLE temp.seen")?;
        Ok(found)
    }

    /// Notes all media files of the record directory. Returns whether it came to the end.
    fn list(&self, disk: &dyn Disk, go_on: &dyn Fn() -> bool) -> Result<bool, Error> {
        let record_dir = &self.reader.record_dir;
        let ours = record_dir.join(DIR);
        let mut dirs = vec![(record_dir.clone(), 0)];
        while let Some((dir, depth)) = dirs.pop() {
            if !go_on() {
                return Ok(false);
            }
            let entries = match disk.list(&dir) {
                // Retention removes directories, people do.
                Err(error) if depth > 0 && error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            let whole = self.reader.db.unchecked_transaction()?;
            let mut insert =
                whole.prepare_cached("INSERT OR REPLACE INTO seen VALUES (?1, ?2, ?3)")?;
            for entry in entries {
                if entry.is_dir && depth < DEPTH && entry.path != ours {
                    dirs.push((entry.path, depth + 1));
                } else if !entry.is_dir && entry.path.extension().is_some_and(|e| e == "flv") {
                    let Some(path) = relative(record_dir, &entry.path) else { continue };
                    insert.execute(params![path, int(entry.size_bytes), entry.modified_ms])?;
                }
            }
            drop(insert);
            whole.commit()?;
        }
        Ok(true)
    }

    /// Enters the files that are not in the catalog as they are. Returns whether it came to the
    /// end.
    fn enter_changed(
        &self,
        disk: &dyn Disk,
        go_on: &dyn Fn() -> bool,
        found: &mut Reconciled,
    ) -> Result<bool, Error> {
        let mut after = String::new();
        let mut buffer = vec![0; HEAD_BYTES];
        loop {
            let page = self.changed(&after)?;
            let Some((last, ..)) = page.last() else { return Ok(true) };
            after.clone_from(last);
            if !go_on() {
                return Ok(false);
            }
            let whole = self.reader.db.unchecked_transaction()?;
            for (path, size_bytes, modified_ms) in page {
                found.opened += 1;
                let file = self.reader.record_dir.join(&path);
                let Ok(read) = disk.read_head(&file, &mut buffer) else { continue };
                found.entered += u64::from(self.enter_file(
                    path,
                    size_bytes,
                    modified_ms,
                    buffer.get(..read),
                )?);
            }
            whole.commit()?;
        }
    }

    fn changed(&self, after: &str) -> Result<Vec<(String, u64, i64)>, Error> {
        let mut statement = self.reader.db.prepare_cached(
            "SELECT path, size_bytes, modified_ms FROM seen WHERE path > ?1 AND NOT EXISTS \
             (SELECT 1 FROM segments g WHERE g.path = seen.path AND g.state = 'finished' \
             AND g.size_bytes = seen.size_bytes AND g.modified_ms = seen.modified_ms) \
             ORDER BY path LIMIT ?2",
        )?;
        let rows = statement
            .query_map(params![after, PAGE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns whether the file is one of ours and not the copy of another that is there as well.
    fn enter_file(
        &self,
        path: String,
        size_bytes: u64,
        modified_ms: i64,
        start: Option<&[u8]>,
    ) -> Result<bool, Error> {
        let Some(head) = start.and_then(head::read) else { return Ok(false) };
        let about = &head.about;
        let mut statement = self.reader.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM segments g JOIN seen ON seen.path = g.path \
             WHERE g.recording = ?1 AND g.number = ?2 AND g.path <> ?3 \
             AND g.state IN ('open', 'finished'))",
        )?;
        let params = params![about.recording.to_string(), about.segment, path];
        if statement.query_row(params, |row| row.get(0))? {
            return Ok(false);
        }
        self.enter(&Entry {
            path,
            about,
            ledger: head.ledger.as_ref(),
            state: if head.is_complete { State::Finished } else { State::Open },
            is_recovered: false,
            end_time: None,
            length_ms: head.length_ms,
            size_bytes,
            modified_ms,
            hashes: None,
        })?;
        Ok(true)
    }
}

/// Makes the catalog of `record_dir` anew from the files alone; the old one is kept under another
/// name. What files do not say is lost: hashes, and what was deleted. Returns how many segments it
/// has.
///
/// # Errors
/// Those of disk and database.
pub fn rebuild(disk: &dyn Disk, record_dir: &Path) -> Result<u64, Error> {
    match Catalog::set_aside(disk, record_dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let found = Catalog::open(disk, record_dir)?.reconcile(disk, &|| true)?;
    Ok(found.entered)
}
