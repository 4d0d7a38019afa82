//! Whole sessions of real and usual clients: the same events and the same output however the bytes
//! are cut.

use bytes::Bytes;
use media::Kind;
use media::amf0::{self, Value};

use super::peer::{Peer, Run, handshake};
use super::recorded::{
    FFMPEG_PLAY, FFMPEG_PUBLISH, OBS_PUBLISH, RTMP2SINK_PUBLISH, RTMP2SRC_PLAY, RTMPDUMP_PLAY,
    RTMPSINK_PUBLISH,
};
use crate::command::Command;
use crate::message::Control;
use crate::server::{Event, PublishMode};

fn recorded(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let mut bytes = handshake();
    bytes.extend((0..hex.len()).step_by(2).map(digits));
    bytes
}

fn at_once(bytes: &[u8]) -> Run {
    let mut run = Run::new();
    run.feed(bytes).unwrap();
    run
}

/// Feeds `bytes` in pieces; `cut` gives the length of the next.
fn in_pieces(bytes: &[u8], mut cut: impl FnMut() -> usize) -> Run {
    let mut run = Run::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cut().clamp(1, rest.len()));
        run.feed(piece).unwrap();
        rest = after;
    }
    run
}

fn assert_same_however_it_is_cut(name: &str, bytes: &[u8]) -> Run {
    let whole = at_once(bytes);
    let mut seed = 1u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(seed >> 16).unwrap()
    };
    for round in 0..40 {
        let longest = [1, 2, 7, 100, 3_000][round % 5];
        let run = in_pieces(bytes, || 1 + random() % longest);
        assert_eq!(run.events, whole.events, "{name}");
        assert!(run.output == whole.output, "{name}: another output");
    }
    whole
}

fn media(events: &[Event]) -> Vec<(Kind, u32, &Bytes)> {
    let packet = |event| match event {
        &Event::Media { kind, timestamp, ref body, .. } => Some((kind, timestamp, body)),
        _ => None,
    };
    events.iter().filter_map(packet).collect()
}

fn names(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Connect { info, .. } => Some(format!("connect {} {:?}", info.app, info.query)),
        Event::Publish { stream, app, name, query, mode, .. } => {
            Some(format!("publish @{stream} {app} {name} {query:?} {mode:?}"))
        }
        Event::Play { stream, app, name, query, start_ms, duration_ms, .. } => {
            Some(format!("play @{stream} {app} {name} {query:?} {start_ms} {duration_ms}"))
        }
        Event::Media { .. } => None,
        other => Some(format!("{other:?}")),
    };
    events.iter().filter_map(line).collect()
}

const CONNECTED: [&str; 4] = [
    "WindowAckSize(2500000)",
    "SetPeerBandwidth { window: 2500000, limit: 2 }",
    "SetChunkSize(60000)",
    "_result 1 @0 NetConnection.Connect.Success",
];

fn assert_replies(run: &Run, expected: &[&str]) {
    let expected: Vec<&str> = CONNECTED.iter().chain(expected).copied().collect();
    assert_eq!(run.replies(), expected);
}

#[test]
fn ffmpeg_publishes() {
    let run = assert_same_however_it_is_cut("ffmpeg", &recorded(FFMPEG_PUBLISH));
    assert_eq!(
        names(&run.events),
        [
            "connect live None",
            "publish @1 live tiny Some(\"x=1\") Live",
            "PublishEnded { stream: 1 }"
        ]
    );
    assert_replies(
        &run,
        &[
            "_result 2 @0 Null",
            "_result 3 @0 Null",
            "onFCPublish 0 @0 NetStream.Publish.Start",
            "_result 4 @0 Number(1.0)",
            "User(StreamBegin(1))",
            "onStatus 0 @1 NetStream.Publish.Start",
            "onStatus 0 @1 NetStream.Unpublish.Success",
            "_result 6 @0 Null",
            "onFCUnpublish 0 @0 NetStream.Unpublish.Success",
        ],
    );
    let media = media(&run.events);
    assert!(media[0].2.starts_with(b"\x02\x00\x0aonMetaData"), "no @setDataFrame");
    let lengths: Vec<_> =
        media.iter().map(|(kind, time, body)| (*kind, *time, body.len())).collect();
    assert_eq!(lengths[..3], [(Kind::Data, 0, 293), (Kind::Video, 0, 49), (Kind::Audio, 0, 7)]);
    let videos = lengths.iter().filter(|(kind, ..)| *kind == Kind::Video);
    let times: Vec<u32> = videos.map(|(_, time, _)| *time).collect();
    assert_eq!(times, [0, 128, 228, 328, 428, 428]);
}

