//! The names: who publishes what, and who waits for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use media::Packet;

use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering};
use crate::timeline::Timeline;
use crate::wakers::{Place, Wakers};
use crate::{Class, Cursor, Key, Limits, Start, Stats, Stream};

/// All streams that are published or waited for. Clones share it.
#[derive(Debug, Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    /// What recorders hold back in all runs, in bytes.
    backlogs: Arc<AtomicUsize>,
    streams: Mutex<HashMap<Key, Name>>,
}

/// A name in use; forgotten when nobody publishes it and nobody waits for it.
#[derive(Debug, Default)]
struct Name {
    /// The present run, or the last one while somebody who waited for it has not begun to read it.
    run: Option<Arc<Timeline>>,
    /// Whether that run is being published.
    live: bool,
    /// Runs so far, so that a watcher never gets the same one twice.
    runs: u64,
    watchers: usize,
    wakers: Wakers,
}

impl Name {
    /// The run that is being published.
    fn stream(&self, key: &Key) -> Option<Stream> {
        let timeline = self.run.clone().filter(|_| self.live)?;
        Some(Stream { key: key.clone(), run: self.runs, timeline })
    }

    /// Lets go of a run that is over and that nobody waits to read.
    fn settle(&mut self) {
        if !self.live && self.run.as_ref().is_some_and(|run| run.lock().reserved == 0) {
            self.run = None;
        }
    }
}

/// Why a stream cannot be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Somebody else publishes it; that publisher goes on unharmed.
    #[error("somebody is already publishing this stream")]
    Busy,
    /// [`Limits::streams`] is reached.
    #[error("the server carries {limit} streams, which is its limit")]
    TooManyStreams {
        /// The limit.
        limit: usize,
    },
}

/// Why a stream cannot be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// [`Limits::streams`] is reached, and nobody else waits for or publishes this one.
    #[error("the server carries {limit} streams, which is its limit")]
    TooManyStreams {
        /// The limit.
        limit: usize,
    },
    /// [`Limits::watchers_per_stream`] is reached.
    #[error("the stream has {limit} players, which is its limit")]
    TooManyWatchers {
        /// The limit.
        limit: usize,
    },
}

impl Registry {
    /// An empty registry.
    pub fn new(limits: Limits) -> Self {
        let (backlogs, streams) = Default::default();
        Self { shared: Arc::new(Shared { limits, backlogs, streams }) }
    }

    /// Begins a run of `key` and tells everybody who waits for it.
    ///
    /// # Errors
    /// When the key is taken or the server is full; nothing has changed then.
    pub fn publish(&self, key: &Key) -> Result<Publisher, PublishError> {
        let limit = self.shared.limits.streams;
        let mut wakers = Vec::new();
        let mut streams = self.shared.lock();
        if streams.len() >= limit && !streams.contains_key(key) {
            return Err(PublishError::TooManyStreams { limit });
        }
        let stream = streams.entry(key.clone()).or_default();
        if stream.live {
            return Err(PublishError::Busy);
        }
        let waiting = u32::try_from(stream.watchers).unwrap_or(u32::MAX);
        let Shared { limits, backlogs, .. } = &*self.shared;
        let timeline = Arc::new(Timeline::new(limits.clone(), backlogs.clone(), waiting));
        stream.run = Some(timeline.clone());
        stream.live = true;
        stream.runs += 1;
        let run = stream.runs;
        stream.wakers.take(&mut wakers);
        drop(streams);
        wakers.drain(..).for_each(Waker::wake);
        let stream = Stream { key: key.clone(), run, timeline };
        Ok(Publisher { shared: self.shared.clone(), stream, wakers })
    }

    /// Waits for the runs of `key`, the present one and those to come.
    ///
    /// # Errors
    /// When the server or the stream is full.
    pub fn watch(&self, key: &Key) -> Result<Watcher, WatchError> {
        let limits = &self.shared.limits;
        let mut streams = self.shared.lock();
        let full = streams.len() >= limits.streams;
        let stream = match streams.entry(key.clone()) {
            Entry::Vacant(_) if full => {
                return Err(WatchError::TooManyStreams { limit: limits.streams });
            }
            entry => entry.or_default(),
        };
        if stream.watchers >= limits.watchers_per_stream {
            return Err(WatchError::TooManyWatchers { limit: limits.watchers_per_stream });
        }
        stream.watchers += 1;
        Ok(Watcher {
            shared: self.shared.clone(),
            key: key.clone(),
            since_runs: stream.runs,
            joins: stream.live,
            place: Place::default(),
        })
    }

