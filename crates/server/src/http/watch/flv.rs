//! FLV as it comes: the packets of a cursor, each as a tag, without a copy of its payload.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use live::Read;
use media::flv::live::{Muxer, WAIT_MS};
use media::{Chunks, Gate};

use super::socket::{Answer, Socket};
use super::viewer::{self, End, Out, Viewer};
use super::{Api, Seat};
use crate::rtmp::play::Play;
use crate::telemetry;

/// A view as the body of an answer.
pub(super) fn as_body(api: &Arc<Api>, seat: Seat) -> Body {
    let (out, body) = viewer::body();
    let (view, viewer) = View::new(api, seat, out);
    api.views.tasks.spawn(view.run(viewer));
    body
}

/// A view in the messages of a WebSocket, once that is open.
pub(super) fn over_socket(api: &Arc<Api>, seat: Seat, answer: Answer) -> Response {
    let (answer, upgrade) = answer.split();
    let opened = api.clone();
    api.views.tasks.spawn(async move {
        // The client may be gone by now, which is no matter.
        if let Ok(upgraded) = upgrade.await {
            let out = Out::Socket(Box::new(Socket::new(upgraded)));
            let (view, viewer) = View::new(&opened, seat, out);
            view.run(viewer).await;
        }
    });
    answer
}

/// What is sent of a stream.
struct View {
    play: Play,
    muxer: Muxer,
    gate: Gate,
}

impl View {
    fn new(api: &Api, seat: Seat, out: Out) -> (Self, Viewer) {
        let Seat { stream, reads: (watcher, cursor), connected, place } = seat;
        let stats = stream.stats();
        let spans = [stats.audio.dts_ms, stats.video.dts_ms].into_iter().flatten();
        let is_settled = spans.into_iter().any(|(first, newest)| newest - first >= WAIT_MS);
        let muxer = Muxer::new(stats.audio.packets > 0, stats.video.packets > 0, is_settled);
        let context = &api.context;
        let timeout = context.config.play_timeout;
        let session = connected.play(stream.key(), 0);
        let play = Play::new(0, watcher, session, timeout).reading(cursor);
        let stopping = context.stopping.clone();
        let viewer = Viewer { connected, out, timeout, stopping, _place: place };
        (Self { play, muxer, gate: Gate::default() }, viewer)
    }

    async fn run(mut self, mut viewer: Viewer) {
        let end = match self.send_all(&mut viewer).await {
            Ok(()) => End::Over,
            Err(end) => end,
        };
        viewer.note(self.play.key(), &end);
        let (key, lost) = (self.play.key().clone(), self.play.lost());
        // Who reads that it has ended finds it gone.
        self.play.close(end.to_string());
        telemetry::play_ended(&key, viewer.peer(), lost, &end);
        viewer.close(&end).await;
    }

    /// Sends what comes until the run is over.
    async fn send_all(&mut self, viewer: &mut Viewer) -> Result<(), End> {
        let (mut batch, mut out) = (Vec::new(), Chunks::new());
        loop {
            let drains = self.play.reads();
            let read = viewer.wait(drains, self.play.next(&mut batch)).await?;
            let is_over = matches!(read, Read::Ended { .. });
            match read {
                Read::Packets => {
                    viewer.connected.peer.traffic.send(batch.len());
                    for packet in batch.drain(..) {
                        if self.gate.takes(&packet) {
                            self.muxer.push(&packet, &mut out);
                        }
                    }
                    self.muxer.flush(&mut out);
                }
                Read::Joined { header, lost, .. } => {
                    if lost.packets > 0 {
                        telemetry::player_lags(self.play.key(), viewer.peer(), lost);
                        if self.play.falls_behind(Instant::now(), lost) {
                            return Err(End::Stalled);
                        }
                    }
                    self.gate.wait_for_key();
                    self.muxer.header(&header, &mut out);
                }
                Read::Ended { lost } => {
                    self.play.end_run(lost, None);
                    self.muxer.start(&mut out);
                }
                Read::Idle => {}
            }
            if !out.is_empty() {
                viewer.send(out.take().collect()).await?;
            }
            if is_over {
                return Ok(());
            }
        }
    }
}
