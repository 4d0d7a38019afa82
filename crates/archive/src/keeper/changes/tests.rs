use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use super::*;
use crate::catalog::made::{about_of, finished, start_ms, write};
use crate::catalog::{Reader, RecordingState};
use crate::change::Reply;
use crate::disk::{Disk, SystemDisk};
use crate::events::{Event, Started};
use crate::keeper::tests::{Steps, lines_of, turn};
use crate::testing::{Stream, clip, wait_until};
use crate::{Archive, Config, Observer, Policy, StartRequest};

/// Three segments of one recording in two folders, and one of another, in a directory with a clerk.
struct Made {
    dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
    steps: Steps,
    clerk: Clerk,
    notices: Arc<Mutex<Vec<Notice>>>,
}

fn id(n: u64) -> RecordingId {
    about_of(n, 1, 0).recording
}

impl Made {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self::on(SystemDisk, config)
    }

    fn on(disk: impl Disk + 'static, config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let about = |n, number| crate::About {
            labels: [("camera".to_owned(), "1".to_owned())].into(),
            ..about_of(n, number, 0)
        };
        let mut paths: Vec<_> = (1..=3)
            .map(|n| write(dir.path(), &format!("day{}/{n}.flv", n / 2), &about(1, n)))
            .collect();
        paths.push(write(dir.path(), "other.flv", &about(2, 1)));
        fs::write(beside(&paths[0], ".b3"), b"hash").unwrap();
        let config = Config { record_dir: dir.path().to_owned(), ..config };
        let notices = Arc::<Mutex<Vec<_>>>::default();
        let told = notices.clone();
        let observer = Observer::new(move |notice| told.lock().unwrap().push(notice));
        let mut steps = Steps::observed(config, disk, observer);
        let mut clerk = steps.clerk();
        turn(&mut clerk);
        Self { dir, paths, steps, clerk, notices }
    }

    fn change(&mut self, change: Change) -> Carried {
        let (told, outcomes) = channel();
        let reply = Reply::new(move |outcome| told.send(outcome).unwrap());
        self.steps.shared.changes.push(change, reply);
        turn(&mut self.clerk);
        let outcome = outcomes.try_recv().unwrap();
        assert!(outcomes.try_recv().is_err());
        outcome
    }

    fn delete(&mut self) -> Carried {
        self.change(Change::Delete { id: id(1), at_once: false })
    }

    fn restore(&mut self) -> Carried {
        self.change(Change::Restore { id: id(1) })
    }

    fn label(&mut self, name: &str, value: Option<&str>) -> Carried {
        let set = [(name.to_owned(), value.map(ToOwned::to_owned))].into();
        self.change(Change::Label { id: id(1), set })
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    fn recording(&self) -> Recording {
        self.reader().recording(id(1)).unwrap().unwrap()
    }

    fn state(&self) -> RecordingState {
        self.recording().state
    }

    fn bin(&self) -> PathBuf {
        trash::of(self.dir.path())
    }

    fn binned(&self, name: &str) -> PathBuf {
        self.bin().join(id(1).to_string()).join(name)
    }

    fn there(&self) -> Vec<bool> {
        self.paths.iter().map(|path| path.exists()).collect()
    }

    fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.notices.lock().unwrap())
    }

    /// What a catalog made anew from the files says.
    fn rebuilt(&self) -> Recording {
        crate::catalog::rebuild(&SystemDisk, self.dir.path(), &[], &mut |_| {}).unwrap();
        self.recording()
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    crate::disk::beside(path, end)
}

