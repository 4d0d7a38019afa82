//! Whether the server is alive, and whether it can do its work: for load balancers, service
//! managers and alerts. Both answer from memory: no disk can make them late.

mod outlook;

use std::sync::Arc;

use archive::{DiskState, State as Recording};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Api, shape};
pub(crate) use outlook::Outlook;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready))
}

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the process answers
///
/// It does not say that it can record: that is `/ready`. Needs no token.
#[utoipa::path(get, path = "/health", tag = "health", operation_id = "health",
    responses((status = 200, description = "It does", body = Health)))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the server can do its work.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    /// Whether it can.
    ready: bool,
    /// Why not: one line for each reason, for people.
    reasons: Vec<String>,
}

/// Whether the server takes streams and can record them
///
/// Not while it stops or is being emptied, and not while recording is impossible: a disk that is full or does not
/// answer, or a directory that cannot be written where recordings are to be made. Needs no token, and never waits for a
/// disk: it tells what was seen last.
#[utoipa::path(get, path = "/ready", tag = "health", operation_id = "ready",
    responses(
        (status = 200, description = "It can", body = Ready),
        (status = 503, description = "It cannot; `reasons` says why", body = Ready)))]
async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, Json<Ready>) {
    let reasons = reasons(&api);
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, reasons }))
}

/// Why the server cannot do its work, from memory alone.
pub(super) fn reasons(api: &Api) -> Vec<String> {
    let mut reasons = Vec::new();
    if *api.context.stopping.borrow() {
        reasons.push("the server is stopping".to_owned());
    }
    reasons.extend(api.context.drain.refusal());
    for disk in api.context.archive.disks() {
        let what = match disk.state {
            DiskState::Good | DiskState::Low => continue,
            DiskState::Full => "has too little room",
            DiskState::Hanging => "does not answer",
            DiskState::Unwritable => {
                let (dir, why) = (shape::path(&disk.dir), disk.obstacle.unwrap_or_default());
                reasons.push(format!("nothing can be recorded in {dir}: {why}"));
                continue;
            }
        };
        reasons.push(format!("the disk of {} {what}", shape::path(&disk.dir)));
    }
    let all = api.context.archive.list();
    let has = |state| all.iter().filter(|status| status.state == state).count();
    // While others are written, a recording in trouble is its own matter, and a metric's.
    match (has(Recording::Trouble), has(Recording::Recording)) {
        (1, 0) => reasons.push("1 recording cannot be written".to_owned()),
        (troubled @ 2.., 0) => reasons.push(format!("{troubled} recordings cannot be written")),
        (0, 0) => reasons.extend(api.context.outlook.failure()),
        _ => {}
    }
    reasons
}

#[cfg(test)]
mod tests;
