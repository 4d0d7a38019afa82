//! Enhanced RTMP payloads, made by hand: whatever is in them passes through bit for bit, and what
//! the server must know of them (headers, key frames) it does.

use bytes::Bytes;
use media::{Kind, Packet, Role};
use testkit::Player;
use testkit::Publisher;

use super::{bodies, passes_through, relay};
use crate::support::recording;

const KEY: u8 = 1;
const INTER: u8 = 2;
/// Packet types of video (E-RTMP v2 "ExVideoTagHeader").
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const SEQUENCE_END: u8 = 2;
const CODED_FRAMES_X: u8 = 3;
const METADATA: u8 = 4;
const MPEG2TS_SEQUENCE_START: u8 = 5;
const MULTITRACK: u8 = 6;
const MOD_EX: u8 = 7;
/// Packet types of audio (E-RTMP v2 "ExAudioTagHeader").
const MULTICHANNEL_CONFIG: u8 = 4;
const AUDIO_MULTITRACK: u8 = 5;

/// Bytes that differ from packet to packet and hold every value.
fn payload(seed: usize, size: usize) -> Vec<u8> {
    (0..size).map(|i| u8::try_from((i * 7 + seed * 31) % 256).unwrap()).collect()
}

fn video(frame_type: u8, packet_type: u8, dts_ms: i64, rest: &[&[u8]]) -> Packet {
    let first = [0x80 | frame_type << 4 | packet_type];
    let body = [&first, rest.concat().as_slice()].concat();
    Packet::new(Kind::Video, dts_ms, Bytes::from(body))
}

fn audio(packet_type: u8, dts_ms: i64, rest: &[&[u8]]) -> Packet {
    let body = [&[0x90 | packet_type], rest.concat().as_slice()].concat();
    Packet::new(Kind::Audio, dts_ms, Bytes::from(body))
}

/// Two groups of pictures of one codec, every packet type among them.
fn pictures(fourcc: &[u8; 4]) -> Vec<Packet> {
    let config = payload(0, 40);
    // Composition times go below zero.
    let (later, earlier) = ([0, 0, 40], [0xff, 0xff, 0xd8]);
    let mut packets = vec![video(KEY, SEQUENCE_START, 0, &[fourcc, &config])];
    for group in 0..2 {
        let at = |n: i64| group * 160 + n * 40;
        packets.extend([
            video(KEY, CODED_FRAMES, at(0), &[fourcc, &later, &payload(1, 5_000)]),
            video(KEY, METADATA, at(0), &[fourcc, b"\x02\x00\x09colorInfo\x05"]),
            video(INTER, CODED_FRAMES_X, at(1), &[fourcc, &payload(2, 300)]),
            video(INTER, CODED_FRAMES, at(2), &[fourcc, &earlier, &payload(3, 70_000)]),
            video(INTER, CODED_FRAMES_X, at(3), &[fourcc]),
        ]);
    }
    packets.push(video(KEY, SEQUENCE_END, 320, &[fourcc]));
    packets
}

/// Half a second of one audio codec.
fn sound(fourcc: &[u8; 4], has_config: bool) -> Vec<Packet> {
    let config = has_config.then(|| audio(SEQUENCE_START, 0, &[fourcc, &payload(4, 19)]));
    let frames = (0..25).map(|n| audio(CODED_FRAMES, n * 20, &[fourcc, &payload(5, 160)]));
    let end = audio(SEQUENCE_END, 500, &[fourcc]);
    config.into_iter().chain(frames).chain([end]).collect()
}

#[tokio::test]
async fn every_fourcc_passes_through_bit_for_bit() {
    let server = recording().start();
    for fourcc in [b"avc1", b"hvc1", b"vvc1", b"av01", b"vp08", b"vp09", b"zzzz"] {
        let key = format!("live/{}", String::from_utf8_lossy(fourcc));
        passes_through(&server, &key, &pictures(fourcc)).await;
    }
    for (fourcc, has_config) in [
        (b"Opus", true),
        (b"fLaC", true),
        (b"mp4a", true),
        (b"ac-3", false),
        (b"ec-3", false),
        (b".mp3", false),
        (b"zzzz", false),
    ] {
        let key = format!("sound/{}", String::from_utf8_lossy(fourcc));
        passes_through(&server, &key, &sound(fourcc, has_config)).await;
    }
}

#[tokio::test]
async fn pictures_and_sound_of_different_codecs_pass_through_together() {
    let server = recording().start();
    let mut sent = pictures(b"av01");
    let config = sent.remove(0);
    let mut sound = sound(b"Opus", true);
    let sound_config = sound.remove(0);
    sent.extend(sound);
    sent.sort_by_key(|packet| (packet.dts_ms, packet.kind));
    // At the same time pictures come first, so a key frame does.
    sent.splice(0..0, [config, sound_config]);
    passes_through(&server, "live/test", &sent).await;
}

/// `ModEx` before a packet type: once short, once with the long form of its size, once twice.
fn modified(frame_type: u8, packet_type: u8, dts_ms: i64, rest: &[&[u8]]) -> Vec<Packet> {
    let nanos = [0x01, 0xe2, 0x40];
    let rest = rest.concat();
    let short = [&[2], nanos.as_slice(), &[packet_type]].concat();
    let unknown = payload(6, 300);
    let long = [&[0xff, 0x01, 0x2b], unknown.as_slice(), &[0x10 | packet_type]].concat();
    let again = [&[0xff, 0x01, 0x2b], unknown.as_slice(), &[0x10 | MOD_EX], &short].concat();
    [short, long, again]
        .iter()
        .map(|prefix| video(frame_type, MOD_EX, dts_ms, &[prefix, &rest]))
        .collect()
}

