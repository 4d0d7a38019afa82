//! The corpora: what they begin with, and all of what they hold, run once.

use super::*;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

use replay::replay;

/// The sample with every key that it shows written, not commented out.
fn everything() -> String {
    let is_key = |line: &str| {
        let rest = line.strip_prefix('#')?;
        (rest.starts_with("[[") || rest.contains(" = ") && !rest.starts_with([' ', '#']))
            .then(|| rest.to_owned())
    };
    let lines = crate::config::SAMPLE.lines().map(|line| is_key(line).unwrap_or(line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}

/// Recorders with everything that can be said.
const RECORDERS: &str = r#"
listen = "127.0.0.1:1935"
record-rotate-duration = "15m"
retain-age = "30d"

[[recorder]]
name = "cup"
streams = ["live/cup-*", 'live/[a-c]?', "{x,y}/**", 're:cam\d+/(hi|lo)']
exclude = ['live/cup-\*']
schedule = ["Mon-Fri 18:00-23:30 Europe/Vienna", "daily 22:00-02:00", "2026-12-24 08:00 - 2026-12-26 20:00 UTC"]
path = "{app}/{year}-{month}-{day}/{name}_{sequence}"
rotate-duration = "off"
rotate-size = 4_000_000_000
rotate-every = "1h"
rotate-schedule = "0 6 * * mon-fri UTC"
tracks = "audio"
pre-roll = "5s"
max-length = "90m"
retain-copied = true
labels = { event = "cup \u00fc", camera = "2" }

[[recorder]]
name = "rest"
streams = ["**"]
enabled = false
dir = "other"
"#;

#[test]
fn configuration_corpus() {
    let wrong = "listn = 1\nmax-players = \"many\"\napi-token = \"short\"\n[[recorder]]\nname = 3\n\
                 streams = []\n[recorder.x]\n";
    let layers = "-record-all\n--log-level=debug\nRTMP_SERVER_API_TOKEN=0123456789abcdef\n\
                  RTMP_SERVER_PLAY_HOLD=3s\nhttp-listen = \":8080\"\nmax-players = 0x10\n";
    let seeds = [crate::config::SAMPLE.to_owned(), everything(), RECORDERS.to_owned()];
    let more = [wrong, layers, "\u{feff}record-all = true\r\n", "-help\n", "[[recorder]]\n= 1"];
    let seeds = seeds.into_iter().chain(more.map(str::to_owned)).map(String::into_bytes);
    replay("configuration", configuration, &seeds.collect::<Vec<_>>());
}

#[test]
fn seeds_that_are_to_be_right_are() {
    for (file, recorders) in [(everything(), 1), (RECORDERS.to_owned(), 2)] {
        let args = ["rtmp-server", "-config=x"].map(Into::into);
        let settings = crate::config::examine_bytes(args, [], file.as_bytes()).unwrap();
        assert_eq!(settings.recorders.len(), recorders);
    }
}

#[test]
fn http_range_corpus() {
    let seeds = [
        "\u{40}\u{7}\0\0bytes=0-0",
        "\u{40}\u{7}\0\u{1}bytes=10-",
        "\u{40}\u{7}\u{1}\u{1}bytes=-5",
        "\u{40}\u{7}\0\u{2}bytes=5-3",
        "\0\u{1}\0\0bytes=0-",
        "\u{40}\u{40}\0\0Bytes = 5 - 99999999999999999999999",
        "\u{40}\u{40}\0\0bytes=0-0,5-6",
        "\u{40}\u{40}\0\0bytes=0-0\nbytes=1-1",
        "\u{40}\u{40}\0\u{3}\"id-40-3e8\"",
        "\u{40}\u{40}\0\0bytes=-0",
        "\u{40}\u{40}\0\0lines=1-2",
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec());
    replay("http_range", http_range, &seeds);
}
