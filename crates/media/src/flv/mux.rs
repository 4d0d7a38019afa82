//! Packets in, the bytes of an FLV file out; and, at any moment, what to overwrite at its start so
//! that it is right as it stands.
//!
//! A file is the 13 bytes of its header, one `onMetaData` tag of a fixed size, and the packets:
//! every audio and video message once, in order, bit for bit, at the time that the caller gives
//! (see [`crate::time::Rebase`]). The muxer knows no file: the caller writes what it puts out, and
//! applies [`Muxer::patches`] when it likes.
//!
//! # What `onMetaData` says
//!
//! In this order:
//!
//! - The caller's values that never change ([`Options::identity`]), and `complete`: false until
//!   [`Muxer::complete_patch`] is applied. Their bytes are the same in all patches, so that one
//!   that was torn cannot harm them.
//! - Measured or read from the codec records, whatever the publisher said: `duration`, `filesize`,
//!   `lasttimestamp`, `lastkeyframetimestamp`, `hasVideo`, `hasAudio`, `hasMetadata`,
//!   `hasKeyframes`, `canSeekToEnd`, `width`, `height`, `videocodecid`, `audiocodecid`,
//!   `audiosamplerate`, `stereo`; at the end `trackPlaces` (where the tracks are, of each kind those of the 16 lowest ids)
//!   and `keyframes`.
//! - The caller's values that change ([`Options::extra`]).
//! - The publisher's values, except those above and those that cannot be true of this file. What
//!   the publisher says of a kind of media that does not come is left out: FFmpeg would announce a
//!   stream of it.
//! - `framerate`, `videodatarate`, `audiodatarate` (kbit/s), `audiosamplesize`: the publisher's if
//!   it gave a positive number, else as measured.
//!
//! Publishers' values that do not fit, or have no name that could be read again, are left out
//! ([`Counters::properties_cut`]); the index is thinned.

use crate::{
    Chunks, Header, Kind, Packet, Role,
    amf0::{self, Limits, Value},
    flv::{
        meta,
        tag::{self, BODY_MAX, FILE_HEADER, OVERHEAD, TagHeader},
    },
};

mod facts;
mod index;
mod region;
mod restore;
mod tracks;

use facts::Facts;
pub(crate) use index::Index;
use region::{Content, Region};
pub(crate) use restore::split_identity;
pub use restore::{Restore, Restored, Want};
pub(crate) use tracks::TRACK_PLACES;

/// How a file is laid out, and what it says of itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size in bytes of the `onMetaData` tag, which the index must fit in: 18 bytes an entry. Taken
    /// as at least 2 KiB and at most 8 MiB.
    pub reserve_bytes: usize,
    /// What the recording is, and never changes: it comes first in `onMetaData` and wins over all
    /// else. What would leave less than 600 bytes is cut out.
    pub identity: Vec<(String, Value)>,
    /// Further properties for `onMetaData`, which win over the muxer's own and the publisher's:
    /// the first values of [`Muxer::set_extra`].
    pub extra: Vec<(String, Value)>,
}

impl Default for Options {
    /// 32 KiB: some 1,700 key frames before the index is thinned, an hour at one every two seconds.
    fn default() -> Self {
        Self { reserve_bytes: 32 << 10, identity: Vec::new(), extra: Vec::new() }
    }
}

/// The boolean property after the identity: false until [`Muxer::complete_patch`] is applied.
pub const COMPLETE: &str = "complete";

/// Why a packet cannot be in an FLV file. Nothing of it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body has more bytes than 24 bits can say.
    #[error("message of {size_bytes} bytes is too long for an FLV tag (at most {BODY_MAX})")]
    TooLong {
        /// Size of the body in bytes.
        size_bytes: usize,
    },
    /// The time has more than 32 bits: the file is 49 days long.
    #[error("time of {time_ms} ms is beyond what an FLV tag can say (at most {})", u32::MAX)]
    TimeTooLarge {
        /// The time in ms.
        time_ms: u64,
    },
}

