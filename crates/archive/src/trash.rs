//! The bin: where deleted recordings wait for somebody who wants them back.
//!
//! `BASE/.rtmp-server/bin/RECORDING/PATH` is what was `BASE/PATH`: `BASE` is the directory that was
//! recorded to, or the highest one below it that is on the file system of the file, so that moving
//! it is one rename. A note in the directory of the recording says since when it is there. So the
//! files alone say what is in the bin and where it belongs.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::RecordingId;
use crate::catalog::DIR;
use crate::disk::{Disk, beside};
use crate::sidecar::{PART, if_there, write_whole};

const NAME: &str = "bin";
/// In the directory of a recording.
const NOTE: &str = "binned.json";
const NOTE_BYTES: usize = 4 << 10;

/// The bin of a directory.
pub(crate) fn of(base: &Path) -> PathBuf {
    base.join(DIR).join(NAME)
}

/// Which recording a directory in the bin is of.
pub(crate) fn recording(dir: &Path) -> Option<RecordingId> {
    dir.file_name()?.to_str()?.parse().ok()
}

/// Where a file is in the bin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The directory of its recording.
    pub(crate) dir: PathBuf,
    /// It.
    pub(crate) path: PathBuf,
}

/// Where the file at `path` goes, which is in one of `roots`.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when it is in none; those of the disk.
pub(crate) fn place(
    disk: &dyn Disk,
    roots: &[PathBuf],
    path: &Path,
    id: RecordingId,
) -> io::Result<Place> {
    let within = roots.iter().filter(|root| path.starts_with(root));
    let root = within.max_by_key(|root| root.components().count());
    let root = root.ok_or(io::ErrorKind::InvalidInput)?;
    let folder = path.parent().unwrap_or(path);
    let device = disk.space(folder)?.device;
    let mut base = folder;
    for dir in folder.ancestors().take_while(|dir| dir.starts_with(root)) {
        if disk.space(dir)?.device != device {
            break;
        }
        base = dir;
    }
    let dir = of(base).join(id.to_string());
    let below = path.strip_prefix(base).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(Place { path: dir.join(below), dir })
}

/// Notes that a recording goes to the bin, and since when it is there, unless that is noted.
///
/// # Errors
/// Those of the disk.
pub(crate) fn note(disk: &dyn Disk, dir: &Path, now_unix_ms: i64) -> io::Result<()> {
    let since = since(disk, dir);
    if since.is_some() && !is_leaving(disk, dir) {
        return Ok(());
    }
    disk.create_dir_all(dir)?;
    let binned = timestamp(since.unwrap_or(now_unix_ms));
    write(disk, dir, &serde_json::json!({ "binned": binned }))
}

/// Notes that a recording leaves the bin, which it goes on with after a crash.
///
/// # Errors
/// Those of the disk.
pub(crate) fn note_leaving(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let binned = since(disk, dir).map(timestamp);
    write(disk, dir, &serde_json::json!({ "binned": binned, "restoring": true }))
}

/// Whether a recording leaves the bin, rather than that it goes there.
pub(crate) fn is_leaving(disk: &dyn Disk, dir: &Path) -> bool {
    read(disk, dir).and_then(|note| note.get("restoring")?.as_bool()).unwrap_or_default()
}

/// Since when a recording is in the bin, in ms since 1970, as far as that is noted.
pub(crate) fn since(disk: &dyn Disk, dir: &Path) -> Option<i64> {
    let binned: Timestamp = read(disk, dir)?.get("binned")?.as_str()?.parse().ok()?;
    Some(binned.as_millisecond())
}

fn timestamp(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).unwrap_or_default().to_string()
}

fn read(disk: &dyn Disk, dir: &Path) -> Option<serde_json::Value> {
    let mut text = vec![0; NOTE_BYTES];
    let read = disk.read_head(&dir.join(NOTE), &mut text).ok()?;
    serde_json::from_slice(text.get(..read)?).ok()
}

fn write(disk: &dyn Disk, dir: &Path, note: &serde_json::Value) -> io::Result<()> {
    write_whole(disk, &dir.join(NOTE), &format!("{note:#}\n"))
}

/// Removes the directory of a recording in the bin, as far as nothing is in it any more, beginning
/// with `folder`.
pub(crate) fn tidy(disk: &dyn Disk, dir: &Path, folder: &Path) {
    for folder in folder.ancestors().take_while(|folder| *folder != dir && folder.starts_with(dir))
    {
        if disk.remove_dir(folder).is_err() {
            return;
        }
    }
    let note = dir.join(NOTE);
    let notes = [beside(&note, PART), note];
    let is_last =
        disk.list(dir).is_ok_and(|entries| entries.iter().all(|entry| notes.contains(&entry.path)));
    if is_last && notes.iter().all(|note| if_there(disk.remove(note)).is_ok()) {
        let _ = disk.remove_dir(dir);
        let _ = dir.parent().map(|bin| disk.remove_dir(bin));
    }
}

/// Removes the directory of a recording in the bin, and folders in it, as far as no file is in it.
pub(crate) fn sweep(disk: &dyn Disk, dir: &Path) {
    let mut folders = vec![dir.to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = folders.get(looked_at) {
        let entries = disk.list(folder).unwrap_or_default();
        folders.extend(entries.into_iter().filter(|e| e.is_dir).map(|entry| entry.path));
        looked_at += 1;
    }
    for folder in folders.iter().skip(1).rev() {
        let _ = disk.remove_dir(folder);
    }
    tidy(disk, dir, dir);
}

#[cfg(test)]
mod tests;
