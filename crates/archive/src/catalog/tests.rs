use std::fs;

use super::made::{START, about_of, bytes, finished, ledger, start_ms, with_metadata, write};
use super::*;
use crate::disk::SystemDisk;
use crate::retention::Cause;
use crate::{Gap, GapReason, Hash, RecordingId};

const HOUR_MS: i64 = 3_600_000;

fn open(dir: &Path) -> Catalog {
    Catalog::open(&SystemDisk, dir).unwrap()
}

fn apply(catalog: &Catalog, events: &[Event]) {
    catalog.apply(&SystemDisk, events, start_ms()).unwrap();
}

/// What was opened, entered and found missing.
fn reconcile(catalog: &Catalog) -> (u64, u64, u64) {
    let found = catalog.reconcile(&SystemDisk, &[], &|| true, &mut |_| {}).unwrap();
    (found.opened, found.entered, found.missing)
}

fn oldest_first(reader: &Reader) -> Vec<Segment> {
    reader.oldest_first().map(Result::unwrap).collect()
}

fn state(catalog: &Catalog, path: &Path) -> Option<State> {
    catalog.reader().by_path(path).unwrap().map(|segment| segment.state)
}

#[test]
fn events_are_entered() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let mut about = about_of(1, 1, 0);
    about.gap_before = Some(Gap {
        at_ms: 0,
        length_ms: 700,
        reason: GapReason::Publisher,
        dropped: crate::Amount::default(),
    });
    let growing = dir.path().join("a/growing.flv");
    apply(&catalog, &[Event::Opened { path: growing.clone(), about: about.clone() }]);
    assert_eq!(state(&catalog, &growing), Some(State::Open));
    assert_eq!(catalog.reader().unfinished().unwrap().len(), 1);
    assert_eq!(oldest_first(catalog.reader()), []);

    // Finished under another name: still the same segment.
    let path = write(dir.path(), "a/final.flv", &about);
    apply(&catalog, &[Event::Finished(finished(path.clone(), &about))]);
    assert_eq!(state(&catalog, &growing), None);
    let segment = catalog.reader().by_path(&path).unwrap().unwrap();
    assert_eq!(oldest_first(catalog.reader()), std::slice::from_ref(&segment));
    assert_eq!(
        catalog.reader().of_recording(about.recording).unwrap(),
        std::slice::from_ref(&segment)
    );
    assert_eq!((segment.recording, segment.number), (about.recording, 1));
    assert_eq!((segment.stream_key.as_str(), segment.state), ("kept/test", State::Finished));
    assert_eq!((segment.start_unix_ms, segment.end_unix_ms), (start_ms(), start_ms() + HOUR_MS));
    assert_eq!((segment.start_ms, segment.length_ms), (0, 3_600_000));
    assert_eq!(segment.size_bytes, fs::metadata(&path).unwrap().len());
    assert_eq!((segment.hash, segment.chain), (Some(Hash([1; 32])), Some(Hash([254; 32]))));

    let gaps: Vec<(i64, i64, String)> = catalog
        .reader()
        .db
        .prepare("SELECT number, length_ms, reason FROM gaps ORDER BY number")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(gaps, [(0, 700, "publisher away".to_owned()), (1, 80, "slow disk".to_owned())]);
    let books: (u64, u64, i64) = catalog
        .reader()
        .db
        .query_row("SELECT received_packets, dropped_bytes, skew_ms FROM segments", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(books, (ledger().received.packets, ledger().dropped.bytes, ledger().skew_ms));
}

#[test]
fn segments_of_a_recording_come_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let events: Vec<_> = [3, 1, 2]
        .map(|n| Event::Finished(finished(dir.path().join(format!("{n}.flv")), &about_of(1, n, 0))))
        .into();
    apply(&catalog, &events);
    apply(&catalog, &[Event::Recovered(finished(dir.path().join("x.flv"), &about_of(2, 1, 0)))]);
    let segments = catalog.reader().of_recording(about_of(1, 1, 0).recording).unwrap();
    assert_eq!(segments.iter().map(|segment| segment.number).collect::<Vec<_>>(), [1, 2, 3]);
    let unknown: RecordingId = "00000000000000ff".parse().unwrap();
    assert_eq!(catalog.reader().of_recording(unknown).unwrap(), []);
}

