use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::hls::playlist::Segment as Told;
use crate::hls::{Begin, Init, Piece};
use crate::mp4::{self, Movie};

const FIRST: u64 = 1_000;
const UNIX_MS: i64 = 1_795_963_852_120;

fn init() -> Arc<Init> {
    Arc::new(Init { bytes: Bytes::from_static(&[0; 100]), movie: Movie::default() })
}

/// A window that makes segments of four parts of 500 ms.
struct Live {
    window: Window,
    init: Arc<Init>,
    parts: u64,
}

impl Live {
    fn new() -> Self {
        let mut window = Window::new(1 << 30);
        window.set_targets(Some(2), 500);
        Self { window, init: init(), parts: 0 }
    }

    fn push(&mut self, is_discontinuous: bool) {
        let start_ms = self.parts * 500;
        let part = mp4::Part {
            sequence: 0,
            start_ms,
            end_ms: start_ms + 500,
            is_independent: self.parts.is_multiple_of(4),
            has_key: self.parts.is_multiple_of(4),
            samples: 1,
            size_bytes: 10,
        };
        let unix_ms = UNIX_MS.saturating_add_unsigned(start_ms);
        let begin = || Begin { init: self.init.clone(), is_discontinuous, unix_ms };
        let begins = self.parts.is_multiple_of(4).then(begin);
        let is_last = self.parts % 4 == 3;
        let bytes = vec![Bytes::from_static(&[1; 10])];
        self.window.push(Piece { part, bytes, begins, is_last, trace: None });
        self.parts += 1;
    }
}

/// `count` segments of 2 s, of which each third is discontinuous.
fn before(count: usize) -> Vec<Before> {
    let before = |at: usize| Before {
        duration_ms: 2_000,
        unix_ms: UNIX_MS - i64::try_from(count - at).unwrap() * 2_000,
        is_discontinuous: at.is_multiple_of(3) && at > 0,
        is_gap: false,
        map: Map::Before(at as u64 / 3),
    };
    (0..count).map(before).collect()
}

fn reach<'a>(before: &'a [Before], lost: &'a BTreeSet<u64>) -> Reach<'a> {
    Reach {
        before,
        anchor: 0,
        goes_on: true,
        discontinuities: 0,
        first: FIRST,
        kept: 0,
        lost,
        lost_ago_ms: None,
        target_s: 2,
        length_ms: 60_000,
        skips: false,
    }
}

fn numbers(media: &Media) -> Vec<u64> {
    let number = |told: &Told| {
        let uri = told.uri.as_deref()?;
        uri.strip_prefix("rewind-")?.strip_suffix(".m4s")?.parse().ok()
    };
    media.segments.iter().filter_map(number).collect()
}

#[test]
fn recorded_and_live_segments_are_one_list() {
    let (before, lost) = (before(10), BTreeSet::new());
    let mut live = Live::new();
    (0..10).for_each(|_| live.push(false));
    let media = live.window.rewind(&reach(&before, &lost)).unwrap();
    assert_eq!(numbers(&media), (990..1_002).collect::<Vec<_>>());
    assert_eq!((media.media_sequence, media.discontinuity_sequence), (990, (1 << 20) - 3));
    assert_eq!(media.segments[10].uri.as_deref(), Some("rewind-1000.m4s"));
    assert_eq!(media.segments[10].map.as_deref(), Some("init-0.mp4"));
    assert_eq!((media.segments[10].is_discontinuous, media.segments[10].unix_ms), (false, None));
    assert_eq!(media.segments[0].map.as_deref(), Some("rewind-init-0.mp4"));
    assert_eq!(media.segments[0].unix_ms, Some(UNIX_MS - 20_000));
    // The newest is as in the playlist that does not reach back.
    let plain = live.window.playlist().unwrap();
    assert_eq!(media.preload_hint, plain.preload_hint);
    let newest = |media: &Media| media.segments.last().unwrap().parts.clone();
    assert_eq!(newest(&media), newest(&plain));
    assert!(!newest(&media).is_empty());

    let apart = Reach { goes_on: false, ..reach(&before, &lost) };
    let media = live.window.rewind(&apart).unwrap();
    assert!(media.segments[10].is_discontinuous);
}

