//! Recordings as other programs see them: while they grow, when they are finished, and as a killed
//! server leaves them.

#![cfg(unix)]

pub(crate) mod judge;
mod seek;
pub(crate) mod sender;
pub(crate) mod vlc;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use media::{Packet, Role};
use serde_json::Value;
use testkit::flv::{self, assert_recorded, assert_recorded_beginning};
use testkit::{Publisher, Server, block_on, server, tools};

use crate::crash::Machine;
use crate::support::{recording, recording_as};
use judge::PATIENCE;
use sender::Sender;

/// What `kill -9` may cost at most.
const LOSS_MAX: Duration = Duration::from_secs(1);

/// How often a file that grows is looked at.
const LOOKS: usize = 10;

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + server::DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {:?}: {what}", server::DEADLINE);
        thread::sleep(Duration::from_millis(10));
    }
}

/// The file of the stream `live/test` as soon as there is something in it.
pub(crate) fn file_of(server: &Server) -> PathBuf {
    let line = server.wait_for_log("recorder initialized", &[("stream_key", "live/test")]);
    let file = PathBuf::from(line.field("file").unwrap_or_default());
    // The log names it as it was configured, which the harness does absolutely.
    wait_until("the recording has bytes", || file.metadata().is_ok_and(|file| file.len() > 0));
    file
}

/// Waits until the file has everything that was sent, bit for bit.
fn wait_for_disk(file: &Path, sent: &[Packet]) {
    let media = sent.iter().filter(|packet| packet.kind != media::Kind::Data).count();
    wait_until("everything sent is on disk", || flv::compare(file, sent) == Ok(media));
}

/// A finished recording of the clip, published at full speed.
fn recorded_clip(format: &str) -> (Server, PathBuf) {
    let server = recording_as(format).start();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&sender::clip()).await.unwrap();
        publisher.close().await.unwrap();
    });
    let file = file_of(&server);
    server.wait_for_log("recorder closed", &[("stream_key", "live/test")]);
    (server, file)
}

#[test]
fn a_growing_file_can_be_probed_at_any_moment() {
    let Some([ffprobe]) = judge::programs(["ffprobe"]) else { return };
    let mut server = recording().start();
    // Behind the end of a sequence there would be no configuration.
    let goes_on = sender::endless().filter(|packet| packet.role != Role::Event);
    let sender = Sender::start(&server.url("live/test"), goes_on, 1);
    let file = file_of(&server);
    let copy = server.dir().join("copy.flv");
    let mut counts = Vec::new();
    // FFmpeg takes the rate of AAC from a frame; before the first it tells the 44,100 Hz of the FLV flags.
    wait_until("sound in the file", || {
        let packets = flv::Flv::read(&file).map(|flv| flv.media()).unwrap_or_default();
        packets.iter().any(|p| p.kind == media::Kind::Audio && p.role == media::Role::Frame)
    });
    wait_until("it is looked at, and seen to grow", || {
        judge::ffprobe_growing(&ffprobe, &file).assert_demo();
        // Of the file at one moment all is asked.
        snapshot(&file, &copy);
        let probed = judge::ffprobe(&ffprobe, &copy);
        probed.assert_demo();
        counts.push((probed.packets("video"), probed.packets("audio")));
        counts.len() >= LOOKS && counts.first() < counts.last()
    });
    let sent = sender.stop();
    server.wait_for_log("recorder closed", &[("stream_key", "live/test")]);
    assert!(counts.is_sorted(), "{counts:?}");
    assert_recorded(&file, &sent);
    let probed = judge::ffprobe(&ffprobe, &file);
    let is_picture = |p: &&Packet| p.kind == media::Kind::Video && p.is_media();
    assert_eq!(probed.packets("video"), sent.iter().filter(is_picture).count());
    let length_s = sent.last().unwrap().dts_ms as f64 / 1_000.0;
    assert!((length_s - 0.1..length_s + 0.2).contains(&probed.seconds()), "{length_s}: {probed:?}");
    server.stop();
}

/// Copies a file as it is at one moment: between two writes of the server, each of whole tags.
fn snapshot(file: &Path, copy: &Path) {
    wait_until("a copy that no write came between", || {
        std::fs::copy(file, copy).unwrap();
        flv::Flv::read(copy).unwrap().faults.is_empty()
    });
}

/// flvmeta's warnings that are no faults of the file. It takes every tag of frame type 1 for a key
/// frame, also AVC's sequence header and end of sequence, and so misses these in the index and in
/// what is said of key frames. It wants the sampling rate of the FLV flags, which cannot say 48 kHz
/// and do not count for AAC; and its averages are other than the publisher's and ours.
const FLVMETA_KNOWN: [&str; 6] = [
    "W81071: invalid keyframes arrays length",
    "W80062: canSeekToEnd",
    "W80062: lastkeyframetimestamp",
    "W80062: audiosamplerate",
    "W80062: videodatarate",
    "W80062: audiodatarate",
];
/// What may be behind while the file grows.
const FLVMETA_GROWING: [&str; 3] =
    ["W80062: duration", "W80062: filesize", "W80062: lasttimestamp"];

