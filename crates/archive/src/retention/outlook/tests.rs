use std::fs;
use std::path::PathBuf;

use super::*;
use crate::catalog::Catalog;
use crate::catalog::made::{about_of, finished, start_ms, write};
use crate::disk::SystemDisk;
use crate::events::Event;

const HOUR_MS: i64 = 3_600_000;
const DAY: u64 = 86_400;

/// A catalog of `hours` segments of an hour each and one that grows, and their directory.
struct Made {
    dir: tempfile::TempDir,
    catalog: Catalog,
    paths: Vec<PathBuf>,
    /// Bytes of each file, also of the one that grows.
    size: u64,
    now_unix_ms: i64,
}

impl Made {
    fn new(hours: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&SystemDisk, dir.path()).unwrap();
        let mut paths = Vec::new();
        for n in 0..=hours {
            let about = about_of(u64::from(n) + 1, 1, i64::from(n));
            let path = write(dir.path(), &format!("{n:02}.flv"), &about);
            let event = match n == hours {
                true => Event::Opened { path: path.clone(), about },
                false => Event::Finished(finished(path.clone(), &about)),
            };
            catalog.apply(&SystemDisk, &[event], 0).unwrap();
            paths.push(path);
        }
        let size = fs::metadata(&paths[0]).unwrap().len();
        let now_unix_ms = start_ms() + i64::from(hours) * HOUR_MS;
        Self { dir, catalog, paths, size, now_unix_ms }
    }

    fn outlook(&self, rules: Rules, min_free: u64) -> Outlook {
        let reader = Reader::open(self.dir.path()).unwrap();
        let policy = Policy { retention: rules, min_free: Some(min_free), ..Policy::default() };
        Outlook::new(&reader, &SystemDisk, &policy, self.now_unix_ms, 20).unwrap()
    }
}

fn age(hours: u64) -> Rules {
    Rules { age: Some(Duration::from_secs(hours * 3_600)), ..Rules::default() }
}

#[test]
fn what_would_go_is_told_and_stays() {
    let made = Made::new(5);
    fs::write(made.paths[1].with_extension("flv.hold"), b"").unwrap();
    let outlook = made.outlook(age(2), 0);
    let doomed: Vec<_> = outlook
        .doomed
        .iter()
        .map(|d| (&d.segment.path, d.age.as_secs() / 3_600, d.cause))
        .collect();
    assert_eq!(doomed, [(&made.paths[0], 4, Cause::Age)]);
    let kept: Vec<_> = outlook.kept.iter().map(|kept| (&kept.segment.path, kept.keep)).collect();
    assert_eq!(kept, [(&made.paths[1], Keep::Held)]);
    assert_eq!((outlook.segments, outlook.total_bytes), (6, 6 * made.size));
    assert_eq!(outlook.doomed_bytes(), made.size);
    assert!(made.paths.iter().all(|path| path.exists()));

    // The one that grows counts, and the held one goes on counting.
    let rules = Rules { total_bytes: Some(3 * made.size), ..Rules::default() };
    let doomed: Vec<_> =
        made.outlook(rules, 0).doomed.into_iter().map(|doomed| doomed.segment.path).collect();
    assert_eq!(doomed, [0, 2, 3].map(|n| made.paths[n].clone()));
}

#[test]
fn deletions_are_listed() {
    let made = Made::new(2);
    let segment = made.catalog.reader().by_path(&made.paths[0]).unwrap().unwrap();
    made.catalog.deleted(&[(segment, Cause::Age)], 5).unwrap();
    let outlook = made.outlook(Rules::default(), 0);
    assert_eq!(outlook.deletions.len(), 1);
    assert_eq!((outlook.segments, outlook.total_bytes), (2, 2 * made.size));
}

#[test]
fn the_rate_is_that_of_the_last_day_or_of_all_there_is() {
    let made = Made::new(5);
    assert_eq!(made.outlook(Rules::default(), 0).bytes_per_second, 6 * made.size / (5 * 3_600));
    let made = Made::new(48);
    let day = 24 * made.size + made.size;
    assert_eq!(made.outlook(Rules::default(), 0).bytes_per_second, day / DAY);
    let empty = Made { now_unix_ms: 0, ..Made::new(1) };
    assert_eq!(empty.outlook(Rules::default(), 0).bytes_per_second, 2 * empty.size);
}

#[test]
fn the_disk_is_full_when_the_room_above_the_minimum_is_used_up() {
    assert_eq!(full_in(1_000, 10), Forecast::In(Duration::from_secs(100)));
    assert_eq!(full_in(0, 10), Forecast::In(Duration::ZERO));
    assert_eq!(full_in(1_000, 0), Forecast::Never);
    let made = Made::new(5);
    let outlook = made.outlook(Rules::default(), u64::MAX);
    assert_eq!((outlook.full, outlook.full_with_rules), (full_in(0, 1), full_in(0, 1)));
}

#[test]
fn rules_that_bound_the_recordings_keep_the_disk_from_filling() {
    // 10 bytes a second; 1,000,000 are there.
    let day = age(24);
    assert_eq!(growth(&day, 10, 864_000 - 500), 500);
    assert_eq!(growth(&day, 10, 1_000_000), 0);
    assert_eq!(growth(&Rules { total_bytes: Some(70), ..day }, 10, 60), 10);
    assert_eq!(growth(&Rules::default(), 10, 60), u64::MAX);

    let made = Made::new(5);
    assert_eq!(made.outlook(age(1), 0).full_with_rules, Forecast::Never);
    let free = Rules { free_bytes: Some(1), ..Rules::default() };
    assert_eq!(made.outlook(free, 0).full_with_rules, Forecast::Never);
    let none = made.outlook(Rules::default(), 0);
    assert_eq!(none.full_with_rules, none.full);
}
