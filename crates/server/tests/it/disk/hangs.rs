//! A disk that does not answer: a file system that is frozen.
//!
//! The kernel lets a thread that writes to it neither go on nor be killed, so a process that has
//! exited stays a zombie, and keeps its sockets, until the disk answers again.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use media::{Kind, Packet, Role};
use testkit::flv::Flv;
use testkit::{Publisher, Server, SourceConfig, Stamp, block_on};

use super::errors;
use super::mount::Mount;
use crate::record::{
    Live, assert_finished, closed, file_of, metadata, packets, recorded, report, small, wait_until,
};
use crate::support::{in_each_format, recording_as};

in_each_format!(
    a_disk_that_hangs_costs_viewers_nothing_and_the_recording_a_counted_gap,
    a_publisher_that_is_faster_than_real_time_waits_for_a_disk_that_hangs,
    a_stop_waits_no_longer_than_it_may_and_names_what_is_not_finished,
    a_second_signal_exits_at_once_though_the_disk_hangs,
);

const MIB: usize = 1 << 20;

/// What is in a file whose recorder could not follow: how many packets are missing. Checks that all
/// others are there, bit for bit, in order, and that what follows a gap begins with a key frame.
fn assert_gaps(file: &Path, sent: &[Packet]) -> usize {
    let flv = Flv::read(file).unwrap();
    assert_eq!(flv.faults, []);
    let mut left = sent.iter().filter(|packet| packet.kind != Kind::Data);
    let mut missing = 0;
    for packet in flv.media() {
        let mut skipped = 0;
        loop {
            let next = left.next().expect("nothing but what was sent, in order");
            if next.body == packet.body {
                break;
            }
            skipped += 1;
        }
        if skipped > 0 {
            assert_eq!((packet.kind, packet.role), (Kind::Video, Role::Key), "after a gap");
            assert!(Stamp::read(&packet.body).is_ok());
        }
        missing += skipped;
    }
    missing + left.count()
}

fn a_disk_that_hangs_costs_viewers_nothing_and_the_recording_a_counted_gap(format: &str) {
    let Some(disk) = Mount::ext4(64 << 20) else { return };
    let builder =
        recording_as(format).record_dir(disk.record_dir()).args(["-record-queue", "2MiB"]);
    let mut server = builder.start();
    // A rate at which so much is hardly ahead of the wall clock: who is further ahead is held back.
    let config = SourceConfig { video_kbps: 100_000, key_interval: 3, ..small() };
    let (sent, meanwhile) = block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, config).await;
        live.send_bytes(MIB).await;
        let file = file_of(&server, "live/test");
        wait_until("something is in the file", || recorded(&file) > 0);
        server.allow("recording has a gap");
        server.allow("recording had gaps");
        let before = server.usage().rss_bytes;
        let frozen = disk.freeze();
        let unfrozen = live.sent.len();
        // Many times what may wait. The player gets each frame before the next are sent.
        live.send_bytes(40 * MIB).await;
        let grown = server.usage().rss_peak_bytes.saturating_sub(before);
        assert!(grown < 14 << 20, "{grown} bytes more than before");
        let meanwhile = live.sent.len() - unfrozen;
        drop(frozen);
        server.wait_for_log("recording has a gap", &[("stream_key", "live/test")]);
        live.send_bytes(MIB).await;
        (live.finish().await, meanwhile)
    });
    let line = closed(&server, "live/test");
    server.stop();
    let file = file_of(&server, "live/test");
    let missing = assert_gaps(&file, &sent);
    assert!(missing > meanwhile / 2, "{missing} of {meanwhile} packets");
    assert_eq!(line.field("dropped"), Some(missing.to_string()));
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert_eq!(metadata(&report(&file), "filesize"), Some(bytes as f64));
    assert!(errors(&server).is_empty(), "a gap is a warning, not an error");
}

