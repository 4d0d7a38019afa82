//! The muxer of a file that is there already, rebuilt from the file itself: what an interrupted
//! recording needs to get its duration and its index.
//!
//! The caller owns the file and reads what is asked for: about a kilobyte a tag, for bodies are
//! passed over. Every tag must be as [`Muxer`] writes it, its header and its `PreviousTagSize`; the
//! walk ends at the first that is not. Damage inside a body cannot be told.

use bytes::Bytes;

use super::{COMPLETE, METADATA_LIMITS, Muxer, OWN_END, Options, region, size};
use crate::{
    Kind, Packet, Role,
    amf0::Value,
    flv::{
        meta::{self, Region},
        scan::{Bodies, Item, Scanner, be32, header_at, is_plain, is_told_by, kind_of},
        tag::{BODY_MAX, FILE_HEADER, OVERHEAD, TagHeader},
    },
};

/// Walks over a file from its metadata to its end.
///
/// ```
/// # use media::flv::{meta, mux::{Options, Restore}};
/// # fn walk(file: &[u8]) -> Option<()> {
/// let region = meta::region(file)?;
/// let file_bytes = u64::try_from(file.len()).ok()?;
/// let mut restore = Restore::new(Options::default(), &region, file_bytes)?;
/// while let Some(want) = restore.want() {
///     let start = usize::try_from(want.offset).ok()?;
///     restore.push(&file[start..start + want.len]);
/// }
/// let restored = restore.finish();
/// // Cut the file at `restored.muxer.position()` and apply `restored.muxer.patches()`.
/// # Some(())
/// # }
/// ```
#[derive(Debug)]
pub struct Restore {
    /// Its position is the end of the last whole tag.
    muxer: Muxer,
    /// Metadata before this offset is in the region's values already.
    merged_until: u64,
    newer_tags: u64,
    file_bytes: u64,
    state: State,
}

/// What is to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// From the start of the file.
    pub offset: u64,
    /// How many bytes; they do not reach beyond the size that was given.
    pub len: usize,
}

/// What the walk found.
#[derive(Debug)]
pub struct Restored {
    /// The state after the last whole tag: its patches are right for the file cut at its
    /// [`Muxer::position`], and packets can be appended there.
    pub muxer: Muxer,
    /// The first byte of the first whole tag behind the place where the walk ended, if there is
    /// one: the file is damaged in its middle.
    pub next_tag: Option<u64>,
    /// How many whole tags came after the region was composed.
    pub newer_tags: u64,
}

#[derive(Debug)]
enum State {
    /// The next tag is at the muxer's position; so many bytes of its body are needed.
    Header {
        body: usize,
    },
    /// The head of the tag at the muxer's position was read; its `PreviousTagSize` is next.
    Size {
        header: TagHeader,
        packet: Packet,
    },
    /// Looking for a whole tag behind the damage.
    Search(Scanner),
    Done {
        next_tag: Option<u64>,
    },
}

/// Bytes read at once, so that the short tags that follow a long one need no reading of their own.
const READ_BYTES: usize = 1_024;
/// Bytes of a body that tell its role and track, whatever the usual encoders put before them.
const HEAD_BYTES: usize = 64;
/// Bytes of a frame that are looked at for what its codec says of itself.
const INFO_BYTES: usize = 65_536;
/// Bytes read at once behind damage.
const SEARCH_BYTES: usize = 256 << 10;

