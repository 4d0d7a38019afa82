//! Streams over HTTP: every view has what was sent, and a viewer is a player like any other.

mod flv;
mod grows;
pub(crate) mod hls;
mod kicks;
mod mp4;
mod open;
mod past;
mod players;
mod renditions;
mod rewind;
mod samples;
mod slow;
pub(crate) mod socket;

use media::Packet;
use testkit::server::{Builder, Server};
use testkit::{Http, Publisher, Source, SourceConfig};

/// A server with HTTP, not started yet.
fn builder() -> Builder {
    Server::builder(crate::support::BINARY).http()
}

/// A server with HTTP.
fn server() -> (Server, Http) {
    let server = builder().start();
    let http = server.api();
    (server, http)
}

/// Metadata, configurations, the first key frame and the first sound: what a player of the whole stream has to see
/// before it joins.
const OPENING: usize = 5;

fn source(config: SourceConfig, packets: usize) -> Vec<Packet> {
    Source::new(1, config).take(packets).collect()
}

/// A publisher that has sent the first of these, which the server has.
async fn begin(server: &Server, key: &str, sent: &[Packet]) -> Publisher {
    let mut publisher = Publisher::connect(&server.url(key)).await.unwrap();
    publisher.send_all(sent).await.unwrap();
    let path = format!("/api/v1/streams/{}", key.replace('/', "%2F"));
    let http = server.api();
    until("the first packets", || {
        let answer = http.get(&path);
        (answer.status == 200 && answer.json()["received"]["packets"] == sent.len()).then_some(())
    });
    publisher
}

/// Asks until what is asked for is there.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + testkit::server::DEADLINE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// Checks FLV of a view: what was sent from a packet on, bit for bit, at its distance from the oldest of them.
fn assert_viewed(flv: &testkit::flv::Flv, sent: &[Packet]) {
    assert!(flv.faults.is_empty(), "{:?}", flv.faults);
    let viewed: Vec<&Packet> = flv.tags.iter().map(|tag| &tag.packet).collect();
    let media = |packets: Vec<Packet>| -> Vec<Packet> {
        packets.into_iter().filter(Packet::is_media).collect()
    };
    let expected = media(sent.to_vec());
    let found = media(viewed.into_iter().cloned().collect());
    assert_eq!(found.len(), expected.len(), "packets");
    let origin_ms = expected.iter().map(|packet| packet.dts_ms).min().unwrap_or(0);
    for (n, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(found.kind == expected.kind && found.body == expected.body, "packet {n}");
        assert_eq!(found.dts_ms, expected.dts_ms - origin_ms, "packet {n}");
    }
}
