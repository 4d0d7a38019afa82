//! File names from stream keys: the one place where a user's text becomes a path.
//!
//! A segment is `{stream_key}_{YYYYMMDD_HHMMSS}.flv`, directly in the record directory, in the time
//! zone of the start it is given. In the key every `/` becomes `_`; what could leave the directory,
//! is invalid on Linux, Windows or macOS, or shows as something else than it is, becomes the
//! percent-encoding of its UTF-8 bytes. Ordinary names stay as they are.
//!
//! Invariants:
//! - A name is one path component of at most [`NAME_BYTES`] bytes.
//! - Keys that differ after `/` became `_` have different names (beyond [`NAME_BYTES`]: but for a
//!   collision of a 64-bit hash). Whoever creates the file does so exclusively and goes on to the
//!   next [`Name::candidate`], so keys that meet, and file systems that ignore case, cost a suffix
//!   and never a file.

use std::fmt;
use std::path::{Component, Path};

use jiff::Zoned;

use crate::hash::hash64;

/// Longest file name in bytes: the limit of ext4, XFS, APFS, NTFS and exFAT, whether they count
/// bytes or UTF-16.
pub const NAME_BYTES: usize = 255;
/// Most names tried for one segment: that many files of one key and second are somebody's mistake.
pub const CANDIDATES: u32 = 10_000;

const EXTENSION: &str = ".flv";
/// Bytes of the longest suffix, `_10000`.
const SUFFIX_BYTES: usize = 6;
/// What a shortened key ends with: this mark, which no escaped key holds, and 16 hex digits.
const CUT_MARK: char = '~';
const CUT_BYTES: usize = 1 + 16;

/// The names that one segment may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    stem: String,
}

impl Name {
    /// The names of a segment of `stream_key` that starts at `start`.
    pub fn new(stream_key: &str, start: &Zoned) -> Self {
        let time = start.strftime("%Y%m%d_%H%M%S").to_string();
        let taken = 1 + time.len() + SUFFIX_BYTES + EXTENSION.len();
        let key = escape(stream_key, NAME_BYTES.saturating_sub(taken));
        Self { stem: format!("{key}_{time}") }
    }

    /// The `number`th name to try, from 1: `….flv`, `…_2.flv`, `…_3.flv`.
    pub fn candidate(&self, number: u32) -> String {
        match number {
            0 | 1 => format!("{}{EXTENSION}", self.stem),
            n => format!("{}_{n}{EXTENSION}", self.stem),
        }
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

/// The key as part of a file name of at most `limit` bytes.
fn escape(stream_key: &str, limit: usize) -> String {
    let key = stream_key.replace('/', "_");
    let device = is_device(&key);
    let mut out = String::with_capacity(key.len());
    // The longest beginning that leaves room for the mark of a cut; never inside an escape.
    let mut kept = 0;
    let mut rest = key.chars();
    let mut first = true;
    while let Some(c) = rest.next() {
        let plain = match c {
            '.' | ' ' if first || rest.as_str().is_empty() => false,
            '-' => !first,
            '%' => !starts_with_hex(rest.as_str()),
            c => is_plain(c) && !(first && device),
        };
        if plain {
            out.push(c);
        } else {
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
        if out.len() + CUT_BYTES <= limit {
            kept = out.len();
        }
        first = false;
    }
    if out.len() > limit {
        out.truncate(kept);
        out.push_str(&format!("{CUT_MARK}{:016x}", hash64([key.as_bytes()])));
    }
    out
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

/// Whether Windows would take a name that begins like this for a device, whatever follows the first
/// dot.
fn is_device(key: &str) -> bool {
    let Some((stem, _)) = key.split_once('.') else { return false };
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
