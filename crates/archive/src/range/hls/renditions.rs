//! All tracks of a list of segments, where there are several of a kind: where each of them is, and what there is to choose
//! from.
//!
//! Segments are cut by the first track of pictures; those of the others are the same places, so that all have as many, at the
//! same times, with the same discontinuities. Where its tracks are a file says itself ([`TrackPlaces`]). For those of which it
//! does not, as of earlier versions, it is looked at where its first segment begins and where it does not go on in the next
//! file; a track that is at one end alone is searched for between them, by halves. So one that begins or ends in the middle
//! of a file is known, and one that is missing for a while between two places where it is, is not: its segments there say
//! that they have nothing ([`super::Fragments`]). In each file a track is known from its first message on, wherever that is:
//! that is where it is settled.

use std::collections::{BTreeMap, BTreeSet};

use media::Kind;
use media::flv::scan::Bodies;
use media::hls::playlist::Multivariant;
use media::hls::{LANES_MAX, LeftOut, Offered, Rates, TrackName, offer};
use media::mp4::{Movie, Track};

use super::super::index::TrackPlaces;
use super::super::mp4::samples;
use super::super::source::millis;
use super::super::tags::Found as Next;
use super::super::{Error, Source};
use super::fragments::{all_tracks, no_such};
use super::{File, Hls, HlsSegment, Place};

/// So much is looked at where a file begins: in ms, and in packets.
const START: (u64, usize) = (1_000, 128);
/// And of the last segment of what does not go on.
const END: (u64, usize) = (u64::MAX, 1_024);
/// Tracks that are searched for, of all files, each search looks at some ten groups of pictures; or looked at in the middle of
/// one.
const SEARCHES: usize = 16;

/// What there was where somebody looked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look(BTreeMap<TrackName, Seen>);

/// What there was of a track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    bytes: u64,
    frames: u64,
    first_ms: i64,
    last_ms: i64,
}

impl Seen {
    /// How long it is, if its last frame is as long as those before.
    fn duration_ms(&self) -> u64 {
        let span_ms = self.last_ms.saturating_sub(self.first_ms).unsigned_abs();
        span_ms.saturating_mul(self.frames) / self.frames.saturating_sub(1).max(1)
    }
}

/// What was seen of a file that has segments in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looks {
    /// Its place among the segments of the source.
    pub(super) file: usize,
    data_start: u64,
    /// Where it begins, and where its first segment does.
    opening: Look,
    start: Look,
    /// Where it ends, unless the next one goes on there.
    end: Option<Look>,
    /// What it says itself of the tracks in its segments.
    told: BTreeMap<TrackName, Stretch>,
}

impl Looks {
    /// Looks where a file begins that has these segments, and where the first of them does.
    pub(super) fn begin(file: &mut File<'_>, segments: &[HlsSegment]) -> Option<Self> {
        let (first, last) = (segments.first()?, segments.last()?);
        let data_start = file.head.data_start;
        let start = file.look(first.place, START);
        let opening = match first.place.from == data_start {
            true => start.clone(),
            false => file.look(Place { from: data_start, ..first.place }, START),
        };
        let told = file.told(&opening, (first.place.from, last.place.to));
        Some(Self { file: first.segment, data_start, opening, start, end: None, told })
    }

    fn iter(&self) -> impl Iterator<Item = &Look> {
        [&self.start].into_iter().chain(&self.end)
    }

    /// Looks at its last segment.
    pub(super) fn end(&mut self, file: &mut File<'_>, last: &HlsSegment) {
        self.end = Some(file.look(last.place, END));
    }
}

