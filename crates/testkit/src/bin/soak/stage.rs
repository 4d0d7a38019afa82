//! The server, its configuration and its two disks: one that is well, and one that fails.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tempfile::TempDir;
use testkit::mount::Mount;
use testkit::server::LogLine;
use testkit::{Http, Server};

use crate::Result;
use crate::options::Options;
use crate::plan::Trouble;

/// Room on the disk that fails, in bytes; the file behind it has only what is used.
const DISK_BYTES: u64 = 1 << 30;
/// How long is waited for anything that the server should do.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the server says of peers: each of them is wanted here.
const PEERS: &[&str] = &[
    "publish refused",
    "play refused",
    "player too slow; groups of pictures passed over",
    "connection closed: protocol error",
];
/// What the server says of a disk: wanted of the one that fails.
const DISK: &[&str] = &[
    "disk space is low",
    "disk is full: recording stops",
    "free space is unknown",
    "record directory cannot be read",
    "record directory cannot be written: repair it or choose another",
    "recording paused: not enough free space",
    "recording has a gap",
    "recording had gaps",
    "failed to create recorder",
    "recorder write error",
    "recorder close error",
    "recording not finished in time",
    "cannot delete recording",
    "file set aside",
    "file not recovered",
];
/// True of the machine, when others keep its disks busy for seconds.
const SLOW: &str = "disk does not answer";

/// A server and all that it needs.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) weak: Weak,
    program: PathBuf,
    config: PathBuf,
    evidence: PathBuf,
    dir: TempDir,
}

/// The disk that fails.
#[derive(Debug)]
pub(crate) struct Weak {
    mount: Option<Mount>,
    dir: PathBuf,
    /// Held by whoever looks at its files, and by trouble.
    busy: RwLock<()>,
}

impl Stage {
    /// Starts the server.
    pub(crate) fn start(options: &Options) -> Result<Self> {
        let program = match &options.server {
            Some(path) => std::path::absolute(path)?,
            None => std::env::current_exe()?.with_file_name("rtmp-server"),
        };
        let dir = TempDir::new()?;
        let mount = Mount::ext4(DISK_BYTES);
        let weak_dir = mount.as_ref().map_or_else(|| dir.path().join("weak"), Mount::record_dir);
        let weak = Weak { mount, dir: weak_dir, busy: RwLock::new(()) };
        let config = dir.path().join("soak.toml");
        configure(&config, &weak.dir, 0)?;
        let server = Self::server(&program, &config, &dir.path().join("well"))?;
        Ok(Self { server, weak, program, config, evidence: options.out.join("evidence"), dir })
    }

    fn server(program: &Path, config: &Path, well: &Path) -> Result<Server> {
        let limits = ["-max-connections", "20000", "-max-connections-per-address", "20000"];
        let server = Server::builder(program)
            .arg("-config")
            .arg(config)
            .args(limits)
            .args(["-publish-timeout", "5s", "-play-timeout", "5s", "-shutdown-timeout", "30s"])
            // So that those who read slowly lose something before their life is over.
            .args(["-play-buffer", "1MiB"])
            .record_dir(well)
            .http()
            .deadline(DEADLINE)
            .try_start()?;
        PEERS.iter().chain(DISK).for_each(|message| server.allow(message));
        Ok(server)
    }