/// Bytes to write over those at `offset` of the file, which has them all already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// From the start of the file.
    pub offset: u64,
    /// The new bytes.
    pub bytes: Vec<u8>,
}

/// What was written and what was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Audio tags written.
    pub audio: u64,
    /// Video tags written.
    pub video: u64,
    /// Data tags written, without the first one.
    pub data: u64,
    /// `onMetaData` messages that went into the first tag alone, or repeated the one before.
    pub metadata_merged: u64,
    /// Properties that the first tag has no room for.
    pub properties_cut: usize,
}

/// Writes one file.
#[derive(Debug, Clone)]
pub struct Muxer {
    reserve_bytes: usize,
    identity: Vec<(String, Value)>,
    extra: Vec<(String, Value)>,
    /// The publisher's values, newest of each name.
    publisher: Vec<(String, Value)>,
    /// What they take in AMF0.
    publisher_bytes: usize,
    /// The newest `onMetaData`.
    metadata: Option<bytes::Bytes>,
    facts: Facts,
    index: Index,
    position: u64,
    counters: Counters,
}

/// Most properties of the publisher that are kept; OBS sends 20.
const PROPERTIES_MAX: usize = 256;

/// Decoding limits of `onMetaData`: far more than fits into the region by default.
const METADATA_LIMITS: Limits = Limits { depth: 16, values: 4_096, string_bytes: 65_536 };

impl Muxer {
    /// A muxer at the start of a file.
    pub fn new(options: Options) -> Self {
        let reserve_bytes =
            options.reserve_bytes.clamp(*region::SIZES.start(), *region::SIZES.end());
        let mut identity = options.identity;
        identity.retain(|(name, _)| name != COMPLETE);
        Self {
            reserve_bytes,
            identity,
            extra: options.extra,
            publisher: Vec::new(),
            publisher_bytes: 0,
            metadata: None,
            facts: Facts::default(),
            index: Index::new(reserve_bytes / region::ENTRY),
            position: 0,
            counters: Counters::default(),
        }
    }

    /// Puts out the start of the file: its header, `onMetaData`, and the configurations in
    /// `header`, at time 0. A file that begins with the stream's first packet has an empty header.
    /// Only the first call does anything.
    pub fn start(&mut self, header: &Header, out: &mut Chunks) {
        if self.position > 0 {
            return;
        }
        if let Some(packet) = header.metadata() {
            self.merge(packet);
        }
        self.position = size(FILE_HEADER.len()) + size(self.reserve_bytes);
        out.put_slice(&FILE_HEADER);
        out.put_slice(&self.region().bytes);
        for packet in header.packets().iter().filter(|packet| packet.kind != Kind::Data) {
            // A message of a header came as a packet before: one that is too long was refused then.
            let _ = self.write(packet, 0, out);
        }
    }

    /// Puts out a packet at `time_ms` from the start of the file; the start of the file first, if
    /// that was not put out yet.
    ///
    /// An `onMetaData` is put out unless it is the file's first and comes before all media (it is
    /// in the first tag then) or says nothing new: FFmpeg takes one between the frames for a track
    /// of subtitles, and `GStreamer` 1.22 repeats its own every second with another `creationdate`.
    ///
    /// An empty body is a tag as well, for every message is in the file: FFmpeg, mpv and VLC pass
    /// over it in silence. `GStreamer` 1.22 stops at an empty video tag, but not at an empty audio
    /// tag, which is the one that publishers send (silence).
    ///
    /// # Errors
    /// [`Error`]; the packet is not in the file, everything else goes on.
    pub fn push(&mut self, packet: &Packet, time_ms: u64, out: &mut Chunks) -> Result<(), Error> {
        self.start(&Header::default(), out);
        let time_ms = u32::try_from(time_ms).map_err(|_| Error::TimeTooLarge { time_ms })?;
        if self.merges(packet) {
            self.counters.metadata_merged += 1;
            return Ok(());
        }
        self.write(packet, time_ms, out)
    }

