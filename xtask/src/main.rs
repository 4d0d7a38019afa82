//! Development tasks, run as `cargo xtask TASK`.
//!
//! `cargo xtask test` is the one command that decides whether a change is good: the build server
//! runs nothing else. This crate depends on no other crate of the workspace, so that it builds
//! fast and works while they do not compile.

mod bench;
mod checks;
mod clip;
mod longer;
mod obs;
mod run;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development tasks of rtmp-server")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing, then format check, lints, documentation, tidy rules and all tests
    Test {
        /// Leave out the tests with real programs (FFmpeg, OBS, ...) and their installation
        #[arg(long)]
        fast: bool,
    },
    /// Kill servers in the middle of streams: what each kill costs
    Crash {
        /// How often
        #[arg(default_value_t = 200)]
        kills: u64,
    },
    /// Have disks fail under streams that somebody watches: how late frames are, what is lost. Needs root
    Trouble {
        /// How long each disk is in trouble
        #[arg(default_value_t = 30)]
        seconds: u64,
    },
    /// Have 200 publishers and 400 players come, go, stall and break while a disk fails: what is left
    Soak(longer::Soak),
    /// Run the tests with OBS by one that knows Enhanced RTMP, and install that. Needs root
    Obs,
    /// Check licences, origins and duplicates of the dependencies
    Deny,
    /// Check the concurrency of timelines, cursors and the registry in every order of threads, with two forced changes
    Loom,
    /// Run the fuzz targets, one after the other, and print what they did
    Fuzz {
        /// How long each target runs
        #[arg(default_value_t = 60)]
        seconds: u64,
        /// Only these
        targets: Vec<String>,
    },
    /// Measure the server beside the plain loop: the table of docs/design/performance.md
    Bench(bench::Options),
    /// Install the programs that the tests drive, and nothing else
    Tools,
    /// Check the rules of the house that the compiler cannot check
    Tidy,
    /// Make crates/server/assets/demo.flv, the clip that `rtmp-server publish demo` sends
    DemoClip,
}

fn main() -> ExitCode {
    let (name, result) = match Cli::parse().task {
        Task::Test { fast } => ("test", test::all(fast)),
        Task::Crash { kills } => ("crash", longer::crash(kills)),
        Task::Trouble { seconds } => ("trouble", longer::trouble(seconds)),
        Task::Soak(options) => ("soak", longer::soak(&options)),
        Task::Obs => ("obs", obs::tests()),
        Task::Deny => ("deny", run::Workspace::find().and_then(|w| checks::deny(&w))),
        Task::Loom => ("loom", run::Workspace::find().and_then(|w| checks::loom(&w))),
        Task::Fuzz { seconds, targets } => {
            let workspace = run::Workspace::find();
            ("fuzz", workspace.and_then(|w| checks::fuzz(&w, seconds, &targets)))
        }
        Task::Bench(options) => ("bench", bench::table(&options)),
        Task::Tools => ("tools", run::Workspace::find().and_then(|w| tools::install(&w)).map(drop)),
        Task::Tidy => ("tidy", run::Workspace::find().and_then(|w| tidy::check(&w))),
        Task::DemoClip => ("demo-clip", run::Workspace::find().and_then(|w| clip::make(&w))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {name}: FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}
