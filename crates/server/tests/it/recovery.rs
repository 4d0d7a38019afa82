//! A start over files that were not finished: they are mended, and nothing is lost by it.
//!
//! What random kills leave is in `crash`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use media::{Kind, Packet};
use testkit::{Publisher, Server, SourceConfig, block_on, flv, tools};

use crate::record::parts::{is_complete, verify};
use crate::record::{
    assert_finished, closed, file_of, packets, publish, recorded, small, wait_until,
};
use crate::support::{BINARY, recording};

/// A recording of these packets whose server was killed when it had written them all.
fn unfinished(sent: &[Packet]) -> (Server, PathBuf) {
    let mut server = recording().start();
    let publisher = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(sent).await.unwrap();
        publisher
    });
    let file = file_of(&server, "live/test");
    let media = sent.iter().filter(|packet| packet.kind != Kind::Data).count();
    wait_until("all that was sent is in the file", || recorded(&file) == media);
    server.kill();
    drop(publisher);
    assert!(!is_complete(&file));
    (server, file)
}

/// Starts and stops a server over the directory of another.
fn start_again(before: &Server, wait_for: &str) -> Server {
    let mut server = recording().record_dir(before.record_dir()).start();
    server.allow("recording recovered");
    server.allow("file set aside");
    server.allow(IN_USE);
    server.wait_for_log(wait_for, &[]);
    server.stop();
    server
}

fn beside(file: &Path, more: &str) -> PathBuf {
    PathBuf::from(format!("{}{more}", file.display()))
}

#[test]
fn a_torn_file_is_cut_after_its_last_whole_tag_and_completed() {
    let sent = packets(1, small(), 300);
    let (before, file) = unfinished(&sent);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 20]).unwrap();
    let server = start_again(&before, "recording recovered");
    assert_finished(&file, &sent[..sent.len() - 1]);
    assert!(is_complete(&file));
    let (code, said) = verify([file.as_path()]);
    assert_eq!(code, Some(0), "{said}");
    let line = server.wait_for_log("recording recovered", &[("stream_key", "live/test")]);
    assert_eq!(line.field("file").as_deref(), file.to_str());
    // A later start has nothing to do with it.
    let mended = std::fs::read(&file).unwrap();
    let mut server = recording().record_dir(before.record_dir()).start();
    block_on(publish(&server, "live/next", &sent));
    closed(&server, "live/next");
    server.stop();
    assert_eq!(std::fs::read(&file).unwrap(), mended);
    assert!(server.logs().iter().all(|line| line.message != "recording recovered"));
}

