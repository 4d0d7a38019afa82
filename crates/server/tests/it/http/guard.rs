//! Who may ask, and how what is not accepted is refused.

use std::io::{Read as _, Write as _};

use serde_json::json;
use testkit::server::Server;

use super::{builder, server};

const TOKEN: &str = "a-token-that-nobody-guesses";

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_token_opens_everything_and_is_needed_for_everything_but_health() {
    let mut server = builder().args(["-api-token", TOKEN]).start();
    let http = server.api();
    for path in
        ["/api/v1/server", "/metrics", "/api/v1/docs", "/api/v1/events", "/nothing", "/page/"]
    {
        let answer = http.get(path);
        assert_eq!(answer.problem(), refused(401, "unauthorized"), "{path}");
        assert_eq!(answer.header("www-authenticate").unwrap(), "Bearer realm=\"rtmp-server\"");
    }
    let wrong = [TOKEN[..TOKEN.len() - 1].to_owned(), format!("{TOKEN}x"), String::new()];
    for token in wrong {
        let answer = http.clone().token(&token).get("/api/v1/server");
        assert_eq!(answer.problem(), refused(401, "unauthorized"), "{token:?}");
    }
    let basic = http.clone().header("Authorization", &format!("Basic {TOKEN}"));
    assert_eq!(basic.get("/api/v1/server").problem(), refused(401, "unauthorized"));
    for path in ["/health", "/ready"] {
        assert_eq!(http.get(path).status, 200, "{path}");
    }
    assert_eq!(http.clone().token(TOKEN).get("/api/v1/server").status, 200);
    // With a token the server may have any name.
    let named = http.token(TOKEN).header("Host", "streams.example.org");
    assert_eq!(named.get("/api/v1/server").status, 200);
    let shown = named.get("/api/v1/server/config").text();
    assert!(!shown.contains(TOKEN), "{shown}");
    server.stop();
}

#[test]
fn a_token_may_stand_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let mut server = builder().arg("-api-token-file").arg(&file).start();
    assert_eq!(server.api().get("/api/v1/server").status, 401);
    assert_eq!(server.api().token(TOKEN).get("/api/v1/server").status, 200);
    server.stop();
}

#[test]
fn without_a_token_nobody_else_is_listened_to() {
    let error = Server::builder(crate::support::BINARY)
        .args(["-http-listen", "0.0.0.0:0"])
        .try_start()
        .unwrap_err();
    assert!(error.contains("token"), "{error}");
}

