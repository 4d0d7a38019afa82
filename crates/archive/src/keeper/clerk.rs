//! The thread that writes the catalog and deletes what retention lets go.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Asked;
use crate::archive::Shared;
use crate::catalog::{Catalog, Error};
use crate::events::Event;
use crate::retention::{self, Guard, Outcome, Planner, Rules, growing_bytes};
use crate::space::{minimum, retained_free};
use crate::telemetry;

/// An event is in the catalog after this time, together with those that came in it.
const BATCH: Duration = Duration::from_millis(500);
/// Most events of one transaction.
const BATCH_MAX: usize = 1_024;
/// Most events that wait for a catalog that cannot be written; then the oldest are left to the
/// files.
const WAITING_MAX: usize = 8_192;
/// How often retention looks, and how often a catalog that could not be opened is tried again.
const ROUND: Duration = Duration::from_secs(60);
/// How often retention looks while there is little room.
const ROUND_LOW: Duration = Duration::from_secs(5);
/// Most files that one round tries to delete; what is left goes in the next, after the events.
pub(super) const ROUND_MAX: usize = 1_000;
/// Most deletions that are entered together: a crash has them found missing at the next start.
const DELETED_MAX: usize = 64;

pub(super) struct Clerk {
    shared: Arc<Shared>,
    asked: Arc<Asked>,
    events: Receiver<Event>,
    /// Open only while there is something to do: whoever takes the disk out need not stop the server.
    catalog: Option<Catalog>,
    /// What is not in the catalog yet.
    waiting: Vec<Event>,
    /// The catalog may lack what only the files know.
    is_behind: bool,
    /// Not before this is a catalog tried that could not be used.
    try_at: Instant,
    /// When retention looks.
    round_at: Instant,
    /// When it may look before that for want of room.
    low_at: Instant,
    /// That the catalog cannot be used is logged.
    is_catalog_told: bool,
    /// That files cannot be deleted is logged.
    is_delete_told: bool,
}

impl Clerk {
    pub(super) fn new(shared: Arc<Shared>, asked: Arc<Asked>, events: Receiver<Event>) -> Self {
        let now = shared.clock.instant();
        Self {
            shared,
            asked,
            events,
            catalog: None,
            waiting: Vec::new(),
            is_behind: true,
            try_at: now,
            round_at: now,
            low_at: now,
            is_catalog_told: false,
            is_delete_told: false,
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            let is_last = self.asked.is_stopped();
            let came = self.receive(is_last);
            self.work();
            if is_last && came < BATCH_MAX {
                return;
            }
        }
    }

