//! What people and retention did to segments and recordings, entered.

use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension as _, params};

use super::{Catalog, Error, Segment, int, stored};
use crate::retention::Cause;
use crate::{Labels, RecordingId};

impl Catalog {
    /// Enters that segments were deleted.
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
            let sql = "UPDATE segments SET state = 'deleted', bin_path = NULL, held = 0 \
                       WHERE id = ?1";
            whole.execute(sql, [segment.id])?;
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
        let sql = "UPDATE segments SET state = 'missing', bin_path = NULL, held = 0 WHERE id = ?1";
        self.reader.db.execute(sql, [segment.id])?;
        Ok(())
    }

    /// Enters that a segment's file is in the bin.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn binned(&self, segment: &Segment, to: &Path) -> Result<(), Error> {
        let to = stored(&self.reader.record_dir, to);
        let sql = "UPDATE segments SET state = 'binned', bin_path = ?2, \
                   end_unix_ms = coalesce(end_unix_ms, start_unix_ms) WHERE id = ?1";
        self.reader.db.execute(sql, params![segment.id, to])?;
        Ok(())
    }

    /// Enters that a segment's file is back from the bin.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn restored(&self, segment: &Segment) -> Result<(), Error> {
        let sql = "UPDATE segments SET state = 'finished', bin_path = NULL WHERE id = ?1";
        self.reader.db.execute(sql, [segment.id])?;
        Ok(())
    }

    /// Enters since when a recording is in the bin and when it goes from there; `None` when it is
    /// not.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn set_binned(
        &self,
        id: RecordingId,
        since_and_until: Option<(i64, i64)>,
    ) -> Result<(), Error> {
        let (since, until) = since_and_until.unzip();
        let sql = "UPDATE recordings SET binned_unix_ms = ?2, purge_unix_ms = ?3 WHERE id = ?1";
        self.reader.db.execute(sql, params![id.to_string(), since, until])?;
        Ok(())
    }

    /// Enters for how long recordings stay in the bin, which those that are there do as well.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn set_grace(&self, grace_ms: i64) -> Result<(), Error> {
        let sql = "UPDATE recordings SET purge_unix_ms = binned_unix_ms + ?1 \
                   WHERE binned_segments > 0 AND purge_unix_ms IS NOT binned_unix_ms + ?1";
        self.reader.db.execute(sql, [grace_ms])?;
        Ok(())
    }

    /// The recordings whose time in the bin is over, the first first, at most `limit`.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn purgeable(
        &self,
        now_unix_ms: i64,
        limit: usize,
    ) -> Result<Vec<RecordingId>, Error> {
        let sql = "SELECT id FROM recordings WHERE binned_segments > 0 AND purge_unix_ms <= ?1 \
                   ORDER BY purge_unix_ms, seq LIMIT ?2";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        let ids = statement.query_map(params![now_unix_ms, limit], |row| row.get(0))?;
        let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
        Ok(ids.into_iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// The recordings of which a part is in the bin and another where it was.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn half_binned(&self) -> Result<Vec<RecordingId>, Error> {
        let sql = "SELECT id FROM recordings WHERE binned_segments > 0 \
                   AND open_segments + finished_segments > 0";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        let ids = statement.query_map([], |row| row.get(0))?;
        let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
        Ok(ids.into_iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Enters whether a segment is held.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn set_held(&self, segment: &Segment, is_held: bool) -> Result<(), Error> {
        let sql = "UPDATE segments SET held = ?2 WHERE id = ?1 AND held <> ?2";
        self.reader.db.execute(sql, params![segment.id, is_held])?;
        Ok(())
    }

    /// Enters whether further segments of a recording are held.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn set_hold_wanted(&self, id: RecordingId, is_wanted: bool) -> Result<(), Error> {
        let sql = "UPDATE recordings SET is_hold_wanted = ?2 WHERE id = ?1";
        self.reader.db.execute(sql, params![id.to_string(), is_wanted])?;
        Ok(())
    }

    /// Replaces the labels of a recording.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn set_labels(&self, id: RecordingId, labels: &Labels) -> Result<(), Error> {
        let whole = self.reader.db.unchecked_transaction()?;
        let sql = "SELECT seq FROM recordings WHERE id = ?1";
        let seq = whole.query_row(sql, [id.to_string()], |row| row.get(0)).optional()?;
        if let Some(seq) = seq {
            self.replace_labels(seq, labels)?;
        }
        whole.commit()?;
        Ok(())
    }

    pub(super) fn replace_labels(&self, seq: i64, labels: &Labels) -> Result<(), Error> {
        self.reader.db.prepare_cached("DELETE FROM labels WHERE seq = ?1")?.execute([seq])?;
        self.enter_labels(seq, labels)
    }

    pub(super) fn enter_labels(&self, seq: i64, labels: &Labels) -> Result<(), Error> {
        let sql = "INSERT INTO labels (seq, name, value) VALUES (?1, ?2, ?3)";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        for (name, value) in labels {
            statement.execute(params![seq, name, value])?;
        }
        Ok(())
    }

    /// Where the segment was that is entered now, if that is another place.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn moved_from(
        &self,
        id: RecordingId,
        number: u32,
        path: &Path,
    ) -> Result<Option<PathBuf>, Error> {
        let record_dir = &self.reader.record_dir;
        let Some(path) = stored(record_dir, path) else { return Ok(None) };
        let sql = "SELECT path FROM segments WHERE recording = ?1 AND number = ?2 AND path <> ?3";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        let from = statement.query_row(params![id.to_string(), number, path], |row| row.get(0));
        Ok(from.optional()?.map(|from: String| record_dir.join(from)))
    }
}
