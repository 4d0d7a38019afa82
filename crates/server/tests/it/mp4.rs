//! Recordings as MP4, as they promise it and as other programs see them.

#[cfg(unix)]
pub(crate) mod programs;
mod told;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use media::{Kind, Packet};
use testkit::server::Builder;
use testkit::{Publisher, Server, block_on, flv, tools};

use crate::ffmpeg::packets::Listing;
use crate::ffmpeg::tool::Ffmpeg;
use crate::files::judge::programs;
use crate::record::parts::{is_complete, verify};
use crate::record::{closed, file_of, packets, publish, recorded, report, small, wait_until};
use crate::support::{BINARY, both, recording, recording_as_both};

const LONGEST: Duration = Duration::from_secs(180);

fn as_mp4() -> Builder {
    recording().args(["-record-format", "mp4"])
}

/// Real pictures and sound: 8 s with a key frame each two seconds.
fn clip() -> Vec<Packet> {
    flv::clip(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv")))
}

fn media(packets: &[Packet]) -> usize {
    packets.iter().filter(|packet| packet.kind != Kind::Data).count()
}

/// The boxes of a file.
fn boxes(file: &Path) -> Vec<String> {
    let bytes = std::fs::read(file).unwrap();
    let (mut at, mut names) = (0, Vec::new());
    while at < bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()).into();
        let large = || u64::from_be_bytes(bytes[at + 8..at + 16].try_into().unwrap());
        names.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
        at += usize::try_from(if size == 1 { large() } else { size }).unwrap();
    }
    assert_eq!(at, bytes.len(), "{names:?}");
    names
}

fn finished() -> (Server, PathBuf) {
    let mut server = as_mp4().start();
    block_on(publish(&server, "live/test", &clip()));
    closed(&server, "live/test");
    server.stop();
    let file = file_of(&server, "live/test");
    (server, file)
}

#[test]
fn a_finished_recording_is_an_ordinary_file_with_all_that_was_sent_and_proven() {
    let (_server, file) = finished();
    assert_eq!(file.extension().unwrap(), "mp4");
    flv::assert_recorded(&file, &clip());
    assert_eq!(boxes(&file), ["ftyp", "uuid", "mdat", "moov"]);
    let (code, said) = verify([file.as_path()]);
    assert_eq!(code, Some(0), "{said}");
    let output = tools::run(Command::new(BINARY).arg("probe").arg(&file), LONGEST);
    assert!(output.is_success(), "{}{}", output.text(), output.stderr);
    // A byte of a frame.
    let whole = std::fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    bytes.truncate(last);
    std::fs::write(&file, &bytes).unwrap();
    let (code, said) = verify([file.as_path()]);
    assert_eq!(code, Some(1), "{said}");
    // A byte of its index.
    let mut bytes = whole;
    bytes[last - 40] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let (code, said) = verify([file.as_path()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("its index is not what its parts say"), "{said}");
}

#[test]
fn programs_read_a_finished_recording_without_a_warning_and_seek_in_it_at_once() {
    let [Some(five), Some(nine)] = [Ffmpeg::five(), Ffmpeg::nine()] else { return };
    let (_server, file) = finished();
    let of_clip = nine.packets(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv")));
    for ffmpeg in [five, nine] {
        let all = ffmpeg.packets(&file);
        assert_eq!(count(&all), count(&of_clip));
        let sought = ffmpeg.packets_from(&file, "5");
        let share = count(&sought) * 8 / count(&all);
        assert!((3..=5).contains(&share), "{} of {}", count(&sought), count(&all));
        assert!(count(&ffmpeg.pictures_from(&file, "5")) > 0);
    }
    let Some(mediainfo) = tools::program("mediainfo") else { return };
    let output = tools::run(Command::new(mediainfo).arg(&file), LONGEST).success();
    let text = output.text();
    for says in ["AVC", "AAC", "8 s"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains("IsTruncated") && output.stderr.is_empty(), "{text}");
}

#[test]
fn programs_are_told_when_a_recording_began() {
    let Some([ffprobe]) = programs(["ffprobe"]) else { return };
    let (_server, file) = finished();
    let mut command = Command::new(ffprobe);
    command.args(["-v", "error", "-show_entries", "format_tags=creation_time", "-of", "csv=p=0"]);
    let output = tools::run(command.arg(&file), LONGEST).success();
    let second = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let metadata = report(&file).metadata;
    let (_, start) = metadata.iter().find(|(name, _)| name == "startTime").unwrap();
    assert_eq!(second(output.text().trim()), second(start.as_str().unwrap()));
}

#[test]
fn programs_read_a_growing_recording_and_one_of_a_killed_server() {
    let mut server = as_mp4().start();
    let clip = clip();
    let most = &clip[..clip.len() * 3 / 4];
    let publisher = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(most).await.unwrap();
        publisher
    });
    let file = file_of(&server, "live/test");
    wait_until("all that was sent is in the file", || recorded(&file) == media(most));
    let check = || {
        for ffmpeg in [Ffmpeg::five(), Ffmpeg::nine()].into_iter().flatten() {
            assert_eq!(count(&ffmpeg.packets(&file)), frames(most));
        }
    };
    check();
    server.kill();
    drop(publisher);
    assert!(!is_complete(&file));
    check();
    let with_hashes = recording().args(["-record-checksum-files", "true"]);
    let mut server = with_hashes.record_dir(server.record_dir()).start();
    server.allow("recording recovered");
    server.wait_for_log("recording recovered", &[]);
    server.stop();
    assert_eq!(boxes(&file), ["ftyp", "uuid", "mdat", "moov"]);
    flv::assert_recorded(&file, most);
    let (code, said) = verify([file.as_path()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("as the sidecar"), "{said}");
    check();
}

/// Packets, or pictures, of all tracks.
fn count(listing: &Listing) -> usize {
    listing.tracks.iter().map(|track| track.packets.len()).sum()
}

/// Coded audio and video.
fn frames(packets: &[Packet]) -> usize {
    packets.iter().filter(|packet| packet.is_media()).count()
}

/// A server that was killed when all of this was in its file, which goes on.
fn killed(sent: &[Packet]) -> (Server, PathBuf) {
    let mut server = as_mp4().start();
    let publisher = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(sent).await.unwrap();
        publisher
    });
    let file = file_of(&server, "live/test");
    wait_until("all that was sent is in the file", || recorded(&file) == media(sent));
    server.kill();
    drop(publisher);
    (server, file)
}

