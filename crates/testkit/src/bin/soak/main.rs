//! Has publishers and players come, go, stall and break for a long time while a disk fails now and
//! then, and tells whether anything is left of them.
//!
//! ```text
//! cargo run --release -p testkit --bin soak -- --seconds 120
//! ```
//!
//! All choices are made of a seed (`plan`). Streams `well-FORMAT/N` are recorded to a disk that is well:
//! every frame has to be in its recording. Streams `weak-FORMAT/N` are recorded to a disk that is full,
//! frozen or failing at times: what is lost there has to be told. Whatever was recorded is verified
//! and compared with what was sent, and only then may retention delete it (`audit`). At the end all
//! leave, and memory, threads, descriptors, catalog and files are looked at (`report`).

#[cfg(target_os = "linux")]
mod audit;
#[cfg(target_os = "linux")]
mod books;
#[cfg(target_os = "linux")]
mod crew;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod play;
#[cfg(target_os = "linux")]
mod plot;
#[cfg(target_os = "linux")]
mod poke;
#[cfg(target_os = "linux")]
mod publish;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod sample;
#[cfg(target_os = "linux")]
mod soak;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(target_os = "linux")]
mod steady;

use std::process::ExitCode;

use testkit::process::{self, Result};

fn main() -> ExitCode {
    process::exit_code("soak", run())
}

/// Whether all was well.
#[cfg(target_os = "linux")]
fn run() -> Result<bool> {
    use clap::Parser as _;

    let outcome = soak::run(&options::Options::parse())?;
    report::print(&outcome)?;
    Ok(outcome.is_good())
}

#[cfg(not(target_os = "linux"))]
fn run() -> Result<bool> {
    Err(process::ONLY_LINUX.into())
}