    /// Learns from a packet what the first tag is to say, and puts out nothing: for files that are
    /// written in another way, and for a packet of which only the first bytes are here. Returns
    /// whether it would be in the first tag alone.
    pub fn observe(&mut self, packet: &Packet, body_bytes: u32, time_ms: u32) -> bool {
        if self.merges(packet) {
            return true;
        }
        self.facts.push(packet, body_bytes, time_ms);
        false
    }

    /// What the first tag says of the media, as [`Muxer::observe`] has learned it: nothing that is of
    /// a file.
    pub fn description(&self) -> Vec<(String, Value)> {
        let own = self.own();
        let publisher = self.told(&own);
        let own = own.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let all = own.chain(publisher.into_iter().cloned());
        all.filter(|(name, _)| !is_of_files(name)).collect()
    }

    /// Takes over an `onMetaData`. Returns whether it is in the first tag alone.
    fn merges(&mut self, packet: &Packet) -> bool {
        if packet.kind != Kind::Data || packet.role != Role::Metadata {
            return false;
        }
        let is_repeated = self.metadata.as_ref() == Some(&packet.body);
        let is_first = self.metadata.is_none() && !self.has_media();
        is_repeated
            || match self.merge(packet) {
                Merged::Unreadable => false,
                Merged::Known => true,
                Merged::News => is_first,
            }
    }

    /// Sets the values of [`Options::extra`] anew, for the patches to come.
    pub fn set_extra(&mut self, extra: Vec<(String, Value)>) {
        self.extra = extra;
    }

    /// What to overwrite so that the file is right as far as it was put out: the same while the
    /// file grows and at its end. Nothing before the start.
    pub fn patches(&self) -> Vec<Patch> {
        if self.position == 0 {
            return Vec::new();
        }
        vec![Patch { offset: size(FILE_HEADER.len()), bytes: self.region().bytes }]
    }

    /// What to overwrite, as the last thing that happens to the file, so that it says that it is
    /// complete: one byte. All [`Muxer::patches`] say that it is not.
    pub fn complete_patch(&self) -> Patch {
        let at = FILE_HEADER.len() + self.region().complete_at;
        Patch { offset: size(at), bytes: vec![1] }
    }

    /// Bytes put out so far, which is the size of the file.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The file's duration so far in ms: the end of its last frame.
    pub fn duration_ms(&self) -> u64 {
        self.facts.duration_ms()
    }

    /// What was written and what was not.
    pub fn counters(&self) -> Counters {
        let properties_cut = self.counters.properties_cut + self.region().cut;
        Counters { properties_cut, ..self.counters }
    }

    /// Takes over the values of an `onMetaData` that is in the first tag alone.
    pub(super) fn take_over(&mut self, body: bytes::Bytes, properties: Vec<(String, Value)>) {
        self.metadata = Some(body);
        self.merge_properties(properties);
        self.counters.metadata_merged += 1;
    }

    /// Takes over the values of an `onMetaData` that is a tag of its own kind.
    pub(super) fn take_values(&mut self, properties: Vec<(String, Value)>) {
        self.merge_properties(properties);
    }

    /// Whether there is enough for an index.
    pub(super) fn has_index(&self) -> bool {
        self.index.is_enough()
    }

    fn has_media(&self) -> bool {
        self.facts.has(Kind::Video) || self.facts.has(Kind::Audio)
    }

    fn write(&mut self, packet: &Packet, time_ms: u32, out: &mut Chunks) -> Result<(), Error> {
        let size_bytes = packet.body.len();
        let Some(body_size) = u32::try_from(size_bytes).ok().filter(|_| size_bytes <= BODY_MAX)
        else {
            return Err(Error::TooLong { size_bytes });
        };
        self.note(packet, body_size, time_ms);
        tag::put(packet, body_size, time_ms, out);
        Ok(())
    }

