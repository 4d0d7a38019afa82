//! Every audio and video message is in the file once, in order, bit for bit.

use bytes::Bytes;
use media::amf0::{self, Value};
use media::{Kind, Packet, Role};
use testkit::source::{AUDIO_CONFIG, VIDEO_CONFIG};
use testkit::{SourceConfig, flv};

use super::parts::{Part, assert_joined, parts};
use super::{assert_finished, packets, record, small};

/// A tag, read without any help of the product's.
struct RawTag<'a> {
    kind: u8,
    time_ms: u32,
    body: &'a [u8],
}

fn be24(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])
}

/// Reads a file by the table of the contract and checks every field.
fn walk(bytes: &[u8]) -> Vec<RawTag<'_>> {
    assert_eq!(bytes[..13], *b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00");
    let mut rest = &bytes[13..];
    let mut tags = Vec::new();
    while !rest.is_empty() {
        let size = be24(&rest[1..4]);
        let end = 11 + usize::try_from(size).unwrap();
        let time_ms = be24(&rest[4..7]) | u32::from(rest[7]) << 24;
        assert_eq!(rest[8..11], [0, 0, 0], "stream id");
        assert_eq!(rest[end..end + 4], (11 + size).to_be_bytes(), "PreviousTagSize");
        tags.push(RawTag { kind: rest[0], time_ms, body: &rest[11..end] });
        rest = &rest[end + 4..];
    }
    tags
}

#[test]
fn the_bytes_are_those_of_the_table() {
    let sent = packets(1, SourceConfig { b_frames: 2, ..small() }, 300);
    let (_server, file) = record(&sent);
    assert_finished(&file, &sent);
    let bytes = std::fs::read(&file).unwrap();
    let tags = walk(&bytes);
    assert_eq!(tags[0].kind, 0x12);
    assert!(tags[0].body.starts_with(b"\x02\x00\x0aonMetaData"));
    // The publisher's metadata is in the first tag; all that it sent after it follows.
    assert_eq!(tags.len(), sent.len());
    for (tag, packet) in tags.iter().zip(&sent).skip(1) {
        assert_eq!(tag.kind, if packet.kind == Kind::Video { 0x09 } else { 0x08 });
        assert_eq!(tag.body, packet.body);
        assert_eq!(i64::from(tag.time_ms), packet.dts_ms);
    }
}

#[test]
fn the_publishers_own_values_are_kept() {
    let (_server, file) = record(&packets(1, small(), 60));
    let report = super::report(&file);
    for (name, value) in [("width", 1280.0), ("height", 720.0), ("framerate", 30.0)] {
        assert_eq!(super::metadata(&report, name), Some(value), "{name}");
    }
    let (_, encoder) = report.metadata.iter().find(|(name, _)| name == "encoder").unwrap();
    assert_eq!(encoder.as_str(), Some("testkit"));
}

#[test]
fn audio_alone_and_video_alone_are_recorded() {
    for metadata in [true, false] {
        let sound = packets(1, SourceConfig { video_kbps: 0, metadata, ..small() }, 200);
        assert!(frames_of(&sound, Kind::Video) == 0 && frames_of(&sound, Kind::Audio) > 0);
        assert_finished(&record(&sound).1, &sound);
        let pictures = packets(1, SourceConfig { audio_kbps: 0, metadata, ..small() }, 200);
        assert!(frames_of(&pictures, Kind::Audio) == 0 && frames_of(&pictures, Kind::Video) > 0);
        assert_finished(&record(&pictures).1, &pictures);
    }
}

fn frames_of(packets: &[Packet], kind: Kind) -> usize {
    packets.iter().filter(|packet| packet.kind == kind && packet.is_media()).count()
}

#[test]
fn the_headers_come_in_either_order_early_or_late() {
    let all = packets(1, small(), 200);
    let frames: Vec<_> = all.iter().filter(|packet| packet.is_media()).cloned().collect();
    let (metadata, video, audio) = (&all[0], &all[1], &all[2]);
    let orders: [&[&Packet]; 4] =
        [&[metadata, audio, video], &[audio, video, metadata], &[video, audio], &[]];
    for order in orders {
        let opening = order.iter().map(|packet| (*packet).clone());
        let sent: Vec<_> = opening.chain(frames.iter().cloned()).collect();
        assert_finished(&record(&sent).1, &sent);
    }
    // The sound's header only when the picture has long been running.
    let mut late = vec![metadata.clone(), video.clone()];
    let (pictures, rest) = frames.split_at(60);
    late.extend(pictures.iter().filter(|packet| packet.kind == Kind::Video).cloned());
    late.push(audio.clone());
    late.extend(rest.iter().cloned());
    assert_finished(&record(&late).1, &late);
}

