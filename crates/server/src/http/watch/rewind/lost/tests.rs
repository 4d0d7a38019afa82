use super::*;

fn id(number: u64) -> RecordingId {
    format!("{number:016x}").parse().unwrap()
}

#[test]
fn what_was_live_while_a_recorder_did_one_thing_needs_no_look() {
    let mut fates = Fates::since(3);
    let (first, second) = (Doing::Records(id(1)), Doing::Records(id(2)));
    let over = Doing::Nothing(Some(id(1)));
    for (doing, open) in [
        (first, 5),
        (first, 9),
        (over, 12),
        (over, 20),
        (Doing::Tries(id(2)), 24),
        (Doing::Tries(id(2)), 28),
        (second, 31),
        (second, 40),
    ] {
        fates.note(doing, open);
    }
    // The one that was being made when it was looked began before, and what came to be over meanwhile is not known.
    for (numbers, fate) in [
        (0..=5, None),
        (6..=8, Some(true)),
        (9..=12, None),
        (13..=19, Some(false)),
        (20..=31, None),
        (32..=39, Some(true)),
        (40..=50, None),
    ] {
        for number in numbers {
            assert_eq!(fates.of(number), fate, "segment {number}");
        }
    }
    // A recording that came and went between two looks.
    fates.note(Doing::Nothing(Some(id(2))), 42);
    fates.note(Doing::Nothing(Some(id(3))), 50);
    fates.note(Doing::Nothing(Some(id(3))), 55);
    assert_eq!(
        [49, 50, 51, 54].map(|number| fates.of(number)),
        [None, None, Some(false), Some(false)]
    );
}

#[test]
fn spans_are_bounded_and_those_that_are_decided_are_forgotten() {
    let mut fates = Fates::since(0);
    for n in 0..1_000 {
        fates.note(Doing::Records(id(n)), n * 10);
        fates.note(Doing::Records(id(n)), n * 10 + 5);
    }
    assert_eq!(fates.spans.len(), SPANS);
    assert_eq!((fates.of(9_993), fates.of(3)), (Some(true), None));
    fates.next = 9_990;
    fates.note(Doing::Nothing(None), 10_000);
    assert_eq!(fates.spans.len(), 2, "the newest that are not decided");
    assert!(fates.told_ago_ms().is_none());
    fates.tell();
    assert!(fates.told_ago_ms().is_some());
}
