//! Timestamps: players get those of the publisher, the file goes on from 0.

use media::{Kind, Packet};
use testkit::flv::{Flv, assert_recorded};
use testkit::{Player, Publisher, Source, SourceConfig};

use super::{bodies, recorded, relay};
use crate::support::recording;

/// Publishes two seconds around `start_ms`; players get the same times, the file has them from 0.
async fn keeps_times(start_ms: i64) {
    let server = recording().start();
    let url = server.url("live/test");
    let config = SourceConfig { start_ms, key_interval: 15, ..SourceConfig::default() };
    let sent: Vec<Packet> = Source::new(1, config).take(150).collect();
    let span_ms = sent.last().unwrap().dts_ms - sent.first().unwrap().dts_ms;
    let mut player = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let played = relay(&mut publisher, &mut player, &sent).await;
    assert!(bodies(&played) == bodies(&sent));
    let timestamps = |packets: &[Packet]| packets.iter().map(Packet::timestamp).collect::<Vec<_>>();
    // Its metadata is at 0, for FFmpeg takes any other for subtitles.
    assert_eq!((played[0].kind, played[0].timestamp()), (Kind::Data, 0));
    assert_eq!(timestamps(&played[1..]), timestamps(&sent[1..]));

    // A late one as well, whose headers have the time of the key frame.
    let mut late = Player::connect(&url).await.unwrap();
    let key = sent.iter().rposition(|packet| packet.role == media::Role::Key).unwrap();
    let got = late.packets(3 + sent.len() - key).await;
    assert!(bodies(&got[3..]) == bodies(&sent[key..]));
    assert_eq!(timestamps(&got[3..]), timestamps(&sent[key..]));
    assert_eq!((got[0].kind, got[0].timestamp()), (Kind::Data, 0));
    assert!(got[1..3].iter().all(|header| header.timestamp() == sent[key].timestamp()));

    publisher.close().await.unwrap();
    let file = recorded(&server, "live/test");
    assert_recorded(&file, &sent);
    let last = Flv::read(&file).unwrap().tags.pop().unwrap();
    assert_eq!(i64::from(last.header.timestamp_ms), span_ms);
}

#[tokio::test]
async fn times_pass_24_bits_unchanged() {
    keeps_times(0x00FF_FFFF - 1_000).await;
    keeps_times(0x00FF_FFFF).await;
}

#[tokio::test]
async fn times_wrap_at_32_bits_unchanged() {
    keeps_times(0xFFFF_FFFF - 1_000).await;
}

#[tokio::test]
async fn times_from_the_middle_of_the_clock_are_unchanged() {
    keeps_times(0x7FFF_FFFF - 1_000).await;
    keeps_times(0xF000_0000).await;
}
