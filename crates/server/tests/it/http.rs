//! The HTTP API, asked as programs and browsers ask it.

mod docs;
mod events;
mod guard;
mod limits;
mod media;
mod metrics;
mod reconnect;
mod recordings;
mod schemathesis;
mod server;
mod streams;

use testkit::server::{Builder, Server};
use testkit::{Http, Publisher, Source, SourceConfig};

/// A server with the API, not started yet.
pub(crate) fn builder() -> Builder {
    Server::builder(crate::support::BINARY).http()
}

/// A server with the API.
fn server() -> (Server, Http) {
    let server = builder().start();
    let http = server.api();
    (server, http)
}

/// A publisher that has sent so many packets.
pub(crate) async fn publish(server: &Server, key: &str, packets: usize) -> Publisher {
    let mut publisher = Publisher::connect(&server.url(key)).await.unwrap();
    let packets: Vec<_> = Source::new(1, SourceConfig::default()).take(packets).collect();
    publisher.send_all(&packets).await.unwrap();
    publisher
}

/// Asks until what is asked for is there.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + testkit::server::DEADLINE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}
