//! Bounds, and what is looked for how far.

use super::*;
use crate::disk::Disk as _;

#[test]
fn range_whose_video_has_stopped_ends_a_minute_late_at_most() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 120, dark_from: 5, ..made::Run::default() });
    let (packets, _) = read(&source(&made), range(1_000, 10_000, Cut::KeyFrame));
    assert_eq!(packets.last().unwrap().unix_ms - START, 69_923);
}

#[test]
fn exact_range_of_unequal_tracks_is_not_searched_for_ever() {
    let mut made = Made::new();
    made.run(&made::Run { gops: 120, dark_from: 5, ..made::Run::default() });
    let source = source(&made);
    let calls = made.disk.calls().len();
    let (packets, _) = read(&source, range(1_000, 10_000, Cut::Exact));
    assert_eq!(packets.last().unwrap().unix_ms - START, 9_923);
    assert!(made.disk.calls().len() - calls < 20);
}

#[test]
fn configuration_that_changed_inside_a_file_is_known_behind_it() {
    for (cut, change) in [(crate::Cut::Configuration, 40), (crate::Cut::Start, 1)] {
        let mut made = Made::new();
        let (cut, change) = (Some(cut), Some((change, 9)));
        made.run(&made::Run { gops: 200, cut, change, ..made::Run::default() });
        let mut items = source(&made).read(range(150_500, 151_000, Cut::Exact));
        let Some(Item::Header(header)) = items.next() else { panic!("no header first") };
        let config = header.config(Kind::Video).unwrap();
        assert_eq!(config.body.last(), Some(&9), "{cut:?}");
    }
}

#[test]
fn gaps_beyond_the_limit_are_counted() {
    let mut made = Made::new();
    for _ in 0..70 {
        let run = made::Run { away_ms: 5_000, frame_bytes: 10, ..made::Run::default() };
        made.run(&run);
    }
    let flv = source(&made).flv(Range::ALL).unwrap();
    assert_eq!((flv.info().gaps.len(), flv.info().gaps_total), (64, 69));
    let file = bytes(&source(&made), Range::ALL).unwrap();
    assert_eq!(property(&file, "gaps"), Some(Value::Number(69.0)));
}

#[test]
fn recordings_beyond_the_limit_are_not_listed() {
    let mut made = Made::new();
    for recording in 0..70 {
        let run = made::Run { recording, frame_bytes: 10, away_ms: 10, ..made::Run::default() };
        made.run(&run);
    }
    let flv = source(&made).flv(Range::ALL).unwrap();
    assert_eq!((flv.info().recordings.len(), flv.info().segments), (64, 70));
}

#[test]
fn export_of_what_changes_all_the_time_gives_up() {
    let mut made = Made::new();
    let run = made::Run { gops: 6, cut_every: 1, frame_bytes: 30_000, ..made::Run::default() };
    made.run(&run);
    let output = Path::new("recordings/out.flv");
    let mut last = made.segments.len();
    let mut go_on = |progress: Progress| {
        // Whenever it is begun, the last one goes.
        if progress.done_bytes < 10_000 {
            last -= 1;
            made.disk.remove(&made.segments[last].path).unwrap();
        }
        true
    };
    let error = export(&source(&made), Range::ALL, &made.disk, output, &mut go_on).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert!(!made.disk.files().contains_key(output));
    assert_eq!(last, 2, "three retries");
}

#[test]
fn reference_lists_what_a_file_says_of_itself() {
    let page = include_str!("../../../../../docs/ref/ranges.md");
    let (_, table) = page.split_once("## onMetaData").unwrap();
    let names = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" |"));
    let names = names.flat_map(|(names, _)| names.split(", ").map(|name| name.trim_matches('`')));
    let listed: std::collections::BTreeSet<_> = names.collect();

    let mut made = Made::new();
    made.run(&made::Run::default());
    made.run(&made::Run { away_ms: 500, ..made::Run::default() });
    let file = bytes(&source(&made), range(100, 2_000, Cut::Exact)).unwrap();
    let (tags, _) = tags(&file);
    let limits = amf0::Limits::default();
    let properties = meta::properties(&tags[0].packet.body, limits).unwrap();
    // What describes the media is that of recorded files.
    let of_media = ["videocodecid", "videodatarate", "audiocodecid", "audiodatarate", "stereo"];
    let of_media = of_media.into_iter().chain(["audiosamplerate", "audiosamplesize"]);
    let of_media: Vec<_> = of_media.chain(["framerate", "server"]).collect();
    let said = properties.iter().map(|(name, _)| name.as_str());
    let said: std::collections::BTreeSet<_> =
        said.filter(|name| !of_media.contains(name)).collect();
    assert_eq!(listed, said);
}
