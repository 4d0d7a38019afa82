//! Segments of HLS.

use std::collections::BTreeMap;

use super::*;
use crate::{Amount, disk::Disk as _};

/// The bytes of a segment.
pub(super) fn segment(source: &Source, segment: &HlsSegment) -> Vec<u8> {
    let fragments = source.fragments(segment.segment, segment.place).unwrap();
    fragments.map(Result::unwrap).collect::<Vec<_>>().concat()
}

/// The boxes of a file: their names, and what is in them.
fn boxes(mut bytes: &[u8]) -> Vec<(String, &[u8])> {
    let mut boxes = Vec::new();
    while let Some((size, _)) = bytes.split_first_chunk::<4>() {
        let size = u32::from_be_bytes(*size) as usize;
        let name = String::from_utf8(bytes[4..8].to_vec()).unwrap();
        boxes.push((name, &bytes[8..size]));
        bytes = &bytes[size..];
    }
    boxes
}

/// What is in the `mdat`s.
pub(super) fn media_in(bytes: &[u8]) -> Vec<u8> {
    let media = boxes(bytes).into_iter().filter(|(name, _)| name == "mdat");
    media.flat_map(|(_, media)| media.to_vec()).collect()
}

fn lengths(hls: &Hls) -> Vec<u64> {
    hls.segments.iter().map(|segment| segment.duration_ms).collect()
}

fn discontinuities(hls: &Hls) -> Vec<usize> {
    let all = hls.segments.iter().enumerate();
    all.filter(|(_, segment)| segment.is_discontinuous).map(|(at, _)| at).collect()
}

#[test]
fn segments_are_cut_at_key_frames_and_leave_nothing_out() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 20, cut_every: 8, ..made::Run::default() });
    let source = source(&made);
    let hls = source.hls(Range::ALL, 3_000).unwrap();
    assert_eq!(lengths(&hls), [3_000, 3_000, 2_000, 3_000, 3_000, 2_000, 3_000, 1_000]);
    assert_eq!(discontinuities(&hls), [0], "rotation is none");
    assert_eq!((hls.target_s(), hls.is_growing), (3, false));
    assert_eq!(hls.segments[1].unix_ms, START + 3_000);
    for pair in hls.segments.windows(2).filter(|pair| pair[0].segment == pair[1].segment) {
        assert_eq!(pair[0].place.to, pair[1].place.from);
    }

    let media: Vec<_> = hls.segments.iter().map(|of| media_in(&segment(&source, of))).collect();
    let payload = |sent: &made::Sent| match sent.packet.kind {
        Kind::Video => sent.packet.body.slice(5..),
        _ => sent.packet.body.slice(2..),
    };
    let sent = || made.sent.iter().filter(|sent| sent.packet.is_media());
    let bytes: usize = sent().map(|sent| payload(sent).len()).sum();
    assert_eq!(media.iter().map(Vec::len).sum::<usize>(), bytes);
    let mut found: BTreeMap<Bytes, usize> = BTreeMap::new();
    for frame in sent().map(payload) {
        let is_in = |media: &&Vec<u8>| media.windows(frame.len()).any(|part| part == frame);
        *found.entry(frame.clone()).or_default() += media.iter().filter(is_in).count();
    }
    assert!(found.values().all(|times| *times == 1), "each frame is in one segment");
}

#[test]
fn segment_is_the_same_in_every_list_and_from_every_server() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 20, cut_every: 8, ..made::Run::default() });
    let all = source(&made);
    let hls = all.hls(Range::ALL, 3_000).unwrap();
    let later = all.hls(range(8_500, 14_500, Cut::KeyFrame), 3_000).unwrap();
    assert_eq!(later.segments.first().map(|first| first.place), Some(hls.segments[3].place));
    assert_eq!(later.segments.len(), 3, "up to the first key frame after the end");
    for of in &hls.segments {
        let bytes = segment(&all, of);
        assert_eq!(bytes, segment(&all, of));
        let alone = Source::new(Arc::new(made.disk.clone()), [made.segments[of.segment].clone()]);
        assert_eq!(bytes, segment(&alone, &HlsSegment { segment: 0, ..of.clone() }));
        let names: Vec<_> = boxes(&bytes).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["styp", "moof", "mdat"]);
    }
    let inits: Vec<_> =
        hls.segments.iter().map(|of| all.hls_init(of.segment, of.place.settled).unwrap()).collect();
    assert!(inits.iter().all(|init| *init == inits[0] && &init[4..8] == b"ftyp"));
}

#[test]
fn long_segment_comes_in_fragments() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 6, frame_bytes: 80_000, ..made::Run::default() });
    let source = source(&made);
    let hls = source.hls(Range::ALL, 6_000).unwrap();
    let pieces = source.fragments(0, hls.segments[0].place).unwrap().map(Result::unwrap);
    let pieces: Vec<_> = pieces.map(|piece| piece.len()).collect();
    assert!(pieces.len() > 3 && pieces.iter().all(|bytes| *bytes < 3 << 19), "{pieces:?}");
}

