//! When a segment ends by the clock on the wall: every so often, or by a schedule.
//!
//! Who watches the clock and cuts is the recorder. Invariant: a mark is strictly after the moment
//! that it is asked for, and found in bounded time.

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

/// The marks at which segments end. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// At multiples of a time.
    pub every: Option<Every>,
    /// By a cron expression.
    pub schedule: Option<Schedule>,
}

impl Marks {
    /// The next mark strictly after `now`, in its time zone.
    pub fn next_after(&self, now: &Zoned) -> Option<Zoned> {
        let every = self.every.and_then(|every| every.next_after(now));
        let schedule = self.schedule.as_ref().and_then(|schedule| schedule.next_after(now));
        every.into_iter().chain(schedule).min()
    }
}

/// Why a text tells no marks. The message is one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarksError {
    /// No time of 1 s to 24 h.
    #[error("{0:?} is no time of whole seconds from 1s to 24h, such as 15m, 1h or 30s")]
    Every(String),
    /// Fewer than five fields.
    #[error("{found} of 5 fields; write minute, hour, day of the month, month and day of the week")]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// A field that cannot be read.
    #[error("{field} {text:?}: {reason}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it says.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More than a time zone's name after the five fields, or a name that this system does not know.
    #[error(
        "{0:?} is no known time zone, such as Europe/Berlin or UTC; it may follow the 5 fields"
    )]
    Zone(String),
    /// No day has such a date.
    #[error("{0:?} never comes")]
    Never(String),
}

/// Marks at the multiples of a time, counted from midnight: `15m` is every quarter of an hour.
///
/// A time that does not divide 24 h begins anew at midnight. What counts is what the clock shows:
/// of the marks in an hour that is skipped there is one, at its end; those of an hour that comes
/// twice come twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    /// From 1 to 86,400.
    seconds: i64,
}

const DAY_SECONDS: i64 = 86_400;
/// Most changes of the zone's offset that are looked at. No zone has three in a day.
const CHANGES: usize = 8;

impl Every {
    /// The next mark strictly after `now`, in its time zone; `None` at the end of time.
    pub fn next_after(&self, now: &Zoned) -> Option<Zoned> {
        let zone = now.time_zone();
        let (mut from, mut shown) = (now.timestamp(), now.datetime());
        for change in zone.following(from).take(CHANGES) {
            let mark = self.next_shown(shown)?;
            let at = change.timestamp();
            if elapsed(from, shown, mark)? < at {
                break;
            }
            let then = change.offset().to_datetime(at);
            // Reached or skipped by the change, or repeated right at it.
            if mark <= then || self.seconds_over(then.time()) == 0 {
                return Some(at.to_zoned(zone.clone()));
            }
            (from, shown) = (at, then);
        }
        let mark = self.next_shown(shown)?;
        Some(elapsed(from, shown, mark)?.to_zoned(zone.clone()))
    }

    /// The next mark on a clock that only goes forward.
    fn next_shown(&self, shown: DateTime) -> Option<DateTime> {
        let midnight = shown.date().to_datetime(Time::midnight());
        let seconds = seconds(shown.time());
        let next = seconds - self.seconds_over(shown.time()) + self.seconds;
        match next < DAY_SECONDS {
            true => midnight.checked_add(SignedDuration::from_secs(next)).ok(),
            false => Some(shown.date().tomorrow().ok()?.to_datetime(Time::midnight())),
        }
    }

    /// Time since the last mark of the day.
    fn seconds_over(&self, time: Time) -> i64 {
        seconds(time) % self.seconds
    }
}

fn seconds(time: Time) -> i64 {
    time.duration_since(Time::midnight()).as_secs()
}

/// When a clock that shows `shown` at `from` will show `mark`.
fn elapsed(from: Timestamp, shown: DateTime, mark: DateTime) -> Option<Timestamp> {
    from.checked_add(mark.duration_since(shown)).ok()
}

