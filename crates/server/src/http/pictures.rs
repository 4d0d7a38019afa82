//! Pictures: of a stream as it is now, and of recordings.
//!
//! How they are made stands in `pictures`; here is what they are made of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archive::range::{self, Source};
use archive::{RecordingId, SystemDisk, catalog};
use axum::extract::State as Shared;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::openapi::{self, RefOr};
use utoipa::{IntoParams, IntoResponses};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::disk::DEADLINE;
use super::extract::{Params, PathParts, StreamKey, bad_value};
use super::files::has_tag;
use super::media::{IN_BIN, segments_of};
use super::problem::{Code, Problem};
use super::recordings::Id;
use super::streams::publisher;
use crate::config;
use crate::pictures::{
    FRAMES, Failure, Jpeg, KeyFrame, Of, Outcome, Picture, Pictures, Program, Sheet, Wanted,
};

/// A poster is of a tenth of the recording, and at most so long after its beginning: many begin black.
const POSTER_MS: u64 = 10_000;
/// A larger key frame has no place on a sheet: several are in memory at once.
const TILE_BYTES: usize = 4 << 20;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(stream))
        .routes(routes!(poster))
        .routes(routes!(thumbnail))
        .routes(routes!(sprite))
        .routes(routes!(sprite_list))
}

/// What pictures look like.
struct Look {
    program: Program,
    flags: config::Pictures,
    /// Of the small ones.
    step_ms: u64,
}

impl Look {
    /// As the configuration says, for what a recorder made.
    fn new(api: &Api, recorder: Option<&str>) -> Result<Self, Problem> {
        let settings = api.context.settings.load();
        let flags = settings.config.pictures.clone();
        let recorder = settings.recorders.iter().find(|known| Some(&*known.name) == recorder);
        let (is_on, step) = match recorder {
            Some(recorder) => (recorder.pictures, recorder.thumbnail_interval),
            None => (flags.pictures, flags.thumbnail_interval),
        };
        if !is_on {
            let detail = "the configuration says that there are none (pictures)";
            return Err(Problem::new(Code::PicturesOff, detail));
        }
        let step_ms = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
        Ok(Self { program: Program::find(&flags.ffmpeg), flags, step_ms })
    }
}

/// The picture of a stream
///
/// Its newest key frame, as JPEG. It is made when it is asked for, and the same for `-picture-interval`.
#[utoipa::path(get, path = "/streams/{key}/picture.jpg", tag = "streams",
    operation_id = "stream_picture",
    params(("key" = String, Path, description = "The stream, percent-encoded", example = "live%2Ftest")),
    responses(
        (status = 200, description = "The picture", body = [u8], content_type = "image/jpeg"),
        (status = 304, description = "It is as the client has it"),
        (status = 404, description = "`unknown-stream`, `no-publisher`, `no-picture`, `pictures-off`"),
        (status = 501, description = "`no-decoder`"),
        (status = 422, description = "`picture-failed`"),
        (status = 503, description = "`decoder-failed`, `picture-pending`, `pictures-busy`")))]
async fn stream(
    Shared(api): Shared<Arc<Api>>,
    StreamKey(key): StreamKey,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let look = Look::new(&api, None)?;
    let Some(live) = api.context.registry.stream(&key) else {
        publisher(&api, &key)?;
        return Err(Problem::new(Code::NoPicture, "it has sent nothing yet"));
    };
    let interval = look.flags.picture_interval;
    let of = Of::Stream(key, live.run(), look.flags.picture_width);
    let (pictures, room) = (api.context.pictures.clone(), look.flags.picture_cache);
    let is_fresh = move |made: Instant| made.elapsed() < interval;
    let kept = pictures.clone();
    let made = kept.picture(of, room, is_fresh, move || async move {
        let wanted = Wanted::Width(look.flags.picture_width);
        let newest = move || match KeyFrame::of_stream(&live) {
            Some(frame) => Ok(vec![frame]),
            None => Err(Failure::new(Code::NoPicture, "no key frame of its video is in memory")),
        };
        single(pictures.decode(&look.program, wanted, newest).await?).await
    });
    Ok(answer(made.await?, &headers, interval))
}

/// A recording that pictures are made of.
struct Recorded {
    id: RecordingId,
    source: Arc<Source>,
    begin: i64,
    length_ms: u64,
    is_growing: bool,
    look: Look,
}

