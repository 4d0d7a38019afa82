//! The page and the players of other pages in Chromium. What people do is in the scripts of `tests/browser`;
//! each step that took place is on the standard output, and pictures of the screen are below the target
//! directory, in `tmp/page`.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use media::Kind;
use testkit::server::Server;
use testkit::tools::{self, Output, Running};
use testkit::{Publisher, block_on};

use super::builder;
use crate::ffmpeg::tool::{self, AV1, Ffmpeg, OPUS, Source};
use crate::files::{file_of, sender, wait_until};
use crate::record::recorded;

/// Longest that a script may run. 20 s are usual.
const LONGEST: Duration = Duration::from_secs(300);

/// What publishes, and a command that runs a script against a server; `None` in a fast run.
fn script(server: &Server, name: &str) -> Option<(Ffmpeg, Command)> {
    let ffmpeg = Ffmpeg::five()?;
    let (node, chromium) = (tools::program("node")?, tools::program("chromium")?);
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&shots).unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let mut command = Command::new(node);
    command.arg(scripts.join(name)).current_dir(server.dir());
    command.env("PLAYWRIGHT", tools::playwright()?).env("CHROMIUM", chromium);
    command.env("SITE", format!("http://{}", server.http_addr())).env("SHOTS", shots);
    Some((ffmpeg, command))
}

/// Publishes live/test in real time until it is interrupted; returns when it is to be seen.
fn publish(server: &Server, ffmpeg: &Ffmpeg, times: usize) -> Running {
    let publisher = again_and_again(server, ffmpeg, &sender::demo());
    server.wait_for_logs("stream codecs", &[("stream_key", "live/test")], times);
    publisher
}

/// The same of any file; it may not be seen yet.
fn again_and_again(server: &Server, ffmpeg: &Ffmpeg, file: &Path) -> Running {
    let endless = ["-re", "-stream_loop", "-1"];
    ffmpeg.publish_with(file, &endless, &[], &server.url("live/test"))
}

fn assert_done(output: &Output) {
    print!("{}", output.text());
    assert!(output.is_success(), "{}", output.stderr);
}

/// Runs a script while live/test is published.
fn run(server: &Server, ffmpeg: &Ffmpeg, command: &mut Command) {
    let publisher = publish(server, ffmpeg, 1);
    assert_done(&tools::run(command, LONGEST));
    let _ = publisher.interrupt(tool::LONGEST);
}

#[test]
fn people_watch_record_and_cut_with_the_page() {
    let mut server = builder().start();
    let Some((ffmpeg, mut command)) = script(&server, "page.mjs") else { return };
    run(&server, &ffmpeg, &mut command);
    server.stop();
}

#[test]
fn the_page_asks_for_the_token_that_the_server_has() {
    const TOKEN: &str = "a-token-that-nobody-guesses";
    let mut server = builder().args(["-api-token", TOKEN, "-record-all", "true"]).start();
    let Some((ffmpeg, mut command)) = script(&server, "token.mjs") else { return };
    run(&server, &ffmpeg, command.env("TOKEN", TOKEN));
    server.stop();
}

#[test]
fn the_player_of_the_page_goes_back_over_the_recording_and_returns_to_live() {
    const TOKEN: &str = "a-token-that-nobody-guesses";
    let mut server = builder().args(["-api-token", TOKEN, "-record-all", "true"]).start();
    let Some((ffmpeg, mut command)) = script(&server, "past.mjs") else { return };
    // The clip once, in real time.
    let first = ffmpeg.publish_with(&sender::demo(), &["-re"], &[], &server.url("live/test"));
    assert_done(&first.wait(tool::LONGEST));
    let publisher = publish(&server, &ffmpeg, 2);
    assert_done(&tools::run(command.env("TOKEN", TOKEN), LONGEST));
    let _ = publisher.interrupt(tool::LONGEST);
    server.stop();
}

#[test]
fn the_player_of_the_page_goes_on_when_the_stream_comes_back() {
    // The script has a browser to start; the stream comes back in time for its recording.
    let builder = builder().deadline(LONGEST).args(["-record-rejoin", "10m"]);
    let mut server = builder.start();
    let Some((ffmpeg, mut command)) = script(&server, "again.mjs") else { return };
    let publisher = publish(&server, &ffmpeg, 1);
    let script = Running::start(&mut command);
    server.wait_for_log("recording started", &[("stream_key", "live/test")]);
    let _ = publisher.interrupt(tool::LONGEST);
    let publisher = publish(&server, &ffmpeg, 2);
    assert_done(&script.wait(LONGEST));
    let _ = publisher.interrupt(tool::LONGEST);
    server.stop();
}

