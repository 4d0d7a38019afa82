//! Whether the files of a recording are the stream: no packet lost, none twice, no byte changed.
//!
//! [`Walk`] makes [`File`], the facts, of the bytes of a file; [`judge`] compares the facts with
//! each other and with what others say ([`Claim`]). Nothing here opens a file: the command does.
//!
//! # What is proven
//!
//! Of each file: it was finished, every byte of it belongs to a tag without a fault, its books are
//! balanced (received = written + dropped), and it has the packets and bytes that they name:
//!
//! ```text
//! tags after the first = written − merged + repeated
//! ```
//!
//! *Merged* are `onMetaData` messages that are in the file's first tag and no tag of their own;
//! *repeated* is the codec configuration that a segment takes over from before it. After a gap
//! inside the file it is repeated in the middle, and the bytes are then only known not to be too
//! few.
//!
//! Of each two neighbours: the numbers follow each other; the next file begins with the packet and
//! at the time at which the one before and the gap between them end; what it says of the chain of
//! hashes is so. Of each file's hash: it is what the sidecar and the catalog say.

mod judge;
mod walk;

use crate::{About, Amount, Gap, Hash, Ledger, RecordingId};

pub use judge::judge;
pub use walk::Walk;

/// Whether somebody still works on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was finished in order.
    Complete,
    /// It is being written.
    Growing,
    /// Its writer ended before it was finished.
    Unfinished,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// As it is shown.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// What it says of itself; [`State::Growing`] is for the caller to set.
    pub state: State,
    /// Its identity; `None` when it has none that can be read.
    pub about: Option<About>,
    /// Its books; `None` when it has none that can be read.
    pub ledger: Option<Ledger>,
    /// The size that its metadata tells, in bytes.
    pub declared_bytes: Option<u64>,
    /// How much of the recording clock it says that it stands for, in ms.
    pub length_ms: Option<u64>,
    /// Whether its writer was cut off, and the next start finished it: it has what was written, and no books of
    /// what came in its last moments.
    pub is_cut_off: bool,
    /// Tags after the first.
    pub tags: Amount,
    /// The first of those, as many as its books call repeated.
    pub repeated: Amount,
    /// The first thing that is wrong inside it, with its place.
    pub fault: Option<String>,
    /// All such things.
    pub fault_count: u64,
    /// The BLAKE3 hash of its bytes.
    pub hash: Hash,
    /// What others say that the hash is.
    pub claims: Vec<Claim>,
    /// The last segment of its recording that others know of; 0 where nobody does.
    pub last_known: u32,
}

/// Who tells a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The segment after it.
    NextSegment,
    /// `NAME.flv.b3`.
    Sidecar,
    /// The catalog of the record directory.
    Catalog,
}

impl Source {
    /// The words in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NextSegment => "next segment",
            Self::Sidecar => "sidecar",
            Self::Catalog => "catalog",
        }
    }
}

/// What somebody says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub source: Source,
    /// The hash of the file.
    pub hash: Hash,
    /// The chain of the recording up to and with the file, if that is told.
    pub chain: Option<Hash>,
}

/// What all files together are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Each recording, in the order of their starts.
    pub recordings: Vec<Proof>,
    /// Names of files without an identity: of other programs, or damaged at their start.
    pub foreign: Vec<String>,
}

impl Report {
    /// The worst of all.
    pub fn verdict(&self) -> Verdict {
        let worst = self.recordings.iter().map(Proof::verdict).max().unwrap_or(Verdict::Whole);
        if self.foreign.is_empty() { worst } else { Verdict::Unproven }
    }
}

/// How good a proof is; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The files are all of the stream, from its first packet to the end of the last file; of one that is
    /// [cut off](Proof::is_cut_off) all that was written.
    Whole,
    /// The files are what they say, and they say that something is missing.
    Partial,
    /// Something is not as it should be.
    Unproven,
}

/// What was found out about a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Which.
    pub recording: RecordingId,
    /// Of which stream, `app/name`.
    pub stream_key: String,
    /// Its files in their order.
    pub files: Vec<Checked>,
    /// Segments before the first file, which were not given.
    pub missing_before: u32,
    /// Segments after the last file that others know of, which were not given.
    pub missing_after: u32,
    /// Stretches that are missing and declared, and those in which nothing came.
    pub gaps: Vec<Missing>,
    /// Gaps that are declared and not listed.
    pub gaps_unlisted: u64,
    /// Everything that is not as it should be.
    pub problems: Vec<Problem>,
}

