//! A viewer that takes little: it goes on at a key frame, and nobody else notices.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use media::flv::scan::Item;
use media::{Kind, Role};
use testkit::http::Body;
use testkit::{Player, Stamp};

use super::*;
use crate::files::judge;
use crate::publish::bodies;

/// A body of which a quarter of what was sent is read at most, however fast the machine is.
struct Slow<R> {
    body: R,
    sent: Arc<AtomicU64>,
    read: u64,
}

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.read > self.sent.load(Ordering::Relaxed) / 4 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let n = into.len().min(16 << 10);
        let n = self.body.read(&mut into[..n])?;
        self.read += n as u64;
        Ok(n)
    }
}

fn narrow(http: &Http) -> TcpStream {
    let socket = http.connect();
    socket2::SockRef::from(&socket).set_recv_buffer_size(8_192).unwrap();
    socket
}

/// Parts of 32 packets are well below what a player may be behind by.
fn config() -> SourceConfig {
    SourceConfig { video_kbps: 4_000, key_interval: 15, ..SourceConfig::default() }
}

/// A server whose players lag, and say so.
fn lagging(args: &[&str]) -> Server {
    let server = builder().args(args).start();
    server.allow("player too slow; groups of pictures passed over");
    server
}

/// Publishes for a viewer that does not keep up, until `is_over`, while a player gets all of it. Tells how many bytes
/// were sent, and at the end that nothing more is to be waited for.
async fn overrun<T>(
    server: &Server,
    join: impl FnOnce(&Http) -> T,
    is_over: impl Fn() -> bool,
    sent: &AtomicU64,
) -> T {
    let mut source = Source::new(1, config());
    let first: Vec<_> = source.by_ref().take(OPENING).collect();
    let mut publisher = begin(server, "live/test", &first).await;
    let viewer = join(&server.api());
    let mut witness = Player::connect(&server.url("live/test")).await.unwrap();
    assert!(bodies(&witness.packets(first.len()).await) == bodies(&first));
    let deadline = Instant::now() + judge::PATIENCE;
    while !is_over() {
        let part: Vec<_> = source.by_ref().take(32).collect();
        publisher.send_all(&part).await.unwrap();
        assert!(bodies(&witness.packets(part.len()).await) == bodies(&part));
        assert!(Instant::now() < deadline, "it never was too slow");
        let bytes: usize = part.iter().map(|packet| packet.body.len()).sum();
        sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    publisher.close().await.unwrap();
    sent.store(u64::MAX, Ordering::Relaxed);
    viewer
}

/// What a viewer of a path makes of a body that it reads slowly, and that passes something over.
fn lag<T: Send + 'static>(
    server: &Server,
    path: &str,
    watch: impl FnOnce(Slow<Body>) -> T + Send + 'static,
) -> T {
    let sent = Arc::<AtomicU64>::default();
    let join = |http: &Http| {
        let body = Slow { body: http.open(path), sent: sent.clone(), read: 0 };
        std::thread::spawn(move || watch(body))
    };
    let lagged = || server.logs().iter().any(|line| line.message.contains("too slow"));
    let watched = testkit::block_on(overrun(server, join, lagged, &sent)).join().unwrap();
    let ended = server.wait_for_log("play ended", &[("reason", "the stream is over")]);
    assert!(ended.field("lost_packets").unwrap().parse::<u64>().unwrap() > 0);
    watched
}

#[test]
fn a_slow_viewer_loses_whole_groups_of_pictures_and_others_nothing() {
    let mut server =
        lagging(&["-play-timeout", "60s", "-play-buffer", "1MiB", "-join-buffer", "1MiB"]);
    let gaps = lag(&server, "/live/live/test.flv", |body| {
        let (mut next, mut headers, mut gaps) = (None, 0, 0);
        let read = testkit::flv::scan_from(body, |item| {
            let Item::Tag(tag) = item else {
                return assert!(matches!(item, Item::Header(_)), "{item:?}");
            };
            if !tag.packet.is_media() {
                headers += 1;
                return;
            }
            let sequence = Stamp::read(&tag.packet.body).unwrap().sequence;
            if next != Some(sequence) {
                assert_eq!((tag.packet.role, headers), (Role::Key, 3), "frame {sequence}");
                gaps += usize::from(next.is_some());
            }
            (headers, next) = (0, Some(sequence + 1));
        });
        read.unwrap();
        gaps
    });
    assert!(gaps > 0);
    server.stop();
}

#[test]
fn a_viewer_that_takes_nothing_is_given_up() {
    let mut server = lagging(&["-play-timeout", "1s"]);
    let join = |http: &Http| http.open_over(narrow(http), "/live/live/test.flv");
    let ended = || server.logs().iter().any(|line| line.message == "play ended");
    let stopped = testkit::block_on(overrun(&server, join, ended, &AtomicU64::default()));
    server.wait_for_log("play ended", &[("reason", "player too slow for -play-timeout")]);
    drop(stopped);
    server.stop();
}

#[test]
fn a_viewer_of_mp4_that_is_overrun_goes_on_at_a_key_frame() {
    let mut server = lagging(&["-play-timeout", "60s"]);
    let found = lag(&server, "/live/live/test.mp4", |mut body| {
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).unwrap();
        samples::read(&bytes)
    });
    // Steps of a frame, and those of a loss: behind each is a picture that needs no other (NAL type 5).
    let pictures = &found[&Kind::Video];
    let steps = pictures.windows(2).filter(|pair| pair[1].time_ms - pair[0].time_ms > 100);
    let behind: Vec<u8> = steps.map(|pair| pair[1].data[4] & 0x1f).collect();
    assert!(!behind.is_empty() && behind.iter().all(|kind| *kind == 5), "{behind:?}");
    server.stop();
}
