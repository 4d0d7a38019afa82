//! Where an export goes: a file that has its name only when it is whole, or standard output.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use archive::{Disk as _, SystemDisk};
use jiff::Timestamp;

use crate::command::Error;
use crate::command::format::path as shown;

/// Most names that are tried for the file on its way.
const CANDIDATES: u32 = 1_000;

/// Where it is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Stdout,
    File { path: PathBuf, overwrite: bool },
}

/// It, on its way. What is dropped before it was kept is removed.
#[derive(Debug)]
pub(super) struct Output {
    target: Target,
    part: Option<(PathBuf, File)>,
}

impl Output {
    /// Begins it.
    ///
    /// # Errors
    /// Where a file is there and is not to be overwritten; where standard output is a terminal, which
    /// shows no pictures; those of the disk.
    pub(super) fn create(target: Target) -> Result<Self, Error> {
        let Target::File { path, overwrite } = &target else {
            return match io::stdout().is_terminal() {
                true => Err("standard output is a terminal; -o FILE writes a file".into()),
                false => Ok(Self { target, part: None }),
            };
        };
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        for n in 1..=CANDIDATES {
            let part = part_of(path, n);
            match File::create_new(&part) {
                Ok(file) => return Ok(Self { part: Some((part, file)), target }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(path, &error)),
            }
        }
        Err(failed(path, &io::ErrorKind::AlreadyExists.into()))
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// Those of the disk, or that nobody reads.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match (&mut self.part, &self.target) {
            (Some((_, file)), Target::File { path, .. }) => {
                file.write_all(bytes).map_err(|error| failed(path, &error))
            }
            _ => io::stdout().write_all(bytes).map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => "nobody reads standard output any more".into(),
                _ => format!("cannot write to standard output: {}", archive::words(&error)).into(),
            }),
        }
    }

    /// Begins anew, where that can be done.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn rewind(&mut self) -> Result<bool, Error> {
        let (Some((_, file)), Target::File { path, .. }) = (&mut self.part, &self.target) else {
            return Ok(false);
        };
        let rewound = file.set_len(0).and_then(|()| file.rewind());
        rewound.map_err(|error| failed(path, &error))?;
        Ok(true)
    }

    /// Gives it its name, which is returned; standard output has none.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn keep(mut self) -> Result<Option<PathBuf>, Error> {
        let Target::File { path, overwrite } = self.target.clone() else {
            let flushed = io::stdout().flush();
            flushed.map_err(|error| archive::words(&error))?;
            return Ok(None);
        };
        let Some((part, file)) = &self.part else { return Ok(None) };
        let kept = file.sync_all().and_then(|()| match overwrite {
            true => fs::rename(part, &path),
            false => SystemDisk.rename_new(part, &path),
        });
        match kept {
            Ok(()) => self.part = None,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(exists(&path));
            }
            Err(error) => return Err(failed(&path, &error)),
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        // The file is there; whether its name survives a power cut is the system's matter now.
        let _ = SystemDisk.sync_dir(dir.unwrap_or(Path::new(".")));
        Ok(Some(path))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((part, file)) = self.part.take() {
            drop(file);
            // Nobody is there to be told, and its name says that it is not whole.
            let _ = fs::remove_file(part);
        }
    }
}

/// `FILE.part`, `FILE.part_2`, …
fn part_of(path: &Path, n: u32) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    if n > 1 {
        part.push(format!("_{n}"));
    }
    part.into()
}

fn exists(path: &Path) -> Error {
    format!("{} exists already; -overwrite puts the new file into its place", shown(path)).into()
}

fn failed(path: &Path, error: &io::Error) -> Error {
    format!("cannot write {}: {}", shown(path), archive::words(error)).into()
}

/// A name for a file of `stream` that begins then: `live_test_20261129_200000.flv`. It has no sign
/// that leads elsewhere.
pub(super) fn name(stream: &str, start_unix_ms: i64, format: &str) -> String {
    /// Bytes of the stream's name that go into it.
    const STREAM_BYTES: usize = 128;
    let mut name = String::new();
    for c in stream.chars() {
        let is_plain = c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let c = if is_plain && !(c == '.' && name.is_empty()) { c } else { '_' };
        if name.len() + c.len_utf8() > STREAM_BYTES {
            break;
        }
        name.push(c);
    }
    if let Ok(start) = Timestamp::from_millisecond(start_unix_ms)
        && start_unix_ms > i64::MIN
    {
        let start = start.to_zoned(jiff::tz::TimeZone::system());
        name.push_str(&start.strftime("_%Y%m%d_%H%M%S").to_string());
    }
    format!("{name}.{format}")
}

#[cfg(test)]
mod tests;
