//! A publisher and a player that notice nothing of others, and a process that keeps nothing of
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use media::Packet;
use testkit::flv::assert_recorded;
use testkit::process::Usage;
use testkit::server::{Builder, DEADLINE};
use testkit::{Player, Publisher, Server, Source, SourceConfig};

use crate::limits::settled;
use crate::publish::{bodies, recorded, relay};

/// What the bystander publishes.
pub(super) const STREAM: &str = "live/test";
/// How often each attack is made at least: what stays behind the first time may be a cache.
const ROUNDS: usize = 2;
/// How often at most. How much a crowd needs at once depends on which of it run side by side, so
/// one round may need more than those before it; what grows with each is a leak.
const ROUNDS_MAX: usize = 5;
/// What may stay of the first round: the allocator keeps pages for the next crowd.
const KEPT_MAX: u64 = 64 << 20;
/// What may come with each round after the first one, in the mean: the process grows in lumps, and what is kept of one
/// round may go into pages that another one has left. So of the 25,000 connects of `storms` 600 bytes that are kept of
/// each are found (15 MB a round; 250 in the long run), and of a crowd of 100 60 KB of each.
const GROWTH_MAX: u64 = 6 << 20;
/// The longest that the player may wait for what was published, as in the soak: below 1.5 s of all attacks but the
/// one that says otherwise, on two cores at a load of 11.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// What a peer's behaviour is allowed to be told as.
const TOLD: [&str; 6] = [
    "connection closed: protocol error",
    "connection refused",
    "publish refused",
    "play refused",
    "player too slow; groups of pictures passed over",
    "HTTP connection refused: too many",
];

/// Starts a server and has a stream go through it in real time, to a player and to a file, while
/// `attack` is made: with the number of the round. Checks that the player gets and the file has all
/// that was sent, bit for bit and without a silence, and that memory, descriptors and threads are back where they were.
/// Recordings wait for nobody, so that they end with their publishers.
pub(super) async fn unharmed(builder: Builder, attack: impl AsyncFn(&Server, u64)) {
    unharmed_within(SILENCE_MAX, builder, attack).await;
}

/// The same, whose player may have to wait for longer.
pub(super) async fn unharmed_within(
    silence_max: Duration,
    builder: Builder,
    attack: impl AsyncFn(&Server, u64),
) {
    let mut server = builder.args(["-record-all", "true", "-record-rejoin", "0"]).start();
    TOLD.iter().for_each(|message| server.allow(message));
    let url = server.url(STREAM);
    let player = Player::connect(&url).await.unwrap();
    let publisher = Publisher::connect(&url).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let bystanders = tokio::spawn(carry_on(publisher, player, stop.clone()));
    server.wait_for_log("recorder initialized", &[("stream_key", STREAM)]);
    let before = server.usage();
    let mut after: Vec<Usage> = Vec::new();
    while after.len() < ROUNDS || has_grown(&after) {
        assert!(after.len() < ROUNDS_MAX, "memory grows with each round: {before:?} {after:?}");
        attack(&server, after.len() as u64).await;
        settled(&server, before.descriptors).await;
        after.push(server.usage());
    }
    assert!(after[0].rss_bytes <= before.rss_bytes + KEPT_MAX, "{before:?} {after:?}");
    threads_settled(&server, before.threads).await;
    stop.store(true, Ordering::Relaxed);
    let (sent, silence) = bystanders.await.unwrap();
    println!("longest silence of the bystander: {silence:?}; memory: {before:?} {after:?}");
    assert!(silence < silence_max, "the player waited for {silence:?}");
    assert_recorded(&recorded(&server, STREAM), &sent);
    server.stop();
}

/// Checks that since it had `before` bytes the server has never had `max` MiB more.
pub(super) fn assert_peak(server: &Server, before: u64, max: u64) {
    let grown = server.usage().rss_peak_bytes.saturating_sub(before) >> 20;
    assert!(grown < max, "{grown} MiB more at its most");
}

/// Publishes in real time until `stop` and checks that the player gets all of it; what was sent, and the
/// longest that some of it took to arrive.
async fn carry_on(
    mut publisher: Publisher,
    mut player: Player,
    stop: Arc<AtomicBool>,
) -> (Vec<Packet>, Duration) {
    let config = SourceConfig { key_interval: 30, ..SourceConfig::default() };
    let mut source = Source::new(1, config);
    let mut sent: Vec<Packet> = source.by_ref().take(10).collect();
    let played = relay(&mut publisher, &mut player, &sent).await;
    assert!(bodies(&played) == bodies(&sent));
    let mut pace = tokio::time::interval(Duration::from_millis(40));
    let mut silence = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let part: Vec<Packet> = source.by_ref().take(3).collect();
        let begun = Instant::now();
        publisher.send_all(&part).await.unwrap();
        let played = player.packets(part.len()).await;
        silence = silence.max(begun.elapsed());
        assert!(bodies(&played) == bodies(&part), "a gap");
        sent.extend(part);
        pace.tick().await;
    }
    publisher.close().await.unwrap();
    assert!(player.until_end().await.is_empty());
    (sent, silence)
}

/// Threads that wait for disks end when they have had nothing to do for 10 s.
async fn threads_settled(server: &Server, threads: usize) {
    let fewer = async {
        while server.usage().threads > threads {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, fewer).await;
    assert!(waited.is_ok(), "{} threads, there were {threads}", server.usage().threads);
}

/// Whether the rounds after the first one have left more than they may.
fn has_grown(after: &[Usage]) -> bool {
    let [first, later @ .., last] = after else { return false };
    let rounds = later.len() as u64 + 1;
    last.rss_bytes > first.rss_bytes + rounds * GROWTH_MAX
}
