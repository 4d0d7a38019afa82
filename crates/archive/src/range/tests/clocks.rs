//! The wall's clock, the recording's and the encoder's.

use super::*;
use crate::{Amount, Gap as Lost};

#[test]
fn clock_that_drifts_is_set_by_the_wall_and_the_stream_stays_whole() {
    let mut made = Made::new();
    let drifting = made::Run { gops: 8, cut_every: 1, drift_ms: 300, ..made::Run::default() };
    made.run(&drifting);
    let source = source(&made);
    // 300, 600, 900 ms are within a second; the fifth file is 1.2 s late, and there the wall wins.
    let (packets, gaps) = read(&source, Range::ALL);
    let keys = packets.iter().filter(|timed| timed.packet.role == Role::Key);
    let keys: Vec<_> =
        keys.map(|timed| (timed.unix_ms - START, timed.packet.dts_ms - START)).collect();
    let unix = [0, 1_000, 2_000, 3_000, 5_200, 6_200, 7_200, 8_200];
    let clock = [0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000];
    assert_eq!(keys, unix.into_iter().zip(clock).collect::<Vec<_>>());
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].cause, Cause::Clock);
}

#[test]
fn stream_that_came_faster_than_it_plays_goes_by_its_own_clock() {
    let mut made = Made::new();
    let fast = made::Run { gops: 8, cut_every: 2, drift_ms: -1_990, ..made::Run::default() };
    made.run(&fast);
    let source = source(&made);
    let (packets, gaps) = read(&source, range(3_500, 6_500, Cut::Exact));
    assert_eq!(gaps, []);
    let shown = packets.iter().filter(|timed| !timed.is_before && timed.packet.is_media());
    let shown: Vec<_> = shown.map(|timed| timed.unix_ms - START).collect();
    assert_eq!((shown[0], shown.len()), (3_500, 60));
}

#[test]
fn jump_of_the_encoder_s_clock_goes_by_the_wall() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 2, ..made::Run::default() });
    let cut = Some(crate::Cut::TimeJump);
    made.run(&made::Run { gops: 2, jump_ms: 20_000, cut, dts_ms: 77, ..made::Run::default() });
    let (packets, gaps) = read(&source(&made), Range::ALL);
    let keys = packets.iter().filter(|timed| timed.packet.role == Role::Key);
    let keys: Vec<_> =
        keys.map(|timed| (timed.unix_ms - START, timed.packet.dts_ms - START)).collect();
    assert_eq!(keys, [0, 1_000, 22_000, 23_000].map(|ms| (ms, ms)));
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].cause, Cause::Clock);
    assert_eq!(gaps[0].to_unix_ms - gaps[0].from_unix_ms, 20_000);
}

#[test]
fn gap_inside_a_file_is_told_in_its_place_and_by_plans_that_jump_over_it() {
    let mut made = Made::new();
    let dropped = Amount { packets: 7, bytes: 700 };
    let reason = GapReason::SlowDisk;
    let gap = Some(Lost { at_ms: 30_900, length_ms: 100, reason, dropped });
    made.run(&made::Run { gops: 60, cut_every: 40, gap, ..made::Run::default() });
    let source = source(&made);
    for range in [Range::ALL, range(5_000, 50_000, Cut::Exact), range(31_500, 50_000, Cut::Exact)] {
        let (_, gaps) = read(&source, range);
        assert_eq!(source.flv(range).unwrap().info().gaps, gaps);
        if range.from_unix_ms > START + 31_000 {
            assert_eq!(gaps, []);
            continue;
        }
        let (from_unix_ms, to_unix_ms) = (START + 30_900, START + 31_000);
        let cause = Cause::Recording(reason);
        assert_eq!(gaps, [Gap { from_unix_ms, to_unix_ms, cause, dropped }]);
        let mut items = source.read(range).skip_while(|item| !matches!(item, Item::Gap(_)));
        assert!(matches!(items.nth(1), Some(Item::Packet(timed)) if timed.unix_ms == to_unix_ms));
    }
}
