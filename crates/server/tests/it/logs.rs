//! A log that cannot be written, or that nobody reads, ends no stream; a closed terminal ends none unfinished.
#![cfg(unix)]

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use media::Packet;
use testkit::client::Publisher;
use testkit::flv::assert_recorded;
use testkit::process::{self, Signal};
use testkit::server::DEADLINE;
use testkit::source::{Source, SourceConfig};

use crate::record::tree;
use crate::support::BINARY;

/// Kills the process when a test fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server whose log goes to `stderr`, and its address. That is given back before the server takes it: on a host of the
/// test's own, where no connection of another is given it meanwhile.
fn start(dir: &Path, host: u8, stderr: Stdio, level: &str) -> (Killed, SocketAddr) {
    let addr =
        TcpListener::bind((Ipv4Addr::new(127, 0, 9, host), 0)).unwrap().local_addr().unwrap();
    // A server under `nohup` is to ignore a hangup, and the tests may run under it.
    let child = Command::new("env")
        .args(["--default-signal=HUP", BINARY])
        .current_dir(dir)
        .args(["-listen", &addr.to_string(), "-record-all", "-log-level", level])
        .stdin(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap();
    (Killed(child), addr)
}

async fn connect(addr: SocketAddr) -> Publisher {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match Publisher::connect(&format!("rtmp://{addr}/live/test")).await {
            Ok(publisher) => return publisher,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn packets(seconds: i64) -> Vec<Packet> {
    let config = SourceConfig { video_kbps: 200, ..SourceConfig::default() };
    Source::new(1, config).take_while(|p| p.dts_ms < seconds * 1_000).collect()
}

/// Stops the server by `signal` and compares its one recording with what was sent.
fn finish(mut server: Killed, signal: Signal, dir: &Path, sent: &[Packet]) {
    process::signal(&server.0, signal).unwrap();
    let exit = process::wait(&mut server.0, DEADLINE).unwrap();
    assert_eq!(exit.and_then(|status| status.code()), Some(0));
    let dir = dir.join("recordings");
    let files: Vec<_> = tree(&dir).into_iter().collect();
    let [file] = &files[..] else { panic!("one recording, not {files:?}") };
    assert_recorded(&dir.join(file), sent);
}

#[test]
fn a_log_on_a_full_disk_ends_no_stream() {
    let dir = tempfile::tempdir().unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (server, addr) = start(dir.path(), 1, full.into(), "info");
    let sent = packets(3);
    testkit::block_on(async {
        let mut publisher = connect(addr).await;
        publisher.send_all(&sent[..100]).await.unwrap();
        let second = format!("rtmp://{addr}/live/test");
        assert!(Publisher::connect(&second).await.is_err(), "the name is taken");
        publisher.send_all(&sent[100..]).await.unwrap();
        publisher.close().await.unwrap();
    });
    finish(server, Signal::Terminate, dir.path(), &sent);
}

#[test]
fn a_log_that_nobody_reads_stops_no_stream() {
    let dir = tempfile::tempdir().unwrap();
    let (mut server, addr) = start(dir.path(), 2, Stdio::piped(), "debug");
    let unread = server.0.stderr.take();
    // Far more lines than a pipe and the queue of the log hold together.
    let sent = packets(400);
    assert!(sent.len() > 30_000);
    testkit::block_on(async {
        let mut publisher = connect(addr).await;
        publisher.send_all(&sent).await.unwrap();
        publisher.close().await.unwrap();
    });
    finish(server, Signal::Terminate, dir.path(), &sent);
    drop(unread);
}

#[test]
fn a_closed_terminal_finishes_every_file() {
    let dir = tempfile::tempdir().unwrap();
    let (server, addr) = start(dir.path(), 3, Stdio::null(), "info");
    let sent = packets(3);
    testkit::block_on(async {
        let mut publisher = connect(addr).await;
        publisher.send_all(&sent).await.unwrap();
        publisher.close().await.unwrap();
    });
    finish(server, Signal::Hangup, dir.path(), &sent);
}
