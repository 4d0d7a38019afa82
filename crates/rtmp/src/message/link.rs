//! What both sides of a session do alike: messages in and out, chunk sizes, acknowledgements,
//! pings.

use std::time::{Duration, Instant};

use bytes::Bytes;
use media::{Chunks, Kind, Packet, amf0};

use super::{Aggregate, Content, Control, UserControl};
use crate::chunk::{ChunkReader, ChunkWriter, Message};
use crate::command::Command;
use crate::message::message_type;
use crate::{Error, Limits};

/// Chunk streams that this side uses. Any would do (RTMP 5.3.1.1) but 2, which is for control; a
/// stream of its own for each kind of media keeps the headers short.
mod chunk_stream {
    pub(super) const CONTROL: u32 = 2;
    pub(super) const COMMAND: u32 = 3;
    pub(super) const AUDIO: u32 = 4;
    pub(super) const STREAM_COMMAND: u32 = 5;
    pub(super) const VIDEO: u32 = 6;
    pub(super) const DATA: u32 = 7;
}

/// Both directions of the chunk stream, with what needs no decision.
#[derive(Debug)]
pub(crate) struct Link {
    reader: ChunkReader,
    writer: ChunkWriter,
    aggregate: Option<Aggregate>,
    acknowledge: Acknowledge,
    out: Chunks,
    /// Bytes of `out` that the peer made us send, media not counted.
    answer_bytes: usize,
    answer_bytes_max: usize,
    amf: amf0::Limits,
}

/// What came in and is not settled by the link itself.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A command on a message stream.
    Command { stream: u32, command: Command },
    /// Audio, video or data on a message stream.
    Media { stream: u32, chunk_stream_id: u32, kind: Kind, timestamp: u32, body: Bytes },
    /// Set Peer Bandwidth.
    PeerBandwidth,
    /// A user control message other than a ping.
    User(UserControl),
    /// Nothing that anybody here needs.
    Ignored,
}

impl Link {
    /// `window` is what the peer gets acknowledgements by until it says what it wants.
    pub(crate) fn new(limits: &Limits, message_bytes: usize, window: u32) -> Self {
        let mut reader = ChunkReader::new(limits);
        reader.set_message_bytes(message_bytes);
        Self {
            reader,
            writer: ChunkWriter::new(),
            aggregate: None,
            acknowledge: Acknowledge { received: 0, told: 0, window },
            out: Chunks::new(),
            answer_bytes: 0,
            answer_bytes_max: limits.answer_bytes,
            amf: limits.amf,
        }
    }

    pub(crate) fn set_message_bytes(&mut self, message_bytes: usize) {
        self.reader.set_message_bytes(message_bytes);
    }

    /// Where the handshake writes to, and how many bytes it read.
    pub(crate) fn out(&mut self) -> &mut Chunks {
        &mut self.out
    }

    /// Bytes that arrived: all of them count for acknowledgements, those of the handshake too.
    pub(crate) fn count(&mut self, bytes: usize) {
        if let Some(total) = self.acknowledge.count(bytes) {
            self.control(Control::Acknowledgement(total));
        }
    }

    /// Whether messages are left that need no further input.
    pub(crate) fn has_more(&self) -> bool {
        self.aggregate.is_some()
    }

