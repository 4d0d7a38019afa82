//! The newest segments of a live stream: which are in the playlist, which can still be asked for.
//!
//! A segment leaves the playlist when those behind it are [`LISTED_TARGETS`] target durations long, and is kept as long
//! again: a player may have read the playlist just before (RFC 8216bis 6.2.2). Bytes are bounded; what is beyond goes
//! early. Parts are numbered through all segments, so that the next one has a name before it is known which segment it
//! is of.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::log::Log;
use super::playlist::{self, Media, Multivariant, Parts, Variant};
use super::{Begin, Init, Logged, Piece, Trace};
use crate::{Kind, mp4};

/// Length of the playlist, in target durations; three is the least.
const LISTED_TARGETS: u64 = 6;
/// Parts are told of segments that are at most so many target durations from the end (RFC 8216bis 4.4.4.9).
pub(super) const PARTS_TARGETS: u64 = 3;
/// Peaks that have not come yet: the bandwidth that is told is this much more than the highest so far.
const PEAK_PERCENT: u64 = 120;

/// A part in the window.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its number among all parts.
    pub number: u64,
    /// Its times.
    pub info: mp4::Part,
    /// Its bytes.
    pub bytes: Vec<Bytes>,
    /// Samples and bytes of all parts before it.
    pub begin: (u64, u64),
}

/// A segment in the window.
#[derive(Debug)]
pub struct Segment {
    /// Its number among all segments.
    pub number: u64,
    /// The number of its initialization.
    pub init: u64,
    /// What began with it.
    pub begin: Begin,
    /// The run of the stream that it is of.
    pub run: u64,
    /// Its parts so far.
    pub parts: Vec<Part>,
    /// Whether all of them are there.
    pub is_complete: bool,
    /// How long there was nothing, of a segment without parts.
    gap_ms: Option<u64>,
    /// What it was made of, once it is whole.
    pub trace: Option<Trace>,
    /// Discontinuities before it.
    pub(super) discontinuities: u64,
}

impl Segment {
    /// Its length so far.
    pub fn duration_ms(&self) -> u64 {
        self.gap_ms.unwrap_or_else(|| self.parts.iter().map(|part| part.info.duration_ms()).sum())
    }

    /// Whether it has nothing to be asked for.
    pub(super) fn is_gap(&self) -> bool {
        self.gap_ms.is_some()
    }

    /// Its size so far.
    pub fn size_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.info.size_bytes).sum()
    }
}

/// What a track takes in a second.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// The most bits that a segment is thought to have.
    pub peak: u64,
    /// Bits of all that is known.
    pub average: u64,
    /// How many there are of it.
    pub samples_per_s: f64,
}

impl Rates {
    /// The rates of what has these bits in a second where it has most, and all in all.
    pub fn new(peak: u64, average: u64, samples_per_s: f64) -> Self {
        let peak = (peak.saturating_mul(PEAK_PERCENT) / 100).max(1);
        Self { peak, average: average.max(1), samples_per_s }
    }
}

/// The window.
#[derive(Debug)]
pub struct Window {
    pub(super) segments: VecDeque<Segment>,
    /// Those that have left it.
    pub(super) log: Log,
    /// The first segment of the playlist.
    pub(super) listed: u64,
    next_segment: u64,
    pub(super) next_part: u64,
    next_init: u64,
    discontinuities: u64,
    run: u64,
    pub(super) is_ended: bool,
    pub(super) target_s: Option<u64>,
    pub(super) part_target_ms: u64,
    bytes: u64,
    bytes_max: u64,
    /// Samples and bytes of all parts.
    end: (u64, u64),
}

impl Window {
    /// Nothing yet, and never more than so many bytes, but for the newest segment.
    pub fn new(bytes_max: u64) -> Self {
        Self {
            segments: VecDeque::new(),
            log: Log::default(),
            listed: 0,
            next_segment: 0,
            next_part: 0,
            next_init: 0,
            discontinuities: 0,
            run: 0,
            is_ended: false,
            target_s: None,
            part_target_ms: 0,
            bytes: 0,
            bytes_max,
            end: (0, 0),
        }
    }

    /// One that begins with a segment of this number, behind so many discontinuities. Others bound its bytes.
    pub(super) fn beside((number, discontinuities): (u64, u64)) -> Self {
        let (next_segment, listed) = (number, number);
        Self { next_segment, listed, discontinuities, ..Self::new(u64::MAX) }
    }

    /// The segmenter's promises.
    pub fn set_targets(&mut self, target_s: Option<u64>, part_target_ms: u64) {
        self.target_s = self.target_s.or(target_s);
        self.part_target_ms = part_target_ms;
    }

    /// The next part.
    pub fn push(&mut self, piece: Piece) {
        let is_gap = piece.is_gap();
        let Piece { part, bytes, begins, is_last, trace } = piece;
        if let Some(begin) = begins {
            self.begin(begin);
        }
        let Some(segment) = self.segments.back_mut().filter(|segment| !segment.is_complete) else {
            return;
        };
        if is_gap {
            // It takes no number of a part: that which was hinted at comes yet.
            (segment.gap_ms, segment.is_complete) = (Some(part.duration_ms()), true);
            return self.trim();
        }
        self.bytes += part.size_bytes;
        segment.parts.push(Part { number: self.next_part, info: part, bytes, begin: self.end });
        self.end = (self.end.0 + part.samples as u64, self.end.1 + part.size_bytes);
        segment.is_complete = is_last;
        segment.trace = trace;
        self.next_part += 1;
        self.trim();
    }

