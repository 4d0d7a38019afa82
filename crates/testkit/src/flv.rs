//! Recordings, FLV or MP4, beside what was sent.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use media::flv::scan::{Bodies, Fault, Item, Tag};
use media::tags::Reader;
use media::time::{Rebase, Unwrap};
use media::{Kind, Packet, Role};

/// Read at once.
const READ_BYTES: usize = 256 << 10;

/// An FLV file in memory.
#[derive(Debug, Default)]
pub struct Flv {
    /// Its tags, in their order.
    pub tags: Vec<Tag>,
    /// Everything that is wrong with it.
    pub faults: Vec<Fault>,
}

impl Flv {
    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be read; what is wrong inside it is in [`Flv::faults`].
    pub fn read(path: &Path) -> io::Result<Self> {
        Self::from_reader(File::open(path)?)
    }

    /// Reads what comes, to its end.
    ///
    /// # Errors
    /// When it cannot be read; what is wrong inside it is in [`Flv::faults`].
    pub fn from_reader(from: impl Read) -> io::Result<Self> {
        let mut flv = Self::default();
        scan_from(from, |item| match item {
            Item::Tag(tag) => flv.tags.push(tag),
            Item::Fault(fault) => flv.faults.push(fault),
            Item::Header(_) => {}
        })?;
        Ok(flv)
    }

    /// All packets.
    pub fn packets(&self) -> Vec<Packet> {
        self.tags.iter().map(|tag| tag.packet.clone()).collect()
    }

    /// The audio and video packets.
    pub fn media(&self) -> Vec<Packet> {
        self.packets().into_iter().filter(|packet| packet.kind != Kind::Data).collect()
    }
}

/// Hands the items of a file to `see`, one by one, without ever holding more than a tag.
///
/// # Errors
/// When the file cannot be read.
pub fn scan(path: &Path, see: impl FnMut(Item)) -> io::Result<()> {
    scan_from(File::open(path)?, see)
}

/// The same of what comes from anywhere.
///
/// # Errors
/// When it cannot be read.
pub fn scan_from(mut file: impl Read, mut see: impl FnMut(Item)) -> io::Result<()> {
    let mut scanner = Reader::new(Bodies::Keep);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let n = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        match n {
            0 => scanner.finish(),
            n => scanner.push(buffer.get(..n).unwrap_or_default()),
        }
        while let Some(item) = scanner.poll() {
            see(item);
        }
        if n == 0 {
            return Ok(());
        }
    }
}

/// The packets of an FLV file that is known to be right, such as a test clip: real pictures and
/// sound, their `onMetaData` first.
///
/// # Panics
/// When the file cannot be read or has a fault.
pub fn clip(path: &Path) -> Vec<Packet> {
    let flv = Flv::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(flv.faults.is_empty(), "{}: {:?}", path.display(), flv.faults);
    assert!(!flv.tags.is_empty(), "{}: nothing in it", path.display());
    flv.packets()
}

/// Checks that a recording has every audio and video packet that was sent, bit for bit, once, in
/// order, at the time that [`Rebase`] gives it, and no fault.
///
/// # Panics
/// With the first difference.
pub fn assert_recorded(file: &Path, sent: &[Packet]) {
    let recorded = compare(file, sent).unwrap_or_else(|error| panic!("{error}"));
    let sent = expected(sent).len();
    assert!(recorded == sent, "{}: {recorded} of {sent} packets", file.display());
}

/// Checks that a recording that was cut off has the first of the packets that were sent, and how
/// many. A last tag that is not whole is passed over.
///
/// # Panics
/// With the first difference.
pub fn assert_recorded_beginning(file: &Path, sent: &[Packet]) -> usize {
    let compared = compare_with(file, sent, |fault| !fault.kind.is_torn_end());
    compared.unwrap_or_else(|error| panic!("{error}"))
}

/// Compares a recording with what was sent; returns how many audio and video packets it has, which
/// are the first of those.
///
/// # Errors
/// The first difference, in words.
pub fn compare(file: &Path, sent: &[Packet]) -> Result<usize, String> {
    compare_with(file, sent, |_| true)
}

fn compare_with(
    file: &Path,
    sent: &[Packet],
    is_bad: impl Fn(&Fault) -> bool,
) -> Result<usize, String> {
    let name = file.display();
    let flv = Flv::read(file).map_err(|error| format!("{name}: {error}"))?;
    if let Some(fault) = flv.faults.iter().find(|fault| is_bad(fault)) {
        return Err(format!("{name}: {} at byte {}", fault.kind, fault.offset));
    }
    let is_metadata =
        |tag: &Tag| tag.packet.role == Role::Metadata && tag.packet.kind == Kind::Data;
    if !flv.tags.first().is_some_and(is_metadata) {
        return Err(format!("{name}: the first tag is not onMetaData"));
    }
    let mut expected = expected(sent).into_iter();
    let tags = flv.tags.iter().filter(|tag| tag.packet.kind != Kind::Data);
    let mut count = 0;
    for tag in tags {
        let place = format!("{name}: audio or video packet {count}, at byte {},", tag.offset);
        let (packet, time_ms) = expected.next().ok_or_else(|| format!("{place} was not sent"))?;
        if let Some(difference) = difference(&packet, time_ms, tag) {
            return Err(format!("{place} {difference}"));
        }
        count += 1;
    }
    Ok(count)
}

/// Audio and video with the times that the file should have.
fn expected(sent: &[Packet]) -> Vec<(Packet, u64)> {
    let (mut clock, mut rebase) = (Unwrap::default(), Rebase::default());
    let timed = sent.iter().map(|packet| {
        // As the server sees it: by the 32 bits on the wire.
        let packet = clock.packet(packet.kind, packet.timestamp(), packet.body.clone());
        let time_ms = rebase.map(&packet);
        (packet, time_ms)
    });
    timed.filter(|(packet, _)| packet.kind != Kind::Data).collect()
}

fn difference(sent: &Packet, time_ms: u64, tag: &Tag) -> Option<String> {
    let (body, found) = (&sent.body, &tag.packet.body);
    let differs_at = || body.iter().zip(found.iter()).position(|(a, b)| a != b);
    if sent.kind != tag.packet.kind {
        Some(format!("is {}, not {}", tag.packet.kind.name(), sent.kind.name()))
    } else if body.len() != found.len() {
        Some(format!("has {} bytes, not {}", found.len(), body.len()))
    } else if body != found {
        Some(format!("differs from byte {} of {} on", differs_at().unwrap_or(0), body.len()))
    } else if u64::from(tag.header.timestamp_ms) != time_ms {
        Some(format!("is at {} ms, not at {time_ms}", tag.header.timestamp_ms))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
