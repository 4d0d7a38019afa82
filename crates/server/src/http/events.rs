//! Events as they happen: server-sent events (HTML, section 9.2), resumable by id.

mod filter;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Params, bad_value};
use super::openapi::ProblemBody;
use super::problem::{Code, Problem};
use super::{Api, time};
use crate::hub::{Id, Kind, Read, Reader};
use filter::Filter;

/// Who reads events at once: pages that people have open, and programs.
pub(super) const SUBSCRIBERS: usize = 200;
/// A comment in this time, so that proxies and clients know that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(events))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventParams {
    /// Begin behind the event of this id; as the header `Last-Event-ID`, which counts more
    #[param(example = "5f3a9c01-17")]
    after: Option<String>,
    /// Only events of these streams, and no others: a glob, in which `*` stands for one part of
    /// the name and `**` for any number
    #[param(example = "live/*")]
    stream: Option<String>,
    /// Only events of these types; `recording.*` stands for all that begin so. May be repeated
    #[serde(default)]
    #[param(example = json!(["recording.*"]))]
    r#type: Vec<String>,
}

/// What happens, as it happens
///
/// Server-sent events: each has an `id`, its type as `event`, and an object as `data`. A client
/// that comes back with the id it read last gets what happened in between. When that is not known
/// any more, or a client is too slow, it gets the event `reset`: it is to read again what it
/// shows. Without an id, events begin with the next one. A comment comes every 15 s.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "events",
    params(EventParams,
        ("last-event-id" = Option<String>, Header, description = "As `after`; browsers send it")),
    responses(
        (status = 200, description = "Events, until either side ends it", body = String,
            content_type = "text/event-stream",
            example = "id: 5f3a9c01-17\nevent: stream.published\ndata: {\"id\":\"5f3a9c01-17\",…}\n\n"),
        (status = 503, description = "`too-many-subscribers`: 200 clients read them already",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn events(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Params(params): Params<EventParams>,
) -> Result<Response, Problem> {
    let filter = Filter::new(params.stream.as_deref(), &params.r#type)?;
    let place = api.subscribers.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Code::TooManySubscribers, format!("{SUBSCRIBERS} clients read them already"))
    })?;
    // What was read last by a browser that comes back is newer than what its page once asked for.
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default().parse());
    let after = match (last, params.after) {
        (Some(Ok(id)), _) => Some(Ok(id)),
        (Some(Err(_)), _) => Some(Err(())),
        (None, Some(text)) => Some(Ok(text.parse().map_err(|why| bad_value("after", why))?)),
        (None, None) => None,
    };
    let hub = &api.context.hub;
    let reader = match after {
        None => hub.subscribe(None),
        Some(Ok(id)) => hub.subscribe(Some(id)),
        Some(Err(())) => hub.subscribe_anew(),
    };
    let follow = Follow { reader, filter, stopping: api.context.stopping.clone(), _place: place };
    let sse = Sse::new(follow.stream()).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    // nginx would gather them.
    Ok(([(HeaderName::from_static("x-accel-buffering"), "no")], sse).into_response())
}

/// A subscriber.
struct Follow {
    reader: Reader,
    filter: Filter,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Follow {
    /// Its events, until the server stops.
    fn stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        // The first thing is where it stands, so that a client can come back before it got any.
        let stands = self.reader.id().map(|id| sse::Event::default().id(id.to_string()));
        let events = stream::unfold(self, |mut follow| async move {
            let batch = follow.next().await?;
            Some((stream::iter(batch), follow))
        });
        stream::iter(stands).chain(events.flatten()).map(Ok)
    }

    async fn next(&mut self) -> Option<Vec<sse::Event>> {
        let read = tokio::select! {
            read = self.reader.next() => read,
            _ = self.stopping.wait_for(|stopping| *stopping) => return None,
        };
        Some(match read {
            Read::Reset(id) => vec![reset(id)],
            Read::Events(events) => {
                let wanted = events.iter().filter(|told| self.filter.takes(told));
                let event = |told: &Arc<crate::hub::Told>| {
                    let event = sse::Event::default().id(told.id.to_string());
                    event.event(told.kind.name()).data(&told.json)
                };
                wanted.map(event).collect()
            }
        })
    }
}

/// Told to one subscriber alone, so it is in no ring.
fn reset(id: Id) -> sse::Event {
    let data = json!({
        "id": id.to_string(),
        "type": Kind::Reset.name(),
        "time": time::now(),
        "stream": null,
        "reason": "events are lost, or the id is none of this server's",
    });
    sse::Event::default().id(id.to_string()).event(Kind::Reset.name()).data(data.to_string())
}
