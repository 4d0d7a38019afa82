//! Where a recording is and what it is called.

use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};
use media::Packet;
use testkit::{Publisher, Server, block_on, flv};

use super::{Live, closed, file_in, file_of, packets, publish, small, tree};
use crate::support::{BINARY, recording};

fn name(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).expect("names are text")
}

/// The time in a name that begins with `stem`, as written.
fn written_time(file: &Path, stem: &str) -> DateTime {
    let name = name(file);
    let time = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(".flv"));
    let time = time.unwrap_or_else(|| panic!("{name} should be {stem}YYYYMMDD_HHMMSS.flv"));
    assert_eq!(time.len(), "YYYYMMDD_HHMMSS".len(), "{name}");
    DateTime::strptime("%Y%m%d_%H%M%S", time).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn without_record_all_nothing_is_recorded() {
    for args in [&[][..], &["-record-all", "false"], &["-record-all=false"]] {
        let mut server = Server::builder(BINARY).args(args).start();
        block_on(async {
            let mut live = Live::start(&server.url("live/test"), 1, small()).await;
            live.send(150).await;
            live.finish().await;
        });
        server.stop();
        assert!(tree(server.dir()).is_empty(), "{args:?}: {:?}", tree(server.dir()));
        let lines = server.logs();
        let line = lines.iter().find(|line| line.message.starts_with("record"));
        let said = line.map(|line| line.message.as_str());
        let nothing = "recording nothing; start with -record-all true to record every stream";
        assert_eq!(said, Some(nothing), "{args:?}");
    }
}

#[test]
fn a_file_is_named_by_its_key_and_its_local_time() {
    // Nine hours east, without daylight saving, in the form that needs no database.
    let mut server = recording().env("TZ", "JST-9").start();
    let east = TimeZone::fixed(Offset::constant(9));
    for (stream, stem) in [("live/test", "live_test_"), ("app/stream", "app_stream_")] {
        let before = Timestamp::now();
        block_on(publish(&server, stream, &packets(1, small(), 40)));
        closed(&server, stream);
        let file = file_of(&server, stream);
        assert_eq!(file.parent(), Some(server.record_dir()));
        let at = written_time(&file, stem).to_zoned(east.clone()).unwrap().timestamp();
        // The name has whole seconds.
        assert!(at > before - 1.second() && at <= Timestamp::now(), "{at} {before}");
        let report = super::report(&file);
        let text = |field: &str| {
            let (_, value) = report.metadata.iter().find(|(known, _)| known == field).unwrap();
            value.as_str().unwrap().to_owned()
        };
        assert_eq!(text("streamKey"), stream);
        assert!(text("startTime").ends_with("+09:00"), "{}", text("startTime"));
        let start: Timestamp = text("startTime").parse().unwrap();
        assert_eq!(start.as_second(), at.as_second());
    }
    server.stop();
    assert_eq!(server.recordings().len(), 2);
}

#[test]
fn the_directory_is_made_with_its_parents_relative_or_absolute() {
    let outside = tempfile::tempdir().unwrap();
    let absolute = outside.path().join("d/e");
    for dir in [Path::new("a/b/c"), Path::new("./x y/ünï"), &absolute] {
        let mut server = recording().record_dir(dir).start();
        let sent = packets(1, small(), 60);
        block_on(publish(&server, "live/test", &sent));
        closed(&server, "live/test");
        server.stop();
        let files = server.recordings();
        let [file] = files.as_slice() else { panic!("{dir:?}: {files:?}") };
        flv::assert_recorded(file, &sent);
        assert_eq!(file.parent(), Some(&*server.dir().join(dir)));
    }
}

#[test]
fn a_key_of_several_elements_is_one_name_however_it_is_split() {
    let mut server = recording().start();
    for (app, name) in [("live/a", "b"), ("live", "a/b"), ("/live/", "/a//b/")] {
        block_on(publish_as(&server, app, name, &packets(1, small(), 40)));
    }
    server.wait_for_logs("recorder closed", &[("stream_key", "live/a/b")], 3);
    server.stop();
    let files = server.recordings();
    assert_eq!(files.len(), 3);
    for file in files {
        assert!(name(&file).starts_with("live_a_b_"), "{}", file.display());
    }
}

