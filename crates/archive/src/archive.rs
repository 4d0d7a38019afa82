//! All recordings of one directory: starts, stops and joins their threads.
//!
//! No call here waits for a disk but [`Archive::close`], which waits no longer than it is told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use live::{Cursor, Key, StopHandle};

use crate::counters::Meter;
use crate::events::{Event, Events};
use crate::gate::Gate;
use crate::hash::hash64;
use crate::keeper::Keeper;
use crate::recorder::{Progress, Recorder, State as RecordingState, Task, Timing};
use crate::watch::Watch;
use crate::{Clock, Config, Counters, Disk, Error, Ledger, recover, telemetry, words};

/// Stack of a recorder thread: its buffers are on the heap.
const STACK_BYTES: usize = 512 << 10;

/// Names a recording, unlike any other of this or another server: 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId(u64);

/// The text is no [`RecordingId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a recording id of 16 hex digits")]
pub struct BadId;

impl FromStr for RecordingId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let is_hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let id = is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        id.map(Self).ok_or(BadId)
    }
}

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Why a recording, or its part of a run, is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The publisher left.
    Ended,
    /// [`Archive::stop`] was called.
    Stopped,
    /// [`Archive::close`] was called.
    Shutdown,
    /// The disk failed, and did not work again before the publisher left.
    Failed,
}

impl Reason {
    /// The word used in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
        }
    }
}

/// What to record.
#[derive(Debug)]
pub struct StartRequest {
    /// The stream's name.
    pub key: Key,
    /// Where the recording begins; of [`live::Class::Record`].
    pub cursor: Cursor,
}

/// A recording that is running, or waits for its publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which recording.
    pub id: RecordingId,
    /// The stream that is recorded.
    pub key: Key,
    /// What it does.
    pub state: RecordingState,
    /// The newest segment; `None` until the first packet.
    pub file: Option<PathBuf>,
    /// What was done so far.
    pub counters: Counters,
    /// Its books as of the newest flush: times of gaps are on the recording's clock.
    pub ledger: Ledger,
}

/// All recordings of one directory. Must be [closed](Archive::close): a dropped one leaves its
/// threads to end with the runs that they record.
pub struct Archive {
    shared: Arc<Shared>,
    keeper: Mutex<Option<Keeper>>,
}

/// What recorders use of their archive.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) total: Meter,
    /// Where recorders tell the catalog what happens.
    pub(crate) events: Events,
    /// Where recorders learn of free space.
    pub(crate) gate: Gate,
    pub(crate) timing: Timing,
    opened: Instant,
    /// When the archive was opened: ms since 1970.
    opened_ms: i64,
    /// Tells recovery that the archive is closed.
    closing: AtomicBool,
    state: Mutex<State>,
    /// A recorder, or recovery, has finished.
    finished: Condvar,
}

#[derive(Default)]
struct State {
    active: BTreeMap<RecordingId, Active>,
    /// Runs from the first recording on.
    watch: Option<Watch>,
    recovery: Option<JoinHandle<()>>,
    recovering: bool,
    started: u64,
    closed: bool,
}

struct Active {
    task: Arc<Task>,
    stop: StopHandle,
    thread: JoinHandle<()>,
    finished: bool,
}