#[test]
fn what_is_outside_the_directory_has_its_whole_path() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("inside");
    let catalog = open(&inside);
    let path = dir.path().join("outside.flv");
    apply(&catalog, &[Event::Finished(finished(path.clone(), &about_of(1, 1, 0)))]);
    assert_eq!(oldest_first(catalog.reader())[0].path, path);
    assert_eq!(state(&catalog, &path), Some(State::Finished));
    assert_eq!(stored(&inside, &inside.join("a/b.flv")).unwrap(), "a/b.flv");
    assert_eq!(stored(&inside, &path).map(PathBuf::from), Some(path));
    // What `..` leads to is the system's to say.
    let up = inside.join("../up.flv");
    assert_eq!(stored(&inside, &up).map(PathBuf::from), Some(up));
    assert_eq!(stored(&inside, &inside), inside.to_str().map(ToOwned::to_owned));
    // Whether it was given from here or from the root.
    let here = std::env::current_dir().unwrap();
    assert_eq!(stored(Path::new("recordings"), &here.join("recordings/a.flv")).unwrap(), "a.flv");
}

#[test]
fn an_unchanged_directory_is_compared_without_opening_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    for n in 1..=600 {
        let name = format!("{}/{n}.flv", n % 7);
        let path = write(dir.path(), &name, &about_of(1, n, i64::from(n)));
        apply(&catalog, &[Event::Finished(finished(path, &about_of(1, n, i64::from(n))))]);
    }
    assert_eq!(reconcile(&catalog), (0, 0, 0));
    // In pages, and in the order of their ends.
    let ends: Vec<_> =
        oldest_first(catalog.reader()).iter().map(|segment| segment.end_unix_ms).collect();
    let wanted: Vec<_> = (1..=600).map(|n| start_ms() + (n + 1) * HOUR_MS).collect();
    assert_eq!(ends, wanted);
    drop(catalog);
    assert_eq!(reconcile(&open(dir.path())), (0, 0, 0));
}

#[test]
fn files_win() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let about = about_of(1, 1, 0);
    let path = write(dir.path(), "a.flv", &about);
    apply(&catalog, &[Event::Finished(finished(path.clone(), &about))]);
    let hash = catalog.reader().by_path(&path).unwrap().unwrap().hash;
    assert!(hash.is_some());

    // Changed: looked at again. What was computed when it was written is kept as evidence.
    let mut longer = fs::read(&path).unwrap();
    longer.extend_from_slice(b"more");
    fs::write(&path, &longer).unwrap();
    assert_eq!(reconcile(&catalog), (1, 1, 0));
    let changed = catalog.reader().by_path(&path).unwrap().unwrap();
    assert_eq!(changed.size_bytes, longer.len() as u64);
    assert_eq!((changed.hash, changed.end_unix_ms), (hash, start_ms() + HOUR_MS));

    // Copied: the copy is nobody's segment.
    let copy = dir.path().join("copy.flv");
    fs::copy(&path, &copy).unwrap();
    assert_eq!(reconcile(&catalog), (1, 0, 0));
    assert_eq!((state(&catalog, &path), state(&catalog, &copy)), (Some(State::Finished), None));
    fs::remove_file(&copy).unwrap();

    // Moved: the same segment.
    let moved = dir.path().join("b.flv");
    fs::rename(&path, &moved).unwrap();
    assert_eq!(reconcile(&catalog), (1, 1, 0));
    assert_eq!((state(&catalog, &path), state(&catalog, &moved)), (None, Some(State::Finished)));

    // Gone, and back.
    let elsewhere = tempfile::tempdir().unwrap().path().with_extension("flv");
    fs::rename(&moved, &elsewhere).unwrap();
    assert_eq!(reconcile(&catalog), (0, 0, 1));
    assert_eq!(state(&catalog, &moved), Some(State::Missing));
    assert_eq!(reconcile(&catalog), (0, 0, 0));
    fs::rename(&elsewhere, &moved).unwrap();
    assert_eq!(reconcile(&catalog), (1, 1, 0));
    assert_eq!(state(&catalog, &moved), Some(State::Finished));
}

#[test]
fn a_name_that_is_used_again_is_another_segment() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let path = dir.path().join("a.flv");
    for recording in 1..=2 {
        let about = about_of(recording, 1, 0);
        write(dir.path(), "a.flv", &about);
        apply(&catalog, &[Event::Finished(finished(path.clone(), &about))]);
    }
    let [second] = &oldest_first(catalog.reader())[..] else { panic!("not one") };
    assert_eq!(second.recording, about_of(2, 1, 0).recording);
    let first = catalog.reader().of_recording(about_of(1, 1, 0).recording).unwrap();
    assert_eq!(first[0].state, State::Missing);
}

