//! Files that are moved away while they are written.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use testkit::server::DEADLINE;
use testkit::{Server, block_on};

use super::assert_one_error;
use super::viewer::Show;
use crate::record::parts::{Part, assert_joined, assert_one_recording, assert_verified};
use crate::record::{Live, closed, file_of, recorded, small, tree, wait_until};
use crate::support::{in_each_format, recording_as};

in_each_format!(
    a_directory_that_is_moved_costs_nothing_and_recording_goes_on_where_it_was,
    a_recording_that_ends_after_its_directory_was_moved_is_over_and_missing,
);

/// What is said of a file that is not found under its name any more.
fn assert_told_as_moved(server: &Server) {
    assert_one_error(
        server,
        "live/test",
        "recorder close error",
        &format!(
            "{} was moved or its disk unmounted; the file is whole where it is now, put it back to have it listed",
            file_of(server, "live/test").display()
        ),
    );
}

fn a_directory_that_is_moved_costs_nothing_and_recording_goes_on_where_it_was(format: &str) {
    let outside = tempfile::tempdir().unwrap();
    let [dir, elsewhere] = ["recordings", "elsewhere"].map(|name| outside.path().join(name));
    let mut server = recording_as(format).http().record_dir(&dir).start();
    server.allow("recorder close error");
    let http = server.api();
    let show = Show::start(&server.url("live/test"), small());
    let file = file_of(&server, "live/test");
    wait_until("something is in the file", || recorded(&file) > 0);
    // A catalog that is moved while it is written is tried again a minute later.
    let listed = || http.get("/api/v1/recordings").ok()["recordings"][0]["id"].clone();
    wait_until("the recording is listed", || listed().is_string());
    let path = format!("/api/v1/recordings/{}", listed().as_str().unwrap());
    wait_until("its file is known", || http.get(&path).ok()["files"][0]["state"] == "open");
    show.go_on(1_000);
    std::fs::rename(&dir, &elsewhere).unwrap();
    let until = Instant::now() + DEADLINE;
    while files_in(&dir).is_empty() {
        assert!(Instant::now() < until, "another file begins");
        show.go_on(500);
    }
    let sent = show.finish().sent;
    closed(&server, "live/test");
    // What is listed is what is there: the second file.
    let complete = || http.get("/api/v1/recordings?state=complete").ok()["recordings"].clone();
    wait_until("it is over", || complete().as_array().is_some_and(|all| all.len() == 1));
    let files = http.get(&path).ok()["files"].clone();
    let mut here: Vec<_> = files.as_array().unwrap().iter().collect();
    here.retain(|file| file["state"] != "missing");
    assert_eq!(here.len(), 1, "{files}");
    assert_eq!((&here[0]["number"], &here[0]["state"]), (&json!(2), &json!("finished")));
    assert_eq!(http.send("DELETE", &path, None).status, 200);
    assert_eq!(http.send("POST", &format!("{path}/restore"), None).status, 200);
    server.stop();
    assert_told_as_moved(&server);

    let all: Vec<_> = [&elsewhere, &dir].into_iter().flat_map(|dir| files_in(dir)).collect();
    let parts: Vec<_> = all.iter().map(|file| Part::read(file)).collect();
    assert_eq!(parts.len(), 2);
    assert_one_recording(&parts);
    assert_joined(&parts, &sent);
    assert_verified(&parts, 0);
}

fn a_recording_that_ends_after_its_directory_was_moved_is_over_and_missing(format: &str) {
    let outside = tempfile::tempdir().unwrap();
    let [dir, elsewhere] = ["recordings", "elsewhere"].map(|name| outside.path().join(name));
    let mut server = recording_as(format).http().record_dir(&dir).start();
    server.allow("recorder close error");
    // If it is moved while it is written.
    server.allow("catalog unavailable");
    let http = server.api();
    let list =
        |query: &str| http.get(&format!("/api/v1/recordings{query}")).ok()["recordings"].clone();
    block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        live.send(100).await;
        let file = file_of(&server, "live/test");
        wait_until("something is in the file", || recorded(&file) > 0);
        let id = list("")[0]["id"].as_str().unwrap().to_owned();
        std::fs::rename(&dir, &elsewhere).unwrap();
        let path = format!("/api/v1/recordings/{id}");
        let stopped = http.send("POST", &format!("{path}/stop"), Some(&json!({"wait": "25s"})));
        assert_eq!(stopped.ok()["state"], "missing");
        assert_eq!(list(""), json!([]));
        assert_eq!(list("?state=missing")[0]["id"], json!(id));
        assert_eq!(http.get(&path).ok()["state"], "missing");
        let deleted = http.send("DELETE", &path, None);
        assert_eq!(deleted.status, 404);
        let text = deleted.text();
        assert!(text.contains("no files any more: they were deleted or moved away"), "{text}");
        live.finish().await;
    });
    server.stop();
    assert_told_as_moved(&server);
    assert!(!dir.exists());
    let parts: Vec<_> = files_in(&elsewhere).iter().map(|file| Part::read(file)).collect();
    assert_eq!(parts.len(), 1);
    assert_verified(&parts, 0);
}

/// The media files in a directory, if it is there.
fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = tree(dir).into_iter().map(|name| dir.join(name)).collect();
    files.retain(|file| file.is_file());
    files
}
