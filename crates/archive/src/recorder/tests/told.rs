//! What others are told of recordings, and what they can ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use live::Limits;

use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::events::Event;
use crate::recorder::Timing;
use crate::testing::{Rig, Stream, TIMING, clip, second, wait_until};
use crate::{
    Amount, Config, Cut, DiskState, GapReason, LATENCY_BOUNDS_MS, Notice, Reason, StartRequest,
    State,
};

fn breakable(broken: &Arc<AtomicBool>, call: Call) -> FakeDisk {
    let broken = broken.clone();
    FakeDisk::failing(move |_, c| {
        let fails = broken.load(Ordering::Relaxed) && c == call;
        fails.then_some(Fault::Error(std::io::ErrorKind::StorageFull))
    })
}

/// Which notices came, in order.
fn words(notices: &[Notice]) -> Vec<&'static str> {
    let word = |notice: &Notice| match notice {
        Notice::Started { .. } => "started",
        Notice::Opened { .. } => "opened",
        Notice::Finished { .. } => "finished",
        Notice::Trouble { .. } => "trouble",
        Notice::Resumed { .. } => "resumed",
        Notice::Completed { .. } => "completed",
        Notice::Recovered { .. } => "recovered",
        _ => "other",
    };
    notices.iter().map(word).collect()
}

#[test]
fn a_recording_is_told_from_its_start_to_its_end() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("told", "all");
    let request = StartRequest {
        labels: [("room".to_owned(), "12".to_owned())].into(),
        name: Some("Act 1".to_owned()),
        request_key: Some("k1".to_owned()),
        ..rig.request(&stream)
    };
    let id = rig.begin(request);
    stream.push(clip(2));
    rig.wait_for_packets(42);
    rig.archive.split(id);
    rig.archive.split(id);
    // Both are taken together, or the second finds the file that the first began.
    stream.push(second(2));
    rig.wait_for_packets(62);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();
    let events = rig.take_events();
    let notices = rig.take_notices();
    assert_eq!(
        words(&notices),
        ["started", "opened", "finished", "opened", "finished", "completed"]
    );
    let recorder = "all".to_owned();
    assert_eq!(notices[0], Notice::Started { id, key: key.clone(), recorder: recorder.clone() });
    let file = "recordings/told_all_20251011_143052_2.flv";
    let opened = Notice::Opened {
        id,
        key: key.clone(),
        segment: 2,
        file: file.into(),
        cut: Cut::Request,
        gap: None,
    };
    assert_eq!(notices[3], opened);
    let Notice::Completed { segments, length_ms, ref ledger, reason, .. } = notices[5] else {
        panic!("{notices:?}")
    };
    assert_eq!((segments, length_ms, reason), (2, 3_023, Reason::Ended));
    assert_eq!(ledger.written.packets, 62);

    let Event::Started(started) = &events[0] else { panic!("{events:?}") };
    assert_eq!((started.id, &started.key, &started.recorder), (id, &key, &recorder));
    assert_eq!(started.start_time, "2025-10-11T14:30:52.123+02:00");
    let Some(Event::Completed(completed)) = events.last() else { panic!("{events:?}") };
    assert_eq!((completed.id, completed.segments, completed.length_ms), (id, 2, 3_023));
    assert_eq!((completed.reason, &completed.ledger), (Reason::Ended, ledger));
    let abouts: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Finished(finished) => Some(&finished.about),
            _ => None,
        })
        .collect();
    assert_eq!(abouts.len(), 2);
    for about in abouts {
        assert_eq!(about.labels["room"], "12");
        assert_eq!(
            (about.name.as_deref(), about.request_key.as_deref()),
            (Some("Act 1"), Some("k1"))
        );
    }
    assert_eq!(
        (started.name.as_deref(), started.request_key.as_deref()),
        (Some("Act 1"), Some("k1"))
    );
    assert_eq!(started.labels["room"], "12");
}

#[test]
fn trouble_and_its_end_are_told() {
    let broken = Arc::new(AtomicBool::new(true));
    let rig = Rig::new(breakable(&broken, Call::CreateNew));
    let mut stream = Stream::publish("told", "trouble");
    let id = rig.start(&stream);
    wait_until("it is in trouble", || rig.state() == Some(State::Trouble));
    stream.push(clip(2));
    broken.store(false, Ordering::Relaxed);
    rig.wait_for_packets(42);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();
    let notices = rig.take_notices();
    let expected = ["started", "trouble", "opened", "resumed", "finished", "completed"];
    assert_eq!(words(&notices), expected);
    let error = "no space left on device".to_owned();
    assert_eq!(notices[1], Notice::Trouble { id, key: key.clone(), error });
    assert_eq!(notices[3], Notice::Resumed { id, key, gap: None });
}

