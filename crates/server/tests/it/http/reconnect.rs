//! Asking clients to connect again, and emptying the server before a restart.

use media::{Packet, Role};
use serde_json::json;
use testkit::client::{ClientConfig, ClientEvent, Error, caps_ex};
use testkit::server::Server;
use testkit::{Http, Player, PlayerEvent, Publisher};

use super::{builder, publish, server, until};
use crate::record::parts::{assert_one_recording, assert_verified, frames_of, parts};
use crate::record::{packets, small};

/// The client says that it follows such requests.
fn follows(config: &mut ClientConfig) {
    config.capabilities.caps_ex |= caps_ex::RECONNECT;
}

async fn able(server: &Server, key: &str) -> Publisher {
    Publisher::connect_with(&server.url(key), follows).await.unwrap()
}

/// Waits until a publisher is asked, and returns where to.
async fn asked(publisher: &mut Publisher) -> (String, String) {
    loop {
        match publisher.next().await.unwrap() {
            Some(ClientEvent::ReconnectRequest { tc_url, description }) => {
                return (tc_url, description);
            }
            Some(_) => {}
            None => panic!("closed instead of asked"),
        }
    }
}

#[test]
fn a_publisher_that_is_asked_goes_on_with_the_same_recording() {
    let args = ["-record-all", "true", "-record-rejoin", "10m"];
    let mut server = builder().args(args).start();
    let http = server.api();
    let mut first = packets(1, small(), 400);
    let at = (200..).find(|at| first[*at].role == Role::Key).unwrap();
    let rest = first.split_off(at);
    let second: Vec<Packet> = first[..3].iter().cloned().chain(rest).collect();
    testkit::block_on(async {
        let mut publisher = able(&server, "live/test").await;
        publisher.send_all(&first).await.unwrap();
        let stream = http.get("/api/v1/streams/live%2Ftest").ok();
        assert_eq!(stream["publisher"]["follows_reconnect"], true);
        let body = json!({ "description": "Maintenance." });
        let path = "/api/v1/streams/live%2Ftest/publisher/reconnect";
        assert_eq!(http.send("POST", path, Some(&body)).status, 202);
        let wanted = (format!("rtmp://{}/live", server.addr()), "Maintenance.".to_owned());
        assert_eq!(asked(&mut publisher).await, wanted);
        server.wait_for_log("client asked to reconnect", &[("stream_key", "live/test")]);
        // It is served until it leaves.
        assert_eq!(http.get("/api/v1/streams/live%2Ftest").ok()["state"], "live");
        publisher.close().await.unwrap();
        let mut publisher = able(&server, "live/test").await;
        publisher.send_all(&second).await.unwrap();
        publisher.close().await.unwrap();
    });
    server.wait_for_log("recording rejoined", &[("stream_key", "live/test")]);
    server.stop();
    let parts = parts(&server, "live/test");
    assert_eq!(parts.len(), 2);
    assert_one_recording(&parts);
    let all = frames_of(&parts);
    assert_eq!(all, (0..u64::try_from(all.len()).unwrap()).collect::<Vec<_>>());
    assert_verified(&parts, 0);
}

