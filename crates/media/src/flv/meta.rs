//! Script data: which message is the stream's `onMetaData`, and what it says (FLV E.4.4, E.5;
//! E-RTMP v2 "Enhancing onMetaData"). How a recording's own is made stands in [`super::mux`].

use super::tag::{FILE_HEADER, OVERHEAD, TagHeader};
use crate::{
    Kind, Role,
    amf0::{self, Limits, Reader, Value},
    flv::Malformed,
};

/// [`Role::Metadata`] when the message is `onMetaData`, else [`Role::Event`]: cue points, captions
/// and text are things that happen once. Reads the first AMF0 string only.
pub fn classify(body: &[u8]) -> Role {
    if name(body) == Some(ON_META_DATA) { Role::Metadata } else { Role::Event }
}

/// The name of the message that describes the stream.
pub const ON_META_DATA: &[u8] = b"onMetaData";

/// The name that a data message starts with; `None` when it does not start with a whole AMF0
/// string.
pub fn name(body: &[u8]) -> Option<&[u8]> {
    const STRING_MARKER: u8 = 0x02;
    let ([STRING_MARKER, high, low], rest) = body.split_first_chunk::<3>()? else { return None };
    rest.get(..usize::from(u16::from_be_bytes([*high, *low])))
}

/// The properties of an `onMetaData` message, in their order; the argument may be an object or an
/// associative array. `None` for any other message and for one that cannot be decoded.
pub fn properties(body: &[u8], limits: Limits) -> Option<Vec<(String, Value)>> {
    if classify(body) != Role::Metadata {
        return None;
    }
    let mut reader = Reader::new(body, limits);
    reader.read().ok()?;
    match reader.read().ok()? {
        Value::Object(properties) | Value::EcmaArray(properties) => Some(properties),
        _ => None,
    }
}

/// The values of script data in an AMF3 container (FLV tag 15), which is what a data message of RTMP
/// with that number is (E-RTMP v2 "AMF3"): a format byte of 0, then AMF0, of which each value
/// behind the marker 0x11 is AMF3. One without the format byte is read as well.
///
/// # Errors
/// [`Malformed`], when there is nothing in it, or something else.
pub fn values_of_amf3(body: &[u8], limits: Limits) -> Result<Vec<Value>, Malformed> {
    let values = match body {
        [] => return Err(Malformed::Truncated("format byte")),
        [0, values @ ..] | values => values,
    };
    amf0::decode_all(values, &limits).map_err(Malformed::Script)
}

/// The properties, if those values are an `onMetaData`.
pub fn properties_of(values: Vec<Value>) -> Option<Vec<(String, Value)>> {
    let mut values = values.into_iter();
    let name = values.next()?;
    if name.as_str().map(str::as_bytes) != Some(ON_META_DATA) {
        return None;
    }
    match values.next()? {
        Value::Object(properties) | Value::EcmaArray(properties) => Some(properties),
        _ => None,
    }
}

/// As many properties of an `onMetaData` message as can be read, in their order, and whether those
/// were all. `None` for any other message.
///
/// Reading ends at the first that is broken, which in a torn message is also one whose name is
/// empty or has control characters: what stands behind it is not to be trusted.
pub fn readable_properties(body: &[u8]) -> Option<(Vec<(String, Value)>, bool)> {
    /// One character of text, and one value, takes a byte at least.
    const LIMITS: Limits = Limits { depth: 16, values: 1 << 20, string_bytes: 1 << 24 };
    let name_bytes = 3 + name(body).filter(|name| *name == ON_META_DATA)?.len();
    let (mut properties, mut is_whole) =
        Reader::new(body.get(name_bytes..)?, LIMITS).read_properties();
    if let Some(broken) = properties.iter().position(|(name, _)| !is_name(name)) {
        properties.truncate(broken);
        is_whole = false;
    }
    Some((properties, is_whole))
}

/// Whether a property of this name is believed when a file is read again.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

/// The `onMetaData` tag that a file begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Bytes of the tag with its header and `PreviousTagSize`: the next one begins at 13 + so many.
    pub size_bytes: u64,
    /// What could be read of its properties, in their order.
    pub properties: Vec<(String, Value)>,
    /// Whether those are all.
    pub is_whole: bool,
}

impl Region {
    /// The value of the first property called `name`: in a region that was torn while it was
    /// overwritten, what stands further behind can be left over from before.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Reads the `onMetaData` tag at the start of a file from the first bytes of the file, which need
/// not be the whole tag; torn as it may be ([`readable_properties`]). `None` when the file does not
/// begin with such a tag.
pub fn region(start: &[u8]) -> Option<Region> {
    let rest = start.strip_prefix(b"FLV")?.get(FILE_HEADER.len() - 3..)?;
    let (header, body) = rest.split_first_chunk::<{ TagHeader::SIZE }>()?;
    let header = TagHeader::decode(*header);
    if header.kind != Kind::Data.number() {
        return None;
    }
    let size = usize::try_from(header.size).ok()?.min(body.len());
    let (properties, is_whole) = readable_properties(body.get(..size)?)?;
    Some(Region { size_bytes: u64::from(header.size) + OVERHEAD, properties, is_whole })
}

#[cfg(test)]
mod tests;
