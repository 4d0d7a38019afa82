use std::fs;

use super::*;
use crate::catalog::made::{about_of, start_ms, write};
use crate::catalog::{Recording, RecordingState};
use crate::disk::SystemDisk;
use crate::sidecar::{hold, write_labels};

fn reconcile(catalog: &Catalog, dirs: &[PathBuf]) -> (u64, u64, u64) {
    let found = catalog.reconcile(&SystemDisk, dirs, &|| true, &mut |_| {}).unwrap();
    (found.opened, found.entered, found.missing)
}

fn recording(reader: &Reader, id: u64) -> Recording {
    reader.recording(about_of(id, 1, 0).recording).unwrap().unwrap()
}

fn labels(value: &str) -> crate::Labels {
    [("a".to_owned(), value.to_owned())].into()
}

#[test]
fn further_directories_are_compared_too() {
    let dir = tempfile::tempdir().unwrap();
    let (record_dir, other) = (dir.path().join("recordings"), dir.path().join("other"));
    let catalog = Catalog::open(&SystemDisk, &record_dir).unwrap();
    let path = write(&other, "day/a.flv", &about_of(1, 1, 0));
    let inner = write(&record_dir, "inner/b.flv", &about_of(2, 1, 0));
    let dirs = [other.clone(), record_dir.join("inner"), dir.path().join("not-there")];
    assert_eq!(reconcile(&catalog, &dirs), (2, 2, 0));
    for path in [&path, &inner] {
        assert_eq!(&catalog.reader().by_path(path).unwrap().unwrap().path, path);
    }
    // It is known from now on, whoever asks.
    assert_eq!(catalog.reader().dirs().unwrap(), [dir.path().join("not-there"), other.clone()]);
    assert_eq!(reconcile(&catalog, &[]), (0, 0, 0));
    fs::rename(&path, other.join("b.flv")).unwrap();
    assert_eq!(reconcile(&catalog, &[]), (1, 1, 0));
    fs::remove_dir_all(&other).unwrap();
    assert_eq!(reconcile(&catalog, &[]), (0, 0, 1));
    assert_eq!(recording(catalog.reader(), 1).state, RecordingState::Missing);
}

#[test]
fn what_a_killed_server_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
    let path = write(dir.path(), "day/a.flv", &about_of(1, 1, 0));
    let part = beside(&path, ".labels.part");
    let kept = [beside(&path, ".part"), dir.path().join("x.labels.part")];
    for file in [&part, &kept[0], &kept[1]] {
        fs::write(file, b"{").unwrap();
    }
    // Noted, and its folder made, but nothing moved.
    let bin = trash::of(dir.path());
    let binned = bin.join(about_of(1, 1, 0).recording.to_string());
    trash::note(&SystemDisk, &binned, 5).unwrap();
    fs::create_dir_all(binned.join("day/inner")).unwrap();
    fs::write(binned.join("binned.json.part"), b"{").unwrap();
    // What nobody knows stays.
    let unknown = bin.join(about_of(2, 1, 0).recording.to_string()).join("day/b.txt");
    fs::create_dir_all(unknown.parent().unwrap()).unwrap();
    fs::write(&unknown, b"").unwrap();
    reconcile(&catalog, &[]);
    assert!(path.exists() && kept.iter().all(|file| file.exists()));
    assert!(!part.exists() && !binned.exists() && unknown.exists());
    assert_eq!(recording(catalog.reader(), 1).state, RecordingState::Complete);
}

#[test]
fn files_say_which_tracks_they_have_and_whether_they_are_clips() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
    let tracks = crate::Tracks::KeyFrames;
    let about = crate::About { tracks, is_clip: true, ..about_of(1, 1, 0) };
    write(dir.path(), "a.flv", &about);
    write(dir.path(), "b.flv", &about_of(2, 1, 0));
    reconcile(&catalog, &[]);
    let tracks = [1, 2].map(|id| recording(catalog.reader(), id).tracks);
    assert_eq!(tracks, [crate::Tracks::KeyFrames, crate::Tracks::All]);
    let known = [1, 2].map(|id| recording(catalog.reader(), id));
    assert_eq!(known.each_ref().map(|known| known.is_clip), [true, false]);
    let of_files = known.map(|known| catalog.reader().of_recording(known.id).unwrap()[0].is_clip);
    assert_eq!(of_files, [true, false]);
}

#[test]
fn what_is_in_a_directory_that_cannot_be_read_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (record_dir, other) = (dir.path().join("recordings"), dir.path().join("other"));
    let catalog = Catalog::open(&SystemDisk, &record_dir).unwrap();
    write(&other, "a.flv", &about_of(1, 1, 0));
    let gone = write(&record_dir, "b.flv", &about_of(2, 1, 0));
    reconcile(&catalog, std::slice::from_ref(&other));
    fs::rename(&other, dir.path().join("aside")).unwrap();
    fs::write(&other, b"in its place").unwrap();
    fs::remove_file(gone).unwrap();
    assert_eq!(reconcile(&catalog, &[]), (0, 0, 1));
    assert_eq!(recording(catalog.reader(), 1).state, RecordingState::Complete);
    assert_eq!(recording(catalog.reader(), 2).state, RecordingState::Missing);
}

