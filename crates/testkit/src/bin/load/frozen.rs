//! A disk that can be frozen: ext4 in a file, on a loop device. Only root can make one.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Result;

/// Room for the recordings of some streams; the file behind it has only what is used.
const BYTES: u64 = 4 << 30;

/// Waits for the end of its input, which comes also when the tool is killed; then thaws and
/// unmounts, whatever still uses the file system.
const WARDEN: &str = r#"cat; fsfreeze -u "$1"; umount -l "$1""#;

/// The disk; mounted until it is dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    point: PathBuf,
    warden: Child,
    _dir: TempDir,
}

impl Disk {
    /// A new one.
    pub(crate) fn new() -> Result<Self> {
        let dir = TempDir::new()?;
        let (image, point) = (dir.path().join("image"), dir.path().join("disk"));
        File::create_new(&image)?.set_len(BYTES)?;
        std::fs::create_dir(&point)?;
        run("mkfs.ext4", &["-q", "-F"], &[&image])?;
        let mut command = Command::new("sh");
        command.args(["-c", WARDEN, "sh"]).arg(&point).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let warden = command.spawn()?;
        let this = Self { point, warden, _dir: dir };
        run("mount", &["-o", "loop,noatime"], &[&image, this.path()])?;
        Ok(this)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.point
    }

    /// Lets every write wait.
    pub(crate) fn freeze(&self) -> Result<()> {
        run("fsfreeze", &["-f"], &[&self.point])
    }

    /// Lets every write go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        run("fsfreeze", &["-u"], &[&self.point])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.warden.stdin.take());
        // What it says is nobody's business: that nothing is frozen, for one.
        let _ = self.warden.wait();
    }
}

fn run(program: &str, options: &[&str], paths: &[&Path]) -> Result<()> {
    let output = Command::new(program).args(options).args(paths).stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("{program}: {}: {said}", output.status).into())
        }
    }
}
