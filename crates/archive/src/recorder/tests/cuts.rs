//! Segments joined are the stream, wherever it is cut.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use media::{Kind, Packet, Role};
use proptest::prelude::*;

use crate::config::Rotation;
use crate::disk::fake::FakeDisk;
use crate::events::Finished;
use crate::testing::{
    Rig, Stream, audio, audio_config, clip, scan, second, video, video_config, wait_until,
};
use crate::{Config, Cut};

fn rig(rotation: Rotation) -> Rig {
    let config = Config { rotation, rejoin: Duration::ZERO, ..Config::default() };
    Rig::with(FakeDisk::default(), config)
}

/// Cuts wherever one can be made.
fn always() -> Rotation {
    Rotation { duration: Some(Duration::ZERO), ..Rotation::default() }
}

fn record(name: &str, rotation: Rotation, packets: Vec<Packet>) -> Vec<Finished> {
    let rig = rig(rotation);
    let sent = rig.record(Stream::publish("cuts", name), packets);
    let finished = rig.take_finished();
    check(&rig, &finished, &sent);
    finished
}

/// The segments joined are what was sent; each plays alone; the clock of the recording has no hole.
pub(super) fn check(rig: &Rig, segments: &[Finished], sent: &[Packet]) {
    let files = rig.disk.files();
    let mut rest = sent.iter().filter(|p| p.kind != Kind::Data);
    // What a decoder of the stream knows of each track.
    let mut known: HashMap<(Kind, u8), Bytes> = HashMap::new();
    let (mut clock_ms, mut received) = (0, 0);
    for (n, segment) in segments.iter().enumerate() {
        assert_eq!((segment.about.segment as usize, segment.about.first_packet), (n + 1, received));
        assert_eq!((segment.about.start_ms, segment.about.gap_before), (clock_ms, None));
        assert!(segment.ledger.is_balanced(), "{:?}", segment.ledger);
        clock_ms += segment.length_ms;
        received += segment.ledger.received.packets;
        let packets = scan(&files[&segment.path]);
        let repeated = usize::try_from(segment.ledger.repeated_packets).unwrap();
        let (repeated, own) = packets.split_at(repeated);
        let mut here: HashMap<_, _> =
            repeated.iter().map(|p| ((p.kind, p.track), p.body.clone())).collect();
        assert_eq!(here.len(), repeated.len(), "nothing is repeated twice");
        let mut first = true;
        for packet in own {
            let sent = rest.next().expect("no packet is in two files");
            assert_eq!((packet.kind, &packet.body), (sent.kind, &sent.body));
            let track = (sent.kind, sent.track);
            if sent.role == Role::Config {
                let is_repeated = first && repeated.iter().any(|p| (p.kind, p.track) == track);
                assert!(!is_repeated, "what begins a file is not in its header as well");
                known.insert(track, sent.body.clone());
                here.insert(track, sent.body.clone());
            }
            if packet.is_media() {
                assert_eq!(here.get(&track), known.get(&track), "{track:?} in segment {}", n + 1);
                assert!(!std::mem::take(&mut first) || packet.dts_ms == 0, "{packet:?}");
            }
        }
    }
    assert_eq!(rest.next(), None, "no packet is lost");
    assert_eq!(received, sent.len() as u64);
    let budgeted = |s: &&Finished| matches!(s.about.cut, Cut::Configuration | Cut::TimeJump);
    assert!(segments.iter().filter(budgeted).count() <= 4);
}

fn cuts(segments: &[Finished]) -> Vec<Cut> {
    segments.iter().map(|segment| segment.about.cut).collect()
}

#[test]
fn a_cut_at_every_key_frame_loses_nothing() {
    let segments = record("keys", always(), clip(20));
    assert_eq!(segments.len(), 20);
    assert!(
        segments.iter().all(|segment| segment.length_ms == 1_000 || segment.about.segment == 20)
    );
    assert_eq!(segments[0].ledger.repeated_packets, 0);
    assert!(segments[1..].iter().all(|segment| segment.ledger.repeated_packets == 2));
}

#[test]
fn a_cut_at_every_packet_of_a_stream_without_video_loses_nothing() {
    let packets = (0..200).map(|n| audio(n * 23, 150));
    let segments = record("audio", always(), [audio_config()].into_iter().chain(packets).collect());
    assert_eq!(segments.len(), 200);
}

#[test]
fn a_stream_without_key_frames_is_cut_a_minute_late() {
    let mut packets = vec![video_config(1), audio_config(), video(0, true, 100)];
    packets.extend((1..250).flat_map(|n| [video(n * 1_000, false, 100), audio(n * 1_000 + 9, 20)]));
    let segments = record("keyless", always(), packets);
    let starts: Vec<_> = segments.iter().map(|segment| segment.about.start_ms).collect();
    // Each is due with the second coded packet of its file.
    assert_eq!(starts, [0, 61_000, 121_009, 182_000, 242_009]);
}

