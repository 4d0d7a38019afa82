//! The shell around the pure crates: sockets, command line, logs and signals. The binary `rtmp-server` is `main.rs`.
//!
//! RTMP bytes are `rtmp`'s, container bytes `media`'s, files `archive`'s. Here stands who talks to whom and what a
//! person sees of it: [`Server`] owns the listeners, the registry of streams and the archive; each connection is a
//! task of its own that meets the others only in the registry.

pub mod allocator;
pub mod cli;
pub mod command;
pub mod config;
mod director;
mod drain;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod http;
pub mod hub;
pub mod pictures;
mod platform;
mod rtmp;
mod server;
mod sessions;
mod telemetry;

pub use config::{Config, ListenAddress, LogFormat, LogLevel, Retain};
pub use server::{Reload, Server, StartError};
pub use telemetry::{Logging, init as init_logging};
