//! Where a stream can be rewound into: a live segment is found in what a recorder made, and what was recorded before it
//! is listed.

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::Status;
use archive::catalog::State as FileState;
use archive::range::{self, Found, HlsSegment, Source};
use media::hls::{Before, Init, Logged, Map, Options};

use super::super::muxer::{Muxer, State};
use super::lost::Fates;
use super::{Api, LATE_MS, RETRY, Recorded, Rewind, files_of, oldest_ms, sources};
use crate::http::media::refused;
use crate::http::problem::{Code, Problem};

/// Segments of the archive in a list.
pub(super) const ENTRIES: usize = 50_000;
/// How long a live segment is waited for in the files.
const FIND_TIME: Duration = Duration::from_secs(10);
/// After that it is not tried again for so long.
const NOTHING_TIME: Duration = Duration::from_secs(10);
/// The oldest live segments, and the oldest since something is recorded, that are looked for before any other.
const ANCHORS: usize = 3;

/// Finds out what a stream can be rewound into. Returns whether there is anything.
pub(in crate::http::watch) async fn begin(api: &Arc<Api>, muxer: &Muxer) -> Result<bool, Problem> {
    let until = tokio::time::Instant::now() + FIND_TIME;
    let Ok(_turn) = tokio::time::timeout_at(until, muxer.rewinds.lock()).await else {
        let detail = "somebody else waits for the disk already";
        return Err(Problem::new(Code::DiskTimeout, detail));
    };
    loop {
        {
            let rewinding = &mut muxer.lock().rewinding;
            if rewinding.found.is_some() {
                return Ok(true);
            }
            if rewinding.nothing.is_some_and(|nothing| nothing.elapsed() < NOTHING_TIME) {
                return Ok(false);
            }
        }
        match look(api, muxer).await? {
            Looked::Found(found) => note(muxer, *found),
            Looked::NotYet if tokio::time::Instant::now() + RETRY < until => {
                tokio::time::sleep(RETRY).await;
            }
            Looked::NotYet | Looked::Nothing => break,
        }
    }
    muxer.lock().rewinding.nothing = Some(Instant::now());
    Ok(false)
}

enum Looked {
    Found(Box<Rewind>),
    /// A recorder is behind, or has only just begun.
    NotYet,
    Nothing,
}

/// Looks again for what was not found, if nobody does.
pub(super) async fn again(api: &Api, muxer: &Muxer) {
    let Ok(_turn) = muxer.rewinds.try_lock() else { return };
    // Who asks for it is told of trouble with the disk.
    if !muxer.lock().rewinding.is_found()
        && let Ok(Looked::Found(found)) = look(api, muxer).await
    {
        note(muxer, *found);
    }
}

/// From here on lists reach back.
fn note(muxer: &Muxer, found: Rewind) {
    let mut state = muxer.lock();
    let listed = state.window.listed();
    state.rewinding.found = Some(Rewind { listed, ..found });
    state.rewinding.change();
}

/// A live segment and its initialization.
type Live = (Logged, Arc<Init>);

/// Looks for live segments in what each recorder made of the stream.
async fn look(api: &Api, muxer: &Muxer) -> Result<Looked, Problem> {
    // The catalog may not have heard of it.
    let runs = |known: &Status| known.key == muxer.key;
    let is_growing = api.context.archive.list().iter().any(runs);
    let files = files_of(api, muxer).await?.unwrap_or_default();
    let begins_ms = muxer.lock().window.anchors().next().map_or(i64::MAX, |live| live.unix_ms);
    let may_have = |file: &archive::catalog::Segment| {
        file.state == FileState::Open || file.end_unix_ms.saturating_add(LATE_MS) >= begins_ms
    };
    // Those of streams that were over before are nothing to look into.
    let recorders: BTreeSet<_> =
        files.iter().filter(|file| may_have(file)).map(|file| file.recorder.clone()).collect();
    let files: Vec<_> =
        files.into_iter().filter(|file| recorders.contains(&file.recorder)).collect();
    let live = if files.is_empty() { Vec::new() } else { known(&muxer.lock()) };
    let (sources, from_ms) = (sources(&files), oldest_ms());
    let search = move || search(&sources, &live, from_ms);
    let found = api.downloads.work(search).await.and_then(|found| Ok(found?));
    Ok(match found.map_err(refused)? {
        Some(found) => Looked::Found(Box::new(found)),
        None if is_growing => Looked::NotYet,
        None => Looked::Nothing,
    })
}

/// The live segments that may be in files, oldest first.
fn known(state: &State) -> Vec<Live> {
    let of_trace = state.window.anchors().filter(|live| live.trace.is_some());
    of_trace.filter_map(|live| Some((live, state.window.init(live.init)?.clone()))).collect()
}

