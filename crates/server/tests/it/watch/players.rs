//! Programs that play the views: each plays to the end of the stream, and gets what was sent.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use media::{Kind, Packet, Role};
use testkit::server::Server;
use testkit::tools::{Output, Running};

use super::renditions::of_track;
use crate::ffmpeg::tool::{Encoder, FLAC, Ffmpeg, HEVC, OPUS, Source, VP9};
use crate::files::judge::{self, PATIENCE};
use crate::files::sender::{self, Sender};
use crate::files::vlc::{self, Vlc};
use crate::players::dump;

/// A server whose recordings are over with their publishers, and with them the rewind.
fn recording() -> Server {
    crate::support::recording().args(["-record-rejoin", "0"]).http().start()
}

fn url(server: &Server, view: &str) -> String {
    format!("http://{}/live/live/test{view}", server.http_addr())
}

/// Publishes for as long as the player needs to have begun, and some seconds more. Returns what was sent, and what the
/// player said when it had come to the end.
fn play(server: &Server, player: &mut Command) -> (Vec<Packet>, Output) {
    play_of(server, sender::endless(), player)
}

fn play_of(
    server: &Server,
    packets: impl Iterator<Item = Packet> + Send + 'static,
    player: &mut Command,
) -> (Vec<Packet>, Output) {
    let sender = Sender::start(&server.url("live/test"), packets, 1);
    sender.wait_until_sent(1_000);
    let player = Running::start(player);
    server.wait_for_log("play started", &[("stream_key", "live/test")]);
    sender.wait_until_sent(sender.newest_ms() + 5_000);
    let sent = sender.stop();
    (sent, player.wait(PATIENCE).success())
}

/// Checks a dump: packets that follow each other, up to the last that was sent.
fn assert_dumped(dump: &Path, sent: &[Packet]) {
    let dumped = dump::find(dump, sent);
    assert!(dumped.len() > 100, "{dumped:?}");
    assert_eq!(dumped.end, sent.iter().filter(|packet| packet.is_media()).count());
}

fn dumps(ffmpeg: Option<Ffmpeg>, view: &str) {
    let Some(ffmpeg) = ffmpeg else { return };
    let mut server = super::builder().start();
    let dump = server.dir().join("dump.flv");
    let mut command = ffmpeg.command(["-i", &url(&server, view), "-map", "0", "-c", "copy"]);
    let (sent, output) = play(&server, command.arg(&dump));
    assert_usual(&output);
    assert_dumped(&dump, &sent);
    server.stop();
}

#[test]
fn ffmpeg_9_gets_every_packet_of_hevc_and_opus_of_every_view() {
    dumps_of(HEVC, OPUS);
}

#[test]
fn ffmpeg_9_gets_every_packet_of_vp9_and_flac_of_every_view() {
    dumps_of(VP9, FLAC);
}

fn dumps_of(video: Encoder, audio: Encoder) {
    let Some(nine) = Ffmpeg::nine() else { return };
    let mut server = super::builder().start();
    let source = Source { container: "mkv", video: Some(video), audio: Some(audio) };
    // Behind the end of a sequence there would be no configuration.
    let goes_on = |packet: &Packet| packet.role != Role::Event;
    let packets: Vec<_> = source.packets(&nine, 3).into_iter().filter(goes_on).collect();
    let sender = Sender::start(&server.url("live/test"), sender::again(packets, 3_040), 1);
    sender.wait_until_sent(1_000);
    let views = [".flv", ".mp4", ".m3u8"].map(|view| {
        let dump = server.dir().join(format!("dump{view}.flv"));
        let mut command = nine.command(["-i", &url(&server, view), "-map", "0", "-c", "copy"]);
        (Running::start(command.arg(&dump)), dump)
    });
    server.wait_for_logs("play started", &[("stream_key", "live/test")], views.len());
    sender.wait_until_sent(sender.newest_ms() + 5_000);
    let sent = sender.stop();
    for (player, dump) in views {
        assert_usual(&player.wait(PATIENCE).success());
        assert_dumped_by_track(&dump, &sent);
    }
    server.stop();
}

fn assert_usual(output: &Output) {
    // FFmpeg 9 says the first at the end of any FLV that comes in chunks, and ends well; both read
    // the initialization again after each live playlist that they load.
    const USUAL: [&str; 4] = [
        "Error during demuxing: Input/output error",
        "Found duplicated MOOV Atom. Skipped it",
        "Last message repeated ",
        // Of several tracks, which it writes all the same.
        "stream is not supported by most flv demuxers.",
    ];
    let is_usual = |line: &&str| USUAL.iter().any(|usual| line.contains(usual));
    let said: Vec<_> = output.stderr.lines().filter(|line| !is_usual(line)).collect();
    assert_eq!(said, [""; 0]);
}

/// A frame as a decoder gets it: its time, by how much it is shown later, and its bytes.
type Frame = (i64, i32, Bytes);

