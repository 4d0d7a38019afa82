//! Messages that ask for answers, or that announce what nobody waits for.

use std::time::Duration;

use testkit::client::DEADLINE;
use tokio::io::AsyncWriteExt as _;

use super::bystander::unharmed_within;
use super::{crowd, flood, publishing, server, unharmed};
use crate::play::slow::narrow;

const COUNT: usize = 50_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_acknowledgements_and_windows_are_read_through() {
    unharmed(server(), async |server, round| {
        crowd(4, async |i| {
            let mut wire = publishing(server, &format!("flood-{round}-{i}")).await;
            for size in [0, 1, 0x7fff_ffff, u32::MAX] {
                let size = size.to_be_bytes();
                // Acknowledgements, then windows, then bandwidths, which are answered.
                for (message_type, body) in
                    [(3, size.to_vec()), (5, size.to_vec()), (6, [&size[..], &[2]].concat())]
                {
                    let flood = flood(COUNT / 4, 5, message_type, &body);
                    for part in flood.chunks(32 << 10) {
                        wire.bytes(part).await.unwrap();
                    }
                    wire.ping().await.unwrap();
                }
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_pings_are_answered_or_end_the_connection() {
    /// One read may have 20,000 pings in it, and eight of those stand before the bystander: 1 to 2 s of a debug
    /// build, and 5 s of one that shares two cores with ten others.
    const SILENCE_MAX: Duration = Duration::from_secs(20);
    let builder = server().args(["-play-timeout", "1s"]);
    unharmed_within(SILENCE_MAX, builder, async |server, _| {
        let ping = flood(1_000, 5, 4, &[0, 6, 0, 0, 0, 7]);
        crowd(8, async |i| {
            let mut wire = narrow(server, "test").await;
            if i % 2 == 0 {
                // Who reads gets each answered.
                for _ in 0..COUNT / 1_000 {
                    wire.bytes(&ping).await.unwrap();
                    wire.ping().await.unwrap();
                }
                return;
            }
            // Who does not is not read any more, and then disconnected.
            let mut socket = wire.into_socket();
            let fill = async { while socket.write_all(&ping).await.is_ok() {} };
            let waited = tokio::time::timeout(DEADLINE, fill).await;
            assert!(waited.is_ok(), "who reads nothing is still connected");
        })
        .await;
    })
    .await;
}
