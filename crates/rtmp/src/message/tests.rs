use bytes::Bytes;
use media::Kind;
use media::amf0::{self, Value};
use proptest::prelude::*;

use super::*;

fn message(message_type: u8, timestamp: u32, body: &[u8]) -> Message {
    Message {
        chunk_stream_id: 6,
        message_stream_id: 1,
        message_type,
        timestamp,
        body: Bytes::copy_from_slice(body),
    }
}

fn content(message_type: u8, body: &[u8]) -> Content {
    Content::of(message(message_type, 0, body), &amf0::Limits::default()).unwrap()
}

fn tag(kind: u8, time: u32, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    let [t0, t1, t2, t3] = time.to_be_bytes();
    let mut tag = vec![kind, size[1], size[2], size[3], t1, t2, t3, t0, 0, 0, 0];
    tag.extend_from_slice(body);
    tag.extend_from_slice(&u32::try_from(11 + body.len()).unwrap().to_be_bytes());
    tag
}

fn aggregate(timestamp: u32, body: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    Aggregate::new(message(22, timestamp, body))
        .map(|m| (m.message_type, m.timestamp, m.body.to_vec()))
        .collect()
}

#[test]
fn control_messages_have_the_bytes_of_the_specification() {
    let golden: [(Control, u8, &[u8]); 13] = [
        (Control::SetChunkSize(60_000), 1, &[0, 0, 0xEA, 0x60]),
        (Control::Abort(6), 2, &[0, 0, 0, 6]),
        (Control::Acknowledgement(0xFFFF_FFFE), 3, &[0xFF, 0xFF, 0xFF, 0xFE]),
        (Control::WindowAckSize(2_500_000), 5, &[0, 0x26, 0x25, 0xA0]),
        (Control::SetPeerBandwidth { window: 1, limit: 2 }, 6, &[0, 0, 0, 1, 2]),
        (Control::User(UserControl::StreamBegin(1)), 4, &[0, 0, 0, 0, 0, 1]),
        (Control::User(UserControl::StreamEof(1)), 4, &[0, 1, 0, 0, 0, 1]),
        (Control::User(UserControl::StreamDry(1)), 4, &[0, 2, 0, 0, 0, 1]),
        (
            Control::User(UserControl::SetBufferLength { stream: 1, length_ms: 3000 }),
            4,
            &[0, 3, 0, 0, 0, 1, 0, 0, 0x0B, 0xB8],
        ),
        (Control::User(UserControl::StreamIsRecorded(1)), 4, &[0, 4, 0, 0, 0, 1]),
        (Control::User(UserControl::PingRequest(0x0102_0304)), 4, &[0, 6, 1, 2, 3, 4]),
        (Control::User(UserControl::PingResponse(0x0102_0304)), 4, &[0, 7, 1, 2, 3, 4]),
        (Control::SetPeerBandwidth { window: 1, limit: 0 }, 6, &[0, 0, 0, 1, 0]),
    ];
    for (control, message_type, body) in golden {
        assert_eq!(control.encode(), body, "{control:?}");
        assert_eq!(control.message_type(), message_type);
        assert_eq!(Control::decode(message_type, body), Ok(Some(control)));
    }
}

#[test]
fn control_bodies_cut_short_are_ignored_or_refused_by_what_they_are() {
    for len in 0..4 {
        let body = &[0; 4][..len];
        for message_type in [3, 5, 6] {
            assert_eq!(Control::decode(message_type, body), Ok(None));
        }
        for message_type in [1, 2] {
            let error = Control::decode(message_type, body).unwrap_err();
            let expected = "4 bytes";
            assert_eq!(error, Protocol::Body { message_type, expected, got: len });
        }
    }
    assert_eq!(
        Control::decode(6, &[0, 0, 0, 9]),
        Ok(Some(Control::SetPeerBandwidth { window: 9, limit: 2 }))
    );
    for event in 0..8 {
        let needed = if event == 3 { 10 } else { 6 };
        for len in 0..needed {
            let body = &[0, event, 0, 0, 0, 0, 0, 0, 0, 0][..len];
            assert_eq!(UserControl::decode(body), None, "event {event}, {len} bytes");
        }
    }
}

#[test]
fn unknown_user_control_events_types_and_shared_objects_are_ignored() {
    for event in [5, 8, 26, 31, 32, 0xFF] {
        assert_eq!(content(4, &[0, event, 0, 0, 0, 0, 0, 0]), Content::Ignored);
    }
    for message_type in [0, 7, 10, 11, 12, 13, 14, 16, 19, 21, 23, 99, 255] {
        assert_eq!(content(message_type, b"\x02\x00\x01x"), Content::Ignored);
    }
}

#[test]
fn empty_audio_and_video_are_messages_and_empty_data_is_not() {
    for (message_type, kind) in [(8, Kind::Audio), (9, Kind::Video)] {
        assert_eq!(content(message_type, b""), Content::Media { kind, body: Bytes::new() });
    }
    assert_eq!(content(18, b""), Content::Ignored);
    assert_eq!(content(15, b"\0"), Content::Ignored);
}