impl Recorded {
    async fn find(api: &Api, id: &Id) -> Result<Self, Problem> {
        let id = id.read()?;
        let segments = segments_of(api, id).await?;
        let is_there = |segment: &&catalog::Segment| {
            matches!(segment.state, catalog::State::Open | catalog::State::Finished)
        };
        let there: Vec<_> = segments.iter().filter(is_there).collect();
        let Some(first) = there.first() else {
            return Err(match segments.iter().any(|s| s.state == catalog::State::Binned) {
                true => Problem::new(Code::FileMissing, IN_BIN),
                false => Problem::new(Code::NothingRecorded, "it has no file"),
            });
        };
        let look = Look::new(api, Some(&first.recorder))?;
        let status = api.context.archive.status(id);
        let length_ms = there.iter().map(|s| s.start_ms.saturating_add(s.length_ms)).max();
        let length_ms = length_ms.max(status.as_ref().map(|status| status.length_ms));
        let parts = segments.iter().map(range::Segment::from).collect::<Vec<_>>();
        let source = Source::new(Arc::new(SystemDisk), parts);
        let begin = source.start_unix_ms().unwrap_or(first.start_unix_ms);
        let (is_growing, source) = (status.is_some(), Arc::new(source));
        let length_ms = length_ms.unwrap_or_default();
        Ok(Self { id, source, begin, length_ms, is_growing, look })
    }

    /// The picture of a moment.
    async fn moment(self, api: &Arc<Api>, at_ms: u64, width: u32) -> Outcome {
        let of = Of::Moment(self.id, at_ms, width);
        let (pictures, room) = (api.context.pictures.clone(), self.look.flags.picture_cache);
        let api = api.clone();
        let make = move || async move {
            let _turn = api.context.pictures.reading().await;
            let frames = self.read(&api, vec![at_ms], usize::MAX).await?;
            let frame = frames.into_iter().next().flatten();
            let frame = frame.ok_or_else(|| {
                Failure::new(Code::NoPicture, format!("no key frame of a video at {at_ms} ms"))
            })?;
            let pictures = &api.context.pictures;
            let wanted = Wanted::Width(width);
            single(pictures.decode(&self.look.program, wanted, move || Ok(vec![frame])).await?)
                .await
        };
        pictures.picture(of, room, |_| true, make).await
    }

    /// All of it at a glance.
    async fn sheet(self, api: &Arc<Api>, sheet: Sheet) -> Outcome {
        let of = Of::Sheet(self.id, sheet.length_ms, sheet.step_ms, u32::from(sheet.width));
        let (pictures, room) = (api.context.pictures.clone(), self.look.flags.picture_cache);
        let api = api.clone();
        let make = move || async move {
            let _turn = api.context.pictures.reading().await;
            let (mut whole, mut drawn, mut tile) = (sheet.blank(), 0, 0);
            let moments: Vec<_> = sheet.moments().collect();
            for moments in moments.chunks(FRAMES) {
                let frames = self.read(&api, moments.to_vec(), TILE_BYTES).await?;
                let places: Vec<_> = (tile..).zip(&frames).filter(|(_, f)| f.is_some()).collect();
                let places: Vec<usize> = places.into_iter().map(|(place, _)| place).collect();
                tile += frames.len();
                let frames: Vec<_> = frames.into_iter().flatten().collect();
                if frames.is_empty() {
                    continue;
                }
                let wanted = Wanted::Box(sheet.width, sheet.height);
                let pictures = &api.context.pictures;
                let decoded =
                    pictures.decode(&self.look.program, wanted, move || Ok(frames)).await?;
                for (place, picture) in places.into_iter().zip(decoded) {
                    if let Some(picture) = picture {
                        sheet.put(&mut whole, place, &picture);
                        drawn += 1;
                    }
                }
            }
            match drawn {
                0 => Err(Failure::new(Code::NoPicture, "it has no key frame of a video")),
                _ => compress(whole).await,
            }
        };
        pictures.picture(of, room, |_| true, make).await
    }

