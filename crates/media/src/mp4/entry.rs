//! How a track is described: its sample entry, with the codec's record byte for byte where the
//! publisher sent one, else made from its first frame.

use std::borrow::Cow;

use bytes::Bytes;

use super::boxes::Boxes;
use super::movie::{Codec, Refusal, Track};
use super::{color, esds};
use crate::Kind;
use crate::codec::{self, AudioCodec, AudioInfo, ColorInfo, VideoCodec, VideoInfo};

/// What is known of a track.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) kind: Kind,
    pub(super) id: u8,
    pub(super) codec: Codec,
    pub(super) record: Option<Bytes>,
    /// The first frame of an audio track.
    pub(super) frame: Option<Bytes>,
    pub(super) video: Option<VideoInfo>,
    pub(super) audio: Option<AudioInfo>,
    pub(super) color: Option<ColorInfo>,
    pub(super) language: Option<String>,
    pub(super) title: Option<String>,
    /// What the metadata says.
    pub(super) frame_rate: Option<f64>,
}

/// Describes a track, or says why that cannot be.
pub(super) fn track(facts: &Facts) -> Result<Track, Refusal> {
    match facts.codec {
        Codec::Video(codec) => video(facts, codec),
        Codec::Audio(codec) => audio(facts, codec),
    }
}

/// Whether a codec is described by a record, without which it cannot be.
fn needs_record(codec: Codec) -> bool {
    use {AudioCodec as A, VideoCodec as V};
    matches!(
        codec,
        Codec::Video(V::Avc | V::Hevc | V::Vvc | V::Av1) | Codec::Audio(A::Aac | A::Flac)
    )
}

/// The record of a track.
fn record(facts: &Facts) -> Result<&[u8], Refusal> {
    let record = facts.record.as_deref().filter(|record| !record.is_empty());
    if record.is_none() && needs_record(facts.codec) {
        return Err(Refusal::NoConfig { codec: facts.codec.name() });
    }
    Ok(record.unwrap_or_default())
}

fn video(facts: &Facts, codec: VideoCodec) -> Result<Track, Refusal> {
    let named = || facts.codec.name();
    let (entry, config) = match codec {
        VideoCodec::Avc => (b"avc1", b"avcC"),
        VideoCodec::Hevc => (b"hvc1", b"hvcC"),
        VideoCodec::Vvc => (b"vvc1", b"vvcC"),
        VideoCodec::Av1 => (b"av01", b"av1C"),
        VideoCodec::Vp8 => (b"vp08", b"vpcC"),
        VideoCodec::Vp9 => (b"vp09", b"vpcC"),
        _ => return Err(Refusal::NoMapping { codec: named() }),
    };
    let record = record(facts)?;
    let mut info = facts.video_info(codec);
    let content: Cow<'_, [u8]> = match codec {
        // A box with version and flags, which the record in FLV has not.
        VideoCodec::Vvc => [&[0; 4], record].concat().into(),
        VideoCodec::Vp8 | VideoCodec::Vp9 => vp_config(record, &mut info).into(),
        _ => record.into(),
    };
    let Some(codec_string) = info.codec_string.take() else {
        return Err(Refusal::BadConfig { codec: named() });
    };
    let mut boxes = Boxes::default();
    boxes.put(entry, |boxes| {
        visual(boxes, info.width, info.height);
        boxes.put(config, |boxes| boxes.slice(&content));
        color::put(boxes, codec, record, facts.color.as_ref());
    });
    Ok(Track {
        codec_string,
        width: info.width,
        height: info.height,
        frame_rate: info.frame_rate.or(facts.frame_rate),
        ..described(facts, boxes)
    })
}

/// What video and audio have in common.
fn described(facts: &Facts, boxes: Boxes) -> Track {
    Track {
        kind: facts.kind,
        id: facts.id,
        codec_string: String::new(),
        width: 0,
        height: 0,
        frame_rate: None,
        sample_rate_hz: 0,
        channels: 0,
        language: facts.language.clone(),
        title: facts.title.clone(),
        codec: facts.codec,
        timescale: Track::timescale_of(0),
        entry: boxes.bytes,
    }
}

/// ISO 14496-12 8.5.2 and 12.1.3: what stands before the boxes of a `VisualSampleEntry`.
fn visual(boxes: &mut Boxes, width: u32, height: u32) {
    const DPI_72: u32 = 0x0048_0000;
    boxes.zeros(6);
    boxes.u16(1);
    boxes.zeros(16);
    boxes.u16(u16::try_from(width).unwrap_or(u16::MAX));
    boxes.u16(u16::try_from(height).unwrap_or(u16::MAX));
    boxes.u32(DPI_72);
    boxes.u32(DPI_72);
    boxes.zeros(4);
    boxes.u16(1);
    boxes.zeros(32);
    boxes.u16(0x18);
    boxes.u16(0xFFFF);
}

/// The content of `vpcC`: the publisher's, which is sent with or without version and flags, or what
/// the key frame says. Its level, 0 when unknown, becomes the least one for such pictures in the
/// codec string: players refuse one that does not exist.
fn vp_config(record: &[u8], info: &mut VideoInfo) -> Vec<u8> {
    const VERSION_1: [u8; 4] = [1, 0, 0, 0];
    let (name, profile) = (if info.codec == VideoCodec::Vp8 { "vp08" } else { "vp09" }, || {
        let text = info.profile.as_deref().and_then(|text| text.strip_prefix("Profile "));
        text.and_then(|text| text.parse::<u8>().ok())
    });
    let level = vp_level(info.width, info.height);
    let fields = record.strip_prefix(&VERSION_1).unwrap_or(record);
    let made;
    let fields = match (fields, profile()) {
        ([_, _, _, _, _, _, _, _, ..], _) => fields,
        (_, Some(profile)) => {
            /// 4:2:0 with the chroma beside the luma, and colours that are not specified.
            const CHROMA: u8 = 1 << 1;
            let depth = info.bit_depth.unwrap_or(8);
            made = [profile, level, depth << 4 | CHROMA, 2, 2, 2, 0, 0];
            &made
        }
        _ => return Vec::new(),
    };
    if let [profile, said, format, ..] = *fields {
        let level = if said == 0 { level } else { said };
        info.codec_string = Some(format!("{name}.{profile:02}.{level:02}.{:02}", format >> 4));
    }
    [&VERSION_1, fields].concat()
}

