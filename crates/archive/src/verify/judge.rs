//! Facts of files in, what they prove out.

use std::collections::BTreeMap;

use super::{Checked, File, Missing, Problem, ProblemKind, Proof, Report, Source, State};
use crate::digest::chain;
use crate::{About, Ledger};

/// Judges files of one or several recordings, given in any order.
pub fn judge(files: Vec<File>) -> Report {
    let mut recordings = BTreeMap::<_, Vec<_>>::new();
    let mut foreign = Vec::new();
    for mut file in files {
        match file.about.take() {
            Some(about) => recordings.entry(about.recording).or_default().push((about, file)),
            None => foreign.push(file.name),
        }
    }
    let mut recordings: Vec<_> = recordings
        .into_values()
        .filter_map(|mut files| {
            files.sort_by_key(|(about, _)| about.segment);
            let start = files.first().map(|(about, _)| about.start_time.clone());
            prove(files).map(|proof| (start, proof))
        })
        .collect();
    recordings.sort_by(|(a, _), (b, _)| a.cmp(b));
    Report { recordings: recordings.into_iter().map(|(_, proof)| proof).collect(), foreign }
}

/// Judges a recording, whose files come by their numbers. `None` without files.
fn prove(files: Vec<(About, File)>) -> Option<Proof> {
    let (first, _) = files.first()?;
    let (last, _) = files.last()?;
    let last_known = files.iter().map(|(_, file)| file.last_known).max().unwrap_or_default();
    let mut proof = Proof {
        recording: first.recording,
        stream_key: first.stream_key.clone(),
        files: Vec::new(),
        missing_before: first.segment.saturating_sub(1),
        missing_after: last_known.saturating_sub(last.segment),
        gaps: Vec::new(),
        gaps_unlisted: 0,
        problems: Vec::new(),
    };
    for (i, (about, file)) in files.iter().enumerate() {
        let mut agreed = Vec::new();
        let mut found = Vec::new();
        if let Some(gap) = about.gap_before {
            proof.gaps.push(Missing { segment: about.segment, is_before: true, gap });
        }
        if let Some((before, file)) = i.checked_sub(1).and_then(|i| files.get(i)) {
            neighbours((before, file), about, &mut found);
        }
        match file.state {
            State::Growing if i + 1 == files.len() => {}
            State::Growing | State::Unfinished => found.push(ProblemKind::Unfinished),
            State::Complete => {
                whole(file, &mut found);
                let next = files.get(i + 1).map(|(next, _)| next);
                hashes(about, file, next, &mut agreed, &mut found);
            }
        }
        if let Some(ledger) = &file.ledger {
            let missing = |&gap| Missing { segment: about.segment, is_before: false, gap };
            proof.gaps.extend(ledger.gaps.iter().map(missing));
            proof.gaps_unlisted += ledger.gaps_total.saturating_sub(ledger.gaps.len() as u64);
        }
        let problem = |kind| Problem { file: file.name.clone(), kind };
        proof.problems.extend(found.into_iter().map(problem));
        let file = File { about: Some(about.clone()), ..file.clone() };
        proof.files.push(Checked { file, segment: about.segment, agreed });
    }
    Some(proof)
}

/// Checks a finished file for itself.
fn whole(file: &File, found: &mut Vec<ProblemKind>) {
    if let Some(first) = &file.fault {
        found.push(ProblemKind::Faults { first: first.clone(), count: file.fault_count });
    }
    match file.declared_bytes {
        None => found.push(ProblemKind::Untold("size")),
        Some(declared) if declared != file.size_bytes => {
            found.push(ProblemKind::Size { declared, found: file.size_bytes });
        }
        Some(_) => {}
    }
    match &file.ledger {
        None => found.push(ProblemKind::Untold("books")),
        Some(ledger) => books(file, ledger, found),
    }
}

