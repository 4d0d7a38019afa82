//! Which codec a track uses, and what its configuration record says about the picture or the sound.
//!
//! One module per codec reads that codec's record. Nothing here decodes media: the only headers
//! read are those that tell size, rate and profile. Where the record stands inside an RTMP message
//! is known to [`crate::flv`].
//!
//! Every parser takes any bytes whatever: what cannot be understood is `None` or an unknown field,
//! never a panic, and the work is bounded by the length of the record.

mod aac;
mod ac3;
mod av1;
mod avc;
mod bits;
mod channels;
mod color;
mod flac;
mod flash;
mod hevc;
mod mp3;
mod opus;
mod vpx;
mod vvc;

use std::fmt;

use crate::flv;

pub(crate) use ac3::{ac3_specific, eac3_specific};
pub(crate) use av1::color as av1_color;
pub use channels::{Channel, ChannelLayout, ChannelOrder};
pub use color::{ColorInfo, Mastering, video_metadata};
pub(crate) use flac::blocks as flac_blocks;
pub(crate) use opus::specific as opus_specific;
pub(crate) use vpx::color as vp9_color;

/// A codec's four-character code, as Enhanced RTMP ("Enhanced Video", "Enhanced Audio") and MP4
/// spell it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// H.264.
    pub const AVC1: Self = Self(*b"avc1");
    /// H.265.
    pub const HVC1: Self = Self(*b"hvc1");
    /// H.266.
    pub const VVC1: Self = Self(*b"vvc1");
    /// AV1.
    pub const AV01: Self = Self(*b"av01");
    /// VP8.
    pub const VP08: Self = Self(*b"vp08");
    /// VP9.
    pub const VP09: Self = Self(*b"vp09");
    /// AAC.
    pub const MP4A: Self = Self(*b"mp4a");
    /// MP3.
    pub const MP3: Self = Self(*b".mp3");
    /// Opus.
    pub const OPUS: Self = Self(*b"Opus");
    /// FLAC.
    pub const FLAC: Self = Self(*b"fLaC");
    /// AC-3.
    pub const AC3: Self = Self(*b"ac-3");
    /// Enhanced AC-3.
    pub const EAC3: Self = Self(*b"ec-3");

    /// The code as the number that `onMetaData` carries: big-endian (E-RTMP v2 "Enhancing
    /// onMetaData").
    pub fn number(self) -> u32 {
        u32::from_be_bytes(self.0)
    }
}

impl fmt::Display for FourCc {
    /// The four characters; bytes that are not printable ASCII are escaped, so that it is safe in a
    /// log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

/// A video codec, from the FLV codec id (FLV E.4.3.1) or the Enhanced RTMP FourCC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264: id 7 and `avc1`.
    Avc,
    /// H.265: `hvc1`.
    Hevc,
    /// H.266: `vvc1`.
    Vvc,
    /// AV1: `av01`.
    Av1,
    /// VP8: `vp08`.
    Vp8,
    /// VP9: `vp09`.
    Vp9,
    /// Sorenson H.263: id 2.
    H263,
    /// Screen video: id 3.
    Screen,
    /// On2 VP6: id 4.
    Vp6,
    /// On2 VP6 with an alpha channel: id 5.
    Vp6Alpha,
    /// Screen video version 2: id 6.
    Screen2,
    /// A FourCC that is none of these.
    Unknown(FourCc),
    /// A legacy codec id that is none of these.
    UnknownId(u8),
}

impl VideoCodec {
    /// The codec of an FLV codec id (4 bits). 12 is HEVC as encoders sent it before Enhanced RTMP.
    pub fn from_id(id: u8) -> Self {
        match id {
            2 => Self::H263,
            3 => Self::Screen,
            4 => Self::Vp6,
            5 => Self::Vp6Alpha,
            6 => Self::Screen2,
            7 => Self::Avc,
            12 => Self::Hevc,
            _ => Self::UnknownId(id),
        }
    }

    /// The codec of an Enhanced RTMP FourCC.
    pub fn from_fourcc(fourcc: FourCc) -> Self {
        match fourcc {
            FourCc::AVC1 => Self::Avc,
            FourCc::HVC1 => Self::Hevc,
            FourCc::VVC1 => Self::Vvc,
            FourCc::AV01 => Self::Av1,
            FourCc::VP08 => Self::Vp8,
            FourCc::VP09 => Self::Vp9,
            _ => Self::Unknown(fourcc),
        }
    }

