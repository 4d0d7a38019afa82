//! The report for programs. Names are stable and end with their unit; what is not known is `null`.

use std::path::Path;

use archive::catalog::{Deletion, Segment};
use archive::retention::{Doomed, Forecast, Kept, Outlook};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Retention;

/// Everything that is known.
pub(super) fn object(asked: &Retention, outlook: &Outlook) -> Value {
    let rules = asked.rules.rules();
    json!({
        "record_dir": path(&asked.record_dir),
        "rules": {
            "age_s": rules.age.map(|age| age.as_secs()),
            "total_bytes": rules.total_bytes,
            "free_bytes": rules.free_bytes,
            "copied_only": rules.copied_only,
        },
        "segments": outlook.segments,
        "total_bytes": outlook.total_bytes,
        "bin_segments": outlook.bin_segments,
        "bin_bytes": outlook.bin_bytes,
        "disk_free_bytes": outlook.space.map(|space| space.free_bytes),
        "disk_total_bytes": outlook.space.map(|space| space.total_bytes),
        "min_free_bytes": outlook.min_free_bytes,
        "bytes_per_second": outlook.bytes_per_second,
        "full": forecast(outlook.full),
        "full_with_rules": forecast(outlook.full_with_rules),
        "doomed_bytes": outlook.doomed_bytes(),
        "doomed": outlook.doomed.iter().map(doomed).collect::<Vec<_>>(),
        "kept": outlook.kept.iter().map(kept).collect::<Vec<_>>(),
        "deletions": outlook.deletions.iter().map(deletion).collect::<Vec<_>>(),
    })
}

fn forecast(forecast: Forecast) -> Value {
    let (state, in_s) = match forecast {
        Forecast::Never => ("never", None),
        Forecast::Unknown => ("unknown", None),
        Forecast::In(time) => ("expected", Some(time.as_secs())),
    };
    json!({ "state": state, "in_s": in_s })
}

fn doomed(doomed: &Doomed) -> Value {
    segment(&doomed.segment, doomed.age.as_secs(), doomed.cause.name())
}

fn kept(kept: &Kept) -> Value {
    segment(&kept.segment, kept.age.as_secs(), kept.keep.name())
}

fn segment(segment: &Segment, age_s: u64, reason: &str) -> Value {
    json!({
        "file": path(&segment.path),
        "stream_key": segment.stream_key,
        "recorder": segment.recorder,
        "recording": segment.recording.to_string(),
        "segment": segment.number,
        "size_bytes": segment.size_bytes,
        "age_s": age_s,
        "reason": reason,
    })
}

fn deletion(deletion: &Deletion) -> Value {
    let at = Timestamp::from_millisecond(deletion.deleted_unix_ms).ok();
    json!({
        "file": path(&deletion.path),
        "stream_key": deletion.stream_key,
        "size_bytes": deletion.size_bytes,
        "deleted": at.map(|at| at.to_string()),
        "reason": deletion.reason,
    })
}

fn path(path: &Path) -> Value {
    path.to_string_lossy().into()
}
