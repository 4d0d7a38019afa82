//! Rewinding: a live playlist that reaches back over what was recorded (`?dvr=2h`).
//!
//! Nothing of it is done before somebody asks. Then a whole segment of the muxer is looked for in the recordings of the
//! stream, by its packets ([`media::hls::Trace`]). What was recorded before it is listed once, for as far back as
//! anybody may ask, and stays as it is but for what is deleted. Segments that have left the window are found in the same
//! way, each when it is asked for; those that nobody recorded are told as gaps ([`lost`]). Which numbers all of them have is
//! `media::hls::Reach`.
//!
//! Where nothing is found yet, the list is the ordinary one, by numbers of its own. It is looked again while somebody
//! reloads it; from then on what leaves the window stays in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::catalog::State as FileState;
use archive::range::{self, Place, Source};
use archive::{Plan, RecordingId, SystemDisk, catalog};
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use axum::http::{Method, Uri};
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use media::hls::{Before, Init, Logged, Reach, Trace};

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

mod find;
mod lost;

pub(in crate::http::watch) use find::begin;
use lost::Fates;

/// The longest that a playlist reaches back.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// When the first live segment begins: what was recorded before it is at a time as well.
pub(super) const START_MS: u64 = 25 * 3_600_000;
/// How long a live segment that has left memory is waited for, which the catalog may not have heard of.
const AGAIN_TIME: Duration = Duration::from_secs(3);
/// How often it is looked whether a recorder has come so far.
const RETRY: Duration = Duration::from_millis(250);
/// How often it is looked what was deleted, and whether anything is recorded.
const LOOK: Duration = Duration::from_secs(5);
/// Lists that are kept until there is something new.
const LISTS: usize = 16;
/// What is not found so long after it was live is not in the files.
const LATE_MS: i64 = 60_000;
/// What was recorded does not change; others are not to be shown it.
const KEEP: &str = "private, max-age=3600, immutable";
/// No segments.
static NONE: BTreeSet<u64> = BTreeSet::new();
/// What names of files begin with that may be of the archive.
const PREFIX: &str = "rewind-";

/// How a list that reaches back is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// How far.
    length: Duration,
    /// Whether it was given when nothing was found: there is nothing in it but what was live since.
    is_of_live: bool,
}

impl Asked {
    pub(super) fn new(length: Duration, is_of_live: bool) -> Self {
        Self { length, is_of_live }
    }

    /// How a media playlist is asked for it.
    pub(super) fn query(self) -> String {
        let from = if self.is_of_live { "&from=live" } else { "" };
        format!("dvr={}s{from}", self.length.as_secs())
    }

    /// The number of live segment 0 there.
    pub(super) fn first(self, muxer: &Muxer) -> u64 {
        if self.is_of_live { 0 } else { muxer.first }
    }
}

/// What a stream can be rewound into.
pub(super) struct Rewind {
    anchor: u64,
    discontinuities: u64,
    goes_on: bool,
    target_s: u64,
    /// How much later the live clock on the wall is than that of the recording.
    drift_ms: i64,
    files: Arc<[Recorded]>,
    before: Vec<Before>,
    kept: u64,
    /// The first live segment that was listed when this was found.
    listed: u64,
    /// When what the anchor is found in was recorded, in ms since 1970.
    found_unix_ms: i64,
    lost: BTreeSet<u64>,
    fates: Fates,
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
    /// When it was looked last what has become of it.
    looked: Option<Instant>,
    /// The lists of now, and whether they are updates.
    lists: HashMap<(Asked, bool), Playlist>,
    /// How often there was something new.
    changes: u64,
}

impl Rewinding {
    /// Whether it is known what the stream can be rewound into.
    fn is_found(&self) -> bool {
        self.found.is_some()
    }

    /// Whether there is such a list.
    pub(super) fn has(&self, asked: Asked) -> bool {
        asked.is_of_live || self.is_found()
    }

    /// There is something new.
    pub(super) fn change(&mut self) {
        self.changes += 1;
        self.lists.clear();
    }

