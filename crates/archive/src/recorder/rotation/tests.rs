use super::*;
use crate::testing::{audio, video, video_config};

struct Stream {
    rotation: Rotation,
    header: Header,
    now: Instant,
}

impl Stream {
    /// A file has begun with a key frame.
    fn new(rules: config::Rotation) -> Self {
        let rotation = Rotation::new(rules, Duration::from_millis(500));
        let mut stream = Self { rotation, header: Header::default(), now: Instant::now() };
        for packet in [video_config(0), video(0, true, 9)] {
            assert_eq!(stream.see(&packet), Step::Write);
            stream.header.push(&packet);
        }
        stream
    }

    fn see(&mut self, packet: &Packet) -> Step {
        self.see_in(packet, Needs::Nothing)
    }

    fn see_in(&mut self, packet: &Packet, needs: Needs<'_>) -> Step {
        let time_ms = u64::try_from(packet.dts_ms).unwrap();
        let at = At {
            placed: Placed { time_ms, ..Placed::default() },
            size_bytes: 1_000,
            empty: time_ms == 0,
            now: self.now,
            header: &self.header,
            is_full: false,
            needs,
        };
        self.rotation.see(packet, &at)
    }

    fn config(&mut self, dts_ms: i64, mark: u8) -> Step {
        self.see(&Packet { dts_ms, ..video_config(mark) })
    }
}

#[test]
fn what_is_held_is_bounded_in_packets_bytes_and_time() {
    let mut stream = Stream::new(config::Rotation::default());
    assert_eq!(stream.config(100, 1), Step::Hold);
    for _ in 1..64 {
        assert_eq!(stream.see(&audio(110, 9)), Step::Hold);
    }
    assert_eq!(stream.see(&audio(110, 9)), Step::Write);
    assert_eq!(stream.rotation.take_held().len(), 64);

    assert_eq!(stream.config(200, 1), Step::Hold);
    assert_eq!(stream.see(&audio(210, 1 << 20)), Step::Write);
    assert_eq!(stream.rotation.take_held().len(), 1);

    assert_eq!(stream.config(300, 1), Step::Hold);
    assert_eq!(stream.see(&audio(800, 9)), Step::Hold);
    assert_eq!(stream.see(&audio(801, 9)), Step::Write);
    assert_eq!(stream.rotation.take_held().len(), 2);
    // It is due all the same.
    assert_eq!(stream.see(&video(900, true, 9)), Step::Cut(Cut::Configuration));
}

#[test]
fn a_configuration_without_its_key_frame_waits_for_the_next() {
    let mut stream = Stream::new(config::Rotation::default());
    assert_eq!(stream.config(100, 1), Step::Hold);
    assert_eq!(stream.see(&video(110, false, 9)), Step::Write);
    assert_eq!(stream.rotation.take_held().len(), 1);
    assert_eq!(stream.see(&video(200, false, 9)), Step::Write);
    assert_eq!(stream.see(&video(300, true, 9)), Step::Cut(Cut::Configuration));
}

#[test]
fn the_minute_allows_four_cuts_that_a_publisher_can_have_at_will() {
    let mut stream = Stream::new(config::Rotation::default());
    let cut = |stream: &mut Stream, n: u8| {
        let dts_ms = i64::from(n) * 1_000;
        assert_eq!(stream.config(dts_ms, n), Step::Hold);
        stream.rotation.take_held();
        let step = stream.see(&video(dts_ms, true, 9));
        if step != Step::Write {
            stream.rotation.begin(&Zoned::now());
        }
        step
    };
    for n in 1..=4 {
        assert_eq!(cut(&mut stream, n), Step::Cut(Cut::Configuration));
        stream.now += Duration::from_secs(1);
    }
    assert_eq!(cut(&mut stream, 5), Step::Write);
    stream.now += Duration::from_secs(55);
    assert_eq!(stream.see(&video(6_000, true, 9)), Step::Write);
    // A minute after the first of them. It was due all the time.
    stream.now += Duration::from_secs(1);
    assert_eq!(stream.see(&video(7_000, true, 9)), Step::Cut(Cut::Configuration));
}

