//! The plain loop: what the machine takes for the same work without RTMP, streams or players that
//! may be slow.
//!
//! One thread waits for all sockets with `epoll`. What a publisher sends is read into one buffer
//! of 256 KiB and written to the publisher's file as it is; where a stream has viewers, each frame
//! (its length in 32 bits, then the frame) goes to each of them in one vectored write.
//!
//! A thread for each publisher was measured as well, on two cores: it takes 1.3 times the processor
//! time with 8 publishers that send as fast as they can, and 1.6 times with 200 in real time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, IoSlice, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;

use crate::Result;
use crate::options::Work;

const READ_BYTES: usize = 256 << 10;
/// What may wait for a viewer; beyond it the viewer is dropped.
const BACKLOG_MAX: usize = 64 << 20;
const EVENTS: usize = 256;
const LISTENER: u64 = 0;
/// A connection says what it is at once.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until all publishers have gone; then waits to be told to end.
///
/// The tool reads `listening ADDRESS` and `done` from standard output; the end of standard input
/// ends the process, also when the tool was killed.
pub(crate) fn serve(work: &Work) -> Result<()> {
    let watch = std::thread::spawn(|| {
        let mut line = String::new();
        while io::stdin().lock().read_line(&mut line).is_ok_and(|n| n > 0) {}
        std::process::exit(0);
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("listening {}", listener.local_addr()?);
    let mut plain = Plain::new(listener, work)?;
    plain.run()?;
    println!("done");
    // It ends the process.
    let _ = watch.join();
    Ok(())
}

struct Plain {
    epoll: rustix::fd::OwnedFd,
    listener: TcpListener,
    dir: Option<PathBuf>,
    framed: bool,
    publishers: HashMap<u64, Publisher>,
    /// By stream.
    viewers: HashMap<u32, Vec<Viewer>>,
    /// Publishers that have not come or not gone.
    left: u32,
    next_token: u64,
    buffer: Vec<u8>,
}

struct Publisher {
    socket: TcpStream,
    stream: u32,
    file: Option<File>,
    /// Bytes of a frame that is not whole.
    input: Vec<u8>,
}

struct Viewer {
    socket: TcpStream,
    token: u64,
    backlog: Vec<u8>,
}

impl Plain {
    fn new(listener: TcpListener, work: &Work) -> Result<Self> {
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let token = epoll::EventData::new_u64(LISTENER);
        epoll::add(&epoll, &listener, token, epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            dir: work.dir.clone(),
            framed: work.framed,
            publishers: HashMap::new(),
            viewers: HashMap::new(),
            left: work.publishers,
            next_token: LISTENER + 1,
            buffer: vec![0; READ_BYTES],
        })
    }

    fn run(&mut self) -> Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        while self.left > 0 || self.viewers.values().flatten().any(|v| !v.backlog.is_empty()) {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Err(rustix::io::Errno::INTR) => continue,
                waited => waited?,
            };
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    token if self.publishers.contains_key(&token) => self.receive(token)?,
                    token => self.resume(token)?,
                }
            }
        }
        self.viewers.clear();
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        let (mut socket, _) = match self.listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            accepted => accepted?,
        };
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(HELLO_TIMEOUT))?;
        let mut hello = [0; 5];
        socket.read_exact(&mut hello)?;
        socket.set_nonblocking(true)?;
        let [role, s0, s1, s2, s3] = hello;
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        let token = self.next_token;
        self.next_token += 1;
        if role == b'P' {
            let data = epoll::EventData::new_u64(token);
            epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
            let path = self.dir.as_ref().map(|dir| dir.join(format!("{stream}.bin")));
            let file = path.map(File::create_new).transpose()?;
            let publisher = Publisher { socket, stream, file, input: Vec::new() };
            self.publishers.insert(token, publisher);
        } else {
            let data = epoll::EventData::new_u64(token);
            epoll::add(&self.epoll, &socket, data, epoll::EventFlags::empty())?;
            let viewer = Viewer { socket, token, backlog: Vec::new() };
            self.viewers.entry(stream).or_default().push(viewer);
        }
        Ok(())
    }

    fn receive(&mut self, token: u64) -> Result<()> {
        let Some(publisher) = self.publishers.get_mut(&token) else { return Ok(()) };
        let n = match publisher.socket.read(&mut self.buffer) {
            Err(error) if is_again(&error) => return Ok(()),
            read => read?,
        };
        if n == 0 {
            self.publishers.remove(&token);
            self.left -= 1;
            return Ok(());
        }
        let bytes = self.buffer.get(..n).unwrap_or_default();
        if let Some(file) = &mut publisher.file {
            file.write_all(bytes)?;
        }
        if self.framed {
            publisher.input.extend_from_slice(bytes);
            let viewers = self.viewers.entry(publisher.stream).or_default();
            let sent = fan_out(&self.epoll, &publisher.input, viewers)?;
            publisher.input.drain(..sent);
        }
        Ok(())
    }

    /// A viewer's socket takes bytes again, or its connection is broken.
    fn resume(&mut self, token: u64) -> Result<()> {
        for viewers in self.viewers.values_mut() {
            let Some(place) = viewers.iter().position(|v| v.token == token) else { continue };
            if let Some(viewer) = viewers.get_mut(place)
                && viewer.flush().is_ok()
            {
                viewer.arm(&self.epoll)?;
            } else {
                viewers.swap_remove(place);
            }
            break;
        }
        Ok(())
    }
}

/// Sends the whole frames at the start of `input` to all viewers; returns how many bytes they have.
fn fan_out(epoll: &rustix::fd::OwnedFd, input: &[u8], viewers: &mut Vec<Viewer>) -> Result<usize> {
    let mut rest = input;
    while let Some((header, body)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*header))?;
        let Some((body, next)) = body.split_at_checked(length) else { break };
        let mut broken = Vec::new();
        for (place, viewer) in viewers.iter_mut().enumerate() {
            let was_empty = viewer.backlog.is_empty();
            if viewer.send(header, body).is_err() {
                broken.push(place);
            } else if was_empty && !viewer.backlog.is_empty() {
                viewer.arm(epoll)?;
            }
        }
        for place in broken.into_iter().rev() {
            viewers.swap_remove(place);
        }
        rest = next;
    }
    Ok(input.len() - rest.len())
}

impl Viewer {
    fn send(&mut self, header: &[u8], body: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.backlog.is_empty() {
            let slices = [IoSlice::new(header), IoSlice::new(body)];
            sent = match self.socket.write_vectored(&slices) {
                Err(error) if is_again(&error) => 0,
                written => written?,
            };
        }
        let whole = [header, body];
        for part in whole {
            self.backlog.extend_from_slice(part.get(sent..).unwrap_or_default());
            sent = sent.saturating_sub(part.len());
        }
        match self.backlog.len() {
            0..=BACKLOG_MAX => Ok(()),
            _ => Err(io::ErrorKind::OutOfMemory.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.socket.write(&self.backlog) {
            Err(error) if is_again(&error) => Ok(()),
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            written => {
                self.backlog.drain(..written?);
                Ok(())
            }
        }
    }

    /// Asks to be told when the socket takes bytes, while there are any.
    fn arm(&self, epoll: &rustix::fd::OwnedFd) -> Result<()> {
        let flags = match self.backlog.is_empty() {
            true => epoll::EventFlags::empty(),
            false => epoll::EventFlags::OUT,
        };
        let data = epoll::EventData::new_u64(self.token);
        Ok(epoll::modify(epoll, &self.socket, data, flags)?)
    }
}

fn is_again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
