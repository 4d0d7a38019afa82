//! How a connection joins a group of players, and what it goes on with when it leaves: see `fanout`.

use std::io;
use std::time::{Duration, Instant};

use super::super::fanout::{Back, Member, Membership, Standing};
use super::super::socket::Socket;
use super::{Connection, End};

/// Who did not take all at once goes on alone for so long: it may be the same with the next frame.
const ALONE: Duration = Duration::from_secs(1);

impl Connection {
    /// Has a group write for this player, if it plays one stream, does nothing else, and has everything there is.
    pub(super) fn join_group(&mut self, now: Instant) {
        if self.alone_until.is_some_and(|until| now < until) {
            return;
        }
        let Some(play) = self.plays.only().filter(|play| play.is_steady()) else { return };
        let does_more = !self.publishes.is_empty()
            || !self.output.is_empty()
            || self.closing.is_some()
            || self.kicked.is_some();
        let Socket::Awake(socket) = &self.socket else { return };
        if does_more {
            return;
        }
        let Some(feed) = self.session.feed(play.stream) else { return };
        let Some((cursor, clock)) = play.lend() else { return };
        let standing = Box::new(Standing { cursor, clock, feed });
        let peer = self.client.session.peer.clone();
        let member = Member { socket: socket.clone(), peer, standing };
        match self.context.fanout.join(play.key(), member) {
            Ok(membership) => self.membership = Some(membership),
            Err(Member { standing, .. }) => play.take_back(standing.cursor, standing.clock),
        }
    }

    /// Goes on alone.
    pub(super) fn leave_group(&mut self) -> Result<(), End> {
        match self.membership.take() {
            Some(membership) => self.take_back(membership.leave()),
            None => Ok(()),
        }
    }

    /// Goes on alone where the group has let go of this player.
    pub(super) fn take_back(&mut self, back: Option<Back>) -> Result<(), End> {
        self.membership = None;
        let lost = || End::Socket(io::Error::other("the group of players that it was in is gone"));
        let Back { standing, read, rest } = back.ok_or_else(lost)?;
        let Standing { cursor, clock, feed } = *standing;
        self.session.take_back(&feed);
        self.alone_until = (!rest.is_empty()).then(|| Instant::now() + ALONE);
        self.output = rest;
        let Some(play) = self.plays.only() else { return Ok(()) };
        play.take_back(cursor, clock);
        let stream = play.stream;
        read.map_or(Ok(()), |read| self.on_read(stream, read))
    }
}

/// What comes back when the group lets go of this player; never, if it is in none. Cancel safe.
pub(super) async fn back(membership: &mut Option<Membership>) -> Option<Back> {
    match membership {
        Some(membership) => std::future::poll_fn(|cx| membership.poll_back(cx)).await,
        None => std::future::pending().await,
    }
}
