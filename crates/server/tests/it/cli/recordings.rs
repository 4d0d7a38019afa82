//! `rtmp-server recordings`

mod directory;
mod export;
mod misuse;

use std::path::PathBuf;

use serde_json::Value;
use testkit::server::{Builder, Server};
use testkit::tools::{self, Output};
use testkit::{Publisher, block_on};

use super::{TIMEOUT, code, command, error_line};
use crate::record::{packets, publish, small, wait_until};
use crate::support::BINARY;

/// A server with the API, not started yet.
fn builder() -> Builder {
    Server::builder(BINARY).http()
}

/// Asks `recordings` at this server.
fn ask(server: &Server, args: &[&str]) -> Output {
    let mut command = command(["recordings"].iter().chain(args));
    command.env("RTMP_SERVER_URL", format!("http://{}", server.http_addr()));
    tools::run(&mut command, TIMEOUT)
}

/// What it prints when it works, and says nothing else.
fn text(server: &Server, args: &[&str]) -> String {
    let output = ask(server, args);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""), "{args:?}");
    output.text()
}

fn json(server: &Server, args: &[&str]) -> Value {
    let args = [args, &["-json"]].concat();
    serde_json::from_str(&text(server, &args)).unwrap()
}

/// The recordings that a list has, by their ids.
fn ids(server: &Server, args: &[&str]) -> Vec<String> {
    let list = text(server, &[&["list", "-json"], args].concat());
    let recordings = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    recordings.map(|recording| recording["id"].as_str().unwrap().to_owned()).collect()
}

/// Waits until a recording is as it should be.
fn shown(server: &Server, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut recording = Value::Null;
    wait_until("the recording is so", || {
        recording = json(server, &["show", id]);
        is_so(&recording)
    });
    recording
}

/// A server with a finished recording of `live/test`, and its id.
fn with_recording() -> (Server, String) {
    let server = builder().args(["-record-all", "true", "-record-rejoin", "0"]).start();
    block_on(publish(&server, "live/test", &packets(1, small(), 300)));
    let mut id = String::new();
    wait_until("the recording is complete", || {
        let found = ids(&server, &["-state", "complete"]);
        id = found.first().cloned().unwrap_or_default();
        !id.is_empty()
    });
    (server, id)
}

#[test]
fn a_recording_is_started_by_hand_cut_stopped_and_found() {
    let mut server = builder().start();
    let args = [
        "start",
        "live/show",
        "-name",
        "first night",
        "-label",
        "event=concert",
        "-label",
        "hall=3",
        "-max-length",
        "2h",
        "-request-key",
        "night-1",
        "-tracks",
        "all",
    ];
    let asked = json(&server, &args);
    let id = asked["id"].as_str().unwrap();
    assert_eq!(asked["state"], "waiting");
    assert_eq!(asked["max_length_ms"], 7_200_000);
    let again = format!("recording {id} of live/show was asked for before\n");
    assert_eq!(text(&server, &args), again);
    assert_eq!(ids(&server, &["-state", "waiting"]), [id]);
    assert_eq!(ids(&server, &["-label", "event=concert", "-text", "NIGHT"]), [id]);

    let sent = packets(1, small(), 300);
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/show")).await.unwrap();
        publisher.send_all(&sent[..200]).await.unwrap();
        // Before there is a file there is none to be split.
        shown(&server, id, |recording| recording["files"][0]["state"] == "open");
        let begun = json(&server, &["start", "live/show", "-wait", "begun"]);
        assert_eq!((&begun["state"], &begun["stream"]), (&"recording".into(), &"live/show".into()));
        let split = text(&server, &["split", id.get(..8).unwrap()]);
        assert_eq!(
            split,
            format!("recording {id} of live/show begins another file at its next key frame\n")
        );
        publisher.send_all(&sent[200..]).await.unwrap();
        shown(&server, id, |recording| recording["files"][1] != Value::Null);
        publisher.close().await.unwrap();
    });

    let stopped = text(&server, &["stop", id]);
    assert!(
        stopped.starts_with(&format!("recording {id} of live/show is complete: ")),
        "{stopped}"
    );
    assert!(stopped.ends_with(" in 2 files\n"), "{stopped}");
    let one = text(&server, &["show", id]);
    for line in [
        "  state        complete, stopped\n",
        "  name         first night\n",
        "  label        event=concert\n",
        "  request key  night-1\n",
        "  gaps         0\n",
        "  1  finished  ",
        "300 received, 300 written, 0 dropped, 0 late",
    ] {
        assert!(one.contains(line), "{line:?} in {one}");
    }
    let table =
        text(&server, &["list", "-stream", "live/*", "-from", "-1h", "-to", "23:59:59.999"]);
    let mut lines = table.lines();
    let heads: Vec<_> = lines.next().unwrap().split_whitespace().take(6).collect();
    assert_eq!(heads, ["ID", "STATE", "STREAM", "RECORDER", "FORMAT", "START"]);
    assert!(table.contains("  api       flv     20"), "{table}");
    assert!(table.contains("  event=concert hall=3\n"), "{table}");
    assert_eq!(
        text(&server, &["list", "-from", "2020-01-01", "-to", "2020-01-02"]),
        "no recordings\n"
    );
    server.stop();
}

