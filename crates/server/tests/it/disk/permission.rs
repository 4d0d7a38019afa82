//! Directories that the server may not write.

use std::path::Path;

use testkit::Server;

use super::user::{User, set_mode};
use super::{assert_not_recorded, assert_records, errors};
use crate::record::tree;
use crate::support::in_each_format;

in_each_format!(a_stream_goes_on_where_the_directory_may_not_be_written,);

/// A server of somebody without rights.
fn start(user: &User, record_dir: &Path, format: &str) -> Server {
    let builder =
        Server::builder(user.binary()).args(["-record-all", "true", "-record-format", format]);
    let builder = builder.record_dir(record_dir);
    match user.id() {
        Some((uid, gid)) => builder.user(uid, gid).start(),
        None => builder.start(),
    }
}

fn a_stream_goes_on_where_the_directory_may_not_be_written(format: &str) {
    let user = User::unprivileged();
    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().join("recordings");
    std::fs::create_dir(&dir).unwrap();
    set_mode(outside.path(), 0o755);
    set_mode(&dir, 0o555);
    let mut server = start(&user, &dir, format);
    assert_not_recorded(&server, "live/one", "permission denied");
    assert_not_recorded(&server, "live/two", "permission denied");
    assert!(tree(&dir).is_empty(), "{:?}", tree(&dir));
    // Recordings begin as soon as they may.
    set_mode(&dir, 0o777);
    assert_records(&server, "live/three");
    // And those that have begun are not stopped by what comes later.
    set_mode(&dir, 0o555);
    assert_not_recorded(&server, "live/four", "permission denied");
    set_mode(&dir, 0o777);
    server.stop();
    assert_eq!(errors(&server).len(), 3);
}

#[test]
fn a_stream_goes_on_where_the_directory_may_not_be_made() {
    let user = User::unprivileged();
    let outside = tempfile::tempdir().unwrap();
    set_mode(outside.path(), 0o555);
    let mut server = start(&user, &outside.path().join("a/b"), "flv");
    assert_not_recorded(&server, "live/test", "permission denied");
    server.stop();
    assert!(tree(outside.path()).is_empty(), "{:?}", tree(outside.path()));
    set_mode(outside.path(), 0o755);
}

#[test]
fn a_stream_goes_on_where_the_directory_may_not_be_entered() {
    let user = User::unprivileged();
    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().join("closed/recordings");
    std::fs::create_dir_all(&dir).unwrap();
    set_mode(outside.path(), 0o755);
    set_mode(&outside.path().join("closed"), 0o600);
    let mut server = start(&user, &dir, "flv");
    assert_not_recorded(&server, "live/test", "permission denied");
    server.stop();
    set_mode(&outside.path().join("closed"), 0o755);
    assert!(tree(&dir).is_empty(), "{:?}", tree(&dir));
}
