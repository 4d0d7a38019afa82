//! Script data: which message is the stream's `onMetaData`, and what it says (FLV E.4.4, E.5;
//! E-RTMP v2 "Enhancing onMetaData"). How a recording's own is made stands in [`super::mux`].

use crate::{
    Role,
    amf0::{Limits, Reader, Value},
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

#[cfg(test)]
mod tests;
