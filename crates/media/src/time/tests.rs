use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn video(dts_ms: i64) -> Packet {
    Packet::new(Kind::Video, dts_ms, Bytes::from_static(b"\x27\x01\x00\x00\x00N"))
}

fn audio(dts_ms: i64) -> Packet {
    Packet::new(Kind::Audio, dts_ms, Bytes::from_static(b"\xaf\x01\x21"))
}

fn config(dts_ms: i64) -> Packet {
    Packet::new(Kind::Video, dts_ms, Bytes::from_static(b"\x17\x00\x00\x00\x00\x01"))
}

fn mapped(packets: &[Packet]) -> Vec<u64> {
    let mut rebase = Rebase::default();
    packets.iter().map(|packet| rebase.map(packet)).collect()
}

fn cue_point(dts_ms: i64) -> Packet {
    let packet = Packet::new(Kind::Data, dts_ms, Bytes::from_static(b"\x02\x00\x0aonCuePoint\x05"));
    assert_eq!(packet.role, Role::Event);
    packet
}

fn end_of_sequence(dts_ms: i64) -> Packet {
    let packet = Packet::new(Kind::Video, dts_ms, Bytes::from_static(b"\x17\x02\x00\x00\x00"));
    assert_eq!(packet.role, Role::Event);
    packet
}

/// Packet of an Enhanced RTMP audio track (Opus).
fn audio_track(id: u8, dts_ms: i64) -> Packet {
    let body = [&b"\x95\x01Opus"[..], &[id, 0xFC]].concat();
    let packet = Packet::new(Kind::Audio, dts_ms, body.into());
    assert_eq!((packet.track, packet.is_media()), (id, true));
    packet
}

/// The packets at which the file time is later than the packet's, and those of a new clock.
fn late_and_jumps(packets: &[Packet]) -> (Vec<usize>, Vec<usize>) {
    let mut rebase = Rebase::default();
    let (mut late, mut jumps) = (Vec::new(), Vec::new());
    for (i, packet) in packets.iter().enumerate() {
        let placed = rebase.place(packet);
        late.extend(placed.is_late.then_some(i));
        jumps.extend(placed.is_jump.then_some(i));
    }
    (late, jumps)
}

fn unwrapped(timestamps: &[u32]) -> Vec<i64> {
    let mut unwrap = Unwrap::default();
    let times = timestamps.iter().map(|&timestamp| {
        let dts_ms = unwrap.peek(timestamp);
        unwrap.advance(dts_ms);
        dts_ms
    });
    times.collect()
}

#[test]
fn a_clock_goes_on_past_its_wrap() {
    let wrap = 1_i64 << 32;
    assert_eq!(
        unwrapped(&[u32::MAX - 20, u32::MAX, 19, 5, 40]),
        [wrap - 21, wrap - 1, wrap + 19, wrap + 5, wrap + 40]
    );
}

#[test]
fn a_clock_wraps_as_often_as_it_likes() {
    let step = 0x4000_0000_u32;
    let timestamps: Vec<u32> = (0..12).map(|i: u32| i.wrapping_mul(step)).collect();
    let expected: Vec<i64> = (0..12).map(|i| i * i64::from(step)).collect();
    assert_eq!(unwrapped(&timestamps), expected);
}

#[test]
fn just_before_the_first_timestamp_is_negative_and_not_49_days_later() {
    assert_eq!(unwrapped(&[5, u32::MAX]), [5, -1]);
}

#[test]
fn looking_at_a_timestamp_does_not_move_the_clock() {
    let mut unwrap = Unwrap::default();
    unwrap.advance(i64::from(u32::MAX));
    assert_eq!(unwrap.peek(0), 1 << 32);
    assert_eq!(unwrap.peek(0x9000_0000), 0x9000_0000, "a header with an old time stays old");
    assert_eq!(unwrap.peek(1), (1 << 32) + 1);
}

#[test]
fn any_first_time_becomes_zero_for_all_tracks_together() {
    for first_ms in [0, 3_600_000, 1_700_000_000_000, -40, 1 << 33] {
        let packets = [video(first_ms), audio(first_ms + 13), video(first_ms + 40)];
        assert_eq!(mapped(&packets), [0, 13, 40], "first at {first_ms}");
    }
}

#[test]
fn audio_from_before_the_first_frame_is_at_zero() {
    let packets = [video(5_000), audio(4_990), audio(5_013), video(5_040)];
    assert_eq!(mapped(&packets), [0, 0, 13, 40]);
}

