//! Why a session cannot go on.

use media::amf0;

/// Why a session ended. Every variant is the peer's doing; the caller closes the connection.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The peer does not speak plain RTMP. Expected on a public port: close quietly.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The peer broke the protocol in a way that leaves the rest of its bytes without meaning.
    #[error(transparent)]
    Protocol(#[from] Protocol),
    /// The peer asked for more than [`Limits`](crate::Limits) allow.
    #[error("{what}: the limit is {limit}, the peer asked for {got}")]
    Limit {
        /// What there was too much of, as in `message bytes`.
        what: &'static str,
        /// The limit, in the unit that `what` names.
        limit: u64,
        /// What the peer sent or announced, in the same unit.
        got: u64,
    },
    /// The peer took too long.
    #[error("timed out: no {0} in time")]
    Timeout(Stage),
    /// A message that the session cannot do without holds broken AMF.
    #[error("broken AMF: {0}")]
    Amf(#[from] amf0::Error),
}

/// What a peer speaks that is not plain RTMP, as its first bytes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Encrypted RTMP: version 6, 8 or 9.
    #[error("RTMPE (version {0}) is not supported, plain RTMP (version 3) is")]
    Rtmpe(u8),
    /// A TLS record, as of RTMPS or HTTPS.
    #[error("TLS on the plain RTMP port")]
    Tls,
    /// HTTP, as of RTMPT or of a browser.
    #[error("HTTP on the RTMP port")]
    Http,
    /// Anything else.
    #[error("RTMP version {0}, expected 3")]
    Version(u8),
}

/// How a peer broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Protocol {
    /// A chunk header that refers to an earlier one of its chunk stream, when there was none.
    #[error(
        "chunk at byte {offset}: format {format} on chunk stream {chunk_stream_id}, which has no \
         earlier header to take the rest from (expected format 0 or 1)"
    )]
    NoEarlierHeader {
        /// Bytes of the connection before the chunk, the handshake not counted.
        offset: u64,
        /// The chunk's format: 2 or 3.
        format: u8,
        /// The chunk stream.
        chunk_stream_id: u32,
    },
    /// Set Chunk Size with a value that is not a size.
    #[error("chunk size {got}, expected 1 to 2147483647")]
    ChunkSize {
        /// The value.
        got: u32,
    },
    /// A message whose body cannot be what its type says.
    #[error("message of type {message_type}: {got} bytes, expected {expected}")]
    Body {
        /// The message type.
        message_type: u8,
        /// What the type asks for.
        expected: &'static str,
        /// Length of the body in bytes.
        got: usize,
    },
    /// A command that does not fit where it came.
    #[error("command {command}: got {got}, expected {expected}")]
    Command {
        /// The command.
        command: &'static str,
        /// What would have been right.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
}

/// What a session was waiting for when it gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The handshake.
    Handshake,
    /// The `connect` command, or the answer to ours.
    Connect,
    /// A `publish` or `play` command, or the answer to ours.
    Command,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Handshake => "handshake",
            Self::Connect => "connect",
            Self::Command => "publish or play",
        })
    }
}
