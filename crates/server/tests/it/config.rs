//! Configuration: the file, the environment and flags of the real program, and its commands for them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::server::{LogLine, Server};
use testkit::tools::{self, Output};

use crate::support::BINARY;

/// Longest that a call may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A directory with a configuration file in it.
struct Place(TempDir);

impl Place {
    fn new(text: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(text);
        place
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("s.toml")
    }

    /// A server with this configuration.
    fn server(&self, args: &[&str]) -> Server {
        Server::builder(BINARY).arg("-config").arg(self.file()).args(args).start()
    }
}

fn run(args: &[&str], env: &[(&str, &Path)], dir: &Path) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args.iter().map(OsString::from)).envs(env.iter().copied()).current_dir(dir);
    tools::run(&mut command, TIMEOUT)
}

fn code(output: &Output) -> Option<i32> {
    output.status.and_then(|status| status.code())
}

fn field(line: &LogLine, name: &str) -> String {
    line.field(name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_server_does_what_its_file_says_and_flags_and_variables_are_stronger() {
    let place = Place::new(
        "record-all = true\nlog-level = 'error'\n[[recorder]]\nname = 'a'\nstreams = ['x/*']\n",
    );
    let mut server = Server::builder(BINARY)
        .arg("-config")
        .arg(place.file())
        .env("RTMP_SERVER_LOG_LEVEL", "debug")
        .args(["-log-level", "info"])
        .start();
    let loaded = server.wait_for_log("configuration loaded", &[]);
    assert_eq!(field(&loaded, "recorders"), "2");
    assert!(field(&loaded, "file").ends_with("s.toml"));
    server.wait_for_log("recording every stream", &[]);
    server.stop();
}

#[test]
fn the_environment_alone_is_enough() {
    let place = Place::new("log-level = 'error'\n");
    let mut server = Server::builder(BINARY)
        .env("RTMP_SERVER_CONFIG", place.file())
        .env("RTMP_SERVER_LOG_LEVEL", "info")
        .env("RTMP_SERVER_RECORD_ALL", "true")
        .env("RTMP_SERVER_PORT", "tcp://10.0.0.1:1935")
        .start();
    server.wait_for_log("configuration loaded", &[("recorders", "1")]);
    server.wait_for_log("recording every stream", &[]);
    server.stop();
}

#[test]
fn a_wrong_configuration_starts_nothing_and_tells_each_problem_on_a_line() {
    let place = Place::new("listen = 1935\nrecordall = true\n[[recorder]]\nname = 'all'\n");
    let dir = place.0.path();
    let output = run(&["-config", "s.toml"], &[], dir);
    assert_eq!((code(&output), &*output.text()), (Some(2), ""));
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (line, begin) in lines.iter().zip([
        "rtmp-server: s.toml:1: listen \"1935\" is not valid: expected HOST:PORT",
        "rtmp-server: s.toml:2: unknown key \"recordall\": did you mean record-all?",
        "rtmp-server: s.toml:3: recorder \"all\": streams is missing",
        "rtmp-server: s.toml:4: recorder \"all\": name \"all\" is not valid",
    ]) {
        assert!(line.starts_with(begin), "{line}");
    }
    for (args, text) in [
        (&["-config", "gone.toml"][..], "rtmp-server: gone.toml: cannot read the configuration: "),
        (&["-http-listen", ":0"], "rtmp-server: http-listen :0 is open to other machines"),
        (&["-api-token", "hush"], "rtmp-server: -api-token is not valid: expected 16 to 1024"),
    ] {
        let output = run(args, &[], dir);
        assert_eq!(code(&output), Some(2), "{}", output.stderr);
        assert!(output.stderr.starts_with(text), "{}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 1);
        assert!(!output.stderr.contains("hush"));
    }
}

#[test]
fn what_is_recorded_is_said_at_the_start() {
    let recorder = "[[recorder]]\nname = 'a'\nstreams = ['x/*']\n";
    let off = format!("{recorder}enabled = false\n");
    let nothing = "recording nothing; start with -record-all true to record every stream";
    let some = "recording what recorders of the configuration say";
    let every = "recording every stream";
    for (file, said) in
        [("", nothing), (&off, nothing), (recorder, some), ("record-all = true\n", every)]
    {
        let place = Place::new(file);
        let mut server = place.server(&[]);
        server.wait_for_log(said, &[]);
        server.stop();
    }
}

#[test]
fn a_changed_file_is_read_again() {
    let place = Place::new("");
    let mut server = place.server(&[]);
    server.wait_for_log("configuration loaded", &[("recorders", "0")]);
    let new = place.0.path().join("new");
    std::fs::write(&new, "record-all = true\nlisten = ':7'\nmax-players = 3\n").unwrap();
    std::fs::rename(&new, place.file()).unwrap();
    let cause = ("cause", "file changed");
    server.wait_for_log("configuration reloaded", &[("recorders", "1"), cause]);
    server.allow("changed settings need a restart");
    // Where it listens is said by a flag, which is stronger.
    let said = [("settings", "max-players")];
    server.wait_for_log("changed settings need a restart", &said);
    server.stop();
}

#[test]
fn a_bad_file_changes_nothing_and_each_problem_is_logged() {
    let place = Place::new("");
    let mut server = place.server(&[]);
    let message = "configuration not reloaded: nothing has changed";
    server.allow(message);
    place.write("max-players = 0\nbogus = 1\n");
    let lines = server.wait_for_logs(message, &[("cause", "file changed")], 2);
    let problems: Vec<_> = lines.iter().map(|line| field(line, "problem")).collect();
    assert!(problems[0].contains("s.toml:1: max-players \"0\" is not valid"), "{problems:?}");
    assert!(problems[1].contains("s.toml:2: unknown key \"bogus\""), "{problems:?}");
    place.write("record-all = true\n");
    server.wait_for_log("configuration reloaded", &[("recorders", "1")]);
    server.stop();
}

/// Sends SIGHUP.
#[cfg(unix)]
fn hang_up(server: &Server) {
    let pid = server.pid().to_string();
    let sent = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()));
}

#[cfg(unix)]
#[test]
fn a_hangup_has_the_file_read_again() {
    let place = Place::new("");
    let mut server = place.server(&[]);
    for count in 1..=2 {
        hang_up(&server);
        let told = server.wait_for_logs("configuration reloaded", &[("cause", "SIGHUP")], count);
        assert_eq!(told.len(), count);
    }
    let again = server.logs().iter().filter(|l| l.message == "configuration reloaded").count();
    assert_eq!(again, 2);
    server.stop();
}

#[cfg(unix)]
#[test]
fn without_a_file_a_hangup_ends_the_server() {
    let mut server = Server::start(Path::new(BINARY));
    hang_up(&server);
    assert!(server.wait().success());
    server.wait_for_log("stopping; a second signal exits at once", &[("signal", "SIGHUP")]);
}

#[test]
fn check_config_tells_every_problem_for_people_and_for_programs() {
    let place = Place::new("listen = 1935\nbogus = 1\n");
    let dir = place.0.path();
    let output = run(&["check-config", "s.toml"], &[], dir);
    assert_eq!((code(&output), &*output.stderr), (Some(2), ""));
    let text = output.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("s.toml:1: listen"), "{lines:?}");
    assert!(lines[1].starts_with("s.toml:2: unknown key"), "{lines:?}");
    let output = run(&["check-config", "-json", "s.toml"], &[], dir);
    assert_eq!(code(&output), Some(2));
    let object: Value = serde_json::from_str(&output.text()).unwrap();
    assert_eq!(object["problems"][0]["line"], 1);
    assert_eq!(object["problems"][1]["key"], "bogus");
}

