//! Every accepted publish and play ends exactly once, however it ends.

use media::amf0::Value;

use super::peer::{Peer, Run};
use crate::message::Control;
use crate::server::{CloseCode, Event};

fn ends(run: &Run) -> Vec<&Event> {
    let is_end =
        |event: &&Event| matches!(event, Event::PublishEnded { .. } | Event::PlayEnded { .. });
    run.events.iter().filter(is_end).collect()
}

/// One way to end: a call, or the connection's end.
fn end(run: &mut Run, peer: &mut Peer, way: u8) {
    match way {
        0 => {
            peer.call(0, "FCUnpublish", 6.0, vec!["test?x=1".into()]);
        }
        1 => {
            peer.call(1, "closeStream", 0.0, vec![]);
        }
        2 => {
            peer.call(0, "deleteStream", 7.0, vec![1.0.into()]);
        }
        3 => {
            peer.call(1, "publish", 8.0, vec![false.into()]);
        }
        4 => run.session.handle_eof(),
        _ => run.session.close_stream(1, CloseCode::Stopped, "Stopped."),
    }
    run.feed(&peer.take()).unwrap();
}

#[test]
fn any_three_ways_to_end_a_publish_end_it_once() {
    for ways in 0..6u8.pow(3) {
        let (mut run, mut peer) = Run::of(Peer::publishing());
        for way in [ways % 6, ways / 6 % 6, ways / 36] {
            end(&mut run, &mut peer, way);
        }
        assert_eq!(ends(&run), [&Event::PublishEnded { stream: 1 }], "{ways}");
    }
}

#[test]
fn any_two_ways_to_end_a_play_end_it_once() {
    for (first, second) in [(1, 1), (1, 2), (1, 4), (2, 2), (2, 4), (4, 4), (4, 2), (5, 2), (5, 5)]
    {
        let (mut run, mut peer) = Run::of(Peer::playing());
        end(&mut run, &mut peer, first);
        end(&mut run, &mut peer, second);
        assert_eq!(ends(&run), [&Event::PlayEnded { stream: 1 }], "{first} {second}");
    }
}

#[test]
fn an_error_ends_what_is_in_use_and_is_told_once() {
    let (mut run, mut peer) = Run::of(Peer::publishing());
    peer.video(0, b"\x17").message(2, 0, 1, 0, &[0, 0, 0, 0]);
    assert!(run.feed(&peer.take()).is_err());
    assert!(matches!(run.events[..], [Event::Media { .. }, Event::PublishEnded { stream: 1 }]));
    assert!(run.session.should_close());
    assert_eq!(run.session.next_timeout(), None);
    run.session.handle_eof();
    run.feed(b"more").unwrap();
    assert_eq!(ends(&run).len(), 1);
}

#[test]
fn media_behind_the_end_is_ignored() {
    for way in [0, 1, 2, 3, 5] {
        let (mut run, mut peer) = Run::of(Peer::publishing());
        end(&mut run, &mut peer, way);
        peer.video(0, b"\x17\x01");
        run.feed(&peer.take()).unwrap();
        assert_eq!(run.events.len(), 1, "{way}");
        assert_eq!(run.session.ignored_messages(), 1);
    }
}

#[test]
fn a_closed_stream_can_be_used_again_and_a_deleted_one_cannot() {
    let (mut run, mut peer) = Run::of(Peer::publishing());
    end(&mut run, &mut peer, 1);
    peer.call(1, "publish", 4.0, vec!["again".into()]);
    run.feed(&peer.take()).unwrap();
    assert!(matches!(&run.events[1], Event::Publish { stream: 1, name, .. } if name == "again"));

    end(&mut run, &mut peer, 2);
    let before = run.replies().len();
    peer.call(1, "publish", 4.0, vec!["third".into()]);
    run.feed(&peer.take()).unwrap();
    assert_eq!(run.replies_from(before), ["onStatus 0 @1 NetStream.Publish.Failed"]);
}

#[test]
fn delete_stream_ends_only_the_stream_it_names() {
    let (mut run, mut peer) = Run::of(Peer::publishing());
    peer.call(0, "createStream", 4.0, vec![]).call(2, "publish", 5.0, vec!["other".into()]);
    for id in [0.0, 3.0, -1.0, 1.5, f64::NAN, 1e300] {
        peer.call(0, "deleteStream", 0.0, vec![id.into()]);
    }
    peer.call(0, "deleteStream", 0.0, vec![Value::Null]).call(0, "deleteStream", 0.0, vec![]);
    peer.call(0, "FCUnpublish", 0.0, vec!["nobody".into()]);
    peer.call(0, "deleteStream", 0.0, vec![2.0.into()]);
    peer.message(6, 1, 9, 0, b"\x17").message(6, 2, 9, 0, b"\x17");
    run.feed(&peer.take()).unwrap();
    assert_eq!(ends(&run), [&Event::PublishEnded { stream: 2 }]);
    assert!(matches!(run.events.last(), Some(Event::Media { stream: 1, .. })));
}

#[test]
fn a_request_that_waits_when_the_client_leaves_is_forgotten() {
    let mut run = Run::new();
    let mut peer = Peer::publishing();
    let bytes = peer.take();
    run.session.handle_input(run.now, &bytes).unwrap();
    let Some(Event::Connect { request, .. }) = run.session.poll_event() else {
        panic!("no connect")
    };
    run.session.handle_eof();
    run.session.accept(request);
    assert_eq!(run.session.poll_event(), None);
    assert!(run.session.should_close());
}

#[test]
fn an_answer_counts_once_and_only_for_the_request_that_waits() {
    let mut run = Run::new();
    let mut peer = Peer::ready();
    run.session.handle_input(run.now, &peer.take()).unwrap();
    let Some(Event::Connect { request: connect, .. }) = run.session.poll_event() else {
        panic!("no connect")
    };
    run.session.accept(connect);
    run.drain();
    peer.call(1, "publish", 3.0, vec!["test".into()]);
    run.session.handle_input(run.now, &peer.take()).unwrap();
    run.session.accept(connect);
    run.session.reject(connect, crate::server::RejectCode::Failed, "");
    assert!(!run.session.should_close());
    peer.control(Control::WindowAckSize(9)).video(5, b"\x17");
    run.session.handle_input(run.now, &peer.take()).unwrap();
    run.drain();
    assert!(matches!(run.events[..], [Event::Publish { .. }, Event::Media { timestamp: 5, .. }]));
}
