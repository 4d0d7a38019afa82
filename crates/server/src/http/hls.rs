//! What was recorded, as HLS: a playlist of a recording or of any stretch of time of a stream, and
//! the segments, which are told by their places in files and so are the same in every playlist.
//!
//! Which segments there are, and what is in them, is `archive::range::Hls`.

use std::fmt;
use std::sync::Arc;

use archive::SystemDisk;
use archive::range::{self, Hls, HlsSegment, OfTrack, Place, Rendition, Source};
use archive::{RecordingId, catalog};
use axum::extract::{RawQuery, State as Shared};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use media::Kind;
use media::hls::TrackName;
use media::hls::playlist::{self, Media};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::{Params, PathParts, StreamKey, bad_value};
use super::files::{M4A, MP4, Made, Refusal};
use super::media::{StreamStretch, Stretch, of_recording, of_stream, refused, segments_of};
use super::packed;
use super::problem::{Code, Problem};
use super::recordings::Id;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(recording))
        .routes(routes!(stream))
        .routes(routes!(init))
        .routes(routes!(segment))
        .routes(routes!(track_init))
        .routes(routes!(track_segment))
}

/// A segment is about so long, in ms.
const TARGET_MS: u64 = 6_000;
/// Of what still grows no segment is longer than so much (s): that must not change.
const GROWING_S: u64 = 10;

/// A stretch of time of a recording.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Span {
    /// The first moment; the beginning, unless said.
    #[param(example = "2026-11-29T20:00:00+01:00", format = DateTime)]
    from: Option<String>,
    /// The moment after the last; the end, unless said.
    #[param(format = DateTime)]
    to: Option<String>,
    /// One track alone, as the multivariant playlist says.
    #[param(example = "video-1", pattern = "^(video|audio)-[0-9]+$")]
    track: Option<String>,
    /// One playlist of the first picture with the first sound, where there are several.
    #[param(inline)]
    tracks: Option<Together>,
}

/// Which tracks are in one playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Together {
    /// The first of each kind.
    First,
}

/// A stretch of time of a stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StreamSpan {
    /// The first moment.
    #[param(example = "2026-11-29T20:00:00+01:00", format = DateTime)]
    from: String,
    /// The moment after the last; all that there is, unless said.
    #[param(format = DateTime)]
    to: Option<String>,
    /// Only what this recorder made; needed where several recorded the stream at that time.
    recorder: Option<String>,
    /// One track alone, as the multivariant playlist says.
    #[param(example = "video-1", pattern = "^(video|audio)-[0-9]+$")]
    track: Option<String>,
    /// One playlist of the first picture with the first sound, where there are several.
    #[param(inline)]
    tracks: Option<Together>,
}

