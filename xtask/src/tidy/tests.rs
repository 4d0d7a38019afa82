use serde_json::{Value, json};

use super::{File, Finding, check, crates, docs, files};
use crate::run::Workspace;

#[test]
fn no_rule_of_the_house_is_broken() {
    if let Err(error) = Workspace::find().and_then(|workspace| check(&workspace)) {
        panic!("{error}");
    }
}

fn file(path: &str, text: &str) -> File {
    File { path: path.into(), text: text.into() }
}

fn package(name: &str, dependencies: &[Value]) -> Value {
    json!({ "name": name, "dependencies": dependencies })
}

fn uses(name: &str) -> Value {
    json!({ "name": name, "kind": null, "features": [] })
}

fn uses_in_tests(name: &str) -> Value {
    json!({ "name": name, "kind": "dev", "features": [] })
}

/// Checks one crate among all the members that it may name.
fn direction_of(name: &str, dependencies: &[Value]) -> Vec<Finding> {
    let members = ["media", "rtmp", "live", "archive", "rtmp-server", "testkit", "xtask"];
    let packages =
        members.map(|member| package(member, if member == name { dependencies } else { &[] }));
    crates::direction(&packages).unwrap()
}

fn problems(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.place, finding.problem)).collect()
}

#[test]
fn arrows_of_the_architecture_are_allowed() {
    for (name, to) in [("rtmp", "media"), ("live", "media"), ("archive", "live")] {
        assert_eq!(direction_of(name, &[uses(to)]), []);
    }
    let all = ["media", "rtmp", "live", "archive", "tokio"].map(uses);
    assert_eq!(direction_of("rtmp-server", &all), []);
    assert_eq!(direction_of("media", &[uses("bytes"), uses_in_tests("proptest")]), []);
}

#[test]
fn arrows_against_the_direction_are_found() {
    let wrong = [
        ("media", "live"),
        ("rtmp", "live"),
        ("live", "rtmp"),
        ("archive", "rtmp"),
        ("archive", "rtmp-server"),
        ("xtask", "media"),
        ("rtmp-server", "testkit"),
    ];
    for (name, to) in wrong {
        let found = direction_of(name, &[uses(to)]);
        assert_eq!(found.len(), 1, "{name} uses {to}");
    }
    // Not even tests may bring archive and rtmp together.
    assert_eq!(direction_of("archive", &[uses_in_tests("rtmp")]).len(), 1);
}

#[test]
fn the_testkit_is_allowed_in_tests_only() {
    assert_eq!(direction_of("archive", &[uses_in_tests("testkit")]), []);
    let found = direction_of("archive", &[uses("testkit")]);
    assert_eq!(problems(&found), ["crate archive: uses testkit: the testkit is for tests"]);
}

#[test]
fn an_impure_dependency_of_a_pure_crate_is_found() {
    for (name, to) in [("media", "tokio"), ("rtmp", "tracing"), ("live", "socket2")] {
        let found = direction_of(name, &[uses(to)]);
        let wanted = format!("crate {name}: uses {to}: it is not allowed there");
        assert_eq!(problems(&found), [wanted]);
    }
    assert_eq!(direction_of("archive", &[uses("tokio")]).len(), 1);
}

#[test]
fn live_may_use_the_synchronisation_of_tokio_and_nothing_else_of_it() {
    let with = |features: &[&str]| {
        direction_of("live", &[json!({ "name": "tokio", "kind": null, "features": features })])
    };
    assert_eq!(with(&["sync"]), []);
    assert_eq!(with(&["sync", "rt"]).len(), 1);
    assert_eq!(with(&[]).len(), 1);
}

#[test]
fn a_crate_that_is_not_in_the_table_is_found() {
    let found = crates::direction(&[package("newcomer", &[])]).unwrap();
    assert_eq!(problems(&found), ["crate newcomer: is not in the table of crates"]);
}

#[test]
fn what_is_not_cargo_metadata_is_an_error() {
    assert!(crates::direction(&[json!({})]).is_err());
    assert!(crates::direction(&[json!({ "name": "media" })]).is_err());
}

#[test]
fn an_impure_crate_deep_below_a_pure_one_is_found() {
    let pure = "media v0.1.0 (...)\nbytes v1.12.0\nthiserror v2.0.17 (*)\n";
    assert_eq!(crates::closure("media", pure), []);
    let found = crates::closure("media", &format!("{pure}socket2 v0.6.1\n"));
    assert_eq!(problems(&found), ["crate media: pulls in socket2 through its dependencies"]);
    assert_eq!(crates::closure("live", "live v0.1.0\ntokio v1.54.0\n"), []);
    assert_eq!(crates::closure("rtmp", "rtmp v0.1.0\ntokio v1.54.0\n").len(), 1);
    assert_eq!(crates::closure("live", "live v0.1.0\ntokio v1.54.0\nmio v1.0.0\n").len(), 1);
}

#[test]
fn a_ban_that_is_missing_or_commented_out_is_found() {
    let complete = include_str!("../../../crates/media/clippy.toml");
    assert_eq!(crates::bans("clippy.toml", complete), []);
    let cut = complete.replace("std::thread::sleep", "std::thread::park");
    let found = crates::bans("clippy.toml", &cut);
    assert_eq!(problems(&found), ["clippy.toml: does not ban std::thread::sleep"]);
    let commented = complete.replace("    {", "    # {");
    assert_eq!(crates::bans("clippy.toml", &commented).len(), 8);
    assert_eq!(crates::bans("clippy.toml", "").len(), 8);
}

