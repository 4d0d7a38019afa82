//! One file that may be unfinished: what it is, and how it is completed.

use std::io;
use std::path::Path;

use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, fmt::temporal::Pieces};
use media::Chunks;
use media::amf0::Value;
use media::flv::mux::{Options, Restore, Restored};
use media::flv::scan::{Bodies, Item, Scanner};
use media::flv::tag::{FILE_HEADER, OVERHEAD, TagHeader};
use media::mp4::mux::SCRIPT_ID;

use super::free_beside;
use super::parts::{self, Growing};
use crate::disk::{Disk, DiskFile, append_all};
use crate::ledger::whole;
use crate::script::Script;
use crate::segment::{
    CUT_OFF, Container, End, Whole, complete, extra, length_ms, sync_parent, synced_bytes,
};
use crate::{About, Amount, Format, Ledger};

/// Why a file is set aside that has nothing behind its beginning.
pub(super) const BARE: &str = "nothing was written behind its metadata";
/// Read first: identity, `complete` and `filesize` are in it. An identity has at most 18 KiB, of
/// which a stream key takes 4 and labels 11.
const HEAD_BYTES: usize = 20 << 10;
/// Most bytes of the end of a file that are written anew: what a recorder may be behind by default.
const AGAIN_MAX: u64 = 64 << 20;
/// Read at once where all of a file is read.
pub(super) const READ_BYTES: usize = 1 << 20;
/// What a disk loses, it loses in units of this size, or of a multiple of it.
const PAGE: usize = 4_096;
/// How much of the end of a file is read for pages that were lost. A system writes data back after
/// half a minute, asked to or not: at 250 Mbit/s.
const UNSYNCED_MAX: u64 = 1 << 30;

/// What a file is.
pub(super) enum Found {
    /// Somebody else's.
    Foreign,
    /// Ours, and nothing can be made of it, for this reason.
    Broken(&'static str),
    Complete(Known),
    Unfinished(Known),
}

/// What a file says of itself.
pub(super) struct Known {
    about: About,
    ledger: Option<Ledger>,
    script: Script,
    /// Where the first tag or part begins.
    start: u64,
    /// Bytes of the file.
    size: u64,
}

/// Reads the beginning of a file.
///
/// # Errors
/// Those of the disk.
pub(super) fn examine(file: &mut dyn DiskFile) -> io::Result<Found> {
    let size = file.size()?;
    let head = read(file, 0, HEAD_BYTES)?;
    let Some((about, script)) = identify(&head) else {
        return Ok(match begun(file, &head, size)? {
            Some(reason) => Found::Broken(reason),
            None => Found::Foreign,
        });
    };
    let says_complete = script.property("complete").and_then(Value::as_bool);
    let is_complete = says_complete != Some(false) && filesize(&script) == Some(size);
    let start = script.start(file)?.filter(|start| *start <= size);
    let Some(start) = start.or(is_complete.then_some(size)) else {
        return Ok(Found::Broken("it ends inside its metadata"));
    };
    let head = read(file, 0, usize::try_from(script.end).unwrap_or(HEAD_BYTES))?;
    let (about, script) = identify(&head).unwrap_or((about, script));
    let ledger = Ledger::from_properties(script.properties());
    let known = Known { about, ledger, script, start, size };
    Ok(match known.script.format {
        _ if is_complete => Found::Complete(known),
        Format::Flv if known.walker(size).is_none() => {
            Found::Broken("its metadata has a size that no recording has")
        }
        _ => Found::Unfinished(known),
    })
}

/// Completes a file that was cut to what was flushed, whose books and hash are known.
///
/// # Errors
/// Those of the disk; [`io::ErrorKind::InvalidData`] when what was flushed is not in the file.
pub(crate) fn complete_cut(
    file: &mut dyn DiskFile,
    path: &Path,
    ledger: &Ledger,
    end: &End,
    appended: impl FnMut(&[u8]),
) -> io::Result<Whole> {
    let Found::Unfinished(known) = examine(file)? else { return Err(lost()) };
    let mut container = match known.script.format {
        Format::Flv => Container::Flv(Box::new(known.walk(file, known.size)?.muxer)),
        Format::Mp4 => Container::of(known.growing(file, known.size).muxer(known.options())?),
    };
    if container.position() != known.size {
        return Err(lost());
    }
    finish(file, &mut container, appended)?;
    container.set_extra(extra(
        ledger,
        synced_bytes(known.script.properties()),
        Some(end.length_ms),
    ));
    complete(file, &container)?;
    Ok(Whole {
        path: path.to_owned(),
        about: known.about,
        ledger: ledger.clone(),
        size_bytes: container.position(),
        length_ms: end.length_ms,
        end_time: end.end_time.clone(),
    })
}

/// Appends what comes behind the last packet.
fn finish(
    file: &mut dyn DiskFile,
    container: &mut Container,
    appended: impl FnMut(&[u8]),
) -> io::Result<()> {
    let end = container.position();
    let mut out = Chunks::new();
    container.finish(&mut out);
    append_all(file, &mut out, appended).inspect_err(|_| {
        // Or it would have to be told from damage.
        let _ = file.truncate(end);
    })
}

pub(super) fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what was written is not in the file")
}

