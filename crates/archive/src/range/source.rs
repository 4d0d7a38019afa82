//! Segments, put in order on the wall clock.
//!
//! Each file tells when it was begun. Segments that follow each other without a gap go by the
//! recording's own clock instead, which is exact, as long as the two agree within a second: so
//! the time of a packet depends on the segments alone, not on the range that is asked for. Where they
//! differ by more (encoders' clocks drift, by seconds a day) the wall wins; unless it is far behind,
//! as after a file that was published faster than it plays.
//!
//! Each segment has a *window*, a stretch of the wall clock that is its own. Windows do not overlap.
//! Where two recordings of one recorder do, by some seconds, the first had ended before the second began, and the
//! times of its last packets are ahead: its window ends where that of the second begins, and what is behind that is at
//! its last ms. Else the one that began first goes on to its end, and the other joins at its first key frame after that.
//! Clips are made of what others recorded: they fill in the first stretch that others leave of them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use media::hls::TrackName;
use media::mp4;

use super::head::Head;
use super::hls::fragments;
use super::{Error, Flv, Found, Fragments, Hls, LeadIn, Mp4, Place, Reader, Renditions, Segment};
use crate::{Disk, Format, Plan};

/// A stretch of time: from the first moment to before the last, in ms since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first moment.
    pub from_unix_ms: i64,
    /// The moment after the last.
    pub to_unix_ms: i64,
    /// What becomes of its ends.
    pub cut: Cut,
}

impl Range {
    /// All there is.
    pub const ALL: Self = Self { from_unix_ms: i64::MIN, to_unix_ms: i64::MAX, cut: Cut::KeyFrame };
}

/// Where a range begins and ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cut {
    /// At key frames: the last one at or before its first moment, and before the first one at or
    /// after its end. Without video at any packet of audio.
    #[default]
    KeyFrame,
    /// To the ms. The video from the key frame before its first moment on is there as well, for
    /// decoders ([`super::Timed::is_before`]).
    Exact,
}

/// Segments to read from.
#[derive(Clone)]
pub struct Source {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) parts: Arc<[Part]>,
}

/// A segment and what of the wall clock it has.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) segment: Segment,
    /// When its file's clock is at 0.
    pub(super) start_unix_ms: i64,
    /// Its window.
    pub(super) begin_unix_ms: i64,
    pub(super) end_unix_ms: i64,
    /// Whether others have what it has behind its window, from its first key frame there on.
    pub(super) is_cut: bool,
}

impl Part {
    /// Until when it is known to go on.
    fn so_far_unix_ms(&self) -> i64 {
        self.start_unix_ms.saturating_add(millis(self.segment.at_least_ms).max(1))
    }

    /// How long what it gives is, in ms, as far as is known.
    pub(super) fn length_ms(&self) -> i64 {
        let window_ms = self.end_unix_ms.saturating_sub(self.start_unix_ms);
        match self.segment.length_ms {
            Some(length_ms) if !self.is_cut => millis(length_ms).max(1),
            _ => window_ms,
        }
    }

    /// Where on its file's clock others go on with what it has, if they do.
    pub(super) fn cut_ms(&self) -> Option<i64> {
        self.is_cut.then(|| self.end_unix_ms.saturating_sub(self.start_unix_ms))
    }

    /// Whether it goes on with what another one has, if nothing was lost.
    pub(super) fn follows(&self, before: &Self) -> bool {
        let (this, before) = (&self.segment, &before.segment);
        this.recording == before.recording && this.number == before.number.saturating_add(1)
    }

    /// When a packet was recorded that is at `file_ms` of the file.
    pub(super) fn unix_ms(&self, file_ms: i64) -> i64 {
        self.start_unix_ms.saturating_add(file_ms).min(self.end_unix_ms.saturating_sub(1))
    }
}

impl Source {
    /// Puts segments in order, all of one stream. To have each packet at the same time whatever is
    /// asked for, give all segments of a recording, and those that are gone as well.
    pub fn new(disk: Arc<dyn Disk>, segments: impl IntoIterator<Item = Segment>) -> Self {
        Self { disk, parts: arrange(segments).into() }
    }

