//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use testkit::SourceConfig;

/// Publishes and plays many streams over loopback, checks every byte, and says what that cost.
#[derive(Debug, Clone, Parser)]
#[command(name = "load", args_conflicts_with_subcommands = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Streams that are published
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) publishers: u32,

    /// Players, spread evenly over the streams
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=20_000))]
    pub(crate) players: u32,

    /// Length of a run
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) seconds: u32,

    /// Speed of the streams' clock; 1 is real time
    #[arg(long, default_value_t = 1.0, value_parser = rate)]
    pub(crate) rate: f64,

    /// Send as fast as the sockets take it
    #[arg(long)]
    pub(crate) flat_out: bool,

    /// End a run after this much was published, so that a disk is not filled
    #[arg(long, default_value_t = 4_000, value_name = "MB",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) megabytes: u64,

    /// Mean rate of a stream's pictures in kbit/s
    #[arg(long, default_value_t = 2_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) kbps: u32,

    /// Mean rate of a stream's sound in kbit/s; 0 for none
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) audio_kbps: u32,

    /// Pictures in a second
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) fps: u32,

    /// Pictures from one key frame to the next
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) key_interval: u32,

    /// Chunk size of what is published, in bytes
    #[arg(long, default_value_t = 4_096,
          value_parser = clap::value_parser!(u32).range(128..=0xFF_FFFF))]
    pub(crate) chunk_size: u32,

    /// Record every stream, and check the recordings
    #[arg(long)]
    pub(crate) record: bool,

    /// The server [default: the rtmp-server beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) server: Option<PathBuf>,

    /// A further argument for the server, as in --server-arg=-record-queue=1GiB
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, conflicts_with = "connect")]
    pub(crate) server_arg: Vec<String>,

    /// A running server instead of one that is started
    #[arg(long, value_name = "ADDRESS", requires = "pid", conflicts_with = "server")]
    pub(crate) connect: Option<SocketAddr>,

    /// The process of the running server
    #[arg(long, requires = "connect")]
    pub(crate) pid: Option<u32>,

    /// Where the running server records; what is in there is deleted after each run
    #[arg(long, value_name = "DIR", requires = "connect")]
    pub(crate) recordings: Option<PathBuf>,

    /// Freeze the disk of the recordings for so long in the middle of a run; needs root
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["dir", "connect"],
          value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) freeze: Option<u64>,

    /// Where recordings go for the time of a run [default: the system's temporary directory]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,

    /// Whether the plain loop runs beside the server
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) plain: bool,

    /// Another server that does the same work in the same run
    #[arg(long, value_name = "SERVER")]
    pub(crate) beside: Option<Beside>,

    /// Runs of each; medians are reported
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeat: u32,

    /// Players that are joining at a time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) joining: u32,

    /// Search for the most publishers, from --publishers on, that are carried without loss or lag
    #[arg(long, conflicts_with_all = ["flat_out", "connect", "freeze"])]
    pub(crate) most: bool,

    /// Measure only what starting takes and what an idle server has
    #[arg(long, conflicts_with_all = ["most", "connect", "freeze"])]
    pub(crate) start: bool,

    /// Threads that publish in real time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) publish_threads: u32,

    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// A server to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Beside {
    /// nginx with its RTMP module, as Debian has it
    NginxRtmp,
}

/// What the tool does when it is not the tool.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// The plain loop, run by the tool as a process of its own
    #[command(hide = true)]
    Plain(Work),
}

/// What the plain loop has to do.
#[derive(Debug, Clone, Args)]
pub(crate) struct Work {
    /// Connections that publish
    #[arg(long)]
    pub(crate) publishers: u32,
    /// What they send is frames, each after its length, for viewers
    #[arg(long)]
    pub(crate) framed: bool,
    /// Writes what each publishes into a file here
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

/// Publishers that send as fast as they can have a thread each.
pub(crate) const FLAT_OUT_MAX: u32 = 64;

impl Options {
    /// What every stream is made of.
    pub(crate) fn source(&self) -> SourceConfig {
        SourceConfig {
            fps: self.fps,
            key_interval: self.key_interval,
            video_kbps: self.kbps,
            audio_kbps: self.audio_kbps,
            metadata: true,
            ..SourceConfig::default()
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.01..=1_000.0).contains(&rate) => Ok(rate),
        _ => Err("expected a number from 0.01 to 1000".to_owned()),
    }
}
