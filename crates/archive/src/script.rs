//! What a file says of itself in its first bytes, whatever its format.

use std::io;

use media::amf0::Value;
use media::flv::meta::{self, Region};
use media::flv::tag::FILE_HEADER;
use media::mp4;

use crate::{About, DiskFile, Format};

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Script {
    pub(crate) format: Format,
    /// The byte behind it: where the first tag begins, or of MP4 the 16 bytes that become the head
    /// of an `mdat`.
    pub(crate) end: u64,
    region: Region,
}

/// Bytes between what an MP4 file says of itself and its tracks: they become the head of an `mdat`.
pub(crate) const ROOM_BYTES: usize = 16;

impl Script {
    /// Reads the first bytes of a file, which need not be all of it, torn as it may be; `None` when
    /// it does not begin as a recording does.
    pub(crate) fn read(start: &[u8]) -> Option<Self> {
        if let Some(region) = meta::region(start) {
            let end = (FILE_HEADER.len() as u64).saturating_add(region.size_bytes);
            return Some(Self { format: Format::Flv, end, region });
        }
        let region = mp4::mux::region(start)?;
        Some(Self { format: Format::Mp4, end: region.size_bytes, region })
    }

    /// What could be read, in its order.
    pub(crate) fn properties(&self) -> &[(String, Value)] {
        &self.region.properties
    }

    /// The same.
    pub(crate) fn into_properties(self) -> Vec<(String, Value)> {
        self.region.properties
    }

    /// The value of the first property called so.
    pub(crate) fn property(&self, name: &str) -> Option<&Value> {
        self.region.property(name)
    }

    /// As [`media::flv`] tells it.
    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    /// Whose file it is; `None` for one that this program did not record.
    pub(crate) fn about(&self) -> Option<About> {
        About::from_properties(self.properties())
    }

    /// Where an MP4 file says which tracks it has.
    pub(crate) fn tracks_at(&self) -> u64 {
        self.end.saturating_add(ROOM_BYTES as u64)
    }

    /// Where the first tag begins, or the first part. `None` when the file ends before that.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn start(&self, file: &mut dyn DiskFile) -> io::Result<Option<u64>> {
        if self.format == Format::Flv {
            return Ok(Some(self.end));
        }
        let tracks = self.tracks_at();
        let mut head = [0; 8];
        let is_there = file.read_at(tracks, &mut head)? == head.len();
        let [a, b, c, d, name @ ..] = head;
        let is_tracks = is_there && name == *b"moov";
        Ok(is_tracks.then(|| tracks.saturating_add(u32::from_be_bytes([a, b, c, d]).into())))
    }
}
