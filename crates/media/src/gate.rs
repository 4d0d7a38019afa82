//! Which video a player can decode that joined in the middle or lost something.

use crate::{Kind, Packet, Role, TrackSet};

/// The first video track of a stream after `packet`: the lowest that has a configuration or a key
/// frame (E-RTMP v2 "Multitrack": 0 is the default), and before that any. Its key frames are the
/// places to start at.
pub fn first_video_track(known: &mut Option<u8>, packet: &Packet) -> Option<u8> {
    if packet.kind == Kind::Video && packet.role != Role::Event {
        let is_certain = matches!(packet.role, Role::Config | Role::Key);
        if known.is_none_or(|known| is_certain && packet.track < known) {
            *known = Some(packet.track);
        }
    }
    *known
}

/// Holds video back that a player cannot decode.
///
/// A player begins where decoding of the first video track can start, and goes on there after a
/// loss. Each other track begins at a key frame of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    first: Option<u8>,
    /// Of the first track, something was left out.
    needs_key: bool,
    /// Other tracks that had their key frame.
    open: TrackSet,
}

impl Gate {
    /// Something was left out: every track goes on at its next key frame.
    pub fn wait_for_key(&mut self) {
        self.needs_key = true;
        self.open = TrackSet::default();
    }

    /// Another stream begins, with tracks of its own. What was left out is not forgotten.
    pub fn begin(&mut self) {
        self.first = None;
        self.open = TrackSet::default();
    }

    /// Whether the player can make something of the packet. Headers always pass, and all but video.
    pub fn takes(&mut self, packet: &Packet) -> bool {
        let first = first_video_track(&mut self.first, packet);
        match (packet.kind, packet.role) {
            (Kind::Audio | Kind::Data | Kind::DataAmf3, _) | (_, Role::Config | Role::Metadata) => {
                true
            }
            (Kind::Video, Role::Key) => {
                let tracks = packet.tracks();
                tracks.iter().for_each(|track| self.open.insert(track));
                self.needs_key &= !first.is_some_and(|first| tracks.contains(first));
                true
            }
            (Kind::Video, Role::Event) => !self.needs_key,
            (Kind::Video, Role::Frame) => {
                let is_of_first = first.is_none_or(|first| packet.has_track(first));
                if is_of_first { !self.needs_key } else { self.open.contains(packet.track) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
