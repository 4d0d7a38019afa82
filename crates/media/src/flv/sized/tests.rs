use bytes::{Bytes, BytesMut};

use super::*;
use crate::amf0::Limits;
use crate::flv::meta;
use crate::flv::probe::{IndexCheck, Probe};
use crate::flv::scan::{Bodies, Item, Scanner};

fn video(dts_ms: i64, key: bool) -> Packet {
    let body = [if key { 0x17 } else { 0x27 }, 1, 0, 0, 0, 1, 2, 3];
    Packet::new(Kind::Video, dts_ms, Bytes::copy_from_slice(&body))
}

fn config() -> Packet {
    let record = [0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 1, 1];
    Packet::new(Kind::Video, 0, Bytes::copy_from_slice(&record))
}

fn items(file: &[u8]) -> Vec<Item> {
    let mut scanner = Scanner::new(Bodies::Keep);
    scanner.push(file);
    scanner.finish();
    std::iter::from_fn(|| scanner.poll()).collect()
}

#[test]
fn size_and_index_are_true_before_the_first_packet_is_there() {
    let mut media = BytesMut::new();
    let mut key_frames = Vec::new();
    for i in 0..40 {
        let packet = video(i * 100, i % 10 == 0);
        if i % 10 == 0 {
            key_frames.push((u32::try_from(i).unwrap() * 100, media.len() as u64));
        }
        put_tag(&packet, u32::try_from(i).unwrap() * 100, &mut media).unwrap();
    }
    let mut header = Header::default();
    header.push(&config());
    let opening = Opening {
        has_video: true,
        properties: vec![("duration".to_owned(), Value::Number(4.0))],
        key_frames,
        header,
        media_bytes: media.len() as u64,
        ..Opening::default()
    };
    let mut file = opening.encode();
    assert_eq!(file[4], 0x01, "no audio");
    file.extend_from_slice(&media);

    let mut probe = Probe::new();
    items(&file).iter().for_each(|item| probe.push(item));
    let report = probe.finish();
    assert_eq!(report.fault_count, 0);
    assert_eq!(report.index, IndexCheck::True { entries: 4 });
    assert_eq!(report.tags, 42);
    let size = report.metadata.iter().find(|(name, _)| name == "filesize");
    assert_eq!(size.unwrap().1.as_f64(), Some(file.len() as f64));
}

#[test]
fn one_key_frame_is_no_index() {
    let opening = Opening { key_frames: vec![(0, 0)], ..Opening::default() };
    let Item::Tag(tag) = &items(&opening.encode())[1] else { panic!("no tag") };
    let properties = meta::properties(&tag.packet.body, Limits::default()).unwrap();
    assert_eq!(properties.len(), 1, "filesize alone");
}

#[test]
fn filler_has_the_size_that_was_asked_for_and_is_nothing() {
    for size in [15, 16, 22, 23, 24, 1_000, (64 << 10) + 14, (64 << 10) + 15, 1 << 20] {
        let mut file = BytesMut::from(&FILE_HEADER[..]);
        let mut left = size;
        while left > 0 {
            let put = put_filler(left, 7, &mut file);
            assert!(put > 0, "{left} of {size}");
            left -= put;
        }
        assert_eq!(file.len() as u64, 13 + size);
        for item in items(&file) {
            match item {
                Item::Header(_) => {}
                Item::Tag(tag) => assert_eq!(tag.packet.kind, Kind::Data),
                Item::Fault(fault) => panic!("{fault:?}"),
            }
        }
    }
    assert_eq!(put_filler(14, 0, &mut BytesMut::new()), 0);
}

#[test]
fn message_too_long_for_a_tag_is_refused_whole() {
    let packet = Packet::new(Kind::Audio, 0, vec![0; BODY_MAX + 1].into());
    let mut out = BytesMut::new();
    let error = put_tag(&packet, 0, &mut out).unwrap_err();
    assert_eq!(error, mux::Error::TooLong { size_bytes: BODY_MAX + 1 });
    assert!(out.is_empty());
}
