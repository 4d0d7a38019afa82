//! Tells of disks that do not answer: a thread that makes no disk call looks at those that do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::archive::Shared;
use crate::disks::PATIENCE;
use crate::recorder::Task;
use crate::{DiskState, Notice, RecordingId, telemetry};

const STACK_BYTES: usize = 128 << 10;

/// Whether a thread is in a call of the disk, and since when.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// In ms since the archive was opened, and 1; 0 for no call.
    since: AtomicU64,
}

/// A call that goes on for as long as this lives.
#[derive(Debug)]
pub(crate) struct Call<'a>(&'a Calls);

impl Calls {
    /// A call begins, `age` after the archive was opened.
    pub(crate) fn enter(&self, age: Duration) -> Call<'_> {
        self.since.store(millis(age).saturating_add(1), Ordering::Relaxed);
        Call(self)
    }

    /// Whether the call that goes on is one of those that are told of.
    pub(crate) fn hangs(&self, age: Duration) -> bool {
        let waited_ms = self.since_ms().map(|since_ms| millis(age).saturating_sub(since_ms));
        waited_ms.is_some_and(|ms| ms >= millis(PATIENCE))
    }

    fn since_ms(&self) -> Option<u64> {
        self.since.load(Ordering::Relaxed).checked_sub(1)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.since.store(0, Ordering::Relaxed);
    }
}

/// The thread, while it runs.
#[derive(Debug)]
pub(crate) struct Watch {
    thread: JoinHandle<()>,
    stop: Arc<Stop>,
}

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Watch {
    /// Looks at all recordings of the archive every `tick`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(shared: Arc<Shared>, tick: Duration) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let stopped = stop.clone();
        let run = move || {
            let mut told = BTreeMap::new();
            let mut hanging = BTreeSet::new();
            while !stopped.wait(tick) {
                let tasks = shared.tasks();
                look(&tasks, millis(shared.age()), &mut told);
                tell(&shared, &tasks, &told, &mut hanging);
            }
        };
        let builder = Builder::new().name("disk watch".to_owned()).stack_size(STACK_BYTES);
        Ok(Self { thread: builder.spawn(run)?, stop })
    }

    /// Ends the thread, at once.
    pub(crate) fn close(self) {
        *self.stop.lock() = true;
        self.stop.changed.notify_all();
        // It cannot panic, and if it did, its end is all that is asked for here.
        let _ = self.thread.join();
    }
}

impl Stop {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; returns whether it is to stop.
    fn wait(&self, timeout: Duration) -> bool {
        let stopped = self.lock();
        let waits = |stopped: &mut bool| !*stopped;
        let (stopped, _) = self
            .changed
            .wait_timeout_while(stopped, timeout, waits)
            .unwrap_or_else(PoisonError::into_inner);
        *stopped
    }
}

/// One look. `told` are the calls that were told of, by when they began.
fn look(tasks: &[Arc<Task>], now_ms: u64, told: &mut BTreeMap<RecordingId, u64>) {
    told.retain(|id, _| tasks.iter().any(|task| task.id == *id));
    for task in tasks {
        let since_ms = task.calls.since_ms();
        if let Some(&began_ms) = told.get(&task.id)
            && since_ms != Some(began_ms)
        {
            told.remove(&task.id);
            telemetry::disk_answers(&task.key, now_ms.saturating_sub(began_ms) / 1_000);
        }
        let Some(since_ms) = since_ms else { continue };
        let waited_ms = now_ms.saturating_sub(since_ms);
        if waited_ms >= millis(PATIENCE) && told.insert(task.id, since_ms).is_none() {
            let file = task.progress().file;
            telemetry::disk_hangs(&task.key, file.as_deref(), waited_ms / 1_000);
        }
    }
}

/// Tells of directories whose disk hangs for the first recording, and no more for any.
fn tell(
    shared: &Shared,
    tasks: &[Arc<Task>],
    told: &BTreeMap<RecordingId, u64>,
    hanging: &mut BTreeSet<PathBuf>,
) {
    let of_told = tasks.iter().filter(|task| told.contains_key(&task.id));
    let now: BTreeSet<_> = of_told.map(|task| task.plan().dir.clone()).collect();
    let notice = |dir: &PathBuf, state| {
        let (dir, free_bytes) = (dir.clone(), None);
        shared.observer.tell(|| Notice::Disk { dir, state, free_bytes });
    };
    now.difference(hanging).for_each(|dir| notice(dir, DiskState::Hanging));
    hanging.difference(&now).for_each(|dir| notice(dir, shared.disks.state_of(dir)));
    *hanging = now;
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