impl Known {
    /// What is known of a file that is complete.
    pub(super) fn whole(self, path: &Path) -> Whole {
        let length_ms = length_ms(self.script.properties()).unwrap_or_default();
        Whole {
            path: path.to_owned(),
            end_time: end_time(&self.about.start_time, length_ms),
            ledger: self.ledger.unwrap_or_default(),
            about: self.about,
            size_bytes: self.size,
            length_ms,
        }
    }

    /// Completes the file; returns also how many bytes of it were cut off. `None` where nothing is
    /// in it but what a file begins with: no player opens that. Whoever wrote it has no books of what it lacks if it
    /// `is_cut_off`, which it says then.
    ///
    /// # Errors
    /// Those of the disk; the file then is unfinished as before.
    pub(super) fn complete(
        self,
        disk: &dyn Disk,
        file: &mut dyn DiskFile,
        path: &Path,
        is_cut_off: bool,
    ) -> io::Result<Option<(Whole, u64)>> {
        let found = match self.script.format {
            Format::Flv => self.tags(file)?,
            Format::Mp4 => self.parts(file)?,
        };
        let Some(Intact { mut container, ledger, is_damaged }) = found else { return Ok(None) };
        let end = container.position();
        if is_damaged {
            self.keep_tail(disk, file, path, end)?;
        }
        if end < self.size {
            file.truncate(end)?;
        }
        finish(file, &mut container, |_| {})?;
        let (size_bytes, length_ms) = (container.position(), container.duration_ms());
        let synced = synced_bytes(self.script.properties());
        let mut extra = extra(&ledger, synced.min(end), Some(length_ms));
        extra.extend(is_cut_off.then(|| (CUT_OFF.to_owned(), Value::Boolean(true))));
        container.set_extra(extra);
        complete(file, &container)?;
        sync_parent(disk, path)?;
        let whole = Whole {
            path: path.to_owned(),
            end_time: end_time(&self.about.start_time, length_ms),
            about: self.about,
            ledger,
            size_bytes,
            length_ms,
        };
        Ok(Some((whole, self.size - end)))
    }

    /// What is intact of an FLV file; `None` when that is only what a file begins with.
    fn tags(&self, file: &mut dyn DiskFile) -> io::Result<Option<Intact>> {
        let mut restored = self.walk(file, self.size)?;
        let mut is_damaged = restored.next_tag.is_some();
        if let Some(hole) = self.hole(file, restored.muxer.position())? {
            restored = self.walk(file, hole)?;
            is_damaged = true;
        }
        let counters = restored.muxer.counters();
        if counters.audio + counters.video + counters.data <= self.repeated() {
            return Ok(None);
        }
        let ledger = self.books(file, &restored)?;
        Ok(Some(Intact { container: Container::Flv(Box::new(restored.muxer)), ledger, is_damaged }))
    }

