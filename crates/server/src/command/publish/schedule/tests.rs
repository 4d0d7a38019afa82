use super::*;

const AUDIO_CONFIG: &[u8] = &[0xaf, 0, 0x12, 0x10];
const AUDIO: &[u8] = &[0xaf, 1, 1, 2, 3];
const VIDEO_CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 1];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 2];
const VIDEO_END: &[u8] = &[0x17, 2, 0, 0, 0];

fn packet(kind: Kind, at_ms: i64, body: &'static [u8]) -> Packet {
    Packet::new(kind, at_ms, Bytes::from_static(body))
}

/// Metadata, configurations, and four frames of video and five of audio: 160 ms of video, 115 ms of
/// audio.
fn clip(first_ms: i64) -> Vec<Packet> {
    let mut frames = vec![
        packet(Kind::Video, 0, VIDEO_CONFIG),
        packet(Kind::Audio, 0, AUDIO_CONFIG),
        packet(Kind::Video, first_ms, KEY),
    ];
    frames.extend((0..5).map(|i| packet(Kind::Audio, first_ms + i * 23, AUDIO)));
    frames.extend((1..4).map(|i| packet(Kind::Video, first_ms + i * 40, INTER)));
    frames.push(packet(Kind::Video, first_ms + 120, VIDEO_END));
    frames
}

/// What is sent of `clip`, published as often as `times` says (at most five times).
fn publish(clip: &[Packet], times: &str) -> Vec<Packet> {
    let mut passes = Passes::new(times.parse().unwrap());
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.extend(clip.iter().filter_map(|packet| passes.place(packet.clone())));
        if !passes.has_more() || !passes.start_again() {
            break;
        }
    }
    sent
}

fn times_of(packets: &[Packet], body: &[u8]) -> Vec<i64> {
    packets.iter().filter(|p| p.body == body).map(|p| p.dts_ms).collect()
}

#[test]
fn one_pass_sends_every_packet_from_time_0() {
    for first_ms in [0, 3_600_000] {
        let clip = clip(first_ms);
        let sent = publish(&clip, "1");
        let bodies =
            |packets: &[Packet]| packets.iter().map(|p| p.body.clone()).collect::<Vec<_>>();
        assert_eq!(bodies(&sent), bodies(&clip));
        assert_eq!(times_of(&sent, KEY), [0]);
        assert_eq!(times_of(&sent, INTER), [40, 80, 120]);
        assert_eq!(times_of(&sent, VIDEO_CONFIG), [0]);
    }
}

#[test]
fn times_go_on_across_the_seam_as_if_the_clip_were_longer() {
    let sent = publish(&clip(500), "3");
    assert_eq!(times_of(&sent, KEY), [0, 160, 320]);
    assert_eq!(times_of(&sent, INTER), [40, 80, 120, 200, 240, 280, 360, 400, 440]);
    assert_eq!(times_of(&sent, AUDIO).get(5..7), Some(&[160, 183][..]));
}

#[test]
fn headers_are_sent_again_only_when_they_differ() {
    assert_eq!(times_of(&publish(&clip(0), "3"), VIDEO_CONFIG), [0]);
    assert_eq!(times_of(&publish(&clip(0), "3"), AUDIO_CONFIG), [0]);
    // Changes in the middle, so it changes back at each seam.
    let other: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x4d, 0, 0x1f];
    let mut changing = clip(0);
    changing.insert(5, packet(Kind::Video, 60, other));
    let sent = publish(&changing, "2");
    assert_eq!(times_of(&sent, VIDEO_CONFIG).len(), 2);
    assert_eq!(times_of(&sent, other).len(), 2);
    // Within a pass the file is followed, also where it repeats itself.
    let mut repeating = clip(0);
    repeating.insert(5, packet(Kind::Video, 60, VIDEO_CONFIG));
    assert_eq!(times_of(&publish(&repeating, "1"), VIDEO_CONFIG).len(), 2);
}

#[test]
fn the_end_of_the_sequence_is_sent_at_the_very_end_only() {
    assert_eq!(times_of(&publish(&clip(0), "3"), VIDEO_END), [440]);
    assert_eq!(times_of(&publish(&clip(0), "forever"), VIDEO_END), [0; 0]);
}

#[test]
fn a_clip_of_one_frame_does_not_stand_still() {
    let one = [packet(Kind::Video, 7, KEY)];
    assert_eq!(times_of(&publish(&one, "3"), KEY), [0, 40, 80]);
}

