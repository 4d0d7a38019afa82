//! The streams: connects, sends at the right times or as fast as it goes, ends in order.
//!
//! Publishers in real time share a thread, which sends what is due and sleeps until the next; those
//! that send as fast as they can have a thread each, which waits in the system. Nothing is read
//! while a stream goes on, for the few answers of a server fit into the socket's buffer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::iter::Peekable;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use media::Chunks;
use rtmp::client::{ClientConfig, ClientEvent, ClientSession, Role};
use rtmp::url::Url;
use testkit::source::{self, Schedule};
use testkit::{SourceConfig, Stamp};

use crate::Result;
use crate::bank::{self, Bank};

/// The server must not keep a publisher waiting for longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// What one write gets when it goes as fast as it can, in bytes.
const BATCH_BYTES: usize = 128 << 10;
/// A server that is this far behind with a stream in real time has failed, in bytes.
const BACKLOG_MAX: usize = 16 << 20;
/// Before a socket that took not everything is tried again.
const RETRY: Duration = Duration::from_millis(1);
/// Parts of one vectored write.
const SLICES: usize = 128;

/// What all publishers of a run share.
#[derive(Debug)]
pub(crate) struct Plan {
    /// When the run began; stamps count from it.
    pub(crate) epoch: Instant,
    pub(crate) source: SourceConfig,
    pub(crate) bank: Bank,
    /// There is no RTMP server at the other end but the plain loop.
    pub(crate) is_plain: bool,
    pub(crate) chunk_size: u32,
    pub(crate) publishers: u32,
    /// How fast the streams' clock goes.
    pub(crate) rate: f64,
    /// A publisher ends after this many bytes.
    pub(crate) bytes_max: u64,
    /// All publishers end.
    pub(crate) stop: AtomicBool,
    /// Bytes that all publishers have sent.
    pub(crate) sent: AtomicU64,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Publisher {
    plan: Arc<Plan>,
    socket: TcpStream,
    /// `None` when the other end speaks no RTMP.
    session: Option<ClientSession>,
    message_stream: u32,
    schedule: Peekable<Schedule>,
    output: Chunks,
    /// Its number.
    pub(crate) stream: u32,
    /// Frames that it has sent.
    pub(crate) frames: u64,
    bytes: u64,
    /// How late its latest frame was put out, or how long the socket took nothing, in µs.
    pub(crate) late_us: u64,
    /// Since when the socket has not taken everything.
    stuck: Option<Instant>,
}

/// The key of a stream.
pub(crate) fn name(stream: u32) -> String {
    format!("load{stream}")
}

/// A session for one stream of the server at `addr`.
pub(crate) fn session(
    addr: SocketAddr,
    stream: u32,
    role: Role,
    chunk_size: u32,
) -> Result<ClientSession> {
    let url = Url::parse(&format!("rtmp://{addr}/live/{}", name(stream)))?;
    let mut config = ClientConfig::new(&url, role);
    config.chunk_size = chunk_size;
    let mut entropy = [0; rtmp::handshake::ENTROPY_BYTES];
    getrandom::fill(&mut entropy)?;
    Ok(ClientSession::new(config, &entropy, Instant::now()))
}

/// Tells the plain loop who is connecting, a publisher or a viewer, and of which stream.
pub(crate) fn hello(role: Role, stream: u32) -> [u8; 5] {
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    [if role == Role::Publish { b'P' } else { b'V' }, s0, s1, s2, s3]
}

impl Publisher {
    /// Connects, and sends what comes before the first frame.
    pub(crate) fn connect(addr: SocketAddr, stream: u32, plan: &Arc<Plan>) -> Result<Self> {
        let socket = TcpStream::connect_timeout(&addr, TIMEOUT)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        let mut publisher = Self {
            plan: plan.clone(),
            socket,
            session: None,
            message_stream: 0,
            schedule: Schedule::new(&plan.source).peekable(),
            output: Chunks::new(),
            stream,
            frames: 0,
            bytes: 0,
            late_us: 0,
            stuck: None,
        };
        if plan.is_plain {
            publisher.socket.write_all(&hello(Role::Publish, stream))?;
        } else {
            publisher.open(session(addr, stream, Role::Publish, plan.chunk_size)?)?;
        }
        Ok(publisher)
    }

