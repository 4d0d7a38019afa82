//! Packets of a range, segment by segment.
//!
//! The same steps serve two ends. *Reading* gives every packet. *Planning* gives the heads of
//! packets near the ends of the range and near the starts of segments, and jumps over what is
//! between, where all is taken. What a plan has found out, a reader can be held to ([`Piece`]), so
//! that it comes to the same bytes even if a file has grown meanwhile.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use media::flv::mux::{Muxer, Options};
use media::flv::scan::Bodies;
use media::{Header, Kind, Role};

use super::head::Head;
use super::item::{Cause, Gap, Item, Timed};
use super::locate::{APART_MS, OPENING_MS, Start, locate};
use super::select::{LEAD_MS, Select, Verdict};
use super::source::{Part, Range, Source, millis};
use super::tags::{Found, Tag, Tags};
use crate::{Amount, Cut, Disk, Format, RecordingId};

/// What happens next.
#[derive(Debug)]
pub(super) enum Step {
    /// Something of the range.
    Item(Item),
    /// A segment was opened; what a plan has to keep of it.
    Opened { segment: usize, start: Option<Start>, head: Arc<Head>, clock_ms: i64 },
    /// All from byte `from` to byte `to` of the open segment is taken; its last packet is at
    /// `until_ms` on the reader's clock, if that is known.
    Jumped { from: u64, to: u64, until_ms: Option<i64> },
    /// The open segment is read up to this byte; the cause, if the disk gave no more.
    Closed { end: u64, cause: Option<Cause> },
}

/// What a plan fixed of a segment.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Its place among the segments.
    pub(super) segment: usize,
    /// Where the range begins in it, if it does.
    pub(super) start: Option<Start>,
    /// Where it is read to.
    pub(super) end: u64,
}

/// Gives the packets of a range, and what is missing of it: [`Item::Header`] once, then packets
/// and gaps as they come. Of a growing file what is whole.
///
/// It blocks as its disk does, and holds one file at a time.
pub struct Reader {
    disk: Arc<dyn Disk>,
    parts: Arc<[Part]>,
    range: Range,
    /// What is read of packets.
    bodies: Bodies,
    /// Whether what is taken anyway is passed over.
    jumps: bool,
    /// What an earlier plan found, by segment.
    pieces: Option<Arc<[Piece]>>,
    next: usize,
    open: Option<Open>,
    ready: VecDeque<Step>,
    header: Header,
    /// The configurations that the newest segment began with.
    known: Header,
    is_begun: bool,
    before: Option<Before>,
    /// Segments that could not be read since then.
    lost: Option<(i64, Cause)>,
    is_over: bool,
}

/// The segment that is being read.
struct Open {
    segment: usize,
    head: Arc<Head>,
    tags: Tags,
    select: Select,
    /// On the reader's clock, the file's 0.
    clock_ms: i64,
    /// Packets of the header that may still come.
    repeated: u64,
    /// Its configurations come up to here on its own clock.
    opening_ms: i64,
    /// What of an MP4 file's metadata FLV has in no packet of its own.
    merged: Option<Box<Muxer>>,
    /// The next of the gaps inside.
    gap: usize,
    is_damaged: bool,
    /// Whether the rest was jumped over, or a part.
    has_jumped: bool,
    newest_ms: i64,
}

/// Where the segment before ended.
#[derive(Debug, Clone, Copy)]
struct Before {
    recording: RecordingId,
    number: u32,
    start_ms: u64,
    start_unix_ms: i64,
    end_unix_ms: i64,
    clock_ms: i64,
    length_ms: i64,
    is_damaged: bool,
}

impl Reader {
    pub(super) fn new(source: &Source, range: Range) -> Self {
        let parts = source.parts.clone();
        let next = parts.partition_point(|part| part.end_unix_ms <= range.from_unix_ms);
        let (open, ready, header, known, before, lost) = Default::default();
        Self {
            disk: source.disk.clone(),
            parts,
            range,
            bodies: Bodies::Keep,
            jumps: false,
            pieces: None,
            next,
            open,
            ready,
            header,
            known,
            is_begun: false,
            before,
            lost,
            is_over: false,
        }
    }

