use archive::{Amount, Cut, Ledger, Notice, Reason};
use live::Key;

use super::*;

fn completed(reason: Reason) -> Notice {
    let (id, key) = ("9b1f0c52a3d4e677".parse().unwrap(), Key::new("live", "test").unwrap());
    let dropped = Amount { packets: 5, bytes: 50 };
    let ledger = Ledger { received: dropped, dropped, ..Ledger::default() };
    Notice::Completed { id, key, reason, segments: 0, length_ms: 0, ledger }
}

#[test]
fn a_recording_that_failed_is_remembered_until_something_is_written_or_a_disk_is_back() {
    let outlook = Outlook::default();
    outlook.see(&completed(Reason::Ended));
    assert_eq!(outlook.failure(), None);
    outlook.see(&completed(Reason::Failed));
    assert!(outlook.failure().unwrap().contains("live/test"));
    let (id, key) = ("9b1f0c52a3d4e677".parse().unwrap(), Key::new("live", "test").unwrap());
    outlook.see(&Notice::Trouble { id, key: key.clone(), error: "still".to_owned() });
    assert!(outlook.failure().is_some());
    let (segment, file, cut) = (1, "a.flv".into(), Cut::Start);
    outlook.see(&Notice::Opened { id, key, segment, file, cut, gap: None });
    assert_eq!(outlook.failure(), None);
    let disk = |state| Notice::Disk { dir: "recordings".into(), state, free_bytes: None };
    for (state, is_told) in
        [(DiskState::Unwritable, true), (DiskState::Full, true), (DiskState::Good, false)]
    {
        outlook.see(&completed(Reason::Failed));
        outlook.see(&disk(state));
        assert_eq!(outlook.failure().is_some(), is_told, "{state:?}");
    }
}
