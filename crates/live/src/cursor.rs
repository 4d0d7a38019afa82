//! A reader's position on the timeline of one run.

mod lead;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use media::{Header, Packet};

use crate::sync::OnceLock;
use crate::timeline::{Position, State, Timeline};
use crate::wakers;

/// Most packets handed out under one lock.
const BATCH_PACKETS: usize = 64;
/// Most packets handed to a recorder under one lock: it writes rarely and much.
const RECORD_BATCH_PACKETS: usize = 512;

/// What a reader is, which decides how far it may fall behind and where it goes on after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wants the live picture: resumes at the newest key frame.
    Play,
    /// Wants everything: resumes at the oldest key frame that is still there.
    Record,
}

/// Where a new cursor begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the newest group of pictures.
    Newest,
    /// With the first group of pictures: for a player that waited for the run, whose place was kept.
    First,
    /// With the first packet of the run if that is still there, else with the oldest group of pictures.
    Oldest,
    /// In the past, for a recording with pre-roll: with the newest place to start that is at least `ms` older than the
    /// newest packet, else with the oldest there is. How much is there is [`crate::Stream::set_pre_roll`]'s to say.
    Back {
        /// How far back, in ms of the stream's own clock.
        ms: i64,
    },
}

/// What a reader did not get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Messages.
    pub packets: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// The outcome of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// At least one packet was appended to the batch.
    Packets,
    /// The cursor joined the run, or resumed after losing packets: the header holds all that a decoder needs for
    /// the next packet, which is one at which decoding can start.
    Joined {
        /// Metadata and codec configuration as of the next packet.
        header: Arc<Header>,
        /// Time of the next packet, for the header's packets: their own times are arbitrary.
        dts_ms: i64,
        /// What was passed over; nothing at the first join.
        lost: Lost,
    },
    /// The time to wait is over and nothing came.
    Idle,
    /// The run is over, or the reader was stopped, and there is nothing more to read.
    Ended {
        /// What the window had overrun and what this reader found no place to resume after.
        lost: Lost,
    },
}

/// How long a thread waits in [`Cursor::read_blocking`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Returns as soon as this many body bytes are there.
    pub bytes: u64,
    /// Returns with whatever is there, or with [`Read::Idle`], after this time.
    pub timeout: Duration,
}

/// A reader's position on the timeline of one run. Dropping it gives back what was kept for it.
#[derive(Debug)]
pub struct Cursor {
    timeline: Arc<Timeline>,
    class: Class,
    place: Place,
    /// What was read or passed over so far; `None` until the first join.
    seen: Option<Position>,
    /// Where `seen` was at first.
    began: Position,
    waker: wakers::Place,
    /// The waker that was left, and how often the timeline had changed.
    waiting: Option<(u64, Waker)>,
    /// A recorder's place among those that a publisher may wait for.
    recorder: Option<usize>,
    /// Key frames of the run when everything was read the last time.
    seen_keys: Option<u64>,
    /// Whether it reads for others and is no player itself.
    is_lead: bool,
    control: Arc<Control>,
}

/// What a cursor shares with its handles.
#[derive(Debug, Default)]
struct Control {
    /// The end of the run at the time of the stop. Set under the timeline's lock, so that no reader goes to sleep
    /// between looking at it and waiting.
    stop: OnceLock<Position>,
    /// Body bytes of the run that were read or passed over.
    seen_bytes: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// Waiting for a block at which decoding can start.
    Out,
    /// About to begin with this block, and counted in it.
    Begin(u64),
    /// Likewise, a player that waited for the run: counted in the first block while that is there.
    Reserved,
    /// Likewise, a recorder that was overrun: counted in the block it will resume at.
    Displaced,
    /// Another cursor reads for this one, which is counted in no block.
    Following,
    At {
        block: u64,
        index: usize,
    },
}

/// Stops a reader from another thread: it still reads all that came before the stop.
#[derive(Debug, Clone)]
pub struct StopHandle {
    timeline: Arc<Timeline>,
    control: Arc<Control>,
}

impl StopHandle {
    /// The reader gets what has arrived until now, then [`Read::Ended`]. A second call changes nothing.
    pub fn stop(&self) {
        let state = self.timeline.lock();
        let _ = self.control.stop.set(state.end);
        drop(state);
        self.timeline.arrived.notify_all();
    }

    /// Whether the run is over: nothing more arrives, though the reader may not have read all of it.
    pub fn is_over(&self) -> bool {
        self.timeline.lock().ended
    }

    /// Whether the reader was stopped.
    pub fn is_stopped(&self) -> bool {
        self.control.stop.get().is_some()
    }

