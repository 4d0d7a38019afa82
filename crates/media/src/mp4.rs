//! MP4: the same packets as in an FLV file, as fragments for players and as files.
//!
//! - [`Movie`]: which tracks there are and how each is described; learned from packets.
//! - [`Fragmenter`]: parts (`moof` and `mdat`) for HLS and Media Source players.
//! - [`mux`]: a file that grows as parts and is an ordinary one when it is finished.
//! - [`scan`]: reads such a file, and gives the packets back as they went in.
//! - [`heads`]: what is in a part and where, without its samples.
//! - [`tags`]: the same as tags, for what reads FLV.
//! - [`plan`]: a file with its index first, of which any range can be made from the packets.
//!
//! Samples are byte for byte what the publisher sent, without the head that FLV and E-RTMP put
//! before it; so are codec records. Decoding times are those that the caller gives, to the ms: see
//! [`Track::timescale`]. E-RTMP's nanoseconds are not used, so that every view of a recording says
//! the same.
//!
//! Boxes are written by hand (`boxes`): codec records pass through as they are, payloads are
//! shared, and no crate for boxes is without a log.
//!
//! Sources: ISO 14496-12 (boxes), 14496-14 (MPEG-4 audio), 14496-15 (AVC, HEVC, VVC), the bindings
//! of AV1, VP8 and VP9, Opus and FLAC, and ETSI TS 102 366 annex F (AC-3).

mod boxes;
mod color;
mod entry;
mod esds;
mod fragment;
pub mod heads;
mod learn;
mod log;
mod moov;
mod movie;
pub mod mux;
mod parse;
pub mod plan;
mod reread;
mod sample;
pub mod scan;
mod tables;
pub mod tags;

pub use fragment::{Cut, Fragmenter, Part};
pub use movie::{Movie, Refusal, Refused, Track};
pub use sample::{Sample, Unreadable, samples};

/// Why something cannot be in an MP4 file. Nothing of it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The part is full: it is to be cut, then the packet goes into the next one.
    #[error("a part has room for {PART_SAMPLES_MAX} samples and {PART_BYTES_MAX} bytes: cut it")]
    PartFull,
    /// The file is full: it is to be ended, then the packet goes into the next one.
    #[error("a file has room for {FILE_SAMPLES_MAX} samples: begin another")]
    FileFull,
    /// The time is beyond what a player can count.
    #[error("time of {time_ms} ms is beyond what an MP4 file can say (at most {TIME_MAX_MS})")]
    TimeTooLarge {
        /// The time in ms.
        time_ms: u64,
    },
}

/// Most tracks of a movie: 16 of audio and 16 of video, far more than anybody publishes.
pub const TRACKS_MAX: usize = 32;

/// Most samples of a part. A group of pictures of ten minutes with its audio has 50,000.
pub const PART_SAMPLES_MAX: usize = 1 << 17;

/// Most samples of a file that is not in fragments: 40 hours at 60 frames a second. Its index has
/// up to 30 bytes for each.
pub const FILE_SAMPLES_MAX: usize = 1 << 24;

/// Most bytes of a part: positions in it are signed 32-bit numbers (ISO 14496-12 8.8.8).
pub const PART_BYTES_MAX: u64 = 1 << 30;

/// Latest time (ms): 285 years, which every time scale counts in 63 bits and JavaScript in 53.
pub const TIME_MAX_MS: u64 = (1 << 53) / 1000;

/// How far (ms) the packets of the other tracks may be ahead before a track is taken to pause: its
/// last sample then lasts as long as the one before.
pub const LOOKAHEAD_MS: u64 = 1_000;

/// Bytes of a box before its content: its size and name.
const BOX_HEAD: usize = 8;

/// A length in memory as a length in a file.
fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
