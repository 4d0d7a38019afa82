//! Packets that somebody saw go by live, found in the files: by how many they are, what the first of them looks like
//! and a hash of all ([`Trace`]). What is found is compared as a whole, so it is those packets or others that are the
//! same to the bit and at the same distances; never a wrong stretch. Files of FLV and of MP4 give the same packets.
//!
//! It is looked near the moment at which they came. Where that says little (a publisher that sends faster than it plays,
//! a clock that was set), at all key frames of the files.

use bytes::Bytes;
use media::flv::scan::Bodies;
use media::flv::tag::OVERHEAD;
use media::hls::{Trace, Tracer};
use media::mp4::{self, Fragmenter, Movie};
use media::{Chunks, Kind, Packet, Role};

use super::head::Head;
use super::source::{Part, millis};
use super::tags::{Found as Next, Tag, Tags};
use super::{Cause, Error, Source};

/// How far (ms) from the moment that is told all packets are looked at.
const NEAR_MS: i64 = 3_000;
/// Files that are looked at.
const FILES: usize = 256;
/// Key frames that are looked at, of all files.
const LOOKS: usize = 10_000;
/// Places of which all packets are read.
const READS: usize = 512;
/// Tags between a place of an index and the key frame that it is about.
const APART: usize = 16;

/// Where packets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The file: its place in [`Source::segments`].
    pub segment: usize,
    /// The place of the first packet: the first byte of its tag; in MP4 see [`super::Timed::position`].
    pub position: u64,
    /// The time of that on the clock of the file,
    pub file_ms: i64,
    /// on that of the recording,
    pub recording_ms: i64,
    /// and by the clock on the wall, in ms since 1970.
    pub unix_ms: i64,
}

