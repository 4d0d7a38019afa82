//! The head of a video message, legacy (FLV E.4.3) and enhanced (E-RTMP v2 "ExVideoTagHeader"):
//! what it carries, for which track, and where its payload begins. What the payload says is read in
//! [`crate::codec`].

use super::ex::{self, Malformed, Modifier, Modifiers, Multitrack, Tracks};
use crate::{
    Role,
    codec::{FourCc, VideoCodec},
};

/// Says what a video message means and which track it is of (the first one, if it carries several).
///
/// Reads the head only. What cannot be understood is a [`Role::Frame`] of track 0: carried, never
/// started at.
pub fn classify(body: &[u8]) -> (Role, u8) {
    classify_head(body, 0)
}

/// The same for a message of which the last `missing` bytes are not here.
pub(crate) fn classify_head(head: &[u8], missing: usize) -> (Role, u8) {
    let Some((&first, rest)) = head.split_first() else { return (Role::Event, 0) };
    if first & ENHANCED == 0 {
        (classify_legacy(first, rest), 0)
    } else {
        classify_enhanced(first, rest, missing).unwrap_or((Role::Frame, 0))
    }
}

/// `isExVideoHeader`: the first byte's top bit.
const ENHANCED: u8 = 0x80;
/// `VideoPacketType.Multitrack`.
const MULTITRACK: u8 = 6;

fn classify_legacy(first: u8, rest: &[u8]) -> Role {
    let frame_type = FrameType::new(first >> 4);
    match (frame_type, LegacyHead::of(first)) {
        (FrameType::Command, _) => Role::Event,
        (_, LegacyHead::FrameOnly) => coded(frame_type),
        (_, LegacyHead::Avc) => match rest.first() {
            Some(0) => Role::Config,
            Some(1) => coded(frame_type),
            Some(2) => Role::Event,
            _ => Role::Frame,
        },
    }
}

fn classify_enhanced(first: u8, rest: &[u8], missing: usize) -> Option<(Role, u8)> {
    let frame_type = FrameType::new((first >> 4) & 0x07);
    let modified = ex::mod_ex(first & 0x0f, rest).ok()?;
    if frame_type == FrameType::Command && modified.packet_type != PacketType::METADATA {
        return Some((Role::Event, 0));
    }
    let tracks = Tracks::new(modified.packet_type, MULTITRACK, modified.rest).ok()?;
    let role = match PacketType::new(tracks.packet_type) {
        PacketType::SequenceStart | PacketType::Mpeg2TsSequenceStart => Role::Config,
        PacketType::CodedFrames | PacketType::CodedFramesX => coded(frame_type),
        PacketType::SequenceEnd => Role::Event,
        PacketType::Metadata => Role::Metadata,
        PacketType::Unknown(_) => Role::Frame,
    };
    Some((role, tracks.first_id(missing)?))
}

fn coded(frame_type: FrameType) -> Role {
    if frame_type.is_key() { Role::Key } else { Role::Frame }
}

/// One track of a video message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoTag<'a> {
    /// Whether the head is that of E-RTMP.
    pub enhanced: bool,
    /// Whether decoding can start here; says nothing in a [`PacketType::Metadata`].
    pub frame_type: FrameType,
    /// What [`VideoTag::data`] is.
    pub packet_type: PacketType,
    /// The codec; a FourCC of zeros for an enhanced [`FrameType::Command`], which has none.
    pub codec: VideoCodec,
    /// The track id; 0 without multitrack.
    pub track: u8,
    /// How the tracks of the message are laid out; `None` without multitrack.
    pub multitrack: Option<Multitrack>,
    /// What presentation is later than decoding, in ms; negative from encoders that shift no delay.
    pub composition_time_ms: i32,
    /// `TimestampOffsetNano` of the ModEx chain: nanoseconds to add to the presentation time, below
    /// 1,000,000.
    pub timestamp_offset_nanos: u32,
    /// What follows the head: a configuration record, coded frames, AMF0, or a command's byte.
    pub data: &'a [u8],
}

/// Reads a video message; of several tracks the first. `None` when it ends inside its head, or when
/// the head uses what is reserved.
pub fn parse(body: &[u8]) -> Option<VideoTag<'_>> {
    tracks(body).next()
}

