//! A disk that fails costs what cannot be had, counted, and no more.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use media::Packet;
use media::amf0::Value;

use crate::config::Rotation;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::events::Event;
use crate::recorder::Timing;
use crate::testing::{
    Rig, Stream, TIMING, assert_begins, audio, capture_log, clip, errors_of, log_of, metadata,
    scan, scan_torn, second, video, wait_until,
};
use crate::{
    Archive, Config, Cut, GapReason, Observer, StartRequest, State, SystemClock, SystemDisk,
};

/// A disk on which some calls fail while it is broken.
pub(super) fn breakable(
    broken: &Arc<AtomicBool>,
    fails: impl Fn(Call) -> bool + Send + 'static,
    kind: io::ErrorKind,
) -> FakeDisk {
    let broken = broken.clone();
    FakeDisk::failing(move |_, call| {
        (broken.load(Ordering::Relaxed) && fails(call)).then_some(Fault::Error(kind))
    })
}

fn patient(disk: FakeDisk) -> Rig {
    let hour = Duration::from_secs(3_600);
    let timing = Timing { backoff_first: hour, backoff_most: hour, ..TIMING };
    Rig::waiting(disk, Config { rejoin: Duration::ZERO, ..Config::default() }, timing)
}

/// Waits until a recorder of [`clip`]`(1)` has nothing to do: after the first packets it writes what the file says of itself.
fn wait_until_idle(rig: &Rig) {
    rig.wait_for_packets(22);
    wait_until("the file's metadata", || rig.disk.calls().contains(&Call::WriteAt));
}

/// The files hold runs of what was sent, in order and nothing twice; returns how many packets.
pub(super) fn kept(rig: &Rig, sent: &[Packet]) -> usize {
    let mut from = 0;
    let mut kept = 0;
    let files = rig.disk.files();
    for segment in rig.take_finished() {
        assert!(segment.ledger.is_balanced());
        let packets = scan(&files[&segment.path]);
        let repeated = usize::try_from(segment.ledger.repeated_packets).unwrap();
        let own = &packets[repeated..];
        let first = sent[from..].iter().position(|p| p.body == own[0].body).unwrap() + from;
        let bodies =
            |packets: &[Packet]| packets.iter().map(|p| p.body.clone()).collect::<Vec<_>>();
        assert_eq!(bodies(own), bodies(&sent[first..first + own.len()]));
        from = first + own.len();
        kept += own.len();
    }
    kept
}

#[test]
fn a_directory_without_permission_is_told_once_and_tried_until_it_works() {
    for (name, failing) in [("dir", Call::CreateDir), ("file", Call::CreateNew)] {
        let broken = Arc::new(AtomicBool::new(true));
        let rig =
            Rig::new(breakable(&broken, move |c| c == failing, io::ErrorKind::PermissionDenied));
        let mut stream = Stream::publish("denied", name);
        rig.start(&stream);
        // Before any packet.
        wait_until("it is found out", || rig.state() == Some(State::Trouble));
        let error = || rig.archive.list().remove(0).error;
        assert_eq!(error().as_deref(), Some("permission denied"));
        stream.push(clip(3));
        let calls = rig.disk.calls().len();
        wait_until("it is tried again and again", || rig.disk.calls().len() > calls + 3);
        broken.store(false, Ordering::Relaxed);
        let sent = std::mem::take(&mut stream.sent);
        let key = stream.key.clone();
        rig.wait_for_packets(sent.len() as u64);
        wait_until("nothing is wrong any more", || error().is_none());
        drop(stream);
        rig.wait_for_end();
        let lines = log_of(&key);
        let error =
            format!("ERROR failed to create recorder error=\"permission denied\" stream_key={key}");
        assert_eq!(lines[1], error);
        assert!(lines[2].starts_with("INFO recorder initialized"), "{lines:?}");
        assert!(
            lines[3].starts_with("INFO recording resumed")
                && lines[3].ends_with("gap_ms=0 packets=0 bytes=0 reason=\"disk\""),
            "{lines:?}"
        );
        assert_eq!(rig.archive.counters().errors, 1);
        // The queue has held everything.
        let segments = rig.take_finished();
        assert_eq!(segments.len(), 1);
        assert_eq!((segments[0].about.cut, segments[0].about.gap_before), (Cut::Disk, None));
        assert_eq!(segments[0].ledger.written.packets, sent.len() as u64);
    }
}

