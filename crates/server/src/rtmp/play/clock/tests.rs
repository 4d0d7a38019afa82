use std::time::Duration;

use bytes::Bytes;
use media::{Kind, Role};

use super::*;

/// Sends packets of these roles and times; returns the times that they get.
fn sent(clock: &mut Clock, packets: &[(Role, i64)], now: Instant) -> Vec<i64> {
    let body = Bytes::from_static(b"x");
    let packet =
        |role, dts_ms| Packet { kind: Kind::Video, role, track: 0, dts_ms, body: body.clone() };
    let mut packets: Vec<_> = packets.iter().map(|&(role, dts_ms)| packet(role, dts_ms)).collect();
    packets.iter_mut().for_each(|packet| clock.map(packet, now));
    packets.iter().map(|packet| packet.dts_ms).collect()
}

fn frames(clock: &mut Clock, times_ms: &[i64], now: Instant) -> Vec<i64> {
    let packets: Vec<_> = times_ms.iter().map(|&dts_ms| (Role::Frame, dts_ms)).collect();
    sent(clock, &packets, now)
}

#[test]
fn the_first_run_has_the_publishers_own_times() {
    let (mut clock, now) = (Clock::default(), Instant::now());
    clock.resume(77, now);
    let times = [(Role::Config, 0), (Role::Frame, 9_000), (Role::Event, 4), (Role::Frame, 8_990)];
    assert_eq!(sent(&mut clock, &times, now), [0, 9_000, 4, 8_990]);
    assert_eq!(frames(&mut clock, &[0, i64::MAX, i64::MIN], now), [0, i64::MAX, i64::MIN]);
}

#[test]
fn another_run_goes_on_by_the_time_that_has_passed() {
    let (mut clock, now) = (Clock::default(), Instant::now());
    frames(&mut clock, &[9_000, 9_040, 9_030], now);
    let now = now + Duration::from_secs(3);
    clock.resume(500, now);
    assert_eq!(clock.at(500), 12_040);
    assert_eq!(frames(&mut clock, &[500, 490, 540], now), [12_040, 12_030, 12_080]);
    // And the one after that.
    clock.resume(0, now + Duration::from_secs(1));
    assert_eq!(frames(&mut clock, &[0], now), [13_080]);
}

#[test]
fn players_that_notice_another_run_one_after_the_other_get_the_same_times() {
    let (mut clock, now) = (Clock::default(), Instant::now());
    frames(&mut clock, &[9_000], now);
    let terms_after = |ms| {
        let mut clock = clock.clone();
        clock.resume(500, now + Duration::from_millis(ms));
        clock.terms()
    };
    assert_eq!([2_001, 2_037, 2_100].map(terms_after), [(10_600, Some(9_001)); 3]);
    assert_eq!(terms_after(2_101), (10_700, Some(9_001)));
}

#[test]
fn a_run_that_follows_at_once_goes_on_after_the_newest_packet_and_not_before() {
    let (mut clock, now) = (Clock::default(), Instant::now());
    frames(&mut clock, &[9_000, 9_040, 9_030], now);
    clock.resume(500, now);
    assert_eq!(frames(&mut clock, &[500, 490, 501], now), [9_041, 9_041, 9_042]);
}

#[test]
fn headers_within_another_run_get_the_time_of_the_packet_before_them() {
    let (mut clock, now) = (Clock::default(), Instant::now());
    frames(&mut clock, &[9_000], now);
    clock.resume(500, now);
    let times = [(Role::Key, 500), (Role::Frame, 600), (Role::Config, 0), (Role::Key, 640)];
    assert_eq!(sent(&mut clock, &times, now), [9_001, 9_101, 9_101, 9_141]);
}

#[test]
fn jumps_of_the_encoder_are_passed_on_and_gone_on_from() {
    let (mut clock, now) = (Clock::default(), Instant::now());
    assert_eq!(frames(&mut clock, &[9_000_000, 40, 80], now), [9_000_000, 40, 80]);
    clock.resume(5_000, now + Duration::from_secs(1));
    assert_eq!(frames(&mut clock, &[5_000, 5_040, 3_000], now), [1_080, 1_120, -920]);
    assert_eq!(frames(&mut clock, &[i64::MIN, i64::MAX], now).len(), 2);
    clock.resume(i64::MIN, now);
    clock.resume(i64::MAX, now);
    assert_eq!(frames(&mut clock, &[0], now).len(), 1);
}
