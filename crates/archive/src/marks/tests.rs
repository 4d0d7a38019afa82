use jiff::ToSpan;
use proptest::prelude::*;

use super::*;

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";

fn at(time: &str, zone: &str) -> Zoned {
    format!("{time}[{zone}]").parse().unwrap()
}

/// The first marks after `from`, as time and offset.
fn marks(next: impl Fn(&Zoned) -> Option<Zoned>, from: &str, zone: &str) -> Vec<String> {
    let first = at(from, zone);
    let marks = std::iter::successors(Some(first), next).skip(1).take(4);
    marks.map(|mark| mark.strftime("%m-%d %H:%M:%S %z").to_string()).collect()
}

fn every(text: &str, from: &str, zone: &str) -> Vec<String> {
    let every: Every = text.parse().unwrap();
    marks(|now| every.next_after(now), from, zone)
}

fn schedule(text: &str, from: &str, zone: &str) -> Vec<String> {
    let schedule: Schedule = text.parse().unwrap();
    marks(|now| schedule.next_after(now), from, zone)
}

#[test]
fn times_are_read_and_written() {
    for (text, written) in [
        ("15m", "15m"),
        ("every 15m aligned", "15m"),
        ("every 1h", "1h"),
        ("30s", "30s"),
        ("5400s", "1h 30m"),
        ("24h", "24h"),
    ] {
        let every: Every = text.parse().unwrap();
        assert_eq!(every.to_string(), written);
        assert_eq!(written.parse(), Ok(every));
    }
    for text in ["", "15", "0s", "500ms", "1s 1ms", "-15m", "24h 1s", "every", "quarter"] {
        let error = text.parse::<Every>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{text:?} is no time of")), "{error}");
    }
}

#[test]
fn marks_are_counted_from_midnight() {
    let found = every("15m", "2025-06-01T23:20:00.5+02:00", BERLIN);
    assert_eq!(
        found,
        [
            "06-01 23:30:00 +0200",
            "06-01 23:45:00 +0200",
            "06-02 00:00:00 +0200",
            "06-02 00:15:00 +0200"
        ]
    );
    // On a mark, and a moment before it.
    assert_eq!(every("30s", "2025-06-01T10:00:00+02:00", BERLIN)[0], "06-01 10:00:30 +0200");
    let before = "2025-06-01T09:59:59.999999999+02:00";
    assert_eq!(every("30s", before, BERLIN)[0], "06-01 10:00:00 +0200");
    // What does not divide the day begins anew.
    let found = every("7h", "2025-12-31T15:00:00+01:00", BERLIN);
    assert_eq!(
        found,
        [
            "12-31 21:00:00 +0100",
            "01-01 00:00:00 +0100",
            "01-01 07:00:00 +0100",
            "01-01 14:00:00 +0100"
        ]
    );
    assert_eq!(every("24h", "2028-02-28T15:00:00+01:00", BERLIN)[0], "02-29 00:00:00 +0100");
}

#[test]
fn a_skipped_hour_has_one_mark_at_its_end() {
    for (zone, from, before, after, day) in [
        (BERLIN, "2025-03-30T01:40:00+01:00", "+0100", "+0200", "03-30"),
        (NEW_YORK, "2025-03-09T01:40:00-05:00", "-0500", "-0400", "03-09"),
    ] {
        let expected = [
            format!("{day} 01:45:00 {before}"),
            format!("{day} 03:00:00 {after}"),
            format!("{day} 03:15:00 {after}"),
            format!("{day} 03:30:00 {after}"),
        ];
        assert_eq!(every("15m", from, zone), expected);
        let expected = [
            format!("{day} 03:00:00 {after}"),
            format!("{day} 04:00:00 {after}"),
            format!("{day} 06:00:00 {after}"),
            format!("{day} 08:00:00 {after}"),
        ];
        assert_eq!(every("2h", from, zone), expected);
    }
    // Midnight itself is skipped, half an hour is, and a whole day.
    let found = every("24h", "2018-11-03T12:00:00-03:00", "America/Sao_Paulo");
    assert_eq!(found[..2], ["11-04 01:00:00 -0200", "11-05 00:00:00 -0200"]);
    let found = every("15m", "2025-10-05T01:50:00+10:30", "Australia/Lord_Howe");
    assert_eq!(found[..2], ["10-05 02:30:00 +1100", "10-05 02:45:00 +1100"]);
    let found = every("24h", "2011-12-29T12:00:00-10:00", "Pacific/Apia");
    assert_eq!(found[..2], ["12-31 00:00:00 +1400", "01-01 00:00:00 +1400"]);
}

