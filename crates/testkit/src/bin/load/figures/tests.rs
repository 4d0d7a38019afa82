use super::*;

#[test]
fn percentiles_are_within_a_thirty_second() {
    let mut histogram = Histogram::default();
    assert_eq!((histogram.percentile_ms(50), histogram.max_ms()), (None, None));
    for value in 1..=100_000 {
        histogram.add(value);
    }
    for (percent, expected) in [(1, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)] {
        let found = histogram.percentile_ms(percent).unwrap();
        assert!((expected..expected * 1.032).contains(&found), "{percent}: {found}");
    }
    assert_eq!(histogram.max_ms(), Some(100.0));
}

#[test]
fn every_value_is_in_its_bucket() {
    let values = (0..5_000).chain((6..64).flat_map(|n| [(1 << n) - 1, 1 << n, (1 << n) + 1]));
    for value in values.chain([u64::MAX]) {
        let bucket = bucket(value);
        let lowest = bucket.checked_sub(1).map_or(0, |before| highest(before) + 1);
        assert!(lowest <= value && (bucket > 1_900 || value <= highest(bucket)), "{value}");
    }
}

#[test]
fn medians() {
    assert_eq!(median([]), None);
    assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median([4.0, 1.0]), Some(2.5));
}
