//! How a publish ends, and that each ends its recording once.

use testkit::client::{Error, Wire};
use testkit::flv::assert_recorded;
use testkit::{Publisher, Server};

use super::{recorded, source};
use crate::support::recording;

const SENT: usize = 100;

/// Ends a publish of `live/NAME` in one way.
async fn end(mut wire: Wire, stream: u32, name: &str, how: &str) -> Option<Wire> {
    let id = || vec![f64::from(stream).into()];
    match how {
        "FCUnpublish and deleteStream" => {
            wire.call(0, "FCUnpublish", vec![name.into()]).await.unwrap();
            wire.call(0, "deleteStream", id()).await.unwrap();
        }
        "FCUnpublish" => drop(wire.call(0, how, vec![name.into()]).await.unwrap()),
        "deleteStream" => drop(wire.call(0, how, id()).await.unwrap()),
        "closeStream" => drop(wire.call(stream, how, vec![]).await.unwrap()),
        "publish(false)" => drop(wire.call(stream, "publish", vec![false.into()]).await.unwrap()),
        "everything" => {
            wire.call(0, "FCUnpublish", vec![name.into()]).await.unwrap();
            wire.call(stream, "closeStream", vec![]).await.unwrap();
            wire.call(0, "deleteStream", id()).await.unwrap();
            wire.call(0, "FCUnpublish", vec![name.into()]).await.unwrap();
            return None;
        }
        "FIN" => return None,
        "RST" => {
            wire.into_socket().set_zero_linger().unwrap();
            return None;
        }
        _ => panic!("{how} is no way to end"),
    }
    Some(wire)
}

#[tokio::test]
async fn every_end_finishes_the_recording_once() {
    const ENDS: [&str; 8] = [
        "FCUnpublish and deleteStream",
        "FCUnpublish",
        "deleteStream",
        "closeStream",
        "publish(false)",
        "everything",
        "FIN",
        "RST",
    ];
    let mut server = recording().start();
    let sent = source(1, SENT);
    let mut open = Vec::new();
    for (i, how) in ENDS.into_iter().enumerate() {
        let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
        let name = i.to_string();
        let stream = wire.publish(&name).await.unwrap();
        for packet in &sent {
            wire.media(stream, packet).await.unwrap();
        }
        // A reset throws away what was not read.
        wire.ping().await.unwrap();
        open.extend(end(wire, stream, &name, how).await);
        let file = recorded(&server, &format!("live/{name}"));
        assert_recorded(&file, &sent);
    }
    // Whoever stayed goes now, which must not end anything again.
    drop(open);
    server.stop();
    let lines = server.logs();
    for (i, how) in ENDS.into_iter().enumerate() {
        let key = format!("live/{i}");
        for message in ["publish started", "recorder closed", "publish ended"] {
            let of_key = |line: &&testkit::server::LogLine| {
                line.message == message && line.field("stream_key").as_deref() == Some(&key)
            };
            assert_eq!(lines.iter().filter(of_key).count(), 1, "{message} after {how}");
        }
    }
    assert_eq!(server.recordings().len(), ENDS.len());
}

#[tokio::test]
async fn a_connection_that_stays_can_publish_again() {
    let server = recording().start();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let sent = source(1, SENT);
    for (run, how) in ["FCUnpublish", "closeStream", "deleteStream"].into_iter().enumerate() {
        let stream = wire.publish("test").await.unwrap();
        for packet in &sent {
            wire.media(stream, packet).await.unwrap();
        }
        wire = end(wire, stream, "test", how).await.unwrap();
        server.wait_for_logs("recorder closed", &[("stream_key", "live/test")], run + 1);
    }
    let files = server.recordings();
    assert_eq!(files.len(), 3);
    files.iter().for_each(|file| assert_recorded(file, &sent));
}

