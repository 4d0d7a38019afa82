//! The tags of a file from some place on, read in large blocks; or their heads alone. Of MP4 its
//! messages as tags: each has its own place, so many bytes behind the first byte of its part as there
//! are messages before it.

use std::io;

use media::flv::scan::{Bodies, Fault, FaultKind, Item, Scanner};
use media::flv::tag::{OVERHEAD, TagHeader};
use media::mp4::heads::{Message, Span};
use media::{Packet, flv};

use super::head::Head;
use super::parts::{Next, Parts};
use crate::{DiskFile, Format};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 256 << 10;
/// Bytes that are read at once where bodies are passed over: what is looked at of one, and the
/// small ones that follow it.
const HEADS_BYTES: usize = 8 << 10;

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    Tag(Tag),
    /// Bytes that are no tag, or the end of the file inside of one.
    Damage,
    /// That was all there is.
    End,
}

/// A tag and where it stands.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) offset: u64,
    /// Bytes of it, as a tag.
    pub(super) size: u64,
    /// On the file's clock.
    pub(super) time_ms: i64,
    /// What it carries, of which the end may be missing ([`Bodies::Skip`]).
    pub(super) packet: Packet,
    pub(super) place: Place,
}

/// Where the bytes of a packet stand in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a row: there the body begins.
    Body(u64),
    /// Here and there.
    Spans(Vec<Span>),
}

impl Place {
    /// Where the byte of the body stands that is `at`.
    pub(super) fn of(&self, at: usize) -> u64 {
        let (position, at) = match self {
            Self::Body(position) => (*position, at),
            Self::Spans(spans) => {
                let after = spans.partition_point(|span| span.at <= at);
                let span = after.checked_sub(1).and_then(|last| spans.get(last));
                span.map_or((0, 0), |span| (span.position, at - span.at))
            }
        };
        position.saturating_add(at as u64)
    }
}

/// How the bytes are read.
enum Scan {
    Flv(Box<Scanner>),
    Mp4(Box<Parts>),
}

pub(super) struct Tags {
    file: Box<dyn DiskFile>,
    scan: Scan,
    bodies: Bodies,
    block: Vec<u8>,
    /// No tag is told from here on.
    end: u64,
    /// Whether a tag that goes beyond the end is cut off, and not still being written.
    is_whole: bool,
    /// End of the last tag that was found, or where reading began.
    position: u64,
    is_finished: bool,
}

impl Tags {
    /// Those of a file with this head, from its first on.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn new(
        mut file: Box<dyn DiskFile>,
        head: &Head,
        end: u64,
        bodies: Bodies,
    ) -> io::Result<Self> {
        let is_mp4 = head.format == Format::Mp4;
        let scan = match head.format {
            Format::Flv => Scan::Flv(Box::default()),
            Format::Mp4 => Scan::Mp4(Box::new(Parts::new(&mut *file, head)?)),
        };
        // The end may be a place inside a part, all of which is there.
        let is_whole = head.is_whole && (is_mp4 || end == head.size_bytes);
        let (block, position) = (Vec::new(), head.data_start);
        let mut tags =
            Self { file, scan, bodies, block, end, is_whole, position, is_finished: false };
        tags.seek(head.data_start, bodies)?;
        Ok(tags)
    }

    /// Goes on at byte `start`, where a tag must begin; in MP4, with the first one at or behind it.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn seek(&mut self, start: u64, bodies: Bodies) -> io::Result<()> {
        self.position = start;
        self.bodies = bodies;
        self.is_finished = false;
        match &mut self.scan {
            Scan::Flv(scanner) => {
                **scanner = Scanner::search_from(start, bodies);
                let size = if bodies == Bodies::Skip { HEADS_BYTES } else { BLOCK_BYTES };
                self.block.resize(size, 0);
                Ok(())
            }
            Scan::Mp4(parts) => parts.seek(&mut *self.file, start),
        }
    }

    /// End of the last tag that was found.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next tag.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        loop {
            let item = match &mut self.scan {
                Scan::Flv(scanner) => scanner.poll(),
                Scan::Mp4(_) => return self.message(),
            };
            match item {
                Some(Item::Tag(tag)) => {
                    let end = tag.offset.saturating_add(tag.size);
                    // Its head is there and its body is not.
                    if end <= self.end {
                        self.position = end;
                        return Ok(Found::Tag(tag.into()));
                    }
                    if !self.is_whole {
                        return Ok(Found::End);
                    }
                }
                Some(Item::Fault(fault)) if is_damage(&fault) => return Ok(Found::Damage),
                Some(_) => {}
                None if self.is_finished => return Ok(Found::End),
                None => self.fill()?,
            }
        }
    }

    fn message(&mut self) -> io::Result<Found> {
        let Scan::Mp4(parts) = &mut self.scan else { return Ok(Found::End) };
        match parts.next(&mut *self.file, self.is_whole)? {
            Next::Message(offset, message) if offset < self.end => {
                let packet = parts.packet(&mut *self.file, &message, self.bodies)?;
                self.position = offset + 1;
                Ok(Found::Tag(Tag::of_message(offset, packet, message)))
            }
            Next::Damage => Ok(Found::Damage),
            Next::Message(..) | Next::End => Ok(Found::End),
        }
    }

    /// Of a packet of which only the head is here, more is read where that tells what its codec does
    /// not say in another way.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn reveal(&mut self, packet: &mut Packet, place: &Place) -> io::Result<()> {
        match (&mut self.scan, place, self.bodies) {
            (Scan::Mp4(parts), Place::Spans(spans), Bodies::Skip) => {
                parts.reveal(&mut *self.file, packet, spans)
            }
            _ => Ok(()),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let Scan::Flv(scanner) = &mut self.scan else { return Ok(()) };
        scanner.skip(scanner.skippable());
        let at = scanner.position();
        let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = self.block.len().min(left);
        let block = self.block.get_mut(..wanted).unwrap_or_default();
        let read = if wanted == 0 { 0 } else { self.file.read_at(at, block)? };
        if read == 0 {
            self.is_finished = true;
            // After the last tag nothing is missing.
            if self.is_whole && at > self.position {
                scanner.finish();
            }
        }
        scanner.push(block.get(..read).unwrap_or_default());
        Ok(())
    }
}

impl From<flv::scan::Tag> for Tag {
    fn from(tag: flv::scan::Tag) -> Self {
        let body = tag.offset.saturating_add(TagHeader::SIZE as u64);
        Self {
            offset: tag.offset,
            size: tag.size,
            time_ms: tag.header.timestamp_ms.into(),
            packet: tag.packet,
            place: Place::Body(body),
        }
    }
}

impl Tag {
    fn of_message(offset: u64, packet: Packet, message: Message) -> Self {
        let size = OVERHEAD.saturating_add(message.size_bytes as u64);
        let time_ms = packet.dts_ms.clamp(0, u32::MAX.into());
        Self { offset, size, time_ms, packet, place: Place::Spans(message.spans) }
    }
}

/// Whether packets are missing where it is.
fn is_damage(fault: &Fault) -> bool {
    use FaultKind::{Garbage, Truncated};
    matches!(fault.kind, Garbage { .. } | Truncated { .. })
}
