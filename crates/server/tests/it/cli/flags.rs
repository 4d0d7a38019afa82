//! Flags and exit codes.

use std::net::TcpListener;

use testkit::{Server, block_on};

use super::{code, error_line, run};
use crate::record::{assert_finished, closed, packets, publish, small, tree};
use crate::support::BINARY;

#[test]
fn every_spelling_of_a_boolean_lets_the_flags_after_it_count() {
    let spellings: [&[&str]; 5] = [
        &["-record-all", "true"],
        &["-record-all=true"],
        &["--record-all", "true"],
        &["--record-all=true"],
        &["--record-all"],
    ];
    for spelling in spellings {
        let more = ["-record-dir", "other", "--log-level=debug"];
        let mut server = Server::builder(BINARY).args(spelling).args(more).start();
        let said = server.wait_for_log("recording every stream", &[]);
        assert_eq!(said.field("record_dir").as_deref(), Some("./other"), "{spelling:?}");
        let sent = packets(1, small(), 40);
        block_on(publish(&server, "live/test", &sent));
        let line = closed(&server, "live/test");
        let file = server.dir().join(line.field("file").unwrap());
        assert_eq!(file.parent(), Some(&*server.dir().join("other")), "{spelling:?}");
        server.wait_for_log("Media packet", &[]);
        server.stop();
        assert_finished(&file, &sent);
    }
}

#[test]
fn a_wrong_command_line_starts_nothing_and_says_why_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("recordings");
    let lines: [(&[&str], &str); 7] = [
        (&["-recordall", "true"], "unknown flag -recordall: did you mean -record-all?"),
        (&["--log-levle=info"], "unknown flag -log-levle: did you mean -log-level?"),
        (&["-record-all", "maybe"], "-record-all \"maybe\" is not valid: expected true or false"),
        (
            &["-log-level", "loud"],
            "-log-level \"loud\" is not valid: expected debug, info, warn or error",
        ),
        (
            &["-listen", "1935"],
            "-listen \"1935\" is not valid: expected HOST:PORT, for example :1935, localhost:1935 \
             or [::]:1935",
        ),
        (
            &["-listen", "localhost:99999"],
            "-listen \"localhost:99999\" is not valid: the port is not 0 to 65535; expected \
             HOST:PORT, for example :1935, localhost:1935 or [::]:1935",
        ),
        (&["transcode"], "unknown command \"transcode\"; -help lists all flags"),
    ];
    for (args, line) in lines {
        let all = ["-record-all=true", &format!("-record-dir={}", place.display())];
        // A word is a command, which takes no flag before it.
        let before = if args[0].starts_with('-') { &all[..] } else { &[] };
        let output = run(before.iter().chain(args));
        assert_eq!(error_line(&output, 2), line, "{args:?}");
    }
    assert!(tree(dir.path()).is_empty());
}

#[test]
fn a_port_that_is_taken_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = error_line(&run(["-listen", &address]), 1);
    assert!(line.starts_with(&format!("cannot listen on {address}: address in use")), "{line}");
    assert!(line.contains("-listen"), "{line}");
}

#[test]
fn an_address_that_this_machine_does_not_have_is_told_in_one_line() {
    // Of a network that is kept for documentation.
    let line = error_line(&run(["-listen", "203.0.113.1:1935"]), 1);
    assert!(line.starts_with("cannot listen on 203.0.113.1:1935: "), "{line}");
}

#[test]
fn help_and_version_are_printed_on_standard_output() {
    for args in [&["-h"][..], &["-help"], &["--help"], &["help"]] {
        let output = run(args);
        assert_eq!((code(&output), &*output.stderr), (Some(0), ""), "{args:?}");
        for flag in ["listen", "record-all", "record-dir", "log-level"] {
            assert!(output.text().contains(&format!("-{flag}")), "{args:?} {flag}");
        }
    }
    for arg in ["-version", "--version"] {
        let output = run([arg]);
        let version = concat!("rtmp-server ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!((code(&output), &*output.stderr), (Some(0), ""), "{arg}");
        assert_eq!(output.text(), version);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_printed_is_an_error() {
    for arg in ["-h", "-version"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = std::process::Command::new(BINARY).arg(arg).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arg}");
        assert!(said.starts_with("rtmp-server: cannot print to standard output: "), "{said}");
    }
}
