//! Where a repaired file goes: beside the old one, or into its place.
//!
//! Bytes go into `TARGET.part`, which nobody takes for a file that is whole. When all of it is on
//! the disk it gets its name, in one step. In place, the old file first gets a second name, so that
//! there is a whole file under its own name at every moment.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use archive::{Disk as _, Format, SystemDisk};
use media::Chunks;
use media::flv::mux::Patch;

/// Most names that are tried.
const CANDIDATES: u32 = 1_000;

/// A file on its way. What is dropped before it was kept is removed.
pub(super) struct Output {
    file: File,
    part: PathBuf,
    is_kept: bool,
}

impl Output {
    /// Begins a file that is to be called `target`, with the permissions of `original`.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn create(target: &Path, original: &File) -> io::Result<Self> {
        let (file, part) = first_free(|n| with(target, ".part", n), |path| File::create_new(path))?;
        let output = Self { file, part, is_kept: false };
        output.file.set_permissions(original.metadata()?.permissions())?;
        Ok(output)
    }

    /// Appends all of `chunks` and leaves it empty.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn write(&mut self, chunks: &mut Chunks) -> io::Result<()> {
        while !chunks.is_empty() {
            let mut slices = [io::IoSlice::new(&[]); 128];
            let filled = chunks.fill(&mut slices);
            match self.file.write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => chunks.advance(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Overwrites what was written.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn patch(&mut self, patches: &[Patch]) -> io::Result<()> {
        for patch in patches {
            self.file.seek(SeekFrom::Start(patch.offset))?;
            self.file.write_all(&patch.bytes)?;
        }
        Ok(())
    }

    /// Gives the file its name, which nothing has.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`]; those of the disk.
    pub(super) fn keep(mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        SystemDisk.rename_new(&self.part, target)?;
        self.is_kept = true;
        sync_parent(target)
    }

    /// The same under the first free name of `NAME.repaired.flv`, `NAME.repaired_2.flv`, …
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn keep_beside(mut self, original: &Path, format: Format) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        let part = &self.part;
        let keep = |path: &Path| SystemDisk.rename_new(part, path);
        let ((), path) = first_free(|n| beside(original, format, n), keep)?;
        self.is_kept = true;
        sync_parent(&path)?;
        Ok(path)
    }

    /// Puts the file into the place of `original`, which is called `NAME.flv.bak` from then on, or
    /// `.bak_2`, … Returns that name.
    ///
    /// # Errors
    /// Those of the disk; the old file has its name then.
    pub(super) fn replace(mut self, original: &Path) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        let link = |backup: &Path| fs::hard_link(original, backup);
        let (is_linked, backup) = match first_free(|n| with(original, ".bak", n), link) {
            Ok(((), backup)) => (true, backup),
            // There are no second names here: for a moment there is no file of this name.
            Err(_) => {
                let rename = |backup: &Path| SystemDisk.rename_new(original, backup);
                (false, first_free(|n| with(original, ".bak", n), rename)?.1)
            }
        };
        sync_parent(original)?;
        if let Err(error) = fs::rename(&self.part, original) {
            let _ = match is_linked {
                true => fs::remove_file(&backup),
                false => fs::rename(&backup, original),
            };
            return Err(error);
        }
        self.is_kept = true;
        sync_parent(original)?;
        Ok(backup)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.is_kept {
            // On a disk that does not answer any more the part stays, under a name that says so.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Where the repaired file goes by default: the `n`-th name to try.
pub(super) fn beside(original: &Path, format: Format, n: u32) -> PathBuf {
    let number = if n > 1 { format!("_{n}") } else { String::new() };
    let mut name = original.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".repaired{number}{}", format.ending()));
    original.with_file_name(name)
}

/// The path with a further ending.
fn with(path: &Path, ending: &str, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    if n > 1 {
        name.push(format!("_{n}"));
    }
    name.into()
}

/// Tries names until one is not taken.
fn first_free<T>(
    name: impl Fn(u32) -> PathBuf,
    take: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(T, PathBuf)> {
    for n in 1..CANDIDATES {
        let path = name(n);
        match take(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            taken => return taken.map(|taken| (taken, path)),
        }
    }
    let path = name(CANDIDATES);
    take(&path).map(|taken| (taken, path))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| SystemDisk.sync_dir(dir))
}

#[cfg(test)]
mod tests;
