//! Players over a publisher's absence (`-play-hold`).

use std::process::Command;

use media::{Kind, Packet, Role};
use testkit::flv::Flv;
use testkit::tools::Running;
use testkit::{Player, PlayerEvent, Publisher, Server, Source, SourceConfig};

use super::{bodies, config, relay, source};
use crate::files::judge::{self, PATIENCE};
use crate::files::sender::{self, Sender};
use crate::support::BINARY;

fn holding(time: &str) -> Server {
    Server::builder(BINARY).args(["-play-hold", time]).start()
}

/// Publishes as a whole to a player, which gets all of it, and waits until the server knows that
/// the publisher is gone: for the `run`th time.
async fn publish(server: &Server, player: &mut Player, sent: &[Packet], run: usize) -> Vec<Packet> {
    let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
    let played = relay(&mut publisher, player, sent).await;
    publisher.close().await.unwrap();
    server.wait_for_logs("publish ended", &[], run);
    played
}

/// The next packets, with nothing told between them.
async fn packets_alone(player: &mut Player, count: usize) -> Vec<Packet> {
    let mut packets = Vec::new();
    while packets.len() < count {
        match player.next().await {
            PlayerEvent::Packet(packet) => packets.push(packet),
            told => panic!("{told:?} after {} packets", packets.len()),
        }
    }
    packets
}

fn media(packets: &[Packet]) -> impl Iterator<Item = &Packet> {
    packets.iter().filter(|packet| packet.is_media())
}

/// The encoder after it was started anew: another clock, another size of pictures.
fn second() -> Vec<Packet> {
    let other = SourceConfig { start_ms: 9_000_000, ..config() };
    let mut packets: Vec<Packet> = Source::new(2, other).take(120).collect();
    let mut parameters = packets[1].body.to_vec();
    parameters[9] ^= 0xff;
    packets[1].body = parameters.into();
    packets
}

/// That a run goes on for another: all of it is shifted alike, to after what was played before.
fn assert_goes_on(before: &[Packet], played: &[Packet], sent: &[Packet]) {
    let newest_ms = media(before).map(|packet| packet.dts_ms).max().unwrap();
    let shift = |(played, sent): (&Packet, &Packet)| played.dts_ms - sent.dts_ms;
    let mut shifts = media(played).zip(media(sent)).map(shift);
    let first = shifts.next().unwrap();
    assert!(shifts.all(|shift| shift == first), "sound and pictures are shifted alike");
    let early = played.iter().find(|packet| packet.dts_ms <= newest_ms);
    assert!(early.is_none(), "{:?} is not after {newest_ms} ms", early.map(|p| p.dts_ms));
}

#[tokio::test]
async fn a_held_player_goes_on_with_the_next_run_at_a_key_frame_and_its_own_time() {
    let mut server = holding("1h");
    let mut player = Player::connect(&server.url("live/test")).await.unwrap();
    let first = publish(&server, &mut player, &source(1, 60), 1).await;

    // The encoder goes on in mid-group: its first pictures are of no use.
    let second = second();
    let keys = second.iter().enumerate().filter(|(_, packet)| packet.role == Role::Key);
    let key = keys.map(|(i, _)| i).nth(1).unwrap();
    let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
    publisher.send_all(&second[..3]).await.unwrap();
    publisher.send_all(&second[5..]).await.unwrap();
    let played = packets_alone(&mut player, 3 + second.len() - key).await;
    assert!(bodies(&played[..3]) == bodies(&second[..3]), "all its headers first");
    assert!(bodies(&played[3..]) == bodies(&second[key..]));
    assert_eq!(played[3].role, Role::Key);
    assert_goes_on(&first, &played, &second[key..]);
    publisher.close().await.unwrap();
    server.wait_for_logs("publish ended", &[], 2);

    // And once more.
    let third = source(3, 60);
    let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
    let (opening, rest) = third.split_at(4);
    publisher.send_all(opening).await.unwrap();
    let mut again = packets_alone(&mut player, opening.len()).await;
    publisher.send_all(rest).await.unwrap();
    again.extend(packets_alone(&mut player, rest.len()).await);
    assert!(bodies(&again) == bodies(&third));
    assert_goes_on(&played, &again, &third);
    publisher.close().await.unwrap();
    server.wait_for_logs("publish ended", &[], 3);

    // A stop waits for nobody to come back.
    server.stop();
    assert!(player.until_end().await.is_empty());
}

