//! Fragmented MP4 as one body without an end, for Media Source players: what the muxer makes, part by part.

use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use live::{Key, Lost};
use media::Kind;
use media::hls::Init;

use super::muxer::{Muxers, Reader, State};
use super::viewer::{self, End, Viewer};
use super::{Api, Seat, typed};
use crate::http::listener::Client;
use crate::http::problem::Problem;
use crate::sessions::{Playing, Via};
use crate::telemetry;

/// The media type of MP4 with pictures.
pub(super) const MP4: &str = "video/mp4";

/// The media type of what goes with an initialization.
pub(super) fn media_type(init: &Init) -> &'static str {
    match init.movie.tracks().iter().any(|track| track.kind == Kind::Video) {
        true => MP4,
        false => "audio/mp4",
    }
}

/// Answers with a view.
pub(super) fn answer(
    api: &Arc<Api>,
    client: &Client,
    key: &Key,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let muxer = Muxers::of(api, key)?;
    let seat = Seat::take(api, client, key, Via::Mp4, headers)?;
    let (out, body) = viewer::body();
    let Seat { connected, place, reads: (watcher, _), .. } = seat;
    let timeout = api.context.config.play_timeout;
    let playing = connected.play(key, 0);
    let stopping = api.context.stopping.clone();
    let viewer = Viewer { connected, out, timeout, stopping, _place: place };
    let view = View::new(Reader::new(muxer), playing);
    api.views.tasks.spawn(async move {
        // It counts among the players of the stream, and reads nothing of it.
        let _watcher = watcher;
        view.run(viewer).await;
    });
    Ok((typed(MP4), body).into_response())
}

/// What is sent of a stream.
struct View {
    reader: Reader,
    playing: Playing,
    /// The run that is shown.
    run: u64,
    /// The next part.
    next: Option<u64>,
    /// The initialization that the player has.
    init: Option<Arc<Init>>,
    /// Samples and bytes before the next part.
    at: Option<(u64, u64)>,
    lost: Lost,
    behind: Option<Instant>,
}

/// What there is for it.
enum Next {
    Bytes { bytes: Vec<Bytes>, samples: usize, lost: Lost },
    Nothing,
    Over,
}

impl View {
    fn new(reader: Reader, playing: Playing) -> Self {
        let run = reader.0.lock().window.run();
        let (next, init, at, lost, behind) = Default::default();
        Self { reader, playing, run, next, init, at, lost, behind }
    }

    async fn run(mut self, mut viewer: Viewer) {
        let end = match self.send_all(&mut viewer).await {
            Ok(()) => End::Over,
            Err(end) => end,
        };
        viewer.note(&self.reader.0.key, &end);
        self.playing.end(end.to_string());
        telemetry::play_ended(&self.reader.0.key, viewer.peer(), self.lost, &end);
    }

    async fn send_all(&mut self, viewer: &mut Viewer) -> Result<(), End> {
        let muxer = self.reader.0.clone();
        let mut changed = muxer.subscribe();
        loop {
            let next = self.take(&muxer.lock());
            match next {
                Next::Bytes { bytes, samples, lost } => {
                    self.note_lost(viewer, lost)?;
                    viewer.connected.peer.traffic.send(samples);
                    viewer.send(bytes).await?;
                }
                Next::Nothing => {
                    self.behind = None;
                    if viewer.wait(true, changed.changed()).await?.is_err() {
                        return Ok(());
                    }
                }
                Next::Over => return Ok(()),
            }
        }
    }

    /// The next part that is there; the first one, or one after a loss, is where decoding can start.
    fn take(&mut self, state: &State) -> Next {
        let window = &state.window;
        let of_run = || window.all_parts().filter(|(segment, _)| segment.run == self.run);
        let wanted = self.next.and_then(|next| of_run().find(|(_, part)| part.number == next));
        let is_behind = wanted.is_none() && self.next.is_none_or(|next| next < window.parts());
        let found = match is_behind {
            true => of_run().rfind(|(_, part)| part.info.is_independent),
            false => wanted,
        };
        let Some((segment, part)) = found else {
            let is_over = window.run() > self.run || window.is_ended();
            return if is_over { Next::Over } else { Next::Nothing };
        };
        let (samples, bytes) = self.at.map_or((0, 0), |(samples, bytes)| {
            (part.begin.0.saturating_sub(samples), part.begin.1.saturating_sub(bytes))
        });
        let lost = Lost { packets: samples, bytes };
        let mut all = Vec::new();
        if self.init.as_ref().is_none_or(|init| !Arc::ptr_eq(init, &segment.begin.init)) {
            all.push(segment.begin.init.bytes.clone());
            self.init = Some(segment.begin.init.clone());
        }
        all.extend(part.bytes.iter().cloned());
        self.next = Some(part.number + 1);
        let samples = part.info.samples;
        self.at = Some((part.begin.0 + samples as u64, part.begin.1 + part.info.size_bytes));
        Next::Bytes { bytes: all, samples, lost }
    }

    /// Counts a loss; one that goes on for too long is the end.
    fn note_lost(&mut self, viewer: &Viewer, lost: Lost) -> Result<(), End> {
        if lost.packets == 0 {
            return Ok(());
        }
        self.lost.packets += lost.packets;
        self.lost.bytes += lost.bytes;
        self.playing.set_lost(self.lost);
        telemetry::player_lags(&self.reader.0.key, viewer.peer(), lost);
        let since = *self.behind.get_or_insert_with(Instant::now);
        if since.elapsed() >= viewer.timeout { Err(End::Stalled) } else { Ok(()) }
    }
}
