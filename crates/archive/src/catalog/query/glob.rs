//! Patterns of stream keys.

/// Why a text is no pattern of stream keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Its length.
    #[error("a pattern of {0} bytes: expected 1 to {max} bytes", max = Glob::BYTES_MAX)]
    Length(usize),
    /// A character that has a meaning elsewhere.
    #[error(
        "{0:?} in a pattern: expected letters, *, ** and ?, and a \\ before any other sign that \
         patterns know elsewhere"
    )]
    Sign(char),
    /// Nothing follows the last backslash.
    #[error("a pattern that ends with \\: expected the character that it stands before")]
    Backslash,
    /// Three stars or more in a row.
    #[error("*** in a pattern: expected * for anything but /, or ** for anything")]
    Stars,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sign {
    Char(char),
    /// `?`: one character, but no `/`.
    One,
    /// `*`: any number of characters, but no `/`.
    Part,
    /// `**`: any number of characters.
    All,
    /// `**/` where a part begins: any number of whole parts, none among them.
    Parts,
}

/// A pattern of stream keys: `*` stands for anything within a part of the key, `**` for anything
/// (`**/` where a part begins for any number of parts), `?` for one character; `\` before one of them, or itself, takes away its meaning. Everything
/// else stands for itself, upper and lower case apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    signs: Vec<Sign>,
}

impl Glob {
    /// Longest pattern, in bytes.
    pub const BYTES_MAX: usize = 4_096;

    /// Reads a pattern.
    ///
    /// # Errors
    /// [`GlobError`] says what was expected.
    pub fn new(pattern: &str) -> Result<Self, GlobError> {
        if pattern.is_empty() || pattern.len() > Self::BYTES_MAX {
            return Err(GlobError::Length(pattern.len()));
        }
        let mut signs = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            signs.push(match c {
                '*' if chars.next_if_eq(&'*').is_none() => Sign::Part,
                '*' if chars.peek() == Some(&'*') => return Err(GlobError::Stars),
                '*' => {
                    let begins = signs.last().is_none_or(|last| *last == Sign::Char('/'));
                    let is_parts = begins && chars.next_if_eq(&'/').is_some();
                    if is_parts { Sign::Parts } else { Sign::All }
                }
                '?' => Sign::One,
                '\\' => Sign::Char(chars.next().ok_or(GlobError::Backslash)?),
                '[' | ']' | '{' | '}' => return Err(GlobError::Sign(c)),
                c => Sign::Char(c),
            });
        }
        Ok(Self { signs })
    }

    /// Whether `key` is one of those that are meant. Takes time as their lengths multiplied, at
    /// most.
    pub fn matches(&self, key: &str) -> bool {
        let key: Vec<char> = key.chars().collect();
        // The ends of the beginnings of the key that the signs so far stand for.
        let mut ends = vec![false; key.len() + 1];
        ends.iter_mut().take(1).for_each(|end| *end = true);
        for sign in &self.signs {
            let mut next = vec![false; ends.len()];
            let (mut is_open, mut is_begun) = (false, false);
            for (at, is_end) in ends.iter().enumerate() {
                let before = at.checked_sub(1).and_then(|at| Some((ends.get(at)?, key.get(at)?)));
                let is_next = match (sign, before) {
                    (Sign::Char(c), Some((&true, before))) => c == before,
                    (Sign::One, Some((&true, before))) => *before != '/',
                    (Sign::Char(_) | Sign::One, _) => false,
                    (Sign::Part, Some((_, '/'))) => *is_end,
                    (Sign::Part | Sign::All, _) => *is_end || is_open,
                    (Sign::Parts, Some((_, '/'))) => *is_end || is_begun,
                    (Sign::Parts, _) => *is_end,
                };
                is_begun |= *is_end;
                is_open = is_next;
                next.iter_mut().skip(at).take(1).for_each(|end| *end = is_next);
            }
            ends = next;
        }
        ends.last().copied().unwrap_or_default()
    }

    /// The one key that is meant, if there is but one.
    pub(crate) fn exact(&self) -> Option<String> {
        let char = |sign: &Sign| match sign {
            Sign::Char(c) => Some(*c),
            _ => None,
        };
        self.signs.iter().map(char).collect()
    }

    /// What every key that is meant has in it, in order: with `start` before what it begins with
    /// and `end` behind what it ends with.
    pub(crate) fn runs(&self, start: char, end: char) -> Vec<String> {
        let mut runs = vec![start.to_string()];
        for sign in &self.signs {
            match (sign, runs.last_mut()) {
                (Sign::Char(c), Some(run)) => run.push(*c),
                _ => runs.push(String::new()),
            }
        }
        runs.last_mut().into_iter().for_each(|run| run.push(end));
        runs.retain(|run| !run.is_empty());
        runs
    }
}

#[cfg(test)]
mod tests;
