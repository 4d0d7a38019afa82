//! The program as it is called: flags, exit codes, and the commands for those without an encoder.

mod catalog;
mod flags;
mod probe;
mod publish;
mod pull;
mod recordings;
mod remux;
mod repair;
mod retention;
mod shell;
mod status;
mod verify;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use media::Packet;
use testkit::flv;
use testkit::tools::{self, Output};

use crate::support::BINARY;

/// Longest that a call may take.
const TIMEOUT: Duration = Duration::from_secs(60);

fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args);
    command
}

fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    tools::run(&mut command(args), TIMEOUT)
}

/// The exit code; a process that was killed has none.
fn code(output: &Output) -> Option<i32> {
    output.status.and_then(|status| status.code())
}

/// Checks that a call has failed with this code and one line, which is returned without the
/// program's name.
fn error_line(output: &Output, expected: i32) -> String {
    assert_eq!(code(output), Some(expected), "{}", output.stderr);
    assert_eq!(output.text(), "");
    let line = output.stderr.strip_prefix("rtmp-server: ").and_then(|rest| rest.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("{:?}", output.stderr));
    assert!(!line.contains('\n'), "{line}");
    line.to_owned()
}

/// The built-in clip, as it lies in the repository.
fn demo_file() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "assets", "demo.flv"].iter().collect()
}

fn demo() -> Vec<Packet> {
    flv::clip(&demo_file())
}
