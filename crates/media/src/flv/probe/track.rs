//! One track of a file: its frames, times, codec, and what Enhanced RTMP says beside that.

use crate::{
    Kind, Packet, Role,
    codec::{self, AudioInfo, ChannelLayout, ColorInfo, VideoInfo},
    flv::{Malformed, Modifier, Multitrack, audio, video},
};

/// One track of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Audio or video.
    pub kind: Kind,
    /// Track id; 0 without multitrack.
    pub id: u8,
    /// What its configuration or its frames say.
    pub codec: Codec,
    /// What Enhanced RTMP says beside the codec, and in which form.
    pub enhanced: Enhanced,
    /// Coded frames; messages, for audio that packs several into one.
    pub frames: u64,
    /// Bytes of the bodies of its messages; of one that it shares, its part.
    pub bytes: u64,
    /// Configuration records; a second one that differs is a change of format.
    pub configs: u64,
    /// Time of the first frame, ms.
    pub first_ms: u32,
    /// Time of the last frame, ms.
    pub last_ms: u32,
    /// Longest time between two frames, ms.
    pub gap_max_ms: u32,
    /// Key frames.
    pub keys: u64,
    /// Longest time between two key frames, ms; 0 before there are two.
    pub key_interval_max_ms: u32,
    /// Smallest and largest composition time, ms.
    pub composition_time_ms: Option<(i32, i32)>,
    step_ms: u32,
    first_key_ms: u32,
    last_key_ms: u32,
}

/// What a track is coded with.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Codec {
    /// Nothing could be read.
    #[default]
    Unknown,
    /// Video.
    Video(VideoInfo),
    /// Audio.
    Audio(AudioInfo),
}

/// What a track has of Enhanced RTMP. Messages of several tracks count for each of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Enhanced {
    /// Messages with an enhanced head.
    pub messages: u64,
    /// Messages that are multitrack with this track alone.
    pub one_track: u64,
    /// Messages that are multitrack with several tracks of one codec.
    pub many_tracks: u64,
    /// Messages that are multitrack with several codecs.
    pub many_codecs: u64,
    /// Messages with modifiers (ModEx).
    pub modified: u64,
    /// Modifiers that are reserved, or say what cannot be.
    pub unknown_modifiers: u64,
    /// Smallest and largest `TimestampOffsetNano`, in ns.
    pub timestamp_offset_nanos: Option<(u32, u32)>,
    /// Ends of sequences.
    pub sequence_ends: u64,
    /// Starts of sequences of frames in MPEG-2 TS.
    pub ts_starts: u64,
    /// Messages to the player that seeking begins, that it ends, and others that are no frames.
    /// Plain FLV has them too.
    pub commands: Commands,
    /// Messages of reserved packet types.
    pub reserved: u64,
    /// The type of the first of them.
    pub first_reserved: Option<u8>,
    /// Metadata messages: colours, layouts of channels.
    pub metadata: u64,
    /// Those of them that cannot be read.
    pub metadata_unreadable: u64,
    /// The colours that were told last; `None` too when they were taken back.
    pub color: Option<ColorInfo>,
    /// The layout of channels that was told last.
    pub channels: Option<ChannelLayout>,
}

/// The commands of a video track (FLV E.4.3.1, E-RTMP v2 `VideoCommand`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commands {
    /// A server begins to send what leads to the place that was sought.
    pub seek_starts: u64,
    /// It has sent all of that.
    pub seek_ends: u64,
    /// Reserved ones, and those without their byte.
    pub others: u64,
}

/// A message, as far as it does not depend on the track.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    packet: &'a Packet,
    pub(super) size_bytes: u64,
    pub(super) modifiers: Modifiers,
}

impl<'a> Piece<'a> {
    pub(super) fn new(packet: &'a Packet, size_bytes: u64) -> Self {
        Self { packet, size_bytes, modifiers: Modifiers::default() }
    }
}

/// The modifiers of a message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Modifiers {
    count: u64,
    unknown: u64,
    nanos: Option<u32>,
}

