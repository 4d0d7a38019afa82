//! The settings: one definition for the command line and for programs that embed the server.

mod address;
mod file;
mod pattern;
mod pictures;
mod problem;
mod recorder;
mod sample;
mod secret;
mod settings;
mod value;
mod watch;
mod window;

use std::path::PathBuf;
use std::time::Duration;

use archive::path::Template;
use archive::retention::Rules;
use archive::{Every, Schedule};

pub use address::{HttpListen, ListenAddress};
pub use archive::Format;
pub use pattern::Pattern;
pub use pictures::{Ffmpeg, Pictures};
pub use problem::Problem;
pub use recorder::{Recorder, Verdict};
pub use sample::SAMPLE;
pub use secret::Secret;
#[cfg(any(test, fuzzing))]
pub(crate) use settings::examine_bytes;
pub use settings::{Reloaded, Settings, Shown, Source, examine, load, reload};
use value::{
    age, boolean, count, file_size, flush, format, grace, message_size, min_free, off_or, parsed,
    room, size,
};
pub(crate) use value::{duration, duration_or_zero, pre_roll, rotation};
pub use watch::{Cause, Watch};
pub use window::{Window, Windows};

/// All settings of the server. The names are those of the flags, with `-` for `_`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Config {
    /// Configuration file (TOML); read again on SIGHUP and when it changes
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Address of the RTMP listener: HOST:PORT, or :PORT for all addresses of the machine
    #[arg(long, value_name = "ADDRESS", default_value = ":1935")]
    pub listen: ListenAddress,

    /// Address of the HTTP API: HOST:PORT, or off; other than loopback only with a token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080",
          value_parser = parsed::<HttpListen>)]
    pub http_listen: HttpListen,

    /// Secret that the HTTP API asks for, at least 16 characters; better in a file or a variable
    #[arg(long, value_name = "TOKEN", value_parser = parsed::<Secret>)]
    pub api_token: Option<Secret>,

    /// File that holds the secret of the HTTP API
    #[arg(long, value_name = "PATH")]
    pub api_token_file: Option<PathBuf>,

    /// Record every published stream
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value = "false",
          default_missing_value = "true", value_parser = boolean())]
    pub record_all: bool,

    /// Directory that recordings go to; made with its parents
    #[arg(long, value_name = "PATH", default_value = "recordings")]
    pub record_dir: PathBuf,

    /// Least level that is logged: debug, info, warn or error
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,

    /// How log lines are written: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// A publisher that sends nothing for this long is given up, so that it can come back
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub publish_timeout: Duration,

    /// A player that takes nothing, or keeps losing pictures, for this long is disconnected
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub play_timeout: Duration,

    /// Players of a publisher that is gone wait this long for it to come back before they are told
    /// the end; 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration_or_zero)]
    pub play_hold: Duration,

    /// Longest that a stop waits for open files and connections
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub shutdown_timeout: Duration,

    /// Most connections at once
    #[arg(long, value_name = "N", default_value = "20000", value_parser = count)]
    pub max_connections: usize,

    /// Most connections at once from one address
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub max_connections_per_address: usize,

    /// Most connections that have not finished their handshake; beyond it the oldest of them is
    /// dropped
    #[arg(long, value_name = "N", default_value = "2000", value_parser = count)]
    pub max_handshakes: usize,

    /// Most streams published or waited for at once
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub max_streams: usize,

    /// Most players of one stream
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count)]
    pub max_players: usize,

    /// Largest message that a publisher may send
    #[arg(long, value_name = "SIZE", default_value = "16777215", value_parser = message_size)]
    pub max_message_size: usize,

    /// Most memory that a stream's newest group of pictures may take for players that join
    #[arg(long, value_name = "SIZE", default_value = "32MiB", value_parser = size)]
    pub join_buffer: usize,

    /// Most memory of a stream that its slowest player may hold on to
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = size)]
    pub play_buffer: usize,

    /// Most memory of a stream that waits for a slow disk
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub record_queue: usize,

    /// Most memory of all streams together that waits for slow disks
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub record_queue_total: usize,

    /// Longest that a packet waits before the operating system has it: what a killed process costs
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = flush)]
    pub record_flush: Duration,

    /// How often the disk is waited for: what a power cut costs; 0 for once at the end of each file
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration_or_zero)]
    pub record_sync: Duration,

    /// What files recordings are: flv, or mp4, which browsers and phones play
    #[arg(long, value_name = "FORMAT", default_value = "flv", value_parser = format())]
    pub record_format: Format,

    /// Names of files, below the record directory; docs/ref/names.md has all parts
    #[arg(long, value_name = "TEMPLATE", default_value = "{stream_key}_{timestamp}")]
    pub record_path: Template,

    /// A new file when this one is so long, or off
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = off_or(rotation))]
    pub record_rotate_duration: std::option::Option<Duration>,

    /// A new file when this one is so large, or off
    #[arg(long, value_name = "SIZE", default_value = "off", value_parser = off_or(file_size))]
    pub record_rotate_size: std::option::Option<u64>,

    /// A new file at every multiple of this time by the clock on the wall, or off
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = off_or(parsed::<Every>))]
    pub record_rotate_every: std::option::Option<Every>,

    /// A new file whenever a cron expression, with a time zone behind it, says so, or off
    #[arg(long, value_name = "CRON", default_value = "off",
          value_parser = off_or(parsed::<Schedule>))]
    pub record_rotate_schedule: std::option::Option<Schedule>,

    /// A publisher that is back within this time continues its recording; 0 for a recording each
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration_or_zero)]
    pub record_rejoin: Duration,

    /// Write the BLAKE3 hash of each finished file beside it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value = "false",
          default_missing_value = "true", value_parser = boolean())]
    pub record_checksum_files: bool,

    /// How much of each stream is kept in memory, so that a recording may begin before it was asked
    /// for; 0 for nothing
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = pre_roll)]
    pub pre_roll: Duration,

    /// Most memory of a stream that is kept for that
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub pre_roll_buffer: usize,

    /// How long a deleted recording can be restored; 0 to delete at once
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = grace)]
    pub bin_grace: Duration,

    /// Pictures of streams and recordings.
    #[command(flatten)]
    pub pictures: Pictures,

    /// What is deleted for want of room.
    #[command(flatten)]
    pub retain: Retain,
}

