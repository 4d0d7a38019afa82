//! The log lines of the contract, letter by letter.

use std::path::Path;

use bytes::Bytes;
use media::{Kind, Packet};
use testkit::{Publisher, Server, block_on};

use super::plain::Plain;
use super::{closed, packets, publish, small, tree};
#[cfg(unix)]
use crate::disk::user::{User, set_mode};
use crate::support::{BINARY, recording};

async fn publish_to(url: &str, sent: &[Packet]) {
    let mut publisher = Publisher::connect(url).await.unwrap();
    publisher.send_all(sent).await.unwrap();
    publisher.close().await.unwrap();
}

#[test]
fn a_recording_is_told_in_three_lines() {
    let mut server = Plain::start(&["-record-all", "true", "-log-format", "text"], |_, _| {});
    let sent = packets(1, small(), 60);
    block_on(publish_to(&server.url("live/test"), &sent));
    let closed = server.wait_for("recorder closed");
    let files: Vec<_> = tree(&server.dir().join("recordings")).into_iter().collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let name = file.to_str().unwrap();
    assert!(closed.starts_with("INFO recorder closed stream_key=live/test "), "{closed}");
    let lines = server.stop();
    let started = "INFO recording started stream_key=live/test record_dir=./recordings";
    let initialized =
        format!("INFO recorder initialized stream_key=live/test file=./recordings/{name}");
    let place = |wanted: &str| {
        let found = lines.iter().position(|line| line == wanted);
        found.unwrap_or_else(|| panic!("no line {wanted:?}:\n{}", lines.join("\n")))
    };
    let published = lines.iter().position(|line| line.contains("publish started")).unwrap();
    let places = [published, place(started), place(&initialized), place(&closed)];
    assert!(places.is_sorted(), "{places:?}");
    for message in ["recording started", "recorder initialized", "recorder closed"] {
        assert_eq!(lines.iter().filter(|line| line.contains(message)).count(), 1, "{message}");
    }
}

#[test]
fn the_same_lines_are_json_on_request() {
    let mut server = recording().record_dir("recordings").start();
    block_on(publish(&server, "live/test", &packets(1, small(), 60)));
    closed(&server, "live/test");
    server.stop();
    let started = server.wait_for_log("recording started", &[]);
    assert_eq!(started.level, "INFO");
    assert_eq!(started.field("stream_key").as_deref(), Some("live/test"));
    assert_eq!(started.field("record_dir").as_deref(), Some("./recordings"));
    let initialized = server.wait_for_log("recorder initialized", &[]);
    assert_eq!(initialized.level, "INFO");
    assert_eq!(initialized.field("stream_key").as_deref(), Some("live/test"));
    let file = initialized.field("file").unwrap();
    assert!(file.starts_with("./recordings/live_test_"), "{file}");
    assert_eq!(server.recordings(), [server.dir().join(Path::new(&file))]);
    let closed = server.wait_for_log("recorder closed", &[]);
    assert_eq!(closed.level, "INFO");
    assert_eq!(closed.field("stream_key").as_deref(), Some("live/test"));
}

#[test]
fn each_media_packet_is_told_at_debug_and_only_there() {
    let sound = |at_ms, bytes| {
        let mut body = vec![0xaf, 1];
        body.resize(bytes, 0);
        Packet::new(Kind::Audio, at_ms, body.into())
    };
    let picture = Packet::new(Kind::Video, 1_040, Bytes::from_static(&[0x17, 1, 0, 0, 0, 9, 9]));
    let sent = [sound(1_000, 128), picture, sound(0xFFFF_FFFF, 2)];
    let mut server = Plain::start(&["-log-level", "debug"], |_, _| {});
    block_on(publish_to(&server.url("live/test"), &sent));
    server.wait_for("publish ended");
    let lines = server.stop();
    let told: Vec<_> = lines.iter().filter(|line| line.contains("Media packet")).collect();
    // The publisher of the tests sends sound in chunk stream 4 and pictures in chunk stream 6, and
    // was given message stream 1.
    assert_eq!(
        told,
        [
            "DEBUG Media packet type=audio csid=4 msid=1 timestamp=1000 length=128",
            "DEBUG Media packet type=video csid=6 msid=1 timestamp=1040 length=7",
            "DEBUG Media packet type=audio csid=4 msid=1 timestamp=4294967295 length=2",
        ]
    );
    let mut server = Server::start(Path::new(BINARY));
    block_on(publish(&server, "live/test", &sent));
    server.wait_for_log("publish ended", &[]);
    server.stop();
    assert!(server.logs().iter().all(|line| line.message != "Media packet"));
}

#[test]
fn the_same_is_json_with_numbers() {
    let mut server = Server::builder(BINARY).args(["-log-level", "debug"]).start();
    let body = Bytes::from_static(&[0xaf, 1, 0x21, 0x10]);
    block_on(publish(&server, "live/test", &[Packet::new(Kind::Audio, 1_000, body)]));
    let line = server.wait_for_log("Media packet", &[]);
    server.stop();
    let fields =
        r#""message":"Media packet","type":"audio","csid":4,"msid":1,"timestamp":1000,"length":4"#;
    assert_eq!(line.level, "DEBUG");
    assert!(line.to_string().contains(fields), "{line}");
}

/// As a person finds out that the directory cannot be used. Root may write anywhere, so it becomes
/// somebody else.
#[cfg(unix)]
#[test]
fn a_directory_without_permission_is_told_in_one_line() {
    use std::os::unix::process::CommandExt as _;
    let user = User::unprivileged();
    let mut server = Plain::start_program(&user.binary(), &["-record-all"], |command, dir| {
        std::fs::create_dir(dir.join("recordings")).unwrap();
        set_mode(&dir.join("recordings"), 0o555);
        if let Some((uid, gid)) = user.id() {
            set_mode(dir, 0o755);
            command.uid(uid).gid(gid);
        }
    });
    block_on(publish_to(&server.url("live/test"), &packets(1, small(), 60)));
    server.wait_for("publish ended");
    let lines = server.stop();
    let errors: Vec<_> = lines.iter().filter(|line| line.starts_with("ERROR")).collect();
    let line = r#"ERROR failed to create recorder error="permission denied" stream_key=live/test"#;
    assert_eq!(errors, [line]);
}
