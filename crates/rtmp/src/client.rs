//! The client's side of a session: publishes one stream or plays one, as a value like
//! [`crate::server`].
//!
//! The shell's loop: send what [`ClientSession::take_output`] gives (there is some from the start),
//! one input, then all events, then the output again; [`ClientSession::handle_timeout`] when
//! [`ClientSession::next_timeout`] has passed. After [`ClientEvent::Ready`] a publisher sends
//! packets and a player gets media. Commands go out in the order and shape of FFmpeg's, which every
//! server is tested against.
//!
//! Source: RTMP 5.2, 5.4, 7.2.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::amf0::Value;
use media::{Chunks, Kind, Packet, Role as PacketRole};

use crate::capabilities::Capabilities;
use crate::command::{Command, RECONNECT_REQUEST, stream_id};
use crate::error::Stage as Waiting;
use crate::handshake::{ENTROPY_BYTES, Handshake};
use crate::message::{Control, Incoming, Link, UserControl, after, set_data_frame};
use crate::url::{Url, resolve};
use crate::{Error, Limits, Protocol};

/// How much a player says it buffers, in ms. Live it changes nothing.
const BUFFER_LENGTH_MS: u32 = 3_000;
const CONNECT_TRANSACTION: f64 = 1.0;

/// What the session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Send a stream.
    Publish,
    /// Receive a stream.
    Play,
}

/// What to ask a server for.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientConfig {
    /// The application.
    pub app: String,
    /// The address as far as the application.
    pub tc_url: String,
    /// The stream, with its query.
    pub name: String,
    /// Publish or play.
    pub role: Role,
    /// Chunk size of what a publisher sends, in bytes.
    pub chunk_size: u32,
    /// Bytes after which the server is asked to acknowledge, and by which it is acknowledged until
    /// it asks.
    pub window_ack_size: u32,
    /// What the client calls itself.
    pub flash_ver: String,
    /// What the server is told that this side can do: by default that it takes everything. A shell
    /// that acts on [`ClientEvent::ReconnectRequest`] adds
    /// [`RECONNECT`](crate::capabilities::caps_ex::RECONNECT); others are not asked.
    pub capabilities: Capabilities,
    /// The bounds of the session.
    pub limits: Limits,
}

impl ClientConfig {
    /// The usual configuration for `url`.
    pub fn new(url: &Url, role: Role) -> Self {
        let version = concat!("FMLE/3.0 (compatible; rtmp-server/", env!("CARGO_PKG_VERSION"), ")");
        Self {
            app: url.app.clone(),
            tc_url: url.tc_url(),
            name: url.name.clone(),
            role,
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            flash_ver: version.to_owned(),
            capabilities: Capabilities::forwarder(),
            limits: Limits::default(),
        }
    }
}

/// What the shell must know.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    /// The server granted the publish or the play.
    Ready,
    /// A message of the stream that is played; data without what is only for the player
    /// (`onStatus`, `|RtmpSampleAccess`). A server may send some before [`ClientEvent::Ready`], but
    /// none counts before the play was asked for.
    Media {
        /// Audio, video or data.
        kind: Kind,
        /// ms, modulo 2^32.
        timestamp: u32,
        /// The body.
        body: Bytes,
    },
    /// The stream that is waited for has begun, or begun again.
    Begin,
    /// The stream is over; it may begin again.
    End,
    /// The server refused; the session is over.
    Rejected {
        /// The code, as in `NetStream.Publish.BadName`; empty when there was none.
        code: String,
        /// The server's words.
        description: String,
    },
    /// The server asks for another connection, to be made at the next key frame or so; until then
    /// it goes on serving this one.
    ReconnectRequest {
        /// Where to: absolute, resolved against the URL of this connection.
        tc_url: String,
        /// The server's words; empty when there were none.
        description: String,
    },
    /// Any other status.
    Status {
        /// `status`, `warning` or `error`.
        level: String,
        /// The code.
        code: String,
        /// The server's words.
        description: String,
    },
}

/// One connection, seen from the client.
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    now: Instant,
    stage: Stage,
    deadline: Option<(Instant, Waiting)>,
    link: Link,
    events: VecDeque<ClientEvent>,
    transactions: f64,
    /// Of the `createStream` that waits for its result.
    create_transaction: f64,
    stream: u32,
    feed: Feed,
    /// What the server told with its answer to `connect`.
    offered: Capabilities,
}

