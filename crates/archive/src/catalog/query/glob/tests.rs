use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, key: &str) -> bool {
    Glob::new(pattern).unwrap().matches(key)
}

#[test]
fn stars_stop_at_parts_and_double_stars_do_not() {
    for (pattern, yes, no) in [
        (
            "live/test",
            &["live/test"][..],
            &["live/tes", "live/test2", "xlive/test", "Live/test"][..],
        ),
        ("live/*", &["live/", "live/a", "live/a*b"], &["live/a/b", "live", "a/live/b"]),
        ("*/cam?", &["live/cam1", "/camé"], &["live/cam", "live/cam12", "a/b/cam1", "live/cam/"]),
        ("live/**", &["live/a", "live/a/b/c", "live/"], &["live", "liver/a"]),
        ("**/cam", &["cam", "a/cam", "a/b/cam"], &["acam", "a/cam/b"]),
        ("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["az", "a/bz", "ab/z"]),
        ("a**z", &["az", "a/z", "abc/yz"], &["a", "za"]),
        ("**", &["", "a", "a/b"], &[]),
        ("*", &["", "a"], &["a/b"]),
        ("a*b*c", &["abc", "abbc", "aXbYc", "abcbc"], &["ab", "acb", "a/bc"]),
        (r"\*\?\\\[", &[r"*?\["], &["a?\\["]),
    ] {
        for key in yes {
            assert!(matches(pattern, key), "{pattern} and {key}");
        }
        for key in no {
            assert!(!matches(pattern, key), "{pattern} and {key}");
        }
    }
}

#[test]
fn what_is_no_pattern_says_what_was_expected() {
    let error = |pattern: &str| Glob::new(pattern).unwrap_err().to_string();
    assert_eq!(error(""), "a pattern of 0 bytes: expected 1 to 4096 bytes");
    assert_eq!(error(&"a".repeat(4_097)), "a pattern of 4097 bytes: expected 1 to 4096 bytes");
    assert!(Glob::new(&"*a".repeat(2_048)).is_ok());
    assert_eq!(
        error("live/[ab]"),
        "'[' in a pattern: expected letters, *, ** and ?, and a \\ before any other sign that \
         patterns know elsewhere"
    );
    assert!(error("{a,b}").starts_with("'{' in a pattern"));
    assert!(error("a***").starts_with("*** in a pattern: expected * for anything but /"));
    assert!(error("a\\").starts_with("a pattern that ends with \\: expected the character"));
}

#[test]
fn a_long_pattern_takes_no_longer_than_its_length_times_that_of_the_key() {
    let pattern = "*a".repeat(2_048);
    assert!(!matches(&pattern, &"a".repeat(2_047)));
    assert!(matches(&pattern, &"a".repeat(4_096)));
}

#[test]
fn a_pattern_of_one_key_is_known() {
    assert_eq!(Glob::new("live/te\\*st").unwrap().exact().as_deref(), Some("live/te*st"));
    for pattern in ["live/*", "live/?", "**/a", "live/**"] {
        assert_eq!(Glob::new(pattern).unwrap().exact(), None);
    }
}

#[test]
fn what_every_key_has_is_told() {
    let runs = |pattern: &str| Glob::new(pattern).unwrap().runs('<', '>');
    assert_eq!(runs("live/test"), ["<live/test>"]);
    assert_eq!(runs("live/*"), ["<live/", ">"]);
    assert_eq!(runs("*/cam?x"), ["<", "/cam", "x>"]);
    assert_eq!(runs("**/cam"), ["<", "cam>"]);
    assert_eq!(runs("**"), ["<", ">"]);
}

proptest! {
    #[test]
    fn what_matches_has_the_runs(
        pattern in "[ab/*?]{1,8}".prop_filter("no ***", |p| !p.contains("***")),
        key in "[ab/]{0,8}",
    ) {
        let glob = Glob::new(&pattern).unwrap();
        if glob.matches(&key) {
            let marked = format!("<{key}>");
            prop_assert!(glob.runs('<', '>').iter().all(|run| marked.contains(run.as_str())));
        }
    }
}