    /// The same of an MP4 file.
    fn parts(&self, file: &mut dyn DiskFile) -> io::Result<Option<Intact>> {
        let repeated = self.repeated();
        let mut parts = self.growing(file, self.size).parts(repeated)?;
        if let Some(hole) = self.hole(file, parts.end)? {
            parts = self.growing(file, hole).parts(repeated)?;
        }
        if parts.messages.packets <= repeated {
            return Ok(None);
        }
        let muxer = self.growing(file, parts.end).muxer(self.options())?;
        if muxer.position() != parts.end {
            return Err(lost());
        }
        let mut ledger = self.ledger.clone().unwrap_or_default();
        ledger.written = Amount {
            packets: parts.messages.packets - repeated,
            bytes: parts.messages.bytes - parts.repeated.bytes,
        };
        ledger.received = ledger.written + ledger.dropped;
        let is_damaged = parts.end < self.size;
        Ok(Some(Intact { container: Container::of(muxer), ledger, is_damaged }))
    }

    /// Packets of the header that it says it begins with.
    fn repeated(&self) -> u64 {
        self.ledger.as_ref().map_or(0, |ledger| ledger.repeated_packets)
    }

    /// The first place before `end` that was lost. After a power cut a page that was not written
    /// reads as zeros, and the tag around it has a good header and a good end all the same. No codec
    /// makes a page of zeros but PCM at silence, and what is cut for that is in the tail.
    fn hole(&self, file: &mut dyn DiskFile, end: u64) -> io::Result<Option<u64>> {
        let synced = synced_bytes(self.script.properties());
        let bounds = [synced, self.size.saturating_sub(UNSYNCED_MAX), self.start];
        first_hole(file, bounds.into_iter().max().unwrap_or_default(), end)
    }

    /// Copies the whole tags or parts behind `from` to a file beside, which is on the disk when this
    /// returns.
    fn keep_tail(
        &self,
        disk: &dyn Disk,
        file: &mut dyn DiskFile,
        path: &Path,
        from: u64,
    ) -> io::Result<()> {
        let mut tail = None;
        let to = free_beside(path, ".tail", |to| {
            tail = Some(disk.create_new(to)?);
            Ok(())
        })?;
        let Some(mut tail) = tail else { return Ok(()) };
        let copied = match self.script.format {
            Format::Flv => copy_tags(file, from, &mut *tail),
            Format::Mp4 => {
                parts::copy(&mut self.growing(file, self.size), self.start, from, &mut *tail)
            }
        };
        let copied = copied.and_then(|count| {
            tail.sync_data()?;
            Ok(count)
        });
        drop(tail);
        match copied {
            Ok(1..) => sync_parent(disk, &to),
            Ok(0) => disk.remove(&to),
            Err(error) => {
                let _ = disk.remove(&to);
                Err(error)
            }
        }
    }