#[tokio::test]
async fn modifiers_and_tracks_pass_through_bit_for_bit() {
    let server = recording().start();
    let hvc1 = b"hvc1".as_slice();
    let mut sent = vec![video(KEY, SEQUENCE_START, 0, &[hvc1, &payload(0, 40)])];
    sent.extend(modified(KEY, CODED_FRAMES, 40, &[hvc1, &[0, 0, 0], &payload(1, 3_000)]));
    sent.extend(modified(INTER, CODED_FRAMES_X, 80, &[hvc1, &payload(2, 3_000)]));
    assert!(sent[1..4].iter().all(|packet| packet.role == Role::Key));
    passes_through(&server, "live/modified", &sent).await;

    let one = |packet_type: u8| [packet_type];
    let many = |packet_type: u8| [0x10 | packet_type];
    let mixed = |packet_type: u8| [0x20 | packet_type];
    let track = |id: u8, data: &[u8]| {
        let size = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&[id], &size[1..], data].concat()
    };
    let (config, frame) = (payload(7, 30), payload(8, 2_000));
    let both = [track(0, &frame), track(1, &frame)].concat();
    let codecs = [b"avc1", track(0, &frame).as_slice(), b"av01", &track(1, &frame)].concat();
    let sent = [
        video(KEY, MULTITRACK, 0, &[&one(SEQUENCE_START), hvc1, &[0], &config]),
        video(KEY, MULTITRACK, 0, &[&one(SEQUENCE_START), hvc1, &[1], &config]),
        audio(AUDIO_MULTITRACK, 0, &[&one(SEQUENCE_START), b"Opus", &[0], &config]),
        audio(AUDIO_MULTITRACK, 0, &[&one(SEQUENCE_START), b"Opus", &[1], &config]),
        video(KEY, MULTITRACK, 0, &[&many(CODED_FRAMES_X), hvc1, &both]),
        video(INTER, MULTITRACK, 40, &[&mixed(CODED_FRAMES_X), &codecs]),
        audio(AUDIO_MULTITRACK, 41, &[&one(CODED_FRAMES), b"Opus", &[1], &frame]),
        video(INTER, MULTITRACK, 80, &[&one(CODED_FRAMES), hvc1, &[1], &[0, 0, 0], &frame]),
    ];
    passes_through(&server, "live/tracks", &sent).await;
}

#[tokio::test]
async fn payloads_that_make_no_sense_pass_through_bit_for_bit() {
    let server = recording().start();
    let mut sent = pictures(b"hvc1");
    sent.pop();
    let odd: [(Kind, &[u8]); 14] = [
        (Kind::Video, b"\x91"),
        (Kind::Video, b"\x91hv"),
        (Kind::Video, b"\x96"),
        (Kind::Video, b"\x96\x10hvc1\x00\xff\xff\xff"),
        (Kind::Video, b"\x97"),
        (Kind::Video, b"\x97\xff\xff"),
        (Kind::Video, b"\xd0hvc1\x00"),
        (Kind::Video, b"\xff"),
        (Kind::Video, b"\x00"),
        (Kind::Audio, b"\x91"),
        (Kind::Audio, b"\x95\x31Opus"),
        (Kind::Audio, b"\x97\x00"),
        (Kind::Audio, b"\x94Opus\x01\x02"),
        (Kind::Audio, b"\xff"),
    ];
    for (kind, body) in odd {
        sent.push(Packet::new(kind, 300, Bytes::from_static(body)));
    }
    passes_through(&server, "live/test", &sent).await;
}

#[tokio::test]
async fn a_late_player_gets_every_header_and_starts_at_a_key_frame() {
    let server = recording().start();
    let url = server.url("live/test");
    let hvc1 = b"hvc1".as_slice();
    let headers = [
        video(KEY, MPEG2TS_SEQUENCE_START, 0, &[hvc1, &payload(0, 40)]),
        audio(SEQUENCE_START, 0, &[b"Opus", &payload(1, 19)]),
        audio(MULTICHANNEL_CONFIG, 0, &[b"Opus", &[1, 2, 0, 0, 0, 3]]),
    ];
    let frame = |frame_type, n: usize| {
        video(frame_type, CODED_FRAMES_X, 40 * i64::try_from(n).unwrap(), &[hvc1, &payload(n, 400)])
    };
    let old: Vec<Packet> = (0..8).map(|n| frame(if n % 4 == 0 { KEY } else { INTER }, n)).collect();
    let mut witness = Player::connect(&url).await.unwrap();
    let mut publisher = Publisher::connect(&url).await.unwrap();
    let sent = [headers.as_slice(), &old].concat();
    relay(&mut publisher, &mut witness, &sent).await;

    let mut late = Player::connect(&url).await.unwrap();
    let got = late.packets(headers.len() + 4).await;
    let (first, rest) = got.split_at(headers.len());
    for header in &headers {
        assert!(bodies(first).contains(&header.body.as_ref()), "{:?}", header.role);
    }
    assert!(bodies(rest) == bodies(&old[4..]));
    assert_eq!(rest[0].role, Role::Key);
}
