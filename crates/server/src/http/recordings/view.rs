//! Recordings as the API shows them: what runs, what waits and what the catalog knows, in one form.

use std::collections::BTreeMap;

use archive::catalog::{self, RecordingState};
use archive::{Reason, RecordingId, Status};
use serde::Serialize;
use utoipa::ToSchema;

use crate::director::Wanted;
use crate::http::shape::{self, Ledger};
use crate::http::time;

/// A recording: what was asked for and what is kept, in one or more files.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Recording {
    /// Names it, unlike any other: 16 hex digits.
    #[schema(example = "8c1f4e2a90b7d635")]
    pub(crate) id: String,
    /// The stream, `app/name`.
    #[schema(example = "live/test")]
    pub(crate) stream: String,
    /// The recorder that makes it: `all` for `-record-all`, `api` when somebody asked for it.
    #[schema(example = "api")]
    pub(crate) recorder: String,
    /// What whoever asked for it calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// What it does, or what has become of it.
    pub(crate) state: State,
    /// The container of its files.
    #[schema(example = "flv")]
    pub(crate) format: &'static str,
    /// Whether it is a clip: a stretch of another recording, kept as one of its own.
    pub(crate) clip: bool,
    /// Which part of the stream it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tracks: Option<&'static str>,
    /// When it began; of one that waits for its stream there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<String>,
    /// When its last packet came, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<String>,
    /// Its length, gaps included.
    pub(crate) length_ms: u64,
    /// Bytes of its files.
    pub(crate) size_bytes: u64,
    /// How many files it has.
    pub(crate) segments: u64,
    /// How many stretches it lacks.
    pub(crate) gaps: u64,
    /// Tracks that are in its files and that no player finds there, and why, while it runs: MP4 has
    /// no word for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hidden: Vec<String>,
    /// Why packets are lost or cannot be written, while that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Its books: received = written + dropped.
    pub(crate) ledger: Ledger,
    /// What people say of it.
    pub(crate) labels: BTreeMap<String, String>,
    /// Whether nothing may delete it.
    pub(crate) held: bool,
    /// Why it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The key that it was asked for with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_key: Option<String>,
    /// The file that is being written, below the directory of the recorder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// It ends by itself at the first key frame at which it is so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_length_ms: Option<u64>,
    /// When it leaves the bin for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purge: Option<String>,
}

/// What a recording does, or what has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Its stream is not there yet, or has sent nothing yet.
    Waiting,
    /// Its files are written.
    Recording,
    /// Its disk is in trouble and is tried again.
    Trouble,
    /// There is too little free space.
    Paused,
    /// Its publisher is away and may come back.
    Away,
    /// It is over.
    Complete,
    /// Its server ended before it did; its files are whole.
    Interrupted,
    /// Somebody took it back before its stream came.
    Cancelled,
    /// It is in the bin.
    Binned,
    /// It was deleted.
    Deleted,
    /// Its files are not where they were.
    Missing,
}

impl Recording {
    /// One that waits for its stream.
    pub(crate) fn waiting(id: RecordingId, wanted: &Wanted) -> Self {
        let plan = &wanted.plan;
        Self {
            id: id.to_string(),
            stream: wanted.key.to_string(),
            recorder: plan.recorder.clone(),
            name: wanted.name.clone(),
            state: State::Waiting,
            format: plan.format.name(),
            clip: false,
            tracks: Some(plan.tracks.name()),
            start: None,
            end: None,
            length_ms: 0,
            size_bytes: 0,
            segments: 0,
            gaps: 0,
            hidden: Vec::new(),
            error: None,
            ledger: Ledger::default(),
            labels: wanted.labels.clone(),
            held: false,
            reason: None,
            request_key: wanted.request_key.clone(),
            file: None,
            max_length_ms: plan.max_length.map(millis),
            purge: None,
        }
    }

    /// One that runs, as its recorder shows it.
    pub(crate) fn running(status: &Status) -> Self {
        let plan = &status.plan;
        Self {
            id: status.id.to_string(),
            stream: status.key.to_string(),
            recorder: plan.recorder.clone(),
            name: status.name.clone(),
            state: State::of(status.state),
            format: plan.format.name(),
            clip: false,
            tracks: Some(plan.tracks.name()),
            start: Some(time::of_ms(status.started_unix_ms)),
            end: None,
            length_ms: status.length_ms,
            size_bytes: status.counters.bytes,
            segments: u64::from(status.segments),
            gaps: status.ledger.gaps_total,
            hidden: status.hidden.clone(),
            error: status.error.clone(),
            ledger: (&status.ledger).into(),
            labels: status.labels.clone(),
            held: status.held,
            reason: None,
            request_key: status.request_key.clone(),
            file: status.file.as_deref().map(shape::path),
            max_length_ms: plan.max_length.map(millis),
            purge: None,
        }
    }

    /// One that has just ended.
    pub(crate) fn ended(status: &Status) -> Self {
        let reason = status.ending.map_or("ended", Reason::name);
        let state = if status.is_gone() { State::Missing } else { State::Complete };
        let (reason, file) = (Some(reason.to_owned()), None);
        Self { state, reason, file, error: None, ..Self::running(status) }
    }

    /// One that the catalog knows.
    pub(crate) fn known(recording: &catalog::Recording) -> Self {
        Self {
            id: recording.id.to_string(),
            stream: recording.stream_key.clone(),
            recorder: recording.recorder.clone(),
            name: recording.name.clone(),
            state: State::kept(recording.state),
            format: recording.format.name(),
            clip: recording.is_clip,
            tracks: Some(recording.tracks.name()),
            start: Some(time::of_ms(recording.start_unix_ms)),
            end: recording.end_unix_ms.map(time::of_ms),
            length_ms: recording.length_ms,
            size_bytes: recording.size_bytes,
            segments: recording.segments,
            gaps: recording.gaps,
            hidden: Vec::new(),
            error: None,
            ledger: (&recording.ledger).into(),
            labels: recording.labels.clone(),
            held: recording.held,
            reason: recording.reason.clone(),
            request_key: recording.request_key.clone(),
            file: None,
            max_length_ms: None,
            purge: recording.purge_unix_ms.map(time::of_ms),
        }
    }

    /// What the catalog knows of one that runs, with what its recorder says now: labels and holds
    /// are the catalog's.
    pub(crate) fn overlay(recording: &catalog::Recording, status: &Status) -> Self {
        let labels = recording.labels.clone();
        Self { labels, held: recording.held, ..Self::running(status) }
    }
}

impl State {
    /// Whether it is not over.
    pub(super) fn is_active(self) -> bool {
        matches!(self, Self::Waiting | Self::Recording | Self::Trouble | Self::Paused | Self::Away)
    }

    fn of(state: archive::State) -> Self {
        match state {
            archive::State::Waiting => Self::Waiting,
            archive::State::Recording => Self::Recording,
            archive::State::Trouble => Self::Trouble,
            archive::State::Paused => Self::Paused,
            archive::State::Away => Self::Away,
        }
    }

    fn kept(state: RecordingState) -> Self {
        match state {
            RecordingState::Recording => Self::Recording,
            RecordingState::Complete => Self::Complete,
            RecordingState::Interrupted => Self::Interrupted,
            RecordingState::Binned => Self::Binned,
            RecordingState::Deleted => Self::Deleted,
            RecordingState::Missing => Self::Missing,
        }
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
