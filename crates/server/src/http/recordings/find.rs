//! Recordings found again: what runs and what waits from memory, the rest from the catalog.

use std::sync::Arc;

use archive::catalog::{self, Mark, Order, Page, Query, QueryError, Reader, RecordingState};
use archive::{RecordingId, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::STOP_LOOK;
use super::view::{Recording, State};
use crate::director::Wanted;
use crate::http::Api;
use crate::http::disk::DEADLINE;
use crate::http::extract::bad_value;
use crate::http::problem::{Code, Problem};
use crate::http::shape::{self, Amount};
use crate::http::time;

/// How long a question waits for a server that is writing the catalog.
const BUSY: std::time::Duration = std::time::Duration::from_secs(2);
/// Recordings of a page unless it is said.
const LIMIT: usize = 100;

/// Which recordings are wanted: those that all of it is true of.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// A pattern of stream keys: `*` within a part, `**` over parts, `?` for one character.
    #[param(example = "live/*")]
    stream: Option<String>,
    /// The recorder's name.
    recorder: Option<String>,
    /// What has something at or after this time.
    #[param(example = "2026-11-29T18:00:00+01:00", format = DateTime)]
    from: Option<String>,
    /// What has something before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// What it does or has become of it; several may be given.
    #[serde(default)]
    #[param(inline)]
    state: Vec<Sought>,
    /// `name` or `name:value`; several may be given, and all have to be there.
    #[serde(default)]
    #[param(example = json!(["event:concert"]))]
    label: Vec<String>,
    /// Part of the stream key, the name or the value of a label.
    #[param(min_length = 1, max_length = 256)]
    text: Option<String>,
    /// Whether it is held.
    held: Option<bool>,
    /// What comes first.
    #[param(inline)]
    order: Option<First>,
    /// `next` of the page before.
    after: Option<String>,
    /// Most of a page, 1 to 1000; 100 unless said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// What a recording may be looked for by: what it does, or what has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Sought {
    /// Its stream is not there yet, or has sent nothing yet.
    Waiting,
    /// Its files are written.
    Recording,
    /// Its disk is in trouble and is tried again.
    Trouble,
    /// There is too little free space.
    Paused,
    /// Its publisher is away and may come back.
    Away,
    /// It is over.
    Complete,
    /// Its server ended before it did; its files are whole.
    Interrupted,
    /// It is in the bin.
    Binned,
    /// It was deleted.
    Deleted,
    /// Its files are not where they were.
    Missing,
}

impl From<Sought> for State {
    fn from(sought: Sought) -> Self {
        match sought {
            Sought::Waiting => Self::Waiting,
            Sought::Recording => Self::Recording,
            Sought::Trouble => Self::Trouble,
            Sought::Paused => Self::Paused,
            Sought::Away => Self::Away,
            Sought::Complete => Self::Complete,
            Sought::Interrupted => Self::Interrupted,
            Sought::Binned => Self::Binned,
            Sought::Deleted => Self::Deleted,
            Sought::Missing => Self::Missing,
        }
    }
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum First {
    /// What began last.
    Newest,
    /// What began first.
    Oldest,
}

/// One recording with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Whole {
    #[serde(flatten)]
    recording: Recording,
    /// Its files, in order.
    files: Vec<Segment>,
    /// The stretches that it lacks, in order.
    missing: Vec<Gap>,
}

/// One file of a recording.
#[derive(Debug, Serialize, ToSchema)]
struct Segment {
    /// Its number, from 1.
    number: u32,
    /// `open`, `finished`, `missing`, `binned` or `deleted`.
    state: &'static str,
    /// Its path, below the record directory where it is there.
    file: String,
    /// When it begins.
    start: String,
    /// When its last packet came; until now, while it is open.
    end: String,
    /// When it begins on the recording's clock.
    start_ms: u64,
    /// Its length; until now, while it is open.
    length_ms: u64,
    /// Bytes of the file; until now, while it is open.
    size_bytes: u64,
    /// Its BLAKE3 hash, as `b3sum` computes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// Where it is downloaded.
    url: String,
}

