//! What players are sent, and what they can ask for.

use bytes::Bytes;
use media::amf0::Value;
use media::{Chunks, Kind, Packet};

use super::peer::{Peer, Run};
use crate::server::{CloseCode, Event};

fn packet(kind: Kind, dts_ms: i64, body: &'static [u8]) -> Packet {
    Packet::new(kind, dts_ms, Bytes::from_static(body))
}

fn key(dts_ms: i64) -> Packet {
    packet(Kind::Video, dts_ms, b"\x17\x01\0\0\0k")
}

fn inter(dts_ms: i64) -> Packet {
    packet(Kind::Video, dts_ms, b"\x27\x01\0\0\0")
}

fn audio(dts_ms: i64) -> Packet {
    packet(Kind::Audio, dts_ms, b"\xAF\x01a")
}

fn config() -> Packet {
    packet(Kind::Video, 0, b"\x17\0\0\0\0cc")
}

/// A player of `live/test` on stream 1, and how much it was sent to get there.
fn player() -> (Run, Peer, usize) {
    let (run, peer) = Run::of(Peer::playing());
    let before = run.replies().len();
    (run, peer, before)
}

#[test]
fn play_is_answered_with_stream_begin_first_and_reset_when_asked() {
    for (reset, told) in [
        (Value::Boolean(true), true),
        (1.0.into(), true),
        (false.into(), false),
        (0.0.into(), false),
    ] {
        let (mut run, mut peer) = Run::of(Peer::ready());
        let before = run.replies().len();
        let arguments = vec!["test?t=1".into(), 5_000.0.into(), 1_000.0.into(), reset];
        peer.call(1, "play", 4.0, arguments);
        run.feed(&peer.take()).unwrap();
        let Event::Play { stream: 1, app, name, query, start_ms, duration_ms, .. } = &run.events[0]
        else {
            panic!("no play")
        };
        assert_eq!((app.as_str(), name.as_str(), query.as_deref()), ("live", "test", Some("t=1")));
        assert_eq!((*start_ms, *duration_ms), (5_000.0, 1_000.0));
        let mut expected = vec!["User(StreamBegin(1))"];
        expected.extend(told.then_some("onStatus 0 @1 NetStream.Play.Reset"));
        expected.push("onStatus 0 @1 NetStream.Play.Start");
        expected.push("Data @1 0 String(\"|RtmpSampleAccess\")");
        assert_eq!(run.replies_from(before), expected);
    }
}

/// Grants what is asked for; the replies since then, all of which one take of the output has to give.
fn replies_at_once(run: &mut Run, peer: &mut Peer, then: impl FnOnce(&mut Run)) -> Vec<String> {
    let before = run.replies().len();
    run.session.handle_input(run.now, &peer.take()).unwrap();
    let Some(Event::Connect { request, .. } | Event::Play { request, .. }) =
        run.session.poll_event()
    else {
        panic!("nothing is asked for")
    };
    run.session.accept(request);
    then(run);
    let [first, second] = [(); 2].map(|()| {
        let mut out = Chunks::new();
        run.session.take_output(&mut out);
        out.to_vec()
    });
    assert_eq!(second, []);
    run.output.extend(first);
    run.replies_from(before)
}

#[test]
fn answers_to_connect_and_to_play_with_the_headers_come_out_together() {
    let (mut run, mut peer) = (Run::new(), Peer::new());
    peer.connect("live");
    let replies = replies_at_once(&mut run, &mut peer, |_| {});
    let expected = [
        "WindowAckSize(2500000)",
        "SetPeerBandwidth { window: 2500000, limit: 2 }",
        "SetChunkSize(60000)",
        "_result 1 @0 NetConnection.Connect.Success",
    ];
    assert_eq!(replies, expected);

    peer.call(0, "createStream", 2.0, vec![]).call(1, "play", 0.0, vec!["test".into()]);
    let replies = replies_at_once(&mut run, &mut peer, |run| {
        run.session.begin(1);
        let headers = [packet(Kind::Data, 0, b"\x02\0\x0aonMetaData\x05"), config()];
        assert!(headers.iter().chain([&key(40), &audio(43)]).all(|one| run.session.send(1, one)));
    });
    let expected = [
        "_result 2 @0 Number(1.0)",
        "User(StreamBegin(1))",
        "onStatus 0 @1 NetStream.Play.Start",
        "Data @1 0 String(\"|RtmpSampleAccess\")",
        "User(StreamBegin(1))",
        "onStatus 0 @1 NetStream.Play.PublishNotify",
        "Data @1 0 String(\"onMetaData\")",
        "Video @1 0 7",
        "Video @1 40 6",
        "Audio @1 43 3",
    ];
    assert_eq!(replies, expected);
}

