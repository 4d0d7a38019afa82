//! What has to be known of a segment in order to read it.

use std::io;
use std::path::{Path, PathBuf};

use super::head::Head;
use crate::catalog::{self, State};
use crate::{Disk, RecordingId};

/// A segment, as a catalog or its own file tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its file.
    pub path: PathBuf,
    /// The recording that it is part of.
    pub recording: RecordingId,
    /// Its number in the recording, from 1.
    pub number: u32,
    /// The stream, `app/name`.
    pub stream_key: String,
    /// The name of the recorder that made it.
    pub recorder: String,
    /// Whether it is a clip.
    pub is_clip: bool,
    /// When it begins, by the clock on the wall, in ms since 1970.
    pub start_unix_ms: i64,
    /// When it begins on the recording clock, in ms.
    pub start_ms: u64,
    /// How long it is, in ms; `None` while it is not finished.
    pub length_ms: Option<u64>,
    /// How long it is at least, in ms: so far, while it is not finished.
    pub at_least_ms: u64,
    /// Why there is no file, where that is known.
    pub gone: Option<Gone>,
}

/// Why a segment has no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It was deleted.
    Deleted,
    /// It is not where it was.
    Missing,
}

impl Segment {
    /// Reads what the file at `path` says of itself; `None` for one that this program did not
    /// record.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn of_file(disk: &dyn Disk, path: &Path) -> io::Result<Option<Self>> {
        let mut file = disk.open_read(path)?;
        let Some(head) = Head::read(&mut *file)? else { return Ok(None) };
        let Some(start_unix_ms) = catalog::unix_ms(&head.about.start_time) else {
            return Ok(None);
        };
        Ok(Some(Self {
            path: path.to_owned(),
            recording: head.about.recording,
            number: head.about.segment,
            stream_key: head.about.stream_key,
            recorder: head.about.recorder,
            is_clip: head.about.is_clip,
            start_unix_ms,
            start_ms: head.about.start_ms,
            length_ms: head.length_ms,
            at_least_ms: head.at_least_ms,
            gone: None,
        }))
    }
}

impl From<&catalog::Segment> for Segment {
    fn from(known: &catalog::Segment) -> Self {
        Self {
            path: known.path.clone(),
            recording: known.recording,
            number: known.number,
            stream_key: known.stream_key.clone(),
            recorder: known.recorder.clone(),
            is_clip: known.is_clip,
            start_unix_ms: known.start_unix_ms,
            start_ms: known.start_ms,
            length_ms: (known.state != State::Open).then_some(known.length_ms),
            at_least_ms: known.length_ms,
            gone: match known.state {
                State::Open | State::Finished => None,
                State::Deleted => Some(Gone::Deleted),
                _ => Some(Gone::Missing),
            },
        }
    }
}
