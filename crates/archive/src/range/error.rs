//! Why there is no file of a range, or why it ends early.

use std::path::PathBuf;

use super::Cause;

/// Why a file of a range cannot be made, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no packet in the range.
    #[error("nothing was recorded in that time")]
    Nothing,
    /// Something was recorded, and there is none of it.
    #[error("what was recorded in that time is not to be had: {cause}")]
    Lost {
        /// Why, of the first segment.
        cause: Cause,
    },
    /// The range is longer than the times of a file (2^32 ms: 49 days).
    #[error("{duration_ms} ms are more than an FLV file can be long")]
    TooLong {
        /// How long it is.
        duration_ms: u64,
    },
    /// An MP4 file would have more samples than are planned at once.
    #[error(
        "more than {limit} frames are too many for one MP4 file: ask for a shorter time, \
         or for FLV or HLS"
    )]
    TooManySamples {
        /// How many may be.
        limit: usize,
    },
    /// Inside the range a track becomes another, which an MP4 file cannot say to every player.
    #[error(
        "the configuration changes at {}, which one MP4 file cannot tell every player: ask for \
         the time before and after it, or for FLV or HLS", clock(*unix_ms)
    )]
    Changes {
        /// When, in ms since 1970.
        unix_ms: i64,
    },
    /// No track can be in an MP4 file.
    #[error("nothing of it can be in an MP4 file: {reasons}")]
    NoTrack {
        /// Why, of each track.
        reasons: String,
    },
    /// A track was asked for that is not there.
    #[error("there is no track {track}: there are {known}")]
    NoSuchTrack {
        /// Its name.
        track: String,
        /// Those that there are.
        known: String,
    },
    /// A segment is no longer what it was when the file was begun. Asking anew helps.
    #[error("{} is no longer what it was: {reason}", path.display())]
    Changed {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The output cannot be written.
    #[error("{}: {reason}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the disk says.
        reason: String,
    },
    /// Somebody asked for the end.
    #[error("stopped")]
    Stopped,
}

/// A time as people and programs read it.
pub(crate) fn clock(unix_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