#[test]
fn a_page_of_another_site_is_refused() {
    let (mut server, http) = server();
    let own = format!("http://{}", server.http_addr());
    for (name, value) in [
        ("Origin", "https://example.org"),
        ("Origin", "null"),
        ("Origin", "http://localhost:1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let page = http.clone().header(name, value);
        for path in ["/api/v1/streams", "/health", "/metrics"] {
            assert_eq!(page.get(path).problem(), refused(403, "cross-site"), "{name}: {value}");
        }
        let change = json!({"level": "debug"});
        let answer = page.send("PUT", "/api/v1/server/log-level", Some(&change));
        assert_eq!(answer.problem(), refused(403, "cross-site"));
    }
    for (name, value) in [("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")] {
        assert_eq!(http.clone().header(name, value).get("/api/v1/streams").status, 200);
    }
    let answer = http.send("OPTIONS", "/api/v1/streams", None);
    assert!(answer.header("access-control-allow-origin").is_none());
    server.stop();
}

#[test]
fn without_a_token_only_names_that_no_dns_can_give_are_answered() {
    let (mut server, http) = server();
    let port = server.http_addr().port();
    let named = |host: &str| http.clone().header("Host", host);
    for host in ["evil.example.org", "evil.example.org:8080", "localhost.evil.example", "", "::1"] {
        let answer = named(host).get("/api/v1/server");
        assert_eq!(answer.problem(), refused(403, "bad-host"), "{host:?}");
    }
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "192.0.2.1"] {
        assert_eq!(named(&format!("{host}:{port}")).get("/api/v1/server").status, 200, "{host}");
        assert_eq!(named(host).get("/api/v1/server").status, 200, "{host}");
    }
    // A load balancer may ask in HTTP/1.0, without a name.
    let answer = http.raw(b"GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(answer.status, 200);
    let answer = http.raw(b"GET /api/v1/server HTTP/1.0\r\n\r\n");
    assert_eq!(answer.problem(), refused(403, "bad-host"));
    server.stop();
}

#[test]
fn what_does_not_exist_and_what_is_not_meant_so_are_problems() {
    let (mut server, http) = server();
    assert_eq!(http.get("/api/v1/nothing").problem(), refused(404, "not-found"));
    assert_eq!(http.get("/api/v2/streams").problem(), refused(404, "not-found"));
    let answer = http.send("POST", "/api/v1/streams", None);
    assert_eq!(answer.problem(), refused(405, "method-not-allowed"));
    assert_eq!(answer.header("allow").unwrap(), "GET,HEAD");
    let answer = http.get("/api/v1/streams?limt=1");
    assert_eq!(answer.problem(), refused(400, "unknown-parameter"));
    assert_eq!(answer.json()["nearest"], "limit");
    assert_eq!(answer.json()["type"], "/api/v1/docs#unknown-parameter");
    for query in ["limit=0", "limit=1001", "limit=many", "state=dead", "limit=1&limit=2"] {
        let answer = http.get(&format!("/api/v1/streams?{query}"));
        assert_eq!(answer.problem(), refused(400, "bad-value"), "{query}");
    }
    assert_eq!(http.get("/api/v1/streams/%ff").problem(), refused(400, "bad-value"));
    assert_eq!(http.get("/api/v1/streams/%2f").problem(), refused(400, "bad-value"));
    server.stop();
}

#[test]
fn a_body_that_is_not_right_is_refused_with_what_is_wrong() {
    let (mut server, http) = server();
    let put = |body| http.send("PUT", "/api/v1/server/log-level", Some(&body));
    assert_eq!(put(json!({"levle": "info"})).problem(), refused(400, "unknown-field"));
    assert_eq!(put(json!({"levle": "info"})).json()["nearest"], "level");
    assert_eq!(put(json!({"level": "loud"})).problem(), refused(400, "bad-value"));
    assert_eq!(put(json!({})).problem(), refused(400, "missing-field"));
    assert_eq!(put(json!([])).problem(), refused(400, "malformed-json"));
    let raw = |kind: &str, body: &str| {
        let http = http.clone().header("Content-Type", kind);
        let http = http.header("Content-Length", &body.len().to_string());
        http.raw(format!("{}{body}", http.head("PUT", "/api/v1/server/log-level")).as_bytes())
    };
    assert_eq!(raw("application/json", "{").problem(), refused(400, "malformed-json"));
    let level = "{\"level\":\"info\"}";
    assert_eq!(raw("text/plain", level).problem(), refused(415, "unsupported-media-type"));
    assert_eq!(raw("application/json; charset=utf-8", level).status, 200);
    server.stop();
}

#[test]
fn answers_are_of_now_and_of_their_kind() {
    let (mut server, http) = server();
    let answer = http.get("/api/v1/streams");
    assert_eq!(answer.header("content-type").unwrap(), "application/json");
    assert_eq!(answer.header("cache-control").unwrap(), "no-store");
    assert_eq!(answer.header("x-content-type-options").unwrap(), "nosniff");
    server.stop();
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let (mut server, http) = server();
    let mut socket = http.connect();
    for _ in 0..3 {
        socket.write_all(http.head("GET", "/health").as_bytes()).unwrap();
        let mut bytes = [0; 17];
        socket.read_exact(&mut bytes[..15]).unwrap();
        assert_eq!(&bytes[..15], b"HTTP/1.1 200 OK");
        let mut rest = Vec::new();
        while !rest.ends_with(b"}") {
            socket.read_exact(&mut bytes[..1]).unwrap();
            rest.push(bytes[0]);
        }
    }
    server.stop();
}

#[test]
fn the_default_port_moves_on_when_it_is_taken_and_one_that_was_asked_for_does_not() {
    let first = Server::builder(crate::support::BINARY).http_default();
    let mut first = first.start();
    let mut second = Server::builder(crate::support::BINARY).http_default().start();
    assert_ne!(first.http_addr(), second.http_addr());
    assert!((8_080..=8_100).contains(&second.http_addr().port()));
    let line = second.wait_for_log(
        "the default port of HTTP is taken; using the next free one",
        &[("wanted", "8080")],
    );
    assert_eq!(line.field("addr").unwrap(), second.http_addr().to_string());
    assert_eq!(second.api().get("/health").status, 200);
    let taken = second.http_addr().to_string();
    let error = Server::builder(crate::support::BINARY)
        .args(["-http-listen", &taken])
        .try_start()
        .unwrap_err();
    assert!(error.contains("cannot listen on"), "{error}");
    assert!(error.contains("-http-listen off"), "{error}");
    first.stop();
    second.stop();
}
