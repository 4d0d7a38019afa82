//! What a reader gives.

use std::{fmt, io};

use media::{Header, Packet};

use super::tags::Place;
use crate::{Amount, GapReason, words};

/// What comes next in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The metadata and configurations as of the first packet: once, before it.
    Header(Header),
    /// A packet of the stream.
    Packet(Timed),
    /// A stretch that is missing.
    Gap(Gap),
}

/// A packet and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// The packet as it was published. Its time is on a clock of ms since 1970 that is set by the
    /// wall at the first packet, goes on with the stream's own times, and is set again only after a
    /// reconnect or a jump of the encoder's clock.
    pub packet: Packet,
    /// When it was recorded, by the clock on the wall, in ms since 1970: what ranges are asked in.
    pub unix_ms: i64,
    /// Whether a decoder needs it and nobody is to see it: it is from before an exact start.
    pub is_before: bool,
    /// The segment that it is in: its place in [`super::Source::segments`].
    pub segment: usize,
    /// First byte of its tag in the segment's file. In MP4: so many bytes behind the first byte of its
    /// part as there are messages before it.
    pub position: u64,
    /// Bytes of its tag.
    pub size_bytes: u64,
    /// Where its body is.
    pub(super) place: Place,
}

/// A stretch of time of which something is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// When it begins, in ms since 1970.
    pub from_unix_ms: i64,
    /// When it ends.
    pub to_unix_ms: i64,
    /// Why it is.
    pub cause: Cause,
    /// What is known to have been lost.
    pub dropped: Amount,
}

/// Why something is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The recording has a gap here, and says why.
    Recording(GapReason),
    /// Nothing was being recorded.
    NotRecorded,
    /// The encoder's clock jumped; nothing is known to be lost.
    Clock,
    /// The segment was deleted.
    Deleted,
    /// The segment is not where it was, or is not known.
    Missing,
    /// There are bytes that cannot be understood.
    Damaged,
    /// The disk does not give it; in its words.
    Unreadable(String),
}

impl Cause {
    /// Why the disk did not give something.
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Unreadable(words(error)),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recording(reason) => reason.fmt(f),
            Self::NotRecorded => f.write_str("not recorded"),
            Self::Clock => f.write_str("clock jumped"),
            Self::Deleted => f.write_str("deleted"),
            Self::Missing => f.write_str("missing"),
            Self::Damaged => f.write_str("damaged"),
            Self::Unreadable(words) => write!(f, "unreadable: {words}"),
        }
    }
}
