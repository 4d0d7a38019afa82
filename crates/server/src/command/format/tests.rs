use super::*;

#[test]
fn sizes_and_rates_have_units_that_fit() {
    assert_eq!(size(999), "999 B");
    assert_eq!(size(1_234_567), "1.2 MB");
    assert_eq!(bit_rate(127_600.0), "128 kbit/s");
    assert_eq!(bit_rate(999_600.0), "1.00 Mbit/s");
    assert_eq!(bit_rate(2_500_000_000.0), "2.50 Gbit/s");
    assert_eq!(mean_rate(1_000_000, Duration::from_secs(4)), "2.00 Mbit/s");
    assert_eq!(mean_rate(1_000_000, Duration::ZERO), "0 kbit/s");
}

#[test]
fn times_grow_from_seconds_to_hours() {
    assert_eq!(time(0), "0.00 s");
    assert_eq!(time(9_984), "9.98 s");
    assert_eq!(time(59_999), "59.99 s");
    assert_eq!(time(60_000), "1:00");
    assert_eq!(time(3_723_900), "1:02:03");
    assert_eq!(duration(Duration::from_millis(1_500)), "1.50 s");
}

#[test]
fn counts_are_grouped_and_agree_with_their_noun() {
    assert_eq!(number(0), "0");
    assert_eq!(number(999), "999");
    assert_eq!(number(1_000), "1,000");
    assert_eq!(number(12_345_678), "12,345,678");
    assert_eq!(count(1, "fault"), "1 fault");
    assert_eq!(count(0, "fault"), "0 faults");
}

#[test]
fn foreign_text_cannot_steer_a_terminal() {
    assert_eq!(printable("a\u{1b}[2Jb\nc\u{7f}"), "a\\u{1b}[2Jb\\nc\\u{7f}");
    assert_eq!(printable("fine, \"ünïcödé\" 日本"), "fine, \"ünïcödé\" 日本");
    assert_eq!(printable("x\u{202e}gpj"), "x\\u{202e}gpj");
}

#[test]
fn long_times_are_rough() {
    for (seconds, text) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (86_399, "23 h 59 min"),
        (1_051_200, "12 d 4 h"),
        (86_400_000, "1,000 d"),
    ] {
        assert_eq!(roughly(Duration::from_secs(seconds)), text);
    }
}
