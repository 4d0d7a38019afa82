use super::*;
use crate::{
    Chunks, Header,
    flv::{
        mux::{Muxer, Options},
        scan::{Bodies, Scanner},
    },
};

fn report(bytes: &[u8]) -> Report {
    let (mut scanner, mut probe) = (Scanner::new(Bodies::Skip), Probe::new());
    scanner.push(bytes);
    scanner.finish();
    while let Some(item) = scanner.poll() {
        probe.push(&item);
    }
    probe.finish()
}

fn packet(kind: Kind, body: &[u8]) -> Packet {
    Packet::new(kind, 0, bytes::Bytes::copy_from_slice(body))
}

/// Ten seconds at 25 frames a second, a key frame each second, sound every 20 ms; patched as at its
/// end.
fn recording(has_video: bool) -> Vec<u8> {
    let mut muxer = Muxer::new(Options {
        reserve_bytes: 4_096,
        extra: vec![("recordingid".to_owned(), Value::from("r1"))],
        ..Options::default()
    });
    let mut out = Chunks::new();
    muxer.start(&Header::default(), &mut out);
    let avc = b"\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe0\x00";
    let mut put = |packet: Packet, time_ms| muxer.push(&packet, time_ms, &mut out).unwrap();
    if has_video {
        put(packet(Kind::Video, avc), 0);
    }
    put(packet(Kind::Audio, b"\xaf\x00\x12\x10"), 0);
    for i in 0..500_u64 {
        put(packet(Kind::Audio, &[&b"\xaf\x01"[..], &[0x21; 98]].concat()), i * 20);
        if has_video && i % 2 == 0 {
            let head: &[u8] = match i % 50 {
                0 => b"\x17\x01\x00\x00\x50",
                _ => b"\x27\x01\xff\xff\xd8",
            };
            put(packet(Kind::Video, &[head, &[0xA5; 995]].concat()), i * 20);
        }
    }
    let mut bytes = out.to_vec();
    for patch in muxer.patches() {
        let at = usize::try_from(patch.offset).unwrap();
        bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    bytes
}

#[test]
fn a_recording_is_described() {
    let bytes = recording(true);
    let report = report(&bytes);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.duration_ms, report.last_ms, report.tags), (10_000, 9_980, 753));
    assert_eq!(report.tag_bytes + 13, u64::try_from(bytes.len()).unwrap());
    assert_eq!(report.metadata_count, 1);
    let names: Vec<_> = report.metadata.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"recordingid") && names.contains(&"duration"));
    assert!(!names.iter().any(|name| name.starts_with("padding") || *name == "keyframes"));
    assert_eq!(report.index, IndexCheck::True { entries: 10 });

    let [video, audio] = &report.tracks[..] else { panic!("{:?}", report.tracks) };
    assert_eq!((video.kind, video.id, video.frames, video.configs), (Kind::Video, 0, 250, 1));
    assert_eq!((video.keys, video.key_interval_max_ms), (10, 1_000));
    assert_eq!(video.key_interval_mean_ms(), Some(1_000.0));
    assert_eq!(video.composition_time_ms, Some((-40, 80)));
    assert_eq!(video.frame_rate(), Some(25.0));
    assert_eq!(video.duration_ms(), 10_000);
    assert_eq!(video.bit_rate(), Some((250.0 * 1_000.0 + 12.0) * 8.0 / 10.0));
    let Codec::Video(info) = &video.codec else { panic!("{:?}", video.codec) };
    assert_eq!(info.codec, VideoCodec::Avc);

    assert_eq!((audio.kind, audio.frames, audio.keys), (Kind::Audio, 500, 0));
    let Codec::Audio(info) = &audio.codec else { panic!("{:?}", audio.codec) };
    assert_eq!((info.codec, info.sample_rate_hz, info.channels), (AudioCodec::Aac, 44_100, 2));
}

#[test]
fn an_index_of_audio_is_right_where_there_is_no_video() {
    let report = report(&recording(false));
    assert_eq!(report.index, IndexCheck::True { entries: 5 });
    assert!(report.is_sound());
    assert_eq!(report.tracks.len(), 1);
}

#[test]
fn an_index_that_points_beside_its_tags_is_found_out() {
    let mut bytes = recording(true);
    // A byte more in front of the first media tag moves all of them.
    let at = 13 + 4_096;
    bytes.splice(at..at, [0xEE]);
    let report = report(&bytes);
    assert_eq!(report.index, IndexCheck::Wrong { entries: 10, wrong: 10 });
    assert!(!report.is_sound());
    assert_eq!(report.fault_count, 1);
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    let bytes = recording(true);
    let report = report(&bytes[..bytes.len() - 100]);
    assert!(report.is_truncated());
    assert_eq!(report.fault_count, 1);
}

#[test]
fn faults_are_counted_all_and_kept_up_to_a_bound() {
    let mut probe = Probe::new();
    for offset in 0..5_000 {
        probe.push(&Item::Fault(Fault { offset, kind: FaultKind::Reserved }));
    }
    let report = probe.finish();
    assert_eq!((report.fault_count, report.faults.len()), (5_000, Report::FAULTS_MAX));
    assert_eq!(report.faults.last().map(|fault| fault.offset), Some(4_999));
}

#[test]
fn nothing_at_all_is_reported_without_numbers() {
    let report = report(b"");
    assert!(report.tracks.is_empty() && report.header.is_none());
    assert_eq!((report.duration_ms, report.index), (0, IndexCheck::None));
    assert!(report.is_truncated());
}
