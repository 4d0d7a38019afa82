//! Reads FLV files of any size, whole or broken, piece by piece, and says what is wrong with them.
//!
//! Push a piece, poll items until there are none, push the next. In memory are the piece and one
//! tag at most; three where `PreviousTagSize` is wrong.
//!
//! A tag is taken as one when `PreviousTagSize` after it agrees; or when its header is as it must
//! be, and tags follow. Where neither is so, the scanner looks for the next place where header and
//! size are right, and reports what is between as garbage.

use bytes::{Buf, Bytes, BytesMut};

use super::{
    audio,
    tag::{BODY_MAX, OVERHEAD, TagHeader},
    video,
};
use crate::{Kind, Packet, Role};

mod order;

use order::Order;

/// How bodies are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bodies {
    /// Every body is whole in its packet.
    #[default]
    Keep,
    /// Of a body longer than [`Scanner::HEAD_BYTES`] only so much is looked at, unless it is a
    /// configuration, metadata, of several tracks or AMF3. The caller may seek over the rest:
    /// [`Scanner::skippable`].
    Skip,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The file header.
    Header(FileHeader),
    /// A tag.
    Tag(Tag),
    /// Something that is wrong. What is odd about a tag's header comes before the tag; where its
    /// end is wrong or missing, that comes after it.
    Fault(Fault),
}

/// The file header (FLV E.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// Version of the format; 1.
    pub version: u8,
    /// Whether the header announces audio.
    pub has_audio: bool,
    /// Whether the header announces video.
    pub has_video: bool,
    /// Bytes of the header; 9.
    pub size: u32,
}

/// A tag and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// First byte of its header, from the start of the file.
    pub offset: u64,
    /// Bytes with its header and `PreviousTagSize`.
    pub size: u64,
    /// Its header as it stands.
    pub header: TagHeader,
    /// What it carries; its time is that of the header.
    pub packet: Packet,
    /// Whether the packet's body is whole ([`Bodies::Skip`]).
    pub is_whole: bool,
}

/// Something wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// From the start of the file.
    pub offset: u64,
    /// What it is.
    pub kind: FaultKind,
}

/// What can be wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The file does not begin with `FLV`.
    #[error("no FLV signature")]
    Signature,
    /// A version other than 1.
    #[error("FLV version {0}, not 1")]
    Version(u8),
    /// Reserved bits of the file header are set.
    #[error("reserved bits set in the file header's flags {0:#04x}")]
    HeaderFlags(u8),
    /// The file header's size is not 9.
    #[error("file header of {0} bytes, not 9")]
    HeaderSize(u32),
    /// `PreviousTagSize` is not the size of the tag before it.
    #[error("PreviousTagSize is {found}, the tag has {expected} bytes")]
    PreviousTagSize {
        /// What stands there.
        found: u32,
        /// What should.
        expected: u32,
    },
    /// A tag of a type that is not audio, video or script; not reported as a tag.
    #[error("unknown tag type {0}")]
    TagType(u8),
    /// A stream id that is not 0.
    #[error("stream id {0}, not 0")]
    StreamId(u32),
    /// Reserved bits of a tag header are set.
    #[error("reserved bits set in a tag header")]
    Reserved,
    /// The tag says that its body is encrypted.
    #[error("encrypted tag")]
    Encrypted,
    /// A coded frame is earlier than the one before it of the same track.
    #[error("time of {} track {track} goes back from {from_ms} to {to_ms} ms", .kind.name())]
    TimeBack {
        /// Audio or video.
        kind: Kind,
        /// Track id.
        track: u8,
        /// Time of the frame before.
        from_ms: u32,
        /// Time of this one.
        to_ms: u32,
    },
    /// The file ends inside a tag or inside its header. The tag was not reported, unless its body
    /// was skipped.
    #[error("cut off: {missing} bytes of the last tag are missing")]
    Truncated {
        /// Bytes that the tag should have further.
        missing: u64,
    },
    /// Something of an MP4 file, of which the messages are read as tags.
    #[error(transparent)]
    Mp4(crate::mp4::scan::FaultKind),
    /// Bytes that are no tag.
    #[error("{size} bytes that are no tag")]
    Garbage {
        /// How many.
        size: u64,
    },
}

