//! Repairing MP4 recordings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use media::mp4::scan::{Item, Part, Scanner};
use media::{Kind, Packet};
use serde_json::Value;
use tempfile::TempDir;
use testkit::tools;
use testkit::{Publisher, block_on, flv};

use super::{TIMEOUT, bodies, code, error_line, names, repair, run};
use crate::cli::{demo, demo_file};
use crate::record::{file_of, recorded, wait_until};
use crate::support::recording;

/// A finished file: eight seconds of real pictures and sound.
fn whole() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("whole.mp4");
    let _ = run(["remux".as_ref(), demo_file().as_os_str(), file.as_os_str()]).success();
    fs::read(file).unwrap()
}

/// Its parts, and the messages of each.
fn parts(file: &[u8]) -> Vec<(Part, Vec<Packet>)> {
    let (mut scanner, mut parts, mut open) = (Scanner::new(), Vec::new(), Vec::new());
    scanner.push(file);
    scanner.finish();
    while let Some(item) = scanner.poll() {
        match item {
            Item::Packet(packet) => open.push(packet),
            Item::Part(part) => parts.push((part, std::mem::take(&mut open))),
            _ => {}
        }
    }
    parts
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// Bodies of audio and video of these parts.
fn bodies_of(parts: &[(Part, Vec<Packet>)]) -> Vec<(Kind, bytes::Bytes)> {
    let packets = parts.iter().flat_map(|(_, packets)| packets);
    let media = packets.filter(|packet| packet.kind != Kind::Data);
    media.map(|packet| (packet.kind, packet.body.clone())).collect()
}

fn broken(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.mp4");
    fs::write(&file, bytes).unwrap();
    (dir, file)
}

/// That a file is sound for this program and for others, which decode it without a word.
fn assert_sound(file: &Path) {
    let probed = run(["probe".as_ref(), file.as_os_str()]).success();
    assert!(probed.text().contains("  faults      none\n"), "{}", probed.text());
    let again = repair(&[], file).success();
    assert_eq!(again.text(), format!("{}: nothing to repair\n", file.display()));
    for ffmpeg in [tools::ffmpeg5(), tools::ffmpeg9()].into_iter().flatten() {
        let mut decode = Command::new(ffmpeg);
        decode.args(["-v", "warning", "-i"]).arg(file).args(["-f", "null", "-"]);
        assert_eq!(tools::run(&mut decode, TIMEOUT).success().stderr, "");
    }
}

#[test]
fn whole_parts_of_a_recording_are_kept_and_what_was_lost_is_told() {
    let whole = whole();
    let parts = parts(&whole);
    let [.., (third, _), (fourth, _), (last, _)] = &parts[..] else { panic!("{}", parts.len()) };
    let zeroed = |from: u64, until: u64| {
        let mut bytes = whole.clone();
        bytes[at(from)..at(until)].fill(0);
        bytes
    };
    let kept = |lost: &[&Part]| {
        let is_kept = |(part, _): &&(Part, _)| !lost.contains(&part);
        bodies_of(&parts.iter().filter(is_kept).cloned().collect::<Vec<_>>())
    };
    let cases = [
        (whole[..at(last.end) - 100].to_vec(), kept(&[last]), "cut-off last part dropped: 1 place"),
        (whole[..at(last.end)].to_vec(), kept(&[]), "index of samples written anew"),
        (whole[..whole.len() - 1].to_vec(), kept(&[]), "index of samples written anew"),
        (
            zeroed(third.offset + 9, third.offset + 60),
            kept(&[third]),
            "damaged parts dropped: 1 place",
        ),
        (
            zeroed(third.end - 70, fourth.offset + 70),
            kept(&[third, fourth]),
            "damaged parts dropped: 1 place",
        ),
    ];
    for (bytes, kept, done) in cases {
        let (dir, file) = broken(&bytes);
        let output = repair(&[], &file);
        assert_eq!((code(&output), &*output.stderr), (Some(0), ""), "{done}");
        let text = output.text();
        let repaired = dir.path().join("x.repaired.mp4");
        let first = format!("{}: repaired as {}\n", file.display(), repaired.display());
        assert!(text.starts_with(&first) && text.contains(&format!("  {done}")), "{text}");
        assert_eq!(text.contains("\n  lacks "), done.contains("damaged"), "{text}");
        assert_eq!(names(&dir), ["x.mp4", "x.repaired.mp4"]);
        assert_eq!(fs::read(&file).unwrap(), bytes, "the old file is as it was");
        assert!(bodies(&repaired) == kept, "{done}");
        assert_sound(&repaired);
    }
    let (_dir, file) = broken(&whole);
    assert_sound(&file);
}

#[test]
fn a_gap_is_told_with_its_time_and_is_one_in_the_new_file() {
    let mut bytes = whole();
    let parts = parts(&bytes);
    let (part, packets) = &parts[1];
    // The size of its first box.
    bytes[at(part.offset) + 3] ^= 0x55;
    let (dir, file) = broken(&bytes);
    let output = repair(&["--json"], &file).success();
    let object: Value = serde_json::from_str(&output.text()).unwrap();
    let lacks = object["lacks"].as_array().unwrap();
    assert_eq!(lacks.len(), 1, "{object}");
    let [at_ms, length_ms] = ["at_ms", "length_ms"].map(|name| lacks[0][name].as_i64().unwrap());
    let next_ms = parts[2].1.iter().filter(|packet| packet.is_media()).map(|p| p.dts_ms).min();
    assert_eq!(at_ms + length_ms, next_ms.unwrap());
    assert!((packets[0].dts_ms..packets[0].dts_ms + 60).contains(&at_ms), "{at_ms}");
    let times = |file: &Path| {
        let tags = flv::Flv::read(file).unwrap().tags.into_iter();
        tags.map(|tag| tag.header.timestamp_ms).collect::<Vec<_>>()
    };
    let (_dir, original) = broken(&whole());
    let gap = u32::try_from(at_ms).unwrap()..u32::try_from(at_ms + length_ms).unwrap();
    let new = times(&dir.path().join("x.repaired.mp4"));
    assert!(!new.iter().any(|ms| gap.contains(ms) && *ms > gap.start + 60));
    assert_eq!(new.last(), times(&original).last(), "what is behind the gap is at its time");
}

#[test]
fn what_a_killed_server_left_is_made_whole_beside_it() {
    let mut server = recording().args(["-record-format", "mp4"]).start();
    let clip = demo();
    let most = &clip[..clip.len() / 2];
    let publisher = block_on(async {
        let mut publisher = Publisher::connect(&server.url("live/test")).await.unwrap();
        publisher.send_all(most).await.unwrap();
        publisher
    });
    let file = file_of(&server, "live/test");
    let media = most.iter().filter(|packet| packet.kind != Kind::Data).count();
    wait_until("all that was sent is in the file", || recorded(&file) == media);
    let line = error_line(&repair(&[], &file), 1);
    assert!(line.ends_with(": another program is writing it"), "{line}");
    server.kill();
    drop(publisher);
    let before = fs::read(&file).unwrap();
    let text = repair(&[], &file).success().text();
    assert!(text.contains("unfinished recording finished"), "{text}");
    assert_eq!(fs::read(&file).unwrap(), before);
    let repaired = file.with_extension("repaired.mp4");
    flv::assert_recorded(&repaired, most);
    assert_sound(&repaired);
    let probed = run(["probe".as_ref(), repaired.as_os_str()]).success().text();
    assert!(probed.contains(" of live/test, segment 1\n"), "{probed}");
    assert!(probed.contains("  complete    yes\n"), "{probed}");
    // In place, as for FLV.
    let object: Value =
        serde_json::from_str(&repair(&["-in-place", "--json"], &file).success().text()).unwrap();
    assert_eq!(object["result"], "repaired");
    assert_eq!(fs::read(object["backup"].as_str().unwrap()).unwrap(), before);
    assert_eq!(fs::read(&file).unwrap(), fs::read(&repaired).unwrap());
}

#[test]
fn files_of_other_programs_and_those_without_a_part_are_refused() {
    let Some(nine) = tools::ffmpeg9() else { return };
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.mp4");
    let mut copy = Command::new(nine);
    copy.args(["-v", "error", "-i"]).arg(demo_file()).args(["-c", "copy"]).arg(&other);
    let _ = tools::run(&mut copy, TIMEOUT).success();
    let line = error_line(&repair(&[], &other), 1);
    assert!(line.contains("an MP4 file that no rtmp-server recorded"), "{line}");
    let whole = whole();
    let head = &whole[..at(parts(&whole)[0].0.offset)];
    let (dir, file) = broken(head);
    let line = error_line(&repair(&[], &file), 1);
    assert!(line.ends_with("no part is left in it that could be saved"), "{line}");
    assert_eq!(names(&dir), ["x.mp4"]);
}
