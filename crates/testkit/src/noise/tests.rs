use super::*;

#[test]
fn a_seed_gives_the_same_numbers_and_another_gives_others() {
    let take = |seed| {
        let mut noise = Noise::new(seed);
        [(); 8].map(|()| noise.next_u64())
    };
    assert_eq!(take(1), take(1));
    assert!(take(1).iter().all(|number| !take(2).contains(number)));
}

#[test]
fn numbers_below_a_bound_reach_all_of_them() {
    let mut noise = Noise::new(7);
    let mut seen = [0; 5];
    for _ in 0..1_000 {
        seen[usize::try_from(noise.below(5)).unwrap()] += 1;
    }
    assert!(seen.iter().all(|count| (100..300).contains(count)), "{seen:?}");
    assert_eq!(noise.below(0), 0);
}

#[test]
fn bytes_are_as_many_as_were_asked_for_and_all_values_come() {
    let bytes = Noise::new(3).bytes(10_001);
    assert_eq!(bytes.len(), 10_001);
    assert!((0..=u8::MAX).all(|value| bytes.contains(&value)));
    assert_eq!(bytes[..8], Noise::new(3).bytes(8));
}

#[test]
fn one_of_a_list_is_any_of_it() {
    let mut noise = Noise::new(5);
    let taken: std::collections::BTreeSet<_> = (0..100).map(|_| *noise.one(&[1, 2, 3])).collect();
    assert_eq!(taken, [1, 2, 3].into());
}