#[test]
fn a_recording_that_waits_is_taken_back() {
    let mut server = builder().start();
    let asked = json(&server, &["start", "live/never"]);
    let id = asked["id"].as_str().unwrap();
    let stopped = text(&server, &["stop", "-stream", "live/never"]);
    assert_eq!(
        stopped,
        format!("recording {id} of live/never is taken back: its stream never came\n")
    );
    assert!(ids(&server, &[]).is_empty());
    server.stop();
}

#[test]
fn what_was_started_just_now_is_the_newest_of_its_stream() {
    let (mut server, _) = with_recording();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&packets(2, small(), 60)).await.unwrap();
        // Again and again, so that the catalog is behind at times.
        for _ in 0..5 {
            let id = json(&server, &["start", "live/test"])["id"].as_str().unwrap().to_owned();
            let stopped = json(&server, &["stop", "-stream", "live/test"]);
            assert_eq!(stopped["id"], id.as_str(), "{stopped}");
        }
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn a_stop_by_the_stream_takes_the_newest_that_runs() {
    let mut server = builder().start();
    block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/two")).await.unwrap();
        publisher.send_all(&packets(2, small(), 60)).await.unwrap();
        let begin = || {
            let begun = json(&server, &["start", "live/two", "-wait", "begun"]);
            begun["id"].as_str().unwrap().to_owned()
        };
        let (a, b) = (begin(), begin());
        for (id, wait) in [(b, "10s"), (a, "0")] {
            let args = ["recordings", "stop", "-stream", "live/two", "-wait", wait, "-json"];
            let output = ask(&server, &args[1..]);
            let stopped: Value = serde_json::from_str(&output.text()).unwrap();
            assert_eq!(stopped["id"], id.as_str(), "{stopped}");
        }
        let mut line = String::new();
        wait_until("none runs", || {
            let output = ask(&server, &["stop", "-stream", "live/two"]);
            let is_none = code(&output) == Some(1);
            line = output.stderr;
            is_none
        });
        assert!(line.contains("there runs no recording of live/two"), "{line}");
        publisher.close().await.unwrap();
    });
    server.stop();
}

#[test]
fn last_is_one_that_has_begun() {
    let (mut server, id) = with_recording();
    json(&server, &["start", "live/never"]);
    assert_eq!(json(&server, &["show", "last"])["id"], id.as_str());
    let line = error_line(&ask(&server, &["show", "-stream", "live/never"]), 1);
    assert_eq!(line, "there is no recording of live/never");
    server.stop();
}

