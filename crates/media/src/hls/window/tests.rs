use super::*;
use crate::mp4::Movie;

fn begin(init: &Arc<Init>, is_discontinuous: bool) -> Begin {
    Begin { init: init.clone(), is_discontinuous, unix_ms: 0 }
}

fn init() -> Arc<Init> {
    Arc::new(Init { bytes: Bytes::from_static(&[0; 100]), movie: Movie::default() })
}

fn piece(start_ms: u64, begins: Option<Begin>, is_last: bool) -> Piece {
    let part = mp4::Part {
        sequence: 0,
        start_ms,
        end_ms: start_ms + 500,
        is_independent: begins.is_some(),
        has_key: begins.is_some(),
        samples: 1,
        size_bytes: 1_000,
    };
    let bytes = vec![Bytes::from_static(&[1; 1_000])];
    Piece { part, bytes, begins, is_last, trace: None }
}

/// Segments of four parts and 2 s.
fn segments(window: &mut Window, init: &Arc<Init>, numbers: std::ops::Range<u64>) {
    window.set_targets(Some(2), 500);
    for number in numbers {
        for part in 0..4 {
            let begins = (part == 0).then(|| begin(init, false));
            window.push(piece(number * 2_000 + part * 500, begins, part == 3));
        }
    }
}

#[test]
fn segments_leave_the_playlist_before_they_are_gone() {
    let (mut window, init) = (Window::new(1 << 30), init());
    segments(&mut window, &init, 0..40);
    let playlist = window.playlist().unwrap();
    // Six target durations, and twice that.
    assert_eq!((playlist.media_sequence, playlist.segments.len()), (34, 6));
    assert!(window.segment(28).is_some() && window.segment(27).is_none());
    assert!(window.segment(39).is_some() && window.segment(40).is_none());
    assert!(window.part(28 * 4).is_some() && window.part(28 * 4 - 1).is_none());
    assert!(window.init(0).is_some() && window.init(1).is_none());
    assert_eq!(window.size_bytes(), 12 * 4_000 + 100);
    // Parts are told of the last three target durations alone.
    let with_parts = playlist.segments.iter().filter(|segment| !segment.parts.is_empty()).count();
    assert_eq!(with_parts, 3);
    assert_eq!(playlist.preload_hint.as_deref(), Some("part-160.m4s"));
}

#[test]
fn bytes_are_bounded_and_the_newest_stays() {
    let (mut window, first) = (Window::new(10_000), init());
    segments(&mut window, &first, 0..10);
    assert!(window.size_bytes() <= 10_000 + 4_000, "{}", window.size_bytes());
    let playlist = window.playlist().unwrap();
    assert_eq!(playlist.media_sequence + playlist.segments.len() as u64, 10);
    let mut tight = Window::new(1);
    segments(&mut tight, &init(), 0..10);
    assert_eq!(tight.playlist().unwrap().media_sequence, 8);
}

#[test]
fn initializations_of_what_has_left_are_bounded() {
    let mut window = Window::new(1 << 30);
    for number in 0..40_u8 {
        let bytes = vec![number; 1 << 20].into();
        let init = Arc::new(Init { bytes, movie: Movie::default() });
        segments(&mut window, &init, number.into()..u64::from(number) + 1);
    }
    // Twelve segments are in memory, the eight before them are remembered.
    assert!((8 << 20..9 << 20).contains(&window.log_bytes()), "{}", window.log_bytes());
    assert!(window.logged(27).is_some() && window.logged(20).is_some());
    assert!(window.logged(19).is_none());
    assert!(window.init(20).is_some() && window.init(19).is_none());
}

#[test]
fn discontinuities_are_counted_when_they_leave() {
    let (mut window, first, second) = (Window::new(1 << 30), init(), init());
    segments(&mut window, &first, 0..3);
    window.end_run();
    for part in 0..4 {
        let begins = (part == 0).then(|| begin(&second, true));
        window.push(piece(part * 500, begins, part == 3));
    }
    assert_eq!(window.run(), 1);
    let playlist = window.playlist().unwrap();
    assert_eq!(playlist.discontinuity_sequence, 0);
    assert!(playlist.segments[3].is_discontinuous);
    assert_eq!(playlist.segments[0].map.as_deref(), Some("init-0.mp4"));
    assert_eq!(playlist.segments[3].map.as_deref(), Some("init-1.mp4"));
    // Still in front of its segment, while that is listed.
    segments(&mut window, &second, 4..9);
    let playlist = window.playlist().unwrap();
    assert_eq!((playlist.media_sequence, playlist.discontinuity_sequence), (3, 0));
    assert!(playlist.segments[0].is_discontinuous);
    segments(&mut window, &second, 9..20);
    let playlist = window.playlist().unwrap();
    assert_eq!(playlist.discontinuity_sequence, 1);
    assert_eq!(playlist.segments[0].map.as_deref(), Some("init-1.mp4"));
    assert!(window.init(0).is_some());
}

#[test]
fn what_is_waited_for_is_there_or_will_be() {
    let (mut window, init) = (Window::new(1 << 30), init());
    assert!(!window.has(0, None) && !window.has(0, Some(0)) && !window.is_ready());
    window.push(piece(0, Some(begin(&init, false)), false));
    assert!(window.has(0, Some(0)) && !window.has(0, Some(1)) && !window.has(0, None));
    assert!(!window.is_ready() && window.playlist().is_none());
    window.push(piece(500, None, true));
    window.set_targets(Some(2), 500);
    assert!(window.has(0, None) && window.is_ready());
    // A part behind the last one is the first of the next segment.
    assert!(!window.has(0, Some(2)) && !window.has(1, Some(0)));
    assert_eq!(window.open_segment(), 1);
    window.push(piece(1_000, Some(begin(&init, false)), false));
    assert!(window.has(0, Some(2)) && window.has(1, Some(0)) && !window.has(1, None));
    window.end();
    assert!(window.has(9, Some(9)), "nobody waits for what never comes");
}

#[test]
fn the_variant_is_described_by_what_there_is() {
    let (mut window, init) = (Window::new(1 << 30), init());
    segments(&mut window, &init, 0..3);
    let all = window.multivariant("media.m3u8".to_owned()).unwrap();
    // 4,000 bytes in 2 s, and a fifth more for what is to come.
    let variant = &all.variants[0];
    assert_eq!((variant.bandwidth, variant.average_bandwidth), (19_200, Some(16_000)));
}