#[tokio::test]
async fn a_run_without_anything_to_start_at_ends_no_hold() {
    let mut server = holding("1h");
    let mut player = Player::connect(&server.url("live/test")).await.unwrap();
    let first = publish(&server, &mut player, &source(1, 60), 1).await;
    let second = second();
    let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
    publisher.send_all(&second[..3]).await.unwrap();
    publisher.close().await.unwrap();
    server.wait_for_logs("publish ended", &[], 2);
    let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
    publisher.send_all(&second[..10]).await.unwrap();
    let played = packets_alone(&mut player, 10).await;
    assert!(bodies(&played) == bodies(&second[..10]));
    assert_goes_on(&first, &played, &second);
    server.stop();
}

#[tokio::test]
async fn a_player_whose_publisher_does_not_return_is_told_the_end_and_begins_anew_later() {
    let server = holding("100ms");
    let mut player = Player::connect(&server.url("live/test")).await.unwrap();
    publish(&server, &mut player, &source(1, 60), 1).await;
    assert_eq!(player.next().await, PlayerEvent::End);
    let second = second();
    let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
    publisher.send_all(&second[..4]).await.unwrap();
    assert_eq!(player.next().await, PlayerEvent::Begin);
    let played = player.packets(4).await;
    assert!(bodies(&played) == bodies(&second[..4]));
    assert_eq!(played[3].timestamp(), second[3].timestamp(), "the publisher's own time");
}

#[tokio::test]
async fn without_a_hold_the_end_is_told_at_once() {
    let server = holding("0");
    let mut player = Player::connect(&server.url("live/test")).await.unwrap();
    publish(&server, &mut player, &source(1, 60), 1).await;
    assert_eq!(player.next().await, PlayerEvent::End);
}

#[test]
fn ffmpeg_plays_on_when_the_publisher_is_back() {
    let Some([ffmpeg]) = judge::programs(["ffmpeg"]) else { return };
    let mut server = holding("5s");
    let dump = server.dir().join("dump.flv");
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-v", "warning", "-i"]).arg(server.url("live/test"));
    let player = Running::start(command.args(["-c", "copy"]).arg(&dump));
    server.wait_for_log("play started", &[]);
    for run in 1..=2 {
        Sender::start(&server.url("live/test"), sender::clip(), 4).finish();
        server.wait_for_logs("publish ended", &[], run);
    }
    // It ends when the hold does.
    let output = player.wait(PATIENCE).success();
    // It takes metadata that comes later than at 0 for a stream of text, and leaves it alone.
    let mut said = output.stderr.lines().filter(|line| !line.contains("New subtitle stream"));
    assert_eq!(said.next(), None, "{}", output.stderr);
    let flv = Flv::read(&dump).unwrap();
    assert_eq!(flv.faults, []);
    let dumped = flv.packets();
    for kind in [Kind::Audio, Kind::Video] {
        let of = |packets: &[Packet]| -> Vec<Packet> {
            media(packets).filter(|packet| packet.kind == kind).cloned().collect()
        };
        let clip = of(&sender::clip());
        let dumped = of(&dumped);
        let twice = [&clip[..], &clip[..]].concat();
        assert!(bodies(&dumped) == bodies(&twice), "{}: all of both runs", kind.name());
        assert!(dumped.is_sorted_by_key(|packet| packet.dts_ms), "{}", kind.name());
    }
    server.stop();
}
