//! Every bound of a session, reached.

use std::time::Duration;

use super::peer::{HANDSHAKE, Peer, Run, handshake, start};
use crate::command::Command;
use crate::message::Control;
use crate::server::{Event, ServerConfig, ServerSession};
use crate::{Error, Limits, Stage};

fn limit(result: Result<(), Error>) -> &'static str {
    match result {
        Err(Error::Limit { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_silent_peer_times_out_in_every_stage() {
    let limits = Limits::default();
    let second = Duration::from_secs(1);
    let mut run = Run::new();
    run.pass(limits.handshake_timeout - second).unwrap();
    assert_eq!(run.pass(second), Err(Error::Timeout(Stage::Handshake)));

    let mut run = Run::new();
    run.pass(Duration::from_secs(9)).unwrap();
    run.feed(&handshake()).unwrap();
    run.pass(limits.connect_timeout - second).unwrap();
    assert_eq!(run.pass(second), Err(Error::Timeout(Stage::Connect)));

    let (mut run, mut peer) = Run::of(Peer::ready());
    run.pass(limits.command_timeout - second).unwrap();
    peer.call(0, "_checkbw", 5.0, vec![]);
    run.feed(&peer.take()).unwrap();
    assert_eq!(run.pass(second), Err(Error::Timeout(Stage::Command)), "chatter does not help");
}

#[test]
fn a_handshake_byte_by_byte_does_not_last_longer() {
    let mut run = Run::new();
    for byte in &handshake()[..9] {
        run.pass(Duration::from_secs(1)).unwrap();
        run.feed(&[*byte]).unwrap();
    }
    assert_eq!(run.pass(Duration::from_secs(1)), Err(Error::Timeout(Stage::Handshake)));
}

#[test]
fn publishers_and_players_have_no_time_limit_and_get_a_new_one_when_they_stop() {
    for mut peer in [Peer::publishing(), Peer::playing()] {
        let mut run = Run::new();
        run.feed(&peer.take()).unwrap();
        run.pass(Duration::from_secs(1_000_000)).unwrap();
        assert_eq!(run.session.next_timeout(), None);
        peer.call(1, "closeStream", 0.0, vec![]);
        run.feed(&peer.take()).unwrap();
        run.pass(Duration::from_secs(29)).unwrap();
        assert_eq!(run.pass(Duration::from_secs(1)), Err(Error::Timeout(Stage::Command)));
    }
}

#[test]
fn the_time_that_the_shell_takes_is_not_the_clients() {
    let mut run = Run::new();
    run.session.handle_input(run.now, &Peer::ready().take()).unwrap();
    run.pass(Duration::from_secs(1_000)).unwrap();
    run.drain();
    run.pass(Duration::from_secs(29)).unwrap();
    assert_eq!(run.pass(Duration::from_secs(1)), Err(Error::Timeout(Stage::Command)));
}

#[test]
fn last_input_is_when_bytes_came() {
    let mut run = Run::new();
    let began = run.now;
    run.pass(Duration::from_secs(5)).unwrap();
    run.feed(b"").unwrap();
    assert_eq!(run.session.last_input(), began);
    run.feed(&[3]).unwrap();
    assert_eq!(run.session.last_input(), began + Duration::from_secs(5));
}

#[test]
fn messages_are_short_until_a_publish_is_accepted() {
    let long = vec![0x17; 65_537];
    let (mut run, mut peer) = Run::of(Peer::ready());
    peer.video(0, &long);
    assert_eq!(limit(run.feed(&peer.take())), "bytes in a message");

    let (mut run, mut peer) = Run::of(Peer::publishing());
    peer.video(0, &long);
    run.feed(&peer.take()).unwrap();
    assert!(matches!(&run.events[..], [Event::Media { body, .. }] if body.len() == 65_537));
}

#[test]
fn streams_of_a_connection_are_counted() {
    let (mut run, mut peer) = Run::of(Peer::ready());
    for id in 0..32 {
        peer.call(0, "createStream", f64::from(id), vec![]);
    }
    run.feed(&peer.take()).unwrap();
    assert_eq!(run.replies().last().unwrap(), "_error 31 @0 NetConnection.Call.Failed");
    peer.call(0, "deleteStream", 0.0, vec![1.0.into()]).call(0, "createStream", 40.0, vec![]);
    run.feed(&peer.take()).unwrap();
    assert_eq!(run.replies().last().unwrap(), "_result 40 @0 Number(33.0)");
}

#[test]
fn calls_before_connect_are_counted() {
    let mut peer = Peer::new();
    for _ in 0..32 {
        peer.call(0, "hello", 0.0, vec![]);
    }
    let mut run = Run::new();
    run.feed(&peer.take()).unwrap();
    peer.call(0, "hello", 0.0, vec![]);
    assert!(matches!(run.feed(&peer.take()), Err(Error::Protocol(_))));
}

#[test]
fn an_application_with_too_long_a_name_is_refused() {
    let mut peer = Peer::new();
    peer.connect(&"a".repeat(4_097));
    let mut run = Run::new();
    run.feed(&peer.take()).unwrap();
    assert_eq!(run.replies(), ["_error 1 @0 NetConnection.Connect.InvalidApp"]);
    assert!(run.session.should_close());
    assert_eq!(run.events, []);
}

#[test]
fn events_wait_for_room_and_none_is_lost() {
    let mut run = Run::with(Limits { events: 4, ..Limits::default() });
    let mut peer = Peer::publishing();
    for time in 0..20 {
        peer.video(time, b"\x27\x01");
    }
    let mut tag = vec![9, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x27, 0, 0, 0, 12];
    tag = tag.repeat(9);
    peer.message(6, 1, 22, 20, &tag);
    run.feed(&peer.take()).unwrap();
    let times = run.events.iter().filter_map(|event| match event {
        Event::Media { timestamp, .. } => Some(*timestamp),
        _ => None,
    });
    assert_eq!(times.collect::<Vec<_>>(), (0..20).chain([20; 9]).collect::<Vec<_>>());

    // Until the shell takes them, no more than the limit are there.
    run.session
        .handle_input(run.now, &{
            for time in 0..20 {
                peer.video(time, b"\x27\x01");
            }
            peer.take()
        })
        .unwrap();
    assert_eq!(run.session.next_timeout(), None, "full: nothing to do before the shell takes some");
    assert!(run.session.poll_event().is_some());
}

#[test]
fn what_is_kept_while_a_request_waits_is_bounded() {
    let now = start();
    let mut session = ServerSession::new(ServerConfig::default(), &[0; 1528], now);
    session.handle_input(now, &Peer::ready().take()).unwrap();
    let piece = vec![0; 1 << 19];
    session.handle_input(now, &piece).unwrap();
    session.handle_input(now, &piece).unwrap();
    let what = limit(session.handle_input(now, &piece));
    assert_eq!(what, "bytes kept while a request or an event waits");
}

#[test]
fn answers_that_are_not_taken_are_bounded() {
    let now = start();
    let limits = Limits { answer_bytes: 4_096, ..Limits::default() };
    let config = ServerConfig { limits, ..ServerConfig::default() };
    let mut session = ServerSession::new(config, &[0; 1528], now);
    session.handle_input(now, &Peer::new().take()).unwrap();
    let mut ping = Peer::new();
    ping.take();
    let mut fed = 0;
    let what = loop {
        ping.message(2, 0, 4, 0, &[0, 6, 0, 0, 0, 0]);
        match session.handle_input(now, &ping.take()) {
            Ok(()) => fed += 1,
            error => break limit(error),
        }
        assert!(fed < 1_000);
    };
    assert_eq!(what, "bytes of answers that were not read");
    assert!(fed > 200, "{fed}");
    assert!(session.output_len() < HANDSHAKE + 4_200);
}

#[test]
fn a_fault_behind_a_request_is_told_by_the_next_call() {
    let mut run = Run::new();
    let mut peer = Peer::new();
    peer.connect("live").message(2, 0, 1, 0, &[0, 0, 0, 0]);
    run.feed(&peer.take()).unwrap();
    assert!(matches!(run.events[..], [Event::Connect { .. }]));
    assert!(run.session.next_timeout().is_some_and(|at| at <= run.now));
    assert!(matches!(run.session.handle_timeout(run.now), Err(Error::Protocol(_))));
    assert_eq!(run.session.next_timeout(), None);
}

#[test]
fn amf_beyond_its_limits_ends_the_session() {
    let mut connect = Command::new("connect", 1.0, vec![]).encode().to_vec();
    connect.pop();
    for _ in 0..200 {
        connect.extend(b"\x03\x00\x01a");
    }
    let mut peer = Peer::new();
    peer.message(3, 0, 20, 0, &connect);
    assert!(matches!(Run::new().feed(&peer.take()), Err(Error::Amf(_))));
}

#[test]
fn the_peers_window_is_acknowledged_by_halves_and_counts_the_handshake() {
    let (mut run, mut peer) = Run::of(Peer::publishing());
    let before = run.replies().len();
    peer.control(Control::WindowAckSize(20_000));
    let mut sent = Peer::publishing().take().len();
    let mut told = Vec::new();
    for time in 0..60 {
        peer.video(time, &[0x27; 1_000]);
        let bytes = peer.take();
        sent += bytes.len();
        run.feed(&bytes).unwrap();
        let acknowledged = run.replies_from(before).len();
        if acknowledged > told.len() {
            told.push(format!("Acknowledgement({sent})"));
        }
    }
    assert_eq!(run.replies_from(before), told);
    assert!((5..=6).contains(&told.len()), "{told:?}");
}

#[test]
fn the_server_version_is_told() {
    let config =
        ServerConfig { server_version: "rtmp-server/9.9".to_owned(), ..ServerConfig::default() };
    let mut run = Run::with_config(config);
    run.feed(&Peer::ready().take()).unwrap();
    let text = String::from_utf8_lossy(&run.output).into_owned();
    for needle in ["rtmp-server/9.9", "fmsVer", "capabilities", "objectEncoding"] {
        assert!(text.contains(needle), "{needle}");
    }
}
