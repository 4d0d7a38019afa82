//! The keys of a `[[recorder]]`: how its table becomes a [`Recorder`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use archive::Tracks;
use archive::retention::Rules;

use super::Recorder;
use crate::config::Config;
use crate::config::file::{Table, Value};
use crate::config::pattern::Pattern;
use crate::config::problem::{Problem, nearest};
use crate::config::value;
use crate::config::window::{Window, Windows};

/// All keys, in the order of the reference.
pub(in crate::config) const KEYS: [&str; 26] = [
    "name",
    "streams",
    "exclude",
    "enabled",
    "format",
    "dir",
    "path",
    "tracks",
    "pre-roll",
    "max-length",
    "schedule",
    "rotate-duration",
    "rotate-size",
    "rotate-every",
    "rotate-schedule",
    "retain-age",
    "retain-size",
    "retain-free",
    "retain-copied",
    "rejoin",
    "flush",
    "sync",
    "checksum-files",
    "pictures",
    "thumbnail-interval",
    "labels",
];

/// Most patterns of `streams`, of `exclude`, and windows of `schedule`.
const ENTRIES: usize = 100;
/// Most labels.
const LABELS: usize = 32;
/// Longest name of a recorder or a label, in bytes.
const NAME_BYTES: usize = 64;
/// Longest value of a label, in bytes.
const LABEL_BYTES: usize = 256;

/// Why a value is not taken, and where it stands if not beside its key.
type Wrong = (Option<usize>, String);

/// Reads the table of a recorder. `settings` are the names of the server's settings, which do not
/// belong here.
pub(in crate::config) fn read(
    path: &Path,
    table: &Table,
    config: &Config,
    settings: &[&str],
) -> Result<Recorder, Vec<Problem>> {
    let mut recorder = Recorder::new("", Vec::new(), config);
    let mut problems = Vec::new();
    let named = table.items.iter().find(|item| item.key == "name").map(|item| &item.value);
    let who = match named {
        Some(Value::Scalar(name)) => format!("recorder {name:?}: "),
        _ => "recorder: ".to_owned(),
    };
    let mut complain = |line, key: &str, text: String| {
        problems.push(Problem {
            line: Some(line),
            key: Some(key.to_owned()),
            ..Problem::file(path, who.clone() + &text)
        });
    };
    for item in &table.items {
        let set = match KEYS.contains(&&*item.key) {
            true => recorder.set(&item.key, &item.value, config.retain.rules()),
            false => Err((None, unknown(&item.key, settings))),
        };
        if let Err((line, text)) = set {
            complain(line.unwrap_or(item.line), &item.key, text);
        }
    }
    for key in ["name", "streams"] {
        if !table.items.iter().any(|item| item.key == key) {
            complain(table.line, key, format!("{key} is missing"));
        }
    }
    match problems.is_empty() {
        true => Ok(recorder),
        false => Err(problems),
    }
}

fn unknown(key: &str, settings: &[&str]) -> String {
    if settings.contains(&key) {
        return format!("{key} is a setting of the server: it goes above the first [[recorder]]");
    }
    match nearest(key, KEYS) {
        Some(near) => format!("unknown key {key:?}: did you mean {near}?"),
        None => format!("unknown key {key:?}; known are {}", KEYS.join(", ")),
    }
}

