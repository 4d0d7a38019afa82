//! Who may watch: everybody, and the pages of every site; the API stays closed.

use super::*;

#[test]
fn views_need_no_token_and_no_name() {
    let mut server = builder().args(["-api-token", "a-token-that-nobody-guesses"]).start();
    let http = server.api().header("Host", "streams.example.org");
    let missing = http.get("/live/live/test.flv");
    assert_eq!(missing.problem(), (404, "no-publisher".to_owned()));
    assert_eq!(http.get("/api/v1/streams").problem(), (401, "unauthorized".to_owned()));
    assert_eq!(http.get("/live").problem(), (401, "unauthorized".to_owned()));
    server.stop();
}

#[test]
fn a_page_of_another_site_may_watch() {
    let (mut server, http) = server();
    let page = http.header("Origin", "https://example.org").header("Sec-Fetch-Site", "cross-site");
    let asked = page.clone().header("Access-Control-Request-Method", "GET");
    let asked = asked.send("OPTIONS", "/live/live/test.flv", None);
    assert_eq!(asked.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
        ("access-control-allow-headers", "*, Authorization, Range"),
        ("cross-origin-resource-policy", "cross-origin"),
    ] {
        assert_eq!(asked.header(name).as_deref(), Some(value), "{name}");
    }
    let missing = page.get("/live/live/test.flv");
    assert_eq!(missing.problem(), (404, "no-publisher".to_owned()));
    let refused = page.get("/api/v1/streams");
    assert_eq!(refused.problem(), (403, "cross-site".to_owned()));
    assert!(refused.header("access-control-allow-origin").is_none());
    let changed = page.send("POST", "/live/live/test.flv", None);
    assert_eq!(changed.problem(), (405, "method-not-allowed".to_owned()));
    server.stop();
}

#[test]
fn an_address_has_a_length() {
    let (mut server, http) = server();
    let long = format!("/live/{}.flv", "a".repeat(16 << 10));
    assert_eq!(http.get(&long).problem(), (414, "uri-too-long".to_owned()));
    let name = format!("/live/{}.flv", "a".repeat(4_097));
    assert_eq!(http.get(&name).problem(), (400, "bad-value".to_owned()));
    server.stop();
}
