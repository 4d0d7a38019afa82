use super::*;

fn parsed(text: &str) -> File {
    parse(Path::new("s.toml"), text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn problems(bytes: &[u8]) -> Vec<String> {
    let problems = parse(Path::new("s.toml"), bytes).expect_err("it should be wrong");
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_value_has_its_line_and_the_text_that_a_flag_would_have() {
    let text = "listen = ':1'\n\n# a\nmax-streams = 1_000\npre-roll-buffer = 0x10000\n\
                record-all = true\nx = 1.5\n[[recorder]]\nstreams = [\n  'a',\n  2,\n]\n\
                labels = { a = 'b' }\n[[recorder]]\n";
    let file = parsed(text);
    let settings: Vec<_> = file.settings.iter().map(|i| (&*i.key, i.line, &i.value)).collect();
    let scalar = |text: &str| Value::Scalar(text.to_owned());
    assert_eq!(
        settings,
        [
            ("listen", 1, &scalar(":1")),
            ("max-streams", 4, &scalar("1000")),
            ("pre-roll-buffer", 5, &scalar("65536")),
            ("record-all", 6, &scalar("true")),
            ("x", 7, &scalar("1.5")),
        ]
    );
    assert_eq!(file.recorders.iter().map(|table| table.line).collect::<Vec<_>>(), [8, 14]);
    let [streams, labels] = &*file.recorders[0].items else { panic!("{file:?}") };
    assert_eq!(streams.value, Value::List(vec![(10, scalar("a")), (11, scalar("2"))]));
    assert_eq!((streams.line, labels.line), (9, 13));
    assert_eq!(labels.value, Value::Table(vec![("a".to_owned(), 13, scalar("b"))]));
}

#[test]
fn windows_editors_are_no_trouble() {
    let file = parsed("\u{feff}listen = ':1'\r\nmax-streams = 5\r\n");
    assert_eq!(file.settings.iter().map(|item| item.line).collect::<Vec<_>>(), [1, 2]);
    let wrong = problems("\u{feff}listen = ':1'\r\nmax-streams 5\r\n".as_bytes());
    assert!(wrong[0].starts_with("s.toml:2: not valid TOML"), "{wrong:?}");
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    for (text, line) in [
        ("a = 1\nb", 2),
        ("a = 1\nb = 'x\n", 2),
        ("a = 1\na = 2\n", 2),
        ("a = 1\n\n[[recorder]\n", 3),
        ("a = 01\n", 1),
    ] {
        let wrong = problems(text.as_bytes());
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with(&format!("s.toml:{line}: not valid TOML: ")), "{wrong:?}");
        assert!(wrong[0].len() > "s.toml:1: not valid TOML: ".len(), "{wrong:?}");
    }
    assert_eq!(problems(b"a = 1\nb = '\xff'\n"), ["s.toml:2: this line is not UTF-8"]);
}

#[test]
fn recorder_is_a_list_of_tables() {
    for text in ["[recorder]\nname = 'a'\n", "recorder = 1\n", "recorder = ['a']\n"] {
        let wrong = problems(text.as_bytes());
        assert!(wrong[0].starts_with("s.toml:1: ") && wrong[0].contains("[[recorder]]"), "{text}");
    }
}

#[test]
fn a_file_and_its_recorders_are_bounded() {
    let mut text = "# ".to_owned();
    text.push_str(&"x".repeat(FILE_BYTES - 2));
    assert!(parsed(&text).settings.is_empty());
    text.push('x');
    assert_eq!(problems(text.as_bytes()), ["s.toml: the file has more than 1048576 bytes"]);
    let most = "[[recorder]]\n".repeat(RECORDERS);
    assert_eq!(parsed(&most).recorders.len(), RECORDERS);
    let wrong = problems((most + "[[recorder]]\n").as_bytes());
    assert_eq!(wrong, ["s.toml:1: 1001 recorders are too many: at most 1000"]);
}

#[test]
fn no_more_of_a_file_is_read_than_it_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.toml");
    std::fs::write(&path, vec![b'#'; 2 * FILE_BYTES]).unwrap();
    assert_eq!(read(&path).unwrap().len(), FILE_BYTES + 1);
}

#[test]
fn nesting_is_bounded() {
    let deep = |n: usize| format!("a = {}1{}", "[".repeat(n), "]".repeat(n));
    parsed(&deep(20));
    assert_eq!(problems(deep(10_000).as_bytes()).len(), 1);
}
