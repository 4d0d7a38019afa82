//! One MP4 of a range of time: index first, with its length and ranges of bytes.
//!
//! Players ask for an MP4 in many requests, and all of them need its plan (`archive::range::Mp4`).
//! Plans are kept while there is room, and always while somebody is sent what they are of, so that
//! [`Limits::samples`] bounds all there are. A plan whose file grows serves those who ask for a
//! part of it; who asks for all of it gets what there is by now.

use std::sync::{Arc, Mutex, PoisonError};

use archive::range::{Error, Mp4, Mp4Bytes, Range, Segment, Source};
use archive::{Format, SystemDisk};
use axum::http::header::RANGE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{
    Answer, Described, Downloads, Limits, Refusal, START_TIME, Validators, body, name, respond,
    value,
};

/// The media type of MP4.
pub(crate) const MP4: &str = "video/mp4";
/// And where there is sound alone.
pub(crate) const M4A: &str = "audio/mp4";

/// Tells which tracks of the stream are not in the file.
const REFUSED: HeaderName = HeaderName::from_static("x-refused-tracks");

/// A file that is made of segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) segments: Vec<Segment>,
    pub(crate) range: Range,
}

/// A plan, and what it is of, unless that is no longer so.
type Known = (Option<Made>, Mp4);

/// The plans that there are.
#[derive(Debug)]
pub(super) struct Plans {
    /// The newest is the last.
    known: Mutex<Vec<Known>>,
    /// Places for those that are being made.
    making: Arc<Semaphore>,
    /// Most plans, and most samples of all of them.
    most: (usize, usize),
}

impl Plans {
    /// Plans that are made at once.
    const AT_ONCE: usize = 2;

    pub(super) fn new(limits: &Limits) -> Self {
        let making = Arc::new(Semaphore::new(Self::AT_ONCE));
        Self { known: Mutex::default(), making, most: (limits.plans, limits.samples) }
    }

    fn find(&self, made: &Made, takes_older: bool) -> Option<Mp4> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, mp4) = known.iter().rev().find(|(known, _)| known.as_ref() == Some(made))?;
        (takes_older || !mp4.info().is_growing).then(|| mp4.clone())
    }

    /// Keeps a plan; `false` when there is no room.
    fn keep(&self, made: Made, mp4: &Mp4) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (plans, most) = self.most;
        let has_room = |known: &[Known]| {
            let samples: usize = known.iter().map(|(_, mp4)| mp4.samples()).sum();
            samples + mp4.samples() <= most && known.len() < plans
        };
        while !has_room(&known) {
            let Some(at) = known.iter().position(|(_, mp4)| !mp4.is_shared()) else {
                return false;
            };
            known.remove(at);
        }
        known.push((Some(made), mp4.clone()));
        true
    }

    /// Its segments are no longer what they were.
    fn forget(&self, identity: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = known.iter_mut().filter(|(_, mp4)| mp4.identity() == identity);
        of_it.for_each(|(made, _)| *made = None);
    }

    fn make(&self, made: Made, _place: OwnedSemaphorePermit) -> Result<Mp4, Refusal> {
        let source = Source::new(Arc::new(SystemDisk), made.segments.clone());
        let mp4 = source.mp4(made.range)?;
        if self.keep(made, &mp4) { Ok(mp4) } else { Err(Refusal::Memory) }
    }
}

impl Downloads {
    /// Answers a request for one MP4 of a range of time, or for a range of its bytes.
    ///
    /// # Errors
    /// [`Refusal`], before anything was sent.
    pub(crate) async fn mp4(
        &self,
        made: Made,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let place = self.place()?;
        let takes_older = headers.contains_key(RANGE);
        let mp4 = match self.plans.find(&made, takes_older) {
            Some(mp4) => mp4,
            None => {
                let waited = self.limits.walk_time;
                let until = Instant::now() + waited;
                let making = self.plans.making.clone().acquire_owned();
                let making = tokio::time::timeout_at(until, making).await;
                let Ok(Ok(making)) = making else { return Err(Refusal::Timeout { waited }) };
                let plans = self.plans.clone();
                let make = move || match plans.find(&made, takes_older) {
                    Some(mp4) => Ok(mp4),
                    None => plans.make(made, making),
                };
                self.wait(&place, until - Instant::now(), make).await??
            }
        };
        let refused = self::refused(mp4.refused());
        let start = (START_TIME, value(&mp4.info().start_time));
        let what = Described {
            kind: MP4,
            name: &name::of_range(mp4.info(), Format::Mp4),
            validators: Validators::of_content(mp4.identity()),
            size_bytes: mp4.info().size_bytes,
            // What the tag stands for does not grow.
            is_growing: false,
            more: refused.into_iter().chain([start]).collect(),
        };
        match what.answer(method, headers) {
            Answer::Done(response) => Ok(response),
            Answer::Body { status, headers, start, end } => {
                let pieces = mp4.read(start..end);
                let sent = Sent { pieces, mp4, plans: self.plans.clone() };
                Ok(respond(status, headers, body::of(&self.limits, place, sent)))
            }
        }
    }
}

/// Tells what is not in an answer, and why.
pub(super) fn refused(tracks: &[String]) -> Option<(HeaderName, HeaderValue)> {
    let told = (!tracks.is_empty()).then(|| HeaderValue::from_str(&tracks.join("; ")));
    told.and_then(Result::ok).map(|told| (REFUSED, told))
}

/// What is sent of a file.
struct Sent {
    pieces: Mp4Bytes,
    mp4: Mp4,
    plans: Arc<Plans>,
}

impl Iterator for Sent {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.pieces.next();
        if matches!(piece, Some(Err(_))) {
            self.plans.forget(self.mp4.identity());
        }
        piece
    }
}