impl Recorder {
    fn set(&mut self, key: &str, value: &Value, base: Rules) -> Result<(), Wrong> {
        match key {
            "name" => self.name = scalar(key, value, name)?,
            "streams" => {
                self.streams = list(key, value, Pattern::from_str)?;
                if self.streams.is_empty() {
                    let text =
                        "streams is empty: write \"**\" for every stream, or enabled = false";
                    return Err((None, text.to_owned()));
                }
            }
            "exclude" => self.exclude = list(key, value, Pattern::from_str)?,
            "enabled" => self.enabled = scalar(key, value, boolean)?,
            "format" => self.format = scalar(key, value, value::format_of)?,
            "dir" => self.dir = Some(scalar(key, value, dir)?),
            "path" => self.path = scalar(key, value, value::parsed)?,
            "tracks" => self.tracks = scalar(key, value, tracks)?,
            "pre-roll" => self.pre_roll = scalar(key, value, value::pre_roll)?,
            "max-length" => {
                self.max_length = scalar(key, value, value::off_or(value::rotation))?;
            }
            "schedule" => self.schedule = Windows::new(list(key, value, Window::from_str)?),
            "rotate-duration" => {
                self.rotation.duration = scalar(key, value, value::off_or(value::rotation))?;
            }
            "rotate-size" => {
                self.rotation.size_bytes = scalar(key, value, value::off_or(value::file_size))?;
            }
            "rotate-every" => {
                self.rotation.every = scalar(key, value, value::off_or(value::parsed))?;
            }
            "rotate-schedule" => {
                self.rotation.schedule = scalar(key, value, value::off_or(value::parsed))?;
            }
            "retain-age" => {
                self.retention.get_or_insert(base).age = scalar(key, value, value::age)?
            }
            "retain-size" => {
                self.retention.get_or_insert(base).total_bytes = scalar(key, value, value::room)?
            }
            "retain-free" => {
                self.retention.get_or_insert(base).free_bytes = scalar(key, value, value::room)?
            }
            "retain-copied" => {
                self.retention.get_or_insert(base).copied_only = scalar(key, value, boolean)?
            }
            "rejoin" => self.rejoin = scalar(key, value, value::duration_or_zero)?,
            "flush" => self.flush = scalar(key, value, value::flush)?,
            "sync" => self.sync = scalar(key, value, value::duration_or_zero)?,
            "checksum-files" => self.checksum_files = scalar(key, value, boolean)?,
            "pictures" => self.pictures = scalar(key, value, boolean)?,
            "thumbnail-interval" => {
                self.thumbnail_interval = scalar(key, value, value::duration)?;
            }
            "labels" => self.labels = labels(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// A value that is one text.
fn scalar<T>(
    key: &str,
    value: &Value,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Wrong> {
    match value {
        Value::Scalar(text) => {
            parse(text).map_err(|why| (None, format!("{key} {text:?} is not valid: {why}")))
        }
        Value::List(_) => Err((None, format!("{key} is a list; expected one value"))),
        Value::Table(_) => Err((None, format!("{key} is a table; expected one value"))),
    }
}

/// A value that is a list of texts.
fn list<T>(
    key: &str,
    value: &Value,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Wrong> {
    let Value::List(values) = value else {
        return Err((None, format!("{key} is no list: write {key} = [\"…\"]")));
    };
    if values.len() > ENTRIES {
        let text = format!("{key} has {} entries; at most {ENTRIES}", values.len());
        return Err((None, text));
    }
    let entry = |(line, value): &(usize, Value)| {
        scalar(key, value, &parse).map_err(|(_, text)| (Some(*line), text))
    };
    values.iter().map(entry).collect()
}

fn is_name(text: &str, more: &[u8]) -> bool {
    let is_part = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || b"_-".contains(&byte)
            || more.contains(&byte)
    };
    (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(is_part)
}

fn name(text: &str) -> Result<String, String> {
    if [Recorder::ALL, Recorder::API].contains(&text) {
        return Err("this name is the server's own; choose another".to_owned());
    }
    match is_name(text, b"") {
        true => Ok(text.to_owned()),
        false => {
            Err(format!("expected 1 to {NAME_BYTES} of a to z, 0 to 9, _ and -, such as cameras"))
        }
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "expected true or false".to_owned())
}

fn tracks(text: &str) -> Result<Tracks, String> {
    let found = Tracks::ALL.into_iter().find(|tracks| tracks.name() == text);
    found.ok_or_else(|| "expected all, audio, video or keyframes".to_owned())
}

fn dir(text: &str) -> Result<PathBuf, String> {
    match text.is_empty() || text.contains('\0') {
        true => Err("expected a directory".to_owned()),
        false => Ok(PathBuf::from(text)),
    }
}

fn labels(value: &Value) -> Result<BTreeMap<String, String>, Wrong> {
    let Value::Table(entries) = value else {
        let text = "labels is no table: write labels = { name = \"value\" }";
        return Err((None, text.to_owned()));
    };
    if entries.len() > LABELS {
        return Err((None, format!("{} labels are too many: at most {LABELS}", entries.len())));
    }
    let label = |(name, line, value): &(String, usize, Value)| {
        let wrong = |text: String| Err((Some(*line), text));
        if !is_name(name, b".") {
            return wrong(format!(
                "the name of a label {name:?} is not valid: expected 1 to {NAME_BYTES} of a to z, \
                 0 to 9, _, - and ."
            ));
        }
        let Value::Scalar(text) = value else {
            return wrong(format!("the label {name} is no text"));
        };
        if text.len() > LABEL_BYTES || text.contains(char::is_control) {
            return wrong(format!(
                "the label {name} is not valid: expected at most {LABEL_BYTES} bytes without \
                 control characters"
            ));
        }
        Ok((name.clone(), text.clone()))
    };
    entries.iter().map(label).collect()
}

#[cfg(test)]
mod tests;
