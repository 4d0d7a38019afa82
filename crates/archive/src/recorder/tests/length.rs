//! Recordings that begin before they were asked for, and that end by themselves.

use std::time::Duration;

use live::{Class, Start};
use media::Role;

use super::cuts::check;
use crate::disk::fake::FakeDisk;
use crate::testing::{
    Rig, Stream, assert_begins, audio, audio_config, clip, log_of, scan, second, video_config,
    wait_until,
};
use crate::{Config, Reason, StartRequest, State};

fn rig(rejoin: Duration) -> Rig {
    Rig::with(FakeDisk::default(), Config { rejoin, ..Config::default() })
}

#[test]
fn a_recording_with_pre_roll_begins_at_a_key_frame_in_the_past() {
    let rig = rig(Duration::ZERO);
    let mut stream = Stream::publish("length", "pre-roll");
    stream.publisher.stream().set_pre_roll(5_000);
    stream.push(clip(10));
    let cursor = stream.publisher.cursor(Class::Record, Start::Back { ms: 3_000 });
    let id = rig.begin(StartRequest { cursor, ..rig.request(&stream) });
    rig.wait_for_packets(80);
    stream.push((10..12).flat_map(second));
    rig.wait_until_read(id);
    let sent = std::mem::take(&mut stream.sent);
    drop(stream);
    rig.wait_for_end();
    let packets = scan(&rig.file("length_pre-roll_20251011_143048.flv"));
    assert_eq!([&packets[0].body, &packets[1].body], [&video_config(1).body, &audio_config().body]);
    assert_eq!((packets[2].role, packets[2].dts_ms), (Role::Key, 0));
    // From 6 s on, which is at least 3 s before 9.923 s.
    let expected = &sent[2 + 6 * 20..];
    assert_eq!(assert_begins(&packets[2..], expected), expected.len());
    let finished = rig.take_finished();
    assert_eq!(finished[0].ledger.received.packets, expected.len() as u64);
    // 3.923 s before it was asked for.
    assert_eq!(finished[0].about.start_time, "2025-10-11T14:30:48.200+02:00");
}

/// A recording of `clip(10)` that began `back` before it was asked for, with a file each 2 s, and
/// has caught up.
fn caught_up(rig: &Rig, stream: &mut Stream, back: i64) {
    stream.publisher.stream().set_pre_roll(back);
    stream.push(clip(10));
    let cursor = stream.publisher.cursor(Class::Record, Start::Back { ms: back });
    let plan = rig.plan(|plan| plan.rotation.duration = Some(Duration::from_secs(2)));
    rig.begin(StartRequest { cursor, plan, ..rig.request(stream) });
    let first_ms = (9_923 - back) / 1_000 * 1_000;
    let packets = stream.sent.iter().filter(|p| p.is_media() && p.dts_ms >= first_ms).count();
    rig.wait_for_packets(packets as u64);
}

#[test]
fn what_is_caught_up_with_is_of_the_time_when_it_came() {
    let rig = rig(Duration::ZERO);
    let mut stream = Stream::publish("length", "times");
    caught_up(&rig, &mut stream, 6_000);
    // From here on it is recorded as it comes. Another 77 ms tell the clocks apart.
    rig.clock.advance(Duration::from_millis(1_077 + 77));
    stream.push((10..12).flat_map(second));
    rig.wait_for_packets(180);
    drop(stream);
    rig.wait_for_end();
    let finished = rig.take_finished();
    let times: Vec<_> = finished
        .iter()
        .map(|f| (&f.about.start_time[17..23], &f.end_time[17..23], f.length_ms))
        .collect();
    // The packet of 9.923 s was the newest at 52.123 s.
    assert_eq!(
        times,
        [
            ("45.200", "47.200", 2_000),
            ("47.200", "49.200", 2_000),
            ("49.200", "51.200", 2_000),
            ("51.200", "53.277", 2_000),
            ("53.277", "53.277", 1_023),
        ]
    );
}

#[test]
fn a_jump_in_what_was_kept_moves_no_start() {
    let rig = rig(Duration::ZERO);
    let mut stream = Stream::publish("length", "jump");
    stream.publisher.stream().set_pre_roll(5_000);
    stream.push(clip(2).into_iter().chain(second(90_000)));
    let cursor = stream.publisher.cursor(Class::Record, Start::Back { ms: 5_000 });
    rig.begin(StartRequest { cursor, ..rig.request(&stream) });
    rig.wait_for_packets(40);
    drop(stream);
    rig.wait_for_end();
    assert_eq!(rig.take_finished()[0].about.start_time, "2025-10-11T14:30:52.123+02:00");
}

