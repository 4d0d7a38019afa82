//! What was recorded, downloaded: one file of a recording, a recording as one file, or any stretch
//! of time of a stream.
//!
//! Which segments there are the catalog says; how they are read and sent is `files`.

use std::sync::Arc;

use archive::catalog::{self, WhoseError};
use archive::range::{self, Cut, Range, Source};
use archive::{Format, RecordingId, SystemDisk};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use live::Key;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::{Params, PathParts, StreamKey, bad_value};
use super::files::{File, Made, Refusal};
use super::problem::{Code, Problem};
use super::recordings::{Id, ask, files, moment};
use super::time;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(segment))
        .routes(routes!(recording))
        .routes(routes!(recording_mp4))
        .routes(routes!(stream))
        .routes(routes!(stream_mp4))
}

/// A file of a recording.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct Numbered {
    /// 16 hex digits.
    #[param(example = "8c1f4e2a90b7d635", pattern = "^[0-9a-fA-F]{16}$")]
    id: String,
    /// The file's number, from 1.
    #[param(example = 1, minimum = 1)]
    number: u32,
}

/// Download a file of a recording
///
/// As it stands on disk, bit for bit. Ranges of bytes, `ETag` and conditional requests as for any
/// file; one that is still being written is sent up to the size that it has now.
#[utoipa::path(get, path = "/recordings/{id}/segments/{number}/file", tag = "recordings",
    operation_id = "downloadSegment",
    params(Numbered, ("Range" = Option<String>, Header, description = "A range of bytes")),
    responses(
        (status = 200, description = "The file", content(
            ([u8] = "video/x-flv"), ([u8] = "video/mp4"))),
        (status = 206, description = "A part of it", content(
            ([u8] = "video/x-flv"), ([u8] = "video/mp4"))),
        (status = 304, description = "It is as the client has it"),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `unknown-segment`, `file-missing`"),
        (status = 416, description = "The file has no such bytes"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn segment(
    Shared(api): Shared<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    PathParts(Numbered { id, number }): PathParts<Numbered>,
) -> Result<Response, Problem> {
    let id = Id { id }.read()?;
    let segments = segments_of(&api, id).await?;
    let segment = segments.into_iter().find(|segment| segment.number == number);
    let segment = segment.ok_or_else(|| {
        Problem::new(Code::UnknownSegment, format!("recording {id} has no file {number}"))
    })?;
    if !matches!(segment.state, catalog::State::Open | catalog::State::Finished) {
        let detail = match segment.state {
            catalog::State::Binned => IN_BIN.to_owned(),
            state => format!("the file is {}", state.name()),
        };
        return Err(Problem::new(Code::FileMissing, detail));
    }
    let name = segment.path.file_name().map(|name| name.to_string_lossy().into_owned());
    let format = Format::of(&segment.path).unwrap_or_default();
    let file = File {
        name: name.unwrap_or_else(|| format!("{id}_{number}{}", format.ending())),
        kind: format.media_type(),
        identity: format!("{id}-{number}"),
        is_growing: segment.state == catalog::State::Open,
        path: segment.path,
    };
    let answer = api.downloads.file(Arc::new(SystemDisk), &file, &method, &headers).await;
    answer.map_err(refused)
}

/// Why a file of a recording that was deleted is not sent.
pub(super) const IN_BIN: &str = "in the bin: restore it first";

/// A stretch of time, and where it is cut.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Stretch {
    /// The first moment; the beginning, unless said.
    #[param(example = "2026-11-29T20:00:00+01:00", format = DateTime)]
    pub(super) from: Option<String>,
    /// The moment after the last; the end, unless said.
    #[param(format = DateTime)]
    pub(super) to: Option<String>,
    /// Where the file begins and ends: at key frames, or to the ms.
    #[param(inline)]
    pub(super) cut: Option<Where>,
}

/// A stretch of time of a stream.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamStretch {
    /// The first moment.
    #[param(example = "2026-11-29T20:00:00+01:00", format = DateTime)]
    pub(super) from: String,
    /// The moment after the last; all that there is, unless said.
    #[param(format = DateTime)]
    pub(super) to: Option<String>,
    /// Where the file begins and ends: at key frames, or to the ms.
    #[param(inline)]
    pub(super) cut: Option<Where>,
    /// Only what this recorder made; needed where several recorded the stream at that time.
    pub(super) recorder: Option<String>,
}

/// Where a range begins and ends.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Where {
    /// At key frames.
    #[default]
    Keyframe,
    /// To the ms: pictures before the first moment are there for decoders, at time 0.
    Exact,
}

