use super::*;

const FLUSH: Duration = Duration::from_secs(1);

#[test]
fn reads_share_their_moments_and_are_never_further_apart_than_a_period() {
    // Moments count from the first that was asked for, by this test or by another.
    next(Instant::now(), SHORTEST);
    let now = Instant::now();
    let first = next(now, SHORTEST);
    for ms in 0..100 {
        let at = now + Duration::from_micros(ms * 777);
        let period = SHORTEST + Duration::from_micros(ms * 1_234);
        let next = next(at, period);
        assert!((period - GRID..=period).contains(&(next - at)), "{:?}", next - at);
        let apart = if next > first { next - first } else { first - next };
        assert_eq!(apart.as_nanos() % GRID.as_nanos(), 0);
    }
}

/// A connection that is quiet after so many bytes in the first half second, and the time until it is read.
fn quiet(now: Instant, flush: Duration, bytes: u64) -> Option<Duration> {
    let mut quiet = Quiet::new(now, flush);
    (0..LOOK_READS).for_each(|_| quiet.count(usize::try_from(bytes).unwrap() / LOOK_READS));
    quiet.decide(now + LOOK, false, true).then(|| quiet.due() - (now + LOOK))
}

#[test]
fn a_socket_is_read_when_a_batch_should_be_in_it() {
    let now = Instant::now();
    for (a_second, ms) in [(100_000, 200), (250_000, 196), (500_000, 98), (1_000_000, 50)] {
        let due = quiet(now, FLUSH, a_second / 2).unwrap();
        let period = Duration::from_millis(ms);
        assert!((period - GRID..=period + Duration::from_millis(1)).contains(&due), "{due:?}");
    }
    // What a killed process may cost bounds it.
    let due = quiet(now, Duration::from_millis(400), 50_000).unwrap();
    assert!((Duration::from_millis(90)..=Duration::from_millis(100)).contains(&due), "{due:?}");
}

#[test]
fn a_fast_publisher_is_watched() {
    let now = Instant::now();
    let mut quiet = Quiet::new(now, FLUSH);
    assert!(!quiet.is_due(now));
    assert!(quiet.is_due(now + LOOK));
    let fast = usize::try_from(FAST).unwrap();
    (0..LOOK_READS).for_each(|_| quiet.count(fast));
    assert!(quiet.decide(now + LOOK, false, true), "as fast as may be");
    quiet.count(fast);
    assert!(quiet.decide(now + LOOK + SHORTEST, true, true));
    quiet.count(fast + 1);
    assert!(!quiet.decide(now + LOOK + SHORTEST * 2, true, true));
    assert_eq!(quiet.due(), now + LOOK * 2 + SHORTEST * 2);
}

#[test]
fn a_slow_publisher_is_watched() {
    let now = Instant::now();
    let mut quiet = Quiet::new(now, FLUSH);
    (1..LOOK_READS).for_each(|_| quiet.count(1));
    assert!(!quiet.decide(now + LOOK, false, true));
    assert!(!quiet.decide(now + LOOK, true, true), "nothing came");
}

#[test]
fn what_is_urgent_is_watched() {
    let now = Instant::now();
    assert!(!Quiet::new(now, FLUSH).decide(now, true, false));
    assert!(!Quiet::new(now, SHORTEST).is_due(now + LOOK));
}