#[test]
fn a_recording_ends_by_itself_at_the_first_key_frame_after_its_length() {
    let rig = rig(Duration::from_secs(3_600));
    let mut stream = Stream::publish("length", "most");
    let id = rig.start_by(&stream, |plan| plan.max_length = Some(Duration::from_millis(3_500)));
    stream.push(clip(10));
    rig.wait_for_end();
    let segments = rig.take_finished();
    check(&rig, &segments, &stream.sent[..82]);
    assert_eq!((segments.len(), segments[0].length_ms), (1, 4_000));
    let complete = log_of(&stream.key).pop().unwrap();
    assert!(complete.contains(" received=82 written=82 dropped=0 "), "{complete}");
    assert!(complete.ends_with(" reason=\"length\""), "{complete}");
    // The stream goes on and may be recorded again.
    assert_ne!(rig.start(&stream), id);
}

#[test]
fn without_video_a_recording_ends_at_any_packet() {
    let rig = rig(Duration::ZERO);
    let mut stream = Stream::publish("length", "audio");
    rig.start_by(&stream, |plan| plan.max_length = Some(Duration::from_secs(1)));
    stream.push([audio_config()]);
    stream.push((0..100).map(|n| audio(n * 23, 100)));
    rig.wait_for_end();
    let segments = rig.take_finished();
    assert_eq!((segments[0].length_ms, segments[0].ledger.received.packets), (1_012, 45));
}

#[test]
fn without_key_frames_a_recording_ends_a_minute_late() {
    let rig = rig(Duration::ZERO);
    let mut stream = Stream::publish("length", "keyless");
    rig.start_by(&stream, |plan| plan.max_length = Some(Duration::from_secs(1)));
    let frames = (1..100).map(|n| crate::testing::video(n * 1_000, false, 10));
    stream.push([video_config(1), crate::testing::video(0, true, 10)].into_iter().chain(frames));
    rig.wait_for_end();
    assert_eq!(rig.take_finished()[0].length_ms, 61_000);
}

#[test]
fn length_goes_on_through_cuts_and_while_the_publisher_is_away() {
    let rig = rig(Duration::from_secs(3_600));
    let mut stream = Stream::publish("length", "back");
    let plan = rig.plan(|plan| {
        plan.max_length = Some(Duration::from_secs(6));
        plan.rotation.duration = Some(Duration::from_secs(1));
    });
    let request = |stream: &Stream| StartRequest { plan: plan.clone(), ..rig.request(stream) };
    let id = rig.begin(request(&stream));
    stream.push(clip(2));
    drop(stream);
    wait_until("the publisher is away", || rig.state() == Some(State::Away));
    rig.clock.advance(Duration::from_millis(1_500));
    stream = Stream::publish("length", "back");
    assert_eq!(rig.begin(request(&stream)), id);
    stream.push(clip(8));
    rig.wait_for_end();
    let segments = rig.take_finished();
    let last = segments.last().unwrap();
    let end_ms = last.about.start_ms + last.length_ms;
    // 2,023 ms, 1,500 ms away, three groups.
    assert_eq!((segments.len(), end_ms), (5, 6_523));
    assert!(log_of(&stream.key).pop().unwrap().ends_with(" reason=\"length\""));
}

#[test]
fn a_shorter_length_ends_a_recording_that_is_too_long_already() {
    let rig = rig(Duration::ZERO);
    let mut stream = Stream::publish("length", "shorter");
    let id = rig.start(&stream);
    stream.push(clip(3));
    rig.wait_for_packets(62);
    rig.archive.update(id, rig.plan(|plan| plan.max_length = Some(Duration::from_secs(1))));
    // In the worst case the thread was about to read these when it was told.
    stream.push(second(3));
    rig.wait_until_read(id);
    stream.push(second(4));
    rig.wait_for_end();
    assert!([3_000, 4_000].contains(&rig.take_finished()[0].length_ms));
}

#[test]
fn status_tells_that_it_ends() {
    let rig = rig(Duration::ZERO);
    let stream = Stream::publish("length", "ending");
    let id = rig.start(&stream);
    assert_eq!(rig.archive.list()[0].ending, None);
    rig.archive.shared().running(id).unwrap().stop(Reason::Stopped);
    assert_eq!(rig.archive.list()[0].ending, Some(Reason::Stopped));
}
