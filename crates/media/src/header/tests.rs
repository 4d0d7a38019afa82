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

/// E-RTMP v2 has both start a sequence.
#[test]
fn comments_of_opus_are_no_configuration() {
    let head = packet(Kind::Audio, b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0");
    let tags = packet(Kind::Audio, b"\x90OpusOpusTags\x04\0\0\0Lavf\0\0\0\0");
    let of_a_track = packet(Kind::Audio, b"\x95\0Opus\x01OpusTags\x04\0\0\0Lavf\0\0\0\0");
    let mut header = Header::default();
    assert!(!header.push(&tags) && header.packets().is_empty());
    header.push(&head);
    for tags in [tags, of_a_track] {
        assert_eq!(tags.role, Role::Config);
        assert!(!header.is_changed_by(&tags) && !header.differs(&tags) && !header.push(&tags));
    }
    assert_eq!(header.packets(), [head]);
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

/// A `ManyTracks` message of AVC: packet type and tracks with a record of one byte each.
fn many(packet_type: u8, tracks: &[(u8, u8)]) -> Packet {
    let mut body = vec![0x96, 0x10 | packet_type];
    body.extend(b"avc1");
    for (track, record) in tracks {
        body.extend([*track, 0, 0, 1, *record]);
    }
    packet(Kind::Video, &body)
}

#[test]
fn one_message_configures_several_tracks() {
    let mut header = Header::default();
    let both = many(0, &[(0, 1), (1, 1)]);
    assert!(header.push(&both));
    assert!(!header.push(&both));
    assert_eq!(header.config_of(Kind::Video, 0), Some(&both));
    assert_eq!(header.config_of(Kind::Video, 1), Some(&both));
    assert_eq!(header.config_of(Kind::Video, 2), None);
    assert_eq!(header.config_of(Kind::Audio, 0), None);
}

#[test]
fn the_newest_word_on_a_track_comes_last_and_nothing_stale_stays() {
    let mut header = Header::default();
    let (both, newer) = (many(0, &[(1, 1), (0, 1)]), video_config(0, 2));
    assert!(header.push(&both));
    assert!(header.push(&newer), "of track 0 alone");
    assert_eq!(header.packets(), [both.clone(), newer.clone()], "not in the order of tracks");
    assert_eq!(header.config_of(Kind::Video, 0), Some(&newer));
    assert_eq!(header.config_of(Kind::Video, 1), Some(&both));

    assert!(header.push(&video_config(1, 3)));
    assert_eq!(header.packets(), [newer, video_config(1, 3)], "nothing of the first is true");

    let both = many(0, &[(0, 7), (1, 7)]);
    assert!(header.push(&both));
    assert_eq!(header.packets(), [both]);
}

#[test]
fn a_repeated_message_counts_anew_once_it_was_superseded() {
    let mut header = Header::default();
    let both = many(0, &[(0, 1), (1, 1)]);
    header.push(&both);
    header.push(&video_config(1, 2));
    assert!(header.push(&both));
    assert_eq!(header.packets(), [both]);
}

#[test]
fn a_sequence_that_ends_needs_no_configuration() {
    let mut header = Header::default();
    let colours = packet(Kind::Video, b"\x94avc1\x02\x00\x09colorInfo\x06");
    for p in [&colours, &video_config(0, 1), &video_config(1, 1)] {
        header.push(p);
    }
    let end = packet(Kind::Video, b"\x96\x02avc1\x01");
    assert!(header.is_changed_by(&end));
    assert!(header.push(&end));
    assert_eq!(header.packets(), [colours.clone(), video_config(0, 1)]);
    assert!(!header.push(&end), "it has ended");
    assert!(header.push(&packet(Kind::Video, b"\x17\x02\x00\x00\x00")), "a legacy one, of track 0");
    assert_eq!(header.packets(), [colours], "these stay until others are set");
    assert!(!header.push(&packet(Kind::Video, b"\x57\x00")), "a command ends nothing");

    let mut header = Header::default();
    header.push(&packet(Kind::Audio, b"\x94Opus\x00\x02"));
    header.push(&packet(Kind::Audio, b"\x90OpusOpusHead"));
    assert!(!header.push(&packet(Kind::Audio, b"")), "silence");
    assert!(header.push(&packet(Kind::Audio, b"\x92Opus")));
    assert!(header.packets().is_empty());
}

#[test]
fn frames_that_go_on_after_an_end_bring_their_configuration_back() {
    let config = packet(Kind::Video, b"\x17\x00\x00\x00\x00\x01");
    let sound = packet(Kind::Audio, b"\xaf\x00\x12\x10");
    let mut header = Header::default();
    header.push(&config);
    header.push(&sound);
    assert!(header.push(&packet(Kind::Video, b"\x17\x02\x00\x00\x00")));
    assert!(!header.push(&packet(Kind::Video, b"\x27\x01\x00\x00\x00NAL")), "nobody begins here");
    let key = packet(Kind::Video, b"\x17\x01\x00\x00\x00NAL");
    assert!(header.is_changed_by(&key));
    assert!(header.push(&key));
    assert_eq!(header.packets(), [config.clone(), sound]);
    assert!(!header.is_changed_by(&key) && !header.push(&key));

    // Another codec has nothing to do with it.
    header.push(&packet(Kind::Video, b"\x17\x02\x00\x00\x00"));
    assert!(!header.push(&packet(Kind::Video, b"\x91hvc1\x00\x00\x00NAL")));
    assert_eq!(header.config(Kind::Video), None);

    // Nor has a message that is not the newest word on another of its tracks.
    let mut header = Header::default();
    header.push(&many(0, &[(0, 1), (1, 1)]));
    header.push(&video_config(1, 2));
    header.push(&many(2, &[(0, 0)]));
    assert!(!header.push(&key));
    assert_eq!(header.packets(), [video_config(1, 2)]);
}

#[test]
fn one_message_ends_several_sequences() {
    let mut header = Header::default();
    header.push(&many(0, &[(0, 1), (1, 1), (2, 1)]));
    assert!(header.push(&many(2, &[(0, 0), (2, 0)])));
    assert_eq!(header.config_of(Kind::Video, 0), None);
    assert!(header.config_of(Kind::Video, 1).is_some());
    assert!(header.push(&many(2, &[(1, 0)])));
    assert!(header.packets().is_empty());
}

#[test]
fn a_codec_without_a_configuration_replaces_one_with() {
    for (config, other, same) in [
        (&b"\xaf\x00\x12\x10"[..], &b"\x2f\xff\xfb"[..], &b"\xaf\x01\x21"[..]),
        (b"\x90OpusOpusHead", b"\x91ac-3\x0b\x77", b"\x91Opus\x01"),
        (b"\x90mp4a\x12\x10", b"\x91.mp3\xff\xfb", b"\xaf\x01\x21"),
        (b"\xaf\x00\x12\x10", b"\x91ec-3\x0b\x77", b"\x91mp4a\x21"),
    ] {
        let mut header = Header::default();
        header.push(&packet(Kind::Audio, config));
        assert!(!header.is_changed_by(&packet(Kind::Audio, same)));
        assert!(!header.push(&packet(Kind::Audio, same)));
        assert!(header.is_changed_by(&packet(Kind::Audio, other)));
        assert!(header.push(&packet(Kind::Audio, other)));
        assert!(header.packets().is_empty());
    }
    let mut header = Header::default();
    header.push(&packet(Kind::Video, b"\x17\x00\x00\x00\x00\x01"));
    header.push(&video_config(1, 1));
    assert!(!header.push(&packet(Kind::Video, b"\xa3vp08\x31")), "only where it can be started");
    assert!(!header.push(&packet(Kind::Video, b"\x93avc1NAL")), "one codec, two ways to say it");
    assert!(header.push(&packet(Kind::Video, b"\x93vp08\x30")));
    assert_eq!(header.packets(), [video_config(1, 1)], "that of the other track stays");
}

#[test]
fn a_channel_layout_goes_with_its_codec() {
    let mut header = Header::default();
    header.push(&packet(Kind::Audio, b"\x90OpusOpusHead"));
    header.push(&packet(Kind::Audio, b"\x94Opus\x00\x02"));
    let aac = packet(Kind::Audio, b"\x90mp4a\x12\x10");
    assert!(header.push(&aac));
    assert_eq!(header.packets(), std::slice::from_ref(&aac));
    let layout = packet(Kind::Audio, b"\x94mp4a\x00\x06");
    assert!(header.push(&layout));
    assert_eq!(header.packets(), [layout, aac]);
}

#[test]
fn another_configuration_differs_however_it_is_laid_out() {
    let mut header = Header::default();
    assert!(!header.differs(&video_config(0, 1)), "the first");
    header.push(&many(0, &[(0, 1), (1, 1)]));
    assert!(!header.differs(&video_config(1, 1)));
    assert!(header.differs(&video_config(1, 2)));
    assert!(!header.differs(&many(0, &[(1, 1), (2, 5)])));
    assert!(header.differs(&many(0, &[(2, 5), (1, 9)])));
    // The sequence ends; the next may be the same.
    header.push(&many(2, &[(0, 0), (1, 0)]));
    assert!(!header.differs(&video_config(1, 1)));
    assert!(header.differs(&video_config(1, 2)));
    header.push(&video_config(1, 2));
    assert!(!header.differs(&video_config(1, 2)));
    assert!(header.differs(&video_config(0, 2)), "the last of this track was another");
}

#[test]
fn the_bytes_are_bounded() {
    let mut header = Header::default();
    let long = |track: u8, record: u8| {
        let mut body = b"\x96\x00avc1".to_vec();
        body.push(track);
        body.resize(Header::MAX_BYTES / 2, record);
        packet(Kind::Video, &body)
    };
    assert!(header.push(&long(0, 1)));
    assert!(header.push(&long(1, 1)));
    assert!(!header.push(&video_config(2, 1)), "full");
    assert!(header.push(&long(1, 2)));
    assert_eq!(header.size_bytes(), Header::MAX_BYTES);
    let mut body = b"\x96\x00avc1\x01".to_vec();
    body.resize(Header::MAX_BYTES, 3);
    assert!(header.push(&packet(Kind::Video, &body)), "the old one is not true any more");
    assert_eq!(header.packets(), [long(0, 1)]);
}

/// What a decoder of each track knows that has seen all messages, next to one that was given the header.
#[derive(Debug, Default, Clone, PartialEq)]
struct Decoders(std::collections::BTreeMap<u8, u8>);

impl Decoders {
    fn see(&mut self, packet: &Packet) {
        for tag in video::tracks(&packet.body) {
            match tag.packet_type {
                video::PacketType::SequenceStart => {
                    self.0.insert(tag.track, tag.data[0]);
                }
                video::PacketType::SequenceEnd => {
                    self.0.remove(&tag.track);
                }
                _ => {}
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn a_late_decoder_knows_what_an_early_one_does(
        messages in proptest::collection::vec(
            (0u8..5, proptest::collection::vec((0u8..4, 0u8..3), 1..4)), 0..24)
    ) {
        let (mut header, mut early) = (Header::default(), Decoders::default());
        for (kind, tracks) in messages {
            let packet = match kind {
                0 | 1 => many(0, &tracks),
                2 => video_config(tracks[0].0, tracks[0].1),
                3 => many(2, &tracks),
                _ => many(4, &tracks),
            };
            let before = header.clone();
            let changed = header.push(&packet);
            let differs = header.packets() != before.packets() || header.notes != before.notes;
            proptest::prop_assert_eq!(changed, differs);
            proptest::prop_assert!(!changed || before.is_changed_by(&packet));
            early.see(&packet);
            let mut late = Decoders::default();
            header.packets().iter().for_each(|p| late.see(p));
            for (track, record) in &early.0 {
                proptest::prop_assert_eq!(late.0.get(track), Some(record));
                proptest::prop_assert!(header.config_of(Kind::Video, *track).is_some());
            }
        }
    }
}
