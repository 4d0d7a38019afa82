//! What a recording got, kept and lost: the books that every file carries.
//!
//! Received = written + dropped, always. What a file says is read back by [`Ledger::from_properties`];
//! the names are those of `docs/ref/files.md`.

use std::fmt;
use std::str::FromStr;

use media::amf0::Value;

/// Messages and the bytes of their bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Messages.
    pub packets: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, more: Self) {
        self.packets = self.packets.saturating_add(more.packets);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

impl std::ops::Add for Amount {
    type Output = Self;

    fn add(mut self, more: Self) -> Self {
        self += more;
        self
    }
}

/// Why a stretch of a recording is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// The disk was slower than the stream for longer than the queue holds.
    SlowDisk,
    /// The disk was full, failing, read-only or gone, or did not answer.
    Disk,
    /// There was less free space than is kept.
    Space,
    /// The publisher was away.
    Publisher,
    /// The container cannot hold the packet.
    Refused,
}

impl GapReason {
    const ALL: [Self; 5] =
        [Self::SlowDisk, Self::Disk, Self::Space, Self::Publisher, Self::Refused];

    /// The word in files, logs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlowDisk => "slow disk",
            Self::Disk => "disk",
            Self::Space => "free space",
            Self::Publisher => "publisher away",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The word is none of [`GapReason`]'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason of a gap")]
pub struct UnknownReason;

impl FromStr for GapReason {
    type Err = UnknownReason;

    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.name() == word).ok_or(UnknownReason)
    }
}

/// A stretch that a recording does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Where it begins: on the recording clock for a gap between files, on the file's own clock for
    /// one inside a file, in ms.
    pub at_ms: u64,
    /// How long it is, in ms.
    pub length_ms: u64,
    /// Why it is.
    pub reason: GapReason,
    /// What came in it and is in no file.
    pub dropped: Amount,
}

impl Gap {
    /// Whether the recording lacks something for it: a publisher that was away sent nothing, and where nothing came in
    /// no time nothing is missing.
    pub fn is_loss(&self) -> bool {
        let is_empty = self.reason == GapReason::Publisher || self.length_ms == 0;
        !is_empty || self.dropped != Amount::default()
    }
}

/// The books of a recording, or of one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// What the stream carried.
    pub received: Amount,
    /// What is in the files; without what a file repeats from its header.
    pub written: Amount,
    /// What is in no file.
    pub dropped: Amount,
    /// Packets written at a later time than they carry, because their own clock went back a little.
    pub late_packets: u64,
    /// Packets of the header that a segment repeats so that it plays alone.
    pub repeated_packets: u64,
    /// Of what is written: `onMetaData` whose values are in the file's first tag, and which is no
    /// tag of its own.
    pub merged: Amount,
    /// Of what is written: audio and video that is in an MP4 file and that no player finds there, for
    /// MP4 has no word for its track. Reading the recording here gives it back.
    pub hidden: Amount,
    /// The first [`Ledger::GAPS_MAX`] gaps inside the file, in order.
    pub gaps: Vec<Gap>,
    /// All of them.
    pub gaps_total: u64,
    /// Newest audio time less newest video time, in ms: 0 while there is only one of them.
    pub skew_ms: i64,
    /// Largest distance of the two so far, in ms.
    pub skew_max_ms: u64,
}

impl Ledger {
    /// Most gaps that are listed; further ones are only counted.
    pub const GAPS_MAX: usize = 64;

    /// Whether the books are closed: received = written + dropped.
    pub fn is_balanced(&self) -> bool {
        self.received == self.written + self.dropped
    }

    /// Notes a gap inside the file. What it cost is counted by the caller.
    pub fn add_gap(&mut self, gap: Gap) {
        self.gaps_total = self.gaps_total.saturating_add(1);
        if self.gaps.len() < Self::GAPS_MAX {
            self.gaps.push(gap);
        }
    }

