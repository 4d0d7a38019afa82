//! What a download is called where it is saved (RFC 6266, RFC 8187).

use archive::Format;
use archive::range::Info;
use axum::http::HeaderValue;

use super::value;

/// Longest name in bytes: what file systems take.
const NAME_MAX: usize = 255;

/// What a file of a range is called: by its stream, when it begins and how long it is, so that no two clips have one
/// name: `live_test_20261129_201503_27.800s.mp4`.
pub(super) fn of_range(info: &Info, format: Format) -> String {
    /// Of the stream's name; with the rest it is a name that file systems take.
    const STREAM_BYTES: usize = 128;
    let stream = info.stream_key.replace('/', "_");
    let stream = stream.get(..stream.floor_char_boundary(STREAM_BYTES)).unwrap_or_default();
    let start = info.start_time.split(['.', '+', 'Z']).next().unwrap_or_default();
    let start = start.replace(['-', ':'], "").replace('T', "_");
    let (s, ms) = (info.duration_ms / 1_000, info.duration_ms % 1_000);
    format!("{stream}_{start}_{s}.{ms:03}s{}", format.ending())
}

/// `Content-Disposition` of a file that is to be saved as `name`: in ASCII for everybody, and whole
/// for those that know how. No name leads out of a directory or ends the header early.
pub(super) fn disposition(name: &str) -> HeaderValue {
    let is_bad = |c: char| c.is_control() || "/\\\"<>:|?*%".contains(c);
    let name: String = name.chars().map(|c| if is_bad(c) { '_' } else { c }).collect();
    let name = name.get(..name.floor_char_boundary(NAME_MAX)).unwrap_or_default();
    let name = name.trim_start_matches(['.', ' ']).trim_end();
    let name = if name.is_empty() { "download" } else { name };
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    if plain == name {
        return value(&format!("attachment; filename=\"{plain}\""));
    }
    let encoded = encoded(name);
    value(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"))
}

/// Percent-encoded but for letters, digits and a few marks (RFC 8187 3.2.1).
fn encoded(name: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
