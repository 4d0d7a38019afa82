//! The documentation says what the program does.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args as _, Command, CommandFactory as _};
use rtmp_server::Config;
use rtmp_server::cli::Cli;
use rtmp_server::http::metrics::{METRICS, Type};
use rtmp_server::http::{Code, Meaning};
use rtmp_server::hub::Kind;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All flags of the server as a table: name, default, meaning.
fn flags_table() -> String {
    let mut table = "| flag | default | meaning |\n|---|---|---|\n".to_owned();
    for arg in Config::augment_args(Command::new("flags")).get_arguments() {
        let flag = arg.get_long().expect("every flag is long");
        let value = arg.get_value_names().and_then(<[_]>::first).expect("every flag has a value");
        let default = arg.get_default_values().first();
        let help = arg.get_help().expect("every flag says what it is for");
        let default =
            default.map_or_else(|| "none".to_owned(), |d| format!("`{}`", d.to_string_lossy()));
        writeln!(table, "| `-{flag} {value}` | {default} | {help} |").expect("a string takes all");
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
        assert_has_options(name, section, "", command);
        assert!(section.contains(&format!("$ rtmp-server {name} ")), "{name} has no example");
        // What all commands of a group have stands before the first of them.
        let common = section.split("\n### ").next().unwrap_or_default();
        for command in command.get_subcommands() {
            let name = format!("{name} {}", command.get_name());
            // A group of one or two may do without a section each.
            let own = match section.contains("\n### ") {
                true => section.split(&format!("\n### {name}\n")).nth(1),
                false => Some(section),
            };
            let own = own.unwrap_or_else(|| panic!("docs/ref/commands.md is to have {name}"));
            let own = own.split("\n### ").next().unwrap_or_default();
            assert_has_options(&name, own, common, command);
        }
    }
}

fn assert_has_options(name: &str, section: &str, common: &str, command: &Command) {
    for option in command.get_arguments().filter_map(|arg| arg.get_long()) {
        let word = format!("`-{option}");
        let is_there = [section, common].iter().any(|text| text.contains(&word));
        assert!(is_there || option == "help", "the section {name} is to have -{option}");
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

fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn assert_has(path: &str, table: &str) {
    assert!(page(path).contains(table), "{path} is to have this table:\n\n{table}");
}

/// Words as code, with a space between.
fn code_words(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_code_of_a_refusal_is_in_the_reference() {
    let mut table = "| code | status | meaning |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let Meaning { status, code, title, meaning } = code.meaning();
        writeln!(table, "| `{code}` | {status} | {title}. {meaning} |").unwrap();
    }
    assert_has("docs/ref/api.md", &table);
}

#[test]
fn every_event_is_in_the_reference_with_its_fields() {
    let mut table = "| type | fields | meaning |\n|---|---|---|\n".to_owned();
    for kind in Kind::ALL {
        let about = kind.about();
        let fields = code_words(about.fields);
        writeln!(table, "| `{}` | {fields} | {} |", about.name, about.meaning).unwrap();
    }
    assert_has("docs/ref/events.md", &table);
}

#[test]
fn every_metric_is_in_the_reference() {
    let mut table = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let (name, kind) = (metric.query_name(), metric.kind.name());
        let labels = code_words(metric.labels);
        writeln!(table, "| `{name}` | {kind} | {labels} | {} |", metric.help).unwrap();
    }
    assert_has("docs/ref/metrics.md", &table);
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let known: Vec<String> = METRICS
        .iter()
        .flat_map(|metric| match metric.kind {
            Type::Histogram => {
                ["bucket", "sum", "count"].map(|part| format!("{}_{part}", metric.name)).to_vec()
            }
            Type::Gauge | Type::Counter => vec![metric.query_name()],
        })
        .collect();
    let alerts = page("docs/monitoring/alerts.yml");
    let alerts = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let dashboard: serde_json::Value =
        serde_json::from_str(&page("docs/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries = queries.map(|target| target["expr"].as_str().unwrap());
    let mut asked = 0;
    for query in alerts.chain(queries) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = query
            .split(|c| !is_name(c))
            .filter(|w| w.starts_with("rtmp_") || w.starts_with("process_"));
        for word in words {
            assert!(known.iter().any(|name| name == word), "there is no {word}: {query}");
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked} names of metrics");
}

#[test]
fn every_call_of_the_api_is_in_the_reference_with_an_example() {
    let mut server = testkit::Server::builder(crate::support::BINARY).http().start();
    let document = server.api().get("/api/v1/openapi.json").ok();
    let text = page("docs/ref/api.md");
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let is_there = text.contains(&format!("`{method} {path}`"))
                || text.contains(&format!("`GET` and `{method} {path}`"));
            let is_get = method == "GET" && text.contains(&format!("`GET` and `PUT {path}`"));
            assert!(is_there || is_get, "docs/ref/api.md is to have `{method} {path}`");
        }
    }
    let examples = text.lines().filter(|line| line.starts_with("$ curl ")).count();
    assert!(examples >= document["paths"].as_object().unwrap().len(), "{examples} examples");
    server.stop();
}

/// What stands between backquotes in the tables of a page, cell by cell.
fn cells(page: &str) -> Vec<Vec<Vec<&str>>> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what"));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.split('`').skip(1).step_by(2).collect()).collect()
    })
    .collect()
}

