//! What is in a segment: the packets of a place as fragments of MP4.
//!
//! The first video track and the first of audio, which every player understands; or one track, where there are several of a
//! kind. Of such a track is in a segment what stands in its place, but that pictures begin with the key frame next to it:
//! what is encoded apart comes a little earlier or later. A track that has nothing there is a fragment that says so.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use media::Chunks;
use media::flv::scan::Bodies;
use media::hls::{JITTER_MS, TrackName};
use media::mp4::{self, Fragmenter, Movie, Track};
use media::{Header, Kind, Packet};

use super::super::head::Head;
use super::super::item::{Item, Timed};
use super::super::locate::{Start, header_before};
use super::super::reader::{Piece, Reader, Step};
use super::super::source::{Part, millis};
use super::super::tags::{Found, Tags};
use super::super::{Cause, Cut, Error, Range, Source};

/// What of a file is in a segment, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where the tracks are as they are in the segment: the first tag, unless it is known that they
    /// may change later.
    pub settled: u64,
    /// Its first tag.
    pub from: u64,
    /// The first tag that is not in it, or the end of the file.
    pub to: u64,
}

/// The bytes of a segment, in pieces of some 1 MiB: fragments. It blocks as the disk does. After an
/// error it ends.
pub struct Fragments {
    reader: Reader,
    fragmenter: Fragmenter,
    part: Part,
    place: Place,
    /// The only track; the first ones together without.
    track: Option<TrackName>,
    /// What is added to the times of the recording.
    shift_ms: i64,
    /// When it begins.
    begin_ms: Option<u64>,
    /// Whether the first packet has to be at the place.
    is_checked: bool,
    /// Fragments that were cut, and those that came out.
    cut: u32,
    out: u32,
    /// Whether the last one was cut, and whether nothing more comes.
    is_cut: bool,
    is_over: bool,
    has_failed: bool,
}

/// A fragment is cut when it has so many bytes.
const FRAGMENT_BYTES: u64 = 1 << 20;
/// Tracks are known after so long (ms).
const LOOK_MS: i64 = 2_000;

impl Fragments {
    pub(in super::super) fn new(
        source: &Source,
        segment: usize,
        (place, ends_there): (Place, bool),
        track: Option<TrackName>,
        shift_ms: i64,
    ) -> Result<Self, Error> {
        let (part, head, mut tags) = open(source, segment)?;
        let all = movie(&part, &head, &mut tags, place.settled)?;
        let movie = shown(&all, track)?;
        let is_start = place.from == head.data_start;
        let mut begin = |at| match track {
            Some(track) => begin_of(&mut tags, &head, at, track).map_err(|error| lost(&error)),
            None => Ok(at),
        };
        let to = if ends_there { place.to } else { begin(place.to)? };
        let place = Place { from: begin(place.from)?, to, ..place };
        // All of the file, whatever other recordings have.
        let (begin_unix_ms, end_unix_ms) = (part.start_unix_ms, i64::MAX);
        let part = Part { begin_unix_ms, end_unix_ms, is_cut: false, ..part };
        let parts = Arc::from([part.clone()]);
        let source = Source { disk: source.disk.clone(), parts };
        let start = Start { position: place.from, ..Start::default() };
        // The start of a file of few tracks is its first key frame; with others that is not the first one's.
        let is_found = is_start && track.is_none() && all.tracks().len() == movie.tracks().len();
        let start = Some(start).filter(|_| !is_found);
        let piece = Piece { segment: 0, start, end: u64::MAX };
        let from_unix_ms = part.start_unix_ms.saturating_add(1);
        let range = Range { from_unix_ms, to_unix_ms: i64::MAX, cut: Cut::KeyFrame };
        Ok(Self {
            reader: Reader::of_plan(&source, range, Arc::from([piece])),
            fragmenter: Fragmenter::new(movie),
            part,
            place,
            track,
            shift_ms,
            begin_ms: None,
            is_checked: is_start,
            cut: 0,
            out: 0,
            is_cut: false,
            is_over: false,
            has_failed: false,
        })
    }