#[test]
fn a_torn_file_is_cut_after_its_last_whole_part() {
    let sent = packets(1, small(), 300);
    let (server, file) = killed(&sent);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 20]).unwrap();
    let mut server = recording().record_dir(server.record_dir()).start();
    server.allow("recording recovered");
    server.wait_for_log("recording recovered", &[]);
    server.stop();
    let kept = flv::assert_recorded_beginning(&file, &sent);
    assert!(kept > 0 && kept < media(&sent), "{kept}");
    assert!(is_complete(&file));
    let (code, said) = verify([file.as_path()]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_codec_that_mp4_has_no_word_for_is_refused_once_and_goes_on_as_flv() {
    let speex = |i: i64| Packet::new(Kind::Audio, i * 20, [&[0xb6][..], &[7; 40]].concat().into());
    let pictures = clip().into_iter().filter(|packet| packet.kind != Kind::Audio);
    let mut sent: Vec<_> = pictures.chain((0..400).map(speex)).collect();
    sent.sort_by_key(|packet| packet.dts_ms);

    let dir = tempfile::tempdir().unwrap();
    let mut server = recording_as_both(dir.path()).args(["-record-rejoin", "0"]).start();
    const TOLD: &str = "track not playable in MP4";
    server.allow(TOLD);
    block_on(publish(&server, "live/test", &sent));
    let complete = [("stream_key", "live/test"), ("dropped", "0")];
    server.wait_for_logs("recording complete", &complete, 2);
    server.stop();
    let told: Vec<_> = server.logs().into_iter().filter(|line| line.message == TOLD).collect();
    let reason =
        "audio track 0: Speex cannot be in MP4: no specification says how; record it as FLV";
    let reasons: Vec<_> = told.iter().filter_map(|line| line.field("reason")).collect();
    assert_eq!(reasons, [reason]);
    let [as_flv, _] = both(&server);
    flv::assert_recorded(&as_flv, &sent);
}

#[test]
fn two_recorders_keep_a_stream_as_flv_and_as_mp4() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = recording_as_both(dir.path()).args(["-record-rejoin", "0"]).http().start();
    let clip = clip();
    block_on(publish(&server, "live/test", &clip));
    server.wait_for_logs("recording complete", &[("stream_key", "live/test")], 2);
    let list = server.api().get("/api/v1/recordings").ok();
    let formats: std::collections::BTreeSet<_> = list["recordings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["format"].to_string())
        .collect();
    assert_eq!(formats.len(), 2, "{list}");
    server.stop();
    let files = both(&server);
    for file in &files {
        flv::assert_recorded(file, &clip);
    }
    let (code, said) = verify(files.iter().map(PathBuf::as_path));
    assert_eq!(code, Some(0), "{said}");
}