    /// Takes a tag into account that is, or is about to be, at the end of the file.
    fn note(&mut self, packet: &Packet, body_size: u32, time_ms: u32) {
        self.facts.push(packet, body_size, time_ms);
        self.index.push(packet, time_ms, self.position);
        self.position += OVERHEAD + u64::from(body_size);
        match packet.kind {
            Kind::Audio => self.counters.audio += 1,
            Kind::Video => self.counters.video += 1,
            Kind::Data | Kind::DataAmf3 => self.counters.data += 1,
        }
    }

    /// Takes over the values of an `onMetaData`.
    fn merge(&mut self, packet: &Packet) -> Merged {
        self.metadata = Some(packet.body.clone());
        let Some(properties) = meta::properties(&packet.body, METADATA_LIMITS) else {
            return Merged::Unreadable;
        };
        self.merge_properties(properties)
    }

    fn merge_properties(&mut self, properties: Vec<(String, Value)>) -> Merged {
        let mut merged = Merged::Known;
        for (name, value) in properties.into_iter().filter(|(name, _)| !is_of_files(name)) {
            if !meta::is_name(&name) {
                self.counters.properties_cut += 1;
                continue;
            }
            let is_known = |(known, old): &(String, Value)| *known == name && *old == value;
            if name != CREATION_DATE && !self.publisher.iter().any(is_known) {
                merged = Merged::News;
            }
            if let Some(i) = self.publisher.iter().position(|(known, _)| *known == name) {
                self.publisher_bytes -= encoded_bytes(&self.publisher.remove(i));
            }
            let property = (name, value);
            let bytes = self.publisher_bytes + encoded_bytes(&property);
            if self.publisher.len() < PROPERTIES_MAX && bytes <= self.reserve_bytes {
                self.publisher.push(property);
                self.publisher_bytes = bytes;
            } else {
                self.counters.properties_cut += 1;
            }
        }
        merged
    }

    fn region(&self) -> Region {
        let own = self.own();
        let is_in = |list: &[(String, Value)], name: &str| list.iter().any(|(n, _)| n == name);
        let is_fixed = |name: &str| name == COMPLETE || is_in(&self.identity, name);
        let extra = self.extra.iter().filter(|(name, _)| !is_fixed(name)).collect::<Vec<_>>();
        let content = Content {
            identity: &self.identity,
            own: &own,
            extra: &extra,
            publisher: &self.told(&own),
            index: &self.index,
        };
        region::compose(self.reserve_bytes, &content)
    }

    /// The muxer's own values.
    fn own(&self) -> Vec<(&'static str, Value)> {
        #[expect(clippy::cast_precision_loss, reason = "AMF0 has no other number")]
        let number = |n: u64| Value::Number(n as f64);
        #[expect(clippy::cast_precision_loss, reason = "ms, exact for 285,000 years")]
        let duration_s = self.duration_ms() as f64 / 1000.0;
        let mut own =
            vec![("duration", Value::Number(duration_s)), ("filesize", number(self.position))];
        own.extend(self.facts.truths());
        let is_given = |name: &str| {
            let given = self.publisher.iter().find(|(known, _)| known == name);
            given.is_some_and(|(_, value)| value.as_f64().is_some_and(|n| n.is_finite() && n > 0.0))
        };
        own.extend(self.facts.measures().into_iter().filter(|(name, _)| !is_given(name)));
        own.push((OWN_END, Value::Boolean(true)));
        own.retain(|(name, _)| !self.is_given(name));
        own
    }

