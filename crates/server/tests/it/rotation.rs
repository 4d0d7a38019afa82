//! A recording in several files: each plays alone, and together they are the stream.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use media::{Kind, Packet, Role};
use testkit::source::VIDEO_CONFIG;
use testkit::{Server, SourceConfig, block_on, tools};

use crate::record::parts::{
    Part, assert_joined, assert_one_recording, assert_verified, parts, verify,
};
use crate::record::{Live, closed, packets, publish, small};
use crate::support::recording;

/// Records all of a stream with a server of its own and these flags.
fn record(flags: &[&str], sent: &[Packet]) -> (Server, Vec<Part>) {
    let mut server = recording().args(flags).start();
    block_on(publish(&server, "live/test", sent));
    closed(&server, "live/test");
    server.stop();
    let parts = parts(&server, "live/test");
    assert_together(&parts, sent);
    (server, parts)
}

/// Checks that the files are one recording and have everything that was sent, once.
fn assert_together(parts: &[Part], sent: &[Packet]) {
    assert_one_recording(parts);
    assert_joined(parts, sent);
    assert_verified(parts, 0);
}

fn reasons(parts: &[Part]) -> Vec<String> {
    parts.iter().filter_map(|part| part.value("segmentReason")).collect()
}

#[test]
fn each_file_is_as_long_as_was_asked_for() {
    let sent = packets(1, small(), 700);
    let (_server, parts) = record(&["-record-rotate-duration", "2s"], &sent);
    let length = sent.last().unwrap().dts_ms;
    assert_eq!(i64::try_from(parts.len()).unwrap(), length / 2_000 + 1, "{length} ms");
    assert!(reasons(&parts)[1..].iter().all(|reason| reason == "duration"));
    // A key frame each half second: exactly before one of them.
    for part in &parts[..parts.len() - 1] {
        let duration_ms = part.report.duration_ms;
        assert!((1_960..2_040).contains(&duration_ms), "{duration_ms} ms");
    }
    // Without one of them, or one twice, they are not the stream.
    let mut files: Vec<&Path> = parts.iter().map(|part| part.file.as_path()).collect();
    let missing = files.remove(1);
    let (code, said) = verify(files.iter().copied());
    assert_eq!(code, Some(1), "{said}");
    files.push(missing);
    files.push(missing);
    let (code, said) = verify(files.iter().copied());
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn each_file_is_as_large_as_was_asked_for() {
    let sent = packets(1, small(), 700);
    let (_server, parts) = record(&["-record-rotate-size", "200KB"], &sent);
    assert!(parts.len() > 2, "{} files", parts.len());
    assert!(reasons(&parts)[1..].iter().all(|reason| reason == "size"));
    for part in &parts[..parts.len() - 1] {
        let bytes = std::fs::metadata(&part.file).unwrap().len();
        // Up to the next key frame: half a second of 464 kbit/s.
        assert!((200_000..250_000).contains(&bytes), "{bytes} bytes");
    }
}

#[test]
fn a_file_ends_at_each_mark_of_the_clock() {
    let mut server = recording().args(["-record-rotate-every", "1s"]).start();
    let sent = block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        while server.logs().iter().filter(|line| line.message == "segment finished").count() < 2 {
            live.send(8).await;
        }
        live.finish().await
    });
    closed(&server, "live/test");
    server.stop();
    let parts = parts(&server, "live/test");
    assert_together(&parts, &sent);
    assert!(parts.len() >= 3 && reasons(&parts)[1..].iter().all(|reason| reason == "mark"));
}

#[test]
fn sound_alone_is_cut_at_any_packet() {
    let sent = packets(1, SourceConfig { video_kbps: 0, ..small() }, 400);
    let (_server, parts) = record(&["-record-rotate-duration", "2s"], &sent);
    assert_eq!(parts.len(), 5, "8.5 s");
    for part in &parts[..4] {
        let duration_ms = part.report.duration_ms;
        // A frame of sound is 21 ms long.
        assert!((1_978..=2_022).contains(&duration_ms), "{duration_ms} ms");
    }
}

