use jiff::Zoned;
use proptest::prelude::*;

use super::*;

fn start() -> Zoned {
    "2025-10-11T14:30:52.123+02:00[Europe/Berlin]".parse().unwrap()
}

fn name_at(key: &str, start: &Zoned) -> Name {
    let facts = Facts {
        stream_key: key,
        start,
        end: None,
        sequence: 1,
        recording: "00",
        recording_name: "",
        recorder: "all",
        format: Format::Flv,
    };
    Template::default().name(&facts)
}

fn candidate(key: &str, number: u32) -> String {
    name_at(key, &start()).candidate(number).into_os_string().into_string().unwrap()
}

fn name(key: &str) -> String {
    candidate(key, 1)
}

/// The key in a name, after `/` became `_`; `None` when it was cut.
fn key_of(name: &str) -> Option<String> {
    let escaped = name.strip_suffix("_20251011_143052.flv").unwrap();
    if escaped.contains('~') {
        return None;
    }
    let mut bytes = Vec::new();
    let mut rest = escaped.as_bytes();
    while let [first, after @ ..] = rest {
        // `from_str_radix` takes a sign as well, which is no digit.
        let hex = after.get(..2).filter(|h| h.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    Some(String::from_utf8(bytes).unwrap())
}

/// What all of Linux, Windows and macOS take as a file in a directory.
fn assert_valid(name: &str) {
    assert!(name.len() <= NAME_BYTES, "{} bytes: {name}", name.len());
    assert!(name.ends_with(".flv"));
    assert!(!name.starts_with(['.', ' ', '-', '~']), "{name}");
    assert!(!name.ends_with(['.', ' ']));
    let bad = |c: char| c.is_control() || r#"/\:*?"<>|$`';&!"#.contains(c);
    assert!(!name.contains(bad), "{name:?}");
    let mut components = Path::new(name).components();
    assert!(matches!(components.next(), Some(Component::Normal(c)) if c == name));
    assert!(components.next().is_none());
    let stem = name.split('.').next().unwrap().trim_end().to_uppercase();
    let devices = ["CON", "PRN", "AUX", "NUL"];
    let numbered = ["COM", "LPT"]
        .iter()
        .any(|d| stem.strip_prefix(d).is_some_and(|n| n.chars().count() == 1 && n != "_"));
    assert!(!devices.contains(&stem.as_str()) && !numbered, "{name}");
}

#[test]
fn ordinary_keys_stay_as_they_are() {
    for (key, expected) in [
        ("live/test", "live_test_20251011_143052.flv"),
        ("app/stream", "app_stream_20251011_143052.flv"),
        ("live/a/b", "live_a_b_20251011_143052.flv"),
        ("live/cam-1_x.y z", "live_cam-1_x.y z_20251011_143052.flv"),
        ("live/Küche", "live_Küche_20251011_143052.flv"),
        ("live/카메라", "live_카메라_20251011_143052.flv"),
        ("live/हिन्दी", "live_हिन्दी_20251011_143052.flv"),
        ("live/กล้องที่", "live_กล้องที่_20251011_143052.flv"),
        ("live/cafe\u{301}", "live_cafe\u{301}_20251011_143052.flv"),
        ("live/50%", "live_50%_20251011_143052.flv"),
        ("live/CON", "live_CON_20251011_143052.flv"),
    ] {
        assert_eq!(name(key), expected);
    }
}

#[test]
fn what_is_no_name_is_escaped() {
    for (key, expected) in [
        ("..", "%2E%2E"),
        ("../../etc/passwd", "%2E._.._etc_passwd"),
        ("live/..", "live_.%2E"),
        (r"\..\x", "%5C..%5Cx"),
        (r"C:\x", "C%3A%5Cx"),
        ("live/a\0b\n\u{1b}[31m", "live_a%00b%0A%1B[31m"),
        ("-rf/x", "%2Drf_x"),
        (" x/y ", "%20x_y%20"),
        ("CON.x/y", "%43ON.x_y"),
        ("com¹ .a/b", "%63om¹ .a_b"),
        ("nul.tar.gz", "%6Eul.tar.gz"),
        ("a%2Fb", "a%252Fb"),
        ("a%zz", "a%zz"),
        ("*?\"<>|", "%2A%3F%22%3C%3E%7C"),
        ("~x", "%7Ex"),
        ("a\u{2215}b\u{2044}c\u{ff0f}d", "a%E2%88%95b%E2%81%84c%EF%BC%8Fd"),
        ("a\u{29f8}b\u{ff3c}c", "a%E2%A7%B8b%EF%BC%BCc"),
        ("a\u{202e}b\u{200b}c\u{feff}", "a%E2%80%AEb%E2%80%8Bc%EF%BB%BF"),
        ("a\u{3164}b\u{338}c", "a%E3%85%A4b%CC%B8c"),
        ("a\u{fffd}b\u{10ffff}", "a%EF%BF%BDb%F4%8F%BF%BF"),
    ] {
        let full = name(key);
        assert_eq!(full, format!("{expected}_20251011_143052.flv"), "{key:?}");
        assert_valid(&full);
        assert_eq!(key_of(&full).unwrap(), key.replace('/', "_"));
    }
}

#[test]
fn long_keys_are_cut_at_a_character_and_still_differ() {
    let mut seen = std::collections::BTreeSet::new();
    for unit in ["a", "é", "카", "\u{1f600}", "%41"] {
        for length in (60..260).chain([1_000, 5_000]) {
            let full = name(&unit.repeat(length));
            assert_valid(&full);
            assert!(seen.insert(full.clone()), "{full}");
            let longest = candidate(&unit.repeat(length), CANDIDATES);
            assert!(longest.len() <= NAME_BYTES, "{longest}");
        }
    }
    // As long as can be, one byte more, and the same beginning with another end.
    let whole = "a".repeat(229);
    assert_eq!(name(&whole), format!("{whole}_20251011_143052.flv"));
    let cut = name(&format!("{whole}b"));
    assert_eq!(cut, format!("{}~{}", &whole[..212], &cut[213..]));
    assert_ne!(cut, name(&format!("{whole}c")));
    // A cut never splits an escape.
    let colons = name(&":".repeat(500));
    assert!(colons.starts_with(&format!("{}~", "%3A".repeat(70))), "{colons}");
}

#[test]
fn candidates_are_numbered_from_two() {
    assert_eq!(candidate("live/test", 1), "live_test_20251011_143052.flv");
    assert_eq!(candidate("live/test", 2), "live_test_20251011_143052_2.flv");
    assert_eq!(candidate("live/test", CANDIDATES), "live_test_20251011_143052_10000.flv");
}

#[test]
fn the_time_is_that_of_the_given_zone() {
    for start in ["2025-01-02T03:04:05+00:00[UTC]", "2025-01-02T03:04:05-05:00[America/New_York]"] {
        let name = name_at("a/b", &start.parse().unwrap());
        assert_eq!(name.candidate(1), Path::new("a_b_20250102_030405.flv"));
    }
}

#[cfg(unix)]
#[test]
fn relative_paths_are_shown_as_such() {
    for (path, shown) in [
        ("recordings", "./recordings"),
        ("recordings/a.flv", "./recordings/a.flv"),
        ("./recordings", "./recordings"),
        ("../recordings", "../recordings"),
        ("/var/rec", "/var/rec"),
        (".", "."),
        ("", "."),
        (".hidden", "./.hidden"),
    ] {
        assert_eq!(display(Path::new(path)).to_string(), shown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_key_is_one_valid_component_and_can_be_read_back(key in "\\PC{0,80}|(?s:.){0,40}") {
        let full = name(&key);
        assert_valid(&full);
        if let Some(read) = key_of(&full) {
            prop_assert_eq!(read, key.replace('/', "_"));
        }
    }

    #[test]
    fn nasty_keys_do_not_meet(
        a in "[%./~ 2fFA:_a-]{1,12}",
        b in "[%./~ 2fFA:_a-]{1,12}",
    ) {
        let flat = |key: &str| key.replace('/', "_");
        prop_assert_eq!(flat(&a) == flat(&b), name(&a) == name(&b));
    }
}
