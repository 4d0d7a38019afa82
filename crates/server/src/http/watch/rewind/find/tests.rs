use super::*;

/// Segments of two seconds.
fn live(count: i64) -> Vec<i64> {
    (0..count).map(|at| 10_000 + at * 2_000).collect()
}

#[test]
fn few_live_segments_are_looked_for_however_many_there_are() {
    assert_eq!(places([].into_iter(), &[]), Vec::<usize>::new());
    assert_eq!(places([].into_iter(), &live(2)), [0, 1]);
    // The oldest, and then ever further back from the newest.
    assert_eq!(places([].into_iter(), &live(40)), [0, 1, 2, 39, 38, 36, 32, 24, 8]);
    // Those since the oldest file that began while it was live come before these.
    let files = [0, 61_000, 31_000];
    assert_eq!(places(files.into_iter(), &live(40)), [0, 1, 2, 11, 12, 13, 39, 38, 36, 32, 24, 8]);
    // 24 hours of them.
    assert!(places(files.into_iter(), &live(43_200)).len() <= 2 * ANCHORS + 16);
}

#[test]
fn a_file_that_began_after_all_of_them_adds_none() {
    assert_eq!(places([1_000_000].into_iter(), &live(3)), [0, 1, 2]);
}