/// The text of all sources of a crate.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    text
}

/// Whether a flag, or the field or constant at the end of `crate::Type::name`, exists.
fn limit_exists(limit: &str) -> bool {
    if let Some(flag) = limit.strip_prefix('-') {
        let flags = Config::augment_args(Command::new("flags"));
        return flags.get_arguments().any(|arg| arg.get_long() == Some(flag));
    }
    let (name, path) = (limit.rsplit("::").next().unwrap(), limit.split("::").next().unwrap());
    let sources = sources(&root().join("crates").join(path).join("src"));
    let forms = ["pub ", "pub(crate) ", "const "].map(|form| format!("{form}{name}: "));
    forms.iter().any(|form| sources.contains(form))
}

/// Whether `it/file::name` or `crate/file::name` is a test.
fn test_exists(test: &str) -> bool {
    let (path, name) = test.split_once("::").unwrap_or((test, ""));
    let (package, file) = path.split_once('/').unwrap_or((path, ""));
    let crates = root().join("crates");
    let files = match package {
        "it" => vec![crates.join("server/tests/it").join(file).with_extension("rs")],
        _ => {
            let source = crates.join(package).join("src").join(file);
            vec![source.with_extension("rs"), source.join("tests.rs")]
        }
    };
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let mut tests = texts.filter(|text| text.contains(&format!("fn {name}(")));
    let marks = ["#[test]", "#[tokio::test", "in_each_format!("];
    tests.any(|text| marks.iter().any(|mark| text.contains(mark)))
}

#[test]
fn every_limit_and_every_test_of_the_threat_model_exists() {
    let page = std::fs::read_to_string(root().join("docs/design/threat-model.md")).unwrap();
    let mut limits = 0;
    let mut tests = 0;
    for row in cells(&page).iter().filter(|row| row.len() == 3) {
        for limit in &row[1] {
            assert!(limit_exists(limit), "there is no {limit}");
            limits += 1;
        }
        for test in &row[2] {
            assert!(test_exists(test), "there is no test {test}");
            tests += 1;
        }
        assert!(!row[2].is_empty(), "a row without a test: {row:?}");
    }
    assert!(limits > 30 && tests > 60, "{limits} limits and {tests} tests: is the page read?");
    assert!(!limit_exists("rtmp::Limits::nothing") && !limit_exists("-nothing"));
    assert!(!test_exists("it/docs::nothing") && !test_exists("rtmp/nothing::nothing"));
}
