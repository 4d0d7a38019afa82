//! What differs between operating systems, each with its twin.

/// Raises the soft limit of open files to the hard one, since each connection and each recording takes one.
/// Returns the limit that holds now, if there is one.
#[cfg(unix)]
pub(crate) fn raise_file_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_file_limit() -> Option<u64> {
    None
}

/// This program, to run it again: as it is, also where its file was replaced by a newer one.
pub(crate) fn this_program() -> std::io::Result<std::path::PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok("/proc/self/exe".into()),
        false => std::env::current_exe(),
    }
}

/// Has a program run only when nothing else wants to, from its start on where the system can do that.
pub(crate) fn be_idle(command: &mut std::process::Command) {
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt as _;
        // IDLE_PRIORITY_CLASS and CREATE_NO_WINDOW.
        command.creation_flags(0x40 | 0x0800_0000);
    }
    #[cfg(not(windows))]
    let _ = command;
}

/// Likewise, a program that has just started. One that is gone needs it no more.
pub(crate) fn make_idle(pid: u32) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, setpriority_process};
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| setpriority_process(Some(pid), 19));
    }
    #[cfg(not(unix))]
    let _ = pid;
}

/// Whether the error says that the process or the system has run out of descriptors or memory for them.
pub(crate) fn is_exhausted(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let code = error.raw_os_error();
        [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
            .iter()
            .any(|e| code == Some(e.raw_os_error()))
    }
    #[cfg(not(unix))]
    {
        // WSAEMFILE and WSAENOBUFS.
        matches!(error.raw_os_error(), Some(10024 | 10055))
    }
}

/// What SIGHUP is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HangupMeans {
    /// The terminal is closed, and the program ends.
    Stop,
    /// The configuration is to be read again; see [`Hangups`].
    Reload,
}

/// Completes at a request to stop: SIGINT, SIGTERM, or SIGHUP when the terminal is closed, unless `nohup` or the like
/// has this process ignore that.
#[cfg(unix)]
pub(crate) struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl StopSignals {
    pub(crate) fn new(hangup: HangupMeans) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = match hangup {
            HangupMeans::Stop if !ignores_hangup() => Some(signal(SignalKind::hangup())?),
            _ => None,
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// The name of the next request to stop. Cancel safe.
    pub(crate) async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = hangup => "SIGHUP",
        }
    }
}

/// Whether SIGHUP (1) was being ignored when the process began; a handler would undo that.
#[cfg(target_os = "linux")]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|m| m & 1 == 1)
}

/// Elsewhere it cannot be asked without unsafe code; `nohup` takes the output off the terminal.
#[cfg(all(unix, not(target_os = "linux")))]
fn ignores_hangup() -> bool {
    !std::io::IsTerminal::is_terminal(&std::io::stderr())
}

/// Completes at each SIGHUP. From the first of these on the signal does not end the process.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Hangups(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangups {
    pub(crate) fn new() -> std::io::Result<Self> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Self)
    }

    /// Cancel safe.
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// There is no such signal.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) {
        std::future::pending().await
    }
}

/// Completes at a request to stop: Ctrl-C, Ctrl-Break, or closing the console.
#[cfg(windows)]
pub(crate) struct StopSignals {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
    ctrl_close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl StopSignals {
    pub(crate) fn new(_: HangupMeans) -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self { ctrl_c: ctrl_c()?, ctrl_break: ctrl_break()?, ctrl_close: ctrl_close()? })
    }

    /// The name of the next request to stop. Cancel safe.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.ctrl_c.recv() => "Ctrl-C",
            _ = self.ctrl_break.recv() => "Ctrl-Break",
            _ = self.ctrl_close.recv() => "console closed",
        }
    }
}

/// Has the terminal hand over keys as they are pressed and show none of them, until it is dropped.
#[cfg(unix)]
pub(crate) struct Keys(rustix::termios::Termios);

#[cfg(unix)]
impl Keys {
    /// `None` where standard input is no terminal.
    pub(crate) fn new() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut now = before.clone();
        // Ctrl-C stays what it is.
        now.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(std::io::stdin(), OptionalActions::Now, &now).ok()?;
        Some(Self(before))
    }

    /// Waits for the next key; `None` when there will be none.
    pub(crate) fn read() -> Option<char> {
        use std::io::Read as _;
        let mut byte = [0];
        let read = std::io::stdin().read_exact(&mut byte);
        read.ok().map(|()| char::from(byte[0]))
    }
}

#[cfg(unix)]
impl Drop for Keys {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // Without a terminal there is nothing to set right.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// The console does so for each key.
#[cfg(not(unix))]
pub(crate) struct Keys;

#[cfg(not(unix))]
impl Keys {
    pub(crate) fn new() -> Option<Self> {
        std::io::IsTerminal::is_terminal(&std::io::stdin()).then_some(Self)
    }

    pub(crate) fn read() -> Option<char> {
        console::Term::stdout().read_char().ok()
    }
}
