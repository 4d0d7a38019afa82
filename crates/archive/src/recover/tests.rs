use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use media::amf0::Value;
use media::{Header, Packet};

use super::*;
use crate::clock::fixed::FixedClock;
use crate::disk::SystemDisk;
use crate::disk::fake::{Call, FakeDisk, Fault};
use crate::path::Name;
use crate::segment::{End, Form, Segment};
use crate::testing::{self, assert_begins, clip, mended, metadata, scan, video};
use crate::{About, Amount, Hash, LABELS_MAX, Ledger};

mod power;

fn name(key: &str) -> Name {
    testing::name(key)
}

/// A stream of its own: log lines are kept by stream.
fn about() -> About {
    About { stream_key: "live/left".to_owned(), ..testing::about() }
}

fn create(disk: &dyn Disk, about: About) -> Segment {
    create_in(disk, Path::new("rec"), about)
}

fn create_in(disk: &dyn Disk, dir: &Path, about: About) -> Segment {
    Segment::create(disk, dir, &name("live/test"), about, Form::Flv, &Header::default()).unwrap()
}

fn end() -> End {
    let end_time = "2025-10-11T14:30:54.123+02:00".to_owned();
    End { length_ms: 2_000, end_time, final_name: None, checksum_files: false }
}

/// Pushes packets, of which the first is the `first`th, 50 ms apart.
fn push(segment: &mut Segment, packets: &[Packet], first: usize) {
    for (packet, n) in packets.iter().zip(first as u64..) {
        segment.push(packet, n * 50).unwrap();
    }
}

/// The books of a recording that has lost nothing.
fn ledger(packets: &[Packet]) -> Ledger {
    let bytes = packets.iter().map(|packet| packet.body.len() as u64).sum();
    let all = Amount { packets: packets.len() as u64, bytes };
    Ledger { received: all, written: all, ..Ledger::default() }
}

fn books(file: &[u8]) -> Ledger {
    let script = crate::script::Script::read(file).unwrap();
    Ledger::from_properties(script.properties()).unwrap()
}

/// Recovers a directory and returns what was told.
fn recover(disk: &dyn Disk, dir: &Path) -> Vec<Event> {
    let (events, told) = Events::new();
    let clock = FixedClock::new("2025-10-11T14:30:52.123+02:00[Europe/Berlin]");
    let stop = AtomicBool::new(false);
    let started_ms = i64::MAX;
    let checksum_files = false;
    let recovery = Recovery {
        disk,
        clock: &clock,
        events: &events,
        observer: &Observer::default(),
        dir,
        started_ms,
        checksum_files,
        stop: &stop,
    };
    let summary = run(&recovery);
    let told: Vec<_> = told.try_iter().collect();
    let is_recovered = |event: &&Event| matches!(event, Event::Recovered(_));
    let recovered = told.iter().filter(is_recovered).count() as u64;
    assert_eq!(recovered, summary.recovered);
    assert_eq!(told.len() as u64 - recovered, summary.set_aside);
    told
}

/// A whole recording's file that was left unfinished, as bytes, and where its tags end.
fn unfinished(packets: &[Packet]) -> (Vec<u8>, Vec<usize>) {
    let disk = FakeDisk::default();
    let mut segment = create(&disk, about());
    let mut ends = vec![usize::try_from(segment.position()).unwrap()];
    for (n, packet) in packets.iter().enumerate() {
        push(&mut segment, std::slice::from_ref(packet), n);
        ends.push(usize::try_from(segment.position()).unwrap());
    }
    segment.flush().unwrap();
    let file = disk.files()[segment.path()].clone();
    (file, ends)
}

/// A directory with these files in it.
fn dir_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
    dir
}

fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn a_torn_file_is_cut_completed_and_told() {
    let packets = clip(3);
    let (file, ends) = unfinished(&packets);
    let torn = &file[..ends[40] + 700];
    let dir = dir_with(&[("a/b/torn.flv", torn)]);
    let path = dir.path().join("a/b/torn.flv");
    let told = recover(&SystemDisk, dir.path());
    let file = fs::read(&path).unwrap();
    assert_eq!(file.len(), ends[40]);
    assert_eq!(assert_begins(&scan(&file), &packets), 40);
    assert_eq!(metadata(&file, "complete"), Value::from(true));
    assert_eq!(metadata(&file, "filesize").as_f64(), Some(ends[40] as f64));
    assert!(metadata(&file, "duration").as_f64().unwrap() >= 1.95);
    let Value::Object(index) = metadata(&file, "keyframes") else { panic!("no index") };
    assert_eq!(index.len(), 2);
    let [Event::Recovered(finished)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(finished.path, path);
    assert_eq!(finished.about, about());
    assert_eq!(finished.size_bytes, ends[40] as u64);
    assert_eq!(finished.ledger.written, ledger(&packets[..40]).written);
    assert_eq!(finished.hash, Hash(blake3::hash(&file).into()));
    assert_eq!(finished.chain, digest::chain(None, finished.hash));
    let length_ms = finished.length_ms;
    assert!((1_950..2_100).contains(&length_ms), "{length_ms}");
    assert_eq!(
        finished.end_time,
        format!("2025-10-11T14:30:{:06.3}+02:00", 52.123 + length_ms as f64 / 1e3)
    );
    assert_eq!(recover(&SystemDisk, dir.path()), []);
    assert_eq!(fs::read(&path).unwrap(), file);
}

#[test]
fn the_books_go_on_from_what_the_file_says() {
    let disk = FakeDisk::default();
    let mut segment = create(&disk, about());
    let packets = clip(2);
    push(&mut segment, &packets[..30], 0);
    segment.flush().unwrap();
    let mut books = ledger(&packets[..30]);
    books.dropped = Amount { packets: 5, bytes: 500 };
    books.received += books.dropped;
    books.late_packets = 3;
    segment.refresh(&books).unwrap();
    push(&mut segment, &packets[30..], 30);
    segment.flush().unwrap();
    let path = segment.path().to_owned();
    drop(segment);
    let finished = mended(mend(&disk, &path, true));
    books.written = ledger(&packets).written;
    books.received = books.written + books.dropped;
    assert_eq!(finished.ledger, books);
    assert_eq!(super::tests::books(&disk.files()[&path]), books);
    let sidecar = disk.files()[&beside(&path, ".b3")].clone();
    let expected = format!("{}  live_test_20251011_143052.flv\n", finished.hash);
    assert_eq!(String::from_utf8(sidecar).unwrap(), expected);
}

#[test]
fn tags_behind_a_damaged_place_are_kept_beside_the_file() {
    let packets = clip(3);
    let (mut file, ends) = unfinished(&packets);
    file[ends[20] + 3..ends[21] + 9].fill(0);
    let dir = dir_with(&[("hole.flv", &file), ("hole.flv.tail", b"somebody's")]);
    assert_eq!(recover(&SystemDisk, dir.path()).len(), 1);
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    assert_eq!(assert_begins(&scan(&read("hole.flv")), &packets), 20);
    assert_eq!(scan(&read("hole.flv.tail.2"))[..], scan(&file_of(&file, ends[22]))[..]);
    assert_eq!(read("hole.flv.tail"), b"somebody's");
    assert_eq!(names_in(dir.path()), ["hole.flv", "hole.flv.tail", "hole.flv.tail.2"]);
}

/// The tags from `at` on as a file.
fn file_of(file: &[u8], at: usize) -> Vec<u8> {
    [&media::flv::tag::FILE_HEADER[..], &file[at..]].concat()
}

#[test]
fn a_page_that_the_disk_lost_inside_a_tag_ends_the_file_before_it() {
    let mut packets = clip(1);
    packets.push(video(2_000, true, 30_000));
    packets.extend(clip(1));
    let (mut file, ends) = unfinished(&packets);
    let page = (ends[22] + 8_000).next_multiple_of(4_096);
    assert!(page + 4_096 < ends[23]);
    file[page..page + 4_096].fill(0);
    let dir = dir_with(&[("hole.flv", &file)]);
    assert_eq!(recover(&SystemDisk, dir.path()).len(), 1);
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    assert_eq!(assert_begins(&scan(&read("hole.flv")), &packets), 22);
    // The tag with the hole is kept too: most of it may be good.
    assert_eq!(scan(&read("hole.flv.tail"))[..], scan(&file_of(&file, ends[22]))[..]);
}

#[test]
fn a_file_whose_tail_cannot_be_kept_is_left_as_it_is() {
    let (mut file, ends) = unfinished(&clip(2));
    file[ends[20] + 3..ends[21] + 9].fill(0);
    for call in [Call::CreateNew, Call::Append, Call::SyncData, Call::SyncDir] {
        let mut failed = false;
        let disk = FakeDisk::failing(move |_, c| {
            let fails = c == call && !std::mem::replace(&mut failed, true);
            fails.then_some(Fault::Os(28))
        });
        disk.create_dir_all(Path::new("rec")).unwrap();
        disk.put("rec/a.flv", &file);
        let (other, _) = unfinished(&clip(1));
        disk.put("rec/b.flv", &other);
        let told = recover(&disk, Path::new("rec"));
        assert_eq!(told.len(), 1, "{call:?}: the other file is recovered");
        assert_eq!(disk.files()[Path::new("rec/a.flv")], file, "{call:?}");
        // The next time it works.
        assert_eq!(recover(&disk, Path::new("rec")).len(), 1);
        assert!(disk.files()[Path::new("rec/a.flv")].len() < file.len());
    }
}

#[test]
fn what_cannot_be_understood_is_set_aside_with_a_reason() {
    let (file, _) = unfinished(&clip(1));
    let mut no_identity = file.clone();
    no_identity[60..8_000].fill(0xee);
    let cases: [(&str, &[u8], &str); 6] = [
        ("empty.flv", b"", "it is empty"),
        ("zeros.flv", &[0; 9_000], "it ends inside its first bytes"),
        ("begun.flv", &file[..30], "it ends inside its first bytes"),
        ("zeros after.flv", &[&file[..13], &[0; 5_000]].concat(), "it ends inside its first bytes"),
        ("half.flv", &file[..20_000], "it ends inside its metadata"),
        ("whose.flv", &no_identity, "its identity cannot be read"),
    ];
    for (name, contents, reason) in cases {
        let taken = format!("{name}.broken");
        let dir = dir_with(&[(name, contents), (&taken, b"somebody's")]);
        let told = recover(&SystemDisk, dir.path());
        let (from, to) = (dir.path().join(name), dir.path().join(format!("{taken}.2")));
        assert_eq!(fs::read(&to).unwrap(), contents);
        let note = fs::read_to_string(beside(&to, ".txt")).unwrap();
        assert_eq!(note, format!("{}\n{reason}\n", from.display()));
        assert_eq!(told, [Event::SetAside { from, to, reason: reason.to_owned() }]);
        assert_eq!(names_in(dir.path()).len(), 3);
        assert_eq!(fs::read(dir.path().join(taken)).unwrap(), b"somebody's");
    }
}

#[test]
fn what_is_not_ours_finished_or_in_use_is_not_touched() {
    let (ours, _) = unfinished(&clip(1));
    let foreign = [&media::flv::tag::FILE_HEADER[..], &[0x12, 0, 0, 9], &[7; 300]].concat();
    let mut wrong = ours.clone();
    wrong[3] = 9;
    let kept: [(&str, &[u8]); 6] = [
        ("foreign.flv", &foreign),
        ("text.flv", b"no video"),
        ("zeros and text.flv", &[&[0; 9_000][..], b"x"].concat()),
        ("ours.bak", &ours),
        (".hidden/ours.flv", &ours),
        ("in use.flv", &ours),
    ];
    let dir = dir_with(&kept);
    let in_use = SystemDisk.open(&dir.path().join("in use.flv")).unwrap();
    let segment = create_in(&SystemDisk, dir.path(), about());
    #[cfg(unix)]
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    let growing = fs::read(segment.path()).unwrap();
    assert_eq!(recover(&SystemDisk, dir.path()), []);
    for (name, contents) in kept {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), contents, "{name}");
    }
    assert_eq!(fs::read(segment.path()).unwrap(), growing);
    let error = mend(&SystemDisk, segment.path(), false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(in_use);
    assert_eq!(recover(&SystemDisk, dir.path()).len(), 1);
    let finished = segment.finish(&SystemDisk, &Ledger::default(), &end()).1.unwrap();
    assert_eq!(recover(&SystemDisk, dir.path()), []);
    let error = mend(&SystemDisk, &dir.path().join("text.flv"), false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let again = mended(mend(&SystemDisk, &finished.path, false));
    assert_eq!(again.hash, finished.hash);
}

#[test]
fn a_file_of_an_older_version_is_recovered_unless_its_size_is_right() {
    let packets = clip(2);
    let disk = FakeDisk::default();
    let options = media::flv::mux::Options { extra: about().properties(), ..Default::default() };
    let mut muxer = media::flv::mux::Muxer::new(options);
    let mut out = media::Chunks::new();
    packets.iter().for_each(|p| muxer.push(p, p.dts_ms.unsigned_abs(), &mut out).unwrap());
    // As that version wrote it: without the property.
    let as_before = |file: &mut [u8]| {
        let at = file.windows(8).position(|w| w == b"complete").unwrap();
        file[at..at + 8].copy_from_slice(b"whatever");
    };
    let mut torn = out.to_vec();
    as_before(&mut torn);
    let mut whole = torn.clone();
    for patch in muxer.patches() {
        let at = usize::try_from(patch.offset).unwrap();
        whole[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
    as_before(&mut whole);
    disk.create_dir_all(Path::new("rec")).unwrap();
    disk.put("rec/torn.flv", &torn);
    disk.put("rec/whole.flv", &whole);
    let told = recover(&disk, Path::new("rec"));
    let [Event::Recovered(finished)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(finished.path, Path::new("rec/torn.flv"));
    assert_eq!(finished.ledger, ledger(&packets));
    let files = disk.files();
    assert_eq!(files[Path::new("rec/whole.flv")], whole);
    let torn = &files[Path::new("rec/torn.flv")];
    assert_eq!(assert_begins(&scan(torn), &packets), packets.len());
    assert_eq!(metadata(torn, "complete"), Value::from(true));
}

#[test]
fn a_file_with_nothing_behind_its_beginning_is_set_aside() {
    let mut known = Header::default();
    for packet in clip(1) {
        known.push(&packet);
    }
    for header in [Header::default(), known] {
        let dir = tempfile::tempdir().unwrap();
        let name = name("live/begun");
        let begun =
            Segment::create(&SystemDisk, dir.path(), &name, about(), Form::Flv, &header).unwrap();
        let path = begun.path().to_owned();
        drop(begun);
        let bytes = fs::read(&path).unwrap();
        let told = recover(&SystemDisk, dir.path());
        let [Event::SetAside { from, to, reason }] = &told[..] else { panic!("{told:?}") };
        assert_eq!((from, &reason[..]), (&path, BARE));
        assert_eq!(fs::read(to).unwrap(), bytes);
        assert_eq!(mend(&SystemDisk, to, false).unwrap(), Mended::Nothing(BARE));
    }
}

#[test]
fn nothing_is_recovered_after_the_start_or_after_the_stop() {
    let (ours, _) = unfinished(&clip(1));
    let dir = dir_with(&[("ours.flv", &ours)]);
    let (events, told) = Events::new();
    for (started_ms, stopped) in [(0, false), (i64::MAX, true)] {
        let recovery = Recovery {
            disk: &SystemDisk,
            clock: &crate::SystemClock,
            events: &events,
            observer: &Observer::default(),
            dir: dir.path(),
            started_ms,
            checksum_files: false,
            stop: &AtomicBool::new(stopped),
        };
        assert_eq!(run(&recovery), Summary::default());
    }
    assert_eq!(told.try_iter().count(), 0);
    assert_eq!(fs::read(dir.path().join("ours.flv")).unwrap(), ours);
    let nowhere = dir.path().join("nowhere");
    assert_eq!(recover(&SystemDisk, &nowhere), []);
}

#[cfg(unix)]
#[test]
fn a_file_beyond_4_gib_gets_an_index_with_the_right_positions() {
    use std::os::unix::fs::FileExt;
    const BODY: u32 = 0xF0_0000;
    const TAGS: u32 = 300;
    let dir = tempfile::tempdir().unwrap();
    let segment = create_in(&SystemDisk, dir.path(), about());
    let (path, start) = (segment.path().to_owned(), segment.position());
    drop(segment);
    // Key frames of 15 MB, all holes but for head and end.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let tag_size = u64::from(BODY) + 15;
    let place = |n: u32| start + u64::from(n) * tag_size;
    for n in 0..TAGS {
        let header = media::flv::tag::TagHeader::new(9, BODY, n * 1_000);
        let head = [&header.encode()[..], &[0x17, 1, 0, 0, 0]].concat();
        file.write_all_at(&head, place(n)).unwrap();
        file.write_all_at(&header.tag_size().to_be_bytes(), place(n + 1) - 4).unwrap();
    }
    let whole = place(TAGS);
    // All that was synced, or the holes would be taken for what the disk lost.
    let synced = crate::segment::extra(&Ledger::default(), whole, None);
    let head = fs::File::open(&path).unwrap();
    let mut region = vec![0; usize::try_from(start).unwrap()];
    head.read_exact_at(&mut region, 0).unwrap();
    let region = media::flv::meta::region(&region).unwrap();
    let options = media::flv::mux::Options {
        identity: about().properties(),
        extra: synced,
        ..Default::default()
    };
    let walk = media::flv::mux::Restore::new(options, &region, start).unwrap();
    for patch in walk.finish().muxer.patches() {
        file.write_all_at(&patch.bytes, patch.offset).unwrap();
    }
    file.write_all_at(&[9, 0, 1], whole).unwrap();
    drop(file);

    let mut file = SystemDisk.open(&path).unwrap();
    let file::Found::Unfinished(known) = file::examine(&mut *file).unwrap() else {
        panic!("not unfinished");
    };
    let completed = known.complete(&SystemDisk, &mut *file, &path, true).unwrap();
    let (whole_file, cut_bytes) = completed.unwrap();
    assert!(whole > 1 << 32);
    assert_eq!((whole_file.size_bytes, cut_bytes), (whole, 3));
    assert_eq!(whole_file.ledger.written.packets, u64::from(TAGS));
    assert_eq!(whole_file.ledger.written.bytes, u64::from(TAGS) * u64::from(BODY));
    assert_eq!(path.metadata().unwrap().len(), whole);
    let mut region = vec![0; usize::try_from(start).unwrap()];
    head.read_exact_at(&mut region, 0).unwrap();
    assert_eq!(metadata(&region, "filesize").as_f64(), Some(whole as f64));
    let Value::Object(index) = metadata(&region, "keyframes") else { panic!("no index") };
    let Value::StrictArray(positions) = &index[1].1 else { panic!("no positions") };
    let expected: Vec<_> = (0..TAGS).map(|n| Value::Number(place(n) as f64)).collect();
    assert_eq!(positions[..], expected[..]);
}

#[test]
fn a_file_with_all_that_can_be_written_on_it_is_recovered_and_told() {
    let disk = FakeDisk::default();
    let about = About {
        stream_key: "k".repeat(live::Key::MAX_BYTES),
        recorder: "r".repeat(64),
        name: Some("n".repeat(256)),
        request_key: Some("q".repeat(256)),
        is_clip: true,
        labels: (0..LABELS_MAX).map(|n| (format!("{n:0>64}"), "v".repeat(256))).collect(),
        ..about()
    };
    let mut segment = create(&disk, about.clone());
    let packets = clip(2);
    push(&mut segment, &packets, 0);
    segment.flush().unwrap();
    segment.refresh(&ledger(&packets)).unwrap();
    let path = segment.path().to_owned();
    drop(segment);
    // What cannot be understood is told as well.
    disk.put("rec/empty.flv", b"");
    let notices = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = notices.clone();
    let (events, _told) = Events::new();
    let summary = run(&Recovery {
        disk: &disk,
        clock: &FixedClock::new("2025-10-11T14:30:52.123+02:00[Europe/Berlin]"),
        events: &events,
        observer: &Observer::new(move |notice| told.lock().unwrap().push(notice)),
        dir: Path::new("rec"),
        started_ms: i64::MAX,
        checksum_files: false,
        stop: &AtomicBool::new(false),
    });
    assert_eq!((summary.recovered, summary.set_aside), (1, 1));
    let file = disk.files().remove(&path).unwrap();
    assert_eq!(metadata(&file, "complete"), Value::from(true));
    assert_eq!(books(&file), ledger(&packets));
    let region = media::flv::meta::region(&file).unwrap();
    assert_eq!(About::from_properties(&region.properties).as_ref(), Some(&about));
    let recovered =
        Notice::Recovered { id: about.recording, key: about.stream_key, segment: 1, file: path };
    let set_aside = Notice::SetAside {
        from: "rec/empty.flv".into(),
        to: "rec/empty.flv.broken".into(),
        reason: "it is empty".to_owned(),
    };
    assert_eq!(*notices.lock().unwrap(), [set_aside, recovered]);
}
