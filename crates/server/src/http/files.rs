//! Files over HTTP: recordings as they stand on disk, finished or growing, with ranges of bytes;
//! and one FLV or MP4 made of a range of time, the latter in `mp4`.
//!
//! A download is a body whose pieces are read ahead in threads that may wait: at most
//! [`Limits::ahead`] of them, and no thread while the client does not take them. Each has one of
//! [`Limits::downloads`] places, which a call that hangs keeps until it comes back. A disk that does
//! not answer is a refusal before the first byte, and the end of the body after it.
//!
//! Sources: RFC 9110 (conditional requests 13, ranges 14), RFC 6266 (`Content-Disposition`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use archive::{Disk, DiskFile, Format, range, words};
use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod body;
mod condition;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod mp4;
mod name;
pub(super) mod part;

pub(super) use condition::has_tag;
use condition::{Validators, is_unchanged};
use mp4::Plans;
pub(crate) use mp4::{M4A, MP4, Made};
use name::disposition;
use part::{Part, asked};

/// The media type of FLV.
pub(crate) const FLV: &str = "video/x-flv";

/// Tells when what is sent begins: RFC 3339 with ms and offset.
pub(crate) const START_TIME: HeaderName = HeaderName::from_static("x-start-time");

/// What downloads may cost.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Downloads at once.
    pub(crate) downloads: usize,
    /// Bytes that are read at once.
    pub(crate) block_bytes: usize,
    /// Blocks that wait for the client.
    pub(crate) ahead: usize,
    /// Plans of MP4 files, and samples of all of them together.
    pub(crate) plans: usize,
    pub(crate) samples: usize,
    /// Longest wait for the disk before the first byte: to open a file.
    pub(crate) open_time: Duration,
    /// And to look at all files that a range of time is of.
    pub(crate) plan_time: Duration,
    /// And to look at each frame of them. Where that is too short, it goes on without the client.
    pub(crate) walk_time: Duration,
    /// Longest wait for a block.
    pub(crate) read_time: Duration,
    /// Longest wait for a client that takes nothing.
    pub(crate) stall_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            downloads: 64,
            block_bytes: 256 << 10,
            ahead: 4,
            plans: 256,
            // 250 MB.
            samples: 4 * range::Mp4::SAMPLES_MAX,
            open_time: Duration::from_secs(5),
            plan_time: Duration::from_secs(10),
            walk_time: Duration::from_secs(20),
            read_time: Duration::from_secs(5),
            stall_time: Duration::from_secs(60),
        }
    }
}

/// All downloads of a server.
#[derive(Debug, Clone)]
pub(crate) struct Downloads {
    limits: Limits,
    places: Arc<Semaphore>,
    plans: Arc<Plans>,
}

/// A file to be sent.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Its media type.
    pub(crate) kind: &'static str,
    /// What it is called where it is saved.
    pub(crate) name: String,
    /// Tells it apart from all other files: recording and number.
    pub(crate) identity: String,
    /// Whether it is still being written.
    pub(crate) is_growing: bool,
}

/// Why there is no download.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such file.
    #[error("the file is not there")]
    Missing,
    /// As many are running as may.
    #[error("{limit} downloads are running, which is the limit")]
    Busy {
        /// How many.
        limit: usize,
    },
    /// What MP4 files that are being sent need takes the memory that it may.
    #[error("the MP4 files that are being sent have as large indices as they may have together")]
    Memory,
    /// The disk did not answer.
    #[error("no answer in {} ms", .waited.as_millis())]
    Timeout {
        /// How long was waited.
        waited: Duration,
    },
    /// The disk failed.
    #[error("{0}")]
    Disk(String),
    /// There is no file of the range.
    #[error(transparent)]
    Range(#[from] range::Error),
}

