//! What the shell tells a client: answers to its requests, media, begin and end of what it plays.

use bytes::Bytes;
use media::Packet;
use media::amf0::{self, Value};

use super::{Pending, RequestId, ServerSession, Stage};
use crate::capabilities::caps_ex;
use crate::command::{Command, Level, on_status, reconnect_request, status};
use crate::message::{Control, UserControl};

/// Why a request is refused. The code on the wire depends on what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectCode {
    /// The name cannot be used: somebody else publishes it, or it is no name.
    BadName,
    /// Who asks may not do this.
    Unauthorized,
    /// There is no such application or stream.
    NotFound,
    /// Anything else.
    Failed,
}

/// Why the server ends a publish or a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// It is over: somebody stopped it, or the server stops.
    Stopped,
    /// Nothing came for too long.
    Idle,
    /// The player cannot keep up.
    TooSlow,
    /// Anything else.
    Failed,
}

impl ServerSession {
    /// Grants a request. One that is no longer waiting is passed over. Poll for events afterwards:
    /// what the client sent behind the request is read now.
    pub fn accept(&mut self, request: RequestId) {
        let Some(pending) = self.answered(request) else { return };
        match pending {
            Pending::Connect { transaction_id, object_encoding } => {
                self.stage = Stage::Ready;
                self.accept_connect(transaction_id, object_encoding);
            }
            Pending::Publish { stream, name } => {
                self.streams.publish(stream, name);
                self.link.set_message_bytes(self.config.limits.message_bytes);
                self.user_control(UserControl::StreamBegin(stream));
                let text = "Publishing.";
                self.status(stream, Level::Status, "NetStream.Publish.Start", text);
            }
            Pending::Play { stream, reset } => {
                self.streams.play(stream);
                self.accept_play(stream, reset);
            }
        }
    }

    /// Refuses a request. One that is no longer waiting is passed over. After a refused `connect`
    /// the connection is to be closed; after another the client may try again, though most wait for
    /// the connection to be closed.
    ///
    /// `description` is for people, and reaches the client.
    pub fn reject(&mut self, request: RequestId, code: RejectCode, description: &str) {
        let Some(pending) = self.answered(request) else { return };
        match pending {
            Pending::Connect { transaction_id, .. } => {
                let code = match code {
                    RejectCode::NotFound | RejectCode::BadName => {
                        "NetConnection.Connect.InvalidApp"
                    }
                    _ => "NetConnection.Connect.Rejected",
                };
                self.error(transaction_id, code, description);
                self.stop();
            }
            Pending::Publish { stream, .. } => {
                let code = match code {
                    RejectCode::BadName => "NetStream.Publish.BadName",
                    RejectCode::Unauthorized => "NetStream.Publish.Denied",
                    _ => "NetStream.Publish.Failed",
                };
                self.status(stream, Level::Error, code, description);
            }
            Pending::Play { stream, .. } => {
                let code = match code {
                    RejectCode::BadName | RejectCode::NotFound => "NetStream.Play.StreamNotFound",
                    _ => "NetStream.Play.Failed",
                };
                self.status(stream, Level::Error, code, description);
            }
        }
    }

    /// Sends a packet to the player of `stream`, unless it paused or does not want that kind;
    /// whether it was sent. After a pause video goes on at a key frame. Headers are sent always.
    /// Times are the packet's. A body longer than a message can be is not sent.
    pub fn send(&mut self, stream: u32, packet: &Packet) -> bool {
        let takes = self.streams.player(stream).is_some_and(|player| player.takes(packet));
        takes && self.link.media(stream, packet, &packet.body)
    }

    /// Holds video back from the player of `stream` until the next key frame: the packets before it
    /// were lost.
    pub fn wait_for_key(&mut self, stream: u32) {
        if let Some(player) = self.streams.player(stream) {
            player.wait_for_key();
        }
    }

    /// Tells the player of `stream` that what it waits for has begun, or begun again.
    pub fn begin(&mut self, stream: u32) {
        if let Some(player) = self.streams.player(stream) {
            player.begin();
            self.user_control(UserControl::StreamBegin(stream));
            let text = "The stream is published.";
            self.status(stream, Level::Status, "NetStream.Play.PublishNotify", text);
        }
    }

    /// Tells the player of `stream` that what it plays is over. Most players leave; one that stays
    /// waits for [`ServerSession::begin`].
    pub fn end(&mut self, stream: u32) {
        if self.streams.player(stream).is_some() {
            self.user_control(UserControl::StreamEof(stream));
            let text = "The stream is no longer published.";
            self.status(stream, Level::Status, "NetStream.Play.UnpublishNotify", text);
        }
    }

