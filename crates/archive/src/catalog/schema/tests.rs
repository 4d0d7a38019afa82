use super::*;

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
