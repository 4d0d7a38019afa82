//! What files recordings are: the one place that knows the formats by their names.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What files are made of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Flash Video: holds whatever a publisher can send.
    #[default]
    Flv,
    /// MP4: fragments while it grows, an ordinary file when it is finished.
    Mp4,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Flv, Self::Mp4];

    /// The word in the configuration and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flv => "flv",
            Self::Mp4 => "mp4",
        }
    }

    /// What the names of its files end with.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Flv => ".flv",
            Self::Mp4 => ".mp4",
        }
    }

    /// What HTTP calls it (RFC 4337; Flash Video was never registered).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Flv => "video/x-flv",
            Self::Mp4 => "video/mp4",
        }
    }

    /// The format of a file by its name; `None` for what is no recording.
    pub fn of(path: &Path) -> Option<Self> {
        Self::of_name(path.file_name()?.to_str()?)
    }

    /// The same, of a name or a path as text.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| name.ends_with(format.ending()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The word is none of [`Format`]'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no format; known are flv, mp4")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == word).ok_or(UnknownFormat)
    }
}