#[test]
fn a_file_in_place_of_the_directory_is_told() {
    capture_log();
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = Config { record_dir: file.path().to_owned(), ..Config::default() };
    let archive =
        Archive::open(config, Arc::new(SystemDisk), Arc::new(SystemClock), Observer::default());
    let mut stream = Stream::publish("live", "no-directory");
    let plan = archive.plan();
    archive.start(StartRequest::new(stream.key.clone(), stream.cursor(), plan)).unwrap();
    stream.push(clip(1));
    assert_eq!(archive.close(Duration::from_secs(20)), []);
    let error =
        "ERROR failed to create recorder error=\"file exists\" stream_key=live/no-directory";
    assert_eq!(errors_of(&stream.key), [error]);
    let complete = log_of(&stream.key).pop().unwrap();
    assert!(complete.contains(" received=22 written=0 dropped=22 "), "{complete}");
}

/// Three groups of pictures, each written by itself, with the metadata refreshed and the file
/// synced between.
fn record_slowly(rig: &Rig, stream: &mut Stream) {
    rig.start(stream);
    let is_in_trouble = || rig.state() == Some(State::Trouble);
    for part in [clip(1), second(1).collect(), second(2).collect()] {
        stream.push(part);
        let sent = stream.sent.len() as u64;
        wait_until("written and refreshed for the first time, or failed", || {
            let counters = rig.archive.counters();
            let all = counters.packets + counters.dropped_packets >= sent;
            is_in_trouble() || all && rig.disk.calls().contains(&Call::WriteAt)
        });
        let before = rig.disk.calls().len();
        rig.clock.advance(Duration::from_secs(10));
        let mut looks = 0;
        wait_until("refreshed and synced, or failed", || {
            looks += 1;
            // A file that began after trouble just now is not old enough yet.
            if looks % 500 == 0 {
                rig.clock.advance(Duration::from_secs(10));
            }
            let calls = &rig.disk.calls()[before..];
            is_in_trouble() || calls.ends_with(&[Call::SyncData])
        });
    }
}

#[test]
fn an_error_at_any_disk_call_costs_a_group_of_pictures_and_is_told_once() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("each", "reference");
    record_slowly(&rig, &mut stream);
    drop(stream);
    rig.wait_for_end();
    let calls = rig.disk.calls();
    assert!(calls.len() > 20, "{calls:?}");

    // Side by side: most of the time they wait.
    std::thread::scope(|scope| {
        for (n, call) in calls.iter().enumerate() {
            scope.spawn(move || fail_at(n, *call, false));
            scope.spawn(move || fail_at(n, *call, true));
        }
    });
}

/// The recording of [`record_slowly`] with its `n`th disk call failing, or all from there on.
fn fail_at(n: usize, call: Call, lasting: bool) {
    let fault = if n.is_multiple_of(2) { Fault::Os(5) } else { Fault::Torn(1_000) };
    let rig = Rig::new(FakeDisk::failing(move |i, call| match call {
        _ if i == n && matches!(call, Call::Append | Call::WriteAt) => Some(fault),
        _ if i == n || i > n && lasting => Some(Fault::Os(5)),
        // A torn append takes a part and says so; the error comes with the rest.
        Call::Append if i == n + 1 => Some(Fault::Os(5)),
        _ => None,
    }));
    let mut stream = Stream::publish("each", &format!("call{n}_{lasting}"));
    record_slowly(&rig, &mut stream);
    let sent = std::mem::take(&mut stream.sent);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();

    let told = errors_of(&key);
    let harmless = call == Call::Remove && !lasting;
    assert!(told.len() <= 2 && told.is_empty() == harmless, "call {n} {call:?}: {told:?}");
    let counters = rig.archive.counters();
    assert_eq!(counters.errors, told.len() as u64);
    assert_eq!(counters.packets + counters.dropped_packets, sent.len() as u64, "call {n} {call:?}");
    if lasting {
        for (path, file) in rig.disk.files() {
            // A disk that stays broken cannot be asked to cut the torn tail.
            assert!(path.extension().is_some_and(|e| e == "probe") || !file.is_empty());
            let _ = scan_torn(&file);
        }
        return;
    }
    // The failed batch, and what came before the next key frame, which came at once.
    assert!(counters.dropped_packets <= 22, "call {n} {call:?}: {counters:?}");
    let kept = kept(&rig, &sent) as u64;
    let told_close = told.iter().any(|line| line.starts_with("ERROR recorder close error"));
    assert!(kept == counters.packets || told_close, "call {n} {call:?}: {kept} {counters:?}");
}