impl Source {
    /// Finds packets of a movie's tracks that came at about `unix_ms`; `None` where they are not.
    ///
    /// # Errors
    /// [`Error`].
    pub fn find(&self, trace: &Trace, movie: &Movie, unix_ms: i64) -> Result<Option<Found>, Error> {
        let mut order: Vec<(u64, usize)> =
            self.parts.iter().map(|part| apart(part, unix_ms)).zip(0..).collect();
        order.sort_unstable();
        order.truncate(FILES);
        let mut search = Search { source: self, trace, movie, unix_ms, looks: LOOKS, reads: READS };
        for near in [true, false] {
            for (apart_ms, segment) in &order {
                let is_meant = !near || *apart_ms <= NEAR_MS.unsigned_abs();
                if let (true, Some(found)) = (is_meant, search.of_file(*segment, near)?) {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The packets that were found as fragments, at the times that they had live; `None` where they are no longer what
    /// they were.
    ///
    /// # Errors
    /// [`Error`].
    pub fn again(
        &self,
        found: &Found,
        trace: &Trace,
        movie: &Movie,
    ) -> Result<Option<Vec<Bytes>>, Error> {
        let (mut fragmenter, mut out) = (Fragmenter::new(movie.clone()), Chunks::new());
        let (mut tracer, mut sequence, mut made) = (Tracer::default(), 0, 0);
        let mut cut = |fragmenter: &mut Fragmenter| {
            let cut = mp4::Cut { sequence: sequence + 1, styp: sequence == 0, prft_unix_ms: None };
            sequence += u32::from(fragmenter.cut(cut));
            sequence
        };
        let mut walk = Walk::new(self, found.segment, Some(found.position))?;
        let mut all = None;
        while let Some((packet, time_ms)) = walk.next()? {
            let since_ms = time_ms.saturating_sub(found.recording_ms);
            let time_ms = trace.begin_ms.saturating_add_signed(since_ms);
            if tracer.packets() == trace.packets && all.is_none() {
                all = Some(cut(&mut fragmenter));
            }
            if all.is_none() {
                tracer.push(movie, &packet, time_ms);
            }
            if all.is_some() {
                // A track that has paused is not waited for.
                fragmenter.pass(time_ms);
            }
            if fragmenter.push(&packet, time_ms) == Err(mp4::Error::PartFull) {
                // What follows only has to tell how long the last frames are.
                if all.is_some() {
                    break;
                }
                cut(&mut fragmenter);
                let _ = fragmenter.push(&packet, time_ms);
            }
            while fragmenter.poll(&mut out).is_some() {
                made += 1;
            }
            if all == Some(made) {
                break;
            }
        }
        let all = all.unwrap_or_else(|| cut(&mut fragmenter));
        fragmenter.finish();
        while made < all && fragmenter.poll(&mut out).is_some() {
            made += 1;
        }
        let is_it = tracer.trace().is_some_and(|read| read.is_same(trace));
        Ok(is_it.then(|| out.take().collect()))
    }
}

/// How far a moment is from the window of a file, in ms.
fn apart(part: &Part, unix_ms: i64) -> u64 {
    let inside = unix_ms.clamp(part.begin_unix_ms, part.end_unix_ms.max(part.begin_unix_ms));
    inside.abs_diff(unix_ms)
}

/// A place where packets may begin.
#[derive(PartialEq)]
struct Candidate {
    is_key: bool,
    file_ms: i64,
    position: u64,
}

/// A search in files.
struct Search<'a> {
    source: &'a Source,
    trace: &'a Trace,
    movie: &'a Movie,
    unix_ms: i64,
    looks: usize,
    reads: usize,
}

impl Search<'_> {
    fn of_file(&mut self, segment: usize, near: bool) -> Result<Option<Found>, Error> {
        let Some(part) = self.source.parts.get(segment) else { return Ok(None) };
        let (head, mut tags) = match open(self.source, part) {
            Ok(opened) => opened,
            Err(cause @ Cause::Unreadable(_)) => return Err(Error::Lost { cause }),
            Err(_) => return Ok(None),
        };
        let about_ms = self.unix_ms.saturating_sub(part.start_unix_ms);
        let mut places: Vec<Candidate> = Vec::new();
        let looked = match near {
            true => self.walk(&head, &mut tags, about_ms, &mut places),
            false => self.look(&head, &mut tags, &mut places),
        };
        looked.map_err(|error| Error::Lost { cause: Cause::of(&error) })?;
        // Segments begin with key frames, unless these are far apart.
        let order = |place: &Candidate| (!place.is_key, place.file_ms.abs_diff(about_ms));
        places.sort_unstable_by_key(order);
        places.dedup();
        for Candidate { file_ms, position, .. } in places {
            let Some(left) = self.reads.checked_sub(1) else { return Ok(None) };
            self.reads = left;
            let recording_ms = millis(part.segment.start_ms).saturating_add(file_ms);
            let unix_ms = part.start_unix_ms.saturating_add(file_ms);
            let found = Found { segment, position, file_ms, recording_ms, unix_ms };
            if self.is_it(&found)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// All packets near a time of a file.
    fn walk(
        &self,
        head: &Head,
        tags: &mut Tags,
        about_ms: i64,
        places: &mut Vec<Candidate>,
    ) -> std::io::Result<()> {
        let (from_ms, to_ms) = (about_ms.saturating_sub(NEAR_MS), about_ms.saturating_add(NEAR_MS));
        let entry = head.index.last_at(from_ms);
        tags.seek(entry.map_or(head.data_start, |entry| entry.position), Bodies::Skip)?;
        let mut is_first = true;
        loop {
            match tags.next()? {
                Next::Tag(tag) => {
                    if tag.packet.is_media() && tag.time_ms > to_ms {
                        return Ok(());
                    }
                    self.note(&tag, places);
                }
                // The index was read while it was overwritten.
                Next::Damage if is_first => tags.seek(head.data_start, Bodies::Skip)?,
                Next::Damage => {}
                Next::End => return Ok(()),
            }
            is_first = false;
        }
    }

    /// All key frames of a file: those of its index, and those that are too new for it.
    fn look(
        &mut self,
        head: &Head,
        tags: &mut Tags,
        places: &mut Vec<Candidate>,
    ) -> std::io::Result<()> {
        let entries = head.index.between(head.data_start, head.size_bytes);
        for entry in entries.iter().rev().take(self.looks) {
            tags.seek(entry.position, Bodies::Skip)?;
            for _ in 0..APART {
                let Next::Tag(tag) = tags.next()? else { break };
                self.note(&tag, places);
                if tag.packet.is_media() {
                    break;
                }
            }
        }
        self.looks = self.looks.saturating_sub(entries.len());
        if head.is_complete {
            return Ok(());
        }
        let last = entries.last().map_or(head.data_start, |entry| entry.position);
        tags.seek(last, Bodies::Skip)?;
        while let Next::Tag(tag) = tags.next()? {
            self.note(&tag, places);
        }
        Ok(())
    }

    /// Notes a place where the packets may begin.
    fn note(&self, tag: &Tag, places: &mut Vec<Candidate>) {
        let size_bytes = tag.size.saturating_sub(OVERHEAD);
        if tag.packet.is_media() && self.trace.may_begin(tag.packet.kind, size_bytes) {
            let (file_ms, position) = (tag.time_ms, tag.offset);
            places.push(Candidate { is_key: is_key(&tag.packet), file_ms, position });
        }
    }

    /// Reads the packets at a place.
    fn is_it(&self, found: &Found) -> Result<bool, Error> {
        let mut tracer = Tracer::default();
        let mut walk = Walk::new(self.source, found.segment, Some(found.position))?;
        while tracer.packets() < self.trace.packets {
            let Some((packet, time_ms)) = walk.next()? else { return Ok(false) };
            // Sound may be a little older than the first picture.
            let since_ms = time_ms.saturating_sub(found.recording_ms);
            let time_ms = self.trace.begin_ms.saturating_add_signed(since_ms);
            tracer.push(self.movie, &packet, time_ms);
        }
        Ok(tracer.trace().is_some_and(|read| read.is_same(self.trace)))
    }
}

/// Packets of a recording from a place on, over the ends of its files.
struct Walk<'a> {
    source: &'a Source,
    segment: usize,
    tags: Tags,
}

impl<'a> Walk<'a> {
    /// From byte `position` of a file on, or from its first tag.
    fn new(source: &'a Source, segment: usize, position: Option<u64>) -> Result<Self, Error> {
        let part = source.parts.get(segment).ok_or(Error::Nothing)?;
        let (_, mut tags) = open(source, part).map_err(|cause| Error::Lost { cause })?;
        let sought = position.map_or(Ok(()), |position| tags.seek(position, Bodies::Keep));
        sought.map_err(|error| Error::Lost { cause: Cause::of(&error) })?;
        Ok(Self { source, segment, tags })
    }

    /// The next packet of audio or video, and its time on the clock of the recording; `None` where it ends, or has not
    /// come further.
    fn next(&mut self) -> Result<Option<(Packet, i64)>, Error> {
        loop {
            let next =
                self.tags.next().map_err(|error| Error::Lost { cause: Cause::of(&error) })?;
            let Some(part) = self.source.parts.get(self.segment) else { return Ok(None) };
            match next {
                Next::Tag(tag) if tag.packet.is_media() => {
                    let time_ms = millis(part.segment.start_ms).saturating_add(tag.time_ms);
                    return Ok(Some((tag.packet, time_ms)));
                }
                Next::Tag(_) | Next::Damage => {}
                Next::End => {
                    let next = self.segment + 1;
                    let follows = |next: &&Part| next.follows(part);
                    if self.source.parts.get(next).filter(follows).is_none() {
                        return Ok(None);
                    }
                    let Ok(walk) = Walk::new(self.source, next, None) else { return Ok(None) };
                    *self = walk;
                }
            }
        }
    }
}

/// Opens a file, at its first tag.
fn open(source: &Source, part: &Part) -> Result<(Head, Tags), Cause> {
    let (head, file) = Head::open(&*source.disk, &part.segment)?;
    let tags = Tags::new(file, &head, head.size_bytes, Bodies::Keep);
    Ok((head.clone(), tags.map_err(|error| Cause::of(&error))?))
}

/// Whether playing can begin with a packet.
pub(super) fn is_key(packet: &Packet) -> bool {
    packet.kind == Kind::Video && packet.role == Role::Key
}
