//! Streams of several tracks, in the forms that no encoder sends yet.

use bytes::Bytes;
use media::{Kind, Packet};
use testkit::{Player, Publisher, flv};

use super::{bodies, relay};
use crate::support::recording;

fn video(dts_ms: i64, body: &'static [u8]) -> Packet {
    Packet::new(Kind::Video, dts_ms, Bytes::from_static(body))
}

fn audio(dts_ms: i64, body: &'static [u8]) -> Packet {
    Packet::new(Kind::Audio, dts_ms, Bytes::from_static(body))
}

/// Both pictures in one message, each sound in one of its own but for the first configurations.
fn stream() -> (Vec<Packet>, Vec<Packet>) {
    let headers = vec![
        video(0, b"\x94hvc1\x02\x00\x09colorInfo\x06"),
        video(0, b"\x96\x10hvc1\x00\x00\x00\x02c0\x01\x00\x00\x02c1"),
        audio(0, b"\x94Opus\x01\x06\x00\x00\x00\x3f"),
        audio(0, b"\x95\x20Opus\x00\x00\x00\x01hmp4a\x01\x00\x00\x02\x12\x10"),
        // The newest word on its track alone.
        audio(0, b"\x95\x00mp4a\x01\x11\x90"),
    ];
    let mut media = Vec::new();
    for n in 0..60 {
        let dts_ms = n * 40;
        media.push(match n % 20 {
            // ModEx with 5 ns before the key frames of both.
            0 => video(
                dts_ms,
                b"\x97\x02\x00\x00\x05\x06\x11hvc1\x00\x00\x00\x05\x00\x00\x28k0\x01\x00\x00\x05\x00\x00\x00k1",
            ),
            _ => video(dts_ms, b"\xa6\x13hvc1\x00\x00\x00\x02f0\x01\x00\x00\x02f1"),
        });
        // A third picture whose key frame comes late.
        media.push(match n {
            30 => video(dts_ms, b"\x96\x03av01\x07k7"),
            _ => video(dts_ms, b"\xa6\x03av01\x07f7"),
        });
        media.push(audio(dts_ms, b"\x91Opuss0"));
        media.push(audio(dts_ms, b"\x95\x01mp4a\x01s1"));
        media.push(audio(dts_ms, b"\x95\x01zzzz\x09s9"));
    }
    (headers, media)
}

#[tokio::test]
async fn a_late_player_gets_the_headers_of_all_tracks_and_no_picture_that_it_cannot_decode() {
    let mut server = recording().start();
    let url = server.url("live/tracks");
    let (headers, media) = stream();
    let (before, after) = media.split_at(25 * 5);
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    publisher.send_all(&headers).await.unwrap();
    // Whoever was there from the start lacks but the third picture, which had no key frame yet.
    let seen = |packets: &[Packet], until: usize| -> Vec<Packet> {
        let is_seen = |(n, packet): &(usize, &Packet)| packet.track != 7 || n / 5 >= until;
        packets.iter().enumerate().filter(is_seen).map(|(_, packet)| packet.clone()).collect()
    };
    publisher.send_all(before).await.unwrap();
    let shown = [headers.clone(), seen(before, 30)].concat();
    assert!(bodies(&witness.packets(shown.len()).await) == bodies(&shown));

    let mut late = Player::connect(&url).await.unwrap();
    let joined = seen(&before[20 * 5..], 30);
    let got = late.packets(headers.len() + joined.len()).await;
    assert!(bodies(&got[..headers.len()]) == bodies(&headers), "each track's, newest last");
    assert!(bodies(&got[headers.len()..]) == bodies(&joined), "from the newest key frame on");

    let end = [video(2_400, b"\x96\x22hvc1\x00\x00\x00\x00av01\x07\x00\x00\x00")];
    let more = [after, &end[..]].concat();
    publisher.send_all(&more).await.unwrap();
    publisher.close().await.unwrap();
    let shown = seen(&more, 30 - 25);
    for player in [&mut witness, &mut late] {
        assert!(bodies(&player.until_end().await) == bodies(&shown));
    }
    server.wait_for_log("recorder closed", &[("stream_key", "live/tracks"), ("dropped", "0")]);
    let recordings = server.recordings();
    flv::assert_recorded(&recordings[0], &[headers, media, end.to_vec()].concat());
    server.stop();
}

#[tokio::test]
async fn a_player_that_comes_behind_the_end_of_a_sequence_is_not_given_its_header() {
    let mut server = recording().start();
    let url = server.url("live/end");
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let sent = [
        video(0, b"\x90hvc1c"),
        video(0, b"\x93hvc1k"),
        video(40, b"\x92hvc1"),
        // VP8 without a configuration.
        video(80, b"\x93vp08\x30"),
        video(120, b"\xa3vp08\x31"),
    ];
    relay(&mut publisher, &mut witness, &sent).await;
    let mut late = Player::connect(&url).await.unwrap();
    assert!(bodies(&late.packets(2).await) == bodies(&sent[3..]));
    publisher.close().await.unwrap();
    server.stop();
}
