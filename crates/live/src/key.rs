//! The name of a stream: `app/name`.

use std::fmt;
use std::sync::Arc;

/// A stream's normalised name, `app/name`, however the client split it: empty path elements and Wowza's default
/// instance (`_definst_`) are left out, so app `live/a` with name `b` and app `live` with name `a/b` are one stream.
///
/// It may hold any other text. `Display` escapes what would forge or hide parts of a log line; what becomes a path
/// is the archive's to escape.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

/// Why a pair of app and name is no stream key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing is left of the name.
    #[error("the stream name is empty; publish to rtmp://HOST/APP/NAME")]
    Empty,
    /// Longer than [`Key::MAX_BYTES`].
    #[error("the stream name has {bytes} bytes; at most {} are accepted", Key::MAX_BYTES)]
    TooLong {
        /// Length of the normalised key.
        bytes: usize,
    },
}

impl Key {
    /// Longest key in bytes: room for long tokens in a path, small enough to log.
    pub const MAX_BYTES: usize = 4_096;

    /// Joins and normalises `app` and `name`, both without their query.
    ///
    /// # Errors
    /// When nothing is left of the name, or the whole is too long; the client is to be refused.
    pub fn new(app: &str, name: &str) -> Result<Self, KeyError> {
        let elements = |text: &'_ str| -> Vec<String> {
            text.split('/').filter(|e| !e.is_empty()).map(str::to_owned).collect()
        };
        let name = elements(name);
        if name.is_empty() {
            return Err(KeyError::Empty);
        }
        let mut all = elements(app);
        all.pop_if(|last| last == "_definst_");
        all.extend(name);
        let key = all.join("/");
        if key.len() > Self::MAX_BYTES {
            return Err(KeyError::TooLong { bytes: key.len() });
        }
        Ok(Self(key.into()))
    }

    /// The key as it was sent, unescaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                // Line separators, zero-width and bidirectional controls can make a line read as another.
                '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}' => write!(f, "{}", c.escape_unicode())?,
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
