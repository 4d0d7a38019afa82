//! One muxer a stream, for all who watch it as HLS or MP4: begun by the first of them, ended some time after the last.
//!
//! Its task reads a cursor of a player, drives the segmenter, and keeps what that makes in a window, where requests find
//! it: one of the first tracks, and one a track where a stream has several of a kind. When a run is over it waits for the next one as long as players are held (`-play-hold`) or a recording is
//! (`-record-rejoin`), then the playlist says that it is the end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use live::{Cursor, Key, Read, Watcher};
use media::Packet;
use media::hls::{Options, Renditions, Segmenter, TrackName, Window};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::hls::{Playlist, Viewers};
use super::rewind::{self, Rewinding};
use super::{Api, join, live_stream};
use crate::http::problem::{Code, Problem};
use crate::telemetry;

/// Streams that are made into segments at once.
const MUXERS: usize = 1_000;
/// Bytes of segments of one stream.
const STREAM_BYTES: u64 = 64 << 20;
/// Bytes of all of them, above which no other stream is begun.
const TOTAL_BYTES: u64 = 1 << 30;
/// Nobody asked for so long: the muxer ends.
const IDLE: Duration = Duration::from_secs(30);
/// The least number that segments of playlists that reach back begin at, by a clock that was never set.
const FIRST_MIN: u64 = 1 << 24;
/// How often it is looked who is gone.
const LOOK: Duration = Duration::from_secs(1);
/// A stream that has gone on for so long has shown what it has.
const SETTLED_MS: i64 = 1_000;

/// All of them.
pub(in crate::http) struct Muxers {
    state: Mutex<HashMap<Key, Vec<Arc<Muxer>>>>,
    /// The next one's. It begins with the time, so that no player takes another server's segments for its own.
    next_id: AtomicU64,
    bytes: AtomicU64,
    parts: AtomicU64,
    /// Most of them, and most bytes of all.
    most: (usize, u64),
}

impl Default for Muxers {
    fn default() -> Self {
        let now_ms = Timestamp::now().as_millisecond().unsigned_abs();
        let (state, bytes, parts) = Default::default();
        let most = (MUXERS, TOTAL_BYTES);
        Self { state, next_id: AtomicU64::new(now_ms), bytes, parts, most }
    }
}

/// How many there are, what they hold and what they have made.
pub(in crate::http) struct Counts {
    pub(in crate::http) muxers: usize,
    pub(in crate::http) bytes: u64,
    pub(in crate::http) parts: u64,
}

impl Muxers {
    pub(in crate::http) fn counts(&self) -> Counts {
        Counts {
            muxers: self.lock().values().map(Vec::len).sum(),
            bytes: self.bytes.load(Ordering::Relaxed),
            parts: self.parts.load(Ordering::Relaxed),
        }
    }

    /// The muxer of a stream; begins one if there is none.
    pub(super) fn of(api: &Arc<Api>, key: &Key) -> Result<Arc<Muxer>, Problem> {
        let muxers = &api.views.muxers;
        let mut state = muxers.lock();
        let of_stream = state.get(key).and_then(|all| all.last());
        if let Some(muxer) = of_stream.filter(|muxer| !muxer.lock().window.is_ended()) {
            muxer.lock().used = Instant::now();
            return Ok(muxer.clone());
        }
        live_stream(api, key)?;
        let count: usize = state.values().map(Vec::len).sum();
        muxers.admit(count)?;
        let watcher = api.context.registry.watch(key);
        let too_many = |error| Problem::new(Code::TooManyPlayers, format!("{error}"));
        let mut watcher = watcher.map_err(too_many)?;
        let cursor = join(&mut watcher)?;
        let id = muxers.next_id.fetch_add(1, Ordering::Relaxed);
        let muxer = Arc::new(Muxer {
            id,
            first: Timestamp::now().as_second().unsigned_abs().max(FIRST_MIN),
            key: key.clone(),
            state: Mutex::new(State {
                window: Window::new(STREAM_BYTES),
                renditions: Renditions::default(),
                viewers: Viewers::default(),
                playlists: HashMap::new(),
                rewinding: Rewinding::default(),
                used: Instant::now(),
                readers: 0,
                noted_bytes: 0,
            }),
            changed: watch::Sender::new(()),
            rewinds: tokio::sync::Mutex::default(),
            lists: tokio::sync::Mutex::default(),
        });
        state.entry(key.clone()).or_default().push(muxer.clone());
        drop(state);
        api.views.tasks.spawn(run(api.clone(), muxer.clone(), watcher, cursor));
        Ok(muxer)
    }

    /// Whether another one may begin beside so many.
    fn admit(&self, count: usize) -> Result<(), Problem> {
        let (most, most_bytes) = self.most;
        if count < most && self.bytes.load(Ordering::Relaxed) < most_bytes {
            return Ok(());
        }
        let detail = format!("{count} streams are made into segments, which is all that may");
        Err(Problem::new(Code::TooManyViews, detail))
    }