    /// Body bytes that wait for the reader, or would if the window held them all.
    pub fn waiting_bytes(&self) -> u64 {
        let end = self.timeline.lock().end;
        let end = self.control.stop.get().map_or(end, |stop| *stop);
        end.bytes.saturating_sub(self.control.seen_bytes.load(Ordering::Relaxed))
    }
}

impl Cursor {
    pub(crate) fn new(timeline: Arc<Timeline>, class: Class, start: Start) -> Self {
        let mut state = timeline.lock();
        let mut place = Place::Out;
        let mut seen = None;
        if start == Start::Oldest && state.block(0).is_some() {
            place = Place::At { block: 0, index: 0 };
            seen = Some(Position::default());
            state.count_reader(0, class, true);
        }
        if let Start::Back { ms } = start
            && let Some(block) = state.start_back(ms)
        {
            place = Place::Begin(block);
            state.count_reader(block, class, true);
        }
        if start == Start::First {
            place = Place::Reserved;
            state.reserved = state.reserved.saturating_sub(1);
        }
        if class == Class::Play {
            state.stats.players += 1;
            state.stats.players_peak = state.stats.players_peak.max(state.stats.players);
        }
        let recorder = (class == Class::Record).then(|| state.add_recorder());
        if let Some(recorder) = recorder {
            let from_bytes = state.end.bytes;
            state.note_recorder(recorder, Some(from_bytes));
        }
        let begin_bytes = match place {
            Place::Begin(block) => state.block(block).map(|b| b.begin.bytes),
            Place::At { .. } => Some(0),
            Place::Out | Place::Reserved | Place::Displaced | Place::Following => None,
        };
        let control = Arc::new(Control::default());
        let seen_bytes = begin_bytes.unwrap_or(state.end.bytes);
        control.seen_bytes.store(seen_bytes, Ordering::Relaxed);
        drop(state);
        let (began, waker, waiting, seen_keys, is_lead) = Default::default();
        Self {
            timeline,
            class,
            place,
            seen,
            began,
            waker,
            waiting,
            recorder,
            seen_keys,
            is_lead,
            control,
        }
    }

