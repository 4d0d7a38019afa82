//! Why a recording cannot begin, and the words for what a disk said.

use std::io;

use crate::{BadLabel, RecordingId};

/// Why [`crate::Archive::start`] began nothing. It is logged there; whoever asked has nothing more
/// to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// [`crate::Config::max_recordings`] are running.
    #[error("{limit} recordings are running, which is the limit")]
    TooManyRecordings {
        /// The limit.
        limit: usize,
    },
    /// [`crate::Archive::close`] was called.
    #[error("the archive is closed")]
    Closed,
    /// A recording of the id that was asked for is running, and does not wait for its publisher.
    #[error("recording {0} is running")]
    Running(RecordingId),
    /// What is to be written on the recording cannot be.
    #[error(transparent)]
    Label(#[from] BadLabel),
    /// The operating system gave no thread.
    #[error("no thread for the recorder: {}", words(.0))]
    Thread(#[source] io::Error),
}

/// What went wrong in the words people know from their system, without its error number. What has
/// no such word is left to the system.
pub fn words(error: &io::Error) -> String {
    use io::ErrorKind::{
        AlreadyExists, DirectoryNotEmpty, FileTooLarge, InvalidFilename, IsADirectory,
        NotADirectory, NotFound, OutOfMemory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem,
        StaleNetworkFileHandle, StorageFull, TimedOut, WriteZero,
    };
    if error.get_ref().is_some() {
        return error.to_string();
    }
    let words = match error.kind() {
        PermissionDenied => "permission denied",
        StorageFull => "no space left on device",
        QuotaExceeded => "disk quota exceeded",
        ReadOnlyFilesystem => "read-only file system",
        NotFound => "no such file or directory",
        NotADirectory => "not a directory",
        IsADirectory => "is a directory",
        AlreadyExists => "file exists",
        DirectoryNotEmpty => "directory not empty",
        FileTooLarge => "file too large",
        InvalidFilename => "invalid file name",
        StaleNetworkFileHandle => "stale file handle",
        TimedOut => "timed out",
        OutOfMemory => "out of memory",
        WriteZero => "the disk took no bytes",
        _ => return error.to_string(),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests;
