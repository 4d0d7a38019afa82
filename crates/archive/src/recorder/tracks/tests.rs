use bytes::Bytes;

use super::*;
use crate::testing::{audio, audio_config, video, video_config};

fn data() -> Packet {
    Packet::new(Kind::Data, 0, Bytes::from_static(b"\x02\0\x04text"))
}

fn of_track(track: u8, packet: Packet) -> Packet {
    Packet { track, ..packet }
}

#[test]
fn each_choice_has_its_packets() {
    let end = Packet::new(Kind::Video, 0, Bytes::from_static(&[0x17, 2, 0, 0, 0]));
    let packets = [
        video_config(1),
        audio_config(),
        video(0, true, 9),
        video(40, false, 9),
        audio(50, 9),
        data(),
        of_track(1, video(60, true, 9)),
        end,
    ];
    for (tracks, expected) in [
        (Tracks::All, [true, true, true, true, true, true, true, true]),
        (Tracks::Audio, [false, true, false, false, true, true, false, false]),
        (Tracks::Video, [true, false, true, true, false, true, true, true]),
        (Tracks::KeyFrames, [true, false, true, false, false, false, false, false]),
    ] {
        let mut filter = Filter::new(tracks);
        let passes = packets.each_ref().map(|packet| {
            filter.see(packet);
            filter.passes(packet)
        });
        assert_eq!(passes, expected, "{tracks}");
    }
}

#[test]
fn a_file_of_other_tracks_begins_where_it_can_be_decoded() {
    let mut filter = Filter::new(Tracks::All);
    // Nothing is known of video yet.
    assert!(filter.is_place(Tracks::All, &audio(0, 9)));
    assert!(!filter.is_place(Tracks::Video, &audio(0, 9)));
    filter.see(&video_config(1));
    for (packet, all, audio_only, key_frames) in [
        (video(0, true, 9), true, false, true),
        (video(40, false, 9), false, false, false),
        (of_track(1, video(40, true, 9)), false, false, false),
        (audio(50, 9), false, true, false),
        (audio_config(), false, false, false),
        (data(), false, false, false),
    ] {
        assert_eq!(filter.is_place(Tracks::All, &packet), all, "{packet:?}");
        assert_eq!(filter.is_place(Tracks::Video, &packet), all, "{packet:?}");
        assert_eq!(filter.is_place(Tracks::Audio, &packet), audio_only, "{packet:?}");
        assert_eq!(filter.is_place(Tracks::KeyFrames, &packet), key_frames, "{packet:?}");
    }
    filter.begin_run();
    assert!(filter.is_place(Tracks::All, &audio(0, 9)));
}

#[test]
fn a_file_begins_with_the_header_of_its_tracks() {
    let mut header = Header::default();
    // Multitrack, one track: a sequence start of avc1 for track 1.
    let second = [&[0x96, 0x00][..], b"avc1", &[1, 1, 2, 3]].concat();
    let second = Packet::new(Kind::Video, 0, second.into());
    assert_eq!((second.track, second.role), (1, Role::Config));
    for packet in [video_config(1), second.clone(), audio_config()] {
        header.push(&packet);
    }
    for (tracks, expected) in [
        (Tracks::All, vec![video_config(1), second.clone(), audio_config()]),
        (Tracks::Audio, vec![audio_config()]),
        (Tracks::Video, vec![video_config(1), second]),
        (Tracks::KeyFrames, vec![video_config(1)]),
    ] {
        let mut filter = Filter::new(tracks);
        filter.see(&video(0, true, 9));
        assert_eq!(filter.header(&header).packets(), expected, "{tracks}");
        assert_eq!(filter.video_track().is_some(), tracks != Tracks::Audio);
    }
}
