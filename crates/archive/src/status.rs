//! What can be asked of a recording that is running.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use live::Key;

use crate::{Counters, Labels, Latency, Ledger, Plan, State};

/// Names a recording, unlike any other of this or another server: 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId(pub(crate) u64);

/// The text is no [`RecordingId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a recording id of 16 hex digits")]
pub struct BadId;

impl FromStr for RecordingId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let is_hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let id = is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        id.map(Self).ok_or(BadId)
    }
}

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Why a recording, or its part of a run, is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The publisher left.
    Ended,
    /// [`crate::Archive::stop`] was called.
    Stopped,
    /// [`crate::Archive::close`] was called.
    Shutdown,
    /// It is as long as [`Plan::max_length`] says.
    Length,
    /// The disk failed, and did not work again before the publisher left.
    Failed,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Ended, Self::Stopped, Self::Shutdown, Self::Length, Self::Failed];

    /// The word used in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Shutdown => "shutdown",
            Self::Length => "length",
            Self::Failed => "failed",
        }
    }
}

/// A recording that is running, or waits for its publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which recording.
    pub id: RecordingId,
    /// The stream that is recorded.
    pub key: Key,
    /// How it is recorded: the newest plan, which may be waiting for a place to cut.
    pub plan: Arc<Plan>,
    /// What it is called, if it is.
    pub name: Option<String>,
    /// What was written on it when it began.
    pub labels: Labels,
    /// The key of the request that began it.
    pub request_key: Option<String>,
    /// When it was asked for, in ms since 1970.
    pub started_unix_ms: i64,
    /// What it does.
    pub state: State,
    /// Why it is about to end, if it was asked to, or is long enough.
    pub ending: Option<Reason>,
    /// Whether its files are held, so that nothing deletes them.
    pub held: bool,
    /// The newest segment; `None` until the first packet, and when it is not under its name any more.
    pub file: Option<PathBuf>,
    /// Segments so far, the open one among them.
    pub segments: u32,
    /// Where the recording's clock stands, in ms: its length, with its gaps.
    pub length_ms: u64,
    /// What was done so far.
    pub counters: Counters,
    /// Its books as of the newest flush: times of gaps are on the recording's clock.
    pub ledger: Ledger,
    /// Tracks that are in the newest file and that no player finds there, and why: MP4 has no word
    /// for them.
    pub hidden: Vec<String>,
    /// Why packets are lost or cannot be written now, if that is so.
    pub error: Option<String>,
    /// Bytes of the stream that wait for it.
    pub waiting_bytes: u64,
    /// How long its appends and syncs took.
    pub latency: Latency,
}

impl Status {
    /// Whether it has a newest segment, and that is not under its name any more.
    pub fn is_gone(&self) -> bool {
        self.segments > 0 && self.file.is_none()
    }
}
