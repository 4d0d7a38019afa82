//! `rtmp-server repair`

mod mp4;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use media::flv::tag::{FILE_HEADER, TagHeader};
use media::{Kind, Packet, Role};
use serde_json::Value;
use tempfile::TempDir;
use testkit::flv::Flv;
use testkit::tools::{self, Output};

use super::{TIMEOUT, code, demo, demo_file, error_line, run};
use crate::record::{report, tree};
use crate::support::BINARY;

/// A tag as other servers write it; `previous` stands behind it.
fn tag(kind: Kind, time_ms: u32, body: &[u8], previous: Option<u32>) -> Vec<u8> {
    let header = TagHeader::new(kind.number(), u32::try_from(body.len()).unwrap(), time_ms);
    let previous = previous.unwrap_or(header.tag_size());
    [&header.encode(), body, &previous.to_be_bytes()].concat()
}

fn is_metadata(packet: &Packet) -> bool {
    packet.kind == Kind::Data && packet.role == Role::Metadata
}

/// The clip without metadata and index: all that is needed to play it.
fn bare() -> Vec<u8> {
    [FILE_HEADER.to_vec()].into_iter().chain(bare_tags()).flatten().collect()
}

fn bare_tags() -> impl Iterator<Item = Vec<u8>> {
    let packets = demo().into_iter().filter(|packet| !is_metadata(packet));
    packets.map(|packet| tag(packet.kind, packet.timestamp(), &packet.body, None))
}

/// `onMetaData` as it comes from a publisher, with what only a server should see before it.
fn with_set_data_frame() -> Vec<u8> {
    let metadata = demo().into_iter().find(is_metadata).unwrap();
    let body = [b"\x02\0\x0d@setDataFrame", &metadata.body[..]].concat();
    [&FILE_HEADER[..], &tag(Kind::Data, 0, &body, None), &bare()[13..]].concat()
}

/// Metadata in AMF3 before the first frame, and something that is none between two others.
fn with_amf3() -> Vec<u8> {
    let mut tags: Vec<_> = bare_tags().collect();
    let metadata = b"\x00\x02\x00\x0aonMetaData\x11\x0a\x0b\x01\x0btitle\x06\x09live\x01";
    tags.insert(0, tag(Kind::DataAmf3, 0, metadata, None));
    tags.insert(9, tag(Kind::DataAmf3, 0, b"\x00\x77", None));
    [&FILE_HEADER[..], &tags.concat()].concat()
}

/// Every size behind a tag is 0.
fn without_sizes() -> Vec<u8> {
    let tags = demo().into_iter();
    let tags = tags.map(|packet| tag(packet.kind, packet.timestamp(), &packet.body, Some(0)));
    [FILE_HEADER.to_vec()].into_iter().chain(tags).flatten().collect()
}

/// Metadata that tells another length, and an index that points nowhere.
fn with_wrong_metadata() -> Vec<u8> {
    use media::amf0;
    let list = |n: f64| amf0::Value::StrictArray(vec![n.into(), (n + 1.0).into()]);
    let keyframes = amf0::Value::Object(vec![
        ("times".to_owned(), list(0.0)),
        ("filepositions".to_owned(), list(77_777.0)),
    ]);
    let properties = [("duration".to_owned(), 4_711.0.into()), ("keyframes".to_owned(), keyframes)];
    let mut body = Vec::new();
    amf0::encode_string("onMetaData", &mut body);
    amf0::encode_ecma_array(&properties, &mut body);
    [&FILE_HEADER[..], &tag(Kind::Data, 0, &body, None), &bare()[13..]].concat()
}

/// Now and then a time goes back a little.
fn with_backward_times() -> Vec<u8> {
    let packets = demo().into_iter().enumerate();
    let tags = packets.map(|(i, packet)| {
        let back_ms = if i % 40 == 39 && packet.is_media() { 100 } else { 0 };
        tag(packet.kind, packet.timestamp().saturating_sub(back_ms), &packet.body, None)
    });
    [FILE_HEADER.to_vec()].into_iter().chain(tags).flatten().collect()
}

/// The writer was killed.
fn torn() -> Vec<u8> {
    let mut bytes = fs::read(demo_file()).unwrap();
    bytes.truncate(bytes.len() - 33);
    bytes
}

