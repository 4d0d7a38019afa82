//! The thread that watches free space, and whether directories can be written.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Asked;
use crate::archive::Shared;
use crate::disk::{self, Disk, Space};
use crate::disks::{DiskStatus, state_of};
use crate::gate::Place;
use crate::hash::hash64;
use crate::space::{Change, FAST, Level, SLOW, Watch, minimum};
use crate::{DiskState, Notice, path, telemetry};

pub(super) struct Watcher {
    shared: Arc<Shared>,
    asked: Arc<Asked>,
    /// The record directory, which is watched before anything is recorded.
    _record_dir: Place,
    watches: BTreeMap<u64, Watch>,
    /// The directories whose file system does not say how much room it has: that is logged.
    unknown: BTreeSet<PathBuf>,
    /// Those where recordings are to be and cannot be made, which was told.
    unwritable: BTreeSet<PathBuf>,
    /// Those where a file could be made, and nothing has come in the way since.
    proven: BTreeSet<PathBuf>,
    /// What is made to find that out.
    probe: String,
}

impl Watcher {
    pub(super) fn new(shared: Arc<Shared>, asked: Arc<Asked>) -> Self {
        let record_dir = shared.gate.enter(&shared.config.record_dir);
        let (watches, unknown, unwritable, proven) = Default::default();
        let now = shared.clock.now().timestamp().as_nanosecond();
        let name = hash64([&now.to_be_bytes()[..], &std::process::id().to_be_bytes()]);
        let probe = format!(".{name:016x}.probe");
        Self { shared, asked, _record_dir: record_dir, watches, unknown, unwritable, proven, probe }
    }

    pub(super) fn run(&mut self) {
        while !self.asked.is_stopped() {
            let pause = self.look();
            self.asked.pause(pause);
        }
    }

    /// Looks at every file system once, opens and shuts its gates, and returns how soon to look
    /// again.
    pub(super) fn look(&mut self) -> Duration {
        let wanted = self.shared.wanted();
        let mut places = self.shared.gate.places();
        let roots = self.shared.used_roots(&places, &wanted);
        for root in &roots {
            if !places.iter().any(|place| place.dir() == root) {
                places.push(self.shared.gate.enter(root));
            }
        }
        let mut obstacles = self.obstacles(&wanted);
        let disks = self.disks(places, &obstacles);
        self.watches.retain(|device, _| disks.contains_key(device));
        let now = self.shared.clock.instant();
        let (mut pause, mut rows) = (SLOW, Vec::new());
        for (device, (space, places)) in disks {
            let watch = self.watches.entry(device).or_insert_with(Watch::new);
            let least = minimum(self.shared.policy().min_free, &space);
            let was = watch.level();
            let change = watch.look(now, space.free_bytes, least);
            let dir = places.first().map(Place::dir).unwrap_or(Path::new(""));
            let state = state(watch.level());
            if watch.level() != was {
                let (dir, free_bytes) = (dir.to_owned(), Some(space.free_bytes));
                self.shared.observer.tell(|| Notice::Disk { dir, state, free_bytes });
            }
            let row = DiskStatus {
                dir: dir.to_owned(),
                device,
                total_bytes: space.total_bytes,
                free_bytes: space.free_bytes,
                min_free_bytes: least,
                state,
                write_bytes_per_second: watch
                    .wrote(now, places.iter().map(Place::take_written).sum()),
                full_in: watch.full_in(least),
                obstacle: None,
            };
            let of_roots =
                places.iter().map(Place::dir).filter(|dir| roots.iter().any(|r| r == dir));
            let before = rows.len();
            rows.extend(of_roots.map(|dir| DiskStatus { dir: dir.to_owned(), ..row.clone() }));
            if rows.len() == before {
                rows.push(row);
            }
            match change {
                Some(Change::Low { full_in }) => {
                    telemetry::space_low(dir, space.free_bytes, least, full_in);
                }
                Some(Change::Full) => telemetry::space_full(dir, space.free_bytes, least),
                Some(Change::Again) => telemetry::space_again(dir, space.free_bytes),
                None => {}
            }
            places.iter().for_each(|place| place.set_open(watch.level() != Level::Full));
            if watch.level() != Level::Plenty {
                self.asked.room.store(true, Ordering::Relaxed);
                self.shared.events.wake();
            }
            pause = pause.min(watch.pause(least));
        }
        // After the gates were seen to: this may take longer.
        self.prove(&wanted, &rows, &mut obstacles);
        show(&obstacles, &mut rows);
        self.shared.disks.set(rows);
        self.tell(&wanted, &obstacles);
        if self.unwritable.is_empty() { pause } else { pause.min(FAST) }
    }

