use super::*;

const FLUSH: Duration = Duration::from_secs(1);

#[test]
fn reads_share_their_moments_and_are_never_further_apart_than_a_period() {
    // Moments count from the first that was asked for, by this test or by another.
    next(Instant::now());
    let now = Instant::now();
    let first = next(now);
    for ms in 0..100 {
        let at = now + Duration::from_micros(ms * 777);
        let next = next(at);
        assert!((PERIOD - GRID..=PERIOD).contains(&(next - at)), "{:?}", next - at);
        let apart = if next > first { next - first } else { first - next };
        assert_eq!(apart.as_nanos() % GRID.as_nanos(), 0);
    }
}

#[test]
fn a_fast_publisher_is_watched() {
    let now = Instant::now();
    let mut quiet = Quiet::new(now, FLUSH);
    assert!(!quiet.is_due(now));
    assert!(quiet.is_due(now + LOOK));
    (0..LOOK_PERIODS).for_each(|_| quiet.count(FAST));
    assert!(quiet.decide(now + LOOK, false, true), "as fast as may be");
    quiet.count(FAST);
    assert!(quiet.decide(now + LOOK + PERIOD, true, true));
    quiet.count(FAST + 1);
    assert!(!quiet.decide(now + LOOK + PERIOD * 2, true, true));
    assert_eq!(quiet.due(), now + LOOK * 2 + PERIOD * 2);
}

#[test]
fn a_slow_publisher_is_watched() {
    let now = Instant::now();
    let mut quiet = Quiet::new(now, FLUSH);
    (1..LOOK_PERIODS).for_each(|_| quiet.count(1));
    assert!(!quiet.decide(now + LOOK, false, true));
    assert!(!quiet.decide(now + LOOK, true, true), "nothing came");
}

#[test]
fn what_is_urgent_is_watched() {
    let now = Instant::now();
    assert!(!Quiet::new(now, FLUSH).decide(now, true, false));
    assert!(!Quiet::new(now, PERIOD).is_due(now + LOOK));
}