#[test]
fn files_that_are_not_ours_or_not_whole() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("foreign.flv"), with_metadata(&[])).unwrap();
    fs::write(dir.path().join("empty.flv"), b"").unwrap();
    fs::write(dir.path().join("a.flv.broken"), bytes(&about_of(1, 1, 0), true)).unwrap();
    let growing = dir.path().join("growing.flv");
    fs::write(&growing, bytes(&about_of(2, 1, 0), false)).unwrap();
    let catalog = open(dir.path());
    assert_eq!(reconcile(&catalog), (3, 1, 0));
    assert_eq!(oldest_first(catalog.reader()), []);
    assert_eq!(state(&catalog, &growing), Some(State::Open));
    fs::write(&growing, bytes(&about_of(2, 1, 0), true)).unwrap();
    assert_eq!(reconcile(&catalog), (3, 1, 0));
    assert_eq!(state(&catalog, &growing), Some(State::Finished));
}

#[test]
fn a_comparison_that_is_cut_short_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    for n in 1..=3 {
        let about = about_of(1, n, 0);
        let path = write(dir.path(), &format!("{n}.flv"), &about);
        apply(&catalog, &[Event::Finished(finished(path, &about))]);
    }
    let found = catalog.reconcile(&SystemDisk, &[], &|| false, &mut |_| {}).unwrap();
    assert_eq!((found.entered, found.missing), (0, 0));
    assert_eq!(oldest_first(catalog.reader()).len(), 3);
}

#[test]
fn a_rebuilt_catalog_says_what_the_files_say() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    for n in 1..=5 {
        let about = about_of(n, 1, i64::try_from(n).unwrap());
        let path = write(dir.path(), &format!("{n}/{n}.flv"), &about);
        apply(&catalog, &[Event::Finished(finished(path, &about))]);
    }
    let told = oldest_first(catalog.reader());
    drop(catalog);
    assert_eq!(rebuild(&SystemDisk, dir.path(), &[], &mut |_| {}).unwrap(), 5);
    assert!(dir.path().join(".rtmp-server/catalog.sqlite.broken-1").exists());
    let read = oldest_first(&Reader::open(dir.path()).unwrap());
    let plain = |segments: &[Segment]| -> Vec<_> {
        let without = |s: &Segment| Segment { id: 0, hash: None, chain: None, ..s.clone() };
        segments.iter().map(without).collect()
    };
    assert_eq!(plain(&read), plain(&told));
    fs::remove_dir_all(dir.path().join(DIR)).unwrap();
    assert_eq!(rebuild(&SystemDisk, dir.path(), &[], &mut |_| {}).unwrap(), 5);
}

#[test]
fn a_damaged_catalog_is_told_apart_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=2 {
        fs::create_dir_all(dir.path().join(DIR)).unwrap();
        fs::write(file(dir.path()), "this is not a database, and it is long enough".repeat(99))
            .unwrap();
        let error = Catalog::open(&SystemDisk, dir.path()).err().unwrap();
        assert!(error.is_damage(), "{error}");
        assert!(Reader::open(dir.path()).err().unwrap().is_damage());
        let name = Catalog::set_aside(&SystemDisk, dir.path()).unwrap();
        assert_eq!(name, dir.path().join(format!("{DIR}/{NAME}.broken-{number}")));
        drop(open(dir.path()));
    }
}

#[test]
fn a_damaged_page_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    for n in 1..=300 {
        let path = dir.path().join(format!("{n}.flv"));
        apply(&catalog, &[Event::Finished(finished(path, &about_of(1, n, 0)))]);
    }
    drop(catalog);
    let path = file(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[4_096..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let damage = Catalog::open(&SystemDisk, dir.path())
        .and_then(|catalog| catalog.reader().finished_total())
        .unwrap_err();
    assert!(damage.is_damage(), "{damage}");
}

#[test]
fn the_journal_of_a_damaged_catalog_does_not_get_into_the_next() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let journal = |name: &str| dir.path().join(format!("{DIR}/{name}-journal"));
    fs::write(journal(NAME), b"half of a change").unwrap();
    let name = Catalog::set_aside(&SystemDisk, dir.path()).unwrap();
    let kept = journal(name.file_name().unwrap().to_str().unwrap());
    assert_eq!(fs::read(kept).unwrap(), b"half of a change");
    assert!(!journal(NAME).exists());
}

#[test]
fn a_reader_does_not_see_half_a_change_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(Error::None)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let catalog = open(dir.path());
    let reader = Reader::open(dir.path()).unwrap();
    let writing = catalog.reader().db.unchecked_transaction().unwrap();
    catalog.opened(&SystemDisk, &dir.path().join("a.flv"), &about_of(1, 1, 0)).unwrap();
    assert_eq!(reader.unfinished().unwrap(), []);
    writing.commit().unwrap();
    assert_eq!(reader.unfinished().unwrap().len(), 1);
    reader.db.execute("DELETE FROM segments", []).unwrap_err();
}

