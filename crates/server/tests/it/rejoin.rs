//! A publisher that is lost and comes back: the same recording in another file, or another one.

use media::{Kind, Packet};
use testkit::{Publisher, Server, block_on};

use crate::record::parts::{assert_one_recording, assert_verified, frames_of, is_complete, parts};
use crate::record::{file_of, packets, publish, recorded, small, wait_until};
use crate::support::recording;

/// Publishes, and resets the connection when all is in the file: a reset takes with it what the
/// server has not read.
fn publish_and_break(server: &Server, sent: &[Packet]) {
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(sent).await.unwrap();
        let media = sent.iter().filter(|packet| packet.kind != Kind::Data).count();
        let file = file_of(server, "live/test");
        wait_until("all that was sent is in the file", || recorded(&file) == media);
        publisher.abort().unwrap();
    });
    server.wait_for_log("publish ended", &[("stream_key", "live/test")]);
}

fn halves() -> [Vec<Packet>; 2] {
    let mut first = packets(1, small(), 400);
    // As of an encoder that begins anew: its configuration and a key frame first.
    let at = (200..).find(|at| first[*at].role == media::Role::Key).unwrap();
    let second = first.split_off(at);
    let opening = first[..3].iter().cloned();
    [first.clone(), opening.chain(second).collect()]
}

#[test]
fn a_publisher_that_returns_in_time_continues_its_recording() {
    let mut server = recording().args(["-record-rejoin", "10m"]).start();
    let [first, second] = halves();
    publish_and_break(&server, &first);
    // The file of the first run is finished at once and needs nobody to come back.
    let file = file_of(&server, "live/test");
    wait_until("the first file is finished", || is_complete(&file));
    block_on(publish(&server, "live/test", &second));
    server.wait_for_log("recording rejoined", &[("stream_key", "live/test")]);
    server.stop();
    let parts = parts(&server, "live/test");
    assert_eq!(parts.len(), 2);
    assert_one_recording(&parts);
    assert_eq!(parts[1].value("segmentReason").as_deref(), Some("rejoin"));
    assert_eq!(parts[1].value("gapBeforeReason").as_deref(), Some("publisher away"));
    assert_eq!(parts[1].count("gapBeforePackets"), 0);
    // Nothing that came is missing; how long nothing came is declared.
    let all = frames_of(&parts);
    assert_eq!(all, (0..u64::try_from(all.len()).unwrap()).collect::<Vec<_>>());
    assert_verified(&parts, 0);
}

/// Publishes twice and expects two recordings.
fn assert_apart(rejoin: &str, between: impl FnOnce(&Server)) {
    let mut server = recording().args(["-record-rejoin", rejoin]).start();
    let [first, second] = halves();
    publish_and_break(&server, &first);
    between(&server);
    block_on(publish(&server, "live/test", &second));
    server.wait_for_logs("recorder closed", &[("stream_key", "live/test")], 2);
    server.stop();
    let parts = parts(&server, "live/test");
    assert_eq!(parts.len(), 2);
    assert_ne!(parts[0].recording(), parts[1].recording());
    for part in &parts {
        assert_eq!(part.count("segment"), 1);
        assert_verified(std::slice::from_ref(part), 0);
    }
    assert!(server.logs().iter().all(|line| line.message != "recording rejoined"));
}

#[test]
fn a_publisher_that_returns_too_late_makes_another_recording() {
    assert_apart("1s", |server| {
        server.wait_for_log("recording complete", &[("stream_key", "live/test")]);
    });
}

#[test]
fn without_time_to_return_each_publish_is_a_recording() {
    assert_apart("0", |_| {});
}
