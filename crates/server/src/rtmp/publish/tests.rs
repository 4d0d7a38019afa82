use media::Role;

use super::*;

fn pace(times_ms: &[i64]) -> Pace {
    let mut pace = Pace { began: Instant::now(), newest_ms: None, media: Duration::ZERO };
    for &dts_ms in times_ms {
        let body = Bytes::from_static(b"x");
        pace.see(&Packet { kind: Kind::Video, role: Role::Frame, track: 0, dts_ms, body });
    }
    pace
}

#[test]
fn time_that_a_stream_has_carried_begins_with_its_first_packet() {
    assert_eq!(pace(&[3_600_000]).media, Duration::ZERO);
    assert_eq!(
        pace(&[3_600_000, 3_600_040, 3_600_020, 3_600_080]).media,
        Duration::from_millis(80)
    );
}

#[test]
fn jumps_of_the_clock_count_as_no_time() {
    assert_eq!(pace(&[0, 40, 3_600_000, 3_600_040]).media, Duration::from_millis(80));
    assert_eq!(pace(&[3_600_000, 3_600_040, 0, 40]).media, Duration::from_millis(80));
}

#[test]
fn a_stream_within_the_slack_is_live() {
    let live = pace(&[0, 1_000, 2_000]);
    assert!(live.live_at() <= live.began);
    let ahead = pace(&[0, 1_000, 2_000, 3_000]);
    assert_eq!(ahead.live_at(), ahead.began + Duration::from_secs(1));
}