#[test]
fn marks_of_a_repeated_hour_come_twice() {
    let found = every("30m", "2025-10-26T02:10:00+02:00", BERLIN);
    assert_eq!(
        found,
        [
            "10-26 02:30:00 +0200",
            "10-26 02:00:00 +0100",
            "10-26 02:30:00 +0100",
            "10-26 03:00:00 +0100"
        ]
    );
    let found = every("1h", "2025-11-02T00:10:00-04:00", NEW_YORK);
    assert_eq!(
        found,
        [
            "11-02 01:00:00 -0400",
            "11-02 01:00:00 -0500",
            "11-02 02:00:00 -0500",
            "11-02 03:00:00 -0500"
        ]
    );
    // A mark that is in the repeated half hour, but not at its beginning.
    let found = every("45m", "2025-04-06T01:31:00+11:00", "Australia/Lord_Howe");
    assert_eq!(
        found[..3],
        ["04-06 01:30:00 +1030", "04-06 02:15:00 +1030", "04-06 03:00:00 +1030"]
    );
}

#[test]
fn schedules_are_read_and_written() {
    for text in [
        "0 */2 * * * Europe/Berlin",
        "0 0 L * *",
        "0,30 8-18/2 * JAN-MAR,dec Mon-Fri UTC",
        "0 0 * * 5#2",
        "0 0 15W * *",
        "30 4 1 * SUN Etc/GMT+5",
    ] {
        let schedule: Schedule = text.parse().unwrap();
        assert_eq!(schedule.to_string(), text);
        assert_eq!(text.parse(), Ok(schedule));
    }
    let spaced: Schedule = " 0  0 * *\n* ".parse().unwrap();
    assert_eq!(spaced.to_string(), "0 0 * * *");
}