    /// The next fragment, if there is one.
    fn fragment(&mut self) -> Result<Option<Bytes>, Error> {
        let mut bytes = Chunks::new();
        loop {
            if self.fragmenter.poll(&mut bytes).is_some() {
                self.out += 1;
                return Ok(Some(bytes.to_vec().into()));
            }
            if self.is_cut && self.out == self.cut || self.is_over {
                return Ok(self.nothing());
            }
            match self.reader.step() {
                Some(Step::Item(Item::Packet(timed))) => self.take(&timed)?,
                Some(Step::Closed { cause: Some(cause), .. }) if !self.is_cut => {
                    return Err(changed(&self.part, &cause.to_string()));
                }
                Some(_) => {}
                None => {
                    self.end();
                    self.fragmenter.finish();
                    self.is_over = true;
                }
            }
        }
    }

    fn take(&mut self, timed: &Timed) -> Result<(), Error> {
        if !std::mem::replace(&mut self.is_checked, true) && timed.position != self.place.from {
            return Err(changed(&self.part, "no segment begins there"));
        }
        let since_ms = timed.packet.dts_ms.saturating_sub(self.part.start_unix_ms);
        let time_ms = millis(self.part.segment.start_ms).saturating_add(since_ms);
        let time_ms = u64::try_from(time_ms.saturating_add(self.shift_ms)).unwrap_or(0);
        self.begin_ms.get_or_insert(time_ms);
        if timed.position >= self.place.to {
            self.end();
        } else if self.fragmenter.open_bytes() >= FRAGMENT_BYTES {
            self.cut();
        }
        let pushed = self.fragmenter.push(&timed.packet, time_ms).or_else(|error| {
            if error != mp4::Error::PartFull || self.is_cut {
                return Err(error);
            }
            self.cut();
            self.fragmenter.push(&timed.packet, time_ms)
        });
        pushed.map_err(|error| changed(&self.part, &error.to_string()))?;
        if self.track.is_some() && timed.packet.is_media() {
            // The others tell how far the stream has come.
            self.fragmenter.pass(time_ms);
        }
        Ok(())
    }

    /// What there is of a track that has nothing in the place: once.
    fn nothing(&mut self) -> Option<Bytes> {
        let begin_ms = self.begin_ms.filter(|_| self.track.is_some() && self.out == 0)?;
        self.out += 1;
        self.is_over = true;
        Some(self.fragmenter.nothing(self.out, begin_ms).into())
    }

    /// What was taken is all.
    fn end(&mut self) {
        if !std::mem::replace(&mut self.is_cut, true) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let sequence = self.cut + 1;
        let cut = mp4::Cut { sequence, styp: self.cut == 0, prft_unix_ms: None };
        self.cut += u32::from(self.fragmenter.cut(cut));
    }
}

impl Iterator for Fragments {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let fragment = self.fragment();
        self.has_failed = fragment.is_err();
        fragment.transpose()
    }
}

/// The initialization.
pub(in super::super) fn init(
    source: &Source,
    segment: usize,
    settled: u64,
    track: Option<TrackName>,
) -> Result<Bytes, Error> {
    Ok(shown(&all_tracks(source, segment, settled)?, track)?.init_segment().into())
}

/// All tracks as of a place.
pub(super) fn all_tracks(source: &Source, segment: usize, settled: u64) -> Result<Movie, Error> {
    let (part, head, mut tags) = open(source, segment)?;
    movie(&part, &head, &mut tags, settled)
}

/// What segments have of all tracks.
fn shown(movie: &Movie, track: Option<TrackName>) -> Result<Movie, Error> {
    let first = |kind| movie.tracks().iter().find(|track| track.kind == kind).map(Track::mp4_id);
    let ids = match track {
        Some(TrackName { kind, id }) => [movie.track(kind, id).map(Track::mp4_id), None],
        None => [Kind::Video, Kind::Audio].map(first),
    };
    let shown = movie.select(|track| ids.contains(&Some(track.mp4_id())));
    if !shown.is_empty() {
        return Ok(shown);
    }
    let is_meant =
        |refused: &&mp4::Refused| track.is_none_or(|name| name == TrackName::from(*refused));
    let refused = movie.refused().iter().filter(is_meant).map(ToString::to_string);
    let reasons: Vec<_> = refused.collect();
    if let Some(name) = track.filter(|_| reasons.is_empty()) {
        return Err(no_such(name, movie.tracks().iter().map(TrackName::from)));
    }
    Err(Error::NoTrack { reasons: reasons.join("; ") })
}

