//! A range as segments of HLS: which ones there are, and what is in each.
//!
//! A segment is a stretch of bytes of one file, from one key frame to another, and is told by them:
//! `file, from, to`. So it is the same bytes whenever and by whichever server it is made, whatever
//! playlist names it, and to make one nothing has to be known of the others. Its times are those of
//! the recording clock, which goes on from file to file; so do the segments.
//!
//! The list is made of the files' own indices: none of their tags is walked. Where a file is not
//! finished, each place is looked at before it is believed, and the newest are left out: what follows
//! a segment tells how long its last frames are.

use std::sync::Arc;

use media::flv::scan::Bodies;

use super::head::Head;
use super::index::Entry;
use super::locate::{APART_MS, CHANGES_MS};
use super::source::{Part, millis};
use super::tags::{Found as Next, Tags};
use super::trace::is_key;
use super::{Cause, Error, Found, Range, Source};
use crate::recorder::CUTS;
use crate::{Cut, GapReason};

pub(super) mod fragments;
mod renditions;

pub use fragments::{Fragments, Place};
use renditions::Looks;
pub use renditions::{OfTrack, Rendition, Renditions};

/// Segments of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hls {
    /// Segments, in their order.
    pub segments: Vec<HlsSegment>,
    /// Whether there may be more: the last file is not finished.
    pub is_growing: bool,
    /// What was seen of the tracks of the files.
    looks: Vec<Looks>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HlsSegment {
    /// Its file: its place in [`Source::segments`].
    pub segment: usize,
    /// What of the file is in it.
    pub place: Place,
    /// Its length, in ms.
    pub duration_ms: u64,
    /// When it begins, by the clock on the wall, in ms since 1970.
    pub unix_ms: i64,
    /// Whether it does not go on where the one before it ended.
    pub is_discontinuous: bool,
}

/// What leads to packets that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadIn {
    /// Segments, of which there may be none.
    pub hls: Hls,
    /// Whether the packets go on where the last segment ends.
    pub goes_on: bool,
}

impl LeadIn {
    pub(super) fn new(
        source: &Source,
        range: Range,
        end: &Found,
        target_ms: u64,
    ) -> Result<Self, Error> {
        match Hls::list(source, range, target_ms, Some(end)) {
            (_, Some(cause @ Cause::Unreadable(_)), _) => Err(Error::Lost { cause }),
            (hls, _, goes_on) => Ok(Self { hls, goes_on }),
        }
    }
}

/// How much shorter (ms) than asked a segment may be, so that jitter makes none twice as long.
const JITTER_MS: i64 = 100;
/// What lacks less (ms) goes on.
const GAP_MS: u64 = 1_000;
/// What is so much (ms) newer than the end of a segment tells how long its last frames are.
const AHEAD_MS: i64 = 2_000;

impl Hls {
    /// Lists the segments of a range, each the shortest from `target_ms` on that key frames allow.
    pub(super) fn new(source: &Source, range: Range, target_ms: u64) -> Result<Self, Error> {
        let (list, lost, _) = Self::list(source, range, target_ms, None);
        match lost.filter(|_| list.segments.is_empty()) {
            Some(cause) => Err(Error::Lost { cause }),
            None if list.segments.is_empty() => Err(Error::Nothing),
            None => Ok(list),
        }
    }

    /// What there is, why some of it is not, and whether the end goes on where the last segment ends.
    fn list(
        source: &Source,
        range: Range,
        target_ms: u64,
        end: Option<&Found>,
    ) -> (Self, Option<Cause>, bool) {
        let mut list = Self { segments: Vec::new(), is_growing: false, looks: Vec::new() };
        let mut before: Option<File<'_>> = None;
        let (mut lost, mut goes_on_at_end) = (None, false);
        let first = source.parts.partition_point(|part| part.end_unix_ms <= range.from_unix_ms);
        for (number, part) in source.parts.iter().enumerate().skip(first) {
            let is_behind = end.is_some_and(|end| number > end.segment);
            if is_behind || part.begin_unix_ms >= range.to_unix_ms {
                break;
            }
            let is_last = number + 1 == source.parts.len();
            let mut file = match File::open(source, part) {
                Ok(file) => file,
                Err(cause) => {
                    lost.get_or_insert(cause);
                    list.look_at_end(before.take());
                    goes_on_at_end = false;
                    continue;
                }
            };
            let end = end.filter(|end| end.segment == number);
            let (places, is_open) = match end {
                Some(end) => (file.places_before(range, end), false),
                None => file.places(range, is_last),
            };
            list.is_growing = is_open;
            let goes_on = before.as_ref().is_some_and(|before| file.follows(before.part));
            let begun = list.segments.len();
            let gap = file.segments(number, (&places, is_open), target_ms, &mut list.segments);
            goes_on_at_end = if list.segments.len() == begun { goes_on } else { !gap };
            if let Some(first) = list.segments.get_mut(begun) {
                first.is_discontinuous = !goes_on;
                list.look_at_end(before.take().filter(|_| !goes_on));
                let segments = list.segments.get(begun..).unwrap_or_default();
                list.looks.extend(Looks::begin(&mut file, segments));
                before = Some(file);
            }
        }
        list.look_at_end(before);
        (list, lost, goes_on_at_end)
    }

