//! Media that can be checked: what looks like H.264 and AAC, with a stamp in every frame.
//!
//! The codec configurations are a real encoder's. The frames are noise, made of the seed, so that
//! the same source gives the same packets everywhere; each carries a [`Stamp`] that says which
//! frame of which stream it is, and a checksum of all its bytes. Real pictures are in a
//! [`clip`](crate::flv::clip).

mod frame;
mod schedule;
mod stamp;

use std::collections::VecDeque;

use bytes::Bytes;
use media::amf0::{self, Value};
use media::{Kind, Packet};

pub use frame::Frame;
pub use schedule::{Schedule, Slot};
pub use stamp::{Stamp, StampError};

/// The sequence header of libx264's output: High profile, level 3.1, 1280 x 720.
pub const VIDEO_CONFIG: &[u8] = &[
    0x17, 0x00, 0x00, 0x00, 0x00, 0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00,
    0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
    0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8,
    0xf8, 0x00,
];

/// The sequence header of FFmpeg's AAC encoder: LC, 48 kHz, stereo.
pub const AUDIO_CONFIG: &[u8] = &[0xaf, 0x00, 0x11, 0x90, 0x56, 0xe5, 0x00];

/// What a source makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// Pictures in a second.
    pub fps: u32,
    /// Pictures from one key frame to the next.
    pub key_interval: u32,
    /// Mean rate of the pictures in kbit/s; 0 for no pictures.
    pub video_kbps: u32,
    /// Mean rate of the sound in kbit/s; 0 for no sound.
    pub audio_kbps: u32,
    /// Pictures between two references that are shown before the second one.
    pub b_frames: u32,
    /// Time of the first frame in ms.
    pub start_ms: i64,
    /// Whether `onMetaData` comes first.
    pub metadata: bool,
}

impl Default for SourceConfig {
    /// 2 Mbit/s at 30 pictures a second, a key frame every two seconds, and sound.
    fn default() -> Self {
        Self {
            fps: 30,
            key_interval: 60,
            video_kbps: 2_000,
            audio_kbps: 128,
            b_frames: 0,
            start_ms: 0,
            metadata: true,
        }
    }
}

/// Packets without end: metadata, configurations, then frames in the order of their times.
#[derive(Debug, Clone)]
pub struct Source {
    seed: u32,
    start_ms: i64,
    opening: VecDeque<Packet>,
    schedule: Schedule,
}

impl Source {
    /// A source; the seed is also the number of its stream in the stamps.
    pub fn new(seed: u32, config: SourceConfig) -> Self {
        Self {
            seed,
            start_ms: config.start_ms,
            opening: opening(&config).into(),
            schedule: Schedule::new(&config),
        }
    }
}

impl Iterator for Source {
    type Item = Packet;

    fn next(&mut self) -> Option<Packet> {
        if let Some(packet) = self.opening.pop_front() {
            return Some(packet);
        }
        let slot = self.schedule.next()?;
        let stamp = Stamp { stream: self.seed, sequence: slot.sequence, time_us: slot.time_us };
        let body = Frame::new(&slot, u64::from(self.seed) << 32 ^ slot.sequence).stamped(&stamp);
        Some(Packet::new(slot.kind, self.start_ms + slot.dts_ms(), body))
    }
}

/// What comes before the first frame.
pub fn opening(config: &SourceConfig) -> Vec<Packet> {
    let mut packets = Vec::new();
    if config.metadata {
        packets.push(Packet::new(Kind::Data, config.start_ms, metadata(config)));
    }
    if config.video_kbps > 0 {
        let body = Bytes::from_static(VIDEO_CONFIG);
        packets.push(Packet::new(Kind::Video, config.start_ms, body));
    }
    if config.audio_kbps > 0 {
        let body = Bytes::from_static(AUDIO_CONFIG);
        packets.push(Packet::new(Kind::Audio, config.start_ms, body));
    }
    packets
}

fn metadata(config: &SourceConfig) -> Bytes {
    let number = |name: &str, value: u32| (name.to_owned(), Value::Number(f64::from(value)));
    let mut properties = vec![number("duration", 0)];
    if config.video_kbps > 0 {
        properties.extend([
            number("width", 1280),
            number("height", 720),
            number("framerate", config.fps),
            number("videocodecid", 7),
            number("videodatarate", config.video_kbps),
        ]);
    }
    if config.audio_kbps > 0 {
        properties.extend([
            number("audiocodecid", 10),
            number("audiosamplerate", 48_000),
            number("audiodatarate", config.audio_kbps),
            ("stereo".to_owned(), Value::Boolean(true)),
        ]);
    }
    properties.push(("encoder".to_owned(), Value::from("testkit")));
    let mut body = Vec::new();
    amf0::encode_string("onMetaData", &mut body);
    amf0::encode(&Value::EcmaArray(properties), &mut body);
    body.into()
}

#[cfg(test)]
mod tests;
