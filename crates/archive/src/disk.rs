//! The disk as this crate uses it: the only place with file system calls.
//!
//! [`Disk`] and [`DiskFile`] are traits because tests need a disk that lies. [`SystemDisk`] is the
//! real one. What differs between platforms is here, with a portable twin.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
#[cfg(not(unix))]
use std::io::Read;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use media::Chunks;

/// Slices in one vectored write. Linux and macOS take up to 1,024; more than this gains nothing.
const SLICES: usize = 128;

/// Bytes in one write, but for the last slice: what `append_all` shows afterwards is still in the processor's cache.
const WRITE_BYTES: usize = 256 << 10;

/// What a recorder needs of a file system. Every call may block for as long as the disk likes.
pub trait Disk: Send + Sync {
    /// Creates a directory with its parents, so that they survive a power cut; an existing one is
    /// fine.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Creates a file that nobody else has, for reading and writing, and locks it until it is
    /// closed.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is anything of this name, which then stays as it
    /// is; those of the operating system.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists, for reading and writing, and locks it until it is closed. The next
    /// append goes to its end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while another process or another part of this one has it
    /// locked; those of the operating system.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists for reading alone, whoever has it locked. What writes fails.
    ///
    /// # Errors
    /// Those of the operating system.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name on the same file system.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is anything of the new name, which then stays as
    /// it is; those of the operating system.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file another name on the same file system, in one step; a file of that name is gone
    /// then.
    ///
    /// # Errors
    /// Those of the operating system; both files are as they were then.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// What is in a directory, in no order; without `.` and `..`.
    ///
    /// # Errors
    /// Those of the operating system.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;

    /// The file or directory at `path`, or that a symbolic link there leads to.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none; those of the operating system.
    fn entry(&self, path: &Path) -> io::Result<Entry>;

    /// Reads the first bytes of a file into `buffer`, whoever has it locked, and returns how many
    /// that were: fewer only at the end of the file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn read_head(&self, path: &Path, buffer: &mut [u8]) -> io::Result<usize>;

    /// The file system that `path`, which must exist, is on.
    ///
    /// # Errors
    /// Those of the operating system.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Whether files can be made in `dir`, as far as that can be seen without making any.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is nothing; those of the operating system.
    fn check_dir(&self, dir: &Path) -> io::Result<()> {
        let is_dir = self.entry(dir)?.is_dir;
        if is_dir { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory that is empty.
    ///
    /// # Errors
    /// [`io::ErrorKind::DirectoryNotEmpty`]; those of the operating system.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a directory survive a power cut, where the platform has a call for that.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// What [`Disk::list`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path: that of the directory, and its name.
    pub path: PathBuf,
    /// Whether it is a directory. A symbolic link is neither followed nor listed.
    pub is_dir: bool,
    /// Bytes of a file.
    pub size_bytes: u64,
    /// When it was changed last, in ms since 1970.
    pub modified_ms: i64,
}

/// A file system and its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Tells file systems apart.
    pub device: u64,
    /// Bytes that this program may still write.
    pub free_bytes: u64,
    /// Bytes of the whole file system.
    pub total_bytes: u64,
}

/// A file that is appended to, and patched near its beginning.
pub trait DiskFile: Send {
    /// Bytes of the file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn size(&mut self) -> io::Result<u64>;

    /// Reads into `buffer` from `offset` and returns how many bytes that were: fewer only at the
    /// end of the file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

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

