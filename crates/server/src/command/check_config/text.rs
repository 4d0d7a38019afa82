//! The report for people.

use std::path::Path;

use jiff::Zoned;
use live::Key;

use crate::command::format::{path, printable};
use crate::config::{Recorder, Settings, Source, Verdict};

/// The whole report, with a line feed at its end.
pub(super) fn report(settings: &Settings, streams: &[Key], now: &Zoned) -> String {
    let mut out = match &settings.file {
        Some(file) => format!("{}: all right\n", path(file)),
        None => "no configuration file; all right\n".to_owned(),
    };
    let recorders: Vec<_> = settings.recorders.iter().map(|r| row(r, settings, now)).collect();
    list(&mut out, "recorders", ["name", "now", "streams", "tracks", "files"], recorders);
    let differing = settings.shown().iter().filter(|shown| shown.source != Source::Default);
    let differing = differing.filter(|shown| shown.name != "config").map(|shown| {
        let from = match shown.source {
            Source::File(line) => format!("file, line {line}"),
            other => other.name().to_owned(),
        };
        [shown.name.clone(), printable(&shown.value), from, printable(&shown.default)]
    });
    let differing: Vec<_> = differing.collect();
    list(&mut out, "settings", ["name", "value", "from", "default"], differing);
    for key in streams {
        let rows = settings.recorders.iter().map(|recorder| {
            let (word, why) = verdict(&recorder.verdict(key.as_str(), now), now);
            [recorder.name.clone(), word.to_owned(), why]
        });
        list(&mut out, &key.to_string(), ["recorder", "records", "why"], rows.collect());
    }
    out
}

fn row(recorder: &Recorder, settings: &Settings, now: &Zoned) -> [String; 5] {
    let state = match (recorder.enabled, recorder.is_active(now), recorder.next_change(now)) {
        (false, ..) => "not enabled".to_owned(),
        (true, true, None) => "records".to_owned(),
        (true, true, Some(until)) => format!("records until {}", time(&until, now)),
        (true, false, None) => "over for good".to_owned(),
        (true, false, Some(from)) => format!("rests until {}", time(&from, now)),
    };
    let patterns = |list: &[crate::config::Pattern]| {
        list.iter().map(|pattern| printable(&pattern.to_string())).collect::<Vec<_>>().join(" ")
    };
    let mut streams = patterns(&recorder.streams);
    if !recorder.exclude.is_empty() {
        streams += &format!(" but not {}", patterns(&recorder.exclude));
    }
    let plan = recorder.plan(&settings.config);
    let files = plan.dir.join(Path::new(&format!("{}.{}", plan.template, plan.format.name())));
    [recorder.name.clone(), state, streams, recorder.tracks.name().to_owned(), path(&files)]
}

/// `yes` or `no`, and the reason.
fn verdict(verdict: &Verdict, now: &Zoned) -> (&'static str, String) {
    match verdict {
        Verdict::Records => ("yes", String::new()),
        Verdict::Disabled => ("no", "it is not enabled".to_owned()),
        Verdict::NotMeant => ("no", "none of its patterns means the stream".to_owned()),
        Verdict::Excluded(pattern) => ("no", format!("it excludes {}", printable(pattern))),
        Verdict::Closed(Some(next)) => {
            ("no", format!("its schedule rests until {}", time(next, now)))
        }
        Verdict::Closed(None) => ("no", "its schedule is over for good".to_owned()),
    }
}

/// Without the date where it is within a week: `Mon 18:00 CET`.
fn time(at: &Zoned, now: &Zoned) -> String {
    let is_near = at.duration_since(now).as_hours() < 6 * 24;
    at.strftime(if is_near { "%a %H:%M %Z" } else { "%a %Y-%m-%d %H:%M %Z" }).to_string()
}

/// A table with a heading, its columns to the left.
fn list<const N: usize>(out: &mut String, title: &str, head: [&str; N], rows: Vec<[String; N]>) {
    out.push_str(&format!("\n{title}"));
    if rows.is_empty() {
        out.push_str(": none\n");
        return;
    }
    out.push('\n');
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("  {cell:width$}"));
        let line: String = cells.collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
