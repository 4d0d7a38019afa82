//! The header of a stream at one point: the metadata and codec records that a decoder needs before the next packet.

use crate::{
    Kind, Packet, Role, TrackSet,
    codec::{AudioCodec, VideoCodec},
    flv::{audio, video},
};

/// The newest metadata and codec configuration of each track, in the order a player wants them: metadata,
/// video, audio, each by its track.
///
/// A message can speak for several tracks (E-RTMP v2 "Multitrack"): it stays as long as it is the newest word on
/// one of them, and stands before those that say something newer on another. What ends a sequence takes the
/// configuration of its tracks out, until a frame that goes on without another brings it back; a frame of another
/// codec, which needs none (MP3, AC-3, VP8), takes it out for good. The comments of Opus, which also come as the start
/// of a sequence, configure nothing.
///
/// Bounded to [`Header::MAX_PACKETS`] packets and [`Header::MAX_BYTES`]; whatever more a publisher sends is still
/// relayed and recorded in its place, only not repeated to those who come later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    packets: Vec<Packet>,
    /// One for each packet.
    notes: Vec<Note>,
    /// Configurations of sequences that have ended, at most one a track: the next one of its track may be the same,
    /// or there may be none, where a file that ends so is sent again and again.
    ended: Vec<(u8, Packet)>,
}

/// What is known of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    /// The tracks that it speaks for.
    said: TrackSet,
    /// Those of them on which it is the newest word, with their codecs.
    valid: Vec<(u8, Codec)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    None,
    Video(VideoCodec),
    Audio(AudioCodec),
}

impl Header {
    /// Most packets kept: 16 tracks of audio and of video with configuration and metadata each, and `onMetaData`.
    pub const MAX_PACKETS: usize = 65;
    /// Most bytes kept of their bodies. A configuration has some hundred.
    pub const MAX_BYTES: usize = 4 << 20;

    /// Folds a packet in. Returns whether the header now differs: `false` for frames and events that change
    /// nothing, and for a configuration that repeats the one already known.
    pub fn push(&mut self, packet: &Packet) -> bool {
        // Functions of their own: one frame for all of them would stand on the stack of every recorder's thread.
        match packet.role {
            Role::Config if is_comments(packet) => false,
            Role::Config | Role::Metadata => self.set(packet),
            Role::Event => self.end_sequence(packet),
            Role::Key | Role::Frame => {
                let is_back = !self.ended.is_empty() && self.bring_back(packet);
                is_back | self.drop_stale(packet)
            }
        }
    }

    /// Whether [`Header::push`] has something to do; cheap, so that it can be asked for every packet.
    pub fn is_changed_by(&self, packet: &Packet) -> bool {
        match packet.role {
            Role::Config | Role::Metadata => !is_comments(packet),
            Role::Event => !self.packets.is_empty() && ended(packet).is_some(),
            Role::Key | Role::Frame => {
                self.is_stale_at(packet) || self.brought_back(packet).next().is_some()
            }
        }
    }

