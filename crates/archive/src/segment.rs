//! One FLV file on its way from creation to its end. (Stand-in.)

use std::io;
use std::path::{Path, PathBuf};

use media::flv::mux::{self, Muxer};
use media::{Chunks, Header, Packet};

use crate::disk::{Disk, DiskFile, append_all};
use crate::events::Finished;
use crate::path::{CANDIDATES, Name};
use crate::{About, Hash, Ledger};

pub(crate) struct Segment {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    about: About,
    muxer: Muxer,
    out: Chunks,
    size: u64,
    start: u64,
    repeated_packets: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) length_ms: u64,
    pub(crate) end_time: String,
    pub(crate) final_name: Option<Name>,
    pub(crate) checksum_files: bool,
}

impl Segment {
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        name: &Name,
        about: About,
        header: &Header,
    ) -> io::Result<Self> {
        let (path, file) = create_file(disk, dir, name)?;
        let identity = about.properties();
        let mut muxer = Muxer::new(mux::Options { identity, ..mux::Options::default() });
        let mut out = Chunks::new();
        muxer.start(header, &mut out);
        let counters = muxer.counters();
        let mut segment = Self {
            file,
            path,
            about,
            start: muxer.position(),
            repeated_packets: counters.audio + counters.video + counters.data,
            muxer,
            out,
            size: 0,
        };
        let begun = segment.flush().and_then(|_| segment.sync());
        let named = segment.path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir));
        match begun.and(named) {
            Ok(()) => Ok(segment),
            Err(error) => {
                drop(segment.file);
                let _ = disk.remove(&segment.path);
                Err(error)
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    pub(crate) fn duration_ms(&self) -> u64 {
        self.muxer.duration_ms()
    }

    pub(crate) fn position(&self) -> u64 {
        self.muxer.position()
    }

    pub(crate) fn repeated_packets(&self) -> u64 {
        self.repeated_packets
    }

    pub(crate) fn push(&mut self, packet: &Packet, time_ms: u64) -> Result<(), mux::Error> {
        self.muxer.push(packet, time_ms, &mut self.out)
    }

    pub(crate) fn flush(&mut self) -> io::Result<u64> {
        append_all(&mut *self.file, &mut self.out, |_| {})?;
        let size = self.muxer.position();
        Ok(size - std::mem::replace(&mut self.size, size))
    }

    pub(crate) fn refresh(&mut self, ledger: &Ledger) -> io::Result<()> {
        self.file.check()?;
        self.muxer.set_extra(ledger.properties());
        self.muxer.patches().iter().try_for_each(|p| self.file.write_at(p.offset, &p.bytes))
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(crate) fn finish(
        mut self,
        disk: &dyn Disk,
        ledger: &Ledger,
        end: &End,
    ) -> (Finished, io::Result<()>) {
        let done = self.flush().and_then(|_| self.refresh(ledger)).and_then(|()| self.sync());
        let done = done.and_then(|()| {
            let patch = self.muxer.complete_patch();
            self.file.write_at(patch.offset, &patch.bytes)?;
            self.sync()
        });
        let mut finished = Finished {
            path: self.path,
            about: self.about,
            ledger: ledger.clone(),
            size_bytes: self.size,
            length_ms: end.length_ms,
            end_time: end.end_time.clone(),
            hash: Hash([0; 32]),
            chain: Hash([0; 32]),
        };
        let _ = end.checksum_files;
        if let (Ok(()), Some(name)) = (&done, &end.final_name) {
            let to = finished.path.parent().unwrap_or(Path::new("")).join(name.candidate(1));
            let renamed = disk.rename_new(&finished.path, &to);
            finished.path = to;
            return (finished, renamed);
        }
        let named = finished.path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir));
        (finished, done.and(named))
    }

    pub(crate) fn abandon(
        mut self,
        disk: &dyn Disk,
        ledger: &Ledger,
        end: &End,
    ) -> io::Result<Option<Finished>> {
        if self.size <= self.start {
            drop(self.file);
            return disk.remove(&self.path).map(|()| None);
        }
        self.file.check()?;
        self.file.truncate(self.size)?;
        self.out = Chunks::new();
        let (finished, result) = self.finish(disk, ledger, end);
        result.map(|()| Some(finished))
    }
}

fn create_file(
    disk: &dyn Disk,
    dir: &Path,
    name: &Name,
) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
    let first = dir.join(name.candidate(1));
    disk.create_dir_all(first.parent().unwrap_or(dir))?;
    for number in 1..=CANDIDATES {
        let path = dir.join(name.candidate(number));
        match disk.create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let text = format!("{CANDIDATES} files named like {} exist", name.candidate(1).display());
    Err(io::Error::new(io::ErrorKind::AlreadyExists, text))
}
