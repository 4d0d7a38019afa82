use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    amf0::{encode, encode_string},
    flv::{
        probe::Report,
        scan::{Bodies, Scanner},
        tag::{FILE_HEADER, TagHeader},
    },
};

const REGION: usize = 2_048;
const AVC: &[u8] = b"\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe1\x00";
const AAC: &[u8] = b"\xaf\x00\x12\x10";

fn tag(kind: u8, time_ms: u32, body: &[u8]) -> Vec<u8> {
    let header = TagHeader::new(kind, u32::try_from(body.len()).unwrap(), time_ms);
    [&header.encode(), body, &header.tag_size().to_be_bytes()].concat()
}

fn frame(i: u32) -> Vec<u8> {
    let head: &[u8] = if i.is_multiple_of(25) { b"\x17\x01\0\0\0" } else { b"\x27\x01\0\0\0" };
    // No two frames are the same, so that a lost one shows.
    [head, &i.to_be_bytes(), &vec![0xA5; 300]].concat()
}

fn sound(i: u32) -> Vec<u8> {
    [&b"\xaf\x01"[..], &i.to_be_bytes(), &[0x21; 60]].concat()
}

/// The frames of four seconds from `start_ms` on.
fn frames(start_ms: u32) -> Vec<Vec<u8>> {
    let mut tags = vec![tag(9, start_ms, AVC), tag(8, start_ms, AAC)];
    for i in 0..100 {
        tags.push(tag(9, start_ms + i * 40, &frame(i)));
        tags.push(tag(8, start_ms + i * 40 + 3, &sound(i)));
    }
    tags
}

fn on_meta_data(value: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    encode_string("onMetaData", &mut body);
    encode(value, &mut body);
    body
}

