//! One cursor that reads for many: players that stand at the same place need the same packets at the same moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Class, Cursor, Place};

impl Cursor {
    /// A reader that stands where this player does, and that is no player itself: it reads for those that
    /// [follow](Self::follow) it.
    #[must_use]
    pub fn lead(&self) -> Self {
        let timeline = self.timeline.clone();
        let mut state = timeline.lock();
        let place = if let Some(block) = self.block() {
            state.count_reader(block, Class::Play, true);
            self.place
        } else {
            Place::Out
        };
        drop(state);
        let (waker, waiting, recorder, seen_keys, control) = Default::default();
        Self {
            timeline,
            class: Class::Play,
            place,
            seen: self.seen,
            began: self.began,
            waker,
            waiting,
            recorder,
            seen_keys,
            is_lead: true,
            control,
        }
    }

    /// Has `lead` read for this player from now on, if both stand at the same place of the same run; whether they do.
    /// Until [`Cursor::unfollow`] nothing is kept for this cursor, and it reads nothing.
    pub fn follow(&mut self, lead: &Self) -> bool {
        let timeline = self.timeline.clone();
        let mut state = timeline.lock();
        self.settle(&mut state);
        let stands_there = Arc::ptr_eq(&timeline, &lead.timeline)
            && self.seen == lead.seen
            && lead.block().is_some()
            && self.class == Class::Play
            && self.control.stop.get().is_none();
        let Some(block) = self.block().filter(|_| stands_there) else { return false };
        state.count_reader(block, self.class, false);
        self.place = Place::Following;
        timeline.trim(state);
        true
    }

    /// Goes on alone, where `lead` stands. What `lead` was told to be lost is lost to this cursor too, and not told
    /// again.
    pub fn unfollow(&mut self, lead: &mut Self) {
        let timeline = self.timeline.clone();
        let mut state = timeline.lock();
        lead.settle(&mut state);
        if let Some(block) = lead.block() {
            state.count_reader(block, self.class, true);
        }
        // The waker of the lead wakes nobody for this one: its next read leaves another.
        (self.place, self.seen) = (lead.place, lead.seen);
        self.waiting.clone_from(&lead.waiting);
        if let Some(seen) = self.seen {
            self.control.seen_bytes.store(seen.bytes, Ordering::Relaxed);
        }
    }

    /// Whether it stands somewhere, and all that has come is behind it.
    pub fn is_at_end(&self) -> bool {
        self.block().is_some()
            && self.waiting.as_ref().is_some_and(|(changes, _)| *changes == self.timeline.changes())
    }
}
