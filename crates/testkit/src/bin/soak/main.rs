//! Has publishers and players come, go, stall and break for a long time while a disk fails now and
//! then, and tells whether anything is left of them.
//!
//! ```text
//! cargo run --release -p testkit --bin soak -- --seconds 120
//! ```
//!
//! All choices are made of a seed (`plan`). Streams `well/N` are recorded to a disk that is well:
//! every frame has to be in its recording. Streams `weak/N` are recorded to a disk that is full,
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

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use clap::Parser as _;
    use std::process::ExitCode;

    let options = options::Options::parse();
    let done = soak::run(&options).and_then(|outcome| {
        report::print(&outcome)?;
        Ok(outcome.is_good())
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("soak: only Linux tells what another process costs");
    std::process::ExitCode::FAILURE
}

/// What went wrong, in words.
#[cfg(target_os = "linux")]
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
