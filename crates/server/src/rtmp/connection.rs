//! One RTMP connection: a task that drives a session by its socket and the clock.
//!
//! One loop: write what there is to write, then wait for whatever comes first — bytes, packets to play, a time limit
//! or the server's end. What a connection publishes and plays is in `publish` and `play`, what the server's operator
//! wants of it in `operator`, how others write for its player in `group`.

mod end;
mod group;
mod operator;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use live::{Key, KeyError, Read};
use media::{Chunks, Packet};
use rtmp::capabilities::caps_ex;
use rtmp::server::{CloseCode, Connect, Event, RejectCode, RequestId, ServerConfig, ServerSession};
use tokio::io::Ready;
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::Context;
use super::fanout::{Back, Membership};
use super::listener::Handshake;
use super::play::{Play, Plays};
use super::publish::Publish;
use super::quiet::Quiet;
use super::socket::{Got, Socket};
use crate::sessions::Connected;
use crate::telemetry;
pub(super) use end::End;

/// Read at once. One buffer a thread serves all connections: nothing is kept in it between two reads.
const READ_BYTES: usize = 256 << 10;
/// Reads in a row before others get their turn.
const READS: usize = 4;
/// Reads of what is left in the system's buffer when a publisher is given up: more than any buffer holds.
const REST_READS: usize = 64;
/// Answers that may wait for a client that does not read them, in bytes; beyond it nothing more is read from it.
const OUTPUT_MAX: usize = 1 << 20;
/// Parts of one vectored write.
const SLICES: usize = 128;
/// Of most: one frame, or a few.
const FEW_SLICES: usize = 8;
/// A client that was refused has this long to read why, then it is disconnected: some wait for that.
const REFUSED: Duration = Duration::from_secs(3);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Serves one connection until it ends.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    context: Arc<Context>,
    handshake: Handshake,
) {
    let mut entropy = [0; rtmp::handshake::ENTROPY_BYTES];
    if let Err(error) = getrandom::fill(&mut entropy) {
        return telemetry::connection_refused(peer, &error.to_string());
    }
    let message_bytes = context.config.max_message_size;
    // `live::Key` has the limit of names, and what it refuses is logged.
    let name_bytes = 65_536;
    let limits = rtmp::Limits { message_bytes, name_bytes, ..rtmp::Limits::default() };
    let config = ServerConfig { limits, ..ServerConfig::default() };
    let now = Instant::now();
    let mut connection = Connection {
        socket: Socket::Awake(Arc::new(socket)),
        quiet: Quiet::new(now, context.config.record_flush),
        session: ServerSession::new(config, &entropy, now),
        output: Chunks::new(),
        blocked_since: None,
        publishes: Vec::new(),
        plays: Plays::default(),
        membership: None,
        alone_until: None,
        batch: Vec::new(),
        handshake: Some(handshake),
        refused: None,
        kicked: None,
        closing: None,
        client: Client {
            session: context.sessions.connect(peer),
            app: String::new(),
            name: String::new(),
        },
        context,
    };
    let end = connection.run().await;
    connection.close(&end);
}

/// Who is at the other end.
#[derive(Debug)]
pub(super) struct Client {
    /// Its entry among all connections.
    pub(super) session: Connected,
    app: String,
    /// What it calls itself.
    pub(super) name: String,
}

impl Client {
    /// Where it comes from.
    pub(super) fn peer(&self) -> SocketAddr {
        self.session.peer.addr
    }
}

/// What a connection is woken for.
enum Turn {
    Read(u32, Read),
    Ready(io::Result<Ready>),
    /// There is room for a publisher that was held.
    Room,
    Time,
    Stop,
    Kick,
    Cut,
    /// The group has let go of the player.
    Back(Option<Back>),
}

struct Connection {
    socket: Socket,
    quiet: Quiet,
    session: ServerSession,
    output: Chunks,
    /// Since when the socket has taken nothing of the output.
    blocked_since: Option<Instant>,
    publishes: Vec<Publish>,
    plays: Plays,
    /// While others write for its player; everything else begins with leaving.
    membership: Option<Membership>,
    /// When it may be in a group again.
    alone_until: Option<Instant>,
    /// Packets on their way to a player; empty between two turns.
    batch: Vec<Packet>,
    handshake: Option<Handshake>,
    /// After a refusal: until when it may stay without another publish or play.
    refused: Option<Instant>,
    /// After a kick: until when it may stay, to read why.
    kicked: Option<Instant>,
    /// When the server stops: until when players may take what is left.
    closing: Option<Instant>,
    client: Client,
    context: Arc<Context>,
}

