//! Exports through a server: what comes is kept only when it is whole.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread::{self, JoinHandle};

use serde_json::Value;
use testkit::tools::{self, Output};

use crate::cli::{TIMEOUT, code, command, demo_file, error_line, run};
use crate::record::{packets, publish, recorded, small, tree, wait_until};

/// A server that gives one answer, and tells what it was asked for.
struct Once {
    addr: SocketAddr,
    thread: JoinHandle<String>,
}

impl Once {
    fn new(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(socket);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).unwrap() > 0);
            }
            // A client may have seen enough.
            let _ = reader.get_mut().write_all(&answer);
            head
        });
        Self { addr, thread }
    }

    /// Runs an export, and returns what it printed and what the server was asked.
    fn export(self, args: &[&str]) -> (Output, String) {
        let server = format!("http://{}", self.addr);
        let all = ["recordings", "export", "-server", &server];
        let output = tools::run(&mut command(all.iter().chain(args)), TIMEOUT);
        (output, self.thread.join().unwrap())
    }
}

fn answer(head: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

const ID: &str = "8c1f4e2a90b7d635";

fn flv() -> Vec<u8> {
    fs::read(demo_file()).unwrap()
}

fn out(dir: &Path) -> String {
    dir.join("x.flv").to_str().unwrap().to_owned()
}

#[test]
fn a_file_comes_through_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let out = out(dir.path());
    let once = Once::new(answer("200 OK\r\nContent-Type: video/x-flv", flv().len(), &flv()));
    let args = [
        "-stream",
        "live/te st",
        "-from",
        "2026-11-29T20:00:00Z",
        "-to",
        "2026-11-29T21:00:00Z",
        "-recorder",
        "all",
        "-cut",
        "exact",
        "-o",
        &out,
        "-json",
    ];
    let (output, asked) = once.export(&args);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    assert_eq!(fs::read(&out).unwrap(), flv());
    let report: Value = serde_json::from_str(&output.text()).unwrap();
    assert_eq!((&report["file"], &report["size_bytes"]), (&out.into(), &flv().len().into()));
    let line = asked.lines().next().unwrap();
    assert!(
        line.starts_with("GET /api/v1/streams/live%2Fte%20st/media.flv?from=2026-11-"),
        "{line}"
    );
    assert!(line.ends_with("&cut=exact&recorder=all HTTP/1.1"), "{line}");
    assert_eq!(tree(dir.path()).len(), 1);
}

#[test]
fn half_a_file_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let half = &flv()[..flv().len() / 2];
    let once = Once::new(answer("200 OK", flv().len(), half));
    let (output, asked) = once.export(&[ID, "-o", &out(dir.path())]);
    let line = error_line(&output, 1);
    assert!(line.starts_with("the connection to http://127.0.0.1:"), "{line}");
    assert!(asked.starts_with(&format!("GET /api/v1/recordings/{ID}/media.flv?cut=keyframe HTTP")));
    assert!(tree(dir.path()).is_empty());
}

#[test]
fn a_refusal_is_one_line_and_makes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let problem =
        br#"{"code":"range-empty","detail":"nothing was recorded\u001b[2J","status":404}"#;
    let once = Once::new(answer("404 Not Found", problem.len(), problem));
    let (output, _) = once.export(&[ID, "-o", &out(dir.path())]);
    assert_eq!(error_line(&output, 1), "range-empty: nothing was recorded\\u{1b}[2J");
    let once = Once::new(answer("502 Bad Gateway", 3, b"no!"));
    let (output, _) = once.export(&[ID, "-o", &out(dir.path())]);
    let line = error_line(&output, 1);
    assert!(
        line.contains(" is no rtmp-server of this version: it answers 502 without a reason"),
        "{line}"
    );
    assert!(tree(dir.path()).is_empty());
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let export = |out: &Path| {
        let server = ["recordings", "export", "-server", "http://127.0.0.1:9", ID, "-o"];
        tools::run(command(server).arg(out), TIMEOUT)
    };
    let out = dir.path().join("none/x.flv");
    let line = error_line(&export(&out), 1);
    assert_eq!(line, format!("cannot write {}: no such file or directory", out.display()));
    let out = dir.path().join("x.flv");
    fs::write(&out, "theirs").unwrap();
    let line = error_line(&export(&out), 1);
    assert!(line.contains("exists already"), "{line}");
    assert_eq!(fs::read(&out).unwrap(), b"theirs");
}

