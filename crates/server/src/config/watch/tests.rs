use std::fs;

use super::*;
use crate::config::examine;

fn settings(path: &Path) -> Settings {
    let args = ["rtmp-server".into(), "-config".into(), path.into()];
    examine(args, []).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn block_on(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(test);
}

/// Waits for a change, and checks that it is one of the file.
async fn changed(watch: &mut Watch) {
    let cause = tokio::time::timeout(Duration::from_secs(60), watch.changed()).await;
    assert_eq!(cause.expect("the change is not seen"), Cause::File);
}

/// Nothing is told before everything that has happened so far has been looked at.
async fn nothing(watch: &mut Watch) {
    let file = watch.file.as_mut().unwrap();
    file.events.notify_one();
    let told = tokio::time::timeout(QUIET * 3, watch.changed()).await;
    assert!(told.is_err(), "{told:?}");
}

#[test]
fn a_file_that_is_written_anew_in_place_is_seen_once() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        fs::write(&path, "").unwrap();
        let mut watch = Watch::new(&settings(&path)).unwrap();
        nothing(&mut watch).await;
        fs::write(&path, "record-all").unwrap();
        fs::write(&path, "record-all = true").unwrap();
        changed(&mut watch).await;
        nothing(&mut watch).await;
    });
}

#[test]
fn another_file_in_its_place_is_seen() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let [path, new] = ["server.toml", ".server.toml.swp"].map(|name| dir.path().join(name));
        fs::write(&path, "").unwrap();
        let mut watch = Watch::new(&settings(&path)).unwrap();
        for text in ["record-all = true", "record-all = false"] {
            fs::write(&new, text).unwrap();
            fs::rename(&new, &path).unwrap();
            changed(&mut watch).await;
        }
        // Gone for a while, and back as it was.
        fs::rename(&path, &new).unwrap();
        nothing(&mut watch).await;
        fs::rename(&new, &path).unwrap();
        nothing(&mut watch).await;
    });
}

/// Its directory has two names then, as with a path that is relative.
#[cfg(unix)]
#[test]
fn a_file_that_was_gone_for_a_while_is_seen_again_through_a_link_to_its_directory() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        let [path, away] =
            ["server.toml", "away.toml"].map(|name| dir.path().join("link").join(name));
        fs::write(&path, "").unwrap();
        let mut watch = Watch::new(&settings(&path)).unwrap();
        for text in ["record-all = true", "record-all = false"] {
            fs::rename(&path, &away).unwrap();
            nothing(&mut watch).await;
            fs::rename(&away, &path).unwrap();
            fs::write(&path, text).unwrap();
            changed(&mut watch).await;
        }
        fs::write(&path, "record-all = true").unwrap();
        changed(&mut watch).await;
    });
}

/// As Kubernetes mounts a ConfigMap: `server.toml` links to `..data/server.toml`, and `..data` to a
/// directory that another one is put in the place of.
#[cfg(unix)]
#[test]
fn a_link_that_is_turned_to_another_directory_is_seen() {
    use std::os::unix::fs::symlink;
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, text) in [("..1", ""), ("..2", "record-all = true"), ("..3", "listen = ':1'")] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("server.toml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/server.toml", at("server.toml")).unwrap();
        let mut watch = Watch::new(&settings(&at("server.toml"))).unwrap();
        for (now, before) in [("..2", "..1"), ("..3", "..2")] {
            symlink(now, at("..data_tmp")).unwrap();
            fs::rename(at("..data_tmp"), at("..data")).unwrap();
            fs::remove_dir_all(at(before)).unwrap();
            changed(&mut watch).await;
        }
        // In place, behind the links.
        fs::write(at("..3/server.toml"), "listen = ':2'").unwrap();
        changed(&mut watch).await;
    });
}

#[test]
fn a_change_between_reading_and_watching_is_seen() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        fs::write(&path, "").unwrap();
        let settings = settings(&path);
        fs::write(&path, "record-all = true").unwrap();
        changed(&mut Watch::new(&settings).unwrap()).await;
    });
}

/// Editors that write in place empty it first, and so does a disk that is full.
#[test]
fn a_file_that_is_emptied_is_not_told_until_something_is_in_it() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        fs::write(&path, "record-all = true").unwrap();
        let mut watch = Watch::new(&settings(&path)).unwrap();
        fs::write(&path, "").unwrap();
        nothing(&mut watch).await;
        fs::write(&path, "record-all = false").unwrap();
        changed(&mut watch).await;
    });
}

#[test]
fn what_happens_to_other_files_beside_it_for_ever_does_not_put_off_a_change() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        fs::write(&path, "").unwrap();
        let mut watch = Watch::new(&settings(&path)).unwrap();
        let events = watch.file.as_ref().unwrap().events.clone();
        fs::write(&path, "record-all = true").unwrap();
        let noise = async {
            loop {
                events.notify_one();
                tokio::time::sleep(QUIET / 5).await;
            }
        };
        tokio::select! {
            () = changed(&mut watch) => {}
            () = noise => {}
        }
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        fs::write(&path, "").unwrap();
        let mut watch = Watch::new(&settings(&path)).unwrap();
        fs::write(&path, "record-all = true").unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        // Each wait is shorter than the time for which it has to be quiet.
        while tokio::time::timeout(QUIET / 5, watch.changed()).await.is_err() {
            assert!(Instant::now() < deadline, "the change is lost");
        }
    });
}

#[test]
fn without_a_file_nothing_is_ever_told() {
    block_on(async {
        let mut watch = Watch::new(&Settings::default()).unwrap();
        let told = tokio::time::timeout(Duration::from_millis(50), watch.changed()).await;
        assert!(told.is_err());
    });
}