#[test]
fn size_marks_and_schedule_cut() {
    let size = Rotation { size_bytes: Some(50_000), ..Rotation::default() };
    let segments = record("size", size, clip(10));
    assert!(segments.len() > 2 && cuts(&segments)[1..].iter().all(|cut| *cut == Cut::Size));
    assert!(
        segments[..segments.len() - 1].iter().all(|s| (50_000..70_000).contains(&s.size_bytes))
    );

    let rules = [
        (Rotation { every: Some("15m".parse().unwrap()), ..Rotation::default() }, Cut::Mark),
        (
            Rotation { schedule: Some("45 * * * *".parse().unwrap()), ..Rotation::default() },
            Cut::Schedule,
        ),
    ];
    for (rotation, cut) in rules {
        let rig = rig(rotation);
        let mut stream = Stream::publish("cuts", cut.name());
        rig.start(&stream);
        for part in [clip(2), (2..4).flat_map(second).collect(), (4..6).flat_map(second).collect()]
        {
            stream.push(part);
            rig.wait_for_packets(stream.sent.len() as u64);
            // 14:38, 14:46, 14:54: one mark is passed.
            rig.clock.advance(Duration::from_secs(8 * 60));
        }
        let sent = std::mem::take(&mut stream.sent);
        drop(stream);
        rig.wait_for_end();
        let segments = rig.take_finished();
        check(&rig, &segments, &sent);
        assert_eq!(cuts(&segments), [Cut::Start, cut]);
        assert_eq!(segments[1].about.start_ms, 4_000);
    }
}

#[test]
fn a_new_configuration_begins_a_file_and_a_repeated_one_does_not() {
    let mut packets = clip(2);
    packets.extend([video_config(1), audio_config()]);
    packets.extend(second(2));
    // Between the configuration and its key frame there may be audio.
    packets.extend([audio(2_990, 20), video_config(2), audio(2_995, 20)]);
    packets.extend(second(3));
    let segments = record("configuration", Rotation::default(), packets);
    assert_eq!(cuts(&segments), [Cut::Start, Cut::Configuration]);
    // The new configuration is not repeated from the header: it is part of the file.
    assert_eq!(segments[1].ledger.repeated_packets, 1);
    assert_eq!(segments[1].about.start_ms, 2_995);
}

#[test]
fn bursts_of_configurations_do_not_shatter_a_recording() {
    let mut packets = clip(1);
    packets.extend((1..40).flat_map(|n| {
        let mark = u8::try_from(n).unwrap();
        [video_config(mark), video_config(mark + 100)].into_iter().chain(second(n))
    }));
    let segments = record("burst", Rotation::default(), packets);
    assert_eq!(cuts(&segments)[1..], [Cut::Configuration; 4]);
}

#[test]
fn a_new_clock_begins_a_file_that_starts_at_zero() {
    let jump = |by_ms: i64| {
        let later = (2..4).flat_map(second).map(move |p| Packet { dts_ms: p.dts_ms + by_ms, ..p });
        clip(2).into_iter().chain(later).collect::<Vec<_>>()
    };
    for by_ms in [-1_000_000, 100_000_000] {
        let segments = record(&format!("jump{by_ms}"), Rotation::default(), jump(by_ms));
        assert_eq!(cuts(&segments), [Cut::Start, Cut::TimeJump]);
    }
}

#[test]
fn a_codec_that_has_no_configuration_is_told_by_its_frames() {
    let mp3 = |n: i64, flags: u8| {
        Packet::new(Kind::Audio, n * 26, [flags, 0xff, 0xfb, 0x90, 0].into_iter().collect())
    };
    let packets = (0..20).map(|n| mp3(n, if n < 10 { 0x2f } else { 0x2e })).collect();
    assert_eq!(
        cuts(&record("mp3", Rotation::default(), packets)),
        [Cut::Start, Cut::Configuration]
    );
    let vp8 = |n: i64, width: u8| {
        let frame = [0x91, b'v', b'p', b'0', b'8', 0x10, 0, 0, 0x9d, 1, 0x2a, width, 1, 0xf0, 0];
        Packet::new(Kind::Video, n * 40, frame.into_iter().collect())
    };
    let packets = (0..20).map(|n| vp8(n, if n < 10 { 0x40 } else { 0x80 })).collect();
    assert_eq!(
        cuts(&record("vp8", Rotation::default(), packets)),
        [Cut::Start, Cut::Configuration]
    );
}

