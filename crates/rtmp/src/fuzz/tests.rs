//! The corpora: what they begin with, made of the recorded sessions of this crate's tests, and all
//! of what they hold, run once.

use std::time::Instant;

use media::amf0::Value;

use super::*;
use crate::command::Command;

#[expect(clippy::duplicate_mod, reason = "the tests that it is for keep it to themselves")]
#[path = "../server/tests/recorded.rs"]
mod recorded;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

use recorded::{
    FFMPEG_PLAY, FFMPEG_PUBLISH, OBS_PUBLISH, RTMP2SINK_PUBLISH, RTMP2SRC_PLAY, RTMPDUMP_PLAY,
    RTMPSINK_PUBLISH,
};
use replay::replay;

/// Any instant will do, and this is the only way to one.
#[expect(clippy::disallowed_methods, reason = "tests need an instant to count from")]
fn now() -> Instant {
    Instant::now()
}

/// What real clients sent behind their handshakes.
fn sessions() -> Vec<Vec<u8>> {
    let hex = [
        FFMPEG_PUBLISH,
        FFMPEG_PLAY,
        RTMPSINK_PUBLISH,
        RTMPDUMP_PLAY,
        RTMP2SRC_PLAY,
        RTMP2SINK_PUBLISH,
        OBS_PUBLISH,
    ];
    let byte = |hex: &str, at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    hex.map(|hex| (0..hex.len()).step_by(2).map(|at| byte(hex, at)).collect()).into()
}

#[test]
fn handshake_corpus() {
    let mut plain = vec![0; 3_073 + 4];
    plain[1] = 3;
    let mut seeds: Vec<_> = (0..3).map(|side| [&[side], &plain[1..]].concat()).collect();
    let starts: [&[u8]; 5] = [b"\x06", b"\x16\x03\x01", b"GET / HTTP/1.1", b"OPTIONS", b"\x03\x01"];
    seeds.extend(starts.map(|start| [&[0], start].concat()));
    replay("handshake", handshake, &seeds);
}

#[test]
fn chunk_reader_corpus() {
    let mut seeds = sessions();
    // An extended timestamp that is repeated, and one that is left out; aborts; every format.
    seeds.push(
        [&b"\x03\xff\xff\xff\0\0\xc8\x08\x01\0\0\0\x01\0\0\0"[..], &[7; 128], b"\xc3\x01\0\0\0"]
            .concat(),
    );
    seeds.push([&b"\x03\xff\xff\xff\0\0\x84\x08\x01\0\0\0\x01\0\0\0"[..], &[7; 128]].concat());
    seeds.push(
        b"\x02\0\0\0\0\0\x04\x02\0\0\0\0\0\0\0\x03\x40\x01\0\0\x05\0\0\x01\x08x\xc0\x01y".into(),
    );
    replay("chunk_reader", chunk_reader, &seeds);
}

#[test]
fn chunk_writer_corpus() {
    let mut seeds = vec![Vec::new()];
    seeds.push((0..=255).collect());
    seeds.push([0, 0, 0, 0, 0, 0, 0x2a, 8, 200, 1, 2, 3].repeat(6));
    seeds.push([0x0e, 9, 0xff, 0xff, 0xff, 0, 255, 1, 0x2e, 9, 255, 1, 0x4e, 9, 3].repeat(4));
    replay("chunk_writer", chunk_writer, &seeds);
}

#[test]
fn command_corpus() {
    let mut connect = Command::new("connect", 1.0, vec![]);
    connect.object = Value::Object(vec![("app".to_owned(), "live".into())]);
    let publish = Command::new("publish", 5.0, vec!["test".into(), "live".into()]);
    let seeds = [connect.encode().to_vec(), publish.encode().to_vec(), b"\x02\0\x01a".to_vec()];
    replay("command", command, &seeds);
}

