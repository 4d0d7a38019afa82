//! What a connection publishes.

use std::fmt::Display;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Zoned;
use live::{Key, PublishError, Publisher};
use media::time::Unwrap;
use media::{Kind, Packet};

use super::Context;
use super::connection::Client;
use super::report::Report;
use crate::director::Published;
use crate::sessions::Publishing;
use crate::telemetry;

/// One stream that a connection publishes. It is registered first, then its recording starts.
#[derive(Debug)]
pub(super) struct Publish {
    /// The message stream id.
    pub(super) stream: u32,
    /// Before the publisher, so that it goes before another one can take the name.
    session: Publishing,
    publisher: Publisher,
    /// Ends what is recorded of it, after the run.
    _published: Published,
    clock: Unwrap,
    /// Packets of the input that is being read; they go to the timeline together.
    batch: Vec<Packet>,
    last_media: Instant,
    pace: Pace,
    report: Report,
}

/// How far the stream's own clock is ahead of the one on the wall.
#[derive(Debug)]
struct Pace {
    began: Instant,
    newest_ms: Option<i64>,
    /// Time that the stream has carried.
    media: Duration,
}

impl Pace {
    /// A stream that is ahead by less than this counts as live: encoders begin with what they have buffered.
    const SLACK: Duration = Duration::from_secs(2);
    /// A longer step of the stream's clock is a jump and counts as no time.
    const STEP_MS: i64 = 1_000;

    fn see(&mut self, packet: &Packet) {
        let newest_ms = self.newest_ms.unwrap_or(packet.dts_ms);
        let step_ms = packet.dts_ms.saturating_sub(newest_ms);
        if packet.is_media() && !(-Self::STEP_MS..0).contains(&step_ms) {
            self.newest_ms = Some(packet.dts_ms);
            if let Ok(step_ms @ 0..) = u64::try_from(step_ms)
                && step_ms <= Self::STEP_MS.unsigned_abs()
            {
                self.media += Duration::from_millis(step_ms);
            }
        }
    }

    /// When the wall clock will have caught up.
    fn live_at(&self) -> Instant {
        self.began + self.media.saturating_sub(Self::SLACK)
    }
}

impl Publish {
    /// Takes the name and, where recordings are asked for, starts one.
    ///
    /// # Errors
    /// When the name is taken or the server is full.
    pub(super) fn start(
        context: &Context,
        key: &Key,
        stream: u32,
        client: &Client,
        now: Instant,
    ) -> Result<Self, PublishError> {
        let publisher = context.registry.publish(key)?;
        telemetry::publish_started(key, client.peer(), &client.name);
        let session = client.session.publish(key, stream);
        let published = context.director.published(publisher.stream(), &Zoned::now());
        Ok(Self {
            stream,
            session,
            publisher,
            _published: published,
            clock: Unwrap::default(),
            batch: Vec::new(),
            last_media: now,
            pace: Pace { began: now, newest_ms: None, media: Duration::ZERO },
            report: Report::new(now),
        })
    }

    /// Takes one message; [`Publish::push`] hands it on.
    pub(super) fn gather(&mut self, kind: Kind, timestamp: u32, body: Bytes) {
        let packet = self.clock.packet(kind, timestamp, body);
        self.report.see(&packet);
        self.pace.see(&packet);
        self.batch.push(packet);
    }

    /// The stream's name.
    pub(super) fn key(&self) -> &Key {
        self.publisher.key()
    }

    /// Hands everything gathered to players and recorders.
    pub(super) fn push(&mut self, now: Instant) {
        if !self.batch.is_empty() {
            self.last_media = now;
            self.session.receive(self.batch.len());
            self.publisher.push(&mut self.batch);
        }
    }

    /// Pending while the publisher is to be held back: it sends faster than real time, and the recording could not
    /// keep what more it sends. A live publisher is never held.
    pub(super) fn poll_room(&self, now: Instant, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if now >= self.pace.live_at() { Poll::Ready(()) } else { self.publisher.poll_room(cx) }
    }

    /// Whether somebody plays it now.
    pub(super) fn is_watched(&self) -> bool {
        self.publisher.stats().players > 0
    }

    /// When a publisher that is held back is live again.
    pub(super) fn live_at(&self) -> Instant {
        self.pace.live_at()
    }

    /// When something is due: the next report, or giving up.
    pub(super) fn due(&self, timeout: Duration) -> Instant {
        self.report.due().min(self.last_media + timeout)
    }

    /// Begins the time without media anew.
    pub(super) fn touch(&mut self, now: Instant) {
        self.last_media = now;
    }

    /// Whether nothing came for `timeout`.
    pub(super) fn is_silent(&self, now: Instant, timeout: Duration) -> bool {
        now.saturating_duration_since(self.last_media) >= timeout
    }

    /// Logs what is due.
    pub(super) fn report(&mut self, now: Instant) {
        if self.report.due() <= now {
            self.report.tick(now, &self.publisher);
            self.session.set_codecs(self.report.codecs());
        }
    }

    /// Gives the name back, which ends the run for players and recorders. Who reads that it has ended may publish.
    pub(super) fn end(mut self, peer: SocketAddr, reason: &dyn Display) {
        self.push(Instant::now());
        self.report.finish(Instant::now(), &self.publisher);
        let key = self.publisher.key().clone();
        self.session.end(reason.to_string());
        drop(self.publisher);
        telemetry::publish_ended(&key, peer, reason);
    }
}

#[cfg(test)]
mod tests;
