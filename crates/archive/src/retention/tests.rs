use proptest::prelude::*;

use super::*;
use crate::catalog::made::{about_of, bytes};
use crate::catalog::{Segment, State};
use crate::disk::Space;
use crate::disk::fake::{Call, FakeDisk, Fault};

const NOW: i64 = 1_000_000_000;

fn segment(id: i64, age_s: i64, size_bytes: u64) -> Segment {
    let number = u32::try_from(id).unwrap();
    Segment {
        id,
        path: format!("recordings/d/{id}.flv").into(),
        recording: about_of(1, number, 0).recording,
        number,
        stream_key: "live/test".to_owned(),
        state: State::Finished,
        start_unix_ms: NOW - age_s * 1_000 - 500,
        end_unix_ms: NOW - age_s * 1_000,
        start_ms: 0,
        length_ms: 500,
        size_bytes,
        modified_ms: 0,
        hash: None,
        chain: None,
    }
}

/// A disk with the files of `segments`.
fn disk_with(segments: &[Segment]) -> FakeDisk {
    let disk = FakeDisk::default();
    disk.create_dir_all(Path::new("recordings/d")).unwrap();
    for segment in segments {
        let file = bytes(&about_of(1, segment.number, 0), true);
        disk.put(segment.path.to_str().unwrap(), &file);
    }
    disk
}

fn guard(disk: &FakeDisk, copied_only: bool) -> Guard<'_> {
    Guard::new(disk, Rules { copied_only, ..Rules::default() }, Some(1))
}

/// What goes of these, oldest first.
fn plan(
    planner: &mut Planner,
    segments: &[Segment],
    keeps: impl Fn(i64) -> bool,
) -> Vec<(i64, Cause)> {
    let mut gone = Vec::new();
    for segment in segments {
        let Some(cause) = planner.judge(segment) else { break };
        if !keeps(segment.id) {
            planner.deleted(segment.size_bytes);
            gone.push((segment.id, cause));
        }
    }
    gone
}