/// A stretch that a recording does not have.
#[derive(Debug, Serialize, ToSchema)]
struct Gap {
    /// The segment that it is in, or before; 0 for one of a recording without files.
    segment: u32,
    /// Whether it is inside the file, and its time on that file's clock; else on the recording's.
    inside: bool,
    /// When it begins.
    at_ms: u64,
    /// How long it is.
    length_ms: u64,
    /// Why it is.
    reason: &'static str,
    /// What came in it and is in no file.
    dropped: Amount,
}

/// What the recorder of a running recording says of it.
pub(super) fn runs(api: &Api, id: RecordingId) -> Option<Status> {
    api.context.archive.status(id)
}

/// Asks the catalog; `None` where there is none yet.
pub(in crate::http) async fn ask<T: Send + 'static>(
    api: &Api,
    question: impl FnOnce(&Reader) -> Result<T, catalog::Error> + Send + 'static,
) -> Result<Option<T>, Problem> {
    let dir = api.context.settings.load().config.record_dir.clone();
    let answer = api
        .disk
        .run(DEADLINE, move || Reader::open_with(&dir, BUSY).and_then(|reader| question(&reader)));
    match answer.await? {
        Ok(answer) => Ok(Some(answer)),
        Err(catalog::Error::None) => Ok(None),
        Err(catalog::Error::Query(error)) => Err(refused(error)),
        Err(error) => Err(Problem::new(Code::CatalogUnavailable, error.to_string())),
    }
}

/// What is wrong with a question, with the parameter that is meant.
fn refused(error: QueryError) -> Problem {
    let parameter = match &error {
        QueryError::Stream(_) => "stream",
        QueryError::Mark => "after",
        QueryError::State(_) => "state",
        QueryError::Text(_) => "text",
        QueryError::Limit(_) => "limit",
        QueryError::Labels(_) => "label",
    };
    bad_value(parameter, error)
}

/// One recording, from wherever it is known.
pub(in crate::http) async fn one(api: &Arc<Api>, id: RecordingId) -> Result<Recording, Problem> {
    if let Some(wanted) = api.context.director.waits(id) {
        return Ok(Recording::waiting(id, &wanted));
    }
    let running = runs(api, id);
    let known = ask(api, move |reader| reader.recording(id)).await;
    match (running, known) {
        (Some(status), Ok(Some(Some(known)))) => Ok(Recording::overlay(&known, &status)),
        // What runs is shown whatever the catalog's disk does.
        (Some(status), _) => Ok(Recording::running(&status)),
        (None, Ok(Some(Some(known)))) if known.state != RecordingState::Recording => {
            Ok(Recording::known(&known))
        }
        // It has just ended, and the catalog does not know that yet.
        (None, Ok(known)) => match (api.context.archive.ended(id), known.flatten()) {
            (Some(status), _) => Ok(Recording::ended(&status)),
            (None, Some(known)) => Ok(Recording::known(&known)),
            (None, None) => Err(unknown(id)),
        },
        (None, Err(problem)) => Err(problem),
    }
}

/// Whether the catalog knows all of a recording that is over, or cannot be asked.
pub(super) async fn is_entered(api: &Api, id: RecordingId) -> bool {
    // Of one whose file is gone the catalog may never know.
    let ended = api.context.archive.ended(id).filter(|ended| !ended.is_gone());
    let Some(ended) = ended else { return true };
    match ask(api, move |reader| reader.recording(id)).await {
        Ok(Some(Some(known))) => known.state != RecordingState::Recording,
        // There is no catalog where nothing was ever recorded.
        Ok(None) => ended.segments == 0,
        Ok(Some(None)) => false,
        Err(_) => true,
    }
}

/// The files of a recording: all of one that is over, at least the first of one that runs. What has
/// just ended or begun is waited for until the catalog knows it, as long as for any disk.
pub(in crate::http) async fn files(
    api: &Api,
    id: RecordingId,
) -> Result<Vec<catalog::Segment>, Problem> {
    let until = tokio::time::Instant::now() + DEADLINE;
    loop {
        let running = runs(api, id);
        let is_entered = running.is_some() || is_entered(api, id).await;
        let files = ask(api, move |reader| reader.of_recording(id)).await?.unwrap_or_default();
        let has_begun = running.is_none_or(|status| status.segments == 0) || !files.is_empty();
        if is_entered && has_begun || tokio::time::Instant::now() >= until {
            return Ok(files);
        }
        tokio::time::sleep(STOP_LOOK).await;
    }
}

