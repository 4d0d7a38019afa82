//! What several calls and events tell, as JSON.

use std::path::Path;

use archive::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Messages and the bytes of their bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"packets": 5400, "bytes": 33750000}))]
pub(crate) struct Amount {
    /// Messages.
    pub(crate) packets: u64,
    /// Bytes of their bodies.
    pub(crate) bytes: u64,
}

impl From<archive::Amount> for Amount {
    fn from(amount: archive::Amount) -> Self {
        Self { packets: amount.packets, bytes: amount.bytes }
    }
}

/// The books of a recording: received = written + dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Ledger {
    /// What the stream carried.
    pub(crate) received: Amount,
    /// What is in the files.
    pub(crate) written: Amount,
    /// What is in no file.
    pub(crate) dropped: Amount,
    /// Packets written at a later time than they carry, because their clock went back a little.
    pub(crate) late_packets: u64,
}

impl From<&archive::Ledger> for Ledger {
    fn from(ledger: &archive::Ledger) -> Self {
        Self {
            received: ledger.received.into(),
            written: ledger.written.into(),
            dropped: ledger.dropped.into(),
            late_packets: ledger.late_packets,
        }
    }
}

/// A stretch that a recording does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Gap {
    /// Where it begins, on the recording's clock.
    pub(crate) at_ms: u64,
    /// How long it is.
    pub(crate) length_ms: u64,
    /// Why it is: `slow disk`, `disk`, `free space`, `publisher away` or `refused`.
    pub(crate) reason: String,
    /// What came in it and is in no file.
    pub(crate) dropped: Amount,
}

impl From<&archive::Gap> for Gap {
    fn from(gap: &archive::Gap) -> Self {
        Self {
            at_ms: gap.at_ms,
            length_ms: gap.length_ms,
            reason: gap.reason.name().to_owned(),
            dropped: gap.dropped.into(),
        }
    }
}

/// A path as people read it.
pub(crate) fn path(path: &Path) -> String {
    archive::path::display(path).to_string()
}

/// The word for what a running recording does.
pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Recording => "recording",
        State::Trouble => "trouble",
        State::Paused => "paused",
        State::Away => "away",
    }
}

/// The name of the recorder that a recording was made by.
pub(crate) fn recorder(status: &archive::Status) -> &str {
    &status.plan.recorder
}
