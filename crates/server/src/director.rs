//! Which streams are recorded, by whom: keeps what runs equal to what the recorders of the
//! configuration and the requests of people want.
//!
//! Told of each run of a stream, of each new configuration and of the time; starts, updates and
//! stops recordings of the [`Archive`]. Memory work only: nothing here waits for a disk. How a
//! recording is kept is `archive`, what a recorder wants is `config`.
//!
//! Invariant: a recorder begins at most one recording in a run of a stream, and another one only
//! when it was not wanted in between: one that a person stopped, or that reached its length, does
//! not begin again by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use archive::{Archive, Plan, RecordingId, StartRequest, Status};
use jiff::Zoned;
use live::{Class, Key, Start, Stream};
use tokio::sync::Notify;

use crate::config::{Recorder, Settings};

/// Recordings that wait for their streams at once: each is some hundred bytes, and somebody asked
/// for it.
pub(crate) const WAITING_MAX: usize = 1_000;
/// Longest time between two looks at the clock.
const LOOK: Duration = Duration::from_secs(10);
/// Request keys that are remembered with what was asked; older ones are known by the catalog.
const KEYS_MAX: usize = 10_000;

/// Decides what is recorded.
pub(crate) struct Director {
    archive: Arc<Archive>,
    state: Mutex<State>,
    /// There are other rules.
    changed: Notify,
}

struct State {
    rules: Vec<Rule>,
    /// The least that is kept of every stream, in ms.
    pre_roll_ms: i64,
    /// What is published now.
    runs: HashMap<Key, Run>,
    waiting: BTreeMap<RecordingId, Wanted>,
    /// Recordings that were asked for and have begun, by their streams: they go on when their
    /// publishers come back.
    asked: HashMap<Key, Vec<RecordingId>>,
    answered: Answered,
}

/// A recorder, and how it keeps what it records.
struct Rule {
    recorder: Recorder,
    plan: Arc<Plan>,
}

/// One run of a stream.
struct Run {
    stream: Stream,
    /// The rules for it, by their place.
    rules: Vec<usize>,
    /// The recorders that began a recording and are still wanted.
    begun: BTreeSet<String>,
    /// Those that could not begin one, which is tried again and was told.
    refused: BTreeSet<String>,
}

/// A recording that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) key: Key,
    pub(crate) plan: Arc<Plan>,
    pub(crate) name: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// How long before the request it is to begin, as far as the window reaches, in ms.
    pub(crate) pre_roll_ms: i64,
    /// The same request again has the same key.
    pub(crate) request_key: Option<String>,
}

/// Why a recording is not begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// [`WAITING_MAX`] wait.
    #[error("{WAITING_MAX} recordings wait for their streams, which is the limit")]
    TooManyWaiting,
    /// Something else was asked with this key.
    #[error("this request key belongs to another request, which made recording {0}")]
    KeyReused(RecordingId),
    /// The archive took it not.
    #[error("{0}")]
    Archive(#[from] archive::Error),
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) id: RecordingId,
    /// Whether it is a new recording and not that of the same request before.
    pub(crate) is_new: bool,
}

/// A run that the director knows of.
pub(crate) struct Published {
    director: Arc<Director>,
    stream: Stream,
}

impl Drop for Published {
    fn drop(&mut self) {
        self.director.unpublished(&self.stream);
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Published").field(self.stream.key()).finish()
    }
}

/// The newest requests that had a key.
#[derive(Default)]
struct Answered {
    by_key: HashMap<String, (Wanted, RecordingId)>,
    order: VecDeque<String>,
}

impl Director {
    pub(crate) fn new(archive: Arc<Archive>, settings: &Settings) -> Self {
        let (runs, waiting, asked, answered) = Default::default();
        let (rules, pre_roll_ms) = (rules(settings), pre_roll_ms(settings.config.pre_roll));
        let state = State { rules, pre_roll_ms, runs, waiting, asked, answered };
        Self { archive, state: Mutex::new(state), changed: Notify::new() }
    }

