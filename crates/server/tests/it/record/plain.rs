//! A server whose log is text, as people see it, in a directory with nothing given but what a test
//! gives.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;
use testkit::process::{self, Signal};
use testkit::server::DEADLINE;

use crate::support::BINARY;

/// Dropping it kills it.
pub(super) struct Plain {
    child: Child,
    incoming: Receiver<String>,
    lines: Vec<String>,
    addr: String,
    dir: TempDir,
}

impl Plain {
    /// Starts a server with these arguments and a port, and waits until it listens.
    pub(super) fn start(args: &[&str], adjust: impl FnOnce(&mut Command, &Path)) -> Self {
        Self::start_program(Path::new(BINARY), args, adjust)
    }

    /// Likewise, with the program at another place.
    pub(super) fn start_program(
        program: &Path,
        args: &[&str],
        adjust: impl FnOnce(&mut Command, &Path),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(["-listen", "127.0.0.1:0"]).args(args).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        adjust(&mut command, dir.path());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, incoming) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let (lines, addr) = (Vec::new(), String::new());
        let mut plain = Self { child, incoming, lines, addr, dir };
        let line = plain.wait_for(" listening addr=");
        plain.addr = line.rsplit('=').next().unwrap_or_default().to_owned();
        plain
    }

    pub(super) fn url(&self, stream: &str) -> String {
        format!("rtmp://{}/{stream}", self.addr)
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The first line with this text, from its level on: what is before it is the time.
    pub(super) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = 0;
        loop {
            if let Some(line) = self.lines.iter().skip(seen).find(|line| line.contains(text)) {
                return line.clone();
            }
            seen = self.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(left) {
                Ok(line) => self.lines.push(without_time(&line)),
                Err(_) => panic!("no line with {text:?}:\n{}", self.lines.join("\n")),
            }
        }
    }

    /// Stops it in order and returns all lines.
    pub(super) fn stop(mut self) -> Vec<String> {
        process::signal(&self.child, Signal::Terminate).unwrap();
        let status = process::wait(&mut self.child, DEADLINE).unwrap().expect("it stops");
        assert!(status.success(), "{status}");
        let rest: Vec<_> = self.incoming.iter().map(|line| without_time(&line)).collect();
        self.lines.extend(rest);
        std::mem::take(&mut self.lines)
    }
}

/// `2025-10-11T14:30:52.123456Z  INFO recording started …` without its time.
fn without_time(line: &str) -> String {
    let (time, rest) = line.split_once(' ').unwrap_or_default();
    let is_time = time.len() > 20 && time.ends_with('Z') && time.contains('T');
    if is_time { rest.trim_start().to_owned() } else { line.to_owned() }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
