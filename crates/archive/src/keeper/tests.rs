use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::clerk::ROUND_MAX;
use super::*;
use crate::catalog::made::{KEY, START, about_of, bytes, finished, write};
use crate::catalog::{Catalog, Lock, Presence, Reader, RecordingState, Segment, State};
use crate::clock::fixed::FixedClock;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::disk::{Disk, Space, SystemDisk};
use crate::events::{Event, Told};
use crate::gate::Place;
use crate::retention::Rules;
use crate::space::{FAST, SLOW};
use crate::testing::{self, TIMING, capture_log, wait_until};
use crate::{About, Archive, Config, DiskState, Notice, Observer, Policy};

/// What the threads do, step by step, on a clock that obeys.
pub(super) struct Steps {
    pub(super) shared: Arc<Shared>,
    asked: Arc<Asked>,
    clock: Arc<FixedClock>,
    events: Option<Told>,
}

impl Steps {
    fn new(config: Config, disk: impl Disk + 'static) -> Self {
        Self::observed(config, disk, Observer::default())
    }

    pub(super) fn observed(config: Config, disk: impl Disk + 'static, observer: Observer) -> Self {
        capture_log();
        let clock = Arc::new(FixedClock::new(&format!("{START}[Europe/Berlin]")));
        let (shared, events) = Shared::new(config, Arc::new(disk), clock.clone(), TIMING, observer);
        Self { shared, asked: Arc::default(), clock, events: Some(events) }
    }

    fn in_dir(dir: &Path, retention: Rules) -> Self {
        let config = Config { record_dir: dir.to_owned(), retention, ..Config::default() };
        Self::new(config, SystemDisk)
    }

    pub(super) fn clerk(&mut self) -> Clerk {
        let events = self.events.take().unwrap();
        Clerk::new(self.shared.clone(), self.asked.clone(), events)
    }

    fn watcher(&self) -> Watcher {
        Watcher::new(self.shared.clone(), self.asked.clone())
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// Lets a clerk take what was told, and work.
pub(super) fn turn(clerk: &mut Clerk) {
    clerk.receive(true);
    clerk.work();
}

/// Four segments of an hour, the newest ending two hours after [`START`].
fn recorded(dir: &Path) -> Vec<PathBuf> {
    let path = |n: u32| write(dir, &format!("day{n}/{n}.flv"), &about_of(1, n, i64::from(n) - 3));
    (1..=4).map(path).collect()
}

fn catalog(dir: &Path) -> Reader {
    Reader::open(dir).unwrap()
}

fn state(dir: &Path, path: &Path) -> Option<State> {
    catalog(dir).by_path(path).unwrap().map(|segment: Segment| segment.state)
}

/// The lines that speak of `dir`: each test has one of its own.
pub(super) fn lines_of(dir: &Path) -> Vec<String> {
    let shown = dir.display().to_string();
    let streams = ["", KEY].map(testing::lines_of);
    streams.concat().into_iter().filter(|line| line.contains(&shown)).collect()
}

#[test]
fn nothing_is_made_before_there_is_a_record_directory() {
    let dir = tempfile::tempdir().unwrap();
    let record_dir = dir.path().join("recordings");
    let mut steps = Steps::in_dir(&record_dir, Rules::default());
    let mut clerk = steps.clerk();
    turn(&mut clerk);
    assert_eq!(steps.watcher().look(), SLOW);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    // The first recording makes it.
    let path = write(&record_dir, "a.flv", &about_of(1, 1, 0));
    steps.shared.events.send(Event::Finished(finished(path.clone(), &about_of(1, 1, 0))));
    turn(&mut clerk);
    let segment = catalog(&record_dir).by_path(&path).unwrap().unwrap();
    assert_eq!(segment.state, State::Finished);
    assert!(segment.hash.is_some(), "the event is not lost though the catalog came after it");
}

#[test]
fn lost_events_are_made_up_from_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut steps = Steps::in_dir(dir.path(), Rules::default());
    let mut clerk = steps.clerk();
    write(dir.path(), "first.flv", &about_of(3, 1, 0));
    turn(&mut clerk);
    let path = write(dir.path(), "a.flv", &about_of(1, 1, 0));
    turn(&mut clerk);
    assert_eq!(state(dir.path(), &path), None);
    let event = || Event::Opened { path: path.with_extension("x"), about: about_of(2, 1, 0) };
    for _ in 0..9_000 {
        steps.shared.events.send(event());
    }
    turn(&mut clerk);
    assert_eq!(state(dir.path(), &path), Some(State::Finished));
}

#[test]
fn a_catalog_that_cannot_be_opened_is_told_once_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join(".rtmp-server");
    fs::write(&in_the_way, b"").unwrap();
    let mut steps = Steps::in_dir(dir.path(), Rules::default());
    let mut clerk = steps.clerk();
    let path = write(dir.path(), "a.flv", &about_of(1, 1, 0));
    steps.shared.events.send(Event::Finished(finished(path.clone(), &about_of(1, 1, 0))));
    for _ in 0..3 {
        turn(&mut clerk);
        steps.pass(61);
    }
    let lines = lines_of(dir.path());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("WARN catalog unavailable error="), "{lines:?}");
    fs::remove_file(&in_the_way).unwrap();
    turn(&mut clerk);
    assert!(lines_of(dir.path())[1].starts_with("INFO catalog available again record_dir="));
    assert!(catalog(dir.path()).by_path(&path).unwrap().unwrap().hash.is_some());
}

