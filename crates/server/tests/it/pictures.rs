//! Pictures of streams and recordings: what they show, and what becomes of a decoder that does not work.

pub(crate) mod decoders;

use std::path::{Path, PathBuf};
use std::process::Command;

use media::{Kind, Packet, Role};
use serde_json::Value;
use testkit::flv::Flv;
use testkit::server::{Builder, Server};
use testkit::{Http, Publisher, block_on, tools};

use crate::ffmpeg::tool::{Ffmpeg, LONGEST};
use crate::record::wait_until;
use crate::support::{BINARY, recording};

/// Colours as FFmpeg names them, and what they are.
const RED: (&str, [u8; 3]) = ("0xd02020", [0xd0, 0x20, 0x20]);
const BLUE: (&str, [u8; 3]) = ("0x2030c0", [0x20, 0x30, 0xc0]);

/// H.264 as most encoders send it.
const H264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];

/// A clip that is red for so many seconds, then blue for as many, with a key frame each second.
fn clip(ffmpeg: &Ffmpeg, size: &str, seconds: u32, codec: &[&str]) -> Vec<Packet> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clip.flv");
    encode(ffmpeg, size, seconds, codec, &file);
    Flv::read(&file).unwrap().packets()
}

fn encode(ffmpeg: &Ffmpeg, size: &str, seconds: u32, codec: &[&str], file: &Path) {
    let mut command = ffmpeg.command::<&str>([]);
    for (colour, _) in [RED, BLUE] {
        let source = format!("color=c={colour}:s={size}:r=10:d={seconds}");
        command.args(["-f", "lavfi", "-i", &source]);
    }
    command.args(["-filter_complex", "[0:v][1:v]concat"]).args(codec);
    command.args(["-g", "10", "-keyint_min", "10"]).arg(file);
    let _ = tools::run(&mut command, LONGEST).success();
}

/// A picture that came out of the server, decoded by FFmpeg.
struct Shown {
    width: usize,
    rgb: Vec<u8>,
}

impl Shown {
    /// Checks that it is a JPEG of that size.
    fn decode(ffmpeg: &Ffmpeg, jpeg: &[u8], (width, height): (usize, usize)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("picture.jpg");
        std::fs::write(&file, jpeg).unwrap();
        let mut command = ffmpeg.command(["-f", "jpeg_pipe", "-i"]);
        command.arg(&file).args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
        let output = tools::run(&mut command, LONGEST).success();
        assert_eq!(output.stdout.len(), width * height * 3, "{width} x {height}");
        Self { width, rgb: output.stdout }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let place = (y * self.width + x) * 3;
        self.rgb[place..place + 3].try_into().unwrap()
    }

    /// Checks a pixel, within what JPEG and the codec lose.
    #[track_caller]
    fn assert_is(&self, (x, y): (usize, usize), (_, wanted): (&str, [u8; 3])) {
        let found = self.at(x, y);
        let is_near = found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 10);
        assert!(is_near, "{found:?} at {x}, {y}, not {wanted:?}");
    }
}

fn server(args: &[&str]) -> Builder {
    decoding(Server::builder(BINARY)).args(args)
}

/// With HTTP, for a server whose decoders are to have time: they come last, behind whatever else the tests do.
pub(crate) fn decoding(builder: Builder) -> Builder {
    #[cfg(target_os = "linux")]
    let builder = builder.session();
    builder.http()
}

/// A picture that there is.
#[track_caller]
fn picture(http: &Http, path: &str) -> Vec<u8> {
    let answer = http.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type").as_deref(), Some("image/jpeg"));
    answer.body
}

fn status(http: &Http) -> Value {
    http.get("/api/v1/server").ok()["pictures"].clone()
}

const LIVE: &str = "/api/v1/streams/live%2Ftest/picture.jpg";

/// Waits until so many key frames of the stream have come: it is known before the first.
fn wait_for_key_frames(http: &Http, count: u64) {
    let have = || http.get("/api/v1/streams/live%2Ftest").json()["video"]["key_frames"].as_u64();
    wait_until("the key frames are there", || have() >= Some(count));
}

/// Where the second half of a clip begins.
fn half(clip: &[Packet]) -> usize {
    let keys = clip.iter().filter(|packet| packet.role == Role::Key).count();
    let mut keys_at = (0..clip.len()).filter(|at| clip[*at].role == Role::Key);
    keys_at.nth(keys / 2).unwrap()
}

