//! How long to wait for a disk that is in trouble.

use std::time::{Duration, Instant};

/// Waits that double while the disk does not hold.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
    /// When the disk began to work again.
    healed: Option<Instant>,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first, healed: None }
    }

    /// Another failure: how long to wait before the next try. A disk that worked for as long as the
    /// longest wait begins anew.
    pub(super) fn fail(&mut self, now: Instant) -> Duration {
        let worked = self.healed.take().map(|healed| now.saturating_duration_since(healed));
        if worked.is_some_and(|worked| worked >= self.most) {
            self.next = self.first;
        }
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.most);
        wait
    }

    /// It is another disk from now on.
    pub(super) fn forget(&mut self) {
        (self.next, self.healed) = (self.first, None);
    }

    pub(super) fn heal(&mut self, now: Instant) {
        self.healed = Some(now);
    }
}

#[cfg(test)]
mod tests;
