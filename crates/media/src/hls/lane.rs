//! One track of a stream as segments of its own: a rendition, as far as it is known where it is cut.
//!
//! The segmenter marks where segments begin, in the one time that all tracks share, and says how far the stream has
//! come. A lane keeps what is newer: sound begins a segment with the first sample behind a mark, pictures with the key
//! frame next to it, for what is encoded apart may begin some ms before or after. Each mark becomes one segment, of
//! which a track that sends nothing has a gap: so the same numbers are about the same, and as many discontinuities
//! come before them. Parts are the lane's own, so that they fill their target.

use std::collections::VecDeque;
use std::sync::Arc;

use super::segmenter::{JITTER_MS, SILENCE_MS};
use super::{Begin, Init, Piece, Trace, Tracer, TrackName};
use crate::mp4::{self, Cut, Fragmenter, LOOKAHEAD_MS, Movie};
use crate::{Chunks, Kind, Packet, flv};

/// How long what is made may be, in ms.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// Of parts.
    pub(super) part_ms: u64,
    /// Of segments.
    pub(super) segment_ms: u64,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) name: TrackName,
    /// The number of its first segment, and how many discontinuities came before.
    pub(super) first: (u64, u64),
    init: Arc<Init>,
    fragmenter: Fragmenter,
    sequence: u32,
    /// What came, with its times, and may yet be behind a mark.
    queue: VecDeque<(Packet, u64)>,
    /// Where segments begin that have not begun.
    marks: VecDeque<u64>,
    /// The segment that begins with the next packet.
    begins: Option<Begin>,
    segment_ms: u64,
    part_ms: u64,
    /// How long the newest sample was.
    step_ms: u64,
    /// When time 0 is, in ms since 1970.
    wall_ms: i64,
    /// When the newest sample began that was taken.
    taken_ms: u64,
    /// What the segment was made of so far.
    tracer: Tracer,
    /// What was cut and is not ready.
    ends: VecDeque<End>,
    pieces: VecDeque<Piece>,
}

/// The end of a part, or a segment without anything.
#[derive(Debug)]
enum End {
    Part { begins: Option<Begin>, is_last: bool, trace: Option<Trace> },
    Gap { begins: Begin, start_ms: u64, end_ms: u64 },
}

impl Lane {
    pub(super) fn new(name: TrackName, movie: Movie, first: (u64, u64)) -> Self {
        Self {
            name,
            first,
            init: Arc::new(Init { bytes: movie.init_segment().into(), movie: movie.clone() }),
            fragmenter: Fragmenter::new(movie),
            sequence: 0,
            queue: VecDeque::new(),
            marks: VecDeque::new(),
            begins: None,
            segment_ms: 0,
            part_ms: 0,
            step_ms: 0,
            wall_ms: 0,
            taken_ms: 0,
            tracer: Tracer::default(),
            ends: VecDeque::new(),
            pieces: VecDeque::new(),
        }
    }

    /// Whether it is described in another way now.
    pub(super) fn is_other(&self, movie: &Movie) -> bool {
        movie.init_segment() != *self.init.bytes
    }

    /// What comes next is to be read by `movie`, and nothing is left of what came before.
    pub(super) fn describe(&mut self, movie: &Movie) {
        let bytes = movie.init_segment().into();
        self.init = Arc::new(Init { bytes, movie: movie.clone() });
        if let Some(begin) = &mut self.begins {
            begin.init = self.init.clone();
        }
        self.renew();
    }

    /// Times begin anew, and nothing is left of what came before.
    pub(super) fn renew(&mut self) {
        self.fragmenter = Fragmenter::new(self.init.movie.clone());
        self.taken_ms = 0;
    }

    /// A segment begins at this time, with what comes next.
    pub(super) fn begin(&mut self, time_ms: u64, wall_ms: i64, is_discontinuous: bool) {
        self.wall_ms = wall_ms;
        self.begins = Some(Begin {
            init: self.init.clone(),
            is_discontinuous,
            unix_ms: self.unix_ms(time_ms),
        });
        (self.segment_ms, self.part_ms) = (time_ms, time_ms);
    }