#[derive(Debug)]
enum Stage {
    Handshake(Box<Handshake>),
    Connecting,
    Creating,
    Starting,
    Ready,
    Closed,
}

/// Whether the stream that is played is there, as far as the server has told: it tells twice, by
/// user control and by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feed {
    Unknown,
    Live,
    Ended,
}

impl ClientSession {
    /// A session that begins now. `entropy` fills the handshake.
    pub fn new(config: ClientConfig, entropy: &[u8; ENTROPY_BYTES], now: Instant) -> Self {
        let limits = &config.limits;
        let deadline = (after(now, limits.handshake_timeout), Waiting::Handshake);
        let mut session = Self {
            link: Link::new(limits, limits.message_bytes, config.window_ack_size),
            config,
            now,
            stage: Stage::Handshake(Box::new(Handshake::client(entropy))),
            deadline: Some(deadline),
            events: VecDeque::new(),
            transactions: 0.0,
            create_transaction: 0.0,
            stream: 0,
            feed: Feed::Unknown,
            offered: Capabilities::default(),
        };
        // The client speaks first. Without input there is nothing that could be wrong.
        let _ = session.advance(&mut [].as_slice());
        session
    }

    /// Takes bytes from the server, all of them.
    ///
    /// # Errors
    /// [`Error`]: the session is over.
    pub fn handle_input(&mut self, now: Instant, input: &[u8]) -> Result<(), Error> {
        self.now = now;
        let mut input = input;
        let result = self.advance(&mut input);
        if result.is_err() {
            self.stop();
        }
        result
    }