    /// Whether `path` leads to the file: it may have been moved since it was opened. What cannot be
    /// found out counts as so.
    fn is_at(&mut self, path: &Path) -> bool;
}

/// Appends all of `chunks`, shows `written` what the file took, and leaves it empty. After an error
/// it holds what was not written.
///
/// # Errors
/// Those of [`DiskFile::append`] but [`io::ErrorKind::Interrupted`]; [`io::ErrorKind::WriteZero`]
/// when the file takes no bytes.
pub(crate) fn append_all(
    file: &mut dyn DiskFile,
    chunks: &mut Chunks,
    mut written: impl FnMut(&[u8]),
) -> io::Result<()> {
    while !chunks.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = chunks.fill(&mut slices);
        let slices = some_of(slices.get(..filled).unwrap_or_default());
        match file.append(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(size) => {
                let mut left = size;
                for slice in slices {
                    let (taken, _) = slice.split_at(left.min(slice.len()));
                    written(taken);
                    left -= taken.len();
                }
                chunks.advance(size);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The first slices, as many as make [`WRITE_BYTES`].
fn some_of<'a, 'b>(slices: &'b [IoSlice<'a>]) -> &'b [IoSlice<'a>] {
    let mut bytes = 0;
    let is_full = |slice: &IoSlice<'_>| {
        bytes += slice.len();
        bytes >= WRITE_BYTES
    };
    let full = slices.iter().position(is_full);
    full.and_then(|last| slices.get(..=last)).unwrap_or(slices)
}

/// Writes a small file, whole or not at all as far as the disk allows.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]; those of the disk.
pub(crate) fn write_new(disk: &dyn Disk, path: &Path, text: &str) -> io::Result<()> {
    let mut file = disk.create_new(path)?;
    let mut chunks = Chunks::new();
    chunks.put_slice(text.as_bytes());
    let written = append_all(&mut *file, &mut chunks, |_| {}).and_then(|()| file.sync_data());
    drop(file);
    written.inspect_err(|_| {
        let _ = disk.remove(path);
    })
}

/// Makes a file in `dir` and removes it. Directories `missing` in it are made and removed with it, all of them inside
/// one called `name`: who makes them meanwhile to record there keeps them.
///
/// # Errors
/// Those of the disk; nothing is left then. Where a file can be made and not removed, it can be recorded too.
pub(crate) fn try_out(disk: &dyn Disk, dir: &Path, missing: &Path, name: &str) -> io::Result<()> {
    let file = dir.join(name);
    if missing.as_os_str().is_empty() {
        disk.create_new(&file)?;
        let _ = disk.remove(&file);
        return Ok(());
    }
    // Without `..`, so that all of it is inside.
    let names = missing.components().filter(|part| matches!(part, Component::Normal(_)));
    let inside = file.join(names.collect::<PathBuf>());
    let tried =
        disk.create_dir_all(&inside).and_then(|()| try_out(disk, &inside, Path::new(""), name));
    for made in inside.ancestors().take_while(|made| made.starts_with(&file)) {
        let _ = disk.remove_dir(made);
    }
    tried
}

/// The path of what is kept beside a file: its name with `suffix`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The file systems of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let missing =
            dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists());
        let missing: Vec<_> = missing.collect();
        DirBuilder::new().recursive(true).create(dir)?;
        missing.iter().filter_map(|dir| dir.parent()).try_for_each(sync_dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        restrict(&mut options);
        let file = options.open(path)?;
        lock(&file)?;
        Ok(Box::new(SystemFile { file, len: 0 }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        lock(&file)?;
        let len = file.seek(SeekFrom::End(0))?;
        Ok(Box::new(SystemFile { file, len }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile { file: File::open(path)?, len: 0 }))
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, Unsupported};
        match rename_exclusively(from, to) {
            Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => {
                rename_reserved(from, to)
            }
            other => other,
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if !kind.is_dir() && !kind.is_file() {
                continue;
            }
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            entries.push(entry_of(entry.path(), &metadata)?);
        }
        Ok(entries)
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        entry_of(path.to_owned(), &std::fs::metadata(path)?)
    }

    fn read_head(&self, path: &Path, buffer: &mut [u8]) -> io::Result<usize> {
        read_at(&mut File::open(path)?, 0, buffer, 0)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        Ok(Space {
            device: device(path)?,
            free_bytes: fs4::available_space(path)?,
            total_bytes: fs4::total_space(path)?,
        })
    }

    fn check_dir(&self, dir: &Path) -> io::Result<()> {
        match std::fs::metadata(dir) {
            Ok(metadata) if metadata.is_dir() => may_write(dir),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(_) if dir.read_link().is_ok_and(|to| !to.exists()) => {
                Err(io::Error::new(io::ErrorKind::NotADirectory, "a link to what is not there"))
            }
            Err(error) => Err(error),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        sync_dir(dir)
    }
}

fn entry_of(path: PathBuf, metadata: &Metadata) -> io::Result<Entry> {
    let since_1970 = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Entry {
        path,
        is_dir: metadata.is_dir(),
        size_bytes: metadata.len(),
        modified_ms: i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX),
    })
}