#[test]
fn media_keeps_its_times_across_24_and_32_bits() {
    let (mut run, _, before) = player();
    let times = [0, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0xFFFF_FFFE, 0x1_0000_0005];
    for time in times {
        assert!(run.session.send(1, &key(time)));
        assert!(run.session.send(1, &audio(time)));
    }
    run.drain();
    let mut expected = Vec::new();
    for time in [0, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0xFFFF_FFFE_u32, 5] {
        expected.extend([format!("Video @1 {time} 6"), format!("Audio @1 {time} 3")]);
    }
    assert_eq!(run.replies_from(before), expected);
}

#[test]
fn begin_and_end_are_told_twice_over() {
    let (mut run, _, before) = player();
    run.session.begin(1);
    run.session.end(1);
    run.drain();
    let expected = [
        "User(StreamBegin(1))",
        "onStatus 0 @1 NetStream.Play.PublishNotify",
        "User(StreamEof(1))",
        "onStatus 0 @1 NetStream.Play.UnpublishNotify",
    ];
    assert_eq!(run.replies_from(before), expected);
}

#[test]
fn nothing_is_sent_to_what_is_not_a_player() {
    let (mut run, _) = Run::of(Peer::publishing());
    let before = run.replies().len();
    for stream in [0, 1, 2] {
        assert!(!run.session.send(stream, &key(0)));
        run.session.begin(stream);
        run.session.end(stream);
        run.session.wait_for_key(stream);
    }
    run.session.close_stream(9, CloseCode::Failed, "");
    run.drain();
    assert_eq!(run.replies_from(before), Vec::<String>::new());
}

#[test]
fn a_paused_player_gets_headers_only_and_goes_on_at_a_key_frame() {
    for name in ["pause", "pauseRaw"] {
        let (mut run, mut peer, before) = player();
        peer.call(1, name, 0.0, vec![true.into(), 40.0.into()]);
        run.feed(&peer.take()).unwrap();
        assert_eq!(run.events, [Event::Pause { stream: 1, paused: true }]);
        assert!(!run.session.send(1, &key(0)));
        assert!(!run.session.send(1, &audio(0)));
        assert!(run.session.send(1, &config()));
        peer.call(1, name, 0.0, vec![false.into(), 40.0.into()]);
        run.feed(&peer.take()).unwrap();
        assert!(!run.session.send(1, &inter(10)));
        assert!(run.session.send(1, &audio(11)));
        assert!(run.session.send(1, &key(20)));
        assert!(run.session.send(1, &inter(30)));
        run.drain();
        let expected = [
            "onStatus 0 @1 NetStream.Pause.Notify",
            "Video @1 0 7",
            "onStatus 0 @1 NetStream.Unpause.Notify",
            "Audio @1 11 3",
            "Video @1 20 6",
            "Video @1 30 5",
        ];
        assert_eq!(run.replies_from(before), expected);
    }
}

#[test]
fn a_player_may_leave_out_audio_or_video() {
    let (mut run, mut peer, before) = player();
    peer.call(1, "receiveAudio", 0.0, vec![false.into()]);
    run.feed(&peer.take()).unwrap();
    assert!(!run.session.send(1, &audio(0)));
    assert!(run.session.send(1, &inter(0)));
    peer.call(1, "receiveVideo", 0.0, vec![false.into()]);
    peer.call(1, "receiveAudio", 0.0, vec![true.into()]);
    run.feed(&peer.take()).unwrap();
    assert!(run.session.send(1, &audio(1)));
    assert!(!run.session.send(1, &key(1)), "a key frame that is not wanted starts nothing");
    peer.call(1, "receiveVideo", 0.0, vec![true.into()]);
    run.feed(&peer.take()).unwrap();
    assert!(!run.session.send(1, &inter(2)));
    assert!(run.session.send(1, &key(3)));
    assert!(run.session.send(1, &inter(4)));
    run.drain();
    let going_on = ["onStatus 0 @1 NetStream.Seek.Notify", "onStatus 0 @1 NetStream.Play.Start"];
    let replies = run.replies_from(before);
    assert_eq!(replies[1..3], going_on);
    assert_eq!(replies[4..6], going_on);
}