#[test]
fn a_full_disk_is_a_gap_between_two_files_of_one_recording() {
    let full = Arc::new(AtomicBool::new(false));
    let rig = Rig::new(breakable(&full, |c| c == Call::Append, io::ErrorKind::StorageFull));
    let mut stream = Stream::publish("live", "full");
    let id = rig.start(&stream);
    stream.push(clip(2));
    rig.wait_for_packets(42);
    full.store(true, Ordering::Relaxed);
    stream.push(second(2).take(19));
    wait_until("the disk is full", || rig.state() == Some(State::Trouble));
    // 19 are lost with the failed batch, then one that no key frame is before.
    stream.push([audio(2_950, 150)]);
    stream.push((3..6).flat_map(second));
    full.store(false, Ordering::Relaxed);
    let sent = std::mem::take(&mut stream.sent);
    rig.wait_for_received(sent.len() as u64);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();

    let error = "ERROR recorder write error error=\"no space left on device\" \
                 stream_key=live/full file=./recordings/live_full_20251011_143052.flv";
    assert_eq!(errors_of(&key), [error]);
    let segments = rig.take_finished();
    assert_eq!(segments.iter().map(|s| s.about.segment).collect::<Vec<_>>(), [1, 2]);
    let gap = segments[1].about.gap_before.unwrap();
    assert_eq!((gap.reason, gap.dropped.packets), (GapReason::Disk, 20));
    assert_eq!((gap.at_ms, segments[1].about.start_ms), (segments[0].length_ms, 3_000));
    assert_eq!(gap.at_ms + gap.length_ms, 3_000);
    assert_eq!((segments[1].about.cut, segments[1].about.recording), (Cut::Disk, id));
    assert_eq!(segments[1].about.first_packet, 42);
    let resumed = format!(
        "INFO recording resumed stream_key=live/full \
         file=./recordings/live_full_20251011_143052_2.flv gap_ms={} packets=20 bytes={} \
         reason=\"disk\"",
        gap.length_ms, gap.dropped.bytes
    );
    assert!(log_of(&key).contains(&resumed), "{:?}", log_of(&key));
}

/// As ext4 does when its device fails: what was not synced is gone, and the file is what it was when
/// it was made.
#[test]
fn a_file_that_lost_all_that_was_in_it_is_set_aside_and_its_packets_are_in_the_gap() {
    let broken = Arc::new(AtomicBool::new(false));
    let fails = |call| !matches!(call, Call::Read | Call::List | Call::Space | Call::OpenRead);
    let rig = Rig::new(breakable(&broken, fails, io::ErrorKind::ReadOnlyFilesystem));
    let mut stream = Stream::publish("live", "bare");
    rig.start(&stream);
    stream.push(clip(1));
    wait_until_idle(&rig);
    broken.store(true, Ordering::Relaxed);
    stream.push(second(1));
    wait_until("the disk has failed", || rig.state() == Some(State::Trouble));
    let (path, lost) = rig.disk.files().pop_first().unwrap();
    // The header of the file, and its first tag, whose body is so long.
    let body = u32::from_be_bytes([0, lost[14], lost[15], lost[16]]);
    let bare = &lost[..13 + 11 + usize::try_from(body).unwrap() + 4];
    assert!(bare.len() < lost.len());
    rig.disk.put(path.to_str().unwrap(), bare);
    stream.push(second(2));
    broken.store(false, Ordering::Relaxed);
    let sent = std::mem::take(&mut stream.sent);
    rig.wait_for_received(sent.len() as u64);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();

    let files = rig.disk.files();
    assert_eq!(files[&path.with_added_extension("broken")], bare);
    assert!(files.contains_key(&path.with_added_extension("broken.txt")));
    let [segment] = &rig.take_finished()[..] else { panic!("one file") };
    assert_eq!((&segment.path, segment.about.segment), (&path, 1));
    assert_eq!(segment.about.first_packet, 0);
    let gap = segment.about.gap_before.unwrap();
    let written = segment.ledger.written.packets;
    assert_eq!((gap.at_ms, gap.reason), (0, GapReason::Disk));
    assert_eq!((gap.dropped.packets, written), (42, 20));
    assert_eq!(gap.length_ms, segment.about.start_ms);
    let complete = log_of(&key).pop().unwrap();
    assert!(complete.contains(" received=62 written=20 dropped=42 "), "{complete}");
}

