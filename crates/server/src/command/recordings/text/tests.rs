use serde_json::json;

use super::*;

fn recording() -> Recording {
    let amount = |packets: u64| json!({"packets": packets, "bytes": packets * 100});
    serde_json::from_value(json!({
        "id": "8c1f4e2a90b7d635", "stream": "live/a\u{1b}[2J", "recorder": "api",
        "name": "first night", "state": "complete", "format": "flv", "clip": true, "tracks": "audio",
        "start": "2026-11-29T14:30:52.123+01:00", "end": "2026-11-29T15:30:52.123+01:00",
        "length_ms": 3_605_000, "size_bytes": 1_894_211_083_u64, "segments": 2, "gaps": 1,
        "ledger": {"received": amount(1_234), "written": amount(1_230), "dropped": amount(4),
            "late_packets": 0},
        "labels": {"event": "concert"}, "held": true, "reason": "stopped", "request_key": "night-1",
        "files": [{"number": 1, "state": "finished", "file": "recordings/a.flv",
            "start": "2026-11-29T14:30:52.123+01:00", "end": "2026-11-29T15:00:00.000+01:00",
            "start_ms": 0, "length_ms": 1_800_000, "size_bytes": 900_000_000, "url": "/x"},
            {"number": 2, "state": "open", "file": "recordings/b.flv",
            "start": "2026-11-29T15:00:00.123+01:00", "end": "2026-11-29T15:00:00.000+01:00",
            "start_ms": 1_800_000, "length_ms": 0, "size_bytes": 900, "url": "/x"}],
        "missing": [{"segment": 2, "inside": false, "at_ms": 1_800_000, "length_ms": 5_000,
            "reason": "disk", "dropped": amount(4)}],
    }))
    .unwrap()
}

#[test]
fn everything_about_one_is_readable_and_moves_no_cursor() {
    let text = one(&recording(), true);
    let expected = format!(
        "\
recording 8c1f4e2a90b7d635 of live/a\\u{{1b}}[2J
  state        complete, stopped, clip, held
  name         first night
  recorder     api
  format       flv
  tracks       audio
  start        {0}
  end          {1}
  length       1:00:05
  size         1.9 GB (1,894,211,083 bytes) in 2 files
  label        event=concert
  request key  night-1
  packets      1,234 received, 1,230 written, 4 dropped, 0 late
  gap          at segment 2, at 30:00, 5.00 s: disk, 4 packets
  file              segment  state     start                length      size
  recordings/a.flv        1  finished  {0}   30:00  900.0 MB
  recordings/b.flv        2  open      {2}       -     900 B
",
        local("2026-11-29T14:30:52.123+01:00"),
        local("2026-11-29T15:30:52.123+01:00"),
        local("2026-11-29T15:00:00.123+01:00"),
    );
    assert_eq!(text, expected);
}

#[test]
fn one_in_trouble_says_why() {
    let state = "trouble".to_owned();
    let error = Some("no space left on device".to_owned());
    let one = one(&Recording { state, error, reason: None, clip: false, ..recording() }, false);
    assert!(one.contains("  state        trouble, no space left on device, held\n"), "{one}");
}

#[test]
fn a_list_fits_the_terminal() {
    let all = [recording()];
    let wide = list(&all, None);
    let head: Vec<_> = wide.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head[..6], ["ID", "STATE", "STREAM", "RECORDER", "FORMAT", "START"]);
    assert!(wide.contains("  api       flv     2026-11-29 "), "{wide}");
    assert!(
        wide.contains("  1:00:05  1.9 GB      2     1  (clip) (held) event=concert\n"),
        "{wide}"
    );
    for line in list(&all, Some(80)).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
