//! Several tracks in one file.

use super::*;
use crate::codec::FourCc;

/// An AVC record of 320x180 and one of 640x360 would need true parameter sets; AAC's says enough.
fn aac(track: u8, rate: u8) -> Packet {
    audio(&[&b"\x95\x00mp4a"[..], &[track], &[0x12, rate]].concat())
}

#[test]
fn what_the_file_says_of_itself_is_about_its_first_tracks() {
    let mut muxer = muxer();
    // AAC LC: 44,100 Hz stereo, 22,050 Hz mono.
    let packets = [
        (video(b"\x90hvc1x"), 0),
        (video(b"\x96\x00av01\x01x"), 0),
        (aac(0, 0x10), 0),
        (audio(b"\x95\x00mp4a\x01\x13\x88"), 0),
        (video(b"\x93hvc1K"), 0),
        (video(b"\x96\x03av01\x01K"), 10),
        (audio(b"\x91mp4aS"), 20),
        (video(b"\xa3hvc1F"), 40),
        (video(b"\x96\x03av01\x01K"), 50),
    ];
    let bytes = file(&mut muxer, &packets);
    assert_eq!(number(&bytes, "videocodecid"), f64::from(FourCc::HVC1.number()));
    assert_eq!(number(&bytes, "audiosamplerate"), 44_100.0);
    assert_eq!(property(&bytes, "stereo"), Some(true.into()));
    assert_eq!(number(&bytes, "framerate"), 25.0, "of the first track");
    assert_eq!(number(&bytes, "lastkeyframetimestamp"), 0.0);
    assert_eq!(property(&bytes, "canSeekToEnd"), Some(false.into()));
    let written: Vec<_> = tags(&bytes).into_iter().skip(1).map(|(_, _, p)| p.body).collect();
    assert!(written.iter().eq(packets.iter().map(|(p, _)| &p.body)), "bit for bit");
}

#[test]
fn one_message_of_two_tracks_tells_of_the_first_wherever_it_stands() {
    let mut muxer = muxer();
    let both = b"\x95\x10mp4a\x01\x00\x00\x02\x13\x88\x00\x00\x00\x02\x12\x10";
    let frames = b"\x95\x11mp4a\x01\x00\x00\x01S\x00\x00\x00\x01S";
    let packets = [(aac(0, 0x08), 0), (audio(both), 0), (audio(frames), 0), (audio(frames), 20)];
    let bytes = file(&mut muxer, &packets);
    assert_eq!(property(&bytes, "stereo"), Some(true.into()));
    assert_eq!(number(&bytes, "duration"), 0.04);
}

#[test]
fn what_the_publisher_says_of_single_tracks_is_kept_where_there_are_such() {
    let map = |name| (name, Value::Object(vec![("1".to_owned(), Value::Object(Vec::new()))]));
    let metadata = on_meta_data(&[map("audioTrackIdInfoMap"), map("videoTrackIdInfoMap")]);
    let bytes = file(&mut muxer(), &[(metadata, 0), (aac(0, 0x10), 0), (sound(), 0)]);
    assert_eq!(property(&bytes, "audioTrackIdInfoMap"), Some(map("").1));
    assert_eq!(property(&bytes, "videoTrackIdInfoMap"), None, "there is no video");
}
