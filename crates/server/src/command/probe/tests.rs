use std::fs;
use std::io::Write as _;

use archive::{Amount, Cut, Gap, GapReason, Hash};
use bytes::Bytes;
use media::amf0::Value as Amf;
use media::flv::mux::{Muxer, Options};
use media::flv::tag::TagHeader;
use media::{Chunks, Kind, Packet};
use tempfile::TempDir;

use super::*;

/// 640x360 at 25 frames a second, from libx264: High, level 3.0.
const AVC: &[u8] = &[
    0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1e, 0xff, 0xe1, 0, 0x1a, 0x67, 0x64, 0, 0x1e, 0xac, 0xd9, 0x40,
    0xa0, 0x2f, 0xf9, 0x61, 0, 0, 3, 0, 1, 0, 0, 3, 0, 0x32, 0x0f, 0x16, 0x2d, 0x96, 1, 0, 6, 0x68,
    0xeb, 0xe3, 0xcb, 0x22, 0xc0,
];
/// AAC LC, 44.1 kHz, stereo.
const AAC: &[u8] = &[0xaf, 0, 0x12, 0x10];

fn body(head: &[u8], size: usize) -> Bytes {
    let mut body = head.to_vec();
    body.resize(size, 0x55);
    body.into()
}

/// Four seconds: 100 frames of video, a key frame each second, and 40 of audio.
fn clip() -> Vec<u8> {
    finished(Options {
        reserve_bytes: 2_048,
        extra: vec![
            ("title".to_owned(), Amf::from("clip\u{1b}[2J")),
            ("began".to_owned(), Amf::Date(1_760_193_052_000.0)),
        ],
        ..Options::default()
    })
}

/// The same, as a segment of a recording that has lost something.
fn segment() -> Vec<u8> {
    let gap = |at_ms, reason| Gap {
        at_ms,
        length_ms: 5_000,
        reason,
        dropped: Amount { packets: 40, bytes: 9_000 },
    };
    let about = About {
        recording: "00000000deadbeef".parse().unwrap(),
        stream_key: "live/test".to_owned(),
        segment: 2,
        start_time: "2025-10-11T14:30:52.123+02:00".to_owned(),
        start_ms: 3_600_000,
        cut: Cut::Disk,
        gap_before: Some(gap(3_595_000, GapReason::Disk)),
        first_packet: 9_000,
        chain_before: Some(Hash([0xA5; 32])),
        server: "rtmp-server/1".to_owned(),
        recorder: "all".to_owned(),
        name: None,
        request_key: None,
        is_clip: false,
        tracks: archive::Tracks::All,
        labels: archive::Labels::new(),
    };
    let mut ledger = Ledger {
        received: Amount { packets: 1_182, bytes: 107_051 },
        written: Amount { packets: 142, bytes: 98_051 },
        dropped: Amount { packets: 1_040, bytes: 9_000 },
        late_packets: 3,
        skew_ms: -23,
        skew_max_ms: 90,
        ..Ledger::default()
    };
    ledger.add_gap(gap(1_000, GapReason::SlowDisk));
    ledger.gaps_total = 26;
    finished(Options {
        reserve_bytes: 4_096,
        identity: about.properties(),
        extra: ledger.properties(),
    })
}

fn finished(options: Options) -> Vec<u8> {
    let mut muxer = Muxer::new(options);
    let mut out = Chunks::new();
    let mut push = |kind, at_ms: u32, body: Bytes| {
        let packet = Packet::new(kind, at_ms.into(), body);
        muxer.push(&packet, at_ms.into(), &mut out).unwrap();
    };
    push(Kind::Video, 0, Bytes::from_static(AVC));
    push(Kind::Audio, 0, Bytes::from_static(AAC));
    for i in 0..100 {
        let (head, size) = if i % 25 == 0 { (0x17, 10_000) } else { (0x27, 500) };
        push(Kind::Video, i * 40, body(&[head, 1, 0, 0, 0x50], size));
        if i % 5 < 2 {
            push(Kind::Audio, i * 40, body(&[0xaf, 1], 250));
        }
    }
    let mut bytes = out.to_vec();
    for patch in muxer.patches().into_iter().chain([muxer.complete_patch()]) {
        let at = usize::try_from(patch.offset).unwrap();
        bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    bytes
}

/// Where a tag begins: the `n`-th after the first one.
fn tag_at(bytes: &[u8], n: usize) -> usize {
    (0..n).fold(13, |at, _| {
        let header = TagHeader::decode(*bytes[at..].first_chunk().unwrap());
        at + usize::try_from(header.tag_size()).unwrap() + 4
    })
}

/// Files in a directory of their own. They look as if nobody had written to them for long.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn add(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        path
    }

    fn probe(&self, bytes: &[u8]) -> Probed {
        let probed = probe(&self.add("clip.flv", bytes)).unwrap();
        Probed { path: "clip.flv".to_owned(), ..probed }
    }
}