#[test]
fn a_damaged_catalog_is_replaced_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let paths = recorded(dir.path());
    let file = dir.path().join(".rtmp-server/catalog.sqlite");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    for number in 1..=2 {
        let broken = file.with_extension(format!("sqlite.broken-{number}"));
        fs::write(&file, "not a database".repeat(100)).unwrap();
        let mut steps = Steps::in_dir(dir.path(), Rules::default());
        let mut clerk = steps.clerk();
        turn(&mut clerk);
        turn(&mut clerk);
        assert_eq!(state(dir.path(), &paths[0]), Some(State::Finished));
        let lines = lines_of(dir.path());
        assert_eq!(lines.len(), number, "{lines:?}");
        let line = lines.last().unwrap();
        assert!(line.starts_with("WARN catalog damaged; made anew from the recordings error="));
        assert!(line.ends_with(&format!("file={}", broken.display())), "{line}");
        assert!(broken.exists());
    }
}

#[test]
fn a_catalog_of_a_later_version_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    drop(Catalog::open(&SystemDisk, dir.path()).unwrap());
    let file = dir.path().join(".rtmp-server/catalog.sqlite");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 1_000).unwrap();
    drop(db);
    let rules = Rules { total_bytes: Some(0), ..Rules::default() };
    let paths = recorded(dir.path());
    let mut steps = Steps::in_dir(dir.path(), rules);
    let mut clerk = steps.clerk();
    for _ in 0..3 {
        turn(&mut clerk);
        steps.pass(61);
    }
    assert_eq!(lines_of(dir.path()).len(), 1);
    assert!(paths.iter().all(|path| path.exists()), "without a catalog nothing is deleted");
    let db = rusqlite::Connection::open(&file).unwrap();
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1_000);
}

#[test]
fn old_recordings_are_deleted_and_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let paths = recorded(dir.path());
    fs::write(paths[1].with_extension("flv.hold"), b"").unwrap();
    let foreign = dir.path().join("day1/holiday.flv");
    fs::write(&foreign, b"").unwrap();
    let rules = Rules { age: Some(Duration::from_secs(3 * 3_600)), ..Rules::default() };
    let mut steps = Steps::in_dir(dir.path(), rules);
    let mut clerk = steps.clerk();
    turn(&mut clerk);
    assert!(paths.iter().all(|path| path.exists()), "none is older than an hour");

    // The fourth hour after the end of the second, and of the first.
    steps.pass(4 * 3_600 - 60);
    turn(&mut clerk);
    let left: Vec<_> = paths.iter().map(|path| path.exists()).collect();
    assert_eq!(left, [false, true, true, true]);
    assert!(foreign.exists());
    let deletion = &catalog(dir.path()).deletions(20).unwrap()[0];
    assert_eq!((&deletion.path, deletion.reason.as_str()), (&paths[0], "age"));
    assert_eq!(state(dir.path(), &paths[0]), Some(State::Deleted));
    let lines = lines_of(dir.path());
    let size = bytes(&about_of(1, 1, -2), true).len();
    let wanted = format!(
        "INFO recording deleted stream_key=kept/test file={} size_bytes={size} age_s=17940 \
         reason=\"age\"",
        paths[0].display()
    );
    assert_eq!(lines, [wanted]);

    // Released: it goes in the next round, and its folder with it.
    fs::remove_file(paths[1].with_extension("flv.hold")).unwrap();
    turn(&mut clerk);
    assert!(paths[1].exists(), "not before its time");
    steps.pass(60);
    turn(&mut clerk);
    assert!(!paths[1].parent().unwrap().exists());
    assert!(foreign.exists());
}

#[test]
fn a_file_that_is_gone_or_cannot_go_does_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let paths = recorded(dir.path());
    let size = fs::metadata(&paths[0]).unwrap().len();
    let rules = Rules { total_bytes: Some(size), ..Rules::default() };
    let mut steps = Steps::in_dir(dir.path(), rules);
    let mut clerk = steps.clerk();
    // The catalog knows all four before the first round.
    let known = Catalog::open(&SystemDisk, dir.path()).unwrap();
    known.reconcile(&SystemDisk, &[], &|| true, &mut |_| {}).unwrap();
    drop(known);
    let in_use = SystemDisk.open(&paths[1]).unwrap();
    turn(&mut clerk);
    drop(in_use);
    let left: Vec<_> = paths.iter().map(|path| path.exists()).collect();
    assert_eq!(left, [false, true, false, false], "two of 1 are too much, and 2 is in use");
}

