//! The small files beside a segment: what was made for it, and what people want of it.
//!
//! `NAME.flv.hold` keeps it from being deleted; `NAME.flv.labels`, beside the first segment of a
//! recording, has the recording's labels where they are not those that it began with.

use std::io;
use std::path::Path;

use crate::disk::{Disk, beside, write_new};
use crate::{Format, Labels, check_labels};

/// Beside a segment that nobody may delete.
pub(crate) const HOLD: &str = ".hold";
/// Beside a segment that was copied elsewhere.
pub(crate) const COPIED: &str = ".copied";
/// Beside the first segment of a recording.
pub(crate) const LABELS: &str = ".labels";
/// What goes where a segment goes, and with it; but what holds it.
pub(crate) const FOLLOWERS: [&str; 4] = [".b3", ".chain", COPIED, LABELS];

/// Whether a file is one that belongs to a recording's file beside it, by its name.
pub fn is_sidecar(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of = |end: &&str| name.strip_suffix(end);
    let of = [HOLD].iter().chain(&FOLLOWERS).find_map(of);
    of.is_some_and(|of| Format::of(Path::new(of)).is_some())
}

/// What a small file ends with before it is whole.
pub(crate) const PART: &str = ".part";

/// Bytes of a label file: 32 labels at most, and room for how JSON writes them.
const LABELS_BYTES: usize = 64 << 10;
/// Reads the labels beside the segment at `path`; `None` when there is no file with them.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] for a file that has none in it; those of the disk.
pub(crate) fn read_labels(disk: &dyn Disk, path: &Path) -> io::Result<Option<Labels>> {
    let mut text = vec![0; LABELS_BYTES];
    let read = match disk.read_head(&beside(path, LABELS), &mut text) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let labels: Labels = serde_json::from_slice(text.get(..read).unwrap_or_default())
        .map_err(|_| invalid("expected a JSON object of texts".to_owned()))?;
    check_labels(&labels).map_err(|error| invalid(error.to_string()))?;
    Ok(Some(labels))
}

/// Writes the labels beside the segment at `path`: all of them or, when it fails, nothing.
///
/// # Errors
/// Those of the disk.
pub(crate) fn write_labels(disk: &dyn Disk, path: &Path, labels: &Labels) -> io::Result<()> {
    write_whole(disk, &beside(path, LABELS), &format!("{:#}\n", serde_json::json!(labels)))
}

/// Replaces a small file in one step.
///
/// # Errors
/// Those of the disk.
pub(crate) fn write_whole(disk: &dyn Disk, path: &Path, text: &str) -> io::Result<()> {
    let part = beside(path, PART);
    // Left by a process that was killed.
    if_there(disk.remove(&part))?;
    write_new(disk, &part, text)?;
    disk.rename(&part, path).inspect_err(|_| {
        let _ = disk.remove(&part);
    })?;
    disk.sync_dir(path.parent().unwrap_or(path))
}

/// Holds the segment at `path`.
///
/// # Errors
/// Those of the disk.
pub(crate) fn hold(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match write_new(disk, &beside(path, HOLD), "") {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => disk.sync_dir(path.parent().unwrap_or(path)),
    }
}

/// Releases the segment at `path`.
///
/// # Errors
/// Those of the disk.
pub(crate) fn release(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    if_there(disk.remove(&beside(path, HOLD)))
}

/// Whether the segment at `path` is held.
///
/// # Errors
/// Those of the disk.
pub(crate) fn is_held(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    match disk.entry(&beside(path, HOLD)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        entry => entry.map(|_| true),
    }
}

/// Moves what goes with a segment. One that is there already stays.
///
/// # Errors
/// Those of the disk.
pub(crate) fn follow(disk: &dyn Disk, from: &Path, to: &Path, ends: &[&str]) -> io::Result<()> {
    for end in ends {
        match disk.rename_new(&beside(from, end), &beside(to, end)) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                ) => {}
            moved => moved?,
        }
    }
    Ok(())
}

/// What is not there needs not be removed.
pub(crate) fn if_there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
