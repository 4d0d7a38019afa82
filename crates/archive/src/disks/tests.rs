use std::sync::{Arc, Mutex};

use super::*;
use crate::clock::fixed::FixedClock;
use crate::disk::fake::FakeDisk;
use crate::disk::fake::several::Several;
use crate::disk::{Disk, Space};
use crate::testing::{capture_log, wait_until};
use crate::{Archive, Config, Notice, Observer};

const GIB: u64 = 1 << 30;

fn row(dir: &str, state: DiskState) -> DiskStatus {
    DiskStatus {
        dir: dir.into(),
        device: 1,
        total_bytes: 100 * GIB,
        free_bytes: 10 * GIB,
        min_free_bytes: GIB,
        state,
        write_bytes_per_second: 0,
        full_in: None,
        obstacle: None,
    }
}

fn states(rows: &[DiskStatus]) -> Vec<DiskState> {
    rows.iter().map(|row| row.state).collect()
}

#[test]
fn a_disk_hangs_that_does_not_answer_recorders_or_the_watcher() {
    use DiskState::{Good, Hanging, Low};
    let disks = Disks::default();
    let read =
        |seconds, hanging: &[PathBuf]| states(&disks.read(Duration::from_secs(seconds), hanging));
    assert_eq!(read(0, &[]), []);
    disks.set(vec![row("a", Good), row("b", Low)]);
    assert_eq!(read(0, &[]), [Good, Low]);
    assert_eq!(read(0, &["a/b".into()]), [Hanging, Low]);
    disks.ask(Path::new("b/2026"), Duration::from_secs(10));
    assert_eq!(read(14, &[]), [Good, Low]);
    assert_eq!(read(15, &[]), [Good, Hanging]);
    disks.ask(Path::new("new"), Duration::from_secs(10));
    assert_eq!(read(15, &[]), [Good, Low, Hanging]);
    disks.answered();
    assert_eq!(read(15, &[]), [Good, Low]);
    let state_of = |dir: &str| disks.state_of(Path::new(dir));
    assert_eq!((state_of("b/c"), state_of("c")), (Low, Good));
}

#[test]
fn disks_are_listed_by_directory_and_changes_are_told() {
    capture_log();
    let (home, other) = (FakeDisk::default(), FakeDisk::default());
    let room = |disk: &FakeDisk, device, free_bytes| {
        disk.set_space(Space { device, free_bytes, total_bytes: 1_000 * GIB });
    };
    room(&home, 1, 50 * GIB);
    room(&other, 2, GIB * 3 / 2);
    let disks: Arc<dyn Disk> =
        Arc::new(Several(vec![("home".into(), home), ("other".into(), other)]));
    let notices = Arc::<Mutex<Vec<Notice>>>::default();
    let told = notices.clone();
    let observer = Observer::new(move |notice| told.lock().unwrap().push(notice));
    let dirs = ["other", "other/inside", "home/too"].map(PathBuf::from).to_vec();
    let config = Config { record_dir: "home".into(), dirs, ..Config::default() };
    let clock = FixedClock::new("2025-10-11T14:30:52.123+02:00[Europe/Berlin]");
    let archive = Archive::open(config, disks, Arc::new(clock), observer);
    wait_until("they are looked at", || !archive.disks().is_empty());
    let min_free_bytes = GIB;
    let total_bytes = 1_000 * GIB;
    assert_eq!(
        archive.disks(),
        [
            DiskStatus {
                free_bytes: 50 * GIB,
                min_free_bytes,
                total_bytes,
                ..row("home", DiskState::Good)
            },
            DiskStatus {
                device: 2,
                free_bytes: GIB * 3 / 2,
                min_free_bytes,
                total_bytes,
                ..row("other", DiskState::Low)
            },
        ]
    );
    let low =
        Notice::Disk { dir: "other".into(), state: DiskState::Low, free_bytes: Some(GIB * 3 / 2) };
    assert_eq!(*notices.lock().unwrap(), [low]);
    assert_eq!(archive.close(Duration::from_secs(20)), []);
}