/// What a recorder was killed with is in no file and in no books.
#[test]
fn of_a_killed_recording_is_proven_what_was_written_and_said_that_it_was_cut_off() {
    let sent = packets(1, small(), 300);
    let (before, file) = unfinished(&sent);
    let mut server = recording().record_dir(before.record_dir()).start();
    server.wait_for_log("recording recovered", &[]);
    // One that came to its end, beside it.
    block_on(publish(&server, "live/next", &sent));
    closed(&server, "live/next");
    server.stop();
    assert_finished(&file, &sent);

    let (code, said) = verify([file.as_path()]);
    assert_eq!(code, Some(0), "{said}");
    let expected = [
        "  cut off    the server was killed, or the power or the disk failed: ",
        "may be missing\n",
        "  result     proven whole as far as it was written: 1 segment, nothing of that lost, none twice",
        "\nproven whole as far as it was written: 1 recording, 1 of which was cut off",
    ];
    for text in expected {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!said.contains("no packet lost"), "{said}");

    let (code, said) = verify(["-json".as_ref(), before.record_dir()]);
    assert_eq!(code, Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let cut_off = |stream: &str| {
        let recordings = report["recordings"].as_array().unwrap();
        let of = recordings.iter().find(|recording| recording["stream_key"] == stream).unwrap();
        (of["verdict"].clone(), of["cut_off"].clone())
    };
    assert_eq!(cut_off("live/test"), ("whole".into(), true.into()));
    assert_eq!(cut_off("live/next"), ("whole".into(), false.into()));

    // The files tell it to a catalog that is made anew.
    let said = [&["catalog", "rebuild"][..], &["recordings", "list", "-json"]].map(|words| {
        let mut command = Command::new(BINARY);
        command.args(words).arg("-record-dir").arg(before.record_dir());
        tools::run(&mut command, Duration::from_secs(60)).success().text()
    });
    let state = |stream: &str| {
        let lines = said[1].lines().map(serde_json::from_str::<serde_json::Value>);
        let mut lines = lines.map(Result::unwrap);
        lines.find(|of| of["stream"] == stream).unwrap()["state"].clone()
    };
    assert_eq!([state("live/test"), state("live/next")], ["interrupted", "complete"]);
}

/// What a server says that is not the only one in its directory.
const IN_USE: &str = "record directory is used by another server";

#[test]
fn a_file_that_another_server_is_writing_is_left_alone() {
    let (before, torn) = unfinished(&packets(1, small(), 100));
    let mut writing = recording().record_dir(before.record_dir()).start();
    writing.wait_for_log("recording recovered", &[]);
    let sent = packets(2, small(), 300);
    let (first, rest) = sent.split_at(150);
    let file = block_on(async {
        let mut publisher = Publisher::connect(&writing.url("live/other")).await.unwrap();
        publisher.send_all(first).await.unwrap();
        let file = file_of(&writing, "live/other");
        wait_until("something is in the file", || recorded(&file) > 0);
        // Something for the second server to mend, so that it is seen to have looked.
        let copy = torn.with_extension("copy.flv");
        std::fs::copy(&torn, &copy).unwrap();
        make_unfinished(&copy);
        let second = start_again(&writing, "recording recovered");
        second.wait_for_log(IN_USE, &[]);
        let recovered = second.wait_for_logs("recording recovered", &[], 1);
        let files: Vec<_> = recovered.iter().filter_map(|line| line.field("file")).collect();
        assert_eq!(files, [copy.display().to_string()]);
        publisher.send_all(rest).await.unwrap();
        publisher.close().await.unwrap();
        file
    });
    closed(&writing, "live/other");
    writing.stop();
    assert_finished(&file, &sent);
}

/// Takes back the one byte that says that a file is finished.
fn make_unfinished(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let name = b"\x00\x08complete\x01";
    let at = bytes.windows(name.len()).position(|part| part == name).unwrap();
    bytes[at + name.len()] = 0;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn files_of_other_programs_are_left_alone() {
    let (before, torn) = unfinished(&packets(1, small(), 100));
    let clip = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.flv")).unwrap();
    let theirs = before.record_dir().join("a.flv");
    let theirs_torn = before.record_dir().join("b.flv");
    let theirs_text = before.record_dir().join("c.flv");
    let files = [
        (theirs, clip.clone()),
        (theirs_torn, clip[..clip.len() / 2].to_vec()),
        (theirs_text, b"not a recording at all".to_vec()),
    ];
    for (file, bytes) in &files {
        std::fs::write(file, bytes).unwrap();
    }
    start_again(&before, "recording recovered");
    assert!(is_complete(&torn));
    for (file, bytes) in &files {
        assert!(std::fs::read(file).unwrap() == *bytes, "{}", file.display());
    }
}

#[test]
fn what_cannot_be_understood_is_set_aside_with_a_reason() {
    let sent = packets(1, small(), 100);
    let (before, file) = unfinished(&sent);
    // As when the power fails before the first bytes are on the disk.
    let empty = before.record_dir().join("empty.flv");
    std::fs::write(&empty, "").unwrap();
    let server = start_again(&before, "recovery finished");
    let line = server.wait_for_log("file set aside", &[]);
    assert_eq!(line.field("file").as_deref(), empty.to_str());
    assert!(!empty.exists() && beside(&empty, ".broken").exists());
    let texts = std::fs::read_dir(before.record_dir()).unwrap().flatten();
    let texts: Vec<_> = texts.map(|entry| entry.path()).collect();
    let text = texts.iter().find(|path| path.extension().is_some_and(|e| e == "txt"));
    let text = text.unwrap_or_else(|| panic!("a text says why: {texts:?}"));
    assert!(!std::fs::read_to_string(text).unwrap().trim().is_empty());
    assert!(is_complete(&file), "the other file is mended");
}

#[test]
fn whole_tags_after_a_damaged_place_are_kept_beside_the_file() {
    let sent = packets(1, SourceConfig { video_kbps: 2_000, ..small() }, 300);
    let (before, file) = unfinished(&sent);
    let tags = flv::Flv::read(&file).unwrap().tags;
    let damaged = tags.get(tags.len() / 2).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let at = usize::try_from(damaged.offset).unwrap();
    let end = at + 11 + damaged.packet.body.len() + 4;
    bytes[at..end].fill(0xff);
    std::fs::write(&file, &bytes).unwrap();
    start_again(&before, "recording recovered");
    let kept = flv::compare(&file, &sent).unwrap();
    assert_eq!(kept, tags.len() / 2 - 1, "all before the damage; the first tag is metadata");
    let tail = std::fs::read(beside(&file, ".tail")).unwrap();
    assert!(tail.ends_with(&bytes[end..]), "{} bytes", tail.len());
}

/// Between the end of one server and the start of the next nobody waits for anybody.
#[test]
fn recovery_does_not_hold_up_the_start() {
    let sent = packets(1, small(), 100);
    let (before, file) = unfinished(&sent);
    for number in 0..100 {
        std::fs::copy(&file, before.record_dir().join(format!("copy{number}.flv"))).unwrap();
    }
    let mut server =
        recording().record_dir(before.record_dir()).deadline(Duration::from_secs(60)).start();
    block_on(publish(&server, "live/new", &sent));
    closed(&server, "live/new");
    let files = || server.recordings();
    wait_until("every file is mended", || files().iter().all(|file| is_complete(file)));
    assert_eq!(files().len(), 102);
    server.stop();
}
