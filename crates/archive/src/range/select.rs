//! Which packets of one segment are in a range: a decision on heads of tags.

use media::{Kind, Packet, Role};

use super::{Cut, Range};

/// How far (ms) audio and video of one moment may be apart in a file for an exact cut to find both.
pub(super) const LEAD_MS: i64 = 10_000;
/// Where no key frame comes, a range ends so long (ms) after its end.
const CAP_MS: i64 = 60_000;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is in the range.
    Take,
    /// It is for the decoder alone.
    Before,
    /// It is not in the range.
    Pass,
    /// Neither it nor anything after it is in the range.
    End,
}

/// Decides about the packets of one segment, in the order of its file.
#[derive(Debug)]
pub(super) struct Select {
    range: Range,
    /// Whether the range begins inside this segment, and with which key frame: its tag.
    begins: Option<Option<u64>>,
    /// Nothing is taken before the first key frame at or after this moment.
    joins: Option<i64>,
    has_video: bool,
    has_audio: bool,
    /// Which kinds are past the end.
    video_ended: bool,
    audio_ended: bool,
}

impl Select {
    pub(super) fn new(range: Range, has_video: bool, has_audio: bool) -> Self {
        let (begins, joins, video_ended, audio_ended) = Default::default();
        Self { range, begins, joins, has_video, has_audio, video_ended, audio_ended }
    }

    /// The range begins inside the segment; with the key frame whose tag is at `key`, if there is
    /// one.
    pub(super) fn begin(&mut self, key: Option<u64>) {
        self.begins = Some(key);
    }

    /// Another recording has what comes before `unix_ms`.
    pub(super) fn join(&mut self, unix_ms: i64) {
        self.joins = Some(unix_ms);
    }

    /// Decides about a packet that was recorded at `unix_ms` and whose tag is at `position`.
    pub(super) fn see(&mut self, packet: &Packet, unix_ms: i64, position: u64) -> Verdict {
        if packet.is_media() {
            self.has_video |= packet.kind == Kind::Video;
            self.has_audio |= packet.kind == Kind::Audio;
        }
        if let Some(joins) = self.joins {
            if !self.is_place(packet) || unix_ms < joins {
                return Verdict::Pass;
            }
            self.joins = None;
        }
        match self.range.cut {
            Cut::KeyFrame => self.at_key_frames(packet, unix_ms),
            Cut::Exact => self.exactly(packet, unix_ms, position),
        }
    }

    /// Whether everything from here on is taken, up to [`LEAD_MS`] before the end.
    pub(super) fn is_steady(&self, unix_ms: i64) -> bool {
        let is_begun = match (self.range.cut, self.begins) {
            (Cut::Exact, Some(_)) => unix_ms.saturating_sub(LEAD_MS) >= self.range.from_unix_ms,
            _ => true,
        };
        is_begun && self.joins.is_none()
    }

    /// Whether decoding can start at a packet.
    pub(super) fn is_place(&self, packet: &Packet) -> bool {
        match packet.kind {
            Kind::Video => packet.role == Role::Key,
            Kind::Audio => packet.is_media() && !self.has_video,
            Kind::Data | Kind::DataAmf3 => false,
        }
    }

    /// The reader starts at the first packet of the range.
    fn at_key_frames(&self, packet: &Packet, unix_ms: i64) -> Verdict {
        let late_ms = unix_ms.saturating_sub(self.range.to_unix_ms);
        let is_end =
            packet.is_media() && late_ms >= 0 && (self.is_place(packet) || late_ms >= CAP_MS);
        if is_end { Verdict::End } else { Verdict::Take }
    }

    fn exactly(&mut self, packet: &Packet, unix_ms: i64, position: u64) -> Verdict {
        let Range { from_unix_ms, to_unix_ms, .. } = self.range;
        if unix_ms >= to_unix_ms {
            self.video_ended |= packet.is_media() && packet.kind == Kind::Video;
            self.audio_ended |= packet.is_media() && packet.kind == Kind::Audio;
            let is_all = (self.video_ended || !self.has_video)
                && (self.audio_ended || !self.has_audio)
                && packet.is_media();
            let is_over = is_all || unix_ms.saturating_sub(LEAD_MS) >= to_unix_ms;
            return if is_over { Verdict::End } else { Verdict::Pass };
        }
        let Some(key) = self.begins else { return Verdict::Take };
        let is_early = unix_ms < from_unix_ms;
        let is_decodable = key.is_none_or(|key| position >= key);
        match packet.kind {
            Kind::Video if !is_decodable => Verdict::Pass,
            Kind::Video if is_early => Verdict::Before,
            // What the header has already.
            _ if !is_decodable && !packet.is_media() && is_early => Verdict::Pass,
            Kind::Audio if is_early && packet.role == Role::Frame => Verdict::Pass,
            Kind::Data | Kind::DataAmf3 if is_early => Verdict::Pass,
            _ => Verdict::Take,
        }
    }
}
