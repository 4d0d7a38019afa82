//! Chunks that claim much, cut small, or take back what they began.

use testkit::Publisher;
use testkit::flv::assert_recorded;

use super::bystander::assert_peak;
use super::{chunk, connected, crowd, flood, publishing, server, unharmed};
use crate::publish::{recorded, source};

/// What claims and floods may add at any moment, in MiB.
const PEAK_MAX: u64 = 96;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_16_mib_on_thousands_of_chunk_streams_cost_what_has_arrived() {
    /// With 2 and 3 there are 128.
    const CHUNK_STREAMS: u32 = 126;
    unharmed(server(), async |server, round| {
        let before = server.usage().rss_bytes;
        let wires = crowd(40, async |i| {
            let mut wire = publishing(server, &format!("claim-{round}-{i}")).await;
            wire.set_chunk_size(1).await.unwrap();
            for n in 0..CHUNK_STREAMS {
                // Two bytes of basic header reach all of them.
                let claim = chunk(0, 0xff_ffff, 9, 1, &[0x17]);
                let claim = [&[0, u8::try_from(n).unwrap()], &claim[1..]].concat();
                wire.bytes(&claim).await.unwrap();
            }
            wire.ping().await.unwrap();
            wire
        })
        .await;
        assert_peak(server, before, PEAK_MAX);
        drop(wires);
        // One more chunk stream than there may be, and thousands.
        crowd(10, async |_| {
            let mut wire = connected(server).await;
            for n in 0..5_000u16 {
                let [low, high] = n.to_le_bytes();
                let claim = [&[1, low, high], &chunk(0, 0, 99, 0, &[])[1..]].concat();
                if wire.bytes(&claim).await.is_err() {
                    break;
                }
            }
            wire.closed().await.unwrap();
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunk_sizes_that_are_none_end_the_connection_and_any_other_is_used() {
    unharmed(server(), async |server, round| {
        crowd(60, async |i| {
            let mut wire = publishing(server, &format!("none-{round}-{i}")).await;
            let size = [0, 0x8000_0000, u32::MAX][i % 3];
            wire.set_chunk_size(size).await.unwrap();
            wire.closed().await.unwrap();
        })
        .await;
        for size in [1, 0x7fff_ffff] {
            let key = format!("live/{size}-{round}");
            let sent = source(2, 40);
            let adjust = |config: &mut rtmp::client::ClientConfig| config.chunk_size = size;
            let mut publisher = Publisher::connect_with(&server.url(&key), adjust).await.unwrap();
            publisher.send_all(&sent).await.unwrap();
            publisher.close().await.unwrap();
            assert_recorded(&recorded(server, &key), &sent);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_aborts_and_chunk_sizes_are_read_through() {
    const COUNT: usize = 100_000;
    unharmed(server(), async |server, round| {
        let before = server.usage().rss_bytes;
        crowd(4, async |i| {
            let mut wire = publishing(server, &format!("flood-{round}-{i}")).await;
            // Of nothing that was begun, then of what was.
            wire.bytes(&flood(COUNT, 5, 2, &[0, 0, 0, 6])).await.unwrap();
            wire.set_chunk_size(60_000).await.unwrap();
            let begun = chunk(6, 0xff_ffff, 9, 1, &[0; 60_000]);
            for _ in 0..200 {
                wire.bytes(&begun).await.unwrap();
                wire.bytes(&chunk(5, 4, 2, 0, &[0, 0, 0, 6])).await.unwrap();
            }
            wire.ping().await.unwrap();
            for size in [4_u32, 128, 0x7fff_ffff, 60_000].repeat(5) {
                wire.bytes(&flood(COUNT / 20, 5, 1, &size.to_be_bytes())).await.unwrap();
            }
            wire.ping().await.unwrap();
            // Messages of nothing, a byte each.
            let nothing = [chunk(6, 0, 8, 1, &[]), vec![0xc6; 100_000]].concat();
            let _ = wire.bytes(&nothing).await;
        })
        .await;
        assert_peak(server, before, PEAK_MAX);
    })
    .await;
}
