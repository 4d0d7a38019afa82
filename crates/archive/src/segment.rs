//! One file on its way from creation to its end. What its bytes are stands in `container`.
//!
//! Invariants, from the moment that [`Segment::create`] returns:
//! - The file says who it is, and that it is not complete; both are on the disk.
//! - After [`Segment::flush`] it consists of whole tags, or parts. Its metadata says nothing that was not
//!   flushed.
//! - It says that it is complete when all of it is on the disk, and not before.
//!
//! How an unfinished file is mended is in [`crate::recover`].

use std::io;
use std::path::{Path, PathBuf};

use media::{Chunks, Header, Packet};

use crate::digest::{Digest, chain, write_checksums};
use crate::disk::{Disk, DiskFile, append_all};
use crate::events::Finished;
use crate::ledger::{find, millis, number, seconds, whole};
use crate::path::{CANDIDATES, Name};
use crate::{About, Amount, Hash, Ledger, recover};

mod container;

use container::Kept;
pub(crate) use container::{Container, Form, Refusal, SAMPLES_MAX};

pub(crate) struct Segment {
    file: Box<dyn DiskFile>,
    /// Where names are below.
    dir: PathBuf,
    path: PathBuf,
    about: About,
    container: Container,
    /// What was pushed and not yet flushed.
    out: Chunks,
    /// Bytes flushed: the size of the file, up to its last whole tag or part.
    size: u64,
    /// Bytes on the disk, whatever happens.
    synced: u64,
    /// Bytes before the first packet that was pushed.
    start: u64,
    repeated_packets: u64,
    /// As far as it was flushed, and what was not.
    flushed: Special,
    pending: Special,
    digest: Digest,
    /// A sync has failed: the next one may succeed without what this one lost.
    is_doubtful: bool,
}

/// What of the packets is not as all others are: see [`Ledger`].
#[derive(Debug, Clone, Copy, Default)]
struct Special {
    merged: Amount,
    hidden: Amount,
}

/// What is known of a segment at its end only.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// Its length on the recording clock, in ms.
    pub(crate) length_ms: u64,
    /// When its last packet came, by the clock on the wall: RFC 3339 with ms and offset.
    pub(crate) end_time: String,
    /// The name that the finished file gets, if another.
    pub(crate) final_name: Option<Name>,
    /// Whether its hash is also to be in a file beside it.
    pub(crate) checksum_files: bool,
}

/// Why there is no file.
#[derive(Debug)]
pub(crate) struct NotCreated {
    pub(crate) error: io::Error,
    /// One that was begun and that the disk did not let be removed: for [`recover::mend`].
    pub(crate) left: Option<PathBuf>,
}

