//! MP4 recordings: written, read back, torn and restored.

use super::flv::{apply, packets, size};
use super::pieces;
use crate::flv::repair::Summary;
use crate::mp4::Movie;
use crate::mp4::mux::{Muxer, Options, Repair, Restore};
use crate::mp4::scan::{Item, Scanner};
use crate::time::Rebase;
use crate::{Chunks, Header, Packet, Role};

/// Any bytes as a recording: read the same in any pieces, and whole no further than it reaches.
pub fn mp4_scan(data: &[u8]) {
    for scanner in [Scanner::searching, Scanner::new] {
        let whole = scan(scanner(), [data]);
        assert!(whole == scan(scanner(), pieces(data)), "it depends on the pieces");
    }
    let (items, whole_until) = scan(Scanner::new(), [data]);
    assert!(whole_until <= size(data.len()));
    let mut end = 0;
    for item in &items {
        if let Item::Part(part) = item {
            assert!(part.offset >= end && part.end <= whole_until, "{part:?}");
            end = part.end;
        }
    }
    if let Some(muxer) = restore(data) {
        assert!(muxer.position() <= size(data.len()));
    }
}

/// Any bytes as a recording to be mended: the new one is whole to its end, has the messages of every
/// whole part of the old one, and needs no mending.
pub fn mp4_repair(data: &[u8]) {
    let Some((file, _)) = repair(data) else { return };
    let (items, whole_until) = scan(Scanner::new(), [file.as_slice()]);
    assert!(!items.iter().any(|item| matches!(item, Item::Fault(_))), "{:?}", items.last());
    assert_eq!(whole_until, size(file.len()));
    let bodies = |items: &[Item]| {
        let packets = packets_of(items).into_iter().map(|packet| (packet.kind, packet.body));
        packets.collect::<Vec<_>>()
    };
    let found = scan(Scanner::searching(), [data]).0;
    assert!(bodies(&items) == bodies(&found), "messages were lost or changed");
    let Some((again, left)) = repair(&file) else { panic!("a mended file is none any more") };
    assert!(left.mends.is_empty(), "a mended file is mended: {:?}", left.mends);
    assert!(again == file, "a mended file is mended into another");
}

fn repair(data: &[u8]) -> Option<(Vec<u8>, Summary)> {
    let (mut repair, mut out) = (Repair::new(), Chunks::new());
    pieces(data).for_each(|piece| repair.push(piece, &mut out));
    let repaired = repair.finish(&mut out)?;
    let mut file = out.to_vec();
    repaired.patches.iter().chain([&repaired.complete]).for_each(|patch| apply(&mut file, patch));
    Some((file, repaired.summary))
}

/// Any messages as a recording: every one comes back as it went in, from the whole file; and of a
/// file that was cut anywhere those of its whole parts, before and after it is restored.
pub fn mp4_mux(data: &[u8]) {
    let Some((&[cut, cut_fine], rest)) = data.split_first_chunk::<2>() else { return };
    let packets = packets(rest);
    let movie = Movie::of(&Header::default(), &packets);
    let (mut muxer, mut rebase) = (Muxer::new(movie, options()), Rebase::default());
    let (mut out, mut expected) = (Chunks::new(), Vec::new());
    for packet in packets {
        let time_ms = rebase.map(&packet);
        if packet.role == Role::Key || muxer.open_ms() >= 1_000 {
            muxer.cut();
        }
        let pushed = muxer.push(&packet, time_ms, &mut out);
        assert!(pushed.is_ok(), "there is room: {pushed:?}");
        expected.push(Packet { dts_ms: time_ms.cast_signed(), ..packet });
    }
    muxer.finish(&mut out);
    let mut file = out.to_vec();
    muxer.patches().iter().for_each(|patch| apply(&mut file, patch));
    assert_eq!(muxer.position(), size(file.len()));
    let (items, whole_until) = scan(Scanner::new(), [file.as_slice()]);
    assert!(packets_of(&items) == expected, "other packets than were written");
    assert_eq!(whole_until, size(file.len()));

    let part = usize::from(u16::from_be_bytes([cut, cut_fine])) * file.len() / 0x1_0000;
    file.truncate(file.len() - part);
    let (items, whole_until) = scan(Scanner::new(), [file.as_slice()]);
    let kept = packets_of(&items);
    assert!(expected.starts_with(&kept), "a torn file has other packets");
    let Some(mut muxer) = restore(&file) else {
        assert!(kept.is_empty(), "a file with packets is not restored");
        return;
    };
    assert_eq!(muxer.position(), whole_until);
    file.truncate(usize::try_from(whole_until).unwrap_or(usize::MAX));
    let mut out = Chunks::new();
    muxer.finish(&mut out);
    file.extend_from_slice(&out.to_vec());
    muxer.patches().iter().for_each(|patch| apply(&mut file, patch));
    let (items, whole_until) = scan(Scanner::new(), [file.as_slice()]);
    assert!(packets_of(&items) == kept, "a restored file has other packets");
    assert_eq!(whole_until, size(file.len()));
}

fn options() -> Options {
    Options { reserve_bytes: 2_048, ..Options::default() }
}

fn scan<'a>(mut scanner: Scanner, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Item>, u64) {
    let mut items = Vec::new();
    for piece in pieces {
        scanner.push(piece);
        items.extend(std::iter::from_fn(|| scanner.poll()));
    }
    scanner.finish();
    items.extend(std::iter::from_fn(|| scanner.poll()));
    (items, scanner.whole_until())
}

fn packets_of(items: &[Item]) -> Vec<Packet> {
    let packets = items.iter().filter_map(|item| match item {
        Item::Packet(packet) => Some(packet.clone()),
        _ => None,
    });
    packets.collect()
}

fn restore(file: &[u8]) -> Option<Muxer> {
    let mut restore = Restore::new(options(), size(file.len()));
    while let Some(want) = restore.want() {
        let start = usize::try_from(want.offset).unwrap_or(usize::MAX);
        let read = file.get(start..).and_then(|rest| rest.get(..want.len));
        restore.push(read.unwrap_or_default());
    }
    restore.finish()
}
