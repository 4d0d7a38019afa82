//! One group: where it stands, and its members.

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use live::{Cursor, Read};
use media::{Chunks, Packet};
use rtmp::server::Feed;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::super::play::Clock;
use crate::sessions::Peer;

/// Members of one group: written to in a row, a packet takes some hundred microseconds, so that others get their turn,
/// and a machine with many processors has several groups of a large audience to work at.
pub(super) const MEMBERS: usize = 64;
/// Bytes to all members after which others get their turn; a long key frame is beyond that, and takes a ms for each
/// few MB.
pub(super) const TURN_BYTES: usize = 4 << 20;
/// Parts of one vectored write: a batch of 64 packets has more only when they are long, and then it is finished by the
/// members themselves, as it is when a socket does not take all of it.
const SLICES: usize = 512;

/// A player's side of a membership.
#[derive(Debug)]
pub(in super::super) struct Member {
    pub(in super::super) socket: Arc<TcpStream>,
    pub(in super::super) peer: Arc<Peer>,
    pub(in super::super) standing: Box<Standing>,
}

/// Where a player stands: what it reads next, at what time it gets that, and what that looks like.
#[derive(Debug)]
pub(in super::super) struct Standing {
    pub(in super::super) cursor: Cursor,
    pub(in super::super) clock: Clock,
    pub(in super::super) feed: Feed,
}

/// What a player that leaves goes on with.
#[derive(Debug)]
pub(in super::super) struct Back {
    pub(in super::super) standing: Box<Standing>,
    /// What the group has read last, which is for each member to act upon.
    pub(in super::super) read: Option<Read>,
    /// What the socket has not taken yet, and is to get first.
    pub(in super::super) rest: Chunks,
}

/// Players that stand at the same place.
#[derive(Debug)]
pub(super) struct Group {
    state: Mutex<State>,
    /// Whether there was room when the state was last let go of: who looks for a place need not wait for a full group.
    has_room: AtomicBool,
}

/// A member's number, and where it is given back.
pub(super) type Seated = (u64, oneshot::Receiver<Back>);

/// A player that was not admitted.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) member: Member,
    /// There is room, but it stands elsewhere.
    pub(super) is_elsewhere: bool,
}

#[derive(Debug)]
struct State {
    lead: Cursor,
    clock: Clock,
    feed: Feed,
    seats: Vec<Seat>,
    next_id: u64,
    /// The group's task.
    waker: Option<Waker>,
    /// It has no members, and admits none any more.
    is_over: bool,
    /// Both empty between two turns.
    batch: Vec<Packet>,
    output: Chunks,
}

#[derive(Debug)]
struct Seat {
    id: u64,
    member: Member,
    back: oneshot::Sender<Back>,
}

impl Group {
    /// A group that stands where `member` does; empty yet.
    pub(super) fn around(member: &Member) -> Self {
        let Standing { cursor, clock, feed } = &*member.standing;
        let (lead, clock, feed) = (cursor.lead(), clock.clone(), feed.clone());
        let (seats, next_id, waker, is_over, batch, output) = Default::default();
        let state = State { lead, clock, feed, seats, next_id, waker, is_over, batch, output };
        Self { state: Mutex::new(state), has_room: AtomicBool::new(true) }
    }

    /// Admits a player that stands where the group does.
    ///
    /// # Errors
    /// The player, if it does not, or if the group is full or over; and whether it may stand there the next time.
    pub(super) fn admit(&self, member: Member) -> Result<Seated, Refused> {
        if !self.has_room.load(Ordering::Relaxed) {
            return Err(Refused { member, is_elsewhere: false });
        }
        let mut state = self.lock();
        let mut admitted = state.admit(member);
        // Both were woken by the same packet, and the player was first.
        if admitted.as_ref().is_err_and(|refused| refused.is_elsewhere)
            && let Some(waker) = state.waker.clone()
        {
            if state.turn(&mut Context::from_waker(&waker)).is_ready() {
                waker.wake();
            }
            admitted = admitted.or_else(|refused| state.admit(refused.member));
        }
        self.note_room(&state);
        admitted
    }

