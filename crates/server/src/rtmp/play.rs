//! What a connection plays, be it one of RTMP or a viewer's over HTTP.

mod clock;

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use live::{Cursor, Key, Lost, Read, Watcher};
use media::{Header, Kind, Packet};

pub(super) use clock::Clock;

use crate::sessions::Playing;

/// One stream that a connection plays or waits for.
#[derive(Debug)]
pub(crate) struct Play {
    /// The message stream id.
    pub(super) stream: u32,
    watcher: Watcher,
    session: Playing,
    /// On the present run; `None` while the player waits for one.
    cursor: Option<Cursor>,
    /// Whether the player was told that the stream is there, and not that it is over.
    begun: bool,
    /// The run is over, which the player is told at this time, unless the next run has come.
    held_until: Option<Instant>,
    clock: Clock,
    lost: Lost,
    behind: Option<Behind>,
    /// How long it may keep losing pictures.
    timeout: Duration,
}

/// A player that loses pictures. Having everything there is right after a loss says nothing of it, since it goes on
/// with the newest picture; having everything a while after does.
#[derive(Debug, Clone, Copy)]
struct Behind {
    since: Instant,
    last_loss: Instant,
}

impl Play {
    /// The message stream is 0 for those that have none.
    pub(crate) fn new(stream: u32, watcher: Watcher, session: Playing, timeout: Duration) -> Self {
        let (cursor, begun, held_until, clock, lost, behind) = Default::default();
        Self { stream, watcher, session, cursor, begun, held_until, clock, lost, behind, timeout }
    }

    /// Begins with a run that its watcher gave.
    #[must_use]
    pub(crate) fn reading(self, cursor: Cursor) -> Self {
        Self { cursor: Some(cursor), ..self }
    }

    /// The stream that it plays.
    pub(crate) fn key(&self) -> &Key {
        self.watcher.key()
    }

    /// It is over.
    pub(crate) fn close(self, reason: String) {
        self.session.end(reason);
    }

    /// Everything that was passed over.
    pub(crate) fn lost(&self) -> Lost {
        self.lost
    }

    /// Whether it reads a run now.
    pub(crate) fn reads(&self) -> bool {
        self.cursor.is_some()
    }

    /// Whether it has everything and goes on as it does.
    pub(super) fn is_steady(&self) -> bool {
        self.behind.is_none() && self.cursor.as_ref().is_some_and(Cursor::is_at_end)
    }

    /// What somebody else needs to read for it; until [`Play::take_back`] it must not be polled.
    pub(super) fn lend(&mut self) -> Option<(Cursor, Clock)> {
        Some((self.cursor.take()?, self.clock.clone()))
    }

    /// Reads by itself again.
    pub(super) fn take_back(&mut self, cursor: Cursor, clock: Clock) {
        (self.cursor, self.clock) = (Some(cursor), clock);
    }

    /// The run is over; the next one is waited for. If it comes before `held_until`, it goes on for this one.
    /// Returns whether the player is to be told the end now.
    pub(crate) fn end_run(&mut self, lost: Lost, held_until: Option<Instant>) -> bool {
        self.count(lost);
        self.cursor = None;
        self.behind = None;
        self.held_until = held_until;
        if held_until.is_none() {
            self.end();
        }
        held_until.is_none()
    }

    /// What it played is over: what comes next begins anew, with times of its own.
    fn end(&mut self) {
        self.held_until = None;
        self.begun = false;
        self.clock = Clock::default();
    }

    /// A run begins with a packet of this time. Returns whether the player is to be told.
    pub(super) fn begin_run(&mut self, dts_ms: i64, now: Instant) -> bool {
        if self.held_until.take().is_some() {
            self.clock.resume(dts_ms, now);
        }
        !std::mem::replace(&mut self.begun, true)
    }

