//! All recordings of one directory: starts, stops and joins their threads.
//!
//! No call here waits for a disk but [`Archive::close`], which waits no longer than it is told.

mod shared;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use live::{Cursor, Key};

pub(crate) use self::shared::Shared;
use self::shared::{Active, State};
use crate::change::Reply;
use crate::disks::DiskStatus;
use crate::keeper::Keeper;
use crate::label::Labels;
use crate::recorder::Timing;
use crate::watch::Watch;
use crate::{
    Change, ChangeError, Changed, Clock, Config, Counters, Disk, Error, Latency, Observer, Plan,
    Policy, Reason, RecordingId, Status, telemetry,
};

/// What to record.
#[derive(Debug)]
pub struct StartRequest {
    /// The stream's name.
    pub key: Key,
    /// Where the recording begins; of [`live::Class::Record`].
    pub cursor: Cursor,
    /// How it is kept.
    pub plan: Arc<Plan>,
    /// Its id, if [`Archive::new_id`] gave one. Without one the recording of the same stream and
    /// recorder goes on whose publisher was away.
    pub id: Option<RecordingId>,
    /// What is written on it.
    pub labels: Labels,
    /// The key of the request that it began with, by which the same request is known again.
    pub request_key: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// Whether it was asked for before in vain, which was logged then.
    pub is_told: bool,
}

impl StartRequest {
    /// Asks for a recording with nothing written on it.
    pub fn new(key: Key, cursor: Cursor, plan: Arc<Plan>) -> Self {
        let (id, labels, request_key, name, is_told) = Default::default();
        Self { key, cursor, plan, id, labels, request_key, name, is_told }
    }
}

/// All recordings of one directory. Must be [closed](Archive::close): a dropped one leaves its
/// threads to end with the runs that they record.
pub struct Archive {
    shared: Arc<Shared>,
    keeper: Mutex<Option<Keeper>>,
}

impl Archive {
    /// An archive in `config.record_dir`. That is not made before the first recording.
    /// `observer` is told what happens.
    pub fn open(
        config: Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        observer: Observer,
    ) -> Self {
        let (shared, events) = Shared::new(config, disk, clock, Timing::default(), observer);
        let keeper = Keeper::start(shared.clone(), events);
        Self { shared, keeper: Mutex::new(Some(keeper)) }
    }

    /// An archive that waits as it is told and that nobody looks after: without catalog, retention
    /// and watch on free space. With it comes what it tells the catalog.
    #[cfg(test)]
    pub(crate) fn alone(
        config: Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        timing: Timing,
        observer: Observer,
    ) -> (Self, crate::events::Told) {
        let (shared, events) = Shared::new(config, disk, clock, timing, observer);
        (Self { shared, keeper: Mutex::default() }, events)
    }

    /// Begins, in threads of its own, to mend what was left unfinished before the archive was
    /// opened. Only the first call does anything. What happens, and what does not, is logged.
    pub fn recover(&self) {
        let mut state = self.shared.lock();
        if std::mem::replace(&mut state.recovers, true) {
            return;
        }
        self.shared.recover(&mut state, &self.shared.config.record_dir, self.shared.opened_ms);
        for dir in state.dirs.clone() {
            self.shared.recover(&mut state, &dir, self.shared.opened_ms);
        }
    }

    /// Replaces the further directories that recorders write to: they are watched for room, and what
    /// was left unfinished in new ones is mended. One inside another, or inside the record directory,
    /// is part of that. Those that are gone are watched for as long as they are recorded to.
    pub fn set_dirs(&self, dirs: &[PathBuf]) {
        self.shared.set_dirs(dirs);
    }

    /// Replaces the directories that recordings are to be made in, beside those of recordings that run:
    /// it is told when one of them cannot be written.
    pub fn set_wanted(&self, dirs: BTreeSet<PathBuf>) {
        self.shared.set_wanted(dirs);
    }