    /// One that finds out what there is.
    pub(super) fn planning(source: &Source, range: Range) -> Self {
        Self { jumps: true, ..Self::heads(source, range) }
    }

    /// One that gives each packet, and of a long one the first bytes
    /// ([`Bodies::Skip`]).
    pub(super) fn heads(source: &Source, range: Range) -> Self {
        Self { bodies: Bodies::Skip, ..Self::new(source, range) }
    }

    /// One that keeps to what was found out.
    pub(super) fn of_plan(source: &Source, range: Range, pieces: Arc<[Piece]>) -> Self {
        Self { pieces: Some(pieces), ..Self::new(source, range) }
    }

    /// Does one thing; `None` at the end.
    pub(super) fn step(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.ready.pop_front() {
                return Some(step);
            }
            if self.open.is_some() {
                self.read();
            } else if self.is_over {
                return None;
            } else {
                self.open_next();
            }
        }
    }

    fn give(&mut self, item: Item) {
        self.ready.push_back(Step::Item(item));
    }

    /// Opens the next segment. Where there is none in the range it is over.
    fn open_next(&mut self) {
        let parts = self.parts.clone();
        let number = self.next;
        let part = parts.get(number).filter(|part| part.begin_unix_ms < self.range.to_unix_ms);
        let Some(part) = part else { return self.end() };
        self.next += 1;
        if let Err(cause) = self.try_open(number, part) {
            let since = self.before.map_or(part.begin_unix_ms, |before| before.end_unix_ms);
            let since = since.max(self.range.from_unix_ms);
            self.lost.get_or_insert((since, cause));
        }
    }

    fn try_open(&mut self, number: usize, part: &Part) -> Result<(), Cause> {
        let (head, file) = Head::open(&*self.disk, &part.segment)?;
        let piece = self.pieces.as_ref().and_then(|pieces| {
            let at = pieces.binary_search_by_key(&number, |piece| piece.segment).ok()?;
            pieces.get(at).cloned()
        });
        if self.pieces.is_some() && piece.is_none() {
            return Err(Cause::Missing);
        }
        let end = piece.as_ref().map_or(head.size_bytes, |piece| piece.end.min(head.size_bytes));
        let bodies = self.bodies;
        let failed = |error: io::Error| Cause::of(&error);
        let mut tags = Tags::new(file, &head, end, bodies).map_err(failed)?;
        let mut select = Select::new(self.range, head.has_video, head.has_audio);
        let from_ms = self.range.from_unix_ms.saturating_sub(part.start_unix_ms);
        let mut start = None;
        if part.begin_unix_ms > part.start_unix_ms {
            select.join(part.begin_unix_ms);
        }
        // What another recording has before it is not in this one's range.
        let is_inside = self.range.from_unix_ms > part.begin_unix_ms;
        if from_ms > 0 && is_inside && !self.is_begun {
            let found = match piece.and_then(|piece| piece.start) {
                Some(start) => Some(start),
                None => locate(&mut tags, &head, from_ms, self.range.cut).map_err(failed)?,
            };
            // It grows, and is not there yet.
            let Some(found) = found else { return Ok(()) };
            select.begin(found.key);
            self.header = found.header.clone();
            self.known = found.header.clone();
            tags.seek(found.position, bodies).map_err(failed)?;
            start = Some(found);
        }
        self.opened(number, part, head, tags, select, start);
        Ok(())
    }

    fn opened(
        &mut self,
        number: usize,
        part: &Part,
        head: Head,
        tags: Tags,
        select: Select,
        start: Option<Start>,
    ) {
        let head = Arc::new(head);
        let clock_ms = self.clock_of(part, &head);
        self.tell_gap(part, &head);
        let segment = &part.segment;
        self.before = Some(Before {
            recording: segment.recording,
            number: segment.number,
            start_ms: segment.start_ms,
            start_unix_ms: part.start_unix_ms,
            end_unix_ms: part.end_unix_ms,
            clock_ms,
            length_ms: part.length_ms(),
            is_damaged: false,
        });
        let reads_start = tags.position() == head.data_start;
        let opening = Step::Opened { segment: number, start, head: head.clone(), clock_ms };
        self.ready.push_back(opening);
        let has_header = head.repeated > 0;
        let mut merged = (head.format == Format::Mp4).then(|| Muxer::new(Options::default()));
        if let Some((merged, metadata)) = merged.as_mut().zip(self.header.metadata())
            && !reads_start
        {
            merged.observe(metadata, 0, 0);
        }
        self.open = Some(Open {
            segment: number,
            tags,
            select,
            clock_ms,
            repeated: if reads_start { head.repeated } else { 0 },
            opening_ms: if has_header || !reads_start { -1 } else { OPENING_MS },
            merged: merged.map(Box::new),
            gap: 0,
            is_damaged: false,
            has_jumped: false,
            newest_ms: 0,
            head,
        });
    }

    /// Where a segment's file begins on the reader's clock.
    fn clock_of(&self, part: &Part, head: &Head) -> i64 {
        let Some(before) = self.before else { return part.start_unix_ms };
        if before.recording != part.segment.recording {
            // By the wall, and what is before its window is not in the range.
            let left_out_ms = part.begin_unix_ms.saturating_sub(part.start_unix_ms);
            let end_ms = before.clock_ms.saturating_add(before.length_ms);
            return part.start_unix_ms.max(end_ms.saturating_sub(left_out_ms));
        }
        let passed_ms = part.start_unix_ms.saturating_sub(before.start_unix_ms);
        let by_wall = before.clock_ms.saturating_add(passed_ms);
        let passed_ms = millis(part.segment.start_ms).saturating_sub(millis(before.start_ms));
        let by_stream = before.clock_ms.saturating_add(passed_ms);
        if head.about.cut == Cut::TimeJump { by_wall.max(by_stream) } else { by_stream }
    }

    /// Tells what is missing between the segment before and this one.
    fn tell_gap(&mut self, part: &Part, head: &Head) {
        let to_unix_ms = part.begin_unix_ms;
        if let Some((from_unix_ms, cause)) = self.lost.take() {
            let dropped = Amount::default();
            return self.give(Item::Gap(Gap { from_unix_ms, to_unix_ms, cause, dropped }));
        }
        let Some(before) = self.before else { return };
        let from_unix_ms = before.end_unix_ms.min(to_unix_ms);
        let is_same = before.recording == part.segment.recording;
        let is_next = is_same && before.number.saturating_add(1) == part.segment.number;
        let (cause, dropped) = match head.about.gap_before {
            _ if before.is_damaged => (Cause::Damaged, Amount::default()),
            Some(gap) if is_next => (Cause::Recording(gap.reason), gap.dropped),
            _ if is_next => (Cause::Clock, Amount::default()),
            _ if is_same => (Cause::Missing, Amount::default()),
            _ => (Cause::NotRecorded, Amount::default()),
        };
        if from_unix_ms < to_unix_ms || dropped != Amount::default() {
            self.give(Item::Gap(Gap { from_unix_ms, to_unix_ms, cause, dropped }));
        }
    }

    /// Comes to the end, maybe with segments that could not be read.
    fn end(&mut self) {
        self.is_over = true;
        let damaged = self.before.filter(|before| before.is_damaged);
        let damaged = damaged.map(|before| (before.end_unix_ms, Cause::Damaged));
        let Some((from_unix_ms, cause)) = self.lost.take().or(damaged) else { return };
        let last = self.next.checked_sub(1).and_then(|last| self.parts.get(last));
        let to_unix_ms = last.map_or(i64::MAX, |part| part.end_unix_ms);
        let to_unix_ms = to_unix_ms.min(self.range.to_unix_ms);
        let dropped = Amount::default();
        self.give(Item::Gap(Gap { from_unix_ms, to_unix_ms, cause, dropped }));
    }

    fn read(&mut self) {
        let Some(open) = &mut self.open else { return };
        match open.tags.next() {
            Ok(Found::Tag(tag)) => self.see(tag),
            Ok(Found::Damage) => open.is_damaged = true,
            Ok(Found::End) => self.close(None),
            Err(error) => self.close(Some(Cause::of(&error))),
        }
    }

    /// Ends the open segment, for a reason if it was not all of it.
    fn close(&mut self, cause: Option<Cause>) {
        let end = self.open.as_ref().map_or(0, |open| open.tags.position());
        self.close_at(end, cause);
    }

    fn close_at(&mut self, end: u64, cause: Option<Cause>) {
        let Some(open) = self.open.take() else { return };
        self.ready.push_back(Step::Closed { end, cause: cause.clone() });
        let Some(part) = self.parts.get(open.segment) else { return };
        let newest = part.unix_ms(open.newest_ms);
        if let Some(cause) = cause {
            self.lost.get_or_insert((newest, cause));
        }
        // One that is shorter than it says was cut off.
        let is_cut_off = open.head.is_complete && !open.head.is_whole;
        if (open.is_damaged || is_cut_off)
            && let Some(before) = &mut self.before
        {
            before.end_unix_ms = newest;
            before.is_damaged = true;
        }
    }

    fn see(&mut self, tag: Tag) {
        let parts = self.parts.clone();
        let Some(open) = &mut self.open else { return };
        let Some(part) = parts.get(open.segment) else { return };
        let file_ms = tag.time_ms;
        let unix_ms = part.unix_ms(file_ms);
        let is_header = matches!(tag.packet.role, Role::Config | Role::Metadata);
        // In FLV that is in what the file says of itself.
        let is_merged = open.merged.as_mut().is_some_and(|muxer| muxer.observe(&tag.packet, 0, 0));
        let is_repeated = is_header && (tag.packet.kind != Kind::Data || is_merged);
        if is_repeated && open.repeated > 0 {
            open.repeated -= 1;
            self.header.push(&tag.packet);
            if is_merged {
                return;
            }
            if self.known.push(&tag.packet) && self.is_begun {
                self.take(tag, unix_ms, false);
            }
            return;
        }
        if is_merged {
            self.header.push(&tag.packet);
            return;
        }
        open.repeated = 0;
        if part.cut_ms().is_some_and(|cut_ms| file_ms >= cut_ms)
            && open.select.is_place(&tag.packet)
        {
            return self.close_at(tag.offset, None);
        }
        let verdict = open.select.see(&tag.packet, unix_ms, tag.offset);
        if verdict == Verdict::End {
            self.is_over = true;
            self.ready.push_back(Step::Closed { end: tag.offset, cause: None });
            self.open = None;
            return;
        }
        if file_ms <= open.opening_ms {
            self.known.push(&tag.packet);
        }
        if tag.packet.is_media() {
            self.tell_gaps_inside(part, file_ms);
        }
        if verdict == Verdict::Pass {
            if is_header {
                self.header.push(&tag.packet);
            }
            return;
        }
        let is_media = tag.packet.is_media();
        self.take(tag, unix_ms, verdict == Verdict::Before);
        if is_media && self.jumps {
            self.jump(part, file_ms, unix_ms);
        }
    }

    /// Gives a packet of the range.
    fn take(&mut self, tag: Tag, unix_ms: i64, is_before: bool) {
        let Some(open) = &mut self.open else { return };
        let file_ms = tag.time_ms;
        let mut packet = tag.packet;
        if let Err(error) = open.tags.reveal(&mut packet, &tag.place) {
            return self.close(Some(Cause::of(&error)));
        }
        packet.dts_ms = open.clock_ms.saturating_add(file_ms);
        let timed = Timed {
            packet,
            unix_ms,
            is_before,
            segment: open.segment,
            position: tag.offset,
            size_bytes: tag.size,
            place: tag.place,
        };
        if !std::mem::replace(&mut self.is_begun, true) {
            self.ready.push_back(Step::Item(Item::Header(self.header.clone())));
        }
        self.header.push(&timed.packet);
        self.give(Item::Packet(timed));
    }

    /// Tells the gaps inside the file up to a packet, and damage before it.
    fn tell_gaps_inside(&mut self, part: &Part, file_ms: i64) {
        let Some(open) = &mut self.open else { return };
        let before_ms = open.newest_ms;
        open.newest_ms = before_ms.max(file_ms);
        if std::mem::take(&mut open.is_damaged) && self.is_begun {
            self.ready.push_back(Step::Item(Item::Gap(Gap {
                from_unix_ms: part.unix_ms(before_ms),
                to_unix_ms: part.unix_ms(file_ms),
                cause: Cause::Damaged,
                dropped: Amount::default(),
            })));
        }
        while let Some(gap) = open.head.gaps.get(open.gap) {
            let end_ms = millis(gap.at_ms.saturating_add(gap.length_ms));
            if end_ms > file_ms {
                break;
            }
            open.gap += 1;
            if part.unix_ms(end_ms) > self.range.from_unix_ms {
                self.ready.push_back(Step::Item(Item::Gap(Gap {
                    from_unix_ms: part.unix_ms(millis(gap.at_ms)),
                    to_unix_ms: part.unix_ms(end_ms),
                    cause: Cause::Recording(gap.reason),
                    dropped: gap.dropped,
                })));
            }
        }
    }

    /// A plan passes over what is taken anyway: to the end of a segment that lies in the range, or
    /// to near the end of the range.
    fn jump(&mut self, part: &Part, file_ms: i64, unix_ms: i64) {
        let is_last = self.next >= self.parts.len();
        let Some(open) = &mut self.open else { return };
        // Of MP4 only the messages themselves tell how long they are as tags.
        let is_mp4 = open.head.format == Format::Mp4;
        if is_mp4
            || open.has_jumped
            || file_ms <= open.opening_ms
            || !open.select.is_steady(unix_ms)
        {
            return;
        }
        let from = open.tags.position();
        let is_whole = open.head.is_whole && !is_last && !part.is_cut;
        let end = if part.is_cut { part.end_unix_ms } else { i64::MAX };
        let before_end = self.range.to_unix_ms.min(end).saturating_sub(LEAD_MS);
        let is_inside = is_whole && part.end_unix_ms <= before_end;
        let (to, to_ms, until_ms) = if is_inside {
            let length_ms = part.length_ms();
            let until_ms = open.clock_ms.saturating_add(length_ms);
            (open.head.size_bytes, length_ms, Some(until_ms))
        } else {
            let near_ms = before_end.saturating_sub(part.start_unix_ms);
            match open.head.index.last_at(near_ms) {
                Some(entry) => (entry.position, entry.time_ms, None),
                None => return,
            }
        };
        if to <= from || to > open.head.size_bytes {
            return;
        }
        open.has_jumped = true;
        if open.tags.seek(to, Bodies::Skip).is_err() {
            return;
        }
        // An index may have been read while it was overwritten.
        let is_place = |tag: &Tag| tag.offset == to && (tag.time_ms - to_ms).abs() <= APART_MS;
        if !is_inside && !matches!(open.tags.next(), Ok(Found::Tag(tag)) if is_place(&tag)) {
            let _ = open.tags.seek(from, Bodies::Skip);
            return;
        }
        if open.tags.seek(to, Bodies::Skip).is_err() {
            return;
        }
        self.ready.push_back(Step::Jumped { from, to, until_ms });
        self.tell_gaps_inside(part, to_ms);
    }
}

impl Iterator for Reader {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Step::Item(item) = self.step()? {
                return Some(item);
            }
        }
    }
}
