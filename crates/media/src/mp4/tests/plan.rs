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
    // Pictures are shown at 1,040, 1,080 and 1,200; sound begins at 1,010.
    let video = vec![(30 * 90, -1), (40 * 90, 80 * 90)];
    assert_eq!(edits(head), [video, vec![(70 * 90, 40 * 48)]]);
    let moov = tree::find(head, "moov").unwrap();
    assert_eq!(tree::find(moov, "mvhd").unwrap()[24..32], (70 * 90_u64).to_be_bytes());
}

/// Of each track the durations and media times of its edits.
pub(super) fn edits(head: &[u8]) -> Vec<Vec<(i64, i64)>> {
    let moov = tree::find(head, "moov").unwrap();
    let traks = tree::boxes(moov).into_iter().filter(|(name, _)| name == "trak");
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes[..8].try_into().unwrap());
    let edits = traks.map(|(_, trak)| match tree::find(trak, "edts/elst") {
        Some(elst) => elst[8..].chunks(20).map(|edit| (number(edit), number(&edit[8..]))).collect(),
        None => Vec::new(),
    });
    edits.collect()
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
}

#[test]
fn an_offset_of_all_pictures_is_what_their_track_begins_with() {
    let head = |sound: &[Packet]| {
        let pictures = (0..3).map(|i| video_later(40 * i, i == 0, 0, 500_000, 1));
        let (planned, _) = planned(&pictures.chain(sound.iter().cloned()).collect::<Vec<_>>());
        let head = planned.head();
        edits(&head[..head.len() - 16])
    };
    // Half a ms after the sound, and alone at once.
    let pictures = vec![(45, -1), (120 * 90, 45)];
    assert_eq!(head(&[audio(0, 1), audio(20, 2)]), [pictures, Vec::new()]);
    assert_eq!(head(&[]), [vec![(120 * 90, 45)], Vec::new()]);
}

/// A picture every 40 ms from 20 ms on, and Opus every 20 ms, of which so many samples are priming.
fn with_opus(priming: u16, packets: u64) -> (Movie, Planner) {
    let config = [&b"\x90OpusOpusHead\x01\x01"[..], &priming.to_le_bytes(), &[0; 7]].concat();
    let config = packet(Kind::Audio, 0, &config);
    let sound = |i| packet(Kind::Audio, 20 * i, b"\x91Opus\xF8\xFF\xFE");
    let header = header(&[configs()[0].clone(), config]);
    let movie = Movie::of(&header, [&sound(0)]);
    let mut planner = Planner::new(movie.clone());
    for i in 0..packets {
        let picture = video(20 + 40 * i64::try_from(i).unwrap(), i == 0, 0, 1);
        for packet in [sound(i64::try_from(i).unwrap()), picture] {
            let sample = samples(&packet).next().unwrap();
            let info = SampleInfo::of(&sample, packet.dts_ms.unsigned_abs());
            assert_eq!(planner.push(&info), Ok(true));
        }
    }
    (movie, planner)
}

/// The edits of the sound.
fn of_sound(planner: Planner) -> Vec<(i64, i64)> {
    let planned = planner.finish();
    edits(&planned.head()[..planned.head().len() - 16]).pop().unwrap()
}

#[test]
fn the_priming_of_opus_is_left_out_and_moves_nothing() {
    // 312 samples of 48,000 a second are 585 units of 90,000.
    let (_, planner) = with_opus(312, 3);
    assert_eq!(of_sound(planner), [(585, -1), (60 * 90 - 585, 312)]);
    // To the sample, where it is no whole unit.
    let (_, planner) = with_opus(313, 3);
    assert_eq!(of_sound(planner), [(587, -1), (60 * 90 - 587, 313)]);
    // None is said; or there is no sound but that.
    for priming in [0, 3 * 960] {
        let (_, planner) = with_opus(priming, 3);
        assert_eq!(of_sound(planner), [], "{priming}");
    }
}

#[test]
fn a_clip_leaves_out_what_of_the_priming_is_in_it() {
    let clip = |window: std::ops::Range<u64>| {
        let (_, mut planner) = with_opus(312, 4);
        planner.show(window);
        of_sound(planner)
    };
    // It begins before the sound is, with it, within the priming, behind it.
    assert_eq!(clip(0..60), [(585, -1), (60 * 90 - 585, 312)]);
    assert_eq!(clip(4..60), [(585 - 4 * 90, -1), (60 * 90 - 585, 312)]);
    assert_eq!(clip(7..60), [(53 * 90, 7 * 48)]);
    assert_eq!(clip(30..60), [(30 * 90, 30 * 48)]);
}

#[test]
fn the_priming_of_opus_is_read_back_from_a_file() {
    let (movie, _) = with_opus(312, 1);
    let init = movie.init_segment();
    let reread = super::super::reread::movie(tree::find(&init, "moov").unwrap()).unwrap();
    let priming = |movie: &Movie| movie.track(Kind::Audio, 0).map(super::super::Track::priming);
    assert_eq!((priming(&movie), priming(&reread)), (Some(312), Some(312)));
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
