//! Disks that fail: the live stream always goes on, and what was written stays playable.
//!
//! The faults are real ones of real file systems. Small file systems are mounted for it, which
//! needs root and Linux; a loop device carries ext4, since tmpfs can neither be frozen nor be made
//! read-only while it is written to.

#[cfg(target_os = "linux")]
mod api;
mod full;
#[cfg(target_os = "linux")]
mod hangs;
#[cfg(target_os = "linux")]
mod moved;
#[cfg(unix)]
mod permission;
mod places;
#[cfg(target_os = "linux")]
mod readonly;
#[cfg(target_os = "linux")]
mod trouble;
#[cfg(unix)]
pub(crate) mod user;
#[cfg(target_os = "linux")]
pub(crate) mod viewer;

use std::path::PathBuf;

use media::Packet;
#[cfg(target_os = "linux")]
pub(crate) use testkit::mount;
use testkit::server::LogLine;
use testkit::{Server, block_on};

use crate::record::{Live, closed, small};

/// What is said of a directory that nothing can be recorded in.
pub(crate) const UNWRITABLE: &str =
    "record directory cannot be written: repair it or choose another";

/// The errors that were logged so far.
fn errors(server: &Server) -> Vec<LogLine> {
    server.logs().into_iter().filter(|line| line.level == "ERROR").collect()
}

/// Checks that there was one error of a stream, and which.
fn assert_one_error(server: &Server, stream: &str, message: &str, error: &str) {
    let errors = errors(server);
    let mut of_stream =
        errors.iter().filter(|line| line.field("stream_key").as_deref() == Some(stream));
    let line = of_stream.next().expect("an error line");
    assert_eq!(line.message, message);
    assert_eq!(line.field("error").as_deref(), Some(error));
    assert_eq!(of_stream.next(), None, "one line for each recording");
}

/// Announces what is said of a disk that fails beside what the recorders say.
fn allow_trouble(server: &Server) {
    server.allow("catalog unavailable");
    server.allow("record directory cannot be read");
    server.allow(UNWRITABLE);
    server.allow("free space is unknown");
    server.allow("disk space is low");
    server.allow("disk is full: recording stops");
}

/// Publishes a stream that cannot be recorded; its player gets every frame all the same.
fn assert_not_recorded(server: &Server, stream: &str, error: &str) {
    server.allow("failed to create recorder");
    allow_trouble(server);
    block_on(async {
        let mut live = Live::start(&server.url(stream), 1, small()).await;
        server.wait_for_log("failed to create recorder", &[("stream_key", stream)]);
        live.send(300).await;
        live.finish().await;
    });
    server.wait_for_log("publish ended", &[("stream_key", stream)]);
    assert_one_error(server, stream, "failed to create recorder", error);
}

/// Checks that a server records again, all of a stream.
fn assert_records(server: &Server, stream: &str) -> (PathBuf, Vec<Packet>) {
    let sent = block_on(async {
        let mut live = Live::start(&server.url(stream), 2, small()).await;
        live.send(150).await;
        live.finish().await
    });
    closed(server, stream);
    let file = crate::record::file_of(server, stream);
    crate::record::assert_finished(&file, &sent);
    (file, sent)
}
