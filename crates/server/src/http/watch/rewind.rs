//! Rewinding: a live playlist that reaches back over what was recorded (`?dvr=2h`).
//!
//! Nothing of it is done before somebody asks. Then a whole segment of the muxer is looked for in the recordings of the
//! stream, by its packets ([`media::hls::Trace`]). What was recorded before it is listed once, for as far back as
//! anybody may ask, and stays as it is but for what is deleted. Segments that have left the window are found in the same
//! way, each when it is asked for; those that nobody recorded are told as gaps ([`lost`]). Which numbers all of them have is
//! `media::hls::Reach`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::range::{self, Found, HlsSegment, Place, Source};
use archive::{Plan, RecordingId, Status, SystemDisk, catalog};
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use axum::http::{Method, Uri};
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use media::hls::{Before, Init, Logged, Map, Options, Reach, Trace};

use super::hls::{Playlist, ranged};
use super::muxer::{Muxer, State};
use super::{Api, mp4};
use crate::config;
use crate::http::extract::bad_value;
use crate::http::files::MP4;
use crate::http::hls::{file_of, unknown};
use crate::http::media::refused;
use crate::http::problem::{Code, Problem};
use crate::http::recordings::ask;

mod lost;

use lost::Fates;

/// The longest that a playlist reaches back.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// When the first live segment begins: what was recorded before it is at a time as well.
pub(super) const START_MS: u64 = 25 * 3_600_000;
/// Segments of the archive in a list.
const ENTRIES: usize = 50_000;
/// How long the first live segments are waited for in the files.
const FIND_TIME: Duration = Duration::from_secs(10);
/// After that it is not tried again for so long.
const NOTHING_TIME: Duration = Duration::from_secs(10);
/// How long a live segment that has left memory is waited for, which the catalog may not have heard of.
const AGAIN_TIME: Duration = Duration::from_secs(3);
/// How often it is looked whether a recorder has come so far.
const RETRY: Duration = Duration::from_millis(250);
/// Live segments that are looked for until one is found: the first ones, and the first since something is recorded.
const ANCHORS: usize = 3;
/// How often it is looked what was deleted.
const LOOK: Duration = Duration::from_secs(5);
/// Lists that are kept until there is something new.
const LISTS: usize = 16;
/// What is not found so long after it was live is not in the files.
const LATE_MS: i64 = 60_000;
/// What was recorded does not change; others are not to be shown it.
const KEEP: &str = "private, max-age=3600, immutable";
/// What names of files begin with that may be of the archive.
const PREFIX: &str = "rewind-";

/// What a stream can be rewound into.
pub(super) struct Rewind {
    recorder: String,
    anchor: u64,
    discontinuities: u64,
    goes_on: bool,
    target_s: u64,
    /// How much later the live clock on the wall is than that of the recording.
    drift_ms: i64,
    files: Arc<[Recorded]>,
    before: Vec<Before>,
    kept: u64,
    lost: BTreeSet<u64>,
    fates: Fates,
    looked: Instant,
}

/// Of a segment before the first live one: where it is.
#[derive(Debug, Clone, Copy)]
struct Recorded {
    recording: RecordingId,
    number: u32,
    place: Place,
    shift_ms: i64,
    init: u64,
}

/// Of a stream that somebody has asked to rewind.
#[derive(Default)]
pub(super) struct Rewinding {
    /// What was found.
    found: Option<Rewind>,
    /// When nothing was.
    nothing: Option<Instant>,
    /// The lists of now, by their length and whether they are updates.
    lists: HashMap<(Duration, bool), Playlist>,
    /// How often there was something new.
    changes: u64,
}

impl Rewinding {
    /// Whether it is known what the stream can be rewound into.
    pub(super) fn is_found(&self) -> bool {
        self.found.is_some()
    }

    /// There is something new.
    pub(super) fn change(&mut self) {
        self.changes += 1;
        self.lists.clear();
    }

    /// Segments, by their numbers in lists, are nowhere.
    fn lose(&mut self, numbers: impl IntoIterator<Item = u64>) {
        self.change();
        if let Some(found) = &mut self.found {
            found.lost.extend(numbers);
            found.fates.tell();
        }
    }
}

/// How far back a request wants to reach; none where it does not say.
pub(super) fn length(uri: &Uri) -> Result<Option<Duration>, Problem> {
    let Some(text) = value(uri, "dvr") else { return Ok(None) };
    let read = config::duration(text).ok().filter(|time| *time <= LONGEST);
    let read = read.filter(|time| time.as_secs() > 0);
    let form = "expected how far back, such as 30m or 2h, at least 1s and at most 24h";
    read.map(Some).ok_or_else(|| bad_value("dvr", form))
}

/// Whether a request may read what was recorded.
pub(super) fn reads_archive(uri: &Uri, file: &str) -> bool {
    file.starts_with(PREFIX) || value(uri, "dvr").is_some()
}