impl Downloads {
    pub(crate) fn new(limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.downloads));
        let plans = Arc::new(Plans::new(&limits));
        Self { limits, places, plans }
    }

    /// Answers a request for a file: all of it or a part, up to the size that it has now.
    ///
    /// One range of bytes is answered with it, several with the whole file, as RFC 9110 14.2
    /// allows: whoever asks for a thousand of them gets no more than the file. A growing file has
    /// no strong validator, for its first bytes change; a part of it says that its end is not known.
    ///
    /// # Errors
    /// [`Refusal`], before anything was sent.
    pub(crate) async fn file(
        &self,
        disk: Arc<dyn Disk>,
        file: &File,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let place = self.place()?;
        let path = file.path.clone();
        let open = move || {
            let entry = disk.entry(&path)?;
            if entry.is_dir {
                return Err(io::ErrorKind::NotFound.into());
            }
            let mut open = disk.open_read(&path)?;
            let size_bytes = open.size()?;
            // One that changes right now is not what the entry says.
            let is_settled = size_bytes == entry.size_bytes;
            Ok((open, size_bytes, entry.modified_ms, is_settled))
        };
        let opened = self.wait(&place, self.limits.open_time, open).await?;
        let (open, size_bytes, modified_ms, is_settled) = opened.map_err(refused)?;
        let is_growing = file.is_growing || !is_settled;
        let validators = Validators::new(&file.identity, size_bytes, modified_ms, is_growing);
        let what = Described {
            kind: file.kind,
            name: &file.name,
            validators,
            size_bytes,
            is_growing,
            more: Vec::new(),
        };
        let (status, answer, start, end) = match what.answer(method, headers) {
            Answer::Body { status, headers, start, end } => (status, headers, start, end),
            Answer::Done(response) => return Ok(response),
        };
        let blocks = Blocks { file: open, at: start, end, bytes: self.limits.block_bytes };
        Ok(respond(status, answer, body::of(&self.limits, place, blocks)))
    }

    /// Answers a request for one FLV of a range of time, which `make` finds in a thread that may
    /// wait. Its size is told; it has no ranges of bytes, since segments may be deleted between two
    /// requests.
    ///
    /// # Errors
    /// [`Refusal`], before anything was sent.
    pub(crate) async fn range(
        &self,
        make: impl FnOnce() -> Result<range::Flv, Refusal> + Send + 'static,
        method: &Method,
    ) -> Result<Response, Refusal> {
        let place = self.place()?;
        let flv = self.wait(&place, self.limits.plan_time, make).await??;
        let answer = vec![
            (CONTENT_TYPE, HeaderValue::from_static(FLV)),
            (CONTENT_DISPOSITION, disposition(&name::of_range(flv.info(), Format::Flv))),
            (START_TIME, value(&flv.info().start_time)),
            (ACCEPT_RANGES, HeaderValue::from_static("none")),
            (CONTENT_LENGTH, HeaderValue::from(flv.info().size_bytes)),
        ];
        let is_head = *method == Method::HEAD;
        let body = if is_head { Body::empty() } else { body::of(&self.limits, place, flv) };
        Ok(respond(StatusCode::OK, answer, body))
    }

    /// Does something that takes as long as a download.
    ///
    /// # Errors
    /// [`Refusal`]; what was begun goes on all the same.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = self.place()?;
        self.wait(&place, self.limits.walk_time, work).await
    }

    /// Answers with what `make` finds in a thread that may wait.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) async fn small(
        &self,
        make: impl FnOnce() -> Result<Bytes, Refusal> + Send + 'static,
        kind: &'static str,
    ) -> Result<Response, Refusal> {
        self.small_of(move || Ok((make()?, Vec::new())), kind).await
    }

    /// The same, of which it is told what is not in it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) async fn small_of(
        &self,
        make: impl FnOnce() -> Result<(Bytes, Vec<String>), Refusal> + Send + 'static,
        kind: &'static str,
    ) -> Result<Response, Refusal> {
        let place = self.place()?;
        let (bytes, left_out) = self.wait(&place, self.limits.plan_time, make).await??;
        let mut answer = vec![
            (CONTENT_TYPE, HeaderValue::from_static(kind)),
            (CONTENT_LENGTH, HeaderValue::from(bytes.len())),
        ];
        answer.extend(mp4::refused(&left_out));
        Ok(respond(StatusCode::OK, answer, bytes.into()))
    }

    /// Answers with the pieces that `make` finds, of which the first is made before it says so.
    ///
    /// # Errors
    /// [`Refusal`], before anything was sent.
    pub(crate) async fn fragments(
        &self,
        make: impl FnOnce() -> Result<range::Fragments, range::Error> + Send + 'static,
        kind: &'static str,
        method: &Method,
    ) -> Result<Response, Refusal> {
        let place = self.place()?;
        let begin = move || {
            let mut fragments = make()?;
            let first = fragments.next().ok_or(range::Error::Nothing)??;
            Ok::<_, range::Error>((first, fragments))
        };
        let (first, fragments) = self.wait(&place, self.limits.plan_time, begin).await??;
        let answer = vec![(CONTENT_TYPE, HeaderValue::from_static(kind))];
        let body = match *method == Method::HEAD {
            true => Body::empty(),
            false => body::of(&self.limits, place, std::iter::once(Ok(first)).chain(fragments)),
        };
        Ok(respond(StatusCode::OK, answer, body))
    }

    fn place(&self) -> Result<Place, Refusal> {
        let place = self.places.clone().try_acquire_owned();
        let busy = |_| Refusal::Busy { limit: self.limits.downloads };
        place.map(Arc::new).map_err(busy)
    }

    /// Runs `work` in a thread that may wait.
    async fn wait<T: Send + 'static>(
        &self,
        place: &Place,
        waited: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = place.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        match tokio::time::timeout(waited, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Refusal::Disk(error.to_string())),
            Err(_) => Err(Refusal::Timeout { waited }),
        }
    }
}

