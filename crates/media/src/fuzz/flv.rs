//! FLV files: scanned, mended, written and continued.

use bytes::Bytes;

use super::pieces;
use crate::flv::mux::{Muxer, Options, Patch, Restore};
use crate::flv::probe::{Probe, Report};
use crate::flv::repair::{Mend, Repair, Summary};
use crate::flv::scan::{Bodies, FaultKind, Item, Scanner, Tag};
use crate::flv::{
    meta,
    tag::{FILE_HEADER, TagHeader},
};
use crate::time::Rebase;
use crate::{Chunks, Header, Kind, Packet, Role};

/// Any bytes as a file: read the same in any pieces, and every tag is in the file as told.
pub fn flv_scan(data: &[u8]) {
    let whole = scan([data], Bodies::Keep);
    assert_eq!(scan(pieces(data), Bodies::Keep), whole, "it depends on the pieces");
    let mut end = 0;
    let mut is_sound = true;
    for item in &whole {
        match item {
            Item::Header(_) => {}
            Item::Fault(fault) => {
                is_sound = false;
                assert!(fault.offset <= size(data.len()), "{fault:?}");
            }
            Item::Tag(tag) => end = check_tag(data, tag, end),
        }
    }
    let skipping = scan(pieces(data), Bodies::Skip);
    let tags = |items: &[Item]| {
        let tags = items.iter().filter_map(|item| match item {
            Item::Tag(tag) => Some((tag.offset, tag.header, tag.packet.role, tag.packet.track)),
            _ => None,
        });
        tags.collect::<Vec<_>>()
    };
    if is_sound {
        assert_eq!(tags(&skipping), tags(&whole), "it depends on whether bodies are kept");
    }
    let report = probe(&whole);
    assert_eq!(report.fault_count == 0, is_sound);
}

fn check_tag(file: &[u8], tag: &Tag, end: u64) -> u64 {
    assert!(tag.offset >= end, "tags overlap");
    let Ok(start) = usize::try_from(tag.offset) else { panic!("beyond the memory") };
    let header = file.get(start..).and_then(|rest| rest.first_chunk());
    assert_eq!(header.map(|header| TagHeader::decode(*header)), Some(tag.header));
    let body = start + TagHeader::SIZE;
    let bytes = file.get(body..body + tag.packet.body.len());
    assert!(bytes == Some(&tag.packet.body), "another body than in the file");
    assert_eq!(tag.packet.body.len(), usize::try_from(tag.header.size).unwrap_or(0));
    tag.offset + tag.size - 4
}

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bodies: Bodies) -> Vec<Item> {
    let mut scanner = Scanner::new(bodies);
    let mut items = Vec::new();
    for piece in pieces {
        scanner.push(piece);
        items.extend(std::iter::from_fn(|| scanner.poll()));
    }
    scanner.finish();
    items.extend(std::iter::from_fn(|| scanner.poll()));
    items
}

fn probe(items: &[Item]) -> Report {
    let mut probe = Probe::new();
    items.iter().for_each(|item| probe.push(item));
    probe.finish()
}

/// Any bytes as a file to be mended: the new one is sound, has every whole tag of audio and video,
/// and needs no mending.
pub fn flv_repair(data: &[u8]) {
    let (file, summary) = repair(data);
    let report = probe(&scan([file.as_slice()], Bodies::Keep));
    assert!(report.is_sound(), "{:?} {:?}", report.faults, report.index);
    let too_late = summary.mends.get(&Mend::TooLate).map_or(0, |count| count.count);
    let [found, written] = [data, &file].map(media);
    if too_late == 0 {
        assert!(found == written, "audio or video was lost or changed");
    } else {
        assert!(written.len() < found.len());
    }
    let (again, left) = repair(&file);
    assert!(left.mends.is_empty(), "a mended file is mended: {:?}", left.mends);
    // Metadata between the frames may say nothing new any more, and is then left out.
    if report.metadata_count == 1 {
        assert!(again == file, "a mended file is mended into another");
    } else {
        assert!(media(&again) == written, "a mended file loses audio or video");
    }
}

fn repair(data: &[u8]) -> (Vec<u8>, Summary) {
    let (mut repair, mut out) = (Repair::new(2_048), Chunks::new());
    scan([data], Bodies::Keep).iter().for_each(|item| repair.push(item, &mut out));
    let repaired = repair.finish(&mut out);
    let mut file = out.to_vec();
    repaired.patches.iter().for_each(|patch| apply(&mut file, patch));
    apply(&mut file, &repaired.complete);
    (file, repaired.summary)
}

/// Bodies of audio and video in their order.
fn media(file: &[u8]) -> Vec<(Kind, Bytes)> {
    let items = scan([file], Bodies::Keep).into_iter().filter_map(|item| match item {
        Item::Tag(tag) if tag.packet.kind != Kind::Data => Some((tag.packet.kind, tag.packet.body)),
        _ => None,
    });
    items.collect()
}

