//! `rtmp-server retention`

use serde_json::Value;

use super::{code, error_line, run};
use crate::record::{packets, record, small, tree, wait_until};
use crate::support::recording;

#[test]
fn a_directory_is_described_after_the_server_has_gone() {
    let (mut server, file) = record(&packets(1, small(), 60));
    server.stop();
    let dir = server.record_dir().to_str().unwrap();
    let args = ["retention", "-record-dir", dir, "-retain-size", "1TB", "-json"];
    // A start enters what is there, whoever recorded it.
    let mut next = recording().record_dir(dir).start();
    wait_until("the file is in the catalog", || run(args).text().contains("\"segments\":1,"));
    next.stop();
    let output = run(args);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    let report: Value = serde_json::from_str(&output.text()).unwrap();
    assert_eq!(report["segments"], 1);
    assert_eq!(report["total_bytes"], std::fs::metadata(&file).unwrap().len());
    assert_eq!(report["rules"]["total_bytes"], 1_000_000_000_000_u64);
    assert_eq!((&report["doomed"], &report["deletions"]), (&Value::from([(); 0]), &report["kept"]));
    let output = run(["retention", "-record-dir", dir]);
    assert!(output.text().contains("recordings  1 file, "), "{}", output.text());
    assert!(file.exists());
}

#[test]
fn a_directory_without_a_catalog_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let line = error_line(&run(["retention", "-record-dir", dir.path().to_str().unwrap()]), 1);
    assert!(line.starts_with("there is no catalog in "), "{line}");
    assert!(tree(dir.path()).is_empty());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let line = error_line(&run(["retention", "-retain-size", "500"]), 2);
    assert!(line.contains("from 1MiB"), "{line}");
    let line = error_line(&run(["-retain-age", "5 parsecs"]), 2);
    assert!(line.contains("expected a time such as 90m, 12h or 30d, or off"), "{line}");
}