    /// One of a stream, by its id.
    pub(super) fn find(&self, key: &Key, id: u64) -> Option<Arc<Muxer>> {
        let state = self.lock();
        let muxer = state.get(key)?.iter().find(|muxer| muxer.id == id)?;
        muxer.lock().used = Instant::now();
        Some(muxer.clone())
    }

    /// Takes a muxer out that nobody needs, unless somebody came just now.
    fn retire(&self, muxer: &Arc<Muxer>, is_stopping: bool) -> bool {
        let mut state = self.lock();
        let inner = muxer.lock();
        if !is_stopping && !inner.is_idle() {
            return false;
        }
        self.bytes.fetch_sub(inner.noted_bytes, Ordering::Relaxed);
        drop(inner);
        if let Some(all) = state.get_mut(&muxer.key) {
            all.retain(|known| known.id != muxer.id);
            if all.is_empty() {
                state.remove(&muxer.key);
            }
        }
        true
    }

    /// Every change under this lock is whole before anything that could panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Vec<Arc<Muxer>>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them.
pub(super) struct Muxer {
    pub(super) id: u64,
    /// The number of its first segment in playlists that reach back: there is room below. Segments are longer than a
    /// second, so the next muxer's is greater than all of this one.
    pub(super) first: u64,
    pub(super) key: Key,
    state: Mutex<State>,
    /// Told of each change.
    changed: watch::Sender<()>,
    /// Held by who looks what the stream can be rewound into.
    pub(super) rewinds: tokio::sync::Mutex<()>,
    /// Held by who has a list that reaches back written out.
    pub(super) lists: tokio::sync::Mutex<()>,
}

/// What it has made, and who watches. The lock is held for memory work only.
pub(super) struct State {
    pub(super) window: Window,
    /// All tracks, where there are several of a kind.
    pub(super) renditions: Renditions,
    pub(super) viewers: Viewers,
    /// The playlists of now that somebody has asked for, by their track; none is that of the first tracks together.
    pub(super) playlists: HashMap<Option<TrackName>, Playlist>,
    /// What it can be rewound into, once somebody has asked for that.
    pub(super) rewinding: Rewinding,
    /// When somebody asked for anything.
    used: Instant,
    /// Who reads it all the time.
    readers: usize,
    noted_bytes: u64,
}

impl State {
    /// The segments of a track, or of the first tracks together.
    pub(super) fn window(&self, track: Option<TrackName>) -> Option<&Window> {
        match track {
            Some(track) => self.renditions.window(track),
            None => Some(&self.window),
        }
    }

