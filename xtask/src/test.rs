//! `cargo xtask test`: every check, in the order in which a mistake shows cheapest.

use std::time::{Duration, Instant};

use crate::checks;
use crate::run::{Result, Workspace, cargo, run};
use crate::tools;

/// Tests with real programs read this variable and pass over themselves when it is `1`.
const FAST: &str = "RTMP_SERVER_TEST_FAST";

/// Runs everything; the first failing step ends it.
///
/// # Errors
///
/// Tells the step that failed, its time and its command.
pub(crate) fn all(fast: bool) -> Result<()> {
    let start = Instant::now();
    let workspace = Workspace::find()?;
    let root = workspace.root.clone();
    let mut installed = None;

    if !fast {
        step("tools", || {
            installed = Some(tools::install(&workspace)?);
            Ok(())
        })?;
    }
    step("format", || run(cargo().current_dir(&root).args(["fmt", "--all", "--check"])))?;
    step("clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked"];
        run(cargo().current_dir(&root).args(arguments).args(["--", "-D", "warnings"]))
    })?;
    step("documentation", || {
        let mut command = cargo();
        command.current_dir(&root).env("RUSTDOCFLAGS", "-D warnings");
        run(command.args(["doc", "--workspace", "--no-deps", "--locked"]))
    })?;
    if !fast {
        step("dependencies", || checks::deny(&workspace))?;
        step("concurrency", || checks::loom(&workspace))?;
    }
    step("tests", || {
        let mut command = cargo();
        command.current_dir(&root).env_remove(FAST);
        match &installed {
            Some(tools) => command.envs(tools.named()),
            None => command.env(FAST, "1"),
        };
        run(command.args(["test", "--workspace", "--locked"]))
    })?;

    let left_out = if fast { " (tests with real programs left out)" } else { "" };
    println!("\ncargo xtask test: all passed in {}{left_out}", seconds(start.elapsed()));
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n=== {name}");
    let start = Instant::now();
    let result = work();
    let elapsed = seconds(start.elapsed());
    match &result {
        Ok(()) => println!("=== {name}: ok, {elapsed}"),
        Err(_) => println!("=== {name}: failed, {elapsed}"),
    }
    result.map_err(|error| format!("step {name} after {elapsed}: {error}"))
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}
