use std::path::Path;

use super::*;

fn config(args: &[&str]) -> Config {
    let args = std::iter::once("rtmp-server").chain(args.iter().copied()).map(Into::into);
    crate::cli::parse(args).unwrap_or_else(|stop| panic!("{stop:?}")).config
}

fn at(text: &str) -> Zoned {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_stream_is_meant_by_one_pattern_and_excluded_by_none() {
    let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let mut recorder = Recorder::new("a", patterns(&["live/*", "tv/**"]), &Config::default());
    recorder.exclude = patterns(&["**/test", "live/x"]);
    for key in ["live/a", "tv/a/b"] {
        assert!(recorder.matches(key), "{key}");
    }
    for key in ["live/x", "live/test", "tv/a/test", "radio/a", "live/a/b"] {
        assert!(!recorder.matches(key), "{key}");
    }
    assert!(!Recorder::api(&Config::default()).matches("live/a"));
}

#[test]
fn a_recorder_is_active_in_its_windows_if_it_is_enabled() {
    let mut recorder = Recorder::all(&Config::default());
    let now = at("2026-11-29T12:00[UTC]");
    assert!(recorder.is_active(&now));
    assert_eq!(recorder.next_change(&now), None);
    recorder.schedule = Windows::new(vec!["daily 18:00-19:00".parse().unwrap()]);
    assert!(!recorder.is_active(&now));
    let next = recorder.next_change(&now).unwrap();
    assert_eq!(next, at("2026-11-29T18:00[UTC]"));
    assert!(recorder.is_active(&next));
    recorder.enabled = false;
    assert!(!recorder.is_active(&next));
    assert_eq!(recorder.next_change(&now), None);
}

#[test]
fn a_plan_is_that_of_the_server_but_for_what_the_recorder_says() {
    let config = config(&[
        "-record-dir=/srv/rec",
        "-record-format=mp4",
        "-record-path={app}/{timestamp}_{sequence}",
        "-record-rotate-duration=1h",
        "-record-rotate-size=1GiB",
        "-record-rotate-every=15m",
        "-record-rotate-schedule=0 6 * * * UTC",
        "-record-rejoin=20s",
        "-record-flush=2s",
        "-record-sync=9s",
        "-record-checksum-files",
    ]);
    let plan = Recorder::all(&config).plan(&config);
    let rotation = Rotation {
        duration: Some(Duration::from_secs(3_600)),
        size_bytes: Some(1 << 30),
        every: Some("15m".parse().unwrap()),
        schedule: Some("0 6 * * * UTC".parse().unwrap()),
    };
    let expected = Plan {
        recorder: "all".to_owned(),
        dir: PathBuf::from("/srv/rec"),
        format: archive::Format::Mp4,
        template: "{app}/{timestamp}_{sequence}".parse().unwrap(),
        rotation,
        tracks: Tracks::All,
        max_length: None,
        rejoin: Duration::from_secs(20),
        flush: Duration::from_secs(2),
        sync: Duration::from_secs(9),
        checksum_files: true,
    };
    assert_eq!(plan, expected);
    let recorder = Recorder {
        dir: Some(PathBuf::from("/disk2")),
        tracks: Tracks::KeyFrames,
        max_length: Some(Duration::from_secs(60)),
        ..Recorder::api(&config)
    };
    let plan = recorder.plan(&config);
    assert_eq!((&*plan.recorder, &*plan.dir), ("api", Path::new("/disk2")));
    assert_eq!(plan.tracks, Tracks::KeyFrames);
    assert_eq!(plan.max_length, Some(Duration::from_secs(60)));
}

#[test]
fn the_first_reason_not_to_record_is_told() {
    let now = at("2026-11-29T12:00[UTC]");
    let config = Config::default();
    let mut recorder = Recorder::new("a", vec!["live/*".parse().unwrap()], &config);
    assert_eq!(recorder.verdict("live/a", &now), Verdict::Records);
    assert_eq!(recorder.verdict("tv/a", &now), Verdict::NotMeant);
    recorder.schedule = Windows::new(vec!["daily 18:00-19:00".parse().unwrap()]);
    let next = Some(at("2026-11-29T18:00[UTC]"));
    assert_eq!(recorder.verdict("live/a", &now), Verdict::Closed(next));
    recorder.exclude = vec!["*/a".parse().unwrap()];
    assert_eq!(recorder.verdict("live/a", &now), Verdict::Excluded("*/a".to_owned()));
    recorder.enabled = false;
    assert_eq!(recorder.verdict("tv/a", &now), Verdict::Disabled);
}
