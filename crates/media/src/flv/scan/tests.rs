use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    Chunks, Header,
    flv::{
        mux::{Muxer, Options},
        tag::FILE_HEADER,
    },
};

/// Scans `bytes`, pushed in pieces that end at `cuts`.
fn scan_at(bytes: &[u8], cuts: &[usize], bodies: Bodies) -> Vec<Item> {
    let (mut scanner, mut items, mut start) = (Scanner::new(bodies), Vec::new(), 0);
    for &end in cuts.iter().chain([&bytes.len()]) {
        scanner.push(&bytes[start..end]);
        items.extend(std::iter::from_fn(|| scanner.poll()));
        assert_eq!(scanner.position(), size(end));
        start = end;
    }
    scanner.finish();
    items.extend(std::iter::from_fn(|| scanner.poll()));
    assert_eq!(scanner.poll(), None);
    items
}

fn scan(bytes: &[u8]) -> Vec<Item> {
    scan_at(bytes, &[], Bodies::Keep)
}

fn faults(items: &[Item]) -> Vec<(u64, FaultKind)> {
    let faults = items.iter().filter_map(|item| match item {
        Item::Fault(fault) => Some((fault.offset, fault.kind)),
        _ => None,
    });
    faults.collect()
}

fn bodies(items: &[Item]) -> Vec<Bytes> {
    let bodies = items.iter().filter_map(|item| match item {
        Item::Tag(tag) => Some(tag.packet.body.clone()),
        _ => None,
    });
    bodies.collect()
}

fn tag(kind: u8, time_ms: u32, body: &[u8]) -> Vec<u8> {
    let header = TagHeader::new(kind, u32::try_from(body.len()).unwrap(), time_ms);
    [&header.encode(), body, &header.tag_size().to_be_bytes()].concat()
}

fn key(time_ms: u32) -> Vec<u8> {
    tag(9, time_ms, b"\x17\x01\x00\x00\x00KEY")
}

fn frame(time_ms: u32) -> Vec<u8> {
    tag(9, time_ms, b"\x27\x01\x00\x00\x00FRAME")
}

fn sound(time_ms: u32) -> Vec<u8> {
    tag(8, time_ms, b"\xaf\x01SOUND")
}

fn file(tags: &[Vec<u8>]) -> Vec<u8> {
    [FILE_HEADER.to_vec(), tags.concat()].concat()
}

/// A file of the muxer with all kinds of packets.
fn muxed() -> (Vec<u8>, Vec<Packet>) {
    let packets: Vec<_> = [
        (Kind::Video, &b"\x17\x00\x00\x00\x00\x01\x64\x00\x0d"[..]),
        (Kind::Audio, b"\xaf\x00\x12\x08"),
        (Kind::Video, b"\x17\x01\x00\x00\x00KEY"),
        (Kind::Audio, b""),
        (Kind::Data, b"\x02\x00\x0aonCuePoint\x05"),
        (Kind::DataAmf3, b"\x00\x02\x00\x0aonCuePoint\x11\x01"),
        (Kind::Audio, b"\xaf\x01SOUND"),
        (Kind::Video, b"\x27\x01\x00\x00\x00FRAME"),
        (Kind::Video, b"\x96\x00av01\x01X"),
    ]
    .into_iter()
    .map(|(kind, body)| Packet::new(kind, 40, Bytes::from_static(body)))
    .collect();
    let mut muxer = Muxer::new(Options { reserve_bytes: 2_048, ..Options::default() });
    let mut out = Chunks::new();
    muxer.start(&Header::default(), &mut out);
    for packet in &packets {
        muxer.push(packet, 40, &mut out).unwrap();
    }
    (out.to_vec(), packets)
}

