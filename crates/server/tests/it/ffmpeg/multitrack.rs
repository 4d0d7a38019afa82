//! Several tracks in one stream, as FFmpeg 9 publishes and plays them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use media::flv::probe::{Codec, Probe};
use media::{Kind, Packet, Role};
use testkit::{Server, flv, tools};

use super::packets::{Listing, Track};
use super::sessions::wait_until;
use super::tool::{Ffmpeg, LIVE, LONGEST, ended};
use crate::support;

/// Seconds of the source: time for a player to join in the middle.
const SECONDS: u32 = 6;
/// All streams of the input, not only the best.
const ALL: [&str; 2] = ["-map", "0"];
/// The tracks of the source, in FFmpeg's words.
const TRACKS: [&str; 5] = ["h264", "hevc", "aac", "opus", "ac3"];

/// Two pictures and three sounds, one of them with six channels.
fn encode(nine: &Ffmpeg, dir: &Path) -> PathBuf {
    let file = dir.join("tracks.mkv");
    let mut command = nine.command::<&str>([]);
    for filter in
        ["testsrc2=s=320x180:r=25", "testsrc2=s=160x90:r=25", "anoisesrc=r=48000:a=0.1:seed=1"]
    {
        command.args(["-f", "lavfi", "-i"]).arg(format!("{filter}:d={SECONDS}"));
    }
    command.args(["-map", "0", "-map", "1", "-map", "2", "-map", "2", "-map", "2"]);
    command.args(["-pix_fmt", "yuv420p", "-g", "25", "-keyint_min", "25"]);
    command.args(["-c:v:0", "libx264", "-preset:v:0", "veryfast", "-bf:v:0", "2"]);
    // Its key frames are at other times than those of the first.
    command.args(["-c:v:1", "libx265", "-preset:v:1", "ultrafast", "-g:v:1", "40"]);
    command.args(["-x265-params:v:1", "log-level=error:keyint=40:min-keyint=40:bframes=0"]);
    command.args(["-c:a:0", "aac", "-ac:a:0", "2", "-c:a:1", "libopus", "-ac:a:1", "6"]);
    command.args(["-b:a:1", "128k", "-c:a:2", "ac3", "-ac:a:2", "2"]);
    let _ = tools::run(command.arg(&file), LONGEST).success();
    file
}

/// The packets of all tracks of a file, by codec.
fn all(nine: &Ffmpeg, file: &Path) -> BTreeMap<String, Track> {
    let mut command = nine.command(["-copyts", "-i"]);
    // Where a file begins, a track may be between two key frames.
    command.arg(file).args(ALL).args(["-c", "copy", "-copyinkf", "-f", "framehash", "-"]);
    by_codec(&tools::run(&mut command, LONGEST).success().text())
}

fn by_codec(listing: &str) -> BTreeMap<String, Track> {
    let tracks = Listing::parse(listing).tracks.into_iter();
    tracks.map(|track| (track.codec.clone(), track)).collect()
}

#[test]
fn several_tracks_are_recorded_bit_for_bit_and_played_by_a_late_joiner() {
    let Some(nine) = Ffmpeg::nine() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (file, sent) = (encode(&nine, dir.path()), dir.path().join("sent.flv"));
    nine.pack(&file, &ALL, &sent);

    let mut server = support::recording_as_both(dir.path()).start();
    let (url, listing) = (server.url("live/tracks"), dir.path().join("played"));
    let publishing = nine.publish_with(&file, &LIVE, &ALL, &url);
    wait_until("a file", || !recorded_as(&server, "flv").is_empty());
    let recording = recorded_as(&server, "flv").remove(0);
    // Behind the second key frame of the first track, before that of the second.
    let newest_ms = || {
        let flv = flv::Flv::read(&recording).unwrap_or_default();
        flv.tags.last().map_or(0, |tag| tag.header.timestamp_ms)
    };
    wait_until("a second of the stream recorded", || newest_ms() > 1_000);
    let mut play = nine.command(["-copyts", "-i", &url]);
    play.args(ALL).args(["-c", "copy", "-flush_packets", "1", "-f", "framehash"]).arg(&listing);
    let playing = tools::Running::start(&mut play);
    ended(publishing);
    ended(playing);
    let whole = [("stream_key", "live/tracks"), ("dropped", "0")];
    server.wait_for_logs("recorder closed", &whole, 2);

    flv::assert_recorded(&recording, &flv::clip(&sent));
    let (expected, found) = (all(&nine, &sent), all(&nine, &recording));
    assert_eq!(expected.len(), TRACKS.len());
    for codec in TRACKS {
        assert_eq!(expected[codec].packets, found[codec].packets, "{codec} as FFmpeg reads it");
    }
    assert_in_mp4(&nine, &expected, &flv::clip(&sent), &recorded_as(&server, "mp4"));
    assert_played(&sent, &expected, &by_codec(&std::fs::read_to_string(&listing).unwrap()));
    assert_probed(&recording);
    server.stop();
}

