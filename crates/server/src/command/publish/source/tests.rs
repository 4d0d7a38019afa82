use std::io::Write as _;

use media::flv::tag::TagHeader;
use media::{Kind, Role};

use super::*;

fn all(source: &mut Source) -> Vec<Packet> {
    std::iter::from_fn(|| source.next().unwrap()).collect()
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn the_built_in_clip_is_sound_and_has_picture_and_sound() {
    let mut source = Source::open(Path::new("demo")).unwrap();
    let packets = all(&mut source);
    let has = |kind, role| packets.iter().any(|p| p.kind == kind && p.role == role);
    assert!(has(Kind::Video, Role::Config) && has(Kind::Video, Role::Key));
    assert!(has(Kind::Audio, Role::Config) && has(Kind::Audio, Role::Frame));
    assert_eq!(source.fault_count(), 0);
    assert!(source.size_bytes() <= 320 * 1024, "{}", source.size_bytes());
    assert_eq!(source.position(), source.size_bytes());
}

#[test]
fn a_file_is_read_as_the_clip_that_it_is_a_copy_of() {
    let file = file(DEMO);
    let of_file = all(&mut Source::open(file.path()).unwrap());
    assert_eq!(of_file, all(&mut Source::open(Path::new("demo")).unwrap()));
}

#[test]
fn every_pass_has_the_same_packets() {
    let file = file(DEMO);
    for path in [Path::new("demo"), file.path()] {
        let mut source = Source::open(path).unwrap();
        let first = all(&mut source);
        source.rewind().unwrap();
        assert_eq!(all(&mut source), first);
    }
}

#[test]
fn script_data_in_amf3_is_sent_in_amf0() {
    let tag = |body: &[u8]| {
        let header = TagHeader::new(15, u32::try_from(body.len()).unwrap(), 7);
        [&header.encode(), body, &header.tag_size().to_be_bytes()].concat()
    };
    let amf3 = b"\x00\x02\x00\x0aonCuePoint\x11\x04\x07";
    let file = file(&[&DEMO[..13], &tag(b"\x00\x11\x77"), &tag(amf3), &DEMO[13..]].concat());
    let mut source = Source::open(file.path()).unwrap();
    let packets = all(&mut source);
    let expected = b"\x02\x00\x0aonCuePoint\x00\x40\x1c\0\0\0\0\0\0";
    assert_eq!((packets[0].kind, packets[0].dts_ms), (Kind::Data, 7));
    assert_eq!(packets[0].body[..], expected[..]);
    assert_eq!(packets[1..], all(&mut Source::open(Path::new("demo")).unwrap()));
    assert_eq!(source.fault_count(), 0);
}

#[test]
fn a_torn_file_is_read_as_far_as_it_is_whole_and_its_fault_counted_once() {
    let file = file(DEMO.get(..DEMO.len() - 3).unwrap());
    let mut source = Source::open(file.path()).unwrap();
    let whole = all(&mut Source::open(Path::new("demo")).unwrap()).len();
    let torn = all(&mut source).len();
    assert!((whole - 1..=whole).contains(&torn), "{torn} of {whole}");
    source.rewind().unwrap();
    all(&mut source);
    assert_eq!(source.fault_count(), 1);
}

#[test]
fn what_cannot_be_published_is_told_before_anything_is() {
    let error = |path: &Path| Source::open(path).err().expect("not a source").to_string();
    let text = file(b"#EXTM3U and more text that is no FLV file at all");
    assert!(error(text.path()).contains("is not an FLV file"), "{}", error(text.path()));
    assert!(error(file(DEMO.get(..13).unwrap()).path()).ends_with("has no audio and no video"));
    assert!(error(Path::new("no/such.flv")).starts_with("cannot open no/such.flv: "));
    assert!(error(Path::new("dmo")).ends_with("did you mean demo, the built-in clip?"));
    assert!(error(file(b"").path()).contains("no audio and no video"));
}
