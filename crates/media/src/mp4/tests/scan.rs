//! Recordings read back: whole, growing, finished, cut at every byte and bent; and restored.

use super::*;
use crate::amf0::Value;
use crate::mp4::mux::{Muxer, Restore};
use crate::mp4::scan::{self, FaultKind, Item, Scanner};
use crate::mp4::tests::mux::{apply, finished, growing, options, property};

/// What is in a file that comes in pieces of a size, and how far it is whole.
fn scan(file: &[u8], piece: usize) -> (Vec<Item>, u64) {
    let mut scanner = Scanner::new();
    let mut items = Vec::new();
    for piece in file.chunks(piece) {
        scanner.push(piece);
        items.extend(std::iter::from_fn(|| scanner.poll()));
    }
    scanner.finish();
    items.extend(std::iter::from_fn(|| scanner.poll()));
    (items, scanner.whole_until())
}

fn packets_of(items: &[Item]) -> Vec<Packet> {
    let packet = |item: &Item| match item {
        Item::Packet(packet) => Some(packet.clone()),
        _ => None,
    };
    items.iter().filter_map(packet).collect()
}

fn fault(items: &[Item]) -> Option<FaultKind> {
    match items.last() {
        Some(Item::Fault(fault)) => Some(fault.kind),
        _ => None,
    }
}

/// The messages of a header come first, at time 0.
fn with_header(packets: &[Packet]) -> Vec<Packet> {
    header(&configs()).packets().iter().chain(packets).cloned().collect()
}

fn restore(file: &[u8]) -> Option<Muxer> {
    let mut restore = Restore::new(options(), file.len() as u64);
    while let Some(want) = restore.want() {
        let start = usize::try_from(want.offset).unwrap();
        restore.push(&file[start..start + want.len]);
    }
    restore.finish()
}

