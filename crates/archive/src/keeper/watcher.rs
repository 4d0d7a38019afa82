//! The thread that watches free space.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Asked;
use crate::archive::Shared;
use crate::disk::{Disk, Space};
use crate::disks::DiskStatus;
use crate::gate::Place;
use crate::space::{Change, Level, SLOW, Watch, minimum};
use crate::{DiskState, Notice, telemetry};

pub(super) struct Watcher {
    shared: Arc<Shared>,
    asked: Arc<Asked>,
    /// The record directory, which is watched before anything is recorded.
    _record_dir: Place,
    watches: BTreeMap<u64, Watch>,
    /// The directories whose file system does not say how much room it has: that is logged.
    unknown: BTreeSet<PathBuf>,
}

impl Watcher {
    pub(super) fn new(shared: Arc<Shared>, asked: Arc<Asked>) -> Self {
        let record_dir = shared.gate.enter(&shared.config.record_dir);
        let (watches, unknown) = Default::default();
        Self { shared, asked, _record_dir: record_dir, watches, unknown }
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
        let disks = self.disks();
        self.watches.retain(|device, _| disks.contains_key(device));
        let roots = self.shared.roots();
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
        self.shared.disks.set(rows);
        pause
    }

    /// The file systems in use, with the directories on them. The gates of one that does not answer
    /// stay as they are.
    fn disks(&mut self) -> BTreeMap<u64, (Space, Vec<Place>)> {
        let mut disks = BTreeMap::<u64, (Space, Vec<Place>)>::new();
        let places = self.shared.gate.places();
        self.unknown.retain(|dir| places.iter().any(|place| place.dir() == dir));
        for place in places {
            self.shared.disks.ask(place.dir(), self.shared.age());
            let space = space(&*self.shared.disk, place.dir());
            self.shared.disks.answered();
            match space {
                Ok(space) => {
                    self.unknown.remove(place.dir());
                    disks.entry(space.device).or_insert((space, Vec::new())).1.push(place);
                }
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

/// The file system that `dir` is on, or will be when it is made.
fn space(disk: &dyn Disk, dir: &Path) -> io::Result<Space> {
    for dir in dir.ancestors() {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        match disk.space(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            answer => return answer,
        }
    }
    Err(io::ErrorKind::NotFound.into())
}
