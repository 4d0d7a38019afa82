use media::Role;
use media::codec;

use super::*;

fn config() -> SourceConfig {
    SourceConfig { video_kbps: 800, ..SourceConfig::default() }
}

fn frames(seed: u32, config: SourceConfig, count: usize) -> Vec<Packet> {
    Source::new(seed, config).filter(Packet::is_media).take(count).collect()
}

#[test]
fn the_same_seed_gives_the_same_packets_and_another_gives_others() {
    let take = |seed| Source::new(seed, config()).take(300).collect::<Vec<_>>();
    assert_eq!(take(1), take(1));
    let (one, two) = (frames(1, config(), 100), frames(2, config(), 100));
    assert!(one.iter().zip(&two).all(|(a, b)| a.body != b.body && a.dts_ms == b.dts_ms));
}

#[test]
fn it_begins_with_metadata_and_configurations_that_parsers_read() {
    let start: Vec<_> = Source::new(1, config()).take(4).collect();
    let roles: Vec<_> = start.iter().map(|packet| packet.role).collect();
    assert_eq!(roles, [Role::Metadata, Role::Config, Role::Config, Role::Key]);
    let video = codec::video_info(VIDEO_CONFIG).unwrap();
    assert_eq!((video.width, video.height), (1280, 720));
    assert_eq!(video.codec_string.as_deref(), Some("avc1.64001f"));
    let audio = codec::audio_info(AUDIO_CONFIG).unwrap();
    assert_eq!((audio.sample_rate_hz, audio.channels), (48_000, 2));
    let metadata = media::flv::meta::properties(&start[0].body, amf0::Limits::default()).unwrap();
    assert!(metadata.contains(&("videocodecid".to_owned(), Value::Number(7.0))));
}

#[test]
fn every_frame_is_stamped_with_its_number_and_time() {
    for (number, packet) in (0..).zip(frames(7, config(), 500)) {
        let stamp = Stamp::read(&packet.body).unwrap();
        assert_eq!((stamp.stream, stamp.sequence), (7, number));
        assert_eq!(i64::try_from(stamp.time_us / 1_000).unwrap(), packet.dts_ms);
    }
    assert_eq!(Stamp::read(VIDEO_CONFIG), Err(StampError::Missing));
    assert_eq!(Stamp::read(&[]), Err(StampError::Missing));
}

#[test]
fn any_flipped_bit_and_any_cut_is_noticed() {
    let small = SourceConfig { video_kbps: 60, ..config() };
    for packet in frames(3, small, 4) {
        let body = packet.body.to_vec();
        for bit in 0..body.len() * 8 {
            let mut body = body.clone();
            body[bit / 8] ^= 1 << (bit % 8);
            assert!(Stamp::read(&body).is_err(), "bit {bit} of {} bytes", body.len());
        }
        for length in 0..body.len() {
            assert!(Stamp::read(&body[..length]).is_err(), "cut to {length} bytes");
        }
    }
}

#[test]
fn times_grow_and_rates_and_key_frames_are_as_asked_for() {
    let packets = frames(1, config(), 3_000);
    assert!(packets.windows(2).all(|pair| pair[0].dts_ms <= pair[1].dts_ms));
    let seconds = packets.last().unwrap().dts_ms as f64 / 1_000.0;
    for (kind, kbps) in [(Kind::Video, 800.0), (Kind::Audio, 128.0)] {
        let bytes: usize = packets.iter().filter(|p| p.kind == kind).map(|p| p.body.len()).sum();
        let measured = bytes as f64 * 8.0 / 1_000.0 / seconds;
        assert!((measured / kbps - 1.0).abs() < 0.05, "{kind:?}: {measured} kbit/s");
    }
    let pictures: Vec<_> = packets.iter().filter(|p| p.kind == Kind::Video).collect();
    for (number, picture) in pictures.iter().enumerate() {
        assert_eq!(picture.role == Role::Key, number % 60 == 0);
    }
}

#[test]
fn one_kind_alone_and_a_start_in_the_middle() {
    let video = SourceConfig { audio_kbps: 0, start_ms: 5_000, ..config() };
    let packets: Vec<_> = Source::new(1, video).take(20).collect();
    assert!(packets.iter().all(|p| p.kind != Kind::Audio && p.dts_ms >= 5_000));
    let audio = SourceConfig { video_kbps: 0, metadata: false, ..config() };
    let packets: Vec<_> = Source::new(1, audio).take(20).collect();
    assert!(packets.iter().all(|p| p.kind == Kind::Audio));
    let none = SourceConfig { video_kbps: 0, audio_kbps: 0, ..config() };
    assert_eq!(Source::new(1, none).count(), 1);
}

#[test]
fn with_b_frames_every_picture_is_shown_once_and_not_before_it_is_decoded() {
    for b_frames in 1..4 {
        let config =
            SourceConfig { audio_kbps: 0, fps: 25, key_interval: 24, b_frames, ..config() };
        let slots: Vec<_> = Schedule::new(&config).take(72).collect();
        let mut shown: Vec<_> =
            slots.iter().map(|s| s.dts_ms() + i64::from(s.composition_ms)).collect();
        assert!(!shown.is_sorted(), "no picture is moved");
        shown.sort_unstable();
        let expected: Vec<_> = (1..=72).map(|n| n * 40).collect();
        assert_eq!(shown, expected);
        let packet = frames(1, config, 2).pop().unwrap();
        let tag = media::flv::video::parse(&packet.body).unwrap();
        assert_eq!(tag.composition_time_ms, slots[1].composition_ms as i32);
    }
}
