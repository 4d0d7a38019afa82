//! What happens, entered.

use std::path::Path;

use rusqlite::{OptionalExtension as _, named_params, params};

use super::{Catalog, Error, State, int, stored, unix_ms};
use crate::disk::{Disk, beside};
use crate::events::{Completed, Finished, Started};
use crate::sidecar::HOLD;
use crate::{About, Gap, Hash, Ledger, Plan, RecordingId};

/// What is known of a segment.
pub(super) struct Entry<'a> {
    pub(super) path: String,
    /// Where its file is, if that is the bin.
    pub(super) bin_path: Option<String>,
    pub(super) about: &'a About,
    pub(super) ledger: Option<&'a Ledger>,
    pub(super) state: State,
    /// Whether a file beside it holds it.
    pub(super) is_held: bool,
    pub(super) is_recovered: bool,
    pub(super) end_time: Option<&'a str>,
    pub(super) length_ms: u64,
    pub(super) size_bytes: u64,
    pub(super) modified_ms: i64,
    pub(super) hashes: Option<(Hash, Hash)>,
}

/// How far a recording is, as what is entered tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Recording,
    Complete,
    Interrupted,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Catalog {
    pub(super) fn started(&self, started: &Started) -> Result<(), Error> {
        let Started { id, key, recorder, name, labels, request_key, is_clip, tracks, start_time } =
            started;
        let about = About {
            recording: *id,
            stream_key: key.as_str().to_owned(),
            segment: 1,
            start_time: start_time.clone(),
            start_ms: 0,
            cut: crate::Cut::Start,
            gap_before: None,
            first_packet: 0,
            chain_before: None,
            server: String::new(),
            recorder: recorder.clone(),
            name: name.clone(),
            labels: labels.clone(),
            request_key: request_key.clone(),
            is_clip: *is_clip,
            tracks: *tracks,
        };
        let start_unix_ms = unix_ms(start_time).unwrap_or_default();
        self.enter_recording(&about, start_unix_ms, Phase::Recording)
    }

    pub(super) fn completed(&self, completed: &Completed) -> Result<(), Error> {
        let Completed { id, reason, segments: _, length_ms, ledger, end_time } = completed;
        let db = &self.reader.db;
        let sql = "SELECT r.length_ms, (SELECT s.id FROM segments s WHERE s.recording = r.id \
                   ORDER BY number DESC LIMIT 1) FROM recordings r WHERE r.id = ?1";
        let known = db.prepare_cached(sql)?.query_row([id.to_string()], |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, Option<i64>>(1)?))
        });
        let Some((known_ms, last)) = known.optional()? else { return Ok(()) };
        let length_ms = known_ms.max(*length_ms);
        // What is missing at its very end is in no file.
        let behind = ledger.gaps.iter().filter(|gap| gap.at_ms >= length_ms && gap.length_ms > 0);
        let mut end_ms = length_ms;
        for (number, gap) in (1_i64..).zip(behind) {
            end_ms = end_ms.max(gap.at_ms.saturating_add(gap.length_ms));
            if let Some(segment) = last {
                self.enter_gap(segment, -number, gap)?;
            }
        }
        db.prepare_cached(CLOSE)?.execute(named_params! {
            ":id": id.to_string(),
            ":reason": reason.name(),
            ":end_unix_ms": unix_ms(end_time),
            ":length_ms": int(end_ms),
            ":gaps": int(ledger.gaps_total),
            ":received_packets": int(ledger.received.packets),
            ":received_bytes": int(ledger.received.bytes),
            ":written_packets": int(ledger.written.packets),
            ":written_bytes": int(ledger.written.bytes),
            ":dropped_packets": int(ledger.dropped.packets),
            ":dropped_bytes": int(ledger.dropped.bytes),
            ":late_packets": int(ledger.late_packets),
        })?;
        Ok(())
    }

    /// Enters that those recordings are over that are none of `running`: their server ended before
    /// they did, or it did not come to tell that they are complete.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn settle(&self, is_running: impl Fn(RecordingId) -> bool) -> Result<(), Error> {
        let db = &self.reader.db;
        let mut statement =
            db.prepare_cached("SELECT id FROM recordings WHERE phase = 'recording'")?;
        let ids: Vec<String> =
            statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let whole = db.unchecked_transaction()?;
        for id in ids {
            if id.parse().is_ok_and(&is_running) {
                continue;
            }
            whole.prepare_cached(SETTLE)?.execute([id])?;
        }
        whole.commit()?;
        Ok(())
    }

    pub(super) fn opened(&self, disk: &dyn Disk, path: &Path, about: &About) -> Result<(), Error> {
        let Some(stored) = stored(&self.reader.record_dir, path) else { return Ok(()) };
        let entry = Entry {
            path: stored,
            bin_path: None,
            about,
            ledger: None,
            state: State::Open,
            is_held: disk.entry(&beside(path, HOLD)).is_ok(),
            is_recovered: false,
            end_time: None,
            length_ms: 0,
            size_bytes: 0,
            modified_ms: 0,
            hashes: None,
        };
        self.enter(&entry, Phase::Recording)?;
        // One that was given up is running after all.
        let sql = "UPDATE recordings SET phase = 'recording' \
                   WHERE id = ?1 AND phase <> 'recording' AND reason IS NULL";
        self.reader.db.prepare_cached(sql)?.execute([about.recording.to_string()])?;
        Ok(())
    }

    pub(super) fn finished(
        &self,
        disk: &dyn Disk,
        finished: &Finished,
        is_recovered: bool,
    ) -> Result<(), Error> {
        let Some(path) = stored(&self.reader.record_dir, &finished.path) else { return Ok(()) };
        // Where the file cannot be looked at now it is at the next start.
        let on_disk = disk.entry(&finished.path).ok();
        let entry = Entry {
            path,
            bin_path: None,
            about: &finished.about,
            ledger: Some(&finished.ledger),
            state: State::Finished,
            is_held: disk.entry(&beside(&finished.path, HOLD)).is_ok(),
            is_recovered,
            end_time: Some(&finished.end_time),
            length_ms: finished.length_ms,
            size_bytes: on_disk.as_ref().map_or(finished.size_bytes, |entry| entry.size_bytes),
            modified_ms: on_disk.map_or(0, |entry| entry.modified_ms),
            hashes: Some((finished.hash, finished.chain)),
        };
        self.enter(&entry, if is_recovered { Phase::Interrupted } else { Phase::Recording })?;
        if is_recovered { self.interrupt(&finished.about) } else { Ok(()) }
    }

    /// Enters that a recording ended with a segment that is whole only since recovery, as far as files say.
    pub(super) fn interrupt(&self, about: &About) -> Result<(), Error> {
        let sql = "UPDATE recordings SET phase = 'interrupted' WHERE id = ?1 \
                   AND phase = 'complete' AND reason IS NULL AND NOT EXISTS (SELECT 1 FROM \
                   segments WHERE recording = ?1 AND number > ?2)";
        let mut statement = self.reader.db.prepare_cached(sql)?;
        statement.execute(params![about.recording.to_string(), about.segment])?;
        Ok(())
    }

    pub(super) fn was_set_aside(
        &self,
        from: &Path,
        to: &Path,
        reason: &str,
        now_unix_ms: i64,
    ) -> Result<(), Error> {
        let dir = &self.reader.record_dir;
        let (Some(from), Some(to)) = (stored(dir, from), stored(dir, to)) else {
            return Ok(());
        };
        self.leave(&from)?;
        self.reader.db.execute(
            "INSERT INTO set_aside (from_path, to_path, reason, seen_unix_ms) \
             VALUES (?1, ?2, ?3, ?4)",
            params![from, to, reason, now_unix_ms],
        )?;
        Ok(())
    }

    pub(super) fn gone(&self, path: &Path) -> Result<(), Error> {
        stored(&self.reader.record_dir, path).map_or(Ok(()), |path| self.leave(&path))
    }

    /// Enters that the file of a segment is not where it was.
    fn leave(&self, path: &str) -> Result<(), Error> {
        let sql = "UPDATE segments SET state = 'missing', held = 0 \
                   WHERE path = ?1 AND state IN ('open', 'finished')";
        self.reader.db.execute(sql, [path])?;
        Ok(())
    }

    /// Enters a recording, or that it began earlier than was known.
    fn enter_recording(
        &self,
        about: &About,
        start_unix_ms: i64,
        phase: Phase,
    ) -> Result<(), Error> {
        let db = &self.reader.db;
        let id = about.recording.to_string();
        let sql = "SELECT seq FROM recordings WHERE id = ?1";
        let known: Option<i64> =
            db.prepare_cached(sql)?.query_row([&id], |row| row.get(0)).optional()?;
        if known.is_some() {
            let sql = "UPDATE recordings SET start_time = ?2, start_unix_ms = ?3 WHERE id = ?1 \
                       AND (start_unix_ms > ?3 OR start_unix_ms <> ?3 AND NOT EXISTS \
                       (SELECT 1 FROM segments WHERE recording = ?1))";
            db.prepare_cached(sql)?.execute(params![id, about.start_time, start_unix_ms])?;
            return Ok(());
        }
        db.prepare_cached(
            "INSERT INTO recordings (id, stream_key, recorder, name, request_key, is_clip, tracks, \
             phase, start_time, start_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            id,
            about.stream_key,
            recorder(about),
            about.name,
            about.request_key,
            about.is_clip,
            about.tracks.name(),
            phase.name(),
            about.start_time,
            start_unix_ms
        ])?;
        let seq = db.last_insert_rowid();
        self.enter_labels(seq, &about.labels)
    }

    /// Enters a segment, or what is new of it. `phase` is that of a recording that is not known.
    pub(super) fn enter(&self, entry: &Entry<'_>, phase: Phase) -> Result<(), Error> {
        let db = &self.reader.db;
        let about = entry.about;
        let recording = about.recording.to_string();
        let start_unix_ms = unix_ms(&about.start_time).unwrap_or(entry.modified_ms);
        self.enter_recording(about, start_unix_ms, phase)?;
        // A name is free again when its file is gone.
        db.prepare_cached(
            "UPDATE segments SET state = 'missing' WHERE path = ?1 \
             AND state IN ('open', 'finished') AND (recording, number) <> (?2, ?3)",
        )?
        .execute(params![entry.path, recording, about.segment])?;
        let ends = (entry.state != State::Open).then(|| {
            let by_length = start_unix_ms.saturating_add(int(entry.length_ms));
            entry.end_time.and_then(unix_ms).unwrap_or(by_length)
        });
        let (hash, chain) = entry.hashes.unzip();
        let id: i64 = db.prepare_cached(ENTER)?.query_row(
            named_params! {
                ":recording": recording,
                ":number": about.segment,
                ":stream_key": about.stream_key,
                ":recorder": recorder(about),
                ":is_clip": about.is_clip,
                ":path": entry.path,
                ":bin_path": entry.bin_path,
                ":state": entry.state.name(),
                ":held": entry.is_held,
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
                ":gaps_before": i64::from(about.gap_before.is_some()),
                ":hash": hash.map(|hash| hash.0),
                ":chain": chain.map(|hash| hash.0),
                ":chain_before": about.chain_before.map(|hash| hash.0),
            },
            |row| row.get(0),
        )?;
        if let Some(ledger) = entry.ledger {
            self.enter_ledger(id, ledger)?;
        }
        let inside = entry.ledger.map(|ledger| ledger.gaps.as_slice()).unwrap_or_default();
        let before = about.gap_before.iter().map(|gap| (0, gap));
        before.chain((1_i64..).zip(inside)).try_for_each(|(n, gap)| self.enter_gap(id, n, gap))
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

    fn enter_gap(&self, segment: i64, number: i64, gap: &Gap) -> Result<(), Error> {
        let mut statement = self.reader.db.prepare_cached(
            "INSERT OR REPLACE INTO gaps (segment, number, at_ms, length_ms, reason, \
             dropped_packets, dropped_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        statement.execute(params![
            segment,
            number,
            int(gap.at_ms),
            int(gap.length_ms),
            gap.reason.name(),
            int(gap.dropped.packets),
            int(gap.dropped.bytes),
        ])?;
        Ok(())
    }
}

