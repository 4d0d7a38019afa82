//! Movies and parts of packets made here and of messages that real encoders sent.

use proptest::prelude::*;

use super::*;
use crate::codec::tests::samples;
use crate::{Chunks, Header, Kind, Packet};

mod heads;
mod long;
mod movie;
mod mux;
mod parts;
mod plan;
mod repair;
mod scan;
mod there_and_back;
mod tree;

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn packet(kind: Kind, dts_ms: i64, body: &[u8]) -> Packet {
    Packet::new(kind, dts_ms, body.to_vec().into())
}

/// The configuration of AVC, 638 by 358, and of AAC, 48 kHz stereo.
fn configs() -> [Packet; 2] {
    let avc = bytes(samples::VIDEO[0].body);
    [packet(Kind::Video, 0, &avc), packet(Kind::Audio, 0, &[0xAF, 0, 0x11, 0x90])]
}

/// A frame of AVC: its composition time, and bytes that tell its number.
fn video(dts_ms: i64, is_key: bool, composition_ms: i32, number: u32) -> Packet {
    let [_, composition @ ..] = composition_ms.to_be_bytes();
    let mut body = vec![if is_key { 0x17 } else { 0x27 }, 1];
    body.extend_from_slice(&composition);
    body.extend_from_slice(&number.to_be_bytes().repeat(1 + number as usize % 200));
    packet(Kind::Video, dts_ms, &body)
}

/// A frame of AVC that is shown so many ns later.
fn video_later(dts_ms: i64, is_key: bool, composition_ms: i32, nanos: u32, number: u32) -> Packet {
    let first = if is_key { 0x97 } else { 0xA7 };
    let [_, later @ ..] = nanos.to_be_bytes();
    let plain = video(dts_ms, is_key, composition_ms, number).body;
    let body = [&[first, 2], &later[..], b"\x01avc1", &plain[2..]].concat();
    packet(Kind::Video, dts_ms, &body)
}

/// A frame of AAC.
fn audio(dts_ms: i64, number: u32) -> Packet {
    let mut body = vec![0xAF, 1];
    body.extend_from_slice(&number.to_be_bytes());
    packet(Kind::Audio, dts_ms, &body)
}

fn header(packets: &[Packet]) -> Header {
    let mut header = Header::default();
    for packet in packets {
        header.push(packet);
    }
    header
}

fn movie() -> Movie {
    Movie::of(&header(&configs()), [])
}
