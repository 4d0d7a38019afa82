//! What a peer says, as an input chooses: whole messages that make sense more often than random
//! bytes do, some of them with a byte changed; and a reader of what it is answered.

use std::collections::BTreeSet;

use bytes::Bytes;
use media::Chunks;
use media::amf0::{self, Value};

use super::Source;
use crate::Limits;
use crate::chunk::{ChunkReader, ChunkWriter};
use crate::command::Command;
use crate::message::{Content, Control, UserControl};

/// Bytes of one side's handshake, and of the other's.
pub(super) const HANDSHAKE: usize = 1 + 2 * 1536;

/// One direction of a connection.
pub(super) struct Wire {
    writer: ChunkWriter,
    out: Chunks,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self { writer: ChunkWriter::new(), out: Chunks::new() }
    }

    /// What was said since the last call.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let bytes = self.out.to_vec();
        self.out.clear();
        bytes
    }

    fn message(&mut self, stream: u32, message_type: u8, timestamp: u32, body: &[u8]) {
        let chunk_stream_id = match message_type {
            ..=7 => 2,
            8 => 4,
            9 => 6,
            _ => 3,
        };
        let (out, body) = (&mut self.out, Bytes::copy_from_slice(body));
        let written =
            self.writer.write(out, chunk_stream_id, stream, message_type, timestamp, &body);
        assert_eq!(written, Ok(()));
    }

    fn command(&mut self, stream: u32, command: &Command) {
        self.message(stream, 20, 0, &command.encode());
    }

    fn call(&mut self, stream: u32, name: &str, id: f64, arguments: Vec<Value>) {
        self.command(stream, &Command::new(name, id, arguments));
    }

    /// Something that a client says.
    pub(super) fn client(&mut self, source: &mut Source<'_>) {
        const NAMES: [&str; 6] = ["a", "b?token=x", "", "a/b", "..", "live"];
        let stream = source.u32_of(4);
        let id = f64::from(source.u32_of(5));
        let name = || Value::from(if id > 2.0 { "b?token=x" } else { "a" });
        match source.u8() % 16 {
            0 => {
                let mut connect = Command::new("connect", id, vec![]);
                let encoding = f64::from(stream);
                connect.object = Value::Object(vec![
                    ("app".to_owned(), source.one(&NAMES).into()),
                    ("objectEncoding".to_owned(), encoding.into()),
                ]);
                self.command(0, &connect);
            }
            1 | 2 => self.call(0, "createStream", id, vec![]),
            3 => {
                let mode = source.one(&["live", "record", "append", "x"]).into();
                let name = source.one(&NAMES).into();
                self.call(stream, "publish", id, vec![name, mode]);
            }
            4 => {
                let times = [source.u8(), source.u8()].map(|n| (f64::from(n) - 2.0).into());
                let [start, len] = times;
                let name = source.one(&NAMES).into();
                self.call(stream, "play", id, vec![name, start, len, true.into()]);
            }
            5 => self.call(0, "deleteStream", id, vec![f64::from(stream).into()]),
            6 => self.call(stream, "closeStream", id, vec![]),
            7 => {
                const CALLS: [&str; 14] = [
                    "releaseStream",
                    "FCPublish",
                    "FCUnpublish",
                    "FCSubscribe",
                    "FCUnsubscribe",
                    "getStreamLength",
                    "_checkbw",
                    "pause",
                    "pauseRaw",
                    "seek",
                    "receiveAudio",
                    "receiveVideo",
                    "play2",
                    "_result",
                ];
                let argument = match source.u8() % 4 {
                    0 => name(),
                    1 => Value::Boolean(id > 1.0),
                    2 => id.into(),
                    _ => Value::Object(vec![("streamName".to_owned(), name())]),
                };
                self.call(stream, source.one(&CALLS), id, vec![argument]);
            }
            other => self.both(other, stream, source),
        }
    }

    /// Something that a server says.
    pub(super) fn server(&mut self, source: &mut Source<'_>) {
        const CODES: [&str; 10] = [
            "NetConnection.Connect.Success",
            "NetConnection.Connect.Rejected",
            "NetStream.Publish.Start",
            "NetStream.Publish.BadName",
            "NetStream.Play.Reset",
            "NetStream.Play.Start",
            "NetStream.Play.PublishNotify",
            "NetStream.Play.UnpublishNotify",
            "NetStream.Play.Stop",
            "NetStream.Play.StreamNotFound",
        ];
        let stream = source.u32_of(3);
        let id = f64::from(source.u32_of(6));
        let info = |source: &mut Source<'_>| {
            Value::Object(vec![
                ("level".to_owned(), source.one(&["status", "error", "warning"]).into()),
                ("code".to_owned(), source.one(&CODES).into()),
                ("description".to_owned(), "text".into()),
            ])
        };
        match source.u8() % 16 {
            0 | 1 => {
                let info = info(source);
                self.call(0, "_result", id, vec![info]);
            }
            2 | 3 => self.call(0, "_result", id, vec![f64::from(stream).into()]),
            4 => {
                let info = info(source);
                self.call(0, "_error", id, vec![info]);
            }
            5 | 6 => {
                let info = info(source);
                self.call(stream, "onStatus", 0.0, vec![info]);
            }
            7 => {
                let name = source.one(&["close", "onFCPublish", "onBWDone", "_checkbw"]);
                self.call(0, name, id, vec![]);
            }
            other => self.both(other, stream, source),
        }
    }

    /// What either side may say: media, control, aggregates, containers, anything.
    fn both(&mut self, choice: u8, stream: u32, source: &mut Source<'_>) {
        let timestamp = source.u32_of(200) * 20;
        match choice {
            8 => self.message(stream, 8, timestamp, b"\xaf\x01sound"),
            9 => {
                let head = source.one(&[0x17, 0x27]);
                self.message(stream, 9, timestamp, &[head, 1, 0, 0, 0, 1, 2, 3]);
            }
            10 => {
                let mut body = Vec::new();
                for name in ["@setDataFrame", "onMetaData"].iter().skip(usize::from(stream > 1)) {
                    amf0::encode_string(name, &mut body);
                }
                amf0::encode_ecma_array(&[("width".to_owned(), 640.0.into())], &mut body);
                self.message(stream, source.one(&[18, 15]), timestamp, &body);
            }
            11 => {
                let size = source.one(&[1, 2, 128, 4_096, 60_000]);
                let control = Control::SetChunkSize(size);
                self.message(0, control.message_type(), 0, &control.encode());
                self.writer.set_chunk_size(size);
            }
            12 => {
                let value = source.u32_of(8);
                let control = source.one(&[
                    Control::Abort(value),
                    Control::Acknowledgement(value),
                    Control::WindowAckSize(value),
                    Control::SetPeerBandwidth { window: value, limit: 2 },
                    Control::User(UserControl::PingRequest(value)),
                    Control::User(UserControl::PingResponse(value)),
                    Control::User(UserControl::StreamBegin(value)),
                    Control::User(UserControl::StreamEof(value)),
                    Control::User(UserControl::SetBufferLength { stream: value, length_ms: 1 }),
                ]);
                self.message(0, control.message_type(), 0, &control.encode());
            }
            13 => {
                let mut body = Vec::new();
                for _ in 0..source.u32_of(4) {
                    let piece_len = source.usize() % 32;
                    let piece = source.take(piece_len);
                    let len = u8::try_from(piece.len()).unwrap_or(0);
                    let kind = source.one(&[8, 9, 18, 20, 1, 22]);
                    body.extend([kind, 0, 0, len, 0, 0, 20, 0, 0, 0, 0]);
                    body.extend(piece);
                    body.extend([0, 0, 0, len.saturating_add(11)]);
                }
                self.message(stream, 22, timestamp, &body);
            }
            14 => {
                let kind = source.u8();
                let len = source.usize();
                self.message(stream, kind, timestamp, source.take(len));
            }
            _ => {
                let len = source.usize() % 64;
                self.out.put_slice(source.take(len));
            }
        }
    }
}

