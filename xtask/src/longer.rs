//! `cargo xtask crash` and `cargo xtask trouble`: tests of the ordinary run, for longer, and what
//! they have measured as a table. `cargo xtask soak`: everything at once, for longer still.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use crate::run::{self, Result, Workspace, cargo, command};

/// What a soak is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// How long, after a time to warm up
    #[arg(default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,

    /// Where the plot and what it is made of go [default: target/soak]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Has publishers and players come, go, stall and break while a disk fails now and then.
///
/// # Errors
///
/// When something cannot be built, or anything is left at the end that was not there before, or
/// lost that was not told; the seed to run it again with is in what it prints.
pub(crate) fn soak(options: &Soak) -> Result<()> {
    let workspace = Workspace::find()?;
    let mut build = cargo();
    build.current_dir(&workspace.root).args(["build", "--release", "--locked", "--bins"]);
    run::run(build.args(["--package", "rtmp-server", "--package", "testkit"]))?;
    let out = options.out.clone().unwrap_or_else(|| workspace.target.join("soak"));
    let mut soak = command(workspace.target.join("release").join("soak"));
    soak.args(["--seconds", &(options.minutes * 60).to_string(), "--out"]).arg(out);
    if options.json {
        soak.arg("--json");
    }
    run::run(&mut soak)
}

/// Kills servers in the middle of streams.
///
/// # Errors
///
/// When a test fails, with all that it said; the seed to run it again with is in it.
pub(crate) fn crash(kills: u64) -> Result<()> {
    tests(
        "crash::",
        ("RTMP_SERVER_TEST_KILLS", kills),
        "| format | kills | streams | files | told as recovered | median loss, ms | worst loss, \
         ms |",
    )
}

/// Has disks fail under streams that somebody watches.
///
/// # Errors
///
/// When a test fails, with all that it said.
pub(crate) fn trouble(seconds: u64) -> Result<()> {
    tests(
        "disk::trouble::",
        ("RTMP_SERVER_TEST_TROUBLE_SECONDS", seconds),
        "| disk | latency before, p50 / p99 ms | during, p50 / p99 ms | ratio of p99 | frames \
         during | gap, ms | packets lost |",
    )
}

/// Runs tests one after the other; rows of a table are the lines that begin with a bar.
fn tests(tests: &str, (name, value): (&str, u64), head: &str) -> Result<()> {
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
