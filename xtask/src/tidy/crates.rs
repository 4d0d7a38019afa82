//! Which crate may use which, and what keeps the pure ones pure. The picture is in
//! `ARCHITECTURE.md`; the table here is what holds it.

use std::path::Path;

use serde_json::Value;

use super::Finding;
use crate::run::{Result, cargo, output};

/// The crates without clock, file, socket, thread and log.
pub(super) const PURE: [&str; 3] = ["media", "rtmp", "live"];

/// What a crate may use.
struct Rule {
    name: &'static str,
    /// Crates of this workspace.
    workspace: &'static [&'static str],
    /// Crates of others.
    others: Others,
}

enum Others {
    /// Only these: the crate is pure.
    Only(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
}

const RULES: &[Rule] = &[
    Rule { name: "media", workspace: &[], others: Others::Only(&["bytes", "thiserror"]) },
    Rule {
        name: "rtmp",
        workspace: &["media"],
        others: Others::Only(&["bytes", "hmac", "sha2", "thiserror"]),
    },
    Rule {
        name: "live",
        workspace: &["media"],
        others: Others::Only(&["bytes", "thiserror", "tokio"]),
    },
    Rule {
        name: "archive",
        workspace: &["media", "live"],
        others: Others::AllBut(&["tokio", "axum", "hyper"]),
    },
    Rule {
        name: "rtmp-server",
        workspace: &["media", "rtmp", "live", "archive"],
        others: Others::AllBut(&[]),
    },
    Rule {
        name: "testkit",
        workspace: &["media", "rtmp", "live", "archive", "rtmp-server"],
        others: Others::AllBut(&[]),
    },
    Rule { name: "xtask", workspace: &[], others: Others::AllBut(&[]) },
];

/// Crates that must not be anywhere below a pure crate: runtimes, sockets, logs, randomness.
const IMPURE: &[&str] =
    &["getrandom", "log", "mio", "rand", "rustix", "socket2", "tokio", "tracing", "tracing-core"];

/// What the `clippy.toml` of a pure crate must ban.
const BANS: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::fs::File",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
];

/// Checks the dependencies that each crate declares.
///
/// # Errors
///
/// When the packages are not as `cargo metadata` writes them.
pub(super) fn direction(packages: &[Value]) -> Result<Vec<Finding>> {
    let names = packages.iter().map(|package| text(package, "name"));
    let names = names.collect::<Result<Vec<_>>>()?;
    let mut findings = Vec::new();
    for (package, name) in packages.iter().zip(&names) {
        let Some(rule) = RULES.iter().find(|rule| rule.name == *name) else {
            findings.push(Finding {
                place: format!("crate {name}"),
                problem: "is not in the table of crates".into(),
                remedy: "say what it may use in xtask/src/tidy/crates.rs and in ARCHITECTURE.md",
            });
            continue;
        };
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        for dependency in dependencies.ok_or("cargo metadata did not tell dependencies")? {
            findings.extend(arrow(rule, dependency, &names)?);
        }
    }
    Ok(findings)
}

/// Checks one dependency of one crate.
fn arrow(rule: &Rule, dependency: &Value, members: &[&str]) -> Result<Option<Finding>> {
    let to = text(dependency, "name")?;
    let is_for_tests = dependency.get("kind").and_then(Value::as_str) == Some("dev");
    let broken = |problem: &str, remedy| {
        let place = format!("crate {}", rule.name);
        Ok(Some(Finding { place, problem: format!("uses {to}: {problem}"), remedy }))
    };
    if members.contains(&to) {
        if rule.workspace.contains(&to) || (is_for_tests && to == "testkit") {
            return Ok(None);
        }
        return if to == "testkit" {
            broken("the testkit is for tests", "move it to [dev-dependencies]")
        } else {
            broken(
                "that is against the direction of the crates",
                "see ARCHITECTURE.md; let the server bring the two together",
            )
        };
    }
    if is_for_tests {
        return Ok(None);
    }
    let is_allowed = match rule.others {
        Others::Only(names) => names.contains(&to),
        Others::AllBut(names) => !names.contains(&to),
    };
    if !is_allowed {
        return broken(
            "it is not allowed there",
            "do this work in another crate, or argue for it in docs/design and extend the table \
             in xtask/src/tidy/crates.rs",
        );
    }
    if to == "tokio" && PURE.contains(&rule.name) && features(dependency) != ["sync"] {
        return broken(
            "with features beside `sync`",
            "write tokio = { workspace = true, features = [\"sync\"] }; tasks belong to the server",
        );
    }
    Ok(None)
}

fn features(dependency: &Value) -> Vec<&str> {
    let features = dependency.get("features").and_then(Value::as_array);
    features.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    let text = value.get(name).and_then(Value::as_str);
    text.ok_or_else(|| format!("cargo metadata did not tell a {name}"))
}

/// All crates below a crate, one a line: what cargo builds for it.
///
/// # Errors
///
/// When cargo cannot tell.
pub(super) fn tree(root: &Path, name: &str) -> Result<String> {
    let mut command = cargo();
    command.current_dir(root).args(["tree", "--locked", "--offline", "--package", name]);
    output(command.args(["--edges", "normal,no-proc-macro", "--prefix", "none"]))
}

/// Checks that nothing impure stands anywhere below a pure crate.
pub(super) fn closure(name: &str, tree: &str) -> Vec<Finding> {
    let below = tree.lines().filter_map(|line| line.split_whitespace().next());
    let impure = below.filter(|below| IMPURE.contains(below));
    // `live` may use the synchronisation of tokio, which stands alone.
    let mut impure = impure.filter(|below| !(name == "live" && *below == "tokio"));
    let finding = impure.next().map(|below| Finding {
        place: format!("crate {name}"),
        problem: format!("pulls in {below} through its dependencies"),
        remedy: "a pure crate has none of it: `cargo tree -i` shows where it comes from",
    });
    finding.into_iter().collect()
}

/// Checks that clippy keeps clocks, files, sockets and threads out of a pure crate.
pub(super) fn bans(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let lines = lines.collect::<Vec<_>>();
    let missing = BANS.iter().filter(|ban| {
        let entry = format!("path = \"{ban}\"");
        !lines.iter().any(|line| line.contains(&entry))
    });
    let finding = |ban: &&str| Finding {
        place: path.into(),
        problem: format!("does not ban {ban}"),
        remedy: "a pure crate bans it: add it to disallowed-methods or disallowed-types",
    };
    missing.map(finding).collect()
}
