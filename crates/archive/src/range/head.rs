//! What a segment's file says in its first tag.

use std::io;

use media::amf0::Value;

use super::index::{Index, TrackPlaces};
use super::{Cause, Gone, Segment};
use crate::ledger::{find, millis, whole};
use crate::script::Script;
use crate::{About, Disk, DiskFile, Format, Gap, Ledger, segment};

/// Bytes that are read at first: more than the metadata of our files takes.
const FIRST_BYTES: usize = 64 << 10;
/// Largest metadata that is read, in bytes.
const BYTES_MAX: u64 = 8 << 20;

/// The start of a file.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) about: About,
    /// The first gaps inside the file, on its own clock.
    pub(super) gaps: Vec<Gap>,
    /// Packets of the header that it begins with, at most.
    pub(super) repeated: u64,
    /// What it says, without what is where.
    pub(super) properties: Vec<(String, Value)>,
    /// Whether it was finished.
    pub(super) is_complete: bool,
    /// Whether it is as long as it says: false while it grows.
    pub(super) is_whole: bool,
    /// Bytes of the file when it was looked at.
    pub(super) size_bytes: u64,
    /// Where the first tag after the metadata, or the first part, begins.
    pub(super) data_start: u64,
    /// How long it is, in ms; `None` before it is finished.
    pub(super) length_ms: Option<u64>,
    /// How long it was when that was last written into it, in ms.
    pub(super) at_least_ms: u64,
    pub(super) has_video: bool,
    pub(super) has_audio: bool,
    pub(super) index: Index,
    /// Where its tracks are, as far as it says: files of earlier versions do not.
    pub(super) tracks: Vec<TrackPlaces>,
    pub(super) format: Format,
    /// Where the tracks of an MP4 file stand.
    pub(super) tracks_at: u64,
}

impl Head {
    /// Opens the file of a segment, which it must be.
    ///
    /// # Errors
    /// Why it is not to be had.
    pub(super) fn open(
        disk: &dyn Disk,
        segment: &Segment,
    ) -> Result<(Self, Box<dyn DiskFile>), Cause> {
        match segment.gone {
            Some(Gone::Deleted) => return Err(Cause::Deleted),
            Some(Gone::Missing) => return Err(Cause::Missing),
            None => {}
        }
        let mut file = disk.open_read(&segment.path).map_err(|error| Cause::of(&error))?;
        let head = Self::read(&mut *file).map_err(|error| Cause::of(&error))?;
        let is_it = |head: &Self| {
            (head.about.recording, head.about.segment) == (segment.recording, segment.number)
        };
        match head {
            None if segment.length_ms.is_some() => Err(Cause::Damaged),
            head => Ok((head.filter(is_it).ok_or(Cause::Missing)?, file)),
        }
    }

    /// Reads it; `None` for a file that this program did not record.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn read(file: &mut dyn DiskFile) -> io::Result<Option<Self>> {
        let size_bytes = file.size()?;
        let mut start = vec![0; FIRST_BYTES];
        let read = file.read_at(0, &mut start)?;
        start.truncate(read);
        let Some(mut script) = Script::read(&start) else { return Ok(None) };
        let wanted = script.end.min(BYTES_MAX).min(size_bytes);
        if wanted > start.len() as u64 {
            start.resize(usize::try_from(wanted).unwrap_or(FIRST_BYTES), 0);
            let read = file.read_at(0, &mut start)?;
            start.truncate(read);
            let Some(all) = Script::read(&start) else { return Ok(None) };
            script = all;
        }
        let data_start = script.start(file)?.unwrap_or(size_bytes);
        let (format, tracks_at) = (script.format, script.tracks_at());
        let head = Self::of_properties(script.into_properties(), size_bytes, data_start);
        Ok(head.map(|head| Self { format, tracks_at, ..head }))
    }

    fn of_properties(
        mut properties: Vec<(String, Value)>,
        size_bytes: u64,
        data_start: u64,
    ) -> Option<Self> {
        let about = About::from_properties(&properties)?;
        let ledger = Ledger::from_properties(&properties).unwrap_or_default();
        let flag = |name: &str| find(&properties, name).and_then(Value::as_bool);
        let is_complete = flag("complete").unwrap_or_default();
        let (has_video, has_audio) =
            (flag("hasVideo").unwrap_or_default(), flag("hasAudio").unwrap_or_default());
        let declared = find(&properties, "filesize").and_then(Value::as_f64).map(whole);
        let duration = find(&properties, "duration").and_then(Value::as_f64);
        let length_ms = segment::length_ms(&properties)
            .or(duration.map(|seconds| millis(seconds).unsigned_abs()));
        let index = find(&properties, "keyframes").map(Index::of_property).unwrap_or_default();
        let tracks = find(&properties, "trackPlaces").map(TrackPlaces::of_property);
        let is_of_places = |name: &str| matches!(name, "keyframes" | "trackPlaces");
        properties.retain(|(name, _)| !is_of_places(name) && !name.starts_with("padding"));
        Some(Self {
            about,
            gaps: ledger.gaps,
            repeated: ledger.repeated_packets,
            properties,
            is_complete,
            is_whole: is_complete && declared == Some(size_bytes),
            size_bytes,
            data_start,
            length_ms: length_ms.filter(|_| is_complete),
            at_least_ms: length_ms.unwrap_or_default(),
            has_video,
            has_audio,
            index,
            tracks: tracks.unwrap_or_default(),
            format: Format::default(),
            tracks_at: 0,
        })
    }
}
