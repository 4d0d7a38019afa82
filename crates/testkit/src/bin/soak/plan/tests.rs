use std::collections::BTreeSet;

use super::{End, Lives, Manner, Trouble, Troubles};

#[test]
fn the_same_seed_gives_the_same_lives_and_another_seed_others() {
    let of = |seed| {
        let (mut lives, mut others) = (Lives::new(seed, 0, 3, 200), Lives::new(seed, 1, 3, 200));
        (0..50).map(|_| (lives.publish(), others.play())).collect::<Vec<_>>()
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn everything_that_can_happen_happens() {
    let (mut ends, mut manners, mut troubles) =
        <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
    let mut lives = Lives::new(7, 0, 1, 200);
    let mut disk = Troubles::new(7);
    for _ in 0..500 {
        ends.insert(lives.publish().end);
        manners.insert(lives.play().manner);
        troubles.insert(disk.next().1);
    }
    let all = [End::Clean, End::Reset, End::HalfClosed, End::MidMessage, End::Silent, End::Gone];
    assert_eq!(ends, all.into());
    let all = [Manner::Watch, Manner::WatchReset, Manner::Slow, Manner::Stall];
    assert_eq!(manners, all.into());
    assert_eq!(troubles, [Trouble::Full, Trouble::Frozen, Trouble::Failed].into());
}

#[test]
fn a_life_has_bounds_and_most_streams_keep_their_name() {
    let mut lives = Lives::new(3, 0, 5, 8);
    let lives: Vec<_> = (0..1_000).map(|_| lives.publish()).collect();
    for life in &lives {
        assert!((2_000..=60_000).contains(&life.lasts_ms) && life.wait_ms <= 4_000, "{life:?}");
        assert!(life.place.0 < 8, "{life:?}");
        assert!(life.source.video_kbps + life.source.audio_kbps > 0, "{life:?}");
    }
    let others = lives.iter().filter(|life| life.place.0 != 5).count();
    assert!((20..120).contains(&others), "{others}");
}

#[test]
fn a_place_says_which_disk_it_is_on_and_in_which_format() {
    let mut lives = Lives::new(3, 1, 0, 40);
    for _ in 0..200 {
        let place = lives.play().place;
        let disk = if place.is_weak() { "weak" } else { "well" };
        let format = if place.0 % 8 < 2 { "mp4" } else { "flv" };
        assert_eq!(place.key(), format!("{disk}-{format}/{}", place.0));
    }
}
