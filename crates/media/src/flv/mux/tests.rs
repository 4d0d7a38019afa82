use bytes::Bytes;

use super::*;
mod identity;
mod long;
mod tracks;

use crate::{
    amf0::{encode, encode_string},
    flv::scan::{Bodies, Item, Scanner},
};

const AVC: &[u8] = b"\x17\x00\x00\x00\x00\x01\x64\x00\x0d";
const AAC: &[u8] = b"\xaf\x00\x12\x08";
const REGION: usize = 2_048;

fn video(body: &[u8]) -> Packet {
    Packet::new(Kind::Video, 0, Bytes::copy_from_slice(body))
}

fn audio(body: &[u8]) -> Packet {
    Packet::new(Kind::Audio, 0, Bytes::copy_from_slice(body))
}

fn key() -> Packet {
    video(b"\x17\x01\x00\x00\x00KEY")
}

fn frame() -> Packet {
    video(b"\x27\x01\x00\x00\x00FRAME")
}

fn sound() -> Packet {
    audio(b"\xaf\x01SOUND")
}

fn on_meta_data(properties: &[(&str, Value)]) -> Packet {
    let properties = properties.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
    let mut body = Vec::new();
    encode_string("onMetaData", &mut body);
    encode(&Value::EcmaArray(properties), &mut body);
    Packet::new(Kind::Data, 0, body.into())
}

fn muxer() -> Muxer {
    Muxer::new(Options { reserve_bytes: REGION, ..Options::default() })
}

fn options(identity: Vec<(String, Value)>, extra: Vec<(String, Value)>) -> Options {
    Options { reserve_bytes: REGION, identity, extra }
}

/// Writes packets with their times and returns the file with its patches applied.
fn file(muxer: &mut Muxer, packets: &[(Packet, u64)]) -> Vec<u8> {
    let mut out = Chunks::new();
    muxer.start(&Header::default(), &mut out);
    for (packet, time_ms) in packets {
        muxer.push(packet, *time_ms, &mut out).unwrap();
    }
    patched(muxer, &out)
}

