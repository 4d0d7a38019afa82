//! What one peer may cost: every limit, by reaching it. That others go on meanwhile is in `hostile`.

mod connections;
pub(crate) mod foreign;
mod messages;
#[cfg(target_os = "linux")]
mod threads;
pub(crate) mod timeouts;

use std::time::Duration;

use testkit::client::{Error, Wire};
use testkit::flv::assert_recorded;
use testkit::{Publisher, Server};

use crate::publish::{recorded, source};
use crate::support::recording;

/// A publisher comes, publishes and goes, and its recording is whole.
async fn serves(server: &Server, key: &str) {
    let sent = source(1, 20);
    let mut publisher = Publisher::connect(&server.url(key)).await.unwrap();
    publisher.send_all(&sent).await.unwrap();
    publisher.close().await.unwrap();
    assert_recorded(&recorded(server, key), &sent);
}

/// Waits until the server takes a newcomer again, who had to wait for others to be gone.
async fn admitted(server: &Server) -> Wire {
    for _ in 0..1_000 {
        if let Ok(wire) = Wire::connected(server.addr(), "live").await {
            return wire;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody is let in");
}

/// Waits until the server has no more descriptors than it had once: until others are gone. Over HTTP that may be at
/// their time limits, of which the longest is 30 s.
pub(crate) async fn settled(server: &Server, descriptors: usize) {
    for _ in 0..4_500 {
        if server.usage().descriptors <= descriptors {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} descriptors, there were {descriptors}", server.usage().descriptors);
}

fn is_rejected<T>(result: Result<T, Error>, code: &str) -> bool {
    matches!(result, Err(Error::Rejected { code: got, .. }) if got == code)
}
