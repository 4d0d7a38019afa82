//! `rtmp-server remux`

use std::fs;
use std::path::Path;

use serde_json::Value;
use testkit::flv::Flv;
use testkit::tools::Output;

use super::{code, demo_file, error_line, run};
use crate::record::tree;

fn remux(args: &[&str], input: &Path, output: &Path) -> Output {
    let files = [input, output].map(|file| file.to_str().unwrap());
    run(["remux"].iter().chain(args).copied().chain(files))
}

/// Audio and video, each with its time.
fn media(file: &Path) -> Vec<(u32, bytes::Bytes)> {
    let tags = Flv::read(file).unwrap().tags.into_iter().filter(|tag| tag.packet.is_media());
    tags.map(|tag| (tag.header.timestamp_ms, tag.packet.body)).collect()
}

#[test]
fn flv_becomes_mp4_and_flv_again_with_every_packet_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let (mp4, flv) = (dir.path().join("x.mp4"), dir.path().join("x.flv"));
    let output = remux(&[], &demo_file(), &mp4);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    let expected = media(&demo_file());
    assert!(output.text().starts_with(&format!("{}: ", mp4.display())), "{}", output.text());
    assert_eq!(output.text().lines().count(), 1);
    assert_eq!(&fs::read(&mp4).unwrap()[4..8], b"ftyp");

    let output = remux(&["-json"], &mp4, &flv);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    let told: Value = serde_json::from_str(&output.text()).unwrap();
    let said = [&told["output"], &told["format"]].map(|value| value.as_str().unwrap());
    assert_eq!(said, [flv.to_str().unwrap(), "flv"]);
    assert_eq!(told["bytes"], fs::metadata(&flv).unwrap().len());
    assert!(told["packets"].as_u64().unwrap() >= expected.len() as u64, "{told}");
    assert_eq!(told["hidden"], serde_json::json!([]));
    assert!(media(&mp4) == expected && media(&flv) == expected);
    assert_eq!(tree(dir.path()).len(), 2, "nothing else is left");
}

#[test]
fn what_is_there_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there.mp4");
    fs::write(&there, "precious").unwrap();
    let line = error_line(&remux(&[], &demo_file(), &there), 1);
    assert_eq!(line, format!("{} exists already and is not overwritten", there.display()));
    assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
    assert_eq!(tree(dir.path()).len(), 1);
}

#[test]
fn what_cannot_be_made_ends_with_1_and_what_is_misspelt_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.flv"), dir.path().join("out.mp4"));
    let line = error_line(&remux(&[], &input, &output), 1);
    assert!(line.starts_with(&format!("cannot read {}: ", input.display())), "{line}");
    let bytes = fs::read(demo_file()).unwrap();
    fs::write(&input, &bytes[..bytes.len() - 9]).unwrap();
    let line = error_line(&remux(&[], &input, &output), 1);
    assert!(line.ends_with("repair it first"), "{line}");
    let line = error_line(&remux(&[], &demo_file(), &dir.path().join("out.mkv")), 1);
    assert_eq!(line, "OUT is to be called NAME.mp4 or NAME.flv");
    assert_eq!(code(&run(["remux", "in.flv"])), Some(2));
    assert_eq!(code(&remux(&["-overwrite"], &demo_file(), &output)), Some(2));
    assert_eq!(tree(dir.path()).len(), 1, "nothing is left but what was there");
}
