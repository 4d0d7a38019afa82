//! What is measured: a server that is started, one that runs already, or the plain loop.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::Server;
use testkit::process::{self, Usage};

use crate::Result;
use crate::check;
use crate::nginx::Nginx;
use crate::options::Options;

/// How long is waited for the end of what was started, after all streams have ended.
const DEADLINE: Duration = Duration::from_secs(60);
/// A running server is at rest when it has used no processor time for this long.
const REST: Duration = Duration::from_millis(500);

/// What the server says of a disk that is frozen.
const FROZEN: &[&str] = &["disk does not answer"];

/// What does the work of a run.
pub(crate) enum Target {
    /// A server that ends with the run.
    Server(Box<Server>),
    /// A server of somebody else's.
    Running { addr: SocketAddr, pid: u32, recordings: Option<PathBuf> },
    /// nginx-rtmp.
    Nginx(Nginx),
    /// The plain loop.
    Plain(Plain),
}

/// The plain loop as a process of its own.
pub(crate) struct Plain {
    child: Child,
    addr: SocketAddr,
    /// Closing it ends the process.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    _dir: TempDir,
}

impl Target {
    /// The server that the options name.
    pub(crate) fn server(options: &Options) -> Result<Self> {
        if let (Some(addr), Some(pid)) = (options.connect, options.pid) {
            return Ok(Self::Running { addr, pid, recordings: options.recordings.clone() });
        }
        let path = Self::program(options)?;
        if !path.exists() {
            let build = "build it with `cargo build --release -p rtmp-server` or name it";
            return Err(format!("{} is not there; {build} with --server", path.display()).into());
        }
        let connections = (options.publishers + options.players).max(1_000).to_string();
        let mut server = Server::builder(path)
            .args(["-max-connections", &connections, "-max-connections-per-address", &connections])
            .args(["-max-streams", &connections, "-max-players", &connections])
            .args(&options.server_arg)
            .deadline(DEADLINE);
        if options.record {
            server = server.arg("-record-all");
        }
        if let Some(dir) = &options.dir {
            server = server.record_dir(std::path::absolute(dir)?.join(recordings_name()));
        }
        let server = server.try_start()?;
        if options.freeze.is_some() {
            FROZEN.iter().for_each(|message| server.allow(message));
        }
        Ok(Self::Server(Box::new(server)))
    }

    /// The program of the server that is started.
    pub(crate) fn program(options: &Options) -> Result<PathBuf> {
        Ok(match &options.server {
            Some(path) => std::path::absolute(path)?,
            None => std::env::current_exe()?.with_file_name("rtmp-server"),
        })
    }

    /// nginx-rtmp for the same work.
    pub(crate) fn nginx(options: &Options) -> Result<Self> {
        Ok(Self::Nginx(Nginx::start(options.record, options.dir.as_deref())?))
    }

    /// The plain loop for the same work.
    pub(crate) fn plain(options: &Options) -> Result<Self> {
        let dir = match &options.dir {
            Some(dir) => TempDir::new_in(dir)?,
            None => TempDir::new()?,
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["plain", "--publishers", &options.publishers.to_string()]);
        if options.players > 0 {
            command.arg("--framed");
        }
        if options.record {
            command.arg("--dir").arg(dir.path());
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut stdout = BufReader::new(stdout.ok_or("the plain loop has no output")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let addr =
            line.trim().strip_prefix("listening ").ok_or("the plain loop does not listen")?;
        let addr = addr.parse()?;
        Ok(Self::Plain(Plain { child, addr, stdin, stdout, _dir: dir }))
    }

    /// Where to connect.
    pub(crate) fn addr(&self) -> SocketAddr {
        match self {
            Self::Server(server) => server.addr(),
            Self::Running { addr, .. } => *addr,
            Self::Nginx(nginx) => nginx.addr(),
            Self::Plain(plain) => plain.addr,
        }
    }

    /// Whether it is the plain loop.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Whether it has to be perfect: nginx-rtmp begins with frames that lead nowhere, and repeats headers.
    pub(crate) fn is_ours(&self) -> bool {
        !matches!(self, Self::Nginx(_))
    }

    /// What its process costs now.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Ok(Usage::of(match self {
            Self::Server(server) => server.pid(),
            Self::Running { pid, .. } => *pid,
            Self::Nginx(nginx) => nginx.pid(),
            Self::Plain(plain) => plain.child.id(),
        })?)
    }

    /// Waits until all work is done, after all streams have ended; `recorded` of them with a file.
    pub(crate) fn settle(&mut self, recorded: usize) -> Result<()> {
        match self {
            Self::Server(server) => {
                if recorded > 0 {
                    server.wait_for_logs("recorder closed", &[], recorded);
                }
                Ok(())
            }
            Self::Running { .. } | Self::Nginx(_) => self.rest(),
            Self::Plain(plain) => {
                let mut line = String::new();
                plain.stdout.read_line(&mut line)?;
                if line.trim() == "done" { Ok(()) } else { Err("the plain loop failed".into()) }
            }
        }
    }

    fn rest(&self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        let mut cpu = self.usage()?.cpu;
        while Instant::now() < deadline {
            thread::sleep(REST);
            let now = self.usage()?.cpu;
            if now == cpu {
                return Ok(());
            }
            cpu = now;
        }
        Err("the server does not come to rest".into())
    }

    /// The recordings that it has made.
    pub(crate) fn recordings(&self) -> Result<Vec<PathBuf>> {
        let none = Ok(Vec::new());
        match self {
            Self::Server(server) => Ok(server.recordings()),
            Self::Running { recordings, .. } => recordings.as_deref().map_or(none, check::list),
            Self::Nginx(nginx) => nginx.recordings().map_or(none, check::list),
            Self::Plain(_) => none,
        }
    }

    /// Whether its recordings can be looked at.
    pub(crate) fn has_recordings(&self) -> bool {
        match self {
            Self::Server(_) => true,
            Self::Running { recordings, .. } => recordings.is_some(),
            Self::Nginx(nginx) => nginx.recordings().is_some(),
            Self::Plain(_) => false,
        }
    }

    /// Ends what was started for a run that failed.
    pub(crate) fn abandon(self) {
        if let Self::Server(mut server) = self {
            // Its warnings would be told instead of what failed.
            server.kill();
        }
    }

    /// Ends what was started for the run; what was wrong with it.
    pub(crate) fn stop(self) -> Result<Option<String>> {
        match self {
            Self::Server(mut server) => {
                let trouble = server.try_stop().err();
                remove_own(server.record_dir());
                Ok(trouble)
            }
            Self::Running { .. } => Ok(None),
            Self::Nginx(nginx) => nginx.stop(),
            Self::Plain(mut plain) => {
                plain.stdin.take();
                let status = process::wait(&mut plain.child, DEADLINE)?;
                let failed = !status.is_some_and(|status| status.success());
                Ok(failed.then(|| "the plain loop failed".to_owned()))
            }
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // In vain when it has ended, which is the usual case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn recordings_name() -> String {
    format!("load-{}", std::process::id())
}

/// Removes the directory of a run in the directory that the user named; the recordings in it were
/// deleted, and anything else is left where it is.
fn remove_own(dir: &Path) {
    if dir.ends_with(recordings_name()) {
        let _ = std::fs::remove_dir(dir);
    }
}
