//! From FLV to MP4 and back: every codec that MP4 has a word for, beside every other, and several
//! tracks in a message.

use super::*;
use crate::flv::mux::{Muxer as FlvMuxer, Options, Patch};
use crate::flv::scan::{Bodies, Item};
use crate::mp4::mux::Muxer;
use crate::tags::Reader;

/// What has a configuration of its own begins with that; what has none, with a frame.
fn samples_of(kind: Kind, all: &[samples::Sample]) -> Vec<(&'static str, Vec<u8>)> {
    let mut found: Vec<(&str, Vec<u8>)> = Vec::new();
    for sample in all {
        let codec = sample.says.split(' ').next().unwrap();
        let body = bytes(sample.body);
        let movie = Movie::of(&Header::default(), [&packet(kind, 0, &body)]);
        if !movie.is_empty() && found.iter().all(|(known, _)| *known != codec) {
            found.push((codec, body));
        }
    }
    found
}

/// FourCC and record of a message; AVC and AAC without an enhanced head too.
fn parts_of(kind: Kind, body: &[u8]) -> ([u8; 4], &[u8]) {
    match (kind, body) {
        (Kind::Video, [0x17, 0, _, _, _, record @ ..]) => (*b"avc1", record),
        (Kind::Audio, [0xAF, 0, record @ ..]) => (*b"mp4a", record),
        (_, [_, a, b, c, d, record @ ..]) => ([*a, *b, *c, *d], record),
        _ => panic!("{body:x?}"),
    }
}

/// Coded data of a track: behind a composition time where its codec has one.
fn coded(fourcc: [u8; 4], number: u8) -> Vec<u8> {
    let later: &[u8] = match &fourcc {
        b"avc1" | b"hvc1" | b"vvc1" => &[0xFF, 0xFF, 0xD8],
        _ => &[],
    };
    // It begins as a temporal unit of AV1 does, which MP4 leaves out.
    [later, &[0x12, 0, number, number]].concat()
}

/// A frame behind the message that a track begins with.
fn frame(kind: Kind, first: &[u8], number: u8) -> Vec<u8> {
    let is_key = number.is_multiple_of(4);
    let (fourcc, _) = parts_of(kind, first);
    let coded = coded(fourcc, number);
    match (kind, first) {
        (Kind::Video, [0x17, 0, ..]) => {
            [&[if is_key { 0x17 } else { 0x27 }, 1], &coded[..]].concat()
        }
        (Kind::Audio, [0xAF, 0, ..]) => [&[0xAF, 1], &coded[..]].concat(),
        (Kind::Video, _) => [&[if is_key { 0x91 } else { 0xA1 }], &fourcc[..], &coded].concat(),
        // Without a configuration: its frames tell what it is.
        (_, [head, ..]) if head >> 4 != 9 => first.to_vec(),
        _ => [&[0x91], &fourcc[..], &coded].concat(),
    }
}

/// A message of two tracks, each with its codec.
fn of_two(kind: Kind, packet_type: u8, tracks: [([u8; 4], &[u8]); 2], is_key: bool) -> Vec<u8> {
    let head = match kind {
        Kind::Video if is_key => 0x96,
        Kind::Video => 0xA6,
        _ => 0x95,
    };
    let mut body = vec![head, 0x20 | packet_type];
    for (id, (fourcc, data)) in (0..).zip(tracks) {
        let size = u32::try_from(data.len()).unwrap().to_be_bytes();
        body.extend([&fourcc[..], &[id], &size[1..], data].concat());
    }
    body
}

/// Six frames of each, and what is neither.
fn stream(mut bodies: impl FnMut(u8) -> [Vec<u8>; 2], first: [Vec<u8>; 2]) -> Vec<Packet> {
    let mut packets = vec![packet(Kind::Video, 0, &first[0]), packet(Kind::Audio, 0, &first[1])];
    for number in 0..6 {
        let at_ms = 40 + i64::from(number) * 40;
        let [video, audio] = bodies(number);
        packets.push(packet(Kind::Video, at_ms, &video));
        packets.push(packet(Kind::Audio, at_ms + 3, &audio));
    }
    packets.insert(6, packet(Kind::Data, 83, b"\x02\0\x06onText\x05"));
    packets.insert(7, packet(Kind::DataAmf3, 83, b"\0\x02\0\x06onText\x11\x01"));
    packets.insert(8, packet(Kind::Video, 83, b"\xd0\x01"));
    packets.insert(9, packet(Kind::Audio, 83, b""));
    packets
}