    fn growing<'a>(&self, file: &'a mut dyn DiskFile, until: u64) -> Growing<'a> {
        Growing { file, room: self.script.end, until }
    }

    fn options(&self) -> Options {
        Options { identity: self.about.properties(), ..Options::default() }
    }

    /// Writes anew, from the memory of the system, what was not known to be on the disk. When
    /// writing back has failed, Linux counts its copy as clean, and the next sync succeeds without
    /// it; ext4 then even forgets what is written to the same place. So it is cut off and appended,
    /// and meanwhile is also in a file beside, since the disk may fail again.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn write_again(
        &self,
        disk: &dyn Disk,
        file: &mut dyn DiskFile,
        path: &Path,
    ) -> io::Result<()> {
        let from = synced_bytes(self.script.properties());
        let from = from.max(self.size.saturating_sub(AGAIN_MAX)).max(self.start);
        if from >= self.size {
            return Ok(());
        }
        let len = usize::try_from(self.size - from).unwrap_or(READ_BYTES);
        let bytes = Bytes::from(read(file, from, len)?);
        if bytes.len() < len {
            return Err(lost());
        }
        let append = |to: &mut dyn DiskFile| {
            let mut chunks = Chunks::new();
            chunks.put(bytes.clone());
            append_all(to, &mut chunks, |_| {})?;
            to.sync_data()
        };
        let mut beside = None;
        let spare = free_beside(path, ".spare", |to| {
            beside = Some(disk.create_new(to)?);
            Ok(())
        })?;
        let kept = match &mut beside {
            Some(beside) => append(&mut **beside),
            None => Ok(()),
        };
        drop(beside);
        if let Err(error) = kept {
            let _ = disk.remove(&spare);
            return Err(error);
        }
        file.truncate(from)?;
        append(file)?;
        disk.remove(&spare)
    }

    fn walker(&self, until: u64) -> Option<Restore> {
        Restore::new(self.options(), self.script.region(), until)
    }

    /// Goes over the tags of the first `until` bytes.
    fn walk(&self, file: &mut dyn DiskFile, until: u64) -> io::Result<Restored> {
        let mut restore = self.walker(until).ok_or_else(lost)?;
        let mut buffer = Vec::new();
        while let Some(want) = restore.want() {
            buffer.resize(want.len, 0);
            let read = file.read_at(want.offset, &mut buffer)?;
            restore.push(buffer.get(..read).unwrap_or_default());
        }
        Ok(restore.finish())
    }

    /// The books of the file as it was found: those it has, and what came after they were written.
    fn books(&self, file: &mut dyn DiskFile, restored: &Restored) -> io::Result<Ledger> {
        let end = restored.muxer.position();
        let counters = restored.muxer.counters();
        let start = self.start;
        let tags = counters.audio + counters.video + counters.data;
        let mut ledger = self.ledger.clone().unwrap_or_default();
        let of_packets = |tags: u64| tags.saturating_sub(ledger.repeated_packets);
        let older = of_packets(tags - restored.newer_tags);
        // Metadata can be written without a tag of its own. Books that tell of less than there are
        // tags, or of far more, were torn from the size beside them.
        let is_sound = (older..=older * 2 + 1).contains(&ledger.written.packets);
        let written_at = filesize(&self.script).filter(|at| is_sound && *at <= end);
        ledger.written = match written_at {
            Some(at) => ledger.written + amount(restored.newer_tags, at.max(start), end),
            None => {
                let repeated = repeated(file, start, ledger.repeated_packets, end)?;
                let bytes = amount(tags, start, end).bytes.saturating_sub(repeated);
                ledger.merged = Amount::default();
                Amount { packets: of_packets(tags), bytes }
            }
        };
        ledger.received = ledger.written + ledger.dropped;
        Ok(ledger)
    }
}

/// So many tags between two places.
fn amount(packets: u64, from: u64, to: u64) -> Amount {
    Amount { packets, bytes: (to - from).saturating_sub(packets.saturating_mul(OVERHEAD)) }
}

/// Bytes in the bodies of the first `tags` tags.
fn repeated(file: &mut dyn DiskFile, start: u64, tags: u64, end: u64) -> io::Result<u64> {
    let (mut at, mut bytes) = (start, 0);
    for _ in 0..tags {
        let head = read(file, at, TagHeader::SIZE)?;
        let Some(head) = head.first_chunk().filter(|_| at < end) else { break };
        let size = u64::from(TagHeader::decode(*head).size);
        bytes += size;
        at += size + OVERHEAD;
    }
    Ok(bytes)
}

/// What of a file can go on: what comes behind the container's position is cut off.
struct Intact {
    container: Container,
    ledger: Ledger,
    /// Whether something whole may stand behind.
    is_damaged: bool,
}

fn identify(head: &[u8]) -> Option<(About, Script)> {
    let script = Script::read(head)?;
    Some((script.about()?, script))
}

fn filesize(script: &Script) -> Option<u64> {
    script.property("filesize").and_then(Value::as_f64).map(whole)
}

