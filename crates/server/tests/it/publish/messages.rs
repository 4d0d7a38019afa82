//! Data messages, the longest message, and sessions in AMF3.

use bytes::Bytes;
use media::amf0::{self, Value};
use media::{Kind, Packet, Role};
use rtmp::chunk::{MESSAGE_BYTES_MAX, Message};
use testkit::client::Wire;
use testkit::flv::{Flv, assert_recorded};
use testkit::{Player, Publisher};

use super::{bodies, recorded, relay, source};
use crate::support::recording;

fn data(name: &str, value: &Value, dts_ms: i64) -> Packet {
    let mut body = Vec::new();
    amf0::encode_string(name, &mut body);
    amf0::encode(value, &mut body);
    Packet::new(Kind::Data, dts_ms, body.into())
}

fn properties(text: &str) -> Vec<(String, Value)> {
    vec![("text".to_owned(), text.into()), ("width".to_owned(), 640.0.into())]
}

#[tokio::test]
async fn data_messages_reach_players_and_the_file_in_their_place() {
    let server = recording().start();
    let url = server.url("live/test");
    let media = source(1, 63);
    let (headers, frames) = media.split_at(3);
    let object = |text| Value::Object(properties(text));
    let events = [
        data("onCuePoint", &object("cue"), 100),
        data("onTextData", &object("text"), 200),
        data("onCaptionInfo", &object("caption"), 300),
        data("onFI", &object("time code"), 400),
        data("anything", &Value::StrictArray(vec![1.0.into(), Value::Null]), 500),
        // Neither a name nor whole.
        Packet::new(Kind::Data, 600, Bytes::from_static(b"\x00\x3f")),
    ];
    let newest = data("onMetaData", &object("changed"), 650);
    let mut sent = headers.to_vec();
    for (part, event) in frames.chunks(10).zip(&events) {
        sent.extend_from_slice(part);
        sent.push(event.clone());
    }
    sent.push(newest.clone());

    let mut player = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let played = relay(&mut publisher, &mut player, &sent).await;
    assert!(bodies(&played) == bodies(&sent), "without @setDataFrame and with all else");

    // A cue point after it does not take its place for those who come late.
    let key = Packet { dts_ms: 2_000, ..frames[0].clone() };
    let more = [events[0].clone(), key.clone()];
    publisher.send_all(&more).await.unwrap();
    player.packets(more.len()).await;
    sent.extend(more);
    let mut late = Player::connect(&url).await.unwrap();
    let expected = [newest.clone(), headers[1].clone(), headers[2].clone(), key];
    assert!(bodies(&late.packets(expected.len()).await) == bodies(&expected));
    publisher.close().await.unwrap();

    let file = recorded(&server, "live/test");
    assert_recorded(&file, &sent);
    let in_file = Flv::read(&file).unwrap().packets();
    for (i, event) in events.iter().enumerate() {
        let before = frames[(i + 1) * 10 - 1].body.clone();
        let at = in_file.iter().position(|packet| packet.body == before).unwrap();
        assert_eq!(in_file[at + 1].body, event.body, "event {i} is behind its frame");
    }
    assert!(in_file.iter().any(|packet| packet.body == newest.body));
}

#[tokio::test]
async fn metadata_is_accepted_in_every_form() {
    let server = recording().start();
    let mut set = Vec::new();
    amf0::encode_string("@setDataFrame", &mut set);
    let forms = [
        ("plain-array", data("onMetaData", &Value::EcmaArray(properties("a")), 0), false),
        ("plain-object", data("onMetaData", &Value::Object(properties("b")), 0), false),
        ("set-array", data("onMetaData", &Value::EcmaArray(properties("c")), 0), true),
        ("set-object", data("onMetaData", &Value::Object(properties("d")), 0), true),
    ];
    for (name, metadata, behind_set) in forms {
        let mut player = Player::connect(&server.url(&format!("live/{name}"))).await.unwrap();
        let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
        let stream = wire.publish(name).await.unwrap();
        let body = match behind_set {
            true => [set.as_slice(), &metadata.body].concat().into(),
            false => metadata.body.clone(),
        };
        wire.media(stream, &Packet { body, ..metadata.clone() }).await.unwrap();
        let media = &source(1, 20)[1..];
        for packet in media {
            wire.media(stream, packet).await.unwrap();
        }
        wire.ping().await.unwrap();
        drop(wire);
        let played = player.until_end().await;
        assert_eq!(played[0].body, metadata.body, "{name}");
        assert!(bodies(&played[1..]) == bodies(media), "{name}");
        let file = recorded(&server, &format!("live/{name}"));
        assert_recorded(&file, media);
        let first = Flv::read(&file).unwrap().tags.swap_remove(0).packet;
        let limits = amf0::Limits::default();
        let properties = media::flv::meta::properties(&first.body, limits).unwrap();
        let text = properties.iter().find(|(name, _)| name == "text");
        assert!(text.is_some(), "{name}: the publisher's values are kept");
    }
}

