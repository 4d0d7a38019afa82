use std::path::PathBuf;

use super::*;
use crate::catalog::made::{about_of, finished, ledger, start_ms};
use crate::catalog::{Recording, RecordingState};
use crate::disk::SystemDisk;
use crate::events::Event;
use crate::{Amount, GapReason, Reason};

struct Made {
    dir: tempfile::TempDir,
    catalog: Catalog,
}

const HOUR_MS: i64 = 3_600_000;

impl Made {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
        Self { dir, catalog }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn apply(&self, events: &[Event]) {
        self.catalog.apply(&SystemDisk, events, start_ms()).unwrap();
    }

    fn recording(&self, id: u64) -> Recording {
        let id = about_of(id, 1, 0).recording;
        self.catalog.reader().recording(id).unwrap().unwrap()
    }

    fn state(&self, id: u64) -> RecordingState {
        self.recording(id).state
    }

    fn opened(&self, id: u64, number: u32) -> Event {
        let mut about = about_of(id, number, i64::from(number) - 1);
        about.start_ms = u64::from(number - 1) * 3_600_000;
        Event::Opened { path: self.path(&format!("{id}_{number}.flv")), about }
    }

    fn finished(&self, id: u64, number: u32) -> Event {
        let mut about = about_of(id, number, i64::from(number) - 1);
        about.start_ms = u64::from(number - 1) * 3_600_000;
        Event::Finished(finished(self.path(&format!("{id}_{number}.flv")), &about))
    }

    fn recovered(&self, id: u64, number: u32) -> Event {
        match self.finished(id, number) {
            Event::Finished(finished) => Event::Recovered(finished),
            event => event,
        }
    }

    fn settle(&self, running: &[u64]) {
        let running: Vec<_> = running.iter().map(|id| about_of(*id, 1, 0).recording).collect();
        self.catalog.settle(|id| running.contains(&id)).unwrap();
    }
}

fn started(id: u64) -> Event {
    let about = about_of(id, 1, -1);
    Event::Started(Started {
        id: about.recording,
        key: live::Key::new("kept", "test").unwrap(),
        recorder: "news".to_owned(),
        name: Some("Evening".to_owned()),
        labels: [("camera".to_owned(), "1".to_owned())].into(),
        request_key: Some(format!("key-{id}")),
        is_clip: true,
        tracks: crate::Tracks::Audio,
        start_time: about.start_time,
    })
}

fn completed(id: u64, ledger: Ledger) -> Event {
    let end_time = "2025-10-11T17:00:00.000+02:00".to_owned();
    Event::Completed(Completed {
        id: about_of(id, 1, 0).recording,
        reason: Reason::Stopped,
        segments: 0,
        length_ms: 0,
        ledger,
        end_time,
    })
}

#[test]
fn a_recording_is_known_from_its_start_to_its_end() {
    let made = Made::new();
    made.apply(&[started(1)]);
    let recording = made.recording(1);
    assert_eq!((recording.state, recording.segments), (RecordingState::Recording, 0));
    assert_eq!((recording.recorder.as_str(), recording.name.as_deref()), ("news", Some("Evening")));
    assert_eq!(recording.labels["camera"], "1");
    assert_eq!((recording.tracks, recording.is_clip), (crate::Tracks::Audio, true));
    assert_eq!(recording.start_unix_ms, start_ms() - HOUR_MS);
    assert_eq!((recording.end_unix_ms, recording.reason), (None, None));
    let by_key = |key| made.catalog.reader().by_request_key(key).unwrap();
    assert_eq!(by_key("key-1").unwrap().id, recording.id);
    assert_eq!(by_key("key-2"), None);

    // It begins with its first packet, not when it was asked for.
    made.apply(&[made.opened(1, 1)]);
    assert_eq!(made.recording(1).start_unix_ms, start_ms());
    assert_eq!((made.state(1), made.recording(1).segments), (RecordingState::Recording, 1));
    made.apply(&[made.finished(1, 1), made.opened(1, 2), made.finished(1, 2)]);
    let recording = made.recording(1);
    assert_eq!((recording.state, recording.end_unix_ms), (RecordingState::Recording, None));
    assert_eq!((recording.length_ms, recording.segments), (7_200_000, 2));
    assert_eq!((recording.size_bytes, recording.gaps), (2 * 12_345, 2));
    assert_eq!(recording.ledger.received, Amount { packets: 200, bytes: 20_000 });

    // What is missing at its end is in no file.
    let mut all = Ledger { received: Amount { packets: 250, bytes: 26_000 }, ..ledger() };
    all.add_gap(Gap {
        at_ms: 7_200_000,
        length_ms: 900,
        reason: GapReason::Disk,
        dropped: Amount { packets: 50, bytes: 6_000 },
    });
    all.gaps_total = 3;
    made.apply(&[completed(1, all)]);
    let recording = made.recording(1);
    assert_eq!(
        (recording.state, recording.reason.as_deref()),
        (RecordingState::Complete, Some("stopped"))
    );
    assert_eq!(recording.end_unix_ms, unix_ms("2025-10-11T17:00:00+02:00"));
    assert_eq!((recording.length_ms, recording.gaps), (7_200_900, 3));
    assert_eq!(recording.ledger.received.packets, 250);
    let gaps = made.catalog.reader().gaps_of(recording.id).unwrap();
    let gaps: Vec<_> = gaps.iter().map(|g| (g.segment, g.is_inside, g.gap.at_ms)).collect();
    assert_eq!(gaps, [(1, true, 500), (2, true, 3_600_500), (2, false, 7_200_000)]);
    assert!(made.catalog.reader().gaps_of(about_of(9, 1, 0).recording).unwrap().is_empty());
    // It is over, whatever is heard of its files.
    made.apply(&[made.recovered(1, 2)]);
    made.settle(&[]);
    assert_eq!(made.state(1), RecordingState::Complete);
    assert_eq!(made.recording(1).ledger.received.packets, 250);
}

