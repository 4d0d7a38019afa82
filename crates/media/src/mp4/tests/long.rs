//! Files of more than 4 GiB, of whose pictures one is in memory.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::mp4::heads::{self, Found, Part};
use crate::mp4::mux::{Muxer, Patch, Restore};
use crate::mp4::plan::{Piece, Planner, SampleInfo};
use crate::mp4::scan::{Item, Scanner};
use crate::mp4::tests::mux::{apply, options};

/// Bytes of a picture, and how many there are, each a key frame and followed by a sound: 4.7 GiB.
const PICTURE: u32 = (16 << 20) - 64;
const PICTURES: u32 = 300;
const LIMIT: u64 = 1 << 32;

/// A file by the places of its pieces.
#[derive(Default)]
struct File {
    pieces: BTreeMap<u64, Bytes>,
    size_bytes: u64,
}

impl File {
    fn append(&mut self, out: &mut Chunks) {
        for piece in out.take() {
            let at = self.size_bytes;
            self.size_bytes += piece.len() as u64;
            self.pieces.insert(at, piece);
        }
    }

    fn patch(&mut self, Patch { offset, bytes }: Patch) {
        let (at, piece) = self.pieces.range_mut(..=offset).next_back().unwrap();
        let mut patched = piece.to_vec();
        apply(&mut patched, &Patch { offset: offset - at, bytes });
        *piece = patched.into();
    }

    fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let (&first, _) = self.pieces.range(..=offset).next_back().unwrap();
        let end = self.size_bytes.min(offset + len as u64);
        let within = |at: u64, piece: &Bytes| {
            let place = |place: u64| usize::try_from(place.saturating_sub(at)).unwrap();
            piece.slice(place(offset).min(piece.len())..place(end).min(piece.len()))
        };
        let pieces = self.pieces.range(first..end.max(first + 1));
        pieces.flat_map(|(at, piece)| within(*at, piece)).collect()
    }

    fn restored(&self) -> Muxer {
        let mut restore = Restore::new(options(), self.size_bytes);
        while let Some(want) = restore.want() {
            restore.push(&self.read(want.offset, want.len));
        }
        restore.finish().unwrap()
    }
}

/// A recording, not yet finished, and where its parts begin.
fn growing() -> (Muxer, File, u64) {
    let picture = [&b"\x17\x01\0\0\0"[..], &vec![0xA5; PICTURE as usize]].concat();
    let picture = Packet::new(Kind::Video, 0, picture.into());
    let (mut muxer, mut out, mut file) =
        (Muxer::new(movie(), options()), Chunks::new(), File::default());
    muxer.start(&header(&configs()), &mut out);
    file.append(&mut out);
    let start = file.size_bytes;
    for number in 0..PICTURES {
        let time_ms = u64::from(number) * 1_000;
        if number > 0 {
            muxer.cut();
        }
        muxer.push(&picture, time_ms, &mut out).unwrap();
        muxer.push(&audio(0, number), time_ms, &mut out).unwrap();
        file.append(&mut out);
    }
    muxer.flush(&mut out);
    file.append(&mut out);
    (muxer, file, start)
}

/// Where the samples of a track stand, by the index.
fn places(moov: &[u8], track: usize) -> Vec<u64> {
    let mut traks = tree::boxes(moov).into_iter().filter(|(name, _)| name == "trak");
    let (_, trak) = traks.nth(track).unwrap();
    let stbl = tree::find(trak, "mdia/minf/stbl").unwrap();
    // One in each chunk.
    assert_eq!(tree::table(stbl, "stsc", 3), [[1, 1, 1]]);
    let places = tree::table(stbl, "co64", 2);
    places.iter().map(|place| u64::from(place[0]) << 32 | u64::from(place[1])).collect()
}

/// The parts by their heads, each with its place.
fn parts(file: &File, start: u64) -> Vec<(u64, Part)> {
    let (mut at, mut wanted, mut found) = (start, 1, Vec::new());
    loop {
        match heads::part(&file.read(at, wanted).into(), at, &[1, 2]) {
            Found::More(more) => wanted = more,
            Found::Part(part) => {
                let next = at + part.size_bytes;
                found.push((at, part));
                (at, wanted) = (next, 1);
            }
            Found::Index => return found,
            Found::Fault(fault) => panic!("{fault} at {at}"),
        }
    }
}

