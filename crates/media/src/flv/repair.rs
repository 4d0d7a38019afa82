//! Mends FLV files, torn ones and those of other servers: scanned items in, the bytes of a sound
//! file out, and a list of what was wrong.
//!
//! Every audio and video tag that the scanner finds is in the new file, in its order and bit for
//! bit; its time is that of [`crate::time::Rebase`]. So is script data in AMF3, whose values stand in
//! the new metadata too where the file had none before it. The metadata keeps its values, but for
//! those that the muxer knows better. What is no tag, or is cut off, is not carried over: the old file
//! still has it.
//!
//! ```
//! # use media::{Chunks, flv::{repair::Repair, scan::{Bodies, Scanner}}};
//! # fn mend(file: &[u8]) -> Vec<u8> {
//! let (mut scanner, mut repair) = (Scanner::new(Bodies::Keep), Repair::new(32 << 10));
//! let mut out = Chunks::new();
//! for piece in file.chunks(65_536) {
//!     scanner.push(piece);
//!     while let Some(item) = scanner.poll() {
//!         repair.push(&item, &mut out);
//!     }
//!     // Write `out`.
//! }
//! scanner.finish();
//! while let Some(item) = scanner.poll() {
//!     repair.push(&item, &mut out);
//! }
//! let repaired = repair.finish(&mut out);
//! // Write `out`, apply `repaired.patches`, wait for the disk, apply `repaired.complete`.
//! # out.to_vec()
//! # }
//! ```

use std::collections::BTreeMap;

use super::{
    meta,
    mux::{self, Muxer, Options, Patch},
    probe::{IndexCheck, Probe, Report},
    scan::{Fault, FaultKind, Item, Tag},
};
use crate::{
    Chunks, Header, Kind, Packet, Role,
    amf0::{self, Limits, Value},
    time::{Placed, Rebase, Unwrap},
};

/// Something that was wrong, and was set right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mend {
    /// The file header is missing or not as it must be.
    FileHeader,
    /// There is no `onMetaData`.
    NoMetadata,
    /// The first `onMetaData` cannot be read to its end; what could be read was kept.
    BrokenMetadata,
    /// `onMetaData` of another file in the middle of this one; what it says of that file was taken
    /// out.
    StrayMetadata,
    /// A message that still has `@setDataFrame` before its name.
    SetDataFrame,
    /// The duration is not said, or is wrong by more than a second.
    Duration,
    /// There is no index of the key frames.
    NoIndex,
    /// The index points at what is no key frame.
    WrongIndex,
    /// The recording was not finished.
    Unfinished,
    /// `PreviousTagSize` is wrong.
    TagSize,
    /// A tag has a stream id, or reserved bits set.
    TagHeader,
    /// A tag says that it is encrypted; its body was kept as it is.
    Encrypted,
    /// A tag of an unknown type, which was dropped.
    TagType,
    /// Bytes that are no tag, which were dropped.
    Garbage,
    /// The last tag is cut off, and was dropped.
    Truncated,
    /// The first frame is not at time 0.
    Start,
    /// The time of a frame goes back a little; it was put at that of the frame before it.
    TimeBack,
    /// The times go on with another clock.
    TimeJump,
    /// A tag whose time an FLV file cannot hold (2^32 ms), which was dropped.
    TooLate,
    /// Of MP4: bytes among the parts that are no whole part, which were dropped.
    Part,
    /// Of MP4: the last part is cut off, and was dropped.
    CutPart,
    /// Of MP4: there is no index of the samples, or not the one that the parts make.
    Samples,
    /// Of MP4: a message that the file has no room for, which was dropped.
    Full,
}

impl Mend {
    /// What was done, for people: `garbage dropped`.
    pub fn text(self) -> &'static str {
        match self {
            Self::FileHeader => "file header written anew",
            Self::NoMetadata => "metadata added",
            Self::BrokenMetadata => "broken metadata mended",
            Self::StrayMetadata => "metadata of another file reduced",
            Self::SetDataFrame => "@setDataFrame removed",
            Self::Duration => "duration corrected",
            Self::NoIndex => "index of key frames added",
            Self::WrongIndex => "index of key frames corrected",
            Self::Unfinished => "unfinished recording finished",
            Self::TagSize => "PreviousTagSize corrected",
            Self::TagHeader => "stream id or reserved bits cleared",
            Self::Encrypted => "encryption flag cleared",
            Self::TagType => "tag of unknown type dropped",
            Self::Garbage => "garbage dropped",
            Self::Truncated => "cut-off last tag dropped",
            Self::Start => "start moved to time 0",
            Self::TimeBack => "backward time held",
            Self::TimeJump => "jump of the clock closed",
            Self::TooLate => "tag beyond 2^32 ms dropped",
            Self::Part => "damaged parts dropped",
            Self::CutPart => "cut-off last part dropped",
            Self::Samples => "index of samples written anew",
            Self::Full => "message without room dropped",
        }
    }
}

/// How often something was wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub count: u64,
    /// Bytes that were dropped for it.
    pub bytes: u64,
    /// Where in the old file it was first.
    pub first_offset: u64,
}

