//! What a file is known by, and whether the client has it already (RFC 9110 8.8, 13).

use axum::http::HeaderName;
use axum::http::header::{
    ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED,
};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

use super::value;

/// What tells two states of a file apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    /// The opaque text, in its quotes.
    tag: String,
    is_weak: bool,
    /// To the second, as the header has it; of what is on no disk there is none.
    modified: Option<Timestamp>,
}

impl Validators {
    pub(super) fn new(identity: &str, size_bytes: u64, modified_ms: i64, is_weak: bool) -> Self {
        let identity: String = identity.chars().filter(char::is_ascii_alphanumeric).collect();
        let modified = Timestamp::from_second(modified_ms.div_euclid(1_000)).ok();
        Self { tag: format!("\"{identity}-{size_bytes:x}-{modified_ms:x}\""), is_weak, modified }
    }

    /// Of what has the same identity only if it has the same bytes.
    pub(super) fn of_content(identity: &str) -> Self {
        Self { tag: format!("\"{identity}\""), is_weak: false, modified: None }
    }

    /// `ETag` and `Last-Modified`.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let weak = if self.is_weak { "W/" } else { "" };
        let mut headers = vec![(ETAG, value(&format!("{weak}{}", self.tag)))];
        let printer = DateTimePrinter::new();
        let date = |time: &Timestamp| printer.timestamp_to_rfc9110_string(time).ok();
        if let Some(date) = self.modified.as_ref().and_then(date) {
            headers.push((LAST_MODIFIED, value(&date)));
        }
        headers
    }

    /// Whether a part may be sent: not when the client has a part of another state of the file. A
    /// date does not tell two states within a second apart, and so allows nothing (13.1.5).
    pub(super) fn allow_part(&self, headers: &HeaderMap) -> bool {
        match headers.get(IF_RANGE) {
            Some(known) => !self.is_weak && known.as_bytes() == self.tag.as_bytes(),
            None => true,
        }
    }
}

/// Whether the client has this state of the file: `If-None-Match`, or without it
/// `If-Modified-Since`.
pub(super) fn is_unchanged(headers: &HeaderMap, validators: &Validators) -> bool {
    if let Some(has_tag) = has_tag(headers, &validators.tag) {
        return has_tag;
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|since| since.to_str().ok());
    let since = since.and_then(|since| DateTimeParser::new().parse_timestamp(since).ok());
    since.zip(validators.modified).is_some_and(|(since, modified)| modified <= since)
}

/// Whether `If-None-Match` names a tag; `None` without one.
pub(in crate::http) fn has_tag(headers: &HeaderMap, tag: &str) -> Option<bool> {
    let mut tags = headers.get_all(IF_NONE_MATCH).iter().peekable();
    tags.peek()?;
    // Tags of ours have no comma.
    let mut tags = tags.filter_map(|tags| tags.to_str().ok()).flat_map(|tags| tags.split(','));
    Some(tags.any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    }))
}