fn check_by_flvmeta(flvmeta: &Path, file: &Path, known: &[&str]) {
    let output = tools::run(Command::new(flvmeta).arg("--check").arg(file), PATIENCE);
    let (text, is_success) = (output.text(), output.is_success());
    let is_known = |line: &str| known.iter().any(|known| line.contains(known));
    let mut unknown: Vec<_> = text.lines().filter(|line| !is_known(line)).collect();
    let last = unknown.pop().unwrap_or_default();
    assert!(last.starts_with("0 error(s)") && unknown.is_empty() && is_success, "{text}");
}

/// Checks what mediainfo says of so much of the clip.
fn check_by_mediainfo(mediainfo: &Path, file: &Path, seconds: Range<f64>) {
    let mut command = Command::new(mediainfo);
    let output = tools::run(command.arg("--Output=JSON").arg(file), PATIENCE).success();
    let text = output.text();
    assert!(!text.contains("IsTruncated"), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    let of = |track: usize, field: &str| {
        let value = value.pointer(&format!("/media/track/{track}/{field}"));
        value.and_then(Value::as_str).unwrap_or_else(|| panic!("{track} {field}: {text}"))
    };
    let general = ["@type", "Format", "VideoCount", "AudioCount"].map(|field| of(0, field));
    assert_eq!(general, ["General", "Flash Video", "1", "1"]);
    let video = ["@type", "Format", "Width", "Height"].map(|field| of(1, field));
    assert_eq!(video, ["Video", "AVC", "640", "360"]);
    let audio = ["@type", "Format", "SamplingRate", "Channels"].map(|field| of(2, field));
    assert_eq!(audio, ["Audio", "AAC", "48000", "2"]);
    for track in 0..3 {
        let duration = of(track, "Duration").parse().unwrap();
        assert!(seconds.contains(&duration), "not {seconds:?}: {text}");
    }
}

#[test]
fn flvmeta_and_mediainfo_accept_a_recording_that_grows_and_one_that_is_finished() {
    let Some([flvmeta, info]) = judge::programs(["flvmeta", "mediainfo"]) else { return };
    let mut server = recording().start();
    let clip = sender::clip();
    let half = clip.len() / 2;
    let file = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&clip[..half]).await.unwrap();
        let file = file_of(&server);
        wait_for_disk(&file, &clip[..half]);
        check_by_flvmeta(&flvmeta, &file, &[&FLVMETA_KNOWN[..], &FLVMETA_GROWING].concat());
        check_by_mediainfo(&info, &file, 0.0..4.2);
        publisher.send_all(&clip[half..]).await.unwrap();
        publisher.close().await.unwrap();
        file
    });
    server.wait_for_log("recorder closed", &[("stream_key", "live/test")]);
    assert_recorded(&file, &clip);
    check_by_flvmeta(&flvmeta, &file, &FLVMETA_KNOWN);
    check_by_mediainfo(&info, &file, 7.9..8.1);
    server.stop();
}

#[test]
fn what_was_sent_reaches_the_disk_though_nothing_follows() {
    let mut server = recording().start();
    let clip = sender::clip();
    // Up to a key frame, which the recorder does not wait with, and a little more.
    let keys = clip.iter().enumerate().filter(|(_, packet)| packet.role == Role::Key);
    let key = keys.map(|(at, _)| at).nth(1).unwrap();
    let part = &clip[..key + 20];
    let file = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&clip[..=key]).await.unwrap();
        let file = file_of(&server);
        wait_for_disk(&file, &clip[..=key]);
        // Only time can bring these to the disk.
        publisher.send_all(&clip[key + 1..key + 20]).await.unwrap();
        wait_for_disk(&file, part);
        server.kill();
        assert!(publisher.closed().await.is_ok());
        file
    });
    assert_recorded(&file, part);
}

#[test]
fn kill_9_costs_about_a_second_and_leaves_a_file_that_plays() {
    let Some([ffprobe]) = judge::programs(["ffprobe"]) else { return };
    let mut server = recording().start();
    let machine = Machine::watch(server.dir());
    let sender = Sender::start(&server.url("live/test"), sender::endless(), 1);
    let file = file_of(&server);
    // Long after a key frame, with which what came before it has reached the disk.
    sender.wait_until_sent(5_800);
    let killed = Instant::now();
    server.kill();
    let log = sender.cut_off();
    let sent = log.packets();
    let recorded = assert_recorded_beginning(&file, &sent);
    // How late the sender's own thread was run, and how long a write took, is what this machine does to any thread.
    let due = killed - LOSS_MAX - log.late - machine.late();
    let media = log.sent.iter().filter(|(_, packet)| packet.kind != media::Kind::Data);
    let safe = media.take_while(|(at, _)| *at <= due).count();
    assert!(safe > 100, "{safe}");
    assert!(recorded >= safe, "{recorded} recorded of {safe} sent before {due:?}");
    let probed = judge::ffprobe(&ffprobe, &file);
    probed.assert_demo();
    assert!(probed.packets("video") + probed.packets("audio") >= recorded - 2, "{probed:?}");
}
