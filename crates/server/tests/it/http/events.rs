//! Events, as they happen and after a client was away.

use testkit::Player;

use super::{builder, publish, server};

#[test]
fn streams_and_players_come_and_go_as_events() {
    let (mut server, http) = server();
    let mut events = http.events("/api/v1/events");
    let head = |name| events.head.header(name).unwrap();
    assert_eq!(head("content-type"), "text/event-stream");
    assert_eq!(head("x-accel-buffering"), "no");
    let stands = events.next_event();
    assert_eq!((stands.event.as_str(), stands.data.as_str()), ("", ""));
    // Each is told before the next can happen: they are of two connections.
    let told = testkit::block_on(async {
        let mut told = Vec::new();
        let publisher = publish(&server, "live/test", 50).await;
        told.push(events.next_event());
        let mut player = Player::connect(&server.url("live/test")).await.unwrap();
        player.packets(1).await;
        told.push(events.next_event());
        player.close().await.unwrap();
        told.push(events.next_event());
        publisher.close().await.unwrap();
        told.push(events.next_event());
        told
    });
    let kinds = ["stream.published", "player.joined", "player.left", "stream.unpublished"];
    let mut all = Vec::new();
    for (kind, event) in kinds.into_iter().zip(told) {
        let json = event.json();
        assert_eq!(event.event, kind);
        assert_eq!((&json["id"], &json["type"]), (&event.id.clone().into(), &kind.into()));
        assert_eq!(json["stream"], "live/test");
        json["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        all.push(json);
    }
    assert_eq!(all[0]["publisher"], all[3]["publisher"]);
    assert_eq!(all[1]["player"], all[2]["player"]);
    assert!(!all[3]["reason"].as_str().unwrap().is_empty());
    server.stop();
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed() {
    let (mut server, http) = server();
    let first = http.events("/api/v1/events").next_event().id;
    testkit::block_on(async {
        for (n, name) in (1..).zip(["live/a", "live/b"]) {
            publish(&server, name, 5).await.close().await.unwrap();
            server.wait_for_logs("publish ended", &[], n);
        }
    });
    // By the header, as browsers do it, which counts more than the address they once asked for.
    let back = http.clone().header("Last-Event-ID", &first);
    let mut events = back.events("/api/v1/events?after=00000000-0");
    assert_eq!(events.next_event().id, first);
    let missed: Vec<_> = (0..4).map(|_| events.next_event()).collect();
    let kinds: Vec<_> = missed.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(kinds, ["stream.published", "stream.unpublished"].repeat(2));
    // By the address, from the middle on.
    let mut events = http.events(&format!("/api/v1/events?after={}", missed[1].id));
    assert_eq!(events.next_event().id, missed[1].id);
    assert_eq!(events.next_event(), missed[2]);
    server.stop();
}

#[test]
fn an_id_that_is_none_of_this_server_is_told_so_and_events_go_on() {
    let (mut server, http) = server();
    for id in ["00000000-0", "nonsense"] {
        let mut events = http.clone().header("Last-Event-ID", id).events("/api/v1/events");
        let reset = events.next_event();
        assert_eq!(reset.event, "reset");
        assert_eq!(reset.json()["id"], reset.id);
        testkit::block_on(async {
            publish(&server, "live/test", 5).await.close().await.unwrap();
        });
        // To its end, which is not to be the first that the next one hears.
        assert_eq!(events.next_event().event, "stream.published");
        assert_eq!(events.next_event().event, "stream.unpublished");
    }
    let answer = http.get("/api/v1/events?after=nonsense");
    assert_eq!(answer.problem(), (400, "bad-value".to_owned()));
    server.stop();
}

#[test]
fn a_client_gets_the_streams_and_types_that_it_asked_for() {
    let (mut server, http) = server();
    let mut of_stream = http.events("/api/v1/events?stream=live/*");
    let mut of_type = http.events("/api/v1/events?type=stream.unpublished&type=recording.*");
    of_stream.next_event();
    of_type.next_event();
    testkit::block_on(async {
        for (n, name) in (1..).zip(["other/a", "live/deep/b", "live/c"]) {
            publish(&server, name, 5).await.close().await.unwrap();
            server.wait_for_logs("publish ended", &[], n);
        }
    });
    assert_eq!(of_stream.next_event().json()["stream"], "live/c");
    for name in ["other/a", "live/deep/b", "live/c"] {
        let event = of_type.next_event();
        assert_eq!(
            (event.event.as_str(), &event.json()["stream"]),
            ("stream.unpublished", &name.into())
        );
    }
    for query in ["type=stream", "type=stream.gone", "type=*", "stream=%5B", "streem=a"] {
        assert_eq!(http.get(&format!("/api/v1/events?{query}")).status, 400, "{query}");
    }
    server.stop();
}

#[test]
fn a_recording_is_told_from_its_start_to_its_end() {
    let mut server = builder().args(["-record-all", "true", "-record-rejoin", "0"]).start();
    let mut events = server.api().events("/api/v1/events?type=recording.*&type=segment.*");
    events.next_event();
    testkit::block_on(async {
        publish(&server, "live/test", 300).await.close().await.unwrap();
    });
    let kinds = ["recording.started", "segment.opened", "segment.finished", "recording.completed"];
    let told: Vec<_> = kinds.iter().map(|kind| (*kind, events.next_event())).collect();
    for (kind, event) in &told {
        assert_eq!(event.event, *kind);
        assert_eq!(event.json()["recording"], told[0].1.json()["recording"]);
        assert_eq!(event.json()["stream"], "live/test");
    }
    let finished = told[2].1.json();
    let file = std::path::PathBuf::from(finished["file"].as_str().unwrap());
    assert_eq!(std::fs::metadata(server.dir().join(file)).unwrap().len(), finished["size_bytes"]);
    let ledger = &told[3].1.json()["ledger"];
    assert_eq!(ledger["received"], ledger["written"]);
    server.stop();
}

#[test]
fn events_end_when_the_server_stops() {
    let (mut server, http) = server();
    let mut events = http.events("/api/v1/events");
    events.next_event();
    server.terminate();
    while events.try_next().is_some() {}
    server.wait();
}