/// A value of the query, as it stands there.
pub(super) fn value<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Finds out what a stream can be rewound into. Returns whether there is anything.
pub(super) async fn begin(api: &Arc<Api>, muxer: &Muxer) -> Result<bool, Problem> {
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
            Looked::Found(found) => muxer.lock().rewinding.found = Some(*found),
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

/// Looks for the first live segments in what each recorder made of the stream.
async fn look(api: &Api, muxer: &Muxer) -> Result<Looked, Problem> {
    let mut files: BTreeMap<String, Vec<range::Segment>> = BTreeMap::new();
    // The catalog may not have heard of it.
    let runs = |known: &Status| known.key == muxer.key;
    let is_growing = api.context.archive.list().iter().any(runs);
    for file in files_of(api, muxer, None).await?.unwrap_or_default() {
        files.entry(file.recorder.clone()).or_default().push((&file).into());
    }
    let anchors = anchors(&muxer.lock(), &files);
    let from_ms = oldest_ms();
    let search = move || search(&files, &anchors, from_ms);
    let found = api.downloads.work(search).await.and_then(|found| Ok(found?));
    Ok(match found.map_err(refused)? {
        Some(found) => Looked::Found(Box::new(found)),
        None if is_growing => Looked::NotYet,
        None => Looked::Nothing,
    })
}

fn oldest_ms() -> i64 {
    let longest_ms = i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX);
    Timestamp::now().as_millisecond().saturating_sub(longest_ms)
}

/// The files that a playlist may reach into; `None` where the catalog is away, as with a disk.
async fn files_of(
    api: &Api,
    muxer: &Muxer,
    recorder: Option<String>,
) -> Result<Option<Vec<catalog::Segment>>, Problem> {
    let key = muxer.key.clone();
    let question = move |reader: &catalog::Reader| {
        reader.segments_between(key.as_str(), oldest_ms(), i64::MAX, recorder.as_deref())
    };
    ask(api, question).await
}

/// The first live segments that may be in the files.
fn anchors(
    state: &State,
    files: &BTreeMap<String, Vec<range::Segment>>,
) -> Vec<(Logged, Arc<Init>)> {
    let begins = files.values().flatten().map(|file| file.start_unix_ms);
    let oldest_ms = begins.min().unwrap_or(i64::MAX).saturating_sub(LATE_MS);
    let known = || state.window.anchors().filter(|live| live.trace.is_some());
    let mut anchors: Vec<_> = known().take(ANCHORS).collect();
    let first = anchors.last().map_or(0, |last| last.number + 1);
    let since = known().filter(|live| live.number >= first && live.unix_ms >= oldest_ms);
    anchors.extend(since.take(ANCHORS));
    let init = |live: Logged| Some((live, state.window.init(live.init)?.clone()));
    anchors.into_iter().filter_map(init).collect()
}

fn search(
    files: &BTreeMap<String, Vec<range::Segment>>,
    anchors: &[(Logged, Arc<Init>)],
    from_ms: i64,
) -> Result<Option<Rewind>, range::Error> {
    // What somebody asked for by a call is often short: a recorder of the configuration comes first.
    let is_api = |(recorder, _): &(&String, _)| *recorder == Plan::API;
    let (asked_for, configured): (Vec<_>, Vec<_>) = files.iter().partition(is_api);
    for (recorder, files) in configured.into_iter().chain(asked_for) {
        let source = Source::new(Arc::new(SystemDisk), files.iter().cloned());
        for (live, init) in anchors {
            let Some(trace) = &live.trace else { continue };
            if let Some(found) = source.find(trace, &init.movie, live.unix_ms)? {
                return listed(&source, &found, (live, init), recorder, from_ms).map(Some);
            }
        }
    }
    Ok(None)
}

