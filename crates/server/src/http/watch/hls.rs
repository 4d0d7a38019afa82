//! HLS: playlists, segments and parts out of a muxer's window (RFC 8216bis 6.2).
//!
//! A viewer has no connection of its own. It is who asks for the media playlist with the number that its multivariant
//! playlist gave it, and is gone when it has not asked for some time. Segments have names without that number, so that
//! caches share them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap,
    HeaderValue,
};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use live::Key;
use media::hls::playlist::{self, Media};
use media::hls::{TrackName, Window};
use tokio::sync::OwnedSemaphorePermit;

use super::muxer::{Muxer, Muxers, State};
use super::rewind::{self, Asked};
use super::{Api, mp4, name_of};
use crate::http::extract::bad_value;
use crate::http::files::part::{Part, asked};
use crate::http::listener::Client;
use crate::http::packed;
use crate::http::problem::{Code, Problem};
use crate::sessions::{Connected, Playing, Via};
use crate::telemetry;

/// The media type of playlists.
pub(super) const M3U8: &str = playlist::MEDIA_TYPE;
/// Between a key and its files.
const FOLDER: &str = ".hls/";
/// The playlist of segments.
const MEDIA: &str = "media.m3u8";
/// What `viewer` is to be.
const VIEWER_FORM: &str = "expected what KEY.m3u8 says";
/// A viewer that has asked for no playlist for so long is gone.
const VIEWER_TIME: Duration = Duration::from_secs(30);
/// The first segment of a stream is waited for: the longest one, and what it takes to come.
const FIRST_TIME: Duration = Duration::from_secs(15);
/// And what a playlist promises: three of the longest target durations are too long for a request.
const BLOCK_TIME: Duration = Duration::from_secs(20);
/// Segments never change.
const KEEP: &str = "public, max-age=3600, immutable";

/// `KEY.hls/ID/FILE` in its parts.
pub(super) fn split(path: &str) -> Option<(&str, u64, &str)> {
    let at = path.rfind(FOLDER)?;
    let (id, file) = path.get(at + FOLDER.len()..)?.split_once('/')?;
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = is_id.then(|| u64::from_str_radix(id, 16).ok()).flatten()?;
    Some((path.get(..at)?, id, file))
}

/// The playlist of segments, ready to be sent.
#[derive(Clone)]
pub(super) struct Playlist {
    text: Bytes,
    packed: Bytes,
}

impl Playlist {
    pub(super) fn of(media: &Media) -> Self {
        let text = media.to_string();
        Self { packed: packed::gzip(text.as_bytes()), text: text.into() }
    }
}

/// Who watches a stream as HLS, by the numbers that they were given.
#[derive(Default)]
pub(super) struct Viewers {
    list: HashMap<u64, Viewer>,
}

/// One of them. Who was kicked is remembered for as long as its player may ask again.
struct Viewer {
    seat: Option<HlsSeat>,
    seen: Instant,
}

struct HlsSeat {
    connected: Connected,
    playing: Playing,
    _place: OwnedSemaphorePermit,
}

impl Viewer {
    /// Ends it if somebody wants so. Returns whether it is over.
    fn is_kicked(&mut self, key: &Key) -> bool {
        let kicked = self.seat.take_if(|seat| !seat.connected.peer.take_kicks().is_empty());
        if let Some(seat) = kicked {
            telemetry::player_kicked(key, seat.connected.peer.addr);
            seat.end(key, "kicked");
        }
        self.seat.is_none()
    }
}

impl HlsSeat {
    fn end(self, key: &Key, reason: &str) {
        self.playing.end(reason.to_owned());
        telemetry::play_ended(key, self.connected.peer.addr, live::Lost::default(), &reason);
    }
}

impl Viewers {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Lets go of those that are gone or are to go.
    pub(super) fn sweep(&mut self, key: &Key) {
        let is_gone = |_: &u64, viewer: &mut Viewer| {
            viewer.is_kicked(key);
            viewer.seen.elapsed() >= VIEWER_TIME
        };
        for seat in self.list.extract_if(is_gone).filter_map(|(_, viewer)| viewer.seat) {
            seat.end(key, "asked for nothing any more");
        }
    }

    /// The muxer ends.
    pub(super) fn end(&mut self) {
        self.list.clear();
    }
}

/// Whether a viewer may come: asked by who begins, and again by who asks for the first playlist of segments.
fn admit(api: &Api, client: &Client, key: &Key) -> Result<OwnedSemaphorePermit, Problem> {
    let context = &api.context;
    if let Some(why) = context.drain.refusal() {
        telemetry::play_refused(key, client.addr, &why);
        return Err(Problem::new(Code::Stopping, why));
    }
    let most = context.config.max_players;
    if context.sessions.count_players(key) >= most {
        let detail = format!("the stream has {most} players, which is its limit");
        telemetry::play_refused(key, client.addr, &detail);
        return Err(Problem::new(Code::TooManyPlayers, detail));
    }
    api.views.place()
}

