use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::config::file::PROBLEMS;
use crate::config::{HttpListen, Pattern};

/// A directory with a configuration file in it.
struct Place(TempDir);

impl Place {
    fn new(text: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(text);
        place
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("s.toml")
    }

    fn examine(&self, args: &[&str], env: &[(&str, &str)]) -> Result<Settings, Vec<Problem>> {
        let mut all: Vec<OsString> = vec!["rtmp-server".into(), "-config".into()];
        all.push(self.file().into());
        all.extend(args.iter().map(OsString::from));
        examine(all, env.iter().map(|(name, value)| (name.into(), value.into())))
    }

    fn settings(&self, args: &[&str], env: &[(&str, &str)]) -> Settings {
        self.examine(args, env).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    /// The problems, without the directory.
    fn problems(&self, args: &[&str], env: &[(&str, &str)]) -> Vec<String> {
        let problems = self.examine(args, env).map(|_| ()).expect_err("it should be wrong");
        let dir = format!("{}/", self.0.path().display());
        problems.iter().map(|problem| problem.to_string().replace(&dir, "")).collect()
    }
}

fn problems(text: &str) -> Vec<String> {
    Place::new(text).problems(&[], &[])
}

fn settings(text: &str) -> Settings {
    Place::new(text).settings(&[], &[])
}

fn source(settings: &Settings, name: &str) -> (String, Source) {
    let shown = settings.shown().iter().find(|shown| shown.name == name).unwrap();
    (shown.value.clone(), shown.source)
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let place = Place::new("listen = ':1'\nmax-streams = 1\nlog-level = 'debug'\n");
    let env = [
        ("RTMP_SERVER_LISTEN", ":2"),
        ("RTMP_SERVER_MAX_STREAMS", "2"),
        ("RTMP_SERVER_PLAY_HOLD", ""),
        ("RTMP_SERVER_PORT", "tcp://10.0.0.1:1935"),
        ("LISTEN", ":9"),
    ];
    let settings = place.settings(&["-listen", ":3"], &env);
    assert_eq!(settings.config.listen.to_string(), ":3");
    assert_eq!(settings.config.max_streams, 2);
    assert_eq!(settings.config.log_level, crate::LogLevel::Debug);
    assert_eq!(settings.config.play_hold, std::time::Duration::ZERO);
    assert_eq!(source(&settings, "listen"), (":3".to_owned(), Source::Flag));
    assert_eq!(source(&settings, "max-streams"), ("2".to_owned(), Source::Environment));
    assert_eq!(source(&settings, "log-level"), ("debug".to_owned(), Source::File(3)));
    assert_eq!(source(&settings, "play-hold"), ("0".to_owned(), Source::Default));
    assert_eq!(settings.file, Some(place.file()));
    assert_eq!(settings.config.config, Some(place.file()));
}

#[test]
fn a_flag_that_says_the_default_beats_what_says_something_else() {
    let place = Place::new("record-all = true\nhttp-listen = 'off'\n");
    let args = ["-record-all=false", "-http-listen", "127.0.0.1:8080"];
    let settings = place.settings(&args, &[("RTMP_SERVER_RECORD_ALL", "true")]);
    assert!(!settings.config.record_all && settings.recorders.is_empty());
    assert!(matches!(settings.config.http_listen, HttpListen::Asked(_)));
    let settings = place.settings(&[], &[("RTMP_SERVER_HTTP_LISTEN", "127.0.0.1:1")]);
    assert!(matches!(settings.config.http_listen, HttpListen::Asked(_)));
    let settings = Place::new("").settings(&[], &[]);
    assert!(matches!(settings.config.http_listen, HttpListen::Default(_)));
}

#[test]
fn every_flag_can_be_said_in_the_environment_and_in_the_file() {
    for flag in flags() {
        let name = flag.get_long().unwrap();
        let value = match name {
            "config" => continue,
            "api-token" => "0123456789abcdef".to_owned(),
            "api-token-file" => {
                let dir = tempfile::tempdir().unwrap().keep();
                fs::write(dir.join("token"), "0123456789abcdef\n").unwrap();
                dir.join("token").display().to_string()
            }
            _ => flag.get_default_values()[0].to_string_lossy().into_owned(),
        };
        let variable = variable(name);
        let settings = Place::new("").settings(&[], &[(&variable, &value)]);
        assert_eq!(source(&settings, name).1, Source::Environment, "{variable}");
        let text = format!("\n{name} = '{value}'");
        let place = Place::new(&text);
        assert_eq!(source(&place.settings(&[], &[]), name).1, Source::File(2), "{text}");
    }
}

#[test]
fn without_a_file_nothing_is_read() {
    let settings = examine(["rtmp-server".into()], []).unwrap();
    assert_eq!((settings.file, settings.recorders.len()), (None, 0));
    assert_eq!(settings.config, Config::default());
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let place = Place::new("max-streams = 7\n");
    let env = [("RTMP_SERVER_CONFIG".into(), place.file().into())];
    let settings = examine(["rtmp-server".into()], env).unwrap();
    assert_eq!(settings.config.max_streams, 7);
    assert_eq!(settings.config.config, Some(place.file()));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let place = Place::new("");
    fs::remove_file(place.file()).unwrap();
    let wrong = place.problems(&[], &[]);
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].starts_with("s.toml: cannot read the configuration: "), "{wrong:?}");
}

