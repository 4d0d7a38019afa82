use super::*;
use crate::Amount;

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
