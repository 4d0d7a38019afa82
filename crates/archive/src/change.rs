//! What people do to recordings that are there: label, hold, delete, restore.
//!
//! A change waits in a bounded queue for the catalog's thread, which carries it out (`keeper`), and
//! its reply is called exactly once, whatever happens. Files win: each change is one of files first
//! (`sidecar`, `bin`), then of the catalog.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::RecordingId;
use crate::catalog::Recording;

/// Most changes that wait.
const WAITING_MAX: usize = 1_000;

/// Something to be done to a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets labels, or with `None` takes them away.
    Label {
        /// Which recording.
        id: RecordingId,
        /// Their new values, by name.
        set: BTreeMap<String, Option<String>>,
    },
    /// Nobody may delete it from now on.
    Hold {
        /// Which recording.
        id: RecordingId,
    },
    /// It may be deleted again.
    Release {
        /// Which recording.
        id: RecordingId,
    },
    /// Moves its files to the bin, or deletes them. One that is in the bin is deleted for good with
    /// `at_once`.
    Delete {
        /// Which recording.
        id: RecordingId,
        /// Whether it passes by the bin.
        at_once: bool,
    },
    /// Brings its files back from the bin.
    Restore {
        /// Which recording.
        id: RecordingId,
    },
    /// Deletes what is in the bin, however long it has been there.
    EmptyBin,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// The recording as it is now; `None` when there was more than one.
    pub recording: Option<Recording>,
    /// Segments whose files were moved or deleted.
    pub files: u64,
    /// Bytes of those files.
    pub size_bytes: u64,
}

/// Why a change was not made, or only in part: then the same again goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such recording.
    #[error("there is no such recording")]
    Unknown,
    /// It is over, and no file of it is found that this could be done to.
    #[error("the recording has no files any more: they were deleted or moved away")]
    Gone,
    /// It is still being recorded.
    #[error("the recording is running: stop it first")]
    Running,
    /// It is held.
    #[error("the recording is held: release it first")]
    Held,
    /// Nothing of it is in the bin.
    #[error("the recording is not in the bin")]
    NotInBin,
    /// Another file has the name that one in the bin had.
    #[error("another file has its name, which is not overwritten")]
    Exists,
    /// A label's name or value cannot be one.
    #[error("{0}")]
    Label(String),
    /// Too many changes wait.
    #[error("too many changes wait for the disk")]
    Busy,
    /// The archive is closed.
    #[error("the server stops")]
    Closed,
    /// The disk could not do it.
    #[error("the disk could not do it: {0}")]
    Disk(String),
    /// The catalog could not do it.
    #[error("the catalog could not do it: {0}")]
    Catalog(String),
}

/// What a change came to.
pub(crate) type Outcome = Result<Changed, ChangeError>;

/// Is called exactly once: with [`ChangeError::Closed`] when it is dropped.
pub(crate) struct Reply(Option<Box<dyn FnOnce(Outcome) + Send>>);

impl Reply {
    pub(crate) fn new(reply: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Self(Some(Box::new(reply)))
    }

    pub(crate) fn send(mut self, outcome: Outcome) {
        if let Some(reply) = self.0.take() {
            reply(outcome);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            reply(Err(ChangeError::Closed));
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reply").field(&self.0.is_some()).finish()
    }
}

/// The changes that wait.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    changes: VecDeque<(Change, Reply)>,
    is_closed: bool,
}

impl Changes {
    /// Takes a change, or calls its reply at once.
    pub(crate) fn push(&self, change: Change, reply: Reply) {
        let mut waiting = self.lock();
        let error = if waiting.is_closed {
            ChangeError::Closed
        } else if waiting.changes.len() >= WAITING_MAX {
            ChangeError::Busy
        } else {
            waiting.changes.push_back((change, reply));
            return;
        };
        // Not under the lock: nobody knows what it does.
        drop(waiting);
        reply.send(Err(error));
    }

    /// Those that wait longest, at most so many.
    pub(crate) fn take(&self, most: usize) -> VecDeque<(Change, Reply)> {
        let mut waiting = self.lock();
        let most = most.min(waiting.changes.len());
        waiting.changes.drain(..most).collect()
    }

    /// Whether any wait.
    pub(crate) fn is_some(&self) -> bool {
        !self.lock().changes.is_empty()
    }

    /// Takes none any more, and tells those that wait.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        let left = std::mem::take(&mut waiting.changes);
        drop(waiting);
        drop(left);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
