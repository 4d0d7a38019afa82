use std::path::Path;
use std::time::Instant;

use media::Header;
use media::amf0::Value;

use super::*;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::events::Event;
use crate::segment::{Form, Segment};
use crate::testing::{
    self, Rig, Stream, assert_begins, clip, errors_of, log_of, metadata, scan, wait_until,
};
use crate::{About, Notice, State as RecordingState, SystemClock, SystemDisk};

#[test]
fn stop_ends_one_recording_and_the_stream_goes_on() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "stopped");
    let id = rig.start(&stream);
    stream.push(clip(2));
    assert!(rig.archive.stop(id));
    rig.wait_for_end();
    let sent = stream.sent.len();
    stream.push(clip(1));
    assert!(!rig.archive.stop(id));
    let packets = scan(&rig.file("live_stopped_20251011_143052.flv"));
    assert_eq!(assert_begins(&packets, &stream.sent), sent);
    assert!(log_of(&stream.key).last().unwrap().ends_with(" reason=\"stopped\""));
    // The same stream may be recorded again.
    rig.start(&stream);
    assert_eq!(rig.archive.list().len(), 1);
}

#[test]
fn what_is_asked_for_in_vain_again_and_again_is_told_once() {
    let config = Config { max_recordings: 1, rejoin: Duration::ZERO, ..Config::default() };
    let rig = Rig::with(FakeDisk::default(), config);
    let (first, second) = (Stream::publish("told", "first"), Stream::publish("told", "second"));
    let id = rig.start(&first);
    for is_told in [false, true, true] {
        let refused = rig.archive.start(StartRequest { is_told, ..rig.request(&second) });
        assert!(
            matches!(refused, Err(crate::Error::TooManyRecordings { limit: 1 })),
            "{refused:?}"
        );
    }
    let told = || log_of(&second.key).len();
    assert_eq!((told(), rig.archive.counters().errors), (2, 1));
    assert!(rig.archive.stop(id));
    rig.wait_for_end();
    let begun = rig.archive.start(StartRequest { is_told: true, ..rig.request(&second) });
    assert!(begun.is_ok() && log_of(&second.key).iter().any(|l| l.contains("recording started")));
}

#[test]
fn close_writes_all_that_has_arrived() {
    let rig = Rig::new(FakeDisk::default());
    let mut streams: Vec<_> =
        (0..5).map(|n| Stream::publish("closing", &format!("s{n}"))).collect();
    for stream in &mut streams {
        rig.start(stream);
        stream.push(clip(20));
    }
    assert_eq!(rig.archive.close(Duration::from_secs(20)), []);
    for (n, stream) in streams.iter().enumerate() {
        let packets = scan(&rig.file(&format!("closing_s{n}_20251011_143052.flv")));
        assert_eq!(assert_begins(&packets, &stream.sent), stream.sent.len());
        assert!(log_of(&stream.key).last().unwrap().ends_with(" reason=\"shutdown\""));
    }
    let refused = rig.archive.start(rig.request(&streams[0]));
    assert!(matches!(refused, Err(Error::Closed)));
}

#[test]
fn close_returns_in_time_and_names_what_hangs() {
    // The disk hangs where the first recording, and only that, syncs its file at the end.
    let mut syncs = 0;
    let rig = Rig::new(FakeDisk::failing(move |_, call| {
        syncs += usize::from(call == Call::SyncData);
        (call == Call::SyncData && syncs == 2).then_some(Fault::Hang)
    }));
    let mut hanging = Stream::publish("closing", "hangs");
    let mut healthy = Stream::publish("closing", "healthy");
    let id = rig.start(&hanging);
    hanging.push(clip(1));
    rig.wait_for_packets(22);
    rig.archive.stop(id);
    wait_until("the disk hangs", || rig.disk.is_hanging());
    rig.start(&healthy);
    healthy.push(clip(1));

    let begun = Instant::now();
    let unfinished = rig.archive.close(Duration::from_secs(2));
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(unfinished.len(), 1, "{unfinished:?}");
    assert_eq!((unfinished[0].id, &unfinished[0].key), (id, &hanging.key));
    let file = "recordings/closing_hangs_20251011_143052.flv";
    assert_eq!(unfinished[0].file, Some(PathBuf::from(file)));
    assert_eq!(unfinished[0].counters.packets, 22);
    assert_eq!(
        errors_of(&hanging.key),
        [format!("ERROR recording not finished in time stream_key=closing/hangs file=./{file}")]
    );
    let closed = log_of(&healthy.key);
    assert!(closed.last().unwrap().ends_with(" reason=\"shutdown\""), "{closed:?}");
    rig.disk.release();
    rig.wait_for_end();
}

