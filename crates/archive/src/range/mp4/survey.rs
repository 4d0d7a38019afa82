//! What the file will be: every sample's size, times and place.

use media::flv::tag::OVERHEAD;
use media::mp4::plan::{Planner, SampleInfo};
use media::mp4::{self, Movie, Unreadable};
use media::{Header, Packet};

use super::super::item::{Item, Timed};
use super::super::plan::Survey as Facts;
use super::super::reader::{Reader, Step};
use super::super::tags::Place;
use super::super::{Cut, Error, Range, Source};
use super::{Group, Plan};

/// A group is at most so long and so large, unless one tag is larger.
const GROUP_MS: u64 = 1_000;
const GROUP_BYTES: u64 = 512 << 10;

/// Looks at what there is.
pub(super) fn plan(source: &Source, range: Range, limit: usize) -> Result<Plan, Error> {
    let mut facts = Facts::new(range);
    let mut survey = Survey { limit, ..Survey::default() };
    let mut reader = Reader::heads(source, range);
    while let Some(step) = reader.step() {
        facts.take(&step);
        match step {
            Step::Item(Item::Header(header)) => survey.header = header,
            Step::Item(Item::Packet(timed)) => survey.take(timed)?,
            _ => {}
        }
    }
    let facts = facts.finish(source)?;
    survey.begin()?;
    survey.flush()?;
    let Survey { begun, unreadable, start_ms, groups, places, .. } = survey;
    let Some((movie, mut planner)) = begun else {
        return Err(Error::Nothing);
    };
    let mut info = facts.info;
    let since = |ms: i64| u64::try_from(ms.saturating_sub(start_ms)).unwrap_or(0);
    let shown = match range.cut {
        // What a clip does not show is for decoders, also when it is read again.
        Cut::KeyFrame => source.shown().map(|(from, to)| since(from)..since(to)),
        Cut::Exact => {
            let from_ms = since(facts.origin_ms);
            Some(from_ms..from_ms.saturating_add(info.duration_ms))
        }
    };
    if let Some(shown) = shown.filter(|shown| !shown.is_empty()) {
        planner.show(shown);
    }
    let planned = planner.finish();
    info.size_bytes = planned.size_bytes();
    let identity = identity(source, planned.head(), &groups, &places);
    let refused = reasons(&movie, &unreadable);
    Ok(Plan { source: source.clone(), info, refused, identity, planned, groups, places })
}

/// What is not in the file, and why.
fn reasons(movie: &Movie, unreadable: &Unreadable) -> Vec<String> {
    let tracks = movie.refused().iter().map(ToString::to_string);
    tracks.chain(unreadable.told()).collect()
}

/// The index has all sizes and times; the places tell which bytes they are of.
fn identity(source: &Source, head: &[u8], groups: &[Group], places: &[u32]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head);
    for group in groups {
        if let Some(part) = source.parts.get(group.segment) {
            hasher.update(part.segment.recording.to_string().as_bytes());
            hasher.update(&part.segment.number.to_be_bytes());
        }
        hasher.update(&group.position.to_be_bytes());
    }
    places.iter().for_each(|place| _ = hasher.update(&place.to_be_bytes()));
    hasher.finalize().to_hex().chars().take(32).collect()
}

#[derive(Default)]
struct Survey {
    limit: usize,
    header: Header,
    unreadable: Unreadable,
    /// Packets before it is known which tracks there are.
    held: Vec<Timed>,
    /// The reader's time that is 0 in the tables.
    start_ms: i64,
    begun: Option<(Movie, Planner)>,
    open: Option<Open>,
    groups: Vec<Group>,
    places: Vec<u32>,
}

/// A group that may go on.
struct Open {
    segment: usize,
    position: u64,
    bytes: u64,
    time_ms: u64,
    /// Whether each track has its samples in a place of its own.
    is_apart: bool,
    /// With their places in the file.
    samples: Vec<(SampleInfo, u64)>,
}

impl Open {
    /// Whether samples that take `bytes`, of a tag that ends at `end`, belong to it.
    fn goes_on(&self, samples: &[(SampleInfo, u64)], end: u64, bytes: u64) -> bool {
        if !self.is_apart {
            return end.saturating_sub(self.position) <= GROUP_BYTES;
        }
        self.bytes.saturating_add(bytes) <= GROUP_BYTES
            && samples.iter().all(|(info, at)| self.is_beside(info, *at))
    }

    /// Whether a sample stands behind the one before it of its track.
    fn is_beside(&self, info: &SampleInfo, at: u64) -> bool {
        let of_it =
            |(other, _): &&(SampleInfo, u64)| (other.kind, other.track) == (info.kind, info.track);
        let last = self.samples.iter().rev().find(of_it);
        last.is_none_or(|(last, place)| place.saturating_add(last.size_bytes.into()) == at)
    }
}

