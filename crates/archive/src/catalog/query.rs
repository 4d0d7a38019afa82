//! What can be asked for of all recordings, and what is told of one.
//!
//! How it is found is in `search`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::{Format, Ledger, RecordingId, Tracks};

mod glob;

pub use glob::{Glob, GlobError};

/// What has become of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordingState {
    /// It is running, or waits for its publisher.
    Recording,
    /// It came to its end.
    Complete,
    /// Its server ended before it did.
    Interrupted,
    /// Its files are in the bin and can be restored.
    Binned,
    /// Its files were deleted.
    Deleted,
    /// Its files are not where they were.
    Missing,
}

impl RecordingState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Recording,
        Self::Complete,
        Self::Interrupted,
        Self::Binned,
        Self::Deleted,
        Self::Missing,
    ];

    /// The word in the catalog, in the API and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
            Self::Binned => "binned",
            Self::Deleted => "deleted",
            Self::Missing => "missing",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl FromStr for RecordingState {
    type Err = QueryError;

    fn from_str(word: &str) -> Result<Self, QueryError> {
        Self::from_name(word).ok_or_else(|| QueryError::State(word.to_owned()))
    }
}

/// Why a query cannot be asked, with what was expected instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The pattern of stream keys.
    #[error("{0}")]
    Stream(#[from] GlobError),
    /// It is no mark.
    #[error("not a mark of a page: expected the mark that came with the page before")]
    Mark,
    /// It is no state.
    #[error(
        "{0:?} is no state of a recording: expected recording, complete, interrupted, binned, \
         deleted or missing"
    )]
    State(String),
    /// The text that is looked for.
    #[error("a text of {0} bytes to look for: expected 1 to {max} bytes", max = Query::TEXT_MAX)]
    Text(usize),
    /// Too many recordings are wanted at once.
    #[error("a page of {0} recordings: expected 1 to {max}", max = Query::LIMIT_MAX)]
    Limit(usize),
    /// Too many labels are asked for at once.
    #[error("{0} labels to look for: expected {max} at most", max = Query::LABELS_MAX)]
    Labels(usize),
}

/// Which recordings come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Those that began last.
    #[default]
    Newest,
    /// Those that began first.
    Oldest,
}

/// Which recordings are wanted: those that all of it is true of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// A pattern of stream keys, as [`Glob`] reads it.
    pub stream: Option<String>,
    /// The recorder's name.
    pub recorder: Option<String>,
    /// What has something at or after this time, in ms since 1970.
    pub from_unix_ms: Option<i64>,
    /// What has something before this time, in ms since 1970.
    pub to_unix_ms: Option<i64>,
    /// One of these; any, when there is none.
    pub states: Vec<RecordingState>,
    /// Each of these labels, with this value or with any.
    pub labels: Vec<(String, Option<String>)>,
    /// Part of the stream key, the name or the value of a label; upper and lower case are the same.
    pub text: Option<String>,
    /// Whether it is held.
    pub held: Option<bool>,
    /// What comes first.
    pub order: Order,
    /// Where the page before ended.
    pub after: Option<Mark>,
    /// Most recordings of the page: 1 to [`Query::LIMIT_MAX`].
    pub limit: usize,
}

impl Query {
    /// Most recordings of one page.
    pub const LIMIT_MAX: usize = 1_000;
    /// Longest text that is looked for, in bytes.
    pub const TEXT_MAX: usize = 256;
    /// Most labels that are asked for at once.
    pub const LABELS_MAX: usize = 32;
}

impl Default for Query {
    fn default() -> Self {
        let (stream, recorder, from_unix_ms, to_unix_ms, states) = Default::default();
        let (labels, text, held, order, after) = Default::default();
        Self {
            stream,
            recorder,
            from_unix_ms,
            to_unix_ms,
            states,
            labels,
            text,
            held,
            order,
            after,
            limit: 100,
        }
    }
}

/// Where a page ends. It stays good while recordings come and go; when the catalog is made anew,
/// recordings that began in the same ms as the last one of the page may come again or be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub(super) start_unix_ms: i64,
    pub(super) seq: i64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:x}", self.start_unix_ms, self.seq)
    }
}

impl FromStr for Mark {
    type Err = QueryError;

    fn from_str(token: &str) -> Result<Self, QueryError> {
        let number = |digits: &str| {
            let is_hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            is_hex.then(|| u64::from_str_radix(digits, 16).ok()).flatten().map(u64::cast_signed)
        };
        let parts = token.split_at_checked(16).ok_or(QueryError::Mark)?;
        let (Some(start_unix_ms), Some(seq)) = (number(parts.0), number(parts.1)) else {
            return Err(QueryError::Mark);
        };
        Ok(Self { start_unix_ms, seq })
    }
}

/// Some of the recordings that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// They, in the order that was asked for.
    pub recordings: Vec<Recording>,
    /// Where the next page begins; `None` when this is the last one.
    pub next: Option<Mark>,
}

/// A recording as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Which.
    pub id: RecordingId,
    /// The stream, `app/name`.
    pub stream_key: String,
    /// The name of the recorder that made it.
    pub recorder: String,
    /// What somebody called it.
    pub name: Option<String>,
    /// What has become of it.
    pub state: RecordingState,
    /// When it began, in ms since 1970.
    pub start_unix_ms: i64,
    /// When it began: RFC 3339 with offset.
    pub start_time: String,
    /// When it ended, in ms since 1970; `None` while it is running.
    pub end_unix_ms: Option<i64>,
    /// Its length on its own clock, gaps and all, in ms.
    pub length_ms: u64,
    /// Bytes of its files that are there or in the bin.
    pub size_bytes: u64,
    /// Segments whose files are there or in the bin.
    pub segments: u64,
    /// Its gaps: between its files, inside them and at its end.
    pub gaps: u64,
    /// Its books, without the list of gaps: of the whole recording when it came to its end, else of
    /// the segments that are finished.
    pub ledger: Ledger,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether nobody may delete it: one of its files is held.
    pub held: bool,
    /// Why it ended: a word of [`crate::Reason`].
    pub reason: Option<String>,
    /// What whoever asked for it calls the request.
    pub request_key: Option<String>,
    /// Whether it is a clip of another one.
    pub is_clip: bool,
    /// What of the stream is in it, as it began.
    pub tracks: Tracks,
    /// What its newest file is.
    pub format: Format,
    /// Since when it is in the bin, in ms since 1970.
    pub binned_unix_ms: Option<i64>,
    /// When it is deleted from there, in ms since 1970.
    pub purge_unix_ms: Option<i64>,
}

#[cfg(test)]
mod tests;