    fn is_idle(&self) -> bool {
        self.viewers.is_empty() && self.readers == 0 && self.used.elapsed() >= IDLE
    }
}

impl Muxer {
    /// Every change under this lock is whole before anything that could panic.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For waiting for the next change.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What `look` finds, as soon as it finds something; `None` when it does not in time.
    pub(super) async fn wait_for<T>(
        &self,
        time: Duration,
        mut look: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut changed = self.subscribe();
        let found = async {
            loop {
                if let Some(found) = look(&mut self.lock()) {
                    return Some(found);
                }
                // The muxer is gone with its last change.
                changed.changed().await.ok()?;
            }
        };
        tokio::time::timeout(time, found).await.ok().flatten()
    }
}

/// Somebody who reads a muxer all the time, which does not end before.
pub(super) struct Reader(pub(super) Arc<Muxer>);

impl Reader {
    pub(super) fn new(muxer: Arc<Muxer>) -> Self {
        muxer.lock().readers += 1;
        Self(muxer)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.readers = state.readers.saturating_sub(1);
        state.used = Instant::now();
    }
}

/// The task of a muxer.
struct Task {
    api: Arc<Api>,
    muxer: Arc<Muxer>,
    /// Until it is the end.
    watcher: Option<Watcher>,
    segmenter: Option<Segmenter>,
    cursor: Option<Cursor>,
    batch: Vec<Packet>,
    /// The run is over: until when the next one is waited for.
    held_until: Option<Instant>,
}

async fn run(api: Arc<Api>, muxer: Arc<Muxer>, watcher: Watcher, cursor: Cursor) {
    let mut stopping = api.context.stopping.clone();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (segmenter, batch, held_until) = Default::default();
    let (watcher, cursor) = (Some(watcher), Some(cursor));
    let mut task = Task { api, muxer, watcher, segmenter, cursor, batch, held_until };
    loop {
        let reads = task.cursor.is_some();
        let is_stopping = tokio::select! {
            read = next(&mut task.watcher, &mut task.cursor, &mut task.batch) => {
                task.see(read);
                continue;
            }
            _ = look.tick() => false,
            // Its run ends by itself, and is shown to its end.
            _ = stopping.wait_for(|stop| *stop), if !reads => true,
        };
        task.muxer.lock().viewers.sweep(&task.muxer.key);
        if is_stopping || task.held_until.is_some_and(|until| Instant::now() >= until) {
            task.end();
        }
        if task.api.views.muxers.retire(&task.muxer, is_stopping) {
            break;
        }
    }
    let parts = task.muxer.lock().window.parts();
    task.muxer.lock().viewers.end();
    telemetry::segments_end(&task.muxer.key, parts);
}

/// The next thing that is read, of the next run if need be. Cancel safe.
async fn next(
    watcher: &mut Option<Watcher>,
    cursor: &mut Option<Cursor>,
    batch: &mut Vec<Packet>,
) -> Read {
    std::future::poll_fn(|cx| {
        loop {
            if let Some(cursor) = cursor {
                return cursor.poll_read(cx, batch);
            }
            let Some(watcher) = watcher else { return Poll::Pending };
            match watcher.poll_run(cx) {
                Poll::Ready(run) => *cursor = Some(run),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

impl Task {
    fn see(&mut self, read: Read) {
        match read {
            Read::Joined { header, .. } => {
                self.held_until = None;
                let key = &self.muxer.key;
                let segmenter = self.segmenter.get_or_insert_with(|| {
                    telemetry::segments_begin(key);
                    Segmenter::new(options(&self.api, key))
                });
                segmenter.begin(&header);
            }
            Read::Packets => self.take_batch(),
            Read::Ended { .. } => {
                self.cursor = None;
                let hold = self.hold();
                self.held_until = Some(Instant::now() + hold);
                if let Some(segmenter) = &mut self.segmenter {
                    segmenter.finish();
                }
                self.drain();
                match hold.is_zero() {
                    true => self.end(),
                    false => self.change(|state| {
                        state.window.end_run();
                        state.renditions.end_run();
                    }),
                }
            }
            Read::Idle => {}
        }
    }

    /// How long the next run is waited for: as players are held, and as long as a recording that it goes on in.
    fn hold(&self) -> Duration {
        let context = &self.api.context;
        let recordings = context.archive.list();
        let of_stream = recordings.iter().filter(|recording| recording.key == self.muxer.key);
        let rejoin = of_stream.map(|recording| recording.plan.rejoin).max();
        context.config.play_hold.max(rejoin.unwrap_or_default())
    }

    /// Nothing more comes: the next run is another muxer's.
    fn end(&mut self) {
        (self.held_until, self.watcher) = (None, None);
        self.change(|state| {
            state.window.end();
            state.renditions.end();
        });
    }

    fn take_batch(&mut self) {
        let Self { segmenter: Some(segmenter), cursor: Some(cursor), batch, .. } = self else {
            return;
        };
        let Some(newest) = batch.last() else { return };
        // By the stream's own clock a packet is so much older than the newest, which came just now.
        let lag_ms = i64::try_from(cursor.lag_ms(newest.dts_ms)).unwrap_or(i64::MAX);
        let wall_ms = Timestamp::now().as_millisecond().saturating_sub(lag_ms);
        let origin_ms = wall_ms.saturating_sub(newest.dts_ms);
        for packet in batch.drain(..) {
            segmenter.push(&packet, origin_ms.saturating_add(packet.dts_ms));
        }
        segmenter.flush();
        self.drain();
    }

    /// Puts what was made into the windows.
    fn drain(&mut self) {
        let Some(mut segmenter) = self.segmenter.take() else { return };
        for left in segmenter.take_left_out() {
            telemetry::track_left_out(&self.muxer.key, &left);
        }
        if segmenter.is_ready() {
            self.change(|state| {
                let window = &mut state.window;
                window.set_targets(segmenter.target_s(), segmenter.part_target_ms());
                let before = window.parts();
                while let Some(piece) = segmenter.poll() {
                    window.push(piece);
                }
                let parts = window.parts() - before + state.renditions.take(&mut segmenter);
                state.renditions.bound(window, STREAM_BYTES);
                self.api.views.muxers.parts.fetch_add(parts, Ordering::Relaxed);
            });
        }
        self.segmenter = Some(segmenter);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.muxer.lock();
        change(&mut state);
        state.playlists.clear();
        state.rewinding.change();
        let held = state.window.size_bytes() + state.renditions.size_bytes();
        let bytes = held + state.window.log_bytes() + state.renditions.log_bytes();
        let noted = std::mem::replace(&mut state.noted_bytes, bytes);
        // Wraps where it became less, as `fetch_add` does.
        self.api.views.muxers.bytes.fetch_add(bytes.wrapping_sub(noted), Ordering::Relaxed);
        drop(state);
        self.muxer.changed.send_replace(());
    }
}

/// What is known of a stream beforehand.
fn options(api: &Api, key: &Key) -> Options {
    let stats = api.context.registry.stream(key).map(|stream| stream.stats()).unwrap_or_default();
    let interval_ms = (stats.key_frames > 1).then_some(stats.key_interval_max_ms);
    let spans = [stats.audio.dts_ms, stats.video.dts_ms].into_iter().flatten();
    Options {
        key_interval_ms: interval_ms.and_then(|ms| u64::try_from(ms).ok()),
        is_settled: spans.into_iter().any(|(first, newest)| newest - first >= SETTLED_MS),
        start_ms: rewind::START_MS,
        has_renditions: true,
        ..Options::default()
    }
}

#[cfg(test)]
mod tests;
