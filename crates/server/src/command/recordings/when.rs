//! Times as people write them.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp, Zoned};

/// What can be written.
const FORMS: &str = "expected a time such as 2026-11-29, 2026-11-29T18:00, 18:00, -2h, now, today \
     or yesterday";

/// A moment as it was written; which one it is depends on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When(String);

impl std::str::FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        moment(text, &Zoned::now()).map(|_| Self(text.to_owned()))
    }
}

impl When {
    /// In ms since 1970. It was checked when it was read; at the edge of a day of a change of clocks
    /// it may be another one by now, and never none.
    pub(super) fn unix_ms(&self, now: &Zoned) -> Result<i64, String> {
        moment(&self.0, now).map(|moment| moment.as_millisecond())
    }
}

/// The moment that `text` says, seen from `now`:
///
/// - `2026-11-29`: the beginning of that day, here;
/// - `2026-11-29T18:00`, `2026-11-29 18:00:30.5`: by the clock here, or with an offset or `Z`;
/// - `18:00`, `18:00:30`: today;
/// - `-2h`, `-1h30m`, `-3d`: so long ago;
/// - `now`, `today`, `yesterday`: the beginnings of these days.
///
/// A time that a change of clocks left out is the one as long after it, one that it repeats the
/// first.
///
/// # Errors
/// What was expected.
pub(super) fn moment(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let wrong = || FORMS.to_owned();
    let here = |time: DateTime| time.to_zoned(now.time_zone().clone()).map(|z| z.timestamp()).ok();
    let day = |date: Date| here(date.to_datetime(Time::midnight()));
    let moment = match text {
        "now" => Some(now.timestamp()),
        "today" => day(now.date()),
        "yesterday" => now.date().yesterday().ok().and_then(day),
        _ if text.starts_with('-') => ago(text, now),
        _ if text.ends_with(['Z', 'z']) || has_offset(text) => text.parse().ok(),
        _ if text.contains(['T', 't', ' ']) => text.parse().ok().and_then(here),
        _ if text.contains(':') => {
            text.parse::<Time>().ok().and_then(|time| here(now.date().to_datetime(time)))
        }
        _ => text.parse::<Date>().ok().and_then(day),
    };
    moment.ok_or_else(wrong)
}

/// Whether a time of day is followed by `+01:00` or the like.
fn has_offset(text: &str) -> bool {
    let time = text.split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    time.contains(['+', '-'])
}

/// So long before `now`: days are those of the calendar here.
fn ago(text: &str, now: &Zoned) -> Option<Timestamp> {
    let length = text.strip_prefix('-')?;
    // Nothing but lengths: jiff would take more signs and words.
    let is_plain = length.starts_with(|c: char| c.is_ascii_digit())
        && length.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ');
    let span: Span = is_plain.then(|| length.parse().ok()).flatten()?;
    now.checked_sub(span).ok().map(|then| then.timestamp())
}

/// A moment of the API as people read it, here.
pub(super) fn local(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(moment) => of_ms(moment.as_millisecond()),
        Err(_) => crate::command::format::printable(text),
    }
}

/// A moment in ms since 1970 as people read it, here.
pub(super) fn of_ms(unix_ms: i64) -> String {
    let moment = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests;
