//! What FFmpeg does with more than one publisher, player, clock or spelling of a URL.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use testkit::flv::{self, Flv};
use testkit::server::{DEADLINE, Server};
use testkit::{Publisher, block_on};

use super::packets::{Listing, assert_part, assert_tail};
use super::tool::{Ffmpeg, LIVE, LONGEST, USUAL, ended};
use crate::support;

/// The usual source, and the same as FFmpeg 9 publishes it.
fn usual(nine: &Ffmpeg, seconds: u32, dir: &Path) -> (PathBuf, PathBuf) {
    let (file, sent) = (USUAL.encode(nine, seconds, dir), dir.join(format!("sent{seconds}.flv")));
    nine.pack(&file, &[], &sent);
    (file, sent)
}

/// Waits until a condition holds.
pub(super) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "after {DEADLINE:?}: not {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn listing(file: &Path) -> Listing {
    Listing::parse(&std::fs::read_to_string(file).unwrap())
}

/// The file that a line of the log names.
fn file_of(server: &Server, line: &testkit::server::LogLine) -> PathBuf {
    server.dir().join(line.field("file").expect("a file"))
}

#[test]
fn a_late_joiner_starts_at_a_key_frame_and_both_can_be_interrupted() {
    let (Some(five), Some(nine)) = (Ffmpeg::five(), Ffmpeg::nine()) else { return };
    let dir = tempfile::tempdir().unwrap();
    // Longer than anyone needs: the publisher is interrupted.
    let (file, sent) = usual(&nine, 30, dir.path());
    let mut server = support::recording().start();
    let url = server.url("live/late");
    let publishing = nine.publish_live(&file, &url);
    let recorder = server.wait_for_log("recorder initialized", &[("stream_key", "live/late")]);
    let recording = file_of(&server, &recorder);
    let length = |ms: u32| {
        let flv = Flv::read(&recording).unwrap_or_default();
        flv.tags.last().is_some_and(|tag| tag.header.timestamp_ms > ms)
    };
    wait_until("more than one group of pictures recorded", || length(1_500));
    let played = [dir.path().join("by5"), dir.path().join("by9")];
    let playing = [five.play(&url, &played[0]), nine.play(&url, &played[1])];
    let lines = |file: &PathBuf| std::fs::read_to_string(file).unwrap_or_default().lines().count();
    wait_until("both players get packets", || played.iter().all(|file| lines(file) > 100));
    publishing.interrupt(LONGEST);
    server.wait_for_log("recorder closed", &[("stream_key", "live/late")]);
    playing.into_iter().for_each(|player| drop(ended(player)));

    // An interrupted FFmpeg ends its stream as it always does, so not all is as in the source.
    let listed = nine.packets(&sent);
    assert_eq!(assert_part(&sent, &listed, &nine.packets(&recording), false), 0);
    for (player, played) in [&five, &nine].into_iter().zip(&played) {
        let missed = assert_part(&sent, &player.packets(&sent), &listing(played), false);
        assert!(missed > 0, "the player did not join late");
    }
    server.stop();
}

