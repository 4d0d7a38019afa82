//! Directories that are none, or no more.

use testkit::block_on;

use super::{allow_trouble, assert_not_recorded, assert_records, errors};
use crate::record::{Live, closed, file_of, recorded, small, tree, wait_until};
use crate::support::{in_each_format, recording, recording_as};

#[cfg(unix)]
in_each_format!(a_directory_that_is_removed_stops_no_stream_and_comes_back);

#[test]
fn a_stream_goes_on_where_the_directory_is_a_file() {
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("recordings");
    std::fs::write(&file, "theirs").unwrap();
    for (dir, error) in [(file.clone(), "file exists"), (file.join("below"), "not a directory")] {
        let mut server = recording().record_dir(dir).start();
        assert_not_recorded(&server, "live/test", error);
        server.stop();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "theirs");
    assert_eq!(tree(outside.path()).len(), 1);
}

#[test]
fn a_split_is_refused_where_no_file_can_be_written() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut server = recording().http().record_dir(file.path()).start();
    server.allow("failed to create recorder");
    allow_trouble(&server);
    let http = server.api();
    block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        live.send(100).await;
        let stream = || http.get("/api/v1/streams/live%2Ftest").ok();
        let id = || stream()["recordings"][0]["id"].as_str().map(str::to_owned);
        wait_until("the recording is known", || id().is_some());
        let path = format!("/api/v1/recordings/{}", id().unwrap());
        wait_until("it is in trouble", || http.get(&path).ok()["state"] == "trouble");
        assert_eq!(http.get(&path).ok()["error"], "file exists");
        let split = http.send("POST", &format!("{path}/split"), None);
        assert_eq!(split.problem(), (409, "not-running".to_owned()));
        assert!(split.text().contains("the next one begins by itself"), "{}", split.text());
        live.finish().await;
    });
    server.stop();
}

#[cfg(unix)]
fn a_directory_that_is_removed_stops_no_stream_and_comes_back(format: &str) {
    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().join("a/recordings");
    let mut server = recording_as(format).record_dir(&dir).start();
    block_on(async {
        let mut live = Live::start(&server.url("live/test"), 1, small()).await;
        live.send(100).await;
        let file = file_of(&server, "live/test");
        wait_until("something is in the file", || recorded(&file) > 0);
        server.allow("recorder close error");
        server.allow("recorder write error");
        allow_trouble(&server);
        std::fs::remove_dir_all(outside.path().join("a")).unwrap();
        live.send(300).await;
        live.finish().await;
    });
    closed(&server, "live/test");
    let found = errors(&server);
    let [line] = found.as_slice() else { panic!("one error line, not {found:?}") };
    // Which of the two depends on whether the stream is older than the period of a look at the
    // file.
    assert!(["recorder close error", "recorder write error"].contains(&&*line.message), "{line}");
    assert_eq!(line.field("error").as_deref(), Some("the file was deleted"));
    assert_eq!(line.field("stream_key").as_deref(), Some("live/test"));
    // With the next publish; or before, where the stream is still there when the disk is tried again.
    let resumed = server.logs().iter().filter(|line| line.message == "recording resumed").count();
    assert_eq!(server.recordings().len(), resumed);
    assert_records(&server, "live/again");
    server.stop();
    assert_eq!(server.recordings().len(), resumed + 1);
}