#[test]
fn a_round_is_bounded_and_the_next_follows_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let count = u32::try_from(ROUND_MAX).unwrap() + 5;
    for n in 1..=count {
        write(dir.path(), &format!("{n}.flv"), &about_of(1, n, 0));
    }
    let rules = Rules { total_bytes: Some(0), ..Rules::default() };
    let mut steps = Steps::in_dir(dir.path(), rules);
    let mut clerk = steps.clerk();
    turn(&mut clerk);
    assert_eq!(catalog(dir.path()).finished_total().unwrap().0, 5);
    turn(&mut clerk);
    assert_eq!(catalog(dir.path()).finished_total().unwrap(), (0, 0));
}

const GIB: u64 = 1 << 30;

fn place(steps: &Steps) -> Place {
    steps.shared.gate.enter(&steps.shared.config.record_dir)
}

fn fake(dir: &str, retention: Rules) -> (Steps, FakeDisk) {
    let disk = FakeDisk::default();
    disk.create_dir_all(Path::new(dir)).unwrap();
    let config = Config { record_dir: dir.into(), retention, ..Config::default() };
    (Steps::new(config, disk.clone()), disk)
}

fn room(disk: &FakeDisk, free_bytes: u64) {
    disk.set_space(Space { device: 1, free_bytes, total_bytes: 1_000 * GIB });
}

#[test]
fn a_full_disk_shuts_the_gate_until_there_is_room() {
    let (steps, disk) = fake("full-disk", Rules::default());
    let mut watcher = steps.watcher();
    let place = place(&steps);
    for (free, pause, is_open) in [
        (10 * GIB, SLOW, true),
        (GIB * 3 / 2, FAST, true),
        (GIB - 1, FAST, false),
        (GIB * 6 / 5, FAST, false),
        (GIB * 5 / 4, FAST, true),
        (3 * GIB, SLOW, true),
    ] {
        room(&disk, free);
        assert_eq!((watcher.look(), place.is_open()), (pause, is_open), "{free} bytes free");
        steps.pass(500);
    }
    let [low, full, again] = &lines_of(Path::new("full-disk"))[..] else { panic!("not three") };
    assert_eq!(
        *low,
        "WARN disk space is low record_dir=./full-disk free_bytes=1610612736 \
         min_bytes=1073741824 full_in_s=58"
    );
    assert!(full.starts_with("ERROR disk is full: recording stops record_dir=./full-disk"));
    assert!(again.starts_with("INFO disk has space again record_dir=./full-disk free_bytes="));
}

#[test]
fn low_space_asks_for_room_at_once() {
    let (mut steps, disk) = fake("asks-for-room", Rules::default());
    let events = steps.events.take().unwrap();
    let mut watcher = steps.watcher();
    room(&disk, 10 * GIB);
    watcher.look();
    assert!(!steps.asked.room.load(Ordering::Relaxed));
    room(&disk, GIB * 3 / 2);
    watcher.look();
    assert!(steps.asked.room.load(Ordering::Relaxed));
    assert_eq!(events.try_iter().next(), Some(Event::Wake));
}

/// The real disk, but for the room on it.
struct Roomy {
    fake: FakeDisk,
}

impl Disk for Roomy {
    fn create_dir_all(&self, dir: &Path) -> std::io::Result<()> {
        SystemDisk.create_dir_all(dir)
    }

    fn create_new(&self, path: &Path) -> std::io::Result<Box<dyn crate::DiskFile>> {
        SystemDisk.create_new(path)
    }

    fn open(&self, path: &Path) -> std::io::Result<Box<dyn crate::DiskFile>> {
        SystemDisk.open(path)
    }

