//! Recordings that seem to overlap, and clips, which do.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::made::Run;
use super::source::OVERLAP_MS;
use super::*;
use crate::{Format, Plan};

/// One recording after the other: how long each is, in seconds, and by how much it seems to have begun before the one
/// before it ended, in ms.
fn made(format: Format, recordings: &[(i64, i64)], cut_every: i64) -> Made {
    let mut made = Made::new();
    for (recording, (gops, overlap_ms)) in (1..).zip(recordings) {
        let (gops, away_ms) = (*gops, -overlap_ms);
        made.run(&Run { gops, away_ms, recording, cut_every, format, ..Run::default() });
    }
    made
}

/// What was sent of some recordings.
fn sent(made: &Made, recordings: &[u64]) -> Vec<(Kind, Bytes)> {
    let ids: Vec<_> = recordings.iter().map(|id| format!("{id:016x}").parse().unwrap()).collect();
    let is_media = |sent: &&made::Sent| sent.packet.is_media();
    let is_of = |sent: &&made::Sent| ids.contains(&made.segments[sent.segment].recording);
    let sent = made.sent.iter().filter(is_media).filter(is_of);
    sent.map(|sent| (sent.packet.kind, sent.packet.body.clone())).collect()
}

/// What exact ranges that adjoin have together.
fn adjoining(source: &Source, cuts_ms: &[i64]) -> Vec<(Kind, Bytes)> {
    let cuts = [&[-1_000_000], cuts_ms, &[1_000_000_000]].concat();
    let ranges = cuts.windows(2).map(|ends| range(ends[0], ends[1], Cut::Exact));
    let packets = ranges.flat_map(|range| read(source, range).0);
    packets_of(&packets.filter(|timed| !timed.is_before).collect::<Vec<_>>())
}

/// Checks that every view has these packets, once and in order, and no gap.
fn assert_views(source: &Source, sent: &[(Kind, Bytes)]) {
    let (packets, gaps) = read(source, Range::ALL);
    assert!(packets_of(&packets) == sent, "{} of {}", packets_of(&packets).len(), sent.len());
    assert_eq!(gaps, []);
    // Times go on, those of each kind.
    let mut newest = BTreeMap::new();
    for timed in packets.iter().filter(|timed| timed.packet.is_media()) {
        let before = newest.insert(timed.packet.kind, timed.packet.dts_ms);
        assert!(before < Some(timed.packet.dts_ms), "{before:?} {}", timed.packet.dts_ms);
    }
    let (tags, _) = tags(&bytes(source, Range::ALL).unwrap());
    let found: Vec<_> = media_of(&tags).into_iter().map(|(kind, _, body)| (kind, body)).collect();
    assert!(found == sent, "FLV: {} of {}", found.len(), sent.len());
    assert_eq!(source.mp4(Range::ALL).unwrap().samples(), sent.len());
    let hls = source.hls(Range::ALL, 2_000).unwrap();
    let segments = hls.segments.iter().map(|of| hls::media_in(&hls::segment(source, of)).len());
    let head = |kind| if kind == Kind::Video { 5 } else { 2 };
    let bytes: usize = sent.iter().map(|(kind, body)| body.len() - head(*kind)).sum();
    assert_eq!(segments.sum::<usize>(), bytes, "HLS");
}

#[test]
fn nothing_is_left_out_where_a_recording_seems_to_begin_before_the_one_before_it_ended() {
    for format in Format::ALL {
        for overlap_ms in [1, 500, 2_500, OVERLAP_MS - 1, OVERLAP_MS] {
            for cut_every in [0, 2] {
                let made = made(format, &[(15, 0), (12, overlap_ms)], cut_every);
                let (source, all) = (source(&made), sent(&made, &[1, 2]));
                assert_views(&source, &all);
                let seam_ms = 15_000 - overlap_ms;
                for cut_ms in [seam_ms - 1_234, seam_ms - 1, seam_ms, seam_ms + 1, seam_ms + 999] {
                    let found = adjoining(&source, &[cut_ms - 2_000, cut_ms, cut_ms + 1]);
                    assert!(found == all, "{format} {overlap_ms} {cut_every} {cut_ms}");
                }
                // Of the second one, nothing is before it began.
                let (packets, _) = read(&source, range(seam_ms, 1_000_000, Cut::Exact));
                assert_eq!(packets_of(&packets), sent(&made, &[2]));
            }
        }
    }
}

