//! Playlists as text (RFC 8216bis 4).

use std::fmt::{self, Display, Formatter};

/// The media type of all of them.
pub const MEDIA_TYPE: &str = "application/vnd.apple.mpegurl";

/// Segments of one rendition (RFC 8216bis 4.4.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Media {
    /// No segment is longer, rounded to whole seconds; never changes.
    pub target_s: u64,
    /// What is told of parts, where there are any.
    pub parts: Option<Parts>,
    /// What is older than this may be left out for a player that has it already (a delta update), in ms.
    pub can_skip_ms: Option<u64>,
    /// How many segments were left out so, at the beginning.
    pub skipped: u64,
    /// The number of the first segment.
    pub media_sequence: u64,
    /// How many discontinuities came before those in this text.
    pub discontinuity_sequence: u64,
    /// Segments, oldest first. The last one may be unfinished: without an address.
    pub segments: Vec<Segment>,
    /// The address of the next part, which may be asked for already.
    pub preload_hint: Option<String>,
    /// Where other renditions of the same are.
    pub reports: Vec<Report>,
    /// Whether all segments that there are to be are there from the start.
    pub is_vod: bool,
    /// Nothing will be added.
    pub is_ended: bool,
}

/// Low latency: what of it the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// No part is longer.
    pub target_ms: u64,
}

/// A segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// Its address, once it is whole.
    pub uri: Option<String>,
    /// Its length.
    pub duration_ms: u64,
    /// Whether it does not go on where the one before it ended.
    pub is_discontinuous: bool,
    /// The address of its initialization, where that is another than before.
    pub map: Option<String>,
    /// When it began by the clock on the wall, in ms since 1970.
    pub unix_ms: Option<i64>,
    /// It was lost: not to be asked for.
    pub is_gap: bool,
    /// Its parts, where they are told.
    pub parts: Vec<Part>,
}

/// A part of a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Its address.
    pub uri: String,
    /// Its length.
    pub duration_ms: u64,
    /// Whether playing can begin with it.
    pub is_independent: bool,
    /// It was lost.
    pub is_gap: bool,
}

/// How far another rendition is (RFC 8216bis 4.4.5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its playlist.
    pub uri: String,
    /// Its newest segment, which may be unfinished.
    pub last_msn: u64,
    /// The newest part of that.
    pub last_part: Option<u64>,
}

