//! Any configuration: flags, environment and file.

use std::ffi::OsString;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use live::Key;
use serde_json::Value;

use crate::command::told;
use crate::config::{Config, Problem, Settings, Source, examine_bytes};

/// What the file is called, and a token where one is asked for.
const FILE: &str = "rtmp-server.toml";
const TOKEN: &str = "0123456789abcdef";

/// Any flags, each on a line that begins with `-`; then variables, each on a line that begins with
/// the prefix of all; then a file.
///
/// What is wrong is told in lines that stay lines, of the file that it is in. What is right is
/// printed, and what was printed means the same when it is given as a file.
pub fn configuration(data: &[u8]) {
    let (args, rest) = lines(data, b"-");
    let (env, file) = lines(rest, b"RTMP_SERVER_");
    let env = env.iter().filter_map(|line| line.split_once('='));
    let env: Vec<(OsString, OsString)> = env.map(|(k, v)| (k.into(), v.into())).collect();
    let given = [format!("--config={FILE}")].into_iter().chain(args);
    let program = std::iter::once("rtmp-server".to_owned());
    match examine_bytes(program.chain(given).map(OsString::from), env, file) {
        Ok(settings) => check_settings(&settings),
        Err(problems) => check_problems(&problems, file),
    }
}

/// The lines at the beginning that begin so, as text, and what is behind them.
fn lines<'a>(mut data: &'a [u8], prefix: &[u8]) -> (Vec<String>, &'a [u8]) {
    let mut lines = Vec::new();
    while data.starts_with(prefix) {
        let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
        let (line, rest) = data.split_at(end);
        lines.push(String::from_utf8_lossy(line).into_owned());
        data = rest.get(1..).unwrap_or_default();
    }
    (lines, data)
}

fn check_problems(problems: &[Problem], file: &[u8]) {
    assert!((1..=101).contains(&problems.len()), "{} problems", problems.len());
    let lines = file.iter().filter(|byte| **byte == b'\n').count() + 1;
    for problem in problems {
        let shown = problem.to_string();
        // Help that was asked for has lines; nobody's text is in it.
        let is_help = problem.file.is_none() && problem.key.is_none();
        assert!(is_help || !shown.contains(char::is_control), "{shown:?}");
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{shown}");
        assert!(problem.line.is_none() || problem.file.is_some(), "{shown}");
    }
}

fn check_settings(settings: &Settings) {
    let streams: Vec<Key> =
        ["live/test", "cam1/a/b"].iter().filter_map(|name| Key::new("", name).ok()).collect();
    let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let (printed, text) = told(settings, &streams, &now);
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    let file = as_file(settings, &printed);
    let args = ["rtmp-server".to_owned(), format!("--config={FILE}")].map(OsString::from);
    let again = match examine_bytes(args, [], file.as_bytes()) {
        Ok(again) => again,
        Err(problems) => panic!("{problems:?}\n{file}"),
    };
    assert_eq!(comparable(&again), comparable(settings), "{file}");
    let (printed_again, _) = told(&again, &streams, &now);
    for part in ["recorders", "streams"] {
        assert_eq!(printed_again.get(part), printed.get(part), "{file}");
    }
}

/// The settings without what is not printed: the token, and where it and the file are.
fn comparable(settings: &Settings) -> Config {
    Config { config: None, api_token: None, api_token_file: None, ..settings.config.clone() }
}

/// What was printed, as a file.
fn as_file(settings: &Settings, printed: &Value) -> String {
    let mut file = String::new();
    for shown in settings.shown() {
        let is_kept = shown.source != Source::Default;
        if is_kept && !matches!(&*shown.name, "config" | "api-token" | "api-token-file") {
            let _ = writeln!(file, "{} = {}", shown.name, quoted(&shown.value));
        }
    }
    if settings.config.api_token.is_some() {
        let _ = writeln!(file, "api-token = \"{TOKEN}\"");
    }
    let recorders = printed.get("recorders").and_then(Value::as_array);
    for recorder in recorders.into_iter().flatten() {
        // That of record-all is none of the file.
        if recorder.get("name").and_then(Value::as_str) != Some("all") {
            add_recorder(&mut file, recorder);
        }
    }
    file
}

/// The keys of a recorder: how each is called, where it is printed, and its unit.
const KEYS: [(&str, &str, &str); 25] = [
    ("name", "/name", ""),
    ("enabled", "/enabled", ""),
    ("streams", "/streams", ""),
    ("exclude", "/exclude", ""),
    ("format", "/format", ""),
    ("dir", "/dir", ""),
    ("path", "/path", ""),
    ("tracks", "/tracks", ""),
    ("pre-roll", "/pre_roll_ms", "ms"),
    ("max-length", "/max_length_ms", "ms"),
    ("schedule", "/schedule", ""),
    ("rotate-duration", "/rotation/duration_ms", "ms"),
    ("rotate-size", "/rotation/size_bytes", ""),
    ("rotate-every", "/rotation/every", ""),
    ("rotate-schedule", "/rotation/schedule", ""),
    ("retain-age", "/retention/age_s", "s"),
    ("retain-size", "/retention/total_bytes", ""),
    ("retain-free", "/retention/free_bytes", ""),
    ("retain-copied", "/retention/copied_only", ""),
    ("rejoin", "/rejoin_ms", "ms"),
    ("flush", "/flush_ms", "ms"),
    ("sync", "/sync_ms", "ms"),
    ("checksum-files", "/checksum_files", ""),
    ("pictures", "/pictures", ""),
    ("thumbnail-interval", "/thumbnail_interval_ms", "ms"),
];

fn add_recorder(file: &mut String, recorder: &Value) {
    file.push_str("[[recorder]]\n");
    for (key, printed, unit) in KEYS {
        let value = match recorder.pointer(printed) {
            // Nothing is the same as off, also where the settings of the server say something.
            Some(Value::Null) => quoted("off"),
            Some(Value::Number(n)) if n.as_u64() == Some(0) => "0".to_owned(),
            Some(Value::Number(n)) => format!("\"{n}{unit}\""),
            Some(Value::String(text)) => quoted(text),
            Some(Value::Array(list)) => {
                let texts = list.iter().map(|text| quoted(text.as_str().unwrap_or_default()));
                format!("[{}]", texts.collect::<Vec<_>>().join(", "))
            }
            Some(value @ Value::Bool(_)) => value.to_string(),
            other => panic!("{printed}: {other:?}"),
        };
        let _ = writeln!(file, "{key} = {value}");
    }
    let labels = recorder.get("labels").and_then(Value::as_object).into_iter().flatten();
    let labels = labels.map(|(name, value)| {
        format!("{} = {}", quoted(name), quoted(value.as_str().unwrap_or_default()))
    });
    let _ = writeln!(file, "labels = {{ {} }}", labels.collect::<Vec<_>>().join(", "));
}

/// A text of TOML, which escapes as JSON does but for one character.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
