//! A file whose size is told before its first byte: what stands before the packets, the tags, and
//! what takes the place of packets that are gone after all.
//!
//! Unlike the files of [`super::mux`], nothing is overwritten later: such a file goes down a
//! connection. Whoever makes it knows what is in it and only sends it.

use bytes::{BufMut, BytesMut};

use super::mux;
use super::tag::{BODY_MAX, FILE_HEADER, OVERHEAD, TagHeader};
use crate::amf0::{self, Value};
use crate::{Header, Kind, Packet};

/// What stands before the first packet.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Whether the file has audio.
    pub has_audio: bool,
    /// Whether the file has video.
    pub has_video: bool,
    /// Properties of `onMetaData`, in their order; `filesize` and `keyframes` are added. What is said
    /// of a kind of media that does not come is left out.
    pub properties: Vec<(String, Value)>,
    /// Where one can start: times in ms, and places of tags, counted from the first byte after the
    /// opening.
    pub key_frames: Vec<(u32, u64)>,
    /// The configurations, which get the time 0. Its `onMetaData` is not put out: what it says
    /// belongs into the properties.
    pub header: Header,
    /// Bytes of all that follows.
    pub media_bytes: u64,
}

/// FFmpeg warns of an index of fewer entries.
const INDEX_MIN: usize = 2;

impl Opening {
    /// The bytes of the opening.
    pub fn encode(&self) -> Vec<u8> {
        let mut configurations = BytesMut::new();
        for packet in self.header.packets().iter().filter(|packet| packet.kind != Kind::Data) {
            // One that is too long for a tag came out of one.
            let _ = put_tag(packet, 0, &mut configurations);
        }
        // All numbers have the same size: the first attempt tells where the packets begin.
        let mut metadata = self.metadata(0);
        let before = FILE_HEADER.len() + tag_len(metadata.len()) + configurations.len();
        metadata = self.metadata(u64::try_from(before).unwrap_or(u64::MAX));

        let mut bytes = Vec::with_capacity(before);
        bytes.extend_from_slice(&FILE_HEADER);
        if let Some(flags) = bytes.get_mut(4) {
            *flags = u8::from(self.has_audio) << 2 | u8::from(self.has_video);
        }
        put(Kind::Data, &metadata, 0, &mut bytes);
        bytes.extend_from_slice(&configurations);
        bytes
    }

    /// The body of `onMetaData`, when the packets begin at `before`.
    fn metadata(&self, before: u64) -> Vec<u8> {
        let mut body = Vec::new();
        amf0::encode_string("onMetaData", &mut body);
        // FFmpeg announces a stream of whatever is described.
        let is_absent = |name: &str| {
            !self.has_video && mux::VIDEO_ONLY.contains(&name)
                || !self.has_audio && mux::AUDIO_ONLY.contains(&name)
        };
        let mut properties = self.properties.clone();
        properties.retain(|(name, _)| !is_absent(name));
        let size = before.saturating_add(self.media_bytes);
        properties.push(("filesize".to_owned(), number(size)));
        if self.key_frames.len() >= INDEX_MIN {
            let times = self.key_frames.iter().map(|(ms, _)| Value::Number(f64::from(*ms) / 1e3));
            let places = self.key_frames.iter().map(|(_, at)| number(before.saturating_add(*at)));
            let index = vec![
                ("times".to_owned(), Value::StrictArray(times.collect())),
                ("filepositions".to_owned(), Value::StrictArray(places.collect())),
            ];
            properties.push(("keyframes".to_owned(), Value::Object(index)));
        }
        amf0::encode_ecma_array(&properties, &mut body);
        body
    }
}

/// Appends the tag of a packet.
///
/// # Errors
/// [`mux::Error::TooLong`]; nothing was appended.
pub fn put_tag(packet: &Packet, time_ms: u32, out: &mut BytesMut) -> Result<(), mux::Error> {
    let size_bytes = packet.body.len();
    if size_bytes > BODY_MAX {
        return Err(mux::Error::TooLong { size_bytes });
    }
    out.reserve(tag_len(size_bytes));
    put(packet.kind, &packet.body, time_ms, out);
    Ok(())
}

/// Appends exactly `size` bytes of script tags that say nothing, named `onGap`: they stand for
/// packets that were promised and are gone. Returns how many bytes that were: fewer than `size`
/// where it takes more than one call, none where no tag is so small.
pub fn put_filler(size: u64, time_ms: u32, out: &mut BytesMut) -> u64 {
    /// Bytes of one tag.
    const TAG: u64 = 64 << 10;
    if size < OVERHEAD {
        return 0;
    }
    let piece = if size < TAG + OVERHEAD { size } else { TAG };
    let mut body = Vec::new();
    amf0::encode_string("onGap", &mut body);
    body.resize(usize::try_from(piece - OVERHEAD).unwrap_or_default(), 0);
    put(Kind::Data, &body, time_ms, out);
    piece
}

fn put(kind: Kind, body: &[u8], time_ms: u32, out: &mut impl BufMut) {
    let header = TagHeader::new(kind.number(), u32::try_from(body.len()).unwrap_or(0), time_ms);
    out.put_slice(&header.encode());
    out.put_slice(body);
    out.put_slice(&header.tag_size().to_be_bytes());
}

fn tag_len(body: usize) -> usize {
    TagHeader::SIZE + body + 4
}

#[expect(clippy::cast_precision_loss, reason = "AMF0 has no other number: 2^53 are exact")]
fn number(n: u64) -> Value {
    Value::Number(n as f64)
}

#[cfg(test)]
mod tests;