#[test]
fn a_clip_without_frames_is_not_repeated() {
    let mut passes = Passes::new("forever".parse().unwrap());
    passes.place(packet(Kind::Video, 0, VIDEO_CONFIG));
    assert!(passes.has_more());
    assert!(!passes.start_again());
}

#[test]
fn a_pause_before_the_end_is_not_taken_for_a_long_last_frame() {
    let slow = [packet(Kind::Video, 0, KEY), packet(Kind::Video, 60_000, INTER)];
    assert_eq!(times_of(&publish(&slow, "2"), KEY), [0, 61_000]);
}

#[test]
fn what_is_only_true_of_a_file_is_taken_off_the_metadata() {
    let properties = |names: &[&str]| {
        names.iter().map(|name| ((*name).to_owned(), Value::Number(1.0))).collect::<Vec<_>>()
    };
    let mut body = Vec::new();
    amf0::encode(&"onMetaData".into(), &mut body);
    let of_file = [
        "duration",
        "width",
        "filesize",
        "keyframes",
        "trackPlaces",
        "padding",
        "title",
        "lasttimestamp",
    ];
    amf0::encode(&Value::EcmaArray(properties(&of_file)), &mut body);
    let sent = live_metadata(Packet::new(Kind::Data, 0, body.into()));
    assert_eq!(sent.role, Role::Metadata);
    let left = meta::properties(&sent.body, Limits::default()).unwrap();
    assert_eq!(left, properties(&["width", "title"]));
}

#[test]
fn metadata_that_cannot_be_read_and_other_data_stay_as_they_are() {
    for body in [&b"\x02\x00\x0aonMetaData\xff"[..], b"\x02\x00\x0aonCuePoint\x05", b""] {
        assert_eq!(live_metadata(packet(Kind::Data, 5, body)), packet(Kind::Data, 5, body));
    }
}

#[test]
fn packets_are_due_by_the_stream_clock_over_the_speed() {
    let origin = Instant::now();
    let of = |speed: &str, packet: &Packet| {
        let due = Pacer::new(speed.parse().unwrap(), origin).due(packet);
        due.map(|due| due.duration_since(origin).as_millis())
    };
    let due = |speed, at_ms| of(speed, &packet(Kind::Video, at_ms, KEY));
    assert_eq!(due("1", 0), Some(0));
    assert_eq!(due("1", 10_000), Some(10_000));
    assert_eq!(due("2.0", 10_000), Some(5_000));
    assert_eq!(due("0.5x", 10_000), Some(20_000));
    assert_eq!(due("max", 10_000), None);
    // Not a time of a stream: at once, not a panic.
    assert_eq!(due("1", -1), None);
    // Ahead of the frames behind it, which are not to wait for it.
    assert_eq!(of("1", &packet(Kind::Data, 900, b"\x02\x00\x0aonCuePoint\x05")), None);
    // Perhaps beyond what the clock of this system can show.
    assert!(due("0.01", i64::MAX).is_none_or(|ms| ms > 1 << 62));
}

#[test]
fn speeds_and_times_outside_their_range_are_refused() {
    for text in ["", "0", "-1", "nan", "inf", "101", "0.001", "fast", "x", "MAX"] {
        assert!(text.parse::<Speed>().is_err(), "{text}");
    }
    for text in ["", "0", "-1", "1000001", "1.5", "x"] {
        assert!(text.parse::<Times>().is_err(), "{text}");
    }
    assert_eq!("1000000".parse(), Ok(Times(Some(1_000_000))));
}

#[test]
fn times_only_grow_whatever_the_source() {
    // Knuth's generator: the same clips on every machine.
    let mut state = 1u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 32).unwrap()
    };
    for case in 0..200 {
        let clip: Vec<_> = (0..1 + case % 20)
            .map(|_| {
                // Some clips jump all over the clock, some jitter.
                let at_ms = i64::from(random() >> (case % 32));
                match random() % 2 {
                    0 => packet(Kind::Video, at_ms, INTER),
                    _ => packet(Kind::Audio, at_ms, AUDIO),
                }
            })
            .collect();
        let sent = publish(&clip, "forever");
        assert_eq!(sent.len(), clip.len() * 5);
        for kind in [Kind::Video, Kind::Audio] {
            let times: Vec<_> = sent.iter().filter(|p| p.kind == kind).map(|p| p.dts_ms).collect();
            assert!(times.is_sorted(), "case {case}: {times:?}");
            assert!(times.iter().all(|&at_ms| at_ms >= 0), "case {case}: {times:?}");
        }
    }
}
