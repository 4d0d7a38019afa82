use super::*;
use crate::{
    Chunks, Header, Packet, amf0,
    codec::{AudioCodec, ColorInfo, VideoCodec},
    flv::{
        mux::{Muxer, Options},
        scan::{Bodies, FaultKind, Scanner},
        tag,
    },
};

fn report(bytes: &[u8]) -> Report {
    let (mut scanner, mut probe) = (Scanner::new(Bodies::Skip), Probe::new());
    scanner.push(bytes);
    scanner.finish();
    while let Some(item) = scanner.poll() {
        probe.push(&item);
    }
    probe.finish()
}

fn packet(kind: Kind, body: &[u8]) -> Packet {
    Packet::new(kind, 0, bytes::Bytes::copy_from_slice(body))
}

/// Ten seconds at 25 frames a second, a key frame each second, sound every 20 ms; patched as at its
/// end.
fn recording(has_video: bool) -> Vec<u8> {
    let mut muxer = Muxer::new(Options {
        reserve_bytes: 4_096,
        extra: vec![("recordingid".to_owned(), Value::from("r1"))],
        ..Options::default()
    });
    let mut out = Chunks::new();
    muxer.start(&Header::default(), &mut out);
    let avc = b"\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe0\x00";
    let mut put = |packet: Packet, time_ms| muxer.push(&packet, time_ms, &mut out).unwrap();
    if has_video {
        put(packet(Kind::Video, avc), 0);
    }
    put(packet(Kind::Audio, b"\xaf\x00\x12\x10"), 0);
    for i in 0..500_u64 {
        put(packet(Kind::Audio, &[&b"\xaf\x01"[..], &[0x21; 98]].concat()), i * 20);
        if has_video && i % 2 == 0 {
            let head: &[u8] = match i % 50 {
                0 => b"\x17\x01\x00\x00\x50",
                _ => b"\x27\x01\xff\xff\xd8",
            };
            put(packet(Kind::Video, &[head, &[0xA5; 995]].concat()), i * 20);
        }
    }
    let mut bytes = out.to_vec();
    for patch in muxer.patches() {
        let at = usize::try_from(patch.offset).unwrap();
        bytes[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    bytes
}

#[test]
fn a_recording_is_described() {
    let bytes = recording(true);
    let report = report(&bytes);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.duration_ms, report.last_ms, report.tags), (10_000, 9_980, 753));
    assert_eq!(report.tag_bytes + 13, u64::try_from(bytes.len()).unwrap());
    assert_eq!(report.metadata_count, 1);
    let names: Vec<_> = report.metadata.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"recordingid") && names.contains(&"duration"));
    assert!(!names.iter().any(|name| name.starts_with("padding") || *name == "keyframes"));
    assert_eq!(report.index, IndexCheck::True { entries: 10 });

    let [video, audio] = &report.tracks[..] else { panic!("{:?}", report.tracks) };
    assert_eq!((video.kind, video.id, video.frames, video.configs), (Kind::Video, 0, 250, 1));
    assert_eq!((video.keys, video.key_interval_max_ms), (10, 1_000));
    assert_eq!(video.key_interval_mean_ms(), Some(1_000.0));
    assert_eq!(video.composition_time_ms, Some((-40, 80)));
    assert_eq!(video.frame_rate(), Some(25.0));
    assert_eq!(video.duration_ms(), 10_000);
    assert_eq!(video.bit_rate(), Some((250.0 * 1_000.0 + 12.0) * 8.0 / 10.0));
    let Codec::Video(info) = &video.codec else { panic!("{:?}", video.codec) };
    assert_eq!(info.codec, VideoCodec::Avc);

    assert_eq!((audio.kind, audio.frames, audio.keys), (Kind::Audio, 500, 0));
    let Codec::Audio(info) = &audio.codec else { panic!("{:?}", audio.codec) };
    assert_eq!((info.codec, info.sample_rate_hz, info.channels), (AudioCodec::Aac, 44_100, 2));
}

