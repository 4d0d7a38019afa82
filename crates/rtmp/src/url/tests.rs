use super::*;

fn parts(text: &str) -> (String, u16, String, String) {
    let url = Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    (url.host, url.port, url.app, url.name)
}

fn expect(text: &str, host: &str, port: u16, app: &str, name: &str) {
    let expected = (host.to_owned(), port, app.to_owned(), name.to_owned());
    assert_eq!(parts(text), expected, "{text}");
}

#[test]
fn the_last_element_of_the_path_is_the_name() {
    expect("rtmp://localhost/live/test", "localhost", 1935, "live", "test");
    expect("rtmp://localhost:1936/live/inst/test", "localhost", 1936, "live/inst", "test");
    expect("RTMP://h//live//test", "h", 1935, "live", "test");
}

#[test]
fn a_query_belongs_to_the_name_and_may_hold_anything() {
    expect("rtmp://h/live/k?token=a/b@c:d?e", "h", 1935, "live", "k?token=a/b@c:d?e");
}

#[test]
fn addresses_of_version_6_stand_in_brackets() {
    expect("rtmp://[::1]/live/test", "::1", 1935, "live", "test");
    expect("rtmp://[2001:db8::1]:1936/live/test", "2001:db8::1", 1936, "live", "test");
    assert_eq!(Url::parse("rtmp://[::1]:7/live/test").unwrap().tc_url(), "rtmp://[::1]:7/live");
    for wrong in ["rtmp://[::1/live/test", "rtmp://[::1]x/live/test", "rtmp://::1/live/test"] {
        assert_eq!(Url::parse(wrong), Err(UrlError::Ipv6), "{wrong}");
    }
    assert_eq!(Url::parse("rtmp://[nonsense]/live/test"), Err(UrlError::Ipv6));
}

#[test]
fn credentials_and_query_are_no_part_of_the_tc_url() {
    let url = Url::parse("rtmp://user:p@ss@host/live/inst/key?token=secret").unwrap();
    assert_eq!(url.host, "host");
    assert_eq!(url.tc_url(), "rtmp://host:1935/live/inst");
}

#[test]
fn what_is_wrong_is_told() {
    let wrong = [
        ("", UrlError::Scheme),
        ("live/test", UrlError::Scheme),
        ("http://h/live/test", UrlError::Scheme),
        ("rtmps://h/live/test", UrlError::Variant),
        ("rtmp:///live/test", UrlError::Host),
        ("rtmp://:1935/live/test", UrlError::Host),
        ("rtmp://user@/live/test", UrlError::Host),
        ("rtmp://h:0/live/test", UrlError::Port),
        ("rtmp://h:65536/live/test", UrlError::Port),
        ("rtmp://h:/live/test", UrlError::Port),
        ("rtmp://h:+1/live/test", UrlError::Port),
        ("rtmp://h", UrlError::Path),
        ("rtmp://h/", UrlError::Path),
        ("rtmp://h/live", UrlError::Path),
        ("rtmp://h/live/", UrlError::Path),
        ("rtmp://h/live/?token=x", UrlError::Path),
        ("rtmp://h?x/y", UrlError::Path),
    ];
    for (text, error) in wrong {
        assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        assert!(error.to_string().contains("rtmp"));
    }
}

#[test]
fn a_reference_is_resolved_against_the_url_of_the_connection() {
    let base = "rtmp://old.example:1935/live/inst?token=1";
    for (reference, expected) in [
        ("rtmp://foo.mydomain.com:1935/realtimeapp", "rtmp://foo.mydomain.com:1935/realtimeapp"),
        ("rtmps://127.0.0.1/realtimeapp", "rtmps://127.0.0.1/realtimeapp"),
        ("//192.0.2.0/realtimeapp", "rtmp://192.0.2.0/realtimeapp"),
        ("/realtimeapp", "rtmp://old.example:1935/realtimeapp"),
        ("other", "rtmp://old.example:1935/live/other"),
        ("?token=2", "rtmp://old.example:1935/live/inst?token=2"),
        ("", base),
        ("  ", base),
        ("1:2", "rtmp://old.example:1935/live/1:2"),
    ] {
        assert_eq!(resolve(base, reference), expected, "{reference}");
    }
    assert_eq!(resolve("rtmp://[::1]:1935", "app"), "rtmp://[::1]:1935/app");
    assert_eq!(resolve("nonsense", "/app"), "/app");
    assert_eq!(resolve("", ""), "");
}

#[test]
fn a_stream_is_found_behind_another_address() {
    let url = Url::parse("rtmp://a.example/live/key?token=a/b").unwrap();
    let at = |tc_url: &str| url.at(tc_url);
    let there = at("rtmp://b.example:1936/other/").unwrap();
    assert_eq!(there, Url::parse("rtmp://b.example:1936/other/key?token=a/b").unwrap());
    let with_query = at("rtmp://b.example/app?x=1/2").unwrap();
    assert_eq!((with_query.app.as_str(), &with_query.name), ("app?x=1/2", &url.name));
    assert_eq!(with_query.tc_url(), "rtmp://b.example:1935/app?x=1/2");
    assert_eq!(at(&url.tc_url()), Ok(url.clone()));
    assert_eq!(at("rtmps://b.example/live"), Err(UrlError::Variant));
    assert_eq!(at("rtmp://b.example"), Err(UrlError::Path));
}