impl Connection {
    async fn run(&mut self) -> End {
        let stopping = self.context.stopping.clone();
        let mut stopped = stopping.clone();
        // The sender lives as long as the server does. It is asked once, which is enough for it to wake this task, and
        // then looked at: asking takes a lock that all connections share.
        let stop = async move { stopped.wait_for(|stop| *stop).await.is_ok() };
        let mut stop = pin!(tokio::task::unconstrained(stop));
        let mut is_asked = false;
        let mut stopped = pin!(std::future::poll_fn(|cx| {
            if stopping.has_changed().unwrap_or(true) {
                return Poll::Ready(());
            }
            match std::mem::replace(&mut is_asked, true) {
                false => stop.as_mut().poll(cx).map(drop),
                true => Poll::Pending,
            }
        }));
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        let peer = self.client.session.peer.clone();
        loop {
            // It is in no group here: `on_turn` has left it.
            // Looked at in each turn, so that a connection that always has something to do cannot put them off.
            let now = Instant::now();
            if self.closing.is_none() && stopping.has_changed().unwrap_or(true) {
                self.begin_closing();
            }
            if timer.deadline() <= now.into()
                && let Err(end) = self.on_time(now)
            {
                return end;
            }
            if self.quiet.is_due(now)
                && let Err(end) = self.pace(now)
            {
                return end;
            }
            if let Err(end) = self.flush() {
                self.read_rest();
                return end;
            }
            if self.output.is_empty() && self.session.should_close() {
                return End::Refused;
            }
            if self.closing.is_some() && self.output.is_empty() && self.plays.is_empty() {
                return End::Stopping;
            }
            let held = self.is_held(now);
            arm(timer.as_mut(), self.deadline(held), now);
            self.join_group(now);
            let cut = async {
                match &self.handshake {
                    Some(handshake) => handshake.cut().await,
                    None => std::future::pending().await,
                }
            };
            let reads = self.output.is_empty() && self.membership.is_none();
            // Everything here is cancel safe. What wakes a task most often comes first.
            let turn = tokio::select! {
                biased;
                (play, read) = self.plays.next(&mut self.batch), if reads => Turn::Read(play, read),
                ready = self.socket.ready(interest(&self.output, held)) => Turn::Ready(ready),
                () = room(&self.publishes), if held => Turn::Room,
                () = timer.as_mut() => Turn::Time,
                () = &mut stopped, if self.closing.is_none() => Turn::Stop,
                () = std::future::poll_fn(|cx| peer.poll_kick(cx)) => Turn::Kick,
                () = cut, if self.handshake.is_some() => Turn::Cut,
                back = group::back(&mut self.membership) => Turn::Back(back),
            };
            if let Err(end) = self.on_turn(turn) {
                return end;
            }
        }
    }

    fn on_turn(&mut self, turn: Turn) -> Result<(), End> {
        if let Turn::Back(back) = turn {
            return self.take_back(back);
        }
        self.leave_group()?;
        match turn {
            Turn::Read(play, read) => self.on_read(play, read),
            Turn::Ready(ready) => self.on_ready(ready.map_err(End::Socket)?),
            Turn::Kick => {
                self.on_kick();
                Ok(())
            }
            Turn::Cut => Err(End::Handshakes),
            Turn::Room | Turn::Time | Turn::Stop | Turn::Back(_) => Ok(()),
        }
    }