/// Lets a viewer in, or knows it again.
fn seat(
    api: &Api,
    client: &Client,
    muxer: &Muxer,
    number: u64,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let mut state = muxer.lock();
    if let Some(viewer) = state.viewers.list.get_mut(&number) {
        if viewer.is_kicked(&muxer.key) {
            let detail = "the operator of the server has ended it";
            return Err(Problem::new(Code::UnknownPlayer, detail));
        }
        viewer.seen = Instant::now();
        return Ok(());
    }
    drop(state);
    let place = admit(api, client, &muxer.key)?;
    let name = name_of(headers);
    telemetry::play_started(&muxer.key, client.addr, &name);
    let connected = api.context.sessions.view(client.addr, Via::Hls, &name);
    let playing = connected.play(&muxer.key, 0);
    let seat = HlsSeat { connected, playing, _place: place };
    let viewer = Viewer { seat: Some(seat), seen: Instant::now() };
    state = muxer.lock();
    state.viewers.list.insert(number, viewer);
    Ok(())
}

/// The playlist that a player begins with: what there is, and its number.
pub(super) async fn multivariant(
    api: &Arc<Api>,
    client: &Client,
    key: &Key,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let is_packed = packed::takes_gzip(headers)?;
    // Who plays one address alone asks for the first tracks together.
    let Query { is_together, .. } = Query::of(uri)?;
    let mut bytes = [0; 8];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let number = u64::from_ne_bytes(bytes);
    let dvr = rewind::length(uri)?;
    let muxer = Muxers::of(api, key)?;
    let folder = format!("{}{FOLDER}{:016x}/", name(uri), muxer.id);
    let mut media = format!("{folder}{MEDIA}?viewer={number:016x}");
    let (mut of_tracks, mut query) = (is_together.then_some(false), String::new());
    if let Some(dvr) = dvr {
        // What a player gets of it is to say from the beginning how far back it reaches.
        let ready = |state: &mut State| {
            let is_of_tracks = !is_together && !state.renditions.is_empty();
            state.window.is_ready().then_some(is_of_tracks)
        };
        if let Some(is_of_tracks) = muxer.wait_for(FIRST_TIME, ready).await {
            of_tracks = Some(is_of_tracks);
            let is_found = rewind::begin(api, &muxer, is_of_tracks).await?;
            let asked = Asked::new(dvr, !is_found).query();
            media.push_str(&format!("&{asked}"));
            query = format!("?{asked}");
        }
    }
    let find = |state: &mut State| {
        let found = match of_tracks.unwrap_or(!state.renditions.is_empty()) {
            false => state.window.multivariant(media.clone()).map(Ok),
            true => {
                let folder = format!("{folder}{number:016x}/");
                state.renditions.multivariant(&folder, &query).map(Ok)
            }
        };
        found.or_else(|| state.window.is_ended().then_some(Err(())))
    };
    let Some(Ok(playlist)) = muxer.wait_for(FIRST_TIME, find).await else {
        let detail = format!("{key} has had no whole segment yet");
        return Err(Problem::new(Code::NothingToWatch, detail));
    };
    // It is a viewer when it asks for what that names: who only looks whether there is something is none.
    drop(admit(api, client, key)?);
    let headers = [(CONTENT_TYPE, M3U8), (CACHE_CONTROL, "no-store")];
    let text = playlist.to_string();
    let body = if is_packed { packed::gzip(text.as_bytes()) } else { text.into() };
    let mut answer = (headers, body).into_response();
    packed::mark(&mut answer, is_packed);
    Ok(answer)
}

/// The name of a stream as the client wrote it, which what is beside it is named by.
fn name(uri: &Uri) -> &str {
    let file = uri.path().rsplit('/').next().unwrap_or_default();
    file.strip_suffix(".m3u8").unwrap_or(file)
}