#[test]
fn a_query_is_no_part_of_a_name_a_file_or_the_log() {
    let secret = "s3cr3tt0ken";
    let mut server = recording().args(["-log-level", "debug"]).start();
    let sent = packets(1, small(), 40);
    block_on(async {
        publish_as(&server, "live", &format!("test?token={secret}"), &sent).await;
        publish_as(&server, &format!("live?token={secret}"), "test", &sent).await;
    });
    server.wait_for_logs("recorder closed", &[("stream_key", "live/test")], 2);
    server.stop();
    let logs = server.logs();
    let leak = logs.iter().find(|line| line.to_string().contains(secret));
    assert!(leak.is_none(), "{leak:?}");
    for file in server.recordings() {
        assert!(name(&file).starts_with("live_test_"), "{}", file.display());
        let bytes = std::fs::read(&file).unwrap();
        let leaks = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!leaks, "{}", file.display());
    }
}

/// Publishes all of a stream whose name no URL could carry.
async fn publish_as(server: &Server, app: &str, name: &str, sent: &[Packet]) {
    let url = server.url("live/x");
    let connected = Publisher::connect_with(&url, |config| {
        app.clone_into(&mut config.app);
        name.clone_into(&mut config.name);
    });
    let mut publisher = connected.await.unwrap_or_else(|error| panic!("{app:?} {name:?}: {error}"));
    publisher.send_all(sent).await.unwrap();
    publisher.close().await.unwrap();
}

/// Names that would mean something to a file system, a shell, a terminal or a person.
fn nasty(outside: &Path) -> Vec<(String, String)> {
    let names = [
        ("..", ".."),
        ("live", "../../escape"),
        ("../..", "../../../../../../../../etc/escape"),
        ("live", "..\\..\\escape"),
        ("live", "%2e%2e%2fescape"),
        ("live", "//server/share/x"),
        ("C:", "\\Windows\\escape"),
        ("live", "C:\\escape"),
        ("live", "a\0b"),
        ("live", "a\r\nb\u{1b}[31m\u{7f}\u{9b}"),
        ("CON", "x"),
        ("live", "CON"),
        ("nul.txt", "x"),
        ("com1.flv", "x"),
        ("LPT9.", "x"),
        (".", "."),
        (".hidden", "x"),
        ("-rf", "*"),
        ("~", "x"),
        ("live", "$(touch escape)`touch escape`;touch escape|"),
        ("live", "a∕b⁄c／d＼e⧵f∖g"),
        ("live", "．．／escape"),
        ("live", "\u{202e}vlf.exe\u{200b}\u{feff}"),
        ("live", "a:b*c\"<d>|e"),
        (" live ", " x "),
        ("live", "dot."),
        ("live", "日本語-é-e\u{301}"),
    ];
    let names = names.map(|(app, name)| (app.to_owned(), name.to_owned()));
    let long = [
        ("live".to_owned(), "x".repeat(1_000)),
        ("live".to_owned(), "é".repeat(500)),
        ("live".to_owned(), "../".repeat(333)),
        ("a".repeat(1_000), "b".repeat(1_000)),
        ("live".to_owned(), outside.join("escape").to_str().unwrap().to_owned()),
    ];
    names.into_iter().chain(long).collect()
}

/// Whether Linux, Windows and macOS all take a name as a file's, and no shell as anything else.
fn is_portable(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let is_device = ["CON", "PRN", "AUX", "NUL"].contains(&&*stem)
        || ["COM", "LPT"].iter().any(|d| stem.starts_with(d) && stem.len() == 4);
    let is_bad = |c: char| c.is_control() || "<>:\"/\\|?*$`;'&!".contains(c);
    let is_lookalike = |c| "∕⁄／＼⧵∖．\u{202e}\u{200b}\u{feff}".contains(c);
    name.len() <= 255
        && !is_device
        && !name.contains(is_bad)
        && !name.trim_end_matches(".flv").contains(is_lookalike)
        && !name.starts_with(['.', '-', ' ', '~'])
        && !name.ends_with(['.', ' '])
}

#[test]
fn no_key_can_write_outside_the_record_directory() {
    let outside = tempfile::tempdir().unwrap();
    let mut server = recording().record_dir(outside.path().join("x/y/recordings")).start();
    let sent = packets(1, small(), 20);
    let names = nasty(outside.path());
    for (i, (app, key)) in names.iter().enumerate() {
        block_on(publish_as(&server, app, key, &sent));
        let lines = server.wait_for_logs("recorder closed", &[], i + 1);
        let file = file_in(&server, &lines[i]);
        assert_eq!(file.parent(), Some(server.record_dir()), "{app:?} {key:?}");
        assert!(is_portable(name(&file)), "{app:?} {key:?}: {}", file.display());
        flv::assert_recorded(&file, &sent);
        assert_eq!(server.recordings().len(), i + 1, "{app:?} {key:?}: one file");
    }
    server.stop();
    let dirs = ["x", "x/y", "x/y/recordings"].map(|dir| Path::new(dir).to_owned());
    let files = server.recordings().into_iter();
    let files = files.map(|file| file.strip_prefix(outside.path()).unwrap().to_owned());
    assert_eq!(tree(outside.path()), dirs.into_iter().chain(files).collect(), "and nothing else");
    assert!(tree(server.dir()).is_empty(), "{:?}", tree(server.dir()));
    // What a person reads in the log is one line each, without anything that moves a cursor.
    for line in server.logs() {
        let key = line.field("stream_key").unwrap_or_default();
        assert!(!key.contains(|c: char| c.is_control() || c == '\u{202e}'), "{key:?}");
    }
}

