//! What lists that reach back name: segments in memory, out of it and from before, and initializations.

use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::range::{self, Found, Source};
use archive::{RecordingId, SystemDisk, catalog};
use axum::http::Method;
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use media::Kind;
use media::hls::{Init, Logged, Trace};

use super::super::hls::ranged;
use super::super::mp4;
use super::super::muxer::{Muxer, State};
use super::past::Recorded;
use super::{Api, PREFIX, RETRY, Track, files_of, find, is_late, lost, sources};
use crate::http::files::{M4A, MP4};
use crate::http::hls::{file_of, unknown};
use crate::http::media::refused;
use crate::http::problem::{Code, Problem};

/// How long a live segment that has left memory is waited for, which the catalog may not have heard of.
const AGAIN_TIME: Duration = Duration::from_secs(3);
/// What was recorded does not change; others are not to be shown it.
const KEEP: &str = "private, max-age=3600, immutable";

/// What a list names: segments, in memory or in files, and initializations of files.
pub(in crate::http::watch) async fn file(
    api: &Arc<Api>,
    muxer: &Muxer,
    (track, name): (Track, &str),
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Response>, Problem> {
    let name = name.strip_prefix(PREFIX).and_then(|name| name.rsplit_once('.'));
    let Some((name, kind)) = name else { return Ok(None) };
    if let (Some(number), "mp4") = (name.strip_prefix("init-"), kind) {
        let Ok(number) = number.parse() else { return Ok(None) };
        return init(api, muxer, track, number).await;
    }
    let Some(number) = name.parse().ok().filter(|_: &u64| kind == "m4s") else { return Ok(None) };
    let segment = at(&muxer.lock(), track, muxer.first, number);
    let answer = match segment {
        None => return Ok(None),
        Some(Segment::Live(kind, bytes)) => Ok(ranged(kind, bytes, headers)),
        Some(Segment::Logged(wanted)) => again(api, muxer, track, &wanted, headers).await,
        Some(Segment::Recorded(Recorded {
            recording,
            number,
            place,
            ends_there,
            shift_ms,
            ..
        })) => {
            let file = file_of(api, recording, number).await?;
            let make = move || match track {
                Some(track) => {
                    source(file).fragments_of_at(0, (place, ends_there), track, shift_ms)
                }
                None => source(file).fragments_at(0, place, shift_ms),
            };
            api.downloads.fragments(make, kind_of(track), method).await.map_err(unknown)
        }
    };
    answer.map(lasting).map(Some)
}

enum Segment {
    Live(&'static str, Vec<Bytes>),
    Logged(Wanted),
    Recorded(Recorded),
}

/// A live segment that is looked for in files.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) live: Logged,
    pub(super) trace: Trace,
    pub(super) init: Arc<Init>,
    /// When it was recorded, at about.
    pub(super) unix_ms: i64,
    /// The one of the first track, which is found whatever clocks say.
    pub(super) beside: Option<(Trace, Arc<Init>)>,
}

/// A segment of a list.
fn at(state: &State, track: Track, first: u64, number: u64) -> Option<Segment> {
    let found = state.rewinding.found(track.is_some());
    let past = found.map(|found| found.past(track));
    // Lists of what is live begin at 0, the others far from there.
    let live = if number < first / 2 {
        number
    } else {
        let past = past?;
        let anchor = first + past.anchor;
        if number < anchor {
            let back = usize::try_from(anchor - number).ok()?;
            return past.file(back).map(Segment::Recorded);
        }
        number - first
    };
    let window = state.window(track)?;
    if let Some(live) = window.segment(live) {
        let bytes = live.parts.iter().flat_map(|part| part.bytes.iter().cloned()).collect();
        return Some(Segment::Live(mp4::media_type(&live.begin.init), bytes));
    }
    past.filter(|past| live >= past.anchor && !past.lost.contains(&live))?;
    let (found, live) = (found?, *window.logged(live)?);
    let lead = state.window(found.lead).filter(|_| track != found.lead);
    let beside = lead.and_then(|lead| find::beside(lead, &live));
    Some(Segment::Logged(Wanted {
        live,
        trace: live.trace?,
        init: window.init(live.init)?.clone(),
        unix_ms: live.unix_ms.saturating_sub(found.drift_ms),
        beside: beside.and_then(|(live, init)| Some((live.trace?, init))),
    }))
}

/// A live segment that has left memory, out of the archive.
async fn again(
    api: &Api,
    muxer: &Muxer,
    track: Track,
    wanted: &Wanted,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let until = Instant::now() + AGAIN_TIME;
    loop {
        let away = || Problem::new(Code::CatalogUnavailable, "the catalog is not there");
        let files = files_of(api, muxer).await?.ok_or_else(away)?;
        if let Some((_, bytes)) = made_of(api, &files, wanted.clone()).await? {
            return Ok(ranged(mp4::media_type(&wanted.init), bytes, headers));
        }
        if is_late(&wanted.live) || Instant::now() + RETRY >= until {
            break;
        }
        tokio::time::sleep(RETRY).await;
    }
    // A recorder whose disk is in trouble may be so far behind.
    if is_late(&wanted.live) && !lost::is_behind(api, muxer, wanted.unix_ms) {
        let number = wanted.live.number;
        muxer.lock().rewinding.lose(track.is_some(), |found| found.lose(track, number));
    }
    Err(Problem::new(Code::NotFound, "it was not recorded, or not as it was live"))
}

/// Makes a live segment of files anew; `None` where they do not have it. Where it is: which recording, and when on that
/// one's clock, in ms.
pub(super) async fn made_of(
    api: &Api,
    files: &[catalog::Segment],
    wanted: Wanted,
) -> Result<Option<((RecordingId, i64), Vec<Bytes>)>, Problem> {
    let sources = sources(files);
    let make = move || {
        let (trace, movie) = (&wanted.trace, &wanted.init.movie);
        for source in sources {
            let Some(found) = found(&source, &wanted)? else { continue };
            let recording = source.segments().nth(found.segment).map(|file| file.recording);
            let place = recording.map(|recording| (recording, found.recording_ms));
            return Ok(place.zip(source.again(&found, trace, movie)?));
        }
        Ok(None)
    };
    let made: Result<_, range::Error> = api.downloads.work(make).await.map_err(refused)?;
    made.map_err(|error| refused(error.into()))
}

/// Where a live segment is in files.
fn found(source: &Source, wanted: &Wanted) -> Result<Option<Found>, range::Error> {
    let Wanted { trace, init, unix_ms, beside, .. } = wanted;
    let found = source.find(trace, &init.movie, *unix_ms)?;
    let (None, Some((of_lead, lead))) = (found, beside) else { return Ok(found) };
    let Some(lead) = source.find(of_lead, &lead.movie, *unix_ms)? else { return Ok(None) };
    source.find(trace, &init.movie, find::beside_ms(&lead, of_lead, trace))
}

/// An initialization of the archive: of the first of its segments that is still there.
async fn init(
    api: &Arc<Api>,
    muxer: &Muxer,
    track: Track,
    number: u64,
) -> Result<Option<Response>, Problem> {
    let (files, kept) = {
        let state = muxer.lock();
        let Some(found) = state.rewinding.found(track.is_some()) else { return Ok(None) };
        let past = found.past(track);
        let oldest = muxer.first + past.anchor - past.files.len() as u64;
        (past.files.clone(), found.kept_of(past).saturating_sub(oldest))
    };
    let of_it = || files.iter().enumerate().filter(|(_, file)| file.init == number);
    let there = of_it().find(|(at, _)| *at as u64 >= kept).or_else(|| of_it().next());
    let Some((_, of)) = there else { return Ok(None) };
    let file = file_of(api, of.recording, of.number).await?;
    let settled = of.place.settled;
    let make = move || match track {
        Some(track) => Ok(source(file).hls_init_of(0, settled, track)?),
        None => Ok(source(file).hls_init(0, settled)?),
    };
    let answer = api.downloads.small(make, kind_of(track)).await.map_err(unknown)?;
    Ok(Some(lasting(answer)))
}

/// The media type of what is made of the archive.
fn kind_of(track: Track) -> &'static str {
    if track.is_some_and(|track| track.kind == Kind::Audio) { M4A } else { MP4 }
}

fn source(file: range::Segment) -> Source {
    Source::new(Arc::new(SystemDisk), [file])
}

/// Has players keep it.
fn lasting(mut answer: Response) -> Response {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(KEEP));
    answer
}
