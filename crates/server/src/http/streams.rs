//! Streams: what is published and waited for, by whom, and ending it.

mod shapes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use live::Key;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Params, PathParts, StreamKey, bad_value, stream_key};
use super::openapi::ProblemBody;
use super::problem::{Code, Problem};
use super::{Api, shape, time};
use crate::sessions::{self, Codecs};
use shapes::{Audio, OfStream, Player, Players, Publisher, Stream, StreamPage, Track, Video};

/// Streams on a page unless the caller says otherwise, …
const PAGE: u32 = 100;
/// … and at most: each is some hundred bytes and a few locks.
const PAGE_MAX: u32 = 1_000;
/// How long a kick is waited for. The connection needs no more than its next turn.
const KICK_TIME: Duration = Duration::from_secs(5);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(kick_publisher))
        .routes(routes!(kick_player))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StreamState {
    /// Somebody publishes it.
    Live,
    /// Nobody publishes it, but somebody waits for it.
    WaitedFor,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Where the page before ended: its `next`
    after: Option<String>,
    /// Streams on the page, at most 1000
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Only streams in this state
    #[param(inline)]
    state: Option<StreamState>,
}

/// The streams, by name
///
/// All that somebody publishes or waits for, in pages. Rates are those of the last seconds.
#[utoipa::path(get, path = "/streams", tag = "streams", operation_id = "list_streams",
    params(ListParams),
    responses((status = 200, description = "A page of streams", body = StreamPage)))]
async fn list(
    State(api): State<Arc<Api>>,
    Params(params): Params<ListParams>,
) -> Result<Json<StreamPage>, Problem> {
    let limit = match params.limit.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => limit as usize,
        _ => return Err(bad_value("limit", format!("expected 1 to {PAGE_MAX}"))),
    };
    // Any text has its place among the names, whether it is one or not.
    let after = params.after.as_deref();
    let is_wanted = |key: &Key| match params.state {
        None => true,
        Some(state) => {
            let is_live = api.context.sessions.publisher(key).is_some();
            is_live == (state == StreamState::Live)
        }
    };
    let keys = api.context.sessions.keys();
    let mut keys = keys.iter().filter(|key| after.is_none_or(|after| key.as_str() > after));
    let mut page: Vec<&Key> = keys.by_ref().filter(|key| is_wanted(key)).take(limit + 1).collect();
    let is_more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| is_more).map(|key| key.as_str().to_owned());
    let recordings = api.context.archive.list();
    let streams = page.into_iter().filter_map(|key| stream(&api, key, &recordings, false));
    Ok(Json(StreamPage { streams: streams.collect(), next }))
}

