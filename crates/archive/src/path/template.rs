//! How the path of a segment is put together.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::{ENDING_BYTES, NAME_BYTES, Name, SUFFIX_BYTES, encode, escape, is_device};
use crate::Format;

/// Longest template in bytes.
const TEMPLATE_BYTES: usize = 1 << 10;
/// Most folders of a template.
const FOLDERS: usize = 16;
/// Bytes that a text from outside has in its name at least: a beginning that people recognise, and
/// the hash of the rest.
const TEXT_BYTES: usize = 32;

/// The path of a segment, relative to the record directory and without `.flv` or `.mp4`: fixed text, parts in
/// braces (`{app}`), folders set apart by `/`. `{{` and `}}` are braces.
///
/// The default is `{stream_key}_{timestamp}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    folders: Vec<Vec<Piece>>,
    file: Vec<Piece>,
}

/// What a template can tell of a segment.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The stream's `app/name`.
    pub stream_key: &'a str,
    /// When the segment began, in the time zone that its name is to show.
    pub start: &'a Zoned,
    /// When it ended; `None` while it is written.
    pub end: Option<&'a Zoned>,
    /// Which segment of its recording this is, from 1.
    pub sequence: u32,
    /// The recording's id.
    pub recording: &'a str,
    /// What the recording is called; empty if it has no name.
    pub recording_name: &'a str,
    /// The recorder's name.
    pub recorder: &'a str,
    /// What the file is.
    pub format: Format,
}

/// Why a text is no template. The message is one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Longer than 1 KiB.
    #[error("the path has {bytes} bytes; at most {TEMPLATE_BYTES} are accepted")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More than 16 folders.
    #[error("the path has {folders} folders; at most {FOLDERS} are accepted")]
    TooDeep {
        /// How many.
        folders: usize,
    },
    /// It begins with `/`.
    #[error("the path is absolute; it is to be relative to the record directory")]
    Absolute,
    /// Nothing before, between or after `/`.
    #[error("the path has an empty name; write one / between two names and none at the end")]
    EmptyName,
    /// A character that Windows or a terminal does not take.
    #[error("{0:?} cannot be in a file name; folders are set apart by /")]
    Character(char),
    /// `.`, `..`, `.name`, `name.`, ` name`, …
    #[error(
        "{0:?}: a name cannot begin with a dot, a space, - or ~, nor end with a dot or a space"
    )]
    Edge(String),
    /// A name that Windows keeps for a device.
    #[error("{0:?} is a device on Windows; choose another name")]
    Device(String),
    /// A brace alone.
    #[error("a {0} alone; write {0}{0} for the character, or one of {known}", known = known())]
    Brace(char),
    /// Braces around what is no part.
    #[error("{{{0}}} is no part{hint}; known are {known}", hint = hint(.0), known = known())]
    UnknownPart(String),
    /// Every file would have the same name.
    #[error("the path has no part, so all files would have one name; known are {known}",
        known = known())]
    NoPart,
    /// The parts of one name may take more than 255 bytes.
    #[error(
        "{name:?} may need {bytes} bytes; a name has at most {NAME_BYTES}: use fewer parts in it"
    )]
    Full {
        /// The file's or folder's name.
        name: String,
        /// Least bytes that it must have room for.
        bytes: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Part(Part),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    App,
    Name,
    StreamKey,
    Recording,
    RecordingName,
    Recorder,
    Sequence,
    Time { form: Form, utc: bool },
    End { utc: bool },
}

/// A way to write a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    name: &'static str,
    strftime: &'static str,
    /// Most bytes that this takes: years before 0 and offsets to the second counted in.
    bytes: usize,
}

const TIMESTAMP: Form = Form { name: "timestamp", strftime: "%Y%m%d_%H%M%S", bytes: 16 };
const FULL: Form = Form { name: "start", strftime: "%Y%m%dT%H%M%S.%6f%z", bytes: 30 };
const FORMS: [Form; 11] = [
    TIMESTAMP,
    Form { name: "year", strftime: "%Y", bytes: 5 },
    Form { name: "month", strftime: "%m", bytes: 2 },
    Form { name: "day", strftime: "%d", bytes: 2 },
    Form { name: "hour", strftime: "%H", bytes: 2 },
    Form { name: "minute", strftime: "%M", bytes: 2 },
    Form { name: "second", strftime: "%S", bytes: 2 },
    Form { name: "millisecond", strftime: "%3f", bytes: 3 },
    Form { name: "microsecond", strftime: "%6f", bytes: 6 },
    Form { name: "offset", strftime: "%z", bytes: 7 },
    FULL,
];
/// Stands for the end while a file is written.
const LIVE: &str = "live";

