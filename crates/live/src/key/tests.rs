use super::*;

fn key(app: &str, name: &str) -> String {
    Key::new(app, name).unwrap().as_str().to_owned()
}

#[test]
fn every_split_of_a_path_names_one_stream() {
    for (app, name) in [
        ("live/a", "b"),
        ("live", "a/b"),
        ("/live/", "/a//b/"),
        ("live/_definst_", "a/b"),
        ("", "live/a/b"),
    ] {
        assert_eq!(key(app, name), "live/a/b", "{app} + {name}");
    }
}

#[test]
fn text_of_a_name_is_kept_as_it_is() {
    assert_eq!(key("live", "a_b"), "live/a_b");
    assert_eq!(key("live", "..%2f..\\x"), "live/..%2f..\\x");
    assert_eq!(key("live", "_definst_"), "live/_definst_");
    assert_eq!(key("app", "Müller übt 音楽"), "app/Müller übt 音楽");
}

#[test]
fn an_empty_name_is_refused() {
    for name in ["", "/", "///"] {
        assert_eq!(Key::new("live", name), Err(KeyError::Empty));
    }
}

#[test]
fn the_longest_key_is_accepted_and_one_byte_more_is_not() {
    let name = "x".repeat(Key::MAX_BYTES - 5);
    assert_eq!(key("live", &name).len(), Key::MAX_BYTES);
    let error = Key::new("live", &format!("{name}x")).unwrap_err();
    assert_eq!(error, KeyError::TooLong { bytes: 4_097 });
    assert!(error.to_string().contains("4096"));
}

#[test]
fn display_cannot_forge_a_log_line() {
    let shown = Key::new("live", "a\nERROR x\u{1b}[2J\u{202e}b\0").unwrap().to_string();
    assert_eq!(shown, "live/a\\nERROR x\\u{1b}[2J\\u{202e}b\\u{0}");
}