#[test]
fn recordings_in_a_chain_are_all_there_however_short_their_files_are() {
    // Of the first one three files begin after the second one does.
    for cut_every in [0, 1, 2] {
        let made = made(Format::Flv, &[(8, 0), (9, 3_300), (8, 700), (3, 1)], cut_every);
        let (source, all) = (source(&made), sent(&made, &[1, 2, 3, 4]));
        assert_views(&source, &all);
        for cut_ms in (0..25_000).step_by(217) {
            assert!(adjoining(&source, &[cut_ms, cut_ms + 500]) == all, "{cut_every} {cut_ms}");
        }
    }
}

#[test]
fn a_recording_that_a_killed_server_left_is_all_there_when_the_next_one_seems_to_overlap() {
    let mut made = Made::new();
    made.run(&Run { gops: 8, grows: true, flush_every: 1, ..Run::default() });
    made.run(&Run { gops: 8, away_ms: -1_500, recording: 2, ..Run::default() });
    let source = source(&made);
    let (packets, _) = read(&source, Range::ALL);
    assert_eq!(packets_of(&packets), sent(&made, &[1, 2]));
}

#[test]
fn an_exact_file_over_a_seam_is_as_long_as_what_is_in_it() {
    let made = made(Format::Flv, &[(15, 0), (12, 2_500)], 0);
    // Of the first one 5 s, of the second one, which began at 12.5 s, 7.5 s.
    let file = bytes(&source(&made), range(10_000, 20_000, Cut::Exact)).unwrap();
    assert_eq!(property(&file, "duration"), Some(Value::Number(12.5)));
    let last_ms = media_of(&tags(&file).0).into_iter().map(|(_, ms, _)| ms).max();
    assert_eq!(last_ms, Some(12_423));
}

/// The first one is all there, and of the second one the last so many packets.
fn assert_joins(source: &Source, made: &Made, packets: usize) {
    let second = sent(made, &[2]);
    let joined = second[second.len() - packets..].to_vec();
    let (found, _) = read(source, Range::ALL);
    assert!(packets_of(&found) == [sent(made, &[1]), joined].concat(), "{}", found.len());
    // At its time on the wall.
    let last = found.last().unwrap();
    assert_eq!(last.packet.dts_ms, last.unix_ms);
}

#[test]
fn one_that_overlaps_by_more_joins_at_its_first_key_frame_behind_the_other() {
    for overlap_ms in [OVERLAP_MS + 1, 14_999] {
        let made = made(Format::Flv, &[(15, 0), (16, overlap_ms)], 0);
        let left_out = usize::try_from(overlap_ms).unwrap().div_ceil(1_000);
        assert_joins(&source(&made), &made, (16 - left_out) * 20);
    }
}

#[test]
fn recordings_that_were_asked_for_and_those_of_two_recorders_may_run_side_by_side() {
    let mut made = made(Format::Flv, &[(15, 0), (12, 2_500)], 0);
    made.segments.iter_mut().for_each(|segment| segment.recorder = Plan::API.to_owned());
    assert_joins(&source(&made), &made, 9 * 20);
    made.segments[0].recorder = "other".to_owned();
    assert_joins(&source(&made), &made, 9 * 20);
}

/// Records a clip of so many seconds that lies over what was recorded.
fn clip(made: &mut Made, recording: u64, from_ms: i64, gops: i64, format: Format) {
    let away_ms = from_ms - made.now_ms;
    made.run(&Run { recording, away_ms, gops, format, ..Run::default() });
    made.segments.last_mut().unwrap().is_clip = true;
}

/// Checks that sources give the same, whatever is asked for.
fn assert_same(a: &Source, b: &Source, ends: &[i64]) {
    let paths = |source: &Source| source.segments().map(|it| it.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(a), paths(b));
    for (i, from) in ends.iter().enumerate() {
        for to in &ends[i + 1..] {
            for cut in [Cut::KeyFrame, Cut::Exact] {
                let range = range(*from, *to, cut);
                assert!(read(a, range) == read(b, range), "{from} to {to} {cut:?}");
            }
        }
    }
}

