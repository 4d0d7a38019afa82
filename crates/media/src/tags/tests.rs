use super::*;
use crate::flv::mux::{Muxer, Options};
use crate::flv::scan::{Fault, FaultKind};
use crate::{Chunks, Header, Kind, Packet, mp4};

fn packets() -> Vec<Packet> {
    let video = |at_ms, head: &[u8]| Packet::new(Kind::Video, at_ms, head.to_vec().into());
    let record = [0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 1, 7];
    vec![
        video(0, &record),
        video(0, &[0x17, 1, 0, 0, 0, 1, 2, 3]),
        Packet::new(Kind::Data, 20, b"\x02\0\x02cp".to_vec().into()),
        video(40, &[0x27, 1, 0, 0, 0, 4, 5]),
        video(80, &[0x17, 1, 0, 0, 0, 6]),
    ]
}

fn flv() -> Vec<u8> {
    let (mut muxer, mut out) = (Muxer::new(Options::default()), Chunks::new());
    muxer.start(&Header::default(), &mut out);
    for packet in packets() {
        muxer.push(&packet, packet.dts_ms.unsigned_abs(), &mut out).unwrap();
    }
    out.to_vec()
}

fn mp4(is_finished: bool) -> Vec<u8> {
    let movie = mp4::Movie::of(&Header::default(), &packets());
    let (mut muxer, mut out) = (mp4::mux::Muxer::new(movie, Options::default()), Chunks::new());
    for (i, packet) in packets().iter().enumerate() {
        muxer.push(packet, packet.dts_ms.unsigned_abs(), &mut out).unwrap();
        if i % 2 == 1 {
            muxer.flush(&mut out);
        }
    }
    muxer.flush(&mut out);
    if is_finished {
        muxer.finish(&mut out);
    }
    let mut file = out.to_vec();
    for patch in muxer.patches().into_iter().chain([muxer.complete_patch()]) {
        let at = usize::try_from(patch.offset).unwrap();
        file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    file
}

fn read(file: &[u8], piece: usize) -> Vec<Item> {
    let mut reader = Reader::new(Bodies::Keep);
    let mut items = Vec::new();
    for piece in file.chunks(piece) {
        reader.push(piece);
        items.extend(std::iter::from_fn(|| reader.poll()));
    }
    reader.finish();
    items.extend(std::iter::from_fn(|| reader.poll()));
    assert_eq!(reader.position(), file.len() as u64);
    items
}

/// What tags carry, but for the first one, which is the file's own.
fn carried(items: &[Item]) -> Vec<Packet> {
    let tags = items.iter().filter_map(|item| match item {
        Item::Tag(tag) => Some(tag.packet.clone()),
        Item::Header(_) => None,
        Item::Fault(fault) => panic!("{fault:?}"),
    });
    tags.skip(1).collect()
}

#[test]
fn both_formats_give_the_same_packets_however_they_are_cut() {
    for piece in [1, 7, 100, 1 << 20] {
        assert_eq!(carried(&read(&flv(), piece)), packets());
        assert_eq!(carried(&read(&mp4(true), piece)), packets());
    }
}

#[test]
fn messages_have_places_of_their_own_in_the_order_of_the_file() {
    let file = mp4(true);
    let items = read(&file, 64);
    let places: Vec<_> = items
        .iter()
        .filter_map(|item| if let Item::Tag(tag) = item { Some(tag.offset) } else { None })
        .collect();
    assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
}

#[test]
fn a_complete_file_without_an_index_and_a_torn_one_are_told() {
    let faults = |file: &[u8]| -> Vec<FaultKind> {
        let kind =
            |item| if let Item::Fault(Fault { kind, .. }) = item { Some(kind) } else { None };
        read(file, 99).into_iter().filter_map(kind).collect()
    };
    let no_index = FaultKind::Mp4(mp4::scan::FaultKind::NoIndex);
    assert_eq!(faults(&mp4(false)), [no_index]);
    let file = mp4(true);
    let torn = |len: usize| faults(&file[..len])[0];
    assert_eq!(torn(file.len() - 1), FaultKind::Mp4(mp4::scan::FaultKind::TornIndex));
    let index = file.windows(4).rposition(|name| name == b"moov").unwrap() - 4;
    assert_eq!(torn(index - 1), FaultKind::Mp4(mp4::scan::FaultKind::Torn));
    assert!(torn(index - 1).is_torn_end() && torn(file.len() - 1).is_torn_end());
    assert_eq!(faults(b"text")[..1], [FaultKind::Signature]);
}