    /// The run is over; another one may come.
    pub fn end_run(&mut self) {
        self.run += 1;
        if let Some(segment) = self.segments.back_mut() {
            segment.is_complete = true;
        }
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.end_run();
        self.is_ended = true;
    }

    /// Whether nothing more comes.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The run of the stream that comes next, or is on.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Bytes that it holds.
    pub fn size_bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of what it remembers of segments that it does not hold any more.
    pub fn log_bytes(&self) -> u64 {
        self.log.size_bytes()
    }

    /// Parts so far.
    pub fn parts(&self) -> u64 {
        self.next_part
    }

    /// Whether there is a playlist: players that know no parts need a whole segment.
    pub fn is_ready(&self) -> bool {
        let is_whole = self.segments.front().is_some_and(|segment| segment.is_complete);
        is_whole && self.target_s.is_some()
    }

    /// Whether segment `number`, or part `part` of it, is there, or was, or a later one is (RFC 8216bis 6.2.5.2).
    pub fn has(&self, number: u64, part: Option<u64>) -> bool {
        let Some(newest) = self.segments.back() else { return false };
        let parts = newest.parts.len() as u64;
        let is_there = match part {
            None => newest.is_complete,
            // The part after the last one of a segment is the first of the next.
            Some(part) => part < parts || newest.is_gap(),
        };
        self.is_ended || number < newest.number || number == newest.number && is_there
    }

    /// The number of the segment that is being made, or comes next.
    pub fn open_segment(&self) -> u64 {
        let newest = self.segments.back().filter(|segment| !segment.is_complete);
        newest.map_or(self.next_segment, |newest| newest.number)
    }

    /// The first segment of the playlist.
    pub fn listed(&self) -> u64 {
        self.listed
    }

    /// A whole segment.
    pub fn segment(&self, number: u64) -> Option<&Segment> {
        self.at(number).filter(|segment| segment.is_complete && !segment.is_gap())
    }

    /// The newest segment, which may be unfinished.
    pub(super) fn newest(&self) -> Option<&Segment> {
        self.segments.back()
    }

    /// A part.
    pub fn part(&self, number: u64) -> Option<&Part> {
        self.all_parts().map(|(_, part)| part).find(|part| part.number == number)
    }

    /// A segment that was whole and has left memory.
    pub fn logged(&self, number: u64) -> Option<&Logged> {
        self.log.at(number)
    }

    /// Those from a number on, oldest first.
    pub fn logged_since(&self, number: u64) -> impl Iterator<Item = &Logged> {
        self.log.since(number)
    }

    /// An initialization, of a segment that is there or was.
    pub fn init(&self, number: u64) -> Option<&Arc<Init>> {
        let of = |segment: &&Segment| segment.init == number;
        let live = self.segments.iter().find(of).map(|segment| &segment.begin.init);
        live.or_else(|| self.log.init(number))
    }

    /// All parts with their segments, oldest first.
    pub fn all_parts(&self) -> impl DoubleEndedIterator<Item = (&Segment, &Part)> {
        self.segments
            .iter()
            .flat_map(|segment| segment.parts.iter().map(move |part| (segment, part)))
    }

    /// The playlist of segments, by names of [`init_name`], [`segment_name`] and [`part_name`].
    pub fn playlist(&self) -> Option<Media> {
        let target_s = self.target_s.filter(|_| self.is_ready())?;
        let listed = || self.segments.iter().filter(|segment| segment.number >= self.listed);
        let mut behind_ms: u64 = listed().map(Segment::duration_ms).sum();
        let mut init = None;
        let segments = listed().map(|segment| {
            let has_parts = !self.is_ended && behind_ms <= PARTS_TARGETS * target_s * 1_000;
            behind_ms = behind_ms.saturating_sub(segment.duration_ms());
            let is_new = init.replace(segment.init) != Some(segment.init);
            playlist::Segment {
                uri: segment.is_complete.then(|| segment_name(segment.number)),
                duration_ms: segment.duration_ms(),
                is_discontinuous: segment.begin.is_discontinuous,
                map: is_new.then(|| init_name(segment.init)),
                unix_ms: Some(segment.begin.unix_ms),
                is_gap: segment.is_gap(),
                parts: if has_parts {
                    segment.parts.iter().map(listed_part).collect()
                } else {
                    vec![]
                },
            }
        });
        let segments: Vec<_> = segments.collect();
        let first = self.at(self.listed);
        let parts = (!self.is_ended).then_some(Parts { target_ms: self.part_target_ms });
        Some(Media {
            target_s,
            parts,
            media_sequence: self.listed,
            discontinuity_sequence: first.map_or(0, |segment| segment.discontinuities),
            segments,
            preload_hint: parts.map(|_| part_name(self.next_part)),
            is_ended: self.is_ended,
            ..Media::default()
        })
    }

