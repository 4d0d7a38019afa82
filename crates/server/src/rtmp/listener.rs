//! Accepts connections and bounds how many there are.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Context, connection};
use crate::config::ListenAddress;
use crate::{platform, telemetry};

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1_024;
/// Wait after the descriptors have run out: long enough not to spin, short enough to go on soon.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(200);
/// A silent peer is asked whether it is still there after this time, then this often, so that a player whose
/// machine is gone does not stay for ever.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// Ports that are tried with port 0: one that is free on the first address may be taken on another.
const PORTS: usize = 16;

/// Takes the port on every address that `address` stands for.
///
/// # Errors
/// When any of them cannot be listened on.
pub(crate) fn bind(address: &ListenAddress) -> io::Result<Vec<TcpListener>> {
    let addrs = address.resolve()?;
    if addrs.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host name has no address"));
    }
    bind_all(&addrs, |addr| match (bind_one(addr), address.fallback()) {
        (Err(error), Some(v4)) if error.kind() != io::ErrorKind::AddrInUse => bind_one(v4),
        (bound, _) => bound,
    })
}

/// Takes one port on all addresses.
fn bind_all(
    addrs: &[SocketAddr],
    mut bind: impl FnMut(SocketAddr) -> io::Result<TcpListener>,
) -> io::Result<Vec<TcpListener>> {
    // Kept until there is one, so that another port is given out each time.
    let mut tried = Vec::new();
    loop {
        let mut listeners = Vec::new();
        let Err(error) = bind_each(addrs, &mut bind, &mut listeners) else { return Ok(listeners) };
        let is_given_out = addrs.iter().all(|addr| addr.port() == 0) && !listeners.is_empty();
        tried.push(listeners);
        if !is_given_out || error.kind() != io::ErrorKind::AddrInUse || tried.len() >= PORTS {
            return Err(error);
        }
    }
}

fn bind_each(
    addrs: &[SocketAddr],
    mut bind: impl FnMut(SocketAddr) -> io::Result<TcpListener>,
    listeners: &mut Vec<TcpListener>,
) -> io::Result<()> {
    for addr in addrs {
        let mut addr = *addr;
        // With port 0 all addresses get the port that the first one was given.
        if let Some(first) = listeners.first()
            && addr.port() == 0
        {
            addr.set_port(first.local_addr()?.port());
        }
        listeners.push(bind(addr)?);
    }
    Ok(())
}

fn bind_one(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.ip().is_unspecified() && addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // On Windows this option would let two servers share a port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The listening sockets and the connections accepted from them.
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    context: Arc<Context>,
    connections: JoinSet<()>,
    census: Arc<Census>,
}

impl Listener {
    pub(crate) fn new(sockets: Vec<TcpListener>, context: Arc<Context>) -> Self {
        let census = Arc::new(Census::new(context.config.max_handshakes));
        Self { sockets, context, connections: JoinSet::new(), census }
    }

    /// Accepts for ever. Cancel safe.
    pub(crate) async fn run(&mut self) {
        loop {
            let sockets = &self.sockets;
            let accepted = tokio::select! {
                Some(done) = self.connections.join_next() => {
                    reap(done);
                    continue;
                }
                accepted = accept(sockets) => accepted,
            };
            match accepted {
                Ok((socket, peer)) => self.admit(socket, peer),
                Err(error) => {
                    telemetry::accept_failed(&error);
                    if platform::is_exhausted(&error) {
                        tokio::time::sleep(EXHAUSTED_WAIT).await;
                    }
                }
            }
        }
    }

    fn admit(&mut self, socket: TcpStream, peer: SocketAddr) {
        let config = &self.context.config;
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let most = (config.max_connections, config.max_connections_per_address);
        let Some(admission) = self.census.admit(peer.ip(), most) else {
            let reason = "too many connections (-max-connections, -max-connections-per-address)";
            return telemetry::connection_refused(peer, reason);
        };
        if let Err(error) = set_options(&socket) {
            return telemetry::connection_refused(peer, &error.to_string());
        }
        let handshake = self.census.handshake(peer);
        let context = self.context.clone();
        self.connections.spawn(async move {
            let _admission = admission;
            connection::serve(socket, peer, context, handshake).await;
        });
    }

