//! The settings of pictures.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::value::{boolean, duration, parsed, size, width};

/// Pictures of streams and recordings.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Pictures {
    /// Make pictures of streams and recordings when the HTTP API is asked for them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value = "true",
          default_missing_value = "true", value_parser = boolean())]
    pub pictures: bool,

    /// What decodes pictures: a path of FFmpeg; auto: the one in PATH; off: none, H.264 alone
    #[arg(long, value_name = "PATH", default_value = "auto", value_parser = parsed::<Ffmpeg>)]
    pub ffmpeg: Ffmpeg,

    /// Width of a stream's picture and of a recording's poster, in pixels
    #[arg(long, value_name = "N", default_value = "640", value_parser = width)]
    pub picture_width: u32,

    /// How old the picture of a stream may be
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub picture_interval: Duration,

    /// Width of the small pictures of a recording, in pixels
    #[arg(long, value_name = "N", default_value = "160", value_parser = width)]
    pub thumbnail_width: u32,

    /// How far apart the small pictures of a recording are
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub thumbnail_interval: Duration,

    /// Most memory that finished pictures may take
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub picture_cache: usize,
}

/// Which FFmpeg decodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ffmpeg {
    /// The one in `PATH`, if there is one.
    Auto,
    /// None.
    Off,
    /// This one.
    Program(PathBuf),
}

impl FromStr for Ffmpeg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            "" => Err("expected auto, off or the path of a program".to_owned()),
            path => Ok(Self::Program(path.into())),
        }
    }
}

impl fmt::Display for Ffmpeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Program(path) => path.display().fmt(f),
        }
    }
}
