//! Checks with tools of their own: `cargo xtask deny`, `loom` and `fuzz`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::run::{Result, Workspace, cargo, command, output, run, succeeds};
use crate::tools::attempt;

/// What checks licences, origins and duplicates of dependencies, and its version.
const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");
/// What builds fuzz targets.
const CARGO_FUZZ: (&str, &str) = ("cargo-fuzz", "0.13.2");

/// Checks the dependencies by `deny.toml`, without a network but for the tool and those that are for other systems:
/// their vulnerabilities where somebody has fetched the database of them.
///
/// # Errors
///
/// Shows what is against the rules.
pub(crate) fn deny(workspace: &Workspace) -> Result<()> {
    let mut deny = command(tool(workspace, CARGO_DENY)?);
    // A build has those of its own system alone.
    run(cargo().current_dir(&workspace.root).args(["fetch", "--locked"]))?;
    deny.current_dir(&workspace.root).args(["--offline", "--locked", "check"]);
    deny.args(["--hide-inclusion-graph", "--allow", "unmatched-skip"]);
    deny.args(["licenses", "bans", "sources"]);
    let is_there = |path: PathBuf| fs::read_dir(path).is_ok_and(|mut found| found.next().is_some());
    if advisories().is_some_and(is_there) {
        deny.arg("advisories");
    } else {
        println!("vulnerabilities: passed over, `cargo deny fetch db` gets the database of them");
    }
    run(&mut deny)
}

/// Where cargo-deny keeps the database of RustSec.
fn advisories() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
    Some(home.join("advisory-dbs"))
}

/// Has loom try every order of what the threads of the models in `crates/live` do, with at most two changes of
/// thread that nothing forces.
///
/// # Errors
///
/// Shows the model that failed.
pub(crate) fn loom(workspace: &Workspace) -> Result<()> {
    let mut test = cargo();
    // Apart, for everything is built anew with these flags.
    let target = workspace.target.join("loom");
    test.current_dir(&workspace.root).env("RUSTFLAGS", "--cfg loom");
    test.args(["test", "--package", "live", "--lib", "--locked", "--target-dir"]).arg(target);
    run(&mut test)
}