/// The recorder of files that tell none was the only one there was.
fn recorder(about: &About) -> &str {
    if about.recorder.is_empty() { Plan::ALL } else { &about.recorder }
}

/// What is known stays where there is nothing newer: a hash that was computed while the file was
/// written must not be lost because the file was looked at again.
const ENTER: &str = "
INSERT INTO segments (recording, number, stream_key, recorder, is_clip, path, bin_path, state, held,
    recovered, cut, start_time, start_unix_ms, end_time, end_unix_ms, start_ms, length_ms,
    size_bytes, modified_ms, first_packet, server, gaps_before, hash, chain, chain_before)
VALUES (:recording, :number, :stream_key, :recorder, :is_clip, :path, :bin_path, :state, :held,
    :recovered, :cut, :start_time, :start_unix_ms, :end_time, :end_unix_ms, :start_ms, :length_ms,
    :size_bytes, :modified_ms, :first_packet, :server, :gaps_before, :hash, :chain, :chain_before)
ON CONFLICT (recording, number) DO UPDATE SET
    path = excluded.path, bin_path = excluded.bin_path, state = excluded.state,
    held = excluded.held, recovered = max(recovered, excluded.recovered),
    end_time = coalesce(excluded.end_time, end_time),
    end_unix_ms = CASE WHEN excluded.end_time IS NULL AND end_time IS NOT NULL
        THEN end_unix_ms ELSE excluded.end_unix_ms END,
    length_ms = excluded.length_ms, size_bytes = excluded.size_bytes,
    modified_ms = excluded.modified_ms, gaps_before = excluded.gaps_before,
    hash = coalesce(excluded.hash, hash),
    chain = coalesce(excluded.chain, chain), chain_before = excluded.chain_before
RETURNING id";

const CLOSE: &str = "
UPDATE recordings SET phase = 'complete', reason = :reason, is_hold_wanted = 0,
    closed_end_unix_ms = :end_unix_ms, closed_length_ms = :length_ms, closed_gaps = :gaps,
    closed_received_packets = :received_packets, closed_received_bytes = :received_bytes,
    closed_written_packets = :written_packets, closed_written_bytes = :written_bytes,
    closed_dropped_packets = :dropped_packets, closed_dropped_bytes = :dropped_bytes,
    closed_late_packets = :late_packets
WHERE id = :id";

/// A recording whose last file came to its end by itself is complete, as far as files say.
const SETTLE: &str = "
UPDATE recordings SET is_hold_wanted = 0, phase = CASE
    WHEN open_segments = 0 AND (SELECT recovered FROM segments WHERE recording = ?1
        ORDER BY number DESC LIMIT 1) = 0 THEN 'complete'
    ELSE 'interrupted' END
WHERE id = ?1";

#[cfg(test)]
mod tests;
