use std::path::PathBuf;

use media::flv::mux::{Muxer, Options};
use media::{Chunks, Header};
use tempfile::TempDir;

use super::*;
use crate::{Source, SourceConfig};

fn sent() -> Vec<Packet> {
    let config = SourceConfig { start_ms: 0xFFFF_FF00, video_kbps: 300, ..SourceConfig::default() };
    Source::new(1, config).take(200).collect()
}

/// The file that a recorder should make of `packets`.
fn recording(packets: &[Packet]) -> Vec<u8> {
    let (mut clock, mut rebase) = (Unwrap::default(), Rebase::default());
    let (mut muxer, mut out) = (Muxer::new(Options::default()), Chunks::new());
    muxer.start(&Header::default(), &mut out);
    for packet in packets {
        let packet = clock.packet(packet.kind, packet.timestamp(), packet.body.clone());
        muxer.push(&packet, rebase.map(&packet), &mut out).unwrap();
    }
    out.to_vec()
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.flv");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn error_of(bytes: &[u8], sent: &[Packet]) -> String {
    let (_dir, path) = file(bytes);
    match compare(&path, sent) {
        Ok(count) if count == expected(sent).len() => panic!("nothing was found"),
        Ok(count) => format!("only {count}"),
        Err(error) => error,
    }
}

#[test]
fn a_right_recording_is_right() {
    let (_dir, path) = file(&recording(&sent()));
    assert_recorded(&path, &sent());
    assert_eq!(clip(&path).len(), 200);
}

#[test]
fn any_flipped_bit_of_a_tag_is_found() {
    let sent = sent();
    let bytes = recording(&sent);
    let (_dir, path) = file(&bytes);
    let flv = Flv::read(&path).unwrap();
    let start = usize::try_from(flv.tags[1].offset).unwrap();
    // All bits of the first tag, then one in each stretch of the rest.
    let near = start * 8..(start + 60) * 8;
    let far = ((start + 60) * 8..bytes.len() * 8).step_by(9_973);
    for bit in near.chain(far) {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        error_of(&bytes, &sent);
    }
}

#[test]
fn a_packet_that_is_missing_twice_moved_or_late_is_found() {
    let sent = sent();
    let without = [&sent[..50], &sent[51..]].concat();
    assert!(error_of(&recording(&without), &sent).contains("packet 49"));
    let twice = [&sent[..50], &sent[49..]].concat();
    assert!(error_of(&recording(&twice), &sent).contains("packet 49"));
    let mut swapped = sent.clone();
    swapped.swap(60, 61);
    assert!(error_of(&recording(&swapped), &sent).contains("packet 59"));
    let mut late = sent.clone();
    late[70].dts_ms += 1;
    assert!(error_of(&recording(&late), &sent).contains("is at"));
    let longer: Vec<_> = sent.iter().cloned().chain(std::iter::once(sent[199].clone())).collect();
    assert!(error_of(&recording(&longer), &sent).contains("was not sent"));
    assert_eq!(error_of(&recording(&sent[..150]), &sent), "only 149");
}

#[test]
fn a_recording_cut_off_is_compared_as_far_as_it_goes() {
    let bytes = recording(&sent());
    let (_dir, path) = file(&bytes[..bytes.len() - 20]);
    assert_eq!(assert_recorded_beginning(&path, &sent()), 198);
    assert!(compare(&path, &sent()).is_err());
}

#[test]
fn a_file_that_is_no_recording_is_told() {
    assert!(error_of(b"FLV\x01\x05\0\0\0\x09\0\0\0\0", &sent()).contains("onMetaData"));
    assert!(error_of(b"hello", &sent()).contains("signature"));
    assert!(compare(Path::new("none.flv"), &sent()).is_err());
}
