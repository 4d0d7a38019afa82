//! `rtmp-server verify`

use std::fs;
use std::path::{Path, PathBuf};

use archive::verify::Walk;
use archive::{About, Amount, Cut, Gap, GapReason, Hash, Ledger};
use bytes::Bytes;
use media::flv::mux::{Muxer, Options};
use media::{Chunks, Header, Kind, Packet};
use serde_json::Value;
use tempfile::TempDir;
use testkit::tools::{self, Output};

use super::{TIMEOUT, code, command, error_line, run};

const CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f];
const META: &[u8] = b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09";
const ID: &str = "00000000deadbeef";

/// Segments of a second each, in a directory of their own.
struct Recording {
    dir: TempDir,
    files: Vec<PathBuf>,
    chain: Option<Hash>,
    packets: u64,
    length_ms: u64,
}

impl Recording {
    fn new(segments: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut recording = Self { dir, files: Vec::new(), chain: None, packets: 0, length_ms: 0 };
        for _ in 0..segments {
            recording.add(ID, None, true);
        }
        recording
    }

    /// Adds a segment, after a gap if there is one.
    fn add(&mut self, id: &str, gap_before: Option<Gap>, complete: bool) -> PathBuf {
        let number = self.files.len() + 1;
        let first_packet = self.packets;
        if let Some(gap) = gap_before {
            self.packets += gap.dropped.packets;
            self.length_ms += gap.length_ms;
        }
        let about = About {
            recording: id.parse().unwrap(),
            stream_key: "live/test".to_owned(),
            segment: u32::try_from(number).unwrap(),
            start_time: format!("2025-10-11T14:30:{number:02}.000+02:00"),
            start_ms: self.length_ms,
            cut: if number == 1 { Cut::Start } else { Cut::Duration },
            gap_before,
            first_packet,
            chain_before: self.chain,
            server: "rtmp-server/1".to_owned(),
            recorder: "all".to_owned(),
            name: None,
            request_key: None,
            is_clip: false,
            tracks: archive::Tracks::All,
            labels: archive::Labels::new(),
        };
        let bytes = segment(&about, complete);
        let path = self.dir.path().join(format!("{number}.flv"));
        fs::write(&path, &bytes).unwrap();
        self.packets += PACKETS;
        self.length_ms += 1_000;
        let previous = self.chain.unwrap_or(Hash([0; 32]));
        self.chain = Some(hash(&[previous.0, hash(&bytes).0].concat()));
        self.files.push(path.clone());
        path
    }

    fn verify(&self) -> Output {
        run(["verify".as_ref()].into_iter().chain(self.files.iter().map(|path| path.as_os_str())))
    }
}

/// Packets of each segment.
const PACKETS: u64 = 27;

/// The BLAKE3 hash, of what need not be an FLV file.
fn hash(bytes: &[u8]) -> Hash {
    let mut walk = Walk::new();
    walk.push(bytes);
    walk.finish(String::new()).hash
}

