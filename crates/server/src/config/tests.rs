use std::net::SocketAddr;

use super::value::*;
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
    assert_eq!(duration_or_zero("0"), Ok(Duration::ZERO));
    assert_eq!(duration_or_zero("1ms"), Ok(Duration::from_millis(1)));
    for text in ["", "0s", "00", "-0", "5", "25h"] {
        let error = duration_or_zero(text).expect_err(text);
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

fn parse(flag: &str, value: &str) -> Result<Config, String> {
    let args = ["rtmp-server", flag, value].map(Into::into);
    crate::cli::parse(args).map(|cli| cli.config).map_err(|stop| format!("{stop:?}"))
}

#[test]
fn rules_of_rotation_are_off_unless_given() {
    let config = Config::default();
    assert_eq!(config.record_rotate_duration, None);
    assert_eq!(config.record_rotate_size, None);
    assert_eq!(config.record_rotate_every, None);
    assert_eq!(config.record_rotate_schedule, None);
    let config = parse("-record-rotate-duration", "90s").unwrap();
    assert_eq!(config.record_rotate_duration, Some(Duration::from_secs(90)));
    let config = parse("-record-rotate-size", "4GiB").unwrap();
    assert_eq!(config.record_rotate_size, Some(4 << 30));
    let config = parse("-record-rotate-every", "every 15m aligned").unwrap();
    assert_eq!(config.record_rotate_every, Some("15m".parse().unwrap()));
    let cron = "0 6 * * 1-5 Europe/Berlin";
    let config = parse("-record-rotate-schedule", cron).unwrap();
    assert_eq!(config.record_rotate_schedule, Some(cron.parse().unwrap()));
    assert_eq!(parse("-record-rotate-schedule", "off").unwrap(), Config::default());
}

#[test]
fn wrong_rules_are_refused_with_what_is_expected() {
    for (flag, value, expected) in [
        ("-record-rotate-duration", "999ms", "from 1s to 1000h"),
        ("-record-rotate-duration", "1 fortnight", "from 1s to 1000h"),
        ("-record-rotate-size", "1KB", "from 64KiB to 1PiB"),
        ("-record-rotate-every", "25h", "24h"),
        ("-record-rotate-schedule", "0 24 * * *", "hour"),
        ("-record-rotate-schedule", "0 6 * * * Mars/Olympus", "Mars/Olympus"),
        ("-record-flush", "1h", "from 20ms to 1m"),
        ("-record-path", "../{name}", ".."),
        ("-record-path", "{stream}", "{stream_key}"),
    ] {
        let error = parse(flag, value).expect_err(value);
        assert!(error.contains(expected), "{flag} {value}: {error}");
    }
}

#[test]
fn ages_may_be_days() {
    for (text, seconds) in
        [("90m", 5_400), ("12h", 43_200), ("30d", 2_592_000), ("1d12h", 129_600), ("1m", 60)]
    {
        assert_eq!(age(text), Ok(Some(Duration::from_secs(seconds))), "{text}");
    }
    assert_eq!(age("off"), Ok(None));
    for text in ["", "0", "59s", "-5d", "2y", "40000d", "30", "OFF", "1 fortnight"] {
        assert!(age(text).expect_err(text).contains("expected a time such as 90m"), "{text}");
    }
}

#[test]
fn room_for_recordings_has_units_and_bounds() {
    assert_eq!(room("500GB"), Ok(Some(500_000_000_000)));
    assert_eq!(room("1MiB"), Ok(Some(1 << 20)));
    assert_eq!(room("off"), Ok(None));
    for text in ["", "500", "0", "-1GB", "2EiB", "auto", "much"] {
        assert!(room(text).expect_err(text).contains("expected a size such as 500GB"), "{text}");
    }
}

#[test]
fn room_to_leave_may_be_none() {
    assert_eq!(min_free("0"), Ok(Some(0)));
    assert_eq!(min_free("2GiB"), Ok(Some(2 << 30)));
    assert_eq!(min_free("auto"), Ok(None));
    for text in ["", "off", "-1", "2EiB"] {
        assert!(
            min_free(text).expect_err(text).contains("expected a size such as 500MB"),
            "{text}"
        );
    }
}

#[test]
fn nothing_is_deleted_unless_it_is_asked_for() {
    let retain = Config::default().retain;
    assert!(!retain.rules().is_some());
    assert_eq!((retain.record_min_free, retain.retain_copied), (None, false));
}

#[test]
fn what_is_kept_in_memory_is_at_most_ten_minutes() {
    assert_eq!(pre_roll("0"), Ok(Duration::ZERO));
    assert_eq!(pre_roll("10m"), Ok(Duration::from_secs(600)));
    for text in ["", "off", "10m1ms", "-1s", "5"] {
        assert!(pre_roll(text).expect_err(text).contains("at most 10m, or 0"), "{text}");
    }
}

#[test]
fn what_is_deleted_can_be_restored_for_days_or_not_at_all() {
    assert_eq!(grace("0"), Ok(Duration::ZERO));
    assert_eq!(grace("7d"), Ok(Duration::from_secs(7 * 86_400)));
    assert_eq!(Config::default().bin_grace, Duration::from_secs(7 * 86_400));
    assert_eq!(grace("36500d"), Ok(Duration::from_secs(36_500 * 86_400)));
    for text in ["", "off", "59s", "36501d", "-1d", "7"] {
        assert!(grace(text).expect_err(text).contains("at least 1m and at most 36500d"), "{text}");
    }
}
