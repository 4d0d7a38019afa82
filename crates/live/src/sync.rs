//! The locks of this crate: those of the standard library. When its concurrency is checked
//! (`cargo xtask loom`) they are loom's, which tries every order of what several threads do, with at most two forced changes.
//!
//! `Arc` stays that of the standard library: what is counted is not what is checked.

#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};

#[cfg(all(test, loom))]
pub(crate) use checked::{Condvar, OnceLock};
#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
#[cfg(all(test, loom))]
pub(crate) use loom::sync::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
mod checked {
    use std::sync::LockResult;
    use std::time::Duration;

    use super::{AtomicUsize, MutexGuard, Ordering};

    /// The standard library's, with places around each use where loom may change threads.
    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        value: std::sync::OnceLock<T>,
        uses: AtomicUsize,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn get(&self) -> Option<&T> {
            self.uses.load(Ordering::SeqCst);
            let value = self.value.get();
            self.uses.load(Ordering::SeqCst);
            value
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.uses.fetch_add(1, Ordering::SeqCst);
            self.value.set(value)
        }
    }

    impl<T> Default for OnceLock<T> {
        fn default() -> Self {
            Self { value: std::sync::OnceLock::new(), uses: AtomicUsize::new(0) }
        }
    }

    /// loom's, with what it lacks. Time never passes: a thread that nobody wakes is a deadlock,
    /// and loom says so.
    #[derive(Debug)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(loom::sync::Condvar::new())
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        pub(crate) fn wait_timeout_while<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            _timeout: Duration,
            mut waits: impl FnMut(&mut T) -> bool,
        ) -> LockResult<(MutexGuard<'a, T>, bool)> {
            while waits(&mut guard) {
                guard = self.0.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            Ok((guard, false))
        }
    }
}

#[cfg(test)]
#[cfg(loom)]
mod tests;
