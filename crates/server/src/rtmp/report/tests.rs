use live::Stats;

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
