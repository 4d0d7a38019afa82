//! Peers that mean harm, many at a time: while they do it a publisher is recorded bit for bit and
//! its player gets everything, and afterwards the process is what it was before. What each limit
//! does to the one that reaches it is in `limits`.

mod bystander;
mod chunks;
mod commands;
mod handshake;
mod http;
mod messages;
mod sockets;
mod storms;
mod watch;

use std::time::Duration;

use futures_util::future::join_all;
use testkit::Server;
use testkit::client::{DEADLINE, Wire};
use testkit::server::Builder;

use crate::support::BINARY;
use bystander::{STREAM, unharmed};

fn server() -> Builder {
    Server::builder(BINARY)
}

/// So many peers at once, each with its number; what becomes of them.
async fn crowd<T>(count: usize, one: impl AsyncFn(usize) -> T) -> Vec<T> {
    join_all((0..count).map(|i| one(i))).await
}

/// Waits until the server has given up all of a crowd. In the first round they leave by themselves:
/// time limits take long.
async fn patient<T>(round: u64, all: impl Future<Output = T>) {
    let patience = if round == 0 { Duration::from_secs(1) } else { DEADLINE };
    let waited = tokio::time::timeout(patience, all).await;
    assert!(round == 0 || waited.is_ok(), "not given up");
}

/// Connected to an application.
async fn connected(server: &Server) -> Wire {
    Wire::connected(server.addr(), "live").await.unwrap()
}

/// Publishing under a name; the message stream is the first one, 1.
async fn publishing(server: &Server, name: &str) -> Wire {
    let mut wire = connected(server).await;
    assert_eq!(wire.publish(name).await.unwrap(), 1);
    wire
}

/// A message's first chunk as it is sent when nothing was sent before: its head, and what follows.
fn chunk(chunk_stream: u8, length: u32, message_type: u8, stream: u8, body: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = length.to_be_bytes();
    let mut bytes = vec![chunk_stream, 0, 0, 0];
    bytes.extend(length);
    bytes.extend([message_type, stream, 0, 0, 0]);
    bytes.extend(body);
    bytes
}

/// A small message again and again: its chunk, then the same without its head.
fn flood(count: usize, chunk_stream: u8, message_type: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    let again = [&[0xc0 | chunk_stream], body].concat().repeat(count - 1);
    [chunk(chunk_stream, length, message_type, 0, body), again].concat()
}