#[test]
fn a_long_file_is_found_by_its_lines_of_code() {
    let code = "let a = 1;\n".repeat(files::LINES);
    let text = format!("//! Page.\n\n{code}    // Why.\n");
    assert_eq!(files::check(&file("src/a.rs", &text)), []);
    let long = format!("{text}let b = 2;\n");
    let found = files::check(&file("src/a.rs", &long));
    assert_eq!(problems(&found), ["src/a.rs: has 651 lines of code, more than 650"]);
    assert_eq!(files::check(&file("src/a/tests.rs", &long)), []);
    assert_eq!(files::check(&file("crates/server/tests/it/a.rs", &long)), []);
    assert_eq!(files::check(&file("docs/a.txt", &long)), []);
}

#[test]
fn what_no_rust_file_has_is_found() {
    let lines = [
        concat!("#[ig", "nore]"),
        concat!("#[ig", "nore = \"slow\"]"),
        concat!("#[al", "low(dead_code)]"),
        concat!("#![al", "low(dead_code)]"),
        concat!("to", "do!()"),
        concat!("unimple", "mented!()"),
    ];
    for line in lines {
        assert_eq!(files::check(&file("src/a.rs", line)).len(), 1, "{line}");
        assert_eq!(files::check(&file("docs/a.md", line)), [], "{line}");
    }
    assert_eq!(files::check(&file("src/a.rs", "#[expect(dead_code, reason = \"why\")]")), []);
}

#[test]
fn words_for_work_that_is_left_are_found_in_every_file() {
    let line = concat!("a\n# FIX", "ME: later");
    let found = files::check(&file("rustfmt.toml", line));
    assert_eq!(problems(&found), [concat!("rustfmt.toml:2: the word FIX", "ME")]);
    assert_eq!(files::check(&file("src/a.rs", concat!("// TO", "DO later"))).len(), 1);
    assert_eq!(files::check(&file("src/a.rs", concat!("MASTO", "DONT PHO", "TO", "DO_1"))), []);
}

#[test]
fn paths_of_one_machine_are_found() {
    let wrong = [
        concat!("see /ho", "me/ann/clip.flv"),
        concat!("\"/ro", "ot/clip.flv\""),
        concat!("(/wo", "rk/main)"),
        concat!("C:\\Us", "ers\\ann"),
    ];
    for line in wrong {
        assert_eq!(files::check(&file("docs/a.md", line)).len(), 1, "{line}");
    }
    let right = [
        concat!("rtmp://host/ho", "me/key"),
        concat!("docs/wo", "rk/a.md"),
        concat!("$HOME/wo", "rk/"),
        "/var/lib/rtmp-server",
    ];
    for line in right {
        assert_eq!(files::check(&file("docs/a.md", line)), [], "{line}");
    }
}

fn links_of(path: &str, text: &str) -> Vec<Finding> {
    let paths = ["README.md", "docs/README.md", "docs/guide/obs.md", "src/a.rs"];
    docs::links(&[file(path, text)], &paths.map(str::to_owned))
}

#[test]
fn links_to_files_folders_headings_and_other_places_are_good() {
    let text = "[a](docs/README.md) and [b](docs/guide/obs.md#keys \"Keys\"), [c](docs/guide/)\n\
                [d](#here) [e](https://example.org/x.md) [f](mailto:a@example.org)\n\
                `[g](none.md)`\n```\n[h](none.md)\n~~~\n```\n[i]: src/a.rs\n";
    assert_eq!(links_of("README.md", text), []);
    assert_eq!(links_of("docs/guide/obs.md", "[a](../README.md) [b](../../src/a.rs)"), []);
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let found = links_of("docs/README.md", "one\n[a](guide/vlc.md)");
    let wanted = "docs/README.md:2: links to guide/vlc.md, which does not exist";
    assert_eq!(problems(&found), [wanted]);
    assert_eq!(links_of("README.md", "[a](../README.md)").len(), 1);
    assert_eq!(links_of("README.md", "```\n```\n[a](none.md)").len(), 1);
    assert_eq!(links_of("README.md", "[a]: none.md").len(), 1);
    assert_eq!(links_of("docs/guide/obs.md", "`a` [a](README.md) `b`").len(), 1);
}

#[test]
fn a_page_without_a_link_to_it_is_found() {
    let pages = |index: &str| {
        docs::unlinked(&[
            file("README.md", "[docs](docs/README.md)"),
            file("docs/README.md", index),
            file("docs/guide/obs.md", ""),
            file("CONTRIBUTING.md", ""),
        ])
    };
    assert_eq!(pages("[OBS](guide/obs.md)"), []);
    assert_eq!(problems(&pages("")), ["docs/guide/obs.md: is a page that no reader finds"]);
    let folder =
        [file("docs/design/README.md", "[disk](disk.md)"), file("docs/design/disk.md", "")];
    let found = docs::unlinked(&folder);
    assert_eq!(problems(&found), ["docs/design/README.md: is a page that no reader finds"]);
}