#[test]
fn a_header_at_time_zero_does_not_make_a_gap_of_an_hour() {
    let packets = [config(0), video(3_600_000), video(3_600_040), config(0), video(3_600_080)];
    assert_eq!(mapped(&packets), [0, 0, 40, 40, 80]);
}

#[test]
fn small_steps_back_are_held() {
    let packets = [video(1_000), video(1_040), video(1_020), video(1_080)];
    assert_eq!(mapped(&packets), [0, 40, 40, 80]);
}

#[test]
fn tracks_out_of_order_between_each_other_keep_their_times() {
    let packets = [video(0), video(40), audio(10), video(80), audio(33)];
    assert_eq!(mapped(&packets), [0, 40, 10, 80, 33]);
}

#[test]
fn a_restarted_clock_goes_on_where_the_file_is_and_keeps_sync() {
    let packets = [
        video(600_000),
        audio(600_010),
        video(600_040),
        video(0),
        audio(600_033),
        audio(10),
        video(40),
        audio(33),
    ];
    assert_eq!(mapped(&packets), [0, 10, 40, 40, 33, 50, 80, 73]);
}

#[test]
fn a_pause_of_minutes_stays_and_a_jump_of_hours_does_not() {
    let packets = [video(0), video(1_800_000), audio(1_800_010)];
    assert_eq!(mapped(&packets), [0, 1_800_000, 1_800_010]);
    let packets = [video(0), audio(5), video(90_000_000), audio(90_000_010), video(90_000_040)];
    assert_eq!(mapped(&packets), [0, 5, 5, 15, 45]);
}

#[test]
fn the_limits_of_a_step_are_exact() {
    let gap_ms = Rebase::GAP_MAX_MS;
    assert_eq!(mapped(&[video(0), video(gap_ms)]), [0, 3_600_000]);
    assert_eq!(mapped(&[video(0), video(gap_ms + 1)]), [0, 0]);
    let step_ms = Rebase::STEP_MS;
    assert_eq!(mapped(&[video(5_000), video(8_000), video(8_001 - step_ms)]), [0, 3_000, 3_000]);
    // A new clock: the next frame is not held.
    let packets = [video(5_000), video(8_000), video(8_000 - step_ms), video(8_040 - step_ms)];
    assert_eq!(mapped(&packets), [0, 3_000, 3_000, 3_040]);
}

#[test]
fn file_time_goes_on_past_the_wrap() {
    let wrap = 1_i64 << 32;
    assert_eq!(mapped(&[video(wrap - 40), video(wrap), audio(wrap + 3)]), [0, 40, 43]);
    let mut rebase = Rebase::default();
    for i in 0..5_000 {
        assert_eq!(rebase.map(&audio(i * 1_000_000)), u64::try_from(i).unwrap() * 1_000_000);
    }
    assert_eq!(rebase.newest_ms(), 4_999_000_000);
}

#[test]
fn what_is_held_is_late_and_what_comes_before_the_first_frame_is_not() {
    let packets = [video(1_000), video(1_040), video(1_020), video(1_039), video(1_040)];
    assert_eq!(late_and_jumps(&packets), (vec![2, 3], vec![]));
    let packets = [video(5_000), audio(4_980), audio(4_990), audio(4_989), config(0), video(5_040)];
    assert_eq!(late_and_jumps(&packets), (vec![3], vec![]));
    assert_eq!(mapped(&packets), [0, 0, 0, 0, 0, 40]);
}

#[test]
fn a_new_clock_is_told_once_for_all_tracks() {
    let back = [video(600_000), audio(600_010), video(0), audio(10), video(40)];
    assert_eq!(late_and_jumps(&back), (vec![], vec![2]));
    let forward = [video(0), audio(5), audio(90_000_000), video(90_000_010), audio(90_000_020)];
    assert_eq!(late_and_jumps(&forward), (vec![], vec![2]));
    let pause = [video(0), video(Rebase::GAP_MAX_MS), config(9_000_000_000), video(3_600_040)];
    assert_eq!(late_and_jumps(&pause), (vec![], vec![]));
}

#[test]
fn a_track_that_begins_late_or_with_a_clock_of_its_own_is_no_jump() {
    let packets = [video(0), video(8_000), audio(7_990), audio_track(3, 77_000_000), video(8_040)];
    assert_eq!(mapped(&packets), [0, 8_000, 7_990, 8_000, 8_040]);
    assert_eq!(late_and_jumps(&packets), (vec![], vec![]));
}

