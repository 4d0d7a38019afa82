//! A clock that stands until a test moves it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Zoned;

use super::Clock;

pub(crate) struct FixedClock {
    start: Zoned,
    origin: Instant,
    passed: Mutex<Duration>,
}

impl FixedClock {
    /// `start` in RFC 9557, as `2025-10-11T14:30:52+02:00[Europe/Berlin]`.
    pub(crate) fn new(start: &str) -> Self {
        Self { start: start.parse().unwrap(), origin: Instant::now(), passed: Mutex::default() }
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.passed.lock().unwrap() += by;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Zoned {
        &self.start + *self.passed.lock().unwrap()
    }

    fn instant(&self) -> Instant {
        self.origin + *self.passed.lock().unwrap()
    }
}
