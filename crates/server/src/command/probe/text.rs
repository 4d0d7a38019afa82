//! Reports for people.

use std::fmt::Write as _;

use archive::{About, Ledger};
use media::amf0::Value as Amf;
use media::codec::{AudioInfo, ChannelLayout, ColorInfo, VideoInfo};
use media::flv::probe::{Codec, Enhanced, IndexCheck, Track};
use media::flv::scan::{Fault, FaultKind};

use super::{Probed, json, meaning};
use crate::command::format::{self, bit_rate, count, number, printable, size, time};

/// Width of the names on the left.
const LABEL: usize = 12;
/// Longest value of a metadata property that is shown whole, in characters.
const VALUE_MAX: usize = 100;
/// Faults that are shown one by one; `--json` has more.
const FAULTS_SHOWN: usize = 50;

/// The whole report, with a line feed at its end.
pub(super) fn report(probed: &Probed) -> String {
    let report = &probed.report;
    let mut out = format!("{}\n", probed.path);
    let bytes = number(probed.size_bytes);
    line(&mut out, "size", &format!("{} ({bytes} bytes)", size(probed.size_bytes)));
    let mut duration = time(report.duration_ms);
    if let Some(rate) = mean_bit_rate(probed) {
        // Writing to a `String` cannot fail, here and below.
        let _ = write!(duration, ", {} on average", bit_rate(rate));
    }
    line(&mut out, "duration", &duration);
    for (i, track) in report.tracks.iter().enumerate() {
        let label = if i == 0 { "tracks" } else { "" };
        line(&mut out, label, &self::track(track));
    }
    if report.tracks.is_empty() {
        line(&mut out, "tracks", "none");
    }
    if !report.tracks.is_empty() {
        out.push('\n');
        out.push_str(&figures(&report.tracks));
        out.push('\n');
    }
    for track in &report.tracks {
        if let Some(text) = enhanced(&track.enhanced) {
            line(&mut out, "enhanced", &format!("{:9}{text}", name(track)));
        }
    }
    for track in report.tracks.iter().filter(|track| track.keys > 0) {
        line(&mut out, "key frames", &key_frames(track));
    }
    line(&mut out, "index", &index(report.index));
    recording(&mut out, probed);
    metadata(&mut out, probed);
    if report.amf3_tags > 0 {
        let tags = count(report.amf3_tags, "tag");
        line(&mut out, "script data", &format!("{tags} in AMF3"));
    }
    faults(&mut out, probed);
    out
}

/// Bits per second of the whole file; `None` when it has no duration.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
pub(super) fn mean_bit_rate(probed: &Probed) -> Option<f64> {
    let duration_ms = probed.report.duration_ms;
    (duration_ms > 0).then(|| probed.size_bytes as f64 * 8_000.0 / duration_ms as f64)
}

fn line(out: &mut String, label: &str, value: &str) {
    let _ = writeln!(out, "  {label:LABEL$}{value}");
}

fn name(track: &Track) -> String {
    format!("{} {}", track.kind.name(), track.id)
}

fn track(track: &Track) -> String {
    let details = match &track.codec {
        Codec::Unknown => "unknown codec".to_owned(),
        Codec::Video(info) => video(info),
        Codec::Audio(info) => audio(info),
    };
    let name = name(track);
    let mut text = format!("{name:9}{details}");
    if let Some(color) = &track.enhanced.color {
        text.push_str(&self::color(color));
    }
    if let Some(layout) = &track.enhanced.channels {
        text.push_str(&channel_layout(layout));
    }
    if track.configs > 1 {
        let _ = write!(text, ", {} configurations", track.configs);
    }
    text
}

fn video(info: &VideoInfo) -> String {
    let mut words = info.codec.to_string();
    if let Some(profile) = &info.profile {
        let _ = write!(words, " {profile}");
    }
    if let Some(level) = &info.level {
        let _ = write!(words, ", level {level}");
    }
    if info.width > 0 {
        let _ = write!(words, ", {}x{}", info.width, info.height);
    }
    if let Some(rate) = info.frame_rate {
        let _ = write!(words, ", {} fps declared", short(rate));
    }
    if let Some(bits) = info.bit_depth {
        let _ = write!(words, ", {bits} bit");
    }
    if let Some(codec_string) = &info.codec_string {
        let _ = write!(words, " ({codec_string})");
    }
    printable(&words)
}

fn audio(info: &AudioInfo) -> String {
    let mut words = info.codec.to_string();
    if let Some(profile) = &info.profile {
        let _ = write!(words, " {profile}");
    }
    if info.sample_rate_hz > 0 {
        let _ = write!(words, ", {} kHz", short(f64::from(info.sample_rate_hz) / 1_000.0));
    }
    match info.channels {
        0 => {}
        1 => words.push_str(", mono"),
        2 => words.push_str(", stereo"),
        n => {
            let _ = write!(words, ", {n} channels");
        }
    }
    if let Some(codec_string) = &info.codec_string {
        let _ = write!(words, " ({codec_string})");
    }
    printable(&words)
}

