//! Players that do not keep up: they lose whole groups of pictures, then their connection; nobody
//! else notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use media::{Kind, Packet, Role};
use testkit::client::Wire;
use testkit::flv::assert_recorded;
use testkit::server::LogLine;
use testkit::{Player, Publisher, Server, Source, SourceConfig, Stamp};
use tokio::net::TcpSocket;

use super::{bodies, recorded, relay};
use crate::files::judge::PATIENCE;
use crate::support::{BINARY, recording};

/// 20 Mbit/s: what no socket buffer holds much of.
pub(crate) fn config() -> SourceConfig {
    SourceConfig { video_kbps: 20_000, key_interval: 15, ..SourceConfig::default() }
}

/// A player whose system takes little that it has not read.
pub(crate) async fn narrow(server: &Server, name: &str) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8_192).unwrap();
    let mut wire = Wire::over(socket.connect(server.addr()).await.unwrap()).await.unwrap();
    wire.connect(vec![("app".to_owned(), "live".into())]).await.unwrap();
    wire.play(name).await.unwrap();
    wire
}

#[tokio::test]
async fn a_stopped_player_is_disconnected_and_nobody_else_notices() {
    let server = recording().args(["-play-timeout", "1s"]).start();
    // It may lose pictures before its time is over.
    server.allow("player too slow; groups of pictures passed over");
    let url = server.url("live/test");
    let stopped = narrow(&server, "test").await.into_socket();
    let peer = stopped.local_addr().unwrap().to_string();
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let sent: Vec<Packet> = Source::new(1, config()).take(603).collect();
    let (first, rest) = sent.split_at(63);
    assert!(bodies(&relay(&mut publisher, &mut witness, first).await) == bodies(first));
    let (middle, last) = rest.split_at(480);
    for part in middle.chunks(60) {
        publisher.send_all(part).await.unwrap();
        assert!(bodies(&witness.packets(part.len()).await) == bodies(part));
    }
    let reason = "player too slow for -play-timeout";
    server.wait_for_log("play ended", &[("reason", reason), ("peer", &peer)]);
    publisher.send_all(last).await.unwrap();
    assert!(bodies(&witness.packets(last.len()).await) == bodies(last));
    publisher.close().await.unwrap();
    assert_recorded(&recorded(&server, "live/test"), &sent);
    drop(stopped);
}

#[tokio::test]
async fn stopped_players_do_not_make_the_server_grow() {
    const PLAYERS: usize = 20;
    let server = Server::builder(BINARY)
        .args(["-play-timeout", "60s", "-play-buffer", "1MiB", "-join-buffer", "1MiB"])
        .start();
    server.allow("player too slow; groups of pictures passed over");
    let url = server.url("live/test");
    let mut stopped = Vec::new();
    for _ in 0..PLAYERS {
        stopped.push(narrow(&server, "test").await.into_socket());
    }
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    // Parts that are well below what a player may be behind by.
    let config = SourceConfig { video_kbps: 4_000, ..config() };
    let mut source = Source::new(1, config);
    let first: Vec<Packet> = source.by_ref().take(32).collect();
    relay(&mut publisher, &mut witness, &first).await;
    let before = server.usage();
    let mut bytes = 0;
    while bytes < 150 << 20 {
        let part: Vec<Packet> = source.by_ref().take(32).collect();
        bytes += part.iter().map(|packet| packet.body.len()).sum::<usize>();
        publisher.send_all(&part).await.unwrap();
        assert!(bodies(&witness.packets(part.len()).await) == bodies(&part));
    }
    let grown = server.usage().rss_peak_bytes.saturating_sub(before.rss_bytes) >> 20;
    // A group of pictures, what each of them has on its way, and what the allocator keeps.
    assert!(grown < 48, "{grown} MiB more than before");
    drop(stopped);
}

