//! The bounded window of a run's newest packets.
//!
//! Packets stand in blocks. A block is what can be given back to memory: it ends at the next point where decoding
//! can start, or when it is large. Each block counts the cursors that stand in it, so that the window shrinks as
//! soon as the slowest of them moves on, in constant time. Cursors live in `cursor`, names in `registry`.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use media::{Header, Kind, Packet, Role};

use crate::sync::{AtomicU64, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering};
use crate::wakers::Wakers;
use crate::{Class, Limits, Stats};

/// Packets after which a block is closed: a lagging reader never holds much more than it needs.
const BLOCK_PACKETS: usize = 256;
/// Bytes after which a block is closed.
const BLOCK_BYTES: usize = 256 << 10;
/// Without video any packet is a place to join; a new block each this many ms keeps joiners near the live edge.
const AUDIO_BLOCK_MS: i64 = 1_000;

/// The window of one run, shared by its publisher and its readers.
#[derive(Debug)]
pub(crate) struct Timeline {
    limits: Limits,
    /// What recorders hold back in all timelines of a registry, in bytes.
    backlogs: Arc<AtomicUsize>,
    /// See [`Timeline::changes`]. Changed under the lock, read without it.
    changes: AtomicU64,
    state: Mutex<State>,
    /// For readers in threads; async readers leave a waker in the state.
    pub(crate) arrived: Condvar,
}

#[derive(Debug)]
pub(crate) struct State {
    /// Never empty: the newest block stays, whatever it holds.
    blocks: VecDeque<Block>,
    /// Number of the first block of the window; blocks are numbered from 0 in a run.
    first_block: u64,
    /// What the window holds, overheads included.
    bytes: usize,
    /// Blocks at the front, and their bytes, that nobody but recorders needs: none of the newest group of pictures,
    /// none that a player within its bounds has to read.
    backlog_blocks: usize,
    backlog_bytes: usize,
    /// How much of the sum of all backlogs is this one's.
    backlog_noted: usize,
    /// The header after the newest packet.
    header: Arc<Header>,
    /// The newest block at which decoding can start, if it is still whole.
    newest_start: Option<u64>,
    /// Recorders whose block went away before they read it, while there was no block for them to resume at. They
    /// hold on to the oldest block at which decoding can start, so that an overrun costs them as little as can be.
    displaced: u32,
    /// The video track whose key frames are the places to start.
    video_track: Option<u8>,
    pub(crate) newest_dts_ms: i64,
    /// Packets and body bytes appended since the run began.
    pub(crate) end: Position,
    pub(crate) ended: bool,
    pub(crate) stats: Stats,
    pub(crate) wakers: Wakers,
    /// The publisher, while it waits for recorders.
    room_waker: Option<Waker>,
    /// The publisher waits, so recorders are to take what there is.
    pub(crate) hurry: bool,
    /// Players that waited for this run and have not begun to read it.
    pub(crate) reserved: u32,
    /// How far back a recording that begins now may want to begin; 0 for not at all.
    pre_roll_ms: i64,
    /// Body bytes that each recorder has read, in a place of its own; [`State::PAUSED`] while it is not waited for.
    recorders: Vec<Option<u64>>,
    /// Threads waiting on `arrived`, and the body bytes at which the first of them wants to be woken.
    pub(crate) sleepers: usize,
    pub(crate) wake_at_bytes: u64,
}

