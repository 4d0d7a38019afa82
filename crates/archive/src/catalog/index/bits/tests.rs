use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn bits(places: &BTreeSet<usize>) -> Bits {
    let mut bits = Bits::NONE;
    places.iter().for_each(|place| bits.insert(*place));
    bits
}

proptest! {
    #[test]
    fn they_are_sets(
        a in prop::collection::btree_set(0..ROWS, 0..900),
        b in prop::collection::btree_set(0..ROWS, 0..900),
    ) {
        let set = |bits: &Bits| bits.places().collect::<BTreeSet<_>>();
        prop_assert_eq!(set(&bits(&a)), a.clone());
        prop_assert_eq!((bits(&a).len(), bits(&a).is_empty()), (a.len(), a.is_empty()));
        prop_assert_eq!(Bits::decode(&bits(&a).encode()), bits(&a));
        let [mut both, mut any, mut rest] = [bits(&a), bits(&a), bits(&a)];
        both.keep(&bits(&b));
        any.add(&bits(&b));
        rest.take(&bits(&b));
        prop_assert_eq!(set(&both), &a & &b);
        prop_assert_eq!(set(&any), &a | &b);
        prop_assert_eq!(set(&rest), &a - &b);
        let mut without = bits(&a);
        b.iter().for_each(|place| without.remove(*place));
        prop_assert_eq!(without, rest);
    }
}

#[test]
fn what_nobody_wrote_is_survived() {
    let mut all = Bits::NONE;
    (0..ROWS + 100).for_each(|place| all.insert(place));
    assert_eq!(all.len(), ROWS);
    all.remove(ROWS);
    assert_eq!((all.encode().len(), Bits::decode(&all.encode())), (BYTES, all));
    assert!(Bits::decode(&[]).is_empty());
    assert_eq!(Bits::decode(&[7, 0, 0xff, 0xff, 9]).places().collect::<Vec<_>>(), [7]);
}
