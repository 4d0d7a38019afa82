use std::time::Duration;

use super::*;
use crate::config::file;

const PATH: &str = "s.toml";

fn read_all(text: &str, config: &Config) -> Vec<Result<Recorder, Vec<Problem>>> {
    let file = file::parse(Path::new(PATH), text.as_bytes()).unwrap_or_else(|p| panic!("{p:?}"));
    let read = |table| read(Path::new(PATH), table, config, &["record-all"]);
    file.recorders.iter().map(read).collect()
}

fn recorder(more: &str) -> Recorder {
    let text = format!("[[recorder]]\nname = 'a'\nstreams = ['a']\n{more}\n");
    read_all(&text, &Config::default()).remove(0).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// What is wrong with a recorder, without the place and its name.
fn wrong(more: &str) -> String {
    let text = format!("[[recorder]]\nname = 'a'\nstreams = ['a']\n{more}\n");
    let problems = read_all(&text, &Config::default()).remove(0).expect_err(more);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let text = problems[0].to_string();
    text.strip_prefix("s.toml:4: recorder \"a\": ").unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn every_key_is_read() {
    let recorder = recorder(
        "exclude = ['b']\nenabled = false\nformat = 'mp4'\ndir = '/disk2'\npath = '{app}_{start}'\n\
         tracks = 'audio'\npre-roll = '10s'\nmax-length = '2h'\n\
         schedule = ['daily 10:00-11:00', 'Sat 00:00-24:00']\nrotate-duration = '1h'\n\
         rotate-size = '1GiB'\nrotate-every = '15m'\nrotate-schedule = '0 6 * * * UTC'\n\
         retain-age = '30d'\nretain-size = '1TB'\nretain-free = '5GB'\nretain-copied = true\n\
         rejoin = 0\nflush = '500ms'\nsync = '1s'\nchecksum-files = true\n\
         pictures = false\nthumbnail-interval = '1m'\n\
         labels = { event = 'Cup', n = 5 }\n"
            .replace("{start}", "{timestamp}")
            .as_str(),
    );
    let windows = ["daily 10:00-11:00", "Sat 00:00-24:00"].map(|text| text.parse().unwrap());
    let expected = Recorder {
        name: "a".to_owned(),
        enabled: false,
        streams: vec!["a".parse().unwrap()],
        exclude: vec!["b".parse().unwrap()],
        format: archive::Format::Mp4,
        dir: Some(PathBuf::from("/disk2")),
        path: "{app}_{timestamp}".parse().unwrap(),
        rotation: archive::Rotation {
            duration: Some(Duration::from_secs(3_600)),
            size_bytes: Some(1 << 30),
            every: Some("15m".parse().unwrap()),
            schedule: Some("0 6 * * * UTC".parse().unwrap()),
        },
        tracks: Tracks::Audio,
        pre_roll: Duration::from_secs(10),
        max_length: Some(Duration::from_secs(7_200)),
        schedule: Windows::new(windows.into()),
        retention: Some(Rules {
            age: Some(Duration::from_secs(30 * 86_400)),
            total_bytes: Some(1_000_000_000_000),
            free_bytes: Some(5_000_000_000),
            copied_only: true,
        }),
        rejoin: Duration::ZERO,
        flush: Duration::from_millis(500),
        sync: Duration::from_secs(1),
        checksum_files: true,
        pictures: false,
        thumbnail_interval: Duration::from_secs(60),
        labels: [("event", "Cup"), ("n", "5")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
    };
    assert_eq!(recorder, expected);
}

#[test]
fn what_is_not_said_is_taken_from_the_server() {
    let args = ["rtmp-server", "-retain-age=9d", "-retain-copied", "-record-rotate-size=1GiB"];
    let config = crate::cli::parse(args.map(Into::into)).unwrap().config;
    let text = "[[recorder]]\nname = 'a'\nstreams = ['a']\nretain-size = '1TB'\n\
                rotate-duration = '1h'\n[[recorder]]\nname = 'b'\nstreams = ['b']\n\
                rotate-size = 'off'\nretain-age = 'off'\n[[recorder]]\nname = 'c'\n\
                streams = ['c']\n";
    let recorders: Vec<_> = read_all(text, &config).into_iter().map(Result::unwrap).collect();
    let [a, b, c] = &*recorders else { panic!("{recorders:?}") };
    let retention = a.retention.unwrap();
    assert_eq!(retention.age, Some(Duration::from_secs(9 * 86_400)));
    assert_eq!(retention.total_bytes, Some(1_000_000_000_000));
    assert!(retention.copied_only);
    assert_eq!(a.rotation.size_bytes, Some(1 << 30));
    assert_eq!(b.rotation.size_bytes, None);
    assert_eq!(b.retention.unwrap().age, None);
    assert_eq!(c.retention, None);
    assert_eq!(*c, Recorder::new("c", vec!["c".parse().unwrap()], &config));
}

#[test]
fn wrong_values_are_told_with_what_was_expected() {
    for (text, expected) in [
        ("enabled = 1", "enabled \"1\" is not valid: expected true or false"),
        ("format = 'mkv'", "format \"mkv\" is not valid: expected flv or mp4"),
        ("tracks = 'none'", "expected all, audio, video or keyframes"),
        ("dir = ''", "expected a directory"),
        ("path = '/x'", "absolute"),
        ("pre-roll = '11m'", "at most 10m"),
        ("max-length = '0s'", "from 1s to 1000h"),
        ("schedule = ['never']", "write days and times"),
        ("schedule = 'daily 10:00-11:00'", "schedule is no list: write schedule = [\"…\"]"),
        ("exclude = ['a', '/b']", "exclude \"/b\" is not valid: names of streams"),
        ("exclude = [['a']]", "exclude is a list; expected one value"),
        ("flush = { a = 1 }", "flush is a table; expected one value"),
        ("labels = 'x'", "labels is no table"),
        ("labels = { A = 'x' }", "the name of a label \"A\" is not valid"),
        ("labels = { '' = 'x' }", "the name of a label \"\" is not valid"),
        ("labels = { a = ['x'] }", "the label a is no text"),
        ("labels = { a = \"x\\ny\" }", "without control characters"),
        ("bogus = 1", "unknown key \"bogus\"; known are name, streams, "),
        ("exlude = []", "unknown key \"exlude\": did you mean exclude?"),
        ("record-all = true", "record-all is a setting of the server"),
    ] {
        let line = wrong(text);
        assert!(line.contains(expected), "{text}: {line}");
    }
}

#[test]
fn a_recorder_has_a_name_and_streams() {
    let problems = read_all("[[recorder]]\n", &Config::default()).remove(0).unwrap_err();
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["s.toml:1: recorder: name is missing", "s.toml:1: recorder: streams is missing"]
    );
    let problems =
        read_all("[[recorder]]\nname = 'a'\nstreams = []\n", &Config::default()).remove(0);
    assert!(problems.unwrap_err()[0].to_string().contains("streams is empty"));
}

#[test]
fn a_wrong_entry_of_a_list_is_told_with_its_own_line() {
    let text = "[[recorder]]\nname = 'a'\nstreams = [\n  'a',\n  'b/',\n]\n";
    let problems = read_all(text, &Config::default()).remove(0).unwrap_err();
    assert_eq!(problems[0].line, Some(5));
}

#[test]
fn names_lists_and_labels_are_bounded() {
    let named = |name: &str| {
        let text = format!("[[recorder]]\nname = '{name}'\nstreams = ['a']\n");
        read_all(&text, &Config::default()).remove(0)
    };
    assert!(named(&"x".repeat(64)).is_ok());
    for name in [&*"x".repeat(65), "", "A", "a b", "a.b", "ä", "all", "api"] {
        assert!(named(name).is_err(), "{name}");
    }
    for key in ["streams", "exclude", "schedule"] {
        let entry = if key == "schedule" { "'daily 10:00-11:00'," } else { "'a'," };
        let text = |n: usize| {
            let more = if key == "streams" { "" } else { "streams = ['a']\n" };
            format!("[[recorder]]\nname = 'a'\n{more}{key} = [{}]\n", entry.repeat(n))
        };
        assert!(read_all(&text(100), &Config::default())[0].is_ok(), "{key}");
        let problems = read_all(&text(101), &Config::default()).remove(0).unwrap_err();
        assert!(problems[0].to_string().contains("101 entries; at most 100"), "{problems:?}");
    }
    let labels = |n: usize| {
        let labels: Vec<_> = (0..n).map(|n| format!("l{n} = 'x'")).collect();
        format!("labels = {{ {} }}", labels.join(", "))
    };
    assert_eq!(recorder(&labels(32)).labels.len(), 32);
    assert!(wrong(&labels(33)).contains("33 labels are too many: at most 32"));
    let label = |name: usize, value: usize| {
        format!("labels = {{ '{}' = '{}' }}", "n".repeat(name), "v".repeat(value))
    };
    assert_eq!(recorder(&label(64, 256)).labels.len(), 1);
    assert!(wrong(&label(65, 1)).contains("1 to 64"));
    assert!(wrong(&label(1, 257)).contains("at most 256 bytes"));
}