#[test]
fn rtmpsink_publishes_with_release_and_fcpublish_before_create_stream() {
    let run = assert_same_however_it_is_cut("rtmpsink", &recorded(RTMPSINK_PUBLISH));
    assert_eq!(
        names(&run.events),
        ["connect live None", "publish @1 live gst1 None Live", "PublishEnded { stream: 1 }"]
    );
    assert_eq!(
        run.replies()[4..7],
        ["_result 2 @0 Null", "_result 3 @0 Null", "onFCPublish 0 @0 NetStream.Publish.Start"]
    );
    let ffmpeg = at_once(&recorded(FFMPEG_PUBLISH));
    let audio = |events| -> Vec<Bytes> {
        let audio = media(events).into_iter().filter(|(kind, ..)| *kind == Kind::Audio);
        audio.map(|(_, _, body)| body.clone()).collect()
    };
    assert_eq!(audio(&run.events), audio(&ffmpeg.events), "both sent the same file");
}

#[test]
fn rtmp2sink_publishes_to_an_application_with_an_instance() {
    let run = assert_same_however_it_is_cut("rtmp2sink", &recorded(RTMP2SINK_PUBLISH));
    assert_eq!(
        names(&run.events),
        [
            "connect live/inst None",
            "publish @1 live/inst gst None Live",
            "PublishEnded { stream: 1 }"
        ]
    );
}

#[test]
fn ffmpeg_plays_with_get_stream_length() {
    let run = assert_same_however_it_is_cut("ffmpeg", &recorded(FFMPEG_PLAY));
    assert_eq!(
        names(&run.events),
        [
            "connect live/inst None",
            "play @1 live/inst key None -2000 -1",
            "PlayEnded { stream: 1 }"
        ]
    );
    assert_replies(
        &run,
        &[
            "_result 2 @0 Number(1.0)",
            "_result 3 @0 Number(0.0)",
            "User(StreamBegin(1))",
            "onStatus 0 @1 NetStream.Play.Start",
            "Data @1 0 String(\"|RtmpSampleAccess\")",
        ],
    );
}

#[test]
fn rtmpdump_plays_with_fcsubscribe() {
    let run = assert_same_however_it_is_cut("rtmpdump", &recorded(RTMPDUMP_PLAY));
    assert_eq!(
        names(&run.events),
        ["connect live None", "play @1 live c None -1000 -1", "PlayEnded { stream: 1 }"]
    );
    assert!(run.replies().contains(&"onFCSubscribe 0 @0 NetStream.Play.Start".to_owned()));
}

#[test]
fn rtmp2src_plays() {
    let run = assert_same_however_it_is_cut("rtmp2src", &recorded(RTMP2SRC_PLAY));
    assert_eq!(names(&run.events)[..2], ["connect live None", "play @1 live d None -2 -1"]);
}

#[test]
fn obs_publishes_a_key_with_slash_and_query() {
    let run = assert_same_however_it_is_cut("obs", &recorded(OBS_PUBLISH));
    let publish = "publish @1 live a/b Some(\"token=s/e\") Live";
    assert_eq!(names(&run.events), ["connect live None", publish]);
    let Event::Connect { info, .. } = &run.events[0] else { panic!("no connect") };
    assert_eq!(info.flash_ver, "FMLE/3.0 (compatible; FMSc/1.0)");
    let media = media(&run.events);
    let lengths: Vec<_> = media.iter().map(|(kind, _, body)| (*kind, body.len())).collect();
    let headers = [(Kind::Data, 394), (Kind::Audio, 7), (Kind::Video, 48)];
    assert_eq!(lengths[..3], headers);
    assert!(media[0].2.starts_with(b"\x02\x00\x0aonMetaData"));
}

