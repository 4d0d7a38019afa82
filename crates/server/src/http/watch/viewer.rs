//! A viewer's way out: the body of an answer or a WebSocket, with what ends it from outside.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{mpsc, watch};

use super::Place;
use super::socket::Socket;
use crate::sessions::Connected;
use crate::telemetry;

/// Batches that wait for a client. What else it is behind stays in the stream's window, where it is bounded.
const AHEAD: usize = 1;

/// A viewer, in its task.
pub(super) struct Viewer {
    pub(super) connected: Connected,
    pub(super) out: Out,
    /// How long it may take nothing.
    pub(super) timeout: Duration,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) _place: Place,
}

/// Where its bytes go.
pub(super) enum Out {
    Body(mpsc::Sender<Vec<Bytes>>),
    Socket(Box<Socket>),
}

/// Why it is over.
#[derive(Debug)]
pub(super) enum End {
    /// The stream is.
    Over,
    /// The client hung up.
    Left,
    /// It took nothing, or not enough, for too long.
    Stalled,
    /// Somebody ended it through the API.
    Kicked,
    /// The server stops.
    Stopping,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => "the stream is over",
            Self::Left => "connection closed by peer",
            Self::Stalled => "player too slow for -play-timeout",
            Self::Kicked => "kicked",
            Self::Stopping => "server stopping",
        })
    }
}

/// A body, and where what is to be in it goes. It ends when that is dropped.
pub(super) fn body() -> (Out, Body) {
    let (sender, batches) = mpsc::channel(AHEAD);
    let batches = stream::unfold(batches, |mut batches: mpsc::Receiver<Vec<Bytes>>| async {
        let batch = batches.recv().await?;
        Some((stream::iter(batch.into_iter().map(io::Result::Ok)), batches))
    });
    (Out::Body(sender), Body::from_stream(batches.flatten()))
}

impl Viewer {
    pub(super) fn peer(&self) -> SocketAddr {
        self.connected.peer.addr
    }

    /// Hands over the next bytes, and waits until the client has room for them.
    pub(super) async fn send(&mut self, batch: Vec<Bytes>) -> Result<(), End> {
        let bytes = batch.iter().map(Bytes::len).sum();
        let peer = &self.connected.peer;
        let sent = async {
            match &mut self.out {
                Out::Body(body) => body.send(batch).await.is_ok(),
                Out::Socket(socket) => socket.send(&batch).await.is_ok(),
            }
        };
        tokio::select! {
            sent = tokio::time::timeout(self.timeout, sent) => match sent {
                Ok(true) => {}
                Ok(false) => return Err(End::Left),
                Err(_) => return Err(End::Stalled),
            },
            () = std::future::poll_fn(|cx| peer.poll_kick(cx)) => return Err(End::Kicked),
        }
        peer.traffic.write_bytes(bytes);
        Ok(())
    }

    /// Waits for `work`, unless the viewer ends before. At the server's stop it goes on if it `drains`: its stream
    /// ends by itself.
    pub(super) async fn wait<T>(
        &mut self,
        drains: bool,
        work: impl Future<Output = T>,
    ) -> Result<T, End> {
        let peer = &self.connected.peer;
        let left = async {
            match &mut self.out {
                Out::Body(body) => body.closed().await,
                Out::Socket(socket) => socket.closed().await,
            }
        };
        tokio::select! {
            done = work => Ok(done),
            () = left => Err(End::Left),
            () = std::future::poll_fn(|cx| peer.poll_kick(cx)) => Err(End::Kicked),
            _ = self.stopping.wait_for(|stop| *stop), if !drains => Err(End::Stopping),
        }
    }

    /// Tells the client that it is over.
    pub(super) async fn close(self, end: &End) {
        if let Out::Socket(socket) = self.out {
            socket.close(end).await;
        }
    }

    /// Writes down that it was ended by somebody.
    pub(super) fn note(&self, key: &live::Key, end: &End) {
        if matches!(end, End::Kicked) {
            telemetry::player_kicked(key, self.peer());
        }
    }
}