impl FaultKind {
    /// Whether the file ends too early, as one does that is being written.
    pub fn is_torn_end(&self) -> bool {
        use crate::mp4::scan::FaultKind::{Torn, TornIndex};
        matches!(self, Self::Truncated { .. } | Self::Mp4(Torn | TornIndex))
    }
}

/// An incremental reader.
#[derive(Debug, Default)]
pub struct Scanner {
    bodies: Bodies,
    buffer: BytesMut,
    /// Position in the file of the first byte in `buffer`.
    offset: u64,
    state: State,
    is_finished: bool,
    /// Found already, to be handed out first.
    ready: std::collections::VecDeque<Item>,
    order: Order,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    FirstSize,
    Tag,
    /// A tag that was announced; bytes of its body to pass over, then `PreviousTagSize`.
    Body {
        header: TagHeader,
        offset: u64,
        left: u64,
    },
    /// Looking for a tag; `checked` bytes of the buffer hold none.
    Lost {
        offset: u64,
        checked: usize,
    },
}

/// What can be said of the bytes at some place.
enum Guess {
    /// A tag, with the problems of its header.
    Tag,
    /// Not a tag.
    Not,
    /// That depends on bytes to come.
    Wait,
}

impl Scanner {
    /// Bytes of a body that are always looked at: more than the longest head of a usual message.
    pub const HEAD_BYTES: usize = 4_096;

    /// A scanner at the start of a file.
    pub fn new(bodies: Bodies) -> Self {
        Self { bodies, ..Self::default() }
    }

    /// A scanner in the middle of a file: it looks for the first tag at `offset` or behind it that
    /// `PreviousTagSize` confirms. Nothing but that tag need be in the file.
    pub fn search_from(offset: u64, bodies: Bodies) -> Self {
        let state = State::Lost { offset, checked: 0 };
        Self { bodies, offset, state, ..Self::default() }
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        let skipped = usize::try_from(self.skippable()).unwrap_or(usize::MAX).min(bytes.len());
        self.skip(size(skipped));
        self.buffer.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
    }

    /// Says that the file ends here; what is left comes out of [`Scanner::poll`].
    pub fn finish(&mut self) {
        self.is_finished = true;
    }

    /// How many bytes from [`Scanner::position`] on are of no interest.
    pub fn skippable(&self) -> u64 {
        match self.state {
            State::Body { left, .. } if self.buffer.is_empty() => left,
            _ => 0,
        }
    }

    /// Says that the next `size` bytes of the file are not pushed; at most [`Scanner::skippable`]
    /// are believed.
    pub fn skip(&mut self, size: u64) {
        let size = size.min(self.skippable());
        if let State::Body { left, .. } = &mut self.state {
            *left -= size;
            self.offset += size;
        }
    }

    /// Bytes of the file pushed and skipped so far: where the next ones must come from.
    pub fn position(&self) -> u64 {
        self.offset + size(self.buffer.len())
    }