#[test]
fn a_start_never_waits_for_the_disk() {
    let rig = Rig::new(FakeDisk::failing(|n, _| (n == 0).then_some(Fault::Hang)));
    let mut stream = Stream::publish("live", "waiting");
    rig.start(&stream);
    wait_until("the disk hangs", || rig.disk.is_hanging());
    stream.push(clip(3));
    let status = &rig.archive.list()[0];
    assert_eq!((&status.key, &status.file), (&stream.key, &None));
    rig.disk.release();
    let sent = std::mem::take(&mut stream.sent);
    drop(stream);
    rig.wait_for_end();
    let packets = scan(&rig.file("live_waiting_20251011_143052.flv"));
    assert_eq!(assert_begins(&packets, &sent), sent.len());
}

#[test]
fn recordings_are_bounded_and_make_room_when_they_end() {
    let config = Config { max_recordings: 3, rejoin: Duration::ZERO, ..Config::default() };
    let rig = Rig::with(FakeDisk::default(), config);
    let streams: Vec<_> = (0..4).map(|n| Stream::publish("bounded", &format!("s{n}"))).collect();
    let ids: Vec<_> = streams[..3].iter().map(|stream| rig.start(stream)).collect();
    let last = &streams[3];
    let request = || rig.request(last);
    assert!(matches!(rig.archive.start(request()), Err(Error::TooManyRecordings { limit: 3 })));
    assert_eq!(
        errors_of(&last.key),
        ["ERROR failed to create recorder error=\"3 recordings are running, which is the \
          limit\" stream_key=bounded/s3"]
    );
    rig.archive.stop(ids[1]);
    wait_until("one ends", || rig.archive.list().len() == 2);
    rig.archive.start(request()).unwrap();
    assert_eq!(rig.archive.list().len(), 3);
}

#[test]
fn a_recording_that_waits_for_its_publisher_makes_room_for_a_stream_that_is_there() {
    let rejoin = Duration::from_secs(3_600);
    let config = Config { max_recordings: 2, rejoin, ..Config::default() };
    let rig = Rig::with(FakeDisk::default(), config);
    let away = Stream::publish("room", "away");
    let (key, id) = (away.key.clone(), rig.start(&away));
    drop(away);
    wait_until("the publisher is away", || rig.state() == Some(RecordingState::Away));
    let streams: Vec<_> = (0..2).map(|n| Stream::publish("room", &format!("s{n}"))).collect();
    for stream in &streams {
        rig.start(stream);
    }
    wait_until("it ends", || rig.archive.list().iter().all(|status| status.id != id));
    assert!(log_of(&key).last().unwrap().starts_with("INFO recording complete"));
    assert_eq!(errors_of(&streams[1].key), Vec::<String>::new());
}

#[test]
fn a_recorder_that_panics_is_told_and_nobody_else_is_touched() {
    let rig = Rig::new(FakeDisk::default());
    let mut healthy = Stream::publish("panic", "healthy");
    rig.start(&healthy);
    let broken = Rig::new(FakeDisk::failing(|_, call| match call {
        Call::Remove => panic!("announced by the test"),
        _ => None,
    }));
    let stream = Stream::publish("panic", "broken");
    broken.start(&stream);
    broken.wait_for_end();
    assert_eq!(broken.archive.close(Duration::from_secs(20)), []);
    assert_eq!(
        errors_of(&stream.key),
        ["ERROR recorder write error error=\"the recorder panicked\" \
          stream_key=panic/broken file="]
    );
    let notices = broken.take_notices();
    assert!(matches!(notices.last(), Some(Notice::Completed { reason: Reason::Failed, .. })));
    let events = broken.take_events();
    assert!(matches!(events.last(), Some(Event::Completed(of)) if of.reason == Reason::Failed));
    healthy.push(clip(1));
    rig.wait_for_packets(22);
}

#[test]
fn ids_differ() {
    let rig = Rig::new(FakeDisk::default());
    let stream = Stream::publish("live", "ids");
    let ids: std::collections::BTreeSet<_> = (0..100).map(|_| rig.start(&stream)).collect();
    assert_eq!(ids.len(), 100);
    rig.archive.close(Duration::from_secs(20));
}

#[test]
fn what_was_left_is_recovered_once_and_waited_for() {
    let rig = Rig::new(FakeDisk::failing(|_, call| (call == Call::List).then_some(Fault::Hang)));
    let disk = &rig.disk;
    rig.archive.recover();
    wait_until("recovery looks at the disk", || disk.is_hanging());
    rig.archive.recover();
    // It hangs, and nobody waits for ever.
    assert_eq!(rig.archive.close(Duration::from_millis(20)), []);
    disk.release();
    assert_eq!(rig.archive.close(Duration::from_secs(20)), []);
    let lists = disk.calls().iter().filter(|call| **call == Call::List).count();
    assert_eq!(lists, 1);
}

