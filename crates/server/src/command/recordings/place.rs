//! Where recordings are looked for: at a server, or straight in a directory.
//!
//! Both tell them in the form of the API, so that everything behind is the same. A directory is
//! asked by its catalog; nobody needs to run, and a server that does is not disturbed.

use std::path::PathBuf;

use archive::catalog::{self, Order, Query, Reader, RecordingState};
use archive::{RecordingId, SystemDisk, range};
use reqwest::Method;
use serde_json::{Value, json};

use super::model::Recording;
use crate::command::api::{Access, Api, ApiError};
use crate::command::format::{path, printable};
use crate::command::{Error, Usage, retention};
use crate::http;

/// Most recordings of one page: as many as the API gives.
const PAGE: usize = 1_000;
/// Recordings of a page where the first one will do, most likely.
const FIRST: usize = 10;
/// Most pages that are looked through for the beginning of an id.
const PAGES: usize = 100;
/// What a recording does that is not over.
const ACTIVE: [&str; 5] = ["waiting", "recording", "trouble", "paused", "away"];
/// What a recording is that has begun, unless it was deleted, is in the bin or has lost its files.
const BEGUN: [&str; 6] = ["recording", "trouble", "paused", "away", "complete", "interrupted"];
/// Digits that the beginning of an id has at least: fewer are a slip of the finger.
const DIGITS: usize = 4;

/// Where to look, and how to show it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct At {
    #[command(flatten)]
    access: Access,

    /// Look straight into this record directory; no server needs to run
    #[arg(long, value_name = "PATH")]
    record_dir: Option<PathBuf>,

    /// Print JSON, as the API has it
    #[arg(long)]
    pub(super) json: bool,
}

/// Where recordings are.
pub(super) enum Place {
    Server(Api),
    Directory(Reader),
}

/// Which recordings are wanted: those that all of it is true of.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    pub(super) stream: Option<String>,
    pub(super) recorder: Option<String>,
    pub(super) from_unix_ms: Option<i64>,
    pub(super) to_unix_ms: Option<i64>,
    pub(super) states: Vec<String>,
    pub(super) labels: Vec<(String, Option<String>)>,
    pub(super) text: Option<String>,
    pub(super) held: Option<bool>,
    pub(super) is_oldest_first: bool,
}

/// One recording, as somebody names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Id(RecordingId),
    /// The first digits of an id.
    Beginning(String),
    /// The newest one that has begun.
    Last,
}

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (text, text.parse()) {
            ("last", _) => Ok(Self::Last),
            (_, Ok(id)) => Ok(Self::Id(id)),
            _ if is_hex && (DIGITS..16).contains(&text.len()) => {
                Ok(Self::Beginning(text.to_ascii_lowercase()))
            }
            _ => Err(format!(
                "expected an id of 16 hex digits, the first {DIGITS} or more of them, or last"
            )),
        }
    }
}

/// Which recording, by an id or by its stream.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Which {
    /// The recording: its id, the first 4 or more digits of it, or last for the newest one begun
    #[arg(value_name = "ID", required_unless_present = "stream")]
    id: Option<Name>,

    /// The newest recording of this stream; of those that run, where it has to run
    #[arg(long, value_name = "APP/NAME", conflicts_with = "id")]
    pub(super) stream: Option<String>,
}

impl At {
    /// The server or the directory that is meant.
    pub(super) fn place(&self) -> Result<Place, Error> {
        let Some(dir) = &self.record_dir else { return Ok(Place::Server(self.access.api()?)) };
        if self.access.is_given() {
            let why = "-record-dir asks no server: -server and its secret do not go with it";
            return Err(Usage(why.to_owned()).into());
        }
        let reader = Reader::open(dir).map_err(|error| retention::words(dir, &error))?;
        Ok(Place::Directory(reader))
    }

    /// The server that is meant, for what no directory can do.
    pub(super) fn server(&self, command: &str) -> Result<Api, Error> {
        match &self.record_dir {
            None => Ok(self.access.api()?),
            Some(_) => Err(Usage(format!(
                "{command} is done by the running server that records: leave -record-dir away, and \
                 say with -server where it is, unless it is {}",
                "http://127.0.0.1:8080"
            ))
            .into()),
        }
    }
}

