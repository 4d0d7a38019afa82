//! A publisher that sends faster than real time is held to what the recorder takes, and loses nothing.

use testkit::client::Publisher;
use testkit::flv::assert_recorded;
use testkit::source::{Source, SourceConfig};

use crate::support;

#[test]
fn publisher_faster_than_real_time_is_recorded_whole_through_a_small_queue() {
    let mut server = support::recording().args(["-record-queue", "8MiB"]).start();
    // A minute of 8 Mbit/s, as fast as the socket takes it: many times what the queue holds.
    let config = SourceConfig { video_kbps: 8_000, ..SourceConfig::default() };
    let packets: Vec<_> = Source::new(1, config).take_while(|p| p.dts_ms < 60_000).collect();
    testkit::block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/fast")).await.unwrap();
        publisher.send_all(&packets).await.unwrap();
        publisher.close().await.unwrap();
    });
    server.wait_for_log("recorder closed", &[("dropped", "0")]);
    server.stop();
    let [file] = &server.recordings()[..] else { panic!("one file") };
    assert_recorded(file, &packets);
}
