//! Asking clients to connect again (E-RTMP v2 "Reconnect Request"). The connection sends it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Peer, Sessions};

/// What a client is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reconnect {
    /// Where to, absolute or relative to where it is connected; `None` for the same place.
    pub(crate) tc_url: Option<String>,
    /// Why, for people.
    pub(crate) description: Option<String>,
}

/// What one connection has to do with that.
#[derive(Debug, Default)]
pub(super) struct Asked {
    follows: AtomicBool,
    /// The newest request that its client has not been sent.
    next: Mutex<Option<Arc<Reconnect>>>,
}

impl Peer {
    /// Its client follows such requests.
    pub(crate) fn set_follows(&self, follows: bool) {
        self.reconnect.follows.store(follows, Ordering::Relaxed);
    }

    /// Whether it does, as far as it has said so.
    pub(crate) fn follows(&self) -> bool {
        self.reconnect.follows.load(Ordering::Relaxed)
    }

    /// Has its client asked. Returns whether it follows such requests; others are not asked.
    pub(crate) fn ask(&self, ask: &Arc<Reconnect>) -> bool {
        if !self.follows() {
            return false;
        }
        let mut next = self.reconnect.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = Some(ask.clone());
        drop(next);
        self.wake();
        true
    }

    /// What its client is to be asked.
    pub(crate) fn take_reconnect(&self) -> Option<Arc<Reconnect>> {
        self.reconnect.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Sessions {
    /// Has everybody asked who follows such requests. Returns how many those are.
    pub(crate) fn ask_all(&self, ask: &Arc<Reconnect>) -> usize {
        let peers: Vec<_> = self.lock().peers.values().cloned().collect();
        peers.iter().filter(|peer| peer.ask(ask)).count()
    }

    /// Publishers and players whose clients do not follow such requests.
    pub(crate) fn count_staying(&self) -> usize {
        let state = self.lock();
        let publishers = state.publishers.values().map(|publisher| &publisher.peer);
        let players = state.players.values().flat_map(|players| players.values());
        let all = publishers.chain(players.map(|player| &player.peer));
        all.filter(|peer| !peer.follows()).count()
    }
}