/// The picture of a stream, as this server makes it.
fn assert_live(server: &mut Server, ffmpeg: &Ffmpeg, clip: &[Packet]) {
    let http = server.api();
    let (first, second) = clip.split_at(half(clip));
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(first).await.unwrap();
        wait_for_key_frames(&http, 3);
        let red = Shown::decode(ffmpeg, &picture(&http, LIVE), (320, 180));
        red.assert_is((160, 90), RED);
        red.assert_is((2, 2), RED);
        publisher.send_all(second).await.unwrap();
        // As old as it may be, it is made anew.
        wait_until("the picture is blue", || {
            let shown = Shown::decode(ffmpeg, &picture(&http, LIVE), (320, 180));
            shown.at(160, 90)[2] > 150
        });
        publisher.close().await.unwrap();
    });
    let gone = http.get(LIVE).problem();
    assert_eq!(gone, (404, "unknown-stream".to_owned()));
    let status = status(&http);
    assert!(status["made"].as_u64() >= Some(2), "{status}");
    assert_eq!((&status["failed"], &status["failure"]), (&0.into(), &Value::Null));
    server.stop();
}

#[test]
fn the_picture_of_a_stream_is_its_newest_key_frame() {
    let Some(ffmpeg) = Ffmpeg::five() else { return };
    let mut server = server(&["-picture-interval", "1ms", "-picture-width", "320"]).start();
    assert_live(&mut server, &ffmpeg, &clip(&ffmpeg, "640x360", 3, H264));
    server.wait_for_log("pictures are made with FFmpeg", &[]);
}

#[test]
fn without_ffmpeg_there_are_pictures_of_h264() {
    let Some(ffmpeg) = Ffmpeg::five() else { return };
    let none = "no FFmpeg found: pictures of H.264 alone";
    let off = "FFmpeg is switched off: pictures of H.264 alone";
    for (arg, path, told) in [("auto", "", none), ("off", "/usr/bin", off)] {
        let args = ["-picture-interval", "1ms", "-picture-width", "320", "-ffmpeg", arg];
        let mut server = server(&args).env("PATH", path).start();
        assert_eq!(status(&server.api())["decoder"], "native");
        assert_live(&mut server, &ffmpeg, &clip(&ffmpeg, "640x360", 3, H264));
        server.wait_for_log(told, &[]);
    }
}

#[test]
fn a_picture_is_made_once_however_many_ask_for_it() {
    let Some(ffmpeg) = Ffmpeg::five() else { return };
    let mut server = server(&["-picture-interval", "24h"]).start();
    let http = server.api();
    let clip = clip(&ffmpeg, "180x320", 2, H264);
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&clip).await.unwrap();
        wait_until("the stream is there", || http.get(LIVE).status != 404);
        std::thread::scope(|scope| {
            for _ in 0..10 {
                // Never larger than the video is, upright as it is.
                scope.spawn(|| Shown::decode(&ffmpeg, &picture(&http, LIVE), (100, 180)));
            }
        });
        assert_eq!(status(&http)["made"], 1);
        let answer = http.get(LIVE);
        let (tag, control) = (answer.header("etag").unwrap(), answer.header("cache-control"));
        assert_eq!(control.as_deref(), Some("private, max-age=86400"));
        let again = http.clone().header("If-None-Match", &tag).get(LIVE);
        assert_eq!((again.status, again.body.len()), (304, 0));
        let other = http.clone().header("If-None-Match", "\"other\"").get(LIVE);
        assert_eq!(other.status, 200);
        publisher.close().await.unwrap();
    });
    server.stop();
}

/// A server that has recorded a clip, and the recording's address.
fn recorded(args: &[&str], clip: &[Packet]) -> (Server, String) {
    let server = decoding(recording()).args(["-record-rejoin", "0"]).args(args).start();
    block_on(crate::record::publish(&server, "live/test", clip));
    server.wait_for_log("recording complete", &[]);
    let http = server.api();
    let complete = || http.get("/api/v1/recordings?state=complete").ok()["recordings"].clone();
    wait_until("the recording is in the catalog", || complete()[0]["id"].is_string());
    let id = complete()[0]["id"].as_str().unwrap().to_owned();
    (server, format!("/api/v1/recordings/{id}"))
}