#[test]
fn a_deleted_recording_is_in_the_bin_until_its_time_is_over() {
    let mut made = Made::new();
    let size: u64 = made.paths[..3].iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let changed = made.delete().unwrap();
    assert_eq!((changed.files, changed.size_bytes), (3, size));
    let recording = changed.recording.unwrap();
    let week_ms = 7 * 24 * 3_600 * 1_000;
    assert_eq!(recording.state, RecordingState::Binned);
    assert_eq!(recording.binned_unix_ms, Some(start_ms()));
    assert_eq!(recording.purge_unix_ms, Some(start_ms() + week_ms));
    assert_eq!((recording.segments, recording.size_bytes), (3, size));
    assert_eq!(made.there(), [false, false, false, true]);
    assert!(!made.dir.path().join("day0").exists(), "empty folders go");
    for name in ["day0/1.flv", "day0/1.flv.b3", "day1/2.flv", "day1/3.flv"] {
        assert!(made.binned(name).exists(), "{name}");
    }
    let notices = made.take_notices();
    assert_eq!(notices.len(), 3);
    assert!(
        matches!(&notices[0], Notice::Deleted { binned: true, file, .. } if *file == made.paths[0])
    );
    let lines = lines_of(made.dir.path());
    assert_eq!(lines, Vec::<String>::new());
    // Again is fine, and changes nothing.
    assert_eq!(made.delete().unwrap().files, 0);
    assert_eq!(made.recording().binned_unix_ms, Some(start_ms()));

    let last_ms = u64::try_from(week_ms).unwrap() / 1_000 - 1;
    made.steps.pass(last_ms);
    turn(&mut made.clerk);
    assert_eq!(made.state(), RecordingState::Binned);
    made.steps.pass(61);
    turn(&mut made.clerk);
    let recording = made.recording();
    assert_eq!((recording.state, recording.size_bytes), (RecordingState::Deleted, 0));
    assert_eq!((recording.binned_unix_ms, recording.purge_unix_ms), (None, None));
    assert!(!made.bin().exists());
    let deletions = made.reader().deletions(9).unwrap();
    assert_eq!(deletions.len(), 3);
    assert_eq!((deletions[0].reason.as_str(), &deletions[2].path), ("bin", &made.paths[0]));
    let lines = lines_of(made.dir.path());
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("INFO recording deleted stream_key=kept/test file="), "{lines:?}");
    assert!(lines[0].ends_with("reason=\"bin\""), "{lines:?}");
    let notices = made.take_notices();
    assert!(matches!(&notices[..], [Notice::Deleted { binned: false, .. }, _, _]), "{notices:?}");
    assert_eq!(made.restore(), Err(ChangeError::NotInBin));
    assert_eq!(made.there(), [false, false, false, true]);
}

#[test]
fn a_restored_recording_is_what_it_was() {
    let mut made = Made::new();
    assert_eq!(made.restore(), Err(ChangeError::NotInBin));
    made.label("camera", Some("2")).unwrap();
    let before = made.recording();
    made.delete().unwrap();
    assert!(made.binned("day0/1.flv.labels").exists());
    made.take_notices();
    let restored = made.restore().unwrap();
    assert_eq!((restored.files, restored.recording), (3, Some(before.clone())));
    assert_eq!(made.there(), [true; 4]);
    assert!(beside(&made.paths[0], ".b3").exists() && beside(&made.paths[0], ".labels").exists());
    assert!(!made.bin().exists());
    assert!(matches!(&made.take_notices()[..], [Notice::Restored { .. }]));
    assert_eq!(made.recording(), before);
}

#[test]
fn what_is_in_the_bin_can_be_restored_from_the_files_alone() {
    let mut made = Made::new();
    made.label("camera", Some("north")).unwrap();
    made.delete().unwrap();
    let before = made.recording();
    fs::remove_dir_all(made.dir.path().join(".rtmp-server/catalog.sqlite")).unwrap_err();
    fs::remove_file(made.dir.path().join(".rtmp-server/catalog.sqlite")).unwrap();
    turn(&mut made.clerk);
    // The next round looks again.
    made.steps.pass(61);
    turn(&mut made.clerk);
    let after = made.recording();
    assert_eq!((after.state, after.labels), (RecordingState::Binned, before.labels));
    assert_eq!(after.binned_unix_ms, before.binned_unix_ms);
    assert_eq!(after.purge_unix_ms, before.purge_unix_ms);
    made.restore().unwrap();
    assert_eq!(made.there(), [true; 4]);
    assert_eq!(made.rebuilt().labels["camera"], "north");
}

#[test]
fn restoring_overwrites_nothing() {
    let mut made = Made::new();
    made.delete().unwrap();
    fs::create_dir_all(made.paths[1].parent().unwrap()).unwrap();
    fs::write(&made.paths[1], b"another").unwrap();
    assert_eq!(made.restore(), Err(ChangeError::Exists));
    assert_eq!(made.there(), [false, true, false, true], "all or nothing where that is known");
    assert_eq!(fs::read(&made.paths[1]).unwrap(), b"another");
    assert_eq!(made.state(), RecordingState::Binned);
    fs::remove_file(&made.paths[1]).unwrap();
    made.restore().unwrap();
    assert_eq!((made.state(), made.there()), (RecordingState::Complete, vec![true; 4]));
}