#[test]
fn the_shell_can_ask_for_a_key_frame() {
    let (mut run, _, _) = player();
    run.session.wait_for_key(1);
    assert!(!run.session.send(1, &inter(0)));
    assert!(run.session.send(1, &key(0)));
}

#[test]
fn a_seek_succeeds_and_goes_on_at_a_key_frame() {
    let (mut run, mut peer, before) = player();
    peer.call(1, "seek", 0.0, vec![9_000.0.into()]);
    run.feed(&peer.take()).unwrap();
    assert_eq!(run.events, [Event::Seek { stream: 1, position_ms: 9_000.0 }]);
    assert_eq!(run.replies_from(before), ["onStatus 0 @1 NetStream.Seek.Notify"]);
    assert!(!run.session.send(1, &inter(0)));
}

#[test]
fn play_on_a_stream_that_plays_and_play2_switch_to_another_name() {
    let (mut run, mut peer, _) = player();
    peer.call(1, "play", 0.0, vec!["second".into()]);
    let options = Value::Object(vec![("streamName".to_owned(), "third".into())]);
    peer.call(1, "play2", 0.0, vec![options]);
    run.feed(&peer.take()).unwrap();
    let [Event::PlayEnded { stream: 1 }, second, Event::PlayEnded { stream: 1 }, third] =
        &run.events[..]
    else {
        panic!("{:?}", run.events)
    };
    assert!(matches!(second, Event::Play { name, .. } if name == "second"));
    assert!(matches!(third, Event::Play { name, start_ms: -2.0, .. } if name == "third"));
}

#[test]
fn a_play_that_cannot_be_is_refused_by_status() {
    let no_name = "NetStream.Play.StreamNotFound";
    let no_stream = "NetStream.Play.Failed";
    for (stream, name, arguments, code) in [
        (0, "play", vec![Value::from("x")], no_stream),
        (7, "play", vec!["x".into()], no_stream),
        (1, "play", vec![], no_name),
        (1, "play", vec![Value::Null], no_name),
        (1, "play2", vec![], no_name),
        (1, "play2", vec![Value::Object(vec![])], no_name),
    ] {
        let (mut run, mut peer) = Run::of(Peer::ready());
        let before = run.replies().len();
        peer.call(stream, name, 3.0, arguments);
        run.feed(&peer.take()).unwrap();
        assert_eq!(run.replies_from(before), [format!("onStatus 0 @{stream} {code}")]);
        assert_eq!(run.events, []);
    }
}

#[test]
fn calls_of_players_on_a_stream_that_plays_nothing_do_nothing() {
    let (mut run, mut peer) = Run::of(Peer::ready());
    let before = run.replies().len();
    for name in ["pause", "pauseRaw", "seek", "receiveAudio", "receiveVideo"] {
        peer.call(1, name, 0.0, vec![true.into()]).call(0, name, 0.0, vec![]);
    }
    run.feed(&peer.take()).unwrap();
    assert_eq!((run.events.len(), run.replies_from(before).len()), (0, 0));
}

#[test]
fn a_stream_that_the_server_closes_is_told_why() {
    for (code, publish, play) in [
        (CloseCode::Stopped, "Unpublish.Success", "Play.Stop"),
        (CloseCode::Idle, "Publish.Idle", "Play.Stop"),
        (CloseCode::TooSlow, "Publish.Failed", "Play.InsufficientBW"),
        (CloseCode::Failed, "Publish.Failed", "Play.Failed"),
    ] {
        let (mut run, _) = Run::of(Peer::publishing());
        run.session.close_stream(1, code, "Because.");
        run.drain();
        assert_eq!(run.replies().last().unwrap(), &format!("onStatus 0 @1 NetStream.{publish}"));
        let (mut run, _, before) = player();
        run.session.close_stream(1, code, "Because.");
        run.drain();
        let expected = ["User(StreamEof(1))".to_owned(), format!("onStatus 0 @1 NetStream.{play}")];
        assert_eq!(run.replies_from(before), expected);
        assert!(!run.session.send(1, &key(0)));
    }
}

