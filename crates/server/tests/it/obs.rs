//! OBS Studio publishes: what it sends is on disk and with everyone who watches, bit for bit.

#![cfg(unix)]

mod studio;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use media::flv::probe::{Codec, Track};
use media::{Kind, Packet, Role};
use testkit::flv::Flv;
use testkit::{Player, PlayerEvent, Server, block_on, tools};

use crate::files::judge;
use crate::support::recording;
use studio::Studio;

/// OBS starts slowly where there is no graphics card.
const START: Duration = Duration::from_secs(120);
/// Pictures of OBS that are recorded at least: more than two groups of pictures.
const PICTURES: usize = 150;

/// Someone who watches `live/test` from a thread until it ends.
struct Viewer {
    thread: JoinHandle<Vec<Packet>>,
    enough: mpsc::Receiver<()>,
}

impl Viewer {
    fn start(server: &Server) -> Self {
        let (tell, enough) = mpsc::channel();
        let url = server.url("live/test");
        Self { thread: thread::spawn(move || block_on(watch(&url, &tell))), enough }
    }

    /// Waits until it has so many pictures as a test wants.
    fn wait_for_pictures(&self) {
        let waited = self.enough.recv_timeout(START);
        assert!(waited.is_ok(), "no {PICTURES} pictures within {START:?}");
    }

    /// What it got, audio and video, when the stream is over.
    fn finish(self) -> Vec<Packet> {
        let packets = self.thread.join().unwrap_or_else(|_| panic!("a viewer failed"));
        packets.into_iter().filter(|packet| packet.kind != Kind::Data).collect()
    }
}

async fn watch(url: &str, enough: &mpsc::Sender<()>) -> Vec<Packet> {
    let connected = Player::connect(url).await;
    let mut player = connected.unwrap_or_else(|error| panic!("a viewer: {error}"));
    let (mut packets, mut pictures) = (Vec::new(), 0);
    loop {
        match player.next_within(START).await {
            Some(PlayerEvent::Packet(packet)) => {
                pictures += usize::from(packet.kind == Kind::Video && packet.is_media());
                packets.push(packet);
            }
            Some(PlayerEvent::Begin | PlayerEvent::Status { .. }) => {}
            Some(PlayerEvent::End | PlayerEvent::Closed) | None => return packets,
        }
        if pictures == PICTURES {
            // Nobody waits any more when the test has failed.
            let _ = enough.send(());
        }
    }
}

/// The names of a log line's fields, without those of every line.
fn fields(line: &str) -> Vec<String> {
    let line: serde_json::Map<_, _> = serde_json::from_str(line).unwrap();
    let names = line.into_iter().map(|(name, _)| name);
    names.filter(|n| !["timestamp", "level", "message"].contains(&n.as_str())).collect()
}

/// Checks what is told of the recording of `live/test`, and returns its file.
fn assert_told(server: &Server, reason: &str) -> PathBuf {
    let key = [("stream_key", "live/test")];
    let dir = server.record_dir().display().to_string();
    let started = server.wait_for_log("recording started", &[key[0], ("record_dir", &dir)]);
    assert_eq!(fields(&started.to_string()), ["record_dir", "stream_key"]);
    let initialized = server.wait_for_log("recorder initialized", &key);
    assert_eq!(fields(&initialized.to_string()), ["file", "stream_key"]);
    let closed = server.wait_for_log("recorder closed", &[key[0], ("reason", reason)]);
    let file = PathBuf::from(initialized.field("file").unwrap());
    assert_eq!(closed.field("file"), initialized.field("file"));
    assert_eq!(server.recordings(), std::slice::from_ref(&file));
    assert_eq!(file.parent(), Some(server.record_dir()));
    let name = file.file_name().unwrap().to_str().unwrap();
    let time = name.strip_prefix("live_test_").and_then(|name| name.strip_suffix(".flv"));
    let (date, time) = time.and_then(|time| time.split_once('_')).unwrap();
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    assert!(date.len() == 8 && time.len() == 6 && is_number(date) && is_number(time), "{name}");
    let size = file.metadata().unwrap().len().to_string();
    assert_eq!(closed.field("bytes"), Some(size));
    file
}

/// Checks that a file is what OBS was told to send: H.264 with B-frames, and AAC.
fn assert_of_obs(ffprobe: &Path, ffmpeg: &Path, file: &Path) {
    let report = judge::sound(file);
    let track = |kind: Kind| report.tracks.iter().find(|track| track.kind == kind).unwrap();
    let (video, audio) = (track(Kind::Video), track(Kind::Audio));
    assert!(matches!(video.codec, Codec::Video(_)) && matches!(audio.codec, Codec::Audio(_)));
    assert!(video.frames >= PICTURES as u64 && video.keys >= 3, "{video:?}");
    // Pictures that are shown later than they are decoded: others come between.
    assert!(video.composition_time_ms.is_some_and(|(least, most)| least < most), "{video:?}");
    let probed = judge::ffprobe(ffprobe, file);
    probed.assert_demo();
    assert_ne!(probed.stream("video", "has_b_frames"), "0");
    assert_eq!(probed.stream("audio", "channels"), "2");
    assert_eq!(judge::pictures(ffmpeg, file).len() as u64, video.frames);
}