/// Where the tags of a file end, the first of which has its metadata.
fn ends(file: &[u8]) -> Vec<usize> {
    let mut ends = vec![13];
    while let Some([_, a, b, c]) = file.get(ends[ends.len() - 1]..).and_then(<[u8]>::first_chunk) {
        let body = u32::from_be_bytes([0, *a, *b, *c]);
        ends.push(ends[ends.len() - 1] + 11 + usize::try_from(body).unwrap() + 4);
    }
    ends
}

/// The end of a file could not be synced, and then it is not there.
#[test]
fn what_a_file_lacks_whose_end_failed_is_in_the_gap_after_it() {
    let broken = Arc::new(AtomicBool::new(false));
    let fails = |call| !matches!(call, Call::Read | Call::List | Call::Space | Call::OpenRead);
    let rotation = Rotation { duration: Some(Duration::ZERO), ..Rotation::default() };
    let config = Config { rotation, rejoin: Duration::ZERO, ..Config::default() };
    let rig = Rig::with(breakable(&broken, fails, io::ErrorKind::ReadOnlyFilesystem), config);
    let mut stream = Stream::publish("live", "torn");
    rig.start(&stream);
    stream.push(clip(1));
    wait_until_idle(&rig);
    broken.store(true, Ordering::Relaxed);
    // Begins with a key frame, at which the file is to end.
    stream.push(second(1));
    wait_until("the disk has failed", || rig.state() == Some(State::Trouble));
    let (path, file) = rig.disk.files().pop_first().unwrap();
    let ends = ends(&file);
    rig.disk.put(path.to_str().unwrap(), &file[..ends[ends.len() - 6]]);
    broken.store(false, Ordering::Relaxed);
    rig.wait_for_received(42);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();

    let close = "ERROR recorder close error error=\"read-only file system\" stream_key=live/torn";
    assert_eq!(errors_of(&key)[0], close);
    let files = rig.disk.files();
    let [first, second] = &files.values().collect::<Vec<_>>()[..] else { panic!("two files") };
    let number = |file: &[u8], name: &str| metadata(file, name).as_f64().unwrap();
    let written = number(first, "packetsWritten");
    assert_eq!(number(second, "firstPacket"), written);
    assert_eq!(number(second, "gapBeforePackets"), 22.0 - written);
    assert!(written < 22.0);
    let end = number(first, "segmentLength") + number(second, "gapBefore");
    assert!((number(second, "recordingTime") - end).abs() < 1e-6);
    let complete = log_of(&key).pop().unwrap();
    let dropped = 22.0 - written;
    let books = format!(" received=42 written={} dropped={dropped} ", 42.0 - dropped);
    assert!(complete.contains(&books), "{complete}");
}

#[test]
fn a_file_is_mended_also_when_its_disk_was_away_for_a_while() {
    let (fine, failing, away) = (0, 1, 2);
    let state = Arc::new(AtomicUsize::new(fine));
    let now = state.clone();
    let disk = FakeDisk::failing(move |_, call| {
        let reads = matches!(call, Call::Read | Call::OpenRead | Call::Space);
        match now.load(Ordering::Relaxed) {
            1 if !reads => Some(Fault::Error(io::ErrorKind::ReadOnlyFilesystem)),
            2 if !reads => Some(Fault::Error(io::ErrorKind::NotFound)),
            _ => None,
        }
    });
    let rig = Rig::new(disk);
    let mut stream = Stream::publish("live", "away");
    rig.start(&stream);
    stream.push(clip(1));
    wait_until_idle(&rig);
    state.store(failing, Ordering::Relaxed);
    stream.push(second(1));
    wait_until("the disk has failed", || rig.state() == Some(State::Trouble));
    state.store(away, Ordering::Relaxed);
    let tries = || rig.disk.calls().iter().filter(|call| **call == Call::Open).count();
    let before = tries();
    stream.push(second(2));
    wait_until("the file is looked for in vain", || tries() > before + 2);
    state.store(fine, Ordering::Relaxed);
    rig.wait_for_received(62);
    drop(stream);
    rig.wait_for_end();
    let files = rig.disk.files();
    let complete: Vec<_> = files.values().map(|file| metadata(file, "complete")).collect();
    assert_eq!(complete, [Value::from(true), Value::from(true)]);
}

