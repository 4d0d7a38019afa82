//! What mp4box, GStreamer, VLC and mediainfo make of a recording: one that grows, as a killed server
//! leaves it; the same when it was mended; and one that was finished in order.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use media::{Kind, Packet, mp4};
use serde_json::Value;
use testkit::{block_on, tools};

use super::{as_mp4, closed, file_of, killed, publish, recording, report};
use crate::ffmpeg::tool::{AAC, AV1, Ffmpeg, HEVC, OPUS, Source, USUAL};
use crate::files::judge::{self, PATIENCE};
use crate::files::vlc::{self, Vlc};

/// Seconds of a source.
const SECONDS: u32 = 3;
/// Bytes of a picture of a source in I420.
const PICTURE: u64 = 320 * 180 * 3 / 2;

/// How the name begins that mp4box has for a codec of FFmpeg's, and what mediainfo calls it.
fn names(codec: &str) -> [&'static str; 2] {
    match codec {
        "h264" => ["avc1.", "AVC"],
        "hevc" => ["hvc1.", "HEVC"],
        "vvc" => ["vvc1.", "vvc1"],
        "av1" => ["av01.", "av01"],
        "vp9" => ["vp09.", "vp09"],
        "aac" => ["mp4a.40.2", "AAC"],
        "mp3" => ["mp4a.6b", "MPEG Audio"],
        "opus" => ["Opus", "Opus"],
        "flac" => ["fLaC", "FLAC"],
        "ac3" => ["ac-3", "AC-3"],
        "eac3" => ["ec-3", "E-AC-3"],
        other => panic!("{other}"),
    }
}

/// What a file says its codecs parameter is (RFC 6381), as mp4box writes it: of Opus it takes the name of the
/// sample entry as it stands, and of MP3 digits in lower case.
fn codecs_for_mp4box(file: &Path) -> Vec<String> {
    let metadata = report(file).metadata;
    let (_, codecs) = metadata.iter().find(|(name, _)| name == "codecs").unwrap();
    let as_mp4box = |codec| match codec {
        "opus" => "Opus",
        "mp4a.6B" => "mp4a.6b",
        same => same,
    };
    codecs.as_str().unwrap().split(',').map(|codec| as_mp4box(codec).to_owned()).collect()
}

/// What was sent, and the three files.
struct Made {
    sent: Vec<Packet>,
    growing: PathBuf,
    mended: PathBuf,
    finished: PathBuf,
}

fn make(source: Source, dir: &Path) -> Option<Made> {
    let sent = source.packets(&Ffmpeg::nine()?, SECONDS);

    let (server, file) = killed(&sent);
    let keep = |file: &Path, name: &str| {
        let kept = dir.join(name);
        std::fs::copy(file, &kept).unwrap();
        kept
    };
    let growing = keep(&file, "growing.mp4");
    let mut server = recording().record_dir(server.record_dir()).start();
    server.wait_for_log("recording recovered", &[]);
    server.stop();
    let mended = keep(&file, "mended.mp4");

    let mut server = as_mp4().start();
    block_on(publish(&server, "live/test", &sent));
    closed(&server, "live/test");
    server.stop();
    let finished = keep(&file_of(&server, "live/test"), "finished.mp4");
    Some(Made { sent, growing, mended, finished })
}

/// The samples of a kind as they were sent: their times from the first one on, and their bytes in
/// hex.
fn samples(sent: &[Packet], kind: Kind) -> Vec<(i64, String)> {
    let of_kind = sent.iter().filter(|packet| packet.kind == kind);
    let samples = of_kind.flat_map(|packet| {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            })
        };
        mp4::samples(packet).map(move |sample| (packet.dts_ms, hex(&sample.data)))
    });
    from_first(samples.collect())
}

fn from_first(mut samples: Vec<(i64, String)>) -> Vec<(i64, String)> {
    let first_ms = samples.first().map_or(0, |(ms, _)| *ms);
    samples.iter_mut().for_each(|(ms, _)| *ms -= first_ms);
    samples
}