#[test]
fn an_index_of_audio_is_right_where_there_is_no_video() {
    let report = report(&recording(false));
    assert_eq!(report.index, IndexCheck::True { entries: 5 });
    assert!(report.is_sound());
    assert_eq!(report.tracks.len(), 1);
}

#[test]
fn an_index_that_points_beside_its_tags_is_found_out() {
    let mut bytes = recording(true);
    // A byte more in front of the first media tag moves all of them.
    let at = 13 + 4_096;
    bytes.splice(at..at, [0xEE]);
    let report = report(&bytes);
    assert_eq!(report.index, IndexCheck::Wrong { entries: 10, wrong: 10 });
    assert!(!report.is_sound());
    assert_eq!(report.fault_count, 1);
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    let bytes = recording(true);
    let report = report(&bytes[..bytes.len() - 100]);
    assert!(report.is_truncated());
    assert_eq!(report.fault_count, 1);
}

#[test]
fn faults_are_counted_all_and_kept_up_to_a_bound() {
    let mut probe = Probe::new();
    for offset in 0..5_000 {
        probe.push(&Item::Fault(Fault { offset, kind: FaultKind::Reserved }));
    }
    let report = probe.finish();
    assert_eq!((report.fault_count, report.faults.len()), (5_000, Report::FAULTS_MAX));
    assert_eq!(report.faults.last().map(|fault| fault.offset), Some(4_999));
}

#[test]
fn nothing_at_all_is_reported_without_numbers() {
    let report = report(b"");
    assert!(report.tracks.is_empty() && report.header.is_none());
    assert_eq!((report.duration_ms, report.index), (0, IndexCheck::None));
    assert!(report.is_truncated());
}

/// A file of these messages, 40 ms apart.
fn file(packets: &[Packet]) -> Vec<u8> {
    let (mut muxer, mut out) = (Muxer::new(Options::default()), Chunks::new());
    for (i, packet) in (0..).zip(packets) {
        muxer.push(packet, i * 40, &mut out).unwrap();
    }
    out.to_vec()
}

fn colors(value: &Value) -> Vec<u8> {
    let mut body = b"\x94hvc1".to_vec();
    amf0::encode_string("colorInfo", &mut body);
    amf0::encode(value, &mut body);
    body
}

#[test]
fn every_track_of_a_message_is_counted_by_itself() {
    let video = |body: &[u8]| packet(Kind::Video, body);
    let mut long = b"\x96\x23vp08\x00\x00\x00\x0a\x30\x00\x00\x9d\x01\x2a\x40\x01\xb4\x00".to_vec();
    long.extend(b"av01\x02\x00\x20\x00");
    long.resize(long.len() + 8_192, 7);
    let packets = [
        video(b"\x96\x20vp08\x00\x00\x00\x00av01\x02\x00\x00\x02AB"),
        video(&long),
        video(b"\x96\x03av01\x02F"),
        video(b"\xa6\x13vp08\x00\x00\x00\x01F\x01\x00\x00\x02FF"),
        video(b"\x96\x22vp08\x00\x00\x00\x00av01\x02\x00\x00\x00"),
    ];
    let report = report(&file(&packets));
    assert!(report.is_sound() && report.malformed == 0, "{report:?}");
    let ids: Vec<_> = report.tracks.iter().map(|track| track.id).collect();
    assert_eq!(ids, [0, 1, 2]);
    let [first, second, third] = &report.tracks[..] else { panic!() };
    assert_eq!((first.frames, first.keys, first.configs, first.bytes), (2, 1, 1, 11));
    assert_eq!((second.frames, second.keys, second.bytes), (1, 0, 2));
    assert_eq!((third.frames, third.keys, third.bytes), (2, 2, 2 + 8_192 + 8));
    let Codec::Video(info) = &first.codec else { panic!() };
    assert_eq!((info.codec, info.width, info.height), (VideoCodec::Vp8, 320, 180));
    let Codec::Video(info) = &third.codec else { panic!() };
    assert_eq!(info.codec, VideoCodec::Av1);
    let layouts = |track: &Track| {
        let Enhanced { messages, one_track, many_tracks, many_codecs, .. } = track.enhanced;
        (messages, one_track, many_tracks, many_codecs)
    };
    assert_eq!(layouts(first), (4, 0, 1, 3));
    assert_eq!(layouts(third), (4, 1, 0, 3));
    assert_eq!((first.enhanced.sequence_ends, second.enhanced.sequence_ends), (1, 0));
}

