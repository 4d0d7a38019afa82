//! What the threads of an archive share: settings, books, and which recorders run.
//!
//! The handle is in [`archive`](crate::archive).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use live::{Cursor, Key, StopHandle};

use super::StartRequest;
use crate::change::Changes;
use crate::counters::Meter;
use crate::disks::Disks;
use crate::events::{Events, Told};
use crate::gate::{Gate, Place};
use crate::hash::hash64;
use crate::label::{check_labels, check_text};
use crate::latency::Stopwatch;
use crate::recorder::{Recorder, State as RecordingState, Task, Timing};
use crate::watch::Watch;
use crate::{
    Clock, Config, Counters, Disk, Error, Observer, Policy, Reason, RecordingId, Status, recover,
    telemetry, words,
};

/// Recordings that are remembered after their end: those that end while the catalog enters a batch.
const ENDED_MAX: usize = 256;
/// Stack of a recorder thread: its buffers are on the heap.
const STACK_BYTES: usize = 512 << 10;

/// What recorders use of their archive.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) total: Meter,
    /// How long appends and syncs of all recordings took.
    pub(crate) latency: Stopwatch,
    /// Where recorders tell the catalog what happens.
    pub(crate) events: Events,
    /// What people want done to recordings.
    pub(crate) changes: Changes,
    /// What is deleted when.
    policy: Mutex<Arc<Policy>>,
    /// Where recordings are to be made, beside those that run.
    wanted: Mutex<BTreeSet<PathBuf>>,
    /// Who else wants to know.
    pub(crate) observer: Observer,
    /// Where recorders learn of free space.
    pub(crate) gate: Gate,
    /// What is known of disks.
    pub(crate) disks: Disks,
    pub(crate) timing: Timing,
    opened: Instant,
    /// When the archive was opened: ms since 1970.
    pub(super) opened_ms: i64,
    /// Tells recovery that the archive is closed.
    pub(super) closing: AtomicBool,
    state: Mutex<State>,
    /// A recorder, or recovery, has finished.
    pub(super) finished: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) active: BTreeMap<RecordingId, Active>,
    /// Runs from the first recording on.
    pub(super) watch: Option<Watch>,
    /// Further directories that were ever recorded to.
    pub(super) dirs: Vec<PathBuf>,
    /// Those that recorders write to now.
    places: Vec<Place>,
    /// Whether recovery was asked for.
    pub(super) recovers: bool,
    /// Its threads, one a directory, so that one that hangs keeps no other from being looked at.
    recoveries: Vec<JoinHandle<()>>,
    pub(super) recovering: usize,
    started: u64,
    pub(super) closed: bool,
    /// The recordings that ended last.
    ended: VecDeque<Status>,
}

pub(super) struct Active {
    pub(super) task: Arc<Task>,
    stop: StopHandle,
    thread: JoinHandle<()>,
    pub(super) finished: bool,
}

impl Active {
    /// Hands over the publisher's next run, if it is waited for.
    pub(super) fn rejoin(&mut self, cursor: Cursor) -> Result<(), Box<Cursor>> {
        if !self.stop.is_over() {
            return Err(Box::new(cursor));
        }
        let stop = cursor.stop_handle();
        self.task.offer(cursor)?;
        self.stop = stop;
        Ok(())
    }

    pub(super) fn end(&self, reason: Reason) {
        self.task.stop(reason);
        self.stop.stop();
    }

    pub(super) fn status(&self) -> Status {
        Status { waiting_bytes: self.stop.waiting_bytes(), ..self.task.status() }
    }
}

impl Shared {
    /// With the other end of `events`.
    pub(crate) fn new(
        config: Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        timing: Timing,
        observer: Observer,
    ) -> (Arc<Self>, Told) {
        let (total, latency, gate, disks, closing, finished, changes) = Default::default();
        let policy = Mutex::new(Arc::new(Policy::of(&config)));
        let wanted = Mutex::new(config.wanted.clone());
        let (events, received) = Events::new();
        let opened = clock.instant();
        let opened_ms = clock.now().timestamp().as_millisecond();
        let shared = Self {
            config,
            disk,
            clock,
            total,
            latency,
            events,
            changes,
            policy,
            wanted,
            observer,
            gate,
            disks,
            timing,
            opened,
            opened_ms,
            closing,
            state: Mutex::default(),
            finished,
        };
        let shared = Arc::new(shared);
        shared.set_dirs(&shared.config.dirs);
        (shared, received)
    }