impl FromStr for Every {
    type Err = MarksError;

    /// Takes `15m` and `every 15m aligned`.
    fn from_str(text: &str) -> Result<Self, MarksError> {
        let time = text.strip_prefix("every ").unwrap_or(text);
        let time = time.strip_suffix(" aligned").unwrap_or(time);
        let parsed: Option<SignedDuration> = time.parse().ok();
        parsed
            .filter(|time| time.subsec_nanos() == 0)
            .map(|time| time.as_secs())
            .filter(|seconds| (1..=DAY_SECONDS).contains(seconds))
            .map(|seconds| Self { seconds })
            .ok_or_else(|| MarksError::Every(text.to_owned()))
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", SignedDuration::from_secs(self.seconds))
    }
}

/// Marks by a cron expression: minute, hour, day of the month, month, day of the week, and the name
/// of a time zone. Without a zone it means the zone of the clock.
///
/// The syntax is that of cron: `*`, `5`, `1-5`, `*/15`, `0-30/10`, lists with commas, `JAN`, `MON`,
/// `L` (the last day), `5#2` (the second Friday). If neither day is `*`, one of them is enough. A
/// fixed time in an hour that is skipped comes at its end; in an hour that comes twice, the first
/// time. Minutes or hours with `*` follow what the clock shows.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    cron: Cron,
    zone: Option<TimeZone>,
}

/// The fields and the words that each may have.
const FIELDS: [(&str, &[&str]); 5] = [
    ("minute", &[]),
    ("hour", &[]),
    ("day of the month", &["L", "W", "LW"]),
    (
        "month",
        &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    ),
    ("day of the week", &["L", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]),
];

impl Schedule {
    /// The next mark strictly after `now`, in its time zone; `None` after the year 5000.
    pub fn next_after(&self, now: &Zoned) -> Option<Zoned> {
        let zone = self.zone.as_ref().unwrap_or(now.time_zone());
        let next = self.cron.find_next_occurrence(&now.with_time_zone(zone.clone()), false).ok()?;
        Some(next.with_time_zone(now.time_zone().clone()))
    }
}

impl FromStr for Schedule {
    type Err = MarksError;

    fn from_str(text: &str) -> Result<Self, MarksError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let Some((fields, zone)) = words.split_at_checked(FIELDS.len()) else {
            return Err(MarksError::Fields { found: words.len() });
        };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
        let parser = parser.build();
        for (i, ((field, known), text)) in FIELDS.iter().zip(fields).enumerate() {
            let refused = |reason| MarksError::Field { field, text: (*text).to_owned(), reason };
            let mut words = text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty());
            if let Some(word) = words.find(|word| !known.contains(&&*word.to_uppercase())) {
                return Err(refused(format!("{word:?} has no meaning here")));
            }
            // The library does not say which field is wrong: each is asked for alone.
            let mut alone = ["*"; FIELDS.len()];
            alone.iter_mut().skip(i).take(1).for_each(|field| *field = text);
            parser.parse(&alone.join(" ")).map_err(|error| refused(reason(&error)))?;
        }
        let zone = match zone {
            [] => None,
            [name] => Some(TimeZone::get(name).map_err(|_| MarksError::Zone((*name).to_owned()))?),
            more => return Err(MarksError::Zone(more.join(" "))),
        };
        let never = |_| MarksError::Never(text.clone());
        let cron = parser.parse(&fields.join(" ")).map_err(never)?;
        cron.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC), false)
            .map_err(never)?;
        Ok(Self { text, cron, zone })
    }
}

/// The library's words, without its name for the kind of error.
fn reason(error: &CronError) -> String {
    let text = match error {
        CronError::ComponentError(text)
        | CronError::IllegalCharacters(text)
        | CronError::InvalidPattern(text) => text.clone(),
        other => other.to_string(),
    };
    text.trim_end_matches('.').to_lowercase()
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}

#[cfg(test)]
mod tests;