impl Template {
    /// The names of a segment.
    pub fn name(&self, facts: &Facts<'_>) -> Name {
        let folder: PathBuf =
            self.folders.iter().map(|pieces| render(pieces, facts, NAME_BYTES, "")).collect();
        let limit = NAME_BYTES - SUFFIX_BYTES - ENDING_BYTES;
        let format = facts.format;
        Name { folder, stem: render(&self.file, facts, limit, format.ending()), format }
    }

    /// Whether the path tells the end, so that a file is renamed when it is finished.
    pub fn has_end(&self) -> bool {
        let is_end = |piece: &Piece| matches!(piece, Piece::Part(Part::End { .. }));
        self.pieces().any(is_end)
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.folders.iter().chain([&self.file]).flatten()
    }
}

impl Default for Template {
    fn default() -> Self {
        let timestamp = Part::Time { form: TIMESTAMP, utc: false };
        Self {
            text: "{stream_key}_{timestamp}".to_owned(),
            folders: Vec::new(),
            file: vec![
                Piece::Part(Part::StreamKey),
                Piece::Fixed("_".to_owned()),
                Piece::Part(timestamp),
            ],
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEMPLATE_BYTES {
            return Err(TemplateError::TooLong { bytes: text.len() });
        }
        if text.starts_with('/') {
            return Err(TemplateError::Absolute);
        }
        let has_ending = |format: &Format| text.ends_with(format.ending());
        let ending = Format::ALL.into_iter().find(has_ending);
        let text = ending.map_or(text, |format| text.trim_end_matches(format.ending()));
        let (folders, file) =
            text.rsplit_once('/').map_or((None, text), |(folders, file)| (Some(folders), file));
        let folders = folders.into_iter().flat_map(|folders| folders.split('/'));
        let folders = folders.map(|name| parse(name, 0)).collect::<Result<Vec<_>, _>>()?;
        if folders.len() > FOLDERS {
            return Err(TemplateError::TooDeep { folders: folders.len() });
        }
        let file = parse(file, SUFFIX_BYTES + ENDING_BYTES)?;
        let template = Self { text: text.to_owned(), folders, file };
        if !template.pieces().any(|piece| matches!(piece, Piece::Part(_))) {
            return Err(TemplateError::NoPart);
        }
        Ok(template)
    }
}

/// One file's or folder's name, to which at most `more` bytes will be added.
fn parse(name: &str, more: usize) -> Result<Vec<Piece>, TemplateError> {
    if name.is_empty() {
        return Err(TemplateError::EmptyName);
    }
    if name.starts_with(['.', ' ', '-', '~']) || name.ends_with(['.', ' ']) {
        return Err(TemplateError::Edge(name.to_owned()));
    }
    let pieces = pieces(name)?;
    if let [Piece::Fixed(text)] = &*pieces
        && is_device(text)
    {
        return Err(TemplateError::Device(name.to_owned()));
    }
    let bytes = pieces.iter().map(Piece::room).sum::<usize>() + more;
    if bytes > NAME_BYTES {
        return Err(TemplateError::Full { name: name.to_owned(), bytes });
    }
    Ok(pieces)
}

fn pieces(name: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut fixed = String::new();
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        match c {
            '{' | '}' if rest.as_str().starts_with(c) => {
                rest.next();
                fixed.push(c);
            }
            '{' => {
                let part = rest.as_str().split_once('}');
                let (name, after) = part.ok_or(TemplateError::Brace(c))?;
                let part = parts().find(|(known, _)| known == name);
                let (_, part) = part
                    .ok_or_else(|| TemplateError::UnknownPart(name.escape_debug().to_string()))?;
                if !fixed.is_empty() {
                    pieces.push(Piece::Fixed(std::mem::take(&mut fixed)));
                }
                pieces.push(Piece::Part(part));
                rest = after.chars();
            }
            '}' => return Err(TemplateError::Brace(c)),
            c if c.is_control() || r#"\:*?"<>|"#.contains(c) => {
                return Err(TemplateError::Character(c));
            }
            c => fixed.push(c),
        }
    }
    if !fixed.is_empty() {
        pieces.push(Piece::Fixed(fixed));
    }
    Ok(pieces)
}

/// All parts and their names.
fn parts() -> impl Iterator<Item = (String, Part)> {
    let texts = [
        ("app", Part::App),
        ("name", Part::Name),
        ("stream_key", Part::StreamKey),
        ("recording", Part::Recording),
        ("recording_name", Part::RecordingName),
        ("recorder", Part::Recorder),
        ("sequence", Part::Sequence),
    ];
    let local = FORMS.map(|form| (form.name, Part::Time { form, utc: false }));
    let utc = FORMS.map(|form| (form.name, Part::Time { form, utc: true }));
    let named = texts.into_iter().chain(local).chain([("end", Part::End { utc: false })]);
    let utc = utc.into_iter().chain([("end", Part::End { utc: true })]);
    named
        .map(|(name, part)| (name.to_owned(), part))
        .chain(utc.map(|(name, part)| (format!("utc_{name}"), part)))
}

