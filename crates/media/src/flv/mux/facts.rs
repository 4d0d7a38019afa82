//! What the packets themselves say about a file: sizes, times, codecs.

use crate::{
    Kind, Packet, Role,
    amf0::Value,
    codec::{self, AudioInfo, VideoInfo},
    first_video_track,
    flv::{audio, video},
};

/// Facts of a file, gathered from its packets.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    video: Track,
    audio: Track,
    video_info: Option<VideoInfo>,
    audio_info: Option<AudioInfo>,
    sound: Option<audio::Sound>,
    last_key_ms: Option<u32>,
    is_last_key: bool,
    /// Of all packets.
    newest_ms: u32,
    /// Of all packets but events, which may be ahead of the frames: they make no file longer.
    end_ms: u32,
}

#[derive(Debug, Clone, Default)]
struct Track {
    /// The id of the first track of this kind, which the file's properties are about.
    id: Option<u8>,
    /// `videocodecid` or `audiocodecid`.
    codec_id: Option<u32>,
    frames: u64,
    /// Bytes of all tracks of this kind.
    bytes: u64,
    first_ms: u32,
    last_ms: u32,
    step_ms: u32,
}

/// A pause longer than this (ms) is not the duration of a frame.
const STEP_MAX_MS: u32 = 1_000;
/// Audio frames looked at for a codec that has no configuration record.
const INFO_FRAMES_MAX: u64 = 16;

impl Facts {
    /// Learns from a packet that is about to be written, whose body has `size_bytes` bytes. Of the
    /// body itself only so much need be there as [`Facts::needs_body`] says.
    pub(super) fn push(&mut self, packet: &Packet, size_bytes: u32, time_ms: u32) {
        self.newest_ms = self.newest_ms.max(time_ms);
        if packet.role != Role::Event {
            self.end_ms = self.end_ms.max(time_ms);
        }
        match packet.kind {
            Kind::Video => self.push_video(packet, size_bytes, time_ms),
            Kind::Audio => self.push_audio(packet, size_bytes, time_ms),
            Kind::Data | Kind::DataAmf3 => {}
        }
    }

    /// Whether more of such a packet's body is of use than what tells its role.
    pub(super) fn needs_body(&self, kind: Kind, role: Role) -> bool {
        match (kind, role) {
            (_, Role::Config) => true,
            (Kind::Video, Role::Key) => self.video_info.is_none() || self.video.codec_id.is_none(),
            (Kind::Video, Role::Frame) => self.video.codec_id.is_none(),
            (Kind::Audio, Role::Frame) => {
                let is_first = self.audio.frames < INFO_FRAMES_MAX;
                let is_known = self.audio_info.is_some() && self.sound.is_some();
                self.audio.codec_id.is_none() || is_first && !is_known
            }
            _ => false,
        }
    }

    fn push_video(&mut self, packet: &Packet, size_bytes: u32, time_ms: u32) {
        let first = first_video_track(&mut self.video.id, packet).unwrap_or(packet.track);
        let is_of_first = packet.has_track(first);
        let tag = || video::tracks(&packet.body).find(|tag| tag.track == first);
        let is_news =
            packet.role == Role::Config || packet.role == Role::Key && self.video_info.is_none();
        if is_of_first && is_news {
            let info = tag().and_then(|tag| codec::video_tag_info(&tag));
            self.video_info = info.or(self.video_info.take());
        }
        let codec_id = || {
            let tag = tag()?;
            let legacy = packet.body.first().map(|first| u32::from(first & 0x0f));
            if tag.enhanced { tag.codec.fourcc().map(|fourcc| fourcc.number()) } else { legacy }
        };
        self.video.push(packet, is_of_first, size_bytes, time_ms, codec_id);
        if packet.is_media() && is_of_first {
            self.is_last_key = packet.role == Role::Key;
            if self.is_last_key {
                self.last_key_ms = Some(time_ms);
            }
        }
    }

    fn push_audio(&mut self, packet: &Packet, size_bytes: u32, time_ms: u32) {
        let is_lower = self.audio.id.is_none_or(|id| packet.track < id);
        if is_lower && matches!(packet.role, Role::Config | Role::Frame) {
            self.audio.id = Some(packet.track);
        }
        let first = self.audio.id.unwrap_or(packet.track);
        let is_of_first = packet.has_track(first);
        let tag = || audio::tracks(&packet.body).find(|tag| tag.track == first);
        let is_early = packet.role == Role::Frame && self.audio.frames < INFO_FRAMES_MAX;
        let is_news = packet.role == Role::Config || is_early && self.audio_info.is_none();
        if is_of_first && is_news {
            let info = tag().and_then(|tag| codec::audio_tag_info(&tag));
            self.audio_info = info.or(self.audio_info.take());
        }
        if is_of_first && is_early && self.sound.is_none() {
            self.sound = tag().and_then(|tag| tag.sound);
        }
        let codec_id = || {
            let tag = tag()?;
            let legacy = packet.body.first().map(|first| u32::from(first >> 4));
            if tag.enhanced { tag.codec.fourcc().map(|fourcc| fourcc.number()) } else { legacy }
        };
        self.audio.push(packet, is_of_first, size_bytes, time_ms, codec_id);
    }

