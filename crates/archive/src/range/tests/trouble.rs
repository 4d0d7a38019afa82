//! Files that are gone, damaged or on a disk that fails.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::disk::Disk as _;
use crate::disk::fake::{Call, FakeDisk, Fault};

fn three_segments() -> Made {
    let mut made = Made::new();
    made.run(&made::Run { gops: 60, cut_every: 20, ..made::Run::default() });
    made
}

fn told(gaps: &[Gap]) -> Vec<(i64, i64, Cause)> {
    let told = |gap: &Gap| (gap.from_unix_ms - START, gap.to_unix_ms - START, gap.cause.clone());
    gaps.iter().map(told).collect()
}

#[test]
fn segment_that_vanished_is_a_gap_of_its_length() {
    let made = three_segments();
    made.disk.remove(&made.segments[1].path).unwrap();
    let source = source(&made);
    let (packets, gaps) = read(&source, Range::ALL);
    assert_eq!(told(&gaps), [(20_000, 40_000, Cause::Missing)]);
    assert!(packets.iter().all(|timed| timed.segment != 1));
    let file = bytes(&source, Range::ALL).unwrap();
    assert_eq!(property(&file, "duration"), Some(Value::Number(60.023)));
    assert_eq!(text(&file, "gapReasons"), "missing");
    let (tags, _) = tags(&file);
    let keys = tags.iter().filter(|tag| tag.packet.role == Role::Key);
    let keys: Vec<_> = keys.map(|tag| tag.header.timestamp_ms / 1_000).collect();
    assert_eq!(keys, (0..20).chain(40..60).collect::<Vec<_>>());
}

#[test]
fn segments_that_the_catalog_calls_gone_are_not_looked_for() {
    let mut made = three_segments();
    made.segments[0].gone = Some(Gone::Missing);
    made.segments[2].gone = Some(Gone::Deleted);
    let calls = made.disk.calls().len();
    let (_, gaps) = read(&source(&made), Range::ALL);
    let opened = made.disk.calls()[calls..].iter().filter(|call| **call == Call::OpenRead).count();
    assert_eq!(opened, 1);
    assert_eq!(told(&gaps), [(0, 20_000, Cause::Missing), (40_000, 60_000, Cause::Deleted)]);
}

#[test]
fn range_of_what_is_gone_says_so() {
    let made = three_segments();
    made.disk.remove(&made.segments[1].path).unwrap();
    let error = source(&made).flv(range(25_000, 35_000, Cut::Exact)).err();
    assert_eq!(error, Some(Error::Lost { cause: Cause::Missing }));
}

#[test]
fn another_file_under_the_name_of_a_segment_is_not_taken_for_it() {
    let made = three_segments();
    let third = made.disk.files()[&made.segments[2].path].clone();
    made.damage(1, |file| *file = third);
    let (_, gaps) = read(&source(&made), Range::ALL);
    assert_eq!(told(&gaps), [(20_000, 40_000, Cause::Missing)]);
}

#[test]
fn segment_that_was_known_and_has_no_sense_is_damaged() {
    let made = three_segments();
    made.damage(1, |file| file.fill(0));
    let (_, gaps) = read(&source(&made), Range::ALL);
    assert_eq!(told(&gaps), [(20_000, 40_000, Cause::Damaged)]);
}

#[test]
fn damage_inside_is_a_gap_and_the_size_that_was_told_is_kept() {
    let made = three_segments();
    let (before, _) = read(&source(&made), Range::ALL);
    let hurt: Vec<_> = before.iter().filter(|timed| timed.segment == 1).skip(203).take(3).collect();
    let (from, to) = (hurt[0].position, hurt[2].position + hurt[2].size_bytes);
    let places = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
    made.damage(1, |file| file[places].fill(0xee));
    let source = source(&made);
    let (packets, gaps) = read(&source, Range::ALL);
    assert_eq!(packets.len(), before.len() - 3);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].cause, Cause::Damaged);
    assert!(gaps[0].to_unix_ms - gaps[0].from_unix_ms < 500);

    let file = bytes(&source, Range::ALL).unwrap();
    let (tags, report) = tags(&file);
    assert_eq!(media_of(&tags).len(), packets_of(&packets).len());
    let filler: Vec<_> =
        tags.iter().filter(|tag| meta::name(&tag.packet.body) == Some(b"onGap")).collect();
    assert_eq!(filler.len(), 1);
    assert_eq!(filler[0].size, to - from, "in the place of what is gone");
    assert!(matches!(report.index, IndexCheck::True { .. }), "{:?}", report.index);
}

