use archive::{Amount, Cut, DiskState, GapReason, Ledger, Reason, RecordingId};
use live::Key;

use super::*;

/// One of each.
fn notices() -> Vec<Notice> {
    let id: RecordingId = "9b1f0c52a3d4e677".parse().unwrap();
    let (key, file) = (Key::new("live", "test").unwrap(), "recordings/a.flv".into());
    let text = "live/test".to_owned();
    let dropped = Amount { packets: 3, bytes: 300 };
    let gap = Gap { at_ms: 10, length_ms: 20, reason: GapReason::Disk, dropped };
    let of = |file: &std::path::PathBuf| file.clone();
    vec![
        Notice::Started { id, key: key.clone(), recorder: "all".to_owned() },
        Notice::Opened {
            id,
            key: key.clone(),
            segment: 2,
            file: of(&file),
            cut: Cut::Disk,
            gap: Some(gap),
        },
        Notice::Finished {
            id,
            key: text.clone(),
            segment: 2,
            file: of(&file),
            size_bytes: 5,
            length_ms: 6,
        },
        Notice::Trouble { id, key: key.clone(), error: "no space".to_owned() },
        Notice::Resumed { id, key: key.clone(), gap: None },
        Notice::Completed {
            id,
            key,
            reason: Reason::Ended,
            segments: 2,
            length_ms: 7,
            ledger: Ledger::default(),
        },
        Notice::Recovered { id, key: text.clone(), segment: 1, file: of(&file) },
        Notice::SetAside { from: of(&file), to: of(&file), reason: "no FLV".to_owned() },
        Notice::Deleted {
            id,
            key: text.clone(),
            segment: 1,
            file: of(&file),
            cause: "age".to_owned(),
            binned: false,
        },
        Notice::Restored { id, key: text.clone() },
        Notice::Changed { id, key: text },
        Notice::Disk { dir: file, state: DiskState::Full, free_bytes: None },
    ]
}

#[test]
fn every_notice_is_an_event_that_says_what_the_reference_says() {
    let events: Vec<Event> = notices().into_iter().map(Event::from).collect();
    for event in &events {
        assert_eq!(event.field_names(), event.kind().about().fields, "{:?}", event.kind());
        let is_of_stream = event.kind().about().fields.contains(&"recording");
        assert_eq!(event.stream().is_some(), is_of_stream, "{:?}", event.kind());
    }
    // The rest is of connections, or of the hub itself.
    let others =
        ["stream.published", "stream.unpublished", "player.joined", "player.left", "reset"];
    for kind in Kind::ALL {
        let is_notice = events.iter().any(|event| event.kind() == *kind);
        assert_eq!(is_notice, !others.contains(&kind.name()), "{kind:?}");
    }
}

#[test]
fn a_gap_and_an_end_are_told_in_full() {
    let all: Vec<Value> = notices().into_iter().map(|n| Event::from(n).json()).collect();
    let opened = &all[1];
    assert_eq!(opened["recording"], "9b1f0c52a3d4e677");
    assert_eq!(
        opened["gap"],
        json!({
            "at_ms": 10,
            "length_ms": 20,
            "reason": "disk",
            "dropped": {"packets": 3, "bytes": 300},
        })
    );
    assert_eq!((&opened["cut"], &opened["segment"]), (&"disk".into(), &2.into()));
    assert_eq!(all[4]["gap"], Value::Null);
    assert_eq!(
        (&all[5]["reason"], &all[5]["ledger"]["late_packets"]),
        (&"ended".into(), &0.into())
    );
    assert_eq!((&all[11]["state"], &all[11]["stream"]), (&"full".into(), &Value::Null));
}
