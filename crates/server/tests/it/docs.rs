//! The documentation says what the program does.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args as _, Command, CommandFactory as _};
use rtmp_server::Config;
use rtmp_server::cli::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All flags of the server as a table: name, default, meaning.
fn flags_table() -> String {
    let mut table = "| flag | default | meaning |\n|---|---|---|\n".to_owned();
    for arg in Config::augment_args(Command::new("flags")).get_arguments() {
        let flag = arg.get_long().expect("every flag is long");
        let value = arg.get_value_names().and_then(<[_]>::first).expect("every flag has a value");
        let default = arg.get_default_values().first().expect("every flag has a default");
        let help = arg.get_help().expect("every flag says what it is for");
        let default = default.to_string_lossy();
        writeln!(table, "| `-{flag} {value}` | `{default}` | {help} |")
            .expect("a string takes all");
    }
    table
}

#[test]
fn every_flag_is_in_the_readme_and_in_the_reference() {
    let table = flags_table();
    for page in ["README.md", "docs/ref/flags.md"] {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        assert!(text.contains(&table), "{page} is to have this table:\n\n{table}");
    }
}

#[test]
fn every_command_and_its_options_are_in_the_reference() {
    let page = std::fs::read_to_string(root().join("docs/ref/commands.md")).unwrap();
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        let section = page.split(&format!("\n## {name}\n")).nth(1);
        let section = section.unwrap_or_else(|| panic!("docs/ref/commands.md is to have {name}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        for option in command.get_arguments().filter_map(|arg| arg.get_long()) {
            let is_there = section.contains(&format!("`-{option}")) || option == "help";
            assert!(is_there, "the section {name} is to have -{option}");
        }
        assert!(section.contains(&format!("$ rtmp-server {name} ")), "{name} has no example");
    }
}

#[test]
fn every_log_message_is_in_the_reference() {
    let page = std::fs::read_to_string(root().join("docs/ref/logs.md")).unwrap();
    let mut missing = Vec::new();
    for file in ["crates/server/src/telemetry.rs", "crates/archive/src/telemetry.rs"] {
        let source = std::fs::read_to_string(root().join(file)).unwrap();
        // A message is the last string of a logging macro: `"text");` or `"text"` on its own line before `);`.
        for (i, _) in source.match_indices("\n    );").chain(source.match_indices("\");")) {
            let before = source[..i].trim_end().trim_end_matches('"');
            let Some(start) = before.rfind('"') else { continue };
            let message = before[start + 1..].split(';').next().unwrap_or_default();
            if !message.contains('{') && !page.contains(message) {
                missing.push(message.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "docs/ref/logs.md does not have {missing:?}");
}