/// The file before the newest is mended late: the chain goes on from the newest.
#[test]
fn a_file_that_is_mended_late_is_in_no_later_chain() {
    let (fine, failing, unopened) = (0, 1, 2);
    let state = Arc::new(AtomicUsize::new(fine));
    let now = state.clone();
    let disk = FakeDisk::failing(move |_, call| {
        let fails = match now.load(Ordering::Relaxed) {
            1 => matches!(call, Call::SyncData | Call::Open),
            2 => call == Call::Open,
            _ => false,
        };
        fails.then_some(Fault::Error(io::ErrorKind::PermissionDenied))
    });
    let rotation = Rotation { duration: Some(Duration::ZERO), ..Rotation::default() };
    let rig = Rig::with(disk, Config { rotation, rejoin: Duration::ZERO, ..Config::default() });
    let mut stream = Stream::publish("live", "late");
    rig.start(&stream);
    stream.push(clip(1));
    wait_until_idle(&rig);
    state.store(failing, Ordering::Relaxed);
    stream.push(second(1));
    wait_until("the first cannot be ended", || rig.state() == Some(State::Trouble));
    state.store(unopened, Ordering::Relaxed);
    rig.wait_for_packets(42);
    state.store(fine, Ordering::Relaxed);
    stream.push(second(2));
    drop(stream);
    rig.wait_for_end();

    let finished = rig.take_finished();
    let of = |number| finished.iter().find(|finished| finished.about.segment == number).unwrap();
    let chains = [2, 3].map(|number| of(number).about.chain_before);
    assert_eq!(chains, [None, Some(of(2).chain)]);
}

#[test]
fn what_is_left_of_a_file_that_could_not_be_begun_is_set_aside_at_once_or_at_the_end() {
    for until_the_end in [false, true] {
        left_of_a_file_that_could_not_be_begun(until_the_end);
    }
}

/// With a disk that can neither sync nor remove anything at first, and not rename `until_the_end`.
fn left_of_a_file_that_could_not_be_begun(until_the_end: bool) {
    let is_stuck = Arc::new(AtomicBool::new(until_the_end));
    let (stuck, broken, kept) = (is_stuck.clone(), AtomicBool::new(true), AtomicUsize::new(0));
    // It is whole again once it could not remove that file, after the one that it was tried with: between two attempts,
    // wherever the test is.
    let disk = FakeDisk::failing(move |_, call| {
        let is_broken = broken.load(Ordering::Relaxed);
        if is_broken && call == Call::Remove && kept.fetch_add(1, Ordering::Relaxed) == 1 {
            broken.store(false, Ordering::Relaxed);
        }
        let fails = match call {
            Call::SyncData | Call::Remove => is_broken,
            Call::Rename => stuck.load(Ordering::Relaxed),
            _ => false,
        };
        fails.then_some(Fault::Error(io::ErrorKind::ReadOnlyFilesystem))
    });
    let rig = Rig::new(disk);
    let mut stream = Stream::publish("live", "unbegun");
    rig.start(&stream);
    stream.push(clip(2));
    rig.wait_for_packets(42);
    assert_eq!(rig.file_names().iter().any(|name| name.contains(".broken")), !until_the_end);
    is_stuck.store(false, Ordering::Relaxed);
    drop(stream);
    rig.wait_for_end();
    let [segment] = &rig.take_finished()[..] else { panic!("one file") };
    assert_eq!((segment.about.segment, segment.ledger.written.packets), (1, 42));
    let files = rig.disk.files();
    let mut media = files.keys().filter(|path| path.extension().is_some_and(|end| end == "flv"));
    assert_eq!((media.next(), media.next()), (Some(&segment.path), None), "nothing else is of it");
    let is_broken = |path: &PathBuf| path.extension().is_some_and(|end| end == "broken");
    assert!(files.keys().any(is_broken), "{:?}", files.keys());
}

