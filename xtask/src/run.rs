//! Running other programs, and where the workspace and its target directory are.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What went wrong, in words for the person at the terminal.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// Where things are, from `cargo metadata`.
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, wherever the caller's environment put it.
    pub(crate) target: PathBuf,
    /// The workspace's packages as `cargo metadata --no-deps` tells them.
    pub(crate) packages: Vec<Value>,
}

impl Workspace {
    /// Asks cargo about the workspace that this task was started in. Two checkouts may share a
    /// target directory and so this program, which is why the path is not compiled in.
    ///
    /// # Errors
    ///
    /// When cargo cannot be run or does not answer as it should.
    pub(crate) fn find() -> Result<Self> {
        let mut command = cargo();
        command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
        if let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") {
            command.current_dir(folder);
        }
        let answer = output(&mut command)?;
        let value: Value = serde_json::from_str(&answer)
            .map_err(|error| format!("cargo metadata did not answer with JSON: {error}"))?;
        let path = |name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.map(PathBuf::from).ok_or_else(|| format!("cargo metadata did not tell {name}"))
        };
        let packages = value.get("packages").and_then(Value::as_array).cloned();
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            packages: packages.ok_or("cargo metadata did not tell packages")?,
        })
    }
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command that reads nothing and, on a build server, prints no colours.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    if is_ci() {
        command.env("CARGO_TERM_COLOR", "never").env("NO_COLOR", "1").env("TERM", "dumb");
    }
    command
}

fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false")
}

/// Runs a command with its output shown.
///
/// # Errors
///
/// When it cannot be started or does not exit with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", shown(command))) }
}

/// Runs a command and returns what it wrote to its standard output; its errors are shown.
///
/// # Errors
///
/// When it cannot be started, does not exit with 0 or does not write UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    if !output.status.success() {
        return Err(format!("`{}`: {}", shown(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{}`: not UTF-8", shown(command)))
}

/// Whether a command can be started and exits with 0; nothing is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` cannot be started: {error}", shown(command))
}

/// The command as a person would type it, cut where it gets long.
fn shown(command: &Command) -> String {
    const LONGEST_CHARS: usize = 300;
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_CHARS) {
        Some((end, _)) => format!("{} ...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