#[test]
fn deleting_at_once_passes_by_the_bin_and_empties_it() {
    for grace_s in [0, 3_600] {
        let bin_grace = Duration::from_secs(grace_s);
        let mut made = Made::with(Config { bin_grace, ..Config::default() });
        let changed = made.change(Change::Delete { id: id(1), at_once: grace_s > 0 }).unwrap();
        assert_eq!((changed.files, made.state()), (3, RecordingState::Deleted));
        assert_eq!(made.there(), [false, false, false, true]);
        assert!(!made.bin().exists() && !made.dir.path().join("day0").exists());
        assert_eq!(made.reader().deletions(9).unwrap()[0].reason, "request");
        assert!(lines_of(made.dir.path())[0].ends_with("reason=\"request\""));
        assert_eq!(made.change(Change::Delete { id: id(1), at_once: true }).unwrap().files, 0);
    }
    let mut made = Made::new();
    made.delete().unwrap();
    let changed = made.change(Change::Delete { id: id(1), at_once: true }).unwrap();
    assert_eq!((changed.files, made.state()), (3, RecordingState::Deleted));
    assert!(!made.bin().exists());
}

#[test]
fn the_bin_is_emptied_but_for_what_is_held() {
    let mut made = Made::new();
    made.delete().unwrap();
    made.change(Change::Delete { id: id(2), at_once: false }).unwrap();
    made.change(Change::Hold { id: id(2) }).unwrap();
    let changed = made.change(Change::EmptyBin).unwrap();
    assert_eq!((changed.files, changed.recording), (3, None));
    let other = || made.reader().recording(id(2)).unwrap().unwrap();
    assert_eq!((made.state(), other().state), (RecordingState::Deleted, RecordingState::Binned));
    assert!(other().held);
    made.change(Change::Restore { id: id(2) }).unwrap();
    let other = made.reader().recording(id(2)).unwrap().unwrap();
    assert!(other.held && beside(&made.paths[3], ".hold").exists());
    assert_eq!(made.change(Change::EmptyBin).unwrap(), Changed::default());
}

#[test]
fn a_shorter_grace_is_that_of_what_is_in_the_bin_already() {
    let mut made = Made::new();
    made.delete().unwrap();
    made.steps.pass(100);
    let policy = |seconds| Policy { bin_grace: Duration::from_secs(seconds), ..Policy::default() };
    made.steps.shared.set_policy(policy(200));
    turn(&mut made.clerk);
    assert_eq!(made.recording().purge_unix_ms, Some(start_ms() + 200_000));
    made.steps.shared.set_policy(policy(99));
    turn(&mut made.clerk);
    assert_eq!(made.state(), RecordingState::Deleted);
}

#[test]
fn what_is_held_stays() {
    let mut made = Made::new();
    let changed = made.change(Change::Hold { id: id(1) }).unwrap();
    assert!(changed.recording.unwrap().held);
    assert!(made.paths[..3].iter().all(|path| beside(path, ".hold").exists()));
    assert!(matches!(&made.take_notices()[..], [Notice::Changed { .. }]));
    assert_eq!(made.delete(), Err(ChangeError::Held));
    assert_eq!(made.change(Change::Delete { id: id(1), at_once: true }), Err(ChangeError::Held));
    assert!(made.rebuilt().held);
    assert!(made.change(Change::Hold { id: id(1) }).is_ok());
    let changed = made.change(Change::Release { id: id(1) }).unwrap();
    assert!(!changed.recording.unwrap().held);
    assert!(!beside(&made.paths[0], ".hold").exists());
    // By hand, one file is enough.
    fs::write(beside(&made.paths[2], ".hold"), b"").unwrap();
    assert_eq!(made.delete(), Err(ChangeError::Held));
    assert!(made.recording().held);
    assert_eq!(made.there(), [true; 4]);
    fs::remove_file(beside(&made.paths[2], ".hold")).unwrap();
    assert_eq!(made.delete().unwrap().files, 3);
}

