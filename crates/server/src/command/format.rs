//! Figures and foreign text as people read them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use archive::Gap;
use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};

/// A size in decimal units: `1.2 MB`.
pub(super) fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().si().to_string()
}

/// A rate of bits: `128 kbit/s`, `2.05 Mbit/s`.
pub(super) fn bit_rate(bits_per_second: f64) -> String {
    match bits_per_second {
        rate if rate >= 999_500_000.0 => format!("{:.2} Gbit/s", rate / 1e9),
        rate if rate >= 999_500.0 => format!("{:.2} Mbit/s", rate / 1e6),
        rate => format!("{:.0} kbit/s", rate / 1e3),
    }
}

/// The mean rate of `bytes` in `time`; 0 when there was no time.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
pub(super) fn mean_rate(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    bit_rate(if seconds > 0.0 { bytes as f64 * 8.0 / seconds } else { 0.0 })
}

/// A stretch of time: `9.98 s`, from a minute on `1:02:03` or `2:03`.
pub(super) fn time(ms: u64) -> String {
    if ms < 60_000 {
        return format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10);
    }
    let seconds = ms / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A [`Duration`] as [`time`] writes it.
pub(super) fn duration(time: Duration) -> String {
    self::time(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// A long stretch of time, roughly: `12 d 4 h`, `3 h 20 min`, `5 min`, `20 s`.
pub(super) fn roughly(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{} d", number(days)),
        _ => format!("{} d {hours} h", number(days)),
    }
}

/// A whole number in groups of three digits: `1,234,567`.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 fault`, `2 faults`.
pub(super) fn count(n: u64, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", number(n)),
    }
}

/// A gap of a recording: `at 1:02:03, 5.00 s: disk, 40 packets`.
pub(super) fn gap(gap: &Gap) -> String {
    let (at, length) = (time(gap.at_ms), time(gap.length_ms));
    format!("at {at}, {length}: {}, {}", gap.reason, count(gap.dropped.packets, "packet"))
}

/// A path as text that moves no terminal's cursor.
pub(super) fn path(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// Rows as an indented table: the first column to the left, the others to the right.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for row in rows {
        for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Writing to a `String` cannot fail.
            let _ = match i {
                0 => write!(table, "  {cell:width$}"),
                _ => write!(table, "  {cell:>width$}"),
            };
        }
        table.push('\n');
    }
    table
}

/// A bar for work on so many bytes, where somebody looks; hidden where there is little to do.
pub(super) fn bar(size_bytes: u64) -> ProgressBar {
    /// From this size on.
    const BAR_MIN: u64 = 64 << 20;
    if size_bytes < BAR_MIN {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size_bytes);
    let template = "{wide_bar} {percent:>3}%  {decimal_bytes} of {decimal_total_bytes}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Text from a file or from the network with what would move a terminal's cursor escaped.
pub(super) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        // Marks of direction reorder what stands around them.
        let is_mark = matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        if c.is_control() || is_mark {
            // Writing to a `String` cannot fail.
            let _ = write!(clean, "{}", c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests;
