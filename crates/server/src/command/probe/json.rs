//! Reports for programs. Names are stable and end with their unit; what is not known is `null`.

use archive::{About, Gap, Ledger};
use media::amf0::Value as Amf;
use media::codec::{ChannelLayout, ColorInfo};
use media::flv::probe::{Codec, Commands, Enhanced, IndexCheck, Track};
use serde_json::{Map, Value, json};

use super::{Failure, Probed, meaning};

/// Everything that is known of a file.
pub(super) fn object(probed: &Probed) -> Value {
    let report = &probed.report;
    let faults: Vec<_> = report
        .faults
        .iter()
        .map(|fault| {
            json!({
                "offset_bytes": fault.offset,
                "text": fault.kind.to_string(),
                "meaning": meaning(&fault.kind, report),
            })
        })
        .collect();
    let header = report.header.map(|header| {
        json!({
            "version": header.version,
            "has_audio": header.has_audio,
            "has_video": header.has_video,
        })
    });
    let (index, entries, wrong) = match report.index {
        IndexCheck::None => ("none", 0, 0),
        IndexCheck::True { entries } => ("right", entries, 0),
        IndexCheck::Wrong { entries, wrong } => ("wrong", entries, wrong),
    };
    json!({
        "file": probed.path,
        "error": null,
        "clean": probed.is_sound(),
        "growing": probed.is_growing,
        "size_bytes": probed.size_bytes,
        "duration_ms": report.duration_ms,
        "bit_rate_bps": super::text::mean_bit_rate(probed).map(round),
        "tags": report.tags,
        "header": header,
        "tracks": report.tracks.iter().map(track).collect::<Vec<_>>(),
        "complete": probed.is_complete(),
        "recording": probed.about().as_ref().map(recording),
        "ledger": probed.ledger().as_ref().map(ledger),
        "metadata": properties(&report.metadata),
        "metadata_messages": report.metadata_count,
        "amf3_tags": report.amf3_tags,
        "index": { "state": index, "entries": entries, "wrong": wrong },
        "unreadable_messages": report.malformed,
        "first_unreadable": report.first_malformed.map(|(offset, malformed)| {
            json!({ "offset_bytes": offset, "text": malformed.to_string() })
        }),
        "fault_count": report.fault_count,
        "faults": faults,
    })
}

/// A file that tells nothing.
pub(super) fn unreadable(path: &str, error: &Failure) -> Value {
    json!({ "file": path, "error": error.to_string(), "clean": false })
}

fn recording(about: &About) -> Value {
    json!({
        "id": about.recording.to_string(),
        "stream_key": about.stream_key,
        "segment": about.segment,
        "start_time": about.start_time,
        "start_ms": about.start_ms,
        "reason": about.cut.name(),
        "gap_before": about.gap_before.as_ref().map(gap),
        "first_packet": about.first_packet,
        "chain_before": about.chain_before.map(|hash| hash.to_string()),
        "server": about.server,
    })
}

fn ledger(ledger: &Ledger) -> Value {
    json!({
        "packets_received": ledger.received.packets,
        "packets_written": ledger.written.packets,
        "packets_dropped": ledger.dropped.packets,
        "received_bytes": ledger.received.bytes,
        "written_bytes": ledger.written.bytes,
        "dropped_bytes": ledger.dropped.bytes,
        "packets_late": ledger.late_packets,
        "packets_repeated": ledger.repeated_packets,
        "packets_merged": ledger.merged.packets,
        "skew_ms": ledger.skew_ms,
        "skew_max_ms": ledger.skew_max_ms,
        "gap_count": ledger.gaps_total,
        "gaps": ledger.gaps.iter().map(gap).collect::<Vec<_>>(),
    })
}

/// A gap; the time of one between files is on the recording clock.
pub(crate) fn gap(gap: &Gap) -> Value {
    json!({
        "at_ms": gap.at_ms,
        "length_ms": gap.length_ms,
        "reason": gap.reason.name(),
        "packets_dropped": gap.dropped.packets,
        "dropped_bytes": gap.dropped.bytes,
    })
}

/// What a track has of Enhanced RTMP, and of commands; `null` where it has nothing of it.
fn enhanced(enhanced: &Enhanced) -> Option<Value> {
    let nanos = enhanced.timestamp_offset_nanos;
    let commands = enhanced.commands;
    let is_any = enhanced.messages > 0 || commands != Commands::default() || enhanced.reserved > 0;
    is_any.then(|| {
        json!({
            "messages": enhanced.messages,
            "multitrack": {
                "one_track": enhanced.one_track,
                "many_tracks": enhanced.many_tracks,
                "many_tracks_many_codecs": enhanced.many_codecs,
            },
            "modified": enhanced.modified,
            "unknown_modifiers": enhanced.unknown_modifiers,
            "timestamp_offset_min_ns": nanos.map(|(least, _)| least),
            "timestamp_offset_max_ns": nanos.map(|(_, most)| most),
            "sequence_ends": enhanced.sequence_ends,
            "mpeg2_ts_sequence_starts": enhanced.ts_starts,
            "seek_starts": commands.seek_starts,
            "seek_ends": commands.seek_ends,
            "reserved_commands": commands.others,
            "reserved_packet_types": enhanced.reserved,
            "first_reserved_packet_type": enhanced.first_reserved,
            "metadata": enhanced.metadata,
            "metadata_unreadable": enhanced.metadata_unreadable,
            "color": enhanced.color.as_ref().map(color),
            "channel_layout": enhanced.channels.as_ref().map(channel_layout),
        })
    })
}

