//! One FLV file of a range, in pieces of bytes.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use media::flv::sized::{put_filler, put_tag};
use media::flv::video;
use media::{Kind, Packet};

use super::item::{Cause, Item, Timed};
use super::plan::{Book, Info, Plan};
use super::reader::{Reader, Step};
use super::{Error, Range, Source};

/// One file of a range: header, `onMetaData`, codec configuration, packets with times from 0 on.
///
/// What was received stays what it is, bit for bit; across reconnects and jumps of the encoder's clock
/// the times go on by the wall clock, so that a gap is as long as it was. The size is known before
/// the first byte, and kept to: where bytes of a segment turn out to be damaged, as many bytes of
/// script tags named `onGap` stand in their place.
///
/// [`super::Cut::Exact`]: the video from the key frame before the range on is there at time 0, so that
/// decoders can run through it. Of those frames alone the composition time is another: each is
/// shown at 0, or when it was to be shown in the range. Audio and data begin in the range. What
/// players make of that is in `docs/design/range.md`.
///
/// An iterator over pieces of about 256 KiB; after an error it ends. It blocks as the disk does.
pub struct Flv {
    source: Source,
    reader: Reader,
    plan: Plan,
    opening: Option<Bytes>,
    out: BytesMut,
    /// The piece that is being read: its place in the plan, and how far it is.
    piece: Option<Progress>,
    held: Option<Timed>,
    /// Pieces that are done.
    done: usize,
    /// The newest times in the file, of all and of each track.
    newest_ms: u32,
    tracks: BTreeMap<(Kind, u8), u32>,
    is_over: bool,
}

/// How far a piece is.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// Bytes put out.
    bytes: u64,
    /// Where the next tag should be in the segment, once one was there.
    next: Option<u64>,
    /// Bytes that are missing and not yet filled.
    owed: u64,
    /// Whether the segment has no more.
    is_read: bool,
}

/// Pieces are about so large, in bytes.
const PIECE_BYTES: usize = 256 << 10;

impl Flv {
    pub(super) fn new(source: &Source, range: Range) -> Result<Self, Error> {
        let mut plan = Plan::new(source, range)?;
        let opening = std::mem::take(&mut plan.opening);
        Ok(Self {
            source: source.clone(),
            reader: Reader::of_plan(source, range, plan.pieces.clone()),
            plan,
            opening: Some(opening.into()),
            out: BytesMut::new(),
            piece: None,
            held: None,
            done: 0,
            newest_ms: 0,
            tracks: BTreeMap::new(),
            is_over: false,
        })
    }

    /// What the file is.
    pub fn info(&self) -> &Info {
        &self.plan.info
    }