    /// What is published now, in no order.
    pub fn live(&self) -> Vec<Stream> {
        let streams = self.shared.lock();
        streams.iter().filter_map(|(key, name)| name.stream(key)).collect()
    }

    /// The present run of `key`, if somebody publishes it.
    pub fn stream(&self, key: &Key) -> Option<Stream> {
        self.shared.lock().get(key).and_then(|name| name.stream(key))
    }

    /// Names in use now: published or waited for.
    pub fn stream_count(&self) -> usize {
        self.shared.lock().len()
    }

    /// Bytes that are in memory for recorders alone, because they are behind: of all runs, those included that are
    /// over and not recorded to their end. It is bounded by [`Limits::record_total_bytes`] and
    /// [`Limits::hold_bytes`] a stream.
    pub fn backlog_bytes(&self) -> usize {
        self.shared.backlogs.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Every change under this lock is whole before anything that could panic, so a poisoned map is still right.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Name>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a stream and forgets it when nobody needs its name any more.
    fn release(&self, key: &Key, change: impl FnOnce(&mut Name)) {
        let mut streams = self.lock();
        if let Some(stream) = streams.get_mut(key) {
            change(stream);
            stream.settle();
            if stream.run.is_none() && stream.watchers == 0 {
                streams.remove(key);
            }
        }
    }
}

/// The right to append to one run. Dropping it ends the run.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    stream: Stream,
    /// Empty between calls; kept so that waking allocates nothing.
    wakers: Vec<Waker>,
}

impl Publisher {
    /// The stream's name.
    pub fn key(&self) -> &Key {
        &self.stream.key
    }

    /// A handle of this run for others.
    pub fn stream(&self) -> Stream {
        self.stream.clone()
    }

    /// Appends all packets, in order, and leaves the list empty. One short lock, no waiting.
    pub fn push(&mut self, packets: &mut Vec<Packet>) {
        if !packets.is_empty() {
            self.stream.timeline.push(packets, &mut self.wakers);
        }
    }

    /// Ready while recorders are at most [`Limits::hold_bytes`] behind; `Pending` leaves the task's waker until they
    /// are. For a publisher that sends faster than real time: held back, it loses nothing to a slow disk. A
    /// live one must not be held.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.timeline.poll_room(cx)
    }

    /// A reader of this run.
    pub fn cursor(&self, class: Class, start: Start) -> Cursor {
        self.stream.cursor(class, start)
    }

    /// What this run has carried so far.
    pub fn stats(&self) -> Stats {
        self.stream.stats()
    }

    /// The header after the newest packet.
    pub fn header(&self) -> Arc<media::Header> {
        self.stream.header()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stream.timeline.end();
        self.shared.release(&self.stream.key, |name| name.live = false);
    }
}

/// Somebody who wants to play a stream, whether it exists yet or not.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    key: Key,
    /// Runs of the stream when this watcher came, or took the last one: a later run has a place for it.
    since_runs: u64,
    /// Whether the stream was live when this watcher came, and it has not begun to read that run.
    joins: bool,
    place: Place,
}

impl Watcher {
    /// The stream's name.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A player's cursor on the present run, or `Pending` until the next one begins. Each run is given once. Who
    /// waited gets it from its first key frame on, even when it is over by then.
    pub fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Cursor> {
        let mut streams = self.shared.lock();
        let Some(stream) = streams.get_mut(&self.key) else { return Poll::Pending };
        let waited = stream.runs > self.since_runs;
        if let Some(run) = stream.run.clone()
            && (waited || (self.joins && stream.live))
        {
            (self.since_runs, self.joins) = (stream.runs, false);
            let start = if waited { Start::First } else { Start::Newest };
            let cursor = Cursor::new(run, Class::Play, start);
            stream.settle();
            return Poll::Ready(cursor);
        }
        stream.wakers.register(&mut self.place, cx.waker());
        Poll::Pending
    }

    /// Waits for the next run. Cancel safe.
    pub async fn run(&mut self) -> Cursor {
        std::future::poll_fn(|cx| self.poll_run(cx)).await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.release(&self.key, |stream| {
            stream.watchers = stream.watchers.saturating_sub(1);
            if let Some(run) = &stream.run
                && stream.runs > self.since_runs
            {
                run.release();
            }
        });
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