/// Runs fuzz targets, each for `seconds`, one after the other, and prints a table.
///
/// # Errors
///
/// Tells where the inputs are that broke a promise.
pub(crate) fn fuzz(workspace: &Workspace, seconds: u64, only: &[String]) -> Result<()> {
    let names = targets(&workspace.root.join("fuzz/fuzz_targets"))?;
    if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
        return Err(format!("no target {unknown}; there are {}", names.join(", ")));
    }
    let folder = workspace.target.join("fuzz");
    let mut build = command(tool(workspace, CARGO_FUZZ)?);
    // The targets are safe Rust, so a sanitizer would find nothing but cost half the speed.
    build.current_dir(&workspace.root).env("RUSTC_BOOTSTRAP", "1");
    build.args(["build", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--debug-assertions"]);
    run(build.arg("--target-dir").arg(&folder))?;

    let programs = folder.join(host()?).join("release");
    let mut finds = String::new();
    println!("| target | seconds | executions | edges | inputs kept | finds |");
    println!("|---|---|---|---|---|---|");
    for name in names.iter().filter(|name| only.is_empty() || only.contains(name)) {
        let report = fuzz_one(workspace, &folder, &programs.join(name), name, seconds)?;
        println!("{}", row(name, &report.said, report.finds.len()));
        for find in report.finds {
            let _ = write!(finds, "\n  {}", find.display());
        }
        if !report.is_clean {
            let _ = write!(finds, "\n{}", tail(&report.said));
        }
    }
    match finds.as_str() {
        "" => Ok(()),
        finds => Err(format!(
            "inputs that broke a promise; mend it, and keep each as fuzz/corpus/TARGET/find-NN, \
             which the tests of the crate run:{finds}"
        )),
    }
}

struct Report {
    said: String,
    finds: Vec<PathBuf>,
    is_clean: bool,
}

fn fuzz_one(
    workspace: &Workspace,
    folder: &Path,
    program: &Path,
    name: &str,
    seconds: u64,
) -> Result<Report> {
    let [found, broken] = ["corpus", "finds"].map(|kind| folder.join(kind).join(name));
    for folder in [&found, &broken] {
        fs::create_dir_all(folder)
            .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    let mut fuzz = command(program);
    // What is new goes into the first folder; the other one is in the repository.
    fuzz.arg(&found).arg(workspace.root.join("fuzz/corpus").join(name));
    fuzz.arg(format!("-artifact_prefix={}/", broken.display()));
    fuzz.arg(format!("-max_total_time={seconds}"));
    // One input takes milliseconds and a few MiB; what takes more is a find.
    fuzz.args(["-max_len=16384", "-timeout=10", "-malloc_limit_mb=64", "-rss_limit_mb=1024"]);
    fuzz.arg("-print_final_stats=1").stdout(Stdio::null()).stderr(Stdio::piped());
    let ended = fuzz.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let entries = fs::read_dir(&broken).map_err(|error| format!("{name}: {error}"))?;
    let finds = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    Ok(Report { said, finds, is_clean: ended.status.success() })
}

/// The names of the targets: those of their files.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let name = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<_> = entries.filter_map(|entry| name(entry.ok()?.path())).collect();
    names.sort();
    Ok(names)
}

/// One line of the table, from what libFuzzer said.
fn row(name: &str, said: &str, finds: usize) -> String {
    let last = |word: &str| {
        let at = said.rfind(word).map(|at| at + word.len());
        let rest = at.and_then(|at| said.get(at..)).unwrap_or_default();
        rest.split_whitespace().next().unwrap_or("?").to_owned()
    };
    let inputs = last("corp: ");
    let inputs = inputs.split('/').next().unwrap_or("?");
    let seconds = said.rfind(" runs in ").and_then(|at| said.get(at + 9..));
    let seconds = seconds.and_then(|rest| rest.split_whitespace().next()).unwrap_or("?");
    let executions = last("stat::number_of_executed_units: ");
    format!("| {name} | {seconds} | {executions} | {} | {inputs} | {finds} |", last("cov: "))
}

/// The end of a long text.
fn tail(said: &str) -> String {
    const LINES: usize = 40;
    let lines: Vec<_> = said.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

/// The platform that programs are built for here.
fn host() -> Result<String> {
    let answer = output(command("rustc").arg("-vV"))?;
    let host = answer.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not tell its host".to_owned())
}

/// A program from crates.io, installed into the target directory unless it is there.
fn tool(workspace: &Workspace, (name, version): (&str, &str)) -> Result<PathBuf> {
    let folder = workspace.target.join("tools");
    let program = folder.join("bin").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let is_there = || {
        let answer = command(&program).arg("--version").stderr(Stdio::null()).output();
        answer.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).trim().ends_with(version))
    };
    if !program.exists() || !is_there() {
        attempt(|| {
            let mut install = cargo();
            // Outside of the workspace, whose configuration is not for it.
            install.current_dir(&workspace.target);
            // They work for seconds, and take twice as long to build with optimisations.
            install.args(["install", name, "--version", version, "--locked", "--force", "--debug"]);
            install.arg("--root");
            run(install.arg(&folder))
        })?;
    }
    if !succeeds(command(&program).arg("--help")) {
        return Err(format!("{} is installed and does not run", program.display()));
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn a_row_has_the_last_figures_that_libfuzzer_told() {
        let said = "\
#2\tINITED cov: 10 ft: 11 corp: 1/5b exec/s: 0 rss: 30Mb
#900\tDONE   cov: 321 ft: 900 corp: 44/2Kb lim: 4096 exec/s: 30 rss: 40Mb
Done 900 runs in 31 second(s)
stat::number_of_executed_units: 900
stat::average_exec_per_sec:     29
";
        assert_eq!(row("amf0", said, 0), "| amf0 | 31 | 900 | 321 | 44 | 0 |");
    }

    #[test]
    fn a_row_of_a_run_that_found_something_has_what_is_known() {
        let said = "#2\tINITED cov: 10 ft: 11 corp: 1/5b\nstat::number_of_executed_units: 7\n";
        assert_eq!(row("amf0", said, 1), "| amf0 | ? | 7 | 10 | 1 | 1 |");
    }
}
