//! Disks that may only be read.

use testkit::{block_on, flv};

use super::mount::Mount;
use super::{allow_trouble, assert_not_recorded, assert_one_error, assert_records};
use crate::record::{Live, closed, file_of, recorded, small, wait_until};
use crate::support::{in_each_format, recording_as};

in_each_format!(
    a_stream_goes_on_where_the_file_system_is_read_only,
    a_stream_goes_on_when_the_file_system_becomes_read_only,
);

fn a_stream_goes_on_where_the_file_system_is_read_only(format: &str) {
    let Some(disk) = Mount::tmpfs(8 << 20) else { return };
    disk.remount("ro");
    let mut server = recording_as(format).record_dir(disk.record_dir()).start();
    assert_not_recorded(&server, "live/test", "read-only file system");
    disk.remount("rw");
    assert_records(&server, "live/again");
    server.stop();
}

fn a_stream_goes_on_when_the_file_system_becomes_read_only(format: &str) {
    let Some(disk) = Mount::ext4(32 << 20) else { return };
    let mut server = recording_as(format).record_dir(disk.record_dir()).start();
    let sent = block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        live.send(300).await;
        let file = file_of(&server, "live/test");
        wait_until("something is in the file", || recorded(&file) > 100);
        server.allow("recorder write error");
        allow_trouble(&server);
        // As the kernel does by itself when the device has failed, with files open for writing.
        disk.remount("abort");
        live.send(300).await;
        server.wait_for_log("recorder write error", &[]);
        live.send(300).await;
        live.finish().await
    });
    let line = closed(&server, "live/test");
    assert_eq!(line.field("reason").as_deref(), Some("failed"));
    assert_one_error(&server, "live/test", "recorder write error", "read-only file system");
    let kept = flv::assert_recorded_beginning(&file_of(&server, "live/test"), &sent);
    assert!(kept > 100, "{kept} packets");
    assert_not_recorded(&server, "live/again", "read-only file system");
    server.stop();
}
