//! What a person is told of a stream.

use testkit::client::{Player, Publisher};
use testkit::source::{Source, SourceConfig};

use crate::support;

#[test]
fn codecs_and_summary_of_a_stream_are_logged() {
    let mut server = support::recording().start();
    let config = SourceConfig { key_interval: 30, ..SourceConfig::default() };
    let packets: Vec<_> = Source::new(1, config).take_while(|p| p.dts_ms < 4_000).collect();
    let (url, server_ref) = (server.url("live/test"), &server);
    testkit::block_on(async {
        let mut publisher = Publisher::connect(&url).await.unwrap();
        publisher.send_all(&packets).await.unwrap();
        let mut player = Player::connect(&url).await.unwrap();
        player.packets(1).await;
        let line = server_ref.wait_for_log("stream codecs", &[("stream_key", "live/test")]);
        assert_eq!(line.field("video").unwrap(), "H.264 High 3.1 1280x720 avc1.64001f");
        assert_eq!(line.field("audio").unwrap(), "AAC LC 48000 Hz 2 channels mp4a.40.2");
        publisher.close().await.unwrap();
    });
    let line = server.wait_for_log("stream summary", &[("stream_key", "live/test")]);
    let bytes = |kind| {
        let of_kind = packets.iter().filter(|p| p.kind == kind);
        of_kind.map(|p| p.body.len()).sum::<usize>().to_string()
    };
    for (field, wanted) in [
        ("video_bytes", bytes(media::Kind::Video)),
        ("audio_bytes", bytes(media::Kind::Audio)),
        ("key_frames", "4".to_owned()),
        ("key_interval_ms", "1000".to_owned()),
        ("frame_rate", "30.0".to_owned()),
        ("players_peak", "1".to_owned()),
    ] {
        assert_eq!(line.field(field).unwrap(), wanted, "{field}");
    }
    server.stop();
}
