//! What each call is answered, the wrong ones above all.

use media::amf0::Value;
use proptest::prelude::*;

use super::peer::{Peer, Run};
use crate::command::Command;
use crate::message::{Control, UserControl};
use crate::server::{Event, PublishMode, RejectCode};

/// The replies to what `calls` adds behind a finished `connect` and `createStream`.
fn replies_to(calls: impl FnOnce(&mut Peer)) -> Vec<String> {
    let (mut run, mut peer) = Run::of(Peer::ready());
    let before = run.replies().len();
    calls(&mut peer);
    run.feed(&peer.take()).unwrap();
    run.replies_from(before)
}

#[test]
fn unknown_calls_fail_when_they_want_an_answer_and_are_silent_when_not() {
    let replies = replies_to(|peer| {
        peer.call(0, "frobnicate", 7.0, vec![])
            .call(0, "frobnicate", 0.0, vec![])
            .call(1, "frobnicate", 8.5, vec![Value::Null])
            .call(0, "_result", 9.0, vec![])
            .call(0, "_error", 9.0, vec![])
            .call(0, "onStatus", 9.0, vec![])
            .call(0, "connect", 10.0, vec![]);
    });
    let code = "@0 NetConnection.Call.Failed";
    assert_eq!(
        replies,
        [format!("_error 7 {code}"), format!("_error 8.5 {code}"), format!("_error 10 {code}")]
    );
}

#[test]
fn calls_without_an_effect_get_a_result_with_their_own_id() {
    for name in ["releaseStream", "_checkbw", "setPlaylist", "set_playlist"] {
        let replies = replies_to(|peer| {
            peer.call(0, name, 2.25, vec!["x".into()]).call(0, name, 0.0, vec![]);
        });
        assert_eq!(replies, ["_result 2.25 @0 Null"], "{name}");
    }
    let replies = replies_to(|peer| {
        peer.call(0, "getStreamLength", 5.0, vec!["x".into()]);
    });
    assert_eq!(replies, ["_result 5 @0 Number(0.0)"]);
}

#[test]
fn fc_calls_get_a_result_and_a_callback_even_without_an_id() {
    for (name, callback, code) in [
        ("FCPublish", "onFCPublish", "NetStream.Publish.Start"),
        ("FCUnpublish", "onFCUnpublish", "NetStream.Unpublish.Success"),
        ("FCSubscribe", "onFCSubscribe", "NetStream.Play.Start"),
        ("FCUnsubscribe", "onFCUnsubscribe", "NetStream.Play.Stop"),
    ] {
        let notice = format!("{callback} 0 @0 {code}");
        let replies = replies_to(|peer| {
            peer.call(0, name, 3.0, vec!["x".into()]).call(0, name, 0.0, vec![]);
        });
        assert_eq!(replies, ["_result 3 @0 Null", &notice, &notice]);
    }
}

#[test]
fn calls_before_connect_fail_and_connect_still_works() {
    let mut peer = Peer::new();
    peer.call(0, "createStream", 4.0, vec![]).call(1, "publish", 0.0, vec!["x".into()]);
    peer.video(0, b"\x17").connect("live");
    let mut run = Run::new();
    run.feed(&peer.take()).unwrap();
    let replies = run.replies();
    assert_eq!(replies[0], "_error 4 @0 NetConnection.Call.Failed");
    assert_eq!(replies[4], "_result 1 @0 NetConnection.Connect.Success");
    assert!(matches!(run.events[..], [Event::Connect { .. }]));
}

#[test]
fn streams_get_different_ids_that_are_never_0() {
    let replies = replies_to(|peer| {
        peer.call(0, "createStream", 3.0, vec![])
            .call(0, "deleteStream", 0.0, vec![2.0.into()])
            .call(0, "createStream", 4.0, vec![]);
    });
    assert_eq!(replies, ["_result 3 @0 Number(2.0)", "_result 4 @0 Number(3.0)"]);
}