#[test]
fn what_a_slow_disk_loses_is_told() {
    let mut appends = 0;
    let rig = Rig::new(FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        (call == Call::Append && appends == 2).then_some(Fault::Hang)
    }));
    let limits = Limits { record_bytes: 100_000, join_bytes: 50_000, ..Limits::default() };
    let mut stream = Stream::publish_within("told", "slow", limits);
    let id = rig.start(&stream);
    stream.push(clip(1));
    wait_until("the disk hangs", || rig.disk.is_hanging());
    stream.push((1..60).flat_map(second));
    // The stream waits for the recording, as far as it is held.
    assert!(rig.archive.list()[0].waiting_bytes > 100_000);
    rig.disk.release();
    rig.wait_until_read(id);
    drop(stream);
    rig.wait_for_end();
    let notices = rig.take_notices();
    assert_eq!(
        words(&notices),
        ["started", "opened", "trouble", "resumed", "finished", "completed"]
    );
    let Notice::Resumed { gap: Some(gap), .. } = notices[3] else { panic!("{notices:?}") };
    let Notice::Completed { ref ledger, .. } = notices[5] else { panic!("{notices:?}") };
    assert_eq!((gap.reason, gap.at_ms), (GapReason::SlowDisk, 923));
    assert_eq!(ledger.gaps, [gap]);
}

#[test]
fn a_gap_at_the_very_end_is_told_with_its_length() {
    let broken = Arc::new(AtomicBool::new(false));
    let hour = Duration::from_secs(3_600);
    let timing = Timing { backoff_first: hour, backoff_most: hour, ..TIMING };
    let config = Config { rejoin: Duration::ZERO, ..Config::default() };
    let rig = Rig::waiting(breakable(&broken, Call::Append), config, timing);
    let mut stream = Stream::publish("told", "gap");
    let id = rig.start(&stream);
    stream.push(clip(2));
    rig.wait_for_packets(42);
    broken.store(true, Ordering::Relaxed);
    stream.push((2..5).flat_map(second));
    wait_until("it is in trouble", || rig.state() == Some(State::Trouble));
    drop(stream);
    rig.wait_for_end();
    let events = rig.take_events();
    let Some(Event::Completed(completed)) = events.last() else { panic!("{events:?}") };
    assert_eq!((completed.id, completed.reason, completed.segments), (id, Reason::Failed, 1));
    assert!(completed.ledger.is_balanced());
    let [gap] = completed.ledger.gaps[..] else { panic!("{:?}", completed.ledger) };
    assert_eq!((gap.at_ms, gap.reason), (completed.length_ms, GapReason::Disk));
    assert_eq!(gap.dropped.packets, 60);
    // To the newest packet that came.
    assert_eq!(gap.at_ms + gap.length_ms, 4_923);
}

#[test]
fn a_status_says_what_there_is_to_show() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("told", "status");
    let id = rig.start(&stream);
    let status = || rig.archive.list().remove(0);
    let begun = status();
    assert_eq!((begun.id, begun.segments, begun.length_ms), (id, 0, 0));
    assert_eq!((begun.plan, begun.started_unix_ms), (rig.archive.plan(), 1_760_185_852_123));
    stream.push(clip(2));
    rig.wait_for_packets(42);
    wait_until("the books are shown", || status().ledger.written.packets == 42);
    let now = status();
    assert_eq!((now.segments, now.length_ms, now.waiting_bytes), (1, 2_023, 0));
    assert!(now.latency.calls() > 0);
    // The disk takes no time by this clock.
    assert_eq!(now.latency.counts[0], now.latency.calls());
    assert!(rig.archive.latency().calls() >= now.latency.calls());
    assert_eq!(LATENCY_BOUNDS_MS[0], 1);
    assert_eq!(now.ledger.dropped, Amount::default());
}

#[test]
fn a_disk_that_hangs_is_told_once_however_many_record_to_it() {
    let rig = Rig::new(FakeDisk::failing(|_, call| (call == Call::Append).then_some(Fault::Hang)));
    let mut streams = ["a", "b"].map(|name| Stream::publish("told-hangs", name));
    for stream in &mut streams {
        rig.start(stream);
        stream.push(clip(1));
    }
    wait_until("the disk hangs", || rig.disk.is_hanging());
    let disk = |state| Notice::Disk { dir: "recordings".into(), state, free_bytes: None };
    let mut told = Vec::new();
    wait_until("it is told", || {
        // Until both are in a call that is long enough.
        rig.clock.advance(Duration::from_secs(3));
        told.extend(rig.take_notices());
        told.contains(&disk(DiskState::Hanging))
    });
    rig.disk.release();
    rig.wait_for_packets(44);
    wait_until("its end is told", || {
        told.extend(rig.take_notices());
        told.contains(&disk(DiskState::Good))
    });
    let of_disk = told.iter().filter(|notice| matches!(notice, Notice::Disk { .. })).count();
    assert_eq!(of_disk, 2, "{told:?}");
}

#[test]
fn how_long_a_disk_takes_is_measured() {
    let mut appends = 0;
    let rig = Rig::new(FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        (call == Call::Append && appends == 2).then_some(Fault::Hang)
    }));
    let mut stream = Stream::publish("told", "latency");
    rig.start(&stream);
    stream.push(clip(1));
    wait_until("the disk hangs", || rig.disk.is_hanging());
    rig.clock.advance(Duration::from_secs(3));
    rig.disk.release();
    rig.wait_for_packets(22);
    let latency = rig.archive.latency();
    let within_5_s = LATENCY_BOUNDS_MS.iter().position(|ms| *ms == 5_000).unwrap();
    assert_eq!((latency.counts[within_5_s], latency.sum), (1, Duration::from_secs(3)));
}