impl Modifiers {
    pub(super) fn of<'a>(modifiers: impl Iterator<Item = Result<Modifier<'a>, Malformed>>) -> Self {
        let mut found = Self::default();
        for modifier in modifiers.map_while(Result::ok) {
            found.count += 1;
            match modifier.timestamp_offset_nanos() {
                Some(nanos) => found.nanos = Some(nanos),
                None => found.unknown += 1,
            }
        }
        found
    }
}

/// A pause longer than this (ms) is not the duration of a frame.
const STEP_MAX_MS: u32 = 1_000;
/// Audio frames looked at for a codec that has no configuration record.
const INFO_FRAMES_MAX: u64 = 16;

impl Track {
    pub(super) fn new(kind: Kind, id: u8) -> Self {
        Self {
            kind,
            id,
            codec: Codec::Unknown,
            enhanced: Enhanced::default(),
            frames: 0,
            bytes: 0,
            configs: 0,
            first_ms: 0,
            last_ms: 0,
            gap_max_ms: 0,
            keys: 0,
            key_interval_max_ms: 0,
            composition_time_ms: None,
            step_ms: 0,
            first_key_ms: 0,
            last_key_ms: 0,
        }
    }

    /// From the first frame to the end of the last, ms.
    pub fn duration_ms(&self) -> u64 {
        u64::from(self.last_ms.saturating_sub(self.first_ms)) + u64::from(self.step_ms)
    }

    /// Mean rate in bits per second; `None` before there are two frames.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn bit_rate(&self) -> Option<f64> {
        let duration_ms = self.duration_ms();
        (duration_ms > 0).then(|| self.bytes as f64 * 8_000.0 / duration_ms as f64)
    }

    /// Mean frames (messages) per second; `None` before there are two.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn frame_rate(&self) -> Option<f64> {
        let span_ms = f64::from(self.last_ms.saturating_sub(self.first_ms));
        (self.frames > 1 && span_ms > 0.0).then(|| (self.frames - 1) as f64 * 1_000.0 / span_ms)
    }

    /// Mean time between two key frames, ms; `None` before there are two.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn key_interval_mean_ms(&self) -> Option<f64> {
        let span_ms = f64::from(self.last_key_ms.saturating_sub(self.first_key_ms));
        (self.keys > 1).then(|| span_ms / (self.keys - 1) as f64)
    }

    /// A message of which no more is known than its role.
    pub(super) fn push(&mut self, piece: &Piece<'_>) {
        let packet = piece.packet;
        self.bytes = self.bytes.saturating_add(piece.size_bytes);
        if packet.role == Role::Config {
            self.configs += 1;
        }
        if packet.is_media() {
            self.push_frame(packet);
        }
    }

    pub(super) fn push_video(&mut self, piece: &Piece<'_>, tag: &video::VideoTag<'_>) {
        let packet = piece.packet;
        let needs_info = match &self.codec {
            Codec::Video(info) => info.width == 0 && packet.role == Role::Key,
            _ => true,
        };
        if packet.role == Role::Config || packet.is_media() && needs_info {
            let known = codec::video_tag_info(tag);
            let is_new = self.codec == Codec::Unknown;
            let known = known.or_else(|| is_new.then(|| VideoInfo::new(tag.codec)));
            self.codec = known.map_or_else(|| std::mem::take(&mut self.codec), Codec::Video);
        }
        self.push(piece);
        if packet.is_media() {
            let ms = tag.composition_time_ms;
            let (least, most) = self.composition_time_ms.unwrap_or((ms, ms));
            self.composition_time_ms = Some((least.min(ms), most.max(ms)));
        }
        self.enhanced.push(piece, tag.enhanced, tag.multitrack);
        match tag.packet_type {
            video::PacketType::Metadata => self.enhanced.push_colors(tag.data),
            _ if tag.frame_type == video::FrameType::Command => {
                self.enhanced.commands.push(tag.data.first().copied());
            }
            video::PacketType::SequenceEnd => self.enhanced.sequence_ends += 1,
            video::PacketType::Mpeg2TsSequenceStart => self.enhanced.ts_starts += 1,
            video::PacketType::Unknown(kind) => self.enhanced.push_reserved(kind),
            _ => {}
        }
    }

    pub(super) fn push_audio(&mut self, piece: &Piece<'_>, tag: &audio::AudioTag<'_>) {
        let packet = piece.packet;
        let needs_info = match &self.codec {
            Codec::Audio(info) => info.sample_rate_hz == 0 && self.frames < INFO_FRAMES_MAX,
            _ => true,
        };
        if packet.role == Role::Config || packet.is_media() && needs_info {
            let known = codec::audio_tag_info(tag);
            let is_new = self.codec == Codec::Unknown;
            let known = known.or_else(|| is_new.then(|| AudioInfo::new(tag.codec)));
            self.codec = known.map_or_else(|| std::mem::take(&mut self.codec), Codec::Audio);
        }
        self.push(piece);
        self.enhanced.push(piece, tag.enhanced, tag.multitrack);
        match tag.packet_type {
            audio::PacketType::SequenceEnd => self.enhanced.sequence_ends += 1,
            audio::PacketType::MultichannelConfig => self.enhanced.push_channels(tag.data),
            audio::PacketType::Unknown(kind) => self.enhanced.push_reserved(kind),
            _ => {}
        }
    }

    fn push_frame(&mut self, packet: &Packet) {
        let time_ms = packet.timestamp();
        if self.frames == 0 {
            self.first_ms = time_ms;
            self.last_ms = time_ms;
        }
        if let Some(step_ms) = time_ms.checked_sub(self.last_ms).filter(|&step_ms| step_ms > 0) {
            self.step_ms = step_ms.min(STEP_MAX_MS);
            self.gap_max_ms = self.gap_max_ms.max(step_ms);
        }
        self.frames += 1;
        self.last_ms = self.last_ms.max(time_ms);
        if packet.role == Role::Key {
            if self.keys == 0 {
                self.first_key_ms = time_ms;
            } else {
                let interval_ms = time_ms.saturating_sub(self.last_key_ms);
                self.key_interval_max_ms = self.key_interval_max_ms.max(interval_ms);
            }
            self.keys += 1;
            self.last_key_ms = time_ms;
        }
    }
}