    /// Starts the server again, after it was stopped.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.server = Self::server(&self.program, &self.config, &self.well())?;
        Ok(())
    }

    /// Has the server read another configuration; that of `number` is the same each time.
    pub(crate) fn reload(&self, number: u64) -> Result<()> {
        configure(&self.config, &self.weak.dir, number)?;
        self.server.hang_up();
        Ok(())
    }

    /// Has the server log nothing that is as it should be, which would fill the memory of this
    /// program.
    pub(crate) fn hush(&self) -> Result<()> {
        let level = serde_json::json!({ "level": "warn" });
        let answer = self.api().send("PUT", "/api/v1/server/log-level", Some(&level));
        match answer.status {
            200..300 => Ok(()),
            status => Err(format!("the level of the log is not set: {status}").into()),
        }
    }

    pub(crate) fn api(&self) -> Http {
        self.server.api()
    }

    /// The server's program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Where recordings are kept that are not as they should be.
    pub(crate) fn evidence(&self) -> &Path {
        &self.evidence
    }

    /// Where recordings go that lose nothing.
    pub(crate) fn well(&self) -> PathBuf {
        self.dir.path().join("well")
    }

    /// Warnings and errors that nothing here has caused.
    pub(crate) fn unexpected(&self) -> Vec<LogLine> {
        let is_wrong = |line: &LogLine| {
            let message = line.message.as_str();
            let is_trouble = line.level != "INFO" && line.level != "DEBUG";
            let is_wanted = PEERS.contains(&message)
                || message == SLOW
                || DISK.contains(&message) && self.weak.is_of(line);
            is_trouble && !is_wanted
        };
        self.server.logs().into_iter().filter(is_wrong).collect()
    }
}

/// Writes a configuration, as an editor does: another file in its place.
fn configure(path: &Path, weak: &Path, number: u64) -> Result<()> {
    let seconds = 3 + number % 4;
    let mut text = String::from(
        "record-path = '{recording}/{sequence}'\nrecord-rejoin = '3s'\nrecord-sync = '1s'\n\
         retain-age = '1m'\nretain-copied = true\n",
    );
    write!(text, "record-rotate-duration = '{seconds}s'\n\n")?;
    let weak = weak.display();
    for format in ["flv", "mp4"] {
        write!(
            text,
            "[[recorder]]\nname = 'well-{format}'\nformat = '{format}'\n\
             streams = ['well-{format}/*', 'steady-{format}/*']\n\n\
             [[recorder]]\nname = 'weak-{format}'\nformat = '{format}'\n\
             streams = ['weak-{format}/*']\ndir = '{weak}'\n\n"
        )?;
    }
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    Ok(std::fs::rename(&new, path)?)
}

impl Weak {
    /// Where recordings go that may lose something.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What can be done to it here.
    pub(crate) fn kind(&self) -> &'static str {
        match (&self.mount, self.may_forbid()) {
            (Some(_), _) => "a file system of its own: full, frozen, failed",
            (None, true) => "a directory: permission taken away (only root can make a disk fail)",
            (None, false) => "a directory: no trouble (only root can make a disk fail)",
        }
    }

    /// Lets `look` look at its files while it is well.
    pub(crate) fn while_well<T>(&self, look: impl FnOnce() -> T) -> T {
        let _busy = self.busy.read().unwrap_or_else(PoisonError::into_inner);
        look()
    }

    /// Gets it into trouble while `wait` waits; what was done.
    pub(crate) fn suffer(&self, trouble: Trouble, wait: impl FnOnce()) -> Result<&'static str> {
        let _busy = self.busy.write().unwrap_or_else(PoisonError::into_inner);
        let Some(mount) = &self.mount else {
            if !self.may_forbid() || !self.dir.exists() {
                return Ok("no trouble");
            }
            let mode = |mode| std::fs::set_permissions(&self.dir, Permissions::from_mode(mode));
            mode(0o555)?;
            wait();
            mode(0o755)?;
            return Ok("disk without permission");
        };
        match trouble {
            Trouble::Full => {
                let filler = mount.fill();
                wait();
                std::fs::remove_file(filler)?;
                Ok("disk full")
            }
            Trouble::Frozen => {
                let frozen = mount.freeze();
                wait();
                drop(frozen);
                Ok("disk frozen")
            }
            Trouble::Failed => {
                // As the kernel does by itself when the device has failed.
                mount.remount("abort");
                wait();
                mount.take_out_in_order();
                mount.put_in();
                Ok("disk failed")
            }
        }
    }

    fn may_forbid(&self) -> bool {
        self.mount.is_none() && !rustix::process::geteuid().is_root()
    }

    fn is_of(&self, line: &LogLine) -> bool {
        let below =
            |name| line.field(name).is_some_and(|path| Path::new(&path).starts_with(&self.dir));
        line.field("stream_key").is_some_and(|key| key.starts_with("weak-"))
            || below("record_dir")
            || below("file")
    }
}