    /// A run begins: whoever wants it recorded gets it from its first packet on. It is over for the
    /// director when the returned value is dropped.
    pub(crate) fn published(self: &Arc<Self>, stream: Stream, now: &Zoned) -> Published {
        let published = Published { director: self.clone(), stream: stream.clone() };
        let mut state = self.lock();
        let key = stream.key().clone();
        let (rules, (begun, refused)) = (state.matching(&key), Default::default());
        let mut run = Run { rules, stream, begun, refused };
        run.stream.set_pre_roll(state.pre_roll_of(&run));
        let rules: Vec<_> = run.rules.iter().filter_map(|&at| state.rules.get(at)).collect();
        for rule in rules.into_iter().filter(|rule| rule.recorder.is_active(now)) {
            self.begin(&mut run, rule, Start::Oldest);
        }
        let mut asked = state.asked.remove(&key).unwrap_or_default();
        // One that has ended takes it not, and is forgotten.
        asked
            .retain(|id| self.archive.rejoin(*id, run.stream.cursor(Class::Record, Start::Oldest)));
        let waits: Vec<_> = state.waiting.extract_if(.., |_, wanted| wanted.key == key).collect();
        for (id, wanted) in waits {
            // The archive logs why not, if not; then it goes on waiting.
            match self.archive.start(wanted.clone().at(&run.stream, id, Start::Oldest)) {
                Ok(id) => asked.push(id),
                Err(_) => drop(state.waiting.insert(id, wanted)),
            }
        }
        if !asked.is_empty() {
            state.asked.insert(key.clone(), asked);
            self.tell_wanted(&state);
        }
        state.runs.insert(key, run);
        drop(state);
        published
    }

    fn unpublished(&self, stream: &Stream) {
        let mut state = self.lock();
        // The next run may have begun already.
        if state.runs.get(stream.key()).is_some_and(|run| run.stream.is_same_run(stream)) {
            state.runs.remove(stream.key());
        }
    }

    /// Takes a new configuration over: for what runs as well.
    pub(crate) fn configure(&self, settings: &Settings, now: &Zoned) {
        let mut state = self.lock();
        state.rules = rules(settings);
        state.pre_roll_ms = pre_roll_ms(settings.config.pre_roll);
        let keys: Vec<Key> = state.runs.keys().cloned().collect();
        for key in keys {
            let rules = state.matching(&key);
            if let Some(run) = state.runs.get_mut(&key) {
                run.rules = rules;
            }
        }
        for run in state.runs.values() {
            run.stream.set_pre_roll(state.pre_roll_of(run));
        }
        self.follow(&mut state, now, true);
        self.tell_wanted(&state);
        drop(state);
        self.changed.notify_one();
    }

