use bytes::Bytes;

use super::*;

fn packet(kind: Kind, body: &[u8]) -> Packet {
    Packet::new(kind, 7, Bytes::copy_from_slice(body))
}

fn video_config(track: u8, record: u8) -> Packet {
    packet(Kind::Video, &[&b"\x96\x00avc1"[..], &[track, record]].concat())
}

#[test]
fn players_get_metadata_then_video_then_audio() {
    let mut header = Header::default();
    let audio = packet(Kind::Audio, b"\xaf\x00\x12\x10");
    let video = packet(Kind::Video, b"\x17\x00\x00\x00\x00\x01");
    let metadata = packet(Kind::Data, b"\x02\x00\x0aonMetaData\x05");
    for packet in [&audio, &video, &metadata] {
        assert!(header.push(packet));
    }
    assert_eq!(header.packets(), [metadata.clone(), video.clone(), audio.clone()]);
    assert_eq!(header.metadata(), Some(&metadata));
    assert_eq!(header.config(Kind::Video), Some(&video));
    assert_eq!(header.config(Kind::Audio), Some(&audio));
    assert_eq!(header.size_bytes(), 14 + 6 + 4);
}

#[test]
fn frames_events_and_repetitions_change_nothing() {
    let mut header = Header::default();
    assert!(!header.push(&packet(Kind::Video, b"\x17\x01\x00\x00\x00NAL")));
    assert!(!header.push(&packet(Kind::Audio, b"\xaf\x01\x21")));
    assert!(!header.push(&packet(Kind::Data, b"\x02\x00\x0aonCuePoint\x05")));
    assert!(!header.push(&packet(Kind::Video, b"\x17\x02\x00\x00\x00")));
    assert!(header.packets().is_empty());
    let config = packet(Kind::Video, b"\x17\x00\x00\x00\x00\x01");
    assert!(header.push(&config));
    assert!(!header.push(&Packet { dts_ms: 99, ..config }));
    assert_eq!(header.packets()[0].dts_ms, 7, "the first one's time stays");
}

#[test]
fn a_new_configuration_replaces_that_of_its_track_alone() {
    let mut header = Header::default();
    for track in [1, 0] {
        assert!(header.push(&video_config(track, 1)));
    }
    assert!(header.push(&video_config(1, 2)));
    assert_eq!(header.packets(), [video_config(0, 1), video_config(1, 2)]);
}

#[test]
fn enhanced_metadata_stands_beside_the_configuration() {
    let mut header = Header::default();
    assert!(header.push(&packet(Kind::Video, b"\x90hvc1\x01")));
    assert!(header.push(&packet(Kind::Video, b"\x94hvc1\x02\x00\x01x")));
    assert!(header.push(&packet(Kind::Audio, b"\x94Opus\x00\x02")));
    assert_eq!(header.packets().len(), 3);
    assert_eq!(header.metadata(), None, "that is onMetaData alone");
    assert_eq!(header.config(Kind::Audio), None);
}

#[test]
fn the_number_of_packets_is_bounded() {
    let mut header = Header::default();
    for track in 0..=u8::MAX {
        header.push(&video_config(track, 0));
    }
    assert_eq!(header.packets().len(), Header::MAX_PACKETS);
    assert!(!header.push(&video_config(255, 0)));
    assert!(header.push(&video_config(3, 9)), "those that are known are still replaced");
}