fn patched(mut file: Vec<u8>, patches: impl IntoIterator<Item = Patch>) -> Vec<u8> {
    for Patch { offset, bytes } in patches {
        let at = usize::try_from(offset).unwrap();
        file[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    file
}

fn options() -> Options {
    Options { reserve_bytes: 2_048, ..Options::default() }
}

fn flv_of(packets: &[Packet]) -> Vec<u8> {
    let (mut muxer, mut out) = (FlvMuxer::new(options()), Chunks::new());
    muxer.start(&Header::default(), &mut out);
    for packet in packets {
        muxer.push(packet, packet.dts_ms as u64, &mut out).unwrap();
    }
    patched(out.to_vec(), muxer.patches().into_iter().chain([muxer.complete_patch()]))
}

fn mp4_of(packets: &[Packet], movie: Movie) -> Vec<u8> {
    let (mut muxer, mut out) = (Muxer::new(movie, options()), Chunks::new());
    muxer.start(&Header::default(), &mut out);
    for packet in packets {
        if packet.role == crate::Role::Key {
            muxer.cut();
        }
        muxer.push(packet, packet.dts_ms as u64, &mut out).unwrap();
    }
    muxer.finish(&mut out);
    patched(out.to_vec(), muxer.patches().into_iter().chain([muxer.complete_patch()]))
}

/// The packets of a file, without what it says of itself.
fn read(file: &[u8]) -> Vec<Packet> {
    let mut reader = Reader::new(Bodies::Keep);
    reader.push(file);
    reader.finish();
    let tags = std::iter::from_fn(|| reader.poll()).filter_map(|item| match item {
        Item::Tag(tag) => Some(tag.packet),
        Item::Header(_) => None,
        Item::Fault(fault) => panic!("{fault:?}"),
    });
    tags.skip(1).collect()
}

/// The same packets come back, and players find so many samples of so many tracks.
#[track_caller]
fn assert_same(what: &str, packets: &[Packet], tracks: usize) {
    let flv = flv_of(packets);
    assert!(read(&flv) == packets, "{what}: FLV");
    let movie = Movie::of(&Header::default(), packets);
    assert_eq!((movie.tracks().len(), movie.refused().len()), (tracks, 0), "{what}");
    let mp4 = mp4_of(packets, movie);
    let samples = packets.iter().flat_map(super::samples).map(|sample| sample.data.to_vec());
    let mut samples: Vec<_> = samples.collect();
    let found = tree::samples_of_file(&mp4).into_iter().map(|sample| sample.data);
    let mut found: Vec<_> = found.collect();
    samples.sort();
    found.sort();
    assert!(found == samples && found.len() >= 6 * tracks, "{what}: {} samples", found.len());
    let back = read(&mp4);
    assert!(back == packets, "{what}: MP4");
    assert!(flv_of(&back) == flv, "{what}: FLV again");
}

#[test]
fn every_pair_of_codecs_goes_there_and_back() {
    let video = samples_of(Kind::Video, samples::VIDEO);
    let audio = samples_of(Kind::Audio, samples::AUDIO);
    let names = |all: &[(&'static str, Vec<u8>)]| all.iter().map(|(name, _)| *name).collect();
    let [pictures, sounds]: [Vec<&str>; 2] = [names(&video), names(&audio)];
    assert_eq!(pictures, ["H.264", "HEVC", "VVC", "AV1", "VP9", "VP8"]);
    assert_eq!(sounds, ["AAC", "Opus", "FLAC", "AC-3", "E-AC-3", "MP3"]);
    for (picture, first_video) in &video {
        for (sound, first_audio) in &audio {
            let bodies = |number| {
                [frame(Kind::Video, first_video, number), frame(Kind::Audio, first_audio, number)]
            };
            let packets = stream(bodies, [first_video.clone(), first_audio.clone()]);
            assert_same(&format!("{picture} with {sound}"), &packets, 2);
        }
    }
}

#[test]
fn several_tracks_in_a_message_go_there_and_back() {
    let with_record = |kind, all: &[samples::Sample]| {
        let all = samples_of(kind, all).into_iter();
        let packets = all.map(|(name, body)| (name, packet(kind, 0, &body)));
        packets.filter(|(_, packet)| packet.role == crate::Role::Config).collect::<Vec<_>>()
    };
    let video = with_record(Kind::Video, samples::VIDEO);
    let audio = with_record(Kind::Audio, samples::AUDIO);
    assert!(video.len() == 5 && audio.len() == 3, "{} and {}", video.len(), audio.len());
    for (i, (name, _)) in video.iter().enumerate() {
        let pair = |kind, all: &[(&str, Packet)], at: usize| {
            let [one, two] = [at, at + 1].map(|at| all[at % all.len()].1.body.clone());
            [one, two].map(|body| {
                let (fourcc, record) = parts_of(kind, &body);
                (fourcc, record.to_vec())
            })
        };
        let (pictures, sounds) = (pair(Kind::Video, &video, i), pair(Kind::Audio, &audio, i));
        let first = [(Kind::Video, &pictures), (Kind::Audio, &sounds)].map(|(kind, both)| {
            of_two(kind, 0, [0, 1].map(|at: usize| (both[at].0, &both[at].1[..])), true)
        });
        let bodies = |number: u8| {
            [(Kind::Video, &pictures), (Kind::Audio, &sounds)].map(|(kind, both)| {
                let coded = [0, 1].map(|at: usize| coded(both[at].0, number));
                let tracks = [0, 1].map(|at: usize| (both[at].0, &coded[at][..]));
                of_two(kind, 1, tracks, number.is_multiple_of(4))
            })
        };
        assert_same(&format!("{name} with another"), &stream(bodies, first), 4);
    }
}