#[test]
fn other_programs_play_each_file_alone() {
    let Some(ffprobe) = tools::ffprobe() else { return eprintln!("passed over: a fast run") };
    let clip =
        testkit::flv::clip(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv")));
    let mut server = recording().args(["-record-rotate-duration", "3s"]).start();
    block_on(publish(&server, "live/test", &clip));
    closed(&server, "live/test");
    server.stop();
    let files = server.recordings();
    // Key frames at 0, 2, 4 and 6 s.
    assert_eq!(files.len(), 2);
    let (code, said) = verify(files.iter().map(PathBuf::as_path));
    assert_eq!(code, Some(0), "{said}");
    for file in files {
        let mut command = std::process::Command::new(&ffprobe);
        command.args(["-v", "warning", "-show_entries", "packet=codec_type,dts_time,flags"]);
        let output = tools::run(command.args(["-of", "csv=p=0"]).arg(&file), TIMEOUT).success();
        assert_eq!(output.stderr, "", "{}", file.display());
        let text = output.text();
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(first.split(',').nth(1), Some("0.000000"), "{text}");
        let video = text.lines().find(|line| line.starts_with("video")).unwrap_or_default();
        assert!(video.contains(",K"), "{video}");
    }
}

/// Longest that ffprobe may take.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Another configuration: of a level that is one higher.
fn other_config(at_ms: i64) -> Packet {
    let mut body = VIDEO_CONFIG.to_vec();
    for at in [8, 16] {
        assert_eq!(body[at], 0x1f, "the level");
        body[at] = 0x20;
    }
    Packet::new(Kind::Video, at_ms, body.into())
}

#[test]
fn a_change_of_the_configuration_begins_a_file_and_the_same_again_does_not() {
    let mut sent = packets(1, small(), 600);
    let keys: Vec<_> = (0..sent.len()).filter(|at| sent[*at].role == Role::Key).collect();
    // From the end, so that the places stay right.
    let (other, same) = (keys[12], keys[5]);
    sent.insert(other, other_config(sent[other].dts_ms));
    let again = Packet::new(Kind::Video, sent[same].dts_ms, Bytes::from_static(VIDEO_CONFIG));
    sent.insert(same, again);
    let (_server, parts) = record(&[], &sent);
    assert_eq!(reasons(&parts), ["start", "configuration"]);
    let configs = |part: &Part| -> Vec<Bytes> {
        let tags = testkit::flv::Flv::read(&part.file).unwrap().packets().into_iter();
        let video = tags.filter(|p| p.kind == Kind::Video && p.role == Role::Config);
        video.map(|packet| packet.body).collect()
    };
    assert!(configs(&parts[0]).iter().all(|body| *body == VIDEO_CONFIG));
    assert!(configs(&parts[1]).iter().all(|body| *body == other_config(0).body));
}

/// Frames far from each other, so that few of them take long.
fn sparse(step_ms: i64, count: i64) -> Vec<Packet> {
    let config = SourceConfig { key_interval: 1, audio_kbps: 0, video_kbps: 1, ..small() };
    let mut sent = packets(1, config, usize::try_from(count).unwrap() + 2);
    for (at, packet) in (0..).zip(sent.iter_mut().skip(2)) {
        packet.dts_ms = at * step_ms;
    }
    sent
}

#[test]
fn a_recording_of_fifty_days_is_right_to_the_bit_and_goes_on_before_its_times_end() {
    // Past 2^24 ms in a few hundred frames, past 2^32 ms in seven thousand.
    let step = 600_000;
    let days = 4_320_000_000;
    let sent = sparse(step, days / step + 1);
    let (_server, parts) = record(&[], &sent);
    assert_eq!(reasons(&parts), ["start", "format"]);
    let times = |part: &Part| -> Vec<i64> {
        let tags = testkit::flv::Flv::read(&part.file).unwrap().tags;
        let media = tags.iter().filter(|tag| tag.packet.is_media());
        media.map(|tag| tag.header.timestamp_ms.into()).collect()
    };
    let (first, second) = (times(&parts[0]), times(&parts[1]));
    assert!(*first.last().unwrap() > (1 << 32) - 2 * step, "as long as the format takes");
    let all = first.iter().chain(&second);
    let offset = i64::try_from(first.len()).unwrap() * step;
    let expected = sent.iter().filter(|packet| packet.is_media()).map(|packet| packet.dts_ms);
    for (at, (time, expected)) in all.zip(expected).enumerate() {
        let start = if at < first.len() { 0 } else { offset };
        assert_eq!(*time, expected - start, "frame {at}");
    }
    assert_eq!(parts[1].value("recordingTime"), Some((offset / 1_000).to_string()));
}
