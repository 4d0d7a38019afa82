//! The end that plays.

use std::time::Duration;

use media::Packet;
use media::time::Unwrap;
use rtmp::client::{ClientConfig, ClientEvent, Role};
use tokio::net::TcpStream;

use super::connection::Connection;
use super::{DEADLINE, Error};

/// What a player is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerEvent {
    /// The stream begins, or begins again.
    Begin,
    /// A packet; its time goes on past the wrap at 2^32 ms.
    Packet(Packet),
    /// The stream is over and may begin again.
    End,
    /// Any other status.
    Status {
        /// `status`, `warning` or `error`.
        level: String,
        /// The code.
        code: String,
        /// The server's words.
        description: String,
    },
    /// The server closed the connection.
    Closed,
}

/// A client that plays one stream. Dropping it closes the connection without a word.
#[derive(Debug)]
pub struct Player {
    connection: Connection,
    clock: Unwrap,
}

impl Player {
    /// Connects to `rtmp://host:port/app/name` and waits until the server has granted the play. The
    /// stream need not exist yet.
    ///
    /// # Errors
    /// [`Error::Rejected`] when it has not.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_with(url, |_| {}).await
    }

    /// Likewise, with another configuration.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the server refuses.
    pub async fn connect_with(
        url: &str,
        adjust: impl FnOnce(&mut ClientConfig),
    ) -> Result<Self, Error> {
        let connection = Connection::open(url, Role::Play, adjust).await?;
        Ok(Self { connection, clock: Unwrap::default() })
    }

    /// The next event. After [`PlayerEvent::Closed`] there is nothing but that.
    ///
    /// # Panics
    /// When nothing comes within [`DEADLINE`], or the server breaks the protocol.
    pub async fn next(&mut self) -> PlayerEvent {
        let event = self.next_within(DEADLINE).await;
        event.unwrap_or_else(|| panic!("a player got nothing within {DEADLINE:?}"))
    }

    /// The next event, or `None` when nothing comes within `timeout`.
    ///
    /// # Panics
    /// When the server breaks the protocol.
    pub async fn next_within(&mut self, timeout: Duration) -> Option<PlayerEvent> {
        let event = self.try_next(timeout).await;
        event.unwrap_or_else(|error| panic!("a player failed: {error}"))
    }

    /// The next event, or `None` when nothing comes within `timeout`.
    ///
    /// # Errors
    /// When the connection is lost, or the server breaks the protocol.
    pub async fn try_next(&mut self, timeout: Duration) -> Result<Option<PlayerEvent>, Error> {
        let Ok(event) = tokio::time::timeout(timeout, self.connection.next()).await else {
            return Ok(None);
        };
        Ok(Some(match event? {
            None => PlayerEvent::Closed,
            Some(ClientEvent::Media { kind, timestamp, body }) => {
                PlayerEvent::Packet(self.clock.packet(kind, timestamp, body))
            }
            Some(ClientEvent::Ready | ClientEvent::Begin) => {
                self.clock = Unwrap::default();
                PlayerEvent::Begin
            }
            Some(ClientEvent::End) => PlayerEvent::End,
            Some(ClientEvent::Status { level, code, description }) => {
                PlayerEvent::Status { level, code, description }
            }
            Some(ClientEvent::ReconnectRequest { description, .. }) => {
                let code = "NetConnection.Connect.ReconnectRequest".to_owned();
                PlayerEvent::Status { level: "status".to_owned(), code, description }
            }
            // The session gives it before the play is granted, if ever.
            Some(ClientEvent::Rejected { code, description }) => {
                PlayerEvent::Status { level: "error".to_owned(), code, description }
            }
        }))
    }

    /// The next `count` packets; passes over everything else.
    ///
    /// # Panics
    /// When the stream ends before, or nothing comes for [`DEADLINE`].
    pub async fn packets(&mut self, count: usize) -> Vec<Packet> {
        let mut packets = Vec::new();
        while packets.len() < count {
            match self.next().await {
                PlayerEvent::Packet(packet) => packets.push(packet),
                PlayerEvent::End | PlayerEvent::Closed => {
                    panic!("the stream ended after {} of {count} packets", packets.len())
                }
                PlayerEvent::Begin | PlayerEvent::Status { .. } => {}
            }
        }
        packets
    }

    /// All packets until the stream ends or the server closes the connection.
    ///
    /// # Panics
    /// When nothing comes for [`DEADLINE`].
    pub async fn until_end(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        loop {
            match self.next().await {
                PlayerEvent::Packet(packet) => packets.push(packet),
                PlayerEvent::End | PlayerEvent::Closed => return packets,
                PlayerEvent::Begin | PlayerEvent::Status { .. } => {}
            }
        }
    }

    /// Ends the play in order and waits until the server has closed the connection.
    ///
    /// # Errors
    /// When it does not.
    pub async fn close(self) -> Result<(), Error> {
        self.connection.close().await
    }

    /// Resets the connection.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn abort(self) -> Result<(), Error> {
        self.connection.abort()
    }

    /// Reads nothing more and stays connected for as long as the socket is kept.
    pub fn stall(self) -> TcpStream {
        self.connection.socket
    }
}