    fn open_read(&self, path: &Path) -> std::io::Result<Box<dyn crate::DiskFile>> {
        SystemDisk.open_read(path)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        SystemDisk.rename_new(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn list(&self, dir: &Path) -> std::io::Result<Vec<crate::Entry>> {
        SystemDisk.list(dir)
    }

    fn entry(&self, path: &Path) -> std::io::Result<crate::Entry> {
        SystemDisk.entry(path)
    }

    fn read_head(&self, path: &Path, buffer: &mut [u8]) -> std::io::Result<usize> {
        SystemDisk.read_head(path, buffer)
    }

    fn space(&self, path: &Path) -> std::io::Result<Space> {
        self.fake.space(path)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        SystemDisk.remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> std::io::Result<()> {
        SystemDisk.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
        self.fake.sync_dir(dir)?;
        SystemDisk.sync_dir(dir)
    }
}

fn copy(path: &Path) {
    fs::write(path.with_extension("flv.copied"), b"").unwrap();
}

/// Deletes all that is copied, on a disk that does not say that it lasts while it is broken.
fn forgetful(dir: &Path) -> (Steps, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = broken.clone();
    let fake = FakeDisk::failing(move |_, call| {
        let fails = call == Call::SyncDir && is_broken.load(Ordering::Relaxed);
        fails.then_some(Fault::Error(std::io::ErrorKind::ReadOnlyFilesystem))
    });
    let retention = Rules { total_bytes: Some(0), copied_only: true, ..Rules::default() };
    let config = Config { record_dir: dir.into(), retention, ..Config::default() };
    (Steps::new(config, Roomy { fake }), broken)
}

#[test]
fn deletions_that_may_not_last_are_of_no_other_file_in_a_catalog_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let paths = recorded(dir.path());
    paths.iter().for_each(|path| copy(path));
    let (mut steps, broken) = forgetful(dir.path());
    let mut clerk = steps.clerk();
    turn(&mut clerk);
    assert!(paths.iter().all(|path| !path.exists()));
    // The disk comes back with a damaged catalog, whose first rows are of others now.
    let others = [1, 2].map(|n| write(dir.path(), &format!("other/{n}.flv"), &about_of(2, n, 0)));
    let file = dir.path().join(".rtmp-server/catalog.sqlite");
    fs::write(&file, "not a database".repeat(100)).unwrap();
    broken.store(false, Ordering::Relaxed);
    for _ in 0..4 {
        steps.pass(60);
        turn(&mut clerk);
    }
    assert!(file.with_extension("sqlite.broken-1").exists());
    let states = others.map(|path| (path.exists(), state(dir.path(), &path)));
    assert_eq!(states, [(true, Some(State::Finished)); 2]);
    assert!(catalog(dir.path()).deletions(20).unwrap().is_empty());
}

#[test]
fn what_a_disk_may_bring_back_is_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let paths = recorded(dir.path());
    paths.iter().for_each(|path| copy(path));
    let (mut steps, broken) = forgetful(dir.path());
    let mut clerk = steps.clerk();
    for _ in 0..2 {
        turn(&mut clerk);
        for path in &paths {
            assert_eq!((path.exists(), state(dir.path(), path)), (false, Some(State::Finished)));
        }
        let [line] = &lines_of(dir.path())[..] else { panic!("not told once") };
        let told = "ERROR cannot delete recording error=\"read-only file system\"";
        assert!(line.starts_with(told), "{line}");
        steps.pass(60);
    }

    // It is mounted anew, and has some of what it had; the folder of another one is gone.
    recorded(dir.path());
    fs::remove_file(&paths[0]).unwrap();
    fs::remove_dir_all(paths[3].parent().unwrap()).unwrap();
    paths[1..3].iter().for_each(|path| copy(path));
    broken.store(false, Ordering::Relaxed);
    turn(&mut clerk);
    for path in &paths {
        assert_eq!((path.exists(), state(dir.path(), path)), (false, Some(State::Deleted)));
    }
    let deletions = catalog(dir.path()).deletions(20).unwrap();
    assert_eq!(deletions.len(), 4);
}

#[test]
fn room_is_made_before_recording_has_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let paths = recorded(dir.path());
    let size = fs::metadata(&paths[0]).unwrap().len();
    let fake = FakeDisk::default();
    let rules = Rules { free_bytes: Some(1), ..Rules::default() };
    let min_free = Some(10 * size);
    let config =
        Config { record_dir: dir.path().into(), retention: rules, min_free, ..Config::default() };
    let mut steps = Steps::new(config, Roomy { fake: fake.clone() });
    let mut clerk = steps.clerk();
    let mut watcher = steps.watcher();
    let place = place(&steps);
    room(&fake, 30 * size);
    watcher.look();
    turn(&mut clerk);
    assert!(paths.iter().all(|path| path.exists()));

    // Low: what lacks to 2.5 times the minimum goes, six files if there were so many.
    steps.pass(6);
    room(&fake, 20 * size - 1);
    watcher.look();
    turn(&mut clerk);
    assert!(paths.iter().all(|path| !path.exists()));
    assert!(place.is_open());
    let lines = lines_of(dir.path());
    assert!(lines.iter().all(|line| !line.contains("disk is full")), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains("reason=\"free space\"")).count(), 4);
}