/// The least level of VP9 for pictures of a size (VP9 bitstream specification annex A).
fn vp_level(width: u32, height: u32) -> u8 {
    const LEVELS: [(u64, u8); 9] = [
        (36_864, 10),
        (73_728, 11),
        (122_880, 20),
        (245_760, 21),
        (552_960, 30),
        (983_040, 31),
        (2_228_224, 40),
        (8_912_896, 50),
        (35_651_584, 60),
    ];
    let pixels = u64::from(width) * u64::from(height);
    LEVELS.into_iter().find(|(most, _)| pixels <= *most).map_or(62, |(_, level)| level)
}

fn audio(facts: &Facts, codec: AudioCodec) -> Result<Track, Refusal> {
    let named = || facts.codec.name();
    let bad = || Refusal::BadConfig { codec: named() };
    let record = record(facts)?;
    let frame = facts.frame.as_deref().unwrap_or_default();
    let mut info = facts.audio_info(codec);
    let mut boxes = Boxes::default();
    match codec {
        AudioCodec::Aac => sound(&mut boxes, b"mp4a", &info, 16, |boxes| {
            esds::put(boxes, esds::AAC, facts.id, record);
        }),
        AudioCodec::Mp3 => {
            // MPEG-1 has rates from 32 kHz; MPEG-2 and 2.5 those below (ISO 13818-3).
            let is_mpeg1 = info.sample_rate_hz >= 32_000;
            let object = if is_mpeg1 { esds::MPEG1_AUDIO } else { esds::MPEG2_AUDIO };
            info.codec_string = info.codec_string.map(|_| format!("mp4a.{object:02X}"));
            sound(&mut boxes, b"mp4a", &info, 16, |boxes| {
                esds::put(boxes, object, facts.id, &[]);
            });
        }
        AudioCodec::Opus => {
            let specific = match (codec::opus_specific(record), frame) {
                (Some(specific), _) => specific,
                // Without a head: as many channels as the first frame has (RFC 6716 3.1).
                (None, [toc, ..]) => {
                    info.channels = 1 + (toc >> 2 & 1);
                    let [r0, r1, r2, r3] = 48_000_u32.to_be_bytes();
                    vec![0, info.channels, 0, 0, r0, r1, r2, r3, 0, 0, 0]
                }
                (None, []) => return Err(Refusal::NoConfig { codec: named() }),
            };
            info.sample_rate_hz = 48_000;
            info.codec_string = Some("opus".to_owned());
            sound(&mut boxes, b"Opus", &info, 16, |boxes| {
                boxes.put(b"dOps", |boxes| boxes.slice(&specific));
            });
        }
        AudioCodec::Flac => {
            let bits = info.profile.as_deref().and_then(|text| text.strip_suffix(" bit"));
            let bits = bits.and_then(|text| text.parse().ok()).unwrap_or(16);
            // As FLAC in ISOBMFF spells it; players take it in any case.
            info.codec_string = info.codec_string.map(|_| "fLaC".to_owned());
            sound(&mut boxes, b"fLaC", &info, bits, |boxes| {
                boxes.full(b"dfLa", 0, 0, |boxes| boxes.slice(&codec::flac_blocks(record)));
            });
        }
        AudioCodec::Ac3 | AudioCodec::Eac3 => {
            if frame.is_empty() {
                return Err(Refusal::NoConfig { codec: named() });
            }
            let (entry, config, specific) = if codec == AudioCodec::Ac3 {
                (b"ac-3", b"dac3", codec::ac3_specific(frame))
            } else {
                (b"ec-3", b"dec3", codec::eac3_specific(frame))
            };
            let specific = specific.ok_or_else(bad)?;
            sound(&mut boxes, entry, &info, 16, |boxes| {
                boxes.put(config, |boxes| boxes.slice(&specific));
            });
        }
        _ => return Err(Refusal::NoMapping { codec: named() }),
    }
    let codec_string = info.codec_string.filter(|_| info.sample_rate_hz > 0).ok_or_else(bad)?;
    Ok(Track {
        codec_string,
        sample_rate_hz: info.sample_rate_hz,
        channels: info.channels,
        timescale: Track::timescale_of(info.sample_rate_hz),
        ..described(facts, boxes)
    })
}

/// Where the sample entry of a sound has its boxes.
pub(super) const SOUND_BOXES: usize = 36;

/// An `AudioSampleEntry` (ISO 14496-12 12.2.3). A rate that has more than 16 bits is 0 there: the
/// codec's record tells it.
fn sound(
    boxes: &mut Boxes,
    name: &[u8; 4],
    info: &AudioInfo,
    sample_bits: u16,
    config: impl FnOnce(&mut Boxes),
) {
    boxes.put(name, |boxes| {
        boxes.zeros(6);
        boxes.u16(1);
        boxes.zeros(8);
        boxes.u16(u16::from(info.channels));
        boxes.u16(sample_bits);
        boxes.zeros(4);
        boxes.u16(u16::try_from(info.sample_rate_hz).unwrap_or(0));
        boxes.u16(0);
        config(boxes);
    });
}