    /// Whether the file has coded frames, and of `kind`.
    pub(super) fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Video => self.video.frames > 0,
            Kind::Audio => self.audio.frames > 0,
            Kind::Data | Kind::DataAmf3 => true,
        }
    }

    /// The end of the last frame: its time and the time since the one before it.
    pub(super) fn duration_ms(&self) -> u64 {
        self.video.end_ms().max(self.audio.end_ms()).max(u64::from(self.end_ms))
    }

    /// What is true of the file whatever the publisher said, but for what changes with the file's
    /// size.
    pub(super) fn truths(&self) -> Vec<(&'static str, Value)> {
        let seconds = |ms: u32| Value::Number(f64::from(ms) / 1000.0);
        let number = |n: u32| Value::Number(f64::from(n));
        let mut truths = vec![
            ("lasttimestamp", seconds(self.newest_ms)),
            ("hasVideo", Value::Boolean(self.has(Kind::Video))),
            ("hasAudio", Value::Boolean(self.has(Kind::Audio))),
            ("hasKeyframes", Value::Boolean(self.last_key_ms.is_some())),
            ("canSeekToEnd", Value::Boolean(self.is_last_key || !self.has(Kind::Video))),
        ];
        truths.extend(self.last_key_ms.map(|ms| ("lastkeyframetimestamp", seconds(ms))));
        if let Some(info) = self.video_info.as_ref().filter(|info| info.width > 0) {
            truths.push(("width", number(info.width)));
            truths.push(("height", number(info.height)));
        }
        truths.extend(self.video.codec_id.map(|id| ("videocodecid", number(id))));
        truths.extend(self.audio.codec_id.map(|id| ("audiocodecid", number(id))));
        let known = self.audio_info.as_ref().filter(|info| info.sample_rate_hz > 0);
        truths.extend(known.map(|info| ("audiosamplerate", number(info.sample_rate_hz))));
        let known = self.audio_info.as_ref().filter(|info| info.channels > 0);
        truths.extend(known.map(|info| ("stereo", Value::Boolean(info.channels > 1))));
        truths
    }

    /// What was measured; the publisher's own figure is better where it gave one.
    pub(super) fn measures(&self) -> Vec<(&'static str, Value)> {
        let mut measures = Vec::new();
        let info = self.video_info.as_ref();
        let rate = info.and_then(|info| info.frame_rate).or_else(|| self.video.frame_rate());
        measures.extend(rate.map(|rate| ("framerate", Value::Number(rate))));
        let rate = self.video.kbit_per_second();
        measures.extend(rate.map(|rate| ("videodatarate", Value::Number(rate))));
        let rate = self.audio.kbit_per_second();
        measures.extend(rate.map(|rate| ("audiodatarate", Value::Number(rate))));
        let bits = self.sound.map(|sound| f64::from(sound.sample_bits));
        measures.extend(bits.map(|bits| ("audiosamplesize", Value::Number(bits))));
        measures
    }
}

impl Track {
    fn push(
        &mut self,
        packet: &Packet,
        is_of_first: bool,
        size_bytes: u32,
        time_ms: u32,
        codec_id: impl Fn() -> Option<u32>,
    ) {
        let is_news = packet.role == Role::Config || packet.is_media() && self.codec_id.is_none();
        if is_of_first && is_news {
            self.codec_id = codec_id().or(self.codec_id);
        }
        if !packet.is_media() {
            return;
        }
        self.bytes = self.bytes.saturating_add(u64::from(size_bytes));
        if !is_of_first {
            return;
        }
        if self.frames == 0 {
            self.first_ms = time_ms;
        } else if time_ms > self.last_ms {
            self.step_ms = (time_ms - self.last_ms).min(STEP_MAX_MS);
        }
        self.frames = self.frames.saturating_add(1);
        self.last_ms = self.last_ms.max(time_ms);
    }

    fn end_ms(&self) -> u64 {
        u64::from(self.last_ms) + u64::from(self.step_ms)
    }

    /// From the first to the last frame, ms; `None` before there are two.
    fn span_ms(&self) -> Option<f64> {
        let span_ms = self.last_ms.saturating_sub(self.first_ms);
        (self.frames > 1 && span_ms > 0).then_some(f64::from(span_ms))
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    fn frame_rate(&self) -> Option<f64> {
        self.span_ms().map(|span_ms| (self.frames - 1) as f64 * 1000.0 / span_ms)
    }

    /// Bits per ms are kbit per second.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    fn kbit_per_second(&self) -> Option<f64> {
        self.span_ms().map(|span_ms| self.bytes as f64 * 8.0 / (span_ms + f64::from(self.step_ms)))
    }
}