#[test]
fn a_player_is_asked_and_the_address_is_resolved_against_its_own() {
    let (mut server, http) = server();
    testkit::block_on(async {
        let mut player = Player::connect_with(&server.url("live/test"), follows).await.unwrap();
        let players = http.get("/api/v1/streams/live%2Ftest").ok()["players"].clone();
        assert_eq!(players["list"][0]["follows_reconnect"], true);
        let id = &players["list"][0]["id"];
        let path = format!("/api/v1/streams/live%2Ftest/players/{id}/reconnect");
        let body = json!({ "tc_url": "//other.example/live", "description": "Moved." });
        assert_eq!(http.send("POST", &path, Some(&body)).status, 202);
        let code = "NetConnection.Connect.ReconnectRequest";
        loop {
            match player.next().await {
                PlayerEvent::Status { code: told, description, .. } if told == code => {
                    assert_eq!(description, "Moved.");
                    break;
                }
                PlayerEvent::Closed => panic!("closed instead of asked"),
                _ => {}
            }
        }
        player.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn who_cannot_be_asked_is_not_and_bad_requests_say_what_is_expected() {
    let (mut server, http) = server();
    let post = |path: &str, body| http.send("POST", path, Some(&body));
    let of_publisher = "/api/v1/streams/live%2Ftest/publisher/reconnect";
    assert_eq!(post(of_publisher, json!({})).problem(), (404, "unknown-stream".to_owned()));
    testkit::block_on(async {
        let publisher = publish(&server, "live/test", 50).await;
        let refused = (409, "cannot-reconnect".to_owned());
        assert_eq!(post(of_publisher, json!({})).problem(), refused);
        let of_player = "/api/v1/streams/live%2Ftest/players/99/reconnect";
        assert_eq!(post(of_player, json!({})).problem(), (404, "unknown-player".to_owned()));
        for path in [of_publisher, of_player, "/api/v1/server/drain"] {
            for body in [
                json!({ "tc_url": "" }),
                json!({ "tc_url": "rtmp://a b/live" }),
                json!({ "tc_url": "x".repeat(1_025) }),
                json!({ "description": "two\nlines" }),
                json!({ "description": "x".repeat(257) }),
            ] {
                let problem = post(path, body.clone()).problem();
                assert_eq!(problem, (400, "bad-value".to_owned()), "{path} {body}");
            }
        }
        // Nobody was asked, and nothing is drained.
        let drain = http.get("/api/v1/server/drain").ok();
        assert_eq!((&drain["draining"], &drain["staying"]), (&false.into(), &1.into()));
        publisher.close().await.unwrap();
    });
    server.stop();
}

/// Why a publish was refused.
async fn refusal(server: &Server, key: &str) -> String {
    match Publisher::connect(&server.url(key)).await {
        Err(Error::Rejected { description, .. }) => description,
        other => panic!("not refused: {other:?}"),
    }
}

fn drain(http: &Http, name: &str) -> u64 {
    http.get("/api/v1/server/drain").ok()[name].as_u64().unwrap()
}

#[test]
fn a_server_is_emptied_before_a_restart_and_takes_that_back() {
    let (mut old, http) = server();
    let mut new = Server::builder(crate::support::BINARY).start();
    for message in ["publish refused", "play refused"] {
        old.allow(message);
    }
    testkit::block_on(async {
        let mut publisher = able(&old, "live/test").await;
        let clip = packets(1, small(), 100);
        publisher.send_all(&clip).await.unwrap();
        let mut stays = Player::connect(&old.url("live/test")).await.unwrap();
        stays.packets(10).await;
        let to = format!("rtmp://{}/live", new.addr());
        let body = json!({ "tc_url": to, "description": "back at 12:00" });
        let begun = http.send("POST", "/api/v1/server/drain", Some(&body)).ok();
        assert_eq!((&begun["draining"], &begun["asked"]), (&true.into(), &1.into()));
        assert_eq!((&begun["publishers"], &begun["players"]), (&1.into(), &1.into()));
        assert_eq!((&begun["staying"], &begun["tc_url"]), (&1.into(), &to.clone().into()));
        let ready = http.get("/ready");
        assert_eq!((ready.status, ready.json()["ready"].as_bool()), (503, Some(false)));
        assert_eq!(asked(&mut publisher).await, (to.clone(), "back at 12:00".to_owned()));
        // What runs goes on.
        publisher.send_all(&packets(1, small(), 200)[100..]).await.unwrap();
        stays.packets(10).await;
        // Nothing new begins; who comes and can is sent on.
        assert_eq!(refusal(&old, "live/other").await, "the server is being emptied: back at 12:00");
        let refused = Player::connect(&old.url("live/test")).await.unwrap_err();
        assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
        Publisher::connect_with(&old.url("live/late"), follows).await.unwrap_err();
        assert_eq!(drain(&http, "asked"), 2);
        // It moves, and the other one leaves by itself at the stream's end.
        publisher.close().await.unwrap();
        publish(&new, "live/test", 50).await.close().await.unwrap();
        while stays.next().await != PlayerEvent::End {}
        stays.close().await.unwrap();
        until("nobody is left", || (drain(&http, "connections") == 0).then_some(()));
        let back = http.send("DELETE", "/api/v1/server/drain", None).ok();
        assert_eq!((&back["draining"], &back["asked"]), (&false.into(), &0.into()));
        assert_eq!(http.get("/ready").status, 200);
        publish(&old, "live/test", 50).await.close().await.unwrap();
    });
    for message in ["draining: nothing new begins", "draining taken back"] {
        old.wait_for_log(message, &[]);
    }
    new.stop();
    old.stop();
}
