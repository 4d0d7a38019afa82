//! Recordings: started, stopped, cut, found, labelled, held and deleted.
//!
//! What runs is asked of the archive, what waits for its stream of the director: both answer from
//! memory. What is kept is asked of the catalog, which is on a disk; where that does not answer,
//! what runs is still shown, started and stopped. Their files are served by `files`.

mod ask;
mod find;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use archive::catalog;
use archive::{Change, ChangeError, Changed, RecordingId};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::disk::DEADLINE;
use super::extract::{Body, Params, PathParts, bad_value};
use super::problem::{Code, Problem};
use crate::director::RequestError;
pub(super) use ask::Format;
use ask::Start;
use find::Search;
pub(super) use find::{ask, files, moment, one};
pub(crate) use view::{Recording, State};

/// How long a stop waits for the recording's files unless it says otherwise.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// The longest that it may say: the answer has to come before the request's time is over.
const STOP_WAIT_MAX: Duration = Duration::from_secs(25);
/// How often is looked whether a recording is over.
const STOP_LOOK: Duration = Duration::from_millis(50);

/// A recording that a catalog knows, as this API tells it: for commands that ask a directory.
pub(crate) fn known(recording: &catalog::Recording) -> Value {
    json!(Recording::known(recording))
}

/// The same with its files and gaps.
pub(crate) fn whole(
    recording: &catalog::Recording,
    segments: &[catalog::Segment],
    gaps: &[catalog::SegmentGap],
) -> Value {
    json!(find::Whole::new(Recording::known(recording), segments, gaps))
}

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(start, list))
        .routes(routes!(show, label, delete))
        .routes(routes!(stop))
        .routes(routes!(split))
        .routes(routes!(hold))
        .routes(routes!(release))
        .routes(routes!(restore))
}

/// The recording that a path names.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Id {
    /// 16 hex digits.
    #[param(example = "8c1f4e2a90b7d635", pattern = "^[0-9a-fA-F]{16}$")]
    pub(super) id: String,
}

impl Id {
    pub(super) fn read(&self) -> Result<RecordingId, Problem> {
        self.id.parse().map_err(|error| bad_value("id", error))
    }
}

/// Recordings, and where the next ones are.
#[derive(Debug, serde::Serialize, ToSchema)]
struct Recordings {
    /// In the order that was asked for.
    recordings: Vec<Recording>,
    /// What to give as `after` for those that follow; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Start a recording
///
/// Of a stream that is there, beginning up to `pre_roll` before now as far as the server keeps it
/// (`-pre-roll`), or of one that is not: then it waits, and begins with the stream's first packet.
/// It goes on over reconnects within `-record-rejoin` and ends when the stream does, when it is
/// stopped, or at `max_length`. The same request with the same `request_key` (or header
/// `Idempotency-Key`) begins nothing and is answered with the same recording.
#[utoipa::path(post, path = "/recordings", tag = "recordings", operation_id = "startRecording",
    params(("Idempotency-Key" = Option<String>, Header, description = "Same as `request_key`")),
    request_body = Start,
    responses(
        (status = 201, description = "It begins, or waits for its stream", body = Recording,
            headers(("Location" = String, description = "Where the recording is"))),
        (status = 200, description = "It was asked for already", body = Recording),
        (status = 404, description = "`unknown-recorder`"),
        (status = 409, description = "`request-key-reused`: the key belongs to another request"),
        (status = 429, description = "`too-many-waiting`"),
        (status = 503, description = "`too-many-recordings`, `stopping`")))]
async fn start(
    Shared(api): Shared<Arc<Api>>,
    headers: HeaderMap,
    Body(start): Body<Start>,
) -> Result<Response, Problem> {
    let wanted = start.wanted(&api, &headers)?;
    if let Some(known) = find::asked_before(&api, &wanted).await? {
        return Ok((StatusCode::OK, Json(known)).into_response());
    }
    let answer = api.context.director.request(wanted).map_err(|error| match error {
        RequestError::TooManyWaiting => Problem::new(Code::TooManyWaiting, error.to_string()),
        RequestError::KeyReused(_) => Problem::new(Code::RequestKeyReused, error.to_string()),
        RequestError::Archive(archive::Error::Closed) => {
            Problem::new(Code::Stopping, error.to_string())
        }
        RequestError::Archive(_) => Problem::new(Code::TooManyRecordings, error.to_string()),
    })?;
    let recording = find::one(&api, answer.id).await?;
    let place = format!("/api/v1/recordings/{}", answer.id);
    let status = if answer.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, [(header::LOCATION, place)], Json(recording)).into_response())
}

