//! Players of a stream that stand at the same place, written to by one task.
//!
//! A player's own task takes longer to wake than its frame takes to write. So players that have everything, want
//! everything and get the same bytes for it join a *group*: one cursor reads, one feed writes the chunks, and one loop
//! of system calls hands them to all sockets. Whatever is not the ordinary way — input from the client, a socket that
//! takes less than all, a loss, the end of the run, an operator's wish — is done by the player's own task, which
//! leaves the group first and joins again when it stands where the group does.
//!
//! A group has a bound, and so has the number of groups of a stream; who finds no place goes on alone.

mod group;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use live::Key;
use tokio::sync::oneshot;

use group::Group;
pub(super) use group::{Back, Member, Standing};

/// Groups of players that get the same bytes: with [`group::MEMBERS`] each more than a stream has by default. Who comes
/// beyond that goes on alone. Tests do not have so many sockets.
const GROUPS: usize = if cfg!(test) { 2 } else { 256 };

/// The groups of all streams.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    groups: Mutex<HashMap<Terms, Vec<Arc<Group>>>>,
}

/// Who can ever be in a group together: by stream, message stream and what is done to times.
type Terms = (Key, u32, (i64, Option<i64>));

/// A group's task. Whether it comes to its end or fails, nobody stays in the group or joins it.
struct Task {
    fanout: Arc<Fanout>,
    terms: Terms,
    group: Arc<Group>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.group.end();
        let mut groups = self.fanout.lock();
        if let Some(of_terms) = groups.get_mut(&self.terms) {
            of_terms.retain(|other| !Arc::ptr_eq(other, &self.group));
            if of_terms.is_empty() {
                groups.remove(&self.terms);
            }
        }
    }
}

/// A place in a group. Dropping it leaves the group.
#[derive(Debug)]
pub(super) struct Membership {
    group: Arc<Group>,
    id: u64,
    back: oneshot::Receiver<Back>,
}

impl Fanout {
    /// Joins a group of players of `key` that stand where this one does, or begins one.
    ///
    /// # Errors
    /// The member, when there is no place for it.
    pub(super) fn join(
        self: &Arc<Self>,
        key: &Key,
        mut member: Member,
    ) -> Result<Membership, Member> {
        let Standing { clock, feed, .. } = &*member.standing;
        let terms = (key.clone(), feed.stream(), clock.terms());
        let groups = self.lock().get(&terms).cloned().unwrap_or_default();
        let mut is_elsewhere = false;
        for group in &groups {
            match group.admit(member) {
                Ok((id, back)) => return Ok(Membership { group: group.clone(), id, back }),
                Err(refused) => {
                    is_elsewhere |= refused.is_elsewhere;
                    member = refused.member;
                }
            }
        }
        // Where there is room it waits until it stands there, alone for a packet or so, as it does when others have just
        // begun a group.
        if is_elsewhere || groups.len() >= GROUPS {
            return Err(member);
        }
        let group = Arc::new(Group::around(&member));
        let mut known = self.lock();
        let of_terms = known.entry(terms.clone()).or_default();
        if of_terms.len() > groups.len() {
            return Err(member);
        }
        of_terms.push(group.clone());
        drop(known);
        let task = Task { fanout: self.clone(), terms, group: group.clone() };
        let admitted = group.admit(member);
        tokio::spawn(async move { std::future::poll_fn(|cx| task.group.poll(cx)).await });
        let (id, back) = admitted.map_err(|refused| refused.member)?;
        Ok(Membership { group, id, back })
    }

    /// Held for memory work only.
    fn lock(&self) -> MutexGuard<'_, HashMap<Terms, Vec<Arc<Group>>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// What comes back when the group lets go of the member; `None` if that is lost. Then this is to be dropped.
    pub(super) fn poll_back(&mut self, cx: &mut Context<'_>) -> Poll<Option<Back>> {
        Pin::new(&mut self.back).poll(cx).map(Result::ok)
    }

    /// Leaves the group; `None` if what should come back is lost.
    pub(super) fn leave(mut self) -> Option<Back> {
        self.group.release(self.id).or_else(|| self.back.try_recv().ok())
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.release(self.id);
    }
}

#[cfg(test)]
mod tests;
