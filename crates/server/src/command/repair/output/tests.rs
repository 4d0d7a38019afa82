use std::collections::BTreeSet;

use tempfile::TempDir;

use super::*;

/// A directory with the file `x.flv`.
fn old() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.flv");
    fs::write(&path, "old").unwrap();
    (dir, path)
}

/// A new file that is written and not yet kept.
fn new(target: &Path, original: &Path) -> Output {
    let mut output = Output::create(target, &File::open(original).unwrap()).unwrap();
    let mut chunks = Chunks::new();
    chunks.put_slice(b"nev");
    output.write(&mut chunks).unwrap();
    output.patch(&[Patch { offset: 2, bytes: b"w".to_vec() }]).unwrap();
    output
}

/// Names and contents of all files.
fn files(dir: &TempDir) -> BTreeSet<(String, String)> {
    let entries = fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect()
}

#[track_caller]
fn assert_files(dir: &TempDir, expected: &[(&str, &str)]) {
    let expected = expected.iter().map(|&(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(files(dir), expected.collect());
}

#[test]
fn what_is_not_kept_is_removed() {
    let (dir, path) = old();
    let output = new(&beside(&path, Format::Flv, 1), &path);
    assert_files(&dir, &[("x.flv", "old"), ("x.repaired.flv.part", "new")]);
    drop(output);
    assert_files(&dir, &[("x.flv", "old")]);
}

#[test]
fn a_file_goes_beside_the_old_one_under_the_first_free_name() {
    let (dir, path) = old();
    for name in ["x.repaired.flv", "x.repaired_2.flv"] {
        let kept = new(&beside(&path, Format::Flv, 1), &path);
        let kept = kept.keep_beside(&path, Format::Flv).unwrap();
        assert_eq!(kept, dir.path().join(name));
    }
    assert_files(&dir, &[("x.flv", "old"), ("x.repaired.flv", "new"), ("x.repaired_2.flv", "new")]);
}

#[test]
fn a_name_that_was_asked_for_is_not_taken_from_another_file() {
    let (dir, path) = old();
    let target = dir.path().join("out.flv");
    new(&target, &path).keep(&target).unwrap();
    let error = new(&target, &path).keep(&target).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_files(&dir, &[("out.flv", "new"), ("x.flv", "old")]);
}

#[test]
fn a_replaced_file_stays_as_a_backup() {
    let (dir, path) = old();
    fs::write(dir.path().join("x.flv.bak"), "older").unwrap();
    let backup = new(&path, &path).replace(&path).unwrap();
    assert_eq!(backup, dir.path().join("x.flv.bak_2"));
    assert_files(&dir, &[("x.flv", "new"), ("x.flv.bak", "older"), ("x.flv.bak_2", "old")]);
}

#[test]
fn a_part_that_a_killed_run_left_is_in_nobodys_way() {
    let (dir, path) = old();
    fs::write(dir.path().join("x.flv.part"), "left").unwrap();
    new(&path, &path).replace(&path).unwrap();
    assert_files(&dir, &[("x.flv", "new"), ("x.flv.bak", "old"), ("x.flv.part", "left")]);
}

#[cfg(unix)]
#[test]
fn permissions_are_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, path) = old();
    for mode in [0o400, 0o640, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        new(&path, &path).replace(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}