/// Tags that were found and tags that were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// In the old file.
    pub found: u64,
    /// In the new file. Of audio and video fewer only for [`Mend::TooLate`].
    pub written: u64,
}

/// A stretch of time that is missing where something was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Where it begins, ms.
    pub at_ms: u64,
    /// How long it is, ms.
    pub length_ms: u64,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// What was wrong; empty when the old file is sound.
    pub mends: BTreeMap<Mend, Count>,
    /// Of MP4: what is missing between parts that are there, the first [`Summary::LOST_MAX`].
    pub lost: Vec<Lost>,
    /// Audio tags.
    pub audio: Carried,
    /// Video tags.
    pub video: Carried,
    /// Data tags. The first `onMetaData`, and those that tell nothing new, are no tags of their own
    /// in the new file.
    pub data: Carried,
}

impl Summary {
    /// Most stretches that are told one by one.
    pub const LOST_MAX: usize = 1_000;

    /// Notes that something was wrong.
    pub(crate) fn mend(&mut self, mend: Mend, offset: u64, bytes: u64) {
        let first = Count { first_offset: offset, ..Count::default() };
        let count = self.mends.entry(mend).or_insert(first);
        count.count += 1;
        count.bytes = count.bytes.saturating_add(bytes);
    }

    /// Compares what the old file says of itself with what is true of the new one.
    pub(crate) fn compare(&mut self, old: &Report, duration_ms: u64, has_index: bool) {
        let told = |name| old.metadata.iter().find(|(n, _)| n == name).map(|(_, value)| value);
        if told(mux::COMPLETE) == Some(&Value::Boolean(false)) {
            self.mend(Mend::Unfinished, 0, 0);
        }
        let told_s = told("duration").and_then(Value::as_f64);
        #[expect(clippy::cast_precision_loss, reason = "ms, exact for 285,000 years")]
        let true_s = duration_ms as f64 / 1000.0;
        if told_s.is_none_or(|told_s| (told_s - true_s).abs() > DURATION_ERROR_MAX_S) {
            self.mend(Mend::Duration, 0, 0);
        }
        match old.index {
            IndexCheck::None if has_index => self.mend(Mend::NoIndex, 0, 0),
            IndexCheck::Wrong { .. } => self.mend(Mend::WrongIndex, 0, 0),
            IndexCheck::None | IndexCheck::True { .. } => {}
        }
    }

    /// The tags of a kind.
    pub(crate) fn of(&mut self, kind: Kind) -> &mut Carried {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
            Kind::Data | Kind::DataAmf3 => &mut self.data,
        }
    }
}

/// The end of a repair.
#[derive(Debug)]
pub struct Repaired {
    /// What to write over the start of the new file.
    pub patches: Vec<Patch>,
    /// What to write after those, as the last thing: the file is complete.
    pub complete: Patch,
    /// What was done.
    pub summary: Summary,
}

/// Mends one file.
#[derive(Debug)]
pub struct Repair {
    reserve_bytes: usize,
    /// Made by the first tag, which can tell whose recording it is.
    muxer: Option<Muxer>,
    unwrap: Unwrap,
    rebase: Rebase,
    probe: Probe,
    summary: Summary,
    has_metadata: bool,
    has_frames: bool,
}

impl Repair {
    /// A repair that reserves so many bytes for the new metadata: [`Options::reserve_bytes`].
    pub fn new(reserve_bytes: usize) -> Self {
        Self {
            reserve_bytes,
            muxer: None,
            unwrap: Unwrap::default(),
            rebase: Rebase::default(),
            probe: Probe::new(),
            summary: Summary::default(),
            has_metadata: false,
            has_frames: false,
        }
    }

    /// Takes an item of a scanner that keeps bodies, and puts out the bytes that follow from it.
    pub fn push(&mut self, item: &Item, out: &mut Chunks) {
        self.probe.push(item);
        match item {
            Item::Header(_) => {}
            Item::Fault(fault) => self.push_fault(fault),
            Item::Tag(tag) => self.push_tag(tag, out),
        }
    }

    /// The end of the old file. An old file without a tag gives a new one with metadata alone.
    pub fn finish(mut self, out: &mut Chunks) -> Repaired {
        let mut muxer = self.muxer.take().unwrap_or_else(|| self.muxer_of(Vec::new()));
        muxer.start(&Header::default(), out);
        if !self.has_metadata {
            self.mend(Mend::NoMetadata, 0, 0);
        }
        let report = std::mem::take(&mut self.probe).finish();
        self.summary.compare(&report, muxer.duration_ms(), muxer.has_index());
        let written = muxer.counters();
        self.summary.audio.written = written.audio;
        self.summary.video.written = written.video;
        self.summary.data.written = written.data;
        let (patches, complete) = (muxer.patches(), muxer.complete_patch());
        Repaired { patches, complete, summary: self.summary }
    }