    /// Lets a member go; `None` if it has gone.
    pub(super) fn release(&self, id: u64) -> Option<Back> {
        let mut state = self.lock();
        let at = state.seats.iter().position(|seat| seat.id == id)?;
        let seat = state.seats.swap_remove(at);
        self.note_room(&state);
        Some(state.back(seat.member, None, Chunks::new()))
    }

    /// Writes what there is; ready when the group is over.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        state.waker = Some(cx.waker().clone());
        let turn = state.turn(cx);
        self.note_room(&state);
        turn
    }

    /// Lets everybody go with nothing: the group's task is over, or has failed.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        state.seats.clear();
        self.note_room(&state);
    }

    fn note_room(&self, state: &State) {
        self.has_room.store(state.has_room(), Ordering::Relaxed);
    }

    /// Held for system calls that do not wait.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self) -> bool {
        !self.is_over && self.seats.len() < MEMBERS
    }

    fn admit(&mut self, mut member: Member) -> Result<Seated, Refused> {
        let Standing { cursor, feed, .. } = &mut *member.standing;
        let is_elsewhere = self.has_room() && !cursor.follow(&self.lead);
        if is_elsewhere || !self.has_room() {
            return Err(Refused { member, is_elsewhere });
        }
        // Which differs while not every track has had a key frame since one of them joined.
        if !self.feed.is_like(feed) {
            cursor.unfollow(&mut self.lead);
            return Err(Refused { member, is_elsewhere });
        }
        let id = self.next_id;
        self.next_id += 1;
        let (back, returned) = oneshot::channel();
        self.seats.push(Seat { id, member, back });
        Ok((id, returned))
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut written = 0;
        while written < TURN_BYTES {
            self.is_over |= self.seats.is_empty();
            if self.is_over {
                return Poll::Ready(());
            }
            match self.lead.poll_read(cx, &mut self.batch) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Read::Packets) => written += self.send(Instant::now()),
                Poll::Ready(Read::Idle) => {}
                Poll::Ready(read @ (Read::Joined { .. } | Read::Ended { .. })) => {
                    for Seat { member, back, .. } in std::mem::take(&mut self.seats) {
                        // Who is gone needs nothing.
                        let _ = back.send(self.back(member, Some(read.clone()), Chunks::new()));
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes a batch to everybody; how many bytes were to be written. Who does not take all of it at once goes on
    /// alone.
    fn send(&mut self, now: Instant) -> usize {
        self.batch.iter_mut().for_each(|packet| self.clock.map(packet, now));
        for packet in &self.batch {
            self.feed.send(packet, &mut self.output);
        }
        let all = self.output.len() * self.seats.len();
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.output.fill(&mut slices);
        let slices = slices.get(..filled).unwrap_or_default();
        let mut behind = Vec::new();
        for (at, seat) in self.seats.iter().enumerate() {
            let Member { socket, peer, .. } = &seat.member;
            // An error is found again by who goes on alone.
            let written = match slices {
                [] => 0,
                _ => socket.try_write_vectored(slices).unwrap_or(0),
            };
            peer.traffic.write_bytes(written);
            peer.traffic.send(self.batch.len());
            if written < self.output.len() {
                behind.push((at, written));
            }
        }
        for (at, written) in behind.into_iter().rev() {
            let Seat { member, back, .. } = self.seats.swap_remove(at);
            let mut rest = self.output.clone();
            rest.advance(written);
            let _ = back.send(self.back(member, None, rest));
        }
        self.batch.clear();
        self.output.clear();
        all
    }

    /// What a member goes on with.
    fn back(&mut self, member: Member, read: Option<Read>, rest: Chunks) -> Back {
        let mut standing = member.standing;
        standing.cursor.unfollow(&mut self.lead);
        standing.clock = self.clock.clone();
        standing.feed = self.feed.clone();
        Back { standing, read, rest }
    }
}