#[test]
fn every_wrong_value_is_told_with_its_place_and_what_was_expected() {
    let place = Place::new("listen = 1935\nrecord-all = 'maybe'\nmax-streams = [1]\n");
    let wrong = place.problems(&[], &[("RTMP_SERVER_LOG_LEVEL", "loud")]);
    assert_eq!(
        wrong,
        [
            "RTMP_SERVER_LOG_LEVEL \"loud\" is not valid: expected debug, info, warn or error",
            "s.toml:1: listen \"1935\" is not valid: expected HOST:PORT, for example :1935, \
             localhost:1935 or [::]:1935",
            "s.toml:2: record-all \"maybe\" is not valid: expected true or false",
            "s.toml:3: max-streams: expected a text, a number, or true or false",
        ]
    );
    // Also those that something stronger makes unimportant, and those that are empty.
    let place = Place::new("listen = 1935\nrecord-dir = ''\n");
    let wrong = place.problems(&["-listen", ":1"], &[]);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert_eq!(wrong[1], "s.toml:2: record-dir needs a value");
}

#[test]
fn an_unknown_key_names_the_nearest_one() {
    let near = |text: &str| problems(text).join("\n");
    assert_eq!(
        near("recordall = true"),
        "s.toml:1: unknown key \"recordall\": did you mean record-all?"
    );
    assert!(near("record_all = true").ends_with("did you mean record-all?"));
    assert!(near("record-al = true").ends_with("did you mean record-all?"));
    assert!(near("[[recorders]]").ends_with("did you mean [[recorder]]?"));
    assert!(near("streams = ['a']").ends_with("it goes below [[recorder]]"));
    assert!(near("config = 'x'").ends_with("cannot be set in the file itself"));
    assert!(near("bogus = 1").contains("`rtmp-server sample-config` prints all"));
    let text =
        "[[recorder]]\nname = 'a'\nstreams = ['a']\nrotate-duraton = '1h'\nrecord-all = true";
    assert_eq!(
        problems(text),
        [
            "s.toml:4: recorder \"a\": unknown key \"rotate-duraton\": did you mean \
             rotate-duration?",
            "s.toml:5: recorder \"a\": record-all is a setting of the server: it goes above the \
             first [[recorder]]",
        ]
    );
}

#[test]
fn a_thousand_problems_are_told_as_a_hundred() {
    let text: String = (0..1_000).map(|n| format!("bogus{n} = 1\n")).collect();
    let wrong = problems(&text);
    assert_eq!(wrong.len(), PROBLEMS + 1);
    assert_eq!(wrong[PROBLEMS], "and 900 more");
}

#[test]
fn record_all_is_a_recorder_of_every_stream_and_comes_first() {
    let settings = settings("record-all = true\n[[recorder]]\nname = 'a'\nstreams = ['x']\n");
    let names: Vec<_> = settings.recorders.iter().map(|recorder| &*recorder.name).collect();
    assert_eq!(names, ["all", "a"]);
    assert_eq!(settings.recorders[0].streams, [Pattern::all()]);
    assert!(settings.recorders[0].matches("any/thing"));
}

#[test]
fn names_of_recorders_are_unique_and_not_those_of_the_server() {
    let table = |name: &str| format!("[[recorder]]\nname = '{name}'\nstreams = ['a']\n");
    assert_eq!(
        problems(&(table("a") + &table("b") + &table("a"))),
        ["s.toml:7: recorder \"a\": there is one of this name in line 1"]
    );
    for name in ["all", "api"] {
        assert!(problems(&table(name))[0].contains("the server's own"), "{name}");
    }
}

#[test]
fn what_is_kept_of_a_stream_is_the_most_that_somebody_wants() {
    let text = "pre-roll = '5s'\n[[recorder]]\nname = 'a'\nstreams = ['a/**']\npre-roll = '1m'\n\
                [[recorder]]\nname = 'b'\nstreams = ['**']\npre-roll = '2s'\n\
                [[recorder]]\nname = 'c'\nstreams = ['**']\npre-roll = '9m'\nenabled = false\n";
    let settings = settings(text);
    assert_eq!(settings.pre_roll("a/x").as_secs(), 60);
    assert_eq!(settings.pre_roll("b/x").as_secs(), 5);
}

#[test]
fn a_file_of_a_thousand_recorders_and_many_names_is_read() {
    let names = "'live/a', ".repeat(60);
    let table = |n: usize| format!("[[recorder]]\nname = 'r{n}'\nstreams = [{names}]\n");
    let text: String = (0..1_000).map(table).collect();
    let settings = settings(&text);
    assert_eq!(settings.recorders.len(), 1_000);
    assert!(settings.recorders.iter().all(|r| r.matches("live/a") && !r.matches("live/b")));
}

#[test]
fn directories_of_recorders_are_told_once() {
    let table = |name: &str, dir: &str| {
        format!("[[recorder]]\nname = '{name}'\nstreams = ['a']\ndir = '{dir}'\n")
    };
    let text = table("a", "/two") + &table("b", "/one") + &table("c", "/two");
    let text = text + &table("d", "recordings");
    assert_eq!(settings(&text).dirs(), [Path::new("/one"), Path::new("/two")]);
}

mod changes;
mod tokens;
