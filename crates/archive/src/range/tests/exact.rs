//! Ranges to the ms.

use super::*;

#[test]
fn exact_range_keeps_the_video_before_it_for_decoders() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 30, cut_every: 10, ..made::Run::default() });
    let source = source(&made);
    let asked = range(14_350, 16_050, Cut::Exact);
    let (packets, _) = read(&source, asked);
    let before: Vec<_> = packets.iter().filter(|timed| timed.is_before).collect();
    assert_eq!(before.len(), 4, "from the key frame at 14.0 to 14.3 s");
    assert_eq!(before[0].packet.role, Role::Key);
    assert!(before.iter().all(|timed| timed.packet.kind == Kind::Video));
    let shown: Vec<_> = packets.iter().filter(|timed| !timed.is_before).collect();
    assert!(shown.iter().all(|timed| (14_350..16_050).contains(&(timed.unix_ms - START))));

    let file = bytes(&source, asked).unwrap();
    let (tags, report) = tags(&file);
    let media = media_of(&tags);
    let at_0 = media.iter().take_while(|(_, ms, _)| *ms == 0).count();
    assert_eq!(at_0, 4);
    // The audio at 14.423 s, the frame at 14.4 s.
    assert_eq!(media[4].1, 50);
    assert_eq!(media.last().unwrap().1, 16_023 - 14_350);
    assert_eq!(property(&file, "duration"), Some(Value::Number(1.7)));
    assert_eq!(text(&file, "startTime"), "2025-10-11T14:31:06.473+02:00");
    assert!(matches!(report.index, IndexCheck::True { .. }));
}

#[test]
fn audio_of_the_range_that_stands_before_its_key_frame_is_found() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 20, skew_ms: 700, ..made::Run::default() });
    let (packets, _) = read(&source(&made), range(12_100, 13_000, Cut::Exact));
    let audio: Vec<_> = packets
        .iter()
        .filter(|timed| timed.packet.kind == Kind::Audio && timed.packet.is_media())
        .map(|timed| timed.unix_ms - START)
        .collect();
    assert_eq!(audio, [12_100, 12_200, 12_300, 12_400, 12_500, 12_600, 12_700, 12_800, 12_900]);
    assert_eq!(packets[0].packet.kind, Kind::Audio, "as it stands in the file");
}

#[test]
fn planning_does_not_walk_what_lies_between() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 400, cut_every: 100, ..made::Run::default() });
    let source = source(&made);
    let calls = made.disk.calls().len();
    source.flv(range(150_000, 151_000, Cut::Exact)).unwrap();
    let short = made.disk.calls().len() - calls;
    source.flv(range(1_000, 399_000, Cut::Exact)).unwrap();
    let long = made.disk.calls().len() - calls - short;
    assert!(short < 60, "{short} calls for a second");
    assert!(long < 120, "{long} calls for 400 seconds");
}

#[test]
fn index_of_a_long_range_is_thinned_and_true() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 5_000, audio: false, frame_bytes: 10, ..made::Run::default() });
    let file = bytes(&source(&made), range(1_000, 4_990_000, Cut::KeyFrame)).unwrap();
    let (_, report) = tags(&file);
    let IndexCheck::True { entries } = report.index else { panic!("{:?}", report.index) };
    assert!((100..=4_096).contains(&entries), "{entries}");
}