#[test]
fn a_publish_that_cannot_be_is_refused_by_status_and_asks_nobody() {
    let live = || Value::from("live");
    let cases: [(u32, Vec<Value>, &str); 9] = [
        (0, vec!["x".into(), live()], "NetStream.Publish.Failed"),
        (2, vec!["x".into(), live()], "NetStream.Publish.Failed"),
        (u32::MAX, vec!["x".into()], "NetStream.Publish.Failed"),
        (1, vec![], "NetStream.Publish.BadName"),
        (1, vec![Value::Null, live()], "NetStream.Publish.BadName"),
        (1, vec![5.0.into(), live()], "NetStream.Publish.BadName"),
        (1, vec![true.into()], "NetStream.Publish.BadName"),
        (1, vec![Value::Object(vec![])], "NetStream.Publish.BadName"),
        (1, vec!["x".repeat(4_097).into()], "NetStream.Publish.BadName"),
    ];
    for (stream, arguments, code) in cases {
        let (mut run, mut peer) = Run::of(Peer::ready());
        let before = run.replies().len();
        peer.call(stream, "publish", 3.0, arguments.clone());
        run.feed(&peer.take()).unwrap();
        assert_eq!(
            run.replies_from(before),
            [format!("onStatus 0 @{stream} {code}")],
            "{arguments:?}"
        );
        assert_eq!(run.events, [], "{arguments:?}");
    }
}

#[test]
fn a_second_publish_on_a_stream_is_refused_and_the_first_unharmed() {
    let (mut run, mut peer) = Run::of(Peer::publishing());
    let before = run.replies().len();
    peer.call(1, "publish", 0.0, vec!["second".into()])
        .call(1, "play", 0.0, vec!["second".into()])
        .video(1, b"\x17");
    run.feed(&peer.take()).unwrap();
    let refused = ["onStatus 0 @1 NetStream.Publish.Failed", "onStatus 0 @1 NetStream.Play.Failed"];
    assert_eq!(run.replies_from(before), refused);
    assert!(matches!(run.events[..], [Event::Media { stream: 1, .. }]));
}

#[test]
fn publish_and_play_on_one_connection() {
    let (mut run, mut peer) = Run::of(Peer::publishing());
    peer.call(0, "createStream", 4.0, vec![]).call(2, "play", 0.0, vec!["test".into()]);
    run.feed(&peer.take()).unwrap();
    assert!(matches!(run.events[..], [Event::Play { stream: 2, .. }]));
}

#[test]
fn every_kind_of_publish_starts() {
    let kinds = [
        (Value::from("live"), PublishMode::Live),
        ("record".into(), PublishMode::Record),
        ("append".into(), PublishMode::Append),
        ("whatever".into(), PublishMode::Live),
        (Value::Null, PublishMode::Live),
    ];
    for (kind, expected) in kinds {
        let (mut run, mut peer) = Run::of(Peer::ready());
        peer.call(1, "publish", 3.0, vec!["x".into(), kind]);
        run.feed(&peer.take()).unwrap();
        assert!(matches!(run.events[..], [Event::Publish { mode, .. }] if mode == expected));
        assert_eq!(run.replies().last().unwrap(), "onStatus 0 @1 NetStream.Publish.Start");
    }
}

