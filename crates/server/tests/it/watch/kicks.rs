//! Viewers among the players: shown, counted, bounded and ended.

use testkit::flv::Flv;

use super::*;

#[test]
fn a_viewer_is_shown_counted_and_can_be_ended() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 100);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent).await;
        let viewer = http.clone().header("User-Agent", "a browser");
        let mut body = viewer.open("/live/live/test.flv");
        let stream = until("a player", || {
            let stream = http.get("/api/v1/streams/live%2Ftest").ok();
            (stream["players"]["count"] == 1).then_some(stream)
        });
        let player = &stream["players"]["list"][0];
        assert_eq!((&player["client"], &player["via"]), (&"a browser".into(), &"flv".into()));
        let metrics = http.get("/metrics").text();
        for line in [
            "rtmp_players 1.0",
            "rtmp_players_via{via=\"flv\"} 1.0",
            "rtmp_players_via{via=\"rtmp\"} 0.0",
            "rtmp_connections 1.0",
        ] {
            assert!(metrics.lines().any(|found| found == line), "no {line}: {metrics}");
        }
        let kick = format!("/api/v1/streams/live%2Ftest/players/{}", player["id"]);
        assert_eq!(http.send("DELETE", &kick, None).status, 204);
        let flv = Flv::from_reader(&mut body).unwrap();
        assert!(flv.faults.is_empty() && !flv.tags.is_empty());
        server.wait_for_log("player kicked", &[("stream_key", "live/test")]);
        server.wait_for_log("play ended", &[("reason", "kicked")]);
        assert_eq!(http.send("DELETE", &kick, None).status, 404);
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_viewer_that_leaves_is_gone() {
    let (mut server, http) = server();
    let sent = source(SourceConfig::default(), 100);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent).await;
        let body = http.open("/live/live/test.flv");
        server.wait_for_log("play started", &[]);
        drop(body);
        server.wait_for_log("play ended", &[("reason", "connection closed by peer")]);
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn players_of_a_stream_are_bounded_whatever_they_speak() {
    let mut server = builder().args(["-max-players", "2"]).start();
    server.allow("play refused");
    let http = server.api();
    let sent = source(SourceConfig::default(), 100);
    testkit::block_on(async {
        let publisher = begin(&server, "live/test", &sent).await;
        let mut rtmp = testkit::Player::connect(&server.url("live/test")).await.unwrap();
        rtmp.packets(4).await;
        let body = http.open("/live/live/test.flv");
        assert_eq!(body.head.status, 200);
        let refused = http.get("/live/live/test.flv");
        assert_eq!(refused.problem(), (503, "too-many-players".to_owned()));
        assert_eq!(refused.header("retry-after").unwrap(), "5");
        publisher.close().await.unwrap();
    });
    server.stop();
}