    /// Ends a publish or a play at the server's will, telling why. The end comes as an event too.
    pub fn close_stream(&mut self, stream: u32, code: CloseCode, description: &str) {
        let publishing = self.streams.is_publishing(stream);
        let Some(ended) = self.streams.end(stream) else { return };
        self.events.push_back(ended);
        self.deadline = None;
        let (level, code) = match (publishing, code) {
            (true, CloseCode::Stopped) => (Level::Status, "NetStream.Unpublish.Success"),
            (true, CloseCode::Idle) => (Level::Status, "NetStream.Publish.Idle"),
            (true, _) => (Level::Error, "NetStream.Publish.Failed"),
            (false, CloseCode::Stopped | CloseCode::Idle) => (Level::Status, "NetStream.Play.Stop"),
            (false, CloseCode::TooSlow) => (Level::Warning, "NetStream.Play.InsufficientBW"),
            (false, CloseCode::Failed) => (Level::Error, "NetStream.Play.Failed"),
        };
        if !publishing {
            self.user_control(UserControl::StreamEof(stream));
        }
        self.status(stream, level, code, description);
    }

    /// Asks the client to connect again, to `tc_url` (absolute, or relative to the URL it has) or
    /// else where it is connected now, and tells it why; whether it was asked. Clients that did not
    /// say that they follow such a request are not (E-RTMP v2 "Reconnect Request"). One that was
    /// asked goes on here up to a key frame or so, and is to be served until it leaves.
    ///
    /// `description` is for people, and reaches the client.
    pub fn request_reconnect(&mut self, tc_url: Option<&str>, description: Option<&str>) -> bool {
        let may_ask = matches!(self.stage, Stage::Ready) && self.offered.has(caps_ex::RECONNECT);
        if may_ask {
            self.link.command(0, &reconnect_request(tc_url, description));
        }
        may_ask
    }

    fn answered(&mut self, request: RequestId) -> Option<Pending> {
        let (_, pending) = self.pending.take_if(|(waiting, _)| *waiting == request)?;
        // The time until the next request starts anew: the client did not spend what the shell took
        // to decide.
        self.deadline = None;
        Some(pending)
    }

    fn accept_connect(&mut self, transaction_id: f64, object_encoding: u8) {
        let window = self.config.window_ack_size;
        self.link.control(Control::WindowAckSize(window));
        self.link.control(Control::SetPeerBandwidth { window, limit: 2 });
        self.link.control(Control::SetChunkSize(self.config.chunk_size));
        let server = Value::Object(vec![
            // Clients that look at it want a Flash Media Server 3; the true name is in `data`.
            ("fmsVer".to_owned(), "FMS/3,5,7,7009".into()),
            ("capabilities".to_owned(), 31.0.into()),
            ("mode".to_owned(), 1.0.into()),
        ]);
        let text = "Connection succeeded.";
        let mut info = status(Level::Status, "NetConnection.Connect.Success", text);
        if let Value::Object(properties) = &mut info {
            let version = self.config.server_version.as_str().into();
            let data = Value::Object(vec![("version".to_owned(), version)]);
            properties.push(("objectEncoding".to_owned(), f64::from(object_encoding).into()));
            properties.push(("data".to_owned(), data));
            properties.extend(self.config.capabilities.properties());
        }
        let mut result = Command::new("_result", transaction_id, vec![info]);
        result.object = server;
        self.link.command(0, &result);
    }

    /// RTMP 7.2.2.1: StreamBegin is first, since some clients wait for it before they look at a
    /// status.
    fn accept_play(&mut self, stream: u32, reset: bool) {
        self.user_control(UserControl::StreamBegin(stream));
        if reset {
            self.status(stream, Level::Status, "NetStream.Play.Reset", "Resetting.");
        }
        self.status(stream, Level::Status, "NetStream.Play.Start", "Playing.");
        // Flash lets scripts at the samples only after this.
        let mut access = Vec::new();
        amf0::encode_string("|RtmpSampleAccess", &mut access);
        amf0::encode_boolean(true, &mut access);
        amf0::encode_boolean(true, &mut access);
        self.link.data(stream, &Bytes::from(access));
    }

    pub(super) fn user_control(&mut self, event: UserControl) {
        self.link.control(Control::User(event));
    }

    pub(super) fn status(&mut self, stream: u32, level: Level, code: &str, description: &str) {
        self.link.command(stream, &on_status(level, code, description));
    }

    pub(super) fn error(&mut self, transaction_id: f64, code: &str, description: &str) {
        let info = status(Level::Error, code, description);
        self.link.command(0, &Command::new("_error", transaction_id, vec![info]));
    }
}
