//! One time base for audio and video, which starts at 0 and only grows.

use bytes::Bytes;
use media::{Kind, Packet};
use testkit::source::{AUDIO_CONFIG, VIDEO_CONFIG};
use testkit::{SourceConfig, flv};

use super::{assert_finished, packets, record, small};

fn key(at_ms: i64) -> Packet {
    Packet::new(Kind::Video, at_ms, Bytes::from_static(&[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]))
}

fn sound(at_ms: i64) -> Packet {
    Packet::new(Kind::Audio, at_ms, Bytes::from_static(&[0xaf, 1, 0x21, 0x10]))
}

fn headers(at_ms: i64) -> [Packet; 2] {
    [
        Packet::new(Kind::Video, at_ms, Bytes::from_static(VIDEO_CONFIG)),
        Packet::new(Kind::Audio, at_ms, Bytes::from_static(AUDIO_CONFIG)),
    ]
}

/// Records packets and returns the times of the audio and video that is in the file.
fn times(sent: &[Packet]) -> Vec<u32> {
    let (_server, file) = record(sent);
    assert_finished(&file, sent);
    let tags = flv::Flv::read(&file).unwrap().tags;
    let media = tags.iter().filter(|tag| tag.packet.kind != Kind::Data);
    media.map(|tag| tag.header.timestamp_ms).collect()
}

#[test]
fn a_recording_starts_at_zero_wherever_the_publishers_clock_is() {
    for start_ms in [0, 1, 3_600_000, 0xFF_FFFF, 0x100_0000, 0x7FFF_FFF0, 1_760_000_000] {
        let sent = packets(1, SourceConfig { start_ms, ..small() }, 60);
        let times = times(&sent);
        assert_eq!(times[0], 0, "{start_ms}");
        let expected: Vec<_> =
            sent[1..].iter().map(|p| u32::try_from(p.dts_ms - start_ms).unwrap()).collect();
        assert_eq!(times, expected, "{start_ms}");
    }
}

#[test]
fn headers_at_zero_before_media_that_has_run_for_an_hour_make_no_gap() {
    let start = 3_600_000;
    let frames = [key(start), sound(start + 5), key(start + 40), sound(start + 26)];
    let sent = [&headers(0)[..], &frames].concat();
    assert_eq!(times(&sent), [0, 0, 0, 5, 40, 26]);
    // A header in mid-stream stands where it came.
    let more = [&headers(0)[..], &[key(start + 80)]].concat();
    let sent = [sent, more].concat();
    assert_eq!(times(&sent), [0, 0, 0, 5, 40, 26, 40, 40, 80]);
}

#[test]
fn sound_that_is_a_little_older_than_the_first_picture_is_at_zero() {
    let sent = [&headers(0)[..], &[key(1_000), sound(980), sound(1_001), key(1_040)]].concat();
    assert_eq!(times(&sent), [0, 0, 0, 0, 1, 40]);
}

#[test]
fn times_of_more_than_24_bits_are_right() {
    // Steps of less than an hour, which are no new clock, up to both sides of the border.
    let steps = [0, 3_500_000, 7_000_000, 10_500_000, 14_000_000, 16_777_214];
    let border = [16_777_215, 16_777_216, 16_777_217, 20_000_000];
    for start in [0, 5_000] {
        let all = steps.iter().chain(&border);
        let sent: Vec<_> =
            headers(start).into_iter().chain(all.map(|at| key(start + at))).collect();
        let times = times(&sent);
        assert_eq!(times[times.len() - 4..], [16_777_215, 16_777_216, 16_777_217, 20_000_000]);
    }
}

#[test]
fn the_wrap_of_the_publishers_clock_is_not_seen_in_the_file() {
    let wrap = 1 << 32;
    let start_ms = wrap - 1_000;
    let sent = packets(1, SourceConfig { start_ms, ..small() }, 200);
    assert!(sent.last().unwrap().dts_ms > wrap, "the wrap is in the middle");
    let times = times(&sent);
    assert_eq!(times[0], 0);
    assert_eq!(i64::from(*times.last().unwrap()), sent.last().unwrap().dts_ms - start_ms);
    assert!(times.is_sorted());
}

#[test]
fn a_step_back_of_the_publishers_clock_never_goes_back_in_the_file() {
    // Jitter is held; a new clock begins another file.
    let frames = [key(10_000), key(10_040), key(10_020), key(10_080), key(500), key(540)];
    let sent = [&headers(0)[..], &frames].concat();
    let (server, _) = record(&sent);
    let times = server.recordings().into_iter().map(|file| {
        let tags = flv::Flv::read(&file).unwrap().tags;
        let media = tags.iter().filter(|tag| tag.packet.kind != Kind::Data);
        media.map(|tag| tag.header.timestamp_ms).collect()
    });
    let times: Vec<Vec<_>> = times.collect();
    assert_eq!(times, [vec![0, 0, 0, 40, 40, 80], vec![0, 0, 0, 40]]);
}
