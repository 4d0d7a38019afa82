use super::*;

fn acknowledge(window: u32, received: u64) -> Acknowledge {
    Acknowledge { received, told: received, window }
}

#[test]
fn bytes_are_acknowledged_each_half_window() {
    let mut acknowledge = acknowledge(1_001, 0);
    assert_eq!(acknowledge.count(500), None);
    assert_eq!(acknowledge.count(1), Some(501));
    assert_eq!(acknowledge.count(500), None);
    assert_eq!(acknowledge.count(9_000), Some(10_001));
}

#[test]
fn the_sequence_number_wraps_at_4_gib() {
    let mut acknowledge = acknowledge(100, 0xFFFF_FFFF);
    assert_eq!(acknowledge.count(51), Some(50));
    assert_eq!(acknowledge.count(51), Some(101));
}

#[test]
fn a_window_of_0_changes_nothing_and_a_tiny_one_is_served() {
    let mut acknowledge = acknowledge(100, 0);
    acknowledge.set_window(0);
    assert_eq!(acknowledge.count(49), None);
    acknowledge.set_window(1);
    assert_eq!(acknowledge.count(1), Some(50));
    assert_eq!(acknowledge.count(0), None);
}

#[test]
fn a_limit_too_long_for_the_clock_is_a_day() {
    #[expect(clippy::disallowed_methods, reason = "tests need an instant to count from")]
    let now = Instant::now();
    assert_eq!(after(now, Duration::MAX), now + Duration::from_secs(86_400));
    assert_eq!(after(now, Duration::from_secs(1)), now + Duration::from_secs(1));
}
