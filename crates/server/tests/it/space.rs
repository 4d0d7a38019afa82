//! Free space: recordings stop in time and go on again, and old ones make room for new ones.

use std::path::PathBuf;

use testkit::{Server, block_on};

#[cfg(target_os = "linux")]
use crate::disk::mount::Mount;
use crate::record::parts::{assert_one_recording, assert_verified, is_complete, parts};
use crate::record::{Live, closed, file_of, packets, publish, small, wait_until};
use crate::support::recording;

#[cfg(target_os = "linux")]
#[test]
fn a_recording_stops_while_there_is_room_and_goes_on_when_there_is_room_again() {
    let Some(disk) = Mount::tmpfs(16 << 20) else { return };
    let builder = recording().record_dir(disk.record_dir()).args(["-record-min-free", "4MiB"]);
    let mut server = builder.start();
    server.allow("disk space is low");
    server.allow("disk is full: recording stops");
    server.allow("recording paused: not enough free space");
    let sent = block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        live.send(100).await;
        let file = file_of(&server, "live/test");
        let filler = disk.occupy(13 << 20);
        wait_until("the file is finished", || is_complete(&file));
        live.send(200).await;
        std::fs::remove_file(filler).unwrap();
        server.wait_for_log("recording resumed", &[("stream_key", "live/test")]);
        live.send(200).await;
        live.finish().await
    });
    closed(&server, "live/test");
    server.stop();
    let parts = parts(&server, "live/test");
    assert_eq!(parts.len(), 2);
    assert_one_recording(&parts);
    assert_eq!(parts[1].value("segmentReason").as_deref(), Some("free space"));
    assert_eq!(parts[1].value("gapBeforeReason").as_deref(), Some("free space"));
    let frames = sent.iter().filter(|packet| packet.is_media()).count();
    let kept: usize = parts.iter().map(|part| part.frames.len()).sum();
    let lost = usize::try_from(parts[1].count("gapBeforePackets")).unwrap();
    assert_eq!(kept + lost, frames);
    assert_verified(&parts, 3);
}

/// Records a stream of about 500 kB.
fn record(server: &Server, stream: &str) -> PathBuf {
    block_on(publish(server, stream, &packets(1, small(), 700)));
    closed(server, stream);
    file_of(server, stream)
}

#[test]
fn the_oldest_recordings_make_room_and_what_is_held_or_somebody_elses_stays() {
    let mut server = recording().args(["-record-rejoin", "0", "-retain-size", "1MiB"]).start();
    std::fs::create_dir_all(server.record_dir()).unwrap();
    let theirs = server.record_dir().join("theirs.flv");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv"), &theirs).unwrap();
    let held = record(&server, "live/held");
    let hold = PathBuf::from(format!("{}.hold", held.display()));
    std::fs::write(&hold, "").unwrap();
    let oldest = record(&server, "live/oldest");
    let young = record(&server, "live/young");
    let youngest = record(&server, "live/youngest");
    let line = server.wait_for_log("recording deleted", &[]);
    assert_eq!(line.field("file").map(PathBuf::from), Some(oldest.clone()));
    wait_until("as much as is too much is deleted", || !young.exists());
    server.stop();
    assert!(!oldest.exists());
    for file in [theirs, held, hold, youngest] {
        assert!(file.exists(), "{}", file.display());
    }
}
