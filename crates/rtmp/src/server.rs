//! The server's side of a session: a value that takes bytes and `now` and gives events and bytes.
//!
//! Handshake, `connect`, `createStream`, then any number of `publish` and `play`. The session
//! answers what needs no decision; who may connect, publish and play is asked through [`Event`]s
//! that carry a [`RequestId`] and are answered with [`ServerSession::accept`] or
//! [`ServerSession::reject`]. What a client sends behind such a request waits for the answer, so
//! that the outcome never depends on how the bytes were cut.
//!
//! The shell's loop: one input, then all events ([`ServerSession::poll_event`] until `None`, once
//! more after each answer to a request), then the output, then the next input;
//! [`ServerSession::handle_timeout`] when [`ServerSession::next_timeout`] has passed;
//! [`ServerSession::handle_eof`] when the connection is gone, however it went. While a request
//! waits, the shell may stop reading: what it reads is only kept.
//!
//! - `server::commands`: what each command does.
//! - `server::streams`: the message streams and what they are used for.
//! - `server::output`: media and status to players and publishers.
//!
//! Invariant: for each accepted publish and play there is one end event, no sooner and no later
//! than the session stops passing its media on.
//!
//! Source: RTMP 5.2, 5.4, 7.2.

mod commands;
mod feed;
mod output;
mod streams;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use media::amf0::Value;
use media::{Chunks, Kind};

use crate::capabilities::{Capabilities, caps_ex};
use crate::error::Stage as Waiting;
use crate::handshake::{ENTROPY_BYTES, Handshake};
use crate::message::{Incoming, Link, after};
use crate::{Error, Limits};

pub use feed::Feed;
pub use output::{CloseCode, RejectCode};
use streams::Streams;

/// Input kept while a request waits for its answer, in bytes; one more input may go beyond.
/// Encoders send nothing or little before the answer; a shell that goes on reading needs a bound.
const HELD_BYTES_MAX: usize = 1 << 20;

/// What a server tells its clients, and what it takes from them.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// The bounds of the session.
    pub limits: Limits,
    /// Chunk size of what is sent, in bytes: large, so that most messages are one chunk.
    pub chunk_size: u32,
    /// Bytes after which clients are asked to acknowledge, and by which they are acknowledged until
    /// they ask.
    pub window_ack_size: u32,
    /// Told to clients with the answer to `connect`.
    pub server_version: String,
    /// Told to clients likewise: by default that everything is passed on, in any number of tracks,
    /// and that clients may be asked to reconnect.
    pub capabilities: Capabilities,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let mut capabilities = Capabilities::forwarder();
        capabilities.caps_ex |= caps_ex::RECONNECT;
        Self {
            capabilities,
            limits: Limits::default(),
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            server_version: concat!("rtmp-server/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Names a request that waits for [`ServerSession::accept`] or [`ServerSession::reject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

/// What a client said with `connect`. Everything but `app` may be missing, and is then empty.
///
/// Queries often grant access: neither `query`, `tc_url` nor `object` are for logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Connect {
    /// The application, as sent, without its query; empty when none was sent.
    pub app: String,
    /// What followed `?` in the application.
    pub query: Option<String>,
    /// The URL that the client was given. It may disagree with `app`: it names nothing.
    pub tc_url: String,
    /// What the client calls itself.
    pub flash_ver: String,
    /// 0 for AMF0, 3 for AMF3 containers.
    pub object_encoding: u8,
    /// What the client can do, as far as it says so. One that says nothing is sent everything all
    /// the same: many players take what they do not announce.
    pub capabilities: Capabilities,
    /// All of it.
    pub object: Value,
}

/// The kind of publish (RTMP 7.2.2.6). It changes nothing on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishMode {
    /// `live`, or nothing.
    Live,
    /// `record`.
    Record,
    /// `append`.
    Append,
}

/// What the shell must know. Streams are message stream ids of this session.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Somebody wants to connect. The first event of every session that gets so far.
    Connect {
        /// To be answered.
        request: RequestId,
        /// What was said.
        info: Box<Connect>,
    },
    /// Somebody wants to publish.
    Publish {
        /// To be answered.
        request: RequestId,
        /// The stream.
        stream: u32,
        /// The application, as in [`Connect::app`].
        app: String,
        /// The name, as sent, without its query; may be empty.
        name: String,
        /// What followed `?` in the name.
        query: Option<String>,
        /// The kind.
        mode: PublishMode,
    },
    /// Somebody wants to play.
    Play {
        /// To be answered.
        request: RequestId,
        /// The stream.
        stream: u32,
        /// The application, as in [`Connect::app`].
        app: String,
        /// The name, as sent, without its query; may be empty.
        name: String,
        /// What followed `?` in the name.
        query: Option<String>,
        /// Where to start, in ms as clients send it (RTMP 7.2.2.1 says seconds); negative for live.
        start_ms: f64,
        /// How much to play, in ms; negative for all.
        duration_ms: f64,
    },
    /// A message of a stream whose publish was accepted.
    Media {
        /// The stream.
        stream: u32,
        /// The chunk stream that carried it.
        chunk_stream_id: u32,
        /// Audio, video or data.
        kind: Kind,
        /// ms, modulo 2^32.
        timestamp: u32,
        /// As sent; data as [`crate::message::data`] leaves it.
        body: Bytes,
    },
    /// An accepted publish is over.
    PublishEnded {
        /// The stream.
        stream: u32,
    },
    /// An accepted play is over.
    PlayEnded {
        /// The stream.
        stream: u32,
    },
    /// A player paused or went on. The session holds media back by itself and goes on at a key
    /// frame.
    Pause {
        /// The stream.
        stream: u32,
        /// Whether it is paused now.
        paused: bool,
    },
    /// A player asked for another place. It was told yes; live, it goes on at a key frame.
    Seek {
        /// The stream.
        stream: u32,
        /// The place, in ms.
        position_ms: f64,
    },
}