#[test]
fn a_disk_that_does_not_say_leaves_the_gate_as_it_is() {
    let disk = FakeDisk::failing(|n, call| match (call, n) {
        (Call::Space, 2..5) => Some(Fault::Error(std::io::ErrorKind::PermissionDenied)),
        _ => None,
    });
    disk.create_dir_all(Path::new("does-not-say")).unwrap();
    let config = Config { record_dir: "does-not-say".into(), ..Config::default() };
    let steps = Steps::new(config, disk.clone());
    let mut watcher = steps.watcher();
    let place = place(&steps);
    room(&disk, 1);
    watcher.look();
    assert!(!place.is_open());
    room(&disk, 10 * GIB);
    for _ in 0..3 {
        assert_eq!((watcher.look(), place.is_open()), (SLOW, false));
    }
    watcher.look();
    assert!(place.is_open());
    let lines = lines_of(Path::new("does-not-say"));
    let unknown: Vec<_> = lines.iter().filter(|line| line.contains("unknown")).collect();
    let wanted = "WARN free space is unknown error=\"permission denied\" record_dir=./does-not-say";
    assert_eq!(unknown, [wanted]);
}

#[test]
fn directories_that_cannot_be_written_are_told_until_they_can_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    let below = file.join("a/b");
    let place = dir.path().join("wanted/not/made/yet");
    fs::write(&file, "theirs").unwrap();
    let told = Arc::<Mutex<Vec<Notice>>>::default();
    let notices = told.clone();
    let wanted = [below.clone(), place].into();
    let config = Config { record_dir: link.clone(), wanted, ..Config::default() };
    let observer = Observer::new(move |notice| notices.lock().unwrap().push(notice));
    let steps = Steps::observed(config, SystemDisk, observer);
    let mut watcher = steps.watcher();
    let rows = || {
        let rows = steps.shared.disks.read(steps.shared.age(), &[]);
        rows.into_iter().map(|row| (row.dir, row.state, row.obstacle)).collect::<Vec<_>>()
    };
    let in_the_way = |path: &Path| Some(format!("not a directory: {}", path.display()));
    let unwritable = (below.clone(), DiskState::Unwritable, in_the_way(&file));
    assert_eq!((watcher.look(), watcher.look()), (FAST, FAST));
    assert_eq!(rows(), [(link.clone(), DiskState::Good, None), unwritable.clone()]);
    // One that nothing is to be recorded to is nobody's trouble.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
        watcher.look();
        assert_eq!(rows(), [(link.clone(), DiskState::Good, None), unwritable.clone()]);
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(watcher.look(), SLOW);
    let notice = |state| Notice::Disk { dir: below.clone(), state, free_bytes: None };
    let states = [DiskState::Unwritable, DiskState::Good].map(notice);
    assert_eq!(*told.lock().unwrap(), states);
    let lines = lines_of(dir.path());
    let (file, below) = (file.display(), below.display());
    let wanted = [
        format!(
            "WARN record directory cannot be written: repair it or choose another \
             error=\"not a directory: {file}\" record_dir={below}"
        ),
        format!("INFO record directory can be written again record_dir={below}"),
    ];
    assert_eq!(lines, wanted);
    let left = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| name == "link"), "something was made");
    // Until somebody asks for it.
    #[cfg(unix)]
    {
        steps.shared.set_wanted([link.clone()].into());
        assert_eq!(watcher.look(), FAST);
        let error = Some(format!("a link to what is not there: {}", link.display()));
        assert_eq!(rows(), [(link, DiskState::Unwritable, error)]);
    }
}

/// What a look says of directories where recordings are to be.
fn obstacles(dirs: &[PathBuf]) -> Vec<Option<String>> {
    let record_dir = tempfile::tempdir().unwrap();
    let config = Config {
        record_dir: record_dir.path().into(),
        wanted: dirs.iter().cloned().collect(),
        ..Config::default()
    };
    let steps = Steps::new(config, SystemDisk);
    steps.watcher().look();
    let rows = steps.shared.disks.read(steps.shared.age(), &[]);
    let of = |dir: &PathBuf| rows.iter().find(|row| row.dir == *dir)?.obstacle.clone();
    dirs.iter().map(of).collect()
}

