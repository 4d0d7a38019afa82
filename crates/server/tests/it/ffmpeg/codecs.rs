//! Every codec, published, recorded and played.

use std::path::{Path, PathBuf};
use std::process::Command;

use media::amf0::Value;
use media::flv::probe::{IndexCheck, Probe, Report};
use media::{Kind, Role};
use testkit::{flv, tools};

use super::packets::{Listing, ROUNDING_US, assert_same, assert_tail};
use super::tool::{
    AAC, AC3, AV1, EAC3, Encoder, FLAC, Ffmpeg, H264, HEVC, KEY_INTERVAL, LONGEST, MP3, OPUS,
    Source, USUAL, VP9, VVC, ended,
};
use crate::support;

/// Seconds of a source.
const SECONDS: u32 = 3;
/// Where the recording is sought to: halfway to the third key frame.
const SEEK: &str = "1.5";
/// The key frame that a seek finds.
const SEEK_KEY: usize = 1;

/// A source that is published by FFmpeg 9, recorded, and played by FFmpeg 9.
fn nine_to_nine(source: Source) {
    published_recorded_and_played(source, Ffmpeg::nine(), Ffmpeg::nine());
}

#[test]
fn h264_with_b_frames_and_aac_from_9_to_9() {
    nine_to_nine(USUAL);
}

#[test]
fn h264_with_b_frames_and_aac_from_5_to_5() {
    published_recorded_and_played(USUAL, Ffmpeg::five(), Ffmpeg::five());
}

#[test]
fn h264_with_b_frames_and_aac_from_5_to_9() {
    published_recorded_and_played(USUAL, Ffmpeg::five(), Ffmpeg::nine());
}

#[test]
fn h264_with_b_frames_and_aac_from_9_to_5() {
    published_recorded_and_played(USUAL, Ffmpeg::nine(), Ffmpeg::five());
}

#[test]
fn h264_and_mp3_from_5_to_5() {
    let source = Source { container: "flv", video: Some(H264), audio: Some(MP3) };
    published_recorded_and_played(source, Ffmpeg::five(), Ffmpeg::five());
}

#[test]
fn h264_and_mp3_from_9_to_9() {
    nine_to_nine(Source { container: "flv", video: Some(H264), audio: Some(MP3) });
}

#[test]
fn mp3_alone_from_5_to_9() {
    let source = Source { container: "mp3", video: None, audio: Some(MP3) };
    published_recorded_and_played(source, Ffmpeg::five(), Ffmpeg::nine());
}

#[test]
fn h264_alone_from_9_to_5() {
    let source = Source { container: "mkv", video: Some(H264), audio: None };
    published_recorded_and_played(source, Ffmpeg::nine(), Ffmpeg::five());
}

#[test]
fn aac_alone_from_9_to_5() {
    let source = Source { container: "m4a", video: None, audio: Some(AAC) };
    published_recorded_and_played(source, Ffmpeg::nine(), Ffmpeg::five());
}

#[test]
fn hevc_with_b_frames_and_aac() {
    nine_to_nine(Source { container: "mkv", video: Some(HEVC), audio: Some(AAC) });
}

#[test]
fn av1_and_opus() {
    nine_to_nine(Source { container: "mkv", video: Some(AV1), audio: Some(OPUS) });
}

#[test]
fn vvc_with_b_frames_and_aac() {
    // FFmpeg loses the times of VVC on the way through Matroska, and warns of it in MP4.
    nine_to_nine(Source { container: "flv", video: Some(VVC), audio: Some(AAC) });
}

#[test]
fn vp9_and_flac() {
    nine_to_nine(Source { container: "mkv", video: Some(VP9), audio: Some(FLAC) });
}

#[test]
fn h264_and_ac3() {
    nine_to_nine(Source { container: "mkv", video: Some(H264), audio: Some(AC3) });
}

#[test]
fn hevc_and_eac3() {
    nine_to_nine(Source { container: "mkv", video: Some(HEVC), audio: Some(EAC3) });
}

#[test]
fn opus_alone() {
    nine_to_nine(Source { container: "mkv", video: None, audio: Some(OPUS) });
}

#[test]
fn av1_alone() {
    nine_to_nine(Source { container: "mkv", video: Some(AV1), audio: None });
}

