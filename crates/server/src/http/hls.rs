//! What was recorded, as HLS: a playlist of a recording or of any stretch of time of a stream, and
//! the segments, which are told by their places in files and so are the same in every playlist.
//!
//! Which segments there are, and what is in them, is `archive::range::Hls`.

use std::fmt;
use std::sync::Arc;

use archive::SystemDisk;
use archive::range::{self, Hls, HlsSegment, Place, Source};
use archive::{RecordingId, catalog};
use axum::extract::State as Shared;
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use media::hls::playlist::{self, Media};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::{Params, PathParts, StreamKey, bad_value};
use super::files::{MP4, Made, Refusal};
use super::media::{StreamStretch, Stretch, of_recording, of_stream, refused, segments_of};
use super::problem::{Code, Problem};
use super::recordings::Id;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(recording))
        .routes(routes!(stream))
        .routes(routes!(init))
        .routes(routes!(segment))
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
}

/// A recording as HLS
///
/// A playlist of segments of about 6 s, each beginning with a key frame. While the recording runs it
/// grows: players begin near its end, and go back as far as they like. Gaps, reconnects and changes
/// of the configuration are discontinuities.
#[utoipa::path(get, path = "/recordings/{id}/media.m3u8", tag = "recordings",
    operation_id = "playRecording", params(Id, Span),
    responses(
        (status = 200, description = "The playlist", body = String,
            content_type = "application/vnd.apple.mpegurl"),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `nothing-recorded`, `file-missing`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn recording(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Params(Span { from, to }): Params<Span>,
) -> Result<Response, Problem> {
    let id = id.read()?;
    let made = of_recording(&api, id, Stretch { from, to, cut: None }).await?;
    play(&api, made, "").await
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
        (status = 404, description = "`nothing-recorded`, `file-missing`"),
        (status = 409, description = "`several-recorders`: say which one"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn stream(
    Shared(api): Shared<Arc<Api>>,
    StreamKey(key): StreamKey,
    Params(StreamSpan { from, to, recorder }): Params<StreamSpan>,
) -> Result<Response, Problem> {
    let stretch = StreamStretch { from, to, cut: None, recorder };
    let made = of_stream(&api, key, stretch).await?;
    play(&api, made, "../../recordings/").await
}

/// Sends the playlist of segments, whose recordings are found from it below `recordings`; without
/// that it is beside those of the only one.
async fn play(api: &Api, made: Made, recordings: &'static str) -> Result<Response, Problem> {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let runs = |segment: &range::Segment| api.context.archive.status(segment.recording).is_some();
    // Between two of its files a recording runs as well.
    let is_running = made.range.to_unix_ms > now_ms && made.segments.iter().any(runs);
    let make = move || {
        let source = Source::new(Arc::new(SystemDisk), made.segments);
        let hls = source.hls(made.range, TARGET_MS)?;
        let media = listed(&source, &hls, recordings, is_running || hls.is_growing);
        Ok(Bytes::from(media.to_string()))
    };
    api.downloads.small(make, playlist::MEDIA_TYPE).await.map_err(refused)
}

fn listed(source: &Source, hls: &Hls, recordings: &str, goes_on: bool) -> Media {
    let files: Vec<_> = source.segments().collect();
    let mut before: Option<(usize, u64)> = None;
    // Whether the initialization is that of the start of a file.
    let mut is_of_start = false;
    let mut segments = Vec::with_capacity(hls.segments.len());
    for HlsSegment { segment, place, duration_ms, unix_ms, is_discontinuous } in &hls.segments {
        let Some(file) = files.get(*segment) else { continue };
        let base = match recordings.is_empty() {
            true => format!("hls/{}/{}", file.number, place.settled),
            false => {
                let id = file.recording;
                format!("{recordings}{id}/hls/{}/{}", file.number, place.settled)
            }
        };
        let is_first = before.is_none();
        let begins_file = before.is_none_or(|(segment_before, _)| segment_before != *segment);
        let is_settled_anew = before.is_none_or(|(_, settled)| settled != place.settled);
        // What goes on in another file has the configuration of the file before.
        let is_new = match begins_file {
            true => is_first || *is_discontinuous || !is_of_start,
            false => is_settled_anew,
        };
        is_of_start = if is_new { begins_file } else { is_of_start };
        before = Some((*segment, place.settled));
        let is_discontinuous = *is_discontinuous && !is_first;
        segments.push(playlist::Segment {
            uri: Some(format!("{base}/{}-{}.m4s", place.from, place.to)),
            duration_ms: *duration_ms,
            is_discontinuous,
            map: is_new.then(|| format!("{base}/init.mp4")),
            unix_ms: (begins_file || is_discontinuous).then_some(*unix_ms),
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
    let place = place_of(&place, settled)
        .ok_or_else(|| bad_value("place", "not a place such as 32768-1250311.m4s"))?;
    let file = file_of(&api, id, number).await?;
    let make = move || source(file).fragments(0, place);
    api.downloads.fragments(make, &method).await.map_err(unknown)
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
        Refusal::Range(error @ (range::Error::Changed { .. } | range::Error::Nothing)) => {
            unknown_segment(error)
        }
        refusal => refused(refusal),
    }
}

#[cfg(test)]
mod tests;
