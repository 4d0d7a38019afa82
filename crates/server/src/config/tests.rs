use super::*;

fn address(text: &str) -> ListenAddress {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_documented_address_is_accepted_and_shown_as_it_was_given() {
    for text in
        [":1935", "localhost:1935", "0.0.0.0:1935", "[::]:1935", "127.0.0.1:0", "a-b.example:65535"]
    {
        assert_eq!(address(text).to_string(), text);
    }
}

#[test]
fn a_port_alone_is_all_addresses_with_ipv4_to_fall_back_on() {
    let all = address(":1935");
    assert_eq!(all.resolve().unwrap(), ["[::]:1935".parse::<SocketAddr>().unwrap()]);
    assert_eq!(all.fallback(), Some("0.0.0.0:1935".parse().unwrap()));
}

#[test]
fn a_named_address_is_that_address_alone() {
    for (text, resolved) in
        [("0.0.0.0:7", "0.0.0.0:7"), ("[::1]:7", "[::1]:7"), ("[::]:7", "[::]:7")]
    {
        let address = address(text);
        assert_eq!(address.resolve().unwrap(), [resolved.parse::<SocketAddr>().unwrap()]);
        assert_eq!(address.fallback(), None);
    }
}

#[test]
fn bad_addresses_are_refused_with_an_example() {
    for text in [
        "",
        "1935",
        "localhost",
        ":",
        ":x",
        ":-1",
        ":+1",
        ":65536",
        ":99999999999",
        "::1:1935",
        "::1935",
        "[::1]",
        "[::1:1935",
        "[::1]1935",
        "[localhost]:1935",
        "[]:1935",
        "a b:1935",
        "h/live:1935",
        "rtmp://localhost:1935",
        "rtmp://localhost:1935/live",
        " :1935",
        ":1935 ",
    ] {
        let error = text.parse::<ListenAddress>().expect_err(text);
        assert!(error.contains("expected HOST:PORT, for example :1935"), "{text}: {error}");
    }
}

#[test]
fn times_have_units_and_bounds() {
    for (text, ms) in
        [("1ms", 1), ("500ms", 500), ("30s", 30_000), ("1m30s", 90_000), ("24h", 86_400_000)]
    {
        assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
    }
    for text in ["", "5", "0s", "999us", "-5s", "25h", "10 parsecs", "999999999999999999h", "s"] {
        let error = duration(text).expect_err(text);
        assert!(error.contains("expected a time") || error.contains("negative"), "{text}: {error}");
    }
}

#[test]
fn a_time_may_be_none_where_that_is_said() {
    assert_eq!(duration_or_none("0"), Ok(Duration::ZERO));
    assert_eq!(duration_or_none("1ms"), Ok(Duration::from_millis(1)));
    for text in ["", "0s", "00", "-0", "5", "25h"] {
        let error = duration_or_none(text).expect_err(text);
        assert!(error.ends_with("; or 0"), "{text}: {error}");
    }
}

#[test]
fn sizes_have_units_and_bounds() {
    for (text, bytes) in
        [("64KiB", 65_536), ("500KB", 500_000), ("16MiB", 16 << 20), ("65536", 65_536)]
    {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "-1", "65535", "2TiB", "many", "1e400", "NaN", "99999999999999999999"] {
        assert!(size(text).expect_err(text).contains("expected a size"), "{text}");
    }
}

#[test]
fn a_message_has_at_most_24_bits_of_length() {
    assert_eq!(message_size("16777215"), Ok(0xFF_FFFF));
    assert_eq!(message_size("16MB"), Ok(16_000_000));
    assert!(message_size("16MiB").expect_err("24 bits").contains("16777215"));
}

#[test]
fn counts_have_bounds() {
    assert_eq!(count("1"), Ok(1));
    assert_eq!(count("1000000"), Ok(1_000_000));
    for text in ["", "0", "-1", "1000001", "1.5", "99999999999999999999999"] {
        assert!(count(text).expect_err(text).contains("from 1 to 1000000"), "{text}");
    }
}
