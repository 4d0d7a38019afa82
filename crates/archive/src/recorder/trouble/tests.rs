use super::*;

#[test]
fn waits_double_up_to_the_most_and_begin_anew_after_a_calm_time() {
    let (second, now) = (Duration::from_secs(1), Instant::now());
    let mut backoff = Backoff::new(second, second * 30);
    let waits: Vec<_> = (0..7).map(|_| backoff.fail(now).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    // A disk that works for a moment between has not recovered.
    backoff.heal(now);
    assert_eq!(backoff.fail(now + second * 29).as_secs(), 30);
    backoff.heal(now);
    assert_eq!(backoff.fail(now + second * 30).as_secs(), 1);
    assert_eq!(backoff.fail(now + second * 31).as_secs(), 2);
}
