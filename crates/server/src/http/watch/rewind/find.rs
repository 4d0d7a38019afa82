//! Where a stream can be rewound into: a live segment is found in what a recorder made, and what was recorded before it
//! is listed.

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::Status;
use archive::catalog::State as FileState;
use archive::range::{self, Found, Source};
use media::hls::{Init, Logged, Trace, TrackName, Window};

use super::super::muxer::{Muxer, State};
use super::past::{Beside, OfLead, Rewind, Sought};
use super::{Api, LATE_MS, RETRY, Track, files_of, oldest_ms, sources};
use crate::http::media::refused;
use crate::http::problem::{Code, Problem};

/// How long a live segment is waited for in the files.
const FIND_TIME: Duration = Duration::from_secs(10);
/// After that it is not tried again for so long.
const NOTHING_TIME: Duration = Duration::from_secs(10);
/// The oldest live segments, and the oldest since something is recorded, that are looked for before any other.
const ANCHORS: usize = 3;
/// Segments of several tracks that are beside each other begin so far (ms) apart at most.
const APART_MS: u64 = 1_000;
/// What is so far (ms) from the beginning of a file has what is beside it in the same file.
const INSIDE_MS: i64 = 1_000;

/// Finds out what a stream can be rewound into: its first tracks together, or all of them. Returns whether there is
/// anything.
pub(in crate::http::watch) async fn begin(
    api: &Arc<Api>,
    muxer: &Muxer,
    is_of_tracks: bool,
) -> Result<bool, Problem> {
    let until = tokio::time::Instant::now() + FIND_TIME;
    let Ok(_turn) = tokio::time::timeout_at(until, muxer.rewinds.lock()).await else {
        let detail = "somebody else waits for the disk already";
        return Err(Problem::new(Code::DiskTimeout, detail));
    };
    loop {
        {
            let state = muxer.lock();
            let side = state.rewinding.side(is_of_tracks);
            if side.found.is_some() {
                return Ok(true);
            }
            if side.nothing.is_some_and(|nothing| nothing.elapsed() < NOTHING_TIME) {
                return Ok(false);
            }
        }
        match look(api, muxer, is_of_tracks).await? {
            Looked::Found(found) => note(muxer, *found),
            Looked::NotYet if tokio::time::Instant::now() + RETRY < until => {
                tokio::time::sleep(RETRY).await;
            }
            Looked::NotYet | Looked::Nothing => break,
        }
    }
    muxer.lock().rewinding.side_mut(is_of_tracks).nothing = Some(Instant::now());
    Ok(false)
}

enum Looked {
    Found(Box<Rewind>),
    /// A recorder is behind, or has only just begun.
    NotYet,
    Nothing,
}

/// Looks again for what was not found, if nobody does.
pub(super) async fn again(api: &Api, muxer: &Muxer, is_of_tracks: bool) {
    let Ok(_turn) = muxer.rewinds.try_lock() else { return };
    // Who asks for it is told of trouble with the disk.
    if muxer.lock().rewinding.found(is_of_tracks).is_none()
        && let Ok(Looked::Found(found)) = look(api, muxer, is_of_tracks).await
    {
        note(muxer, *found);
    }
}

/// From here on lists reach back.
fn note(muxer: &Muxer, mut found: Rewind) {
    let mut state = muxer.lock();
    found.note_listed(&state);
    let is_of_tracks = found.lead.is_some();
    state.rewinding.side_mut(is_of_tracks).found = Some(found);
    state.rewinding.change();
}

/// A live segment and its initialization.
type Live = (Logged, Arc<Init>);

/// Looks for live segments in what each recorder made of the stream.
async fn look(api: &Api, muxer: &Muxer, is_of_tracks: bool) -> Result<Looked, Problem> {
    // The catalog may not have heard of it.
    let runs = |known: &Status| known.key == muxer.key;
    let is_growing = api.context.archive.list().iter().any(runs);
    let files = files_of(api, muxer).await?.unwrap_or_default();
    let lead = is_of_tracks.then(|| muxer.lock().renditions.names().next()).flatten();
    let begins_ms = {
        let state = muxer.lock();
        let oldest = state.window(lead).and_then(|window| window.anchors().next());
        oldest.map_or(i64::MAX, |live| live.unix_ms)
    };
    let may_have = |file: &archive::catalog::Segment| {
        file.state == FileState::Open || file.end_unix_ms.saturating_add(LATE_MS) >= begins_ms
    };
    // Those of streams that were over before are nothing to look into.
    let recorders: BTreeSet<_> =
        files.iter().filter(|file| may_have(file)).map(|file| file.recorder.clone()).collect();
    let files: Vec<_> =
        files.into_iter().filter(|file| recorders.contains(&file.recorder)).collect();
    let live = match files.is_empty() || is_of_tracks && lead.is_none() {
        true => Vec::new(),
        false => known(&muxer.lock(), lead),
    };
    let mut sources = sources(&files);
    let search = move || {
        let Some((of, at)) = search(&sources, &live)? else { return Ok(None) };
        Ok::<_, range::Error>(Some((sources.swap_remove(of), live, at)))
    };
    let there = api.downloads.work(search).await.and_then(|there| Ok(there?)).map_err(refused)?;
    let Some((source, live, at)) = there else {
        return Ok(if is_growing { Looked::NotYet } else { Looked::Nothing });
    };
    let tries = tries(&muxer.lock(), lead, live.get(at..).unwrap_or_default());
    let from_ms = oldest_ms();
    let list = move || list(&source, lead, &tries, from_ms);
    let found = api.downloads.work(list).await.and_then(|found| Ok(found?)).map_err(refused)?;
    // It was there just now.
    Ok(found.map_or(Looked::Nothing, |found| Looked::Found(Box::new(found))))
}

