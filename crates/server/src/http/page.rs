//! The page to watch: files that are part of the program, as they stand in `assets/page`.
//!
//! They say nothing that is not in the source, so everybody may load them, with a token or without: a
//! browser that opens an address cannot send one. What the page shows it asks of the API, which
//! is guarded; it asks people for the token that this needs.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::Api;
use super::files::has_tag;

/// Where the files are, but for the first, which is at `/`.
const PREFIX: &str = "/page/";

macro_rules! files {
    ($($name:literal)+) => {
        [$(($name, include_str!(concat!("../../assets/page/", $name)))),+]
    };
}

/// Names and texts.
const FILES: &[(&str, &str)] = &files! {
    "index.html" "style.css" "icon.svg"
    "app.js" "api.js" "dom.js" "streams.js" "player.js" "buffer.js" "past.js" "recordings.js"
    "recording.js" "timeline.js" "events.js" "disks.js"
};

/// The page runs its own scripts and styles, asks its own server, and nothing else. Pictures that
/// were loaded and streams that are put together have addresses of their own (`blob:`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src 'self' blob:; media-src 'self' blob:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The address of a file.
fn path(name: &str) -> String {
    match name {
        "index.html" => "/".to_owned(),
        name => format!("{PREFIX}{name}"),
    }
}

/// Whether this is the address of one of the files.
pub(super) fn has(path: &str) -> bool {
    path == "/" || path.strip_prefix(PREFIX).is_some_and(|name| find(name).is_some())
}

fn find(name: &str) -> Option<&'static str> {
    FILES.iter().skip(1).find_map(|(known, text)| (*known == name).then_some(*text))
}

pub(super) fn routes() -> Router<Arc<Api>> {
    FILES.iter().fold(Router::new(), |router, (name, text)| {
        let tag = tag(text);
        let handler =
            move |headers: HeaderMap| std::future::ready(answer(kind(name), &tag, text, &headers));
        router.route(&path(name), get(handler))
    })
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, kind)| kind) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    }
}

fn tag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// The file, unless the client has it: it asks each time, so that all files are of one version.
fn answer(kind: &'static str, tag: &str, text: &'static str, headers: &HeaderMap) -> Response {
    let known = [(header::ETAG, tag.to_owned()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    let policy = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    match has_tag(headers, tag) {
        Some(true) => (StatusCode::NOT_MODIFIED, known).into_response(),
        _ => (known, policy, text).into_response(),
    }
}