/// The path of a call about a recording.
pub(super) fn call<'a>(id: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    ["api", "v1", "recordings", id].iter().chain(more).copied().collect()
}

/// Reads a recording back from what the API says of it.
pub(super) fn read(answer: &Value) -> Result<Recording, Error> {
    serde_json::from_value(answer.clone())
        .map_err(|error| format!("the server is of another version: {error}").into())
}

impl Place {
    /// A page of recordings, and where the next one begins.
    pub(super) async fn page(
        &self,
        search: &Search,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        match self {
            Self::Server(api) => {
                let query = search.parameters(after, limit);
                let answer = api.get(&["api", "v1", "recordings"], &query).await?;
                let list = answer.get("recordings").and_then(Value::as_array).cloned();
                let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
                Ok((list.ok_or_else(|| api.foreign("it tells no recordings"))?, next))
            }
            Self::Directory(reader) => {
                let page = reader.recordings(&search.query(after, limit)?).map_err(words)?;
                if let (Some(name), None, []) = (&search.recorder, after, &*page.recordings) {
                    let known = reader.recorders().map_err(words)?;
                    catalog::check_recorder(name, known).map_err(|error| error.to_string())?;
                }
                let list = page.recordings.iter().map(http::recordings::known).collect();
                Ok((list, page.next.map(|mark| mark.to_string())))
            }
        }
    }

    /// One recording with its files and what it lacks.
    pub(super) async fn show(&self, id: RecordingId) -> Result<Value, Error> {
        match self {
            Self::Server(api) => Ok(api.get(&call(&id.to_string(), &[]), &[]).await?),
            Self::Directory(reader) => {
                let known = reader.recording(id).map_err(words)?;
                let mut known = known.ok_or_else(|| self.unknown(&id.to_string()))?;
                let mut segments = reader.of_recording(id).map_err(words)?;
                segments.iter_mut().for_each(|segment| grown(&mut known, segment));
                let gaps = reader.gaps_of(id).map_err(words)?;
                Ok(http::recordings::whole(&known, &segments, &gaps))
            }
        }
    }

    /// The record directory whose catalog knows the files, where there is one on this machine.
    pub(super) async fn record_dir(&self) -> Option<PathBuf> {
        let dir = match self {
            Self::Directory(reader) => return Some(reader.record_dir().to_owned()),
            Self::Server(api) => {
                let config = api.get(&["api", "v1", "server", "config"], &[]).await.ok()?;
                let settings = config.get("settings")?.as_array()?;
                let is_it = |setting: &&Value| setting.get("name") == Some(&"record-dir".into());
                PathBuf::from(settings.iter().find(is_it)?.get("value")?.as_str()?)
            }
        };
        Reader::open(&dir).is_ok().then_some(dir)
    }

    /// The recording that is meant: by `last`, or by its stream, one that has begun.
    pub(super) async fn find(&self, which: &Which) -> Result<RecordingId, Error> {
        self.find_among(which, "there is", &BEGUN).await
    }

    /// The recording that is meant: by `last`, or by its stream, one that is not over.
    pub(super) async fn find_active(&self, which: &Which) -> Result<RecordingId, Error> {
        self.find_among(which, "there runs", &ACTIVE).await
    }

    async fn find_among(
        &self,
        which: &Which,
        what: &str,
        states: &[&str],
    ) -> Result<RecordingId, Error> {
        let stream = match (&which.id, &which.stream) {
            (Some(Name::Id(id)), _) => return Ok(*id),
            (Some(Name::Beginning(digits)), _) => return self.beginning(digits).await,
            (_, stream) => stream.as_deref(),
        };
        let mut newest = self.newest(stream, states).await?;
        // What has begun just now is told of by its stream before the catalog knows it.
        if let (Self::Server(api), Some(stream)) = (self, stream) {
            for id in running(api, stream).await? {
                let found = self.show(id).await?;
                let start = start_of(&found);
                // One may have ended since.
                if !is_one_of(&found, states) {
                    continue;
                }
                if newest.as_ref().is_none_or(|(known, _)| *known < start) {
                    newest = Some((start, id));
                }
            }
        }
        newest.map(|(_, id)| id).ok_or_else(|| match stream {
            None => format!("{what} no recording").into(),
            Some(stream) => format!("{what} no recording of {}", printable(stream)).into(),
        })
    }

