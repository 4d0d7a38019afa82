//! A playlist that reaches back: what was recorded before the first live segment, the live ones that have left memory,
//! and those of the window, in one list.
//!
//! Numbers are those of the live segments, moved up by a constant; what is before goes backwards from there. So no
//! number depends on how far back a request reaches, and none changes its meaning. Where the list begins only moves on:
//! with the end of the stream, and with what is deleted.

use std::collections::BTreeSet;
use std::iter;

use super::playlist::{self, Media, Parts};
use super::window::{PARTS_TARGETS, init_name, listed_part, part_name};
use super::{Logged, Segment, Window};

/// The number of discontinuities that is told at the first live segment: there is room below.
const DISCONTINUITIES: u64 = 1 << 20;
/// What is further from the end than so many target durations may be left out for players that know it; six is the
/// least (RFC 8216bis 4.4.3.8).
const SKIP_TARGETS: u64 = 6;

/// How far back a playlist goes, and into what.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    /// Segments of the archive, oldest first.
    pub before: &'a [Before],
    /// The live segment that they lead to.
    pub anchor: u64,
    /// Whether that goes on where they end; where there are none as well.
    pub goes_on: bool,
    /// Discontinuities of the live segments up to that one.
    pub discontinuities: u64,
    /// The number here of live segment 0.
    pub first: u64,
    /// The number here before which nothing is to be had any more.
    pub kept: u64,
    /// Live segments that are known not to be in the archive.
    pub lost: &'a BTreeSet<u64>,
    /// How long ago one of them came to be known, in ms.
    pub lost_ago_ms: Option<u64>,
    /// No segment is longer, rounded to whole seconds.
    pub target_s: u64,
    /// The list has as many segments as make so many ms.
    pub length_ms: u64,
    /// Whether what the player knows already is left out.
    pub skips: bool,
}

/// A segment of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Its length.
    pub duration_ms: u64,
    /// When it began by the clock on the wall, in ms since 1970.
    pub unix_ms: i64,
    /// Whether it does not go on where the one before it ended.
    pub is_discontinuous: bool,
    /// Whether there is nothing in it.
    pub is_gap: bool,
    /// Its initialization.
    pub map: Map,
}

/// Whose an initialization is, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// A live segment's.
    Live(u64),
    /// The archive's.
    Before(u64),
}

impl Map {
    fn name(self) -> String {
        match self {
            Self::Live(number) => init_name(number),
            Self::Before(number) => rewind_init_name(number),
        }
    }
}

impl<'r> Reach<'r> {
    /// Nothing but what is listed anyway, by its own numbers.
    pub fn of_live(lost: &'r BTreeSet<u64>) -> Self {
        Self {
            before: &[],
            anchor: 0,
            goes_on: true,
            discontinuities: 0,
            first: 0,
            kept: u64::MAX,
            lost,
            lost_ago_ms: None,
            target_s: 0,
            length_ms: 0,
            skips: false,
        }
    }

    /// The number of the first segment of the archive.
    pub fn oldest(&self) -> u64 {
        self.first + self.anchor - self.before.len() as u64
    }

    fn lead_in(self) -> impl DoubleEndedIterator<Item = Item<'r>> {
        let oldest = self.oldest();
        self.before.iter().enumerate().map(move |(at, before)| Item {
            number: oldest + at as u64,
            duration_ms: before.duration_ms,
            unix_ms: before.unix_ms,
            is_discontinuous: before.is_discontinuous,
            is_gap: before.is_gap,
            map: before.map,
            is_whole: true,
            live: None,
        })
    }

    /// What stands in the list for a live segment; nothing does for those before the anchor.
    fn item<'a>(&self, entry: &Logged, live: Option<&'a Segment>) -> Option<Item<'a>> {
        let is_discontinuous = match entry.number == self.anchor {
            true => !self.goes_on,
            false => entry.is_discontinuous,
        };
        (entry.number >= self.anchor).then(|| Item {
            number: self.first + entry.number,
            duration_ms: entry.duration_ms,
            unix_ms: entry.unix_ms,
            is_discontinuous,
            is_gap: entry.is_gap,
            map: Map::Live(entry.init),
            is_whole: live.is_none_or(|live| live.is_complete),
            live,
        })
    }
}

/// A segment of the list.
struct Item<'a> {
    number: u64,
    duration_ms: u64,
    unix_ms: i64,
    is_discontinuous: bool,
    /// Whether there is nothing in it.
    is_gap: bool,
    map: Map,
    is_whole: bool,
    /// Its parts, while it is in memory.
    live: Option<&'a Segment>,
}

impl Item<'_> {
    /// Whether it is not to be had.
    fn is_gap(&self, reach: &Reach<'_>) -> bool {
        let live = self.number.checked_sub(reach.first).filter(|live| *live >= reach.anchor);
        let is_lost = self.live.is_none() && live.is_some_and(|live| reach.lost.contains(&live));
        self.is_gap || is_lost
    }
}

