//! VLC, which refuses to be run by root.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testkit::tools::{self, Output};

use super::judge::{self, PATIENCE};

/// `nobody` and `nogroup`, also where they have other names.
const NOBODY: u32 = 65_534;

/// VLC in a directory of its own, in which it may write.
pub(crate) struct Vlc {
    cvlc: PathBuf,
    setpriv: PathBuf,
    dir: TempDir,
}

impl Vlc {
    /// `None` in a fast run.
    pub(crate) fn new() -> Option<Self> {
        let [cvlc, setpriv] = judge::programs(["cvlc", "setpriv"])?;
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
        if is_root() {
            chown(dir.path(), Some(NOBODY), Some(NOBODY))
                .unwrap_or_else(|error| panic!("cannot give away a directory: {error}"));
        }
        Some(Self { cvlc, setpriv, dir })
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A copy that it may read of a file that is not for everybody.
    pub(crate) fn lend(&self, file: &Path) -> PathBuf {
        let name = file.file_name().unwrap_or_default();
        let copy = self.dir().join(name);
        let lent = std::fs::copy(file, &copy).and_then(|_| {
            if is_root() { chown(&copy, Some(NOBODY), Some(NOBODY)) } else { Ok(()) }
        });
        lent.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        copy
    }

    /// A command that plays `input` without a window and quits at its end; it logs everything.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: impl AsRef<OsStr>,
    ) -> Command {
        let mut command = match is_root() {
            true => {
                let mut command = Command::new(&self.setpriv);
                let nobody = NOBODY.to_string();
                command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
                command.arg(&self.cvlc);
                command
            }
            false => Command::new(&self.cvlc),
        };
        command.env("HOME", self.dir()).env("XDG_CONFIG_HOME", self.dir());
        command.env("XDG_RUNTIME_DIR", self.dir()).current_dir(self.dir());
        command.args(["-I", "dummy", "--no-dbus", "--no-color", "-vv"]).args(args);
        command.arg(input).arg("vlc://quit");
        command
    }

    /// The option that writes what comes, not decoded, into an MPEG transport stream.
    pub(crate) fn remux(&self, name: &str) -> (PathBuf, String) {
        let file = self.dir().join(name);
        let option = format!("--sout=#std{{access=file,mux=ts,dst={}}}", file.display());
        (file, option)
    }
}

/// Runs VLC to its end.
pub(crate) fn run(mut command: Command) -> Output {
    tools::run(&mut command, PATIENCE).success()
}

/// Nothing is shown or heard.
pub(crate) const DUMMIES: [&str; 2] = ["--vout=vdummy", "--aout=adummy"];

/// Checks by its log that it has played to the end, without an error.
pub(crate) fn assert_played(log: &str) {
    for told in ["Received first picture", "EOF reached"] {
        assert!(log.contains(told), "no {told:?}:\n{log}");
    }
    // Without a desktop it misses its window and its hot keys, and on a machine that is busy it
    // is late; not more.
    let known =
        ["interface error: ", "libvlc error: interface ", " is called too late (pts_delay "];
    let errors = log.lines().filter(|line| line.contains(" error: "));
    let mut unknown = errors.filter(|line| !known.iter().any(|known| line.contains(known)));
    assert_eq!(unknown.next(), None, "{log}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