    /// The FLV codec id, where the FLV specification gives it one.
    pub fn id(self) -> Option<u8> {
        match self {
            Self::H263 => Some(2),
            Self::Screen => Some(3),
            Self::Vp6 => Some(4),
            Self::Vp6Alpha => Some(5),
            Self::Screen2 => Some(6),
            Self::Avc => Some(7),
            Self::UnknownId(id) => Some(id),
            _ => None,
        }
    }

    /// The Enhanced RTMP FourCC, where it has one.
    pub fn fourcc(self) -> Option<FourCc> {
        match self {
            Self::Avc => Some(FourCc::AVC1),
            Self::Hevc => Some(FourCc::HVC1),
            Self::Vvc => Some(FourCc::VVC1),
            Self::Av1 => Some(FourCc::AV01),
            Self::Vp8 => Some(FourCc::VP08),
            Self::Vp9 => Some(FourCc::VP09),
            Self::Unknown(fourcc) => Some(fourcc),
            _ => None,
        }
    }

    /// The name for logs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avc => "H.264",
            Self::Hevc => "HEVC",
            Self::Vvc => "VVC",
            Self::Av1 => "AV1",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H263 => "Sorenson H.263",
            Self::Screen => "Screen",
            Self::Vp6 => "VP6",
            Self::Vp6Alpha => "VP6 with alpha",
            Self::Screen2 => "Screen 2",
            Self::Unknown(_) | Self::UnknownId(_) => "unknown",
        }
    }
}

impl fmt::Display for VideoCodec {
    /// The name; for an unknown codec with its FourCC or id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(fourcc) => write!(f, "unknown ({fourcc})"),
            Self::UnknownId(id) => write!(f, "unknown (id {id})"),
            _ => f.write_str(self.name()),
        }
    }
}

/// An audio codec, from the FLV sound format (FLV E.4.2.1) or the Enhanced RTMP FourCC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// AAC: format 10 and `mp4a`.
    Aac,
    /// MP3: formats 2 and 14 (8 kHz), and `.mp3`.
    Mp3,
    /// Opus.
    Opus,
    /// FLAC: `fLaC`.
    Flac,
    /// AC-3: `ac-3`.
    Ac3,
    /// Enhanced AC-3: `ec-3`.
    Eac3,
    /// G.711 A-law: format 7.
    G711A,
    /// G.711 mu-law: format 8.
    G711U,
    /// ADPCM: format 1.
    Adpcm,
    /// Linear PCM in the byte order of the sender: format 0.
    Pcm,
    /// Linear PCM, little-endian: format 3.
    PcmLe,
    /// Nellymoser: formats 4 (16 kHz), 5 (8 kHz) and 6.
    Nellymoser,
    /// Speex: format 11.
    Speex,
    /// A FourCC that is none of these.
    Unknown(FourCc),
    /// A sound format that is none of these.
    UnknownId(u8),
}

impl AudioCodec {
    /// The codec of an FLV sound format (4 bits).
    pub fn from_id(id: u8) -> Self {
        match id {
            0 => Self::Pcm,
            1 => Self::Adpcm,
            2 | 14 => Self::Mp3,
            3 => Self::PcmLe,
            4..=6 => Self::Nellymoser,
            7 => Self::G711A,
            8 => Self::G711U,
            10 => Self::Aac,
            11 => Self::Speex,
            _ => Self::UnknownId(id),
        }
    }

    /// The codec of an Enhanced RTMP FourCC.
    pub fn from_fourcc(fourcc: FourCc) -> Self {
        match fourcc {
            FourCc::MP4A => Self::Aac,
            FourCc::MP3 => Self::Mp3,
            FourCc::OPUS => Self::Opus,
            FourCc::FLAC => Self::Flac,
            FourCc::AC3 => Self::Ac3,
            FourCc::EAC3 => Self::Eac3,
            _ => Self::Unknown(fourcc),
        }
    }

    /// The FLV sound format, where the FLV specification gives it one (the general one, where
    /// several).
    pub fn id(self) -> Option<u8> {
        match self {
            Self::Pcm => Some(0),
            Self::Adpcm => Some(1),
            Self::Mp3 => Some(2),
            Self::PcmLe => Some(3),
            Self::Nellymoser => Some(6),
            Self::G711A => Some(7),
            Self::G711U => Some(8),
            Self::Aac => Some(10),
            Self::Speex => Some(11),
            Self::UnknownId(id) => Some(id),
            _ => None,
        }
    }