/// The recordings of a format, in their order.
fn recorded_as(server: &Server, format: &str) -> Vec<PathBuf> {
    let mut files = server.recordings();
    files.retain(|file| file.extension().is_some_and(|ending| ending == format));
    files.sort();
    files
}

/// Every packet is in the MP4 files, and FFmpeg finds all of them.
fn assert_in_mp4(
    nine: &Ffmpeg,
    expected: &BTreeMap<String, Track>,
    sent: &[Packet],
    files: &[PathBuf],
) {
    let packets = files.iter().flat_map(|file| flv::Flv::read(file).unwrap().packets());
    let recorded = packets.filter(Packet::is_media).map(|p| p.body);
    assert!(recorded.eq(sent.iter().filter(|p| p.is_media()).map(|p| &p.body)));
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for (codec, track) in files.iter().flat_map(|file| all(nine, file)) {
        found.entry(codec).or_default().extend(track.packets.into_iter().map(|p| p.body));
    }
    for codec in TRACKS {
        let (all, found) = (&expected[codec].packets, &found[codec]);
        assert_eq!(all.len(), found.len(), "{codec}");
        assert!(all.iter().map(|p| &p.body).eq(found), "{codec}");
    }
}

/// The player got every track from some place on to its end, and each picture from a key frame on.
fn assert_played(
    sent: &Path,
    expected: &BTreeMap<String, Track>,
    played: &BTreeMap<String, Track>,
) {
    let clip = flv::clip(sent);
    for (id, codec) in [(0, "h264"), (1, "hevc"), (0, "aac"), (1, "opus"), (2, "ac3")] {
        let all = &expected[codec].packets;
        let got = &played.get(codec).unwrap_or_else(|| panic!("no {codec}")).packets;
        assert!(
            !got.is_empty() && got.len() < all.len(),
            "{codec}: {} of {}",
            got.len(),
            all.len()
        );
        let missed = all.len() - got.len();
        assert!(all[missed..].iter().map(|p| &p.body).eq(got.iter().map(|p| &p.body)), "{codec}");
        let kind =
            if id < 2 && ["h264", "hevc"].contains(&codec) { Kind::Video } else { Kind::Audio };
        let of_track = clip.iter().filter(|p| p.kind == kind && p.track == id && p.is_media());
        let first = of_track.clone().nth(missed).expect("as many messages as packets");
        assert!(kind == Kind::Audio || first.role == Role::Key, "{codec} begins at {missed}");
    }
}

/// The probe tells of all five tracks.
fn assert_probed(recording: &Path) {
    let mut probe = Probe::new();
    flv::scan(recording, |item| probe.push(&item)).unwrap();
    let report = probe.finish();
    assert!(report.is_sound() && report.malformed == 0, "{report:?}");
    let told: Vec<_> = report
        .tracks
        .iter()
        .map(|track| {
            let what = match &track.codec {
                Codec::Video(info) => format!("{} {}x{}", info.codec, info.width, info.height),
                Codec::Audio(info) => format!("{} {}", info.codec, info.channels),
                Codec::Unknown => "unknown".to_owned(),
            };
            (track.kind.name(), track.id, what)
        })
        .collect();
    let expected = [
        ("video", 0, "H.264 320x180"),
        ("video", 1, "HEVC 160x90"),
        ("audio", 0, "AAC 2"),
        ("audio", 1, "Opus 6"),
        ("audio", 2, "AC-3 2"),
    ];
    assert_eq!(told, expected.map(|(kind, id, what)| (kind, id, what.to_owned())));
    let [_, hevc, aac, opus, ac3] = &report.tracks[..] else { panic!() };
    assert!(aac.enhanced.messages == 0 && hevc.enhanced.one_track > hevc.frames);
    assert!(opus.enhanced.one_track > opus.frames && ac3.enhanced.one_track >= ac3.frames);
    assert_eq!(opus.enhanced.channels.as_ref().and_then(|layout| layout.name()), Some("5.1"));
    let width = report.metadata.iter().find(|(name, _)| name == "width");
    assert_eq!(width.and_then(|(_, width)| width.as_f64()), Some(320.0), "of the first track");
}
