//! A record directory without a server.

use std::fs;

use serde_json::Value;
use testkit::Publisher;
use testkit::flv::Flv;

use super::{builder, error_line, file, with_recording};
use crate::cli::{code, run};
use crate::record::{packets, recorded, small, tree, wait_until};

fn text(args: &[&str]) -> String {
    let output = run(["recordings"].iter().chain(args));
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""), "{args:?}");
    output.text()
}

#[test]
fn a_directory_is_asked_without_a_server() {
    let (mut server, id) = with_recording();
    let of_server = super::json(&server, &["show", &id]);
    server.stop();
    let dir = server.record_dir().to_str().unwrap();
    let at = ["-record-dir", dir];
    let ask = |args: &[&str]| text(&[args, &at].concat());

    let listed: Value = serde_json::from_str(&ask(&["list", "-json"])).unwrap();
    assert_eq!(listed["id"], id.as_str());
    assert!(ask(&["list", "-stream", "live/*", "-state", "complete"]).contains(&id));
    assert_eq!(ask(&["list", "-held"]), "no recordings\n");
    // Made by one that no configuration needs to have any more, and by none that is a slip of the finger.
    assert!(ask(&["list", "-recorder", "all"]).contains(&id));
    let nope = error_line(&run([&["recordings", "list", "-recorder", "al"], &at[..]].concat()), 1);
    assert!(nope.contains("\"al\"") && nope.ends_with("all, api are or have"), "{nope}");
    // The same as the server says.
    let shown: Value = serde_json::from_str(&ask(&["show", &id[..6], "-json"])).unwrap();
    assert_eq!(shown, of_server);

    let hold = file(&server).with_extension("flv.hold");
    assert!(ask(&["hold", "last"]).ends_with(" is held: nothing deletes it\n"));
    assert!(hold.exists());
    ask(&["hold", "last"]);
    assert!(ask(&["release", &id]).ends_with(" is released\n"));
    assert!(!hold.exists());
    assert!(ask(&["verify", &id]).contains("proven whole: 1 recording\n"));
    assert!(ask(&["repair", &id, "-dry-run"]).ends_with(": nothing to repair\n"));

    let out = server.dir().join("out.flv");
    let told = ask(&["export", "-stream", "live/test", "-o", out.to_str().unwrap()]);
    assert!(told.starts_with(&format!("{}: ", out.display())), "{told}");
    assert_eq!(recorded(&out), recorded(&file(&server)));
}

#[test]
fn files_of_a_recorder_that_are_elsewhere_are_known_by_the_catalog() {
    let place = tempfile::tempdir().unwrap();
    let (config, elsewhere) = (place.path().join("s.toml"), place.path().join("cup"));
    let recorder = "[[recorder]]\nname = 'cup'\nstreams = ['live/*']\nformat = 'mp4'\n";
    fs::write(&config, format!("{recorder}dir = {elsewhere:?}\n")).unwrap();
    let args = ["-record-flush", "20ms", "-record-rejoin", "0", "-config"];
    let mut server = builder().args(args).arg(&config).start();
    let record_dir = server.record_dir().to_owned();
    let at = ["-record-dir", record_dir.to_str().unwrap()];
    let show = |more: &[&str]| run([&["recordings", "show", "last"], more, &at].concat());
    testkit::block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(&packets(1, small(), 300)).await.unwrap();
        // The file that grows is looked at, for the catalog knows nothing of it yet.
        wait_until("what the catalog knows has a file with something in it", || {
            let shown = serde_json::from_slice(&show(&["-json"]).stdout).unwrap_or(Value::Null);
            shown["length_ms"].as_u64() > Some(0) && shown["size_bytes"].as_u64() > Some(0)
        });
        let shown = show(&[]).success().text();
        assert!(shown.contains(" 0 dropped, 0 late, in finished files\n"), "{shown}");
        publisher.close().await.unwrap();
    });
    wait_until("it is complete", || super::ids(&server, &["-state", "complete"]).len() == 1);
    let known = "  hash       1 of 1 file as the catalog tells\n";
    let proven = super::text(&server, &["verify", "last"]);
    assert!(proven.contains(known), "{proven}");
    server.stop();
    let verify = |args: &[&str]| run(["verify"].iter().chain(args)).success().text();
    let elsewhere = elsewhere.to_str().unwrap();
    let alone = verify(&[elsewhere]);
    assert!(alone.contains("no catalog is above it; -record-dir PATH says"), "{alone}");
    let proven = verify(&[&at[..], &[elsewhere]].concat());
    assert!(proven.contains(known), "{proven}");
    assert!(text(&[&["verify", "last"], &at[..]].concat()).contains(known));
}

#[test]
fn an_export_from_a_directory_is_cut_and_never_overwrites() {
    let (mut server, id) = with_recording();
    server.stop();
    let dir = server.record_dir().to_str().unwrap();
    let out_dir = tempfile::tempdir().unwrap();
    let out = out_dir.path().to_str().unwrap();
    let export =
        |args: &[&str]| run(["recordings", "export", "-record-dir", dir].iter().chain(args));
    // Into a directory it goes under a name of its own.
    let output = export(&[&id, "-o", out, "-json"]).success();
    let report: Value = serde_json::from_str(&output.text()).unwrap();
    let made = report["file"].as_str().unwrap().to_owned();
    assert!(made.contains("/live_test_2") && made.ends_with(".flv"), "{made}");
    assert_eq!(report["size_bytes"], fs::metadata(&made).unwrap().len());
    assert_eq!(
        (&report["recordings"][0], &report["gaps_total"]),
        (&Value::from(id.as_str()), &0.into())
    );
    let line = error_line(&export(&[&id, "-o", out]), 1);
    assert!(
        line.ends_with("exists already; -overwrite puts the new file into its place"),
        "{line}"
    );
    let _ = export(&[&id, "-o", out, "-overwrite"]).success();
    assert_eq!(tree(out_dir.path()).len(), 1);
    // To standard output; what is told goes elsewhere.
    let output = export(&["last", "-o", "-"]).success();
    assert_eq!(output.stdout, fs::read(&made).unwrap());
    assert!(output.stderr.starts_with("exported: "), "{}", output.stderr);
    // A part of it.
    let start: jiff::Timestamp = report["start"].as_str().unwrap().parse().unwrap();
    let from = (start + jiff::Span::new().milliseconds(1_500)).to_string();
    let part = out_dir.path().join("part.flv");
    let args = [&id, "-from", &from, "-cut", "exact", "-o", part.to_str().unwrap()];
    let _ = export(&args).success();
    let (part, whole) =
        (Flv::read(&part).unwrap().media(), Flv::read(made.as_ref()).unwrap().media());
    assert!(!part.is_empty() && part.len() < whole.len(), "{} of {}", part.len(), whole.len());
    let nothing =
        export(&["-stream", "live/test", "-from", "2020-01-01", "-to", "2020-01-02", "-o", "-"]);
    assert_eq!(error_line(&nothing, 1), "nothing was recorded in that time");
}
