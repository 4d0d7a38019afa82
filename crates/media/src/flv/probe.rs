//! What a file is: its tracks, times, rates and faults, gathered from scanned items.
//!
//! Data only; how it is shown is the shell's business.

use std::collections::BTreeMap;

use super::{
    Malformed, Multitrack, audio, meta, mux,
    scan::{Fault, FileHeader, Item, Tag},
    video,
};
use crate::{
    Kind, Role,
    amf0::{Limits, Value},
    first_video_track,
};

mod index;
mod track;

use index::Declared;
pub use index::IndexCheck;
pub use track::{Codec, Commands, Enhanced, Track};
use track::{Modifiers, Piece};

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
    /// Tags of script data in an AMF3 container; those that are `onMetaData` count there too.
    pub amf3_tags: u64,
    /// Whether the first `onMetaData`'s index says the truth.
    pub index: IndexCheck,
    /// Audio and video messages whose head cannot be read, wholly or in part, and script data in AMF3
    /// that cannot be. They are no fault of
    /// the file: it has what was sent.
    pub malformed: u64,
    /// The first of them: where its tag begins, and what is wrong.
    pub first_malformed: Option<(u64, Malformed)>,
    /// The first [`Report::FAULTS_MAX`] faults.
    pub faults: Vec<Fault>,
    /// All faults.
    pub fault_count: u64,
}

/// Decoding limits of `onMetaData`: an index of 100,000 key frames.
const METADATA_LIMITS: Limits = Limits { depth: 32, values: 300_000, string_bytes: 1 << 20 };

impl Report {
    /// The most faults that are kept one by one.
    pub const FAULTS_MAX: usize = 1_000;

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.fault_count == 0 && !matches!(self.index, IndexCheck::Wrong { .. })
    }

    /// Whether the file ends inside a tag or part, as one does that is being written.
    pub fn is_truncated(&self) -> bool {
        self.faults.iter().any(|fault| fault.kind.is_torn_end())
    }
}

/// Gathers a [`Report`].
#[derive(Debug, Default)]
pub struct Probe {
    report: Report,
    /// Time of the newest tag that is no event: those may be ahead of the frames.
    newest_ms: u32,
    /// At most one for each kind and id.
    tracks: BTreeMap<(Kind, u8), Track>,
    declared: Option<Declared>,
    /// The first video track, and whether it has key frames: where it has none an index is of audio.
    first: Option<u8>,
    has_keys: bool,
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
        if packet.role != Role::Event {
            self.newest_ms = self.newest_ms.max(time_ms);
        }
        if let Some(declared) = &mut self.declared {
            declared.check(tag);
        }
        match packet.kind {
            Kind::Data if packet.role == Role::Metadata => {
                return self.push_metadata(|| meta::properties(&packet.body, METADATA_LIMITS));
            }
            Kind::Data => return,
            Kind::DataAmf3 => return self.push_amf3(tag),
            Kind::Video | Kind::Audio => {}
        }
        let first = first_video_track(&mut self.first, packet);
        self.has_keys |= packet.role == Role::Key && first.is_none_or(|id| packet.has_track(id));
        self.push_media(tag);
    }

    /// Gives each track of a message its part; the first one all, if no part can be read.
    fn push_media(&mut self, tag: &Tag) {
        let (packet, size_bytes) = (&tag.packet, u64::from(tag.header.size));
        let mut piece = Piece::new(packet, size_bytes);
        let mut is_read = false;
        let mut is_malformed = None;
        match packet.kind {
            Kind::Video => {
                piece.modifiers = Modifiers::of(video::modifiers(&packet.body));
                for part in video::read(&packet.body) {
                    match part {
                        Ok(part) => {
                            piece.size_bytes = part_size(part.multitrack, part.data, size_bytes);
                            self.track(Kind::Video, part.track).push_video(&piece, &part);
                            is_read = true;
                        }
                        Err(malformed) => is_malformed = is_malformed.or(Some(malformed)),
                    }
                }
            }
            _ => {
                piece.modifiers = Modifiers::of(audio::modifiers(&packet.body));
                for part in audio::read(&packet.body) {
                    match part {
                        Ok(part) => {
                            piece.size_bytes = part_size(part.multitrack, part.data, size_bytes);
                            self.track(Kind::Audio, part.track).push_audio(&piece, &part);
                            is_read = true;
                        }
                        Err(malformed) => is_malformed = is_malformed.or(Some(malformed)),
                    }
                }
            }
        }
        if !is_read {
            piece.size_bytes = size_bytes;
            self.track(packet.kind, packet.track).push(&piece);
        }
        if let Some(malformed) = is_malformed {
            self.push_malformed(tag, malformed);
        }
    }

    fn push_malformed(&mut self, tag: &Tag, malformed: Malformed) {
        // Of a body that was passed over the end is missing here, not in the file.
        if tag.is_whole {
            self.report.malformed += 1;
            self.report.first_malformed.get_or_insert((tag.offset, malformed));
        }
    }

    fn push_amf3(&mut self, tag: &Tag) {
        self.report.amf3_tags += 1;
        match meta::values_of_amf3(&tag.packet.body, METADATA_LIMITS) {
            Ok(values) => {
                if let Some(properties) = meta::properties_of(values) {
                    self.push_metadata(|| Some(properties));
                }
            }
            Err(malformed) => self.push_malformed(tag, malformed),
        }
    }

    fn track(&mut self, kind: Kind, id: u8) -> &mut Track {
        self.tracks.entry((kind, id)).or_insert_with(|| Track::new(kind, id))
    }

    /// Takes the first, for which it is read.
    fn push_metadata(&mut self, read: impl FnOnce() -> Option<Vec<(String, Value)>>) {
        self.report.metadata_count += 1;
        if self.report.metadata_count > 1 {
            return;
        }
        let Some(mut properties) = read() else { return };
        let keyframes = properties.iter().find(|(name, _)| name == "keyframes");
        self.declared = keyframes.and_then(|(_, value)| Declared::new(value));
        properties.retain(|(name, value)| {
            let is_padding = name.starts_with("padding") && matches!(value, Value::StrictArray(_));
            name != "keyframes" && name != mux::TRACK_PLACES && !is_padding
        });
        self.report.metadata = properties;
    }

    /// The report on all that was pushed.
    pub fn finish(self) -> Report {
        let tracks: Vec<_> = self.tracks.into_values().collect();
        let ends = tracks.iter().filter(|track| track.frames > 0);
        let end_ms = ends.map(|track| u64::from(track.first_ms) + track.duration_ms()).max();
        Report {
            duration_ms: end_ms.unwrap_or(0).max(u64::from(self.newest_ms)),
            index: self
                .declared
                .map_or(IndexCheck::None, |declared| declared.finish(self.has_keys)),
            tracks,
            ..self.report
        }
    }
}

/// Bytes that a track has of a message: all of them, unless it shares the message.
fn part_size(multitrack: Option<Multitrack>, data: &[u8], size_bytes: u64) -> u64 {
    match multitrack {
        None | Some(Multitrack::OneTrack) => size_bytes,
        Some(_) => u64::try_from(data.len()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests;
