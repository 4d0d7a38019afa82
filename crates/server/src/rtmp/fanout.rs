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

/// Groups of one stream: with [`group::MEMBERS`] each more players than a stream may have, unless their feeds differ.
const GROUPS: usize = 256;

/// The groups of all streams.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    groups: Mutex<HashMap<Key, Vec<Arc<Group>>>>,
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
        let groups = self.lock().get(key).cloned().unwrap_or_default();
        for group in &groups {
            match group.admit(member) {
                Ok((id, back)) => return Ok(Membership { group: group.clone(), id, back }),
                Err(refused) => member = refused,
            }
        }
        if groups.len() >= GROUPS {
            return Err(member);
        }
        let group = Arc::new(Group::around(&member));
        let (id, back) = group.admit(member)?;
        self.lock().entry(key.clone()).or_default().push(group.clone());
        let (fanout, key, own) = (self.clone(), key.clone(), group.clone());
        tokio::spawn(async move {
            std::future::poll_fn(|cx| own.poll(cx)).await;
            fanout.remove(&key, &own);
        });
        Ok(Membership { group, id, back })
    }

    fn remove(&self, key: &Key, group: &Arc<Group>) {
        let mut groups = self.lock();
        if let Some(of_stream) = groups.get_mut(key) {
            of_stream.retain(|other| !Arc::ptr_eq(other, group));
            if of_stream.is_empty() {
                groups.remove(key);
            }
        }
    }

    /// Held for memory work only.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Vec<Arc<Group>>>> {
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
