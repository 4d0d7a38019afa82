//! Which streams a recorder is for: a pattern on `app/name`.
//!
//! Both kinds become one regular expression, so that a match takes time in proportion to the name
//! whatever the pattern is.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};

/// A pattern on stream names: a glob, or `re:` and a regular expression for the whole name.
///
/// In a glob `*` and `?` stand for anything within one part, `**` for anything over parts, `[a-z]`
/// and `[!a-z]` for one character, `{a,b}` for one of several texts, and `\` takes the special
/// meaning from what follows. `a/**` is everything below `a`, `**/a` is `a` wherever it is.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    means: Means,
}

#[derive(Debug, Clone)]
enum Means {
    /// The name that the text is: a file may have thousands of them.
    Itself,
    /// The whole name.
    Whole(Regex),
}

/// Longest pattern in bytes.
const TEXT_BYTES: usize = 1_024;
/// Most memory of one that is compiled: `\w{20}` fits, `\w{200}` does not.
const COMPILED_BYTES: usize = 1 << 20;
/// Most alternatives inside alternatives.
const DEPTH: usize = 8;

impl Pattern {
    /// Every stream.
    pub fn all() -> Self {
        #[expect(clippy::expect_used, reason = "a constant; a test runs this")]
        "**".parse().expect("the pattern is valid")
    }

    /// Whether the stream is meant; `key` is `app/name`.
    pub fn matches(&self, key: &str) -> bool {
        match &self.means {
            Means::Itself => self.text == key,
            Means::Whole(whole) => whole.is_match(key),
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > TEXT_BYTES {
            return Err(format!("the pattern has {} bytes; at most {TEXT_BYTES}", text.len()));
        }
        let inner = match text.strip_prefix("re:") {
            Some("") => return Err("the regular expression is empty".to_owned()),
            Some(regex) => {
                // Alone first: `a)|(b` would be valid between brackets.
                compile(regex)?;
                regex.to_owned()
            }
            None => glob(text)?,
        };
        let means = match text.starts_with("re:") || text.contains(SPECIAL) {
            true => Means::Whole(compile(&format!(r"\A(?:{inner})\z"))?),
            false => Means::Itself,
        };
        Ok(Self { text: text.to_owned(), means })
    }
}

/// What makes a glob more than a name.
const SPECIAL: [char; 5] = ['*', '?', '[', '{', '\\'];

fn compile(regex: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(regex).size_limit(COMPILED_BYTES).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        // The library draws where it is, over several lines; what is wrong is the last of them.
        error => {
            let text = error.to_string();
            let line = text.lines().last().unwrap_or_default();
            format!("the regular expression: {}", line.trim_start_matches("error: "))
        }
    })
}

/// A glob as a regular expression.
fn glob(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the pattern is empty; ** is every stream".to_owned());
    }
    if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
        return Err("names of streams do not begin or end with /, nor have two of them; \
                    write live/test or live/*"
            .to_owned());
    }
    let mut regex = String::new();
    let mut depth = 0_usize;
    let mut rest = text.chars().peekable();
    let mut before = None;
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => {
                while rest.next_if_eq(&'*').is_some() {}
                // `**/` may be no part at all.
                let is_part = matches!(before, None | Some('/'));
                match is_part && rest.next_if_eq(&'/').is_some() {
                    true => regex.push_str("(?:(?s:.)*/)?"),
                    false => regex.push_str("(?s:.)*"),
                }
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => class(&mut rest, &mut regex)?,
            '{' => {
                depth += 1;
                if depth > DEPTH {
                    return Err(format!("more than {DEPTH} braces inside each other"));
                }
                regex.push_str("(?:");
            }
            ',' if depth > 0 => regex.push('|'),
            '}' if depth > 0 => {
                depth -= 1;
                regex.push(')');
            }
            '}' => return Err(r"a } alone; write \} for the character".to_owned()),
            '\\' => {
                let c = rest.next().ok_or(r"a \ at the end; write \\ for the character")?;
                push(&mut regex, c);
            }
            c => push(&mut regex, c),
        }
        before = Some(c);
    }
    match depth {
        0 => Ok(regex),
        _ => Err(r"a { without its }; write \{ for the character".to_owned()),
    }
}

/// What follows `[`, up to its `]`.
fn class(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    regex: &mut String,
) -> Result<(), String> {
    let open = || r"a [ without its ]; write \[ for the character".to_owned();
    regex.push('[');
    if rest.next_if(|c| matches!(c, '!' | '^')).is_some() {
        regex.push_str("^/");
    }
    let mut first = true;
    loop {
        match rest.next().ok_or_else(open)? {
            ']' if !first => break,
            '-' if !first && rest.peek().is_some_and(|next| *next != ']') => regex.push('-'),
            '\\' => push(regex, rest.next().ok_or_else(open)?),
            '/' => return Err("a / between [ and ]: there is one part on each side".to_owned()),
            c => push(regex, c),
        }
        first = false;
    }
    regex.push(']');
    Ok(())
}

/// The character itself, in a class or not.
fn push(regex: &mut String, c: char) {
    regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests;