    /// The segments among `paths`, each a file, or a directory whose recordings are meant. Reads
    /// the first bytes of each. Returns what was left out, and why, as well.
    pub fn of_files(
        disk: Arc<dyn Disk>,
        paths: impl IntoIterator<Item = PathBuf>,
    ) -> (Self, Vec<(PathBuf, io::Error)>) {
        let (mut segments, mut left) = (Vec::new(), Vec::new());
        for path in paths {
            let files = match disk.entry(&path) {
                Ok(entry) if entry.is_dir => disk.list(&path).map(|entries| {
                    let is_media = |path: &Path| Format::of(path).is_some();
                    let files = entries.into_iter().filter(|e| !e.is_dir && is_media(&e.path));
                    files.map(|entry| entry.path).collect()
                }),
                Ok(_) => Ok(vec![path.clone()]),
                Err(error) => Err(error),
            };
            let files: Vec<PathBuf> = files.unwrap_or_else(|error| {
                left.push((path, error));
                Vec::new()
            });
            for file in files {
                match Segment::of_file(&*disk, &file) {
                    Ok(Some(segment)) => segments.push(segment),
                    Ok(None) => {
                        let text = "not a recording of this program";
                        left.push((file, io::Error::new(io::ErrorKind::InvalidData, text)));
                    }
                    Err(error) => left.push((file, error)),
                }
            }
        }
        (Self::new(disk, segments), left)
    }

    /// The segments in their order; those that others cover are not among them.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &Segment> {
        self.parts.iter().map(|part| &part.segment)
    }

    /// When the first segment begins.
    pub fn start_unix_ms(&self) -> Option<i64> {
        self.parts.first().map(|part| part.begin_unix_ms)
    }

    /// When the last segment ends; `None` while it grows, and where there is none.
    pub fn end_unix_ms(&self) -> Option<i64> {
        self.parts.last().map(|part| part.end_unix_ms).filter(|end| *end < i64::MAX)
    }

    /// What an exact clip is to show, if one is all there is: from when to before when. Reads the first bytes of its file.
    pub(crate) fn shown(&self) -> Option<(i64, i64)> {
        let [part] = &*self.parts else { return None };
        // Why a file cannot be read is told where its packets are.
        let (head, _) = Head::open(&*self.disk, &part.segment).ok()?;
        let shown = mp4::mux::shown(&head.properties)?;
        let [from, to] =
            [shown.start, shown.end].map(|ms| part.start_unix_ms.saturating_add(millis(ms)));
        Some((from, to))
    }

    /// A range, without what an exact clip does not show, if it is cut to the ms.
    pub(crate) fn visible(&self, range: Range) -> Range {
        match range.cut {
            Cut::KeyFrame => range,
            Cut::Exact => self.shown().map_or(range, |(from, to)| Range {
                from_unix_ms: range.from_unix_ms.max(from),
                to_unix_ms: range.to_unix_ms.min(to),
                ..range
            }),
        }
    }

    /// The packets of a range.
    pub fn read(&self, range: Range) -> Reader {
        Reader::new(self, range)
    }

    /// One file of a range. Looks at tags near its ends and at the first bytes of the files between.
    ///
    /// # Errors
    /// [`Error`].
    pub fn flv(&self, range: Range) -> Result<Flv, Error> {
        Flv::new(self, self.visible(range))
    }

    /// One MP4 file of a range. Looks at the heads of all its tags.
    ///
    /// # Errors
    /// [`Error`].
    pub fn mp4(&self, range: Range) -> Result<Mp4, Error> {
        Mp4::new(self, self.visible(range))
    }

    /// The segments of HLS that a range has, each the shortest from `target_ms` on that key frames
    /// allow. Looks at the first bytes of the files.
    ///
    /// # Errors
    /// [`Error`].
    pub fn hls(&self, range: Range, target_ms: u64) -> Result<Hls, Error> {
        Hls::new(self, range, target_ms)
    }

    /// The segments of HLS from a moment on up to packets that were found, which the last of them ends at.
    ///
    /// # Errors
    /// [`Error`].
    pub fn lead_in(
        &self,
        found: &Found,
        from_unix_ms: i64,
        target_ms: u64,
    ) -> Result<LeadIn, Error> {
        let to_unix_ms = found.unix_ms.saturating_add(1);
        let range = Range { from_unix_ms, to_unix_ms, cut: Cut::KeyFrame };
        LeadIn::new(self, range, found, target_ms)
    }

    /// What is in a segment of HLS: its place in the file of the segment that is `segment`th in
    /// [`Source::segments`].
    ///
    /// # Errors
    /// [`Error`]; [`Error::Changed`] where the file has no such place.
    pub fn fragments(&self, segment: usize, place: Place) -> Result<Fragments, Error> {
        self.fragments_at(segment, place, 0)
    }

    /// The same, with times so many ms later than those of the recording; none is before 0.
    ///
    /// # Errors
    /// As those of [`Source::fragments`].
    pub fn fragments_at(
        &self,
        segment: usize,
        place: Place,
        shift_ms: i64,
    ) -> Result<Fragments, Error> {
        Fragments::new(self, segment, (place, false), None, shift_ms)
    }

    /// The tracks that a list of its segments has. Looks at some more places of the files that do not have all of them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn renditions(&self, hls: &Hls) -> Result<Renditions, Error> {
        Renditions::new(self, hls)
    }

    /// What is in a segment of a track.
    ///
    /// # Errors
    /// As those of [`Source::fragments`]; [`Error::NoTrack`].
    pub fn fragments_of(
        &self,
        segment: usize,
        place: Place,
        track: TrackName,
    ) -> Result<Fragments, Error> {
        Fragments::new(self, segment, (place, false), Some(track), 0)
    }

    /// The same at the times of [`Source::fragments_at`]; and with all of the track up to the very end of the place, which
    /// packets that were found begin at, if `ends_there`.
    ///
    /// # Errors
    /// As those of [`Source::fragments_of`].
    pub fn fragments_of_at(
        &self,
        segment: usize,
        (place, ends_there): (Place, bool),
        track: TrackName,
        shift_ms: i64,
    ) -> Result<Fragments, Error> {
        Fragments::new(self, segment, (place, ends_there), Some(track), shift_ms)
    }

    /// What a player needs before segments whose place has this [`Place::settled`].
    ///
    /// # Errors
    /// As those of [`Source::fragments`].
    pub fn hls_init(&self, segment: usize, settled: u64) -> Result<Bytes, Error> {
        fragments::init(self, segment, settled, None)
    }

    /// The same of a track.
    ///
    /// # Errors
    /// As those of [`Source::fragments_of`].
    pub fn hls_init_of(
        &self,
        segment: usize,
        settled: u64,
        track: TrackName,
    ) -> Result<Bytes, Error> {
        fragments::init(self, segment, settled, Some(track))
    }
}

