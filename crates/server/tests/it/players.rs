//! Programs that play: each gets what was sent, from a key frame on, also when it was there before
//! the stream.

#![cfg(unix)]

pub(crate) mod dump;
mod growing;

use std::path::Path;
use std::process::Command;

use media::Packet;
use testkit::Server;
use testkit::tools::{Output, Running};

use crate::files::judge::{self, PATIENCE};
use crate::files::sender::{self, Sender};
use crate::files::vlc::{self, Vlc};

/// Publishes the clip to a player that was there first, and waits for both to end by themselves.
fn play_to_one_who_waits(server: &Server, player: &mut Command, speed: u64) -> Output {
    let player = Running::start(player);
    server.wait_for_log("play started", &[("stream_key", "live/test")]);
    Sender::start(&server.url("live/test"), sender::clip(), speed).finish();
    player.wait(PATIENCE)
}

fn server() -> Server {
    Server::start(Path::new(crate::support::BINARY))
}

/// Checks a dump of the clip by a player that waited for it: nothing is missing at its end, and at
/// its beginning at most what came before the player's first key frame.
fn assert_dumped_to_the_end(dump: &Path) {
    let clip = sender::clip();
    let frames = clip.iter().filter(|packet| Packet::is_media(packet)).count();
    let dumped = dump::find(dump, &clip);
    assert_eq!(dumped.end, frames, "{dumped:?}");
}

#[test]
fn rtmpdump_waits_for_the_stream_and_ends_with_it() {
    let Some([rtmpdump]) = judge::programs(["rtmpdump"]) else { return };
    let mut server = server();
    let dump = server.dir().join("dump.flv");
    let mut command = Command::new(rtmpdump);
    command.arg("--live").arg("-r").arg(server.url("live/test")).arg("-o").arg(&dump);
    assert_ended(&play_to_one_who_waits(&server, &mut command, 4));
    assert_dumped_to_the_end(&dump);
    server.stop();
}

/// Checks that rtmpdump has ended by itself: content, or missing something of the duration that
/// the clip's metadata has, unlike a live encoder's.
fn assert_ended(rtmpdump: &Output) {
    let code = rtmpdump.status.and_then(|status| status.code());
    assert!(matches!(code, Some(0 | 2)), "{rtmpdump:?}");
}

#[test]
fn rtmpdump_that_comes_late_starts_with_headers_and_a_key_frame() {
    let Some([rtmpdump]) = judge::programs(["rtmpdump"]) else { return };
    let mut server = server();
    let dump = server.dir().join("dump.flv");
    let sender = Sender::start(&server.url("live/test"), sender::endless(), 2);
    // In the middle of a group of pictures.
    sender.wait_until_sent(3_000);
    let mut command = Command::new(rtmpdump);
    command.arg("--live").arg("-r").arg(server.url("live/test")).arg("-o").arg(&dump);
    let player = Running::start(&mut command);
    server.wait_for_log("play started", &[("stream_key", "live/test")]);
    sender.wait_until_sent(sender.newest_ms() + 4_000);
    let sent = sender.stop();
    assert_ended(&player.wait(PATIENCE));
    let dumped = dump::find(&dump, &sent);
    assert!(dumped.start > 0 && dumped.len() > 100, "{dumped:?}");
    assert_eq!(dumped.end, sent.iter().filter(|packet| packet.is_media()).count());
    server.stop();
}

#[test]
fn ffmpeg_waits_for_the_stream_and_ends_with_it() {
    let Some([ffmpeg]) = judge::programs(["ffmpeg"]) else { return };
    let mut server = server();
    let dump = server.dir().join("dump.flv");
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-v", "warning", "-i"]).arg(server.url("live/test"));
    let output = play_to_one_who_waits(&server, command.args(["-c", "copy"]).arg(&dump), 4);
    let output = output.success();
    assert!(output.stderr.is_empty(), "{}", output.stderr);
    assert_dumped_to_the_end(&dump);
    server.stop();
}

#[test]
fn mpv_dumps_what_was_sent() {
    let Some([mpv]) = judge::programs(["mpv"]) else { return };
    let mut server = server();
    let dump = server.dir().join("dump.flv");
    let mut command = Command::new(mpv);
    command.args(["--no-config", "--no-terminal"]);
    command.arg(format!("--stream-dump={}", dump.display())).arg(server.url("live/test"));
    let _ = play_to_one_who_waits(&server, &mut command, 4).success();
    assert_dumped_to_the_end(&dump);
    server.stop();
}

#[test]
fn mpv_plays_a_stream_to_its_end() {
    let Some([mpv]) = judge::programs(["mpv"]) else { return };
    let mut server = server();
    let log = server.dir().join("mpv.log");
    let mut command = Command::new(mpv);
    command.args(["--no-config", "--no-terminal", "--vo=null", "--ao=null"]);
    command.arg(format!("--log-file={}", log.display())).arg(server.url("live/test"));
    let _ = play_to_one_who_waits(&server, &mut command, 1).success();
    let log = std::fs::read_to_string(log).unwrap();
    for told in [
        "Video --vid=1 (h264 640x360 25.000fps)",
        "Audio --aid=1 (aac 2ch 48000Hz)",
        "VO: [null] 640x360 yuv420p",
        "AO: [null] 48000Hz stereo 2ch",
        "first video frame after restart shown",
        "audio EOF reached",
        "Exiting... (End of file)",
    ] {
        assert!(log.contains(told), "no {told:?}:\n{log}");
    }
    let troubles = ["[e]", "[f]"].map(|level| log.matches(&format!("]{level}[")).count());
    assert_eq!(troubles, [0, 0], "{log}");
    server.stop();
}

#[test]
fn vlc_receives_every_picture() {
    let Some([ffmpeg]) = judge::programs(["ffmpeg"]) else { return };
    let Some(vlc) = Vlc::new() else { return };
    let mut server = server();
    let (file, remux) = vlc.remux("all.ts");
    let mut command = vlc.command([remux], server.url("live/test"));
    let _ = play_to_one_who_waits(&server, &mut command, 1).success();
    let all = judge::pictures(&ffmpeg, &sender::demo());
    let got = judge::pictures(&ffmpeg, &file);
    // At its end VLC's multiplexer drops what it holds, 200 ms, which may tear a B-frame from the
    // pictures that come before it.
    let sure = got.get(..got.len().saturating_sub(3)).unwrap_or_default();
    let begin = all.windows(sure.len().max(1)).position(|part| part == sure);
    let begin = begin.unwrap_or_else(|| panic!("{} other pictures", got.len()));
    // Every 50th is a key frame.
    let end = begin + sure.len();
    assert!(begin.is_multiple_of(50) && end >= all.len() - 15, "pictures {begin}..{end}");
    server.stop();
}

#[test]
fn vlc_plays_a_stream_to_its_end() {
    let Some(vlc) = Vlc::new() else { return };
    let mut server = server();
    let mut command = vlc.command(vlc::DUMMIES, server.url("live/test"));
    let log = play_to_one_who_waits(&server, &mut command, 1).success().stderr;
    for told in [
        "adding es: video codec = h264",
        "adding es: audio codec = mp4a",
        "VoutDisplayEvent 'resize' 640x360",
    ] {
        assert!(log.contains(told), "no {told:?}:\n{log}");
    }
    vlc::assert_played(&log);
    server.stop();
}
