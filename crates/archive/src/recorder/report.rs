//! What a recording tells of itself: to the catalog, to who reads notices, to who asks how far it is, and to the log.

use super::{Recorder, State, Task, rfc3339};
use crate::events::{Completed, Event, Started};
use crate::{Counters, Gap, GapReason, Notice, Reason, telemetry};

impl Recorder {
    /// Says that the recording has its thread: before all else that is told of it.
    pub(super) fn tell_started(&self) {
        let Task { id, key, name, labels, request_key, .. } = &*self.task;
        let recorder = &self.plan.recorder;
        self.shared.events.send(Event::Started(Started {
            id: *id,
            key: key.clone(),
            recorder: recorder.clone(),
            name: name.clone(),
            labels: labels.clone(),
            request_key: request_key.clone(),
            is_clip: false,
            tracks: self.plan.tracks,
            start_time: rfc3339(&self.started),
        }));
        let notice = || Notice::Started { id: *id, key: key.clone(), recorder: recorder.clone() };
        self.shared.observer.tell(notice);
    }

    pub(super) fn tell_completed(&self) {
        let telemetry::Summary { segments, duration_ms: length_ms, reason } = self.summary();
        let (id, ledger) = (self.task.id, self.books.complete());
        let end_time = rfc3339(&self.ended);
        let completed = Completed { id, reason, segments, length_ms, ledger, end_time };
        self.task.tell_completed(&self.shared, completed);
    }

    pub(super) fn tell_trouble(&self, error: String) {
        let (id, key) = (self.task.id, self.task.key.clone());
        self.task.set_error(Some(error.clone()));
        self.shared.observer.tell(|| Notice::Trouble { id, key, error });
    }

    pub(super) fn tell_resumed(&self, gap: Option<Gap>) {
        let (id, key) = (self.task.id, self.task.key.clone());
        self.task.set_error(None);
        self.shared.observer.tell(|| Notice::Resumed { id, key, gap });
    }

    /// What the closing lines tell.
    pub(super) fn summary(&self) -> telemetry::Summary {
        let ended = if self.trouble.is_some() { Reason::Failed } else { Reason::Ended };
        telemetry::Summary {
            segments: self.books.segments(),
            duration_ms: self.books.duration_ms(),
            reason: self.task.stopped.get().copied().unwrap_or(ended),
        }
    }

    /// Shows others how far the recording is.
    pub(super) fn publish(&mut self) {
        self.count();
        let (segments, length_ms) = (self.books.segments(), self.books.duration_ms());
        self.task.set_books(self.books.recording(), segments, length_ms);
    }

    /// Counts what the books have noted since the last time.
    pub(super) fn count(&mut self) {
        let news = self.books.take_news();
        self.add(&news);
    }

    pub(super) fn add(&self, more: &Counters) {
        self.task.meter.add(more);
        self.shared.total.add(more);
    }

    pub(super) fn show_trouble(&self) {
        self.task.set_state(match self.trouble {
            Some(GapReason::Space) => State::Paused,
            Some(_) => State::Trouble,
            None => State::Waiting,
        });
    }
}