fn segment(about: &About, complete: bool) -> Vec<u8> {
    let packet = |kind, at_ms: u32, body: &[u8]| {
        Packet::new(kind, at_ms.into(), Bytes::copy_from_slice(body))
    };
    let mut packets: Vec<_> = (0..25u32)
        .map(|i| {
            let head = if i == 0 { 0x17 } else { 0x27 };
            packet(Kind::Video, i * 40, &[&[head, 1, 0, 0, 0][..], &[0x55; 400]].concat())
        })
        .collect();
    let (meta, config) = (packet(Kind::Data, 0, META), packet(Kind::Video, 0, CONFIG));
    let mut header = Header::default();
    let mut ledger = Ledger::default();
    if about.segment == 1 {
        packets.splice(..0, [meta, config]);
        ledger.merged = Amount { packets: 1, bytes: META.len() as u64 };
    } else {
        packets.extend([970, 980].map(|at_ms| packet(Kind::Audio, at_ms, &[0xaf, 1, 2])));
        header.push(&config);
        ledger.repeated_packets = 1;
    }
    let bytes = packets.iter().map(|packet| packet.body.len() as u64).sum();
    ledger.received = Amount { packets: PACKETS, bytes };
    ledger.written = ledger.received;
    let mut muxer = Muxer::new(Options {
        reserve_bytes: 4_096,
        identity: about.properties(),
        extra: [ledger.properties(), vec![("segmentLength".to_owned(), 1.0.into())]].concat(),
    });
    let mut out = Chunks::new();
    muxer.start(&header, &mut out);
    for packet in &packets {
        muxer.push(packet, packet.timestamp().into(), &mut out).unwrap();
    }
    let mut bytes = out.to_vec();
    let last = complete.then(|| muxer.complete_patch());
    for patch in muxer.patches().into_iter().chain(last) {
        let at = usize::try_from(patch.offset).unwrap();
        bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    bytes
}

fn json(path: &Path) -> (Option<i32>, Value) {
    let output = run(["verify".as_ref(), "--json".as_ref(), path.as_os_str()]);
    (code(&output), serde_json::from_str(&output.text()).unwrap())
}

#[test]
fn whole_recordings_are_proven_and_what_was_not_checked_is_told() {
    let recording = Recording::new(3);
    let mut command = command(["verify", "3.flv", "1.flv", "2.flv"]);
    let output = tools::run(command.current_dir(recording.dir.path()), TIMEOUT);
    assert_eq!((code(&output), &*output.stderr), (Some(0), ""));
    let text = output.text();
    let expected = "\
recording 00000000deadbeef of live/test
  file   segment  begins  length  packets  lost     size
  1.flv        1  0.00 s  1.00 s       27     0  14.6 kB
  2.flv        2  1.00 s  1.00 s       27     0  14.7 kB
  3.flv        3  2.00 s  1.00 s       27     0  14.7 kB
  hash       2 of 3 files as the next segment tells
  unchecked  hash of 3.flv: neither a next segment nor a sidecar tells it, and no catalog is above it; \
-record-dir PATH says whose catalog knows it
  result     proven whole: 3 segments, no packet lost, none twice; the hash of 1 file is unchecked

proven whole: 1 recording; the hash of 1 file is unchecked
";
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn a_directory_is_all_recordings_in_it() {
    let mut recording = Recording::new(2);
    let dir = recording.dir.path().to_owned();
    fs::create_dir_all(dir.join("below/.rtmp-server")).unwrap();
    fs::rename(&recording.files[1], dir.join("below/b.FLV")).unwrap();
    fs::write(dir.join("below/.rtmp-server/x.flv"), "not looked at").unwrap();
    fs::write(dir.join("2.flv.hold"), "").unwrap();
    let (exit, object) = json(&dir);
    assert_eq!((exit, &object["verdict"]), (Some(0), &"whole".into()), "{object:#}");
    let segments = object["recordings"][0]["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[0]["hash_as_told_by"], serde_json::json!(["next segment"]));
    assert_eq!(segments[1]["start_ms"], 1_000);
    // Another recording, whose first segment is not there.
    recording.add("00000000cafecafe", None, true);
    let (exit, object) = json(&dir);
    assert_eq!((exit, &object["verdict"]), (Some(3), &"partial".into()), "{object:#}");
    assert_eq!(object["recordings"].as_array().unwrap().len(), 2);
    // What is not known proves nothing.
    fs::write(dir.join("theirs.flv"), "FLV").unwrap();
    let (exit, object) = json(&dir);
    assert_eq!((exit, object["foreign"].as_array().unwrap().len()), (Some(1), 1));
}

#[test]
fn a_declared_gap_is_told_with_a_code_of_its_own() {
    let mut recording = Recording::new(1);
    let dropped = Amount { packets: 40, bytes: 9_000 };
    let gap = Gap { at_ms: 1_000, length_ms: 5_000, reason: GapReason::Disk, dropped };
    recording.add(ID, Some(gap), true);
    let output = recording.verify();
    assert_eq!(code(&output), Some(3), "{}", output.text());
    let told = "  gap        before segment 2, at 1.00 s, 5.00 s: disk, 40 packets\n";
    assert!(output.text().contains(told), "{}", output.text());
    let last = "proven, but not whole: 1 recording; the hash of 1 file is unchecked\n";
    assert!(output.text().ends_with(last), "{}", output.text());
}

#[test]
fn what_is_being_written_is_told_of_its_recording_alone() {
    let mut recording = Recording::new(2);
    recording.add("00000000cafecafe", None, true);
    let growing = fs::File::open(&recording.files[1]).unwrap();
    growing.lock().unwrap();
    let output = recording.verify();
    assert_eq!(code(&output), Some(3), "{}", output.text());
    let text = output.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("result ")).collect();
    let [first, second] = lines[..] else { panic!("{text}") };
    assert_eq!(first, "  result     proven as far as it is finished: 1 of 2 segments");
    assert!(second.starts_with("  result     proven, but not whole: 1 segment, "), "{text}");
    let last = "proven, but not whole: 1 of 2 recordings, 1 of which is being written; \
                the hash of 1 file is unchecked\n";
    assert!(text.ends_with(last), "{text}");
    recording.files.pop();
    let text = recording.verify().text();
    let last = "proven as far as they are finished: 1 recording, 1 of which is being written\n";
    assert!(text.ends_with(last), "{text}");
}

#[test]
fn a_missing_segment_is_not_proven() {
    let mut recording = Recording::new(3);
    let third = recording.files[2].display().to_string();
    recording.files.remove(1);
    let output = recording.verify();
    assert_eq!(code(&output), Some(1));
    let told = format!("  WRONG      {third} before it segment 2 is missing\n");
    assert!(output.text().contains(&told), "{}", output.text());
    assert!(output.text().ends_with("NOT PROVEN\n"), "{}", output.text());
}

#[test]
fn a_flipped_bit_is_found_by_the_next_segment_and_by_the_sidecar() {
    let recording = Recording::new(2);
    for (file, teller) in [(0, "next segment"), (1, "sidecar")] {
        let path = &recording.files[file];
        let bytes = fs::read(path).unwrap();
        let sidecar = path.with_extension("flv.b3");
        fs::write(&sidecar, format!("{}  {}\n", hash(&bytes), path.display())).unwrap();
        let output = recording.verify();
        assert_eq!(code(&output), Some(0), "{}", output.text());
        if file == 0 {
            fs::remove_file(&sidecar).unwrap();
        }
        for at in [bytes.len() - 100, bytes.len() / 2] {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            fs::write(path, changed).unwrap();
            let output = recording.verify();
            assert_eq!(code(&output), Some(1), "{}", output.text());
            let told = format!(
                "{} was changed: its BLAKE3 hash is not what the {teller} says",
                path.display()
            );
            assert!(output.text().contains(&told), "{}", output.text());
        }
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn the_chain_beside_a_file_is_checked_and_one_that_tells_nothing_is_told() {
    let recording = Recording::new(2);
    let last = &recording.files[1];
    let beside = |ending: &str| last.with_extension(ending);
    fs::write(beside("flv.b3"), format!("{}  2.flv\n", hash(&fs::read(last).unwrap()))).unwrap();
    fs::write(beside("flv.chain"), format!("{}\n", recording.chain.unwrap())).unwrap();
    let (exit, object) = json(recording.dir.path());
    assert_eq!(exit, Some(0), "{object:#}");
    let told = &object["recordings"][0]["segments"][1]["hash_as_told_by"];
    assert_eq!(told, &serde_json::json!(["sidecar"]));
    // A catalog that was made from the files knows no hashes, and says nothing against them.
    archive::catalog::rebuild(&archive::SystemDisk, recording.dir.path(), &[], &mut |_| {})
        .unwrap();
    assert_eq!(json(recording.dir.path()).0, Some(0));
    fs::write(beside("flv.chain"), format!("{}\n", Hash([1; 32]))).unwrap();
    assert!(recording.verify().text().contains("its chain of hashes is not what the sidecar says"));
    fs::write(beside("flv.chain"), "oh").unwrap();
    let output = recording.verify();
    assert_eq!(code(&output), Some(1));
    assert!(output.text().contains("2.flv.chain cannot be read: "), "{}", output.text());
}

#[test]
fn a_file_that_is_being_written_is_left_out_of_the_proof() {
    let mut recording = Recording::new(1);
    let growing = recording.add(ID, None, false);
    let output = recording.verify();
    assert_eq!(code(&output), Some(1), "nobody writes it: it was left unfinished");
    assert!(output.text().contains("was not finished"), "{}", output.text());
    let writer = fs::File::open(&growing).unwrap();
    writer.lock().unwrap();
    let output = recording.verify();
    assert_eq!(code(&output), Some(3), "{}", output.text());
    let told = format!("  unchecked  {}: it is being written\n", growing.display());
    assert!(output.text().contains(&told), "{}", output.text());
}

/// As when a pattern of the shell means it.
#[test]
fn what_is_beside_a_file_is_read_with_it() {
    let recording = Recording::new(1);
    let file = &recording.files[0];
    let beside = [".hold", ".labels", ".copied"].map(|end| {
        let beside = PathBuf::from(format!("{}{end}", file.display()));
        fs::write(&beside, "").unwrap();
        beside
    });
    let mut verify = vec!["verify".into(), file.clone()];
    verify.extend(beside);
    let output = run(verify);
    assert_eq!(code(&output), Some(0), "{}", output.text());
    // By its name alone it is none.
    let other = recording.dir.path().join("notes.hold");
    fs::write(&other, "").unwrap();
    assert_eq!(code(&run(["verify".as_ref(), other.as_os_str()])), Some(1));
}

#[test]
fn what_cannot_be_read_is_not_proven() {
    let recording = Recording::new(1);
    let output = run(["verify".as_ref(), "no such.flv".as_ref(), recording.files[0].as_os_str()]);
    assert_eq!(code(&output), Some(1));
    let told = "no such.flv cannot be read: no such file or directory\n";
    assert!(output.text().contains(told), "{}", output.text());
    let empty = tempfile::tempdir().unwrap();
    let (exit, object) = json(empty.path());
    assert_eq!((exit, &object["verdict"]), (Some(1), &"unproven".into()));
    assert_eq!(object["unreadable"][0]["error"], "no recording in it");
    assert_eq!(error_line(&run(["verify"]), 2), "FILE missing; add -help to see what goes where");
}