impl Segment {
    /// Creates the file exclusively below `dir`, under the first name that is free, and writes all
    /// that comes before the first packet. It and its name survive a power cut from here on.
    ///
    /// # Errors
    /// Those of the disk. No file is left behind, as far as the disk allows.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        name: &Name,
        about: About,
        form: Form,
        header: &Header,
    ) -> Result<Self, NotCreated> {
        let mut container = Container::new(form, about.properties());
        let repeated_packets = container.repeats(header);
        container.set_extra(extra(&Ledger { repeated_packets, ..Ledger::default() }, 0, None));
        let mut out = Chunks::new();
        container.start(header, &mut out);
        let created = first_free(disk, dir, name, |path| disk.create_new(path));
        let (path, file) = created.map_err(|error| NotCreated { error, left: None })?;
        let mut segment = Self {
            file,
            dir: dir.to_owned(),
            path,
            about,
            start: container.position(),
            repeated_packets,
            flushed: Special::default(),
            pending: Special::default(),
            digest: Digest::new(container.changing_bytes()),
            container,
            out,
            size: 0,
            synced: 0,
            is_doubtful: false,
        };
        let begun = segment.append().and_then(|_| segment.sync());
        // The metadata is the largest thing that is ever copied into it: its room is given back.
        segment.out = Chunks::new();
        match begun.and_then(|()| sync_parent(disk, &segment.path)) {
            Ok(()) => Ok(segment),
            Err(error) => {
                drop(segment.file);
                let left = disk.remove(&segment.path).is_err().then_some(segment.path);
                Err(NotCreated { error, left })
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    /// Length of what was pushed: the end of the last frame on the file's clock, in ms.
    pub(crate) fn duration_ms(&self) -> u64 {
        self.container.duration_ms()
    }

    /// Bytes of the file, with what was not yet flushed.
    pub(crate) fn position(&self) -> u64 {
        self.container.position() + self.container.open_bytes()
    }

    /// Whether another file is to begin, for this one has almost all that it can have.
    pub(crate) fn is_full(&self) -> bool {
        self.container.is_full()
    }

    /// Packets of the header that the file begins with.
    pub(crate) fn repeated_packets(&self) -> u64 {
        self.repeated_packets
    }

    /// Takes a packet for the next flush. One that the container cannot hold changes nothing.
    ///
    /// # Errors
    /// Those of [`Container::push`].
    pub(crate) fn push(&mut self, packet: &Packet, time_ms: u64) -> Result<(), Refusal> {
        let amount = Amount { packets: 1, bytes: packet.body.len() as u64 };
        match self.container.push(packet, time_ms, &mut self.out)? {
            Kept::Whole => {}
            Kept::Merged => self.pending.merged += amount,
            Kept::Hidden => self.pending.hidden += amount,
        }
        Ok(())
    }

    /// Hands all that was pushed to the operating system and returns how many bytes that were.
    ///
    /// # Errors
    /// Those of the disk. The file may end inside a tag or part then: all that is left is to
    /// [abandon](Segment::abandon) it.
    pub(crate) fn flush(&mut self) -> io::Result<u64> {
        self.container.flush(&mut self.out);
        self.append()
    }

    fn append(&mut self) -> io::Result<u64> {
        append_all(&mut *self.file, &mut self.out, |bytes| self.digest.append(bytes))?;
        self.digest.commit();
        let Special { merged, hidden } = std::mem::take(&mut self.pending);
        self.flushed.merged += merged;
        self.flushed.hidden += hidden;
        let size = self.container.position();
        Ok(size - std::mem::replace(&mut self.size, size))
    }

    /// Brings the metadata up to what was flushed, which must be all: duration, size, index, books.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn refresh(&mut self, ledger: &Ledger) -> io::Result<()> {
        self.file.check()?;
        self.container.set_extra(extra(&self.books(ledger), self.synced, None));
        patch(&mut *self.file, &self.container)
    }

    /// Whether the file is still found under its name.
    pub(crate) fn is_in_place(&mut self) -> bool {
        self.file.is_at(&self.path)
    }

    /// Waits until what was flushed is on the disk.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.is_doubtful = true;
        self.file.sync_data()?;
        self.is_doubtful = false;
        self.synced = self.size;
        Ok(())
    }

    /// The end: everything is flushed, the metadata brought up to date, and when all of that is on
    /// the disk the file is said to be complete; then it gets its final name. Returns also how it is
    /// named in the end.
    ///
    /// # Errors
    /// Those of the disk. What can be done after one is done, so a file that is not said to be
    /// complete plays all the same; [`recover::mend`] does the rest. [`io::ErrorKind::NotFound`] when the
    /// file is not under its name any more: one that was moved is whole then.
    pub(crate) fn finish(
        mut self,
        disk: &dyn Disk,
        ledger: &Ledger,
        end: &End,
    ) -> (PathBuf, io::Result<Finished>) {
        let flushed = self.flush().and_then(|_| {
            self.container.finish(&mut self.out);
            self.append()
        });
        let ledger = self.books(ledger);
        self.container.set_extra(extra(&ledger, self.synced, Some(end.length_ms)));
        let completed = match flushed {
            Ok(_) => complete(&mut *self.file, &self.container),
            Err(error) => self.file.sync_data().and(Err(error)),
        };
        let hashed = completed.and_then(|()| self.digest.finish(&mut *self.file));
        let hash =
            match hashed.and_then(|hash| in_place(&mut *self.file, &self.path).map(|()| hash)) {
                Ok(hash) => hash,
                Err(error) => {
                    // Where the directory is gone too, the first error tells more.
                    let _ = sync_parent(disk, &self.path);
                    return (self.path, Err(error));
                }
            };
        let whole = Whole {
            path: self.path,
            about: self.about,
            ledger,
            size_bytes: self.size,
            length_ms: end.length_ms,
            end_time: end.end_time.clone(),
        };
        let mut finished = whole.hashed(hash);
        let settled = settle(disk, &self.dir, &mut finished, end);
        (finished.path.clone(), settled.map(|()| finished))
    }

    /// The end after an error of the disk: what was flushed is kept and completed as a file that
    /// was recovered is. When no packet was, the file is removed, so that a full disk does not fill
    /// with empty files.
    ///
    /// # Errors
    /// Those of the disk; the file is for [`recover::mend`] when the disk works again.
    /// [`io::ErrorKind::NotFound`] for one that was moved, which is whole.
    pub(crate) fn abandon(
        mut self,
        disk: &dyn Disk,
        ledger: &Ledger,
        end: &End,
    ) -> io::Result<Left> {
        if self.size <= self.start {
            let is_in_place = self.is_in_place();
            drop(self.file);
            if is_in_place {
                disk.remove(&self.path)?;
            }
            return Ok(Left::Nothing);
        }
        match self.file.check() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Left::Deleted),
            known => known?,
        }
        self.file.truncate(self.size)?;
        if self.is_doubtful {
            return Err(io::Error::other("a sync has failed"));
        }
        self.digest.rollback();
        let ledger = &self.books(ledger);
        let Self { mut file, path, mut digest, .. } = self;
        let whole =
            recover::complete_cut(&mut *file, &path, ledger, end, |bytes| digest.append(bytes))?;
        let mut finished = whole.hashed(digest.finish(&mut *file)?);
        in_place(&mut *file, &finished.path)?;
        drop(file);
        settle(disk, &self.dir, &mut finished, end)?;
        Ok(Left::File(Box::new(finished)))
    }

    /// The books with what only the file knows.
    fn books(&self, ledger: &Ledger) -> Ledger {
        let Special { merged, hidden } = self.flushed;
        Ledger { merged, hidden, ..ledger.clone() }
    }
}

