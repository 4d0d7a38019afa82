use super::*;

fn file(path: &Path, overwrite: bool) -> Target {
    Target::File { path: path.to_owned(), overwrite }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_has_its_name_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.flv");
    let mut output = Output::create(file(&path, false)).unwrap();
    output.write(b"wrong").unwrap();
    assert_eq!(names(dir.path()), ["x.flv.part"]);
    assert!(output.rewind().unwrap());
    output.write(b"all").unwrap();
    assert_eq!(output.keep().unwrap(), Some(path.clone()));
    assert_eq!(names(dir.path()), ["x.flv"]);
    assert_eq!(fs::read(&path).unwrap(), b"all");
}

#[test]
fn what_is_given_up_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.flv");
    let mut output = Output::create(file(&path, false)).unwrap();
    output.write(b"half").unwrap();
    drop(output);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn an_existing_file_is_overwritten_only_when_somebody_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.flv");
    // One that comes while the export runs.
    let mut late = Output::create(file(&path, false)).unwrap();
    late.write(b"late").unwrap();
    fs::write(&path, "theirs").unwrap();
    for error in [late.keep().unwrap_err(), Output::create(file(&path, false)).unwrap_err()] {
        let words = "x.flv exists already; -overwrite puts the new file into its place";
        assert!(error.to_string().ends_with(words), "{error}");
    }
    assert_eq!(names(dir.path()), ["x.flv"]);
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    let mut output = Output::create(file(&path, true)).unwrap();
    output.write(b"ours").unwrap();
    output.keep().unwrap();
    assert_eq!(
        (names(dir.path()), fs::read(&path).unwrap()),
        (vec!["x.flv".to_owned()], b"ours".to_vec())
    );
}

#[test]
fn a_name_is_made_of_stream_and_start_and_leads_nowhere_else() {
    assert_eq!(name("live/test", i64::MIN, "flv"), "live_test.flv");
    let dated = name("live/test", 1_700_000_000_000, "flv");
    assert!(dated.starts_with("live_test_20231114_") || dated.starts_with("live_test_20231115_"));
    assert_eq!(name("../etc/pa sswd\0", i64::MIN, "flv"), "_._etc_pa_sswd_.flv");
    assert_eq!(name(&"ä".repeat(200), i64::MIN, "flv"), "ä".repeat(64) + ".flv");
}
