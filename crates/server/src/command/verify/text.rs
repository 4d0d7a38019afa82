//! The verdict for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use archive::verify::{Checked, Proof, Source, State, Verdict};

use super::Verified;
use crate::command::format::{self, count, number, printable, size, time};

/// Width of the names on the left.
const LABEL: usize = 11;

/// All of it, with a line feed at its end.
pub(super) fn report(verified: &Verified) -> String {
    let report = &verified.report;
    let mut out = String::new();
    for proof in &report.recordings {
        recording(&mut out, proof, &verified.without_catalog);
        out.push('\n');
    }
    for name in &report.foreign {
        let what = "is no recording of this program, or its start is damaged";
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(out, "{name} {what}");
    }
    for unreadable in &verified.unreadable {
        let _ = writeln!(out, "{} cannot be read: {}", unreadable.path, unreadable.why);
    }
    let _ = writeln!(out, "{}", all(verified));
    out
}

/// The last line.
fn all(verified: &Verified) -> String {
    let proofs = &verified.report.recordings;
    let recordings = count(proofs.len() as u64, "recording");
    let lacking = proofs.iter().filter(|proof| proof.lacks_something()).count() as u64;
    let cut_off = of_which(proofs, Proof::is_cut_off, "was cut off", "were cut off");
    let written = of_which(proofs, Proof::is_growing, "is being written", "are being written");
    let written = format!("{written}{cut_off}");
    let but_for = but_for(proofs);
    match verified.verdict() {
        Verdict::Unproven => "NOT PROVEN".to_owned(),
        Verdict::Whole if cut_off.is_empty() => format!("proven whole: {recordings}{but_for}"),
        Verdict::Whole => {
            format!("proven whole as far as it was written: {recordings}{cut_off}{but_for}")
        }
        Verdict::Partial if lacking == 0 => {
            format!("proven as far as they are finished: {recordings}{written}{but_for}")
        }
        Verdict::Partial if lacking == proofs.len() as u64 => {
            format!("proven, but not whole: {recordings}{written}{but_for}")
        }
        Verdict::Partial => {
            let lacking = number(lacking);
            format!("proven, but not whole: {lacking} of {recordings}{written}{but_for}")
        }
    }
}

/// How many of the recordings are so, if any is.
fn of_which(proofs: &[Proof], is_so: fn(&Proof) -> bool, one: &str, more: &str) -> String {
    match proofs.iter().filter(|proof| is_so(proof)).count() {
        0 => String::new(),
        1 => format!(", 1 of which {one}"),
        n => format!(", {} of which {more}", number(n as u64)),
    }
}

fn line(out: &mut String, label: &str, value: &str) {
    let _ = writeln!(out, "  {label:LABEL$}{value}");
}

fn recording(out: &mut String, proof: &Proof, without_catalog: &BTreeSet<String>) {
    let stream = printable(&proof.stream_key);
    let _ = writeln!(out, "recording {} of {stream}", proof.recording);
    let head = ["file", "segment", "begins", "length", "packets", "lost", "size"];
    let rows: Vec<_> =
        std::iter::once(head.map(str::to_owned)).chain(proof.files.iter().map(row)).collect();
    out.push_str(&format::table(&rows));
    match proof.missing_before {
        0 => {}
        1 => line(out, "not given", "segment 1"),
        last => line(out, "not given", &format!("segments 1 to {last}")),
    }
    let last = proof.files.last().map_or(0, |checked| checked.segment);
    match proof.missing_after {
        0 => {}
        1 => line(out, "not given", &format!("segment {}, which the catalog knows", last + 1)),
        more => {
            let segments = format!("segments {} to {}", last + 1, last + more);
            line(out, "not given", &format!("{segments}, which the catalog knows"));
        }
    }
    for missing in &proof.gaps {
        let gap = format::gap(&missing.gap);
        let place = if missing.is_before { "before" } else { "inside" };
        line(out, "gap", &format!("{place} segment {}, {gap}", missing.segment));
    }
    if proof.gaps_unlisted > 0 {
        line(out, "gap", &format!("and {} more", number(proof.gaps_unlisted)));
    }
    if proof.is_cut_off() {
        let about = proof.files.last().and_then(|checked| checked.file.about.as_ref());
        let what = match about.is_some_and(|about| about.is_clip) {
            false => {
                "the server was killed, or the power or the disk failed: what came in the last moments before, \
                 about -record-flush, or -record-sync without power, may be missing"
            }
            true => {
                "the server was killed, or the power or the disk failed, while this clip was made: its end may be \
                 missing; make it again while there is what it is of"
            }
        };
        line(out, "cut off", what);
    }
    hashes(out, proof, without_catalog);
    for problem in &proof.problems {
        line(out, "WRONG", &printable(&format!("{} {}", problem.file, problem.kind)));
    }
    line(out, "result", &result(proof));
}

