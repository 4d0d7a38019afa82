//! Free space: recordings stop in time and go on again, and old ones make room for new ones.

#![cfg(target_os = "linux")]

use std::path::PathBuf;

use testkit::{Server, block_on};

use crate::disk::mount::Mount;
use crate::disk::viewer::Show;
use crate::record::parts::{
    assert_joined, assert_one_recording, assert_verified, is_complete, parts,
};
use crate::record::{closed, file_of, packets, publish, small, wait_until};
use crate::support::recording;

#[test]
fn a_recording_stops_while_there_is_room_and_goes_on_when_there_is_room_again() {
    let Some(disk) = Mount::tmpfs(16 << 20) else { return };
    let builder = recording().record_dir(disk.record_dir()).args(["-record-min-free", "4MiB"]);
    let mut server = builder.start();
    server.allow("disk space is low");
    server.allow("disk is full: recording stops");
    server.allow("recording paused: not enough free space");
    let show = Show::start(&server.url("live/test"), small());
    show.go_on(1_000);
    let file = file_of(&server, "live/test");
    let filler = disk.occupy(13 << 20);
    wait_until("the file is finished", || is_complete(&file));
    show.go_on(1_000);
    std::fs::remove_file(filler).unwrap();
    server.wait_for_log("recording resumed", &[("stream_key", "live/test")]);
    show.go_on(1_000);
    let sent = show.finish().sent;
    closed(&server, "live/test");
    server.stop();
    let parts = parts(&server, "live/test");
    assert_eq!(parts.len(), 2);
    assert_one_recording(&parts);
    assert_eq!(parts[1].value("segmentReason").as_deref(), Some("free space"));
    // What came waited for the next file.
    assert_joined(&parts, &sent);
    assert_verified(&parts, 0);
}

/// Records a stream of about 500 kB.
fn record(server: &Server, stream: &str) -> PathBuf {
    block_on(publish(server, stream, &packets(1, small(), 700)));
    closed(server, stream);
    file_of(server, stream)
}

#[test]
fn the_oldest_recordings_make_room_and_what_is_held_or_somebody_elses_stays() {
    let mut before = recording().args(["-record-rejoin", "0"]).start();
    std::fs::create_dir_all(before.record_dir()).unwrap();
    let theirs = before.record_dir().join("theirs.flv");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv"), &theirs).unwrap();
    let [held, oldest, young, youngest] =
        ["live/held", "live/oldest", "live/young", "live/youngest"]
            .map(|stream| record(&before, stream));
    before.stop();
    let hold = PathBuf::from(format!("{}.hold", held.display()));
    std::fs::write(&hold, "").unwrap();

    let mut server =
        recording().record_dir(before.record_dir()).args(["-retain-size", "1500KB"]).start();
    let lines = server.wait_for_logs("recording deleted", &[], 2);
    let files: Vec<_> = lines.iter().filter_map(|line| line.field("file")).collect();
    assert_eq!(files, [&oldest, &young].map(|file| file.display().to_string()));
    server.stop();
    assert!(!oldest.exists() && !young.exists());
    for file in [theirs, held, hold, youngest] {
        assert!(file.exists(), "{}", file.display());
    }
}

#[test]
fn while_the_disk_has_less_room_than_there_is_to_be_recordings_go() {
    let mut before = recording().start();
    let file = record(&before, "live/old");
    before.stop();
    let mut server =
        recording().record_dir(before.record_dir()).args(["-retain-free", "1000PB"]).start();
    let line = server.wait_for_log("recording deleted", &[("reason", "free space")]);
    assert_eq!(line.field("file"), Some(file.display().to_string()));
    server.stop();
    assert!(!file.exists());
}
