//! What a player may ask for, and what it is told.

use media::amf0::Value;
use media::{Kind, Packet, Role};
use rtmp::chunk::Message;
use rtmp::message::message_type;
use testkit::client::Wire;
use testkit::{Player, Publisher, Server};

use super::{bodies, relay, source};
use crate::support::recording;

/// The next message that is neither control nor for Flash.
async fn next(wire: &mut Wire) -> Message {
    loop {
        let message = wire.next().await.unwrap().expect("the server closed the connection");
        let is_access = message.body.starts_with(b"\x02\x00\x11|RtmpSampleAccess");
        let is_acknowledgement = message.message_type == message_type::ACKNOWLEDGEMENT;
        if !is_access && !is_acknowledgement {
            return message;
        }
    }
}

fn is_media(message: &Message) -> bool {
    [8, 9, 18].contains(&message.message_type)
}

/// The next media messages.
async fn media(wire: &mut Wire, count: usize) -> Vec<Packet> {
    let mut packets = Vec::new();
    while packets.len() < count {
        let message = next(wire).await;
        if is_media(&message) {
            packets.push(packet(&message));
        }
    }
    packets
}

fn packet(message: &Message) -> Packet {
    let kind = match message.message_type {
        8 => Kind::Audio,
        9 => Kind::Video,
        _ => Kind::Data,
    };
    Packet::new(kind, i64::from(message.timestamp), message.body.clone())
}

/// The media that comes before the message with this body, which comes last.
async fn media_until(wire: &mut Wire, last: &Packet) -> Vec<Packet> {
    let mut packets = Vec::new();
    while packets.last().is_none_or(|packet: &Packet| packet.body != last.body) {
        packets.extend(media(wire, 1).await);
    }
    packets
}

async fn call(wire: &mut Wire, stream: u32, name: &str, argument: bool) {
    wire.call(stream, name, vec![argument.into()]).await.unwrap();
    wire.ping().await.unwrap();
}

#[tokio::test]
async fn begin_and_end_are_told_by_user_control_and_by_status() {
    let server = recording().start();
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let stream = wire.play("test").await.unwrap();
    let id = u8::try_from(stream).unwrap();
    let sent = source(1, 20);
    for run in 1..=2 {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&sent).await.unwrap();
        let begin = next(&mut wire).await;
        assert_eq!(begin.message_type, message_type::USER_CONTROL);
        assert_eq!(begin.body[..], [0, 0, 0, 0, 0, id], "StreamBegin of run {run}");
        let status = wire.next_status().await.unwrap();
        assert_eq!(status, (stream, "NetStream.Play.PublishNotify".to_owned()));
        assert!(bodies(&media(&mut wire, sent.len()).await) == bodies(&sent));
        publisher.close().await.unwrap();
        let end = next(&mut wire).await;
        assert_eq!(end.message_type, message_type::USER_CONTROL);
        assert_eq!(end.body[..], [0, 1, 0, 0, 0, id], "StreamEOF of run {run}");
        let status = wire.next_status().await.unwrap();
        assert_eq!(status, (stream, "NetStream.Play.UnpublishNotify".to_owned()));
    }
    wire.call(0, "deleteStream", vec![f64::from(stream).into()]).await.unwrap();
    server.wait_for_log("play ended", &[("reason", "ended by the player")]);
}

/// A publisher, a player that gets everything and one of which every message is seen.
struct Scene {
    server: Server,
    publisher: Publisher,
    witness: Player,
    wire: Wire,
    stream: u32,
}

impl Scene {
    /// Both players have got all of `sent`.
    async fn after(sent: &[Packet]) -> Self {
        let server = recording().start();
        let url = server.url("live/test");
        let mut witness = Player::connect(&url).await.unwrap();
        let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
        let stream = wire.play("test").await.unwrap();
        let mut publisher = Publisher::connect(&url).await.unwrap();
        relay(&mut publisher, &mut witness, sent).await;
        assert!(bodies(&media(&mut wire, sent.len()).await) == bodies(sent));
        Self { server, publisher, witness, wire, stream }
    }

    async fn send(&mut self, packets: &[Packet]) {
        self.publisher.send_all(packets).await.unwrap();
        assert!(bodies(&self.witness.packets(packets.len()).await) == bodies(packets));
    }

    async fn call(&mut self, name: &str, argument: bool) {
        call(&mut self.wire, self.stream, name, argument).await;
    }
}

/// Three parts of a stream. The first has no more than one group of pictures; the others begin and
/// end with sound.
fn parts() -> [Vec<Packet>; 3] {
    let mut packets = source(1, 300);
    let sound = |from: usize, packets: &[Packet]| {
        (from..).find(|i| packets[*i].kind == Kind::Audio).unwrap()
    };
    let third = packets.split_off(sound(200, &packets));
    let third: Vec<Packet> = third[..=sound(80, &third)].to_vec();
    let mut second = packets.split_off(sound(20, &packets));
    let end = second.iter().rposition(|packet| packet.kind == Kind::Audio).unwrap();
    second.truncate(end + 1);
    [packets, second, third]
}

fn of(kind: Kind, packets: &[Packet]) -> Vec<Packet> {
    packets.iter().filter(|packet| packet.kind == kind).cloned().collect()
}