#[test]
fn holds_are_those_of_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
    let path = write(dir.path(), "a.flv", &about_of(1, 1, 0));
    write(dir.path(), "b.flv", &about_of(2, 1, 0));
    for is_held in [false, true, true, false] {
        match is_held {
            true => hold(&SystemDisk, &path).unwrap(),
            false => crate::sidecar::release(&SystemDisk, &path).unwrap(),
        }
        reconcile(&catalog, &[]);
        assert_eq!(recording(catalog.reader(), 1).held, is_held);
        assert!(!recording(catalog.reader(), 2).held);
    }
}

#[test]
fn labels_are_those_beside_the_first_file_or_else_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
    let of = |number| crate::About { labels: labels("file"), ..about_of(1, number, 0) };
    let first = write(dir.path(), "z.flv", &of(1));
    let second = write(dir.path(), "a.flv", &of(2));
    let is = |value| {
        reconcile(&catalog, &[]);
        assert_eq!(recording(catalog.reader(), 1).labels, labels(value));
    };
    is("file");
    write_labels(&SystemDisk, &second, &labels("second")).unwrap();
    is("file");
    write_labels(&SystemDisk, &first, &labels("changed")).unwrap();
    is("changed");
    is("changed");
    // Nobody reads it again while it is as it was; one that cannot be read changes nothing.
    fs::write(beside(&first, LABELS), b"not json, and of another size").unwrap();
    is("changed");
    fs::remove_file(beside(&first, LABELS)).unwrap();
    is("file");
    fs::remove_file(&first).unwrap();
    reconcile(&catalog, &[]);
    is("second");
}

#[test]
fn what_is_in_a_bin_is_found_with_the_name_that_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
    let id = about_of(1, 1, 0).recording;
    let bin = trash::of(dir.path()).join(id.to_string());
    let path = write(&bin, "day/a.flv", &about_of(1, 1, 0));
    write_labels(&SystemDisk, &path, &labels("binned")).unwrap();
    trash::note(&SystemDisk, &bin, start_ms()).unwrap();
    // Nothing else in the program's own directory matters.
    write(&dir.path().join(DIR), "b.flv", &about_of(2, 1, 0));
    write(&trash::of(dir.path()), "not-an-id/c.flv", &about_of(3, 1, 0));
    assert_eq!(reconcile(&catalog, &[]), (1, 1, 0));
    assert_eq!(reconcile(&catalog, &[]), (0, 0, 0));
    let found = recording(catalog.reader(), 1);
    assert_eq!((found.state, found.binned_unix_ms), (RecordingState::Binned, Some(start_ms())));
    assert_eq!((found.labels, found.segments), (labels("binned"), 1));
    let segment = &catalog.reader().of_recording(id).unwrap()[0];
    assert_eq!(segment.path, dir.path().join("day/a.flv"));
    assert_eq!((segment.file(), segment.state), (path.as_path(), State::Binned));
    assert_eq!(catalog.reader().finished_total().unwrap(), (0, 0));
    assert_eq!(catalog.reader().binned_total().unwrap(), (1, segment.size_bytes));

    // Moved there by somebody while nobody looked, and back.
    let home = dir.path().join("day/a.flv");
    fs::create_dir(home.parent().unwrap()).unwrap();
    fs::rename(&path, &home).unwrap();
    assert_eq!(reconcile(&catalog, &[]), (1, 1, 0));
    assert_eq!(recording(catalog.reader(), 1).state, RecordingState::Complete);
    assert_eq!(recording(catalog.reader(), 1).binned_unix_ms, None);
    fs::rename(&home, &path).unwrap();
    assert_eq!(reconcile(&catalog, &[]), (1, 1, 0));
    assert_eq!(recording(catalog.reader(), 1).state, RecordingState::Binned);
    fs::remove_file(&path).unwrap();
    assert_eq!(reconcile(&catalog, &[]), (0, 0, 1));
    assert_eq!(recording(catalog.reader(), 1).state, RecordingState::Missing);
}

#[test]
fn a_rebuilt_catalog_knows_the_directories_of_the_old_one_and_tells_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (record_dir, other) = (dir.path().join("recordings"), dir.path().join("other"));
    let catalog = Catalog::open(&SystemDisk, &record_dir).unwrap();
    for n in 1..=300 {
        write(&record_dir, &format!("{n}.flv"), &about_of(n, 1, 0));
    }
    write(&other, "a.flv", &about_of(1_000, 1, 0));
    fs::write(
        record_dir.join("growing.flv"),
        crate::catalog::made::bytes(&about_of(2_000, 1, 0), false),
    )
    .unwrap();
    reconcile(&catalog, &[other]);
    drop(catalog);
    let mut told = Vec::new();
    let found =
        rebuild(&SystemDisk, &record_dir, &[], &mut |progress| told.push(progress)).unwrap();
    assert_eq!(found, 302);
    assert_eq!(told.first(), Some(&Progress { found: 301, read: 0 }));
    assert_eq!(told.last(), Some(&Progress { found: 302, read: 302 }));
    let reader = Reader::open(&record_dir).unwrap();
    assert_eq!(recording(&reader, 1_000).state, RecordingState::Complete);
    assert_eq!(recording(&reader, 2_000).state, RecordingState::Interrupted);
    let stale: u64 = reader.db.query_row("SELECT count(*) FROM stale", [], |r| r.get(0)).unwrap();
    assert_eq!(stale, 0);

    let _lock = Lock::take(&SystemDisk, &record_dir).unwrap();
    let refused = rebuild(&SystemDisk, &record_dir, &[], &mut |_| {});
    assert!(matches!(refused, Err(Error::InUse)));
    assert_eq!(recording(&Reader::open(&record_dir).unwrap(), 1_000).segments, 1);
}