    /// What a list is; `None` where there is none.
    fn reach(&self, first: u64, asked: Asked, skips: bool) -> Option<Reach<'_>> {
        let found = self.found.as_ref();
        let length_ms = u64::try_from(asked.length.as_millis()).unwrap_or(u64::MAX);
        let reach = Reach {
            lost: found.map_or(&NONE, |found| &found.lost),
            lost_ago_ms: found.and_then(|found| found.fates.told_ago_ms()),
            length_ms,
            skips,
            ..Reach::of_live(&NONE)
        };
        if asked.is_of_live {
            let kept = found.map_or(u64::MAX, |found| found.kept_of_live(first));
            return Some(Reach { kept, ..reach });
        }
        let found = found?;
        Some(Reach {
            before: &found.before,
            anchor: found.anchor,
            goes_on: found.goes_on,
            discontinuities: found.discontinuities,
            first,
            kept: found.kept,
            target_s: found.target_s,
            ..reach
        })
    }

    /// Whether it is time to look again.
    fn is_due(&mut self) -> bool {
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        if is_due {
            self.looked = Some(Instant::now());
        }
        is_due
    }

    /// Live segments are nowhere.
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

/// The list that a request for a media playlist asks for; none where that is the ordinary one.
pub(super) fn asked(uri: &Uri) -> Result<Option<Asked>, Problem> {
    let is_of_live = value(uri, "from") == Some("live");
    Ok(length(uri)?.map(|length| Asked { length, is_of_live }))
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

fn oldest_ms() -> i64 {
    let longest_ms = i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX);
    Timestamp::now().as_millisecond().saturating_sub(longest_ms)
}

/// What each recorder made of a stream. What somebody asked for by a call is often short: a recorder of the configuration
/// comes first.
fn sources(files: &[catalog::Segment]) -> Vec<Source> {
    let mut all: BTreeMap<(bool, &str), Vec<range::Segment>> = BTreeMap::new();
    for file in files {
        let recorder = (file.recorder == Plan::API, &*file.recorder);
        all.entry(recorder).or_default().push(file.into());
    }
    all.into_values().map(|files| Source::new(Arc::new(SystemDisk), files)).collect()
}

/// The files that a playlist may reach into; `None` where the catalog is away, as with a disk.
async fn files_of(api: &Api, muxer: &Muxer) -> Result<Option<Vec<catalog::Segment>>, Problem> {
    let key = muxer.key.clone();
    let question = move |reader: &catalog::Reader| {
        reader.segments_between(key.as_str(), oldest_ms(), i64::MAX, None)
    };
    ask(api, question).await
}

impl Rewind {
    /// The first live segment that a list stays with which has nothing else: one that was shown when this was found.
    fn kept_of_live(&self, first: u64) -> u64 {
        self.kept.saturating_sub(first).max(self.anchor).max(self.listed)
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
        let recorded = files.iter().filter(|file| !file.is_clip && self.may_have_live(file));
        let begins_ms = recorded.map(|file| file.start_unix_ms).min().unwrap_or(i64::MAX);
        let is_older = |live: &Logged| live.unix_ms.saturating_sub(self.drift_ms) < begins_ms;
        let after = state.window.anchors().take_while(is_older).last();
        first + after.map_or(self.anchor, |last| last.number + 1)
    }

    /// Whether what is live may be in a file.
    fn may_have_live(&self, file: &catalog::Segment) -> bool {
        file.state == FileState::Open || file.end_unix_ms >= self.found_unix_ms
    }
}

/// The list of now; `None` where the stream cannot be rewound. One of a day takes a while to write out: live viewers do
/// not wait for that, and who wants the same gets what one had written out.
pub(super) async fn playlist(muxer: &Muxer, asked: Asked, skips: bool) -> Option<Playlist> {
    let _turn = muxer.lists.lock().await;
    let (list, changes) = {
        let State { window, rewinding, .. } = &mut *muxer.lock();
        if let Some(known) = rewinding.lists.get(&(asked, skips)) {
            return Some(known.clone());
        }
        let reach = rewinding.reach(muxer.first, asked, skips)?;
        (window.rewind(&reach)?, rewinding.changes)
    };
    let list = tokio::task::spawn_blocking(move || Playlist::of(&list)).await.ok()?;
    let rewinding = &mut muxer.lock().rewinding;
    if rewinding.changes == changes && rewinding.lists.len() < LISTS {
        rewinding.lists.insert((asked, skips), list.clone());
    }
    Some(list)
}