    /// Does what the time says, for ever. Cancel safe.
    pub(crate) async fn run(&self) {
        loop {
            let now = Zoned::now();
            let next = self.look(&now);
            // Looked at again and again, for the clock on the wall may be set.
            let left = next.map_or(LOOK, |next| {
                Duration::try_from(next.duration_since(&now)).unwrap_or(Duration::ZERO)
            });
            let until = tokio::time::sleep(left.min(LOOK));
            tokio::select! {
                () = until => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Starts and stops what the time says. Returns when it next has something to say.
    pub(crate) fn look(&self, now: &Zoned) -> Option<Zoned> {
        let mut state = self.lock();
        self.follow(&mut state, now, false);
        state.rules.iter().filter_map(|rule| rule.recorder.next_change(now)).min()
    }

    /// Makes what runs equal to what is wanted.
    fn follow(&self, state: &mut State, now: &Zoned, is_new: bool) {
        let active: Vec<bool> =
            state.rules.iter().map(|rule| rule.recorder.is_active(now)).collect();
        let State { rules, runs, .. } = state;
        for run in runs.values_mut() {
            let wanted = run.rules.iter().filter(|&&place| active.get(place) == Some(&true));
            let wanted: Vec<&Rule> = wanted.filter_map(|&place| rules.get(place)).collect();
            let is_wanted = |name: &String| wanted.iter().any(|rule| rule.recorder.name == *name);
            run.begun.retain(is_wanted);
            run.refused.retain(is_wanted);
            for rule in wanted {
                let start = Start::Back { ms: pre_roll_ms(rule.recorder.pre_roll) };
                if !run.begun.contains(&rule.recorder.name) {
                    self.begin(run, rule, start);
                }
            }
        }
        self.begin_late(state);
        let State { rules, .. } = state;
        let running = self.archive.list();
        for status in &running {
            if status.plan.recorder == Recorder::API {
                continue;
            }
            let place = rules.iter().position(|rule| rule.recorder.name == status.plan.recorder);
            let is_wanted = |rule: &Rule| rule.recorder.matches(status.key.as_str());
            match place.and_then(|place| Some((rules.get(place)?, active.get(place)?))) {
                // One whose publisher is away is not in a run: its recorder is asked.
                Some((rule, true)) if is_wanted(rule) => {
                    if is_new && status.plan != rule.plan {
                        self.archive.update(status.id, rule.plan.clone());
                    }
                }
                _ => {
                    self.archive.stop(status.id);
                }
            }
        }
        self.forget(state, &running);
    }

    /// Begins what was asked for and could not begin with its stream.
    fn begin_late(&self, state: &mut State) {
        let before = state.waiting.len();
        let State { runs, waiting, asked, .. } = state;
        waiting.retain(|id, wanted| {
            let Some(run) = runs.get(&wanted.key) else { return true };
            let start = Start::Back { ms: wanted.pre_roll_ms };
            let request = wanted.clone().at(&run.stream, *id, start);
            let begun = self.archive.start(StartRequest { is_told: true, ..request });
            if let Ok(id) = begun {
                asked.entry(wanted.key.clone()).or_default().push(id);
            }
            begun.is_err()
        });
        if waiting.len() < before {
            self.tell_wanted(state);
        }
    }

    fn begin(&self, run: &mut Run, rule: &Rule, start: Start) {
        let name = &rule.recorder.name;
        let request = StartRequest {
            key: run.stream.key().clone(),
            cursor: run.stream.cursor(Class::Record, start),
            plan: rule.plan.clone(),
            id: None,
            labels: rule.recorder.labels.clone(),
            request_key: None,
            name: None,
            is_told: run.refused.contains(name),
        };
        // The archive logs why not, if not.
        match self.archive.start(request) {
            Ok(_) => {
                run.refused.remove(name);
                run.begun.insert(name.clone());
            }
            Err(_) => drop(run.refused.insert(name.clone())),
        }
    }

    /// Begins a recording that somebody asked for; it waits for its stream if that is not there.
    /// The same request again is answered with the same recording.
    ///
    /// # Errors
    /// [`RequestError`]; nothing was begun.
    pub(crate) fn request(&self, wanted: Wanted) -> Result<Answer, RequestError> {
        let mut state = self.lock();
        if let Some(key) = &wanted.request_key
            && let Some((known, id)) = state.answered.by_key.get(key)
        {
            let id = *id;
            return if *known == wanted {
                Ok(Answer { id, is_new: false })
            } else {
                Err(RequestError::KeyReused(id))
            };
        }
        let id = self.archive.new_id(&wanted.key);
        match state.runs.get(&wanted.key) {
            Some(run) => {
                let start = Start::Back { ms: wanted.pre_roll_ms };
                self.archive.start(wanted.clone().at(&run.stream, id, start))?;
                state.asked.entry(wanted.key.clone()).or_default().push(id);
            }
            None if state.waiting.len() >= WAITING_MAX => {
                return Err(RequestError::TooManyWaiting);
            }
            None => {
                state.waiting.insert(id, wanted.clone());
                self.tell_wanted(&state);
            }
        }
        state.answered.note(wanted, id);
        Ok(Answer { id, is_new: true })
    }

    /// Whether it is remembered what was asked for with this key.
    pub(crate) fn knows(&self, request_key: &str) -> bool {
        self.lock().answered.by_key.contains_key(request_key)
    }

    /// Forgets what has ended of what was asked for.
    fn forget(&self, state: &mut State, running: &[Status]) {
        state.asked.retain(|_, ids| {
            ids.retain(|id| running.iter().any(|status| status.id == *id));
            !ids.is_empty()
        });
    }

    /// Takes back a recording that waits for its stream.
    pub(crate) fn cancel(&self, id: RecordingId) -> Option<Wanted> {
        let mut state = self.lock();
        let wanted = state.waiting.remove(&id);
        self.tell_wanted(&state);
        wanted
    }

    /// The recordings that wait for their streams, oldest request first.
    pub(crate) fn waiting(&self) -> Vec<(RecordingId, Wanted)> {
        self.lock().waiting.iter().map(|(id, wanted)| (*id, wanted.clone())).collect()
    }

    /// One that waits for its stream.
    pub(crate) fn waits(&self, id: RecordingId) -> Option<Wanted> {
        self.lock().waiting.get(&id).cloned()
    }

    /// Tells the archive where recordings are to be made: by recorders, and of streams that are waited for.
    fn tell_wanted(&self, state: &State) {
        let rules = state.rules.iter().map(|rule| &rule.plan);
        let plans = rules.chain(state.waiting.values().map(|wanted| &wanted.plan));
        self.archive.set_wanted(plans.map(|plan| plan.dir.clone()).collect());
    }

    /// How the recorder of this name keeps what it records, and its labels.
    pub(crate) fn plan_of(&self, name: &str) -> Option<(Arc<Plan>, BTreeMap<String, String>)> {
        let state = self.lock();
        let rule = state.rules.iter().find(|rule| rule.recorder.name == name)?;
        Some((rule.plan.clone(), rule.recorder.labels.clone()))
    }

    /// Every change under the lock is whole before anything that could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn matching(&self, key: &Key) -> Vec<usize> {
        let matches =
            |(place, rule): (usize, &Rule)| rule.recorder.matches(key.as_str()).then_some(place);
        self.rules.iter().enumerate().filter_map(matches).collect()
    }

    /// What is to be kept of a run for recordings that begin later, in ms.
    fn pre_roll_of(&self, run: &Run) -> i64 {
        let rules = run.rules.iter().filter_map(|&place| self.rules.get(place));
        let most = rules.map(|rule| pre_roll_ms(rule.recorder.pre_roll)).max().unwrap_or(0);
        most.max(self.pre_roll_ms)
    }
}

impl Wanted {
    fn at(self, stream: &Stream, id: RecordingId, start: Start) -> StartRequest {
        let Self { key, plan, name, labels, pre_roll_ms: _, request_key } = self;
        let cursor = stream.cursor(Class::Record, start);
        let (id, is_told) = (Some(id), false);
        StartRequest { key, cursor, plan, id, labels, request_key, name, is_told }
    }
}

impl Answered {
    fn note(&mut self, wanted: Wanted, id: RecordingId) {
        let Some(key) = wanted.request_key.clone() else { return };
        if self.order.len() >= KEYS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.by_key.insert(key, (wanted, id));
    }
}

fn rules(settings: &Settings) -> Vec<Rule> {
    let rule = |recorder: &Recorder| Rule {
        plan: Arc::new(recorder.plan(&settings.config)),
        recorder: recorder.clone(),
    };
    settings.recorders.iter().filter(|recorder| recorder.enabled).map(rule).collect()
}

fn pre_roll_ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
