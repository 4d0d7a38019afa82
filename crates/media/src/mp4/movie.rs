//! Which tracks there are, how each is described, and what of a stream cannot be in MP4.

use std::ops::Range;

use bytes::Bytes;

use super::sample::is_coded_video;
use super::{color, entry, learn::Learner, moov, parse};
use crate::codec::{AudioCodec, ColorInfo, VideoCodec};
use crate::flv::{audio, video};
use crate::{Header, Kind, Packet, Role};

/// The tracks of an MP4 file and their descriptions. Equal movies have equal bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Movie {
    pub(super) tracks: Vec<Track>,
    pub(super) refused: Vec<Refused>,
    /// What was learned of each track, those that are not in the movie too.
    pub(super) seen: Vec<Seen>,
    pub(super) start_unix_ms: Option<u64>,
    /// In ms from its time 0; all of it, unless said.
    pub(super) shown: Option<Range<u64>>,
}

/// What a track was when the movie was made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    pub(super) id: u8,
    pub(super) codec: Codec,
    /// What its configuration says; `None` without one.
    pub(super) record: Option<Bytes>,
    pub(super) color: Option<ColorInfo>,
}

/// A codec of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Video(VideoCodec),
    Audio(AudioCodec),
}

impl Codec {
    pub(super) fn name(self) -> String {
        match self {
            Self::Video(codec) => codec.to_string(),
            Self::Audio(codec) => codec.to_string(),
        }
    }
}

/// One track.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Audio or video.
    pub kind: Kind,
    /// The E-RTMP track id.
    pub id: u8,
    /// The codecs parameter of RFC 6381: `avc1.640028`.
    pub codec_string: String,
    /// Width of the shown picture in pixels; 0 when unknown and for audio.
    pub width: u32,
    /// Height of the shown picture in pixels; 0 when unknown and for audio.
    pub height: u32,
    /// Frames per second, where the codec's record or the metadata states them.
    pub frame_rate: Option<f64>,
    /// Sample rate of the decoded sound in Hz; 0 for video.
    pub sample_rate_hz: u32,
    /// Channels of the decoded sound; 0 for video.
    pub channels: u8,
    /// Its language, as the publisher's metadata says: `en`, `deu`, `pt-BR`.
    pub language: Option<String>,
    /// Its title, as the publisher's metadata says.
    pub title: Option<String>,
    pub(super) codec: Codec,
    pub(super) timescale: u32,
    /// The sample entry, a whole box.
    pub(super) entry: Vec<u8>,
}

impl Track {
    /// Its id in MP4: odd for video, even for audio, whatever other tracks there are. What two
    /// muxers make of one stream goes together.
    pub fn mp4_id(&self) -> u32 {
        2 * u32::from(self.id) + if self.kind == Kind::Video { 1 } else { 2 }
    }

    /// Units of its times in a second. A ms is a whole number of them, so that times are exact; of
    /// audio a sample is too, as ISO 14496-12 12.2.3 asks: the least common multiple of the two.
    /// 90,000 for video, and for rates that no sound has.
    pub fn timescale(&self) -> u32 {
        self.timescale
    }

    /// The time scale of sound; of video with a rate of 0.
    pub(super) fn timescale_of(sample_rate_hz: u32) -> u32 {
        const VIDEO: u32 = 90_000;
        const MS: u32 = 1_000;
        /// The least common multiple stays below 2^30.
        const RATE_MAX: u32 = 1_000_000;
        if !(1..=RATE_MAX).contains(&sample_rate_hz) {
            return VIDEO;
        }
        let (mut a, mut b) = (sample_rate_hz, MS);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        sample_rate_hz / a * MS
    }

    /// Units of its times in a ms.
    pub(super) fn per_ms(&self) -> u32 {
        self.timescale() / 1_000
    }

    /// Samples at the start that an encoder of Opus made of nothing, as `dOps` says it: the decoder needs them, and
    /// an edit list leaves them out (Opus in ISOBMFF 4.3.2, 4.4). RTMP says it of no other codec.
    pub(super) fn priming(&self) -> u16 {
        let boxes = self.entry.get(entry::SOUND_BOXES..);
        let is_opus = self.codec == Codec::Audio(AudioCodec::Opus);
        let specific = boxes.filter(|_| is_opus).and_then(|boxes| parse::find(boxes, &[b"dOps"]));
        match specific {
            Some([_, _, high, low, ..]) => u16::from_be_bytes([*high, *low]),
            _ => 0,
        }
    }

