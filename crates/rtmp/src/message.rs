//! What messages mean: control, user control, commands, media, data and aggregates.
//!
//! A [`Message`] of the chunk stream becomes a [`Content`], and control messages become bodies
//! again. What the variants of the field have in common is settled here, so that nobody behind it
//! sees them: AMF3 containers hold AMF0, data carries no `@setDataFrame`, aggregates are split.
//! Commands are read in [`crate::command`]; the order of messages is the sessions' business.
//!
//! Source: RTMP 5.4, 6.2, 7.1; E-RTMP v2 "AMF3".

mod link;

use bytes::{BufMut, Bytes, BytesMut};
use media::Kind;
use media::amf0;

use crate::chunk::Message;
use crate::error::{Error, Protocol};

pub(crate) use link::{Incoming, Link, after, write_media};

/// Message types (RTMP 5.4, 6.2, 7.1).
pub mod message_type {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control Message.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// Data in an AMF3 container.
    pub const DATA_AMF3: u8 = 15;
    /// Command in an AMF3 container.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0.
    pub const DATA_AMF0: u8 = 18;
    /// Command in AMF0.
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate.
    pub const AGGREGATE: u8 = 22;
}

/// A protocol control message (RTMP 5.4) or a user control message (RTMP 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The sender's chunks have this size in bytes from now on.
    SetChunkSize(u32),
    /// The half-sent message on this chunk stream will not be finished.
    Abort(u32),
    /// Bytes received so far, modulo 2^32.
    Acknowledgement(u32),
    /// The sender of this wants an acknowledgement each time that so many bytes of it have arrived.
    WindowAckSize(u32),
    /// The sender of this asks the peer to send at most so many bytes ahead of acknowledgements.
    SetPeerBandwidth {
        /// Bytes.
        window: u32,
        /// 0 hard, 1 soft, 2 dynamic (RTMP 5.4.5).
        limit: u8,
    },
    /// A user control message.
    User(UserControl),
}

/// A user control message (RTMP 6.2). Streams are message stream ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserControl {
    /// The stream is ready for use.
    StreamBegin(u32),
    /// Playback of the stream is over.
    StreamEof(u32),
    /// The stream has no more data for now.
    StreamDry(u32),
    /// The player buffers so much of the stream.
    SetBufferLength {
        /// The stream.
        stream: u32,
        /// Milliseconds.
        length_ms: u32,
    },
    /// The stream is a recorded one.
    StreamIsRecorded(u32),
    /// To be answered with the same value.
    PingRequest(u32),
    /// The answer to a ping.
    PingResponse(u32),
}

impl Control {
    /// Reads the body of a control message; `None` for other types, for user control events that
    /// are not known, and for bodies cut short that can be done without.
    ///
    /// # Errors
    /// [`Protocol::Body`] for a Set Chunk Size or an Abort cut short: without them no later chunk
    /// can be understood.
    pub fn decode(message_type: u8, body: &[u8]) -> Result<Option<Self>, Protocol> {
        let number = be32(body, 0);
        Ok(match message_type {
            message_type::SET_CHUNK_SIZE | message_type::ABORT => {
                let Some(number) = number else {
                    let expected = "4 bytes";
                    return Err(Protocol::Body { message_type, expected, got: body.len() });
                };
                match message_type {
                    message_type::ABORT => Some(Self::Abort(number)),
                    _ => Some(Self::SetChunkSize(number)),
                }
            }
            message_type::ACKNOWLEDGEMENT => number.map(Self::Acknowledgement),
            message_type::WINDOW_ACK_SIZE => number.map(Self::WindowAckSize),
            message_type::SET_PEER_BANDWIDTH => number.map(|window| Self::SetPeerBandwidth {
                window,
                limit: body.get(4).copied().unwrap_or(2),
            }),
            message_type::USER_CONTROL => UserControl::decode(body).map(Self::User),
            _ => None,
        })
    }

