//! The catalog from the files.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension as _, params};

use super::enter::{Entry, Phase};
use super::head::{self, HEAD_BYTES};
use super::lock::Lock;
use super::{Catalog, DIR, Error, Reader, State, int, stored};
use crate::disk::{Disk, beside};
use crate::sidecar::{HOLD, LABELS, PART, read_labels};
use crate::trash;
use crate::{Format, RecordingId, telemetry, words};

/// Files that are looked at in one transaction, between two looks at whether to go on.
const PAGE: usize = 256;

/// How deep directories may lie below the one that is recorded to: more is somebody's mistake.
const DEPTH: usize = 64;

/// What a comparison of catalog and directories found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reconciled {
    /// Recorded files that the catalog did not know as they are.
    pub(crate) entered: u64,
    /// Files that were opened for that.
    pub(crate) opened: u64,
    /// Segments whose file is not where it was.
    pub(crate) missing: u64,
}

/// How far a catalog is that is made anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files that were found so far.
    pub found: u64,
    /// Of those that were looked into.
    pub read: u64,
}

/// Where a directory lies.
#[derive(Debug, Clone)]
enum Kind {
    /// In one that is recorded to.
    Recorded,
    /// It is the bin of this directory.
    Bin(PathBuf),
    /// In the bin: the directory that it is of, and that of the recording in the bin.
    Binned { base: PathBuf, recording: PathBuf },
}

/// What a comparison works with.
struct Work<'a> {
    disk: &'a dyn Disk,
    go_on: &'a dyn Fn() -> bool,
    progress: &'a mut dyn FnMut(Progress),
    done: Progress,
    found: Reconciled,
    /// Directories of recordings in the bin.
    binned: Vec<PathBuf>,
    /// Directories that cannot be read: what is in them is as it was.
    unreadable: Vec<PathBuf>,
}

impl Work<'_> {
    fn tell(&mut self, found: u64, read: u64) {
        self.done.found += found;
        self.done.read += read;
        (self.progress)(self.done);
    }
}

