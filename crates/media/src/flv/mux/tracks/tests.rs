use bytes::Bytes;

use super::*;

/// The frame, or configuration, of a track of AAC or AVC (E-RTMP v2 "Multitrack").
fn message(kind: Kind, id: u8, packet_type: u8) -> Packet {
    let (first, codec) = if kind == Kind::Video { (0x96, b"avc1") } else { (0x95, b"mp4a") };
    let body = [&[first, packet_type][..], codec, &[id, 1, 2, 3, 4]].concat();
    Packet::new(kind, 0, body.into())
}

fn told(tracks: &Tracks) -> Vec<[f64; 5]> {
    let Some(Value::StrictArray(values)) = tracks.value() else { return Vec::new() };
    let numbers: Vec<_> = values.iter().map(|value| value.as_f64().unwrap()).collect();
    numbers.as_chunks().0.to_vec()
}

#[test]
fn a_track_is_told_with_its_first_message_its_first_frame_and_its_newest() {
    let mut tracks = Tracks::default();
    tracks.push(&message(Kind::Audio, 1, 0), 100);
    tracks.push(&Packet::new(Kind::Audio, 0, Bytes::new()), 120);
    assert_eq!(tracks.value(), None, "there is no frame");
    tracks.push(&message(Kind::Video, 0, 1), 150);
    for position in [200, 300, 400] {
        tracks.push(&message(Kind::Audio, 1, 1), position);
    }
    tracks.push(&message(Kind::Audio, 1, 0), 500);
    assert_eq!(told(&tracks), [[9.0, 0.0, 150.0, 150.0, 150.0], [8.0, 1.0, 100.0, 200.0, 400.0]]);
}

#[test]
fn all_tracks_of_one_message_are_told() {
    let mut tracks = Tracks::default();
    let both = b"\x95\x11mp4a\x03\x00\x00\x01S\x01\x00\x00\x01S";
    tracks.push(&Packet::new(Kind::Audio, 0, Bytes::from_static(both)), 50);
    assert_eq!(told(&tracks), [[8.0, 1.0, 50.0, 50.0, 50.0], [8.0, 3.0, 50.0, 50.0, 50.0]]);
}

#[test]
fn of_a_kind_the_sixteen_lowest_ids_are_told_whenever_they_come() {
    let mut tracks = Tracks::default();
    for id in (0..=u8::MAX).rev() {
        for kind in [Kind::Audio, Kind::Video] {
            tracks.push(&message(kind, id, 1), u64::from(id) + 1_000);
        }
    }
    let told = told(&tracks);
    assert_eq!(told.len(), 2 * TOLD_MAX);
    let ids = || (0_u8..16).map(f64::from);
    let expected = ids().map(|id| (9.0, id)).chain(ids().map(|id| (8.0, id)));
    let expected = expected.map(|(kind, id)| (kind, id, id + 1_000.0));
    assert!(told.into_iter().eq(expected.map(|(kind, id, at)| [kind, id, at, at, at])));
}
