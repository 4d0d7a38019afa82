//! The HTTP port: takes it, accepts connections and bounds what they may take.
//!
//! `hyper` reads and writes; what it does not bound stands here: how many connections there are,
//! and how long one may stall.

mod stall;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::ListenAddress;
use crate::{platform, rtmp, telemetry};
use stall::Stall;

/// Connections at once: viewers, people, their tools and a scraper. Descriptors are RTMP's first.
const CONNECTIONS: usize = 10_000;
/// Where few files may be open, this part of them.
const FILES_PART: u64 = 8;
/// A head that takes longer, or a connection that asks nothing for so long, is given up.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Bytes of a head: the longest URI, and as much again for a browser's headers.
const HEAD_BYTES: usize = 2 * super::guard::URI_BYTES;
/// Lines of a head: browsers send about 20.
const HEADERS: usize = 64;
/// A client that takes nothing of its answer for so long is given up.
const STALL_TIME: Duration = Duration::from_secs(30);
/// Ports after the default one that are tried when it is taken.
const PORTS: u16 = 20;
/// Wait after the descriptors have run out.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(200);
/// At the server's end answers have this long to be taken.
const LINGER: Duration = Duration::from_secs(2);

/// Takes the port, or, if `moves_on`, the next one that is free.
///
/// # Errors
/// When none can be listened on.
pub(crate) fn bind(address: &ListenAddress, moves_on: bool) -> io::Result<Vec<TcpListener>> {
    let first = rtmp::bind(address);
    let last = address.port().saturating_add(if moves_on { PORTS } else { 0 });
    (address.port()..last).fold(first, |bound, port| match bound {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            rtmp::bind(&address.with_port(port + 1))
        }
        bound => bound,
    })
}

/// What one server may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    connections: usize,
    head_time: Duration,
    stall_time: Duration,
}

impl Limits {
    /// Viewers at once: the rest is for the API, and for connections that viewers have beside.
    pub(super) fn viewers(&self) -> usize {
        self.connections / 4 * 3
    }

    /// Those of a process that may have so many files open.
    pub(crate) fn new(files: Option<u64>) -> Self {
        let part = files.and_then(|files| usize::try_from(files / FILES_PART).ok());
        let connections = part.map_or(CONNECTIONS, |part| CONNECTIONS.min(part));
        Self { connections, head_time: HEAD_TIME, stall_time: STALL_TIME }
    }
}

/// Who asks; every request has it as an extension.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) addr: SocketAddr,
    /// Its place among the connections, for what goes on when HTTP is over: a WebSocket.
    pub(super) place: Arc<OwnedSemaphorePermit>,
}

/// Serves until `stop` is true, then gives answers that are on their way [`LINGER`] to be taken.
pub(crate) async fn serve(
    sockets: Vec<TcpListener>,
    router: Router,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut stopped = stop.clone();
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = rtmp::accept(&sockets) => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((socket, addr)) => match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let client = Client { addr, place: Arc::new(place) };
                    let serve = connection(socket, client, router.clone(), limits, stop.clone());
                    connections.spawn(serve);
                }
                Err(_) => telemetry::http_refused(addr, limits.connections),
            },
            Err(error) => {
                telemetry::accept_failed(&error);
                if platform::is_exhausted(&error) {
                    tokio::time::sleep(EXHAUSTED_WAIT).await;
                }
            }
        }
    }
    drop(sockets);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LINGER, all).await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection(
    socket: TcpStream,
    client: Client,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    // Without it small answers wait for the client's acknowledgement.
    let _ = socket.set_nodelay(true);
    let peer = client.addr;
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        router.call(request)
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_headers(HEADERS)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(Stall::new(socket, limits.stall_time)), service)
            .with_upgrades()
    );
    let began = Instant::now();
    let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
    let served = tokio::select! {
        served = connection.as_mut() => Some(served),
        _ = stopped => None,
    };
    let served = match served {
        Some(served) => served,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        telemetry::http_failed(peer, &error, began.elapsed());
    }
}

#[cfg(test)]
mod tests;
