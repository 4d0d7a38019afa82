//! What a file says of itself, wherever it is copied to: which recording it belongs to, of what, since
//! when, and what is missing before it. Written once, when the file is made.

use std::fmt;
use std::str::FromStr;

use media::amf0::Value;

use crate::ledger::{find, millis, number, seconds, whole};
use crate::{Gap, GapReason, LABELS_MAX, Labels, RecordingId, Tracks, check_label};

/// Why a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It is the first of its recording.
    Start,
    /// The one before was long enough.
    Duration,
    /// The one before was large enough.
    Size,
    /// A mark of the clock on the wall has passed.
    Mark,
    /// A moment of the schedule has passed.
    Schedule,
    /// The codec configuration or the resolution changed.
    Configuration,
    /// The encoder's clock jumped.
    TimeJump,
    /// The times or positions of the format are used up.
    Format,
    /// The publisher came back.
    Rejoin,
    /// The disk works again, or the file before was moved away.
    Disk,
    /// There is free space again.
    Space,
    /// Somebody asked for it.
    Request,
}

impl Cut {
    const ALL: [Self; 12] = [
        Self::Start,
        Self::Duration,
        Self::Size,
        Self::Mark,
        Self::Schedule,
        Self::Configuration,
        Self::TimeJump,
        Self::Format,
        Self::Rejoin,
        Self::Disk,
        Self::Space,
        Self::Request,
    ];

    /// The word in files, logs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Mark => "mark",
            Self::Schedule => "schedule",
            Self::Configuration => "configuration",
            Self::TimeJump => "time jump",
            Self::Format => "format",
            Self::Rejoin => "rejoin",
            Self::Disk => "disk",
            Self::Space => "free space",
            Self::Request => "request",
        }
    }
}

/// A 32-byte BLAKE3 hash; shown as 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is no [struct@Hash].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of 64 hex digits")]
pub struct BadHash;

impl FromStr for Hash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(BadHash);
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| BadHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadHash)?;
        }
        Ok(Self(hash))
    }
}

/// The identity of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The recording that it is part of.
    pub recording: RecordingId,
    /// The stream, `app/name`.
    pub stream_key: String,
    /// Its number in the recording, from 1.
    pub segment: u32,
    /// When it begins, by the clock on the wall: RFC 3339 with ms and offset.
    pub start_time: String,
    /// When it begins on the recording clock, in ms.
    pub start_ms: u64,
    /// Why it begins.
    pub cut: Cut,
    /// What is missing before it; its time is on the recording clock.
    pub gap_before: Option<Gap>,
    /// How many packets the recording had received before this segment and the gap before it.
    pub first_packet: u64,
    /// The chain of hashes over the segments before this one; `None` where there is none, or where
    /// the one before was not finished when this one began.
    pub chain_before: Option<Hash>,
    /// Name and version of the program.
    pub server: String,
    /// The recorder's name; empty in files of versions that did not tell it.
    pub recorder: String,
    /// What the recording is called, if it is.
    pub name: Option<String>,
    /// The key of the request that began it.
    pub request_key: Option<String>,
    /// Whether it is a clip: a stretch of a recording, kept as one of its own.
    pub is_clip: bool,
    /// What of the stream is in it.
    pub tracks: Tracks,
    /// What was written on the recording when it began.
    pub labels: Labels,
}

/// What the names of labels begin with in a file.
pub(crate) const LABEL: &str = "label.";