/// Checks everything that there is of a recording of 12 s.
fn assert_recording(server: &Server, at: &str, ffmpeg: &Ffmpeg) {
    let http = server.api();
    let poster = Shown::decode(ffmpeg, &picture(&http, &format!("{at}/poster.jpg")), (320, 180));
    poster.assert_is((160, 90), RED);
    let small = |at_ms: u64| {
        let jpeg = picture(&http, &format!("{at}/thumbnail.jpg?at_ms={at_ms}"));
        Shown::decode(ffmpeg, &jpeg, (160, 90))
    };
    small(0).assert_is((80, 45), RED);
    // The last key frame at or before 5 s, 6 s and 11 s, of every third of which there is one.
    small(5_999).assert_is((80, 45), RED);
    small(6_000).assert_is((80, 45), BLUE);
    small(11_500).assert_is((80, 45), BLUE);
    let beyond = http.get(&format!("{at}/thumbnail.jpg?at_ms=99999"));
    assert_eq!(beyond.problem(), (404, "nothing-recorded".to_owned()));
    // Tiles of 3 s, in the order of the list.
    let list = http.get(&format!("{at}/sprite.vtt"));
    assert_eq!(list.header("content-type").as_deref(), Some("text/vtt; charset=utf-8"));
    let list = list.text();
    let cues: Vec<&str> = list.lines().filter(|line| line.contains("#xywh=")).collect();
    let places = ["0,0,160,90", "160,0,160,90", "320,0,160,90", "480,0,160,90"];
    assert!(list.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nsprite.jpg?"), "{list}");
    assert_eq!(cues.len(), 4, "{list}");
    for (cue, place) in cues.iter().zip(places) {
        assert!(cue.ends_with(&format!("#xywh={place}")), "{cue}");
    }
    let sheet = cues[0].split('#').next().unwrap();
    let sheet = Shown::decode(ffmpeg, &picture(&http, &format!("{at}/{sheet}")), (640, 90));
    for (tile, colour) in [RED, RED, BLUE, BLUE].into_iter().enumerate() {
        sheet.assert_is((tile * 160 + 80, 45), colour);
    }
    let too_long = http.get(&format!("{at}/sprite.jpg?length_ms=99999"));
    assert_eq!(too_long.problem(), (400, "bad-value".to_owned()));
}

#[test]
fn a_recording_has_a_poster_small_pictures_and_a_sheet_of_them() {
    let Some(ffmpeg) = Ffmpeg::five() else { return };
    let args = ["-thumbnail-interval", "3s", "-picture-width", "320"];
    let clip = clip(&ffmpeg, "640x360", 6, H264);
    for decoder in ["auto", "off"] {
        let (mut server, at) = recorded(&[&args[..], &["-ffmpeg", decoder]].concat(), &clip);
        assert_recording(&server, &at, &ffmpeg);
        let http = server.api();
        let made = status(&http)["made"].clone();
        // Once made they are kept, …
        assert_recording(&server, &at, &ffmpeg);
        assert_eq!(status(&http)["made"], made);
        assert!(status(&http)["cache_bytes"].as_u64() > Some(5_000));
        // … and go with the recording.
        assert_eq!(http.send("DELETE", &at, None).status, 200);
        wait_until("its pictures are gone", || status(&http)["cache_bytes"] == 0);
        for name in ["poster.jpg", "thumbnail.jpg?at_ms=0", "sprite.jpg", "sprite.vtt"] {
            let gone = http.get(&format!("{at}/{name}"));
            assert_eq!(gone.problem(), (404, "file-missing".to_owned()), "{name}");
        }
        let restored = http.send("POST", &format!("{at}/restore"), None);
        assert_eq!(restored.status, 200, "{}", restored.text());
        assert_recording(&server, &at, &ffmpeg);
        server.stop();
    }
}

#[test]
fn small_pictures_are_as_wide_as_they_are_to_be() {
    let Some(ffmpeg) = Ffmpeg::five() else { return };
    let args = ["-ffmpeg", "off", "-thumbnail-width", "80", "-picture-width", "160"];
    let (mut server, at) = recorded(&args, &clip(&ffmpeg, "320x180", 1, H264));
    let http = server.api();
    // Heights are even numbers.
    for (name, size) in
        [("thumbnail.jpg?at_ms=0", (80, 44)), ("sprite.jpg", (80, 44)), ("poster.jpg", (160, 90))]
    {
        Shown::decode(&ffmpeg, &picture(&http, &format!("{at}/{name}")), size);
    }
    let list = http.get(&format!("{at}/sprite.vtt")).text();
    assert!(list.contains("#xywh=0,0,80,44"), "{list}");
    server.stop();
}

#[test]
fn a_recording_that_grows_has_pictures() {
    let Some(ffmpeg) = Ffmpeg::five() else { return };
    let args = ["-thumbnail-interval", "1s", "-record-flush", "20ms"];
    let mut server = decoding(recording()).args(args).start();
    let http = server.api();
    let clip = clip(&ffmpeg, "320x180", 3, H264);
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&clip).await.unwrap();
        let running = || http.get("/api/v1/recordings?state=recording").ok()["recordings"].clone();
        wait_until("it is long", || running()[0]["length_ms"].as_u64() >= Some(5_000));
        let at = format!("/api/v1/recordings/{}", running()[0]["id"].as_str().unwrap());
        let path = format!("{at}/thumbnail.jpg?at_ms=4500");
        wait_until("it is in the catalog", || http.get(&path).status == 200);
        Shown::decode(&ffmpeg, &picture(&http, &path), (160, 90)).assert_is((80, 45), BLUE);
        let list = http.get(&format!("{at}/sprite.vtt")).text();
        assert!(list.lines().filter(|line| line.contains("#xywh=")).count() >= 5, "{list}");
        let sheet = format!("{at}/sprite.jpg?length_ms=5000");
        let sheet = Shown::decode(&ffmpeg, &picture(&http, &sheet), (800, 90));
        sheet.assert_is((80, 45), RED);
        sheet.assert_is((720, 45), BLUE);
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn what_a_recorder_says_of_pictures_is_for_its_recordings() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.toml");
    let rule = "[[recorder]]\nname = 'private'\nstreams = ['live/*']\npictures = false\n";
    std::fs::write(&file, rule).unwrap();
    let mut server = server(&["-record-rejoin", "0", "-config", file.to_str().unwrap()]).start();
    let http = server.api();
    block_on(crate::record::publish(&server, "live/test", &sound_and_noise()));
    server.wait_for_log("recorder closed", &[]);
    let all = || http.get("/api/v1/recordings").ok()["recordings"].clone();
    wait_until("the recording is in the catalog", || all()[0]["state"] == "complete");
    let at = format!("/api/v1/recordings/{}", all()[0]["id"].as_str().unwrap());
    for name in ["poster.jpg", "thumbnail.jpg?at_ms=0", "sprite.jpg", "sprite.vtt"] {
        let off = http.get(&format!("{at}/{name}"));
        assert_eq!(off.problem(), (404, "pictures-off".to_owned()), "{name}");
    }
    server.stop();
}

