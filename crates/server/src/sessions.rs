//! Who is connected, who publishes and who plays: for showing, for counting and for ending them.
//!
//! Connections enter themselves and what they publish and play; each entry is a guard, and goes
//! with what it stands for. There are as many as connections, streams and players may be, whose
//! bounds stand elsewhere. Counters are added to once a read or a batch, never for each packet,
//! and by one task at a time; they are summed when somebody asks.

mod codecs;
mod reconnect;
mod traffic;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{self, Poll};
use std::time::Instant;

use futures_util::task::AtomicWaker;
use jiff::Zoned;
use live::{Key, Lost};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::hub::{Event, Hub, Kind};
pub(crate) use codecs::Codecs;
pub(crate) use reconnect::Reconnect;
pub(crate) use traffic::{Amounts, Traffic};

/// All of them. The lock is held for memory work only.
#[derive(Debug)]
pub(crate) struct Sessions {
    hub: Arc<Hub>,
    next_id: AtomicU64,
    state: Mutex<State>,
    /// What connections that are gone have carried.
    gone: Traffic,
}

#[derive(Debug, Default)]
struct State {
    peers: HashMap<u64, Arc<Peer>>,
    /// Those of them that are no RTMP connections.
    viewers: usize,
    publishers: HashMap<Key, Arc<Publisher>>,
    players: HashMap<Key, BTreeMap<u64, Arc<Player>>>,
    /// Of all streams.
    player_count: usize,
}

/// How somebody plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// RTMP.
    Rtmp,
    /// FLV as the body of an HTTP answer.
    Flv,
    /// FLV in the messages of a WebSocket.
    WebSocket,
    /// Fragmented MP4 as the body of an HTTP answer.
    Mp4,
    /// HLS.
    Hls,
}

impl Via {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Rtmp, Self::Flv, Self::WebSocket, Self::Mp4, Self::Hls];

    /// The word of the API and of metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Flv => "flv",
            Self::WebSocket => "websocket",
            Self::Mp4 => "mp4",
            Self::Hls => "hls",
        }
    }
}

/// One connection, or one viewer over HTTP.
#[derive(Debug)]
pub(crate) struct Peer {
    id: u64,
    /// What it speaks.
    pub(crate) via: Via,
    /// Where it comes from.
    pub(crate) addr: SocketAddr,
    /// Since when.
    pub(crate) connected: Zoned,
    pub(crate) traffic: Traffic,
    client: OnceLock<String>,
    kicks: Mutex<Vec<Kick>>,
    reconnect: reconnect::Asked,
    kicked: AtomicBool,
    waker: AtomicWaker,
}

/// Something that a connection is to end, by its message stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kick {
    /// What it publishes.
    Publisher(u32),
    /// What it plays.
    Player(u32),
}

/// Who publishes a stream.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) id: u64,
    pub(crate) peer: Arc<Peer>,
    /// Since when.
    pub(crate) since: Zoned,
    pub(crate) began: Instant,
    stream: u32,
    codecs: Mutex<Codecs>,
    gone: CancellationToken,
}

/// Who plays a stream, or waits for it.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) id: u64,
    pub(crate) peer: Arc<Peer>,
    /// Since when.
    pub(crate) since: Zoned,
    stream: u32,
    lost_packets: AtomicU64,
    lost_bytes: AtomicU64,
    gone: CancellationToken,
}

