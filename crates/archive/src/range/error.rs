//! Why there is no file of a range, or why it ends early.

use std::path::PathBuf;

use super::Cause;

/// Why a file of a range cannot be made, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no packet in the range.
    #[error("nothing was recorded in that time")]
    Nothing,
    /// Something was recorded, and there is none of it.
    #[error("what was recorded in that time is not to be had: {cause}")]
    Lost {
        /// Why, of the first segment.
        cause: Cause,
    },
    /// The range is longer than the times of a file (2^32 ms: 49 days).
    #[error("{duration_ms} ms are more than an FLV file can be long")]
    TooLong {
        /// How long it is.
        duration_ms: u64,
    },
    /// A segment is no longer what it was when the file was begun. Asking anew helps.
    #[error("{} is no longer what it was: {reason}", path.display())]
    Changed {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The output cannot be written.
    #[error("{}: {reason}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the disk says.
        reason: String,
    },
    /// Somebody asked for the end.
    #[error("stopped")]
    Stopped,
}