/// What is left of packets whose pictures begin at a key frame.
fn from_key(packets: &[Packet]) -> Vec<Packet> {
    let key = packets.iter().position(|packet| packet.role == Role::Key).unwrap();
    let kept = packets.iter().enumerate().filter(|(i, p)| *i >= key || p.kind == Kind::Audio);
    kept.map(|(_, packet)| packet.clone()).collect()
}

#[tokio::test]
async fn a_player_may_do_without_sound() {
    let [first, second, third] = parts();
    let mut scene = Scene::after(&first).await;
    scene.call("receiveAudio", false).await;
    scene.send(&second).await;
    let last = of(Kind::Video, &second).pop().unwrap();
    let got = media_until(&mut scene.wire, &last).await;
    assert!(bodies(&got) == bodies(&of(Kind::Video, &second)));
    scene.call("receiveAudio", true).await;
    scene.send(&third).await;
    let got = media_until(&mut scene.wire, third.last().unwrap()).await;
    // Whatever of the second part was still on its way is sound now wanted.
    let got: Vec<Packet> = got.into_iter().filter(|packet| !second.contains(packet)).collect();
    assert!(bodies(&got) == bodies(&third));
}

#[tokio::test]
async fn a_player_may_do_without_pictures_and_goes_on_at_a_key_frame() {
    let [first, second, third] = parts();
    let mut scene = Scene::after(&first).await;
    scene.call("receiveVideo", false).await;
    scene.send(&second).await;
    let got = media_until(&mut scene.wire, second.last().unwrap()).await;
    assert!(bodies(&got) == bodies(&of(Kind::Audio, &second)));
    scene.call("receiveVideo", true).await;
    scene.send(&third).await;
    let got = media_until(&mut scene.wire, third.last().unwrap()).await;
    assert!(bodies(&got) == bodies(&from_key(&third)));
}

#[tokio::test]
async fn a_paused_player_gets_nothing_and_goes_on_at_a_key_frame() {
    let [first, second, third] = parts();
    let mut scene = Scene::after(&first).await;
    let (wire, stream) = (&mut scene.wire, scene.stream);
    let status = |code: &str| (stream, format!("NetStream.{code}.Notify"));
    let arguments = |paused: bool| vec![paused.into(), Value::Number(0.0)];
    wire.call(stream, "pause", arguments(true)).await.unwrap();
    assert_eq!(wire.next_status().await.unwrap(), status("Pause"));
    scene.send(&second).await;
    let wire = &mut scene.wire;
    wire.call(stream, "pause", arguments(false)).await.unwrap();
    let message = next(wire).await;
    assert_eq!(message.message_type, message_type::COMMAND_AMF0, "no media while paused");
    wire.ping().await.unwrap();
    scene.send(&third).await;
    let got = media_until(&mut scene.wire, third.last().unwrap()).await;
    let pictures = of(Kind::Video, &got);
    assert_eq!(pictures[0].role, Role::Key);
    let got: Vec<Packet> = got.into_iter().filter(|packet| !second.contains(packet)).collect();
    assert!(
        bodies(&got) == bodies(&from_key(&third)) || bodies(&got) == bodies(&third),
        "all of the third part, unless its first pictures were before a key frame"
    );
}

#[tokio::test]
async fn one_connection_may_publish_and_play() {
    let server = recording().start();
    let sent = source(1, 20);
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    let publish = wire.publish("test").await.unwrap();
    let play = wire.play("test").await.unwrap();
    assert_ne!(publish, play);
    for packet in &sent {
        wire.media(publish, packet).await.unwrap();
    }
    assert!(bodies(&media(&mut wire, sent.len()).await) == bodies(&sent));
    wire.call(0, "deleteStream", vec![f64::from(publish).into()]).await.unwrap();
    loop {
        if wire.next_status().await.unwrap().1 == "NetStream.Play.UnpublishNotify" {
            break;
        }
    }
}

#[tokio::test]
async fn no_command_ends_a_connection() {
    let server = recording().start();
    server.allow("play refused");
    let mut scene = Scene::after(&parts()[0]).await;
    let wire = &mut scene.wire;
    for name in ["_checkbw", "getStreamLength", "setPlaylist", "FCSubscribe", "FCUnsubscribe"] {
        let transaction = wire.call(0, name, vec!["test".into()]).await.unwrap();
        wire.result(transaction).await.unwrap();
    }
    for name in ["", "nothing", "connect", "onStatus", "close", "auth", "__proto__"] {
        for stream in [0, scene.stream, 77] {
            wire.call(stream, name, vec![Value::Undefined, 1.0.into()]).await.unwrap();
        }
    }
    for (name, argument) in [
        ("play", Value::Null),
        ("play2", Value::Null),
        ("publish", Value::Null),
        ("seek", Value::Null),
        ("pause", Value::Null),
        ("receiveAudio", Value::Null),
        ("deleteStream", Value::from(-1.0)),
        ("deleteStream", Value::from("x")),
        ("closeStream", Value::Null),
    ] {
        wire.call(77, name, vec![argument]).await.unwrap();
    }
    wire.call(scene.stream, "seek", vec![1_000.0.into()]).await.unwrap();
    wire.ping().await.unwrap();
    // It still plays.
    let more = from_key(&parts()[1]);
    scene.send(&more).await;
    let got = media_until(&mut scene.wire, more.last().unwrap()).await;
    assert!(bodies(&got).ends_with(&bodies(&more[more.len() - 5..])));
    drop(scene.server);
}