    /// The playlist of the one variant that there is, whose segments are listed at `uri`.
    pub fn multivariant(&self, uri: String) -> Option<Multivariant> {
        let newest = self.segments.back().filter(|_| self.is_ready())?;
        let rates = self.rates()?;
        let movie = &newest.begin.init.movie;
        let video = movie.tracks().iter().find(|track| track.kind == Kind::Video);
        let variant = Variant {
            uri,
            bandwidth: rates.peak,
            average_bandwidth: Some(rates.average),
            codecs: movie.codecs(),
            resolution: video.filter(|v| v.width > 0).map(|video| (video.width, video.height)),
            frame_rate: video.and_then(|video| video.frame_rate),
            audio: None,
        };
        Some(Multivariant { variants: vec![variant], audio: Vec::new() })
    }

    /// What its whole segments show; none where there is no such segment.
    pub(super) fn rates(&self) -> Option<Rates> {
        let whole =
            || self.segments.iter().filter(|segment| segment.is_complete && !segment.is_gap());
        let rate = |bytes: u64, ms: u64| bytes.saturating_mul(8_000) / ms.max(1);
        let peak =
            whole().map(|segment| rate(segment.size_bytes(), segment.duration_ms())).max()?;
        let parts = || whole().flat_map(|segment| &segment.parts).map(|part| &part.info);
        let bytes = parts().map(|part| part.size_bytes).sum();
        let ms = parts().map(mp4::Part::duration_ms).sum::<u64>();
        let samples = parts().map(|part| part.samples).sum::<usize>();
        let samples_per_s = samples as f64 * 1_000.0 / ms.max(1) as f64;
        Some(Rates::new(peak, rate(bytes, ms), samples_per_s))
    }

    pub(super) fn at(&self, number: u64) -> Option<&Segment> {
        let first = self.segments.front()?.number;
        self.segments.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    fn begin(&mut self, begin: Begin) {
        if let Some(before) = self.segments.back_mut() {
            before.is_complete = true;
        }
        let before = self.segments.back();
        let is_same = before.is_some_and(|before| Arc::ptr_eq(&before.begin.init, &begin.init));
        if !is_same {
            self.bytes += begin.init.bytes.len() as u64;
            self.next_init += 1;
        }
        let discontinuities = self.discontinuities;
        self.discontinuities += u64::from(begin.is_discontinuous);
        self.segments.push_back(Segment {
            number: self.next_segment,
            init: self.next_init.saturating_sub(1),
            begin,
            run: self.run,
            parts: Vec::new(),
            is_complete: false,
            gap_ms: None,
            trace: None,
            discontinuities,
        });
        self.next_segment += 1;
    }

    /// Moves the playlist on, and lets go of what nobody asks for any more.
    fn trim(&mut self) {
        let listed_ms = LISTED_TARGETS * 1_000 * self.target_s.unwrap_or(u64::from(u16::MAX));
        let (mut behind_ms, mut listed) = (0, self.next_segment);
        let mut kept = listed;
        for segment in self.segments.iter().rev() {
            if behind_ms < listed_ms {
                listed = segment.number;
            }
            if behind_ms < 2 * listed_ms {
                kept = segment.number;
            }
            behind_ms += if segment.is_complete { segment.duration_ms() } else { 0 };
        }
        self.listed = self.listed.max(listed);
        while self.segments.len() > 1 && self.is_beyond(kept) {
            self.drop_oldest();
        }
    }

    /// Lets the oldest segment go, for others need its room. The newest whole one stays, or there would be no playlist.
    pub(super) fn shed(&mut self) -> bool {
        let is_shed = self.segments.len() > 2;
        if is_shed {
            self.drop_oldest();
        }
        is_shed
    }

    fn drop_oldest(&mut self) {
        let Some(gone) = self.segments.pop_front() else { return };
        self.log.push(&gone);
        self.bytes = self.bytes.saturating_sub(gone.size_bytes());
        if self.segments.front().is_some_and(|first| first.init != gone.init) {
            let bytes = gone.begin.init.bytes.len() as u64;
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        self.listed = self.listed.max(gone.number + 1);
    }

    fn is_beyond(&self, kept: u64) -> bool {
        let is_old = self.segments.front().is_some_and(|first| first.number < kept);
        // The newest whole segment stays, or there would be no playlist.
        is_old || self.bytes > self.bytes_max && self.segments.len() > 2
    }
}

pub(super) fn listed_part(part: &Part) -> playlist::Part {
    playlist::Part {
        uri: part_name(part.number),
        duration_ms: part.info.duration_ms(),
        is_independent: part.info.is_independent,
        is_gap: false,
    }
}

/// The name of an initialization.
pub fn init_name(number: u64) -> String {
    format!("init-{number}.mp4")
}

/// The name of a segment.
pub fn segment_name(number: u64) -> String {
    format!("segment-{number}.m4s")
}

/// The name of a part.
pub fn part_name(number: u64) -> String {
    format!("part-{number}.m4s")
}

#[cfg(test)]
mod tests;
