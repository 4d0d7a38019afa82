use bytes::Bytes;

use super::*;

fn key() -> Packet {
    Packet::new(Kind::Video, 0, Bytes::from_static(b"\x17\x01\x00\x00\x00N"))
}

fn frame() -> Packet {
    Packet::new(Kind::Video, 0, Bytes::from_static(b"\x27\x01\x00\x00\x00N"))
}

fn config() -> Packet {
    Packet::new(Kind::Video, 0, Bytes::from_static(b"\x17\x00\x00\x00\x00\x01"))
}

fn audio() -> Packet {
    Packet::new(Kind::Audio, 0, Bytes::from_static(b"\xaf\x01\x21"))
}

fn entries(index: &Index) -> Vec<(u32, u64)> {
    index.thinned(usize::MAX).map(|entry| (entry.time_ms, entry.position)).collect()
}

#[test]
fn a_key_frame_is_reached_through_the_configuration_right_before_it() {
    let mut index = Index::new(100);
    index.push(&config(), 0, 1_000);
    index.push(&audio(), 0, 1_100);
    index.push(&key(), 10, 1_200);
    index.push(&frame(), 50, 1_300);
    index.push(&key(), 1_010, 1_400);
    assert_eq!(entries(&index), [(10, 1_000), (1_010, 1_400)]);
}

#[test]
fn a_configuration_among_frames_or_long_before_is_not_the_place_to_start() {
    let mut index = Index::new(100);
    index.push(&config(), 0, 1);
    index.push(&frame(), 0, 2);
    index.push(&key(), 40, 3);
    index.push(&config(), 50, 4);
    index.push(&key(), 1_051, 5);
    assert_eq!(entries(&index), [(40, 3), (1_051, 5)]);
}

#[test]
fn a_configuration_that_is_later_than_its_key_frame_is_not_the_place_to_start() {
    let mut index = Index::new(100);
    // A configuration stands at the newest time of the file: that of audio which runs ahead.
    index.push(&config(), 90_000, 1);
    index.push(&key(), 40, 2);
    index.push(&config(), 1_050, 3);
    index.push(&key(), 1_010, 4);
    assert_eq!(entries(&index), [(40, 2), (1_010, 3)]);
}

#[test]
fn key_frames_of_one_time_are_one_entry() {
    let mut index = Index::new(100);
    for position in 0..4 {
        index.push(&key(), 0, position);
    }
    assert_eq!(entries(&index), [(0, 0)]);
}

#[test]
fn without_video_audio_is_indexed_every_two_seconds() {
    let mut index = Index::new(100);
    for i in 0..500_u32 {
        index.push(&audio(), i * 20, u64::from(i));
    }
    assert_eq!(entries(&index), [(0, 0), (2_000, 100), (4_000, 200), (6_000, 300), (8_000, 400)]);
    index.push(&key(), 10_000, 777);
    index.push(&audio(), 20_000, 778);
    assert_eq!(entries(&index), [(10_000, 777)], "the first key frame ends that");
}

#[test]
fn a_day_of_key_frames_stays_bounded_and_even() {
    let mut index = Index::new(1_000);
    for second in 0..86_400_u32 {
        index.push(&key(), second * 1_000, u64::from(second));
        assert!(index.entries.len() <= 1_000);
    }
    let entries = entries(&index);
    assert_eq!(entries.len(), 676);
    assert_eq!(entries.last(), Some(&(86_399_000, 86_399)));
    for (i, (time_ms, position)) in entries[..675].iter().enumerate() {
        assert_eq!(usize::try_from(*time_ms).unwrap(), i * 128_000);
        assert_eq!(u64::from(*time_ms), position * 1_000);
    }
}

#[test]
fn a_view_of_fewer_entries_is_even_from_the_first_to_the_newest() {
    let mut index = Index::new(1_000);
    for i in 0..100_u32 {
        index.push(&key(), i * 1_000, 0);
    }
    let times = |count| index.thinned(count).map(|entry| entry.time_ms).collect::<Vec<_>>();
    assert_eq!(times(100).len(), 100);
    assert_eq!(times(99).len(), 51);
    assert_eq!(times(5), [0, 32_000, 64_000, 96_000, 99_000]);
    assert_eq!(times(4), [0, 64_000, 99_000]);
    assert_eq!(times(2), [0, 99_000]);
    assert_eq!(times(1), [0]);
    assert!(times(0).is_empty());
}

#[test]
fn key_frames_of_other_tracks_are_no_places_to_start() {
    let video = |body| Packet::new(Kind::Video, 0, bytes::Bytes::from_static(body));
    let (config, config_1) = (video(b"\x90hvc1c"), video(b"\x96\x00hvc1\x01c"));
    let (key, key_1) = (video(b"\x93hvc1k"), video(b"\x96\x03hvc1\x01k"));
    let mut index = Index::new(10);
    let packets = [&config, &config_1, &key_1, &key, &key_1, &key];
    for (i, packet) in (0..).zip(packets) {
        index.push(packet, i * 10, u64::from(i));
    }
    assert_eq!(entries(&index), [(30, 0), (50, 5)]);
}
