use super::*;
use crate::{Amount, Labels, Tracks};

fn about() -> About {
    About {
        recording: "00000000deadbeef".parse().unwrap(),
        stream_key: "live/test".to_owned(),
        segment: 7,
        start_time: "2025-10-11T14:30:52.123+02:00".to_owned(),
        start_ms: 3_600_123,
        cut: Cut::Disk,
        gap_before: Some(Gap {
            at_ms: 3_590_000,
            length_ms: 10_123,
            reason: GapReason::Disk,
            dropped: Amount { packets: 700, bytes: 9_000_000_000 },
        }),
        first_packet: 1 << 40,
        chain_before: Some(Hash([0xA5; 32])),
        server: "rtmp-server/1".to_owned(),
        recorder: "all".to_owned(),
        name: None,
        request_key: None,
        is_clip: false,
        tracks: Tracks::All,
        labels: Labels::default(),
    }
}

#[test]
fn what_a_file_says_is_read_back() {
    let plain = About { gap_before: None, chain_before: None, cut: Cut::Start, ..about() };
    for about in [about(), plain] {
        assert_eq!(About::from_properties(&about.properties()), Some(about));
    }
    for cut in Cut::ALL {
        let about = About { cut, ..about() };
        assert_eq!(About::from_properties(&about.properties()).unwrap().cut, cut);
    }
}

#[test]
fn what_was_written_on_a_recording_is_read_back() {
    let labels: Labels = (0..LABELS_MAX).map(|n| (format!("{n:0>64}"), "ü".repeat(128))).collect();
    let about = About {
        recorder: "main".to_owned(),
        name: Some("Act 1".to_owned()),
        request_key: Some(String::new()),
        is_clip: true,
        tracks: Tracks::KeyFrames,
        labels,
        ..about()
    };
    let mut properties = about.properties();
    assert_eq!(About::from_properties(&properties).as_ref(), Some(&about));
    // What this program would not have written is passed over.
    properties.push(("label.Bad".to_owned(), Value::from("x")));
    properties.push(("label.one-more".to_owned(), Value::from("x")));
    assert_eq!(About::from_properties(&properties), Some(about));
}

#[test]
fn a_file_of_an_older_version_tells_less() {
    let about = About { recorder: String::new(), name: None, ..about() };
    let properties = about.properties();
    let is_new = |name: &str| ["recorder", "clip", "tracks", "recordingName"].contains(&name);
    assert!(!properties.iter().any(|(name, _)| is_new(name)));
    assert_eq!(About::from_properties(&properties), Some(about));
}

#[test]
fn a_file_of_another_program_has_no_identity() {
    assert_eq!(About::from_properties(&[]), None);
    let mut properties = about().properties();
    properties[0].1 = Value::from("not an id".to_owned());
    assert_eq!(About::from_properties(&properties), None);
}

#[test]
fn a_hash_is_64_hex_digits() {
    let text = "00ff".repeat(16);
    assert_eq!(text.parse::<Hash>().unwrap().to_string(), text);
    for bad in ["", "00", &"0g".repeat(32), &"é".repeat(32), &"0".repeat(65)] {
        assert_eq!(bad.parse::<Hash>(), Err(BadHash));
    }
}