    /// What presentation is later than decoding, in units of its times; what is no whole unit is
    /// rounded.
    pub(super) fn composition(&self, ms: i32, nanos: u32) -> i32 {
        const MS: u64 = 1_000_000;
        let per_ms = self.per_ms();
        let units = (u64::from(nanos) * u64::from(per_ms) + MS / 2) / MS;
        let whole = ms.saturating_mul(i32::try_from(per_ms).unwrap_or(i32::MAX));
        whole.saturating_add(i32::try_from(units).unwrap_or(i32::MAX))
    }

    /// How long (ms) a sample lasts of which nothing tells.
    pub(super) fn usual_ms(&self) -> u64 {
        const FRAME_MS: u64 = 40;
        const AUDIO_MS: u64 = 20;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 1000")]
        let of_rate = |rate: f64| (1_000.0 / rate).round().clamp(1.0, 1_000.0) as u64;
        let samples: u64 = match self.codec {
            Codec::Video(_) => return self.frame_rate.map_or(FRAME_MS, of_rate),
            Codec::Audio(AudioCodec::Aac) => 1_024,
            Codec::Audio(AudioCodec::Mp3) => 1_152,
            Codec::Audio(AudioCodec::Ac3 | AudioCodec::Eac3) => 1_536,
            Codec::Audio(_) => return AUDIO_MS,
        };
        (samples * 1_000 / u64::from(self.sample_rate_hz.max(1))).clamp(1, 1_000)
    }
}

/// A track of the stream that is not in the movie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} track {id}: {reason}", .kind.name())]
pub struct Refused {
    /// Audio or video.
    pub kind: Kind,
    /// The E-RTMP track id.
    pub id: u8,
    /// Why.
    pub reason: Refusal,
}

/// Why a track cannot be in MP4. The others go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No specification says how to store the codec.
    #[error("{codec} cannot be in MP4: no specification says how; record it as FLV")]
    NoMapping {
        /// The codec.
        codec: String,
    },
    /// The publisher sent no configuration, and where the codec needs none, no frame either.
    #[error("nothing tells how to decode the {codec}: the publisher sent no configuration")]
    NoConfig {
        /// The codec.
        codec: String,
    },
    /// The configuration, or the head of the first frame, cannot be understood.
    #[error("what the publisher says of its {codec} cannot be understood")]
    BadConfig {
        /// The codec.
        codec: String,
    },
    /// There are [`super::TRACKS_MAX`] already.
    #[error("more than {} tracks", super::TRACKS_MAX)]
    TooMany,
}

impl Movie {
    /// Most packets that are looked at for tracks, and for what codecs without a configuration say.
    pub const LOOK_MAX: usize = 4_096;

