use proptest::prelude::*;

use super::*;
use crate::{
    Chunks, Header,
    amf0::{encode, encode_string},
    flv::mux::Counters,
};

const REGION: usize = 2_048;

fn packet(kind: Kind, body: &[u8]) -> Packet {
    Packet::new(kind, 0, Bytes::copy_from_slice(body))
}

fn on_meta_data(properties: &[(&str, Value)]) -> Packet {
    let properties = properties.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
    let mut body = Vec::new();
    encode_string("onMetaData", &mut body);
    encode(&Value::EcmaArray(properties), &mut body);
    packet(Kind::Data, &body)
}

fn options(dropped: f64) -> Options {
    Options {
        reserve_bytes: REGION,
        identity: vec![("recordingId".to_owned(), Value::from("r1"))],
        extra: vec![("dropped".to_owned(), Value::from(dropped))],
    }
}

/// A stream with everything that moves the metadata, and its times.
fn stream() -> Vec<(Packet, u64)> {
    let first = [
        ("encoder", Value::from("x")),
        ("framerate", Value::Number(30.0)),
        ("width", Value::Number(1.0)),
        ("padding", Value::from("theirs")),
    ];
    let avc = b"\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe1\x00";
    let mut packets = vec![
        (on_meta_data(&first), 0),
        (packet(Kind::Audio, b"\xaf\x00\x12\x10"), 0),
        (packet(Kind::Video, avc), 0),
    ];
    for i in 0..40_u64 {
        let head: &[u8] = if i % 10 == 0 { b"\x17\x01\x00\x00\x00" } else { b"\x27\x01\0\0\0" };
        let size = if i == 21 { 3_000 } else { usize::try_from(i * i / 5).unwrap() };
        packets.push((packet(Kind::Video, &[head, &vec![0xA5; size]].concat()), i * 40));
        packets.push((packet(Kind::Audio, b"\xaf\x01SOUND"), i * 40 + 7));
        match i {
            11 => packets.push((on_meta_data(&[("title", Value::from("t"))]), i * 40)),
            13 => packets.push((packet(Kind::Data, b"\x02\x00\x0aonCuePoint\x05"), i * 40)),
            15 => {
                let body = [&b"\x00\x02\x00\x01a\x11\x06"[..], &[0x05; 5_000]].concat();
                packets.push((packet(Kind::DataAmf3, &body), i * 40));
            }
            17 => packets.push((packet(Kind::Video, b""), i * 40)),
            // Key frames of two tracks in one message, longer than what is read of a body.
            23 => {
                let track = |id: u8| [&[id, 0, 0, 200][..], &[0xA5; 200]].concat();
                let body = [b"\x96\x11av01", &track(0)[..], &track(1)].concat();
                packets.push((packet(Kind::Video, &body), i * 40 + 1));
            }
            _ => {}
        }
    }
    packets
}

/// A file as it was patched after its first packet, and the muxer after each packet.
fn written(packets: &[(Packet, u64)]) -> (Vec<u8>, Vec<Muxer>) {
    let (mut muxer, mut out) = (Muxer::new(options(0.0)), Chunks::new());
    muxer.push(&packets[0].0, packets[0].1, &mut out).unwrap();
    let mut states = vec![muxer.clone()];
    for (packet, time_ms) in &packets[1..] {
        muxer.push(packet, *time_ms, &mut out).unwrap();
        states.push(muxer.clone());
    }
    let mut file = out.to_vec();
    patch(&mut file, &states[0]);
    (file, states)
}