/// What is to be sent.
struct Described<'a> {
    kind: &'static str,
    name: &'a str,
    validators: Validators,
    size_bytes: u64,
    is_growing: bool,
    /// Further headers.
    more: Vec<(HeaderName, HeaderValue)>,
}

/// What a request gets.
enum Answer {
    /// This, and nothing more.
    Done(Response),
    /// Bytes from the first to before the second.
    Body { status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>, start: u64, end: u64 },
}

impl Described<'_> {
    /// Decides by the conditions and the range that a request has.
    fn answer(self, method: &Method, headers: &HeaderMap) -> Answer {
        let Self { kind, name, validators, size_bytes, is_growing, more } = self;
        if is_unchanged(headers, &validators) {
            let unchanged = StatusCode::NOT_MODIFIED;
            return Answer::Done(respond(unchanged, validators.headers(), Body::empty()));
        }
        let part = if *method == Method::GET && validators.allow_part(headers) {
            asked(headers, size_bytes)
        } else {
            Part::Whole
        };
        let mut answer = validators.headers();
        answer.extend(more);
        answer.push((CONTENT_TYPE, HeaderValue::from_static(kind)));
        answer.push((CONTENT_DISPOSITION, disposition(name)));
        answer.push((ACCEPT_RANGES, HeaderValue::from_static("bytes")));
        let (status, start, end) = match part {
            Part::Whole => (StatusCode::OK, 0, size_bytes),
            Part::Some { start, end } => {
                let last = end.saturating_sub(1);
                let total = if is_growing { "*".to_owned() } else { size_bytes.to_string() };
                answer.push((CONTENT_RANGE, value(&format!("bytes {start}-{last}/{total}"))));
                (StatusCode::PARTIAL_CONTENT, start, end)
            }
            Part::None => {
                answer.push((CONTENT_RANGE, value(&format!("bytes */{size_bytes}"))));
                let status = StatusCode::RANGE_NOT_SATISFIABLE;
                return Answer::Done(respond(status, answer, Body::empty()));
            }
        };
        answer.push((CONTENT_LENGTH, HeaderValue::from(end - start)));
        match *method == Method::HEAD {
            true => Answer::Done(respond(status, answer, Body::empty())),
            false => Answer::Body { status, headers: answer, start, end },
        }
    }
}

/// A place among the downloads, kept by its body and by the call that it waits for.
type Place = Arc<OwnedSemaphorePermit>;

/// The blocks of a part of a file.
struct Blocks {
    file: Box<dyn DiskFile>,
    at: u64,
    end: u64,
    bytes: usize,
}

impl Iterator for Blocks {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if left == 0 {
            return None;
        }
        let mut block = vec![0; self.bytes.min(left)];
        match self.file.read_at(self.at, &mut block) {
            Ok(0) => {
                Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut off")))
            }
            Ok(read) => {
                block.truncate(read);
                self.at = self.at.saturating_add(read as u64);
                Some(Ok(block.into()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

fn refused(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound => Refusal::Missing,
        _ => Refusal::Disk(words(&error)),
    }
}

fn respond(status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers.into_iter().map(|(name, value)| (Some(name), value)));
    let fixed = [(X_CONTENT_TYPE_OPTIONS, "nosniff"), (CACHE_CONTROL, "private, no-cache")];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A header's value of our own making, which is ASCII.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