#[test]
fn what_the_muxer_wrote_is_read_back_at_every_split() {
    let (bytes, packets) = muxed();
    let whole = scan(&bytes);
    let found: Vec<_> = whole
        .iter()
        .filter_map(|item| match item {
            Item::Tag(tag) => Some(tag.packet.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(found[1..], packets);
    assert!(faults(&whole).is_empty());
    let mode = [Bodies::Keep, Bodies::Skip];
    for split in 0..=bytes.len() {
        for bodies in mode {
            assert_eq!(scan_at(&bytes, &[split], bodies), whole, "split at {split}");
        }
    }
    let every: Vec<_> = (1..bytes.len()).collect();
    assert_eq!(scan_at(&bytes, &every, Bodies::Keep), whole, "byte by byte");
}

#[test]
fn tags_have_their_place_and_size() {
    let bytes = file(&[key(0), sound(16_777_216)]);
    let items = scan(&bytes);
    let Item::Header(header) = items[0] else { panic!() };
    assert_eq!((header.version, header.has_audio, header.has_video), (1, true, true));
    let Item::Tag(tag) = &items[2] else { panic!() };
    assert_eq!((tag.offset, tag.size, tag.is_whole), (13 + 23, 22, true));
    assert_eq!((tag.packet.dts_ms, tag.packet.role), (16_777_216, Role::Frame));
}

#[test]
fn every_prefix_of_a_file_says_how_much_is_missing() {
    let bytes = file(&[key(0), sound(3)]);
    let ends = [13, 13 + 23, 13 + 45];
    for len in 0..bytes.len() {
        let items = scan(&bytes[..len]);
        let tags = ends.iter().filter(|end| **end <= len).count().saturating_sub(1);
        assert_eq!(bodies(&items).len(), tags, "{len} bytes");
        let faults = faults(&items);
        if ends.contains(&len) {
            assert_eq!(faults, [], "{len} bytes");
            continue;
        }
        let (start, missing) = match len {
            0..9 => (0, 9 - len),
            9..13 => (9, 13 - len),
            13..24 => (13, 24 - len),
            24..36 => (13, 36 - len),
            36..47 => (36, 47 - len),
            _ => (36, 58 - len),
        };
        let fault = FaultKind::Truncated { missing: size(missing) };
        // With a whole header it is known how long the tag should be.
        let header_end = usize::try_from(start).unwrap() + 11;
        if start >= 13 && len < header_end {
            assert_eq!(faults, [(start, fault)], "{len} bytes");
        } else if start >= 13 {
            let tag_size = if start == 13 { 23 } else { 22 };
            let missing = start + tag_size - size(len);
            assert_eq!(faults, [(start, FaultKind::Truncated { missing })], "{len} bytes");
        } else {
            assert_eq!(faults, [(start, fault)], "{len} bytes");
        }
    }
}

#[test]
fn a_wrong_previous_tag_size_is_told_and_the_tag_kept() {
    for (at, offset) in [(13 + 23 - 1, 32), (13 + 23 + 22 - 1, 54)] {
        let mut bytes = file(&[key(0), sound(3)]);
        bytes[at] ^= 0x40;
        let items = scan(&bytes);
        assert_eq!(bodies(&items).len(), 2);
        let faults = faults(&items);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].0, offset);
        assert!(matches!(faults[0].1, FaultKind::PreviousTagSize { .. }));
    }
    let mut bytes = file(&[key(0)]);
    bytes[12] = 1;
    let fault = FaultKind::PreviousTagSize { found: 1, expected: 0 };
    assert_eq!(faults(&scan(&bytes)), [(9, fault)]);
}

#[test]
fn garbage_between_tags_is_passed_over() {
    for garbage in [&b"\x00"[..], b"garbage", &[0; 500], &[0x09; 500], &[0xFF; 70_000]] {
        let good = file(&[key(0)]);
        let bytes = [&good[..], garbage, &frame(40), &sound(41)].concat();
        let items = scan(&bytes);
        assert_eq!(bodies(&items).len(), 3, "{} bytes", garbage.len());
        let fault = FaultKind::Garbage { size: size(garbage.len()) };
        assert_eq!(faults(&items), [(size(good.len()), fault)]);
        let every: Vec<_> = (1..bytes.len().min(2_000)).collect();
        assert_eq!(scan_at(&bytes, &every, Bodies::Keep), items);
        assert_eq!(scan_at(&bytes, &[], Bodies::Skip), items);
    }
}

#[test]
fn a_broken_size_loses_one_tag() {
    let mut bytes = file(&[key(0), frame(40), sound(41), frame(80)]);
    bytes[36 + 1] = 0x01;
    let items = scan(&bytes);
    assert_eq!(bodies(&items).len(), 3);
    assert_eq!(faults(&items), [(36, FaultKind::Garbage { size: 25 })]);
}

#[test]
fn a_tag_that_lost_its_end_does_not_swallow_the_next() {
    // So much is missing that the tag seems to end where the one behind the damage does.
    let long = tag(9, 40, &[&b"\x27\x01\0\0\0"[..], &[0xA5; 95]].concat());
    let next = sound(80);
    let lost = next.len();
    let bytes = [&file(&[key(0)])[..], &long[..long.len() - lost], &next, &frame(120)].concat();
    let items = scan(&bytes);
    assert_eq!(
        bodies(&items),
        [&b"\x17\x01\0\0\0KEY"[..], b"\xaf\x01SOUND", b"\x27\x01\0\0\0FRAME"]
    );
    assert_eq!(faults(&items), [(36, FaultKind::Garbage { size: size(long.len() - lost) })]);
    // Or at a place in the next tag that looks like a header: 5 bytes into this one.
    let next = tag(9, 0x0900, b"\x27\x01\0\0\0SOMETHING LONGER THAN A HEADER");
    let bytes = [&file(&[key(0)])[..], &long[..long.len() - 5], &next, &frame(120)].concat();
    assert!(is_plain(&header_at(&next, 5).unwrap()));
    let items = scan(&bytes);
    assert!(bodies(&items).contains(&Bytes::copy_from_slice(&next[11..next.len() - 4])));
}

#[test]
fn sizes_that_are_all_wrong_are_told_and_all_tags_kept() {
    let mut tags: Vec<_> = (0..6).map(|i| if i % 2 == 0 { frame(i) } else { sound(i) }).collect();
    for tag in &mut tags {
        let size_at = tag.len() - 4;
        tag[size_at..].fill(0);
    }
    let items = scan(&file(&tags));
    assert_eq!((bodies(&items).len(), faults(&items).len()), (6, 6));
    let mut cut_off = file(&tags);
    cut_off.truncate(cut_off.len() - 6);
    let items = scan(&cut_off);
    assert_eq!(bodies(&items).len(), 5);
    let last = faults(&items).pop().unwrap().1;
    assert_eq!(last, FaultKind::Truncated { missing: 6 });
}

#[test]
fn garbage_at_the_end_is_garbage() {
    let bytes = [file(&[key(0)]), vec![0; 4_096]].concat();
    assert_eq!(faults(&scan(&bytes)), [(36, FaultKind::Garbage { size: 4_096 })]);
}

#[test]
fn what_is_no_flv_is_told_and_tags_in_it_are_found() {
    let text = b"#EXTM3U this is not an FLV file at all".to_vec();
    let items = scan(&text);
    assert_eq!(
        faults(&items),
        [(0, FaultKind::Signature), (0, FaultKind::Garbage { size: size(text.len()) })]
    );
    let items = scan(&[key(0), sound(3)].concat());
    assert_eq!(bodies(&items).len(), 2, "a file that lost its beginning");
    assert_eq!(faults(&items)[0], (0, FaultKind::Signature));
}

#[test]
fn odd_file_headers_are_told() {
    let mut bytes = file(&[key(0)]);
    bytes[3] = 2;
    bytes[4] = 0x0D;
    assert_eq!(
        faults(&scan(&bytes)),
        [(3, FaultKind::Version(2)), (4, FaultKind::HeaderFlags(0x0D))]
    );
    let mut bytes = file(&[key(0)]);
    bytes[8] = 12;
    bytes.splice(9..9, [1, 2, 3]);
    let items = scan(&bytes);
    let size = FaultKind::PreviousTagSize { found: 0x0102_0300, expected: 0 };
    assert_eq!(
        faults(&items),
        [(5, FaultKind::HeaderSize(12)), (9, size), (13, FaultKind::Garbage { size: 3 })]
    );
    assert_eq!(bodies(&items).len(), 1);
    for wrong in [0_u32, 12, 5_000, u32::MAX] {
        let mut bytes = file(&[key(0)]);
        bytes[5..9].copy_from_slice(&wrong.to_be_bytes());
        let items = scan(&bytes);
        assert_eq!(faults(&items), [(5, FaultKind::HeaderSize(wrong))]);
        assert_eq!(bodies(&items).len(), 1, "no tag is taken for the rest of the header");
    }
}

#[test]
fn odd_tag_headers_are_told() {
    let odd = |change: fn(&mut TagHeader)| {
        let mut header = TagHeader::new(9, 8, 0);
        change(&mut header);
        let bytes = [&header.encode()[..], b"\x17\x01\x00\x00\x00KEY", &[0, 0, 0, 19]].concat();
        let items = scan(&file(&[bytes, sound(1)]));
        (bodies(&items).len(), faults(&items))
    };
    assert_eq!(odd(|header| header.kind = 7), (1, vec![(13, FaultKind::TagType(7))]));
    assert_eq!(odd(|header| header.stream_id = 5), (2, vec![(13, FaultKind::StreamId(5))]));
    assert_eq!(odd(|header| header.reserved = 2), (2, vec![(13, FaultKind::Reserved)]));
    assert_eq!(odd(|header| header.encrypted = true), (2, vec![(13, FaultKind::Encrypted)]));
}

#[test]
fn time_that_goes_back_within_a_track_is_told() {
    let bytes = file(&[key(100), sound(90), frame(140), sound(80), frame(120), frame(160)]);
    let back = |kind, from_ms, to_ms| FaultKind::TimeBack { kind, track: 0, from_ms, to_ms };
    let found: Vec<_> = faults(&scan(&bytes)).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(found, [back(Kind::Audio, 90, 80), back(Kind::Video, 140, 120)]);
    let config = tag(9, 0, b"\x17\x00\x00\x00\x00\x01");
    let bytes = file(&[key(100), config, frame(140)]);
    assert_eq!(faults(&scan(&bytes)), [], "a header has no time of its own");
}

#[test]
fn long_bodies_can_be_skipped_and_configurations_are_kept() {
    let long = |head: &[u8]| [head, &[0xA5; 100_000]].concat();
    let bodies = [long(b"\x17\x00\x00\x00\x00"), long(b"\x17\x01\x00\x00\x00"), long(b"\xaf\x01")];
    let bytes =
        file(&[tag(9, 0, &bodies[0]), tag(9, 0, &bodies[1]), tag(8, 0, &bodies[2]), key(40)]);
    let (mut scanner, mut items, mut read) = (Scanner::new(Bodies::Skip), Vec::new(), 0);
    while scanner.position() < size(bytes.len()) {
        let at = usize::try_from(scanner.position()).unwrap();
        let piece = &bytes[at..bytes.len().min(at + 8_192)];
        read += piece.len();
        scanner.push(piece);
        items.extend(std::iter::from_fn(|| scanner.poll()));
        let wanted = scanner.skippable();
        scanner.skip(wanted);
    }
    scanner.finish();
    items.extend(std::iter::from_fn(|| scanner.poll()));
    assert!(faults(&items).is_empty());
    let found: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Tag(tag) => {
                Some((tag.packet.role, tag.packet.body.len(), tag.is_whole, tag.size))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        found,
        [
            (Role::Config, 100_005, true, 100_020),
            (Role::Key, 4_096, false, 100_020),
            (Role::Frame, 4_096, false, 100_017),
            (Role::Key, 8, true, 23),
        ]
    );
    assert!(read < 200_000, "{read} bytes were read");
    assert_eq!(scan_at(&bytes, &[5_000, 50_000, 250_000], Bodies::Skip), items);
}

#[test]
fn skipping_more_than_was_offered_is_not_believed() {
    let mut scanner = Scanner::new(Bodies::Skip);
    scanner.skip(1 << 40);
    assert_eq!(scanner.position(), 0);
}

#[test]
fn a_body_of_the_largest_size_is_one_tag() {
    let body = [&b"\x27\x01\x00\x00\x00"[..], &vec![0; BODY_MAX - 5]].concat();
    let bytes = file(&[tag(9, 0, &body), key(40)]);
    let cuts: Vec<_> = (1..bytes.len() / 1_000_000).map(|i| i * 1_000_000).collect();
    let items = scan_at(&bytes, &cuts, Bodies::Keep);
    assert_eq!(bodies(&items)[0].len(), BODY_MAX);
    assert_eq!(bodies(&items).len(), 2);
}

#[test]
fn garbage_does_not_gather_in_memory() {
    let mut scanner = Scanner::new(Bodies::Keep);
    scanner.push(&file(&[key(0)]));
    while scanner.poll().is_some() {}
    for _ in 0..1_000 {
        scanner.push(&[0xFF; 65_536]);
        assert_eq!(scanner.poll(), None);
        assert!(scanner.buffer.len() <= BODY_MAX + 65_536 + 15);
    }
    assert!(scanner.buffer.len() < 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_broken_file_is_read_to_its_end_alike_at_any_cut(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        end in any::<prop::sample::Index>(),
        start in 0_usize..20,
    ) {
        let tags: Vec<_> = (0..12).map(|i| if i % 4 == 0 { key(i) } else { frame(i) }).collect();
        let mut bytes = file(&tags);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= value;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        bytes.drain(..start.min(bytes.len()));
        let whole = scan(&bytes);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(scan_at(&bytes, &cuts, Bodies::Keep), whole);
        scan_at(&bytes, &cuts, Bodies::Skip);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        scan(&bytes);
        scan(&[FILE_HEADER.to_vec(), bytes].concat());
    }
}

#[test]
fn beyond_4_gib_offsets_are_exact_where_bodies_are_skipped() {
    const BODY: u32 = 0xFF_FFFF;
    let mut scanner = Scanner::new(Bodies::Skip);
    scanner.push(&crate::flv::tag::FILE_HEADER);
    let mut offsets = Vec::new();
    for i in 0..300_u32 {
        let header = TagHeader::new(9, BODY, i * 40);
        let head = [&header.encode()[..], b"\x27\x01\0\0\0", &[0xA5; 5_000]].concat();
        scanner.push(&head);
        let item = std::iter::from_fn(|| scanner.poll()).find(|item| matches!(item, Item::Tag(_)));
        let Some(Item::Tag(tag)) = item else { panic!("no tag") };
        offsets.push(tag.offset);
        assert!(scanner.poll().is_none());
        scanner.skip(scanner.skippable());
        scanner.push(&header.tag_size().to_be_bytes());
    }
    scanner.finish();
    assert_eq!(scanner.poll(), None);
    let tag_bytes = u64::from(BODY) + OVERHEAD;
    assert_eq!(scanner.position(), 13 + 300 * tag_bytes);
    assert!(offsets[299] > 1 << 32);
    assert!(offsets.iter().zip(0..).all(|(offset, i): (_, u64)| *offset == 13 + i * tag_bytes));
}