    /// Closes the listeners and waits for the connections to end; those that have not by `deadline` are cut off.
    /// Returns how many that were.
    pub(crate) async fn finish(mut self, deadline: Instant) -> usize {
        self.sockets.clear();
        let all = async {
            while let Some(done) = self.connections.join_next().await {
                reap(done);
            }
        };
        if tokio::time::timeout_at(deadline.into(), all).await.is_ok() {
            return 0;
        }
        let left = self.connections.len();
        self.connections.shutdown().await;
        left
    }
}

fn reap(done: Result<(), tokio::task::JoinError>) {
    if let Err(error) = done
        && error.is_panic()
    {
        telemetry::connection_panicked(&error);
    }
}

pub(crate) async fn accept(sockets: &[TcpListener]) -> io::Result<(TcpStream, SocketAddr)> {
    std::future::poll_fn(|cx| {
        let mut ready = sockets.iter().map(|socket| socket.poll_accept(cx));
        ready.find(std::task::Poll::is_ready).unwrap_or(std::task::Poll::Pending)
    })
    .await
}

fn set_options(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE.0).with_interval(KEEPALIVE.1);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

/// Who is connected.
struct Census {
    max_handshakes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    next_id: u64,
    /// Connections that have not finished their handshake, oldest first.
    handshakes: VecDeque<(u64, SocketAddr, Arc<Notify>)>,
}

impl Census {
    fn new(max_handshakes: usize) -> Self {
        Self { max_handshakes, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection in, unless there are too many, in all or from its address.
    fn admit(self: &Arc<Self>, ip: IpAddr, most: (usize, usize)) -> Option<Admission> {
        let mut state = self.lock();
        let from_here = state.by_address.get(&ip).copied().unwrap_or(0);
        if state.all >= most.0 || from_here >= most.1 {
            return None;
        }
        state.all += 1;
        state.by_address.insert(ip, from_here + 1);
        Some(Admission { census: self.clone(), ip })
    }

    /// Lists a connection that begins its handshake. When there are too many the oldest is cut off, so that peers
    /// which stay silent cannot keep others out.
    fn handshake(self: &Arc<Self>, peer: SocketAddr) -> Handshake {
        let cut = Arc::new(Notify::new());
        let mut state = self.lock();
        state.next_id += 1;
        let id = state.next_id;
        state.handshakes.push_back((id, peer, cut.clone()));
        let oldest = if state.handshakes.len() > self.max_handshakes {
            state.handshakes.pop_front()
        } else {
            None
        };
        drop(state);
        if let Some((_, peer, cut)) = oldest {
            cut.notify_one();
            telemetry::connection_refused(peer, "too many handshakes (-max-handshakes)");
        }
        Handshake { census: self.clone(), id, cut }
    }
}

/// A place among the connections; dropping it gives the place back.
struct Admission {
    census: Arc<Census>,
    ip: IpAddr,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut state = self.census.lock();
        state.all = state.all.saturating_sub(1);
        if let Some(count) = state.by_address.get_mut(&self.ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.by_address.remove(&self.ip);
            }
        }
    }
}

/// A place among the connections in their handshake; dropping it says that this one is done with it.
pub(crate) struct Handshake {
    census: Arc<Census>,
    id: u64,
    cut: Arc<Notify>,
}

impl Handshake {
    /// Completes when the connection is to make room for newer ones. Cancel safe.
    pub(crate) async fn cut(&self) {
        self.cut.notified().await;
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut state = self.census.lock();
        if let Ok(i) = state.handshakes.binary_search_by_key(&self.id, |(id, ..)| *id) {
            state.handshakes.remove(i);
        }
    }
}

#[cfg(test)]
mod tests;
