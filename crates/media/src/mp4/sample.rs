//! What of a message is a sample, one for each of its tracks.

use bytes::Bytes;

use super::movie::Codec;
use crate::codec::VideoCodec;
use crate::flv::{Malformed, audio, video};
use crate::{Kind, Packet};

/// Coded audio or video of one track, without the head of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Audio or video.
    pub kind: Kind,
    /// The E-RTMP track id.
    pub track: u8,
    /// What presentation is later than decoding, in ms.
    pub composition_ms: i32,
    /// What it is later still, in ns, below a ms: `TimestampOffsetNano`. Of sound 0: its times are
    /// those of decoding, which that does not move.
    pub offset_nanos: u32,
    /// Whether decoding can start here; audio always.
    pub is_key: bool,
    /// The sample: a part of the message's body.
    pub data: Bytes,
    /// Where it begins in the body.
    pub at: usize,
    pub(super) codec: Codec,
}

/// The samples of a message, in their order; none for what is no coded audio or video, and none of
/// a track that sends an empty frame.
pub fn samples(packet: &Packet) -> impl Iterator<Item = Sample> {
    let video = (packet.kind == Kind::Video).then(|| video::tracks(&packet.body));
    let audio = (packet.kind == Kind::Audio).then(|| audio::tracks(&packet.body));
    let at = |data: &[u8]| data.as_ptr().addr().saturating_sub(packet.body.as_ptr().addr());
    let video = video.into_iter().flatten().filter(is_coded_video).map(move |tag| {
        let data = sample_data(tag.codec, tag.data);
        Sample {
            kind: Kind::Video,
            track: tag.track,
            composition_ms: tag.composition_time_ms,
            offset_nanos: tag.timestamp_offset_nanos,
            is_key: tag.frame_type.is_key(),
            data: packet.body.slice_ref(data),
            at: at(data),
            codec: Codec::Video(tag.codec),
        }
    });
    let is_coded = |tag: &audio::AudioTag<'_>| tag.packet_type == audio::PacketType::CodedFrames;
    let audio = audio.into_iter().flatten().filter(is_coded).map(move |tag| Sample {
        kind: Kind::Audio,
        track: tag.track,
        composition_ms: 0,
        offset_nanos: 0,
        is_key: true,
        data: packet.body.slice_ref(tag.data),
        at: at(tag.data),
        codec: Codec::Audio(tag.codec),
    });
    video.chain(audio).filter(|sample| !sample.data.is_empty())
}

/// Messages of which a part, or all, is no sample because their heads cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unreadable {
    messages: u64,
    first: Option<Malformed>,
}

impl Unreadable {
    /// Looks at a message; of data at none.
    pub fn note(&mut self, packet: &Packet) {
        let fault = match packet.kind {
            Kind::Video => video::read(&packet.body).find_map(Result::err),
            Kind::Audio => audio::read(&packet.body).find_map(Result::err),
            Kind::Data | Kind::DataAmf3 => None,
        };
        self.messages += u64::from(fault.is_some());
        self.first = self.first.or(fault);
    }

    /// How many there are and what is wrong with the first, in words; `None` without any.
    pub fn told(&self) -> Option<String> {
        let Self { messages, first } = self;
        let messages = match messages {
            1 => "1 message".to_owned(),
            messages => format!("{messages} messages"),
        };
        first
            .map(|first| format!("{messages} with a head that cannot be read (the first: {first})"))
    }
}

/// Whether a message of this track holds frames.
pub(super) fn is_coded_video(tag: &video::VideoTag<'_>) -> bool {
    use video::PacketType::{CodedFrames, CodedFramesX};
    matches!(tag.packet_type, CodedFrames | CodedFramesX)
        && tag.frame_type != video::FrameType::Command
}

/// The frames of a message as they stand in a file. A temporal delimiter, which says that a
/// temporal unit of AV1 begins, is left out: each sample is one (AV1-ISOBMFF 2.4).
fn sample_data(codec: VideoCodec, data: &[u8]) -> &[u8] {
    const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];
    match codec {
        VideoCodec::Av1 => data.strip_prefix(&TEMPORAL_DELIMITER).unwrap_or(data),
        _ => data,
    }
}
