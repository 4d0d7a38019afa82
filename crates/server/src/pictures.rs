//! Pictures of streams and recordings: JPEG, made from key frames when somebody asks for them.
//!
//! A picture is made once, by a task of its own, however many wait for it, and kept in memory as long
//! as there is room. Decoding is another program's work (`decode`), one at a time, at the lowest
//! priority and with a time limit: what it does costs a picture at most. Which key frame becomes
//! which picture is `frame`'s and `sheet`'s; what is asked for over HTTP stands in `http/pictures`.
//!
//! Invariants: nothing here is on the way of a packet, waits for a disk or keeps one from being
//! written. What is waited for, kept and read is bounded. A picture shows what its recording still has:
//! what was deleted is forgotten.

mod cache;
mod decode;
mod frame;
mod image;
pub mod native;
mod sheet;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use archive::RecordingId;
use live::Key;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::http::Code;
use cache::Cache;
pub(crate) use decode::{FRAMES, Program};
pub(crate) use frame::{KeyFrame, Wanted};
pub(crate) use image::{Jpeg, Picture};
pub(crate) use sheet::Sheet;

/// Pictures that are being made, or wait for it: more are refused.
const JOBS_MAX: usize = 64;
/// Longest that a request waits for its picture.
const WAIT: Duration = Duration::from_secs(20);
/// What could not be made is not tried again for so long: a frame or a program that hangs is asked for
/// no more often than that.
const FAILED: Duration = Duration::from_secs(10);

/// What a picture is of, and its width.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    /// A run of a stream, now.
    Stream(Key, u64, u32),
    /// A recording, so many ms after it began.
    Moment(RecordingId, u64, u32),
    /// All of a recording that is so long, in ms, with a step in ms.
    Sheet(RecordingId, u64, u64, u32),
}

impl Of {
    fn is_of(&self, id: RecordingId) -> bool {
        matches!(self, Self::Moment(of, ..) | Self::Sheet(of, ..) if *of == id)
    }
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// Whether a decoder was asked, and gave nothing.
    fn is_of_decoder(&self) -> bool {
        matches!(self.code, Code::PictureFailed | Code::DecoderFailed)
    }
}

/// What came of it.
pub(crate) type Outcome = Result<Arc<Jpeg>, Failure>;

/// All pictures of a server.
#[derive(Debug)]
pub(crate) struct Pictures {
    state: Mutex<State>,
    /// Decoders at once: one.
    decoding: Semaphore,
    /// Recordings that are read for pictures at once: one, and not while it could keep the picture of a
    /// stream waiting for a disk.
    reading: Semaphore,
    made: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    cache: Cache,
    jobs: HashMap<Of, watch::Receiver<Option<Outcome>>>,
    /// What the decoder said when it failed last, unless it worked since.
    failure: Option<String>,
}

/// How making pictures goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) made: u64,
    pub(crate) failed: u64,
    pub(crate) cache_bytes: usize,
    pub(crate) failure: Option<String>,
}

impl Default for Pictures {
    fn default() -> Self {
        let (state, made, failed) = Default::default();
        Self { state, decoding: Semaphore::new(1), reading: Semaphore::new(1), made, failed }
    }
}

