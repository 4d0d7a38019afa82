//! What can be asked of one recording, and of the segments of a stream.

use std::collections::BTreeSet;

use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, params};

use super::reader::COLUMNS;
use super::{Error, Reader, Recording, RecordingState, Segment};
use crate::{Amount, Format, Gap, Ledger, Plan, RecordingId};

/// A gap of a recording, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentGap {
    /// The segment that it is in; that it is before; or, at the end of a recording, behind.
    pub segment: u32,
    /// Whether it is inside the segment's file.
    pub is_inside: bool,
    /// What is missing; its time is on the recording's clock.
    pub gap: Gap,
}

/// Why it is not clear which recorder's segments are meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhoseError {
    /// Several recorders made them, and none was named.
    #[error("{0} recorded it then")]
    Several(String),
    /// The one that was named made none of them.
    #[error("no recorder of the name {name:?} recorded it then: {known} did")]
    Other {
        /// The name.
        name: String,
        /// Those that did.
        known: String,
    },
}

/// Neither a configuration nor a catalog has a recorder of the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no recorder of the name {name:?} is in the configuration or has recorded anything: {known} are or have"
)]
pub struct UnknownRecorder {
    name: String,
    /// Some of those that are known.
    known: String,
}

/// Recorders that are named to who names one that there is not.
const NAMED: usize = 20;

/// Checks the name of a recorder: it has to be among those `known`, of which are those that every server has.
///
/// # Errors
/// [`UnknownRecorder`].
pub fn check_recorder(
    name: &str,
    known: impl IntoIterator<Item = String>,
) -> Result<(), UnknownRecorder> {
    let own = [Plan::ALL, Plan::API].map(str::to_owned);
    let known: BTreeSet<_> = known.into_iter().chain(own).collect();
    if known.contains(name) {
        return Ok(());
    }
    let mut named: Vec<_> = known.iter().take(NAMED).map(String::as_str).collect();
    named.extend((known.len() > NAMED).then_some("…"));
    Err(UnknownRecorder { name: name.to_owned(), known: named.join(", ") })
}

/// Of segments of a stream those of one recorder: of the one with this name, or else of the only one.
///
/// # Errors
/// [`WhoseError`]; where there are no segments there is none.
pub fn of_recorder(
    mut segments: Vec<Segment>,
    name: Option<&str>,
) -> Result<Vec<Segment>, WhoseError> {
    let mut recorders: Vec<_> = segments.iter().map(|segment| &*segment.recorder).collect();
    recorders.sort_unstable();
    recorders.dedup();
    match name {
        None if recorders.len() > 1 => return Err(WhoseError::Several(recorders.join(", "))),
        Some(name) if !recorders.is_empty() && !recorders.contains(&name) => {
            let known = recorders.join(", ");
            return Err(WhoseError::Other { name: name.to_owned(), known });
        }
        _ => {}
    }
    segments.retain(|segment| name.is_none_or(|name| segment.recorder == name));
    Ok(segments)
}

/// How far back segments of each step of `reach` begin at most, in ms: those of the last step may
/// be of any length.
const REACH_MS: [i64; 10] = [
    15_000,
    75_000,
    330_000,
    1_200_000,
    4_000_000,
    15_000_000,
    90_000_000,
    700_000_000,
    4_000_000_000,
    i64::MAX,
];

const RECORDING: &str = "seq, id, stream_key, recorder, name, state, start_unix_ms, start_time, \
    end_unix_ms, coalesce(closed_length_ms, length_ms), size_bytes, \
    open_segments + finished_segments + binned_segments, coalesce(closed_gaps, gaps), \
    coalesce(closed_received_packets, received_packets), \
    coalesce(closed_received_bytes, received_bytes), \
    coalesce(closed_written_packets, written_packets), \
    coalesce(closed_written_bytes, written_bytes), \
    coalesce(closed_dropped_packets, dropped_packets), \
    coalesce(closed_dropped_bytes, dropped_bytes), \
    coalesce(closed_late_packets, late_packets), held, reason, request_key, \
    iif(binned_segments > 0, binned_unix_ms, NULL), iif(binned_segments > 0, purge_unix_ms, NULL), \
    tracks, (SELECT path FROM segments WHERE recording = recordings.id ORDER BY number DESC LIMIT 1), \
    is_clip";

impl Reader {
    /// One recording.
    ///
    /// # Errors
    /// Those of the database.
    pub fn recording(&self, id: RecordingId) -> Result<Option<Recording>, Error> {
        self.one_recording("id = ?1", &id.to_string())
    }

    /// Those of some recordings that are not in the catalog, or not yet.
    ///
    /// # Errors
    /// Those of the database.
    pub fn unknown(&self, ids: Vec<RecordingId>) -> Result<Vec<RecordingId>, Error> {
        let mut statement = self.db.prepare_cached("SELECT 1 FROM recordings WHERE id = ?1")?;
        let mut unknown = Vec::new();
        for id in ids {
            if !statement.exists([id.to_string()])? {
                unknown.push(id);
            }
        }
        Ok(unknown)
    }

    /// The names of the recorders that made anything.
    ///
    /// # Errors
    /// Those of the database.
    pub fn recorders(&self) -> Result<Vec<String>, Error> {
        let mut statement = self.db.prepare_cached("SELECT DISTINCT recorder FROM recordings")?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// The recording that was asked for by a request of this key; the newest, if there are more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn by_request_key(&self, request_key: &str) -> Result<Option<Recording>, Error> {
        self.one_recording("request_key = ?1 ORDER BY seq DESC LIMIT 1", request_key)
    }