#[test]
fn each_track_of_a_kind_has_a_clock_of_its_own() {
    let packets = [
        audio_track(0, 1_000),
        audio_track(1, 1_000),
        audio_track(0, 1_500),
        audio_track(1, 1_020),
        audio_track(1, 1_040),
        audio_track(0, 1_520),
    ];
    assert_eq!(mapped(&packets), [0, 0, 500, 20, 40, 520]);
    assert_eq!(late_and_jumps(&packets), (vec![], vec![]));
}

#[test]
fn after_a_jump_all_tracks_follow_the_new_clock() {
    let packets = [
        video(600_000),
        audio_track(0, 600_000),
        audio_track(1, 600_000),
        audio_track(1, 20),
        video(40),
        audio_track(0, 60),
    ];
    assert_eq!(mapped(&packets), [0, 0, 0, 0, 20, 40]);
    assert_eq!(late_and_jumps(&packets), (vec![], vec![3]));
}

#[test]
fn tracks_are_bounded_by_their_ids() {
    let mut rebase = Rebase::default();
    for i in 0..2_000_i64 {
        let id = u8::try_from(i % 256).unwrap();
        rebase.place(&audio_track(id, i));
        rebase.place(&video(i));
    }
    assert_eq!(rebase.tracks.len(), 257);
}

proptest! {
    #[test]
    fn times_never_go_back_within_a_track(
        packets in prop::collection::vec((any::<i64>(), -5_000_i64..5_000, 0_u8..4), 0..100),
    ) {
        let (mut rebase, mut newest) = (Rebase::default(), [0; 2]);
        let mut clock_ms = 0_i64;
        for (anywhere_ms, step_ms, what) in packets {
            clock_ms = if what == 3 { anywhere_ms } else { clock_ms.saturating_add(step_ms) };
            let packet = if what == 0 { audio(clock_ms) } else { video(clock_ms) };
            let Placed { time_ms: at_ms, is_late, is_jump } = rebase.place(&packet);
            prop_assert!(!(is_late && is_jump));
            let newest_ms = &mut newest[usize::from(what == 0)];
            prop_assert!(at_ms >= *newest_ms);
            *newest_ms = at_ms;
            prop_assert!(rebase.newest_ms() >= at_ms);
        }
    }
}

#[test]
fn an_origin_that_is_older_than_the_first_packet_keeps_what_comes_late_in_its_place() {
    let mut rebase = Rebase::from_ms(970);
    let times = [video(1_000), audio(970), video(1_040), audio(960), video(9_000_000)];
    assert_eq!(times.map(|packet| rebase.map(&packet)), [30, 0, 70, 0, 70]);
}

#[test]
fn an_event_keeps_its_time_and_moves_no_clock() {
    let packets = [
        video(5_000),
        audio(5_010),
        cue_point(5_021),
        cue_point(5_003),
        video(5_020),
        cue_point(5_900),
        video(5_040),
        audio(5_033),
    ];
    assert_eq!(mapped(&packets), [0, 10, 21, 3, 20, 900, 40, 33]);
    assert_eq!(late_and_jumps(&packets), (vec![], vec![]));
    let mut rebase = Rebase::default();
    packets.iter().for_each(|packet| _ = rebase.map(packet));
    assert_eq!(rebase.newest_ms(), 40);
}

#[test]
fn an_event_far_from_every_clock_is_where_it_came() {
    let (step_ms, newest_ms) = (Rebase::STEP_MS, 50_000 + 8_000);
    let at = |event_ms: i64| mapped(&[video(50_000), video(newest_ms), cue_point(event_ms)])[2];
    assert_eq!([at(0), at(newest_ms - step_ms), at(newest_ms + step_ms + 1)], [8_000; 3]);
    assert_eq!((at(newest_ms - step_ms + 1), at(newest_ms + step_ms)), (7_001, 9_000));
    assert_eq!(mapped(&[cue_point(77), video(50_000), cue_point(49_990)]), [0, 0, 0]);
}

#[test]
fn an_event_follows_the_clock_that_changed() {
    let packets =
        [video(600_000), audio(600_010), video(600_040), video(0), cue_point(7), audio(600_033)];
    assert_eq!(mapped(&packets), [0, 10, 40, 40, 47, 33]);
}

#[test]
fn the_end_of_a_sequence_is_never_before_its_track() {
    let packets = [video(0), audio(900), video(40), end_of_sequence(80), end_of_sequence(20)];
    assert_eq!(mapped(&packets), [0, 900, 40, 80, 40]);
    assert_eq!(late_and_jumps(&packets), (vec![4], vec![]));
}
