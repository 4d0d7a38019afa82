//! The server's session, driven by a shell that believes nothing: every event must fit what was
//! granted, and what is to be sent has a bound.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::{Chunks, Kind, Packet};

use super::script::{HANDSHAKE, Listener, Wire};
use super::{Source, pieces};
use crate::handshake::ENTROPY_BYTES;
use crate::server::{CloseCode, Event, RejectCode, RequestId, ServerConfig, ServerSession};
use crate::{Error, Limits};

/// Any bytes from the client; the first one says whether they come behind a handshake, and what is
/// granted.
pub fn server_bytes(now: Instant, data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let mut input = if choice & 1 == 0 { handshake() } else { Vec::new() };
    input.extend_from_slice(rest);
    let at_once = run(now, choice, [input.as_slice()]);
    let in_pieces = run(now, choice, pieces(&input));
    assert_eq!(at_once, in_pieces, "it depends on the pieces");
}

/// C0, a C1 without a digest, and C2.
fn handshake() -> Vec<u8> {
    let mut bytes = vec![0; HANDSHAKE];
    bytes.iter_mut().take(1).for_each(|version| *version = 3);
    bytes
}

fn run<'a>(
    now: Instant,
    choice: u8,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<String>, Option<Error>) {
    let mut shell = Shell::new(now, Limits::default(), choice);
    for piece in pieces {
        shell.input(piece);
    }
    shell.timeout();
    let error = shell.error.clone();
    (shell.finish(), error)
}

/// A session in steps: what the client says, now and then damaged, and what the shell does. The
/// first byte chooses the limits.
pub fn server_script(now: Instant, data: &[u8]) {
    script(now, data);
}

/// The same; what the session told.
pub(super) fn script(now: Instant, data: &[u8]) -> Vec<String> {
    let mut source = Source(data);
    let choice = source.u8();
    let mut limits = Limits::default();
    if choice & 1 == 1 {
        limits.events = 3;
        limits.answer_bytes = 2_000;
        limits.message_streams = 2;
        limits.message_bytes = 500;
        limits.message_bytes_before_publish = 300;
        limits.chunk_streams = 8;
    }
    let mut shell = Shell::new(now, limits, choice);
    shell.answers_later = choice & 2 == 2;
    shell.input(&handshake());
    let mut wire = Wire::new();
    while !source.is_empty() {
        let step = source.u8();
        if step >= 192 {
            shell.act(step, &mut source);
            continue;
        }
        wire.client(&mut source);
        let mut bytes = wire.take();
        if step >= 160 {
            source.damage(&mut bytes);
        }
        match step & 1 {
            0 => shell.input(&bytes),
            _ => pieces(&bytes).for_each(|piece| shell.input(piece)),
        }
    }
    shell.finish()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Publish,
    Play,
}

/// A session, and what is known about it from outside.
struct Shell {
    session: ServerSession,
    now: Instant,
    choice: u8,
    answers_later: bool,
    answer_bytes: usize,
    /// The request that waits, with its stream and what it is for; none for a connect.
    pending: Option<(RequestId, Option<(u32, Use)>)>,
    granted: BTreeMap<u32, Use>,
    is_connected: bool,
    events: Vec<String>,
    error: Option<Error>,
    listener: Listener,
    answered: usize,
}

impl Shell {
    fn new(now: Instant, limits: Limits, choice: u8) -> Self {
        let answer_bytes = limits.answer_bytes;
        let config = ServerConfig { limits, ..ServerConfig::default() };
        Self {
            session: ServerSession::new(config, &[choice; ENTROPY_BYTES], now),
            now,
            choice,
            answers_later: false,
            answer_bytes,
            pending: None,
            granted: BTreeMap::new(),
            is_connected: false,
            events: Vec::new(),
            error: None,
            listener: Listener::new(),
            answered: 0,
        }
    }

    fn input(&mut self, bytes: &[u8]) {
        let result = self.session.handle_input(self.now, bytes);
        self.settle(result);
    }

    /// As often as the session asks for it, which must come to an end.
    fn timeout(&mut self) {
        for _ in 0..8 {
            match self.session.next_timeout() {
                Some(at) if at <= self.now => {
                    let result = self.session.handle_timeout(self.now);
                    self.settle(result);
                }
                _ => return,
            }
        }
        panic!("the session asks to be called for ever");
    }