/// Lists what was recorded before a live segment.
fn listed(
    source: &Source,
    found: &Found,
    (live, init): (&Logged, &Init),
    recorder: &str,
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
        recorder: recorder.to_owned(),
        anchor: live.number,
        discontinuities: live.discontinuities + u64::from(live.is_discontinuous),
        goes_on: lead_in.goes_on,
        target_s: lead_in.hls.target_s(),
        drift_ms,
        files: files.into(),
        before,
        kept: 0,
        lost: BTreeSet::new(),
        fates: Fates::since(live.number),
        looked: Instant::now(),
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

impl Rewind {
    fn reach(&self, first: u64, length: Duration, skips: bool) -> Reach<'_> {
        Reach {
            before: &self.before,
            anchor: self.anchor,
            goes_on: self.goes_on,
            discontinuities: self.discontinuities,
            first,
            kept: self.kept,
            lost: &self.lost,
            lost_ago_ms: self.fates.told_ago_ms(),
            target_s: self.target_s,
            length_ms: u64::try_from(length.as_millis()).unwrap_or(u64::MAX),
            skips,
        }
    }

    /// The number of the first segment that is still there, of those files.
    fn kept(&self, first: u64, state: &State, files: &[catalog::Segment]) -> u64 {
        let there: BTreeSet<_> = files.iter().map(|file| (file.recording, file.number)).collect();
        let is_gone = |file: &Recorded| !there.contains(&(file.recording, file.number));
        let oldest = first + self.anchor - self.before.len() as u64;
        let gone = self.files.iter().rposition(is_gone).map_or(0, |last| last + 1);
        if gone < self.files.len() {
            return oldest + gone as u64;
        }
        let recorded = files.iter().filter(|file| !file.is_clip);
        let begins_ms = recorded.map(|file| file.start_unix_ms).min().unwrap_or(i64::MAX);
        let is_older = |live: &Logged| live.unix_ms.saturating_sub(self.drift_ms) < begins_ms;
        let after = state.window.anchors().take_while(is_older).last();
        first + after.map_or(self.anchor, |last| last.number + 1)
    }
}

/// The list of now; `None` where the stream cannot be rewound. One of a day takes a while to write out: live viewers do
/// not wait for that, and who wants the same gets what one had written out.
pub(super) async fn playlist(muxer: &Muxer, length: Duration, skips: bool) -> Option<Playlist> {
    let _turn = muxer.lists.lock().await;
    let (list, changes) = {
        let State { window, rewinding, .. } = &mut *muxer.lock();
        if let Some(known) = rewinding.lists.get(&(length, skips)) {
            return Some(known.clone());
        }
        let reach = rewinding.found.as_ref()?.reach(muxer.first, length, skips);
        (window.rewind(&reach)?, rewinding.changes)
    };
    let list = tokio::task::spawn_blocking(move || Playlist::of(&list)).await.ok()?;
    let rewinding = &mut muxer.lock().rewinding;
    if rewinding.changes == changes && rewinding.lists.len() < LISTS {
        rewinding.lists.insert((length, skips), list.clone());
    }
    Some(list)
}

/// Has it looked what was deleted, and what nobody recorded, from time to time. Nobody waits for it.
pub(super) fn refresh(api: &Arc<Api>, muxer: &Arc<Muxer>) {
    let recorder = {
        let rewinding = &mut muxer.lock().rewinding;
        let Some(found) = &mut rewinding.found else { return };
        if found.looked.elapsed() < LOOK {
            return;
        }
        found.looked = Instant::now();
        found.recorder.clone()
    };
    let (of_task, muxer) = (api.clone(), muxer.clone());
    api.views.tasks.spawn(async move {
        let files = files_of(&of_task, &muxer, Some(recorder.clone())).await;
        // Without a catalog nothing is known to be deleted.
        let Ok(Some(files)) = files else { return };
        note_deleted(&mut muxer.lock(), muxer.first, &files);
        lost::look(&of_task, &muxer, &recorder, &files).await;
    });
}

fn note_deleted(state: &mut State, first: u64, files: &[catalog::Segment]) {
    let found = state.rewinding.found.as_ref();
    let Some(kept) = found.map(|found| found.kept(first, state, files)) else { return };
    let rewinding = &mut state.rewinding;
    if let Some(found) = rewinding.found.as_mut().filter(|found| found.kept < kept) {
        found.kept = kept;
        rewinding.change();
    }
}

