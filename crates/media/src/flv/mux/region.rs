//! The first tag of a file: `onMetaData` of a size that never changes, so that it can be
//! overwritten in place.
//!
//! What is free is filled by the last property, an array of zeros. Numbers are the one element that
//! every reader passes over in silence: FFmpeg creates a data stream for a padding tag; flvmeta
//! warns of bytes after the array; GStreamer warns of an array of anything but numbers; mediainfo
//! shows strings; browsers' players lose the whole message at a null. Its name takes the odd bytes.
//!
//! The array begins with what never changes, the identity and [`COMPLETE`]: a patch that is torn
//! anywhere cannot harm them. Only the array's count before them can change, by which no careful
//! reader goes (FLV E.4.4.4: "approximate"); it is right for those that are not.

use std::ops::RangeInclusive;

use super::{COMPLETE, TRACK_PLACES, index::Index};
use crate::{
    Kind,
    amf0::{self, Value},
    flv::tag::{BODY_MAX, TagHeader},
};

/// What goes into the region, most important first.
#[derive(Debug)]
pub(super) struct Content<'a> {
    /// What never changes; the same at each call.
    pub(super) identity: &'a [(String, Value)],
    /// The muxer's own: some 30 numbers and booleans, which always fit.
    pub(super) own: &'a [(&'static str, Value)],
    /// The caller's.
    pub(super) extra: &'a [&'a (String, Value)],
    /// The publisher's: at most half of what the others leave.
    pub(super) publisher: &'a [&'a (String, Value)],
    pub(super) index: &'a Index,
}

/// The tag as it is to be written.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) bytes: Vec<u8>,
    /// How many properties did not fit.
    pub(super) cut: usize,
    /// Where in `bytes` the value of [`COMPLETE`] stands.
    pub(super) complete_at: usize,
}

/// Sizes (bytes) that a region can have: from the muxer's own properties and some index to half of
/// what a tag can hold.
pub(super) const SIZES: RangeInclusive<usize> = 2_048..=BODY_MAX / 2;

/// Bytes of one entry of the index: two numbers.
pub(super) const ENTRY: usize = 2 * NUMBER;

const NUMBER: usize = 9;
/// Room (bytes) that the identity leaves to the muxer's own properties: they take 410 at most.
const OWN_SPARE: usize = 512;
/// The property that fills the region, but for underscores at its end.
pub(super) const PADDING: &str = "padding";
/// The padding's name, marker and count, without elements.
const PADDING_MIN: usize = 2 + PADDING.len() + 5;
const END: [u8; 3] = [0, 0, 9];
/// `keyframes`: its name and marker, two names with an array's marker and count each, and the end.
const INDEX_HEAD: usize = (2 + 9 + 1) + (2 + 5 + 5) + (2 + 13 + 5) + END.len();
/// FFmpeg warns of an index of fewer entries.
pub(super) const INDEX_ENTRIES_MIN: usize = 2;

/// Builds the tag; exactly `size_bytes` (one of [`SIZES`]) with its header and
/// `PreviousTagSize`.
pub(super) fn compose(size_bytes: usize, content: &Content<'_>) -> Region {
    let body_size = size_bytes - TagHeader::SIZE - 4;
    let mut body = Vec::with_capacity(body_size);
    amf0::encode_string("onMetaData", &mut body);
    body.push(0x08);
    let count_at = body.len();
    body.extend_from_slice(&[0; 4]);
    let mut array = Array { body, count: 0, end: body_size - END.len() - PADDING_MIN, cut: 0 };

    let index_least = INDEX_HEAD + INDEX_ENTRIES_MIN * ENTRY;
    for (name, value) in content.identity {
        array.put(name, value, OWN_SPARE + index_least);
    }
    array.put(COMPLETE, &Value::Boolean(false), 0);
    let complete_at = TagHeader::SIZE + array.body.len() - 1;
    for (name, value) in content.own {
        array.put(name, value, 0);
    }
    for (name, value) in content.extra {
        array.put(name, value, index_least);
    }
    let kept_free = array.free() / 2;
    for (name, value) in content.publisher {
        array.put(name, value, kept_free.max(index_least));
    }
    if let Some(tracks) = content.index.tracks() {
        array.put(TRACK_PLACES, &tracks, index_least);
    }
    array.put_index(content.index);
    array.put_padding();

    let Array { mut body, count, cut, .. } = array;
    body.extend_from_slice(&END);
    if let Some(at) = body.get_mut(count_at..count_at + 4) {
        at.copy_from_slice(&count.to_be_bytes());
    }
    let header = TagHeader::new(Kind::Data.number(), be_len(body.len()), 0);
    let mut bytes = Vec::with_capacity(size_bytes);
    bytes.extend_from_slice(&header.encode());
    bytes.extend_from_slice(&body);
    bytes.extend_from_slice(&header.tag_size().to_be_bytes());
    Region { bytes, cut, complete_at }
}

/// An associative array that grows up to a fixed end.
struct Array {
    body: Vec<u8>,
    count: u32,
    /// Where the least padding must begin.
    end: usize,
    cut: usize,
}

impl Array {
    fn free(&self) -> usize {
        self.end.saturating_sub(self.body.len())
    }

    /// Appends a property if that leaves `spare` bytes, else counts it as cut.
    fn put(&mut self, name: &str, value: &Value, spare: usize) {
        let start = self.body.len();
        self.put_name(name);
        amf0::encode(value, &mut self.body);
        if name.is_empty() || name.len() > NAME_MAX || self.body.len() + spare > self.end {
            self.body.truncate(start);
            self.cut += 1;
        } else {
            self.count += 1;
        }
    }

    /// Names longer than [`NAME_MAX`] are cut out by the caller.
    fn put_name(&mut self, name: &str) {
        let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.body.extend_from_slice(&len.to_be_bytes());
        self.body.extend_from_slice(name.as_bytes());
    }

    fn put_index(&mut self, index: &Index) {
        let room = self.free().saturating_sub(INDEX_HEAD) / ENTRY;
        let entries = index.thinned(room);
        let count = entries.clone().count();
        if count < INDEX_ENTRIES_MIN {
            return;
        }
        self.put_name("keyframes");
        self.body.push(0x03);
        self.put_numbers("times", count, entries.clone().map(|e| f64::from(e.time_ms) / 1000.0));
        #[expect(clippy::cast_precision_loss, reason = "AMF0 has no other number: 9 PB are exact")]
        self.put_numbers("filepositions", count, entries.map(|e| e.position as f64));
        self.body.extend_from_slice(&END);
        self.count += 1;
    }

    /// Fills up to the end with zeros.
    fn put_padding(&mut self) {
        let free = self.free();
        let odd = "_".repeat(free % NUMBER);
        let zeros = free / NUMBER;
        self.put_numbers(&format!("{PADDING}{odd}"), zeros, std::iter::repeat_n(0.0, zeros));
        self.count += 1;
    }

    fn put_numbers(&mut self, name: &str, count: usize, numbers: impl Iterator<Item = f64>) {
        self.put_name(name);
        self.body.push(0x0A);
        self.body.extend_from_slice(&be_len(count).to_be_bytes());
        for number in numbers {
            amf0::encode_number(number, &mut self.body);
        }
    }
}

/// The longest name of a property (bytes); FFmpeg reads no longer string.
const NAME_MAX: usize = 255;

/// The region is far below 4 GiB, and so is all in it.
fn be_len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
