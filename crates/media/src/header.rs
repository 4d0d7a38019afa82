//! The header of a stream at one point: the metadata and codec records that a decoder needs before the next packet.

use crate::{Kind, Packet, Role};

/// The newest metadata and codec configuration of each track, in the order a player wants them: metadata,
/// video, audio.
///
/// Bounded to [`Header::MAX_PACKETS`] packets; whatever more a publisher sends is still relayed and recorded in
/// its place, only not repeated to those who come later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    packets: Vec<Packet>,
}

impl Header {
    /// Most packets kept: 16 tracks of audio and of video with configuration and metadata each, and `onMetaData`.
    pub const MAX_PACKETS: usize = 65;

    /// Folds a packet in. Returns whether the header now differs: `false` for frames and events, and for a
    /// configuration that repeats the one already known.
    pub fn push(&mut self, packet: &Packet) -> bool {
        if !matches!(packet.role, Role::Config | Role::Metadata) {
            return false;
        }
        let slot = |p: &Packet| (p.kind, p.track, p.role);
        match self.packets.binary_search_by_key(&slot(packet), slot) {
            Ok(i) => match self.packets.get_mut(i) {
                Some(known) if known.body != packet.body => {
                    *known = packet.clone();
                    true
                }
                _ => false,
            },
            Err(_) if self.packets.len() >= Self::MAX_PACKETS => false,
            Err(i) => {
                self.packets.insert(i, packet.clone());
                true
            }
        }
    }

    /// All packets, metadata first, then video, then audio, each with its original time.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// The stream's `onMetaData`, if one was sent.
    pub fn metadata(&self) -> Option<&Packet> {
        self.packets.iter().find(|p| p.kind == Kind::Data)
    }

    /// The configuration of the first track of `kind`, if it has one (MP3, AC-3 and VP8 have none).
    pub fn config(&self, kind: Kind) -> Option<&Packet> {
        self.packets.iter().find(|p| p.kind == kind && p.role == Role::Config)
    }

    /// Bytes held by the packets' bodies.
    pub fn size_bytes(&self) -> usize {
        self.packets.iter().map(|p| p.body.len()).sum()
    }
}

#[cfg(test)]
mod tests;
