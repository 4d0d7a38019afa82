//! A client session on a socket.

use std::io::{self, IoSlice};
use std::time::Instant;

use media::Chunks;
use rtmp::client::{ClientConfig, ClientEvent, ClientSession, Role};
use rtmp::handshake::ENTROPY_BYTES;
use rtmp::url::Url;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;

use super::{Error, within};

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;
/// Parts of one vectored write.
const SLICES: usize = 64;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    pub(super) session: ClientSession,
    output: Chunks,
    buffer: Box<[u8]>,
    closed: bool,
}

impl Connection {
    /// Connects and waits until the server has granted what is asked for.
    pub(super) async fn open(
        url: &str,
        role: Role,
        adjust: impl FnOnce(&mut ClientConfig),
    ) -> Result<Self, Error> {
        let url = Url::parse(url)?;
        let mut config = ClientConfig::new(&url, role);
        adjust(&mut config);
        let mut entropy = [0; ENTROPY_BYTES];
        getrandom::fill(&mut entropy).map_err(|error| io::Error::other(error.to_string()))?;
        let open = async {
            let socket = TcpStream::connect((url.host.as_str(), url.port)).await?;
            socket.set_nodelay(true)?;
            let mut connection = Self {
                socket,
                session: ClientSession::new(config, &entropy, Instant::now()),
                output: Chunks::new(),
                buffer: vec![0; READ_BYTES].into(),
                closed: false,
            };
            loop {
                match connection.next().await? {
                    Some(ClientEvent::Ready) => return Ok(connection),
                    Some(ClientEvent::Rejected { code, description }) => {
                        return Err(Error::Rejected { code, description });
                    }
                    Some(_) => {}
                    None => return Err(Error::Closed),
                }
            }
        };
        within("publish or play is granted", open).await
    }

    /// The next event; `None` when the server has closed the connection. Sends meanwhile what there
    /// is to send. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Option<ClientEvent>, Error> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Ok(Some(event));
            }
            if self.closed {
                return Ok(None);
            }
            self.turn().await?;
        }
    }

    /// Sends everything; reads meanwhile, so that neither side waits for the other. Cancel safe.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        loop {
            self.session.take_output(&mut self.output);
            match (self.output.is_empty(), self.closed) {
                (true, _) => return Ok(()),
                (false, true) => return Err(Error::Closed),
                (false, false) => self.turn().await?,
            }
        }
    }

    /// Waits until the socket can do something, and does it.
    async fn turn(&mut self) -> Result<(), Error> {
        self.session.take_output(&mut self.output);
        let interest = match self.output.is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        let ready = self.socket.ready(interest).await?;
        if ready.is_readable() || ready.is_read_closed() {
            self.read()?;
        }
        if ready.is_writable() && !self.closed {
            self.write()?;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), Error> {
        match self.socket.try_read(&mut self.buffer) {
            Ok(0) => self.closed = true,
            Ok(n) => {
                let input = self.buffer.get(..n).unwrap_or_default();
                self.session.handle_input(Instant::now(), input)?;
            }
            Err(error) if is_again(&error) => {}
            // What the server has said before it went away is heard first.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.closed = true,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.output.fill(&mut slices);
        match self.socket.try_write_vectored(slices.get(..filled).unwrap_or_default()) {
            Ok(n) => self.output.advance(n),
            Err(error) if is_again(&error) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Ends the session in order and waits until the server has closed the connection.
    pub(super) async fn close(mut self) -> Result<(), Error> {
        self.session.close();
        let close = async {
            self.flush().await?;
            self.socket.shutdown().await?;
            while self.next().await?.is_some() {}
            Ok(())
        };
        within("the server closes the connection", close).await
    }

    /// Resets the connection: what is on its way is lost.
    pub(super) fn abort(self) -> Result<(), Error> {
        Ok(self.socket.set_zero_linger()?)
    }
}

fn is_again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
