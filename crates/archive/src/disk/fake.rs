//! A disk in memory that fails as it is told, and that can tell what a power cut leaves of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use super::{Disk, DiskFile, Entry, Space};

pub(crate) mod power;
pub(crate) mod several;

use power::{Done, History, Image};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    CreateDir,
    CreateNew,
    Open,
    OpenRead,
    Rename,
    List,
    Space,
    Read,
    Remove,
    SyncDir,
    Append,
    WriteAt,
    Truncate,
    SyncData,
    Check,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The call does nothing and returns this error.
    Error(io::ErrorKind),
    /// The call does nothing and returns this error number.
    Os(i32),
    /// The call writes so many bytes, then fails.
    Torn(usize),
    /// An append takes so many bytes and says so.
    Short(usize),
    /// The call does not return before [`FakeDisk::release`].
    Hang,
}

/// Says what becomes of the `n`th call (from 0).
type Plan = Box<dyn FnMut(usize, Call) -> Option<Fault> + Send>;

#[derive(Clone, Default)]
pub(crate) struct FakeDisk {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

struct State {
    dirs: Vec<PathBuf>,
    /// Names, and the number of what they name.
    names: BTreeMap<PathBuf, usize>,
    contents: Vec<Vec<u8>>,
    /// Files that are open.
    locked: BTreeSet<usize>,
    space: Space,
    /// Of further file systems, by where they are mounted.
    mounts: BTreeMap<PathBuf, Space>,
    calls: Vec<Call>,
    bytes_read: usize,
    /// What was done, for [`FakeDisk::history`].
    history: Option<History>,
    plan: Option<Plan>,
    hanging: bool,
    released: bool,
}

impl Default for State {
    fn default() -> Self {
        let (dirs, names, contents, locked, mounts, calls, history, plan) = Default::default();
        let bytes_read = 0;
        let space = Space { device: 1, free_bytes: 1 << 40, total_bytes: 1 << 41 };
        let (hanging, released) = (false, false);
        Self {
            dirs,
            names,
            contents,
            locked,
            space,
            mounts,
            calls,
            bytes_read,
            history,
            plan,
            hanging,
            released,
        }
    }
}

impl State {
    fn lock(&mut self, number: usize) -> io::Result<()> {
        if self.locked.insert(number) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn note(&mut self, done: impl FnOnce() -> Done) {
        let calls = self.calls.len();
        if let Some(history) = &mut self.history {
            history.note(calls, done());
        }
    }
}

impl FakeDisk {
    pub(crate) fn failing(plan: impl FnMut(usize, Call) -> Option<Fault> + Send + 'static) -> Self {
        let disk = Self::default();
        disk.shared.state.lock().unwrap().plan = Some(Box::new(plan));
        disk
    }

    /// A disk with what is in `image`, all of it durable, that remembers what is done to it.
    pub(crate) fn remembering(image: Image) -> Self {
        let disk = Self::default();
        let mut state = disk.shared.state.lock().unwrap();
        state.dirs.clone_from(&image.dirs);
        state.contents = image.files.values().cloned().collect();
        state.names = image.files.keys().cloned().zip(0..).collect();
        state.history = Some(History::new(image));
        drop(state);
        disk
    }

    /// What was done since this disk began to remember.
    pub(crate) fn history(&self) -> History {
        self.shared.state.lock().unwrap().history.clone().unwrap()
    }

    /// All files by name.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.shared.state.lock().unwrap();
        state.names.iter().map(|(path, n)| (path.clone(), state.contents[*n].clone())).collect()
    }

    pub(crate) fn put(&self, path: &str, contents: &[u8]) {
        let mut state = self.shared.state.lock().unwrap();
        let number = state.contents.len();
        state.contents.push(contents.to_owned());
        state.names.insert(path.into(), number);
    }

    /// Sets how much room there is.
    pub(crate) fn set_space(&self, space: Space) {
        self.shared.state.lock().unwrap().space = space;
    }

    /// Has another file system at `dir`.
    pub(crate) fn mount(&self, dir: &str, space: Space) {
        self.shared.state.lock().unwrap().mounts.insert(dir.into(), space);
    }