#[test]
fn beyond_4_gib_sizes_and_places_are_exact() {
    let (mut muxer, mut file, start) = growing();
    let index_at = muxer.position();
    assert!(index_at == file.size_bytes && index_at > LIMIT, "{index_at}");
    let mut restored = file.restored();
    assert_eq!(restored.position(), index_at);

    let mut out = Chunks::new();
    muxer.finish(&mut out);
    let index = out.to_vec();
    file.append(&mut out);
    restored.finish(&mut out);
    assert!(out.to_vec() == index, "what was interrupted becomes the same file");
    let patches = muxer.patches();
    let head = &patches[1];
    assert_eq!(&restored.patches()[1], head);
    let mdat = [&[0, 0, 0, 1][..], b"mdat", &(index_at - head.offset).to_be_bytes()].concat();
    assert_eq!(head.bytes, mdat);
    patches.into_iter().for_each(|patch| file.patch(patch));

    let moov = tree::find(&index, "moov").unwrap();
    let [pictures, sounds] = [0, 1].map(|track| places(moov, track));
    assert_eq!([pictures.len(), sounds.len()], [PICTURES as usize; 2]);
    assert!(pictures.last() > Some(&LIMIT));
    let parts = parts(&file, start);
    assert_eq!(parts.len(), PICTURES as usize);
    for (number, (_, part)) in (0..PICTURES).zip(&parts) {
        let [picture, sound] = [&pictures, &sounds].map(|places| places[number as usize]);
        assert_eq!(file.read(picture - 8, 4), (PICTURE + 12).to_be_bytes());
        assert_eq!(file.read(picture, 8), [0xA5; 8]);
        assert_eq!(file.read(sound, 4), number.to_be_bytes());
        assert_eq!(sound, picture + u64::from(PICTURE));
        let spans = part.messages.iter().rev().take(2).map(|message| message.spans.last());
        assert!(spans.map(|span| span.unwrap().position).eq([sound, picture]), "{part:?}");
    }
    assert_eq!(file.restored().position(), file.size_bytes);

    // The last two parts are read as what is behind a damaged place.
    let mut scanner = Scanner::searching();
    let (from, _) = parts[parts.len() - 2];
    scanner.push(&file.read(0, usize::try_from(start).unwrap()));
    scanner.go_on(from);
    scanner.push(&file.read(from, usize::try_from(file.size_bytes - from).unwrap()));
    scanner.finish();
    let items: Vec<_> = std::iter::from_fn(|| scanner.poll()).collect();
    let found = items.iter().filter_map(|item| match item {
        Item::Part(part) => Some((part.offset, part.end)),
        _ => None,
    });
    let ends = parts.iter().skip(1).map(|(at, _)| *at).chain([index_at]);
    assert!(found.eq(parts.iter().map(|(at, _)| *at).zip(ends).skip(parts.len() - 2)));
    assert_eq!(items.last(), Some(&Item::Index { offset: index_at, end: file.size_bytes }));
    assert_eq!(scanner.whole_until(), file.size_bytes);
}

#[test]
fn beyond_4_gib_what_is_made_of_a_range_is_exact() {
    let sample = |kind, number: u32, size_bytes| SampleInfo {
        kind,
        track: 0,
        time_ms: u64::from(number) * 1_000,
        composition_ms: 0,
        offset_nanos: 0,
        is_key: true,
        size_bytes,
    };
    let mut planner = Planner::new(movie());
    for number in 0..PICTURES {
        assert!(planner.push(&sample(Kind::Video, number, PICTURE)).unwrap());
        assert!(planner.push(&sample(Kind::Audio, number, 4)).unwrap());
    }
    let planned = planner.finish();
    let (before, mdat) = planned.head().split_at(planned.head().len() - 16);
    let content = planned.size_bytes() - before.len() as u64;
    assert!(content > LIMIT, "{content}");
    assert_eq!(mdat, [&[0, 0, 0, 1][..], b"mdat", &content.to_be_bytes()].concat());
    let moov = tree::find(before, "moov").unwrap();
    let [pictures, sounds] = [0, 1].map(|track| places(moov, track));
    for (number, (picture, sound)) in pictures.into_iter().zip(sounds).enumerate() {
        let found: Vec<_> = planned.pieces(picture + u64::from(PICTURE) - 1..sound + 4).collect();
        let picture = Piece::Sample { index: 2 * number, range: PICTURE - 1..PICTURE };
        assert_eq!(found, [picture, Piece::Sample { index: 2 * number + 1, range: 0..4 }]);
    }
}