/// How far something is into a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Messages.
    pub packets: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl Position {
    /// What lies between `from` and here; nothing if `from` is ahead.
    #[must_use]
    pub(crate) fn since(self, from: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(from.packets),
            bytes: self.bytes.saturating_sub(from.bytes),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Whether decoding can start at the first packet.
    pub(crate) start: bool,
    /// The header just before the first packet.
    pub(crate) header: Arc<Header>,
    pub(crate) packets: Vec<Packet>,
    /// Where in the run the first packet stands.
    pub(crate) begin: Position,
    bytes: usize,
    pub(crate) first_dts_ms: i64,
    /// Time of the next place to start, once there is one.
    next_start_ms: Option<i64>,
    players: u32,
    recorders: u32,
}

impl Timeline {
    /// An empty window. `waiting` players were there before the run and get it from its first key frame on, however
    /// late they come to read it: the beginning is kept for them, within the bounds of players.
    pub(crate) fn new(limits: Limits, backlogs: Arc<AtomicUsize>, waiting: u32) -> Self {
        let mut state = State::new();
        state.reserved = waiting;
        if let Some(first) = state.blocks.front_mut() {
            first.players = waiting;
        }
        let (changes, arrived) = (AtomicU64::new(0), Condvar::new());
        Self { limits, backlogs, changes, state: Mutex::new(state), arrived }
    }

    /// Gives back the place of a player that waited and left.
    pub(crate) fn release(&self) {
        let mut state = self.lock();
        state.reserved = state.reserved.saturating_sub(1);
        state.count_reader(0, Class::Play, false);
        self.trim(state);
    }

    /// The state. A panic elsewhere leaves it whole: every change under the lock is complete before any call that
    /// could unwind.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends packets in order, wakes who waits for them. One short lock for all of them.
    pub(crate) fn push(&self, packets: &mut Vec<Packet>, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let mut key = false;
        for packet in packets.drain(..) {
            key |= packet.role == Role::Key;
            state.append(packet);
        }
        self.changes.fetch_add(1, Ordering::Release);
        let garbage = self.shrink(&mut state);
        state.wakers.take(wakers);
        let wake_threads = state.sleepers > 0 && (key || state.end.bytes >= state.wake_at_bytes);
        drop(state);
        if wake_threads {
            self.arrived.notify_all();
        }
        wakers.drain(..).for_each(Waker::wake);
        drop(garbage);
    }

    /// Ends the run: readers get what is left, then are told.
    pub(crate) fn end(&self) {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        state.ended = true;
        state.newest_start = None;
        state.pre_roll_ms = 0;
        self.changes.fetch_add(1, Ordering::Release);
        let garbage = self.shrink(&mut state);
        state.wakers.take(&mut wakers);
        drop(state);
        self.arrived.notify_all();
        wakers.drain(..).for_each(Waker::wake);
        drop(garbage);
    }

    /// How often something was appended, and whether the run ended, counted together.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(crate) fn header(&self) -> Arc<Header> {
        self.lock().header.clone()
    }

    /// Keeps what a recording needs that begins so long ago, and gives back at once what is more than that.
    pub(crate) fn set_pre_roll(&self, ms: i64) {
        let mut state = self.lock();
        let ms = if state.ended { 0 } else { ms.max(0) };
        if ms > state.pre_roll_ms {
            // What recorders alone needed until now may be needed for more than that.
            (state.backlog_blocks, state.backlog_bytes) = (0, 0);
        }
        state.pre_roll_ms = ms;
        self.trim(state);
    }

    /// Gives back what nobody needs any more; the blocks are freed after the lock.
    pub(crate) fn trim(&self, mut state: MutexGuard<'_, State>) {
        let garbage = self.shrink(&mut state);
        let room = state.has_room(&self.limits);
        let waker = if room { state.room_waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        drop(garbage);
    }

    /// Takes out what nobody needs any more and what is beyond the bounds: this timeline's, then those of all.
    fn shrink(&self, state: &mut State) -> Vec<Block> {
        let mut garbage = Vec::new();
        state.find_backlog(&self.limits);
        state.trim(&self.limits, 0, &mut garbage);
        self.note_backlog(state);
        if state.backlog_bytes > self.limits.hold_bytes {
            let all = self.backlogs.load(Ordering::Relaxed);
            let excess = all.saturating_sub(self.limits.record_total_bytes);
            state.trim(&self.limits, excess, &mut garbage);
            self.note_backlog(state);
        }
        garbage
    }

    /// Brings this timeline's part of the sum of all backlogs up to date.
    fn note_backlog(&self, state: &mut State) {
        let noted = std::mem::replace(&mut state.backlog_noted, state.backlog_bytes);
        if noted != state.backlog_bytes {
            // Wraps where it became less, as `fetch_add` does.
            let change = state.backlog_bytes.wrapping_sub(noted);
            self.backlogs.fetch_add(change, Ordering::Relaxed);
        }
    }

    /// Ready while recorders are at most [`Limits::hold_bytes`] behind, and half of what they may be.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.has_room(&self.limits) {
            return Poll::Ready(());
        }
        state.room_waker = Some(cx.waker().clone());
        state.hurry = true;
        drop(state);
        self.arrived.notify_all();
        Poll::Pending
    }
}

impl Block {
    fn is_full(&self) -> bool {
        self.packets.len() >= BLOCK_PACKETS || self.bytes >= BLOCK_BYTES
    }
}

impl State {
    /// What a recorder that is not waited for has read.
    pub(crate) const PAUSED: u64 = u64::MAX;

    fn new() -> Self {
        Self {
            blocks: VecDeque::from([Block::default()]),
            first_block: 0,
            bytes: 0,
            backlog_blocks: 0,
            backlog_bytes: 0,
            backlog_noted: 0,
            header: Arc::default(),
            newest_start: None,
            displaced: 0,
            video_track: None,
            newest_dts_ms: 0,
            end: Position::default(),
            ended: false,
            stats: Stats::default(),
            wakers: Wakers::default(),
            room_waker: None,
            hurry: false,
            reserved: 0,
            pre_roll_ms: 0,
            recorders: Vec::new(),
            sleepers: 0,
            wake_at_bytes: 0,
        }
    }

