use super::*;

/// A message that configures tracks of AAC (E-RTMP v2 "Multitrack": many tracks of one codec), each an id and the
/// index of its sample rate.
fn aac(tracks: &[(u8, u8)]) -> Packet {
    let mut body = vec![0x95, 0x10];
    body.extend(b"mp4a");
    for (id, rate) in tracks {
        body.extend([*id, 0, 0, 2, 0x10 | (rate >> 1), (rate << 7) | 0x10]);
    }
    Packet::new(Kind::Audio, 0, body.into())
}

fn rates(codecs: &Codecs) -> Vec<(u8, u32)> {
    codecs.audio.iter().map(|(id, info)| (*id, info.sample_rate_hz)).collect()
}

#[test]
fn every_track_of_a_message_is_known_and_the_first_is_that_of_the_lowest_id() {
    let mut codecs = Codecs::default();
    assert!(codecs.see(&aac(&[(2, 4), (7, 3)])));
    assert_eq!(codecs.first().1.unwrap().sample_rate_hz, 44_100);
    assert!(codecs.see(&aac(&[(1, 3)])));
    assert_eq!(rates(&codecs), [(1, 48_000), (2, 44_100), (7, 48_000)]);
    assert_eq!(codecs.first().1.unwrap().sample_rate_hz, 48_000);
    assert!(!codecs.see(&aac(&[(2, 4)])), "the same again is no news");
    assert!(codecs.see(&aac(&[(2, 3)])));
    let words = codecs.to_string();
    assert!(words.starts_with("audio-1 AAC LC 48000 Hz "), "{words}");
    assert!(words.contains(", audio-7 AAC LC 48000 Hz "), "{words}");
}

#[test]
fn a_publisher_of_all_tracks_there_can_be_is_told_of_up_to_a_bound() {
    let mut codecs = Codecs::default();
    for id in 0..=u8::MAX {
        codecs.see(&aac(&[(id, 3)]));
    }
    assert_eq!(codecs.audio.len(), TRACKS_MAX);
    assert!(!codecs.see(&aac(&[(200, 4)])));
    assert!(codecs.see(&aac(&[(3, 4)])), "those that are known may change");
}
