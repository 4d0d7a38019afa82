use std::collections::BTreeMap;

use super::*;
use crate::catalog::{Catalog, Page, Query, Reader, RecordingState};
use crate::disk::SystemDisk;

fn tables(db: &Connection) -> Vec<String> {
    let sql = "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name";
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn every_version_comes_to_the_present_one() {
    let mut fresh = Connection::open_in_memory().unwrap();
    migrate(&mut fresh).unwrap();
    assert_eq!(version(&fresh).unwrap(), VERSION);
    for from in 0..=VERSION {
        let mut old = Connection::open_in_memory().unwrap();
        STEPS[..from].iter().for_each(|sql| old.execute_batch(sql).unwrap());
        old.pragma_update(None, "user_version", from).unwrap();
        migrate(&mut old).unwrap();
        assert_eq!(tables(&old), tables(&fresh), "from version {from}");
        assert_eq!(version(&old).unwrap(), VERSION);
        migrate(&mut old).unwrap();
        assert_eq!(tables(&old), tables(&fresh));
    }
}

#[test]
fn a_step_that_fails_leaves_nothing() {
    let mut db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE set_aside (in_the_way)").unwrap();
    let before = tables(&db);
    migrate(&mut db).unwrap_err();
    assert_eq!((tables(&db), version(&db).unwrap()), (before, 0));
}

#[test]
fn a_later_version_is_refused_and_stays() {
    let mut db = Connection::open_in_memory().unwrap();
    db.pragma_update(None, "user_version", VERSION + 1).unwrap();
    let error = migrate(&mut db).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the catalog has version {}, and this program knows {VERSION}: use a newer one",
            VERSION + 1
        )
    );
    assert_eq!(tables(&db), Vec::<String>::new());
}

/// What version 1 wrote of three recordings: one whole, with gaps and a deletion; one that was
/// being written; one whose last file was recovered.
const ROWS_OF_FIRST: &str = "
INSERT INTO recordings VALUES
    ('00000000000000aa', 'live/a', '2025-10-11T14:30:52.123+02:00', 1760185852123),
    ('00000000000000bb', 'live/b', '2025-10-11T13:30:52.123+02:00', 1760182252123),
    ('00000000000000cc', 'live/c', '2025-10-11T15:30:52.123+02:00', 1760189452123);
INSERT INTO segments VALUES
    (7, '00000000000000aa', 1, 'live/a', 'a/1.flv', 'deleted', 0, 'start',
        '2025-10-11T14:30:52.123+02:00', 1760185852123, '2025-10-11T14:31:52.123+02:00',
        1760185912123, 0, 60000, 1000, 5, 0, 's/1', 100, 1000, 90, 900, 10, 100, 3, 2, 1, 0, 0,
        x'0101010101010101010101010101010101010101010101010101010101010101',
        x'0202020202020202020202020202020202020202020202020202020202020202', NULL),
    (9, '00000000000000aa', 2, 'live/a', 'a/2.flv', 'finished', 0, 'duration',
        '2025-10-11T14:31:53.123+02:00', 1760185913123, NULL, 1760185973123, 61000, 60000, 2000, 6,
        100, 's/1', 50, 500, 50, 500, 0, 0, 0, 2, 0, -3, 9, NULL, NULL, NULL),
    (10, '00000000000000bb', 1, 'live/b', 'b.flv', 'open', 0, 'start',
        '2025-10-11T13:30:52.123+02:00', 1760182252123, NULL, NULL, 9223372036854775807, 0, 0, 0, 0,
        's/1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (11, '00000000000000cc', 1, 'live/c', 'c.flv', 'finished', 1, 'start',
        '2025-10-11T15:30:52.123+02:00', 1760189452123, NULL, 1760189462123, 0, 10000, 7, 7, 0,
        's/1', 9223372036854775807, 1, 9223372036854775807, 1, 0, 0, 0, 0, 0, 0, 0, NULL, NULL,
        NULL);
INSERT INTO gaps VALUES (7, 1, 500, 80, 'slow disk', 10, 100),
    (9, 0, 60000, 1000, 'publisher away', 0, 0);
INSERT INTO deletions VALUES (1, 7, 'a/1.flv', 1000, 1760185999000, 'age');
INSERT INTO set_aside VALUES (1, 'd.flv', 'd.flv.broken', 'why', 1760185999000);
";

