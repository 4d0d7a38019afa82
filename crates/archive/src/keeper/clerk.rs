//! The thread that writes the catalog, deletes what retention lets go, and carries out what people
//! want done to recordings (`changes`).

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::Asked;
use super::changes::TURN_MAX;
use super::deletions::Deletions;
use crate::archive::Shared;
use crate::catalog::{Catalog, Error, Lock, Presence, Reader, STALE_MAX, Segment, State};
use crate::change::Reply;
use crate::disk::Disk;
use crate::events::{Event, Finished, Told};
use crate::retention::{self, Guard, Outcome, Planner};
use crate::sidecar::{self, HOLD, LABELS};
use crate::{Change, Labels, RecordingId, telemetry};

/// An event is in the catalog after this time, together with those that came in it.
const BATCH: Duration = Duration::from_millis(500);
/// Most events of one transaction.
const BATCH_MAX: usize = 1_024;
/// Most events that wait for a catalog that cannot be written; then the oldest are left to the
/// files.
const WAITING_MAX: usize = 8_192;
/// How often retention looks, and how often a catalog that could not be opened is tried again.
pub(super) const ROUND: Duration = Duration::from_secs(60);
/// How often retention looks while there is little room.
const ROUND_LOW: Duration = Duration::from_secs(5);
/// Most files that one round tries to delete; what is left goes in the next, after the events.
pub(super) const ROUND_MAX: usize = 1_000;
/// How soon a catalog is tried again that another program has.
const SOON: Duration = Duration::from_secs(1);
/// So many files that a comparison enters may leave recordings all over the search index.
const RENUMBER_FROM: u64 = 10_000;
/// Blocks of the search index that one turn writes, between events.
const BLOCKS_MAX: usize = 2;

/// Who looks after a record directory: the first server that runs for it.
#[derive(Default)]
enum Standing {
    #[default]
    Unknown,
    /// This one; kept where others can be told.
    First { _presence: Option<Presence> },
    /// Another one: what is in the catalog is its affair.
    Second,
}

pub(super) struct Clerk {
    pub(super) shared: Arc<Shared>,
    pub(super) asked: Arc<Asked>,
    events: Told,
    /// Open only while there is something to do: whoever takes the disk out need not stop the server.
    pub(super) catalog: Option<Catalog>,
    /// While it is open.
    lock: Option<Lock>,
    /// Whether it is the only server of the record directory.
    standing: Standing,
    /// What is not in the catalog yet.
    waiting: Vec<Event>,
    /// The catalog may lack what only the files know.
    is_behind: bool,
    /// What was not told to be over before the catalog was opened is to be looked for.
    is_unsettled: bool,
    /// The further directories that the catalog was compared with.
    compared: Vec<PathBuf>,
    /// Since when another program has the catalog.
    busy_since: Option<Instant>,
    /// Changes that this turn carries out.
    pub(super) carrying: VecDeque<(Change, Reply)>,
    /// Labels that wait for the first file of their recording.
    pub(super) labels: BTreeMap<RecordingId, Labels>,
    /// Not before this is a catalog tried that could not be used.
    pub(super) try_at: Instant,
    /// When the bin is looked into, and how long things stayed in it then.
    pub(super) purge_at: Instant,
    pub(super) grace: Option<Duration>,
    /// When retention looks.
    round_at: Instant,
    /// When it may look before that for want of room.
    low_at: Instant,
    /// That the catalog cannot be used is logged.
    is_catalog_told: bool,
    deletions: Deletions,
}

impl Clerk {
    pub(super) fn new(shared: Arc<Shared>, asked: Arc<Asked>, events: Told) -> Self {
        let now = shared.clock.instant();
        Self {
            shared,
            asked,
            events,
            catalog: None,
            lock: None,
            standing: Standing::default(),
            waiting: Vec::new(),
            is_behind: true,
            is_unsettled: true,
            compared: Vec::new(),
            busy_since: None,
            carrying: VecDeque::new(),
            labels: BTreeMap::new(),
            try_at: now,
            purge_at: now,
            grace: None,
            round_at: now,
            low_at: now,
            is_catalog_told: false,
            deletions: Deletions::default(),
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            let is_last = self.asked.is_stopped();
            let came = self.receive(is_last);
            self.claim();
            self.work();
            if is_last && came < BATCH_MAX {
                return;
            }
        }
    }