/// All tracks of a video message, in their order; ends at the first that cannot be read.
pub fn tracks(body: &[u8]) -> impl Iterator<Item = VideoTag<'_>> {
    read(body).map_while(Result::ok)
}

/// All tracks of a video message, and why it, or one of them, cannot be read. An empty message has
/// none.
pub fn read(body: &[u8]) -> impl Iterator<Item = Result<VideoTag<'_>, Malformed>> {
    let message = body.split_first().map(|(&first, rest)| {
        if first & ENHANCED == 0 {
            parse_legacy(first, rest).map(Message::One)
        } else {
            parse_enhanced(first, rest)
        }
    });
    let (one, many) = match message {
        Some(Ok(Message::One(tag))) => (Some(Ok(tag)), None),
        Some(Ok(Message::Many(head, tracks))) => (None, Some((head, tracks))),
        Some(Err(malformed)) => (Some(Err(malformed)), None),
        None => (None, None),
    };
    let many = many.into_iter().flat_map(|(head, tracks)| {
        tracks.map(move |track| {
            let track = track?;
            let codec = VideoCodec::from_fourcc(FourCc(track.fourcc));
            let (composition_time_ms, data) = match (head.packet_type, codec) {
                (PacketType::CodedFrames, VideoCodec::Avc | VideoCodec::Hevc | VideoCodec::Vvc) => {
                    composition_time(track.data)?
                }
                _ => (0, track.data),
            };
            Ok(VideoTag { codec, track: track.id, composition_time_ms, data, ..head })
        })
    });
    one.into_iter().chain(many)
}

/// The same message with another composition time, in ms; `None` where there is none to change: with
/// codecs that have none, in messages of several tracks, and in all but coded frames.
pub fn recomposed(body: &[u8], composition_time_ms: i32) -> Option<Vec<u8>> {
    let tag = parse(body)?;
    let has_time = tag.packet_type == PacketType::CodedFrames
        && tag.frame_type != FrameType::Command
        && matches!(tag.codec, VideoCodec::Avc | VideoCodec::Hevc | VideoCodec::Vvc)
        && matches!(tag.multitrack, None | Some(Multitrack::OneTrack));
    let end = body.len().checked_sub(tag.data.len()).filter(|_| has_time)?;
    let mut body = body.to_vec();
    let [_, time @ ..] = composition_time_ms.to_be_bytes();
    body.get_mut(end.checked_sub(time.len())?..end)?.copy_from_slice(&time);
    Some(body)
}

/// Whether the head tells what the message is: it has one track, and no modifiers that go beyond it.
pub(super) fn is_told_by(head: &[u8]) -> bool {
    let Some((&first, rest)) = head.split_first() else { return true };
    first & ENHANCED == 0
        || parse_enhanced(first, rest).is_ok_and(|message| match message {
            Message::Many(_, tracks) => tracks.is_told(),
            Message::One(_) => true,
        })
}

/// The modifiers of a video message, in their order; none in a legacy one.
pub fn modifiers(body: &[u8]) -> impl Iterator<Item = Result<Modifier<'_>, Malformed>> {
    let enhanced = body.split_first().filter(|(first, _)| **first & ENHANCED != 0);
    enhanced.into_iter().flat_map(|(first, rest)| Modifiers::new(first & 0x0f, rest))
}

enum Message<'a> {
    One(VideoTag<'a>),
    /// What all tracks have in common, and the tracks.
    Many(VideoTag<'a>, Tracks<'a>),
}

fn parse_legacy(first: u8, rest: &[u8]) -> Result<VideoTag<'_>, Malformed> {
    let frame_type = FrameType::new(first >> 4);
    let tag = |packet_type, composition_time_ms, data| VideoTag {
        enhanced: false,
        frame_type,
        packet_type,
        codec: VideoCodec::from_id(first & 0x0f),
        track: 0,
        multitrack: None,
        composition_time_ms,
        timestamp_offset_nanos: 0,
        data,
    };
    if frame_type == FrameType::Command || LegacyHead::of(first) == LegacyHead::FrameOnly {
        return Ok(tag(PacketType::CodedFrames, 0, rest));
    }
    let (&packet_type, rest) = rest.split_first().ok_or(Malformed::Truncated("packet type"))?;
    Ok(match packet_type {
        0 => tag(PacketType::SequenceStart, 0, composition_time(rest)?.1),
        1 => {
            let (ms, data) = composition_time(rest)?;
            tag(PacketType::CodedFrames, ms, data)
        }
        // Its composition time is often left out.
        2 => tag(PacketType::SequenceEnd, 0, rest.get(3..).unwrap_or_default()),
        other => tag(PacketType::Unknown(other), 0, rest),
    })
}

