//! When a recorder records: windows of time on the clock on the wall.
//!
//! What counts is what the clock of the window's time zone shows. Where it is put forward or back
//! the longer reading holds, so that nothing is missed: a time that is skipped begins a window at
//! the change and ends it later by as much, and a time that comes twice begins a window the first
//! time and ends it the second time.
//!
//! Pure: the moment comes from the caller.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

/// Windows of a recorder, side by side; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

/// One window.
///
/// Written as days and times of the day (`Mon-Fri 18:00-23:30`, `daily 22:00-02:00` over midnight,
/// `Sat,Sun 00:00-24:00`), or as two moments (`2026-12-24 08:00 - 2026-12-26 20:00`), each with
/// the name of a time zone behind it (`Europe/Vienna`, `UTC`) or, without one, in that of the
/// machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    text: String,
    span: Span,
    /// `None` for that of the caller's moment.
    zone: Option<TimeZone>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Span {
    /// Monday first; a window belongs to the day on which it begins.
    Weekly {
        days: [bool; 7],
        from: Time,
        until: End,
    },
    Once {
        from: DateTime,
        until: DateTime,
    },
}

/// The end of a daily window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    time: Time,
    /// Whether that is on the day after.
    next_day: bool,
}

/// From the first moment to the one after the last.
type Stretch = (Timestamp, Timestamp);

/// Days that are walked through before what always goes on is taken to go on for ever: each week is
/// as the one before.
const DAYS: i64 = 15;

impl Windows {
    /// Side by side. `None` without any: that is always.
    pub fn new(windows: Vec<Window>) -> Option<Self> {
        Some(windows).filter(|windows| !windows.is_empty()).map(Self)
    }

    /// Whether one of them is open.
    pub fn is_open(&self, now: &Zoned) -> bool {
        self.end_at(now.timestamp(), now.time_zone()).is_some()
    }

    /// When that changes next, strictly after `now`; `None` when it never does any more.
    pub fn next_change(&self, now: &Zoned) -> Option<Zoned> {
        let zone = now.time_zone();
        let start = now.timestamp();
        let change = match self.end_at(start, zone) {
            Some(_) => self.close(start, zone),
            None => self.0.iter().filter_map(|w| w.next_start(start, zone)).min(),
        };
        change.map(|at| at.to_zoned(zone.clone()))
    }

    /// When the last of those that are open or follow without a gap ends.
    fn close(&self, start: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let walk = SignedDuration::from_hours(24 * DAYS);
        let (mut at, mut limit) = (start, start.checked_add(walk).ok()?);
        // Ends at the first moment that nothing covers.
        while let Some((end, is_weekly)) = self.end_at(at, zone) {
            at = end;
            if !is_weekly {
                limit = at.checked_add(walk).ok()?;
            } else if at > limit {
                return None;
            }
        }
        Some(at)
    }

    /// The latest end of those that are open at a moment, and whether it is that of a weekly one.
    fn end_at(&self, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, bool)> {
        let stretches = self.0.iter().flat_map(|window| {
            let is_weekly = matches!(window.span, Span::Weekly { .. });
            window.around(at, zone, 0).map(move |stretch| (stretch, is_weekly))
        });
        let open = stretches.filter(|((from, until), _)| *from <= at && at < *until);
        open.map(|((_, until), is_weekly)| (until, is_weekly)).max()
    }

    /// Each of them, as it was written.
    pub fn iter(&self) -> impl Iterator<Item = &Window> {
        self.0.iter()
    }
}

impl Window {
    /// The stretches that can be open at a moment, and those that begin within `ahead` days.
    fn around<'a>(
        &'a self,
        at: Timestamp,
        zone: &'a TimeZone,
        ahead: i64,
    ) -> impl Iterator<Item = Stretch> + 'a {
        let zone = self.zone.as_ref().unwrap_or(zone);
        let today = at.to_zoned(zone.clone()).date();
        let days = match self.span {
            // One that began the day before yesterday is over, whatever the clock did.
            Span::Weekly { .. } => -1..=ahead + 1,
            Span::Once { .. } => 0..=0,
        };
        days.filter_map(move |day| {
            let date = today.checked_add(jiff::Span::new().days(day)).ok()?;
            let (from, until) = self.on(date)?;
            let stretch = (first(from, zone)?, last(until, zone)?);
            (stretch.0 < stretch.1).then_some(stretch)
        })
    }

    /// The window of a day by what the clock shows, if there is one.
    fn on(&self, date: Date) -> Option<(DateTime, DateTime)> {
        match self.span {
            Span::Once { from, until } => Some((from, until)),
            Span::Weekly { days, from, until } => {
                let index = usize::try_from(date.weekday().to_monday_zero_offset()).ok()?;
                if !*days.get(index)? {
                    return None;
                }
                let end = if until.next_day { date.tomorrow().ok()? } else { date };
                Some((date.to_datetime(from), end.to_datetime(until.time)))
            }
        }
    }

    fn next_start(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let stretches = self.around(after, zone, 7);
        stretches.map(|(from, _)| from).filter(|from| *from > after).min()
    }
}

/// The first moment at which the clock shows so much.
fn first(shown: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    let is_skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let at = ambiguous.earlier().ok()?;
    match is_skipped {
        // Before the change by as much as is skipped at most.
        true => zone.following(at).next().map(|change| change.timestamp()),
        false => Some(at),
    }
}

