//! Recordings that nothing may delete.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Rotation;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::testing::{Rig, Stream, clip, lines_of, second, wait_until};
use crate::{Config, RecordingId};

fn rig(disk: FakeDisk) -> Rig {
    Rig::with(disk, Config { rejoin: Duration::ZERO, ..Config::default() })
}

fn set_held(rig: &Rig, id: RecordingId, held: bool) {
    rig.archive.shared().running(id).unwrap().set_held(held);
    assert_eq!(rig.archive.list()[0].held, held);
}

fn held(rig: &Rig) -> Vec<PathBuf> {
    let mut files: Vec<_> = rig.disk.files().into_keys().collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "hold"));
    files
}

#[test]
fn each_file_of_a_held_recording_is_held_from_its_beginning() {
    let rig = rig(FakeDisk::default());
    let mut stream = Stream::publish("hold", "each");
    let id = rig.start_by(&stream, |plan| {
        plan.rotation = Rotation { duration: Some(Duration::ZERO), ..Rotation::default() };
    });
    stream.push(clip(2));
    rig.wait_for_packets(42);
    assert_eq!(held(&rig), Vec::<PathBuf>::new());
    set_held(&rig, id, true);
    wait_until("the open file is held", || held(&rig).len() == 1);
    stream.push((2..4).flat_map(second));
    rig.wait_for_packets(82);
    drop(stream);
    rig.wait_for_end();
    let path = |n: u32| PathBuf::from(format!("recordings/hold_each_20251011_143052_{n}.flv.hold"));
    assert_eq!(held(&rig), [path(2), path(3), path(4)]);
}

#[test]
fn a_file_that_ends_just_after_is_held_too() {
    let rig = rig(FakeDisk::default());
    let mut stream = Stream::publish("hold", "end");
    let id = rig.start(&stream);
    stream.push(clip(1));
    rig.wait_for_packets(22);
    set_held(&rig, id, true);
    drop(stream);
    rig.wait_for_end();
    assert_eq!(held(&rig).len(), 1);
}

#[test]
fn a_recording_that_is_let_go_is_not_held_any_more() {
    let rig = rig(FakeDisk::default());
    let mut stream = Stream::publish("hold", "released");
    let id = rig.start(&stream);
    set_held(&rig, id, true);
    stream.push(clip(1));
    wait_until("the file is held", || held(&rig).len() == 1);
    set_held(&rig, id, false);
    wait_until("it is not any more", || held(&rig).is_empty());
    set_held(&rig, id, true);
    wait_until("it is again", || held(&rig).len() == 1);
    set_held(&rig, id, false);
    drop(stream);
    rig.wait_for_end();
    assert_eq!(held(&rig), Vec::<PathBuf>::new());
}

#[test]
fn the_hold_goes_with_a_file_that_gets_another_name() {
    let rig = rig(FakeDisk::default());
    let mut stream = Stream::publish("hold", "named");
    let id = rig.start_by(&stream, |plan| plan.template = "{sequence}_{end}".parse().unwrap());
    set_held(&rig, id, true);
    stream.push(clip(1));
    wait_until("the file is held", || held(&rig) == [Path::new("recordings/0001_live.flv.hold")]);
    drop(stream);
    rig.wait_for_end();
    let name = "recordings/0001_20251011T143052.123000+0200.flv.hold";
    assert_eq!(held(&rig), [Path::new(name)]);
}

#[test]
fn a_hold_that_cannot_be_written_is_told_once_and_tried_again() {
    let (mut creations, mut failed) = (0, 0);
    let rig = rig(FakeDisk::failing(move |_, call| {
        creations += usize::from(call == Call::CreateNew);
        // Neither the probe nor the recording.
        let fails = call == Call::CreateNew && creations > 2 && failed < 2;
        failed += usize::from(fails);
        fails.then_some(Fault::Error(std::io::ErrorKind::PermissionDenied))
    }));
    let mut stream = Stream::publish("hold", "denied");
    let id = rig.start(&stream);
    stream.push(clip(1));
    rig.wait_for_packets(22);
    set_held(&rig, id, true);
    let told = || lines_of("").into_iter().filter(|line| line.contains("hold_denied")).count();
    wait_until("it is told", || told() == 1);
    wait_until("it is held", || {
        rig.clock.advance(Duration::from_secs(10));
        !held(&rig).is_empty()
    });
    assert_eq!(told(), 1);
    assert_eq!(rig.archive.counters().errors, 0, "the recording goes on");
}

#[test]
fn a_file_that_is_removed_takes_its_hold_with_it() {
    let mut appends = 0;
    let rig = rig(FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        let fails = call == Call::Append && appends == 2;
        fails.then_some(Fault::Error(std::io::ErrorKind::StorageFull))
    }));
    let mut stream = Stream::publish("hold", "removed");
    let id = rig.start(&stream);
    set_held(&rig, id, true);
    stream.push(clip(1));
    wait_until("it has failed", || rig.archive.counters().errors > 0);
    stream.push(second(1));
    drop(stream);
    rig.wait_for_end();
    let files = rig.file_names();
    assert_eq!(held(&rig).len() * 2, files.len(), "{files:?}");
}
