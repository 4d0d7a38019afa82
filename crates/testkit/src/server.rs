//! Runs the real server: each in a directory of its own, on a port of its own, its log read as it
//! is written.
//!
//! A test fails on a WARN or an ERROR that it did not announce with [`Server::allow`], and on
//! anything on standard error that is not a log line, such as a panic.

mod log;

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use crate::http::Http;
use crate::process::{self, Signal, Usage};
#[cfg(target_os = "linux")]
use crate::tools;

use log::Book;
pub use log::LogLine;

/// How long is waited for anything that a server should do: long enough for a machine that has much else to do.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Lines of the log that are shown when something went wrong.
const TAIL: usize = 40;

/// What to start a server with.
#[derive(Debug)]
pub struct Builder {
    binary: PathBuf,
    listen: String,
    http: HttpPort,
    #[cfg(target_os = "linux")]
    files: Option<u64>,
    #[cfg(target_os = "linux")]
    session: bool,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    record_dir: Option<PathBuf>,
    #[cfg(unix)]
    user: Option<(u32, u32)>,
    deadline: Duration,
}

/// Whether there is HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HttpPort {
    None,
    Own,
    Default,
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    reader: Option<JoinHandle<()>>,
    book: Arc<Book>,
    addr: SocketAddr,
    http_addr: Option<SocketAddr>,
    record_dir: PathBuf,
    deadline: Duration,
    /// Set once the process was waited for.
    exit: Option<ExitStatus>,
    dir: TempDir,
}

impl Builder {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Listens on another address than `127.0.0.1:0`.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// Has the server serve HTTP, on a port of its own; without this it does not.
    #[must_use]
    pub fn http(mut self) -> Self {
        self.http = HttpPort::Own;
        self
    }

    /// Has the server serve HTTP where it does if nobody says anything.
    #[must_use]
    pub fn http_default(mut self) -> Self {
        self.http = HttpPort::Default;
        self
    }

    /// Lets the process have so many open files.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn files(mut self, most: u64) -> Self {
        self.files = Some(most);
        self
    }

    /// Runs it in a session of its own. Linux shares processors out by sessions: what the server starts at the lowest
    /// priority has its part beside the tests, however busy these are.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn session(mut self) -> Self {
        self.session = true;
        self
    }

    /// Records in a directory of the caller's, which outlives the server. It need not exist. A
    /// relative one is below [`Server::dir`].
    #[must_use]
    pub fn record_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.record_dir = Some(dir.into());
        self
    }

    /// Runs as this user and group, and in no other group. Only root can.
    #[cfg(unix)]
    #[must_use]
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.user = Some((uid, gid));
        self
    }

    /// How long is waited for anything; [`DEADLINE`] if this is not called.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Starts the server and waits until it listens.
    ///
    /// # Panics
    /// When it does not; the text has the end of its log.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts the server and waits until it listens.
    ///
    /// # Errors
    /// Why it does not, with the end of its log.
    pub fn try_start(self) -> Result<Server, String> {
        let dir =
            tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let default_dir = || dir.path().join("recordings");
        let record_dir = self.record_dir.unwrap_or_else(default_dir);
        let mut command = Command::new(&self.binary);
        command.arg("-listen").arg(&self.listen).args(["-log-format", "json", "-record-dir"]);
        command.arg(&record_dir);
        // What the test asks for comes behind it, and counts.
        match self.http {
            HttpPort::None => drop(command.args(["-http-listen", "off"])),
            HttpPort::Own => drop(command.args(["-http-listen", "127.0.0.1:0"])),
            HttpPort::Default => {}
        }
        command.args(&self.args).envs(self.envs).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        #[cfg(unix)]
        if let Some((uid, gid)) = self.user {
            use std::os::unix::fs::PermissionsExt as _;
            use std::os::unix::process::CommandExt as _;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(dir.path(), mode)
                .map_err(|error| format!("cannot open the directory to all: {error}"))?;
            // The standard library drops the other groups with it.
            command.uid(uid).gid(gid);
        }
        #[cfg(target_os = "linux")]
        if let Some(files) = self.files {
            command = within("prlimit", &[format!("--nofile={files}")], &command);
        }
        #[cfg(target_os = "linux")]
        if self.session {
            command = within("setsid", &[], &command);
        }
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", self.binary.display()))?;
        let book = Arc::new(Book::default());
        let reader = child.stderr.take().map(|stderr| {
            let book = book.clone();
            thread::spawn(move || read(stderr, &book))
        });
        let unknown = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // From here on a failure drops the server, which kills the process.
        let mut server = Server {
            child,
            reader,
            book,
            addr: unknown,
            http_addr: None,
            record_dir: dir.path().join(record_dir),
            deadline: self.deadline,
            exit: None,
            dir,
        };
        let listening = server.find_logs("listening", &[], 1).inspect_err(|_| {
            // What else it logged is no news now.
            let _ = server.end();
        });
        let addr = |lines: Vec<LogLine>| lines.first()?.field("addr")?.parse().ok();
        server.addr = addr(listening?).ok_or("the line `listening` has no address")?;
        if self.http != HttpPort::None {
            server.http_addr = addr(server.find_logs("http listening", &[], 1)?);
        }
        Ok(server)
    }
}