#[test]
fn deletions_are_kept_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    for n in 1..=3 {
        let path = dir.path().join(format!("{n}.flv"));
        apply(&catalog, &[Event::Finished(finished(path, &about_of(1, n, 0)))]);
    }
    let segments = oldest_first(catalog.reader());
    for (now, segment) in (1..).zip(&segments[..2]) {
        catalog.deleted(&[(segment.clone(), Cause::Total)], now).unwrap();
    }
    let deletion = |segment: &Segment, deleted_unix_ms| Deletion {
        path: segment.path.clone(),
        stream_key: "kept/test".to_owned(),
        size_bytes: 12_345,
        deleted_unix_ms,
        reason: "total size".to_owned(),
    };
    let both = [deletion(&segments[1], 2), deletion(&segments[0], 1)];
    assert_eq!(catalog.reader().deletions(20).unwrap(), both);
    assert_eq!(catalog.reader().deletions(1).unwrap(), both[..1]);
    assert_eq!(oldest_first(catalog.reader()), segments[2..]);
    assert_eq!(state(&catalog, &segments[0].path), Some(State::Deleted));
    // They are no longer looked for.
    assert_eq!(reconcile(&catalog), (0, 0, 1));
}

#[test]
fn a_set_aside_file_is_no_segment_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let from = dir.path().join("a.flv");
    let to = dir.path().join("a.flv.broken");
    let reason = "no whole metadata".to_owned();
    apply(&catalog, &[Event::Opened { path: from.clone(), about: about_of(1, 1, 0) }]);
    apply(&catalog, &[Event::SetAside { from: from.clone(), to, reason }]);
    assert_eq!(state(&catalog, &from), Some(State::Missing));
    let row: (String, String) = catalog
        .reader()
        .db
        .query_row("SELECT to_path, reason FROM set_aside", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(row, ("a.flv.broken".to_owned(), "no whole metadata".to_owned()));
}

#[test]
fn a_file_that_is_gone_while_it_is_written_is_missing_until_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let (path, about) = (dir.path().join("a.flv"), about_of(1, 1, 0));
    apply(&catalog, &[Event::Opened { path: path.clone(), about: about.clone() }]);
    apply(&catalog, &[Event::Gone(path.clone())]);
    assert_eq!(state(&catalog, &path), Some(State::Missing));
    apply(&catalog, &[Event::Recovered(finished(path.clone(), &about))]);
    assert_eq!(state(&catalog, &path), Some(State::Finished));
}

#[test]
fn what_was_written_since_counts_the_part_of_a_segment() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    for n in 0_u32..3 {
        let path = dir.path().join(format!("{n}.flv"));
        let about = about_of(u64::from(n) + 1, 1, i64::from(n));
        apply(&catalog, &[Event::Finished(finished(path, &about))]);
    }
    let reader = catalog.reader();
    assert_eq!(reader.oldest_start().unwrap(), Some(start_ms()));
    let since = |ms: i64| reader.written_since(start_ms() + ms).unwrap();
    assert_eq!(since(0), 3 * 12_345);
    assert_eq!(since(HOUR_MS), 2 * 12_345);
    assert_eq!(since(HOUR_MS * 5 / 2), 12_345 / 2);
    assert_eq!(since(HOUR_MS * 3), 0);
    assert_eq!(reader.finished_total().unwrap(), (3, 3 * 12_345));
}

#[test]
fn numbers_that_no_file_can_mean_are_survived() {
    let dir = tempfile::tempdir().unwrap();
    let mut about = about_of(1, u32::MAX, 0);
    about.start_ms = u64::MAX;
    about.first_packet = u64::MAX;
    about.start_time = "yesterday".to_owned();
    let path = write(dir.path(), "a.flv", &about);
    let catalog = open(dir.path());
    assert_eq!(reconcile(&catalog), (1, 1, 0));
    let segment = catalog.reader().by_path(&path).unwrap().unwrap();
    assert_eq!(segment.start_unix_ms, segment.modified_ms);
    assert_eq!(unix_ms(START), Some(start_ms()));
}

#[test]
fn who_mistakes_a_recorder_is_told_some_of_those_that_there_are() {
    let known: Vec<_> = (0..30).map(|n| format!("r{n:02}")).collect();
    assert_eq!(check_recorder("r29", known.clone()), Ok(()));
    let told = check_recorder("r9", known).unwrap_err().to_string();
    assert!(told.contains(": all, api, r00, ") && told.ends_with(", r17, … are or have"), "{told}");
}
