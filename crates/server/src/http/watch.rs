//! Streams as they are published, for players that speak HTTP.
//!
//! - `/live/KEY.flv`: as the body of an answer or in the messages of a WebSocket; a cursor each.
//! - `/live/KEY.mp4`: fragments as the body of an answer.
//! - `/live/KEY.m3u8`: HLS, with `/live/KEY.hls/ID/…` for what its playlists name, of each track where there are several;
//!   `?dvr=2h` reaches back over what was recorded, and is for who may read that.
//!
//! The last two are made by one `muxer` a stream, while somebody watches. A viewer is a player as those of RTMP are: an
//! entry of `sessions`, with the same drop rules. No container is known here; `media` makes the bytes. Who may view
//! stands in `guard`.

mod flv;
mod hls;
mod mp4;
mod muxer;
mod rewind;
mod socket;
mod viewer;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use live::{Cursor, Key, Watcher};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::extract::stream_key;
use super::listener::Client;
use super::problem::{Code, Problem};
use super::{Api, files, guard};
use crate::sessions::{Connected, Via};
use crate::telemetry;

/// What paths of views begin with.
pub(super) const PREFIX: &str = "/live/";

/// At the server's end viewers have this long to take what is left.
const LINGER: Duration = Duration::from_secs(2);
/// Characters of a client's name that are kept.
const CLIENT_CHARS: usize = 64;

/// Who watches over HTTP.
pub(super) struct Views {
    /// Places for those who do at once.
    places: Arc<Semaphore>,
    limit: usize,
    /// A task a viewer, and one a muxer.
    tasks: TaskTracker,
    pub(super) muxers: muxer::Muxers,
}

impl Views {
    pub(super) fn new(limit: usize) -> Self {
        let places = Arc::new(Semaphore::new(limit));
        Self { places, limit, tasks: TaskTracker::new(), muxers: muxer::Muxers::default() }
    }

    /// Waits for their tasks.
    pub(super) async fn close(&self) {
        self.tasks.close();
        let _ = tokio::time::timeout(LINGER, self.tasks.wait()).await;
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let detail = format!("{} clients watch over HTTP, which is the limit", self.limit);
            Problem::new(Code::TooManyPlayers, detail)
        })
    }
}

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/live/{*view}", get(view).options(preflight))
}

/// What a browser asks before it lets a page ask.
async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*, Authorization, Range"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Answers with a view of a stream.
async fn view(
    State(api): State<Arc<Api>>,
    Extension(client): Extension<Client>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (asked, headers) = (request.uri().clone(), request.headers().clone());
    let nothing = || Problem::new(Code::NotFound, format!("nothing at {}", asked.path()));
    let Ok(Path(path)) = path else { return Err(nothing()) };
    let of_hls = hls::split(&path);
    if rewind::reads_archive(&asked, of_hls.map_or("", |(.., file)| file)) {
        guard::check_reader(&api, &asked, &headers)?;
    }
    if let Some((key, id, file)) = of_hls {
        let (key, method) = (stream_key(key)?, request.method());
        return hls::file(&api, &client, &key, (id, file), (method, &asked), &headers).await;
    }
    let (name, kind) = path.rsplit_once('.').ok_or_else(nothing)?;
    let (view, kind) = match kind {
        "flv" => (View::Flv, files::FLV),
        "mp4" => (View::Mp4, mp4::MP4),
        "m3u8" => (View::Hls, hls::M3U8),
        _ => return Err(nothing()),
    };
    let key = stream_key(name)?;
    if request.method() == Method::HEAD {
        live_stream(&api, &key)?;
        // Of a length that nobody knows.
        let nothing =
            futures_util::stream::empty::<Result<bytes::Bytes, std::convert::Infallible>>();
        return Ok((typed(kind), axum::body::Body::from_stream(nothing)).into_response());
    }
    match view {
        View::Flv => view_flv(&api, &client, &key, request),
        View::Mp4 => mp4::answer(&api, &client, &key, &headers),
        View::Hls => hls::multivariant(&api, &client, &key, &asked, &headers).await,
    }
}

/// What a stream is watched as.
enum View {
    Flv,
    Mp4,
    Hls,
}

fn view_flv(
    api: &Arc<Api>,
    client: &Client,
    key: &Key,
    request: Request,
) -> Result<Response, Problem> {
    if socket::is_asked(request.headers()) {
        let answer = socket::Answer::new(request)?;
        let seat = Seat::take(api, client, key, Via::WebSocket, answer.headers())?;
        return Ok(flv::over_socket(api, seat, answer));
    }
    let seat = Seat::take(api, client, key, Via::Flv, request.headers())?;
    Ok((typed(files::FLV), flv::as_body(api, seat)).into_response())
}

/// The head of an endless answer: the type, and that it is not to be kept or gathered.
fn typed(kind: &'static str) -> [(header::HeaderName, HeaderValue); 2] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ]
}

fn live_stream(api: &Api, key: &Key) -> Result<live::Stream, Problem> {
    api.context.registry.stream(key).ok_or_else(|| not_live(key))
}

fn not_live(key: &Key) -> Problem {
    Problem::new(Code::NoPublisher, format!("nobody publishes {key} now"))
}

/// A cursor on the present run, which may have ended just now.
fn join(watcher: &mut Watcher) -> Result<Cursor, Problem> {
    match watcher.poll_run(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(cursor) => Ok(cursor),
        Poll::Pending => Err(not_live(watcher.key())),
    }
}

/// A viewer that was let in.
struct Seat {
    stream: live::Stream,
    /// The present run.
    reads: (Watcher, Cursor),
    connected: Connected,
    place: Place,
}

/// A viewer's place among viewers, and that of its connection.
type Place = (OwnedSemaphorePermit, Arc<OwnedSemaphorePermit>);

impl Seat {
    /// Lets a viewer in, of a stream that is live.
    fn take(
        api: &Api,
        client: &Client,
        key: &Key,
        via: Via,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let context = &api.context;
        let taken = (|| {
            if *context.stopping.borrow() {
                return Err(Problem::new(Code::Stopping, "the server is stopping"));
            }
            if let Some(why) = context.drain.refusal() {
                return Err(Problem::new(Code::Stopping, why));
            }
            let stream = live_stream(api, key)?;
            let place = (api.views.place()?, client.place.clone());
            let too_many = |error| Problem::new(Code::TooManyPlayers, format!("{error}"));
            let mut watcher = context.registry.watch(key).map_err(too_many)?;
            let cursor = join(&mut watcher)?;
            Ok((stream, (watcher, cursor), place))
        })();
        match taken {
            Ok((stream, reads, place)) => {
                let name = name_of(headers);
                telemetry::play_started(key, client.addr, &name);
                let connected = context.sessions.view(client.addr, via, &name);
                Ok(Self { stream, reads, connected, place })
            }
            Err(problem) => {
                // A page that waits for its stream asks for it again and again.
                if problem.code() != Code::NoPublisher {
                    telemetry::play_refused(key, client.addr, &problem.detail());
                }
                Err(problem)
            }
        }
    }
}

/// What a client calls itself: for logs and people only.
fn name_of(headers: &HeaderMap) -> String {
    let name = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    String::from_utf8_lossy(name).escape_debug().take(CLIENT_CHARS).collect()
}
