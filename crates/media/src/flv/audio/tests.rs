use proptest::prelude::*;

use super::*;

#[test]
fn legacy_aac_tells_headers_from_frames() {
    assert_eq!(classify(b"\xaf\x00\x12\x10"), (Role::Config, 0));
    assert_eq!(classify(b"\xaf\x01\x21"), (Role::Frame, 0));
    assert_eq!(classify(b"\xaf"), (Role::Frame, 0), "cut off");
    assert_eq!(classify(b""), (Role::Event, 0), "silence");
}

#[test]
fn formats_without_a_header_are_frames() {
    for format in [0_u8, 1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15] {
        assert_eq!(classify(&[format << 4, 0]), (Role::Frame, 0), "format {format}");
    }
}

#[test]
fn enhanced_packet_types_have_their_roles() {
    assert_eq!(classify(b"\x90OpusOpusHead"), (Role::Config, 0));
    assert_eq!(classify(b"\x91Opus\x01"), (Role::Frame, 0));
    assert_eq!(classify(b"\x92Opus"), (Role::Event, 0));
    assert_eq!(classify(b"\x94Opus\x00\x02"), (Role::Metadata, 0));
    assert_eq!(classify(b"\x93Opus\x00\x02"), (Role::Frame, 0), "reserved type");
    assert_eq!(classify(b"\x91Opu"), (Role::Frame, 0), "cut off");
}

#[test]
fn tracks_are_told_apart() {
    assert_eq!(classify(b"\x95\x00mp4a\x03\x12\x10"), (Role::Config, 3));
    assert_eq!(parse(b"\x95\x01mp4a\x03AB").unwrap().data, b"AB");
    let body = b"\x95\x21mp4a\x00\x00\x00\x01AOpus\x01\x00\x00\x02BC";
    let found: Vec<_> = tracks(body).map(|tag| (tag.codec, tag.track, tag.data)).collect();
    assert_eq!(found, [(AudioCodec::Aac, 0, &b"A"[..]), (AudioCodec::Opus, 1, &b"BC"[..])]);
}

#[test]
fn modifiers_are_passed_over_and_kept() {
    let body = b"\x97\x02\x00\x01\x00\x07\x00\xff\x51Opus\x01";
    assert_eq!(classify(body), (Role::Frame, 0));
    let tag = parse(body).unwrap();
    assert_eq!(tag.timestamp_offset_nanos, 256);
    assert_eq!((tag.packet_type, tag.data), (PacketType::CodedFrames, &b"\x01"[..]));
}

#[test]
fn a_legacy_head_says_rate_bits_and_channels() {
    let sound = |first| parse(&[first, 0]).unwrap().sound.unwrap();
    assert_eq!(sound(0x2F), Sound { format: 2, rate_hz: 44_100, sample_bits: 16, channels: 2 });
    assert_eq!(sound(0x00), Sound { format: 0, rate_hz: 5_512, sample_bits: 8, channels: 1 });
    assert_eq!(sound(0x16), Sound { format: 1, rate_hz: 11_025, sample_bits: 16, channels: 1 });
    assert_eq!(sound(0x2B), Sound { format: 2, rate_hz: 22_050, sample_bits: 16, channels: 2 });
    assert_eq!(parse(b"\x91Opus\x01").unwrap().sound, None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_alike(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let (role, track) = classify(&body);
        if let Some(tag) = parse(&body) {
            prop_assert_eq!(tag.track, track);
            prop_assert_eq!(role == Role::Config, tag.packet_type == PacketType::SequenceStart);
        }
        prop_assert!(tracks(&body).count() <= body.len());
    }
}
