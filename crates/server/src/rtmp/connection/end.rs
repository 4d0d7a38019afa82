//! Why a connection ended.

use std::fmt;
use std::io;

/// Why a connection ended.
#[derive(Debug)]
pub(in super::super) enum End {
    /// The peer closed it.
    Closed,
    /// The system says that it is gone.
    Socket(io::Error),
    /// The peer broke the protocol, a limit or a time limit.
    Session(rtmp::Error),
    /// It sent no media for too long.
    PublisherSilent,
    /// It read nothing, or not enough, for too long.
    PlayerStalled,
    /// It made room for newer connections.
    Handshakes,
    /// It was refused.
    Refused,
    /// Somebody ended it through the API.
    Kicked,
    /// The server stops.
    Stopping,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("connection closed by peer"),
            Self::Socket(error) => write!(f, "connection lost: {error}"),
            Self::Session(error) => write!(f, "{error}"),
            Self::PublisherSilent => f.write_str("no data within -publish-timeout"),
            Self::PlayerStalled => f.write_str("player too slow for -play-timeout"),
            Self::Handshakes => f.write_str("too many handshakes"),
            Self::Refused => f.write_str("refused"),
            Self::Kicked => f.write_str("kicked"),
            Self::Stopping => f.write_str("server stopping"),
        }
    }
}
