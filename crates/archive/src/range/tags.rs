//! The tags of a file from some place on, read in large blocks; or their heads alone. Of MP4 its
//! messages as tags, whose places are those that [`media::mp4::tags`] gives them.

use std::io;

use media::flv::scan::{Bodies, Fault, FaultKind, Item, Scanner, Tag};
use media::mp4;

use crate::DiskFile;

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

/// How the bytes are read.
enum Scan {
    Flv(Box<Scanner>),
    Mp4(Box<mp4::tags::Tags>),
}

pub(super) struct Tags {
    file: Box<dyn DiskFile>,
    scan: Scan,
    block: Vec<u8>,
    /// What an MP4 file has before its first part.
    start: Option<Vec<u8>>,
    /// No tag is told from here on.
    end: u64,
    /// Whether a tag that goes beyond the end is cut off, and not still being written.
    is_whole: bool,
    /// End of the last tag that was found, or where reading began.
    position: u64,
    is_finished: bool,
}

impl Tags {
    /// At byte `start`, where a tag must begin.
    pub(super) fn new(
        file: Box<dyn DiskFile>,
        start: u64,
        end: u64,
        is_whole: bool,
        bodies: Bodies,
    ) -> Self {
        let mut tags = Self {
            file,
            scan: Scan::Flv(Box::default()),
            block: Vec::new(),
            start: None,
            end,
            is_whole,
            position: start,
            is_finished: false,
        };
        tags.seek(start, bodies);
        tags
    }

    /// Those of an MP4 file whose first part begins at byte `start`.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn of_parts(
        mut file: Box<dyn DiskFile>,
        start: u64,
        end: u64,
        is_whole: bool,
    ) -> io::Result<Self> {
        let mut head = vec![0; usize::try_from(start).unwrap_or_default()];
        let read = file.read_at(0, &mut head)?;
        head.truncate(read);
        let mut tags = Self::new(file, start, end, is_whole, Bodies::Keep);
        tags.start = Some(head);
        tags.seek(start, Bodies::Keep);
        Ok(tags)
    }

    /// Goes on at byte `start`, where a tag must begin; in MP4, with the first one at or behind it.
    pub(super) fn seek(&mut self, start: u64, bodies: Bodies) {
        self.position = start;
        self.is_finished = false;
        if let Some(head) = self.start.take() {
            let part = self.part_of(head.len() as u64, start);
            self.scan = Scan::Mp4(Box::new(mp4::tags::Tags::at_part(&head, part)));
            self.start = Some(head);
            self.block.resize(BLOCK_BYTES, 0);
            return;
        }
        self.scan = Scan::Flv(Box::new(Scanner::search_from(start, bodies)));
        self.block.resize(if bodies == Bodies::Skip { HEADS_BYTES } else { BLOCK_BYTES }, 0);
    }

    /// The first byte of the last part that begins at or before byte `to`, when one begins at
    /// `first`; by the heads of boxes. Where those are damaged, the last that can be found.
    fn part_of(&mut self, first: u64, to: u64) -> u64 {
        let (mut at, mut part) = (first, first);
        while at <= to {
            let mut head = [0; 8];
            if !matches!(self.file.read_at(at, &mut head), Ok(8)) {
                break;
            }
            let [a, b, c, d, name @ ..] = head;
            match &name {
                b"uuid" => part = at,
                b"prft" | b"moof" | b"mdat" | b"free" => {}
                _ => break,
            }
            at += u64::from(u32::from_be_bytes([a, b, c, d])).max(8);
        }
        part
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
                Scan::Mp4(tags) => tags.poll(),
            };
            match item {
                Some(Item::Tag(tag)) if self.start.is_some() => {
                    if tag.offset >= self.end {
                        return Ok(Found::End);
                    }
                    if tag.offset >= self.position {
                        self.position = tag.offset + 1;
                        return Ok(Found::Tag(tag));
                    }
                }
                Some(Item::Tag(tag)) => {
                    let end = tag.offset.saturating_add(tag.size);
                    // Its head is there and its body is not.
                    if end <= self.end {
                        self.position = end;
                        return Ok(Found::Tag(tag));
                    }
                    if !self.is_whole {
                        return Ok(Found::End);
                    }
                }
                // A part that is still being written.
                Some(Item::Fault(_)) if self.start.is_some() && !self.is_whole => {
                    self.is_finished = true;
                }
                Some(Item::Fault(fault)) if is_damage(&fault) => return Ok(Found::Damage),
                Some(_) => {}
                None if self.is_finished => return Ok(Found::End),
                None => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let (at, end) = match &mut self.scan {
            Scan::Flv(scanner) => {
                scanner.skip(scanner.skippable());
                (scanner.position(), self.end)
            }
            // The end is a place inside a part, all of which is needed.
            Scan::Mp4(tags) => (tags.position(), u64::MAX),
        };
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = self.block.len().min(left);
        let block = self.block.get_mut(..wanted).unwrap_or_default();
        let read = if wanted == 0 { 0 } else { self.file.read_at(at, block)? };
        if read == 0 {
            self.is_finished = true;
            // After the last tag nothing is missing.
            match &mut self.scan {
                Scan::Flv(scanner) if self.is_whole && at > self.position => scanner.finish(),
                // Its last part may have no samples.
                Scan::Mp4(tags) => tags.finish(),
                Scan::Flv(_) => {}
            }
        }
        let read = block.get(..read).unwrap_or_default();
        match &mut self.scan {
            Scan::Flv(scanner) => scanner.push(read),
            Scan::Mp4(tags) => tags.push(read),
        }
        Ok(())
    }
}

/// Whether packets are missing where it is.
fn is_damage(fault: &Fault) -> bool {
    use FaultKind::{Garbage, Mp4, Truncated};
    matches!(fault.kind, Garbage { .. } | Truncated { .. } | Mp4(_))
}
