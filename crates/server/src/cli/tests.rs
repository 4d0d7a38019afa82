use std::path::Path;

use super::*;

fn run(args: &[&str]) -> Result<Cli, Stop> {
    parse(std::iter::once("rtmp-server").chain(args.iter().copied()).map(OsString::from))
}

fn config(args: &[&str]) -> Config {
    run(args).unwrap_or_else(|stop| panic!("{args:?}: {stop:?}")).config
}

/// The line for arguments that are wrong.
fn wrong(args: &[&str]) -> String {
    match run(args) {
        Err(Stop::Wrong(line)) => {
            assert_eq!(line.lines().count(), 1, "{args:?}: {line:?}");
            assert!(!line.contains("--"), "flags are shown with one dash: {line}");
            line
        }
        other => panic!("{args:?} should be wrong: {other:?}"),
    }
}

fn text(args: &[&str]) -> String {
    match run(args) {
        Err(Stop::Text(text)) => text,
        other => panic!("{args:?} should print a text: {other:?}"),
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = config(&[]);
    assert_eq!(config.listen.to_string(), ":1935");
    assert!(!config.record_all);
    assert_eq!(config.record_dir, Path::new("recordings"));
    assert_eq!(config.log_level, crate::LogLevel::Info);
    assert_eq!(config, Config::default());
}

#[test]
fn every_form_of_a_boolean_means_the_same() {
    let forms: [&[&str]; 6] = [
        &["-record-all", "true"],
        &["-record-all=true"],
        &["--record-all", "true"],
        &["--record-all=true"],
        &["--record-all"],
        &["-record-all"],
    ];
    for form in forms {
        assert!(config(form).record_all, "{form:?}");
    }
    for form in [&["-record-all", "false"][..], &["--record-all=false"]] {
        assert!(!config(form).record_all, "{form:?}");
    }
}

#[test]
fn flags_after_a_boolean_are_read() {
    for boolean in [&["-record-all"][..], &["-record-all", "true"], &["--record-all=true"]] {
        let args = [boolean, &["-record-dir", "a b", "--log-level=debug"]].concat();
        let config = config(&args);
        assert!(config.record_all);
        assert_eq!(config.record_dir, Path::new("a b"));
        assert_eq!(config.log_level, crate::LogLevel::Debug);
    }
}

#[test]
fn the_last_of_a_repeated_flag_counts() {
    let config = config(&["-record-all", "-record-all", "false", "-listen", ":1", "-listen=:2"]);
    assert!(!config.record_all);
    assert_eq!(config.listen.to_string(), ":2");
}

#[test]
fn paths_of_every_kind_are_taken_as_they_are() {
    for path in ["recordings", "./a/../b", "/var/rec", r"C:\Aufnahmen\live", "ünï-cödé", "-dashed"]
    {
        assert_eq!(config(&[&format!("-record-dir={path}")]).record_dir, Path::new(path));
    }
}

#[cfg(unix)]
#[test]
fn a_path_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt as _;
    let arg = OsString::from_vec(b"-record-dir=/rec/\xff".to_vec());
    let cli = parse(["rtmp-server".into(), arg]).unwrap();
    assert_eq!(cli.config.record_dir.as_os_str(), &*OsString::from_vec(b"/rec/\xff".to_vec()));
}

#[test]
fn an_unknown_flag_names_the_nearest_one() {
    let near = |args: &[&str], typed: &str, meant: &str| {
        let line = wrong(args);
        assert_eq!(line, format!("unknown flag {typed}: did you mean {meant}?"));
    };
    near(&["-recordall"], "-recordall", "-record-all");
    near(&["--record-al", "true"], "-record-al", "-record-all");
    near(&["-listn=:1935"], "-listn", "-listen");
    near(&["-log_level", "info"], "-log_level", "-log-level");
    near(&["-record-all", "-record-dri", "x"], "-record-dri", "-record-dir");
    near(&["publish", "-lop", "demo", "rtmp://h/a/b"], "-lop", "-loop");
}

#[test]
fn a_flag_like_no_other_points_to_the_help() {
    for arg in ["-x", "-bogus", "--bogus=1", "-p1935"] {
        let line = wrong(&[arg]);
        assert!(line.starts_with("unknown flag -"), "{line}");
        assert!(line.ends_with("-help lists all flags"), "{line}");
    }
}