impl About {
    /// As the properties of `onMetaData` that never change.
    pub fn properties(&self) -> Vec<(String, Value)> {
        let mut properties = vec![
            ("recordingId", Value::from(self.recording.to_string())),
            ("streamKey", Value::from(self.stream_key.clone())),
            ("segment", number(self.segment.into())),
            ("startTime", Value::from(self.start_time.clone())),
            ("recordingTime", seconds(self.start_ms)),
            ("segmentReason", Value::from(self.cut.name().to_owned())),
            ("firstPacket", number(self.first_packet)),
            ("server", Value::from(self.server.clone())),
        ];
        if let Some(gap) = self.gap_before {
            properties.extend([
                ("gapBefore", seconds(gap.length_ms)),
                ("gapBeforeReason", Value::from(gap.reason.name().to_owned())),
                ("gapBeforePackets", number(gap.dropped.packets)),
                ("gapBeforeBytes", number(gap.dropped.bytes)),
            ]);
        }
        let chain = self.chain_before.map(|hash| ("chainBefore", Value::from(hash.to_string())));
        properties.extend(chain);
        let text = |text: &String| Value::from(text.clone());
        let recorder = (!self.recorder.is_empty()).then(|| ("recorder", text(&self.recorder)));
        let is_part = self.tracks != Tracks::All;
        let tracks = is_part.then(|| ("tracks", Value::from(self.tracks.name().to_owned())));
        let name = self.name.as_ref().map(|name| ("recordingName", text(name)));
        let request_key = self.request_key.as_ref().map(|key| ("requestKey", text(key)));
        let clip = self.is_clip.then_some(("clip", Value::Boolean(true)));
        properties.extend([recorder, clip, tracks, name, request_key].into_iter().flatten());
        let labels =
            self.labels.iter().map(|(name, value)| (format!("{LABEL}{name}"), text(value)));
        let properties = properties.into_iter().map(|(name, value)| (name.to_owned(), value));
        properties.chain(labels).collect()
    }

    /// Reads the identity of a file; `None` for one that this program did not record.
    pub fn from_properties(properties: &[(String, Value)]) -> Option<Self> {
        let text = |name: &str| find(properties, name)?.as_str();
        let float = |name: &str| find(properties, name)?.as_f64();
        let count = |name: &str| float(name).map(whole).unwrap_or_default();
        let ms = |name: &str| float(name).map(millis).unwrap_or_default().unsigned_abs();
        let start_ms = ms("recordingTime");
        let length_ms = ms("gapBefore");
        let gap = |reason: GapReason| Gap {
            at_ms: start_ms.saturating_sub(length_ms),
            length_ms,
            reason,
            dropped: crate::Amount {
                packets: count("gapBeforePackets"),
                bytes: count("gapBeforeBytes"),
            },
        };
        let word = text("segmentReason").unwrap_or(Cut::Start.name());
        Some(Self {
            recording: text("recordingId")?.parse().ok()?,
            stream_key: text("streamKey")?.to_owned(),
            segment: u32::try_from(count("segment")).ok()?.max(1),
            start_time: text("startTime")?.to_owned(),
            start_ms,
            cut: Cut::ALL.into_iter().find(|cut| cut.name() == word).unwrap_or(Cut::Start),
            gap_before: text("gapBeforeReason").and_then(|word| word.parse().ok()).map(gap),
            first_packet: count("firstPacket"),
            chain_before: text("chainBefore").and_then(|hash| hash.parse().ok()),
            server: text("server").unwrap_or_default().to_owned(),
            recorder: text("recorder").unwrap_or_default().to_owned(),
            name: text("recordingName").map(ToOwned::to_owned),
            request_key: text("requestKey").map(ToOwned::to_owned),
            is_clip: find(properties, "clip").and_then(Value::as_bool).unwrap_or_default(),
            tracks: text("tracks").and_then(|word| word.parse().ok()).unwrap_or_default(),
            labels: labels(properties),
        })
    }
}

/// The labels of a file; what is none is passed over.
fn labels(properties: &[(String, Value)]) -> Labels {
    let label = |(name, value): &(String, Value)| {
        let (name, value) = (name.strip_prefix(LABEL)?, value.as_str()?);
        check_label(name, value).ok()?;
        Some((name.to_owned(), value.to_owned()))
    };
    properties.iter().filter_map(label).take(LABELS_MAX).collect()
}

#[cfg(test)]
mod tests;