    fn open(&mut self, mut session: ClientSession) -> Result<()> {
        let mut buffer = [0; 4_096];
        loop {
            session.take_output(&mut self.output);
            self.write_all()?;
            match session.poll_event() {
                Some(ClientEvent::Ready) => break,
                Some(ClientEvent::Rejected { code, .. }) => {
                    return Err(format!("stream {} is refused: {code}", self.stream).into());
                }
                Some(_) => {}
                None => match self.socket.read(&mut buffer)? {
                    0 => return Err("the server closed the connection of a publisher".into()),
                    n => {
                        let input = buffer.get(..n).unwrap_or_default();
                        session.handle_input(Instant::now(), input)?;
                    }
                },
            }
        }
        for packet in source::opening(&self.plan.source) {
            session.send(&packet);
        }
        session.take_output(&mut self.output);
        let first = self.output.to_vec();
        self.message_stream =
            message_stream(&first).ok_or("the session does not begin a stream as expected")?;
        self.write_all()?;
        self.session = Some(session);
        Ok(())
    }

    /// Puts out the next frame.
    fn put(&mut self) {
        let Some(slot) = self.schedule.next() else { return };
        let now = self.plan.epoch.elapsed();
        let stamp = Stamp { stream: self.stream, sequence: slot.sequence, time_us: micros(now) };
        let before = self.output.len();
        self.plan.bank.put(&slot, &stamp, self.message_stream, &mut self.output);
        let bytes = u64::try_from(self.output.len() - before).unwrap_or(0);
        self.bytes += bytes;
        self.frames += 1;
        self.plan.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether the stream is to go on.
    fn goes_on(&mut self) -> bool {
        let is_over = self.schedule.peek().is_none_or(bank::is_over);
        !is_over && self.bytes < self.plan.bytes_max && !self.plan.stop.load(Ordering::Relaxed)
    }

    /// When the next frame is due, in µs from the start of all publishers. Those of many streams
    /// are spread over the time between two pictures.
    fn due_us(&mut self) -> Option<u64> {
        let time_us = self.schedule.peek()?.time_us;
        let interval_us = 1_000_000 / u64::from(self.plan.source.fps);
        let phase_us =
            interval_us * u64::from(self.stream) / u64::from(self.plan.publishers.max(1));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "hours in µs are exact, and positive"
        )]
        let scaled_us = ((time_us + phase_us) as f64 / self.plan.rate) as u64;
        Some(scaled_us)
    }

    /// Writes, and notes how long that has not been possible; whether everything is out.
    fn go_on(&mut self) -> io::Result<bool> {
        let done = self.write()?;
        if !done {
            let since = *self.stuck.get_or_insert_with(Instant::now);
            self.late_us = self.late_us.max(micros(since.elapsed()));
        } else if let Some(since) = self.stuck.take() {
            self.late_us = self.late_us.max(micros(since.elapsed()));
        }
        Ok(done)
    }