#[test]
fn labels_are_beside_the_first_file() {
    let mut made = Made::new();
    assert_eq!(made.recording().labels["camera"], "1");
    let changed = made.label("place", Some("Köln")).unwrap().recording.unwrap();
    let both: BTreeMap<_, _> =
        [("camera".to_owned(), "1".to_owned()), ("place".to_owned(), "Köln".to_owned())].into();
    assert_eq!(changed.labels, both);
    let text = fs::read_to_string(beside(&made.paths[0], ".labels")).unwrap();
    assert_eq!(text, "{\n  \"camera\": \"1\",\n  \"place\": \"Köln\"\n}\n");
    assert_eq!(made.rebuilt().labels, both);
    made.label("camera", None).unwrap();
    assert_eq!(made.rebuilt().labels.len(), 1);
    let error = made.label("Camera", Some("1")).unwrap_err();
    assert!(error.to_string().starts_with("\"Camera\" is no name of a label: 1 to 64"), "{error}");
    assert_eq!(made.recording().labels.len(), 1);
}

#[test]
fn what_is_not_there_is_unknown() {
    let mut made = Made::new();
    let id = id(9);
    for change in [
        Change::Label { id, set: BTreeMap::new() },
        Change::Hold { id },
        Change::Release { id },
        Change::Delete { id, at_once: true },
        Change::Restore { id },
    ] {
        assert_eq!(made.change(change), Err(ChangeError::Unknown));
    }
    // Nor where there is nothing at all.
    let empty = tempfile::tempdir().unwrap();
    let config = Config { record_dir: empty.path().join("none"), ..Config::default() };
    let mut steps = Steps::observed(config, SystemDisk, Observer::default());
    let clerk = steps.clerk();
    let mut made = Made { steps, clerk, ..made };
    assert_eq!(made.change(Change::Hold { id }), Err(ChangeError::Unknown));
    assert_eq!(made.change(Change::EmptyBin), Ok(Changed::default()));
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn what_has_no_files_any_more_is_neither_held_nor_labelled() {
    let mut made = Made::new();
    made.change(Change::Delete { id: id(1), at_once: true }).unwrap();
    made.steps.shared.events.send(Event::Started(Started {
        id: id(5),
        key: live::Key::new("kept", "test").unwrap(),
        recorder: "all".to_owned(),
        name: None,
        labels: BTreeMap::new(),
        request_key: None,
        is_clip: false,
        tracks: crate::Tracks::All,
        start_time: about_of(5, 1, 0).start_time,
    }));
    made.take_notices();
    for id in [id(1), id(5)] {
        assert_eq!(made.change(Change::Hold { id }), Err(ChangeError::Gone));
        let set: BTreeMap<_, _> = [("a".to_owned(), Some("b".to_owned()))].into();
        assert_eq!(made.change(Change::Label { id, set }), Err(ChangeError::Gone));
        let recording = made.reader().recording(id).unwrap().unwrap();
        assert!(!recording.held && !recording.labels.contains_key("a"));
    }
    assert_eq!(made.take_notices(), []);
}

#[test]
fn without_a_catalog_nothing_is_changed() {
    let mut made = Made::new();
    let file = made.dir.path().join(".rtmp-server/catalog.sqlite");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 1_000).unwrap();
    drop(db);
    for _ in 0..2 {
        let error = made.delete().unwrap_err();
        assert!(matches!(error, ChangeError::Catalog(_)), "{error}");
        assert_eq!(made.there(), [true; 4]);
    }
}

#[test]
fn a_file_that_another_program_has_stays_and_a_retry_finishes() {
    let mut made = Made::new();
    let in_use = SystemDisk.open(&made.paths[1]).unwrap();
    let error = made.delete().unwrap_err();
    assert!(error.to_string().contains("2.flv is in use by another program"), "{error}");
    assert_eq!(made.there(), [false, true, true, true]);
    // A part of it is still there.
    assert_eq!(made.state(), RecordingState::Complete);
    drop(in_use);
    assert_eq!(made.delete().unwrap().files, 2);
    assert_eq!(
        (made.state(), made.there()),
        (RecordingState::Binned, vec![false, false, false, true])
    );
    let in_use = SystemDisk.open(&made.binned("day1/2.flv")).unwrap();
    made.change(Change::EmptyBin).unwrap_err();
    assert_eq!(made.recording().segments, 1);
    drop(in_use);
    assert_eq!(made.change(Change::EmptyBin).unwrap().files, 1);
}

