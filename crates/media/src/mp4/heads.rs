//! Reads a part of a recording by what stands before its samples: which messages it has, and where
//! in the file the bytes of each are.
//!
//! [`super::scan`] gives the same messages of all bytes of a file; this is for who wants some of them,
//! or no more of them than their heads. Samples are not looked at, so damage inside of one cannot be
//! told.

use bytes::Bytes;

use super::log::{self, Piece};
use super::parse::{self, Fields, Run};
use super::scan::{FaultKind, LOG_MAX, MOOF_MAX};
use super::{TRACKS_MAX, size};
use crate::Packet;

/// What stands at a place of a file.
#[derive(Debug)]
pub enum Found {
    /// So many bytes from there on are needed to tell.
    More(usize),
    /// A part.
    Part(Part),
    /// The index of a finished file.
    Index,
    /// Nothing that a recording has there.
    Fault(FaultKind),
}

/// A part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its bytes, with the [`END_BYTES`] at its end. Unless these are [`is_end`], it is not whole.
    pub size_bytes: u64,
    /// Its messages in their order.
    pub messages: Vec<Message>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message, at its time from the start of the file. If it has samples, of its body only what
    /// stands before the first one, and one byte, which need not be right.
    pub head: Packet,
    /// Bytes of its body.
    pub size_bytes: usize,
    /// Whether the body is whole.
    pub is_whole: bool,
    /// Where its bytes are, in their order.
    pub spans: Vec<Span>,
}

/// Bytes of a message that stand side by side in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where they begin in the body.
    pub at: usize,
    /// Where they begin in the file.
    pub position: u64,
    /// How many they are.
    pub len: usize,
    /// What they are.
    pub content: Content,
}

/// What bytes of a message are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// No sample: these bytes.
    Literal(Bytes),
    /// A sample.
    Sample {
        /// The place of its track in the movie.
        track: usize,
        /// The samples of the track end there: they stand side by side.
        until: u64,
    },
}