/// As librtmp does it, with everything from `connect` to `deleteStream`.
#[test]
fn all_media_on_one_chunk_stream() {
    let mut peer = Peer::new();
    peer.control(Control::SetChunkSize(4096));
    let mut connect = Command::new("connect", 1.0, vec![]);
    connect.object = Value::Object(vec![
        ("app".to_owned(), "live".into()),
        ("type".to_owned(), "nonprivate".into()),
        ("flashVer".to_owned(), "FMLE/3.0 (compatible; FMSc/1.0)".into()),
        ("swfUrl".to_owned(), "rtmp://localhost/live".into()),
        ("tcUrl".to_owned(), "rtmp://localhost/live".into()),
        ("fourCcList".to_owned(), Value::StrictArray(vec!["av01".into(), "hvc1".into()])),
    ]);
    let key = || vec![Value::from("a/b?token=s/e")];
    peer.command(0, &connect)
        .call(0, "releaseStream", 2.0, key())
        .call(0, "FCPublish", 3.0, key())
        .call(0, "createStream", 4.0, vec![])
        .call(1, "publish", 5.0, vec!["a/b?token=s/e".into(), "live".into()]);
    let metadata = crate::message::set_data_frame(b"\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09");
    peer.message(4, 1, 18, 0, &metadata)
        .message(4, 1, 9, 0, &[0x17, 0, 0, 0, 0, 1])
        .message(4, 1, 8, 0, &[0xAF, 0, 0x12, 0x10])
        .message(4, 1, 9, 0, &vec![0x17; 10_000])
        .message(4, 1, 8, 21, &[0xAF, 1, 9])
        .message(4, 1, 9, 33, &[0x27, 1, 0, 0, 0]);
    peer.call(0, "FCUnpublish", 6.0, key()).call(0, "deleteStream", 7.0, vec![1.0.into()]);
    let run = assert_same_however_it_is_cut("librtmp", &peer.take());

    assert_eq!(
        names(&run.events),
        [
            "connect live None",
            "publish @1 live a/b Some(\"token=s/e\") Live",
            "PublishEnded { stream: 1 }"
        ]
    );
    let Event::Connect { info, .. } = &run.events[0] else { panic!("no connect") };
    assert_eq!(info.flash_ver, "FMLE/3.0 (compatible; FMSc/1.0)");
    assert_eq!(info.tc_url, "rtmp://localhost/live");
    let offered = Value::StrictArray(vec!["av01".into(), "hvc1".into()]);
    assert_eq!(info.object.property("fourCcList"), Some(&offered));
    let times: Vec<_> =
        media(&run.events).iter().map(|(_, time, body)| (*time, body.len())).collect();
    assert_eq!(times, [(0, 21), (0, 6), (0, 4), (0, 10_000), (21, 3), (33, 5)]);
}

#[test]
fn a_client_with_amf3_containers_publishes() {
    let mut connect = Command::new("connect", 1.0, vec![]);
    connect.object = Value::Object(vec![
        ("app".to_owned(), "live".into()),
        ("objectEncoding".to_owned(), 3.0.into()),
    ]);
    let contained = |command: &Command| [b"\0".as_slice(), &command.encode()].concat();
    let mut publish = contained(&Command::new("publish", 3.0, vec![]));
    publish.extend(b"\x11\x06\x09test"); // the name as an AMF3 string
    let mut data = b"\0".to_vec();
    amf0::encode_string("@setDataFrame", &mut data);
    amf0::encode_string("onMetaData", &mut data);
    data.extend(b"\x11\x0a\x0b\x01\x0bwidth\x04\x85\x00\x01");
    let mut peer = Peer::new();
    peer.command(0, &connect)
        .message(3, 0, 17, 0, &contained(&Command::new("createStream", 2.0, vec![])))
        .message(8, 1, 17, 0, &publish)
        .message(5, 1, 15, 40, &data)
        .message(3, 0, 17, 0, &contained(&Command::new("deleteStream", 0.0, vec![1.0.into()])));
    let run = assert_same_however_it_is_cut("amf3", &peer.take());

    let Event::Connect { info, .. } = &run.events[0] else { panic!("no connect") };
    assert_eq!(info.object_encoding, 3);
    let Event::Publish { name, mode: PublishMode::Live, .. } = &run.events[1] else {
        panic!("no publish")
    };
    assert_eq!(name, "test");
    let Event::Media { kind: Kind::Data, timestamp: 40, body, .. } = &run.events[2] else {
        panic!("no data")
    };
    let values = amf0::decode_all(body, &amf0::Limits::default()).unwrap();
    assert_eq!(values[0], "onMetaData".into());
    assert_eq!(values[1].property("width"), Some(&640.0.into()));
    assert_eq!(run.events[3], Event::PublishEnded { stream: 1 });
    assert_eq!(run.replies()[3], "_result 1 @0 NetConnection.Connect.Success");
}

#[test]
fn an_aggregate_is_many_events_with_times_of_its_own_clock() {
    let mut body = Vec::new();
    for (kind, time, payload) in
        [(9, 500, b"\x17\x01"), (8, 510, b"\xAF\x01"), (9, 533, b"\x27\x01")]
    {
        body.extend([kind, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0]);
        let [_, t1, t2, t3] = u32::to_be_bytes(time);
        let at = body.len() - 7;
        body[at..at + 3].copy_from_slice(&[t1, t2, t3]);
        body.extend(payload);
        body.extend([0, 0, 0, 13]);
    }
    let mut peer = Peer::publishing();
    peer.message(6, 1, 22, 9_000, &body).video(9_066, b"\x27\x01");
    let run = assert_same_however_it_is_cut("aggregate", &peer.take());
    let times: Vec<_> = media(&run.events).iter().map(|(kind, time, _)| (*kind, *time)).collect();
    let expected =
        [(Kind::Video, 9_000), (Kind::Audio, 9_010), (Kind::Video, 9_033), (Kind::Video, 9_066)];
    assert_eq!(times, expected);
}
