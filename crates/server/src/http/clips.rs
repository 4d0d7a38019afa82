//! A stretch of a recording, kept as a recording of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use archive::range::{Range, Source};
use archive::{Clip, ClipError, Plan, SystemDisk, catalog};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::{Body, PathParts, bad_value};
use super::files::{Made, Refusal};
use super::media::{Stretch, Where, of_recording, refused, segments_of};
use super::problem::{Code, Problem};
use super::recordings::{Format, Id, Recording, one};
use super::time;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(clip))
}

/// How often is looked whether the catalog knows the clip, and how long.
const LOOK: Duration = Duration::from_millis(50);
const LOOK_MAX: u32 = 60;

/// What to keep of a recording.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewClip {
    /// The first moment; the beginning, unless said.
    #[schema(example = "2026-11-29T20:15:03.2+01:00")]
    from: Option<String>,
    /// The moment after the last; the end, unless said.
    #[schema(example = "2026-11-29T20:15:31+01:00")]
    to: Option<String>,
    /// `exact` for the ms, in MP4 alone: an edit list shows nothing before `from`, whose pictures are there for decoders.
    #[serde(default)]
    cut: Where,
    /// As its recorder has it, unless said.
    format: Option<Format>,
    /// What the clip is called.
    #[schema(example = "goal")]
    name: Option<String>,
    /// What is written on it.
    #[serde(default)]
    #[schema(example = json!({"event": "final"}))]
    labels: BTreeMap<String, String>,
}

/// Keep a clip of a recording
///
/// From the last key frame at or before `from` to the first one at or after `to`, or to the ms, in one file of the
/// format, unless another is asked for, and in the directory of its recorder: a finished recording with an id, a name, labels and
/// books of its own. The recording that it is of is only read, and may be deleted afterwards.
#[utoipa::path(post, path = "/recordings/{id}/clips", tag = "recordings",
    operation_id = "keepClip", params(Id), request_body = Option<NewClip>,
    responses(
        (status = 201, description = "The clip", body = Recording,
            headers(("Location" = String, description = "Where the clip is"))),
        (status = 409, description = "`recording-waiting`"),
        (status = 404, description = "`unknown-recording`, `nothing-recorded`, `file-missing`"),
        (status = 422, description = "`configuration-changes`, `range-too-long`"),
        (status = 503, description = "`too-many-downloads`, `disk-failed`, `disk-timeout`")))]
async fn clip(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Body(new): Body<NewClip>,
) -> Result<Response, Problem> {
    let id = id.read()?;
    let NewClip { from, to, cut, format, name, labels } = new;
    let stretch = Stretch { from, to, cut: Some(cut) };
    let Made { segments, range } = of_recording(&api, id, stretch).await?;
    let archive = api.context.archive.clone();
    let plan = match segments_of(&api, id).await?.into_iter().next() {
        Some(first) => plan_of(&api, first),
        None => archive.plan(),
    };
    let plan = match format.map(archive::Format::from).filter(|format| *format != plan.format) {
        Some(format) => Arc::new(Plan { format, ..Plan::clone(&plan) }),
        None => plan,
    };
    let clip = Clip { plan, name, labels };
    let keep = move || keep(&archive, segments, range, &clip);
    let id = api.downloads.work(keep).await.map_err(refused)?;
    let id = id.map_err(|error| match error {
        ClipError::Label(error) => bad_value("labels", error),
        ClipError::Inexact => bad_value("cut", format!("{error}; add \"format\": \"mp4\"")),
        ClipError::Space => Problem::new(Code::DiskFailed, error.to_string()),
        ClipError::Changes { unix_ms } => {
            let problem = Problem::new(Code::ConfigurationChanges, error.to_string());
            problem.with("changes_at", time::of_ms(unix_ms))
        }
        ClipError::Range(error) => refused(Refusal::Range(error)),
    })?;
    // The catalog is told, and may be busy.
    let mut known = one(&api, id).await;
    for _ in 0..LOOK_MAX {
        if known.is_ok() {
            break;
        }
        tokio::time::sleep(LOOK).await;
        known = one(&api, id).await;
    }
    let place = format!("/api/v1/recordings/{id}");
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(known?)).into_response())
}

/// How the recorder of a file keeps recordings. Of one that is not in the configuration is known what files it made.
fn plan_of(api: &Api, segment: catalog::Segment) -> Arc<Plan> {
    if let Some((plan, _)) = api.context.director.plan_of(&segment.recorder) {
        return plan;
    }
    let format = archive::Format::of(&segment.path).unwrap_or_default();
    let plan = Plan::clone(&api.context.archive.plan());
    Arc::new(Plan { recorder: segment.recorder, format, ..plan })
}

/// Waits for disks.
fn keep(
    archive: &archive::Archive,
    segments: Vec<archive::range::Segment>,
    range: Range,
    clip: &Clip,
) -> Result<archive::RecordingId, ClipError> {
    let source = Source::new(Arc::new(SystemDisk), segments);
    archive.keep(&source, range, clip, &mut || true)
}
