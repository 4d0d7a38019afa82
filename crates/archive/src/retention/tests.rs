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
        recorder: "all".to_owned(),
        state: State::Finished,
        is_clip: false,
        held: false,
        bin_path: None,
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

const ALL: Rules = Rules { age: None, total_bytes: None, free_bytes: None, copied_only: false };
const COPIED_ONLY: Rules = Rules { copied_only: true, ..ALL };

/// What goes of these by rules that are those of all, oldest first.
fn gone(
    rules: Rules,
    bytes: u64,
    free: Option<u64>,
    segments: &[Segment],
    keeps: impl Fn(i64) -> bool,
) -> Vec<(i64, Cause)> {
    let policy = Policy { retention: rules, min_free: Some(0), ..Policy::default() };
    let disk = FakeDisk::failing(move |_, call| {
        let is_silent = call == Call::Space && free.is_none();
        is_silent.then_some(Fault::Error(io::ErrorKind::Unsupported))
    });
    disk.set_space(Space { device: 1, free_bytes: free.unwrap_or(0), total_bytes: 1 << 40 });
    let bytes = [("all".to_owned(), bytes)].into();
    let mut planner = Planner::new(&policy, NOW, &bytes, Rooms::new(&disk, Some(0)));
    plan(&mut planner, segments, keeps)
}

/// What goes of these, oldest first.
fn plan(
    planner: &mut Planner<'_>,
    segments: &[Segment],
    keeps: impl Fn(i64) -> bool,
) -> Vec<(i64, Cause)> {
    let mut gone = Vec::new();
    for segment in segments {
        let Some(cause) = planner.judge(segment) else {
            if planner.is_done(segment) {
                break;
            }
            continue;
        };
        if !keeps(segment.id) {
            planner.deleted(segment);
            gone.push((segment.id, cause));
        }
    }
    gone
}

