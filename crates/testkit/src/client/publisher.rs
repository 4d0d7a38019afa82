//! The end that publishes.

use media::Packet;
use rtmp::client::{ClientConfig, ClientEvent, Role};
use tokio::net::TcpStream;

use super::connection::Connection;
use super::{Error, within};

/// Output is sent when this much of it is waiting, in bytes.
const FLUSH_BYTES: usize = 256 << 10;

/// A client that publishes one stream. Dropping it closes the connection without a word.
#[derive(Debug)]
pub struct Publisher {
    connection: Connection,
}

impl Publisher {
    /// Connects to `rtmp://host:port/app/name` and waits until the server has granted the publish.
    ///
    /// # Errors
    /// [`Error::Rejected`] when it has not.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_with(url, |_| {}).await
    }

    /// Likewise, with another configuration, such as another chunk size.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the server refuses.
    pub async fn connect_with(
        url: &str,
        adjust: impl FnOnce(&mut ClientConfig),
    ) -> Result<Self, Error> {
        Ok(Self { connection: Connection::open(url, Role::Publish, adjust).await? })
    }

    /// Queues a packet, and sends when much is queued. Everything was handed to the system after
    /// [`Publisher::flush`].
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn send(&mut self, packet: &Packet) -> Result<(), Error> {
        if !self.connection.session.send(packet) {
            return Err(Error::Closed);
        }
        if self.connection.session.output_len() >= FLUSH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends packets and flushes.
    ///
    /// # Errors
    /// When the server does not take them.
    pub async fn send_all(&mut self, packets: &[Packet]) -> Result<(), Error> {
        for packet in packets {
            self.send(packet).await?;
        }
        self.flush().await
    }

    /// Hands everything that is queued to the system.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn flush(&mut self) -> Result<(), Error> {
        within("the server takes what is sent", self.connection.flush()).await
    }

    /// What the server says next; `None` when it has closed the connection.
    ///
    /// # Errors
    /// When it says nothing.
    pub async fn next(&mut self) -> Result<Option<ClientEvent>, Error> {
        within("the server says something", self.connection.next()).await
    }

    /// Waits until the server closes the connection; returns what it said before.
    ///
    /// # Errors
    /// When it does not.
    pub async fn closed(&mut self) -> Result<Vec<ClientEvent>, Error> {
        let mut events = Vec::new();
        let closed = async {
            while let Some(event) = self.connection.next().await? {
                events.push(event);
            }
            Ok(())
        };
        within("the server closes the connection", closed).await?;
        Ok(events)
    }

    /// Unpublishes as encoders do and waits until the server has closed the connection.
    ///
    /// # Errors
    /// When it does not.
    pub async fn close(mut self) -> Result<(), Error> {
        self.flush().await?;
        self.connection.close().await
    }

    /// Resets the connection, as a crash of the machine or a middlebox does.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn abort(self) -> Result<(), Error> {
        self.connection.abort()
    }

    /// Falls silent and stays connected for as long as the socket is kept.
    pub fn stall(self) -> TcpStream {
        self.connection.socket
    }
}