#[test]
fn a_stream_that_is_published_again_gets_a_second_file() {
    let (Some(five), Some(nine)) = (Ffmpeg::five(), Ffmpeg::nine()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let sources = [1, 2].map(|seconds| USUAL.encode(&nine, seconds, dir.path()));
    let sent = dir.path().join("sent.flv");
    let mut server = support::recording().start();
    let url = server.url("live/again");
    let key = [("stream_key", "live/again")];
    for (count, (publisher, file)) in [&five, &nine].into_iter().zip(&sources).enumerate() {
        publisher.pack(file, &[], &sent);
        ended(publisher.publish(file, &url));
        let closed = server.wait_for_logs("recorder closed", &key, count + 1);
        flv::assert_recorded(&file_of(&server, &closed[count]), &flv::clip(&sent));
    }
    assert_eq!(server.recordings().len(), 2);
    server.stop();
}

#[test]
fn a_second_publisher_of_a_key_is_refused_and_the_first_is_recorded_whole() {
    let (Some(five), Some(nine)) = (Ffmpeg::five(), Ffmpeg::nine()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (_, sent) = usual(&nine, 4, dir.path());
    let other = usual(&nine, 1, dir.path()).0;
    let mut server = support::recording().args(["-publish-timeout", "10m"]).start();
    server.allow("publish refused");
    let url = server.url("live/busy");
    let clip = flv::clip(&sent);
    let (most, rest) = clip.split_at(clip.len() / 2);
    // Sends what FFmpeg would, and is there for as long as the others need.
    block_on(async {
        let mut first = Publisher::connect(&url).await.unwrap();
        first.send_all(most).await.unwrap();
        for second in [&five, &nine] {
            let output = second.publish(&other, &url).wait(LONGEST);
            assert!(output.status.is_some_and(|status| !status.success()), "{output:?}");
            assert!(output.stderr.contains("Server error"), "{}", output.stderr);
        }
        server.wait_for_log("publish refused", &[("stream_key", "live/busy")]);
        first.send_all(rest).await.unwrap();
        first.close().await.unwrap();
    });
    server.wait_for_log("recorder closed", &[("stream_key", "live/busy"), ("dropped", "0")]);
    let recordings = server.recordings();
    assert_eq!(recordings.len(), 1);
    flv::assert_recorded(&recordings[0], &clip);
    server.stop();
}

/// Times above 16,777,215 ms are carried in the extended field, headers come with the time 0.
#[test]
fn a_clock_that_has_run_for_hours_is_rebased_in_the_file_and_kept_for_players() {
    let (Some(five), Some(nine)) = (Ffmpeg::five(), Ffmpeg::nine()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = USUAL.encode(&nine, 3, dir.path());
    for (publisher, name, offset_s) in [(&five, "five", "16776"), (&nine, "nine", "100000")] {
        let offset = ["-output_ts_offset", offset_s];
        let sent = dir.path().join(name).with_extension("flv");
        publisher.pack(&file, &offset, &sent);
        let mut server = support::recording().start();
        let url = server.url("live/clock");
        let played = [dir.path().join("by5"), dir.path().join("by9")];
        let playing = [five.play(&url, &played[0]), nine.play(&url, &played[1])];
        server.wait_for_logs("play started", &[], 2);
        ended(publisher.publish_with(&file, &LIVE, &offset, &url));
        server.wait_for_log("recorder closed", &[("dropped", "0")]);
        playing.into_iter().for_each(|player| drop(ended(player)));
        let recording = server.recordings().remove(0);
        flv::assert_recorded(&recording, &flv::clip(&sent));
        let (span_us, _) = nine.packets(&recording).span_us();
        assert!(span_us < 4_000_000, "{span_us} µs");
        for (player, played) in [&five, &nine].into_iter().zip(&played) {
            let played = listing(played);
            assert_tail(&sent, &player.packets(&sent), &played);
            // B-frames are decoded before the time that the offset gives the first picture.
            let first_us = played.tracks[0].packets[0].dts_us;
            let since_us = first_us - offset_s.parse::<i64>().unwrap() * 1_000_000;
            assert!((-1_000_000..4_000_000).contains(&since_us), "{first_us} µs");
        }
        server.stop();
    }
}

/// What must be kept.
pub(crate) const SECRET: &str = "hunter2-token-of-the-test";

/// No log line of any level, no name and no content of a file has the secret.
pub(crate) fn assert_secret_is_kept(server: &Server) {
    for line in server.logs() {
        assert!(!line.to_string().contains(SECRET), "{line}");
    }
    for file in server.recordings() {
        assert!(!file.to_string_lossy().contains(SECRET), "{}", file.display());
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "in {}", file.display());
    }
}

#[test]
fn a_token_is_part_of_no_name_no_log_and_no_file() {
    let (Some(five), Some(nine)) = (Ffmpeg::five(), Ffmpeg::nine()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = usual(&nine, 1, dir.path());
    let mut server = support::recording().args(["-log-level", "debug"]).start();
    let query = format!("?token={SECRET}&x=/y");
    let in_app = format!("live{query}");
    let key = ("stream_key", "live/inst/key");
    for (number, publisher) in (0..).zip([&five, &nine]) {
        let played = dir.path().join(format!("played{number}"));
        let playing =
            publisher.play(&server.url(&format!("live/inst/key{query}{number}")), &played);
        server.wait_for_logs("play started", &[key], number + 1);
        let url = server.url(&format!("live/inst/key{query}"));
        ended(publisher.publish_live(&file, &url));
        server.wait_for_logs("recorder closed", &[key], number + 1);
        ended(playing);
        assert!(!listing(&played).tracks[0].packets.is_empty());
    }
    let as_app = ["-rtmp_app", &in_app, "-rtmp_playpath", "app"];
    ended(nine.publish_with(&file, &[], &as_app, &server.url("other")));
    server.wait_for_log("recorder closed", &[("stream_key", "live/app")]);

    let names: Vec<_> = server
        .recordings()
        .iter()
        .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("live_inst_key_2")).count(), 2);
    assert_eq!(names.iter().filter(|name| name.starts_with("live_app_2")).count(), 1);
    assert_secret_is_kept(&server);
    server.stop();
}

#[test]
fn over_ipv6() {
    let (Some(five), Some(nine)) = (Ffmpeg::five(), Ffmpeg::nine()) else { return };
    if let Err(error) = TcpListener::bind("[::1]:0") {
        return println!("passed over: no IPv6 here: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, sent) = usual(&nine, 2, dir.path());
    let mut server = support::recording().listen("[::1]:0").start();
    let (url, played) = (server.url("live/test"), dir.path().join("played"));
    assert!(url.starts_with("rtmp://[::1]:"), "{url}");
    let playing = five.play(&url, &played);
    server.wait_for_log("play started", &[]);
    ended(nine.publish_live(&file, &url));
    server.wait_for_log("recorder closed", &[]);
    ended(playing);
    flv::assert_recorded(&server.recordings()[0], &flv::clip(&sent));
    assert_tail(&sent, &five.packets(&sent), &listing(&played));
    server.stop();
}
