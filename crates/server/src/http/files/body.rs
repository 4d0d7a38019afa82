//! A body whose pieces are read ahead in threads that may wait.

use std::fmt::Display;
use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Limits, Place};

/// Sends what `pieces` gives, each asked for in a thread that may wait, a few ahead of the client.
pub(super) fn of<P, E>(limits: &Limits, place: Place, pieces: P) -> Body
where
    P: Iterator<Item = Result<Bytes, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let (sender, pieces_ahead) = mpsc::channel(limits.ahead.max(1));
    let pump = Pump(tokio::spawn(pump(limits.clone(), place, pieces, sender)));
    Body::from_stream(stream::unfold((pieces_ahead, pump), |(mut pieces_ahead, pump)| async {
        let piece = pieces_ahead.recv().await?;
        Some((piece, (pieces_ahead, pump)))
    }))
}

/// The task that reads ahead; it ends with the body.
struct Pump(JoinHandle<()>);

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn pump<P, E>(
    limits: Limits,
    place: Place,
    mut pieces: P,
    sender: mpsc::Sender<io::Result<Bytes>>,
) where
    P: Iterator<Item = Result<Bytes, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    loop {
        // Here waits a client that is slow, without a thread.
        let Ok(Ok(room)) = tokio::time::timeout(limits.stall_time, sender.reserve()).await else {
            return;
        };
        let kept = place.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _place = kept;
            let piece = pieces.next();
            (piece, pieces)
        });
        let failed = |reason: String| Err(io::Error::other(reason));
        match tokio::time::timeout(limits.read_time, work).await {
            Ok(Ok((Some(Ok(piece)), rest))) => {
                pieces = rest;
                room.send(Ok(piece));
            }
            Ok(Ok((None, _))) => return,
            Ok(Ok((Some(Err(error)), _))) => return room.send(failed(error.to_string())),
            Ok(Err(error)) => return room.send(failed(error.to_string())),
            Err(_) => return room.send(failed("the disk does not answer".to_owned())),
        }
    }
}
