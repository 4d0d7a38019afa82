//! What is wrong with a configuration.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with a configuration, for the person who wrote it. Secrets are not
/// repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file; `None` where it is the command line or the environment.
    pub file: Option<PathBuf>,
    /// The line in it, from 1; `None` where it is the file as a whole.
    pub line: Option<usize>,
    /// The key, if it is one that is wrong.
    pub key: Option<String>,
    /// What is wrong and what was expected; one line, which names the key.
    pub text: String,
}

impl Problem {
    /// Of the command line or the environment.
    pub(super) fn given(text: impl Into<String>) -> Self {
        Self { file: None, line: None, key: None, text: text.into() }
    }

    /// Of the file as a whole.
    pub(super) fn file(file: &Path, text: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), ..Self::given(text) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", printable(&file.to_string_lossy()))?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&printable(&self.text))
    }
}

/// Control characters escaped, so that a line stays one line.
fn printable(text: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// Least likeness of two words that are taken for the same one mistyped.
const LIKE: f64 = 0.8;

/// The word that was probably meant.
pub(super) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.replace('_', "-").to_lowercase();
    let rated = known.into_iter().map(|word| (strsim::jaro_winkler(&typed, word), word));
    let best = rated.filter(|(like, _)| *like >= LIKE).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, word)| word)
}
