//! Where a player that comes late begins.

use media::{Kind, Packet, Role};
use testkit::{Player, Publisher, Source, SourceConfig};

use super::{bodies, config, relay, source};
use crate::support::recording;

/// Publishes `sent` and lets a player join, which has to get the headers, then `sent` from `from`
/// on; then both get `more` alike.
async fn joins_at(sent: &[Packet], headers: usize, from: usize, more: &[Packet]) {
    let server = recording().start();
    let url = server.url("live/test");
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    relay(&mut publisher, &mut witness, sent).await;

    let mut late = Player::connect(&url).await.unwrap();
    let got = late.packets(headers + sent.len() - from).await;
    let (first, rest) = got.split_at(headers);
    assert!(bodies(first) == bodies(&sent[..headers]), "metadata and configurations first");
    let is_right = |header: &Packet| match header.kind {
        // FFmpeg takes metadata of any other time for subtitles.
        Kind::Data => header.timestamp() == 0,
        _ => header.timestamp() == sent[from].timestamp(),
    };
    assert!(first.iter().all(is_right));
    assert!(bodies(rest) == bodies(&sent[from..]), "then from where one can start");
    publisher.send_all(more).await.unwrap();
    publisher.close().await.unwrap();
    for player in [&mut witness, &mut late] {
        let played = player.until_end().await;
        assert!(bodies(&played) == bodies(more));
        let times = |packets: &[Packet]| packets.iter().map(Packet::timestamp).collect::<Vec<_>>();
        assert_eq!(times(&played), times(more));
    }
}

#[tokio::test]
async fn a_late_player_starts_with_the_headers_and_the_newest_key_frame() {
    let packets = source(1, 400);
    let (sent, more) = packets.split_at(250);
    let key = sent.iter().rposition(|packet| packet.role == Role::Key).unwrap();
    assert!(key > 200 && key < 249, "in the middle of a group of pictures");
    joins_at(sent, 3, key, more).await;
}

#[tokio::test]
async fn a_late_player_of_pictures_alone_starts_at_a_key_frame() {
    let config = SourceConfig { audio_kbps: 0, b_frames: 2, ..config() };
    let packets: Vec<Packet> = Source::new(1, config).take(150).collect();
    let (sent, more) = packets.split_at(100);
    let key = sent.iter().rposition(|packet| packet.role == Role::Key).unwrap();
    joins_at(sent, 2, key, more).await;
}

#[tokio::test]
async fn a_late_player_of_sound_alone_starts_near_the_end() {
    let server = recording().start();
    let url = server.url("live/test");
    let config = SourceConfig { video_kbps: 0, ..config() };
    let packets: Vec<Packet> = Source::new(1, config).take(600).collect();
    let (sent, more) = packets.split_at(500);
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    relay(&mut publisher, &mut witness, sent).await;

    let mut late = Player::connect(&url).await.unwrap();
    let got = late.packets(3).await;
    assert!(bodies(&got[..2]) == bodies(&sent[..2]), "metadata and configuration first");
    let from = sent.iter().position(|packet| packet.body == got[2].body).unwrap();
    let behind_ms = sent.last().unwrap().dts_ms - sent[from].dts_ms;
    assert!(behind_ms <= 1_100, "{behind_ms} ms behind");
    publisher.send_all(more).await.unwrap();
    publisher.close().await.unwrap();
    assert!(bodies(&late.until_end().await) == bodies(&packets[from + 1..]));
}

#[tokio::test]
async fn a_player_that_joins_before_the_first_key_frame_waits_for_it() {
    let server = recording().start();
    let url = server.url("live/test");
    let packets = source(1, 120);
    let key = |n: usize| {
        let keys = packets.iter().enumerate().filter(|(_, packet)| packet.role == Role::Key);
        keys.map(|(i, _)| i).nth(n).unwrap()
    };
    // An encoder that was running when its connection came back: it begins with an interframe.
    let mut player = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    publisher.send_all(&packets[..3]).await.unwrap();
    publisher.send_all(&packets[key(0) + 1..key(2)]).await.unwrap();
    let played = player.packets(3 + key(2) - key(1)).await;
    assert!(bodies(&played[..3]) == bodies(&packets[..3]));
    assert!(bodies(&played[3..]) == bodies(&packets[key(1)..key(2)]));
    publisher.send_all(&packets[key(2)..]).await.unwrap();
    publisher.close().await.unwrap();
    assert!(bodies(&player.until_end().await) == bodies(&packets[key(2)..]));
}

#[tokio::test]
async fn a_new_configuration_reaches_players_in_its_place_and_late_ones_at_once() {
    let server = recording().start();
    let url = server.url("live/test");
    let mut sent = source(1, 200);
    let key = sent.iter().rposition(|packet| packet.role == Role::Key).unwrap();
    let mut parameters = sent[1].body.to_vec();
    parameters[9] ^= 0xff;
    let changed = Packet { body: parameters.into(), dts_ms: sent[key].dts_ms, ..sent[1].clone() };
    sent.insert(key, changed.clone());
    let mut early = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let played = relay(&mut publisher, &mut early, &sent).await;
    assert!(bodies(&played) == bodies(&sent));

    let mut late = Player::connect(&url).await.unwrap();
    let got = late.packets(4).await;
    let headers = [sent[0].clone(), changed, sent[2].clone()];
    assert!(bodies(&got[..3]) == bodies(&headers));
    assert!(got[3].body == sent[key + 1].body);
}
