//! Tasks that wait for the same thing.

use std::task::Waker;

/// Wakers of the tasks that wait, each at most once, woken all together.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    list: Vec<Waker>,
    /// Grows each time that the list is taken; says whether a task's place in it still stands.
    round: u64,
}

/// Where a task's waker stood the last time it was left.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<(u64, usize)>);

impl Wakers {
    /// Leaves a waker, in the place of the one that the same task left before.
    pub(crate) fn register(&mut self, place: &mut Place, waker: &Waker) {
        if let Some((round, index)) = place.0
            && round == self.round
            && let Some(known) = self.list.get_mut(index)
        {
            known.clone_from(waker);
            return;
        }
        place.0 = Some((self.round, self.list.len()));
        self.list.push(waker.clone());
    }

    /// Swaps the wakers with the empty list `into`, so that neither list allocates again. Wake them after the lock.
    pub(crate) fn take(&mut self, into: &mut Vec<Waker>) {
        if !self.list.is_empty() {
            std::mem::swap(&mut self.list, into);
            self.round += 1;
        }
    }
}
