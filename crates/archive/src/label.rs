//! What somebody writes on a recording: labels, a name, and the key of the request that began it.
//!
//! All of it goes into every file and comes back from there, so it is bounded.

use std::collections::BTreeMap;

/// Words on a recording, by name.
pub type Labels = BTreeMap<String, String>;

/// Most labels of a recording.
pub const LABELS_MAX: usize = 32;
/// Longest name of a label, in bytes: `[a-z0-9_.-]`.
pub const LABEL_NAME_BYTES: usize = 64;
/// Longest value of a label, name of a recording and key of a request, in bytes.
pub const TEXT_BYTES: usize = 256;

/// Why something cannot be written on a recording. The message is one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLabel {
    /// More than [`LABELS_MAX`].
    #[error("{labels} labels; a recording has at most {LABELS_MAX}")]
    TooMany {
        /// How many.
        labels: usize,
    },
    /// The name of a label is empty, too long, or has another character.
    #[error("{0:?} is no name of a label: 1 to {LABEL_NAME_BYTES} of the characters a-z 0-9 _ . -")]
    Name(String),
    /// A text is longer than [`TEXT_BYTES`].
    #[error("{what} has {bytes} bytes; at most {TEXT_BYTES} are accepted")]
    TooLong {
        /// Which text.
        what: String,
        /// Its length.
        bytes: usize,
    },
    /// A text has a control character.
    #[error("{what} has a control character")]
    Control {
        /// Which text.
        what: String,
    },
}

/// Whether a recording can have these labels.
///
/// # Errors
/// What is wrong with the first that is wrong.
pub fn check_labels(labels: &Labels) -> Result<(), BadLabel> {
    if labels.len() > LABELS_MAX {
        return Err(BadLabel::TooMany { labels: labels.len() });
    }
    labels.iter().try_for_each(|(name, value)| check_label(name, value))
}

/// Whether a recording can have this label.
///
/// # Errors
/// What is wrong with it.
pub fn check_label(name: &str, value: &str) -> Result<(), BadLabel> {
    let is_of_names = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    if name.is_empty() || name.len() > LABEL_NAME_BYTES || !name.bytes().all(is_of_names) {
        return Err(BadLabel::Name(name.chars().take(LABEL_NAME_BYTES).collect()));
    }
    check_text(&format!("label {name}"), value)
}

/// Whether a text, told of as `what`, can be the value of a label, a recording's name or the key of
/// a request.
///
/// # Errors
/// What is wrong with it.
pub fn check_text(what: &str, text: &str) -> Result<(), BadLabel> {
    let what = || what.to_owned();
    if text.len() > TEXT_BYTES {
        return Err(BadLabel::TooLong { what: what(), bytes: text.len() });
    }
    if text.chars().any(char::is_control) {
        return Err(BadLabel::Control { what: what() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
