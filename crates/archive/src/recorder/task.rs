//! What others may know and want of a recording while it runs.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use live::{Cursor, Key};

use crate::counters::Meter;
use crate::watch::Calls;
use crate::{Ledger, Reason, RecordingId};

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

/// Shared by a recorder's thread and those who ask for it.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: RecordingId,
    pub(crate) key: Key,
    pub(crate) meter: Meter,
    /// What the thread asks of the disk.
    pub(crate) calls: Calls,
    /// Why the recording was asked to end, if it was.
    pub(crate) stopped: OnceLock<Reason>,
    progress: Mutex<Progress>,
    next: Mutex<Next>,
    /// Something about `next` or `stopped` has changed.
    changed: Condvar,
}

/// How far a recording is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) state: State,
    /// The newest segment's file.
    pub(crate) file: Option<PathBuf>,
    pub(crate) ledger: Ledger,
}

/// The publisher's next run.
#[derive(Debug, Default)]
struct Next {
    cursor: Option<Cursor>,
    /// None is taken any more.
    closed: bool,
}

impl Task {
    pub(crate) fn new(id: RecordingId, key: Key) -> Self {
        let (meter, calls, stopped, progress, next, changed) = Default::default();
        Self { id, key, meter, calls, stopped, progress, next, changed }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.lock_progress().clone()
    }

    pub(super) fn set_file(&self, file: Option<PathBuf>) {
        self.lock_progress().file = file;
    }

    pub(super) fn set_state(&self, state: State) {
        self.lock_progress().state = state;
    }

    pub(super) fn set_ledger(&self, ledger: Ledger) {
        self.lock_progress().ledger = ledger;
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

    /// Waits for the publisher's next run. `None` when it did not come, or the recording was
    /// stopped: from then on it will not be taken.
    pub(super) fn next_run(&self, timeout: Duration) -> Option<Cursor> {
        let waits = |next: &mut Next| next.cursor.is_none() && self.stopped.get().is_none();
        let next = self.lock_next();
        let (mut next, _) = self
            .changed
            .wait_timeout_while(next, timeout, waits)
            .unwrap_or_else(PoisonError::into_inner);
        let cursor = next.cursor.take();
        next.closed = cursor.is_none();
        cursor
    }

    fn lock_progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
