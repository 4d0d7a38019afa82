//! Times as the API writes them: RFC 3339 with ms and the machine's offset.

use jiff::{Timestamp, Zoned};

/// Now.
pub(crate) fn now() -> String {
    text(&Zoned::now())
}

/// A moment, in ms since 1970; the nearest one that has a date.
pub(crate) fn of_ms(unix_ms: i64) -> String {
    let moment = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    text(&moment.to_zoned(jiff::tz::TimeZone::system()))
}

/// A moment of a time zone.
pub(crate) fn text(time: &Zoned) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// The moment after so long; `None` when it has no date.
pub(crate) fn after(time: std::time::Duration) -> Option<String> {
    let time = jiff::SignedDuration::try_from(time).ok()?;
    Zoned::now().checked_add(time).ok().map(|moment| text(&moment))
}
