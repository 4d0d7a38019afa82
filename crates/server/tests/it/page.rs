//! The page to watch: its files as they are served, and what people do with it in a real browser.

mod assets;
mod browser;

use testkit::Http;
use testkit::server::{Builder, Server};

/// A server with HTTP, not started yet.
fn builder() -> Builder {
    crate::pictures::decoding(Server::builder(crate::support::BINARY))
}

/// A server with HTTP.
fn server() -> (Server, Http) {
    let server = builder().start();
    let http = server.api();
    (server, http)
}
