//! Tools for tests: a running server, RTMP ends, media that can be checked, real programs.
//!
//! - [`server`] runs the real binary in a directory of its own and reads its log.
//! - [`client`] publishes and plays over real sockets; [`raw`](client::raw) is for what no session
//!   would do.
//! - [`http`] asks the API, byte by byte as a test says.
//! - [`source`] makes packets whose every byte can be checked, each alone.
//! - [`Noise`] is chance that can be repeated.
//! - [`flv`] compares a recording with what was sent.
//! - `mount` makes small file systems that can fail (on Linux, for root).
//! - [`tools`] finds and runs the programs that users have.
//! - [`process`] reads what a process costs.
//!
//! The load tool is `src/bin/load`. Everything here is for tests and may panic with a text that
//! says what was expected; nothing is global, so that tests run side by side.

pub mod client;
pub mod flv;
pub mod http;
#[cfg(target_os = "linux")]
pub mod mount;
mod noise;
pub mod process;
pub mod server;
pub mod source;
pub mod tools;

pub use client::{Player, PlayerEvent, Publisher};
pub use http::Http;
pub use noise::Noise;
pub use server::Server;
pub use source::{Source, SourceConfig, Stamp};

/// Runs a future to its end on a runtime of its own, in the thread of the caller: for tests that
/// are plain functions.
///
/// # Panics
/// When the system has no room for a runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap_or_else(|error| panic!("cannot make a runtime: {error}")).block_on(future)
}
