//! The client's session: what any server may make it say and send.

use std::time::{Duration, Instant};

use bytes::Bytes;
use media::{Chunks, Kind, Packet};

use super::script::{HANDSHAKE, Listener, Wire};
use super::{Source, pieces};
use crate::Error;
use crate::client::{ClientConfig, ClientEvent, ClientSession, Role};
use crate::handshake::ENTROPY_BYTES;
use crate::url::Url;

/// A session in steps: what the server says, now and then damaged, and what the shell does. The
/// first byte chooses whether the client plays or publishes.
pub fn client_session(now: Instant, data: &[u8]) {
    let mut source = Source(data);
    let role = if source.u8() & 1 == 0 { Role::Play } else { Role::Publish };
    let mut shell = Shell::new(now, role);
    let mut wire = Wire::new();
    let mut handshake = vec![0; HANDSHAKE];
    handshake.iter_mut().take(1).for_each(|version| *version = 3);
    shell.input(&handshake);
    while !source.is_empty() {
        let step = source.u8();
        if step >= 216 {
            shell.act(step, &mut source);
            continue;
        }
        wire.server(&mut source);
        let mut bytes = wire.take();
        if step >= 192 {
            source.damage(&mut bytes);
        }
        match step & 1 {
            0 => shell.input(&bytes),
            _ => pieces(&bytes).for_each(|piece| shell.input(piece)),
        }
    }
    shell.session.close();
    shell.drain();
    shell.end();
}

/// A session, and what is known about it from outside.
struct Shell {
    session: ClientSession,
    now: Instant,
    role: Role,
    is_ready: bool,
    /// Whether the stream that is played was said to be there.
    is_live: Option<bool>,
    is_rejected: bool,
    has_media: bool,
    listener: Listener,
}

impl Shell {
    fn new(now: Instant, role: Role) -> Self {
        let url = match Url::parse("rtmp://localhost/live/test?token=x") {
            Ok(url) => url,
            Err(error) => panic!("{error}"),
        };
        let config = ClientConfig::new(&url, role);
        let mut shell = Self {
            session: ClientSession::new(config, &[7; ENTROPY_BYTES], now),
            now,
            role,
            is_ready: false,
            is_live: None,
            is_rejected: false,
            has_media: false,
            listener: Listener::new(),
        };
        shell.drain();
        shell
    }

    fn input(&mut self, bytes: &[u8]) {
        let was_closed = self.session.is_closed();
        let result = self.session.handle_input(self.now, bytes);
        self.settle(was_closed, result);
    }

    fn settle(&mut self, was_closed: bool, result: Result<(), Error>) {
        if result.is_err() {
            assert!(!was_closed && self.session.is_closed(), "an error ends the session, once");
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.event(&event);
        }
        // A few calls a message of the server's.
        let sent = self.session.output_len();
        assert!(sent <= 65_536, "{sent} bytes wait to be sent");
        let mut out = Chunks::new();
        self.session.take_output(&mut out);
        self.listener.listen(&out.to_vec());
        let has_asked = self.listener.commands.contains("play");
        assert!(!self.has_media || has_asked, "media that nobody asked for");
    }

    fn event(&mut self, event: &ClientEvent) {
        assert!(!self.is_rejected, "{event:?} after the end");
        match event {
            ClientEvent::Ready => {
                assert!(!self.is_ready, "ready twice");
                self.is_ready = true;
            }
            ClientEvent::Media { .. } => {
                assert!(self.role == Role::Play, "{event:?}");
                self.has_media = true;
                self.is_live = Some(true);
            }
            // At any time: it is for the next connection.
            ClientEvent::ReconnectRequest { .. } => {}
            ClientEvent::Begin => {
                assert!(self.is_ready && self.is_live != Some(true), "begun twice");
                self.is_live = Some(true);
            }
            ClientEvent::End => {
                assert!(self.is_ready && self.is_live != Some(false), "ended twice");
                self.is_live = Some(false);
            }
            ClientEvent::Rejected { .. } => {
                assert!(self.session.is_closed() && !self.is_ready);
                self.is_rejected = true;
            }
            ClientEvent::Status { .. } => {}
        }
    }

    fn act(&mut self, step: u8, source: &mut Source<'_>) {
        match step % 4 {
            0 => {
                self.now += Duration::from_secs(u64::from(source.u32_of(20)));
                let is_due = self.session.next_timeout().is_some_and(|at| at <= self.now);
                let was_closed = self.session.is_closed();
                let result = self.session.handle_timeout(self.now);
                assert_eq!(result.is_err(), is_due);
                self.settle(was_closed, result);
                assert!(self.session.next_timeout().is_none_or(|at| at > self.now));
            }
            1 | 2 => {
                let kind = source.one(&[Kind::Audio, Kind::Video, Kind::Data]);
                let body = Bytes::from_static(b"\x02\0\x0aonMetaData\x05");
                let packet = Packet::new(kind, i64::from(source.u8()), body);
                let is_sent = self.session.send(&packet);
                let may = self.is_ready && self.role == Role::Publish && !self.session.is_closed();
                assert_eq!(is_sent, may);
            }
            _ if source.u8() < 32 => self.session.close(),
            _ => {}
        }
        self.drain();
    }

    /// What holds once a session is over.
    fn end(&mut self) {
        assert!(self.session.is_closed());
        assert_eq!(self.session.handle_input(self.now, b"more"), Ok(()));
        assert_eq!(self.session.handle_timeout(self.now), Ok(()));
        assert_eq!((self.session.poll_event(), self.session.output_len()), (None, 0));
        assert_eq!(self.session.next_timeout(), None);
    }
}