fn color(color: &ColorInfo) -> Value {
    let mastering = color.mastering.map(|mastering| {
        let points = mastering.chromaticities.map(|points| points.map(|(x, y)| [x, y]));
        json!({
            "red_green_blue_white_xy": points,
            "max_luminance_nits": mastering.max_luminance,
            "min_luminance_nits": mastering.min_luminance,
        })
    });
    json!({
        "bit_depth": color.bit_depth,
        "primaries": color.primaries,
        "transfer": color.transfer,
        "matrix": color.matrix,
        "hdr": color.is_hdr(),
        "max_fall_nits": color.max_fall,
        "max_cll_nits": color.max_cll,
        "mastering_display": mastering,
    })
}

fn channel_layout(layout: &ChannelLayout) -> Value {
    let names: Vec<_> = layout.map().into_iter().map(|channel| channel.name()).collect();
    json!({ "channels": layout.channels, "name": layout.name(), "order": names })
}

fn track(track: &Track) -> Value {
    let composition = track.composition_time_ms;
    let mut object = json!({
        "kind": track.kind.name(),
        "id": track.id,
        "codec": null,
        "frames": track.frames,
        "size_bytes": track.bytes,
        "bit_rate_bps": track.bit_rate().map(round),
        "frame_rate_fps": track.frame_rate().map(thousandth),
        "first_ms": track.first_ms,
        "last_ms": track.last_ms,
        "duration_ms": track.duration_ms(),
        "gap_max_ms": track.gap_max_ms,
        "configurations": track.configs,
        "enhanced": enhanced(&track.enhanced),
        "key_frames": track.keys,
        "key_interval_mean_ms": track.key_interval_mean_ms().map(round),
        "key_interval_max_ms": (track.keys > 1).then_some(track.key_interval_max_ms),
        "composition_time_min_ms": composition.map(|(least, _)| least),
        "composition_time_max_ms": composition.map(|(_, most)| most),
    });
    let details = match &track.codec {
        Codec::Unknown => json!({}),
        Codec::Video(info) => json!({
            "codec": info.codec.to_string(),
            "codec_string": info.codec_string,
            "profile": info.profile,
            "level": info.level,
            "width_px": known(info.width),
            "height_px": known(info.height),
            "bit_depth": info.bit_depth,
            "declared_frame_rate_fps": info.frame_rate.map(thousandth),
        }),
        Codec::Audio(info) => json!({
            "codec": info.codec.to_string(),
            "codec_string": info.codec_string,
            "profile": info.profile,
            "sample_rate_hz": known(info.sample_rate_hz),
            "channels": known(info.channels.into()),
        }),
    };
    if let (Value::Object(object), Value::Object(details)) = (&mut object, details) {
        object.extend(details);
    }
    object
}

/// 0 stands for "unknown".
fn known(n: u32) -> Option<u32> {
    (n > 0).then_some(n)
}

fn round(n: f64) -> Value {
    number(n.round())
}

fn thousandth(n: f64) -> f64 {
    (n * 1_000.0).round() / 1_000.0
}

fn properties(properties: &[(String, Amf)]) -> Value {
    let object: Map<_, _> =
        properties.iter().map(|(name, value)| (name.clone(), self::value(value))).collect();
    Value::Object(object)
}

/// An AMF value; a date as text, as in `2026-11-22T16:00:00Z`.
pub(super) fn value(amf: &Amf) -> Value {
    match amf {
        Amf::Number(n) => number(*n),
        Amf::Boolean(b) => Value::Bool(*b),
        Amf::String(text) => Value::String(text.clone()),
        Amf::Object(properties) | Amf::EcmaArray(properties) => self::properties(properties),
        Amf::StrictArray(values) => Value::Array(values.iter().map(value).collect()),
        Amf::Null | Amf::Undefined => Value::Null,
        Amf::Date(ms) => date(*ms).map_or(Value::Null, Value::String),
    }
}

/// A number without a fraction as one; AMF has floating-point numbers only.
fn number(n: f64) -> Value {
    /// Up to here every whole number is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
    match n {
        n if n.fract() == 0.0 && n.abs() <= EXACT => Value::from(n as i64),
        _ => Value::from(n),
    }
}

fn date(ms: f64) -> Option<String> {
    let since = jiff::SignedDuration::try_from_secs_f64(ms / 1_000.0).ok()?;
    jiff::Timestamp::from_duration(since).ok().map(|at| at.to_string())
}