    /// What is at the end of the newest file does not go on in the next.
    fn look_at_end(&mut self, file: Option<File<'_>>) {
        let Some((looks, mut file)) = self.looks.last_mut().zip(file) else { return };
        if let Some(last) = self.segments.iter().rfind(|last| last.segment == looks.file) {
            looks.end(&mut file, last);
        }
    }

    /// No segment is longer, rounded to whole seconds: of a list that grows, as long as the key
    /// frames do not become fewer.
    pub fn target_s(&self) -> u64 {
        let longest_ms = self.segments.iter().map(|segment| segment.duration_ms).max();
        (longest_ms.unwrap_or(0).saturating_add(500) / 1_000).max(1)
    }
}

/// A file of the list.
struct File<'a> {
    part: &'a Part,
    head: Arc<Head>,
    tags: Tags,
}

/// A place at which a segment may begin, or where the last one ends.
#[derive(Debug, Clone, Copy)]
struct Mark {
    time_ms: i64,
    position: u64,
}

impl<'a> File<'a> {
    fn open(source: &Source, part: &'a Part) -> Result<Self, Cause> {
        let (head, file) = Head::open(&*source.disk, &part.segment)?;
        let tags = Tags::new(file, &head, head.size_bytes, Bodies::Skip);
        let tags = tags.map_err(|error| Cause::of(&error))?;
        Ok(Self { part, head: Arc::new(head), tags })
    }

    /// Whether its times go on from the file before.
    fn follows(&self, before: &Part) -> bool {
        let about = &self.head.about;
        let is_same = matches!(
            about.cut,
            Cut::Duration | Cut::Size | Cut::Mark | Cut::Schedule | Cut::Format | Cut::Request
        );
        self.part.follows(before) && is_same && about.gap_before.is_none()
    }

    /// The places of a range in it; the last one is where the last segment ends. And whether there
    /// may be more of them later.
    fn places(&mut self, range: Range, is_last: bool) -> (Vec<Mark>, bool) {
        let (part, head) = (self.part, self.head.clone());
        let mark = |entry: &Entry| Mark { time_ms: entry.time_ms, position: entry.position };
        let mut places: Vec<_> =
            head.index.between(head.data_start, head.size_bytes).iter().map(mark).collect();
        let end_ms = match head.length_ms {
            Some(length_ms) => millis(length_ms),
            None => self.end_ms(places.last().copied()),
        };
        if head.length_ms.is_none() {
            places.retain(|place| self.is_there(*place));
        }
        // What stands before the first key frame belongs to it.
        match places.first_mut() {
            Some(first) => first.position = head.data_start,
            None => places.push(Mark { time_ms: 0, position: head.data_start }),
        }
        places.dedup_by_key(|place| place.time_ms);
        self.begin(range, &mut places);
        let to_ms = match part.end_unix_ms <= range.to_unix_ms {
            // All that it has, also what is at the end of its window because that ends early.
            true => part.cut_ms().unwrap_or(i64::MAX),
            false => range.to_unix_ms.saturating_sub(part.start_unix_ms),
        };
        let last = places.partition_point(|place| place.time_ms < to_ms);
        let is_open = head.length_ms.is_none() && is_last && last == places.len();
        if last < places.len() {
            places.truncate(last + 1);
        } else if is_open {
            let is_settled = |place: &Mark| place.time_ms.saturating_add(AHEAD_MS) <= end_ms;
            places.retain(is_settled);
        } else {
            places.push(Mark { time_ms: end_ms, position: head.size_bytes });
        }
        (places, is_open)
    }

    /// The places of a range in it that are before packets that were found, and theirs: also those that are too new for
    /// the index.
    fn places_before(&mut self, range: Range, end: &Found) -> Vec<Mark> {
        let head = self.head.clone();
        let mark = |entry: &Entry| Mark { time_ms: entry.time_ms, position: entry.position };
        let mut places: Vec<_> =
            head.index.between(head.data_start, end.position).iter().map(mark).collect();
        if head.length_ms.is_none() {
            places.retain(|place| self.is_there(*place));
        }
        let mut has_media = !places.is_empty();
        let last = places.last().map_or(head.data_start, |last| last.position);
        let mut is_read = self.tags.seek(last, Bodies::Skip).is_ok();
        while is_read && let Ok(Next::Tag(tag)) = self.tags.next() {
            is_read = tag.offset < end.position;
            has_media |= is_read && tag.packet.is_media();
            if is_read && is_key(&tag.packet) {
                places.push(Mark { time_ms: tag.time_ms, position: tag.offset });
            }
        }
        // What stands before the first key frame belongs to it.
        match places.first_mut() {
            Some(first) => first.position = head.data_start,
            None if has_media => places.push(Mark { time_ms: 0, position: head.data_start }),
            None => {}
        }
        places.retain(|place| place.time_ms < end.file_ms);
        places.dedup_by_key(|place| place.time_ms);
        self.begin(range, &mut places);
        places.push(Mark { time_ms: end.file_ms, position: end.position });
        places
    }