/// Something else was written into the file.
fn with_garbage() -> Vec<u8> {
    let bytes = bare();
    let first =
        13 + tag(Kind::Video, 0, &Flv::read(&demo_file()).unwrap().media()[0].body, None).len();
    [&bytes[..first], &[0xEE; 5_000], &bytes[first..]].concat()
}

/// A directory with `x.flv`.
fn broken(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.flv");
    fs::write(&file, bytes).unwrap();
    (dir, file)
}

fn repair(args: &[&str], file: &Path) -> Output {
    run(["repair"].iter().chain(args).copied().chain([file.to_str().unwrap()]))
}

fn names(dir: &TempDir) -> Vec<String> {
    tree(dir.path()).iter().map(|path| path.to_str().unwrap().to_owned()).collect()
}

/// Bodies of audio and video.
fn bodies(file: &Path) -> Vec<(Kind, bytes::Bytes)> {
    let media = Flv::read(file).unwrap().media().into_iter();
    media.map(|packet| (packet.kind, packet.body)).collect()
}

/// That real programs read and decode it without a word; but for times that are `held` at the one
/// before, which FFmpeg does not like to write anew.
fn assert_decodes(file: &Path, held: bool) {
    let (Some(ffmpeg), Some(ffprobe)) = (tools::ffmpeg5(), tools::ffprobe()) else { return };
    let mut decode = Command::new(ffmpeg);
    decode.args(["-v", "warning", "-i"]).arg(file).args(["-f", "null", "-"]);
    let words = tools::run(&mut decode, TIMEOUT).success().stderr;
    let is_held = |line: &&str| held && line.contains("non monotonically increasing dts");
    assert_eq!(words.lines().find(|line| !is_held(line)), None);
    let mut probe = Command::new(ffprobe);
    probe.args(["-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0"]).arg(file);
    let output = tools::run(&mut probe, TIMEOUT).success();
    assert_eq!(output.stderr, "");
    let duration_s: f64 = output.text().trim().parse().unwrap();
    let expected_s = report(&demo_file()).duration_ms as f64 / 1_000.0;
    assert!((duration_s - expected_s).abs() < 0.2, "{duration_s} s, not {expected_s} s");
}

#[test]
fn files_of_other_servers_are_mended_without_a_byte_of_picture_and_sound_lost() {
    type Damage = fn() -> Vec<u8>;
    let cases: [(Damage, &str); 8] = [
        (bare, "metadata added"),
        (with_amf3, "metadata added"),
        (with_set_data_frame, "@setDataFrame removed"),
        (without_sizes, "PreviousTagSize corrected"),
        (with_wrong_metadata, "duration corrected"),
        (with_backward_times, "backward time held"),
        (torn, "cut-off last tag dropped"),
        (with_garbage, "garbage dropped: 1 place, 5.0 kB"),
    ];
    for (bytes, done) in cases {
        let (dir, file) = broken(&bytes());
        let output = repair(&[], &file);
        assert_eq!((code(&output), &*output.stderr), (Some(0), ""), "{done}");
        let text = output.text();
        let repaired = dir.path().join("x.repaired.flv");
        let first = format!("{}: repaired as {}\n", file.display(), repaired.display());
        assert!(text.starts_with(&first) && text.contains(&format!("  {done}")), "{text}");
        assert!(text.lines().skip(1).all(|line| line.contains(", first at byte ")), "{text}");
        assert_eq!(names(&dir), ["x.flv", "x.repaired.flv"]);
        assert_eq!(fs::read(&file).unwrap(), bytes(), "the old file is as it was");
        assert_eq!(bodies(&repaired), bodies(&file), "{done}");
        let probed = run(["probe".as_ref(), repaired.as_os_str()]).success();
        assert!(probed.text().contains("  faults      none\n"), "{}", probed.text());
        assert_decodes(&repaired, done.contains("held"));
        // Once is enough.
        let again = repair(&[], &repaired).success();
        assert_eq!(again.text(), format!("{}: nothing to repair\n", repaired.display()));
        assert_eq!(names(&dir), ["x.flv", "x.repaired.flv"]);
    }
}

#[test]
fn a_dry_run_writes_nothing_and_says_the_same() {
    let (dir, file) = broken(&torn());
    let dry = repair(&["-dry-run"], &file).success().text();
    assert_eq!(names(&dir), ["x.flv"]);
    let wet = repair(&[], &file).success().text();
    assert!(dry.contains(": can be repaired\n"), "{dry}");
    assert_eq!(dry.split_once('\n').unwrap().1, wet.split_once('\n').unwrap().1);
}

