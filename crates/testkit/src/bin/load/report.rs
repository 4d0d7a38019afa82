//! The figures as a table and as JSON.

use serde_json::{Value, json};

use crate::figures::median;
use crate::options::Options;
use crate::trial::{Outcome, Runs};

/// One figure: its name in JSON, its heading, and how it is read off a run.
struct Figure {
    name: &'static str,
    heading: &'static str,
    decimals: usize,
    /// Which work it is a figure of.
    scope: Scope,
    of: fn(&Outcome) -> Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    All,
    Players,
    Recordings,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const FIGURES: &[Figure] = &[
    Figure {
        name: "seconds",
        heading: "s",
        decimals: 1,
        scope: Scope::All,
        of: |o| Some(o.seconds),
    },
    Figure {
        name: "mb_in_per_second",
        heading: "MB/s in",
        decimals: 1,
        scope: Scope::All,
        of: |o| ratio(mb(o.bytes_in), o.seconds),
    },
    Figure {
        name: "mb_out_per_second",
        heading: "MB/s out",
        decimals: 1,
        scope: Scope::Players,
        of: |o| ratio(mb(o.bytes_out), o.seconds),
    },
    Figure {
        name: "cpu_seconds",
        heading: "CPU s",
        decimals: 2,
        scope: Scope::All,
        of: |o| Some(o.cpu_seconds),
    },
    Figure {
        name: "mb_per_cpu_second",
        heading: "MB/CPU s",
        decimals: 0,
        scope: Scope::All,
        of: |o| ratio(mb(moved(o)), o.cpu_seconds),
    },
    Figure {
        name: "cpu_seconds_per_stream_minute",
        heading: "CPU s/min",
        decimals: 4,
        scope: Scope::All,
        of: |o| ratio(o.cpu_seconds, o.stream_minutes),
    },
    Figure {
        name: "kib_per_stream",
        heading: "KiB/stream",
        decimals: 0,
        scope: Scope::All,
        of: |o| Some(o.rss_per_stream / 1_024.0),
    },
    Figure {
        name: "kib_beyond_group",
        heading: "beyond GOP",
        decimals: 0,
        scope: Scope::All,
        of: |o| Some((o.rss_per_stream - o.group_bytes) / 1_024.0),
    },
    Figure {
        name: "latency_p50_ms",
        heading: "p50 ms",
        decimals: 2,
        scope: Scope::Players,
        of: |o| o.seen.latency.percentile_ms(50),
    },
    Figure {
        name: "latency_p99_ms",
        heading: "p99 ms",
        decimals: 2,
        scope: Scope::Players,
        of: |o| o.seen.latency.percentile_ms(99),
    },
    Figure {
        name: "latency_max_ms",
        heading: "max ms",
        decimals: 1,
        scope: Scope::Players,
        of: |o| o.seen.latency.max_ms(),
    },
    Figure {
        name: "silence_ms",
        heading: "silence ms",
        decimals: 1,
        scope: Scope::Players,
        of: |o| Some(o.seen.silence_us as f64 / 1e3),
    },
    Figure {
        name: "join_p50_ms",
        heading: "join p50 ms",
        decimals: 1,
        scope: Scope::Players,
        of: |o| o.seen.join.percentile_ms(50),
    },
    Figure {
        name: "join_max_ms",
        heading: "join max ms",
        decimals: 1,
        scope: Scope::Players,
        of: |o| o.seen.join.max_ms(),
    },
    Figure {
        name: "late_ms",
        heading: "sent late ms",
        decimals: 1,
        scope: Scope::All,
        of: |o| Some(o.late_ms),
    },
    Figure {
        name: "frames_lost",
        heading: "lost",
        decimals: 0,
        scope: Scope::Players,
        of: |o| Some(o.seen.lost as f64),
    },
    Figure {
        name: "frames_wrong",
        heading: "wrong",
        decimals: 0,
        scope: Scope::Players,
        of: |o| Some(o.seen.wrong as f64),
    },
    Figure {
        name: "recordings",
        heading: "files",
        decimals: 0,
        scope: Scope::Recordings,
        of: |o| Some(o.recordings as f64),
    },
];

/// Figures whose ratio between server and plain loop is the machine's own no longer.
const RATIOS: &[&str] = &[
    "mb_per_cpu_second",
    "cpu_seconds_per_stream_minute",
    "cpu_seconds",
    "latency_p50_ms",
    "latency_p99_ms",
];

/// What the work was: with players what they got, else what was published.
fn moved(outcome: &Outcome) -> u64 {
    if outcome.bytes_out > 0 { outcome.bytes_out } else { outcome.bytes_in }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn ratio(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| a / b)
}

/// Shows one run as soon as it is over.
pub(crate) fn progress(options: &Options, what: &str, number: u32, outcome: Option<&Outcome>) {
    let Some(outcome) = outcome else { return };
    for error in &outcome.errors {
        eprintln!("{what} {number}: {error}");
    }
    if options.json {
        return;
    }
    if number == 1 && what == "server" {
        println!("{}", heading(options));
    }
    println!("{}", row(options, &format!("{what} {number}"), |figure| (figure.of)(outcome)));
}

/// Prints medians and ratios.
pub(crate) fn print(options: &Options, runs: &Runs) {
    if options.json {
        println!("{:#}", object(options, runs));
        return;
    }
    let all = [("server", &runs.servers), ("nginx-rtmp", &runs.besides), ("plain", &runs.plains)];
    for (name, outcomes) in all.into_iter().filter(|(_, outcomes)| !outcomes.is_empty()) {
        let name = format!("{name}, median");
        println!("{}", row(options, &name, |figure| median_of(figure, outcomes)));
    }
    let pairs = [
        ("server / plain", &runs.servers, &runs.plains),
        ("server / nginx-rtmp", &runs.servers, &runs.besides),
        ("nginx-rtmp / plain", &runs.besides, &runs.plains),
    ];
    for (pair, some, others) in pairs {
        for (name, value) in ratios(some, others) {
            println!("{pair}, {name}: {value:.2}");
        }
    }
    if all.iter().flat_map(|(_, outcomes)| *outcomes).any(|outcome| !outcome.errors.is_empty()) {
        println!("not all of the work was done: these figures cannot be compared");
    }
}

/// The figures of this work.
fn shown(options: &Options) -> impl Iterator<Item = &'static Figure> {
    let (players, record) = (options.players > 0, options.record);
    FIGURES.iter().filter(move |figure| match figure.scope {
        Scope::All => true,
        Scope::Players => players,
        Scope::Recordings => record,
    })
}

