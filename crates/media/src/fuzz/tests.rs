//! The corpora: what they begin with, made of the samples of this crate's tests, and all of what
//! they hold, run once.

use super::*;
use crate::amf0::{Value, encode, encode_string};
use crate::codec::tests::samples;
use crate::flv::tag::{FILE_HEADER, TagHeader};

#[path = "../../../../fuzz/replay.rs"]
mod replay;

use replay::replay;

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn metadata() -> Vec<(String, Value)> {
    let list = vec![Value::Number(0.0), Value::Number(2.0)];
    let keyframes = vec![
        ("times".to_owned(), Value::StrictArray(list.clone())),
        ("filepositions".to_owned(), Value::StrictArray(list)),
    ];
    [
        ("duration", Value::Number(4.0)),
        ("width", Value::Number(640.0)),
        ("stereo", Value::Boolean(true)),
        ("encoder", Value::from("Lavf59.27.100")),
        ("keyframes", Value::Object(keyframes)),
        ("creationdate", Value::Date(1.7e12)),
        ("nothing", Value::Null),
        ("none", Value::Undefined),
        ("list", Value::EcmaArray(vec![("a".to_owned(), Value::from("b".repeat(300)))])),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn on_meta_data() -> Vec<u8> {
    let mut body = Vec::new();
    encode_string("onMetaData", &mut body);
    encode(&Value::EcmaArray(metadata()), &mut body);
    body
}

fn chosen(choice: u8, bytes: &[u8]) -> Vec<u8> {
    [&[choice], bytes].concat()
}

#[test]
fn amf0_corpus() {
    let mut object = Vec::new();
    encode(&Value::Object(metadata()), &mut object);
    // The same object by reference; a long string; a typed object; AMF3 inside.
    let reference = [&object[..], b"\x0a\0\0\0\x02\x07\0\0\x07\0\x01"].concat();
    let others = b"\x0c\0\0\0\x02ab\x10\0\x01c\0\x01a\x05\0\0\x09\x11\x09\x05\x01\x04\x01\x04\x02";
    let all = [&on_meta_data(), &object, &reference, &others[..]].map(|b| chosen(0, b));
    let mut seeds = Vec::from(all);
    seeds.push(chosen(0xff, &on_meta_data()));
    replay("amf0", amf0, &seeds);
}

#[test]
fn amf3_corpus() {
    let values: [&[u8]; 8] = [
        b"\x04\xff\xff\xff\xff",
        b"\x05\x3f\xf0\0\0\0\0\0\0",
        b"\x0a\x0b\x01\x03a\x06\x03b\x03c\x09\x05\x03d\x06\0\x01\x06\x02\x04\x05\x01",
        b"\x0a\x33\x01\x03a\x03b\x04\x01\x0a\x01\x04\x02\x04\x03",
        b"\x09\x05\x01\x09\x03\x01\x0a\x0b\x01\x01\x09\x02",
        b"\x0a\x07\x43flex.messaging.io.ArrayCollection\x09\x03\x01\x04\x07",
        b"\x0d\x05\0\0\0\0\x01\xff\xff\xff\xff",
        b"\x11\x03\0\x06\x03k\x11\x03\0\x06\0\x0c\x07xyz",
    ];
    let mut seeds: Vec<_> = values.iter().map(|bytes| chosen(0, bytes)).collect();
    seeds.extend(values.iter().map(|bytes| chosen(0x3f, bytes)));
    replay("amf3", amf3, &seeds);
}

#[test]
fn flv_body_corpus() {
    let mut seeds = Vec::new();
    for (choice, list) in [(0, samples::AUDIO), (1, samples::VIDEO)] {
        for samples::Sample { source, body, says } in list {
            assert!(!source.is_empty() && !says.is_empty());
            seeds.push(chosen(choice, &unhex(body)));
        }
    }
    seeds.push(chosen(2, &on_meta_data()));
    // ModEx, two tracks with sizes, two codecs.
    seeds.push(chosen(1, b"\x97\x02\x00\x01\x02\x01avc1\0\0\0data"));
    seeds.push(chosen(1, b"\x96\x11avc1\x01\0\0\x04\0\0\0a\x02\0\0\x04\0\0\0b"));
    seeds.push(chosen(0, b"\x95\x21mp4a\x01\0\0\x02xyOpus\x02\0\0\x01z"));
    seeds.push(chosen(0, b"\x97\xff\x01\x00"));
    replay("flv_body", flv_body, &seeds);
}

#[test]
fn codec_corpus() {
    let mut seeds = Vec::new();
    for sample in samples::VIDEO.iter().chain(samples::AUDIO) {
        let body = unhex(sample.body);
        // Legacy heads: the record begins behind two or five bytes, or behind a FourCC.
        for start in [2, 5] {
            let record = body.get(start..).unwrap_or_default();
            let codecs: &[u8] = match body[0] & 0xf0 {
                0xa0 => &[1],
                0x90 if body.get(1).is_some_and(u8::is_ascii_alphabetic) => &[0, 2, 4, 6, 8, 10],
                _ => &[0],
            };
            if let Some(codec) = codecs.get(seeds.len() % codecs.len()) {
                seeds.push([&[*codec, body[0]], record].concat());
            }
        }
    }
    replay("codec", codec, &seeds);
}

fn tag(kind: u8, time_ms: u32, body: &[u8]) -> Vec<u8> {
    let header = TagHeader::new(kind, u32::try_from(body.len()).unwrap(), time_ms);
    [&header.encode(), body, &header.tag_size().to_be_bytes()].concat()
}

/// Files: sound, without metadata, cut, damaged, with rubbish in the middle, joined.
fn files() -> Vec<Vec<u8>> {
    let mut tags = vec![
        tag(18, 0, &on_meta_data()),
        tag(9, 0, b"\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe1\x00"),
        tag(8, 0, b"\xaf\x00\x12\x10"),
    ];
    for i in 0..8_u8 {
        let head = if i % 4 == 0 { b"\x17\x01\0\0\0" } else { b"\x27\x01\0\0\0" };
        tags.push(tag(9, u32::from(i) * 40, &[&head[..], &[i; 20]].concat()));
        tags.push(tag(8, u32::from(i) * 40 + 3, &[0xaf, 0x01, i]));
    }
    let file = |tags: &[Vec<u8>]| [&FILE_HEADER[..], &tags.concat()].concat();
    let sound = file(&tags);
    let mut damaged = sound.clone();
    let middle = damaged.len() * 3 / 4;
    damaged[middle] ^= 0xff;
    let cut = sound[..sound.len() - 9].to_vec();
    let (first, second) = tags.split_at(6);
    let rubbish = [&file(first), &b"no tag"[..], &second.concat()].concat();
    let late: Vec<_> = (0..4).map(|i| tag(8, 0xffff_fff0 + i * 4, &[0xaf, 0x01, 1])).collect();
    let joined = [&sound[..], &file(&tags)].concat();
    let mut amf3 = tags.clone();
    let metadata = b"\0\x02\0\x0aonMetaData\x11\x0a\x0b\x01\x0btitle\x06\x09live\x01";
    amf3[0] = tag(15, 0, metadata);
    amf3.insert(7, tag(15, 40, b"\0\x11\x77"));
    vec![sound, file(second), cut, damaged, rubbish, file(&late), joined, file(&amf3)]
}

#[test]
fn flv_scan_corpus() {
    replay("flv_scan", flv_scan, &files());
}

#[test]
fn flv_repair_corpus() {
    replay("flv_repair", flv_repair, &files());
}

/// Messages of a stream, as the targets of muxers read them.
fn messages() -> Vec<u8> {
    let mut bytes = vec![3, 0, 0, 16];
    bytes.extend(b"\x02\0\x0aonMetaData\x08\0\0");
    bytes.extend([1, 0, 0, 7, 0x17, 0, 0, 0, 0, 1, 0x42, 0, 0, 0, 4, 0xaf, 0, 0x12, 0x10]);
    for i in 0..10 {
        let first = if i % 5 == 0 { 0x17 } else { 0x27 };
        bytes.extend([1, 0, 40, 8, first, 1, 0, 0, 0, i, i, i, 0, 0, 0, 3, 0xaf, 1, i]);
    }
    bytes
}

#[test]
fn flv_mux_corpus() {
    let packets = |seed: u8| [&[seed, 0x80, seed / 2, 0x41][..], &messages()].concat();
    replay("flv_mux", flv_mux, &[packets(0), packets(40), packets(120), packets(255)]);
}

/// A recording of MP4, growing and finished.
fn recordings() -> [Vec<u8>; 2] {
    use crate::mp4::{Movie, mux::Muxer};
    use crate::{Chunks, Header, Kind, Packet};
    let mut packets = vec![
        Packet::new(Kind::Audio, 0, vec![0xaf, 0, 0x12, 0x10].into()),
        Packet::new(Kind::Video, 0, unhex(samples::VIDEO[0].body).into()),
    ];
    for i in 0..6_u8 {
        let first = if i % 3 == 0 { 0x17 } else { 0x27 };
        let video = vec![first, 1, 0, 0, 40, 0, 0, 0, 1, i];
        packets.push(Packet::new(Kind::Video, i64::from(i) * 40, video.into()));
        packets.push(Packet::new(Kind::Audio, i64::from(i) * 40, vec![0xaf, 1, i].into()));
    }
    let options = crate::flv::mux::Options { reserve_bytes: 2_048, ..Default::default() };
    let mut muxer = Muxer::new(Movie::of(&Header::default(), &packets), options);
    let mut out = Chunks::new();
    for packet in &packets {
        if packet.body.starts_with(&[0x17, 1]) {
            muxer.cut();
        }
        muxer.push(packet, packet.dts_ms.cast_unsigned(), &mut out).unwrap();
    }
    let growing = out.to_vec();
    muxer.finish(&mut out);
    let mut finished = out.to_vec();
    for patch in muxer.patches() {
        let at = usize::try_from(patch.offset).unwrap();
        finished[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    [growing, finished]
}

#[test]
fn mp4_scan_corpus() {
    let [growing, finished] = recordings();
    let torn = growing[..growing.len() - 5].to_vec();
    let init = [&b"\0\0\0\x08ftyp\0\0\0\x08moov"[..], &finished].concat();
    replay("mp4_scan", mp4_scan, &[growing, finished, torn, init]);
}

#[test]
fn mp4_repair_corpus() {
    let [growing, finished] = recordings();
    let torn = finished[..finished.len() - 50].to_vec();
    // The last part but one, and the index; the head.
    let mut damaged = finished.clone();
    let part = finished.windows(4).rposition(|name| name == b"moof").unwrap();
    damaged[part..part + 12].fill(0);
    let mut headless = finished.clone();
    headless[4..12].fill(0);
    replay("mp4_repair", mp4_repair, &[growing, finished, torn, damaged, headless]);
}

#[test]
fn mp4_mux_corpus() {
    let packets = |seed: u8| [&[seed, 0x80][..], &messages()].concat();
    replay("mp4_mux", mp4_mux, &[packets(0), packets(40), packets(120), packets(255)]);
}

#[test]
fn pieces_are_the_whole() {
    for len in 0..200_u8 {
        let bytes: Vec<u8> = (0..len).collect();
        assert_eq!(pieces(&bytes).collect::<Vec<_>>().concat(), bytes);
    }
}
