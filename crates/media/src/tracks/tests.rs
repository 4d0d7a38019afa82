use super::*;

#[test]
fn a_set_holds_what_was_put_in_and_not_taken_out() {
    let mut set = TrackSet::of(0);
    for id in [63, 64, 127, 128, 255] {
        assert!(!set.contains(id));
        set.insert(id);
        assert!(set.contains(id));
    }
    assert!(set.iter().eq([0, 63, 64, 127, 128, 255]));
    set.remove(64);
    assert!(set.iter().eq([0, 63, 127, 128, 255]));
    set.iter().for_each(|id| set.remove(id));
    assert!(set.is_empty());
}

#[test]
fn sets_are_compared() {
    let set = |ids: &[u8]| ids.iter().copied().collect::<TrackSet>();
    assert!(set(&[1, 200]).intersects(set(&[200, 3])));
    assert!(!set(&[1, 200]).intersects(set(&[2, 201])));
    assert!(set(&[200]).is_subset(set(&[200, 3])));
    assert!(!set(&[200, 1]).is_subset(set(&[200, 3])));
    assert!(set(&[]).is_subset(set(&[])));
}