proptest! {
    /// Every packet comes back bit for bit, in its order and at its time, from the growing and from
    /// the finished file, whatever pieces it comes in.
    #[test]
    fn packets_come_back_bit_for_bit(
        packets in parts::stream(),
        cuts in proptest::collection::vec(1_usize..80, 0..6),
        piece in 1_usize..3_000,
    ) {
        let (_, file) = finished(&packets, &cuts);
        let (items, whole_until) = scan(&file, piece);
        prop_assert_eq!(packets_of(&items), with_header(&packets));
        prop_assert!(matches!(items.last(), Some(Item::Index { .. })), "{:?}", items.last());
        prop_assert_eq!(whole_until, file.len() as u64);

        let (_, file) = growing(&packets, &cuts);
        let (items, whole_until) = scan(&file, piece);
        let found = packets_of(&items);
        prop_assert_eq!(&found, &with_header(&packets)[..found.len()]);
        prop_assert_eq!(fault(&items), None);
        prop_assert_eq!(whole_until, file.len() as u64);
    }

    /// A file that was cut anywhere, restored and finished, is the file of the packets up to its
    /// last whole part.
    #[test]
    fn a_torn_file_becomes_an_ordinary_one(
        packets in parts::stream(),
        cuts in proptest::collection::vec(1_usize..80, 1..6),
        cut in any::<prop::sample::Index>(),
        is_finished in any::<bool>(),
    ) {
        let (_, mut file) = if is_finished { finished(&packets, &cuts) } else { growing(&packets, &cuts) };
        file.truncate(cut.index(file.len() + 1));
        let (items, whole_until) = scan(&file, 1_000);
        let restored = restore(&file);
        let has_init = items.iter().any(|item| matches!(item, Item::Init(_)));
        prop_assert_eq!(restored.is_some(), has_init);
        let Some(mut muxer) = restored else { return Ok(()) };
        prop_assert_eq!(muxer.position(), whole_until);
        file.truncate(usize::try_from(whole_until).unwrap());
        let mut out = Chunks::new();
        muxer.finish(&mut out);
        file.extend_from_slice(&out.to_vec());
        for patch in muxer.patches() {
            apply(&mut file, &patch);
        }
        let (again, _) = scan(&file, 1_000);
        prop_assert_eq!(packets_of(&again), packets_of(&items));
        prop_assert_eq!(fault(&again), None);
        let media = packets_of(&items).iter().flat_map(samples).count();
        prop_assert_eq!(tree::samples_of_file(&file).len(), media);
        let names: Vec<_> = tree::boxes(&file).into_iter().map(|(name, _)| name).collect();
        prop_assert_eq!(names, ["ftyp", "uuid", "mdat", "moov"]);
    }

    /// Whatever is changed in a file, reading it ends, with packets or a fault.
    #[test]
    fn a_bent_file_is_read_to_its_end(
        packets in parts::stream(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let (_, mut file) = finished(&packets, &[3, 7]);
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let (_, whole_until) = scan(&file, 512);
        prop_assert!(whole_until <= file.len() as u64);
        if let Some(muxer) = restore(&file) {
            prop_assert!(muxer.position() <= file.len() as u64);
        }
    }
}

#[test]
fn a_restored_file_is_as_it_would_have_been() {
    let packets = [
        video(0, true, 80, 1),
        audio(5, 2),
        video(40, false, 0, 3),
        audio(28, 4),
        video(80, true, 80, 5),
        audio(52, 6),
        // Track 0, and one that the file has no place for.
        packet(Kind::Audio, 75, b"\x95\x11mp4a\x00\0\0\x02de\x05\0\0\x01f"),
    ];
    let (_, file) = finished(&packets, &[4]);
    let Some(Value::StrictArray(places)) = property(&file, "trackPlaces") else { panic!() };
    assert_eq!(places.len(), 15);
    // Its index and its head are lost.
    let (_, index) = tree::boxes(&file).into_iter().rfind(|(name, _)| name == "moov").unwrap();
    let mut torn = file[..file.len() - index.len() - 8].to_vec();
    let mut muxer = restore(&torn).unwrap();
    let mut out = Chunks::new();
    muxer.finish(&mut out);
    torn.extend_from_slice(&out.to_vec());
    muxer.patches().iter().for_each(|patch| apply(&mut torn, patch));
    assert!(torn == file, "{}\n{}", tree::dump(&torn), tree::dump(&file));
    // One that is finished stays so.
    let again = restore(&file).unwrap();
    assert_eq!((again.position(), again.patches().len()), (file.len() as u64, 2));
}

#[test]
fn what_is_in_no_sample_comes_back_too() {
    // A code of metadata, a track without a name in MP4, an end, silence, and several tracks at once.
    let packets = [
        packet(Kind::Data, 0, b"\x02\0\x0aonMetaData\x05"),
        packet(Kind::Audio, 3, b"\xB6abc"),
        packet(Kind::Audio, 4, b""),
        packet(Kind::Audio, 10, b"\x95\x11mp4a\x01\0\0\x03abc\x00\0\0\x02de\x05\0\0\x01f"),
        packet(Kind::Video, 11, b"\x17\x02\0\0\0"),
        packet(Kind::Video, 12, b"\xff\xff"),
    ];
    let (_, file) = finished(&packets, &[3]);
    assert_eq!(packets_of(&scan(&file, 100).0), with_header(&packets));
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let file = movie().init_segment();
    assert_eq!(fault(&scan(&file, 100).0), Some(FaultKind::NotOurs));
    assert!(restore(&file).is_none());
    assert_eq!(fault(&scan(b"FLV\x01\x05\0\0\0\x09\0\0\0\0\0", 100).0), Some(FaultKind::NotOurs));
}

/// The fault of a box of a size, of which the head alone has come.
fn fault_of_head(before: &[u8], head: &[u8], size: u64) -> Option<FaultKind> {
    let mut scanner = Scanner::new();
    scanner.push(before);
    scanner.push(&u32::try_from(size).unwrap().to_be_bytes());
    scanner.push(head);
    let items: Vec<_> = std::iter::from_fn(|| scanner.poll()).collect();
    fault(&items)
}

#[test]
fn boxes_beyond_what_is_written_are_refused_before_anything_of_them_is_kept() {
    let (mut muxer, mut file) = growing(&[video(0, true, 80, 1), audio(5, 2)], &[1]);
    let mut out = Chunks::new();
    muxer.flush(&mut out);
    file.extend_from_slice(&out.to_vec());
    let (mut at, mut places) = (0, Vec::new());
    while let Some(head) = file.get(at..at + 8) {
        places.push((head[4..].to_vec(), at));
        at += usize::try_from(u32::from_be_bytes(head[..4].try_into().unwrap())).unwrap();
    }
    let names: Vec<_> = places.iter().map(|(name, _)| name.escape_ascii().to_string()).collect();
    assert_eq!(names[..8], ["ftyp", "uuid", "free", "moov", "uuid", "moof", "mdat", "free"]);
    let most =
        [(1, scan::SCRIPT_MAX), (3, scan::INIT_MAX), (4, scan::LOG_MAX), (5, scan::MOOF_MAX)];
    for (place, most) in most {
        let (name, at) = &places[place];
        // The name, and of a `uuid` what it is.
        let head = &file[at + 4..at + if name == b"uuid" { 24 } else { 8 }];
        assert_eq!(fault_of_head(&file[..*at], head, most), None, "{most} in {}", names[place]);
        let wrong = FaultKind::Box(name.as_slice().try_into().unwrap());
        let found = fault_of_head(&file[..*at], head, most + 1);
        assert_eq!(found, Some(wrong), "{most} in {}", names[place]);
    }
    // Samples have the bytes that were told.
    let (mdat, end) = (places[6].1, places[7].1);
    let told = (end - mdat) as u64;
    assert_eq!(fault_of_head(&file[..mdat], b"mdat", told), None);
    for other in [told - 1, told + 1, PART_BYTES_MAX + 8] {
        let found = fault_of_head(&file[..mdat], b"mdat", other);
        assert_eq!(found, Some(FaultKind::Part), "{other}");
    }
}