    /// What was begun, without anything, begins here instead, and does not go on where the one before it ended.
    pub(super) fn begin_instead(&mut self, time_ms: u64, wall_ms: i64) {
        self.begins = None;
        self.begin(time_ms, wall_ms, true);
    }

    /// What was begun does not come.
    pub(super) fn forget(&mut self) {
        self.begins = None;
    }

    /// Whether what has begun, without anything so far, does not go on where the segment before ended.
    pub(super) fn is_discontinuous(&self) -> bool {
        self.begins.as_ref().is_some_and(|begin| begin.is_discontinuous)
    }

    /// When time 0 is by the clock on the wall.
    pub(super) fn set_wall(&mut self, wall_ms: i64) {
        self.wall_ms = wall_ms;
        let unix_ms = self.unix_ms(self.segment_ms);
        self.begins = self.begins.take().map(|begin| Begin { unix_ms, ..begin });
    }

    /// Whether nothing has come since a segment began.
    pub(super) fn is_fresh(&self) -> bool {
        self.queue.is_empty() && self.marks.is_empty() && !self.fragmenter.has_open()
    }

    /// Takes a packet if it is of the track.
    pub(super) fn push(&mut self, packet: &Packet, time_ms: u64) -> bool {
        let is_of = packet.kind == self.name.kind && packet.has_track(self.name.id);
        if is_of {
            self.queue.push_back((packet.clone(), time_ms));
        }
        is_of
    }

    /// The next segment begins here, or near it.
    pub(super) fn mark(&mut self, time_ms: u64) {
        self.marks.push_back(time_ms);
    }

    /// All marks before `until_ms` are known.
    pub(super) fn advance(&mut self, until_ms: u64, limits: Limits) {
        while let Some(end_ms) = self.end_of_first(until_ms) {
            let Some((packet, time_ms)) = self.queue.pop_front() else { return };
            self.take(&packet, (time_ms, end_ms), limits);
        }
        let is_silent = |lane: &Self, mark_ms: u64| {
            let next = lane.queue.front();
            mark_ms.max(lane.taken_ms) + SILENCE_MS < until_ms
                && next.is_none_or(|(_, next_ms)| *next_ms > mark_ms)
        };
        while self.marks.front().is_some_and(|mark_ms| is_silent(self, *mark_ms)) {
            self.begin_marked();
        }
        self.fragmenter.pass(until_ms);
        self.drain();
    }

    /// No more comes before what begins anew: the last segment ends, at `end_ms` if it is empty.
    pub(super) fn end(&mut self, end_ms: u64, limits: Limits) {
        while let Some((packet, time_ms)) = self.queue.pop_front() {
            let end_ms = self.end_ms(time_ms, self.queue.front());
            self.take(&packet, (time_ms, end_ms), limits);
        }
        while !self.marks.is_empty() {
            self.begin_marked();
        }
        self.close(end_ms);
        self.fragmenter.finish();
        self.drain();
    }

