//! Publishing: under which names, how it ends, and that everything passes through as it was sent.

mod ends;
mod enhanced;
mod messages;
mod names;
mod times;

use std::path::PathBuf;

use media::Packet;
use testkit::flv::assert_recorded;
use testkit::{Player, Publisher, Server, Source, SourceConfig};

use crate::support::recording;

/// The finished recording of a stream; waits for it.
pub(crate) fn recorded(server: &Server, key: &str) -> PathBuf {
    let line = server.wait_for_log("recorder closed", &[("stream_key", key)]);
    line.field("file").unwrap_or_else(|| panic!("no file in {line}")).into()
}

/// The first packets of a stream: metadata, configurations, pictures and sound.
pub(crate) fn source(seed: u32, count: usize) -> Vec<Packet> {
    Source::new(seed, SourceConfig::default()).take(count).collect()
}

/// What a packet is, without its time.
pub(crate) fn bodies(packets: &[Packet]) -> Vec<&[u8]> {
    packets.iter().map(|packet| packet.body.as_ref()).collect()
}

/// Publishes to a player that waits, and returns what it gets. What is sent begins with headers in
/// the order of players, and a packet to start at.
pub(crate) async fn relay(
    publisher: &mut Publisher,
    player: &mut Player,
    sent: &[Packet],
) -> Vec<Packet> {
    // A player that joins while more than one group of pictures is there begins with the newest.
    let first = sent.iter().position(Packet::is_media).unwrap() + 1;
    publisher.send_all(&sent[..first]).await.unwrap();
    let mut played = player.packets(first).await;
    publisher.send_all(&sent[first..]).await.unwrap();
    played.extend(player.packets(sent.len() - first).await);
    played
}

/// Publishes to a player that waits, and compares what it gets and what is in the file with what
/// was sent. See [`relay`] for how that has to begin.
async fn passes_through(server: &Server, key: &str, sent: &[Packet]) {
    let url = server.url(key);
    let mut player = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let played = relay(&mut publisher, &mut player, sent).await;
    publisher.close().await.unwrap();
    assert!(player.until_end().await.is_empty(), "{key}: more than was sent");
    assert!(bodies(&played) == bodies(sent), "{key}: played is not what was sent");
    for (played, sent) in played.iter().zip(sent).filter(|(_, sent)| sent.is_media()) {
        assert_eq!(played.timestamp(), sent.timestamp(), "{key}: {:?}", sent.role);
    }
    assert_recorded(&recorded(server, key), sent);
}

#[tokio::test]
async fn two_hundred_publishers_at_once_are_each_recorded_whole() {
    const PUBLISHERS: u32 = 200;
    // Nobody sends before all are connected.
    let server = recording().args(["-publish-timeout", "10m"]).start();
    let config = SourceConfig { video_kbps: 400, ..SourceConfig::default() };
    let packets = |seed| Source::new(seed, config.clone()).take(150).collect::<Vec<_>>();
    let mut publishers = Vec::new();
    for seed in 0..PUBLISHERS {
        publishers.push(Publisher::connect(&server.url(&format!("live/{seed}"))).await.unwrap());
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (seed, mut publisher) in (0..).zip(publishers) {
        let sent = packets(seed);
        tasks.spawn(async move {
            // In parts, so that all of them are under way at any time.
            for part in sent.chunks(10) {
                publisher.send_all(part).await.unwrap();
            }
            publisher.close().await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for seed in 0..PUBLISHERS {
        assert_recorded(&recorded(&server, &format!("live/{seed}")), &packets(seed));
    }
}