    /// A handle that ends this reader's part of the run.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle { timeline: self.timeline.clone(), control: self.control.clone() }
    }

    /// What this cursor has accounted for since it began: the packets it handed out and those it said are lost,
    /// added up. What came before it joined is not in it, nor a loss that its next read will tell.
    ///
    /// A cursor that began with [`Start::Oldest`] before the run's first block was given back counts from the run's
    /// first packet; after [`Read::Ended`] it has counted the whole run, or all until it was stopped.
    pub fn position(&self) -> Position {
        self.seen.unwrap_or(self.began).since(self.began)
    }

    /// How much older a packet of `dts_ms` is than the newest of the run, in ms of the stream's own clock; never
    /// negative.
    pub fn lag_ms(&self, dts_ms: i64) -> u64 {
        let newest_ms = self.timeline.lock().newest_dts_ms;
        u64::try_from(newest_ms.saturating_sub(dts_ms)).unwrap_or(0)
    }

    /// Whether the last [`Cursor::read_blocking`] left nothing behind.
    pub fn is_current(&self) -> bool {
        self.seen_keys.is_some()
    }

    /// Until its next read no publisher is held back for this recorder: it is behind and cannot help it, for the
    /// disk is in trouble. What comes meanwhile is kept as ever, within the bounds.
    pub fn pause(&mut self) {
        let mut state = self.timeline.lock();
        if let Some(recorder) = self.recorder {
            state.note_recorder(recorder, Some(State::PAUSED));
        }
        self.timeline.trim(state);
    }

    /// Waits in this thread, reading nothing, until the run is over, the reader was stopped, or `timeout` has
    /// passed. Returns whether one of the first two is so; there may still be packets to read then.
    pub fn wait_ended(&self, timeout: Duration) -> bool {
        let goes_on = |state: &State| !state.ended && self.control.stop.get().is_none();
        let state = self.timeline.lock();
        let (state, _) = self
            .timeline
            .arrived
            .wait_timeout_while(state, timeout, |state| goes_on(state))
            .unwrap_or_else(PoisonError::into_inner);
        !goes_on(&state)
    }

    /// Reads up to 64 packets into `batch`, without waiting; `Pending` leaves the task's waker for the next append.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, batch: &mut Vec<Packet>) -> Poll<Read> {
        if self.waits(cx.waker()) {
            return Poll::Pending;
        }
        let timeline = self.timeline.clone();
        let mut state = timeline.lock();
        let before = self.block();
        let read = self.step(&mut state, batch, BATCH_PACKETS);
        let is_all = self.seen.is_some_and(|seen| seen.packets >= state.end.packets);
        if read.is_none() || (is_all && !state.ended) {
            self.wait(&mut state, cx.waker());
        }
        if self.block() != before {
            timeline.trim(state);
        }
        read.map_or(Poll::Pending, Poll::Ready)
    }

    /// Leaves the task's waker for the next append. A reader that has got everything leaves it at once, under the
    /// lock that it has.
    fn wait(&mut self, state: &mut State, waker: &Waker) {
        state.wakers.register(&mut self.waker, waker);
        let waiting = match self.waiting.take() {
            Some((_, known)) if known.will_wake(waker) => known,
            _ => waker.clone(),
        };
        self.waiting = Some((self.timeline.changes(), waiting));
    }

    /// Whether the waker that was left stands, so that there is nothing to read: found out without the lock, which
    /// all readers share.
    fn waits(&self, waker: &Waker) -> bool {
        let waits = |(changes, known): &(u64, Waker)| {
            *changes == self.timeline.changes() && known.will_wake(waker)
        };
        self.control.stop.get().is_none() && self.waiting.as_ref().is_some_and(waits)
    }

    /// Waits for packets and reads them into `batch`. Cancel safe: what is not returned is not consumed.
    pub async fn read(&mut self, batch: &mut Vec<Packet>) -> Read {
        std::future::poll_fn(|cx| self.poll_read(cx, batch)).await
    }

    /// Waits in this thread until `wait.bytes` are there, a key frame came, the time is over or the run ended, and
    /// reads what is there into `batch`.
    pub fn read_blocking(&mut self, batch: &mut Vec<Packet>, wait: &Wait) -> Read {
        let timeline = self.timeline.clone();
        let mut state = timeline.lock();
        let from_bytes = self.seen.unwrap_or_default().bytes;
        let wanted_bytes = from_bytes.saturating_add(wait.bytes);
        let stopped = |state: &State| state.ended || self.control.stop.get().is_some();
        // What was left over by a full batch, or a key frame since then, is not waited for.
        let waits = |s: &State| {
            let news = self.seen_keys != Some(s.stats.key_frames) || s.hurry || stopped(s);
            s.end.bytes < wanted_bytes && !news
        };
        if waits(&state) {
            let asleep = state.sleepers > 0;
            let first = if asleep { state.wake_at_bytes } else { wanted_bytes };
            state.wake_at_bytes = first.min(wanted_bytes);
            state.sleepers += 1;
            (state, _) = timeline
                .arrived
                .wait_timeout_while(state, wait.timeout, |s| waits(s))
                .unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
        let read = self.step(&mut state, batch, RECORD_BATCH_PACKETS).unwrap_or(Read::Idle);
        let all = self.seen.is_none_or(|seen| seen.packets >= state.end.packets);
        self.seen_keys = all.then_some(state.stats.key_frames);
        state.hurry = false;
        timeline.trim(state);
        read
    }

    fn block(&self) -> Option<u64> {
        match self.place {
            Place::At { block, .. } => Some(block),
            _ => None,
        }
    }

    /// The block that this reader is counted in and that may go away under it.
    fn held_block(&self) -> Option<u64> {
        if let Place::Begin(block) = self.place { Some(block) } else { self.block() }
    }

    fn is_reserved(&self) -> bool {
        matches!(self.place, Place::Reserved)
    }

    /// Notices that the window has overrun this cursor.
    fn settle(&mut self, state: &mut State) {
        if self.held_block().is_none_or(|block| block >= state.first_block()) {
            return;
        }
        self.place = match self.class {
            Class::Play => Place::Out,
            Class::Record => Place::Displaced,
        };
        // A block may go away under a reader that has read all of it and waits for the next one: it goes on there
        // as if nothing had happened.
        let first = state.first_block();
        let begin = state.block(first).map(|b| b.begin);
        if begin.is_some() && begin == self.seen {
            if self.class == Class::Record {
                let count = state.displaced();
                *count = count.saturating_sub(1);
            }
            state.count_reader(first, self.class, true);
            self.place = Place::At { block: first, index: 0 };
        }
    }

    /// Reads, and notes how far a recorder has come.
    fn step(&mut self, state: &mut State, batch: &mut Vec<Packet>, most: usize) -> Option<Read> {
        let read = self.advance(state, batch, most);
        if let Some(seen) = self.seen {
            self.control.seen_bytes.store(seen.bytes, Ordering::Relaxed);
            if let Some(recorder) = self.recorder {
                state.note_recorder(recorder, Some(seen.bytes));
            }
        }
        read
    }

    /// One read under the lock; `None` when there is nothing to tell.
    fn advance(&mut self, state: &mut State, batch: &mut Vec<Packet>, most: usize) -> Option<Read> {
        let stop = self.control.stop.get().copied();
        let stop_at = stop.map_or(u64::MAX, |stop| stop.packets);
        if matches!(self.place, Place::Following) {
            return None;
        }
        self.settle(state);
        if self.block().is_none() {
            let joined = self.join(state, stop_at);
            let done = joined.is_none() && (stop.is_some() || state.ended);
            return if done { Some(self.give_up(stop.unwrap_or(state.end))) } else { joined };
        }
        if self.take(state, batch, most, stop_at) > 0 {
            return Some(Read::Packets);
        }
        let done = state.ended || self.seen.is_some_and(|seen| seen.packets >= stop_at);
        done.then_some(Read::Ended { lost: Lost::default() })
    }

    /// The end of a reader that was overrun: the rest is lost, which is told once.
    fn give_up(&mut self, end: Position) -> Read {
        Read::Ended { lost: self.pass_to(end) }
    }

    /// Passes over everything until `to`; returns how much that is. The first time it is where the cursor begins.
    fn pass_to(&mut self, to: Position) -> Lost {
        if self.seen.is_none() {
            self.began = to;
        }
        let Position { packets, bytes } = to.since(self.seen.replace(to).unwrap_or(to));
        Lost { packets, bytes }
    }

    /// Goes on where decoding can start, before `stop_at`.
    fn join(&mut self, state: &mut State, stop_at: u64) -> Option<Read> {
        let block = match (self.place, self.class, self.seen) {
            (Place::Begin(block), ..) => block,
            // A run that ended has no newest start, but what it still holds may be read.
            (_, Class::Play, _) if !state.ended && !self.is_reserved() => state.newest_start()?,
            (.., seen) => state.oldest_start(seen.unwrap_or_default())?,
        };
        let found = state.block(block).filter(|b| b.begin.packets < stop_at)?;
        let (header, begin, dts_ms) = (found.header.clone(), found.begin, found.first_dts_ms);
        if self.is_reserved() {
            state.count_reader(0, self.class, false);
        }
        if !matches!(self.place, Place::Displaced | Place::Begin(_)) {
            state.count_reader(block, self.class, true);
        }
        self.place = Place::At { block, index: 0 };
        Some(Read::Joined { header, dts_ms, lost: self.pass_to(begin) })
    }

    /// Copies packets out and moves on; returns how many.
    fn take(
        &mut self,
        state: &mut State,
        batch: &mut Vec<Packet>,
        most: usize,
        stop_at: u64,
    ) -> usize {
        let Place::At { mut block, mut index } = self.place else { return 0 };
        let first = block;
        let mut seen = self.seen.unwrap_or_default();
        let left = usize::try_from(stop_at.saturating_sub(seen.packets)).unwrap_or(usize::MAX);
        let most = most.min(left);
        let mut taken = 0;
        while taken < most {
            let Some(b) = state.block(block) else { break };
            let fresh = b.packets.get(index..).unwrap_or_default();
            let fresh = fresh.get(..most - taken).unwrap_or(fresh);
            batch.extend_from_slice(fresh);
            seen.packets += fresh.len() as u64;
            seen.bytes += fresh.iter().map(|p| p.body.len() as u64).sum::<u64>();
            taken += fresh.len();
            index += fresh.len();
            if index < b.packets.len() || state.block(block + 1).is_none() {
                break;
            }
            block += 1;
            index = 0;
        }
        if block != first {
            state.count_reader(first, self.class, false);
            state.count_reader(block, self.class, true);
        }
        self.place = Place::At { block, index };
        self.seen = Some(seen);
        taken
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        let timeline = self.timeline.clone();
        let mut state = timeline.lock();
        self.settle(&mut state);
        if let Some(recorder) = self.recorder {
            state.note_recorder(recorder, None);
        }
        match self.place {
            Place::Out | Place::Following => {}
            Place::Reserved => state.count_reader(0, self.class, false),
            Place::Displaced => {
                let count = state.displaced();
                *count = count.saturating_sub(1);
            }
            Place::Begin(block) | Place::At { block, .. } => {
                state.count_reader(block, self.class, false);
            }
        }
        if self.class == Class::Play && !self.is_lead {
            state.stats.players = state.stats.players.saturating_sub(1);
        }
        timeline.trim(state);
    }
}
