//! What a file is: its tracks, times, rates and faults, gathered from scanned items.
//!
//! Data only; how it is shown is the shell's business.

use std::collections::BTreeMap;

use super::{
    audio, meta,
    scan::{Fault, FaultKind, FileHeader, Item, Tag},
    video,
};
use crate::{
    Kind, Packet, Role,
    amf0::{Limits, Value},
    codec::{self, AudioCodec, AudioInfo, VideoCodec, VideoInfo},
};

mod index;

use index::Declared;
pub use index::IndexCheck;

/// Everything that was found out about a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The file header, if there is one.
    pub header: Option<FileHeader>,
    /// The tracks, video first, each kind by its track id.
    pub tracks: Vec<Track>,
    /// Bytes of the tags that were found, with their overhead.
    pub tag_bytes: u64,
    /// Tags that were found.
    pub tags: u64,
    /// Time of the newest tag, ms.
    pub last_ms: u32,
    /// End of the last frame, ms: its time and the time since the one before it.
    pub duration_ms: u64,
    /// Values of the first `onMetaData`, without its index and its padding.
    pub metadata: Vec<(String, Value)>,
    /// `onMetaData` messages.
    pub metadata_count: u64,
    /// Whether the first `onMetaData`'s index says the truth.
    pub index: IndexCheck,
    /// The first [`Report::FAULTS_MAX`] faults.
    pub faults: Vec<Fault>,
    /// All faults.
    pub fault_count: u64,
}

/// One track of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Audio or video.
    pub kind: Kind,
    /// Track id; 0 without multitrack.
    pub id: u8,
    /// What its configuration or its frames say.
    pub codec: Codec,
    /// Coded frames; messages, for audio that packs several into one.
    pub frames: u64,
    /// Bytes of the bodies of its messages.
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

impl Track {
    fn new(kind: Kind, id: u8) -> Self {
        Self {
            kind,
            id,
            codec: Codec::Unknown,
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

    fn push(&mut self, packet: &Packet, size_bytes: u64) {
        self.bytes = self.bytes.saturating_add(size_bytes);
        if packet.role == Role::Config {
            self.configs += 1;
        }
        let needs_info = match &self.codec {
            Codec::Unknown => true,
            Codec::Video(info) => info.width == 0 && packet.role == Role::Key,
            Codec::Audio(info) => info.sample_rate_hz == 0 && self.frames < INFO_FRAMES_MAX,
        };
        if packet.role == Role::Config || packet.is_media() && needs_info {
            self.learn(packet);
        }
        if packet.is_media() {
            self.push_frame(packet);
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
        if self.kind == Kind::Video
            && let Some(tag) = video::parse(&packet.body)
        {
            let ms = tag.composition_time_ms;
            let (least, most) = self.composition_time_ms.unwrap_or((ms, ms));
            self.composition_time_ms = Some((least.min(ms), most.max(ms)));
        }
    }

    /// Reads the codec's details; where there are none, its name.
    fn learn(&mut self, packet: &Packet) {
        let known = match packet.kind {
            Kind::Video => codec::video_info(&packet.body).map(Codec::Video),
            _ => codec::audio_info(&packet.body).map(Codec::Audio),
        };
        if let Some(known) = known {
            self.codec = known;
        } else if self.codec == Codec::Unknown {
            self.codec = match packet.kind {
                Kind::Video => video_codec(packet).map(VideoInfo::new).map(Codec::Video),
                _ => audio_codec(packet).map(AudioInfo::new).map(Codec::Audio),
            }
            .unwrap_or_default();
        }
    }
}

fn video_codec(packet: &Packet) -> Option<VideoCodec> {
    video::parse(&packet.body).map(|tag| tag.codec)
}

fn audio_codec(packet: &Packet) -> Option<AudioCodec> {
    audio::parse(&packet.body).map(|tag| tag.codec)
}

/// A pause longer than this (ms) is not the duration of a frame.
const STEP_MAX_MS: u32 = 1_000;
/// Audio frames looked at for a codec that has no configuration record.
const INFO_FRAMES_MAX: u64 = 16;
/// Decoding limits of `onMetaData`: an index of 100,000 key frames.
const METADATA_LIMITS: Limits = Limits { depth: 32, values: 300_000, string_bytes: 1 << 20 };

impl Report {
    /// The most faults that are kept one by one.
    pub const FAULTS_MAX: usize = 1_000;

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.fault_count == 0 && !matches!(self.index, IndexCheck::Wrong { .. })
    }

    /// Whether the file ends inside a tag, as one does that is being written.
    pub fn is_truncated(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Truncated { .. }))
    }
}

/// Gathers a [`Report`].
#[derive(Debug, Default)]
pub struct Probe {
    report: Report,
    /// At most one for each kind and id.
    tracks: BTreeMap<(Kind, u8), Track>,
    declared: Option<Declared>,
}

impl Probe {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an item into account.
    pub fn push(&mut self, item: &Item) {
        match item {
            Item::Header(header) => self.report.header = Some(*header),
            Item::Fault(fault) => {
                self.report.fault_count += 1;
                // The last one, which tells of a cut-off end, always has a place.
                if self.report.faults.len() >= Report::FAULTS_MAX {
                    self.report.faults.pop();
                }
                self.report.faults.push(*fault);
            }
            Item::Tag(tag) => self.push_tag(tag),
        }
    }

    fn push_tag(&mut self, tag: &Tag) {
        let (packet, time_ms) = (&tag.packet, tag.header.timestamp_ms);
        self.report.tags += 1;
        self.report.tag_bytes += tag.size;
        self.report.last_ms = self.report.last_ms.max(time_ms);
        if let Some(declared) = &mut self.declared {
            declared.check(tag);
        }
        if packet.kind == Kind::Data {
            if packet.role == Role::Metadata {
                self.push_metadata(packet);
            }
            return;
        }
        let key = (packet.kind, packet.track);
        let track = self.tracks.entry(key).or_insert_with(|| Track::new(key.0, key.1));
        track.push(packet, u64::from(tag.header.size));
    }

    fn push_metadata(&mut self, packet: &Packet) {
        self.report.metadata_count += 1;
        if self.report.metadata_count > 1 {
            return;
        }
        let Some(mut properties) = meta::properties(&packet.body, METADATA_LIMITS) else { return };
        let keyframes = properties.iter().find(|(name, _)| name == "keyframes");
        self.declared = keyframes.and_then(|(_, value)| Declared::new(value));
        properties.retain(|(name, value)| {
            let is_padding = name.starts_with("padding") && matches!(value, Value::StrictArray(_));
            name != "keyframes" && !is_padding
        });
        self.report.metadata = properties;
    }

    /// The report on all that was pushed.
    pub fn finish(self) -> Report {
        let tracks: Vec<_> = self.tracks.into_values().collect();
        let ends = tracks.iter().filter(|track| track.frames > 0);
        let end_ms = ends.map(|track| u64::from(track.first_ms) + track.duration_ms()).max();
        let has_video = tracks.iter().any(|track| track.keys > 0);
        Report {
            duration_ms: end_ms.unwrap_or(0).max(u64::from(self.report.last_ms)),
            index: self.declared.map_or(IndexCheck::None, |declared| declared.finish(has_video)),
            tracks,
            ..self.report
        }
    }
}

#[cfg(test)]
mod tests;