#[test]
fn check_config_tells_what_is_in_force_and_why() {
    let place = Place::new("record-all = true\nmax-players = 3\nmax-streams = 3\n");
    let dir = place.0.path();
    let env = [
        ("RTMP_SERVER_CONFIG", &*place.file()),
        ("RTMP_SERVER_MAX_PLAYERS", Path::new("4")),
        ("RTMP_SERVER_MAX_STREAMS", Path::new("4")),
    ];
    let args = ["check-config", "-json", "-streams", "a/b,c/d", "--", "-max-streams", "5"];
    let output = run(&args, &env, dir);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    let object: Value = serde_json::from_str(&output.text()).unwrap();
    let from = |name: &str| {
        let settings = object["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
        (setting["value"].clone(), setting["source"].clone())
    };
    assert_eq!(from("record-all"), ("true".into(), "file".into()));
    assert_eq!(from("max-players"), ("4".into(), "environment".into()));
    assert_eq!(from("max-streams"), ("5".into(), "flag".into()));
    assert_eq!(from("listen"), (":1935".into(), "default".into()));
    assert_eq!(object["recorders"][0]["name"], "all");
    assert_eq!(object["streams"][1]["stream"], "c/d");
    assert_eq!(object["streams"][1]["recorders"][0]["records"], true);
    let output = run(&["check-config", "s.toml", "-streams", "a/b"], &[], dir);
    assert_eq!(code(&output), Some(0));
    assert!(output.text().starts_with("s.toml: all right\n\nrecorders\n"), "{}", output.text());
    assert!(output.text().contains("\na/b\n  recorder  records  why\n  all       yes\n"));
}

#[test]
fn the_sample_is_printed_and_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(&["sample-config"], &[], dir.path());
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    assert!(output.text().contains("\n#[[recorder]]\n"));
    std::fs::write(dir.path().join("s.toml"), output.text()).unwrap();
    let output = run(&["check-config", "s.toml"], &[], dir.path());
    assert_eq!(code(&output), Some(0));
    assert_eq!(output.text(), "s.toml: all right\n\nrecorders: none\n\nsettings: none\n");
}

/// What stands between ```LANGUAGE and ``` in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join(page)).unwrap();
    let begin = format!("\n```{language}\n");
    let blocks = text.split(&begin).skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_recipes_of_the_guide_are_right() {
    let recipes = blocks("docs/guide/configuration.md", "toml");
    assert!(recipes.len() >= 4);
    for recipe in &recipes {
        let place = Place::new(recipe);
        let output = run(&["check-config", "s.toml"], &[], place.0.path());
        assert_eq!(code(&output), Some(0), "{recipe}\n{}", output.text());
    }
    // The commands that go with the first of them.
    let place = Place::new(&recipes[0]);
    std::fs::rename(place.file(), place.0.path().join("rtmp-server.toml")).unwrap();
    let commands = blocks("docs/guide/configuration.md", "sh").join("\n");
    let checks = commands.lines().filter(|line| line.starts_with("rtmp-server check-config"));
    let mut outputs = Vec::new();
    for command in checks {
        let command = command.split(" #").next().unwrap_or_default();
        let args: Vec<_> = command.split_whitespace().skip(1).collect();
        let output = run(&args, &[], place.0.path());
        assert_eq!(code(&output), Some(0), "{command}\n{}", output.stderr);
        outputs.push(output.text());
    }
    let [_, streams, _] = &*outputs else { panic!("{outputs:?}") };
    assert_eq!(streams.matches("  yes").count(), 2, "{streams}");
    assert_eq!(streams.matches("it excludes live/cam-test").count(), 1, "{streams}");
}