#[test]
fn message_corpus() {
    let aggregate =
        b"\x16\x09\0\0\x02\0\0\x14\0\0\0\0\x17\x01\0\0\0\x0d\x08\0\0\x01\0\0\x15\0\0\0\0x";
    let seeds = [
        aggregate.to_vec(),
        b"\x04\0\x06\0\0\0\x01".to_vec(),
        b"\x04\0\x03\0\0\0\x01\0\0\0\x64".to_vec(),
        b"\x06\0\0\0\x01\x02".to_vec(),
        b"\x12\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09".to_vec(),
        b"\x0f\0\x02\0\x0aonMetaData\x11\x0a\x0b\x01\x03a\x04\x01\x01".to_vec(),
        b"\x11\0\x02\0\x05close\0\0\0\0\0\0\0\0\0\x05".to_vec(),
    ];
    replay("message", message, &seeds);
}

#[test]
fn url_corpus() {
    let seeds = [
        "rtmp://localhost/live/test",
        "RTMP://user:secret@host:1936/app/instance/name?token=a/b",
        "rtmp://[::1]:1935//live//test",
        "rtmps://host/a/b",
        "rtmp://[1:2/a/b",
    ];
    replay("url", url, &seeds.map(|text| text.as_bytes().to_vec()));
}

#[test]
fn server_bytes_corpus() {
    let mut seeds: Vec<_> = sessions().iter().map(|bytes| [&[0], &bytes[..]].concat()).collect();
    seeds.push([&[8], &sessions()[0][..]].concat());
    seeds.push(vec![1, 3, 0, 0]);
    let now = now();
    replay("server_bytes", |data| server_bytes(now, data), &seeds);
}

/// Steps as [`script`] reads them: stream, transaction, what, and what that needs.
#[test]
fn server_script_corpus() {
    let connect: &[u8] = &[0, 0, 1, 0, 5];
    let create: &[u8] = &[0, 0, 2, 1];
    let publish: &[u8] = &[1, 1, 3, 3, 0, 0];
    let play: &[u8] = &[0, 1, 0, 4, 0, 0, 0];
    let media: &[u8] = &[0, 1, 0, 9, 2, 0, 1, 1, 0, 8, 3, 0, 1, 0, 10, 0, 0];
    let calls: &[u8] = &[0, 1, 1, 7, 7, 1, 0, 1, 1, 7, 2, 0, 160, 1, 0, 9, 0, 0, 40, 3];
    let acts: &[u8] = &[195, 1, 9, 197, 1, 198, 1, 196, 1, 194, 0, 19, 192, 0];
    let ends: &[u8] = &[0, 1, 0, 5, 0, 1, 0, 6, 199, 0, 0];
    let all = |choice: u8, use_: &[u8]| {
        [&[choice], connect, create, use_, media, calls, acts, ends].concat()
    };
    let seeds = [all(0, publish), all(0, play), all(1, publish), all(2, play), all(4, publish)];
    let now = now();
    // They get to where it matters.
    let told = seeds.each_ref().map(|seed| server::script(now, seed).join("\n"));
    let tells = |at: usize, event: &str| told[at].contains(event);
    assert!(tells(0, "Publish {") && tells(0, "Media {") && tells(0, "PublishEnded {"), "{told:?}");
    assert!(tells(1, "Play {") && tells(1, "PlayEnded {"), "{told:?}");
    replay("server_script", |data| server_script(now, data), &seeds);
}

#[test]
fn client_session_corpus() {
    let connected: &[u8] = &[0, 0, 1, 0, 0, 0];
    let created = |id: u8| [0, 1, id, 2];
    let status = |level: u8, code: u8| [0, 1, 0, 5, level, code];
    let media: &[u8] = &[0, 1, 0, 9, 0, 0, 1, 1, 0, 8, 0, 217, 1, 3];
    let play = [&[0], connected, &created(2), &status(0, 5), media, &status(0, 7), media];
    let publish = [&[1], connected, &created(4), &status(0, 2), media, &status(1, 3), media];
    let refused = [&[1], connected, &created(4), &status(1, 3), media];
    let seeds = [play.concat(), publish.concat(), refused.concat()];
    let now = now();
    replay("client_session", |data| client_session(now, data), &seeds);
}
