//! GStreamer publishes by `rtmp2sink` and by `rtmpsink`, which is librtmp, and plays by `rtmp2src`.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::flv;
use testkit::server::Server;
use testkit::tools::{self, Running};

use crate::ffmpeg::packets::assert_part;
use crate::ffmpeg::sessions::{SECRET, assert_secret_is_kept};
use crate::ffmpeg::tool::{Ffmpeg, LONGEST, ended, told};
use crate::support;

/// H.264 with B-frames and AAC, 8 s.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv");

/// A pipeline, each word an argument.
fn pipeline(launch: &Path, words: &str) -> Command {
    let mut command = Command::new(launch);
    command.args(["-e", "-q"]).args(words.split_whitespace());
    command
}

/// The packets of the demo, put into FLV again as GStreamer does it, and handed to `sink`.
fn remuxed(launch: &Path, sink: &str) -> Command {
    let source = format!("filesrc location={DEMO} ! flvdemux name=d");
    let video = "d.video ! queue ! h264parse ! m.";
    let audio = "d.audio ! queue ! aacparse ! m.";
    pipeline(launch, &format!("{source} {video} {audio} flvmux name=m streamable=true ! {sink}"))
}

/// The same in a file.
fn packed(launch: &Path, dir: &Path) -> PathBuf {
    let file = dir.join("sent.flv");
    let sink = format!("filesink location={}", file.display());
    let _ = tools::run(&mut remuxed(launch, &sink), LONGEST).success();
    file
}

/// GStreamer, and FFmpeg as the judge; `None` in a fast run, which is told.
fn programs() -> Option<(PathBuf, Ffmpeg)> {
    Some((told(tools::program("gst-launch-1.0"))?, Ffmpeg::five()?))
}

/// Publishes the demo by `sink`, `{url}` in it replaced, and compares the recording.
fn published_and_recorded(stream: &str, sink: &str) {
    let Some((launch, five)) = programs() else { return };
    let dir = tempfile::tempdir().unwrap();
    let sent = packed(&launch, dir.path());
    let mut server = support::recording().start();
    let sink = sink.replace("{url}", &server.url(stream));
    let output = tools::run(&mut remuxed(&launch, &sink), LONGEST).success();
    assert_eq!(output.stderr, "");
    server.wait_for_log("recorder closed", &[("stream_key", stream), ("dropped", "0")]);
    assert_recorded(&server, &five, &sent);
    server.stop();
}

/// The one recording has every message of `sent`, and every packet of the demo.
fn assert_recorded(server: &Server, five: &Ffmpeg, sent: &Path) {
    let recordings = server.recordings();
    let [recording] = &recordings[..] else { panic!("{recordings:?}") };
    flv::assert_recorded(recording, &flv::Flv::read(sent).unwrap().packets());
    let recorded = five.packets(recording);
    assert_eq!(recorded.bodies(), five.packets(Path::new(DEMO)).bodies());
    let kinds: Vec<_> = recorded.tracks.iter().map(|track| track.kind.as_str()).collect();
    assert_eq!(kinds, ["video", "audio"], "FFmpeg sees other tracks");
}

#[test]
fn rtmp2sink_at_full_speed() {
    published_and_recorded("live/test", "rtmp2sink location={url} sync=false");
}

/// In real time its metadata, which it repeats, has another date each second.
#[test]
fn rtmp2sink_in_real_time() {
    published_and_recorded("live/inst/test", "rtmp2sink location={url} sync=true");
}

#[test]
fn rtmpsink_at_full_speed() {
    published_and_recorded("live/test", "rtmpsink location={url} sync=false");
}

#[test]
fn rtmpsink_in_real_time() {
    published_and_recorded("live/inst/test", "rtmpsink location={url} sync=true");
}

#[test]
fn rtmp2src_plays() {
    let Some((launch, five)) = programs() else { return };
    let dir = tempfile::tempdir().unwrap();
    let sent = dir.path().join("sent.flv");
    five.pack(Path::new(DEMO), &[], &sent);
    let mut server = support::recording().start();
    let (url, played) = (server.url("live/test"), dir.path().join("played.flv"));
    let play = format!("rtmp2src location={url} ! filesink location={}", played.display());
    let playing = Running::start(&mut pipeline(&launch, &play));
    server.wait_for_log("play started", &[("stream_key", "live/test")]);
    ended(five.publish_live(Path::new(DEMO), &url));
    assert_eq!(ended(playing), "");
    let (sent_packets, played) = (five.packets(&sent), five.packets(&played));
    assert_part(&sent, &sent_packets, &played, false);
    // When it is told of the end rtmp2src 1.22 may drop the message that it has just read.
    for (sent, played) in sent_packets.bodies().iter().zip(played.bodies()) {
        assert!(sent.iter().rev().take(2).any(|body| Some(body) == played.last()));
    }
    server.stop();
}

#[test]
fn a_token_of_either_sink_is_part_of_no_name_no_log_and_no_file() {
    let Some((launch, _)) = programs() else { return };
    let mut server = support::recording().args(["-log-level", "debug"]).start();
    for (number, sink) in (1..).zip(["rtmp2sink", "rtmpsink"]) {
        let url = server.url(&format!("live/inst/key?token={SECRET}"));
        let sink = format!("{sink} location={url} sync=false");
        let _ = tools::run(&mut remuxed(&launch, &sink), LONGEST).success();
        server.wait_for_logs("recorder closed", &[("stream_key", "live/inst/key")], number);
    }
    assert_eq!(server.recordings().len(), 2);
    assert_secret_is_kept(&server);
    server.stop();
}
