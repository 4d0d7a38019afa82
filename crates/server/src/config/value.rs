//! The values of flags, of keys in the file and of variables: each a text that is read here once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use archive::Format;
use bytesize::ByteSize;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;

/// A parser that takes `off` as well.
pub(super) fn off_or<T: Clone + Send + Sync + 'static>(
    parse: impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<Option<T>, String> + Clone + Send + Sync + 'static {
    move |text| match text {
        "off" => Ok(None),
        text => parse(text).map(Some),
    }
}

pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Of the command line and the environment, whose words shells complete.
pub(super) fn format() -> impl clap::builder::TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|word| word.parse::<Format>())
}

pub(super) fn format_of(text: &str) -> Result<Format, String> {
    text.parse().map_err(|_| "expected flv or mp4".to_owned())
}

pub(super) fn boolean() -> impl clap::builder::TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["true", "false"]).map(|word| word == "true")
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let form = "expected a time such as 500ms, 30s or 5m";
    let time = text.parse::<jiff::SignedDuration>().map_err(|_| form.to_owned())?;
    let time = Duration::try_from(time).map_err(|_| "the time is negative".to_owned())?;
    match time.as_millis() {
        1..=86_400_000 => Ok(time),
        _ => Err(format!("{form}, at least 1ms and at most 24h")),
    }
}

/// A time, or `0`.
pub(crate) fn duration_or_zero(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        _ => duration(text).map_err(|error| format!("{error}; or 0")),
    }
}

/// What is kept of a stream in memory.
pub(crate) fn pre_roll(text: &str) -> Result<Duration, String> {
    match duration_or_zero(text) {
        Ok(time) if time <= PRE_ROLL_MAX => Ok(time),
        _ => Err("expected a time such as 5s or 2m, at most 10m, or 0".to_owned()),
    }
}

const PRE_ROLL_MAX: Duration = Duration::from_secs(600);

/// A time in which a day has 24 hours, or `0`.
pub(super) fn grace(text: &str) -> Result<Duration, String> {
    let form = "expected a time such as 12h or 7d, at least 1m and at most 36500d; or 0";
    match text {
        "0" => Ok(Duration::ZERO),
        _ => age(text).ok().flatten().ok_or_else(|| form.to_owned()),
    }
}

/// Shorter than this, packets are written one by one.
pub(super) fn flush(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    match time.as_millis() {
        20..=60_000 => Ok(time),
        _ => Err("expected a time from 20ms to 1m".to_owned()),
    }
}

/// FLV times end after 49 days.
pub(crate) fn rotation(text: &str) -> Result<Duration, String> {
    let form = "expected off, or a time such as 90s, 15m or 1h, from 1s to 1000h";
    let time = text.parse::<jiff::SignedDuration>().map_err(|_| form.to_owned())?;
    match time.as_millis() {
        1_000..=3_600_000_000 => Duration::try_from(time).map_err(|_| form.to_owned()),
        _ => Err(form.to_owned()),
    }
}

pub(super) fn file_size(text: &str) -> Result<u64, String> {
    let form = "expected off, or a size such as 500MB or 4GiB, from 64KiB to 1PiB";
    match text.parse::<ByteSize>().map(|size| size.as_u64()) {
        Ok(n @ 65_536..=0x4_0000_0000_0000) => Ok(n),
        _ => Err(form.to_owned()),
    }
}

/// Of a picture, in pixels.
pub(super) fn width(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(n @ 32..=1_920) => Ok(n),
        _ => Err("expected a whole number from 32 to 1920".to_owned()),
    }
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1_000_000) => Ok(n),
        _ => Err("expected a whole number from 1 to 1000000".to_owned()),
    }
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let form = "expected a size such as 500KB or 16MiB";
    let size = text.parse::<ByteSize>().map_err(|_| form.to_owned())?.as_u64();
    match usize::try_from(size) {
        Ok(n @ 65_536..=0xFF_FFFF_FFFF) => Ok(n),
        _ => Err(format!("{form}, from 64KiB to 1TiB")),
    }
}

/// RTMP lengths have 24 bits.
pub(super) fn message_size(text: &str) -> Result<usize, String> {
    match size(text)? {
        n @ 0..=0xFF_FFFF => Ok(n),
        _ => Err("an RTMP message has at most 16777215 bytes".to_owned()),
    }
}

/// A time in which a day has 24 hours, or `off`.
pub(super) fn age(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    let form = "expected a time such as 90m, 12h or 30d, or off";
    let time = text.parse::<jiff::Span>().map_err(|_| form)?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let time = time.to_duration(days).map_err(|_| form)?;
    match Duration::try_from(time) {
        Ok(time) if (AGE_MIN..=AGE_MAX).contains(&time) => Ok(Some(time)),
        _ => Err(format!("{form}, at least 1m and at most 36500d")),
    }
}

const AGE_MIN: Duration = Duration::from_secs(60);
const AGE_MAX: Duration = Duration::from_secs(36_500 * 86_400);

/// Room for recordings, or `off`. At least 1 MiB: a number without a unit is a mistake that would
/// delete everything.
pub(super) fn room(text: &str) -> Result<Option<u64>, String> {
    if text == "off" {
        return Ok(None);
    }
    let form = "expected a size such as 500GB or 2TiB, or off";
    match text.parse::<ByteSize>().map_err(|_| form)?.as_u64() {
        bytes @ 0x10_0000..=ROOM_MAX => Ok(Some(bytes)),
        _ => Err(format!("{form}, from 1MiB to 1EiB")),
    }
}

const ROOM_MAX: u64 = 1 << 60;

/// Room to leave, or `auto`.
pub(super) fn min_free(text: &str) -> Result<Option<u64>, String> {
    if text == "auto" {
        return Ok(None);
    }
    let form = "expected a size such as 500MB or 2GiB, 0, or auto";
    match text.parse::<ByteSize>().map_err(|_| form)?.as_u64() {
        bytes @ 0..=ROOM_MAX => Ok(Some(bytes)),
        _ => Err(format!("{form}, at most 1EiB")),
    }
}
