//! Whether recording works, by what recordings have seen of it.

use std::sync::{Mutex, PoisonError};

use archive::{Notice, Reason};

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
            // Something is written again.
            Notice::Opened { .. } | Notice::Finished { .. } => None,
            _ => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    /// Why the last recording failed, if nothing was written since.
    pub(crate) fn failure(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