impl Proof {
    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        if !self.problems.is_empty() {
            Verdict::Unproven
        } else if self.lacks_something() || self.is_growing() {
            Verdict::Partial
        } else {
            Verdict::Whole
        }
    }

    /// Whether something of it is missing, which is declared, or was not given.
    pub fn lacks_something(&self) -> bool {
        self.missing_before > 0
            || self.missing_after > 0
            || self.gaps.iter().any(|missing| missing.gap.is_loss())
            || self.gaps_unlisted > 0
    }

    /// Whether the recording was cut off at its end, so that what came in its last moments may be missing. Of a file that
    /// another follows that one tells what is.
    pub fn is_cut_off(&self) -> bool {
        self.files.last().is_some_and(|checked| checked.file.is_cut_off)
    }

    /// Whether one of its files is being written.
    pub fn is_growing(&self) -> bool {
        self.files.iter().any(Checked::is_growing)
    }
}

/// A file and against what its hash was checked, with the same result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The file; it has an identity.
    pub file: File,
    /// Its number in the recording.
    pub segment: u32,
    /// Who says the same hash.
    pub agreed: Vec<Source>,
}

impl Checked {
    /// Whether it is being written, so that only its beginning was looked at.
    pub fn is_growing(&self) -> bool {
        self.file.state == State::Growing
    }
}

/// A declared gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// In which segment, or before which.
    pub segment: u32,
    /// Whether it is between two files. Its time is on the recording clock then, else on that of
    /// the file.
    pub is_before: bool,
    /// The gap.
    pub gap: Gap,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file in which it shows; a missing one is told of by the file after it.
    pub file: String,
    /// What it is.
    pub kind: ProblemKind,
}

/// What can be wrong with the files of a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// Numbers do not follow each other.
    #[error("before it {} missing", segments(*.first, *.last))]
    Missing {
        /// Number of the first that is missing.
        first: u32,
        /// Number of the last that is missing.
        last: u32,
    },
    /// Two files are the same segment.
    #[error("is segment {segment}, and so is {other}")]
    Twice {
        /// The number of both.
        segment: u32,
        /// The other file.
        other: String,
    },
    /// Two files of one recording name different streams.
    #[error("is of stream {found}, the file before it of {expected}")]
    Stream {
        /// The one of the first file.
        expected: String,
        /// Of this file.
        found: String,
    },
    /// The file was not finished.
    #[error("was not finished: its end may be missing; a server recovers it when it starts")]
    Unfinished,
    /// The bytes are not as they must be.
    #[error("{first}{}", more(*.count))]
    Faults {
        /// The first fault and where it is.
        first: String,
        /// How many there are.
        count: u64,
    },
    /// It is not as long as its metadata says.
    #[error("has {found} bytes, its metadata says {declared}")]
    Size {
        /// What the metadata says.
        declared: u64,
        /// What there is.
        found: u64,
    },
    /// It has no books, or no length.
    #[error("does not tell its {0}")]
    Untold(&'static str),
    /// The books do not add up.
    #[error(
        "its books are wrong: {received} {unit} received, {written} written, {dropped} dropped"
    )]
    Books {
        /// Packets or bytes.
        unit: &'static str,
        /// What came.
        received: u64,
        /// What was written.
        written: u64,
        /// What was not.
        dropped: u64,
    },
    /// More was dropped than its gaps tell.
    #[error("{dropped} packets were dropped, its gaps account for {declared}")]
    Undeclared {
        /// Packets dropped.
        dropped: u64,
        /// Packets in its gaps.
        declared: u64,
    },
    /// The file does not have what its books say.
    #[error("has {found} {unit}, its books say {expected}")]
    Content {
        /// Packets or bytes.
        unit: &'static str,
        /// By its books.
        expected: u64,
        /// In its tags.
        found: u64,
    },
    /// It does not begin with the packet after the last of the file before it.
    #[error("begins with packet {found} of the recording; the file before it ends with {expected}")]
    FirstPacket {
        /// Packets up to the end of the file and of the gap before it.
        expected: u64,
        /// Packets before it, as it says.
        found: u64,
    },
    /// It does not begin when the file before it ends.
    #[error("begins at {found} ms of the recording; the file before it ends at {expected} ms")]
    Start {
        /// The end of the file and of the gap before it.
        expected: u64,
        /// Its start, as it says.
        found: u64,
    },
    /// The bytes are not those that were recorded.
    #[error("was changed: its BLAKE3 hash is not what the {} says{}", .0.name(), or_that(*.0))]
    Hash(Source),
    /// The chain of hashes is another.
    #[error("its chain of hashes is not what the {} says: a file before it was changed", .0.name())]
    Chain(Source),
}

fn segments(first: u32, last: u32) -> String {
    match last {
        _ if last <= first => format!("segment {first} is"),
        _ => format!("segments {first} to {last} are"),
    }
}

/// A segment that tells a wrong chain may have been changed itself.
fn or_that(source: Source) -> &'static str {
    if source == Source::NextSegment { ", unless that was changed" } else { "" }
}

fn more(count: u64) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

#[cfg(test)]
mod tests;