#[test]
fn what_only_shows_when_a_file_is_made_is_told_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let [here, deep] = ["here", "not/made/yet"].map(|name| dir.path().join(name));
    fs::create_dir(&here).unwrap();
    let long = dir.path().join("not/made").join("x".repeat(280));
    let out = dir.path().join("not/../../made/yet");
    assert_eq!(
        obstacles(&[here.clone(), deep, long.clone(), out]),
        [None, None, Some(format!("invalid file name: {}", long.display())), None]
    );
    let made: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!((made, fs::read_dir(&here).unwrap().count()), ([here].to_vec(), 0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_of_the_kernel_is_told_not_to_take_files() {
    let told = obstacles(&["/proc/nothing".into(), "/sys/nothing".into()]);
    assert!(told.iter().all(Option::is_some), "{told:?}");
}

#[test]
fn a_file_is_made_until_that_works_and_not_on_a_full_disk() {
    let shut = Arc::new(AtomicBool::new(true));
    let is_shut = shut.clone();
    let disk = FakeDisk::failing(move |_, call| {
        let fails = call == Call::CreateNew && is_shut.load(Ordering::Relaxed);
        fails.then_some(Fault::Error(std::io::ErrorKind::StorageFull))
    });
    disk.create_dir_all(Path::new("tried")).unwrap();
    let dirs: [PathBuf; 1] = ["tried".into()];
    let config = Config {
        record_dir: dirs[0].clone(),
        wanted: dirs.clone().into(),
        min_free: Some(GIB),
        ..Config::default()
    };
    let steps = Steps::new(config, disk.clone());
    let mut watcher = steps.watcher();
    let looked = || {
        let tries = disk.calls().into_iter().filter(|call| *call == Call::CreateNew).count();
        (steps.shared.disks.read(steps.shared.age(), &[])[0].state, tries)
    };
    room(&disk, GIB / 2);
    watcher.look();
    assert_eq!(looked(), (DiskState::Full, 0));
    room(&disk, 10 * GIB);
    assert_eq!((watcher.look(), watcher.look()), (FAST, FAST));
    assert_eq!(looked(), (DiskState::Unwritable, 2));
    // It stays what it is until it is tried again.
    room(&disk, GIB / 2);
    watcher.look();
    assert_eq!(looked(), (DiskState::Unwritable, 3));
    room(&disk, 10 * GIB);
    shut.store(false, Ordering::Relaxed);
    watcher.look();
    watcher.look();
    assert_eq!(looked(), (DiskState::Good, 4));
    // Once more for who asks anew.
    steps.shared.set_wanted(Default::default());
    watcher.look();
    steps.shared.set_wanted(dirs.into());
    watcher.look();
    watcher.look();
    assert_eq!(looked(), (DiskState::Good, 5));
    assert_eq!(disk.files().len(), 0);
    let lines = lines_of(Path::new("tried"));
    let of_dir: Vec<_> = lines.iter().filter(|line| line.contains("record directory")).collect();
    let wanted = [
        "WARN record directory cannot be written: repair it or choose another \
         error=\"no space left on device: ./tried\" record_dir=./tried",
        "INFO record directory can be written again record_dir=./tried",
    ];
    assert_eq!(of_dir, wanted);
}

#[test]
fn directories_that_recorders_have_no_more_are_shown_until_nothing_uses_them() {
    let dir = tempfile::tempdir().unwrap();
    let [home, other, inner] = ["home", "other", "other/inner"].map(|name| dir.path().join(name));
    let config = Config {
        record_dir: home.clone(),
        dirs: vec![other.clone()],
        wanted: [home.clone()].into(),
        ..Config::default()
    };
    let steps = Steps::new(config, SystemDisk);
    let mut watcher = steps.watcher();
    let mut shown = || {
        watcher.look();
        let rows = steps.shared.disks.read(steps.shared.age(), &[]);
        rows.into_iter().map(|row| row.dir).collect::<BTreeSet<_>>()
    };
    assert_eq!(shown(), [home.clone(), other.clone()].into());
    // A recorder writes to a folder in it.
    let place = steps.shared.gate.enter(&other.join("day"));
    steps.shared.set_dirs(&[]);
    assert_eq!(shown(), [home.clone(), other.clone()].into());
    // Somebody waits for a stream to record there.
    steps.shared.set_wanted([home.clone(), other.clone()].into());
    drop(place);
    assert_eq!(shown(), [home.clone(), other.clone()].into());
    steps.shared.set_wanted([home.clone()].into());
    assert_eq!(shown(), [home.clone()].into());
    // What is recorded there can still be put in the bin.
    assert_eq!(steps.shared.roots(), [home.clone(), other.clone()]);
    // One inside it comes, and goes when the whole comes back.
    steps.shared.set_dirs(std::slice::from_ref(&inner));
    assert_eq!(shown(), [home.clone(), inner].into());
    steps.shared.set_dirs(std::slice::from_ref(&other));
    assert_eq!(shown(), [home, other].into());
}

#[test]
fn threads_end_with_everything_entered() {
    let dir = tempfile::tempdir().unwrap();
    let mut steps = Steps::in_dir(dir.path(), Rules::default());
    let keeper = Keeper::start(steps.shared.clone(), steps.events.take().unwrap());
    let mut paths = Vec::new();
    for n in 1..=2_000 {
        let about = about_of(1, n, 0);
        paths.push(write(dir.path(), &format!("{n}.flv"), &about));
        steps.shared.events.send(Event::Finished(finished(paths[0].clone(), &about)));
    }
    assert!(keeper.close(Instant::now() + Duration::from_secs(120)));
    assert_eq!(catalog(dir.path()).of_recording(about_of(1, 1, 0).recording).unwrap().len(), 2_000);
}

#[test]
fn a_disk_that_hangs_does_not_keep_a_stop() {
    let disk = FakeDisk::failing(|_, call| (call == Call::Space).then_some(Fault::Hang));
    let config = Config { record_dir: "hangs-at-stop".into(), ..Config::default() };
    let mut steps = Steps::new(config, disk.clone());
    let keeper = Keeper::start(steps.shared.clone(), steps.events.take().unwrap());
    wait_until("the disk hangs", || disk.is_hanging());
    assert!(!keeper.close(Instant::now() + Duration::from_millis(50)));
    let wanted = "WARN catalog not written in time record_dir=./hangs-at-stop";
    assert_eq!(lines_of(Path::new("hangs-at-stop")), [wanted]);
    disk.release();
}

#[test]
fn a_keeper_that_is_dropped_ends() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { record_dir: dir.path().into(), ..Config::default() };
    let clock = Arc::new(crate::SystemClock);
    drop(Archive::open(config.clone(), Arc::new(SystemDisk), clock.clone(), Observer::default()));
    let (shared, events) =
        Shared::new(config, Arc::new(SystemDisk), clock, TIMING, Observer::default());
    drop(Keeper::start(shared.clone(), events));
    wait_until("the threads let go", || Arc::strong_count(&shared) == 1);
}

#[test]
fn a_catalog_that_another_program_has_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut steps = Steps::in_dir(dir.path(), Rules::default());
    let mut clerk = steps.clerk();
    let path = write(dir.path(), "a.flv", &about_of(1, 1, 0));
    let lock = Lock::take(&SystemDisk, dir.path()).unwrap();
    steps.shared.events.send(Event::Finished(finished(path.clone(), &about_of(1, 1, 0))));
    turn(&mut clerk);
    steps.pass(59);
    turn(&mut clerk);
    assert_eq!(lines_of(dir.path()), Vec::<String>::new(), "a rebuild takes its time");
    assert!(!dir.path().join(".rtmp-server/catalog.sqlite").exists());
    steps.pass(2);
    turn(&mut clerk);
    let lines = lines_of(dir.path());
    assert!(
        lines[0].starts_with("WARN catalog unavailable error=\"another program uses"),
        "{lines:?}"
    );
    drop(lock);
    turn(&mut clerk);
    assert!(!dir.path().join(".rtmp-server/catalog.sqlite").exists(), "not before its time");
    steps.pass(1);
    turn(&mut clerk);
    assert_eq!(state(dir.path(), &path), Some(State::Finished));
    assert!(lines_of(dir.path())[1].starts_with("INFO catalog available again"));
    // Between two turns it is free for others, and the disk can be taken out.
    drop(Lock::take(&SystemDisk, dir.path()).unwrap());
}