/// The last moment at which the clock shows so much.
fn last(shown: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(shown).later().ok()
}

const FORM: &str = "write days and times such as \"Mon-Fri 18:00-23:30\", \
    \"daily 22:00-02:00 Europe/Vienna\" or \"2026-12-24 08:00 - 2026-12-26 20:00 UTC\"";

/// Longest window in bytes.
const TEXT_BYTES: usize = 256;

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > TEXT_BYTES {
            return Err(format!("the window has {} bytes; at most {TEXT_BYTES}", text.len()));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let (span, zone) = match *words.as_slice() {
            [date, time, "-", until_date, until_time, ref zone @ ..] => {
                (once([date, time], [until_date, until_time])?, zone)
            }
            [times, ref zone @ ..] if times.starts_with(|c: char| c.is_ascii_digit()) => {
                (weekly("daily", times)?, zone)
            }
            [days, times, ref zone @ ..] => (weekly(days, times)?, zone),
            _ => return Err(FORM.to_owned()),
        };
        let zone = match zone {
            [] => None,
            [name] => Some(TimeZone::get(name).map_err(|_| {
                format!("{name:?} is no known time zone, such as Europe/Vienna or UTC")
            })?),
            _ => return Err(format!("too many words; {FORM}")),
        };
        Ok(Self { text: words.join(" "), span, zone })
    }
}

fn once(from: [&str; 2], until: [&str; 2]) -> Result<Span, String> {
    let moment = |[date, time]: [&str; 2]| {
        let day: Date =
            date.parse().map_err(|_| format!("{date:?} is no date such as 2026-12-24; {FORM}"))?;
        match clock(time)? {
            Clock::At(time) => Ok(day.to_datetime(time)),
            Clock::Midnight => {
                let next = day.tomorrow().map_err(|_| format!("{date:?} is too late"))?;
                Ok::<_, String>(next.to_datetime(Time::midnight()))
            }
        }
    };
    let (from, until) = (moment(from)?, moment(until)?);
    match from < until {
        true => Ok(Span::Once { from, until }),
        false => Err("the window ends before it begins".to_owned()),
    }
}

fn weekly(days: &str, times: &str) -> Result<Span, String> {
    let days = week(days)?;
    let (from, until) =
        times.split_once('-').ok_or_else(|| format!("{times:?} is no pair of times; {FORM}"))?;
    let Clock::At(from) = clock(from)? else {
        return Err("a window does not begin at 24:00; write 00:00 and the day after".to_owned());
    };
    let until = match clock(until)? {
        Clock::Midnight => End { time: Time::midnight(), next_day: true },
        Clock::At(time) if time == from => {
            return Err(
                "the window begins and ends at one time; a whole day is 00:00-24:00".to_owned()
            );
        }
        Clock::At(time) => End { time, next_day: time < from },
    };
    Ok(Span::Weekly { days, from, until })
}

enum Clock {
    At(Time),
    /// 24:00
    Midnight,
}

/// `HH:MM` or `HH:MM:SS`
fn clock(text: &str) -> Result<Clock, String> {
    let wrong = || format!("{text:?} is no time of the day from 00:00 to 24:00");
    if matches!(text, "24:00" | "24:00:00") {
        return Ok(Clock::Midnight);
    }
    let numbers = text.split(':').map(|part| match part.len() {
        2 if part.bytes().all(|b| b.is_ascii_digit()) => part.parse::<i8>().ok(),
        _ => None,
    });
    let numbers: Option<Vec<i8>> = numbers.collect();
    let time = match numbers.ok_or_else(wrong)?.as_slice() {
        [hour, minute] => Time::new(*hour, *minute, 0, 0),
        [hour, minute, second] => Time::new(*hour, *minute, *second, 0),
        _ => return Err(wrong()),
    };
    time.map(Clock::At).map_err(|_| wrong())
}

/// `daily`, or days and ranges of days with commas.
fn week(text: &str) -> Result<[bool; 7], String> {
    if text.eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (weekday(first)?, weekday(last)?);
        let mut day = first;
        // Sat-Mon goes over the end of the week.
        for _ in 0..7 {
            let index = usize::try_from(day.to_monday_zero_offset()).unwrap_or_default();
            if let Some(day) = days.get_mut(index) {
                *day = true;
            }
            if day == last {
                break;
            }
            day = day.next();
        }
    }
    Ok(days)
}

fn weekday(text: &str) -> Result<Weekday, String> {
    const NAMES: [(&str, &str, Weekday); 7] = [
        ("mon", "monday", Weekday::Monday),
        ("tue", "tuesday", Weekday::Tuesday),
        ("wed", "wednesday", Weekday::Wednesday),
        ("thu", "thursday", Weekday::Thursday),
        ("fri", "friday", Weekday::Friday),
        ("sat", "saturday", Weekday::Saturday),
        ("sun", "sunday", Weekday::Sunday),
    ];
    let word = text.to_ascii_lowercase();
    let mut known = NAMES.iter();
    let found = known.find(|(short, long, _)| [*short, *long].contains(&&*word));
    found.map(|(.., day)| *day).ok_or_else(|| {
        format!("{text:?} is no day: expected daily, or Mon, Tue, Wed, Thu, Fri, Sat, Sun")
    })
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
