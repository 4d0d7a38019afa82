//! What one peer of the API may cost, and what it may not.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use super::{builder, publish, server};

#[test]
fn an_address_and_a_body_have_a_length() {
    let (mut server, http) = server();
    let long = format!("/api/v1/streams?after={}", "a".repeat(16 << 10));
    assert_eq!(http.get(&long).problem(), (414, "uri-too-long".to_owned()));
    // A name of 4,096 bytes fits, each written as three characters.
    let name = format!("/api/v1/streams/{}", "%61".repeat(4_096));
    assert_eq!(http.get(&name).problem(), (404, "unknown-stream".to_owned()));
    let large = serde_json::json!({ "level": "x".repeat(64 << 10) });
    let answer = http.send("PUT", "/api/v1/server/log-level", Some(&large));
    assert_eq!(answer.problem(), (413, "body-too-large".to_owned()));
    // Lines of a head without end, and one line without end.
    let many = (0..100).fold(http.clone(), |http, n| http.header(&format!("X-{n}"), "1"));
    assert_eq!(many.get("/health").status, 431);
    let wide = http.clone().header("X-Wide", &"x".repeat(64 << 10));
    assert_eq!(wide.get("/health").status, 431);
    assert_eq!(http.get("/health").status, 200);
    server.stop();
}

/// How long the server keeps a connection that sent this and then nothing.
fn kept(http: &testkit::Http, bytes: &[u8]) -> Duration {
    let mut socket = http.connect();
    socket.write_all(bytes).unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("kept for ever: {error}"),
    }
    began.elapsed()
}

#[test]
fn a_head_that_does_not_end_and_a_connection_that_asks_nothing_are_given_up() {
    let (mut server, http) = server();
    let heads: [&[u8]; 3] = [b"", b"GET /health HTTP/1.1\r\nHost: lo", b"G"];
    std::thread::scope(|scope| {
        for head in heads {
            let http = &http;
            scope.spawn(move || {
                let kept = kept(http, head);
                assert!(kept > Duration::from_secs(5), "{kept:?}");
                assert!(kept < Duration::from_secs(18), "{kept:?}");
            });
        }
        // A body that does not come has its time as well, and an answer.
        let http = http.clone().header("Content-Length", "10");
        let http = http.header("Content-Type", "application/json");
        let head = http.head("PUT", "/api/v1/server/log-level");
        scope.spawn(move || {
            let answer = http.raw(format!("{head}{{").as_bytes());
            assert_eq!(answer.problem(), (408, "request-timeout".to_owned()));
        });
    });
    server.stop();
}

/// With few descriptors for the process HTTP gets few of them: RTMP is served whatever it does.
#[cfg(target_os = "linux")]
#[test]
fn connections_of_the_api_take_no_descriptor_from_streams() {
    let mut server = builder().files(512).start();
    server.allow("few open files allowed; raise the limit (ulimit -n) for many connections");
    server.allow("HTTP connection refused: too many");
    let http = server.api();
    let sockets: Vec<_> = (0..600).map(|_| http.connect()).collect();
    let line = server.wait_for_log("HTTP connection refused: too many", &[]);
    assert_eq!(line.field("limit").unwrap(), "64");
    testkit::block_on(async {
        let publisher = publish(&server, "live/test", 10).await;
        publisher.close().await.unwrap();
    });
    drop(sockets);
    // They are gone when the server has noticed.
    super::until("an answer", || {
        let mut socket = http.connect();
        let sent = socket.write_all(http.head("GET", "/health").as_bytes());
        let mut bytes = [0; 15];
        (sent.is_ok() && socket.read_exact(&mut bytes).is_ok()).then_some(())
    });
    server.stop();
}

#[test]
fn so_many_read_events_and_no_more() {
    let (mut server, http) = server();
    let readers: Vec<_> = (0..200).map(|_| http.events("/api/v1/events")).collect();
    assert!(readers.iter().all(|reader| reader.head.status == 200));
    let answer = http.get("/api/v1/events");
    assert_eq!(answer.problem(), (503, "too-many-subscribers".to_owned()));
    assert_eq!(answer.header("retry-after").unwrap(), "5");
    assert_eq!(http.get("/health").status, 200);
    drop(readers);
    server.stop();
}
