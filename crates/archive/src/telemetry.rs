//! Every line that this crate logs, one function each. Texts and fields are part of the contract.
//!
//! None of them is per packet: what may repeat is logged by the recorder the first time and summed
//! up at its end.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use live::Key;
use tracing::{error, info, warn};

use crate::catalog::Segment;
use crate::retention::Cause;
use crate::segment::Whole;
use crate::{Counters, Reason, path};

/// A recording was asked for.
pub(crate) fn recording_started(key: &Key, dir: &Path) {
    info!(stream_key = %key, record_dir = %path::display(dir), "recording started");
}

/// A segment's file exists.
pub(crate) fn recorder_initialized(key: &Key, file: &Path) {
    info!(stream_key = %key, file = %path::display(file), "recorder initialized");
}

/// A segment is finished and the recording goes on in the next.
pub(crate) fn segment_finished(key: &Key, file: &Path) {
    info!(stream_key = %key, file = %path::display(file), "segment finished");
}

/// The recording is over. `file` is its last file, empty when there is none.
pub(crate) fn recorder_closed(key: &Key, file: Option<&Path>, counters: &Counters, reason: Reason) {
    let file = file.map(|f| path::display(f).to_string()).unwrap_or_default();
    info!(
        stream_key = %key,
        file = %file,
        bytes = counters.bytes,
        duration_ms = counters.duration_ms,
        packets = counters.packets,
        dropped = counters.dropped_packets,
        reason = reason.name(),
        "recorder closed"
    );
}

/// There is no recording, or none any more, because a file could not be made.
pub(crate) fn create_failed(key: &Key, error: &dyn Display) {
    error!(error = error.to_string(), stream_key = %key, "failed to create recorder");
}

/// The recording ends here because a write failed.
pub(crate) fn write_failed(key: &Key, error: &dyn Display) {
    error!(error = error.to_string(), stream_key = %key, "recorder write error");
}

/// All packets were written, but not all of what makes the file whole.
pub(crate) fn close_failed(key: &Key, error: &dyn Display) {
    error!(error = error.to_string(), stream_key = %key, "recorder close error");
}

/// The disk was too slow for the stream: the first packets that the recording does not have.
pub(crate) fn gap_began(key: &Key, packets: u64, bytes: u64) {
    warn!(stream_key = %key, packets, bytes, "recording has a gap");
}

/// All gaps of a recording, when there was more than one.
pub(crate) fn gaps_ended(key: &Key, counters: &Counters) {
    let &Counters { gaps, lost_packets: packets, lost_bytes: bytes, .. } = counters;
    warn!(stream_key = %key, gaps, packets, bytes, "recording had gaps");
}

/// The first packet of a recording that the container cannot hold.
pub(crate) fn packet_refused(key: &Key, error: &dyn Display) {
    warn!(reason = error.to_string(), stream_key = %key, "packet not recorded");
}

/// The server stops and a recording is not finished: its disk does not answer.
pub(crate) fn not_finished(key: &Key, file: Option<&Path>) {
    let file = file.map(|f| path::display(f).to_string()).unwrap_or_default();
    error!(stream_key = %key, file = %file, "recording not finished in time");
}

/// A file that was left unfinished is whole; `cut_bytes` of it were no whole tag.
pub(crate) fn recovered(whole: &Whole, cut_bytes: u64) {
    info!(
        file = %path::display(&whole.path),
        stream_key = %whole.about.stream_key,
        bytes = whole.size_bytes,
        cut_bytes,
        duration_ms = whole.length_ms,
        "recording recovered"
    );
}

/// A file of ours that cannot be understood has another name now.
pub(crate) fn set_aside(file: &Path, reason: &str) {
    warn!(file = %path::display(file), reason, "file set aside");
}

/// A file, or a folder, could not be recovered and is as it was.
pub(crate) fn not_recovered(file: &Path, error: &dyn Display) {
    warn!(file = %path::display(file), error = error.to_string(), "file not recovered");
}

/// All files that were left unfinished were looked at.
pub(crate) fn recovery_finished(files: u64, recovered: u64, set_aside: u64, seconds: f64) {
    info!(files, recovered, set_aside, seconds, "recovery finished");
}

/// The hash of a finished file could not be written beside it.
pub(crate) fn checksum_failed(file: &Path, error: &dyn Display) {
    warn!(file = %path::display(file), error = error.to_string(), "checksum file not written");
}

/// The catalog cannot be used; recordings go on without it.
pub(crate) fn catalog_unavailable(dir: &Path, error: &dyn Display) {
    let error = error.to_string();
    warn!(error, record_dir = %path::display(dir), "catalog unavailable");
}

/// The catalog can be used again and has what it missed.
pub(crate) fn catalog_again(dir: &Path) {
    info!(record_dir = %path::display(dir), "catalog available again");
}

/// The catalog is damaged, is now called `file`, and is made anew from the recordings.
pub(crate) fn catalog_damaged(file: &Path, error: &dyn Display) {
    let error = error.to_string();
    warn!(error, file = %path::display(file), "catalog damaged; made anew from the recordings");
}

/// Files of recordings are not where they were.
pub(crate) fn files_missing(dir: &Path, files: u64) {
    info!(record_dir = %path::display(dir), files, "recorded files are gone");
}

/// Retention deleted a file.
pub(crate) fn recording_deleted(segment: &Segment, age: Duration, cause: Cause) {
    info!(
        stream_key = segment.stream_key,
        file = %path::display(&segment.path),
        size_bytes = segment.size_bytes,
        age_s = age.as_secs(),
        reason = cause.name(),
        "recording deleted"
    );
}

/// Retention cannot delete a file. Told once until it can.
pub(crate) fn delete_failed(segment: &Segment, error: &dyn Display) {
    error!(
        error = error.to_string(),
        stream_key = segment.stream_key,
        file = %path::display(&segment.path),
        "cannot delete recording"
    );
}

/// There is less than twice the least room.
pub(crate) fn space_low(dir: &Path, free_bytes: u64, min_bytes: u64, full_in: Option<Duration>) {
    let full_in_s = full_in.map(|time| time.as_secs());
    let record_dir = path::display(dir);
    warn!(%record_dir, free_bytes, min_bytes, full_in_s, "disk space is low");
}

/// There is less than the least room.
pub(crate) fn space_full(dir: &Path, free_bytes: u64, min_bytes: u64) {
    let record_dir = path::display(dir);
    error!(%record_dir, free_bytes, min_bytes, "disk is full: recording stops");
}

/// There is room to record again.
pub(crate) fn space_again(dir: &Path, free_bytes: u64) {
    info!(record_dir = %path::display(dir), free_bytes, "disk has space again");
}

/// The system does not say how much room there is. Told once until it does.
pub(crate) fn space_unknown(dir: &Path, error: &dyn Display) {
    let error = error.to_string();
    warn!(error, record_dir = %path::display(dir), "free space is unknown");
}

/// The threads of catalog and free space did not end before the stop's deadline.
pub(crate) fn keeper_not_finished(dir: &Path) {
    warn!(record_dir = %path::display(dir), "catalog not written in time");
}

/// A thread that looks after the record directory does not run.
pub(crate) fn keeper_failed(thread: &str, error: &dyn Display) {
    error!(error = error.to_string(), thread, "recordings are not looked after");
}