fn parse_enhanced(first: u8, rest: &[u8]) -> Result<Message<'_>, Malformed> {
    let frame_type = FrameType::new((first >> 4) & 0x07);
    let modified = ex::mod_ex(first & 0x0f, rest)?;
    let mut head = VideoTag {
        enhanced: true,
        frame_type,
        packet_type: PacketType::new(modified.packet_type),
        codec: VideoCodec::from_fourcc(FourCc([0; 4])),
        track: 0,
        multitrack: None,
        composition_time_ms: 0,
        timestamp_offset_nanos: modified.timestamp_offset_nanos,
        data: modified.rest,
    };
    if frame_type == FrameType::Command && modified.packet_type != PacketType::METADATA {
        return Ok(Message::One(head));
    }
    let tracks = Tracks::new(modified.packet_type, MULTITRACK, modified.rest)?;
    (head.packet_type, head.multitrack) = (PacketType::new(tracks.packet_type), tracks.multitrack);
    Ok(Message::Many(head, tracks))
}

/// A signed 24-bit number of ms, and what follows it.
fn composition_time(data: &[u8]) -> Result<(i32, &[u8]), Malformed> {
    let cut = Malformed::Truncated("composition time");
    let (&[a, b, c], rest) = data.split_first_chunk::<3>().ok_or(cut)?;
    Ok((i32::from_be_bytes([a, b, c, 0]) >> 8, rest))
}

/// Whether a legacy codec id is followed by AVC's packet type and composition time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LegacyHead {
    FrameOnly,
    Avc,
}

impl LegacyHead {
    /// 7 is AVC. 12 is HEVC as encoders sent it before E-RTMP, laid out like AVC; in no
    /// specification.
    fn of(first: u8) -> Self {
        match first & 0x0f {
            7 | 12 => Self::Avc,
            _ => Self::FrameOnly,
        }
    }
}

/// Where decoding may start (FLV E.4.3 `FrameType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// A frame at which decoding can start.
    Key,
    /// A frame that needs earlier ones.
    Inter,
    /// One that nothing else needs (H.263 only).
    DisposableInter,
    /// A key frame made by a server.
    GeneratedKey,
    /// No frame: a command to the player about seeking.
    Command,
    /// A reserved value.
    Unknown(u8),
}

impl FrameType {
    fn new(bits: u8) -> Self {
        match bits {
            1 => Self::Key,
            2 => Self::Inter,
            3 => Self::DisposableInter,
            4 => Self::GeneratedKey,
            5 => Self::Command,
            other => Self::Unknown(other),
        }
    }

    /// Whether decoding can start here.
    pub fn is_key(self) -> bool {
        matches!(self, Self::Key | Self::GeneratedKey)
    }
}

/// What a message carries (E-RTMP v2 `VideoPacketType`; AVC's `AVCPacketType` maps onto it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// A decoder configuration record.
    SequenceStart,
    /// Coded frames; AVC, HEVC and VVC have a composition time before them.
    CodedFrames,
    /// The end of a sequence.
    SequenceEnd,
    /// Coded frames without a composition time, which is 0.
    CodedFramesX,
    /// AMF0 metadata such as `colorInfo`.
    Metadata,
    /// A configuration for frames in MPEG-2 TS (AV1).
    Mpeg2TsSequenceStart,
    /// A reserved value.
    Unknown(u8),
}

impl PacketType {
    const METADATA: u8 = 4;

    fn new(bits: u8) -> Self {
        match bits {
            0 => Self::SequenceStart,
            1 => Self::CodedFrames,
            2 => Self::SequenceEnd,
            3 => Self::CodedFramesX,
            Self::METADATA => Self::Metadata,
            5 => Self::Mpeg2TsSequenceStart,
            other => Self::Unknown(other),
        }
    }
}

#[cfg(test)]
mod tests;
