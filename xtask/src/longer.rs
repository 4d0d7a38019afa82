//! `cargo xtask crash` and `cargo xtask trouble`: tests of the ordinary run, for longer, and what
//! they have measured as a table.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::run::{Result, Workspace, cargo};

/// Kills servers in the middle of streams.
///
/// # Errors
///
/// When a test fails, with all that it said; the seed to run it again with is in it.
pub(crate) fn crash(kills: u64) -> Result<()> {
    run(
        "crash::",
        ("RTMP_SERVER_TEST_KILLS", kills),
        "| kills | streams | files | told as recovered | median loss, ms | worst loss, ms |",
    )
}

/// Has disks fail under streams that somebody watches.
///
/// # Errors
///
/// When a test fails, with all that it said.
pub(crate) fn trouble(seconds: u64) -> Result<()> {
    run(
        "disk::trouble::",
        ("RTMP_SERVER_TEST_TROUBLE_SECONDS", seconds),
        "| disk | latency before, p50 / p99 ms | during, p50 / p99 ms | ratio of p99 | frames \
         during | gap, ms | packets lost |",
    )
}

/// Runs tests one after the other; rows of a table are the lines that begin with a bar.
fn run(tests: &str, (name, value): (&str, u64), head: &str) -> Result<()> {
    let workspace = Workspace::find()?;
    let mut command = cargo();
    command.current_dir(&workspace.root).env(name, value.to_string());
    command.args(["test", "--package", "rtmp-server", "--test", "it", "--locked", "--", tests]);
    command.args(["--nocapture", "--test-threads", "1"]).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cargo cannot be started: {error}"))?;
    println!("{head}\n{}|", "|---".repeat(head.matches(" |").count()));
    let mut said = String::new();
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let line = line.map_err(|error| format!("cannot read what the tests say: {error}"))?;
        match line.starts_with('|') {
            true => println!("{line}"),
            false => said.extend([line.as_str(), "\n"]),
        }
    }
    let status = child.wait().map_err(|error| format!("cannot wait for the tests: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the tests: {status}\n{said}")) }
}
