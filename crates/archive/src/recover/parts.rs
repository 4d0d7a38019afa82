//! What of an unfinished MP4 file is whole.
//!
//! A file of parts is read from its first byte: how many messages it has stands nowhere else.

use std::io;

use media::Chunks;
use media::flv::mux::Options;
use media::mp4::mux::{Muxer, Restore};
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
    let mut scanner = Scanner::searching();
    let mut out = Chunks::new();
    scanner.push(&head);
    scanner.go_on(from);
    out.put_slice(&head);
    let (mut at, mut parts, mut is_over) = (from, 0, false);
    while !is_over {
        let block = growing.read(at, READ_BYTES)?;
        at += block.len() as u64;
        is_over = block.is_empty();
        scanner.push(&block);
        if is_over {
            scanner.finish();
        }
        while let Some(item) = scanner.poll() {
            let Item::Part(part) = item else { continue };
            let len = usize::try_from(part.end - part.offset).map_err(|_| lost())?;
            out.put(growing.read(part.offset, len)?.into());
            append_all(to, &mut out, |_| {})?;
            parts += 1;
        }
    }
    Ok(parts)
}
