use proptest::prelude::*;

use super::*;

fn role(body: &[u8]) -> Role {
    classify(body).0
}

#[test]
fn legacy_avc_tells_headers_keys_frames_and_the_end() {
    assert_eq!(role(b"\x17\x00\x00\x00\x00\x01"), Role::Config);
    assert_eq!(role(b"\x17\x01\x00\x00\x50NAL"), Role::Key);
    assert_eq!(role(b"\x47\x01\x00\x00\x50NAL"), Role::Key, "generated key frame");
    assert_eq!(role(b"\x27\x01\x00\x00\x50NAL"), Role::Frame);
    assert_eq!(role(b"\x37\x01\x00\x00\x50NAL"), Role::Frame);
    assert_eq!(role(b"\x17\x02\x00\x00\x00"), Role::Event);
    assert_eq!(role(b"\x27\x00\x00\x00\x00\x01"), Role::Config, "frame type says nothing here");
    assert_eq!(role(b"\x17\x09\x00\x00\x00"), Role::Frame, "unknown packet type");
    assert_eq!(role(b"\x17"), Role::Frame, "cut off");
}

#[test]
fn hevc_under_the_old_id_12_is_read_like_avc() {
    assert_eq!(role(b"\x1c\x00\x00\x00\x00\x01"), Role::Config);
    assert_eq!(role(b"\x1c\x01\x00\x00\x00NAL"), Role::Key);
    assert_eq!(parse(b"\x2c\x01\x00\x00\x28NAL").unwrap().composition_time_ms, 40);
}

#[test]
fn legacy_codecs_without_a_packet_type_go_by_the_frame_type() {
    for codec in [2_u8, 3, 4, 5, 6] {
        assert_eq!(role(&[0x10 | codec, 0]), Role::Key, "codec {codec}");
        assert_eq!(role(&[0x20 | codec, 0]), Role::Frame, "codec {codec}");
    }
}

#[test]
fn commands_and_empty_messages_are_events() {
    assert_eq!(classify(b""), (Role::Event, 0));
    assert_eq!(role(b"\x57\x00"), Role::Event);
    assert_eq!(role(b"\x52\x01"), Role::Event);
    assert_eq!(role(b"\xd1\x00"), Role::Event, "enhanced command");
    let command = parse(b"\xd1\x01").unwrap();
    assert_eq!((command.frame_type, command.data), (FrameType::Command, [1].as_slice()));
}

#[test]
fn enhanced_packet_types_have_their_roles() {
    assert_eq!(role(b"\x90hvc1\x01"), Role::Config);
    assert_eq!(role(b"\x91hvc1\x00\x00\x00NAL"), Role::Key);
    assert_eq!(role(b"\xa1hvc1\x00\x00\x00NAL"), Role::Frame);
    assert_eq!(role(b"\x93av01OBU"), Role::Key);
    assert_eq!(role(b"\xa3av01OBU"), Role::Frame);
    assert_eq!(role(b"\x92hvc1"), Role::Event);
    assert_eq!(role(b"\x94hvc1\x02"), Role::Metadata);
    assert_eq!(role(b"\xd4hvc1\x02"), Role::Metadata, "its frame type is to be ignored");
    assert_eq!(role(b"\x95av01\x02"), Role::Config);
    assert_eq!(role(b"\x98hvc1\x02"), Role::Frame, "reserved type");
}

#[test]
fn composition_time_stands_before_coded_frames_of_avc_hevc_and_vvc_alone() {
    for fourcc in [b"avc1", b"hvc1", b"vvc1"] {
        let body = [b"\xa1".as_slice(), fourcc, b"\x00\x00\x50NAL"].concat();
        let tag = parse(&body).unwrap();
        assert_eq!((tag.composition_time_ms, tag.data), (80, b"NAL".as_slice()));
        let body = [b"\xa3".as_slice(), fourcc, b"NAL"].concat();
        let tag = parse(&body).unwrap();
        assert_eq!((tag.composition_time_ms, tag.data), (0, b"NAL".as_slice()));
        assert_eq!(tag.packet_type, PacketType::CodedFramesX);
    }
    for fourcc in [b"av01", b"vp08", b"vp09", b"zzzz"] {
        let body = [b"\xa1".as_slice(), fourcc, b"\x00\x00\x50"].concat();
        assert_eq!(parse(&body).unwrap().data, b"\x00\x00\x50");
    }
}

#[test]
fn composition_time_is_signed() {
    let ms = |bytes: &[u8; 3]| {
        let body = [b"\x27\x01".as_slice(), bytes].concat();
        parse(&body).unwrap().composition_time_ms
    };
    assert_eq!(ms(b"\xff\xff\xd8"), -40);
    assert_eq!(ms(b"\x7f\xff\xff"), 8_388_607);
    assert_eq!(ms(b"\x80\x00\x00"), -8_388_608);
}

#[test]
fn composition_time_of_a_header_or_an_end_is_zero() {
    let header = parse(b"\x17\x00\x00\x00\x50\x01").unwrap();
    assert_eq!((header.composition_time_ms, header.data), (0, b"\x01".as_slice()));
    assert_eq!(parse(b"\x17\x02").unwrap().packet_type, PacketType::SequenceEnd);
}

