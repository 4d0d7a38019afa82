//! Which bytes a request asks for (RFC 9110 14.1.2, 14.2).

use axum::http::header::{HeaderMap, RANGE};

/// The bytes to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Part {
    /// All: none were asked for, several were, or what was asked for is no range.
    Whole,
    /// From the first to before the second.
    Some { start: u64, end: u64 },
    /// There are no such bytes.
    None,
}

/// Reads the header, which is ignored unless it is one range of bytes.
pub(in crate::http) fn asked(headers: &HeaderMap, size_bytes: u64) -> Part {
    let mut values = headers.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Part::Whole };
    let range = value.to_str().ok().and_then(|value| {
        let (unit, range) = value.split_once('=')?;
        unit.trim().eq_ignore_ascii_case("bytes").then(|| range.trim())
    });
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        (Some(Number::Is(start)), Some(Number::Is(last))) if last < start => Part::Whole,
        (Some(Number::Is(start)), Some(last)) => {
            let end = match last {
                Number::Is(last) => last.saturating_add(1).min(size_bytes),
                Number::Empty => size_bytes,
            };
            if start < end { Part::Some { start, end } } else { Part::None }
        }
        (Some(Number::Empty), Some(Number::Is(last))) => {
            let start = size_bytes.saturating_sub(last);
            if start < size_bytes { Part::Some { start, end: size_bytes } } else { Part::None }
        }
        _ => Part::Whole,
    }
}

/// One end of a range.
#[derive(Debug, Clone, Copy)]
enum Number {
    Empty,
    /// What is too large for 64 bits is the largest of them.
    Is(u64),
}

/// `None` when it is neither nothing nor digits.
fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Number::Empty);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Number::Is(text.parse().unwrap_or(u64::MAX)))
}
