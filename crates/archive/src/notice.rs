//! What happens to recordings, told to whoever embeds the archive, as it happens.
//!
//! The catalog is told by `events`; this is for people and programs that watch.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use live::Key;

use crate::{Cut, Gap, Ledger, Reason, RecordingId};

/// Something that happened to a recording, a file or a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A recording was asked for and has its thread.
    Started {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: Key,
        /// The recorder's name.
        recorder: String,
    },
    /// A segment is being written.
    Opened {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: Key,
        /// The segment's number, from 1.
        segment: u32,
        /// Its file.
        file: PathBuf,
        /// Why it begins.
        cut: Cut,
        /// What is missing before it; its time is on the recording's clock.
        gap: Option<Gap>,
    },
    /// A segment is whole.
    Finished {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: String,
        /// The segment's number, from 1.
        segment: u32,
        /// Its file, under its final name.
        file: PathBuf,
        /// Bytes of the file.
        size_bytes: u64,
        /// Its length, in ms.
        length_ms: u64,
    },
    /// Packets are lost inside a file, or its disk is in trouble, or there is too little room.
    Trouble {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: Key,
        /// What is wrong, in the words of the log.
        error: String,
    },
    /// What was in trouble is recorded again, after this gap.
    Resumed {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: Key,
        /// What it cost, if anything.
        gap: Option<Gap>,
    },
    /// A recording is over.
    Completed {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: Key,
        /// Why.
        reason: Reason,
        /// Segments that it has.
        segments: u32,
        /// Its length, in ms.
        length_ms: u64,
        /// Its books.
        ledger: Ledger,
    },
    /// A file that was left unfinished is whole.
    Recovered {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: String,
        /// The segment's number, from 1.
        segment: u32,
        /// Its file.
        file: PathBuf,
    },
    /// A file of ours could not be understood and has another name now.
    SetAside {
        /// What it was called.
        from: PathBuf,
        /// What it is called.
        to: PathBuf,
        /// Why.
        reason: String,
    },
    /// A segment's file was deleted, or is in the bin.
    Deleted {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: String,
        /// The segment's number, from 1.
        segment: u32,
        /// What its file was called.
        file: PathBuf,
        /// By which rule or request.
        cause: String,
        /// Whether it is in the bin and can be restored.
        binned: bool,
    },
    /// A recording came out of the bin.
    Restored {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: String,
    },
    /// A recording was held, released or labelled.
    Changed {
        /// Which recording.
        id: RecordingId,
        /// Its stream.
        key: String,
    },
    /// Room or answers of a disk have changed, or whether a directory can be written.
    Disk {
        /// A directory on it.
        dir: PathBuf,
        /// What it is like now.
        state: DiskState,
        /// Bytes that are free, where it tells.
        free_bytes: Option<u64>,
    },
}

/// What a disk is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskState {
    /// It has room and answers.
    Good,
    /// It has less than twice the room that recording leaves.
    Low,
    /// It has less than that: nothing is recorded to it.
    Full,
    /// A call of a recorder has not been answered for 5 s.
    Hanging,
    /// No file can be made in the directory, and recordings are to be made there.
    Unwritable,
}

impl DiskState {
    /// The word in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Low => "low",
            Self::Full => "full",
            Self::Hanging => "hanging",
            Self::Unwritable => "unwritable",
        }
    }
}

/// Who is told. Called by the archive's threads, recorders among them: it must not wait.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(Notice) + Send + Sync>>);

impl Observer {
    /// Has `tell` called with each notice, in the order in which they happen to each recording.
    pub fn new(tell: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// Tells; makes the notice only if there is somebody to tell.
    pub(crate) fn tell(&self, notice: impl FnOnce() -> Notice) {
        if let Some(tell) = &self.0 {
            tell(notice());
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
