//! The HTTP API: what people and programs see and change while the server runs.
//!
//! `router` puts the parts together: each file below has the calls of one noun, as handlers and
//! as their description. `guard` stands before all of them, `problem` has every refusal,
//! `extract` how a request is read and `disk` how a disk is waited for. The OpenAPI document
//! is made from the same handlers. No handler blocks its thread, and none makes a disk call but
//! through `Api::disk`.

mod clips;
mod disk;
mod docs;
mod drain;
mod events;
mod extract;
mod files;
mod guard;
mod health;
mod hls;
mod listener;
mod media;
pub mod metrics;
mod openapi;
mod packed;
mod page;
mod pictures;
mod problem;
mod rates;
pub(crate) mod recordings;
mod retention;
mod server;
pub(crate) mod shape;
mod streams;
pub(crate) mod time;
mod watch;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware;
use jiff::Zoned;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use utoipa_axum::router::OpenApiRouter;

use crate::rtmp::Context;

pub(crate) use disk::DiskCalls;
use files::Downloads;
pub(crate) use files::START_TIME;
#[cfg(any(test, fuzzing))]
pub(crate) use files::fuzz::range;
pub(crate) use health::Outlook;
pub(crate) use listener::{Limits, bind, serve};
pub(crate) use problem::Problem;
pub use problem::{Code, Meaning};

/// What handlers work on.
pub(crate) struct Api {
    pub(crate) context: Arc<Context>,
    /// Where work is done that waits for a disk.
    pub(crate) disk: DiskCalls,
    /// Files on their way to clients.
    downloads: Downloads,
    /// What streams carry.
    rates: rates::Seen,
    /// Who watches streams over HTTP.
    views: watch::Views,
    /// Places for those who read events.
    subscribers: Arc<Semaphore>,
    /// When the server began.
    started: (Zoned, Instant),
}

impl Api {
    pub(crate) fn new(context: Arc<Context>, limits: Limits) -> Self {
        Self {
            context,
            disk: DiskCalls::default(),
            downloads: Downloads::new(files::Limits::default()),
            rates: rates::Seen::default(),
            views: watch::Views::new(limits.viewers()),
            subscribers: Arc::new(Semaphore::new(events::SUBSCRIBERS)),
            started: (Zoned::now(), Instant::now()),
        }
    }

    /// Waits for the tasks of viewers, which end with the streams that they show.
    pub(crate) async fn close(&self) {
        self.views.close().await;
    }

    /// Looks at what streams carry, for ever. Cancel safe.
    pub(crate) async fn watch_rates(&self) {
        let mut every = tokio::time::interval(rates::LOOK);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.rates.look(&self.context.registry, Instant::now());
        }
    }
}

type Routes = fn() -> OpenApiRouter<Arc<Api>>;

/// The calls below `/api/v1`. A new noun is a file with a `routes()` and a line here.
const V1: [Routes; 10] = [
    streams::routes,
    recordings::routes,
    media::routes,
    hls::routes,
    clips::routes,
    pictures::routes,
    retention::routes,
    server::routes,
    drain::routes,
    events::routes,
];

/// The calls at the root.
const ROOT: [Routes; 2] = [health::routes, metrics::routes];

/// All calls, and what they say of themselves.
fn calls() -> OpenApiRouter<Arc<Api>> {
    let merged = |parts: &[Routes]| {
        parts.iter().fold(OpenApiRouter::new(), |all, routes| all.merge(routes()))
    };
    let all = OpenApiRouter::with_openapi(openapi::base());
    all.nest("/api/v1", merged(&V1)).merge(merged(&ROOT))
}

/// The whole API, with what stands before it.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    // What each part says of itself is dropped before the next one is made: all of it would be 1.5 MB.
    let merged = |parts: &[Routes]| {
        parts.iter().fold(Router::new(), |all, routes| all.merge(Router::from(routes())))
    };
    Router::new()
        .nest("/api/v1", merged(&V1))
        .merge(merged(&ROOT))
        .merge(docs::pages())
        .merge(page::routes())
        .merge(watch::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(api.clone(), guard::guard))
        .with_state(api.clone())
}

async fn not_found(request: Request) -> Problem {
    Problem::new(Code::NotFound, format!("nothing at {}", request.uri().path()))
}

async fn not_allowed(method: Method) -> Problem {
    Problem::new(Code::MethodNotAllowed, format!("not {method}"))
}
