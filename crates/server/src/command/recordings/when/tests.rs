use super::*;

fn at(now: &str, text: &str) -> String {
    let now: Zoned = now.parse().unwrap();
    match moment(text, &now) {
        Ok(moment) => moment.to_zoned(now.time_zone().clone()).strftime("%F %T%.f%:z").to_string(),
        Err(error) => error,
    }
}

const NOW: &str = "2026-11-29T19:30:15.5+01:00[Europe/Vienna]";

#[test]
fn times_are_those_of_the_clock_here() {
    for (text, expected) in [
        ("2026-11-28", "2026-11-28 00:00:00+01:00"),
        ("2026-07-01", "2026-07-01 00:00:00+02:00"),
        ("2026-11-29T18:00", "2026-11-29 18:00:00+01:00"),
        ("2026-11-29 18:00:30.25", "2026-11-29 18:00:30.25+01:00"),
        ("2026-11-29T18:00:00Z", "2026-11-29 19:00:00+01:00"),
        ("2026-11-29T18:00:00+05:30", "2026-11-29 13:30:00+01:00"),
        ("2026-11-29T18:00:00-05:00", "2026-11-30 00:00:00+01:00"),
        ("18:00", "2026-11-29 18:00:00+01:00"),
        ("23:59:59", "2026-11-29 23:59:59+01:00"),
        ("-2h", "2026-11-29 17:30:15.5+01:00"),
        ("-1h30m", "2026-11-29 18:00:15.5+01:00"),
        ("-90s", "2026-11-29 19:28:45.5+01:00"),
        ("-3d", "2026-11-26 19:30:15.5+01:00"),
        ("now", "2026-11-29 19:30:15.5+01:00"),
        ("today", "2026-11-29 00:00:00+01:00"),
        ("yesterday", "2026-11-28 00:00:00+01:00"),
    ] {
        assert_eq!(at(NOW, text), expected, "{text}");
    }
}

#[test]
fn days_on_which_clocks_change_have_their_own_length() {
    let spring = "2026-03-29T12:00:00+02:00[Europe/Vienna]";
    // 02:30 was left out.
    assert_eq!(at(spring, "02:30"), "2026-03-29 03:30:00+02:00");
    assert_eq!(at(spring, "-1d"), "2026-03-28 12:00:00+01:00");
    assert_eq!(at(spring, "-24h"), "2026-03-28 11:00:00+01:00");
    let autumn = "2026-10-25T12:00:00+01:00[Europe/Vienna]";
    // 02:30 came twice.
    assert_eq!(at(autumn, "02:30"), "2026-10-25 02:30:00+02:00");
    assert_eq!(at(autumn, "yesterday"), "2026-10-24 00:00:00+02:00");
}

#[test]
fn what_is_no_time_says_what_is() {
    for text in [
        "",
        "-",
        "2h",
        "--2h",
        "-2h ago x!",
        "soon",
        "2026-13-01",
        "2026-11-29T25:00",
        "25:00",
        "18",
        "tomorrow",
        "-P1D",
        "-99999999y",
        "2026-11-29T18:00:00+99:00",
        "+2h",
    ] {
        assert_eq!(at(NOW, text), FORMS, "{text}");
    }
}