    fn append(&mut self, packet: Packet) {
        // What a frame says of the header is so before that frame already.
        let is_frame = packet.is_media();
        if is_frame {
            self.note_header(&packet);
        }
        let start = self.is_start(&packet);
        let is_first = self.video_track.is_none_or(|track| packet.has_track(track));
        self.stats.count(&packet, packet.kind == Kind::Video && !is_first);
        let full = self.blocks.back().is_none_or(|b| b.packets.is_empty() || b.is_full());
        if start || full {
            self.begin_block(start, packet.dts_ms);
        }
        if is_frame {
            self.newest_dts_ms = packet.dts_ms;
        } else {
            self.note_header(&packet);
        }
        let cost = packet.body.len() + Limits::PACKET_OVERHEAD;
        self.end.packets += 1;
        self.end.bytes += packet.body.len() as u64;
        self.bytes += cost;
        if let Some(block) = self.blocks.back_mut() {
            block.bytes += cost;
            block.packets.push(packet);
        }
    }

    fn note_header(&mut self, packet: &Packet) {
        if self.header.is_changed_by(packet) {
            Arc::make_mut(&mut self.header).push(packet);
        }
    }

    /// Closes the newest block, unless it is still empty, and opens one that begins with the next packet.
    fn begin_block(&mut self, start: bool, first_dts_ms: i64) {
        if self.blocks.back().is_some_and(|b| b.packets.is_empty()) {
            if let Some(block) = self.blocks.back_mut() {
                (block.start, block.first_dts_ms) = (start, first_dts_ms);
            }
        } else {
            self.blocks.push_back(Block {
                start,
                first_dts_ms,
                header: self.header.clone(),
                begin: self.end,
                ..Block::default()
            });
        }
        if start {
            // The blocks of the group of pictures that is over, and nothing before them.
            for block in self.blocks.iter_mut().rev().skip(1) {
                block.next_start_ms = Some(first_dts_ms);
                if block.start {
                    break;
                }
            }
            self.newest_start = Some(self.first_block + self.blocks.len() as u64 - 1);
            let displaced = std::mem::take(&mut self.displaced);
            *self.displaced() += displaced;
        }
    }

    /// Where displaced recorders are counted: in the block they will resume at, if there is one.
    pub(crate) fn displaced(&mut self) -> &mut u32 {
        match self.blocks.iter_mut().find(|b| b.start) {
            Some(block) => &mut block.recorders,
            None => &mut self.displaced,
        }
    }

    /// Whether a reader may begin with this packet: a key frame, or anything coded while there is no video.
    fn is_start(&mut self, packet: &Packet) -> bool {
        if packet.kind == Kind::Video && packet.role != Role::Event {
            let track = media::first_video_track(&mut self.video_track, packet);
            return packet.role == Role::Key && track.is_some_and(|track| packet.has_track(track));
        }
        let old = |b: &Block| packet.dts_ms.saturating_sub(b.first_dts_ms) >= AUDIO_BLOCK_MS;
        self.video_track.is_none()
            && packet.is_media()
            && self.blocks.back().is_none_or(|b| !b.start || b.is_full() || old(b))
    }

    fn has_room(&self, limits: &Limits) -> bool {
        let Some(slowest) = self.recorders.iter().flatten().min() else { return true };
        let behind = self.end.bytes.saturating_sub(*slowest);
        behind <= limits.hold_bytes.min(limits.record_bytes / 2) as u64
    }

    /// Gives a recorder a place for [`State::note_recorder`].
    pub(crate) fn add_recorder(&mut self) -> usize {
        if let Some(free) = self.recorders.iter().position(Option::is_none) {
            return free;
        }
        self.recorders.push(None);
        self.recorders.len() - 1
    }

    /// Notes how far a recorder is; `None` while it reads nothing.
    pub(crate) fn note_recorder(&mut self, place: usize, read_bytes: Option<u64>) {
        if let Some(noted) = self.recorders.get_mut(place) {
            *noted = read_bytes;
        }
    }