impl Display for Media {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // 6 knows EXT-X-MAP; what low latency adds came with 9.
        let version = if self.parts.is_some() { 9 } else { 6 };
        writeln!(f, "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{}", self.target_s)?;
        if self.is_vod {
            writeln!(f, "#EXT-X-PLAYLIST-TYPE:VOD")?;
        }
        if let Some(Parts { target_ms }) = self.parts {
            // At least three parts, or who plays runs dry at the first delay (4.4.3.8).
            let hold_back = Seconds(3 * target_ms);
            write!(f, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold_back}")?;
            let can_skip = self.can_skip_ms;
            can_skip.iter().try_for_each(|ms| write!(f, ",CAN-SKIP-UNTIL={}", Seconds(*ms)))?;
            writeln!(f, "\n#EXT-X-PART-INF:PART-TARGET={}", Seconds(target_ms))?;
        }
        writeln!(f, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        if self.discontinuity_sequence > 0 {
            writeln!(f, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        }
        if self.skipped > 0 {
            writeln!(f, "#EXT-X-SKIP:SKIPPED-SEGMENTS={}", self.skipped)?;
        }
        self.segments.iter().try_for_each(|segment| segment.fmt(f))?;
        if let Some(uri) = &self.preload_hint {
            writeln!(f, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI={}", Quoted(uri))?;
        }
        for Report { uri, last_msn, last_part } in &self.reports {
            write!(f, "#EXT-X-RENDITION-REPORT:URI={},LAST-MSN={last_msn}", Quoted(uri))?;
            last_part.iter().try_for_each(|part| write!(f, ",LAST-PART={part}"))?;
            writeln!(f)?;
        }
        if self.is_ended {
            writeln!(f, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_discontinuous {
            writeln!(f, "#EXT-X-DISCONTINUITY")?;
        }
        if let Some(map) = &self.map {
            writeln!(f, "#EXT-X-MAP:URI={}", Quoted(map))?;
        }
        if let Some(unix_ms) = self.unix_ms {
            writeln!(f, "#EXT-X-PROGRAM-DATE-TIME:{}", Date(unix_ms))?;
        }
        for Part { uri, duration_ms, is_independent, is_gap } in &self.parts {
            write!(f, "#EXT-X-PART:DURATION={},URI={}", Seconds(*duration_ms), Quoted(uri))?;
            f.write_str(if *is_independent { ",INDEPENDENT=YES" } else { "" })?;
            f.write_str(if *is_gap { ",GAP=YES" } else { "" })?;
            writeln!(f)?;
        }
        if let Some(uri) = &self.uri {
            if self.is_gap {
                writeln!(f, "#EXT-X-GAP")?;
            }
            writeln!(f, "#EXTINF:{},\n{}", Seconds(self.duration_ms), Line(uri))?;
        }
        Ok(())
    }
}

/// What there is to choose from (RFC 8216bis 4.4.6).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Multivariant {
    /// Whole presentations.
    pub variants: Vec<Variant>,
    /// Sound to choose from, in groups.
    pub audio: Vec<Rendition>,
}

/// A whole presentation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variant {
    /// Its playlist.
    pub uri: String,
    /// The most bits in a second that any segment has.
    pub bandwidth: u64,
    /// The mean of all segments.
    pub average_bandwidth: Option<u64>,
    /// As RFC 6381 writes them, all of its renditions.
    pub codecs: String,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// Pictures in a second.
    pub frame_rate: Option<f64>,
    /// The group of sound that goes with it.
    pub audio: Option<String>,
}

/// Sound that may be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendition {
    /// Its group.
    pub group: String,
    /// What people are shown.
    pub name: String,
    /// Its language (RFC 5646).
    pub language: Option<String>,
    /// Whether it is chosen while nobody chooses.
    pub is_default: bool,
    /// Channels, if known.
    pub channels: Option<u8>,
    /// Its playlist; none where it is in the variant's segments.
    pub uri: Option<String>,
}

impl Display for Multivariant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "#EXTM3U\n#EXT-X-VERSION:6")?;
        for sound in &self.audio {
            let (group, name) = (Quoted(&sound.group), Quoted(&sound.name));
            let default = if sound.is_default { "YES" } else { "NO" };
            write!(f, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID={group},NAME={name},DEFAULT={default}")?;
            write!(f, ",AUTOSELECT=YES")?;
            sound.language.iter().try_for_each(|tag| write!(f, ",LANGUAGE={}", Quoted(tag)))?;
            sound.channels.iter().try_for_each(|count| write!(f, ",CHANNELS=\"{count}\""))?;
            sound.uri.iter().try_for_each(|uri| write!(f, ",URI={}", Quoted(uri)))?;
            writeln!(f)?;
        }
        for variant in &self.variants {
            write!(f, "#EXT-X-STREAM-INF:BANDWIDTH={}", variant.bandwidth)?;
            let average = variant.average_bandwidth;
            average.iter().try_for_each(|bits| write!(f, ",AVERAGE-BANDWIDTH={bits}"))?;
            write!(f, ",CODECS={}", Quoted(&variant.codecs))?;
            let resolution = variant.resolution;
            resolution.iter().try_for_each(|(w, h)| write!(f, ",RESOLUTION={w}x{h}"))?;
            variant.frame_rate.iter().try_for_each(|rate| write!(f, ",FRAME-RATE={rate:.3}"))?;
            variant.audio.iter().try_for_each(|group| write!(f, ",AUDIO={}", Quoted(group)))?;
            writeln!(f, "\n{}", Line(&variant.uri))?;
        }
        Ok(())
    }
}

/// A time in seconds, exact to the ms.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Text between quotes, in which there are no quotes and no new lines (4.2).
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.chars().filter(|c| !matches!(c, '"' | '\r' | '\n'));
        write!(f, "\"{}\"", text.collect::<String>())
    }
}

/// An address on a line of its own.
struct Line<'a>(&'a str);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.lines().next().unwrap_or_default())
    }
}

/// A time in ms since 1970 as ISO 8601, in UTC.
struct Date(i64);

impl Display for Date {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const DAY_MS: i64 = 86_400_000;
        let (day, ms) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        let (year, month, day) = civil(day);
        let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
        let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Year, month and day of a day since 1970, of the Gregorian calendar. Years are counted from March, so that the
/// day of a leap year is its last.
fn civil(day: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + 400 * era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