impl Window {
    /// The playlist that reaches back, by names of [`rewind_name`] and [`rewind_init_name`], and those of the window.
    pub fn rewind(&self, reach: &Reach<'_>) -> Option<Media> {
        let own_s = self.target_s.filter(|_| self.is_ready())?;
        let target_s = own_s.max(reach.target_s);
        let (from, mut behind_ms) = self.begin_of(reach);
        let parts = (!self.is_ended).then_some(Parts { target_ms: self.part_target_ms });
        let skip_ms = SKIP_TARGETS * target_s * 1_000;
        // Who asks for an update has a list that is half as old as what is left out of it at most (RFC 8216bis 6.3.7), and
        // is to learn of gaps.
        let skips = reach.skips && reach.lost_ago_ms.is_none_or(|ago_ms| ago_ms > skip_ms / 2);
        let (mut map, mut goes_on_ms, mut skipped) = (None, None, 0);
        let mut segments = Vec::new();
        for item in self.items(reach).filter(|item| item.number >= from) {
            let has_parts = parts.is_some() && behind_ms <= PARTS_TARGETS * own_s * 1_000;
            behind_ms = behind_ms.saturating_sub(item.duration_ms);
            let is_new = map.replace(item.map) != Some(item.map);
            let is_dated = goes_on_ms != Some(item.unix_ms) || item.is_discontinuous;
            goes_on_ms = Some(item.unix_ms.saturating_add_unsigned(item.duration_ms));
            if skips && parts.is_some() && behind_ms >= skip_ms {
                skipped += 1;
                continue;
            }
            let told = item.live.filter(|_| has_parts).map(|live| live.parts.as_slice());
            let is_gap = item.is_gap(reach);
            segments.push(playlist::Segment {
                uri: item.is_whole.then(|| rewind_name(item.number)),
                duration_ms: item.duration_ms,
                is_discontinuous: item.is_discontinuous,
                map: is_new.then(|| item.map.name()),
                unix_ms: is_dated.then_some(item.unix_ms),
                is_gap,
                parts: told.unwrap_or_default().iter().map(listed_part).collect(),
            });
        }
        Some(Media {
            target_s,
            parts,
            can_skip_ms: parts.map(|_| skip_ms),
            skipped,
            media_sequence: from,
            discontinuity_sequence: self.discontinuities_before(from, reach),
            segments,
            preload_hint: parts.map(|_| part_name(self.next_part)),
            is_ended: self.is_ended,
            ..Media::default()
        })
    }

    /// The first segment of the list, which is no gap, and how long the list is.
    fn begin_of(&self, reach: &Reach<'_>) -> (u64, u64) {
        let shown = reach.first + self.listed.max(reach.anchor);
        let (mut from, mut whole_ms, mut all_ms, mut gap_ms) = (shown, 0, 0, 0);
        for item in self.items(reach).rev() {
            let is_older = item.number < shown;
            if is_older && (whole_ms >= reach.length_ms || item.number < reach.kept) {
                break;
            }
            whole_ms += if item.is_whole { item.duration_ms } else { 0 };
            gap_ms += item.duration_ms;
            if !is_older || !item.is_gap(reach) {
                from = from.min(item.number);
                all_ms += std::mem::take(&mut gap_ms);
            }
        }
        (from, all_ms)
    }

    /// All that there is, oldest first.
    fn items<'a>(&'a self, reach: &Reach<'a>) -> impl DoubleEndedIterator<Item = Item<'a>> {
        let reach = *reach;
        let logged = self.log.iter().filter_map(move |entry| reach.item(entry, None));
        let live = self.segments.iter();
        let live = live.filter_map(move |live| reach.item(&Logged::from(live), Some(live)));
        reach.lead_in().chain(logged).chain(live)
    }

    /// How many discontinuities are told before a segment of the list. A number only has to keep its meaning, so that of
    /// the first live segment is a constant.
    fn discontinuities_before(&self, number: u64, reach: &Reach<'_>) -> u64 {
        let anchor = reach.first + reach.anchor;
        if let Some(back) = anchor.checked_sub(number) {
            let back = usize::try_from(back).unwrap_or(usize::MAX);
            let before = reach.before.iter().rev().take(back);
            let count = before.filter(|before| before.is_discontinuous).count();
            return DISCONTINUITIES - count as u64;
        }
        let live = number - reach.first;
        let of_log = self.log.at(live).map(|entry| entry.discontinuities);
        let known = of_log.or_else(|| self.at(live).map(|segment| segment.discontinuities));
        let since = known.map_or(0, |known| known.saturating_sub(reach.discontinuities));
        let at_anchor = u64::from(!reach.goes_on);
        DISCONTINUITIES + at_anchor + since
    }

    /// The live segment that a playlist that reaches back can begin at: whole ones, oldest first.
    pub fn anchors(&self) -> impl Iterator<Item = Logged> {
        let live = self.segments.iter().filter(|segment| segment.is_complete).map(Logged::from);
        iter::chain(self.log.iter().copied(), live)
    }
}

/// The name of a segment in a playlist that reaches back.
pub fn rewind_name(number: u64) -> String {
    format!("rewind-{number}.m4s")
}

/// The name of an initialization of the archive.
pub fn rewind_init_name(number: u64) -> String {
    format!("rewind-init-{number}.mp4")
}

#[cfg(test)]
mod tests;
