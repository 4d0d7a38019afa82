//! Every line that this crate logs, one function each. Texts and fields are part of the contract.
//!
//! None of them is per packet: what may repeat is logged by the recorder the first time and summed
//! up at its end.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use live::Key;
use tracing::{error, info, warn};

use crate::catalog::{Recording, Segment};
use crate::recorder::Task;
use crate::retention::Cause;
use crate::segment::Whole;
use crate::{Counters, Cut, Gap, GapReason, Ledger, Plan, Reason, path};

/// A recording was asked for.
pub(crate) fn recording_started(key: &Key, plan: &Plan) {
    let record_dir = path::display(&plan.dir);
    info!(stream_key = %key, %record_dir, recorder = named(plan), "recording started");
}

/// The name of a recorder that somebody gave a name.
fn named(plan: &Plan) -> Option<&str> {
    (plan.recorder != Plan::ALL).then_some(&*plan.recorder)
}

/// A segment's file exists.
pub(crate) fn recorder_initialized(key: &Key, file: &Path) {
    info!(stream_key = %key, file = %path::display(file), "recorder initialized");
}

/// A segment is finished and the recording goes on in the next.
pub(crate) fn segment_finished(key: &Key, file: &Path, cut: Cut) {
    let file = path::display(file);
    info!(stream_key = %key, file = %file, reason = cut.name(), "segment finished");
}

/// What the closing lines tell beside counters and books.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) segments: u32,
    /// Where the recording's clock stands.
    pub(crate) duration_ms: u64,
    pub(crate) reason: Reason,
}

/// A run of the publisher is over, or the recording of it. `file` is the newest file, if there is
/// one.
pub(crate) fn recorder_closed(
    task: &Task,
    file: Option<&Path>,
    counters: &Counters,
    ledger: &Ledger,
    summary: Summary,
) {
    info!(
        stream_key = %task.key,
        file = %optional(file),
        bytes = counters.bytes,
        duration_ms = counters.duration_ms,
        packets = ledger.written.packets,
        dropped = ledger.dropped.packets,
        late = ledger.late_packets,
        gaps = ledger.gaps_total,
        segments = summary.segments,
        reason = summary.reason.name(),
        recorder = named(&task.plan()),
        "recorder closed"
    );
}

/// The recording is over and its books are closed.
pub(crate) fn recording_complete(task: &Task, ledger: &Ledger, summary: Summary) {
    info!(
        stream_key = %task.key,
        recording = %task.id,
        segments = summary.segments,
        duration_ms = summary.duration_ms,
        received = ledger.received.packets,
        written = ledger.written.packets,
        dropped = ledger.dropped.packets,
        gaps = ledger.gaps_total,
        reason = summary.reason.name(),
        recorder = named(&task.plan()),
        "recording complete"
    );
}

/// The publisher is back and sends.
pub(crate) fn recording_rejoined(task: &Task, gap_ms: u64) {
    info!(stream_key = %task.key, recording = %task.id, gap_ms, "recording rejoined");
}

/// There is too little free space where files of the recording go.
pub(crate) fn recording_paused(key: &Key, dir: &Path) {
    let dir = path::display(dir);
    warn!(stream_key = %key, record_dir = %dir, "recording paused: not enough free space");
}

/// The disk works again, or there is space again; `gap` is what that has cost.
pub(crate) fn recording_resumed(key: &Key, file: &Path, gap: Option<Gap>, reason: GapReason) {
    info!(
        stream_key = %key,
        file = %path::display(file),
        gap_ms = gap.map_or(0, |gap| gap.length_ms),
        packets = gap.map_or(0, |gap| gap.dropped.packets),
        bytes = gap.map_or(0, |gap| gap.dropped.bytes),
        reason = reason.name(),
        "recording resumed"
    );
}

/// A file could not be made; it will be tried again, unless no thread could be had either.
pub(crate) fn create_failed(key: &Key, error: &dyn Display) {
    error!(error = error.to_string(), stream_key = %key, "failed to create recorder");
}