#[test]
fn colors_and_channels_are_those_that_were_told_last() {
    let object = |name: &str, value: Value| Value::Object(vec![(name.to_owned(), value)]);
    let hdr = object("colorConfig", object("transferCharacteristics", 18.0.into()));
    let mut packets = vec![
        packet(Kind::Video, &colors(&hdr)),
        packet(Kind::Video, b"\x94hvc1\x02\x00"),
        packet(Kind::Audio, b"\x94Opus\x01\x06\x00\x00\x00\x3f"),
        packet(Kind::Audio, b"\x94Opus\x01\x06\x00"),
    ];
    let report = report_of(&packets);
    let [video, audio] = &report.tracks[..] else { panic!("{:?}", report.tracks) };
    let expected = ColorInfo { transfer: Some(18), ..ColorInfo::default() };
    assert_eq!(video.enhanced.color, Some(expected));
    assert_eq!((video.enhanced.metadata, video.enhanced.metadata_unreadable), (2, 1));
    assert_eq!(audio.enhanced.channels.as_ref().and_then(|layout| layout.name()), Some("5.1"));
    assert_eq!((audio.enhanced.metadata, audio.enhanced.metadata_unreadable), (2, 1));
    packets.push(packet(Kind::Video, &colors(&Value::Undefined)));
    assert_eq!(report_of(&packets).tracks[0].enhanced.color, None, "taken back");
}

fn report_of(packets: &[Packet]) -> Report {
    report(&file(packets))
}

#[test]
fn modifiers_are_counted_and_their_offsets_shown() {
    let report = report_of(&[
        packet(Kind::Video, b"\x97\x02\x00\x00\x05\x03vp09K"),
        packet(Kind::Video, b"\xa7\x02\x0f\x42\x3f\x07\x00\xee\x53vp09F"),
        packet(Kind::Video, b"\xa7\x02\xff\xff\xff\x03vp09F"),
        packet(Kind::Video, b"\xa3vp09F"),
        packet(Kind::Audio, b"\x97\x02\x00\x00\x07\x01Opus\x01"),
    ]);
    let enhanced = &report.tracks[0].enhanced;
    assert_eq!((enhanced.modified, enhanced.unknown_modifiers), (3, 2));
    assert_eq!(enhanced.timestamp_offset_nanos, Some((5, 999_999)));
    assert_eq!(report.tracks[1].enhanced.timestamp_offset_nanos, Some((7, 7)));
}

#[test]
fn commands_and_reserved_types_are_counted_in_plain_flv_too() {
    let report = report_of(&[
        packet(Kind::Video, b"\x57\x00"),
        packet(Kind::Video, b"\x52\x01"),
        packet(Kind::Video, b"\x57\x02"),
        packet(Kind::Video, b"\x27\x09F"),
        packet(Kind::Video, b"\xaahvc1F"),
        packet(Kind::Audio, b"\x9fOpusF"),
        packet(Kind::Audio, b"\xaf\x01F"),
    ]);
    let [video, audio] = &report.tracks[..] else { panic!("{:?}", report.tracks) };
    let commands = Commands { seek_starts: 1, seek_ends: 1, others: 1 };
    let Enhanced { reserved, first_reserved, .. } = video.enhanced;
    assert_eq!((video.enhanced.commands, reserved, first_reserved), (commands, 2, Some(9)));
    let Enhanced { reserved, first_reserved, .. } = audio.enhanced;
    assert_eq!((audio.enhanced.commands, reserved, first_reserved), (<_>::default(), 1, Some(15)));
    assert_eq!((video.frames, audio.frames, report.malformed), (2, 2, 0));
}