    /// Sees to what is due.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the server took too long.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.now = now;
        match self.deadline {
            Some((at, stage)) if at <= now => {
                self.stop();
                Err(Error::Timeout(stage))
            }
            _ => Ok(()),
        }
    }

    /// When [`ClientSession::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.deadline.map(|(at, _)| at)
    }

    /// The next event, in the order of the bytes that caused them.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Moves what is to be sent to the end of `out`. Free when `out` is empty, else a copy.
    pub fn take_output(&mut self, out: &mut Chunks) {
        self.link.take_output(out);
    }

    /// Bytes waiting to be sent.
    pub fn output_len(&self) -> usize {
        self.link.output_len()
    }

    /// What the server said that it can do; nothing before it has answered `connect`.
    pub fn capabilities(&self) -> &Capabilities {
        &self.offered
    }

    /// Whether the session is over: closed, refused or broken.
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Publishes a packet; whether it was sent, which it is from [`ClientEvent::Ready`] on unless
    /// its body is longer than a message can be. Metadata goes behind `@setDataFrame`, so that the
    /// server keeps it for late players. Times are the packet's.
    pub fn send(&mut self, packet: &Packet) -> bool {
        if !matches!((&self.stage, self.config.role), (Stage::Ready, Role::Publish)) {
            return false;
        }
        match (packet.kind, packet.role) {
            (Kind::Data, PacketRole::Metadata) => {
                self.link.media(self.stream, packet, &set_data_frame(&packet.body))
            }
            _ => self.link.media(self.stream, packet, &packet.body),
        }
    }

    /// Ends the stream in order. What is left to do is to send the output and to close the
    /// connection.
    pub fn close(&mut self) {
        if matches!(self.stage, Stage::Starting | Stage::Ready) {
            if self.config.role == Role::Publish {
                let name = self.config.name.as_str().into();
                self.call(0, "FCUnpublish", vec![name]);
            }
            let stream = f64::from(self.stream).into();
            self.call(0, "deleteStream", vec![stream]);
        }
        self.stop();
    }

    fn stop(&mut self) {
        self.stage = Stage::Closed;
        self.deadline = None;
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        loop {
            match &mut self.stage {
                Stage::Closed => {
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
                    self.connect();
                }
                _ => match self.link.receive(input)? {
                    Some(incoming) => self.handle(incoming)?,
                    None => return Ok(()),
                },
            }
        }
    }

    fn handle(&mut self, incoming: Incoming) -> Result<(), Error> {
        match incoming {
            Incoming::Command { command, .. } => self.command(&command)?,
            Incoming::Media { stream, kind, timestamp, body, .. } => {
                // Some servers send headers and frames before they say that the play is granted.
                let asked = matches!(self.stage, Stage::Starting | Stage::Ready);
                let wanted = asked && self.config.role == Role::Play && stream == self.stream;
                if wanted && !is_for_player(kind, &body) {
                    self.feed = Feed::Live;
                    self.push(ClientEvent::Media { kind, timestamp, body })?;
                }
            }
            Incoming::PeerBandwidth => {
                self.link.control(Control::WindowAckSize(self.config.window_ack_size));
            }
            Incoming::User(UserControl::StreamBegin(stream)) if self.plays(stream) => {
                self.begin()?;
            }
            Incoming::User(UserControl::StreamEof(stream)) if self.plays(stream) => self.end()?,
            Incoming::User(_) | Incoming::Ignored => {}
        }
        Ok(())
    }

    /// The StreamBegin before [`ClientEvent::Ready`] only says that the play was granted.
    fn plays(&self, stream: u32) -> bool {
        let ready = matches!(self.stage, Stage::Ready);
        ready && self.config.role == Role::Play && stream == self.stream
    }

    fn command(&mut self, command: &Command) -> Result<(), Error> {
        let transaction_id = command.transaction_id;
        let of_connect = transaction_id == CONNECT_TRANSACTION;
        let of_create = transaction_id == self.create_transaction;
        match (command.name.as_str(), &self.stage) {
            ("_result", Stage::Connecting) if of_connect => {
                self.offered = offered(command);
                self.create();
            }
            ("_result", Stage::Creating) if of_create => self.start(command)?,
            ("_error", Stage::Connecting) if of_connect => self.rejected(command)?,
            ("_error", Stage::Creating) if of_create => self.rejected(command)?,
            ("onStatus", _) => self.status(command)?,
            // Some servers refuse a connect by closing it.
            ("close", Stage::Connecting) => self.rejected(command)?,
            _ => {}
        }
        Ok(())
    }

    fn connect(&mut self) {
        let text = |name: &str, value: &str| (name.to_owned(), Value::from(value));
        let number = |name: &str, value: f64| (name.to_owned(), Value::from(value));
        let mut object = vec![text("app", &self.config.app)];
        if self.config.role == Role::Publish {
            object.push(text("type", "nonprivate"));
        }
        object.push(text("flashVer", &self.config.flash_ver));
        object.push(text("tcUrl", &self.config.tc_url));
        if self.config.role == Role::Play {
            object.extend([
                ("fpad".to_owned(), Value::from(false)),
                number("capabilities", 15.0),
                number("audioCodecs", 4071.0),
                number("videoCodecs", 252.0),
                number("videoFunction", 1.0),
            ]);
        }
        object.extend(self.config.capabilities.properties());
        let transaction_id = self.transaction();
        let mut connect = Command::new("connect", transaction_id, Vec::new());
        connect.object = Value::Object(object);
        self.link.command(0, &connect);
        self.wait(Stage::Connecting, self.config.limits.connect_timeout, Waiting::Connect);
    }

    fn create(&mut self) {
        let name = || vec![Value::from(self.config.name.as_str())];
        match self.config.role {
            Role::Publish => {
                let (release, publish) = (name(), name());
                self.link.control(Control::SetChunkSize(self.config.chunk_size));
                self.call(0, "releaseStream", release);
                self.call(0, "FCPublish", publish);
            }
            Role::Play => self.link.control(Control::WindowAckSize(self.config.window_ack_size)),
        }
        self.create_transaction = self.call(0, "createStream", Vec::new());
        self.wait(Stage::Creating, self.config.limits.command_timeout, Waiting::Command);
    }

    fn start(&mut self, created: &Command) -> Result<(), Error> {
        let Some(stream) = created.argument(0).as_f64().and_then(stream_id) else {
            return Err(Error::Protocol(Protocol::Command {
                command: "_result of createStream",
                expected: "the id of a message stream",
                got: "something else",
            }));
        };
        self.stream = stream;
        let name = Value::from(self.config.name.as_str());
        match self.config.role {
            Role::Publish => {
                self.call(stream, "publish", vec![name, "live".into()]);
            }
            Role::Play => {
                // -2000: live, or else what is recorded under that name.
                self.call(stream, "play", vec![name, (-2000.0).into()]);
                let length_ms = BUFFER_LENGTH_MS;
                let buffer = UserControl::SetBufferLength { stream, length_ms };
                self.link.control(Control::User(buffer));
            }
        }
        self.wait(Stage::Starting, self.config.limits.command_timeout, Waiting::Command);
        Ok(())
    }

    fn status(&mut self, command: &Command) -> Result<(), Error> {
        let (level, code, description) = read_status(command);
        let granted = match self.config.role {
            Role::Publish => "NetStream.Publish.Start",
            Role::Play => "NetStream.Play.Start",
        };
        match (&self.stage, code) {
            (Stage::Starting, code) if code == granted => {
                self.stage = Stage::Ready;
                self.deadline = None;
                self.push(ClientEvent::Ready)
            }
            (Stage::Closed, _) => Ok(()),
            (_, RECONNECT_REQUEST) => self.reconnect(command),
            (Stage::Starting, _) if level == "error" => self.rejected(command),
            (Stage::Ready, "NetStream.Play.PublishNotify") => self.begin(),
            (
                Stage::Ready,
                "NetStream.Play.UnpublishNotify"
                | "NetStream.Play.Stop"
                | "NetStream.Play.Complete",
            ) => self.end(),
            _ => self.push(ClientEvent::Status {
                level: level.to_owned(),
                code: code.to_owned(),
                description: description.to_owned(),
            }),
        }
    }

    fn reconnect(&mut self, command: &Command) -> Result<(), Error> {
        let (_, _, description) = read_status(command);
        let description = description.to_owned();
        let reference = command.argument(0).property("tcUrl").and_then(Value::as_str);
        let tc_url = resolve(&self.config.tc_url, reference.unwrap_or_default());
        // One that is too long to be an address is no place to go to.
        if tc_url.len() > self.config.limits.name_bytes {
            return Ok(());
        }
        self.push(ClientEvent::ReconnectRequest { tc_url, description })
    }

    fn rejected(&mut self, command: &Command) -> Result<(), Error> {
        let (_, code, description) = read_status(command);
        let (code, description) = (code.to_owned(), description.to_owned());
        self.stop();
        self.push(ClientEvent::Rejected { code, description })
    }

    fn begin(&mut self) -> Result<(), Error> {
        if self.feed != Feed::Live {
            self.feed = Feed::Live;
            self.push(ClientEvent::Begin)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        if self.feed != Feed::Ended {
            self.feed = Feed::Ended;
            self.push(ClientEvent::End)?;
        }
        Ok(())
    }

    fn push(&mut self, event: ClientEvent) -> Result<(), Error> {
        let limit = self.config.limits.events;
        if self.events.len() >= limit {
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            return Err(Error::Limit { what: "events", limit, got: limit.saturating_add(1) });
        }
        self.events.push_back(event);
        Ok(())
    }

    fn wait(&mut self, stage: Stage, limit: Duration, waiting: Waiting) {
        self.stage = stage;
        self.deadline = Some((after(self.now, limit), waiting));
    }

    fn call(&mut self, stream: u32, name: &str, arguments: Vec<Value>) -> f64 {
        let transaction_id = self.transaction();
        self.link.command(stream, &Command::new(name, transaction_id, arguments));
        transaction_id
    }

    fn transaction(&mut self) -> f64 {
        self.transactions += 1.0;
        self.transactions
    }
}

/// What the answer to `connect` tells: with the status, or with the server's other properties.
fn offered(result: &Command) -> Capabilities {
    let with_status = Capabilities::of(result.argument(0));
    if with_status.is_legacy() { Capabilities::of(&result.object) } else { with_status }
}

/// Level, code and description of a status; empty where there is none.
fn read_status(command: &Command) -> (&str, &str, &str) {
    let info = command.argument(0);
    let text = |name| info.property(name).and_then(Value::as_str).unwrap_or_default();
    (text("level"), text("code"), text("description"))
}

/// Data that servers send to players beside the stream.
fn is_for_player(kind: Kind, body: &[u8]) -> bool {
    const SAMPLE_ACCESS: &[u8] = b"\x02\x00\x11|RtmpSampleAccess";
    const ON_STATUS: &[u8] = b"\x02\x00\x08onStatus";
    kind == Kind::Data && (body.starts_with(SAMPLE_ACCESS) || body.starts_with(ON_STATUS))
}

#[cfg(test)]
mod tests;