fn properties(all: &[(&str, Value)]) -> Vec<(String, Value)> {
    all.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn flv(tags: &[Vec<u8>]) -> Vec<u8> {
    [&FILE_HEADER[..], &tags.concat()].concat()
}

fn with_metadata(all: &[(&str, Value)]) -> Vec<u8> {
    let metadata = tag(18, 0, &on_meta_data(&Value::EcmaArray(properties(all))));
    flv(&[vec![metadata], frames(0)].concat())
}

/// Frames and configurations, with their times.
fn media(bytes: &[u8]) -> Vec<(u32, Packet)> {
    let items = scan(bytes).into_iter().filter_map(|item| match item {
        Item::Tag(tag) if tag.packet.kind != Kind::Data => {
            let packet = Packet { dts_ms: 0, ..tag.packet };
            Some((tag.header.timestamp_ms, packet))
        }
        _ => None,
    });
    items.collect()
}

fn scan(bytes: &[u8]) -> Vec<Item> {
    let mut scanner = Scanner::new(Bodies::Keep);
    scanner.push(bytes);
    scanner.finish();
    std::iter::from_fn(|| scanner.poll()).collect()
}

fn report(bytes: &[u8]) -> Report {
    let mut probe = Probe::new();
    scan(bytes).iter().for_each(|item| probe.push(item));
    probe.finish()
}

fn repair(bytes: &[u8]) -> (Vec<u8>, Summary) {
    let (mut repair, mut out) = (Repair::new(REGION), Chunks::new());
    scan(bytes).iter().for_each(|item| repair.push(item, &mut out));
    let repaired = repair.finish(&mut out);
    let mut file = out.to_vec();
    for patch in repaired.patches.iter().chain([&repaired.complete]) {
        let at = usize::try_from(patch.offset).unwrap();
        file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    (file, repaired.summary)
}

/// Repairs a file and checks what holds of every repair: the new file has no fault and a true
/// index, has all audio and video that can be found in the old one, and needs no repair.
fn mended(bytes: &[u8]) -> (Vec<u8>, Summary) {
    let (file, summary) = repair(bytes);
    let report = report(&file);
    assert!(report.is_sound(), "{:?} {:?}", report.faults, report.index);
    let bodies = |bytes| media(bytes).into_iter().map(|(_, packet)| packet).collect::<Vec<_>>();
    assert!(bodies(&file) == bodies(bytes), "audio or video was lost or changed");
    for Carried { found, written } in [summary.audio, summary.video] {
        assert_eq!(found, written);
    }
    let (again, left) = repair(&file);
    assert_eq!(left.mends, BTreeMap::new());
    assert!(again == file, "a repaired file is repaired into another");
    (file, summary)
}

fn mends(summary: &Summary) -> Vec<(Mend, u64)> {
    summary.mends.iter().map(|(mend, count)| (*mend, count.count)).collect()
}

fn told(file: &[u8], name: &str) -> Option<Value> {
    let region = meta::region(file).unwrap();
    assert!(region.is_whole);
    region.property(name).cloned()
}

#[test]
fn a_file_of_a_server_that_writes_no_duration_and_no_index() {
    // nginx-rtmp 1.1: the publisher's metadata in a mixed array, times from 0.
    let file = with_metadata(&[
        ("Server", Value::from("NGINX RTMP (github.com/arut/nginx-rtmp-module)")),
        ("width", Value::Number(320.0)),
        ("displayWidth", Value::Number(320.0)),
        ("duration", Value::Number(0.0)),
        ("framerate", Value::Number(25.0)),
        ("videocodecid", Value::Number(7.0)),
        ("profile", Value::from("")),
    ]);
    let (file, summary) = mended(&file);
    assert_eq!(mends(&summary), [(Mend::Duration, 1), (Mend::NoIndex, 1)]);
    assert_eq!(told(&file, "duration"), Some(Value::Number(4.003)));
    let server = "NGINX RTMP (github.com/arut/nginx-rtmp-module)";
    assert_eq!(told(&file, "Server"), Some(Value::from(server)));
    assert_eq!(told(&file, "displayWidth"), Some(Value::Number(320.0)));
    assert_eq!(told(&file, "complete"), Some(Value::Boolean(true)));
    assert_eq!((summary.video.found, summary.audio.found, summary.data.found), (101, 101, 1));
    assert_eq!(summary.data.written, 0);
}

#[test]
fn a_file_of_a_server_that_keeps_the_encoders_clock() {
    // SRS 5 with `time_jitter off`: duration and size patched in, times as they came.
    let about = [
        ("duration", Value::Number(4.0)),
        ("filesize", Value::Number(50_000.0)),
        ("server", Value::from("SRS/5.0.170(Bee)")),
        ("server_version", Value::from("5.0.170")),
    ];
    let metadata = tag(18, 0, &on_meta_data(&Value::EcmaArray(properties(&about))));
    let file = flv(&[vec![metadata], frames(3_600_000)].concat());
    let (file, summary) = mended(&file);
    assert_eq!(mends(&summary), [(Mend::NoIndex, 1), (Mend::Start, 1)]);
    assert_eq!(told(&file, "server_version"), Some(Value::from("5.0.170")));
    let times: Vec<_> = media(&file).iter().map(|(time_ms, _)| *time_ms).collect();
    assert_eq!(times[..6], [0, 0, 0, 3, 40, 43]);
}

#[test]
fn set_data_frame_is_taken_off() {
    let mut body = Vec::new();
    encode_string("@setDataFrame", &mut body);
    body.extend(on_meta_data(&Value::Object(properties(&[("title", Value::from("t"))]))));
    let file = flv(&[vec![tag(18, 0, &body)], frames(0)].concat());
    let (file, summary) = mended(&file);
    let set = Count { count: 1, bytes: 0, first_offset: 13 };
    assert_eq!(summary.mends.get(&Mend::SetDataFrame), Some(&set));
    assert_eq!(told(&file, "title"), Some(Value::from("t")));
    assert_eq!(summary.mends.get(&Mend::NoMetadata), None);
    assert_eq!(report(&file).metadata_count, 1);
}

#[test]
fn a_file_without_metadata_gets_some() {
    let (file, summary) = mended(&flv(&frames(0)));
    assert_eq!(mends(&summary), [(Mend::NoMetadata, 1), (Mend::Duration, 1), (Mend::NoIndex, 1)]);
    assert_eq!(told(&file, "videocodecid"), Some(Value::Number(7.0)));
}

#[test]
fn a_file_cut_at_any_byte_keeps_all_its_whole_tags() {
    let file = with_metadata(&[("title", Value::from("t"))]);
    let ends: Vec<_> = scan(&file)
        .iter()
        .filter_map(|item| match item {
            Item::Tag(tag) => Some(tag.offset + tag.size),
            _ => None,
        })
        .collect();
    for len in (0..1_500).chain((1_500..file.len()).step_by(97)) {
        let (_, summary) = mended(&file[..len]);
        let whole = ends.iter().filter(|end| **end <= u64::try_from(len).unwrap()).count();
        let found = summary.audio.found + summary.video.found + summary.data.found;
        // The last tag may lack its size alone, or a part of it.
        let whole = u64::try_from(whole).unwrap();
        assert_eq!(found, whole, "{len} bytes");
        let is_torn = len != 13 && !ends.contains(&u64::try_from(len).unwrap());
        assert_eq!(summary.mends.contains_key(&Mend::Truncated), is_torn, "{len} bytes");
    }
}

#[test]
fn a_hole_of_zeros_costs_the_tags_that_it_touches() {
    let file = with_metadata(&[("title", Value::from("t"))]);
    let tags: Vec<_> = scan(&file)
        .into_iter()
        .filter_map(|item| match item {
            Item::Tag(tag) => Some(tag),
            _ => None,
        })
        .collect();
    for start in (600..30_000).step_by(701) {
        let (mut holed, hole) = (file.clone(), start..start + 4_096);
        holed[hole.clone()].fill(0);
        let (mended, summary) = mended(&holed);
        assert!(summary.mends.contains_key(&Mend::Garbage));
        let bodies: Vec<_> = media(&mended).into_iter().map(|(_, packet)| packet.body).collect();
        let hole = u64::try_from(hole.start).unwrap()..u64::try_from(hole.end).unwrap();
        for tag in tags.iter().filter(|tag| tag.packet.kind != Kind::Data) {
            let is_outside = tag.offset + tag.size <= hole.start || tag.offset >= hole.end;
            assert!(!is_outside || bodies.contains(&tag.packet.body), "tag at {}", tag.offset);
        }
    }
}

#[test]
fn two_files_in_one_become_one_film() {
    let first = with_metadata(&[("title", Value::from("one"))]);
    let (second, _) = mended(&with_metadata(&[("title", Value::from("two"))]));
    let (file, summary) = mended(&[first.clone(), second].concat());
    let garbage = Count { count: 1, bytes: 13, first_offset: u64::try_from(first.len()).unwrap() };
    assert_eq!(summary.mends.get(&Mend::Garbage), Some(&garbage));
    assert_eq!(summary.mends.get(&Mend::StrayMetadata).map(|count| count.count), Some(1));
    assert_eq!(summary.mends.get(&Mend::TimeJump).map(|count| count.count), Some(1));
    assert_eq!(summary.video.written, 202);
    assert_eq!(told(&file, "title"), Some(Value::from("two")), "the newest");
    let report = report(&file);
    assert_eq!((report.duration_ms, report.metadata_count), (7_966, 2));
    let stray = scan(&file).into_iter().rev().find_map(|item| match item {
        Item::Tag(tag) if tag.packet.kind == Kind::Data => Some(tag.packet.body),
        _ => None,
    });
    let (stray, is_whole) = meta::readable_properties(&stray.unwrap()).unwrap();
    assert!(is_whole && stray.iter().any(|(name, _)| name == "title"));
    assert!(!stray.iter().any(|(name, _)| mux::is_of_files(name)));
}

#[test]
fn sizes_ids_flags_and_header_are_set_right() {
    let mut tags = frames(0);
    let body = frame(1_000);
    for id in [1, 0xFF_FFFF] {
        let header = TagHeader { stream_id: id, ..TagHeader::new(9, 309, 4_000) };
        tags.push([&header.encode(), &body[..], &header.tag_size().to_be_bytes()].concat());
    }
    let header = TagHeader { reserved: 2, ..TagHeader::new(9, 309, 4_000) };
    tags.push([&header.encode(), &body[..], &header.tag_size().to_be_bytes()].concat());
    let header = TagHeader { encrypted: true, ..TagHeader::new(9, 309, 4_000) };
    tags.push([&header.encode(), &body[..], &header.tag_size().to_be_bytes()].concat());
    tags.push(tag(14, 4_000, b"what"));
    tags.push(tag(9, 4_000, b""));
    for tag in &mut tags[10..20] {
        let size_at = tag.len() - 4;
        tag[size_at..].fill(0);
    }
    let mut file = flv(&tags);
    file[3] = 2;
    file[4] = 0xFD;
    file[12] = 7;
    let (_, summary) = mended(&file);
    assert_eq!(
        mends(&summary),
        [
            (Mend::FileHeader, 2),
            (Mend::NoMetadata, 1),
            (Mend::Duration, 1),
            (Mend::NoIndex, 1),
            (Mend::TagSize, 11),
            (Mend::TagHeader, 3),
            (Mend::Encrypted, 1),
            (Mend::TagType, 1),
        ]
    );
    assert_eq!(summary.mends[&Mend::TagSize].first_offset, 9);
    assert_eq!(summary.video.written, 101 + 4 + 1, "the empty tag too");
}

#[test]
fn a_file_without_its_header_or_with_something_before_it() {
    let file = flv(&frames(0));
    for (broken, garbage) in [
        (file[13..].to_vec(), None),
        (file[9..].to_vec(), Some(4)),
        ([b"\xEF\xBB\xBF", &file[..]].concat(), Some(16)),
        ([b"???", &file[3..]].concat(), Some(13)),
    ] {
        let (_, summary) = mended(&broken);
        assert_eq!(summary.video.written, 101);
        assert_eq!(summary.mends[&Mend::FileHeader].count, 1);
        assert_eq!(summary.mends.get(&Mend::Garbage).map(|count| count.bytes), garbage);
    }
}

#[test]
fn times_that_go_back_are_held_and_jumps_are_closed() {
    let times = [500, 540, 520, 580, 90_000_000, 90_000_040, 0, 40];
    let tags = times.map(|time_ms| tag(9, time_ms, &frame(time_ms)));
    let (file, summary) = mended(&flv(&tags));
    let found: Vec<_> = media(&file).iter().map(|(time_ms, _)| *time_ms).collect();
    assert_eq!(found, [0, 40, 40, 80, 80, 120, 120, 160]);
    let count = |mend| summary.mends.get(&mend).map(|count| count.count);
    assert_eq!(
        [Mend::Start, Mend::TimeBack, Mend::TimeJump].map(count),
        [Some(1), Some(1), Some(2)]
    );
    let tag_bytes = u64::try_from(tags[0].len()).unwrap();
    assert_eq!(summary.mends[&Mend::TimeBack].first_offset, 13 + 2 * tag_bytes);
    assert_eq!(summary.mends[&Mend::TimeJump].first_offset, 13 + 4 * tag_bytes);
}

#[test]
fn times_that_wrap_go_on_and_what_comes_after_49_days_is_counted() {
    let start = u32::MAX - 79;
    let tags: Vec<_> = (0..5).map(|i: u32| tag(9, start.wrapping_add(i * 40), &frame(i))).collect();
    let (file, _) = mended(&flv(&tags));
    let found: Vec<_> = media(&file).iter().map(|(time_ms, _)| *time_ms).collect();
    assert_eq!(found, [0, 40, 80, 120, 160]);

    let hour = 3_600_000;
    let tags: Vec<_> = (0..1_300_u32).map(|i| tag(8, i.wrapping_mul(hour), &sound(i))).collect();
    let (file, summary) = repair(&flv(&tags));
    assert!(report(&file).is_sound());
    assert_eq!(summary.audio, Carried { found: 1_300, written: 1_194 });
    assert_eq!(summary.mends[&Mend::TooLate].count, 106);
}

/// A recording of this program, patched as it would be at its last frame.
fn recording() -> (Vec<u8>, Muxer) {
    let identity = properties(&[
        ("recordingId", Value::from("r1")),
        ("streamKey", Value::from("live/a")),
        ("segment", Value::Number(2.0)),
        ("startTime", Value::from("2026-07-31T10:00:00.000+02:00")),
    ]);
    let extra = properties(&[("received", Value::Number(201.0))]);
    let mut muxer = Muxer::new(Options { reserve_bytes: REGION, identity, extra });
    let mut out = Chunks::new();
    let packet = |kind, body: &[u8]| Packet::new(kind, 0, Bytes::copy_from_slice(body));
    let metadata = on_meta_data(&Value::Object(properties(&[("encoder", Value::from("x"))])));
    muxer.push(&packet(Kind::Data, &metadata), 0, &mut out).unwrap();
    muxer.push(&packet(Kind::Video, AVC), 0, &mut out).unwrap();
    for i in 0..100 {
        muxer.push(&packet(Kind::Video, &frame(i)), u64::from(i) * 40, &mut out).unwrap();
        muxer.push(&packet(Kind::Audio, &sound(i)), u64::from(i) * 40, &mut out).unwrap();
    }
    let mut file = out.to_vec();
    let patch = muxer.patches().remove(0);
    file[13..13 + REGION].copy_from_slice(&patch.bytes);
    (file, muxer)
}

#[test]
fn a_recording_of_this_program_stays_as_it_is() {
    let (mut file, muxer) = recording();
    let (finished, summary) = mended(&file);
    assert_eq!(mends(&summary), [(Mend::Unfinished, 1)]);
    file[usize::try_from(muxer.complete_patch().offset).unwrap()] = 1;
    assert_eq!(finished, file);
    let (same, summary) = mended(&file);
    assert_eq!((mends(&summary), same), (vec![], file));
}

#[test]
fn a_torn_recording_of_this_program_keeps_its_identity() {
    let (file, _) = recording();
    // The metadata is torn in its middle; the end is missing.
    let mut torn = file[..20_000].to_vec();
    torn[600..1_000].fill(0xEE);
    let (mended, summary) = mended(&torn);
    assert_eq!(summary.mends[&Mend::BrokenMetadata].count, 1);
    assert!(summary.mends.contains_key(&Mend::Truncated));
    let region = meta::region(&mended).unwrap();
    let names: Vec<_> = region.properties.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..5], ["recordingId", "streamKey", "segment", "startTime", "complete"]);
    assert_eq!(region.property("streamKey"), Some(&Value::from("live/a")));
    assert_eq!(region.property("complete"), Some(&Value::Boolean(true)));
    assert_eq!(names.iter().filter(|name| **name == "streamKey").count(), 1);
}