#[test]
fn refused_requests_are_told_by_status_and_may_be_repeated() {
    for (code, publish, play) in [
        (RejectCode::BadName, "Publish.BadName", "Play.StreamNotFound"),
        (RejectCode::Unauthorized, "Publish.Denied", "Play.Failed"),
        (RejectCode::NotFound, "Publish.Failed", "Play.StreamNotFound"),
        (RejectCode::Failed, "Publish.Failed", "Play.Failed"),
    ] {
        let (mut run, mut peer) = Run::of(Peer::ready());
        let before = run.replies().len();
        run.reject = Some(code);
        peer.call(1, "publish", 3.0, vec!["x".into()]).video(0, b"\x17");
        peer.call(1, "play", 0.0, vec!["x".into()]);
        run.feed(&peer.take()).unwrap();
        let replies = [
            format!("onStatus 0 @1 NetStream.{publish}"),
            format!("onStatus 0 @1 NetStream.{play}"),
        ];
        assert_eq!(run.replies_from(before), replies);
        assert!(!run.session.should_close());
        run.reject = None;
        peer.call(1, "publish", 4.0, vec!["x".into()]);
        run.feed(&peer.take()).unwrap();
        assert_eq!(run.replies().last().unwrap(), "onStatus 0 @1 NetStream.Publish.Start");
    }
}

#[test]
fn a_refused_connect_is_told_and_closes() {
    for (code, expected) in [
        (RejectCode::Unauthorized, "Rejected"),
        (RejectCode::Failed, "Rejected"),
        (RejectCode::NotFound, "InvalidApp"),
        (RejectCode::BadName, "InvalidApp"),
    ] {
        let mut run = Run::new();
        run.session.handle_input(run.now, &Peer::publishing().take()).unwrap();
        let Some(Event::Connect { request, .. }) = run.session.poll_event() else { panic!() };
        run.session.reject(request, code, "[ authmod=adobe ]");
        run.drain();
        assert_eq!(run.replies(), [format!("_error 1 @0 NetConnection.Connect.{expected}")]);
        assert!(!String::from_utf8_lossy(&run.output).contains("authmod="));
        assert!(run.session.should_close());
        assert_eq!(run.events, []);
        assert_eq!(run.session.next_timeout(), None);
    }
}

#[test]
fn an_application_may_be_absent_have_a_query_or_be_of_another_type() {
    let connect = |object: Value| {
        let mut connect = Command::new("connect", 1.0, vec![]);
        connect.object = object;
        let mut peer = Peer::new();
        peer.command(0, &connect);
        let mut run = Run::new();
        run.feed(&peer.take()).unwrap();
        let Event::Connect { info, .. } = run.events.remove(0) else { panic!() };
        (info.app, info.query, info.object_encoding)
    };
    let app = |app: Value| Value::Object(vec![("app".to_owned(), app)]);
    assert_eq!(connect(Value::Null), (String::new(), None, 0));
    assert_eq!(connect(Value::Object(vec![])), (String::new(), None, 0));
    assert_eq!(connect(app(5.0.into())), (String::new(), None, 0));
    assert_eq!(connect(app("/live/".into())), ("/live/".to_owned(), None, 0));
    let with_query = ("live".to_owned(), Some("token=x?y".to_owned()), 0);
    assert_eq!(connect(app("live?token=x?y".into())), with_query);
    let encoding = Value::EcmaArray(vec![("objectEncoding".to_owned(), 3.0.into())]);
    assert_eq!(connect(encoding), (String::new(), None, 3));
}

#[test]
fn names_are_not_decoded_and_lose_only_their_query() {
    for name in ["", ".", "..%2f", "a b", "ünï", "\0\n", "/a//b/", "-x"] {
        let (mut run, mut peer) = Run::of(Peer::ready());
        peer.call(1, "publish", 3.0, vec![format!("{name}?t=1").into()]);
        run.feed(&peer.take()).unwrap();
        let Event::Publish { name: got, query, .. } = &run.events[0] else { panic!() };
        assert_eq!((got.as_str(), query.as_deref()), (name, Some("t=1")));
    }
}