#[test]
fn what_version_1_knew_is_found_in_the_present_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".rtmp-server")).unwrap();
    let old = Connection::open(crate::catalog::file(dir.path())).unwrap();
    old.execute_batch(STEPS[0]).unwrap();
    old.execute_batch(ROWS_OF_FIRST).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);

    let older = Reader::open(dir.path()).err().unwrap().to_string();
    assert!(
        older.starts_with("the catalog has version 1, and this program reads 3: the next start")
    );
    let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
    let reader = catalog.reader();
    let all = reader.recordings(&Query::default()).unwrap().recordings;
    let told: Vec<_> = all
        .iter()
        .map(|r| (r.stream_key.as_str(), r.state, r.segments, r.size_bytes, r.length_ms, r.gaps))
        .collect();
    let long = 1 << 50;
    assert_eq!(
        told,
        [
            ("live/c", RecordingState::Interrupted, 1, 7, 10_000, 0),
            ("live/a", RecordingState::Complete, 1, 2_000, 121_000, 2),
            ("live/b", RecordingState::Recording, 1, 0, long, 0),
        ]
    );
    let [c, a, b] = &all[..] else { panic!("not three") };
    assert_eq!((a.recorder.as_str(), a.held, &a.labels), ("all", false, &BTreeMap::new()));
    assert!(all.iter().all(|recording| !recording.is_clip));
    assert_eq!((a.start_unix_ms, a.end_unix_ms), (1_760_185_852_123, Some(1_760_185_973_123)));
    assert_eq!(a.start_time, "2025-10-11T14:30:52.123+02:00");
    assert_eq!((a.ledger.received.packets, a.ledger.received.bytes), (150, 1_500));
    assert_eq!(
        (a.ledger.written.packets, a.ledger.dropped.bytes, a.ledger.late_packets),
        (140, 100, 3)
    );
    assert_eq!((b.end_unix_ms, c.ledger.received.packets), (None, long));

    let segments = reader.of_recording(a.id).unwrap();
    assert_eq!(segments.iter().map(|s| (s.id, s.number)).collect::<Vec<_>>(), [(7, 1), (9, 2)]);
    assert_eq!(segments[0].hash, Some(crate::Hash([1; 32])));
    assert_eq!((segments[1].start_ms, segments[1].modified_ms), (61_000, 6));
    let gaps: Vec<_> =
        reader.gaps_of(a.id).unwrap().iter().map(|g| (g.segment, g.gap.at_ms)).collect();
    assert_eq!(gaps, [(1, 500), (2, 60_000)]);
    assert_eq!(reader.deletions(9).unwrap()[0].reason, "age");
    assert_eq!(reader.finished_total().unwrap(), (2, 2_007));
    assert_eq!(reader.unfinished().unwrap().len(), 1);
    let between = reader.segments_between("live/a", 1_760_185_913_200, 1_760_185_913_300, None);
    assert_eq!(between.unwrap().len(), 1);
    let aside: String =
        reader.db.query_row("SELECT to_path FROM set_aside", [], |row| row.get(0)).unwrap();
    assert_eq!(aside, "d.flv.broken");
    // Rows still refer to each other.
    let broken: Vec<String> = reader
        .db
        .prepare("PRAGMA foreign_key_check")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(broken, Vec::<String>::new());
    assert!(
        reader.db.pragma_query_value(None, "foreign_keys", |row| row.get::<_, bool>(0)).unwrap()
    );
    // And sums go on.
    reader.db.execute("UPDATE segments SET state = 'missing' WHERE id = 9", []).unwrap();
    let a = reader.recording(a.id).unwrap().unwrap();
    assert_eq!((a.state, a.size_bytes), (RecordingState::Deleted, 0));
}

#[test]
fn an_empty_catalog_of_version_1_is_one_of_the_present_version() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".rtmp-server")).unwrap();
    for rows in ["", STEPS[0]] {
        let old = Connection::open(crate::catalog::file(dir.path())).unwrap();
        old.execute_batch(rows).unwrap();
        let version = i64::from(!rows.is_empty());
        old.pragma_update(None, "user_version", version).unwrap();
        drop(old);
        let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
        assert_eq!(catalog.reader().recordings(&Query::default()).unwrap(), Page::default());
        drop(catalog);
        std::fs::remove_file(crate::catalog::file(dir.path())).unwrap();
    }
}
