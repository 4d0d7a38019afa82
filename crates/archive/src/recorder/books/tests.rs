use std::time::Duration;

use super::*;
use crate::testing::{audio, video};

const LOST: Lost = Lost { packets: 3, bytes: 300 };

fn placed(time_ms: u64) -> Placed {
    Placed { time_ms, ..Placed::default() }
}

fn open(books: &mut Books, time_ms: u64) -> Option<Gap> {
    let (start_ms, gap) = books.next_start(time_ms, books.newest);
    books.open(start_ms, gap, 0);
    gap
}

#[test]
fn a_gap_in_the_file_ends_with_the_next_coded_packet() {
    let mut books = Books::new(Instant::now());
    open(&mut books, 0);
    books.write(&video(0, true, 95), &placed(0));
    books.lose(LOST, 40, true);
    books.write(&video(9_000, true, 95), &Placed { is_late: true, ..placed(9_000) });
    books.flush(9_040);
    let gap = Gap {
        at_ms: 40,
        length_ms: 8_960,
        reason: GapReason::SlowDisk,
        dropped: Amount { packets: 3, bytes: 300 },
    };
    let ledger = books.segment();
    assert_eq!((&*ledger.gaps, ledger.late_packets), (&[gap][..], 1));
    assert_eq!(ledger.written, Amount { packets: 2, bytes: 200 });
    assert!(ledger.is_balanced());
}

#[test]
fn skew_is_how_far_sound_is_ahead_of_the_picture() {
    let mut books = Books::new(Instant::now());
    open(&mut books, 0);
    for (audio_ms, video_ms) in [(0, 0), (900, 1_000), (1_500, 1_480)] {
        books.write(&audio(0, 9), &placed(audio_ms));
        books.write(&video(0, true, 9), &placed(video_ms));
        books.flush(audio_ms);
    }
    assert_eq!((books.segment().skew_ms, books.segment().skew_max_ms), (20, 100));
}

#[test]
fn a_file_that_was_never_there_leaves_the_gap_as_it_was() {
    let now = Instant::now();
    let mut books = Books::new(now);
    open(&mut books, 0);
    books.write(&video(0, true, 95), &placed(0));
    books.flush(1_000);
    books.write(&video(1_000, true, 95), &placed(1_000));
    books.fail(Kept::File, GapReason::Disk, now);
    // The next file begins at 4 s and is not kept.
    let gap = open(&mut books, 4_000).unwrap();
    assert_eq!((gap.at_ms, gap.length_ms, gap.dropped.packets), (1_000, 3_000, 1));
    assert_eq!(books.next_number(), 3);
    books.write(&video(4_000, true, 95), &placed(0));
    books.lose(LOST, 0, true);
    books.fail(Kept::Nothing, GapReason::Disk, now);
    assert_eq!(books.next_number(), 2);
    // On the clock of the file that was not kept it goes on at 5 s.
    let gap = open(&mut books, 1_000).unwrap();
    assert_eq!((gap.at_ms, gap.length_ms, gap.dropped.packets), (1_000, 4_000, 5));
    let ledger = books.recording();
    assert!(ledger.is_balanced());
    assert_eq!((ledger.written.packets, ledger.dropped.packets), (1, 5));
}

#[test]
fn what_a_mended_file_lacks_is_in_the_gap_after_it() {
    let now = Instant::now();
    let mut books = Books::new(now);
    open(&mut books, 0);
    for time_ms in [0, 500] {
        books.write(&video(0, true, 95), &placed(time_ms));
        books.flush(time_ms + 500);
    }
    books.fail(Kept::File, GapReason::Disk, now);
    let found = Amount { packets: 1, bytes: 100 };
    books.correct(found, 500, now);
    assert_eq!(books.packets_before(), 1);
    let gap = open(&mut books, 4_000).unwrap();
    assert_eq!((gap.at_ms, gap.length_ms, gap.dropped), (500, 3_500, found));
    books.write(&video(0, true, 95), &placed(0));
    books.flush(500);
    books.closing(500);
    books.close(500);
    let ledger = books.recording();
    assert!(ledger.is_balanced());
    assert_eq!((ledger.written.packets, ledger.dropped.packets), (2, 1));
}

#[test]
fn a_mended_file_that_is_shorter_than_was_thought_leaves_a_gap() {
    let now = Instant::now();
    let mut books = Books::new(now);
    open(&mut books, 0);
    books.write(&video(0, true, 95), &placed(0));
    books.flush(40);
    books.close_in_doubt(500);
    let written = books.segment().written + Amount { packets: 1, bytes: 100 };
    books.correct(written, 40, now);
    let gap = open(&mut books, 500).unwrap();
    assert_eq!((gap.at_ms, gap.length_ms, gap.dropped), (40, 460, Amount::default()));
}

#[test]
fn a_file_that_turned_out_to_be_nothing_leaves_the_gap_as_it_was() {
    let now = Instant::now();
    let mut books = Books::new(now);
    open(&mut books, 0);
    books.write(&video(0, true, 95), &placed(0));
    books.flush(1_000);
    books.write(&video(1_000, true, 95), &placed(1_000));
    books.fail(Kept::File, GapReason::Disk, now);
    let gap = open(&mut books, 4_000).unwrap();
    assert_eq!((gap.at_ms, gap.length_ms, gap.dropped.packets), (1_000, 3_000, 1));
    // The second file gets two packets, loses three, and fails with one more.
    for time_ms in [0, 500] {
        books.write(&video(4_000, true, 95), &placed(time_ms));
        books.flush(time_ms + 500);
    }
    books.lose(LOST, 500, true);
    books.write(&video(5_000, true, 95), &placed(1_000));
    books.fail(Kept::File, GapReason::Disk, now);
    assert_eq!((books.next_number(), books.packets_before()), (3, 7));
    books.vanish(now);
    assert_eq!((books.next_number(), books.packets_before()), (2, 1));
    // On the clock of the file that is gone it goes on at 6 s.
    let gap = open(&mut books, 2_000).unwrap();
    assert_eq!((gap.at_ms, gap.length_ms, gap.dropped.packets), (1_000, 5_000, 7));
    let ledger = books.recording();
    assert!(ledger.is_balanced());
    assert_eq!((ledger.written.packets, ledger.dropped.packets), (1, 7));
    // Nothing of that is left once there is another file.
    books.vanish(now);
    assert_eq!(books.next_number(), 3);
}

#[test]
fn the_clock_tells_how_long_the_publisher_was_away() {
    let now = Instant::now();
    let mut books = Books::new(now);
    open(&mut books, 0);
    books.write(&video(0, true, 95), &placed(0));
    books.flush(500);
    books.close(500);
    books.newest = now + Duration::from_secs(1);
    books.away();
    let (start_ms, gap) = books.next_start(0, now + Duration::from_secs(8));
    assert_eq!(start_ms, 7_500);
    assert_eq!(gap.unwrap().reason, GapReason::Publisher);
}

#[test]
fn more_gaps_than_are_listed_are_counted() {
    let mut books = Books::new(Instant::now());
    open(&mut books, 0);
    for time_ms in 0..100 {
        books.lose(LOST, time_ms, true);
    }
    books.closing(100);
    books.close(100);
    let ledger = books.recording();
    assert_eq!((ledger.gaps.len(), ledger.gaps_total), (Ledger::GAPS_MAX, 100));
    assert_eq!(ledger.dropped.packets, 300);
}