    /// The message type.
    pub fn message_type(&self) -> u8 {
        match self {
            Self::SetChunkSize(_) => message_type::SET_CHUNK_SIZE,
            Self::Abort(_) => message_type::ABORT,
            Self::Acknowledgement(_) => message_type::ACKNOWLEDGEMENT,
            Self::WindowAckSize(_) => message_type::WINDOW_ACK_SIZE,
            Self::SetPeerBandwidth { .. } => message_type::SET_PEER_BANDWIDTH,
            Self::User(_) => message_type::USER_CONTROL,
        }
    }

    /// The body.
    pub fn encode(&self) -> Bytes {
        let mut body = BytesMut::with_capacity(10);
        match *self {
            Self::SetChunkSize(n)
            | Self::Abort(n)
            | Self::Acknowledgement(n)
            | Self::WindowAckSize(n) => body.put_u32(n),
            Self::SetPeerBandwidth { window, limit } => {
                body.put_u32(window);
                body.put_u8(limit);
            }
            Self::User(event) => event.encode(&mut body),
        }
        body.freeze()
    }
}

impl UserControl {
    /// Reads the body of a user control message; `None` when the event is not known or the body cut
    /// short.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let event = u16::from_be_bytes([*body.first()?, *body.get(1)?]);
        let value = be32(body, 2)?;
        Some(match event {
            0 => Self::StreamBegin(value),
            1 => Self::StreamEof(value),
            2 => Self::StreamDry(value),
            3 => Self::SetBufferLength { stream: value, length_ms: be32(body, 6)? },
            4 => Self::StreamIsRecorded(value),
            6 => Self::PingRequest(value),
            7 => Self::PingResponse(value),
            _ => return None,
        })
    }

    fn encode(self, body: &mut BytesMut) {
        let (event, value) = match self {
            Self::StreamBegin(stream) => (0, stream),
            Self::StreamEof(stream) => (1, stream),
            Self::StreamDry(stream) => (2, stream),
            Self::SetBufferLength { stream, .. } => (3, stream),
            Self::StreamIsRecorded(stream) => (4, stream),
            Self::PingRequest(value) => (6, value),
            Self::PingResponse(value) => (7, value),
        };
        body.put_u16(event);
        body.put_u32(value);
        if let Self::SetBufferLength { length_ms, .. } = self {
            body.put_u32(length_ms);
        }
    }
}

/// What a message is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A control message.
    Control(Control),
    /// A command: AMF0, whose values may be AMF3 behind the marker 0x11.
    Command(Bytes),
    /// Audio and video as they came, also empty; data as [`data`] leaves it.
    Media {
        /// Audio, video or data.
        kind: Kind,
        /// The body.
        body: Bytes,
    },
    /// Several messages in one.
    Aggregate(Aggregate),
    /// Of no use to anyone here: shared objects, unknown types, data that cannot be read.
    Ignored,
}

impl Content {
    /// Reads `message`.
    ///
    /// # Errors
    /// See [`Control::decode`].
    pub fn of(message: Message, limits: &amf0::Limits) -> Result<Self, Error> {
        Ok(match message.message_type {
            message_type::AUDIO => Self::Media { kind: Kind::Audio, body: message.body },
            message_type::VIDEO => Self::Media { kind: Kind::Video, body: message.body },
            message_type::DATA_AMF0 | message_type::DATA_AMF3 => {
                match data(message.message_type, message.body, limits) {
                    Some(body) => Self::Media { kind: Kind::Data, body },
                    None => Self::Ignored,
                }
            }
            message_type::COMMAND_AMF0 => Self::Command(message.body),
            message_type::COMMAND_AMF3 => Self::Command(without_format(message.body)),
            message_type::AGGREGATE => Self::Aggregate(Aggregate::new(message)),
            other => match Control::decode(other, &message.body)? {
                Some(control) => Self::Control(control),
                None => Self::Ignored,
            },
        })
    }
}

const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";
const CLEAR_DATA_FRAME: &[u8] = b"\x02\x00\x0f@clearDataFrame";