/// What is known of the colours, each with a comma before it.
fn color(color: &ColorInfo) -> String {
    let mut words = String::new();
    let mut add = |word: String| {
        let _ = write!(words, ", {word}");
    };
    if color.is_hdr() {
        add("HDR".to_owned());
    }
    let named = |what: &str, number: Option<u8>, name: Option<&str>| match (number, name) {
        (_, Some(name)) => Some(name.to_owned()),
        (Some(number), None) => Some(format!("{what} {number}")),
        (None, None) => None,
    };
    named("transfer", color.transfer, color.transfer_name()).into_iter().for_each(&mut add);
    named("primaries", color.primaries, color.primaries_name()).into_iter().for_each(&mut add);
    if let Some(bits) = color.bit_depth {
        add(format!("{bits} bit told"));
    }
    if let Some(nits) = color.max_cll {
        add(format!("at most {} nits", short(nits)));
    }
    if let Some(nits) = color.mastering.and_then(|mastering| mastering.max_luminance) {
        add(format!("mastered for {} nits", short(nits)));
    }
    words
}

fn channel_layout(layout: &ChannelLayout) -> String {
    let names: Vec<_> = layout.map().into_iter().map(|channel| channel.name()).collect();
    match (layout.name(), names.is_empty()) {
        (Some(name), _) => format!(", {name} ({})", names.join(" ")),
        (None, false) => format!(", layout {}", names.join(" ")),
        (None, true) => format!(", layout of {} told without order", layout.channels),
    }
}

