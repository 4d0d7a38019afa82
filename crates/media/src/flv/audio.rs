//! The head of an audio message, legacy (FLV E.4.2) and enhanced (E-RTMP v2 "ExAudioTagHeader"):
//! what it carries, for which track, and where its payload begins. What the payload says is read in
//! [`crate::codec`].

use super::ex::{self, Malformed, Modifier, Modifiers, Multitrack, Tracks};
use crate::{
    Role,
    codec::{AudioCodec, FourCc},
};

/// Says what an audio message means and which track it is of (the first one, if it carries
/// several).
///
/// Reads the head only. What cannot be understood is a [`Role::Frame`] of track 0.
pub fn classify(body: &[u8]) -> (Role, u8) {
    classify_head(body, 0)
}

/// The same for a message of which the last `missing` bytes are not here.
pub(crate) fn classify_head(head: &[u8], missing: usize) -> (Role, u8) {
    let Some((&first, rest)) = head.split_first() else { return (Role::Event, 0) };
    match first >> 4 {
        ENHANCED => classify_enhanced(first, rest, missing).unwrap_or((Role::Frame, 0)),
        AAC if rest.first() == Some(&0) => (Role::Config, 0),
        _ => (Role::Frame, 0),
    }
}

/// `SoundFormat.ExHeader`.
const ENHANCED: u8 = 9;
/// `SoundFormat.Aac`.
const AAC: u8 = 10;
/// `AudioPacketType.Multitrack`.
const MULTITRACK: u8 = 5;

fn classify_enhanced(first: u8, rest: &[u8], missing: usize) -> Option<(Role, u8)> {
    let modified = ex::mod_ex(first & 0x0f, rest).ok()?;
    let tracks = Tracks::new(modified.packet_type, MULTITRACK, modified.rest).ok()?;
    let role = match PacketType::new(tracks.packet_type) {
        PacketType::SequenceStart => Role::Config,
        PacketType::CodedFrames | PacketType::Unknown(_) => Role::Frame,
        PacketType::SequenceEnd => Role::Event,
        PacketType::MultichannelConfig => Role::Metadata,
    };
    Some((role, tracks.first_id(missing)?))
}

/// One track of an audio message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTag<'a> {
    /// Whether the head is that of E-RTMP.
    pub enhanced: bool,
    /// What [`AudioTag::data`] is.
    pub packet_type: PacketType,
    /// The codec.
    pub codec: AudioCodec,
    /// The track id; 0 without multitrack.
    pub track: u8,
    /// How the tracks of the message are laid out; `None` without multitrack.
    pub multitrack: Option<Multitrack>,
    /// `TimestampOffsetNano` of the ModEx chain: nanoseconds to add to the presentation time, below
    /// 1,000,000.
    pub timestamp_offset_nanos: u32,
    /// What a legacy head says of the sound; `None` in an enhanced one.
    pub sound: Option<Sound>,
    /// What follows the head: a configuration record or coded frames.
    pub data: &'a [u8],
}

impl AudioTag<'_> {
    /// Whether it is a comment header of Opus (RFC 7845 5.2), which E-RTMP v2 has start a sequence as an identification
    /// header does ("AudioPacketType.SequenceStart"), and which says nothing of how to decode.
    pub fn is_comments(&self) -> bool {
        self.packet_type == PacketType::SequenceStart
            && self.codec == AudioCodec::Opus
            && self.data.starts_with(b"OpusTags")
    }
}

/// What a legacy head says of the sound (FLV E.4.2.1). For AAC it is a constant, whatever the
/// sound; for Nellymoser and Speex the format fixes rate and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// `SoundFormat`, 4 bits.
    pub format: u8,
    /// Samples per second, rounded: 5,512, 11,025, 22,050 or 44,100.
    pub rate_hz: u32,
    /// Bits per sample, 8 or 16; says nothing for compressed formats.
    pub sample_bits: u8,
    /// 1 or 2.
    pub channels: u8,
}

/// Reads an audio message; of several tracks the first. `None` when it ends inside its head, or
/// when the head uses what is reserved.
pub fn parse(body: &[u8]) -> Option<AudioTag<'_>> {
    tracks(body).next()
}

/// All tracks of an audio message, in their order; ends at the first that is cut short.
pub fn tracks(body: &[u8]) -> impl Iterator<Item = AudioTag<'_>> {
    read(body).map_while(Result::ok)
}

