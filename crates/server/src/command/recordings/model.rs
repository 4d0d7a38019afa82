//! A recording as the API tells it, read back for people. Programs get what the API says as it is.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A recording; where only one was asked for, with its files and what it lacks.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Recording {
    pub(super) id: String,
    pub(super) stream: String,
    pub(super) recorder: String,
    /// Servers of before do not tell it.
    #[serde(default)]
    pub(super) format: String,
    pub(super) name: Option<String>,
    pub(super) state: String,
    #[serde(default)]
    pub(super) clip: bool,
    pub(super) tracks: Option<String>,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) length_ms: u64,
    pub(super) size_bytes: u64,
    pub(super) segments: u64,
    pub(super) gaps: u64,
    pub(super) ledger: Ledger,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) held: bool,
    pub(super) reason: Option<String>,
    pub(super) error: Option<String>,
    pub(super) request_key: Option<String>,
    pub(super) file: Option<String>,
    pub(super) max_length_ms: Option<u64>,
    pub(super) purge: Option<String>,
    #[serde(default)]
    pub(super) files: Vec<File>,
    #[serde(default)]
    pub(super) missing: Vec<Missing>,
}

/// Its books.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Ledger {
    pub(super) received: Amount,
    pub(super) written: Amount,
    pub(super) dropped: Amount,
    pub(super) late_packets: u64,
}

/// Messages.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Amount {
    pub(super) packets: u64,
}

/// A file of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct File {
    pub(super) number: u32,
    pub(super) state: String,
    pub(super) file: String,
    pub(super) start: String,
    pub(super) length_ms: u64,
    pub(super) size_bytes: u64,
}

impl File {
    /// Whether it is where it says.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.state.as_str(), "open" | "finished")
    }
}

/// A stretch that it lacks.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Missing {
    pub(super) segment: u32,
    pub(super) inside: bool,
    pub(super) at_ms: u64,
    pub(super) length_ms: u64,
    pub(super) reason: String,
    pub(super) dropped: Amount,
}

impl Recording {
    /// Whether it is not over.
    pub(super) fn is_active(&self) -> bool {
        let active = ["waiting", "recording", "trouble", "paused", "away"];
        active.contains(&self.state.as_str())
    }
}
