//! What every request has to pass before a handler sees it, and the last word on each answer.
//!
//! A server without a token listens on loopback alone, but a browser on the same machine reaches
//! it for any page that is open there. So a request that a page of another site caused is refused,
//! whatever it asks for, and so is one whose `Host` a page's own DNS could have made up. A page
//! cannot send `application/json` elsewhere without asking, and is never given leave: there are no
//! CORS headers.
//!
//! Views of streams (`/live/…`) are open to all, as playing over RTMP is, and to the pages of all sites:
//! they show nothing that a player does not get, and change nothing; but what reads recordings to rewind them is held
//! to the same as all else that reads those. So are the files of the page (`/`),
//! which are the same for everybody, but pages of other sites get no leave to read them.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;

use super::problem::{Code, Problem};
use super::{Api, page, watch};
use crate::config::Secret;
use crate::telemetry;

/// Bytes of path and query: a stream's name may have 4 KiB, and three characters a byte.
pub(super) const URI_BYTES: usize = 16 << 10;
/// Until a request has its answer, or the beginning of one that goes on for longer.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// What load balancers and service managers ask: they have no token.
const OPEN: [&str; 2] = ["/health", "/ready"];

/// Lets a request through, or says why not.
pub(super) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_view = path.starts_with(watch::PREFIX);
    let is_open = is_view || page::has(path);
    let checked = if is_open { check_length(request.uri()) } else { check(&api, &request) };
    let answer = match checked {
        Ok(()) => {
            let path = request.uri().path().to_owned();
            in_time(REQUEST_TIME, &path, next.run(request)).await
        }
        Err(problem) => problem.into_response(),
    };
    finish(answer, is_view)
}

fn check_length(uri: &Uri) -> Result<(), Problem> {
    let uri_bytes = uri.path().len() + uri.query().map_or(0, str::len);
    if uri_bytes > URI_BYTES {
        let detail = format!("{uri_bytes} bytes; at most {URI_BYTES} are accepted");
        return Err(Problem::new(Code::UriTooLong, detail));
    }
    Ok(())
}

fn check(api: &Api, request: &Request) -> Result<(), Problem> {
    check_length(request.uri())?;
    check_reader(api, request.uri(), request.headers())?;
    check_media_type(request)
}

/// Whether who asks may read what the API tells and what was recorded.
pub(super) fn check_reader(api: &Api, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = host(uri, headers);
    let is_open = OPEN.contains(&uri.path());
    let settings = api.context.settings.load();
    let token = settings.config.api_token.as_ref();
    if token.is_none() && !(is_open && host.is_none()) && !host.is_some_and(is_own_host) {
        let detail = "send a request to localhost or to an IP address, or set -api-token";
        return Err(Problem::new(Code::BadHost, detail));
    }
    check_site(headers, host)?;
    if !is_open && !token.is_none_or(|token| presents(headers, token)) {
        return Err(Problem::new(Code::Unauthorized, "send Authorization: Bearer TOKEN"));
    }
    Ok(())
}

/// Who the request is for: `Host`, or the authority of a whole URI.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let header = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(|authority| authority.as_str()).or(header)
}

/// Whether nobody's DNS can have led here.
fn is_own_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// Refuses what a browser says that a page of another site has caused.
fn check_site(headers: &HeaderMap, host: Option<&str>) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(Problem::new(Code::CrossSite, detail));
    for site in headers.get_all("sec-fetch-site") {
        if site != "same-origin" && site != "none" {
            return refuse("Sec-Fetch-Site says that another site sent it");
        }
    }
    for origin in headers.get_all(header::ORIGIN) {
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let is_own = authority
            .zip(host)
            .is_some_and(|((_, authority), host)| authority.eq_ignore_ascii_case(host));
        if !is_own {
            return refuse("Origin is not this server");
        }
    }
    Ok(())
}

fn presents(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let (scheme, given) = given.split_at_checked(7).unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"bearer ") && token.is(given)
}

/// A body that is not said to be JSON may be a form of another site's page.
fn check_media_type(request: &Request) -> Result<(), Problem> {
    let (method, headers) = (request.method(), request.headers());
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if matches!(*method, Method::GET | Method::HEAD) || !has_body {
        return Ok(());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    match kind.trim().eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Problem::new(Code::UnsupportedMediaType, format!("got {kind:?}"))),
    }
}

/// The handler's answer, if it comes in time.
async fn in_time(time: Duration, path: &str, run: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(time, AssertUnwindSafe(run).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => {
            telemetry::http_panicked(path);
            Problem::new(Code::Internal, "it is in the log").into_response()
        }
        Err(_) => {
            let detail = format!("no answer in {} s", time.as_secs());
            Problem::new(Code::Timeout, detail).into_response()
        }
    }
}

/// Answers are of now and of the kind that they say; those of views are for everybody's pages.
fn finish(mut answer: Response, is_view: bool) -> Response {
    let headers = answer.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_view {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let exposed = HeaderValue::from_static("Content-Length, Content-Range, Date, Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        let resource_policy = HeaderName::from_static("cross-origin-resource-policy");
        headers.insert(resource_policy, HeaderValue::from_static("cross-origin"));
    }
    answer
}

#[cfg(test)]
mod tests;
