//! `rtmp-server pull`

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use testkit::tools::Running;
use testkit::{Server, block_on, flv};

use super::{TIMEOUT, code, command, error_line, run};
use crate::record::{Live, assert_finished, recorded, small, tree, wait_until};
use crate::support::BINARY;

/// A server, and a pull that waits there for a stream which does not exist yet.
struct Pull {
    server: Server,
    dir: TempDir,
    file: PathBuf,
    running: Running,
}

impl Pull {
    fn start() -> Self {
        let server = Server::builder(Path::new(BINARY)).http().start();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pulled.flv");
        let url = server.url("live/test");
        let running =
            Running::start(&mut command(["pull".as_ref(), url.as_ref(), file.as_os_str()]));
        server.wait_for_log("play started", &[("stream_key", "live/test")]);
        Self { server, dir, file, running }
    }

    /// The stream, as far as it has begun to be recorded.
    async fn begin(&self) -> Live {
        let mut live = Live::start(&self.server.url("live/test"), 1, small()).await;
        // No more than one group of pictures, until it has joined.
        live.send(8).await;
        wait_until("the pull has begun", || recorded(&self.file) > 0);
        live
    }

    /// Sends so many packets more, and waits until they are in the file.
    async fn send(&self, live: &mut Live, packets: usize) {
        live.send(packets).await;
        let most = live.sent.len() - 1;
        wait_until("all of it is in the file", || recorded(&self.file) >= most);
    }
}

#[test]
fn a_stream_that_is_waited_for_is_recorded_as_it_is() {
    let mut pull = Pull::start();
    let sent = block_on(async {
        let mut live = pull.begin().await;
        live.send(600).await;
        live.finish().await
    });
    let output = pull.running.wait(TIMEOUT).success();
    assert!(output.stderr.contains("recorded "), "{}", output.stderr);
    pull.server.stop();
    assert_finished(&pull.file, &sent);
}

#[test]
fn a_file_that_exists_is_not_touched() {
    let server = Server::start(Path::new(BINARY));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("theirs.flv");
    std::fs::write(&file, "theirs").unwrap();
    let line = error_line(&run(["pull", &server.url("live/test"), file.to_str().unwrap()]), 1);
    assert!(line.contains("theirs.flv") && line.contains("exists"), "{line}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "theirs");
    assert!(server.logs().iter().all(|line| line.message != "play started"), "not even asked for");
}

#[test]
fn ctrl_c_ends_a_pull_and_finishes_its_file() {
    let pull = Pull::start();
    let mut server = block_on(async {
        let mut live = pull.begin().await;
        pull.send(&mut live, 300).await;
        let output = pull.running.interrupt(TIMEOUT);
        assert_eq!(code(&output), Some(0), "{}", output.stderr);
        assert_finished(&pull.file, &live.sent);
        // Others have not noticed.
        live.send(100).await;
        live.finish().await;
        pull.server
    });
    server.stop();
}

#[test]
fn ctrl_c_before_a_stream_has_begun_leaves_no_file() {
    let mut pull = Pull::start();
    let output = pull.running.interrupt(TIMEOUT);
    assert_eq!(code(&output), Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("nothing was recorded"), "{}", output.stderr);
    pull.server.stop();
    assert!(tree(pull.dir.path()).is_empty());
}

#[test]
fn a_pull_that_gets_nothing_gives_up() {
    let mut server = Server::start(Path::new(BINARY));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pulled.flv");
    let url = server.url("live/test?token=secret");
    let output = run(["pull", "-timeout", "300ms", &url, file.to_str().unwrap()]);
    assert_eq!(code(&output), Some(1), "{}", output.stderr);
    let last = output.stderr.lines().last().unwrap();
    assert_eq!(last, "rtmp-server: live/test did not begin within 0.3 s (-timeout)");
    assert!(!output.stderr.contains("secret"), "{}", output.stderr);
    server.stop();
    assert!(tree(dir.path()).is_empty());
}

#[test]
fn a_pull_whose_server_dies_keeps_what_it_has() {
    let mut pull = Pull::start();
    let sent = block_on(async {
        let mut live = pull.begin().await;
        pull.send(&mut live, 300).await;
        pull.server.kill();
        live.sent
    });
    let output = pull.running.wait(TIMEOUT);
    assert_eq!(code(&output), Some(1), "{}", output.stderr);
    let last = output.stderr.lines().last().unwrap();
    assert!(last.starts_with("rtmp-server: "), "{}", output.stderr);
    flv::assert_recorded(&pull.file, &sent);
    assert_finished(&pull.file, &sent);
}

#[test]
fn a_pull_that_is_kicked_says_so_and_keeps_what_it_has() {
    let pull = Pull::start();
    let sent = block_on(async {
        let mut live = pull.begin().await;
        pull.send(&mut live, 300).await;
        let http = pull.server.api();
        let stream = http.get("/api/v1/streams/live%2Ftest").ok();
        let id = &stream["players"]["list"][0]["id"];
        let path = format!("/api/v1/streams/live%2Ftest/players/{id}");
        assert_eq!(http.send("DELETE", &path, None).status, 204);
        live.sent
    });
    let output = pull.running.wait(TIMEOUT);
    assert_eq!(code(&output), Some(1), "{}", output.stderr);
    let last = output.stderr.lines().last().unwrap();
    assert!(last.ends_with("ended by the operator of the server"), "{}", output.stderr);
    assert_finished(&pull.file, &sent);
}
