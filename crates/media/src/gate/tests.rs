use bytes::Bytes;

use super::*;

/// A video message of one track: `c`onfiguration, `k`ey frame, `f`rame, `e`nd.
fn video(track: u8, what: char) -> Packet {
    let (frame_type, packet_type) = match what {
        'c' => (0x90, 0),
        'k' => (0x90, 3),
        'e' => (0x90, 2),
        _ => (0xA0, 3),
    };
    let body = match track {
        0 => [&[frame_type | packet_type][..], b"hvc1x"].concat(),
        _ => [&[frame_type | 6, packet_type][..], b"hvc1", &[track], b"x"].concat(),
    };
    Packet::new(Kind::Video, 0, body.into())
}

fn taken(gate: &mut Gate, packets: &[(u8, char)]) -> String {
    let taken = packets.iter().map(|&(track, what)| gate.takes(&video(track, what)));
    taken.map(|taken| if taken { '+' } else { '-' }).collect()
}

#[test]
fn a_single_track_passes_from_where_it_is_joined() {
    let mut gate = Gate::default();
    let stream = [(0, 'c'), (0, 'k'), (0, 'f'), (0, 'e')];
    assert_eq!(taken(&mut gate, &stream), "++++");
    assert_eq!(taken(&mut Gate::default(), &[(0, 'f'), (0, 'k')]), "++", "one without key frames");
    gate.wait_for_key();
    assert_eq!(taken(&mut gate, &[(0, 'f'), (0, 'e'), (0, 'c'), (0, 'k'), (0, 'f')]), "--+++");
}

#[test]
fn each_further_track_begins_at_a_key_frame_of_its_own() {
    let mut gate = Gate::default();
    let stream = [(0, 'c'), (1, 'c'), (0, 'k'), (1, 'f'), (0, 'f'), (1, 'k'), (1, 'f'), (2, 'f')];
    assert_eq!(taken(&mut gate, &stream), "+++-+++-");
    gate.wait_for_key();
    assert_eq!(taken(&mut gate, &[(1, 'f'), (0, 'f'), (1, 'k'), (0, 'f'), (1, 'f')]), "--+-+");
    assert_eq!(taken(&mut gate, &[(0, 'k'), (0, 'f')]), "++");
}

#[test]
fn another_stream_has_tracks_of_its_own() {
    let mut gate = Gate::default();
    assert_eq!(taken(&mut gate, &[(0, 'k'), (3, 'k'), (3, 'f')]), "+++");
    gate.begin();
    assert_eq!(taken(&mut gate, &[(2, 'f'), (3, 'f'), (3, 'k'), (3, 'f')]), "+-++");
}

#[test]
fn a_message_of_several_tracks_goes_with_the_first_track() {
    let message = |first: u8, layout: u8| {
        let body = [&[first, layout][..], b"av01\x01\0\0\x01A\0\0\0\x01B"].concat();
        Packet::new(Kind::Video, 0, body.into())
    };
    let (key, frame) = (message(0x96, 0x13), message(0xA6, 0x13));
    let mut gate = Gate::default();
    assert!(gate.takes(&video(0, 'c')) && gate.takes(&key) && gate.takes(&frame));
    gate.wait_for_key();
    assert!(!gate.takes(&frame));
    assert!(gate.takes(&key) && gate.takes(&frame) && gate.takes(&video(1, 'f')));
}

#[test]
fn sound_and_data_always_pass() {
    let mut gate = Gate::default();
    gate.wait_for_key();
    for (kind, body) in
        [(Kind::Audio, &b"\xaf\x01"[..]), (Kind::Data, b"\x02\0\x01x"), (Kind::Audio, b"")]
    {
        assert!(gate.takes(&Packet::new(kind, 0, Bytes::from_static(body))));
    }
}

#[test]
fn the_first_track_is_the_lowest_that_can_be_decoded() {
    let mut first = None;
    let mut see = |track, what| first_video_track(&mut first, &video(track, what));
    assert_eq!(see(5, 'e'), None);
    assert_eq!(see(5, 'f'), Some(5));
    assert_eq!(see(2, 'f'), Some(5), "it may be nothing but a message that is not understood");
    assert_eq!(see(3, 'c'), Some(3));
    assert_eq!(see(4, 'k'), Some(3));
    assert_eq!(see(0, 'k'), Some(0));
    let sound = Packet::new(Kind::Audio, 0, Bytes::from_static(b"\x95\x01mp4a\x00"));
    assert_eq!(first_video_track(&mut None, &sound), None);
}