impl Sessions {
    /// Nobody yet.
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        let (state, gone) = Default::default();
        Self { hub, next_id: AtomicU64::new(1), state, gone }
    }

    /// Enters an RTMP connection.
    pub(crate) fn connect(self: &Arc<Self>, addr: SocketAddr) -> Connected {
        self.enter(addr, Via::Rtmp)
    }

    /// Enters a viewer over HTTP, which plays one stream.
    pub(crate) fn view(self: &Arc<Self>, addr: SocketAddr, via: Via, client: &str) -> Connected {
        let connected = self.enter(addr, via);
        connected.peer.introduce(client);
        connected
    }

    fn enter(self: &Arc<Self>, addr: SocketAddr, via: Via) -> Connected {
        let (traffic, client, kicks, reconnect, kicked, waker) = Default::default();
        let (id, connected) = (self.id(), Zoned::now());
        let peer =
            Peer { id, via, addr, connected, traffic, client, kicks, reconnect, kicked, waker };
        let peer = Arc::new(peer);
        let mut state = self.lock();
        state.peers.insert(id, peer.clone());
        state.viewers += usize::from(via != Via::Rtmp);
        drop(state);
        Connected { sessions: self.clone(), peer }
    }

    /// Who publishes a stream.
    pub(crate) fn publisher(&self, key: &Key) -> Option<Arc<Publisher>> {
        self.lock().publishers.get(key).cloned()
    }

    /// Who plays a stream, in the order in which they came.
    pub(crate) fn players(&self, key: &Key) -> Vec<Arc<Player>> {
        let state = self.lock();
        state.players.get(key).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// One of them.
    pub(crate) fn player(&self, key: &Key, id: u64) -> Option<Arc<Player>> {
        self.lock().players.get(key)?.get(&id).cloned()
    }

    /// How many play a stream.
    pub(crate) fn count_players(&self, key: &Key) -> usize {
        self.lock().players.get(key).map_or(0, BTreeMap::len)
    }

    /// The streams that somebody publishes or waits for, in the order of their names.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let state = self.lock();
        let mut keys: Vec<_> =
            state.publishers.keys().chain(state.players.keys()).cloned().collect();
        drop(state);
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Connections, publishers and players.
    pub(crate) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            connections: state.peers.len() - state.viewers,
            publishers: state.publishers.len(),
            players: state.player_count,
        }
    }

    /// Bytes went to a viewer that has no connection of its own.
    pub(crate) fn count_sent(&self, bytes: usize) {
        self.gone.write_bytes(bytes);
    }

    /// How many play, by how they do.
    pub(crate) fn players_via(&self) -> [(Via, usize); Via::ALL.len()] {
        let mut counts = Via::ALL.map(|via| (via, 0));
        let state = self.lock();
        for player in state.players.values().flat_map(BTreeMap::values) {
            let count = counts.iter_mut().find(|(via, _)| *via == player.peer.via);
            count.into_iter().for_each(|(_, count)| *count += 1);
        }
        counts
    }

    /// What all connections since the start have carried.
    pub(crate) fn traffic(&self) -> Amounts {
        let state = self.lock();
        // Under the lock, so that a connection that goes is not counted twice or not at all.
        let gone = self.gone.read();
        state.peers.values().fold(gone, |sum, peer| sum + peer.traffic.read())
    }

    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Every change under this lock is whole before anything that could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) connections: usize,
    pub(crate) publishers: usize,
    pub(crate) players: usize,
}

impl Peer {
    /// What it calls itself, once it has said so.
    pub(crate) fn client(&self) -> &str {
        self.client.get().map_or("", String::as_str)
    }

    /// It has said what it calls itself; the first time counts.
    pub(crate) fn introduce(&self, client: &str) {
        let _ = self.client.set(client.to_owned());
    }