impl Message {
    /// Puts the body together; `read` puts the bytes of a span, which is a sample, behind those that
    /// are there.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read<E>(
        &self,
        mut read: impl FnMut(&Span, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Packet, E> {
        if self.is_whole {
            return Ok(self.head.clone());
        }
        let mut body = Vec::with_capacity(self.size_bytes);
        for span in &self.spans {
            match &span.content {
                Content::Literal(bytes) => body.extend_from_slice(bytes),
                Content::Sample { .. } => read(span, &mut body)?,
            }
        }
        Ok(Packet::new(self.head.kind, self.head.dts_ms, body.into()))
    }

    /// Whether it has one sample, and nothing behind that.
    pub fn is_plain(&self) -> bool {
        let is_sample = |span: &Span| matches!(span.content, Content::Sample { .. });
        let samples = self.spans.iter().filter(|span| is_sample(span)).count();
        samples == 1 && self.spans.last().is_some_and(is_sample)
    }
}

/// Bytes at the end of a part, which are written last.
pub const END_BYTES: usize = log::END.len();

/// Whether bytes are those at the end of a part.
pub fn is_end(bytes: &[u8]) -> bool {
    bytes == log::END
}

/// The ids of the tracks of the `moov` before the parts, a whole box, in its order.
pub fn tracks(moov: &[u8]) -> Option<Vec<u32>> {
    let moov = parse::find(moov, &[b"moov"])?;
    let traks = parse::children(moov).filter(|(name, _)| name == b"trak");
    let id = |(_, trak)| {
        let mut tkhd = Fields(parse::find(trak, &[b"tkhd"])?);
        tkhd.skip(20)?;
        tkhd.u32()
    };
    let ids: Option<Vec<u32>> = traks.map(id).collect();
    ids.filter(|ids| ids.len() <= TRACKS_MAX)
}

/// Reads what begins at `at` in the file; `bytes` are those from there on. `tracks` are those of
/// [`tracks`].
pub fn part(bytes: &Bytes, at: u64, tracks: &[u32]) -> Found {
    match try_part(bytes, at, tracks) {
        Ok(part) => Found::Part(part),
        Err(found) => found,
    }
}

/// Bytes that tell what a box is: its head, and a user type.
const LOOK: usize = 32;

fn try_part(bytes: &Bytes, at: u64, tracks: &[u32]) -> Result<Part, Found> {
    let (first, log_bytes) = next(bytes, 0)?;
    let log_end = match &first.name {
        b"moov" => return Err(Found::Index),
        b"uuid" => all(bytes, 0, log_bytes, LOG_MAX)?,
        name => return Err(Found::Fault(FaultKind::Box(*name))),
    };
    let wrong = || Found::Fault(FaultKind::Part);
    let content = bytes.get(first.bytes..log_end).and_then(|box_| box_.strip_prefix(&log::ID));
    let log = bytes.slice_ref(content.ok_or_else(wrong)?);
    let mut place = log_end;
    let (mut head, mut whole) = next(bytes, place)?;
    if &head.name == b"prft" {
        place = all(bytes, place, whole, LOOK as u64)?;
        (head, whole) = next(bytes, place)?;
    }
    let (mut runs, mut end) = (Vec::new(), size(place));
    if &head.name == b"moof" {
        let moof = place;
        place = all(bytes, moof, whole, MOOF_MAX)?;
        let content = bytes.get(moof + head.bytes..place).unwrap_or_default();
        let found = parse::runs(content).ok_or_else(wrong)?;
        let (mdat, whole) = next(bytes, place)?;
        let media = size(place + mdat.bytes);
        end = size(place).checked_add(whole).ok_or_else(wrong)?;
        if &mdat.name != b"mdat" {
            return Err(Found::Fault(FaultKind::Box(mdat.name)));
        }
        let tracks = tracks.iter().map(|id| found.iter().find(|run| run.track == *id));
        let samples = |run: Option<&Run>| Samples::of(run, (at, size(moof)), media..end);
        runs = tracks.map(samples).collect::<Option<_>>().ok_or_else(wrong)?;
    }
    let messages = read(&log, at + size(log_end - log.len()), runs).ok_or_else(wrong)?;
    Ok(Part { size_bytes: end + size(END_BYTES), messages })
}

/// The head of the box that begins at a place, and its size.
fn next(bytes: &Bytes, place: usize) -> Result<(parse::Head, u64), Found> {
    let rest = bytes.get(place..).unwrap_or_default();
    let Some(head) = parse::head(rest) else { return Err(Found::More(place + LOOK)) };
    let head = head.ok_or(Found::Fault(FaultKind::Part))?;
    let whole = head.size.ok_or(Found::Fault(FaultKind::Box(head.name)))?;
    Ok((head, whole))
}

/// Where a box ends of which all has to be there, and which has at most so many bytes.
fn all(bytes: &Bytes, place: usize, whole: u64, most: u64) -> Result<usize, Found> {
    let whole = usize::try_from(whole).ok().filter(|_| whole <= most);
    let end = whole.and_then(|whole| place.checked_add(whole));
    let end = end.ok_or(Found::Fault(FaultKind::Part))?;
    if bytes.len() < end { Err(Found::More(end + LOOK)) } else { Ok(end) }
}

/// The samples of a track that were not yet named.
struct Samples {
    sizes: std::vec::IntoIter<parse::Raw>,
    position: u64,
    until: u64,
}

impl Samples {
    /// `None` when they are not where the bytes of samples are; `at` is where the part begins in the
    /// file, and its `moof` in the part; `media`, in the part too.
    fn of(run: Option<&Run>, (at, moof): (u64, u64), media: std::ops::Range<u64>) -> Option<Self> {
        let Some(run) = run else {
            return Some(Self { sizes: Vec::new().into_iter(), position: 0, until: 0 });
        };
        let start = moof.checked_add(size(run.offset))?;
        let bytes: u64 = run.samples.iter().map(|sample| u64::from(sample.size)).sum();
        let end = start.checked_add(bytes)?;
        let is_inside = media.start <= start && end <= media.end;
        let (position, until) = (at.checked_add(start)?, at.checked_add(end)?);
        is_inside.then(|| Self { sizes: run.samples.clone().into_iter(), position, until })
    }

    fn next(&mut self, track: usize, at: usize) -> Option<Span> {
        let len = usize::try_from(self.sizes.next()?.size).ok()?;
        let position = self.position;
        self.position += size(len);
        Some(Span { at, position, len, content: Content::Sample { track, until: self.until } })
    }
}

/// The messages of a part whose log begins at `at` in the file. `None` when it cannot be read, or
/// does not name each sample once.
fn read(log: &Bytes, at: u64, mut runs: Vec<Samples>) -> Option<Vec<Message>> {
    let mut messages = Vec::new();
    for message in log::messages(log) {
        let log::Message { kind, time_ms, pieces } = message?;
        let (mut spans, mut body) = (Vec::new(), 0_usize);
        for piece in pieces {
            let span = match piece {
                Piece::Literal([]) => continue,
                Piece::Literal(bytes) => {
                    let before = bytes.as_ptr().addr() - log.as_ptr().addr();
                    let content = Content::Literal(log.slice_ref(bytes));
                    Span { at: body, position: at + size(before), len: bytes.len(), content }
                }
                Piece::Sample(track) => runs.get_mut(track)?.next(track, body)?,
            };
            body = body.checked_add(span.len)?;
            spans.push(span);
        }
        let literal = match spans.first().map(|span| &span.content) {
            Some(Content::Literal(bytes)) => bytes.clone(),
            _ => Bytes::new(),
        };
        let is_whole = literal.len() == body;
        let head = match is_whole {
            true => literal,
            false => [&literal[..], &[0]].concat().into(),
        };
        let missing = body.saturating_sub(head.len());
        let head = Packet::of_head(kind, time_ms, head, missing);
        messages.push(Message { head, size_bytes: body, is_whole, spans });
    }
    runs.iter().all(|run| run.sizes.as_slice().is_empty()).then_some(messages)
}