#[test]
fn a_refused_deletion_leaves_nothing_in_the_bin() {
    let mut made = Made::new();
    let in_use = SystemDisk.open(&made.paths[0]).unwrap();
    made.delete().unwrap_err();
    assert!(!made.bin().exists());
    drop(in_use);
    assert_eq!(made.delete().unwrap().files, 3);
}

#[test]
fn a_start_goes_on_with_what_a_crash_came_between() {
    let mut made = Made::new();
    let restart = |made: &mut Made| {
        let config = Config { record_dir: made.dir.path().to_owned(), ..Config::default() };
        made.steps = Steps::observed(config, SystemDisk, Observer::default());
        made.clerk = made.steps.clerk();
        turn(&mut made.clerk);
    };
    let in_use = SystemDisk.open(&made.paths[1]).unwrap();
    made.delete().unwrap_err();
    drop(in_use);
    // One that was held meanwhile is not deleted.
    fs::write(beside(&made.paths[2], ".hold"), b"").unwrap();
    restart(&mut made);
    assert_eq!(made.there(), [false, true, true, true]);
    fs::remove_file(beside(&made.paths[2], ".hold")).unwrap();
    restart(&mut made);
    assert_eq!(made.state(), RecordingState::Binned);
    assert_eq!(made.there(), [false, false, false, true]);
    assert!(made.recording().purge_unix_ms.is_some());
    // Of one that was coming back one file is there.
    let dir = made.bin().join(id(1).to_string());
    trash::note_leaving(&SystemDisk, &dir).unwrap();
    fs::create_dir_all(made.paths[1].parent().unwrap()).unwrap();
    fs::rename(made.binned("day1/2.flv"), &made.paths[1]).unwrap();
    restart(&mut made);
    assert_eq!((made.state(), made.there()), (RecordingState::Complete, vec![true; 4]));
    assert!(!made.bin().exists());
}

#[test]
fn what_is_gone_is_not_deleted() {
    let mut made = Made::new();
    fs::remove_file(&made.paths[0]).unwrap();
    fs::write(&made.paths[1], b"not what was recorded").unwrap();
    made.delete().unwrap_err();
    assert_eq!(fs::read(&made.paths[1]).unwrap(), b"not what was recorded");
    fs::remove_file(&made.paths[1]).unwrap();
    assert_eq!(made.delete().unwrap().files, 1);
    fs::remove_file(made.binned("day1/3.flv")).unwrap();
    assert_eq!(made.restore().unwrap().files, 0);
    assert_eq!(made.state(), RecordingState::Missing);
}

/// The real disk, of which one call fails that changes something.
struct Flaky {
    /// How many such calls go well before that.
    left: Arc<Mutex<Option<usize>>>,
}