    /// Leaves out the places that are before a range.
    fn begin(&self, range: Range, places: &mut Vec<Mark>) {
        let part = self.part;
        let window = part.begin_unix_ms.max(range.from_unix_ms);
        let from_ms = window.saturating_sub(part.start_unix_ms);
        if part.begin_unix_ms > part.start_unix_ms {
            // Another recording has what comes before.
            let begin_ms = part.begin_unix_ms.saturating_sub(part.start_unix_ms);
            places.retain(|place| place.time_ms >= begin_ms);
        }
        let first = places.partition_point(|place| place.time_ms <= from_ms).saturating_sub(1);
        places.drain(..first);
    }

    /// When the newest packet is, of a file that does not say it; `last` is the last place known.
    fn end_ms(&mut self, last: Option<Mark>) -> i64 {
        let last = last.unwrap_or(Mark { time_ms: 0, position: self.head.data_start });
        let mut end_ms = last.time_ms;
        if self.tags.seek(last.position, Bodies::Skip).is_ok() {
            while let Ok(Next::Tag(tag)) = self.tags.next() {
                end_ms = end_ms.max(tag.time_ms);
            }
        }
        end_ms
    }

    /// Whether a tag is there, of its time: the index may have been read while it was overwritten.
    fn is_there(&mut self, place: Mark) -> bool {
        let found = self.tags.seek(place.position, Bodies::Skip).and_then(|()| self.tags.next());
        matches!(found, Ok(Next::Tag(tag)) if tag.offset == place.position
            && (tag.time_ms - place.time_ms).abs() <= APART_MS)
    }

    /// Whether its configuration may be another at a place than at its start: the recorder may have
    /// been out of cuts, of which each began a file, and the first was no cut.
    fn may_change(&self, place: Mark) -> bool {
        let about = &self.head.about;
        let is_young = about.cut == Cut::Configuration && place.time_ms <= CHANGES_MS;
        is_young && about.segment as usize > CUTS
            || self.head.gaps.iter().any(|gap| gap.reason == GapReason::SlowDisk)
    }

    /// Makes segments of places. Where there may be more places, the last segment has to be long
    /// enough, or it would go on. Returns whether there is a gap behind the last one.
    fn segments(
        &self,
        number: usize,
        (places, is_open): (&[Mark], bool),
        target_ms: u64,
        out: &mut Vec<HlsSegment>,
    ) -> bool {
        let target_ms = millis(target_ms).saturating_sub(JITTER_MS);
        let (mut rest, mut is_discontinuous) = (places, false);
        while let [first, after @ ..] = rest {
            let gap_ms = self.gap_after(first.time_ms);
            let changes = self.may_change(*first);
            let is_due = |place: &Mark| {
                let is_over = gap_ms.is_some_and(|gap_ms| place.time_ms > gap_ms);
                changes || is_over || place.time_ms.saturating_sub(first.time_ms) >= target_ms
            };
            let last = after.len().checked_sub(1).filter(|_| !is_open);
            let next = after.iter().position(is_due).or(last);
            let Some((next, end)) = next.and_then(|next| Some((next, after.get(next)?))) else {
                return is_discontinuous;
            };
            let gap_ms = gap_ms.filter(|gap_ms| *gap_ms < end.time_ms);
            let length_ms = gap_ms.unwrap_or(end.time_ms).saturating_sub(first.time_ms);
            let settled = if changes { first.position } else { self.head.data_start };
            out.push(HlsSegment {
                segment: number,
                place: Place { settled, from: first.position, to: end.position },
                duration_ms: u64::try_from(length_ms).unwrap_or(0).max(1),
                unix_ms: self.part.start_unix_ms.saturating_add(first.time_ms),
                is_discontinuous,
            });
            is_discontinuous = gap_ms.is_some();
            rest = after.get(next..).unwrap_or_default();
        }
        is_discontinuous
    }

    /// Where the next gap after a time begins, on the file's clock.
    fn gap_after(&self, time_ms: i64) -> Option<i64> {
        let gaps = self.head.gaps.iter().filter(|gap| gap.length_ms >= GAP_MS);
        gaps.map(|gap| millis(gap.at_ms)).find(|at_ms| *at_ms > time_ms)
    }
}
