//! What an export is and what it lacks, as its first bytes say.

use std::path::Path;

use jiff::Timestamp;
use media::amf0::Value;
use media::flv::meta;
use serde_json::json;

use super::super::when;
use crate::command::format::{self, number, printable, size, time};
use crate::command::{Error, print};

/// The metadata of a long file, with its index, has less.
const HEAD_BYTES: usize = 1 << 20;

/// What was seen of it.
#[derive(Debug, Default)]
pub(super) struct Report {
    head: Vec<u8>,
    size_bytes: u64,
    /// When it begins to be shown, as whoever made it says: an MP4 file itself tells when its first key frame was, in
    /// seconds.
    start: Option<Timestamp>,
    /// Tracks that are not in it, and why.
    refused: String,
}

/// What the file says of itself.
#[derive(Debug, Default, PartialEq)]
struct Told {
    start: Option<String>,
    end: Option<String>,
    length_ms: u64,
    recordings: Vec<String>,
    gaps: Vec<Gap>,
    gaps_total: u64,
}

/// A stretch that it lacks, since its beginning.
#[derive(Debug, PartialEq)]
struct Gap {
    at_ms: u64,
    length_ms: u64,
    cause: String,
}

impl Report {
    /// Looks at the next bytes.
    pub(super) fn see(&mut self, bytes: &[u8]) {
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
    }

    /// Notes when it begins.
    pub(super) fn begins(&mut self, start: &str) {
        self.start = start.parse().ok();
    }

    /// Notes tracks that are not in it, and why.
    pub(super) fn refused(&mut self, refused: &str) {
        refused.clone_into(&mut self.refused);
    }

    /// Prints it: on standard error where standard output has the file.
    pub(super) fn tell(&self, file: Option<&Path>, is_json: bool) -> Result<(), Error> {
        let text = match is_json {
            true => format!("{}\n", self.json(file)),
            false => self.text(file),
        };
        match file {
            Some(_) => print(&text).map(drop),
            None => {
                eprint!("{text}");
                Ok(())
            }
        }
    }

    fn text(&self, file: Option<&Path>) -> String {
        let told = self.told();
        if !self.refused.is_empty() {
            eprintln!("left out: {}", printable(&self.refused));
        }
        let name = file.map_or_else(|| "exported".to_owned(), format::path);
        let mut out = format!("{name}: {}, {}", time(told.length_ms), size(self.size_bytes));
        if let (Some(start), Some(end)) = (&told.start, &told.end) {
            out.push_str(&format!(", {} to {}", when::local(start), when::local(end)));
        }
        out.push('\n');
        for gap in &told.gaps {
            let (at, length) = (time(gap.at_ms), time(gap.length_ms));
            out.push_str(&format!("  lacks  at {at}, {length}: {}\n", printable(&gap.cause)));
        }
        let unlisted = told.gaps_total.saturating_sub(told.gaps.len() as u64);
        if unlisted > 0 {
            out.push_str(&format!("  lacks  and {} more\n", number(unlisted)));
        }
        out
    }

    fn json(&self, file: Option<&Path>) -> serde_json::Value {
        let told = self.told();
        let gaps = told
            .gaps
            .iter()
            .map(|gap| json!({"at_ms": gap.at_ms, "length_ms": gap.length_ms, "cause": gap.cause}));
        json!({
            "file": file,
            "size_bytes": self.size_bytes,
            "length_ms": told.length_ms,
            "start": told.start,
            "end": told.end,
            "recordings": told.recordings,
            "gaps": gaps.collect::<Vec<_>>(),
            "gaps_total": told.gaps_total,
            "refused": Some(&self.refused).filter(|refused| !refused.is_empty()),
        })
    }

    fn told(&self) -> Told {
        if self.head.get(4..8) == Some(b"ftyp") {
            return told_by_mp4(&self.head, self.start).unwrap_or_default();
        }
        let Some(region) = meta::region(&self.head) else { return Told::default() };
        let find = |name: &str| region.property(name);
        let text = |name: &str| find(name).and_then(Value::as_str).map(str::to_owned);
        let list = |name: &str| match find(name) {
            Some(Value::StrictArray(list)) => list.iter().map(ms).collect(),
            _ => Vec::new(),
        };
        let words = |name: &str| -> Vec<String> {
            let text = text(name).unwrap_or_default();
            text.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let gaps = list("gapTimes").into_iter().zip(list("gapDurations")).zip(words("gapReasons"));
        Told {
            start: text("startTime"),
            end: text("endTime"),
            length_ms: find("duration").map_or(0, ms),
            recordings: words("recordings"),
            gaps: gaps.map(|((at_ms, length_ms), cause)| Gap { at_ms, length_ms, cause }).collect(),
            gaps_total: find("gaps").and_then(Value::as_f64).map_or(0, whole),
        }
    }
}

/// What the `mvhd` of an MP4 file of ours says (ISO 14496-12 8.2.2): how long it is and, where nobody told it better,
/// when it begins. It stands near the start of the file.
fn told_by_mp4(head: &[u8], start: Option<Timestamp>) -> Option<Told> {
    const NEAR: usize = 4 << 10;
    /// Seconds from 1904 to 1970.
    const EPOCH_S: u64 = 2_082_844_800;
    let near = head.get(..NEAR).unwrap_or(head);
    let at = near.windows(8).position(|bytes| bytes == b"mvhd\x01\0\0\0")? + 8;
    let number = |at: usize| near.get(at..at + 8)?.first_chunk().copied().map(u64::from_be_bytes);
    let scale = near.get(at + 16..at + 20)?.first_chunk().copied().map(u32::from_be_bytes)?;
    let length_ms = number(at + 20)?.saturating_mul(1_000) / u64::from(scale.max(1));
    let start = start.or_else(|| {
        let start_s = number(at)?.checked_sub(EPOCH_S)?;
        Timestamp::from_second(i64::try_from(start_s).ok()?).ok()
    });
    let length = i64::try_from(length_ms).ok().map(jiff::SignedDuration::from_millis);
    let end = start.zip(length).and_then(|(start, length)| start.checked_add(length).ok());
    let [start, end] = [start, end].map(|time| time.map(|time| time.to_string()));
    Some(Told { start, end, length_ms, ..Told::default() })
}

/// Seconds as ms.
fn ms(value: &Value) -> u64 {
    whole(value.as_f64().unwrap_or_default() * 1_000.0)
}

/// The nearest whole number from 0 on.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