    /// Gathers the session's output and writes what the socket takes.
    fn flush(&mut self) -> Result<(), End> {
        self.session.take_output(&mut self.output);
        while !self.output.is_empty() {
            match self.write() {
                Ok(0) => return Err(End::Closed),
                Ok(n) => {
                    self.output.advance(n);
                    self.client.session.peer.traffic.write_bytes(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked_since.get_or_insert_with(Instant::now);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(End::Socket(error)),
            }
            self.blocked_since = None;
        }
        Ok(())
    }

    /// Writes what the socket takes of the output.
    fn write(&self) -> io::Result<usize> {
        // One frame is two parts; laying out room for many costs more than all else that is done here.
        let mut few = [IoSlice::new(&[]); FEW_SLICES];
        let filled = self.output.fill(&mut few);
        if filled < few.len() {
            return self.socket.write_vectored(few.get(..filled).unwrap_or_default());
        }
        let mut many = [IoSlice::new(&[]); SLICES];
        let filled = self.output.fill(&mut many);
        self.socket.write_vectored(many.get(..filled).unwrap_or_default())
    }

    /// Reads what has arrived; what can be written now is written by the loop.
    fn on_ready(&mut self, ready: Ready) -> Result<(), End> {
        if ready.is_readable() { self.read(READS, true) } else { Ok(()) }
    }

    /// Reads a quiet socket, and decides whether it is to be quiet.
    fn pace(&mut self, now: Instant) -> Result<(), End> {
        let is_quiet = self.socket.is_quiet();
        if is_quiet && !self.is_held(now) {
            self.read(READS, true)?;
        }
        let may_be = !self.publishes.is_empty()
            && !self.publishes.iter().any(Publish::is_watched)
            && self.plays.is_empty()
            && self.closing.is_none()
            && self.output.is_empty()
            && !self.is_held(now);
        let quiet = self.quiet.decide(now, is_quiet, may_be);
        self.socket.set_quiet(quiet).map_err(End::Socket)
    }

    /// Whether nothing more is to be read until recorders have caught up.
    fn is_held(&self, now: Instant) -> bool {
        let cx = &mut task::Context::from_waker(Waker::noop());
        self.publishes.iter().any(|publish| publish.poll_room(now, cx).is_pending())
    }

    /// Reads what has arrived, at most so many times; if `holds`, no more than recorders have room for.
    fn read(&mut self, most: usize, holds: bool) -> Result<(), End> {
        BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..most {
                let got = match self.socket.read(buffer) {
                    Ok(Got { bytes: 0, .. }) => return Err(End::Closed),
                    Ok(got) => got,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(End::Socket(error)),
                };
                self.client.session.peer.traffic.read_bytes(got.bytes);
                let now = Instant::now();
                self.quiet.count(got.bytes);
                let input = buffer.get(..got.bytes).unwrap_or_default();
                let taken = self.session.handle_input(now, input);
                self.drain_events(now);
                taken.map_err(End::Session)?;
                if got.is_all
                    || self.session.output_len() > OUTPUT_MAX
                    || holds && self.is_held(now)
                {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Takes what has arrived from a publisher before it is given up: it was sent, so it is recorded.
    fn read_rest(&mut self) {
        if !self.publishes.is_empty() {
            // How the connection ends is known already.
            let _ = self.read(REST_READS, false);
        }
    }

    /// Acts on everything the session has to tell.
    fn drain_events(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Media { stream, chunk_stream_id, kind, timestamp, body } => {
                    telemetry::media_packet(
                        kind.name(),
                        chunk_stream_id,
                        stream,
                        timestamp,
                        body.len(),
                    );
                    if let Some(publish) = self.publishes.iter_mut().find(|p| p.stream == stream) {
                        publish.gather(kind, timestamp, body);
                    }
                }
                Event::Connect { request, info } => self.on_connect(request, *info),
                Event::Publish { request, stream, app, name, .. } => {
                    self.on_publish(now, request, stream, Key::new(&app, &name));
                }
                Event::Play { request, stream, app, name, .. } => {
                    self.on_play(request, stream, Key::new(&app, &name));
                }
                // A session that is over ends everything at once; `close` knows why.
                Event::PublishEnded { .. } | Event::PlayEnded { .. }
                    if self.session.should_close() => {}
                Event::PublishEnded { stream } => {
                    self.end_publishes(|p| p.stream == stream, &"ended by the publisher");
                }
                Event::PlayEnded { stream } => {
                    self.end_plays(|p| p.stream == stream, &"ended by the player");
                }
                // The session holds media back and goes on at a key frame by itself.
                Event::Pause { .. } | Event::Seek { .. } => {}
            }
        }
        for publish in &mut self.publishes {
            publish.push(now);
        }
    }

    fn on_connect(&mut self, request: RequestId, info: Connect) {
        self.handshake = None;
        // Client text is for logs only.
        self.client.app = info.app.escape_debug().take(128).collect();
        self.client.name = info.flash_ver.escape_debug().take(64).collect();
        self.client.session.peer.introduce(&self.client.name);
        self.client.session.peer.set_follows(info.capabilities.has(caps_ex::RECONNECT));
        if info.app.len() > Key::MAX_BYTES {
            let why = "the application name is too long";
            telemetry::connection_refused(self.client.peer(), why);
            return self.session.reject(request, RejectCode::BadName, why);
        }
        telemetry::connected(self.client.peer(), &self.client.app, &self.client.name);
        self.session.accept(request);
        self.ask_elsewhere();
    }

    fn on_publish(
        &mut self,
        now: Instant,
        request: RequestId,
        stream: u32,
        key: Result<Key, KeyError>,
    ) {
        let refused = match (&key, self.is_closed_to_new()) {
            (Err(error), _) => (RejectCode::BadName, error.to_string()),
            (_, Some(why)) => (RejectCode::Failed, why),
            (Ok(key), None) => {
                match Publish::start(&self.context, key, stream, &self.client, now) {
                    Ok(publish) => {
                        self.session.accept(request);
                        return self.publishes.push(publish);
                    }
                    Err(error @ live::PublishError::Busy) => {
                        (RejectCode::BadName, error.to_string())
                    }
                    Err(error) => (RejectCode::Failed, error.to_string()),
                }
            }
        };
        telemetry::publish_refused(&shown(&key), self.client.peer(), &refused.1);
        self.session.reject(request, refused.0, &refused.1);
        self.refused = Some(Instant::now() + REFUSED);
    }

    fn on_play(&mut self, request: RequestId, stream: u32, key: Result<Key, KeyError>) {
        let watched = match (&key, self.is_closed_to_new()) {
            (Err(error), _) => Err((RejectCode::NotFound, error.to_string())),
            (_, Some(why)) => Err((RejectCode::Failed, why)),
            (Ok(key), None) => self
                .context
                .registry
                .watch(key)
                .map_err(|error| (RejectCode::Failed, error.to_string())),
        };
        match watched {
            Ok(watcher) => {
                telemetry::play_started(watcher.key(), self.client.peer(), &self.client.name);
                self.session.accept(request);
                let timeout = self.context.config.play_timeout;
                let session = self.client.session.play(watcher.key(), stream);
                self.plays.push(Play::new(stream, watcher, session, timeout));
            }
            Err((code, why)) => {
                telemetry::play_refused(&shown(&key), self.client.peer(), &why);
                self.session.reject(request, code, &why);
                self.refused = Some(Instant::now() + REFUSED);
            }
        }
    }

    /// Passes on what a player's cursor gave.
    fn on_read(&mut self, stream: u32, read: Read) -> Result<(), End> {
        let now = Instant::now();
        let Some(play) = self.plays.get_mut(stream) else { return Ok(()) };
        match read {
            Read::Packets => {
                play.retime(&mut self.batch, now);
                for packet in &self.batch {
                    self.session.send(stream, packet);
                }
                self.client.session.peer.traffic.send(self.batch.len());
                self.batch.clear();
            }
            Read::Joined { header, dts_ms, lost } => {
                let is_first = lost.packets == 0 && play.begin_run(dts_ms, now);
                if is_first {
                    self.session.begin(stream);
                } else if lost.packets == 0 {
                    self.session.wait_for_key(stream);
                } else if play.falls_behind(now, lost) {
                    let why = "too slow for this stream";
                    self.session.close_stream(stream, CloseCode::TooSlow, why);
                    self.flush()?;
                    return Err(End::PlayerStalled);
                } else {
                    telemetry::player_lags(play.key(), self.client.peer(), lost);
                    self.session.wait_for_key(stream);
                }
                for packet in play.header(&header, dts_ms, is_first) {
                    self.session.send(stream, &packet);
                }
            }
            Read::Ended { lost } => {
                let hold = Some(self.context.config.play_hold);
                let hold = hold.filter(|hold| self.closing.is_none() && !hold.is_zero());
                if play.end_run(lost, hold.map(|hold| now + hold)) {
                    self.session.end(stream);
                }
                if self.closing.is_some() {
                    self.end_plays(|p| p.stream == stream, &End::Stopping);
                }
            }
            Read::Idle => {}
        }
        Ok(())
    }

    /// The next moment at which something is due even if nothing arrives.
    fn deadline(&self, held: bool) -> Option<Instant> {
        let config = &self.context.config;
        let publishes = self.publishes.iter().map(|p| p.due(config.publish_timeout));
        let stall = self.blocked_since.map(|since| since + config.play_timeout);
        let leaves = self.refused.filter(|_| self.is_idle());
        let lives = self.publishes.iter().map(Publish::live_at).filter(|_| held);
        let read = self.socket.is_quiet().then(|| self.quiet.due());
        let due = publishes.chain(read).chain(self.session.next_timeout()).chain(stall);
        let due = due.chain(lives).chain(self.closing).chain(leaves).chain(self.kicked);
        due.chain(self.plays.held_until()).min()
    }

    fn on_time(&mut self, now: Instant) -> Result<(), End> {
        if self.closing.is_some_and(|deadline| now >= deadline) {
            return Err(End::Stopping);
        }
        if self.is_idle() && self.kicked.is_some_and(|deadline| now >= deadline) {
            return Err(End::Kicked);
        }
        if self.is_idle() && self.refused.is_some_and(|deadline| now >= deadline) {
            return Err(End::Refused);
        }
        let config = &self.context.config;
        if self.blocked_since.is_some_and(|since| now >= since + config.play_timeout) {
            return Err(End::PlayerStalled);
        }
        let silent = |p: &Publish| p.is_silent(now, self.context.config.publish_timeout);
        if self.publishes.iter().any(silent) {
            self.give_up_silent(now)?;
        }
        for publish in &mut self.publishes {
            publish.report(now);
        }
        for stream in self.plays.end_overdue(now) {
            self.session.end(stream);
        }
        if self.session.next_timeout().is_some_and(|due| now >= due) {
            let seen = self.session.handle_timeout(now);
            self.drain_events(now);
            seen.map_err(End::Session)?;
        }
        Ok(())
    }

    /// Gives up publishers that sent nothing. What has arrived counts, however late it is read; a publisher that is
    /// held back cannot send.
    fn give_up_silent(&mut self, now: Instant) -> Result<(), End> {
        if self.is_held(now) {
            self.publishes.iter_mut().for_each(|publish| publish.touch(now));
        } else {
            self.read(READS, true)?;
        }
        let timeout = self.context.config.publish_timeout;
        match self.publishes.iter().any(|p| p.is_silent(now, timeout)) {
            true => Err(End::PublisherSilent),
            false => Ok(()),
        }
    }

    fn is_idle(&self) -> bool {
        self.publishes.is_empty() && self.plays.is_empty()
    }

    /// Ends everything and tells why.
    fn close(&mut self, end: &End) {
        self.session.handle_eof();
        match end {
            End::Session(error @ rtmp::Error::Refused(_)) => {
                telemetry::not_rtmp(self.client.peer(), error);
            }
            // Port scanners and load balancers connect and say nothing.
            End::Session(error @ rtmp::Error::Timeout(_)) => {
                telemetry::timed_out(self.client.peer(), error);
            }
            End::Session(error) => telemetry::protocol_error(self.client.peer(), error),
            _ => {}
        }
        self.end_publishes(|_| true, end);
        self.end_plays(|_| true, end);
        telemetry::disconnected(self.client.peer(), end);
    }

    fn end_publishes(&mut self, which: impl Fn(&Publish) -> bool, reason: &dyn fmt::Display) {
        for publish in self.publishes.extract_if(.., |p| which(p)) {
            publish.end(self.client.peer(), reason);
        }
    }

    fn end_plays(&mut self, which: impl Fn(&Play) -> bool, reason: &dyn fmt::Display) {
        for play in self.plays.extract(which) {
            let (key, lost) = (play.key().clone(), play.lost());
            // Who reads that it has ended finds it gone.
            play.close(reason.to_string());
            telemetry::play_ended(&key, self.client.peer(), lost, reason);
        }
    }
}

/// What to wait for on the socket: while there is much to write, or the publisher is held, nothing more is read.
fn interest(output: &Chunks, held: bool) -> Ready {
    let read = if held || output.len() > OUTPUT_MAX { Ready::EMPTY } else { Ready::READABLE };
    let write = if output.is_empty() { Ready::EMPTY } else { Ready::WRITABLE };
    read | write
}

/// Completes when no recorder is too far behind any more.
async fn room(publishes: &[Publish]) {
    std::future::poll_fn(|cx| {
        let now = Instant::now();
        let held = publishes.iter().any(|publish| publish.poll_room(now, cx).is_pending());
        if held { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// Sets the timer, leaving it alone where it fires early enough: what it fires for is looked up then.
fn arm(mut timer: Pin<&mut Sleep>, deadline: Option<Instant>, now: Instant) {
    /// Nothing is due: some time far away.
    const FAR: Duration = Duration::from_secs(3_600);
    let deadline = deadline.unwrap_or_else(|| now + FAR).into();
    if timer.deadline() <= now.into() || deadline < timer.deadline() {
        timer.as_mut().reset(deadline);
    }
}

fn shown(key: &Result<Key, KeyError>) -> String {
    key.as_ref().map(Key::to_string).unwrap_or_default()
}
