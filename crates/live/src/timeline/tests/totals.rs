//! What all timelines together hold for recorders that are behind.

use super::*;

/// A registry's timelines, all alike.
fn runs(count: usize, limits: &Limits) -> (Arc<AtomicUsize>, Vec<Run>) {
    let backlogs = Arc::new(AtomicUsize::new(0));
    let runs = (0..count).map(|_| Run::among(limits.clone(), &backlogs)).collect();
    (backlogs, runs)
}

fn sum(backlogs: &AtomicUsize) -> usize {
    backlogs.load(Ordering::Relaxed)
}

const GROUP: &str = "kfff";
const GROUP_BYTES: usize = 4 * 1_096;

fn limits() -> Limits {
    Limits {
        record_bytes: 100 * GROUP_BYTES,
        record_total_bytes: 200 * GROUP_BYTES,
        hold_bytes: 5 * GROUP_BYTES,
        ..Limits::default()
    }
}

#[test]
fn only_what_recorders_alone_need_is_their_backlog() {
    let (backlogs, mut runs) = runs(1, &limits());
    let run = &mut runs[0];
    run.push_all(&GROUP.repeat(3));
    assert_eq!(sum(&backlogs), 0, "nobody records");
    let mut recorder = run.cursor(Class::Record, Start::Newest);
    drain(&mut recorder);
    run.push_all(GROUP);
    assert_eq!(sum(&backlogs), GROUP_BYTES, "the newest group is kept anyway");
    let mut player = run.cursor(Class::Play, Start::Newest);
    drain(&mut player);
    run.push_all(&GROUP.repeat(2));
    assert_eq!(sum(&backlogs), GROUP_BYTES, "a player needs the rest");
    drain(&mut player);
    assert_eq!(sum(&backlogs), 3 * GROUP_BYTES);
    drain(&mut recorder);
    assert_eq!(sum(&backlogs), 0);
}

#[test]
fn hanging_recorders_share_the_bound_and_one_that_keeps_up_loses_nothing() {
    const HANGING: usize = 8;
    let limits = limits();
    let (backlogs, mut runs) = runs(HANGING + 1, &limits);
    let mut healthy = runs.pop().unwrap();
    let mut recorder = healthy.cursor(Class::Record, Start::Oldest);
    let mut hanging: Vec<Cursor> =
        runs.iter().map(|run| run.cursor(Class::Record, Start::Oldest)).collect();
    let most = limits.record_total_bytes + (HANGING + 1) * limits.hold_bytes;
    let (mut read, mut highest) = (Vec::new(), 0);
    for round in 0..300 {
        for run in &mut runs {
            run.push_all(GROUP);
            assert!(sum(&backlogs) <= most);
        }
        highest = highest.max(sum(&backlogs));
        // It is behind now and then, by less than the share that each may keep.
        healthy.push_all(GROUP);
        if round % 4 == 0 {
            let (numbers, others) = drain(&mut recorder);
            assert_eq!(others, [], "round {round}");
            read.extend(numbers);
        }
    }
    assert!(highest > limits.record_total_bytes * 9 / 10, "the bound was reached: {highest}");
    read.extend(drain(&mut recorder).0);
    assert_eq!(read, (0..1_200).collect::<Vec<_>>());
    for (cursor, run) in hanging.iter_mut().zip(&runs) {
        // Whole groups went, counted; what is left begins with a key frame and is complete.
        run.timeline.end();
        let (numbers, others) = drain(cursor);
        let lost = joined(&others[0]).1.packets;
        assert!(lost > 0 && lost.is_multiple_of(4), "{lost}");
        let from = u32::try_from(lost).unwrap();
        assert_eq!(numbers, (from..1_200).collect::<Vec<_>>());
        assert_eq!(others[1], ENDED);
        assert_eq!(cursor.position(), Position { packets: 1_200, bytes: 1_200_000 });
    }
    drop((hanging, recorder));
    assert_eq!(sum(&backlogs), 0);
}

#[test]
fn a_backlog_is_given_back_when_its_recorder_leaves_whether_the_run_goes_on_or_not() {
    let (backlogs, mut runs) = runs(2, &limits());
    for (i, run) in runs.iter_mut().enumerate() {
        let recorder = run.cursor(Class::Record, Start::Oldest);
        run.push_all(&GROUP.repeat(10));
        assert_eq!(sum(&backlogs), 9 * GROUP_BYTES);
        if i == 0 {
            run.timeline.end();
            assert_eq!(sum(&backlogs), 9 * GROUP_BYTES, "there is still somebody to read it");
        }
        drop(recorder);
        assert_eq!(sum(&backlogs), 0);
    }
}

#[test]
fn who_was_alone_gives_up_its_oldest_groups_when_others_need_the_room() {
    let limits = Limits { record_total_bytes: 50 * GROUP_BYTES, ..limits() };
    let (backlogs, mut runs) = runs(2, &limits);
    let mut cursors: Vec<Cursor> =
        runs.iter().map(|run| run.cursor(Class::Record, Start::Oldest)).collect();
    runs[0].push_all(&GROUP.repeat(51));
    assert_eq!(sum(&backlogs), 50 * GROUP_BYTES);
    // The other is below its share, so it may still have what it gets.
    runs[1].push_all(&GROUP.repeat(5));
    assert_eq!(sum(&backlogs), 54 * GROUP_BYTES);
    runs[0].push_all("a");
    assert_eq!(sum(&backlogs), 50 * GROUP_BYTES);
    assert_eq!(joined(&drain(&mut cursors[0]).1[0]).1.packets, 16);
    assert_eq!(drain(&mut cursors[1]), ((0..20).collect(), vec![]));
}

#[test]
fn each_keeps_its_share_however_much_others_hold() {
    let limits = Limits { record_total_bytes: 50 * GROUP_BYTES, ..limits() };
    let (backlogs, mut runs) = runs(2, &limits);
    let mut cursors: Vec<Cursor> =
        runs.iter().map(|run| run.cursor(Class::Record, Start::Oldest)).collect();
    runs[0].push_all(&GROUP.repeat(51));
    // It gets no more, so it gives nothing up.
    runs[0].timeline.end();
    runs[1].push_all(&GROUP.repeat(20));
    assert_eq!(sum(&backlogs), 55 * GROUP_BYTES);
    assert_eq!(drain(&mut cursors[0]), ((0..204).collect(), vec![ENDED]));
    let (numbers, others) = drain(&mut cursors[1]);
    assert_eq!(numbers, (56..80).collect::<Vec<_>>(), "five groups, and the newest");
    assert_eq!(joined(&others[0]).1.packets, 56);
}