/// Reads lists at every moment as a player does, which keeps what it has read.
fn follow(mut step: impl FnMut(u64) -> Option<Media>, steps: u64) -> Vec<(u64, Told)> {
    let mut known: Vec<(u64, Told, u64)> = Vec::new();
    let mut sequence = 0;
    for n in 0..steps {
        let Some(media) = step(n) else { continue };
        assert!(media.media_sequence >= sequence, "it does not go back");
        sequence = media.media_sequence;
        let (mut number, mut discontinuities) = (sequence, media.discontinuity_sequence);
        for (at, told) in media.segments.iter().enumerate() {
            discontinuities += u64::from(told.is_discontinuous);
            if let Some(uri) = &told.uri {
                assert_eq!(*uri, rewind_name(number), "a number is a place in the list");
                let first = known.first().map_or(number, |first| first.0);
                let at_known = number.checked_sub(first).map(|at| usize::try_from(at).unwrap());
                match at_known.and_then(|at| known.get(at)) {
                    Some((_, before, count)) => {
                        assert_eq!(before.uri, told.uri);
                        assert_eq!(before.duration_ms, told.duration_ms);
                        // What the first one has before it may have left with those before.
                        assert!(at == 0 || before.is_discontinuous == told.is_discontinuous);
                        assert_eq!(*count, discontinuities, "segment {number}");
                    }
                    None => known.push((number, told.clone(), discontinuities)),
                }
            }
            number += 1;
        }
    }
    known.into_iter().map(|(number, told, _)| (number, told)).collect()
}

#[test]
fn no_number_changes_its_meaning_however_long_it_goes_on() {
    for (goes_on, length_ms) in [(true, 60_000), (false, 30_000), (true, 1), (false, 3_600_000)] {
        let (before, lost) = (before(10), BTreeSet::new());
        let mut live = Live::new();
        let step = |n: u64| {
            // A reconnect each 40 s.
            live.push(n.is_multiple_of(80) && n > 0);
            // Files are deleted, oldest first.
            let kept = if n > 100 { FIRST - 10 + n / 20 } else { 0 };
            live.window.rewind(&Reach { goes_on, length_ms, kept, ..reach(&before, &lost) })
        };
        let known = follow(step, 600);
        let last = known.last().unwrap().0;
        assert_eq!(last, FIRST + 149);
        let first = known.first().unwrap().0;
        let whole: Vec<u64> = known.iter().map(|(number, _)| *number).collect();
        assert_eq!(whole, (first..=last).collect::<Vec<_>>(), "none is left out");
    }
}

#[test]
fn list_is_as_long_as_was_asked_for_and_its_numbers_do_not_depend_on_that() {
    let (before, lost) = (before(100), BTreeSet::new());
    let mut live = Live::new();
    (0..4 * 60).for_each(|_| live.push(false));
    let list = |length_ms| {
        let media = live.window.rewind(&Reach { length_ms, ..reach(&before, &lost) }).unwrap();
        assert_eq!(numbers(&media).last(), Some(&(FIRST + 59)));
        media.segments.iter().map(|told| told.duration_ms).sum::<u64>()
    };
    assert_eq!(list(1), 12_000, "never less than the playlist of the window");
    assert_eq!(list(40_000), 40_000);
    assert_eq!(list(200_001), 202_000);
    assert_eq!(list(86_400_000), 320_000);
}

#[test]
fn known_segments_may_be_left_out_of_an_update() {
    let (before, lost) = (before(100), BTreeSet::new());
    let mut live = Live::new();
    (0..4 * 30).for_each(|_| live.push(false));
    let whole = Reach { length_ms: 200_000, ..reach(&before, &lost) };
    let all = live.window.rewind(&whole).unwrap();
    let some = live.window.rewind(&Reach { skips: true, ..whole }).unwrap();
    assert_eq!(all.media_sequence, some.media_sequence);
    assert_eq!(some.skipped, 100 - 6);
    assert_eq!(all.segments[94..], some.segments[..]);
    let text = some.to_string();
    assert!(text.contains("CAN-SKIP-UNTIL=12.000\n"), "{text}");
    assert!(text.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=94\n"), "{text}");
}

#[test]
fn what_is_known_to_be_lost_is_told() {
    let (before, lost) = (before(3), BTreeSet::from([1, 29]));
    let mut live = Live::new();
    (0..4 * 30).for_each(|_| live.push(false));
    let media = live.window.rewind(&reach(&before, &lost)).unwrap();
    let gaps: Vec<_> = media.segments.iter().filter(|told| told.is_gap).collect();
    // The other one is in memory.
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].uri.as_deref(), Some("rewind-1001.m4s"));
}