    /// Does one thing. Returns false at the end.
    fn step(&mut self) -> Result<bool, Error> {
        if self.fill() {
            return Ok(true);
        }
        if let Some(timed) = self.held.take() {
            self.put(&timed)?;
            return Ok(true);
        }
        if self.piece.is_some_and(|progress| progress.is_read) {
            self.close()?;
            return Ok(true);
        }
        match self.reader.step() {
            Some(Step::Opened { segment, .. }) => self.open(segment)?,
            Some(Step::Item(Item::Packet(timed))) => self.take(timed),
            Some(Step::Closed { cause, .. }) => self.end_piece(cause.as_ref())?,
            Some(_) => {}
            None => {
                while self.done < self.plan.pieces.len() {
                    self.pass()?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn open(&mut self, segment: usize) -> Result<(), Error> {
        while self.plan.pieces.get(self.done).is_some_and(|piece| piece.segment < segment) {
            self.pass()?;
        }
        self.piece = Some(Progress::default());
        Ok(())
    }

    /// Ends a piece that nothing was read of.
    fn pass(&mut self) -> Result<(), Error> {
        if self.book().bytes > 0 {
            return Err(self.changed("it cannot be read any more"));
        }
        self.done += 1;
        Ok(())
    }

    /// Takes a packet, which waits until the place of what is missing before it is filled.
    fn take(&mut self, timed: Timed) {
        let whole = self.book().whole;
        let Some(progress) = &mut self.piece else { return };
        if let Some((from, to)) = whole
            && let Some(next) = progress.next.filter(|next| (from..to).contains(next))
        {
            let missing = timed.position.min(to).saturating_sub(next);
            progress.owed = progress.owed.saturating_add(missing);
        }
        progress.next = Some(timed.position.saturating_add(timed.size_bytes));
        self.held = Some(timed);
    }

    fn put(&mut self, timed: &Timed) -> Result<(), Error> {
        let since_ms = timed.packet.dts_ms.saturating_sub(self.plan.origin_ms);
        let mut time_ms = u32::try_from(since_ms.max(0)).unwrap_or(u32::MAX);
        if timed.packet.is_media() {
            // A publisher that returns may overlap with what it sent before, by a little.
            let newest = self.tracks.entry((timed.packet.kind, timed.packet.track)).or_default();
            time_ms = time_ms.max(*newest);
            *newest = time_ms;
        }
        self.newest_ms = self.newest_ms.max(time_ms);
        let shown = timed.is_before.then(|| shown_in_range(&timed.packet, since_ms)).flatten();
        // One that is too long for a tag did not come out of one.
        let _ = put_tag(shown.as_ref().unwrap_or(&timed.packet), time_ms, &mut self.out);
        let planned = self.book().bytes;
        let Some(progress) = &mut self.piece else { return Ok(()) };
        progress.bytes = progress.bytes.saturating_add(timed.size_bytes);
        if progress.bytes > planned {
            return Err(self.changed("it has more than it had"));
        }
        Ok(())
    }

    /// Puts something in the place of what is missing. Returns false when there is nothing, or too
    /// little.
    fn fill(&mut self) -> bool {
        let Some(progress) = &mut self.piece else { return false };
        let filled = put_filler(progress.owed, self.newest_ms, &mut self.out);
        progress.owed -= filled;
        progress.bytes = progress.bytes.saturating_add(filled);
        filled > 0
    }

    /// The segment has no more.
    fn end_piece(&mut self, cause: Option<&Cause>) -> Result<(), Error> {
        if let Some(cause) = cause {
            return Err(self.changed(&cause.to_string()));
        }
        let planned = self.book().bytes;
        if let Some(progress) = &mut self.piece {
            progress.owed = planned.saturating_sub(progress.bytes);
            progress.is_read = true;
        }
        Ok(())
    }

    /// Ends a piece that was read and filled.
    fn close(&mut self) -> Result<(), Error> {
        if self.piece.take().is_some_and(|progress| progress.owed > 0) {
            return Err(self.changed("it has less than it had"));
        }
        self.done += 1;
        Ok(())
    }

    fn book(&self) -> Book {
        self.plan.books.get(self.done).copied().unwrap_or_default()
    }

    /// The piece is not what it was.
    fn changed(&self, reason: &str) -> Error {
        let piece = self.plan.pieces.get(self.done);
        let part = piece.and_then(|piece| self.source.parts.get(piece.segment));
        let path = part.map(|part| part.segment.path.clone()).unwrap_or_default();
        Error::Changed { path, reason: reason.to_owned() }
    }
}

/// A frame from before the range, which is decoded at time 0, made to be shown when it was to be
/// shown, but not before 0; `None` when it is so already. `since_ms` is its decoding time.
fn shown_in_range(packet: &Packet, since_ms: i64) -> Option<Packet> {
    let tag = video::parse(&packet.body)?;
    let shown_ms = since_ms.saturating_add(tag.composition_time_ms.into()).max(0);
    let shown_ms = i32::try_from(shown_ms).ok().filter(|ms| *ms != tag.composition_time_ms)?;
    let body = video::recomposed(&packet.body, shown_ms)?;
    Some(Packet { body: body.into(), ..packet.clone() })
}

impl Iterator for Flv {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(opening) = self.opening.take() {
            return Some(Ok(opening));
        }
        while !self.is_over && self.out.len() < PIECE_BYTES {
            match self.step() {
                Ok(true) => {}
                Ok(false) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    self.out.clear();
                    return Some(Err(error));
                }
            }
        }
        let piece = self.out.split().freeze();
        (!piece.is_empty()).then_some(Ok(piece))
    }
}