    /// Moves on to the first block that would stay if there were no recorders. The newest does.
    fn find_backlog(&mut self, limits: &Limits) {
        while self.backlog_blocks + 1 < self.blocks.len() {
            let Some(block) = self.blocks.get(self.backlog_blocks) else { return };
            let number = self.first_block + self.backlog_blocks as u64;
            let bytes = self.bytes.saturating_sub(self.backlog_bytes);
            let age_ms = self.newest_dts_ms.saturating_sub(block.first_dts_ms);
            let playing =
                block.players > 0 && bytes <= limits.play_bytes && age_ms <= limits.play_ms;
            let joinable = self.newest_start.is_some_and(|start| number >= start)
                && bytes <= limits.join_bytes
                && age_ms <= limits.join_ms;
            if playing || joinable || self.is_pre_roll(block, bytes, limits) {
                return;
            }
            self.backlog_bytes += block.bytes;
            self.backlog_blocks += 1;
        }
    }

    /// Whether a recording that begins in the past would begin with this block, or with one after it and not with the
    /// next place to start. With the blocks before it that place has gone, so one that is no place is of no use.
    fn is_pre_roll(&self, block: &Block, bytes: usize, limits: &Limits) -> bool {
        let next_age_ms = |at_ms: i64| self.newest_dts_ms.saturating_sub(at_ms);
        block.start
            && self.pre_roll_ms > 0
            && bytes <= limits.pre_roll_bytes
            && block.next_start_ms.is_none_or(|at_ms| next_age_ms(at_ms) < self.pre_roll_ms)
    }

    /// Drops blocks of the backlog from the front until a recorder needs the first one and may have it. Of `excess`,
    /// which is what all timelines have too much, it gives what is above the share that each may keep.
    fn trim(&mut self, limits: &Limits, mut excess: usize, garbage: &mut Vec<Block>) {
        while self.backlog_blocks > 0 {
            let Some(front) = self.blocks.front() else { return };
            let shared = excess == 0 || self.backlog_bytes <= limits.hold_bytes;
            if front.recorders > 0 && self.bytes <= limits.record_bytes && shared {
                return;
            }
            if let Some(block) = self.blocks.pop_front() {
                self.bytes = self.bytes.saturating_sub(block.bytes);
                self.backlog_bytes = self.backlog_bytes.saturating_sub(block.bytes);
                excess = excess.saturating_sub(block.bytes);
                *self.displaced() += block.recorders;
                garbage.push(block);
            }
            self.backlog_blocks -= 1;
            self.first_block += 1;
            self.newest_start = self.newest_start.filter(|start| *start >= self.first_block);
        }
    }

    pub(crate) fn block(&self, number: u64) -> Option<&Block> {
        let index = usize::try_from(number.checked_sub(self.first_block)?).ok()?;
        self.blocks.get(index)
    }

    pub(crate) fn first_block(&self) -> u64 {
        self.first_block
    }

    pub(crate) fn newest_start(&self) -> Option<u64> {
        self.newest_start
    }

    /// The oldest block at which decoding can start and that holds nothing before `from`.
    pub(crate) fn oldest_start(&self, from: Position) -> Option<u64> {
        let index = self.blocks.iter().position(|b| b.start && b.begin.packets >= from.packets)?;
        Some(self.first_block + index as u64)
    }

    /// The newest block at which decoding can start and that is at least `ms` older than the newest packet, else the
    /// oldest one.
    pub(crate) fn start_back(&self, ms: i64) -> Option<u64> {
        let is_old = |b: &Block| self.newest_dts_ms.saturating_sub(b.first_dts_ms) >= ms;
        let starts = || self.blocks.iter().enumerate().filter(|(_, b)| b.start);
        let found = starts().rfind(|(_, b)| is_old(b)).or_else(|| starts().next());
        found.map(|(index, _)| self.first_block + index as u64)
    }

    /// What the window holds: its bytes, and the time in ms since its oldest place to start.
    pub(crate) fn window(&self) -> (usize, i64) {
        let oldest = self.blocks.iter().find(|b| b.start);
        let ms = oldest.map_or(0, |b| self.newest_dts_ms.saturating_sub(b.first_dts_ms));
        (self.bytes, ms.max(0))
    }

    /// Counts a reader into a block, or out of it. What a player comes to need is no backlog any more.
    pub(crate) fn count_reader(&mut self, number: u64, class: Class, enters: bool) {
        let Some(index) = number.checked_sub(self.first_block) else { return };
        let Ok(index) = usize::try_from(index) else { return };
        let Some(block) = self.blocks.get_mut(index) else { return };
        let count = match class {
            Class::Play => &mut block.players,
            Class::Record => &mut block.recorders,
        };
        *count = if enters { count.saturating_add(1) } else { count.saturating_sub(1) };
        if enters && class == Class::Play && index < self.backlog_blocks {
            let needed = self.blocks.range(index..self.backlog_blocks);
            let needed_bytes: usize = needed.map(|b| b.bytes).sum();
            self.backlog_bytes = self.backlog_bytes.saturating_sub(needed_bytes);
            self.backlog_blocks = index;
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn window_bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
