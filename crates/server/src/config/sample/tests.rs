use std::path::Path;

use super::*;
use crate::Config;
use crate::config::file::{self, Value};
use crate::config::recorder::keys::KEYS;
use crate::config::settings::flags;
use crate::config::{Recorder, examine};

/// The sample with every key that is commented out in force.
fn uncommented() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with([' ', '#']) => rest,
        _ => line,
    };
    SAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn parsed(text: &str) -> file::File {
    file::parse(Path::new("rtmp-server.toml"), text.as_bytes()).unwrap_or_else(|p| panic!("{p:?}"))
}

#[test]
fn the_sample_as_it_is_says_nothing() {
    let file = parsed(SAMPLE);
    assert!(file.settings.is_empty() && file.recorders.is_empty());
}

#[test]
fn the_sample_has_every_flag_with_its_default() {
    let file = parsed(&uncommented());
    for flag in flags() {
        let name = flag.get_long().unwrap();
        let value = file.settings.iter().find(|item| item.key == name).map(|item| &item.value);
        match flag.get_default_values().first() {
            Some(default) => {
                let default = Value::Scalar(default.to_string_lossy().into_owned());
                assert_eq!(value, Some(&default), "{name}");
            }
            // What has no default can only be shown; a file does not name itself.
            None => {
                assert!(name == "config" || SAMPLE.contains(&format!("\n# {name} = ")), "{name}")
            }
        }
    }
}

#[test]
fn the_sample_has_every_key_of_a_recorder() {
    let file = parsed(&uncommented());
    let [recorder] = &*file.recorders else { panic!("one recorder") };
    let mut keys: Vec<_> = recorder.items.iter().map(|item| &*item.key).collect();
    let mut known = KEYS;
    keys.sort_unstable();
    known.sort_unstable();
    assert_eq!(keys, known);
}

#[test]
fn the_sample_with_everything_in_force_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rtmp-server.toml");
    std::fs::write(&path, uncommented()).unwrap();
    let args = ["rtmp-server".into(), "-config".into(), path.clone().into()];
    let settings = examine(args, []).unwrap_or_else(|problems| panic!("{problems:?}"));
    // That the API listens where it does by default was asked for now.
    let asked = "127.0.0.1:8080".parse().unwrap();
    let default = Config { config: Some(path), http_listen: asked, ..Config::default() };
    assert_eq!(settings.config, default);
    let streams = vec!["**".parse().unwrap()];
    let mut recorder = Recorder::new("example", streams, &default);
    // It says what the server says.
    recorder.retention = Some(default.retain.rules());
    recorder.dir = Some(default.record_dir.clone());
    assert_eq!(settings.recorders, [recorder]);
}
