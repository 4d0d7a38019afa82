//! What the tests share.

use testkit::server::{Builder, Server};

/// The program under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_rtmp-server");

/// A server that records everything, not started yet.
pub(crate) fn recording() -> Builder {
    Server::builder(BINARY).args(["-record-all", "true"])
}

/// A number that whoever runs the tests may set in the environment.
pub(crate) fn setting(name: &str, default: impl FnOnce() -> u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default(),
    }
}
