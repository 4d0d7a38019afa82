//! A text that is never shown.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq as _;

/// What a caller of the HTTP API has to know. `Debug` does not show it, and there is no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Fewer characters could be guessed.
    pub const MIN: usize = 16;
    /// More do not fit into a header that every client and proxy takes.
    pub const MAX: usize = 1_024;

    /// Whether `given` is it, in a time that does not tell how much of it is right.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

impl FromStr for Secret {
    type Err = String;

    /// The message does not repeat the text.
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("expected letters, digits and signs of ASCII, without spaces".to_owned());
        }
        match text.len() {
            Self::MIN..=Self::MAX => Ok(Self(text.to_owned())),
            length => Err(format!(
                "expected {} to {} characters, and it has {length}; `openssl rand -hex 32` makes \
                 a good one",
                Self::MIN,
                Self::MAX
            )),
        }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests;
