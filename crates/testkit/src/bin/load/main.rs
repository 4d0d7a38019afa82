//! Publishes and plays many streams over loopback, checks every byte, and says what that cost.
//!
//! ```text
//! cargo run --release -p testkit --bin load -- --publishers 8 --flat-out --record
//! cargo run --release -p testkit --bin load -- --players 300 --kbps 4000
//! ```
//!
//! Each repetition runs the server and then a plain loop that does the same work without any
//! protocol (see `plain`): what the machine itself takes for it. Both get the same bytes at the
//! same times from the same sockets, and their processor time is read in the same way. The ratio
//! of the two is what can be compared between machines.

#[cfg(target_os = "linux")]
mod bank;
#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
mod frozen;
#[cfg(target_os = "linux")]
mod most;
#[cfg(target_os = "linux")]
mod nginx;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod plain;
#[cfg(target_os = "linux")]
mod play;
#[cfg(target_os = "linux")]
mod publish;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod target;
#[cfg(target_os = "linux")]
mod trial;

use std::process::ExitCode;

use testkit::process::{self, Result};

fn main() -> ExitCode {
    process::exit_code("load", run())
}

/// Whether all was well.
#[cfg(target_os = "linux")]
fn run() -> Result<bool> {
    use clap::Parser as _;

    let options = options::Options::parse();
    match &options.command {
        Some(options::Command::Plain(work)) => plain::serve(work).map(|()| true),
        None if options.start => start::measure(&options),
        None if options.most => most::search(&options),
        None => trial::run(&options),
    }
}

#[cfg(not(target_os = "linux"))]
fn run() -> Result<bool> {
    Err(process::ONLY_LINUX.into())
}