    /// The state. Every change under the lock is whole before anything that could panic.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the archive has been open.
    pub(crate) fn age(&self) -> Duration {
        self.clock.instant().saturating_duration_since(self.opened)
    }

    /// What is deleted when.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces that, and has the catalog's thread look at once.
    pub(crate) fn set_policy(&self, policy: Policy) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        self.events.wake();
    }

    /// Replaces what was asked for of [`wanted`](Self::wanted).
    pub(crate) fn set_wanted(&self, dirs: BTreeSet<PathBuf>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = dirs;
    }

    /// Where recordings are to be made, and those that run are.
    pub(crate) fn wanted(&self) -> BTreeSet<PathBuf> {
        let mut dirs = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        dirs.extend(self.tasks().iter().map(|task| task.plan().dir.clone()));
        dirs
    }

    /// Where recordings that run cannot write now.
    pub(crate) fn troubled(&self) -> BTreeSet<PathBuf> {
        let tasks = self.tasks().into_iter().filter(|task| task.state() == crate::State::Trouble);
        tasks.map(|task| task.plan().dir.clone()).collect()
    }

    /// A recording whose thread runs.
    pub(crate) fn running(&self, id: RecordingId) -> Option<Arc<Task>> {
        let state = self.lock();
        let active = state.active.get(&id).filter(|active| !active.finished);
        active.map(|active| active.task.clone())
    }

    /// A recording that ended a short while ago.
    pub(crate) fn ended(&self, id: RecordingId) -> Option<Status> {
        self.lock().ended.iter().find(|status| status.id == id).cloned()
    }

    /// All of those.
    pub(super) fn ended_lately(&self) -> Vec<Status> {
        self.lock().ended.iter().cloned().collect()
    }

    /// Makes believe that a recording runs, on a thread that does nothing.
    #[cfg(test)]
    pub(crate) fn pretend_running(&self, id: RecordingId, key: &str) -> live::Publisher {
        let key = Key::new("", key).expect("a key of a test");
        let registry = live::Registry::new(live::Limits::default());
        let publisher = registry.publish(&key).expect("nobody else has it");
        let cursor = publisher.cursor(live::Class::Record, live::Start::Oldest);
        let stop = cursor.stop_handle();
        let request = StartRequest::new(key, cursor, Arc::new(self.config.plan()));
        let task = Arc::new(Task::new(id, request, 0).0);
        let thread = std::thread::spawn(|| {});
        self.lock().active.insert(id, Active { task, stop, thread, finished: false });
        publisher
    }

    /// The recordings whose threads run.
    pub(crate) fn tasks(&self) -> Vec<Arc<Task>> {
        let state = self.lock();
        let running = state.active.values().filter(|active| !active.finished);
        running.map(|active| active.task.clone()).collect()
    }

    /// The directories that recordings are kept in, the record directory first.
    pub(crate) fn roots(&self) -> Vec<PathBuf> {
        let dirs = self.lock().dirs.clone();
        [self.config.record_dir.clone()].into_iter().chain(dirs).collect()
    }

    /// The same as what the catalog says of files begins with: of further ones it has the whole path.
    pub(crate) fn roots_in_catalog(&self) -> Vec<PathBuf> {
        let mut roots = self.roots();
        for root in roots.iter_mut().skip(1) {
            if let Ok(absolute) = std::path::absolute(&*root) {
                *root = absolute;
            }
        }
        roots
    }

    /// Those of them that are recorded to, by what configuration, requests and recorders use.
    pub(crate) fn used_roots(&self, places: &[Place], wanted: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let roots = self.roots();
        let state = self.lock();
        let configured = state.places.iter().map(Place::dir);
        let configured: Vec<_> = configured.chain([self.config.record_dir.as_path()]).collect();
        let is_others = |place: &&Place| !configured.iter().any(|dir| place.dir().starts_with(dir));
        let others: Vec<_> = places.iter().filter(is_others).map(Place::dir).collect();
        let is_used = |root: &PathBuf| {
            configured.contains(&root.as_path())
                || wanted.contains(root)
                || others.iter().any(|dir| dir.starts_with(root))
        };
        roots.into_iter().filter(is_used).collect()
    }

    /// The directories of recordings whose disk has not answered for some time.
    pub(super) fn hanging(&self) -> Vec<PathBuf> {
        let age = self.age();
        let tasks = self.tasks();
        let hanging = tasks.iter().filter(|task| task.calls.hangs(age));
        hanging.map(|task| task.plan().dir.clone()).collect()
    }

    /// Replaces the further directories; those that nothing was recorded to before are mended.
    pub(crate) fn set_dirs(self: &Arc<Self>, dirs: &[PathBuf]) {
        let now_ms = self.clock.now().timestamp().as_millisecond();
        let mut state = self.lock();
        let mut places = Vec::<Place>::new();
        for dir in dirs.iter().filter(|dir| !is_in(&self.config.record_dir, dir)) {
            if places.iter().any(|place| is_in(place.dir(), dir)) {
                continue;
            }
            places.push(self.gate.enter(dir));
            if state.recovers && !state.dirs.iter().any(|known| is_in(known, dir)) {
                self.recover(&mut state, dir, now_ms);
            }
            if !state.dirs.contains(dir) {
                state.dirs.push(dir.clone());
            }
        }
        state.places = places;
    }

    /// Mends what was left in a directory before `started_ms`, in a thread.
    pub(super) fn recover(self: &Arc<Self>, state: &mut State, dir: &Path, started_ms: i64) {
        if state.closed {
            return;
        }
        let (shared, of) = (self.clone(), dir.to_owned());
        let recovery = move || {
            let _finish = FinishRecovery(&shared);
            recover::run(&recover::Recovery {
                disk: &*shared.disk,
                clock: &*shared.clock,
                events: &shared.events,
                observer: &shared.observer,
                dir: &of,
                started_ms,
                checksum_files: shared.config.checksum_files,
                stop: &shared.closing,
            });
        };
        match Builder::new().name("recovery".to_owned()).spawn(recovery) {
            Ok(thread) => {
                state.recoveries.push(thread);
                state.recovering += 1;
            }
            Err(error) => telemetry::not_recovered(dir, &words(&error)),
        }
    }

    pub(super) fn new_id(&self, state: &mut State, key: &Key) -> RecordingId {
        state.started += 1;
        RecordingId(hash64([
            &self.clock.now().timestamp().as_nanosecond().to_be_bytes()[..],
            &std::process::id().to_be_bytes(),
            &state.started.to_be_bytes(),
            key.as_str().as_bytes(),
        ]))
    }

    pub(super) fn rejoin_or_spawn(
        self: &Arc<Self>,
        request: StartRequest,
    ) -> Result<RecordingId, Error> {
        check_labels(&request.labels)?;
        check_text("recorder", &request.plan.recorder)?;
        for (what, text) in [("name", &request.name), ("request key", &request.request_key)] {
            text.as_ref().map_or(Ok(()), |text| check_text(what, text))?;
        }
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        match rejoin(&mut state, request)? {
            Rejoin::Taken(id) => Ok(id),
            Rejoin::None(request) => self.spawn(&mut state, *request),
        }
    }

    /// Starts the thread, under the lock so that it cannot finish before it is known.
    fn spawn(
        self: &Arc<Self>,
        state: &mut State,
        request: StartRequest,
    ) -> Result<RecordingId, Error> {
        let limit = self.config.max_recordings;
        if state.active.len() >= limit {
            // One that only waits for its publisher gives its place to a stream that is there.
            let is_away = |active: &&Active| {
                active.task.stopped.get().is_none()
                    && active.task.progress().state == RecordingState::Away
            };
            let away = state.active.values().find(is_away);
            away.ok_or(Error::TooManyRecordings { limit })?.task.stop(Reason::Ended);
        }
        if state.watch.is_none() {
            let watch = Watch::start(self.clone(), self.timing.watch).map_err(Error::Thread)?;
            state.watch = Some(watch);
        }
        let id = request.id.unwrap_or_else(|| self.new_id(state, &request.key));
        let started_unix_ms = self.clock.now().timestamp().as_millisecond();
        let (task, cursor) = Task::new(id, request, started_unix_ms);
        let task = Arc::new(task);
        let stop = cursor.stop_handle();
        let recorder = Recorder::new(self.clone(), task.clone(), cursor);
        let shared = self.clone();
        let thread = Builder::new()
            .name(format!("rec {id}"))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                // Not before the thread runs: it takes the lock when it is dropped.
                let _finish = Finish { shared, id };
                recorder.run();
            })
            .map_err(Error::Thread)?;
        state.active.insert(id, Active { task, stop, thread, finished: false });
        Ok(id)
    }

    /// Joins the threads that are done.
    pub(super) fn reap(&self) {
        let mut state = self.lock();
        let State { active, recoveries, recovering, .. } = &mut *state;
        let done: Vec<_> = active.extract_if(.., |_, active| active.finished).collect();
        let is_over = |thread: &mut JoinHandle<()>| thread.is_finished() || *recovering == 0;
        let recoveries: Vec<_> = recoveries.extract_if(.., is_over).collect();
        drop(state);
        for thread in recoveries {
            if thread.join().is_err() {
                telemetry::not_recovered(&self.config.record_dir, &"recovery panicked");
            }
        }
        for (_, active) in done {
            if active.thread.join().is_err() {
                let file = active.task.progress().file;
                telemetry::write_failed(
                    &active.task.key,
                    &"the recorder panicked",
                    file.as_deref(),
                );
                self.total.add(&Counters { errors: 1, ..Counters::default() });
                active.task.tell_lost(self);
            }
        }
    }
}