/// What playlists name.
pub(super) async fn file(
    api: &Arc<Api>,
    client: &Client,
    key: &Key,
    (id, file): (u64, &str),
    (method, uri): (&Method, &Uri),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let gone = || {
        let detail = format!("no longer there: begin again at /live/{key}.m3u8");
        Problem::new(Code::NotFound, detail)
    };
    let muxer = api.views.muxers.find(key, id).ok_or_else(gone)?;
    let named = Named::of(file).ok_or_else(gone)?;
    let track = named.track;
    if muxer.lock().window(track).is_none() {
        return Err(gone());
    }
    if named.is_playlist {
        let query = Query::of(uri)?;
        let viewer = named.viewer.or(query.viewer);
        let viewer = viewer.ok_or_else(|| bad_value("viewer", VIEWER_FORM))?;
        // Who looks whether it is there watches nothing.
        if method != Method::HEAD {
            seat(api, client, &muxer, viewer, headers)?;
        }
        return media_playlist(api, &muxer, (track, &query), headers).await;
    }
    let of_list = (track, named.file);
    if let Some(answer) = rewind::file(api, &muxer, of_list, method, headers).await? {
        return Ok(counted(api, answer));
    }
    let (name, kind) = named.file.rsplit_once('.').unwrap_or_default();
    let (name, number) = name.split_once('-').unwrap_or_default();
    let number: u64 = number.parse().map_err(|_| gone())?;
    let found = match (name, kind) {
        ("init", "mp4") => muxer.lock().window(track).and_then(|window| init(window, number)),
        ("segment", "m4s") => muxer.lock().window(track).and_then(|window| segment(window, number)),
        ("part", "m4s") => {
            // The one that comes next is named in the playlist already; no other is waited for.
            let find = |state: &mut State| {
                let Some(window) = state.window(track) else { return Some(None) };
                match part(window, number) {
                    Some(found) => Some(Some(found)),
                    None if number == window.parts() && !window.is_ended() => None,
                    None => Some(None),
                }
            };
            muxer.wait_for(BLOCK_TIME, find).await.flatten()
        }
        _ => None,
    };
    let (kind, bytes) = found.ok_or_else(gone)?;
    Ok(counted(api, ranged(kind, bytes, headers)))
}

/// What a name below a muxer's folder is of: `FILE` of the first tracks together; `TRACK/FILE` of a track, whose playlist
/// is `VIEWER/TRACK.m3u8`.
#[derive(Clone, Copy)]
struct Named<'a> {
    track: Option<TrackName>,
    file: &'a str,
    is_playlist: bool,
    viewer: Option<u64>,
}

impl<'a> Named<'a> {
    fn of(file: &'a str) -> Option<Self> {
        let Some((folder, file)) = file.split_once('/') else {
            return Some(Self { track: None, file, is_playlist: file == MEDIA, viewer: None });
        };
        if let Ok(track) = folder.parse() {
            return Some(Self { track: Some(track), file, is_playlist: false, viewer: None });
        }
        let track: TrackName = file.strip_suffix(".m3u8")?.parse().ok()?;
        let is_viewer = folder.len() == 16;
        let viewer = is_viewer.then(|| u64::from_str_radix(folder, 16).ok()).flatten()?;
        Some(Self { track: Some(track), file, is_playlist: true, viewer: Some(viewer) })
    }
}

/// Counts what is sent, where that is known.
fn counted(api: &Api, answer: Response) -> Response {
    let length = answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    api.context.sessions.count_sent(length.and_then(|length| length.parse().ok()).unwrap_or(0));
    answer
}

/// What a player asks of a playlist, whichever it is.
struct Query {
    viewer: Option<u64>,
    /// Whether the first tracks are to be together.
    is_together: bool,
    msn: Option<u64>,
    part: Option<u64>,
    /// How far it is to reach back.
    dvr: Option<Asked>,
    /// Whether it may leave out what the player has.
    skips: bool,
}

impl Query {
    /// Reads it, and passes over what it does not know: players, caches and later versions add what they like.
    fn of(uri: &Uri) -> Result<Self, Problem> {
        let value = |name: &str| rewind::value(uri, name);
        let number = |name: &str| {
            let read = value(name).map(str::parse::<u64>).transpose();
            read.map_err(|_| bad_value(name, "expected a number"))
        };
        let viewer = value("viewer").map(|viewer| u64::from_str_radix(viewer, 16)).transpose();
        let viewer = viewer.map_err(|_| bad_value("viewer", VIEWER_FORM))?;
        let is_together = rewind::is_said(uri, "tracks", "first")?;
        let (msn, part) = (number("_HLS_msn")?, number("_HLS_part")?);
        if part.is_some() && msn.is_none() {
            return Err(bad_value("_HLS_part", "expected _HLS_msn with it"));
        }
        let skips = matches!(value("_HLS_skip"), Some("YES" | "v2"));
        let dvr = rewind::asked(uri)?;
        Ok(Self { viewer, is_together, msn, part, dvr, skips })
    }
}

