use super::*;

fn gap(at_ms: u64, reason: GapReason) -> Gap {
    Gap { at_ms, length_ms: 1_234, reason, dropped: Amount { packets: 31, bytes: 40_000 } }
}

#[test]
fn the_books_of_a_file_are_read_back() {
    let mut ledger = Ledger {
        received: Amount { packets: 1 << 40, bytes: 1 << 50 },
        written: Amount { packets: (1 << 40) - 62, bytes: (1 << 50) - 80_000 },
        dropped: Amount { packets: 62, bytes: 80_000 },
        late_packets: 3,
        repeated_packets: 2,
        merged: Amount { packets: 1, bytes: 300 },
        skew_ms: -23,
        skew_max_ms: 90,
        ..Ledger::default()
    };
    assert!(ledger.is_balanced());
    assert_eq!(Ledger::from_properties(&ledger.properties()), Some(ledger.clone()));
    for reason in GapReason::ALL {
        ledger.add_gap(gap(5_000, reason));
    }
    assert_eq!(Ledger::from_properties(&ledger.properties()), Some(ledger));
    assert_eq!(Ledger::from_properties(&[]), None);
}

#[test]
fn gaps_beyond_the_limit_are_counted_and_not_listed() {
    let mut ledger = Ledger::default();
    for at_ms in 0..100 {
        ledger.add_gap(gap(at_ms, GapReason::SlowDisk));
    }
    assert_eq!((ledger.gaps.len(), ledger.gaps_total), (Ledger::GAPS_MAX, 100));
    let hostile = vec![Value::Number(1e300); 100_000];
    let mut properties = ledger.properties();
    properties.retain(|(name, _)| name != "gapTimes");
    properties.push(("gapTimes".to_owned(), Value::StrictArray(hostile)));
    assert!(Ledger::from_properties(&properties).unwrap().gaps.len() <= Ledger::GAPS_MAX);
}