/// Whether a request continues a recording.
enum Rejoin {
    Taken(RecordingId),
    /// There is none that waits.
    None(Box<StartRequest>),
}

/// Hands the cursor to the recording of the id that is asked for, or else to that which the same
/// recorder makes of the stream, if its run is over.
fn rejoin(state: &mut State, mut request: StartRequest) -> Result<Rejoin, Error> {
    let (key, plan, id) = (&request.key, &request.plan, request.id);
    let waits = |active: &&mut Active| {
        let task = &active.task;
        let is_meant = match id {
            Some(id) => task.id == id,
            None => {
                let known = task.plan();
                known.recorder == plan.recorder && !known.rejoin.is_zero()
            }
        };
        is_meant && task.key == *key && !active.finished && active.stop.is_over()
    };
    for active in state.active.values_mut().filter(waits) {
        match active.rejoin(request.cursor) {
            Ok(()) => {
                if active.task.plan() != request.plan {
                    active.task.update(request.plan);
                }
                return Ok(Rejoin::Taken(active.task.id));
            }
            Err(refused) => request.cursor = *refused,
        }
    }
    match request.id.filter(|id| state.active.get(id).is_some_and(|active| !active.finished)) {
        Some(id) => Err(Error::Running(id)),
        None => Ok(Rejoin::None(Box::new(request))),
    }
}

/// Tells the archive that a recorder's thread is done, however it came to that.
struct Finish {
    shared: Arc<Shared>,
    id: RecordingId,
}

impl Drop for Finish {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(active) = state.active.get_mut(&self.id) {
            active.finished = true;
            let status = active.status();
            state.ended.truncate(ENDED_MAX - 1);
            state.ended.push_front(status);
        }
        drop(state);
        self.shared.finished.notify_all();
    }
}

/// Tells the archive that recovery is done, however it came to that.
struct FinishRecovery<'a>(&'a Shared);

impl Drop for FinishRecovery<'_> {
    fn drop(&mut self) {
        self.0.lock().recovering -= 1;
        self.0.finished.notify_all();
    }
}

/// Whether a directory is another one or is in it, without a way out of that on the way.
fn is_in(dir: &Path, inner: &Path) -> bool {
    let below = inner.strip_prefix(dir);
    below.is_ok_and(|below| below.components().all(|part| part != Component::ParentDir))
}