#[track_caller]
fn assert_text(probed: &Probed, expected: &str) {
    let text = text::report(probed);
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn the_report_of_a_sound_file_is_complete_and_aligned() {
    let probed = Files::new().probe(&clip());
    assert!(probed.is_sound());
    assert_text(&probed, include_str!("tests/sound.txt"));
}

#[test]
fn a_recording_tells_where_it_belongs_and_what_it_lost() {
    let recorded = Files::new().probe(&segment());
    let text = text::report(&recorded);
    let lines = text.split_once("  recording").unwrap().1.split_once("  metadata").unwrap().0;
    let lines = format!("  recording{lines}");
    assert_eq!(lines, include_str!("tests/recording.txt"), "\n{lines}");
    assert!(!text.contains("gapTimes") && !text.contains("recordingId"), "told once: {text}");
    let object = json::object(&recorded);
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("tests/recording.json")).unwrap();
    let told = serde_json::json!({
        "complete": object["complete"],
        "recording": object["recording"],
        "ledger": object["ledger"],
    });
    assert_eq!(told, expected, "\n{told:#}");
}

#[test]
fn the_object_of_a_sound_file_has_stable_names() {
    let probed = Files::new().probe(&clip());
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("tests/sound.json")).unwrap();
    let object = json::object(&probed);
    assert_eq!(object, expected, "\n{object:#}");
}

#[test]
fn every_fault_has_its_place_and_its_meaning() {
    let mut bytes = clip();
    // A wrong size after the tenth tag, a time that goes back, and an end that is missing.
    let size = tag_at(&bytes, 10) - 1;
    bytes[size] ^= 1;
    let back = tag_at(&bytes, 60);
    bytes[back + 4..back + 7].fill(0);
    bytes.truncate(bytes.len() - 100);
    let probed = Files::new().probe(&bytes);
    assert!(!probed.is_sound());
    assert_eq!(probed.report.fault_count, 3);
    let text = text::report(&probed);
    let faults = text.split_once("  faults      ").unwrap().1;
    assert_eq!(faults, include_str!("tests/faults.txt"), "\n{faults}");
}

#[test]
fn many_faults_are_cut_and_counted() {
    let mut bytes = clip();
    for n in 3..3 + 70 {
        let size = tag_at(&bytes, n) - 1;
        bytes[size] ^= 1;
    }
    let probed = Files::new().probe(&bytes);
    let text = text::report(&probed);
    assert_eq!(text.matches("PreviousTagSize").count(), 50);
    assert!(text.ends_with("              and 20 more\n"), "{text}");
}

#[test]
fn what_is_no_flv_file_is_not_called_a_damaged_one() {
    let files = Files::new();
    for bytes in [&b"not a video, whatever its name says"[..], b"", &[0; 100_000]] {
        let probed = probe(&files.add("clip.flv", bytes)).unwrap();
        let failure = probed.of_flv().err().expect("nothing of an FLV file");
        assert_eq!(failure.to_string(), "neither an FLV nor an MP4 file");
        assert_eq!(json::unreadable("x", &failure)["error"], "neither an FLV nor an MP4 file");
    }
    let clip = clip();
    let headless = [b"XYZ", &clip[3..]].concat();
    for bytes in [&clip[..5], &clip[..20], &headless] {
        assert!(probe(&files.add("clip.flv", bytes)).unwrap().of_flv().is_ok());
    }
}

#[test]
fn an_empty_file_and_every_torn_one_are_reported() {
    let files = Files::new();
    let clip = clip();
    for end in (0..300).chain((300..clip.len()).step_by(997)) {
        let probed = files.probe(&clip[..end]);
        let text = text::report(&probed);
        assert_eq!(probed.size_bytes, end as u64);
        assert!(text.ends_with('\n') && text.contains("  faults  "), "{end}: {text}");
        json::object(&probed);
    }
    assert!(!files.probe(&clip[..5_000]).is_sound());
}

