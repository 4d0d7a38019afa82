//! The report for people.

use std::fmt::Write as _;
use std::path::Path;

use archive::catalog::Deletion;
use archive::retention::{Doomed, Forecast, Kept, Outlook, Rules};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Retention;
use crate::command::format::{bit_rate, count, number, printable, roughly, size};

/// Width of the names on the left.
const LABEL: usize = 12;
/// Files that are shown of each list; `-json` has all.
const SHOWN: usize = 50;

/// The whole report, with a line feed at its end. Times are in `zone`.
pub(super) fn report(asked: &Retention, outlook: &Outlook, zone: &TimeZone) -> String {
    let mut out = format!("{}\n", printable(&asked.record_dir.to_string_lossy()));
    let (total, min_free) = (size(outlook.total_bytes), size(outlook.min_free_bytes));
    line(&mut out, "recordings", &format!("{}, {total}", count(outlook.segments, "file")));
    if outlook.bin_segments > 0 {
        let (files, bytes) = (count(outlook.bin_segments, "file"), size(outlook.bin_bytes));
        line(&mut out, "bin", &format!("{files}, {bytes}"));
    }
    let disk = match outlook.space {
        Some(space) => format!("{} of {} free", size(space.free_bytes), size(space.total_bytes)),
        None => "does not say how much room it has".to_owned(),
    };
    line(&mut out, "disk", &format!("{disk}; recording stops below {min_free}"));
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = bit_rate(outlook.bytes_per_second as f64 * 8.0);
    line(&mut out, "rate", &format!("{rate} over the last day"));
    line(&mut out, "full", &full(outlook));
    line(&mut out, "rules", &rules(&asked.rules.rules()));

    let sum = format!("{}, {}", files(outlook.doomed.len()), size(outlook.doomed_bytes()));
    let rows = outlook.doomed.iter().map(|Doomed { segment, age, cause }| {
        row(&segment.path, segment.size_bytes, roughly(*age), cause.name())
    });
    list(&mut out, "would go", sum, rows);
    let rows = outlook.kept.iter().map(|Kept { segment, age, keep }| {
        row(&segment.path, segment.size_bytes, roughly(*age), keep.name())
    });
    list(&mut out, "kept", files(outlook.kept.len()), rows);
    let rows = outlook.deletions.iter().map(|deletion| {
        row(&deletion.path, deletion.size_bytes, when(deletion, zone), &deletion.reason)
    });
    list(&mut out, "deleted", "the newest first".to_owned(), rows);
    out
}

fn files(n: usize) -> String {
    count(n as u64, "file")
}

fn full(outlook: &Outlook) -> String {
    let words = |forecast| match forecast {
        Forecast::Never => "never".to_owned(),
        Forecast::Unknown => "nobody can tell".to_owned(),
        Forecast::In(time) => format!("in {}", roughly(time)),
    };
    let (full, with_rules) = (words(outlook.full), words(outlook.full_with_rules));
    match full == with_rules {
        true => format!("{full} at this rate"),
        false => format!("{full} at this rate, with these rules {with_rules}"),
    }
}

fn rules(rules: &Rules) -> String {
    let limits = [
        rules.age.map(|age| format!("older than {}", roughly(age))),
        rules.total_bytes.map(|bytes| format!("all larger than {}", size(bytes))),
        rules.free_bytes.map(|bytes| format!("less than {} free", size(bytes))),
    ];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    let copied = if rules.copied_only { ", and only what was copied" } else { "" };
    match limits.is_empty() {
        true => "none: nothing is deleted (-retain-age, -retain-size, -retain-free)".to_owned(),
        false => format!("{}{copied}", limits.join(", ")),
    }
}

fn when(deletion: &Deletion, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(deletion.deleted_unix_ms).ok();
    let at = at.map(|at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string());
    at.unwrap_or_default()
}

fn row(path: &Path, size_bytes: u64, time: String, reason: &str) -> [String; 4] {
    [size(size_bytes), time, printable(reason), printable(&path.to_string_lossy())]
}

/// A list with a heading; nothing when it is empty.
fn list(out: &mut String, label: &str, head: String, rows: impl Iterator<Item = [String; 4]>) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return line(out, label, "nothing");
    }
    line(out, label, &head);
    let shown = rows.get(..SHOWN).unwrap_or(&rows);
    let width = |column: usize| {
        let cells = shown.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (sizes, times, reasons) = (width(0), width(1), width(2));
    for [size, time, reason, path] in shown {
        let text = format!("{size:>sizes$}  {time:>times$}  {reason:reasons$}  {path}");
        line(out, "", &text);
    }
    if rows.len() > shown.len() {
        line(out, "", &format!("and {} more (-json)", number((rows.len() - shown.len()) as u64)));
    }
}

fn line(out: &mut String, label: &str, text: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(out, "  {label:LABEL$}{text}");
}