impl Archive {
    /// An archive in `config.record_dir`. That is not made before the first recording.
    pub fn open(config: Config, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Self {
        let (shared, events) = Shared::new(config, disk, clock, Timing::default());
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
    ) -> (Self, Receiver<Event>) {
        let (shared, events) = Shared::new(config, disk, clock, timing);
        (Self { shared, keeper: Mutex::default() }, events)
    }

    /// Begins, in a thread of its own, to mend what was left unfinished before the archive was
    /// opened. Only the first call does anything. What happens, and what does not, is logged.
    pub fn recover(&self) {
        let mut state = self.shared.lock();
        if state.closed || state.recovery.is_some() {
            return;
        }
        let shared = self.shared.clone();
        let recovery = move || {
            let _finish = FinishRecovery(&shared);
            recover::run(&recover::Recovery {
                disk: &*shared.disk,
                clock: &*shared.clock,
                events: &shared.events,
                dir: &shared.config.record_dir,
                started_ms: shared.opened_ms,
                checksum_files: shared.config.checksum_files,
                stop: &shared.closing,
            });
        };
        match Builder::new().name("recovery".to_owned()).spawn(recovery) {
            Ok(thread) => {
                state.recovery = Some(thread);
                state.recovering = true;
            }
            Err(error) => {
                telemetry::not_recovered(&self.shared.config.record_dir, &words(&error));
            }
        }
    }

    /// Begins a recording, or continues that of the same stream whose publisher was away. Its file
    /// appears with the first packet; whether the directory can be written is found out at once,
    /// and logged, by the recorder's thread.
    ///
    /// # Errors
    /// When the archive is full or closed, or there is no thread. Logged here as `failed to create
    /// recorder`.
    pub fn start(&self, request: StartRequest) -> Result<RecordingId, Error> {
        let StartRequest { key, cursor } = request;
        telemetry::recording_started(&key, &self.shared.config.record_dir);
        self.shared.reap();
        let result = self.shared.rejoin_or_spawn(key.clone(), cursor);
        if let Err(error) = &result {
            telemetry::create_failed(&key, error);
            self.shared.total.add(&Counters { errors: 1, ..Counters::default() });
        }
        result
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

    /// The recordings that are running or wait for their publishers.
    pub fn list(&self) -> Vec<Status> {
        let state = self.shared.lock();
        state.active.values().filter(|active| !active.finished).map(Active::status).collect()
    }

    /// All recordings since the start, together.
    pub fn counters(&self) -> Counters {
        self.shared.total.read()
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
            state.recovering || state.active.values().any(|active| !active.finished)
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
        let unfinished = self.list();
        for status in &unfinished {
            telemetry::not_finished(&status.key, status.file.as_deref());
        }
        unfinished
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Active {
    fn end(&self, reason: Reason) {
        self.task.stop(reason);
        self.stop.stop();
    }

    fn status(&self) -> Status {
        let Progress { state, file, ledger } = self.task.progress();
        let (id, key, counters) = (self.task.id, self.task.key.clone(), self.task.meter.read());
        Status { id, key, state, file, counters, ledger }
    }
}

impl Shared {
    /// With the other end of `events`.
    pub(crate) fn new(
        config: Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        timing: Timing,
    ) -> (Arc<Self>, Receiver<Event>) {
        let (total, gate, closing, state, finished) = Default::default();
        let (events, received) = Events::new();
        let opened = clock.instant();
        let opened_ms = clock.now().timestamp().as_millisecond();
        let shared = Self {
            config,
            disk,
            clock,
            total,
            events,
            gate,
            timing,
            opened,
            opened_ms,
            closing,
            state,
            finished,
        };
        (Arc::new(shared), received)
    }

    /// The state. Every change under the lock is whole before anything that could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the archive has been open.
    pub(crate) fn age(&self) -> Duration {
        self.clock.instant().saturating_duration_since(self.opened)
    }

    /// The recordings whose threads run.
    pub(crate) fn tasks(&self) -> Vec<Arc<Task>> {
        let state = self.lock();
        let running = state.active.values().filter(|active| !active.finished);
        running.map(|active| active.task.clone()).collect()
    }

    fn rejoin_or_spawn(self: &Arc<Self>, key: Key, cursor: Cursor) -> Result<RecordingId, Error> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        match self.rejoin(&mut state, &key, cursor) {
            Ok(id) => Ok(id),
            Err(cursor) => self.spawn(&mut state, key, *cursor),
        }
    }

    /// Hands the cursor to the recording of the stream whose run is over, if there is one.
    fn rejoin(
        &self,
        state: &mut State,
        key: &Key,
        mut cursor: Cursor,
    ) -> Result<RecordingId, Box<Cursor>> {
        if self.config.rejoin.is_zero() {
            return Err(Box::new(cursor));
        }
        let waits = |active: &&mut Active| {
            !active.finished && active.task.key == *key && active.stop.is_over()
        };
        for active in state.active.values_mut().filter(waits) {
            let stop = cursor.stop_handle();
            match active.task.offer(cursor) {
                Ok(()) => {
                    active.stop = stop;
                    return Ok(active.task.id);
                }
                Err(refused) => cursor = *refused,
            }
        }
        Err(Box::new(cursor))
    }

    /// Starts the thread, under the lock so that it cannot finish before it is known.
    fn spawn(
        self: &Arc<Self>,
        state: &mut State,
        key: Key,
        cursor: Cursor,
    ) -> Result<RecordingId, Error> {
        let now_ns = self.clock.now().timestamp().as_nanosecond();
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
        state.started += 1;
        let id = RecordingId(hash64([
            &now_ns.to_be_bytes()[..],
            &std::process::id().to_be_bytes(),
            &state.started.to_be_bytes(),
            key.as_str().as_bytes(),
        ]));
        let task = Arc::new(Task::new(id, key));
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
    fn reap(&self) {
        let mut state = self.lock();
        let done: Vec<_> = state.active.extract_if(.., |_, active| active.finished).collect();
        let recovery = if state.recovering { None } else { state.recovery.take() };
        drop(state);
        if recovery.is_some_and(|thread| thread.join().is_err()) {
            telemetry::not_recovered(&self.config.record_dir, &"recovery panicked");
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
            }
        }
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
        }
        drop(state);
        self.shared.finished.notify_all();
    }
}

/// Tells the archive that recovery is done, however it came to that.
struct FinishRecovery<'a>(&'a Shared);

impl Drop for FinishRecovery<'_> {
    fn drop(&mut self) {
        self.0.lock().recovering = false;
        self.0.finished.notify_all();
    }
}

#[cfg(test)]
mod tests;