    fn push_fault(&mut self, fault: &Fault) {
        let (mend, bytes) = match fault.kind {
            FaultKind::Signature
            | FaultKind::Version(_)
            | FaultKind::HeaderFlags(_)
            | FaultKind::HeaderSize(_) => (Mend::FileHeader, 0),
            FaultKind::PreviousTagSize { .. } => (Mend::TagSize, 0),
            FaultKind::TagType(_) => (Mend::TagType, 0),
            FaultKind::StreamId(_) | FaultKind::Reserved => (Mend::TagHeader, 0),
            FaultKind::Encrypted => (Mend::Encrypted, 0),
            FaultKind::Truncated { .. } | FaultKind::Mp4(_) => (Mend::Truncated, 0),
            FaultKind::Garbage { size } => (Mend::Garbage, size),
            // What is done about times is told tag by tag.
            FaultKind::TimeBack { .. } => return,
        };
        self.mend(mend, fault.offset, bytes);
    }

    fn push_tag(&mut self, tag: &Tag, out: &mut Chunks) {
        let kind = tag.packet.kind;
        self.summary.of(kind).found += 1;
        let mut body = tag.packet.body.clone();
        if kind == Kind::Data && meta::name(&body) == Some(SET_DATA_FRAME) {
            self.mend(Mend::SetDataFrame, tag.offset, 0);
            body = body.slice(3 + SET_DATA_FRAME.len()..);
        }
        let packet = self.unwrap.packet(kind, tag.header.timestamp_ms, body);
        if kind == Kind::Data && packet.role == Role::Metadata {
            self.push_metadata(packet, tag, out);
        } else {
            self.write(&packet, tag, out);
            if kind == Kind::DataAmf3 && !self.has_metadata {
                self.take_over_amf3(&packet);
            }
        }
    }

    fn take_over_amf3(&mut self, packet: &Packet) {
        let values = meta::values_of_amf3(&packet.body, AMF3_LIMITS);
        if let Some(properties) = values.ok().and_then(meta::properties_of)
            && let Some(muxer) = &mut self.muxer
        {
            muxer.take_values(properties);
        }
    }

    /// The first goes into the first tag of the new file; a later one stays where it is.
    fn push_metadata(&mut self, mut packet: Packet, tag: &Tag, out: &mut Chunks) {
        let read = meta::readable_properties(&packet.body);
        let (mut properties, is_whole) = read.unwrap_or_default();
        if !std::mem::replace(&mut self.has_metadata, true) {
            if !is_whole {
                self.mend(Mend::BrokenMetadata, tag.offset, 0);
            }
            if self.muxer.is_none() {
                let identity = mux::split_identity(&mut properties);
                self.muxer = Some(self.muxer_of(identity));
            }
            if let Some(muxer) = &mut self.muxer {
                muxer.take_over(packet.body, properties);
            }
            return;
        }
        if properties.iter().any(is_of_a_file) {
            self.mend(Mend::StrayMetadata, tag.offset, 0);
            properties.retain(|(name, _)| !mux::is_of_files(name));
            let mut body = Vec::new();
            amf0::encode_string("onMetaData", &mut body);
            amf0::encode_ecma_array(&properties, &mut body);
            packet.body = body.into();
        }
        self.write(&packet, tag, out);
    }

    fn write(&mut self, packet: &Packet, tag: &Tag, out: &mut Chunks) {
        let Placed { time_ms, is_late, is_jump } = self.rebase.place(packet);
        let is_first = packet.is_media() && !std::mem::replace(&mut self.has_frames, true);
        let mut muxer = self.muxer.take().unwrap_or_else(|| self.muxer_of(Vec::new()));
        let is_refused = muxer.push(packet, time_ms, out).is_err();
        self.muxer = Some(muxer);
        let told = [
            (Mend::Start, is_first && packet.dts_ms != 0),
            (Mend::TimeBack, is_late),
            (Mend::TimeJump, is_jump),
            (Mend::TooLate, is_refused),
        ];
        for (mend, _) in told.into_iter().filter(|(_, is_so)| *is_so) {
            self.mend(mend, tag.offset, 0);
        }
    }

    fn muxer_of(&self, identity: Vec<(String, Value)>) -> Muxer {
        let reserve_bytes = self.reserve_bytes;
        Muxer::new(Options { reserve_bytes, identity, ..Options::default() })
    }

    fn mend(&mut self, mend: Mend, offset: u64, bytes: u64) {
        self.summary.mend(mend, offset, bytes);
    }
}

/// What of an `onMetaData` in AMF3 is taken over: more than the new one has room for.
const AMF3_LIMITS: Limits = Limits { depth: 16, values: 1 << 20, string_bytes: 1 << 20 };
/// A duration that differs by less (seconds) is right: writers count the last frame or do not.
const DURATION_ERROR_MAX_S: f64 = 1.0;
/// What publishers put before `onMetaData` (RTMP), which does not belong into a file.
const SET_DATA_FRAME: &[u8] = b"@setDataFrame";

/// Whether a property is one that only the metadata of a file has, and not that of a stream.
fn is_of_a_file((name, value): &(String, Value)) -> bool {
    match name.as_str() {
        "keyframes" | mux::COMPLETE => true,
        "duration" | "filesize" => value.as_f64().is_some_and(|number| number > 0.0),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests;
