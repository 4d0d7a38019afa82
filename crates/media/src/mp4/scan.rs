//! Reads recordings of [`super::mux`] from their first byte on, finished or not, torn or not: the
//! packets as they went in, bit for bit, and how far the file is whole.
//!
//! A file of somebody else has no messages in it and is refused ([`FaultKind::NotOurs`]). A part is
//! whole when its boxes have the sizes that each other tell, and its messages and its samples are as
//! many and at the same times; damage inside a sample cannot be told.
//!
//! Everything is bounded: a part by what the muxer puts into one, a file by nothing, for it is never
//! held whole.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::movie::Track;
use super::mux::{PART_MARK, SCRIPT_ID};
use super::parse::{self, Raw, Run};
use super::{BOX_HEAD as HEAD, PART_BYTES_MAX, PART_SAMPLES_MAX, log, reread, size};
use crate::Packet;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// What the file says of itself: the `onMetaData` that [`crate::flv::meta`] reads.
    Script(Bytes),
    /// The `moov` before the parts.
    Init(Bytes),
    /// A message, at its time from the start of the file.
    Packet(Packet),
    /// All messages of a part were told; it is whole.
    Part(Part),
    /// The index of a finished file, a whole box.
    Index {
        /// Where it begins.
        offset: u64,
        /// Where it ends.
        end: u64,
    },
    /// Something wrong; nothing more comes, unless the scanner [searches](Scanner::searching).
    Fault(Fault),
}

/// A whole part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// First byte, from the start of the file.
    pub offset: u64,
    /// The byte behind its last one.
    pub end: u64,
    /// How many messages it has.
    pub messages: usize,
}

/// Something wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// From the start of the file.
    pub offset: u64,
    /// What it is.
    pub kind: FaultKind,
}

/// What can be wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// It does not begin as a recording does.
    #[error("no MP4 file of this server: what it says of itself is not at its start")]
    NotOurs,
    /// It ends inside a box, or inside a part.
    #[error("the file ends inside a part")]
    Torn,
    /// It ends inside its index.
    #[error("the file ends inside its index")]
    TornIndex,
    /// A box has a size that cannot be, or is where it does not belong.
    #[error("box {} where none can be", .0.escape_ascii())]
    Box([u8; 4]),
    /// It says that it is complete and has no index.
    #[error("no index, though the file says that it is complete")]
    NoIndex,
    /// The messages of a part do not agree with its samples.
    #[error("a part whose messages and samples do not agree")]
    Part,
}

/// Reads a file piece by piece.
#[derive(Debug, Default)]
pub struct Scanner {
    buffer: BytesMut,
    /// Where the buffer begins in the file.
    position: u64,
    /// Where the box that is read begins.
    box_at: u64,
    /// Bytes that are to be passed over.
    skip: u64,
    is_at_end: bool,
    is_over: bool,
    stage: Stage,
    /// Whether it goes on behind what is damaged, and is looking for where.
    searches: bool,
    is_lost: bool,
    /// The movie's tracks, in its order.
    tracks: Vec<Clock>,
    part: Option<Open>,
    items: VecDeque<Item>,
    whole_until: u64,
}

/// What has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Nothing,
    Brands,
    Script,
    Init,
    Index {
        offset: u64,
    },
}

/// What is known of the times of a track.
#[derive(Debug, Clone, Copy)]
struct Clock {
    mp4_id: u32,
    /// Units of its times in a ms.
    per_ms: u64,
    /// The time of its last sample, unless something was damaged since.
    last_ms: Option<u64>,
}

/// A part that has begun.
#[derive(Debug)]
struct Open {
    offset: u64,
    /// All of its boxes.
    raw: Vec<Bytes>,
    log: Bytes,
    runs: Option<Runs>,
    mdat: Option<Bytes>,
}

/// What a fragment says of its samples, which stand in its `mdat` run after run.
#[derive(Debug)]
struct Runs {
    runs: Vec<Run>,
    /// Bytes of all samples.
    bytes: u64,
}

/// Most bytes of a `moov` before the parts: 32 tracks with records of 128 KiB.
pub(super) const INIT_MAX: u64 = 4 << 20;
/// Most bytes of a script.
pub(super) const SCRIPT_MAX: u64 = 16 << 20;
/// Most bytes of a `moof`: 16 for each sample.
pub(super) const MOOF_MAX: u64 = (PART_SAMPLES_MAX as u64 + 1_024) * 16;
/// Most bytes of a part's messages: all of it, if nothing of it is a sample.
pub(super) const LOG_MAX: u64 = PART_BYTES_MAX + PART_BYTES_MAX / 2;
/// Bytes of a user type.
const ID: usize = 16;
/// Most bytes of a `prft`.
const PRFT_MAX: u64 = 32;