    /// Tells others that this server runs, until it is the only one that does. Two servers may record
    /// to one directory, but one alone knows which recordings run.
    pub(super) fn claim(&mut self) {
        let is_time = self.shared.clock.instant() >= self.try_at;
        if is_time && !matches!(self.standing, Standing::First { .. }) {
            self.standing = Presence::tell(&self.shared.config.record_dir)
                .map_or(Standing::Second, |presence| Standing::First { _presence: presence });
        }
    }

    /// Waits for events, or for the time to look, and returns how many came. Takes changes, and all
    /// that happened before they were asked for.
    pub(super) fn receive(&mut self, is_last: bool) -> usize {
        let came = self.receive_events(is_last);
        if self.carrying.is_empty() {
            self.carrying = self.shared.changes.take(TURN_MAX);
        }
        if !self.carrying.is_empty() {
            let events = self.events.try_iter().take(WAITING_MAX);
            self.waiting.extend(events.filter(|event| *event != Event::Wake));
        }
        came
    }

    fn receive_events(&mut self, is_last: bool) -> usize {
        let mut until = self.round_at;
        for came in 0..BATCH_MAX {
            let left = until.saturating_duration_since(self.shared.clock.instant());
            let wait = if is_last { Duration::ZERO } else { left };
            match self.events.recv_timeout(wait) {
                Ok(Event::Wake) if is_last => {}
                Ok(Event::Wake) => return came,
                Ok(event) => self.waiting.push(event),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return came,
            }
            if came == 0 {
                until = self.shared.clock.instant() + BATCH;
            }
        }
        BATCH_MAX
    }

