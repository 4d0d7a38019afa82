//! A connection to a foreign server: the socket around [`rtmp::client::ClientSession`].

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use media::{Chunks, Packet};
use rtmp::capabilities::caps_ex;
use rtmp::client::{ClientConfig, ClientEvent, ClientSession, Role};
use rtmp::url::Url;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::format::printable;

/// Longest time to find the host and to connect to it.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time that a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Read at once.
const READ_BYTES: usize = 256 << 10;
/// Parts of one vectored write.
const SLICES: usize = 128;

/// Why there is no connection any more. The texts name the server and say what can be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("cannot find the host {host}: {source}; check the address and the network")]
    Resolve { host: String, source: io::Error },
    #[error("cannot connect to {server}: {source}; {}", advice(source))]
    Connect { server: String, source: io::Error },
    #[error(
        "cannot connect to {server}: no answer within {} s; check the address, and firewalls on \
         the way",
        CONNECT.as_secs()
    )]
    NoAnswer { server: String },
    #[error("{server} refused: {code}{description}")]
    Refused { server: String, code: String, description: String },
    #[error("{server} closed the connection {when}")]
    Closed { server: String, when: &'static str },
    #[error("connection to {server} lost: {source}")]
    Lost { server: String, source: io::Error },
    #[error("{server} does not speak RTMP as expected: {source}")]
    Protocol { server: String, source: rtmp::Error },
    #[error(transparent)]
    Entropy(#[from] getrandom::Error),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "is a server running there? rtmp-server without a command starts one"
        }
        _ => "check the address and the network",
    }
}

/// One connection that publishes or plays one stream.
pub(super) struct Client {
    socket: TcpStream,
    session: ClientSession,
    output: Chunks,
    input: Vec<u8>,
    /// `host:port`, for messages.
    server: String,
    is_ready: bool,
    /// Why it is over, to be told after the events that came before.
    over: Option<ClientError>,
}

impl Client {
    /// Connects and waits until the server has granted the publish or the play. The session has its
    /// own time limits for each stage.
    pub(super) async fn open(url: &Url, role: Role) -> Result<Self, ClientError> {
        let mut entropy = [0; rtmp::handshake::ENTROPY_BYTES];
        getrandom::fill(&mut entropy)?;
        let (socket, server) = connect(url).await?;
        let mut config = ClientConfig::new(url, role);
        if role == Role::Publish {
            // A player would begin again at a key frame that it has already.
            config.capabilities.caps_ex |= caps_ex::RECONNECT;
        }
        let mut client = Self {
            socket,
            session: ClientSession::new(config, &entropy, Instant::now()),
            output: Chunks::new(),
            input: vec![0; READ_BYTES],
            server,
            is_ready: false,
            over: None,
        };
        while !client.is_ready {
            client.turn(None).await?;
        }
        Ok(client)
    }