impl Flaky {
    fn step(&self) -> io::Result<()> {
        let mut left = self.left.lock().unwrap();
        match *left {
            Some(0) => {
                *left = None;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(n) => {
                *left = Some(n - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Disk for Flaky {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.create_dir_all(dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn crate::DiskFile>> {
        self.step()?;
        SystemDisk.create_new(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn crate::DiskFile>> {
        SystemDisk.open(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn crate::DiskFile>> {
        SystemDisk.open_read(path)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.rename_new(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.rename(from, to)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<crate::Entry>> {
        SystemDisk.list(dir)
    }

    fn entry(&self, path: &Path) -> io::Result<crate::Entry> {
        SystemDisk.entry(path)
    }

    fn read_head(&self, path: &Path, buffer: &mut [u8]) -> io::Result<usize> {
        SystemDisk.read_head(path, buffer)
    }

    fn space(&self, path: &Path) -> io::Result<crate::Space> {
        self.step()?;
        SystemDisk.space(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.sync_dir(dir)
    }
}

/// Carries a change out with a failure at every call, each followed by the same again, and returns
/// how many failed.
fn fail_everywhere(change: &Change, prepare: &[Change], is_done: impl Fn(&Made)) -> usize {
    let mut failed = 0;
    for calls in 0..500 {
        let left = Arc::<Mutex<Option<usize>>>::default();
        let mut made = Made::on(Flaky { left: left.clone() }, Config::default());
        fs::write(beside(&made.paths[2], ".chain"), b"").unwrap();
        prepare.iter().for_each(|change| drop(made.change(change.clone()).unwrap()));
        // The catalog is opened first, whose directory is looked for twice.
        *left.lock().unwrap() = Some(calls + 2);
        let outcome = made.change(change.clone());
        if left.lock().unwrap().take().is_some() {
            assert!(outcome.is_ok(), "{outcome:?}");
            is_done(&made);
            return failed;
        }
        for (path, name) in made.paths.iter().zip(["day0/1.flv", "day1/2.flv", "day1/3.flv"]) {
            let places = [path.exists(), made.binned(name).exists()];
            assert_eq!(places.iter().filter(|is| **is).count(), 1, "{name} after {calls} calls");
        }
        // A failure that does not matter is none.
        failed += usize::from(outcome.is_err());
        if outcome.is_err() {
            made.change(change.clone()).unwrap();
        }
        is_done(&made);
        // The files say the same. That takes its time.
        if calls % 4 == 0 {
            let state = made.state();
            assert_eq!(made.rebuilt().state, state);
        }
    }
    panic!("it never came to its end");
}

#[test]
fn a_failure_at_any_disk_call_leaves_each_file_here_or_in_the_bin() {
    let delete = Change::Delete { id: id(1), at_once: false };
    let failed = fail_everywhere(&delete, &[], |made| {
        assert_eq!(made.state(), RecordingState::Binned);
        let names = ["day0/1.flv", "day0/1.flv.b3", "day1/2.flv", "day1/3.flv", "day1/3.flv.chain"];
        assert!(names.iter().all(|name| made.binned(name).exists()));
        assert_eq!(made.there(), [false, false, false, true]);
    });
    assert!(failed > 10, "{failed}");
    let failed = fail_everywhere(&Change::Restore { id: id(1) }, &[delete], |made| {
        assert_eq!((made.state(), made.there()), (RecordingState::Complete, vec![true; 4]));
        assert!(
            beside(&made.paths[0], ".b3").exists() && beside(&made.paths[2], ".chain").exists()
        );
    });
    assert!(failed > 5, "{failed}");
}

#[test]
fn holding_and_labelling_are_finished_by_a_retry() {
    let held = |made: &Made| assert!(made.recording().held && made.rebuilt().held);
    assert!(fail_everywhere(&Change::Hold { id: id(1) }, &[], held) > 3);
    let set = [("a".to_owned(), Some("b".to_owned()))].into();
    let label = Change::Label { id: id(1), set };
    let labelled = |made: &Made| assert_eq!(made.rebuilt().labels["a"], "b");
    assert!(fail_everywhere(&label, &[], labelled) > 2);
}

#[test]
fn many_changes_take_more_than_one_turn() {
    let mut made = Made::new();
    let (told, outcomes) = channel();
    for _ in 0..TURN_MAX + 1 {
        let told = told.clone();
        let reply = Reply::new(move |outcome: Carried| told.send(outcome.is_ok()).unwrap());
        made.steps.shared.changes.push(Change::Hold { id: id(1) }, reply);
    }
    turn(&mut made.clerk);
    assert_eq!(outcomes.try_iter().count(), TURN_MAX);
    turn(&mut made.clerk);
    assert_eq!(outcomes.try_iter().collect::<Vec<_>>(), [true]);
}

#[test]
fn labels_wait_for_the_first_file_and_all_that_is_beside_one_follows_it() {
    let mut made = Made::new();
    let about = about_of(5, 1, 0);
    let change = |made: &mut Made, change| made.change(change).unwrap().recording.unwrap();
    let set: BTreeMap<_, _> = [("a".to_owned(), Some("b".to_owned()))].into();
    let label = Change::Label { id: id(5), set };
    made.steps.shared.events.send(Event::Started(Started {
        id: id(5),
        key: live::Key::new("kept", "test").unwrap(),
        recorder: "all".to_owned(),
        name: None,
        labels: BTreeMap::new(),
        request_key: None,
        is_clip: false,
        tracks: crate::Tracks::All,
        start_time: about.start_time.clone(),
    }));
    let _running = made.steps.shared.pretend_running(id(5), "kept/test");
    assert_eq!(change(&mut made, label).labels["a"], "b");
    assert!(change(&mut made, Change::Hold { id: id(5) }).held);
    let growing = write(made.dir.path(), "growing.flv", &about);
    made.steps.shared.events.send(Event::Opened { path: growing.clone(), about: about.clone() });
    turn(&mut made.clerk);
    assert!(beside(&growing, ".labels").exists());
    assert_eq!(made.change(Change::Delete { id: id(5), at_once: true }), Err(ChangeError::Running));
    // As the recorder does with further files of a held recording.
    fs::write(beside(&growing, ".hold"), b"").unwrap();
    let done = made.dir.path().join("done.flv");
    fs::rename(&growing, &done).unwrap();
    made.steps.shared.events.send(Event::Finished(finished(done.clone(), &about)));
    turn(&mut made.clerk);
    assert!(beside(&done, ".labels").exists() && beside(&done, ".hold").exists());
    let recording = made.reader().recording(id(5)).unwrap().unwrap();
    assert!(recording.held);
    assert_eq!(recording.labels["a"], "b");
}

#[test]
fn the_archive_changes_what_it_records() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        Config { record_dir: dir.path().to_owned(), rejoin: Duration::ZERO, ..Config::default() };
    let clock = Arc::new(crate::SystemClock);
    let archive = Archive::open(config, Arc::new(SystemDisk), clock, Observer::default());
    let change = |change| {
        let (told, outcomes) = channel();
        archive.change(change, move |outcome| told.send(outcome).unwrap());
        outcomes.recv_timeout(Duration::from_secs(60)).unwrap()
    };
    let mut stream = Stream::publish("changes", "archive");
    let request = StartRequest::new(stream.key.clone(), stream.cursor(), archive.plan());
    let id = archive.start(request).unwrap();
    stream.push(clip(2));
    wait_until("the recording is known", || {
        let known = Reader::open(dir.path()).and_then(|reader| reader.recording(id));
        known.is_ok_and(|known| known.is_some_and(|known| known.segments > 0))
    });
    assert_eq!(change(Change::Delete { id, at_once: false }), Err(ChangeError::Running));
    assert!(change(Change::Hold { id }).unwrap().recording.unwrap().held);
    assert!(archive.shared().running(id).is_some());
    assert!(!change(Change::Release { id }).unwrap().recording.unwrap().held);
    drop(stream);
    wait_until("the recording ends", || archive.list().is_empty());
    let over = change(Change::Label { id, set: BTreeMap::new() }).unwrap().recording.unwrap();
    assert_eq!((over.state, over.reason.as_deref()), (RecordingState::Complete, Some("ended")));
    assert_eq!((over.recorder.as_str(), over.ledger.is_balanced()), ("all", true));
    assert_eq!(change(Change::Delete { id, at_once: false }).unwrap().files, 1);
    assert!(archive.close(Duration::from_secs(20)).is_empty());
    assert_eq!(change(Change::EmptyBin), Err(ChangeError::Closed));
}

#[test]
fn without_a_thread_changes_are_refused() {
    let shared = Made::new().steps.shared;
    let closing = super::super::Closing(shared.clone());
    let (told, outcomes) = channel();
    let push = || {
        let told = told.clone();
        let reply = Reply::new(move |outcome| told.send(outcome).unwrap());
        shared.changes.push(Change::EmptyBin, reply);
    };
    push();
    assert!(outcomes.try_recv().is_err());
    drop(closing);
    push();
    let closed = vec![Err(ChangeError::Closed), Err(ChangeError::Closed)];
    assert_eq!(outcomes.try_iter().collect::<Vec<_>>(), closed);
}

#[test]
fn what_happened_before_a_change_is_known_to_it() {
    let mut made = Made::new();
    // The thread is woken for something else; what comes behind that came before the change.
    made.steps.shared.events.wake();
    let about = about_of(7, 1, 0);
    let path = write(made.dir.path(), "seven.flv", &about);
    made.steps.shared.events.send(Event::Finished(finished(path, &about)));
    assert!(made.change(Change::Hold { id: id(7) }).is_ok());
}