#[test]
fn a_rule_does_not_wait_for_the_budget() {
    let duration = Some(Duration::from_secs(2));
    let mut stream = Stream::new(config::Rotation { duration, ..config::Rotation::default() });
    while stream.rotation.budget.take(stream.now) {}
    assert_eq!(stream.config(100, 1), Step::Hold);
    stream.rotation.take_held();
    assert_eq!(stream.see(&video(1_000, true, 9)), Step::Write);
    assert_eq!(stream.see(&video(2_000, true, 9)), Step::Cut(Cut::Duration));
}

#[test]
fn a_clock_that_is_set_back_moves_the_mark() {
    let every = Some("15m".parse().unwrap());
    let mut stream = Stream::new(config::Rotation { every, ..config::Rotation::default() });
    let at = |text: &str| -> Zoned { format!("2025-10-11T{text}[Europe/Berlin]").parse().unwrap() };
    stream.rotation.begin(&at("14:40:00"));
    stream.rotation.look(&at("12:50:00"), 1);
    assert!(stream.rotation.due.is_none());
    stream.rotation.look(&at("13:00:00"), 1);
    assert_eq!(stream.rotation.due.unwrap().cut, Cut::Mark);
    stream.rotation.begin(&at("13:00:00"));
    stream.rotation.look(&at("13:14:59"), 1);
    assert!(stream.rotation.due.is_none());
}

fn message(kind: Kind, body: &'static [u8]) -> Packet {
    Packet::new(kind, 0, bytes::Bytes::from_static(body))
}

#[test]
fn a_file_begins_with_the_configurations_of_all_tracks() {
    let mut rotation = Rotation::new(config::Rotation::default(), Duration::from_secs(1));
    let both = message(Kind::Video, b"\x96\x10hvc1\x00\x00\x00\x01A\x01\x00\x00\x01B");
    let mut header = Header::default();
    header.push(&both);
    let place = Placed { time_ms: 0, is_late: false, is_jump: false };
    let first = message(Kind::Video, b"\x96\x00hvc1\x00C");
    rotation.held.push((first.clone(), place));
    let key = message(Kind::Video, b"\x93hvc1K");
    assert_eq!(
        rotation.opening(&header, &key).packets(),
        std::slice::from_ref(&both),
        "track 1 needs it"
    );
    let second = message(Kind::Video, b"\x96\x10hvc1\x00\x00\x00\x01C\x01\x00\x00\x01D");
    rotation.held.insert(0, (second, place));
    assert!(rotation.opening(&header, &key).packets().is_empty(), "both are said anew");
    let frame = message(Kind::Video, b"\xa6\x03hvc1\x01F");
    rotation.held.insert(0, (frame, place));
    assert_eq!(rotation.opening(&header, &key).packets(), [both], "a frame of track 1 needs it");
}

#[test]
fn a_file_does_not_begin_with_the_configuration_of_another_codec() {
    let rotation = Rotation::new(config::Rotation::default(), Duration::from_secs(1));
    let mut header = Header::default();
    header.push(&message(Kind::Video, b"\x17\x00\x00\x00\x00\x01"));
    header.push(&message(Kind::Audio, b"\xaf\x00\x12\x10"));
    let opening = rotation.opening(&header, &message(Kind::Audio, b"\x2f\xff\xfb"));
    assert!(opening.config(Kind::Audio).is_none() && opening.config(Kind::Video).is_some());
    let opening = rotation.opening(&header, &message(Kind::Video, b"\x93vp08\x30"));
    assert!(opening.config(Kind::Audio).is_some() && opening.config(Kind::Video).is_none());
}

