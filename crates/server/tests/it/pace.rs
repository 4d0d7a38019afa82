//! A publisher that sends faster than real time is held to what the recorder takes, and loses nothing; one that nobody
//! watches is read by the clock, and loses nothing either.

use media::Role;
use testkit::Player;
use testkit::client::Publisher;
use testkit::flv::assert_recorded;
use testkit::source::{Source, SourceConfig};

use crate::files::sender::Sender;
use crate::record::assert_played;
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

#[test]
fn a_stream_that_nobody_watched_is_recorded_whole_and_played_from_when_somebody_comes() {
    let mut server = support::recording().start();
    let url = server.url("live/test");
    let sender = Sender::start(&url, Source::new(1, SourceConfig::default()), 1);
    // By then its socket is read by the clock.
    sender.wait_until_sent(2_500);
    let played = testkit::block_on(async {
        let mut player = Player::connect(&url).await.unwrap();
        // More than what was there.
        player.packets(250).await
    });
    let sent = sender.stop_and_tell().packets();
    let media: Vec<_> = played.iter().filter(|packet| packet.role == Role::Key).collect();
    let first = sent.iter().position(|packet| packet.body == media[0].body).unwrap();
    let headers = played.iter().position(|packet| packet == media[0]).unwrap();
    assert_played(&played[headers..], &sent[first..][..played.len() - headers]);
    server.wait_for_log("recorder closed", &[("dropped", "0")]);
    server.stop();
    let [file] = &server.recordings()[..] else { panic!("one file") };
    assert_recorded(file, &sent);
}
