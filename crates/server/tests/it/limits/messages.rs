//! How much one connection may send, and in which shape.

use bytes::Bytes;
use media::amf0::Value;
use media::{Kind, Packet};
use rtmp::chunk::Message;
use rtmp::command::Command;
use testkit::client::{Error, Wire};
use testkit::flv::assert_recorded;
use testkit::{Player, Publisher, Server, Source, SourceConfig};

use super::{recorded, recording, serves, source};
use crate::publish::{bodies, relay};
use crate::support::BINARY;

const PROTOCOL_ERROR: &str = "connection closed: protocol error";

/// Waits until the server has closed the connection because of a limit that `what` names.
async fn closed_because(server: &Server, mut wire: Wire, what: &str) {
    wire.closed().await.unwrap();
    let line = server.wait_for_log(PROTOCOL_ERROR, &[]);
    let error = line.field("error").unwrap();
    assert!(error.contains(what), "{error}");
    // Nobody else is concerned.
    serves(server, "live/after").await;
}

fn tolerant() -> Server {
    let server = recording().start();
    server.allow(PROTOCOL_ERROR);
    server
}

fn video(size: usize) -> Packet {
    let mut body = vec![0x17, 1, 0, 0, 0];
    body.resize(size, 0x55);
    Packet::new(Kind::Video, 0, body.into())
}

#[tokio::test]
async fn a_message_beyond_max_message_size_ends_the_connection_and_keeps_the_recording() {
    const MOST: usize = 100_000;
    let server = recording().args(["-max-message-size", &MOST.to_string()]).start();
    server.allow(PROTOCOL_ERROR);
    let sent = [source(1, 20), vec![video(MOST)]].concat();
    let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
    publisher.send_all(&sent).await.unwrap();
    // The connection is cut as soon as the length is read.
    let _ = publisher.send_all(&[video(MOST + 1)]).await;
    let _ = publisher.closed().await;
    assert_recorded(&recorded(&server, "live/test"), &sent);
    let line = server.wait_for_log(PROTOCOL_ERROR, &[]);
    assert!(line.field("error").unwrap().contains("bytes in a message: the limit is 100000"));
    serves(&server, "live/after").await;
}

#[tokio::test]
async fn before_a_publish_messages_are_small() {
    let server = tolerant();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    // As long as may be, then longer.
    let mut filler = Command::new("nothing", 0.0, Vec::new());
    filler.arguments = vec![Value::from("x".repeat(65_000))];
    wire.command(0, &filler).await.unwrap();
    wire.ping().await.unwrap();
    filler.arguments = vec![Value::from("x".repeat(65_536))];
    let _ = wire.command(0, &filler).await;
    closed_because(&server, wire, "bytes in a message: the limit is 65536").await;
}

#[tokio::test]
async fn before_a_publish_few_messages_are_half_read() {
    let server = tolerant();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    wire.set_chunk_size(60_000).await.unwrap();
    for chunk_stream in 10..20 {
        let head = [chunk_stream, 0, 0, 0, 1, 0, 0, 20, 0, 0, 0, 0];
        if wire.bytes(&[head.as_slice(), &[0; 60_000]].concat()).await.is_err() {
            break;
        }
    }
    closed_because(&server, wire, "bytes of half-read messages: the limit is 262144").await;
}

#[tokio::test]
async fn half_read_messages_are_bounded_together() {
    let server = tolerant();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    wire.publish("test").await.unwrap();
    wire.set_chunk_size(12 << 20).await.unwrap();
    wire.ping().await.unwrap();
    let before = server.usage();
    let piece = vec![0; 12 << 20];
    for chunk_stream in [10, 11, 12] {
        let head = [chunk_stream, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0];
        if wire.bytes(&[head.as_slice(), &piece].concat()).await.is_err() {
            break;
        }
    }
    let grown = server.usage().rss_peak_bytes.saturating_sub(before.rss_bytes) >> 20;
    assert!(grown < 64, "{grown} MiB more than before");
    closed_because(&server, wire, "bytes of half-read messages").await;
}

#[tokio::test]
async fn a_long_message_that_is_only_announced_costs_nothing() {
    const CONNECTIONS: usize = 100;
    let server = tolerant();
    let mut wires = Vec::new();
    for i in 0..CONNECTIONS {
        let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
        wire.publish(&i.to_string()).await.unwrap();
        wire.set_chunk_size(0x7fff_ffff).await.unwrap();
        wires.push(wire);
    }
    let before = server.usage();
    for wire in &mut wires {
        wire.bytes(&[6, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0, 0x17]).await.unwrap();
    }
    // All of it was read when a recording that began after it is done.
    serves(&server, "live/after").await;
    let grown = server.usage().rss_peak_bytes.saturating_sub(before.rss_bytes) >> 20;
    assert!(grown < 64, "{grown} MiB more than before, {CONNECTIONS} times 16 MiB were announced");
}

#[tokio::test]
async fn chunk_streams_are_bounded() {
    let server = tolerant();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let ping = |chunk_stream_id| Message {
        chunk_stream_id,
        message_stream_id: 0,
        message_type: 99,
        timestamp: 0,
        body: Bytes::new(),
    };
    // With 2 and 3 there are 128.
    for i in 0..126 {
        wire.send(&ping(64 + i * 500)).await.unwrap();
    }
    wire.ping().await.unwrap();
    wire.send(&ping(63)).await.unwrap();
    closed_because(&server, wire, "chunk streams: the limit is 128").await;
}

