//! The two threads that look after the record directory: one writes the catalog and deletes what
//! retention lets go, one watches free space and shuts the [`Gate`](crate::gate::Gate).
//!
//! They are two because the catalog may take its time (a directory of a million files to compare, a
//! disk that hangs) and the gate must not wait for it. Recorders wait for neither. Nothing is made
//! on disk before the record directory exists, which the first recording makes.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::archive::Shared;
use crate::events::Told;
use crate::telemetry;

mod changes;
mod clerk;
mod deletions;
mod watcher;

use clerk::Clerk;
use watcher::Watcher;

/// The running threads. A dropped one has them end by themselves.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    asked: Arc<Asked>,
    threads: Vec<Running>,
}

struct Running {
    /// Tells nothing, and that at the thread's end.
    end: Receiver<Infallible>,
    thread: JoinHandle<()>,
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Option<Running> {
    let (runs, end) = channel();
    let work = move || {
        let _runs: Sender<Infallible> = runs;
        work();
    };
    Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(|thread| Running { end, thread })
        .inspect_err(|error| telemetry::keeper_failed(name, &crate::words(error)))
        .ok()
}

/// Takes no change any more when nobody is there who could carry it out: the thread has ended,
/// however it came to that, or did not begin.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.changes.close();
    }
}

/// What the threads are asked for.
#[derive(Default)]
struct Asked {
    /// To end.
    stop: AtomicBool,
    /// To delete now what may be deleted.
    room: AtomicBool,
    lock: Mutex<()>,
    stopped: Condvar,
}

impl Asked {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.store(true, Ordering::Relaxed);
        self.stopped.notify_all();
    }

    /// Returns after `time`, or when the threads are to end.
    fn pause(&self, time: Duration) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = |(): &mut ()| !self.is_stopped();
        drop(self.stopped.wait_timeout_while(lock, time, goes_on));
    }
}

impl Keeper {
    /// Starts the threads. `events` is the other end of `shared.events`. Where the system gives no
    /// thread, recordings go on without it, and it is logged.
    pub(crate) fn start(shared: Arc<Shared>, events: Told) -> Self {
        let asked = Arc::<Asked>::default();
        let mut clerk = Clerk::new(shared.clone(), asked.clone(), events);
        let closing = Closing(shared.clone());
        let clerk = move || {
            let _closing = closing;
            clerk.run();
        };
        let mut watcher = Watcher::new(shared.clone(), asked.clone());
        let threads = [spawn("catalog", clerk), spawn("space", move || watcher.run())];
        Self { shared, asked, threads: threads.into_iter().flatten().collect() }
    }

    /// Ends the threads after the catalog has all that was told before. Waits no longer than until
    /// `deadline`: a thread that waits for a disk is left behind, and what the catalog lacks is
    /// entered at the next start. Returns whether both came to their end.
    pub(crate) fn close(mut self, deadline: Instant) -> bool {
        self.asked.stop();
        self.shared.events.wake();
        let mut all = true;
        for Running { end, thread } in self.threads.drain(..) {
            let left = deadline.saturating_duration_since(Instant::now());
            if end.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                all = false;
            } else if thread.join().is_err() {
                telemetry::keeper_failed("keeper", &"it panicked");
            }
        }
        if !all {
            telemetry::keeper_not_finished(&self.shared.config.record_dir);
        }
        all
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.asked.stop();
        self.shared.events.wake();
    }
}

#[cfg(test)]
mod tests;
