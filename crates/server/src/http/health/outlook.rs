//! Whether recording works, by what recordings have seen of it.

use std::sync::{Mutex, PoisonError};

use archive::{DiskState, Notice, Reason};

/// What the last recording came to that could not be written. Told by the archive as it happens.
#[derive(Debug, Default)]
pub(crate) struct Outlook(Mutex<Option<String>>);

impl Outlook {
    /// Takes note. Memory work only.
    pub(crate) fn see(&self, notice: &Notice) {
        let failed = match notice {
            Notice::Completed { key, reason: Reason::Failed, .. } => {
                Some(format!("the last recording, of {key}, could not be written"))
            }
            // Something is written again, or there is room, or what was in the way is gone.
            Notice::Opened { .. }
            | Notice::Finished { .. }
            | Notice::Disk { state: DiskState::Good | DiskState::Low, .. } => None,
            _ => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    /// Why the last recording failed, if nothing was written since and no disk has come back.
    pub(crate) fn failure(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