impl Server {
    /// Starts `binary` with nothing but the arguments that give it a port and a directory.
    ///
    /// # Panics
    /// When it does not listen within [`DEADLINE`].
    pub fn start(binary: &Path) -> Self {
        Self::builder(binary).start()
    }

    /// A server to be started with more than that.
    pub fn builder(binary: impl Into<PathBuf>) -> Builder {
        Builder {
            binary: binary.into(),
            listen: "127.0.0.1:0".to_owned(),
            http: HttpPort::None,
            #[cfg(target_os = "linux")]
            files: None,
            #[cfg(target_os = "linux")]
            session: false,
            args: Vec::new(),
            envs: Vec::new(),
            record_dir: None,
            #[cfg(unix)]
            user: None,
            deadline: DEADLINE,
        }
    }

    /// Where a client reaches it.
    pub fn addr(&self) -> SocketAddr {
        match self.addr.ip().is_unspecified() {
            true => (Ipv4Addr::LOCALHOST, self.addr.port()).into(),
            false => self.addr,
        }
    }

    /// Where its HTTP server is.
    ///
    /// # Panics
    /// When it was started without [`Builder::http`].
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr.unwrap_or_else(|| panic!("the server was not started with http()"))
    }

    /// A client of its HTTP server.
    ///
    /// # Panics
    /// When it was started without [`Builder::http`].
    pub fn api(&self) -> Http {
        Http::new(self.http_addr())
    }

    /// The address of a stream, `live/test` for example.
    pub fn url(&self, stream: &str) -> String {
        format!("rtmp://{}/{stream}", self.addr())
    }

    /// The working directory of the server; it goes with the [`Server`].
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where recordings go.
    pub fn record_dir(&self) -> &Path {
        &self.record_dir
    }

    /// The files in the record directory that are recordings, by name.
    pub fn recordings(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.record_dir).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let mut files: Vec<_> = paths
            .filter(|path| {
                path.extension().is_some_and(|extension| extension == "flv" || extension == "mp4")
            })
            .collect();
        files.sort();
        files
    }

    /// The log so far.
    pub fn logs(&self) -> Vec<LogLine> {
        self.book.lines()
    }

    /// Waits for a line with this message and these values; one that was there before counts.
    ///
    /// # Panics
    /// When it does not come, or the server ends without it. The text has the end of the log.
    pub fn wait_for_log(&self, message: &str, fields: &[(&str, &str)]) -> LogLine {
        let mut lines = self.wait_for_logs(message, fields, 1);
        lines.swap_remove(0)
    }

    /// Waits until there are `count` such lines, counted from the start; returns them all.
    ///
    /// # Panics
    /// Like [`Server::wait_for_log`].
    pub fn wait_for_logs(
        &self,
        message: &str,
        fields: &[(&str, &str)],
        count: usize,
    ) -> Vec<LogLine> {
        self.find_logs(message, fields, count).unwrap_or_else(|error| panic!("{error}"))
    }

    fn find_logs(
        &self,
        message: &str,
        fields: &[(&str, &str)],
        count: usize,
    ) -> Result<Vec<LogLine>, String> {
        self.book.wait_for(message, fields, count, self.deadline).map_err(|why| {
            format!("{why}: {count} log line(s) {message:?} {fields:?}\n{}", self.book.tail(TAIL))
        })
    }

    /// Announces a WARN or an ERROR by its message. It may come or not; to ask for it use
    /// [`Server::wait_for_log`].
    pub fn allow(&self, message: &str) {
        self.book.allow(message);
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the process costs now.
    ///
    /// # Panics
    /// When it has ended.
    pub fn usage(&self) -> Usage {
        let usage = Usage::of(self.pid());
        usage.unwrap_or_else(|error| panic!("{error}\n{}", self.book.tail(TAIL)))
    }

    /// Asks it to stop by `SIGTERM` and waits for it.
    ///
    /// # Panics
    /// When it does not exit in time with code 0, or has logged what was not announced.
    pub fn stop(&mut self) {
        self.try_stop().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Asks it to stop by `SIGTERM` and waits for it.
    ///
    /// # Errors
    /// It did not exit in time with code 0, or has logged what was not announced.
    pub fn try_stop(&mut self) -> Result<(), String> {
        if self.exit.is_none() {
            process::signal(&self.child, Signal::Terminate).map_err(|error| error.to_string())?;
        }
        let status = self.try_wait()?;
        if !status.success() {
            return Err(format!("the server ended: {status}\n{}", self.book.tail(TAIL)));
        }
        self.book.check()
    }

    /// Sends `SIGINT` and does not wait.
    ///
    /// # Panics
    /// When the process has been waited for.
    pub fn interrupt(&self) {
        self.signal(Signal::Interrupt);
    }

    /// Sends `SIGTERM` and does not wait.
    ///
    /// # Panics
    /// When the process has been waited for.
    pub fn terminate(&self) {
        self.signal(Signal::Terminate);
    }

    /// Sends `SIGHUP`, by which a configuration file is read again.
    ///
    /// # Panics
    /// When the process has been waited for.
    pub fn hang_up(&self) {
        self.signal(Signal::Hangup);
    }

    fn signal(&self, signal: Signal) {
        assert!(self.exit.is_none(), "the server has ended already");
        process::signal(&self.child, signal).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits for it to end by itself, and for the rest of its log.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn wait(&mut self) -> ExitStatus {
        self.try_wait().unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_wait(&mut self) -> Result<ExitStatus, String> {
        if let Some(status) = self.exit {
            return Ok(status);
        }
        let waited = process::wait(&mut self.child, self.deadline);
        let status = waited.map_err(|error| error.to_string())?.ok_or_else(|| {
            format!("the server does not end in {:?}\n{}", self.deadline, self.book.tail(TAIL))
        })?;
        self.exit = Some(status);
        self.join();
        Ok(status)
    }

    /// Ends it by `SIGKILL`, which leaves it no time for anything.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn kill(&mut self) {
        self.end().unwrap_or_else(|error| panic!("cannot kill the server: {error}"));
    }

    fn end(&mut self) -> std::io::Result<()> {
        if self.exit.is_none() {
            self.child.kill()?;
            self.exit = Some(self.child.wait()?);
            self.join();
        }
        Ok(())
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            // It holds no lock that could be poisoned and has nothing to say.
            let _ = reader.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let checked = self.exit.is_some();
        let ended = self.end();
        if thread::panicking() {
            eprintln!("the end of the server's log:\n{}", self.book.tail(TAIL));
            return;
        }
        assert!(ended.is_ok(), "cannot kill the server: {ended:?}");
        if !checked {
            self.book.check().unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// The same program, started by another one, which becomes it.
#[cfg(target_os = "linux")]
fn within(starter: &str, args: &[String], command: &Command) -> Command {
    // The server may be told another `PATH`.
    let mut started = Command::new(tools::find(starter).unwrap_or_else(|| starter.into()));
    started.args(args).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            started.env(name, value);
        }
    }
    if let Some(dir) = command.get_current_dir() {
        started.current_dir(dir);
    }
    started.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    started
}

fn read(stderr: ChildStderr, book: &Book) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => book.push(LogLine::parse(String::from_utf8_lossy(&line).trim_end())),
        }
    }
    book.finish();
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
