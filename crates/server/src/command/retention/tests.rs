use std::path::Path;
use std::time::Duration;

use archive::Space;
use archive::catalog::{Deletion, Segment, State};
use archive::retention::{Cause, Doomed, Forecast, Keep, Kept};
use clap::Parser as _;

use super::*;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    retention: Retention,
}

fn asked(args: &[&str]) -> Retention {
    Cli::try_parse_from(["retention"].iter().chain(args)).unwrap().retention
}

fn segment(name: &str, size_bytes: u64) -> Segment {
    Segment {
        id: 1,
        path: Path::new("recordings").join(name),
        recording: "00000000000000ab".parse().unwrap(),
        number: 3,
        stream_key: "live/test".to_owned(),
        recorder: "all".to_owned(),
        state: State::Finished,
        is_clip: false,
        held: false,
        bin_path: None,
        start_unix_ms: 0,
        end_unix_ms: 0,
        start_ms: 0,
        length_ms: 0,
        size_bytes,
        modified_ms: 0,
        hash: None,
        chain: None,
    }
}

fn outlook() -> Outlook {
    let day = Duration::from_secs(86_400);
    Outlook {
        doomed: vec![
            Doomed { segment: segment("a.flv", 1_500_000_000), age: day * 40, cause: Cause::Age },
            Doomed { segment: segment("b.flv", 900), age: day, cause: Cause::Free },
        ],
        kept: vec![Kept { segment: segment("\u{1b}[2J.flv", 10), age: day, keep: Keep::Held }],
        deletions: vec![Deletion {
            path: "recordings/old.flv".into(),
            stream_key: "live/old".to_owned(),
            size_bytes: 5_000,
            deleted_unix_ms: 1_760_193_052_000,
            reason: "total size".to_owned(),
        }],
        segments: 1_200,
        total_bytes: 2_000_000_000_000,
        bin_segments: 12,
        bin_bytes: 3_400_000_000,
        space: Some(Space {
            device: 1,
            free_bytes: 40_000_000_000,
            total_bytes: 4_000_000_000_000,
        }),
        min_free_bytes: 1 << 30,
        bytes_per_second: 1_000_000,
        full: Forecast::In(Duration::from_secs(38_926)),
        full_with_rules: Forecast::Never,
    }
}

#[test]
fn the_report_is_complete_and_aligned() {
    let asked = asked(&["--retain-age", "30d", "--retain-free", "100GB", "--retain-copied"]);
    let report = text::report(&asked, &outlook(), &TimeZone::UTC);
    assert_eq!(report, include_str!("tests/report.txt"), "\n{report}");
}

#[test]
fn the_object_has_stable_names() {
    let asked = asked(&["--retain-age", "30d"]);
    let object = json::object(&asked, &outlook());
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("tests/report.json")).unwrap();
    assert_eq!(object, expected, "\n{object:#}");
}

#[test]
fn what_is_not_there_is_said() {
    let (doomed, kept, deletions) = Default::default();
    let bare = Outlook {
        doomed,
        kept,
        deletions,
        space: None,
        full: Forecast::Unknown,
        full_with_rules: Forecast::Unknown,
        ..outlook()
    };
    let report = text::report(&asked(&[]), &bare, &TimeZone::UTC);
    assert!(report.contains("disk        does not say how much room it has"), "{report}");
    assert!(report.contains("full        nobody can tell at this rate\n"), "{report}");
    assert!(report.contains("rules       none: nothing is deleted"), "{report}");
    assert!(report.contains("would go    nothing\n"), "{report}");
}

#[test]
fn a_long_list_is_cut() {
    let mut many = outlook();
    let one = many.doomed[0].clone();
    many.doomed = vec![one; 1_060];
    let report = text::report(&asked(&[]), &many, &TimeZone::UTC);
    assert_eq!(report.matches("a.flv").count(), 50);
    assert!(report.contains("and 1,010 more (-json)"), "{report}");
}

#[test]
fn without_a_catalog_it_says_what_makes_one() {
    let dir = tempfile::tempdir().unwrap();
    let asked = asked(&["--record-dir", dir.path().to_str().unwrap()]);
    let error = asked.outlook(Timestamp::now()).unwrap_err();
    let words = words(&asked.record_dir, &error);
    assert!(words.starts_with("there is no catalog in "), "{words}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