#[test]
fn a_deleted_file_is_noticed_once_and_the_recording_goes_on() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "deleted");
    rig.start(&stream);
    stream.push(clip(1));
    rig.wait_for_packets(22);
    rig.disk.delete_all();
    rig.clock.advance(Duration::from_secs(10));
    wait_until("it is noticed", || rig.state() == Some(State::Trouble));
    stream.push(second(1));
    rig.wait_for_packets(42);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();
    let expected = "ERROR recorder write error error=\"the file was deleted\" \
                    stream_key=live/deleted file=./recordings/live_deleted_20251011_143052.flv";
    assert_eq!(errors_of(&key), [expected]);
    assert_eq!(rig.file_names(), ["live_deleted_20251011_143102.flv"]);
    let gone = PathBuf::from("recordings/live_deleted_20251011_143052.flv");
    assert!(rig.take_events().contains(&Event::Gone(gone)));
    // What was in it is in no file any more.
    let file = rig.file("live_deleted_20251011_143102.flv");
    assert_eq!(metadata(&file, "segment"), Value::from(2.0));
    assert_eq!(metadata(&file, "gapBeforePackets"), Value::from(22.0));
    let complete = log_of(&key).pop().unwrap();
    assert!(complete.contains(" received=42 written=20 dropped=22 "), "{complete}");
}

/// What is said of a file of a stream that was moved.
fn moved(key: &str, file: &str) -> String {
    format!(
        "ERROR recorder close error error=\"recordings/{file} was moved or its disk unmounted; the file is \
         whole where it is now, put it back to have it listed\" stream_key={key}"
    )
}

#[test]
fn a_file_that_is_moved_is_whole_and_the_next_one_begins_where_it_was_without_a_loss() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "moved");
    let id = rig.start(&stream);
    stream.push(clip(1));
    rig.wait_for_packets(22);
    rig.disk.move_dir("recordings", "elsewhere");
    let mut seconds = 1..;
    wait_until("another file begins", || {
        rig.clock.advance(Duration::from_secs(10));
        stream.push(seconds.next().into_iter().flat_map(second));
        rig.disk.files().keys().any(|path| path.starts_with("recordings"))
    });
    let sent = std::mem::take(&mut stream.sent);
    rig.wait_for_packets(sent.len() as u64);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();

    let name = "live_moved_20251011_143052.flv";
    assert_eq!(errors_of(&key), [moved("live/moved", name)]);
    let files = rig.disk.files();
    let [(elsewhere, first), (path, next)] = &files.iter().collect::<Vec<_>>()[..] else {
        panic!("{:?}", files.keys())
    };
    assert_eq!(elsewhere.as_path(), Path::new("elsewhere").join(name));
    for (file, number) in [(first, 1.0), (next, 2.0)] {
        assert_eq!(metadata(file, "complete"), Value::from(true));
        assert_eq!(metadata(file, "segment"), Value::from(number));
    }
    assert_eq!(metadata(next, "segmentReason"), Value::from("disk"));
    // The next one repeats both configurations.
    assert_eq!(metadata(next, "packetsRepeated"), Value::from(2.0));
    let packets = [scan(first), scan(next).split_off(2)].concat();
    assert_eq!(assert_begins(&packets, &sent), sent.len());
    let gone = Path::new("recordings").join(name);
    assert!(rig.take_events().contains(&Event::Gone(gone)));
    assert_eq!(rig.archive.ended(id).unwrap().file.as_ref(), Some(*path));
}

#[test]
fn nothing_is_done_under_the_name_of_a_file_that_was_moved_before_its_end() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "away-at-end");
    let id = rig.start_by(&stream, |plan| plan.template = "live/{sequence}_{end}".parse().unwrap());
    stream.push(clip(1));
    rig.wait_for_packets(22);
    let [name] = &rig.file_names()[..] else { panic!("one file") };
    rig.disk.move_dir("recordings/live", "elsewhere");
    // Another file has the name.
    let path = Path::new("recordings/live").join(name);
    rig.disk.put(path.to_str().unwrap(), b"of somebody else");
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();

    assert_eq!(errors_of(&key), [moved("live/away-at-end", &format!("live/{name}"))]);
    let files = rig.disk.files();
    let there = Path::new("elsewhere").join(name);
    assert_eq!(files.keys().collect::<Vec<_>>(), [&there, &path]);
    assert_eq!(files[&path], b"of somebody else");
    assert_eq!(metadata(&files[&there], "complete"), Value::from(true));
    assert_eq!(scan(&files[&there]).len(), 22);
    assert!(rig.take_events().contains(&Event::Gone(path)));
    let ended = rig.archive.ended(id).unwrap();
    assert_eq!((ended.file, ended.segments), (None, 1));
}