    /// Whether a configuration or metadata is another than what is known of one of its tracks; `false` for what
    /// is the first of all its tracks. A sequence that has ended is known.
    pub fn differs(&self, packet: &Packet) -> bool {
        if is_comments(packet) {
            return false;
        }
        let (_, note) = Note::of(packet);
        note.valid.iter().any(|(track, _)| {
            let known = self.known(packet.kind, packet.role, *track).or_else(|| {
                let of_track = |(id, ended): &&(u8, Packet)| {
                    (*id, ended.kind, ended.role) == (*track, packet.kind, packet.role)
                };
                self.ended.iter().find(of_track).map(|(_, packet)| packet)
            });
            known.is_some_and(|known| !says_the_same(known, packet, *track))
        })
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

    /// The message that configures a track, if it has one; it may configure others too.
    pub fn config_of(&self, kind: Kind, track: u8) -> Option<&Packet> {
        self.known(kind, Role::Config, track)
    }

    /// Bytes held by the packets' bodies.
    pub fn size_bytes(&self) -> usize {
        self.packets.iter().map(|p| p.body.len()).sum()
    }

    fn known(&self, kind: Kind, role: Role, track: u8) -> Option<&Packet> {
        let mut all = self.packets.iter().zip(&self.notes);
        let found = all
            .find(|(packet, note)| packet.kind == kind && packet.role == role && note.has(track));
        found.map(|(packet, _)| packet)
    }

    #[inline(never)]
    fn set(&mut self, packet: &Packet) -> bool {
        let (said, note) = Note::of(packet);
        let is_repeated = self.packets.iter().zip(&self.notes).any(|(known, known_note)| {
            known.kind == packet.kind
                && known.role == packet.role
                && known.body == packet.body
                && known_note.valid.len() == note.valid.len()
        });
        if is_repeated {
            return false;
        }
        let mut changed = self.take_out(packet.kind, |known, track, codec| {
            let is_superseded = known.role == packet.role && said.contains(track);
            // The layout of the channels was that of another codec.
            let is_of_other_codec = packet.role == Role::Config
                && (known.kind, known.role) == (Kind::Audio, Role::Metadata)
                && note.differs_from(track, codec);
            is_superseded || is_of_other_codec
        });
        if packet.role == Role::Config {
            self.ended.retain(|(track, known)| known.kind != packet.kind || !said.contains(*track));
        }
        let bytes = self.size_bytes().saturating_add(packet.body.len());
        if self.packets.len() < Self::MAX_PACKETS && bytes <= Self::MAX_BYTES {
            let at = self.place_of(packet, said);
            self.packets.insert(at, packet.clone());
            self.notes.insert(at, note);
            changed = true;
        }
        changed
    }

    /// Where a packet stands: by kind and track, but behind older ones that say something of its tracks.
    fn place_of(&self, packet: &Packet, said: TrackSet) -> usize {
        let slot = |p: &Packet| (p.kind, p.track, p.role);
        let sorted = self.packets.iter().position(|known| slot(known) > slot(packet));
        let sorted = sorted.unwrap_or(self.packets.len());
        let is_older = |(known, note): (&Packet, &Note)| {
            known.kind == packet.kind && known.role == packet.role && note.said.intersects(said)
        };
        let older = self.packets.iter().zip(&self.notes).rposition(is_older);
        older.map_or(sorted, |older| sorted.max(older + 1))
    }

    /// A sequence has ended: its tracks have no configuration until the next begins. The colours of a picture
    /// stay until they are set anew; the layout of channels belongs to the sequence.
    #[inline(never)]
    fn end_sequence(&mut self, packet: &Packet) -> bool {
        let Some(tracks) = ended(packet) else { return false };
        let of_sequence = |known: &Packet, track: u8, _: Codec| {
            let is_kept = (known.kind, known.role) == (Kind::Video, Role::Metadata);
            !is_kept && tracks.contains(track)
        };
        for (known, note) in self.packets.iter().zip(&self.notes) {
            if known.kind != packet.kind || known.role != Role::Config {
                continue;
            }
            for (track, _) in note.valid.iter().filter(|(track, _)| tracks.contains(*track)) {
                let is_same =
                    |(id, other): &(u8, Packet)| *id == *track && other.kind == known.kind;
                self.ended.retain(|ended| !is_same(ended));
                let bytes: usize = self.ended.iter().map(|(_, known)| known.body.len()).sum();
                let fits = bytes.saturating_add(known.body.len()) <= Self::MAX_BYTES;
                if self.ended.len() < Self::MAX_PACKETS && fits {
                    self.ended.push((*track, known.clone()));
                }
            }
        }
        self.take_out(packet.kind, of_sequence)
    }

    #[inline(never)]
    fn bring_back(&mut self, packet: &Packet) -> bool {
        let back: Vec<Packet> = self.brought_back(packet).cloned().collect();
        back.iter().fold(false, |changed, config| self.set(config) | changed)
    }

    /// Configurations of sequences that had ended and that a frame goes on with, for there is no other.
    fn brought_back(&self, packet: &Packet) -> impl Iterator<Item = &Packet> {
        let looks = !self.ended.is_empty() && looks_at(packet);
        let frames = looks.then(|| coded(packet)).into_iter().flatten();
        frames.filter_map(|(track, codec)| {
            let of_track =
                |(id, config): &&(u8, Packet)| *id == track && config.kind == packet.kind;
            let (_, config) = self.ended.iter().find(of_track)?;
            let (said, note) = Note::of(config);
            let is_other = note.differs_from(track, codec);
            // One that spoke for other tracks too may not be their newest word.
            let mut known = self.packets.iter().zip(&self.notes);
            let is_known = known.any(|(known, note)| {
                let is_config = (known.kind, known.role) == (packet.kind, Role::Config);
                is_config && note.valid.iter().any(|(id, _)| said.contains(*id))
            });
            (!is_other && !is_known).then_some(config)
        })
    }

    #[inline(never)]
    fn drop_stale(&mut self, packet: &Packet) -> bool {
        if !self.is_stale_at(packet) {
            return false;
        }
        let (_, note) = Note::of(packet);
        self.take_out(packet.kind, |known, track, codec| {
            goes_with_codec(known) && note.differs_from(track, codec)
        })
    }

    /// Whether what is known is of another codec than a frame.
    fn is_stale_at(&self, packet: &Packet) -> bool {
        let is_stale = |(track, codec): (u8, Codec)| {
            let mut all = self.packets.iter().zip(&self.notes);
            all.any(|(known, note)| {
                known.kind == packet.kind && goes_with_codec(known) && {
                    let of_track = |(id, other): &(u8, Codec)| *id == track && *other != codec;
                    note.valid.iter().any(of_track)
                }
            })
        };
        looks_at(packet) && coded(packet).any(is_stale)
    }

    /// Takes tracks of `kind` out of what is known, and packets that are left without one.
    fn take_out(&mut self, kind: Kind, is_out: impl Fn(&Packet, u8, Codec) -> bool) -> bool {
        let mut changed = false;
        let mut at = 0;
        while let (Some(packet), Some(note)) = (self.packets.get(at), self.notes.get_mut(at)) {
            if packet.kind == kind {
                let before = note.valid.len();
                note.valid.retain(|(track, codec)| !is_out(packet, *track, *codec));
                changed |= note.valid.len() != before;
                if note.valid.is_empty() {
                    self.packets.remove(at);
                    self.notes.remove(at);
                    continue;
                }
            }
            at += 1;
        }
        changed
    }
}

impl Note {
    /// The tracks that a packet speaks for; track 0 for what cannot be read.
    fn of(packet: &Packet) -> (TrackSet, Self) {
        let mut note = Self { said: TrackSet::default(), valid: Vec::new() };
        for (track, codec) in coded(packet) {
            if !note.said.contains(track) {
                note.said.insert(track);
                note.valid.push((track, codec));
            }
        }
        if note.valid.is_empty() {
            note.said.insert(packet.track);
            note.valid.push((packet.track, Codec::None));
        }
        (note.said, note)
    }