/// The encoder comes back twice with another picture.
fn play_over_changes(token: Option<&str>) {
    let options = ["-record-all", "true", "-record-rejoin", "10m", "-record-flush", "20ms"];
    let mut server =
        builder().args(options).args(token.iter().flat_map(|t| ["-api-token", t])).start();
    let Some((ffmpeg, mut command)) = script(&server, "changes.mjs") else { return };
    let other = tool::USUAL.packets(&ffmpeg, 6);
    for (runs, packets) in [&sender::clip(), &other, &sender::clip()].into_iter().enumerate() {
        block_on(crate::record::publish(&server, "live/test", packets));
        server.wait_for_logs("recorder closed", &[("stream_key", "live/test")], runs + 1);
    }
    assert_done(&tools::run(command.envs(token.map(|token| ("TOKEN", token))), LONGEST));
    server.stop();
}

#[test]
fn a_recording_whose_configuration_changes_is_played_and_sought_in() {
    play_over_changes(None);
}

#[test]
fn a_recording_whose_configuration_changes_is_played_with_a_token() {
    play_over_changes(Some("a-token-that-nobody-guesses"));
}

#[test]
fn players_of_other_pages_play_every_view() {
    let mut server = builder().start();
    let Some((ffmpeg, mut command)) = script(&server, "players.mjs") else { return };
    run(&server, &ffmpeg, &mut command);
    server.stop();
}

#[test]
fn players_of_other_pages_play_av1_and_opus() {
    let mut server = builder().start();
    let Some((_, mut command)) = script(&server, "players.mjs") else { return };
    let Some(nine) = Ffmpeg::nine() else { return };
    let source = Source { container: "mkv", video: Some(AV1), audio: Some(OPUS) };
    let file = source.encode(&nine, 10, server.dir());
    let publisher = again_and_again(&server, &nine, &file);
    let players = "Media Source alone,hls.js,shaka,HLS of the browser";
    assert_done(&tools::run(command.env("PLAYERS", players), LONGEST));
    let _ = publisher.interrupt(tool::LONGEST);
    server.stop();
}

#[test]
fn a_player_of_another_page_shows_the_pictures_of_a_recording_where_one_seeks_to() {
    let args = ["-record-all", "true", "-record-rejoin", "0", "-thumbnail-interval", "1s"];
    let mut server = builder().args(args).start();
    let Some((_, mut command)) = script(&server, "sprite.mjs") else { return };
    block_on(crate::record::publish(&server, "live/test", &sender::clip()));
    server.wait_for_log("recording complete", &[]);
    assert_done(&tools::run(&mut command, LONGEST));
    server.stop();
}

/// Two pictures and two tones, of 400 and of 1600 Hz.
fn two_of_each(nine: &Ffmpeg, dir: &Path) -> PathBuf {
    let file = dir.join("tracks.mkv");
    let mut command = nine.command::<&str>([]);
    for input in [
        "testsrc2=s=640x360:r=25",
        "testsrc2=s=320x180:r=25",
        "sine=400:r=48000",
        "sine=1600:r=48000",
    ] {
        command.args(["-f", "lavfi", "-i"]).arg(format!("{input}:d=20"));
    }
    command.args(["-map", "0", "-map", "1", "-map", "2", "-map", "3", "-pix_fmt", "yuv420p"]);
    command.args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "50"]);
    command.args(["-keyint_min", "50", "-sc_threshold", "0", "-b:v:0", "800k", "-b:v:1", "200k"]);
    let _ = tools::run(command.args(["-c:a", "aac"]).arg(&file), tool::LONGEST).success();
    file
}

#[test]
fn players_of_other_pages_choose_pictures_and_sound() {
    let mut server = builder().start();
    let Some((_, mut command)) = script(&server, "renditions.mjs") else { return };
    let Some(nine) = Ffmpeg::nine() else { return };
    let (file, url) = (two_of_each(&nine, server.dir()), server.url("live/tracks"));
    let endless = ["-re", "-stream_loop", "-1"];
    let publisher = nine.publish_with(&file, &endless, &["-map", "0"], &url);
    server.wait_for_log("stream codecs", &[("stream_key", "live/tracks")]);
    assert_done(&tools::run(&mut command, LONGEST));
    let _ = publisher.interrupt(tool::LONGEST);
    server.stop();
}

#[test]
fn a_file_recorded_as_mp4_is_played_and_sought_in_while_it_grows_and_when_it_is_finished() {
    let mut server = builder().args(["-record-all", "true", "-record-format", "mp4"]).start();
    let Some((_, mut command)) = script(&server, "file.mjs") else { return };
    let clip = sender::clip();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&clip).await.unwrap();
        let file = file_of(&server);
        let media = clip.iter().filter(|packet| packet.kind != Kind::Data).count();
        wait_until("all that was sent is in the file", || recorded(&file) == media);
        assert_done(&tools::run(&mut command, LONGEST));
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn hls_js_goes_back_over_the_recording_and_over_what_it_lacks_and_returns_to_live() {
    let mut server = builder().args(["-record-all", "true"]).start();
    let Some((ffmpeg, mut command)) = script(&server, "rewind.mjs") else { return };
    run(&server, &ffmpeg, &mut command);
    server.stop();
}