    fn settle(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            assert!(self.session.should_close(), "an error ends the session");
            self.error.get_or_insert(error);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.event(&event);
            self.events.push(format!("{event:?}"));
            if !self.answers_later {
                self.answer();
            }
        }
        // One message beyond the bound, and what was asked for by this shell.
        let sent = self.session.output_len();
        assert!(sent <= self.answer_bytes + 16_384, "{sent} bytes wait to be sent");
        let mut out = Chunks::new();
        self.session.take_output(&mut out);
        self.listener.listen(&out.to_vec());
        assert_eq!(self.session.output_len(), 0);
    }

    fn event(&mut self, event: &Event) {
        let is_used = |stream: u32, used| self.granted.get(&stream) == Some(&used);
        match event {
            Event::Connect { request, .. } => {
                assert!(!self.is_connected && self.pending.is_none());
                self.pending = Some((*request, None));
            }
            Event::Publish { request, stream, .. } => self.ask(*request, *stream, Use::Publish),
            Event::Play { request, stream, .. } => self.ask(*request, *stream, Use::Play),
            Event::Media { stream, .. } => assert!(is_used(*stream, Use::Publish), "{event:?}"),
            Event::PublishEnded { stream } => {
                assert_eq!(self.granted.remove(stream), Some(Use::Publish), "{event:?}");
            }
            Event::PlayEnded { stream } => {
                assert_eq!(self.granted.remove(stream), Some(Use::Play), "{event:?}");
            }
            Event::Pause { stream, .. } | Event::Seek { stream, .. } => {
                assert!(is_used(*stream, Use::Play), "{event:?}");
            }
        }
    }

    fn ask(&mut self, request: RequestId, stream: u32, used: Use) {
        assert!(self.is_connected && self.pending.is_none() && stream != 0);
        assert!(!self.granted.contains_key(&stream), "the stream is in use");
        self.pending = Some((request, Some((stream, used))));
    }

    /// Grants the request that waits, or refuses it when that is its turn.
    fn answer(&mut self) {
        let Some((request, what)) = self.pending.take() else { return };
        self.answered += 1;
        let is_over = self.session.should_close();
        let refuses = self.choice >> 2 != 0
            && self.answered.is_multiple_of(2 + usize::from(self.choice >> 2));
        if refuses {
            let codes = [RejectCode::BadName, RejectCode::Unauthorized, RejectCode::Failed];
            let code = codes.get(self.answered % 3).copied().unwrap_or(RejectCode::NotFound);
            self.session.reject(request, code, "authmod=none");
        } else {
            self.session.accept(request);
        }
        // A second answer changes nothing.
        self.session.accept(request);
        match what {
            _ if is_over || refuses => {}
            None => self.is_connected = true,
            Some((stream, used)) => {
                assert_eq!(self.granted.insert(stream, used), None);
            }
        }
    }

    /// Something that the shell does by itself.
    fn act(&mut self, step: u8, source: &mut Source<'_>) {
        let stream = source.u32_of(4);
        match step % 8 {
            0 | 1 => {
                self.answer();
                self.drain();
            }
            2 => {
                self.now += Duration::from_secs(u64::from(source.u32_of(20)));
                self.timeout();
            }
            3 => {
                let body = Bytes::from_static(b"\x17\x01\0\0\0");
                let packet = Packet::new(Kind::Video, i64::from(source.u8()), body);
                let is_sent = self.session.send(stream, &packet);
                assert!(!is_sent || self.granted.get(&stream) == Some(&Use::Play));
            }
            4 => {
                self.session.close_stream(stream, CloseCode::TooSlow, "text");
                self.drain();
                assert!(!self.granted.contains_key(&stream), "it was closed");
            }
            5 => self.session.begin(stream),
            6 => self.session.end(stream),
            _ if source.u8() < 32 => {
                self.session.handle_eof();
                self.drain();
                self.end();
            }
            _ => self.session.wait_for_key(stream),
        }
        self.drain();
    }

    /// What holds once a session is over.
    fn end(&mut self) {
        assert!(self.session.should_close());
        assert!(self.granted.is_empty(), "not everything that was granted has ended");
        assert_eq!(self.session.poll_event(), None);
        let result = self.session.handle_input(self.now, b"more");
        // An error that nobody was told yet comes now.
        self.error = self.error.take().or(result.err());
        assert_eq!(self.session.handle_timeout(self.now), Ok(()));
        assert_eq!(self.session.next_timeout(), None);
        assert_eq!((self.session.poll_event(), self.session.output_len()), (None, 0));
    }

    fn finish(mut self) -> Vec<String> {
        self.session.handle_eof();
        self.drain();
        self.end();
        self.events
    }
}
