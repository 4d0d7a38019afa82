//! Before there is a session.

use testkit::client::{DEADLINE, Wire, raw};
use testkit::{Noise, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{STREAM, chunk, connected, crowd, patient, publishing, server, unharmed};
use crate::limits::foreign::foreign;
use crate::limits::timeouts::{closed, drip};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_sends_a_byte_a_second_or_nothing_is_given_up() {
    unharmed(server(), async |server, round| {
        let addr = server.addr();
        let all = crowd(200, async |i| match i % 4 {
            0 => closed(raw(addr).await.unwrap()).await,
            1 => drip(raw(addr).await.unwrap(), [vec![3], vec![0; 1_536]].concat()).await,
            2 => {
                let mut socket = raw(addr).await.unwrap();
                socket.write_all(&[vec![3], vec![0; 1_536]].concat()).await.unwrap();
                drip(socket, vec![0; 1_536]).await;
            }
            _ => {
                let socket = Wire::open(addr).await.unwrap().into_socket();
                drip(socket, chunk(3, 200, 20, 0, &[0; 128])).await;
            }
        });
        patient(round, all).await;
    })
    .await;
}

/// A socket that has come so far: to nothing, the version, half a handshake, all of it, `connect`,
/// a publish or a play.
pub(super) async fn at_stage(
    server: &Server,
    stage: usize,
    name: &str,
    noise: &mut Noise,
) -> TcpStream {
    let mut socket = match stage {
        0..3 => raw(server.addr()).await.unwrap(),
        3 => Wire::open(server.addr()).await.unwrap().into_socket(),
        4 => connected(server).await.into_socket(),
        5 => publishing(server, name).await.into_socket(),
        _ => {
            let mut wire = connected(server).await;
            wire.play(STREAM.trim_start_matches("live/")).await.unwrap();
            wire.into_socket()
        }
    };
    let begun = match stage {
        1 => vec![3],
        2 => [vec![3], noise.bytes(1_536)].concat(),
        _ => Vec::new(),
    };
    socket.write_all(&begun).await.unwrap();
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_at_every_stage_end_their_connections_alone() {
    unharmed(server(), async |server, round| {
        crowd(140, async |i| {
            let mut noise = Noise::new(round << 32 | i as u64);
            let name = format!("noise-{round}-{i}");
            let mut socket = at_stage(server, i % 7, &name, &mut noise).await;
            // The server may close before it has everything.
            if i < 70 {
                let _ = socket.write_all(&noise.bytes(50_000)).await;
            } else {
                let _ = socket.write_all(&messages(&mut noise)).await;
                // Some of these are messages that may come.
                let _ = socket.shutdown().await;
            }
            let waited = tokio::time::timeout(DEADLINE, closed(socket)).await;
            assert!(waited.is_ok(), "{i} is still connected");
        })
        .await;
        for bytes in foreign() {
            let mut socket = raw(server.addr()).await.unwrap();
            let _ = socket.write_all(&bytes).await;
            closed(socket).await;
        }
    })
    .await;
}

/// Messages of any type with anything in them.
fn messages(noise: &mut Noise) -> Vec<u8> {
    let mut message = |_| {
        let length = *noise.one(&[0, 1, 2, 4, 11, 60, 128_u8]);
        let body = noise.bytes(length.into());
        let [message_type, chunk_stream, stream, ..] = noise.next_u64().to_be_bytes();
        chunk(4 + chunk_stream % 60, length.into(), message_type % 24, stream % 3, &body)
    };
    (0..200).flat_map(&mut message).collect()
}