#[test]
fn a_start_of_frames_in_mpeg_2_ts_tells_what_its_descriptor_says() {
    let start = |data: &[u8]| packet(Kind::Video, &[&b"\x95av01"[..], data].concat());
    let report = report_of(&[start(b"\x80\x04\x81\x08\x4c\x00")]);
    let [video] = &report.tracks[..] else { panic!("{:?}", report.tracks) };
    assert_eq!((video.enhanced.ts_starts, video.configs), (1, 1));
    let Codec::Video(info) = &video.codec else { panic!("{:?}", video.codec) };
    let told = (info.codec_string.as_deref(), info.profile.as_deref(), info.bit_depth);
    assert_eq!(told, (Some("av01.0.08M.10"), Some("Main"), Some(10)));
    let report = report_of(&[start(b"\x80\x04\x81\x08")]);
    let Codec::Video(info) = &report.tracks[0].codec else { panic!("{:?}", report.tracks) };
    assert_eq!(*info, crate::codec::VideoInfo::new(VideoCodec::Av1));
}

#[test]
fn heads_that_cannot_be_read_are_told_and_no_fault() {
    let report = report_of(&[
        packet(Kind::Video, b"\x93hvc1K"),
        packet(Kind::Audio, b"\x95\x51mp4a\x00"),
        packet(Kind::Video, b"\x96\x13hvc1\x00\x00\x00\x01F\x01\x00\x00\x09F"),
        packet(Kind::Audio, b""),
    ]);
    assert!(report.is_sound());
    assert_eq!(report.malformed, 2);
    let (offset, malformed) = report.first_malformed.unwrap();
    assert_eq!(malformed, Malformed::Layout(5));
    assert!(offset > 13);
    let [video, audio] = &report.tracks[..] else { panic!("{:?}", report.tracks) };
    assert_eq!((video.frames, audio.frames), (2, 1), "what can be read is counted");
}

/// `onMetaData` in an AMF3 container: the name in AMF0, the values in AMF3.
const AMF3: &[u8] =
    b"\x00\x02\x00\x0aonMetaData\x11\x0a\x0b\x01\x0btitle\x06\x09live\x0bwidth\x04\x85\x00\x01";

#[test]
fn script_data_in_amf3_is_shown_and_what_is_none_is_told() {
    let long = [&b"\x00\x06"[..], &[0x0d; 5_000]].concat();
    let packets = [
        packet(Kind::DataAmf3, AMF3),
        packet(Kind::DataAmf3, &AMF3[1..]),
        packet(Kind::DataAmf3, b"\x00\x11\x06\x15onCuePoint\x11\x06\x00"),
        packet(Kind::DataAmf3, &long),
        packet(Kind::DataAmf3, b"\x00\x02\x00\x01a\x11\x77"),
        packet(Kind::DataAmf3, b""),
    ];
    let file = file(&packets);
    // The metadata that the muxer began with is not looked at.
    let at = 13 + usize::try_from(tag::OVERHEAD).unwrap() + body_bytes(&file);
    let report = report(&[&file[..13], &file[at..]].concat());
    assert!(report.is_sound() && report.tracks.is_empty(), "{report:?}");
    assert_eq!((report.tags, report.amf3_tags, report.metadata_count), (6, 6, 2));
    let expected = [("title", Value::from("live")), ("width", Value::from(640.0))];
    assert_eq!(report.metadata, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(report.malformed, 2);
    let error = amf0::Error::UnknownAmf3Marker { offset: 5, marker: 0x77 };
    assert_eq!(report.first_malformed.unwrap().1, Malformed::Script(error));
}

fn body_bytes(file: &[u8]) -> usize {
    let header = tag::TagHeader::decode(*file[13..].first_chunk().unwrap());
    usize::try_from(header.size).unwrap()
}