fn unknown(id: RecordingId) -> Problem {
    Problem::new(Code::UnknownRecording, format!("no recording {id}"))
}

/// One recording with its files and gaps.
pub(super) async fn whole(api: &Arc<Api>, id: RecordingId) -> Result<Whole, Problem> {
    let recording = one(api, id).await?;
    if recording.state == State::Waiting {
        return Ok(Whole { recording, files: Vec::new(), missing: Vec::new() });
    }
    if !recording.state.is_active() {
        // Who is told that it is over is told of all its files.
        files(api, id).await?;
    }
    let lists = ask(api, move |reader| Ok((reader.of_recording(id)?, reader.gaps_of(id)?)));
    let (segments, gaps) = match lists.await {
        Ok(known) => known.unwrap_or_default(),
        // As above: its files are told of when the catalog answers.
        Err(_) if runs(api, id).is_some() => Default::default(),
        Err(problem) => return Err(problem),
    };
    Ok(Whole::new(recording, &segments, &gaps))
}

impl Segment {
    /// One as the catalog knows it.
    fn new(recording: &Recording, segment: &catalog::Segment) -> Self {
        let (id, number) = (&recording.id, segment.number);
        Self {
            number,
            state: segment.state.name(),
            file: shape::path(&segment.path),
            start: time::of_ms(segment.start_unix_ms),
            end: time::of_ms(segment.end_unix_ms),
            start_ms: segment.start_ms,
            length_ms: segment.length_ms,
            size_bytes: segment.size_bytes,
            hash: segment.hash.map(|hash| hash.to_string()),
            url: format!("/api/v1/recordings/{id}/segments/{number}/file"),
        }
    }

    /// It is being written: what its recorder knows of it, which the catalog is told at its end.
    fn grow(&mut self, recording_ms: u64, size_bytes: u64, start_unix_ms: i64) {
        self.length_ms = recording_ms.saturating_sub(self.start_ms);
        let length_ms = i64::try_from(self.length_ms).unwrap_or(i64::MAX);
        self.end = time::of_ms(start_unix_ms.saturating_add(length_ms));
        self.size_bytes = size_bytes.max(self.size_bytes);
    }
}

impl Whole {
    /// With what the catalog knows of its files and gaps.
    pub(super) fn new(
        recording: Recording,
        segments: &[catalog::Segment],
        gaps: &[catalog::SegmentGap],
    ) -> Self {
        let mut files: Vec<_> = segments.iter().map(|s| Segment::new(&recording, s)).collect();
        let newest = segments.last().filter(|s| s.state == catalog::State::Open);
        if let Some((last, before)) = files.split_last_mut()
            && let Some(newest) = newest
            && recording.state.is_active()
            && recording.segments == u64::from(last.number)
        {
            let written: u64 = before.iter().map(|file| file.size_bytes).sum();
            let size_bytes = recording.size_bytes.saturating_sub(written);
            last.grow(recording.length_ms, size_bytes, newest.start_unix_ms);
        }
        let missing = gaps.iter().map(|gap| Gap {
            segment: gap.segment,
            inside: gap.is_inside,
            at_ms: gap.gap.at_ms,
            length_ms: gap.gap.length_ms,
            reason: gap.gap.reason.name(),
            dropped: gap.gap.dropped.into(),
        });
        Self { recording, files, missing: missing.collect() }
    }
}

/// What a request with a key made before, as far as only the catalog remembers it. One whose
/// catalog does not answer is taken for new: a recording too many is better than none.
pub(super) async fn asked_before(
    api: &Arc<Api>,
    wanted: &Wanted,
) -> Result<Option<Recording>, Problem> {
    let Some(key) = wanted.request_key.clone() else { return Ok(None) };
    if api.context.director.knows(&key) {
        return Ok(None);
    }
    let known = ask(api, move |reader| reader.by_request_key(&key)).await;
    let Ok(Some(Some(known))) = known else { return Ok(None) };
    if known.stream_key != wanted.key.as_str() || known.name != wanted.name {
        let detail = format!("this request key belongs to recording {}", known.id);
        return Err(Problem::new(Code::RequestKeyReused, detail));
    }
    one(api, known.id).await.map(Some)
}

