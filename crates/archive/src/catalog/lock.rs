//! Who may replace the catalog.
//!
//! Two locks, both gone with the process that has them. `.rtmp-server/catalog.lock` is held by
//! whoever works on the catalog, for as long as that takes: a server between two looks holds nothing
//! open on the disk, which can be taken out then. That a server runs at all says a lock outside of
//! the record directory, in the directory for temporary files; where that is not the same for both,
//! a rebuild between two looks of a server does no harm.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{DIR, Error};
use crate::disk::{Disk, DiskFile, SystemDisk};
use crate::hash::hash64;

const NAME: &str = "catalog.lock";
/// How often somebody else may come between.
const TRIES: u32 = 16;

/// Held while the catalog is worked on.
pub(crate) struct Lock {
    _file: Box<dyn DiskFile>,
}

impl Lock {
    /// Takes the lock of a record directory, which must exist.
    ///
    /// # Errors
    /// [`Error::InUse`] while somebody else has it; those of the disk.
    pub(crate) fn take(disk: &dyn Disk, record_dir: &Path) -> Result<Self, Error> {
        disk.create_dir_all(&record_dir.join(DIR))?;
        let path = record_dir.join(DIR).join(NAME);
        let file = match disk.open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => disk.create_new(&path),
            file => file,
        };
        match file {
            // Somebody made it just now.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::AlreadyExists) =>
            {
                Err(Error::InUse)
            }
            file => Ok(Self { _file: file? }),
        }
    }

    /// The same for those who replace the catalog, which nobody does while a server runs.
    ///
    /// # Errors
    /// [`Error::InUse`] while a server runs or somebody else has the lock; those of the disk.
    pub(super) fn take_for_rebuild(disk: &dyn Disk, record_dir: &Path) -> Result<Self, Error> {
        disk.list(record_dir)?;
        if Presence::tell(record_dir).is_err() {
            return Err(Error::InUse);
        }
        Self::take(disk, record_dir)
    }
}

/// That a server runs for a record directory; for as long as it is kept.
pub(crate) struct Presence {
    path: PathBuf,
    _file: Box<dyn DiskFile>,
}

/// Somebody else runs, or did when it was looked.
#[derive(Debug)]
pub(crate) struct Taken;

impl Presence {
    /// Tells that a server runs; `None` where there is no place to tell it.
    ///
    /// # Errors
    /// [`Taken`] when somebody else tells it.
    pub(crate) fn tell(record_dir: &Path) -> Result<Option<Self>, Taken> {
        let Some(path) = Self::path(record_dir) else { return Ok(None) };
        for _ in 0..TRIES {
            let file = match SystemDisk.open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => SystemDisk.create_new(&path),
                file => file,
            };
            match file {
                // One that was removed between two calls tells nobody.
                Ok(mut file) => {
                    if file.check().is_ok() {
                        return Ok(Some(Self { path, _file: file }));
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::AlreadyExists => {}
                    ErrorKind::WouldBlock => return Err(Taken),
                    _ => return Ok(None),
                },
            }
        }
        Ok(None)
    }

    /// One for each record directory, whatever it is called.
    fn path(record_dir: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(record_dir).ok()?;
        // Its own name, or that of what it will be made in.
        let existing = absolute.ancestors().find_map(|dir| Some((dir, dir.canonicalize().ok()?)));
        let (dir, canonical) = existing?;
        let rest = absolute.strip_prefix(dir).ok()?.components();
        let name: PathBuf = canonical.components().chain(rest).collect();
        let hash = hash64([name.as_os_str().as_encoded_bytes()]);
        Some(std::env::temp_dir().join(format!("rtmp-server-{hash:016x}.lock")))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // While it is locked: whoever finds it finds it locked or not at all.
        let _ = SystemDisk.remove(&self.path);
    }
}

#[cfg(test)]
mod tests;
