//! nginx with its RTMP module, to be measured beside the server: one process on loopback, with a
//! configuration made for the run in a directory of its own.
//!
//! The module keeps all streams in one process, so one it is. Its settings are the defaults but
//! for the bounds that the load would run into.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::process::{self, Signal};

use crate::Result;

/// Where Debian puts the program and the module.
const PROGRAM: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
/// How long it may take to listen, and to end.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often it is tried whether it listens.
const TRY: Duration = Duration::from_millis(1);

/// A running nginx; dropping it ends it.
pub(crate) struct Nginx {
    child: Child,
    addr: SocketAddr,
    dir: TempDir,
    recordings: Option<PathBuf>,
}

impl Nginx {
    /// Starts one. With `record` every stream is recorded, below `dir` if that is given.
    pub(crate) fn start(record: bool, dir: Option<&Path>) -> Result<Self> {
        if !Path::new(PROGRAM).exists() || !Path::new(MODULE).exists() {
            let install = "`cargo xtask bench --beside nginx-rtmp` installs it";
            return Err(format!("{PROGRAM} or {MODULE} is not there; {install}").into());
        }
        let home = match dir {
            Some(dir) => TempDir::new_in(dir)?,
            None => TempDir::new()?,
        };
        // Free now; it will still be so in a moment.
        let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let recordings = record.then(|| home.path().join("recordings"));
        if let Some(recordings) = &recordings {
            std::fs::create_dir(recordings)?;
        }
        let file = home.path().join("nginx.conf");
        std::fs::write(&file, configuration(addr, home.path(), recordings.as_deref())?)?;
        let mut command = Command::new(PROGRAM);
        command.arg("-c").arg(&file).arg("-p").arg(home.path());
        command.arg("-e").arg(home.path().join("error.log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let child = command.spawn()?;
        let mut this = Self { child, addr, dir: home, recordings };
        this.wait_until_it_listens()?;
        Ok(this)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(self.addr).is_err() {
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(format!("nginx does not listen\n{}", self.log()).into());
            }
            thread::sleep(TRY);
        }
        Ok(())
    }

    /// Where to connect.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The id of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it records.
    pub(crate) fn recordings(&self) -> Option<&Path> {
        self.recordings.as_deref()
    }

    /// Ends it; what it complained of.
    pub(crate) fn stop(mut self) -> Result<Option<String>> {
        process::signal(&self.child, Signal::Terminate)?;
        let ended = process::wait(&mut self.child, DEADLINE)?;
        let log = self.log();
        Ok(match ended {
            None => Some("nginx does not end".to_owned()),
            Some(_) => (!log.is_empty()).then_some(log),
        })
    }

    /// The end of its log of errors.
    fn log(&self) -> String {
        const LINES: usize = 5;
        let log = std::fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // In vain when it has ended, which is the usual case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(
    addr: SocketAddr,
    home: &Path,
    recordings: Option<&Path>,
) -> std::result::Result<String, std::fmt::Error> {
    let home = home.display();
    let mut text = String::new();
    writeln!(text, "load_module {MODULE};\ndaemon off;\nmaster_process off;")?;
    writeln!(text, "pid {home}/nginx.pid;\nerror_log {home}/error.log error;")?;
    writeln!(text, "events {{ worker_connections 65536; }}")?;
    writeln!(
        text,
        "rtmp {{\n  access_log off;\n  max_message 16M;\n  server {{\n    listen {addr};"
    )?;
    writeln!(text, "    application live {{\n      live on;")?;
    if let Some(recordings) = recordings {
        let recordings = recordings.display();
        writeln!(
            text,
            "      record all;\n      record_path {recordings};\n      record_unique on;"
        )?;
    }
    writeln!(text, "    }}\n  }}\n}}")?;
    Ok(text)
}
