//! Sockets that are half closed, not read, or silent in the middle of something.

use std::time::Duration;

use testkit::flv::assert_recorded;
use testkit::{Noise, Publisher, Source};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::handshake::at_stage;
use super::{chunk, crowd, server, unharmed};
use crate::limits::timeouts::closed;
use crate::play::slow::{config, narrow};
use crate::publish::{recorded, source};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_closed_sockets_are_closed_at_every_stage() {
    unharmed(server(), async |server, round| {
        crowd(140, async |i| {
            let mut noise = Noise::new(round << 32 | i as u64);
            let name = format!("half-{round}-{i}");
            let mut socket = at_stage(server, i % 7, &name, &mut noise).await;
            if i < 70 && i % 7 >= 3 {
                // In the middle of a message.
                socket.write_all(&chunk(6, 5_000, 9, 1, &[0; 100])).await.unwrap();
            }
            socket.shutdown().await.unwrap();
            // What it still sends is let in by the system, and ends.
            closed(socket).await;
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_that_read_nothing_or_a_byte_a_second_are_disconnected() {
    let builder = server().args(["-play-timeout", "1s", "-play-buffer", "1MiB"]);
    unharmed(builder, async |server, _| {
        let before = server.usage().descriptors;
        let mut publisher = Publisher::connect(&server.url("live/fat")).await.unwrap();
        let sockets = crowd(40, async |_| narrow(server, "fat").await.into_socket()).await;
        let sockets = sockets.into_iter().map(tokio::sync::Mutex::new).collect::<Vec<_>>();
        let slow = crowd(sockets.len(), async |i| {
            let mut socket = sockets[i].lock().await;
            let mut pace = tokio::time::interval(Duration::from_secs(1));
            // Every other one reads nothing.
            while i % 2 == 1 || matches!(socket.read(&mut [0]).await, Ok(1)) {
                pace.tick().await;
            }
        });
        let mut source = Source::new(2, config());
        let publish = async {
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            while server.usage().descriptors > before + 2 {
                let part: Vec<_> = source.by_ref().take(8).collect();
                publisher.send_all(&part).await.unwrap();
                pace.tick().await;
            }
        };
        let publish = tokio::time::timeout(2 * testkit::client::DEADLINE, publish);
        tokio::select! {
            waited = publish => assert!(waited.is_ok(), "players are still connected"),
            _ = slow => panic!("who reads nothing has an end"),
        }
        publisher.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_that_stop_in_the_middle_of_a_message_are_given_up() {
    let builder = server().args(["-publish-timeout", "3s"]);
    unharmed(builder, async |server, round| {
        let sent = source(2, 40);
        crowd(60, async |i| {
            let url = server.url(&format!("live/stop-{round}-{i}"));
            let mut publisher = Publisher::connect(&url).await.unwrap();
            publisher.send_all(&sent).await.unwrap();
            let mut socket = publisher.stall();
            // As much of a key frame as a stage of its own shows: nothing of its body, one byte, many.
            let has = [0, 1, 4_000][i % 3];
            let frame = chunk(7, 1 << 20, 9, 1, &vec![0x17; has]);
            socket.write_all(&frame).await.unwrap();
            closed(socket).await;
        })
        .await;
        for i in 0..60 {
            assert_recorded(&recorded(server, &format!("live/stop-{round}-{i}")), &sent);
        }
    })
    .await;
}