impl Catalog {
    /// Compares the catalog with the record directory and further ones, `dirs`: the files win. A
    /// file is opened, and its first bytes read, only where its size or time of change is not that
    /// of the catalog. `go_on` is asked now and then; when it says no, the rest is left for the next
    /// time.
    ///
    /// # Errors
    /// Those of disk and database. A file that cannot be read is left out, and so is a further
    /// directory.
    pub(crate) fn reconcile(
        &self,
        disk: &dyn Disk,
        dirs: &[PathBuf],
        go_on: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Reconciled, Error> {
        let db = &self.reader.db;
        db.execute_batch(
            "DROP TABLE IF EXISTS temp.seen;
             DROP TABLE IF EXISTS temp.seen_beside;
             CREATE TEMP TABLE seen (path TEXT PRIMARY KEY, home TEXT, size_bytes INTEGER NOT NULL,
                 modified_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
             CREATE TEMP TABLE seen_beside (path TEXT NOT NULL, ending TEXT NOT NULL,
                 size_bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL,
                 PRIMARY KEY (path, ending)) STRICT, WITHOUT ROWID;",
        )?;
        let (done, found, binned, unreadable) = Default::default();
        let mut work = Work { disk, go_on, progress, done, found, binned, unreadable };
        if self.list_all(&mut work, dirs)? && self.enter_changed(&mut work)? {
            // After the files were entered: one that was renamed is not missing.
            work.found.missing = self.enter_missing(&work)?;
            self.enter_beside(&work)?;
            self.enter_binned(&work)?;
        }
        let found = work.found;
        db.execute_batch("DROP TABLE temp.seen; DROP TABLE temp.seen_beside")?;
        Ok(found)
    }

    /// Directories that were recorded to, beside the record directory.
    fn enter_dirs(&self, dirs: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
        let record_dir = &self.reader.record_dir;
        for dir in dirs {
            // One below the record directory is walked with that.
            let path = stored(record_dir, dir).map(PathBuf::from).filter(|p| p.is_absolute());
            if let Some(path) = path.as_deref().and_then(Path::to_str) {
                let sql = "INSERT OR IGNORE INTO dirs (path) VALUES (?1)";
                self.reader.db.execute(sql, [path])?;
            }
        }
        self.reader.dirs()
    }

    /// Notes all media files. Returns whether it came to the end.
    fn list_all(&self, work: &mut Work<'_>, dirs: &[PathBuf]) -> Result<bool, Error> {
        let record_dir = self.reader.record_dir.clone();
        if !self.list(work, record_dir)? {
            return Ok(false);
        }
        for dir in self.enter_dirs(dirs)? {
            match self.list(work, dir.clone()) {
                Ok(true) => {}
                Err(Error::Disk(error)) if error.kind() != io::ErrorKind::NotFound => {
                    telemetry::directory_unreadable(&dir, &words(&error));
                    work.unreadable.push(dir);
                }
                Err(Error::Disk(_)) => {}
                not_to_its_end => return not_to_its_end,
            }
        }
        Ok(true)
    }

    fn list(&self, work: &mut Work<'_>, root: PathBuf) -> Result<bool, Error> {
        let mut dirs = vec![(root, 0, Kind::Recorded)];
        while let Some((dir, depth, kind)) = dirs.pop() {
            if !(work.go_on)() {
                return Ok(false);
            }
            let entries = match work.disk.list(&dir) {
                // Retention removes directories, people do.
                Err(error) if depth > 0 && error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            let whole = self.reader.db.unchecked_transaction()?;
            let mut files = 0;
            for entry in entries {
                if entry.is_dir {
                    let inside = match &kind {
                        _ if depth >= DEPTH => None,
                        Kind::Recorded if entry.path.ends_with(DIR) => {
                            Some((trash::of(&dir), Kind::Bin(dir.clone())))
                        }
                        Kind::Bin(base) if trash::recording(&entry.path).is_some() => {
                            work.binned.push(entry.path.clone());
                            let (base, recording) = (base.clone(), entry.path.clone());
                            Some((entry.path, Kind::Binned { base, recording }))
                        }
                        Kind::Bin(_) => None,
                        inside => Some((entry.path, inside.clone())),
                    };
                    dirs.extend(inside.map(|(path, kind)| (path, depth + 1, kind)));
                } else if is_leftover(&entry.path) {
                    let _ = work.disk.remove(&entry.path);
                } else if !matches!(kind, Kind::Bin(_)) {
                    files += u64::from(self.note(&entry, &kind)?);
                }
            }
            whole.commit()?;
            work.tell(files, 0);
        }
        Ok(true)
    }

    /// Notes a file if it is one that matters. Returns whether it is a media file.
    fn note(&self, entry: &crate::Entry, kind: &Kind) -> Result<bool, Error> {
        let Some(path) = stored(&self.reader.record_dir, &entry.path) else { return Ok(false) };
        let (size_bytes, modified_ms) = (int(entry.size_bytes), entry.modified_ms);
        if Format::of_name(&path).is_some() {
            let home = match kind {
                Kind::Binned { base, recording } => {
                    let below = entry.path.strip_prefix(recording).ok();
                    below.and_then(|below| stored(&self.reader.record_dir, &base.join(below)))
                }
                Kind::Recorded | Kind::Bin(_) => None,
            };
            let sql = "INSERT OR REPLACE INTO seen (path, home, size_bytes, modified_ms) \
                       VALUES (?1, ?2, ?3, ?4)";
            let mut insert = self.reader.db.prepare_cached(sql)?;
            insert.execute(params![path, home, size_bytes, modified_ms])?;
            return Ok(true);
        }
        let ending = [HOLD, LABELS].into_iter().find(|ending| path.ends_with(ending));
        let segment = ending.and_then(|ending| path.strip_suffix(ending));
        if let Some(segment) = segment.filter(|path| Format::of_name(path).is_some()) {
            let sql = "INSERT OR REPLACE INTO seen_beside VALUES (?1, ?2, ?3, ?4)";
            let mut insert = self.reader.db.prepare_cached(sql)?;
            insert.execute(params![segment, ending, size_bytes, modified_ms])?;
        }
        Ok(false)
    }

    /// Enters the files that are not in the catalog as they are. Returns whether it came to the
    /// end.
    fn enter_changed(&self, work: &mut Work<'_>) -> Result<bool, Error> {
        let mut after = String::new();
        let mut buffer = vec![0; HEAD_BYTES];
        loop {
            let page = self.changed(&after)?;
            let Some(last) = page.last() else { return Ok(true) };
            after.clone_from(&last.path);
            if !(work.go_on)() {
                return Ok(false);
            }
            let files = page.len() as u64;
            let whole = self.reader.db.unchecked_transaction()?;
            for seen in page {
                work.found.opened += 1;
                let file = self.reader.record_dir.join(&seen.path);
                let Ok(read) = work.disk.read_head(&file, &mut buffer) else { continue };
                let is_entered = self.enter_file(seen, buffer.get(..read))?;
                work.found.entered += u64::from(is_entered);
            }
            whole.commit()?;
            work.tell(0, files);
        }
    }

    fn changed(&self, after: &str) -> Result<Vec<Seen>, Error> {
        let mut statement = self.reader.db.prepare_cached(
            "SELECT path, home, size_bytes, modified_ms FROM seen WHERE path > ?1 \
             AND NOT EXISTS (SELECT 1 FROM segments g WHERE g.path = seen.path \
                 AND g.state = 'finished' AND g.size_bytes = seen.size_bytes \
                 AND g.modified_ms = seen.modified_ms) \
             AND NOT EXISTS (SELECT 1 FROM segments g WHERE g.bin_path = seen.path \
                 AND g.state = 'binned' AND g.size_bytes = seen.size_bytes \
                 AND g.modified_ms = seen.modified_ms) ORDER BY path LIMIT ?2",
        )?;
        let rows = statement.query_map(params![after, PAGE], |row| {
            Ok(Seen {
                path: row.get(0)?,
                home: row.get(1)?,
                size_bytes: row.get(2)?,
                modified_ms: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns whether the file is one of ours and not the copy of another that is there as well.
    fn enter_file(&self, seen: Seen, start: Option<&[u8]>) -> Result<bool, Error> {
        let Some(head) = start.and_then(head::read) else { return Ok(false) };
        let about = &head.about;
        let mut statement = self.reader.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM segments g JOIN seen ON seen.path = g.path \
             WHERE g.recording = ?1 AND g.number = ?2 AND g.path <> ?3 \
             AND g.state IN ('open', 'finished'))",
        )?;
        let params = params![about.recording.to_string(), about.segment, seen.path];
        if statement.query_row(params, |row| row.get(0))? {
            return Ok(false);
        }
        let state = match (&seen.home, head.is_complete) {
            (Some(_), _) => State::Binned,
            (None, true) => State::Finished,
            (None, false) => State::Open,
        };
        let phase = if head.is_complete { Phase::Complete } else { Phase::Recording };
        let (path, bin_path) = match seen.home {
            Some(home) => (home, Some(seen.path)),
            None => (seen.path, None),
        };
        let entry = Entry {
            path,
            bin_path,
            about,
            ledger: head.ledger.as_ref(),
            state,
            // That is looked at for all files together.
            is_held: false,
            is_recovered: head.is_cut_off,
            end_time: None,
            length_ms: head.length_ms,
            size_bytes: seen.size_bytes,
            modified_ms: seen.modified_ms,
            hashes: None,
        };
        self.enter(&entry, phase)?;
        if head.is_cut_off {
            self.interrupt(about)?;
        }
        Ok(true)
    }

    fn enter_missing(&self, work: &Work<'_>) -> Result<u64, Error> {
        let db = &self.reader.db;
        if work.unreadable.is_empty() {
            let missing = db.execute(
                "UPDATE segments SET state = 'missing', bin_path = NULL, held = 0 \
                 WHERE state IN ('open', 'finished', 'binned') \
                 AND coalesce(bin_path, path) NOT IN (SELECT path FROM seen)",
                [],
            )?;
            return Ok(u64::try_from(missing).unwrap_or(u64::MAX));
        }
        let sql = "WHERE state IN ('open', 'finished', 'binned') \
                   AND coalesce(bin_path, path) NOT IN (SELECT path FROM seen)";
        let mut missing = 0;
        for segment in self.reader.segments(sql, [])? {
            if !work.unreadable.iter().any(|dir| segment.path.starts_with(dir)) {
                self.missing(&segment)?;
                missing += 1;
            }
        }
        Ok(missing)
    }

    /// Enters what is beside segments: that they are held, and labels.
    fn enter_beside(&self, work: &Work<'_>) -> Result<(), Error> {
        let db = &self.reader.db;
        let is_held = "coalesce(bin_path, path) IN \
                       (SELECT path FROM seen_beside WHERE ending = '.hold')";
        let whole = db.unchecked_transaction()?;
        whole.execute(&format!("UPDATE segments SET held = 0 WHERE held AND NOT {is_held}"), [])?;
        whole.execute(
            "UPDATE segments SET held = 1 WHERE id IN (SELECT s.id FROM seen_beside b \
             JOIN segments s ON s.path = b.path AND s.bin_path IS NULL OR s.bin_path = b.path \
             WHERE b.ending = '.hold' AND NOT s.held)",
            [],
        )?;
        whole.commit()?;
        let strings = |sql: &str| -> Result<Vec<String>, Error> {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let changed = "SELECT b.path FROM seen_beside b WHERE b.ending = '.labels' \
                       AND NOT EXISTS (SELECT 1 FROM label_files f WHERE f.path = b.path \
                       AND f.size_bytes = b.size_bytes AND f.modified_ms = b.modified_ms)";
        for path in strings(changed)? {
            self.enter_label_file(work.disk, &path)?;
        }
        let gone = "SELECT path FROM label_files WHERE path NOT IN \
                    (SELECT path FROM seen_beside WHERE ending = '.labels')";
        for path in strings(gone)? {
            self.forget_label_file(work.disk, &path)?;
        }
        Ok(())
    }

    /// The recording whose first segment is at a path.
    fn led_by(&self, path: &str) -> Result<Option<RecordingId>, Error> {
        let mut statement = self.reader.db.prepare_cached(
            "SELECT s.recording FROM segments s WHERE (s.path = ?1 AND s.bin_path IS NULL \
             OR s.bin_path = ?1) AND s.state IN ('open', 'finished', 'binned') \
             AND NOT EXISTS (SELECT 1 FROM segments b WHERE b.recording = s.recording \
             AND b.number < s.number AND b.state IN ('open', 'finished', 'binned'))",
        )?;
        let id: Option<String> = statement.query_row([path], |row| row.get(0)).optional()?;
        Ok(id.and_then(|id| id.parse().ok()))
    }

    fn enter_label_file(&self, disk: &dyn Disk, path: &str) -> Result<(), Error> {
        let Some(id) = self.led_by(path)? else { return Ok(()) };
        let file = self.reader.record_dir.join(path);
        match read_labels(disk, &file) {
            Ok(Some(labels)) => self.set_labels(id, &labels)?,
            Ok(None) => return Ok(()),
            Err(error) => telemetry::labels_unreadable(&beside(&file, LABELS), &words(&error)),
        }
        // One that cannot be read is told of once.
        self.reader.db.execute(
            "INSERT OR REPLACE INTO label_files SELECT path, size_bytes, modified_ms \
             FROM seen_beside WHERE path = ?1 AND ending = '.labels'",
            [path],
        )?;
        Ok(())
    }

    /// A recording whose label file is gone has the labels that it began with.
    fn forget_label_file(&self, disk: &dyn Disk, path: &str) -> Result<(), Error> {
        self.reader.db.execute("DELETE FROM label_files WHERE path = ?1", [path])?;
        let Some(id) = self.led_by(path)? else { return Ok(()) };
        let mut buffer = vec![0; HEAD_BYTES];
        let read = disk.read_head(&self.reader.record_dir.join(path), &mut buffer)?;
        if let Some(head) = buffer.get(..read).and_then(head::read) {
            self.set_labels(id, &head.about.labels)?;
        }
        Ok(())
    }

    fn is_binned(&self, id: RecordingId) -> Result<bool, Error> {
        let sql = "SELECT binned_segments > 0 FROM recordings WHERE id = ?1";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        let is_binned = statement.query_row([id.to_string()], |row| row.get(0)).optional()?;
        Ok(is_binned.unwrap_or_default())
    }

    /// Enters since when recordings are in the bin, where that is not known. Until when that is
    /// lies with the policy.
    fn enter_binned(&self, work: &Work<'_>) -> Result<(), Error> {
        for dir in &work.binned {
            let Some(id) = trash::recording(dir) else { continue };
            if !self.is_binned(id)? {
                // A deletion that was refused, or killed before it began.
                trash::sweep(work.disk, dir);
                continue;
            }
            let since = trash::since(work.disk, dir).unwrap_or_else(|| {
                work.disk.entry(dir).map(|entry| entry.modified_ms).unwrap_or_default()
            });
            let sql = "UPDATE recordings SET binned_unix_ms = ?2 WHERE id = ?1 \
                       AND binned_segments > 0 AND binned_unix_ms IS NULL";
            self.reader.db.execute(sql, params![id.to_string(), since])?;
        }
        Ok(())
    }
}

/// Whether a file is labels that were not written to their end: nobody writes any while directories
/// are compared.
fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.strip_suffix(PART)?.strip_suffix(LABELS))
        .is_some_and(|name| Format::of_name(name).is_some())
}

/// A file that is there.
struct Seen {
    path: String,
    /// What it was called, if it is in the bin.
    home: Option<String>,
    size_bytes: u64,
    modified_ms: i64,
}

/// Makes the catalog of `record_dir` and further directories, `dirs`, anew from the files alone;
/// the old one is kept under another name. Directories that the old one knows need not be given.
/// What files do not say is lost: hashes, why recordings ended, and what was deleted. Returns how
/// many segments it has.
///
/// # Errors
/// [`Error::InUse`] while a server has the catalog; those of disk and database.
pub fn rebuild(
    disk: &dyn Disk,
    record_dir: &Path,
    dirs: &[PathBuf],
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, Error> {
    let _lock = Lock::take_for_rebuild(disk, record_dir)?;
    let known = Reader::open(record_dir).and_then(|old| old.dirs()).unwrap_or_default();
    let dirs: Vec<_> = dirs.iter().cloned().chain(known).collect();
    match Catalog::set_aside(disk, record_dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let catalog = Catalog::open(disk, record_dir)?;
    let found = catalog.reconcile(disk, &dirs, &|| true, progress)?;
    catalog.settle(|_| false)?;
    catalog.renumber()?;
    catalog.index(0, usize::MAX)?;
    Ok(found.entered)
}

/// Brings the search index of a catalog up to date, which a server does by itself, bit by bit.
///
/// # Errors
/// [`Error::InUse`] while somebody else works on the catalog; those of disk and database.
pub fn index(disk: &dyn Disk, record_dir: &Path) -> Result<(), Error> {
    let _lock = Lock::take(disk, record_dir)?;
    let catalog = Catalog::open(disk, record_dir)?;
    catalog.renumber()?;
    catalog.index(0, usize::MAX)?;
    Ok(())
}

#[cfg(test)]
mod tests;