/// Checks every sample that mp4box finds.
fn check_by_mp4box(file: &Path, sent: &[Packet], is_fragmented: bool, source: &Source) {
    let Some(module) = tools::mp4box() else { return };
    let Some([node]) = judge::programs(["node"]) else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/mp4box.mjs");
    let mut command = Command::new(node);
    let output = tools::run(command.arg(script).arg(module).arg(file), PATIENCE).success();
    let found: Value = serde_json::from_str(&output.text()).unwrap();
    // What the file says of itself, what the messages of its parts were, and when these were. Of
    // FLAC mp4box takes the mark of the last block for one of more to come.
    let known = [
        "9a4e2d8c6b1f4b1ea30d",
        "multiple boxes of type prft",
        "Parsing of box 'dfLa' read 38 more",
    ];
    let said = found["said"].as_array().unwrap();
    let is_known = |said: &Value| known.iter().any(|known| said.as_str().unwrap().contains(known));
    assert!(said.iter().all(is_known), "{said:?}");
    assert_eq!(found["is_fragmented"], is_fragmented, "{}", file.display());
    let tracks = found["tracks"].as_array().unwrap();
    let mut codecs_found = Vec::new();
    for (track, (kind, codec)) in tracks.iter().zip(source.codecs()) {
        let [begin, _] = names(codec);
        assert!(track["codec"].as_str().unwrap().starts_with(begin), "{}", track["codec"]);
        codecs_found.push(track["codec"].as_str().unwrap().to_owned());
        let sample = |sample: &Value| {
            (sample["ms"].as_i64().unwrap(), sample["bytes"].as_str().unwrap().to_owned())
        };
        let samples_found = track["samples"].as_array().unwrap().iter().map(sample).collect();
        let (found, sent) = (from_first(samples_found), samples(sent, kind));
        assert_eq!(found.len(), sent.len(), "{}: {kind:?}", file.display());
        for ((found_ms, found), (sent_ms, sent)) in found.iter().zip(&sent) {
            assert!(found == sent, "{}: other {kind:?} at {sent_ms} ms", file.display());
            // In samples of sound, where a part begins, a time may be rounded to the next ms.
            let is_there = (found_ms - sent_ms).abs() <= i64::from(kind == Kind::Audio);
            assert!(is_there, "{}: {kind:?} of {sent_ms} ms at {found_ms}", file.display());
        }
    }
    assert_eq!(tracks.len(), source.codecs().count());
    assert_eq!(codecs_found, codecs_for_mp4box(file), "{}", file.display());
}

/// Has GStreamer decode all pictures and all sound.
fn check_by_gstreamer(file: &Path, sent: &[Packet]) {
    let Some([launch]) = judge::programs(["gst-launch-1.0"]) else { return };
    let pictures = file.with_extension("i420");
    let words = format!(
        "filesrc location={} ! qtdemux name=d \
         d.video_0 ! queue ! decodebin ! videoconvert ! video/x-raw,format=I420 ! \
         filesink location={} \
         d.audio_0 ! queue ! decodebin ! fakesink",
        file.display(),
        pictures.display()
    );
    let mut command = Command::new(launch);
    command.args(["-q", "-e"]).args(words.split_whitespace());
    let output = tools::run(&mut command, PATIENCE).success();
    assert_eq!(output.stderr, "", "{}", file.display());
    let count = u64::try_from(samples(sent, Kind::Video).len()).unwrap();
    assert_eq!(std::fs::metadata(&pictures).unwrap().len(), count * PICTURE, "{}", file.display());
}

/// Has VLC play to the end.
fn check_by_vlc(vlc: &Vlc, file: &Path) {
    let log = vlc::run(vlc.command(vlc::DUMMIES, vlc.lend(file))).stderr;
    vlc::assert_played(&log);
}

/// Checks what mediainfo says of a file.
fn check_by_mediainfo(file: &Path, source: &Source) {
    let Some([mediainfo]) = judge::programs(["mediainfo"]) else { return };
    let mut command = Command::new(mediainfo);
    let text = tools::run(command.arg("--Output=JSON").arg(file), PATIENCE).success().text();
    assert!(!text.contains("IsTruncated"), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    let of = |track: usize, field: &str| {
        let value = value.pointer(&format!("/media/track/{track}/{field}"));
        value.and_then(Value::as_str).unwrap_or_else(|| panic!("{track} {field}: {text}"))
    };
    assert_eq!(of(0, "CodecID"), "iso6", "{text}");
    let expected = source.codecs().map(|(kind, codec)| (kind.name(), names(codec)[1]));
    let tracks = 1..=source.codecs().count();
    let found = tracks.clone().map(|at| (of(at, "@type"), of(at, "Format")));
    let found: Vec<_> = found.map(|(kind, format)| (kind.to_lowercase(), format)).collect();
    assert!(found.iter().map(|(kind, format)| (kind.as_str(), *format)).eq(expected), "{text}");
    for at in std::iter::chain([0], tracks) {
        let seconds: f64 = of(at, "Duration").parse().unwrap();
        assert!((seconds - f64::from(SECONDS)).abs() < 0.1, "{text}");
    }
}

/// Checks by those that are quick a finished recording of so many seconds of a source.
pub(crate) fn check_finished(file: &Path, sent: &[Packet], source: &Source) {
    check_by_mp4box(file, sent, false, source);
    check_by_mediainfo(file, source);
}

fn assert_taken(source: Source) {
    let dir = tempfile::tempdir().unwrap();
    let Some(Made { sent, growing, mended, finished }) = make(source, dir.path()) else { return };
    for (file, is_fragmented) in [(&growing, true), (&mended, false), (&finished, false)] {
        check_by_mp4box(file, &sent, is_fragmented, &source);
        check_by_gstreamer(file, &sent);
    }
    let Some(vlc) = Vlc::new() else { return };
    for file in [&growing, &mended, &finished] {
        check_by_mediainfo(file, &source);
        check_by_vlc(&vlc, file);
    }
}

#[test]
fn h264_and_aac() {
    assert_taken(USUAL);
}

#[test]
fn hevc_and_aac() {
    assert_taken(Source { container: "mp4", video: Some(HEVC), audio: Some(AAC) });
}

#[test]
fn av1_and_opus() {
    assert_taken(Source { container: "mp4", video: Some(AV1), audio: Some(OPUS) });
}