    /// The plan of a recorder that has no settings of its own: that of `-record-all`.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::new(self.shared.config.plan())
    }

    /// An id for a recording that is yet to be started.
    pub fn new_id(&self, key: &Key) -> RecordingId {
        self.shared.new_id(&mut self.shared.lock(), key)
    }

    /// Begins a recording, or continues one whose publisher was away: that of the id that is asked
    /// for, or else that of the same stream and recorder. Its file appears with the first packet;
    /// whether the directory can be written is found out at once, and logged, by the recorder's
    /// thread.
    ///
    /// # Errors
    /// When the archive is full or closed, there is no thread, a recording of this id is running, or
    /// what is to be written on it cannot be. Logged here as `failed to create recorder`, once.
    pub fn start(&self, request: StartRequest) -> Result<RecordingId, Error> {
        let (key, plan, is_told) = (request.key.clone(), request.plan.clone(), request.is_told);
        if !is_told {
            telemetry::recording_started(&key, &plan);
        }
        self.shared.reap();
        let result = self.shared.rejoin_or_spawn(request);
        match &result {
            Ok(_) if is_told => telemetry::recording_started(&key, &plan),
            Err(error) if !is_told => {
                telemetry::create_failed(&key, error);
                self.shared.total.add(&Counters { errors: 1, ..Counters::default() });
            }
            _ => {}
        }
        result
    }

    /// Hands the next run of its publisher to a recording that waits for it. Returns whether it
    /// was taken; it never is by one that has ended.
    pub fn rejoin(&self, id: RecordingId, cursor: Cursor) -> bool {
        let mut state = self.shared.lock();
        let active = state.active.get_mut(&id).filter(|active| !active.finished);
        active.is_some_and(|active| active.rejoin(cursor).is_ok())
    }

    /// Ends a recording with what its stream has carried until now; its file is finished soon
    /// after, and its publisher not waited for. Returns whether it was running.
    pub fn stop(&self, id: RecordingId) -> bool {
        self.shared.reap();
        let state = self.shared.lock();
        let Some(active) = state.active.get(&id).filter(|active| !active.finished) else {
            return false;
        };
        active.end(Reason::Stopped);
        true
    }

    /// Has another file begin at the next key frame. Returns whether the recording was running.
    pub fn split(&self, id: RecordingId) -> bool {
        self.shared.running(id).inspect(|task| task.split()).is_some()
    }

    /// Has a recording kept by another plan from now on. What a file cannot have two of (where it
    /// is, what it is called, which tracks are in it) changes with the next one, which begins as
    /// soon as one can; no packet is lost by it and none is in both. Returns whether the recording
    /// was running.
    pub fn update(&self, id: RecordingId, plan: Arc<Plan>) -> bool {
        self.shared.running(id).inspect(|task| task.update(plan)).is_some()
    }

    /// The recordings that are running or wait for their publishers.
    pub fn list(&self) -> Vec<Status> {
        let state = self.shared.lock();
        state.active.values().filter(|active| !active.finished).map(Active::status).collect()
    }

    /// One that is running or waits for its publisher.
    pub fn status(&self, id: RecordingId) -> Option<Status> {
        let state = self.shared.lock();
        state.active.get(&id).filter(|active| !active.finished).map(Active::status)
    }

    /// One that ended a short while ago: the catalog may not know it yet. The last 256 are
    /// remembered.
    pub fn ended(&self, id: RecordingId) -> Option<Status> {
        self.shared.ended(id)
    }

    /// All of those, the newest first.
    pub fn ended_lately(&self) -> Vec<Status> {
        self.shared.ended_lately()
    }

    /// Has the catalog's thread carry out a change; never waits. `reply` is called exactly once, here
    /// or by that thread: it must not wait.
    pub fn change(
        &self,
        change: Change,
        reply: impl FnOnce(Result<Changed, ChangeError>) + Send + 'static,
    ) {
        self.shared.changes.push(change, Reply::new(reply));
        self.shared.events.wake();
    }

    /// Replaces what [`Config`] said of retention, the bin and the room that recording leaves.
    pub fn set_policy(&self, policy: Policy) {
        self.shared.set_policy(policy);
    }

    /// All recordings since the start, together.
    pub fn counters(&self) -> Counters {
        self.shared.total.read()
    }

    /// How long appends and syncs of all recordings since the start took.
    pub fn latency(&self) -> Latency {
        self.shared.latency.read()
    }

    /// The disks that are recorded to, as they were when they were asked last; no disk is asked
    /// now.
    pub fn disks(&self) -> Vec<DiskStatus> {
        self.shared.disks.read(self.shared.age(), &self.shared.hanging())
    }

    /// Ends all recordings with what their streams have carried until now and waits until their
    /// files are finished, at most for `timeout`. Returns those that are not: their disk does not
    /// answer. No recording begins after this.
    pub fn close(&self, timeout: Duration) -> Vec<Status> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.closing.store(true, Ordering::Relaxed);
        state.active.values().for_each(|active| active.end(Reason::Shutdown));
        let waits = |state: &mut State| {
            state.recovering > 0 || state.active.values().any(|active| !active.finished)
        };
        let watch = state.watch.take();
        drop(
            self.shared
                .finished
                .wait_timeout_while(state, timeout, waits)
                .unwrap_or_else(PoisonError::into_inner),
        );
        watch.into_iter().for_each(Watch::close);
        self.shared.reap();
        // Last, for it enters what the recordings told.
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        keeper.map(|keeper| keeper.close(deadline));
        self.shared.changes.close();
        let unfinished = self.list();
        for status in &unfinished {
            telemetry::not_finished(&status.key, status.file.as_deref());
        }
        unfinished
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

#[cfg(test)]
mod tests;
