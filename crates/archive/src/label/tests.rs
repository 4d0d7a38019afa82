use super::*;

fn labels(count: usize) -> Labels {
    (0..count).map(|n| (format!("l{n}"), String::new())).collect()
}

#[test]
fn labels_are_bounded() {
    assert_eq!(check_labels(&labels(LABELS_MAX)), Ok(()));
    let many = check_labels(&labels(LABELS_MAX + 1));
    assert_eq!(many, Err(BadLabel::TooMany { labels: 33 }));
    assert_eq!(many.unwrap_err().to_string(), "33 labels; a recording has at most 32");
    let bad = BTreeMap::from([("ok".to_owned(), String::new()), ("No".to_owned(), String::new())]);
    assert_eq!(check_labels(&bad), Err(BadLabel::Name("No".to_owned())));
}

#[test]
fn a_name_has_few_characters_and_a_value_almost_all() {
    let name = "a.z_0-9".to_owned() + &"x".repeat(57);
    assert_eq!(check_label(&name, &"ü".repeat(128)), Ok(()));
    for bad in ["", "A", "a b", "ä", "a=b", &"x".repeat(65)] {
        assert!(matches!(check_label(bad, "v"), Err(BadLabel::Name(_))), "{bad}");
    }
    let long = check_label("room", &"v".repeat(257)).unwrap_err();
    assert_eq!(long.to_string(), "label room has 257 bytes; at most 256 are accepted");
    let control = check_text("name", "a\nb").unwrap_err();
    assert_eq!(control.to_string(), "name has a control character");
}
