//! What must hold of any request for a part of a file.

use std::io::IoSlice;
use std::path::Path;
use std::sync::LazyLock;

use axum::http::header::{ETAG, IF_RANGE, RANGE};
use regex::bytes::Regex;

use super::*;

/// Bytes that tell where they stand.
struct Memory(Vec<u8>);

impl DiskFile for Memory {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(read)
    }

    fn append(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn check(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn is_at(&mut self, _: &Path) -> bool {
        true
    }
}

/// Four bytes for the file's size, how much is read at once, whether the file grows, and what
/// `If-Range` says; then a `Range` header a line. What is answered are the bytes that a simple
/// reading of the header asks for, one by one.
pub(crate) fn range(data: &[u8]) {
    let Some(([size, block, grows, known], lines)) = data.split_first_chunk() else { return };
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(usize::from(*size)).collect();
    let size_bytes = bytes.len() as u64;
    let validators = Validators::new("id", size_bytes, 1_000, grows % 2 == 1);
    let mut headers = HeaderMap::new();
    let ranges: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    for range in &ranges {
        let Ok(range) = HeaderValue::from_bytes(range) else { return };
        headers.append(RANGE, range);
    }
    let tags = validators.headers();
    let tag = tags.iter().find(|(name, _)| *name == ETAG).map(|(_, tag)| tag.clone());
    let if_range = match known % 4 {
        0 => None,
        1 => tag.clone(),
        2 => Some(HeaderValue::from_static("\"another\"")),
        _ => HeaderValue::from_bytes(ranges.first().copied().unwrap_or_default()).ok(),
    };
    headers.extend(if_range.clone().map(|value| (IF_RANGE, value)));

    let is_same = if_range
        .is_none_or(|value| Some(&value) == tag.as_ref() && !value.as_bytes().starts_with(b"W/"));
    assert_eq!(validators.allow_part(&headers), is_same);
    let (start, end) = match (asked(&headers, size_bytes), simple(&ranges, &bytes)) {
        (Part::Whole, None) => (0, size_bytes),
        (Part::None, Some(wanted)) if wanted.is_empty() => return,
        (Part::Some { start, end }, Some(_)) => (start, end),
        (part, wanted) => panic!("{part:?}, not {wanted:?}"),
    };
    let sent = Blocks {
        file: Box::new(Memory(bytes.clone())),
        at: start,
        end,
        bytes: usize::from(*block).max(1),
    };
    let sent: Vec<u8> = sent
        .flat_map(|block| match block {
            Ok(block) => block,
            Err(error) => panic!("{error}"),
        })
        .collect();
    assert_eq!(sent, simple(&ranges, &bytes).unwrap_or(bytes));
}

/// One range of bytes, spaces let be.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    let form = r"(?i-u)\A[ \t]*bytes[ \t]*=[ \t]*([0-9]*)[ \t]*-[ \t]*([0-9]*)[ \t]*\z";
    Regex::new(form).unwrap_or_else(|error| panic!("{error}"))
});

/// The bytes that are asked for, each looked at alone; `None` for all of them.
fn simple(ranges: &[&[u8]], bytes: &[u8]) -> Option<Vec<u8>> {
    let [range] = ranges else { return None };
    let found = FORM.captures(range)?;
    let number = |index| {
        let text = found.get(index).map(|found| found.as_bytes()).filter(|text| !text.is_empty());
        // Saturating: no file has so many bytes.
        text.map(|text| {
            text.iter().fold(0_u64, |n, digit| {
                n.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))
            })
        })
    };
    let size = bytes.len() as u64;
    let is_asked = |at: u64| match (number(1), number(2)) {
        (Some(first), Some(last)) => first <= at && at <= last,
        (Some(first), None) => first <= at,
        (None, Some(last)) => size - at <= last,
        (None, None) => true,
    };
    match (number(1), number(2)) {
        (None, None) => return None,
        (Some(first), Some(last)) if last < first => return None,
        _ => {}
    }
    let wanted = bytes.iter().zip(0..).filter(|(_, at)| is_asked(*at));
    Some(wanted.map(|(byte, _)| *byte).collect())
}