    fn one_recording(&self, which: &str, text: &str) -> Result<Option<Recording>, Error> {
        let sql = format!("SELECT {RECORDING} FROM recordings WHERE {which}");
        let mut statement = self.db.prepare_cached(&sql)?;
        let found = statement.query_row([text], |row| Ok((row.get(0)?, recording(row)?)));
        let Some((seq, recording)) = found.optional()? else { return Ok(None) };
        self.with_labels(seq, recording).map(Some)
    }

    /// The recording of a row; `None` when there is none.
    pub(super) fn recording_at(&self, seq: i64) -> Result<Option<Recording>, Error> {
        let sql = format!("SELECT {RECORDING} FROM recordings WHERE seq = ?1");
        let mut statement = self.db.prepare_cached(&sql)?;
        match statement.query_row([seq], recording).optional()? {
            Some(recording) => self.with_labels(seq, recording).map(Some),
            None => Ok(None),
        }
    }

    fn with_labels(&self, seq: i64, mut recording: Recording) -> Result<Recording, Error> {
        let mut statement =
            self.db.prepare_cached("SELECT name, value FROM labels WHERE seq = ?1")?;
        let labels = statement.query_map([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
        recording.labels = labels.collect::<Result<_, _>>()?;
        Ok(recording)
    }

    /// The gaps of a recording, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn gaps_of(&self, id: RecordingId) -> Result<Vec<SegmentGap>, Error> {
        let mut statement = self.db.prepare_cached(
            "SELECT s.number, g.number, s.start_ms, g.at_ms, g.length_ms, g.reason, \
             g.dropped_packets, g.dropped_bytes FROM segments s JOIN gaps g ON g.segment = s.id \
             WHERE s.recording = ?1 ORDER BY s.number, g.number < 0, abs(g.number)",
        )?;
        let gaps = statement.query_map([id.to_string()], |row| {
            let (number, start_ms, at_ms): (i64, u64, u64) =
                (row.get(1)?, row.get(2)?, row.get(3)?);
            let is_inside = number > 0;
            let reason = row.get_ref(5)?.as_str()?.parse().map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(5, Type::Text, Box::new(error))
            })?;
            Ok(SegmentGap {
                segment: row.get(0)?,
                is_inside,
                gap: Gap {
                    at_ms: if is_inside { start_ms.saturating_add(at_ms) } else { at_ms },
                    length_ms: row.get(4)?,
                    reason,
                    dropped: Amount { packets: row.get(6)?, bytes: row.get(7)? },
                },
            })
        })?;
        Ok(gaps.collect::<Result<_, _>>()?)
    }

    /// The segments of a stream that have something in `from_unix_ms..to_unix_ms` and whose files
    /// are there, by the time at which they begin; of one recorder, or of all.
    ///
    /// # Errors
    /// Those of the database.
    pub fn segments_between(
        &self,
        stream_key: &str,
        from_unix_ms: i64,
        to_unix_ms: i64,
        recorder: Option<&str>,
    ) -> Result<Vec<Segment>, Error> {
        let mut found = Vec::new();
        let sql = format!(
            "SELECT {COLUMNS} FROM segments WHERE stream_key = ?1 AND reach = ?2 \
             AND start_unix_ms >= ?3 AND start_unix_ms < ?4 \
             AND (end_unix_ms IS NULL OR end_unix_ms > ?5) \
             AND state IN ('open', 'finished') AND (?6 IS NULL OR recorder = ?6)"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        for (reach, reach_ms) in (0_i64..).zip(REACH_MS) {
            let since = from_unix_ms.saturating_sub(reach_ms);
            let params = params![stream_key, reach, since, to_unix_ms, from_unix_ms, recorder];
            for segment in statement.query_map(params, |row| self.segment(row))? {
                found.push(segment?);
            }
        }
        found.sort_by_key(|segment| (segment.start_unix_ms, segment.id));
        Ok(found)
    }

    /// How many segments are in the bin, and the bytes of their files together.
    ///
    /// # Errors
    /// Those of the database.
    pub fn binned_total(&self) -> Result<(u64, u64), Error> {
        let sql = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM segments \
                   WHERE state = 'binned'";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }
}

/// The recording of a row of [`RECORDING`], without its labels.
fn recording(row: &Row<'_>) -> rusqlite::Result<Recording> {
    let amount = |packets| -> rusqlite::Result<Amount> {
        Ok(Amount { packets: row.get(packets)?, bytes: row.get(packets + 1)? })
    };
    let ledger = Ledger {
        received: amount(13)?,
        written: amount(15)?,
        dropped: amount(17)?,
        late_packets: row.get(19)?,
        gaps_total: row.get(12)?,
        ..Ledger::default()
    };
    let id = row.get_ref(1)?.as_str()?.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error))
    })?;
    Ok(Recording {
        id,
        stream_key: row.get(2)?,
        recorder: row.get(3)?,
        name: row.get(4)?,
        // The columns that it is made of have checks.
        state: RecordingState::from_name(row.get_ref(5)?.as_str()?)
            .unwrap_or(RecordingState::Missing),
        start_unix_ms: row.get(6)?,
        start_time: row.get(7)?,
        end_unix_ms: row.get(8)?,
        length_ms: row.get(9)?,
        size_bytes: row.get(10)?,
        segments: row.get(11)?,
        gaps: row.get(12)?,
        ledger,
        labels: std::collections::BTreeMap::new(),
        held: row.get(20)?,
        reason: row.get(21)?,
        request_key: row.get(22)?,
        binned_unix_ms: row.get(23)?,
        purge_unix_ms: row.get(24)?,
        is_clip: row.get(27)?,
        // A word that is not known is of a later version.
        tracks: row.get_ref(25)?.as_str()?.parse().unwrap_or_default(),
        format: row.get_ref(26)?.as_str_or_null()?.and_then(Format::of_name).unwrap_or_default(),
    })
}
