//! What is kept for recordings that begin in the past, and how they begin.

use super::*;

const GROUP: &str = "kfff";
const GROUP_BYTES: usize = 4 * 1_096;
/// Packets are 40 ms apart.
const GROUP_MS: i64 = 4 * 40;

fn window(run: &Run) -> (usize, i64) {
    run.timeline.lock().window()
}

fn back(run: &Run, ms: i64) -> Cursor {
    run.cursor(Class::Record, Start::Back { ms })
}

#[test]
fn as_much_is_kept_as_was_asked_for_and_the_rest_given_back_at_once() {
    let mut run = Run::new(Limits::default());
    run.push_all(&GROUP.repeat(10));
    assert_eq!(window(&run), (GROUP_BYTES, 3 * 40), "nothing was asked for");
    run.timeline.set_pre_roll(1_000);
    run.push_all(&GROUP.repeat(20));
    // The newest packet is 120 ms into its group; six whole groups before it are 960 ms.
    assert_eq!(window(&run), (7 * GROUP_BYTES, 6 * GROUP_MS + 120));
    run.push_all("k");
    assert_eq!(window(&run).1, 7 * GROUP_MS, "this is the place that is old enough");
    run.timeline.set_pre_roll(GROUP_MS);
    assert_eq!(window(&run), (GROUP_BYTES + 1_096, GROUP_MS));
    run.timeline.set_pre_roll(0);
    assert_eq!(window(&run), (1_096, 0));
    // More cannot be had back, but is kept from now on.
    run.timeline.set_pre_roll(i64::MAX);
    run.push_all(&GROUP.repeat(50));
    assert_eq!(window(&run).0, 50 * GROUP_BYTES + 1_096);
    run.timeline.end();
    assert_eq!(window(&run).0, GROUP_BYTES, "nobody begins to record what is over");
    run.timeline.set_pre_roll(1_000);
    assert_eq!(run.timeline.lock().pre_roll_ms, 0);
}

#[test]
fn pre_roll_is_bounded_in_bytes_and_whole_groups_go() {
    let limits = Limits { pre_roll_bytes: 10 * GROUP_BYTES, ..Limits::default() };
    let mut run = Run::new(limits);
    run.timeline.set_pre_roll(3_600_000);
    for _ in 0..100 {
        run.push_all("kfff");
        assert!(window(&run).0 <= 10 * GROUP_BYTES);
    }
    assert_eq!(window(&run).0, 10 * GROUP_BYTES);
    // A group that is larger than that is not kept in part: it would be of no use.
    run.push_all("k");
    run.push_all(&"f".repeat(600));
    run.push_all(GROUP);
    assert_eq!(window(&run), (GROUP_BYTES, 120));
}

#[test]
fn what_is_kept_for_pre_roll_is_no_backlog() {
    let backlogs = Arc::new(AtomicUsize::new(0));
    let mut run = Run::among(Limits::default(), &backlogs);
    let sum = || backlogs.load(Ordering::Relaxed);
    let mut recorder = run.cursor(Class::Record, Start::Oldest);
    run.push_all(&GROUP.repeat(10));
    assert_eq!(sum(), 9 * GROUP_BYTES);
    run.timeline.set_pre_roll(4 * GROUP_MS);
    assert_eq!(sum(), 5 * GROUP_BYTES);
    drain(&mut recorder);
    assert_eq!((sum(), window(&run).0), (0, 5 * GROUP_BYTES));
    run.timeline.set_pre_roll(0);
    assert_eq!((sum(), window(&run).0), (0, GROUP_BYTES));
}