#[test]
fn a_second_server_leaves_the_catalog_and_all_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    let first = Presence::tell(dir.path()).unwrap();
    // One that the first server is recording, and one that is too old.
    let running = dir.path().join("running.flv");
    fs::write(&running, bytes(&about_of(1, 1, 0), false)).unwrap();
    let old = write(dir.path(), "old.flv", &about_of(2, 1, -9));
    let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
    catalog.reconcile(&SystemDisk, &[], &|| true, &mut |_| {}).unwrap();
    drop(catalog);
    let states = || {
        let state = |n| self::catalog(dir.path()).recording(about_of(n, 1, 0).recording);
        [1, 2, 3].map(|n| state(n).unwrap().map(|recording| recording.state))
    };
    let told = [Some(RecordingState::Recording), Some(RecordingState::Complete), None];
    let hour = Rules { age: Some(Duration::from_secs(3_600)), ..Rules::default() };
    let mut steps = Steps::in_dir(dir.path(), hour);
    let mut clerk = steps.clerk();
    let own = write(dir.path(), "own.flv", &about_of(3, 1, 0));
    steps.shared.events.send(Event::Finished(finished(own, &about_of(3, 1, 0))));
    for _ in 0..3 {
        clerk.claim();
        turn(&mut clerk);
        assert_eq!(states(), told);
        assert!(old.exists());
        steps.pass(61);
    }
    let shown = crate::path::display(dir.path()).to_string();
    let line = format!("ERROR record directory is used by another server record_dir={shown}");
    assert_eq!(lines_of(dir.path()), [line.as_str()], "at once, and once");
    // The other one has stopped.
    drop(first);
    clerk.claim();
    assert!(Presence::tell(dir.path()).is_err());
    turn(&mut clerk);
    let now = [RecordingState::Interrupted, RecordingState::Deleted, RecordingState::Complete];
    assert_eq!(states(), now.map(Some));
    assert!(!old.exists());
    let lines = lines_of(dir.path());
    assert!(lines.iter().any(|line| line.starts_with("INFO catalog available again")), "{lines:?}");
    drop(clerk);
    assert!(Presence::tell(dir.path()).is_ok());
}

