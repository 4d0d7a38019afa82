//! What happens to recordings, told to the catalog without waiting for it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use live::Key;

use crate::{About, Hash, Labels, Ledger, Reason, RecordingId, Tracks};

/// Most events that wait for the catalog; each is some hundred bytes. Beyond it they are lost, and
/// the catalog reads the directory again when it comes to itself.
const WAITING_MAX: usize = 8_192;

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Under its final name.
    pub(crate) path: PathBuf,
    pub(crate) about: About,
    pub(crate) ledger: Ledger,
    /// Bytes of the file.
    pub(crate) size_bytes: u64,
    /// Its length on the recording clock, in ms.
    pub(crate) length_ms: u64,
    /// When its last packet came, by the clock on the wall: RFC 3339 with ms and offset.
    pub(crate) end_time: String,
    /// Of the whole file.
    pub(crate) hash: Hash,
    /// Over the recording up to and with this file.
    pub(crate) chain: Hash,
}

/// A recording that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) id: RecordingId,
    pub(crate) key: Key,
    /// The recorder's name.
    pub(crate) recorder: String,
    /// What the recording is called, if it is.
    pub(crate) name: Option<String>,
    pub(crate) labels: Labels,
    pub(crate) request_key: Option<String>,
    pub(crate) is_clip: bool,
    pub(crate) tracks: Tracks,
    /// When it was asked for: RFC 3339 with ms and offset.
    pub(crate) start_time: String,
}

/// A recording that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Completed {
    pub(crate) id: RecordingId,
    pub(crate) reason: Reason,
    pub(crate) segments: u32,
    /// Where its clock ended, in ms: without a gap at its very end.
    pub(crate) length_ms: u64,
    /// Its books, with all gaps on the recording's clock: also the one at its very end, which is in
    /// no file.
    pub(crate) ledger: Ledger,
    /// When it was over: RFC 3339 with ms and offset.
    pub(crate) end_time: String,
}

/// Something that the catalog keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A recording has its thread.
    Started(Started),
    /// A recording is over.
    Completed(Completed),
    /// A file is being written.
    Opened { path: PathBuf, about: About },
    /// A file is whole.
    Finished(Finished),
    /// A file that was left unfinished is whole.
    Recovered(Finished),
    /// A file could not be understood and has another name now.
    SetAside { from: PathBuf, to: PathBuf, reason: String },
    /// A file that was being written is not found under its name any more.
    Gone(PathBuf),
    /// Nothing happened; the keeper is to look at what it was asked for.
    Wake,
}

/// Where recorders tell what happens.
#[derive(Debug)]
pub(crate) struct Events {
    /// Its places are there from the beginning: an event itself would take half a KiB of each.
    queue: SyncSender<Box<Event>>,
    lost: AtomicU64,
}

/// Where the catalog hears of it.
#[derive(Debug)]
pub(crate) struct Told(Receiver<Box<Event>>);

impl Events {
    /// The two ends of the queue.
    pub(crate) fn new() -> (Self, Told) {
        let (queue, told) = sync_channel(WAITING_MAX);
        (Self { queue, lost: AtomicU64::new(0) }, Told(told))
    }

    /// Tells an event. Never waits: when the queue is full the event is counted as lost.
    pub(crate) fn send(&self, event: Event) {
        if self.queue.try_send(Box::new(event)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has the keeper look up. With a full queue it will anyway.
    pub(crate) fn wake(&self) {
        let _ = self.queue.try_send(Box::new(Event::Wake));
    }

    /// Events lost since the last call.
    pub(crate) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

impl Told {
    /// The next event.
    ///
    /// # Errors
    /// When there is none in time, and when nobody is left who could tell one.
    pub(crate) fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        self.0.recv_timeout(timeout).map(|event| *event)
    }

    /// Those that wait.
    pub(crate) fn try_iter(&self) -> impl Iterator<Item = Event> {
        self.0.try_iter().map(|event| *event)
    }
}
