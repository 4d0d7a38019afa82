//! What a stream can be rewound into: the segments of the archive that lead to a live one, of each track that has a list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use archive::catalog::State as FileState;
use archive::range::{self, Found, HlsSegment, OfTrack, Place, Rendition, Source};
use archive::{RecordingId, catalog};
use media::hls::{Before, Init, Logged, Map, Options, TrackName};

use super::super::muxer::State;
use super::Track;
use super::lost::Fates;

/// Segments of the archive in a list.
const ENTRIES: usize = 50_000;

/// What a stream can be rewound into.
pub(super) struct Rewind {
    /// The track whose numbers these are.
    pub(super) lead: Track,
    anchor: u64,
    pub(super) goes_on: bool,
    pub(super) target_s: u64,
    /// How much later the live clock on the wall is than that of the recording.
    pub(super) drift_ms: i64,
    pub(super) kept: u64,
    /// When what the anchor is found in was recorded, in ms since 1970.
    found_unix_ms: i64,
    pub(super) fates: Fates,
    pasts: BTreeMap<Track, Past>,
    /// That of all other tracks, which came later.
    others: Past,
}

/// What is before the live segments of a track, and what is known of these.
pub(super) struct Past {
    pub(super) anchor: u64,
    pub(super) discontinuities: u64,
    /// Whether it is recorded.
    is_there: bool,
    /// The first live segment that was listed when this was found.
    listed: u64,
    pub(super) files: Arc<[Recorded]>,
    pub(super) before: Vec<Before>,
    pub(super) lost: BTreeSet<u64>,
}

/// Of a segment before the first live one: where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    pub(super) recording: RecordingId,
    pub(super) number: u32,
    pub(super) place: Place,
    /// Whether a track ends at the very end of it.
    pub(super) ends_there: bool,
    pub(super) shift_ms: i64,
    pub(super) init: u64,
}

/// A live segment that was looked for.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    pub(super) live: &'a Logged,
    pub(super) init: &'a Init,
    pub(super) found: Option<Found>,
}

/// That of the leading track, which was found.
pub(super) type OfLead<'a> = (Track, Sought<'a>, Found);
/// That of another track.
pub(super) type Beside<'a> = (TrackName, Sought<'a>);

impl Past {
    fn of(live: &Logged, is_there: bool) -> Self {
        Self {
            anchor: live.number,
            discontinuities: live.discontinuities + u64::from(live.is_discontinuous),
            is_there,
            listed: 0,
            files: Arc::new([]),
            before: Vec::new(),
            lost: BTreeSet::new(),
        }
    }

    /// The segment so far before the first live one.
    pub(super) fn file(&self, back: usize) -> Option<Recorded> {
        let at = self.files.len().checked_sub(back)?;
        let is_gap = self.before.get(at).is_none_or(|before| before.is_gap);
        self.files.get(at).copied().filter(|_| !is_gap)
    }
}

