//! Several disks of one machine, each below a directory of its own.

use std::io;
use std::path::{Path, PathBuf};

use super::FakeDisk;
use crate::disk::{Disk, DiskFile, Entry, Space};

/// Disks by where they are mounted; whatever is below none of them is on the first.
pub(crate) struct Several(pub(crate) Vec<(PathBuf, FakeDisk)>);

impl Several {
    fn of(&self, path: &Path) -> &FakeDisk {
        let mounted = self.0.iter().find(|(dir, _)| path.starts_with(dir));
        &mounted.unwrap_or(&self.0[0]).1
    }
}

impl Disk for Several {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.of(dir).create_dir_all(dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.of(path).create_new(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.of(path).open(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.of(path).open_read(path)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.of(from).rename_new(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.of(from).rename(from, to)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.of(dir).list(dir)
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        self.of(path).entry(path)
    }

    fn read_head(&self, path: &Path, buffer: &mut [u8]) -> io::Result<usize> {
        self.of(path).read_head(path, buffer)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.of(path).space(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.of(path).remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.of(dir).remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.of(dir).sync_dir(dir)
    }
}
