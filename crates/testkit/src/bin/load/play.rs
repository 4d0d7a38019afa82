//! The players: one thread for all, each checks every frame that it gets.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes, BytesMut};
use media::Chunks;
use rtmp::client::{ClientEvent, ClientSession, Role};
use testkit::Stamp;
use testkit::source::{AUDIO_CONFIG, StampError, VIDEO_CONFIG};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::Result;
use crate::figures::Histogram;
use crate::publish::{hello, micros, session};

/// Read at once.
const READ_BYTES: usize = 256 << 10;
/// The command to play, in AMF.
const PLAY: &[u8] = b"\x02\x00\x04play";
/// A player that gets nothing for this long has failed.
const SILENCE: Duration = Duration::from_secs(30);

/// What all players of a run share.
#[derive(Debug)]
pub(crate) struct Seats {
    pub(crate) addr: SocketAddr,
    pub(crate) players: u32,
    /// Players that are joining at a time.
    pub(crate) joining: u32,
    pub(crate) publishers: u32,
    pub(crate) is_plain: bool,
    /// When the run began; stamps count from it.
    pub(crate) epoch: Instant,
    /// Players that have got their first frame.
    pub(crate) joined: AtomicUsize,
    /// Frames sent before this time, in µs from the epoch, tell nothing of the latency.
    pub(crate) window_us: AtomicU64,
    /// Bytes that all players have got.
    pub(crate) received: AtomicU64,
}

/// What the players of a run have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From the publisher's write to the player's check, in µs.
    pub(crate) latency: Histogram,
    /// From asking for the stream to the first frame, in µs.
    pub(crate) join: Histogram,
    /// The longest that a player was without a frame, in µs.
    pub(crate) silence_us: u64,
    /// Frames that came.
    pub(crate) frames: u64,
    /// Frames that are missing between the first and the last.
    pub(crate) lost: u64,
    /// Frames that are not as they were sent, come twice or too early.
    pub(crate) wrong: u64,
    /// The last frame of each player, with its stream.
    pub(crate) last: Vec<(u32, u64)>,
    /// Players that failed.
    pub(crate) errors: Vec<String>,
}

/// Starts all players; joining the thread gives what they have seen, after all streams have ended.
pub(crate) fn start(seats: Arc<Seats>) -> JoinHandle<Result<Seen>> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = LocalSet::new();
        Ok(local.block_on(&runtime, all(seats)))
    })
}

async fn all(seats: Arc<Seats>) -> Seen {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let room = Rc::new(RefCell::new(vec![0; READ_BYTES]));
    let joining = Rc::new(Semaphore::new(usize::try_from(seats.joining).unwrap_or(1)));
    let play = |number: u32| {
        let (seats, seen, room, joining) =
            (seats.clone(), seen.clone(), room.clone(), joining.clone());
        tokio::task::spawn_local(async move {
            let stream = number % seats.publishers.max(1);
            let check = Check { seats: &seats, seen: &seen, stream, next: None, seen_us: None };
            if let Err(error) = play(check, &room, &joining).await {
                let error = format!("player {number}: {error}");
                seen.borrow_mut().errors.push(error);
            }
        })
    };
    let tasks: Vec<_> = (0..seats.players).map(play).collect();
    for task in tasks {
        if let Err(error) = task.await {
            seen.borrow_mut().errors.push(error.to_string());
        }
    }
    seen.take()
}

/// Plays until the stream ends.
async fn play(mut check: Check<'_>, room: &RefCell<Vec<u8>>, joining: &Semaphore) -> Result<()> {
    let mut turn = Some(joining.acquire().await?);
    let began = Instant::now();
    let mut socket = TcpStream::connect(check.seats.addr).await?;
    socket.set_nodelay(true)?;
    let mut wire = Wire::open(&check, &mut socket).await?;
    loop {
        if turn.is_some() && check.next.is_some() {
            turn = None;
            check.seats.joined.fetch_add(1, Ordering::Relaxed);
            check.seen.borrow_mut().join.add(micros(wire.asked().unwrap_or(began).elapsed()));
        }
        wire.write(&socket)?;
        tokio::time::timeout(SILENCE, socket.readable()).await.map_err(|_| "got nothing")??;
        let mut room = room.borrow_mut();
        let n = match socket.try_read(&mut room) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        check.seats.received.fetch_add(u64::try_from(n).unwrap_or(0), Ordering::Relaxed);
        let input = room.get(..n).unwrap_or_default();
        if n == 0 || wire.read(input, &mut check)? {
            check.seen.borrow_mut().last.extend(check.next.map(|next| (check.stream, next - 1)));
            return match check.next {
                Some(_) => Ok(()),
                None => Err("the stream ended before it began".into()),
            };
        }
    }
}