impl Rewind {
    /// Lists what was recorded before a live segment of a track, and before those beside it.
    pub(super) fn new(
        source: &Source,
        (lead, sought, found): OfLead<'_>,
        others: &[Beside<'_>],
        from_ms: i64,
    ) -> Result<Self, range::Error> {
        let live = sought.live;
        let lead_in = source.lead_in(&found, from_ms, Options::default().segment_ms)?;
        let drift_ms = live.unix_ms.saturating_sub(found.unix_ms);
        let begin_ms = live.trace.map_or(0, |trace| trace.begin_ms);
        let begin_ms = i64::try_from(begin_ms).unwrap_or(i64::MAX);
        let frame = framed(source, &lead_in.hls.segments, &found, begin_ms, drift_ms);
        let renditions = lead.map(|_| source.renditions(&lead_in.hls)).transpose()?;
        let mut pasts = BTreeMap::new();
        let of_lead = (lead, Sought { found: Some(found), ..sought });
        let all = others.iter().map(|(name, sought)| (Some(*name), *sought));
        for (track, sought) in std::iter::once(of_lead).chain(all) {
            let named = renditions.as_ref().zip(track);
            let rendition = named.and_then(|(all, track)| all.find(track).ok());
            let mut list = List { source, track, rendition, inits: Inits::default() };
            let is_there = sought.live.trace.is_none() || sought.found.is_some();
            let past = Past::of(sought.live, is_there);
            let past = if is_there { list.past(past, &frame, &found, &sought)? } else { past };
            pasts.insert(track, past);
        }
        Ok(Self {
            lead,
            anchor: live.number,
            goes_on: lead_in.goes_on || frame.is_empty(),
            target_s: lead_in.hls.target_s(),
            drift_ms,
            kept: 0,
            found_unix_ms: found.unix_ms,
            fates: Fates::since(live.number),
            pasts,
            others: Past::of(live, true),
        })
    }

    /// That of a track.
    pub(super) fn past(&self, track: Track) -> &Past {
        self.pasts.get(&track).unwrap_or(&self.others)
    }

    /// It was found when this was live.
    pub(super) fn note_listed(&mut self, state: &State) {
        for (track, past) in &mut self.pasts {
            past.listed = state.window(*track).map_or(0, |window| window.listed());
        }
    }

    /// A live segment of a track is nowhere.
    pub(super) fn lose(&mut self, track: Track, number: u64) {
        self.pasts.get_mut(&track).map(|past| past.lost.insert(number));
    }

    /// What was live while the leading track had these segments is nowhere.
    pub(super) fn lose_all(&mut self, numbers: &[u64]) {
        for past in self.pasts.values_mut().chain([&mut self.others]) {
            let of_it = |number: &u64| (number + past.anchor).checked_sub(self.anchor);
            past.lost.extend(numbers.iter().filter_map(of_it));
        }
    }

    /// The number before which nothing of a track is there any more.
    pub(super) fn kept_of(&self, past: &Past) -> u64 {
        match past.is_there {
            true => (self.kept + past.anchor).saturating_sub(self.anchor),
            false => u64::MAX,
        }
    }

    /// The first live segment that a list stays with which has nothing else: one that was shown when this was found.
    pub(super) fn kept_of_live(&self, past: &Past, first: u64) -> u64 {
        match past.is_there {
            true => self.kept_of(past).saturating_sub(first).max(past.anchor).max(past.listed),
            false => u64::MAX,
        }
    }

    /// The number of the first segment that is still there, of those files.
    pub(super) fn kept(
        &self,
        first: u64,
        state: &State,
        files: &[catalog::Segment],
    ) -> Option<u64> {
        let past = self.past(self.lead);
        let there: BTreeSet<_> = files.iter().map(|file| (file.recording, file.number)).collect();
        let is_gone = |file: &Recorded| !there.contains(&(file.recording, file.number));
        let oldest = first + self.anchor - past.before.len() as u64;
        let gone = past.files.iter().rposition(is_gone).map_or(0, |last| last + 1);
        if gone < past.files.len() {
            return Some(oldest + gone as u64);
        }
        let recorded = files.iter().filter(|file| !file.is_clip && self.may_have_live(file));
        let begins_ms = recorded.map(|file| file.start_unix_ms).min().unwrap_or(i64::MAX);
        let is_older = |live: &Logged| live.unix_ms.saturating_sub(self.drift_ms) < begins_ms;
        let after = state.window(self.lead)?.anchors().take_while(is_older).last();
        Some(first + after.map_or(self.anchor, |last| last.number + 1))
    }

    /// Whether what is live may be in a file.
    fn may_have_live(&self, file: &catalog::Segment) -> bool {
        file.state == FileState::Open || file.end_unix_ms >= self.found_unix_ms
    }
}

/// A segment of the archive as it is in lists, of whatever track.
struct Framed<'a> {
    segment: HlsSegment,
    file: &'a range::Segment,
    shift_ms: i64,
}