#[test]
fn gaps_that_nobody_may_know_yet_are_in_every_update() {
    let (before, lost) = (before(50), BTreeSet::from([3]));
    let mut live = Live::new();
    (0..4 * 30).for_each(|_| live.push(false));
    let whole = Reach { length_ms: 100_000, skips: true, ..reach(&before, &lost) };
    let update = |lost_ago_ms| live.window.rewind(&Reach { lost_ago_ms, ..whole }).unwrap();
    // A player may have half of what is left out behind its back: 6 s.
    let told = update(Some(6_000));
    assert_eq!((told.skipped, told.segments.iter().filter(|told| told.is_gap).count()), (0, 1));
    assert_eq!(told, live.window.rewind(&Reach { skips: false, ..whole }).unwrap());
    assert!(update(Some(6_001)).skipped > 0 && update(None).skipped > 0);
}

#[test]
fn a_list_begins_with_what_is_there_and_never_moves_back() {
    let before = before(5);
    for goes_on in [true, false] {
        let (mut live, mut lost) = (Live::new(), BTreeSet::new());
        let step = |n: u64| {
            live.push(n.is_multiple_of(60) && n > 0);
            // Nothing is recorded from segment 5 to 40; what has left memory is found out some segments late.
            let left = live.window.open_segment().saturating_sub(15);
            lost.extend((5..40).filter(|number| *number < left));
            let media = live.window.rewind(&Reach { goes_on, ..reach(&before, &lost) })?;
            assert!(!media.segments[0].is_gap, "{}", media.media_sequence);
            let gaps = media.segments.iter().filter(|told| told.is_gap).count();
            assert!(gaps <= 35 && media.segments.len() <= 90);
            Some(media)
        };
        let known = follow(step, 4 * 120);
        assert_eq!(known.last().unwrap().0, FIRST + 119);
    }
}

#[test]
fn what_comes_before_the_anchor_is_not_in_the_list() {
    let lost = BTreeSet::new();
    let mut live = Live::new();
    (0..4 * 4).for_each(|_| live.push(false));
    let media = live.window.rewind(&Reach { anchor: 2, ..reach(&[], &lost) }).unwrap();
    assert_eq!(numbers(&media), [FIRST + 2, FIRST + 3]);
    assert_eq!(media.media_sequence, FIRST + 2);
}

#[test]
fn a_list_of_what_is_live_is_the_ordinary_one_and_grows_from_when_something_is_recorded() {
    let lost = BTreeSet::from([45, 46]);
    let (mut live, mut listed) = (Live::new(), 0);
    let step = |n: u64| {
        live.push(n.is_multiple_of(60) && n > 0);
        let plain = live.window.playlist()?;
        // It is found out while segment 40 is made that what is live since 35 is recorded.
        let kept = if n < 160 { u64::MAX } else { listed.max(35) };
        if n < 160 {
            listed = live.window.listed();
        }
        let reach = Reach { kept, length_ms: 60_000, ..Reach::of_live(&lost) };
        let media = live.window.rewind(&reach)?;
        let whole = |media: &Media| {
            let lengths =
                media.segments.iter().map(|told| (told.duration_ms, told.is_discontinuous));
            lengths.collect::<Vec<_>>()
        };
        if n < 160 {
            assert_eq!(media.media_sequence, plain.media_sequence);
            assert_eq!(whole(&media), whole(&plain));
        }
        assert!(whole(&media).ends_with(&whole(&plain)));
        assert_eq!((media.target_s, &media.preload_hint), (plain.target_s, &plain.preload_hint));
        if (200..220).contains(&n) {
            assert_eq!(media.media_sequence, 35, "it stays there");
        }
        Some(media)
    };
    let known = follow(step, 4 * 120);
    assert_eq!(known.last().unwrap().0, 119);
}

#[test]
fn what_has_nothing_in_it_is_a_gap_and_no_list_begins_with_it() {
    let (mut before, lost) = (before(10), BTreeSet::new());
    for gap in [0, 1, 5] {
        before[gap].is_gap = true;
    }
    let mut live = Live::new();
    (0..10).for_each(|_| live.push(false));
    let media = live.window.rewind(&reach(&before, &lost)).unwrap();
    assert_eq!(media.media_sequence, FIRST - 8);
    let gaps: Vec<_> = media.segments.iter().map(|told| told.is_gap).collect();
    assert_eq!(gaps[..5], [false, false, false, true, false]);
    assert!(!gaps[5..].contains(&true));
}