/// How far the recording's clock and the wall's may be apart before the wall's wins, in ms.
const DRIFT_MS: i64 = 1_000;

/// By how much recordings of one recorder may seem to overlap, in ms: encoders' clocks drift by seconds a day, and
/// publishers send some seconds ahead.
pub(super) const OVERLAP_MS: i64 = 10_000;

fn arrange(segments: impl IntoIterator<Item = Segment>) -> Vec<Part> {
    let mut recordings: BTreeMap<_, BTreeMap<u32, Segment>> = BTreeMap::new();
    for segment in segments {
        let recording = recordings.entry(segment.recording).or_default();
        // Of copies the first.
        recording.entry(segment.number).or_insert(segment);
    }
    let recordings = recordings.into_values().map(|recording| settle(recording.into_values()));
    let mut recordings: Vec<Vec<Part>> = recordings.collect();
    // Of two that begin together the longer one, which the other may be a clip of.
    let ends = |part: &Part| (part.begin_unix_ms, std::cmp::Reverse(part.end_unix_ms));
    recordings.sort_by_key(|parts| parts.first().map(ends));
    let is_clip = |parts: &Vec<Part>| parts.iter().any(|part| part.segment.is_clip);
    let (clips, recordings): (Vec<_>, Vec<_>) = recordings.into_iter().partition(is_clip);
    let mut all: Vec<Part> = Vec::new();
    for part in joined(recordings).into_iter().chain(clips).flatten() {
        if let Some((at, part)) = fit(&mut all, part) {
            all.insert(at, part);
        }
    }
    all
}

/// Puts recordings together that seem to overlap and do not.
fn joined(recordings: Vec<Vec<Part>>) -> Vec<Vec<Part>> {
    let mut all: Vec<Vec<Part>> = Vec::new();
    for recording in recordings {
        let of_it = |known: &&mut Vec<Part>| recorder(known) == recorder(&recording);
        match all.iter_mut().rfind(of_it).filter(|known| goes_on(known, &recording)) {
            Some(known) => {
                let begin_unix_ms = recording.first().map_or(i64::MAX, |part| part.begin_unix_ms);
                end_before(known, begin_unix_ms);
                known.extend(recording);
            }
            None => all.push(recording),
        }
    }
    all
}

