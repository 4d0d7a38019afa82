//! A range as a file.

use std::path::Path;

use media::Chunks;

use super::{Error, Info, Range, Source};
use crate::disk::append_all;
use crate::{Disk, words};

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes written.
    pub done_bytes: u64,
    /// Bytes of the whole file.
    pub total_bytes: u64,
}

/// A file that was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// What it is.
    pub info: Info,
    /// How often it was begun anew, because a segment changed meanwhile.
    pub retries: u32,
}

/// So often an export is begun anew.
const RETRIES_MAX: u32 = 3;

/// Writes a range of `source` as one FLV file, which must not exist, below a directory that does.
/// `go_on` is asked after each piece, and told how far it is. A file that was not written to its end
/// is removed, as far as the disk allows.
///
/// # Errors
/// [`Error`]; [`Error::Stopped`] when `go_on` says no.
pub fn export(
    source: &Source,
    range: Range,
    disk: &dyn Disk,
    output: &Path,
    go_on: &mut dyn FnMut(Progress) -> bool,
) -> Result<Exported, Error> {
    let failed =
        |error: &std::io::Error| Error::Output { path: output.to_owned(), reason: words(error) };
    // Before the file is made: there may be nothing to write.
    let mut flv = source.flv(range)?;
    let mut file = disk.create_new(output).map_err(|error| failed(&error))?;
    let mut write = || {
        let mut chunks = Chunks::new();
        let mut retries = 0;
        loop {
            let total_bytes = flv.info().size_bytes;
            let mut done_bytes = 0;
            let mut changed = None;
            for piece in flv.by_ref() {
                let piece = match piece {
                    Err(error @ Error::Changed { .. }) if retries < RETRIES_MAX => {
                        changed = Some(error);
                        break;
                    }
                    piece => piece?,
                };
                done_bytes += piece.len() as u64;
                chunks.put(piece);
                append_all(&mut *file, &mut chunks, |_| {}).map_err(|error| failed(&error))?;
                if !go_on(Progress { done_bytes, total_bytes }) {
                    return Err(Error::Stopped);
                }
            }
            if changed.is_none() {
                file.sync_data().map_err(|error| failed(&error))?;
                return Ok(Exported { info: flv.info().clone(), retries });
            }
            retries += 1;
            file.truncate(0).map_err(|error| failed(&error))?;
            flv = source.flv(range)?;
        }
    };
    let result = write();
    if result.is_err() {
        drop(file);
        let _ = disk.remove(output);
    }
    result
}