#[test]
fn what_does_not_go_on_is_a_discontinuity() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 4, cut_every: 2, ..made::Run::default() });
    made.run(&made::Run { gops: 2, away_ms: 90_000, dts_ms: 5, ..made::Run::default() });
    made.run(&made::Run { gops: 2, away_ms: 30_000, recording: 2, ..made::Run::default() });
    made.run(&made::Run { gops: 6, recording: 2, cut_every: 2, ..made::Run::default() });
    let hls = source(&made).hls(Range::ALL, 6_000).unwrap();
    assert_eq!(discontinuities(&hls), [0, 2, 3]);
    assert_eq!(hls.segments[2].unix_ms, START + 94_000);
    // One file is gone.
    let mut segments = made.segments.clone();
    segments[1].gone = Some(Gone::Deleted);
    segments[5].gone = Some(Gone::Missing);
    let source = Source::new(Arc::new(made.disk.clone()), segments);
    let hls = source.hls(Range::ALL, 6_000).unwrap();
    assert_eq!((hls.segments.len(), discontinuities(&hls)), (5, vec![0, 1, 2, 4]));
    let gone = source.hls(range(2_000, 3_000, Cut::KeyFrame), 6_000).unwrap_err();
    assert_eq!(gone, Error::Lost { cause: Cause::Deleted });
    let none = source.hls(range(-9_000, -8_000, Cut::KeyFrame), 6_000).unwrap_err();
    assert_eq!(none, Error::Nothing);
}

#[test]
fn gap_in_a_file_ends_a_segment() {
    let mut made = Made::new();
    let gap = crate::Gap {
        at_ms: 3_500,
        length_ms: 1_500,
        reason: GapReason::Publisher,
        dropped: Amount::default(),
    };
    made.run(&made::Run { gops: 12, gap: Some(gap), ..made::Run::default() });
    let hls = source(&made).hls(Range::ALL, 6_000).unwrap();
    assert_eq!((lengths(&hls), discontinuities(&hls)), (vec![3_500, 6_000, 2_000], vec![0, 1]));
}

#[test]
fn configuration_that_may_change_is_asked_for_at_each_key_frame() {
    let mut made = Made::new();
    let change = Some((2, 9));
    let cut = Some(crate::Cut::Configuration);
    made.run(&made::Run { gops: 8, cut_every: 2, ..made::Run::default() });
    made.run(&made::Run { gops: 4, config: 2, cut, change, ..made::Run::default() });
    let source = source(&made);
    let hls = source.hls(Range::ALL, 6_000).unwrap();
    assert_eq!(lengths(&hls), [2_000, 2_000, 2_000, 2_000, 1_000, 1_000, 1_000, 1_000]);
    let inits: Vec<_> = hls
        .segments
        .iter()
        .skip(3)
        .map(|of| source.hls_init(of.segment, of.place.settled).unwrap())
        .collect();
    assert_eq!(inits[1], inits[2]);
    assert_eq!(inits[3], inits[4]);
    assert!(inits[0] != inits[1] && inits[2] != inits[3]);
}

#[test]
fn configuration_cannot_change_in_a_file_before_the_recorder_is_out_of_cuts() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 6, cut_every: 2, ..made::Run::default() });
    let cut = Some(crate::Cut::Configuration);
    made.run(&made::Run { gops: 12, config: 2, cut, ..made::Run::default() });
    let source = source(&made);
    let hls = source.hls(Range::ALL, 6_000).unwrap();
    assert_eq!(lengths(&hls), [2_000, 2_000, 2_000, 6_000, 6_000]);
    let of = hls.segments.last().unwrap();
    let start = hls.segments[3].place;
    assert_eq!((of.segment, of.place.settled, start.settled), (3, start.from, start.from));
}

#[test]
fn list_of_a_growing_file_is_the_beginning_of_its_last_one() {
    let (mut grows, mut is_whole) = (Made::new(), Made::new());
    grows.run(&made::Run { gops: 22, cut_every: 14, grows: true, ..made::Run::default() });
    is_whole.run(&made::Run { gops: 22, cut_every: 14, ..made::Run::default() });
    let (grown, whole) = (source(&grows), source(&is_whole));
    let before = grown.hls(Range::ALL, 3_000).unwrap();
    let after = whole.hls(Range::ALL, 3_000).unwrap();
    assert!(before.is_growing && !after.is_growing);
    assert_eq!(before.segments, after.segments[..before.segments.len()]);
    assert_eq!((before.segments.len(), after.segments.len()), (6, 8));
    for of in &before.segments {
        assert_eq!(segment(&grown, of), segment(&whole, of));
    }
    let past = grown.hls(range(0, 16_000, Cut::KeyFrame), 3_000).unwrap();
    assert!(!past.is_growing, "all of it is there");
}

#[test]
fn place_that_is_none_is_refused() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 4, ..made::Run::default() });
    let source = source(&made);
    let place = source.hls(Range::ALL, 2_000).unwrap().segments[1].place;
    let size = made.disk.entry(&made.segments[0].path).unwrap().size_bytes;
    for place in [
        Place { from: place.from + 1, ..place },
        Place { settled: place.settled + 1, ..place },
        Place { from: size, to: size + 9, ..place },
        Place { from: 1, to: 2, settled: 1 },
    ] {
        let found = source.fragments(0, place).and_then(|mut of| of.next().transpose());
        assert!(matches!(found, Ok(None) | Err(Error::Changed { .. })), "{place:?}: {found:?}");
    }
    assert!(source.fragments(1, place).is_err());
    assert!(source.hls_init(0, 14).is_err());
}