/// A page of recordings, and the mark of the next one. Where there are none, whoever asks for those of a recorder that
/// nobody knows has most likely mistaken its name.
pub(super) async fn many(
    api: &Arc<Api>,
    search: Search,
) -> Result<(Vec<Recording>, Option<String>), Problem> {
    let recorder = search.recorder.clone().filter(|_| search.after.is_none());
    let page = page(api, search).await?;
    if let (true, Some(name)) = (page.0.is_empty(), recorder) {
        check_recorder(api, &name).await?;
    }
    Ok(page)
}

async fn check_recorder(api: &Api, name: &str) -> Result<(), Problem> {
    let settings = api.context.settings.load();
    let configured: Vec<_> = settings.recorders.iter().map(|r| r.name.clone()).collect();
    if configured.iter().any(|known| known == name) {
        return Ok(());
    }
    let known =
        configured.into_iter().chain(ask(api, Reader::recorders).await?.unwrap_or_default());
    catalog::check_recorder(name, known).map_err(|error| {
        Problem::new(Code::UnknownRecorder, format!("recorder: {error}")).with("field", "recorder")
    })
}

async fn page(api: &Arc<Api>, search: Search) -> Result<(Vec<Recording>, Option<String>), Problem> {
    let states: Vec<_> = search.state.iter().copied().map(State::from).collect();
    let query = search.query(&states)?;
    query.check().map_err(refused)?;
    let archive = &api.context.archive;
    let (running, ended) = (archive.list(), archive.ended_lately());
    let is_first = search.after.is_none() && query.order == Order::Newest;
    let times = (query.from_unix_ms, query.to_unix_ms);
    let is_wanted = |state| match states.is_empty() {
        // The catalog has what was asked for, and the rest is here.
        true => state != State::Missing,
        false => states.contains(&state),
    };
    let mut found = Vec::new();
    if is_first && times == (None, None) && is_wanted(State::Waiting) {
        let waiting = api.context.director.waiting().into_iter().rev();
        found.extend(waiting.map(|(id, wanted)| Recording::waiting(id, &wanted)));
        found.retain(|recording| search.takes(recording));
    }
    if states == [State::Waiting] {
        return Ok((found, None));
    }
    let ids: Vec<_> = running.iter().chain(&ended).map(|status| status.id).collect();
    let answer = ask(api, move |reader| {
        let page = reader.recordings(&query)?;
        let shows_new = is_first || query.order == Order::Oldest && page.next.is_none();
        let new = if shows_new { reader.unknown(ids)? } else { Vec::new() };
        Ok((page, new))
    });
    // There is no catalog where nothing was ever recorded.
    let without = || {
        let ended = ended.iter().filter(|status| status.segments > 0);
        (Page::default(), running.iter().chain(ended).map(|status| status.id).collect())
    };
    let (page, new) = answer.await?.unwrap_or_else(without);
    let known = page.recordings.iter().map(|known| match of(&running, known.id) {
        Some(status) => Recording::overlay(known, status),
        None => Recording::known(known),
    });
    // What has just begun. If it is over already, it is so here when its files are known.
    let new = new.iter().filter_map(|id| match (of(&running, *id), of(&ended, *id)) {
        (Some(status), _) if is_in_time(status, times) => Some(Recording::running(status)),
        (None, Some(status)) if is_in_time(status, times) => Some(match status.is_gone() {
            true => Recording::ended(status),
            false => Recording { state: State::Recording, ..Recording::running(status) },
        }),
        _ => None,
    });
    let new: Vec<_> = new.filter(|recording| search.takes(recording)).collect();
    match is_first {
        true => found.extend(new.into_iter().chain(known)),
        false => found.extend(known.chain(new)),
    }
    found.retain(|recording| is_wanted(recording.state));
    Ok((found, page.next.map(|mark| mark.to_string())))
}

fn of(list: &[Status], id: RecordingId) -> Option<&Status> {
    list.iter().find(|status| status.id == id)
}