/// Find recordings
///
/// Newest first, a page at a time. On the first page those that wait for their streams come before
/// all others. Without `state` nothing is listed that was deleted, is in the bin or has lost its
/// files.
#[utoipa::path(get, path = "/recordings", tag = "recordings", operation_id = "listRecordings",
    params(Search),
    responses(
        (status = 200, description = "A page of recordings", body = Recordings),
        (status = 404, description = "`unknown-recorder`")))]
async fn list(
    Shared(api): Shared<Arc<Api>>,
    Params(search): Params<Search>,
) -> Result<Json<Recordings>, Problem> {
    let (recordings, next) = find::many(&api, search).await?;
    Ok(Json(Recordings { recordings, next }))
}

/// One recording, with its segments and gaps
#[utoipa::path(get, path = "/recordings/{id}", tag = "recordings", operation_id = "recording",
    params(Id),
    responses(
        (status = 200, description = "The recording", body = find::Whole),
        (status = 404, description = "`unknown-recording`")))]
async fn show(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
) -> Result<Json<find::Whole>, Problem> {
    find::whole(&api, id.read()?).await.map(Json)
}

/// What labels are to become.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Labels {
    /// Their new values; `null` takes a label away. Others stay.
    #[schema(example = json!({"event": "concert", "draft": null}))]
    labels: BTreeMap<String, Option<String>>,
}

/// Label a recording
#[utoipa::path(patch, path = "/recordings/{id}", tag = "recordings",
    operation_id = "labelRecording", params(Id), request_body = Labels,
    responses(
        (status = 200, description = "The recording as it is now", body = Recording),
        (status = 404, description = "`unknown-recording`"),
        (status = 409, description = "`recording-waiting`")))]
async fn label(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Body(Labels { labels: set }): Body<Labels>,
) -> Result<Json<Recording>, Problem> {
    let id = id.read()?;
    change(&api, id, Change::Label { id, set }).await?;
    find::one(&api, id).await.map(Json)
}

/// How long to wait for the end of a recording.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Stop {
    /// A time such as `10s`, at most `25s`; `0` does not wait.
    #[schema(example = "10s")]
    wait: Option<String>,
}

/// Stop a recording
///
/// It ends with what its stream has carried until now; the stream goes on. Waits until its files
/// are whole. A recorder of the configuration begins none again for the same publish. One that
/// waits for its stream is taken back.
#[utoipa::path(post, path = "/recordings/{id}/stop", tag = "recordings",
    operation_id = "stopRecording", params(Id), request_body = Option<Stop>,
    responses(
        (status = 200, description = "It is over, or was", body = Recording),
        (status = 202, description = "It ends, but its disk has not finished", body = Recording),
        (status = 404, description = "`unknown-recording`")))]
async fn stop(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Body(Stop { wait }): Body<Stop>,
) -> Result<(StatusCode, Json<Recording>), Problem> {
    let id = id.read()?;
    let wait = wait.as_deref().map_or(Ok(STOP_WAIT), |text| ask::time("wait", text))?;
    if wait > STOP_WAIT_MAX {
        return Err(bad_value("wait", format!("at most {} s", STOP_WAIT_MAX.as_secs())));
    }
    if let Some(wanted) = api.context.director.cancel(id) {
        let waiting = Recording::waiting(id, &wanted);
        return Ok((StatusCode::OK, Json(Recording { state: State::Cancelled, ..waiting })));
    }
    let until = tokio::time::Instant::now() + wait;
    api.context.archive.stop(id);
    loop {
        let recording = find::one(&api, id).await?;
        let is_over = !recording.state.is_active();
        // Who asks for its files next is to find them.
        if is_over && find::is_entered(&api, id).await || tokio::time::Instant::now() >= until {
            let status = if is_over { StatusCode::OK } else { StatusCode::ACCEPTED };
            return Ok((status, Json(recording)));
        }
        tokio::time::sleep(STOP_LOOK).await;
    }
}

/// Begin another file
///
/// At the next key frame; nothing is lost and nothing is in both files. Where no file is being written (the disk is in
/// trouble, the publisher away) there is none to be ended, and the next one begins by itself.
#[utoipa::path(post, path = "/recordings/{id}/split", tag = "recordings",
    operation_id = "splitRecording", params(Id),
    responses(
        (status = 202, description = "It will", body = Recording),
        (status = 404, description = "`unknown-recording`"),
        (status = 409, description = "`not-running`")))]