#[test]
fn a_recording_begins_with_the_newest_place_that_is_old_enough() {
    let mut run = Run::new(Limits::default());
    run.timeline.set_pre_roll(1_000);
    run.push_all("mcaa");
    run.push_all(&GROUP.repeat(20));
    // 83 is the newest packet; group g begins with packet 4 + 4 g.
    for (ms, first) in
        [(0, 80), (120, 80), (121, 76), (280, 76), (1_000, 56), (1_080, 56), (i64::MAX, 56)]
    {
        let (numbers, others) = drain(&mut back(&run, ms));
        assert_eq!(numbers, (first..84).collect::<Vec<_>>(), "{ms} ms");
        let (header, lost) = joined(&others[0]);
        assert_eq!(header.packets().iter().map(number).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((lost, others.len()), (Lost::default(), 1));
    }
}

#[test]
fn a_recording_in_the_past_of_what_has_no_place_waits_for_one() {
    let mut run = Run::new(Limits::default());
    let mut early = back(&run, 5_000);
    run.push_all("mcff");
    let mut late = back(&run, 5_000);
    assert_eq!(drain(&mut early).0, []);
    run.push_all(GROUP);
    for cursor in [&mut early, &mut late] {
        assert_eq!(drain(cursor).0, [4, 5, 6, 7]);
        assert_eq!(cursor.position(), Position { packets: 4, bytes: 4_000 });
    }
}

#[test]
fn where_a_recording_begins_is_kept_until_it_reads() {
    let mut run = Run::new(Limits::default());
    run.timeline.set_pre_roll(1_000);
    run.push_all(&GROUP.repeat(20));
    let mut cursor = back(&run, 1_000);
    let handle = cursor.stop_handle();
    run.timeline.set_pre_roll(0);
    assert_eq!(handle.waiting_bytes(), 7 * 4 * 1_000);
    run.push_all(&GROUP.repeat(100));
    let (numbers, others) = drain(&mut cursor);
    assert_eq!(numbers, (52..480).collect::<Vec<_>>());
    assert_eq!((joined(&others[0]).1, handle.waiting_bytes()), (Lost::default(), 0));
    run.push_all(GROUP);
    assert_eq!(handle.waiting_bytes(), 4_000);
    handle.stop();
    run.push_all(GROUP);
    assert_eq!(handle.waiting_bytes(), 4_000, "what comes after the stop does not wait");
    // A cursor that is dropped before it reads keeps nothing.
    drop((back(&run, 1_000), cursor));
    assert_eq!(window(&run).0, GROUP_BYTES);
}

#[test]
fn a_recording_that_is_overrun_before_it_reads_begins_later() {
    let limits = Limits { record_bytes: 20 * GROUP_BYTES, ..Limits::default() };
    for class in [Class::Record, Class::Play] {
        let mut run = Run::new(limits.clone());
        run.timeline.set_pre_roll(1_000);
        run.push_all(&GROUP.repeat(20));
        let mut cursor = run.cursor(class, Start::Back { ms: 1_000 });
        run.timeline.set_pre_roll(0);
        run.push_all(&GROUP.repeat(500));
        let (numbers, others) = drain(&mut cursor);
        assert!(numbers[0] >= 500 * 4 && numbers[0] % 4 == 0, "{numbers:?}");
        assert_eq!(numbers.last(), Some(&(520 * 4 - 1)));
        assert_eq!((joined(&others[0]).1, others.len()), (Lost::default(), 1));
        assert_eq!(cursor.position().packets, numbers.len() as u64);
        drop(cursor);
        let state = run.timeline.lock();
        assert!(state.blocks.iter().all(|b| b.players == 0 && b.recorders == 0));
        assert_eq!(state.displaced, 0);
    }
}

#[test]
fn a_cursor_tells_how_far_back_it_is_and_when_it_has_caught_up() {
    let mut run = Run::new(Limits::default());
    run.timeline.set_pre_roll(100_000);
    run.push_all(&GROUP.repeat(200));
    let newest_ms = 799 * 40;
    let mut cursor = back(&run, 600 * 40);
    let wait = Wait { bytes: 0, timeout: Duration::ZERO };
    let mut batch = Vec::new();
    let Read::Joined { dts_ms, .. } = cursor.read_blocking(&mut batch, &wait) else { panic!() };
    assert_eq!(cursor.lag_ms(dts_ms), u64::try_from(newest_ms - dts_ms).unwrap());
    assert_eq!((cursor.lag_ms(newest_ms + 1), cursor.lag_ms(i64::MIN)), (0, i64::MAX as u64));
    assert!(!cursor.is_current());
    assert_eq!(cursor.read_blocking(&mut batch, &wait), Read::Packets);
    assert!(!cursor.is_current(), "{} packets", batch.len());
    assert_eq!(cursor.read_blocking(&mut batch, &wait), Read::Packets);
    assert!(cursor.is_current());
}

#[test]
fn audio_alone_can_be_had_back_too() {
    let mut run = Run::new(Limits::default());
    run.timeline.set_pre_roll(5_000);
    run.push_all(&"a".repeat(1_000));
    let (numbers, _) = drain(&mut back(&run, 5_000));
    let behind_ms = i64::from(999 - numbers[0]) * 40;
    assert!((5_000..=6_000).contains(&behind_ms), "{behind_ms}");
}
