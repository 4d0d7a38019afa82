use super::*;

#[test]
fn what_only_this_machine_reaches_is_loopback() {
    for (text, is) in [
        ("127.0.0.1:1", true),
        ("127.9.9.9:1", true),
        ("localhost:1", true),
        ("LocalHost:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        (":1", false),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
        ("10.0.0.1:1", false),
        ("localhost.example:1", false),
        ("127.0.0.1.example:1", false),
    ] {
        assert_eq!(text.parse::<ListenAddress>().unwrap().is_loopback(), is, "{text}");
    }
}

#[test]
fn the_api_is_off_or_somewhere() {
    assert_eq!("off".parse(), Ok(HttpListen::Off));
    assert_eq!(HttpListen::Off.address(), None);
    let asked: HttpListen = "[::1]:80".parse().unwrap();
    assert_eq!(asked.to_string(), "[::1]:80");
    assert_eq!(asked.address().map(ListenAddress::port), Some(80));
    let error = "OFF".parse::<HttpListen>().expect_err("a word in capitals");
    assert!(error.contains("HOST:PORT") && error.ends_with("; or off"), "{error}");
}

#[test]
fn an_api_that_nobody_asked_for_is_told_from_one_at_the_same_place_that_somebody_did() {
    let listen = |args: &[&str]| {
        let args = std::iter::once("rtmp-server").chain(args.iter().copied()).map(Into::into);
        crate::cli::parse(args).unwrap().config.http_listen
    };
    let address = "127.0.0.1:8080".parse::<ListenAddress>().unwrap();
    assert_eq!(listen(&[]), HttpListen::Default(address.clone()));
    assert_eq!(listen(&["-http-listen", "127.0.0.1:8080"]), HttpListen::Asked(address));
    assert_eq!(listen(&["-http-listen", "off"]), HttpListen::Off);
}