/// What FLV had before H.264, as far as FFmpeg 9 encodes it: Sorenson H.263, both screen videos, Nellymoser, ADPCM,
/// PCM and G.711.
#[test]
fn codecs_of_before_are_recorded_and_played() {
    let Some(nine) = Ffmpeg::nine() else { return };
    const OLD: [(Option<Encoder>, Encoder); 6] = [
        (
            Some(("flv1", &["-c:v", "flv"])),
            ("nellymoser", &["-ac", "1", "-ar", "22050", "-c:a", "nellymoser"]),
        ),
        (
            Some(("flashsv", &["-pix_fmt", "bgr24", "-c:v", "flashsv"])),
            ("adpcm_swf", &["-ar", "44100", "-c:a", "adpcm_swf"]),
        ),
        (
            Some(("flashsv2", &["-pix_fmt", "bgr24", "-c:v", "flashsv2"])),
            ("pcm_s16le", &["-ar", "44100", "-c:a", "pcm_s16le"]),
        ),
        (None, ("pcm_u8", &["-ar", "44100", "-c:a", "pcm_u8"])),
        (None, ("pcm_alaw", &["-ac", "1", "-ar", "8000", "-c:a", "pcm_alaw"])),
        (None, ("pcm_mulaw", &["-ac", "1", "-ar", "8000", "-c:a", "pcm_mulaw"])),
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut server = support::recording().start();
    let shows: Vec<_> = std::iter::zip(1.., OLD)
        .map(|(n, (video, audio))| {
            let source = Source { container: "flv", video, audio: Some(audio) };
            let at = dir.path().join(n.to_string());
            std::fs::create_dir(&at).unwrap();
            let (sent, listing) = (at.join("sent.flv"), at.join("played"));
            nine.pack(&source.encode(&nine, SECONDS, &at), &[], &sent);
            let key = format!("live/{n}");
            let playing = nine.play(&server.url(&key), &listing);
            (source, sent, listing, key, playing)
        })
        .collect();
    server.wait_for_logs("play started", &[], shows.len());
    let publish =
        |show: &(_, PathBuf, _, String, _)| nine.publish_live(&show.1, &server.url(&show.3));
    shows.iter().map(publish).collect::<Vec<_>>().into_iter().for_each(|one| drop(ended(one)));
    for (source, sent, listing, key, playing) in shows {
        drop(ended(playing));
        server.wait_for_log("recorder closed", &[("stream_key", &key), ("dropped", "0")]);
        let packets = flv::clip(&sent);
        let recording = crate::record::file_of(&server, &key);
        flv::assert_recorded(&recording, &packets);
        let listed = nine.packets(&recording);
        let codecs = source.codecs().map(|(_, codec)| codec);
        assert!(listed.tracks.iter().map(|track| track.codec.as_str()).eq(codecs), "{key}");
        let played = Listing::parse(&std::fs::read_to_string(&listing).unwrap());
        // From where it came in, which is before or behind the first packets of the other kind.
        for (all, got) in std::iter::zip(nine.packets(&sent).bodies(), played.bodies()) {
            assert!(
                !got.is_empty() && all.ends_with(&got),
                "{key}: {} of {}",
                got.len(),
                all.len()
            );
        }
    }
    server.stop();
}

fn published_recorded_and_played(
    source: Source,
    publisher: Option<Ffmpeg>,
    player: Option<Ffmpeg>,
) {
    let (Some(publisher), Some(player), Some(nine)) = (publisher, player, Ffmpeg::nine()) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = source.encode(&nine, SECONDS, dir.path());
    let sent = dir.path().join("sent.flv");
    publisher.pack(&file, &[], &sent);

    let mut server = support::recording_as_both(dir.path()).start();
    let (url, listing) = (server.url("live/test"), dir.path().join("played"));
    let playing = player.play(&url, &listing);
    server.wait_for_log("play started", &[("stream_key", "live/test")]);
    ended(publisher.publish_live(&file, &url));
    let all = [("stream_key", "live/test"), ("dropped", "0")];
    server.wait_for_logs("recorder closed", &all, 2);
    assert_eq!(ended(playing), "", "what the player has to say");
    server.wait_for_log("play ended", &[("stream_key", "live/test"), ("lost_packets", "0")]);
    server.stop();

    let [recording, as_mp4] = support::both(&server);
    let packets = flv::clip(&sent);
    flv::assert_recorded(&recording, &packets);
    let (listed, recorded) = (nine.packets(&file), nine.packets(&recording));
    let codecs = source.codecs().map(|(_, codec)| codec);
    assert!(listed.tracks.iter().map(|track| track.codec.as_str()).eq(codecs));
    // Of the source, which counts in samples, both an end of a step and a base were rounded.
    assert_same(&listed, &recorded, 2 * ROUNDING_US);
    let played = Listing::parse(&std::fs::read_to_string(&listing).unwrap());
    assert_tail(&sent, &player.packets(&sent), &played);
    assert_index_and_duration(&recording, &listed);
    assert_seeks(&nine, &recording, &listed);
    if source.codecs().all(|(_, codec)| LEGACY.contains(&codec)) {
        assert_ffprobe(&recording, &listed);
    }
    flv::assert_recorded(&as_mp4, &packets);
    // The fifth knows all but one, in MP4.
    let is_old = source.codecs().all(|(_, codec)| codec != "vvc");
    let five = is_old.then(Ffmpeg::five).flatten();
    // As of an MP4 file of its own: vvenc has key frames shown after pictures that follow them.
    let known = ["Missing key frame while searching", "Cannot find an index entry before"];
    let known = if is_old { &[] } else { &known[..] };
    for ffmpeg in std::iter::chain([nine], five) {
        assert_same(&recorded, &ffmpeg.packets_but_for(known, &as_mp4), ROUNDING_US);
    }
    #[cfg(unix)]
    crate::mp4::programs::check_finished(&as_mp4, &packets, &source);
}

/// Codecs that FLV had before Enhanced RTMP, which Debian's ffprobe can read.
const LEGACY: [&str; 3] = ["h264", "aac", "mp3"];

fn probe(file: &Path) -> Report {
    let mut probe = Probe::new();
    flv::scan(file, |item| probe.push(&item)).unwrap();
    probe.finish()
}

/// The file says of itself what is true.
fn assert_index_and_duration(recording: &Path, source: &Listing) {
    let report = probe(recording);
    assert!(report.is_sound(), "{report:?}");
    let keys = source.track("video").map(|video| video.packets.len().div_ceil(KEY_INTERVAL));
    match (report.index, keys) {
        (IndexCheck::True { entries }, Some(keys)) => assert_eq!(entries, keys),
        (IndexCheck::True { entries }, None) => assert!(entries > 0),
        (wrong, _) => panic!("{wrong:?}"),
    }
    let property = |name| report.metadata.iter().find(|(known, _)| known == name);
    let duration = property("duration").and_then(|(_, value)| value.as_f64()).unwrap();
    assert_duration(duration, source);
    let is_there = |kind| Value::Boolean(source.track(kind).is_some());
    assert_eq!(property("hasVideo").map(|p| &p.1), Some(&is_there("video")));
    assert_eq!(property("hasAudio").map(|p| &p.1), Some(&is_there("audio")));
}

/// From the first packet to the last and on for at most a frame.
fn assert_duration(seconds: f64, source: &Listing) {
    let (span_us, frame_us) = source.span_us();
    let us = seconds * 1_000_000.0;
    let (least, most) = (span_us - 2_000, span_us + frame_us + 2_000);
    assert!(us >= least as f64 && us <= most as f64, "{us} µs, not {least} to {most}");
}

/// A seek finds the key frame before its target, and what follows is there and can be decoded.
fn assert_seeks(nine: &Ffmpeg, recording: &Path, source: &Listing) {
    let found = nine.packets_from(recording, SEEK);
    for track in &source.tracks {
        let found = &found.track(&track.kind).expect("the track after a seek").packets;
        let rest = &track.packets[track.packets.len().checked_sub(found.len()).unwrap()..];
        assert!(rest.iter().map(|p| &p.body).eq(found.iter().map(|p| &p.body)));
        match track.kind.as_str() {
            "video" => assert_eq!(track.packets.len() - found.len(), SEEK_KEY * KEY_INTERVAL),
            _ => assert!((1..track.packets.len()).contains(&found.len()), "{}", found.len()),
        }
    }
    if source.track("video").is_some() {
        let pictures = nine.pictures_from(recording, SEEK).tracks[0].packets.len();
        // From the target on: the second half of the sequence, give or take the delay of B-frames.
        assert!((KEY_INTERVAL..=KEY_INTERVAL * 2).contains(&pictures), "{pictures} pictures");
    }
}

/// Debian's ffprobe is content.
fn assert_ffprobe(recording: &Path, source: &Listing) {
    let Some(ffprobe) = tools::ffprobe() else { return };
    let entries = "stream=codec_name:format=duration";
    let mut command = Command::new(ffprobe);
    command.args(["-v", "warning", "-of", "default=nw=1:nk=1", "-show_entries", entries]);
    let output = tools::run(command.arg(recording), LONGEST).success();
    assert_eq!(output.stderr, "");
    let text = output.text();
    let mut lines: Vec<&str> = text.lines().collect();
    let duration = lines.pop().unwrap().parse().unwrap();
    assert_duration(duration, source);
    assert!(lines.into_iter().eq(source.tracks.iter().map(|track| track.codec.as_str())), "{text}");
}

#[test]
fn a_player_that_waits_gets_a_stream_of_one_group_of_pictures_whole() {
    let (Some(five), Some(nine)) = (Ffmpeg::five(), Ffmpeg::nine()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let endless = ("h264", &["-c:v", "libx264", "-bf", "2", "-g", "1000"][..]);
    let source = Source { video: Some(endless), ..USUAL };
    let file = source.encode(&nine, SECONDS, dir.path());
    let sent = dir.path().join("sent.flv");
    nine.pack(&file, &[], &sent);
    let keys =
        flv::clip(&sent).iter().filter(|p| p.kind == Kind::Video && p.role == Role::Key).count();
    assert_eq!(keys, 1);

    let mut server = support::recording().start();
    let url = server.url("live/whole");
    let listings = [dir.path().join("by5"), dir.path().join("by9")];
    let playing = [five.play(&url, &listings[0]), nine.play(&url, &listings[1])];
    server.wait_for_logs("play started", &[("stream_key", "live/whole")], 2);
    ended(nine.publish_live(&file, &url));
    playing.into_iter().for_each(|player| drop(ended(player)));
    for (player, listing) in [&five, &nine].into_iter().zip(&listings) {
        let played = Listing::parse(&std::fs::read_to_string(listing).unwrap());
        assert_eq!(assert_tail(&sent, &player.packets(&sent), &played), 0);
    }
    server.stop();
}
