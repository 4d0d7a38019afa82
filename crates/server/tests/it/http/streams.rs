//! Streams as the API shows them, and ending what somebody publishes or plays.

use serde_json::Value;
use testkit::client::ClientEvent;
use testkit::{Player, PlayerEvent};

use super::{builder, publish, server, until};

#[test]
fn a_stream_is_shown_with_everything_that_is_known_of_it() {
    let mut server = builder().args(["-record-all", "true"]).start();
    let http = server.api();
    testkit::block_on(async {
        let mut player = Player::connect(&server.url("live/test")).await.unwrap();
        let publisher = publish(&server, "live/test", 400).await;
        player.packets(100).await;
        let stream = until("all packets", || {
            let stream = http.get("/api/v1/streams/live%2Ftest").ok();
            let is_all = stream["received"]["packets"] == 400
                && stream["recordings"][0]["ledger"]["written"]["packets"] == 400;
            is_all.then_some(stream)
        });
        assert_eq!(stream["key"], "live/test");
        assert_eq!(stream["state"], "live");
        assert_eq!(stream["run"], 1);
        let video = &stream["video"];
        for (name, wanted) in [
            ("codec", "H.264"),
            ("profile", "High"),
            ("level", "3.1"),
            ("codec_string", "avc1.64001f"),
        ] {
            assert_eq!(video[name], wanted);
        }
        assert_eq!((&video["width"], &video["height"]), (&1280.into(), &720.into()));
        assert_eq!(video["frame_rate"], 30.0);
        assert_eq!(video["key_interval_ms"], 2000);
        assert!(video["kbps"].as_f64().unwrap() > 0.0, "{video}");
        let audio = &stream["audio"];
        assert_eq!((&audio["codec"], &audio["codec_string"]), (&"AAC".into(), &"mp4a.40.2".into()));
        let sound = (&audio["sample_rate_hz"], &audio["channels"]);
        assert_eq!(sound, (&48_000.into(), &2.into()));
        let publisher_shown = &stream["publisher"];
        assert!(publisher_shown["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert!(!publisher_shown["client"].as_str().unwrap().is_empty());
        let players = &stream["players"];
        assert_eq!((&players["count"], &players["peak"]), (&1.into(), &1.into()));
        assert_eq!(players["list"][0]["lost_packets"], 0);
        let recording = &stream["recordings"][0];
        assert_eq!(
            (&recording["recorder"], &recording["state"]),
            (&"all".into(), &"recording".into())
        );
        assert_eq!(
            recording["ledger"]["received"]["packets"],
            recording["ledger"]["written"]["packets"]
        );
        // A time is RFC 3339 with ms and an offset.
        let started = stream["started"].as_str().unwrap();
        started.parse::<jiff::Timestamp>().unwrap();
        assert_eq!(started.len(), "2026-11-29T14:30:52.120+01:00".len());
        publisher.close().await.unwrap();
        drop(player);
    });
    until("an end", || (http.get("/api/v1/streams/live%2Ftest").status == 404).then_some(()));
    let gone = http.get("/api/v1/streams/live%2Ftest");
    assert_eq!(gone.problem(), (404, "unknown-stream".to_owned()));
    server.stop();
}

#[test]
fn every_track_of_a_stream_is_shown() {
    let (mut server, http) = server();
    // E-RTMP v2 "Multitrack", one track a message: configurations of AAC in 48,000 and 44,100 Hz.
    let aac = |id: u8, config: [u8; 2]| {
        let body = [&[0x95, 0x00], &b"mp4a"[..], &[id], &config].concat();
        media::Packet::new(media::Kind::Audio, 0, body.into())
    };
    testkit::block_on(async {
        let mut publisher = publish(&server, "live/test", 60).await;
        publisher.send_all(&[aac(1, [0x12, 0x10]), aac(2, [0x11, 0x88])]).await.unwrap();
        let tracks = until("all tracks", || {
            let stream = http.get("/api/v1/streams/live%2Ftest").ok();
            let tracks = stream["tracks"].as_array()?.clone();
            (tracks.len() == 4).then_some(tracks)
        });
        let shown = |track: &Value| {
            let Value::String(kind) = &track["kind"] else { panic!("{track}") };
            let size = track.get("width").or(track.get("sample_rate_hz")).and_then(Value::as_u64);
            (kind.clone(), track["id"].as_u64().unwrap(), size.unwrap())
        };
        let shown: Vec<_> = tracks.iter().map(shown).collect();
        let [video, audio] = ["video", "audio"].map(str::to_owned);
        let sounds = [(0, 48_000), (1, 44_100), (2, 48_000)];
        let sounds = sounds.map(|(id, rate)| (audio.clone(), id, rate));
        assert_eq!(shown[0], (video, 0, 1280));
        assert_eq!(shown[1..], sounds);
        publisher.close().await.unwrap();
    });
    // What came late is told at the end.
    server.wait_for_log("stream summary", &[("stream_key", "live/test")]);
    let line = server.logs().into_iter().rfind(|line| line.message == "stream codecs").unwrap();
    let tracks = line.field("tracks").unwrap();
    assert!(
        tracks.starts_with("video-0 H.264 High 3.1 1280x720 avc1.64001f, audio-0 AAC"),
        "{tracks}"
    );
    assert!(tracks.contains(", audio-2 AAC LC 48000 Hz "), "{tracks}");
    server.stop();
}

#[test]
fn streams_are_listed_by_name_in_pages() {
    let (mut server, http) = server();
    testkit::block_on(async {
        let names = ["live/c", "live/a", "live/b"];
        let mut publishers = Vec::new();
        for name in names {
            publishers.push(publish(&server, name, 5).await);
        }
        let waiting = Player::connect(&server.url("live/waited-for")).await.unwrap();
        let keys = |page: &Value| -> Vec<String> {
            let streams = page["streams"].as_array().unwrap();
            streams.iter().map(|s| s["key"].as_str().unwrap().to_owned()).collect()
        };
        let all = http.get("/api/v1/streams").ok();
        assert_eq!(keys(&all), ["live/a", "live/b", "live/c", "live/waited-for"]);
        assert_eq!(all["next"], Value::Null);
        assert!(all["streams"][0]["players"].get("list").is_none());
        let first = http.get("/api/v1/streams?limit=3&state=live").ok();
        assert_eq!(keys(&first), ["live/a", "live/b", "live/c"]);
        assert_eq!(first["next"], Value::Null);
        let first = http.get("/api/v1/streams?limit=2").ok();
        assert_eq!(keys(&first), ["live/a", "live/b"]);
        let next = first["next"].as_str().unwrap().replace('/', "%2F");
        let second = http.get(&format!("/api/v1/streams?limit=2&after={next}")).ok();
        assert_eq!(keys(&second), ["live/c", "live/waited-for"]);
        assert_eq!(second["next"], Value::Null);
        let waited = http.get("/api/v1/streams?state=waited_for").ok();
        assert_eq!(keys(&waited), ["live/waited-for"]);
        let waited = &waited["streams"][0];
        assert_eq!((&waited["publisher"], &waited["video"]), (&Value::Null, &Value::Null));
        assert_eq!(waited["players"]["count"], 1);
        drop((publishers, waiting));
    });
    server.stop();
}

#[test]
fn a_publisher_that_is_kicked_is_told_and_its_name_is_free() {
    let (mut server, http) = server();
    testkit::block_on(async {
        let mut publisher = publish(&server, "live/test", 50).await;
        let mut player = Player::connect(&server.url("live/test")).await.unwrap();
        player.packets(1).await;
        let answer = http.send("DELETE", "/api/v1/streams/live%2Ftest/publisher", None);
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
        let peer = server.wait_for_log("publisher kicked", &[("stream_key", "live/test")]);
        let ended = server.wait_for_log("publish ended", &[("reason", "kicked")]);
        assert_eq!(peer.field("peer"), ended.field("peer"));
        let told = publisher.closed().await.unwrap();
        let is_why = |event: &ClientEvent| {
            matches!(event, ClientEvent::Status { code, description, .. }
                if code == "NetStream.Publish.Failed" && description.contains("operator"))
        };
        assert!(told.iter().any(is_why), "{told:?}");
        // The player waits for the next one, as after any end.
        while player.next().await != PlayerEvent::End {}
        let again = http.send("DELETE", "/api/v1/streams/live%2Ftest/publisher", None);
        assert_eq!(again.problem(), (404, "no-publisher".to_owned()));
        let next = publish(&server, "live/test", 50).await;
        player.packets(1).await;
        next.close().await.unwrap();
        drop(player);
    });
    until("an end", || (http.get("/api/v1/streams/live%2Ftest").status == 404).then_some(()));
    let nobody = http.send("DELETE", "/api/v1/streams/live%2Ftest/publisher", None);
    assert_eq!(nobody.problem(), (404, "unknown-stream".to_owned()));
    server.stop();
}

#[test]
fn a_player_that_is_kicked_is_told_and_nobody_else_notices() {
    let (mut server, http) = server();
    testkit::block_on(async {
        let publisher = publish(&server, "live/test", 50).await;
        let mut kicked = Player::connect(&server.url("live/test")).await.unwrap();
        let mut other = Player::connect(&server.url("live/test")).await.unwrap();
        kicked.packets(5).await;
        other.packets(5).await;
        let stream = http.get("/api/v1/streams/live%2Ftest").ok();
        let id = &stream["players"]["list"][0]["id"];
        let path = format!("/api/v1/streams/live%2Ftest/players/{id}");
        assert_eq!(http.send("DELETE", &path, None).status, 204);
        server.wait_for_log("player kicked", &[("stream_key", "live/test")]);
        let mut told = Vec::new();
        loop {
            match kicked.next().await {
                PlayerEvent::Closed => break,
                PlayerEvent::Status { code, .. } => told.push(code),
                _ => {}
            }
        }
        assert!(told.contains(&"NetStream.Play.Failed".to_owned()), "{told:?}");
        let again = http.send("DELETE", &path, None);
        assert_eq!(again.problem(), (404, "unknown-player".to_owned()));
        let bad = http.send("DELETE", "/api/v1/streams/live%2Ftest/players/first", None);
        assert_eq!(bad.problem(), (400, "bad-value".to_owned()));
        let stream = http.get("/api/v1/streams/live%2Ftest").ok();
        assert_eq!(stream["players"]["count"], 1);
        publisher.close().await.unwrap();
        while other.next().await != PlayerEvent::End {}
    });
    server.stop();
}