fn heading(options: &Options) -> String {
    let cells = shown(options).map(|f| format!(" {:>w$}", f.heading, w = width(f)));
    format!("{:<18}{}", "", cells.collect::<String>())
}

fn row(options: &Options, name: &str, value: impl Fn(&Figure) -> Option<f64>) -> String {
    let cell = |figure: &Figure| {
        let text = match value(figure) {
            Some(value) => format!("{value:.d$}", d = figure.decimals),
            None => "-".to_owned(),
        };
        format!(" {text:>w$}", w = width(figure))
    };
    format!("{name:<18}{}", shown(options).map(cell).collect::<String>())
}

fn width(figure: &Figure) -> usize {
    figure.heading.len().max(8)
}

fn median_of(figure: &Figure, outcomes: &[Outcome]) -> Option<f64> {
    median(outcomes.iter().filter_map(|outcome| (figure.of)(outcome)))
}

fn ratios(servers: &[Outcome], plains: &[Outcome]) -> Vec<(&'static str, f64)> {
    let figures = FIGURES.iter().filter(|figure| RATIOS.contains(&figure.name));
    let value = |figure: &Figure| ratio(median_of(figure, servers)?, median_of(figure, plains)?);
    figures.filter_map(|figure| Some((figure.name, value(figure)?))).collect()
}

fn object(options: &Options, runs: &Runs) -> Value {
    let side = |outcomes: &[Outcome]| {
        let runs: Vec<Value> =
            outcomes.iter().map(|outcome| figures(|figure| (figure.of)(outcome))).collect();
        let errors: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.errors).collect();
        json!({
            "median": figures(|figure| median_of(figure, outcomes)),
            "runs": runs,
            "errors": errors,
        })
    };
    let ratio = |some: &[Outcome], others: &[Outcome]| {
        let all = ratios(some, others).into_iter();
        Value::Object(all.map(|(name, value)| (name.to_owned(), value.into())).collect())
    };
    json!({
        "work": {
            "publishers": options.publishers,
            "players": options.players,
            "seconds": options.seconds,
            "flat_out": options.flat_out,
            "rate": options.rate,
            "kbps": options.kbps,
            "audio_kbps": options.audio_kbps,
            "fps": options.fps,
            "key_interval": options.key_interval,
            "chunk_size": options.chunk_size,
            "record": options.record,
        },
        "server": side(&runs.servers),
        "beside": side(&runs.besides),
        "plain": side(&runs.plains),
        "ratio": ratio(&runs.servers, &runs.plains),
        "ratio_to_beside": ratio(&runs.servers, &runs.besides),
    })
}

fn figures(value: impl Fn(&Figure) -> Option<f64>) -> Value {
    let fields = FIGURES.iter().map(|figure| (figure.name.to_owned(), value(figure).into()));
    Value::Object(fields.collect())
}