/// The playlist, as soon as it has what is asked for.
async fn media_playlist(
    api: &Arc<Api>,
    muxer: &Arc<Muxer>,
    (track, query): (Option<TrackName>, &Query),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let is_packed = packed::takes_gzip(headers)?;
    // Nobody can know of a segment that far away (6.2.5.2).
    let first = query.dvr.map_or(0, |asked| asked.first(muxer));
    let newest = |state: &State| state.window(track).map(Window::open_segment);
    let open = first + newest(&muxer.lock()).unwrap_or_default();
    if query.msn.is_some_and(|msn| msn > open + 1) {
        return Err(bad_value("_HLS_msn", format!("the newest segment is {open}")));
    }
    if query.dvr.is_some_and(|asked| !muxer.lock().rewinding.has(track, asked)) {
        return Err(bad_value("dvr", format!("begin at /live/{}.m3u8", muxer.key)));
    }
    rewind::refresh(api, muxer, track, query.dvr.is_some());
    // What is before the first live segment is there.
    let msn = query.msn.and_then(|msn| msn.checked_sub(first));
    let find = |state: &mut State| {
        let window = state.window(track)?;
        if !msn.is_none_or(|msn| window.has(msn, query.part)) {
            return None;
        }
        if query.dvr.is_some() {
            return Some(None);
        }
        if let Some(known) = state.playlists.get(&track) {
            return Some(Some(known.clone()));
        }
        let media = match track {
            Some(track) => state.renditions.playlist(track),
            None => window.playlist(),
        };
        let playlist = Playlist::of(&media?);
        state.playlists.insert(track, playlist.clone());
        Some(Some(playlist))
    };
    let playlist = match (muxer.wait_for(BLOCK_TIME, find).await, query.dvr) {
        (Some(None), Some(asked)) => rewind::playlist(muxer, track, asked, query.skips).await,
        (found, _) => found.flatten(),
    };
    let Some(playlist) = playlist else {
        return Err(Problem::new(Code::NothingToWatch, "it has not come in time"));
    };
    let body = if is_packed { playlist.packed } else { playlist.text };
    api.context.sessions.count_sent(body.len());
    let headers = [(CONTENT_TYPE, M3U8), (CACHE_CONTROL, "no-cache")];
    let mut answer = (headers, body).into_response();
    packed::mark(&mut answer, is_packed);
    Ok(answer)
}

type Found = (&'static str, Vec<Bytes>);

fn init(window: &Window, number: u64) -> Option<Found> {
    let init = window.init(number)?;
    Some((mp4::media_type(init), vec![init.bytes.clone()]))
}

fn segment(window: &Window, number: u64) -> Option<Found> {
    let segment = window.segment(number)?;
    let bytes = segment.parts.iter().flat_map(|part| part.bytes.iter().cloned());
    Some((mp4::media_type(&segment.begin.init), bytes.collect()))
}

fn part(window: &Window, number: u64) -> Option<Found> {
    let (segment, part) = window.all_parts().rev().find(|(_, part)| part.number == number)?;
    Some((mp4::media_type(&segment.begin.init), part.bytes.clone()))
}

/// An answer of these bytes, or of the range that was asked for (RFC 9110 14).
pub(super) fn ranged(kind: &'static str, bytes: Vec<Bytes>, headers: &HeaderMap) -> Response {
    let size = bytes.iter().map(Bytes::len).sum::<usize>();
    let (status, start, end) = match asked(headers, size as u64) {
        Part::Whole => (StatusCode::OK, 0, size as u64),
        Part::Some { start, end } => (StatusCode::PARTIAL_CONTENT, start, end),
        Part::None => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let mut answer = Response::new(match status {
        StatusCode::RANGE_NOT_SATISFIABLE => Body::empty(),
        _ => cut(bytes, start, end),
    });
    *answer.status_mut() = status;
    let range = match status {
        StatusCode::PARTIAL_CONTENT => format!("bytes {start}-{}/{size}", end.saturating_sub(1)),
        _ => format!("bytes */{size}"),
    };
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(KEEP));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    if let (false, Ok(range)) = (status == StatusCode::OK, HeaderValue::try_from(range)) {
        headers.insert(CONTENT_RANGE, range);
    }
    answer
}

/// The bytes from `start` to before `end`, payloads shared.
fn cut(bytes: Vec<Bytes>, start: u64, end: u64) -> Body {
    let mut at = 0;
    let pieces = bytes.into_iter().filter_map(move |piece| {
        let begin = at;
        at += piece.len() as u64;
        let from = usize::try_from(start.clamp(begin, at) - begin).ok()?;
        let to = usize::try_from(end.clamp(begin, at) - begin).ok()?;
        (from < to).then(|| Ok::<_, std::convert::Infallible>(piece.slice(from..to)))
    });
    Body::from_stream(stream::iter(pieces.collect::<Vec<_>>()))
}
