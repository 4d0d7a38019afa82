//! What must hold of any bytes, one function for each fuzz target; a broken promise is a panic.
//!
//! The thin targets that call these are in `fuzz/` at the root of the repository. Their inputs are
//! in `fuzz/corpus`, one folder a target, and the ordinary tests run all of them.
//!
//! Here only for tests and fuzzers: no other build has this module.

use std::path::{Component, Path};

use jiff::{Timestamp, Zoned, tz::TimeZone};
use live::Key;
use media::amf0::Value;
use media::flv::meta;

use crate::path::{Facts, NAME_BYTES, Template};
use crate::{About, Format, Ledger};

/// Any path template and any stream key: application, name and template set apart by newlines.
pub fn path_template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (app, name, template) = (next(), next(), next());
    let Ok(key) = Key::new(app, name) else { return };
    check_key(&key);
    names(&Template::default(), key.as_str());
    // What a client sends may reach a template without being a key first.
    names(&Template::default(), name);
    let Ok(template) = template.parse::<Template>() else { return };
    assert_eq!(template.to_string().parse().as_ref(), Ok(&template));
    names(&template, key.as_str());
}

fn check_key(key: &Key) {
    let text = key.as_str();
    assert!(text.len() <= Key::MAX_BYTES && text.split('/').all(|element| !element.is_empty()));
    let (app, name) = text.rsplit_once('/').unwrap_or(("", text));
    // What is left of `_definst_` at the end of an application is left out once more.
    if app.split('/').next_back() != Some("_definst_") {
        assert_eq!(Key::new(app, name).as_ref(), Ok(key));
    }
    let shown = key.to_string();
    assert!(!shown.contains(char::is_control), "forges a log line: {shown:?}");
}

fn names(template: &Template, stream_key: &str) {
    let start = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let end = Some(&start);
    let mut facts = Facts {
        stream_key,
        start: &start,
        end: None,
        sequence: 1,
        recording: "00c0ffee",
        // Whatever people call them.
        recorder: stream_key,
        recording_name: stream_key,
        format: Format::Flv,
    };
    let first = template.name(&facts).candidate(1);
    check_path(&first);
    check_path(&template.name(&facts).candidate(10_000));
    assert_ne!(template.name(&facts).candidate(2), first);
    facts.sequence = u32::MAX;
    facts.end = end;
    check_path(&template.name(&facts).candidate(1));
    let late = latest();
    facts.start = &late;
    check_path(&template.name(&facts).candidate(3));
}

fn latest() -> Zoned {
    Timestamp::MAX.to_zoned(TimeZone::UTC)
}

/// A path stays below the directory that it is joined to, on every system.
fn check_path(path: &Path) {
    let Some(text) = path.to_str() else { panic!("not UTF-8: {path:?}") };
    assert!(text.ends_with(".flv"), "{text:?}");
    let bad = |c: char| c.is_control() || r#"\:*?"<>|"#.contains(c);
    assert!(!text.contains(bad), "{text:?}");
    for component in path.components() {
        let Component::Normal(name) = component else { panic!("leads away: {text:?}") };
        let name = name.to_str().unwrap_or_default();
        assert!((1..=NAME_BYTES).contains(&name.len()), "{} bytes: {name:?}", name.len());
        assert!(!name.starts_with(['.', ' ', '-']), "{name:?}");
        assert!(!name.ends_with(['.', ' ']), "{name:?}");
        let stem = name.split('.').next().unwrap_or_default().trim_end();
        let is_device = ["CON", "PRN", "AUX", "NUL", "COM1", "LPT9"]
            .iter()
            .any(|device| stem.eq_ignore_ascii_case(device));
        assert!(!is_device, "a device on Windows: {name:?}");
    }
    let joined = Path::new("recordings").join(path);
    assert!(joined.starts_with("recordings") && joined != Path::new("recordings"));
}

/// Any bytes as the beginning of a file: what it says of itself is read back as it is written.
pub fn segment_head(data: &[u8]) {
    let Some(region) = meta::region(data) else { return };
    let properties = region.properties;
    if let Some(about) = About::from_properties(&properties) {
        // The first reading rounds what no file of ours says.
        let about = written(&about, About::properties, About::from_properties);
        assert_eq!(written(&about, About::properties, About::from_properties), about);
    }
    if let Some(ledger) = Ledger::from_properties(&properties) {
        assert!(ledger.gaps.len() <= Ledger::GAPS_MAX);
        let ledger = written(&ledger, Ledger::properties, Ledger::from_properties);
        assert_eq!(written(&ledger, Ledger::properties, Ledger::from_properties), ledger);
    }
}

fn written<T>(
    value: &T,
    write: fn(&T) -> Vec<(String, Value)>,
    read: fn(&[(String, Value)]) -> Option<T>,
) -> T {
    match read(&write(value)) {
        Some(again) => again,
        None => panic!("what was written cannot be read"),
    }
}

#[cfg(test)]
mod tests;