    /// The movie of packets that begin with `header`. Of the packets the first group of pictures is
    /// enough: they tell which tracks come that need no configuration (MP3, AC-3, E-AC-3, VP8), and
    /// bring configurations that the header has not.
    pub fn of<'a>(header: &Header, packets: impl IntoIterator<Item = &'a Packet>) -> Self {
        let mut learner = Learner::default();
        for packet in header.packets() {
            learner.header(packet);
        }
        for packet in packets.into_iter().take(Self::LOOK_MAX) {
            learner.packet(packet);
        }
        learner.finish()
    }

    /// The tracks, video before audio, each by its id.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The tracks of the stream that cannot be in MP4, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Whether there is no track at all.
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// A track by its E-RTMP id.
    pub fn track(&self, kind: Kind, id: u8) -> Option<&Track> {
        self.tracks.iter().find(|track| (track.kind, track.id) == (kind, id))
    }

    /// The track that durations and key frames are those of: the first of video, else of audio.
    pub fn leading(&self) -> Option<&Track> {
        self.tracks.first()
    }

    /// The codecs parameter of RFC 6381 of all tracks, for playlists and Media Source players.
    pub fn codecs(&self) -> String {
        let mut all: Vec<&str> = Vec::new();
        for track in &self.tracks {
            if !all.contains(&track.codec_string.as_str()) {
                all.push(&track.codec_string);
            }
        }
        all.join(",")
    }

    /// A movie of some of the tracks; packets of the others are passed over.
    #[must_use]
    pub fn select(&self, keep: impl Fn(&Track) -> bool) -> Self {
        let mut selected = self.clone();
        selected.tracks.retain(keep);
        selected
    }

    /// With the tracks that the movie of what came before has and this has not: what follows a cut
    /// goes on with them, and codecs without a configuration, or with an empty one, do not say so before
    /// their next frame.
    #[must_use]
    pub fn going_on(mut self, before: &Self) -> Self {
        for seen in &before.seen {
            let of_it = |kind, id| (kind, id) == (seen.kind, seen.id);
            let track = before.track(seen.kind, seen.id).cloned();
            match self.seen(seen.kind, seen.id) {
                None => {
                    let refused = before.refused.iter().find(|it| of_it(it.kind, it.id));
                    self.refused.extend(refused.cloned());
                    self.seen.push(seen.clone());
                }
                Some(known) if known == seen && self.track(seen.kind, seen.id).is_none() => {
                    self.refused.retain(|it| track.is_none() || !of_it(it.kind, it.id));
                }
                Some(_) => continue,
            }
            self.tracks.extend(track);
        }
        self.tracks.sort_by_key(|track| (track.kind, track.id));
        self
    }

    /// Says when, by the clock on the wall, its time 0 is: ms since 1970. Unknown at first.
    pub fn set_start(&mut self, unix_ms: Option<u64>) {
        self.start_unix_ms = unix_ms;
    }

    /// Says that of a finished recording only this is to be shown, in ms from its time 0: an exact piece of a
    /// stream that can be cut at key frames alone. A file has times up to 49 days.
    pub fn set_shown(&mut self, shown: Range<u64>) {
        let [start, end] = [shown.start, shown.end].map(|ms| ms.min(u32::MAX.into()));
        self.shown = (start < end).then_some(start..end);
    }

    /// Whether a packet says that a track is another than it was when this was learned, or that
    /// there is a new one: what follows needs a movie of its own.
    pub fn is_changed_by(&self, packet: &Packet) -> bool {
        match packet.kind {
            Kind::Data | Kind::DataAmf3 => false,
            Kind::Video => video::tracks(&packet.body).any(|tag| {
                use video::PacketType::{Metadata, SequenceStart};
                let codec = Codec::Video(tag.codec);
                match tag.packet_type {
                    SequenceStart => self.is_other_record(packet.kind, tag.track, codec, tag.data),
                    Metadata => color::told(tag.data).is_some_and(|told| {
                        self.seen(packet.kind, tag.track).is_some_and(|seen| seen.color != told)
                    }),
                    _ => is_coded_video(&tag) && self.is_other_codec(packet.kind, tag.track, codec),
                }
            }),
            Kind::Audio => audio::tracks(&packet.body).any(|tag| {
                use audio::PacketType::{CodedFrames, SequenceStart};
                let codec = Codec::Audio(tag.codec);
                match tag.packet_type {
                    _ if tag.is_comments() => false,
                    SequenceStart => self.is_other_record(packet.kind, tag.track, codec, tag.data),
                    CodedFrames if packet.role == Role::Frame => {
                        self.is_other_codec(packet.kind, tag.track, codec)
                    }
                    _ => false,
                }
            }),
        }
    }

    /// Whether a packet tells how to decode a track of which nothing told that when this was learned: a frame of
    /// a codec that needs no configuration.
    pub fn is_completed_by(&self, packet: &Packet) -> bool {
        let is_untold = |refused: &&Refused| {
            matches!(refused.reason, Refusal::NoConfig { .. })
                && refused.kind == packet.kind
                && packet.has_track(refused.id)
        };
        let mut untold = self.refused.iter().filter(is_untold);
        packet.is_media()
            && untold.any(|refused| {
                Self::of(&Header::default(), [packet]).track(refused.kind, refused.id).is_some()
            })
    }

    /// `ftyp` and `moov` of a file that goes on in fragments.
    pub fn init_segment(&self) -> Vec<u8> {
        moov::init_segment(self)
    }

    pub(super) fn seen(&self, kind: Kind, id: u8) -> Option<&Seen> {
        self.seen.iter().find(|seen| (seen.kind, seen.id) == (kind, id))
    }

    fn is_other_record(&self, kind: Kind, id: u8, codec: Codec, record: &[u8]) -> bool {
        let is_same = |seen: &Seen| seen.codec == codec && seen.record.as_deref() == Some(record);
        !self.seen(kind, id).is_some_and(is_same)
    }

    fn is_other_codec(&self, kind: Kind, id: u8, codec: Codec) -> bool {
        self.seen(kind, id).is_none_or(|seen| seen.codec != codec)
    }
}
