//! What streams carry at present: looked at every few seconds, so that no packet pays for it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use live::{Key, Registry, Stats, Stream};

use crate::rtmp::{Rates, rates};

/// Between two looks at all streams. Rates are over one to two of these.
pub(crate) const LOOK: Duration = Duration::from_millis(2_500);

/// What was seen of the streams that are live. As many as there may be streams.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<Key, Samples>>);

#[derive(Debug, Clone)]
struct Samples {
    /// Its number would not do: a name that nobody uses in between begins anew.
    run: Stream,
    before: (Instant, Stats),
    last: (Instant, Stats),
}

impl Seen {
    /// Takes a look at all streams, and forgets those that are gone.
    pub(crate) fn look(&self, registry: &Registry, now: Instant) {
        let streams = registry.live();
        // Each has a lock of its own, so they are looked at outside of this one.
        let looks: Vec<_> = streams.into_iter().map(|run| (run.stats(), run)).collect();
        let mut seen = self.lock();
        let mut next = HashMap::with_capacity(looks.len());
        for (stats, run) in looks {
            let last = seen.get(run.key()).filter(|samples| samples.run.is_same_run(&run));
            let before = last.map_or((now, stats), |samples| samples.last);
            next.insert(run.key().clone(), Samples { run, before, last: (now, stats) });
        }
        *seen = next;
    }

    /// What a stream carries, of which `stats` were taken `now`; it `began` then.
    pub(crate) fn rates(
        &self,
        stream: &Stream,
        stats: &Stats,
        began: Instant,
        now: Instant,
    ) -> Rates {
        let seen = self.lock();
        let known = seen.get(stream.key()).filter(|samples| samples.run.is_same_run(stream));
        // Before it was seen twice, from its beginning on.
        let (since, before) = match known {
            Some(samples) if samples.before.0 < samples.last.0 => samples.before,
            _ => (began, Stats::default()),
        };
        drop(seen);
        rates(&before, stats, now.saturating_duration_since(since))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Samples>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
