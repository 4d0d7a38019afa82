//! The OpenAPI document, and a page that shows it. The page is part of the program and asks no
//! other host for anything.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;

use super::problem::{Code, Meaning};
use super::{Api, openapi};

const HTML: &str = include_str!("docs/docs.html");
const SCRIPT: &str = include_str!("docs/docs.js");
const STYLE: &str = include_str!("docs/docs.css");

/// The page runs its own script and style, asks its own server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The document. Made when somebody asks for it: it takes more memory than the server does.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document = openapi::finish(super::calls().into_openapi());
    document.to_json().unwrap_or_default().into()
});

/// The document and the page.
pub(super) fn pages() -> Router<Arc<Api>> {
    let document = || std::future::ready(typed("application/json", DOCUMENT.clone()));
    let page = Bytes::from(HTML.replace("{codes}", &codes()));
    let file = |kind: &'static str, text: Bytes| {
        get(move || std::future::ready(typed(kind, text.clone())))
    };
    Router::new()
        .route("/api/v1/openapi.json", get(document))
        .route("/api/v1/docs", file("text/html; charset=utf-8", page))
        .route("/api/v1/docs.js", file("text/javascript; charset=utf-8", SCRIPT.into()))
        .route("/api/v1/docs.css", file("text/css; charset=utf-8", STYLE.into()))
}

/// The rows of the table of codes. `type` of each refusal leads to its row.
fn codes() -> String {
    let rows = Code::ALL.iter().map(|code| {
        let Meaning { status, code, title, meaning } = code.meaning();
        let meaning = escape(meaning);
        // Every second piece between backquotes is code.
        let pieces = meaning.split('`').enumerate().map(|(n, piece)| match n % 2 {
            0 => piece.to_owned(),
            _ => format!("<code>{piece}</code>"),
        });
        format!(
            "<tr id=\"{code}\"><td><code>{code}</code></td><td>{status}</td>\
             <td><b>{}.</b> {}</td></tr>\n",
            escape(title),
            pieces.collect::<String>()
        )
    });
    rows.collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}