/// Has it looked from time to time what was deleted, and what nobody recorded; or, where nothing was found and somebody
/// rewinds, whether anything is by now. Nobody waits for it.
pub(super) fn refresh(api: &Arc<Api>, muxer: &Arc<Muxer>, is_rewound: bool) {
    let is_found = {
        let rewinding = &mut muxer.lock().rewinding;
        let is_found = rewinding.is_found();
        if !is_found && !is_rewound || !rewinding.is_due() {
            return;
        }
        is_found
    };
    let (of_task, muxer) = (api.clone(), muxer.clone());
    api.views.tasks.spawn(async move {
        if !is_found {
            return find::again(&of_task, &muxer).await;
        }
        // Without a catalog nothing is known to be deleted.
        let Ok(Some(files)) = files_of(&of_task, &muxer).await else { return };
        note_deleted(&mut muxer.lock(), muxer.first, &files);
        lost::look(&of_task, &muxer, &files).await;
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
        Some(Segment::Logged(live, init)) => again(api, muxer, &live, &init, headers).await,
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
    let found = state.rewinding.found.as_ref();
    // Lists of what is live begin at 0, the others far from there.
    let live = if number < first / 2 {
        number
    } else {
        let found = found?;
        let anchor = first + found.anchor;
        if number < anchor {
            let back = usize::try_from(anchor - number).ok()?;
            let at = found.files.len().checked_sub(back)?;
            return found.files.get(at).copied().map(Segment::Recorded);
        }
        number - first
    };
    if let Some(live) = state.window.segment(live) {
        let bytes = live.parts.iter().flat_map(|part| part.bytes.iter().cloned()).collect();
        return Some(Segment::Live(mp4::media_type(&live.begin.init), bytes));
    }
    found.filter(|found| live >= found.anchor && !found.lost.contains(&live))?;
    let live = *state.window.logged(live)?;
    let init = state.window.init(live.init)?.clone();
    Some(Segment::Logged(live, init))
}

/// A live segment that has left memory, out of the archive.
async fn again(
    api: &Api,
    muxer: &Muxer,
    live: &Logged,
    init: &Arc<Init>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let drift_ms = muxer.lock().rewinding.found.as_ref().map(|it| it.drift_ms);
    let gone = || {
        let detail = "it was not recorded, or not as it was live";
        Problem::new(Code::NotFound, detail)
    };
    let (drift_ms, trace) = drift_ms.zip(live.trace).ok_or_else(gone)?;
    let unix_ms = live.unix_ms.saturating_sub(drift_ms);
    let until = Instant::now() + AGAIN_TIME;
    loop {
        let away = || Problem::new(Code::CatalogUnavailable, "the catalog is not there");
        let files = files_of(api, muxer).await?.ok_or_else(away)?;
        if let Some((_, bytes)) = made_of(api, &files, trace, init, unix_ms).await? {
            return Ok(ranged(mp4::media_type(init), bytes, headers));
        }
        if is_late(live) || Instant::now() + RETRY >= until {
            break;
        }
        tokio::time::sleep(RETRY).await;
    }
    // A recorder whose disk is in trouble may be so far behind.
    if is_late(live) && !lost::is_behind(api, muxer, unix_ms) {
        muxer.lock().rewinding.lose([live.number]);
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
    let (sources, init) = (sources(files), init.clone());
    let make = move || {
        for source in sources {
            let Some(found) = source.find(&trace, &init.movie, unix_ms)? else { continue };
            let recording = source.segments().nth(found.segment).map(|file| file.recording);
            let place = recording.map(|recording| (recording, found.recording_ms));
            return Ok(place.zip(source.again(&found, &trace, &init.movie)?));
        }
        Ok(None)
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
