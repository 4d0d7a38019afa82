//! AMF0: the values that commands, metadata and the script tags of FLV files are made of.
//!
//! Decoding is bounded by [`Limits`] and lenient where encoders are careless: an ECMA array is read
//! to its end marker whatever count it claims, text that is not UTF-8 has its bad bytes replaced, a
//! typed object is an object. Values in AMF3 (marker 0x11) are read by [`crate::amf3`] into the
//! same [`Value`]. Encoding writes AMF0 alone.
//!
//! Source: *AMF 0 Specification* (Adobe, 2007); "AMF0 2.10" names a section of it.

mod input;
mod reader;
mod writer;

pub(crate) use input::{Entry, Input};
pub use reader::{Reader, decode_all};
pub use writer::{
    encode, encode_boolean, encode_ecma_array, encode_null, encode_number, encode_object,
    encode_string,
};

/// One value. Properties keep the order in which they were sent, and duplicates of a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A string, a long string, or an XML document.
    String(String),
    /// An anonymous or typed object.
    Object(Vec<(String, Value)>),
    /// Null.
    Null,
    /// Undefined; also what cannot be represented: "unsupported" and references to nothing.
    Undefined,
    /// An associative array.
    EcmaArray(Vec<(String, Value)>),
    /// A dense array.
    StrictArray(Vec<Value>),
    /// A date: milliseconds since the Unix epoch, UTC. The time zone is reserved (AMF0 2.13) and
    /// dropped.
    Date(f64),
}

impl Value {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number; not a date.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The properties of an object or of an associative array.
    pub fn properties(&self) -> Option<&[(String, Value)]> {
        match self {
            Self::Object(properties) | Self::EcmaArray(properties) => Some(properties),
            _ => None,
        }
    }

    /// The property called `name` (names are case sensitive). Of duplicates the last, as if they
    /// had been assigned in turn.
    pub fn property(&self, name: &str) -> Option<&Value> {
        let mut newest_first = self.properties()?.iter().rev();
        newest_first.find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

/// What one message may ask of the decoder. Values and text reached through references count each
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep objects and arrays may nest. Real metadata needs 3; the decoder's stack holds what
    /// [`Limits::DEPTH_MAX`] allows, which is the most that counts.
    pub depth: usize,
    /// Values in one message, of every kind and at every depth. At some 100 bytes of memory each.
    pub values: usize,
    /// Bytes of text in one message: strings, names and AMF3 byte arrays together.
    pub string_bytes: usize,
}

impl Limits {
    /// The deepest nesting that any [`Limits::depth`] can allow.
    pub const DEPTH_MAX: usize = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 32, values: 16_384, string_bytes: 1 << 20 }
    }
}

/// Why bytes are not a value. Offsets are in bytes from the start of the reader's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input ends inside a value.
    #[error("AMF value cut short at byte {offset}")]
    Truncated {
        /// Where the missing bytes should begin.
        offset: usize,
    },
    /// Nested deeper than [`Limits::depth`].
    #[error("AMF value at byte {offset} nested deeper than {limit}")]
    TooDeep {
        /// Where the value begins.
        offset: usize,
        /// The depth that was allowed.
        limit: usize,
    },
    /// More values than [`Limits::values`].
    #[error("more than {limit} AMF values by byte {offset}")]
    TooMany {
        /// Where the first value too many begins.
        offset: usize,
        /// The count that was allowed.
        limit: usize,
    },
    /// More text than [`Limits::string_bytes`].
    #[error("more than {limit} bytes of AMF text by byte {offset}")]
    TooLong {
        /// Where the string that does not fit begins.
        offset: usize,
        /// The bytes that were allowed.
        limit: usize,
    },
    /// A marker that no value begins with.
    #[error("unknown AMF0 marker {marker:#04x} at byte {offset}")]
    UnknownMarker {
        /// Where it stands.
        offset: usize,
        /// What it is.
        marker: u8,
    },
    /// A marker that no AMF3 value begins with.
    #[error("unknown AMF3 marker {marker:#04x} at byte {offset}")]
    UnknownAmf3Marker {
        /// Where it stands.
        offset: usize,
        /// What it is.
        marker: u8,
    },
    /// An AMF3 reference to a string or to traits that were not sent.
    #[error("AMF3 reference to nothing at byte {offset}")]
    UnknownReference {
        /// Where it stands.
        offset: usize,
    },
    /// An AMF3 object in a format that only its class knows.
    #[error("externalizable AMF3 object at byte {offset}")]
    Externalizable {
        /// Where it stands.
        offset: usize,
    },
}

#[cfg(test)]
mod tests;
