//! File names from stream keys: the one place where a user's text becomes a path.
//!
//! A [`Template`] says how the path of a segment below the record directory is put together, and
//! [`Template::name`] does it. What a stream key brings stays as it is where it is an ordinary
//! name; what could leave its folder, is invalid on Linux, Windows or macOS, or shows as something
//! else than it is, becomes the percent-encoding of its UTF-8 bytes.
//!
//! Invariants:
//! - Every element of a path is a name of 1 to [`NAME_BYTES`] bytes that leads to no other folder.
//! - What differs has different names inside one part of a template (shortened to fit
//!   [`NAME_BYTES`]: but for a collision of a 64-bit hash). Whoever creates the file does so
//!   exclusively and goes on to the next [`Name::candidate`], so keys that meet, and file systems
//!   that ignore case, cost a suffix and never a file.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::Format;
use crate::hash::hash64;

mod template;

pub use template::{Facts, Template, TemplateError};

/// Longest file name in bytes: the limit of ext4, XFS, APFS, NTFS and exFAT, whether they count
/// bytes or UTF-16.
pub const NAME_BYTES: usize = 255;
/// Most names tried for one segment: that many files of one key and second are somebody's mistake.
pub const CANDIDATES: u32 = 10_000;

/// What all names of files end with: this many bytes, a dot and three letters.
const ENDING_BYTES: usize = 4;
/// Bytes of the longest suffix, `_10000`.
const SUFFIX_BYTES: usize = 6;
/// What a shortened text ends with: this mark, which no escaped text holds, and 16 hex digits.
const CUT_MARK: char = '~';
const CUT_BYTES: usize = 1 + 16;
/// What stands for an empty text: no other text gives this.
const EMPTY: &str = "none~";

/// The names that one segment may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    folder: PathBuf,
    stem: String,
    format: Format,
}

impl Name {
    /// The `number`th path to try, from 1: `….flv`, `…_2.flv`, `…_3.flv`, or as the format has
    /// it; relative to the record directory.
    pub fn candidate(&self, number: u32) -> PathBuf {
        let ending = self.format.ending();
        self.folder.join(match number {
            0 | 1 => format!("{}{ending}", self.stem),
            n => format!("{}_{n}{ending}", self.stem),
        })
    }
}

/// A path as log lines show it: a relative one begins with `./`, or as the platform writes that.
pub fn display(path: &Path) -> impl fmt::Display {
    let prefix = match path.components().next() {
        None => ".",
        Some(Component::Normal(_)) if cfg!(windows) => ".\\",
        Some(Component::Normal(_)) => "./",
        Some(_) => "",
    };
    fmt::from_fn(move |f| write!(f, "{prefix}{}", path.display()))
}

/// A text from outside as part of a name, in at most `limit` bytes, which are no fewer than
/// [`CUT_BYTES`]. Its first character is encoded even if it is an ordinary one when `hide_first`.
fn escape(text: &str, limit: usize, hide_first: bool) -> String {
    if text.is_empty() {
        return EMPTY.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    // The longest beginning that leaves room for the mark of a cut; never inside an escape.
    let mut kept = 0;
    let mut rest = text.chars();
    let mut first = true;
    while let Some(c) = rest.next() {
        let plain = match c {
            '.' | ' ' if first || rest.as_str().is_empty() => false,
            '-' => !first,
            '%' => !starts_with_hex(rest.as_str()),
            c => is_plain(c) && !(first && hide_first),
        };
        if plain {
            out.push(c);
        } else {
            encode(c, &mut out);
        }
        if out.len() + CUT_BYTES <= limit {
            kept = out.len();
        }
        first = false;
    }
    if out.len() > limit {
        out.truncate(kept);
        out.push_str(&format!("{CUT_MARK}{:016x}", hash64([text.as_bytes()])));
    }
    out
}

/// Appends the percent-encoding of a character.
fn encode(c: char, out: &mut String) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        out.push_str(&format!("%{byte:02X}"));
    }
}

/// Whether a `%` before this text would read as an escape.
fn starts_with_hex(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut hex = || bytes.next().is_some_and(|b| b.is_ascii_hexdigit());
    hex() && hex()
}

/// What stays as it is inside a name. A list of what is allowed, for what is not cannot be listed:
/// separators and their look-alikes, controls, bidirectional and other invisible characters,
/// wildcards and shell syntax.
fn is_plain(c: char) -> bool {
    match c {
        '-' | '_' | '.' | ' ' | '+' | '=' | '@' | ',' | '(' | ')' | '[' | ']' => true,
        c if c.is_ascii() => c.is_ascii_alphanumeric(),
        // Hangul fillers are letters that nobody can see.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        // Accents of decomposed letters (macOS sends them); those that strike a letter through are
        // left out.
        '\u{300}'..='\u{333}' => true,
        // Signs without which Indic and Thai words cannot be written.
        '\u{94d}'
        | '\u{9cd}'
        | '\u{a4d}'
        | '\u{acd}'
        | '\u{b4d}'
        | '\u{bcd}'
        | '\u{c4d}'
        | '\u{ccd}'
        | '\u{d4d}'
        | '\u{93c}'
        | '\u{e47}'..='\u{e4e}' => true,
        c => c.is_alphanumeric(),
    }
}

/// Whether Windows would take this name for a device, whatever follows the first dot.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_ascii_uppercase();
    let numbered = |stem: &str| {
        let digit = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
        let mut rest = digit.unwrap_or_default().chars();
        let digit = rest.next();
        rest.next().is_none()
            && digit.is_some_and(|d| d.is_ascii_digit() || matches!(d, '¹' | '²' | '³'))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered(&stem)
}

#[cfg(test)]
mod tests;
