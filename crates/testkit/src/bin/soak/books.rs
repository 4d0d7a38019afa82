//! What was sent, and what has been found of it: a publish is a run, its number is in each frame.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::Place;

/// Problems that are kept in words; further ones are counted.
const PROBLEMS_MAX: usize = 100;

/// How often what happened, by what it is called.
pub(crate) type Counts = BTreeMap<&'static str, u64>;

/// What is known of all that happens, for all threads.
#[derive(Debug, Default)]
pub(crate) struct Books(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_run: u32,
    runs: BTreeMap<u32, Run>,
    counts: Counts,
    problems: Vec<String>,
}

/// A publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// `None` for one that is there from beginning to end.
    pub(crate) place: Option<Place>,
    /// Frames that were handed to the system.
    pub(crate) frames: u64,
    pub(crate) state: RunState,
    /// Somebody has thrown out who published this, or who did so before: it need not notice in
    /// time that it sends in vain.
    is_thrown_out: bool,
}

impl Run {
    /// Whether the server has got all of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.state == RunState::Whole && !self.is_thrown_out
    }
}

/// How far a publish is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunState {
    /// It goes on.
    Running,
    /// The server may not have got the end of it.
    Torn,
    /// The server has said that it has got all of it.
    Whole,
}

impl Books {
    /// A new publish; its number.
    pub(crate) fn begin(&self, place: Option<Place>) -> u32 {
        let mut state = self.lock();
        state.last_run += 1;
        let number = state.last_run;
        let run = Run { place, frames: 0, state: RunState::Running, is_thrown_out: false };
        state.runs.insert(number, run);
        number
    }

    /// A publish that came to nothing.
    pub(crate) fn forget(&self, run: u32) {
        self.lock().runs.remove(&run);
    }

    /// The end of a publish.
    pub(crate) fn end(&self, run: u32, frames: u64, state: RunState) {
        if let Some(run) = self.lock().runs.get_mut(&run) {
            (run.frames, run.state) = (frames, state);
        }
    }

    /// Whoever publishes a stream is being thrown out.
    pub(crate) fn throw_out(&self, key: &str) {
        for run in self.lock().runs.values_mut() {
            run.is_thrown_out |= run.place.is_some_and(|place| place.key() == key);
        }
    }

    /// A publish of which a recording was found; it is not asked for again.
    pub(crate) fn take(&self, run: u32) -> Option<Run> {
        self.lock().runs.remove(&run)
    }

    /// What was published and never found.
    pub(crate) fn left(&self) -> Vec<(u32, Run)> {
        self.lock().runs.iter().map(|(number, run)| (*number, *run)).collect()
    }

    /// Counts something.
    pub(crate) fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts so many.
    pub(crate) fn add(&self, what: &'static str, more: u64) {
        *self.lock().counts.entry(what).or_default() += more;
    }

    /// Notes the most of something.
    pub(crate) fn most(&self, what: &'static str, value: u64) {
        let mut state = self.lock();
        let most = state.counts.entry(what).or_default();
        *most = value.max(*most);
    }

    /// Notes what must not be.
    pub(crate) fn problem(&self, text: String) {
        let mut state = self.lock();
        *state.counts.entry("problems").or_default() += 1;
        if state.problems.len() < PROBLEMS_MAX {
            state.problems.push(text);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        self.lock().problems.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
