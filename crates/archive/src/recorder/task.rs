//! What others may know and want of a recording while it runs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use live::{Cursor, Key};

use super::file::rfc3339;
use crate::archive::Shared;
use crate::counters::Meter;
use crate::events::{Completed, Event};
use crate::latency::Stopwatch;
use crate::watch::Calls;
use crate::{Labels, Ledger, Notice, Plan, Reason, RecordingId, StartRequest, Status};

/// What a recording does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// The publisher has sent nothing yet.
    #[default]
    Waiting,
    /// Files are written.
    Recording,
    /// The disk is in trouble and will be tried again.
    Trouble,
    /// There is too little free space.
    Paused,
    /// The publisher is away and may come back.
    Away,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Recording, Self::Trouble, Self::Paused, Self::Away];

    /// The word in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Recording => "recording",
            Self::Trouble => "trouble",
            Self::Paused => "paused",
            Self::Away => "away",
        }
    }
}

/// Shared by a recorder's thread and those who ask for it.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: RecordingId,
    pub(crate) key: Key,
    /// What the recording is called, if it is.
    pub(crate) name: Option<String>,
    /// What was written on it when it began.
    pub(crate) labels: Labels,
    pub(crate) request_key: Option<String>,
    /// When it was asked for, in ms since 1970.
    pub(crate) started_unix_ms: i64,
    pub(crate) meter: Meter,
    /// How long its appends and syncs took.
    pub(crate) latency: Stopwatch,
    /// What the thread asks of the disk.
    pub(crate) calls: Calls,
    /// Why the recording was asked to end, if it was.
    pub(crate) stopped: OnceLock<Reason>,
    /// Whether nothing may delete its files.
    held: AtomicBool,
    /// Whether there is something in `orders` that the thread has not taken.
    ordered: AtomicBool,
    orders: Mutex<Orders>,
    progress: Mutex<Progress>,
    next: Mutex<Next>,
    /// Something about `next`, `stopped` or `orders` has changed.
    changed: Condvar,
}

/// How far a recording is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) state: State,
    /// The newest segment's file, as far as it is under its name.
    pub(crate) file: Option<PathBuf>,
    /// Segments so far, and where the recording's clock stands.
    pub(crate) segments: u32,
    pub(crate) length_ms: u64,
    pub(crate) ledger: Ledger,
    /// Tracks that are in the newest file and that no player finds there, and why.
    pub(crate) hidden: Vec<String>,
    /// Why packets are lost or cannot be written now, if that is so.
    pub(crate) error: Option<String>,
}

/// What was asked of a recording.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    /// The newest plan, whether it is another or not.
    pub(super) plan: Arc<Plan>,
    /// Whether another file is to begin.
    pub(super) split: bool,
}

/// The publisher's next run.
#[derive(Debug, Default)]
struct Next {
    cursor: Option<Cursor>,
    /// None is taken any more.
    closed: bool,
}

impl Task {
    /// With the cursor that the recording begins with.
    pub(crate) fn new(
        id: RecordingId,
        request: StartRequest,
        started_unix_ms: i64,
    ) -> (Self, Cursor) {
        let StartRequest { key, cursor, plan, labels, request_key, name, id: _, is_told: _ } =
            request;
        let (meter, latency, calls, stopped, held, ordered) = Default::default();
        let (progress, next, changed) = Default::default();
        let orders = Mutex::new(Orders { plan, split: false });
        let task = Self {
            id,
            key,
            name,
            labels,
            request_key,
            started_unix_ms,
            meter,
            latency,
            calls,
            stopped,
            held,
            ordered,
            orders,
            progress,
            next,
            changed,
        };
        (task, cursor)
    }

    pub(crate) fn progress(&self) -> Progress {
        self.lock_progress().clone()
    }

    /// What it shows; what waits for it is its cursor's to say.
    pub(crate) fn status(&self) -> Status {
        let Progress { state, file, segments, length_ms, ledger, hidden, error } = self.progress();
        Status {
            id: self.id,
            key: self.key.clone(),
            plan: self.plan(),
            name: self.name.clone(),
            labels: self.labels.clone(),
            request_key: self.request_key.clone(),
            started_unix_ms: self.started_unix_ms,
            state,
            ending: self.stopped.get().copied(),
            held: self.is_held(),
            file,
            segments,
            length_ms,
            counters: self.meter.read(),
            ledger,
            hidden,
            error,
            waiting_bytes: 0,
            latency: self.latency.read(),
        }
    }