#[test]
fn file_that_was_cut_off_ends_in_a_gap() {
    let made = three_segments();
    made.damage(1, |file| file.truncate(file.len() / 2));
    let source = source(&made);
    let (_, gaps) = read(&source, Range::ALL);
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].to_unix_ms - START, &gaps[0].cause), (40_000, &Cause::Damaged));
    assert_eq!(source.flv(Range::ALL).unwrap().info().gaps, gaps);
    // The last one, too.
    made.damage(2, |file| file.truncate(file.len() / 2));
    let (_, gaps) = read(&source, range(45_000, 60_000, Cut::Exact));
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].to_unix_ms - START, &gaps[0].cause), (60_000, &Cause::Damaged));
}

#[test]
fn file_that_changes_while_it_is_sent_ends_with_its_reason() {
    for how in ["vanishes", "shrinks"] {
        let made = three_segments();
        let source = source(&made);
        let mut flv = source.flv(Range::ALL).unwrap();
        flv.next().unwrap().unwrap();
        match how {
            "vanishes" => made.disk.remove(&made.segments[2].path).unwrap(),
            _ => made.damage(2, |file| file.truncate(40_000)),
        }
        let last = flv.by_ref().last().unwrap();
        match (how, last) {
            ("vanishes", Err(Error::Changed { path, .. })) => {
                assert_eq!(path, made.segments[2].path);
            }
            // What is missing was promised, and is filled.
            ("shrinks", Ok(_)) => {}
            (how, last) => panic!("{how}: {last:?}"),
        }
        assert!(flv.next().is_none());
    }
}

#[test]
fn export_begins_anew_when_a_segment_vanishes() {
    let made = three_segments();
    let source = source(&made);
    let output = Path::new("recordings/out.flv");
    let mut is_first = true;
    let mut go_on = |_| {
        if std::mem::take(&mut is_first) {
            made.disk.remove(&made.segments[2].path).unwrap();
        }
        true
    };
    let exported = export(&source, Range::ALL, &made.disk, output, &mut go_on).unwrap();
    assert_eq!(exported.retries, 1);
    let file = made.disk.files()[output].clone();
    assert_eq!(property(&file, "duration"), Some(Value::Number(40.0)));
}

#[test]
fn disk_that_fails_in_the_middle_is_a_gap_with_its_words() {
    let made = three_segments();
    let fails = Arc::new(AtomicBool::new(false));
    let reads = Arc::new(Mutex::new(0));
    let disk = {
        let (fails, reads) = (fails.clone(), reads.clone());
        FakeDisk::failing(move |_, call| {
            let mut reads = reads.lock().unwrap();
            *reads += usize::from(call == Call::OpenRead && fails.load(Ordering::Relaxed));
            // Of the second file nothing but its size and its head is given.
            (*reads == 2 && call == Call::Read).then_some(())?;
            *reads += 100;
            Some(Fault::Error(ErrorKind::PermissionDenied))
        })
    };
    for (path, bytes) in made.disk.files() {
        disk.put(path.to_str().unwrap(), &bytes);
    }
    fails.store(true, Ordering::Relaxed);
    let source = Source::new(Arc::new(disk), made.segments.clone());
    let (_, gaps) = read(&source, Range::ALL);
    let cause = Cause::Unreadable("permission denied".to_owned());
    assert_eq!(told(&gaps), [(20_000, 40_000, cause)]);
}

#[test]
fn of_two_recordings_at_one_time_the_first_goes_on() {
    let mut made = three_segments();
    let mut other = Made::new();
    other.run(&made::Run { gops: 80, recording: 2, cut_every: 15, ..made::Run::default() });
    for (path, bytes) in other.disk.files() {
        made.disk.put(path.to_str().unwrap(), &bytes);
    }
    // It began half a second later.
    made.segments.extend(
        other
            .segments
            .into_iter()
            .map(|segment| Segment { start_unix_ms: segment.start_unix_ms + 500, ..segment }),
    );
    let (packets, gaps) = read(&source(&made), Range::ALL);
    let frames = packets.iter().filter(|timed| timed.packet.kind == Kind::Video);
    let times: Vec<_> =
        frames.filter(|t| t.packet.is_media()).map(|timed| timed.unix_ms - START).collect();
    assert!(times.is_sorted());
    assert_eq!(times[599], 59_900);
    assert_eq!(times[600], 60_500, "the other joins at its key frame");
    assert_eq!(*times.last().unwrap(), 80_400);
    assert_eq!(gaps, []);
}
