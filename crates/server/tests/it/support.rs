//! What the tests share.

use testkit::server::{Builder, Server};

/// The program under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_rtmp-server");

/// A server that records everything, not started yet.
pub(crate) fn recording() -> Builder {
    Server::builder(BINARY).args(["-record-all", "true"])
}