/// One of the first, or of the second, video track (E-RTMP v2 "Multitrack").
fn second_track(dts_ms: i64, packet_type: u8, mark: u8) -> Packet {
    let body = [0x96, packet_type, b'h', b'v', b'c', b'1', 1, 0, 0, 0, mark];
    Packet::new(Kind::Video, dts_ms, Bytes::copy_from_slice(&body))
}

fn cue_point(dts_ms: i64) -> Packet {
    Packet::new(Kind::Data, dts_ms, Bytes::from_static(b"\x02\x00\x0aonCuePoint\x05"))
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    Key,
    Frame,
    Audio,
    VideoConfig(u8),
    AudioConfig(u8),
    Second(u8),
    Cue(i64),
    Jump(i64),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Key),
        12 => Just(Op::Frame),
        12 => Just(Op::Audio),
        2 => (0u8..3).prop_map(Op::VideoConfig),
        1 => (0u8..3).prop_map(Op::AudioConfig),
        1 => (0u8..3).prop_map(Op::Second),
        1 => (-1_200i64..1_200).prop_map(Op::Cue),
        1 => prop_oneof![Just(-50_000i64), Just(-300), Just(700), Just(4_000_000)].prop_map(Op::Jump),
    ]
}

/// A frame that is like no other, though the clock may come by the same time again.
fn numbered(frame: Packet, number: usize) -> Packet {
    let number = u64::try_from(number).unwrap().to_be_bytes();
    Packet { body: frame.body.iter().copied().chain(number).collect(), ..frame }
}

pub(super) fn stream_of(ops: &[Op], with_video: bool) -> Vec<Packet> {
    let mut at_ms = 0;
    let mut packets = vec![audio_config()];
    if with_video {
        packets.push(video_config(0));
    }
    for op in ops {
        at_ms += 17;
        let is_video = !matches!(op, Op::Audio | Op::AudioConfig(_) | Op::Cue(_) | Op::Jump(_));
        if is_video && !with_video {
            continue;
        }
        packets.push(match op {
            Op::Key => numbered(video(at_ms, true, 40), packets.len()),
            Op::Frame => numbered(video(at_ms, false, 30), packets.len()),
            Op::Audio => numbered(audio(at_ms, 10), packets.len()),
            Op::VideoConfig(mark) => Packet { dts_ms: at_ms, ..video_config(*mark) },
            Op::AudioConfig(mark) => {
                Packet::new(Kind::Audio, at_ms, Bytes::copy_from_slice(&[0xaf, 0, 0x12, *mark]))
            }
            Op::Second(0) => second_track(at_ms, 0, 7),
            Op::Second(1) => second_track(at_ms, 0, 1),
            Op::Second(mark) => numbered(second_track(at_ms, 1, *mark), packets.len()),
            Op::Cue(by_ms) => cue_point(at_ms + by_ms),
            Op::Jump(by_ms) => {
                at_ms += by_ms;
                continue;
            }
        });
    }
    packets
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]
    #[test]
    fn any_stream_cut_by_any_rule_loses_nothing(
        ops in proptest::collection::vec(op(), 1..300),
        with_video in any::<bool>(),
        duration_ms in proptest::option::of(0u64..3_000),
        size_bytes in proptest::option::of(1u64..60_000),
    ) {
        let rotation = Rotation {
            duration: duration_ms.map(Duration::from_millis),
            size_bytes,
            ..Rotation::default()
        };
        record("any", rotation, stream_of(&ops, with_video));
    }
}

#[test]
fn a_cue_point_has_its_time_and_makes_no_file_longer() {
    let rotation = Rotation { duration: Some(Duration::from_secs(1)), ..Rotation::default() };
    let mut sent = vec![video_config(0)];
    for at_ms in (0..2_080).step_by(40) {
        sent.push(video(at_ms, at_ms % 1_000 == 0, 30));
        if at_ms == 960 {
            sent.push(cue_point(1_300));
            sent.push(cue_point(951));
        }
    }
    sent.push(cue_point(2_700));
    let segments = record("cue", rotation, sent);
    let lengths: Vec<u64> = segments.iter().map(|segment| segment.length_ms).collect();
    assert_eq!(lengths, [1_000, 1_000, 80]);
}

#[test]
fn a_file_that_waits_for_its_mark_is_not_cut_without_packets() {
    let rig = rig(Rotation { every: Some("15m".parse().unwrap()), ..Rotation::default() });
    let mut stream = Stream::publish("cuts", "idle");
    rig.start(&stream);
    stream.push(clip(1));
    rig.wait_for_packets(22);
    rig.clock.advance(Duration::from_secs(3_600));
    stream.push(second(1));
    rig.wait_for_packets(42);
    wait_until("the next file", || rig.file_names().len() == 2);
}