#[test]
fn rules_of_a_recorder_and_the_room_to_leave_change_at_run_time() {
    let dir = tempfile::tempdir().unwrap();
    let by = |n, recorder: &str| About { recorder: recorder.to_owned(), ..about_of(n, 1, 0) };
    let preview = write(dir.path(), "preview.flv", &by(1, "preview"));
    let main = write(dir.path(), "main.flv", &by(2, "main"));
    let mut steps = Steps::in_dir(dir.path(), Rules::default());
    let mut clerk = steps.clerk();
    steps.pass(2 * 3_600);
    turn(&mut clerk);
    assert!(preview.exists() && main.exists());
    let hour = Rules { age: Some(Duration::from_secs(3_000)), ..Rules::default() };
    let by_recorder = [("preview".to_owned(), hour)].into();
    steps.shared.set_policy(Policy { by_recorder, min_free: Some(7), ..Policy::default() });
    steps.pass(60);
    turn(&mut clerk);
    assert!(!preview.exists() && main.exists());

    let (steps, disk) = fake("policy-of-room", Rules::default());
    let place = place(&steps);
    room(&disk, GIB / 2);
    let mut watcher = steps.watcher();
    watcher.look();
    assert!(!place.is_open());
    steps.shared.set_policy(Policy { min_free: Some(GIB / 4), ..Policy::default() });
    watcher.look();
    assert!(place.is_open());
}

#[test]
fn labels_outlive_the_first_file() {
    let dir = tempfile::tempdir().unwrap();
    let paths = recorded(dir.path());
    let labels = [("a".to_owned(), "b".to_owned())].into();
    crate::sidecar::write_labels(&SystemDisk, &paths[0], &labels).unwrap();
    let size = fs::metadata(&paths[0]).unwrap().len();
    let rules = Rules { total_bytes: Some(2 * size), ..Rules::default() };
    let mut steps = Steps::in_dir(dir.path(), rules);
    let mut clerk = steps.clerk();
    turn(&mut clerk);
    assert!(!paths[1].exists() && paths[2].exists());
    assert_eq!(crate::sidecar::read_labels(&SystemDisk, &paths[2]).unwrap(), Some(labels.clone()));
    crate::catalog::rebuild(&SystemDisk, dir.path(), &[], &mut |_| {}).unwrap();
    let recording = catalog(dir.path()).recording(about_of(1, 1, 0).recording).unwrap().unwrap();
    assert_eq!((recording.labels, recording.segments), (labels, 2));
}

#[test]
fn what_was_running_when_a_server_died_is_interrupted_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let about = about_of(1, 1, 0);
    let mut steps = Steps::in_dir(dir.path(), Rules::default());
    let mut clerk = steps.clerk();
    let path = dir.path().join("a.flv");
    fs::write(&path, bytes(&about, false)).unwrap();
    let running = steps.shared.pretend_running(about.recording, KEY);
    steps.shared.events.send(Event::Opened { path: path.clone(), about: about.clone() });
    turn(&mut clerk);
    let state = || catalog(dir.path()).recording(about.recording).unwrap().unwrap().state;
    assert_eq!(state(), RecordingState::Recording);
    drop((running, clerk, steps));
    let mut steps = Steps::in_dir(dir.path(), Rules::default());
    let mut clerk = steps.clerk();
    turn(&mut clerk);
    assert_eq!(state(), RecordingState::Interrupted);
    fs::write(&path, bytes(&about, true)).unwrap();
    steps.shared.events.send(Event::Recovered(finished(path, &about)));
    turn(&mut clerk);
    assert_eq!(state(), RecordingState::Interrupted);
}

#[test]
fn a_recording_elsewhere_makes_the_catalog() {
    let dir = tempfile::tempdir().unwrap();
    let (record_dir, other) = (dir.path().join("recordings"), dir.path().join("other"));
    let config =
        Config { record_dir: record_dir.clone(), dirs: vec![other.clone()], ..Config::default() };
    let mut steps = Steps::new(config, SystemDisk);
    let mut clerk = steps.clerk();
    turn(&mut clerk);
    assert!(!record_dir.exists());
    let path = write(&other, "a.flv", &about_of(1, 1, 0));
    steps.shared.events.send(Event::Finished(finished(path.clone(), &about_of(1, 1, 0))));
    turn(&mut clerk);
    assert_eq!(state(&record_dir, &path), Some(State::Finished));
    assert_eq!(catalog(&record_dir).dirs().unwrap(), [other]);
}
