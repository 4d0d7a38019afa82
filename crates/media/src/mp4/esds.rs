//! `esds`: the descriptors of MPEG-4 audio (ISO 14496-1 7.2.6, ISO 14496-14 6.7).

use super::boxes::Boxes;

/// The object type of AAC (ISO 14496-1 table 5).
pub(super) const AAC: u8 = 0x40;
/// The object type of MPEG-1 audio.
pub(super) const MPEG1_AUDIO: u8 = 0x6B;
/// The object type of MPEG-2 audio.
pub(super) const MPEG2_AUDIO: u8 = 0x69;

const ES: u8 = 0x03;
const DECODER_CONFIG: u8 = 0x04;
const DECODER_SPECIFIC: u8 = 0x05;
const SYNC: u8 = 0x06;
/// Bytes of a descriptor's tag and size: four bytes of seven bits, as other muxers write it.
const HEAD: usize = 5;

/// Appends the box of a stream that has `specific` for its decoder, or nothing.
pub(super) fn put(boxes: &mut Boxes, object_type: u8, track: u8, specific: &[u8]) {
    let specific_bytes = if specific.is_empty() { 0 } else { HEAD + specific.len() };
    let config_bytes = 13 + specific_bytes;
    boxes.full(b"esds", 0, 0, |boxes| {
        head(boxes, ES, 3 + HEAD + config_bytes + HEAD + 1);
        boxes.u16(u16::from(track) + 1);
        boxes.u8(0);
        head(boxes, DECODER_CONFIG, config_bytes);
        boxes.u8(object_type);
        // An audio stream, not upstream; buffer and bit rates are not known.
        boxes.u8(0x15);
        boxes.zeros(3 + 4 + 4);
        if !specific.is_empty() {
            head(boxes, DECODER_SPECIFIC, specific.len());
            boxes.slice(specific);
        }
        head(boxes, SYNC, 1);
        boxes.u8(2);
    });
}

/// The object type that the content of a box of [`put`] says.
pub(super) fn object_type(content: &[u8]) -> Option<u8> {
    const FLAGS: usize = 4;
    const STREAM: usize = 3;
    content.get(FLAGS + HEAD + STREAM + HEAD).copied()
}

fn head(boxes: &mut Boxes, tag: u8, size: usize) {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let seven = |shift: u32| u8::try_from(size >> shift & 0x7F).unwrap_or(0);
    boxes.u8(tag);
    boxes.slice(&[seven(21) | 0x80, seven(14) | 0x80, seven(7) | 0x80, seven(0)]);
}