#[test]
fn each_rule_takes_what_it_must_and_no_more() {
    let segments = [segment(1, 300, 10), segment(2, 200, 10), segment(3, 100, 10)];
    let gone = |rules: Rules, free| gone(rules, 30, free, &segments, |_| false);
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
    assert_eq!(gone(rules, 0, None, &[segment(1, -60, 1)], |_| false), []);
    assert_eq!(gone(rules, 0, None, &[segment(1, 60, 1)], |_| false), [(1, Cause::Age)]);
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
        let gone = gone(rules, all, Some(free), &segments, |id| held.contains(&id));

        prop_assert!(gone.is_sorted_by(|a, b| a.0 < b.0));
        prop_assert!(gone.iter().all(|(id, _)| !held.contains(id)));
        // Whatever is older than the newest that went is held.
        let last = gone.last().map_or(-1, |(id, _)| *id);
        let stays = |s: &&Segment| gone.iter().all(|(id, _)| *id != s.id);
        let left: Vec<_> = segments.iter().filter(stays).collect();
        prop_assert!(left.iter().filter(|s| s.id < last).all(|s| held.contains(&s.id)));
        // The rules are kept, or there is nothing left that may go.
        let went: u64 = gone.iter().map(|(id, _)| sizes[usize::try_from(*id).unwrap()]).sum();
        let age = |s: &Segment| u64::try_from((NOW - s.end_unix_ms) / 1_000).unwrap();
        let must = |s: &Segment| {
            age_s.is_some_and(|limit| age(s) > limit)
                || total.is_some_and(|most| all - went > most)
                || wanted.is_some_and(|wanted| free + went < wanted)
        };
        prop_assert!(left.iter().all(|s| held.contains(&s.id) || !must(s)));
        // Each was needed: without the last deletion a rule would be broken.
        if let Some((id, _)) = gone.last() {
            let last = &segments[usize::try_from(*id).unwrap()];
            let before = went - last.size_bytes;
            prop_assert!(
                age_s.is_some_and(|limit| age(last) > limit)
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
    let outcome = delete(&disk, &COPIED_ONLY, &segments[0]);
    assert!(matches!(outcome, Outcome::Deleted), "{outcome:?}");
    let left: Vec<_> = disk.files().into_keys().collect();
    assert_eq!(left, [Path::new("recordings/d/2.flv"), Path::new("recordings/d/notes.txt")]);
    let again = delete(&disk, &ALL, &segments[0]);
    assert!(matches!(again, Outcome::Missing), "{again:?}");
}

#[test]
fn what_is_protected_stays() {
    let segments = [segment(1, 0, 1)];
    let path = &segments[0].path;
    let disk = disk_with(&segments);
    assert_eq!(Guard::new(&disk).keep(path, &ALL), None);
    assert_eq!(Guard::new(&disk).keep(path, &COPIED_ONLY), Some(Keep::NotCopied));
    assert!(matches!(delete(&disk, &COPIED_ONLY, &segments[0]), Outcome::Kept));
    disk.put("recordings/d/1.flv.hold", b"");
    assert_eq!(Guard::new(&disk).keep(path, &ALL), Some(Keep::Held));
    assert!(matches!(delete(&disk, &ALL, &segments[0]), Outcome::Kept));
    assert!(disk.files().contains_key(path));
}

#[test]
fn what_cannot_be_found_out_protects() {
    let disk = FakeDisk::failing(|_, call| {
        (call == Call::List).then_some(Fault::Error(io::ErrorKind::PermissionDenied))
    });
    assert_eq!(Guard::new(&disk).keep(&segment(1, 0, 1).path, &ALL), Some(Keep::Held));
}

#[test]
fn a_file_that_somebody_has_stays() {
    let segments = [segment(1, 0, 1)];
    let disk = disk_with(&segments);
    let open = disk.open(&segments[0].path).unwrap();
    assert!(matches!(delete(&disk, &ALL, &segments[0]), Outcome::Kept));
    drop(open);
    assert!(matches!(delete(&disk, &ALL, &segments[0]), Outcome::Deleted));
}

#[test]
fn a_file_that_was_not_recorded_stays() {
    let segments = [segment(1, 0, 1)];
    for foreign in [b"holiday".to_vec(), Vec::new(), bytes(&about_of(2, 1, 0), true)] {
        let disk = disk_with(&[]);
        disk.put("recordings/d/1.flv", &foreign);
        assert!(matches!(delete(&disk, &ALL, &segments[0]), Outcome::Kept));
        assert_eq!(disk.files()[&segments[0].path], foreign);
    }
}

fn room(device: u64, free_bytes: u64) -> Space {
    Space { device, free_bytes, total_bytes: 1 << 40 }
}

/// A segment of a recorder, in a directory.
fn made_by(id: i64, recorder: &str, dir: &str, age_s: i64) -> Segment {
    let path = format!("{dir}/{id}.flv").into();
    Segment { recorder: recorder.to_owned(), path, ..segment(id, age_s, 10) }
}

fn planned(policy: &Policy, disk: &FakeDisk, segments: &[Segment]) -> Vec<(i64, Cause)> {
    let mut bytes = BTreeMap::<_, u64>::new();
    for segment in segments {
        *bytes.entry(segment.recorder.clone()).or_default() += segment.size_bytes;
    }
    let mut rooms = Rooms::new(disk, policy.min_free);
    for dir in ["recordings", "other", "roomy"] {
        rooms.learn(Path::new(dir));
    }
    plan(&mut Planner::new(policy, NOW, &bytes, rooms), segments, |_| false)
}

#[test]
fn each_disk_gets_room_from_what_is_on_it() {
    let disk = FakeDisk::default();
    disk.set_space(room(1, 95));
    disk.mount("other", room(2, 85));
    disk.mount("roomy", room(3, 1_000));
    let segments = [
        made_by(1, "all", "recordings", 500),
        made_by(2, "all", "roomy", 400),
        made_by(3, "all", "other", 300),
        made_by(4, "all", "recordings", 200),
        made_by(5, "all", "other", 100),
        made_by(6, "all", "other", 50),
    ];
    let retention = Rules { free_bytes: Some(100), ..ALL };
    let policy = Policy { retention, min_free: Some(0), ..Policy::default() };
    let free = |id| (id, Cause::Free);
    assert_eq!(planned(&policy, &disk, &segments), [free(1), free(3), free(5)]);
    // At least 2.5 times what recording leaves.
    let policy = Policy { min_free: Some(42), ..policy };
    assert_eq!(planned(&policy, &disk, &segments), [1, 3, 5].map(free));
    let policy = Policy { min_free: Some(43), ..policy };
    assert_eq!(planned(&policy, &disk, &segments), [1, 3, 4, 5, 6].map(free));
}

#[test]
fn a_recorder_with_rules_sees_its_own_segments_only() {
    let disk = FakeDisk::default();
    let segments = [
        made_by(1, "all", "recordings", 600),
        made_by(2, "news", "recordings", 500),
        made_by(3, "studio", "recordings", 400),
        made_by(4, "news", "recordings", 300),
        made_by(5, "other", "recordings", 200),
        made_by(6, "news", "recordings", 100),
    ];
    let policy = |retention: Rules, news: Rules| Policy {
        retention,
        by_recorder: [("news".to_owned(), news)].into(),
        min_free: Some(0),
        bin_grace: Duration::ZERO,
    };
    let total = |bytes| Rules { total_bytes: Some(bytes), ..ALL };
    let age = |seconds| Rules { age: Some(Duration::from_secs(seconds)), ..ALL };
    let went = |policy: &Policy| planned(policy, &disk, &segments);
    // Of all together: 60 bytes, of `news` 30.
    assert_eq!(went(&policy(ALL, total(29))), [(2, Cause::Total)]);
    assert_eq!(went(&policy(total(29), ALL)), [(1, Cause::Total)]);
    assert_eq!(went(&policy(total(30), total(30))), []);
    assert_eq!(went(&policy(ALL, age(299))), [(2, Cause::Age), (4, Cause::Age)]);
    assert_eq!(went(&policy(age(400), ALL)), [(1, Cause::Age)]);
    // Room is made by those who want it.
    disk.set_space(room(1, 85));
    let free = Rules { free_bytes: Some(100), ..ALL };
    assert_eq!(went(&policy(ALL, free)), [(2, Cause::Free), (4, Cause::Free)]);
    assert_eq!(went(&policy(free, ALL)), [(1, Cause::Free), (3, Cause::Free)]);
    assert_eq!(went(&policy(free, free)), [(1, Cause::Free), (2, Cause::Free)]);
    assert!(!policy(ALL, ALL).is_some() && policy(ALL, free).is_some());
}

#[test]
fn folders_that_are_left_empty_go() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("recordings");
    let day = root.join("live/2025/10");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(root.join("live/kept.flv"), b"").unwrap();
    tidy(&crate::SystemDisk, std::slice::from_ref(&root), &day).unwrap();
    assert!(!root.join("live/2025").exists());
    assert!(root.join("live/kept.flv").exists());
    std::fs::remove_file(root.join("live/kept.flv")).unwrap();
    tidy(&crate::SystemDisk, std::slice::from_ref(&root), &root.join("live")).unwrap();
    assert!(root.exists() && !root.join("live").exists());
    tidy(&crate::SystemDisk, std::slice::from_ref(&root), &root).unwrap();
    assert!(root.exists());
}
