use super::*;

fn packet(kind: Kind, body: &'static [u8]) -> Packet {
    Packet::new(kind, 0, Bytes::from_static(body))
}

#[test]
fn kinds_have_the_numbers_of_rtmp_and_flv() {
    let kinds = [Kind::Audio, Kind::Video, Kind::DataAmf3, Kind::Data];
    assert_eq!(kinds.map(Kind::number), [8, 9, 15, 18]);
}

#[test]
fn the_body_decides_role_and_track() {
    assert_eq!(packet(Kind::Video, b"\x17\x00\x00\x00\x00").role, Role::Config);
    assert_eq!(packet(Kind::Audio, b"\xaf\x00\x12\x10").role, Role::Config);
    assert_eq!(packet(Kind::Data, b"\x02\x00\x0aonMetaData\x05").role, Role::Metadata);
    assert_eq!(packet(Kind::Video, b"\x96\x00avc1\x09").track, 9);
    for kind in [Kind::Audio, Kind::Video, Kind::Data] {
        assert_eq!(packet(kind, b"").role, Role::Event, "an empty message");
    }
}

#[test]
fn a_multitrack_message_is_of_all_its_tracks() {
    let many = packet(Kind::Audio, b"\x95\x11mp4a\x03\x00\x00\x01A\x01\x00\x00\x01B");
    assert_eq!(many.track, 3, "the first");
    assert!(many.tracks().iter().eq([1, 3]));
    assert!(many.has_track(1) && many.has_track(3) && !many.has_track(0));
    assert!(packet(Kind::Video, b"\x17\x01").tracks().iter().eq([0]));
    assert!(packet(Kind::Video, b"\x96\x00avc1\x09").tracks().iter().eq([9]));
    assert!(packet(Kind::Data, b"").tracks().iter().eq([0]));
}

#[test]
fn only_coded_audio_and_video_is_media() {
    assert!(packet(Kind::Video, b"\x17\x01\x00\x00\x00").is_media());
    assert!(packet(Kind::Video, b"\x27\x01\x00\x00\x00").is_media());
    assert!(packet(Kind::Audio, b"\xaf\x01").is_media());
    assert!(!packet(Kind::Audio, b"\xaf\x00").is_media());
    assert!(!packet(Kind::Video, b"\x17\x02\x00\x00\x00").is_media());
    assert!(!packet(Kind::Data, b"\x02\x00\x0aonCuePoint\x05").is_media());
    assert!(!packet(Kind::Audio, b"").is_media());
}

#[test]
fn the_timestamp_is_the_low_32_bits_of_the_time() {
    let timestamp = |dts_ms| Packet::new(Kind::Audio, dts_ms, Bytes::new()).timestamp();
    assert_eq!(timestamp(0), 0);
    assert_eq!(timestamp(i64::from(u32::MAX)), u32::MAX);
    assert_eq!(timestamp((1 << 32) + 5), 5);
    assert_eq!(timestamp(-1), u32::MAX);
}

#[test]
fn a_clone_shares_the_body() {
    let packet = Packet::new(Kind::Audio, 0, Bytes::from(vec![0xAF; 1_000]));
    assert_eq!(packet.clone().body.as_ptr(), packet.body.as_ptr());
}