/// A write failed; the recording goes on in another file when the disk works again.
pub(crate) fn write_failed(key: &Key, error: &dyn Display, file: Option<&Path>) {
    let error = error.to_string();
    error!(error, stream_key = %key, file = %optional(file), "recorder write error");
}

/// A call of the disk has not come back for some time.
pub(crate) fn disk_hangs(key: &Key, file: Option<&Path>, seconds: u64) {
    warn!(stream_key = %key, file = %optional(file), seconds, "disk does not answer");
}

/// That call has come back.
pub(crate) fn disk_answers(key: &Key, seconds: u64) {
    info!(stream_key = %key, seconds, "disk answers again");
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

/// A track is in the MP4 files of a recording, and no player finds it there. Told once a run.
pub(crate) fn track_hidden(key: &Key, refused: &dyn Display) {
    warn!(reason = refused.to_string(), stream_key = %key, "track not playable in MP4");
}

/// The server stops and a recording is not finished: its disk does not answer.
pub(crate) fn not_finished(key: &Key, file: Option<&Path>) {
    error!(stream_key = %key, file = %optional(file), "recording not finished in time");
}

/// A held recording has a segment without the file beside it that says so. Told once a recording.
pub(crate) fn hold_failed(file: &Path, error: &dyn Display) {
    warn!(file = %path::display(file), error = error.to_string(), "hold not written");
}

/// A path that may not be there; empty then.
fn optional(file: Option<&Path>) -> String {
    file.map(|file| path::display(file).to_string()).unwrap_or_default()
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

/// What is in the record directory cannot be seen.
pub(crate) fn directory_unreadable(dir: &Path, error: &dyn Display) {
    let error = error.to_string();
    warn!(error, record_dir = %path::display(dir), "record directory cannot be read");
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

/// Another server runs for the record directory, and looks after what is in it.
pub(crate) fn record_dir_taken(dir: &Path) {
    error!(record_dir = %path::display(dir), "record directory is used by another server");
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
        stream_key = %segment.stream_key,
        file = %path::display(&segment.path),
        size_bytes = segment.size_bytes,
        age_s = age.as_secs(),
        reason = cause.name(),
        "recording deleted"
    );
}

/// Somebody deleted a recording, which is in the bin now.
pub(crate) fn recording_binned(recording: &Recording, files: u64, size_bytes: u64) {
    info!(
        stream_key = %recording.stream_key,
        recording = %recording.id,
        files,
        size_bytes,
        "recording moved to the bin"
    );
}

/// Somebody took a recording out of the bin.
pub(crate) fn recording_restored(recording: &Recording, files: u64) {
    let Recording { stream_key, id, .. } = recording;
    info!(%stream_key, recording = %id, files, "recording restored");
}

/// Somebody held a recording, or released it.
pub(crate) fn recording_held(recording: &Recording, is_held: bool) {
    let Recording { stream_key, id, .. } = recording;
    match is_held {
        true => info!(%stream_key, recording = %id, "recording held"),
        false => info!(%stream_key, recording = %id, "recording released"),
    }
}

/// Somebody changed the labels of a recording.
pub(crate) fn recording_labelled(recording: &Recording, labels: usize) {
    let Recording { stream_key, id, .. } = recording;
    info!(%stream_key, recording = %id, labels, "recording labelled");
}

/// What is beside a recording are no labels.
pub(crate) fn labels_unreadable(file: &Path, error: &dyn Display) {
    warn!(file = %path::display(file), error = error.to_string(), "labels not read");
}

/// Retention cannot delete a file. Told once until it can.
pub(crate) fn delete_failed(segment: &Segment, error: &dyn Display) {
    error!(
        error = error.to_string(),
        stream_key = %segment.stream_key,
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

/// No recording can be made in a directory where recordings are to be. Told once until one can.
pub(crate) fn dir_unwritable(dir: &Path, obstacle: &str) {
    warn!(
        error = obstacle,
        record_dir = %path::display(dir),
        "record directory cannot be written: repair it or choose another"
    );
}

/// Recordings can be made in it again.
pub(crate) fn dir_writable_again(dir: &Path) {
    info!(record_dir = %path::display(dir), "record directory can be written again");
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
