//! Any range of any recording, against the stream that it was made of.

use proptest::prelude::*;

use super::made::{Run, Sent};
use super::*;

#[derive(Debug, Clone)]
struct Case {
    runs: Vec<Run>,
    from_ms: i64,
    to_ms: i64,
}

fn run() -> impl Strategy<Value = Run> {
    let away_ms = prop_oneof![Just(0), 1..500_i64, 500..20_000_i64];
    let frame_bytes = prop_oneof![Just(40_usize), Just(4_500)];
    let kinds =
        prop_oneof![4 => Just((true, true)), 1 => Just((true, false)), 1 => Just((false, true))];
    let dts_ms = prop_oneof![Just(0), Just((1_i64 << 24) - 2_000), Just((1_i64 << 32) - 2_000)];
    (1..8_i64, 0..4_i64, -300..300_i64, 1..3_u64, (away_ms, frame_bytes, kinds, dts_ms)).prop_map(
        |(gops, cut_every, skew_ms, recording, (away_ms, frame_bytes, (video, audio), dts_ms))| {
            Run {
                gops,
                cut_every,
                skew_ms,
                recording,
                away_ms,
                frame_bytes,
                video,
                audio,
                dts_ms,
                ..Run::default()
            }
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    prop::collection::vec(run(), 1..4).prop_flat_map(|mut runs| {
        // A recording does not come back after another.
        runs.sort_by_key(|run| run.recording);
        let all_ms: i64 = runs.iter().map(|run| run.away_ms + run.gops * 1_000).sum();
        (Just(runs), -500..all_ms + 500, 0..all_ms + 500).prop_map(|(runs, from_ms, length_ms)| {
            Case { runs, from_ms, to_ms: from_ms + length_ms }
        })
    })
}

struct Expected<'a> {
    sent: &'a Sent,
    unix_ms: i64,
    is_before: bool,
}

/// What a range of the made recordings should be, found out in another way.
fn expected(made: &Made, range: Range) -> (Vec<Expected<'_>>, bool) {
    let ends = made
        .segments
        .iter()
        .map(|segment| segment.start_unix_ms + i64::try_from(segment.length_ms.unwrap()).unwrap());
    let ends: Vec<_> = ends.collect();
    let at = |sent: &Sent| sent.unix_ms.min(ends[sent.segment] - 1);
    let media: Vec<&Sent> = made.sent.iter().filter(|sent| sent.packet.is_media()).collect();
    let in_segment = |n: usize| media.iter().copied().filter(move |sent| sent.segment == n);
    let has_video = |n: usize| in_segment(n).any(|sent| sent.packet.kind == Kind::Video);
    let is_place = |sent: &Sent| sent.packet.role == Role::Key || !has_video(sent.segment);
    let Range { from_unix_ms: from, to_unix_ms: to, cut } = range;

    let first = (0..made.segments.len()).find(|n| ends[*n] > from);
    let Some(mut first) = first else { return (Vec::new(), false) };
    let mut is_inside = made.segments[first].start_unix_ms < from;
    if is_inside && !in_segment(first).any(|sent| sent.unix_ms >= from) {
        (first, is_inside) = (first + 1, false);
    }
    let place = media.iter().rposition(|sent| {
        is_inside && sent.segment == first && is_place(sent) && sent.unix_ms <= from
    });
    let mut taken = Vec::new();
    for (i, sent) in media.iter().copied().enumerate() {
        let (n, unix_ms) = (sent.segment, at(sent));
        if n < first || made.segments[n].start_unix_ms >= to {
            continue;
        }
        if cut == Cut::KeyFrame {
            if place.is_some_and(|place| i < place) {
                continue;
            }
            if unix_ms >= to && is_place(sent) {
                break;
            }
            taken.push(Expected { sent, unix_ms, is_before: false });
            continue;
        }
        let is_video = sent.packet.kind == Kind::Video;
        let is_early = is_inside && n == first && unix_ms < from;
        let is_decodable = n > first || !has_video(n) || place.is_none_or(|place| i >= place);
        if unix_ms < to && (is_decodable || !is_video) && (is_video || !is_early) {
            taken.push(Expected { sent, unix_ms, is_before: is_early });
        }
    }
    (taken, is_inside)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn packets_of_any_range_are_those_of_the_stream(case in case()) {
        let mut made = Made::new();
        case.runs.iter().for_each(|run| made.run(run));
        let source = source(&made);
        for cut in [Cut::KeyFrame, Cut::Exact] {
            let range = range(case.from_ms, case.to_ms, cut);
            let (expected, is_inside) = expected(&made, range);
            let (packets, gaps) = read(&source, range);
            let found: Vec<_> = packets
                .iter()
                .filter(|timed| timed.packet.is_media())
                .map(|timed| (timed.unix_ms - START, timed.is_before, &timed.packet.body))
                .collect();
            let wanted: Vec<_> = expected
                .iter()
                .map(|e| (e.unix_ms - START, e.is_before, &e.sent.packet.body))
                .collect();
            prop_assert_eq!(found, wanted, "{:?}", cut);

            let Some(first) = expected.first() else {
                prop_assert!(source.flv(range).is_err());
                continue;
            };
            let is_exact = cut == Cut::Exact && is_inside;
            let origin = if is_exact { range.from_unix_ms } else { first.sent.unix_ms };
            let flv = source.flv(range).unwrap();
            prop_assert_eq!(&flv.info().gaps, &gaps);
            let file = bytes(&source, range).unwrap();
            let (tags, report) = tags(&file);
            let mut newest = std::collections::HashMap::new();
            let wanted: Vec<_> = expected
                .iter()
                .map(|e| {
                    let ms = if e.is_before { 0 } else { (e.sent.unix_ms - origin).max(0) };
                    let newest = newest.entry(e.sent.packet.kind).or_insert(0);
                    let ms = ms.max(*newest);
                    *newest = ms;
                    (e.sent.packet.kind, u32::try_from(ms).unwrap(), e.sent.packet.body.clone())
                })
                .collect();
            prop_assert_eq!(media_of(&tags), wanted, "{:?}", cut);
            prop_assert!(!matches!(report.index, IndexCheck::Wrong { .. }), "{:?}", report.index);
        }
    }

    #[test]
    fn exact_ranges_that_adjoin_have_every_packet_once(
        case in case(),
        mut cuts in prop::collection::vec(0..40_000_i64, 0..5),
        drift_ms in -400..400_i64,
    ) {
        let mut made = Made::new();
        for run in &case.runs {
            made.run(&Run { drift_ms, ..run.clone() });
        }
        let source = source(&made);
        cuts.sort_unstable();
        cuts.insert(0, -1_000_000);
        cuts.push(1_000_000_000);
        let mut all = Vec::new();
        for pair in cuts.windows(2) {
            let (packets, _) = read(&source, range(pair[0], pair[1], Cut::Exact));
            all.extend(packets.into_iter().filter(|timed| !timed.is_before));
        }
        all.sort_by_key(|timed| (timed.segment, timed.position));
        let (mut whole, _) = read(&source, Range::ALL);
        whole.retain(|timed| timed.packet.is_media());
        prop_assert_eq!(packets_of(&all), packets_of(&whole));
    }
}
