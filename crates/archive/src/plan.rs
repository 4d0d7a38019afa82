//! How one recorder keeps what it records.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::path::Template;
use crate::{Format, Rotation};

/// Which part of a stream is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tracks {
    /// Everything.
    #[default]
    All,
    /// Audio and data, no video.
    Audio,
    /// Video and data, no audio.
    Video,
    /// Key frames of the video alone, with their configuration: a picture every few seconds.
    KeyFrames,
}

impl Tracks {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::All, Self::Audio, Self::Video, Self::KeyFrames];

    /// The word in the configuration, in files and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::KeyFrames => "keyframes",
        }
    }
}

impl fmt::Display for Tracks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The word is none of [`Tracks`]'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no tracks; known are all, audio, video, keyframes")]
pub struct UnknownTracks;

impl FromStr for Tracks {
    type Err = UnknownTracks;

    fn from_str(word: &str) -> Result<Self, UnknownTracks> {
        Self::ALL.into_iter().find(|tracks| tracks.name() == word).ok_or(UnknownTracks)
    }
}

/// How one recorder keeps what it records: fixed when a recording begins, and replaced as a whole
/// by [`crate::Archive::update`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The recorder's name, which files and the catalog tell: `all` for `-record-all`, `api` for
    /// recordings that were asked for, else that of the configuration.
    pub recorder: String,
    /// Where its files go; made with its parents when its first recording begins.
    pub dir: PathBuf,
    /// What files are made.
    pub format: Format,
    /// How the path of a segment is put together, below `dir`.
    pub template: Template,
    /// When a segment ends though the stream goes on.
    pub rotation: Rotation,
    /// What is recorded of a stream.
    pub tracks: Tracks,
    /// The recording ends by itself at the first key frame (any packet without video) at which it
    /// is so long.
    pub max_length: Option<Duration>,
    /// How long a recording waits for its publisher to come back; zero makes each publish a
    /// recording of its own.
    pub rejoin: Duration,
    /// What a killed process costs at most of a stream.
    pub flush: Duration,
    /// What a power cut costs at most of a stream; zero waits for the disk at the end of each
    /// segment only.
    pub sync: Duration,
    /// Whether the hash of each finished file is also written beside it: `NAME.flv.b3`, as `b3sum
    /// --check` reads it, and `NAME.flv.chain`.
    pub checksum_files: bool,
}

impl Plan {
    /// The recorder of `-record-all`.
    pub const ALL: &str = "all";
    /// What recordings are told to be of that were asked for: several of a stream may run at a time.
    pub const API: &str = "api";
}