fn recorder(parts: &[Part]) -> Option<&str> {
    parts.first().map(|part| &*part.segment.recorder)
}

/// Whether a recording goes on where another one of its recorder ended, which seems to be a little later.
fn goes_on(before: &[Part], recording: &[Part]) -> bool {
    let [Some(last), Some(first), Some(newest)] =
        [before.last(), recording.first(), recording.last()]
    else {
        return false;
    };
    // Those that were asked for may run side by side.
    if first.segment.recorder == Plan::API {
        return false;
    }
    let ahead_ms = last.so_far_unix_ms().saturating_sub(first.begin_unix_ms);
    // A file that lies in another one may be a clip of it that does not say so.
    (1..=OVERLAP_MS).contains(&ahead_ms) && newest.end_unix_ms > last.so_far_unix_ms()
}

/// Has windows end at a moment: what is behind it is in the last ms before it.
fn end_before(parts: &mut [Part], mut end_unix_ms: i64) {
    for part in parts.iter_mut().rev() {
        part.end_unix_ms = part.end_unix_ms.min(end_unix_ms);
        part.begin_unix_ms = part.begin_unix_ms.min(part.end_unix_ms.saturating_sub(1));
        part.start_unix_ms = part.start_unix_ms.min(part.begin_unix_ms);
        end_unix_ms = part.begin_unix_ms;
    }
}

/// Puts the segments of one recording on the wall clock.
fn settle(segments: impl Iterator<Item = Segment>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for segment in segments {
        let mut start_unix_ms = segment.start_unix_ms;
        if let Some(before) = parts.last_mut() {
            let passed = millis(segment.start_ms) - millis(before.segment.start_ms);
            let by_clock = before.start_unix_ms.saturating_add(passed);
            let drift_ms = start_unix_ms.saturating_sub(by_clock);
            // The wall far behind: the publisher sent faster than it played, or the clock was set.
            let behind_ms = DRIFT_MS.saturating_add(passed / 10);
            if drift_ms.saturating_abs() <= DRIFT_MS || drift_ms < -behind_ms {
                start_unix_ms = by_clock;
            }
            start_unix_ms = start_unix_ms.max(before.start_unix_ms.saturating_add(1));
            before.end_unix_ms = before.end_unix_ms.min(start_unix_ms);
        }
        let end_unix_ms = match segment.length_ms {
            Some(length_ms) => start_unix_ms.saturating_add(millis(length_ms).max(1)),
            None => i64::MAX,
        };
        let begin_unix_ms = start_unix_ms;
        parts.push(Part { segment, start_unix_ms, begin_unix_ms, end_unix_ms, is_cut: false });
    }
    parts
}

/// Where a part goes among those that there are, with what they leave of its window.
fn fit(all: &mut [Part], mut part: Part) -> Option<(usize, Part)> {
    let is_clip = part.segment.is_clip;
    let window = (part.begin_unix_ms, part.end_unix_ms);
    let mut at = all.partition_point(|known| known.end_unix_ms <= part.begin_unix_ms);
    while let (before, [known, ..]) = all.split_at_mut(at) {
        // The end of one that was left unfinished is not known: it must not hide what came later. One that
        // is known to have gone on is still being written, and what began meanwhile is a clip of it.
        let is_open = known.end_unix_ms == i64::MAX;
        if is_open && !is_clip && known.so_far_unix_ms() <= part.begin_unix_ms {
            known.end_unix_ms = part.begin_unix_ms;
            at += 1;
            continue;
        }
        // What a recording lacks between two of its files, its clips lack as well.
        let is_torn = is_clip && before.last().is_some_and(|before| known.follows(before));
        if known.begin_unix_ms > part.begin_unix_ms && !is_torn {
            part.is_cut = known.begin_unix_ms < part.end_unix_ms;
            part.end_unix_ms = part.end_unix_ms.min(known.begin_unix_ms);
            break;
        }
        part.begin_unix_ms = known.end_unix_ms;
        at += 1;
    }
    // Less than clocks may be apart is no hole that a clip fills in; one beside which there is nothing is all there.
    let is_narrower = (part.begin_unix_ms, part.end_unix_ms) != window;
    let least_ms = if is_clip && is_narrower { DRIFT_MS } else { 1 };
    (part.end_unix_ms.saturating_sub(part.begin_unix_ms) >= least_ms).then_some((at, part))
}

/// A length as a difference.
pub(super) fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