impl Enhanced {
    fn push(&mut self, piece: &Piece<'_>, is_enhanced: bool, multitrack: Option<Multitrack>) {
        self.messages += u64::from(is_enhanced);
        match multitrack {
            None => {}
            Some(Multitrack::OneTrack) => self.one_track += 1,
            Some(Multitrack::ManyTracks) => self.many_tracks += 1,
            Some(Multitrack::ManyTracksManyCodecs) => self.many_codecs += 1,
        }
        let Modifiers { count, unknown, nanos } = piece.modifiers;
        self.modified += u64::from(count > 0);
        self.unknown_modifiers += unknown;
        if let Some(nanos) = nanos {
            let (least, most) = self.timestamp_offset_nanos.unwrap_or((nanos, nanos));
            self.timestamp_offset_nanos = Some((least.min(nanos), most.max(nanos)));
        }
    }

    fn push_reserved(&mut self, packet_type: u8) {
        self.reserved += 1;
        self.first_reserved.get_or_insert(packet_type);
    }

    fn push_colors(&mut self, data: &[u8]) {
        self.metadata += 1;
        let Ok(pairs) = codec::video_metadata(data) else {
            self.metadata_unreadable += 1;
            return;
        };
        for (_, value) in pairs.iter().filter(|(name, _)| name == "colorInfo") {
            self.color = ColorInfo::of(value);
        }
    }

    fn push_channels(&mut self, data: &[u8]) {
        self.metadata += 1;
        match ChannelLayout::read(data) {
            Ok(layout) => self.channels = Some(layout),
            Err(_) => self.metadata_unreadable += 1,
        }
    }
}

impl Commands {
    fn push(&mut self, command: Option<u8>) {
        match command {
            Some(0) => self.seek_starts += 1,
            Some(1) => self.seek_ends += 1,
            _ => self.others += 1,
        }
    }
}