#[test]
fn the_torn_end_of_a_growing_file_is_no_fault() {
    let files = Files::new();
    let bytes = clip();
    let cut = bytes.len() - 100;
    let path = files.add("growing.flv", &bytes[..cut]);
    let mut file = File::open(&path).unwrap();
    let (report, size_bytes) = scan(&mut file, &ProgressBar::hidden()).unwrap();
    assert!(!grows(&file, size_bytes).unwrap(), "nobody has written to it for long");
    fs::write(&path, &bytes[..cut + 50]).unwrap();
    let is_growing = grows(&file, size_bytes).unwrap();
    let probed = Probed { path: "growing.flv".to_owned(), size_bytes, is_growing, report };
    assert!(probed.is_growing && probed.is_sound());
    let text = text::report(&probed);
    assert!(
        text.contains("  growing     the file is being written: its last tag is not whole"),
        "{text}"
    );
    assert!(text.ends_with("  faults      none\n"), "{text}");
    let object = json::object(&probed);
    assert_eq!((&object["growing"], &object["clean"]), (&true.into(), &true.into()));
}

#[test]
fn a_writer_that_pauses_between_two_writes_is_waited_for() {
    let files = Files::new();
    let bytes = clip();
    let path = files.add("growing.flv", &bytes[..5_000]);
    // Now: as if it had just been written.
    let mut writer = File::options().append(true).open(&path).unwrap();
    writer.set_modified(std::time::SystemTime::now()).unwrap();
    let is_growing = std::thread::scope(|scope| {
        let probing = scope.spawn(|| probe(&path).unwrap().is_growing);
        for byte in &bytes[5_000..] {
            if probing.is_finished() {
                break;
            }
            std::thread::sleep(GROWTH / 20);
            writer.write_all(&[*byte]).unwrap();
        }
        probing.join().unwrap()
    });
    assert!(is_growing);
}

#[test]
fn long_bodies_are_passed_over_with_the_same_report() {
    let files = Files::new();
    let mut bytes = clip();
    let header = TagHeader::new(9, 3_000_000, 4_000);
    bytes.extend(header.encode());
    bytes.extend(body(&[0x17, 1, 0, 0, 0], 3_000_000));
    bytes.extend(header.tag_size().to_be_bytes());
    let whole = files.probe(&bytes);
    assert_eq!(whole.size_bytes, bytes.len() as u64);
    assert_eq!(whole.report.fault_count, 0, "{:?}", whole.report.faults);
    let mut scanner = media::flv::scan::Scanner::new(Bodies::Keep);
    scanner.push(&bytes);
    scanner.finish();
    let mut probe = probe::Probe::new();
    while let Some(item) = scanner.poll() {
        probe.push(&item);
    }
    assert_eq!(probe.finish(), whole.report);
    // Cut off in the middle of what is passed over.
    let torn = files.probe(&bytes[..bytes.len() - 1_000_000]);
    assert_eq!(torn.size_bytes, bytes.len() as u64 - 1_000_000);
    assert!(torn.report.is_truncated());
}