pub(super) fn apply(file: &mut [u8], patch: &Patch) {
    let start = usize::try_from(patch.offset).unwrap_or(usize::MAX);
    let place = file.get_mut(start..).and_then(|rest| rest.get_mut(..patch.bytes.len()));
    let Some(place) = place else { panic!("a patch beyond the file") };
    place.copy_from_slice(&patch.bytes);
}

/// Any packets in a file, which is then damaged and continued as after a crash.
///
/// Two bytes say where it is cut and two where it is damaged; then come packets: kind, two bytes of
/// time step, length, body.
pub fn flv_mux(data: &[u8]) {
    let Some((&[cut, cut_fine, damage, damage_fine], rest)) = data.split_first_chunk::<4>() else {
        return;
    };
    let packets = packets(rest);
    let (mut muxer, mut rebase, mut out) =
        (Muxer::new(options()), Rebase::default(), Chunks::new());
    muxer.start(&Header::default(), &mut out);
    let mut expected = Vec::new();
    for packet in &packets {
        let time_ms = rebase.map(packet);
        if muxer.push(packet, time_ms, &mut out).is_ok() && packet.kind != Kind::Data {
            expected.push((packet.kind, packet.body.clone()));
        }
    }
    let mut file = out.to_vec();
    assert_eq!(muxer.position(), size(file.len()));
    muxer.patches().iter().for_each(|patch| apply(&mut file, patch));
    assert_sound(&file);
    assert!(media(&file) == expected, "the file has other packets than were written");
    restored(&file, Some(&muxer));

    let part = |a: u8, b: u8, len: usize| usize::from(u16::from_be_bytes([a, b])) * len / 0x1_0000;
    file.truncate(file.len() - part(cut, cut_fine, file.len()));
    // The file header is not looked at by who continues a file: it never changes.
    let at = part(damage, damage_fine, file.len());
    if at >= FILE_HEADER.len()
        && let Some(byte) = file.get_mut(at)
    {
        *byte ^= damage_fine | 1;
    }
    restored(&file, None);
}

fn options() -> Options {
    Options { reserve_bytes: 2_048, ..Options::default() }
}

pub(super) fn packets(mut rest: &[u8]) -> Vec<Packet> {
    let mut dts_ms = 0;
    let mut packets = Vec::new();
    while let Some((&[kind, high, low, len], after)) = rest.split_first_chunk::<4>() {
        let kind = match kind % 4 {
            0 => Kind::Audio,
            1 | 2 => Kind::Video,
            _ if after.first() == Some(&0) => Kind::DataAmf3,
            _ => Kind::Data,
        };
        let step_ms = i64::from(i16::from_be_bytes([high, low]));
        // Now and then hours: the clock of an encoder that starts anew.
        dts_ms += if step_ms % 97 == 0 { step_ms * 5_000 } else { step_ms };
        let (body, after) = after.split_at_checked(usize::from(len)).unwrap_or((after, &[]));
        packets.push(Packet::new(kind, dts_ms, Bytes::copy_from_slice(body)));
        rest = after;
    }
    packets
}

fn assert_sound(file: &[u8]) {
    let report = probe(&scan([file], Bodies::Keep));
    assert!(report.is_sound(), "{:?} {:?}", report.faults, report.index);
}

/// Walks over a file as recovery does, mends it and looks at what became of it.
fn restored(file: &[u8], original: Option<&Muxer>) {
    let restore =
        meta::region(file).and_then(|region| Restore::new(options(), &region, size(file.len())));
    let Some(mut restore) = restore else {
        assert!(original.is_none(), "a whole file cannot be continued");
        return;
    };
    // Each push reads on or ends; a walk that does neither would never end.
    let mut pushes = 0;
    while let Some(want) = restore.want() {
        let start = usize::try_from(want.offset).unwrap_or(usize::MAX);
        let bytes = file.get(start..).and_then(|rest| rest.get(..want.len));
        let Some(bytes) = bytes else { panic!("wants {want:?} of {} bytes", file.len()) };
        restore.push(bytes);
        pushes += 1;
        assert!(pushes <= file.len() + 10, "the walk does not end");
    }
    let restored = restore.finish();
    let position = usize::try_from(restored.muxer.position()).unwrap_or(usize::MAX);
    assert!(position <= file.len(), "beyond the file");
    assert!(restored.next_tag.is_none_or(|at| at > restored.muxer.position()));
    let mut mended = file.to_vec();
    mended.truncate(position);
    restored.muxer.patches().iter().for_each(|patch| apply(&mut mended, patch));
    let items = scan([mended.as_slice()], Bodies::Keep);
    for item in &items {
        // A damaged time is a time: it can only be told that it goes back.
        if let Item::Fault(fault) = item {
            assert!(matches!(fault.kind, FaultKind::TimeBack { .. }), "{fault:?}");
        }
    }
    let config = |item: &&Item| matches!(item, Item::Tag(tag) if tag.packet.role == Role::Config);
    if let Some(original) = original {
        assert_eq!(restored.muxer.position(), original.position());
        assert_eq!(restored.muxer.duration_ms(), original.duration_ms());
        assert!(items.iter().filter(config).count() <= items.len());
        assert_sound(&mended);
    }
}

pub(super) fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