    /// The publisher's values, but for those that are said already, or cannot be true.
    fn told(&self, own: &[(&'static str, Value)]) -> Vec<&(String, Value)> {
        let is_left_out = |name: &str| {
            self.is_given(name)
                || own.iter().any(|(known, _)| *known == name)
                || self.has_media() && self.is_of_absent_media(name)
        };
        self.publisher.iter().filter(|(name, _)| !is_left_out(name)).collect()
    }

    /// Whether a value is the caller's.
    fn is_given(&self, name: &str) -> bool {
        let mut given = self.identity.iter().chain(&self.extra);
        name == COMPLETE || given.any(|(known, _)| known == name)
    }

    fn is_of_absent_media(&self, name: &str) -> bool {
        !self.facts.has(Kind::Video) && VIDEO_ONLY.contains(&name)
            || !self.facts.has(Kind::Audio) && AUDIO_ONLY.contains(&name)
    }
}

/// The body of an `onMetaData` of a fixed size, with these properties, an index and room: as in the
/// first tag of a file. Also tells where the value of [`COMPLETE`] stands in it, and how
/// many properties did not fit.
pub(crate) fn script(
    size_bytes: usize,
    identity: &[(String, Value)],
    own: &[(&'static str, Value)],
    extra: &[(String, Value)],
    index: &Index,
) -> (Vec<u8>, usize, usize) {
    const END: usize = 4;
    let size_bytes = size_bytes + TagHeader::SIZE + END;
    let size_bytes = size_bytes.clamp(*region::SIZES.start(), *region::SIZES.end());
    let is_in = |list: &[(String, Value)], name: &str| list.iter().any(|(n, _)| n == name);
    let is_fixed = |name: &str| name == COMPLETE || is_in(identity, name);
    let mut own = own.to_vec();
    own.retain(|(name, _)| !is_fixed(name) && !is_in(extra, name));
    let extra: Vec<_> = extra.iter().filter(|(name, _)| !is_fixed(name)).collect();
    let content = Content { identity, own: &own, extra: &extra, publisher: &[], index };
    let Region { mut bytes, cut, complete_at } = region::compose(size_bytes, &content);
    bytes.truncate(size_bytes - END);
    bytes.drain(..TagHeader::SIZE);
    (bytes, complete_at - TagHeader::SIZE, cut)
}

/// What an `onMetaData` told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merged {
    /// It cannot be decoded.
    Unreadable,
    /// Nothing that was not known, but for its [`CREATION_DATE`].
    Known,
    /// A value that is new or another.
    News,
}

/// The last of the muxer's own properties; what follows it is the caller's and the publisher's.
const OWN_END: &str = "hasMetadata";

/// When the publisher made its metadata.
const CREATION_DATE: &str = "creationdate";

/// Whether a property is about a file, which the publisher's stream is not: it says nothing, or
/// something of another file.
pub(crate) fn is_of_files(name: &str) -> bool {
    OF_FILES.contains(&name) || name.trim_end_matches('_') == region::PADDING
}

const OF_FILES: [&str; 15] = [
    COMPLETE,
    OWN_END,
    "duration",
    "filesize",
    "lasttimestamp",
    "lastkeyframetimestamp",
    "lastkeyframelocation",
    "hasKeyframes",
    "canSeekToEnd",
    "keyframes",
    TRACK_PLACES,
    "datasize",
    "videosize",
    "audiosize",
    "cuePoints",
];

/// Properties that make readers expect video.
pub(super) const VIDEO_ONLY: [&str; 6] =
    ["videocodecid", "width", "height", "framerate", "videodatarate", "videoTrackIdInfoMap"];

/// Properties that make readers expect audio.
pub(super) const AUDIO_ONLY: [&str; 6] = [
    "audiocodecid",
    "audiosamplerate",
    "audiosamplesize",
    "audiodatarate",
    "stereo",
    "audioTrackIdInfoMap",
];

/// What a property takes in AMF0.
fn encoded_bytes((name, value): &(String, Value)) -> usize {
    let mut bytes = Vec::new();
    amf0::encode(value, &mut bytes);
    2 + name.len() + bytes.len()
}

/// A length in memory as a length in a file.
fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