    /// Whether a piece is ready.
    pub(super) fn is_ready(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// The next piece that is ready.
    pub(super) fn poll(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    fn drain(&mut self) {
        let mut out = Chunks::new();
        while let Some(end) = self.ends.pop_front() {
            self.pieces.push_back(match end {
                End::Part { begins, is_last, trace } => {
                    let Some(part) = self.fragmenter.poll(&mut out) else {
                        return self.ends.push_front(End::Part { begins, is_last, trace });
                    };
                    let bytes = out.take().collect();
                    Piece { part, bytes, begins, is_last, trace }
                }
                End::Gap { begins, start_ms, end_ms } => Piece::gap(begins, start_ms, end_ms),
            });
        }
    }

    /// When the first that waits ends, if it is known that no segment begins before it.
    fn end_of_first(&self, until_ms: u64) -> Option<u64> {
        let (packet, time_ms) = self.queue.front()?;
        let is_marked = self.marks.iter().any(|mark_ms| mark_ms.abs_diff(*time_ms) <= JITTER_MS);
        let may_be_marked = self.is_key(packet) && self.name.kind == Kind::Video && !is_marked;
        if time_ms + if may_be_marked { JITTER_MS } else { 0 } >= until_ms {
            return None;
        }
        let next = self.queue.get(1);
        let is_known = next.is_some() || until_ms > time_ms + LOOKAHEAD_MS;
        is_known.then(|| self.end_ms(*time_ms, next))
    }

    /// When a sample ends: with the next, or as long as the one before it where that is far.
    fn end_ms(&self, time_ms: u64, next: Option<&(Packet, u64)>) -> u64 {
        let next_ms = next.map(|(_, next_ms)| *next_ms);
        let near_ms = next_ms.filter(|next_ms| *next_ms <= time_ms + LOOKAHEAD_MS);
        near_ms.unwrap_or(time_ms + self.step_ms)
    }

    fn take(&mut self, packet: &Packet, (time_ms, end_ms): (u64, u64), limits: Limits) {
        let is_key = self.is_key(packet);
        let is_long = |lane: &Self| {
            lane.begins.is_none() && end_ms.saturating_sub(lane.segment_ms) > limits.segment_ms
        };
        while let Some(mark_ms) = self.marks.front() {
            let jitter_ms = if self.name.kind == Kind::Video { JITTER_MS } else { 0 };
            let is_near = is_key && *mark_ms <= time_ms + jitter_ms;
            let is_late = self.marks.get(1).is_some_and(|next_ms| *next_ms <= time_ms);
            if !is_near && !is_late && !is_long(self) {
                break;
            }
            self.begin_marked();
        }
        if is_long(self) {
            // No mark came in time: it is cut where it may be no longer.
            self.close(time_ms);
            self.begin(time_ms, self.wall_ms, false);
        } else if self.fragmenter.has_open() && end_ms.saturating_sub(self.part_ms) > limits.part_ms
        {
            self.cut(false);
            self.part_ms = time_ms;
        }
        if self.begins.is_some() && !self.fragmenter.has_open() {
            (self.segment_ms, self.part_ms) = (time_ms, time_ms);
            let unix_ms = self.unix_ms(time_ms);
            self.begins = self.begins.take().map(|begin| Begin { unix_ms, ..begin });
        }
        (self.step_ms, self.taken_ms) = (end_ms.saturating_sub(time_ms), time_ms);
        self.tracer.push(&self.init.movie, packet, time_ms);
        if let Err(mp4::Error::PartFull) = self.fragmenter.push(packet, time_ms) {
            self.cut(false);
            // It has room for any packet now.
            let _ = self.fragmenter.push(packet, time_ms);
        }
    }

    /// Whether a segment may begin with a packet.
    fn is_key(&self, packet: &Packet) -> bool {
        let mut tags = flv::video::tracks(&packet.body);
        self.name.kind != Kind::Video
            || tags.any(|tag| tag.track == self.name.id && tag.frame_type.is_key())
    }

    /// The segment of the oldest mark begins.
    fn begin_marked(&mut self) {
        let Some(mark_ms) = self.marks.pop_front() else { return };
        self.close(mark_ms);
        self.begin(mark_ms, self.wall_ms, false);
    }

    /// The segment ends with all that came; one without anything at `end_ms`.
    fn close(&mut self, end_ms: u64) {
        if self.fragmenter.has_open() {
            return self.cut(true);
        }
        let of_segment = std::mem::take(&mut self.tracer).trace();
        if let Some(begins) = self.begins.take() {
            self.ends.push_back(End::Gap { begins, start_ms: self.segment_ms, end_ms });
        } else if let Some(End::Part { is_last, trace, .. }) = self.ends.back_mut() {
            (*is_last, *trace) = (true, of_segment);
        }
    }

    fn cut(&mut self, is_last: bool) {
        let begins = self.begins.take();
        let cut = Cut {
            sequence: self.sequence,
            styp: begins.is_some(),
            prft_unix_ms: u64::try_from(self.unix_ms(self.part_ms)).ok(),
        };
        let trace = is_last.then(|| std::mem::take(&mut self.tracer)).and_then(|all| all.trace());
        if self.fragmenter.cut(cut) {
            self.sequence = self.sequence.wrapping_add(1);
            self.ends.push_back(End::Part { begins, is_last, trace });
        }
    }

    fn unix_ms(&self, time_ms: u64) -> i64 {
        self.wall_ms.saturating_add(i64::try_from(time_ms).unwrap_or(i64::MAX))
    }
}
