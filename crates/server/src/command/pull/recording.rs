//! The file that a pulled stream becomes.

use std::fs::{self, File};
use std::io::{self, IoSlice, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::flv::mux::{self, Muxer, Options};
use media::time::{Rebase, Unwrap};
use media::{Chunks, Kind, Role};

use crate::command::format::{self, count, mean_rate, size, time};

/// What was received reaches the operating system at each key frame and after this time at the
/// latest.
const FLUSH: Duration = Duration::from_secs(1);
/// Bytes that wait for a flush at most.
const FLUSH_BYTES: usize = 1 << 20;
/// Parts of one vectored write.
const SLICES: usize = 128;

/// Why the recording cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("{path} exists already and is not overwritten; choose another name or remove it")]
    Exists { path: String },
    #[error("cannot create {path}: {source}")]
    Create { path: String, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: io::Error },
    #[error("{path} is as long as an FLV file can be: {source}")]
    Full { path: String, source: mux::Error },
}

/// An FLV file that grows. At every flush it ends with a whole tag.
pub(super) struct Recording {
    /// Made when there is audio or video for it, so that no end leaves an empty one.
    file: Option<File>,
    path: PathBuf,
    muxer: Muxer,
    unwrap: Unwrap,
    rebase: Rebase,
    out: Chunks,
    flushed: Instant,
    /// Bytes flushed, up to the last whole tag.
    size_bytes: u64,
    has_media: bool,
    has_key: bool,
    is_broken: bool,
    /// Video frames before the first key frame, which nobody could decode.
    skipped: u64,
}

impl Recording {
    /// Finds out whether the file can be made; one that exists is left alone.
    pub(super) fn create(path: &Path) -> Result<Self, RecordError> {
        let tried = File::create_new(path).and_then(|_| fs::remove_file(path));
        tried.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => RecordError::Exists { path: format::path(path) },
            _ => RecordError::Create { path: format::path(path), source },
        })?;
        Ok(Self {
            file: None,
            path: path.to_owned(),
            muxer: Muxer::new(Options::default()),
            unwrap: Unwrap::default(),
            rebase: Rebase::default(),
            out: Chunks::new(),
            flushed: Instant::now(),
            size_bytes: 0,
            has_media: false,
            has_key: false,
            is_broken: false,
            skipped: 0,
        })
    }

    /// Records a message. `false`, and the message is not recorded, when it begins at `end_ms` or
    /// later.
    pub(super) fn push(
        &mut self,
        now: Instant,
        kind: Kind,
        timestamp: u32,
        body: Bytes,
        end_ms: Option<u64>,
    ) -> Result<bool, RecordError> {
        let packet = self.unwrap.packet(kind, timestamp, body);
        let is_key = packet.role == Role::Key;
        self.has_key |= is_key;
        if packet.kind == Kind::Video && packet.is_media() && !self.has_key {
            self.skipped += 1;
            return Ok(true);
        }
        let time_ms = self.rebase.map(&packet);
        // An event may be ahead of the frames.
        if end_ms.is_some_and(|end_ms| self.rebase.newest_ms() >= end_ms) {
            return Ok(false);
        }
        self.has_media |= packet.is_media();
        let pushed = self.muxer.push(&packet, time_ms, &mut self.out);
        pushed.map_err(|source| RecordError::Full { path: format::path(&self.path), source })?;
        if is_key || self.out.len() >= FLUSH_BYTES {
            self.flush(now)?;
        }
        Ok(true)
    }

    /// To be called several times a second.
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), RecordError> {
        let is_due = self.has_media && now.duration_since(self.flushed) >= FLUSH;
        if is_due { self.flush(now) } else { Ok(()) }
    }

    /// Whether any audio or video was recorded.
    pub(super) fn has_media(&self) -> bool {
        self.has_media
    }

    pub(super) fn duration_ms(&self) -> u64 {
        self.muxer.duration_ms()
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.muxer.position()
    }

    /// Ends the file: the rest of the stream, then the metadata and the index, then the disk is
    /// waited for. Returns what became of it. A file without audio and video is removed.
    pub(super) fn finish(mut self) -> Result<String, RecordError> {
        let path = format::path(&self.path);
        if !self.has_media || self.is_broken && self.size_bytes == 0 {
            return match self.file.take().map_or(Ok(()), |_| fs::remove_file(&self.path)) {
                Ok(()) => Ok(format!("nothing was recorded; {path} was not kept")),
                Err(source) => Err(RecordError::Write { path, source }),
            };
        }
        if !self.is_broken {
            self.flush(Instant::now())?;
            self.patch().map_err(|source| RecordError::Write { path: path.clone(), source })?;
        }
        let counters = self.muxer.counters();
        let duration_ms = self.muxer.duration_ms();
        let mut text = format!(
            "recorded {path}: {}, {}, {}, {} and {}",
            time(duration_ms),
            size(self.size_bytes),
            mean_rate(self.size_bytes, Duration::from_millis(duration_ms)),
            count(counters.video, "video packet"),
            count(counters.audio, "audio packet"),
        );
        if self.skipped > 0 {
            let skipped = count(self.skipped, "video packet");
            text += &format!("; {skipped} before the first key frame left out");
        }
        Ok(text)
    }

    fn flush(&mut self, now: Instant) -> Result<(), RecordError> {
        self.flushed = now;
        if let Err(source) = self.write() {
            self.is_broken = true;
            // The file plays as far as its last whole tag; if even that fails, it plays as far as
            // it goes.
            let _ = self.file.as_ref().map(|file| file.set_len(self.size_bytes));
            return Err(RecordError::Write { path: format::path(&self.path), source });
        }
        self.size_bytes = self.muxer.position();
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::create_new(&self.path)?),
        };
        while !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.out.fill(&mut slices);
            match file.write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.out.advance(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn patch(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        // That it is complete is the last thing that the file says.
        for patches in [self.muxer.patches(), vec![self.muxer.complete_patch()]] {
            for patch in patches {
                file.seek(SeekFrom::Start(patch.offset))?;
                file.write_all(&patch.bytes)?;
            }
            file.sync_data()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