#[test]
fn one_track_has_an_id_and_no_size() {
    let body = b"\x96\x00avc1\x05\x01\x02";
    assert_eq!(classify(body), (Role::Config, 5));
    let tag = parse(body).unwrap();
    assert_eq!(tag.multitrack, Some(Multitrack::OneTrack));
    assert_eq!((tag.codec, tag.track, tag.data), (VideoCodec::Avc, 5, b"\x01\x02".as_slice()));
}

#[test]
fn many_tracks_share_a_codec_and_have_sizes() {
    let body = b"\x96\x11hvc1\x02\x00\x00\x04\x00\x00\x28A\x03\x00\x00\x05\x00\x00\x00BC";
    assert_eq!(classify(body), (Role::Key, 2));
    let tracks: Vec<_> = tracks(body).collect();
    assert_eq!(tracks.len(), 2);
    assert_eq!(
        (tracks[0].track, tracks[0].data, tracks[0].composition_time_ms),
        (2, &b"A"[..], 40)
    );
    assert_eq!(
        (tracks[1].track, tracks[1].data, tracks[1].composition_time_ms),
        (3, &b"BC"[..], 0)
    );
    assert_eq!(tracks[1].multitrack, Some(Multitrack::ManyTracks));
}

#[test]
fn many_tracks_of_many_codecs_have_a_codec_each() {
    let body = b"\x96\x20avc1\x00\x00\x00\x01Aav01\x01\x00\x00\x02BC";
    assert_eq!(classify(body), (Role::Config, 0));
    let found: Vec<_> = tracks(body).map(|tag| (tag.codec, tag.track, tag.data)).collect();
    assert_eq!(found, [(VideoCodec::Avc, 0, &b"A"[..]), (VideoCodec::Av1, 1, &b"BC"[..])]);
}

#[test]
fn modifiers_stand_before_everything_else() {
    // ModEx with 5 ns, then Multitrack, OneTrack, CodedFramesX.
    let body = b"\x97\x02\x00\x00\x05\x06\x03vp09\x01XY";
    assert_eq!(classify(body), (Role::Key, 1));
    let tag = parse(body).unwrap();
    assert_eq!((tag.timestamp_offset_nanos, tag.track, tag.data), (5, 1, &b"XY"[..]));
    // ModEx, then a command.
    assert_eq!(role(b"\xd7\x00\x00\x01\x00"), Role::Event);
}

#[test]
fn what_is_cut_off_in_its_head_is_a_frame_and_not_parsed() {
    let bodies: [&[u8]; 4] =
        [b"\x91hvc", b"\x96\x11hvc1\x02\x00\x00\x09A", b"\x97\x05\x00", b"\x96\x20avc1"];
    for body in bodies {
        assert_eq!(classify(body), (Role::Frame, 0), "{body:?}");
        assert_eq!(parse(body), None, "{body:?}");
    }
    assert_eq!(parse(b"\x91hvc1\x00"), None, "cut off in its composition time");
}

proptest! {
    #[test]
    fn any_bytes_are_read_alike(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let (role, track) = classify(&body);
        if let Some(tag) = parse(&body) {
            prop_assert_eq!(tag.track, track);
            prop_assert_eq!(role == Role::Config, matches!(
                tag.packet_type,
                PacketType::SequenceStart | PacketType::Mpeg2TsSequenceStart
            ) && (tag.frame_type != FrameType::Command));
            prop_assert!(role != Role::Key || tag.frame_type.is_key());
        }
        prop_assert!(tracks(&body).count() <= body.len());
    }
}

#[test]
fn composition_time_is_changed_where_there_is_one() {
    let changed: [(&[u8], &[u8]); 5] = [
        (b"\x17\x01\x00\x00\x50NAL", b"\x17\x01\x00\x00\x28NAL"),
        (b"\x2c\x01\xff\xff\xffNAL", b"\x2c\x01\x00\x00\x28NAL"),
        (b"\x91hvc1\x00\x01\x00NAL", b"\x91hvc1\x00\x00\x28NAL"),
        (
            b"\x97\x02\x00\x00\x09\x01avc1\x00\x01\x00NAL",
            b"\x97\x02\x00\x00\x09\x01avc1\x00\x00\x28NAL",
        ),
        (b"\x96\x01avc1\x05\x00\x01\x00NAL", b"\x96\x01avc1\x05\x00\x00\x28NAL"),
    ];
    for (body, expected) in changed {
        assert_eq!(recomposed(body, 40).as_deref(), Some(expected), "{body:x?}");
    }
    let unchanged: [&[u8]; 8] = [
        b"",
        b"\x17\x00\x00\x00\x00\x01",
        b"\x17\x02\x00\x00\x00",
        b"\x17\x01\x00",
        b"\x12abc",
        b"\x57\x00\x00\x00\x00",
        b"\x93hvc1NAL",
        b"\x91av01OBU",
    ];
    for body in unchanged {
        assert_eq!(recomposed(body, 40), None, "{body:x?}");
    }
}

#[test]
fn a_head_that_ends_before_the_track_tells_nothing() {
    let one_track = b"\x96\x00avc1\x01\x01\x42";
    assert!(is_told_by(one_track) && is_told_by(&one_track[..7]));
    assert!(!is_told_by(&one_track[..6]), "the track is missing");
    assert!(!is_told_by(b"\x96\x10avc1\x01\x00\x00\x01\x42"), "several tracks");
    assert!(is_told_by(b"\x90avc1") && !is_told_by(b"\x90avc"));
}
