//! A list of byte strings to be written in one vectored call.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Bytes on their way out: small pieces (headers) gathered in one buffer of its own, payloads shared.
///
/// Reused from batch to batch, it allocates nothing but what it grows to; room for unusually many small pieces is given
/// back.
#[derive(Debug, Clone, Default)]
pub struct Chunks {
    own: Vec<u8>,
    parts: Vec<Part>,
    /// Index of the first part not yet fully written.
    first: usize,
    /// Bytes not yet written.
    len: usize,
}

#[derive(Debug, Clone)]
enum Part {
    Own { start: usize, end: usize },
    Shared(Bytes),
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Own { start, end } => end - start,
            Self::Shared(bytes) => bytes.len(),
        }
    }
}

/// Payloads up to this size (bytes) are copied: cheaper than a reference count and an `iovec` of their own.
const COPY_MAX: usize = 256;

/// Room for small pieces that is kept (bytes): enough for the headers of a batch. A handshake or metadata has more, once.
const OWN_KEPT: usize = 2_048;

/// Written parts that are kept before the list is compacted, at half its length at the latest.
const COMPACT_MIN: usize = 64;

impl Chunks {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a copy of `bytes`: for headers and other small pieces.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let start = self.own.len();
        self.own.extend_from_slice(bytes);
        self.len += bytes.len();
        match self.parts.last_mut() {
            Some(Part::Own { end, .. }) if *end == start => *end = self.own.len(),
            _ => self.parts.push(Part::Own { start, end: self.own.len() }),
        }
    }

    /// Appends a payload without copying it (small ones are copied, which costs less).
    pub fn put(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_MAX {
            self.put_slice(&bytes);
        } else {
            self.len += bytes.len();
            self.parts.push(Part::Shared(bytes));
        }
    }

    /// Bytes not yet written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether everything was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `slices` with what comes next, in order, and returns how many it filled.
    pub fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = self.parts.get(self.first..).unwrap_or_default();
        let mut filled = 0;
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(self.bytes_of(part));
            filled += 1;
        }
        filled
    }

    /// Drops the first `n` bytes, which were written. More than there is drops everything.
    pub fn advance(&mut self, mut n: usize) {
        self.len = self.len.saturating_sub(n);
        if self.len == 0 {
            self.clear();
            return;
        }
        while let Some(part) = self.parts.get_mut(self.first) {
            if n < part.len() {
                match part {
                    Part::Own { start, .. } => *start += n,
                    Part::Shared(bytes) => bytes.advance(n),
                }
                break;
            }
            n -= part.len();
            *part = Part::Own { start: 0, end: 0 };
            self.first += 1;
        }
        if self.first >= COMPACT_MIN && self.first * 2 >= self.parts.len() {
            self.compact();
        }
    }

    /// Gives back what was written: a list that is never written out whole would grow for ever.
    fn compact(&mut self) {
        self.parts.drain(..self.first);
        self.first = 0;
        let first_own = self.parts.iter().find_map(|part| match part {
            Part::Own { start, .. } => Some(*start),
            Part::Shared(_) => None,
        });
        let written = first_own.unwrap_or(self.own.len());
        self.own.drain(..written);
        for part in &mut self.parts {
            if let Part::Own { start, end } = part {
                *start -= written;
                *end -= written;
            }
        }
    }

    /// Takes everything that was not written, in order: small pieces that follow each other as one, payloads shared.
    pub fn take(&mut self) -> impl Iterator<Item = Bytes> + use<> {
        let own = Bytes::from(std::mem::take(&mut self.own));
        let parts =
            std::mem::take(&mut self.parts).into_iter().skip(std::mem::take(&mut self.first));
        self.len = 0;
        parts.map(move |part| match part {
            Part::Own { start, end } => own.slice(start..end),
            Part::Shared(bytes) => bytes,
        })
    }

    /// Drops everything and keeps the buffers, unless they are unusually large.
    pub fn clear(&mut self) {
        self.own.clear();
        self.own.shrink_to(OWN_KEPT);
        self.parts.clear();
        self.first = 0;
        self.len = 0;
    }

    /// All bytes in one piece: for tests and for small messages.
    pub fn to_vec(&self) -> Vec<u8> {
        let parts = self.parts.get(self.first..).unwrap_or_default();
        let mut all = Vec::with_capacity(self.len);
        for part in parts {
            all.extend_from_slice(self.bytes_of(part));
        }
        all
    }

    fn bytes_of<'a>(&'a self, part: &'a Part) -> &'a [u8] {
        match part {
            Part::Own { start, end } => self.own.get(*start..*end).unwrap_or_default(),
            Part::Shared(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests;