#[test]
fn what_is_wrong_with_a_schedule_is_told() {
    for (text, expected) in [
        ("", "0 of 5 fields; write minute, hour, day of the month, month and day of the week"),
        (
            "0 0 * *",
            "4 of 5 fields; write minute, hour, day of the month, month and day of the week",
        ),
        ("60 * * * *", r#"minute "60": number out of bounds"#),
        ("* 24 * * *", r#"hour "24": number out of bounds"#),
        ("* * 0 * *", r#"day of the month "0": number out of bounds"#),
        ("* * * 13 *", r#"month "13": number out of bounds"#),
        ("* * * * 8", r#"day of the week "8": number out of bounds"#),
        ("*/0 * * * *", r#"minute "*/0": step cannot be zero"#),
        ("* 9-5 * * *", r#"hour "9-5": range out of bounds"#),
        ("MON * * * *", r#"minute "MON": "MON" has no meaning here"#),
        ("0 0 1 FRI *", r#"month "FRI": "FRI" has no meaning here"#),
        ("0 0 * * FREITAG", r#"day of the week "FREITAG": "FREITAG" has no meaning here"#),
        ("@hourly * * * *", r#"minute "@hourly": "hourly" has no meaning here"#),
        (
            "0 0 * * * Berlin",
            r#""Berlin" is no known time zone, such as Europe/Berlin or UTC; it may follow the 5 fields"#,
        ),
        (
            "0 0 * * * * UTC",
            r#""* UTC" is no known time zone, such as Europe/Berlin or UTC; it may follow the 5 fields"#,
        ),
        ("0 0 30 2 *", r#""0 0 30 2 *" never comes"#),
        ("0 0 31 4,6,9,11 * UTC", r#""0 0 31 4,6,9,11 * UTC" never comes"#),
    ] {
        let error = text.parse::<Schedule>().unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_schedule_has_month_ends_and_leap_days() {
    let found = schedule("0 0 L * *", "2027-11-30T12:00:00+01:00", BERLIN);
    assert_eq!(
        found,
        [
            "12-31 00:00:00 +0100",
            "01-31 00:00:00 +0100",
            "02-29 00:00:00 +0100",
            "03-31 00:00:00 +0200"
        ]
    );
    let leap: Schedule = "0 12 29 2 * UTC".parse().unwrap();
    let years =
        std::iter::successors(Some(at("2092-02-29T12:00:00Z", "UTC")), |now| leap.next_after(now));
    // 2100 has none.
    assert_eq!(years.map(|day| day.year()).take(3).collect::<Vec<_>>(), [2092, 2096, 2104]);
    assert_eq!(leap.next_after(&at("4999-01-01T00:00:00Z", "UTC")), None);
}

#[test]
fn a_schedule_keeps_to_the_clock_when_it_changes() {
    // A fixed time that is skipped comes at the end of what is skipped; it does not come twice.
    let found = schedule("30 2 * * *", "2025-03-29T12:00:00+01:00", BERLIN);
    assert_eq!(found[..2], ["03-30 03:00:00 +0200", "03-31 02:30:00 +0200"]);
    let found = schedule("30 2 * * *", "2025-03-08T12:00:00-05:00", NEW_YORK);
    assert_eq!(found[..2], ["03-09 03:00:00 -0400", "03-10 02:30:00 -0400"]);
    let found = schedule("30 2 * * *", "2025-10-26T00:00:00+02:00", BERLIN);
    assert_eq!(found[..2], ["10-26 02:30:00 +0200", "10-27 02:30:00 +0100"]);
    let found = schedule("30 1 * * *", "2025-11-02T00:00:00-04:00", NEW_YORK);
    assert_eq!(found[..2], ["11-02 01:30:00 -0400", "11-03 01:30:00 -0500"]);
    // What is every so often goes on through both hours.
    let found = schedule("*/30 * * * *", "2025-10-26T02:10:00+02:00", BERLIN);
    assert_eq!(
        found,
        [
            "10-26 02:30:00 +0200",
            "10-26 02:00:00 +0100",
            "10-26 02:30:00 +0100",
            "10-26 03:00:00 +0100"
        ]
    );
}

#[test]
fn a_schedule_with_a_zone_means_that_zone() {
    let found = schedule("0 9 * * MON Europe/Berlin", "2025-10-20T00:00:00-04:00", NEW_YORK);
    // Berlin leaves summer time a week before New York does.
    assert_eq!(
        found,
        [
            "10-20 03:00:00 -0400",
            "10-27 04:00:00 -0400",
            "11-03 03:00:00 -0500",
            "11-10 03:00:00 -0500"
        ]
    );
}

#[test]
fn the_earlier_of_two_marks_is_next() {
    let now = at("2025-06-01T10:20:00Z", "UTC");
    let next = |every: Option<&str>, schedule: Option<&str>| {
        let every = every.map(|text| text.parse().unwrap());
        let schedule = schedule.map(|text| text.parse().unwrap());
        let mark = Marks { every, schedule }.next_after(&now)?;
        Some(mark.strftime("%H:%M").to_string())
    };
    assert_eq!(next(None, None), None);
    assert_eq!(next(Some("1h"), None).as_deref(), Some("11:00"));
    assert_eq!(next(None, Some("50 * * * *")).as_deref(), Some("10:50"));
    assert_eq!(next(Some("1h"), Some("50 * * * *")).as_deref(), Some("10:50"));
    assert_eq!(next(Some("15m"), Some("50 * * * *")).as_deref(), Some("10:30"));
}

/// Days around changes of the clock, in zones that change in ways of their own.
const CHANGING: [(&str, &str); 8] = [
    (BERLIN, "2025-03-29T00:00:00"),
    (BERLIN, "2025-10-25T00:00:00"),
    (NEW_YORK, "2025-03-08T00:00:00"),
    (NEW_YORK, "2025-11-01T00:00:00"),
    ("Australia/Lord_Howe", "2025-04-05T00:00:00"),
    ("Australia/Lord_Howe", "2025-10-04T00:00:00"),
    ("America/Sao_Paulo", "2018-11-03T00:00:00"),
    ("America/Havana", "2025-11-01T00:00:00"),
];

proptest! {
    /// Against a walk over all minutes.
    #[test]
    fn no_mark_is_left_out_and_none_is_made_up(
        day in 0..CHANGING.len(), from in 0..2_880_i64, minutes in 1..=1_440_i64,
    ) {
        let (zone, midnight) = CHANGING[day];
        let start = midnight.parse::<DateTime>().unwrap().to_zoned(TimeZone::get(zone).unwrap());
        let now = &start.unwrap() + from.minutes();
        let every: Every = format!("{minutes}m").parse().unwrap();
        let is_mark = |time: DateTime| seconds(time.time()) / 60 % minutes == 0;
        let walked = (1..).map(|passed: i64| &now + passed.minutes()).find(|time| {
            // The minutes on the clock since a minute ago: one, or those skipped as well.
            let before = (time - 1.minute()).datetime();
            let skipped = std::iter::successors(Some(time.datetime()), |time| Some(*time - 1.minute()));
            is_mark(time.datetime()) || skipped.take_while(|time| *time > before).any(is_mark)
        });
        prop_assert_eq!(every.next_after(&now), walked);
    }

    #[test]
    fn no_text_panics(text in "[0-9*/,LW#?+@ -]{0,20}|\\PC{0,30}") {
        let _ = text.parse::<Every>();
        if let Ok(schedule) = text.parse::<Schedule>() {
            prop_assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }
    }

    #[test]
    fn a_scheduled_mark_is_after_now(
        day in 0..CHANGING.len(), from in 0..172_800_i64,
        minute in "[0-5]|\\*|\\*/7", hour in "[0-3]|\\*|\\*/2",
    ) {
        let (zone, midnight) = CHANGING[day];
        let start = midnight.parse::<DateTime>().unwrap().to_zoned(TimeZone::get(zone).unwrap());
        let now = &start.unwrap() + from.seconds();
        let schedule: Schedule = format!("{minute} {hour} * * *").parse().unwrap();
        let next = schedule.next_after(&now).unwrap();
        prop_assert!(next > now && next < &now + 50.hours(), "{} {}", now, next);
    }
}
