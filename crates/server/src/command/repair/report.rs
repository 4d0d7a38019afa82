//! What was done to a file: for people, and for programs, with names that are stable.

use std::fmt::Write as _;
use std::path::Path;

use media::flv::repair::{Carried, Lost, Summary};
use serde_json::{Value, json};

use super::{Failure, Outcome};
use crate::command::format::{self, count, number, size, time};

/// One line for the file and one for each kind of repair.
pub(super) fn text(path: &Path, outcome: &Outcome) -> String {
    let path = format::path(path);
    match outcome {
        Outcome::Sound => format!("{path}: nothing to repair\n"),
        Outcome::Repairable(summary) => format!("{path}: can be repaired\n{}", mends(summary)),
        Outcome::Repaired { summary, output, backup } => {
            let what = match backup {
                Some(backup) => format!("repaired in place; as it was: {}", format::path(backup)),
                None => format!("repaired as {}", format::path(output)),
            };
            format!("{path}: {what}\n{}", mends(summary))
        }
    }
}

fn mends(summary: &Summary) -> String {
    let mut text = String::new();
    for (mend, done) in &summary.mends {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "  {}: {}", mend.text(), count(done.count, "place"));
        if done.bytes > 0 {
            let _ = write!(text, ", {}", size(done.bytes));
        }
        let _ = writeln!(text, ", first at byte {}", number(done.first_offset));
    }
    for Lost { at_ms, length_ms } in &summary.lost {
        let _ = writeln!(text, "  lacks {} at {}", time(*length_ms), time(*at_ms));
    }
    text
}

/// The same as an object.
pub(super) fn object(path: &Path, outcome: &Result<Outcome, Failure>) -> Value {
    let none = Summary::default();
    let (result, summary, output, backup) = match outcome {
        Ok(Outcome::Sound) => ("sound", &none, None, None),
        Ok(Outcome::Repairable(summary)) => ("repairable", summary, None, None),
        Ok(Outcome::Repaired { summary, output, backup }) => {
            ("repaired", summary, Some(output), backup.as_ref())
        }
        Err(_) => ("failed", &none, None, None),
    };
    let mends = summary.mends.iter().map(|(mend, done)| {
        json!({
            "text": mend.text(),
            "count": done.count,
            "dropped_bytes": done.bytes,
            "first_offset_bytes": done.first_offset,
        })
    });
    let lost =
        summary.lost.iter().map(|lost| json!({ "at_ms": lost.at_ms, "length_ms": lost.length_ms }));
    let tags = |carried: &Carried| json!({ "found": carried.found, "written": carried.written });
    json!({
        "file": format::path(path),
        "error": outcome.as_ref().err().map(ToString::to_string),
        "result": result,
        "output": output.map(|path| format::path(path)),
        "backup": backup.map(|path| format::path(path)),
        "mends": mends.collect::<Vec<_>>(),
        "lacks": lost.collect::<Vec<_>>(),
        "audio_tags": tags(&summary.audio),
        "video_tags": tags(&summary.video),
        "data_tags": tags(&summary.data),
    })
}