    /// The Enhanced RTMP FourCC, where it has one.
    pub fn fourcc(self) -> Option<FourCc> {
        match self {
            Self::Aac => Some(FourCc::MP4A),
            Self::Mp3 => Some(FourCc::MP3),
            Self::Opus => Some(FourCc::OPUS),
            Self::Flac => Some(FourCc::FLAC),
            Self::Ac3 => Some(FourCc::AC3),
            Self::Eac3 => Some(FourCc::EAC3),
            Self::Unknown(fourcc) => Some(fourcc),
            _ => None,
        }
    }

    /// The name for logs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aac => "AAC",
            Self::Mp3 => "MP3",
            Self::Opus => "Opus",
            Self::Flac => "FLAC",
            Self::Ac3 => "AC-3",
            Self::Eac3 => "E-AC-3",
            Self::G711A => "G.711 A-law",
            Self::G711U => "G.711 mu-law",
            Self::Adpcm => "ADPCM",
            Self::Pcm | Self::PcmLe => "PCM",
            Self::Nellymoser => "Nellymoser",
            Self::Speex => "Speex",
            Self::Unknown(_) | Self::UnknownId(_) => "unknown",
        }
    }
}

impl fmt::Display for AudioCodec {
    /// The name; for an unknown codec with its FourCC or sound format.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(fourcc) => write!(f, "unknown ({fourcc})"),
            Self::UnknownId(id) => write!(f, "unknown (id {id})"),
            _ => f.write_str(self.name()),
        }
    }
}

/// What a video track's configuration, or the header of its key frame, says about the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoInfo {
    /// The codec.
    pub codec: VideoCodec,
    /// Width of the shown picture (cropped) in pixels; 0 when unknown.
    pub width: u32,
    /// Height of the shown picture (cropped) in pixels; 0 when unknown.
    pub height: u32,
    /// Profile, in the codec's own words: `High`, `Main 10`, `Profile 0`.
    pub profile: Option<String>,
    /// Level, as people write it: `3.1`.
    pub level: Option<String>,
    /// The codecs parameter of RFC 6381 and of the codec's MP4 binding: `avc1.64001f`.
    pub codec_string: Option<String>,
    /// Bits per luma sample.
    pub bit_depth: Option<u8>,
    /// Frames per second, where the record states a fixed one.
    pub frame_rate: Option<f64>,
}

impl VideoInfo {
    /// Only the codec is known.
    pub fn new(codec: VideoCodec) -> Self {
        Self {
            codec,
            width: 0,
            height: 0,
            profile: None,
            level: None,
            codec_string: None,
            bit_depth: None,
            frame_rate: None,
        }
    }

    /// Takes from `other` what is not known here: of VP8 and VP9 the configuration tells the
    /// profile, the key frame the size. Another codec tells nothing.
    pub fn complete(&mut self, other: &Self) {
        if self.codec != other.codec {
            return;
        }
        if self.width == 0 || self.height == 0 {
            (self.width, self.height) = (other.width, other.height);
        }
        self.profile = self.profile.take().or_else(|| other.profile.clone());
        self.level = self.level.take().or_else(|| other.level.clone());
        self.codec_string = self.codec_string.take().or_else(|| other.codec_string.clone());
        self.bit_depth = self.bit_depth.or(other.bit_depth);
        self.frame_rate = self.frame_rate.or(other.frame_rate);
    }
}

/// What an audio track's configuration, or a frame's own header, says about the sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioInfo {
    /// The codec.
    pub codec: AudioCodec,
    /// Sample rate of the decoded sound in Hz; 0 when unknown.
    pub sample_rate_hz: u32,
    /// Channels of the decoded sound; 0 when unknown.
    pub channels: u8,
    /// Profile, in the codec's own words: `LC`, `HE-AAC`.
    pub profile: Option<String>,
    /// The codecs parameter of RFC 6381 and of the codec's MP4 binding: `mp4a.40.2`.
    pub codec_string: Option<String>,
}

impl AudioInfo {
    /// Only the codec is known.
    pub fn new(codec: AudioCodec) -> Self {
        Self { codec, sample_rate_hz: 0, channels: 0, profile: None, codec_string: None }
    }

