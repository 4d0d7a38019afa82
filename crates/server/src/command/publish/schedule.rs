//! Which time each packet has in the stream, and when it is due. Pure: the clock is an argument.

use std::str::FromStr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::amf0::{self, Limits, Value};
use media::flv::{audio, meta, video};
use media::time::Rebase;
use media::{Header, Kind, Packet, Role};

/// How often the source is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times(Option<u64>);

impl Times {
    /// More is endless.
    const MAX: u64 = 1_000_000;

    /// How often; `None` for ever.
    pub(super) fn total(self) -> Option<u64> {
        self.0
    }
}

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "forever" => Ok(Self(None)),
            Ok(n @ 1..=Self::MAX) => Ok(Self(Some(n))),
            _ => Err(format!("expected a whole number from 1 to {}, or nothing", Self::MAX)),
        }
    }
}

/// How fast the stream runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Speed {
    /// So many times as fast as real time.
    Factor(f64),
    /// As fast as the socket takes it.
    Max,
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.strip_suffix('x').unwrap_or(text).parse() {
            Ok(factor) if (0.01..=100.0).contains(&factor) => Ok(Self::Factor(factor)),
            _ => Err("expected a factor from 0.01 to 100, such as 2 or 0.5, or max"),
        }
    }
}

/// When a packet of the stream is due.
#[derive(Debug)]
pub(super) struct Pacer {
    origin: Instant,
    speed: Speed,
}

impl Pacer {
    /// The stream's time 0 is due at `origin`. Every time is reckoned from there, so that lateness
    /// does not add up.
    pub(super) fn new(speed: Speed, origin: Instant) -> Self {
        Self { origin, speed }
    }

    /// When a packet with the time of the stream is due; `None` for at once. An event goes with what
    /// is before it, for its time may be ahead, and frames would wait behind it.
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    pub(super) fn due(&self, packet: &Packet) -> Option<Instant> {
        let Speed::Factor(factor) = self.speed else { return None };
        if packet.role == Role::Event {
            return None;
        }
        let after = Duration::try_from_secs_f64(packet.dts_ms as f64 / 1_000.0 / factor).ok()?;
        self.origin.checked_add(after)
    }
}

/// Puts the passes over a source one after the other on one clock that starts at 0 and only grows.
#[derive(Debug)]
pub(super) struct Passes {
    /// Passes to come after this one; `None` without end.
    left: Option<u64>,
    /// Where this pass begins in the stream, ms.
    start_ms: u64,
    is_first: bool,
    /// The source's times, of this pass.
    rebase: Rebase,
    audio: Track,
    video: Track,
    /// What the server has been told.
    header: Header,
}

/// Times of the frames of one kind within a pass, ms.
#[derive(Debug, Default)]
struct Track {
    last_ms: Option<u64>,
    step_ms: u64,
}

impl Track {
    /// A longer pause (ms) is not the duration of a frame.
    const STEP_MAX_MS: u64 = 1_000;
    /// Duration (ms) of a frame that is the only one.
    const STEP_ALONE_MS: u64 = 40;

    fn push(&mut self, at_ms: u64) {
        if let Some(step_ms @ 1..) = self.last_ms.and_then(|last_ms| at_ms.checked_sub(last_ms)) {
            self.step_ms = step_ms.min(Self::STEP_MAX_MS);
        }
        self.last_ms = Some(at_ms);
    }

    /// When the frame after the last one is due.
    fn end_ms(&self) -> Option<u64> {
        let step_ms = if self.step_ms == 0 { Self::STEP_ALONE_MS } else { self.step_ms };
        self.last_ms.map(|last_ms| last_ms + step_ms)
    }
}

impl Passes {
    pub(super) fn new(times: Times) -> Self {
        Self {
            left: times.total().map(|times| times.saturating_sub(1)),
            start_ms: 0,
            is_first: true,
            rebase: Rebase::default(),
            audio: Track::default(),
            video: Track::default(),
            header: Header::default(),
        }
    }

    /// What the server has been told that a decoder needs.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Whether decoding can begin with a packet.
    pub(super) fn can_begin_with(&self, packet: &Packet) -> bool {
        packet.role == Role::Key || self.video.last_ms.is_none() && packet.is_media()
    }

    /// Whether another pass follows this one.
    pub(super) fn has_more(&self) -> bool {
        self.left != Some(0)
    }

    /// Begins the next pass, where the frames of this one end. `false` when it had none: the next
    /// would have none either.
    pub(super) fn start_again(&mut self) -> bool {
        let Some(end_ms) = self.audio.end_ms().max(self.video.end_ms()) else { return false };
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.start_ms += end_ms;
        self.is_first = false;
        self.rebase = Rebase::default();
        (self.audio, self.video) = (Track::default(), Track::default());
        true
    }

    /// The packet as it is to be sent, its time that of the stream. `None` for what must not be
    /// sent at a seam: a header that the server has already, and the end of a sequence that goes
    /// on.
    pub(super) fn place(&mut self, packet: Packet) -> Option<Packet> {
        let at_ms = self.rebase.map(&packet);
        match packet.kind {
            Kind::Audio if packet.is_media() => self.audio.push(at_ms),
            Kind::Video if packet.is_media() => self.video.push(at_ms),
            _ => {}
        }
        let dts_ms = i64::try_from(self.start_ms + at_ms).unwrap_or(i64::MAX);
        let packet = Packet { dts_ms, ..live_metadata(packet) };
        if self.has_more() && is_sequence_end(&packet) {
            return None;
        }
        let is_header = matches!(packet.role, Role::Config | Role::Metadata);
        let is_news = self.header.push(&packet);
        (is_news || !is_header || self.is_first).then_some(packet)
    }
}

fn is_sequence_end(packet: &Packet) -> bool {
    if packet.role != Role::Event {
        return false;
    }
    match packet.kind {
        Kind::Video => video::parse(&packet.body)
            .is_some_and(|tag| tag.packet_type == video::PacketType::SequenceEnd),
        Kind::Audio => audio::parse(&packet.body)
            .is_some_and(|tag| tag.packet_type == audio::PacketType::SequenceEnd),
        Kind::Data | Kind::DataAmf3 => false,
    }
}

/// Properties of a file that a live stream has not: a player would show an end and offer to seek.
const OF_A_FILE: [&str; 9] = [
    "duration",
    "filesize",
    "datasize",
    "lasttimestamp",
    "lastkeyframetimestamp",
    "lastkeyframelocation",
    "canSeekToEnd",
    "keyframes",
    "trackPlaces",
];

/// An `onMetaData` without what is only true of a file; any other packet, and one that cannot be
/// read, as it is.
fn live_metadata(packet: Packet) -> Packet {
    /// An index of 100,000 key frames.
    const LIMITS: Limits = Limits { depth: 32, values: 300_000, string_bytes: 1 << 20 };
    if packet.role != Role::Metadata || packet.kind != Kind::Data {
        return packet;
    }
    let Some(mut properties) = meta::properties(&packet.body, LIMITS) else { return packet };
    properties
        .retain(|(name, _)| !OF_A_FILE.contains(&name.as_str()) && !name.starts_with("padding"));
    let mut body = Vec::new();
    amf0::encode(&Value::from("onMetaData"), &mut body);
    amf0::encode(&Value::EcmaArray(properties), &mut body);
    Packet { body: Bytes::from(body), ..packet }
}

#[cfg(test)]
mod tests;
