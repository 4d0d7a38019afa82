//! Answers that are compressed for clients that take that (RFC 9110 8.4, 12.5.3).
//!
//! Playlists alone: a long one has thousands of lines that are much the same. Media is compressed
//! as it is.

use std::io::Write as _;

use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, VARY};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::problem::{Code, Problem};

/// Whether a client takes gzip, and likes it at least as much as what is not compressed.
///
/// # Errors
/// When it takes neither.
pub(super) fn takes_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let codings: Vec<_> = lines.flat_map(|line| line.split(',')).map(weighed).collect();
    let weight = |name: &str| {
        let of = codings.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(name));
        of.map(|(_, weight)| *weight)
    };
    let gzip = weight("gzip").or_else(|| weight("x-gzip")).or_else(|| weight("*")).unwrap_or(0.0);
    let is_gzip_taken = gzip > 0.0;
    // What is not compressed is taken unless it is refused.
    let is_plain_taken = weight("identity").or_else(|| weight("*")).is_none_or(|plain| plain > 0.0);
    if !is_gzip_taken && !is_plain_taken {
        let detail = "Accept-Encoding refuses gzip, or does not name it, and identity";
        return Err(Problem::new(Code::NotAcceptable, detail));
    }
    Ok(is_gzip_taken && gzip >= weight("identity").unwrap_or(0.0))
}

/// A coding and its weight, which is 1 unless said, and 0, which is a refusal, where it is no number.
fn weighed(coding: &str) -> (&str, f32) {
    let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
    });
    (name.trim(), weight.unwrap_or(1.0))
}

/// The same bytes, compressed.
pub(super) fn gzip(bytes: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = packer.write_all(bytes);
    packer.finish().unwrap_or_default().into()
}

/// Says in an answer whether its body is compressed, and to caches that it may be.
pub(super) fn mark(answer: &mut Response, is_packed: bool) {
    answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if is_packed {
        answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

#[cfg(test)]
mod tests;
