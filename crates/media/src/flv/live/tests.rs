use bytes::Bytes;

use super::*;
use crate::flv::scan::{Bodies, Item, Scanner};

fn video(role: u8, dts_ms: i64) -> Packet {
    let frame = if role == 0 || role == 1 { 0x17 } else { 0x27 };
    Packet::new(Kind::Video, dts_ms, Bytes::from(vec![frame, role.min(1), 0, 0, 0, role]))
}

fn audio(dts_ms: i64) -> Packet {
    Packet::new(Kind::Audio, dts_ms, Bytes::from_static(b"\xaf\x01\x21"))
}

/// The flags of a view, and kinds and times of its tags.
fn read(out: &Chunks) -> (Option<u8>, Vec<(Kind, u32)>) {
    let bytes = out.to_vec();
    let mut scanner = Scanner::new(Bodies::Keep);
    scanner.push(&bytes);
    scanner.finish();
    let mut tags = Vec::new();
    while let Some(item) = scanner.poll() {
        match item {
            Item::Tag(tag) => tags.push((tag.packet.kind, tag.header.timestamp_ms)),
            Item::Header(_) => {}
            Item::Fault(fault) => panic!("{fault:?}"),
        }
    }
    (bytes.get(4).copied(), tags)
}

fn header_of(packets: &[Packet]) -> Header {
    let mut header = Header::default();
    packets.iter().for_each(|packet| _ = header.push(packet));
    header
}

#[test]
fn flags_say_what_there_is() {
    for (packets, flags) in [
        (vec![video(1, 0), audio(1)], 5),
        (vec![video(1, 0), video(2, 1_000)], 1),
        (vec![audio(0), audio(1_000)], 4),
    ] {
        let (mut muxer, mut out) = (Muxer::default(), Chunks::new());
        packets.iter().for_each(|packet| muxer.push(packet, &mut out));
        muxer.flush(&mut out);
        let (found, tags) = read(&out);
        assert_eq!((found, tags.len()), (Some(flags), 2), "{packets:?}");
    }
}

#[test]
fn a_stream_that_has_just_begun_is_waited_for() {
    let (mut muxer, mut out) = (Muxer::default(), Chunks::new());
    for dts_ms in [0, 500, 999] {
        muxer.push(&audio(dts_ms), &mut out);
        muxer.flush(&mut out);
        assert!(out.is_empty(), "{dts_ms}");
    }
    muxer.push(&video(1, 999), &mut out);
    assert!(out.is_empty());
    muxer.flush(&mut out);
    assert_eq!(read(&out).0, Some(5));
}

#[test]
fn a_settled_stream_is_not_waited_for() {
    let (mut muxer, mut out) = (Muxer::new(false, true, true), Chunks::new());
    muxer.header(&header_of(&[video(0, 0)]), &mut out);
    muxer.flush(&mut out);
    assert!(out.is_empty(), "there is no time to begin with");
    muxer.push(&video(1, 70_000), &mut out);
    muxer.flush(&mut out);
    assert_eq!(read(&out), (Some(1), vec![(Kind::Video, 0); 2]));
}

#[test]
fn what_waits_is_bounded() {
    let (mut muxer, mut out) = (Muxer::default(), Chunks::new());
    for _ in 0..WAIT_PACKETS {
        assert!(out.is_empty());
        muxer.push(&audio(0), &mut out);
    }
    assert_eq!(read(&out).1.len(), WAIT_PACKETS);
}

#[test]
fn times_begin_at_0_and_keep_their_distances() {
    let (mut muxer, mut out) = (Muxer::new(true, true, true), Chunks::new());
    // Sound that was sent late is older than the key frame before it.
    for packet in [video(1, 5_000), audio(4_970), video(2, 5_040), audio(4_991)] {
        muxer.push(&packet, &mut out);
    }
    muxer.flush(&mut out);
    muxer.push(&audio(5_080), &mut out);
    let times: Vec<u32> = read(&out).1.iter().map(|(_, time_ms)| *time_ms).collect();
    assert_eq!(times, [30, 0, 70, 21, 110]);
}

#[test]
fn a_header_after_a_loss_is_at_the_time_before_it() {
    let (mut muxer, mut out) = (Muxer::new(true, true, true), Chunks::new());
    muxer.push(&video(1, 0), &mut out);
    muxer.flush(&mut out);
    muxer.header(&header_of(&[video(0, 123_456)]), &mut out);
    muxer.push(&video(1, 9_000), &mut out);
    assert_eq!(read(&out).1, [(Kind::Video, 0), (Kind::Video, 0), (Kind::Video, 9_000)]);
}

#[test]
fn a_body_too_long_for_a_tag_is_left_out() {
    let (mut muxer, mut out) = (Muxer::new(true, true, true), Chunks::new());
    muxer.start(&mut out);
    let body = vec![0x27; tag::BODY_MAX + 1];
    muxer.push(&Packet::new(Kind::Video, 0, body.into()), &mut out);
    assert_eq!(out.len(), tag::FILE_HEADER.len());
}
