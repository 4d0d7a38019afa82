//! What a player is sent, apart from its session: the same bytes for all whose feeds are alike.

use media::{Chunks, Gate, Packet};

use super::{ServerSession, Stage};
use crate::chunk::ChunkWriter;
use crate::message::write_media;

/// Writes the packets of one play. Each message has a full header (RTMP 5.3.1.2.1), which refers to none before it:
/// what one feed writes is right for every player whose own feed [is like it](Self::is_like).
#[derive(Debug, Clone)]
pub struct Feed {
    stream: u32,
    chunk_size: u32,
    gate: Gate,
    writer: ChunkWriter,
}

impl Feed {
    /// The message stream.
    pub fn stream(&self) -> u32 {
        self.stream
    }

    /// Whether two players are sent the same bytes for the same packets.
    pub fn is_like(&self, other: &Self) -> bool {
        let terms = |feed: &Self| (feed.stream, feed.chunk_size);
        terms(self) == terms(other) && self.gate == other.gate
    }

    /// Appends a packet to `out` as [`ServerSession::send`] would; whether it did.
    pub fn send(&mut self, packet: &Packet, out: &mut Chunks) -> bool {
        self.writer.begin_anew();
        self.gate.takes(packet)
            && write_media(&mut self.writer, out, self.stream, packet, &packet.body)
    }
}

impl ServerSession {
    /// The feed of the player of `stream`, for somebody else to write; `None` while it does not want all there is,
    /// or while the session has something to say or to decide. Until [`ServerSession::take_back`] the session must be
    /// given no input and send nothing.
    pub fn feed(&mut self, stream: u32) -> Option<Feed> {
        let is_quiet = matches!(self.stage, Stage::Ready)
            && self.pending.is_none()
            && self.events.is_empty()
            && self.link.output_len() == 0;
        let gate = self.streams.player(stream).filter(|_| is_quiet)?.open_gate()?.clone();
        let chunk_size = self.config.chunk_size;
        let mut writer = ChunkWriter::new();
        writer.set_chunk_size(chunk_size);
        Some(Feed { stream, chunk_size, gate, writer })
    }

    /// Goes on where a feed has come to; all that it wrote was sent, or is sent next.
    pub fn take_back(&mut self, feed: &Feed) {
        if let Some(player) = self.streams.player(feed.stream) {
            player.set_gate(feed.gate.clone());
        }
        self.link.begin_anew();
    }
}