#[test]
fn a_recording_is_held_labelled_deleted_and_restored() {
    let (mut server, id) = with_recording();
    let name = format!("recording {id} of live/test");
    assert_eq!(text(&server, &["hold", "last"]), format!("{name} is held: nothing deletes it\n"));
    let held = server.recordings()[0].with_extension("flv.hold");
    assert!(held.exists());
    let line = error_line(&ask(&server, &["delete", &id]), 1);
    assert!(line.starts_with("recording-held: "), "{line}");
    assert_eq!(text(&server, &["release", &id]), format!("{name} is released\n"));
    assert!(!held.exists());
    let labelled = text(&server, &["label", &id, "event=concert", "draft=1"]);
    assert_eq!(labelled, format!("{name}: draft=1 event=concert\n"));
    let labelled = text(&server, &["label", &id, "-remove", "draft"]);
    assert_eq!(labelled, format!("{name}: event=concert\n"));

    let deleted = text(&server, &["delete", &id]);
    assert!(deleted.starts_with(&format!("{name} is in the bin until 20")), "{deleted}");
    let restore = format!("`rtmp-server recordings restore {id}` brings it back\n");
    assert!(deleted.ends_with(&restore), "{deleted}");
    assert!(server.recordings().is_empty());
    assert_eq!(
        (ids(&server, &[]), ids(&server, &["-state", "binned"])),
        (vec![], vec![id.clone()])
    );
    let back = text(&server, &["restore", &id]);
    assert!(back.starts_with(&format!("{name} is back: ")), "{back}");
    assert_eq!(server.recordings().len(), 1);
    let gone = text(&server, &["delete", &id, "-at-once"]);
    assert_eq!(gone, format!("{name} is deleted for good\n"));
    assert!(server.recordings().is_empty());
    let line = error_line(&ask(&server, &["restore", &id]), 1);
    assert!(line.starts_with("not-in-bin: "), "{line}");
    server.stop();
}

#[test]
fn the_files_of_a_recording_are_proven_and_mended_where_the_server_is() {
    let (mut server, id) = with_recording();
    // Its paths are as it was told them: whole ones here.
    let proven = text(&server, &["verify", "-stream", "live/test"]);
    assert!(proven.contains("proven whole: 1 recording\n"), "{proven}");
    let sound = text(&server, &["repair", &id]);
    assert!(sound.ends_with(": nothing to repair\n"), "{sound}");
    std::fs::remove_file(file(&server)).unwrap();
    let gone = error_line(&ask(&server, &["delete", &id, "-at-once"]), 1);
    let why = "nothing was deleted, for 1 file of it cannot be found: ";
    assert!(gone.starts_with(&format!("recording {id} of live/test: {why}")), "{gone}");
    let gone = ask(&server, &["delete", &id, "-json"]);
    assert_eq!((code(&gone), gone.text().starts_with('{')), (Some(1), true), "{}", gone.text());
    server.stop();
}

#[test]
fn a_list_goes_over_as_many_pages_as_it_has_to() {
    let mut server = builder().start();
    for i in 0..7 {
        json(&server, &["start", &format!("live/{i}")]);
    }
    block_on(async {
        for i in 0..7 {
            publish(&server, &format!("live/{i}"), &packets(i, small(), 60)).await;
        }
    });
    wait_until("all are complete", || ids(&server, &["-state", "complete"]).len() == 7);
    assert_eq!(
        ids(&server, &["-limit", "3", "-order", "oldest"]),
        ids(&server, &["-order", "oldest"])[..3]
    );
    let output = ask(&server, &["list", "-limit", "3"]);
    assert_eq!(output.text().lines().count(), 4);
    assert_eq!(output.stderr, "there are more: -limit N lists so many, -all lists all\n");
    assert_eq!(ids(&server, &["-all"]).len(), 7);
    server.stop();
}

/// The only recording's file.
fn file(server: &Server) -> PathBuf {
    let [file] = &server.recordings()[..] else { panic!("one file") };
    file.clone()
}