    /// The next message; `None` when all input is consumed and no message is whole.
    pub(crate) fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Error> {
        loop {
            if self.answer_bytes > self.answer_bytes_max {
                return Err(Error::Limit {
                    what: "bytes of answers that were not read",
                    limit: as_u64(self.answer_bytes_max),
                    got: as_u64(self.answer_bytes),
                });
            }
            let Some(message) = self.next(input)? else { return Ok(None) };
            if let Some(incoming) = self.settle(message)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn next(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        if let Some(message) = self.aggregate.as_mut().and_then(Iterator::next) {
            return Ok(Some(message));
        }
        self.aggregate = None;
        let before = input.len();
        let message = self.reader.read(input);
        self.count(before - input.len());
        message
    }

    /// Does what a message asks of the link; `None` when that was all.
    fn settle(&mut self, message: Message) -> Result<Option<Incoming>, Error> {
        let stream = message.message_stream_id;
        let chunk_stream_id = message.chunk_stream_id;
        let timestamp = message.timestamp;
        Ok(match Content::of(message, &self.amf)? {
            Content::Media { kind, body } => {
                Some(Incoming::Media { stream, chunk_stream_id, kind, timestamp, body })
            }
            Content::Command(body) => Some(match Command::decode(&body, &self.amf)? {
                Some(command) => Incoming::Command { stream, command },
                None => Incoming::Ignored,
            }),
            Content::Aggregate(aggregate) => {
                self.aggregate = Some(aggregate);
                None
            }
            Content::Control(control) => self.obey(control)?,
            Content::Ignored => Some(Incoming::Ignored),
        })
    }

    fn obey(&mut self, control: Control) -> Result<Option<Incoming>, Error> {
        match control {
            Control::SetChunkSize(size) => self.reader.set_chunk_size(size)?,
            Control::Abort(chunk_stream_id) => self.reader.abort(chunk_stream_id),
            Control::Acknowledgement(_) => {}
            Control::WindowAckSize(window) => self.acknowledge.set_window(window),
            Control::SetPeerBandwidth { .. } => return Ok(Some(Incoming::PeerBandwidth)),
            Control::User(UserControl::PingRequest(value)) => {
                self.control(Control::User(UserControl::PingResponse(value)));
            }
            Control::User(event) => return Ok(Some(Incoming::User(event))),
        }
        Ok(None)
    }

    /// Sends a control message. A chunk size is in force from the next chunk on.
    pub(crate) fn control(&mut self, control: Control) {
        let body = control.encode();
        self.answer(chunk_stream::CONTROL, 0, control.message_type(), &body);
        if let Control::SetChunkSize(size) = control {
            self.writer.set_chunk_size(size);
        }
    }

    /// Sends a command on a message stream.
    pub(crate) fn command(&mut self, stream: u32, command: &Command) {
        let chunk_stream_id = match stream {
            0 => chunk_stream::COMMAND,
            _ => chunk_stream::STREAM_COMMAND,
        };
        self.answer(chunk_stream_id, stream, message_type::COMMAND_AMF0, &command.encode());
    }

    /// Sends audio, video or data with the packet's time; `body` instead of the packet's own.
    /// Whether it could be sent: a body of more than 24 bits of length cannot.
    pub(crate) fn media(&mut self, stream: u32, packet: &Packet, body: &Bytes) -> bool {
        write_media(&mut self.writer, &mut self.out, stream, packet, body)
    }

    /// Media was written by somebody else: see [`ChunkWriter::begin_anew`].
    pub(crate) fn begin_anew(&mut self) {
        self.writer.begin_anew();
    }

    /// Sends data that is no packet of the stream, at time 0.
    pub(crate) fn data(&mut self, stream: u32, body: &Bytes) {
        self.answer(chunk_stream::DATA, stream, message_type::DATA_AMF0, body);
    }

    fn answer(&mut self, chunk_stream_id: u32, stream: u32, message_type: u8, body: &Bytes) {
        let before = self.out.len();
        let out = &mut self.out;
        let written = self.writer.write(out, chunk_stream_id, stream, message_type, 0, body);
        debug_assert!(written.is_ok(), "answers are far shorter than a message can be");
        self.answer_bytes += self.out.len() - before;
    }

    /// Bytes waiting to be sent.
    pub(crate) fn output_len(&self) -> usize {
        self.out.len()
    }

    /// Moves what is to be sent to the end of `out`; for nothing when `out` is empty, else at the
    /// price of a copy.
    pub(crate) fn take_output(&mut self, out: &mut Chunks) {
        if out.is_empty() {
            std::mem::swap(out, &mut self.out);
        } else if !self.out.is_empty() {
            out.put(self.out.to_vec().into());
        }
        self.out.clear();
        self.answer_bytes = 0;
    }
}

/// Writes audio, video or data: see [`Link::media`].
pub(crate) fn write_media(
    writer: &mut ChunkWriter,
    out: &mut Chunks,
    stream: u32,
    packet: &Packet,
    body: &Bytes,
) -> bool {
    let chunk_stream_id = match packet.kind {
        Kind::Audio => chunk_stream::AUDIO,
        Kind::Video => chunk_stream::VIDEO,
        Kind::Data | Kind::DataAmf3 => chunk_stream::DATA,
    };
    let (kind, timestamp) = (packet.kind.number(), packet.timestamp());
    writer.write(out, chunk_stream_id, stream, kind, timestamp, body).is_ok()
}

/// When to acknowledge (RTMP 5.4.3): each half window, so that a peer that stops at the end of its
/// window never gets there.
#[derive(Debug)]
struct Acknowledge {
    received: u64,
    told: u64,
    window: u32,
}

impl Acknowledge {
    /// A window of 0 says nothing and changes nothing.
    fn set_window(&mut self, window: u32) {
        if window > 0 {
            self.window = window;
        }
    }

    /// Counts bytes; the sequence number to send when it is time.
    #[expect(clippy::cast_possible_truncation, reason = "the sequence number wraps at 32 bits")]
    fn count(&mut self, bytes: usize) -> Option<u32> {
        self.received = self.received.wrapping_add(as_u64(bytes));
        if self.received.wrapping_sub(self.told) < u64::from(self.window).div_ceil(2) {
            return None;
        }
        self.told = self.received;
        Some(self.received as u32)
    }
}

/// When `limit` from `now` on is over. One that is too long for the clock is as good as a day.
pub(crate) fn after(now: Instant, limit: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(86_400);
    now + limit.min(DAY)
}

/// `usize` has at most 64 bits on every platform that Rust knows.
fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
