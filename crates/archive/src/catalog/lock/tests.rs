use super::*;

#[test]
fn one_at_a_time_works_on_a_catalog() {
    let dir = tempfile::tempdir().unwrap();
    let first = Lock::take(&SystemDisk, dir.path()).unwrap();
    assert!(matches!(Lock::take(&SystemDisk, dir.path()), Err(Error::InUse)));
    drop(first);
    drop(Lock::take(&SystemDisk, dir.path()).unwrap());
    let nowhere = dir.path().join("none");
    assert!(matches!(Lock::take_for_rebuild(&SystemDisk, &nowhere), Err(Error::Disk(_))));
    assert!(!nowhere.exists());
}

#[test]
fn a_server_that_does_nothing_is_noticed_and_holds_nothing_open() {
    let dir = tempfile::tempdir().unwrap();
    let record_dir = dir.path().join("recordings");
    let server = Presence::tell(&record_dir).unwrap().unwrap();
    assert!(!server.path.starts_with(dir.path()));
    assert!(!record_dir.exists());
    std::fs::create_dir(&record_dir).unwrap();
    assert!(Presence::tell(&dir.path().join("./recordings")).is_err());
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&record_dir, &link).unwrap();
        assert!(Presence::tell(&link).is_err());
    }
    assert!(matches!(Lock::take_for_rebuild(&SystemDisk, &record_dir), Err(Error::InUse)));
    assert!(Presence::tell(dir.path()).is_ok());
    let path = server.path.clone();
    drop(server);
    assert!(!path.exists());
    drop(Lock::take_for_rebuild(&SystemDisk, &record_dir).unwrap());
    assert!(!path.exists());
}
