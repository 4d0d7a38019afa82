use console::{measure_text_width, strip_ansi_codes};
use serde_json::json;

use super::*;

fn look(streams: usize) -> Look {
    let stream = |i: usize| {
        json!({"key": format!("live/{i:03}"), "state": "live", "started": null,
            "video": {"codec": "H.264", "width": 1920, "height": 1080, "kbps": 6_000.0, "frame_rate": 29.97},
            "audio": {"codec": "AAC", "sample_rate_hz": 48_000, "kbps": 128.0},
            "players": {"count": i},
            "recordings": [{"recorder": "all", "state": "recording"},
                {"recorder": "clips", "state": "trouble"}]})
    };
    let event = |i: usize| {
        json!({"type": "recording.started", "time": "2026-11-29T18:00:00Z",
            "stream": "live/x\u{1b}[2J", "recording": format!("{i:016x}"), "recorder": "all"})
    };
    Look {
        server: json!({"version": "0.1.0", "uptime_ms": 12_000_000, "connections": 1,
            "publishers": streams, "players": 0, "recordings": 2, "record_queue_bytes": 2_000_000}),
        ready: json!({"ready": false, "reasons": ["the disk of x does not answer"]}),
        streams: (0..streams).map(stream).collect(),
        disks: vec![
            json!({"dir": "recordings", "state": "good", "total_bytes": 270_600_000_000_u64,
            "free_bytes": 44_300_000_000_u64, "write_bytes_per_second": 100_000, "full_at": null}),
            json!({"dir": "mp4", "same_disk_as": "recordings", "state": "good",
            "total_bytes": 270_600_000_000_u64, "free_bytes": 44_300_000_000_u64,
            "write_bytes_per_second": 100_000, "full_at": null}),
        ],
        waiting: vec![json!({"stream": "live/later", "recorder": "api"})],
        events: (0..8).map(event).collect(),
    }
}

fn plain(look: &Look, width: Option<usize>, height: Option<usize>) -> Vec<String> {
    let lines = lines(look, "http://127.0.0.1:8080", width, height, None);
    lines.iter().map(|line| strip_ansi_codes(line).into_owned()).collect()
}

#[test]
fn a_server_is_described_whole() {
    let text = plain(&look(1), None, None);
    assert_eq!(
        text[..7],
        [
            "rtmp-server 0.1.0 at http://127.0.0.1:8080, up 3 h 20 min, NOT READY: the disk of x does not answer",
            "1 connection, 1 publisher, 0 viewers, 2 recordings, 2.0 MB waiting for disks",
            "",
            "STREAM      FOR  VIDEO                   AUDIO              RATE  VIEWERS  RECORDED BY",
            "live/000      -  H.264 1920x1080 30 fps  AAC 48 kHz  6.13 Mbit/s        0  all, clips (trouble)",
            "live/later    -  -                       -              expected        0  api (waiting)",
            "",
        ]
    );
    assert_eq!(
        text[7..10],
        [
            "DISK        STATE     FREE        OF     WRITTEN  FULL",
            "recordings  good   44.3 GB  270.6 GB  800 kbit/s  -",
            "mp4         good         -         -           -  the same disk as recordings",
        ]
    );
    assert_eq!(text.len(), 7 + 3 + 2 + 8);
    assert!(
        text[12].contains("  recording.started  live/x\\u{1b}[2J  0000000000000007"),
        "{text:?}"
    );
}

#[test]
fn no_terminal_is_too_small() {
    for streams in [0, 1, 3, 200] {
        let look = look(streams);
        for (width, height) in [(1, 1), (20, 5), (40, 12), (80, 24), (200, 60)] {
            let text = plain(&look, Some(width), Some(height));
            assert!(text.len() <= height, "{width}x{height}: {text:#?}");
            let widest = text.iter().map(|line| measure_text_width(line)).max();
            assert!(widest <= Some(width), "{width}x{height}: {text:#?}");
        }
    }
    let text = plain(&look(200), Some(80), Some(24));
    assert!(text.iter().any(|line| line.starts_with("and 1")), "{text:#?}");
    assert!(text.iter().any(|line| line.starts_with("recordings  good")), "{text:#?}");
    assert!(
        text.iter().filter(|line| line.contains("recording.started")).count() >= 2,
        "{text:#?}"
    );
}

#[test]
fn a_server_that_does_not_answer_any_more_is_said_to() {
    let lines = lines(&look(0), "s", Some(80), Some(24), Some("refused"));
    assert_eq!(lines[2], "NO ANSWER: refused");
}