    /// Brings the catalog up to date, then has retention look if it is time.
    pub(super) fn work(&mut self) {
        self.is_behind |= self.shared.events.take_lost() > 0;
        let excess = self.waiting.len().saturating_sub(WAITING_MAX);
        self.is_behind |= self.waiting.drain(..excess).len() > 0;
        let result = self.update().and_then(|()| self.carry_out()).and_then(|()| self.retain());
        let result = result.and_then(|()| self.purge()).and_then(|()| self.index());
        match result {
            Ok(()) => {
                self.lock = None;
                if self.catalog.take().is_some() {
                    self.busy_since = None;
                    if std::mem::take(&mut self.is_catalog_told) {
                        telemetry::catalog_again(&self.shared.config.record_dir);
                    }
                }
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Directories that are recorded to, beside the record directory.
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        let mut roots = self.shared.roots();
        roots.retain(|root| *root != self.shared.config.record_dir);
        roots
    }

    /// Whether there is nothing that could be entered.
    fn is_empty(&self) -> io::Result<bool> {
        let config = &self.shared.config;
        let is_elsewhere = |event: &Event| match event {
            Event::Opened { path, .. } => !path.starts_with(&config.record_dir),
            Event::Finished(Finished { path, .. }) | Event::Recovered(Finished { path, .. }) => {
                !path.starts_with(&config.record_dir)
            }
            _ => false,
        };
        // A recording has begun, and makes the directory.
        let is_begun = self.waiting.iter().any(|event| matches!(event, Event::Started(_)));
        if is_begun && self.shared.disk.entry(&config.record_dir).is_ok() {
            return Ok(false);
        }
        if self.waiting.iter().any(is_elsewhere) {
            return Ok(false);
        }
        let is_empty = |dir| match self.shared.disk.list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            entries => entries.map(|entries| entries.is_empty()),
        };
        // A further directory that cannot be read is told of when it is compared.
        Ok(is_empty(&config.record_dir)?
            && self.dirs().iter().all(|dir| is_empty(dir).unwrap_or(true)))
    }

    fn update(&mut self) -> Result<(), Error> {
        let dirs = self.dirs();
        if dirs != self.compared {
            self.is_behind = true;
            self.compared.clone_from(&dirs);
        }
        if self.catalog.is_none() {
            if self.shared.clock.instant() < self.try_at {
                return Ok(());
            }
            if matches!(self.standing, Standing::Second) {
                return Err(Error::Served);
            }
            // Where there is nothing to enter there is no catalog either.
            if self.is_empty()? {
                return Ok(());
            }
            let Shared { disk, config, .. } = &*self.shared;
            let dir = &config.record_dir;
            self.lock = Some(Lock::take(&**disk, dir)?);
            self.is_behind |= !Catalog::exists(&**disk, dir);
            self.catalog = Some(Catalog::open(&**disk, dir)?);
        }
        let Some(catalog) = &self.catalog else { return Ok(()) };
        let Shared { disk, clock, config, .. } = &*self.shared;
        self.follow(catalog)?;
        // Before the files are looked at: events know the hashes.
        catalog.apply(&**disk, &self.waiting, clock.now().timestamp().as_millisecond())?;
        let opened: Vec<_> = self.waiting.drain(..).filter_map(opened).collect();
        if self.is_behind {
            let go_on = || !self.asked.is_stopped();
            let found = catalog.reconcile(&**disk, &dirs, &go_on, &mut |_| {})?;
            self.is_behind = self.asked.is_stopped();
            self.is_unsettled = true;
            if found.entered >= RENUMBER_FROM {
                catalog.renumber()?;
            }
            if found.missing > 0 {
                telemetry::files_missing(&config.record_dir, found.missing);
            }
        }
        if self.is_unsettled && !self.is_behind {
            // The end of one that has just ended is still to be entered.
            let is_known =
                |id| self.shared.running(id).is_some() || self.shared.ended(id).is_some();
            catalog.settle(is_known)?;
            self.finish_halves(catalog)?;
            self.is_unsettled = false;
        }
        for (id, path) in opened {
            // A first file, whose recording was labelled before it came.
            if let Some(labels) = self.labels.get(&id) {
                sidecar::write_labels(&**disk, &path, labels)?;
                self.labels.remove(&id);
            }
        }
        self.labels.retain(|id, _| self.shared.running(*id).is_some());
        Ok(())
    }

    /// What is beside a file gets its new name when that is finished.
    fn follow(&self, catalog: &Catalog) -> Result<(), Error> {
        for event in &self.waiting {
            let (Event::Finished(finished) | Event::Recovered(finished)) = event else { continue };
            let Finished { path, about, .. } = finished;
            if let Some(from) = catalog.moved_from(about.recording, about.segment, path)? {
                // Where that fails a label or a hold is left behind, and seen at the next start.
                let _ = sidecar::follow(&*self.shared.disk, &from, path, &[HOLD, LABELS]);
            }
        }
        Ok(())
    }

    /// Brings the search index up to date, a part of it each turn.
    fn index(&mut self) -> Result<(), Error> {
        let Some(catalog) = &self.catalog else { return Ok(()) };
        if !self.asked.is_stopped() && catalog.index(STALE_MAX, BLOCKS_MAX)? {
            self.shared.events.wake();
        }
        Ok(())
    }

    /// Goes on without the catalog for a while. One that is damaged is replaced, but not again and
    /// again.
    fn give_up(&mut self, error: &Error) {
        self.catalog = None;
        self.is_behind = true;
        self.fail_changes(error);
        let Shared { disk, clock, config, .. } = &*self.shared;
        let now = clock.instant();
        if matches!(error, Error::InUse) {
            self.lock = None;
            self.try_at = now + SOON;
            self.round_at = self.round_at.min(self.try_at);
            if now.saturating_duration_since(*self.busy_since.get_or_insert(now)) < ROUND {
                return;
            }
        }
        let may_replace = error.is_damage() && now >= self.try_at;
        if !matches!(error, Error::InUse) {
            self.try_at = now + ROUND;
        }
        if may_replace {
            let replaced = Catalog::set_aside(&**disk, &config.record_dir)
                .inspect(|name| telemetry::catalog_damaged(name, error))
                .map_err(Error::Disk)
                .and_then(|_| Catalog::open(&**disk, &config.record_dir));
            if let Ok(catalog) = replaced {
                self.catalog = Some(catalog);
                self.shared.events.wake();
                return;
            }
        }
        self.lock = None;
        if !std::mem::replace(&mut self.is_catalog_told, true) {
            match error {
                Error::Served => telemetry::record_dir_taken(&config.record_dir),
                error => telemetry::catalog_unavailable(&config.record_dir, error),
            }
        }
    }

    fn retain(&mut self) -> Result<(), Error> {
        let now = self.shared.clock.instant();
        let is_low = now >= self.low_at && self.asked.room.load(Ordering::Relaxed);
        if now < self.round_at && !is_low {
            return Ok(());
        }
        self.round_at = now + ROUND;
        self.low_at = now + ROUND_LOW;
        self.asked.room.store(false, Ordering::Relaxed);
        if self.shared.policy().is_some() && !self.asked.is_stopped() {
            let is_more_left = self.delete_doomed()?;
            if is_more_left {
                self.round_at = now;
            }
        }
        Ok(())
    }

    /// Deletes what has to go, and returns whether there is more.
    fn delete_doomed(&mut self) -> Result<bool, Error> {
        let mut deletions = std::mem::take(&mut self.deletions);
        let is_more_left = self.delete_into(&mut deletions);
        self.deletions = deletions;
        is_more_left
    }

    fn delete_into(&self, deletions: &mut Deletions) -> Result<bool, Error> {
        let Some(catalog) = &self.catalog else { return Ok(false) };
        let policy = self.shared.policy();
        let Shared { disk, clock, .. } = &*self.shared;
        let reader = catalog.reader();
        let now_unix_ms = clock.now().timestamp().as_millisecond();
        deletions.settle(&self.shared, catalog, now_unix_ms)?;
        let bytes = retention::bytes(reader, &**disk, &reader.unfinished()?)?;
        let rooms = retention::rooms(reader, &**disk, &policy)?;
        let mut planner = Planner::new(&policy, now_unix_ms, &bytes, rooms);
        let guard = Guard::new(&**disk);
        let (mut tried, mut is_any_deleted, mut is_more_left) = (0, false, false);
        for segment in reader.oldest_first() {
            let segment = segment?;
            if deletions.has(&segment) {
                planner.missing(&segment);
                continue;
            }
            let Some(cause) = planner.judge(&segment) else {
                if planner.is_done(&segment) {
                    break;
                }
                continue;
            };
            let rules = policy.rules(&segment.recorder);
            if guard.keep(&segment.path, rules).is_some() {
                continue;
            }
            if tried == ROUND_MAX || self.asked.is_stopped() {
                is_more_left = is_any_deleted;
                break;
            }
            tried += 1;
            hand_on_labels(&**disk, reader, &segment)?;
            match retention::delete(&**disk, rules, &segment) {
                Outcome::Deleted => {
                    planner.deleted(&segment);
                    is_any_deleted = true;
                    deletions.push(segment, cause);
                    if deletions.is_full() {
                        deletions.enter(&self.shared, catalog, now_unix_ms)?;
                    }
                }
                Outcome::Missing => {
                    planner.missing(&segment);
                    catalog.missing(&segment)?;
                }
                Outcome::Kept => {}
                Outcome::Failed(error) => deletions.failed(&segment, &error),
            }
        }
        deletions.enter(&self.shared, catalog, now_unix_ms)?;
        Ok(is_more_left)
    }

    /// All directories that are recorded to, as files in the catalog have them.
    pub(super) fn roots(&self) -> Vec<PathBuf> {
        self.shared.roots_in_catalog()
    }
}

/// Labels beside a file that goes are for what is left of its recording.
fn hand_on_labels(disk: &dyn Disk, reader: &Reader, segment: &Segment) -> Result<(), Error> {
    let Some(labels) = sidecar::read_labels(disk, &segment.path).ok().flatten() else {
        return Ok(());
    };
    let all = reader.of_recording(segment.recording)?;
    let is_left = |other: &&Segment| {
        other.number > segment.number && matches!(other.state, State::Open | State::Finished)
    };
    if let Some(next) = all.iter().find(is_left) {
        // Where that fails, the catalog alone has them.
        let _ = sidecar::write_labels(disk, &next.path, &labels);
    }
    Ok(())
}

/// The recording and the file of one that was opened.
fn opened(event: Event) -> Option<(RecordingId, PathBuf)> {
    match event {
        Event::Opened { path, about } => Some((about.recording, path)),
        _ => None,
    }
}