/// What is left of a segment whose disk failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Left {
    /// A whole file, with all that was flushed.
    File(Box<Finished>),
    /// Nothing: nothing was in it, and it was removed.
    Nothing,
    /// Nothing: somebody deleted it while it was written.
    Deleted,
}

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) path: PathBuf,
    pub(crate) about: About,
    pub(crate) ledger: Ledger,
    /// Bytes of the file.
    pub(crate) size_bytes: u64,
    /// Its length on the recording clock, in ms.
    pub(crate) length_ms: u64,
    /// When its last packet came, by the clock on the wall: RFC 3339 with ms and offset.
    pub(crate) end_time: String,
}

impl Whole {
    /// With its hash, and the chain that follows from it.
    pub(crate) fn hashed(self, hash: Hash) -> Finished {
        let Self { path, about, ledger, size_bytes, length_ms, end_time } = self;
        let chain = chain(about.chain_before, hash);
        Finished { path, about, ledger, size_bytes, length_ms, end_time, hash, chain }
    }
}

/// What the books, the disk and the recording clock add to the metadata. The length is known at the
/// end of a file.
pub(crate) fn extra(
    ledger: &Ledger,
    synced_bytes: u64,
    length_ms: Option<u64>,
) -> Vec<(String, media::amf0::Value)> {
    let mut extra = ledger.properties();
    extra.extend(length_ms.map(|ms| (LENGTH.to_owned(), seconds(ms))));
    extra.push((SYNCED_SIZE.to_owned(), number(synced_bytes)));
    extra
}