#[derive(Debug)]
struct SystemFile {
    file: File,
    /// Where the next append goes.
    len: u64,
}

impl DiskFile for SystemFile {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read_at(&mut self.file, offset, buffer, self.len)
    }

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

    fn is_at(&mut self, path: &Path) -> bool {
        use io::ErrorKind::{NotADirectory, NotFound};
        match (std::fs::metadata(path), self.file.metadata()) {
            (Ok(there), Ok(own)) => is_same(&there, &own),
            (Err(error), _) => !matches!(error.kind(), NotFound | NotADirectory),
            (Ok(_), Err(_)) => true,
        }
    }
}

/// Locks a file for as long as it is open. Where a file system has no locks there are none.
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "the file is in use by another program"))
        }
        Err(TryLockError::Error(e)) if e.kind() != io::ErrorKind::Unsupported => Err(e),
        Err(TryLockError::Error(_)) | Ok(()) => Ok(()),
    }
}

/// Reads until the buffer is full or the file ends.
#[cfg(unix)]
fn read_at(file: &mut File, offset: u64, buffer: &mut [u8], _len: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match std::os::unix::fs::FileExt::read_at(file, rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Elsewhere by way of the file's own position, which goes back to where appends go.
#[cfg(not(unix))]
fn read_at(file: &mut File, offset: u64, buffer: &mut [u8], len: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    file.seek(SeekFrom::Start(len))?;
    Ok(filled)
}

/// Whether the system lets this process make files in a directory.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn may_write(dir: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    use rustix::io::Errno;
    match accessat(CWD, dir, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        // An old kernel cannot be asked for the rights that hold.
        Ok(()) | Err(Errno::NOSYS | Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Elsewhere it shows when a file is made.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn may_write(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn device(path: &Path) -> io::Result<u64> {
    Ok(std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(path)?))
}

/// Elsewhere by the prefix of the path: the drive.
#[cfg(not(unix))]
fn device(path: &Path) -> io::Result<u64> {
    let path = path.canonicalize()?;
    let drive = path.components().next().map(|c| c.as_os_str().to_owned()).unwrap_or_default();
    Ok(crate::hash::hash64([drive.as_encoded_bytes()]))
}

/// Recordings are for their owner and group, further limited by the umask.
#[cfg(unix)]
fn restrict(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o640);
}

/// Elsewhere the directory's access rules are inherited.
#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions) {}

/// A rename that never replaces, where there is no call for it: the name is taken first, by an
/// empty file.
fn rename_reserved(from: &Path, to: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(to)?;
    std::fs::rename(from, to).inspect_err(|_| {
        let _ = std::fs::remove_file(to);
    })
}

/// A rename that never replaces, in one step.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_exclusively(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Elsewhere there is no call for it.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_exclusively(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

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

/// Whether both are of one file. Some network file systems number it anew each time they are asked;
/// its size tells it from a copy that does not grow.
#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |file: &Metadata| (file.dev(), file.ino());
    number(one) == number(other) || one.len() == other.len()
}

/// Elsewhere the standard library has no way to ask.
#[cfg(not(unix))]
fn is_same(_one: &Metadata, _other: &Metadata) -> bool {
    true
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
