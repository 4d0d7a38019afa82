//! Where in a segment a range begins: its key frame, and what a decoder must know there.

use std::io;

use media::flv::scan::Bodies;
use media::{Header, Kind, Role};

use super::Cut;
use super::head::Head;
use super::select::LEAD_MS;
use super::tags::{Found, Tag, Tags};
use crate::GapReason;

/// The beginning of a range in a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// The tag to read from.
    pub(super) position: u64,
    /// The tag of the key frame that an exact range begins with.
    pub(super) key: Option<u64>,
    /// Metadata and configurations as of there.
    pub(super) header: Header,
}

/// So long (ms) after the start of a recording its configurations come.
pub(super) const OPENING_MS: i64 = 2_000;
/// An entry of an index at a configuration has the time of the key frame that follows it: at most so
/// much (ms) later.
pub(super) const APART_MS: i64 = 1_000;
/// So long (ms) changes of the configuration may go on in one file: then it is cut.
pub(super) const CHANGES_MS: i64 = 61_000;

/// Finds the last place to start at or before `from_ms` on the file's clock, by the index, and by
/// walking tags where that is thinned or not up to date. `None` when the file ends before that.
///
/// # Errors
/// Those of the disk.
pub(super) fn locate(
    tags: &mut Tags,
    head: &Head,
    from_ms: i64,
    cut: Cut,
) -> io::Result<Option<Start>> {
    let new = || Search { from_ms, cut, has_video: head.has_video, ..Search::default() };
    let lead_ms = if cut == Cut::Exact { LEAD_MS } else { 0 };
    let entry = head.index.last_at(from_ms.saturating_sub(lead_ms));
    let entry = entry.filter(|entry| entry.position > head.data_start);
    let mut search = new();
    if let Some(entry) = entry {
        search.opening(tags, head, entry.position)?;
        tags.seek(entry.position, Bodies::Skip)?;
        if search.walk(tags, Some(entry.time_ms))? {
            let is_reached = search.is_reached;
            if let Some(start) = search.start(entry.position) {
                return Ok(Some(start).filter(|_| is_reached));
            }
        }
    }
    // There is no such place, or the index does not say the truth.
    let mut search = new();
    tags.seek(head.data_start, Bodies::Skip)?;
    search.walk(tags, None)?;
    let is_reached = search.is_reached;
    let whole = Start { position: head.data_start, ..Start::default() };
    Ok(Some(search.start(head.data_start).unwrap_or(whole)).filter(|_| is_reached))
}

/// Configurations as of a place, which may be any: those at the start of the file, before it.
///
/// # Errors
/// Those of the disk.
pub(super) fn header_before(tags: &mut Tags, head: &Head, position: u64) -> io::Result<Header> {
    let mut search = Search::default();
    search.opening(tags, head, position)?;
    Ok(search.header)
}

#[derive(Debug, Default)]
struct Search {
    from_ms: i64,
    cut: Cut,
    has_video: bool,
    /// Whether there is anything at `from_ms` or after it.
    is_reached: bool,
    header: Header,
    /// The last key frame, and the last audio, with the header as of there.
    key: Option<(u64, Header)>,
    audio: Option<(u64, Header)>,
}

impl Search {
    /// Learns the configurations at the start of the file, before `end`.
    fn opening(&mut self, tags: &mut Tags, head: &Head, end: u64) -> io::Result<()> {
        // A gap is followed by what changed in it, wherever that is.
        let is_scattered = head.gaps.iter().any(|gap| gap.reason == GapReason::SlowDisk);
        let until_ms = match head.about.cut {
            _ if is_scattered => i64::MAX,
            crate::Cut::Configuration => CHANGES_MS,
            _ => OPENING_MS,
        };
        tags.seek(head.data_start, Bodies::Skip)?;
        while let Found::Tag(tag) = tags.next()? {
            if tag.offset >= end || tag.time_ms > until_ms {
                break;
            }
            self.header.push(&tag.packet);
        }
        Ok(())
    }

    /// Goes on to the last place. Returns false when there is no tag of about the time that was
    /// `expected`.
    fn walk(&mut self, tags: &mut Tags, mut expected: Option<i64>) -> io::Result<bool> {
        loop {
            let tag = match tags.next()? {
                Found::Tag(tag) => tag,
                Found::Damage if expected.is_none() => continue,
                Found::Damage => return Ok(false),
                Found::End => return Ok(expected.is_none()),
            };
            let time_ms = tag.time_ms;
            if expected.take().is_some_and(|expected| (expected - time_ms).abs() > APART_MS) {
                return Ok(false);
            }
            if self.see(&tag, time_ms) {
                return Ok(true);
            }
        }
    }

    /// Takes a tag into account. Returns whether no later one can be the place.
    fn see(&mut self, tag: &Tag, time_ms: i64) -> bool {
        let packet = &tag.packet;
        if !packet.is_media() {
            self.header.push(packet);
            return false;
        }
        let is_after = time_ms > self.from_ms;
        self.is_reached |= time_ms >= self.from_ms;
        self.has_video |= packet.kind == Kind::Video;
        match packet.kind {
            Kind::Video if is_after => return true,
            Kind::Video if packet.role == Role::Key => {
                self.key = Some((tag.offset, self.header.clone()));
            }
            Kind::Audio if is_after && !self.has_video => return true,
            Kind::Audio if !is_after && self.key.is_none() => {
                self.audio = Some((tag.offset, self.header.clone()));
            }
            _ => {}
        }
        time_ms.saturating_sub(LEAD_MS) > self.from_ms
    }

    /// What was found, when reading began at `walked`.
    fn start(self, walked: u64) -> Option<Start> {
        let key = self.key.as_ref().map(|(key, _)| *key);
        let audio = self.audio.filter(|_| !self.has_video);
        let (place, header) = self.key.or(audio)?;
        // Audio of the range may stand before its key frame.
        let position = if self.cut == Cut::Exact { walked } else { place };
        Some(Start { position, key, header })
    }
}
