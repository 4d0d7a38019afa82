use super::*;

#[test]
fn a_call_is_in_the_bucket_of_its_bound() {
    let stopwatch = Stopwatch::default();
    for us in [0, 1_000, 1_001, 30_000_000, 30_000_001] {
        stopwatch.add(Duration::from_micros(us));
    }
    let read = stopwatch.read();
    assert_eq!((read.counts[0], read.counts[1], read.counts[13], read.counts[14]), (2, 1, 1, 1));
    assert_eq!((read.calls(), read.sum), (5, Duration::from_micros(60_002_002)));
}
