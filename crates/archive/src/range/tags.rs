//! The tags of a file from some place on, read in large blocks; or their heads alone.

use std::io;

use media::flv::scan::{Bodies, Fault, FaultKind, Item, Scanner, Tag};

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

pub(super) struct Tags {
    file: Box<dyn DiskFile>,
    scanner: Scanner,
    block: Vec<u8>,
    /// Nothing is read from here on.
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
            scanner: Scanner::default(),
            block: Vec::new(),
            end,
            is_whole,
            position: start,
            is_finished: false,
        };
        tags.seek(start, bodies);
        tags
    }

    /// Goes on at byte `start`, where a tag must begin.
    pub(super) fn seek(&mut self, start: u64, bodies: Bodies) {
        self.scanner = Scanner::search_from(start, bodies);
        self.block.resize(if bodies == Bodies::Skip { HEADS_BYTES } else { BLOCK_BYTES }, 0);
        self.position = start;
        self.is_finished = false;
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
            match self.scanner.poll() {
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
                Some(Item::Fault(fault)) if is_damage(&fault) => return Ok(Found::Damage),
                Some(_) => {}
                None if self.is_finished => return Ok(Found::End),
                None => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.scanner.skip(self.scanner.skippable());
        let at = self.scanner.position();
        let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = self.block.len().min(left);
        let block = self.block.get_mut(..wanted).unwrap_or_default();
        let read = if wanted == 0 { 0 } else { self.file.read_at(at, block)? };
        if read == 0 {
            self.is_finished = true;
            // After the last tag nothing is missing.
            if self.is_whole && at > self.position {
                self.scanner.finish();
            }
        }
        self.scanner.push(block.get(..read).unwrap_or_default());
        Ok(())
    }
}

/// Whether packets are missing where it is.
fn is_damage(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Garbage { .. } | FaultKind::Truncated { .. })
}