#[test]
fn a_server_makes_the_same_file_as_its_directory() {
    let (mut server, id) = super::with_recording();
    let dir = tempfile::tempdir().unwrap();
    let (of_server, of_dir) = (dir.path().join("server.flv"), dir.path().join("dir.flv"));
    let told = super::text(&server, &["export", &id, "-o", of_server.to_str().unwrap()]);
    assert!(told.starts_with(&format!("{}: ", of_server.display())), "{told}");
    let mp4 = dir.path().join("server.mp4");
    let told = super::text(&server, &["export", &id, "-o", mp4.to_str().unwrap()]);
    assert!(told.contains(" to 20") && !told.contains(": 0 ms"), "{told}");
    let range = dir.path().join("range.flv");
    let args =
        ["export", "-stream", "live/test", "-to", "2100-01-01", "-o", range.to_str().unwrap()];
    super::text(&server, &args);
    // Of an exact cut the time is told that was asked for, not that of the key frame before it.
    let start = super::json(&server, &["show", &id])["start"].as_str().unwrap().to_owned();
    let start: jiff::Timestamp = start.parse().unwrap();
    let from = start + jiff::SignedDuration::from_millis(1_234);
    let (cut, cut_of_dir) = (dir.path().join("cut.mp4"), dir.path().join("cut-of-dir.mp4"));
    let asked = ["export", &id, "-cut", "exact", "-from", &from.to_string(), "-o"];
    let of = |told: &Value| told["start"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let told = super::json(&server, &[&asked[..], &[cut.to_str().unwrap()]].concat());
    assert_eq!(of(&told), from, "{told}");
    let nothing = ["export", "-stream", "live/test", "-to", "2020-01-01", "-o", "-"];
    let line = error_line(&super::ask(&server, &nothing), 1);
    assert!(line.starts_with("nothing-recorded: "), "{line}");
    server.stop();
    let at = server.record_dir().to_str().unwrap();
    let mut export = command(["recordings", "export", &id, "-record-dir", at, "-o"]);
    let _ = tools::run(export.arg(&of_dir), TIMEOUT).success();
    assert_eq!(fs::read(&of_server).unwrap(), fs::read(&of_dir).unwrap());
    assert_eq!(recorded(&range), recorded(&of_dir));
    let mp4_of_dir = dir.path().join("dir.bin");
    let mut export = command(["recordings", "export", &id, "-record-dir", at, "-format", "mp4"]);
    let _ = tools::run(export.arg("-o").arg(&mp4_of_dir), TIMEOUT).success();
    assert_eq!(fs::read(&mp4_of_dir).unwrap(), fs::read(&mp4).unwrap());
    assert_eq!(&fs::read(&mp4).unwrap()[4..8], b"ftyp");
    let mut export = command(["recordings"].iter().chain(&asked));
    let again = tools::run(export.arg(&cut_of_dir).args(["-record-dir", at, "-json"]), TIMEOUT);
    let again: Value = serde_json::from_str(&again.success().text()).unwrap();
    assert_eq!((of(&again), &again["length_ms"]), (from, &told["length_ms"]), "{again}");
    assert_eq!(fs::read(&cut_of_dir).unwrap(), fs::read(&cut).unwrap());
    assert_eq!(tree(dir.path()).len(), 7);
}

#[test]
fn what_several_recorders_made_is_not_mixed() {
    let mut server = super::builder().args(["-record-all", "true", "-record-rejoin", "0"]).start();
    super::json(&server, &["start", "live/two"]);
    testkit::block_on(publish(&server, "live/two", &packets(1, small(), 120)));
    wait_until("both are complete", || super::ids(&server, &["-state", "complete"]).len() == 2);
    let dir = tempfile::tempdir().unwrap();
    let out = out(dir.path());
    let export = |more: &[&str]| {
        let args = ["export", "-stream", "live/two", "-from", "-1h", "-o", &out, "-overwrite"];
        super::ask(&server, &[&args[..], more].concat())
    };
    assert!(error_line(&export(&[]), 1).starts_with("several-recorders: "));
    let other = "no recorder of the name \"none\" recorded it then: all, api did";
    let line = error_line(&export(&["-recorder", "none"]), 1);
    assert_eq!(line, format!("unknown-recorder: recorder: {other}"));
    let _ = export(&["-recorder", "api"]).success();
    let at = ["-record-dir", server.record_dir().to_str().unwrap()];
    let args = ["recordings", "export", "-stream", "live/two", "-from", "-1h", "-o", &out];
    let line = error_line(&run(args.iter().chain(&at)), 1);
    assert_eq!(line, format!("{out} exists already; -overwrite puts the new file into its place"));
    let line = error_line(&run(args.iter().chain(&at).chain(&["-overwrite"])), 1);
    assert_eq!(line, "all, api recorded it then: -recorder says whose is meant");
    let none = args.iter().chain(&at).chain(&["-overwrite", "-recorder", "none"]);
    assert_eq!(error_line(&run(none), 1), other);
    let all = run(args.iter().chain(&at).chain(&["-overwrite", "-recorder", "all"]));
    assert_eq!(code(&all), Some(0), "{}", all.stderr);
    server.stop();
}
