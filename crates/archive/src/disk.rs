//! The disk as this crate uses it: the only place with file system calls.
//!
//! [`Disk`] and [`DiskFile`] are traits because tests need a disk that lies. [`SystemDisk`] is the
//! real one. What differs between platforms is here, with a portable twin.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::path::Path;

use media::Chunks;

/// Slices in one vectored write. Linux and macOS take up to 1,024; more than this gains nothing.
const SLICES: usize = 256;

/// What a recorder needs of a file system. Every call may block for as long as the disk likes.
pub trait Disk: Send + Sync {
    /// Creates a directory with its parents; an existing one is fine.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Creates a file that nobody else has, for writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is anything of this name, which then stays as it
    /// is; those of the operating system.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory survive a power cut, where the platform has a call for that.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A file that is appended to, and patched near its beginning.
pub trait DiskFile: Send {
    /// Appends some of `slices`, in order, and returns how many bytes that were.
    ///
    /// # Errors
    /// Those of the operating system; nothing was written then.
    fn append(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Overwrites `bytes` at `offset`; the next append goes to the end all the same.
    ///
    /// # Errors
    /// Those of the operating system; some of the bytes may be written then.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `len` bytes, which is where the next append goes.
    ///
    /// # Errors
    /// Those of the operating system.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Waits until the data is on the disk. Also where a disk that took data and then lost it owns
    /// up to it.
    ///
    /// # Errors
    /// Those of the operating system, of this call or of earlier writes.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Whether the file can still be found by anybody: writes to a deleted file succeed and are
    /// lost.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when the file was deleted; those of the operating system.
    fn check(&mut self) -> io::Result<()>;
}

/// Appends all of `chunks` and leaves it empty. After an error it holds what was not written.
///
/// # Errors
/// Those of [`DiskFile::append`] but [`io::ErrorKind::Interrupted`]; [`io::ErrorKind::WriteZero`]
/// when the file takes no bytes.
pub(crate) fn append_all(file: &mut dyn DiskFile, chunks: &mut Chunks) -> io::Result<()> {
    while !chunks.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = chunks.fill(&mut slices);
        match file.append(slices.get(..filled).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => chunks.advance(written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The file systems of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).create(dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        restrict(&mut options);
        let file = options.open(path)?;
        Ok(Box::new(SystemFile { file, len: 0 }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        sync_dir(dir)
    }
}

#[derive(Debug)]
struct SystemFile {
    file: File,
    /// Where the next append goes.
    len: u64,
}

impl DiskFile for SystemFile {
    fn append(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.file.write_vectored(slices)?;
        self.len += written as u64;
        Ok(written)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        let written = self.file.write_all(bytes);
        self.file.seek(SeekFrom::Start(self.len))?;
        written
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.file.seek(SeekFrom::Start(len))?;
        self.len = len;
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn check(&mut self) -> io::Result<()> {
        if is_deleted(&self.file)? {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was deleted"));
        }
        Ok(())
    }
}

/// Recordings are for their owner and group, further limited by the umask.
#[cfg(unix)]
fn restrict(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o640);
}

/// Elsewhere the directory's access rules are inherited.
#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    // The directory of a relative file name is the empty path, which cannot be opened.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    match File::open(dir)?.sync_all() {
        // Some network and FUSE file systems have nothing to sync in a directory and say so.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        other => other,
    }
}

/// Elsewhere a directory cannot be opened as a file; its journal keeps the names.
#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_deleted(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0)
}

/// Elsewhere the standard library has no way to ask.
#[cfg(not(unix))]
fn is_deleted(_file: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