/// Free space, and what is deleted when: for the server and for `rtmp-server retention`.
// The paths of the types are whole so that clap takes the parsers' values as they are.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Retain {
    /// Room that recording leaves on the disk; auto: the smaller of 1 GiB and 1 % of it
    #[arg(long, value_name = "SIZE", default_value = "auto", value_parser = min_free)]
    pub record_min_free: std::option::Option<u64>,

    /// Recordings older than this are deleted, or off
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = age)]
    pub retain_age: std::option::Option<Duration>,

    /// The oldest recordings are deleted while all of them are larger than this, or off
    #[arg(long, value_name = "SIZE", default_value = "off", value_parser = room)]
    pub retain_size: std::option::Option<u64>,

    /// The oldest recordings are deleted while the disk has less room than this, or off
    #[arg(long, value_name = "SIZE", default_value = "off", value_parser = room)]
    pub retain_free: std::option::Option<u64>,

    /// Only recordings with a file NAME.flv.copied or NAME.mp4.copied beside them are deleted
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value = "false",
          default_missing_value = "true", value_parser = boolean())]
    pub retain_copied: bool,
}

impl Retain {
    /// As the archive takes them.
    pub fn rules(&self) -> Rules {
        Rules {
            age: self.retain_age,
            total_bytes: self.retain_size,
            free_bytes: self.retain_free,
            copied_only: self.retain_copied,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        crate::cli::defaults()
    }
}

/// The least level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Every packet as well.
    Debug,
    /// What a person asked about changed its state.
    Info,
    /// Unexpected, and we went on.
    Warn,
    /// Data was lost, or a person must act.
    Error,
}

impl LogLevel {
    /// The word in the configuration and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// `time LEVEL message field=value …`
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests;