    /// Deletes all names, as `rm -r` does while files are open.
    pub(crate) fn delete_all(&self) {
        self.shared.state.lock().unwrap().names.clear();
    }

    /// Gives all names in a directory to another one, as `mv` does while files are open.
    pub(crate) fn move_dir(&self, from: &str, to: &str) {
        let mut state = self.shared.state.lock().unwrap();
        state.dirs.retain(|dir| dir != Path::new(from));
        state.dirs.push(to.into());
        let moved = |path: PathBuf| match path.strip_prefix(from) {
            Ok(name) => Path::new(to).join(name),
            Err(_) => path,
        };
        let names = std::mem::take(&mut state.names);
        state.names = names.into_iter().map(|(path, number)| (moved(path), number)).collect();
    }

    /// Bytes of files that were read so far.
    pub(crate) fn bytes_read(&self) -> usize {
        self.shared.state.lock().unwrap().bytes_read
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.state.lock().unwrap().calls.clone()
    }

    pub(crate) fn is_hanging(&self) -> bool {
        self.shared.state.lock().unwrap().hanging
    }

    /// Ends every hang, now and later.
    pub(crate) fn release(&self) {
        self.shared.state.lock().unwrap().released = true;
        self.shared.released.notify_all();
    }
}

impl Shared {
    /// Counts the call. Returns how many bytes a torn or short call may write.
    fn enter(&self, call: Call) -> io::Result<Option<Fault>> {
        let mut state = self.state.lock().unwrap();
        let number = state.calls.len();
        state.calls.push(call);
        let fault = state.plan.as_mut().and_then(|plan| plan(number, call));
        match fault {
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::Os(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Fault::Hang) => {
                state.hanging = true;
                drop(self.released.wait_while(state, |s| !s.released).unwrap());
                Ok(None)
            }
            other => Ok(other),
        }
    }
}

impl Disk for FakeDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.shared.enter(Call::CreateDir)?;
        let mut state = self.shared.state.lock().unwrap();
        state.dirs.push(dir.to_owned());
        state.note(|| Done::MakeDir(dir.to_owned()));
        Ok(())
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.shared.enter(Call::CreateNew)?;
        let mut state = self.shared.state.lock().unwrap();
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !state.dirs.iter().any(|dir| Some(dir.as_path()) == path.parent()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let number = state.contents.len();
        state.contents.push(Vec::new());
        state.names.insert(path.to_owned(), number);
        state.note(|| Done::Create(path.to_owned(), number));
        state.lock(number)?;
        Ok(Box::new(FakeFile { shared: self.shared.clone(), number, is_writer: true }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.shared.enter(Call::OpenRead)?;
        let state = self.shared.state.lock().unwrap();
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(FakeFile { shared: self.shared.clone(), number, is_writer: false }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.shared.enter(Call::Remove)?;
        let mut state = self.shared.state.lock().unwrap();
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.note(|| Done::Remove(path.to_owned()));
        Ok(())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.shared.enter(Call::Open)?;
        let mut state = self.shared.state.lock().unwrap();
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        state.lock(number)?;
        drop(state);
        Ok(Box::new(FakeFile { shared: self.shared.clone(), number, is_writer: true }))
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.enter(Call::Rename)?;
        let mut state = self.shared.state.lock().unwrap();
        if state.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), number);
        state.note(|| Done::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.enter(Call::Rename)?;
        let mut state = self.shared.state.lock().unwrap();
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), number);
        state.note(|| Done::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.shared.enter(Call::List)?;
        let state = self.shared.state.lock().unwrap();
        if !state.dirs.iter().any(|known| known.starts_with(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entry = |path: &PathBuf, is_dir, size_bytes| Entry {
            path: path.clone(),
            is_dir,
            size_bytes,
            modified_ms: 0,
        };
        let inside = |path: &Path| path.parent() == Some(dir);
        let dirs = state.dirs.iter().flat_map(|known| known.ancestors().map(Path::to_owned));
        let dirs: BTreeSet<_> = dirs.filter(|path| inside(path)).collect();
        let files = state.names.iter().filter(|(path, _)| inside(path));
        let files = files.map(|(path, n)| entry(path, false, state.contents[*n].len() as u64));
        Ok(dirs.iter().map(|path| entry(path, true, 0)).chain(files).collect())
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        self.shared.enter(Call::List)?;
        let state = self.shared.state.lock().unwrap();
        let file = state.names.get(path).map(|n| state.contents[*n].len() as u64);
        let is_dir = state.dirs.iter().any(|known| known.starts_with(path));
        if file.is_none() && !is_dir {
            return Err(io::ErrorKind::NotFound.into());
        }
        let size_bytes = file.unwrap_or_default();
        Ok(Entry { path: path.to_owned(), is_dir: file.is_none(), size_bytes, modified_ms: 0 })
    }

    fn read_head(&self, path: &Path, buffer: &mut [u8]) -> io::Result<usize> {
        self.shared.enter(Call::Read)?;
        let state = self.shared.state.lock().unwrap();
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let head = &state.contents[number];
        let read = head.len().min(buffer.len());
        buffer[..read].copy_from_slice(&head[..read]);
        Ok(read)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.shared.enter(Call::Space)?;
        let state = self.shared.state.lock().unwrap();
        let mount = path.ancestors().find_map(|dir| state.mounts.get(dir));
        Ok(mount.copied().unwrap_or(state.space))
    }

    /// All of it is its own: no call that could fail.
    fn check_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.enter(Call::Remove)?;
        let mut state = self.shared.state.lock().unwrap();
        let inside = |path: &PathBuf| path != dir && path.starts_with(dir);
        if state.names.keys().any(inside) || state.dirs.iter().any(inside) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.dirs.retain(|known| known != dir);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.enter(Call::SyncDir)?;
        self.shared.state.lock().unwrap().note(|| Done::SyncDir(dir.to_owned()));
        Ok(())
    }
}

struct FakeFile {
    shared: Arc<Shared>,
    number: usize,
    /// Whether it has the lock.
    is_writer: bool,
}

impl FakeFile {
    fn change(&self, change: power::Change) {
        assert!(self.is_writer, "written to what is open for reading");
        let mut state = self.shared.state.lock().unwrap();
        change.apply(&mut state.contents[self.number]);
        state.note(|| Done::Change(self.number, change));
    }
}

impl Drop for FakeFile {
    fn drop(&mut self) {
        if self.is_writer {
            self.shared.state.lock().unwrap().locked.remove(&self.number);
        }
    }
}

impl DiskFile for FakeFile {
    fn size(&mut self) -> io::Result<u64> {
        self.shared.enter(Call::Read)?;
        Ok(self.shared.state.lock().unwrap().contents[self.number].len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.shared.enter(Call::Read)?;
        let mut state = self.shared.state.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let rest = state.contents[self.number].get(offset..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        state.bytes_read += read;
        Ok(read)
    }

    fn append(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let fault = self.shared.enter(Call::Append)?;
        let mut bytes: Vec<u8> = slices.iter().flat_map(|s| s.iter().copied()).collect();
        if let Some(Fault::Torn(n) | Fault::Short(n)) = fault {
            bytes.truncate(n);
        }
        let size = bytes.len();
        self.change(power::Change::Append(bytes));
        Ok(size)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let fault = self.shared.enter(Call::WriteAt)?;
        let (bytes, torn) = match fault {
            Some(Fault::Torn(n)) => (&bytes[..n.min(bytes.len())], true),
            _ => (bytes, false),
        };
        let start = usize::try_from(offset).unwrap();
        self.change(power::Change::Write(start, bytes.to_owned()));
        if torn { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.shared.enter(Call::Truncate)?;
        self.change(power::Change::Truncate(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.shared.enter(Call::SyncData)?;
        self.shared.state.lock().unwrap().note(|| Done::Sync(self.number));
        Ok(())
    }

    fn check(&mut self) -> io::Result<()> {
        self.shared.enter(Call::Check)?;
        let state = self.shared.state.lock().unwrap();
        if state.names.values().any(|n| *n == self.number) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "the file was deleted"))
    }

    /// No call that could fail.
    fn is_at(&mut self, path: &Path) -> bool {
        self.shared.state.lock().unwrap().names.get(path) == Some(&self.number)
    }
}
