//! RTMP as a value: bytes and `now` in, events and bytes out.
//!
//! [`handshake`] and [`chunk`] turn bytes into messages and back, [`message`] and [`command`] give
//! them meaning, [`server`] and [`client`] are the two sides of a session. Nothing here opens a
//! socket, reads a clock, starts a thread, writes a log or draws a random number: the shell passes
//! `now` and entropy in.
//!
//! What a peer can make this crate hold or wait for is bounded by [`Limits`]; what it did wrong is
//! an [`Error`]. No input makes anything here panic.
//!
//! Sources: RTMP = *Adobe's Real Time Messaging Protocol 1.0* (2012); E-RTMP = *Enhanced RTMP v2*.

pub mod capabilities;
pub mod chunk;
pub mod client;
pub mod command;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod handshake;
mod limits;
pub mod message;
pub mod server;
pub mod url;

pub use error::{Error, Protocol, Refused, Stage};
pub use limits::Limits;
