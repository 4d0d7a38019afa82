use super::*;

fn base(text: &str) -> Result<String, String> {
    text.parse::<Base>().map(|base| base.0.to_string())
}

#[test]
fn an_address_is_a_host_and_a_port_and_speaks_http() {
    assert_eq!(base("http://127.0.0.1:8081"), Ok("http://127.0.0.1:8081/".to_owned()));
    assert_eq!(base("localhost:8081"), Ok("http://localhost:8081/".to_owned()));
    assert_eq!(base("[::1]:8081"), Ok("http://[::1]:8081/".to_owned()));
    assert_eq!(base("http://proxy/rtmp/"), Ok("http://proxy/rtmp/".to_owned()));
    assert!(base("https://example.com").unwrap_err().starts_with("https is not spoken here"));
    assert!(base("http://me:secret@example.com").unwrap_err().contains("-token-file"));
    for wrong in
        ["", "ftp://example.com", "http://", "http://h:port", "http://h/?a=b", "http://h/#a"]
    {
        assert!(base(wrong).unwrap_err().starts_with("expected http://HOST:PORT"), "{wrong}");
    }
}

#[test]
fn a_stream_is_one_part_of_a_path() {
    let access = Access { server: "http://p/x/".parse().ok(), token: None, token_file: None };
    let api = access.api().unwrap();
    let query = [("from", "2026-11-29T18:00:00+01:00".to_owned())];
    let url = api.url(&["api", "v1", "streams", "live/a b%"], &query);
    let expected =
        "http://p/x/api/v1/streams/live%2Fa%20b%25?from=2026-11-29T18%3A00%3A00%2B01%3A00";
    assert_eq!(url.as_str(), expected);
}

#[test]
fn a_token_is_never_shown() {
    let token: Token = "very-secret-token".parse().unwrap();
    assert_eq!(format!("{token:?} {:?}", token.0), "Token(…) Sensitive");
    for wrong in ["", "two words", "umläut", &"x".repeat(1_025)] {
        let error = wrong.parse::<Token>().unwrap_err();
        assert_eq!(error, "expected 1 to 1024 letters, digits and signs of ASCII");
    }
}