/// What decoders get, by kind and track.
fn frames<'a>(packets: impl IntoIterator<Item = &'a Packet>) -> BTreeMap<(Kind, u8), Vec<Frame>> {
    let mut frames = BTreeMap::<_, Vec<_>>::new();
    for packet in packets {
        for sample in media::mp4::samples(packet) {
            let frame = (packet.dts_ms, sample.composition_ms, sample.data);
            frames.entry((sample.kind, sample.track)).or_default().push(frame);
        }
    }
    frames
}

/// Checks a dump of several tracks or of a codec that may be packed in another way: of each track
/// packets that follow each other, up to the last that was sent, as far from those of the others as
/// they were.
fn assert_dumped_by_track(dump: &Path, sent: &[Packet]) {
    let dumped = testkit::flv::Flv::read(dump).unwrap();
    let (found, sent) = (frames(dumped.tags.iter().map(|tag| &tag.packet)), frames(sent));
    assert!(found.keys().eq(sent.keys()), "{:?}", found.keys());
    let mut by_ms = None;
    for (track, found) in &found {
        assert!(found.len() > 100, "{track:?}: {}", found.len());
        let before = sent[track].len().checked_sub(found.len()).unwrap();
        for (n, (found, sent)) in found.iter().zip(&sent[track][before..]).enumerate() {
            assert!((found.1, &found.2) == (sent.1, &sent.2), "{}: {track:?} {n}", dump.display());
            let moved_ms = found.0 - sent.0;
            let by_ms = *by_ms.get_or_insert(moved_ms);
            let is_near = (moved_ms - by_ms).abs() <= 1;
            assert!(is_near, "{}: {track:?} {n}: {moved_ms}, not {by_ms} ms", dump.display());
        }
    }
}

/// The clip with two tracks of pictures and two of sound.
fn twice() -> impl Iterator<Item = Packet> + Send + 'static {
    sender::endless().flat_map(|packet| {
        let second = (packet.kind != Kind::Data).then(|| of_track(&packet, 1));
        std::iter::chain([packet], second)
    })
}

#[test]
fn ffmpeg_9_gets_every_packet_of_every_track_of_hls() {
    let Some(ffmpeg) = Ffmpeg::nine() else { return };
    let mut server = super::builder().start();
    let dump = server.dir().join("dump.flv");
    let url = url(&server, ".m3u8");
    let mut command = ffmpeg.command(["-i", &url, "-map", "0", "-c", "copy"]);
    let (sent, output) = play_of(&server, twice(), command.arg(&dump));
    assert_usual(&output);
    assert_dumped_by_track(&dump, &sent);
    server.stop();
}

#[test]
fn ffmpeg_5_gets_every_packet_of_flv() {
    dumps(Ffmpeg::five(), ".flv");
}

#[test]
fn ffmpeg_9_gets_every_packet_of_flv() {
    dumps(Ffmpeg::nine(), ".flv");
}

fn mpv_plays(view: &str, packets: impl Iterator<Item = Packet> + Send + 'static) {
    let Some([mpv]) = judge::programs(["mpv"]) else { return };
    let mut server = super::builder().start();
    let log = server.dir().join("mpv.log");
    let mut command = Command::new(mpv);
    command.args(["--no-config", "--no-terminal", "--vo=null", "--ao=null"]);
    command.arg(format!("--log-file={}", log.display()));
    let _ = play_of(&server, packets, command.arg(url(&server, view)));
    let log = std::fs::read_to_string(log).unwrap();
    for told in [
        "(h264 640x360",
        "(aac 2ch 48000Hz)",
        "first video frame after restart shown",
        "Exiting... (End of file)",
    ] {
        assert!(log.contains(told), "no {told:?}:\n{log}");
    }
    let troubles = ["[e]", "[f]"].map(|level| log.matches(&format!("]{level}[")).count());
    assert_eq!(troubles, [0, 0], "{log}");
    server.stop();
}

#[test]
fn mpv_plays_flv_to_its_end() {
    mpv_plays(".flv", sender::endless());
}

fn vlc_plays(view: &str, packets: impl Iterator<Item = Packet> + Send + 'static) {
    let Some(vlc) = Vlc::new() else { return };
    let mut server = recording();
    let mut command = vlc.command(vlc::DUMMIES, url(&server, view));
    let log = play_of(&server, packets, &mut command).1.stderr;
    let tracks = match view {
        ".flv" => ["adding es: video codec = h264", "adding es: audio codec = mp4a"],
        _ => ["adding track[Id 0x1] video", "adding track[Id 0x2] audio"],
    };
    for told in tracks.into_iter().chain(["Received first picture", "EOF reached"]) {
        assert!(log.contains(told), "no {told:?}:\n{log}");
    }
    server.stop();
}

#[test]
fn vlc_plays_flv_to_its_end() {
    vlc_plays(".flv", sender::endless());
}