#[test]
fn frames_before_the_first_key_frame_are_recorded() {
    let mut sent = packets(1, small(), 200);
    let key = sent.iter().position(|packet| packet.role == Role::Key).unwrap();
    sent.remove(key);
    let next = sent.iter().position(|packet| packet.role == Role::Key).unwrap();
    assert!(sent[..next].iter().filter(|packet| packet.role == Role::Frame).count() > 10);
    assert_finished(&record(&sent).1, &sent);
}

#[test]
fn empty_messages_and_those_of_one_byte_are_recorded() {
    let mut sent = packets(1, small(), 60);
    for (at, kind, body) in [
        (58, Kind::Audio, &[][..]),
        (40, Kind::Video, &[]),
        (30, Kind::Audio, &[0xaf]),
        (20, Kind::Video, &[0x27]),
        (3, Kind::Audio, &[]),
    ] {
        let dts_ms = sent[at].dts_ms;
        sent.insert(at, Packet::new(kind, dts_ms, Bytes::from_static(body)));
    }
    let (_server, file) = record(&sent);
    flv::assert_recorded(&file, &sent);
}

#[test]
fn other_data_messages_are_recorded_at_their_place_and_time() {
    let mut sent = packets(1, small(), 90);
    let mut body = Vec::new();
    amf0::encode_string("onCuePoint", &mut body);
    amf0::encode(&Value::Object(vec![("name".to_owned(), Value::from("goal"))]), &mut body);
    let cue = Packet::new(Kind::Data, sent[50].dts_ms + 7, body.into());
    sent.insert(51, cue.clone());
    let (_server, file) = record(&sent);
    assert_finished(&file, &sent);
    let tags = flv::Flv::read(&file).unwrap().packets();
    assert_eq!(tags.len(), sent.len());
    assert_eq!((tags[51].kind, &tags[51].body), (Kind::Data, &cue.body));
    assert_eq!(
        tags[51].dts_ms - tags[50].dts_ms,
        7,
        "its own time, not that of the picture before"
    );
}

#[test]
fn a_message_of_the_largest_size_is_recorded() {
    let mut sent = packets(1, small(), 40);
    let mut body = sent.iter().find(|packet| packet.role == Role::Key).unwrap().body.to_vec();
    body.resize(0xFF_FFFF, 0x5a);
    sent.push(Packet::new(Kind::Video, 2_000, body.into()));
    sent.extend(packets(1, SourceConfig { start_ms: 2_040, ..small() }, 40));
    assert_finished(&record(&sent).1, &sent);
}

#[test]
fn a_change_of_format_is_recorded_where_it_happened() {
    let mut sent = packets(1, small(), 100);
    let change = |kind, at: i64, config: &[u8], last: u8| {
        let mut body = config.to_vec();
        *body.last_mut().unwrap() = last;
        Packet::new(kind, at, body.into())
    };
    let at = sent[70].dts_ms;
    sent.insert(71, change(Kind::Video, at, VIDEO_CONFIG, 1));
    sent.insert(72, change(Kind::Audio, at, AUDIO_CONFIG, 1));
    let (server, _) = record(&sent);
    // It stands where it came, and with the next key frame begins another file.
    let parts = parts(&server, "live/test");
    assert_joined(&parts, &sent);
    let configs = |part: &Part| -> Vec<Bytes> {
        let packets = flv::Flv::read(&part.file).unwrap().packets();
        let configs = packets.into_iter().filter(|packet| packet.role == Role::Config);
        configs.map(|packet| packet.body).collect()
    };
    let [before, after] = parts.as_slice() else { panic!("{parts:?}") };
    let all = sent.iter().filter(|packet| packet.role == Role::Config);
    assert_eq!(configs(before), all.map(|packet| packet.body.clone()).collect::<Vec<_>>());
    assert_eq!(configs(after), [&sent[71].body, &sent[72].body]);
}
