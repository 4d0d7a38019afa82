use archive::Format;
use archive::range::Info;

use super::super::name::{disposition, of_range};

fn of(name: &str) -> String {
    disposition(name).to_str().unwrap().to_owned()
}

#[test]
fn name_never_leads_out_of_a_directory_or_out_of_the_header() {
    let names = [
        ("live_test.flv", "live_test.flv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\"; filename=\"b.exe", "a_; filename=_b.exe"),
        ("a\r\nSet-Cookie: x=1", "a__Set-Cookie_ x=1"),
        ("C:\\x\\y.flv", "C__x_y.flv"),
        ("%2e%2e%2f.flv", "_2e_2e_2f.flv"),
        ("...", "download"),
        ("", "download"),
        ("\0", "_"),
    ];
    for (name, expected) in names {
        let found = of(name);
        let saved = found.strip_prefix("attachment; filename=\"").unwrap();
        assert_eq!(saved.trim_end_matches('"'), expected, "{name}");
        assert_eq!(found.matches('"').count(), 2, "{found}");
    }
}

#[test]
fn name_beyond_ascii_is_told_both_ways_and_bounded() {
    let found = of("größe €.flv");
    let expected = "attachment; filename=\"gr__e _.flv\"; \
                    filename*=UTF-8''gr%C3%B6%C3%9Fe%20%E2%82%AC.flv";
    assert_eq!(found, expected);
    let long = of(&"ü".repeat(1_000));
    assert_eq!(long.matches("%C3%BC").count(), 127, "255 bytes at most, whole characters");
}

#[test]
fn file_of_a_range_is_called_by_its_stream_its_beginning_and_its_length() {
    let name = |stream_key: &str, start_time: &str, duration_ms, format| {
        let info = Info {
            stream_key: stream_key.to_owned(),
            recordings: Vec::new(),
            segments: 1,
            size_bytes: 0,
            duration_ms,
            start_unix_ms: 0,
            start_time: start_time.to_owned(),
            gaps: Vec::new(),
            gaps_total: 0,
            is_growing: false,
        };
        of_range(&info, format)
    };
    let start = "2026-11-29T20:15:03.200-05:00";
    assert_eq!(
        name("live/test", start, 27_800, Format::Mp4),
        "live_test_20261129_201503_27.800s.mp4"
    );
    assert_eq!(name("a/b/c", start, 7_200_001, Format::Flv), "a_b_c_20261129_201503_7200.001s.flv");
    // Nothing of it is cut off where it is saved.
    let long = name(&"ü".repeat(500), start, u64::MAX, Format::Mp4);
    assert!(long.len() < 255 && long.ends_with("s.mp4"), "{long}");
}