/// What a list names: segments, in memory or in files, and initializations of files.
pub(super) async fn file(
    api: &Arc<Api>,
    muxer: &Muxer,
    name: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Response>, Problem> {
    let name = name.strip_prefix(PREFIX).and_then(|name| name.rsplit_once('.'));
    let Some((name, kind)) = name else { return Ok(None) };
    if let (Some(number), "mp4") = (name.strip_prefix("init-"), kind) {
        let Ok(number) = number.parse() else { return Ok(None) };
        return init(api, muxer, number).await;
    }
    let Some(number) = name.parse().ok().filter(|_: &u64| kind == "m4s") else { return Ok(None) };
    let segment = at(&muxer.lock(), muxer.first, number);
    let answer = match segment {
        None => return Ok(None),
        Some(Segment::Live(kind, bytes)) => Ok(ranged(kind, bytes, headers)),
        Some(Segment::Logged(live, init)) => again(api, muxer, number, &live, &init, headers).await,
        Some(Segment::Recorded(Recorded { recording, number, place, shift_ms, .. })) => {
            let file = file_of(api, recording, number).await?;
            let make = move || source(file).fragments_at(0, place, shift_ms);
            api.downloads.fragments(make, MP4, method).await.map_err(unknown)
        }
    };
    answer.map(lasting).map(Some)
}

enum Segment {
    Live(&'static str, Vec<Bytes>),
    Logged(Logged, Arc<Init>),
    Recorded(Recorded),
}

/// A segment of a list.
fn at(state: &State, first: u64, number: u64) -> Option<Segment> {
    let found = state.rewinding.found.as_ref()?;
    let anchor = first + found.anchor;
    if number < anchor {
        let back = usize::try_from(anchor - number).ok()?;
        let at = found.files.len().checked_sub(back)?;
        return found.files.get(at).copied().map(Segment::Recorded);
    }
    if let Some(live) = state.window.segment(number - first) {
        let bytes = live.parts.iter().flat_map(|part| part.bytes.iter().cloned()).collect();
        return Some(Segment::Live(mp4::media_type(&live.begin.init), bytes));
    }
    if found.lost.contains(&number) {
        return None;
    }
    let live = *state.window.logged(number - first)?;
    let init = state.window.init(live.init)?.clone();
    Some(Segment::Logged(live, init))
}

/// A live segment that has left memory, out of the archive.
async fn again(
    api: &Api,
    muxer: &Muxer,
    number: u64,
    live: &Logged,
    init: &Arc<Init>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let known = muxer.lock().rewinding.found.as_ref().map(|it| (it.recorder.clone(), it.drift_ms));
    let gone = || {
        let detail = "it was not recorded, or not as it was live";
        Problem::new(Code::NotFound, detail)
    };
    let ((recorder, drift_ms), trace) = known.zip(live.trace).ok_or_else(gone)?;
    let unix_ms = live.unix_ms.saturating_sub(drift_ms);
    let until = Instant::now() + AGAIN_TIME;
    loop {
        let away = || Problem::new(Code::CatalogUnavailable, "the catalog is not there");
        let files = files_of(api, muxer, Some(recorder.clone())).await?.ok_or_else(away)?;
        if let Some((_, bytes)) = made_of(api, &files, trace, init, unix_ms).await? {
            return Ok(ranged(mp4::media_type(init), bytes, headers));
        }
        if is_late(live) || Instant::now() + RETRY >= until {
            break;
        }
        tokio::time::sleep(RETRY).await;
    }
    // A recorder whose disk is in trouble may be so far behind.
    if is_late(live) && !lost::is_behind(api, muxer, &recorder, unix_ms) {
        muxer.lock().rewinding.lose([number]);
    }
    Err(gone())
}

/// Makes a live segment of files anew; `None` where they do not have it. Where it is: which recording, and when on that
/// one's clock, in ms.
async fn made_of(
    api: &Api,
    files: &[catalog::Segment],
    trace: Trace,
    init: &Arc<Init>,
    unix_ms: i64,
) -> Result<Option<((RecordingId, i64), Vec<Bytes>)>, Problem> {
    let files: Vec<_> = files.iter().map(range::Segment::from).collect();
    let init = init.clone();
    let make = move || {
        let source = Source::new(Arc::new(SystemDisk), files);
        let Some(found) = source.find(&trace, &init.movie, unix_ms)? else { return Ok(None) };
        let recording = source.segments().nth(found.segment).map(|file| file.recording);
        let place = recording.map(|recording| (recording, found.recording_ms));
        Ok(place.zip(source.again(&found, &trace, &init.movie)?))
    };
    let made: Result<_, range::Error> = api.downloads.work(make).await.map_err(refused)?;
    made.map_err(|error| refused(error.into()))
}

/// Whether a segment that is not in the files will not come into them.
fn is_late(live: &Logged) -> bool {
    Timestamp::now().as_millisecond().saturating_sub(live.unix_ms) > LATE_MS
}

/// An initialization of the archive: of the first of its segments that is still there.
async fn init(api: &Arc<Api>, muxer: &Muxer, number: u64) -> Result<Option<Response>, Problem> {
    let (files, kept) = {
        let state = muxer.lock();
        let Some(found) = &state.rewinding.found else { return Ok(None) };
        let oldest = muxer.first + found.anchor - found.files.len() as u64;
        (found.files.clone(), found.kept.saturating_sub(oldest))
    };
    let of_it = || files.iter().enumerate().filter(|(_, file)| file.init == number);
    let there = of_it().find(|(at, _)| *at as u64 >= kept).or_else(|| of_it().next());
    let Some((_, of)) = there else { return Ok(None) };
    let file = file_of(api, of.recording, of.number).await?;
    let settled = of.place.settled;
    let make = move || Ok(source(file).hls_init(0, settled)?);
    let answer = api.downloads.small(make, MP4).await.map_err(unknown)?;
    Ok(Some(lasting(answer)))
}

fn source(file: range::Segment) -> Source {
    Source::new(Arc::new(SystemDisk), [file])
}

/// Has players keep it.
fn lasting(mut answer: Response) -> Response {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(KEEP));
    answer
}