impl Restore {
    /// A walk over a file of `file_bytes` bytes that begins with `region`. The publisher's values
    /// are taken over from it; identity and extra are the caller's, the size is the region's.
    ///
    /// `None` when the region is not one of a muxer, or the file ends inside it.
    pub fn new(options: Options, region: &Region, file_bytes: u64) -> Option<Self> {
        let reserve_bytes = usize::try_from(region.size_bytes).ok()?;
        let start = size(FILE_HEADER.len()) + region.size_bytes;
        if !region::SIZES.contains(&reserve_bytes) || start > file_bytes {
            return None;
        }
        let mut muxer = Muxer::new(Options { reserve_bytes, ..options });
        muxer.position = start;
        let mut properties = region.properties.clone();
        split_identity(&mut properties);
        muxer.merge_properties(properties);
        muxer.counters.properties_cut = 0;
        let composed_at = region.property("filesize").and_then(Value::as_f64);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and a size is a whole number"
        )]
        let merged_until = composed_at.unwrap_or(0.0) as u64;
        Some(Self {
            muxer,
            merged_until,
            newer_tags: 0,
            file_bytes,
            state: State::Header { body: 0 },
        })
    }

    /// What to read and [`Restore::push`] next; `None` when all is known.
    pub fn want(&self) -> Option<Want> {
        let (offset, len) = match &self.state {
            State::Header { body } => (self.muxer.position, TagHeader::SIZE + body + READ_BYTES),
            State::Size { header, .. } => (self.size_offset(header), 4 + READ_BYTES),
            State::Search(scanner) => (scanner.position(), SEARCH_BYTES),
            State::Done { .. } => return None,
        };
        let left = usize::try_from(self.file_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        Some(Want { offset, len: len.min(left) })
    }

    /// Takes the bytes at [`Want::offset`], as many as could be read; none means that the file ends
    /// there.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(want) = self.want().filter(|want| bytes.len() < want.len) {
            self.file_bytes = want.offset + size(bytes.len());
        }
        if !matches!(self.state, State::Search(_)) && self.walk(bytes).is_none() {
            let scanner = Scanner::search_from(self.muxer.position + 1, Bodies::Keep);
            self.state = State::Search(scanner);
        } else if let State::Search(scanner) = &mut self.state {
            scanner.push(bytes);
        }
        self.search();
    }

    /// The muxer as of the last whole tag so far.
    pub fn finish(self) -> Restored {
        let next_tag = match self.state {
            State::Done { next_tag } => next_tag,
            _ => None,
        };
        Restored { muxer: self.muxer, next_tag, newer_tags: self.newer_tags }
    }

    /// Goes over all tags in `bytes`; `None` when there is one that is not whole.
    fn walk(&mut self, mut bytes: &[u8]) -> Option<()> {
        loop {
            match std::mem::replace(&mut self.state, State::Header { body: 0 }) {
                State::Size { header, packet } => {
                    if be32(bytes, 0)? != header.tag_size() {
                        return None;
                    }
                    bytes = bytes.get(4..)?;
                    self.note(&header, &packet);
                }
                State::Header { body } => {
                    if self.muxer.position == self.file_bytes {
                        self.state = State::Done { next_tag: None };
                        return Some(());
                    }
                    let Some(header) = header_at(bytes, 0) else {
                        return self.is_in_file(size(TagHeader::SIZE)).then_some(());
                    };
                    let kind = kind_of(&header).filter(|_| is_plain(&header))?;
                    if !self.is_in_file(u64::from(header.size) + OVERHEAD) {
                        return None;
                    }
                    let whole = usize::try_from(header.size).unwrap_or(BODY_MAX);
                    let head = bytes.get(TagHeader::SIZE..)?;
                    let head = head.get(..whole).unwrap_or(head);
                    let wanted = body.max(self.wanted(kind, head, whole)).min(whole);
                    let Some(head) = head.get(..wanted) else {
                        self.state = State::Header { body: wanted };
                        return Some(());
                    };
                    let body = Bytes::copy_from_slice(head);
                    let time_ms = i64::from(header.timestamp_ms);
                    let packet = Packet::of_head(kind, time_ms, body, whole - wanted);
                    self.state = State::Size { header, packet };
                    match bytes.get(TagHeader::SIZE + whole..) {
                        Some(rest) if rest.len() >= 4 => bytes = rest,
                        _ => return Some(()),
                    }
                }
                other => {
                    self.state = other;
                    return Some(());
                }
            }
        }
    }

    /// How many bytes of a body must be there, going by the first ones.
    fn wanted(&self, kind: Kind, head: &[u8], whole: usize) -> usize {
        let Some(head) = head.get(..HEAD_BYTES) else {
            // Perhaps the whole body: the caller takes what it has bytes for.
            return HEAD_BYTES;
        };
        match Packet::classify(kind, head, whole.saturating_sub(head.len())).0 {
            _ if !is_told_by(kind, head) => BODY_MAX,
            Role::Config | Role::Metadata => BODY_MAX,
            role if self.muxer.facts.needs_body(kind, role) => INFO_BYTES,
            _ => HEAD_BYTES,
        }
    }

    fn note(&mut self, header: &TagHeader, packet: &Packet) {
        if packet.kind == Kind::Data && packet.role == Role::Metadata {
            let properties = meta::properties(&packet.body, METADATA_LIMITS);
            if let Some(properties) =
                properties.filter(|_| self.muxer.position >= self.merged_until)
            {
                self.muxer.merge_properties(properties);
            }
            self.muxer.metadata = Some(packet.body.clone());
        }
        if self.muxer.position >= self.merged_until {
            self.newer_tags += 1;
        }
        self.muxer.note(packet, header.size, header.timestamp_ms);
    }

    /// Hands out what the search has found, if there is one.
    fn search(&mut self) {
        let State::Search(scanner) = &mut self.state else { return };
        if scanner.position() >= self.file_bytes {
            scanner.finish();
        }
        let is_over = scanner.position() >= self.file_bytes;
        while let Some(item) = scanner.poll() {
            if let Item::Tag(tag) = item {
                self.state = State::Done { next_tag: Some(tag.offset) };
                return;
            }
        }
        if is_over {
            self.state = State::Done { next_tag: None };
        }
    }

    fn is_in_file(&self, bytes: u64) -> bool {
        self.file_bytes.saturating_sub(self.muxer.position) >= bytes
    }

    fn size_offset(&self, header: &TagHeader) -> u64 {
        self.muxer.position + size(TagHeader::SIZE) + u64::from(header.size)
    }
}

/// Takes the identity out of the properties of a muxer's region, and leaves only those that are not
/// the muxer's own. The properties of another writer stay as they are, and have no identity.
pub(crate) fn split_identity(properties: &mut Vec<(String, Value)>) -> Vec<(String, Value)> {
    let at = |wanted: &str| properties.iter().position(|(name, _)| name == wanted);
    let (Some(complete), own_end) = (at(COMPLETE), at(OWN_END)) else { return Vec::new() };
    let own_end = own_end.filter(|own_end| *own_end > complete).unwrap_or(complete);
    let mut identity: Vec<_> = properties.drain(..=own_end).collect();
    identity.truncate(complete);
    identity
}

#[cfg(test)]
mod tests;