#[test]
fn what_obs_streams_is_recorded_and_watched_bit_for_bit() {
    let Some([ffprobe, ffmpeg]) = judge::programs(["ffprobe", "ffmpeg"]) else { return };
    let mut server = recording().deadline(START).start();
    let first = Viewer::start(&server);
    server.wait_for_log("play started", &[]);
    let studio = Studio::stream(&server.url("live"), "test").unwrap();
    server.wait_for_log("recorder initialized", &[]);
    let late = Viewer::start(&server);
    for viewer in [&first, &late] {
        viewer.wait_for_pictures();
    }
    studio.stop_streaming();
    let file = assert_told(&server, "ended");
    server.wait_for_log("publish ended", &[("reason", "ended by the publisher")]);
    assert_of_obs(&ffprobe, &ffmpeg, &file);

    let recorded = Flv::read(&file).unwrap().media();
    for viewer in [first, late] {
        assert_watched(&viewer.finish(), &recorded);
    }
    server.stop();
}

/// Checks that a viewer got the codec headers, and from a key frame on everything to the end.
fn assert_watched(got: &[Packet], recorded: &[Packet]) {
    let media: Vec<_> = got.iter().skip_while(|packet| !packet.is_media()).collect();
    assert!(media.len() >= PICTURES, "{} of {} packets", media.len(), recorded.len());
    let first = media.iter().find(|packet| packet.kind == Kind::Video);
    assert_eq!(first.map(|packet| packet.role), Some(Role::Key));
    let is_same = |a: &Packet, b: &Packet| a.kind == b.kind && a.body == b.body;
    let tail = recorded.iter().rev().zip(media.iter().rev());
    assert!(media.len() <= recorded.len() && tail.clone().all(|(a, b)| is_same(a, b)));
    // OBS begins at 0, so a file's times are those of the stream.
    assert!(tail.filter(|(a, _)| a.is_media()).all(|(a, b)| a.dts_ms == b.dts_ms));
    // Which of both comes first is OBS's choice in the file, the server's for who comes late.
    let headers = |packets: &[Packet]| -> BTreeSet<_> {
        packets.iter().filter(|p| p.role == Role::Config).map(|p| p.body.clone()).collect()
    };
    assert_eq!(headers(got), headers(recorded));
}

#[test]
fn a_recording_of_obs_that_is_killed_is_whole() {
    let Some([ffprobe, ffmpeg]) = judge::programs(["ffprobe", "ffmpeg"]) else { return };
    let mut server = recording().deadline(START).start();
    let viewer = Viewer::start(&server);
    let mut studio = Studio::stream(&server.url("live"), "test").unwrap();
    viewer.wait_for_pictures();
    studio.kill();
    let file = assert_told(&server, "ended");
    assert_of_obs(&ffprobe, &ffmpeg, &file);
    let told = server.wait_for_log("publish ended", &[("stream_key", "live/test")]);
    let reason = told.field("reason").unwrap();
    assert!(reason.starts_with("connection "), "{reason}");
    assert_watched(&viewer.finish(), &Flv::read(&file).unwrap().media());
    server.stop();
}

#[test]
fn av1_and_a_second_sound_of_obs_are_recorded_and_watched_bit_for_bit() {
    enhanced(&[(320, 180)]);
}

#[test]
fn two_pictures_and_two_sounds_of_obs_are_recorded_and_watched_bit_for_bit() {
    enhanced(&[(320, 180), (160, 90)]);
}

/// OBS streams AV1, one track of each size, and two of AAC, to the file and to who watches from the beginning.
fn enhanced(sizes: &[(u32, u32)]) {
    let Some(nine) = Studio::is_enhanced().then(tools::ffmpeg9).flatten() else { return };
    let mut server = recording().deadline(START).start();
    let viewer = Viewer::start(&server);
    server.wait_for_log("play started", &[]);
    let studio = Studio::stream_enhanced(&server.url("live"), "test", sizes).unwrap();
    viewer.wait_for_pictures();
    studio.stop_streaming();
    let file = assert_told(&server, "ended");
    server.wait_for_log("publish ended", &[("reason", "ended by the publisher")]);

    let report = judge::sound(&file);
    let expected = sizes.iter().map(|(width, height)| format!("AV1 {width}x{height}"));
    let expected: Vec<_> = expected.chain(["AAC 2".to_owned(), "AAC 2".to_owned()]).collect();
    let codec = |track: &Track| match &track.codec {
        Codec::Video(info) => format!("{} {}x{}", info.codec, info.width, info.height),
        Codec::Audio(info) => format!("{} {}", info.codec, info.channels),
        Codec::Unknown => "unknown".to_owned(),
    };
    assert_eq!(report.tracks.iter().map(codec).collect::<Vec<_>>(), expected);
    let pictures = report.tracks.iter().filter(|track| track.kind == Kind::Video);
    let frames: u64 = pictures.map(|track| track.frames).sum();
    assert_eq!(judge::pictures(&nine, &file).len() as u64, frames);
    assert_watched(&viewer.finish(), &Flv::read(&file).unwrap().media());
    server.stop();
}