fn a_publisher_that_is_faster_than_real_time_waits_for_a_disk_that_hangs(format: &str) {
    let Some(disk) = Mount::ext4(96 << 20) else { return };
    let builder =
        recording_as(format).record_dir(disk.record_dir()).args(["-record-queue", "2MiB"]);
    let mut server = builder.start();
    // Minutes of a stream.
    let sent = packets(1, SourceConfig { video_kbps: 800, ..small() }, 20_000);
    let progress = AtomicUsize::new(0);
    let (freeze, frozen) = channel::<()>();
    let (sent, progress, to) = (&sent, &progress, &server);
    thread::scope(|scope| {
        scope.spawn(move || {
            block_on(async {
                let mut publisher = Publisher::connect(&to.url("live/test")).await.unwrap();
                let (first, rest) = sent.split_at(100);
                publisher.send_all(first).await.unwrap();
                // An error when the test has failed.
                frozen.recv().unwrap();
                for part in rest.chunks(50) {
                    publisher.send_all(part).await.unwrap();
                    progress.fetch_add(part.len(), Ordering::Relaxed);
                }
                publisher.close().await.unwrap();
            });
        });
        // Dropped when this panics, so that the thread ends.
        let freeze = freeze;
        let file = file_of(&server, "live/test");
        wait_until("something is in the file", || recorded(&file) > 0);
        let frozen = disk.freeze();
        freeze.send(()).unwrap();
        // What is on its way fills the buffers of the system, then nothing moves any more.
        let (mut before, mut since) = (0, Instant::now());
        wait_until("the publisher is held", || {
            let now = progress.load(Ordering::Relaxed);
            if now != before {
                (before, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_secs(1)
        });
        assert!(before < sent.len() - 100, "it was held before its end");
        drop(frozen);
    });
    closed(&server, "live/test");
    server.stop();
    assert_finished(&file_of(&server, "live/test"), sent);
}

/// What the parent of a process would be told when the disk did not hold it: whether it has exited.
fn has_exited(server: &Server) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    // The name, in brackets, may hold anything; the state follows it.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// Asks a server to stop while it writes to a frozen disk. Returns its exit code and the errors
/// that it logged.
fn stop_frozen(
    disk: &Mount,
    format: &str,
    shutdown_timeout: &str,
    then: impl FnOnce(&Server),
) -> (Option<i32>, Vec<String>) {
    let args = ["-shutdown-timeout", shutdown_timeout];
    let mut server = recording_as(format).record_dir(disk.record_dir()).args(args).start();
    block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        live.send(100).await;
        let file = file_of(&server, "live/test");
        wait_until("something is in the file", || recorded(&file) > 0);
        let frozen = disk.freeze();
        live.send(200).await;
        server.terminate();
        then(&server);
        wait_until("the server exits", || has_exited(&server));
        live.check();
        drop(frozen);
    });
    let status = server.wait();
    let kept = testkit::flv::assert_recorded_beginning(
        &file_of(&server, "live/test"),
        &packets(1, small(), 300),
    );
    assert!(kept > 0, "{kept}");
    let errors = errors(&server).into_iter().map(|line| line.message).collect();
    (status.code(), errors)
}

fn a_stop_waits_no_longer_than_it_may_and_names_what_is_not_finished(format: &str) {
    let Some(disk) = Mount::ext4(32 << 20) else { return };
    let (code, errors) = stop_frozen(&disk, format, "3s", |server| {
        let stream = [("stream_key", "live/test")];
        let line = server.wait_for_log("recording not finished in time", &stream);
        let file = file_of(server, "live/test");
        assert_eq!(line.field("file").as_deref(), file.to_str());
        let line = server.wait_for_log("stopped before everything was finished", &[]);
        assert_eq!(line.field("recordings").as_deref(), Some(r#"["live/test"]"#));
        assert_eq!(line.field("connections").as_deref(), Some("0"));
    });
    assert_eq!(code, Some(1));
    let expected = ["recording not finished in time", "stopped before everything was finished"];
    assert_eq!(errors, expected);
}

fn a_second_signal_exits_at_once_though_the_disk_hangs(format: &str) {
    let Some(disk) = Mount::ext4(32 << 20) else { return };
    // Longer than any test waits.
    let (code, errors) = stop_frozen(&disk, format, "10m", |server| {
        server.wait_for_log("stopping; a second signal exits at once", &[]);
        server.terminate();
    });
    assert_eq!((code, errors), (Some(130), vec![]));
}