    /// As the properties of `onMetaData`.
    pub fn properties(&self) -> Vec<(String, Value)> {
        let numbers = [
            ("packetsReceived", self.received.packets),
            ("packetsWritten", self.written.packets),
            ("packetsDropped", self.dropped.packets),
            ("bytesReceived", self.received.bytes),
            ("bytesWritten", self.written.bytes),
            ("bytesDropped", self.dropped.bytes),
            ("packetsLate", self.late_packets),
            ("packetsRepeated", self.repeated_packets),
            ("packetsMerged", self.merged.packets),
            ("bytesMerged", self.merged.bytes),
            ("gaps", self.gaps_total),
        ];
        let mut properties: Vec<(String, Value)> =
            numbers.map(|(name, n)| (name.to_owned(), number(n))).into();
        #[expect(clippy::cast_precision_loss, reason = "ms, exact for 285,000 years")]
        properties.extend([
            ("avSkew".to_owned(), Value::Number(self.skew_ms as f64 / 1000.0)),
            ("avSkewMax".to_owned(), seconds(self.skew_max_ms)),
        ]);
        if self.hidden != Amount::default() {
            properties.extend([
                ("packetsHidden".to_owned(), number(self.hidden.packets)),
                ("bytesHidden".to_owned(), number(self.hidden.bytes)),
            ]);
        }
        if self.gaps.is_empty() {
            return properties;
        }
        let list = |value: &dyn Fn(&Gap) -> Value| {
            Value::StrictArray(self.gaps.iter().map(value).collect())
        };
        let reasons: Vec<_> = self.gaps.iter().map(|gap| gap.reason.name()).collect();
        properties.extend([
            ("gapTimes".to_owned(), list(&|gap| seconds(gap.at_ms))),
            ("gapDurations".to_owned(), list(&|gap| seconds(gap.length_ms))),
            ("gapPackets".to_owned(), list(&|gap| number(gap.dropped.packets))),
            ("gapBytes".to_owned(), list(&|gap| number(gap.dropped.bytes))),
            ("gapReasons".to_owned(), Value::from(reasons.join(", "))),
        ]);
        properties
    }

    /// Reads the books of a file; `None` when it has none.
    pub fn from_properties(properties: &[(String, Value)]) -> Option<Self> {
        let find = |name: &str| find(properties, name);
        let count = |name: &str| find(name).and_then(Value::as_f64).map(whole);
        let amount = |packets: &str, bytes: &str| {
            Some(Amount { packets: count(packets)?, bytes: count(bytes)? })
        };
        let ms = |name: &str| find(name).and_then(Value::as_f64).map(millis);
        let list = |name: &str| -> Vec<f64> {
            let values = find(name).map(elements).unwrap_or_default();
            values.iter().take(Self::GAPS_MAX).filter_map(Value::as_f64).collect()
        };
        let reasons = find("gapReasons").and_then(Value::as_str).unwrap_or_default();
        let reasons = reasons.split(", ").filter_map(|word| word.parse().ok());
        let gaps = list("gapTimes").into_iter().zip(list("gapDurations"));
        let lost = list("gapPackets").into_iter().zip(list("gapBytes"));
        let gap = |(((at, length), (packets, bytes)), reason)| Gap {
            at_ms: millis(at).unsigned_abs(),
            length_ms: millis(length).unsigned_abs(),
            reason,
            dropped: Amount { packets: whole(packets), bytes: whole(bytes) },
        };
        Some(Self {
            received: amount("packetsReceived", "bytesReceived")?,
            written: amount("packetsWritten", "bytesWritten")?,
            dropped: amount("packetsDropped", "bytesDropped")?,
            late_packets: count("packetsLate").unwrap_or_default(),
            repeated_packets: count("packetsRepeated").unwrap_or_default(),
            merged: amount("packetsMerged", "bytesMerged").unwrap_or_default(),
            hidden: amount("packetsHidden", "bytesHidden").unwrap_or_default(),
            gaps: gaps.zip(lost).zip(reasons).map(gap).collect(),
            gaps_total: count("gaps").unwrap_or_default(),
            skew_ms: ms("avSkew").unwrap_or_default(),
            skew_max_ms: ms("avSkewMax").unwrap_or_default().unsigned_abs(),
        })
    }
}

/// The value of a property.
pub(crate) fn find<'a>(properties: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    properties.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::StrictArray(values) => values,
        _ => &[],
    }
}

/// A count as AMF0 writes it.
#[expect(clippy::cast_precision_loss, reason = "AMF0 has no other number: 2^53 are exact")]
pub(crate) fn number(n: u64) -> Value {
    Value::Number(n as f64)
}

/// A time in ms as FLV metadata writes it: in seconds.
#[expect(clippy::cast_precision_loss, reason = "ms, exact for 285,000 years")]
pub(crate) fn seconds(ms: u64) -> Value {
    Value::Number(ms as f64 / 1000.0)
}

/// A count that a file says; what is no count is 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub(crate) fn whole(n: f64) -> u64 {
    n.round() as u64
}

/// Seconds that a file says, in ms.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
pub(crate) fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

#[cfg(test)]
mod tests;