/// A recording as HLS
///
/// A playlist of segments of about 6 s, each beginning with a key frame. While the recording runs it
/// grows: players begin near its end, and go back as far as they like. Gaps, reconnects and changes
/// of the configuration are discontinuities.
///
/// Where there are several tracks of a kind it is a multivariant playlist, which names one for each
/// track; `X-Refused-Tracks` says which are not among them.
#[utoipa::path(get, path = "/recordings/{id}/media.m3u8", tag = "recordings",
    operation_id = "playRecording", params(Id, Span),
    responses(
        (status = 200, description = "The playlist", body = String,
            content_type = "application/vnd.apple.mpegurl"),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `nothing-recorded`, `file-missing`"),
        (status = 406, description = "`not-acceptable`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn recording(
    Shared(api): Shared<Arc<Api>>,
    headers: HeaderMap,
    PathParts(id): PathParts<Id>,
    RawQuery(query): RawQuery,
    Params(Span { from, to, track, tracks }): Params<Span>,
) -> Result<Response, Problem> {
    let id = id.read()?;
    let asked = Asked::of((track, tracks), query, &headers)?;
    let made = of_recording(&api, id, Stretch { from, to, cut: None }).await?;
    play(&api, made, "", asked).await
}

/// A stretch of time of a stream as HLS
///
/// Over any number of recordings and files; with the same segments as the playlists of those.
#[utoipa::path(get, path = "/streams/{key}/media.m3u8", tag = "streams",
    operation_id = "playStream",
    params(("key" = String, Path, description = "The stream, percent-encoded", example = "live/test"),
        StreamSpan),
    responses(
        (status = 200, description = "The playlist", body = String,
            content_type = "application/vnd.apple.mpegurl"),
        (status = 404, description = "`nothing-recorded`, `unknown-recorder`, `file-missing`"),
        (status = 406, description = "`not-acceptable`"),
        (status = 409, description = "`several-recorders`: say which one"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn stream(
    Shared(api): Shared<Arc<Api>>,
    headers: HeaderMap,
    StreamKey(key): StreamKey,
    RawQuery(query): RawQuery,
    Params(StreamSpan { from, to, recorder, track, tracks }): Params<StreamSpan>,
) -> Result<Response, Problem> {
    let asked = Asked::of((track, tracks), query, &headers)?;
    let stretch = StreamStretch { from, to, cut: None, recorder };
    let made = of_stream(&api, key, stretch).await?;
    play(&api, made, "../../recordings/", asked).await
}

/// Which playlist is asked for.
struct Asked {
    /// That of a track.
    track: Option<TrackName>,
    /// That of the first ones together.
    is_together: bool,
    /// The whole query, which the playlists of the tracks have as well.
    query: String,
    /// Whether it is to be compressed.
    is_packed: bool,
}

impl Asked {
    fn of(
        (track, tracks): (Option<String>, Option<Together>),
        query: Option<String>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let track = track.map(|track| track_of(&track)).transpose()?;
        let is_together = tracks == Some(Together::First);
        if is_together && track.is_some() {
            return Err(bad_value("tracks", "not beside track, which is one of them"));
        }
        let query = query.unwrap_or_default();
        Ok(Self { track, is_together, query, is_packed: packed::takes_gzip(headers)? })
    }

    /// The address of the playlist of a track, beside the one that is asked for.
    fn uri(&self, track: TrackName) -> String {
        let and = if self.query.is_empty() { "" } else { "&" };
        format!("media.m3u8?track={track}{and}{}", self.query)
    }
}

fn track_of(text: &str) -> Result<TrackName, Problem> {
    text.parse().map_err(|()| bad_value("track", "not a track such as video-1"))
}

/// Sends the playlist of segments, whose recordings are found from it below `recordings`; without
/// that it is beside those of the only one.
async fn play(
    api: &Api,
    made: Made,
    recordings: &'static str,
    asked: Asked,
) -> Result<Response, Problem> {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let runs = |segment: &range::Segment| api.context.archive.status(segment.recording).is_some();
    // Between two of its files a recording runs as well.
    let is_running = made.range.to_unix_ms > now_ms && made.segments.iter().any(runs);
    let is_packed = asked.is_packed;
    let text = move |playlist: &dyn fmt::Display| {
        let text = playlist.to_string();
        if is_packed { packed::gzip(text.as_bytes()) } else { text.into() }
    };
    let make = move || {
        let source = Source::new(Arc::new(SystemDisk), made.segments);
        let hls = source.hls(made.range, TARGET_MS)?;
        let goes_on = is_running || hls.is_growing;
        let is_asked = asked.track.is_some() || !asked.is_together && hls.may_have_several();
        let renditions = if is_asked { Some(source.renditions(&hls)?) } else { None };
        let Some(renditions) = renditions.filter(|all| asked.track.is_some() || all.has_several())
        else {
            return Ok((text(&listed(&source, &hls, recordings, goes_on, None)), Vec::new()));
        };
        if let Some(track) = asked.track {
            let track = renditions.find(track)?;
            let media = listed(&source, &hls, recordings, goes_on, Some(track));
            return Ok((text(&media), Vec::new()));
        }
        let offered = renditions.multivariant(|track| asked.uri(track));
        let left_out =
            renditions.left_out().iter().map(|left| format!("{}: {}", left.track, left.reason));
        Ok((text(&offered.ok_or(range::Error::Nothing)?), left_out.collect()))
    };
    let answer = api.downloads.small_of(make, playlist::MEDIA_TYPE).await;
    let mut answer = answer.map_err(refused)?;
    packed::mark(&mut answer, is_packed);
    Ok(answer)
}

/// The segments of a track, or of the first ones together.
fn listed(
    source: &Source,
    hls: &Hls,
    recordings: &str,
    goes_on: bool,
    track: Option<&Rendition>,
) -> Media {
    let files: Vec<_> = source.segments().collect();
    let name = track.map(|track| format!("/{}", track.name())).unwrap_or_default();
    let mut file_before: Option<usize> = None;
    // Of the newest initialization, and whether it is that of the start of a file.
    let mut before: Option<(usize, u64)> = None;
    let mut is_of_start = false;
    let mut segments = Vec::with_capacity(hls.segments.len());
    for of in &hls.segments {
        let HlsSegment { segment, duration_ms, unix_ms, is_discontinuous, .. } = of;
        let Some(file) = files.get(*segment) else { continue };
        let found = match track {
            Some(track) => track.of(of),
            None => Some(OfTrack { place: of.place, is_gap: false }),
        };
        let OfTrack { place, is_gap } = found.unwrap_or(OfTrack { place: of.place, is_gap: true });
        let base = match recordings.is_empty() {
            true => format!("hls/{}/{}{name}", file.number, place.settled),
            false => {
                let id = file.recording;
                format!("{recordings}{id}/hls/{}/{}{name}", file.number, place.settled)
            }
        };
        let is_in_new_file = before.is_none_or(|(segment_before, _)| segment_before != *segment);
        let is_settled_anew = before.is_none_or(|(_, settled)| settled != place.settled);
        // What goes on in another file has the configuration of the file before.
        let is_new = match is_in_new_file {
            true => before.is_none() || *is_discontinuous || !is_of_start,
            false => is_settled_anew,
        };
        if is_new {
            is_of_start = is_in_new_file && place.settled == of.place.settled;
        }
        // Of what is not in the file there is none.
        before = found.map(|_| (*segment, place.settled));
        let is_discontinuous = *is_discontinuous && file_before.is_some();
        let begins_file = file_before.replace(*segment) != Some(*segment);
        segments.push(playlist::Segment {
            uri: Some(format!("{base}/{}-{}.m4s", place.from, place.to)),
            duration_ms: *duration_ms,
            is_discontinuous,
            map: (is_new && found.is_some()).then(|| format!("{base}/init.mp4")),
            unix_ms: (begins_file || is_discontinuous).then_some(*unix_ms),
            is_gap,
            ..playlist::Segment::default()
        });
    }
    let target_s = if goes_on { hls.target_s().max(GROWING_S) } else { hls.target_s() };
    Media { target_s, segments, is_vod: !goes_on, is_ended: !goes_on, ..Media::default() }
}

/// A file of a recording, and where in it the tracks are known.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct Settled {
    /// 16 hex digits.
    #[param(example = "8c1f4e2a90b7d635", pattern = "^[0-9a-fA-F]{16}$")]
    id: String,
    /// The file's number, from 1.
    #[param(example = 1, minimum = 1)]
    number: u32,
    /// A place in it, as the playlist says.
    #[param(example = 32768)]
    settled: u64,
}

/// What a player needs before segments of HLS
///
/// Its address is in playlists.
#[utoipa::path(get, path = "/recordings/{id}/hls/{number}/{settled}/init.mp4", tag = "recordings",
    operation_id = "playRecordingInit", params(Settled),
    responses(
        (status = 200, description = "The initialization", body = [u8], content_type = "video/mp4"),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `unknown-segment`, `file-missing`"),
        (status = 422, description = "`no-mp4`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn init(
    Shared(api): Shared<Arc<Api>>,
    PathParts(Settled { id, number, settled }): PathParts<Settled>,
) -> Result<Response, Problem> {
    let file = file_of(&api, Id { id }.read()?, number).await?;
    let make = move || Ok(source(file).hls_init(0, settled)?);
    api.downloads.small(make, MP4).await.map_err(unknown)
}

/// A segment of HLS.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct Placed {
    /// 16 hex digits.
    #[param(example = "8c1f4e2a90b7d635", pattern = "^[0-9a-fA-F]{16}$")]
    id: String,
    /// The file's number, from 1.
    #[param(example = 1, minimum = 1)]
    number: u32,
    /// Where in the file its tracks are known, as the playlist says.
    #[param(example = 32768)]
    settled: u64,
    /// Its first byte and the one after its last, as the playlist says.
    #[param(example = "32768-1250311.m4s")]
    place: String,
}

/// A segment of HLS
///
/// Its address is in playlists. It is the same bytes whenever it is asked for.
#[utoipa::path(get, path = "/recordings/{id}/hls/{number}/{settled}/{place}", tag = "recordings",
    operation_id = "playRecordingSegment", params(Placed),
    responses(
        (status = 200, description = "The segment", body = [u8], content_type = "video/mp4"),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `unknown-segment`, `file-missing`"),
        (status = 422, description = "`no-mp4`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn segment(
    Shared(api): Shared<Arc<Api>>,
    method: Method,
    PathParts(Placed { id, number, settled, place }): PathParts<Placed>,
) -> Result<Response, Problem> {
    let id = Id { id }.read()?;
    let place = place_of(&place, settled).ok_or_else(no_place)?;
    let file = file_of(&api, id, number).await?;
    let make = move || source(file).fragments(0, place);
    api.downloads.fragments(make, MP4, &method).await.map_err(unknown)
}

/// A file of a recording, and where in it a track is known.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct SettledTrack {
    /// 16 hex digits.
    #[param(example = "8c1f4e2a90b7d635", pattern = "^[0-9a-fA-F]{16}$")]
    id: String,
    /// The file's number, from 1.
    #[param(example = 1, minimum = 1)]
    number: u32,
    /// A place in it, as the playlist says.
    #[param(example = 32768)]
    settled: u64,
    /// The track.
    #[param(example = "video-1", pattern = "^(video|audio)-[0-9]+$")]
    track: String,
}

/// What a player needs before segments of a track
///
/// Its address is in playlists.
#[utoipa::path(get, path = "/recordings/{id}/hls/{number}/{settled}/{track}/init.mp4",
    tag = "recordings", operation_id = "playTrackInit", params(SettledTrack),
    responses(
        (status = 200, description = "The initialization", content(
            ([u8] = "video/mp4"), ([u8] = "audio/mp4"))),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `unknown-segment`, `file-missing`"),
        (status = 422, description = "`no-mp4`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn track_init(
    Shared(api): Shared<Arc<Api>>,
    PathParts(SettledTrack { id, number, settled, track }): PathParts<SettledTrack>,
) -> Result<Response, Problem> {
    let id = Id { id }.read()?;
    let track = track_of(&track)?;
    let file = file_of(&api, id, number).await?;
    let make = move || Ok(source(file).hls_init_of(0, settled, track)?);
    api.downloads.small(make, kind_of(track)).await.map_err(unknown)
}

/// A segment of a track.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct PlacedTrack {
    /// 16 hex digits.
    #[param(example = "8c1f4e2a90b7d635", pattern = "^[0-9a-fA-F]{16}$")]
    id: String,
    /// The file's number, from 1.
    #[param(example = 1, minimum = 1)]
    number: u32,
    /// Where in the file the track is known, as the playlist says.
    #[param(example = 32768)]
    settled: u64,
    /// The track.
    #[param(example = "video-1", pattern = "^(video|audio)-[0-9]+$")]
    track: String,
    /// The first byte and the one after the last of what it is in, as the playlist says.
    #[param(example = "32768-1250311.m4s")]
    place: String,
}

/// A segment of a track
///
/// Its address is in playlists. It is the same bytes whenever it is asked for.
#[utoipa::path(get, path = "/recordings/{id}/hls/{number}/{settled}/{track}/{place}",
    tag = "recordings", operation_id = "playTrackSegment", params(PlacedTrack),
    responses(
        (status = 200, description = "The segment", content(
            ([u8] = "video/mp4"), ([u8] = "audio/mp4"))),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `unknown-segment`, `file-missing`"),
        (status = 422, description = "`no-mp4`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn track_segment(
    Shared(api): Shared<Arc<Api>>,
    method: Method,
    PathParts(PlacedTrack { id, number, settled, track, place }): PathParts<PlacedTrack>,
) -> Result<Response, Problem> {
    let id = Id { id }.read()?;
    let track = track_of(&track)?;
    let place = place_of(&place, settled).ok_or_else(no_place)?;
    let file = file_of(&api, id, number).await?;
    let make = move || source(file).fragments_of(0, place, track);
    api.downloads.fragments(make, kind_of(track), &method).await.map_err(unknown)
}

/// The media type of what is in a segment.
fn kind_of(track: TrackName) -> &'static str {
    if track.kind == Kind::Audio { M4A } else { MP4 }
}

fn no_place() -> Problem {
    bad_value("place", "not a place such as 32768-1250311.m4s")
}

/// Reads `from-to.m4s`.
fn place_of(text: &str, settled: u64) -> Option<Place> {
    let (from, to) = text.strip_suffix(".m4s")?.split_once('-')?;
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number)
    };
    let place = Place { settled, from: number(from)?, to: number(to)? };
    (place.from < place.to).then_some(place)
}

fn source(file: range::Segment) -> Source {
    Source::new(Arc::new(SystemDisk), [file])
}

/// The file of a recording.
pub(super) async fn file_of(
    api: &Api,
    id: RecordingId,
    number: u32,
) -> Result<range::Segment, Problem> {
    let segments = segments_of(api, id).await?;
    let segment = segments.iter().find(|segment: &&catalog::Segment| segment.number == number);
    let segment = segment.map(range::Segment::from);
    segment.ok_or_else(|| unknown_segment(format!("recording {id} has no file {number}")))
}

fn unknown_segment(detail: impl fmt::Display) -> Problem {
    Problem::new(Code::UnknownSegment, detail.to_string())
}

/// Why a segment is not sent: its place may be none.
pub(super) fn unknown(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Range(range::Error::Nothing) => {
            unknown_segment("the file has nothing at that place: take places from a playlist")
        }
        Refusal::Range(
            error @ (range::Error::Changed { .. } | range::Error::NoSuchTrack { .. }),
        ) => unknown_segment(error),
        refusal => refused(refusal),
    }
}

#[cfg(test)]
mod tests;
