//! The programs that users have: found, run for a limited time, never left behind.
//!
//! With `RTMP_SERVER_TEST_FAST=1` none is found and their tests pass over themselves:
//! `let Some(ffmpeg) = tools::ffmpeg5() else { return };`

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::process::{self, Signal};

/// Passes over tests with real programs.
const FAST: &str = "RTMP_SERVER_TEST_FAST";
/// Names the FFmpeg 9 program, as a variable or as a line of [`ENV`].
const FFMPEG9: &str = "RTMP_SERVER_TEST_FFMPEG9";
/// Likewise, Schemathesis.
const SCHEMATHESIS: &str = "RTMP_SERVER_TEST_SCHEMATHESIS";
/// Likewise, the module of Playwright, beside the other packages of `tests/browser`.
const PLAYWRIGHT: &str = "RTMP_SERVER_TEST_PLAYWRIGHT";
/// Likewise, the Python that has PyAV.
const PYAV: &str = "RTMP_SERVER_TEST_PYAV";
/// Written by `cargo xtask test`, below the target directory.
const ENV: &str = "tools/env";

/// What is kept of a program's output, each of both, in bytes.
const OUTPUT_MAX: usize = 64 << 20;

/// Debian's FFmpeg, which is 5.1; `None` in a fast run.
///
/// # Panics
/// When it is not installed.
pub fn ffmpeg5() -> Option<PathBuf> {
    program("ffmpeg")
}

/// FFmpeg 9, which speaks Enhanced RTMP; `None` in a fast run.
///
/// # Panics
/// When it is not installed.
pub fn ffmpeg9() -> Option<PathBuf> {
    of_xtask(FFMPEG9, "FFmpeg 9")
}

/// Schemathesis, which asks an API whatever its description allows; `None` in a fast run.
///
/// # Panics
/// When it is not installed.
pub fn schemathesis() -> Option<PathBuf> {
    of_xtask(SCHEMATHESIS, "schemathesis")
}

/// Playwright, by which scripts drive a browser; `None` in a fast run.
///
/// # Panics
/// When it is not installed.
pub fn playwright() -> Option<PathBuf> {
    of_xtask(PLAYWRIGHT, "Playwright")
}

/// The module of mp4box, which is installed beside Playwright; `None` in a fast run.
///
/// # Panics
/// When it is not installed.
pub fn mp4box() -> Option<PathBuf> {
    let modules = playwright()?.ancestors().nth(2).map(Path::to_owned).unwrap_or_default();
    let module = modules.join("mp4box/dist/mp4box.all.mjs");
    assert!(module.is_file(), "no {}: cargo xtask tools installs it", module.display());
    Some(module)
}

/// The Python that has PyAV, FFmpeg's libraries as other programs use them; `None` in a fast run.
///
/// # Panics
/// When it is not installed.
pub fn pyav() -> Option<PathBuf> {
    of_xtask(PYAV, "PyAV")
}

/// Debian's ffprobe; `None` in a fast run.
///
/// # Panics
/// When it is not installed.
pub fn ffprobe() -> Option<PathBuf> {
    program("ffprobe")
}

/// Any other program of `PATH`; `None` in a fast run.
///
/// # Panics
/// When it is not installed.
pub fn program(name: &str) -> Option<PathBuf> {
    if is_fast() {
        return None;
    }
    Some(find(name).unwrap_or_else(|| missing(name)))
}

fn is_fast() -> bool {
    std::env::var_os(FAST).is_some_and(|value| value == "1")
}

pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn missing(name: &str) -> ! {
    panic!("{name} is not installed: `cargo xtask test` installs it, {FAST}=1 does without")
}

/// A program that `cargo xtask` installed and named by this variable.
fn of_xtask(variable: &str, name: &str) -> Option<PathBuf> {
    if is_fast() {
        return None;
    }
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = named.or_else(|| written_by_xtask(variable)).filter(|path| path.is_file());
    Some(path.unwrap_or_else(|| missing(name)))
}

/// Looks above this program and in the workspace's own target directory.
fn written_by_xtask(variable: &str) -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?.join("target");
    let dirs = exe.ancestors().map(Path::to_owned).chain([workspace]);
    let text = dirs.into_iter().find_map(|dir| std::fs::read_to_string(dir.join(ENV)).ok())?;
    named_in(&text, variable)
}

fn named_in(text: &str, variable: &str) -> Option<PathBuf> {
    let value = text.lines().find_map(|line| line.strip_prefix(variable)?.strip_prefix('='));
    value.map(PathBuf::from)
}

/// How a program ended and what it wrote.
#[derive(Debug, Clone)]
pub struct Output {
    /// `None` when it was killed because its time was over.
    pub status: Option<ExitStatus>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, as text.
    pub stderr: String,
}

impl Output {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Whether it ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The same, when it has ended by itself with code 0.
    ///
    /// # Panics
    /// When it has not; the text has what it wrote on standard error.
    #[must_use]
    pub fn success(self) -> Self {
        match self.status {
            Some(status) if status.success() => self,
            Some(status) => panic!("{status}\n{}", self.stderr),
            None => panic!("killed: its time was over\n{}", self.stderr),
        }
    }
}

/// Runs a program to its end; after `timeout` it is killed.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command, timeout: Duration) -> Output {
    Running::start(command).wait(timeout)
}

/// A program that runs beside the test. Dropping it kills it, with the programs that it started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    ended: bool,
}

impl Running {
    /// Starts a program with nothing on its standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that wrappers such as xvfb-run end with what they wrap.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let name = command.get_program().to_owned();
        let mut child = command.spawn().unwrap_or_else(|error| cannot_start(&name, &error));
        let stdout = child.stdout.take().map(|pipe| thread::spawn(|| read(pipe)));
        let stderr = child.stderr.take().map(|pipe| thread::spawn(|| read(pipe)));
        Self { child, stdout, stderr, ended: false }
    }

    /// Waits for it to end by itself; after `timeout` it is killed.
    pub fn wait(mut self, timeout: Duration) -> Output {
        let status = process::wait(&mut self.child, timeout).ok().flatten();
        self.end();
        let text = |thread: Option<JoinHandle<Vec<u8>>>| {
            thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
        };
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        Output { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
    }

    /// Asks it to end, as Ctrl-C does, and waits for that.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub fn interrupt(self, timeout: Duration) -> Output {
        process::signal(&self.child, Signal::Interrupt).unwrap_or_else(|error| panic!("{error}"));
        self.wait(timeout)
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        // The group may be there when its first process has ended; what has ended is left alone.
        #[cfg(unix)]
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::KILL,
        );
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn cannot_start(name: &OsStr, error: &io::Error) -> ! {
    panic!("cannot start {}: {error}", name.display())
}

/// Reads everything and keeps the beginning, so that the program never waits for a reader.
fn read(mut pipe: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let _ = pipe.by_ref().take(OUTPUT_MAX as u64).read_to_end(&mut kept);
    let _ = io::copy(&mut pipe, &mut io::sink());
    kept
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
