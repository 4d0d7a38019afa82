//! What retention would do now: the dry run of `rtmp-server retention`, by the rules that the
//! server has.

use std::path::Path;
use std::sync::Arc;

use archive::SystemDisk;
use archive::catalog::Segment;
use archive::retention::{Forecast, Outlook};
use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::{Params, bad_value};
use super::problem::{Code, Problem};
use super::recordings::ask;
use super::{shape, time};
use crate::server::policy;

/// Files of each list unless it is said, and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(retention))
}

/// How much is told.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Extent {
    /// Most files of each list, 1 to 1000; 100 unless said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// What retention would do now, and when the disk will be full.
#[derive(Debug, Serialize, ToSchema)]
struct Retention {
    /// Files of recordings that are there.
    files: u64,
    /// Their bytes.
    size_bytes: u64,
    /// Files in the bin.
    bin_files: u64,
    /// Their bytes.
    bin_bytes: u64,
    /// Bytes that are free on the disk of the record directory, where it tells.
    free_bytes: Option<u64>,
    /// Bytes that recording leaves free there.
    min_free_bytes: u64,
    /// What was written in a second, over the last day or since the oldest recording.
    write_bytes_per_second: u64,
    /// When recording stops for want of room if nothing is deleted; nothing when it does not, or
    /// nobody can tell.
    full_at: Option<String>,
    /// When it stops although the rules are in force.
    full_at_with_rules: Option<String>,
    /// How many files would go now, and their bytes.
    doomed_files: usize,
    doomed_bytes: u64,
    /// The first of them, oldest first.
    doomed: Vec<File>,
    /// How many would go as well if nothing protected them.
    kept_files: usize,
    /// The first of them, oldest first.
    kept: Vec<File>,
    /// What was deleted last, newest first.
    deletions: Vec<Deletion>,
}

/// A file that would go, or that something protects.
#[derive(Debug, Serialize, ToSchema)]
struct File {
    /// Where it is.
    file: String,
    /// The recording that it is of.
    recording: String,
    /// Its stream.
    stream: String,
    /// When it began.
    start: String,
    /// How long ago its last packet came.
    age_ms: u64,
    /// Its bytes.
    size_bytes: u64,
    /// The rule that it goes by, or what protects it.
    reason: &'static str,
}

/// A file that was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct Deletion {
    /// What it was called.
    file: String,
    /// Its stream.
    stream: String,
    /// Its bytes.
    size_bytes: u64,
    /// When.
    at: String,
    /// By which rule or request.
    reason: String,
}

/// What retention would delete now
///
/// By the rules of the server and of its recorders. Nothing is deleted by asking.
#[utoipa::path(get, path = "/retention", tag = "recordings", operation_id = "retention",
    params(Extent),
    responses((status = 200, description = "What would go, what is kept, and the forecast",
        body = Retention)))]
async fn retention(
    Shared(api): Shared<Arc<Api>>,
    Params(Extent { limit }): Params<Extent>,
) -> Result<Json<Retention>, Problem> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(bad_value("limit", format!("expected 1 to {LIMIT_MAX}")));
    }
    let policy = policy(&api.context.settings.load());
    let now = Timestamp::now().as_millisecond();
    let question = move |reader: &_| Outlook::new(reader, &SystemDisk, &policy, now, limit);
    let outlook = ask(&api, question).await?;
    let outlook = outlook.ok_or_else(|| {
        Problem::new(Code::NothingRecorded, "there is no catalog before the first recording")
    })?;
    Ok(Json(Retention::new(&outlook, limit)))
}

impl Retention {
    fn new(outlook: &Outlook, limit: usize) -> Self {
        let doomed = outlook.doomed.iter().take(limit);
        let kept = outlook.kept.iter().take(limit);
        Self {
            files: outlook.segments,
            size_bytes: outlook.total_bytes,
            bin_files: outlook.bin_segments,
            bin_bytes: outlook.bin_bytes,
            free_bytes: outlook.space.map(|space| space.free_bytes),
            min_free_bytes: outlook.min_free_bytes,
            write_bytes_per_second: outlook.bytes_per_second,
            full_at: at(outlook.full),
            full_at_with_rules: at(outlook.full_with_rules),
            doomed_files: outlook.doomed.len(),
            doomed_bytes: outlook.doomed_bytes(),
            doomed: doomed.map(|d| File::new(&d.segment, d.age, d.cause.name())).collect(),
            kept_files: outlook.kept.len(),
            kept: kept.map(|k| File::new(&k.segment, k.age, k.keep.name())).collect(),
            deletions: outlook.deletions.iter().map(Deletion::new).collect(),
        }
    }
}

impl File {
    fn new(segment: &Segment, age: std::time::Duration, reason: &'static str) -> Self {
        Self {
            file: path(&segment.path),
            recording: segment.recording.to_string(),
            stream: segment.stream_key.clone(),
            start: time::of_ms(segment.start_unix_ms),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            size_bytes: segment.size_bytes,
            reason,
        }
    }
}

impl Deletion {
    fn new(deletion: &archive::catalog::Deletion) -> Self {
        Self {
            file: path(&deletion.path),
            stream: deletion.stream_key.clone(),
            size_bytes: deletion.size_bytes,
            at: time::of_ms(deletion.deleted_unix_ms),
            reason: deletion.reason.clone(),
        }
    }
}

fn at(forecast: Forecast) -> Option<String> {
    match forecast {
        Forecast::Never | Forecast::Unknown => None,
        Forecast::In(left) => time::after(left),
    }
}

fn path(path: &Path) -> String {
    shape::path(path)
}
