//! What of an unfinished MP4 file is whole.
//!
//! A file of parts is read from its first byte: how many messages it has stands nowhere else.

use std::io;

use media::Chunks;
use media::flv::mux::Options;
use media::mp4::mux::{Muxer, PART_MARK, Restore};
use media::mp4::scan::{Item, Scanner};

use super::file::{READ_BYTES, lost, read};
use crate::Amount;
use crate::disk::{DiskFile, append_all};
use crate::script::ROOM_BYTES;

/// What stands where the head of an `mdat` is going to be.
const ROOM: [u8; ROOM_BYTES] = *b"\0\0\0\x10free\0\0\0\0\0\0\0\0";

/// The parts of a file.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Where the last whole part ends, or the index.
    pub(super) end: u64,
    /// Messages, and the bytes of their bodies.
    pub(super) messages: Amount,
    /// The first of them, as many as were asked for.
    pub(super) repeated: Amount,
}

/// A file whose head is taken to be that of one that grows, whatever has become of it.
pub(super) struct Growing<'a> {
    pub(super) file: &'a mut dyn DiskFile,
    /// Where the head of an `mdat` is, or is going to be.
    pub(super) room: u64,
    /// Nothing is read from here on.
    pub(super) until: u64,
}

impl Growing<'_> {
    /// At most `len` bytes.
    fn read(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.until.saturating_sub(offset)).unwrap_or(len);
        let mut bytes = read(self.file, offset, len.min(left))?;
        for (at, byte) in (self.room..).zip(ROOM) {
            let at = at.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
            if let Some(place) = at.and_then(|at| bytes.get_mut(at)) {
                *place = byte;
            }
        }
        Ok(bytes)
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn parts(&mut self, repeated: u64) -> io::Result<Parts> {
        let mut parts = Parts::default();
        let mut scanner = Scanner::new();
        let (mut at, mut is_over) = (0, false);
        // Messages of a part count when all of it is there.
        let mut open = Parts::default();
        while !is_over {
            let block = self.read(at, READ_BYTES)?;
            at += block.len() as u64;
            is_over = block.is_empty();
            scanner.push(&block);
            if is_over {
                scanner.finish();
            }
            while let Some(item) = scanner.poll() {
                match item {
                    Item::Packet(packet) => {
                        let amount = Amount { packets: 1, bytes: packet.body.len() as u64 };
                        let before = parts.messages.packets + open.messages.packets;
                        open.messages += amount;
                        if before < repeated {
                            open.repeated += amount;
                        }
                    }
                    Item::Part(_) => {
                        let whole = std::mem::take(&mut open);
                        parts.messages += whole.messages;
                        parts.repeated += whole.repeated;
                    }
                    Item::Fault(_) => is_over = true,
                    _ => {}
                }
            }
        }
        parts.end = scanner.whole_until();
        Ok(parts)
    }

    /// The muxer that goes on at the end of the last whole part.
    ///
    /// # Errors
    /// Those of the disk; [`io::ErrorKind::InvalidData`] when there is no such place.
    pub(super) fn muxer(&mut self, options: Options) -> io::Result<Muxer> {
        let mut restore = Restore::new(options, self.until);
        while let Some(want) = restore.want() {
            let bytes = self.read(want.offset, want.len)?;
            restore.push(&bytes);
        }
        restore.finish().ok_or_else(lost)
    }
}

/// Copies what a file begins with, and the whole parts behind `from`, to another file. Returns how
/// many parts those were.
///
/// # Errors
/// Those of the disk.
pub(super) fn copy(
    growing: &mut Growing<'_>,
    start: u64,
    from: u64,
    to: &mut dyn DiskFile,
) -> io::Result<u64> {
    let head = growing.read(0, usize::try_from(start).unwrap_or(READ_BYTES))?;
    let mut out = Chunks::new();
    let (mut at, mut parts) = (from, 0);
    while let Some(found) = next_mark(growing, at)? {
        let Some(whole) = whole_part(growing, &head, found)? else {
            at = found + PART_MARK.len() as u64;
            continue;
        };
        if parts == 0 {
            out.put_slice(&head);
        }
        at = found + whole.len() as u64;
        parts += 1;
        out.put(whole.into());
        append_all(to, &mut out, |_| {})?;
    }
    Ok(parts)
}

/// The bytes of the part that begins at `at`, if it is whole.
fn whole_part(growing: &mut Growing<'_>, head: &[u8], at: u64) -> io::Result<Option<Vec<u8>>> {
    let mut scanner = Scanner::new();
    scanner.push(head);
    let (mut bytes, mut is_over) = (Vec::new(), false);
    loop {
        while let Some(item) = scanner.poll() {
            match item {
                Item::Part(part) => {
                    let len = usize::try_from(part.end - part.offset).unwrap_or(bytes.len());
                    bytes.truncate(len);
                    return Ok(Some(bytes));
                }
                Item::Fault(_) => return Ok(None),
                _ => {}
            }
        }
        if is_over {
            return Ok(None);
        }
        let block = growing.read(at + bytes.len() as u64, READ_BYTES)?;
        is_over = block.is_empty();
        if is_over {
            scanner.finish();
        }
        scanner.push(&block);
        bytes.extend_from_slice(&block);
    }
}

/// Where the next part may begin.
fn next_mark(growing: &mut Growing<'_>, from: u64) -> io::Result<Option<u64>> {
    let mut at = from;
    loop {
        let block = growing.read(at, READ_BYTES)?;
        let found = block.windows(PART_MARK.len()).position(|bytes| bytes == PART_MARK);
        if let Some(found) = found {
            return Ok(Some(at + found as u64 - 4));
        }
        if block.len() < READ_BYTES {
            return Ok(None);
        }
        at += (block.len() - PART_MARK.len()) as u64;
    }
}
