//! MP4 files of ranges.

use super::*;

/// A range of the bytes of a file.
fn part(mp4: &Mp4, bytes: std::ops::Range<u64>) -> Vec<u8> {
    let pieces: Vec<_> = mp4.read(bytes).map(Result::unwrap).collect();
    assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 1 << 20));
    pieces.concat()
}

fn whole(mp4: &Mp4) -> Vec<u8> {
    part(mp4, 0..u64::MAX)
}

/// The samples as they stand in the file: of each second the video, then the audio.
fn samples(made: &Made) -> Vec<u8> {
    let media: Vec<_> = made.sent.iter().filter(|sent| sent.packet.is_media()).collect();
    let second = |sent: &made::Sent| (sent.unix_ms - START) / 1_000;
    let mut bytes = Vec::new();
    for now in 0..=second(media.last().unwrap()) {
        for (kind, head) in [(Kind::Video, 5), (Kind::Audio, 2)] {
            let of_it = |sent: &&&made::Sent| second(sent) == now && sent.packet.kind == kind;
            media.iter().filter(of_it).for_each(|sent| bytes.extend(&sent.packet.body[head..]));
        }
    }
    bytes
}

#[test]
fn file_has_every_frame_and_any_range_of_its_bytes() {
    let mut made = Made::new();
    // One frame is longer than what is looked at of it.
    made.run(&made::Run { gops: 6, cut_every: 2, frame_bytes: 9_000, ..made::Run::default() });
    let source = source(&made);
    let mp4 = source.mp4(Range::ALL).unwrap();
    let file = whole(&mp4);
    assert_eq!(file.len() as u64, mp4.info().size_bytes);
    assert_eq!(mp4.info().duration_ms, 6_023);
    assert_eq!((mp4.samples(), mp4.info().segments, mp4.refused().len()), (120, 3, 0));
    let samples = samples(&made);
    assert!(file.ends_with(&samples));
    let head = file.len() - samples.len();
    assert_eq!(&file[4..8], b"ftyp");
    assert_eq!(&file[head - 12..head - 8], b"mdat");

    let size = file.len();
    for (start, end) in [(0, 1), (5, head), (head - 1, head + 1), (head + 90_000, head + 190_001)] {
        assert_eq!(part(&mp4, start as u64..end as u64), file[start..end], "{start} to {end}");
    }
    let parts = (0..size).step_by(7_919).map(|at| at as u64..(at + 7_919).min(size) as u64);
    assert_eq!(parts.flat_map(|bytes| part(&mp4, bytes)).collect::<Vec<_>>(), file);
    assert!(part(&mp4, size as u64..u64::MAX).is_empty());
}

#[test]
fn files_are_the_same_when_their_ranges_are() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 6, cut_every: 2, ..made::Run::default() });
    made.run(&made::Run { gops: 2, away_ms: 90_000, dts_ms: 5, ..made::Run::default() });
    let source = source(&made);
    let mp4 = source.mp4(range(1_500, 3_700, Cut::Exact)).unwrap();
    let again = source.mp4(range(1_500, 3_700, Cut::Exact)).unwrap();
    assert_eq!(mp4.identity(), again.identity());
    assert_eq!(whole(&mp4), whole(&again));
    assert_eq!(mp4.info().duration_ms, 2_200);
    let other = source.mp4(range(1_500, 3_800, Cut::Exact)).unwrap();
    assert_ne!(mp4.identity(), other.identity());
    let over = source.mp4(range(1_500, 97_000, Cut::Exact)).unwrap();
    assert_eq!((over.info().duration_ms, over.info().gaps.len()), (95_500, 1));
}

#[test]
fn what_one_file_cannot_say_is_refused() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 3, ..made::Run::default() });
    made.run(&made::Run { gops: 2, config: 2, ..made::Run::default() });
    let source = source(&made);
    let changes = source.mp4(Range::ALL).unwrap_err();
    assert_eq!(changes, Error::Changes { unix_ms: START + 3_000 });
    assert!(changes.to_string().contains("2025-10-11T12:30:55.123Z"), "{changes}");
    for (from, to) in [(0, 3_000), (3_000, 5_000)] {
        source.mp4(range(from, to, Cut::KeyFrame)).unwrap();
    }
    let asked = range(0, 3_000, Cut::KeyFrame);
    assert!(Mp4::of_at_most(&source, asked, 60).is_ok());
    let many = Mp4::of_at_most(&source, asked, 59).unwrap_err();
    assert_eq!(many, Error::TooManySamples { limit: 59 });
    assert_eq!(source.mp4(range(60_000, 61_000, Cut::Exact)).unwrap_err(), Error::Nothing);
}

#[test]
fn messages_that_cannot_be_read_are_told() {
    for format in [crate::Format::Flv, crate::Format::Mp4] {
        let mut made = Made::new();
        // A modifier without its size, sound of no codec, and one track of two that is cut.
        let bad = [
            (Kind::Video, &b"\xA7"[..]),
            (Kind::Audio, b"\x91Op"),
            (Kind::Audio, b"\x95\x11mp4a\x00\x00\x00\x01x\x01\x00\x00\x09y"),
        ];
        let bad = bad.map(|(kind, body)| media::Packet::new(kind, 500, Bytes::from_static(body)));
        made.run(&made::Run { gops: 2, format, others: bad.to_vec(), ..made::Run::default() });
        let source = source(&made);
        let mp4 = source.mp4(Range::ALL).unwrap();
        assert_eq!(
            mp4.refused(),
            [
                "3 messages with a head that cannot be read (the first: the message ends inside its modifier size)"
            ],
            "{format:?}"
        );
        let without = source.mp4(range(1_000, 2_000, Cut::KeyFrame)).unwrap();
        assert_eq!(without.refused(), [""; 0]);
    }
}

#[test]
fn segment_that_changed_ends_the_file_where_it_did() {
    for change in [|file: &mut Vec<u8>| file.truncate(40_000), |file: &mut Vec<u8>| file.clear()] {
        let mut made = Made::new();
        made.run(&made::Run { gops: 4, cut_every: 2, frame_bytes: 3_000, ..made::Run::default() });
        let source = source(&made);
        let mp4 = source.mp4(Range::ALL).unwrap();
        let file = whole(&mp4);
        made.damage(1, change);
        let mut sent = Vec::new();
        let mut pieces = mp4.read(0..u64::MAX);
        let error = loop {
            match pieces.next().unwrap() {
                Ok(piece) => sent.extend_from_slice(&piece),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Changed { .. }), "{error}");
        assert!(pieces.next().is_none());
        assert!(sent.len() > file.len() / 3 && file.starts_with(&sent), "{}", sent.len());
    }
}

#[test]
fn growing_segment_is_in_it_as_it_is() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 4, cut_every: 2, grows: true, ..made::Run::default() });
    let mp4 = source(&made).mp4(Range::ALL).unwrap();
    assert!(mp4.info().is_growing);
    assert_eq!(mp4.samples(), 80);
}
