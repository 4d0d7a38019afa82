//! One audio, video or data message, as publishers send it and players and recorders get it.

use bytes::Bytes;

use crate::{TrackSet, flv};

/// What a packet carries; decides the RTMP message type and the FLV tag type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Script data in AMF0: `onMetaData`, cue points, captions (RTMP message 18, FLV tag 18).
    Data,
    /// Script data in an AMF3 container, as FLV files of other programs can have it (FLV tag 15).
    /// What comes over RTMP so (message 15) is [`Kind::Data`] already: its values are AMF0 then.
    DataAmf3,
    /// Video (RTMP message 9, FLV tag 9).
    Video,
    /// Audio (RTMP message 8, FLV tag 8).
    Audio,
}

impl Kind {
    /// The number that both RTMP (7.1) and FLV (E.4.1) give this kind: 8, 9, 15 or 18.
    pub fn number(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Data => 18,
            Self::DataAmf3 => 15,
        }
    }

    /// The word used in logs and in reports: `audio`, `video` or `data`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Data | Self::DataAmf3 => "data",
        }
    }
}

/// What a packet means to a decoder, and so to everyone who joins, cuts or drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `onMetaData`, or Enhanced RTMP metadata and channel layout: replaces the one before it.
    Metadata,
    /// A codec configuration record (sequence header, sequence start): needed before any frame of its track.
    Config,
    /// A video frame at which decoding can start.
    Key,
    /// Any other coded audio or video.
    Frame,
    /// Something that happens once at its time: cue point, caption, end of sequence, empty message.
    Event,
}

/// One audio, video or data message. Cloning shares the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Audio, video or data.
    pub kind: Kind,
    /// What it means to a decoder.
    pub role: Role,
    /// The Enhanced RTMP track id; 0 for everything that is not multitrack. Of several tracks the first.
    pub track: u8,
    /// Decoding time in ms, unwrapped: its low 32 bits are the RTMP timestamp as it was on the wire.
    pub dts_ms: i64,
    /// The RTMP message body, which is the FLV tag body, exactly as the publisher sent it.
    pub body: Bytes,
}

impl Packet {
    /// Reads the role and the track off the first bytes of `body`. Never fails: what cannot be understood is a
    /// [`Role::Frame`] of track 0 (a [`Role::Event`] for data and for empty bodies) and is carried like all else.
    pub fn new(kind: Kind, dts_ms: i64, body: Bytes) -> Self {
        Self::of_head(kind, dts_ms, body, 0)
    }

    /// The same of a body that lacks its last `missing` bytes.
    pub(crate) fn of_head(kind: Kind, dts_ms: i64, head: Bytes, missing: usize) -> Self {
        let (role, track) = Self::classify(kind, &head, missing);
        Self { kind, role, track, dts_ms, body: head }
    }

    /// What the head of a body tells that lacks its last `missing` bytes.
    pub(crate) fn classify(kind: Kind, head: &[u8], missing: usize) -> (Role, u8) {
        match kind {
            Kind::Video => flv::video::classify_head(head, missing),
            Kind::Audio => flv::audio::classify_head(head, missing),
            Kind::Data => (flv::meta::classify(head), 0),
            // No player is told of it: it is in files alone.
            Kind::DataAmf3 => (Role::Event, 0),
        }
    }

    /// All tracks that the message carries: one, unless it is a multitrack message of several.
    pub fn tracks(&self) -> TrackSet {
        use flv::Multitrack::{ManyTracks, ManyTracksManyCodecs};
        let is_of_several = |layout| matches!(layout, Some(ManyTracks | ManyTracksManyCodecs));
        let mut tracks: TrackSet = match self.kind {
            Kind::Video => flv::video::tracks(&self.body)
                .filter(|tag| is_of_several(tag.multitrack))
                .map(|tag| tag.track)
                .collect(),
            Kind::Audio => flv::audio::tracks(&self.body)
                .filter(|tag| is_of_several(tag.multitrack))
                .map(|tag| tag.track)
                .collect(),
            Kind::Data | Kind::DataAmf3 => TrackSet::default(),
        };
        tracks.insert(self.track);
        tracks
    }

    /// Whether `track` is one of them.
    pub fn has_track(&self, track: u8) -> bool {
        self.track == track || self.tracks().contains(track)
    }

    /// The RTMP timestamp: the low 32 bits of [`Packet::dts_ms`] (RTMP 5.3.1.1: 32 bits, ms, wrapping).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the wire wraps at 32 bits by definition"
    )]
    pub fn timestamp(&self) -> u32 {
        self.dts_ms as u32
    }

    /// Whether this is coded audio or video, the only packets that move a clock.
    pub fn is_media(&self) -> bool {
        matches!(self.kind, Kind::Video | Kind::Audio)
            && matches!(self.role, Role::Key | Role::Frame)
    }
}

#[cfg(test)]
mod tests;