async fn split(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<(StatusCode, Json<Recording>), Problem> {
    let id = id.read()?;
    let is_written = find::runs(&api, id).is_some_and(|s| s.state == archive::State::Recording);
    let is_split = is_written && api.context.archive.split(id);
    let recording = find::one(&api, id).await?;
    match recording.state {
        _ if is_split => Ok((StatusCode::ACCEPTED, Json(recording))),
        state if state.is_active() => {
            let detail = "no file of it is being written now: the next one begins by itself";
            Err(Problem::new(Code::NotRunning, detail))
        }
        _ => Err(Problem::new(Code::NotRunning, "it is not being written")),
    }
}

/// Nothing is to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Hold a recording
///
/// Neither retention nor anybody else deletes it until it is released. One that is running is held
/// with the files that come.
#[utoipa::path(post, path = "/recordings/{id}/hold", tag = "recordings",
    operation_id = "holdRecording", params(Id),
    responses(
        (status = 200, description = "It is held", body = Recording),
        (status = 404, description = "`unknown-recording`"),
        (status = 409, description = "`recording-waiting`")))]
async fn hold(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Recording>, Problem> {
    let id = id.read()?;
    change(&api, id, Change::Hold { id }).await?;
    find::one(&api, id).await.map(Json)
}

/// Release a recording
#[utoipa::path(post, path = "/recordings/{id}/release", tag = "recordings",
    operation_id = "releaseRecording", params(Id),
    responses(
        (status = 200, description = "It is not held", body = Recording),
        (status = 404, description = "`unknown-recording`"),
        (status = 409, description = "`recording-waiting`")))]
async fn release(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Recording>, Problem> {
    let id = id.read()?;
    change(&api, id, Change::Release { id }).await?;
    find::one(&api, id).await.map(Json)
}

/// How to delete.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Delete {
    /// Whether it passes by the bin, or leaves it, for good.
    #[param(example = false)]
    at_once: Option<bool>,
}

/// Delete a recording
///
/// It goes to the bin, from which it can be restored for the time of `-bin-grace`; with `at_once`
/// it is gone. One that is running has to be stopped first, one that is held to be released.
#[utoipa::path(delete, path = "/recordings/{id}", tag = "recordings",
    operation_id = "deleteRecording", params(Id, Delete),
    responses(
        (status = 200, description = "It is in the bin, or gone", body = Recording),
        (status = 404, description = "`unknown-recording`"),
        (status = 409, description = "`recording-running`, `recording-held`, `recording-waiting`")))]
async fn delete(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Params(Delete { at_once }): Params<Delete>,
) -> Result<Json<Recording>, Problem> {
    let id = id.read()?;
    change(&api, id, Change::Delete { id, at_once: at_once.unwrap_or(false) }).await?;
    find::one(&api, id).await.map(Json)
}

/// Bring a recording back from the bin
#[utoipa::path(post, path = "/recordings/{id}/restore", tag = "recordings",
    operation_id = "restoreRecording", params(Id),
    responses(
        (status = 200, description = "Its files are where they were", body = Recording),
        (status = 404, description = "`unknown-recording`"),
        (status = 409, description = "`not-in-bin`, `file-exists`, `recording-waiting`")))]
async fn restore(
    Shared(api): Shared<Arc<Api>>,
    PathParts(id): PathParts<Id>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Recording>, Problem> {
    let id = id.read()?;
    change(&api, id, Change::Restore { id }).await?;
    find::one(&api, id).await.map(Json)
}

/// Has the archive change a recording, and waits no longer than for any disk.
async fn change(api: &Arc<Api>, id: RecordingId, change: Change) -> Result<Changed, Problem> {
    if api.context.director.waits(id).is_some() {
        let detail = "it waits for its stream and has no file yet";
        return Err(Problem::new(Code::RecordingWaiting, detail));
    }
    let (reply, answer) = oneshot::channel();
    api.context.archive.change(change, move |outcome| {
        // Whoever asked may have gone.
        let _ = reply.send(outcome);
    });
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(Ok(outcome)) => outcome.map_err(|error| refused(&error)),
        Ok(Err(_)) => Err(Problem::new(Code::Stopping, ChangeError::Closed.to_string())),
        Err(_) => {
            let detail = format!(
                "no answer in {} ms; it may still be carried out when the disk answers",
                DEADLINE.as_millis()
            );
            Err(Problem::new(Code::DiskTimeout, detail))
        }
    }
}

fn refused(error: &ChangeError) -> Problem {
    let code = match error {
        ChangeError::Unknown | ChangeError::Gone => Code::UnknownRecording,
        ChangeError::Running => Code::RecordingRunning,
        ChangeError::Held => Code::RecordingHeld,
        ChangeError::NotInBin => Code::NotInBin,
        ChangeError::Exists => Code::FileExists,
        ChangeError::Label(why) => return bad_value("labels", why),
        ChangeError::Busy => Code::DiskBusy,
        ChangeError::Closed => Code::Stopping,
        ChangeError::Disk(_) => Code::DiskFailed,
        ChangeError::Catalog(_) => Code::CatalogUnavailable,
    };
    Problem::new(code, error.to_string())
}
