//! Playing: where players begin, what they are told, and what becomes of those that do not keep up.

mod control;
mod hold;
mod join;
pub(crate) mod slow;
mod tracks;

use media::Packet;
use testkit::{Player, PlayerEvent, Publisher, Source, SourceConfig};

use crate::publish::{bodies, recorded, relay};
use crate::support::recording;

/// A source with a key frame twice a second.
fn config() -> SourceConfig {
    SourceConfig { key_interval: 15, ..SourceConfig::default() }
}

fn source(seed: u32, count: usize) -> Vec<Packet> {
    Source::new(seed, config()).take(count).collect()
}

#[tokio::test]
async fn every_player_of_many_gets_everything() {
    const PLAYERS: usize = 100;
    let server = recording().start();
    let url = server.url("live/test");
    let sent = source(1, 300);
    let mut players = Vec::new();
    for _ in 0..PLAYERS {
        players.push(Player::connect(&url).await.unwrap());
    }
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    // All of them begin before there is more than one group of pictures.
    let (first, rest) = sent.split_at(4);
    relay(&mut publisher, &mut witness, first).await;
    let mut tasks = tokio::task::JoinSet::new();
    for mut player in players {
        let played = player.packets(first.len()).await;
        assert!(bodies(&played) == bodies(first));
        let rest = rest.to_vec();
        tasks.spawn(async move { assert!(bodies(&player.until_end().await) == bodies(&rest)) });
    }
    publisher.send_all(rest).await.unwrap();
    publisher.close().await.unwrap();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert!(bodies(&witness.until_end().await) == bodies(rest));
    testkit::flv::assert_recorded(&recorded(&server, "live/test"), &sent);
    let summary = server.wait_for_log("stream summary", &[]);
    assert_eq!(summary.field("players_peak").unwrap(), (PLAYERS + 1).to_string());
}

#[tokio::test]
async fn a_waiting_player_gets_each_run_with_its_own_headers() {
    let server = recording().start();
    let url = server.url("live/test");
    let mut player = Player::connect(&url).await.unwrap();
    let first = source(1, 60);
    let mut publisher = Publisher::connect(&url).await.unwrap();
    assert!(bodies(&relay(&mut publisher, &mut player, &first).await) == bodies(&first));
    publisher.close().await.unwrap();
    assert!(player.until_end().await.is_empty());

    // Another encoder: no metadata, no sound, other parameters, another clock.
    let other = SourceConfig { metadata: false, audio_kbps: 0, start_ms: 9_000_000, ..config() };
    let mut second: Vec<Packet> = Source::new(2, other).take(60).collect();
    let mut parameters = second[0].body.to_vec();
    parameters[9] ^= 0xff;
    second[0].body = parameters.into();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let (opening, rest) = second.split_at(2);
    publisher.send_all(opening).await.unwrap();
    assert_eq!(player.next().await, PlayerEvent::Begin);
    assert!(bodies(&player.packets(2).await) == bodies(opening));
    publisher.send_all(rest).await.unwrap();
    let played = player.packets(rest.len()).await;
    assert!(bodies(&played) == bodies(rest));
    assert_eq!(played[0].timestamp(), rest[0].timestamp());

    // Who comes now gets nothing of the first run.
    let mut late = Player::connect(&url).await.unwrap();
    assert!(bodies(&late.packets(1).await) == bodies(&second[..1]));
    publisher.close().await.unwrap();
    assert!(player.until_end().await.is_empty());
}