    /// Those of `wanted` that no recording can be made in, as far as that can be seen, and why.
    fn obstacles(&self, wanted: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, String> {
        let obstacle = |dir: &PathBuf| {
            Some((dir.clone(), self.ask(dir, || obstacle(&*self.shared.disk, dir))?))
        };
        wanted.iter().filter_map(obstacle).collect()
    }

    /// Adds those where making a file fails. Once it works that is not done again before there was an obstacle, or
    /// trouble of a recording: nobody wants to see files come and go in a directory all the time, or a disk be woken by it.
    fn prove(
        &mut self,
        wanted: &BTreeSet<PathBuf>,
        rows: &[DiskStatus],
        obstacles: &mut BTreeMap<PathBuf, String>,
    ) {
        let troubled = self.shared.troubled();
        let is_proven = |dir: &PathBuf| {
            wanted.contains(dir) && !obstacles.contains_key(dir) && !troubled.contains(dir)
        };
        self.proven.retain(is_proven);
        for dir in wanted {
            // Nothing can be made on a full disk, and more is told of that.
            let is_full = state_of(rows, dir) == DiskState::Full && !self.unwritable.contains(dir);
            if is_full || obstacles.contains_key(dir) || self.proven.contains(dir) {
                continue;
            }
            match self.ask(dir, || try_out(&*self.shared.disk, dir, &self.probe)) {
                Some(obstacle) => drop(obstacles.insert(dir.clone(), obstacle)),
                None => drop(self.proven.insert(dir.clone())),
            }
        }
    }

    /// Makes a call of the disk of `dir`.
    fn ask<T>(&self, dir: &Path, call: impl FnOnce() -> T) -> T {
        self.shared.disks.ask(dir, self.shared.age());
        let answer = call();
        self.shared.disks.answered();
        answer
    }

    /// Tells of the directories where recordings are to be and cannot be made, and of those where they can be again.
    fn tell(&mut self, wanted: &BTreeSet<PathBuf>, obstacles: &BTreeMap<PathBuf, String>) {
        let is_told = |dir: &PathBuf, state| {
            let dir = dir.clone();
            self.shared.observer.tell(|| Notice::Disk { dir, state, free_bytes: None });
        };
        for (dir, obstacle) in obstacles {
            if !self.unwritable.contains(dir) {
                telemetry::dir_unwritable(dir, obstacle);
                is_told(dir, DiskState::Unwritable);
            }
        }
        let now: BTreeSet<_> = obstacles.keys().cloned().collect();
        for dir in self.unwritable.difference(&now).filter(|dir| wanted.contains(*dir)) {
            telemetry::dir_writable_again(dir);
            is_told(dir, self.shared.disks.state_of(dir));
        }
        self.unwritable = now;
    }

    /// The file systems in use, with the directories on them. The gates of one that does not answer
    /// stay as they are.
    fn disks(
        &mut self,
        places: Vec<Place>,
        obstacles: &BTreeMap<PathBuf, String>,
    ) -> BTreeMap<u64, (Space, Vec<Place>)> {
        let mut disks = BTreeMap::<u64, (Space, Vec<Place>)>::new();
        self.unknown.retain(|dir| places.iter().any(|place| place.dir() == dir));
        for place in places {
            match self.ask(place.dir(), || space(&*self.shared.disk, place.dir())) {
                Ok(space) => {
                    self.unknown.remove(place.dir());
                    disks.entry(space.device).or_insert((space, Vec::new())).1.push(place);
                }
                // It is told what is in the way.
                Err(_) if obstacles.contains_key(place.dir()) => {}
                Err(error) => {
                    if self.unknown.insert(place.dir().to_owned()) {
                        telemetry::space_unknown(place.dir(), &crate::words(&error));
                    }
                }
            }
        }
        disks
    }
}

fn state(level: Level) -> DiskState {
    match level {
        Level::Plenty => DiskState::Good,
        Level::Low => DiskState::Low,
        Level::Full => DiskState::Full,
    }
}

/// Shows obstacles in the rows of their directories; those that have none get one.
fn show(obstacles: &BTreeMap<PathBuf, String>, rows: &mut Vec<DiskStatus>) {
    for (dir, obstacle) in obstacles {
        let place = rows.iter().position(|row| row.dir == *dir).unwrap_or_else(|| {
            rows.push(DiskStatus::unanswered(dir));
            rows.len() - 1
        });
        if let Some(row) = rows.get_mut(place) {
            (row.state, row.obstacle) = (DiskState::Unwritable, Some(obstacle.clone()));
        }
    }
}

/// `dir`, and where it will be made if it is not there: from the inside out.
fn places(dir: &Path) -> impl Iterator<Item = &Path> {
    dir.ancestors().map(there)
}

/// The directory of this path, which may be empty.
fn there(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}

/// The file system that `dir` is on, or will be when it is made.
fn space(disk: &dyn Disk, dir: &Path) -> io::Result<Space> {
    use io::ErrorKind::{NotADirectory, NotFound};
    let answers = places(dir).map(|dir| disk.space(dir));
    let is_there = |answer: &io::Result<_>| {
        !answer.as_ref().is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
    };
    answers.into_iter().find(is_there).unwrap_or(Err(NotFound.into()))
}

/// Why no file can be made in `dir`, which is made when it is not there, and where that is.
fn obstacle(disk: &dyn Disk, dir: &Path) -> Option<String> {
    let mut found = None;
    for dir in places(dir) {
        match disk.check_dir(dir) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                // Below what is no directory there is none either.
                let is_inside = error.kind() == io::ErrorKind::NotADirectory;
                if is_inside || found.is_none() {
                    found = Some(format!("{}: {}", crate::words(&error), path::display(dir)));
                }
                if !is_inside {
                    break;
                }
            }
        }
    }
    found
}

/// Makes a file in `dir`, or where that will be, as recording does, and removes it. Returns why that fails, and where.
fn try_out(disk: &dyn Disk, dir: &Path, probe: &str) -> Option<String> {
    use io::ErrorKind::{InvalidFilename, NotFound};
    let base = dir.ancestors().find(|dir| disk.check_dir(there(dir)).is_ok())?;
    let missing = dir.strip_prefix(base).ok()?;
    let error = disk::try_out(disk, base, missing, probe).err()?;
    let place = path::display(if error.kind() == InvalidFilename { dir } else { base });
    Some(match error.kind() {
        // As it is with what the system only shows as files.
        NotFound => format!("nothing can be made there: {place}"),
        _ => format!("{}: {place}", crate::words(&error)),
    })
}