/// How much of a file was on the disk when its metadata was written.
pub(crate) fn synced_bytes(properties: &[(String, media::amf0::Value)]) -> u64 {
    let value = find(properties, SYNCED_SIZE).and_then(media::amf0::Value::as_f64);
    value.map(whole).unwrap_or_default()
}

/// How much of the recording clock a finished file stands for, in ms.
pub(crate) fn length_ms(properties: &[(String, media::amf0::Value)]) -> Option<u64> {
    let value = find(properties, LENGTH).and_then(media::amf0::Value::as_f64);
    value.map(|seconds| millis(seconds).unsigned_abs())
}

/// Whether the program that wrote a file ended before it was finished: the next start did that.
pub(crate) fn is_cut_off(properties: &[(String, media::amf0::Value)]) -> bool {
    find(properties, CUT_OFF) == Some(&media::amf0::Value::Boolean(true))
}

/// That of the finished file of which [`is_cut_off`] is true.
pub(crate) const CUT_OFF: &str = "cutOff";
const LENGTH: &str = "segmentLength";
const SYNCED_SIZE: &str = "syncedSize";

/// Tries the names below `dir` until one is free.
fn first_free<T>(
    disk: &dyn Disk,
    dir: &Path,
    name: &Name,
    mut take: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    if let Some(folder) = dir.join(name.candidate(1)).parent() {
        disk.create_dir_all(folder)?;
    }
    for number in 1..=CANDIDATES {
        let path = dir.join(name.candidate(number));
        match take(&path) {
            Ok(taken) => return Ok((path, taken)),
            // Locked: somebody had a look at the file as soon as it was there.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::WouldBlock
                ) => {}
            Err(error) => return Err(error),
        }
    }
    let first = name.candidate(1);
    let text = format!("{CANDIDATES} files named like {} exist", first.display());
    Err(io::Error::new(io::ErrorKind::AlreadyExists, text))
}

/// Writes the metadata.
fn patch(file: &mut dyn DiskFile, container: &Container) -> io::Result<()> {
    container.patches().iter().try_for_each(|patch| file.write_at(patch.offset, &patch.bytes))
}

/// Completes a file that has all its media: metadata, and when the disk has all, the byte that says
/// so.
pub(crate) fn complete(file: &mut dyn DiskFile, container: &Container) -> io::Result<()> {
    let checked = file.check();
    let patched = checked.and_then(|()| patch(file, container));
    let synced = file.sync_data();
    patched.and(synced)?;
    let patch = container.complete_patch();
    file.write_at(patch.offset, &patch.bytes)?;
    file.sync_data()
}

/// What is left when a file is complete: its final name, for ever, and what goes beside it.
fn settle(disk: &dyn Disk, dir: &Path, finished: &mut Finished, end: &End) -> io::Result<()> {
    let Some(name) = &end.final_name else {
        let named = sync_parent(disk, &finished.path);
        write_checksums(disk, finished, end.checksum_files);
        return named;
    };
    let renamed = first_free(disk, dir, name, |to| disk.rename_new(&finished.path, to));
    let renamed = renamed.map(|(path, ())| std::mem::replace(&mut finished.path, path));
    // The new name first, so that there is always one.
    let named = sync_parent(disk, &finished.path);
    write_checksums(disk, finished, end.checksum_files);
    let from = renamed?;
    named?;
    if from.parent() == finished.path.parent() { Ok(()) } else { sync_parent(disk, &from) }
}

/// Checks that a file is still found under its name, before anything is done there.
fn in_place(file: &mut dyn DiskFile, path: &Path) -> io::Result<()> {
    if file.is_at(path) {
        return Ok(());
    }
    let path = path.display();
    let text = format!(
        "{path} was moved or its disk unmounted; the file is whole where it is now, put it back to have it listed"
    );
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}

/// Makes the name of a file survive a power cut.
pub(crate) fn sync_parent(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
}

#[cfg(test)]
mod tests;