/// That a track is not among those that there are.
pub(super) fn no_such(track: TrackName, known: impl Iterator<Item = TrackName>) -> Error {
    let known: Vec<_> = known.map(|name| name.to_string()).collect();
    Error::NoSuchTrack { track: track.to_string(), known: known.join(", ") }
}

/// Where a track begins of what begins at a place.
fn begin_of(tags: &mut Tags, head: &Head, at: u64, track: TrackName) -> io::Result<u64> {
    let is_inside = (head.data_start + 1..head.size_bytes).contains(&at);
    if track.kind == Kind::Audio || !is_inside {
        return Ok(at);
    }
    let jitter_ms = millis(JITTER_MS);
    let (mut begin_ms, mut behind) = (None, None);
    tags.seek(at, Bodies::Skip)?;
    while behind.is_none()
        && let Found::Tag(tag) = tags.next()?
    {
        if !tag.packet.is_media() {
            continue;
        }
        let apart_ms = tag.time_ms - *begin_ms.get_or_insert(tag.time_ms);
        if apart_ms > jitter_ms {
            break;
        }
        behind = is_key_of(&tag.packet, track).then_some((apart_ms, tag.offset));
    }
    let Some(begin_ms) = begin_ms else { return Ok(at) };
    if let Some((0, offset)) = behind {
        return Ok(offset);
    }
    let mut nearest = behind;
    let from_ms = begin_ms.saturating_sub(jitter_ms);
    let entry = head.index.last_at(from_ms).filter(|entry| entry.position < at);
    tags.seek(entry.map_or(head.data_start, |entry| entry.position), Bodies::Skip)?;
    while let Found::Tag(tag) = tags.next()? {
        if tag.offset >= at {
            break;
        }
        let apart_ms = begin_ms.saturating_sub(tag.time_ms);
        if is_key_of(&tag.packet, track) && nearest.is_none_or(|(known_ms, _)| apart_ms < known_ms)
        {
            nearest = Some((apart_ms, tag.offset)).filter(|_| apart_ms <= jitter_ms).or(nearest);
        }
    }
    Ok(nearest.map_or(at, |(_, offset)| offset))
}

/// Whether pictures of a track can begin with a packet.
fn is_key_of(packet: &Packet, track: TrackName) -> bool {
    let mut samples = mp4::samples(packet).filter(|sample| sample.is_key);
    samples.any(|sample| (sample.kind, sample.track) == (track.kind, track.id))
}

fn open(source: &Source, segment: usize) -> Result<(Part, Head, Tags), Error> {
    let part = source.parts.get(segment).cloned().ok_or(Error::Nothing)?;
    let opened = Head::open(&*source.disk, &part.segment);
    let (head, file) = opened.map_err(|cause| Error::Lost { cause })?;
    let tags = Tags::new(file, &head, head.size_bytes, Bodies::Skip).map_err(|e| lost(&e))?;
    Ok((part, head, tags))
}

/// The tracks as of a place.
fn movie(part: &Part, head: &Head, tags: &mut Tags, settled: u64) -> Result<Movie, Error> {
    let failed = |error: io::Error| lost(&error);
    let mut header = match settled == head.data_start {
        true => Header::default(),
        false => header_before(tags, head, settled).map_err(failed)?,
    };
    tags.seek(settled, Bodies::Skip).map_err(failed)?;
    let (mut packets, mut until_ms) = (Vec::new(), i64::MAX);
    while let Found::Tag(mut tag) = tags.next().map_err(failed)? {
        if packets.is_empty() && tag.offset != settled {
            break;
        }
        if tag.packet.is_media() {
            until_ms = until_ms.min(tag.time_ms.saturating_add(LOOK_MS));
        }
        if tag.time_ms > until_ms || packets.len() == Movie::LOOK_MAX {
            break;
        }
        tags.reveal(&mut tag.packet, &tag.place).map_err(failed)?;
        packets.push(tag.packet);
    }
    if packets.is_empty() {
        return Err(changed(part, "no segment begins there"));
    }
    // What changes later is not so there.
    let first = packets.iter().take_while(|packet| !packet.is_media());
    first.for_each(|packet| _ = header.push(packet));
    Ok(Movie::of(&header, &packets))
}

fn lost(error: &io::Error) -> Error {
    Error::Lost { cause: Cause::of(error) }
}

fn changed(part: &Part, reason: &str) -> Error {
    Error::Changed { path: part.segment.path.clone(), reason: reason.to_owned() }
}