    /// Reads the key frames of some moments, each of at most so many bytes.
    async fn read(
        &self,
        api: &Api,
        moments: Vec<u64>,
        most: usize,
    ) -> Result<Vec<Option<KeyFrame>>, Failure> {
        let (source, begin) = (self.source.clone(), self.begin);
        let step_ms = i64::try_from(self.look.step_ms).unwrap_or(i64::MAX);
        let read = move || {
            let frame = |at_ms: u64| {
                let at = begin.saturating_add(i64::try_from(at_ms).unwrap_or(i64::MAX));
                let found = KeyFrame::of_recording(&source, at, at.saturating_add(step_ms));
                found.filter(|frame| frame.size_bytes() <= most)
            };
            moments.into_iter().map(frame).collect()
        };
        api.disk.run(DEADLINE, read).await.map_err(Failure::from)
    }

    /// How long its answers stay as they are.
    fn stays(&self) -> Duration {
        if self.is_growing { Duration::ZERO } else { Duration::from_secs(3_600) }
    }
}

/// What is answered when a picture of a recording is not sent.
struct OtherAnswers;

impl IntoResponses for OtherAnswers {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let all = [
            (304, "It is as the client has it"),
            (409, "`recording-waiting`"),
            (
                404,
                "`unknown-recording`, `nothing-recorded`, `file-missing`, `no-picture`, \
                 `pictures-off`",
            ),
            (501, "`no-decoder`"),
            (422, "`picture-failed`"),
            (
                503,
                "`decoder-failed`, `picture-pending`, `pictures-busy`, `disk-busy`, \
                 `disk-timeout`, `catalog-unavailable`",
            ),
        ];
        let answer =
            |(status, text): (u16, &str)| (status.to_string(), openapi::Response::new(text).into());
        all.map(answer).into()
    }
}

/// The poster of a recording
///
/// A key frame near its beginning, as JPEG.
#[utoipa::path(get, path = "/recordings/{id}/poster.jpg", tag = "recordings",
    operation_id = "recording_poster", params(Id),
    responses(
        (status = 200, description = "The picture", body = [u8], content_type = "image/jpeg"),
        OtherAnswers))]
async fn poster(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let recorded = Recorded::find(&api, &id).await?;
    let (stays, width) = (recorded.stays(), recorded.look.flags.picture_width);
    let at_ms = (recorded.length_ms / 10).min(POSTER_MS);
    // One that grows has no other poster each second.
    let at_ms = if recorded.is_growing { at_ms - at_ms % 1_000 } else { at_ms };
    Ok(answer(recorded.moment(&api, at_ms, width).await?, &headers, stays))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct At {
    /// The moment, in ms from the beginning; of each `-thumbnail-interval` there is one picture
    #[param(example = 60_000)]
    at_ms: u64,
}

/// A small picture of a moment of a recording
///
/// The last key frame before it or, in a gap, the first one after it.
#[utoipa::path(get, path = "/recordings/{id}/thumbnail.jpg", tag = "recordings",
    operation_id = "recording_thumbnail", params(Id, At),
    responses(
        (status = 200, description = "The picture", body = [u8], content_type = "image/jpeg"),
        OtherAnswers))]
async fn thumbnail(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Params(At { at_ms }): Params<At>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let recorded = Recorded::find(&api, &id).await?;
    if at_ms > recorded.length_ms {
        let detail = format!("it is {} ms long", recorded.length_ms);
        return Err(Problem::new(Code::NothingRecorded, detail));
    }
    let (stays, width) = (recorded.stays(), recorded.look.flags.thumbnail_width);
    let at_ms = at_ms - at_ms % recorded.look.step_ms.max(1);
    Ok(answer(recorded.moment(&api, at_ms, width).await?, &headers, stays))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Length {
    /// The length that it is laid out for, as `sprite.vtt` has it; all that there is, unless said
    #[param(example = 600_000)]
    length_ms: Option<u64>,
}

/// All of a recording at a glance
///
/// Up to 100 small pictures on one sheet, 10 in a row, for players that show where one seeks to. `sprite.vtt` says
/// which is when. Each is 16:9, with black bars where the video is not; what is missing is black.
#[utoipa::path(get, path = "/recordings/{id}/sprite.jpg", tag = "recordings",
    operation_id = "recording_sprite", params(Id, Length),
    responses(
        (status = 200, description = "The sheet", body = [u8], content_type = "image/jpeg"),
        OtherAnswers))]
async fn sprite(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Params(Length { length_ms }): Params<Length>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let recorded = Recorded::find(&api, &id).await?;
    let sheet = layout(&recorded, length_ms)?;
    let stays = recorded.stays();
    Ok(answer(recorded.sheet(&api, sheet).await?, &headers, stays))
}

