//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// The shortest and the longest time to warm up.
const WARM_UP_SECONDS: (u64, u64) = (20, 600);

/// Has publishers and players come, go, stall and break for a long time while a disk fails now and
/// then, and tells whether anything is left of them.
#[derive(Debug, Clone, Parser)]
#[command(name = "soak")]
pub(crate) struct Options {
    /// How long, after a sixth of it (20 s to ten minutes) to warm up
    #[arg(long, default_value_t = 1_800, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    pub(crate) seconds: u64,

    /// Publishers at once
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(4..=2_000))]
    pub(crate) publishers: u32,

    /// Players at once
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(0..=4_000))]
    pub(crate) players: u32,

    /// Pairs of publisher and player that are there from beginning to end
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) steady: u32,

    /// Makes all choices; the same seed makes the same
    #[arg(long, env = "RTMP_SERVER_TEST_SEED")]
    pub(crate) seed: Option<u64>,

    /// The server [default: the rtmp-server beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) server: Option<PathBuf>,

    /// Where the plot and what it is made of go
    #[arg(long, value_name = "DIR", default_value = "soak")]
    pub(crate) out: PathBuf,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    /// The time that counts.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The time before, in which the server gets what it needs for such work and keeps.
    pub(crate) fn warm_up(&self) -> Duration {
        let (least, most) = WARM_UP_SECONDS;
        Duration::from_secs((self.seconds / 6).clamp(least.min(self.seconds), most))
    }

    /// Of the user's, or any.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| u64::from(std::process::id()))
    }
}