#[test]
fn each_rule_takes_what_it_must_and_no_more() {
    let segments = [segment(1, 300, 10), segment(2, 200, 10), segment(3, 100, 10)];
    let gone =
        |rules: Rules, free| plan(&mut Planner::new(rules, NOW, 30, free), &segments, |_| false);
    let none = Rules::default();
    assert_eq!(gone(none, Some(0)), []);
    let old = Rules { age: Some(Duration::from_secs(200)), ..none };
    assert_eq!(gone(old, None), [(1, Cause::Age)]);
    let small = Rules { total_bytes: Some(19), ..none };
    assert_eq!(gone(small, None), [(1, Cause::Total), (2, Cause::Total)]);
    let roomy = Rules { free_bytes: Some(100), ..none };
    assert_eq!(gone(roomy, Some(95)), [(1, Cause::Free)]);
    assert_eq!(gone(roomy, Some(100)), []);
    assert_eq!(gone(roomy, None), [], "nobody knows how much room there is");
    let all = Rules { total_bytes: Some(25), free_bytes: Some(100), ..old };
    assert_eq!(gone(all, Some(75)), [(1, Cause::Age), (2, Cause::Free), (3, Cause::Free)]);
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_old() {
    let rules = Rules { age: Some(Duration::ZERO), ..Rules::default() };
    let planner = Planner::new(rules, NOW, 0, None);
    assert_eq!(planner.judge(&segment(1, -60, 1)), None);
    assert_eq!(planner.judge(&segment(1, 60, 1)), Some(Cause::Age));
}

proptest! {
    #[test]
    fn the_oldest_go_and_only_while_they_must(
        sizes in prop::collection::vec(1_u64..100, 1..60),
        held in prop::collection::btree_set(0_i64..60, 0..20),
        age_s in prop::option::of(0_u64..700),
        total in prop::option::of(0_u64..4_000),
        wanted in prop::option::of(0_u64..4_000),
        free in 0_u64..4_000,
    ) {
        let count = i64::try_from(sizes.len()).unwrap();
        let segments: Vec<_> = (0_i64..).zip(&sizes)
            .map(|(id, size)| segment(id, (count - id) * 10, *size)).collect();
        let rules = Rules {
            age: age_s.map(Duration::from_secs),
            total_bytes: total,
            free_bytes: wanted,
            copied_only: false,
        };
        let all: u64 = sizes.iter().sum();
        let mut planner = Planner::new(rules, NOW, all, Some(free));
        let gone = plan(&mut planner, &segments, |id| held.contains(&id));

        prop_assert!(gone.is_sorted_by(|a, b| a.0 < b.0));
        prop_assert!(gone.iter().all(|(id, _)| !held.contains(id)));
        // Whatever is older than the newest that went is held.
        let last = gone.last().map_or(-1, |(id, _)| *id);
        let stays = |s: &&Segment| gone.iter().all(|(id, _)| *id != s.id);
        let left: Vec<_> = segments.iter().filter(stays).collect();
        prop_assert!(left.iter().filter(|s| s.id < last).all(|s| held.contains(&s.id)));
        // The rules are kept, or there is nothing left that may go.
        let is_enough = left.iter().all(|s| held.contains(&s.id) || planner.judge(s).is_none());
        prop_assert!(is_enough);
        // Each was needed: without the last deletion a rule would be broken.
        if let Some((id, _)) = gone.last() {
            let last = &segments[usize::try_from(*id).unwrap()];
            let bytes: u64 = gone.iter().map(|(id, _)| sizes[usize::try_from(*id).unwrap()]).sum();
            let before = bytes - last.size_bytes;
            prop_assert!(
                age_s.is_some_and(|age| planner.age(last) > Duration::from_secs(age))
                    || total.is_some_and(|most| all - before > most)
                    || wanted.is_some_and(|wanted| free + before < wanted)
            );
        }
    }
}

#[test]
fn a_file_goes_with_what_belongs_to_it() {
    let segments = [segment(1, 0, 1), segment(2, 0, 1)];
    let disk = disk_with(&segments);
    disk.put("recordings/d/1.flv.b3", b"hash");
    disk.put("recordings/d/1.flv.copied", b"");
    disk.put("recordings/d/notes.txt", b"");
    let outcome = delete(&disk, &guard(&disk, true), &segments[0]);
    assert!(matches!(outcome, Outcome::Deleted), "{outcome:?}");
    let left: Vec<_> = disk.files().into_keys().collect();
    assert_eq!(left, [Path::new("recordings/d/2.flv"), Path::new("recordings/d/notes.txt")]);
    let again = delete(&disk, &guard(&disk, false), &segments[0]);
    assert!(matches!(again, Outcome::Missing), "{again:?}");
}

#[test]
fn what_is_protected_stays() {
    let segments = [segment(1, 0, 1)];
    let path = &segments[0].path;
    let disk = disk_with(&segments);
    assert_eq!(guard(&disk, false).keep(path, Cause::Age), None);
    assert_eq!(guard(&disk, true).keep(path, Cause::Age), Some(Keep::NotCopied));
    assert!(matches!(delete(&disk, &guard(&disk, true), &segments[0]), Outcome::Kept));
    disk.put("recordings/d/1.flv.hold", b"");
    assert_eq!(guard(&disk, false).keep(path, Cause::Total), Some(Keep::Held));
    assert!(matches!(delete(&disk, &guard(&disk, false), &segments[0]), Outcome::Kept));
    assert!(disk.files().contains_key(path));
}

#[test]
fn what_cannot_be_found_out_protects() {
    let disk = FakeDisk::failing(|_, call| {
        (call == Call::List).then_some(Fault::Error(io::ErrorKind::PermissionDenied))
    });
    assert_eq!(guard(&disk, false).keep(&segment(1, 0, 1).path, Cause::Age), Some(Keep::Held));
}

#[test]
fn a_file_that_somebody_has_stays() {
    let segments = [segment(1, 0, 1)];
    let disk = disk_with(&segments);
    let open = disk.open(&segments[0].path).unwrap();
    assert!(matches!(delete(&disk, &guard(&disk, false), &segments[0]), Outcome::Kept));
    drop(open);
    assert!(matches!(delete(&disk, &guard(&disk, false), &segments[0]), Outcome::Deleted));
}

#[test]
fn a_file_that_was_not_recorded_stays() {
    let segments = [segment(1, 0, 1)];
    for foreign in [b"holiday".to_vec(), Vec::new(), bytes(&about_of(2, 1, 0), true)] {
        let disk = disk_with(&[]);
        disk.put("recordings/d/1.flv", &foreign);
        assert!(matches!(delete(&disk, &guard(&disk, false), &segments[0]), Outcome::Kept));
        assert_eq!(disk.files()[&segments[0].path], foreign);
    }
}

#[test]
fn another_disk_gets_no_room_from_this_one() {
    let segments = [segment(1, 0, 1)];
    let disk = disk_with(&segments);
    let path = &segments[0].path;
    disk.set_space(Space { device: 2, free_bytes: 0, total_bytes: 1 });
    assert_eq!(guard(&disk, false).keep(path, Cause::Free), Some(Keep::Elsewhere));
    assert_eq!(guard(&disk, false).keep(path, Cause::Age), None);
}

#[test]
fn folders_that_are_left_empty_go() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("recordings");
    let day = root.join("live/2025/10");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(root.join("live/kept.flv"), b"").unwrap();
    tidy(&crate::SystemDisk, &root, &day).unwrap();
    assert!(!root.join("live/2025").exists());
    assert!(root.join("live/kept.flv").exists());
    std::fs::remove_file(root.join("live/kept.flv")).unwrap();
    tidy(&crate::SystemDisk, &root, &root.join("live")).unwrap();
    assert!(root.exists() && !root.join("live").exists());
    tidy(&crate::SystemDisk, &root, &root).unwrap();
    assert!(root.exists());
}