#[tokio::test]
async fn the_longest_message_reaches_players_and_the_file() {
    let server = recording().start();
    let url = server.url("live/test");
    let headers = source(1, 3);
    let mut player = Player::connect(&url).await.unwrap();
    let mut sent = headers.clone();
    let mut publisher =
        Publisher::connect_with(&url, |config| config.chunk_size = 1 << 24).await.unwrap();
    publisher.send_all(&headers).await.unwrap();
    for n in 0..3u8 {
        let mut body = vec![n; MESSAGE_BYTES_MAX];
        body[..5].copy_from_slice(&[0x17, 1, 0, 0, 0]);
        let packet = Packet::new(Kind::Video, i64::from(n) * 1_000, body.into());
        publisher.send_all(std::slice::from_ref(&packet)).await.unwrap();
        sent.push(packet);
        // A player that is two of them behind would be behind by more than -play-buffer.
        let played = player.packets(if n == 0 { 4 } else { 1 }).await;
        assert!(played.last().unwrap().body == sent.last().unwrap().body);
    }
    publisher.close().await.unwrap();
    assert_recorded(&recorded(&server, "live/test"), &sent);
}

/// The handshake of a client that does not look at what the server sends.
const HANDSHAKE_BYTES: usize = 1 + 1_536;

/// A message in one chunk of format 0.
fn chunk(stream: u8, message_type: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let head = [3, 0, 0, 0, length[1], length[2], length[3], message_type, stream, 0, 0, 0];
    [head.as_slice(), body].concat()
}

/// A string in AMF0.
fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[2], length.as_slice(), text.as_bytes()].concat()
}

/// A string in AMF3, behind the marker that switches to it.
fn string3(text: &str) -> Vec<u8> {
    [&[0x11, 6, u8::try_from(text.len() * 2 + 1).unwrap()], text.as_bytes()].concat()
}

fn number(value: f64) -> Vec<u8> {
    [[0].as_slice(), &value.to_be_bytes()].concat()
}

#[tokio::test]
async fn a_session_in_amf3_containers_publishes_and_plays() {
    const NULL: &[u8] = &[5];
    let server = recording().start();
    let mut player = Player::connect(&server.url("live/test")).await.unwrap();
    let mut socket = Wire::open(server.addr()).await.unwrap();
    // All with chunks that are long enough for every message.
    let mut bytes = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 0].to_vec();
    let connect = [
        string("connect"),
        number(1.0),
        [3].to_vec(),
        [b"\0\x03app".as_slice(), &string("live")].concat(),
        [b"\0\x0eobjectEncoding".as_slice(), &number(3.0)].concat(),
        [0, 0, 9].to_vec(),
    ];
    bytes.extend(chunk(0, 20, &connect.concat()));
    let create = [[0].to_vec(), string("createStream"), number(2.0), NULL.to_vec()];
    bytes.extend(chunk(0, 17, &create.concat()));
    socket.bytes(&bytes).await.unwrap();
    let connected = socket.result(1.0).await.unwrap();
    assert_eq!(connected.argument(0).property("objectEncoding").unwrap().as_f64(), Some(3.0));
    assert_eq!(socket.result(2.0).await.unwrap().argument(0).as_f64(), Some(1.0));

    let publish = [
        [0].to_vec(),
        string("publish"),
        number(3.0),
        NULL.to_vec(),
        string3("test"),
        string3("live"),
    ];
    socket.bytes(&chunk(1, 17, &publish.concat())).await.unwrap();
    let (stream, code) = socket.next_status().await.unwrap();
    assert_eq!((stream, code.as_str()), (1, "NetStream.Publish.Start"));
    // An object of AMF3: dynamic, without a class, with one property of an integer.
    let metadata3 = [0x11, 0x0a, 0x0b, 1, 11, b'w', b'i', b'd', b't', b'h', 4, 0x85, 0x00, 1];
    let metadata =
        [[0].to_vec(), string("@setDataFrame"), string("onMetaData"), metadata3.to_vec()];
    let media = &source(1, 20)[1..];
    let mut bytes = chunk(1, 15, &metadata.concat());
    for packet in media {
        let mut message = chunk(1, packet.kind.number(), &packet.body);
        message[1..4].copy_from_slice(&packet.timestamp().to_be_bytes()[1..]);
        bytes.extend(message);
    }
    let end = [[0].to_vec(), string("FCUnpublish"), number(4.0), NULL.to_vec(), string3("test")];
    bytes.extend(chunk(0, 17, &end.concat()));
    let end =
        [[0].to_vec(), string("deleteStream"), number(0.0), NULL.to_vec(), [0x11, 4, 1].to_vec()];
    bytes.extend(chunk(0, 17, &end.concat()));
    socket.bytes(&bytes).await.unwrap();

    let played = player.until_end().await;
    assert_eq!(played[0].role, Role::Metadata);
    let values = amf0::decode_all(&played[0].body, &amf0::Limits::default()).unwrap();
    assert_eq!(values[1].property("width").unwrap().as_f64(), Some(640.0));
    assert!(bodies(&played[1..]) == bodies(media));
    assert_recorded(&recorded(&server, "live/test"), media);
}

