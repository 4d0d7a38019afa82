use proptest::prelude::*;

use super::*;

fn windows(texts: &[&str]) -> Windows {
    let parse = |text: &&str| text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    Windows::new(texts.iter().map(parse).collect()).unwrap()
}

fn at(text: &str) -> Zoned {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The changes from a moment on, in the moment's time zone.
fn changes(windows: &Windows, from: &str, count: usize) -> Vec<String> {
    let mut now = at(from);
    let mut changes = Vec::new();
    while let Some(next) = windows.next_change(&now).filter(|_| changes.len() < count) {
        assert!(next > now);
        assert_ne!(windows.is_open(&next), windows.is_open(&now), "{next}");
        changes.push(next.strftime("%a %d %H:%M %Z").to_string());
        now = next;
    }
    changes
}

#[test]
fn a_window_of_weekdays_opens_and_closes_on_them() {
    let windows = windows(&["Mon-Fri 18:00-23:30"]);
    // 2026-11-27 is a Friday.
    assert!(!windows.is_open(&at("2026-11-27T17:59:59.999[UTC]")));
    assert!(windows.is_open(&at("2026-11-27T18:00[UTC]")));
    assert!(windows.is_open(&at("2026-11-27T23:29:59.999[UTC]")));
    assert!(!windows.is_open(&at("2026-11-27T23:30[UTC]")));
    let expected = ["Fri 27 18:00 UTC", "Fri 27 23:30 UTC", "Mon 30 18:00 UTC"];
    assert_eq!(changes(&windows, "2026-11-27T12:00[UTC]", 3), expected);
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let windows = windows(&["Sat 22:00-02:00"]);
    assert!(windows.is_open(&at("2026-11-29T01:59[UTC]")));
    assert!(!windows.is_open(&at("2026-11-28T01:59[UTC]")));
    let expected = ["Sat 28 22:00 UTC", "Sun 29 02:00 UTC", "Sat 05 22:00 UTC"];
    assert_eq!(changes(&windows, "2026-11-28T01:00[UTC]", 3), expected);
}

#[test]
fn days_are_written_in_every_usual_way() {
    let open = |text: &str| {
        let windows = windows(&[&format!("{text} 10:00-11:00")]);
        // 2026-11-30 is a Monday.
        let days = (0..7).map(|day| at("2026-11-30T10:30[UTC]") + jiff::Span::new().days(day));
        days.map(|day| if windows.is_open(&day) { 'x' } else { '.' }).collect::<String>()
    };
    assert_eq!(open("daily"), "xxxxxxx");
    assert_eq!(open("Mon-Fri"), "xxxxx..");
    assert_eq!(open("Sat,Sun"), ".....xx");
    assert_eq!(open("sat-MON,Wednesday"), "x.x..xx");
    assert_eq!(open("Tue"), ".x.....");
    assert_eq!(open("Mon-Sun"), "xxxxxxx");
    assert_eq!(open(""), "xxxxxxx");
}

#[test]
fn a_window_of_two_moments_opens_once() {
    let windows = windows(&["2026-12-24 08:00 - 2026-12-26 24:00 Europe/Vienna"]);
    let expected = ["Thu 24 07:00 UTC", "Sat 26 23:00 UTC"];
    assert_eq!(changes(&windows, "2026-11-29T00:00[UTC]", 9), expected);
    assert_eq!(windows.next_change(&at("2027-01-01T00:00[UTC]")), None);
}

#[test]
fn the_zone_of_the_window_counts_and_else_that_of_the_moment() {
    let vienna = windows(&["daily 18:00-19:00 Europe/Vienna"]);
    assert!(vienna.is_open(&at("2026-11-29T17:00[UTC]")));
    let local = windows(&["daily 18:00-19:00"]);
    assert!(!local.is_open(&at("2026-11-29T17:00[UTC]")));
    assert!(local.is_open(&at("2026-11-29T18:00[Asia/Kolkata]")));
}

#[test]
fn windows_that_touch_or_overlap_are_one() {
    let windows = windows(&["Mon 10:00-12:00", "Mon 12:00-13:00", "Mon 11:00-12:30"]);
    let expected = ["Mon 30 10:00 UTC", "Mon 30 13:00 UTC"];
    assert_eq!(changes(&windows, "2026-11-29T00:00[UTC]", 2), expected);
}

#[test]
fn what_is_always_open_never_changes() {
    for texts in [&["daily 00:00-24:00"][..], &["daily 06:00-18:00", "daily 18:00-06:00"]] {
        let windows = windows(texts);
        for zone in ["UTC", "Europe/Vienna", "America/Sao_Paulo", "Australia/Lord_Howe"] {
            let now = at(&format!("2026-03-20T12:00[{zone}]"));
            assert!(windows.is_open(&now));
            assert_eq!(windows.next_change(&now), None, "{texts:?} {zone}");
        }
    }
    // What only goes on for long does end.
    let windows = windows(&["2026-01-01 00:00 - 2027-01-01 00:00", "Fri 00:00-24:00"]);
    let expected = ["Sat 02 00:00 UTC"];
    assert_eq!(changes(&windows, "2026-06-01T00:00[UTC]", 1), expected);
}

/// The clock of Vienna goes from 02:00 to 03:00 on 2026-03-29.
#[test]
fn a_skipped_time_begins_a_window_at_the_change() {
    let change = |text: &str| changes(&windows(&[text]), "2026-03-28T20:00[Europe/Vienna]", 2);
    assert_eq!(change("Sun 02:15-04:00"), ["Sun 29 03:00 CEST", "Sun 29 04:00 CEST"]);
    assert_eq!(change("Sun 01:00-02:30"), ["Sun 29 01:00 CET", "Sun 29 03:30 CEST"]);
    assert_eq!(change("Sun 02:15-02:45"), ["Sun 29 03:00 CEST", "Sun 29 03:45 CEST"]);
    assert_eq!(change("Sat 22:00-06:00"), ["Sat 28 22:00 CET", "Sun 29 06:00 CEST"]);
}

/// The clock of Vienna goes from 03:00 to 02:00 on 2026-10-25.
#[test]
fn a_time_that_comes_twice_is_in_a_window_both_times() {
    let change = |text: &str| changes(&windows(&[text]), "2026-10-24T20:00[Europe/Vienna]", 2);
    assert_eq!(change("Sun 02:15-02:45"), ["Sun 25 02:15 CEST", "Sun 25 02:45 CET"]);
    assert_eq!(change("Sun 02:30-04:00"), ["Sun 25 02:30 CEST", "Sun 25 04:00 CET"]);
    assert_eq!(change("Sun 01:00-02:30"), ["Sun 25 01:00 CEST", "Sun 25 02:30 CET"]);
}

#[test]
fn what_is_no_window_is_told_in_one_line() {
    let long = "x".repeat(TEXT_BYTES + 1);
    for (text, why) in [
        ("", "write days and times"),
        ("always", "write days and times"),
        ("Mon", "write days and times"),
        ("Mon-Fri 18:00", "no pair of times"),
        ("Mon-Fry 18:00-19:00", "\"Fry\" is no day"),
        ("Mon,, 18:00-19:00", "\"\" is no day"),
        ("daily 18:00-25:00", "\"25:00\" is no time of the day"),
        ("daily 18:60-19:00", "\"18:60\" is no time of the day"),
        ("daily 6:00-19:00", "\"6:00\" is no time of the day"),
        ("daily 24:00-02:00", "does not begin at 24:00"),
        ("daily 10:00-10:00", "00:00-24:00"),
        ("daily 18:00-19:00 Mars/Olympus", "no known time zone"),
        ("daily 18:00-19:00 Europe/Vienna x", "too many words"),
        ("2026-12-24 08:00 - 2026-12-24 08:00", "ends before it begins"),
        ("2026-13-24 08:00 - 2026-12-24 09:00", "\"2026-13-24\" is no date"),
        (&long, "at most 256"),
    ] {
        let error = text.parse::<Window>().expect_err(text);
        assert!(error.contains(why) && error.lines().count() == 1, "{text}: {error}");
    }
}

proptest! {
    /// Whether a window is open is the same in each minute from one change to the next.
    #[test]
    fn between_two_changes_there_is_none(
        day in 0_usize..7, from in 0_i64..1_440, length in 1_i64..1_440,
        once in 0_i64..20_000, start in 0_i64..500_000,
        zone in prop::sample::select(vec!["UTC", "Europe/Vienna", "Australia/Lord_Howe"]),
    ) {
        let clock = |minute: i64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
        let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][day];
        let weekly = format!("{day} {}-{}", clock(from), clock(from + length));
        let begin = jiff::civil::date(2026, 3, 20).at(0, 0, 0, 0);
        let [from, until] = [once, once + 3_000].map(|minute| {
            (begin + jiff::Span::new().minutes(minute)).strftime("%Y-%m-%d %H:%M").to_string()
        });
        let windows = windows(&[&weekly, &format!("{from} - {until} {zone}")]);
        let zone = TimeZone::get(zone).unwrap();
        let now = begin.to_zoned(zone).unwrap() + jiff::Span::new().minutes(start);
        let is_open = windows.is_open(&now);
        // There is one: no week is without the weekly window.
        let next = windows.next_change(&now).unwrap();
        prop_assert!(next > now);
        prop_assert_eq!(windows.is_open(&next), !is_open);
        let mut minute = now;
        for _ in 0..200 {
            minute += SignedDuration::from_mins(53);
            if minute >= next {
                break;
            }
            prop_assert_eq!(windows.is_open(&minute), is_open, "{}", minute);
        }
    }
}