#[tokio::test]
async fn message_streams_are_bounded_and_the_connection_goes_on() {
    let server = recording().start();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(wire.create_stream().await.unwrap());
    }
    assert!(matches!(wire.create_stream().await, Err(Error::Rejected { .. })));
    wire.call(0, "deleteStream", vec![f64::from(streams[3]).into()]).await.unwrap();
    let again = wire.create_stream().await.unwrap();
    assert!(!streams.contains(&again));
    wire.call(again, "publish", vec!["test".into()]).await.unwrap();
    assert_eq!(wire.next_status().await.unwrap().1, "NetStream.Publish.Start");
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::Object(vec![("a".to_owned(), inner)]))
}

#[tokio::test]
async fn values_too_deep_end_the_connection() {
    let server = tolerant();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    wire.call(0, "nothing", vec![nested(30)]).await.unwrap();
    wire.ping().await.unwrap();
    wire.call(0, "nothing", vec![nested(2_000)]).await.unwrap();
    closed_because(&server, wire, "AMF").await;
}

#[tokio::test]
async fn too_many_values_end_the_connection() {
    let server = tolerant();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    wire.call(0, "nothing", vec![Value::Null; 16_000]).await.unwrap();
    wire.ping().await.unwrap();
    wire.call(0, "nothing", vec![Value::Null; 60_000]).await.unwrap();
    closed_because(&server, wire, "AMF").await;
}

#[tokio::test]
async fn a_string_too_long_ends_the_connection() {
    let server = tolerant();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    wire.publish("test").await.unwrap();
    wire.call(0, "nothing", vec!["x".repeat(65_000).into()]).await.unwrap();
    wire.ping().await.unwrap();
    wire.call(0, "nothing", vec!["x".repeat(1 << 20).into()]).await.unwrap();
    closed_because(&server, wire, "AMF").await;
}

#[tokio::test]
async fn names_too_long_are_refused() {
    let server = recording().start();
    server.allow("publish refused");
    server.allow("connection refused");
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    for length in [4_097, 60_000] {
        assert!(wire.publish(&"x".repeat(length)).await.is_err());
    }
    let line = server.wait_for_log("publish refused", &[]);
    assert!(line.field("reason").unwrap().contains("at most 4096"), "{line}");
    // Each is short enough, both together are not.
    let mut long = Wire::connected(server.addr(), &"a".repeat(4_000)).await.unwrap();
    assert!(long.publish(&"b".repeat(200)).await.is_err());
    assert!(Wire::connected(server.addr(), &"a".repeat(4_097)).await.is_err());
    server.wait_for_log("connection refused", &[("reason", "the application name is too long")]);
    serves(&server, "live/after").await;
}

/// Calls in as few bytes as can be: each is answered with many more.
fn calls(count: usize) -> Vec<u8> {
    let body = [b"\x02\0\x01x\0".as_slice(), &1.0f64.to_be_bytes()].concat();
    let head = [5, 0, 0, 0, 0, 0, 13, 20, 0, 0, 0, 0];
    let first = [head.as_slice(), &body].concat();
    // Format 3: the same again.
    let again = [[0xc5].as_slice(), &body].concat().repeat(count - 1);
    [first, again].concat()
}

#[tokio::test]
async fn answers_that_one_read_asks_for_are_bounded() {
    let server = tolerant();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    // More than a read of the server, so that one of them is full. It may close the connection
    // before all of it was sent.
    let _ = wire.bytes(&calls(200_000)).await;
    wire.closed().await.unwrap();
    serves(&server, "live/after").await;
}

#[tokio::test]
async fn who_reads_no_answers_is_not_read_and_then_disconnected() {
    let server = recording().args(["-play-timeout", "1s"]).start();
    server.allow(PROTOCOL_ERROR);
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let before = server.usage();
    // In parts that alone are no reason.
    let part = calls(1_000);
    let mut sent = 0;
    while sent < 64 << 20 && wire.bytes(&part).await.is_ok() {
        sent += part.len();
    }
    wire.closed().await.unwrap();
    let grown = server.usage().rss_peak_bytes.saturating_sub(before.rss_bytes) >> 20;
    assert!(grown < 32, "{grown} MiB more than before");
    serves(&server, "live/after").await;
}

#[tokio::test]
async fn a_group_of_pictures_beyond_the_join_buffer_is_not_kept() {
    let server =
        Server::builder(BINARY).args(["-join-buffer", "1MiB", "-play-buffer", "1MiB"]).start();
    let url = server.url("live/test");
    let config = SourceConfig { video_kbps: 4_000, key_interval: 6_000, ..SourceConfig::default() };
    let mut packets = Source::new(1, config);
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let first: Vec<Packet> = packets.by_ref().take(20).collect();
    relay(&mut publisher, &mut witness, &first).await;
    let mut early = Player::connect(&url).await.unwrap();
    early.packets(first.len()).await;
    drop(early);
    let before = server.usage();
    let mut bytes = 0;
    while bytes < 64 << 20 {
        let part: Vec<Packet> = packets.by_ref().take(30).collect();
        bytes += part.iter().map(|packet| packet.body.len()).sum::<usize>();
        publisher.send_all(&part).await.unwrap();
        assert!(bodies(&witness.packets(part.len()).await) == bodies(&part));
    }
    let grown = server.usage().rss_peak_bytes.saturating_sub(before.rss_bytes) >> 20;
    assert!(grown < 24, "{grown} MiB more than before, the stream had 64");

    // Who comes now waits for the next key frame.
    let mut late = Player::connect(&url).await.unwrap();
    let inter: Vec<Packet> = packets.by_ref().take(10).collect();
    let key = Packet { dts_ms: inter.last().unwrap().dts_ms + 40, ..video(2_000) };
    publisher.send_all(&inter).await.unwrap();
    publisher.send_all(std::slice::from_ref(&key)).await.unwrap();
    let got = late.packets(4).await;
    assert!(bodies(&got[..3]) == bodies(&first[..3]));
    assert_eq!(got[3].body, key.body);
}
