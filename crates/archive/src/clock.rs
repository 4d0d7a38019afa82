//! What time it is: for people (names, metadata) and for intervals.

use std::time::Instant;

use jiff::Zoned;

/// The two clocks of an archive. A trait because tests need a clock that obeys.
pub trait Clock: Send + Sync {
    /// The wall clock in the local time zone. It may step; nothing is paced by it.
    fn now(&self) -> Zoned;

    /// The clock that only goes forward.
    fn instant(&self) -> Instant;
}

/// The clocks of this machine; the time zone is the system's (`TZ` or its setting).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Zoned {
        Zoned::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

#[cfg(test)]
pub(crate) mod fixed;