impl Scanner {
    /// A scanner at the start of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that goes on behind what is damaged, with the next whole part: [`Item::Fault`] is told for
    /// each place where there could have been one. A file whose beginning is damaged is read from its
    /// `moov` on.
    pub fn searching() -> Self {
        Self { searches: true, ..Self::default() }
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_over {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Of one that searches: the head of the file was pushed, and the next bytes are those at a place
    /// where a part may begin.
    pub fn go_on(&mut self, at: u64) {
        while self.poll().is_some() {}
        self.buffer.clear();
        self.position = at;
        self.is_lost = true;
    }

    /// There are no more bytes.
    pub fn finish(&mut self) {
        self.is_at_end = true;
    }

    /// The next thing that was found; `None` when more bytes are needed, or at the end.
    pub fn poll(&mut self) -> Option<Item> {
        while self.items.is_empty() && !self.is_over {
            match self.step() {
                Ok(true) => {}
                Ok(false) if self.is_at_end => self.end(),
                Ok(false) => break,
                Err(kind) => self.fault(kind),
            }
        }
        self.items.pop_front()
    }

    /// Up to where the file is whole: the end of its head, of its last whole part, or of its index.
    /// A file that was torn is to be cut there.
    pub fn whole_until(&self) -> u64 {
        self.whole_until
    }

    fn fault(&mut self, kind: FaultKind) {
        self.items.push_back(Item::Fault(Fault { offset: self.position, kind }));
        self.is_over = !self.searches;
        if self.is_over {
            return;
        }
        // What begins behind the first byte of what is damaged may be whole, and so may what begins behind a whole box.
        let is_behind = self.part.is_none() && self.position > self.box_at;
        if let Some(part) = self.part.take() {
            let rest = self.buffer.split();
            for piece in part.raw.iter().map(|piece| &piece[..]).chain([&rest[..]]) {
                self.buffer.extend_from_slice(piece);
            }
            self.position = part.offset;
        }
        self.skip = 0;
        self.tracks.iter_mut().for_each(|track| track.last_ms = None);
        self.is_lost = true;
        if !is_behind {
            self.advance(1.min(self.buffer.len()));
        }
    }

    fn end(&mut self) {
        let is_torn = self.skip > 0 || !self.buffer.is_empty() || self.stage < Stage::Init;
        if self.is_lost || !is_torn && self.part.is_none() {
            self.is_over = true;
        } else if let Stage::Index { .. } = self.stage {
            self.fault(FaultKind::TornIndex);
        } else {
            self.fault(FaultKind::Torn);
        }
    }

    /// Goes to what may be the next part, or the `moov` before the first one; `false` when more bytes
    /// are needed.
    fn find(&mut self) -> bool {
        let mark = if self.stage < Stage::Init { &b"moov"[..] } else { &PART_MARK };
        // Before it stands its size.
        const SIZE: usize = 4;
        let places = self.buffer.get(SIZE..).unwrap_or_default();
        let found = places.windows(mark.len()).position(|bytes| bytes == mark);
        self.is_lost = found.is_none();
        let unknown = (self.buffer.len() + 1).saturating_sub(SIZE + mark.len());
        self.advance(found.unwrap_or(unknown));
        self.stage = if self.stage < Stage::Init { Stage::Script } else { Stage::Init };
        !self.is_lost
    }

    /// Reads a box; `false` when more bytes are needed.
    fn step(&mut self) -> Result<bool, FaultKind> {
        if self.is_lost {
            return Ok(self.find());
        }
        if self.skip > 0 {
            let here = usize::try_from(self.skip).unwrap_or(usize::MAX).min(self.buffer.len());
            self.advance(here);
            self.skip -= size(here);
            if self.skip > 0 {
                return Ok(false);
            }
            self.passed_over();
        }
        self.box_at = self.position;
        let Some(head) = parse::head(&self.buffer) else { return Ok(false) };
        let name = || self.buffer.get(4..8).and_then(|name| name.try_into().ok());
        let wrong = FaultKind::Box(name().unwrap_or_default());
        let head = head.ok_or(wrong)?;
        let whole = head.size.ok_or(wrong)?;
        match (&head.name, self.stage) {
            (b"ftyp", Stage::Nothing) => self.stage = Stage::Brands,
            (_, Stage::Nothing) => return Err(FaultKind::NotOurs),
            (b"uuid", stage) => return self.uuid(stage, head.bytes, whole, wrong),
            (_, Stage::Brands) => return Err(FaultKind::NotOurs),
            // Of a finished file: what is in it is read as before.
            (b"mdat", Stage::Script) if head.bytes == 2 * 8 => {
                self.advance(head.bytes);
                return Ok(true);
            }
            (b"moov", Stage::Script) => return self.init(whole, wrong),
            (b"moov", Stage::Init) if self.part.is_none() => {
                self.stage = Stage::Index { offset: self.position };
            }
            (b"moof", Stage::Init)
                if self.part.as_ref().is_some_and(|part| part.runs.is_none()) =>
            {
                return self.moof(head.bytes, whole, wrong);
            }
            (b"mdat", Stage::Init) => return self.mdat(head.bytes, whole, wrong),
            (b"free", Stage::Init) if self.part.is_some() => {
                if whole != size(log::END.len()) {
                    return Err(wrong);
                }
                self.advance(log::END.len());
                return self.end_part().map(|()| true);
            }
            (b"prft", Stage::Init) if self.part.is_some() => {
                let Some((_, prft)) = self.take(whole, PRFT_MAX, wrong)? else { return Ok(false) };
                self.part.iter_mut().for_each(|part| part.raw.push(prft.clone()));
                return Ok(true);
            }
            (b"free", Stage::Script | Stage::Index { .. }) => {}
            _ => return Err(wrong),
        }
        self.skip = whole;
        Ok(true)
    }

    fn uuid(
        &mut self,
        stage: Stage,
        head: usize,
        whole: u64,
        wrong: FaultKind,
    ) -> Result<bool, FaultKind> {
        let Some(id) = self.buffer.get(head..head + ID) else { return Ok(false) };
        if whole < size(head + ID) {
            return Err(wrong);
        }
        let is_log = id == log::ID;
        match stage {
            Stage::Brands if id == SCRIPT_ID => {}
            Stage::Brands => return Err(FaultKind::NotOurs),
            Stage::Init if is_log && self.part.is_none() => {}
            _ => return Err(wrong),
        }
        let most = if is_log { LOG_MAX } else { SCRIPT_MAX };
        let Some((offset, mut content)) = self.take(whole, most, wrong)? else {
            return Ok(false);
        };
        let raw = vec![content.clone()];
        content.advance(head + ID);
        if is_log {
            self.part = Some(Open { offset, raw, log: content, runs: None, mdat: None });
        } else {
            self.stage = Stage::Script;
            self.items.push_back(Item::Script(content));
        }
        Ok(true)
    }

    fn init(&mut self, whole: u64, wrong: FaultKind) -> Result<bool, FaultKind> {
        let Some((_, moov)) = self.take(whole, INIT_MAX, wrong)? else { return Ok(false) };
        let movie = reread::movie(moov.get(HEAD..).unwrap_or_default()).ok_or(wrong)?;
        self.tracks = movie.tracks().iter().map(Clock::new).collect();
        self.stage = Stage::Init;
        self.whole_until = self.position;
        self.items.push_back(Item::Init(moov));
        Ok(true)
    }

    fn moof(&mut self, head: usize, whole: u64, wrong: FaultKind) -> Result<bool, FaultKind> {
        let Some((_, moof)) = self.take(whole, MOOF_MAX, wrong)? else { return Ok(false) };
        let part = self.part.as_mut().ok_or(wrong)?;
        part.raw.push(moof.clone());
        let runs = parse::runs(moof.get(head..).unwrap_or_default()).ok_or(wrong)?;
        let mut place = moof.len() + HEAD;
        for (at, run) in runs.iter().enumerate() {
            let is_known = self.tracks.iter().any(|track| track.mp4_id == run.track);
            let is_twice = runs.iter().take(at).any(|before| before.track == run.track);
            if run.offset != place || !is_known || is_twice {
                return Err(FaultKind::Part);
            }
            let bytes: u64 = run.samples.iter().map(|sample| u64::from(sample.size)).sum();
            place = place.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        part.runs = Some(Runs { runs, bytes: size(place - moof.len() - HEAD) });
        Ok(true)
    }

    fn mdat(&mut self, head: usize, whole: u64, wrong: FaultKind) -> Result<bool, FaultKind> {
        let runs = self.part.as_ref().filter(|part| part.mdat.is_none());
        let runs = runs.and_then(|part| part.runs.as_ref()).ok_or(wrong)?;
        if head != HEAD || runs.bytes.checked_add(size(head)) != Some(whole) {
            return Err(FaultKind::Part);
        }
        let Some((_, mut mdat)) = self.take(whole, PART_BYTES_MAX + size(head), wrong)? else {
            return Ok(false);
        };
        if let Some(part) = &mut self.part {
            part.raw.push(mdat.clone());
            mdat.advance(head);
            part.mdat = Some(mdat);
        }
        Ok(true)
    }

    /// A box that was passed over has ended.
    fn passed_over(&mut self) {
        if let Stage::Index { offset } = self.stage {
            self.whole_until = self.position;
            self.items.push_back(Item::Index { offset, end: self.position });
        }
    }

    /// Takes a whole box of at most so many bytes, and where it begins.
    fn take(
        &mut self,
        whole: u64,
        most: u64,
        wrong: FaultKind,
    ) -> Result<Option<(u64, Bytes)>, FaultKind> {
        let whole = usize::try_from(whole).ok().filter(|_| whole <= most).ok_or(wrong)?;
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let offset = self.position;
        self.position += size(whole);
        Ok(Some((offset, self.buffer.split_to(whole).freeze())))
    }

    fn advance(&mut self, count: usize) {
        self.buffer.advance(count);
        self.position += size(count);
    }

    /// All of a part is here: tells its messages.
    fn end_part(&mut self) -> Result<(), FaultKind> {
        let Some(part) = &self.part else { return Ok(()) };
        let mut samples = Samples::of(part, &self.tracks)?;
        let mut packets = Vec::new();
        log::read(&part.log, |track, ms| samples.get_mut(track)?.next(ms), |p| packets.push(p))
            .ok_or(FaultKind::Part)?;
        if samples.iter().any(|samples| !samples.left.is_empty()) {
            return Err(FaultKind::Part);
        }
        self.tracks = samples.into_iter().map(|samples| samples.clock).collect();
        self.whole_until = self.position;
        let (offset, end, messages) = (part.offset, self.position, packets.len());
        self.items.extend(packets.into_iter().map(Item::Packet));
        self.items.push_back(Item::Part(Part { offset, end, messages }));
        self.part = None;
        Ok(())
    }
}

impl Clock {
    fn new(track: &Track) -> Self {
        Self { mp4_id: track.mp4_id(), per_ms: track.per_ms().into(), last_ms: None }
    }
}

/// The samples of one track that are not yet told.
struct Samples<'a> {
    data: &'a [u8],
    left: VecDeque<Raw>,
    /// When the next one is, in the track's units.
    time: u64,
    clock: Clock,
}

impl<'a> Samples<'a> {
    /// Those of each track.
    fn of(part: &'a Open, tracks: &[Clock]) -> Result<Vec<Self>, FaultKind> {
        let none =
            |clock: &Clock| Self { data: &[], left: VecDeque::new(), time: 0, clock: *clock };
        let mut all: Vec<_> = tracks.iter().map(none).collect();
        let runs = part.runs.as_ref().map_or(&[][..], |runs| &runs.runs);
        let mut data = match &part.mdat {
            None if part.runs.is_some() => return Err(FaultKind::Part),
            mdat => mdat.as_deref().unwrap_or_default(),
        };
        for run in runs {
            let bytes: u64 = run.samples.iter().map(|sample| u64::from(sample.size)).sum();
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let (these, rest) = data.split_at_checked(bytes).ok_or(FaultKind::Part)?;
            data = rest;
            let samples = all.iter_mut().find(|samples| samples.clock.mp4_id == run.track);
            let samples = samples.ok_or(FaultKind::Part)?;
            samples.data = these;
            samples.time = run.start;
            samples.left = run.samples.iter().copied().collect();
        }
        Ok(all)
    }

    /// The next one, of a message of this time: it is then, or with the one before it, if that is
    /// later.
    fn next(&mut self, message_ms: i64) -> Option<&'a [u8]> {
        let Raw { duration, size, .. } = self.left.pop_front()?;
        let message_ms = u64::try_from(message_ms).ok()?;
        let time_ms = self.time / self.clock.per_ms;
        let is_then = match self.clock.last_ms {
            Some(last_ms) => time_ms == message_ms.max(last_ms),
            None => time_ms >= message_ms,
        };
        if !is_then || !self.time.is_multiple_of(self.clock.per_ms) {
            return None;
        }
        self.clock.last_ms = Some(time_ms);
        self.time = self.time.checked_add(duration.into())?;
        let (sample, rest) = self.data.split_at_checked(usize::try_from(size).ok()?)?;
        self.data = rest;
        Some(sample)
    }
}