#[test]
fn set_data_frame_is_stripped_and_the_rest_is_not_touched() {
    // The array claims no entries, and the number is a NaN with a payload: neither is rewritten.
    let metadata = b"\x02\x00\x0aonMetaData\x08\0\0\0\0\0\x01a\0\x7f\xf8\0\0\0\0\0\x07\0\0\x09";
    let sent = set_data_frame(metadata);
    assert_eq!(sent[..16], *b"\x02\x00\x0d@setDataFrame");
    let media = Content::Media { kind: Kind::Data, body: Bytes::from_static(metadata) };
    assert_eq!(content(18, &sent), media);
    assert_eq!(content(18, metadata), media);
    assert_eq!(content(15, &[b"\0".as_slice(), &sent].concat()), media);
    assert_eq!(content(15, &sent), media, "a container without its format byte");
}

#[test]
fn clear_data_frame_and_a_set_data_frame_with_nothing_behind_are_not_relayed() {
    assert_eq!(content(18, b"\x02\x00\x0f@clearDataFrame\x02\x00\x0aonMetaData"), Content::Ignored);
    assert_eq!(content(18, &set_data_frame(b"")), Content::Ignored);
}

#[test]
fn cue_points_and_unreadable_amf0_data_are_relayed_as_they_are() {
    for body in [b"\x02\x00\x0aonCuePoint\x05".as_slice(), b"\xff\xff"] {
        let body = Bytes::from_static(body);
        assert_eq!(content(18, &body), Content::Media { kind: Kind::Data, body });
    }
}

#[test]
fn amf3_values_in_a_data_container_become_amf0() {
    // AMF3: object marker, inline dynamic traits without class name, "width" = integer 640, end.
    let object = b"\x11\x0a\x0b\x01\x0bwidth\x04\x85\x00\x01";
    let mut body = b"\0\x02\x00\x0aonMetaData".to_vec();
    body.extend_from_slice(object);
    let Content::Media { kind: Kind::Data, body } = content(15, &body) else { panic!("no data") };
    assert!(!body.contains(&0x11));
    let values = amf0::decode_all(&body, &amf0::Limits::default()).unwrap();
    assert_eq!(values[0], "onMetaData".into());
    assert_eq!(values[1].property("width"), Some(&Value::Number(640.0)));
    assert_eq!(content(15, b"\0\x11\x0a"), Content::Ignored, "AMF3 cut short");
}

#[test]
fn command_containers_lose_their_format_byte() {
    let body = b"\x02\x00\x04ping";
    let bare = Content::Command(Bytes::from_static(body));
    assert_eq!(content(20, body), bare);
    assert_eq!(content(17, &[b"\0".as_slice(), body].concat()), bare);
    assert_eq!(content(17, body), bare);
    assert_eq!(content(17, b""), Content::Command(Bytes::new()));
}

#[test]
fn an_aggregate_is_split_and_its_times_begin_at_its_own() {
    let body = [tag(8, 1_000, b"a"), tag(9, 1_040, b"vv"), tag(18, 990, b""), tag(8, 1_063, b"b")]
        .concat();
    let expected = vec![
        (8, 70_000, b"a".to_vec()),
        (9, 70_040, b"vv".to_vec()),
        (18, 69_990, vec![]),
        (8, 70_063, b"b".to_vec()),
    ];
    assert_eq!(aggregate(70_000, &body), expected);
    let without_last_back_pointer = &body[..body.len() - 4];
    assert_eq!(aggregate(70_000, without_last_back_pointer), expected);
}

#[test]
fn aggregate_times_wrap_at_32_bits_and_use_the_extension_byte() {
    let body = [tag(9, 0x0100_0000, b"a"), tag(9, 0x0100_0021, b"b")].concat();
    let expected = vec![(9, u32::MAX - 0x10, b"a".to_vec()), (9, 0x10, b"b".to_vec())];
    assert_eq!(aggregate(u32::MAX - 0x10, &body), expected);
}

#[test]
fn a_torn_aggregate_gives_what_is_whole_and_a_nested_one_nothing() {
    let whole = [tag(8, 0, b"first"), tag(8, 5, b"second")].concat();
    for len in 0..whole.len() {
        let count = aggregate(0, &whole[..len]).len();
        let expected = usize::from(len >= 16) + usize::from(len >= 20 + 17);
        assert_eq!(count, expected, "{len} bytes");
    }
    let nested = [tag(22, 0, &whole), tag(8, 7, b"x")].concat();
    assert_eq!(aggregate(0, &nested), vec![(8, 7, b"x".to_vec())]);
}

#[test]
fn reserved_bits_of_a_tag_type_are_no_part_of_the_message_type() {
    assert_eq!(aggregate(0, &tag(0x80 | 9, 0, b"v")), vec![(9, 0, b"v".to_vec())]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_body_of_any_type_panics(
        message_type in prop_oneof![0u8..24, any::<u8>()],
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let limits = amf0::Limits::default();
        let content = Content::of(message(message_type, 9, &body), &limits);
        if let Ok(Content::Aggregate(parts)) = content {
            let held: usize = parts.map(|part| part.body.len() + 11).sum();
            prop_assert!(held <= body.len());
        }
    }
}