impl Pictures {
    /// A picture that is kept and `is_fresh`, or else what `make` comes to. That goes on, for the next who asks,
    /// when this request ends; whoever asks meanwhile waits for the same. `room` is the most that is kept, in bytes.
    pub(crate) async fn picture<F>(
        self: &Arc<Self>,
        of: Of,
        room: usize,
        is_fresh: impl Fn(Instant) -> bool + Send,
        make: impl FnOnce() -> F + Send,
    ) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut job = match self.find(&of, is_fresh)? {
            Found::Kept(jpeg) => return Ok(jpeg),
            Found::Made(job) => job,
            Found::New(sender, job) => {
                let (pictures, making) = (self.clone(), make());
                tokio::spawn(async move {
                    // A fault ends the job as well, and whoever waits learns of it by the channel's end.
                    let guard = Job { pictures, of, room };
                    let outcome = making.await;
                    guard.done(&outcome);
                    sender.send_replace(Some(outcome));
                });
                job
            }
        };
        let pending = || Failure::new(Code::PicturePending, "it is being made");
        match tokio::time::timeout(WAIT, job.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or_else(|| Err(pending())),
            Ok(Err(_)) => Err(Failure::new(Code::Internal, "making the picture ended early")),
            Err(_) => Err(pending()),
        }
    }

    fn find(&self, of: &Of, is_fresh: impl Fn(Instant) -> bool) -> Result<Found, Failure> {
        let mut state = self.lock();
        match state.cache.get(of) {
            Some((made, Ok(jpeg))) if is_fresh(made) => return Ok(Found::Kept(jpeg)),
            Some((made, Err(failure))) if made.elapsed() < FAILED => return Err(failure),
            _ => {}
        }
        if let Some(job) = state.jobs.get(of) {
            return Ok(Found::Made(job.clone()));
        }
        if state.jobs.len() >= JOBS_MAX {
            let detail = format!("{JOBS_MAX} pictures are being made already");
            return Err(Failure::new(Code::PicturesBusy, detail));
        }
        let (sender, job) = watch::channel(None);
        state.jobs.insert(of.clone(), job.clone());
        Ok(Found::New(sender, job))
    }

    /// Forgets what there is of a recording: it is deleted, or a part of it is.
    pub(crate) fn forget(&self, id: RecordingId) {
        self.lock().cache.retain(|of| !of.is_of(id));
    }

    /// How it goes.
    pub(crate) fn status(&self) -> Status {
        let state = self.lock();
        Status {
            made: self.made.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            cache_bytes: state.cache.size_bytes(),
            failure: state.failure.clone(),
        }
    }

    /// A turn at reading recordings.
    pub(crate) async fn reading(&self) -> Option<SemaphorePermit<'_>> {
        self.reading.acquire().await.ok()
    }

    /// Decodes the key frames that `frames` gives when it is their turn, each into a picture of the size of the
    /// first. What cannot be decoded is `None`.
    ///
    /// # Errors
    /// When there is no program for it, or it does not work.
    pub(crate) async fn decode(
        &self,
        program: &Program,
        wanted: Wanted,
        frames: impl FnOnce() -> Result<Vec<KeyFrame>, Failure> + Send,
    ) -> Result<Vec<Option<Picture>>, Failure> {
        let _turn = self.decoding.acquire().await;
        let frames = frames()?;
        let decoded = decode::all(program, &frames, wanted).await;
        // Others are not at fault where there is none.
        if let Ok(pictures) = &decoded
            && pictures.iter().any(Option::is_some)
        {
            self.lock().failure = None;
        } else if let Err(failure) = &decoded
            && failure.is_of_decoder()
        {
            self.lock().failure = Some(failure.detail.clone());
        }
        decoded
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is of a picture.
enum Found {
    Kept(Arc<Jpeg>),
    Made(watch::Receiver<Option<Outcome>>),
    New(watch::Sender<Option<Outcome>>, watch::Receiver<Option<Outcome>>),
}

/// A picture that is being made; dropping it gives its place back.
struct Job {
    pictures: Arc<Pictures>,
    of: Of,
    room: usize,
}

impl Job {
    fn done(&self, outcome: &Outcome) {
        let count = match outcome {
            Ok(_) => &self.pictures.made,
            Err(_) => &self.pictures.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if let Err(failure) = outcome
            && failure.is_of_decoder()
        {
            crate::telemetry::picture_failed(&self.of, &failure.detail);
        }
        self.pictures.lock().cache.put(self.of.clone(), outcome.clone(), self.room);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.pictures.lock().jobs.remove(&self.of);
    }
}

impl std::fmt::Display for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stream(key, ..) => write!(f, "{key}"),
            Self::Moment(id, at_ms, _) => write!(f, "{id} at {at_ms} ms"),
            Self::Sheet(id, ..) => write!(f, "{id}"),
        }
    }
}

#[cfg(test)]
mod tests;
