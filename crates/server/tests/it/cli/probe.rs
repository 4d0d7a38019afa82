//! `rtmp-server probe`

use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::tools::Output;

use super::{code, error_line, run};
use testkit::block_on;

use crate::record::{closed, file_of, packets, publish, record, small};
use crate::support::recording;

fn probe(args: &[&str], file: &Path) -> Output {
    run(["probe"].iter().chain(args).copied().chain([file.to_str().unwrap()]))
}

fn json(output: &Output) -> Value {
    assert_eq!(output.text().lines().count(), 1, "one line a file");
    serde_json::from_str(&output.text()).unwrap()
}

/// What is done to a file.
type Damage = fn(&mut Vec<u8>);

/// A copy of a recording in which something is changed.
fn damaged(file: &Path, dir: &Path, damage: Damage) -> PathBuf {
    let mut bytes = std::fs::read(file).unwrap();
    damage(&mut bytes);
    let copy = dir.join("damaged.flv");
    std::fs::write(&copy, bytes).unwrap();
    copy
}

#[test]
fn a_recording_is_described_and_sound() {
    let sent = packets(1, small(), 300);
    let (_server, file) = record(&sent);
    let output = probe(&[], &file);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    let text = output.text();
    for part in [file.to_str().unwrap(), "H.264", "1280x720", "AAC", "48 kHz", "key frames"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for flag in ["-json", "--json"] {
        let output = probe(&[flag], &file);
        assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
        let report = json(&output);
        assert_eq!(report["clean"], true);
        assert_eq!(report["fault_count"], 0);
        assert_eq!(report["index"]["state"], "right");
        assert_eq!(report["size_bytes"], std::fs::metadata(&file).unwrap().len());
        assert_eq!(report["tags"], sent.len());
        assert_eq!(report["metadata"]["streamKey"], "live/test");
        let frames = |kind: &str| {
            let tracks = report["tracks"].as_array().unwrap();
            tracks.iter().find(|track| track["kind"] == kind).unwrap()["frames"].clone()
        };
        let sent = |kind: media::Kind| {
            sent.iter().filter(|packet| packet.kind == kind && packet.is_media()).count()
        };
        assert_eq!(frames("video"), sent(media::Kind::Video));
        assert_eq!(frames("audio"), sent(media::Kind::Audio));
    }
}

#[test]
fn a_damaged_file_is_told_by_the_exit_code_and_in_words() {
    let (_server, file) = record(&packets(1, small(), 100));
    let dir = tempfile::tempdir().unwrap();
    let damages: [(&str, Damage); 4] = [
        ("PreviousTagSize", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("cut off", |bytes| bytes.truncate(bytes.len() - 100)),
        ("no tag", |bytes| bytes.extend([0xff; 40])),
        ("no FLV signature", |bytes| bytes[0] = b'X'),
    ];
    for (word, damage) in damages {
        let copy = damaged(&file, dir.path(), damage);
        let output = probe(&[], &copy);
        assert_eq!(code(&output), Some(1), "{word}");
        assert!(output.text().contains(word), "{word}: {}", output.text());
        let output = probe(&["--json"], &copy);
        assert_eq!(code(&output), Some(1), "{word}");
        let report = json(&output);
        assert_eq!(report["clean"], false, "{word}");
        let faults = report["faults"].as_array().unwrap();
        assert!(faults.iter().any(|fault| fault["text"].as_str().unwrap().contains(word)));
    }
}

#[test]
fn a_recording_that_was_cut_off_is_not_complete_and_told_so_in_its_own_words() {
    for format in ["flv", "mp4"] {
        let mut server = recording().args(["-record-format", format]).start();
        block_on(publish(&server, "live/test", &packets(1, small(), 300)));
        closed(&server, "live/test");
        server.stop();
        let file = file_of(&server, "live/test");
        let bytes = std::fs::read(&file).unwrap();
        let index = bytes.windows(4).rposition(|name| name == b"moov").map(|name| name - 4);
        let cuts = match index {
            None => vec![(100, "cut off: 100 bytes of the last tag are missing")],
            Some(index) => vec![
                (10, "the file ends inside its index: players may not open it"),
                (bytes.len() - index, "no index, though the file says that it is complete: "),
                (bytes.len() - index + 50, "the file ends inside a part: the end is missing"),
            ],
        };
        for (lost, words) in cuts {
            std::fs::write(&file, &bytes[..bytes.len() - lost]).unwrap();
            let output = probe(&[], &file);
            assert_eq!(code(&output), Some(1));
            let text = output.text();
            let complete = format!("no: it was and the last {lost} bytes of it are missing");
            assert!(text.contains(words), "{words}: {text}");
            assert!(text.replace(',', "").contains(&complete), "{complete}: {text}");
            assert!(!text.contains(" 0 bytes") && !text.contains("faults      none"), "{text}");
            let report = json(&probe(&["--json"], &file));
            assert_eq!((&report["complete"], &report["clean"]), (&false.into(), &false.into()));
            let said = run(["verify".as_ref(), file.as_os_str()]);
            assert_eq!(code(&said), Some(1));
            let words = words.split(": ").next().unwrap().trim_end();
            assert!(said.text().contains(words), "{words}: {}", said.text());
        }
    }
}

#[test]
fn several_files_are_told_one_by_one_and_one_that_is_missing_does_not_hide_the_others() {
    let (_server, file) = record(&packets(1, small(), 100));
    let file = file.to_str().unwrap();
    let output = run(["probe", file, "no such.flv", file]);
    assert_eq!(code(&output), Some(1));
    assert_eq!(output.text().matches(file).count(), 2);
    assert!(
        output.stderr.starts_with("rtmp-server: cannot read no such.flv: "),
        "{}",
        output.stderr
    );
    let output = run(["probe", "--json", file, "no such.flv"]);
    assert_eq!(code(&output), Some(1));
    let lines: Vec<Value> =
        output.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["clean"], &lines[1]["clean"]), (&true.into(), &false.into()));
    assert_eq!(lines[1]["file"], "no such.flv");
}

#[test]
fn a_file_of_another_kind_is_not_called_a_damaged_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notes.txt");
    std::fs::write(&file, "no pictures\n".repeat(1_000)).unwrap();
    let line = error_line(&probe(&[], &file), 1);
    assert_eq!(line, format!("{} is neither an FLV nor an MP4 file", file.display()));
    let output = probe(&["--json"], &file);
    assert_eq!(code(&output), Some(1));
    assert_eq!(json(&output)["error"], "neither an FLV nor an MP4 file");
}
