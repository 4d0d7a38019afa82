//! Several recordings of one stream, side by side.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::disk::fake::several::Several;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::recorder::Timing;
use crate::testing::{
    Rig, Stream, TIMING, assert_begins, clip, errors_of, scan, second, wait_until,
};
use crate::{Config, Error, RecordingId, StartRequest, State};

const LONG: Duration = Duration::from_secs(3_600);

fn rig(rejoin: Duration) -> Rig {
    Rig::with(FakeDisk::default(), Config { rejoin, ..Config::default() })
}

/// Recorders alike but for their names.
fn start(rig: &Rig, stream: &Stream, recorder: &str) -> RecordingId {
    rig.start_by(stream, |plan| plan.recorder = recorder.to_owned())
}

#[test]
fn recorders_of_one_template_keep_their_files_apart() {
    let rig = rig(Duration::ZERO);
    let mut stream = Stream::publish("several", "same");
    for recorder in ["all", "main", "other"] {
        start(&rig, &stream, recorder);
    }
    stream.push(clip(3));
    let sent = std::mem::take(&mut stream.sent);
    drop(stream);
    rig.wait_for_end();
    let finished = rig.take_finished();
    let names = ["", "_2", "_3"].map(|n| format!("recordings/several_same_20251011_143052{n}.flv"));
    let paths: BTreeSet<PathBuf> = finished.iter().map(|file| file.path.clone()).collect();
    assert_eq!(paths, names.iter().map(PathBuf::from).collect());
    let recorders: BTreeSet<_> = finished.iter().map(|file| &*file.about.recorder).collect();
    assert_eq!(recorders, BTreeSet::from(["all", "main", "other"]));
    for file in &finished {
        let packets = scan(&rig.disk.files()[&file.path]);
        assert_eq!(assert_begins(&packets, &sent), sent.len());
    }
}

#[test]
fn each_goes_on_when_the_publisher_is_back() {
    let rig = rig(LONG);
    let stream = Stream::publish("several", "back");
    let ids = ["all", "main"].map(|recorder| start(&rig, &stream, recorder));
    drop(stream);
    let is_away = || rig.archive.list().iter().all(|status| status.state == State::Away);
    wait_until("the publisher is away", is_away);
    let stream = Stream::publish("several", "back");
    assert_eq!(["main", "all"].map(|recorder| start(&rig, &stream, recorder)), [ids[1], ids[0]]);
    assert!(rig.archive.list().iter().all(|status| ids.contains(&status.id)));
    // There is no other to go on with.
    assert!(!ids.contains(&start(&rig, &stream, "main")));
    assert!(!ids.contains(&start(&rig, &stream, "third")));
    rig.archive.close(Duration::from_secs(20));
}

#[test]
fn a_recording_goes_on_by_the_plan_of_whoever_asks_again() {
    let rig = rig(LONG);
    let stream = Stream::publish("several", "replanned");
    let id = rig.start(&stream);
    drop(stream);
    wait_until("the publisher is away", || rig.state() == Some(State::Away));
    let mut stream = Stream::publish("several", "replanned");
    assert_eq!(rig.start_by(&stream, |plan| plan.dir = "elsewhere".into()), id);
    stream.push(clip(1));
    rig.wait_for_packets(22);
    assert_eq!(rig.archive.list()[0].file.as_ref().unwrap().parent(), Some("elsewhere".as_ref()));
    rig.archive.close(Duration::from_secs(20));
}

#[test]
fn a_recording_of_an_id_goes_on_by_its_id() {
    let rig = rig(LONG);
    let stream = Stream::publish("several", "id");
    let ids = [(); 2].map(|()| rig.archive.new_id(&stream.key));
    assert_ne!(ids[0], ids[1]);
    let request = |stream: &Stream, id| StartRequest { id: Some(id), ..rig.request(stream) };
    for id in ids {
        assert_eq!(rig.begin(request(&stream, id)), id);
    }
    let running = rig.archive.start(request(&stream, ids[0]));
    assert!(matches!(running, Err(Error::Running(id)) if id == ids[0]));
    assert!(rig.archive.list().iter().all(|status| ids.contains(&status.id)));
    drop(stream);
    let is_away = || rig.archive.list().iter().all(|status| status.state == State::Away);
    wait_until("the publisher is away", is_away);
    let stream = Stream::publish("several", "id");
    for id in [ids[1], ids[0]] {
        assert_eq!(rig.begin(request(&stream, id)), id);
    }
    assert_eq!(rig.archive.list().len(), 2);
    rig.archive.close(Duration::from_secs(20));
}

#[test]
fn what_cannot_be_written_on_a_recording_is_refused() {
    let rig = rig(LONG);
    let stream = Stream::publish("several", "labels");
    let labels = [("No".to_owned(), String::new())].into();
    let refused = [
        StartRequest { labels, ..rig.request(&stream) },
        StartRequest { name: Some("x".repeat(257)), ..rig.request(&stream) },
        StartRequest { request_key: Some("\u{7}".to_owned()), ..rig.request(&stream) },
        StartRequest {
            plan: rig.plan(|plan| plan.recorder = "r".repeat(257)),
            ..rig.request(&stream)
        },
    ];
    for request in refused {
        assert!(matches!(rig.archive.start(request), Err(Error::Label(_))));
    }
    assert_eq!((errors_of(&stream.key).len(), rig.archive.list().len()), (4, 0));
}

#[test]
fn a_disk_that_fails_hurts_its_own_recordings_alone() {
    for hangs in [false, true] {
        let (disk, broken) = (FakeDisk::default(), Arc::new(AtomicBool::new(false)));
        let fails = broken.clone();
        let bad = FakeDisk::failing(move |_, call| {
            let fault =
                if hangs { Fault::Hang } else { Fault::Error(std::io::ErrorKind::StorageFull) };
            (fails.load(Ordering::Relaxed) && call == Call::Append).then_some(fault)
        });
        let mounted = [("recordings".into(), disk.clone()), ("bad".into(), bad.clone())].to_vec();
        let config =
            Config { rejoin: Duration::ZERO, dirs: vec!["bad".into()], ..Config::default() };
        let timing = Timing { backoff_first: LONG, backoff_most: LONG, ..TIMING };
        let rig = Rig::on(Arc::new(Several(mounted)), disk, config, timing);
        let mut stream = Stream::publish("several", if hangs { "hangs" } else { "fails" });
        rig.start(&stream);
        let id = rig.start_by(&stream, |plan| {
            plan.recorder = "bad".to_owned();
            plan.dir = "bad".into();
        });
        stream.push(clip(2));
        rig.wait_for_packets(84);
        broken.store(true, Ordering::Relaxed);
        stream.push((2..6).flat_map(second));
        let state = || {
            let list = rig.archive.list();
            list.iter().find(|status| status.id == id).map(|status| status.state)
        };
        wait_until("the bad disk fails", || bad.is_hanging() || state() == Some(State::Trouble));
        rig.wait_for_packets(84 + 80);
        let sent = std::mem::take(&mut stream.sent);
        drop(stream);
        wait_until("one ends", || rig.archive.list().iter().all(|status| status.id == id));
        let finished = rig.take_finished();
        let whole = finished.iter().find(|file| file.about.recorder == "all").unwrap();
        let packets = scan(&rig.disk.files()[&whole.path]);
        assert_eq!(assert_begins(&packets, &sent), sent.len());
        bad.release();
        rig.wait_for_end();
    }
}
