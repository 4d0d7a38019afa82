//! What a file says of itself in its first bytes.

use std::io;

use media::amf0::Value;

use crate::disk::DiskFile;
use crate::ledger::{find, millis};
use crate::script::Script;
use crate::segment::is_cut_off;
use crate::{About, Ledger, RecordingId};

/// Bytes that are read of a file: identity and books stand at the start of its metadata.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// A file of ours.
pub(super) struct Head {
    pub(super) about: About,
    pub(super) ledger: Option<Ledger>,
    /// Its length in ms.
    pub(super) length_ms: u64,
    /// Whether it is whole: written to its end, or recovered.
    pub(super) is_complete: bool,
    /// Whether it was recovered after its writer was cut off.
    pub(super) is_cut_off: bool,
}

/// Reads the start of a file; `None` for one that this program did not record.
pub(super) fn read(start: &[u8]) -> Option<Head> {
    // Torn as it may be while the file grows: what comes first never changes.
    let properties = Script::read(start)?.into_properties();
    Some(Head {
        about: About::from_properties(&properties)?,
        ledger: Ledger::from_properties(&properties),
        length_ms: find(&properties, "duration")
            .and_then(Value::as_f64)
            .map(millis)
            .unwrap_or_default()
            .unsigned_abs(),
        is_complete: find(&properties, "complete").and_then(Value::as_bool).unwrap_or_default(),
        is_cut_off: is_cut_off(&properties),
    })
}

/// Which segment a file is; `None` for one that this program did not record.
///
/// # Errors
/// Those of the disk.
pub(crate) fn identity(file: &mut dyn DiskFile) -> io::Result<Option<(RecordingId, u32)>> {
    let mut start = vec![0; HEAD_BYTES];
    let read = file.read_at(0, &mut start)?;
    let head = start.get(..read).and_then(self::read);
    Ok(head.map(|head| (head.about.recording, head.about.segment)))
}

#[cfg(test)]
mod tests;