/// One stream
///
/// With its players, and the ledger of each of its recordings.
#[utoipa::path(get, path = "/streams/{key}", tag = "streams", operation_id = "show_stream",
    params(("key" = String, Path, description = "The stream's name, percent-encoded",
        example = "live%2Ftest")),
    responses(
        (status = 200, description = "The stream", body = Stream),
        (status = 404, description = "`unknown-stream`: nobody publishes or waits for it",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn show(
    State(api): State<Arc<Api>>,
    StreamKey(key): StreamKey,
) -> Result<Json<Stream>, Problem> {
    let found = stream(&api, &key, &api.context.archive.list(), true);
    found.map(Json).ok_or_else(|| unknown_stream(&key))
}

/// End what somebody publishes
///
/// The publisher is told so, and its connection closed. Many encoders connect again by themselves.
#[utoipa::path(delete, path = "/streams/{key}/publisher", tag = "streams",
    operation_id = "kick_publisher",
    params(("key" = String, Path, description = "The stream's name, percent-encoded",
        example = "live%2Ftest")),
    responses(
        (status = 204, description = "It is ended"),
        (status = 404, description = "`no-publisher`: nobody publishes it\n\
            `unknown-stream`: nobody waits for it either",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn kick_publisher(
    State(api): State<Arc<Api>>,
    StreamKey(key): StreamKey,
) -> Result<StatusCode, Problem> {
    kicked(publisher(&api, &key)?.kick()).await
}

/// Who publishes a stream.
pub(super) fn publisher(api: &Api, key: &Key) -> Result<Arc<sessions::Publisher>, Problem> {
    let sessions = &api.context.sessions;
    sessions.publisher(key).ok_or_else(|| match sessions.count_players(key) {
        0 => unknown_stream(key),
        _ => Problem::new(Code::NoPublisher, format!("nobody publishes {key}")),
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct PlayerPath {
    key: String,
    id: u64,
}

/// Who plays a stream.
pub(super) fn player(
    api: &Api,
    path: &PlayerPath,
) -> Result<(Key, Arc<sessions::Player>), Problem> {
    let key = stream_key(&path.key)?;
    let player = api.context.sessions.player(&key, path.id);
    let unknown = || Problem::new(Code::UnknownPlayer, format!("{key} has no player {}", path.id));
    let player = player.ok_or_else(unknown)?;
    Ok((key, player))
}

/// End what somebody plays
///
/// The player is told so, and its connection closed. Many players connect again by themselves.
#[utoipa::path(delete, path = "/streams/{key}/players/{id}", tag = "streams",
    operation_id = "kick_player",
    params(
        ("key" = String, Path, description = "The stream's name, percent-encoded",
            example = "live%2Ftest"),
        ("id" = u64, Path, description = "The player's id, as the stream lists it")),
    responses(
        (status = 204, description = "It is ended"),
        (status = 404, description = "`unknown-player`: the stream has no such player",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn kick_player(
    State(api): State<Arc<Api>>,
    PathParts(path): PathParts<PlayerPath>,
) -> Result<StatusCode, Problem> {
    kicked(player(&api, &path)?.1.kick()).await
}

async fn kicked(kick: impl Future<Output = ()>) -> Result<StatusCode, Problem> {
    match tokio::time::timeout(KICK_TIME, kick).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(_) => Err(Problem::new(Code::Timeout, "the connection has not ended yet")),
    }
}

fn unknown_stream(key: &Key) -> Problem {
    Problem::new(Code::UnknownStream, format!("nobody publishes or waits for {key}"))
}

/// All that is known of a stream; `None` when it is gone.
fn stream(api: &Api, key: &Key, recordings: &[archive::Status], in_full: bool) -> Option<Stream> {
    let sessions = &api.context.sessions;
    let publisher = sessions.publisher(key);
    let players = match in_full {
        true => sessions.players(key),
        false => Vec::new(),
    };
    let count = sessions.count_players(key);
    let live = api.context.registry.stream(key);
    if publisher.is_none() && live.is_none() && count == 0 {
        return None;
    }
    let stats = live.as_ref().map(live::Stream::stats).unwrap_or_default();
    let codecs = match (&live, &publisher) {
        (Some(live), Some(publisher)) => codecs(live, publisher),
        _ => Codecs::default(),
    };
    let rates = live
        .as_ref()
        .zip(publisher.as_ref())
        .map(|(live, publisher)| api.rates.rates(live, &stats, publisher.began, Instant::now()));
    let (video, audio) = codecs.first();
    let rates_of = |packets: u64| rates.as_ref().filter(|_| packets > 0);
    let of_stream = recordings.iter().filter(|status| status.key == *key);
    Some(Stream {
        key: key.as_str().to_owned(),
        state: if live.is_some() { "live" } else { "waited_for" },
        run: live.as_ref().map(live::Stream::run),
        started: publisher.as_ref().map(|publisher| time::text(&publisher.since)),
        publisher: publisher.as_deref().map(Publisher::from),
        video: rates_of(stats.video.packets).map(|rates| Video::new(video, &stats, rates)),
        audio: rates_of(stats.audio.packets).map(|rates| Audio::new(audio, &stats, rates)),
        tracks: Track::all(&codecs),
        players: Players {
            count,
            peak: stats.players_peak.max(u32::try_from(count).unwrap_or(u32::MAX)),
            list: in_full.then(|| players.iter().map(|player| Player::from(&**player)).collect()),
        },
        recordings: of_stream.map(|status| OfStream::new(status, in_full)).collect(),
        received: shape::Amount {
            packets: stats.audio.packets + stats.video.packets + stats.data.packets,
            bytes: stats.audio.bytes + stats.video.bytes + stats.data.bytes,
        },
    })
}

/// What is known of a stream's tracks. Some codecs have no configuration, or not all in it: what frames told is with
/// the publisher.
fn codecs(live: &live::Stream, publisher: &sessions::Publisher) -> Codecs {
    let seen = publisher.codecs();
    let mut codecs = seen.clone();
    for packet in live.header().packets() {
        codecs.see(packet);
    }
    codecs.complete(&seen);
    codecs
}