/// Leaves a recording unfinished.
fn leave(disk: &FakeDisk, dir: &str, stream_key: &str) {
    let about = About { stream_key: stream_key.to_owned(), ..testing::about() };
    let (header, name) = (Header::default(), testing::name(stream_key));
    let dir = Path::new(dir);
    let mut segment = Segment::create(disk, dir, &name, about, Form::Flv, &header).unwrap();
    for packet in clip(1) {
        segment.push(&packet, packet.dts_ms.unsigned_abs()).unwrap();
    }
    segment.flush().unwrap();
}

#[test]
fn further_directories_are_recovered_one_by_one_and_each_once() {
    let disk = FakeDisk::default();
    for (dir, key) in [("recordings", "dirs/home"), ("b", "dirs/b"), ("c", "dirs/c")] {
        leave(&disk, dir, key);
    }
    let dirs = vec!["b".into(), "recordings/inside".into()];
    let rig = Rig::with(disk, Config { dirs, ..Config::default() });
    let recovered = |key: &str| testing::lines_of(key).len();
    rig.archive.recover();
    wait_until("two are recovered", || recovered("dirs/home") + recovered("dirs/b") == 2);
    assert_eq!(rig.archive.shared().roots(), [Path::new("recordings"), Path::new("b")]);
    // A reload brings another.
    let dirs = ["b", "b/inside", "c"].map(PathBuf::from);
    rig.archive.set_dirs(&dirs);
    rig.archive.set_dirs(&dirs);
    wait_until("the third is recovered", || recovered("dirs/c") == 1);
    assert_eq!(rig.archive.shared().roots().len(), 3);
    assert_eq!(rig.archive.close(Duration::from_secs(20)), []);
    let lists = rig.disk.calls().iter().filter(|call| **call == Call::List).count();
    assert_eq!((lists, rig.take_finished().len(), rig.take_notices().len()), (3, 3, 3));
}

#[test]
fn a_directory_that_hangs_keeps_no_other_from_being_recovered() {
    use crate::disk::fake::several::Several;
    let disk = FakeDisk::default();
    leave(&disk, "good", "dirs/good");
    let bad = FakeDisk::failing(|_, call| (call == Call::List).then_some(Fault::Hang));
    let mounted = [("good".into(), disk.clone()), ("recordings".into(), bad.clone())].to_vec();
    let config = Config { dirs: vec!["good".into()], ..Config::default() };
    let rig = Rig::on(Arc::new(Several(mounted)), disk, config, testing::TIMING);
    rig.archive.recover();
    wait_until("one hangs", || bad.is_hanging());
    wait_until("the other is done", || testing::lines_of("dirs/good").len() == 1);
    bad.release();
    assert_eq!(rig.archive.close(Duration::from_secs(20)), []);
}

#[test]
fn a_killed_recording_is_whole_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { record_dir: dir.path().to_owned(), ..Config::default() };
    let header = Header::default();
    let about = About { stream_key: "live/killed".to_owned(), ..testing::about() };
    let name = testing::name("live/killed");
    let mut segment =
        Segment::create(&SystemDisk, dir.path(), &name, about, Form::Flv, &header).unwrap();
    for packet in clip(2) {
        segment.push(&packet, packet.dts_ms.unsigned_abs()).unwrap();
    }
    segment.flush().unwrap();
    let path = segment.path().to_owned();
    drop(segment);
    // The next start is later than the last write by more than the clock of a file system is off.
    let changed = path.metadata().unwrap().modified().unwrap();
    wait_until("time goes on", || changed.elapsed().unwrap_or_default() > Duration::from_millis(2));
    let archive =
        Archive::open(config, Arc::new(SystemDisk), Arc::new(SystemClock), Observer::default());
    archive.recover();
    wait_until("the file is complete", || {
        metadata(&std::fs::read(&path).unwrap(), "complete") == Value::from(true)
    });
    assert_eq!(archive.close(Duration::from_secs(20)), []);
    let file = std::fs::read(&path).unwrap();
    assert_eq!(assert_begins(&scan(&file), &clip(2)), 42);
    let line = format!(
        "INFO recording recovered file={} stream_key=live/killed bytes={} cut_bytes=0 \
         duration_ms=2023",
        path.display(),
        file.len()
    );
    assert_eq!(log_of(&Key::new("live", "killed").unwrap()), [line]);
}