    /// The header before a packet of this time, as the player is to get it. Metadata that comes first of all
    /// is at 0: FFmpeg takes any at another time for subtitles (`flv_read_packet` in `libavformat/flvdec.c`).
    pub(super) fn header<'a>(
        &self,
        header: &'a Header,
        dts_ms: i64,
        is_first: bool,
    ) -> impl Iterator<Item = Packet> + use<'a> {
        let dts_ms = self.clock.at(dts_ms);
        header.packets().iter().map(move |packet| {
            let is_at_0 = is_first && packet.kind == Kind::Data;
            Packet { dts_ms: if is_at_0 { 0 } else { dts_ms }, ..packet.clone() }
        })
    }

    /// Gives packets the times that the player is to get.
    pub(super) fn retime(&mut self, packets: &mut [Packet], now: Instant) {
        packets.iter_mut().for_each(|packet| self.clock.map(packet, now));
    }

    /// Counts a loss. Returns whether the player has kept losing pictures for its time.
    pub(crate) fn falls_behind(&mut self, now: Instant, lost: Lost) -> bool {
        self.count(lost);
        let since = self.behind.map_or(now, |behind| behind.since);
        self.behind = Some(Behind { since, last_loss: now });
        now.duration_since(since) >= self.timeout
    }

    fn count(&mut self, lost: Lost) {
        self.lost.packets += lost.packets;
        self.lost.bytes += lost.bytes;
        self.session.set_lost(self.lost);
    }

    /// The next thing that it reads; packets are in `batch`. Cancel safe.
    pub(crate) async fn next(&mut self, batch: &mut Vec<Packet>) -> Read {
        std::future::poll_fn(|cx| self.poll(cx, batch)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, batch: &mut Vec<Packet>) -> Poll<Read> {
        loop {
            let Some(cursor) = &mut self.cursor else {
                let Poll::Ready(cursor) = self.watcher.poll_run(cx) else { return Poll::Pending };
                self.cursor = Some(cursor);
                continue;
            };
            let read = cursor.poll_read(cx, batch);
            if read.is_pending()
                && self.behind.is_some_and(|behind| behind.last_loss.elapsed() >= self.timeout)
            {
                self.behind = None;
            }
            return read;
        }
    }
}

/// All that a connection plays, each in its turn.
#[derive(Debug, Default)]
pub(super) struct Plays {
    list: Vec<Play>,
}

impl Plays {
    pub(super) fn push(&mut self, play: Play) {
        self.list.push(play);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The one play of a connection that has no other.
    pub(super) fn only(&mut self) -> Option<&mut Play> {
        match self.list.as_mut_slice() {
            [play] => Some(play),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, stream: u32) -> Option<&mut Play> {
        self.list.iter_mut().find(|play| play.stream == stream)
    }

    /// The streams that wait for a run.
    pub(super) fn waiting(&self) -> Vec<u32> {
        self.list.iter().filter(|play| !play.reads()).map(|play| play.stream).collect()
    }

    /// When the first of those that are held is to be told the end.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.list.iter().filter(|play| !play.reads()).filter_map(|play| play.held_until).min()
    }

    /// Ends those whose next run has not come in time; returns their streams, which are to be told.
    pub(super) fn end_overdue(&mut self, now: Instant) -> Vec<u32> {
        let is_due =
            |play: &Play| !play.reads() && play.held_until.is_some_and(|until| now >= until);
        let overdue = self.list.iter_mut().filter(|play| is_due(play)).map(|play| {
            play.end();
            play.stream
        });
        overdue.collect()
    }

    /// Takes out those that `which` chooses.
    pub(super) fn extract(&mut self, which: impl Fn(&Play) -> bool) -> Vec<Play> {
        self.list.extract_if(.., |play| which(play)).collect()
    }

    /// The next thing that one of them read, and its stream; packets are in `batch`. Who was served is asked last
    /// the next time. Never completes while there is nothing to play. Cancel safe.
    pub(super) async fn next(&mut self, batch: &mut Vec<Packet>) -> (u32, Read) {
        std::future::poll_fn(|cx| {
            for i in 0..self.list.len() {
                let Some(play) = self.list.get_mut(i) else { break };
                if let Poll::Ready(read) = play.poll(cx, batch) {
                    let stream = play.stream;
                    self.list.rotate_left(i + 1);
                    return Poll::Ready((stream, read));
                }
            }
            Poll::Pending
        })
        .await
    }
}