impl File<'_> {
    fn look(&mut self, place: Place, (most_ms, most): (u64, usize)) -> Look {
        let (mut look, mut packets, mut begin_ms) = (Look::default(), 0, None);
        if self.tags.seek(place.from, Bodies::Skip).is_err() {
            return look;
        }
        while packets < most
            && let Ok(Next::Tag(tag)) = self.tags.next()
            && tag.offset < place.to
        {
            if !tag.packet.is_media() {
                continue;
            }
            let begin_ms = *begin_ms.get_or_insert(tag.time_ms);
            if tag.time_ms.saturating_sub(begin_ms) > millis(most_ms) {
                break;
            }
            packets += 1;
            for (info, _) in samples(&tag.packet, tag.size, 0) {
                let name = TrackName { kind: info.kind, id: info.track };
                let new = Seen { first_ms: tag.time_ms, ..Seen::default() };
                let seen = look.0.entry(name).or_insert(new);
                (seen.bytes, seen.frames) =
                    (seen.bytes + u64::from(info.size_bytes), seen.frames + 1);
                seen.last_ms = tag.time_ms;
            }
        }
        look
    }

    /// What the file says of the tracks that it has between two places. What it says of a file that grows may have been
    /// read while it was overwritten.
    fn told(&mut self, opening: &Look, (from, to): (u64, u64)) -> BTreeMap<TrackName, Stretch> {
        let head = self.head.clone();
        let mut told = BTreeMap::new();
        for TrackPlaces { name, message, first, newest } in head.tracks.iter().copied() {
            let settled = if opening.0.contains_key(&name) { 0 } else { message };
            let is_inside = first < to && newest >= from;
            if is_inside && (settled == 0 || self.find(name, (message, message + 1)).is_some()) {
                told.insert(name, Stretch { settled, from: first, to: newest + 1 });
            }
        }
        told
    }

    /// The first message of a track in a stretch of the file.
    fn find(&mut self, name: TrackName, (from, to): (u64, u64)) -> Option<u64> {
        self.tags.seek(from, Bodies::Skip).ok()?;
        for _ in 0..Movie::LOOK_MAX {
            let Ok(Next::Tag(tag)) = self.tags.next() else { return None };
            if tag.offset >= to {
                return None;
            }
            if tag.packet.kind == name.kind && tag.packet.has_track(name.id) {
                return Some(tag.offset);
            }
        }
        None
    }

    /// Where a track begins in a stretch of the file, at whose start it is not; or ends, at whose end it is not.
    fn turn(&mut self, name: TrackName, (from, to): (u64, u64), begins: bool) -> Option<u64> {
        let entries = self.head.index.between(from.saturating_add(1), to);
        let inside = entries.iter().map(|entry| entry.position);
        let places: Vec<u64> = [from].into_iter().chain(inside).chain([to]).collect();
        let group = |at: usize| Some((*places.get(at)?, *places.get(at + 1)?));
        let (mut low, mut high) = (0, places.len() - 1);
        while low < high {
            let middle = low.midpoint(high);
            let found = group(middle).and_then(|group| self.find(name, group));
            match found.is_some() == begins {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        match begins {
            true => self.find(name, group(low)?),
            false => places.get(low).copied(),
        }
    }
}

/// All tracks of a list.
#[derive(Debug, Clone)]
pub struct Renditions {
    list: Vec<Rendition>,
    left_out: Vec<LeftOut>,
}

/// A track of it.
#[derive(Debug, Clone)]
pub struct Rendition {
    name: TrackName,
    track: Track,
    rates: Rates,
    /// Where it is, in the files that have it.
    files: BTreeMap<usize, Stretch>,
}

/// Where a track is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    /// Its first message, if that is not where the file begins.
    settled: u64,
    /// From its first frame to where no more come.
    from: u64,
    to: u64,
}

impl Stretch {
    fn is_gap(&self, place: Place) -> bool {
        place.to <= self.from || place.from >= self.to
    }
}

/// A segment of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfTrack {
    /// What of the file is in it.
    pub place: Place,
    /// Whether it has nothing.
    pub is_gap: bool,
}

impl Renditions {
    pub(in super::super) fn new(source: &Source, list: &Hls) -> Result<Self, Error> {
        let mut search = Search { source, list, open: None, left: SEARCHES };
        let rates = rates(list, &search.inside()?);
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        let mut movies: Vec<((usize, u64), Movie)> = Vec::new();
        for (name, rates) in rates {
            let files = search.files(name)?;
            let Some((file, settled)) = search.newest(&files) else { continue };
            if !movies.iter().any(|(of, _)| *of == (file, settled)) {
                movies.push(((file, settled), all_tracks(source, file, settled)?));
            }
            let movie =
                movies.iter().find(|(of, _)| *of == (file, settled)).map(|(_, movie)| movie);
            let Some(movie) = movie else { continue };
            match movie.track(name.kind, name.id).cloned() {
                Some(track) => found.push(Rendition { name, track, rates, files }),
                None => {
                    let refused = movie.refused().iter().find(|refused| name == (*refused).into());
                    let reason = refused.map(|refused| refused.reason.to_string());
                    left_out.push(LeftOut { track: name, reason: reason.unwrap_or_default() });
                }
            }
        }
        let mut list = Vec::new();
        for kind in [Kind::Video, Kind::Audio] {
            let mut of_kind = found.iter().filter(|rendition| rendition.name.kind == kind).cloned();
            list.extend(of_kind.by_ref().take(LANES_MAX));
            left_out.extend(of_kind.map(|rendition| LeftOut::beyond(rendition.name)));
        }
        Ok(Self { list, left_out })
    }