/// The frames of a source as they come, each by its number.
#[derive(Default)]
struct Follow {
    next: Option<u64>,
    /// Headers since the last frame.
    headers: usize,
    gaps: usize,
    missing: u64,
}

impl Follow {
    fn see(&mut self, packet: &Packet) {
        if !packet.is_media() {
            self.headers += 1;
            return;
        }
        let sequence = Stamp::read(&packet.body).unwrap().sequence;
        let missing = self.next.map_or(0, |next| sequence.checked_sub(next).expect("in order"));
        if missing > 0 {
            self.gaps += 1;
            self.missing += missing;
        }
        if missing > 0 || self.next.is_none() {
            assert_eq!(packet.role, Role::Key, "frame {sequence} after a gap of {missing}");
            assert_eq!(self.headers, 3, "metadata and configurations before it");
        }
        self.headers = 0;
        self.next = Some(sequence + 1);
    }
}

#[tokio::test]
async fn a_slow_player_loses_whole_groups_of_pictures_and_then_its_connection() {
    let server = Server::builder(BINARY)
        .args(["-play-timeout", "8s", "-play-buffer", "1MiB", "-join-buffer", "1MiB"])
        .start();
    server.allow("player too slow; groups of pictures passed over");
    let url = server.url("live/test");
    let mut wire = narrow(&server, "test").await;
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();

    // It reads a quarter of what is sent, however fast the machine is; once it has lost something, all up to there, which
    // is behind what was on its way.
    let (may_read, has_lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (most, lost) = (may_read.clone(), has_lost.clone());
    let slow = tokio::spawn(async move {
        let (mut follow, mut read) = (Follow::default(), 0);
        while let Some(message) = wire.next().await.unwrap() {
            let kind = match message.message_type {
                8 => Kind::Audio,
                9 => Kind::Video,
                18 if message.body.starts_with(b"\x02\x00\x0aonMetaData") => Kind::Data,
                _ => continue,
            };
            follow.see(&Packet::new(kind, message.timestamp.into(), message.body));
            read += 1;
            while read > most.load(Ordering::Relaxed)
                && !(lost.load(Ordering::Relaxed) && follow.gaps == 0)
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        follow
    });
    // Much at once, so that a slow machine sends more than a player may be behind by before its time is over; one part is less.
    let mut source = Source::new(1, SourceConfig { video_kbps: 8_000, ..config() });
    let mut all = Follow::default();
    let first: Vec<Packet> = source.by_ref().take(20).collect();
    let played = relay(&mut publisher, &mut witness, &first).await;
    played.iter().for_each(|packet| all.see(packet));
    let mut pace = tokio::time::interval(Duration::from_millis(4));
    let deadline = Instant::now() + PATIENCE;
    while !slow.is_finished() {
        assert!(Instant::now() < deadline, "it never was too slow");
        let part: Vec<Packet> = source.by_ref().take(32).collect();
        publisher.send_all(&part).await.unwrap();
        witness.packets(part.len()).await.iter().for_each(|packet| all.see(packet));
        may_read.fetch_add(part.len() / 4, Ordering::Relaxed);
        let is_lag = |line: &LogLine| line.message.starts_with("player too slow");
        has_lost.store(server.logs().iter().any(is_lag), Ordering::Relaxed);
        pace.tick().await;
    }
    assert_eq!(all.gaps, 0, "a player that keeps up loses nothing");
    let seen = slow.await.unwrap();
    assert!(seen.gaps > 0);
    let ended = server.wait_for_log("play ended", &[]);
    assert_eq!(ended.field("reason").unwrap(), "player too slow for -play-timeout");
    let lost: u64 = ended.field("lost_packets").unwrap().parse().unwrap();
    assert!(seen.missing <= lost, "{} were missing, {lost} are told", seen.missing);
    let warned = server.wait_for_log("player too slow; groups of pictures passed over", &[]);
    assert_eq!(warned.field("stream_key").as_deref(), Some("live/test"));
}
