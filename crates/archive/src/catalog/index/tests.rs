use super::*;
use crate::disk::SystemDisk;

#[test]
fn letters_in_a_row() {
    let of = |size| grams("häß€", size).collect::<Vec<_>>();
    assert_eq!(of(1), ["h", "ä", "ß", "€"]);
    assert_eq!(of(2), ["hä", "äß", "ß€"]);
    assert_eq!(of(3), ["häß", "äß€"]);
    assert_eq!(of(4), ["häß€"]);
    assert_eq!(of(5), [""; 0]);
}

#[test]
fn a_row_lies_in_one_block() {
    for row in [1, 7_167, 7_168, 7_169, 1 << 40] {
        let (block, place) = place(row);
        assert_eq!(seq(block, place.into()), row);
    }
    assert_eq!((place(7_167), place(7_168)), ((0, 7_167), (1, 0)));
}

/// Recordings of a stream each, one in every `step` places.
fn catalog(dir: &std::path::Path, count: i64, step: i64) -> Catalog {
    let catalog = Catalog::open(&SystemDisk, dir).unwrap();
    let db = &catalog.reader.db;
    let whole = db.unchecked_transaction().unwrap();
    for n in 1..=count {
        let sql = "INSERT INTO recordings (seq, id, stream_key, recorder, phase, start_time, \
                   start_unix_ms) VALUES (?1, ?2, ?3, 'all', 'complete', '', ?1)";
        let id = format!("{n:016x}");
        db.execute(sql, params![n * step, id, format!("live/{}", n % 3)]).unwrap();
    }
    whole.commit().unwrap();
    catalog
}

fn count(catalog: &Catalog, table: &str) -> u64 {
    let sql = format!("SELECT count(*) FROM {table}");
    catalog.reader.db.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn blocks_are_indexed_while_too_much_is_stale() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = catalog(dir.path(), 10, 3_000);
    let stale = || (count(&catalog, "stale"), count(&catalog, "blocks"));
    assert!(!catalog.index(10, 9).unwrap());
    assert_eq!(stale(), (10, 0));
    assert!(catalog.index(8, 1).unwrap(), "there may be more to do");
    assert_eq!(stale(), (7, 1));
    assert!(!catalog.index(8, 1).unwrap());
    assert!(!catalog.index(0, 9).unwrap());
    assert_eq!(stale(), (0, 5));
    // Nothing that is searched by.
    catalog.reader.db.execute("UPDATE recordings SET size_bytes = 5", []).unwrap();
    assert_eq!(stale(), (0, 5));
    for change in [
        "UPDATE recordings SET phase = 'interrupted' WHERE seq = 3000",
        "UPDATE recordings SET held_segments = 1 WHERE seq = 6000",
        "UPDATE recordings SET start_unix_ms = 5 WHERE seq = 9000",
        "INSERT INTO labels VALUES (12000, 'a', 'b')",
        "UPDATE labels SET value = 'c'",
    ] {
        catalog.reader.db.execute(change, []).unwrap();
    }
    assert_eq!(stale(), (4, 5));
    assert!(!catalog.index(0, 9).unwrap());
    catalog.reader.db.execute("DELETE FROM labels", []).unwrap();
    assert_eq!(stale(), (1, 5));
}

#[test]
fn texts_with_too_many_letters_are_looked_at() {
    let mut terms = Terms::default();
    let long: String = ('\u{4e00}'..).take(TEXT_CHARS + 1).collect();
    terms.add_text(kind::GRAM, &long[..long.len() - 3], 1);
    assert!(!terms.places.contains_key("x"));
    terms.add_text(kind::GRAM, &long, 2);
    assert_eq!(terms.places["x"], [2]);
    for place in 0..500 {
        let chars = ('\u{20000}'..).skip(usize::from(place) * 200).take(TEXT_CHARS);
        terms.add_text(kind::GRAM, &chars.collect::<String>(), place);
    }
    assert!(terms.places.len() <= GRAMS_MAX + 1, "{}", terms.places.len());
    assert_eq!(terms.places["x"].last(), Some(&499));
}

#[test]
fn recordings_in_disorder_are_numbered_anew() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = catalog(dir.path(), 200, 1_000);
    let db = &catalog.reader.db;
    assert!(!catalog.renumber().unwrap(), "they are in order");
    // As if they came by name: blocks of seven, each over all of the time.
    db.execute("UPDATE recordings SET start_unix_ms = (seq / 1000 * 77) % 200", []).unwrap();
    db.execute("INSERT INTO labels SELECT seq, 'a', id FROM recordings", []).unwrap();
    let about = crate::catalog::made::about_of(77, 1, 0);
    let finished = crate::catalog::made::finished(dir.path().join("a.flv"), &about);
    catalog.finished(&SystemDisk, &finished, false).unwrap();
    db.execute("UPDATE recordings SET start_unix_ms = 5 WHERE id = '000000000000004d'", [])
        .unwrap();
    catalog.index(0, usize::MAX).unwrap();
    let all = |catalog: &Catalog| {
        let query = crate::catalog::Query { limit: 1_000, ..crate::catalog::Query::default() };
        catalog.reader.recordings(&query).unwrap().recordings
    };
    let before = all(&catalog);
    assert!(catalog.renumber().unwrap());
    assert_eq!(count(&catalog, "stale"), 200);
    catalog.index(0, usize::MAX).unwrap();
    let mut after = all(&catalog);
    // Those that began in the same ms may change places.
    after.sort_by_key(|recording| recording.id);
    let mut sorted = before.clone();
    sorted.sort_by_key(|recording| recording.id);
    assert_eq!(after, sorted);
    assert_eq!(count(&catalog, "blocks"), 1);
    let broken: i64 =
        db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0)).unwrap();
    assert_eq!(broken, 0);
    assert!(!catalog.renumber().unwrap());
}
