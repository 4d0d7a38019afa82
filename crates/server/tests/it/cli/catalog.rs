//! `rtmp-server catalog`

use std::fs;

use serde_json::Value;

use super::{code, error_line, run};
use crate::record::{packets, record, small, wait_until};
use crate::support::recording;

fn retention(dir: &str) -> Value {
    let output = run(["retention", "-record-dir", dir, "-json"]);
    serde_json::from_str(&output.text()).unwrap_or_default()
}

#[test]
fn a_catalog_is_made_anew_from_the_files() {
    let (mut server, file) = record(&packets(1, small(), 60));
    let dir = server.record_dir().to_owned();
    let dir = dir.to_str().unwrap();
    let rebuild = ["catalog", "rebuild", "-record-dir", dir];
    server.stop();
    let mut next = recording().record_dir(dir).start();
    wait_until("the file is in the catalog", || retention(dir)["segments"] == 1);
    // Also while it has nothing to do.
    let line = error_line(&run(rebuild), 1);
    assert_eq!(line, format!("a server uses the catalog in {dir}; stop it first"));
    next.stop();
    let output = run(rebuild);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    let text = output.text();
    assert!(
        text.starts_with(&format!("{dir}\n  found       1 file\n  entered     1 segment, in ")),
        "{text}"
    );
    assert_eq!(retention(dir)["segments"], 1);
    let catalog = server.record_dir().join(".rtmp-server/catalog.sqlite");
    assert!(catalog.with_extension("sqlite.broken-1").exists());

    // Deleted, it is made anew by the next start as well.
    fs::remove_file(&catalog).unwrap();
    let mut next = recording().record_dir(dir).start();
    wait_until("the file is in the catalog", || retention(dir)["segments"] == 1);
    next.stop();
    let output = run(rebuild.iter().chain(&["-json"]));
    let object: Value = serde_json::from_str(&output.text()).unwrap();
    assert_eq!((&object["segments"], &object["files"]), (&Value::from(1), &Value::from(1)));
    assert!(file.exists());
}

#[test]
fn without_a_directory_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let none = dir.path().join("none");
    let line = error_line(&run(["catalog", "rebuild", "-record-dir", none.to_str().unwrap()]), 1);
    assert!(line.ends_with(" anew: no such file or directory"), "{line}");
    assert!(!none.exists());
    let line = error_line(&run(["catalog"]), 2);
    assert!(!line.is_empty());
}
