//! The configuration file: TOML read into keys, values and the lines that they are on.
//!
//! What the keys mean stands elsewhere: those of the server in `settings`, those of a recorder in
//! `recorder`. Every problem of a file is found at once, as far as they do not hide each other.

use std::io::Read as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// Largest file: a thousand recorders with room to spare.
pub(super) const FILE_BYTES: usize = 1 << 20;
/// Most recorders.
pub(super) const RECORDERS: usize = 1_000;
/// Most problems that are told of one file.
pub(super) const PROBLEMS: usize = 100;

/// A file as it was written.
#[derive(Debug)]
pub(super) struct File {
    /// Settings of the server, in the order of the file.
    pub(super) settings: Vec<Item>,
    /// The `[[recorder]]` tables, in the order of the file.
    pub(super) recorders: Vec<Table>,
}

/// A table, in the order of the file.
#[derive(Debug)]
pub(super) struct Table {
    /// Of its head.
    pub(super) line: usize,
    pub(super) items: Vec<Item>,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Value,
}

/// A value, whose type is decided by what reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A text, a number or a boolean, as a flag would have it.
    Scalar(String),
    /// Each with its line.
    List(Vec<(usize, Value)>),
    /// Each with its line.
    Table(Vec<(String, usize, Value)>),
}

/// Reads the bytes of the file: at most one more than it may have.
///
/// # Errors
/// What the system says.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same for a file that was read before: a pipe has nothing more to say.
///
/// # Errors
/// What the system says, or that it is no file.
pub(super) fn read_again(path: &Path) -> std::io::Result<Vec<u8>> {
    match std::fs::metadata(path)?.is_file() {
        true => read(path),
        false => Err(std::io::Error::other("it is no file, and is read only at the start")),
    }
}

/// Makes keys and values of the bytes of a file.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<File, Vec<Problem>> {
    let one = |text: String| vec![Problem::file(path, text)];
    if bytes.len() > FILE_BYTES {
        return Err(one(format!("the file has more than {FILE_BYTES} bytes")));
    }
    let lines = Lines::new(path, bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| vec![lines.problem(error.valid_up_to(), "this line is not UTF-8")])?;
    // What Windows editors put first.
    let (text, skipped) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (rest, text.len() - rest.len()),
        None => (text, 0),
    };
    let lines = Lines { skipped, ..lines };
    let document = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        vec![lines.problem(start, one_line(error.message()))]
    })?;
    let mut file = File { settings: Vec::new(), recorders: Vec::new() };
    let mut problems = Vec::new();
    for item in lines.items(document.get_ref()) {
        let line = item.line;
        let problem = |text: String| Problem {
            line: Some(line),
            key: Some("recorder".to_owned()),
            ..Problem::file(path, text)
        };
        match (&*item.key, item.value) {
            ("recorder", Value::List(tables)) if tables.len() > RECORDERS => problems.push(
                problem(format!("{} recorders are too many: at most {RECORDERS}", tables.len())),
            ),
            ("recorder", Value::List(tables)) => {
                for (line, value) in tables {
                    let Value::Table(items) = value else {
                        problems.push(problem(HEAD.to_owned()));
                        continue;
                    };
                    let item = |(key, line, value)| Item { key, line, value };
                    let items = items.into_iter().map(item).collect();
                    file.recorders.push(Table { line, items });
                }
            }
            ("recorder", _) => problems.push(problem(HEAD.to_owned())),
            (_, value) => file.settings.push(Item { key: item.key, line, value }),
        }
    }
    match problems.is_empty() {
        true => Ok(file),
        false => Err(problems),
    }
}

const HEAD: &str = "recorder is a list of tables: write [[recorder]] above the keys of each";

/// The library's words for what is no TOML, on one line.
fn one_line(message: &str) -> String {
    format!("not valid TOML: {}", message.lines().collect::<Vec<_>>().join(", "))
}

/// Which byte is on which line.
struct Lines<'a> {
    path: &'a Path,
    /// Where each line ends.
    ends: Vec<usize>,
    /// Bytes before the text in which bytes are counted.
    skipped: usize,
}

impl<'a> Lines<'a> {
    fn new(path: &'a Path, bytes: &[u8]) -> Self {
        let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self { path, ends: breaks.map(|(at, _)| at).collect(), skipped: 0 }
    }

    fn line(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end < at + self.skipped) + 1
    }

    fn problem(&self, at: usize, text: impl Into<String>) -> Problem {
        Problem { line: Some(self.line(at)), ..Problem::file(self.path, text) }
    }

    /// What is in a table, in the order of the file.
    fn items(&self, table: &DeTable<'_>) -> Vec<Item> {
        let item = |(key, value): (&Spanned<_>, &Spanned<_>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.span().start, name.clone().into_owned(), self.value(value.get_ref()))
        };
        let mut items: Vec<_> = table.iter().map(item).collect();
        items.sort_by_key(|(at, ..)| *at);
        let item = |(at, key, value)| Item { key, line: self.line(at), value };
        items.into_iter().map(item).collect()
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Scalar(text.clone().into_owned()),
            DeValue::Integer(number) => {
                let decimal = i128::from_str_radix(number.as_str(), number.radix());
                Value::Scalar(decimal.map_or_else(|_| number.to_string(), |n| n.to_string()))
            }
            DeValue::Float(number) => Value::Scalar(number.to_string()),
            DeValue::Boolean(is) => Value::Scalar(is.to_string()),
            DeValue::Datetime(time) => Value::Scalar(time.to_string()),
            DeValue::Array(values) => {
                let value = |value: &Spanned<DeValue<'_>>| {
                    (self.line(value.span().start), self.value(value.get_ref()))
                };
                Value::List(values.iter().map(value).collect())
            }
            DeValue::Table(table) => {
                let entry = |item: Item| (item.key, item.line, item.value);
                Value::Table(self.items(table).into_iter().map(entry).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests;
