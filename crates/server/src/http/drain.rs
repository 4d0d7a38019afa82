//! Asking clients to connect again: one of them, or all before a restart.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use live::Key;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, PathParts, StreamKey, bad_value};
use super::openapi::ProblemBody;
use super::problem::{Code, Problem};
use super::streams::{PlayerPath, player, publisher};
use super::{Api, time};
use crate::sessions::{Peer, Reconnect};
use crate::telemetry;

/// Most bytes of an address: clients keep it in a buffer.
const URL_BYTES: usize = 1_024;
/// Most bytes of what people are told.
const DESCRIPTION_BYTES: usize = 256;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(show, begin, end))
        .routes(routes!(reconnect_publisher))
        .routes(routes!(reconnect_player))
}

/// What clients are asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reconnect, example = json!({
    "tc_url": "rtmp://other.example.com/live",
    "description": "This server restarts.",
}))]
struct Ask {
    /// Where to connect: as far as the application, absolute or relative to the address that the
    /// client has; to the same place without it
    #[schema(max_length = 1024)]
    tc_url: Option<String>,
    /// Why, for people
    #[schema(max_length = 256)]
    description: Option<String>,
}

impl TryFrom<Ask> for Reconnect {
    type Error = Problem;

    fn try_from(ask: Ask) -> Result<Self, Problem> {
        let is_address = |url: &str| {
            (1..=URL_BYTES).contains(&url.len()) && url.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if ask.tc_url.as_deref().is_some_and(|url| !is_address(url)) {
            let why = format!("expected an address of 1 to {URL_BYTES} signs of ASCII, no spaces");
            return Err(bad_value("tc_url", why));
        }
        let is_text =
            |text: &str| text.len() <= DESCRIPTION_BYTES && !text.chars().any(char::is_control);
        if ask.description.as_deref().is_some_and(|text| !is_text(text)) {
            let why = format!("expected one line of at most {DESCRIPTION_BYTES} bytes");
            return Err(bad_value("description", why));
        }
        Ok(Self { tc_url: ask.tc_url, description: ask.description })
    }
}

/// Ask who publishes a stream to connect again
///
/// Only clients that said that they follow such requests are asked (`follows_reconnect`, Enhanced RTMP
/// v2). It goes on here until it leaves by itself.
#[utoipa::path(post, path = "/streams/{key}/publisher/reconnect", tag = "streams",
    operation_id = "reconnect_publisher", request_body = Option<Ask>,
    params(("key" = String, Path, description = "The stream's name, percent-encoded",
        example = "live%2Ftest")),
    responses(
        (status = 202, description = "It is asked"),
        (status = 404, description = "`no-publisher`: nobody publishes it\n\
            `unknown-stream`: nobody waits for it either",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`cannot-reconnect`: it does not follow such requests",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn reconnect_publisher(
    State(api): State<Arc<Api>>,
    StreamKey(key): StreamKey,
    Body(wanted): Body<Ask>,
) -> Result<StatusCode, Problem> {
    let wanted = Reconnect::try_from(wanted)?;
    ask(&key, &publisher(&api, &key)?.peer, wanted)
}

/// Ask who plays a stream to connect again
///
/// As for publishers.
#[utoipa::path(post, path = "/streams/{key}/players/{id}/reconnect", tag = "streams",
    operation_id = "reconnect_player", request_body = Option<Ask>,
    params(
        ("key" = String, Path, description = "The stream's name, percent-encoded",
            example = "live%2Ftest"),
        ("id" = u64, Path, description = "The player's id, as the stream lists it")),
    responses(
        (status = 202, description = "It is asked"),
        (status = 404, description = "`unknown-player`: the stream has no such player",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`cannot-reconnect`: it does not follow such requests",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn reconnect_player(
    State(api): State<Arc<Api>>,
    PathParts(path): PathParts<PlayerPath>,
    Body(wanted): Body<Ask>,
) -> Result<StatusCode, Problem> {
    let wanted = Reconnect::try_from(wanted)?;
    let (key, player) = player(&api, &path)?;
    ask(&key, &player.peer, wanted)
}

fn ask(key: &Key, peer: &Peer, ask: Reconnect) -> Result<StatusCode, Problem> {
    if !peer.ask(&Arc::new(ask)) {
        let detail = format!("{} did not say that it follows such requests", peer.addr);
        return Err(Problem::new(Code::CannotReconnect, detail));
    }
    telemetry::asked_to_reconnect(key, peer.addr);
    Ok(StatusCode::ACCEPTED)
}

/// Whether the server is being emptied, and how far that is.
#[derive(Debug, Serialize, ToSchema)]
struct Drain {
    /// Whether it is.
    draining: bool,
    /// Since when.
    since: Option<String>,
    /// Where clients are asked to connect instead.
    tc_url: Option<String>,
    /// What they are told.
    description: Option<String>,
    /// Clients that were asked.
    asked: usize,
    /// Connections that are left, …
    connections: usize,
    /// … publishers among them, …
    publishers: usize,
    /// … players with those that wait, …
    players: usize,
    /// … and publishers and players whose clients do not follow such requests.
    staying: usize,
}

/// How far the server is emptied
#[utoipa::path(get, path = "/server/drain", tag = "server", operation_id = "show_drain",
    responses((status = 200, description = "How far it is", body = Drain)))]
async fn show(State(api): State<Arc<Api>>) -> Json<Drain> {
    Json(progress(&api))
}

/// Empty the server before a restart
///
/// It is not ready any more (`/ready`), refuses new publishers and players, and asks all clients
/// that follow such requests to connect again. What runs goes on until it leaves. Asked once more,
/// it asks those that are left again.
#[utoipa::path(post, path = "/server/drain", tag = "server", operation_id = "begin_drain",
    request_body = Option<Ask>,
    responses((status = 200, description = "It is being emptied", body = Drain)))]
async fn begin(
    State(api): State<Arc<Api>>,
    Body(wanted): Body<Ask>,
) -> Result<Json<Drain>, Problem> {
    let ask = Reconnect::try_from(wanted)?;
    let draining = api.context.drain.begin(&api.context.sessions, ask);
    telemetry::drain_started(draining.asked());
    Ok(Json(progress(&api)))
}

/// Do not empty the server
///
/// New publishers and players are let in again. Those that were asked to leave do so all the same.
#[utoipa::path(delete, path = "/server/drain", tag = "server", operation_id = "end_drain",
    responses((status = 200, description = "It takes everybody again", body = Drain)))]
async fn end(State(api): State<Arc<Api>>) -> Json<Drain> {
    if api.context.drain.end() {
        telemetry::drain_ended();
    }
    Json(progress(&api))
}

fn progress(api: &Api) -> Drain {
    let (drain, sessions) = (api.context.drain.now(), &api.context.sessions);
    let counts = sessions.counts();
    Drain {
        draining: drain.is_some(),
        since: drain.as_ref().map(|drain| time::text(&drain.since)),
        tc_url: drain.as_ref().and_then(|drain| drain.ask.tc_url.clone()),
        description: drain.as_ref().and_then(|drain| drain.ask.description.clone()),
        asked: drain.map_or(0, |drain| drain.asked()),
        connections: counts.connections,
        publishers: counts.publishers,
        players: counts.players,
        staying: sessions.count_staying(),
    }
}