#[test]
fn each_file_has_an_object_on_a_line_and_all_must_be_sound() {
    let files = Files::new();
    let bytes = clip();
    let sound = files.add("sound.flv", &bytes);
    let torn = files.add("torn.flv", &bytes[..5_000]);
    let clean = |files: &[&Path]| {
        let files: Vec<_> = files.iter().map(|path| path.to_path_buf()).collect();
        let (names, mut out) = (files.clone(), Vec::new());
        let all_sound = Probe { files, json: true }.print(&mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        let objects: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for (object, name) in objects.iter().zip(names) {
            assert_eq!(object["file"], name.to_str().unwrap());
            assert_eq!(object["error"].is_string(), !name.exists());
        }
        let each: Vec<_> = objects.iter().map(|o| o["clean"].as_bool().unwrap()).collect();
        (all_sound, each)
    };
    assert_eq!(clean(&[&sound]), (true, vec![true]));
    assert_eq!(clean(&[&sound, &torn]), (false, vec![true, false]));
    assert_eq!(clean(&[Path::new("no/such.flv"), &sound]), (false, vec![false, true]));
}

#[test]
fn reports_for_people_are_set_apart_by_an_empty_line() {
    let files = Files::new();
    let path = files.add("sound.flv", &clip());
    let mut out = Vec::new();
    let probe = Probe { files: vec![path.clone(), path.clone()], json: false };
    assert!(probe.print(&mut out).unwrap());
    let one = text::report(&super::probe(&path).unwrap());
    assert_eq!(String::from_utf8(out).unwrap(), format!("{one}\n{one}"));
}

/// Two tracks of HDR video and two of sound in all the forms of Enhanced RTMP.
fn enhanced() -> Vec<u8> {
    let object = |name: &str, value: Amf| Amf::Object(vec![(name.to_owned(), value)]);
    let numbers = |pairs: &[(&str, f64)]| {
        Amf::Object(pairs.iter().map(|(name, n)| ((*name).to_owned(), (*n).into())).collect())
    };
    let mut colors = b"\x94hvc1".to_vec();
    media::amf0::encode_string("colorInfo", &mut colors);
    let config = [
        ("bitDepth", 10.0),
        ("colorPrimaries", 9.0),
        ("transferCharacteristics", 16.0),
        ("matrixCoefficients", 9.0),
    ];
    let mut info = object("colorConfig", numbers(&config));
    if let Amf::Object(info) = &mut info {
        info.push(("hdrCll".to_owned(), numbers(&[("maxFall", 400.0), ("maxCLL", 1_000.0)])));
        info.push(("hdrMdcv".to_owned(), numbers(&[("maxLuminance", 4_000.0)])));
    }
    media::amf0::encode(&info, &mut colors);
    let messages: [(Kind, &[u8]); 18] = [
        (Kind::Video, &colors),
        (Kind::Video, b"\x90hvc1\x01"),
        (Kind::Video, b"\x96\x00vp09\x01\x00\x0a\x82\x02\x02\x02\x00\x00"),
        (Kind::Audio, b"\x90OpusOpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01"),
        (Kind::Audio, b"\x94Opus\x01\x06\x00\x00\x00\x3f"),
        (Kind::Audio, b"\x95\x21Opus\x00\x00\x00\x01Azzzz\x01\x00\x00\x02BC"),
        (Kind::Video, b"\x97\x02\x00\x00\x05\x03hvc1K"),
        (Kind::Video, b"\x96\x03vp09\x01K"),
        (Kind::Video, b"\xa7\x02\x0f\x42\x3f\x07\x00\xee\x13hvc1F"),
        (Kind::Video, b"\xa6\x33vp09\x01F"),
        (Kind::Audio, b"\x95\x22Opus\x00\x00\x00\x00zzzz\x01\x00\x00\x00"),
        (Kind::Video, b"\x92hvc1"),
        (Kind::Video, b"\xd0\x00"),
        (Kind::Video, b"\xd0\x01"),
        (Kind::Video, b"\xd0"),
        (Kind::Video, b"\x96\x05av01\x02\x80\x04\x81\x08\x4c\x00"),
        (Kind::Video, b"\xaahvc1F"),
        (Kind::Audio, b"\x9fOpusF"),
    ];
    let (mut muxer, mut out) =
        (Muxer::new(Options { reserve_bytes: 2_048, ..Options::default() }), Chunks::new());
    for (n, (kind, body)) in (0..).zip(messages) {
        let packet = Packet::new(kind, 0, Bytes::copy_from_slice(body));
        muxer.push(&packet, n * 40, &mut out).unwrap();
    }
    out.to_vec()
}

#[test]
fn all_that_enhanced_rtmp_says_is_told() {
    let probed = Files::new().probe(&enhanced());
    assert!(probed.is_sound());
    let text = text::report(&probed);
    let shown = |line: &&str| {
        let labels = ["tracks", "enhanced", "unreadable", "faults"];
        labels.iter().any(|label| line.trim_start().starts_with(label))
            || line.starts_with("              ")
                && (line.contains("video ") || line.contains("audio"))
    };
    let lines: String = text.lines().filter(shown).map(|line| format!("{line}\n")).collect();
    assert_eq!(lines, include_str!("tests/enhanced.txt"), "\n{lines}");
    let object = json::object(&probed);
    let told: Vec<_> =
        object["tracks"].as_array().unwrap().iter().map(|t| &t["enhanced"]).collect();
    let told = serde_json::json!({
        "tracks": told,
        "unreadable_messages": object["unreadable_messages"],
        "first_unreadable": object["first_unreadable"],
    });
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("tests/enhanced.json")).unwrap();
    assert_eq!(told, expected, "\n{told:#}");
}