/// What a track has of Enhanced RTMP beside its codec; `None` where that is nothing.
fn enhanced(enhanced: &Enhanced) -> Option<String> {
    let mut words = Vec::new();
    let messages = |n: u64| count(n, "message");
    for (n, layout) in [
        (enhanced.one_track, "multitrack"),
        (enhanced.many_tracks, "multitrack with others"),
        (enhanced.many_codecs, "multitrack with other codecs"),
    ] {
        if n > 0 {
            words.push(format!("{layout} in {}", messages(n)));
        }
    }
    if enhanced.modified > 0 {
        let mut text = format!("ModEx in {}", messages(enhanced.modified));
        match enhanced.timestamp_offset_nanos {
            Some((least, most)) if least == most => {
                let _ = write!(text, " ({} ns)", number(least.into()));
            }
            Some((least, most)) => {
                let _ = write!(text, " ({} to {} ns)", number(least.into()), number(most.into()));
            }
            None => {}
        }
        if enhanced.unknown_modifiers > 0 {
            let _ = write!(text, ", {} not understood", number(enhanced.unknown_modifiers));
        }
        words.push(text);
    }
    if enhanced.metadata > 0 {
        let mut text = format!("metadata in {}", messages(enhanced.metadata));
        if enhanced.metadata_unreadable > 0 {
            let _ = write!(text, ", {} unreadable", number(enhanced.metadata_unreadable));
        }
        words.push(text);
    }
    let commands = enhanced.commands;
    for (n, what) in [
        (enhanced.sequence_ends, "sequence end"),
        (enhanced.ts_starts, "MPEG-2 TS sequence start"),
        (commands.seek_starts, "seek start"),
        (commands.seek_ends, "seek end"),
        (commands.others, "reserved command"),
    ] {
        if n > 0 {
            words.push(count(n, what));
        }
    }
    if let Some(first) = enhanced.first_reserved {
        words.push(match enhanced.reserved {
            1 => format!("1 message of the reserved packet type {first}"),
            n => format!("{} of reserved packet types, {first} first", messages(n)),
        });
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// A number with as many decimals as it needs, at most three.
fn short(n: f64) -> String {
    format!("{n:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The figures of all tracks as a table.
fn figures(tracks: &[Track]) -> String {
    let head = ["", "frames", "per second", "bit rate", "size", "from", "to", "longest gap"];
    let mut rows = vec![head.map(str::to_owned)];
    for track in tracks {
        let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let if_any = |ms: u32| known((track.frames > 0).then(|| time(ms.into())));
        rows.push([
            name(track),
            number(track.frames),
            known(track.frame_rate().map(|rate| format!("{rate:.2}"))),
            known(track.bit_rate().map(bit_rate)),
            size(track.bytes),
            if_any(track.first_ms),
            if_any(track.last_ms),
            if_any(track.gap_max_ms),
        ]);
    }
    format::table(&rows)
}

fn key_frames(track: &Track) -> String {
    let mut text = number(track.keys);
    if track.id > 0 {
        let _ = write!(text, " of {}", name(track));
    }
    if let Some(mean_ms) = track.key_interval_mean_ms() {
        let (mean_s, max_s) = (mean_ms / 1_000.0, f64::from(track.key_interval_max_ms) / 1_000.0);
        let _ = write!(text, ", one every {mean_s:.2} s on average, {max_s:.2} s at the longest");
    }
    text
}

fn index(index: IndexCheck) -> String {
    let entries = |n: usize| match n {
        1 => "1 entry".to_owned(),
        n => format!("{} entries", number(n as u64)),
    };
    match index {
        IndexCheck::None => "none: players seek by reading the file".to_owned(),
        IndexCheck::True { entries: n } => format!("{}, all right", entries(n)),
        IndexCheck::Wrong { entries: n, wrong } => {
            let wrong = number(wrong as u64);
            format!("{}, {wrong} wrong: seeking may fail", entries(n))
        }
    }
}

/// Which recording the file is of, and its books.
fn recording(out: &mut String, probed: &Probed) {
    if let Some(about) = probed.about() {
        let About { recording, stream_key, segment, start_time, start_ms, cut, .. } = &about;
        let stream_key = printable(stream_key);
        line(out, "recording", &format!("{recording} of {stream_key}, segment {segment}"));
        let (start_time, start) = (printable(start_time), time(*start_ms));
        let begins = format!("{start_time}, {start} into the recording ({})", cut.name());
        line(out, "begins", &begins);
        if let Some(gap) = &about.gap_before {
            line(out, "gap before", &format::gap(gap));
        }
        let complete = match (probed.is_complete(), probed.lost_bytes()) {
            (Some(true), _) => "yes".to_owned(),
            (_, 0) => "no: it is being written, or a server recovers it when it starts".to_owned(),
            (_, lost) => {
                format!("no: it was, and the last {} bytes of it are missing", number(lost))
            }
        };
        line(out, "complete", &complete);
    }
    if let Some(ledger) = probed.ledger() {
        let Ledger { received, written, dropped, late_packets, .. } = ledger;
        let [received, written, dropped] = [received, written, dropped].map(|n| number(n.packets));
        let late = number(late_packets);
        let packets =
            format!("{received} received, {written} written, {dropped} dropped, {late} late");
        line(out, "packets", &packets);
        let (skew, most) = (ledger.skew_ms, ledger.skew_max_ms);
        line(out, "skew", &format!("{skew} ms audio after video at the end, {most} ms at most"));
        for (i, gap) in ledger.gaps.iter().enumerate() {
            line(out, if i == 0 { "gaps" } else { "" }, &format::gap(gap));
        }
        let unlisted = ledger.gaps_total.saturating_sub(ledger.gaps.len() as u64);
        if unlisted > 0 {
            line(out, "", &format!("and {} more", number(unlisted)));
        }
    }
}

/// Properties that [`recording`] has shown.
fn shown(probed: &Probed) -> Vec<String> {
    let about = probed.about().map(|about| about.properties()).unwrap_or_default();
    let ledger = probed.ledger().map(|ledger| ledger.properties()).unwrap_or_default();
    let complete = (!about.is_empty()).then(|| "complete".to_owned());
    about.into_iter().chain(ledger).map(|(name, _)| name).chain(complete).collect()
}

fn metadata(out: &mut String, probed: &Probed) {
    let (report, shown) = (&probed.report, shown(probed));
    let others = report.metadata.iter().filter(|(name, _)| !shown.contains(name));
    let others: Vec<_> = others.collect();
    let width = others.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let width = width.min(24);
    for (i, (name, value)) in others.into_iter().enumerate() {
        let label = if i == 0 { "metadata" } else { "" };
        let mut value = match (value, json::value(value)) {
            (Amf::Number(n), _) => short(*n),
            (_, serde_json::Value::String(text)) => text,
            (_, other) => other.to_string(),
        };
        if let Some((end, _)) = value.char_indices().nth(VALUE_MAX) {
            value.truncate(end);
            value.push('…');
        }
        let (name, value) = (printable(name), printable(&value));
        line(out, label, &format!("{name:width$}  {value}"));
    }
    match report.metadata_count {
        0 => line(out, "metadata", "none"),
        1 if report.metadata.is_empty() => line(out, "metadata", "cannot be read"),
        1 => {}
        n => line(out, "", &format!("{} in all; the first is shown", count(n, "message"))),
    }
}

fn faults(out: &mut String, probed: &Probed) {
    let Probed { report, is_growing, .. } = probed;
    if let Some((offset, malformed)) = report.first_malformed {
        let text = count(report.malformed, "message");
        let at = number(offset);
        line(
            out,
            "unreadable",
            &format!("{text}, kept as sent; the first at byte {at}: {malformed}"),
        );
    }
    let is_excused = |fault: &&Fault| *is_growing && fault.kind.is_torn_end();
    if let Some(end) = report.faults.iter().find(is_excused) {
        let what = if let FaultKind::Mp4(_) = end.kind { "part" } else { "tag" };
        let text = format!("the file is being written: its last {what} is not whole yet");
        line(out, "growing", &format!("{text} (byte {})", number(end.offset)));
    }
    let shown: Vec<_> = report.faults.iter().filter(|fault| !is_excused(fault)).collect();
    if shown.is_empty() {
        return line(out, "faults", "none");
    }
    for (i, fault) in shown.iter().take(FAULTS_SHOWN).enumerate() {
        let label = if i == 0 { "faults" } else { "" };
        let (at, meaning) = (number(fault.offset), meaning(&fault.kind, report));
        line(out, label, &format!("byte {at}: {}: {meaning}", fault.kind));
    }
    let more = report.fault_count.saturating_sub(FAULTS_SHOWN as u64);
    if shown.len() > FAULTS_SHOWN {
        line(out, "", &format!("and {more} more"));
    }
}
