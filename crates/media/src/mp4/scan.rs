//! Reads recordings of [`super::mux`] from their first byte on, finished or not, torn or not: the
//! packets as they went in, bit for bit, and how far the file is whole.
//!
//! A file of somebody else has no messages in it and is refused ([`FaultKind::NotOurs`]).
//! Everything is bounded: a part by what the muxer puts into one, a file by nothing, for it is never
//! held whole.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::mux::SCRIPT_ID;
use super::parse::{self, Run};
use super::{PART_BYTES_MAX, PART_SAMPLES_MAX, heads, log, size};
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
    /// Something wrong; nothing more comes.
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
    /// Bytes that are to be passed over.
    skip: u64,
    is_at_end: bool,
    is_over: bool,
    stage: Stage,
    /// The ids of the movie's tracks, in its order.
    tracks: Vec<u32>,
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

/// A part that has begun.
#[derive(Debug)]
struct Open {
    offset: u64,
    log: Bytes,
    runs: Option<(Vec<Run>, usize)>,
    mdat: Option<Bytes>,
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

impl Scanner {
    /// A scanner at the start of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_over {
            self.buffer.extend_from_slice(bytes);
        }
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
        self.is_over = true;
        self.items.push_back(Item::Fault(Fault { offset: self.position, kind }));
    }

    fn end(&mut self) {
        let is_torn = self.skip > 0 || !self.buffer.is_empty() || self.stage < Stage::Init;
        if is_torn || self.part.is_some() {
            self.fault(FaultKind::Torn);
        }
        self.is_over = true;
    }

    /// Reads a box; `false` when more bytes are needed.
    fn step(&mut self) -> Result<bool, FaultKind> {
        if self.skip > 0 {
            let here = usize::try_from(self.skip).unwrap_or(usize::MAX).min(self.buffer.len());
            self.advance(here);
            self.skip -= size(here);
            if self.skip > 0 {
                return Ok(false);
            }
            self.passed_over();
        }
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
            (b"moof", Stage::Init) => return self.moof(head.bytes, whole, wrong),
            (b"mdat", Stage::Init) => return self.mdat(head.bytes, whole, wrong),
            (b"free", Stage::Init) if self.part.is_some() => {
                if whole != size(log::END.len()) {
                    return Err(wrong);
                }
                self.advance(log::END.len());
                return self.end_part().map(|()| true);
            }
            (b"free" | b"prft", _) => {}
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
        content.advance(head + ID);
        if is_log {
            self.part = Some(Open { offset, log: content, runs: None, mdat: None });
        } else {
            self.stage = Stage::Script;
            self.items.push_back(Item::Script(content));
        }
        Ok(true)
    }

    fn init(&mut self, whole: u64, wrong: FaultKind) -> Result<bool, FaultKind> {
        let Some((_, moov)) = self.take(whole, INIT_MAX, wrong)? else { return Ok(false) };
        self.tracks = heads::tracks(&moov).ok_or(wrong)?;
        self.stage = Stage::Init;
        self.whole_until = self.position;
        self.items.push_back(Item::Init(moov));
        Ok(true)
    }

    fn moof(&mut self, head: usize, whole: u64, wrong: FaultKind) -> Result<bool, FaultKind> {
        let Some((_, moof)) = self.take(whole, MOOF_MAX, wrong)? else { return Ok(false) };
        let runs = parse::runs(moof.get(head..).unwrap_or_default()).ok_or(wrong)?;
        let part = self.part.as_mut().filter(|part| part.runs.is_none()).ok_or(wrong)?;
        part.runs = Some((runs, moof.len()));
        Ok(true)
    }

    fn mdat(&mut self, head: usize, whole: u64, wrong: FaultKind) -> Result<bool, FaultKind> {
        if self.part.as_ref().is_none_or(|part| part.runs.is_none() || part.mdat.is_some()) {
            return Err(wrong);
        }
        let Some((_, mdat)) = self.take(whole, PART_BYTES_MAX + size(head), wrong)? else {
            return Ok(false);
        };
        if let Some(part) = &mut self.part {
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
        let Some(part) = self.part.take() else { return Ok(()) };
        let has_all = part.runs.is_some() == part.mdat.is_some();
        let mdat = part.mdat.filter(|_| has_all).unwrap_or_default();
        let (runs, moof_bytes) = part.runs.unwrap_or_default();
        let mut tracks = Vec::new();
        for id in &self.tracks {
            let run = runs.iter().find(|run| run.track == *id);
            tracks.push(Samples::of(run, moof_bytes, &mdat).ok_or(FaultKind::Part)?);
        }
        let before = self.items.len();
        let items = &mut self.items;
        let next = |track: usize| tracks.get_mut(track)?.next();
        log::read(&part.log, next, |packet| items.push_back(Item::Packet(packet)))
            .ok_or(FaultKind::Part)?;
        if tracks.iter().any(|samples| !samples.sizes.is_empty()) {
            return Err(FaultKind::Part);
        }
        let messages = self.items.len() - before;
        self.whole_until = self.position;
        let end = self.position;
        self.items.push_back(Item::Part(Part { offset: part.offset, end, messages }));
        Ok(())
    }
}

/// The samples of one track that are not yet told.
struct Samples<'a> {
    data: &'a [u8],
    sizes: VecDeque<u32>,
}

impl<'a> Samples<'a> {
    fn of(run: Option<&Run>, moof_bytes: usize, mdat: &'a [u8]) -> Option<Self> {
        let Some(run) = run else { return Some(Self { data: &[], sizes: VecDeque::new() }) };
        let data = mdat.get(run.offset.checked_sub(moof_bytes)?..)?;
        Some(Self { data, sizes: run.samples.iter().map(|sample| sample.size).collect() })
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let size = usize::try_from(self.sizes.pop_front()?).ok()?;
        let (sample, rest) = self.data.split_at_checked(size)?;
        self.data = rest;
        Some(sample)
    }
}
