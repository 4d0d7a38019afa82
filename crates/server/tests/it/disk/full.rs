//! Disks without room.

use media::Packet;
use testkit::server::{Builder, LogLine};
use testkit::{Server, SourceConfig, block_on, flv};

use super::mount::Mount;
use super::{allow_trouble, assert_one_error};
use crate::record::{Live, assert_finished, closed, file_in, file_of, small, wait_until};
use crate::support::{in_each_format, recording_as};

in_each_format!(
    a_full_file_system_in_memory,
    a_full_ext4,
    streams_that_share_a_full_disk_all_go_on,
);

const MIB: u64 = 1 << 20;

fn stream() -> SourceConfig {
    SourceConfig { video_kbps: 4_000, ..small() }
}

/// Streams more than there is room for; returns what was sent.
async fn fill(server: &Server, name: &str, bytes: u64) -> Vec<Packet> {
    let mut live = Live::start(&server.url(name), 1, stream()).await;
    live.send_bytes(usize::try_from(bytes).unwrap()).await;
    wait_until("the error is told", || server.logs().iter().any(|line| is_error_of(line, name)));
    // Long after the error: no packet is told of again.
    live.send(1_000).await;
    live.finish().await
}

fn is_error_of(line: &LogLine, name: &str) -> bool {
    line.level == "ERROR" && line.field("stream_key").as_deref() == Some(name)
}

/// Nothing is kept free: what the space watcher would do on a busy machine is tested elsewhere.
fn to_the_last_byte(disk: &Mount, format: &str) -> Builder {
    recording_as(format).record_dir(disk.record_dir()).args(["-record-min-free", "0"])
}

/// A disk that becomes full: the beginning plays, the stream goes on, each recording is told of
/// once, and there are recordings again when there is room again.
fn becomes_full(disk: &Mount, bytes: u64, format: &str) {
    let mut server = to_the_last_byte(disk, format).start();
    server.allow("recorder write error");
    allow_trouble(&server);
    let full = "no space left on device";
    let sent = block_on(fill(&server, "live/one", 3 * bytes));
    let line = closed(&server, "live/one");
    assert_one_error(&server, "live/one", "recorder write error", full);
    assert_eq!(line.field("reason").as_deref(), Some("failed"));
    let file = file_of(&server, "live/one");
    // Without any fault: also the torn end is cut off.
    let kept = flv::compare(&file, &sent).unwrap();
    assert!(kept > 10, "{kept} packets");
    let in_file = std::fs::metadata(&file).unwrap().len();
    assert_eq!(line.field("bytes"), Some(in_file.to_string()));

    // Others that begin now find no room either; one line each, and no empty file.
    server.allow("failed to create recorder");
    block_on(async {
        for name in ["live/two", "live/three"] {
            let mut live = Live::start(&server.url(name), 1, stream()).await;
            live.send(2_000).await;
            live.finish().await;
        }
    });
    for name in ["live/two", "live/three"] {
        // Or it would take the room that there is soon.
        closed(&server, name);
        let errors = || server.logs().iter().filter(|line| is_error_of(line, name)).count();
        wait_until("the error is told", || errors() > 0);
        assert_eq!(errors(), 1, "{name}");
    }

    // The disk has room again.
    std::fs::remove_file(&file).unwrap();
    let sent = block_on(async {
        let mut live = Live::start(&server.url("live/four"), 4, small()).await;
        live.send(200).await;
        live.finish().await
    });
    closed(&server, "live/four");
    server.stop();
    assert_finished(&file_of(&server, "live/four"), &sent);
}

fn a_full_file_system_in_memory(format: &str) {
    let Some(disk) = Mount::tmpfs(2 * MIB) else { return };
    becomes_full(&disk, 2 * MIB, format);
}

fn a_full_ext4(format: &str) {
    let Some(disk) = Mount::ext4(10 * MIB) else { return };
    becomes_full(&disk, 6 * MIB, format);
}

fn streams_that_share_a_full_disk_all_go_on(format: &str) {
    let Some(disk) = Mount::tmpfs(4 * MIB) else { return };
    let mut server = to_the_last_byte(&disk, format).start();
    server.allow("recorder write error");
    server.allow("failed to create recorder");
    allow_trouble(&server);
    let names = ["live/a", "live/b", "live/c"];
    let sent = block_on(async {
        let server = &server;
        let fill = |name: &'static str| fill(server, name, 6 * MIB);
        let (a, b, c) = tokio::join!(fill(names[0]), fill(names[1]), fill(names[2]));
        [a, b, c]
    });
    let mut kept = 0;
    for (name, sent) in names.iter().zip(&sent) {
        closed(&server, name);
        // What begins when the others have taken all has no file, or one that is not left behind.
        let is_begun = |line: &LogLine| {
            line.message == "recorder initialized"
                && line.field("stream_key").as_deref() == Some(name)
        };
        let file = server.logs().iter().find(|line| is_begun(line)).map(|it| file_in(&server, it));
        let told =
            if file.is_some() { "recorder write error" } else { "failed to create recorder" };
        assert_one_error(&server, name, told, "no space left on device");
        if let Some(file) = file.filter(|file| file.exists()) {
            kept += flv::compare(&file, sent).unwrap();
        }
    }
    assert!(kept > 100, "{kept} packets in all");
    server.stop();
}
