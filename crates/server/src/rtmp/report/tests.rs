use live::Stats;
use media::{Kind, Role};

use super::*;

fn track(frames: u64, bytes: u64, dts_ms: (i64, i64)) -> TrackStats {
    TrackStats { packets: frames, bytes, frames, dts_ms: Some(dts_ms) }
}

#[test]
fn rates_of_a_whole_run() {
    let stats = Stats {
        video: track(250, 1_250_000, (5_000, 14_960)),
        audio: track(470, 160_000, (5_000, 14_990)),
        ..Stats::default()
    };
    let rates = rates(&Stats::default(), &stats, Duration::from_secs(10));
    assert_eq!(rates.video_kbps, 1_000.0);
    assert_eq!(rates.audio_kbps, 128.0);
    assert!((rates.frame_rate - 25.0).abs() < 1e-9, "{rates:?}");
}

#[test]
fn rates_of_a_minute_count_only_that_minute() {
    let before = Stats { video: track(250, 1_000_000, (0, 9_960)), ..Stats::default() };
    let now = Stats { video: track(2_050, 8_500_000, (0, 69_960)), ..Stats::default() };
    let rates = rates(&before, &now, Duration::from_secs(60));
    assert_eq!(rates.video_kbps, 1_000.0);
    assert_eq!(rates.frame_rate, 30.0);
}

#[test]
fn a_run_without_packets_has_no_rates_and_divides_by_nothing() {
    let rates = rates(&Stats::default(), &Stats::default(), Duration::ZERO);
    let none = Rates { seconds: 0.0, video_kbps: 0.0, audio_kbps: 0.0, frame_rate: 0.0 };
    assert_eq!(rates, none);
    let one = Stats { video: track(1, 10, (7, 7)), ..Stats::default() };
    assert_eq!(super::rates(&Stats::default(), &one, Duration::from_secs(1)).frame_rate, 0.0);
}

/// A publisher that has pushed so many frames, one each 40 ms.
fn publisher(frames: i64) -> Publisher {
    let registry = live::Registry::new(live::Limits::default());
    let key = live::Key::new("live", "test").unwrap();
    let mut publisher = registry.publish(&key).unwrap();
    let frame = |i| Packet {
        kind: Kind::Video,
        role: Role::Key,
        track: 0,
        dts_ms: i * 40,
        body: bytes::Bytes::from_static(b"x"),
    };
    publisher.push(&mut (0..frames).map(frame).collect());
    publisher
}

#[test]
fn codecs_are_told_once_they_are_known_and_again_when_they_change() {
    let begin = Instant::now();
    let mut report = Report::new(begin);
    let publisher = publisher(1);
    let aac = |rate: u8| {
        let body = bytes::Bytes::from(vec![0xaf, 0, 0x10 | rate, 0x10]);
        Packet::new(Kind::Audio, 0, body)
    };
    report.see(&aac(1));
    assert!(report.news);
    report.tick(begin + SETTLE / 2, &publisher);
    assert!(report.news, "the other track may still come");
    report.tick(begin + SETTLE, &publisher);
    assert!(!report.news);
    report.see(&aac(1));
    assert!(!report.news, "the same configuration again is no news");
    report.see(&aac(2));
    assert!(report.news);
}

#[test]
fn figures_are_due_each_minute_and_cover_that_minute() {
    let begin = Instant::now();
    let mut report = Report::new(begin);
    let publisher = publisher(1_500);
    let config = bytes::Bytes::from_static(&[0xaf, 0, 0x11, 0x90]);
    report.see(&Packet::new(Kind::Audio, 0, config));
    report.tick(begin + SETTLE, &publisher);
    assert_eq!(report.due(), begin + EVERY);
    assert_eq!(report.before.1, Stats::default());
    report.tick(begin + EVERY, &publisher);
    assert_eq!(report.before, (begin + EVERY, publisher.stats()));
    assert_eq!(report.due(), begin + 2 * EVERY);
}

#[test]
fn a_stream_without_codecs_is_looked_at_again_soon() {
    let begin = Instant::now();
    let mut report = Report::new(begin);
    report.tick(begin + SETTLE, &publisher(0));
    assert_eq!(report.due(), begin + 2 * SETTLE);
}