impl From<Where> for Cut {
    fn from(cut: Where) -> Self {
        match cut {
            Where::Keyframe => Self::KeyFrame,
            Where::Exact => Self::Exact,
        }
    }
}

/// Download a recording, or a part of it, as one file
///
/// Over all its files, with times that begin at 0 and go on over gaps. Without `from` and `to` it is
/// the whole of it.
#[utoipa::path(get, path = "/recordings/{id}/media.flv", tag = "recordings",
    operation_id = "downloadRecording", params(Id, Stretch),
    responses(
        (status = 200, description = "The file", body = [u8], content_type = "video/x-flv"),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `nothing-recorded`, `file-missing`"),
        (status = 422, description = "`range-too-long`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn recording(
    Shared(api): Shared<Arc<Api>>,
    method: Method,
    PathParts(id): PathParts<Id>,
    Params(stretch): Params<Stretch>,
) -> Result<Response, Problem> {
    let id = id.read()?;
    send(&api, of_recording(&api, id, stretch).await?, &method).await
}

/// Download a recording, or a part of it, as one MP4 file
///
/// As `media.flv`, with the index first, and with ranges of bytes: players begin at once and seek
/// anywhere. Cut exactly, the pictures before the first moment are there and not shown. What cannot
/// be in MP4 is left out (`X-Refused-Tracks`).
#[utoipa::path(get, path = "/recordings/{id}/media.mp4", tag = "recordings",
    operation_id = "downloadRecordingMp4",
    params(Id, Stretch, ("Range" = Option<String>, Header, description = "A range of bytes")),
    responses(
        (status = 200, description = "The file", body = [u8], content_type = "video/mp4"),
        (status = 206, description = "A part of it", body = [u8], content_type = "video/mp4"),
        (status = 304, description = "It is as the client has it"),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `nothing-recorded`, `file-missing`"),
        (status = 416, description = "The file has no such bytes"),
        (status = 422, description = "`range-too-long`, `configuration-changes`, `no-mp4`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn recording_mp4(
    Shared(api): Shared<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    PathParts(id): PathParts<Id>,
    Params(stretch): Params<Stretch>,
) -> Result<Response, Problem> {
    let id = id.read()?;
    let made = of_recording(&api, id, stretch).await?;
    api.downloads.mp4(made, &method, &headers).await.map_err(refused)
}

/// The segments of a recording, and what of them is asked for.
pub(super) async fn of_recording(
    api: &Api,
    id: RecordingId,
    stretch: Stretch,
) -> Result<Made, Problem> {
    let Stretch { from, to, cut } = stretch;
    let from = moment("from", from.as_deref())?;
    let to = moment("to", to.as_deref())?;
    let range = range_of(from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX), cut)?;
    let segments = segments_of(api, id).await?;
    let is_binned = |segment: &catalog::Segment| segment.state == catalog::State::Binned;
    if !segments.is_empty() && segments.iter().all(is_binned) {
        return Err(Problem::new(Code::FileMissing, IN_BIN));
    }
    Ok(Made { segments: segments.iter().map(range::Segment::from).collect(), range })
}

/// Download a stretch of time of a stream as one file
///
/// Over any number of recordings and files, with the gaps between them as long as they were.
#[utoipa::path(get, path = "/streams/{key}/media.flv", tag = "streams",
    operation_id = "downloadStream",
    params(("key" = String, Path, description = "The stream, percent-encoded", example = "live/test"),
        StreamStretch),
    responses(
        (status = 200, description = "The file", body = [u8], content_type = "video/x-flv"),
        (status = 404, description = "`nothing-recorded`, `unknown-recorder`, `file-missing`"),
        (status = 409, description = "`several-recorders`: say which one"),
        (status = 422, description = "`range-too-long`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn stream(
    Shared(api): Shared<Arc<Api>>,
    method: Method,
    StreamKey(key): StreamKey,
    Params(stretch): Params<StreamStretch>,
) -> Result<Response, Problem> {
    send(&api, of_stream(&api, key, stretch).await?, &method).await
}

/// Download a stretch of time of a stream as one MP4 file
///
/// As `media.flv`, with the index first and ranges of bytes.
#[utoipa::path(get, path = "/streams/{key}/media.mp4", tag = "streams",
    operation_id = "downloadStreamMp4",
    params(("key" = String, Path, description = "The stream, percent-encoded", example = "live/test"),
        StreamStretch, ("Range" = Option<String>, Header, description = "A range of bytes")),
    responses(
        (status = 200, description = "The file", body = [u8], content_type = "video/mp4"),
        (status = 206, description = "A part of it", body = [u8], content_type = "video/mp4"),
        (status = 304, description = "It is as the client has it"),
        (status = 404, description = "`nothing-recorded`, `unknown-recorder`, `file-missing`"),
        (status = 409, description = "`several-recorders`: say which one"),
        (status = 416, description = "The file has no such bytes"),
        (status = 422, description = "`range-too-long`, `configuration-changes`, `no-mp4`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn stream_mp4(
    Shared(api): Shared<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    StreamKey(key): StreamKey,
    Params(stretch): Params<StreamStretch>,
) -> Result<Response, Problem> {
    let made = of_stream(&api, key, stretch).await?;
    api.downloads.mp4(made, &method, &headers).await.map_err(refused)
}

/// The segments of a stream in a stretch of time.
pub(super) async fn of_stream(
    api: &Api,
    key: Key,
    stretch: StreamStretch,
) -> Result<Made, Problem> {
    let StreamStretch { from, to, cut, recorder } = stretch;
    let from = moment("from", Some(&from))?.unwrap_or(i64::MIN);
    let to = moment("to", to.as_deref())?.unwrap_or(i64::MAX);
    let range = range_of(from, to, cut)?;
    // What begins at its end says when what is before that ends.
    let end = to.saturating_add(1);
    let question =
        move |reader: &catalog::Reader| reader.segments_between(key.as_str(), from, end, None);
    let segments = ask(api, question).await?.unwrap_or_default();
    let segments = catalog::of_recorder(segments, recorder.as_deref()).map_err(|error| {
        let code = match error {
            WhoseError::Several(_) => Code::SeveralRecorders,
            WhoseError::Other { .. } => Code::UnknownRecorder,
        };
        Problem::new(code, format!("recorder: {error}")).with("field", "recorder")
    })?;
    // The catalog learns of the length of a file when that is finished.
    let known = |segment: &catalog::Segment| {
        let so_far = api.context.archive.status(segment.recording).map(|status| status.length_ms);
        let so_far = so_far.unwrap_or_default().saturating_sub(segment.start_ms);
        let known = range::Segment::from(segment);
        let at_least_ms = if known.length_ms.is_none() { so_far } else { known.at_least_ms };
        range::Segment { at_least_ms, ..known }
    };
    Ok(Made { segments: segments.iter().map(known).collect(), range })
}

fn range_of(from_unix_ms: i64, to_unix_ms: i64, cut: Option<Where>) -> Result<Range, Problem> {
    if from_unix_ms >= to_unix_ms {
        return Err(bad_value("to", "it is not after from"));
    }
    Ok(Range { from_unix_ms, to_unix_ms, cut: cut.unwrap_or_default().into() })
}

/// The segments of a recording that there is.
pub(super) async fn segments_of(
    api: &Api,
    id: RecordingId,
) -> Result<Vec<catalog::Segment>, Problem> {
    if api.context.director.waits(id).is_some() {
        return Err(Problem::new(Code::RecordingWaiting, "it waits for its stream"));
    }
    let segments = files(api, id).await?;
    match segments.is_empty() && api.context.archive.status(id).is_none() {
        true => Err(Problem::new(Code::UnknownRecording, format!("no recording {id}"))),
        false => Ok(segments),
    }
}

async fn send(api: &Api, made: Made, method: &Method) -> Result<Response, Problem> {
    let make = move || {
        let source = Source::new(Arc::new(SystemDisk), made.segments);
        source.flv(made.range).map_err(Refusal::from)
    };
    api.downloads.range(make, method).await.map_err(refused)
}

pub(super) fn refused(refusal: Refusal) -> Problem {
    let code = match &refusal {
        Refusal::Missing | Refusal::Range(range::Error::Lost { .. }) => Code::FileMissing,
        Refusal::Busy { .. } | Refusal::Memory => Code::TooManyDownloads,
        Refusal::Timeout { .. } => Code::DiskTimeout,
        Refusal::Range(range::Error::Nothing | range::Error::NoSuchTrack { .. }) => {
            Code::NothingRecorded
        }
        Refusal::Range(range::Error::TooLong { .. } | range::Error::TooManySamples { .. }) => {
            Code::RangeTooLong
        }
        Refusal::Range(range::Error::Changes { .. }) => Code::ConfigurationChanges,
        Refusal::Range(range::Error::NoTrack { .. }) => Code::NoMp4,
        Refusal::Disk(_) | Refusal::Range(_) => Code::DiskFailed,
    };
    let problem = Problem::new(code, refusal.to_string());
    match refusal {
        Refusal::Range(range::Error::Changes { unix_ms }) => {
            problem.with("changes_at", time::of_ms(unix_ms))
        }
        _ => problem,
    }
}
