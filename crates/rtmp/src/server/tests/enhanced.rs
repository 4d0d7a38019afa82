//! Enhanced RTMP v2: capabilities and the request to reconnect, as bytes.

use std::time::Duration;

use media::amf0::Value;
use proptest::prelude::*;

use super::peer::{Peer, Run, dump};
use crate::Limits;
use crate::capabilities::{Capabilities, caps_ex};
use crate::chunk::ChunkReader;
use crate::command::Command;
use crate::message::Content;
use crate::server::Event;

/// A client that says `properties` with its `connect`.
fn connecting(properties: Vec<(&str, Value)>) -> Peer {
    let mut peer = Peer::new();
    let mut connect = Command::new("connect", 1.0, vec![]);
    let properties = properties.into_iter().map(|(name, value)| (name.to_owned(), value));
    let app = ("app".to_owned(), Value::from("live"));
    connect.object = Value::Object(std::iter::once(app).chain(properties).collect());
    peer.command(0, &connect);
    peer
}

fn offered(run: &Run) -> &Capabilities {
    match &run.events[..] {
        [Event::Connect { info, .. }, ..] => &info.capabilities,
        other => panic!("{other:?}"),
    }
}

/// The commands that were sent, with their chunk and message streams.
fn commands(output: &[u8]) -> Vec<(u32, Command)> {
    let limits = Limits::default();
    let mut reader = ChunkReader::new(&limits);
    let mut input = &output[super::peer::HANDSHAKE..];
    let mut found = Vec::new();
    while let Some(message) = reader.read(&mut input).unwrap() {
        let stream = message.message_stream_id;
        match Content::of(message, &limits.amf).unwrap() {
            Content::Command(body) => {
                found.push((stream, Command::decode(&body, &limits.amf).unwrap().unwrap()));
            }
            Content::Control(crate::message::Control::SetChunkSize(size)) => {
                reader.set_chunk_size(size).unwrap();
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_answer_to_connect_says_that_everything_is_passed_on() {
    let mut run = Run::new();
    run.feed(&connecting(vec![]).take()).unwrap();
    let commands = commands(&run.output);
    let [(0, result)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((result.name.as_str(), result.transaction_id), ("_result", 1.0));
    let info = result.argument(0);
    assert_eq!(info.property("fourCcList"), Some(&Value::StrictArray(vec!["*".into()])));
    for name in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
        let any = Value::Object(vec![("*".to_owned(), 4.0.into())]);
        assert_eq!(info.property(name), Some(&any), "CanForward");
    }
    assert_eq!(info.property("capsEx"), Some(&15.0.into()));
}

#[test]
fn what_ffmpeg_offers_with_rtmp_enhanced_codecs_is_read() {
    // `-rtmp_enhanced_codecs hvc1,av01,vp09` of FFmpeg 9.
    let list = Value::StrictArray(vec!["hvc1".into(), "av01".into(), "vp09".into()]);
    let mut run = Run::new();
    run.feed(&connecting(vec![("fourCcList", list)]).take()).unwrap();
    assert_eq!(offered(&run).fourcc_list, ["hvc1", "av01", "vp09"]);
    assert_eq!(run.session.capabilities(), offered(&run));
}

#[test]
fn an_offer_of_nothing_or_of_nonsense_connects_all_the_same() {
    let deep = (0..20).fold(Value::Null, |inner, _| Value::StrictArray(vec![inner]));
    for value in [Value::Null, Value::Undefined, (-1.0).into(), "x".into(), deep] {
        let names = ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"];
        let properties = names.map(|name| (name, value.clone())).to_vec();
        let mut run = Run::new();
        run.feed(&connecting(properties).take()).unwrap();
        assert_eq!(offered(&run).caps_ex, 0);
        let lines = run.replies();
        let last = lines.last().unwrap();
        assert_eq!(last, "_result 1 @0 NetConnection.Connect.Success");
    }
}

#[test]
fn a_reconnect_request_is_a_status_of_the_connection() {
    let mut run = Run::new();
    run.feed(&connecting(vec![("capsEx", 1.0.into())]).take()).unwrap();
    run.output.truncate(super::peer::HANDSHAKE);
    // The chunk size was told before.
    assert!(run.session.request_reconnect(Some("/realtimeapp"), Some("Updates. authmod=x")));
    assert!(run.session.request_reconnect(None, None));
    run.drain();
    let limits = Limits::default();
    let mut reader = ChunkReader::new(&limits);
    reader.set_chunk_size(60_000).unwrap();
    let mut input = &run.output[super::peer::HANDSHAKE..];
    let mut next = || {
        let message = reader.read(&mut input).unwrap().unwrap();
        assert_eq!((message.message_type, message.message_stream_id), (20, 0));
        Command::decode(&message.body, &limits.amf).unwrap().unwrap()
    };
    let full = next();
    assert_eq!((full.name.as_str(), full.transaction_id), ("onStatus", 0.0));
    assert_eq!(full.object, Value::Null);
    let text = |name: &str, value: &str| (name.to_owned(), Value::from(value));
    let required =
        || vec![text("level", "status"), text("code", "NetConnection.Connect.ReconnectRequest")];
    let mut info = required();
    info.extend([text("description", "Updates. authmod x"), text("tcUrl", "/realtimeapp")]);
    assert_eq!(full.arguments, [Value::Object(info)]);
    assert_eq!(next().arguments, [Value::Object(required())], "the optional ones are left out");
}

#[test]
fn only_clients_that_follow_it_get_a_reconnect_request() {
    for (caps, asked) in [(0.0, false), (2.0, false), (14.0, false), (1.0, true), (255.0, true)] {
        let mut run = Run::new();
        let mut peer = connecting(vec![("capsEx", caps.into())]);
        let bytes = peer.take();
        run.session.handle_input(run.now, &bytes).unwrap();
        assert!(!run.session.request_reconnect(None, None), "not before it is connected");
        run.drain();
        let before = run.replies().len();
        assert_eq!(run.session.request_reconnect(None, None), asked, "{caps}");
        run.drain();
        assert_eq!(run.replies_from(before).len(), usize::from(asked));
        run.session.handle_eof();
        assert!(!run.session.request_reconnect(None, None), "it is gone");
    }
}

#[test]
fn a_publisher_that_was_asked_to_reconnect_is_served_until_it_leaves() {
    let mut run = Run::new();
    let mut peer = connecting(vec![("capsEx", f64::from(caps_ex::RECONNECT).into())]);
    peer.call(0, "createStream", 2.0, vec![]).call(1, "publish", 3.0, vec!["test".into()]);
    run.feed(&peer.take()).unwrap();
    run.events.clear();
    assert!(run.session.request_reconnect(None, None));
    run.pass(Duration::from_secs(3_600)).unwrap();
    peer.video(40, b"\x17\x01").call(0, "deleteStream", 0.0, vec![1.0.into()]);
    run.feed(&peer.take()).unwrap();
    let expected = [
        Event::Media {
            stream: 1,
            chunk_stream_id: 6,
            kind: media::Kind::Video,
            timestamp: 40,
            body: bytes::Bytes::from_static(b"\x17\x01"),
        },
        Event::PublishEnded { stream: 1 },
    ];
    assert_eq!(run.events, expected);
    assert!(dump(&run.output).iter().any(|line| line.contains("ReconnectRequest")));
}

/// Any value, as deep as a few levels.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<f64>().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        "[a-z0-9*]{0,5}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        any::<f64>().prop_map(Value::Date),
    ];
    leaf.prop_recursive(3, 32, 6, |inner| {
        let named = prop::collection::vec(("[a-z0-9*]{0,5}", inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
            named.clone().prop_map(Value::Object),
            named.prop_map(Value::EcmaArray),
        ]
    })
}

proptest! {
    #[test]
    fn any_offer_connects(values in prop::collection::vec(value(), 5)) {
        let names =
            ["fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx", "videoFunction"];
        let properties = names.into_iter().zip(values).collect();
        let mut run = Run::new();
        run.feed(&connecting(properties).take()).unwrap();
        let told = Value::Object(offered(&run).properties());
        let again = Capabilities { video_function: 0, ..offered(&run).clone() };
        prop_assert_eq!(Capabilities::of(&told), again);
    }
}