/// Puts what leads to what was found on the clocks of what is live.
fn framed<'a>(
    source: &'a Source,
    segments: &[HlsSegment],
    found: &Found,
    begin_ms: i64,
    drift_ms: i64,
) -> Vec<Framed<'a>> {
    let known: Vec<_> = source.segments().collect();
    let recording = known.get(found.segment).map(|file| file.recording);
    let shift_ms = begin_ms.saturating_sub(found.recording_ms);
    let mut frame: Vec<Framed<'_>> = Vec::new();
    let newest = segments.len().saturating_sub(ENTRIES);
    for segment in segments.iter().skip(newest) {
        let Some(file) = known.get(segment.segment) else { continue };
        let is_same = Some(file.recording) == recording;
        let age_ms = found.unix_ms.saturating_sub(segment.unix_ms);
        if is_same && age_ms > begin_ms {
            // It would be before time 0.
            frame.clear();
            continue;
        }
        let (shift_ms, drift_ms) = if is_same { (shift_ms, drift_ms) } else { (0, 0) };
        let segment = HlsSegment {
            unix_ms: segment.unix_ms.saturating_add(drift_ms),
            is_discontinuous: segment.is_discontinuous && !frame.is_empty(),
            ..segment.clone()
        };
        frame.push(Framed { segment, file, shift_ms });
    }
    frame
}

/// The list of a track.
struct List<'a> {
    source: &'a Source,
    track: Track,
    rendition: Option<&'a Rendition>,
    inits: Inits,
}

impl List<'_> {
    fn past(
        &mut self,
        past: Past,
        frame: &[Framed<'_>],
        lead: &Found,
        sought: &Sought<'_>,
    ) -> Result<Past, range::Error> {
        let (mut files, mut before) = (Vec::new(), Vec::new());
        for (at, Framed { segment, file, shift_ms }) in frame.iter().enumerate() {
            let of = match self.track {
                Some(_) => self.rendition.and_then(|rendition| rendition.of(segment)),
                None => Some(OfTrack { place: segment.place, is_gap: false }),
            };
            let (mut place, is_gap) = of.map_or((segment.place, true), |of| (of.place, of.is_gap));
            // What is live begins there, which may be a little before or after that of the leading track.
            let leads = at + 1 == frame.len()
                && (segment.segment, place.to) == (lead.segment, lead.position);
            let end = sought.found.filter(|found| leads && found.segment == lead.segment);
            place.to = end.map_or(place.to, |found| found.position);
            let init = match is_gap {
                true => self.inits.count.saturating_sub(1),
                false => self.inits.of(segment, place.settled),
            };
            files.push(Recorded {
                recording: file.recording,
                number: file.number,
                place,
                ends_there: end.is_some(),
                shift_ms: *shift_ms,
                init,
            });
            before.push(Before {
                duration_ms: segment.duration_ms,
                unix_ms: segment.unix_ms,
                is_discontinuous: segment.is_discontinuous,
                is_gap,
                map: Map::Before(init),
            });
        }
        // Where the last of them are as the live ones, so is what is named.
        if let (Some(last), true) = (self.inits.last, self.inits.count > 0)
            && self.init(last)? == sought.init.bytes
        {
            let last = Map::Before(self.inits.count - 1);
            let same = before.iter_mut().filter(|before| before.map == last);
            same.for_each(|before| before.map = Map::Live(sought.live.init));
        }
        Ok(Past { files: files.into(), before, ..past })
    }

    fn init(&self, (segment, settled): (usize, u64)) -> Result<bytes::Bytes, range::Error> {
        match self.track {
            Some(track) => self.source.hls_init_of(segment, settled, track),
            None => self.source.hls_init(segment, settled),
        }
    }
}

/// The initializations of a list, numbered.
#[derive(Default)]
struct Inits {
    count: u64,
    /// The file and the place of the newest, and of the segment before.
    last: Option<(usize, u64)>,
    before: Option<(usize, u64)>,
    /// Whether the newest is that of the start of a file.
    is_of_start: bool,
}

impl Inits {
    /// The number of the initialization of the next segment, which is settled at a place.
    fn of(&mut self, segment: &HlsSegment, settled: u64) -> u64 {
        let this = (segment.segment, settled);
        let begins_file = self.before.is_none_or(|(file, _)| file != this.0);
        // What goes on in another file has the configuration of the file before.
        let is_new = match begins_file {
            true => self.before.is_none() || segment.is_discontinuous || !self.is_of_start,
            false => self.before != Some(this),
        };
        self.before = Some(this);
        if is_new {
            let is_of_start = begins_file && settled == segment.place.settled;
            (self.last, self.is_of_start) = (Some(this), is_of_start);
            self.count += 1;
        }
        self.count - 1
    }
}
