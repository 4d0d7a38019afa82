//! What cannot be done, and what is said of it.

use std::fs;
use std::process::Stdio;

use testkit::tools;

use super::{ask, builder, ids, json, text, with_recording};
use crate::cli::{TIMEOUT, code, command, error_line, run};
use crate::support::nobody;

const NONE: &str = "0123456789abcdef";
const TOKEN: &str = "a-token-of-32-characters-or-more";

#[test]
fn a_server_that_is_not_there_is_named_with_the_flags_to_change() {
    let (_unused, unused) = nobody();
    let server = format!("http://{unused}");
    for args in [&["list"][..], &["show", NONE], &["start", "live/test"], &["delete", NONE]] {
        let args = [&["recordings"], args, &["-server", &server]].concat();
        let line = error_line(&run(&args), 1);
        assert!(line.starts_with(&format!("cannot reach the server at {server}: ")), "{line}");
        for word in ["connection refused", "8081", "-server URL", "RTMP_SERVER_URL", "-record-dir"]
        {
            assert!(line.contains(word), "{word} in {line}");
        }
    }
    let line = error_line(&run(["status", "-server", &server]), 1);
    assert!(line.starts_with("cannot reach the server at "), "{line}");
}

#[test]
fn an_address_that_makes_no_sense_is_a_wrong_command_line() {
    let line = error_line(&run(["recordings", "list", "-server", "https://example.com"]), 2);
    assert!(line.starts_with("-server is not valid: https is not spoken here"), "{line}");
    let args = ["recordings", "list", "-server", "http://me:geheim@example.com"];
    let line = error_line(&run(args), 2);
    assert!(line.contains("-token-file") && !line.contains("geheim"), "{line}");
    let line = error_line(&run(["recordings", "list", "-token", "ge heim"]), 2);
    assert!(line.starts_with("-token is not valid: ") && !line.contains("heim"), "{line}");
    let mut list = command(["recordings", "list"]);
    let line = error_line(&tools::run(list.env("RTMP_SERVER_URL", "https://x"), TIMEOUT), 1);
    assert!(line.starts_with("RTMP_SERVER_URL is not valid: https is not spoken here"), "{line}");
}

#[test]
fn a_token_is_given_by_a_flag_a_file_or_the_environment_and_never_shown() {
    let mut server = builder().args(["-api-token", TOKEN]).start();
    let line = error_line(&ask(&server, &["list"]), 1);
    assert!(line.starts_with("unauthorized: ") && line.contains("RTMP_SERVER_API_TOKEN"), "{line}");
    let line = error_line(&ask(&server, &["list", "-token", "not-this-one"]), 1);
    assert!(line.starts_with("unauthorized: ") && !line.contains("not-this-one"), "{line}");
    assert_eq!(text(&server, &["list", "-token", TOKEN]), "no recordings\n");
    let file = server.dir().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(text(&server, &["list", "-token-file", file]), "no recordings\n");
    for (name, value) in [("RTMP_SERVER_API_TOKEN", TOKEN), ("RTMP_SERVER_API_TOKEN_FILE", file)] {
        let mut list = command(["recordings", "list"]);
        list.env(name, value).env("RTMP_SERVER_URL", format!("http://{}", server.http_addr()));
        assert_eq!(tools::run(&mut list, TIMEOUT).success().text(), "no recordings\n", "{name}");
    }
    let line = error_line(&ask(&server, &["list", "-token-file", "/no/file"]), 1);
    assert_eq!(line, "-token-file /no/file: no such file or directory");
    server.stop();
}

#[test]
fn a_file_of_a_kind_that_is_not_made_is_refused_before_anything_is_asked() {
    for name in ["evening.mkv", "evening.ts"] {
        let args = ["recordings", "export", "last", "-server", "http://127.0.0.1:9", "-o", name];
        let line = error_line(&run(args), 2);
        assert!(line.ends_with(" is made: -output takes a NAME.flv or NAME.mp4"), "{line}");
    }
    // Who says what it is to be may call it anything.
    let args = ["recordings", "export", "last", "-server", "http://127.0.0.1:9"];
    let args = [&args[..], &["-o", "evening.mkv", "-format", "mp4"]].concat();
    assert!(error_line(&run(args), 1).starts_with("cannot reach the server"));
}