#[test]
fn nothing_at_all_gives_a_file_with_metadata_alone() {
    for bytes in [&b""[..], b"FLV", &FILE_HEADER, b"no film at all", &[0; 50_000]] {
        let (file, summary) = mended(bytes);
        assert_eq!(file.len(), 13 + REGION);
        assert!(summary.mends.contains_key(&Mend::NoMetadata));
    }
}

#[test]
fn every_mend_has_a_text_of_its_own() {
    let all = [
        Mend::FileHeader,
        Mend::NoMetadata,
        Mend::BrokenMetadata,
        Mend::StrayMetadata,
        Mend::SetDataFrame,
        Mend::Duration,
        Mend::NoIndex,
        Mend::WrongIndex,
        Mend::Unfinished,
        Mend::TagSize,
        Mend::TagHeader,
        Mend::Encrypted,
        Mend::TagType,
        Mend::Garbage,
        Mend::Truncated,
        Mend::Start,
        Mend::TimeBack,
        Mend::TimeJump,
        Mend::TooLate,
        Mend::Part,
        Mend::CutPart,
        Mend::Samples,
        Mend::Full,
    ];
    let texts: std::collections::BTreeSet<_> = all.iter().map(|mend| mend.text()).collect();
    assert_eq!(texts.len(), all.len());
}

