use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn wrong(text: &str) -> String {
    match text.parse::<Pattern>() {
        Err(error) => {
            assert_eq!(error.lines().count(), 1, "{error}");
            error
        }
        Ok(pattern) => panic!("{pattern:?}"),
    }
}

/// Pattern, names that it means, names that it does not.
const CASES: &[(&str, &[&str], &[&str])] = &[
    ("live/test", &["live/test"], &["live/tes", "live/test2", "xlive/test", "Live/test", "live"]),
    ("live/*", &["live/a", "live/", "live/.a", "live/ä b"], &["live/a/b", "live", "live2/a"]),
    ("*", &["a", "äöü"], &["a/b"]),
    ("**", &["a", "a/b", "a/b/c", "a\nb/c", "ä"], &[]),
    ("live/**", &["live/a", "live/a/b"], &["live", "lives/a", "x/live/a"]),
    ("**/test", &["test", "a/test", "a/b/test"], &["a/xtest", "test/a"]),
    ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/xb", "ab", "a/b/c"]),
    ("live**", &["live", "live/a", "lively/b/c"], &["a/live"]),
    ("cam?/x", &["cam1/x", "camä/x"], &["cam/x", "cam12/x", "cam//x"]),
    ("cam[1-3]", &["cam1", "cam3"], &["cam4", "cam-", "cam"]),
    ("cam[!1-3]", &["cam4", "camä"], &["cam1", "cam/"]),
    ("cam[^1]", &["cam2"], &["cam1", "cam/"]),
    ("[]x]", &["]", "x"], &["[", "a"]),
    ("[a-]", &["a", "-"], &["b"]),
    ("[ä-ü]", &["ö"], &["o"]),
    (r"[\]\\&&~~]", &["]", "\\", "&", "~"], &["x"]),
    ("{live,tv}/{a,b{1,2}}", &["live/a", "tv/b1", "tv/b2"], &["tv/b", "tv/b3", "live/"]),
    ("a{,b}", &["a", "ab"], &["abb"]),
    ("a,b", &["a,b"], &["a", "b"]),
    (r"\*\?\[\{\}\\", &[r"*?[{}\"], &["x"]),
    ("a.b+(c)|^$", &["a.b+(c)|^$"], &["axb+(c)|^$"]),
    ("re:live/cam[0-9]+", &["live/cam1", "live/cam22"], &["live/cam", "x/live/cam1", "live/cam1x"]),
    ("re:a|ab", &["a", "ab"], &["abc", "b"]),
    ("re:(?i)LIVE/.*", &["live/x", "Live/"], &["tv/x"]),
];

#[test]
fn patterns_mean_what_the_reference_says() {
    for (text, yes, no) in CASES {
        let pattern = pattern(text);
        for key in *yes {
            assert!(pattern.matches(key), "{text} should mean {key:?}");
        }
        for key in *no {
            assert!(!pattern.matches(key), "{text} should not mean {key:?}");
        }
        assert_eq!(pattern.to_string(), *text);
    }
    assert_eq!(Pattern::all(), pattern("**"));
}

#[test]
fn patterns_that_can_mean_nothing_are_refused() {
    for (text, why) in [
        ("", "empty"),
        ("/live/*", "do not begin or end with /"),
        ("live/", "do not begin or end with /"),
        ("live//a", "two of them"),
        ("a[b", "a [ without its ]"),
        ("a[", "a [ without its ]"),
        ("a[b/c]", "a / between"),
        ("[z-a]", "range"),
        ("a{b", "a { without its }"),
        ("a}b", "a } alone"),
        ("a\\", "at the end"),
        ("re:", "empty"),
        ("re:(", "unclosed group"),
        ("re:a)|(b", "unopened group"),
        ("re:(?x)a # b", "unclosed group"),
    ] {
        let error = wrong(text);
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn patterns_are_bounded_in_length_depth_and_memory() {
    let longest = "x".repeat(TEXT_BYTES);
    assert!(pattern(&longest).matches(&longest));
    assert!(wrong(&(longest + "x")).contains("at most 1024"));
    let deep = |n: usize| "{".repeat(n) + "a" + &"}".repeat(n);
    assert!(pattern(&deep(DEPTH)).matches("a"));
    assert!(wrong(&deep(DEPTH + 1)).contains("more than 8"));
    assert!(pattern(r"re:\w{20}").matches(&"ä".repeat(20)));
    assert!(wrong(r"re:\w{200}").contains("too large"));
    assert!(pattern(&"?".repeat(TEXT_BYTES)).matches(&"ä".repeat(TEXT_BYTES)));
}

proptest! {
    /// A name with its special characters escaped means that name alone.
    #[test]
    fn an_escaped_name_means_itself(parts in prop::collection::vec("[^/\u{0}]{1,12}", 1..4)) {
        let key = parts.join("/");
        let text: String = key
            .chars()
            .flat_map(|c| [Some('\\').filter(|_| "*?[]{},\\".contains(c)), Some(c)])
            .flatten()
            .collect();
        prop_assume!(!text.starts_with("re:"));
        let pattern = pattern(&text);
        prop_assert!(pattern.matches(&key));
        let longer = format!("{key}x");
        prop_assert!(!pattern.matches(&longer));
    }

    /// Whatever is written, the answer is a pattern or one line.
    #[test]
    fn any_text_is_a_pattern_or_one_line(text in "(re:)?[a*?\\[\\]{},/!^\\\\()|-]{0,24}") {
        match text.parse::<Pattern>() {
            Ok(pattern) => prop_assert_eq!(pattern.to_string(), text),
            Err(error) => prop_assert_eq!(error.lines().count(), 1),
        }
    }
}