    /// The newest plan; it may be waiting for a place to cut.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.lock_orders().plan.clone()
    }

    /// Says that the recording is over: after all else that is told of it.
    pub(super) fn tell_completed(&self, shared: &Shared, completed: Completed) {
        shared.observer.tell(|| Notice::Completed {
            id: completed.id,
            key: self.key.clone(),
            reason: completed.reason,
            segments: completed.segments,
            length_ms: completed.length_ms,
            ledger: completed.ledger.clone(),
        });
        shared.events.send(Event::Completed(completed));
    }

    /// Says that it is over because its thread has panicked, with what is known of it.
    pub(crate) fn tell_lost(&self, shared: &Shared) {
        let Progress { segments, length_ms, ledger, .. } = self.progress();
        let (id, reason) = (self.id, Reason::Failed);
        let end_time = rfc3339(&shared.clock.now());
        let completed = Completed { id, reason, segments, length_ms, ledger, end_time };
        self.tell_completed(shared, completed);
    }

    pub(super) fn set_file(&self, file: Option<PathBuf>) {
        self.lock_progress().file = file;
    }

    pub(super) fn set_hidden(&self, hidden: Vec<String>) {
        self.lock_progress().hidden = hidden;
    }

    pub(super) fn set_error(&self, error: Option<String>) {
        self.lock_progress().error = error;
    }

    pub(super) fn set_state(&self, state: State) {
        self.lock_progress().state = state;
    }

    /// What it does.
    pub(crate) fn state(&self) -> State {
        self.lock_progress().state
    }

    pub(super) fn set_books(&self, ledger: Ledger, segments: u32, length_ms: u64) {
        let mut progress = self.lock_progress();
        progress.ledger = ledger;
        (progress.segments, progress.length_ms) = (segments, length_ms);
    }

    /// Has the files of the recording held, from the open one on, or not any more. The recorder's
    /// thread does it soon; files that were finished before are the caller's.
    pub(crate) fn set_held(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Has another file begin at the next key frame.
    pub(crate) fn split(&self) {
        self.order(|orders| orders.split = true);
    }

    /// Has the recording kept by another plan.
    pub(crate) fn update(&self, plan: Arc<Plan>) {
        self.order(|orders| orders.plan = plan);
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        let mut orders = self.lock_orders();
        change(&mut orders);
        self.ordered.store(true, Ordering::Release);
        drop(orders);
        drop(self.lock_next());
        self.changed.notify_all();
    }

    /// Whether something was asked since the last call of [`Task::take_orders`].
    pub(super) fn has_orders(&self) -> bool {
        self.ordered.load(Ordering::Acquire)
    }

    /// What was asked since the last call.
    pub(super) fn take_orders(&self) -> Option<Orders> {
        if !self.has_orders() {
            return None;
        }
        let mut orders = self.lock_orders();
        self.ordered.store(false, Ordering::Relaxed);
        let taken = orders.clone();
        orders.split = false;
        Some(taken)
    }

    /// Ends the recording; the first reason stays.
    pub(crate) fn stop(&self, reason: Reason) {
        let _ = self.stopped.set(reason);
        // Under the lock, or a thread that is about to wait would miss it.
        drop(self.lock_next());
        self.changed.notify_all();
    }

    /// Hands the publisher's next run over.
    ///
    /// # Errors
    /// The cursor, if the recording has ended or has its next run already.
    pub(crate) fn offer(&self, cursor: Cursor) -> Result<(), Box<Cursor>> {
        let mut next = self.lock_next();
        if next.closed || next.cursor.is_some() || self.stopped.get().is_some() {
            return Err(Box::new(cursor));
        }
        next.cursor = Some(cursor);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits for the publisher's next run, for as long as the newest plan says. `None` when it did
    /// not come, or the recording was stopped: from then on it will not be taken.
    pub(super) fn next_run(&self) -> Option<Cursor> {
        let since = Instant::now();
        let mut next = self.lock_next();
        loop {
            let left = self.plan().rejoin.saturating_sub(since.elapsed());
            if next.cursor.is_some() || self.stopped.get().is_some() || left.is_zero() {
                break;
            }
            (next, _) =
                self.changed.wait_timeout(next, left).unwrap_or_else(PoisonError::into_inner);
        }
        let cursor = next.cursor.take();
        next.closed = cursor.is_none();
        cursor
    }

    fn lock_orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
