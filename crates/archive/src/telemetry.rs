//! Every line that this crate logs, one function each. Texts and fields are part of the contract.
//!
//! None of them is per packet: what may repeat is logged by the recorder the first time and summed
//! up at its end.

use std::fmt::Display;
use std::path::Path;

use live::Key;
use tracing::{error, info, warn};

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