    /// Writes what the socket takes, then waits for an event, for the socket or until `wake`,
    /// whichever is first. Cancel safe.
    ///
    /// # Errors
    /// When the connection is over; events that came before were returned by earlier turns.
    pub(super) async fn turn(
        &mut self,
        wake: Option<Instant>,
    ) -> Result<Option<ClientEvent>, ClientError> {
        if let Some(event) = self.session.poll_event() {
            return self.look_at(event);
        }
        if let Some(over) = self.over.take() {
            return Err(over);
        }
        self.flush();
        let due = [wake, self.session.next_timeout()].into_iter().flatten().min();
        let interest = match self.output.is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        let sleep = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = self.socket.ready(interest) => match ready {
                Ok(ready) if ready.is_readable() || ready.is_read_closed() => self.receive(),
                Ok(_) => {}
                Err(source) => self.fail(source),
            },
            () = sleep => {
                if let Err(source) = self.session.handle_timeout(Instant::now()) {
                    let server = self.server.clone();
                    self.over = Some(ClientError::Protocol { server, source });
                }
            }
        }
        match self.session.poll_event() {
            Some(event) => self.look_at(event),
            None => Ok(None),
        }
    }

    /// Queues a packet of the stream that is published.
    pub(super) fn send(&mut self, packet: &Packet) {
        self.session.send(packet);
    }

    /// Bytes that the socket has not taken yet.
    pub(super) fn queued(&self) -> usize {
        self.output.len() + self.session.output_len()
    }

    /// Ends the stream in order and closes the connection, as far as the server lets that happen in
    /// time.
    pub(super) async fn close(&mut self) {
        self.session.close();
        let goodbye = async {
            while self.queued() > 0 && self.over.is_none() {
                self.flush();
                if self.socket.writable().await.is_err() {
                    return;
                }
            }
            if self.socket.shutdown().await.is_err() {
                return;
            }
            // What the server still sends has to be read: closing a socket with unread bytes resets
            // the connection, and with it what we sent last.
            while self.socket.readable().await.is_ok() {
                match self.socket.try_read(&mut self.input) {
                    Ok(0) => return,
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                    _ => {}
                }
            }
        };
        // A server that does not take its leave is left.
        let _ = timeout(GOODBYE, goodbye).await;
    }

    fn look_at(&mut self, event: ClientEvent) -> Result<Option<ClientEvent>, ClientError> {
        match event {
            ClientEvent::Ready => self.is_ready = true,
            ClientEvent::Rejected { code, description } => {
                return Err(self.refused(&code, &description));
            }
            ClientEvent::Status { level, code, description } if level == "error" => {
                return Err(self.refused(&code, &description));
            }
            _ => {}
        }
        Ok(Some(event))
    }

    fn refused(&self, code: &str, description: &str) -> ClientError {
        let code = if code.is_empty() { "no reason given" } else { code };
        let description = match description {
            "" => String::new(),
            _ => format!(": {}", printable(description)),
        };
        ClientError::Refused { server: self.server.clone(), code: printable(code), description }
    }

    /// Writes what the socket takes at once. What goes wrong is told by the next turn.
    pub(super) fn flush(&mut self) {
        while self.over.is_none() {
            if self.output.is_empty() {
                self.session.take_output(&mut self.output);
            }
            if self.output.is_empty() {
                return;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.output.fill(&mut slices);
            match self.socket.try_write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(n) => self.output.advance(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // The server may have said why before it closed.
                    self.receive();
                    return self.fail(error);
                }
            }
        }
    }

    fn receive(&mut self) {
        let n = match self.socket.try_read(&mut self.input) {
            Ok(0) => {
                let when = match self.is_ready {
                    true => "in the middle of the stream",
                    false => "before it granted the stream",
                };
                let server = self.server.clone();
                self.over.get_or_insert(ClientError::Closed { server, when });
                return;
            }
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(error) => return self.fail(error),
        };
        let input = self.input.get(..n).unwrap_or_default();
        if let Err(source) = self.session.handle_input(Instant::now(), input) {
            let server = self.server.clone();
            self.over.get_or_insert(ClientError::Protocol { server, source });
        }
    }

    fn fail(&mut self, source: io::Error) {
        let server = self.server.clone();
        self.over.get_or_insert(ClientError::Lost { server, source });
    }
}

async fn connect(url: &Url) -> Result<(TcpStream, String), ClientError> {
    let host = printable(&url.host);
    let server = match host.contains(':') {
        true => format!("[{host}]:{}", url.port),
        false => format!("{host}:{}", url.port),
    };
    let find = async {
        let found = tokio::net::lookup_host((url.host.as_str(), url.port)).await;
        let addresses: Vec<_> =
            found.map_err(|source| ClientError::Resolve { host, source })?.collect();
        TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|source| ClientError::Connect { server: server.clone(), source })
    };
    let socket = match timeout(CONNECT, find).await {
        Ok(socket) => socket?,
        Err(_) => return Err(ClientError::NoAnswer { server }),
    };
    // Packets are small and have a time of their own.
    let lost = |source| ClientError::Lost { server: server.clone(), source };
    socket.set_nodelay(true).map_err(lost)?;
    Ok((socket, server))
}

#[cfg(test)]
mod tests;
