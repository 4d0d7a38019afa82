//! What one peer may cost: every bound of this crate, in one place.

use std::time::Duration;

use media::amf0;

/// The bounds of one session. The defaults are what real clients need, with room; each says why.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// From the start of the session until the handshake is done. Port scanners and load balancer
    /// checks connect and say nothing; a real client needs two round trips.
    pub handshake_timeout: Duration,
    /// From the end of the handshake until `connect` has arrived. Clients send it at once.
    pub connect_timeout: Duration,
    /// From `connect` until the first `publish` or `play` was accepted. Some encoders wait seconds
    /// for answers to commands that they think a server should know.
    pub command_timeout: Duration,
    /// Longest message, in bytes: all that its 24-bit length can say, since key frames of several
    /// megabytes exist.
    pub message_bytes: usize,
    /// Longest message, in bytes, until a publish is accepted: a `connect` with every list in it
    /// has a few kilobytes, and a peer that has shown no right to publish must not fill the memory.
    pub message_bytes_before_publish: usize,
    /// Bytes held for half-read messages, all chunk streams of the connection together: two of the
    /// longest. Never more than four of those that may be sent at the time: before a publish is
    /// accepted that is a quarter of a MiB.
    pub partial_bytes: usize,
    /// Chunk streams that a peer may use. Clients use fewer than ten; one has a few dozen bytes of
    /// state.
    pub chunk_streams: usize,
    /// Message streams (`createStream`) open at a time on one connection. Clients use one or two.
    pub message_streams: usize,
    /// Events waiting to be polled. The shell drains them after each input, so that only an input
    /// with very many very small messages comes near; the session then refuses to go on.
    pub events: usize,
    /// Bytes of answers waiting to be taken, media for players not counted. A peer that sends
    /// requests and does not read the answers gets here.
    pub answer_bytes: usize,
    /// Longest application or stream name, in bytes.
    pub name_bytes: usize,
    /// Bounds of one AMF message.
    pub amf: amf0::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            command_timeout: Duration::from_secs(30),
            message_bytes: 0xFF_FFFF,
            message_bytes_before_publish: 65_536,
            partial_bytes: 32 << 20,
            chunk_streams: 128,
            message_streams: 32,
            events: 65_536,
            answer_bytes: 1 << 20,
            name_bytes: 4_096,
            amf: amf0::Limits::default(),
        }
    }
}