/// One connection, seen from the server.
#[derive(Debug)]
pub struct ServerSession {
    config: ServerConfig,
    now: Instant,
    last_input: Instant,
    stage: Stage,
    /// When this stage has taken too long; none while the shell decides and while a stream is in
    /// use.
    deadline: Option<(Instant, Waiting)>,
    link: Link,
    /// Input that waits for the answer to a request.
    held: Bytes,
    events: VecDeque<Event>,
    pending: Option<(RequestId, Pending)>,
    requests: u64,
    streams: Streams,
    app: String,
    /// What the client offered with `connect`.
    offered: Capabilities,
    calls_before_connect: usize,
    ignored: u64,
    /// An error found while no caller was there to be told.
    fault: Option<Error>,
}

#[derive(Debug)]
enum Stage {
    Handshake(Box<Handshake>),
    /// Until `connect` is accepted.
    Connect,
    Ready,
    /// No further input is read.
    Closing,
}

#[derive(Debug)]
enum Pending {
    Connect { transaction_id: f64, object_encoding: u8 },
    Publish { stream: u32, name: String },
    Play { stream: u32, reset: bool },
}

impl ServerSession {
    /// A session that begins now. `entropy` fills the handshake.
    pub fn new(config: ServerConfig, entropy: &[u8; ENTROPY_BYTES], now: Instant) -> Self {
        let limits = &config.limits;
        let link = Link::new(limits, limits.message_bytes_before_publish, config.window_ack_size);
        Self {
            deadline: Some((after(now, limits.handshake_timeout), Waiting::Handshake)),
            link,
            config,
            now,
            last_input: now,
            stage: Stage::Handshake(Box::new(Handshake::server(entropy))),
            held: Bytes::new(),
            events: VecDeque::new(),
            pending: None,
            requests: 0,
            streams: Streams::new(),
            app: String::new(),
            offered: Capabilities::default(),
            calls_before_connect: 0,
            ignored: 0,
            fault: None,
        }
    }

    /// Takes bytes from the client, all of them.
    ///
    /// # Errors
    /// [`Error`]: the session is over. Output that is there may still be sent, and events still
    /// tell what ended.
    pub fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<(), Error> {
        self.now = now;
        if !input.is_empty() {
            self.last_input = now;
        }
        let result = self.take_fault().and_then(|()| self.take_input(input));
        self.settle(result)
    }