#[tokio::test]
async fn a_silent_publisher_is_given_up_and_its_name_is_free_at_once() {
    let mut server = recording().args(["-publish-timeout", "1s"]).start();
    let url = server.url("live/test");
    let (first, second) = (source(1, SENT), source(2, SENT));
    let mut publisher = Publisher::connect(&url).await.unwrap();
    publisher.send_all(&first).await.unwrap();
    let socket = publisher.stall();
    let file = recorded(&server, "live/test");
    assert_recorded(&file, &first);
    server.wait_for_log("publish ended", &[("reason", "no data within -publish-timeout")]);

    let mut publisher = Publisher::connect(&url).await.unwrap();
    publisher.send_all(&second).await.unwrap();
    publisher.close().await.unwrap();
    server.wait_for_logs("recorder closed", &[("stream_key", "live/test")], 2);
    drop(socket);
    server.stop();
    let files = server.recordings();
    let other = files.iter().find(|other| **other != file).unwrap();
    assert_recorded(other, &second);
    assert_recorded(&file, &first);
    assert_eq!(files.len(), 2);
    let closed = server.logs().iter().filter(|line| line.message == "recorder closed").count();
    assert_eq!(closed, 2);
}

#[tokio::test]
async fn a_second_publisher_is_refused_and_the_first_unharmed() {
    let server = recording().start();
    server.allow("publish refused");
    let url = server.url("live/test");
    let sent = source(1, 3 * SENT);
    let mut first = Publisher::connect(&url).await.unwrap();
    for part in sent.chunks(SENT) {
        first.send_all(part).await.unwrap();
        let second = Publisher::connect(&url).await;
        assert!(
            matches!(&second, Err(Error::Rejected { code, .. }) if code == "NetStream.Publish.BadName"),
            "{second:?}"
        );
    }
    // Who was refused may stay, use another name, and send media that goes nowhere.
    let mut second = Wire::connected(server.addr(), "live").await.unwrap();
    let stream = second.create_stream().await.unwrap();
    second.call(stream, "publish", vec!["test".into()]).await.unwrap();
    let (_, code) = second.next_status().await.unwrap();
    assert_eq!(code, "NetStream.Publish.BadName");
    for packet in &sent {
        second.media(stream, packet).await.unwrap();
    }
    let other = second.publish("other").await.unwrap();
    for packet in &sent {
        second.media(other, packet).await.unwrap();
    }
    second.ping().await.unwrap();
    drop(second);
    assert_recorded(&recorded(&server, "live/other"), &sent);
    first.close().await.unwrap();
    assert_recorded(&recorded(&server, "live/test"), &sent);
    assert_eq!(server.recordings().len(), 2);
}

#[tokio::test]
async fn streams_of_one_connection_are_apart() {
    let server = recording().start();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let (one, two) = (source(1, SENT), source(2, SENT));
    let a = wire.publish("a").await.unwrap();
    let b = wire.publish("b").await.unwrap();
    assert_ne!(a, b);
    let (one_begin, one_rest) = one.split_at(SENT / 2);
    for (one, two) in one_begin.iter().zip(&two) {
        wire.media(a, one).await.unwrap();
        wire.media(b, two).await.unwrap();
    }
    wire.call(0, "deleteStream", vec![f64::from(b).into()]).await.unwrap();
    assert_recorded(&recorded(&server, "live/b"), &two[..SENT / 2]);
    for packet in one_rest {
        wire.media(a, packet).await.unwrap();
        // Of a stream that is gone.
        wire.media(b, packet).await.unwrap();
    }
    wire.ping().await.unwrap();
    drop(wire);
    assert_recorded(&recorded(&server, "live/a"), &one);
    assert_eq!(server.recordings().len(), 2);
}

/// The recording of one stream that is published as `kind`.
async fn publish_as(server: &Server, name: &str, arguments: Vec<media::amf0::Value>) {
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let stream = wire.create_stream().await.unwrap();
    wire.call(stream, "publish", arguments).await.unwrap();
    assert_eq!(wire.next_status().await.unwrap(), (stream, "NetStream.Publish.Start".to_owned()));
    let sent = source(1, 20);
    for packet in &sent {
        wire.media(stream, packet).await.unwrap();
    }
    wire.ping().await.unwrap();
    drop(wire);
    assert_recorded(&recorded(server, &format!("live/{name}")), &sent);
}

#[tokio::test]
async fn every_type_of_publish_is_live_and_recorded() {
    let server = recording().start();
    for kind in ["live", "record", "append", "LIVE", "", "anything"] {
        let name = format!("as-{kind}");
        publish_as(&server, &name, vec![name.as_str().into(), kind.into()]).await;
    }
    publish_as(&server, "without", vec!["without".into()]).await;
}