/// How often it is tried to publish twice within one second.
const ATTEMPTS: usize = 20;

#[test]
fn two_keys_of_one_name_within_one_second_are_two_files() {
    let mut server = recording().start();
    let mut met = false;
    for i in 0..ATTEMPTS {
        let (first, second) = (packets(1, small(), 30), packets(2, small(), 30));
        block_on(async {
            tokio::join!(
                publish(&server, "live/a_b", &first),
                publish(&server, "live_a/b", &second)
            )
        });
        let file = |stream: &str| {
            let lines = server.wait_for_logs("recorder closed", &[("stream_key", stream)], i + 1);
            file_in(&server, &lines[i])
        };
        let files = [file("live/a_b"), file("live_a/b")];
        flv::assert_recorded(&files[0], &first);
        flv::assert_recorded(&files[1], &second);
        met = is_second_of(&files[0], &files[1]) || is_second_of(&files[1], &files[0]);
        if met {
            break;
        }
    }
    assert!(met, "in {ATTEMPTS} attempts none was within one second");
    server.stop();
}

#[test]
fn two_publishes_of_a_key_within_one_second_are_two_files() {
    let mut server = recording().start();
    let (first, second) = (packets(1, small(), 30), packets(2, small(), 45));
    let mut met = false;
    for i in 0..ATTEMPTS {
        block_on(async {
            publish(&server, "live/test", &first).await;
            publish(&server, "live/test", &second).await;
        });
        let all = [("stream_key", "live/test")];
        let lines = server.wait_for_logs("recorder closed", &all, 2 * i + 2);
        // The two are closed in either order; which is which is told by their order of creation.
        assert_eq!(lines.len(), 2 * i + 2);
        let created = server.wait_for_logs("recorder initialized", &all, 2 * i + 2);
        let files = [file_in(&server, &created[2 * i]), file_in(&server, &created[2 * i + 1])];
        let in_order = flv::compare(&files[0], &first).is_ok();
        let (a, b) = if in_order { (&files[0], &files[1]) } else { (&files[1], &files[0]) };
        flv::assert_recorded(a, &first);
        flv::assert_recorded(b, &second);
        met = is_second_of(a, b) || is_second_of(b, a);
        if met {
            break;
        }
    }
    assert!(met, "in {ATTEMPTS} attempts none was within one second");
    server.stop();
}

/// Whether `second` has the name of `first` with `_2`.
fn is_second_of(first: &Path, second: &Path) -> bool {
    name(first).strip_suffix(".flv").map(|stem| format!("{stem}_2.flv")).as_deref()
        == Some(name(second))
}

#[cfg(unix)]
#[test]
fn what_others_have_put_there_is_never_touched() {
    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().join("recordings");
    std::fs::create_dir(&dir).unwrap();
    let now = Timestamp::now();
    // Every name of the next two minutes is taken by a file, the next one by a link to a place
    // where there is nothing yet.
    let mut theirs = Vec::new();
    for second in 0..120 {
        let time = (now + second.seconds()).strftime("%Y%m%d_%H%M%S");
        let file = dir.join(format!("live_test_{time}.flv"));
        std::fs::write(&file, format!("theirs {second}")).unwrap();
        let link = dir.join(format!("live_test_{time}_2.flv"));
        std::os::unix::fs::symlink(outside.path().join("escape"), link).unwrap();
        theirs.push((file, format!("theirs {second}")));
    }
    let before = tree(outside.path());
    let mut server = recording().env("TZ", "UTC0").record_dir(&dir).start();
    let sent = packets(1, small(), 60);
    block_on(publish(&server, "live/test", &sent));
    let file = file_in(&server, &closed(&server, "live/test"));
    server.stop();
    assert!(name(&file).ends_with("_3.flv"), "{}", file.display());
    flv::assert_recorded(&file, &sent);
    for (file, content) in theirs {
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content, "{}", file.display());
    }
    let mut after = before;
    after.insert(file.strip_prefix(outside.path()).unwrap().to_owned());
    assert_eq!(tree(outside.path()), after);
}