/// How frames come.
enum Wire {
    Rtmp {
        session: Box<ClientSession>,
        output: Chunks,
        /// When the command to play went out.
        asked: Option<Instant>,
    },
    Length {
        input: BytesMut,
    },
}

impl Wire {
    async fn open(check: &Check<'_>, socket: &mut TcpStream) -> Result<Self> {
        if check.seats.is_plain {
            socket.write_all(&hello(Role::Play, check.stream)).await?;
            return Ok(Self::Length { input: BytesMut::new() });
        }
        let session = session(check.seats.addr, check.stream, Role::Play, 4_096)?;
        Ok(Self::Rtmp { session: Box::new(session), output: Chunks::new(), asked: None })
    }

    fn asked(&self) -> Option<Instant> {
        match self {
            Self::Rtmp { asked, .. } => *asked,
            Self::Length { .. } => None,
        }
    }

    fn write(&mut self, socket: &TcpStream) -> Result<()> {
        let Self::Rtmp { session, output, asked } = self else { return Ok(()) };
        session.take_output(output);
        if asked.is_none() && output.to_vec().windows(PLAY.len()).any(|bytes| bytes == PLAY) {
            *asked = Some(Instant::now());
        }
        while !output.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = output.fill(&mut slices);
            match socket.try_write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(n) => output.advance(n),
                // Answers are small; they go with the next.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes what came; whether that was the end of the stream.
    fn read(&mut self, bytes: &[u8], check: &mut Check<'_>) -> Result<bool> {
        match self {
            Self::Rtmp { session, .. } => {
                session.handle_input(Instant::now(), bytes)?;
                while let Some(event) = session.poll_event() {
                    match event {
                        ClientEvent::Media { body, .. } => check.see(&body),
                        ClientEvent::End => return Ok(true),
                        ClientEvent::Rejected { code, .. } => return Err(code.into()),
                        _ => {}
                    }
                }
            }
            Self::Length { input } => {
                input.extend_from_slice(bytes);
                while let Some(length) = input.first_chunk().map(|l| u32::from_be_bytes(*l)) {
                    let end = usize::try_from(length)?.saturating_add(4);
                    if input.len() < end {
                        break;
                    }
                    let mut body: Bytes = input.split_to(end).freeze();
                    body.advance(4);
                    check.see(&body);
                }
            }
        }
        Ok(false)
    }
}

/// Checks what one player gets.
struct Check<'a> {
    seats: &'a Seats,
    seen: &'a RefCell<Seen>,
    stream: u32,
    /// The number of the next frame; `None` before the first.
    next: Option<u64>,
    /// When the last frame came, in µs from the epoch.
    seen_us: Option<u64>,
}

impl Check<'_> {
    fn see(&mut self, body: &[u8]) {
        let mut seen = self.seen.borrow_mut();
        let stamp = match Stamp::read(body) {
            Ok(stamp) if stamp.stream == self.stream => stamp,
            Err(StampError::Missing) if is_header(body) => return,
            _ => {
                seen.wrong += 1;
                return;
            }
        };
        let next = self.next.unwrap_or(stamp.sequence);
        match stamp.sequence.checked_sub(next) {
            Some(lost) => seen.lost += lost,
            None => {
                seen.wrong += 1;
                return;
            }
        }
        self.next = Some(stamp.sequence + 1);
        seen.frames += 1;
        let now_us = micros(self.seats.epoch.elapsed());
        if stamp.time_us >= self.seats.window_us.load(Ordering::Relaxed) {
            seen.latency.add(now_us.saturating_sub(stamp.time_us));
            let silence_us = now_us.saturating_sub(self.seen_us.unwrap_or(now_us));
            seen.silence_us = seen.silence_us.max(silence_us);
        }
        self.seen_us = Some(now_us);
    }
}

fn is_header(body: &[u8]) -> bool {
    body == VIDEO_CONFIG || body == AUDIO_CONFIG || body.starts_with(b"\x02\x00\x0aonMetaData")
}
