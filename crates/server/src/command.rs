//! What the program does: run the server, or one of its commands.

mod api;
mod catalog;
mod check_config;
mod client;
mod completions;
mod format;
mod man;
mod probe;
mod publish;
mod pull;
mod recordings;
mod remux;
mod repair;
mod retention;
mod room;
mod sample_config;
mod serve;
mod shell;
mod status;
mod table;
mod verify;

use std::io::{self, Write as _};
use std::process::ExitCode;

use tokio::sync::oneshot;

use crate::platform::{HangupMeans, StopSignals};

pub use catalog::Catalog;
pub use check_config::CheckConfig;
#[cfg(any(test, fuzzing))]
pub(crate) use check_config::told;
pub use completions::Completions;
pub use man::Man;
pub use probe::Probe;
pub use publish::Publish;
pub use pull::Pull;
pub use recordings::Recordings;
pub use remux::Remux;
pub use repair::Repair;
pub use retention::Retention;
pub use sample_config::SampleConfig;
pub use serve::serve;
pub use status::Status;
pub use verify::Verify;

/// Commands beside running the server.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Publish an FLV file, or the built-in clip, to an RTMP server
    Publish(Publish),
    /// Play a stream of an RTMP server and record it as an FLV file
    Pull(Pull),
    /// Find, start, stop, export, hold, delete and prove recordings
    Recordings(Box<Recordings>),
    /// Show what a running server does, live
    Status(Status),
    /// Tell what is in FLV files and MP4 recordings, and what is wrong with them
    Probe(Probe),
    /// Tell what retention would delete now, and when the disk will be full
    Retention(Retention),
    /// Look after the catalog of recordings
    Catalog(Catalog),
    /// Prove that the files of a recording are the stream: nothing lost, twice or changed
    Verify(Verify),
    /// Mend torn files: FLV of any server, and MP4 recordings of this one
    Repair(Repair),
    /// Make an MP4 file of an FLV file, or FLV of an MP4 recording, without encoding anything
    Remux(Remux),
    /// Tell what is wrong with a configuration, or what it comes to
    CheckConfig(CheckConfig),
    /// Print a configuration with every key, its default and what it is for
    SampleConfig(SampleConfig),
    /// Print what lets a shell complete this program's commands and flags
    Completions(Completions),
    /// Print the manual page, or write all of them
    Man(Man),
}

/// Why a command failed, in words for the person who gave it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The command line is wrong: what it says does not go together, or a value in it is none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// The exit code for that.
pub const EXIT_USAGE: u8 = 2;

/// The exit code of a program whose command failed.
pub fn exit_code(error: &Error) -> ExitCode {
    let is_refused = error.downcast_ref().is_some_and(api::ApiError::is_bad_value);
    match error.is::<Usage>() || is_refused {
        true => ExitCode::from(EXIT_USAGE),
        false => ExitCode::FAILURE,
    }
}

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
            Self::Recordings(recordings) => recordings.run(),
            Self::Status(status) => status.run(),
            Self::Probe(probe) => probe.run(),
            Self::Retention(retention) => retention.run(),
            Self::Catalog(catalog) => catalog.run(),
            Self::Verify(verify) => verify.run(),
            Self::Repair(repair) => repair.run(),
            Self::Remux(remux) => remux.run(),
            Self::CheckConfig(check) => check.run(),
            Self::SampleConfig(sample) => sample.run(),
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
        }
    }
}

/// Prints what was asked for. Returns whether anybody still reads it.
///
/// # Errors
/// When standard output takes nothing, as on a full disk.
pub fn print(text: &str) -> Result<bool, Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(format!("cannot print to standard output: {}", archive::words(&error)).into())
        }
    }
}

/// Threads of a command: the runtime's one, and those that wait for names and files, for keys and for the first of them.
const THREADS: usize = 4;

/// Completes at the first request to stop.
type Stop = oneshot::Receiver<()>;

/// Runs `work` to its end on this thread. It is told of the first request to stop; a second one
/// ends the process at once, even while the work waits for a disk that hangs: signals have a thread
/// of their own.
fn block_on<T>(work: impl AsyncFnOnce(Stop) -> Result<T, Error>) -> Result<T, Error> {
    room::check("this command", THREADS)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime.block_on(async {
        let mut signals = StopSignals::new(HangupMeans::Stop)?;
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
