//! Whether the index of a finished file says what its parts say: it must be, byte for byte, the one
//! that the muxer would write of them; and so must be the head that makes one `mdat` of all parts.

use bytes::{Buf, BytesMut};

use super::{Options, Restore};
use crate::mp4::size;

/// Reads a file piece by piece. It keeps one part's heads, and what it learns of all samples.
#[derive(Debug)]
pub struct Check {
    walk: Walk,
    /// What is held, and where it begins in the file.
    held: BytesMut,
    at: u64,
    /// Where the head of the `mdat` is, and what it is.
    room: Option<(u64, Vec<u8>)>,
    wrong: Option<u64>,
}

#[derive(Debug)]
enum Walk {
    Parts(Box<Restore>),
    /// From this place on there has to be this.
    Index(u64, Vec<u8>),
    /// No index could be made of what is there up to here.
    Lost(u64),
}

impl Check {
    /// At the start of a file.
    pub fn new() -> Self {
        let walk = Walk::Parts(Box::new(Restore::new(Options::default(), u64::MAX)));
        Self { walk, held: BytesMut::new(), at: 0, room: None, wrong: None }
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while self.step() {}
    }

    /// The first byte that is not as it has to be; for a file that is finished.
    pub fn finish(self) -> Option<u64> {
        let lost = match &self.walk {
            Walk::Index(start, index) => start.saturating_add(size(index.len())) != self.at,
            Walk::Lost(_) | Walk::Parts(_) => true,
        };
        let place = match &self.walk {
            Walk::Lost(at) => *at,
            Walk::Parts(restore) => restore.want().map_or(self.at, |want| want.offset),
            Walk::Index(..) => self.at,
        };
        self.wrong.or(lost.then_some(place))
    }

    fn step(&mut self) -> bool {
        match &mut self.walk {
            Walk::Lost(_) => self.pass(self.held.len()),
            Walk::Index(start, index) => {
                let done = usize::try_from(self.at - *start).unwrap_or(usize::MAX);
                let wanted = index.get(done..).unwrap_or_default();
                let same = wanted.iter().zip(&self.held).take_while(|(a, b)| a == b).count();
                if same < self.held.len() {
                    self.wrong.get_or_insert(self.at + size(same));
                }
                self.pass(self.held.len())
            }
            Walk::Parts(restore) => {
                let Some(want) = restore.want() else {
                    self.end();
                    return true;
                };
                let before = usize::try_from(want.offset - self.at).unwrap_or(usize::MAX);
                if before > 0 {
                    return self.pass(before.min(self.held.len()));
                }
                let Some(bytes) = self.held.get(..want.len) else { return false };
                if self.room.is_none() && restore.is_at_room() {
                    let head = bytes.get(..super::LARGE_HEAD).unwrap_or_default();
                    self.room = Some((want.offset, head.to_vec()));
                }
                restore.push(bytes);
                true
            }
        }
    }

    fn pass(&mut self, bytes: usize) -> bool {
        self.held.advance(bytes);
        self.at += size(bytes);
        bytes > 0 && !self.held.is_empty()
    }

    /// The parts are over.
    fn end(&mut self) {
        let walk = std::mem::replace(&mut self.walk, Walk::Lost(self.at));
        let Walk::Parts(restore) = walk else { return };
        self.wrong = restore.odd();
        let Some((muxer, index_at)) =
            restore.finish().and_then(|muxer| muxer.index_at.map(|at| (muxer, at)))
        else {
            return;
        };
        let head = muxer.patches().pop();
        if let Some(((at, found), head)) = self.room.take().zip(head)
            && found != head.bytes
        {
            self.wrong.get_or_insert(at);
        }
        self.walk = Walk::Index(index_at, muxer.index_box());
    }
}

impl Default for Check {
    fn default() -> Self {
        Self::new()
    }
}
