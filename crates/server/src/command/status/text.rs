//! A look at a server as lines.

use std::time::Duration;

use console::{style, truncate_str};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::look::Look;
use crate::command::format::{bit_rate, count, printable, roughly, size, time};
use crate::command::table::{self, Column};

const STREAMS: [Column; 7] = [
    Column::wide("STREAM", 10),
    Column::figure("FOR"),
    Column::wide("VIDEO", 5),
    Column::wide("AUDIO", 3),
    Column::figure("RATE"),
    Column::figure("VIEWERS"),
    Column::wide("RECORDED BY", 11),
];

const DISKS: [Column; 6] = [
    Column::wide("DISK", 10),
    Column::text("STATE"),
    Column::figure("FREE"),
    Column::figure("OF"),
    Column::figure("WRITTEN"),
    Column::text("FULL"),
];

const EVENTS: [Column; 4] =
    [Column::text("TIME"), Column::text("EVENT"), Column::wide("STREAM", 10), Column::wide("", 10)];

/// Events that are shown at least where there is room for anything.
const EVENTS_LEAST: usize = 3;

/// The lines, none wider than `width`, and no more than `height`: streams come first, then disks,
/// then events. `trouble` is why the last look failed.
pub(super) fn lines(
    look: &Look,
    server: &str,
    width: Option<usize>,
    height: Option<usize>,
    trouble: Option<&str>,
) -> Vec<String> {
    let cut = |line: String| match width {
        Some(width) => truncate_str(&line, width, "…").into_owned(),
        None => line,
    };
    let mut out: Vec<_> = head(look, server, trouble).into_iter().map(cut).collect();
    let streams: Vec<_> =
        look.streams.iter().map(stream).chain(look.waiting.iter().map(waiting)).collect();
    let disks: Vec<_> = look.disks.iter().map(disk).collect();
    let events: Vec<_> = look.events.iter().rev().map(event).collect();
    // Each part has a blank line and its heads.
    let fixed = out.len() + 2 + 2 + disks.len() + 2;
    let room = height.map_or(usize::MAX, |height| height.saturating_sub(fixed));
    let for_events = events.len().min(EVENTS_LEAST).min(room);
    let for_streams = streams.len().max(1).min(room.saturating_sub(for_events));
    let for_events = match height {
        Some(_) => events.len().min(room.saturating_sub(for_streams)),
        None => events.len(),
    };
    let none = |text: &str| vec![String::new(), text.to_owned()];
    match streams.is_empty() {
        true => out.extend(none("no streams")),
        false => out.extend(part(&STREAMS, &streams, for_streams, width)),
    }
    out.extend(part(&DISKS, &disks, disks.len(), width));
    if !events.is_empty() {
        out.extend(part(&EVENTS, &events, for_events, width));
    }
    out.truncate(height.unwrap_or(usize::MAX));
    out
}

/// A table behind a blank line, cut to so many rows.
fn part<const N: usize>(
    columns: &[Column; N],
    rows: &[[String; N]],
    most: usize,
    width: Option<usize>,
) -> Vec<String> {
    let shown = rows.get(..most.min(rows.len())).unwrap_or_default();
    let mut lines = table::lines(columns, shown, 0, width);
    if let Some(heads) = lines.first_mut() {
        *heads = style(&heads).bold().to_string();
    }
    let hidden = rows.len().saturating_sub(most);
    if hidden > 0 && lines.len() > 1 {
        lines.pop();
        lines.push(format!("and {} more", hidden + 1));
    }
    lines.insert(0, String::new());
    lines
}

fn head(look: &Look, server: &str, trouble: Option<&str>) -> Vec<String> {
    let at = &look.server;
    let uptime = roughly(Duration::from_millis(figure(at, "uptime_ms")));
    let is_ready = look.ready.get("ready").and_then(Value::as_bool).unwrap_or(false);
    let reasons = look.ready.get("reasons").and_then(Value::as_array).into_iter().flatten();
    let reasons: Vec<_> = reasons.filter_map(Value::as_str).map(printable).collect();
    let ready = match is_ready {
        true => "ready".to_owned(),
        false => format!("NOT READY: {}", reasons.join("; ")),
    };
    let version = text(at, "version");
    let mut lines = vec![format!("rtmp-server {version} at {server}, up {uptime}, {ready}")];
    let connections = count(figure(at, "connections"), "connection");
    let publishers = count(figure(at, "publishers"), "publisher");
    let players = count(figure(at, "players"), "viewer");
    let recordings = count(figure(at, "recordings"), "recording");
    let mut line = format!("{connections}, {publishers}, {players}, {recordings}");
    match figure(at, "record_queue_bytes") {
        0 => {}
        queue => line.push_str(&format!(", {} waiting for disks", size(queue))),
    }
    lines.push(line);
    lines.extend(trouble.map(|trouble| format!("NO ANSWER: {}", printable(trouble))));
    lines
}

