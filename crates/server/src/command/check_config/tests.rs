use std::path::Path;

use super::*;
use crate::config::Settings;

fn settings(text: &str, flags: &[&str]) -> (tempfile::TempDir, Settings) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.toml");
    std::fs::write(&file, text).unwrap();
    let mut args: Vec<OsString> = vec!["rtmp-server".into(), "-config".into(), file.into()];
    args.extend(flags.iter().map(OsString::from));
    let settings = examine(args, []).unwrap_or_else(|problems| panic!("{problems:?}"));
    (dir, settings)
}

const TEXT: &str = "\
record-all = true
record-dir = '/srv/rec'

[[recorder]]
name = 'evening'
streams = ['live/*', 'tv/**']
exclude = ['live/test']
schedule = ['Mon-Fri 18:00-23:30']
tracks = 'audio'
dir = '/disk2'
format = 'mp4'
max-length = '90s'
labels = { event = 'x' }

[[recorder]]
name = 'once'
streams = ['live/*']
schedule = ['2026-01-01 00:00 - 2026-02-01 00:00']

[[recorder]]
name = 'off'
streams = ['live/*']
enabled = false
";

fn now() -> Zoned {
    "2026-11-27T12:00[UTC]".parse().unwrap()
}

#[test]
fn the_report_has_recorders_what_is_set_and_why_a_stream_is_not_recorded() {
    let (dir, settings) = settings(TEXT, &["-listen", ":7", "-api-token", "0123456789abcdef"]);
    let streams = ["live/a", "live/test", "radio/a"].map(|key| stream(key).unwrap());
    let report = text::report(&settings, &streams, &now());
    let report = report.replace(&*dir.path().to_string_lossy(), "DIR");
    let expected = "\
DIR/s.toml: all right

recorders
  name     now                    streams                        tracks  files
  all      records                **                             all     /srv/rec/{stream_key}_{timestamp}.flv
  evening  rests until Fri 18:00 UTC  live/* tv/** but not live/test  audio   /disk2/{stream_key}_{timestamp}.mp4
  once     over for good          live/*                         all     /srv/rec/{stream_key}_{timestamp}.flv
  off      not enabled            live/*                         all     /srv/rec/{stream_key}_{timestamp}.flv

settings
  name        value     from          default
  listen      :7        flag          :1935
  api-token   set       flag
  record-all  true      file, line 1  false
  record-dir  /srv/rec  file, line 2  recordings

live/a
  recorder  records  why
  all       yes
  evening   no       its schedule rests until Fri 18:00 UTC
  once      no       its schedule is over for good
  off       no       it is not enabled

live/test
  recorder  records  why
  all       yes
  evening   no       it excludes live/test
  once      no       its schedule is over for good
  off       no       it is not enabled

radio/a
  recorder  records  why
  all       yes
  evening   no       none of its patterns means the stream
  once      no       none of its patterns means the stream
  off       no       it is not enabled
";
    // The widest cell of a column sets its width.
    let squeeze = |text: &str| {
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
    };
    let (report, expected): (String, String) = (squeeze(&report), squeeze(expected));
    assert_eq!(report, expected);
}

#[test]
fn columns_of_the_report_are_aligned() {
    let (_dir, settings) = settings(TEXT, &[]);
    let report = text::report(&settings, &[], &now());
    let table: Vec<_> = report.lines().skip_while(|line| *line != "settings").skip(1).collect();
    let columns: Vec<_> = table.iter().map(|line| line.find("file, line")).collect();
    assert_eq!(columns, [None, Some(24), Some(24)], "{report}");
}

#[test]
fn a_window_that_ends_long_from_now_is_told_with_its_date() {
    let text = "[[recorder]]\nname = 'a'\nstreams = ['a']\n\
                schedule = ['2026-11-01 00:00 - 2026-12-24 18:00']\n";
    let (_dir, settings) = settings(text, &[]);
    let report = text::report(&settings, &[], &now());
    assert!(report.contains("records until Thu 2026-12-24 18:00 UTC"), "{report}");
}

#[test]
fn without_a_file_there_is_nothing_to_tell() {
    let settings = examine(["rtmp-server".into()], []).unwrap();
    let report = text::report(&settings, &[], &now());
    assert_eq!(report, "no configuration file; all right\n\nrecorders: none\n\nsettings: none\n");
}

#[test]
fn programs_are_told_everything() {
    let (dir, settings) = settings(TEXT, &["-retain-age", "30d"]);
    let object = json::object(&settings, &[stream("live/test").unwrap()], &now());
    assert_eq!(object["file"], *dir.path().join("s.toml").to_string_lossy());
    let evening = &object["recorders"][1];
    let expected = serde_json::json!({
        "name": "evening", "enabled": true, "active": false,
        "next_change": "2026-11-27T18:00:00Z",
        "streams": ["live/*", "tv/**"], "exclude": ["live/test"],
        "format": "mp4", "dir": "/disk2", "path": "{stream_key}_{timestamp}", "tracks": "audio",
        "pre_roll_ms": 0, "max_length_ms": 90_000, "schedule": ["Mon-Fri 18:00-23:30"],
        "rotation": { "duration_ms": null, "size_bytes": null, "every": null, "schedule": null },
        "retention": {
            "age_s": 2_592_000, "total_bytes": null, "free_bytes": null, "copied_only": false,
        },
        "rejoin_ms": 10_000, "flush_ms": 1_000, "sync_ms": 5_000, "checksum_files": false,
        "pictures": true, "thumbnail_interval_ms": 10_000,
        "labels": { "event": "x" },
    });
    assert_eq!(*evening, expected);
    let setting = |name: &str| {
        let settings = object["settings"].as_array().unwrap();
        settings.iter().find(|setting| setting["name"] == name).unwrap().clone()
    };
    let expected = serde_json::json!({
        "name": "record-dir", "value": "/srv/rec", "default": "recordings", "source": "file",
        "line": 2,
    });
    assert_eq!(setting("record-dir"), expected);
    assert_eq!(setting("retain-age")["source"], "flag");
    assert_eq!(setting("play-hold")["source"], "default");
    let verdicts = object["streams"][0]["recorders"].as_array().unwrap();
    let reasons: Vec<_> = verdicts.iter().map(|verdict| &verdict["reason"]).collect();
    assert_eq!(
        serde_json::json!(reasons),
        serde_json::json!([null, "excluded", "schedule", "disabled"])
    );
    assert_eq!(verdicts[0]["records"], true);
}

#[test]
fn programs_are_told_what_is_wrong() {
    let problem = crate::config::Problem {
        file: Some(Path::new("s.toml").to_owned()),
        line: Some(3),
        key: Some("listen".to_owned()),
        text: "it is wrong".to_owned(),
    };
    let expected = serde_json::json!({
        "problems": [{ "file": "s.toml", "line": 3, "key": "listen", "text": "it is wrong" }],
    });
    assert_eq!(json::problems(&[problem]), expected);
}

#[test]
fn a_stream_is_written_as_players_see_it() {
    assert_eq!(stream("/live//test/").unwrap().as_str(), "live/test");
    assert!(stream("").is_err());
}