/// The live segments of a track that may be in files, oldest first.
fn known(state: &State, lead: Track) -> Vec<Live> {
    let Some(window) = state.window(lead) else { return Vec::new() };
    let of_trace = window.anchors().filter(|live| live.trace.is_some());
    of_trace.filter_map(|live| Some((live, window.init(live.init)?.clone()))).collect()
}

/// Looks in what each recorder made for a live segment; the first that is there, if what is recorded goes on. Whose it
/// is, and which one.
fn search(sources: &[Source], live: &[Live]) -> Result<Option<(usize, usize)>, range::Error> {
    let begins_ms: Vec<_> = live.iter().map(|(live, _)| live.unix_ms).collect();
    for (of, source) in sources.iter().enumerate() {
        let is_there = |at: usize| -> Result<bool, range::Error> {
            let Some((live, init)) = live.get(at) else { return Ok(false) };
            let Some(trace) = &live.trace else { return Ok(false) };
            Ok(source.find(trace, &init.movie, live.unix_ms)?.is_some())
        };
        let mut missed = BTreeSet::new();
        for at in places(source.segments().map(|file| file.start_unix_ms), &begins_ms) {
            if !is_there(at)? {
                missed.insert(at);
                continue;
            }
            let (mut low, mut high) = (missed.range(..at).next_back().map_or(0, |at| at + 1), at);
            while low < high {
                let middle = low.midpoint(high);
                match is_there(middle)? {
                    true => high = middle,
                    false => low = middle + 1,
                }
            }
            return Ok(Some((of, high)));
        }
    }
    Ok(None)
}

/// Which live segments are looked for, by when they and the files begin: the oldest, the oldest since a file begins, and
/// one of any length of time before now that may be recorded, for clocks say little.
fn places(files_ms: impl Iterator<Item = i64>, live_ms: &[i64]) -> Vec<usize> {
    let begins_ms = live_ms.first().copied().unwrap_or(i64::MAX);
    let since_ms = files_ms.filter(|since_ms| *since_ms >= begins_ms).min().unwrap_or(i64::MAX);
    let since = live_ms.partition_point(|live_ms| *live_ms < since_ms);
    let newest = iter::successors(Some(1_usize), |back| back.checked_mul(2));
    let newest = newest.map_while(|back| live_ms.len().checked_sub(back));
    let (mut seen, first) = (BTreeSet::new(), (0..ANCHORS).chain(since..since + ANCHORS));
    let all = first.chain(newest).filter(|at| *at < live_ms.len());
    all.filter(|at| seen.insert(*at)).collect()
}

/// A live segment that lists may lead to, and those of other tracks beside it.
struct Try {
    live: Live,
    others: Vec<(TrackName, Live)>,
}

fn tries(state: &State, lead: Track, live: &[Live]) -> Vec<Try> {
    let others = |live: &Logged| {
        let names = state.renditions.names().filter(|name| lead.is_some() && lead != Some(*name));
        let beside =
            names.filter_map(|name| Some((name, beside(state.window(Some(name))?, live)?)));
        beside.collect()
    };
    let most = if lead.is_some() { ANCHORS } else { 1 };
    live.iter().take(most).map(|live| Try { live: live.clone(), others: others(&live.0) }).collect()
}

/// The segment of another track that begins where one does, or near it.
pub(super) fn beside(window: &Window, live: &Logged) -> Option<Live> {
    let apart_ms = |other: &Logged| other.unix_ms.abs_diff(live.unix_ms);
    let near = window.anchors().filter(|other| apart_ms(other) <= APART_MS);
    let nearest = near.min_by_key(|other| (other.number.abs_diff(live.number), apart_ms(other)))?;
    Some((nearest, window.init(nearest.init)?.clone()))
}

/// When that was recorded, if the one beside it was found.
pub(super) fn beside_ms(found: &Found, lead: &Trace, other: &Trace) -> i64 {
    let later_ms = other.begin_ms.wrapping_sub(lead.begin_ms).cast_signed();
    found.unix_ms.saturating_add(later_ms)
}

/// Lists what leads to the first of these that is in the middle of a file with all beside it, so that nothing is between
/// them; if there is none, to the first.
fn list(
    source: &Source,
    lead: Track,
    tries: &[Try],
    from_ms: i64,
) -> Result<Option<Rewind>, range::Error> {
    let mut first: Option<(bool, OfLead<'_>, Vec<Beside<'_>>)> = None;
    for Try { live: (live, init), others } in tries {
        let Some(trace) = &live.trace else { continue };
        let Some(found) = source.find(trace, &init.movie, live.unix_ms)? else { continue };
        let mut beside = Vec::new();
        for (name, (live, init)) in others {
            let found = match &live.trace {
                Some(of) => source.find(of, &init.movie, beside_ms(&found, trace, of))?,
                None => None,
            };
            beside.push((*name, Sought { live, init, found }));
        }
        let file = source.segments().nth(found.segment);
        let is_inside = found.file_ms >= INSIDE_MS || file.is_some_and(|file| file.number == 1);
        let is_there = |(_, of): &Beside<'_>| {
            let is_beside = |other: Found| other.segment == found.segment;
            of.live.trace.is_none() || of.found.is_some_and(is_beside)
        };
        let is_best = is_inside && beside.iter().all(is_there);
        let of_lead = (lead, Sought { live, init, found: Some(found) }, found);
        if is_best || first.as_ref().is_none_or(|(was_inside, ..)| is_inside && !was_inside) {
            first = Some((is_inside, of_lead, beside));
        }
        if is_best {
            break;
        }
    }
    let Some((_, of_lead, beside)) = first else { return Ok(None) };
    Rewind::new(source, of_lead, &beside, from_ms).map(Some)
}

#[cfg(test)]
mod tests;
