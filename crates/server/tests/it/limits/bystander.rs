//! A publisher and a player that notice nothing of what others do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use media::Packet;
use testkit::client::{Wire, raw};
use testkit::flv::assert_recorded;
use testkit::{Player, Publisher, Server, Source, SourceConfig};

use super::hostile::{Noise, foreign, refused};
use super::{recorded, recording, settled};
use crate::publish::{bodies, relay};

/// Publishes in real time until `stop` and checks that the player gets all of it; what was sent.
async fn carry_on(
    mut publisher: Publisher,
    mut player: Player,
    stop: Arc<AtomicBool>,
) -> Vec<Packet> {
    let config = SourceConfig { key_interval: 30, ..SourceConfig::default() };
    let mut source = Source::new(1, config);
    let mut sent: Vec<Packet> = source.by_ref().take(10).collect();
    let played = relay(&mut publisher, &mut player, &sent).await;
    assert!(bodies(&played) == bodies(&sent));
    let mut pace = tokio::time::interval(Duration::from_millis(40));
    while !stop.load(Ordering::Relaxed) {
        let part: Vec<Packet> = source.by_ref().take(3).collect();
        publisher.send_all(&part).await.unwrap();
        let played = player.packets(part.len()).await;
        assert!(bodies(&played) == bodies(&part));
        sent.extend(part);
        pace.tick().await;
    }
    publisher.close().await.unwrap();
    assert!(player.until_end().await.is_empty());
    sent
}

/// Everything that others can do wrong, once.
async fn misbehave(server: &Server, round: u64) {
    let mut noise = Noise(round + 1);
    for bytes in foreign() {
        refused(server, &bytes).await;
    }
    // The name is taken, and stays so.
    Publisher::connect(&server.url("live/test")).await.unwrap_err();
    for name in ["a", "b"] {
        let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
        wire.publish(name).await.unwrap();
        let _ = wire.bytes(&noise.bytes(50_000)).await;
    }
    // A player and a publisher that are gone from one moment to the next.
    let player = Player::connect(&server.url("live/test")).await.unwrap();
    player.abort().unwrap();
    let mut publisher = Publisher::connect(&server.url("live/c")).await.unwrap();
    publisher.send_all(&super::source(2, 50)).await.unwrap();
    publisher.abort().unwrap();
    // Messages of nothing, a byte each.
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    wire.publish("d").await.unwrap();
    wire.bytes(&[6, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0]).await.unwrap();
    let _ = wire.bytes(&vec![0xc6; 100_000]).await;
    // A long one that never ends, and many that never begin.
    let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
    wire.publish("e").await.unwrap();
    wire.set_chunk_size(0xff_ffff).await.unwrap();
    let head = [7, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0];
    let _ = wire.bytes(&[head.as_slice(), &vec![0; 4 << 20]].concat()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(raw(server.addr()).await.unwrap());
    }
    let mut stopped = Vec::new();
    for _ in 0..10 {
        let player = Player::connect(&server.url("live/test")).await.unwrap();
        stopped.push(player.stall());
    }
    // Chunk sizes that are none.
    for size in [0, 0x8000_0000, u32::MAX] {
        let mut wire = Wire::connected(server.addr(), "live").await.unwrap();
        wire.set_chunk_size(size).await.unwrap();
        wire.closed().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_and_a_player_notice_nothing_of_others() {
    /// What one round leaves behind would be 4 MiB at least, if it left anything.
    const ROUNDS: u64 = 10;
    let mut server = recording().start();
    for message in ["connection closed: protocol error", "publish refused"] {
        server.allow(message);
    }
    let url = server.url("live/test");
    let player = Player::connect(&url).await.unwrap();
    let publisher = Publisher::connect(&url).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let bystanders = tokio::spawn(carry_on(publisher, player, stop.clone()));
    server.wait_for_log("recorder initialized", &[("stream_key", "live/test")]);
    let before = server.usage();
    // What the allocator keeps grows to its most in the first rounds.
    for round in 0..ROUNDS {
        misbehave(&server, round).await;
        settled(&server, before.descriptors).await;
    }
    let first = server.usage();
    for round in ROUNDS..2 * ROUNDS {
        misbehave(&server, round).await;
        settled(&server, before.descriptors).await;
    }
    let last = server.usage();
    stop.store(true, Ordering::Relaxed);
    let sent = bystanders.await.unwrap();
    assert_recorded(&recorded(&server, "live/test"), &sent);
    let grown = last.rss_bytes.saturating_sub(first.rss_bytes) >> 20;
    assert!(grown < 32, "{grown} MiB more after {ROUNDS} more rounds");
    server.stop();
    let is_bystander = |line: &testkit::server::LogLine| {
        line.message == "play ended" && line.field("reason").unwrap().contains("player")
    };
    let lost: Vec<_> = server.logs().into_iter().filter(is_bystander).collect();
    assert!(lost.iter().all(|line| line.field("lost_packets").as_deref() == Some("0")));
}