    /// Sees to what is due.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the client took too long, and any error that no earlier call could
    /// return.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.now = now;
        let result = self.take_fault().and_then(|()| match self.deadline() {
            Some((at, stage)) if at <= now => Err(Error::Timeout(stage)),
            _ => self.resume(),
        });
        self.settle(result)
    }

    /// When [`ServerSession::handle_timeout`] is due. It may be in the past: then at once.
    pub fn next_timeout(&self) -> Option<Instant> {
        let overdue = self.fault.is_some() || self.can_resume() || self.must_arm();
        match overdue {
            true => Some(self.now),
            false => self.deadline().map(|(at, _)| at),
        }
    }

    /// The client is gone: ends what it had. Repeating it does nothing.
    pub fn handle_eof(&mut self) {
        self.stop();
    }

    /// The next event, in the order of the bytes that caused them.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty()
            && let Err(error) = self.resume()
        {
            self.stop();
            self.fault = Some(error);
        }
        self.events.pop_front()
    }

    /// Moves what is to be sent to the end of `out`. Free when `out` is empty, else a copy.
    pub fn take_output(&mut self, out: &mut Chunks) {
        self.link.take_output(out);
    }

    /// Bytes waiting to be sent. Who lets them grow should stop sending and reading.
    pub fn output_len(&self) -> usize {
        self.link.output_len()
    }

    /// Whether the connection is to be closed once the output is sent.
    pub fn should_close(&self) -> bool {
        matches!(self.stage, Stage::Closing)
    }

    /// What the client said that it can do; nothing before `connect`.
    pub fn capabilities(&self) -> &Capabilities {
        &self.offered
    }

    /// When bytes last arrived.
    pub fn last_input(&self) -> Instant {
        self.last_input
    }

    /// Messages that were passed over: unknown, unreadable, or media of no accepted publish.
    pub fn ignored_messages(&self) -> u64 {
        self.ignored
    }

    fn take_fault(&mut self) -> Result<(), Error> {
        self.fault.take().map_or(Ok(()), Err)
    }

    /// What every call with a `now` ends with.
    fn settle(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        if result.is_err() {
            self.stop();
        } else if self.must_arm() {
            let at = after(self.now, self.config.limits.command_timeout);
            self.deadline = Some((at, Waiting::Command));
        }
        result
    }

    /// Reads nothing more and ends what is in use.
    fn stop(&mut self) {
        self.stage = Stage::Closing;
        self.pending = None;
        self.held = Bytes::new();
        self.events.extend(self.streams.end_all());
    }

    /// Whether the time until the next `publish` or `play` has to start: it does when nothing is
    /// decided or in use.
    fn must_arm(&self) -> bool {
        let idle = self.pending.is_none() && !self.streams.any_in_use();
        matches!(self.stage, Stage::Ready) && idle && self.deadline.is_none()
    }

    fn deadline(&self) -> Option<(Instant, Waiting)> {
        let waits = self.pending.is_some() || self.streams.any_in_use();
        self.deadline.filter(|_| !waits && !self.should_close())
    }

    /// Whether what comes next must wait: for an answer of the shell, or for room among the events.
    fn is_blocked(&self) -> bool {
        self.pending.is_some() || self.events.len() >= self.config.limits.events
    }

    fn can_resume(&self) -> bool {
        !self.is_blocked()
            && !self.should_close()
            && (!self.held.is_empty() || self.link.has_more())
    }

    fn take_input(&mut self, mut input: &[u8]) -> Result<(), Error> {
        self.resume()?;
        if self.held.is_empty() {
            self.advance(&mut input)?;
        }
        if input.is_empty() {
            return Ok(());
        }
        if self.held.len() >= HELD_BYTES_MAX {
            let limit = u64::try_from(HELD_BYTES_MAX).unwrap_or(u64::MAX);
            let got = u64::try_from(self.held.len() + input.len()).unwrap_or(u64::MAX);
            let what = "bytes kept while a request or an event waits";
            return Err(Error::Limit { what, limit, got });
        }
        let mut held = BytesMut::with_capacity(self.held.len() + input.len());
        held.extend_from_slice(&self.held);
        held.extend_from_slice(input);
        self.held = held.freeze();
        Ok(())
    }

    /// Goes on with what was held back.
    fn resume(&mut self) -> Result<(), Error> {
        if !self.can_resume() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_ref();
        let result = self.advance(&mut rest);
        let unread = rest.len();
        let mut held = held;
        held.advance(held.len() - unread);
        self.held = held;
        result
    }

    /// Reads on until the input is consumed or has to wait.
    fn advance(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        while !self.is_blocked() {
            match &mut self.stage {
                Stage::Closing => {
                    *input = &[];
                    return Ok(());
                }
                Stage::Handshake(handshake) => {
                    let before = input.len();
                    let done = handshake.feed(input, self.link.out())?;
                    self.link.count(before - input.len());
                    if !done {
                        return Ok(());
                    }
                    self.stage = Stage::Connect;
                    let at = after(self.now, self.config.limits.connect_timeout);
                    self.deadline = Some((at, Waiting::Connect));
                }
                Stage::Connect | Stage::Ready => match self.link.receive(input)? {
                    Some(incoming) => self.handle(incoming)?,
                    None => return Ok(()),
                },
            }
        }
        Ok(())
    }

    fn handle(&mut self, incoming: Incoming) -> Result<(), Error> {
        match incoming {
            Incoming::Media { stream, chunk_stream_id, kind, timestamp, body } => {
                if self.streams.is_publishing(stream) {
                    let event = Event::Media { stream, chunk_stream_id, kind, timestamp, body };
                    self.events.push_back(event);
                } else {
                    self.ignored = self.ignored.saturating_add(1);
                }
            }
            Incoming::Command { stream, command } => self.command(stream, &command)?,
            // Nothing to do: live players get what there is, and this side sends no more than it is
            // asked for.
            Incoming::PeerBandwidth | Incoming::User(_) => {}
            Incoming::Ignored => self.ignored = self.ignored.saturating_add(1),
        }
        Ok(())
    }

    fn ask(&mut self, pending: Pending) -> RequestId {
        let request = RequestId(self.requests);
        self.requests = self.requests.wrapping_add(1);
        self.pending = Some((request, pending));
        request
    }
}

#[cfg(test)]
mod tests;
