//! The verdict for programs. Names are stable and end with their unit; what is not known is `null`.

use archive::verify::{Checked, Missing, Proof, State, Verdict};
use serde_json::{Value, json};

use super::Verified;
use crate::command::probe;

/// All of it.
pub(super) fn object(verified: &Verified) -> Value {
    let unreadable = verified.unreadable.iter();
    let unreadable = unreadable.map(|file| json!({ "file": file.path, "error": file.why }));
    json!({
        "verdict": word(verified.verdict()),
        "recordings": verified.report.recordings.iter().map(recording).collect::<Vec<_>>(),
        "foreign": verified.report.foreign,
        "unreadable": unreadable.collect::<Vec<_>>(),
    })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Whole => "whole",
        Verdict::Partial => "partial",
        Verdict::Unproven => "unproven",
    }
}

fn recording(proof: &Proof) -> Value {
    let problems = proof.problems.iter();
    let problems = problems.map(|p| json!({ "file": p.file, "text": p.kind.to_string() }));
    json!({
        "recording": proof.recording.to_string(),
        "stream_key": proof.stream_key,
        "verdict": word(proof.verdict()),
        "segments": proof.files.iter().map(segment).collect::<Vec<_>>(),
        "segments_not_given_before": proof.missing_before,
        "segments_not_given_after": proof.missing_after,
        "gaps": proof.gaps.iter().map(gap).collect::<Vec<_>>(),
        "gaps_unlisted": proof.gaps_unlisted,
        "cut_off": proof.is_cut_off(),
        "problems": problems.collect::<Vec<_>>(),
    })
}

fn segment(checked: &Checked) -> Value {
    let file = &checked.file;
    let is_complete = file.state == State::Complete;
    let ledger = file.ledger.as_ref().filter(|_| is_complete);
    json!({
        "file": file.name,
        "segment": checked.segment,
        "state": match file.state {
            State::Complete => "complete",
            State::Growing => "growing",
            State::Unfinished => "unfinished",
        },
        "size_bytes": file.size_bytes,
        "start_ms": file.about.as_ref().map(|about| about.start_ms),
        "length_ms": file.length_ms.filter(|_| is_complete),
        "packets_written": ledger.map(|ledger| ledger.written.packets),
        "packets_dropped": ledger.map(|ledger| ledger.dropped.packets),
        "blake3": is_complete.then(|| file.hash.to_string()),
        "hash_as_told_by": checked.agreed.iter().map(|source| source.name()).collect::<Vec<_>>(),
    })
}

fn gap(missing: &Missing) -> Value {
    json!({
        "segment": missing.segment,
        "place": if missing.is_before { "before" } else { "inside" },
        "gap": probe::gap(&missing.gap),
    })
}
