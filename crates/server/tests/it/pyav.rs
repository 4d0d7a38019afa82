//! PyAV publishes and reads: FFmpeg's libraries as the programs of others use them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use testkit::tools::{self, Output, Running};

use crate::ffmpeg::tool::{LONGEST, told};
use crate::support;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pyav/session.py");
/// How long it publishes, in seconds.
const SECONDS: &str = "3";

/// A packet, as the script tells of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Told {
    kind: String,
    pts: i64,
    dts: i64,
    key: bool,
    body: String,
}

fn script(python: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(python);
    // The encoder of AV1 has its own way to be quiet.
    command.arg(SCRIPT).args(args).env("SVT_LOG", "1");
    command
}

fn packets(output: &Output) -> Vec<Told> {
    assert_eq!(output.stderr, "");
    let text = output.text();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(packets: &'a [Told], kind: &'a str) -> impl DoubleEndedIterator<Item = &'a Told> + Clone {
    packets.iter().filter(move |packet| packet.kind == kind)
}

/// Times since the first packet, and what is a key frame.
fn times(packets: &[Told], kind: &str) -> Vec<(i64, i64, bool)> {
    let first = of(packets, kind).next().map_or(0, |packet| packet.dts);
    of(packets, kind).map(|told| (told.pts - first, told.dts - first, told.key)).collect()
}

/// Times, each a ms off at most: FFmpeg rounds those of the container.
fn is_near(a: &[(i64, i64, bool)], b: &[(i64, i64, bool)]) -> bool {
    let near = |(a, b): (&(i64, i64, bool), &(i64, i64, bool))| {
        a.0.abs_diff(b.0) <= 1 && a.1.abs_diff(b.1) <= 1 && a.2 == b.2
    };
    a.len() == b.len() && a.iter().zip(b).all(near)
}

/// What PyAV publishes is recorded, and read by one that waits and by one that joins.
fn published_recorded_and_read(video: &str, audio: &str) {
    let Some(python) = told(tools::pyav()) else { return };
    let mut server = support::recording().start();
    let url = server.url("live/test");
    let waiting = Running::start(&mut script(&python, &["read", &url]));
    server.wait_for_log("play started", &[]);
    let publish = ["publish", &url, video, audio, SECONDS];
    let published = tools::run(&mut script(&python, &publish), LONGEST).success();
    let published = packets(&published);
    let read = packets(&waiting.wait(LONGEST).success());
    server.wait_for_log("recorder closed", &[("dropped", "0")]);
    let recordings = server.recordings();
    let [file] = &recordings[..] else { panic!("{recordings:?}") };
    let file = tools::run(&mut script(&python, &["read", file.to_str().unwrap()]), LONGEST);
    let recorded = packets(&file.success());
    for kind in ["video", "audio"] {
        let (sent, found) = (times(&published, kind), times(&recorded, kind));
        assert!(is_near(&sent, &found), "{kind}: {sent:?}, {found:?}");
        // Who waits begins with the first key frame, before which there may be sound.
        let tail = of(&recorded, kind).rev().zip(of(&read, kind).rev());
        assert!(tail.clone().all(|(a, b)| a.body == b.body), "{kind}");
        assert!(tail.count() + 1 >= of(&recorded, kind).count(), "{kind}");
    }
    // Metadata that is not at 0 is one more stream to FFmpeg.
    for packets in [read, recorded] {
        let kinds: BTreeSet<_> = packets.into_iter().map(|packet| packet.kind).collect();
        assert_eq!(kinds, BTreeSet::from(["audio".to_owned(), "video".to_owned()]));
    }
    server.stop();
}

#[test]
fn h264_with_b_frames_and_aac() {
    published_recorded_and_read("libx264", "aac");
}

#[test]
fn hevc_and_eac3() {
    published_recorded_and_read("libx265", "eac3");
}

#[test]
fn av1_and_opus() {
    published_recorded_and_read("libsvtav1", "libopus");
}

#[test]
fn vp9_and_ac3() {
    published_recorded_and_read("libvpx-vp9", "ac3");
}