/// The parts as an error message lists them.
fn known() -> String {
    let local = parts().filter(|(name, _)| !name.starts_with("utc_"));
    let list: Vec<String> = local.map(|(name, _)| format!("{{{name}}}")).collect();
    format!("{}; times also in UTC, as {{utc_year}}", list.join(" "))
}

/// The part that was meant, if it can be guessed.
fn hint(part: &str) -> String {
    let near = |name: &str| strsim::jaro_winkler(name, part);
    let best = parts().map(|(name, _)| name).max_by(|a, b| near(a).total_cmp(&near(b)));
    let best = best.filter(|name| near(name) > 0.8);
    best.map(|name| format!("; did you mean {{{name}}}?")).unwrap_or_default()
}

impl Piece {
    /// Bytes that a name must have room for.
    fn room(&self) -> usize {
        match self {
            Self::Fixed(text) => text.len(),
            Self::Part(Part::Time { form, .. }) => form.bytes,
            Self::Part(Part::End { .. }) => FULL.bytes,
            // Digits of a number of 32 bits.
            Self::Part(Part::Sequence) => 10,
            Self::Part(
                Part::App
                | Part::Name
                | Part::StreamKey
                | Part::Recording
                | Part::RecordingName
                | Part::Recorder,
            ) => TEXT_BYTES,
        }
    }

    /// What it says of a segment, and whether somebody else chose that text: it is to be escaped.
    fn text(&self, facts: &Facts<'_>) -> (String, bool) {
        let part = match self {
            Self::Fixed(text) => return (text.clone(), false),
            Self::Part(part) => *part,
        };
        // A key without an application is a name.
        let (app, name) = facts.stream_key.split_once('/').unwrap_or(("", facts.stream_key));
        match part {
            Part::App => (app.to_owned(), true),
            Part::Name => (name.to_owned(), true),
            Part::StreamKey => (facts.stream_key.replace('/', "_"), true),
            Part::Recording => (facts.recording.to_owned(), true),
            Part::RecordingName => (facts.recording_name.to_owned(), true),
            Part::Recorder => (facts.recorder.to_owned(), true),
            Part::Sequence => (format!("{:04}", facts.sequence), false),
            Part::Time { form, utc } => (form.write(facts.start, utc), false),
            Part::End { utc } => {
                (facts.end.map_or_else(|| LIVE.to_owned(), |end| FULL.write(end, utc)), false)
            }
        }
    }
}

impl Form {
    fn write(&self, time: &Zoned, utc: bool) -> String {
        let zone = if utc { TimeZone::UTC } else { time.time_zone().clone() };
        time.with_time_zone(zone).strftime(self.strftime).to_string()
    }
}

/// One file's or folder's name of at most `limit` bytes, to which `extension` will be added.
fn render(pieces: &[Piece], facts: &Facts<'_>, limit: usize, extension: &str) -> String {
    let texts: Vec<(String, bool)> = pieces.iter().map(|piece| piece.text(facts)).collect();
    let whole: String = texts.iter().map(|(text, _)| &**text).chain([extension]).collect();
    let device = is_device(&whole);
    let write = |limit: usize| {
        texts.iter().enumerate().map(move |(i, (text, foreign))| {
            let hide_first = device && i == 0;
            let mut rest = text.chars();
            match (foreign, rest.next()) {
                (true, _) => escape(text, limit, hide_first),
                (false, Some(first)) if hide_first => {
                    let mut out = String::new();
                    encode(first, &mut out);
                    out + rest.as_str()
                }
                (false, _) => text.clone(),
            }
        })
    };
    let mut room = limit;
    let mut foreign = Vec::new();
    for (text, (_, is_foreign)) in write(usize::MAX).zip(&texts) {
        match is_foreign {
            true => foreign.push(text.len()),
            false => room = room.saturating_sub(text.len()),
        }
    }
    write(share(room, foreign)).collect()
}

/// The limit that makes texts of these lengths fit into `room`, the short ones whole.
fn share(mut room: usize, mut lengths: Vec<usize>) -> usize {
    lengths.sort_unstable();
    let mut left = lengths.len();
    for length in lengths {
        let share = room / left;
        if length > share {
            return share;
        }
        room -= length;
        left -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests;