    /// Ready when the connection is to end something or to ask its client something: see [`Peer::take_kicks`]
    /// and [`Peer::take_reconnect`]. One task polls it.
    pub(crate) fn poll_kick(&self, cx: &mut task::Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        match self.kicked.swap(false, Ordering::AcqRel) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// What it is to end.
    pub(crate) fn take_kicks(&self) -> Vec<Kick> {
        std::mem::take(&mut *self.kicks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn kick(&self, kick: Kick) {
        let mut kicks = self.kicks.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as it has streams.
        if !kicks.contains(&kick) {
            kicks.push(kick);
        }
        drop(kicks);
        self.wake();
    }

    fn wake(&self) {
        self.kicked.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Publisher {
    /// What was seen of its tracks.
    pub(crate) fn codecs(&self) -> Codecs {
        self.codecs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has its connection end it. Completes when it has.
    pub(crate) async fn kick(&self) {
        self.peer.kick(Kick::Publisher(self.stream));
        self.gone.cancelled().await;
    }
}

impl Player {
    /// What it was too slow for.
    pub(crate) fn lost(&self) -> Lost {
        Lost {
            packets: self.lost_packets.load(Ordering::Relaxed),
            bytes: self.lost_bytes.load(Ordering::Relaxed),
        }
    }

    /// Has its connection end it. Completes when it has.
    pub(crate) async fn kick(&self) {
        self.peer.kick(Kick::Player(self.stream));
        self.gone.cancelled().await;
    }
}

/// A connection's entry.
#[derive(Debug)]
pub(crate) struct Connected {
    sessions: Arc<Sessions>,
    pub(crate) peer: Arc<Peer>,
}

impl Connected {
    /// Enters what it publishes, on a message stream.
    pub(crate) fn publish(&self, key: &Key, stream: u32) -> Publishing {
        let (sessions, peer) = (self.sessions.clone(), self.peer.clone());
        let (codecs, gone) = Default::default();
        let (id, since, began) = (sessions.id(), Zoned::now(), Instant::now());
        let publisher = Arc::new(Publisher { id, peer, since, began, stream, codecs, gone });
        sessions.lock().publishers.insert(key.clone(), publisher.clone());
        let event = Event::of(Kind::StreamPublished, key.as_str());
        sessions.hub.tell(event.with("publisher", session(id, &publisher.peer)));
        Publishing { sessions, key: key.clone(), publisher, reason: String::new() }
    }

    /// Enters what it plays, on a message stream.
    pub(crate) fn play(&self, key: &Key, stream: u32) -> Playing {
        let (sessions, peer) = (self.sessions.clone(), self.peer.clone());
        let (lost_packets, lost_bytes, gone) = Default::default();
        let (id, since) = (sessions.id(), Zoned::now());
        let player = Player { id, peer, since, stream, lost_packets, lost_bytes, gone };
        let player = Arc::new(player);
        let mut state = sessions.lock();
        state.players.entry(key.clone()).or_default().insert(id, player.clone());
        state.player_count += 1;
        drop(state);
        let event = Event::of(Kind::PlayerJoined, key.as_str());
        sessions.hub.tell(event.with("player", session(id, &player.peer)));
        Playing { sessions, key: key.clone(), player, reason: String::new() }
    }
}

fn session(id: u64, peer: &Peer) -> serde_json::Value {
    json!({
        "id": id,
        "peer": peer.addr.to_string(),
        "client": peer.client(),
        "via": peer.via.name(),
    })
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut state = self.sessions.lock();
        state.peers.remove(&self.peer.id);
        state.viewers -= usize::from(self.peer.via != Via::Rtmp);
        self.sessions.gone.add(self.peer.traffic.read());
    }
}

/// A publisher's entry.
#[derive(Debug)]
pub(crate) struct Publishing {
    sessions: Arc<Sessions>,
    key: Key,
    publisher: Arc<Publisher>,
    reason: String,
}

impl Publishing {
    /// So many packets came.
    pub(crate) fn receive(&self, packets: usize) {
        self.publisher.peer.traffic.receive(packets);
    }

    /// Its tracks are known, or have changed.
    pub(crate) fn set_codecs(&self, codecs: &Codecs) {
        let mut known = self.publisher.codecs.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone_from(codecs);
    }

    /// It is over.
    pub(crate) fn end(mut self, reason: String) {
        self.reason = reason;
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let mut state = self.sessions.lock();
        // The next publisher may have entered itself already.
        let is_own = |publisher: &Arc<Publisher>| publisher.id == self.publisher.id;
        if state.publishers.get(&self.key).is_some_and(is_own) {
            state.publishers.remove(&self.key);
        }
        drop(state);
        let event = Event::of(Kind::StreamUnpublished, self.key.as_str())
            .with("publisher", session(self.publisher.id, &self.publisher.peer));
        self.sessions.hub.tell(event.with("reason", std::mem::take(&mut self.reason)));
        self.publisher.gone.cancel();
    }
}

/// A player's entry.
#[derive(Debug)]
pub(crate) struct Playing {
    sessions: Arc<Sessions>,
    key: Key,
    player: Arc<Player>,
    reason: String,
}

impl Playing {
    /// It was too slow for all this so far.
    pub(crate) fn set_lost(&self, lost: Lost) {
        self.player.lost_packets.store(lost.packets, Ordering::Relaxed);
        self.player.lost_bytes.store(lost.bytes, Ordering::Relaxed);
    }

    /// It is over.
    pub(crate) fn end(mut self, reason: String) {
        self.reason = reason;
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        let mut state = self.sessions.lock();
        if let Some(players) = state.players.get_mut(&self.key) {
            players.remove(&self.player.id);
            if players.is_empty() {
                state.players.remove(&self.key);
            }
            state.player_count = state.player_count.saturating_sub(1);
        }
        drop(state);
        let event = Event::of(Kind::PlayerLeft, self.key.as_str())
            .with("player", session(self.player.id, &self.player.peer))
            .with("lost_packets", self.player.lost().packets);
        self.sessions.hub.tell(event.with("reason", std::mem::take(&mut self.reason)));
        self.player.gone.cancel();
    }
}

#[cfg(test)]
mod tests;