    /// The next item. `None` means: push more, or, once finished, that this was all.
    pub fn poll(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            self.step()?;
        }
    }

    /// Does one thing; `None` when that takes more bytes.
    fn step(&mut self) -> Option<()> {
        match self.state {
            State::Start => self.read_file_header(),
            State::FirstSize => self.read_first_size(),
            State::Tag => self.read_tag(),
            State::Body { header, offset, left } => self.read_body(header, offset, left),
            State::Lost { offset, checked } => self.search(offset, checked),
        }
    }

    fn read_file_header(&mut self) -> Option<()> {
        let Some(&[b'F', b'L', b'V', version, flags, s0, s1, s2, s3]) = self.buffer.first_chunk()
        else {
            let is_flv = b"FLV".starts_with(self.buffer.get(..3).unwrap_or(&self.buffer));
            if is_flv && !self.is_finished {
                return None;
            }
            if is_flv {
                return self.end_inside(9);
            }
            self.fault(0, FaultKind::Signature);
            self.state = State::Lost { offset: 0, checked: 0 };
            return Some(());
        };
        let header_size = u32::from_be_bytes([s0, s1, s2, s3]);
        let has = |bit: u8| flags & bit != 0;
        if version != 1 {
            self.fault(3, FaultKind::Version(version));
        }
        if has(!0x05) {
            self.fault(4, FaultKind::HeaderFlags(flags));
        }
        if header_size != 9 {
            self.fault(5, FaultKind::HeaderSize(header_size));
        }
        self.ready.push_back(Item::Header(FileHeader {
            version,
            has_audio: has(0x04),
            has_video: has(0x01),
            size: header_size,
        }));
        self.take(9);
        // Another size is no version 1, or a lie: if no tag follows here, it is looked for.
        self.state = State::FirstSize;
        Some(())
    }

    fn read_first_size(&mut self) -> Option<()> {
        let Some(found) = be32(&self.buffer, 0) else {
            return self.is_finished.then(|| self.end_inside(4)).flatten();
        };
        if found != 0 {
            self.fault(self.offset, FaultKind::PreviousTagSize { found, expected: 0 });
        }
        self.take(4);
        self.state = State::Tag;
        Some(())
    }

    fn read_tag(&mut self) -> Option<()> {
        match self.guess(0) {
            Guess::Wait => None,
            Guess::Tag => self.announce(),
            Guess::Not if self.buffer.is_empty() => None,
            Guess::Not => {
                // At the end, a header as it must be is a tag cut off; unless a whole tag follows
                // somewhere.
                self.state = State::Lost { offset: self.offset, checked: 1 };
                Some(())
            }
        }
    }

    /// Judges the bytes at `at` in the buffer.
    fn guess(&self, at: usize) -> Guess {
        let wait = if self.is_finished { Guess::Not } else { Guess::Wait };
        let Some(header) = header_at(&self.buffer, at) else { return wait };
        let end = at + TagHeader::SIZE + body_size(&header);
        if self.bodies == Bodies::Skip && matches!(self.state, State::Tag) && is_plain(&header) {
            let wanted = end.min(at + TagHeader::SIZE + Self::HEAD_BYTES);
            return if self.buffer.len() < wanted { wait } else { Guess::Tag };
        }
        match be32(&self.buffer, end) {
            None => wait,
            Some(found) if found == header.tag_size() => Guess::Tag,
            Some(_) if !matches!(self.state, State::Tag) || !is_plain(&header) => Guess::Not,
            // It is right, but for another tag: this one lost its end, and what is there instead
            // is not its body.
            Some(found) if self.is_tag_before(end, found) => Guess::Not,
            Some(_) => self.guess_behind(end + 4, 1),
        }
    }

    /// Judges a tag of which only `PreviousTagSize` is wrong by what is behind it, at `at`: the
    /// end, or a tag, and as many further ones as `more` says if its size is wrong too.
    fn guess_behind(&self, at: usize, more: usize) -> Guess {
        let Some(next) = header_at(&self.buffer, at) else {
            return match self.buffer.len() {
                _ if !self.is_finished => Guess::Wait,
                len if len == at => Guess::Tag,
                _ => Guess::Not,
            };
        };
        let end = at + TagHeader::SIZE + body_size(&next);
        match be32(&self.buffer, end) {
            _ if !is_plain(&next) => Guess::Not,
            None if !self.is_finished => Guess::Wait,
            // The last tag of the file, which is cut off; unless there are others.
            None if (1..self.buffer.len()).any(|at| self.is_confirmed(at)) => Guess::Not,
            None => Guess::Tag,
            Some(found) if found == next.tag_size() => Guess::Tag,
            Some(_) if more > 0 => self.guess_behind(end + 4, more - 1),
            Some(_) => Guess::Tag,
        }
    }

    /// Whether the tag that ends at `end` in the buffer is one of `size` bytes.
    fn is_tag_before(&self, end: usize, size: u32) -> bool {
        let start = usize::try_from(size).ok().and_then(|size| end.checked_sub(size));
        start.is_some_and(|start| start > 0 && self.is_confirmed(start))
    }

    /// Whether there is a tag at `at` in the buffer whose header and size are right.
    fn is_confirmed(&self, at: usize) -> bool {
        let header = header_at(&self.buffer, at).filter(is_plain);
        header.is_some_and(|header| {
            let end = at + TagHeader::SIZE + body_size(&header);
            be32(&self.buffer, end) == Some(header.tag_size())
        })
    }

    /// Hands out the tag at the start of the buffer, as far as it is there.
    fn announce(&mut self) -> Option<()> {
        let header = header_at(&self.buffer, 0)?;
        let offset = self.offset;
        let whole = body_size(&header);
        let kind = kind_of(&header);
        let head = self.buffer.get(TagHeader::SIZE..)?;
        let needs_whole = || {
            let missing = whole.saturating_sub(head.len());
            let role = kind.map(|kind| Packet::classify(kind, head, missing).0);
            matches!(role, Some(Role::Config | Role::Metadata))
                || kind.is_some_and(|kind| !is_told_by(kind, head))
        };
        let is_skipped = self.bodies == Bodies::Skip && whole > Self::HEAD_BYTES && !needs_whole();
        let kept = if is_skipped { Self::HEAD_BYTES } else { whole };
        if head.len() < kept {
            if self.is_finished {
                self.state = State::Lost { offset, checked: 1 };
                return Some(());
            }
            return None;
        }
        self.take(TagHeader::SIZE);
        let body = self.take(kept);
        for fault in header_faults(&header) {
            self.fault(offset, fault);
        }
        if let Some(kind) = kind {
            let time_ms = i64::from(header.timestamp_ms);
            let packet = Packet::of_head(kind, time_ms, body, whole - kept);
            if let Some(fault) = self.order.check(&packet) {
                self.fault(offset, fault);
            }
            let size = u64::from(header.size) + OVERHEAD;
            let is_whole = kept == whole;
            self.ready.push_back(Item::Tag(Tag { offset, size, header, packet, is_whole }));
        }
        self.state = State::Body { header, offset, left: size(whole - kept) };
        Some(())
    }

    fn read_body(&mut self, header: TagHeader, offset: u64, left: u64) -> Option<()> {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
        self.take(here);
        let left = left - size(here);
        self.state = State::Body { header, offset, left };
        let found = if left == 0 { be32(&self.buffer, 0) } else { None };
        let Some(found) = found else {
            if !self.is_finished {
                return None;
            }
            let missing = (left + 4).saturating_sub(size(self.buffer.len()));
            self.fault(offset, FaultKind::Truncated { missing });
            self.take(self.buffer.len());
            self.state = State::Tag;
            return Some(());
        };
        let expected = header.tag_size();
        if found != expected {
            self.fault(self.offset, FaultKind::PreviousTagSize { found, expected });
        }
        self.take(4);
        self.state = State::Tag;
        Some(())
    }

    /// Looks for the next tag that `PreviousTagSize` confirms.
    fn search(&mut self, offset: u64, mut checked: usize) -> Option<()> {
        while checked < self.buffer.len() {
            let is_candidate = match header_at(&self.buffer, checked) {
                Some(header) => is_plain(&header),
                None => !self.is_finished,
            };
            match if is_candidate { self.guess(checked) } else { Guess::Not } {
                Guess::Not => checked += 1,
                Guess::Wait => break,
                Guess::Tag => {
                    self.take(checked);
                    if self.offset > offset {
                        self.fault(offset, FaultKind::Garbage { size: self.offset - offset });
                    }
                    self.state = State::Tag;
                    return Some(());
                }
            }
        }
        if self.is_finished {
            self.end_lost(offset);
            return Some(());
        }
        self.take(checked);
        self.state = State::Lost { offset, checked: 0 };
        None
    }

    /// The rest of the file has no tag: it is the beginning of one, or garbage.
    fn end_lost(&mut self, offset: u64) {
        let size_bytes = self.position() - offset;
        let header = header_at(&self.buffer, 0);
        let wanted = match header {
            Some(header) => u64::from(header.size) + OVERHEAD,
            None => size(TagHeader::SIZE),
        };
        // While there were bytes to come, only what cannot be a tag was passed over.
        let is_cut_off =
            offset == self.offset && header.as_ref().is_none_or(is_plain) && size_bytes < wanted;
        self.fault(
            offset,
            if is_cut_off {
                FaultKind::Truncated { missing: wanted - size_bytes }
            } else {
                FaultKind::Garbage { size: size_bytes }
            },
        );
        self.take(self.buffer.len());
        self.state = State::Tag;
    }

    /// The file ends inside its header, of which `size` bytes should be here.
    fn end_inside(&mut self, wanted: usize) -> Option<()> {
        let missing = size(wanted.saturating_sub(self.buffer.len()));
        self.fault(self.offset, FaultKind::Truncated { missing });
        self.take(self.buffer.len());
        self.state = State::Tag;
        Some(())
    }

    fn fault(&mut self, offset: u64, kind: FaultKind) {
        self.ready.push_back(Item::Fault(Fault { offset, kind }));
    }

    /// Moves on by `len` bytes, all of which are in the buffer.
    fn take(&mut self, len: usize) -> Bytes {
        let len = len.min(self.buffer.len());
        self.offset += size(len);
        if len <= COPY_MAX {
            let bytes = Bytes::copy_from_slice(self.buffer.get(..len).unwrap_or_default());
            self.buffer.advance(len);
            return bytes;
        }
        self.buffer.split_to(len).freeze()
    }
}

