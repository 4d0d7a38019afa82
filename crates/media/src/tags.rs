//! Reads recordings of either format: FLV, or MP4 of [`crate::mp4::mux`], told by its first bytes.

use bytes::BytesMut;

use crate::flv::scan::{Bodies, Item, Scanner};
use crate::mp4::tags::Tags;

/// Reads a file piece by piece, as [`Scanner`] does.
#[derive(Debug)]
pub struct Reader {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    /// Too little came to tell.
    Unknown {
        bodies: Bodies,
        start: BytesMut,
    },
    Flv(Box<Scanner>),
    Mp4(Box<Tags>),
}

/// Bytes that tell: a size and the name of the first box.
const LOOK: usize = 8;

impl Reader {
    /// A reader at the start of a file. Bodies in MP4 are always kept.
    pub fn new(bodies: Bodies) -> Self {
        Self { inner: Inner::Unknown { bodies, start: BytesMut::new() } }
    }

    /// Whether it is MP4, as far as is known.
    pub fn is_mp4(&self) -> bool {
        matches!(self.inner, Inner::Mp4(_))
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.inner {
            Inner::Unknown { start, .. } => {
                start.extend_from_slice(bytes);
                if start.len() >= LOOK {
                    self.settle();
                }
            }
            Inner::Flv(scanner) => scanner.push(bytes),
            Inner::Mp4(tags) => tags.push(bytes),
        }
    }

    /// There are no more bytes.
    pub fn finish(&mut self) {
        self.settle();
        match &mut self.inner {
            Inner::Unknown { .. } => {}
            Inner::Flv(scanner) => scanner.finish(),
            Inner::Mp4(tags) => tags.finish(),
        }
    }

    /// The next thing that was found; `None` when more bytes are needed, or at the end.
    pub fn poll(&mut self) -> Option<Item> {
        match &mut self.inner {
            Inner::Unknown { .. } => None,
            Inner::Flv(scanner) => scanner.poll(),
            Inner::Mp4(tags) => tags.poll(),
        }
    }

    /// Where the next bytes are in the file.
    pub fn position(&self) -> u64 {
        match &self.inner {
            Inner::Unknown { start, .. } => u64::try_from(start.len()).unwrap_or(u64::MAX),
            Inner::Flv(scanner) => scanner.position(),
            Inner::Mp4(tags) => tags.position(),
        }
    }

    /// How many of the next bytes are of no use: see [`Scanner::skippable`].
    pub fn skippable(&self) -> u64 {
        match &self.inner {
            Inner::Flv(scanner) => scanner.skippable(),
            _ => 0,
        }
    }

    /// So many bytes are passed over, of those that are of no use.
    pub fn skip(&mut self, bytes: u64) {
        if let Inner::Flv(scanner) = &mut self.inner {
            scanner.skip(bytes);
        }
    }

    fn settle(&mut self) {
        let Inner::Unknown { bodies, start } = &mut self.inner else { return };
        let (bodies, start) = (*bodies, std::mem::take(start));
        self.inner = if start.get(4..LOOK) == Some(b"ftyp") {
            Inner::Mp4(Box::default())
        } else {
            Inner::Flv(Box::new(Scanner::new(bodies)))
        };
        self.push(&start);
    }
}

#[cfg(test)]
mod tests;
