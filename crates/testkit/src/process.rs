//! Other processes: what they cost, how they are told to stop, how they are waited for; and how a tool that looks at
//! them ends.

use std::error::Error;
use std::io;
use std::process::{Child, ExitCode, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// Why a tool that measures does not run elsewhere.
pub const ONLY_LINUX: &str = "only Linux tells what another process costs";

/// What a tool comes to; what went wrong, in words.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How a tool ends, by whether all was well; what went wrong is printed.
pub fn exit_code(tool: &str, done: Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{tool}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a process costs at one moment, as Linux tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time of the processor so far, of all threads, also of those that have ended; in steps of
    /// 10 ms.
    pub cpu: Duration,
    /// Memory that is there, in bytes.
    pub rss_bytes: u64,
    /// That part of it that no file is behind, in bytes.
    pub anon_bytes: u64,
    /// The most memory that was there, in bytes.
    pub rss_peak_bytes: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

/// Ticks in a second of the times in `/proc/PID/stat`: the same for every program on Linux
/// (`USER_HZ`).
const TICKS: u64 = 100;

impl Usage {
    /// What process `pid` costs now.
    ///
    /// # Errors
    /// When there is no such process, it belongs to somebody else, or this is not Linux.
    pub fn of(pid: u32) -> io::Result<Self> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
        let (stat, status) = (read("stat")?, read("status")?);
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "cannot read /proc");
        Ok(Self {
            cpu: cpu(&stat).ok_or_else(bad)?,
            rss_bytes: number(&status, "VmRSS:").ok_or_else(bad)? << 10,
            anon_bytes: number(&status, "RssAnon:").ok_or_else(bad)? << 10,
            rss_peak_bytes: number(&status, "VmHWM:").ok_or_else(bad)? << 10,
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            threads: number(&status, "Threads:")
                .and_then(|n| usize::try_from(n).ok())
                .ok_or_else(bad)?,
        })
    }
}

/// What the descriptors of process `pid` are open on, as Linux calls it, in order.
///
/// # Errors
/// Those of [`Usage::of`].
pub fn descriptors(pid: u32) -> io::Result<Vec<String>> {
    // One that is closed meanwhile is none.
    let links = std::fs::read_dir(format!("/proc/{pid}/fd"))?
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let mut links: Vec<_> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    links.sort();
    Ok(links)
}

/// The 14th and 15th field; the second is the name in brackets, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS))
}

fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Waits for a child to end; `None` when it has not within `timeout`.
///
/// # Errors
/// What the system says.
pub fn wait(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// How a process is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `SIGINT`, as by Ctrl-C.
    Interrupt,
    /// `SIGTERM`.
    Terminate,
    /// `SIGHUP`, as by a terminal that is closed.
    Hangup,
}

/// Sends a signal to a child that was not waited for yet.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
pub fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let signal = match signal {
        Signal::Interrupt => rustix::process::Signal::INT,
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Hangup => rustix::process::Signal::HUP,
    };
    let pid = rustix::process::Pid::from_child(child);
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// There is no way to do it without help from the child.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn signal(_: &Child, _: Signal) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests;
