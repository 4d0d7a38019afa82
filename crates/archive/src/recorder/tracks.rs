//! Which packets of a stream a recording gets: decisions on packets, without a file.
//!
//! What is left out is not received: it is in no file and in no books.

use media::{Header, Kind, Packet, Role};

use crate::Tracks;

#[derive(Debug)]
pub(super) struct Filter {
    tracks: Tracks,
    /// The first video track of the run, whether it is recorded or not.
    video_track: Option<u8>,
}

impl Filter {
    pub(super) fn new(tracks: Tracks) -> Self {
        Self { tracks, video_track: None }
    }

    /// Another run has begun.
    pub(super) fn begin_run(&mut self) {
        self.video_track = None;
    }

    /// Other tracks are recorded from now on.
    pub(super) fn set(&mut self, tracks: Tracks) {
        self.tracks = tracks;
    }

    /// The first video track, as far as the recording gets it.
    pub(super) fn video_track(&self) -> Option<u8> {
        self.video_track.filter(|_| self.tracks != Tracks::Audio)
    }

    /// Takes note of the next packet of the stream.
    pub(super) fn see(&mut self, packet: &Packet) {
        media::first_video_track(&mut self.video_track, packet);
    }

    /// Whether a packet is recorded.
    pub(super) fn passes(&self, packet: &Packet) -> bool {
        self.is_of(self.tracks, packet)
    }

    /// Whether a packet is one of these tracks.
    pub(super) fn is_of(&self, tracks: Tracks, packet: &Packet) -> bool {
        match tracks {
            Tracks::All => true,
            Tracks::Audio => packet.kind != Kind::Video,
            Tracks::Video => packet.kind != Kind::Audio,
            Tracks::KeyFrames => {
                packet.kind == Kind::Video
                    && self.video_track.is_none_or(|track| packet.has_track(track))
                    && matches!(packet.role, Role::Config | Role::Metadata | Role::Key)
            }
        }
    }

    /// Whether a file of these tracks can begin with this packet of the stream.
    pub(super) fn is_place(&self, tracks: Tracks, packet: &Packet) -> bool {
        match self.video_track.filter(|_| tracks != Tracks::Audio) {
            Some(track) => {
                packet.kind == Kind::Video && packet.role == Role::Key && packet.has_track(track)
            }
            None => packet.is_media() && self.is_of(tracks, packet),
        }
    }

    /// What a file begins with, of all that a decoder of the stream needs.
    pub(super) fn header(&self, header: &Header) -> Header {
        let mut own = Header::default();
        for packet in header.packets().iter().filter(|packet| self.passes(packet)) {
            own.push(packet);
        }
        own
    }
}

#[cfg(test)]
mod tests;