    /// Waits for events, or for the time to look, and returns how many came.
    pub(super) fn receive(&mut self, is_last: bool) -> usize {
        let mut until = self.round_at;
        for came in 0..BATCH_MAX {
            let left = until.saturating_duration_since(self.shared.clock.instant());
            let wait = if is_last { Duration::ZERO } else { left };
            match self.events.recv_timeout(wait) {
                Ok(Event::Wake) if is_last || came > 0 => {}
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
        let result = self.update().and_then(|()| self.retain());
        match result {
            Ok(()) => {
                if self.catalog.take().is_some() && std::mem::take(&mut self.is_catalog_told) {
                    telemetry::catalog_again(&self.shared.config.record_dir);
                }
            }
            Err(error) => self.give_up(&error),
        }
    }

    fn update(&mut self) -> Result<(), Error> {
        let Shared { disk, clock, config, .. } = &*self.shared;
        let dir = &config.record_dir;
        if self.catalog.is_none() {
            if clock.instant() < self.try_at {
                return Ok(());
            }
            let is_empty = match disk.list(dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                entries => entries?.is_empty(),
            };
            // Where there is nothing to enter there is no catalog either.
            if is_empty {
                return Ok(());
            }
            self.is_behind |= !Catalog::exists(&**disk, dir);
            self.catalog = Some(Catalog::open(&**disk, dir)?);
        }
        let Some(catalog) = &self.catalog else { return Ok(()) };
        // Before the files are looked at: events know the hashes.
        catalog.apply(&**disk, &self.waiting, clock.now().timestamp().as_millisecond())?;
        self.waiting.clear();
        if self.is_behind {
            let found = catalog.reconcile(&**disk, &|| !self.asked.is_stopped())?;
            self.is_behind = self.asked.is_stopped();
            if found.missing > 0 {
                telemetry::files_missing(dir, found.missing);
            }
        }
        Ok(())
    }

    /// Goes on without the catalog for a while. One that is damaged is replaced, but not again and
    /// again.
    fn give_up(&mut self, error: &Error) {
        self.catalog = None;
        self.is_behind = true;
        let Shared { disk, clock, config, .. } = &*self.shared;
        let now = clock.instant();
        let may_replace = error.is_damage() && now >= self.try_at;
        self.try_at = now + ROUND;
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
        if !std::mem::replace(&mut self.is_catalog_told, true) {
            telemetry::catalog_unavailable(&config.record_dir, error);
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
        if self.shared.config.retention.is_some() && !self.asked.is_stopped() {
            let is_more_left = self.delete_doomed()?;
            if is_more_left {
                self.round_at = now;
            }
        }
        Ok(())
    }

    /// Deletes what has to go, and returns whether there is more.
    fn delete_doomed(&mut self) -> Result<bool, Error> {
        let Some(catalog) = &self.catalog else { return Ok(false) };
        let Shared { disk, clock, config, .. } = &*self.shared;
        let reader = catalog.reader();
        let (_, finished) = reader.finished_total()?;
        let growing = growing_bytes(&**disk, &reader.unfinished()?);
        let space = disk.space(&config.record_dir).ok();
        let least = space.map_or(0, |space| minimum(config.min_free, &space));
        let free_bytes = retained_free(config.retention.free_bytes, least);
        let rules = Rules { free_bytes, ..config.retention };
        let now_unix_ms = clock.now().timestamp().as_millisecond();
        let mut planner = Planner::new(
            rules,
            now_unix_ms,
            finished.saturating_add(growing),
            space.map(|space| space.free_bytes),
        );
        let mut guard = Guard::new(&**disk, rules, space.map(|space| space.device));
        let mut dirs = BTreeSet::new();
        let mut deleted = Vec::new();
        let mut tried = 0;
        let mut is_more_left = false;
        for segment in reader.oldest_first() {
            let segment = segment?;
            let Some(cause) = planner.judge(&segment) else { break };
            if guard.keep(&segment.path, cause).is_some() {
                continue;
            }
            if tried == ROUND_MAX || self.asked.is_stopped() {
                is_more_left = !dirs.is_empty();
                break;
            }
            tried += 1;
            match retention::delete(&**disk, &guard, &segment) {
                Outcome::Deleted => {
                    telemetry::recording_deleted(&segment, planner.age(&segment), cause);
                    planner.deleted(segment.size_bytes);
                    dirs.extend(segment.path.parent().map(ToOwned::to_owned));
                    self.is_delete_told = false;
                    deleted.push((segment, cause));
                    if deleted.len() == DELETED_MAX {
                        catalog.deleted(&deleted, now_unix_ms)?;
                        deleted.clear();
                    }
                }
                Outcome::Missing => {
                    planner.missing(segment.size_bytes);
                    catalog.missing(&segment)?;
                }
                Outcome::Kept => {}
                Outcome::Failed(error) => {
                    if !std::mem::replace(&mut self.is_delete_told, true) {
                        telemetry::delete_failed(&segment, &crate::words(&error));
                    }
                }
            }
        }
        catalog.deleted(&deleted, now_unix_ms)?;
        for dir in dirs {
            // What a power cut brings back is found missing or deleted again at the next start.
            let _ = retention::tidy(&**disk, &config.record_dir, &dir);
        }
        Ok(is_more_left)
    }
}