    /// Whether there is anything to choose from.
    pub fn has_several(&self) -> bool {
        has_several(self.list.iter().map(|rendition| rendition.name))
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::NoSuchTrack`].
    pub fn find(&self, name: TrackName) -> Result<&Rendition, Error> {
        let found = self.list.iter().find(|rendition| rendition.name == name);
        found.ok_or_else(|| no_such(name, self.list.iter().map(Rendition::name)))
    }

    /// Tracks that are in no segment.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What there is to choose from, each with a playlist.
    pub fn multivariant(&self, uri: impl Fn(TrackName) -> String) -> Option<Multivariant> {
        let offered = self.list.iter().map(|rendition| {
            let Rendition { name, track, rates, .. } = rendition;
            Offered { name: *name, track, rates: *rates }
        });
        offer(&offered.collect::<Vec<_>>(), uri)
    }
}

impl Rendition {
    /// Which track it is.
    pub fn name(&self) -> TrackName {
        self.name
    }

    /// What it has of a segment; `None` where the file has no such track.
    pub fn of(&self, segment: &HlsSegment) -> Option<OfTrack> {
        let stretch = self.files.get(&segment.segment)?;
        let place = segment.place;
        let settled = place.settled.max(stretch.settled);
        Some(OfTrack { place: Place { settled, ..place }, is_gap: stretch.is_gap(place) })
    }
}

impl Hls {
    /// Whether there may be several tracks of a kind.
    pub fn may_have_several(&self) -> bool {
        let seen = self.looks().flat_map(|look| look.0.keys());
        let told = self.looks.iter().flat_map(|looks| looks.told.keys());
        let names: BTreeSet<_> = seen.chain(told).copied().collect();
        has_several(names.iter().copied())
    }

    fn looks(&self) -> impl Iterator<Item = &Look> {
        self.looks.iter().flat_map(Looks::iter)
    }
}

fn has_several(names: impl Iterator<Item = TrackName> + Clone) -> bool {
    let count = |kind| names.clone().filter(|name| name.kind == kind).count();
    [Kind::Video, Kind::Audio].into_iter().any(|kind| count(kind) > 1)
}

/// Looks for tracks in files.
struct Search<'a> {
    source: &'a Source,
    list: &'a Hls,
    /// The file that was looked at last.
    open: Option<(usize, File<'a>)>,
    left: usize,
}

impl<'a> Search<'a> {
    /// The files that have a track, and where.
    fn files(&mut self, name: TrackName) -> Result<BTreeMap<usize, Stretch>, Error> {
        let mut files = BTreeMap::new();
        let list = self.list;
        for (number, looks) in list.looks.iter().enumerate() {
            let has = |look: &Look| look.0.contains_key(&name);
            // What the next one begins with is also in one that says nothing.
            let next = list.looks.get(number + 1).filter(|_| looks.told.is_empty());
            let end = looks.end.as_ref().or(next.map(|next| &next.start));
            let stretch = match (looks.told.get(&name), (has(&looks.start), end.is_some_and(has))) {
                (Some(told), _) => Some(*told),
                (None, (false, false)) => None,
                (None, ends) => self.stretch(name, looks, ends)?,
            };
            files.extend(stretch.map(|stretch| (looks.file, stretch)));
        }
        Ok(files)
    }

    /// Where it is in a file that does not say it, of which it is at one end at least.
    fn stretch(
        &mut self,
        name: TrackName,
        looks: &Looks,
        (start, end): (bool, bool),
    ) -> Result<Option<Stretch>, Error> {
        let of_file = |segment: &&HlsSegment| segment.segment == looks.file;
        let segments = &self.list.segments;
        let bounds = segments.iter().find(of_file).zip(segments.iter().rfind(of_file));
        let Some((first, last)) = bounds.map(|(first, last)| (first.place, last.place)) else {
            return Ok(None);
        };
        let is_known = start && looks.opening.0.contains_key(&name);
        let to = match end {
            true => Some(u64::MAX),
            false => self.turn(looks.file, name, (first.from, last.to), false)?,
        };
        let until = if start { first.to } else { last.to };
        let from = match is_known {
            true => Some(0),
            false => self.turn(looks.file, name, (looks.data_start, until), true)?,
        };
        Ok(from.map(|from| Stretch { settled: from, from, to: to.unwrap_or(u64::MAX) }))
    }

    fn turn(
        &mut self,
        file: usize,
        name: TrackName,
        stretch: (u64, u64),
        begins: bool,
    ) -> Result<Option<u64>, Error> {
        Ok(self.open(file)?.and_then(|open| open.turn(name, stretch, begins)))
    }

    /// Looks where tracks begin of which only a file tells.
    fn inside(&mut self) -> Result<Vec<Look>, Error> {
        let list = self.list;
        let mut seen: BTreeSet<_> = list.looks().flat_map(|look| look.0.keys().copied()).collect();
        let mut inside = Vec::new();
        for looks in &list.looks {
            for (name, Stretch { from, .. }) in &looks.told {
                if !seen.contains(name)
                    && let Some(file) = self.open(looks.file)?
                {
                    let place = Place { settled: *from, from: *from, to: u64::MAX };
                    let look = file.look(place, START);
                    seen.insert(*name);
                    seen.extend(look.0.keys());
                    inside.push(look);
                }
            }
        }
        Ok(inside)
    }

    /// A file to search in, as long as there may be another search.
    fn open(&mut self, file: usize) -> Result<Option<&mut File<'a>>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        if self.open.as_ref().is_none_or(|(known, _)| *known != file) {
            let part = self.source.parts.get(file).ok_or(Error::Nothing)?;
            let open = File::open(self.source, part).map_err(|cause| Error::Lost { cause })?;
            self.open = Some((file, open));
        }
        Ok(self.open.as_mut().map(|(_, open)| open))
    }

    /// The newest file that has a track, and where it is settled there.
    fn newest(&self, files: &BTreeMap<usize, Stretch>) -> Option<(usize, u64)> {
        let (file, stretch) = files.last_key_value()?;
        let has_it =
            |segment: &&HlsSegment| segment.segment == *file && !stretch.is_gap(segment.place);
        let newest = self.list.segments.iter().rfind(has_it)?;
        Some((*file, newest.place.settled.max(stretch.settled)))
    }
}

/// The rates of each track that was seen. Sound takes what was seen of it; of the rest pictures take their shares of what was
/// seen of them.
fn rates(list: &Hls, inside: &[Look]) -> Vec<(TrackName, Rates)> {
    let mut all: BTreeMap<TrackName, (u64, u64, u64)> = BTreeMap::new();
    for (name, seen) in list.looks().chain(inside).flat_map(|look| &look.0) {
        let (bytes, frames, ms) = all.entry(*name).or_default();
        (*bytes, *frames) = (*bytes + seen.bytes, *frames + seen.frames);
        *ms += seen.duration_ms();
    }
    // A picture alone, or a sound, is one a second.
    all.values_mut().filter(|(_, _, ms)| *ms == 0).for_each(|(_, _, ms)| *ms = 1_000);
    let rate = |bytes: u64, ms: u64| bytes.saturating_mul(8_000) / ms.max(1);
    let of_kind = |kind| all.iter().filter(move |(name, _)| name.kind == kind);
    let sum = |kind| of_kind(kind).map(|(_, (bytes, _, ms))| rate(*bytes, *ms)).sum();
    let (sound, pictures): (u64, u64) = (sum(Kind::Audio), sum(Kind::Video));
    let sizes = || {
        let size = |of: &HlsSegment| (of.place.to.saturating_sub(of.place.from), of.duration_ms);
        list.segments.iter().map(size)
    };
    let peak = sizes().map(|(bytes, ms)| rate(bytes, ms)).max().unwrap_or(0);
    let (bytes, ms) = sizes().fold((0, 0), |all, size| (all.0 + size.0, all.1 + size.1));
    let rates = all.iter().map(|(name, (seen, frames, seen_ms))| {
        let own = rate(*seen, *seen_ms);
        let of = |all: u64| match name.kind {
            Kind::Video => share(all.saturating_sub(sound), own, pictures),
            _ => own,
        };
        let samples_per_s = *frames as f64 * 1_000.0 / (*seen_ms).max(1) as f64;
        (*name, Rates::new(of(peak), of(rate(bytes, ms)), samples_per_s))
    });
    rates.collect()
}

/// So much of `all` as `part` is of `whole`.
fn share(all: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(all) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}