/// All tracks of an audio message, and why it, or one of them, cannot be read. An empty message,
/// which stands for silence, has none.
pub fn read(body: &[u8]) -> impl Iterator<Item = Result<AudioTag<'_>, Malformed>> {
    let (one, many) = match body.split_first() {
        Some((&first, rest)) if first >> 4 == ENHANCED => match parse_enhanced(first, rest) {
            Ok(message) => (None, Some(message)),
            Err(malformed) => (Some(Err(malformed)), None),
        },
        Some((&first, rest)) => (Some(parse_legacy(first, rest)), None),
        None => (None, None),
    };
    let many = many.into_iter().flat_map(|(timestamp_offset_nanos, tracks)| {
        let (packet_type, multitrack) = (PacketType::new(tracks.packet_type), tracks.multitrack);
        tracks.map(move |track| {
            let track = track?;
            Ok(AudioTag {
                enhanced: true,
                packet_type,
                codec: AudioCodec::from_fourcc(FourCc(track.fourcc)),
                track: track.id,
                multitrack,
                timestamp_offset_nanos,
                sound: None,
                data: track.data,
            })
        })
    });
    one.into_iter().chain(many)
}

/// Whether the head tells what the message is: it has one track, and no modifiers that go beyond it.
pub(super) fn is_told_by(head: &[u8]) -> bool {
    let Some((&first, rest)) = head.split_first() else { return true };
    first >> 4 != ENHANCED || parse_enhanced(first, rest).is_ok_and(|(_, tracks)| tracks.is_told())
}

/// The modifiers of an audio message, in their order; none in a legacy one.
pub fn modifiers(body: &[u8]) -> impl Iterator<Item = Result<Modifier<'_>, Malformed>> {
    let enhanced = body.split_first().filter(|(first, _)| **first >> 4 == ENHANCED);
    enhanced.into_iter().flat_map(|(first, rest)| Modifiers::new(first & 0x0f, rest))
}

fn parse_legacy(first: u8, rest: &[u8]) -> Result<AudioTag<'_>, Malformed> {
    let (packet_type, data) = if first >> 4 == AAC {
        let (&packet_type, data) = rest.split_first().ok_or(Malformed::Truncated("packet type"))?;
        let packet_type = match packet_type {
            0 => PacketType::SequenceStart,
            1 => PacketType::CodedFrames,
            other => PacketType::Unknown(other),
        };
        (packet_type, data)
    } else {
        (PacketType::CodedFrames, rest)
    };
    let rate_hz = match (first >> 2) & 0x03 {
        0 => 5_512,
        1 => 11_025,
        2 => 22_050,
        _ => 44_100,
    };
    Ok(AudioTag {
        enhanced: false,
        packet_type,
        codec: AudioCodec::from_id(first >> 4),
        track: 0,
        multitrack: None,
        timestamp_offset_nanos: 0,
        sound: Some(Sound {
            format: first >> 4,
            rate_hz,
            sample_bits: if first & 0x02 == 0 { 8 } else { 16 },
            channels: if first & 0x01 == 0 { 1 } else { 2 },
        }),
        data,
    })
}

fn parse_enhanced(first: u8, rest: &[u8]) -> Result<(u32, Tracks<'_>), Malformed> {
    let modified = ex::mod_ex(first & 0x0f, rest)?;
    let tracks = Tracks::new(modified.packet_type, MULTITRACK, modified.rest)?;
    Ok((modified.timestamp_offset_nanos, tracks))
}

/// What a message carries (E-RTMP v2 `AudioPacketType`; AAC's `AACPacketType` maps onto it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// A decoder configuration record.
    SequenceStart,
    /// Coded frames.
    CodedFrames,
    /// The end of a sequence.
    SequenceEnd,
    /// The order of the channels.
    MultichannelConfig,
    /// A reserved value.
    Unknown(u8),
}

impl PacketType {
    fn new(bits: u8) -> Self {
        match bits {
            0 => Self::SequenceStart,
            1 => Self::CodedFrames,
            2 => Self::SequenceEnd,
            4 => Self::MultichannelConfig,
            other => Self::Unknown(other),
        }
    }
}

#[cfg(test)]
mod tests;