#[test]
fn in_place_the_old_file_stays_as_a_backup() {
    let (dir, file) = broken(&torn());
    fs::write(dir.path().join("x.flv.bak"), "theirs").unwrap();
    let output = repair(&["--in-place", "--json"], &file).success();
    let object: Value = serde_json::from_str(&output.text()).unwrap();
    assert_eq!(object["result"], "repaired");
    let backup = dir.path().join("x.flv.bak_2");
    assert_eq!(object["backup"], backup.to_str().unwrap());
    assert_eq!(names(&dir), ["x.flv", "x.flv.bak", "x.flv.bak_2"]);
    assert_eq!(fs::read_to_string(dir.path().join("x.flv.bak")).unwrap(), "theirs");
    assert_eq!(fs::read(&backup).unwrap(), torn());
    assert_eq!(bodies(&file), bodies(&backup));
    let again = repair(&["--in-place", "--json"], &file).success();
    let object: Value = serde_json::from_str(&again.text()).unwrap();
    assert_eq!((&object["result"], &object["mends"]), (&"sound".into(), &serde_json::json!([])));
    assert_eq!(names(&dir).len(), 3);
}

#[test]
fn a_name_that_is_asked_for_is_taken_and_never_from_another_file() {
    let (dir, file) = broken(&torn());
    let out = dir.path().join("out.flv");
    let out_name = out.to_str().unwrap();
    let _ = repair(&["-o", out_name], &file).success();
    assert_eq!(bodies(&out), bodies(&file));
    let line = error_line(&repair(&["-o", out_name], &file), 1);
    assert!(line.ends_with("out.flv exists already and is not overwritten"), "{line}");
    let line = error_line(&repair(&["-o", out_name, out_name], &file), 2);
    assert_eq!(line, "-output takes one FILE");
    assert_eq!(names(&dir), ["out.flv", "x.flv"]);
}

#[test]
fn what_cannot_be_repaired_is_told_and_the_others_are_repaired() {
    let (dir, file) = broken(&torn());
    let other = |name: &str, text: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    for (path, why) in [
        (other("notes.txt", &b"no pictures".repeat(100)), "neither an FLV nor an MP4 file"),
        (
            other("x.mp4", b"\0\0\0\x18ftypiso6\0\0\0\0iso6mp41"),
            "an MP4 file that no rtmp-server recorded, or whose beginning is lost; ffmpeg -i IN -c \
             copy OUT may read it",
        ),
        (other("empty.flv", b""), "neither an FLV nor an MP4 file"),
        (other("head.flv", &FILE_HEADER), "no tag is left in it that could be saved"),
        (dir.path().join("gone.flv"), "cannot read it: no such file or directory"),
    ] {
        let line = error_line(&repair(&[], &path), 1);
        assert_eq!(line, format!("{} was not repaired: {why}", path.display()));
        let output = repair(&["--json", path.to_str().unwrap()], &file);
        assert_eq!(code(&output), Some(1));
        let lines: Vec<Value> =
            output.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["error"], &lines[0]["result"]), (&why.into(), &"failed".into()));
        assert_eq!(lines[1]["result"], "repaired");
    }
}

#[test]
fn a_file_that_is_being_written_is_not_touched() {
    let (dir, file) = broken(&torn());
    let writer = fs::File::open(&file).unwrap();
    writer.lock().unwrap();
    let line = error_line(&repair(&["--in-place"], &file), 1);
    assert!(line.ends_with(": another program is writing it"), "{line}");
    assert_eq!(names(&dir), ["x.flv"]);
    drop(writer);
    let _ = repair(&["--in-place"], &file).success();
}

/// A limit on the size of files fails as a full disk does.
#[cfg(unix)]
#[test]
fn a_repair_that_cannot_be_written_leaves_nothing_behind() {
    for in_place in ["", "--in-place"] {
        let (dir, file) = broken(&bare());
        let script = format!(
            "trap '' XFSZ; ulimit -f 100; exec '{BINARY}' repair {in_place} '{}'",
            file.display()
        );
        let output = tools::run(Command::new("sh").args(["-c", &script]), TIMEOUT);
        let line = error_line(&output, 1);
        assert!(line.contains("was not repaired: cannot write "), "{line}");
        assert!(line.ends_with(": file too large"), "{line}");
        assert_eq!(names(&dir), ["x.flv"]);
        assert_eq!(fs::read(&file).unwrap(), bare());
    }
}