    /// Writes once; whether everything is out.
    fn write(&mut self) -> io::Result<bool> {
        while !self.output.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.output.fill(&mut slices);
            match self.socket.write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.output.advance(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Writes everything; the socket blocks.
    fn write_all(&mut self) -> Result<()> {
        match self.write()? {
            true => Ok(()),
            false => Err(format!("the server takes nothing of stream {}", self.stream).into()),
        }
    }

    /// Ends the stream in order.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.socket.set_nonblocking(false)?;
        if let Some(session) = &mut self.session {
            session.close();
            session.take_output(&mut self.output);
        }
        self.write_all()?;
        Ok(self.socket.shutdown(Shutdown::Write)?)
    }

    /// Waits until the other side has closed the connection.
    pub(crate) fn wait_closed(&mut self) -> Result<()> {
        let mut buffer = [0; 4_096];
        while self.socket.read(&mut buffer)? > 0 {}
        Ok(())
    }

    /// Sends as fast as the socket takes it.
    fn flat_out(mut self) -> Result<Self> {
        while self.goes_on() {
            while self.output.len() < BATCH_BYTES && self.goes_on() {
                self.put();
            }
            self.write_all()?;
        }
        Ok(self)
    }
}

/// Starts all publishers, as fast as they can or in real time on so many threads. Joining the
/// threads gives the publishers back, to be finished.
pub(crate) fn start(
    publishers: Vec<Publisher>,
    threads: Option<usize>,
) -> Vec<thread::JoinHandle<Result<Vec<Publisher>>>> {
    let Some(threads) = threads else {
        let flat_out = |publisher: Publisher| {
            thread::spawn(move || publisher.flat_out().map(|publisher| vec![publisher]))
        };
        return publishers.into_iter().map(flat_out).collect();
    };
    let start = Instant::now();
    let mut groups: Vec<Vec<Publisher>> = (0..threads.max(1)).map(|_| Vec::new()).collect();
    let count = groups.len();
    for (number, publisher) in publishers.into_iter().enumerate() {
        if let Some(group) = groups.get_mut(number % count) {
            group.push(publisher);
        }
    }
    groups.into_iter().map(|group| thread::spawn(move || paced(group, start))).collect()
}

/// Sends each frame when it is due.
fn paced(mut publishers: Vec<Publisher>, start: Instant) -> Result<Vec<Publisher>> {
    let mut due = BinaryHeap::new();
    for (number, publisher) in publishers.iter_mut().enumerate() {
        publisher.socket.set_nonblocking(true)?;
        due.extend(publisher.due_us().map(|due_us| Reverse((due_us, number))));
    }
    let mut waiting: Vec<usize> = Vec::new();
    while let Some(&Reverse((due_us, number))) = due.peek() {
        let now_us = micros(start.elapsed());
        if due_us > now_us {
            retry(&mut publishers, &mut waiting)?;
            let wait = Duration::from_micros(due_us - now_us);
            thread::sleep(if waiting.is_empty() { wait } else { wait.min(RETRY) });
            continue;
        }
        due.pop();
        let Some(publisher) = publishers.get_mut(number) else {
            continue;
        };
        if !publisher.goes_on() {
            continue;
        }
        publisher.late_us = publisher.late_us.max(now_us - due_us);
        publisher.put();
        if !publisher.go_on()? && !waiting.contains(&number) {
            waiting.push(number);
        }
        due.extend(publisher.due_us().map(|due_us| Reverse((due_us, number))));
    }
    Ok(publishers)
}

/// Tries again what did not go out; it stays in order, as it is in the publisher's output.
fn retry(publishers: &mut [Publisher], waiting: &mut Vec<usize>) -> Result<()> {
    let mut still = Vec::new();
    for number in waiting.drain(..) {
        let Some(publisher) = publishers.get_mut(number) else { continue };
        if publisher.output.len() > BACKLOG_MAX {
            return Err(format!("the server is too far behind with stream {number}").into());
        }
        if !publisher.go_on()? {
            still.push(number);
        }
    }
    *waiting = still;
    Ok(())
}

/// A duration in µs.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The message stream in the first full chunk header (RTMP 5.3.1.2.1) on a chunk stream below 64.
fn message_stream(bytes: &[u8]) -> Option<u32> {
    let header: &[u8; 12] = bytes.first_chunk()?;
    let [basic, .., s0, s1, s2, s3] = *header;
    (2..64).contains(&basic).then_some(u32::from_le_bytes([s0, s1, s2, s3]))
}