#[test]
fn output_is_moved_when_there_is_room_and_appended_when_not() {
    let (mut run, _, _) = player();
    static LARGE: [u8; 1_000] = [0x17; 1_000];
    let mut out = media::Chunks::new();
    run.session.send(1, &packet(Kind::Video, 0, &LARGE));
    run.session.take_output(&mut out);
    let first = out.to_vec();
    assert_eq!(run.session.output_len(), 0);
    run.session.send(1, &packet(Kind::Video, 1, &LARGE));
    let length = run.session.output_len();
    run.session.take_output(&mut out);
    assert_eq!(out.len(), first.len() + length);
    assert_eq!(out.to_vec()[..first.len()], first);
}

#[test]
fn each_video_track_begins_at_a_key_frame_of_its_own() {
    let (mut run, mut peer, _) = player();
    let track = |body| packet(Kind::Video, 0, body);
    let (key_1, frame_1) = (b"\x96\x03hvc1\x01k", b"\xa6\x03hvc1\x01f");
    let mut sent = |packet: Packet| run.session.send(1, &packet);
    assert!(sent(config()) && sent(track(b"\x96\x00hvc1\x01c")) && sent(key(0)));
    assert!(!sent(track(frame_1)), "its key frame was before the player came");
    assert!(sent(inter(40)) && sent(track(key_1)) && sent(track(frame_1)));
    run.session.wait_for_key(1);
    let mut sent = |packet: Packet| run.session.send(1, &packet);
    assert!(sent(key(80)) && !sent(track(frame_1)) && sent(track(key_1)) && sent(track(frame_1)));
    peer.call(1, "pause", 0.0, vec![true.into(), 0.0.into()]);
    run.feed(&peer.take()).unwrap();
    assert!(!run.session.send(1, &track(key_1)), "what is not wanted opens nothing");
    peer.call(1, "pause", 0.0, vec![false.into(), 0.0.into()]);
    run.feed(&peer.take()).unwrap();
    assert!(!run.session.send(1, &track(frame_1)));
}

#[test]
fn what_a_feed_writes_is_what_the_session_would_have_sent() {
    let packets = [key(0), audio(5), inter(40), config(), audio(45), inter(80), key(120)];
    let (mut alone, _, before) = player();
    let (mut fed, _, _) = player();
    for from in 0..packets.len() {
        for packet in &packets {
            alone.session.send(1, packet);
        }
        // In turns: the session, the feed, the session.
        let (first, rest) = packets.split_at(from);
        let (second, third) = rest.split_at(rest.len() / 2);
        first.iter().for_each(|packet| assert!(fed.session.send(1, packet)));
        fed.drain();
        let mut feed = fed.session.feed(1).unwrap();
        let mut out = media::Chunks::new();
        second.iter().for_each(|packet| assert!(feed.send(packet, &mut out)));
        fed.output.extend(out.to_vec());
        fed.session.take_back(&feed);
        third.iter().for_each(|packet| assert!(fed.session.send(1, packet)));
    }
    alone.drain();
    fed.drain();
    assert_eq!(alone.replies_from(before), fed.replies_from(before));
}

#[test]
fn feeds_are_alike_when_the_same_went_through_them() {
    let feed = |packets: &[Packet]| {
        let (mut run, _, _) = player();
        packets.iter().for_each(|packet| assert!(run.session.send(1, packet)));
        run.drain();
        run.session.feed(1).unwrap()
    };
    let mut one = feed(&[config(), key(0), inter(40)]);
    let other = feed(&[config(), key(80)]);
    assert!(one.is_like(&other));
    // Another picture, which not all of them have had a key frame of.
    let second = packet(Kind::Video, 80, b"\x96\x01avc1\x01\0\0\0k");
    assert!(one.send(&second, &mut media::Chunks::new()));
    assert!(!one.is_like(&other));
}

#[test]
fn a_player_that_does_not_want_all_or_waits_for_an_answer_has_no_feed() {
    let (mut run, mut peer, _) = player();
    assert!(run.session.feed(1).is_some());
    assert!(run.session.feed(2).is_none(), "nobody plays there");
    for (off, on) in [("receiveAudio", "receiveAudio"), ("receiveVideo", "receiveVideo")] {
        peer.call(1, off, 0.0, vec![false.into()]);
        run.feed(&peer.take()).unwrap();
        assert!(run.session.feed(1).is_none(), "{off}");
        peer.call(1, on, 0.0, vec![true.into()]);
        run.feed(&peer.take()).unwrap();
        assert!(run.session.feed(1).is_some(), "{on}");
    }
    run.session.begin(1);
    assert!(run.session.feed(1).is_none(), "there is something to send");
    run.drain();
    assert!(run.session.feed(1).is_some());
}