#[test]
fn pings_are_answered_and_other_control_is_taken_quietly() {
    let replies = replies_to(|peer| {
        peer.control(Control::User(UserControl::PingRequest(0xDEAD_BEEF)))
            .control(Control::User(UserControl::PingResponse(1)))
            .control(Control::User(UserControl::SetBufferLength { stream: 1, length_ms: 1 }))
            .control(Control::Acknowledgement(5))
            .control(Control::WindowAckSize(0))
            .control(Control::SetPeerBandwidth { window: 0, limit: 9 })
            .control(Control::Abort(77))
            .message(2, 0, 4, 0, b"")
            .message(2, 0, 4, 0, b"\0\x06\0")
            .message(3, 0, 20, 0, b"")
            .message(3, 0, 20, 0, b"\x05")
            .message(3, 0, 17, 0, b"\0")
            .message(7, 1, 99, 0, b"what")
            .message(7, 1, 22, 0, b"short");
    });
    assert_eq!(replies, [format!("User(PingResponse({}))", 0xDEAD_BEEF_u32)]);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(Value::Undefined),
        any::<f64>().prop_map(Value::Number),
        (0..5i32).prop_map(|n| Value::Number(n.into())),
        any::<bool>().prop_map(Value::Boolean),
        "[a-z?/=]{0,6}".prop_map(Value::String),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::StrictArray),
            proptest::collection::vec(("[a-zA-Z]{1,10}", inner), 0..3).prop_map(Value::Object),
        ]
    })
}

const NAMES: [&str; 23] = [
    "connect",
    "releaseStream",
    "FCPublish",
    "createStream",
    "publish",
    "FCUnpublish",
    "deleteStream",
    "closeStream",
    "play",
    "play2",
    "pause",
    "pauseRaw",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "getStreamLength",
    "FCSubscribe",
    "FCUnsubscribe",
    "_checkbw",
    "setPlaylist",
    "_result",
    "onStatus",
    "anything",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is called with whatever arguments in whatever order: no panic, no error, and the
    /// accounts are right.
    #[test]
    fn no_row_of_calls_ends_the_session(
        calls in proptest::collection::vec(
            (0..NAMES.len(), 0u32..4, proptest::collection::vec(value(), 0..4)), 0..40),
    ) {
        let (mut run, mut peer) = Run::of(Peer::ready());
        for (name, stream, arguments) in calls {
            peer.call(stream, NAMES[name], 1.0, arguments).message(6, stream, 9, 0, b"\x17");
        }
        run.feed(&peer.take()).unwrap();
        run.session.handle_eof();
        run.drain();
        let events = &run.events;
        let count = |kind: fn(&Event) -> bool| events.iter().filter(|event| kind(event)).count();
        prop_assert_eq!(
            count(|event| matches!(event, Event::Publish { .. })),
            count(|event| matches!(event, Event::PublishEnded { .. }))
        );
        prop_assert_eq!(
            count(|event| matches!(event, Event::Play { .. })),
            count(|event| matches!(event, Event::PlayEnded { .. }))
        );
    }

    /// Messages of every type with any body: an error at worst.
    #[test]
    fn no_message_panics(
        messages in proptest::collection::vec(
            (2u32..9, 0u32..3, prop_oneof![0u8..24, Just(20), Just(17)],
             proptest::collection::vec(any::<u8>(), 0..60)), 0..20),
    ) {
        let (mut run, mut peer) = Run::of(Peer::publishing());
        for (csid, msid, kind, body) in messages {
            peer.message(csid, msid, kind, 0, &body);
        }
        let _ = run.feed(&peer.take());
        run.session.handle_eof();
        run.drain();
    }

    /// A real session with some bytes changed: an error at worst.
    #[test]
    fn no_mutation_of_a_session_panics(
        changes in proptest::collection::vec((0usize..2_000, any::<u8>()), 1..6),
    ) {
        let mut peer = Peer::publishing();
        peer.video(0, b"\x17\x01").call(0, "FCUnpublish", 4.0, vec!["test".into()]);
        let mut bytes = peer.take();
        let body = bytes.len() - super::peer::HANDSHAKE;
        for (at, value) in changes {
            bytes[super::peer::HANDSHAKE + at % body] = value;
        }
        let mut run = Run::new();
        let _ = run.feed(&bytes);
        run.session.handle_eof();
        run.drain();
    }
}
