//! What the program does: run the server, or one of its commands.

mod client;
mod format;
mod probe;
mod publish;
mod pull;
mod repair;
mod retention;
mod serve;
mod verify;

use std::process::ExitCode;

use tokio::sync::oneshot;

use crate::platform::StopSignals;

pub use probe::Probe;
pub use publish::Publish;
pub use pull::Pull;
pub use repair::Repair;
pub use retention::Retention;
pub use serve::serve;
pub use verify::Verify;

/// Commands beside running the server.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Publish an FLV file, or the built-in clip, to an RTMP server
    Publish(Publish),
    /// Play a stream of an RTMP server and record it as an FLV file
    Pull(Pull),
    /// Tell what is in FLV files and everything that is wrong with them
    Probe(Probe),
    /// Tell what retention would delete now, and when the disk will be full
    Retention(Retention),
    /// Prove that the files of a recording are the stream: nothing lost, twice or changed
    Verify(Verify),
    /// Mend FLV files: torn ones, and those of other servers
    Repair(Repair),
}

/// Why a command failed, in words for the person who gave it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A second request to stop ends the process at once with this code.
const EXIT_AT_ONCE: i32 = 130;

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What is to be printed on standard error.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            Self::Publish(publish) => publish.run(),
            Self::Pull(pull) => pull.run(),
            Self::Probe(probe) => probe.run(),
            Self::Retention(retention) => retention.run(),
            Self::Verify(verify) => verify.run(),
            Self::Repair(repair) => repair.run(),
        }
    }
}

/// Completes at the first request to stop.
type Stop = oneshot::Receiver<()>;

/// Runs `work` to its end on this thread. It is told of the first request to stop; a second one
/// ends the process at once, even while the work waits for a disk that hangs: signals have a thread
/// of their own.
fn block_on<T>(work: impl AsyncFnOnce(Stop) -> Result<T, Error>) -> Result<T, Error> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime.block_on(async {
        let mut signals = StopSignals::new()?;
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(async move {
            signals.next().await;
            // Work that is over already needs no telling.
            let _ = stop.send(());
            signals.next().await;
            std::process::exit(EXIT_AT_ONCE);
        });
        work(stopped).await
    });
    runtime.shutdown_background();
    result
}
