//! RTMP ends over real sockets: one that publishes, one that plays, and a bare connection.
//!
//! Every wait ends: what does not happen within [`DEADLINE`] is an [`Error::Timeout`] or a panic
//! that says what was waited for.

mod connection;
mod player;
mod publisher;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

pub use player::{Player, PlayerEvent};
pub use publisher::Publisher;
pub use rtmp::capabilities::caps_ex;
pub use rtmp::client::{ClientConfig, ClientEvent};
pub use wire::Wire;

/// How long is waited for anything that a server should do: long enough for a machine that has much else to do.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Why an end cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an address of a stream.
    #[error("{0}")]
    Url(#[from] rtmp::url::UrlError),
    /// The socket failed: refused, reset, broken.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Session(#[from] rtmp::Error),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server refused the publish or the play.
    #[error("refused: {code} ({description})")]
    Rejected {
        /// The code, as in `NetStream.Publish.BadName`.
        code: String,
        /// The server's words.
        description: String,
    },
    /// Something did not happen in time.
    #[error("not within {DEADLINE:?}: {0}")]
    Timeout(&'static str),
}

/// A connection without a session, for bytes that no session would send.
///
/// # Errors
/// When the server cannot be reached.
pub async fn raw(addr: SocketAddr) -> Result<TcpStream, Error> {
    let socket = within("connect", async { Ok(TcpStream::connect(addr).await?) }).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Bounds what is waited for.
async fn within<T>(
    what: &'static str,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or(Err(Error::Timeout(what)))
}

#[cfg(test)]
mod tests;
