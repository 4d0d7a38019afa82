//! One FLV file on its way from creation to its end.
//!
//! Invariant: at the end of [`Segment::flush`], [`Segment::refresh`], [`Segment::finish`] and,
//! where the disk still allows it, [`Segment::abandon`], the file consists of whole tags and its
//! metadata says nothing that is not there.

use std::io;
use std::path::{Path, PathBuf};

use media::flv::mux::{self, Muxer};
use media::{Chunks, Header, Packet};

use crate::About;
use crate::disk::{Disk, DiskFile, append_all};
use crate::path::{CANDIDATES, Name};

pub(crate) struct Segment {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    muxer: Muxer,
    /// What was pushed and not yet flushed.
    out: Chunks,
    /// Bytes flushed: the size of the file, up to its last whole tag.
    size: u64,
}

impl Segment {
    /// Creates the file exclusively, under the first name that is free. Its first bytes come with
    /// the first flush.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        name: &Name,
        about: &About,
        header: &Header,
    ) -> io::Result<Self> {
        disk.create_dir_all(dir)?;
        let (path, file) = create_file(disk, dir, name)?;
        let extra = about.properties();
        let mut muxer = Muxer::new(mux::Options { extra, ..mux::Options::default() });
        let mut out = Chunks::new();
        muxer.start(header, &mut out);
        Ok(Self { file, path, muxer, out, size: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Length of what was pushed, in ms.
    pub(crate) fn duration_ms(&self) -> u64 {
        self.muxer.duration_ms()
    }

    /// Takes a packet for the next flush. One that the container cannot hold changes nothing.
    pub(crate) fn push(&mut self, packet: &Packet, time_ms: u64) -> Result<(), mux::Error> {
        self.muxer.push(packet, time_ms, &mut self.out)
    }

    /// Hands all that was pushed to the operating system and returns how many bytes that were.
    pub(crate) fn flush(&mut self) -> io::Result<u64> {
        append_all(&mut *self.file, &mut self.out)?;
        let size = self.muxer.position();
        Ok(size - std::mem::replace(&mut self.size, size))
    }

    /// Brings the metadata up to what was flushed, which must be all: duration, size, index.
    pub(crate) fn refresh(&mut self) -> io::Result<()> {
        self.file.check()?;
        for patch in self.muxer.patches() {
            self.file.write_at(patch.offset, &patch.bytes)?;
        }
        Ok(())
    }

    /// The end of a file to which everything was flushed: metadata, then the disk is waited for.
    /// All of it is tried; the first error is returned.
    pub(crate) fn finish(mut self, disk: &dyn Disk) -> io::Result<()> {
        let refreshed = self.refresh();
        let synced = self.file.sync_data();
        drop(self.file);
        let named = self.path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir));
        refreshed.and(synced).and(named)
    }

    /// The end of a file after an error of its disk: what was flushed is kept as a file that plays.
    /// One to which nothing was flushed is removed, so that a full disk does not fill with empty
    /// files.
    pub(crate) fn abandon(mut self, disk: &dyn Disk) -> io::Result<()> {
        if self.size == 0 {
            drop(self.file);
            return disk.remove(&self.path);
        }
        if self.out.is_empty() {
            return self.finish(disk);
        }
        // The muxer has counted what the file does not have: the metadata stays as it was refreshed
        // last.
        let cut = self.file.truncate(self.size);
        cut.and(self.file.sync_data())
    }
}

fn create_file(
    disk: &dyn Disk,
    dir: &Path,
    name: &Name,
) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
    for number in 1..=CANDIDATES {
        let path = dir.join(name.candidate(number));
        match disk.create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let text = format!("{CANDIDATES} files named like {} exist", name.candidate(1));
    Err(io::Error::new(io::ErrorKind::AlreadyExists, text))
}

#[cfg(test)]
mod tests;