impl Survey {
    fn take(&mut self, timed: Timed) -> Result<(), Error> {
        self.unreadable.note(&timed.packet);
        if self.begun.is_some() {
            return self.add(&timed);
        }
        self.held.push(timed);
        if self.held.len() < Movie::LOOK_MAX { Ok(()) } else { self.begin() }
    }

    /// Decides which tracks there are, by the packets up to here.
    fn begin(&mut self) -> Result<(), Error> {
        if self.begun.is_some() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let mut movie = Movie::of(&self.header, held.iter().map(|timed| &timed.packet));
        if movie.is_empty() {
            let reasons = reasons(&movie, &self.unreadable).join("; ");
            return Err(Error::NoTrack { reasons });
        }
        let media = || held.iter().filter(|timed| timed.packet.is_media());
        self.start_ms = media().map(|timed| timed.packet.dts_ms).min().unwrap_or(0);
        let start_unix_ms = media().map(|timed| timed.unix_ms).min();
        movie.set_start(start_unix_ms.and_then(|ms| u64::try_from(ms).ok()));
        self.begun = Some((movie.clone(), Planner::new(movie)));
        held.iter().try_for_each(|timed| self.add(timed))
    }

    fn add(&mut self, timed: &Timed) -> Result<(), Error> {
        let Timed { packet, position, size_bytes, segment, unix_ms, place, .. } = timed;
        let Some((movie, _)) = &self.begun else { return Ok(()) };
        if movie.is_changed_by(packet) {
            return Err(Error::Changes { unix_ms: *unix_ms });
        }
        let since_ms = packet.dts_ms.saturating_sub(self.start_ms);
        let time_ms = u64::try_from(since_ms).unwrap_or(0);
        let samples: Vec<_> = samples(packet, *size_bytes, time_ms)
            .filter(|(info, _)| movie.track(info.kind, info.track).is_some())
            .map(|(info, at)| (info, place.of(at)))
            .collect();
        if samples.is_empty() {
            return Ok(());
        }
        let end = position.saturating_add(*size_bytes);
        let bytes = samples.iter().map(|(info, _)| u64::from(info.size_bytes)).sum();
        let goes_on = |open: &Open| {
            open.segment == *segment
                && time_ms < open.time_ms.saturating_add(GROUP_MS)
                && open.goes_on(&samples, end, bytes)
        };
        if !self.open.as_ref().is_some_and(goes_on) {
            self.flush()?;
        }
        let new = || Open {
            segment: *segment,
            position: *position,
            bytes: 0,
            time_ms,
            is_apart: matches!(place, Place::Spans(_)),
            samples: Vec::new(),
        };
        let open = self.open.get_or_insert_with(new);
        open.bytes = open.bytes.saturating_add(bytes);
        open.samples.extend(samples);
        Ok(())
    }

    /// Ends a group: track after track. What stands in the file track after track is read so.
    fn flush(&mut self) -> Result<(), Error> {
        let Some((mut open, (_, planner))) = self.open.take().zip(self.begun.as_mut()) else {
            return Ok(());
        };
        if self.places.len() + open.samples.len() > self.limit {
            return Err(Error::TooManySamples { limit: self.limit });
        }
        open.samples.sort_by_key(|(info, _)| (info.kind, info.track));
        let track = |(info, _): &(SampleInfo, u64)| (info.kind, info.track);
        let Open { segment, is_apart, .. } = open;
        for samples in open.samples.chunk_by(|a, b| !is_apart || track(a) == track(b)) {
            let position = samples.iter().map(|(_, place)| *place).min().unwrap_or(0);
            let bytes = u32::try_from(end_of(samples) - position).unwrap_or(u32::MAX);
            self.groups.push(Group { sample: self.places.len(), segment, position, bytes });
            for (info, place) in samples {
                let pushed = planner.push(info);
                pushed.map_err(|_| Error::TooManySamples { limit: self.limit })?;
                self.places.push(u32::try_from(place - position).unwrap_or(u32::MAX));
            }
        }
        Ok(())
    }
}

/// Where the last of these ends.
fn end_of(samples: &[(SampleInfo, u64)]) -> u64 {
    let ends = samples.iter().map(|(info, place)| place.saturating_add(info.size_bytes.into()));
    ends.max().unwrap_or(0)
}

/// The samples of a packet, of which the body may have only its head, and where each begins in it.
/// What is of several tracks is whole.
pub(in super::super) fn samples(
    packet: &Packet,
    size_bytes: u64,
    time_ms: u64,
) -> impl Iterator<Item = (SampleInfo, usize)> {
    let rest = size_bytes.saturating_sub(OVERHEAD).saturating_sub(packet.body.len() as u64);
    let rest = u32::try_from(rest).unwrap_or(u32::MAX);
    mp4::samples(packet).map(move |sample| {
        let mut info = SampleInfo::of(&sample, time_ms);
        info.size_bytes = info.size_bytes.saturating_add(rest);
        (info, sample.at)
    })
}