/// Packets of the test source, whose pictures are noise that no decoder takes.
fn sound_and_noise() -> Vec<Packet> {
    crate::record::packets(1, crate::record::small(), 200)
}

#[test]
fn what_has_no_picture_says_so() {
    let mut server = server(&[]).start();
    let http = server.api();
    let is = |path: &str, status: u16, code: &str| {
        assert_eq!(http.get(path).problem(), (status, code.to_owned()), "{path}");
    };
    is(LIVE, 404, "unknown-stream");
    is("/api/v1/recordings/0123456789abcdef/poster.jpg", 404, "unknown-recording");
    is("/api/v1/recordings/first/poster.jpg", 400, "bad-value");
    is("/api/v1/recordings/0123456789abcdef/thumbnail.jpg", 400, "missing-field");
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        let sound: Vec<_> =
            sound_and_noise().into_iter().filter(|packet| packet.kind == Kind::Audio).collect();
        publisher.send_all(&sound).await.unwrap();
        wait_until("the stream is there", || http.get(LIVE).problem().1 == "no-picture");
        publisher.close().await.unwrap();
    });
    server.stop();
    let mut server = self::server(&["-pictures", "false"]).start();
    let http = server.api();
    assert_eq!(http.get(LIVE).problem(), (404, "pictures-off".to_owned()));
    assert_eq!(status(&http)["enabled"], false);
    server.stop();
}

/// A program that stands for FFmpeg and does this.
fn script(dir: &Path, does: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("decoder");
    std::fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Whether such a script runs.
fn is_running(script: &Path) -> bool {
    let list = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    list.lines().any(|line| line.starts_with(&format!("/bin/sh {}", script.display())))
}