fn row(checked: &Checked) -> [String; 7] {
    let file = &checked.file;
    let unknown = || "-".to_owned();
    let is_complete = file.state == State::Complete;
    let ledger = file.ledger.as_ref().filter(|_| is_complete);
    [
        file.name.clone(),
        number(checked.segment.into()),
        file.about.as_ref().map_or_else(unknown, |about| time(about.start_ms)),
        file.length_ms.filter(|_| is_complete).map_or_else(unknown, time),
        ledger.map_or_else(unknown, |ledger| number(ledger.written.packets)),
        ledger.map_or_else(unknown, |ledger| number(ledger.dropped.packets)),
        size(file.size_bytes),
    ]
}

/// Against what the hashes were checked, and which could not be.
fn hashes(out: &mut String, proof: &Proof, without_catalog: &BTreeSet<String>) {
    let all = proof.files.len() as u64;
    for source in [Source::NextSegment, Source::Sidecar, Source::Catalog] {
        let agreed = proof.files.iter().filter(|checked| checked.agreed.contains(&source));
        let agreed = agreed.count() as u64;
        if agreed > 0 {
            let (agreed, files) = (number(agreed), count(all, "file"));
            line(out, "hash", &format!("{agreed} of {files} as the {} tells", source.name()));
        }
    }
    for checked in proof.files.iter().filter(|checked| is_untold(checked)) {
        let why = match without_catalog.contains(&checked.file.name) {
            true => {
                "neither a next segment nor a sidecar tells it, and no catalog is above it; \
                 -record-dir PATH says whose catalog knows it"
            }
            false => "neither a next segment nor a sidecar nor the catalog tells it",
        };
        line(out, "unchecked", &format!("hash of {}: {why}", checked.file.name));
    }
    for checked in proof.files.iter().filter(|checked| checked.is_growing()) {
        line(out, "unchecked", &format!("{}: it is being written", checked.file.name));
    }
}

/// What is proven of no file whose hash nobody tells.
fn but_for(proofs: &[Proof]) -> String {
    let files = proofs.iter().flat_map(|proof| &proof.files);
    match files.filter(|checked| is_untold(checked)).count() {
        0 => String::new(),
        1 => "; the hash of 1 file is unchecked".to_owned(),
        n => format!("; the hashes of {} files are unchecked", number(n as u64)),
    }
}

/// Whether nobody tells the hash of a finished file.
fn is_untold(checked: &Checked) -> bool {
    let Checked { file, agreed, .. } = checked;
    file.state == State::Complete && agreed.is_empty() && file.claims.is_empty()
}

fn result(proof: &Proof) -> String {
    let segments = count(proof.files.len() as u64, "segment");
    match proof.verdict() {
        Verdict::Whole => {
            let but_for = but_for(std::slice::from_ref(proof));
            match proof.is_cut_off() {
                false => format!("proven whole: {segments}, no packet lost, none twice{but_for}"),
                true => format!(
                    "proven whole as far as it was written: {segments}, nothing of that lost, none twice{but_for}"
                ),
            }
        }
        Verdict::Partial if !proof.lacks_something() => {
            let finished = proof.files.iter().filter(|checked| !checked.is_growing());
            let (finished, but_for) =
                (number(finished.count() as u64), but_for(std::slice::from_ref(proof)));
            format!("proven as far as it is finished: {finished} of {segments}{but_for}")
        }
        Verdict::Partial => {
            format!("proven, but not whole: {segments}, nothing is missing but what is told above")
        }
        Verdict::Unproven => {
            format!("NOT PROVEN: {}", count(proof.problems.len() as u64, "problem"))
        }
    }
}