/// Bodies up to this size (bytes) are copied, so that they do not keep the piece alive that they
/// came in.
const COPY_MAX: usize = 256;

/// Whether the head of a message tells what it is. Of several tracks the first alone may be in it, and modifiers may
/// go beyond it.
pub(super) fn is_told_by(kind: Kind, head: &[u8]) -> bool {
    match kind {
        Kind::Video => video::is_told_by(head),
        Kind::Audio => audio::is_told_by(head),
        Kind::Data => true,
        // References reach from the first value to the last.
        Kind::DataAmf3 => false,
    }
}

pub(super) fn kind_of(header: &TagHeader) -> Option<Kind> {
    let kinds = [Kind::Audio, Kind::Video, Kind::Data, Kind::DataAmf3];
    kinds.into_iter().find(|kind| kind.number() == header.kind)
}

/// Whether nothing about the header is odd.
pub(super) fn is_plain(header: &TagHeader) -> bool {
    kind_of(header).is_some() && header_faults(header).next().is_none()
}

fn header_faults(header: &TagHeader) -> impl Iterator<Item = FaultKind> + use<> {
    let kind = header.kind;
    let id = header.stream_id;
    let faults = [
        kind_of(header).is_none().then_some(FaultKind::TagType(kind)),
        (id != 0).then_some(FaultKind::StreamId(id)),
        (header.reserved != 0).then_some(FaultKind::Reserved),
        header.encrypted.then_some(FaultKind::Encrypted),
    ];
    faults.into_iter().flatten()
}

pub(super) fn header_at(buffer: &[u8], at: usize) -> Option<TagHeader> {
    Some(TagHeader::decode(*buffer.get(at..)?.first_chunk()?))
}

pub(super) fn be32(buffer: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*buffer.get(at..)?.first_chunk()?))
}

/// At most [`BODY_MAX`].
fn body_size(header: &TagHeader) -> usize {
    usize::try_from(header.size).unwrap_or(BODY_MAX)
}

/// A length in memory as a length in a file.
fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