#[test]
fn a_line_stays_one_line_whatever_was_typed() {
    for arg in ["-a\nb", "-a\u{1b}[2J", "\n", "-listen=\n", "-record-all=\n", "pub\nlish"] {
        let line = wrong(&[arg]);
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    wrong(&["publish", "demo", "rtmp://\n"]);
    wrong(&["publish", "-speed", "\n", "demo", "rtmp://h/a/b"]);
}

#[test]
fn a_bad_value_says_what_was_expected() {
    let lines: [(&[&str], &str); 8] = [
        (&["-record-all=maybe"], "-record-all \"maybe\" is not valid: expected true or false"),
        (&["-record-all", "maybe"], "-record-all \"maybe\" is not valid: expected true or false"),
        (
            &["-log-level", "trace"],
            "-log-level \"trace\" is not valid: expected debug, info, warn or error",
        ),
        (&["-listen"], "-listen needs a value; -help lists all flags"),
        (&["-record-dir"], "-record-dir needs a value; -help lists all flags"),
        (
            &["-listen", "1935"],
            "-listen \"1935\" is not valid: expected HOST:PORT, for example :1935, \
             localhost:1935 or [::]:1935",
        ),
        (
            &["publish", "-loop=0", "demo", "rtmp://h/a/b"],
            "-loop \"0\" is not valid: expected a whole number from 1 to 1000000, or nothing",
        ),
        (
            &["pull", "-duration", "5", "rtmp://h/a/b", "x.flv"],
            "-duration \"5\" is not valid: expected a time such as 500ms, 30s or 5m",
        ),
    ];
    for (args, line) in lines {
        assert_eq!(wrong(args), line);
    }
}

#[test]
fn a_wrong_address_of_a_stream_is_not_repeated_since_it_may_hold_a_token() {
    for url in ["http://h/live/test?token=secret", "rtmp://secret@h", "rtmps://h/a/secret"] {
        for args in [&["publish", "demo", url][..], &["pull", url, "x.flv"]] {
            let line = wrong(args);
            assert!(line.starts_with("the URL is not valid: "), "{line}");
            assert!(!line.contains("secret"), "{line}");
        }
    }
}

#[test]
fn commands_say_what_is_missing_or_too_much() {
    assert_eq!(wrong(&["publish"]), "SOURCE and URL missing; add -help to see what goes where");
    assert!(wrong(&["pull", "rtmp://h/a/b"]).starts_with("FILE missing"));
    assert!(wrong(&["probe"]).starts_with("FILE missing"));
    assert_eq!(
        wrong(&["publish", "demo", "rtmp://h/a/b", "extra"]),
        "unexpected argument \"extra\"; -help lists all flags"
    );
    assert_eq!(wrong(&["pubish", "demo"]), "unknown command \"pubish\": did you mean publish?");
    assert_eq!(wrong(&["frobnicate"]), "unknown command \"frobnicate\"; -help lists all flags");
    assert_eq!(
        wrong(&["-record-all", "true", "publish", "demo", "rtmp://h/a/b"]),
        "flags of the server cannot stand before publish"
    );
}

#[test]
fn help_and_version_are_reached_in_every_usual_way() {
    for args in [&["-help"][..], &["--help"], &["help"]] {
        let help = text(args);
        for word in ["--listen", "--record-all", "--record-dir", "--log-level", "publish", "probe"]
        {
            assert!(help.contains(word), "{args:?} lacks {word}");
        }
        assert!(help.contains("one dash or two: -record-all true"), "{help}");
    }
    assert!(text(&["-h"]).contains("--record-all"));
    let version = concat!("rtmp-server ", env!("CARGO_PKG_VERSION"), "\n");
    for arg in ["-version", "--version", "-V"] {
        assert_eq!(text(&[arg]), version);
    }
    for command in ["publish", "pull", "probe"] {
        let forms = [["help", command], [command, "-help"], [command, "--help"], [command, "-h"]];
        for args in forms {
            let help = text(&args);
            assert!(help.contains(&format!("Usage: rtmp-server {command} ")), "{help}");
            assert!(help.contains("Examples:"), "{args:?}");
            assert!(help.contains("Exit code: 0 when"), "{args:?}");
        }
    }
}

#[test]
fn a_number_after_loop_is_optional() {
    let repeats = |args: &[&str]| match run(args).unwrap().command {
        Some(Command::Publish(publish)) => format!("{publish:?}"),
        other => panic!("{other:?}"),
    };
    let url = "rtmp://h/a/b";
    for (args, repeat) in [
        (&["publish", "demo", url][..], "Times(Some(1))"),
        (&["publish", "-loop", "demo", url], "Times(None)"),
        (&["publish", "demo", url, "--loop"], "Times(None)"),
        (&["publish", "--loop", "3", "demo", url], "Times(Some(3))"),
        (&["publish", "-loop=3", "demo", url], "Times(Some(3))"),
        (&["publish", "-loop", "-speed", "max", "demo", url], "Times(None)"),
    ] {
        assert!(repeats(args).contains(&format!("repeat: {repeat}")), "{args:?}");
    }
}

#[test]
fn after_two_dashes_nothing_is_a_flag() {
    let cli = run(&["probe", "-json", "--", "-x.flv", "-loop"]).unwrap();
    let Some(Command::Probe(probe)) = cli.command else { panic!("not probe") };
    let shown = format!("{probe:?}");
    assert!(shown.contains(r#"files: ["-x.flv", "-loop"], json: true"#), "{shown}");
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}
