//! The socket of a connection: it wakes the task for what arrives, or is left alone and read by the clock.
//!
//! A read that does not fill its buffer has taken everything, so it counts as if the system had said so: that saves
//! one call of two. Where many publishers send a little at a time, being woken for each of it costs more than all
//! the rest; a *quiet* socket is not watched at all. When it is one is decided in `quiet`.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::sync::Arc;

use socket2::SockRef;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

/// A socket that does not block.
#[derive(Debug)]
pub(super) enum Socket {
    /// Watched: it wakes the task. Shared while a group of players writes to it.
    Awake(Arc<TcpStream>),
    /// Not watched.
    Quiet(std::net::TcpStream),
    /// Between the two, or after that has failed.
    Gone,
}

/// What a read has given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Got {
    /// Bytes; none at the end.
    pub(super) bytes: usize,
    /// Whether there was nothing more.
    pub(super) is_all: bool,
}

impl Socket {
    /// Whether it is not watched.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self, Self::Quiet(_))
    }

    /// Begins to watch it, or ceases to. Elsewhere than on Unix a socket that was watched once is watched for ever.
    ///
    /// # Errors
    /// Those of the system; the socket is gone then.
    pub(super) fn set_quiet(&mut self, quiet: bool) -> io::Result<()> {
        if cfg!(unix) && quiet != self.is_quiet() {
            *self = match std::mem::replace(self, Self::Gone) {
                Self::Awake(socket) => match Arc::try_unwrap(socket) {
                    Ok(socket) => Self::Quiet(socket.into_std()?),
                    Err(shared) => Self::Awake(shared),
                },
                Self::Quiet(socket) => Self::Awake(Arc::new(TcpStream::from_std(socket)?)),
                Self::Gone => Self::Gone,
            };
        }
        Ok(())
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when that is nothing; those of the system.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Got> {
        let room = buffer.len();
        let got = |bytes| Got { bytes, is_all: bytes < room };
        match self {
            Self::Awake(socket) if cfg!(unix) => {
                let mut bytes = None;
                // An error of this kind says that the system will tell when there is more.
                let tried = socket.try_io(Interest::READABLE, || {
                    let n = (&*SockRef::from(&**socket)).read(buffer)?;
                    bytes = Some(n);
                    if (1..room).contains(&n) {
                        Err(io::ErrorKind::WouldBlock.into())
                    } else {
                        Ok(())
                    }
                });
                bytes.map_or_else(|| tried.map(|()| got(0)), |n| Ok(got(n)))
            }
            Self::Awake(socket) => socket.try_read(buffer).map(got),
            Self::Quiet(socket) => (&*socket).read(buffer).map(got),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Writes what the system takes.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when that is nothing; those of the system.
    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Awake(socket) => socket.try_write_vectored(slices),
            Self::Quiet(socket) => (&*socket).write_vectored(slices),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Waits for any of `interest`; for ever if it is quiet. The socket keeps one waker for each direction, which
    /// costs less than [`TcpStream::ready`] does where thousands wait. Cancel safe.
    ///
    /// # Errors
    /// Those of the runtime.
    pub(super) async fn ready(&self, interest: Ready) -> io::Result<Ready> {
        let Self::Awake(socket) = self else { return std::future::pending().await };
        std::future::poll_fn(|cx| {
            let mut ready = Ready::EMPTY;
            if interest.is_readable() && socket.poll_read_ready(cx)?.is_ready() {
                ready |= Ready::READABLE;
            }
            if interest.is_writable() && socket.poll_write_ready(cx)?.is_ready() {
                ready |= Ready::WRITABLE;
            }
            if ready.is_empty() {
                std::task::Poll::Pending
            } else {
                std::task::Poll::Ready(Ok(ready))
            }
        })
        .await
    }
}
