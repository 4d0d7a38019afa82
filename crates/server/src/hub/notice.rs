//! The archive's notices as events.

use archive::{Gap, Notice};
use serde_json::{Value, json};

use super::event::{Event, Kind};
use crate::http::shape;

impl From<Notice> for Event {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Started { id, key, recorder } => {
                of(Kind::RecordingStarted, key.as_str(), id).with("recorder", recorder)
            }
            Notice::Opened { id, key, segment, file, cut, gap } => {
                of(Kind::SegmentOpened, key.as_str(), id)
                    .with("segment", segment)
                    .with("file", shape::path(&file))
                    .with("cut", cut.name())
                    .with("gap", value(gap))
            }
            Notice::Finished { id, key, segment, file, size_bytes, length_ms } => {
                of(Kind::SegmentFinished, &key, id)
                    .with("segment", segment)
                    .with("file", shape::path(&file))
                    .with("size_bytes", size_bytes)
                    .with("length_ms", length_ms)
            }
            Notice::Trouble { id, key, error } => {
                of(Kind::RecordingTrouble, key.as_str(), id).with("error", error)
            }
            Notice::Resumed { id, key, gap } => {
                of(Kind::RecordingResumed, key.as_str(), id).with("gap", value(gap))
            }
            Notice::Completed { id, key, reason, segments, length_ms, ledger } => {
                of(Kind::RecordingCompleted, key.as_str(), id)
                    .with("reason", reason.name())
                    .with("segments", segments)
                    .with("length_ms", length_ms)
                    .with("ledger", json!(shape::Ledger::from(&ledger)))
            }
            Notice::Recovered { id, key, segment, file } => of(Kind::SegmentRecovered, &key, id)
                .with("segment", segment)
                .with("file", shape::path(&file)),
            Notice::SetAside { from, to, reason } => Self::new(Kind::FileSetAside)
                .with("from", shape::path(&from))
                .with("to", shape::path(&to))
                .with("reason", reason),
            Notice::Deleted { id, key, segment, file, cause, binned } => {
                of(Kind::SegmentDeleted, &key, id)
                    .with("segment", segment)
                    .with("file", shape::path(&file))
                    .with("cause", cause)
                    .with("binned", binned)
            }
            Notice::Restored { id, key } => of(Kind::RecordingRestored, &key, id),
            Notice::Changed { id, key } => of(Kind::RecordingChanged, &key, id),
            Notice::Disk { dir, state, free_bytes } => Self::new(Kind::DiskChanged)
                .with("dir", shape::path(&dir))
                .with("state", state.name())
                .with("free_bytes", free_bytes),
        }
    }
}

fn of(kind: Kind, stream: &str, id: archive::RecordingId) -> Event {
    Event::of(kind, stream).with("recording", id.to_string())
}

fn value(gap: Option<Gap>) -> Value {
    json!(gap.as_ref().map(shape::Gap::from))
}

#[cfg(test)]
mod tests;