fn stream(stream: &Value) -> [String; 7] {
    let of = |name: &str| stream.get(name).filter(|value| !value.is_null());
    let kbps = |track: &Value| track.get("kbps").and_then(Value::as_f64).unwrap_or(0.0);
    let rate: f64 = [of("video"), of("audio")].into_iter().flatten().map(kbps).sum();
    let recordings = of("recordings").and_then(Value::as_array).into_iter().flatten();
    let recordings = recordings.map(|r| match text(r, "state").as_str() {
        "recording" => text(r, "recorder"),
        state => format!("{} ({state})", text(r, "recorder")),
    });
    let recordings: Vec<_> = recordings.collect();
    let is_live = text(stream, "state") == "live";
    [
        text(stream, "key"),
        of("started").and_then(since).map_or_else(none, time),
        of("video").map_or_else(none, video),
        of("audio").map_or_else(none, audio),
        if is_live { bit_rate(rate * 1_000.0) } else { "waited for".to_owned() },
        of("players").map_or(0, |players| figure(players, "count")).to_string(),
        if recordings.is_empty() { none() } else { recordings.join(", ") },
    ]
}

/// A recording whose stream is not there.
fn waiting(recording: &Value) -> [String; 7] {
    let by = format!("{} (waiting)", text(recording, "recorder"));
    [text(recording, "stream"), none(), none(), none(), "expected".to_owned(), "0".to_owned(), by]
}

fn none() -> String {
    "-".to_owned()
}

/// ms since a time of the API.
fn since(start: &Value) -> Option<u64> {
    let start: Timestamp = start.as_str()?.parse().ok()?;
    u64::try_from(Timestamp::now().as_millisecond().saturating_sub(start.as_millisecond())).ok()
}

/// `H.264 1920x1080 30 fps`
fn video(video: &Value) -> String {
    let mut words = vec![match text(video, "codec") {
        codec if codec.is_empty() => "?".to_owned(),
        codec => codec,
    }];
    let (width, height) = (figure(video, "width"), figure(video, "height"));
    if width > 0 {
        words.push(format!("{width}x{height}"));
    }
    if let Some(rate) = video.get("frame_rate").and_then(Value::as_f64).filter(|rate| *rate > 0.0) {
        words.push(format!("{} fps", (rate * 10.0).round() / 10.0));
    }
    words.join(" ")
}

/// `AAC 48 kHz`
fn audio(audio: &Value) -> String {
    let codec = match text(audio, "codec") {
        codec if codec.is_empty() => "?".to_owned(),
        codec => codec,
    };
    match figure(audio, "sample_rate_hz") {
        0 => codec,
        rate if rate.is_multiple_of(1_000) => format!("{codec} {} kHz", rate / 1_000),
        rate => format!("{codec} {rate} Hz"),
    }
}

fn disk(disk: &Value) -> [String; 6] {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = figure(disk, "write_bytes_per_second") as f64 * 8.0;
    let full = disk.get("full_at").and_then(Value::as_str);
    let same = disk.get("same_disk_as").and_then(Value::as_str);
    let same = || same.map(|first| format!("the same disk as {}", printable(first)));
    let error = disk.get("error").and_then(Value::as_str).map(printable);
    if let Some(instead) = error.or_else(same) {
        return [text(disk, "dir"), text(disk, "state"), none(), none(), none(), instead];
    }
    [
        text(disk, "dir"),
        text(disk, "state"),
        size(figure(disk, "free_bytes")),
        size(figure(disk, "total_bytes")),
        bit_rate(rate),
        full.and_then(|full| clock(full, "%Y-%m-%d %H:%M")).unwrap_or_else(none),
    ]
}

fn event(event: &Value) -> [String; 4] {
    let when = event.get("time").and_then(Value::as_str).and_then(|at| clock(at, "%H:%M:%S"));
    let words = ["recording", "error", "reason", "cause", "dir", "state", "file"];
    let words = words.iter().map(|name| text(event, name)).filter(|text| !text.is_empty());
    let words = words.collect::<Vec<_>>().join(" ");
    [when.unwrap_or_else(none), text(event, "type"), text(event, "stream"), words]
}

/// A time of the API by the clock here.
fn clock(moment: &str, form: &str) -> Option<String> {
    let moment: Timestamp = moment.parse().ok()?;
    Some(moment.to_zoned(TimeZone::system()).strftime(form).to_string())
}

/// A text of an object that moves no cursor; nothing where there is none.
fn text(object: &Value, name: &str) -> String {
    object.get(name).and_then(Value::as_str).map(printable).unwrap_or_default()
}

fn figure(object: &Value, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests;