#[test]
fn clips_change_nothing_of_what_was_recorded() {
    for grows in [false, true] {
        let mut made = made(Format::Flv, &[(10, 0)], 4);
        let run = Run { cut_every: 4, ..Run::default() };
        made.run(&Run { recording: 2, away_ms: -500, gops: 9, ..run.clone() });
        // The publisher was away, and came back.
        made.run(&Run { recording: 2, away_ms: 5_000, gops: 6, grows, ..run });
        if grows {
            // As the catalog knows it.
            made.segments.last_mut().unwrap().at_least_ms = 0;
        }
        let recorded = made.segments.clone();
        let disk: Arc<dyn crate::Disk> = Arc::new(made.disk.clone());
        // The first seconds, the seam, over it, what lacks between two files, the newest.
        for (id, from_ms, gops) in
            [(11, 0, 4), (12, 9_000, 1), (13, 9_400, 2), (14, 17_000, 8), (15, 27_500, 2)]
        {
            clip(&mut made, id, from_ms, gops, Format::Flv);
        }
        let (with, alone) = (source(&made), Source::new(disk, recorded));
        assert_same(
            &with,
            &alone,
            &[0, 3_000, 9_400, 9_500, 9_600, 14_000, 19_000, 24_000, 60_000],
        );
        if !grows {
            assert_eq!(with.end_unix_ms(), alone.end_unix_ms());
        }
    }
}

#[test]
fn a_clip_is_there_where_what_it_was_made_of_is_gone() {
    for format in Format::ALL {
        let mut made = made(format, &[(20, 0)], 4);
        // Over the end of the first file, of the second and of the third.
        clip(&mut made, 2, 2_000, 13, format);
        let clipped = sent(&made, &[2]);
        // The third and the last file are there.
        let (mut kept, third) = (made.segments.clone(), 8_000);
        kept.retain(|it| it.is_clip || [3, 5].contains(&it.number));
        let source = Source::new(Arc::new(made.disk.clone()), kept);
        let recorded = sent(&made, &[1]);
        let all = [&clipped[..6 * 20], &recorded[8 * 20..12 * 20], &recorded[16 * 20..]].concat();
        let (packets, _) = read(&source, Range::ALL);
        assert!(packets_of(&packets) == all, "{format}: {}", packets_of(&packets).len());
        for cut_ms in [2_000, 3_333, third - 1, third, third + 1, 12_500, 16_000] {
            assert!(adjoining(&source, &[cut_ms, cut_ms + 700]) == all, "{format} {cut_ms}");
        }
        let flv = media_of(&tags(&bytes(&source, Range::ALL).unwrap()).0);
        assert_eq!(flv.len(), all.len());
        assert_eq!(source.mp4(Range::ALL).unwrap().samples(), all.len());
        let hls = source.hls(Range::ALL, 2_000).unwrap();
        let length_ms: u64 = hls.segments.iter().map(|of| of.duration_ms).sum();
        assert_eq!(length_ms, 14_000, "{format}");
    }
}

#[test]
fn a_clip_alone_is_there_however_short_it_is() {
    for format in Format::ALL {
        let mut made = Made::new();
        clip(&mut made, 1, 0, 1, format);
        made.segments[0].length_ms = Some(700);
        let (packets, _) = read(&source(&made), range(0, 700, Cut::KeyFrame));
        let packets = packets_of(&packets);
        assert!(!packets.is_empty() && made.sent.len() >= packets.len(), "{format}");
    }
}

fn recordings() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let recording = (1..14_i64, -3_000..=OVERLAP_MS);
    prop::collection::vec(recording, 2..5).prop_map(|mut recordings| {
        let mut before_ms = 0;
        for (gops, overlap_ms) in &mut recordings {
            // It began after the one before had begun, and goes on after that seems to have ended.
            let most_ms = (before_ms - 1).min(*gops * 1_000 - 1);
            *overlap_ms = (*overlap_ms).min(most_ms);
            before_ms = *gops * 1_000;
        }
        recordings
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_packet_of_recordings_whose_clocks_drift_is_there_once(
        recordings in recordings(),
        cut_every in 0..4_i64,
        is_mp4 in any::<bool>(),
        cuts_ms in prop::collection::btree_set(-2_000..60_000_i64, 0..8),
    ) {
        let format = if is_mp4 { Format::Mp4 } else { Format::Flv };
        let made = made(format, &recordings, cut_every);
        let (source, all) = (source(&made), sent(&made, &[1, 2, 3, 4]));
        prop_assert!(packets_of(&read(&source, Range::ALL).0) == all);
        let cuts_ms: Vec<_> = cuts_ms.into_iter().collect();
        prop_assert!(adjoining(&source, &cuts_ms) == all);
        prop_assert_eq!(source.mp4(Range::ALL).unwrap().samples(), all.len());
    }
}
