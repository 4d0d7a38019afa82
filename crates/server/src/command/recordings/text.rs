//! Recordings for people.

use std::fmt::Write as _;

use super::model::{File, Missing, Recording};
use super::when::local;
use crate::command::format::{count, number, printable, size, time};
use crate::command::table::{self, Column};

/// Width of the names on the left.
const LABEL: usize = 13;

const LIST: [Column; 11] = [
    Column::text("ID"),
    Column::text("STATE"),
    Column::wide("STREAM", 10),
    Column::wide("RECORDER", 8),
    Column::text("FORMAT"),
    Column::text("START"),
    Column::figure("LENGTH"),
    Column::figure("SIZE"),
    Column::figure("FILES"),
    Column::figure("GAPS"),
    Column::wide("LABELS", 6),
];

const FILES: [Column; 6] = [
    Column::text("file"),
    Column::figure("segment"),
    Column::text("state"),
    Column::text("start"),
    Column::figure("length"),
    Column::figure("size"),
];

/// A table of recordings that is no wider than `width`.
pub(super) fn list(recordings: &[Recording], width: Option<usize>) -> String {
    let rows: Vec<_> = recordings.iter().map(row).collect();
    lines(table::lines(&LIST, &rows, 0, width))
}

fn row(recording: &Recording) -> [String; 11] {
    [
        printable(&recording.id),
        printable(&recording.state),
        printable(&recording.stream),
        printable(&recording.recorder),
        printable(&recording.format),
        recording.start.as_deref().map_or_else(none, local),
        time(recording.length_ms),
        size(recording.size_bytes),
        number(recording.segments),
        number(recording.gaps),
        words(recording),
    ]
}

fn none() -> String {
    "-".to_owned()
}

/// Labels, and whether it is a clip, and held.
fn words(recording: &Recording) -> String {
    let marks = [(recording.clip, "(clip)"), (recording.held, "(held)")].into_iter();
    let marks = marks.filter(|(is_so, _)| *is_so).map(|(_, mark)| mark.to_owned());
    marks.chain(labels(recording)).collect::<Vec<_>>().join(" ")
}

fn labels(recording: &Recording) -> impl Iterator<Item = String> {
    recording.labels.iter().map(|(name, value)| printable(&format!("{name}={value}")))
}

/// Everything about one recording, whose books are those that its server or a catalog knows.
pub(super) fn one(recording: &Recording, is_of_catalog: bool) -> String {
    let stream = printable(&recording.stream);
    let mut out = format!("recording {} of {stream}\n", printable(&recording.id));
    let mut line = |label: &str, value: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "  {label:LABEL$}{value}");
    };
    let text = |value: &Option<String>| value.as_deref().map(printable);
    let mut state = printable(&recording.state);
    for reason in [&recording.reason, &recording.error].into_iter().filter_map(text) {
        let _ = write!(state, ", {reason}");
    }
    if recording.clip {
        state.push_str(", clip");
    }
    if recording.held {
        state.push_str(", held");
    }
    line("state", &state);
    if let Some(name) = text(&recording.name) {
        line("name", &name);
    }
    line("recorder", &printable(&recording.recorder));
    line("format", &printable(&recording.format));
    if let Some(tracks) = text(&recording.tracks).filter(|tracks| tracks != "all") {
        line("tracks", &tracks);
    }
    for (label, moment) in
        [("start", &recording.start), ("end", &recording.end), ("deleted at", &recording.purge)]
    {
        if let Some(moment) = moment {
            line(label, &local(moment));
        }
    }
    line("length", &time(recording.length_ms));
    if let Some(most) = recording.max_length_ms {
        line("at most", &time(most));
    }
    let (bytes, files) = (number(recording.size_bytes), count(recording.segments, "file"));
    line("size", &format!("{} ({bytes} bytes) in {files}", size(recording.size_bytes)));
    for label in labels(recording) {
        line("label", &label);
    }
    if let Some(key) = text(&recording.request_key) {
        line("request key", &key);
    }
    let ledger = &recording.ledger;
    let [received, written, dropped, late] = [
        ledger.received.packets,
        ledger.written.packets,
        ledger.dropped.packets,
        ledger.late_packets,
    ]
    .map(number);
    // A catalog is told of them when a file is finished.
    let as_of = if is_of_catalog && recording.is_active() { ", in finished files" } else { "" };
    line(
        "packets",
        &format!("{received} received, {written} written, {dropped} dropped, {late} late{as_of}"),
    );
    if recording.missing.is_empty() {
        line("gaps", &number(recording.gaps));
    }
    for missing in &recording.missing {
        line("gap", &gap(missing));
    }
    if let Some(file) = text(&recording.file).filter(|_| recording.files.is_empty()) {
        line("writes", &file);
    }
    if !recording.files.is_empty() {
        let rows: Vec<_> = recording.files.iter().map(file).collect();
        out.push_str(&lines(table::lines(&FILES, &rows, 2, None)));
    }
    out
}

fn gap(missing: &Missing) -> String {
    let place = match (missing.inside, missing.segment) {
        (true, segment) => format!("inside segment {segment}"),
        (false, segment) => format!("at segment {segment}"),
    };
    let (at, length) = (time(missing.at_ms), time(missing.length_ms));
    let packets = count(missing.dropped.packets, "packet");
    format!("{place}, at {at}, {length}: {}, {packets}", printable(&missing.reason))
}

fn file(file: &File) -> [String; 6] {
    // What its recorder does not tell of any more.
    let is_unknown = file.state == "open" && file.length_ms == 0;
    [
        printable(&file.file),
        number(file.number.into()),
        printable(&file.state),
        local(&file.start),
        if is_unknown { none() } else { time(file.length_ms) },
        size(file.size_bytes),
    ]
}

fn lines(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

/// `8c1f… of live/test`
pub(super) fn name(recording: &Recording) -> String {
    format!("recording {} of {}", printable(&recording.id), printable(&recording.stream))
}

/// What it has: `59:58, 1.9 GB in 2 files, 1 gap`.
pub(super) fn extent(recording: &Recording) -> String {
    let (length, bytes) = (time(recording.length_ms), size(recording.size_bytes));
    let files = count(recording.segments, "file");
    match recording.gaps {
        0 => format!("{length}, {bytes} in {files}"),
        gaps => format!("{length}, {bytes} in {files}, {}", count(gaps, "gap")),
    }
}

#[cfg(test)]
mod tests;
