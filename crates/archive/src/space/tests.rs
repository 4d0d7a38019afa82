use proptest::prelude::*;

use super::*;

const MIN: u64 = 1_000;

fn space(total_bytes: u64) -> Space {
    Space { device: 1, free_bytes: 0, total_bytes }
}

/// A watch that looks every second, and what it tells.
struct Looks {
    watch: Watch,
    at: Instant,
}

impl Looks {
    fn new() -> Self {
        Self { watch: Watch::new(), at: Instant::now() }
    }

    fn look(&mut self, free: u64) -> Option<Change> {
        self.at += Duration::from_secs(1);
        self.watch.look(self.at, free, MIN)
    }
}

#[test]
fn the_default_minimum_is_one_percent_and_at_most_one_gib() {
    assert_eq!(minimum(None, &space(1 << 40)), 1 << 30);
    assert_eq!(minimum(None, &space(10_000)), 100);
    assert_eq!(minimum(Some(0), &space(1 << 40)), 0);
    assert_eq!(minimum(Some(1 << 50), &space(1 << 40)), 1 << 50);
}

#[test]
fn retention_keeps_enough_for_no_warning() {
    assert_eq!(retained_free(None, MIN), None);
    assert_eq!(retained_free(Some(10), MIN), Some(2_500));
    assert_eq!(retained_free(Some(9_000), MIN), Some(9_000));
    assert_eq!(retained_free(Some(1), u64::MAX), Some(u64::MAX / 2));
}

#[test]
fn a_disk_that_fills_and_is_emptied() {
    use Level::{Full, Low, Plenty};
    let low = |seconds| Some(Change::Low { full_in: Some(Duration::from_secs(seconds)) });
    let steps = [
        (5_000, None, Plenty),
        (2_000, None, Plenty),
        (1_999, low(1), Low),
        (2_100, None, Low),
        (1_500, None, Low),
        (1_000, None, Low),
        (999, Some(Change::Full), Full),
        (1_000, None, Full),
        (1_249, None, Full),
        (1_250, Some(Change::Again), Low),
        (1_000, None, Low),
        (999, Some(Change::Full), Full),
        (2_400, Some(Change::Again), Low),
        (2_499, None, Low),
        (2_500, None, Plenty),
        (0, Some(Change::Full), Full),
        (9_000, Some(Change::Again), Plenty),
    ];
    let mut looks = Looks::new();
    for (i, (free, change, level)) in steps.into_iter().enumerate() {
        assert_eq!((looks.look(free), looks.watch.level()), (change, level), "step {i}: {free}");
    }
}

#[test]
fn no_minimum_is_never_reached() {
    let mut watch = Watch::new();
    for free in [10, 0, 10, 0] {
        assert_eq!(watch.look(Instant::now(), free, 0), None);
    }
}

#[test]
fn what_fills_fast_is_looked_at_often() {
    let mut looks = Looks::new();
    for (free, pause) in [
        (1_000_000, SLOW),
        (999_999, SLOW),
        // Half of 20,000 a second: 97 s are left. Then 75 %, and 63 s; then 87 %, and 54 s.
        (979_999, SLOW),
        (959_999, SLOW),
        (939_999, FAST),
        // It stopped.
        (939_999, SLOW),
        (2_000, FAST),
        (1_999, FAST),
    ] {
        looks.look(free);
        assert_eq!(looks.watch.pause(MIN), pause, "{free}");
    }
}

proptest! {
    /// Between two stops there is a resume, with so much more room that they are not of one cause.
    #[test]
    fn nothing_flaps(frees in prop::collection::vec(0_u64..4_000, 1..200)) {
        let mut looks = Looks::new();
        let mut is_open = true;
        let mut warned = false;
        for free in frees {
            match looks.look(free) {
                Some(Change::Low { .. }) => {
                    prop_assert!((MIN..2 * MIN).contains(&free) && is_open && !warned);
                    warned = true;
                }
                Some(Change::Full) => {
                    prop_assert!(free < MIN && is_open);
                    is_open = false;
                }
                Some(Change::Again) => {
                    prop_assert!(free * 4 >= MIN * 5 && !is_open);
                    is_open = true;
                    warned = true;
                }
                None => {}
            }
            warned &= free * 2 < MIN * 5;
            prop_assert!(is_open || free * 4 < MIN * 5);
            prop_assert!(!is_open || free >= MIN);
            prop_assert_eq!(is_open, looks.watch.level() != Level::Full);
        }
    }

    /// However fast it fills, as long as two looks lie between: warning first, then the stop.
    #[test]
    fn a_warning_comes_before_the_stop(step in 1_u64..1_000) {
        let mut looks = Looks::new();
        let mut told = Vec::new();
        let mut free = 4_000_u64;
        while free > 0 {
            told.extend(looks.look(free));
            free = free.saturating_sub(step);
        }
        told.extend(looks.look(0));
        prop_assert!(matches!(told[..], [Change::Low { .. }, Change::Full]), "{told:?}");
    }
}

#[test]
fn what_recorders_write_is_smoothed() {
    let mut looks = Looks::new();
    let mut wrote = |bytes| {
        looks.at += Duration::from_secs(2);
        looks.watch.wrote(looks.at, bytes)
    };
    // Since when the first was written is not known.
    assert_eq!([wrote(1 << 40), wrote(8_000), wrote(8_000), wrote(0)], [0, 2_000, 3_000, 1_500]);
}
