//! One progressive MP4 file of a range: its index first, its size known before its first byte, and
//! any range of its bytes to be had, without a file of it anywhere.
//!
//! The samples of an MP4 file are stretches of the segments' files. So the plan walks the heads of
//! all tags once and keeps of each sample its size and its place; sending reads those places and
//! parses nothing.
//!
//! In the file a second of video is followed by the same second of audio: the index is a third of
//! what it is with one run of samples a packet, and players read ahead in larger pieces. A group has
//! bytes of one segment that lie side by side, and is read at once.

use std::fmt;
use std::ops::Range as Span;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::mp4::plan::{Piece, Planned};

use super::head::Head;
use super::{Error, Info, Range, Source};
use crate::{DiskFile, words};

mod survey;

pub(super) use survey::samples;

/// A file that can be sent; what is known of it is shared.
#[derive(Clone)]
pub struct Mp4(Arc<Plan>);

struct Plan {
    source: Source,
    info: Info,
    refused: Vec<String>,
    identity: String,
    planned: Planned,
    groups: Vec<Group>,
    /// Where each sample begins, from the start of its group.
    places: Vec<u32>,
}

/// Samples that are read at once.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// The first of them.
    sample: usize,
    /// Their segment's place in the source.
    segment: usize,
    /// Where they are in its file.
    position: u64,
    bytes: u32,
}

impl Mp4 {
    /// Most samples of a file: 16 hours of 25 frames a second and AAC. In memory a sample costs
    /// about 15 bytes, while it is planned 40.
    pub const SAMPLES_MAX: usize = 4 << 20;

    pub(super) fn new(source: &Source, range: Range) -> Result<Self, Error> {
        Self::of_at_most(source, range, Self::SAMPLES_MAX)
    }

    pub(super) fn of_at_most(source: &Source, range: Range, samples: usize) -> Result<Self, Error> {
        survey::plan(source, range, samples).map(|plan| Self(Arc::new(plan)))
    }

    /// What the file is.
    pub fn info(&self) -> &Info {
        &self.0.info
    }

    /// Tracks, and messages, that are not in it, and why.
    pub fn refused(&self) -> &[String] {
        &self.0.refused
    }

    /// Samples in it.
    pub fn samples(&self) -> usize {
        self.0.places.len()
    }

    /// Equal for equal bytes: a hash of all places and of the index.
    pub fn identity(&self) -> &str {
        &self.0.identity
    }

    /// Whether somebody else has it, or sends it.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// A range of its bytes, in pieces of about half a MiB. It blocks as the disk does. After an
    /// error it ends.
    pub fn read(&self, bytes: Span<u64>) -> Mp4Bytes {
        let end = bytes.end.min(self.0.info.size_bytes);
        Mp4Bytes { plan: self.0.clone(), at: bytes.start, end, open: None, block: None }
    }
}

impl fmt::Debug for Mp4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mp4").field("info", &self.0.info).finish_non_exhaustive()
    }
}

/// Bytes of a file.
pub struct Mp4Bytes {
    plan: Arc<Plan>,
    at: u64,
    end: u64,
    /// The open segment.
    open: Option<(usize, Box<dyn DiskFile>)>,
    /// What was read last: a group.
    block: Option<(usize, Bytes)>,
}

/// Pieces of what stands before the samples are at most so large, in bytes.
const PIECE_BYTES: u64 = 256 << 10;

impl Mp4Bytes {
    /// The next piece: of the index, or of one group.
    fn piece(&mut self) -> Result<Bytes, Error> {
        let plan = self.plan.clone();
        let mut out = BytesMut::new();
        let mut group = None;
        let head = plan.planned.head().len() as u64;
        // The index of ten hours has 20 MB.
        let end = if self.at < head { self.end.min(self.at + PIECE_BYTES) } else { self.end };
        for piece in plan.planned.pieces(self.at..end) {
            let (index, range) = match piece {
                Piece::Head(range) => {
                    let bytes = plan.planned.head().get(range).unwrap_or_default();
                    return Ok(Bytes::copy_from_slice(bytes));
                }
                Piece::Sample { index, range } => (index, range),
            };
            let number = plan.groups.partition_point(|group| group.sample <= index);
            let number = number.saturating_sub(1);
            if *group.get_or_insert(number) != number {
                break;
            }
            let block = self.block(&plan, number)?;
            let place = plan.places.get(index).copied().unwrap_or(0);
            let at = |offset: u32| usize::try_from(u64::from(place) + u64::from(offset));
            let bytes = at(range.start).ok().zip(at(range.end).ok());
            let bytes = bytes.and_then(|(start, end)| block.get(start..end));
            out.extend_from_slice(bytes.ok_or_else(|| plan.changed(number, "it is shorter"))?);
        }
        match out.is_empty() {
            true => Err(plan.changed(group.unwrap_or(0), "it has less than it had")),
            false => Ok(out.freeze()),
        }
    }

    /// All bytes of a group.
    fn block(&mut self, plan: &Plan, number: usize) -> Result<Bytes, Error> {
        if let Some((_, block)) = self.block.as_ref().filter(|(known, _)| *known == number) {
            return Ok(block.clone());
        }
        let failed = |error: &std::io::Error| plan.changed(number, &words(error));
        let Some(group) = plan.groups.get(number) else { return Ok(Bytes::new()) };
        let file = match self.open.take().filter(|(segment, _)| *segment == group.segment) {
            Some((_, file)) => file,
            None => plan.open(number)?,
        };
        let (_, file) = self.open.insert((group.segment, file));
        let mut block = vec![0; usize::try_from(group.bytes).unwrap_or(usize::MAX)];
        let mut filled = 0;
        while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
            let at = group.position.saturating_add(filled as u64);
            match file.read_at(at, room).map_err(|error| failed(&error))? {
                0 => return Err(plan.changed(number, "it is shorter than it was")),
                read => filled += read,
            }
        }
        let block = Bytes::from(block);
        self.block = Some((number, block.clone()));
        Ok(block)
    }
}

impl Plan {
    /// Opens the segment of a group, which must be the one that was planned.
    fn open(&self, number: usize) -> Result<Box<dyn DiskFile>, Error> {
        let group = self.groups.get(number);
        let part = group.and_then(|group| self.source.parts.get(group.segment));
        let Some(part) = part else { return Err(self.changed(number, "it is gone")) };
        let opened = Head::open(&*self.source.disk, &part.segment);
        opened.map(|(_, file)| file).map_err(|cause| self.changed(number, &cause.to_string()))
    }

    fn changed(&self, number: usize, reason: &str) -> Error {
        let group = self.groups.get(number);
        let part = group.and_then(|group| self.source.parts.get(group.segment));
        let path = part.map(|part| part.segment.path.clone()).unwrap_or_default();
        Error::Changed { path, reason: reason.to_owned() }
    }
}

impl Iterator for Mp4Bytes {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let piece = self.piece();
        match &piece {
            Ok(bytes) => self.at = self.at.saturating_add(bytes.len() as u64),
            Err(_) => self.end = self.at,
        }
        Some(piece)
    }
}