#[test]
fn a_recording_that_is_not_there_or_not_sure_is_no_recording() {
    let mut server = builder().start();
    for what in
        ["show", "stop", "split", "hold", "release", "delete", "restore", "verify", "repair"]
    {
        let line = error_line(&ask(&server, &[what, NONE]), 1);
        assert!(line.starts_with("unknown-recording: "), "{what}: {line}");
    }
    let line = error_line(&ask(&server, &["show", "0123"]), 1);
    assert!(line.ends_with(" knows no recording 0123…"), "{line}");
    assert_eq!(error_line(&ask(&server, &["show", "last"]), 1), "there is no recording");
    let line = error_line(&ask(&server, &["stop", "-stream", "live/test"]), 1);
    assert_eq!(line, "there runs no recording of live/test");
    let line = error_line(&ask(&server, &["hold", "-stream", "live/test"]), 1);
    assert_eq!(line, "there is no recording of live/test");
    // What deletes wants a whole id.
    for what in ["delete", "release", "restore", "repair"] {
        let line = error_line(&ask(&server, &[what, "0123"]), 2);
        assert!(line.contains("not a recording id of 16 hex digits"), "{line}");
        assert_eq!(code(&ask(&server, &[what, "last"])), Some(2));
    }
    // 17 recordings have two that begin with the same digit, but four are needed.
    let line = error_line(&ask(&server, &["show", "012"]), 2);
    assert!(line.contains("the first 4 or more of them"), "{line}");
    server.stop();
}

#[test]
fn a_key_that_is_used_again_and_a_recording_that_waits_are_told_with_their_codes() {
    let mut server = builder().start();
    json(&server, &["start", "live/a", "-request-key", "k"]);
    let line = error_line(&ask(&server, &["start", "live/b", "-request-key", "k"]), 1);
    assert!(line.starts_with("request-key-reused: "), "{line}");
    let [id] = &ids(&server, &[])[..] else { panic!("one") };
    let line = error_line(&ask(&server, &["hold", id]), 1);
    assert!(line.starts_with("recording-waiting: "), "{line}");
    let line = error_line(&ask(&server, &["start", "live/b", "-max-length", "soon"]), 2);
    assert!(line.starts_with("bad-value: "), "{line}");
    let line = error_line(&ask(&server, &["start", "live/b", "-label", "BIG=x"]), 2);
    assert!(line.contains("is no name of a label"), "{line}");
    let line = error_line(&ask(&server, &["list", "-from", "soon"]), 2);
    assert!(line.contains("expected a time such as 2026-11-29"), "{line}");
    let line = error_line(&ask(&server, &["list", "-state", "lost"]), 2);
    assert!(line.starts_with("bad-value: "), "{line}");
    server.stop();
}

#[test]
fn flags_that_do_not_go_together_are_a_wrong_command_line() {
    for args in [
        &["export", NONE, "-recorder", "all"][..],
        &["export", "last", "-from", "now", "-to", "yesterday"],
        &["export", NONE, "-stream", "live/test"],
        &["show", NONE, "-stream", "live/test"],
        &["list", "-all", "-limit", "3"],
    ] {
        let args = [&["recordings"], args, &["-server", "http://127.0.0.1:9"]].concat();
        error_line(&run(&args), 2);
    }
    let (mut server, _) = with_recording();
    server.stop();
    let dir = server.record_dir().to_str().unwrap();
    for args in [&["-state", "lost"][..], &["-stream", "["], &["-text", ""]] {
        let args = [&["recordings", "list", "-record-dir", dir], args].concat();
        error_line(&run(&args), 2);
    }
}

#[test]
fn what_no_directory_can_do_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    for args in [
        &["start", "live/test"][..],
        &["stop", NONE],
        &["split", NONE],
        &["delete", NONE],
        &["restore", NONE],
        &["label", NONE, "a=b"],
    ] {
        let args = [&["recordings"], args, &["-record-dir", dir]].concat();
        let line = error_line(&run(&args), 2);
        let start = format!("{} is done by the running server that records", args[1]);
        assert!(line.starts_with(&start), "{line}");
    }
    for what in ["show", "hold", "release", "verify", "repair", "export"] {
        let line = error_line(&run(["recordings", what, NONE, "-record-dir", dir]), 1);
        assert!(line.starts_with("there is no catalog in "), "{line}");
    }
    let args = ["recordings", "list", "-record-dir", dir, "-server", "localhost:1"];
    assert!(error_line(&run(args), 2).starts_with("-record-dir asks no server"));
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_holds_nothing() {
    let (mut server, id) = with_recording();
    server.stop();
    let dir = server.record_dir().to_str().unwrap();
    // Something is in the way that root cannot write over either.
    fs::create_dir(super::file(&server).with_extension("flv.hold")).unwrap();
    let held = run(["recordings", "release", &id, "-record-dir", dir]);
    let line = error_line(&held, 1);
    assert!(line.starts_with("cannot remove ") && line.contains(".flv.hold: "), "{line}");
}

#[test]
fn whoever_reads_no_more_ends_the_list() {
    let (mut server, _) = with_recording();
    let mut list = command(["recordings", "list", "-all"]);
    list.env("RTMP_SERVER_URL", format!("http://{}", server.http_addr()));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = list.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    server.stop();
}