fn patch(file: &mut [u8], muxer: &Muxer) {
    for patch in muxer.patches() {
        let at = usize::try_from(patch.offset).unwrap();
        file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
}

/// Walks over a file, and returns also how many bytes that read, and how often.
fn restore(options: Options, file: &[u8]) -> (Restored, usize, usize) {
    let region = meta::region(&file[..FILE_HEADER.len() + REGION]).unwrap();
    let mut restore = Restore::new(options, &region, size(file.len())).unwrap();
    let (mut bytes, mut reads) = (0, 0);
    while let Some(want) = restore.want() {
        let at = usize::try_from(want.offset).unwrap();
        restore.push(&file[at..at + want.len]);
        bytes += want.len;
        reads += 1;
        assert!(reads < 10_000, "it goes on for ever");
    }
    (restore.finish(), bytes, reads)
}

/// The state as of the last whole tag in the first `len` bytes.
fn state_at(states: &[Muxer], len: usize) -> Muxer {
    let state = states.iter().rev().find(|state| state.position() <= size(len));
    let mut state = state.unwrap().clone();
    state.set_extra(options(5.0).extra);
    state
}

#[test]
fn a_file_cut_at_any_byte_gets_the_metadata_of_its_whole_tags() {
    let (written, states) = written(&stream());
    for patched in [0, 30, 60, states.len() - 1] {
        let mut file = written.clone();
        patch(&mut file, &states[patched]);
        let least = usize::try_from(states[patched].position()).unwrap();
        for len in least..=file.len() {
            let Restored { muxer, next_tag, newer_tags } = restore(options(5.0), &file[..len]).0;
            let expected = state_at(&states, len);
            assert_eq!(muxer.position(), expected.position(), "{len} bytes");
            assert_eq!(muxer.patches(), expected.patches(), "{len} bytes, patched at {patched}");
            assert_eq!(muxer.complete_patch(), expected.complete_patch());
            assert_eq!(muxer.duration_ms(), expected.duration_ms());
            assert_eq!(next_tag, None);
            let counters = |muxer: &Muxer| {
                let Counters { audio, video, data, .. } = muxer.counters();
                (audio, video, data)
            };
            assert_eq!(counters(&muxer), counters(&expected));
            let tags = |(audio, video, data)| audio + video + data;
            let older = tags(counters(&states[patched]));
            assert_eq!(newer_tags, tags(counters(&muxer)) - older);
        }
    }
}

#[test]
fn a_restored_muxer_goes_on_as_if_nothing_had_happened() {
    let packets = stream();
    let (file, states) = written(&packets);
    let (at, rest) = (50, &packets[51..]);
    let mut bytes = file[..usize::try_from(states[at].position()).unwrap()].to_vec();
    let (mut muxer, mut out) = (restore(options(0.0), &bytes).0.muxer, Chunks::new());
    muxer.start(&Header::default(), &mut out);
    for (packet, time_ms) in rest {
        muxer.push(packet, *time_ms, &mut out).unwrap();
    }
    bytes.extend(out.to_vec());
    assert_eq!(bytes, file);
    assert_eq!(muxer.patches(), states.last().unwrap().patches());
}

#[test]
fn metadata_that_was_patched_after_the_data_was_lost_says_what_the_file_has() {
    let (mut file, states) = written(&stream());
    patch(&mut file, states.last().unwrap());
    for len in FILE_HEADER.len() + REGION..file.len() {
        let muxer = restore(options(5.0), &file[..len]).0.muxer;
        let mut cut = file[..usize::try_from(muxer.position()).unwrap()].to_vec();
        patch(&mut cut, &muxer);
        let region = meta::region(&cut).unwrap();
        assert!(region.is_whole);
        #[expect(clippy::cast_precision_loss, reason = "a small file")]
        let bytes = cut.len() as f64;
        assert_eq!(region.property("filesize"), Some(&Value::Number(bytes)));
        assert_eq!(region.property("encoder"), Some(&Value::from("x")));
        assert_eq!(region.property("title"), Some(&Value::from("t")));
    }
}

#[test]
fn an_older_tag_does_not_overrule_what_the_region_has_from_later() {
    let date = |n: &str| ("creationdate", Value::from(n));
    let title = |n: &str| ("title", Value::from(n));
    let key = packet(Kind::Video, b"\x17\x01\x00\x00\x00KEY");
    let (mut file, states) = written(&[
        (key.clone(), 0),
        (on_meta_data(&[title("a"), date("1")]), 10),
        (on_meta_data(&[title("a"), date("2")]), 20),
        (key, 30),
        (on_meta_data(&[title("b"), date("3")]), 40),
    ]);
    let mut dates = Vec::new();
    for (patched, state) in states.iter().enumerate() {
        patch(&mut file, state);
        let len = usize::try_from(states[patched.max(3)].position()).unwrap();
        let mut file = file[..len].to_vec();
        let muxer = restore(options(0.0), &file).0.muxer;
        patch(&mut file, &muxer);
        let region = meta::region(&file).unwrap();
        dates.push(region.property("creationdate").and_then(Value::as_str).unwrap().to_owned());
    }
    assert_eq!(dates, ["1", "1", "2", "2", "3"]);
}

#[test]
fn a_torn_region_costs_no_more_than_what_the_publisher_said() {
    let (file, states) = written(&stream());
    let new = states.last().unwrap().patches().remove(0).bytes;
    let start = FILE_HEADER.len();
    for torn in 0..=new.len() {
        let mut torn_file = file.clone();
        torn_file[start..start + torn].copy_from_slice(&new[..torn]);
        let muxer = restore(options(0.0), &torn_file).0.muxer;
        patch(&mut torn_file, &muxer);
        let region = meta::region(&torn_file).unwrap();
        let expected = meta::region(&[&file[..start], &new].concat()).unwrap();
        assert!(region.is_whole);
        assert_eq!(region.properties[..14], expected.properties[..14], "{torn}");
        for name in ["keyframes", "trackPlaces"] {
            assert_eq!(region.property(name), expected.property(name));
        }
    }
}

#[test]
fn bodies_are_passed_over() {
    let body = [&b"\x27\x01\0\0\0"[..], &[0xA5; 100_000]].concat();
    let mut packets = vec![(packet(Kind::Video, b"\x17\x01\0\0\0"), 0)];
    for i in 1..100_u64 {
        packets.push((packet(Kind::Video, &body), i * 40));
        packets.push((packet(Kind::Audio, &[b"\xaf\x01", &[0x21; 300][..]].concat()), i * 40));
        packets.push((packet(Kind::Audio, &[b"\xaf\x01", &[0x21; 300][..]].concat()), i * 40));
    }
    let (file, states) = written(&packets);
    let (restored, bytes, reads) = restore(options(0.0), &file);
    assert_eq!(restored.muxer.patches(), states.last().unwrap().patches());
    // The first key frames and frames of sound are looked into, for what they say of their codec.
    assert!(bytes < 200_000, "{bytes} of {}", file.len());
    assert!(reads < 220, "{reads}");
}

#[test]
fn the_walk_ends_at_the_first_damage_and_tells_of_tags_behind_it() {
    let (file, states) = written(&stream());
    let tag = |i: usize| usize::try_from(states[i].position()).unwrap();
    type Damage = (&'static str, fn(&mut [u8]));
    let damage: [Damage; 5] = [
        ("size", |tag| tag[3] ^= 1),
        ("stream id", |tag| tag[9] = 1),
        ("type", |tag| tag[0] = 10),
        ("PreviousTagSize", |tag| tag[tag.len() - 1] ^= 1),
        ("all of it", |tag| tag.fill(0)),
    ];
    for (what, damage) in damage {
        let mut file = file.clone();
        damage(&mut file[tag(40)..tag(41)]);
        let Restored { muxer, next_tag, .. } = restore(options(5.0), &file).0;
        assert_eq!(muxer.patches(), state_at(&states, tag(40)).patches(), "{what}");
        assert_eq!(next_tag, Some(states[41].position()), "{what}");
    }
    let mut zeros_at_the_end = file.clone();
    zeros_at_the_end.resize(file.len() + 1_000_000, 0);
    let Restored { muxer, next_tag, .. } = restore(options(5.0), &zeros_at_the_end).0;
    assert_eq!((muxer.position(), next_tag), (size(file.len()), None));
}

#[test]
fn a_file_that_is_shorter_than_it_was_said_to_be_ends_there() {
    let (file, states) = written(&stream());
    let region = meta::region(&file).unwrap();
    let mut walk = Restore::new(options(5.0), &region, size(file.len()) + 5_000).unwrap();
    while let Some(want) = walk.want() {
        let at = usize::try_from(want.offset).unwrap();
        walk.push(&file[at..(at + want.len).min(file.len())]);
    }
    let Restored { muxer, next_tag, .. } = walk.finish();
    assert_eq!(muxer.patches(), state_at(&states, file.len()).patches());
    assert_eq!(next_tag, None);
}

#[test]
fn what_no_muxer_wrote_is_not_restored() {
    let (file, _) = written(&stream());
    let region = meta::region(&file).unwrap();
    let start = FILE_HEADER.len() + REGION;
    assert!(Restore::new(options(0.0), &region, size(start)).is_some());
    assert!(Restore::new(options(0.0), &region, size(start - 1)).is_none());
    for size_bytes in [300, size(BODY_MAX)] {
        let region = Region { size_bytes, ..region.clone() };
        assert!(Restore::new(options(0.0), &region, u64::MAX).is_none());
    }
}

/// Reads of a file of which only the start and one tag, repeated, is in memory.
fn read_generated(start: &[u8], tag: &[u8], want: Want) -> Vec<u8> {
    let bytes = (0..size(want.len)).map(|i| {
        let at = want.offset + i;
        let in_tags = at.checked_sub(size(start.len())).map(|at| at % size(tag.len()));
        let (bytes, at) = in_tags.map_or((start, at), |at| (tag, at));
        bytes[usize::try_from(at).unwrap()]
    });
    bytes.collect()
}

#[test]
fn beyond_4_gib_offsets_and_sizes_are_exact() {
    const TAGS: u64 = 300;
    let mut out = Chunks::new();
    Muxer::new(options(0.0)).start(&Header::default(), &mut out);
    let start = out.to_vec();
    let mut tag = vec![0xA5; usize::try_from(OVERHEAD).unwrap() + BODY_MAX];
    let header = TagHeader::new(9, 0xFF_FFFF, 0x0100_0000);
    tag[..11].copy_from_slice(&header.encode());
    tag[11..16].copy_from_slice(b"\x17\x01\0\0\0");
    let tag_end = tag.len() - 4;
    tag[tag_end..].copy_from_slice(&header.tag_size().to_be_bytes());
    let end = size(start.len()) + TAGS * size(tag.len());
    assert!(end > 1 << 32);
    let region = meta::region(&start).unwrap();
    let mut walk = Restore::new(options(0.0), &region, end + 500).unwrap();
    while let Some(want) = walk.want() {
        walk.push(&read_generated(&start, &tag, want));
    }
    let muxer = walk.finish().muxer;
    assert_eq!(muxer.position(), end);
    assert_eq!(muxer.counters().video, TAGS);
    assert_eq!(muxer.duration_ms(), 0x0100_0000);
}

proptest! {
    #[test]
    fn any_damage_ends_at_a_tag_before_it(
        (at, bytes) in (0_usize..10_000, prop::collection::vec(any::<u8>(), 1..300)),
        cut in 0_usize..15_000,
    ) {
        let (mut file, states) = written(&stream());
        let start = FILE_HEADER.len() + REGION;
        let at = (start + at).min(file.len() - 1);
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
        file.truncate((start + cut).min(file.len()));
        let Restored { muxer, next_tag, .. } = restore(options(5.0), &file).0;
        let intact = at.min(file.len());
        let last = states.iter().rfind(|state| state.position() <= size(intact));
        prop_assert!(muxer.position() >= last.map_or(size(start), Muxer::position));
        prop_assert!(next_tag.is_none_or(|next| next > muxer.position()));
    }
}