/// The AMF0 values that players and files get from a data message of type 15 or 18.
///
/// `@setDataFrame` tells a server to keep what follows for late players; what is relayed and
/// recorded begins behind it. `None` when nothing is left to relay: `@clearDataFrame` (what was
/// sent cannot be unsent), an empty body, AMF3 that cannot be read. AMF0 stays byte for byte as it
/// was; what an AMF3 container holds in AMF3 becomes AMF0.
pub fn data(message_type: u8, body: Bytes, limits: &amf0::Limits) -> Option<Bytes> {
    let mut body = match message_type {
        message_type::DATA_AMF3 => amf0_of(without_format(body), limits)?,
        _ => body,
    };
    if body.starts_with(CLEAR_DATA_FRAME) {
        return None;
    }
    if body.starts_with(SET_DATA_FRAME) {
        body = body.slice(SET_DATA_FRAME.len()..);
    }
    (!body.is_empty()).then_some(body)
}

/// `metadata` (AMF0 that begins with `onMetaData`) as encoders send it: behind `@setDataFrame`.
pub fn set_data_frame(metadata: &[u8]) -> Bytes {
    [SET_DATA_FRAME, metadata].concat().into()
}

/// Takes the format byte off an AMF3 container. It is always 0 (E-RTMP v2 "AMF3"), which no command
/// and no data begins with; a container without it is read as well.
fn without_format(body: Bytes) -> Bytes {
    match body.first() {
        Some(0) => body.slice(1..),
        _ => body,
    }
}

fn amf0_of(body: Bytes, limits: &amf0::Limits) -> Option<Bytes> {
    const AMF3_VALUE: u8 = 0x11;
    // The marker may as well be a byte of a text or of a number; then this is done without need,
    // which is rare.
    if !body.contains(&AMF3_VALUE) {
        return Some(body);
    }
    let values = amf0::decode_all(&body, limits).ok()?;
    let mut encoded = Vec::with_capacity(body.len());
    for value in &values {
        amf0::encode(value, &mut encoded);
    }
    Some(encoded.into())
}

/// The messages in an aggregate message (RTMP 7.1.6), in order.
///
/// The body is a row of FLV tags. Their times count from the first one, which has the aggregate's
/// own time; the message stream and the chunk stream are the aggregate's. A tag that is cut short
/// ends the row; an aggregate inside is passed over, so that nothing recurses.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    message: Message,
    /// What takes a tag's time to the aggregate's clock; known from the first tag on.
    shift: Option<u32>,
}

impl Aggregate {
    /// Bytes of an FLV tag header, and of the back pointer behind each tag.
    const HEADER: usize = 11;
    const BACK_POINTER: usize = 4;

    /// Splits `message`.
    pub fn new(message: Message) -> Self {
        Self { message, shift: None }
    }

    /// The message stream that all of it belongs to.
    pub fn message_stream_id(&self) -> u32 {
        self.message.message_stream_id
    }

    fn tag(&mut self) -> Option<Message> {
        let body = &mut self.message.body;
        let (head, _) = body.split_first_chunk::<{ Self::HEADER }>()?;
        let &[kind, s1, s2, s3, t1, t2, t3, t0, _, _, _] = head;
        let size = usize::try_from(u32::from_be_bytes([0, s1, s2, s3])).ok()?;
        let end = Self::HEADER + size;
        if end > body.len() {
            return None;
        }
        let payload = body.slice(Self::HEADER..end);
        *body = body.slice((end + Self::BACK_POINTER).min(body.len())..);
        let time = u32::from_be_bytes([t0, t1, t2, t3]);
        let shift = *self.shift.get_or_insert(self.message.timestamp.wrapping_sub(time));
        Some(Message {
            chunk_stream_id: self.message.chunk_stream_id,
            message_stream_id: self.message.message_stream_id,
            // The two bits above are FLV's reserved ones, the third says "encrypted".
            message_type: kind & 0x1F,
            timestamp: time.wrapping_add(shift),
            body: payload,
        })
    }
}

impl Iterator for Aggregate {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        loop {
            match self.tag() {
                Some(tag) if tag.message_type == message_type::AGGREGATE => {}
                Some(tag) => return Some(tag),
                None => {
                    self.message.body = Bytes::new();
                    return None;
                }
            }
        }
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*field))
}

#[cfg(test)]
mod tests;