    /// Takes from `other` what is not known here: of AC-3 the configuration is empty, a frame
    /// tells. Another codec tells nothing.
    pub fn complete(&mut self, other: &Self) {
        if self.codec != other.codec {
            return;
        }
        if self.sample_rate_hz == 0 {
            self.sample_rate_hz = other.sample_rate_hz;
        }
        if self.channels == 0 {
            self.channels = other.channels;
        }
        self.profile = self.profile.take().or_else(|| other.profile.clone());
        self.codec_string = self.codec_string.take().or_else(|| other.codec_string.clone());
    }
}

/// What a video message says about its track's picture: a configuration, or a key frame whose
/// header tells.
///
/// Of several tracks the first. `None` for messages that tell nothing, such as most frames. A
/// message that is understood but for its record gives the codec alone.
pub fn video_info(body: &[u8]) -> Option<VideoInfo> {
    video_tag_info(&flv::video::parse(body)?)
}

/// The same of one track of a message.
pub fn video_tag_info(tag: &flv::video::VideoTag<'_>) -> Option<VideoInfo> {
    use flv::video::PacketType;
    match tag.packet_type {
        PacketType::SequenceStart => {
            let info = match tag.codec {
                VideoCodec::Avc => avc::config(tag.data),
                VideoCodec::Hevc => hevc::config(tag.data),
                VideoCodec::Vvc => vvc::config(tag.data),
                VideoCodec::Av1 => av1::config(tag.data),
                VideoCodec::Vp8 | VideoCodec::Vp9 => vpx::config(tag.codec, tag.data),
                _ => None,
            };
            Some(info.unwrap_or_else(|| VideoInfo::new(tag.codec)))
        }
        PacketType::Mpeg2TsSequenceStart => {
            let info = (tag.codec == VideoCodec::Av1).then(|| av1::ts_descriptor(tag.data));
            Some(info.flatten().unwrap_or_else(|| VideoInfo::new(tag.codec)))
        }
        PacketType::CodedFrames | PacketType::CodedFramesX if tag.frame_type.is_key() => {
            match tag.codec {
                VideoCodec::Av1 => av1::key_frame(tag.data),
                VideoCodec::Vp8 => vpx::vp8_key_frame(tag.data),
                VideoCodec::Vp9 => vpx::vp9_key_frame(tag.data),
                VideoCodec::H263 => flash::h263_frame(tag.data),
                VideoCodec::Screen | VideoCodec::Screen2 => {
                    flash::screen_frame(tag.codec, tag.data)
                }
                VideoCodec::Vp6 | VideoCodec::Vp6Alpha => Some(VideoInfo::new(tag.codec)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What an audio message says about its track's sound: a configuration, or a frame of a codec whose
/// frames, or whose legacy FLV flags, tell.
///
/// Of several tracks the first. `None` for messages that tell nothing, such as the frames of AAC. A
/// message that is understood but for its record gives the codec alone.
pub fn audio_info(body: &[u8]) -> Option<AudioInfo> {
    audio_tag_info(&flv::audio::parse(body)?)
}

/// The same of one track of a message.
pub fn audio_tag_info(tag: &flv::audio::AudioTag<'_>) -> Option<AudioInfo> {
    use flv::audio::PacketType;
    match tag.packet_type {
        _ if tag.is_comments() => None,
        PacketType::SequenceStart => {
            let info = match tag.codec {
                AudioCodec::Aac => aac::config(tag.data),
                AudioCodec::Opus => opus::config(tag.data),
                AudioCodec::Flac => flac::config(tag.data),
                _ => None,
            };
            Some(info.unwrap_or_else(|| AudioInfo::new(tag.codec)))
        }
        PacketType::CodedFrames => {
            let info = match tag.codec {
                AudioCodec::Aac => return None,
                AudioCodec::Mp3 => mp3::frame(tag.data),
                AudioCodec::Ac3 | AudioCodec::Eac3 => ac3::frame(tag.data),
                _ => None,
            };
            info.or_else(|| Some(legacy_audio(tag.codec, tag.sound?)))
        }
        _ => None,
    }
}

/// What the flags of a legacy audio message say, where the format does not fix it (FLV E.4.2.1).
fn legacy_audio(codec: AudioCodec, sound: flv::audio::Sound) -> AudioInfo {
    let (sample_rate_hz, channels) = match sound.format {
        4 | 11 => (16_000, 1),
        5 => (8_000, 1),
        6 => (sound.rate_hz, 1),
        7 | 8 | 14 => (8_000, sound.channels),
        _ => (sound.rate_hz, sound.channels),
    };
    AudioInfo { sample_rate_hz, channels, ..AudioInfo::new(codec) }
}

#[cfg(test)]
pub(crate) mod tests;
