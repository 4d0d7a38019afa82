//! The file beside a segment that says that nobody may delete it: `NAME.flv.hold`.
//!
//! A held recording's segments have it from the moment that they are there; those that were whole
//! before it was held are the catalog's.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Recorder;
use crate::disk::{beside, write_new};
use crate::segment::Segment;
use crate::sidecar::HOLD;
use crate::{telemetry, words};

/// How soon it is tried again when it could not be written.
const AGAIN: Duration = Duration::from_secs(10);

/// What is known of the file beside the open segment.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// The segment beside which it is.
    marked: Option<PathBuf>,
    /// Not before this is it tried that could not be written.
    try_at: Option<Instant>,
    /// That it could not be written is told.
    is_told: bool,
}

impl Recorder {
    /// Holds the open segment, or lets it go, as was asked.
    pub(super) fn heed_hold(&mut self) {
        let Some(path) = self.segment.as_ref().map(Segment::path) else { return };
        let is_due = self.hold.try_at.is_none_or(|at| self.now >= at);
        if self.task.is_held() == self.hold.marked.is_some() || !is_due {
            return;
        }
        let path = path.to_owned();
        if self.task.is_held() { self.mark(&path) } else { self.unmark() }
    }

    /// The open segment has ended and is called `path`, or is gone.
    pub(super) fn end_hold(&mut self, path: Option<&Path>) {
        self.hold.try_at = None;
        match path {
            Some(path) if self.task.is_held() => {
                if self.hold.marked.as_deref() != Some(path) {
                    // The new name first, so that it is never without.
                    let old = self.hold.marked.take();
                    self.mark(path);
                    self.hold.marked = old;
                    self.unmark();
                }
            }
            _ => self.unmark(),
        }
        self.hold = Hold { is_told: self.hold.is_told, ..Hold::default() };
    }

    fn mark(&mut self, path: &Path) {
        let _call = self.task.calls.enter(self.shared.age());
        match write_new(&*self.shared.disk, &beside(path, HOLD), "") {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                self.hold.try_at = Some(self.now + AGAIN);
                if !std::mem::replace(&mut self.hold.is_told, true) {
                    telemetry::hold_failed(path, &words(&error));
                }
            }
            _ => self.hold = Hold { marked: Some(path.to_owned()), ..Hold::default() },
        }
    }

    /// Takes away what is beside the segment that is marked.
    fn unmark(&mut self) {
        let Some(path) = self.hold.marked.take() else { return };
        let _call = self.task.calls.enter(self.shared.age());
        // Where it cannot be removed it is one hold too many, which costs no recording.
        let _ = self.shared.disk.remove(&beside(&path, HOLD));
    }
}