#[test]
fn the_end_of_a_run_or_a_stop_ends_the_waiting_after_one_more_try() {
    for (name, stops, heals) in [("end", false, false), ("stop", true, false), ("heal", true, true)]
    {
        let broken = Arc::new(AtomicBool::new(true));
        let rig = patient(breakable(&broken, |c| c == Call::CreateNew, io::ErrorKind::NotFound));
        let mut stream = Stream::publish("waiting", name);
        let id = rig.start(&stream);
        stream.push(clip(2));
        wait_until("the disk is in trouble", || rig.state() == Some(State::Trouble));
        broken.store(!heals, Ordering::Relaxed);
        let key = stream.key.clone();
        if stops {
            rig.archive.stop(id);
        } else {
            drop(stream);
        }
        rig.wait_for_end();
        let complete = log_of(&key).pop().unwrap();
        let books = if heals { "written=42 dropped=0" } else { "written=0 dropped=42" };
        assert!(complete.contains(&format!(" received=42 {books} ")), "{complete}");
        let reason = if stops { "stopped" } else { "failed" };
        assert!(complete.ends_with(&format!("reason=\"{reason}\"")), "{complete}");
    }
}

#[test]
fn without_free_space_files_end_at_a_key_frame_and_go_on_when_there_is_space() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "space");
    rig.start(&stream);
    let place = rig.archive.shared().gate.enter("recordings".as_ref());
    stream.push(clip(2));
    rig.wait_for_packets(42);
    place.set_open(false);
    stream.push([audio(2_000, 10)]);
    rig.wait_for_packets(43);
    stream.push((2..5).flat_map(second));
    wait_until("it waits", || rig.state() == Some(State::Paused));
    assert_eq!(rig.take_finished()[0].ledger.written.packets, 43);
    place.set_open(true);
    let sent = stream.sent.len() as u64;
    rig.wait_for_packets(sent);
    let key = stream.key.clone();
    drop(stream);
    rig.wait_for_end();
    let next = &rig.take_finished()[0];
    assert_eq!(
        (next.about.cut, next.about.gap_before, next.about.start_ms),
        (Cut::Space, None, 2_000)
    );
    let lines = log_of(&key);
    let of = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((of("WARN recording paused: not enough free space"), of("resumed")), (1, 1));
    assert_eq!((errors_of(&key), rig.archive.counters().errors), (vec![], 0));
}

#[test]
fn without_free_space_a_key_frame_is_not_waited_for_for_ever() {
    let rig = Rig::new(FakeDisk::default());
    let mut stream = Stream::publish("live", "space-late");
    rig.start(&stream);
    let place = rig.archive.shared().gate.enter("recordings".as_ref());
    stream.push(clip(1));
    rig.wait_for_packets(22);
    place.set_open(false);
    stream.push([video(1_000, false, 10)]);
    rig.wait_for_packets(23);
    assert_eq!(rig.state(), Some(State::Recording));
    rig.clock.advance(Duration::from_secs(10));
    stream.push([video(1_100, false, 10)]);
    wait_until("it waits", || rig.state() == Some(State::Paused));
    place.set_open(true);
    // Nothing was lost, so it goes on with what comes.
    stream.push([video(1_200, false, 10)]);
    rig.wait_for_packets(25);
}

#[test]
fn a_disk_that_does_not_answer_is_told_by_another_thread() {
    let mut appends = 0;
    let rig = Rig::new(FakeDisk::failing(move |_, call| {
        appends += usize::from(call == Call::Append);
        (call == Call::Append && appends == 2).then_some(Fault::Hang)
    }));
    let mut stream = Stream::publish("live", "hangs");
    rig.start(&stream);
    stream.push(clip(1));
    wait_until("the disk hangs", || rig.disk.is_hanging());
    let told = |text: &str| log_of(&stream.key).into_iter().filter(|l| l.contains(text)).count();
    rig.clock.advance(Duration::from_secs(4));
    assert_eq!(told("disk does not answer"), 0);
    rig.clock.advance(Duration::from_secs(3));
    wait_until("it is told", || told("disk does not answer") == 1);
    rig.clock.advance(Duration::from_secs(13));
    rig.disk.release();
    wait_until("its end is told", || told("disk answers again") == 1);
    let lines = log_of(&stream.key);
    let hangs = "WARN disk does not answer stream_key=live/hangs \
                 file=./recordings/live_hangs_20251011_143052.flv seconds=7";
    assert!(lines.contains(&hangs.to_owned()), "{lines:?}");
    assert!(lines.contains(&"INFO disk answers again stream_key=live/hangs seconds=20".to_owned()));
}