/// What can happen to a stretch of a file: so many bytes are replaced by others.
pub(crate) fn damage() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..600);
    prop_oneof![
        bytes().prop_map(|bytes| (bytes.len(), bytes)),
        (1_usize..6_000).prop_map(|len| (len, vec![0; len])),
        (1_usize..6_000).prop_map(|len| (len, Vec::new())),
        bytes().prop_map(|bytes| (0, bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_damage_is_mended_and_costs_only_what_it_touches(
        (replaced, by) in damage(),
        at in 0_usize..45_000,
    ) {
        let (file, _) = recording();
        let at = at % file.len();
        let end = (at + replaced).min(file.len());
        let damaged = [&file[..at], &by, &file[end..]].concat();
        let (mended, _) = mended(&damaged);
        let bodies: Vec<_> = media(&mended).into_iter().map(|(_, packet)| packet.body).collect();
        let [at, end] = [at, end].map(|offset| u64::try_from(offset).unwrap());
        for item in scan(&file) {
            let Item::Tag(tag) = item else { continue };
            let is_outside = tag.offset + tag.size <= at || tag.offset >= end;
            if is_outside && tag.packet.kind != Kind::Data {
                prop_assert!(bodies.contains(&tag.packet.body), "lost the tag at {}", tag.offset);
            }
        }
    }
}

/// `onMetaData` in an AMF3 container, which says a title.
const AMF3: &[u8] = b"\x00\x02\x00\x0aonMetaData\x11\x0a\x0b\x01\x0btitle\x06\x09live\x01";

#[test]
fn script_data_in_amf3_is_kept_as_it_is_and_its_values_are_told() {
    let broken: &[u8] = b"\x00\x11\x77";
    let amf3 = |file: &[u8]| {
        let items = scan(file).into_iter().filter_map(|item| match item {
            Item::Tag(tag) if tag.header.kind == 15 => {
                Some((tag.header.timestamp_ms, tag.packet.body.to_vec()))
            }
            _ => None,
        });
        items.collect::<Vec<_>>()
    };
    let kept = vec![(0, AMF3.to_vec()), (920, AMF3.to_vec()), (1_883, broken.to_vec())];
    let mut tags = frames(0);
    tags.insert(0, tag(15, 0, AMF3));
    tags.insert(50, tag(15, 920, AMF3));
    tags.insert(100, tag(15, 1_883, broken));
    let (file, summary) = mended(&flv(&tags));
    let told = [(Mend::NoMetadata, 1), (Mend::Duration, 1), (Mend::NoIndex, 1)];
    assert_eq!(mends(&summary), told);
    assert_eq!(summary.data, Carried { found: 3, written: 3 });
    assert_eq!(amf3(&file), kept);
    let title = |file: &[u8]| {
        let metadata = report(file).metadata;
        metadata.into_iter().find(|(name, _)| name == "title").map(|(_, value)| value)
    };
    assert_eq!(title(&file), Some(Value::from("live")));

    // Where the file has metadata, that is what counts.
    let metadata = [("title", Value::from("mine")), ("duration", Value::from(4.0))];
    tags.insert(0, tag(18, 0, &on_meta_data(&Value::EcmaArray(properties(&metadata)))));
    let (file, summary) = mended(&flv(&tags));
    assert_eq!(mends(&summary), [(Mend::NoIndex, 1)]);
    assert_eq!((amf3(&file), title(&file)), (kept, Some(Value::from("mine"))));
}