/// Checks the books of a file: for themselves, and against what is in it.
fn books(file: &File, ledger: &Ledger, found: &mut Vec<ProblemKind>) {
    let Ledger { received, written, dropped, merged, .. } = *ledger;
    let packets = [received, written, dropped, merged, file.tags].map(|amount| amount.packets);
    count("packets", packets, Some(ledger.repeated_packets), found);
    let bytes = [received, written, dropped, merged, file.tags].map(|amount| amount.bytes);
    count("bytes", bytes, (ledger.gaps_total == 0).then_some(file.repeated.bytes), found);
    let declared = ledger.gaps.iter().map(|gap| gap.dropped.packets).fold(0, u64::saturating_add);
    let are_listed = ledger.gaps_total == ledger.gaps.len() as u64;
    if are_listed && declared != dropped.packets {
        found.push(ProblemKind::Undeclared { dropped: dropped.packets, declared });
    }
}

/// Checks packets or bytes. Where it is not known how much was `repeated`, there may be more.
fn count(
    unit: &'static str,
    [received, written, dropped, merged, tags]: [u64; 5],
    repeated: Option<u64>,
    found: &mut Vec<ProblemKind>,
) {
    if received != written.saturating_add(dropped) {
        found.push(ProblemKind::Books { unit, received, written, dropped });
    }
    let expected = written.saturating_sub(merged).saturating_add(repeated.unwrap_or(0));
    if tags < expected || tags > expected && repeated.is_some() {
        found.push(ProblemKind::Content { unit, expected, found: tags });
    }
}

/// Checks that a file goes on where the one before it ends.
fn neighbours((before, file): (&About, &File), about: &About, found: &mut Vec<ProblemKind>) {
    if about.stream_key != before.stream_key {
        let (expected, found_key) = (before.stream_key.clone(), about.stream_key.clone());
        found.push(ProblemKind::Stream { expected, found: found_key });
    }
    if about.segment == before.segment {
        let (segment, other) = (about.segment, file.name.clone());
        return found.push(ProblemKind::Twice { segment, other });
    }
    let goes_on = goes_on((before, file), about);
    if about.segment > before.segment + 1 {
        // Of a file that the disk lost before anything was in it, there is only the number.
        let is_known = file.state == State::Complete && file.ledger.is_some();
        if !is_known || !goes_on.is_empty() {
            let (first, last) = (before.segment + 1, about.segment - 1);
            found.push(ProblemKind::Missing { first, last });
        }
        return;
    }
    found.extend(goes_on);
}

/// Checks that a file counts on, packets and ms, from the end of the one before it.
fn goes_on((before, file): (&About, &File), about: &About) -> Vec<ProblemKind> {
    let mut found = Vec::new();
    // What an unfinished file says of itself is older than its end.
    if file.state != State::Complete {
        return found;
    }
    // A file counts from before the gap that it begins with.
    let gap_packets = before.gap_before.map_or(0, |gap| gap.dropped.packets);
    let gap_ms = about.gap_before.map_or(0, |gap| gap.length_ms);
    if let Some(ledger) = &file.ledger {
        let received = ledger.received.packets.saturating_add(gap_packets);
        let expected = before.first_packet.saturating_add(received);
        if about.first_packet != expected {
            found.push(ProblemKind::FirstPacket { expected, found: about.first_packet });
        }
    }
    match file.length_ms {
        None => found.push(ProblemKind::Untold("length")),
        Some(length_ms) => {
            let expected = before.start_ms.saturating_add(length_ms).saturating_add(gap_ms);
            if about.start_ms != expected {
                found.push(ProblemKind::Start { expected, found: about.start_ms });
            }
        }
    }
    found
}

/// Checks a file's hash against all who tell it.
fn hashes(
    about: &About,
    file: &File,
    next: Option<&About>,
    agreed: &mut Vec<Source>,
    found: &mut Vec<ProblemKind>,
) {
    let chain = chain(about.chain_before, file.hash);
    let next = next.filter(|next| next.segment == about.segment + 1);
    if let Some(said) = next.and_then(|next| next.chain_before) {
        if said == chain {
            agreed.push(Source::NextSegment);
        } else {
            found.push(ProblemKind::Hash(Source::NextSegment));
        }
    }
    for claim in &file.claims {
        if claim.hash != file.hash {
            found.push(ProblemKind::Hash(claim.source));
        } else if claim.chain.is_some_and(|said| said != chain) {
            found.push(ProblemKind::Chain(claim.source));
        } else {
            agreed.push(claim.source);
        }
    }
}