#[test]
fn a_file_that_has_to_know_its_tracks_begins_when_both_kinds_came_or_no_more_can_be_held() {
    let fresh = || Stream {
        rotation: Rotation::new(config::Rotation::default(), Duration::from_millis(500)),
        header: Header::default(),
        now: Instant::now(),
    };
    let mut stream = fresh();
    let mut see = |packet: &Packet| stream.see_in(packet, Needs::Tracks);
    assert_eq!(see(&video_config(0)), Step::Hold);
    assert_eq!(see(&video(0, true, 9)), Step::Hold);
    assert_eq!(see(&video(40, false, 9)), Step::Hold);
    assert_eq!(see(&audio(41, 9)), Step::Write);
    let held = |stream: &mut Stream| stream.rotation.take_held().len();
    assert_eq!(held(&mut stream), 3);

    let mut stream = fresh();
    // It is of the time of its first coded packet, not of that at which it was known what is in it.
    assert_eq!(stream.see_in(&video_config(0), Needs::Tracks), Step::Hold);
    stream.now += Duration::from_millis(50);
    let first = stream.now;
    assert_eq!(stream.see_in(&video(0, true, 9), Needs::Tracks), Step::Hold);
    stream.now += Duration::from_millis(300);
    assert_eq!(stream.see_in(&audio(300, 9), Needs::Tracks), Step::Write);
    assert_eq!(stream.rotation.first_at(stream.now), first);
    assert_eq!(held(&mut stream), 2);
    assert_eq!(stream.rotation.first_at(stream.now), stream.now);

    let mut stream = fresh();
    // Of a track that is announced its first frame may be all that tells how to decode it.
    let announced = message(Kind::Audio, b"\x95\x00ac-3\x02");
    for packet in [announced, video(0, true, 9), audio(1, 9)] {
        assert_eq!(stream.see_in(&packet, Needs::Tracks), Step::Hold);
    }
    let frame = message(Kind::Audio, b"\x95\x01ac-3\x02F");
    assert_eq!(stream.see_in(&frame, Needs::Tracks), Step::Write);
    assert_eq!(held(&mut stream), 3);

    let mut stream = fresh();
    // What comes before anything coded costs no time.
    assert_eq!(stream.see_in(&video_config(0), Needs::Tracks), Step::Hold);
    assert!(!stream.rotation.holds_media());
    assert_eq!(stream.see_in(&video(900, true, 9), Needs::Tracks), Step::Hold);
    assert_eq!(stream.see_in(&video(1_400, false, 9), Needs::Tracks), Step::Hold);
    assert_eq!(stream.see_in(&video(1_401, false, 9), Needs::Tracks), Step::Write);
    assert_eq!(held(&mut stream), 3);

    let mut stream = fresh();
    assert_eq!(stream.see_in(&video(0, true, 2 << 20), Needs::Tracks), Step::Hold);
    assert_eq!(stream.see_in(&video(1, false, 9), Needs::Tracks), Step::Write);
    assert_eq!(held(&mut stream), 1);
    for _ in 0..64 {
        assert_eq!(stream.see_in(&video(0, false, 9), Needs::Tracks), Step::Hold);
    }
    assert_eq!(stream.see_in(&video(0, false, 9), Needs::Tracks), Step::Write);
}

#[test]
fn what_the_open_file_cannot_have_asks_for_another() {
    let mut stream = Stream::new(config::Rotation::default());
    let movie = Movie::of(&stream.header, &[]);
    let step = |stream: &mut Stream, packet: &Packet| stream.see_in(packet, Needs::Only(&movie));
    assert_eq!(step(&mut stream, &video(40, false, 9)), Step::Write);
    assert_eq!(step(&mut stream, &audio(41, 9)), Step::Write);
    assert_eq!(step(&mut stream, &video(80, true, 9)), Step::Cut(Cut::Configuration));
}

#[test]
fn the_first_frames_of_late_tracks_are_remembered_up_to_a_bound_and_until_a_file_begins() {
    let mut stream = Stream::new(config::Rotation::default());
    let movie = Movie::default();
    for id in (0..40).chain(0..40) {
        let body = [b"\x95\x01.mp3", &[id, 0xff, 0xfb][..]].concat();
        stream.see_in(&Packet::new(Kind::Audio, 0, body.into()), Needs::Only(&movie));
    }
    let packet = video(0, true, 9);
    assert_eq!(stream.rotation.telling(&packet).count(), mp4::TRACKS_MAX + 1);
    stream.rotation.begin(&Zoned::now());
    assert_eq!(stream.rotation.telling(&packet).count(), 1);
}
