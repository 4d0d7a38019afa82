//! What a run has carried so far: counters that the timeline keeps while it appends.

use media::{Kind, Packet, Role};

/// Counters of one run. Rates are differences of two snapshots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Audio messages.
    pub audio: TrackStats,
    /// Video messages.
    pub video: TrackStats,
    /// Data messages.
    pub data: TrackStats,
    /// Key frames, of the first video track.
    pub key_frames: u64,
    /// Longest distance of two of them in ms.
    pub key_interval_max_ms: i64,
    /// Unwrapped time of the first and the newest key frame.
    pub key_dts_ms: Option<(i64, i64)>,
    /// Players that read this run now.
    pub players: u32,
    /// Most players that read this run at once.
    pub players_peak: u32,
}

/// Counters of one kind of message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrackStats {
    /// Messages of any role.
    pub packets: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Coded frames among them; of several video tracks those of the first.
    pub frames: u64,
    /// Unwrapped time of the first and the newest coded frame.
    pub dts_ms: Option<(i64, i64)>,
}

impl Stats {
    /// Mean distance of key frames in ms, once there are two.
    pub fn key_interval_ms(&self) -> Option<i64> {
        let (first_ms, newest_ms) = self.key_dts_ms?;
        let intervals = i64::try_from(self.key_frames.checked_sub(1)?).ok()?;
        newest_ms.saturating_sub(first_ms).checked_div(intervals)
    }

    /// Counts a packet. Frames of a video track that `is_other` than the first are bytes and nothing else: they come
    /// beside those of the first, and begin at key frames of their own.
    pub(crate) fn count(&mut self, packet: &Packet, is_other: bool) {
        let track = match packet.kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
            Kind::Data | Kind::DataAmf3 => &mut self.data,
        };
        track.packets += 1;
        track.bytes += packet.body.len() as u64;
        if is_other || !packet.is_media() {
            return;
        }
        let dts_ms = packet.dts_ms;
        track.frames += 1;
        track.dts_ms = Some((track.dts_ms.map_or(dts_ms, |(first_ms, _)| first_ms), dts_ms));
        if packet.role == Role::Key {
            let (first_ms, newest_ms) = self.key_dts_ms.unwrap_or((dts_ms, dts_ms));
            let interval_ms = dts_ms.saturating_sub(newest_ms);
            self.key_interval_max_ms = self.key_interval_max_ms.max(interval_ms);
            self.key_dts_ms = Some((first_ms, dts_ms));
            self.key_frames += 1;
        }
    }
}