fn gstreamer_plays(view: &str, source: &str) {
    let Some([launch]) = judge::programs(["gst-launch-1.0"]) else { return };
    let mut server = super::builder().start();
    let words = source.replace("{url}", &url(&server, view));
    let mut command = Command::new(launch);
    command.args(["-e", "-q"]).args(words.split_whitespace());
    let dump = server.dir().join("pictures");
    let (_, output) = play(&server, command.arg(format!("location={}", dump.display())));
    assert_eq!(output.stderr, "");
    let size = std::fs::metadata(dump).unwrap().len();
    // 640x360 in I420: four seconds at least.
    assert!(size >= 100 * 640 * 360 * 3 / 2, "{size} bytes of pictures");
    server.stop();
}

#[test]
fn gstreamer_decodes_flv_to_its_end() {
    let source = "souphttpsrc location={url} ! flvdemux ! h264parse ! avdec_h264 ! filesink";
    gstreamer_plays(".flv", source);
}

#[test]
fn ffmpeg_5_gets_every_packet_of_mp4() {
    dumps(Ffmpeg::five(), ".mp4");
}

#[test]
fn ffmpeg_5_gets_every_packet_of_hls() {
    dumps(Ffmpeg::five(), ".m3u8");
}

#[test]
fn ffmpeg_9_gets_every_packet_of_mp4() {
    dumps(Ffmpeg::nine(), ".mp4");
}

#[test]
fn ffmpeg_9_gets_every_packet_of_hls() {
    dumps(Ffmpeg::nine(), ".m3u8");
}

#[test]
fn mpv_plays_mp4_to_its_end() {
    mpv_plays(".mp4", sender::endless());
}

#[test]
fn vlc_plays_mp4_to_its_end() {
    vlc_plays(".mp4", sender::endless());
}

#[test]
fn mpv_plays_hls_to_its_end() {
    mpv_plays(".m3u8", sender::endless());
}

#[test]
fn mpv_plays_hls_of_several_tracks_to_its_end() {
    mpv_plays(".m3u8", twice());
}

#[test]
fn vlc_plays_hls_of_several_tracks_to_its_end() {
    vlc_plays(".m3u8", twice());
}

#[test]
fn vlc_plays_hls_to_its_end() {
    vlc_plays(".m3u8", sender::endless());
}

#[test]
fn vlc_plays_hls_with_its_recording_to_its_end() {
    vlc_plays(".m3u8?dvr=1h", sender::endless());
}

#[test]
fn gstreamer_decodes_mp4_to_its_end() {
    let source = "souphttpsrc location={url} ! qtdemux ! h264parse ! avdec_h264 ! filesink";
    gstreamer_plays(".mp4", source);
}

#[test]
fn gstreamer_decodes_hls_to_its_end() {
    let source = "uridecodebin uri={url} caps=video/x-raw ! videoconvert ! \
                  video/x-raw,format=I420 ! filesink";
    gstreamer_plays(".m3u8", source);
}

/// FFmpeg plays a stream from the beginning of its recording up to its end. Returns what was sent, and what it has
/// written.
fn rewinds(
    ffmpeg: &Ffmpeg,
    server: &Server,
    packets: impl Iterator<Item = Packet> + Send + 'static,
) -> (Vec<Packet>, PathBuf) {
    let sender = Sender::start(&server.url("live/test"), packets, 1);
    sender.wait_until_sent(9_000);
    super::rewind::recorded(&server.api());
    let dump = server.dir().join("dump.flv");
    let url = url(server, ".m3u8?dvr=1h");
    let mut command = ffmpeg.command(["-live_start_index", "0", "-i", &url, "-map", "0"]);
    let player = Running::start(command.args(["-c", "copy"]).arg(&dump));
    server.wait_for_log("play started", &[("stream_key", "live/test")]);
    sender.wait_until_sent(sender.newest_ms() + 5_000);
    let sent = sender.stop();
    assert_usual(&player.wait(PATIENCE).success());
    (sent, dump)
}

fn rewinds_to_the_beginning(ffmpeg: Option<Ffmpeg>) {
    let Some(ffmpeg) = ffmpeg else { return };
    let mut server = recording();
    let (sent, dump) = rewinds(&ffmpeg, &server, sender::endless());
    let dumped = dump::find(&dump, &sent);
    assert_eq!(dumped, 0..sent.iter().filter(|packet| packet.is_media()).count());
    server.stop();
}

#[test]
fn ffmpeg_9_rewinds_every_track_to_the_beginning() {
    let Some(ffmpeg) = Ffmpeg::nine() else { return };
    let mut server = recording();
    let (sent, dump) = rewinds(&ffmpeg, &server, twice());
    let dump = testkit::flv::Flv::read(&dump).unwrap();
    let (found, sent) = (frames(dump.tags.iter().map(|tag| &tag.packet)), frames(&sent));
    assert!(found.keys().eq(sent.keys()) && found.len() == 4, "{:?}", found.keys());
    for (track, sent) in &sent {
        assert!(found[track] == *sent, "{track:?}: {} of {}", found[track].len(), sent.len());
    }
    server.stop();
}

#[test]
fn ffmpeg_5_rewinds_to_the_beginning() {
    rewinds_to_the_beginning(Ffmpeg::five());
}

#[test]
fn ffmpeg_9_rewinds_to_the_beginning() {
    rewinds_to_the_beginning(Ffmpeg::nine());
}