/// Looks in what each recorder made for a live segment; the first that is there, if what is recorded goes on.
fn search(sources: &[Source], live: &[Live], from_ms: i64) -> Result<Option<Rewind>, range::Error> {
    for source in sources {
        let find = |at: usize| -> Result<_, range::Error> {
            let Some((live, init)) = live.get(at) else { return Ok(None) };
            let Some(trace) = &live.trace else { return Ok(None) };
            let found = source.find(trace, &init.movie, live.unix_ms)?;
            Ok(found.map(|found| (found, live, init)))
        };
        let mut missed = BTreeSet::new();
        for at in places(source, live) {
            let Some(mut found) = find(at)? else {
                missed.insert(at);
                continue;
            };
            let (mut low, mut high) = (missed.range(..at).next_back().map_or(0, |at| at + 1), at);
            while low < high {
                let middle = low.midpoint(high);
                match find(middle)? {
                    Some(earlier) => (high, found) = (middle, earlier),
                    None => low = middle + 1,
                }
            }
            let (found, live, init) = found;
            return listed(source, &found, (live, init), from_ms).map(Some);
        }
    }
    Ok(None)
}

/// Which live segments are looked for: the oldest, the oldest since a file begins, and one of any length of time before
/// now that may be recorded, for clocks say little.
fn places(source: &Source, live: &[Live]) -> Vec<usize> {
    let begins_ms = live.first().map_or(i64::MAX, |(live, _)| live.unix_ms);
    let since_ms = source.segments().map(|file| file.start_unix_ms);
    let since_ms = since_ms.filter(|since_ms| *since_ms >= begins_ms).min().unwrap_or(i64::MAX);
    let since = live.partition_point(|(live, _)| live.unix_ms < since_ms);
    let newest = iter::successors(Some(1_usize), |back| back.checked_mul(2));
    let newest = newest.map_while(|back| live.len().checked_sub(back));
    let (mut seen, first) = (BTreeSet::new(), (0..ANCHORS).chain(since..since + ANCHORS));
    let all = first.chain(newest).filter(|at| *at < live.len());
    all.filter(|at| seen.insert(*at)).collect()
}

/// Lists what was recorded before a live segment.
fn listed(
    source: &Source,
    found: &Found,
    (live, init): (&Logged, &Init),
    from_ms: i64,
) -> Result<Rewind, range::Error> {
    let lead_in = source.lead_in(found, from_ms, Options::default().segment_ms)?;
    let known: Vec<_> = source.segments().collect();
    let recording = known.get(found.segment).map(|file| file.recording);
    let begin_ms = live.trace.map_or(0, |trace| trace.begin_ms);
    let begin_ms = i64::try_from(begin_ms).unwrap_or(i64::MAX);
    let shift_ms = begin_ms.saturating_sub(found.recording_ms);
    let drift_ms = live.unix_ms.saturating_sub(found.unix_ms);
    let (mut files, mut before) = (Vec::new(), Vec::new());
    let mut inits = Inits::default();
    let newest = lead_in.hls.segments.len().saturating_sub(ENTRIES);
    for segment in lead_in.hls.segments.iter().skip(newest) {
        let Some(file) = known.get(segment.segment) else { continue };
        let is_same = Some(file.recording) == recording;
        let age_ms = found.unix_ms.saturating_sub(segment.unix_ms);
        if is_same && age_ms > begin_ms {
            // It would be before time 0.
            (files, before) = Default::default();
            continue;
        }
        let is_first = before.is_empty();
        let init = inits.of(segment);
        files.push(Recorded {
            recording: file.recording,
            number: file.number,
            place: segment.place,
            shift_ms: if is_same { shift_ms } else { 0 },
            init,
        });
        before.push(Before {
            duration_ms: segment.duration_ms,
            unix_ms: segment.unix_ms.saturating_add(if is_same { drift_ms } else { 0 }),
            is_discontinuous: segment.is_discontinuous && !is_first,
            map: Map::Before(init),
        });
    }
    // Where the last of them are as the live ones, so is what is named.
    if let (Some((segment, settled)), true) = (inits.last, inits.count > 0)
        && source.hls_init(segment, settled)? == init.bytes
    {
        let last = Map::Before(inits.count - 1);
        let same = before.iter_mut().filter(|before| before.map == last);
        same.for_each(|before| before.map = Map::Live(live.init));
    }
    Ok(Rewind {
        anchor: live.number,
        discontinuities: live.discontinuities + u64::from(live.is_discontinuous),
        goes_on: lead_in.goes_on || before.is_empty(),
        target_s: lead_in.hls.target_s(),
        drift_ms,
        files: files.into(),
        before,
        kept: 0,
        listed: 0,
        found_unix_ms: found.unix_ms,
        lost: BTreeSet::new(),
        fates: Fates::since(live.number),
    })
}

/// The initializations of a list, numbered.
#[derive(Default)]
struct Inits {
    count: u64,
    /// The file and the place of the newest, and of the segment before.
    last: Option<(usize, u64)>,
    before: Option<(usize, u64)>,
    /// Whether the newest is that of the start of a file.
    is_of_start: bool,
}

impl Inits {
    /// The number of the initialization of the next segment.
    fn of(&mut self, segment: &HlsSegment) -> u64 {
        let this = (segment.segment, segment.place.settled);
        let begins_file = self.before.is_none_or(|(file, _)| file != this.0);
        // What goes on in another file has the configuration of the file before.
        let is_new = match begins_file {
            true => self.before.is_none() || segment.is_discontinuous || !self.is_of_start,
            false => self.before != Some(this),
        };
        self.before = Some(this);
        if is_new {
            (self.last, self.is_of_start) = (Some(this), begins_file);
            self.count += 1;
        }
        self.count - 1
    }
}
