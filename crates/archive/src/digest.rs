//! The BLAKE3 hash of a file that is appended to while its beginning is still overwritten.
//!
//! BLAKE3 hashes 1 KiB chunks and joins them to a binary tree whose left subtrees are powers of two
//! (BLAKE3 2.1). So the *prefix*, the smallest such subtree that holds all that changes, is hashed
//! last, as it then is in the file; after it come subtrees that begin at P, 2P, 4P, … and are each
//! as long as all before them. Each is one [`blake3::Hasher`]; of a full one 32 bytes remain.

use std::io;

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};
use blake3::{CHUNK_LEN, Hasher};

use crate::disk::{Disk, DiskFile, beside, write_new};
use crate::events::Finished;
use crate::{Hash, telemetry};

/// Hashes a growing file. [`Digest::rollback`] takes back what came since [`Digest::commit`].
#[derive(Debug)]
pub(crate) struct Digest {
    /// Bytes of a whole prefix: a power of two of chunks.
    prefix_size: u64,
    /// Bytes of the file.
    size: u64,
    tail: Tail,
    /// Small pieces on their way into the tail: hashing many chunks at once is twice as fast.
    pieces: Vec<u8>,
    /// The full subtrees after the prefix.
    full: Vec<ChainingValue>,
    mark: Mark,
}

/// What is hashed at once at least (bytes): as many chunks as the widest processors take.
const AT_ONCE: usize = 16 * CHUNK_LEN;

/// The subtree that is being filled.
#[derive(Debug, Clone)]
struct Tail {
    hasher: Box<Hasher>,
    /// Where it begins in the file, which is also how long it can be.
    offset: u64,
}

/// What there was at the last commit.
#[derive(Debug, Clone)]
struct Mark {
    size: u64,
    tail: Tail,
    full: usize,
}

impl Digest {
    /// Nothing yet, of a file in which only the first `changing_bytes` are ever overwritten.
    pub(crate) fn new(changing_bytes: u64) -> Self {
        let prefix_size = changing_bytes.max(CHUNK_LEN as u64).next_power_of_two();
        let tail = Tail::new(prefix_size);
        let mark = Mark { size: 0, tail: tail.clone(), full: 0 };
        let (size, pieces, full) = Default::default();
        Self { prefix_size, size, tail, pieces, full, mark }
    }

    /// Takes the next bytes of the file.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let passed = self.prefix_size.saturating_sub(self.size);
        let passed = usize::try_from(passed).unwrap_or(usize::MAX).min(bytes.len());
        let (passed, rest) = bytes.split_at(passed);
        self.size += passed.len() as u64;
        if rest.is_empty() {
            return;
        }
        let over = (self.size - self.prefix_size) % AT_ONCE as u64;
        let over = usize::try_from(over).unwrap_or(0);
        self.size += rest.len() as u64;
        // All but the first and the last are hashed in whole multiples: ends are hashed block by block.
        let (head, rest) = rest.split_at((AT_ONCE - over).min(rest.len()));
        self.pieces.reserve_exact(AT_ONCE - self.pieces.len());
        self.pieces.extend_from_slice(head);
        if over + head.len() == AT_ONCE {
            self.hash_pieces();
        }
        let (whole, tail) = rest.split_at(rest.len() - rest.len() % AT_ONCE);
        self.hash(whole);
        self.pieces.extend_from_slice(tail);
    }

    fn hash_pieces(&mut self) {
        let mut pieces = std::mem::take(&mut self.pieces);
        self.hash(&pieces);
        pieces.clear();
        self.pieces = pieces;
    }

    fn hash(&mut self, mut rest: &[u8]) {
        while !rest.is_empty() {
            // A full subtree stays in its hasher until more comes: the last one is the root's.
            if self.tail.room() == 0 {
                self.full.push(self.tail.hasher.finalize_non_root());
                self.tail = Tail::new(self.tail.offset * 2);
            }
            let room = usize::try_from(self.tail.room()).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.tail.hasher.update(now);
            rest = later;
        }
    }

    /// What was appended is in the file.
    pub(crate) fn commit(&mut self) {
        self.hash_pieces();
        // Between two commits hundreds of recordings need no room for pieces.
        self.pieces = Vec::new();
        let Self { size, tail, full, .. } = self;
        self.mark = Mark { size: *size, tail: tail.clone(), full: full.len() };
    }

    /// The file was cut to its size at the last commit.
    pub(crate) fn rollback(&mut self) {
        self.pieces.clear();
        self.size = self.mark.size;
        self.full.truncate(self.mark.full);
        self.tail = self.mark.tail.clone();
    }

    /// The hash of the file as it is now: what `b3sum` prints. Reads its beginning.
    ///
    /// # Errors
    /// Those of the disk; [`io::ErrorKind::UnexpectedEof`] when the file is shorter.
    pub(crate) fn finish(&mut self, file: &mut dyn DiskFile) -> io::Result<Hash> {
        let size = usize::try_from(self.size.min(self.prefix_size)).unwrap_or(usize::MAX);
        let mut prefix = vec![0; size];
        if file.read_at(0, &mut prefix)? < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.finish_with(&prefix))
    }

    fn finish_with(&mut self, prefix: &[u8]) -> Hash {
        self.hash_pieces();
        if self.tail.hasher.count() == 0 {
            return Hash(blake3::hash(prefix).into());
        }
        let mut left = Hasher::new().update(prefix).finalize_non_root();
        for right in &self.full {
            left = merge_subtrees_non_root(&left, right, Mode::Hash);
        }
        let right = self.tail.hasher.finalize_non_root();
        Hash(merge_subtrees_root(&left, &right, Mode::Hash).into())
    }
}

impl Tail {
    fn new(offset: u64) -> Self {
        let mut hasher = Hasher::new();
        hasher.set_input_offset(offset);
        Self { hasher: Box::new(hasher), offset }
    }

    fn room(&self) -> u64 {
        self.offset - self.hasher.count()
    }
}

/// The chain over a recording up to and with the file of this `hash`. One that does not know the
/// `chain_before` begins it anew.
pub(crate) fn chain(chain_before: Option<Hash>, hash: Hash) -> Hash {
    let before = chain_before.unwrap_or(Hash([0; 32]));
    Hash(Hasher::new().update(&before.0).update(&hash.0).finalize().into())
}

/// The hash of a file, by reading all of it.
///
/// # Errors
/// Those of the disk.
pub(crate) fn read(file: &mut dyn DiskFile) -> io::Result<Hash> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read_at(hasher.count(), &mut buffer)?;
        if read == 0 {
            return Ok(Hash(hasher.finalize().into()));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// Writes, if that is wanted, the hash of a finished file beside it, as `b3sum --check` reads it,
/// and the chain in a file of its own, for `b3sum` takes no other lines. A failure is logged and
/// costs nothing else: both can be computed again.
pub(crate) fn write_checksums(disk: &dyn Disk, finished: &Finished, wanted: bool) {
    let Some(name) = finished.path.file_name().filter(|_| wanted) else { return };
    let hash = format!("{}  {}\n", finished.hash, name.display());
    let chain = format!("{}\n", finished.chain);
    for (suffix, text) in [(".b3", hash), (".chain", chain)] {
        let path = beside(&finished.path, suffix);
        if let Err(error) = write_new(disk, &path, &text) {
            telemetry::checksum_failed(&path, &crate::words(&error));
        }
    }
}

#[cfg(test)]
mod tests;
