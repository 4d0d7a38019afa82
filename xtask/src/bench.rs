//! `cargo xtask bench`: the table of `docs/design/performance.md` again.
//!
//! Each row is a run of the load tool, which does the same work with the server, with the plain
//! loop and, if that is asked for, with nginx-rtmp, one after the other, several times. What is
//! compared are medians of one run: the machine may be another one, or busy.

use serde_json::Value;

use crate::run::{Result, Workspace, cargo, command, output, run};
use crate::tools;

/// Runs of everything in a row; with `--quick` one.
const REPEAT: u32 = 5;

/// What is installed to be measured beside the server.
const NGINX: &[(&str, &str)] =
    &[("libnginx-mod-rtmp", "measured beside the server"), ("nginx", "the same")];

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rows to run; all if none is named
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(ROWS.iter().map(|row| row.name)))]
    rows: Vec<String>,

    /// Another server in the same runs, which is installed if need be
    #[arg(long, value_name = "SERVER", value_parser = ["nginx-rtmp"])]
    beside: Option<String>,

    /// Once and for a short time: whether all of it works, not how fast
    #[arg(long)]
    quick: bool,
}

/// A row of the table.
struct Row {
    name: &'static str,
    /// Arguments of the load tool.
    work: &'static str,
    /// Seconds of each run, and of a quick one.
    seconds: (u32, u32),
    /// Figures of it, as the load tool names them, and what they are.
    figures: &'static [(&'static str, &'static str)],
}

const RECORD: &[(&str, &str)] = &[("mb_per_cpu_second", "MB a CPU-second")];
const PLAY: &[(&str, &str)] =
    &[("cpu_seconds", "CPU-seconds"), ("latency_p50_ms", "p50, ms"), ("latency_p99_ms", "p99, ms")];

const ROWS: &[Row] = &[
    Row {
        name: "record-1",
        work: "--publishers 1 --flat-out --kbps 8000 --record",
        seconds: (3, 1),
        figures: RECORD,
    },
    Row {
        name: "record-8",
        work: "--publishers 8 --flat-out --kbps 8000 --record",
        seconds: (3, 1),
        figures: RECORD,
    },
    Row {
        name: "streams-200",
        work: "--publishers 200 --kbps 2000 --record",
        seconds: (8, 3),
        figures: &[
            ("cpu_seconds_per_stream_minute", "CPU-seconds a stream-minute"),
            ("kib_per_stream", "KiB a stream"),
            ("kib_beyond_group", "KiB beyond its group of pictures"),
        ],
    },
    Row {
        name: "most",
        work: "--most --publishers 1600 --players 4 --kbps 2000 --record --publish-threads 2",
        seconds: (5, 2),
        figures: &[("publishers", "publishers")],
    },
    Row {
        name: "players-300",
        work: "--publishers 1 --players 300 --kbps 4000",
        seconds: (5, 2),
        figures: PLAY,
    },
    Row {
        name: "players-1000",
        work: "--publishers 1 --players 1000 --kbps 4000",
        seconds: (5, 2),
        figures: PLAY,
    },
    Row {
        name: "join",
        work: "--publishers 1 --players 50 --joining 1 --kbps 4000",
        seconds: (1, 1),
        figures: &[("join_p50_ms", "p50, ms"), ("join_max_ms", "longest, ms")],
    },
    Row {
        name: "unfrozen",
        work: "--publishers 2 --players 2 --kbps 2000 --record",
        seconds: (8, 3),
        figures: &[("silence_ms", "longest silence, ms")],
    },
    Row {
        name: "frozen",
        work: "--publishers 2 --players 2 --kbps 2000 --record --freeze 5",
        seconds: (2, 1),
        figures: &[("silence_ms", "longest silence, ms")],
    },
    Row {
        name: "start",
        work: "--start --record",
        seconds: (1, 1),
        figures: &[
            ("start_ms", "ms until it listens"),
            ("idle_mib", "MiB when idle"),
            ("size_mb", "MB of the program"),
        ],
    },
];

/// Builds, runs the rows and prints the table.
///
/// # Errors
///
/// When something cannot be built or installed, or the server lost or changed anything.
pub(crate) fn table(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    if options.beside.is_some() {
        tools::packages(NGINX)?;
    }
    let mut build = cargo();
    build.current_dir(&workspace.root).args(["build", "--release", "--locked", "--bins"]);
    run(build.args(["--package", "rtmp-server", "--package", "testkit"]))?;
    println!("| row | figure | server | plain loop | ratio | nginx-rtmp | ratio |");
    println!("|---|---|---|---|---|---|---|");
    let wanted = |row: &&Row| options.rows.is_empty() || options.rows.iter().any(|r| r == row.name);
    for row in ROWS.iter().filter(wanted) {
        let load = workspace.target.join("release").join("load");
        let (seconds, repeat) = match options.quick {
            true => (row.seconds.1, 1),
            false => (row.seconds.0, REPEAT),
        };
        let mut load = command(load);
        load.args(row.work.split(' ')).arg("--json");
        load.args(["--seconds", &seconds.to_string(), "--repeat", &repeat.to_string()]);
        if let Some(beside) = &options.beside {
            load.args(["--beside", beside]);
        }
        let answer = output(&mut load)?;
        let figures: Value = serde_json::from_str(&answer)
            .map_err(|error| format!("the load tool did not answer with JSON: {error}"))?;
        row.figures.iter().for_each(|figure| println!("{}", line(row.name, figure, &figures)));
    }
    Ok(())
}

/// One line of the table.
fn line(row: &str, (name, what): &(&str, &str), figures: &Value) -> String {
    let of = |side: &str| figures.get(side)?.get("median")?.get(name)?.as_f64();
    let (server, plain, beside) = (of("server"), of("plain"), of("beside"));
    let ratio = |other: Option<f64>| server.zip(other.filter(|other| *other > 0.0));
    let ratio = |other| shown(ratio(other).map(|(server, other)| server / other));
    let cells = [shown(server), shown(plain), ratio(plain), shown(beside), ratio(beside)];
    format!("| {row} | {what} | {} |", cells.join(" | "))
}

/// Three digits that count, or a dash.
fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) if value.abs() >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::line;

    #[test]
    fn a_line_has_the_ratios_to_both_others() {
        let side = |value: f64| json!({ "median": { "cpu_seconds": value } });
        let figures = json!({ "server": side(3.0), "plain": side(2.0), "beside": side(120.0) });
        let line = line("players-300", &("cpu_seconds", "CPU-seconds"), &figures);
        assert_eq!(line, "| players-300 | CPU-seconds | 3.00 | 2.00 | 1.50 | 120 | 0.025 |");
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let figures = json!({ "server": { "median": { "publishers": 1600 } }, "beside": null });
        let line = line("most", &("publishers", "publishers"), &figures);
        assert_eq!(line, "| most | publishers | 1600 | - | - | - | - |");
    }
}
