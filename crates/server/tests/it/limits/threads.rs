//! A system that gives no more threads, or open files.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use media::Packet;
use rustix::process::{Resource, getrlimit};
use testkit::{Player, Stamp, tools};

use super::*;
use crate::disk::user::{User, set_mode};
use crate::publish::bodies;
use crate::record::parts::{assert_joined, frames_of, parts};

/// Streams that come and go meanwhile.
const STORM: usize = 100;
const REFUSED: &str = "failed to create recorder";

#[tokio::test]
async fn a_storm_of_names_without_threads_is_live_and_recorded_as_soon_as_there_are_some() {
    // Root may have as many as there are.
    let user = User::unprivileged();
    let place = tempfile::tempdir().unwrap();
    set_mode(place.path(), 0o777);
    let builder = Server::builder(user.binary()).args(["-record-all", "true"]);
    // One says nothing while the others come and go.
    let builder = builder.args(["-publish-timeout", "10m"]);
    let builder = builder.record_dir(place.path().join("recordings"));
    let mut server = match user.id() {
        Some((uid, gid)) => builder.user(uid, gid).start(),
        None => builder.start(),
    };
    server.allow(REFUSED);
    let limit = |most: &str| {
        // Whose process it is may set it.
        let mut command = Command::new("prlimit");
        command.arg(format!("--pid={}", server.pid())).arg(format!("--nproc={most}:"));
        if let Some((uid, gid)) = user.id() {
            command.uid(uid).gid(gid);
        }
        let _ = tools::run(&mut command, testkit::server::DEADLINE).success();
    };
    let before = getrlimit(Resource::Nproc).current;
    limit("0");

    let sent = source(1, 600);
    let (first, rest) = sent.split_at(20);
    let mut stays = Publisher::connect(&server.url("live/stays")).await.unwrap();
    stays.send_all(first).await.unwrap();
    let mut player = Player::connect(&server.url("live/stays")).await.unwrap();
    assert!(bodies(&player.packets(first.len()).await) == bodies(first));
    for n in 0..STORM {
        let url = server.url(&format!("live/{n}"));
        let mut publisher = Publisher::connect(&url).await.unwrap();
        publisher.send_all(first).await.unwrap();
        publisher.close().await.unwrap();
    }
    for line in server.wait_for_logs(REFUSED, &[], STORM + 1) {
        let error = line.field("error").unwrap();
        assert!(error.starts_with("no thread for the recorder: "), "{error}");
    }
    assert!(server.recordings().is_empty());

    limit(&before.map_or("unlimited".to_owned(), |most| most.to_string()));
    server.wait_for_log("recorder initialized", &[("stream_key", "live/stays")]);
    stays.send_all(rest).await.unwrap();
    assert!(bodies(&player.packets(rest.len()).await) == bodies(rest));
    stays.close().await.unwrap();
    serves(&server, "live/after").await;
    server.stop();
    // From the newest key frame on it has all that came; each stream was told of once.
    let parts = parts(&server, "live/stays");
    let begins = frames_of(&parts)[0];
    let is_first = |packet: &Packet| {
        packet.is_media() && Stamp::read(&packet.body).is_ok_and(|stamp| stamp.sequence == begins)
    };
    assert_joined(&parts, &sent[sent.iter().position(is_first).unwrap()..]);
    let told = server.logs().iter().filter(|line| line.message == REFUSED).count();
    assert_eq!(told, STORM + 1);
}

/// What is said, in one line, where the system has a limit.
fn refused(limit: &str, args: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.args(["20", "prlimit", limit, crate::support::BINARY]).args(args);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn without_the_files_that_it_takes_it_says_so_and_ends() {
    let commands: [&[&str]; 4] = [
        &["-listen", "127.0.0.1:0", "-http-listen", "127.0.0.1:0"],
        &["status", "-once"],
        &["recordings", "list"],
        &["publish", "demo", "rtmp://127.0.0.1:1/live/test"],
    ];
    for command in commands {
        for files in [5, 6, 7, 8] {
            let said = refused(&format!("--nofile={files}:{files}"), command);
            let begins = format!("the system lets this process have {files} open files, ");
            assert!(said.starts_with(&format!("rtmp-server: {begins}")), "{said}");
            assert!(said.contains("`ulimit -n`"), "{said}");
        }
    }
}

#[test]
fn without_the_memory_that_threads_take_it_says_so_and_ends() {
    // With less than some amount the program does not come to say anything.
    let said = (32..400).step_by(2).find_map(|mb| {
        let mut command = Command::new("timeout");
        command.args(["20", "prlimit", &format!("--as={}", mb * 1_000_000)]);
        command.args([crate::support::BINARY, "status", "-once"]);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        said.starts_with("rtmp-server: ").then_some((output.status.code(), said))
    });
    let (code, said) = said.unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("rtmp-server: the system has too little memory for "), "{said}");
    assert!(said.contains("`ulimit -v`") && said.lines().count() == 1, "{said}");
}

#[test]
fn without_the_threads_that_a_start_takes_it_says_so_and_ends() {
    let user = User::unprivileged();
    // Fewer than the user has already, and than a start takes.
    let mut command = Command::new("timeout");
    command.args(["20", "prlimit", "--nproc=3:3"]).arg(user.binary());
    command.args(["-listen", "127.0.0.1:0", "-http-listen", "127.0.0.1:0"]);
    if let Some((uid, gid)) = user.id() {
        command.uid(uid).gid(gid);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("rtmp-server: the system gives fewer threads than "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