    /// The newest recording of a stream, or of all, in one of these states, and when it began.
    async fn newest(
        &self,
        stream: Option<&str>,
        states: &[&str],
    ) -> Result<Option<(i64, RecordingId)>, Error> {
        // A catalog has no more exact ones than these, which are what it lists unless asked.
        let asked: &[&str] = if matches!(self, Self::Server(_)) { states } else { &[] };
        let asked = asked.iter().map(|state| (*state).to_owned()).collect();
        let search = Search { stream: stream.map(escaped), states: asked, ..Search::default() };
        let mut after = None;
        for _ in 0..PAGES {
            let (page, next) = self.page(&search, after.as_deref(), FIRST).await?;
            for found in page {
                // A pattern may fit other streams too.
                if stream.is_some_and(|stream| found.get("stream") != Some(&stream.into())) {
                    continue;
                }
                // The catalog may not know yet that it has ended.
                let id = id_of(&found)?;
                if is_one_of(&self.show(id).await?, states) {
                    return Ok(Some((start_of(&found), id)));
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// The one recording whose id begins so, among all that are known.
    async fn beginning(&self, digits: &str) -> Result<RecordingId, Error> {
        let states = RecordingState::ALL.map(|state| state.name().to_owned());
        let states = match self {
            Self::Server(_) => [states.to_vec(), vec!["waiting".to_owned()]].concat(),
            Self::Directory(_) => states.to_vec(),
        };
        let search = Search { states, ..Search::default() };
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..PAGES {
            let (page, next) = self.page(&search, after.as_deref(), PAGE).await?;
            for recording in &page {
                let id = id_of(recording)?;
                if id.to_string().starts_with(digits) && !found.contains(&id) {
                    found.push(id);
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        match (found.as_slice(), after) {
            ([], None) => Err(self.unknown(&format!("{digits}…")).into()),
            ([id], None) => Ok(*id),
            ([], Some(_)) | ([_], Some(_)) => Err(format!(
                "there are too many recordings to be sure which one {digits}… is: give the whole id"
            )
            .into()),
            (several, _) => {
                let ids: Vec<_> = several.iter().take(4).map(ToString::to_string).collect();
                let more = if several.len() > 4 { ", …" } else { "" };
                let count = several.len();
                let ids = ids.join(", ");
                Err(format!("{digits}… is {count} recordings: {ids}{more}; give more digits")
                    .into())
            }
        }
    }

    fn unknown(&self, id: &str) -> String {
        match self {
            Self::Server(api) => format!("{} knows no recording {id}", api.server()),
            Self::Directory(reader) => {
                format!("the catalog in {} knows no recording {id}", path(reader.record_dir()))
            }
        }
    }
}

/// What the catalog is told only when a file is finished, its file knows: how long and large it is.
fn grown(recording: &mut catalog::Recording, segment: &mut catalog::Segment) {
    if segment.state != catalog::State::Open {
        return;
    }
    let Ok(metadata) = std::fs::metadata(&segment.path) else { return };
    let of_file = range::Segment::of_file(&SystemDisk, &segment.path).ok().flatten();
    segment.length_ms = of_file.map_or(0, |file| file.at_least_ms);
    let length_ms = i64::try_from(segment.length_ms).unwrap_or(i64::MAX);
    segment.end_unix_ms = segment.start_unix_ms.saturating_add(length_ms);
    let more_bytes = metadata.len().saturating_sub(segment.size_bytes);
    segment.size_bytes = metadata.len();
    recording.size_bytes = recording.size_bytes.saturating_add(more_bytes);
    let end_ms = segment.start_ms.saturating_add(segment.length_ms);
    recording.length_ms = recording.length_ms.max(end_ms);
}

/// The recordings of a stream that run now, as its publisher and its recorders know.
async fn running(api: &Api, stream: &str) -> Result<Vec<RecordingId>, ApiError> {
    let answer = match api.get(&["api", "v1", "streams", stream], &[]).await {
        Err(ApiError::Refused { code, .. }) if code == "unknown-stream" => return Ok(Vec::new()),
        answer => answer?,
    };
    let list = answer.get("recordings").and_then(Value::as_array).into_iter().flatten();
    Ok(list.filter_map(|recording| recording.get("id")?.as_str()?.parse().ok()).collect())
}

fn is_one_of(recording: &Value, states: &[&str]) -> bool {
    let state = recording.get("state").and_then(Value::as_str);
    state.is_some_and(|state| states.contains(&state))
}

/// When it began, in ms since 1970; one that waits for its stream is newer than all others.
fn start_of(recording: &Value) -> i64 {
    let start = recording.get("start").and_then(Value::as_str);
    let start = start.and_then(|start| start.parse::<jiff::Timestamp>().ok());
    start.map_or(i64::MAX, |start| start.as_millisecond())
}

fn id_of(recording: &Value) -> Result<RecordingId, Error> {
    let id = recording.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    id.ok_or_else(|| "the server is of another version: a recording has no id".into())
}

/// A pattern that only this stream fits.
fn escaped(stream: &str) -> String {
    stream.chars().fold(String::new(), |mut pattern, c| {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            pattern.push('?');
        } else {
            pattern.push(c);
        }
        pattern
    })
}

fn words(error: catalog::Error) -> Error {
    match error {
        catalog::Error::Query(error) => Usage(error.to_string()).into(),
        error => format!("cannot read the catalog: {error}").into(),
    }
}

impl Search {
    /// For a server.
    fn parameters(&self, after: Option<&str>, limit: usize) -> Vec<(&'static str, String)> {
        let mut all = vec![("limit", limit.to_string())];
        let moment = |ms: Option<i64>| ms.map(http::time::of_ms);
        let one = [
            ("stream", self.stream.clone()),
            ("recorder", self.recorder.clone()),
            ("from", moment(self.from_unix_ms)),
            ("to", moment(self.to_unix_ms)),
            ("text", self.text.clone()),
            ("held", self.held.map(|held| held.to_string())),
            ("order", self.is_oldest_first.then(|| "oldest".to_owned())),
            ("after", after.map(str::to_owned)),
        ];
        all.extend(one.into_iter().filter_map(|(name, value)| Some((name, value?))));
        all.extend(self.states.iter().map(|state| ("state", state.clone())));
        all.extend(self.labels.iter().map(|(name, value)| match value {
            Some(value) => ("label", format!("{name}:{value}")),
            None => ("label", name.clone()),
        }));
        all
    }

    /// For a catalog.
    fn query(&self, after: Option<&str>, limit: usize) -> Result<Query, Error> {
        let mut states = Vec::new();
        for word in &self.states {
            let state = word.parse::<RecordingState>();
            states.push(state.map_err(|error| Usage(error.to_string()))?);
        }
        if states.is_empty() {
            use RecordingState::{Complete, Interrupted, Recording};
            states.extend([Recording, Complete, Interrupted]);
        }
        Ok(Query {
            stream: self.stream.clone(),
            recorder: self.recorder.clone(),
            from_unix_ms: self.from_unix_ms,
            to_unix_ms: self.to_unix_ms,
            states,
            labels: self.labels.clone(),
            text: self.text.clone(),
            held: self.held,
            order: if self.is_oldest_first { Order::Oldest } else { Order::Newest },
            after: after.map(str::parse).transpose()?,
            limit,
        })
    }
}

/// Has a server do something to a recording: the status and the recording as it is then.
pub(super) async fn change(
    api: &Api,
    method: Method,
    id: RecordingId,
    more: &[&str],
    body: Option<Value>,
) -> Result<(u16, Value), ApiError> {
    let body = body.or_else(|| (method != Method::DELETE).then(|| json!({})));
    api.call(method, &call(&id.to_string(), more), &[], body.as_ref()).await
}

#[cfg(test)]
mod tests;
