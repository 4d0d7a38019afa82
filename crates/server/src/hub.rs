//! What happens, told to whoever asks over HTTP: a bounded ring of events that each have an id.
//!
//! Whoever tells never waits: connections and recorder threads leave an event and go on. Whoever
//! reads holds a place in the ring and nothing else, so that a reader that is slow or away costs
//! nothing: when its place has gone it is told so (`Read::Reset`) and looks for itself what is.
//!
//! What an event says stands in `event`; how the archive's notices become events in `notice`.

mod event;
mod notice;

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub(crate) use event::Event;
pub use event::{About, Kind};

/// Events that are kept: at ten a second about seven minutes for a client to come back.
const EVENTS: usize = 4_096;
/// Bytes of them: paths and stream names may have 4 KiB each.
const BYTES: usize = 8 << 20;
/// Events that a reader takes at once.
const BATCH: usize = 64;

/// Names an event, unlike any other of this or another run of a server: `BOOT-NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id {
    boot: u32,
    number: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.boot, self.number)
    }
}

impl FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "expected the id of an event, such as 5f3a9c01-17";
        let (boot, number) = text.split_once('-').ok_or(wrong)?;
        let is_plain = boot.len() == 8 && !boot.starts_with('+') && !number.starts_with('+');
        let boot = u32::from_str_radix(boot, 16).ok().filter(|_| is_plain).ok_or(wrong)?;
        Ok(Self { boot, number: number.parse().map_err(|_| wrong)? })
    }
}

/// An event as it is kept.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: Id,
    pub(crate) kind: Kind,
    /// The stream that it is about, if it is about one.
    pub(crate) stream: Option<String>,
    /// All of it as JSON.
    pub(crate) json: String,
}

/// The ring.
#[derive(Debug)]
pub(crate) struct Hub {
    /// Drawn at the start: ids of another run of the server are unknown to this one.
    boot: u32,
    ring: Mutex<Ring>,
    /// The number of the newest event.
    newest: watch::Sender<u64>,
    /// Events that readers did not get, because they were too slow or away for too long.
    lost: AtomicU64,
    limits: (usize, usize),
}

#[derive(Debug, Default)]
struct Ring {
    /// The newest last; numbers have no hole.
    events: VecDeque<Arc<Told>>,
    bytes: usize,
    /// The number of the newest event, 0 before the first one.
    newest: u64,
}

/// A place in the ring.
#[derive(Debug)]
pub(crate) struct Reader {
    hub: Arc<Hub>,
    /// What was read last; `None` when that has gone.
    at: Option<u64>,
    newest: watch::Receiver<u64>,
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) enum Read {
    /// What happened since the last read.
    Events(Vec<Arc<Told>>),
    /// Events are lost; it goes on behind this one.
    Reset(Id),
}

impl Default for Hub {
    fn default() -> Self {
        Self::new(EVENTS, BYTES)
    }
}

impl Hub {
    fn new(events: usize, bytes: usize) -> Self {
        let mut boot = [0; 4];
        // Without chance it is the process: good enough to tell one run from the next.
        let boot = match getrandom::fill(&mut boot) {
            Ok(()) => u32::from_be_bytes(boot),
            Err(_) => std::process::id(),
        };
        let (newest, _) = watch::channel(0);
        let (ring, lost) = Default::default();
        Self { boot, ring, newest, lost, limits: (events, bytes) }
    }

    /// Tells what happened. Memory work only.
    pub(crate) fn tell(&self, event: Event) {
        let (kind, stream) = (event.kind(), event.stream().map(str::to_owned));
        let text = event.json().to_string();
        let mut ring = self.lock();
        ring.newest += 1;
        let id = Id { boot: self.boot, number: ring.newest };
        let rest = text.strip_prefix('{').unwrap_or_default();
        let json = format!("{{\"id\":\"{id}\",{rest}");
        let told = Told { id, kind, stream, json };
        ring.bytes += told.size_bytes();
        ring.events.push_back(Arc::new(told));
        while ring.events.len() > self.limits.0 || ring.bytes > self.limits.1 {
            let Some(oldest) = ring.events.pop_front() else { break };
            ring.bytes -= oldest.size_bytes();
        }
        // Under the lock, so that the number never goes back.
        self.newest.send_replace(ring.newest);
    }

    /// Reads what comes after `after`, or, without it, what comes from now on.
    pub(crate) fn subscribe(self: &Arc<Self>, after: Option<Id>) -> Reader {
        let newest = self.newest.subscribe();
        let now = self.lock().newest;
        let at = match after {
            None => Some(now),
            Some(id) => Some(id.number).filter(|n| id.boot == self.boot && *n <= now),
        };
        Reader { hub: self.clone(), at, newest }
    }

    /// Reads what comes from now on, after being told that what came before is lost.
    pub(crate) fn subscribe_anew(self: &Arc<Self>) -> Reader {
        Reader { hub: self.clone(), at: None, newest: self.newest.subscribe() }
    }

    /// Events that readers did not get.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Events since the start.
    pub(crate) fn told(&self) -> u64 {
        self.lock().newest
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn size_bytes(&self) -> usize {
        self.json.len() + self.stream.as_ref().map_or(0, String::len) + size_of::<Self>()
    }
}

impl Reader {
    /// Where it stands: to come back to.
    pub(crate) fn id(&self) -> Option<Id> {
        self.at.map(|number| Id { boot: self.hub.boot, number })
    }

    /// Waits for what happens next. Cancel safe.
    pub(crate) async fn next(&mut self) -> Read {
        loop {
            self.newest.mark_unchanged();
            if let Some(read) = self.take() {
                return read;
            }
            if self.newest.changed().await.is_err() {
                // The hub is here, and its sender in it.
                std::future::pending::<()>().await;
            }
        }
    }

    fn take(&mut self) -> Option<Read> {
        let ring = self.hub.lock();
        let first = ring.newest + 1 - ring.events.len() as u64;
        let skip = self.at.and_then(|at| (at + 1).checked_sub(first));
        let Some(skip) = skip.and_then(|skip| usize::try_from(skip).ok()) else {
            let missed = self.at.map_or(0, |at| first.saturating_sub(at + 1));
            self.hub.lost.fetch_add(missed, Ordering::Relaxed);
            self.at = Some(ring.newest);
            return Some(Read::Reset(Id { boot: self.hub.boot, number: ring.newest }));
        };
        let events: Vec<_> = ring.events.iter().skip(skip).take(BATCH).cloned().collect();
        self.at = Some(events.last()?.id.number);
        Some(Read::Events(events))
    }
}

#[cfg(test)]
mod tests;
