//! A client made of bytes, and a shell that grants everything.

use std::time::{Duration, Instant};

use bytes::Bytes;
use media::amf0::{self, Value};
use media::{Chunks, Kind};

use crate::chunk::{ChunkReader, ChunkWriter};
use crate::command::Command;
use crate::message::{Content, Control};
use crate::server::{Event, RejectCode, ServerConfig, ServerSession};
use crate::{Error, Limits};

/// Bytes of either side's handshake.
pub(super) const HANDSHAKE: usize = 1 + 2 * 1536;

/// What the client sends, message by message.
pub(super) struct Peer {
    writer: ChunkWriter,
    out: Chunks,
}

impl Peer {
    /// A client that has sent its half of the handshake.
    pub(super) fn new() -> Self {
        let mut out = Chunks::new();
        out.put_slice(&handshake());
        Self { writer: ChunkWriter::new(), out }
    }

    /// A client that has connected to `live`, created stream 1 and stands ready to publish or play.
    pub(super) fn ready() -> Self {
        let mut peer = Self::new();
        peer.connect("live").call(0, "createStream", 2.0, vec![]);
        peer
    }

    /// A client that publishes `live/test` on stream 1.
    pub(super) fn publishing() -> Self {
        let mut peer = Self::ready();
        peer.call(1, "publish", 3.0, vec!["test".into(), "live".into()]);
        peer
    }

    /// A client that plays `live/test` on stream 1.
    pub(super) fn playing() -> Self {
        let mut peer = Self::ready();
        peer.call(1, "play", 0.0, vec!["test".into()]);
        peer
    }

    pub(super) fn message(
        &mut self,
        csid: u32,
        msid: u32,
        kind: u8,
        time: u32,
        body: &[u8],
    ) -> &mut Self {
        let body = Bytes::copy_from_slice(body);
        self.writer.write(&mut self.out, csid, msid, kind, time, &body).unwrap();
        self
    }

    pub(super) fn control(&mut self, control: Control) -> &mut Self {
        self.message(2, 0, control.message_type(), 0, &control.encode());
        if let Control::SetChunkSize(size) = control {
            self.writer.set_chunk_size(size);
        }
        self
    }

    pub(super) fn command(&mut self, msid: u32, command: &Command) -> &mut Self {
        self.message(3, msid, 20, 0, &command.encode())
    }

    pub(super) fn call(
        &mut self,
        msid: u32,
        name: &str,
        id: f64,
        arguments: Vec<Value>,
    ) -> &mut Self {
        self.command(msid, &Command::new(name, id, arguments))
    }

    pub(super) fn connect(&mut self, app: &str) -> &mut Self {
        let mut connect = Command::new("connect", 1.0, vec![]);
        connect.object = Value::Object(vec![("app".to_owned(), app.into())]);
        self.command(0, &connect)
    }

    pub(super) fn video(&mut self, time: u32, body: &[u8]) -> &mut Self {
        self.message(6, 1, 9, time, body)
    }

    /// What was added since the last call.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let bytes = self.out.to_vec();
        self.out.clear();
        bytes
    }
}

/// C0, a C1 without a digest, and C2.
pub(super) fn handshake() -> Vec<u8> {
    let mut bytes = vec![0; HANDSHAKE];
    bytes[0] = 3;
    bytes
}

/// A session and all that came out of it.
pub(super) struct Run {
    pub(super) session: ServerSession,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    pub(super) output: Vec<u8>,
    pub(super) reject: Option<RejectCode>,
}

impl Run {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        Self::with_config(ServerConfig { limits, ..ServerConfig::default() })
    }

    pub(super) fn with_config(config: ServerConfig) -> Self {
        let now = start();
        let session = ServerSession::new(config, &[7; 1528], now);
        Self { session, now, events: Vec::new(), output: Vec::new(), reject: None }
    }

    /// A session that was fed by `peer`, and whose events until now are forgotten.
    pub(super) fn of(mut peer: Peer) -> (Self, Peer) {
        let mut run = Self::new();
        run.feed(&peer.take()).unwrap();
        run.events.clear();
        (run, peer)
    }

    pub(super) fn feed(&mut self, input: &[u8]) -> Result<(), Error> {
        let result = self.session.handle_input(self.now, input);
        self.drain();
        result
    }

    /// All events, each request answered, and the output.
    pub(super) fn drain(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let Event::Connect { request, .. }
            | Event::Publish { request, .. }
            | Event::Play { request, .. } = &event
            {
                match (self.reject, &event) {
                    (Some(code), Event::Publish { .. } | Event::Play { .. }) => {
                        self.session.reject(*request, code, "No.");
                    }
                    _ => self.session.accept(*request),
                }
            }
            self.events.push(event);
        }
        let mut out = Chunks::new();
        self.session.take_output(&mut out);
        self.output.extend(out.to_vec());
    }

    /// Time passes: the session is told as often as it asks for, until then.
    pub(super) fn pass(&mut self, time: Duration) -> Result<(), Error> {
        let until = self.now + time;
        for _ in 0..8 {
            match self.session.next_timeout() {
                Some(at) if at <= until => {
                    self.now = self.now.max(at);
                    self.session.handle_timeout(self.now)?;
                }
                _ => {
                    self.now = until;
                    return Ok(());
                }
            }
        }
        panic!("the session asks to be called for ever");
    }

    /// All that was sent, as text.
    pub(super) fn replies(&self) -> Vec<String> {
        dump(&self.output)
    }

    /// What was sent since `before` replies were there.
    pub(super) fn replies_from(&self, before: usize) -> Vec<String> {
        self.replies().split_off(before)
    }
}

/// Any instant will do, and this is the only way to one.
#[expect(clippy::disallowed_methods, reason = "tests need an instant to count from")]
pub(super) fn start() -> Instant {
    Instant::now()
}

/// The messages behind a handshake, one line each.
pub(super) fn dump(output: &[u8]) -> Vec<String> {
    let limits = Limits::default();
    let mut reader = ChunkReader::new(&limits);
    let mut input = output.get(HANDSHAKE..).unwrap_or_default();
    let mut lines = Vec::new();
    while let Some(message) = reader.read(&mut input).unwrap() {
        let (stream, time) = (message.message_stream_id, message.timestamp);
        let line = match Content::of(message, &limits.amf).unwrap() {
            Content::Control(control) => {
                if let Control::SetChunkSize(size) = control {
                    reader.set_chunk_size(size).unwrap();
                }
                format!("{control:?}")
            }
            Content::Command(body) => {
                let command = Command::decode(&body, &limits.amf).unwrap().unwrap();
                let (name, id) = (&command.name, command.transaction_id);
                let argument = command.argument(0);
                match argument.property("code").and_then(Value::as_str) {
                    Some(code) => format!("{name} {id} @{stream} {code}"),
                    None => format!("{name} {id} @{stream} {argument:?}"),
                }
            }
            Content::Media { kind: Kind::Data, body } => {
                let values = amf0::decode_all(&body, &limits.amf).unwrap();
                format!("Data @{stream} {time} {:?}", values[0])
            }
            Content::Media { kind, body } => format!("{kind:?} @{stream} {time} {}", body.len()),
            other => format!("{other:?}"),
        };
        lines.push(line);
    }
    lines
}
