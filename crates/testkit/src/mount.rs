//! Small file systems of a test's own. Who may not mount has none.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};
use tempfile::TempDir;

use crate::tools;

/// The capability to mount, as a bit of `CapEff` in `/proc/self/status`.
const CAP_SYS_ADMIN: u32 = 21;
/// Longest that a program of the system may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// By which a disk is filled, in bytes.
const PIECES: [u64; 2] = [64 << 20, 1 << 20];
/// How often it is tried to unmount what is in use.
const POLL: Duration = Duration::from_millis(5);

/// Waits for the end of its input, which comes also when the tests are killed; then thaws and
/// unmounts, whatever still uses the file systems.
const WARDEN: &str = r#"cat; fsfreeze -u "$1"; umount -l "$1"; umount -l "${1%/*}""#;

/// A file system that is mounted until this is dropped. Where it is mounted nothing can be made
/// while it is not.
#[derive(Debug)]
pub struct Mount {
    point: PathBuf,
    dir: TempDir,
    warden: Child,
}

impl Mount {
    /// A file system in memory with room for so many bytes.
    pub fn tmpfs(bytes: u64) -> Option<Self> {
        Self::memory(&format!("size={bytes}"))
    }

    /// A file system in memory in which so many files and directories can be.
    pub fn few_files(number: u64) -> Option<Self> {
        // Its own root is one.
        Self::memory(&format!("nr_inodes={}", number + 1))
    }

    fn memory(options: &str) -> Option<Self> {
        let this = Self::place(&["mount", "umount"])?;
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("{options},mode=0777"), "tmpfs"])
            .arg(&this.point));
        Some(this)
    }

    /// ext4 in a file of so many bytes. It can be frozen, fail, and be taken out and put in again.
    pub fn ext4(bytes: u64) -> Option<Self> {
        let this = Self::place(&["mkfs.ext4", "mount", "umount", "fsfreeze"])?;
        if !Path::new("/dev/loop-control").exists() {
            eprintln!("passed over: there are no loop devices");
            return None;
        }
        let image = this.image();
        sure(File::create_new(&image).and_then(|file| file.set_len(bytes)), &image);
        // Nothing kept back for root, and a short journal: the room is for the test.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0", "-J", "size=4"]).arg(&image));
        this.put_in();
        Some(this)
    }

    /// Mounts it again.
    pub fn put_in(&self) {
        run(Command::new("mount").args(["-o", "loop,noatime"]).arg(self.image()).arg(&self.point));
    }

    /// Takes it away, whoever uses it.
    pub fn take_out(&self) {
        run(Command::new("umount").arg("-l").arg(&self.point));
    }

    /// Unmounts it as soon as nobody uses it any more.
    pub fn take_out_in_order(&self) {
        let mut command = Command::new("umount");
        command.arg(&self.point);
        let deadline = Instant::now() + TIMEOUT;
        while !tools::run(&mut command, TIMEOUT).is_success() {
            assert!(Instant::now() < deadline, "not within {TIMEOUT:?}: the file system is unused");
            thread::sleep(POLL);
        }
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// Takes all the room that there is, until the file is removed.
    pub fn fill(&self) -> PathBuf {
        let path = self.point.join("filler");
        let mut file = sure(File::create_new(&path), &path);
        // What is kept free for a file need not be written.
        for piece in PIECES {
            let reserve = |end| fallocate(&file, FallocateFlags::empty(), end, piece);
            while file.metadata().is_ok_and(|metadata| reserve(metadata.len()).is_ok()) {}
        }
        sure(file.seek(SeekFrom::End(0)), &path);
        let block = [0; 4_096];
        while file.write_all(&block).is_ok() {}
        path
    }

    /// A file of so many bytes.
    pub fn occupy(&self, bytes: usize) -> PathBuf {
        let path = self.point.join("occupied");
        sure(std::fs::write(&path, vec![0; bytes]), &path);
        path
    }

    /// A place to mount on; `None` where nothing can be mounted.
    fn place(programs: &[&str]) -> Option<Self> {
        if !programs.iter().all(|name| tools::program(name).is_some()) {
            eprintln!("passed over: a fast run");
            return None;
        }
        if !may_mount() {
            eprintln!("passed over: only root can mount");
            return None;
        }
        let dir = sure(tempfile::tempdir(), &std::env::temp_dir());
        let base = dir.path().join("base");
        let point = base.join("disk");
        sure(std::fs::create_dir(&base), &base);
        let mut command = Command::new("sh");
        command.args(["-c", WARDEN, "sh"]).arg(&point);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Of no concern to it is a Ctrl-C at the terminal of the tests.
        let warden = sure(command.process_group(0).spawn(), Path::new("sh"));
        let this = Self { point, dir, warden };
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs"]).arg(&base));
        sure(std::fs::create_dir(&this.point), &this.point);
        run(Command::new("mount").args(["-o", "remount,ro"]).arg(&base));
        Some(this)
    }

    /// A directory in it for recordings; it does not exist yet.
    pub fn record_dir(&self) -> PathBuf {
        self.point.join("recordings")
    }

    /// Changes its options while it is used.
    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        run(Command::new("mount").args(["-o", &options]).arg(&self.point));
    }

    /// Lets every write wait until the guard is dropped. The guard must be dropped before the
    /// server that writes: a process that waits for a frozen disk cannot even be killed.
    pub fn freeze(&self) -> Freeze<'_> {
        run(Command::new("fsfreeze").arg("-f").arg(&self.point));
        Freeze(self)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // What it says is nobody's business: a file system that could not be mounted, for one.
        drop(self.warden.stdin.take());
        let _ = self.warden.wait();
    }
}

/// A disk that hangs.
#[derive(Debug)]
pub struct Freeze<'a>(&'a Mount);

impl Drop for Freeze<'_> {
    fn drop(&mut self) {
        let thawed = Command::new("fsfreeze").arg("-u").arg(&self.0.point).output();
        let is_thawed = thawed.as_ref().is_ok_and(|output| output.status.success());
        assert!(is_thawed || std::thread::panicking(), "cannot thaw: {thawed:?}");
    }
}

fn may_mount() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok());
    capabilities.is_some_and(|capabilities| capabilities >> CAP_SYS_ADMIN & 1 != 0)
}

fn sure<T>(result: io::Result<T>, path: &Path) -> T {
    result.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn run(command: &mut Command) {
    let output = tools::run(command, TIMEOUT);
    assert!(output.is_success(), "{command:?}: {:?} {}", output.status, output.stderr);
}
