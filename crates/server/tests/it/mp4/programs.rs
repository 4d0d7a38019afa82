//! What mp4box, GStreamer, VLC and mediainfo make of a recording: one that grows, as a killed server
//! leaves it; the same when it was mended; and one that was finished in order.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use media::{Kind, Packet, mp4};
use serde_json::Value;
use testkit::{block_on, flv, tools};

use super::{as_mp4, closed, file_of, killed, publish, recording};
use crate::ffmpeg::tool::{AAC, Ffmpeg, Source, USUAL};
use crate::files::judge::{self, PATIENCE};
use crate::files::vlc::{self, Vlc};

/// Seconds of a source.
const SECONDS: u32 = 3;
/// Bytes of a picture of a source in I420.
const PICTURE: u64 = 320 * 180 * 3 / 2;

/// What was sent, and the three files.
struct Made {
    sent: Vec<Packet>,
    growing: PathBuf,
    mended: PathBuf,
    finished: PathBuf,
}

fn make(source: Source, dir: &Path) -> Option<Made> {
    let nine = Ffmpeg::nine()?;
    let packed = dir.join("sent.flv");
    nine.pack(&source.encode(&nine, SECONDS, dir), &[], &packed);
    let sent = flv::clip(&packed);

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
fn check_by_mp4box(file: &Path, sent: &[Packet], is_fragmented: bool, codecs: [&str; 2]) {
    let Some(module) = tools::mp4box() else { return };
    let Some([node]) = judge::programs(["node"]) else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/mp4box.mjs");
    let mut command = Command::new(node);
    let output = tools::run(command.arg(script).arg(module).arg(file), PATIENCE).success();
    let found: Value = serde_json::from_str(&output.text()).unwrap();
    // What the file says of itself, what the messages of its parts were, and when these were.
    let is_ours = |said: &Value| {
        let said = said.as_str().unwrap();
        said.contains("9a4e2d8c6b1f4b1ea30d") || said.contains("multiple boxes of type prft")
    };
    let said = found["said"].as_array().unwrap();
    assert!(said.iter().all(is_ours), "{said:?}");
    assert_eq!(found["is_fragmented"], is_fragmented, "{}", file.display());
    let tracks = found["tracks"].as_array().unwrap();
    for ((track, codec), kind) in tracks.iter().zip(codecs).zip([Kind::Video, Kind::Audio]) {
        assert!(track["codec"].as_str().unwrap().starts_with(codec), "{}", track["codec"]);
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
    assert_eq!(tracks.len(), 2);
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
    let outputs = ["--vout=vdummy", "--aout=adummy"];
    let log = vlc::run(vlc.command(outputs, vlc.lend(file))).stderr;
    for told in ["Received first picture", "EOF reached"] {
        assert!(log.contains(told), "{}: no {told:?}:\n{log}", file.display());
    }
    // Without a desktop it misses its window and its hot keys, and on a machine that is busy it
    // is late; not more.
    let known =
        ["interface error: ", "libvlc error: interface ", " is called too late (pts_delay "];
    let errors = log.lines().filter(|line| line.contains(" error: "));
    let mut unknown = errors.filter(|line| !known.iter().any(|known| line.contains(known)));
    assert_eq!(unknown.next(), None, "{log}");
}

/// Checks what mediainfo says of a file.
fn check_by_mediainfo(file: &Path, formats: [&str; 2]) {
    let Some([mediainfo]) = judge::programs(["mediainfo"]) else { return };
    let mut command = Command::new(mediainfo);
    let text = tools::run(command.arg("--Output=JSON").arg(file), PATIENCE).success().text();
    assert!(!text.contains("IsTruncated"), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    let of = |track: usize, field: &str| {
        let value = value.pointer(&format!("/media/track/{track}/{field}"));
        value.and_then(Value::as_str).unwrap_or_else(|| panic!("{track} {field}: {text}"))
    };
    let general = ["CodecID", "VideoCount", "AudioCount"].map(|field| of(0, field));
    assert_eq!(general, ["iso6", "1", "1"], "{text}");
    assert_eq!([of(1, "Format"), of(2, "Format")], formats, "{text}");
    for track in 0..3 {
        let seconds: f64 = of(track, "Duration").parse().unwrap();
        assert!((seconds - f64::from(SECONDS)).abs() < 0.1, "{text}");
    }
}

fn assert_taken(source: Source, codecs: [&str; 2], formats: [&str; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let Some(Made { sent, growing, mended, finished }) = make(source, dir.path()) else { return };
    for (file, is_fragmented) in [(&growing, true), (&mended, false), (&finished, false)] {
        check_by_mp4box(file, &sent, is_fragmented, codecs);
        check_by_gstreamer(file, &sent);
    }
    let Some(vlc) = Vlc::new() else { return };
    for file in [&mended, &finished] {
        check_by_mediainfo(file, formats);
        check_by_vlc(&vlc, file);
    }
}

#[test]
fn h264_and_aac() {
    assert_taken(USUAL, ["avc1.", "mp4a.40.2"], ["AVC", "AAC"]);
}

#[test]
fn hevc_and_aac() {
    let options = &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"];
    let source = Source { container: "mp4", video: Some(("hevc", options)), audio: Some(AAC) };
    assert_taken(source, ["hvc1.", "mp4a.40.2"], ["HEVC", "AAC"]);
}

#[test]
fn av1_and_opus() {
    let source = Source {
        container: "mp4",
        video: Some(("av1", &["-c:v", "libsvtav1", "-preset", "11"])),
        audio: Some(("opus", &["-c:a", "libopus"])),
    };
    assert_taken(source, ["av01.", "Opus"], ["av01", "Opus"]);
}