fn patched(muxer: &Muxer, out: &Chunks) -> Vec<u8> {
    let mut bytes = out.to_vec();
    assert_eq!(size(bytes.len()), muxer.position());
    for patch in muxer.patches() {
        let at = usize::try_from(patch.offset).unwrap();
        bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    bytes
}

/// All tags of a file that must be without a fault.
fn tags(bytes: &[u8]) -> Vec<(u64, u32, Packet)> {
    let mut scanner = Scanner::new(Bodies::Keep);
    scanner.push(bytes);
    scanner.finish();
    let mut tags = Vec::new();
    while let Some(item) = scanner.poll() {
        match item {
            Item::Header(_) => {}
            Item::Tag(tag) => tags.push((tag.offset, tag.header.timestamp_ms, tag.packet)),
            Item::Fault(fault) => panic!("{fault:?}"),
        }
    }
    tags
}

fn properties(bytes: &[u8]) -> Vec<(String, Value)> {
    let tags = tags(bytes);
    assert_eq!(tags[0].0, 13, "the first tag stands right after the header");
    meta::properties(&tags[0].2.body, Limits::default()).unwrap()
}

fn property(bytes: &[u8], name: &str) -> Option<Value> {
    let properties = properties(bytes);
    let mut found = properties.into_iter().filter(|(known, _)| known == name);
    let value = found.next().map(|(_, value)| value);
    assert!(found.next().is_none(), "{name} is there twice");
    value
}

fn number(bytes: &[u8], name: &str) -> f64 {
    property(bytes, name).and_then(|value| value.as_f64()).unwrap_or(f64::NAN)
}

#[test]
fn a_tag_has_the_bytes_of_the_contract() {
    let mut muxer = muxer();
    let bytes = file(&mut muxer, &[(frame(), 0x0102_0304)]);
    assert_eq!(bytes[..13], FILE_HEADER);
    let tag = &bytes[13 + REGION..];
    assert_eq!(tag[..11], [0x09, 0, 0, 10, 0x02, 0x03, 0x04, 0x01, 0, 0, 0]);
    assert_eq!(&tag[11..21], b"\x27\x01\x00\x00\x00FRAME");
    assert_eq!(tag[21..], [0, 0, 0, 21]);
}

#[test]
fn every_packet_is_there_once_in_order_bit_for_bit_and_at_its_time() {
    let big = video(&[&b"\x27\x01\x00\x00\x00"[..], &[0xA5; 70_000]].concat());
    let event = Packet::new(Kind::Data, 0, Bytes::from_static(b"\x02\x00\x0aonCuePoint\x05"));
    let packets = [
        (audio(AAC), 0),
        (video(AVC), 0),
        (key(), 0),
        (sound(), 3),
        (big, 40),
        (event, 41),
        (audio(b""), 50),
        (video(b""), 60),
        (video(b"\x17\x02\x00\x00\x00"), 16_777_215),
        (sound(), 16_777_216),
        (sound(), u64::from(u32::MAX)),
    ];
    let bytes = file(&mut muxer(), &packets);
    let tags = tags(&bytes);
    assert_eq!(tags.len(), packets.len() + 1);
    for ((_, time_ms, found), (packet, expected_ms)) in tags[1..].iter().zip(&packets) {
        assert_eq!((found.kind, &found.body), (packet.kind, &packet.body));
        assert_eq!(u64::from(*time_ms), *expected_ms);
    }
}

#[test]
fn a_payload_is_shared_and_not_copied() {
    let packet = video(&[&b"\x27\x01\x00\x00\x00"[..], &[0xA5; 70_000]].concat());
    let (mut muxer, mut out) = (muxer(), Chunks::new());
    muxer.push(&packet, 0, &mut out).unwrap();
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    let count = out.fill(&mut slices);
    assert!(slices[..count].iter().any(|slice| slice.as_ptr() == packet.body.as_ptr()));
}

#[test]
fn what_24_bits_and_32_bits_cannot_say_is_refused_and_not_written() {
    let (mut muxer, mut out) = (muxer(), Chunks::new());
    muxer.start(&Header::default(), &mut out);
    let before = muxer.position();
    let body = Bytes::from(vec![0x27; BODY_MAX + 1]);
    let longest = Packet::new(Kind::Video, 0, body.slice(1..));
    let too_long = Packet::new(Kind::Video, 0, body);
    assert_eq!(muxer.push(&too_long, 0, &mut out), Err(Error::TooLong { size_bytes: 16_777_216 }));
    let time_ms = 1 << 32;
    assert_eq!(muxer.push(&key(), time_ms, &mut out), Err(Error::TimeTooLarge { time_ms }));
    assert_eq!((muxer.position(), size(out.len())), (before, before));
    assert_eq!(muxer.push(&longest, 0, &mut out), Ok(()));
    let bytes = out.to_vec();
    assert_eq!(bytes[bytes.len() - 4..], [0x01, 0x00, 0x00, 0x0A]);
}

#[test]
fn a_file_that_starts_in_mid_stream_begins_with_its_headers_at_time_zero() {
    let mut header = Header::default();
    let metadata = on_meta_data(&[("encoder", Value::from("OBS"))]);
    for packet in [&audio(AAC), &video(AVC), &metadata] {
        header.push(packet);
    }
    let (mut muxer, mut out) = (muxer(), Chunks::new());
    muxer.start(&header, &mut out);
    muxer.start(&header, &mut out);
    muxer.push(&key(), 7, &mut out).unwrap();
    let bytes = patched(&muxer, &out);
    let found: Vec<_> = tags(&bytes)[1..].iter().map(|tag| (tag.1, tag.2.body.clone())).collect();
    assert_eq!(found, [(0, video(AVC).body), (0, audio(AAC).body), (7, key().body)]);
    assert_eq!(property(&bytes, "encoder"), Some(Value::from("OBS")));
    assert_eq!(muxer.push(&metadata, 9, &mut out), Ok(()));
    assert_eq!(muxer.counters().metadata_merged, 1, "it is in the first tag already");
}

#[test]
fn metadata_is_right_before_any_patch() {
    let mut header = Header::default();
    header.push(&on_meta_data(&[("width", Value::Number(320.0))]));
    let (mut muxer, mut out) = (muxer(), Chunks::new());
    muxer.start(&header, &mut out);
    let bytes = out.to_vec();
    assert_eq!(number(&bytes, "width"), 320.0);
    assert_eq!(number(&bytes, "filesize"), 13.0 + 2_048.0);
    assert_eq!(number(&bytes, "duration"), 0.0);
}

#[test]
fn the_publishers_values_stay_and_the_false_ones_are_replaced() {
    let metadata = on_meta_data(&[
        ("duration", Value::Number(0.0)),
        ("filesize", Value::Number(0.0)),
        ("framerate", Value::Number(30.0)),
        ("videodatarate", Value::Number(0.0)),
        ("videocodecid", Value::from("avc1")),
        ("encoder", Value::from("x")),
        ("padding", Value::from("y")),
        ("keyframes", Value::Object(Vec::new())),
    ]);
    let packets =
        [(metadata, 0), (video(AVC), 0), (key(), 0), (frame(), 40), (frame(), 80), (key(), 120)];
    let mut muxer = muxer();
    let bytes = file(&mut muxer, &packets);
    assert_eq!(number(&bytes, "duration"), 0.16);
    assert_eq!(muxer.duration_ms(), 160);
    assert_eq!(number(&bytes, "filesize"), bytes.len() as f64);
    assert_eq!(number(&bytes, "framerate"), 30.0, "the encoder knows better");
    let kbit_per_second = (8.0 + 10.0 + 10.0 + 8.0) * 8.0 / 160.0;
    assert!((number(&bytes, "videodatarate") - kbit_per_second).abs() < 1e-9);
    assert_eq!(number(&bytes, "videocodecid"), 7.0);
    assert_eq!(number(&bytes, "lasttimestamp"), 0.12);
    assert_eq!(number(&bytes, "lastkeyframetimestamp"), 0.12);
    assert_eq!(property(&bytes, "encoder"), Some(Value::from("x")));
    assert_ne!(property(&bytes, "padding"), Some(Value::from("y")));
    assert_eq!(property(&bytes, "canSeekToEnd"), Some(Value::Boolean(true)));
    for (name, is) in [("hasVideo", true), ("hasAudio", false), ("hasKeyframes", true)] {
        assert_eq!(property(&bytes, name), Some(Value::Boolean(is)), "{name}");
    }
}

#[test]
fn the_index_points_at_tags_at_which_one_can_start() {
    let mut packets = vec![(video(AVC), 0), (audio(AAC), 0)];
    for i in 0..20_u64 {
        packets.push((key(), i * 1_000));
        packets.extend([(sound(), i * 1_000 + 10), (frame(), i * 1_000 + 40)]);
    }
    let bytes = file(&mut muxer(), &packets);
    let keyframes = property(&bytes, "keyframes").unwrap();
    let numbers = |name| match keyframes.property(name) {
        Some(Value::StrictArray(values)) => values.iter().map(|v| v.as_f64().unwrap()).collect(),
        _ => Vec::new(),
    };
    let (times, positions) = (numbers("times"), numbers("filepositions"));
    assert_eq!(times, (0..20).map(f64::from).collect::<Vec<_>>());
    let tags = tags(&bytes);
    for (i, (time, position)) in times.iter().zip(positions).enumerate() {
        let tag = tags.iter().find(|(offset, ..)| *offset as f64 == position).unwrap();
        assert_eq!(f64::from(tag.1), time * 1000.0);
        assert_eq!(tag.2.role, if i == 0 { Role::Config } else { Role::Key });
    }
}

#[test]
fn of_media_that_does_not_come_nothing_is_said() {
    let metadata = on_meta_data(&[
        ("videocodecid", Value::Number(7.0)),
        ("width", Value::Number(320.0)),
        ("audiocodecid", Value::Number(10.0)),
        ("title", Value::from("t")),
    ]);
    let (mut muxer, mut out) = (muxer(), Chunks::new());
    muxer.push(&metadata, 0, &mut out).unwrap();
    let before = patched(&muxer, &out);
    assert_eq!(number(&before, "videocodecid"), 7.0, "no media yet: that may come");
    muxer.push(&sound(), 0, &mut out).unwrap();
    let after = patched(&muxer, &out);
    assert_eq!(property(&after, "videocodecid"), None);
    assert_eq!(property(&after, "width"), None);
    assert_eq!(number(&after, "audiocodecid"), 10.0);
    assert_eq!(property(&after, "title"), Some(Value::from("t")));
}

#[test]
fn enhanced_codecs_are_named_by_their_fourcc() {
    let packets = [
        (video(b"\x93av01\x12\x00"), 0),
        (audio(b"\x91Opus\x01"), 0),
        (audio(b"\x91Opus\x01"), 20),
    ];
    let bytes = file(&mut muxer(), &packets);
    assert_eq!(number(&bytes, "videocodecid"), 1_635_135_537.0);
    assert_eq!(number(&bytes, "audiocodecid"), 1_332_770_163.0);
}

#[test]
fn the_first_metadata_is_in_the_first_tag_alone_and_later_ones_at_their_time_too() {
    let first = on_meta_data(&[("title", Value::from("a")), ("encoder", Value::from("x"))]);
    let second = on_meta_data(&[("title", Value::from("b"))]);
    let packets = [
        (first.clone(), 0),
        (first, 0),
        (key(), 0),
        (second.clone(), 40),
        (second.clone(), 50),
        (key(), 60),
    ];
    let mut muxer = muxer();
    let bytes = file(&mut muxer, &packets);
    let data: Vec<_> =
        tags(&bytes).into_iter().skip(1).filter(|tag| tag.2.kind == Kind::Data).collect();
    assert_eq!(data.len(), 1);
    assert_eq!((data[0].1, &data[0].2.body), (40, &second.body));
    assert_eq!(property(&bytes, "title"), Some(Value::from("b")));
    assert_eq!(property(&bytes, "encoder"), Some(Value::from("x")), "merged");
    let counters = muxer.counters();
    assert_eq!((counters.metadata_merged, counters.data, counters.video), (3, 1, 2));
}

#[test]
fn metadata_that_tells_nothing_but_another_creation_date_is_no_tag() {
    let at = |second: &str, title: &str| {
        let date = Value::from(format!("Sun Nov 22 17:06:{second} 2026"));
        on_meta_data(&[("title", Value::from(title)), ("creationdate", date)])
    };
    let packets = [
        (at("08", "a"), 0),
        (key(), 0),
        (at("09", "a"), 280),
        (at("10", "b"), 1_280),
        (at("11", "b"), 2_280),
    ];
    let mut muxer = muxer();
    let bytes = file(&mut muxer, &packets);
    let tags = tags(&bytes);
    let data: Vec<_> = tags.iter().skip(1).filter(|tag| tag.2.kind == Kind::Data).collect();
    assert_eq!(data.iter().map(|tag| tag.1).collect::<Vec<_>>(), [1_280]);
    assert_eq!(muxer.counters().metadata_merged, 3);
    let newest = Value::from("Sun Nov 22 17:06:11 2026");
    assert_eq!(property(&bytes, "creationdate"), Some(newest));
}

#[test]
fn metadata_that_comes_after_media_or_cannot_be_read_is_a_tag() {
    let late = on_meta_data(&[("title", Value::from("late"))]);
    let bytes = file(&mut muxer(), &[(key(), 0), (late, 40)]);
    assert_eq!(tags(&bytes).len(), 3);
    assert_eq!(property(&bytes, "title"), Some(Value::from("late")));

    let broken = Bytes::from_static(b"\x02\x00\x0aonMetaData\x08\xff");
    let broken = Packet::new(Kind::Data, 0, broken);
    let bytes = file(&mut muxer(), &[(broken.clone(), 0), (key(), 0)]);
    assert_eq!(tags(&bytes)[1].2.body, broken.body);
}

#[test]
fn the_callers_values_win_and_can_change() {
    let extra = |end: &str| {
        vec![
            ("recordingid".to_owned(), Value::from("r1")),
            ("end".to_owned(), Value::from(end)),
            ("title".to_owned(), Value::from("ours")),
        ]
    };
    let mut muxer = Muxer::new(options(Vec::new(), extra("open")));
    let metadata = on_meta_data(&[("title", Value::from("theirs"))]);
    let bytes = file(&mut muxer, &[(metadata, 0), (key(), 0)]);
    assert_eq!(property(&bytes, "title"), Some(Value::from("ours")));
    assert_eq!(property(&bytes, "end"), Some(Value::from("open")));
    muxer.set_extra(extra("closed"));
    let patch = &muxer.patches()[0];
    assert_eq!((patch.offset, patch.bytes.len()), (13, REGION));
    let text = String::from_utf8_lossy(&patch.bytes);
    assert!(text.contains("closed") && !text.contains("open"));
}

#[test]
fn a_flood_of_metadata_is_bounded_and_counted() {
    let mut muxer = muxer();
    let mut out = Chunks::new();
    for i in 0..2_000 {
        let metadata = on_meta_data(&[(&format!("name{i}"), Value::from("x".repeat(100)))]);
        muxer.push(&metadata, 0, &mut out).unwrap();
        assert!(muxer.publisher_bytes <= REGION);
    }
    assert!(muxer.publisher.len() < 20);
    assert!(muxer.counters().properties_cut >= 1_980);
    let kept = muxer.publisher_bytes;
    let sum: usize = muxer.publisher.iter().map(encoded_bytes).sum();
    assert_eq!(kept, sum);
    tags(&patched(&muxer, &out));
}

#[test]
fn the_file_is_right_at_every_moment() {
    let (mut muxer, mut out) = (muxer(), Chunks::new());
    assert!(muxer.patches().is_empty(), "nothing to patch before the start");
    muxer.start(&Header::default(), &mut out);
    for i in 0..300_u64 {
        let packet = if i % 25 == 0 { key() } else { frame() };
        muxer.push(&packet, i * 40, &mut out).unwrap();
        let bytes = patched(&muxer, &out);
        assert_eq!(number(&bytes, "filesize"), bytes.len() as f64);
        assert_eq!(number(&bytes, "lasttimestamp"), i as f64 * 40.0 / 1000.0);
    }
}

#[test]
fn a_pause_at_the_end_is_not_the_duration_of_a_frame() {
    let mut muxer = muxer();
    file(&mut muxer, &[(sound(), 0), (sound(), 20), (sound(), 600_000)]);
    assert_eq!(muxer.duration_ms(), 601_000);
}

#[test]
fn a_region_of_any_wanted_size_is_brought_into_its_bounds() {
    for (wanted, taken) in [(0, 2_048), (usize::MAX, BODY_MAX / 2)] {
        let mut muxer = Muxer::new(Options { reserve_bytes: wanted, ..Options::default() });
        let mut out = Chunks::new();
        muxer.start(&Header::default(), &mut out);
        assert_eq!(out.len(), 13 + taken);
    }
}
