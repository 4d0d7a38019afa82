//! What a person is told of a stream: its codecs once they are known, its figures each minute and a summary.
//!
//! The counters are the timeline's, kept while it appends; here they are only read, at times that no packet waits
//! for.

use std::time::{Duration, Instant};

use live::{Publisher, Stats, TrackStats};
use media::Packet;

use crate::sessions::Codecs;
use crate::telemetry;

/// After the first packets this long is waited for the other track's configuration.
const SETTLE: Duration = Duration::from_secs(1);
/// Time between two lines of figures.
const EVERY: Duration = Duration::from_secs(60);

/// Watches one run.
#[derive(Debug)]
pub(super) struct Report {
    began: Instant,
    due: Instant,
    /// The counters and the time of the line before.
    before: (Instant, Stats),
    codecs: Codecs,
    /// Whether the codecs differ from those that were logged.
    news: bool,
}

/// Figures of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    pub(crate) seconds: f64,
    pub(crate) video_kbps: f64,
    pub(crate) audio_kbps: f64,
    pub(crate) frame_rate: f64,
}

impl Report {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            due: now + SETTLE,
            before: (now, Stats::default()),
            codecs: Codecs::default(),
            news: false,
        }
    }

    /// Notices codecs.
    pub(super) fn see(&mut self, packet: &Packet) {
        self.news |= self.codecs.see(packet);
    }

    /// What is known of the tracks.
    pub(super) fn codecs(&self) -> &Codecs {
        &self.codecs
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn tick(&mut self, now: Instant, publisher: &Publisher) {
        if now < self.due {
            return;
        }
        self.tell_codecs(publisher);
        let (since, before) = self.before;
        if now.duration_since(since) < EVERY {
            // Codecs may come late; the figures are due a minute after the line before.
            let soon = self.codecs == Codecs::default();
            self.due = if soon { now + SETTLE } else { since + EVERY };
            return;
        }
        let stats = publisher.stats();
        let rates = rates(&before, &stats, now.duration_since(since));
        telemetry::stream_statistics(publisher.key(), &rates, &stats);
        self.before = (now, stats);
        self.due = now + EVERY;
    }

    pub(super) fn finish(&mut self, now: Instant, publisher: &Publisher) {
        self.tell_codecs(publisher);
        let stats = publisher.stats();
        let rates = rates(&Stats::default(), &stats, now.duration_since(self.began));
        telemetry::stream_summary(publisher.key(), &rates, &stats);
    }

    fn tell_codecs(&mut self, publisher: &Publisher) {
        if std::mem::take(&mut self.news) {
            telemetry::stream_codecs(publisher.key(), &self.codecs);
        }
    }
}

/// Bits and frames per second of the clock on the wall; the frame rate by the stream's own clock where it runs.
pub(crate) fn rates(before: &Stats, now: &Stats, time: Duration) -> Rates {
    let seconds = time.as_secs_f64();
    let kbps = |before: &TrackStats, now: &TrackStats| {
        per(now.bytes.saturating_sub(before.bytes) * 8, seconds) / 1_000.0
    };
    let frames = now.video.frames.saturating_sub(before.video.frames);
    let stream_seconds = match (before.video.dts_ms, now.video.dts_ms) {
        (Some((_, from_ms)), Some((_, to_ms))) => ms(to_ms.saturating_sub(from_ms)),
        // From the first to the newest frame there is one interval less than frames.
        (None, Some((from_ms, to_ms))) => {
            let span = ms(to_ms.saturating_sub(from_ms));
            span * per(frames, 1.0) / per(frames.saturating_sub(1).max(1), 1.0)
        }
        _ => 0.0,
    };
    Rates {
        seconds,
        video_kbps: kbps(&before.video, &now.video),
        audio_kbps: kbps(&before.audio, &now.audio),
        frame_rate: per(frames, stream_seconds),
    }
}

fn ms(ms: i64) -> f64 {
    u32::try_from(ms).map_or(0.0, f64::from) / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests;
