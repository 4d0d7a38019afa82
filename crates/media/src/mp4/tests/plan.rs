//! Files that are known before they are made.

use super::*;
use crate::mp4::plan::{Piece, Planned, Planner, SampleInfo};

/// The plan of packets, and their samples.
fn planned(packets: &[Packet]) -> (Planned, Vec<Sample>) {
    let mut planner = Planner::new(movie());
    let mut all = Vec::new();
    for packet in packets {
        for sample in samples(packet) {
            let info = SampleInfo::of(&sample, packet.dts_ms as u64);
            assert_eq!(planner.push(&info), Ok(true));
            all.push(sample);
        }
    }
    (planner.finish(), all)
}

fn bytes_of(planned: &Planned, samples: &[Sample], range: std::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in planned.pieces(range) {
        match piece {
            Piece::Head(range) => bytes.extend_from_slice(&planned.head()[range]),
            Piece::Sample { index, range } => {
                let range = range.start as usize..range.end as usize;
                bytes.extend_from_slice(&samples[index].data[range]);
            }
        }
    }
    bytes
}

#[test]
fn a_planned_file_is_as_it_was() {
    let packets = [
        video(1_000, true, 80, 1),
        audio(1_005, 2),
        audio(1_028, 3),
        video(1_040, false, 0, 4),
        audio(1_051, 5),
    ];
    let (planned, samples) = planned(&packets);
    let file = bytes_of(&planned, &samples, 0..u64::MAX);
    assert_eq!(tree::dump(&file), include_str!("plan/head.txt"));
}

#[test]
fn a_sample_of_no_track_is_not_in_a_plan_and_a_time_has_a_bound() {
    let mut planner = Planner::new(movie());
    let info = SampleInfo::of(&samples(&audio(0, 1)).next().unwrap(), 0);
    assert_eq!(planner.push(&SampleInfo { track: 3, ..info }), Ok(false));
    let time_ms = TIME_MAX_MS + 1;
    let late = SampleInfo { time_ms, ..info };
    assert_eq!(planner.push(&late), Err(Error::TimeTooLarge { time_ms }));
    let head = planner.finish();
    assert_eq!(head.size_bytes(), head.head().len() as u64);
}

#[test]
fn a_clip_is_shown_from_and_to_its_times() {
    let mut planner = Planner::new(movie());
    let packets = [
        video(1_000, true, 80, 1),
        audio(1_010, 2),
        video(1_040, false, 0, 3),
        audio(1_100, 4),
        video(1_080, false, 120, 5),
        audio(1_190, 6),
    ];
    for packet in &packets {
        let sample = samples(packet).next().unwrap();
        planner.push(&SampleInfo::of(&sample, packet.dts_ms as u64)).unwrap();
    }
    planner.show(1_050..1_120);
    let planned = planner.finish();
    // Without the head of `mdat`.
    let head = &planned.head()[..planned.head().len() - 16];
    let moov = tree::find(head, "moov").unwrap();
    let traks = tree::boxes(moov).into_iter().filter(|(name, _)| name == "trak");
    let edits = traks.map(|(_, trak)| {
        let elst = tree::find(trak, "edts/elst").unwrap();
        let number = |bytes: &[u8]| i64::from_be_bytes(bytes[..8].try_into().unwrap());
        let edits = elst[8..].chunks(20).map(|edit| (number(edit), number(&edit[8..])));
        edits.collect::<Vec<_>>()
    });
    // Pictures are shown at 1,040, 1,080 and 1,200; sound begins at 1,010.
    let video = vec![(30, -1), (40, 80 * 90)];
    assert_eq!(edits.collect::<Vec<_>>(), [video, vec![(70, 40 * 48)]]);
    assert_eq!(tree::find(moov, "mvhd").unwrap()[24..32], 70_u64.to_be_bytes());
}

#[test]
fn nanoseconds_are_in_the_times_of_pictures_and_move_no_track() {
    let frames = [(0, 0, 500_000), (40, -3, 500_000), (80, 0, 999_999), (120, 0, 5_000)];
    let packets = frames.map(|(ms, later, ns)| video_later(ms, ms == 0, later, ns, 1));
    let (planned, _) = planned(&packets);
    let head = &planned.head()[..planned.head().len() - 16];
    let tables = tree::find(head, "moov/trak/mdia/minf/stbl/ctts").unwrap();
    let units = tables[8..].chunks(8).map(|run| i32::from_be_bytes(run[4..].try_into().unwrap()));
    // Half a ms is 45; what is as good as a ms is one; 5 us are none.
    assert_eq!(units.collect::<Vec<_>>(), [45, -3 * 90 + 45, 90, 0]);
    assert_eq!(tree::find(head, "moov/trak/edts"), None);
}

#[test]
fn a_plan_has_a_bound() {
    let mut planner = Planner::new(movie());
    let info = SampleInfo::of(&samples(&audio(0, 1)).next().unwrap(), 0);
    for _ in 0..FILE_SAMPLES_MAX {
        planner.push(&info).unwrap();
    }
    assert_eq!(planner.push(&info), Err(Error::FileFull));
}

proptest! {
    /// The tables find every sample, and any range is that of the whole file.
    #[test]
    fn any_range_of_a_plan_is_of_one_file(
        packets in parts::stream(),
        ranges in proptest::collection::vec((0_u64..20_000, 0_u64..5_000), 1..10),
    ) {
        let (planned, samples) = planned(&packets);
        let file = bytes_of(&planned, &samples, 0..planned.size_bytes());
        prop_assert_eq!(file.len() as u64, planned.size_bytes());
        let mut found = tree::samples_of_file(&file);
        let mut wanted: Vec<_> = samples.iter().map(|sample| sample.data.to_vec()).collect();
        found.sort_by(|a, b| a.data.cmp(&b.data));
        wanted.sort();
        let found: Vec<_> = found.into_iter().map(|sample| sample.data).collect();
        prop_assert_eq!(found, wanted);
        for (start, len) in ranges {
            let start = start % planned.size_bytes();
            let end = (start + len).min(planned.size_bytes());
            let part = bytes_of(&planned, &samples, start..start + len);
            prop_assert_eq!(&part, &file[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()]);
        }
    }
}