/// Whether something of it is at or after the first time and before the second.
fn is_in_time(status: &Status, (from, to): (Option<i64>, Option<i64>)) -> bool {
    let start = status.started_unix_ms;
    let end = start.saturating_add(i64::try_from(status.length_ms).unwrap_or(i64::MAX));
    to.is_none_or(|to| start < to) && from.is_none_or(|from| end >= from)
}

impl Search {
    fn query(&self, states: &[State]) -> Result<Query, Problem> {
        let kept = |state: &State| match state {
            State::Waiting | State::Cancelled => None,
            State::Recording | State::Trouble | State::Paused | State::Away => {
                Some(RecordingState::Recording)
            }
            State::Complete => Some(RecordingState::Complete),
            State::Interrupted => Some(RecordingState::Interrupted),
            State::Binned => Some(RecordingState::Binned),
            State::Deleted => Some(RecordingState::Deleted),
            State::Missing => Some(RecordingState::Missing),
        };
        let mut wanted: Vec<_> = states.iter().filter_map(kept).collect();
        if states.is_empty() {
            wanted.extend([
                RecordingState::Recording,
                RecordingState::Complete,
                RecordingState::Interrupted,
            ]);
        }
        wanted.sort();
        wanted.dedup();
        let label = |text: &String| match text.split_once(':') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text.clone(), None),
        };
        if self.label.iter().map(label).any(|(name, _)| name.is_empty()) {
            return Err(bad_value("label", "expected name, or name:value"));
        }
        let from_unix_ms = moment("from", self.from.as_deref())?;
        let to_unix_ms = moment("to", self.to.as_deref())?;
        if matches!((from_unix_ms, to_unix_ms), (Some(from), Some(to)) if from > to) {
            return Err(bad_value("to", "it is before from"));
        }
        let after = self.after.as_deref().map(str::parse::<Mark>).transpose();
        Ok(Query {
            stream: self.stream.clone(),
            recorder: self.recorder.clone(),
            from_unix_ms,
            to_unix_ms,
            states: wanted,
            labels: self.label.iter().map(label).collect(),
            text: self.text.clone(),
            held: self.held,
            order: match self.order {
                None | Some(First::Newest) => Order::Newest,
                Some(First::Oldest) => Order::Oldest,
            },
            after: after.map_err(|error| bad_value("after", error))?,
            limit: match self.limit.unwrap_or(LIMIT) {
                limit @ 1..=Query::LIMIT_MAX => limit,
                limit => {
                    let why = format!("{limit}: expected 1 to {}", Query::LIMIT_MAX);
                    return Err(bad_value("limit", why));
                }
            },
        })
    }

    /// Whether one that the catalog does not know is wanted, but for its times.
    fn takes(&self, recording: &Recording) -> bool {
        let is =
            |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        let has_label = |label: &String| match label.split_once(':') {
            Some((name, value)) => recording.labels.get(name).is_some_and(|has| has == value),
            None => recording.labels.contains_key(label),
        };
        let texts = recording.labels.values().chain(&recording.name).chain([&recording.stream]);
        let texts: Vec<String> = texts.map(|text| text.to_lowercase()).collect();
        let has_text = |text: &str| texts.iter().any(|known| known.contains(&text.to_lowercase()));
        let matches = |pattern: &str| {
            catalog::Glob::new(pattern).is_ok_and(|glob| glob.matches(&recording.stream))
        };
        is(&self.stream, &matches)
            && is(&self.recorder, &|name| name == recording.recorder)
            && is(&self.text, &has_text)
            && self.label.iter().all(has_label)
            && self.held != Some(true)
    }
}

/// A time of the query, in ms since 1970.
pub(in crate::http) fn moment(field: &str, text: Option<&str>) -> Result<Option<i64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let time = text.parse::<Timestamp>().map_err(|_| {
        let example = "2026-11-29T18:00:00+01:00";
        let bare = text.replacen(' ', "+", 1);
        let hint = match text.contains(' ') && bare.parse::<Timestamp>().is_ok() {
            true => "; in an address + is written %2B",
            false => "",
        };
        let expected = format!("expected a time with its offset, such as {example}");
        bad_value(field, format!("{text:?}: {expected}{hint}"))
    });
    time.map(|time| Some(time.as_millisecond()))
}