impl Source<'_> {
    /// A number below `end`.
    pub(super) fn u32_of(&mut self, end: u32) -> u32 {
        u32::from(self.u8()) % end
    }

    /// Changes a byte of what goes over the wire, or cuts it off.
    pub(super) fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.usize() * bytes.len() / 256;
        match self.u8() {
            0 => bytes.truncate(at),
            change => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change),
        }
    }
}

/// Reads what a session sends: all of it must be messages that a peer can read.
pub(super) struct Listener {
    /// Bytes of the handshake that are still to come.
    handshake: usize,
    reader: ChunkReader,
    limits: Limits,
    /// The names of the commands so far.
    pub(super) commands: BTreeSet<String>,
}

impl Listener {
    pub(super) fn new() -> Self {
        let limits = Limits { message_bytes_before_publish: 0xFF_FFFF, ..Limits::default() };
        Self {
            handshake: HANDSHAKE,
            reader: ChunkReader::new(&limits),
            limits,
            commands: BTreeSet::new(),
        }
    }

    pub(super) fn listen(&mut self, bytes: &[u8]) {
        let (shook, mut rest) = bytes.split_at(self.handshake.min(bytes.len()));
        self.handshake -= shook.len();
        loop {
            let message = match self.reader.read(&mut rest) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) => panic!("it sends what cannot be read: {error}"),
            };
            let shown = format!("{message:?}");
            match Content::of(message, &self.limits.amf) {
                Ok(Content::Control(Control::SetChunkSize(size))) => {
                    assert_eq!(self.reader.set_chunk_size(size), Ok(()));
                }
                Ok(Content::Command(body)) => {
                    match Command::decode(&body, &self.limits.amf) {
                        Ok(Some(command)) => self.commands.insert(command.name),
                        other => panic!("{shown}: {other:?}"),
                    };
                }
                Ok(Content::Control(_) | Content::Media { .. }) => {}
                other => panic!("{shown}: {other:?}"),
            }
        }
        assert_eq!(self.reader.partial_bytes(), 0, "messages go out whole");
    }
}