    fn has(&self, track: u8) -> bool {
        self.valid.iter().any(|(id, _)| *id == track)
    }

    /// Whether this says that `track` has another codec.
    fn differs_from(&self, track: u8, codec: Codec) -> bool {
        self.valid.iter().any(|(id, other)| *id == track && *other != codec)
    }
}

/// Whether a sequence starts with comments alone.
pub(crate) fn is_comments(packet: &Packet) -> bool {
    let is_config = packet.kind == Kind::Audio && packet.role == Role::Config;
    let mut tracks =
        is_config.then(|| audio::tracks(&packet.body)).into_iter().flatten().peekable();
    tracks.peek().is_some() && tracks.all(|tag| tag.is_comments())
}

/// Whether a frame is looked at: video where it can be started.
fn looks_at(packet: &Packet) -> bool {
    matches!((packet.kind, packet.role), (Kind::Video, Role::Key) | (Kind::Audio, _))
}

/// Whether a message is of no use once its track has another codec: everything but the colours.
fn goes_with_codec(known: &Packet) -> bool {
    (known.kind, known.role) != (Kind::Video, Role::Metadata)
}

/// The tracks of a message and their codecs.
fn coded(packet: &Packet) -> impl Iterator<Item = (u8, Codec)> {
    let is = |kind| packet.kind == kind;
    let video = is(Kind::Video).then(|| video::tracks(&packet.body)).into_iter().flatten();
    let audio = is(Kind::Audio).then(|| audio::tracks(&packet.body)).into_iter().flatten();
    let video = video.map(|tag| (tag.track, Codec::Video(tag.codec)));
    video.chain(audio.map(|tag| (tag.track, Codec::Audio(tag.codec))))
}

/// The tracks whose sequence ends with this message.
fn ended(packet: &Packet) -> Option<TrackSet> {
    let ids: TrackSet = match packet.kind {
        Kind::Video => video::tracks(&packet.body)
            .filter(|tag| tag.packet_type == video::PacketType::SequenceEnd)
            .map(|tag| tag.track)
            .collect(),
        Kind::Audio => audio::tracks(&packet.body)
            .filter(|tag| tag.packet_type == audio::PacketType::SequenceEnd)
            .map(|tag| tag.track)
            .collect(),
        Kind::Data | Kind::DataAmf3 => return None,
    };
    (!ids.is_empty()).then_some(ids)
}

/// Whether two messages, however they are laid out, say the same of a track.
fn says_the_same(a: &Packet, b: &Packet, track: u8) -> bool {
    let video = |packet: &Packet| {
        let tag = video::tracks(&packet.body).find(|tag| tag.track == track)?;
        Some((tag.codec, tag.packet_type, tag.data.to_vec()))
    };
    let audio = |packet: &Packet| {
        let tag = audio::tracks(&packet.body).find(|tag| tag.track == track)?;
        Some((tag.codec, tag.packet_type, tag.data.to_vec()))
    };
    a.body == b.body
        || match a.kind {
            Kind::Video => video(a).is_some_and(|said| Some(said) == video(b)),
            Kind::Audio => audio(a).is_some_and(|said| Some(said) == audio(b)),
            Kind::Data | Kind::DataAmf3 => false,
        }
}

#[cfg(test)]
mod tests;
