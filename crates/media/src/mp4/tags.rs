//! The messages of a recording as an FLV file has them, so that what reads tags reads MP4 too.
//!
//! The first tag is what the file says of itself. A message has its own place: so many bytes behind
//! the first byte of its part as there are messages before it in the part.

use std::collections::VecDeque;

use super::scan::{self, Scanner};
use crate::amf0::Value;
use crate::flv::meta;
use crate::flv::scan::{Fault, FaultKind, Item, Tag};
use crate::flv::tag::{OVERHEAD, TagHeader};
use crate::{Kind, Packet};

/// Reads a file piece by piece, as [`crate::flv::scan::Scanner`] does.
#[derive(Debug, Default)]
pub struct Tags {
    scanner: Scanner,
    tagger: Tagger,
    is_at_end: bool,
    position: u64,
}

/// Makes tags of what a scanner finds.
#[derive(Debug, Default)]
pub(super) struct Tagger {
    /// Messages of a part that may not be whole.
    open: Vec<Packet>,
    items: VecDeque<Item>,
    says_complete: bool,
    has_index: bool,
}

impl Tags {
    /// At the start of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.position += super::size(bytes.len());
        self.scanner.push(bytes);
    }

    /// There are no more bytes.
    pub fn finish(&mut self) {
        self.is_at_end = true;
        self.scanner.finish();
    }

    /// Where the next bytes are in the file.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next thing that was found; `None` when more bytes are needed, or at the end. A part
    /// comes when all of it is there.
    pub fn poll(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.tagger.poll() {
                return Some(item);
            }
            match self.scanner.poll() {
                Some(item) => self.tagger.push(item),
                None if self.is_at_end && self.tagger.finish(self.position) => {}
                None => return None,
            }
        }
    }
}

impl Tagger {
    /// The next tag or fault of what was pushed.
    pub(super) fn poll(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    /// The end of a file of so many bytes. Returns whether that is something new.
    fn finish(&mut self, file_bytes: u64) -> bool {
        let lacks_index = self.says_complete && !std::mem::replace(&mut self.has_index, true);
        if lacks_index {
            self.fault(file_bytes, scan::FaultKind::NoIndex);
        }
        lacks_index
    }

    pub(super) fn push(&mut self, item: scan::Item) {
        match item {
            scan::Item::Script(body) => {
                let properties = meta::readable_properties(&body).unwrap_or_default().0;
                let complete = properties.iter().find(|(name, _)| name == "complete");
                self.says_complete = complete.is_some_and(|(_, v)| *v == Value::Boolean(true));
                self.tag(0, Packet::new(Kind::Data, 0, body));
            }
            scan::Item::Packet(packet) => self.open.push(packet),
            scan::Item::Part(part) => {
                for (offset, packet) in (part.offset..).zip(std::mem::take(&mut self.open)) {
                    self.tag(offset, packet);
                }
            }
            scan::Item::Fault(fault) => {
                // Only told where nothing else is wrong.
                self.has_index = true;
                self.open.clear();
                self.fault(fault.offset, fault.kind);
            }
            scan::Item::Index { .. } => self.has_index = true,
            scan::Item::Init(_) => {}
        }
    }

    fn tag(&mut self, offset: u64, packet: Packet) {
        let size = u32::try_from(packet.body.len()).unwrap_or(u32::MAX);
        let timestamp_ms = u32::try_from(packet.dts_ms.max(0)).unwrap_or(u32::MAX);
        let header = TagHeader::new(packet.kind.number(), size, timestamp_ms);
        let size = u64::from(size) + OVERHEAD;
        self.items.push_back(Item::Tag(Tag { offset, size, header, packet, is_whole: true }));
    }

    fn fault(&mut self, offset: u64, kind: scan::FaultKind) {
        self.items.push_back(Item::Fault(Fault { offset, kind: FaultKind::Mp4(kind) }));
    }
}