/// Why a file without identity is one that this program had only begun: it is empty, or it has the
/// first bytes that every recording has, or some of them and then zeros.
fn begun(file: &mut dyn DiskFile, head: &[u8], size: u64) -> io::Result<Option<&'static str>> {
    if size == 0 {
        return Ok(Some("it is empty"));
    }
    // Sizes and counts differ.
    let any = [None];
    let fixed = |bytes: &'static [u8]| bytes.iter().map(|byte| Some(*byte));
    let script = fixed(b"\x02\0\x0aonMetaData\x08")
        .chain(any.repeat(4))
        .chain(fixed(b"\0\x0brecordingId\x02\0\x10"));
    let flv = fixed(&FILE_HEADER)
        .chain(fixed(b"\x12"))
        .chain(any.repeat(3))
        .chain(fixed(b"\0\0\0\0\0\0\0"))
        .chain(script.clone());
    let mp4 = |brands: &'static [u8]| {
        let box_of_ours = any.repeat(4).into_iter().chain(fixed(b"uuid")).chain(fixed(&SCRIPT_ID));
        any.repeat(4).into_iter().chain(fixed(brands)).chain(box_of_ours).chain(script.clone())
    };
    let mut longest = 0;
    let starts: [Vec<_>; 3] = [
        flv.collect(),
        mp4(b"ftypiso6\0\0\0\0iso6mp41").collect(),
        mp4(b"ftypiso6\0\0\0\0iso6mp41av01").collect(),
    ];
    for first_bytes in starts {
        let pairs = first_bytes.iter().zip(head);
        let same = pairs.take_while(|(want, byte)| want.is_none_or(|want| want == **byte)).count();
        if same == first_bytes.len() {
            return Ok(Some("its identity cannot be read"));
        }
        longest = longest.max(same);
    }
    let mut at = longest as u64;
    while at < size {
        let part = read(file, at, READ_BYTES)?;
        if part.is_empty() || part.iter().any(|byte| *byte != 0) {
            return Ok(None);
        }
        at += part.len() as u64;
    }
    Ok(Some("it ends inside its first bytes"))
}

/// The first page of zeros between two places.
fn first_hole(file: &mut dyn DiskFile, from: u64, to: u64) -> io::Result<Option<u64>> {
    let mut at = from.next_multiple_of(PAGE as u64);
    while at < to {
        let left = usize::try_from(to - at).unwrap_or(READ_BYTES);
        let part = read(file, at, left.min(READ_BYTES))?;
        let mut pages = part.chunks_exact(PAGE);
        if let Some(page) = pages.position(|page| page.iter().all(|byte| *byte == 0)) {
            return Ok(Some(at + (page * PAGE) as u64));
        }
        if part.len() < READ_BYTES {
            break;
        }
        at += part.len() as u64;
    }
    Ok(None)
}

fn copy_tags(file: &mut dyn DiskFile, from: u64, to: &mut dyn DiskFile) -> io::Result<u64> {
    let mut scanner = Scanner::search_from(from, Bodies::Keep);
    let mut out = Chunks::new();
    out.put_slice(&FILE_HEADER);
    let mut tags = 0;
    let mut is_over = false;
    while !is_over {
        let part = read(file, scanner.position(), READ_BYTES)?;
        is_over = part.is_empty();
        if is_over {
            scanner.finish();
        }
        scanner.push(&part);
        while let Some(item) = scanner.poll() {
            let Item::Tag(tag) = item else { continue };
            out.put_slice(&tag.header.encode());
            out.put(tag.packet.body);
            out.put_slice(&tag.header.tag_size().to_be_bytes());
            tags += 1;
        }
        if tags > 0 {
            append_all(to, &mut out, |_| {})?;
        }
    }
    Ok(tags)
}

/// At most `len` bytes.
pub(super) fn read(file: &mut dyn DiskFile, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let read = file.read_at(offset, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// So many ms after a time of the clock on the wall.
fn end_time(start_time: &str, length_ms: u64) -> String {
    let end = || {
        let length = SignedDuration::from_millis(i64::try_from(length_ms).ok()?);
        let end = start_time.parse::<Timestamp>().ok()?.checked_add(length).ok()?;
        let offset = Pieces::parse(start_time).ok()?.to_numeric_offset()?;
        let end = end.to_zoned(TimeZone::fixed(offset));
        Some(end.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string())
    };
    end().unwrap_or_else(|| start_time.to_owned())
}
