//! Emptying the server before a restart: nothing new begins, and clients that follow such a request
//! are asked to connect again, elsewhere if need be. What runs goes on until it ends.
//!
//! Who is asked stands in `sessions`; connections look here before they let something begin.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use jiff::Zoned;

use crate::sessions::{Reconnect, Sessions};

/// Whether the server is being emptied. Asking costs no lock.
#[derive(Debug, Default)]
pub(crate) struct Drain(ArcSwapOption<Draining>);

/// It is.
#[derive(Debug)]
pub(crate) struct Draining {
    pub(crate) since: Zoned,
    /// What clients are told.
    pub(crate) ask: Arc<Reconnect>,
    asked: AtomicUsize,
}

impl Drain {
    /// Begins, or goes on with another request: every client that can is asked (again).
    pub(crate) fn begin(&self, sessions: &Sessions, ask: Reconnect) -> Arc<Draining> {
        let (since, asked) = match self.now() {
            Some(before) => (before.since.clone(), before.asked()),
            None => (Zoned::now(), 0),
        };
        let (ask, asked) = (Arc::new(ask), AtomicUsize::new(asked));
        let draining = Arc::new(Draining { since, ask, asked });
        // First, so that whoever connects meanwhile finds it: nobody is missed, some may be asked twice.
        self.0.store(Some(draining.clone()));
        draining.count(sessions.ask_all(&draining.ask));
        draining
    }

    /// Takes it back. Those that were asked go all the same. Returns whether there was anything to take back.
    pub(crate) fn end(&self) -> bool {
        self.0.swap(None).is_some()
    }

    /// How it is going, if it is.
    pub(crate) fn now(&self) -> Option<Arc<Draining>> {
        self.0.load_full()
    }

    /// Why nothing new may begin, if so.
    pub(crate) fn refusal(&self) -> Option<String> {
        let draining = self.0.load();
        let more = draining.as_ref()?.ask.description.as_deref();
        Some(match more {
            Some(more) => format!("the server is being emptied: {more}"),
            None => "the server is being emptied before a restart".to_owned(),
        })
    }

    /// Where clients that come now are sent on to, if anywhere.
    pub(crate) fn elsewhere(&self) -> Option<Arc<Draining>> {
        self.now().filter(|draining| draining.ask.tc_url.is_some())
    }
}

impl Draining {
    /// How many clients were asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// So many more were.
    pub(crate) fn count(&self, asked: usize) {
        self.asked.fetch_add(asked, Ordering::Relaxed);
    }
}