#[test]
fn a_recording_without_a_file_is_known_as_well() {
    let made = Made::new();
    made.apply(&[started(1), completed(1, Ledger::default()), completed(2, Ledger::default())]);
    assert_eq!((made.state(1), made.recording(1).segments), (RecordingState::Complete, 0));
    assert_eq!(made.catalog.reader().recording(about_of(2, 1, 0).recording).unwrap(), None);
}

#[test]
fn what_ended_with_its_server_is_interrupted() {
    let made = Made::new();
    made.apply(&[
        started(1),
        made.opened(2, 1),
        made.finished(3, 1),
        made.opened(4, 1),
        made.opened(5, 1),
        made.recovered(6, 1),
    ]);
    made.settle(&[5]);
    let states: Vec<_> = (1..=6).map(|id| made.state(id).name()).collect();
    let interrupted = "interrupted";
    assert_eq!(
        states,
        [interrupted, interrupted, "complete", interrupted, "recording", interrupted]
    );
    // Recovery does not make it complete, nor one whose whole file was seen before.
    made.apply(&[made.recovered(2, 1), made.recovered(3, 1)]);
    assert_eq!(
        (made.state(2), made.state(3)),
        (RecordingState::Interrupted, RecordingState::Interrupted)
    );
    // A mended file in the middle says nothing of the end.
    made.apply(&[made.finished(7, 2)]);
    made.settle(&[]);
    made.apply(&[made.recovered(7, 1)]);
    assert_eq!(made.state(7), RecordingState::Complete);
    // One that was given up too early goes on.
    made.apply(&[made.opened(4, 2)]);
    assert_eq!(made.state(4), RecordingState::Recording);
}

#[test]
fn a_recording_that_mends_a_file_goes_on() {
    let made = Made::new();
    made.apply(&[made.opened(1, 1), made.recovered(1, 1), made.opened(1, 2), made.finished(1, 2)]);
    assert_eq!(made.state(1), RecordingState::Recording);
    made.settle(&[1]);
    assert_eq!(made.state(1), RecordingState::Recording);
}

#[test]
fn a_held_file_is_entered_as_held() {
    let made = Made::new();
    std::fs::write(made.path("1_1.flv.hold"), b"").unwrap();
    made.apply(&[made.opened(1, 1)]);
    assert!(made.recording(1).held);
    std::fs::remove_file(made.path("1_1.flv.hold")).unwrap();
    made.apply(&[made.finished(1, 1)]);
    assert!(!made.recording(1).held);
}

#[test]
fn segments_are_found_by_their_time() {
    let made = Made::new();
    // Of all lengths, each ending where the next begins.
    let mut at_ms = 0;
    let mut all = Vec::new();
    for (number, seconds) in
        (1_u32..).zip([1, 20, 200, 900, 3_600, 10_000, 80_000, 600_000, 3_000_000, 9_000_000])
    {
        let mut about = about_of(1, number, 0);
        let at = |ms: i64| jiff::Timestamp::from_millisecond(start_ms() + ms).unwrap().to_string();
        about.start_time = at(at_ms);
        about.recorder = if number % 2 == 0 { "even" } else { "odd" }.to_owned();
        let end_ms = at_ms + seconds * 1_000;
        let finished = Finished {
            end_time: at(end_ms),
            ..finished(made.path(&format!("{number}.flv")), &about)
        };
        made.apply(&[Event::Finished(finished)]);
        all.push((number, at_ms, end_ms));
        at_ms = end_ms;
    }
    let mut about = about_of(2, 1, 0);
    about.stream_key = "other/stream".to_owned();
    made.apply(&[Event::Opened { path: made.path("other.flv"), about }]);
    let between = |key, from: i64, to: i64, recorder| -> Vec<u32> {
        let reader = made.catalog.reader();
        let found = reader.segments_between(key, start_ms() + from, start_ms() + to, recorder);
        found.unwrap().iter().map(|segment| segment.number).collect()
    };
    for (number, start, end) in all {
        assert_eq!(between("kept/test", start, start + 1, None), [number]);
        assert_eq!(between("kept/test", end - 1, end, None), [number]);
        let is_even = number % 2 == 0;
        assert_eq!(between("kept/test", start, end, Some("even")).len(), usize::from(is_even));
    }
    assert_eq!(between("kept/test", -5, 1_000 * 1_000, None), [1, 2, 3, 4]);
    assert_eq!(between("kept/test", i64::MIN + (1 << 60), i64::MAX >> 1, None).len(), 10);
    assert_eq!(between("kept/test", 0, 0, None), [0; 0]);
    // One that is being written has no end yet.
    assert_eq!(between("other/stream", 5_000_000, 6_000_000, None), [1]);
    assert_eq!(between("nothing", 0, i64::MAX >> 1, None), [0; 0]);
}