/// Which small picture of the sheet is when
///
/// WebVTT: for each stretch of time the place on `sprite.jpg`.
#[utoipa::path(get, path = "/recordings/{id}/sprite.vtt", tag = "recordings",
    operation_id = "recording_sprite_list", params(Id, Length),
    responses(
        (status = 200, description = "The list", body = String, content_type = "text/vtt"),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `nothing-recorded`, `file-missing`, \
            `pictures-off`"),
        (status = 503, description = "`disk-busy`, `disk-timeout`, `catalog-unavailable`")))]
async fn sprite_list(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Params(Length { length_ms }): Params<Length>,
) -> Result<Response, Problem> {
    let recorded = Recorded::find(&api, &id).await?;
    let sheet = layout(&recorded, length_ms)?;
    let text = sheet.vtt(&format!("sprite.jpg?length_ms={}", sheet.length_ms));
    let headers = [
        (CONTENT_TYPE, "text/vtt; charset=utf-8".to_owned()),
        (CACHE_CONTROL, cache_control(recorded.stays())),
    ];
    Ok((headers, text).into_response())
}

fn layout(recorded: &Recorded, asked: Option<u64>) -> Result<Sheet, Problem> {
    let there = recorded.length_ms;
    let length_ms = match asked {
        Some(length_ms) if length_ms > there => {
            return Err(bad_value("length_ms", format!("the recording is {there} ms long")));
        }
        Some(length_ms) => length_ms,
        // One that grows has another sheet now and then, not each time that it is asked for.
        None if recorded.is_growing => {
            let step_ms = recorded.look.step_ms.max(1);
            let often = |rows: u64| there - there % step_ms.saturating_mul(rows);
            [often(10), often(1), there].into_iter().find(|ms| *ms > 0).unwrap_or_default()
        }
        None => there,
    };
    let width = u16::try_from(recorded.look.flags.thumbnail_width & !1).unwrap_or(u16::MAX);
    Ok(Sheet::new(length_ms, recorded.look.step_ms, width))
}

/// The one picture that was decoded, compressed.
async fn single(decoded: Vec<Option<Picture>>) -> Outcome {
    let picture = decoded.into_iter().flatten().next();
    let none = || Failure::new(Code::PictureFailed, "the key frame cannot be decoded");
    compress(picture.ok_or_else(none)?).await
}

async fn compress(picture: Picture) -> Outcome {
    let compressed = tokio::task::spawn_blocking(move || picture.jpeg()).await;
    compressed.map_err(|error| Failure::new(Code::Internal, error.to_string()))?.map(Arc::new)
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::new(problem.code(), problem.detail())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::new(failure.code, failure.detail)
    }
}

fn cache_control(stays: Duration) -> String {
    match stays.as_secs() {
        0 => "private, no-cache".to_owned(),
        s => format!("private, max-age={s}"),
    }
}

fn answer(jpeg: Arc<Jpeg>, headers: &HeaderMap, stays: Duration) -> Response {
    let known = [
        (ETAG, jpeg.tag.clone()),
        (CACHE_CONTROL, cache_control(stays)),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if has_tag(headers, &jpeg.tag) == Some(true) {
        return (StatusCode::NOT_MODIFIED, known).into_response();
    }
    (known, [(CONTENT_TYPE, "image/jpeg")], jpeg.bytes.clone()).into_response()
}

/// What the server says of its pictures.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Status {
    /// Whether there are any.
    enabled: bool,
    /// What decodes: `ffmpeg`, or `native`, which knows H.264 alone.
    #[schema(example = "ffmpeg")]
    decoder: &'static str,
    /// Where FFmpeg is.
    #[schema(example = "/usr/bin/ffmpeg")]
    program: Option<String>,
    /// Pictures that were made since the start.
    made: u64,
    /// Those that could not be.
    failed: u64,
    /// What finished ones take.
    cache_bytes: usize,
    /// What the decoder said when it failed last, unless it has worked since.
    failure: Option<String>,
}

impl Status {
    pub(super) fn new(flags: &config::Pictures, pictures: &Pictures) -> Self {
        let (program, status) = (Program::find(&flags.ffmpeg), pictures.status());
        Self {
            enabled: flags.pictures,
            decoder: program.name(),
            program: program.path().map(super::shape::path),
            made: status.made,
            failed: status.failed,
            cache_bytes: status.cache_bytes,
            failure: status.failure,
        }
    }
}