#[tokio::test]
async fn a_session_written_byte_by_byte_is_a_session() {
    let server = recording().start();
    let mut socket = testkit::client::raw(server.addr()).await.unwrap();
    let mut bytes = vec![0; HANDSHAKE_BYTES];
    bytes[0] = 3;
    // What would have to be an echo is nothing in particular.
    bytes.extend([0x55; HANDSHAKE_BYTES - 1]);
    let app = [b"\0\x03app".as_slice(), &string("live")].concat();
    let connect = [string("connect"), number(1.0), [3].to_vec(), app, [0, 0, 9].to_vec()];
    bytes.extend(chunk(0, 20, &connect.concat()));
    bytes.extend(chunk(0, 20, &[string("createStream"), number(2.0), vec![5]].concat()));
    bytes.extend(chunk(1, 20, &[string("publish"), number(3.0), vec![5], string("test")].concat()));
    let sent: Vec<Packet> = (0..4)
        .map(|n| {
            Packet::new(Kind::Audio, n * 20, Bytes::from(vec![0x2f, u8::try_from(n).unwrap()]))
        })
        .collect();
    for packet in &sent {
        let mut message = chunk(1, 8, &packet.body);
        message[1..4].copy_from_slice(&packet.timestamp().to_be_bytes()[1..]);
        bytes.extend(message);
    }
    for byte in bytes {
        use tokio::io::AsyncWriteExt as _;
        socket.write_all(&[byte]).await.unwrap();
    }
    // What the server has answered is not read: a close would be a reset, which loses what is on
    // its way.
    tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
    assert_recorded(&recorded(&server, "live/test"), &sent);
}

#[tokio::test]
async fn media_of_no_publish_is_nowhere() {
    let server = recording().start();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let sent = source(1, 20);
    for stream in [0, 1, 7, u32::MAX] {
        for packet in &sent {
            wire.media(stream, packet).await.unwrap();
        }
    }
    let stream = wire.publish("test").await.unwrap();
    for packet in &sent {
        wire.media(stream + 1, packet).await.unwrap();
        wire.media(stream, packet).await.unwrap();
        wire.media(0, packet).await.unwrap();
    }
    // Types that nobody knows, empty and not.
    for message_type in [0, 7, 10, 14, 16, 19, 21, 23, 99, 255] {
        for body in [b"".as_slice(), b"\x00", b"\x05\x05\x05\x05\x05"] {
            let message = Message {
                chunk_stream_id: 9,
                message_stream_id: stream,
                message_type,
                timestamp: 0,
                body: Bytes::from_static(body),
            };
            wire.send(&message).await.unwrap();
        }
    }
    wire.ping().await.unwrap();
    drop(wire);
    assert_recorded(&recorded(&server, "live/test"), &sent);
}
